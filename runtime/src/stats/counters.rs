// SPDX-License-Identifier: AGPL-3.0-only
//! Everything that is only counted: calls, failures by reason, messages, steps.
//!
//! What counts as what is as in SIPp; retransmissions are ours only, as in SIPp's statistics.

use gossipper_bytecode::{FailReason, StepId};
use gossipper_vm::{CallEnd, Micros, StatEvent};

/// Counters of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepCounters {
    /// Messages sent or received, pauses begun; repetitions not counted.
    pub messages: u64,
    /// Repetitions, ours or the peer's.
    pub retransmissions: u64,
    /// Timeouts.
    pub timeouts: u64,
    /// Messages that did not fit.
    pub unexpected: u64,
    /// Messages dropped on purpose.
    pub lost: u64,
}

/// Counters of one scenario.
#[derive(Debug, Clone)]
pub struct Counters {
    pub(crate) outgoing: u64,
    pub(crate) incoming: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: [u64; FailReason::COUNT],
    /// Calls that were created and have not ended.
    current: u64,
    /// Calls that were counted before the figures were last cleared, and had ended.
    forgotten: u64,
    pub(crate) peak: u64,
    pub(crate) peak_at: Micros,
    pub(crate) steps: Vec<StepCounters>,
    pub(crate) user: Vec<u64>,
    pub(crate) messages: gossipper_control::MessageCounts,
}

impl Counters {
    /// All zero, for a scenario with this many steps and user counters.
    #[must_use]
    pub fn new(steps: usize, user_counters: usize) -> Self {
        Self {
            outgoing: 0,
            incoming: 0,
            succeeded: 0,
            failed: [0; FailReason::COUNT],
            current: 0,
            forgotten: 0,
            peak: 0,
            peak_at: Micros(0),
            steps: vec![StepCounters::default(); steps],
            user: vec![0; user_counters],
            messages: gossipper_control::MessageCounts::default(),
        }
    }

