// SPDX-License-Identifier: AGPL-3.0-only
//! Header names and status codes.
//!
//! Names the rest of the tool asks for by identity get a variant of [`HeaderName`]; every other name is
//! [`HeaderName::Other`] and is compared as text. Not here: reading header values ([`crate::scan`], [`crate::uri`]).
//!
//! Rules: RFC 3261 §7.3.1 (names are case-insensitive) and §7.3.3 (compact forms), RFC 6665 §8.4 (`o`).

use std::fmt;

/// A status code (RFC 3261 §7.2). Values made by the parser lie in 100..=999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(pub u16);

impl StatusCode {
    /// A 1xx, which does not end a transaction.
    pub fn is_provisional(self) -> bool {
        (100..200).contains(&self.0)
    }

    /// 2xx or above: the answer that ends a transaction.
    pub fn is_final(self) -> bool {
        self.0 >= 200
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

macro_rules! header_names {
    ($($(#[$doc:meta])* $name:ident $long:literal $compact:literal;)*) => {
        /// The identity of a header field, whichever spelling or case the sender chose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $($(#[$doc])* $name,)*
            /// Any name without a variant of its own.
            Other,
        }

        impl HeaderName {
            /// Every name with a variant, in order of its `u8` value; [`HeaderName::Other`] is left out.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The long form as RFC 3261 spells it; empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $long,)*
                    Self::Other => "",
                }
            }

            /// The compact form, if the name has one.
            pub const fn compact(self) -> Option<u8> {
                match self {
                    $(Self::$name => first_of($compact),)*
                    Self::Other => None,
                }
            }
        }
    };
}

header_names! {
    /// `Via`, `v`.
    Via "Via" b"v";
    /// `From`, `f`.
    From "From" b"f";
    /// `To`, `t`.
    To "To" b"t";
    /// `Call-ID`, `i`.
    CallId "Call-ID" b"i";
    /// `CSeq`.
    CSeq "CSeq" b"";
    /// `Contact`, `m`.
    Contact "Contact" b"m";
    /// `Max-Forwards`.
    MaxForwards "Max-Forwards" b"";
    /// `Route`.
    Route "Route" b"";
    /// `Record-Route`.
    RecordRoute "Record-Route" b"";
    /// `Content-Type`, `c`.
    ContentType "Content-Type" b"c";
    /// `Content-Length`, `l`.
    ContentLength "Content-Length" b"l";
    /// `Content-Encoding`, `e`.
    ContentEncoding "Content-Encoding" b"e";
    /// `Subject`, `s`.
    Subject "Subject" b"s";
    /// `WWW-Authenticate`.
    WwwAuthenticate "WWW-Authenticate" b"";
    /// `Proxy-Authenticate`.
    ProxyAuthenticate "Proxy-Authenticate" b"";
    /// `Authorization`.
    Authorization "Authorization" b"";
    /// `Proxy-Authorization`.
    ProxyAuthorization "Proxy-Authorization" b"";
    /// `Expires`.
    Expires "Expires" b"";
    /// `RSeq` (RFC 3262).
    RSeq "RSeq" b"";
    /// `RAck` (RFC 3262).
    RAck "RAck" b"";
    /// `Event`, `o` (RFC 6665).
    Event "Event" b"o";
    /// `Supported`, `k`.
    Supported "Supported" b"k";
    /// `Require`.
    Require "Require" b"";
}

const fn first_of(text: &[u8]) -> Option<u8> {
    match text {
        [first, ..] => Some(*first),
        [] => None,
    }
}

impl HeaderName {
    /// Recognises a long or compact name in any case. Everything else is [`HeaderName::Other`].
    pub fn from_bytes(name: &[u8]) -> Self {
        Self::from_start_of(name, name.len())
    }

    /// The name that the first `length` bytes of a line are. What stands behind them is only read, so that a short
    /// name can be compared as one word of eight bytes.
    #[inline(always)]
    pub(crate) fn from_start_of(line: &[u8], length: usize) -> Self {
        if length.wrapping_sub(1) >= LONGEST {
            return Self::Other;
        }
        let word = first_word(line);
        let word = if length < 8 {
            word & !(u64::MAX << (8 * length))
        } else {
            word
        };
        let entry = &NAMES[place(word, length)];
        if word | entry.fold != entry.first || usize::from(entry.length) != length {
            return Self::Other;
        }
        if length > 8 {
            // The first and the last eight bytes of a longer name are all of it, or nearly.
            let name = line.get(..length).unwrap_or(&[]);
            let last = name.last_chunk().map_or(0, word_of);
            let between = length > 16 && !name.eq_ignore_ascii_case(entry.name.as_str().as_bytes());
            if last | entry.last_fold != entry.last || between {
                return Self::Other;
            }
        }
        entry.name
    }

    /// The name with this discriminant, for tables that store names as a byte.
    pub fn from_u8(value: u8) -> Option<Self> {
        match Self::ALL.get(usize::from(value)) {
            Some(name) => Some(*name),
            None if value == Self::Other as u8 => Some(Self::Other),
            None => None,
        }
    }

