// SPDX-License-Identifier: AGPL-3.0-only
//! The arrival schedule: when each call is due.
//!
//! Call *k* is due where the integral of the rate since the last rate change reaches *k*, so the first one comes after
//! one period divided by the rate, not at zero, and a late wakeup never shifts the calls behind it: the schedule knows
//! nothing of responses, sockets or how long a start took (an open loop). What the machine could not keep up with
//! shows as lateness, actual minus due, which the caller records beside the rate.
//!
//! Not for: waiting, counting ends of calls; both are told to it.
//!
//! Rules: those of SIPp. Rate changes and pauses restart the schedule from now; `-m` bounds the total; calls that
//! `-l` holds back are not made up later.
// COMPAT(sipp): SIPp also forgets calls that did not fit into its budget of one millisecond per pass, which lowers the
// rate reached without a word; here they are started late, and said to be.

use crate::clock::Micros;

/// A rate of calls: `calls` per `period_ms` (`-r`, `-rp`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    calls: f64,
    period_ms: u64,
}

impl Rate {
    /// SIPp's default: 10 calls per second.
    pub const DEFAULT: Self = Self {
        calls: 10.0,
        period_ms: 1_000,
    };

    /// A rate; a negative or undefined number of calls becomes 0, a period of 0 becomes 1 ms.
    #[must_use]
    pub fn new(calls: f64, period_ms: u64) -> Self {
        let calls = if calls.is_finite() && calls > 0.0 {
            calls
        } else {
            0.0
        };
        Self {
            calls,
            period_ms: period_ms.max(1),
        }
    }

    /// Calls per period.
    #[must_use]
    pub fn calls(self) -> f64 {
        self.calls
    }

    /// The period in ms.
    #[must_use]
    pub fn period_ms(self) -> u64 {
        self.period_ms
    }

    /// Calls per second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.calls * 1_000.0 / self.period_ms as f64
    }

    /// SIPp's default of `-l`: three times the calls that are open at this rate when each lasts as long as the
    /// scenario, `-d` or one second, whichever is longest; at least 1.
    #[must_use]
    pub fn default_open_limit(self, scenario_duration_ms: u64, default_pause_ms: u64) -> u64 {
        let duration_ms = scenario_duration_ms.max(default_pause_ms).max(1_000);
        let limit = 3.0 * self.calls * duration_ms as f64 / self.period_ms as f64;
        // A float beyond the range saturates.
        (limit as u64).max(1)
    }

    /// Microseconds after the start of a segment at which its call number `k` (from 1) is due.
    fn due_after_us(self, k: u64) -> u64 {
        (k as f64 * self.period_ms as f64 * 1_000.0 / self.calls).ceil() as u64
    }

    /// How many calls are due `elapsed_us` after the start of a segment.
    fn count_after(self, elapsed_us: u64) -> u64 {
        if self.calls == 0.0 {
            return 0;
        }
        let mut k = (elapsed_us as f64 * self.calls / (self.period_ms as f64 * 1_000.0)) as u64;
        // Rounding may be off by one either way; the two functions must agree exactly.
        while self.due_after_us(k + 1) <= elapsed_us {
            k += 1;
        }
        while k > 0 && self.due_after_us(k) > elapsed_us {
            k -= 1;
        }
        k
    }
}

/// A call to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// When it was due, which may be before now.
    pub due: Micros,
}

/// Computes starts from a rate. Pure: now in, starts out.
#[derive(Debug, Clone)]
pub struct Pacer {
    rate: Rate,
    paused: bool,
    /// Start of the current segment, at which `taken` was 0.
    since: Micros,
    /// Calls of this segment that were started or held back.
    taken: u64,
    /// Calls that may still be started (`-m`).
    remaining: u64,
    /// Calls that may be open at a time (`-l`); `None` follows the rate.
    user_limit: Option<u64>,
    durations_ms: (u64, u64),
    held_back: u64,
}

impl Pacer {
    /// A schedule that begins at `now`.
    ///
    /// `total` is `-m`, `open_limit` is `-l`; without the latter the limit follows each rate change (see
    /// [`Rate::default_open_limit`], which takes the two durations).
    #[must_use]
    pub fn new(
        now: Micros,
        rate: Rate,
        total: Option<u64>,
        open_limit: Option<u64>,
        scenario_duration_ms: u64,
        default_pause_ms: u64,
    ) -> Self {
        Self {
            rate,
            paused: false,
            since: now,
            taken: 0,
            remaining: total.unwrap_or(u64::MAX),
            user_limit: open_limit,
            durations_ms: (scenario_duration_ms, default_pause_ms),
            held_back: 0,
        }
    }

