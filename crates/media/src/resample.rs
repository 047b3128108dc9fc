// SPDX-License-Identifier: AGPL-3.0-only
//! Audio of one rate as audio of another: a low-pass filter (windowed sinc) evaluated at the new places.
//!
//! A file is done once at the start of a run ([`resample`]), sound that comes in parts part by part ([`Resampler`]); both are
//! written for exactness, not for speed.

use core::f64::consts::PI;

/// Zero crossings of the filter on each side.
const CROSSINGS: usize = 16;
/// Part of the new band that is kept; the rest is the slope of the filter.
const BAND: f64 = 0.94;
/// Filters kept for the fractions of a sample at which the new ones lie.
const MAX_PHASES: usize = 1024;

/// Lowest rate that is taken.
pub const MIN_RATE: u32 = 1000;
/// Highest rate that is taken.
pub const MAX_RATE: u32 = 384_000;

/// Samples at another rate. Both rates are between [`MIN_RATE`] and [`MAX_RATE`]; others give nothing.
#[must_use]
pub fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to {
        return samples.to_vec();
    }
    if ![from, to]
        .iter()
        .all(|rate| (MIN_RATE..=MAX_RATE).contains(rate))
    {
        return Vec::new();
    }
    let divisor = greatest_divisor(from, to);
    // New sample n lies at old sample n * step / phases.
    let (step, phases) = (u64::from(from / divisor), u64::from(to / divisor));
    let kept = (phases as usize).min(MAX_PHASES);
    let cutoff = BAND * (f64::from(to) / f64::from(from)).min(1.0);
    let reach = (CROSSINGS as f64 / cutoff).ceil() as usize;
    // Made when first needed: a short file needs few of those of odd rates.
    let mut filters: Vec<Vec<f32>> = vec![Vec::new(); kept];
    let count = samples.len() as u64 * phases / step;
    (0..count)
        .map(|index| {
            let place = index * step;
            let (base, fraction) = (place / phases, place % phases);
            let phase = (fraction * kept as u64 / phases) as usize;
            let taps = &mut filters[phase];
            if taps.is_empty() {
                *taps = filter(phase as f64 / kept as f64, cutoff, reach);
            }
            at(samples, base as usize, taps, reach)
        })
        .collect()
}

/// Audio that comes in parts, at another rate: what it makes of all parts is what [`resample`] makes of the whole, only
/// later by [`Resampler::delay`].
#[derive(Debug)]
pub struct Resampler {
    /// New sample n lies at old sample n * step / phases.
    step: u64,
    phases: u64,
    reach: usize,
    filters: Vec<Vec<f32>>,
    /// Old samples that are still needed.
    kept: Vec<i16>,
    /// The next new sample, counted from where `kept` begins to be looked at.
    next: u64,
}

impl Resampler {
    /// Between two rates from [`MIN_RATE`] to [`MAX_RATE`]. It keeps a filter for each place that a new sample may have
    /// between two old ones: two at most where one rate is twice the other, many where they are odd.
    #[must_use]
    pub fn new(from: u32, to: u32) -> Self {
        let rate = |rate: u32| rate.clamp(MIN_RATE, MAX_RATE);
        let (from, to) = (rate(from), rate(to));
        let divisor = greatest_divisor(from, to);
        let (step, phases) = (u64::from(from / divisor), u64::from(to / divisor));
        let cutoff = BAND * (f64::from(to) / f64::from(from)).min(1.0);
        let reach = (CROSSINGS as f64 / cutoff).ceil() as usize;
        // Whole new samples late, so that they lie where those of a whole file lie.
        let reach = reach.next_multiple_of(step as usize);
        let filters = (0..phases).map(|phase| filter(phase as f64 / phases as f64, cutoff, reach));
        Self {
            step,
            phases,
            reach,
            filters: filters.collect(),
            // Silence before the beginning, and as much of it as the filter looks ahead.
            kept: vec![0; 2 * reach - 1],
            next: 0,
        }
    }

    /// How many new samples it is late.
    #[must_use]
    pub fn delay(&self) -> usize {
        (self.reach as u64 * self.phases / self.step) as usize
    }

    /// Takes a part and appends what it makes of it: as many samples as last as long.
    pub fn append(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.kept.extend_from_slice(samples);
        loop {
            let place = self.next * self.step;
            let (base, phase) = ((place / self.phases) as usize, place % self.phases);
            let Some(around) = self.kept.get(base..base + 2 * self.reach) else {
                break;
            };
            let taps = &self.filters[phase as usize];
            let products = around.iter().zip(taps).map(|(a, b)| f32::from(*a) * b);
            out.push(products.sum::<f32>().round() as i16);
            self.next += 1;
        }
        // What no later sample looks at, in whole steps.
        let steps = self.next / self.phases;
        let gone = (steps * self.step) as usize;
        self.kept.drain(..gone.min(self.kept.len()));
        self.next -= steps * self.phases;
    }

