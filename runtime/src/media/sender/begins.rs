// SPDX-License-Identifier: AGPL-3.0-only
//! When each stream of the sender begins: a number that follows from its place alone, so that threads need not agree.

use std::sync::Arc;

use crate::pacing::{Ramp, Rate};
use crate::profile::RateProfile;

/// When streams begin.
#[derive(Debug, Clone)]
pub enum Begins {
    /// All within one packet, evenly.
    AtOnce,
    /// So many in a time.
    Rate(Rate),
    /// And more, or fewer, with every step. Who has come to the top stays there.
    Ramp(Rate, Ramp),
    /// Along a curve.
    Profile(Arc<RateProfile>),
}

impl Begins {
    /// When stream `index` (from 0) of `count` begins, in µs; `None` if it never does.
    pub(super) fn at_us(&self, index: usize, count: usize, period_us: u64) -> Option<u64> {
        let (index, count) = (index as u64, count.max(1) as u64);
        match self {
            Self::AtOnce => Some(period_us.saturating_mul(index) / count),
            Self::Rate(rate) => {
                let us = index as f64 / rate.per_second() * 1e6;
                // Nothing begins at a rate of zero but the first.
                us.is_finite().then_some(us as u64)
            }
            Self::Ramp(rate, ramp) => climbed(*rate, *ramp, index),
            Self::Profile(curve) => curve.due_us(index + 1),
        }
    }
}

/// When so many have begun at a rate that climbs by steps. Between two steps it is a straight line, and the sum of the lines
/// is one of squares, so that the step is found by halving.
fn climbed(rate: Rate, ramp: Ramp, index: u64) -> Option<u64> {
    if index == 0 {
        return Some(0);
    }
    let per_second = |calls: f64| calls * 1000.0 / rate.period_ms() as f64;
    let (first, step) = (rate.per_second(), per_second(ramp.step));
    let top = match ramp.max {
        Some(max) if step > 0.0 => Some(per_second(max)),
        _ if step < 0.0 => Some(0.0),
        _ => None,
    };
    // A step lasts a millisecond at least, as it does for calls.
    let every = (ramp.every.0.max(1000)) as f64 / 1e6;
    // Steps before the top, of which each is at its own rate.
    let climbing = match top {
        // Who begins beyond the top is there.
        Some(top) if (top - first) / step < 0.0 => 0,
        // A float beyond the range saturates.
        Some(top) => (((top - first) / step).floor() as u32).saturating_add(1),
        None => u32::MAX,
    };
    let begun = |steps: u32| {
        let steps = f64::from(steps);
        every * (first * steps + step * steps * (steps - 1.0) / 2.0)
    };
    let wanted = index as f64;
    // `low` steps are too few, `high` ones are enough, or there are no more.
    let (mut low, mut high) = (0, climbing);
    if begun(high) < wanted {
        low = high;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if begun(middle) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    let at = match top {
        Some(top) if low == climbing => top,
        _ => first + step * f64::from(low),
    };
    let left = wanted - begun(low);
    let seconds = f64::from(low) * every + if left > 0.0 { left / at } else { 0.0 };
    // Nothing more begins at a rate of zero.
    seconds.is_finite().then_some((seconds * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Micros;

    fn begins(rate: f64, period_ms: u64, step: f64, every_ms: u64, max: Option<f64>) -> Begins {
        let ramp = Ramp {
            step,
            every: Micros(every_ms * 1000),
            max,
            ends: false,
        };
        Begins::Ramp(Rate::new(rate, period_ms), ramp)
    }

    fn all(begins: &Begins, count: usize) -> Vec<Option<u64>> {
        let at = |index| Some(begins.at_us(index, count, 20_000)? / 1000);
        (0..count).map(at).collect()
    }

    #[test]
    fn streams_begin_faster_with_every_step_up_to_the_top() {
        // 2 in the first second, 4 in the next, 5 in each behind it.
        let begins = begins(2.0, 1000, 2.0, 1000, Some(5.0));
        let expected = [
            0, 500, 1000, 1250, 1500, 1750, 2000, 2200, 2400, 2600, 2800, 3000, 3200,
        ];
        assert_eq!(all(&begins, 13), expected.map(Some));
        // They never go back, and their number is that of the rates.
        let mut before = 0;
        for index in 0..32_767 {
            let at = begins.at_us(index, 1, 0).expect("it begins");
            assert!(at >= before, "{index}");
            before = at;
        }
        assert_eq!(before / 1_000_000, 2 + (32_766 - 6) / 5);
    }

    #[test]
    fn a_rate_that_falls_to_zero_begins_no_more() {
        let begins = begins(4.0, 2000, -1.0, 2000, None);
        // 4, 3, 2 and 1 in two seconds each.
        let found = all(&begins, 13);
        assert_eq!(found[..5], [0, 500, 1000, 1500, 2000].map(Some));
        assert_eq!(found[9], Some(6000));
        assert_eq!((found[10], found[11]), (Some(8000), None));
    }

    #[test]
    fn steps_without_a_top_are_found_however_many_there_are() {
        let begins = begins(0.0, 1000, 0.001, 1, None);
        let at = begins.at_us(32_766, 1, 0).expect("it begins");
        // Half the square of the time, times a step a millisecond: 1 call/s more each second.
        let expected = (2.0f64 * 32_766.0).sqrt();
        assert!((at as f64 / 1e6 - expected).abs() < 0.01, "{at}");
        // Above the top from the beginning.
        let above = super::tests::begins(9.0, 1000, 1.0, 1000, Some(2.0));
        assert_eq!(above.at_us(4, 9, 0), Some(2_000_000));
    }
}
