// SPDX-License-Identifier: AGPL-3.0-only
//! Numbers and variables as texts print them, and numbers read back from texts.

use super::MAX_RENDERED;
use crate::call::regs::Value;
use crate::inject::NO_LINE;

/// The line that a text names: none for one that no file has, no answer for what is no number.
///
/// As in SIPp a text is read as a double and cut; an empty one, which is how a variable that is 0 prints, is 0.
pub(crate) fn line_number(text: &[u8]) -> Option<Option<u32>> {
    let number = Value::Text(text).to_number().filter(|n| !n.is_nan())?;
    let line = number.trunc();
    let there = (0.0..f64::from(NO_LINE)).contains(&line);
    Some(there.then_some(line as u32))
}

/// Prints a variable.
pub(crate) fn variable(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Unset => {}
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Text(text) => out.extend_from_slice(text),
        // COMPAT(sipp): a double that is 0 prints nothing; scenarios rely on it.
        Value::Number(0.0) => {}
        Value::Number(n) if n.is_finite() => {
            use std::io::Write as _;
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{n:.6}");
        }
        // As C's %f.
        Value::Number(n) if n.is_nan() => out.extend_from_slice(b"nan"),
        Value::Number(n) if n > 0.0 => out.extend_from_slice(b"inf"),
        Value::Number(_) => out.extend_from_slice(b"-inf"),
    }
}

/// Repeats or cuts `text` to ⌊n⌋ bytes; more than a message can hold is cut by the caller's limit.
pub(crate) fn fill(text: &[u8], n: f64, out: &mut Vec<u8>) {
    if text.is_empty() || n.is_nan() || n < 1.0 {
        return;
    }
    let wanted = if n >= MAX_RENDERED as f64 {
        MAX_RENDERED + 1
    } else {
        n as usize
    };
    let end = out.len() + wanted;
    while out.len() < end {
        let take = text.len().min(end - out.len());
        out.extend_from_slice(&text[..take]);
    }
}

/// Prints a decimal number.
#[inline]
pub(crate) fn number(value: i64, out: &mut Vec<u8>) {
    match value {
        0..=9 => out.push(b'0' + value as u8),
        10..=99_999_999 => {
            let (digits, zeros) = eight_digits(value as u32);
            let end = out.len() + DIGITS - zeros;
            // What is cut off are the zeros that were shifted in.
            out.extend_from_slice(&(digits >> (8 * zeros)).to_le_bytes());
            out.truncate(end);
        }
        _ => many_digits(value, out),
    }
}

#[cold]
fn many_digits(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let (rest, last) = parts(value.unsigned_abs());
    let (first, middle) = parts(rest);
    for (part, before) in [(first, 0), (middle, first), (last, rest)] {
        if before > 0 {
            out.extend_from_slice(&eight_digits(part as u32).0.to_le_bytes());
        } else if part > 0 {
            number(part as i64, out);
        }
    }
}

/// What stands before the last eight digits of a number, and those.
const fn parts(number: u64) -> (u64, u64) {
    (number / 100_000_000, number % 100_000_000)
}

/// The digits of a number that fits, behind as many blanks as it takes.
pub(super) fn right_aligned(number: i64) -> Option<[u8; 5]> {
    let number = u32::try_from(number).ok().filter(|n| *n < 100_000)?;
    let (digits, zeros) = eight_digits(number);
    let blanks = u64::from_le_bytes([b' '; DIGITS]);
    let text = (digits & (u64::MAX << (8 * zeros))) | (blanks & !(u64::MAX << (8 * zeros)));
    let [_, _, _, text @ ..] = text.to_le_bytes();
    Some(text)
}

/// Digits that are made at once.
const DIGITS: usize = 8;

/// The digits of a number below 100 000 000, the first one in the lowest byte, and how many of them are zeros at the
/// beginning (one less for 0, which is a digit, too).
///
/// They are made in a register: halves, then pairs, then digits of all parts at once, dividing by multiplying. Who writes
/// them to memory one by one and reads them back together waits for that longer than all of it takes.
#[inline]
const fn eight_digits(number: u32) -> (u64, usize) {
    let number = number as u64;
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    // Exact for what is below 10 000 and below 100, respectively.
    let hundreds = ((halves * 10_486) >> 20) & 0x7f_0000_007f;
    let pairs = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | ((pairs - 10 * tens) << 8);
    let zeros = digits.trailing_zeros() as usize / 8;
    let zeros = if zeros < DIGITS { zeros } else { DIGITS - 1 };
    (digits | 0x3030_3030_3030_3030, zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_percent_f_and_zero_prints_nothing() {
        let print = |value| {
            let mut out = Vec::new();
            variable(value, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(print(Value::Number(3.0)), "3.000000");
        assert_eq!(print(Value::Number(-0.5)), "-0.500000");
        assert_eq!(print(Value::Number(0.0)), "");
        assert_eq!(print(Value::Bool(false)), "false");
        assert_eq!(print(Value::Unset), "");
    }

    #[test]
    fn fill_repeats_and_cuts() {
        let print = |n| {
            let mut out = Vec::new();
            fill(b"abc", n, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(print(7.9), "abcabca");
        assert_eq!(print(2.0), "ab");
        assert_eq!(print(-1.0), "");
    }

    #[test]
    fn numbers_print_like_the_standard_library() {
        let odd = (0..64).map(|bits| (i64::MAX >> bits) / 3);
        let edges = (0..19).flat_map(|n| [10_i64.pow(n) - 1, 10_i64.pow(n), 10_i64.pow(n) + 1]);
        let all = (0..20_000).chain(odd).chain(edges).chain([i64::MAX]);
        for value in all.flat_map(|value| [value, -value, !value]) {
            let mut out = b"x".to_vec();
            number(value, &mut out);
            assert_eq!(out[1..], *value.to_string().as_bytes());
            let aligned = right_aligned(value);
            let there = (0..100_000).contains(&value);
            assert_eq!(aligned.is_some(), there);
            if let Some(text) = aligned {
                assert_eq!(text, *format!("{value:5}").as_bytes());
            }
        }
    }
}
