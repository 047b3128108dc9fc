// SPDX-License-Identifier: AGPL-3.0-only
//! From repaired XML to the bytes an author meant: entities, backslash escapes, line ends.
//!
//! Order of an attribute value: entities (`&lt;`, `&#65;`), then backslash escapes (`\\ \" \n \t \r`; any other pair
//! stays as it is), then for some attributes predefined entities once more ([`decode_again`]; the schema knows
//! which). So `\\.` and `\.` both reach a regular expression as `\.`.
//!
//! COMPAT(sipp): a line end inside an attribute stays one LF, as in SIPp up to 3.7.7; later versions make it a blank,
//! which changes nothing but the text of multi-line commands and log lines.

use super::attributes::entity_length;
use crate::source::{Encoding, OffsetMap, Span, Text};

/// A piece of repaired XML: its text, its offset there, and the way back to the file.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) map: &'a OffsetMap,
    pub(super) encoding: Encoding,
}

impl Piece<'_> {
    /// The file's bytes behind it.
    pub(super) fn span(&self) -> Span {
        let start = self.map.original(self.at);
        Span::new(
            start,
            self.map.original(self.at + self.text.len()).max(start),
        )
    }

    /// The content of a CDATA section: only line ends are made LF.
    pub(super) fn cdata(&self) -> Text {
        let mut out = Decoded::new(self);
        let mut letters = self.text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            if letter == '\r' {
                if letters.peek().is_some_and(|(_, next)| *next == '\n') {
                    continue;
                }
                out.push('\n', at);
            } else {
                out.push(letter, at);
            }
        }
        out.finish()
    }

    /// An attribute value: entities, line ends, backslash escapes.
    pub(super) fn value(&self) -> Text {
        let mut out = Decoded::new(self);
        // A backslash waiting for its second letter, and where it stands.
        let mut backslash = None;
        let mut at = 0;
        while let Some(letter) = self.text[at..].chars().next() {
            let (decoded, length) = if letter == '&' {
                entity(&self.text[at..]).unwrap_or(('&', 1))
            } else if self.text[at..].starts_with("\r\n") {
                ('\n', 2)
            } else if letter == '\r' {
                ('\n', 1)
            } else {
                (letter, letter.len_utf8())
            };
            match (backslash.take(), decoded) {
                (None, '\\') => backslash = Some(at),
                (None, decoded) => out.push(decoded, at),
                (Some(start), decoded) => {
                    let escaped = match decoded {
                        '\\' | '"' => Some(decoded),
                        'n' => Some('\n'),
                        't' => Some('\t'),
                        'r' => Some('\r'),
                        _ => None,
                    };
                    match escaped {
                        Some(escaped) => out.push(escaped, start),
                        None => {
                            out.push('\\', start);
                            out.push(decoded, at);
                        }
                    }
                }
            }
            at += length;
        }
        if let Some(start) = backslash {
            out.push('\\', start);
        }
        out.finish()
    }
}

/// A text under construction.
struct Decoded<'a> {
    piece: &'a Piece<'a>,
    bytes: Vec<u8>,
    map: OffsetMap,
}

impl<'a> Decoded<'a> {
    fn new(piece: &'a Piece<'a>) -> Self {
        Self {
            piece,
            bytes: Vec::with_capacity(piece.text.len()),
            map: OffsetMap::default(),
        }
    }

    /// Adds a letter decoded from offset `at` of the piece.
    fn push(&mut self, letter: char, at: usize) {
        self.map.push(
            self.bytes.len(),
            self.piece.map.original(self.piece.at + at) as usize,
        );
        push_char(&mut self.bytes, letter, self.piece.encoding);
    }

    fn finish(mut self) -> Text {
        let span = self.piece.span();
        self.map.push(self.bytes.len(), span.end as usize);
        Text::new(self.bytes, span, self.map)
    }
}

/// A letter as the file's encoding writes it. In a file read byte for byte, letters up to U+00FF are one byte, so what
/// was read from the file comes out as it was.
fn push_char(bytes: &mut Vec<u8>, letter: char, encoding: Encoding) {
    match (encoding, u8::try_from(letter)) {
        (Encoding::Bytes, Ok(byte)) => bytes.push(byte),
        (Encoding::Bytes | Encoding::Utf8, _) => {
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// The letter of the entity that `text` begins with, and the entity's length. `&#0;` and other numbers that are no
/// letter stay as typed.
fn entity(text: &str) -> Option<(char, usize)> {
    let length = entity_length(text.as_bytes())?;
    let name = &text[1..length - 1];
    let letter = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(number).filter(|letter| *letter != '\0')?
        }
    };
    Some((letter, length))
}

/// The second pass that SIPp gives to attributes it reads as strings: predefined entities only, so `&amp;lt;` ends up
/// as `<`.
pub fn decode_again(text: Text) -> Text {
    if memchr::memchr(b'&', text.bytes()).is_none() {
        return text;
    }
    const ENTITIES: [(&[u8], u8); 5] = [
        (b"&amp;", b'&'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
    ];
    let from = text.bytes();
    let mut bytes = Vec::with_capacity(from.len());
    let mut map = OffsetMap::default();
    let mut at = 0;
    while at < from.len() {
        let found = ENTITIES
            .iter()
            .find(|(name, _)| from[at..].starts_with(name));
        let (byte, length) = found.map_or((from[at], 1), |(name, byte)| (*byte, name.len()));
        map.push(bytes.len(), text.slice_span(at..at + length).start as usize);
        bytes.push(byte);
        at += length;
    }
    map.push(bytes.len(), text.span().end as usize);
    Text::new(bytes, text.span(), map)
}