    /// Calls created, both ways.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.outgoing + self.incoming
    }

    /// Calls that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.iter().sum()
    }

    /// Calls that ended well.
    #[must_use]
    pub fn succeeded(&self) -> u64 {
        self.succeeded
    }

    /// Calls open now.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.current
    }

    /// Counts a warning of the machine or of an action.
    pub fn warning(&mut self) {
        self.messages.warnings += 1;
    }

    /// Counts a trip of the watchdog.
    pub fn tripped(&mut self, major: bool) {
        if major {
            self.messages.watchdog_major += 1;
        } else {
            self.messages.watchdog_minor += 1;
        }
    }

    /// Calls created since the beginning, whatever was cleared since.
    #[must_use]
    pub fn created_ever(&self) -> u64 {
        self.forgotten + self.created()
    }

    /// Clears what is counted of calls, messages and steps. Calls that are open count as created, so that the figures still
    /// add up; what is counted of the whole process stays.
    // COMPAT(sipp): there the open calls are forgotten too, and their number wraps below zero when they end
    // (docs/compat.md#clearing-statistics).
    pub(super) fn clear(&mut self, now: Micros) {
        let open = self.current();
        let incoming = if self.outgoing == 0 {
            open
        } else {
            open.min(self.incoming)
        };
        let kept = self.messages;
        *self = Self {
            forgotten: self.created_ever() - open,
            incoming,
            outgoing: open - incoming,
            current: open,
            peak: open,
            peak_at: now,
            messages: gossipper_control::MessageCounts {
                out_of_call: kept.out_of_call,
                dead_call: kept.dead_call,
                auto_answered: kept.auto_answered,
                discarded: kept.discarded,
                keep_alives: kept.keep_alives,
                warnings: kept.warnings,
                watchdog_minor: kept.watchdog_minor,
                watchdog_major: kept.watchdog_major,
                ..gossipper_control::MessageCounts::default()
            },
            ..Self::new(self.steps.len(), self.user.len())
        };
    }

    /// So many calls are open on all shards together.
    pub fn peak_of(&mut self, open: u64, now: Micros) {
        if open > self.peak {
            (self.peak, self.peak_at) = (open, now);
        }
    }

    /// Counts what another shard has counted too. The peak is the highest that any has seen over all.
    pub(super) fn add(&mut self, other: &Self) {
        self.outgoing += other.outgoing;
        self.incoming += other.incoming;
        self.succeeded += other.succeeded;
        self.current += other.current;
        for (into, count) in self.failed.iter_mut().zip(&other.failed) {
            *into += count;
        }
        self.peak_of(other.peak, other.peak_at);
        for (into, step) in self.steps.iter_mut().zip(&other.steps) {
            into.messages += step.messages;
            into.retransmissions += step.retransmissions;
            into.timeouts += step.timeouts;
            into.unexpected += step.unexpected;
            into.lost += step.lost;
        }
        for (into, count) in self.user.iter_mut().zip(&other.user) {
            *into += count;
        }
        let (into, from) = (&mut self.messages, &other.messages);
        into.sent += from.sent;
        into.received += from.received;
        into.retransmitted += from.retransmitted;
        into.received_again += from.received_again;
        into.lost += from.lost;
        into.timeouts += from.timeouts;
        into.unexpected += from.unexpected;
        into.out_of_call += from.out_of_call;
        into.dead_call += from.dead_call;
        into.auto_answered += from.auto_answered;
        into.discarded += from.discarded;
        into.media_skipped += from.media_skipped;
        into.keep_alives += from.keep_alives;
        into.warnings += from.warnings;
        into.watchdog_minor += from.watchdog_minor;
        into.watchdog_major += from.watchdog_major;
    }

    pub(crate) fn apply(&mut self, now: Micros, event: &StatEvent) {
        let messages = &mut self.messages;
        match *event {
            StatEvent::Created { incoming, late: _ } => {
                *(if incoming {
                    &mut self.incoming
                } else {
                    &mut self.outgoing
                }) += 1;
                self.current += 1;
                if self.current > self.peak {
                    (self.peak, self.peak_at) = (self.current, now);
                }
            }
            StatEvent::Ended { end, .. } => {
                // More calls never end than were created; figures would be off by one rather than by 2^64.
                self.current = self.current.saturating_sub(1);
                match end {
                    CallEnd::Success => self.succeeded += 1,
                    CallEnd::Failure(reason) => self.failed[reason.index()] += 1,
                }
            }
            StatEvent::Sent { step } => {
                messages.sent += 1;
                self.step(step, |s| &mut s.messages);
            }
            StatEvent::Received { step, .. } => {
                messages.received += 1;
                self.step(step, |s| &mut s.messages);
            }
            StatEvent::Retransmitted { step } => {
                messages.retransmitted += 1;
                self.step(step, |s| &mut s.retransmissions);
            }
            StatEvent::ReceivedAgain { step } => {
                messages.received_again += 1;
                self.step(step, |s| &mut s.retransmissions);
            }
            StatEvent::Lost { step } => {
                messages.lost += 1;
                self.step(step, |s| &mut s.lost);
            }
            StatEvent::TimedOut { step } => {
                messages.timeouts += 1;
                self.step(step, |s| &mut s.timeouts);
            }
            StatEvent::Unexpected { step, code: _ } => {
                messages.unexpected += 1;
                self.step(step, |s| &mut s.unexpected);
            }
            StatEvent::Paused { step } | StatEvent::Shown { step } => {
                self.step(step, |s| &mut s.messages);
            }
            StatEvent::Counter { counter } => {
                if let Some(count) = self.user.get_mut(counter.index()) {
                    *count += 1;
                }
            }
            StatEvent::OutOfCall => messages.out_of_call += 1,
            StatEvent::DeadCall => messages.dead_call += 1,
            StatEvent::AutoAnswered => messages.auto_answered += 1,
            StatEvent::Discarded => messages.discarded += 1,
            StatEvent::MediaSkipped => messages.media_skipped += 1,
            StatEvent::KeepAlive => messages.keep_alives += 1,
            // Measured, not counted.
            StatEvent::Rtd { .. } => {}
        }
    }

    fn step(&mut self, step: StepId, field: impl FnOnce(&mut StepCounters) -> &mut u64) {
        if let Some(counters) = self.steps.get_mut(step.index()) {
            *field(counters) += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_remembers_when_it_was_first_reached() {
        let mut counters = Counters::new(0, 0);
        let created = StatEvent::Created {
            incoming: true,
            late: Micros(0),
        };
        let ended = StatEvent::Ended {
            end: CallEnd::Success,
            length: Micros(1),
        };
        for (at, event) in [created, created, ended, created, ended, ended]
            .into_iter()
            .enumerate()
        {
            counters.apply(Micros(at as u64), &event);
        }
        assert_eq!(
            (counters.peak, counters.peak_at, counters.current()),
            (2, Micros(1), 0)
        );
    }

    #[test]
    fn cleared_figures_still_add_up_and_forget_no_open_call() {
        let mut counters = Counters::new(1, 1);
        for _ in 0..5 {
            counters.apply(
                Micros(0),
                &StatEvent::Created {
                    incoming: false,
                    late: Micros(0),
                },
            );
        }
        let ended = StatEvent::Ended {
            end: CallEnd::Success,
            length: Micros(1),
        };
        counters.apply(Micros(1), &ended);
        counters.apply(Micros(1), &ended);
        counters.warning();
        counters.clear(Micros(9));
        assert_eq!((counters.created(), counters.current()), (3, 3));
        assert_eq!((counters.succeeded(), counters.created_ever()), (0, 5));
        assert_eq!((counters.peak, counters.peak_at), (3, Micros(9)));
        assert_eq!(counters.messages.warnings, 1, "of the process");
        for _ in 0..3 {
            counters.apply(Micros(10), &ended);
        }
        assert_eq!((counters.current(), counters.succeeded()), (0, 3));
        counters.clear(Micros(11));
        assert_eq!((counters.created(), counters.created_ever()), (0, 5));
    }

    #[test]
    fn steps_count_by_what_happened_to_them() {
        let mut counters = Counters::new(2, 1);
        let step = StepId(1);
        for event in [
            StatEvent::Sent { step },
            StatEvent::Retransmitted { step },
            StatEvent::Retransmitted { step },
            StatEvent::TimedOut { step },
            StatEvent::Unexpected { step, code: 486 },
            StatEvent::Lost { step },
            StatEvent::Sent { step: StepId(7) },
        ] {
            counters.apply(Micros(0), &event);
        }
        let expected = StepCounters {
            messages: 1,
            retransmissions: 2,
            timeouts: 1,
            unexpected: 1,
            lost: 1,
        };
        assert_eq!(counters.steps, [StepCounters::default(), expected]);
        assert_eq!(
            counters.messages.sent, 2,
            "a step the program does not have is still a message"
        );
    }
}
