// SPDX-License-Identifier: AGPL-3.0-only
//! The notation of flag values.
//!
//! Integers are C's `strtol` with base 0, so a leading zero means octal; times are a number with an optional unit.
//! Nothing here knows which flag it reads.

use super::Unit;
use std::time::Duration;

/// The longest time a flag takes: a hundred years, so that arithmetic on deadlines never overflows.
const TIME_MAX_SECONDS: f64 = 100.0 * 365.0 * 86_400.0;

/// Reads an integer in C notation: decimal, `0x` hexadecimal or, with a leading zero, octal; with an optional sign.
///
/// # Errors
/// Says what is not a number.
pub(crate) fn int(text: &str) -> Result<i128, String> {
    let wrong = || format!("`{text}` is not a whole number");
    let trimmed = text.trim_start();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (radix, digits) = if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        (16, hex)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    // `from_str_radix` would take a second sign.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wrong());
    }
    let value = i128::from_str_radix(digits, radix).map_err(|_| {
        if radix == 8 {
            format!("`{text}` is not a whole number (a leading zero means octal)")
        } else {
            wrong()
        }
    })?;
    Ok(if negative { -value } else { value })
}

/// True when a number is written in octal with a result other than the decimal reading, which few people intend.
pub(crate) fn looks_octal(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && int(text).ok() != text.parse().ok()
}

/// Reads a number with an optional fraction: finite and not negative.
///
/// # Errors
/// Says what is not such a number.
pub(crate) fn double(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Ok(value) if value.is_finite() => Err(format!("`{text}` is negative")),
        _ => Err(format!("`{text}` is not a number")),
    }
}

/// Reads a number with an optional sign and fraction.
///
/// # Errors
/// Says what is no number.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("`{text}` is not a number")),
    }
}

/// Reads a time: a number that starts with a digit, then `ms`, `s`, `m` or `h`, or nothing for `unit`.
///
/// # Errors
/// Says what is not a time.
pub(crate) fn time(text: &str, unit: Unit) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a time; write a number with ms, s, m or h, such as `500ms` or `2.5s`"
        )
    };
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(wrong());
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let scale = match suffix {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "" => match unit {
            Unit::Millis => 0.001,
            Unit::Seconds => 1.0,
        },
        _ => return Err(wrong()),
    };
    let seconds = number * scale;
    if seconds > TIME_MAX_SECONDS {
        return Err(format!("`{text}` is longer than a hundred years"));
    }
    // Rounded to microseconds, the unit of every clock in here, so that 0.1 is not 0.100000001.
    Ok(Duration::from_micros((seconds * 1e6).round() as u64))
}

/// A time whose bare number is seconds to one dialect and milliseconds to the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BareTime {
    /// As SIPp reads it.
    pub(crate) seconds: Duration,
    /// As gossipper reads it.
    pub(crate) millis: Duration,
}

impl BareTime {
    /// Reads it both ways.
    ///
    /// # Errors
    /// See [`time`].
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self {
            seconds: time(text, Unit::Seconds)?,
            millis: time(text, Unit::Millis)?,
        })
    }
}

/// Reads a truth value: `true`, `false` or an integer.
///
/// # Errors
/// Says what is neither.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        int(text)
            .map(|value| value != 0)
            .map_err(|_| format!("`{text}` is neither true nor false"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_c_reads_them() {
        assert_eq!(int("5060"), Ok(5060));
        assert_eq!(int("05060"), Ok(2608));
        assert_eq!(int("0x13c4"), Ok(5060));
        assert_eq!(int("0"), Ok(0));
        assert_eq!(int("-1"), Ok(-1));
        assert_eq!(int("+7"), Ok(7));
        for bad in [
            "", "-", "0x", "09", "12x", "--1", "+-1", "0x-1", "1_000", "é", "1.5",
        ] {
            assert!(int(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_numbers_that_change_by_it_count_as_octal() {
        assert!(looks_octal("05060"));
        assert!(looks_octal("010"));
        assert!(!looks_octal("007"));
        assert!(!looks_octal("0"));
        assert!(!looks_octal("0x10"));
    }

    #[test]
    fn times_take_a_suffix_or_the_unit_of_the_flag() {
        assert_eq!(time("1500", Unit::Millis), Ok(Duration::from_millis(1500)));
        assert_eq!(time("1.5", Unit::Seconds), Ok(Duration::from_millis(1500)));
        assert_eq!(time("250ms", Unit::Seconds), Ok(Duration::from_millis(250)));
        assert_eq!(time("2m", Unit::Millis), Ok(Duration::from_secs(120)));
        assert_eq!(time("1h", Unit::Millis), Ok(Duration::from_secs(3600)));
        assert_eq!(time("0.1", Unit::Millis), Ok(Duration::from_micros(100)));
        for bad in [
            "",
            "s",
            "-1",
            "+1",
            ".5",
            "1.2.3",
            "5 s",
            "5sec",
            "99999999999999h",
        ] {
            assert!(time(bad, Unit::Seconds).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_finite_and_not_negative() {
        assert_eq!(double("0.5"), Ok(0.5));
        for bad in ["nan", "inf", "-1", "1e999", "", "x"] {
            assert!(double(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn truth_is_a_word_or_a_number() {
        assert_eq!(boolean("TRUE"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert_eq!(boolean("2"), Ok(true));
        assert!(boolean("yes").is_err());
    }
}
