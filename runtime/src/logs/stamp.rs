// SPDX-License-Identifier: AGPL-3.0-only
//! Times in trace files.
//!
//! PERF: a busy message log has tens of thousands of times in one second: what the second decides is printed once for
//! all of them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// `YYYY-MM-DD` TAB `HH:MM:SS.uuuuuu` TAB `epoch.uuuuuu`, SIPp's usual one.
    Tabbed,
    /// `YYYY-MM-DDTHH:MM:SS.uuuuuu±HH:MM`, or `Z` for UTC.
    Rfc3339,
    /// The same with nanoseconds.
    Nanos,
}

/// Prints times, remembering the parts of the last second.
#[derive(Debug)]
pub(crate) struct Stamps {
    zone: TimeZone,
    second: Option<u64>,
    date: String,
    clock: String,
    offset: String,
}

impl Stamps {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            second: None,
            date: String::new(),
            clock: String::new(),
            offset: String::new(),
        }
    }

    /// Appends a time, given in microseconds since the epoch.
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, wall_us: u64, form: TimeForm) {
        let (second, micros) = (wall_us / 1_000_000, wall_us % 1_000_000);
        if self.second != Some(second) {
            self.turn(second);
        }
        let micros = six_digits(micros);
        out.extend_from_slice(self.date.as_bytes());
        match form {
            TimeForm::Tabbed => {
                for part in [b"\t", self.clock.as_bytes(), b".", &micros, b"\t"] {
                    out.extend_from_slice(part);
                }
                out.extend_from_slice(second.to_string().as_bytes());
                out.push(b'.');
                out.extend_from_slice(&micros);
            }
            TimeForm::Rfc3339 | TimeForm::Nanos => {
                for part in [b"T", self.clock.as_bytes(), b".", &micros] {
                    out.extend_from_slice(part);
                }
                if form == TimeForm::Nanos {
                    out.extend_from_slice(b"000");
                }
                out.extend_from_slice(self.offset.as_bytes());
            }
        }
    }

    fn turn(&mut self, second: u64) {
        let time = local(&self.zone, second);
        self.date = time.strftime("%Y-%m-%d").to_string();
        self.clock = time.strftime("%H:%M:%S").to_string();
        self.offset = if time.offset().is_zero() {
            "Z".to_owned()
        } else {
            time.strftime("%:z").to_string()
        };
        self.second = Some(second);
    }
}

fn local(zone: &TimeZone, second: u64) -> Zoned {
    let second = i64::try_from(second).unwrap_or(i64::MAX);
    Timestamp::from_second(second)
        .unwrap_or(Timestamp::MAX)
        .to_zoned(zone.clone())
}

fn six_digits(mut number: u64) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(zone: TimeZone, wall_us: u64, form: TimeForm) -> String {
        let mut out = Vec::new();
        Stamps::new(zone).push(&mut out, wall_us, form);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn times_have_sipps_two_forms_and_ours() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let at = 1_700_000_000_000_042;
        assert_eq!(
            print(zone.clone(), at, TimeForm::Rfc3339),
            "2023-11-15T00:13:20.000042+02:00"
        );
        assert_eq!(
            print(TimeZone::UTC, at, TimeForm::Rfc3339),
            "2023-11-14T22:13:20.000042Z"
        );
        assert_eq!(
            print(zone, at, TimeForm::Tabbed),
            "2023-11-15\t00:13:20.000042\t1700000000.000042"
        );
        assert_eq!(
            print(TimeZone::UTC, at, TimeForm::Nanos),
            "2023-11-14T22:13:20.000042000Z"
        );
        assert!(print(TimeZone::UTC, u64::MAX, TimeForm::Rfc3339).starts_with("9999-"));
    }

    #[test]
    fn what_is_remembered_of_a_second_is_not_used_in_the_next() {
        let mut stamps = Stamps::new(TimeZone::UTC);
        let mut out = Vec::new();
        for at in [59_999_999, 60_000_000, 60_000_001, 1] {
            stamps.push(&mut out, at, TimeForm::Rfc3339);
            out.push(b' ');
        }
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "1970-01-01T00:00:59.999999Z 1970-01-01T00:01:00.000000Z \
             1970-01-01T00:01:00.000001Z 1970-01-01T00:00:00.000001Z "
        );
    }
}
