// SPDX-License-Identifier: AGPL-3.0-only
//! Samples sorted into cells whose borders the scenario gives (`<ResponseTimeRepartition>`).
//!
//! A sample of *n* ms falls into the first cell whose border is above *n*, else into the last. Times
//! are cut to whole milliseconds first, as SIPp does.

use gossipper_control::{Cell, Repartition};
use gossipper_vm::Micros;

/// Counts per cell.
#[derive(Debug, Clone)]
pub struct RepartitionTable {
    borders_ms: Vec<u32>,
    counts: Vec<u64>,
}

impl RepartitionTable {
    /// An empty table; `None` without borders.
    #[must_use]
    pub fn new(borders_ms: &[u32]) -> Option<Self> {
        let mut borders_ms = borders_ms.to_vec();
        borders_ms.sort_unstable();
        borders_ms.dedup();
        let counts = vec![0; borders_ms.len() + 1];
        (!borders_ms.is_empty()).then_some(Self { borders_ms, counts })
    }

    /// Counts one sample.
    pub fn record(&mut self, time: Micros) {
        let cell = self
            .borders_ms
            .partition_point(|border| u64::from(*border) <= time.as_ms());
        self.counts[cell] += 1;
    }

    /// Counts the samples of another table with the same borders too.
    pub fn add(&mut self, other: &Self) {
        for (into, count) in self.counts.iter_mut().zip(&other.counts) {
            *into += count;
        }
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// Samples per cell.
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The cells as plain data.
    #[must_use]
    pub fn snapshot(&self) -> Repartition {
        let borders = self.borders_ms.iter().copied().map(Some).chain([None]);
        Repartition {
            cells: borders
                .zip(&self.counts)
                .map(|(below_ms, &count)| Cell { below_ms, count })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_on_a_border_belongs_to_the_cell_above() {
        let mut table = RepartitionTable::new(&[10, 20]).expect("borders");
        for us in [0, 9_999, 10_000, 19_999, 20_000, u64::MAX] {
            table.record(Micros(us));
        }
        let cells: Vec<_> = table
            .snapshot()
            .cells
            .iter()
            .map(|c| (c.below_ms, c.count))
            .collect();
        assert_eq!(cells, [(Some(10), 2), (Some(20), 2), (None, 2)]);
        assert!(RepartitionTable::new(&[]).is_none());
    }
}
