// SPDX-License-Identifier: AGPL-3.0-only
//! One response-time timer: actual times, times from due, and its repartition.

use gossipper_control::{ResponseTime, measures};
use gossipper_vm::Micros;

use super::histogram::Times;
use super::repartition::RepartitionTable;
use super::sums::Sums;

/// Samples of one response-time timer.
#[derive(Debug, Clone)]
pub struct RtdStats {
    actual: Times,
    from_due: Times,
    pub(super) cells: Option<RepartitionTable>,
    /// Of whole milliseconds.
    pub(super) ms: Sums,
}

impl RtdStats {
    /// No samples yet.
    #[must_use]
    pub fn new(borders_ms: &[u32]) -> Self {
        Self {
            actual: Times::default(),
            from_due: Times::default(),
            cells: RepartitionTable::new(borders_ms),
            ms: Sums::default(),
        }
    }

    /// Counts a timer that stopped after `took`, and that should have started `late` earlier.
    pub fn record(&mut self, took: Micros, late: Micros) {
        self.actual.record(took);
        self.ms.record(took.as_ms());
        self.from_due.record(took.plus(late));
        if let Some(cells) = &mut self.cells {
            cells.record(took);
        }
    }

    /// Counts the samples that wait for it.
    pub(super) fn settle(&mut self) {
        self.actual.settle();
        self.from_due.settle();
    }

    /// Forgets all samples.
    pub(super) fn clear(&mut self) {
        self.actual.clear();
        self.from_due.clear();
        if let Some(cells) = &mut self.cells {
            cells.clear();
        }
    }

    /// Counts the samples of another shard too.
    pub(super) fn add(&mut self, other: &Self) {
        self.actual.add(&other.actual);
        self.ms.add(&other.ms);
        self.from_due.add(&other.from_due);
        if let (Some(cells), Some(others)) = (&mut self.cells, &other.cells) {
            cells.add(others);
        }
    }

    /// What reports are made of.
    pub(super) fn times(&self) -> measures::Times {
        measures::Times {
            actual: self.actual.distribution(),
            due: self.from_due.distribution(),
        }
    }

    /// The figures that reports show; the name is the caller's.
    pub(super) fn fill(&self, into: &mut ResponseTime) {
        into.actual = self.actual.summary();
        into.from_due = self.from_due.summary();
        into.repartition = self.cells.as_ref().map(RepartitionTable::snapshot);
    }
}
