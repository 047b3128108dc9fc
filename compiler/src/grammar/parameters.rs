// SPDX-License-Identifier: AGPL-3.0-only
//! The text of an action in Gossipper's form: `key=value` pairs with blanks between them, values bare or in quotes.

use super::{Malformed, Spanned, malformed};
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
    "/grammar/parameters.rs"
);

/// Tokens of the pairs, over bytes: a file need not be UTF-8.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(utf8 = false, skip b"[\\x00-\\x20]+")]
enum Token<'input> {
    #[token(b"=")]
    Equals,
    #[regex(b"[^\\x00-\\x20=\"']+", |lex| lex.slice())]
    Word(&'input [u8]),
    #[regex(b"\"[^\"]*\"|'[^']*'", |lex| { let text = lex.slice(); &text[1..text.len() - 1] })]
    Quoted(&'input [u8]),
}

/// A key or a value, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Offset in the text.
    pub at: usize,
    /// What it says.
    pub text: &'a [u8],
}

/// One pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// In front of the `=`.
    pub key: Piece<'a>,
    /// Behind it.
    pub value: Piece<'a>,
}

/// Reads the pairs of a text.
///
/// # Errors
/// [`Malformed`] with the place of what is no pair.
pub fn parameters(text: &[u8]) -> Result<Vec<Parameter<'_>>, Malformed> {
    let tokens = Token::lexer(text)
        .spanned()
        .map(|(token, range)| -> Spanned<Token<'_>> {
            match token {
                Ok(token) => Ok((range.start, token, range.end)),
                Err(()) => Err(Malformed { at: range.start }),
            }
        });
    grammar::ParametersParser::new()
        .parse(tokens)
        .map_err(|error| match error {
            lalrpop_util::ParseError::User { error } => error,
            other => malformed(&other, text.len()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bare_or_quoted_and_blanks_do_not_count() {
        let found = parameters(b" min=1\n\tmax = 10 text=\"a b='c'\" empty='' ").expect("pairs");
        let found: Vec<_> = found
            .iter()
            .map(|pair| (pair.key.at, pair.key.text, pair.value.at, pair.value.text))
            .collect();
        assert_eq!(
            found,
            [
                (1, &b"min"[..], 5, &b"1"[..]),
                (8, b"max", 14, b"10"),
                (17, b"text", 23, b"a b='c'"),
                (32, b"empty", 39, b""),
            ]
        );
        assert_eq!(parameters(b" "), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_pair_is_told_with_its_place() {
        for (text, at) in [
            (&b"min=1 max"[..], 9),
            (b"min=1 max=", 10),
            (b"min=1, max=2 x y=3", 15),
            (b"=1", 0),
            (b"min==1", 4),
            (b"'min'=1", 0),
            (b"min=1 text=\"a", 11),
        ] {
            let found = parameters(text).expect_err("no pairs");
            assert_eq!(found.at, at, "{}", text.escape_ascii());
        }
    }
}
