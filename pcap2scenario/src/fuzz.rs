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
        let time = Duration::from_millis(index as u64 * 100 * (choice as u64 % 7));
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
