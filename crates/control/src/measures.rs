// SPDX-License-Identifier: AGPL-3.0-only
//! What a run measures for its reports, beyond what every run shows: distributions, and how they came about over time.
//!
//! Exists where a report is asked for. Like a snapshot it is plain data, whole microseconds, and since the start of the
//! run; it is renewed about once a second, and a last time when the run is over.
//!
//! Each time is kept twice, from when its request was sent and from when it was due
//! (docs/adr/0016-results.md). Not for: percentiles of what a reader adds up; the cells are for charts.

use serde::{Deserialize, Serialize};

/// Upper borders of the cells of [`Distribution::borders`] in ms. A last cell has none.
pub const BORDERS_MS: [u64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/// The percentiles that a distribution has, as parts of 10,000.
pub const QUANTILES: [u32; 9] = [5000, 7500, 9000, 9500, 9800, 9900, 9950, 9990, 9999];

/// A distribution of times in µs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Distribution {
    /// Samples.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Standard deviation.
    pub stdev_us: f64,
    /// Smallest.
    pub min_us: u64,
    /// Largest.
    pub max_us: u64,
    /// The sample that came last.
    pub last_us: u64,
    /// The percentiles of [`QUANTILES`], in their order.
    pub quantiles_us: [u64; QUANTILES.len()],
    /// Samples up to each border of [`BORDERS_MS`] and above the one before; the last are those above all.
    pub borders: [u64; BORDERS_MS.len() + 1],
    /// Samples in the cells of [`cell_of`], those without samples left out.
    pub cells: Cells,
    /// Samples in the buckets of [`native_of`], those without samples left out, in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub native: Vec<(i16, u64)>,
    /// Samples of no time at all, which have no such bucket.
    #[serde(default)]
    pub native_zero: u64,
}

impl Distribution {
    /// The percentile of so many parts of 10,000; `None` if it is none of [`QUANTILES`].
    #[must_use]
    pub fn quantile_us(&self, parts: u32) -> Option<u64> {
        let place = QUANTILES.iter().position(|known| *known == parts)?;
        self.quantiles_us.get(place).copied()
    }
}

/// A time from two beginnings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Times {
    /// From when it was sent: the peer's part.
    pub actual: Distribution,
    /// From when it was due: what a caller would have seen.
    pub due: Distribution,
}

/// A response-time timer of the scenario.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TimerTimes {
    /// Its name.
    pub name: String,
    /// Its times.
    pub times: Times,
}

/// How long a receive step waited for the peer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepTimes {
    /// Which step, from 0.
    pub step: usize,
    /// Of a response since its request, of a request since our last message.
    pub times: Times,
}

/// How long responses of one kind took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ResponseTimes {
    /// The method of the request; `other` for those that are rare.
    pub method: String,
    /// The status code; 0 for those that are rare.
    pub code: u16,
    /// Since the request.
    pub times: Times,
}

/// Everything measured so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measures {
    /// When that was, since the run began.
    pub at_us: u64,
    /// From a call's creation to its end.
    pub call_length: Distribution,
    /// From an INVITE to its final answer.
    pub invite: Times,
    /// From any request to its final answer; of a server, from its final answer to the ACK.
    pub answer: Times,
    /// How much later than scheduled calls began.
    pub lateness: Distribution,
    /// The scenario's timers, in its order.
    pub timers: Vec<TimerTimes>,
    /// Steps that have received something.
    pub steps: Vec<StepTimes>,
    /// Responses received.
    pub responses: Vec<ResponseTimes>,
    /// How it came about.
    pub series: Series,
}

/// What happened, period by period.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Length of a period, in seconds. It doubles when there would be more than [`Series::MOST`].
    pub period_s: u64,
    /// The periods, from the beginning of the run, without gaps.
    pub points: Vec<Point>,
}

/// One period.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    /// Calls per second asked for at its end.
    pub rate_asked: f64,
    /// Calls created in it.
    pub created: u64,
    /// Calls that ended well in it.
    pub succeeded: u64,
    /// Calls that failed in it, by class, in the order of [`FAILURE_CLASSES`].
    pub failed: [u64; FAILURE_CLASSES.len()],
    /// Calls open at its end.
    pub open: u64,
    /// Messages sent in it, repetitions not counted.
    pub sent: u64,
    /// Messages received in it, repetitions not counted.
    pub received: u64,
    /// Messages sent again in it.
    pub retransmitted: u64,
    /// Timeouts in it.
    pub timeouts: u64,
    /// Messages in it that did not fit.
    pub unexpected: u64,
    /// Answer times from the actual sending.
    pub actual: Cells,
    /// The same from when it was due.
    pub due: Cells,
}

/// Classes of failures, in the order that reports have them.
pub const FAILURE_CLASSES: [&str; 6] = [
    "timeout",
    "unexpected_sip",
    "transport_error",
    "parse_error",
    "scenario_error",
    "cancelled",
];

