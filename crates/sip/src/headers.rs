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
            pub fn compact(self) -> Option<u8> {
                match self {
                    $(Self::$name => $compact.first().copied(),)*
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

impl HeaderName {
    /// Recognises a long or compact name in any case. Everything else is [`HeaderName::Other`].
    pub fn from_bytes(name: &[u8]) -> Self {
        Self::from_start_of(name, name.len())
    }

    /// The name that the first `length` bytes of a line are. What stands behind them is only read, so that a short
    /// name can be compared as one word of eight bytes.
    #[inline]
    pub(crate) fn from_start_of(line: &[u8], length: usize) -> Self {
        match length {
            1 => line.first().map_or(Self::Other, |letter| {
                Self::from_compact(letter.to_ascii_lowercase())
            }),
            2..=8 => {
                let mask = u64::MAX >> (64 - 8 * length);
                Self::short(first_word(line) & mask)
            }
            9..=19 => line.get(..length).map_or(Self::Other, Self::long),
            _ => Self::Other,
        }
    }

    /// A name of two to eight bytes, as a word in lower case.
    #[inline]
    fn short(word: u64) -> Self {
        const TO: u64 = packed(b"to");
        const VIA: u64 = packed(b"via");
        const FROM: u64 = packed(b"from");
        const CSEQ: u64 = packed(b"cseq");
        const RSEQ: u64 = packed(b"rseq");
        const RACK: u64 = packed(b"rack");
        const ROUTE: u64 = packed(b"route");
        const EVENT: u64 = packed(b"event");
        const CALL_ID: u64 = packed(b"call-id");
        const CONTACT: u64 = packed(b"contact");
        const SUBJECT: u64 = packed(b"subject");
        const EXPIRES: u64 = packed(b"expires");
        const REQUIRE: u64 = packed(b"require");
        match lower(word) {
            TO => Self::To,
            VIA => Self::Via,
            FROM => Self::From,
            CSEQ => Self::CSeq,
            RSEQ => Self::RSeq,
            RACK => Self::RAck,
            ROUTE => Self::Route,
            EVENT => Self::Event,
            CALL_ID => Self::CallId,
            CONTACT => Self::Contact,
            SUBJECT => Self::Subject,
            EXPIRES => Self::Expires,
            REQUIRE => Self::Require,
            _ => Self::Other,
        }
    }

    /// A name of nine bytes or more: its first and its last eight bytes are all of it, or nearly.
    #[inline]
    fn long(name: &[u8]) -> Self {
        const SUPPORTED: (u64, u64) = ends(b"supported");
        const CONTENT_TYPE: (u64, u64) = ends(b"content-type");
        const MAX_FORWARDS: (u64, u64) = ends(b"max-forwards");
        const RECORD_ROUTE: (u64, u64) = ends(b"record-route");
        const AUTHORIZATION: (u64, u64) = ends(b"authorization");
        const CONTENT_LENGTH: (u64, u64) = ends(b"content-length");
        const CONTENT_ENCODING: (u64, u64) = ends(b"content-encoding");
        const WWW_AUTHENTICATE: (u64, u64) = ends(b"www-authenticate");
        const PROXY_AUTHENTICATE: (u64, u64) = ends(b"proxy-authenticate");
        const PROXY_AUTHORIZATION: (u64, u64) = ends(b"proxy-authorization");
        let last = name
            .last_chunk()
            .map_or(0, |word| u64::from_le_bytes(*word));
        let found = match (lower(first_word(name)), lower(last)) {
            SUPPORTED => Self::Supported,
            CONTENT_TYPE => Self::ContentType,
            MAX_FORWARDS => Self::MaxForwards,
            RECORD_ROUTE => Self::RecordRoute,
            AUTHORIZATION => Self::Authorization,
            CONTENT_LENGTH => Self::ContentLength,
            CONTENT_ENCODING => Self::ContentEncoding,
            WWW_AUTHENTICATE => Self::WwwAuthenticate,
            PROXY_AUTHENTICATE => Self::ProxyAuthenticate,
            PROXY_AUTHORIZATION => Self::ProxyAuthorization,
            _ => return Self::Other,
        };
        let spelt = found.as_str().as_bytes();
        // The two words of a name of up to sixteen bytes overlap; between those of a longer one something is left.
        let same =
            name.len() == spelt.len() && (name.len() <= 16 || spelt.eq_ignore_ascii_case(name));
        if same { found } else { Self::Other }
    }

    /// The name with this discriminant, for tables that store names as a byte.
    pub fn from_u8(value: u8) -> Option<Self> {
        match Self::ALL.get(usize::from(value)) {
            Some(name) => Some(*name),
            None if value == Self::Other as u8 => Some(Self::Other),
            None => None,
        }
    }

    fn from_compact(letter: u8) -> Self {
        match letter {
            b'v' => Self::Via,
            b'f' => Self::From,
            b't' => Self::To,
            b'i' => Self::CallId,
            b'm' => Self::Contact,
            b'c' => Self::ContentType,
            b'l' => Self::ContentLength,
            b'e' => Self::ContentEncoding,
            b's' => Self::Subject,
            b'o' => Self::Event,
            b'k' => Self::Supported,
            _ => Self::Other,
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

/// A text of at most eight bytes as [`first_word`] would read it.
const fn packed(text: &[u8]) -> u64 {
    let mut word = 0;
    let mut at = text.len();
    while at > 0 {
        at -= 1;
        word = word << 8 | text[at] as u64;
    }
    word
}

/// The first and the last eight bytes of a text of at least that length.
const fn ends(text: &[u8]) -> (u64, u64) {
    let (mut first, mut last) = (0, 0);
    let mut at = 8;
    while at > 0 {
        at -= 1;
        first = first << 8 | text[at] as u64;
        last = last << 8 | text[text.len() - 8 + at] as u64;
    }
    (first, last)
}

/// Eight bytes in lower case at once: `A` to `Z` change, nothing else does.
#[inline]
const fn lower(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let low = word & !HIGH;
    // The high bit of each byte says: at least `A`; beyond `Z`.
    let from_a = low + ONES * (0x80 - b'A' as u64);
    let beyond_z = low + ONES * (0x7f - b'Z' as u64);
    let upper = (from_a & !beyond_z) & !word & HIGH;
    word | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_becomes_lower_case_byte_by_byte() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut text = [b'Q'; 8];
                text[place] = byte;
                let expected = u64::from_le_bytes(text.map(|byte| byte.to_ascii_lowercase()));
                assert_eq!(
                    lower(u64::from_le_bytes(text)),
                    expected,
                    "{byte} at {place}"
                );
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
