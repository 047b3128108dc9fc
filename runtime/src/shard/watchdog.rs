// SPDX-License-Identifier: AGPL-3.0-only
//! Notices that the shard's loop is late, and how often.
//!
//! A shard that is stopped, starved of its processor or stuck in one turn looks at its watchdog late; what it measures
//! meanwhile is worth little. Each late look is a trip, minor or major by how late it is; too many of either end the run.
//!
//! Rules: those of SIPp. What is measured is the time since the last look; both counts start anew when no look was late for
//! a while. Pure: now in, trips out.

use gossipper_vm::Micros;

use crate::config::WatchdogConfig;

/// What a look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It came in time, or nobody wanted it yet.
    InTime,
    /// It came late.
    Trip {
        /// Later than the greater threshold.
        major: bool,
        /// Time since the look before.
        since: Micros,
        /// There were too many such trips.
        fatal: bool,
    },
}

#[derive(Debug)]
pub(super) struct Watchdog {
    config: WatchdogConfig,
    last: Micros,
    last_trip: Micros,
    minor: u64,
    major: u64,
}

impl Watchdog {
    /// One that has just looked.
    pub(super) fn new(config: WatchdogConfig, now: Micros) -> Self {
        Self {
            config,
            last: now,
            last_trip: now,
            minor: 0,
            major: 0,
        }
    }

    /// When it is to look next.
    pub(super) fn next(&self) -> Micros {
        self.last.plus(self.config.interval)
    }

    /// Looks, if it is time to.
    pub(super) fn look(&mut self, now: Micros) -> Look {
        if now < self.next() {
            return Look::InTime;
        }
        let since = now.since(self.last);
        self.last = now;
        let config = &self.config;
        if config.reset.0 > 0 && now.since(self.last_trip) > config.reset {
            (self.minor, self.major) = (0, 0);
        }
        let major = since > config.major_threshold;
        if !major && since <= config.minor_threshold {
            return Look::InTime;
        }
        self.last_trip = now;
        let (count, max) = if major {
            (&mut self.major, config.major_max)
        } else {
            (&mut self.minor, config.minor_max)
        };
        *count += 1;
        Look::Trip {
            major,
            since,
            fatal: max.is_some_and(|max| *count > max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Micros {
        Micros(ms * 1_000)
    }

    fn watchdog() -> Watchdog {
        let config = WatchdogConfig {
            major_max: Some(1),
            minor_max: Some(2),
            ..WatchdogConfig::DEFAULT
        };
        Watchdog::new(config, ms(0))
    }

    fn trip(major: bool, since: u64, fatal: bool) -> Look {
        Look::Trip {
            major,
            since: ms(since),
            fatal,
        }
    }

    #[test]
    fn a_look_in_time_is_no_trip_and_one_before_its_time_is_no_look() {
        let mut watchdog = watchdog();
        assert_eq!(watchdog.look(ms(399)), Look::InTime);
        assert_eq!(watchdog.next(), ms(400));
        assert_eq!(watchdog.look(ms(450)), Look::InTime);
        assert_eq!(watchdog.next(), ms(850));
        assert_eq!(
            watchdog.look(ms(950)),
            Look::InTime,
            "500 ms are not more than 500"
        );
    }

    #[test]
    fn trips_are_counted_by_how_late_they_are_until_there_are_too_many() {
        let mut watchdog = watchdog();
        assert_eq!(watchdog.look(ms(501)), trip(false, 501, false));
        assert_eq!(watchdog.look(ms(3_502)), trip(true, 3_001, false));
        assert_eq!(watchdog.look(ms(5_000)), trip(false, 1_498, false));
        assert_eq!(watchdog.look(ms(6_000)), trip(false, 1_000, true));
        let mut watchdog = self::watchdog();
        assert_eq!(watchdog.look(ms(4_000)), trip(true, 4_000, false));
        assert_eq!(watchdog.look(ms(8_000)), trip(true, 4_000, true));
    }

    #[test]
    fn a_long_quiet_time_forgives_everything() {
        let mut watchdog = watchdog();
        assert_eq!(watchdog.look(ms(4_000)), trip(true, 4_000, false));
        for at in (4_400..=605_000).step_by(400) {
            assert_eq!(watchdog.look(ms(at)), Look::InTime);
        }
        assert_eq!(watchdog.look(ms(609_000)), trip(true, 4_200, false));
    }
}
