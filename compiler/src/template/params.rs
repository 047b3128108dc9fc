// SPDX-License-Identifier: AGPL-3.0-only
//! Parameters of keywords: `name="…"` with a backslash escaping the next character, `name=0x41…` giving raw bytes, or
//! a bare word.
//!
//! Not here: which keyword takes which parameter (see [`super::keywords`]).

use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Text;
use core::ops::Range;
use logos::Logos;

lalrpop_util::lalrpop_mod!(
    #[allow(
        clippy::all,
        clippy::use_self,
        unused_qualifications,
        missing_docs,
        unreachable_pub,
        elided_lifetimes_in_paths,
        reason = "generated"
    )]
    grammar,
    "/template/params.rs"
);

/// Tokens of the parameter part of a keyword, as the grammar takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'input> {
    /// `name=`
    Name(&'input [u8]),
    /// `"…"`, without the quotes and with its escapes still in it.
    Quoted(&'input [u8]),
    /// Digits after `0x`.
    Hex(&'input [u8]),
    /// Any other run of printable characters.
    Word(&'input [u8]),
}

/// Where a name may stand.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(utf8 = false, skip b"[\\x00-\\x20]+")]
enum NameToken<'input> {
    #[regex(b"[A-Za-z_][A-Za-z0-9_-]*=", |lex| &lex.slice()[..lex.slice().len() - 1])]
    Name(&'input [u8]),
    #[regex(b"[^\\x00-\\x20=]+", |lex| lex.slice())]
    #[token(b"=", |lex| lex.slice())]
    Junk(&'input [u8]),
}

/// Behind `name=`. At the end of the keyword the closing quote may be missing.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(utf8 = false, skip b"[\\x00-\\x20]+")]
enum ValueToken<'input> {
    #[regex(b"\"([^\"\\\\]|\\\\[\\x00-\\xFF])*\"?", quoted)]
    Quoted(&'input [u8]),
    #[regex(b"0x[0-9A-Fa-f]+", |lex| &lex.slice()[2..], priority = 10)]
    Hex(&'input [u8]),
    #[regex(b"[\\x21\\x23-\\xFF][\\x21-\\xFF]*", |lex| lex.slice(), priority = 1)]
    Word(&'input [u8]),
}

/// The two lexers as one: a value can only stand behind a name, where it may hold `=`.
enum Tokens<'input> {
    Name(logos::Lexer<'input, NameToken<'input>>),
    Value(logos::Lexer<'input, ValueToken<'input>>),
    End,
}

impl<'input> Iterator for Tokens<'input> {
    type Item = Result<(usize, Token<'input>, usize), ()>;

    fn next(&mut self) -> Option<Self::Item> {
        match core::mem::replace(self, Self::End) {
            Self::Name(mut lexer) => {
                let token = lexer.next()?;
                let range = lexer.span();
                let token = match token {
                    Ok(NameToken::Name(name)) => {
                        *self = Self::Value(lexer.morph());
                        Token::Name(name)
                    }
                    Ok(NameToken::Junk(text)) => {
                        *self = Self::Name(lexer);
                        Token::Word(text)
                    }
                    Err(()) => return Some(Err(())),
                };
                Some(Ok((range.start, token, range.end)))
            }
            Self::Value(mut lexer) => {
                let token = lexer.next()?;
                let range = lexer.span();
                *self = Self::Name(lexer.morph());
                let token = match token {
                    Ok(ValueToken::Quoted(text)) => Token::Quoted(text),
                    Ok(ValueToken::Hex(text)) => Token::Hex(text),
                    Ok(ValueToken::Word(text)) => Token::Word(text),
                    Err(()) => return Some(Err(())),
                };
                Some(Ok((range.start, token, range.end)))
            }
            Self::End => None,
        }
    }
}

fn quoted<'input>(lex: &logos::Lexer<'input, ValueToken<'input>>) -> &'input [u8] {
    let inner = &lex.slice()[1..];
    let Some((b'"', rest)) = inner.split_last() else {
        return inner;
    };
    // A last quote that is escaped does not close.
    let escapes = rest.iter().rev().take_while(|b| **b == b'\\').count();
    if escapes % 2 == 0 { rest } else { inner }
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Param<'a> {
    /// Its name.
    pub(super) name: &'a [u8],
    /// Its value.
    pub(super) value: Value<'a>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Between quotes.
    Quoted {
        /// The text, escapes not yet undone.
        text: &'a [u8],
        /// Its offset in what was parsed.
        at: usize,
    },
    /// Hexadecimal digits.
    Hex(&'a [u8]),
    /// Bare.
    Word {
        /// The text.
        text: &'a [u8],
        /// Its offset in what was parsed.
        at: usize,
    },
}

impl Value<'_> {
    /// The bytes it stands for.
    pub(super) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Word { text, .. } => text.to_vec(),
            Self::Quoted { text, .. } => {
                let mut out = Vec::with_capacity(text.len());
                let mut rest = text.iter();
                while let Some(&byte) = rest.next() {
                    out.push(if byte == b'\\' {
                        *rest.next().unwrap_or(&byte)
                    } else {
                        byte
                    });
                }
                out
            }
            Self::Hex(digits) => digits
                .chunks(2)
                .map(|pair| {
                    pair.iter()
                        .fold(0, |value, digit| value << 4 | hex_digit(*digit))
                })
                .collect(),
        }
    }

    /// Where its text begins and ends in what was parsed, where that is plain to say.
    pub(super) fn range(self) -> Option<core::ops::Range<usize>> {
        match self {
            Self::Word { text, at } | Self::Quoted { text, at } => Some(at..at + text.len()),
            Self::Hex(_) => None,
        }
    }
}

/// The value of a hexadecimal digit; 0 for another byte.
pub(super) fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Reads the parameters in a part of a text; `None` after a finding about one without a value.
pub(super) fn read<'a>(
    text: &'a Text,
    part: Range<usize>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Param<'a>>> {
    match parse(&text.bytes()[part.clone()]) {
        Ok(params) => Some(params),
        Err(at) => {
            let at = part.start + at;
            diagnostics.push(Diagnostic::error(
                codes::BAD_PARAMETER,
                text.slice_span(at..at + 1),
                "parameter without a value",
            ));
            None
        }
    }
}

/// Splits the parameter part of a keyword.
///
/// # Errors
/// The offset where a `name=` has no value.
fn parse(text: &[u8]) -> Result<Vec<Param<'_>>, usize> {
    let tokens = Tokens::Name(NameToken::lexer(text));
    grammar::ParamsParser::new().parse(tokens).map_err(|error| {
        use lalrpop_util::ParseError as P;
        match error {
            P::InvalidToken { location } | P::UnrecognizedEof { location, .. } => location,
            P::UnrecognizedToken { token, .. } | P::ExtraToken { token } => token.0,
            P::User { .. } => text.len(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<(String, Vec<u8>)>, usize> {
        parse(text.as_bytes()).map(|params| {
            params
                .iter()
                .map(|p| {
                    (
                        String::from_utf8_lossy(p.name).into_owned(),
                        p.value.bytes(),
                    )
                })
                .collect()
        })
    }

    #[test]
    fn the_three_forms_of_a_value() {
        let found =
            values(r#" text="a \"b\" ]c" variable=n raw=0x414b uri=a=b"#).expect("well formed");
        assert_eq!(
            found,
            [
                ("text".to_owned(), b"a \"b\" ]c".to_vec()),
                ("variable".to_owned(), b"n".to_vec()),
                ("raw".to_owned(), b"AK".to_vec()),
                ("uri".to_owned(), b"a=b".to_vec()),
            ]
        );
    }

    #[test]
    fn raw_bytes_hold_zeros_and_brackets() {
        let found = values("aka_K=0x46005b00").expect("well formed");
        assert_eq!(found, [("aka_K".to_owned(), b"F\0[\0".to_vec())]);
    }

    #[test]
    fn what_is_no_parameter_is_passed_over() {
        let found = values(r#"er = variable=n "x" y"#).expect("well formed");
        assert_eq!(found, [("variable".to_owned(), b"n".to_vec())]);
        assert_eq!(values("").expect("empty"), []);
    }

    #[test]
    fn a_name_without_a_value_is_an_error() {
        assert!(values("text=x variable=").is_err());
    }
}
