// SPDX-License-Identifier: AGPL-3.0-only
//! The messages of RFC 4475 and RFC 5118, as datagrams and in streams: hard to read is not hard to find.
//!
//! They are not part of the repository. `GOSSIPPER_CORPUS` names the folder they are in; without it, `../shared/corpus`
//! beside the workspace is tried. Where there is none, these tests say so and pass.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the messages are files, and a test that is skipped says so"
)]

use gossipper_capture::write::Writer;
use gossipper_capture::{Datagram, ReadOptions, read};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn messages() -> Vec<(String, Vec<u8>)> {
    let root = std::env::var_os("GOSSIPPER_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let mut found = Vec::new();
    for folder in ["rfc4475", "rfc5118"] {
        let folder = root.join("torture").join(folder);
        let Ok(entries) = std::fs::read_dir(&folder) else {
            eprintln!("SKIPPED: no messages in {}", folder.display());
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "dat") {
                let name = path
                    .file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned();
                found.push((name, std::fs::read(&path).expect("a readable file")));
            }
        }
    }
    found.sort();
    found
}

fn datagram(payload: &[u8]) -> Datagram {
    Datagram {
        frame: 1,
        time: Duration::from_secs(1),
        source: "192.0.2.1:4000".parse().expect("an address"),
        destination: "192.0.2.2:4001".parse().expect("an address"),
        payload: payload.to_vec(),
    }
}

#[test]
fn each_is_found_as_a_datagram() {
    for (name, bytes) in messages() {
        let mut writer = Writer::new();
        writer.datagram(&datagram(&bytes)).expect("short enough");
        let capture = read(&writer.into_bytes(), &ReadOptions::default()).expect("a capture");
        let found: Vec<&[u8]> = capture
            .messages
            .iter()
            .map(|message| &message.bytes[..])
            .collect();
        assert!(
            found == [bytes.trim_ascii_start()],
            "{name}: {}",
            bytes.escape_ascii()
        );
    }
}

/// A capture of a stream, in segments of some length.
fn stream(bytes: &[u8], segment: usize) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    let mut sequence = 1_u32;
    for part in bytes.chunks(segment) {
        let len = 40 + part.len() as u32;
        for word in [sequence, 0, len, len] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&[0x45, 0]);
        file.extend_from_slice(&(len as u16).to_be_bytes());
        file.extend_from_slice(&[
            0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 15, 160, 15, 161,
        ]);
        file.extend_from_slice(&sequence.to_be_bytes());
        file.extend_from_slice(&[0, 0, 0, 0, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        file.extend_from_slice(part);
        sequence += part.len() as u32;
    }
    file
}

#[test]
fn none_takes_its_neighbours_along_in_a_stream() {
    const NEIGHBOUR: &[u8] =
        b"OPTIONS sip:neighbour SIP/2.0\r\nCall-ID: n\r\nContent-Length: 0\r\n\r\n";
    for (name, bytes) in messages() {
        let all = [NEIGHBOUR, &bytes, NEIGHBOUR, NEIGHBOUR].concat();
        for segment in [1, 7, 1400] {
            let capture = read(&stream(&all, segment), &ReadOptions::default()).expect("a capture");
            let found: Vec<&[u8]> = capture
                .messages
                .iter()
                .map(|message| &message.bytes[..])
                .collect();
            assert_eq!(found.first(), Some(&NEIGHBOUR), "{name}");
            let first = bytes.trim_ascii_start();
            assert!(found[1].starts_with(&first[..20]), "{name}");
            // Even what the message claims as its body.
            assert_eq!(
                found.last(),
                Some(&NEIGHBOUR),
                "{name}: {:?}",
                capture.losses
            );
        }
    }
}
