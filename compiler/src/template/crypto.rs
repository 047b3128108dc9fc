// SPDX-License-Identifier: AGPL-3.0-only
//! Keywords of SRTP: `[cryptotag1audio]`, `[cryptosuiteaescm128sha1801audio]`, `[cryptokeyparams1audio]`,
//! `[ueaescm128sha1801audio]`.
//!
//! Each is exact: a name that only begins like one is none.

use gossipper_bytecode::Slot;
use gossipper_bytecode::media::{CryptoLine, CryptoSuite, KeyUse};

/// What their names begin with, as the table of keywords has it.
pub(super) const PREFIXES: [&str; 4] = ["cryptotag", "cryptosuite", "cryptokeyparams", "ue"];

const LINES: [CryptoLine; CryptoLine::COUNT] = {
    const fn line(secondary: bool, video: bool) -> CryptoLine {
        CryptoLine { secondary, video }
    }
    [
        line(false, false),
        line(true, false),
        line(false, true),
        line(true, true),
    ]
};

const SUITES: [(&str, CryptoSuite); 4] = {
    const fn suite(encrypted: bool, long_tag: bool) -> CryptoSuite {
        CryptoSuite {
            encrypted,
            long_tag,
        }
    }
    [
        ("aescm128sha180", suite(true, true)),
        ("aescm128sha132", suite(true, false)),
        ("nullsha180", suite(false, true)),
        ("nullsha132", suite(false, false)),
    ]
};

/// The keyword of that name, its offset split off.
pub(super) fn read(name: &[u8], offset: i32) -> Option<Slot> {
    let name = core::str::from_utf8(name).ok()?;
    if let Some(rest) = name.strip_prefix("cryptotag") {
        return line(rest).map(Slot::CryptoTag);
    }
    if let Some(rest) = name.strip_prefix("cryptokeyparams") {
        let key = if offset < 0 {
            KeyUse::Again
        } else {
            KeyUse::Fresh
        };
        return line(rest).map(|line| Slot::CryptoKey(line, key));
    }
    if let Some(rest) = name.strip_prefix("cryptosuite") {
        return suite(rest).map(|(suite, line)| Slot::CryptoSuite(line, suite));
    }
    // Only what encrypts can be asked not to.
    let (suite, line) = suite(name.strip_prefix("ue")?)?;
    suite
        .encrypted
        .then_some(Slot::CryptoUnencrypted(line, suite))
}

fn line(text: &str) -> Option<CryptoLine> {
    LINES.into_iter().find(|line| line.suffix() == text)
}

fn suite(text: &str) -> Option<(CryptoSuite, CryptoLine)> {
    SUITES
        .iter()
        .find_map(|(name, suite)| Some((*suite, line(text.strip_prefix(name)?)?)))
}

/// Every name there is, for suggestions.
pub(super) fn names() -> Vec<String> {
    let mut names = Vec::new();
    for line in LINES.map(CryptoLine::suffix) {
        names.push(format!("cryptotag{line}"));
        names.push(format!("cryptokeyparams{line}"));
        for (name, suite) in SUITES {
            names.push(format!("cryptosuite{name}{line}"));
            if suite.encrypted {
                names.push(format!("ue{name}{line}"));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_nothing_near_it() {
        let names = names();
        assert_eq!(names.len(), 32);
        for name in &names {
            assert!(read(name.as_bytes(), 0).is_some(), "{name}");
            assert_eq!(read(format!("{name}x").as_bytes(), 0), None);
        }
        for none in ["cryptotag", "cryptotag3audio", "uenullsha1801audio", "user"] {
            assert_eq!(read(none.as_bytes(), 0), None, "{none}");
        }
    }

    #[test]
    fn a_negative_offset_is_the_key_before() {
        let line = LINES[0];
        assert_eq!(
            read(b"cryptokeyparams1audio", -1),
            Some(Slot::CryptoKey(line, KeyUse::Again))
        );
        assert_eq!(
            read(b"cryptokeyparams1audio", 1),
            Some(Slot::CryptoKey(line, KeyUse::Fresh))
        );
    }
}
