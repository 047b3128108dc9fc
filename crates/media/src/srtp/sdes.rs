// SPDX-License-Identifier: AGPL-3.0-only
//! Keys in a session description: `a=crypto` lines (RFC 4568).
//!
//! A line that asks for something we do not do is refused as a whole, as RFC 4568 §5.1.2 wants: whoever reads an offer
//! takes the next one.

use super::{KeyError, MasterKey, Relaxed, Suite};
use gossipper_sip::aka::{base64_decode, base64_encode};

/// A crypto line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CryptoLine {
    /// Joins the line of an answer to the one of the offer.
    pub tag: u32,
    /// Suite, key, and what is left out.
    pub key: MasterKey,
}

/// Why a crypto line is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CryptoError {
    /// Tag, suite or key are missing, or not in their form.
    Syntax,
    /// A suite that we do not know.
    Suite,
    /// The key does not fit the suite.
    Key(KeyError),
    /// A master key identifier, or several keys.
    Identifier,
    /// A parameter that we do not know and must not ignore, or a key derivation rate.
    Parameter,
}

impl core::fmt::Display for CryptoError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Syntax => f.write_str("not TAG SUITE inline:KEY"),
            Self::Suite => f.write_str("an unknown suite"),
            Self::Key(error) => error.fmt(f),
            Self::Identifier => f.write_str("key identifiers are not supported"),
            Self::Parameter => f.write_str("an unknown parameter"),
        }
    }
}

impl core::error::Error for CryptoError {}

impl CryptoLine {
    /// Reads the value of an `a=crypto` line.
    ///
    /// # Errors
    /// The line is of no use.
    pub fn parse(value: &[u8]) -> Result<Self, CryptoError> {
        let mut words = value
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let tag = words.next().and_then(tag).ok_or(CryptoError::Syntax)?;
        let suite = words.next().ok_or(CryptoError::Syntax)?;
        let suite = Suite::of_name(suite).ok_or(CryptoError::Suite)?;
        let key = words.next().ok_or(CryptoError::Syntax)?;
        let key = key.strip_prefix(b"inline:").ok_or(CryptoError::Syntax)?;
        let mut relaxed = Relaxed::default();
        for word in words {
            match word {
                b"UNENCRYPTED_SRTP" => relaxed.unencrypted_rtp = true,
                b"UNENCRYPTED_SRTCP" => relaxed.unencrypted_rtcp = true,
                b"UNAUTHENTICATED_SRTP" => relaxed.unauthenticated_rtp = true,
                // No derivation again is what we do anyway; the window is only a wish of the sender.
                b"KDR=0" => {}
                _ if word.starts_with(b"WSH=") || word.starts_with(b"-") => {}
                _ => return Err(CryptoError::Parameter),
            }
        }
        if key.contains(&b';') {
            return Err(CryptoError::Identifier);
        }
        let mut parts = key.split(|byte| *byte == b'|');
        let text = parts.next().unwrap_or_default();
        // Behind it the lifetime, `2^N` or a number, which no call of ours outlives; then an identifier, with a colon.
        if parts.any(|part| part.contains(&b':')) {
            return Err(CryptoError::Identifier);
        }
        // 46 bytes make 64 characters. What is much longer is no key, and not decoded.
        let bytes = match text {
            [_, ..] if text.len() <= 64 => base64_decode(text).ok_or(CryptoError::Syntax)?,
            [] => return Err(CryptoError::Syntax),
            _ => return Err(CryptoError::Key(KeyError::Length)),
        };
        let key = MasterKey::new(suite, relaxed, &bytes).map_err(CryptoError::Key)?;
        Ok(Self { tag, key })
    }

    /// Appends the value of an `a=crypto` line.
    pub fn append(&self, out: &mut Vec<u8>) {
        let start = format!("{} {} inline:", self.tag, self.key.suite().name());
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(&base64_encode(self.key.bytes()));
        let relaxed = self.key.relaxed();
        for (set, word) in [
            (relaxed.unencrypted_rtp, " UNENCRYPTED_SRTP"),
            (relaxed.unencrypted_rtcp, " UNENCRYPTED_SRTCP"),
            (relaxed.unauthenticated_rtp, " UNAUTHENTICATED_SRTP"),
        ] {
            if set {
                out.extend_from_slice(word.as_bytes());
            }
        }
    }

