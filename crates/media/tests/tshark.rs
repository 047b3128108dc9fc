// SPDX-License-Identifier: AGPL-3.0-only
//! Figures of received streams against those of tshark for the same packets: loss and order exact, jitter within 1 %.
//!
//! Skips, and says so, where tshark is not installed.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the other side of the comparison is a program that reads files, and may be missing"
)]

use gossipper_media::dtmf::DtmfParams;
use gossipper_media::engine::{
    EngineParams, FirstPacket, Format, Input, Length, MediaEngine, MediaOut, Op, Play, Remote,
    StreamParams,
};
use gossipper_media::receive::{Receiver, Timing};
use gossipper_media::rtp::{Header, Packet};
use gossipper_media::tone::Sound;
use gossipper_media::{Clip, Codec, Micros};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An RTP packet on the wire.
struct Sent {
    at: Micros,
    bytes: Vec<u8>,
}

impl Sent {
    fn header(&self) -> Header {
        Packet::parse(&self.bytes).expect("a packet of RTP").header
    }
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
        let rtp = &packet.bytes;
        let mut frame = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0];
        let total = (20 + 8 + rtp.len()) as u16;
        frame.extend_from_slice(&[0x45, 0]);
        frame.extend_from_slice(&total.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for word in [4000u16, 4002, 8 + rtp.len() as u16, 0] {
            frame.extend_from_slice(&word.to_be_bytes());
        }
        frame.extend_from_slice(rtp);
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
        let header = packet.header();
        let timing = match header.payload_type {
            13 => Timing::Silent,
            _ => Timing::Sampled,
        };
        receiver.on_packet(packet.at, &header, 160, timing);
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
    let packets = (0..count).map(|index| {
        let mut bytes = Vec::new();
        header(start.wrapping_add(index as u16), index * 160).append(&[0xff; 160], &mut bytes);
        let at = Micros(u64::from(index) * 20_000 + rng.u64(0..=jitter_us));
        Sent { at, bytes }
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
fn silences_are_left_out_of_the_jitter_as_tshark_does() {
    let mut rng = fastrand::Rng::with_seed(31);
    let (mut at, mut timestamp) = (0, 0);
    let packets: Vec<Sent> = (0..400u32)
        .map(|index| {
            // Talk, comfort noise now and then, and talk again, with a clock that slipped in between.
            let (marker, payload_type, gap_ms, step) = match index % 80 {
                60..64 => (false, 13, 150, 1200),
                64 => (true, 0, 230, 1600),
                _ => (false, 0, 20, 160),
            };
            at += gap_ms * 1000;
            timestamp += step;
            let header = Header {
                marker,
                payload_type,
                ..header(index as u16, timestamp)
            };
            let mut bytes = Vec::new();
            header.append(&[0xff; 160], &mut bytes);
            Sent {
                at: Micros(at + rng.u64(0..4000)),
                bytes,
            }
        })
        .collect();
    compare("silences", &packets);
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

#[test]
fn everything_at_once_equals_tsharks() {
    let mut rng = fastrand::Rng::with_seed(23);
    for (run, jitter_us) in [0, 3_000, 15_000].into_iter().enumerate() {
        // Both wrap: numbers after 100 packets, timestamps after 200.
        let start = u32::MAX - 200 * 160;
        let mut packets: Vec<Sent> = (0..800u32)
            .map(|index| {
                let mut bytes = Vec::new();
                let number = 65_436_u16.wrapping_add(index as u16);
                let sampled = start.wrapping_add(index * 160);
                header(number, sampled).append(&[0xff; 160], &mut bytes);
                let at = Micros(u64::from(index) * 20_000 + rng.u64(0..=jitter_us));
                Sent { at, bytes }
            })
            .collect();
        let mut index = 0;
        packets.retain(|_| {
            index += 1;
            index == 1 || index == 800 || rng.u32(..20) != 0
        });
        // Some come after those behind them, at the times that there are.
        for _ in 0..30 {
            let at = rng.usize(1..packets.len() - 3);
            let by = rng.usize(1..=2);
            let (first, second) = (packets[at].at, packets[at + by].at);
            packets.swap(at, at + by);
            packets[at].at = first;
            packets[at + by].at = second;
        }
        packets.sort_by_key(|packet| packet.at);
        compare(&format!("all-{run}"), &packets);
        // And some twice.
        for _ in 0..20 {
            let at = rng.usize(1..packets.len() - 1);
            let again = Sent {
                at: packets[at].at + Micros(rng.u64(1..=900)),
                bytes: packets[at].bytes.clone(),
            };
            packets.insert(at + 1, again);
        }
        packets.sort_by_key(|packet| packet.at);
        compare(&format!("twice-{run}"), &packets);
    }
}

/// Two seconds of a stream of the engine, with digits in it.
fn stream_with_digits(digits: &[u8]) -> Vec<Sent> {
    let mut engine = MediaEngine::new(EngineParams {
        unix_us: 0,
        name: b"test".as_slice().into(),
    });
    let mut out = MediaOut::default();
    let format = Format {
        codec: Codec::Pcmu,
        payload_type: 0,
        events: Some(101),
        channels: 1,
    };
    let stream = engine.open(
        Micros(0),
        StreamParams {
            ssrc: 0xca11_0001,
            sequence: 65_500,
            timestamp: 5,
            format,
            marks: true,
            first_packet: FirstPacket::AtOnce,
            report_interval: None,
        },
    );
    let remote = Remote {
        rtp: Some(([192, 0, 2, 2], 4002).into()),
        rtcp: None,
        held: false,
    };
    let play = Play {
        clip: Clip::synthetic(Codec::Pcmu, Sound::default(), 160),
        payload_type: 0,
        shape: Codec::Pcmu.packet_of(20).expect("its own length"),
        length: Length::Time(Micros::from_ms(2000)),
        pattern: None,
    };
    let digits = Op::Dtmf {
        digits: digits.into(),
        params: DtmfParams::default(),
    };
    let mut packets = Vec::new();
    let mut collect = |now: Micros, out: &mut MediaOut| {
        for send in &out.sends {
            let bytes = out.bytes[send.range.clone()].to_vec();
            packets.push(Sent { at: now, bytes });
        }
        out.clear();
    };
    for op in [Op::Remote(remote), Op::Play(Box::new(play)), digits] {
        engine.handle(Micros(0), Input::Op { stream, op }, &mut out);
        collect(Micros(0), &mut out);
    }
    while let Some(now) = engine.next_deadline() {
        engine.handle(now, Input::Tick, &mut out);
        collect(now, &mut out);
    }
    packets
}

#[test]
fn tshark_reads_the_digits_that_we_send() {
    let file = folder().join("digits.pcap");
    let packets = stream_with_digits(b"19*#D");
    std::fs::write(&file, capture(&packets)).expect("a writable folder");
    let output = Command::new("tshark")
        .args(["-n", "-d", "udp.port==4002,rtp", "-T", "fields", "-r"])
        .arg(&file)
        .args([
            "-o",
            "rtpevent.event_payload_type_value:101",
            "-Y",
            "rtpevent",
        ])
        .args([
            "-e",
            "rtp.marker",
            "-e",
            "rtpevent.event_id",
            "-e",
            "rtpevent.end_of_event",
        ])
        .args([
            "-e",
            "rtpevent.volume",
            "-e",
            "rtpevent.duration",
            "-e",
            "rtp.timestamp",
        ])
        .output();
    std::fs::remove_file(&file).expect("the file is ours");
    let Ok(output) = output else {
        eprintln!("SKIPPED: tshark is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 5 * 7, "{text}");
    let yes = |word: &str| word == "1" || word == "True";
    for (digit, (packets, event)) in lines.chunks(7).zip([1, 9, 10, 11, 15]).enumerate() {
        for (index, line) in packets.iter().enumerate() {
            assert_eq!(yes(line[0]), index == 0, "{text}");
            assert_eq!(line[1], event.to_string(), "{text}");
            assert_eq!(yes(line[2]), index >= 4, "{text}");
            assert_eq!(line[3], "10");
            assert_eq!(line[4], ((index as u32 + 1) * 160).min(800).to_string());
            assert_eq!(line[5], (5 + digit * 1600).to_string(), "{text}");
        }
    }
}

#[test]
fn tshark_finds_nothing_missing_in_what_we_send() {
    let packets = stream_with_digits(b"1");
    let file = folder().join("sent.pcap");
    std::fs::write(&file, capture(&packets)).expect("a writable folder");
    let theirs = tshark(&file);
    std::fs::remove_file(&file).expect("the file is ours");
    if let Some((count, lost, ..)) = theirs {
        assert_eq!((count, lost), (packets.len() as u64, 0));
        // One packet at once, then 99 periods; ten of them are the digit's and its gap, which has seven packets.
        assert_eq!(count, 100 - 10 + 7);
    }
}
