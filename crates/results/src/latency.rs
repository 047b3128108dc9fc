// SPDX-License-Identifier: AGPL-3.0-only
//! A distribution of times, in whole nanoseconds.

use gossipper_control::measures::{BORDERS_MS, Cells, Distribution, Times, cell_begins};
use serde::{Deserialize, Serialize};

/// Borders of the buckets of the first version of the summary, in ms.
const BUCKETS_MS: [u64; 9] = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// Samples of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// `le_10ms` holds what is up to 10 ms and above the bucket before; `gt_5000ms` the rest.
    pub label: String,
    /// How many.
    pub count: u64,
}

/// Times from one beginning.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Samples.
    pub count: u64,
    /// Arithmetic mean.
    pub average: u64,
    /// Smallest.
    pub min: u64,
    /// Largest.
    pub max: u64,
    /// The one that came last.
    pub last: u64,
    /// Standard deviation.
    pub stddev: u64,
    /// Samples per range.
    #[serde(default)]
    pub buckets: Vec<Bucket>,
    /// Median.
    #[serde(default)]
    pub p50: u64,
    /// 75th percentile.
    #[serde(default)]
    pub p75: u64,
    /// 90th percentile.
    #[serde(default)]
    pub p90: u64,
    /// 95th percentile.
    #[serde(default)]
    pub p95: u64,
    /// 98th percentile.
    #[serde(default)]
    pub p98: u64,
    /// 99th percentile.
    #[serde(default)]
    pub p99: u64,
    /// 99.5th percentile.
    #[serde(default)]
    pub p995: u64,
    /// 99.9th percentile.
    #[serde(default)]
    pub p999: u64,
    /// 99.99th percentile.
    #[serde(default)]
    pub p9999: u64,
    /// Samples per cell with samples: where the cell begins, and how many. A cell ends at most an eighth above.
    #[serde(default)]
    pub cells: Vec<(u64, u64)>,
}

/// Times from when a request was sent and from when it was due.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// From when it was sent: the peer's part, and what compares with SIPp.
    #[serde(flatten)]
    pub sent: Timing,
    /// From when it was due: what a caller would have seen, however late the generator was. Absent where there is one
    /// beginning only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timing>,
}

fn ns(us: u64) -> u64 {
    us.saturating_mul(1000)
}

fn ns_of(us: f64) -> u64 {
    (us * 1000.0).round().max(0.0) as u64
}

/// Cells with the nanosecond at which they begin.
pub(crate) fn cells_ns(cells: &Cells) -> Vec<(u64, u64)> {
    let cells = cells.0.iter();
    cells
        .map(|(cell, count)| (ns(cell_begins(usize::from(*cell))), *count))
        .collect()
}

impl Timing {
    /// From what was measured.
    #[must_use]
    pub fn of(times: &Distribution) -> Self {
        let mut buckets: Vec<Bucket> = BUCKETS_MS
            .iter()
            .map(|ms| format!("le_{ms}ms"))
            .chain([format!("gt_{}ms", BUCKETS_MS[BUCKETS_MS.len() - 1])])
            .map(|label| Bucket { label, count: 0 })
            .collect();
        for (place, count) in times.borders.iter().enumerate() {
            let bucket = BORDERS_MS.get(place).map_or(BUCKETS_MS.len(), |border| {
                BUCKETS_MS.partition_point(|ms| ms < border)
            });
            buckets[bucket].count += count;
        }
        let [p50, p75, p90, p95, p98, p99, p995, p999, p9999] = times.quantiles_us.map(ns);
        Self {
            count: times.count,
            average: ns_of(times.mean_us),
            min: ns(times.min_us),
            max: ns(times.max_us),
            last: ns(times.last_us),
            stddev: ns_of(times.stdev_us),
            buckets,
            p50,
            p75,
            p90,
            p95,
            p98,
            p99,
            p995,
            p999,
            p9999,
            cells: cells_ns(&times.cells),
        }
    }
}

impl From<&Times> for Latency {
    fn from(times: &Times) -> Self {
        Self {
            sent: Timing::of(&times.actual),
            due: Some(Timing::of(&times.due)),
        }
    }
}

impl From<&Distribution> for Latency {
    fn from(times: &Distribution) -> Self {
        Self {
            sent: Timing::of(times),
            due: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_every_sample_once_below_their_border() {
        // One sample more in each range than in the one before.
        let mut times = Distribution::default();
        for (place, count) in times.borders.iter_mut().enumerate() {
            *count = place as u64 + 1;
        }
        times.count = times.borders.iter().sum();
        let timing = Timing::of(&times);
        let seen: Vec<_> = timing
            .buckets
            .iter()
            .map(|bucket| (bucket.label.as_str(), bucket.count))
            .collect();
        assert_eq!(
            seen,
            [
                ("le_10ms", 1 + 2 + 3 + 4),
                ("le_20ms", 5),
                ("le_50ms", 6),
                ("le_100ms", 7),
                ("le_200ms", 8),
                ("le_500ms", 9),
                ("le_1000ms", 10),
                ("le_2000ms", 11),
                ("le_5000ms", 12),
                ("gt_5000ms", 13 + 14),
            ]
        );
        assert_eq!(
            timing.buckets.iter().map(|b| b.count).sum::<u64>(),
            timing.count
        );
    }
}
