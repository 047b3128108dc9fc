// SPDX-License-Identifier: AGPL-3.0-only
//! Lists with commas: names and histogram borders.
//!
//! COMPAT(sipp): names are not trimmed, `"a, b"` is `a` and ` b`; numbers may have blanks around them.

use super::{Malformed, Spanned, integer, malformed};
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
    "/grammar/list.rs"
);

/// Tokens of a list, over bytes: a file need not be UTF-8.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(utf8 = false)]
enum Token<'input> {
    #[token(b",")]
    Comma,
    #[regex(b"[^,]+")]
    Text(&'input [u8]),
}

/// One item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Offset in the value.
    pub at: usize,
    /// Its text, blanks included.
    pub text: &'a [u8],
}

/// Splits a list at its commas; items may be empty.
///
/// # Errors
/// [`Malformed`]: never for the present grammar, which has a reading for every text.
pub fn names(value: &[u8]) -> Result<Vec<Item<'_>>, Malformed> {
    let tokens = Token::lexer(value)
        .spanned()
        .map(|(token, range)| -> Spanned<Token<'_>> {
            match token {
                Ok(token) => Ok((range.start, token, range.end)),
                Err(()) => Err(Malformed { at: range.start }),
            }
        });
    grammar::ItemsParser::new()
        .parse(tokens)
        .map_err(|error| malformed(&error, value.len()))
}

/// Reads a list of integers.
///
/// # Errors
/// [`Malformed`] with the place of the first item that is none.
pub fn integers(value: &[u8]) -> Result<Vec<i64>, Malformed> {
    let item = |item: Item<'_>| {
        let text = item.text.trim_ascii();
        let blanks = item.text.len() - item.text.trim_ascii_start().len();
        if text.is_empty() {
            return Err(Malformed { at: item.at });
        }
        integer(text).map_err(|error| Malformed {
            at: item.at + blanks + error.at,
        })
    };
    names(value)?.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_trimmed() {
        let found = names(b"a, b,,\xFC").expect("a list");
        let found: Vec<_> = found.iter().map(|item| (item.at, item.text)).collect();
        assert_eq!(found, [(0, &b"a"[..]), (2, b" b"), (5, b""), (6, b"\xFC")]);
        assert_eq!(names(b"").expect("a list").len(), 1);
    }

    #[test]
    fn borders_may_have_blanks_around_them() {
        assert_eq!(integers(b"10, 20 ,30"), Ok(vec![10, 20, 30]));
        assert_eq!(integers(b"10, x"), Err(Malformed { at: 4 }));
        assert_eq!(integers(b"10,,20"), Err(Malformed { at: 3 }));
        assert_eq!(integers(b""), Err(Malformed { at: 0 }));
    }
}
