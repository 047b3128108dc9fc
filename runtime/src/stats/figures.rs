// SPDX-License-Identifier: AGPL-3.0-only
//! What the tables of a run are made of: a copy of everything counted at one instant, without the histograms.

use super::{Counters, Stats, Sums};

/// One timer.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimerFigures {
    /// Of whole milliseconds, as SIPp has them.
    pub(crate) ms: Sums,
    /// Samples per cell of its repartition; empty without one.
    pub(crate) cells: Vec<u64>,
}

impl TimerFigures {
    fn add(&mut self, other: &Self) {
        self.ms.add(&other.ms);
        for (into, count) in self.cells.iter_mut().zip(&other.cells) {
            *into += count;
        }
    }
}

/// Everything that tables show of one scenario.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) counters: Counters,
    pub(crate) rtds: Vec<TimerFigures>,
    pub(crate) call_length: TimerFigures,
    /// The same in microseconds.
    pub(crate) call_length_us: Sums,
    /// From INVITE to its final answer, in microseconds, where somebody wants to know.
    pub(crate) invite_us: Sums,
}

impl Figures {
    /// Counts what another shard has counted too.
    pub(crate) fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        for (into, rtd) in self.rtds.iter_mut().zip(&other.rtds) {
            into.add(rtd);
        }
        self.call_length.add(&other.call_length);
        self.call_length_us.add(&other.call_length_us);
        self.invite_us.add(&other.invite_us);
    }
}

impl Stats {
    /// A copy for a row of the tables.
    pub(crate) fn figures(&self) -> Figures {
        let cells = |table: &Option<super::RepartitionTable>| {
            table
                .as_ref()
                .map_or_else(Vec::new, |table| table.counts().to_vec())
        };
        Figures {
            counters: self.counters.clone(),
            rtds: self
                .rtds
                .iter()
                .map(|rtd| TimerFigures {
                    ms: rtd.ms,
                    cells: cells(&rtd.cells),
                })
                .collect(),
            call_length: TimerFigures {
                ms: self.call_length_ms,
                cells: cells(&self.call_length_cells),
            },
            call_length_us: self.call_length_us,
            invite_us: self.invite_us,
        }
    }

    /// Counts the time that the final answer to an INVITE took.
    pub(crate) fn invite_answered(&mut self, took: gossipper_vm::Micros) {
        self.invite_us.record(took.0);
    }
}
