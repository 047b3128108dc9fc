// SPDX-License-Identifier: AGPL-3.0-only
//! Figures of received streams against those of tshark for the same packets: loss and order exact, jitter within 1 %.
//!
//! Skips, and says so, where tshark is not installed.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the other side of the comparison is a program that reads files, and may be missing"
)]

use gossipper_media::Micros;
use gossipper_media::receive::{Receiver, Timing};
use gossipper_media::rtp::Header;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An RTP packet on the wire.
struct Sent {
    at: Micros,
    header: Header,
}

fn header(sequence: u16, timestamp: u32) -> Header {
    Header {
        marker: false,
        payload_type: 0,
        sequence,
        timestamp,
        ssrc: 0xca11_0001,
    }
}

/// A capture of Ethernet frames with IPv4 and UDP.
fn capture(packets: &[Sent]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for packet in packets {
        let mut rtp = Vec::new();
        packet.header.append(&[0xff; 160], &mut rtp);
        let mut frame = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0];
        let total = (20 + 8 + rtp.len()) as u16;
        frame.extend_from_slice(&[0x45, 0]);
        frame.extend_from_slice(&total.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for word in [4000u16, 4002, 8 + rtp.len() as u16, 0] {
            frame.extend_from_slice(&word.to_be_bytes());
        }
        frame.extend_from_slice(&rtp);
        let (seconds, rest) = (packet.at.0 / 1_000_000, packet.at.0 % 1_000_000);
        let len = frame.len() as u32;
        for word in [1_700_000_000 + seconds as u32, rest as u32, len, len] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&frame);
    }
    out
}

/// Packets, lost, and jitter (mean, max) in ms, as tshark prints them.
fn tshark(file: &Path) -> Option<(u64, i64, f64, f64)> {
    let output = Command::new("tshark")
        .args([
            "-n",
            "-q",
            "-z",
            "rtp,streams",
            "-d",
            "udp.port==4002,rtp",
            "-r",
        ])
        .arg(file)
        .output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: tshark is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .find(|line| line.contains("0xCA110001"))
        .unwrap_or_else(|| {
            panic!(
                "no stream in {text} {}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
    // Start, end, addresses and ports, SSRC, payload name, packets, lost (percent), delta min mean max, jitter min mean max
    let behind = line.split("0xCA110001").nth(1).expect("columns");
    let words: Vec<&str> = behind
        .split_whitespace()
        .filter(|word| !word.starts_with('('))
        .collect();
    let at = words
        .iter()
        .position(|word| word.parse::<u64>().is_ok())
        .expect("a count");
    let number = |index: usize| words[at + index].parse::<f64>().expect(line);
    Some((number(0) as u64, number(1) as i64, number(6), number(7)))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

fn compare(name: &str, packets: &[Sent]) {
    let file = folder().join(format!("{name}.pcap"));
    std::fs::write(&file, capture(packets)).expect("a writable folder");
    let theirs = tshark(&file);
    std::fs::remove_file(&file).expect("the file is ours");
    let Some((count, lost, mean, max)) = theirs else {
        return;
    };
    let mut receiver = Receiver::new(8000);
    for packet in packets {
        receiver.on_packet(packet.at, &packet.header, 160, Timing::Sampled);
    }
    let (counts, jitter) = (receiver.counts(), receiver.jitter());
    assert_eq!((counts.packets, counts.lost()), (count, lost), "{name}");
    // tshark prints three digits behind the point.
    let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 0.01 * theirs + 0.0006;
    assert!(near(jitter.mean, mean), "{name}: mean {jitter:?} {mean}");
    assert!(near(jitter.max, max), "{name}: max {jitter:?} {max}");
}

/// Packets of 20 ms with a jitter of up to so many microseconds.
fn stream(count: u32, start: u16, jitter_us: u64) -> Vec<Sent> {
    let mut rng = fastrand::Rng::with_seed(7);
    let packets = (0..count).map(|index| Sent {
        at: Micros(u64::from(index) * 20_000 + rng.u64(0..=jitter_us)),
        header: header(start.wrapping_add(index as u16), index * 160),
    });
    packets.collect()
}

#[test]
fn jitter_equals_tsharks() {
    compare("even", &stream(200, 1, 0));
    compare("jitter", &stream(500, 1, 12_000));
}

#[test]
fn loss_equals_tsharks_across_a_wrap() {
    let mut packets = stream(500, 65_300, 5_000);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut index = 0;
    packets.retain(|_| {
        index += 1;
        index == 1 || index == 500 || rng.u32(..10) != 0
    });
    compare("loss", &packets);
}

#[test]
fn order_does_not_change_what_is_lost() {
    let mut packets = stream(300, 100, 2_000);
    packets.remove(50);
    for at in [20, 90, 200] {
        let (first, second) = (packets[at].at, packets[at + 1].at);
        packets.swap(at, at + 1);
        packets[at].at = first;
        packets[at + 1].at = second;
    }
    compare("order", &packets);
}
