// SPDX-License-Identifier: AGPL-3.0-only
//! Times in an HDR histogram: 1 µs to 1 h with three significant digits.
//!
//! The histogram begins small and grows with the largest sample, to about 190 KB at one hour; longer times count as one
//! hour. Zero is recorded as zero.

use gossipper_control::TimeSummary;
use gossipper_vm::Micros;
use hdrhistogram::Histogram;

/// Longest time told apart.
const LONGEST_US: u64 = 3_600_000_000;

/// Significant decimal digits of a recorded time.
const DIGITS: u8 = 3;

/// A distribution of times.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(DIGITS).expect("three digits are within what the histogram offers"))
    }
}

impl Times {
    /// Counts one sample.
    pub fn record(&mut self, time: Micros) {
        // It grows by itself and LONGEST_US is in range, so recording cannot fail.
        let recorded = self.0.record(time.0.min(LONGEST_US));
        debug_assert!(recorded.is_ok());
    }

    /// Counts the samples of another shard too.
    pub fn add(&mut self, other: &Self) {
        // It grows by itself, and the other's samples are in range.
        let added = self.0.add(&other.0);
        debug_assert!(added.is_ok());
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The figures that reports show.
    #[must_use]
    pub fn summary(&self) -> TimeSummary {
        if self.0.is_empty() {
            return TimeSummary::default();
        }
        let at = |quantile| self.0.value_at_quantile(quantile);
        TimeSummary {
            count: self.0.len(),
            min_us: self.0.min(),
            mean_us: self.0.mean(),
            stdev_us: self.0.stdev(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.0.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