    /// Appends the end of what was given, and begins anew.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        self.append(&vec![0; self.reach], out);
        self.kept.clear();
        self.kept.resize(2 * self.reach - 1, 0);
        self.next = 0;
    }
}

/// The filter around a place, from `reach - 1` samples before it to `reach` behind; its sum is 1.
fn filter(fraction: f64, cutoff: f64, reach: usize) -> Vec<f32> {
    let taps: Vec<f64> = (0..2 * reach)
        .map(|tap| {
            let distance = tap as f64 - (reach - 1) as f64 - fraction;
            let x = distance * cutoff;
            let sinc = if x.abs() < 1e-9 {
                1.0
            } else {
                (PI * x).sin() / (PI * x)
            };
            let window = (distance / reach as f64).clamp(-1.0, 1.0);
            // Blackman: what folds back stays some 70 dB below.
            sinc * (0.42 + 0.5 * (PI * window).cos() + 0.08 * (2.0 * PI * window).cos())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

fn at(samples: &[i16], base: usize, filter: &[f32], reach: usize) -> i16 {
    let first = base as i64 - (reach as i64 - 1);
    // Before the beginning and behind the end there is silence.
    let skip = usize::try_from(-first).unwrap_or(0);
    let start = usize::try_from(first).unwrap_or(0).min(samples.len());
    let taps = filter.get(skip..).unwrap_or_default();
    let sum: f32 = samples[start..]
        .iter()
        .zip(taps)
        .map(|(sample, tap)| f32::from(*sample) * tap)
        .sum();
    sum.round() as i16
}

fn greatest_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Tone, power_at};
    use proptest::prelude::*;

    #[test]
    fn a_tone_keeps_its_frequency_length_and_power() {
        for from in [
            8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 7999,
        ] {
            for to in [8000, 16_000] {
                let tone: Vec<i16> = Tone::new(1000.0, 0.5)
                    .samples(from)
                    .take(from as usize / 8)
                    .collect();
                let new = resample(&tone, from, to);
                let expected = tone.len() as i64 * i64::from(to) / i64::from(from);
                assert!((new.len() as i64 - expected).abs() <= 1, "{from} {to}");
                // Whole periods, away from the ends.
                let middle = &new[to as usize / 40..to as usize / 10];
                let (whole, at) = power_at(middle, 1000.0, to);
                assert!(at / whole > 0.9999, "{from} {to}: {at} of {whole}");
                let expected = (0.5 * 32_767.0f64).powi(2) / 2.0;
                assert!((at / expected - 1.0).abs() < 0.01, "{from} {to}: {at}");
            }
        }
    }

    #[test]
    fn parts_make_what_the_whole_makes() {
        for (from, to) in [(8000, 16_000), (16_000, 8000)] {
            let tone: Vec<i16> = Tone::new(700.0, 0.5).samples(from).take(4000).collect();
            let whole = resample(&tone, from, to);
            let mut resampler = Resampler::new(from, to);
            let delay = resampler.delay();
            let mut made = Vec::new();
            let (mut rest, mut len) = (&tone[..], 1);
            while !rest.is_empty() {
                let (part, more) = rest.split_at(len.min(rest.len()));
                resampler.append(part, &mut made);
                rest = more;
                len = len % 170 + 7;
            }
            assert_eq!(made.len(), whole.len(), "{from}");
            resampler.finish(&mut made);
            // The lengths of the filters differ by one sample of a slope that is almost zero.
            let same = |(a, b): (&i16, &i16)| (a - b).abs() <= 2;
            assert!(whole.iter().zip(&made[delay..]).all(same), "{from}");
            // It begins anew.
            let mut again = Vec::new();
            resampler.append(&tone, &mut again);
            assert_eq!(again, made[..again.len()]);
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone() {
        let tone: Vec<i16> = Tone::new(6000.0, 0.5)
            .samples(48_000)
            .take(12_000)
            .collect();
        let new = resample(&tone, 48_000, 8000);
        let (whole, _) = power_at(&new[200..1800], 2000.0, 8000);
        let before = (0.5 * 32_767.0f64).powi(2) / 2.0;
        assert!(whole / before < 1e-6, "{}", whole / before);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_samples_and_rates_give_samples(
            samples in proptest::collection::vec(any::<i16>(), 0..200),
            from in 0u32..500_000,
            to in 0u32..20_000,
        ) {
            let count = resample(&samples, from, to).len();
            prop_assert!(count as u64 <= samples.len() as u64 * u64::from(to) / u64::from(from.max(1)) + 1);
        }
    }
}
