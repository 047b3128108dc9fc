// SPDX-License-Identifier: AGPL-3.0-only
//! Figures as people read them: three digits that count, and a unit.

/// What stands where there is nothing.
pub(super) const NONE: &str = "–";

/// `1,234,567`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// At least three digits that count; whole numbers stay whole.
pub(super) fn digits(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let size = value.abs();
    if size >= 999.5 || (value.fract() == 0.0 && size < 1000.0) {
        let whole = count(value.abs().round() as u64);
        return if value < 0.0 {
            format!("−{whole}")
        } else {
            whole
        };
    }
    // What rounds up to one digit more before the point needs one less behind it.
    let places = [(99.95, 0), (9.995, 1), (0.9995, 2)];
    let places = places.iter().find(|(from, _)| size >= *from);
    let places = places.map_or(3, |(_, places)| *places);
    format!("{value:.places$}").replace('-', "−")
}

/// Nanoseconds as `850 µs`, `12.4 ms`, `1.24 s`, `2 min 5 s`, `3 h 20 min`.
pub(super) fn time(ns: u64) -> String {
    let ns = ns as f64;
    if ns >= 59.95e9 {
        return long(ns / 1e9);
    }
    let (unit, of) = match ns {
        _ if ns >= 999.5e6 => ("s", 1e9),
        _ if ns >= 999.5e3 => ("ms", 1e6),
        _ if ns > 0.0 => ("µs", 1e3),
        _ => return "0 ms".to_owned(),
    };
    format!("{}\u{a0}{unit}", digits(ns / of))
}

/// A minute and more.
fn long(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, seconds) {
        (0, minutes, 0) => format!("{minutes}\u{a0}min"),
        (0, minutes, seconds) => format!("{minutes}\u{a0}min {seconds}\u{a0}s"),
        (hours, 0, _) => format!("{hours}\u{a0}h"),
        (hours, minutes, _) => format!("{hours}\u{a0}h {minutes}\u{a0}min"),
    }
}

/// A part of one as `99.12 %`; what is not all is never rounded to all, nor what is not nothing to nothing.
pub(super) fn percent(part: f64) -> String {
    let mut text = format!("{:.2}", part * 100.0);
    if part < 1.0 && text == "100.00" {
        text = "99.99".to_owned();
    }
    if part > 0.0 && text == "0.00" {
        text = "< 0.01".to_owned();
    }
    let text = text.strip_suffix(".00").unwrap_or(&text);
    format!("{text}\u{a0}%")
}

/// `succeeded_calls` as `succeeded calls`.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// `1 call`, `2 calls`.
pub(super) fn calls(number: u64) -> String {
    let word = if number == 1 { "call" } else { "calls" };
    format!("{}\u{a0}{word}", count(number))
}

/// An RFC 3339 time as `2026-11-21 14:26:36 UTC`; anything else as it is.
pub(super) fn moment(text: &str) -> String {
    let Some((day, rest)) = text.split_once('T') else {
        return text.to_owned();
    };
    let Some(time) = rest.strip_suffix('Z') else {
        return text.to_owned();
    };
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    format!("{day} {time} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let times = [
            (0, "0 ms"),
            (1, "0.001 µs"),
            (12_400, "12.4 µs"),
            (999_400, "999 µs"),
            (999_500, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (99_960_000, "100 ms"),
            (1_234_000_000, "1.23 s"),
            (59_940_000_000, "59.9 s"),
            (60_000_000_000, "1 min"),
            (125_000_000_000, "2 min 5 s"),
            (12_000_000_000_000, "3 h 20 min"),
        ];
        for (ns, text) in times {
            assert_eq!(time(ns).replace('\u{a0}', " "), text);
        }
        let plain = [
            (0.0, "0"),
            (5.0, "5"),
            (1234.5, "1,235"),
            (999.7, "1,000"),
            (-2.5, "−2.50"),
            (-5000.0, "−5,000"),
            (f64::NAN, "–"),
        ];
        for (value, text) in plain {
            assert_eq!(digits(value), text);
        }
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn a_loss_is_never_rounded_away() {
        for (part, text) in [
            (1.0, "100 %"),
            (0.999_999_9, "99.99 %"),
            (0.0, "0 %"),
            (0.000_001, "< 0.01 %"),
            (0.9123, "91.23 %"),
        ] {
            assert_eq!(percent(part).replace('\u{a0}', " "), text);
        }
    }

    #[test]
    fn a_moment_that_is_none_stays_as_it_is() {
        assert_eq!(
            moment("2026-11-21T14:26:36.123456Z"),
            "2026-11-21 14:26:36 UTC"
        );
        for other in ["", "yesterday", "2026-11-21T14:26:36+01:00"] {
            assert_eq!(moment(other), other);
        }
    }
}
