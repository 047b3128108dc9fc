// SPDX-License-Identifier: AGPL-3.0-only
//! Numbers as C reads them, and booleans.
//!
//! COMPAT(sipp): an integer is `strtol` with base 0, so a leading 0 is octal and `08` is an error; it saturates where
//! it overflows. A floating point number is `strtod`: `010` is ten there. Trailing text is an error in both, an empty
//! value is 0.

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
    "/grammar/number.rs"
);

/// Tokens of a number.
#[derive(Logos, Clone, Copy, Debug, PartialEq)]
enum Token<'input> {
    /// White space, which C skips in front.
    #[regex(r"[ \t\n\r\x0B\x0C]+")]
    Blank,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[regex("[0-9]+")]
    Digits(&'input str),
    #[regex("0[xX][0-9a-fA-F]+", |lex| &lex.slice()[2..])]
    Hex(&'input str),
    #[regex(r"[0-9]+\.[0-9]*([eE][+-]?[0-9]+)?")]
    #[regex(r"\.[0-9]+([eE][+-]?[0-9]+)?")]
    #[regex(r"[0-9]+[eE][+-]?[0-9]+")]
    Float(&'input str),
    #[regex(r"0[xX]([0-9a-fA-F]+\.[0-9a-fA-F]*|\.[0-9a-fA-F]+)([pP][+-]?[0-9]+)?", |lex| &lex.slice()[2..])]
    #[regex(r"0[xX][0-9a-fA-F]+[pP][+-]?[0-9]+", |lex| &lex.slice()[2..])]
    HexFloat(&'input str),
    #[regex("(?i:inf(inity)?)")]
    Infinity,
    #[regex("(?i:nan)")]
    NotANumber,
    #[regex("(?i:true)")]
    True,
    #[regex("(?i:false)")]
    False,
}

fn tokens(text: &str) -> impl Iterator<Item = Spanned<Token<'_>>> {
    Token::lexer(text)
        .spanned()
        .map(|(token, range)| match token {
            Ok(token) => Ok((range.start, token, range.end)),
            Err(()) => Err(Malformed { at: range.start }),
        })
}

fn text_of(value: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(value).map_err(|error| Malformed {
        at: error.valid_up_to(),
    })
}

/// `strtol(value, …, 0)` with nothing after the number; an empty value is 0.
///
/// # Errors
/// [`Malformed`] when the value has another form.
pub fn integer(value: &[u8]) -> Result<i64, Malformed> {
    let text = text_of(value)?;
    if text.is_empty() {
        return Ok(0);
    }
    grammar::IntegerParser::new()
        .parse(tokens(text))
        .map_err(|error| place(&error, text))
}

/// `strtod(value, …)` with nothing after the number; an empty value is 0.
///
/// # Errors
/// [`Malformed`] when the value has another form.
pub fn double(value: &[u8]) -> Result<f64, Malformed> {
    let text = text_of(value)?;
    if text.is_empty() {
        return Ok(0.0);
    }
    grammar::DoubleParser::new()
        .parse(tokens(text))
        .map_err(|error| place(&error, text))
}

/// `true` or `false` in any case, Gossipper's `yes` or `no`, or an integer (0 is false).
///
/// # Errors
/// [`Malformed`] when the value has another form.
pub fn boolean(value: &[u8]) -> Result<bool, Malformed> {
    let text = text_of(value)?;
    if text.is_empty() {
        return Ok(false);
    }
    for (word, value) in [("yes", true), ("no", false)] {
        if text.eq_ignore_ascii_case(word) {
            return Ok(value);
        }
    }
    grammar::BooleanParser::new()
        .parse(tokens(text))
        .map_err(|error| place(&error, text))
}

fn place(error: &lalrpop_util::ParseError<usize, Token<'_>, Malformed>, text: &str) -> Malformed {
    match error {
        lalrpop_util::ParseError::User { error } => *error,
        other => malformed(other, text.len()),
    }
}

/// From digits to values.
mod convert {
    /// Sign in front of a number.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Sign {
        Plus,
        Minus,
    }

    impl Sign {
        pub(super) fn apply(self, magnitude: f64) -> f64 {
            match self {
                Self::Plus => magnitude,
                Self::Minus => -magnitude,
            }
        }
    }

    /// The digits of an integer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Digits<'a> {
        /// Decimal, or octal with a leading 0.
        Plain(&'a str),
        /// After `0x`.
        Hex(&'a str),
    }

    impl Digits<'_> {
        /// The value, saturated as `strtol` does; `None` for an 8 or 9 in an octal number.
        pub(super) fn integer(self, sign: Sign) -> Option<i64> {
            let (digits, base) = match self {
                Self::Hex(digits) => (digits, 16),
                Self::Plain(digits) if digits.starts_with('0') => (digits, 8),
                Self::Plain(digits) => (digits, 10),
            };
            let negative = sign == Sign::Minus;
            let mut value = 0i64;
            for digit in digits.chars() {
                let digit = i64::from(digit.to_digit(base)?);
                let digit = if negative { -digit } else { digit };
                value = value.saturating_mul(i64::from(base)).saturating_add(digit);
            }
            Some(value)
        }
    }

    /// A decimal number whose form the lexer has checked.
    pub(super) fn decimal(digits: &str) -> f64 {
        // Rust's reader takes every form of the lexer's: `1`, `1.`, `.5`, `1e9`.
        digits.parse().unwrap_or(f64::NAN)
    }

    /// A hexadecimal floating point number, after its `0x`.
    pub(super) fn hex_float(digits: &str) -> f64 {
        let (mantissa, exponent) = digits.split_once(['p', 'P']).unwrap_or((digits, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digit = |letter: char| f64::from(letter.to_digit(16).unwrap_or(0));
        let mut value = whole
            .chars()
            .fold(0.0, |value, letter| value * 16.0 + digit(letter));
        let mut weight = 1.0;
        for letter in fraction.chars() {
            weight /= 16.0;
            value += digit(letter) * weight;
        }
        // Beyond this the result is 0 or infinite anyway, and `powi` wants an `i32`.
        let beyond = if exponent.starts_with('-') {
            -10_000
        } else {
            10_000
        };
        let exponent: i32 = exponent.parse().unwrap_or(beyond);
        value * 2f64.powi(exponent.clamp(-10_000, 10_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_strtol_does() {
        for (text, wanted) in [
            ("500", Some(500)),
            ("0x1F", Some(31)),
            ("010", Some(8)),
            ("0", Some(0)),
            (" -7", Some(-7)),
            ("+7", Some(7)),
            ("", Some(0)),
            ("99999999999999999999", Some(i64::MAX)),
            ("-99999999999999999999", Some(i64::MIN)),
            ("08", None),
            ("5s", None),
            ("5 ", None),
            ("1.5", None),
            ("- 7", None),
            ("0x", None),
            (" ", None),
            ("é", None),
        ] {
            assert_eq!(integer(text.as_bytes()).ok(), wanted, "{text:?}");
        }
        assert_eq!(integer(b"12ms"), Err(Malformed { at: 2 }));
        assert!(integer(b"\xFF").is_err());
    }

    #[test]
    fn doubles_are_read_as_strtod_does() {
        for (text, wanted) in [
            ("1.5", Some(1.5)),
            ("010", Some(10.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-1e3", Some(-1000.0)),
            ("0x10", Some(16.0)),
            ("0x1.8p1", Some(3.0)),
            ("INF", Some(f64::INFINITY)),
            ("", Some(0.0)),
            ("1e99999", Some(f64::INFINITY)),
            ("0x1p99999999999", Some(f64::INFINITY)),
            ("1,5", None),
            ("5s", None),
            (".", None),
            ("e5", None),
        ] {
            assert_eq!(double(text.as_bytes()).ok(), wanted, "{text:?}");
        }
        assert!(double(b"nan").expect("a number to C").is_nan());
    }

    #[test]
    fn booleans_are_words_in_any_case_or_integers() {
        for (text, wanted) in [
            ("true", Some(true)),
            ("FALSE", Some(false)),
            ("1", Some(true)),
            ("00", Some(false)),
            ("yes", Some(true)),
            ("No", Some(false)),
            ("y", None),
            ("yes please", None),
        ] {
            assert_eq!(boolean(text.as_bytes()).ok(), wanted, "{text:?}");
        }
    }
}
