// SPDX-License-Identifier: AGPL-3.0-only
//! When a shard takes its figures for tables: at multiples of the period since the run began, the same on all shards.

use gossipper_vm::Micros;

use super::Ending;
use super::Machine;
use super::run::Shard;
use crate::logs::rows::{Sample, State};
use crate::schedule::Schedule;

/// The next time that figures are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    shard: usize,
    /// Zero for none between the first and the last.
    period: Micros,
    next: Micros,
}

impl Sampling {
    /// For the shard with this place in its group.
    pub(crate) fn new(shard: usize, period: Micros) -> Self {
        Self {
            shard,
            period,
            next: Micros(0),
        }
    }

    /// When they are to be taken.
    pub(super) fn at(&self) -> Micros {
        self.next
    }

    /// Which instant this is: periods since the run began. Those that were slept through are passed over.
    fn index(&mut self, now: Micros) -> u64 {
        if self.period.0 == 0 {
            self.next = Micros(u64::MAX);
            return 0;
        }
        let index = now.0 / self.period.0;
        self.next = Micros(self.period.0.saturating_mul(index + 1));
        index
    }
}

impl<M: Machine> Shard<M> {
    /// Hands figures over if it is time to.
    pub(super) fn sample(&mut self, now: Micros) {
        if self.sampling.is_some_and(|sampling| now >= sampling.at()) {
            self.take_sample(now, None);
        }
    }

    /// Hands the last figures over.
    pub(super) fn last_sample(&mut self, ending: &Ending) {
        self.take_sample(self.core.clock.now(), Some(ending));
    }

    fn take_sample(&mut self, now: Micros, ending: Option<&Ending>) {
        let Some(sampling) = &mut self.sampling else {
            return;
        };
        let index = sampling.index(now);
        let schedule = self.core.schedule.as_ref();
        let sample = Sample {
            shard: sampling.shard,
            index,
            at: now,
            last: ending.is_some(),
            state: State {
                figures: self.core.stats.figures(),
                rate: schedule
                    .and_then(Schedule::pacer)
                    .map_or(0.0, |pacer| pacer.rate(now).per_second()),
                users: schedule.and_then(Schedule::users),
                fatal: matches!(ending, Some(Ending::Fatal(_) | Ending::TimeoutError(_))),
            },
        };
        let wall_us = self.core.clock.wall_us(now);
        self.core.logs.sample(wall_us, sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_multiples_of_the_period_whatever_was_slept_through() {
        let mut sampling = Sampling::new(0, Micros(1000));
        assert_eq!(sampling.at(), Micros(0));
        assert_eq!(
            (sampling.index(Micros(7)), sampling.at()),
            (0, Micros(1000))
        );
        assert_eq!(
            (sampling.index(Micros(1003)), sampling.at()),
            (1, Micros(2000))
        );
        assert_eq!(
            (sampling.index(Micros(5999)), sampling.at()),
            (5, Micros(6000))
        );
    }

    #[test]
    fn without_a_period_there_is_only_the_first() {
        let mut sampling = Sampling::new(0, Micros(0));
        assert_eq!(sampling.index(Micros(7)), 0);
        assert_eq!(sampling.at(), Micros(u64::MAX));
    }
}