    /// Whether `[last_NAME]` with this long name also finds the compact form.
    // COMPAT(sipp): SIPp knows the compact forms of these names only (Subject, Event and Supported are not among them).
    pub(crate) fn last_finds_compact(self) -> bool {
        matches!(
            self,
            Self::CallId
                | Self::Contact
                | Self::ContentEncoding
                | Self::ContentLength
                | Self::ContentType
                | Self::From
                | Self::To
                | Self::Via
        )
    }
}

fn word_of(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

/// The first eight bytes as a word, the first lowest; zeroes where the text is shorter.
#[inline]
fn first_word(text: &[u8]) -> u64 {
    match text.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => {
            let mut word = [0; 8];
            word[..text.len()].copy_from_slice(text);
            u64::from_le_bytes(word)
        }
    }
}

/// Length of the longest known name.
const LONGEST: usize = 19;

/// The bit that tells small letters from capital ones, in each of eight bytes.
const CASE: u64 = u64::MAX / 255 * 0x20;

/// A known name, or none.
#[derive(Clone, Copy)]
struct Entry {
    /// Its first eight bytes, in lower case.
    first: u64,
    /// [`CASE`] where those are letters: the case of nothing else is indifferent.
    fold: u64,
    /// The same for the last eight bytes of a name that is longer than that.
    last: u64,
    last_fold: u64,
    /// Its length; 0 for none.
    length: u8,
    name: HeaderName,
}

/// All long and compact names, each at the [`place`] that its beginning and its length lead to.
static NAMES: [Entry; 64] = names();

/// Where a name stands in [`NAMES`], whichever case its letters have. The factor was found by trying: with it no two
/// names meet.
#[inline(always)]
const fn place(word: u64, length: usize) -> usize {
    (((word | CASE) ^ (length as u64) << 56).wrapping_mul(FACTOR) >> 58) as usize
}

const FACTOR: u64 = 0xcfac_10fe_55e3_4375;

const fn names() -> [Entry; 64] {
    let mut names = [Entry {
        first: 0,
        fold: 0,
        last: 0,
        last_fold: 0,
        length: 0,
        name: HeaderName::Other,
    }; 64];
    let mut at = 0;
    while at < HeaderName::ALL.len() {
        let name = HeaderName::ALL[at];
        let long = name.as_str().as_bytes();
        put(&mut names, long, name);
        if let Some(letter) = name.compact() {
            put(&mut names, &[letter], name);
        }
        at += 1;
    }
    names
}

const fn put(names: &mut [Entry; 64], text: &[u8], name: HeaderName) {
    assert!(text.len() <= LONGEST);
    let beginning = if text.len() < 8 { text.len() } else { 8 };
    let (first, fold) = folded(text, 0, beginning);
    let (last, last_fold) = if text.len() > 8 {
        folded(text, text.len() - 8, text.len())
    } else {
        (0, 0)
    };
    let place = place(first, text.len());
    assert!(names[place].length == 0, "two names meet");
    names[place] = Entry {
        first,
        fold,
        last,
        last_fold,
        length: text.len() as u8,
        name,
    };
}

/// Part of a name in lower case, as a word, and [`CASE`] where it has letters.
const fn folded(text: &[u8], from: usize, to: usize) -> (u64, u64) {
    let (mut word, mut fold) = (0, 0);
    let mut at = to;
    while at > from {
        at -= 1;
        word = word << 8 | text[at].to_ascii_lowercase() as u64;
        fold = fold << 8
            | if text[at].is_ascii_alphabetic() {
                0x20
            } else {
                0
            };
    }
    (word, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_any_other_byte_in_it_is_another_name() {
        for &name in HeaderName::ALL {
            let long = name.as_str().as_bytes();
            for at in 0..long.len() {
                for byte in 0..=u8::MAX {
                    let mut text = long.to_vec();
                    text[at] = byte;
                    let spelt =
                        |name: &&HeaderName| name.as_str().as_bytes().eq_ignore_ascii_case(&text);
                    let expected = HeaderName::ALL.iter().find(spelt);
                    let expected = expected.copied().unwrap_or(HeaderName::Other);
                    assert_eq!(HeaderName::from_bytes(&text), expected, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn every_name_is_found_in_any_case_and_by_its_number() {
        for &name in HeaderName::ALL {
            let long = name.as_str();
            assert_eq!(HeaderName::from_bytes(long.as_bytes()), name, "{long}");
            assert_eq!(HeaderName::from_bytes(long.to_uppercase().as_bytes()), name);
            assert_eq!(HeaderName::from_bytes(long.to_lowercase().as_bytes()), name);
            if let Some(letter) = name.compact() {
                assert_eq!(HeaderName::from_bytes(&[letter]), name);
                assert_eq!(HeaderName::from_bytes(&[letter.to_ascii_uppercase()]), name);
            }
            assert_eq!(HeaderName::from_u8(name as u8), Some(name));
        }
        assert_eq!(
            HeaderName::from_u8(HeaderName::Other as u8),
            Some(HeaderName::Other)
        );
        assert_eq!(HeaderName::from_u8(u8::MAX), None);
    }

    #[test]
    fn unknown_names_are_other() {
        for name in ["", "x", "Vio", "Call_ID", "Refer-To", "Content-Length2"] {
            assert_eq!(
                HeaderName::from_bytes(name.as_bytes()),
                HeaderName::Other,
                "{name}"
            );
        }
    }
}
