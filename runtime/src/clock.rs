// SPDX-License-Identifier: AGPL-3.0-only
//! The one clock of a run.
//!
//! Everything below the runtime counts microseconds since the run began ([`Micros`]); only here do they come from the
//! monotonic clock, and only here is the wall clock read, once, so that a step of the system time cannot bend a
//! schedule or a response time. All shards of a run share one `Clock`, hence their times compare.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use gossipper_vm::Micros;

/// Reads microseconds since the run began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall_base_us: u64,
}

impl Clock {
    /// A clock that reads zero now.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self {
            start: Instant::now(),
            wall_base_us: saturating_micros(wall),
        }
    }

    /// Time since the run began.
    #[must_use]
    pub fn now(&self) -> Micros {
        Micros(saturating_micros(self.start.elapsed()))
    }

    /// How long it is until `at`; zero if that has passed.
    #[must_use]
    pub fn until(&self, at: Micros) -> Duration {
        Duration::from_micros(at.since(self.now()).0)
    }

    /// The wall clock when the run began, in microseconds since the epoch.
    #[must_use]
    pub fn wall_base_us(&self) -> u64 {
        self.wall_base_us
    }

    /// What the wall clock would read at `at`, in microseconds since the epoch, had it not been stepped since.
    #[must_use]
    pub fn wall_us(&self, at: Micros) -> u64 {
        self.wall_base_us.saturating_add(at.0)
    }

    /// The instant of `at`, for a sleep of the operating system.
    #[must_use]
    pub fn instant(&self, at: Micros) -> Instant {
        // A deadline beyond what an Instant holds is as good as a year.
        let far = Duration::from_secs(365 * 24 * 3600);
        self.start + Duration::from_micros(at.0).min(far)
    }
}

fn saturating_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_runs_backwards_and_wall_time_follows_it() {
        let clock = Clock::start();
        let (a, b) = (clock.now(), clock.now());
        assert!(a.0 <= b.0);
        assert_eq!(clock.wall_us(Micros(5)), clock.wall_base_us() + 5);
        assert!(clock.instant(Micros(u64::MAX)) > clock.instant(Micros(0)));
    }
}
