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
        let mut line = [0; LONGEST + 1];
        match line.get_mut(..=name.len()) {
            Some([front @ .., colon]) => {
                front.copy_from_slice(name);
                *colon = b':';
                match Self::at_start(u128::from_le_bytes(line)) {
                    Some(known) if usize::from(known.length) == name.len() => known.name,
                    _ => Self::Other,
                }
            }
            _ => {
                let same = |known: &&Self| known.as_str().as_bytes().eq_ignore_ascii_case(name);
                Self::LONG
                    .iter()
                    .find(same)
                    .map_or(Self::Other, |known| *known)
            }
        }
    }

    /// Those that [`Self::at_start`] does not know.
    const LONG: [Self; 4] = [
        Self::WwwAuthenticate,
        Self::ProxyAuthenticate,
        Self::ProxyAuthorization,
        Self::ContentEncoding,
    ];

    /// The known name that a line begins with, if a colon follows at once; one of more than fifteen bytes is none. Of the
    /// line these are the first sixteen bytes, the first lowest.
    #[inline(always)]
    pub(crate) fn at_start(line: u128) -> Option<&'static Spelling> {
        let mut entry = &NAMES[start(line)];
        while (line | entry.fold) & entry.mask != entry.text {
            if entry.next == 0 {
                return None;
            }
            entry = &NAMES[usize::from(entry.next) % NAMES.len()];
        }
        Some(&entry.spelling)
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

/// Which name stands in a line, and how. Copied from the table into a field as one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spelling {
    pub(crate) length: u16,
    pub(crate) name: HeaderName,
    /// Whether the value goes on in further lines; in the table it does not.
    pub(crate) folded: bool,
}

/// A known name, long or compact, with the colon behind it.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Entry {
    /// In lower case, the first byte lowest, and zeroes behind the colon.
    text: u128,
    /// The bit that tells small letters from capital ones where those are letters: the case of nothing else is
    /// indifferent.
    fold: u128,
    /// All bits of the bytes up to the colon.
    mask: u128,
    spelling: Spelling,
    /// Where the next name stands that begins alike; 0 if none does.
    next: u8,
}

/// Stands where no name does: no line begins so.
const NOTHING: Entry = Entry {
    text: 1,
    fold: 0,
    mask: 0,
    spelling: Spelling {
        length: 0,
        name: HeaderName::Other,
        folded: false,
    },
    next: 0,
};

/// Longest name that is found with its colon in sixteen bytes.
const LONGEST: usize = 15;

/// All long and compact names of at most [`LONGEST`] bytes. Of those that begin alike the first stands where
/// [`start`] leads to, the others where there is room.
static NAMES: [Entry; 64] = names();

/// Where the first name stands that begins like a line, whichever case its letters have. The factor was found by trying:
/// only names with the same first two bytes meet.
#[inline(always)]
const fn start(line: u128) -> usize {
    ((line as u16 | 0x2020).wrapping_mul(FACTOR) >> 10) as usize
}

const FACTOR: u16 = 0x0350;

const fn names() -> [Entry; 64] {
    let mut names = [NOTHING; 64];
    // First those that each start leads to, so that the others know which places are free.
    each(&mut names, false);
    each(&mut names, true);
    names
}

/// Puts in all names that are the first to begin so, or all others.
const fn each(names: &mut [Entry; 64], others: bool) {
    let mut at = 0;
    while at < HeaderName::ALL.len() {
        let name = HeaderName::ALL[at];
        let long = name.as_str().as_bytes();
        if long.len() <= LONGEST {
            put(names, others, long, name);
        }
        if let Some(letter) = name.compact() {
            put(names, others, &[letter], name);
        }
        at += 1;
    }
}

const fn put(names: &mut [Entry; 64], others: bool, text: &[u8], name: HeaderName) {
    let entry = entry(text, name);
    let mut at = start(entry.text);
    let there = names[at];
    if there.spelling.length > 0 {
        assert!(
            there.text as u16 == entry.text as u16,
            "names meet that do not begin alike"
        );
        let itself = there.spelling.length as usize == text.len();
        if !others || itself && there.spelling.name as u8 == name as u8 {
            return;
        }
        // Behind those that were declared before it: the most frequent ones are declared first.
        while names[at].next != 0 {
            at = names[at].next as usize;
        }
        let mut free = 1;
        while names[free].spelling.length > 0 {
            free += 1;
        }
        names[at].next = free as u8;
        at = free;
    }
    names[at] = entry;
}

const fn entry(text: &[u8], name: HeaderName) -> Entry {
    let mut entry = NOTHING;
    entry.spelling.length = text.len() as u16;
    entry.spelling.name = name;
    entry.text = b':' as u128;
    entry.mask = 0xff;
    // From behind, since the first byte is the lowest.
    let mut at = text.len();
    while at > 0 {
        at -= 1;
        let byte = text[at].to_ascii_lowercase();
        let letter = if byte.is_ascii_lowercase() { 0x20 } else { 0 };
        entry.text = entry.text << 8 | byte as u128;
        entry.fold = entry.fold << 8 | letter;
        entry.mask = entry.mask << 8 | 0xff;
    }
    entry
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
    fn names_too_long_for_the_table_are_known_nevertheless() {
        let long = |name: &&HeaderName| name.as_str().len() > LONGEST;
        let all: Vec<_> = HeaderName::ALL.iter().filter(long).collect();
        let mut listed: Vec<_> = HeaderName::LONG.iter().collect();
        listed.sort();
        assert_eq!(listed, all);
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
