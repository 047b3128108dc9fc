// SPDX-License-Identifier: AGPL-3.0-only
//! Body of the fuzz target `pcap_to_xml`: any bytes as a capture, and as messages of one.

use crate::{Conversion, Options, Timing, convert};
use core::time::Duration;
use gossipper_capture::{Capture, Carrier, Datagram, ReadOptions, SipMessage, read};

/// A capture of messages, one after the other, separated by a byte that tells direction and time.
fn messages(bytes: &[u8]) -> Capture {
    let mut capture = Capture::default();
    let sides = ["192.0.2.1:5060", "192.0.2.2:5060", "192.0.2.3:5080"];
    let address = |at: usize| sides[at % 3].parse().ok();
    for (index, part) in bytes.split(|byte| *byte == 0xff).enumerate() {
        let Some((choice, rest)) = part.split_first() else {
            continue;
        };
        let choice = usize::from(*choice);
        let (Some(source), Some(destination)) = (address(choice), address(choice / 3 + 1)) else {
            continue;
        };
        let time = Duration::from_millis(index as u64 * 100 * (1 + choice as u64 % 7));
        let frame = index as u64 + 1;
        if choice % 5 == 4 {
            capture.datagrams.push(Datagram {
                frame,
                time,
                source,
                destination,
                payload: rest.to_vec(),
            });
        } else {
            capture.messages.push(SipMessage {
                frame,
                time,
                source,
                destination,
                carrier: Carrier::Udp,
                bytes: rest.to_vec(),
                truncated: choice > 200,
            });
        }
    }
    capture
}

/// Target `pcap_to_xml`: never panics, the files are ASCII, and the same input gives the same files. Returns what was
/// made, for tests that compile it.
pub fn pcap_to_xml(bytes: &[u8]) -> Vec<Conversion> {
    let mut made = Vec::new();
    let read = read(bytes, &ReadOptions::default()).ok();
    for capture in read.into_iter().chain([messages(bytes)]) {
        for (merge, timing) in [(false, Timing::Real), (true, Timing::Scaled(0.5))] {
            let options = Options {
                timing,
                merge,
                dtmf_events: merge,
                source: "capture".to_owned(),
                ..Options::default()
            };
            let conversion = convert(&capture, &options);
            assert_eq!(conversion, convert(&capture, &options));
            for file in &conversion.files {
                assert!(!file.name.contains('/'), "{}", file.name);
                assert!(!file.name.ends_with(".xml") || file.bytes.is_ascii());
            }
            made.push(conversion);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of any bytes compiles; whether it warns is a matter of the bytes.
    fn holds(bytes: &[u8]) -> usize {
        let mut files = 0;
        for conversion in pcap_to_xml(bytes) {
            let injection: Vec<String> = conversion
                .files
                .iter()
                .filter(|file| file.name.ends_with(".csv"))
                .map(|file| file.name.clone())
                .collect();
            let scenarios = conversion
                .files
                .iter()
                .filter(|file| file.name.ends_with(".xml"));
            for file in scenarios {
                files += 1;
                let options = gossipper_compiler::Options {
                    name: "made".to_owned(),
                    injection: injection.clone(),
                    ..gossipper_compiler::Options::default()
                };
                let compiled = gossipper_compiler::compile(&file.name, &file.bytes, &options);
                assert!(
                    compiled.program.is_some(),
                    "{:#?}\n{}",
                    compiled.diagnostics,
                    String::from_utf8_lossy(&file.bytes)
                );
            }
        }
        files
    }

    fn seeds() -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for kind in ["corpus", "regressions"] {
            let folder = format!("{}/../fuzz/{kind}/pcap_to_xml", env!("CARGO_MANIFEST_DIR"));
            // A folder without files is not in the repository.
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("a readable folder").path();
                seeds.push(std::fs::read(path).expect("a readable file"));
            }
        }
        seeds
    }

    #[test]
    fn seeds_and_what_once_broke_it_become_scenarios_that_compile() {
        let files: usize = seeds().iter().map(|seed| holds(seed)).sum();
        assert!(files >= 30, "{files} files: the seeds say too little");
    }

    #[test]
    fn mutated_seeds_break_nothing() {
        let seeds = seeds();
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..100 {
            let mut bytes = rng.choice(&seeds).expect("seeds").clone();
            let other = rng.choice(&seeds).expect("seeds");
            for _ in 0..rng.usize(1..8) {
                let at = rng.usize(0..bytes.len());
                match rng.u8(0..4) {
                    0 => bytes[at] = rng.u8(..),
                    1 => {
                        bytes.remove(at);
                    }
                    2 => bytes[at] = *rng.choice(b"[]<>;\"\\\r\n \0:,@=%#-\xff").expect("a byte"),
                    _ => {
                        let from = rng.usize(0..other.len());
                        let to = other.len().min(from + rng.usize(0..300));
                        bytes.splice(at..at, other[from..to].iter().copied());
                    }
                }
            }
            holds(&bytes);
        }
    }
}
