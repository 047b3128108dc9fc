// SPDX-License-Identifier: AGPL-3.0-only
//! Operator commands, and the phases a run goes through because of them, of limits and of time.
//!
//! Rules: those of SIPp. A run opens calls, drains (no new calls; ends when none is open) or aborts (all calls are hung
//! up now), and ends. It never goes back.

use gossipper_control::{ControlCommand, Phase};
use gossipper_vm::{CallControl, Input, Micros};

use super::run::Shard;
use super::{Ending, Machine};
use crate::group::Entry;
use crate::pacing::{Climbed, Rate};
use crate::schedule::Schedule;

/// What reaches a shard from outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ShardCommand {
    /// The operator's wish.
    Control(ControlCommand),
    /// A line for the error log, counted as a warning or not.
    Say {
        /// The line.
        text: String,
        /// Whether it is one.
        warning: bool,
    },
    /// The run is over: end without touching the calls.
    End,
}

/// Turns without progress after which aborting is given up.
const ABORT_TURNS: u32 = 8;

impl<M: Machine> Shard<M> {
    pub(super) fn obey(&mut self, now: Micros, command: ShardCommand) {
        let command = match command {
            ShardCommand::End => {
                self.core.ending.get_or_insert(Ending::Completed);
                return;
            }
            ShardCommand::Say { text, warning } => {
                if warning {
                    self.core.warn(now, text.as_bytes());
                } else {
                    self.core.note(now, text.as_bytes());
                }
                return;
            }
            ShardCommand::Control(command) => command,
        };
        match command {
            ControlCommand::Drain => self.drain(now, Ending::Drained),
            ControlCommand::Stop => self.abort(now, Ending::Stopped),
            ControlCommand::Leave => {
                self.core.ending.get_or_insert(Ending::Stopped);
            }
            ControlCommand::SetRate { calls, period_ms } => {
                self.with_pacer(|pacer| {
                    let period_ms = period_ms.unwrap_or_else(|| pacer.rate(now).period_ms());
                    pacer.set_rate(now, Rate::new(calls, period_ms));
                });
            }
            ControlCommand::AddRate { calls } => {
                self.set_users(now, |users| f64::from(users) + calls);
                self.with_pacer(|pacer| {
                    let rate = pacer.rate(now);
                    pacer.set_rate(now, Rate::new(rate.calls() + calls, rate.period_ms()));
                });
            }
            ControlCommand::SetOpenLimit { calls } => {
                self.with_pacer(|pacer| pacer.set_open_limit(calls))
            }
            ControlCommand::SetUsers { users } => self.set_users(now, |_| f64::from(users)),
            ControlCommand::SetPaused { paused } => {
                if let Some(schedule) = &mut self.core.schedule {
                    schedule.set_paused(now, paused);
                }
            }
            ControlCommand::ClearStats => match self.role.place() {
                None => self.clear_stats(now),
                // Each clears its own when it hears of it.
                Some(place) => place.clear_all(),
            },
            ControlCommand::SetTrace { trace, on } => {
                let wall_us = self.core.clock.wall_us(now);
                if !self.core.logs.switch(wall_us, trace, on) {
                    self.core.warn(now, b"this run has no files for traces");
                }
                self.core.hand_over_logs();
            }
            ControlCommand::TogglePause => {
                if let Some(schedule) = &mut self.core.schedule {
                    schedule.set_paused(now, !schedule.paused());
                }
            }
        }
    }

    /// A server has no schedule, and users have no rate: wishes about it have nothing to change then.
    fn with_pacer(&mut self, change: impl FnOnce(&mut crate::pacing::Pacer)) {
        if let Some(Schedule::Rate(pacer)) = &mut self.core.schedule {
            change(pacer);
        }
    }

    /// Changes the number of users, if there are users.
    fn set_users(&mut self, now: Micros, change: impl FnOnce(u32) -> f64) {
        if let Some(Schedule::Users(users)) = &mut self.core.schedule {
            // A number that is too small or too large becomes the nearest.
            users.set_count(now, change(users.count()) as u32);
            let users = users.count();
            self.core
                .input(now, Input::Control(CallControl::Users(users)));
        }
    }

    pub(super) fn drain(&mut self, now: Micros, ending: Ending) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Draining;
        self.ending = ending;
        self.opening_ended_at = Some(now);
        if let Some(schedule) = &mut self.core.schedule {
            schedule.stop();
        }
        self.core.drain(now);
        self.pass_on(Entry::Drain);
    }

    pub(super) fn abort(&mut self, now: Micros, ending: Ending) {
        self.drain(now, ending.clone());
        if self.phase != Phase::Aborting {
            self.pass_on(Entry::Abort);
        }
        self.phase = Phase::Aborting;
        self.ending = ending;
    }

    /// Counts and measures anew.
    pub(super) fn clear_stats(&mut self, now: Micros) {
        self.core.stats.clear(now);
        if let Some(beside) = &mut self.core.beside {
            beside.stats.clear(now);
        }
        if let Some(measure) = &mut self.core.measure {
            measure.clear();
        }
        if let Some(shapes) = &mut self.core.shapes {
            shapes.clear();
        }
        self.recent.clear();
        self.publish(now);
    }

    /// Hangs up a bounded number of calls; true while there are more.
    pub(super) fn abort_some(&mut self) -> bool {
        if self.phase != Phase::Aborting || self.core.stats.open() == 0 {
            return false;
        }
        let before = self.core.stats.open();
        self.core
            .input(self.core.clock.now(), Input::Control(CallControl::AbortAll));
        if self.core.stats.open() < before {
            self.abort_turns = 0;
            return true;
        }
        self.abort_turns += 1;
        true
    }

    /// Moves on to the next phase when limits, time or the scenario say so.
    pub(super) fn settle(&mut self, now: Micros) {
        let deadlines = self.deadlines;
        if self.phase != Phase::Aborting {
            let passed = |at: Option<Micros>| at.is_some_and(|at| at <= now);
            if passed(deadlines.timeout) {
                if deadlines.timeout_is_error {
                    let text = self.core.timed_out(now);
                    self.abort(now, Ending::TimeoutError(text));
                } else {
                    self.abort(now, Ending::TimedOut);
                }
            } else if passed(deadlines.timeout_global) {
                self.abort(now, Ending::TimedOutGlobally);
            } else if passed(self.twin_end) {
                self.abort(now, Ending::TwinEnded);
            }
        }
        let schedule = self.core.schedule.as_mut();
        let exhausted = schedule.is_some_and(|s| s.climb(now) == Climbed::Over || s.exhausted());
        if exhausted || self.core.draining {
            self.drain(now, Ending::Completed);
        }
    }

    /// How the run ended, if it has.
    pub(super) fn ended(&self) -> Option<Ending> {
        if let Some(ending) = &self.core.ending {
            return Some(ending.clone());
        }
        (self.over() && self.others_idle()).then(|| self.ending.clone())
    }

    /// Whether the run has come to an end as far as the calls of this shard go.
    pub(super) fn over(&self) -> bool {
        match self.phase {
            Phase::Running => false,
            Phase::Draining => self.core.stats.open() == 0,
            Phase::Aborting => self.core.stats.open() == 0 || self.abort_turns >= ABORT_TURNS,
            Phase::Ended => true,
        }
    }
}
