// SPDX-License-Identifier: AGPL-3.0-only
//! What a shard measures for reports: times of steps and of responses, and a time series.
//!
//! Exists only if a report asks for it; the machine then says which call its orders are about. Costs a look into a
//! table per message, and memory per open call, per step, per kind of response and per second: never per call that has
//! been.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `calls` | what is known of a call while it is open |
//! | `times` | histograms |
//! | `second` | what a second came to |
//!
//! A request is due when what causes it happens: the start of its call by the schedule, the end of a pause, the arrival
//! of the message before. The machine takes messages in at the time at which the kernel got them, so that what a shard
//! is late in reading is in both times; what it is late in starting calls and ending pauses is in those from due alone.

mod calls;
mod second;
mod times;

use std::sync::{Arc, Mutex, PoisonError};

use gossipper_bytecode::Program;
use gossipper_control::Measures;
use gossipper_control::measures::{Series, TimerTimes};
use gossipper_vm::{Micros, StatEvent};

use crate::schedule::Schedule;
use crate::stats::Stats;
pub(crate) use calls::Record;
use calls::{Calls, Measured};
use second::Second;
use times::Detail;

/// What is measured per.
const PERIOD: Micros = Micros(1_000_000);

/// What a shard leaves for readers.
#[derive(Debug)]
struct Part {
    at: Micros,
    stats: Stats,
    detail: Detail,
    series: Series,
}

/// Where a shard leaves it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Part>>>);

/// What a shard measures.
#[derive(Debug)]
pub(crate) struct Measure {
    calls: Calls,
    detail: Detail,
    second: Second,
    /// When it is over.
    next: Micros,
    /// How late the input at hand is.
    late: Micros,
    slot: Slot,
}

impl Measure {
    /// For a scenario; with `records` for calls that have ended.
    pub(crate) fn new(program: &Program, records: bool, slot: Slot) -> Box<Self> {
        let calls = Calls::new(program, records);
        Box::new(Self {
            detail: Detail::new(program.steps.len(), calls.methods()),
            calls,
            second: Second::default(),
            next: PERIOD,
            late: Micros(0),
            slot,
        })
    }

    /// The input at hand comes so much later than it was due.
    pub(crate) fn late(&mut self, late: Micros) {
        self.late = late;
    }

    /// A message of a call is sent.
    pub(crate) fn sends(&mut self, call: u64, message: &[u8]) {
        self.calls.message(call, message);
    }

    /// Something has happened to a call; gives how long an answer took and how late its request was, if it is one, and the
    /// call's record if it has ended and records are wanted.
    pub(crate) fn event(
        &mut self,
        now: Micros,
        call: u64,
        event: StatEvent,
        received: &[u8],
    ) -> (Option<(Micros, Micros)>, Option<Record>) {
        if let StatEvent::Created { late, .. } = event {
            self.late = late;
        }
        let (measured, record) = self.calls.event(now, self.late, call, event, received);
        let answer = measured.filter(|measured| measured.is_answer);
        if let Some(measured) = measured {
            self.measured(measured);
        }
        (answer.map(|answer| (answer.took, answer.late)), record)
    }

    fn measured(&mut self, measured: Measured) {
        self.detail.record(&measured);
        if measured.is_answer {
            self.second.answered(measured.took, measured.late);
        }
    }

    /// Forgets the times so far; what came about per second stays.
    pub(crate) fn clear(&mut self) {
        self.detail.clear();
    }

    /// When it wants to be asked.
    pub(crate) fn at(&self) -> Micros {
        self.next
    }

    /// A turn of the shard: notes the second that is over, if one is.
    pub(crate) fn tick(&mut self, now: Micros, stats: &Stats, schedule: Option<&Schedule>) {
        if now < self.next {
            return;
        }
        let seconds = now.0 / PERIOD.0;
        self.next = Micros((seconds + 1) * PERIOD.0);
        self.leave(now, seconds.saturating_sub(1), stats, schedule);
    }

    /// The end of the run.
    pub(crate) fn last(&mut self, now: Micros, stats: &Stats, schedule: Option<&Schedule>) {
        self.leave(now, now.0 / PERIOD.0, stats, schedule);
    }

    fn leave(&mut self, now: Micros, second: u64, stats: &Stats, schedule: Option<&Schedule>) {
        let rate = schedule
            .and_then(Schedule::pacer)
            .map_or(0.0, |pacer| pacer.rate(now).per_second());
        let point = self.second.point(stats, rate);
        let mut slot = self.slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(part) => {
                part.at = now;
                part.stats.clone_from(stats);
                part.detail.clone_from(&self.detail);
                part.series.push(second, &point);
            }
            None => {
                let mut series = Series::default();
                series.push(second, &point);
                *slot = Some(Part {
                    at: now,
                    stats: stats.clone(),
                    detail: self.detail.clone(),
                    series,
                });
            }
        }
    }
}

/// What the shards of a scenario have measured, as one would have it; `None` as long as none has left anything.
pub(crate) fn measures(slots: &[Slot]) -> Option<Measures> {
    let mut whole: Option<Part> = None;
    for slot in slots {
        let part = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(part) = part.as_ref() else {
            continue;
        };
        match &mut whole {
            None => {
                whole = Some(Part {
                    at: part.at,
                    stats: part.stats.clone(),
                    detail: part.detail.clone(),
                    series: part.series.clone(),
                });
            }
            Some(whole) => {
                whole.at = whole.at.max(part.at);
                whole.stats.add(&part.stats);
                whole.detail.add(&part.detail);
                whole.series.merge(&part.series);
            }
        }
    }
    let Part {
        at,
        stats,
        detail,
        series,
    } = whole?;
    let timers = stats
        .timers()
        .map(|(name, times)| TimerTimes { name, times });
    let mut measures = Measures {
        at_us: at.0,
        call_length: stats.call_length(),
        lateness: stats.lateness(),
        timers: timers.collect(),
        series,
        ..Measures::default()
    };
    detail.fill(&mut measures);
    Some(measures)
}

#[cfg(test)]
mod tests;
