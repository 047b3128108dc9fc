// SPDX-License-Identifier: AGPL-3.0-only
//! Captures of other people, read whole: as many datagrams as tshark finds, with its times.
//!
//! `GOSSIPPER_CORPUS` names a folder with a folder `captures`; without it the tests skip, and say so.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "captures are files, and the other side of the comparison is a program"
)]

use gossipper_media::replay::{Keep, Replay, ReplayError};
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
