// SPDX-License-Identifier: AGPL-3.0-only
//! Times in an HDR histogram: 1 µs to 1 h with three significant digits.
//!
//! The histogram begins small and grows with the largest sample, to about 190 KB at one hour; longer times count as one
//! hour. Zero is recorded as zero. Mean and deviation are exact: they are of the samples, not of their cells, so that nobody
//! has to walk through all cells to tell them.

use std::borrow::Cow;

use gossipper_control::TimeSummary;
use gossipper_control::measures::{
    BORDERS_MS, CELLS, Cells, Distribution, QUANTILES, cell_of, native_of,
};
use gossipper_vm::Micros;
use hdrhistogram::Histogram;

/// Longest time told apart.
const LONGEST_US: u64 = 3_600_000_000;

/// Significant decimal digits of a recorded time.
const DIGITS: u8 = 3;

/// The same where there are many distributions: a percent is near enough, and it takes a tenth of the memory.
const FEW_DIGITS: u8 = 2;

/// Samples that are counted together.
const TOGETHER: usize = 64;

/// A distribution of times.
// PERF: a sample is one of thousands of cells, and after a sleep its memory is far away. Several are counted together, so
// that those waits overlap, and meanwhile a sample is written beside the one before (2026-11-22).
#[derive(Debug, Clone)]
pub struct Times {
    counts: Histogram<u64>,
    last: Micros,
    sum: u64,
    squares: u128,
    /// The last samples in µs: all the rest does not know them yet.
    waiting: Vec<u32>,
}

impl Default for Times {
    fn default() -> Self {
        Self::with_digits(DIGITS)
    }
}

impl Times {
    fn with_digits(digits: u8) -> Self {
        let counts = Histogram::new(digits);
        Self {
            counts: counts.expect("two and three digits are within what the histogram offers"),
            last: Micros(0),
            sum: 0,
            squares: 0,
            waiting: Vec::with_capacity(TOGETHER),
        }
    }

    /// One of two significant digits.
    #[must_use]
    pub fn coarse() -> Self {
        Self::with_digits(FEW_DIGITS)
    }

    /// Counts one sample.
    pub fn record(&mut self, time: Micros) {
        // No more than fits, whatever it is.
        let us = time.0.min(LONGEST_US) as u32;
        self.last = time;
        self.waiting.push(us);
        if self.waiting.len() >= TOGETHER {
            self.settle();
        }
    }

    /// Counts the samples that wait for it, so that nobody who reads has to.
    pub fn settle(&mut self) {
        for us in self.waiting.drain(..).map(u64::from) {
            // It grows by itself and LONGEST_US is in range, so recording cannot fail.
            let recorded = self.counts.record(us);
            debug_assert!(recorded.is_ok());
            self.sum = self.sum.saturating_add(us);
            self.squares = self.squares.saturating_add(u128::from(us) * u128::from(us));
        }
    }

