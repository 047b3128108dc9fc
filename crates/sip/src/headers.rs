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
        // The length alone leaves at most five candidates, so no hash is needed.
        let candidates: &[Self] = match name.len() {
            1 => return Self::from_compact(name[0].to_ascii_lowercase()),
            2 => &[Self::To],
            3 => &[Self::Via],
            4 => &[Self::From, Self::CSeq, Self::RSeq, Self::RAck],
            5 => &[Self::Route, Self::Event],
            7 => &[
                Self::CallId,
                Self::Contact,
                Self::Subject,
                Self::Expires,
                Self::Require,
            ],
            9 => &[Self::Supported],
            12 => &[Self::ContentType, Self::MaxForwards, Self::RecordRoute],
            13 => &[Self::Authorization],
            14 => &[Self::ContentLength],
            16 => &[Self::ContentEncoding, Self::WwwAuthenticate],
            18 => &[Self::ProxyAuthenticate],
            19 => &[Self::ProxyAuthorization],
            _ => &[],
        };
        candidates
            .iter()
            .copied()
            .find(|candidate| candidate.as_str().as_bytes().eq_ignore_ascii_case(name))
            .unwrap_or(Self::Other)
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

#[cfg(test)]
mod tests {
    use super::*;

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
