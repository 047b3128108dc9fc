// SPDX-License-Identifier: AGPL-3.0-only
//! Bodies of the fuzz targets, so that they compile and run with the ordinary tests.
//!
//! Each function takes arbitrary bytes and panics when a promise of this crate is broken. Compiled for tests and behind
//! the feature `internal-fuzz`; not an API for anybody else.

use crate::Program;
use crate::wire::{MAGIC, VERSION};
use sha2::{Digest, Sha256};

/// Target `gsc_decode`: a hostile file is refused or is a program that can be listed and written again.
///
/// The bytes are tried as a file and, behind a header that fits them, as a payload; otherwise the checksum would keep
/// the fuzzer out.
pub fn gsc_decode(bytes: &[u8]) {
    check(bytes);
    check(&seal(bytes));
}

/// A file with a correct header around any payload.
#[must_use]
pub fn seal(payload: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(52 + payload.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    file.extend_from_slice(&Sha256::digest(payload));
    file.extend_from_slice(payload);
    file
}

fn check(file: &[u8]) {
    let Ok(program) = Program::from_gsc_bytes(file) else {
        return;
    };
    let listing = program.listing();
    assert!(listing.starts_with("program "));
    let again = program.to_gsc_bytes().expect("what was read fits");
    let second = Program::from_gsc_bytes(&again).expect("what was written can be read");
    assert_eq!(second.listing(), listing);
    assert_eq!(second.to_gsc_bytes().as_deref(), Ok(&again[..]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::WireError;
    use proptest::prelude::*;

    #[test]
    fn past_failures_of_gsc_decode_stay_fixed() {
        let fuzz = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");
        for folder in ["regressions", "corpus"] {
            // A folder without files is not in the repository.
            #[expect(clippy::disallowed_methods, reason = "regressions are files")]
            let Ok(entries) = std::fs::read_dir(format!("{fuzz}/{folder}/gsc_decode")) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("readable folder").path();
                #[expect(clippy::disallowed_methods, reason = "regressions are files")]
                gsc_decode(&std::fs::read(path).expect("readable file"));
            }
        }
    }

    #[test]
    fn the_seal_gets_past_the_checksum() {
        let refused = Program::from_gsc_bytes(&seal(b"\xff\xff\xff")).map(|_| ());
        assert!(
            matches!(refused, Err(WireError::Decode(_))),
            "the payload itself must be what is refused: {refused:?}"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_can_panic_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            gsc_decode(&bytes);
        }
    }
}
