// SPDX-License-Identifier: AGPL-3.0-only
//! What a shard counts and measures.
//!
//! Each shard owns one [`Stats`]; nothing in it is shared or locked. It is fed with the machine's [`StatEvent`]s alone
//! and copied into an [`EngineSnapshot`] when one is wanted. Memory is bounded by the
//! scenario's tables: a sample goes into a histogram, never into a list.
//!
//! Invariants: created = succeeded + failed + current; failures by reason add up to failed.
//! What counts as what is as in SIPp. Response times are kept twice, from when the timer started and from
//! when it was due, so that a generator that falls behind cannot flatter the peer (docs/adr/0007).

mod counters;
mod figures;
mod histogram;
mod repartition;
mod rtd;
mod snapshot;
mod sums;

pub use counters::{Counters, StepCounters};
pub(crate) use figures::{Figures, TimerFigures};
pub use histogram::Times;
pub use repartition::RepartitionTable;
pub use rtd::RtdStats;
pub(crate) use sums::Sums;

use gossipper_bytecode::Program;
use gossipper_control::EngineSnapshot;
use gossipper_control::measures::{self, Distribution};
use gossipper_vm::{CallEnd, Micros, StatEvent};

/// Counters and histograms of one scenario on one shard.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Everything that is only counted.
    pub counters: Counters,
    rtds: Vec<RtdStats>,
    call_length: Times,
    call_length_cells: Option<RepartitionTable>,
    /// In whole milliseconds.
    call_length_ms: Sums,
    call_length_us: Sums,
    invite_us: Sums,
    /// What of that came before the figures were last cleared.
    invite_us_before: Sums,
    lateness: Times,
    layout: EngineSnapshot,
}