/// Where a class is in [`FAILURE_CLASSES`].
#[must_use]
pub fn class_place(class: &str) -> Option<usize> {
    FAILURE_CLASSES.iter().position(|known| *known == class)
}

impl Point {
    /// Calls that failed in it.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.iter().sum()
    }

    /// Adds what another shard has counted in the same period.
    pub fn add(&mut self, other: &Self) {
        self.rate_asked += other.rate_asked;
        self.open += other.open;
        self.counts(other);
    }

    /// Adds the period that follows.
    pub fn follow(&mut self, next: &Self) {
        self.rate_asked = next.rate_asked;
        self.open = next.open;
        self.counts(next);
    }

    fn counts(&mut self, other: &Self) {
        self.created += other.created;
        self.succeeded += other.succeeded;
        for (into, failed) in self.failed.iter_mut().zip(other.failed) {
            *into += failed;
        }
        self.sent += other.sent;
        self.received += other.received;
        self.retransmitted += other.retransmitted;
        self.timeouts += other.timeouts;
        self.unexpected += other.unexpected;
        self.actual.add(&other.actual);
        self.due.add(&other.due);
    }
}

impl Series {
    /// Most periods that are kept: an hour of seconds.
    pub const MOST: usize = 3600;

    /// Adds the second of this number, from 0, which follows all that are there. One that was slept through is empty.
    pub fn push(&mut self, second: u64, point: &Point) {
        if self.period_s == 0 {
            self.period_s = 1;
        }
        while second / self.period_s >= Self::MOST as u64 {
            self.halve();
        }
        let Ok(place) = usize::try_from(second / self.period_s) else {
            return;
        };
        if let Some(there) = self.points.get_mut(place) {
            there.follow(point);
            return;
        }
        let (rate_asked, open) = self
            .points
            .last()
            .map_or((0.0, 0), |last| (last.rate_asked, last.open));
        let empty = Point {
            rate_asked,
            open,
            ..Point::default()
        };
        self.points.resize(place, empty);
        self.points.push(point.clone());
    }

    /// Adds what another shard has seen of the same run.
    pub fn merge(&mut self, other: &Self) {
        if other.period_s == 0 {
            return;
        }
        if self.period_s == 0 {
            self.clone_from(other);
            return;
        }
        let mut other = other.clone();
        while self.period_s < other.period_s {
            self.halve();
        }
        while other.period_s < self.period_s {
            other.halve();
        }
        let most = self.points.len().max(other.points.len());
        self.points.resize_with(most, Point::default);
        for (into, point) in self.points.iter_mut().zip(&other.points) {
            into.add(point);
        }
    }

    fn halve(&mut self) {
        let points = std::mem::take(&mut self.points);
        let mut points = points.into_iter();
        while let Some(mut first) = points.next() {
            if let Some(second) = points.next() {
                first.follow(&second);
            }
            self.points.push(first);
        }
        self.period_s *= 2;
    }
}

/// Samples per cell, only cells with samples, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cells(pub Vec<(u16, u64)>);

/// Cells of a power of two.
const PER_OCTAVE: u64 = 8;

/// Number of cells: up to more than an hour.
pub const CELLS: usize = 240;

/// The cell that a time belongs to: single microseconds below 8, then eight cells per power of two.
#[must_use]
pub fn cell_of(us: u64) -> usize {
    if us < PER_OCTAVE {
        return us as usize;
    }
    let octave = u64::from(us.ilog2()) - 3;
    let cell = (octave + 1) * PER_OCTAVE + ((us >> octave) & (PER_OCTAVE - 1));
    usize::try_from(cell).map_or(CELLS - 1, |cell| cell.min(CELLS - 1))
}

/// The smallest time of a cell; that of the next one is the first beyond it.
#[must_use]
pub fn cell_begins(cell: usize) -> u64 {
    let cell = cell as u64;
    if cell < PER_OCTAVE {
        return cell;
    }
    let octave = (cell / PER_OCTAVE - 1).min(60);
    (PER_OCTAVE + cell % PER_OCTAVE) << octave
}

/// Buckets of a power of two in native histograms of Prometheus: its schema 3.
pub const NATIVE_PER_OCTAVE: u32 = 8;

/// The bucket of a native histogram that a time belongs to: the one numbered `i` goes up to 2^(i / 8) seconds, which
/// belongs to it, from where the one before ends. `None` of no time at all.
#[must_use]
pub fn native_of(us: u64) -> Option<i16> {
    if us == 0 {
        return None;
    }
    let octaves = (us as f64 / 1e6).log2();
    // Between -160 and 353, whatever the time is.
    Some((octaves * f64::from(NATIVE_PER_OCTAVE)).ceil() as i16)
}

