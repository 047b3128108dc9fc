// SPDX-License-Identifier: AGPL-3.0-only
//! What keeps a shard from doing what it was asked to: the processor, a socket's buffer, the limit of open calls.
//!
//! A generator that falls behind looks, from outside, like a peer that is slow; so it says itself that it does, and why.
//! Judged once per publication, from what has happened since the last. Pure: times and counters in, a [`LimitSnapshot`] out.

use gossipper_control::{Limit, LimitSnapshot, TransportCounts};

use crate::clock::Micros;

/// A start that is due for longer than this has not been made for want of time: more than coalescing and the system's
/// scheduler explain.
const BEHIND: Micros = Micros(10_000);

/// A shard that slept for less than this part of the time had no time to spare.
const SPARE_PART: u64 = 20;

/// What has happened so far, as far as it matters here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// When the next call is due.
    pub(super) next_due: Option<Micros>,
    /// Time spent waiting.
    pub(super) idle: Micros,
    /// Calls not begun because of the limit of open calls.
    pub(super) held_back: u64,
    pub(super) counts: TransportCounts,
}

/// Judges by differences.
#[derive(Debug, Default)]
pub(super) struct Strain {
    at: Micros,
    before: Seen,
    limits: LimitSnapshot,
}

impl Strain {
    /// What limits the shard now, and what has for how long. Judges only while calls are opened.
    pub(super) fn judge(&mut self, now: Micros, seen: Seen, opening: bool) -> LimitSnapshot {
        let period = now.since(self.at);
        if period == Micros(0) {
            return self.limits;
        }
        let limit = opening.then(|| self.limit(now, period, &seen)).flatten();
        self.limits.now = limit;
        if let Some(limit) = limit {
            *self.limits.lasted_mut(limit) += period.0;
        }
        (self.at, self.before) = (now, seen);
        self.limits
    }

    fn limit(&self, now: Micros, period: Micros, seen: &Seen) -> Option<Limit> {
        let grew =
            |count: fn(&TransportCounts) -> u64| count(&seen.counts) > count(&self.before.counts);
        let idle = seen.idle.since(self.before.idle).0;
        let spent = idle < period.0 / SPARE_PART;
        if seen.next_due.is_some_and(|due| now.since(due) > BEHIND) {
            return Some(Limit::Cpu);
        }
        if seen.held_back > self.before.held_back {
            // Calls pile up where nobody has the time to end them.
            return Some(if spent { Limit::Cpu } else { Limit::OpenCalls });
        }
        if grew(|counts| counts.congested + counts.send_dropped) {
            return Some(Limit::SendBuffer);
        }
        if grew(|counts| counts.handover_dropped) {
            return Some(Limit::Cpu);
        }
        if grew(|counts| counts.recv_dropped) {
            return Some(if spent { Limit::Cpu } else { Limit::RecvBuffer });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: u64 = 200_000;

    /// A shard that sleeps half of the time and has nothing to complain of.
    fn well(periods: u64) -> Seen {
        Seen {
            next_due: Some(Micros(periods * PERIOD + 100)),
            idle: Micros(periods * PERIOD / 2),
            ..Seen::default()
        }
    }

    /// What is judged at the end of the second period.
    fn judged(change: impl FnOnce(&mut Seen)) -> Option<Limit> {
        let mut strain = Strain::default();
        assert_eq!(strain.judge(Micros(PERIOD), well(1), true).now, None);
        let mut seen = well(2);
        change(&mut seen);
        strain.judge(Micros(2 * PERIOD), seen, true).now
    }

    /// It has slept for no more than a hundredth of the second period.
    fn no_sleep(seen: &mut Seen) {
        seen.idle = Micros(PERIOD / 2 + PERIOD / 100);
    }

    #[test]
    fn a_shard_that_works_all_the_time_and_keeps_up_is_not_limited() {
        assert_eq!(judged(|_| {}), None);
        assert_eq!(judged(no_sleep), None);
    }

    #[test]
    fn starts_that_stay_due_are_for_want_of_cpu_and_late_by_a_window_is_not_behind() {
        let due = |before: u64| judged(|seen| seen.next_due = Some(Micros(2 * PERIOD - before)));
        assert_eq!(due(10_001), Some(Limit::Cpu));
        assert_eq!(due(1_500), None);
    }

    #[test]
    fn calls_held_back_are_for_the_open_limit_unless_there_was_no_time_to_end_them() {
        assert_eq!(judged(|seen| seen.held_back = 1), Some(Limit::OpenCalls));
        let both = judged(|seen| {
            no_sleep(seen);
            seen.held_back = 1;
        });
        assert_eq!(both, Some(Limit::Cpu));
    }

    #[test]
    fn full_buffers_are_named_by_their_side() {
        assert_eq!(
            judged(|seen| seen.counts.congested = 1),
            Some(Limit::SendBuffer)
        );
        assert_eq!(
            judged(|seen| seen.counts.send_dropped = 1),
            Some(Limit::SendBuffer)
        );
        assert_eq!(
            judged(|seen| seen.counts.recv_dropped = 1),
            Some(Limit::RecvBuffer)
        );
        assert_eq!(
            judged(|seen| seen.counts.handover_dropped = 1),
            Some(Limit::Cpu)
        );
        let unread = judged(|seen| {
            no_sleep(seen);
            seen.counts.recv_dropped = 1;
        });
        assert_eq!(unread, Some(Limit::Cpu));
    }

    #[test]
    fn how_long_it_lasted_is_added_up_and_only_while_calls_are_opened() {
        let mut strain = Strain::default();
        for period in 1..=5 {
            let mut seen = well(period);
            // It grows twice, then stays.
            seen.held_back = period.min(2);
            let limits = strain.judge(Micros(period * PERIOD), seen, true);
            assert_eq!(limits.now.is_some(), period <= 2, "{period}");
            assert_eq!(limits.open_calls_us, period.min(2) * PERIOD);
        }
        let mut seen = well(6);
        seen.held_back = 9;
        let limits = strain.judge(Micros(6 * PERIOD), seen, false);
        assert_eq!((limits.now, limits.open_calls_us), (None, 2 * PERIOD));
    }
}
