// SPDX-License-Identifier: AGPL-3.0-only
//! What kind of message a text is, and whether a length written into it is right.

use super::keywords::Kind;
use super::segments::Piece;
use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Text;
use gossipper_bytecode::Slot;

/// What a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A request of that method.
    Request(Vec<u8>),
    /// A response with that code.
    Response(u16),
    /// No message.
    Text,
    /// A message whose first line could not be read; already reported.
    Poisoned,
}

impl Head {
    /// The method of a request.
    pub(crate) fn method(&self) -> Option<&[u8]> {
        match self {
            Self::Request(method) => Some(method),
            Self::Response(_) | Self::Text | Self::Poisoned => None,
        }
    }
}

/// Status codes that a response may have.
const CODES: core::ops::RangeInclusive<u32> = 100..=699;

/// Finds out what a message is from its first literal.
pub(super) fn head(text: &Text, pieces: &[Piece], diagnostics: &mut Diagnostics) -> Head {
    let first = match pieces.first() {
        Some(Piece::Literal(literal)) => &literal[..],
        Some(Piece::Keyword(keyword)) => {
            // Whatever the run says, a method is likely.
            if let Kind::Key(name) = &keyword.kind {
                return Head::Request(name.clone());
            }
            if keyword.kind != Kind::Poisoned {
                diagnostics.push(
                    Diagnostic::error(
                        codes::NO_START_LINE,
                        keyword.span,
                        "a message cannot begin with a keyword",
                    )
                    .help("write the method, or `SIP/2.0` and the code, as text"),
                );
            }
            return Head::Poisoned;
        }
        None => return Head::Poisoned,
    };
    let line = memchr::memchr(b'\r', first).unwrap_or(first.len());
    let Some(space) = memchr::memchr(b' ', &first[..line]) else {
        let place = text.slice_span(0..first.len().min(line_length(text)));
        diagnostics.push(
            Diagnostic::error(
                codes::NO_START_LINE,
                place,
                "the message begins with neither a method nor `SIP/2.0`",
            )
            .help("the first line is `METHOD uri SIP/2.0` or `SIP/2.0 code reason`"),
        );
        return Head::Poisoned;
    };
    let word = &first[..space];
    if word != b"SIP/2.0" {
        return Head::Request(word.to_vec());
    }
    let digits = first[space + 1..]
        .iter()
        .skip_while(|b| **b == b' ')
        .take_while(|b| b.is_ascii_digit());
    let code = digits.fold(0u32, |code, digit| {
        code.saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'))
    });
    match u16::try_from(code) {
        Ok(small) if CODES.contains(&code) => Head::Response(small),
        _ => {
            let end = first[space + 1..]
                .iter()
                .position(|b| matches!(b, b' ' | b'\r'))
                .map_or(first.len(), |at| space + 1 + at);
            let place = text.slice_span(space + 1..end.max(space + 2));
            diagnostics.push(
                Diagnostic::error(
                    codes::STATUS_CODE,
                    place,
                    "a response needs a code from 100 to 699",
                )
                .help("the code cannot come from a keyword"),
            );
            Head::Poisoned
        }
    }
}

fn line_length(text: &Text) -> usize {
    let bytes = text.bytes();
    memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())
}

/// Warns about a Content-Length that is written as a number and wrong, and about two `[len]`.
pub(super) fn check_length(text: &Text, pieces: &[Piece], diagnostics: &mut Diagnostics) {
    let mut lens = pieces.iter().filter_map(|piece| match piece {
        Piece::Keyword(keyword) if matches!(keyword.kind, Kind::Plain(Slot::Len(_))) => {
            Some(keyword.span)
        }
        Piece::Keyword(_) | Piece::Literal(_) => None,
    });
    if let (Some(first), Some(second)) = (lens.next(), lens.next()) {
        diagnostics.push(
            Diagnostic::warning(
                codes::SEVERAL_LEN,
                second,
                "`[len]` stands twice in this message",
            )
            .with(first, "the first one")
            .note("SIPp fills in the last one only"),
        );
    }
    let Some((written, digits)) = written_length(text.bytes()) else {
        return;
    };
    let Some(body) = body_length(pieces) else {
        return;
    };
    if written != body {
        diagnostics.push(
            Diagnostic::warning(
                codes::WRONG_LENGTH,
                text.slice_span(digits),
                format!("Content-Length is {written}, but the body has {body} bytes"),
            )
            .help("write `[len]`"),
        );
    }
}

/// Number of bytes behind the first empty line, when no keyword stands there.
fn body_length(pieces: &[Piece]) -> Option<u64> {
    let mut pieces = pieces.iter();
    let mut length = loop {
        match pieces.next() {
            Some(Piece::Literal(literal)) => {
                if let Some(at) = memchr::memmem::find(literal, b"\r\n\r\n") {
                    break literal.len() - at - 4;
                }
            }
            Some(Piece::Keyword(_)) => {}
            None => return None,
        }
    };
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => length += literal.len(),
            Piece::Keyword(_) => return None,
        }
    }
    u64::try_from(length).ok()
}

/// The number in the first Content-Length header, and its place in the normalised text.
fn written_length(text: &[u8]) -> Option<(u64, core::ops::Range<usize>)> {
    let mut start = 0;
    while start < text.len() {
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |at| start + at);
        let line = &text[start..end];
        if line.is_empty() {
            return None;
        }
        let colon = line.iter().position(|b| *b == b':');
        if let Some(colon) = colon
            && (line[..colon]
                .trim_ascii()
                .eq_ignore_ascii_case(b"content-length")
                || line[..colon].trim_ascii().eq_ignore_ascii_case(b"l"))
        {
            let value = line[colon + 1..].trim_ascii();
            let number = core::str::from_utf8(value).ok()?.parse().ok()?;
            let at = end - (line.len() - line.trim_ascii_end().len()) - value.len();
            return Some((number, at..at + value.len()));
        }
        start = end + 1;
    }
    None
}