    /// The line of an offer that an answer takes: the first that we can use and whose suite is among `accepted`.
    pub fn choose<'a>(lines: impl Iterator<Item = &'a [u8]>, accepted: &[Suite]) -> Option<Self> {
        lines
            .filter_map(|line| Self::parse(line).ok())
            .find(|line| accepted.contains(&line.key.suite()))
    }
}

/// One to nine digits, no zero in front (RFC 4568 §9.2).
fn tag(word: &[u8]) -> Option<u32> {
    if word.len() > 9 || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From RFC 4568 §10.1, in shape.
    const KEY: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    fn parse(line: &str) -> Result<CryptoLine, CryptoError> {
        CryptoLine::parse(line.as_bytes())
    }

    #[test]
    fn lines_are_read_and_written() {
        let line = parse(&format!(
            "1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20 UNENCRYPTED_SRTP WSH=128 -x"
        ));
        let line = line.unwrap();
        assert_eq!((line.tag, line.key.suite()), (1, Suite::AesCm128Sha1_80));
        assert!(line.key.relaxed().unencrypted_rtp && !line.key.relaxed().unencrypted_rtcp);
        let mut out = Vec::new();
        line.append(&mut out);
        let expected = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn every_suite_comes_back_as_it_was_written() {
        for suite in Suite::ALL {
            let bytes: Vec<u8> = (0..(suite.key_len() + suite.salt_len()) as u8).collect();
            let key = MasterKey::new(*suite, Relaxed::default(), &bytes).unwrap();
            let line = CryptoLine { tag: 7, key };
            let mut out = Vec::new();
            line.append(&mut out);
            assert_eq!(CryptoLine::parse(&out), Ok(line));
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let with = |middle: &str, end: &str| parse(&format!("1 {middle} inline:{KEY}{end}"));
        assert_eq!(with("AES_192_CM_HMAC_SHA1_80", ""), Err(CryptoError::Suite));
        let suite = "AES_CM_128_HMAC_SHA1_32";
        assert_eq!(with(suite, "|2^20|1:4"), Err(CryptoError::Identifier));
        assert_eq!(with(suite, "|1:4"), Err(CryptoError::Identifier));
        assert_eq!(with(suite, ";inline:abc"), Err(CryptoError::Identifier));
        assert_eq!(with(suite, " KDR=1"), Err(CryptoError::Parameter));
        assert_eq!(
            with(suite, " FEC_ORDER=FEC_SRTP"),
            Err(CryptoError::Parameter)
        );
        assert_eq!(with(suite, "AAAA"), Err(CryptoError::Key(KeyError::Length)));
        assert_eq!(
            with(suite, &"A".repeat(10_000)),
            Err(CryptoError::Key(KeyError::Length))
        );
        assert_eq!(
            with("AEAD_AES_128_GCM", ""),
            Err(CryptoError::Key(KeyError::Length))
        );
        let gcm = base64_encode(&[7; 28]);
        let gcm = String::from_utf8(gcm).unwrap();
        assert_eq!(
            parse(&format!("1 AEAD_AES_128_GCM inline:{gcm} UNENCRYPTED_SRTP")),
            Err(CryptoError::Key(KeyError::Relaxed))
        );
        for line in [
            "",
            "1",
            "x y inline:z",
            "1 AES_CM_128_HMAC_SHA1_80",
            "1 AES_CM_128_HMAC_SHA1_80 z",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(
            parse("1 AES_CM_128_HMAC_SHA1_80 inline:"),
            Err(CryptoError::Syntax)
        );
        assert_eq!(
            parse("-1 AES_CM_128_HMAC_SHA1_80 inline:a"),
            Err(CryptoError::Syntax)
        );
    }

    #[test]
    fn the_first_usable_line_is_chosen() {
        let lines = [
            "1 F8_128_HMAC_SHA1_80 inline:x".to_owned(),
            format!("2 NULL_HMAC_SHA1_32 inline:{KEY}"),
            format!("3 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"),
        ];
        let choose = |accepted: &[Suite]| {
            CryptoLine::choose(lines.iter().map(|line| line.as_bytes()), accepted)
                .map(|line| line.tag)
        };
        assert_eq!(choose(Suite::ALL), Some(2));
        assert_eq!(choose(&[Suite::AesCm128Sha1_32]), Some(3));
        assert_eq!(choose(&[Suite::AeadAes256Gcm]), None);
    }
}
