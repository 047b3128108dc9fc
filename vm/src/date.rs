// SPDX-License-Identifier: AGPL-3.0-only
//! Dates that keywords print, from microseconds since 1970. Pure arithmetic: the wall clock is an argument.

use std::io::Write as _;

struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: u64,
    minute: u64,
    second: u64,
}

const DAY_S: i64 = 86_400;

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Calendar date and time of day of a number of seconds since 1970.
fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(DAY_S);
    let rest = seconds.rem_euclid(DAY_S) as u64;
    // Years are counted from 1 March, in eras of 400 years, so that leap days come last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: month as usize,
        day: of_year - (153 * march_month + 2) / 5 + 1,
        weekday: days.rem_euclid(7) as usize,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
    }
}

/// `YYYY-MM-DD` TAB `HH:MM:SS.uuuuuu` TAB `epoch.uuuuuu`, local time.
pub(crate) fn log_time(epoch_us: u64, utc_offset_s: i32, out: &mut Vec<u8>) {
    let (seconds, micros) = ((epoch_us / 1_000_000) as i64, epoch_us % 1_000_000);
    let c = civil(seconds + i64::from(utc_offset_s));
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}\t{:02}:{:02}:{:02}.{micros:06}\t{seconds}.{micros:06}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    );
}

/// RFC 1123 date in GMT, as RFC 3261 §20.17 asks of a Date header.
pub(crate) fn rfc1123(epoch_us: u64, out: &mut Vec<u8>) {
    let c = civil((epoch_us / 1_000_000) as i64);
    let _ = write!(
        out,
        "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
        WEEKDAYS[c.weekday],
        c.day,
        MONTHS[c.month - 1],
        c.year,
        c.hour,
        c.minute,
        c.second
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(seconds: u64) -> String {
        let mut out = Vec::new();
        rfc1123(seconds * 1_000_000, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn known_dates() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(date(1_289_692_799), "Sat, 13 Nov 2010 23:59:59 GMT");
        assert_eq!(date(4_102_444_800), "Fri, 01 Jan 2100 00:00:00 GMT");
    }

    #[test]
    fn log_time_is_local_and_carries_the_epoch() {
        let mut out = Vec::new();
        log_time(1_289_692_799_000_042, 3600, &mut out);
        assert_eq!(
            String::from_utf8(out).expect("ASCII"),
            "2010-11-14\t00:59:59.000042\t1289692799.000042"
        );
    }
}