impl Cells {
    /// From counts per cell.
    #[must_use]
    pub fn of(counts: &[u64]) -> Self {
        let cells = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        Self(
            cells
                .filter_map(|(cell, count)| Some((u16::try_from(cell).ok()?, *count)))
                .collect(),
        )
    }

    /// Samples in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Adds the samples of others.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.0 {
            match self.0.binary_search_by_key(cell, |(cell, _)| *cell) {
                Ok(place) => self.0[place].1 += count,
                Err(place) => self.0.insert(place, (*cell, *count)),
            }
        }
    }

    /// About the percentile of so many parts of 10,000, in µs: the middle of its cell. 0 without samples.
    #[must_use]
    pub fn quantile_us(&self, parts: u32) -> u64 {
        let wanted = (self.count() * u64::from(parts)).div_ceil(10_000).max(1);
        let mut seen = 0;
        for (cell, count) in &self.0 {
            seen += count;
            if seen >= wanted {
                let cell = usize::from(*cell);
                let (low, high) = (cell_begins(cell), cell_begins(cell + 1));
                return low + (high - low) / 2;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_the_times_from_its_beginning_to_the_next() {
        for cell in 0..CELLS - 1 {
            let (low, high) = (cell_begins(cell), cell_begins(cell + 1));
            assert!(low < high, "cell {cell}");
            assert_eq!((cell_of(low), cell_of(high - 1)), (cell, cell));
            assert!(low < 8 || (high - low) * 8 <= low, "cell {cell} is wide");
        }
        assert_eq!(cell_of(3_600_000_000), cell_of(3_590_000_000));
        assert_eq!(cell_of(u64::MAX), CELLS - 1);
    }

    #[test]
    fn a_native_bucket_holds_the_times_up_to_its_power_of_two() {
        for (us, bucket) in [
            (1_000_000, 0),
            (1_000_001, 1),
            (2_000_000, 8),
            (500_000, -8),
            (499_999, -8),
            (1, -159),
            (u64::MAX, 353),
        ] {
            assert_eq!(native_of(us), Some(bucket), "{us}");
        }
        assert_eq!(native_of(0), None);
    }

    #[test]
    fn percentiles_of_cells_are_near() {
        let mut cells = Cells::default();
        for us in 1..=1000_u64 {
            let mut counts = [0; CELLS];
            counts[cell_of(us * 10)] = 1;
            cells.add(&Cells::of(&counts));
        }
        assert_eq!(cells.count(), 1000);
        for (parts, exact) in [(5000, 5000.0), (9900, 9900.0), (9999, 10_000.0)] {
            let near = cells.quantile_us(parts) as f64;
            assert!((near / exact - 1.0).abs() < 0.07, "{near} for {exact}");
        }
        assert_eq!(Cells::default().quantile_us(5000), 0);
    }

    fn point(created: u64, open: u64) -> Point {
        Point {
            created,
            open,
            rate_asked: 1.0,
            failed: [0, created, 0, 0, 0, 0],
            due: Cells(vec![(5, created)]),
            ..Point::default()
        }
    }

    #[test]
    fn a_long_run_has_longer_periods_and_loses_nothing() {
        let mut series = Series::default();
        let seconds = Series::MOST as u64 * 3;
        for second in 0..seconds {
            series.push(second, &point(2, 7));
        }
        assert_eq!(series.period_s, 4);
        assert!(series.points.len() <= Series::MOST);
        let created: u64 = series.points.iter().map(|point| point.created).sum();
        let timed: u64 = series.points.iter().map(|point| point.due.count()).sum();
        assert_eq!((created, timed), (seconds * 2, seconds * 2));
        assert!(series.points.iter().all(|point| point.open == 7));
    }

    #[test]
    fn seconds_that_were_slept_through_keep_levels_and_count_nothing() {
        let mut series = Series::default();
        series.push(0, &point(3, 3));
        series.push(4, &point(1, 4));
        let seen: Vec<_> = series.points.iter().map(|p| (p.created, p.open)).collect();
        assert_eq!(seen, [(3, 3), (0, 3), (0, 3), (0, 3), (1, 4)]);
    }

    #[test]
    fn shards_with_periods_of_different_length_add_up() {
        let (mut long, mut short) = (Series::default(), Series::default());
        for second in 0..Series::MOST as u64 + 1 {
            long.push(second, &point(1, 2));
        }
        for second in 0..5 {
            short.push(second, &point(1, 2));
        }
        let mut merged = short.clone();
        merged.merge(&long);
        long.merge(&short);
        assert_eq!(merged, long);
        assert_eq!(merged.period_s, 2);
        assert_eq!((merged.points[0].created, merged.points[0].open), (4, 4));
        assert_eq!((merged.points[9].created, merged.points[9].open), (2, 2));
        merged.merge(&Series::default());
        assert_eq!(merged, long);
    }
}
