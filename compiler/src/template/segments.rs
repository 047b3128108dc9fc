// SPDX-License-Identifier: AGPL-3.0-only
//! Splits a text into literal bytes and keywords.
//!
//! A keyword is `[` … `]`; inside it anything between quotes is passed over, so that parameters may hold brackets.
//! `\xHH` is a byte, LF becomes CRLF, everything else is itself. Not here: what a keyword means
//! ([`super::keywords`]).

use super::keywords::{self, Keyword};
use super::params::hex_digit;
use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Text;
use logos::{Lexer, Logos};

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes that never change.
    Literal(Vec<u8>),
    /// A keyword.
    Keyword(Keyword),
}

/// A text that holds no keywords.
pub(crate) fn known_text(pieces: &[Piece]) -> Option<&[u8]> {
    match pieces {
        [] => Some(b""),
        [
            Piece::Literal(text)
            | Piece::Keyword(Keyword {
                kind: keywords::Kind::Key(text),
                ..
            }),
        ] => Some(text),
        _ => None,
    }
}

/// Tokens of a text, over bytes: what reaches the wire need not be UTF-8.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(utf8 = false)]
enum Token {
    #[token(b"\n")]
    LineEnd,
    /// Two hexadecimal digits.
    #[regex(b"\\\\x[0-9a-fA-F][0-9a-fA-F]")]
    Byte,
    /// One digit or none; SIPp swallows the character that is none.
    #[regex(b"\\\\x[0-9a-fA-F]")]
    #[regex(b"\\\\x[0-9a-fA-F][^0-9a-fA-F]")]
    #[regex(b"\\\\x")]
    #[regex(b"\\\\x[^0-9a-fA-F]")]
    ShortByte,
    #[token(b"[", keyword)]
    Keyword(Bracket),
    #[token(b"\\")]
    #[regex(b"[^\\[\\\\\n]+")]
    Literal,
}

/// How a `[` goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    /// To its `]`.
    Closed,
    /// Directly with another `[`, which begins the keyword.
    Doubled,
    /// Without its `]` on the line; it goes up to another `[` or the end of the line.
    Open,
}

/// Longest keyword (SIPp's limit is 256 bytes), and most keywords inside each other: no search for a `]` goes on for
/// long, however many brackets a text has.
const MAX_KEYWORD: usize = 1024;
const MAX_NESTED: usize = 4;

/// Finds the end of a keyword whose `[` has just been read. Keywords in its parameters are part of it.
fn keyword(lex: &mut Lexer<'_, Token>) -> Bracket {
    let rest = lex.remainder();
    let rest = &rest[..rest.len().min(MAX_KEYWORD)];
    let mut quoted = false;
    let mut depth = 1usize;
    let mut inner = None;
    let mut end = rest.len();
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'\n' => {
                end = at;
                break;
            }
            b'"' => quoted = !quoted && rest[at + 1..].contains_quote_on_line(),
            _ if quoted => {}
            b']' => {
                depth -= 1;
                if depth == 0 {
                    lex.bump(at + 1);
                    return Bracket::Closed;
                }
            }
            b'[' if at == 0 => return Bracket::Doubled,
            b'[' => {
                depth += 1;
                inner.get_or_insert(at);
                if depth > MAX_NESTED {
                    break;
                }
            }
            _ => {}
        }
    }
    // The next one, if any, is read for itself.
    lex.bump(inner.unwrap_or(end));
    Bracket::Open
}

trait QuoteOnLine {
    fn contains_quote_on_line(&self) -> bool;
}

impl QuoteOnLine for [u8] {
    /// Whether a quote comes before the end of the line.
    fn contains_quote_on_line(&self) -> bool {
        matches!(memchr::memchr2(b'"', b'\n', self), Some(at) if self[at] == b'"')
    }
}