    /// The rate asked for.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether the schedule is paused.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// Calls that may be open at a time.
    #[must_use]
    pub fn open_limit(&self) -> u64 {
        let (scenario_ms, pause_ms) = self.durations_ms;
        self.user_limit
            .unwrap_or_else(|| self.rate.default_open_limit(scenario_ms, pause_ms))
            .max(1)
    }

    /// Calls that were due but not started because of `-l`.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.held_back
    }

    /// Whether `-m` is used up.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.remaining == 0
    }

    /// Changes the rate; the schedule begins anew at `now`.
    pub fn set_rate(&mut self, now: Micros, rate: Rate) {
        self.rate = rate;
        self.restart(now);
    }

    /// Sets the limit of open calls by hand.
    pub fn set_open_limit(&mut self, limit: u64) {
        self.user_limit = Some(limit.max(1));
    }

    /// Pauses, or goes on with a schedule that begins anew at `now`.
    pub fn set_paused(&mut self, now: Micros, paused: bool) {
        if self.paused != paused {
            self.paused = paused;
            self.restart(now);
        }
    }

    /// Starts no more calls.
    pub fn stop(&mut self) {
        self.remaining = 0;
    }

    /// When the next call is due; `None` while nothing ever is.
    #[must_use]
    pub fn next_due(&self) -> Option<Micros> {
        self.due(1)
    }

    /// When the next call is due, and the one after it.
    #[must_use]
    pub fn next_two(&self) -> [Option<Micros>; 2] {
        [self.due(1), self.due(2)]
    }

    /// When the `ahead`th call from now is due.
    fn due(&self, ahead: u64) -> Option<Micros> {
        if self.paused || self.remaining < ahead || self.rate.calls == 0.0 {
            return None;
        }
        let after = self.rate.due_after_us(self.taken.saturating_add(ahead));
        Some(Micros(self.since.0.saturating_add(after)))
    }

    /// Takes the next call that is due, given how many calls are open. To be called until `None`, as far as the
    /// caller's budget goes; calls that stay due are found again by the next call.
    pub fn pop_due(&mut self, now: Micros, open: u64) -> Option<Start> {
        let due = self.next_due().filter(|due| due.0 <= now.0)?;
        if open >= self.open_limit() {
            let all = self.rate.count_after(now.0 - self.since.0);
            self.held_back += all.saturating_sub(self.taken);
            self.taken = self.taken.max(all);
            return None;
        }
        self.taken += 1;
        self.remaining -= 1;
        Some(Start { due })
    }

    fn restart(&mut self, now: Micros) {
        self.since = now;
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pacer(calls: f64, period_ms: u64) -> Pacer {
        Pacer::new(
            Micros(0),
            Rate::new(calls, period_ms),
            None,
            Some(u64::MAX),
            0,
            0,
        )
    }

    /// The times of all starts up to `until`, the pacer being asked only when it wants to be.
    fn dues(pacer: &mut Pacer, until: u64) -> Vec<u64> {
        let mut dues = Vec::new();
        while let Some(at) = pacer.next_due().filter(|at| at.0 <= until) {
            assert!(
                at.0 == 0 || pacer.clone().pop_due(Micros(at.0 - 1), 0).is_none(),
                "early at {}",
                at.0
            );
            dues.extend(pacer.pop_due(at, 0).map(|start| start.due.0));
        }
        dues
    }

    #[test]
    fn the_first_call_comes_after_one_period_by_the_rate() {
        assert_eq!(
            dues(&mut pacer(10.0, 1000), 450_000),
            [100_000, 200_000, 300_000, 400_000]
        );
        assert_eq!(
            dues(&mut pacer(1.0, 60_000), 130_000_000),
            [60_000_000, 120_000_000]
        );
        assert_eq!(
            dues(&mut pacer(3.0, 1000), 1_000_000),
            [333_334, 666_667, 1_000_000]
        );
        assert_eq!(
            dues(&mut pacer(0.5, 1000), 4_000_000),
            [2_000_000, 4_000_000]
        );
    }

    #[test]
    fn a_late_wakeup_finds_every_start_with_its_own_due_time() {
        let mut pacer = pacer(1_000.0, 1000);
        let starts: Vec<u64> = std::iter::from_fn(|| pacer.pop_due(Micros(5_500), 0))
            .map(|s| s.due.0)
            .collect();
        assert_eq!(starts, [1_000, 2_000, 3_000, 4_000, 5_000]);
        assert_eq!(
            pacer.next_due(),
            Some(Micros(6_000)),
            "the schedule did not shift"
        );
    }

    #[test]
    fn a_rate_change_starts_the_schedule_anew() {
        let mut pacer = pacer(10.0, 1000);
        assert_eq!(dues(&mut pacer, 250_000), [100_000, 200_000]);
        pacer.set_rate(Micros(250_000), Rate::new(2.0, 1000));
        assert_eq!(dues(&mut pacer, 1_300_000), [750_000, 1_250_000]);
        pacer.set_rate(Micros(1_300_000), Rate::new(0.0, 1000));
        assert_eq!(pacer.next_due(), None);
        pacer.set_rate(Micros(2_000_000), Rate::new(-4.0, 1000));
        assert_eq!((pacer.rate().calls(), pacer.next_due()), (0.0, None));
    }

    #[test]
    fn a_pause_starts_the_schedule_anew() {
        let mut pacer = pacer(10.0, 1000);
        pacer.set_paused(Micros(50_000), true);
        assert_eq!(
            (pacer.next_due(), pacer.pop_due(Micros(900_000), 0)),
            (None, None)
        );
        pacer.set_paused(Micros(900_000), false);
        assert_eq!(dues(&mut pacer, 1_100_000), [1_000_000, 1_100_000]);
    }

    #[test]
    fn calls_held_back_by_the_open_limit_are_not_made_up() {
        let mut pacer = Pacer::new(Micros(0), Rate::new(10.0, 1000), None, Some(2), 0, 0);
        assert_eq!(
            pacer.pop_due(Micros(100_000), 0),
            Some(Start {
                due: Micros(100_000)
            })
        );
        assert_eq!(
            pacer.pop_due(Micros(200_000), 1),
            Some(Start {
                due: Micros(200_000)
            })
        );
        assert_eq!(pacer.pop_due(Micros(550_000), 2), None);
        assert_eq!(pacer.held_back(), 3);
        // A call ended: the next start is the next one of the schedule, alone.
        assert_eq!(pacer.pop_due(Micros(560_000), 1), None);
        assert_eq!(
            pacer.pop_due(Micros(600_000), 1),
            Some(Start {
                due: Micros(600_000)
            })
        );
    }

    #[test]
    fn the_total_bounds_the_starts_and_held_back_calls_do_not_count() {
        let mut pacer = Pacer::new(Micros(0), Rate::new(10.0, 1000), Some(2), Some(1), 0, 0);
        assert!(pacer.pop_due(Micros(100_000), 0).is_some());
        assert!(pacer.pop_due(Micros(300_000), 1).is_none());
        assert!(!pacer.exhausted());
        assert!(pacer.pop_due(Micros(400_000), 0).is_some());
        assert!(pacer.exhausted());
        assert_eq!(
            (pacer.next_due(), pacer.pop_due(Micros(9_000_000), 0)),
            (None, None)
        );
    }

    #[test]
    fn the_default_open_limit_follows_rate_and_duration() {
        let limit = |calls, period, scenario, pause| {
            Rate::new(calls, period).default_open_limit(scenario, pause)
        };
        assert_eq!(limit(10.0, 1000, 0, 0), 30);
        assert_eq!(limit(10.0, 1000, 4_000, 0), 120);
        assert_eq!(limit(10.0, 1000, 0, 5_000), 150);
        assert_eq!(limit(10.0, 10_000, 0, 0), 3);
        assert_eq!(limit(0.0, 1000, 0, 0), 1);
        assert_eq!(limit(0.1, 1000, 0, 0), 1);
        let mut pacer = Pacer::new(Micros(0), Rate::new(10.0, 1000), None, None, 0, 0);
        pacer.set_rate(Micros(0), Rate::new(100.0, 1000));
        assert_eq!(pacer.open_limit(), 300);
    }

    #[test]
    fn a_blocked_backlog_costs_constant_time() {
        let mut pacer = Pacer::new(Micros(0), Rate::new(1e6, 1000), None, Some(1), 0, 0);
        assert_eq!(pacer.pop_due(Micros(3_600_000_000), 1), None);
        assert_eq!(pacer.held_back(), 3_600_000_000);
    }

    proptest! {
        #[test]
        fn start_k_lies_where_the_integral_reaches_k(
            calls in 0.001..200_000.0_f64,
            period_ms in 1..100_000_u64,
            elapsed_us in 0..10_000_000_000_u64,
        ) {
            let rate = Rate::new(calls, period_ms);
            let k = rate.count_after(elapsed_us);
            prop_assert!(k == 0 || rate.due_after_us(k) <= elapsed_us);
            prop_assert!(rate.due_after_us(k + 1) > elapsed_us);
            let integral = elapsed_us as f64 * calls / (period_ms as f64 * 1_000.0);
            prop_assert!((integral - k as f64) > -1e-3 && (integral - k as f64) < 1.0 + calls / period_ms as f64 / 999.0);
        }
    }
}
