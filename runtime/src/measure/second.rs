// SPDX-License-Identifier: AGPL-3.0-only
//! What one second came to: the difference of two counts, and the answer times in it.

use gossipper_bytecode::FailReason;
use gossipper_control::measures::{CELLS, Cells, FAILURE_CLASSES, Point, cell_of, class_place};
use gossipper_vm::Micros;

use crate::stats::{Counters, Stats};

/// A second in the making.
#[derive(Debug)]
pub(super) struct Second {
    actual: Box<[u64; CELLS]>,
    due: Box<[u64; CELLS]>,
    /// Everything counted up to its beginning; levels and times are empty.
    before: Point,
}

impl Default for Second {
    fn default() -> Self {
        Self {
            actual: Box::new([0; CELLS]),
            due: Box::new([0; CELLS]),
            before: Point::default(),
        }
    }
}

impl Second {
    /// A request was answered.
    pub(super) fn answered(&mut self, took: Micros, late: Micros) {
        self.actual[cell_of(took.0)] += 1;
        self.due[cell_of(took.plus(late).0)] += 1;
    }

    /// Ends it, and begins the next.
    pub(super) fn point(&mut self, stats: &Stats, rate_asked: f64) -> Point {
        let now = counted(&stats.counters);
        let before = std::mem::replace(&mut self.before, now.clone());
        // Cleared figures begin anew below what they were.
        let since = |figure: fn(&Point) -> u64| {
            let (now, before) = (figure(&now), figure(&before));
            if now < before { now } else { now - before }
        };
        let mut failed = now.failed;
        for (class, count) in failed.iter_mut().enumerate() {
            *count = count.checked_sub(before.failed[class]).unwrap_or(*count);
        }
        let point = Point {
            rate_asked,
            open: stats.open(),
            created: since(|point| point.created),
            succeeded: since(|point| point.succeeded),
            failed,
            sent: since(|point| point.sent),
            received: since(|point| point.received),
            retransmitted: since(|point| point.retransmitted),
            timeouts: since(|point| point.timeouts),
            unexpected: since(|point| point.unexpected),
            actual: Cells::of(&self.actual[..]),
            due: Cells::of(&self.due[..]),
        };
        self.actual.fill(0);
        self.due.fill(0);
        point
    }
}

fn counted(counters: &Counters) -> Point {
    let mut failed = [0; FAILURE_CLASSES.len()];
    for reason in FailReason::ALL {
        if let Some(class) = class_place(reason.class()) {
            failed[class] += counters.failed[reason.index()];
        }
    }
    let messages = &counters.messages;
    Point {
        created: counters.created_ever(),
        succeeded: counters.succeeded(),
        failed,
        sent: messages.sent,
        received: messages.received,
        retransmitted: messages.retransmitted,
        timeouts: messages.timeouts,
        unexpected: messages.unexpected,
        ..Point::default()
    }
}
