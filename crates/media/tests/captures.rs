// SPDX-License-Identifier: AGPL-3.0-only
//! Captures of other people, read whole: as many datagrams as tshark finds, with its times; and their streams measured:
//! what tshark says of loss and jitter.
//!
//! `GOSSIPPER_CORPUS` names a folder with a folder `captures`; without it the tests skip, and say so.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "captures are files, and the other side of the comparison is a program"
)]

use gossipper_media::receive::{Receiver, Timing};
use gossipper_media::replay::{Keep, Replay, ReplayError};
use gossipper_media::rtp::{Header, Packet};
use gossipper_media::{Codec, Micros};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

fn captures() -> Vec<PathBuf> {
    let root = match std::env::var_os("GOSSIPPER_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
    };
    let mut found = Vec::new();
    let mut todo = vec![root.join("captures")];
    while let Some(folder) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            eprintln!("SKIPPED: no captures in {}", folder.display());
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.to_string_lossy();
            if path.is_dir() {
                todo.push(path);
            } else if name.ends_with(".pcap") || name.ends_with(".pcapng") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Times and ports of the datagrams in a capture, in seconds from the first.
fn tshark(file: &Path) -> Option<Vec<(f64, u16)>> {
    let output = Command::new("tshark")
        .args(["-n", "-r"])
        .arg(file)
        .args([
            "-o",
            "ip.defragment:FALSE",
            "-Y",
            "udp && !icmp && !icmpv6",
            "-T",
            "fields",
            "-E",
            "occurrence=f",
            "-e",
            "frame.time_epoch",
            "-e",
            "udp.dstport",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all: Vec<(f64, u16)> = text
        .lines()
        .map(|line| {
            let (time, port) = line.split_once('\t').expect("two columns");
            (time.parse().expect(line), port.parse().expect(line))
        })
        .collect();
    let first = all.first().map_or(0.0, |first| first.0);
    Some(all.iter().map(|(at, port)| (at - first, *port)).collect())
}

#[test]
fn captures_hold_the_datagrams_that_tshark_finds() {
    let mut compared = 0;
    for file in captures() {
        let bytes = std::fs::read(&file).expect("a readable file");
        let replay = Replay::parse(bytes.into(), Keep::All, None);
        let Some(theirs) = tshark(&file) else {
            eprintln!("SKIPPED: tshark is not installed");
            return;
        };
        let name = file.display();
        match replay {
            Ok(replay) => {
                let skipped = replay.skipped();
                assert_eq!(
                    replay.packets().len(),
                    theirs.len() - skipped.truncated as usize,
                    "{name} {skipped:?}"
                );
                if skipped.truncated > 0 {
                    continue;
                }
                let lowest = theirs.iter().map(|(_, port)| *port).min();
                for (ours, (at, port)) in replay.packets().iter().zip(&theirs) {
                    assert_eq!(Some(port - ours.port_offset), lowest, "{name}");
                    assert!((ours.at.0 as f64 / 1e6 - at).abs() < 2e-6, "{name} {at}");
                }
                compared += 1;
            }
            Err(ReplayError::Empty(_)) => assert_eq!(theirs.len(), 0, "{name}"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    eprintln!("{compared} captures compared");
}

/// What tells streams apart: addresses and ports of both sides, and the source.
type Key = [String; 5];

/// A stream as we measure it.
struct Measured {
    receiver: Receiver,
    payload_types: Vec<u8>,
}

fn lines_of(file: &Path, arguments: &[&str]) -> Option<Vec<String>> {
    let output = Command::new("tshark")
        .args(["-n", "-o", "rtp.heuristic_rtp:TRUE", "-r"])
        .arg(file)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().map(str::to_owned).collect())
}

/// Whether some datagrams of a capture look like RTP. It spares tshark, which takes its time to start.
fn may_hold_streams(file: &Path) -> bool {
    let bytes = std::fs::read(file).expect("a readable file");
    let Ok(replay) = Replay::parse(bytes.into(), Keep::All, None) else {
        return false;
    };
    let mut packets = replay.packets().iter();
    packets.any(|packet| Packet::parse(replay.bytes(packet)).is_ok())
}

/// The streams that tshark finds in a capture, measured by us.
fn measured(file: &Path) -> HashMap<Key, Measured> {
    let mut arguments = vec!["-Y", "rtp && udp", "-T", "fields", "-E", "occurrence=f"];
    for field in [
        "frame.time_epoch",
        "ip.src",
        "udp.srcport",
        "ip.dst",
        "udp.dstport",
        "rtp.ssrc",
        "rtp.seq",
        "rtp.timestamp",
        "rtp.p_type",
    ] {
        arguments.extend(["-e", field]);
    }
    let mut found: HashMap<Key, Measured> = HashMap::new();
    let lines = lines_of(file, &arguments);
    for line in lines.expect("it was there before") {
        let words: Vec<&str> = line.split('\t').collect();
        let [time, ips @ .., seq, timestamp, payload_type] = &words[..] else {
            panic!("{line}");
        };
        // IPv6, or a packet in another one.
        if ips.iter().any(|word| word.is_empty()) {
            continue;
        }
        let (seconds, rest) = time.split_once('.').expect(time);
        let micros = seconds.parse::<u64>().expect(time) * 1_000_000;
        let micros = micros + rest[..6].parse::<u64>().expect(time);
        let mut key: Key = Default::default();
        for (place, word) in key.iter_mut().zip(ips) {
            *place = (*word).to_owned();
        }
        let number = |word: &str| word.parse::<u32>().expect(&line);
        let header = Header {
            marker: false,
            payload_type: number(payload_type) as u8,
            sequence: number(seq) as u16,
            timestamp: number(timestamp),
            ssrc: u32::from_str_radix(key[4].trim_start_matches("0x"), 16).expect(&line),
        };
        let codec = Codec::of_payload_type(header.payload_type);
        let stream = found.entry(key).or_insert_with(|| Measured {
            receiver: Receiver::new(codec.map_or(8000, |codec| codec.params().clock_rate)),
            payload_types: Vec::new(),
        });
        if !stream.payload_types.contains(&header.payload_type) {
            stream.payload_types.push(header.payload_type);
        }
        let receiver = &mut stream.receiver;
        receiver.on_packet(Micros(micros), &header, 160, Timing::Sampled);
    }
    found
}

#[test]
fn streams_in_captures_are_measured_as_tshark_measures_them() {
    let (mut counted, mut timed) = (0, 0);
    for file in captures() {
        if !may_hold_streams(&file) {
            continue;
        }
        let Some(lines) = lines_of(&file, &["-q", "-z", "rtp,streams"]) else {
            eprintln!("SKIPPED: tshark is not installed");
            return;
        };
        let name = file.display();
        let ours = measured(&file);
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Start, end, both sides, source, payload, packets, lost, (percent), three of the distance, three of the jitter.
            let Some(place) = words.iter().position(|word| word.starts_with("0x")) else {
                continue;
            };
            let key: Key = [2, 3, 4, 5, 6].map(|index| words[index].to_owned());
            let Some(stream) = ours.iter().find(|(known, _)| {
                known[..4] == key[..4] && known[4].eq_ignore_ascii_case(&key[4])
            }) else {
                continue;
            };
            // The name of a payload may be several words.
            let percent = words.iter().position(|word| word.starts_with('('));
            let Some(percent) = percent.filter(|at| *at > place + 2) else {
                panic!("{name}: {line}");
            };
            let number = |index: usize| words[index].parse::<f64>().expect(&line);
            let counts = stream.1.receiver.counts();
            assert_eq!(
                (counts.packets as f64, counts.lost() as f64),
                (number(percent - 2), number(percent - 1)),
                "{name}: {line}"
            );
            counted += 1;
            // tshark knows the clock of numbers that are fixed.
            let known = |number: &u8| matches!(number, 0 | 8 | 9 | 18);
            if stream.1.payload_types.len() != 1 || !stream.1.payload_types.iter().all(known) {
                continue;
            }
            let jitter = stream.1.receiver.jitter();
            for (ours, theirs) in [
                (jitter.mean, number(percent + 5)),
                (jitter.max, number(percent + 6)),
            ] {
                assert!(
                    (ours - theirs).abs() <= 0.01 * theirs + 0.0015,
                    "{name}: {jitter:?} {line}"
                );
            }
            timed += 1;
        }
    }
    eprintln!("{counted} streams counted, the jitter of {timed} measured");
}
