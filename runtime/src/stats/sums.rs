// SPDX-License-Identifier: AGPL-3.0-only
//! Exact sums of times, for means and deviations of any period: that of two instants is their difference.
//!
//! Beside the histograms, whose figures carry an error and cannot be subtracted.

/// Number, sum and sum of squares of samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) count: u64,
    sum: u128,
    squares: u128,
}

impl Sums {
    pub(crate) fn record(&mut self, sample: u64) {
        let sample = u128::from(sample);
        self.count += 1;
        self.sum += sample;
        // A sample is below 2^64 only in theory; in years it is far below 2^50, and so many samples do not overflow.
        self.squares = self.squares.saturating_add(sample * sample);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// What has come since then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            count: self.count.saturating_sub(before.count),
            sum: self.sum.saturating_sub(before.sum),
            squares: self.squares.saturating_sub(before.squares),
        }
    }

    /// Arithmetic mean; 0 without samples.
    pub(crate) fn mean(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        self.sum as f64 / self.count as f64
    }

    /// Deviation of the samples (divided by n − 1); 0 with fewer than two.
    pub(crate) fn deviation(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let count = u128::from(self.count);
        let numerator = (count * self.squares).saturating_sub(self.sum * self.sum);
        (numerator as f64 / (count * (count - 1)) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: &[u64]) -> Sums {
        let mut sums = Sums::default();
        samples.iter().for_each(|sample| sums.record(*sample));
        sums
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_samples() {
        let sums = of(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert!((sums.mean() - 5.0).abs() < 1e-9);
        assert!((sums.deviation() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn one_sample_has_no_deviation() {
        // SIPp divides zero by zero here and prints what comes of it.
        assert_eq!((of(&[32]).mean(), of(&[32]).deviation()), (32.0, 0.0));
        assert_eq!((of(&[]).mean(), of(&[]).deviation()), (0.0, 0.0));
    }

    #[test]
    fn a_period_is_the_difference_of_two_instants() {
        let (before, mut all) = (of(&[1, 2, 3]), of(&[1, 2, 3]));
        all.add(&of(&[10, 20]));
        assert_eq!(all.since(&before), of(&[10, 20]));
    }
}
