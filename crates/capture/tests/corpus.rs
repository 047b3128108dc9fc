// SPDX-License-Identifier: AGPL-3.0-only
//! Captures of others: read here and by other programs, with the same result.
//!
//! They are not part of the repository. `GOSSIPPER_CORPUS` names the folder they are in; without it, `../shared/corpus`
//! beside the workspace is tried. Where there is none, or a program is missing, these tests say so and pass.

use gossipper_capture::file::Frames;
use gossipper_capture::{Capture, ReadOptions, read};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test may ask where its files are"
    )]
    let named = std::env::var_os("GOSSIPPER_CORPUS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root.join("../shared/corpus"));
    if folder.is_dir() {
        return Some(folder);
    }
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    {
        eprintln!("SKIPPED: no corpus at {}", folder.display());
    }
    None
}

/// Every capture file below a folder, with its bytes.
fn captures() -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = corpus().into_iter().collect();
    while let Some(folder) = todo.pop() {
        #[expect(clippy::disallowed_methods, reason = "a test reads its files")]
        let entries = std::fs::read_dir(&folder).expect("a readable folder");
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                todo.push(path);
            } else if matches!(extension, Some("pcap" | "pcapng" | "cap")) {
                #[expect(clippy::disallowed_methods, reason = "a test reads its files")]
                let bytes = std::fs::read(&path).expect("a readable file");
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}

/// Lengths, captured lengths and nanoseconds of all frames, by Wireshark's reader; `None` if it is not there.
fn by_wireshark(path: &Path) -> Option<Vec<(u32, usize, u128)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test compares with another program"
    )]
    let mut command = Command::new("tshark");
    command.arg("-r").arg(path).args(["-T", "fields"]);
    // Nothing of the frames is looked into.
    command.args(["--disable-all-protocols", "--enable-protocol", "frame"]);
    for field in ["frame.len", "frame.cap_len", "frame.time_epoch"] {
        command.args(["-e", field]);
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let line = |line: &str| {
        let mut words = line.split('\t');
        let (len, captured) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (seconds, fraction) = words.next()?.split_once('.')?;
        let (seconds, fraction): (u128, u128) = (seconds.parse().ok()?, fraction.parse().ok()?);
        Some((len, captured, seconds * 1_000_000_000 + fraction))
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(line)
        .collect()
}

#[test]
fn files_have_the_frames_that_wireshark_finds() {
    for (path, bytes) in captures() {
        let Some(others) = by_wireshark(&path) else {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("SKIPPED: no tshark");
            }
            return;
        };
        let ours: Vec<(u32, usize, u128)> = Frames::of(&bytes)
            .unwrap_or_else(|| panic!("{} is no capture", path.display()))
            .filter_map(Result::ok)
            .map(|frame| {
                let time = frame.time.map_or(0, |time| time.as_nanos());
                (frame.len, frame.data.len(), time)
            })
            .collect();
        // Ours goes on behind damage; theirs does not.
        assert!(ours.len() >= others.len(), "{}", path.display());
        for (at, (ours, others)) in ours.iter().zip(&others).enumerate() {
            assert_eq!(ours, others, "{} frame {}", path.display(), at + 1);
        }
    }
}

/// How many messages there are of each method and of each status.
type Census = BTreeMap<String, usize>;

fn census(capture: &Capture) -> Census {
    let mut census = Census::new();
    for message in &capture.messages {
        let line = message
            .bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let name = if first.starts_with("SIP/") {
            words.next().unwrap_or_default()
        } else {
            first
        };
        *census.entry(name.to_owned()).or_default() += 1;
    }
    census
}

fn by_tshark(path: &Path) -> Option<Census> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test compares with another program"
    )]
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(path)
        .args(["-Y", "sip", "-T", "fields", "-E", "aggregator=|"]);
    command.args(["-e", "sip.Method", "-e", "sip.Status-Code"]);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let mut census = Census::new();
    for name in String::from_utf8_lossy(&output.stdout).split(['\t', '|', '\n']) {
        if !name.is_empty() {
            *census.entry(name.to_owned()).or_default() += 1;
        }
    }
    Some(census)
}

#[test]
fn captures_have_the_messages_that_tshark_finds() {
    let mut differing = Vec::new();
    let mut messages = 0;
    for (path, bytes) in captures() {
        let Some(theirs) = by_tshark(&path) else {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("SKIPPED: no tshark");
            }
            return;
        };
        let capture = read(&bytes, &ReadOptions::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let ours = census(&capture);
        messages += capture.messages.len();
        if ours != theirs {
            differing.push(format!(
                "{}\n  ours {ours:?}\n  theirs {theirs:?}\n  {:?}",
                path.display(),
                capture.losses
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(messages > 100 || corpus().is_none(), "{messages} messages");
}

/// A capture in another format, by another program.
fn converted(path: &Path, format: &str) -> Option<Vec<u8>> {
    #[expect(clippy::disallowed_methods, reason = "a test uses another program")]
    let mut command = Command::new("editcap");
    command.args(["-F", format]).arg(path).arg("-");
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(output.stdout)
}

#[test]
fn formats_change_nothing() {
    for (path, bytes) in captures() {
        let capture = read(&bytes, &ReadOptions::default()).expect("a capture");
        for format in ["pcap", "nsecpcap", "modpcap", "pcapng"] {
            let Some(converted) = converted(&path, format) else {
                #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
                {
                    eprintln!("SKIPPED: no editcap");
                }
                return;
            };
            let other = read(&converted, &ReadOptions::default())
                .unwrap_or_else(|error| panic!("{} as {format}: {error}", path.display()));
            assert!(other == capture, "{} as {format}", path.display());
        }
    }
}

#[test]
fn of_a_part_of_a_capture_that_part_is_found() {
    for (path, bytes) in captures() {
        let whole = read(&bytes, &ReadOptions::default()).expect("a capture");
        for part in 1..8 {
            let cut = &bytes[..bytes.len() * part / 8];
            let Ok(found) = read(cut, &ReadOptions::default()) else {
                continue;
            };
            // The last one may be cut, and what streams had to wait for may be missing.
            let sound = found.messages.iter().filter(|message| !message.truncated);
            let lines = |message: &gossipper_capture::SipMessage| {
                (
                    message.frame,
                    message.source,
                    message.bytes.get(..20).map(<[u8]>::to_vec),
                )
            };
            let known: Vec<_> = whole.messages.iter().map(lines).collect();
            for message in sound {
                assert!(
                    known.contains(&lines(message)),
                    "{} frame {}",
                    path.display(),
                    message.frame
                );
            }
            assert!(found.frames <= whole.frames);
        }
    }
}
