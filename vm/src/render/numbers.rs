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

/// Most bytes that a number takes.
pub(super) const DIGITS: usize = 20;

/// Prints a decimal number.
#[inline]
pub(crate) fn number(value: i64, out: &mut Vec<u8>) {
    match value {
        0..=9 => out.push(b'0' + value as u8),
        _ => several_digits(value, out),
    }
}

fn several_digits(value: i64, out: &mut Vec<u8>) {
    // To copy as many bytes every time takes less than to copy those there are.
    let mut all = [0; 2 * DIGITS];
    let Some(digits) = all.first_chunk_mut() else {
        return;
    };
    let length = decimal(value, digits).len();
    let Some(window) = all[DIGITS - length..].first_chunk::<DIGITS>() else {
        return;
    };
    let start = out.len();
    out.extend_from_slice(window);
    out.truncate(start + length);
}

/// A decimal number, written to the end of some memory.
pub(super) fn decimal(value: i64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    &digits[at..]
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
        for value in [0, 1, 9, -1, -10, 10, 99_999, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            number(value, &mut out);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }
}
