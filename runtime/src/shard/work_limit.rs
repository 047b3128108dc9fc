// SPDX-License-Identifier: AGPL-3.0-only
//! Bounds the work of each part of a turn, so that a flood of datagrams cannot starve timers, nor a burst of starts the
//! socket.
//!
//! The bound is time, not a count, since an input costs between a microsecond and a millisecond depending on the
//! scenario. The clock is read once per several units.

use crate::clock::{Clock, Micros};

/// Time one part of a turn may take.
const BUDGET: Micros = Micros(1_000);

/// Units of work between two looks at the clock.
const UNITS_PER_LOOK: u32 = 16;

#[derive(Debug)]
pub(super) struct WorkLimit {
    until: Micros,
    units: u32,
    /// The time, as last read.
    now: Micros,
}

impl WorkLimit {
    pub(super) fn new(clock: &Clock) -> Self {
        let now = clock.now();
        Self {
            until: now.plus(BUDGET),
            units: 0,
            now,
        }
    }

    /// The time, not older than a few units of work.
    pub(super) fn now(&self) -> Micros {
        self.now
    }

    /// Counts one unit; false when the part should leave the rest for the next turn.
    pub(super) fn allow(&mut self, clock: &Clock) -> bool {
        self.units += 1;
        if !self.units.is_multiple_of(UNITS_PER_LOOK) {
            return true;
        }
        self.now = clock.now();
        self.now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_work_is_always_allowed_and_it_ends_at_a_look_at_the_clock() {
        let clock = Clock::start();
        let mut limit = WorkLimit {
            until: Micros(0),
            units: 0,
            now: Micros(0),
        };
        let allowed = std::iter::repeat_with(|| limit.allow(&clock))
            .take_while(|allowed| *allowed)
            .count();
        assert_eq!(allowed, UNITS_PER_LOOK as usize - 1);
        let mut limit = WorkLimit {
            until: Micros(u64::MAX),
            units: 0,
            now: Micros(0),
        };
        assert!((0..100).all(|_| limit.allow(&clock)));
    }
}