impl Stats {
    /// Empty statistics for a program.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        Self {
            counters: Counters::new(program.steps.len(), program.counters.len()),
            rtds: program
                .rtds
                .iter()
                .map(|rtd| RtdStats::new(&rtd.borders_ms))
                .collect(),
            call_length: Times::default(),
            call_length_cells: RepartitionTable::new(&program.call_length_borders_ms),
            call_length_ms: Sums::default(),
            call_length_us: Sums::default(),
            invite_us: Sums::default(),
            invite_us_before: Sums::default(),
            lateness: Times::default(),
            layout: snapshot::layout(program),
        }
    }

    /// Counts one event that happened at `now`.
    pub fn apply(&mut self, now: Micros, event: &StatEvent) {
        self.counters.apply(now, event);
        match event {
            // Only a scheduled call can be late; the first message of an incoming one is its due time.
            &StatEvent::Created {
                incoming: false,
                late,
            } => self.lateness.record(late),
            &StatEvent::Rtd { rtd, took, late } => {
                if let Some(stats) = self.rtds.get_mut(rtd.index()) {
                    stats.record(took, late);
                }
            }
            &StatEvent::Ended {
                length,
                end: CallEnd::Success | CallEnd::Failure(_),
            } => {
                self.call_length.record(length);
                self.call_length_ms.record(length.as_ms());
                self.call_length_us.record(length.0);
                if let Some(cells) = &mut self.call_length_cells {
                    cells.record(length);
                }
            }
            StatEvent::Created { incoming: true, .. }
            | StatEvent::Sent { .. }
            | StatEvent::Retransmitted { .. }
            | StatEvent::Received { .. }
            | StatEvent::ReceivedAgain { .. }
            | StatEvent::Lost { .. }
            | StatEvent::TimedOut { .. }
            | StatEvent::Unexpected { .. }
            | StatEvent::Paused { .. }
            | StatEvent::Shown { .. }
            | StatEvent::Counter { .. }
            | StatEvent::OutOfCall
            | StatEvent::DeadCall
            | StatEvent::AutoAnswered
            | StatEvent::Discarded
            | StatEvent::MediaSkipped
            | StatEvent::KeepAlive => {}
        }
    }

    /// Counts what another shard of the same program has counted too.
    pub fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        for (into, rtd) in self.rtds.iter_mut().zip(&other.rtds) {
            into.add(rtd);
        }
        self.call_length.add(&other.call_length);
        if let (Some(cells), Some(others)) = (&mut self.call_length_cells, &other.call_length_cells)
        {
            cells.add(others);
        }
        self.call_length_ms.add(&other.call_length_ms);
        self.call_length_us.add(&other.call_length_us);
        self.invite_us.add(&other.invite_us);
        self.invite_us_before.add(&other.invite_us_before);
        self.lateness.add(&other.lateness);
    }

    /// Counts the times that wait for it, before somebody reads figures: else they would be counted for each reader.
    pub(crate) fn settle(&mut self) {
        self.call_length.settle();
        self.lateness.settle();
        self.rtds.iter_mut().for_each(RtdStats::settle);
    }

    /// Lengths of calls.
    pub(crate) fn call_length(&self) -> Distribution {
        self.call_length.distribution()
    }

    /// How much later than scheduled calls began.
    pub(crate) fn lateness(&self) -> Distribution {
        self.lateness.distribution()
    }

    /// The name of the scenario.
    pub(crate) fn scenario(&self) -> &str {
        &self.layout.scenario
    }

    /// The names of the scenario's steps.
    pub(crate) fn steps(&self) -> Vec<String> {
        let steps = self.layout.steps.iter();
        steps.map(|step| step.name.clone()).collect()
    }

    /// The scenario's timers with their names.
    pub(crate) fn timers(&self) -> impl Iterator<Item = (String, measures::Times)> {
        let names = self.layout.response_times.iter();
        names
            .map(|timer| timer.name.clone())
            .zip(self.rtds.iter().map(RtdStats::times))
    }

    /// Begins to count anew; calls that are open stay counted.
    pub fn clear(&mut self, now: Micros) {
        self.counters.clear(now);
        for rtd in &mut self.rtds {
            rtd.clear();
        }
        self.call_length.clear();
        if let Some(cells) = &mut self.call_length_cells {
            cells.clear();
        }
        self.invite_us_before = self.invite_us;
        self.lateness.clear();
        self.layout.counted_since_us = now.0;
    }

    /// Calls open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.counters.current()
    }

    /// Calls created so far, whatever was cleared.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.counters.created_ever()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_bytecode::{CounterId, FailReason, RtdId, StepId};
    use proptest::prelude::*;

    fn events() -> impl Strategy<Value = StatEvent> {
        let step = (0..6_u16).prop_map(StepId);
        prop_oneof![
            (any::<bool>(), any::<u32>()).prop_map(|(incoming, late)| StatEvent::Created {
                incoming,
                late: Micros(late.into())
            }),
            (0..=FailReason::COUNT, 0..5_000_000_u64).prop_map(|(at, length)| StatEvent::Ended {
                end: FailReason::ALL
                    .get(at)
                    .map_or(CallEnd::Success, |reason| CallEnd::Failure(*reason)),
                length: Micros(length),
            }),
            step.clone().prop_map(|step| StatEvent::Sent { step }),
            step.clone()
                .prop_map(|step| StatEvent::Retransmitted { step }),
            (step.clone(), any::<bool>()).prop_map(|(step, answers_invite)| {
                StatEvent::Received {
                    step,
                    answers_invite,
                }
            }),
            step.clone()
                .prop_map(|step| StatEvent::ReceivedAgain { step }),
            step.clone().prop_map(|step| StatEvent::Lost { step }),
            step.clone().prop_map(|step| StatEvent::TimedOut { step }),
            step.clone()
                .prop_map(|step| StatEvent::Unexpected { step, code: 0 }),
            step.clone().prop_map(|step| StatEvent::Paused { step }),
            step.prop_map(|step| StatEvent::Shown { step }),
            (0..4_u16, 0..5_000_000_u64, 0..9_000_u32).prop_map(|(rtd, took, late)| {
                StatEvent::Rtd {
                    rtd: RtdId(rtd),
                    took: Micros(took),
                    late: Micros(late.into()),
                }
            }),
            (0..4_u16).prop_map(|counter| StatEvent::Counter {
                counter: CounterId(counter)
            }),
            Just(StatEvent::OutOfCall),
            Just(StatEvent::DeadCall),
            Just(StatEvent::AutoAnswered),
            Just(StatEvent::Discarded),
            Just(StatEvent::KeepAlive),
        ]
    }

    fn stats() -> Stats {
        Stats {
            counters: Counters::new(5, 3),
            rtds: vec![RtdStats::new(&[10, 20]), RtdStats::new(&[])],
            call_length: Times::default(),
            call_length_cells: RepartitionTable::new(&[100]),
            call_length_ms: Sums::default(),
            call_length_us: Sums::default(),
            invite_us: Sums::default(),
            invite_us_before: Sums::default(),
            lateness: Times::default(),
            layout: EngineSnapshot {
                response_times: vec![Default::default(); 2],
                ..EngineSnapshot::default()
            },
        }
    }

    proptest! {
        #[test]
        fn created_is_succeeded_and_failed_and_current(events in proptest::collection::vec(events(), 0..200)) {
            let mut stats = stats();
            let mut open = 0_u64;
            let mut ended = 0_u64;
            for (at, event) in events.into_iter().enumerate() {
                match event {
                    StatEvent::Created { .. } => open += 1,
                    // The machine ends only what it created.
                    StatEvent::Ended { .. } if open == 0 => continue,
                    StatEvent::Ended { .. } => (open, ended) = (open - 1, ended + 1),
                    _ => {}
                }
                stats.apply(Micros(at as u64), &event);
                let counters = &stats.counters;
                prop_assert_eq!(counters.created(), counters.succeeded() + counters.failed() + counters.current());
                prop_assert_eq!(stats.open(), open);
            }
            let snapshot = stats.snapshot();
            let calls = snapshot.calls;
            prop_assert_eq!(calls.created(), calls.succeeded + calls.failed + calls.current);
            prop_assert_eq!(calls.current, open);
            prop_assert_eq!(snapshot.failures.iter().map(|f| f.count).sum::<u64>(), calls.failed);
            prop_assert!(calls.peak >= calls.current);
            prop_assert_eq!(snapshot.call_length.count, ended);
            let cells = snapshot.call_length_repartition.expect("it has borders");
            prop_assert_eq!(cells.cells.iter().map(|c| c.count).sum::<u64>(), ended);
            prop_assert_eq!(snapshot.lateness.count, calls.outgoing);
        }
    }

    #[test]
    fn answers_of_invites_are_averaged_since_the_figures_were_cleared() {
        let (mut stats, mut other) = (stats(), stats());
        stats.invite_answered(Micros(400));
        stats.clear(Micros(1));
        for us in [10, 30] {
            stats.invite_answered(Micros(us));
        }
        other.invite_answered(Micros(50));
        stats.add(&other);
        let invite = stats.snapshot().invite;
        assert_eq!((invite.count, invite.mean_us), (3, 30.0));
        assert_eq!(invite.stdev_us, 20.0);
    }

    #[test]
    fn a_late_generator_shows_in_the_times_from_due_and_not_in_the_actual_ones() {
        let mut stats = stats();
        let (took, late) = (Micros::from_ms(5), Micros::from_ms(95));
        stats.apply(
            Micros(0),
            &StatEvent::Created {
                incoming: false,
                late,
            },
        );
        stats.apply(
            Micros(0),
            &StatEvent::Rtd {
                rtd: RtdId(0),
                took,
                late,
            },
        );
        let snapshot = stats.snapshot();
        let rtd = &snapshot.response_times[0];
        assert_eq!(
            (rtd.actual.max_us / 100, rtd.from_due.max_us / 1000),
            (50, 100)
        );
        assert_eq!(snapshot.lateness.max_us / 1000, 95);
        let cells = rtd.repartition.as_ref().expect("it has borders");
        assert_eq!(
            cells.cells.iter().map(|c| c.count).collect::<Vec<_>>(),
            [1, 0, 0]
        );
    }
}
