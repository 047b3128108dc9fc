// SPDX-License-Identifier: AGPL-3.0-only
//! What happened, second by second, as columns of equal length.
//!
//! Counts are of the period, levels those at its end. The first period begins with the run; there are no gaps. A run of
//! more than an hour has longer periods.

use crate::latency::cells_ns;
use gossipper_control::measures::{self as measured, FAILURE_CLASSES, Point};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Length of a period in seconds.
    pub period_s: u64,
    /// Calls per second asked for.
    pub rate_asked: Vec<f64>,
    /// Calls created.
    pub created: Vec<u64>,
    /// Calls that ended well.
    pub succeeded: Vec<u64>,
    /// Calls that failed, by class; classes that never occurred are left out.
    pub failed: BTreeMap<String, Vec<u64>>,
    /// Calls open.
    pub open: Vec<u64>,
    /// Messages sent, repetitions not counted.
    pub sent: Vec<u64>,
    /// Messages received, repetitions not counted.
    pub received: Vec<u64>,
    /// Messages sent again.
    pub retransmitted: Vec<u64>,
    /// Timeouts.
    pub timeouts: Vec<u64>,
    /// Messages that did not fit.
    pub unexpected: Vec<u64>,
    /// Answer times from sending.
    pub answer: Quantiles,
    /// Answer times from when they were due.
    pub answer_due: Quantiles,
    /// The latter per cell: where it begins in ns, and how many.
    pub answer_due_cells: Vec<Vec<(u64, u64)>>,
}

/// Percentiles per period, in ns; within an eighth, as they come from cells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// Medians.
    pub p50: Vec<u64>,
    /// 90th percentiles.
    pub p90: Vec<u64>,
    /// 99th percentiles.
    pub p99: Vec<u64>,
}

impl Quantiles {
    fn of<'a>(cells: impl Iterator<Item = &'a measured::Cells> + Clone) -> Self {
        let column = |parts| {
            cells
                .clone()
                .map(|cells| cells.quantile_us(parts).saturating_mul(1000))
                .collect()
        };
        Self {
            p50: column(5000),
            p90: column(9000),
            p99: column(9900),
        }
    }
}

impl From<&measured::Series> for Series {
    fn from(series: &measured::Series) -> Self {
        let points = &series.points;
        let column = |figure: fn(&Point) -> u64| points.iter().map(figure).collect::<Vec<_>>();
        let classes = FAILURE_CLASSES.iter().enumerate();
        let failed = classes.filter_map(|(place, class)| {
            let column: Vec<u64> = points.iter().map(|point| point.failed[place]).collect();
            let occurred = column.iter().any(|count| *count > 0);
            occurred.then(|| ((*class).to_owned(), column))
        });
        Self {
            period_s: series.period_s,
            rate_asked: points.iter().map(|point| point.rate_asked).collect(),
            created: column(|point| point.created),
            succeeded: column(|point| point.succeeded),
            failed: failed.collect(),
            open: column(|point| point.open),
            sent: column(|point| point.sent),
            received: column(|point| point.received),
            retransmitted: column(|point| point.retransmitted),
            timeouts: column(|point| point.timeouts),
            unexpected: column(|point| point.unexpected),
            answer: Quantiles::of(points.iter().map(|point| &point.actual)),
            answer_due: Quantiles::of(points.iter().map(|point| &point.due)),
            answer_due_cells: points.iter().map(|point| cells_ns(&point.due)).collect(),
        }
    }
}
