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
//! `-l` holds back are not made up later. A rate that climbs ([`Ramp`]) is a rate that changes now and then. One that
//! follows a curve ([`RateProfile`]) stands still during a pause, and ends where somebody sets another rate.
// COMPAT(sipp): SIPp also forgets calls that did not fit into its budget of one millisecond per pass, which lowers the
// rate reached without a word; here they are started late, and said to be.

use std::sync::Arc;

use crate::clock::Micros;
use crate::profile::RateProfile;

/// How long calls that the open limit holds back are not asked for.
const HELD_LOOK: Micros = Micros(1_000);

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

/// A rate that climbs by steps (`-rate_increase` and its companions).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// Calls per period that each step adds; may be negative.
    pub step: f64,
    /// Time between two steps.
    pub every: Micros,
    /// Calls per period that no step goes beyond.
    pub max: Option<f64>,
    /// The step that would go beyond it ends the run.
    pub ends: bool,
}

/// Least time between two steps of a ramp.
const STEP_MIN: Micros = Micros(1_000);

/// What a step of a ramp has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Climbed {
    /// Another rate, or the same at the top.
    On,
    /// The top was reached before, and the run is to end.
    Over,
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
    /// Takes the place of the rate.
    profile: Option<Arc<RateProfile>>,
    ramp: Option<(Ramp, Micros)>,
    paused: bool,
    /// When the pause began.
    paused_at: Micros,
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
    /// When the next call is due, from the start of the segment on.
    next_after: Option<u64>,
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
        let mut new = Self {
            rate,
            profile: None,
            ramp: None,
            paused: false,
            paused_at: now,
            since: now,
            taken: 0,
            remaining: total.unwrap_or(u64::MAX),
            user_limit: open_limit,
            durations_ms: (scenario_duration_ms, default_pause_ms),
            held_back: 0,
            next_after: None,
        };
        new.look_ahead();
        new
    }

    /// The same with a rate that follows a curve, from the beginning of the schedule on.
    #[must_use]
    pub fn with_profile(mut self, profile: Arc<RateProfile>) -> Self {
        self.profile = Some(profile);
        self.look_ahead();
        self
    }

    /// The same with a rate that climbs.
    #[must_use]
    pub fn with_ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = Some((ramp, self.since.plus(ramp.every)));
        self
    }

    /// The rate asked for; of a curve, the rate at `now`.
    #[must_use]
    pub fn rate(&self, now: Micros) -> Rate {
        match &self.profile {
            None => self.rate,
            Some(profile) => self.of_second(profile.rate_at(self.elapsed(now))),
        }
    }

    /// A number of calls per second in the period of the rate.
    fn of_second(&self, per_second: f64) -> Rate {
        let period_ms = self.rate.period_ms;
        Rate::new(per_second * period_ms as f64 / 1_000.0, period_ms)
    }

    /// Time of the segment; a pause is no part of a curve.
    fn elapsed(&self, now: Micros) -> u64 {
        let now = if self.paused { self.paused_at } else { now };
        now.since(self.since).0
    }

    /// Whether a curve is followed.
    #[must_use]
    pub fn follows_profile(&self) -> bool {
        self.profile.is_some()
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
        // A curve needs what its highest rate needs.
        let rate = match &self.profile {
            None => self.rate,
            Some(profile) => self.of_second(profile.peak()),
        };
        self.user_limit
            .unwrap_or_else(|| rate.default_open_limit(scenario_ms, pause_ms))
            .max(1)
    }

    /// Calls that were due but not started because of `-l`.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.held_back
    }

    /// Whether `-m` is used up, or a curve has come to its end at zero.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.remaining == 0 || (self.profile.is_some() && self.next_after.is_none())
    }

    /// Changes the rate; the schedule begins anew at `now`, and follows no curve any more.
    pub fn set_rate(&mut self, now: Micros, rate: Rate) {
        self.rate = rate;
        self.profile = None;
        self.restart(now);
    }

    /// When the rate climbs next by itself.
    #[must_use]
    pub fn next_climb(&self) -> Option<Micros> {
        let (_, at) = self.ramp.filter(|_| self.remaining > 0)?;
        Some(at)
    }

    /// Lets the rate climb if it is time to, and no call of the time before is left to be taken.
    pub fn climb(&mut self, now: Micros) -> Climbed {
        while let Some((ramp, at)) = self.ramp.filter(|(_, at)| *at <= now) {
            if self.remaining == 0 || self.next_due().is_some() {
                break;
            }
            self.ramp = Some((ramp, at.plus(ramp.every.max(STEP_MIN))));
            let wanted = self.rate.calls + ramp.step;
            let calls = ramp.max.map_or(wanted, |max| wanted.min(max));
            if calls < wanted && ramp.ends {
                self.ramp = None;
                return Climbed::Over;
            }
            let rate = Rate::new(calls, self.rate.period_ms);
            // COMPAT(sipp): there every step begins the schedule anew, also at the top; one that changes nothing does not
            // here, so that no part of a call is lost.
            if rate != self.rate {
                self.set_rate(at, rate);
            }
        }
        Climbed::On
    }

    /// Sets the limit of open calls by hand.
    pub fn set_open_limit(&mut self, limit: u64) {
        self.user_limit = Some(limit.max(1));
    }

    /// Pauses, or goes on with a schedule that begins anew at `now`.
    pub fn set_paused(&mut self, now: Micros, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        if self.profile.is_none() {
            self.restart(now);
        } else if paused {
            self.paused_at = now;
        } else {
            self.since = self.since.plus(now.since(self.paused_at));
        }
    }

    /// Starts no more calls.
    pub fn stop(&mut self) {
        self.remaining = 0;
    }

    /// When the next call is due; `None` while nothing ever is.
    #[must_use]
    pub fn next_due(&self) -> Option<Micros> {
        if self.paused || self.remaining == 0 {
            return None;
        }
        let due = self.since.plus(Micros(self.next_after?));
        // What comes behind a step has another rate.
        (due <= self.segment_end()).then_some(due)
    }

    /// When to ask for the next call at `now`: when it is due. While as many calls are open as may be, not before a
    /// millisecond has passed: the end of a call asks anyway, and at a high rate one would be due at once.
    #[must_use]
    pub fn next_look(&self, now: Micros, open: u64) -> Option<Micros> {
        let due = self.next_due()?;
        if open < self.open_limit() {
            return Some(due);
        }
        Some(due.max(now.plus(HELD_LOOK)))
    }

    /// When the next call is due, and the one after it.
    #[must_use]
    pub fn next_two(&self) -> [Option<Micros>; 2] {
        let first = self.next_due();
        let second = first.filter(|_| self.remaining > 1).and_then(|_| {
            let due = self.since.plus(Micros(self.after(2)?));
            (due <= self.segment_end()).then_some(due)
        });
        [first, second]
    }

    /// When the schedule begins anew by itself.
    fn segment_end(&self) -> Micros {
        self.next_climb().unwrap_or(Micros(u64::MAX))
    }

    fn look_ahead(&mut self) {
        self.next_after = self.after(1);
    }

    /// How long after the start of the segment the `ahead`th call from now is due.
    fn after(&self, ahead: u64) -> Option<u64> {
        let k = self.taken.saturating_add(ahead);
        match &self.profile {
            Some(profile) => profile.due_us(k),
            None => (self.rate.calls > 0.0).then(|| self.rate.due_after_us(k)),
        }
    }

    /// Takes the next call that is due, given how many calls are open. To be called until `None`, as far as the
    /// caller's budget goes; calls that stay due are found again by the next call.
    pub fn pop_due(&mut self, now: Micros, open: u64) -> Option<Start> {
        let due = self.next_due().filter(|due| due.0 <= now.0)?;
        if open >= self.open_limit() {
            let elapsed_us = now.min(self.segment_end()).since(self.since).0;
            let all = match &self.profile {
                Some(profile) => profile.count_at(elapsed_us),
                None => self.rate.count_after(elapsed_us),
            };
            self.held_back += all.saturating_sub(self.taken);
            self.taken = self.taken.max(all);
            self.look_ahead();
            return None;
        }
        self.taken += 1;
        self.remaining -= 1;
        self.look_ahead();
        Some(Start { due })
    }

    fn restart(&mut self, now: Micros) {
        self.since = now;
        self.taken = 0;
        self.look_ahead();
    }
}

#[cfg(test)]
mod tests;
