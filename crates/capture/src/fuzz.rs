// SPDX-License-Identifier: AGPL-3.0-only
//! Bodies of the fuzz targets, so that they compile and run with the ordinary tests.
//!
//! Each function takes arbitrary bytes and panics when a promise of this crate is broken. Compiled for tests and behind
//! the feature `internal-fuzz`; not an API for anybody else.

use crate::{ReadOptions, read};

/// Target `capture_read`: files are read or refused; what is found is in order, and no more than there was.
pub fn capture_read(bytes: &[u8]) {
    for sip_port in [None, Some(5060)] {
        let options = ReadOptions {
            sip_port,
            link: None,
            max_message: 4096,
            max_unpacked: 1024 * 1024,
        };
        let Ok(capture) = read(bytes, &options) else {
            continue;
        };
        let frames = capture.messages.iter().map(|message| message.frame);
        assert!(frames.clone().is_sorted());
        assert!(
            frames
                .clone()
                .all(|frame| (1..=capture.frames).contains(&frame))
        );
        assert!(
            capture
                .datagrams
                .is_sorted_by_key(|datagram| datagram.frame)
        );
        assert!(capture.losses.len() < 1000);
        let kept: usize = capture
            .messages
            .iter()
            .map(|message| message.bytes.len())
            .sum();
        let others: usize = capture
            .datagrams
            .iter()
            .map(|datagram| datagram.payload.len())
            .sum();
        // Only what was packed may grow: the file, or the payload of an agent.
        let packed = crate::file::Frames::of(bytes).is_none()
            || bytes.windows(4).any(|word| word == b"HEP3");
        assert!(kept + others <= bytes.len() || packed);
        assert!(
            capture
                .messages
                .iter()
                .all(|message| !message.bytes.is_empty())
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "seeds and regressions are files")]
    fn seeds_and_past_failures_are_survived() {
        let mut count = 0;
        for folder in ["regressions", "corpus"] {
            let folder = format!(
                "{}/../../fuzz/{folder}/capture_read",
                env!("CARGO_MANIFEST_DIR")
            );
            // A folder without files is not in the repository.
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("a readable folder").path();
                capture_read(&std::fs::read(path).expect("a readable file"));
                count += 1;
            }
        }
        assert!(count >= 18, "{count} files");
    }
}