    /// The same with all samples counted.
    fn settled(&self) -> Cow<'_, Self> {
        if self.waiting.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut whole = self.clone();
        whole.settle();
        Cow::Owned(whole)
    }

    /// Counts the samples of another shard too.
    pub fn add(&mut self, other: &Self) {
        let other = other.settled();
        // It grows by itself, and the other's samples are in range.
        let added = self.counts.add(&other.counts);
        debug_assert!(added.is_ok());
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.saturating_add(other.squares);
        // Of samples that came at about the same time, any may be the last.
        if !other.counts.is_empty() {
            self.last = other.last;
        }
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.counts.reset();
        self.last = Micros(0);
        self.sum = 0;
        self.squares = 0;
    }

    /// Arithmetic mean; 0 without samples.
    fn mean(&self) -> f64 {
        self.sum as f64 / self.counts.len().max(1) as f64
    }

    /// Deviation of the samples; 0 without any.
    fn deviation(&self) -> f64 {
        let count = u128::from(self.counts.len().max(1));
        let sum = u128::from(self.sum);
        // As whole numbers: with times that hardly differ, the difference of two floating-point numbers would be noise.
        let numerator = count.saturating_mul(self.squares).saturating_sub(sum * sum);
        (numerator as f64).sqrt() / count as f64
    }

    /// The figures that reports show.
    #[must_use]
    pub fn summary(&self) -> TimeSummary {
        self.settled().summary_of_counted()
    }

    fn summary_of_counted(&self) -> TimeSummary {
        if self.counts.is_empty() {
            return TimeSummary::default();
        }
        let at = |quantile| self.counts.value_at_quantile(quantile);
        TimeSummary {
            count: self.counts.len(),
            min_us: self.counts.min(),
            mean_us: self.mean(),
            stdev_us: self.deviation(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.counts.max(),
        }
    }

    /// The figures that reports are made of.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        self.settled().distribution_of_counted()
    }

    fn distribution_of_counted(&self) -> Distribution {
        if self.counts.is_empty() {
            return Distribution::default();
        }
        let mut borders = [0; BORDERS_MS.len() + 1];
        let mut cells = [0; CELLS];
        let (mut native, mut native_zero) = (Vec::new(), 0);
        for step in self.counts.iter_recorded() {
            let us = step.value_iterated_to();
            // A cell of the histogram that holds a border counts as what is up to it.
            let begins = self.counts.lowest_equivalent(us);
            let border = BORDERS_MS.partition_point(|ms| ms * 1000 < begins);
            let count = step.count_since_last_iteration();
            borders[border] += count;
            cells[cell_of(begins)] += count;
            // As its cells ascend, so do the buckets.
            match (
                native_of(self.counts.median_equivalent(us)),
                native.last_mut(),
            ) {
                (None, _) => native_zero += count,
                (Some(bucket), Some((last, samples))) if *last == bucket => *samples += count,
                (Some(bucket), _) => native.push((bucket, count)),
            }
        }
        Distribution {
            count: self.counts.len(),
            mean_us: self.mean(),
            stdev_us: self.deviation(),
            min_us: self.counts.min(),
            max_us: self.counts.max(),
            last_us: self.last.0,
            quantiles_us: QUANTILES
                .map(|parts| self.counts.value_at_quantile(f64::from(parts) / 10_000.0)),
            borders,
            cells: Cells::of(&cells),
            native,
            native_zero,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_sorts_every_sample_into_its_cell_and_below_its_border() {
        for mut times in [Times::default(), Times::coarse()] {
            for us in [0, 1_000, 1_100, 10_000, 10_200, 9_999_000, 20_000_000] {
                times.record(Micros(us));
            }
            let distribution = times.distribution();
            assert_eq!((distribution.count, distribution.last_us), (7, 20_000_000));
            assert_eq!(
                distribution.borders,
                [2, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]
            );
            assert_eq!(distribution.cells.count(), 7);
            let native: u64 = distribution.native.iter().map(|(_, count)| count).sum();
            assert_eq!((native, distribution.native_zero), (6, 1));
            assert!(distribution.native.is_sorted_by_key(|(bucket, _)| *bucket));
            assert_eq!(distribution.quantile_us(5000).map(|us| us / 1000), Some(10));
            assert_eq!(distribution.quantile_us(5001), None);
        }
        assert_eq!(Times::default().distribution(), Distribution::default());
    }

    #[test]
    fn samples_that_wait_to_be_counted_are_in_all_that_is_told() {
        let mut times = Times::default();
        for us in 1..=TOGETHER as u64 + 3 {
            times.record(Micros(us));
            let mut settled = times.clone();
            settled.settle();
            assert!(settled.waiting.is_empty());
            let mut added = Times::default();
            added.add(&times);
            for same in [&times, &settled, &added] {
                let (summary, distribution) = (same.summary(), same.distribution());
                assert_eq!((summary.count, summary.max_us), (us, us));
                assert_eq!((distribution.count, distribution.last_us), (us, us));
                assert_eq!(summary, times.summary());
                assert_eq!(distribution, times.distribution());
            }
        }
        assert_eq!(times.waiting.len(), 3, "most are counted");
        times.clear();
        assert_eq!(times.summary(), TimeSummary::default());
    }

    #[test]
    fn percentiles_are_within_three_digits() {
        let mut times = Times::default();
        for us in 1..=100_000 {
            times.record(Micros(us));
        }
        let summary = times.summary();
        let close = |value: u64, exact: u64| value.abs_diff(exact) * 1000 <= exact;
        assert_eq!((summary.count, summary.min_us), (100_000, 1));
        assert!(
            close(summary.p50_us, 50_000) && close(summary.p99_us, 99_000),
            "{summary:?}"
        );
        assert!(close(summary.max_us, 100_000), "{summary:?}");
        assert!((summary.mean_us - 50_000.5).abs() < 50.0, "{summary:?}");
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_samples_whether_added_up_or_not() {
        let (mut times, mut others) = (Times::default(), Times::default());
        for us in [4_000_002, 4_000_004, 4_000_004, 4_000_004] {
            times.record(Micros(us));
        }
        for us in [4_000_005, 4_000_005, 4_000_007, 4_000_009] {
            others.record(Micros(us));
        }
        times.add(&others);
        let (summary, distribution) = (times.summary(), times.distribution());
        assert_eq!((summary.mean_us, summary.stdev_us), (4_000_005.0, 2.0));
        let told = (distribution.mean_us, distribution.stdev_us);
        assert_eq!(told, (4_000_005.0, 2.0));
        times.clear();
        times.record(Micros(7));
        let summary = times.summary();
        assert_eq!((summary.mean_us, summary.stdev_us), (7.0, 0.0));
    }

    #[test]
    fn extremes_are_kept_within_the_range() {
        let mut times = Times::default();
        assert_eq!(times.summary(), TimeSummary::default());
        times.record(Micros(0));
        times.record(Micros(u64::MAX));
        let summary = times.summary();
        assert_eq!((summary.count, summary.min_us), (2, 0));
        assert!(summary.max_us.abs_diff(LONGEST_US) * 1000 <= LONGEST_US);
    }
}