/// Splits a text. What is wrong is reported and left out, so that the rest can be read.
pub(super) fn split(
    text: &Text,
    keys: &keywords::Keys<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut lexer = Token::lexer(text.bytes());
    while let Some(token) = lexer.next() {
        let slice = lexer.slice();
        let span = text.slice_span(lexer.span());
        match token {
            // The lexer has a token for every byte.
            Err(()) | Ok(Token::Literal) => literal.extend_from_slice(slice),
            Ok(Token::LineEnd) => literal.extend_from_slice(b"\r\n"),
            Ok(Token::Byte) => literal.push(hex_digit(slice[2]) << 4 | hex_digit(slice[3])),
            Ok(Token::ShortByte) => {
                let found = Diagnostic::warning(
                    codes::SHORT_ESCAPE,
                    span,
                    "`\\x` without two hexadecimal digits",
                );
                diagnostics.push(found.note("SIPp drops the character that is no digit"));
                if let Some(digit) = slice.get(2).filter(|b| b.is_ascii_hexdigit()) {
                    literal.push(hex_digit(*digit));
                }
            }
            Ok(Token::Keyword(Bracket::Doubled)) => {
                diagnostics.push(
                    Diagnostic::warning(codes::DOUBLE_BRACKET, span, "`[[` prints a bracket")
                        .help("write `\\x5b` for a bracket"),
                );
                literal.push(b'[');
            }
            Ok(Token::Keyword(Bracket::Open)) => {
                diagnostics.push(
                    Diagnostic::error(codes::UNCLOSED, span, "keyword without `]`")
                        .help("write `\\x5b` for a bracket that begins no keyword"),
                );
            }
            Ok(Token::Keyword(Bracket::Closed)) => {
                let range = lexer.span();
                let inner = range.start + 1..range.end - 1;
                match keywords::read(text, inner, keys, diagnostics) {
                    keywords::Read::Keyword(kind) => {
                        flush(&mut literal, &mut pieces);
                        pieces.push(Piece::Keyword(Keyword { kind, span }));
                    }
                    keywords::Read::Literal(value) => literal.extend_from_slice(value),
                    keywords::Read::Poisoned => {
                        // Keeps a keyword from hiding that a text begins with one.
                        flush(&mut literal, &mut pieces);
                        pieces.push(Piece::Keyword(Keyword {
                            kind: keywords::Kind::Poisoned,
                            span,
                        }));
                    }
                }
            }
        }
    }
    flush(&mut literal, &mut pieces);
    pieces
}

fn flush(literal: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(core::mem::take(literal)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::keywords::Kind;
    use super::*;
    use gossipper_bytecode::Slot;

    fn parts(text: &str) -> (Vec<Piece>, Vec<String>) {
        let mut diagnostics = Diagnostics::new(false);
        let keys = keywords::Keys::new(&[]);
        let pieces = split(&Text::verbatim(text.as_bytes(), 0), &keys, &mut diagnostics);
        let codes = diagnostics.iter().map(|d| d.code.to_string()).collect();
        (pieces, codes)
    }

    fn literal(text: &[u8]) -> Piece {
        Piece::Literal(text.to_vec())
    }

    #[test]
    fn escapes_are_bytes_and_line_ends_become_crlf() {
        let (pieces, codes) = parts("a\\x5bb\\x0a\nc\\d\\");
        assert_eq!(pieces, [literal(b"a[b\x0a\r\nc\\d\\")]);
        assert!(codes.is_empty());
    }

    #[test]
    fn incomplete_escapes_swallow_what_follows() {
        let (pieces, codes) = parts("1\\xzy2\\x4z3\\x");
        assert_eq!(pieces, [literal(b"1y2\x043")]);
        assert_eq!(codes.len(), 3);
    }

    #[test]
    fn a_doubled_bracket_is_one_bracket_around_the_value() {
        let (pieces, codes) = parts("[[pid]]");
        assert_eq!(pieces[0], literal(b"["));
        assert!(matches!(&pieces[1], Piece::Keyword(k) if k.kind == Kind::Plain(Slot::Pid)));
        assert_eq!(pieces[2], literal(b"]"));
        assert_eq!(codes, ["G0209"]);
    }

    #[test]
    fn quotes_hide_brackets_up_to_the_end_of_the_line() {
        let (pieces, codes) = parts("[fill text=\"]x[\" variable=n]");
        assert!(matches!(&pieces[..], [Piece::Keyword(_)]), "{pieces:?}");
        assert!(codes.is_empty());
        let (pieces, _) = parts("[fill text=[x] variable=n]");
        assert!(matches!(&pieces[..], [Piece::Keyword(_)]), "{pieces:?}");
        let (pieces, _) = parts("[fill text=\" variable=n]\n\"");
        assert!(matches!(&pieces[0], Piece::Keyword(_)), "{pieces:?}");
    }

    #[test]
    fn a_keyword_does_not_run_over_the_end_of_its_line() {
        let (pieces, codes) = parts("[service\nVia: [pid]");
        assert_eq!(codes, ["G0205"]);
        assert_eq!(pieces.len(), 2);
        let (pieces, codes) = parts("[service and [pid]\n");
        assert_eq!((pieces.len(), codes), (2, vec!["G0205".to_owned()]));
        let (_, codes) = parts("x[");
        assert_eq!(codes, ["G0205"]);
    }
}
