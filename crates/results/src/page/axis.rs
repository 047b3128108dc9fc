// SPDX-License-Identifier: AGPL-3.0-only
//! Axes: from values to places, with marks at round values.

use super::document::Tick;
use super::units;

/// A vertical or horizontal axis of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    /// Its marks.
    pub(super) ticks: Vec<Tick>,
}

/// Marks that a linear axis has at most, without that at zero.
const MARKS: f64 = 4.0;

/// The next round value from `value` on: 1, 2 or 5 with zeroes.
fn round_up(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fits = steps
        .iter()
        .find(|step| **step * decade >= value * 0.999_999);
    fits.map_or(value, |step| step * decade)
}

/// The last round value up to `value`.
fn round_down(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    let steps = [10.0, 5.0, 2.0, 1.0];
    let fits = steps
        .iter()
        .find(|step| **step * decade <= value * 1.000_001);
    fits.map_or(value, |step| step * decade)
}

impl Axis {
    /// From zero to at least `most`.
    pub(super) fn linear(most: f64, label: impl Fn(f64) -> String, whole: bool) -> Self {
        let most = if most.is_finite() && most > 0.0 {
            most
        } else {
            1.0
        };
        let mut step = round_up(most / MARKS);
        if whole {
            step = step.max(1.0);
        }
        let steps = (most / step).ceil().clamp(1.0, 10.0);
        let high = step * steps;
        let ticks = (0..=steps as u32).map(|n| {
            let value = step * f64::from(n);
            Tick {
                at: value / high,
                label: label(value),
            }
        });
        Self {
            low: 0.0,
            high,
            log: false,
            ticks: ticks.collect(),
        }
    }

    /// From `least` to `most`, each octave as high as the next; both must be above zero.
    pub(super) fn log(least: f64, most: f64, label: impl Fn(f64) -> String) -> Self {
        let least = if least.is_finite() {
            least.max(1.0)
        } else {
            1.0
        };
        let low = round_down(least);
        let mut high = if most.is_finite() {
            round_up(most.max(low))
        } else {
            low
        };
        if high <= low * 1.5 {
            high = round_up(low * 1.9);
        }
        let mut axis = Self {
            low,
            high,
            log: true,
            ticks: Vec::new(),
        };
        let decades = (high / low).log10();
        let (steps, every): (&[f64], i32) = match decades {
            _ if decades <= 2.01 => (&[1.0, 2.0, 5.0], 1),
            _ if decades <= 6.0 => (&[1.0], 1),
            _ => (&[1.0], (decades / 5.0).ceil() as i32),
        };
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        for decade in (first..=last).filter(|decade| (decade - first) % every == 0) {
            for step in steps {
                let value = step * 10f64.powi(decade);
                if value >= low * 0.999 && value <= high * 1.001 {
                    axis.ticks.push(Tick {
                        at: axis.place(value),
                        label: label(value),
                    });
                }
            }
        }
        axis
    }

    /// Where a value is; values beyond an end are at it.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if place.is_finite() {
            place.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// The least and the greatest value.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }
}

/// Marks of so many seconds from the beginning of a run, six at most and that of the beginning.
pub(super) fn seconds(span: f64) -> Vec<Tick> {
    const STEPS: [u64; 20] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
        86_400, 172_800, 604_800,
    ];
    // No run is older than the world.
    let span = if span.is_finite() {
        span.clamp(1.0, 1e15)
    } else {
        1.0
    };
    let step = STEPS.into_iter().find(|step| span / *step as f64 <= 6.0);
    // Beyond that no name of a unit helps either.
    let step = step.unwrap_or_else(|| (span / 5.0) as u64).max(1);
    let label = |at: u64| match at {
        0 => "0".to_owned(),
        _ if span <= 120.0 => format!("{at}\u{a0}s"),
        _ if span < 3600.0 => format!("{}:{:02}", at / 60, at % 60),
        _ if span < 172_800.0 => format!("{}:{:02}\u{a0}h", at / 3600, at / 60 % 60),
        _ => format!("{}\u{a0}d", units::digits(at as f64 / 86_400.0)),
    };
    (0..=(span / step as f64) as u64)
        .map(|n| Tick {
            at: (n * step) as f64 / span,
            label: label(n * step),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> String {
        let labels: Vec<_> = ticks.iter().map(|tick| tick.label.as_str()).collect();
        labels.join(" ").replace('\u{a0}', "")
    }

    #[test]
    fn linear_axes_end_at_a_round_value_at_or_above_the_greatest() {
        for (most, marks) in [
            (0.0, "0 0.500 1"),
            (1.0, "0 0.500 1"),
            (100.0, "0 50 100"),
            (101.0, "0 50 100 150"),
            (730.0, "0 200 400 600 800"),
            (f64::INFINITY, "0 0.500 1"),
        ] {
            let axis = Axis::linear(most, units::digits, false);
            assert_eq!(labels(&axis.ticks), marks, "{most}");
        }
        let whole = Axis::linear(1.0, units::digits, true);
        assert_eq!(labels(&whole.ticks), "0 1");
        assert!((whole.place(0.5) - 0.5).abs() < 1e-9);
        assert!((whole.place(7.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn logarithmic_axes_have_marks_at_ones_or_at_ones_twos_and_fives() {
        let label = |ns: f64| units::time(ns as u64);
        for (least, most, marks) in [
            (1.1e6, 48e6, "1ms 2ms 5ms 10ms 20ms 50ms"),
            (9e3, 3e9, "10µs 100µs 1ms 10ms 100ms 1s"),
            (5e6, 5e6, "5ms 10ms"),
        ] {
            let axis = Axis::log(least, most, label);
            assert_eq!(labels(&axis.ticks), marks);
            let (low, high) = axis.ends();
            assert!(low <= least && most <= high, "{low} {high}");
        }
        let far = Axis::log(1.0, 1e19, label);
        assert!(far.ticks.len() <= 8, "{:?}", far.ticks);
        // Nonsense of a file of somebody else's draws nonsense, and ends.
        let _ = Axis::log(f64::NAN, f64::NAN, label);
        let _ = Axis::log(0.0, 0.0, label);
    }

    #[test]
    fn times_of_a_run_are_marked_in_units_that_fit() {
        for (span, marks) in [
            (1.0, "0 1s"),
            (5.0, "0 1s 2s 3s 4s 5s"),
            (60.0, "0 10s 20s 30s 40s 50s 60s"),
            (600.0, "0 2:00 4:00 6:00 8:00 10:00"),
            (7200.0, "0 0:30h 1:00h 1:30h 2:00h"),
            (864_000.0, "0 2d 4d 6d 8d 10d"),
        ] {
            assert_eq!(labels(&seconds(span)), marks, "{span}");
        }
        assert!(seconds(1e18).len() < 10 && seconds(f64::NAN).len() < 10);
    }
}
