// SPDX-License-Identifier: AGPL-3.0-only
//! The calls that waited longest for an answer, with their messages.
//!
//! How long is counted from when the request was due, so that a generator that is late shows too. A call that never had an
//! answer is not among them: that is a failure, and has a shape.

use gossipper_control::{SlowCall, SlowCalls};
use gossipper_vm::{CallEnd, Micros};

use super::names::Names;
use super::open::{Answer, Watched};

/// Calls that are kept.
pub(super) const MOST_SLOW: usize = 5;

#[derive(Debug)]
struct Kept {
    answer: Answer,
    end: CallEnd,
    ended: Micros,
    call: Watched,
}

/// The slowest so far.
#[derive(Debug, Default)]
pub(super) struct Slowest {
    ended: u64,
    watched: u64,
    /// The slowest first.
    kept: Vec<Kept>,
}

impl Slowest {
    /// A call has ended.
    pub(super) fn ended(&mut self, now: Micros, end: CallEnd, watched: Option<&Watched>) {
        self.ended += 1;
        let Some((call, answer)) = watched.and_then(|call| Some((call, call.slowest()?))) else {
            return;
        };
        self.watched += 1;
        let slower = |kept: &Kept| kept.answer.due() >= answer.due();
        let place = self.kept.partition_point(slower);
        if place == MOST_SLOW {
            return;
        }
        self.kept.truncate(MOST_SLOW - 1);
        self.kept.insert(
            place,
            Kept {
                answer,
                end,
                ended: now,
                call: call.clone(),
            },
        );
    }

    /// All of it in plain data.
    pub(super) fn calls(&self, names: &Names) -> SlowCalls {
        let calls = self.kept.iter().map(|kept| SlowCall {
            due_us: kept.answer.due().0,
            sent_us: kept.answer.sent().0,
            answer: kept.answer.row(),
            failed: match kept.end {
                CallEnd::Success => None,
                CallEnd::Failure(reason) => Some(reason),
            },
            call: kept.call.told(kept.ended, names),
        });
        SlowCalls {
            ended: self.ended,
            watched: self.watched,
            calls: calls.collect(),
        }
    }
}
