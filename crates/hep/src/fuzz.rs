// SPDX-License-Identifier: AGPL-3.0-only
//! Body of the fuzz target, so that it compiles and runs with the ordinary tests.
//!
//! It takes arbitrary bytes and panics when a promise of this crate is broken. Compiled for tests and behind the feature
//! `internal-fuzz`; not an API for anybody else.

use crate::chunk::HEAD_LEN;
use crate::decode::{decode, packet_len};

/// Target `hep_decode`: a packet is read or refused, and what was read is written and read again.
pub fn hep_decode(bytes: &[u8]) {
    if let Ok(Some(len)) = packet_len(bytes) {
        assert!((HEAD_LEN..=usize::from(u16::MAX)).contains(&len));
    }
    if let Ok(packet) = decode(bytes) {
        let mut again = Vec::new();
        // Ports and times that were missing are written: what was nearly as long as can be may not fit any more.
        if packet.encode(&mut again).is_ok() {
            assert_eq!(packet_len(&again), Ok(Some(again.len())));
            assert_eq!(decode(&again).as_ref(), Ok(&packet));
        }
    }
    // A packet out of bytes that are chunks at best, so that a fuzzer need not find the length.
    if let Ok(len) = u16::try_from(HEAD_LEN + bytes.len()) {
        let mut whole = b"HEP3".to_vec();
        whole.extend_from_slice(&len.to_be_bytes());
        whole.extend_from_slice(bytes);
        let _ = decode(&whole).map(|packet| packet.payload.len());
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the seeds are files of this repository"
)]
mod tests {
    use super::hep_decode;
    use std::path::Path;

    #[test]
    fn seeds_and_what_once_broke_a_promise_keep_it() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let mut count = 0;
        for kind in ["corpus", "regressions"] {
            let Ok(entries) = std::fs::read_dir(fuzz.join(kind).join("hep_decode")) else {
                // A folder without files is not in the repository.
                continue;
            };
            for entry in entries {
                let path = entry.expect("a readable folder").path();
                let bytes = std::fs::read(path).expect("a readable file");
                hep_decode(&bytes);
                // And with every byte of it changed.
                for at in 0..bytes.len() {
                    for change in [0x01, 0x80, 0xff] {
                        let mut broken = bytes.clone();
                        broken[at] ^= change;
                        hep_decode(&broken);
                    }
                    hep_decode(&bytes[..at]);
                }
                count += 1;
            }
        }
        assert!(count >= 4, "{count} seeds");
    }
}
