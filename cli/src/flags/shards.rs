// SPDX-License-Identifier: AGPL-3.0-only
//! `-shards`: threads that run calls, and how many there are where nobody says so.

use gossipper_runtime::config::PacingConfig;
use gossipper_runtime::pacing::Rate;

/// Most threads that run calls. The first reads for all, and is busy with that long before.
const MAX: usize = 64;

/// Calls per second up to which one thread runs them. What a core carries of `uac` is half as much again
/// (docs/performance.md#clean-rate).
const PER_SHARD: f64 = 100_000.0;

/// `-shards`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shards {
    /// As many as the process may use processors.
    Auto,
    /// So many.
    Count(usize),
}

impl Shards {
    /// Reads the value of the flag.
    ///
    /// # Errors
    /// Says what it may be.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(count @ 1..=MAX) => Ok(Self::Count(count)),
            _ if text == "auto" => Ok(Self::Auto),
            _ => Err(format!("a number from 1 to {MAX}, or `auto`")),
        }
    }

    /// How many.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Auto => processors().min(MAX),
            Self::Count(count) => count,
        }
    }
}

/// Processors that the process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many threads a run of these rates has, unless it is told.
///
/// What one core carries is cheapest on one (docs/adr/0012). Beyond that there is one for each 100 000 calls a second, but
/// for half of the processors: the others are for what answers, the kernel, and the logs. With a number of calls at a time
/// (`-users`) or a server nothing says how fast calls will come: those have one.
pub(crate) fn for_rates(pacing: &PacingConfig, server: bool, processors: usize) -> usize {
    if server || pacing.users.is_some() {
        return 1;
    }
    let steps_to = pacing.ramp.and_then(|ramp| ramp.max);
    let peak = match &pacing.profile {
        Some(profile) => profile.peak(),
        None => {
            let ramp = steps_to.map_or(0.0, |max| {
                Rate::new(max, pacing.rate.period_ms()).per_second()
            });
            pacing.rate.per_second().max(ramp)
        }
    };
    // Not a number, and what is too large for one, becomes a bound.
    let wanted = (peak / PER_SHARD).ceil() as usize;
    wanted.clamp(1, (processors / 2).clamp(1, MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_runtime::pacing::Ramp;
    use gossipper_runtime::profile::{Point, RateProfile};
    use gossipper_vm::Micros;
    use std::sync::Arc;

    fn pacing(calls: f64, period_ms: u64) -> PacingConfig {
        PacingConfig {
            rate: Rate::new(calls, period_ms),
            ..PacingConfig::default()
        }
    }

    #[test]
    fn the_flag_takes_a_number_or_auto() {
        assert_eq!(Shards::parse("3"), Ok(Shards::Count(3)));
        assert_eq!(Shards::parse("auto"), Ok(Shards::Auto));
        for bad in ["0", "65", "-1", "many", ""] {
            assert!(
                Shards::parse(bad).is_err_and(|error| error.contains("1 to 64")),
                "{bad}"
            );
        }
        assert!((1..=MAX).contains(&Shards::Auto.count()));
    }

    #[test]
    fn there_is_one_for_what_one_core_carries_and_more_beyond() {
        let of =
            |calls, period_ms, processors| for_rates(&pacing(calls, period_ms), false, processors);
        assert_eq!(of(10.0, 1_000, 64), 1);
        assert_eq!(of(100_000.0, 1_000, 64), 1);
        assert_eq!(of(100_001.0, 1_000, 64), 2);
        assert_eq!(of(100_001.0, 10_000, 64), 1, "that is a tenth of it");
        assert_eq!(of(350_000.0, 1_000, 64), 4);
        assert_eq!(of(350_000.0, 1_000, 4), 2, "half of the processors");
        assert_eq!(of(350_000.0, 1_000, 2), 1);
        assert_eq!(of(350_000.0, 1_000, 1), 1);
        assert_eq!(of(1e9, 1_000, 1_000), MAX);
        assert_eq!(for_rates(&pacing(350_000.0, 1_000), true, 64), 1, "server");
    }

    #[test]
    fn rates_that_change_count_with_their_highest() {
        let ramp = |max| PacingConfig {
            ramp: Some(Ramp {
                step: 1_000.0,
                every: Micros(1_000_000),
                max,
                ends: false,
            }),
            ..pacing(1_000.0, 500)
        };
        assert_eq!(for_rates(&ramp(Some(120_000.0)), false, 64), 3);
        assert_eq!(for_rates(&ramp(None), false, 64), 1);
        let point = |at_us, per_second| Point { at_us, per_second };
        let points = [point(0, 10.0), point(60_000_000, 250_000.0)];
        let curve = PacingConfig {
            profile: Some(Arc::new(RateProfile::new(&points).expect("a curve"))),
            ..pacing(10.0, 1_000)
        };
        assert_eq!(for_rates(&curve, false, 64), 3);
        let users = PacingConfig {
            users: Some(5),
            ..pacing(350_000.0, 1_000)
        };
        assert_eq!(for_rates(&users, false, 64), 1);
    }
}
