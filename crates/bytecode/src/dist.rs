// SPDX-License-Identifier: AGPL-3.0-only
//! Random distributions of pauses: sampling and the 99th percentile.
//!
//! Pure: randomness comes in as a source of uniform numbers, so that the same seed gives the same pauses.

use serde::{Deserialize, Serialize};

/// A distribution with its parameters, named as in the scenario.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Distribution {
    /// Always `value`.
    Fixed {
        /// The value.
        value: f64,
    },
    /// Between `min` and `max`.
    Uniform {
        /// Lower end.
        min: f64,
        /// Upper end.
        max: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        stdev: f64,
    },
    /// Log-normal; the parameters are those of the underlying normal, on the natural log scale.
    LogNormal {
        /// Mean of the logarithm.
        mean: f64,
        /// Standard deviation of the logarithm.
        stdev: f64,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// Weibull.
    Weibull {
        /// Scale.
        lambda: f64,
        /// Shape.
        k: f64,
    },
    /// Pareto.
    Pareto {
        /// Shape.
        k: f64,
        /// Scale, the smallest value.
        x_m: f64,
    },
    /// Generalised Pareto, by inverse transform.
    GPareto {
        /// Shape.
        shape: f64,
        /// Scale.
        scale: f64,
        /// Location.
        location: f64,
    },
    /// Gamma.
    Gamma {
        /// Shape.
        k: f64,
        /// Scale.
        theta: f64,
    },
    /// Negative binomial.
    NegBin {
        /// Number of successes.
        n: f64,
        /// Probability of a success.
        p: f64,
    },
    /// One of the whole numbers from `min` to at most `max`, `step` apart, each as likely as any other.
    Steps {
        /// Lowest number.
        min: f64,
        /// None is above this.
        max: f64,
        /// Distance of neighbours.
        step: f64,
    },
}

/// Most numbers of [`Distribution::Steps`].
pub const MAX_STEPS: u32 = 1_000_000;

/// Quantile that SIPp's sanity check and scenario duration use.
const P99: f64 = 0.99;

impl Distribution {
    /// Draws a value. `uniform` must return numbers in `[0, 1)`.
    pub fn sample(&self, uniform: &mut dyn FnMut() -> f64) -> f64 {
        match *self {
            Self::Fixed { value } => value,
            Self::Uniform { min, max } => min + uniform() * (max - min),
            Self::Normal { mean, stdev } => mean + stdev * standard_normal(uniform),
            Self::LogNormal { mean, stdev } => (mean + stdev * standard_normal(uniform)).exp(),
            Self::Exponential { mean } => -mean * open(uniform).ln(),
            Self::Weibull { lambda, k } => lambda * (-open(uniform).ln()).powf(1.0 / k),
            Self::Pareto { k, x_m } => x_m * open(uniform).powf(-1.0 / k),
            Self::GPareto {
                shape,
                scale,
                location,
            } => gpareto(open(uniform), shape, scale, location),
            Self::Gamma { k, theta } => theta * standard_gamma(k, uniform),
            Self::NegBin { n, p } => {
                let rate = standard_gamma(n, uniform) * (1.0 - p) / p;
                poisson(rate, uniform)
            }
            Self::Steps { min, max, step } => {
                let last = steps(min, max, step);
                // The product may round up to one more than there are.
                min + step * (uniform() * (last + 1.0)).floor().min(last)
            }
        }
    }

    /// The value that 99 of 100 draws stay below.
    #[must_use]
    pub fn percentile_99(&self) -> f64 {
        match *self {
            Self::Fixed { value } => value,
            Self::Uniform { min, max } => min + P99 * (max - min),
            Self::Normal { mean, stdev } => mean + stdev * Z99,
            Self::LogNormal { mean, stdev } => (mean + stdev * Z99).exp(),
            Self::Exponential { mean } => -mean * (1.0 - P99).ln(),
            Self::Weibull { lambda, k } => lambda * (-(1.0 - P99).ln()).powf(1.0 / k),
            Self::Pareto { k, x_m } => x_m * (1.0 - P99).powf(-1.0 / k),
            Self::GPareto {
                shape,
                scale,
                location,
            } => gpareto(1.0 - P99, shape, scale, location),
            // Wilson and Hilferty: the cube root of a gamma variable is close to normal.
            Self::Gamma { k, theta } => {
                let c = 1.0 / (9.0 * k);
                theta * k * (1.0 - c + Z99 * c.sqrt()).max(0.0).powi(3)
            }
            // A normal with the same mean and variance.
            Self::NegBin { n, p } => {
                let mean = n * (1.0 - p) / p;
                (mean + Z99 * (mean / p).sqrt()).ceil()
            }
            Self::Steps { min, max, step } => {
                let last = steps(min, max, step);
                min + step * (P99 * (last + 1.0)).floor().min(last)
            }
        }
    }

    /// Whether the parameters make sense for the distribution, and if not, what is wrong.
    ///
    /// # Errors
    /// A short text naming the parameter.
    pub fn check(&self) -> Result<(), &'static str> {
        let positive = |v: f64, what| if v > 0.0 { Ok(()) } else { Err(what) };
        let finite = |values: &[f64]| {
            if values.iter().all(|v| v.is_finite()) {
                Ok(())
            } else {
                Err("a parameter is not a finite number")
            }
        };
        match *self {
            Self::Fixed { value } => finite(&[value]),
            Self::Uniform { min, max } => {
                finite(&[min, max])?;
                if min <= max {
                    Ok(())
                } else {
                    Err("`min` is greater than `max`")
                }
            }
            Self::Normal { mean, stdev } | Self::LogNormal { mean, stdev } => {
                finite(&[mean, stdev])?;
                if stdev >= 0.0 {
                    Ok(())
                } else {
                    Err("`stdev` is negative")
                }
            }
            Self::Exponential { mean } => {
                finite(&[mean])?;
                if mean >= 0.0 {
                    Ok(())
                } else {
                    Err("`mean` is negative")
                }
            }
            Self::Weibull { lambda, k } => {
                finite(&[lambda, k])?;
                positive(lambda, "`lambda` must be positive")?;
                positive(k, "`k` must be positive")
            }
            Self::Pareto { k, x_m } => {
                finite(&[k, x_m])?;
                positive(k, "`k` must be positive")?;
                positive(x_m, "`x_m` must be positive")
            }
            Self::GPareto {
                shape,
                scale,
                location,
            } => {
                finite(&[shape, scale, location])?;
                positive(scale, "`scale` must be positive")
            }
            Self::Gamma { k, theta } => {
                finite(&[k, theta])?;
                positive(k, "`k` must be positive")?;
                positive(theta, "`theta` must be positive")
            }
            Self::NegBin { n, p } => {
                finite(&[n, p])?;
                positive(n, "`n` must be positive")?;
                if p > 0.0 && p <= 1.0 {
                    Ok(())
                } else {
                    Err("`p` must be above 0 and at most 1")
                }
            }
            Self::Steps { min, max, step } => {
                finite(&[min, max, step])?;
                if [min, max, step]
                    .iter()
                    .any(|v| v.fract() != 0.0 || v.abs() >= MAX_WHOLE)
                {
                    return Err("a parameter is no whole number below 2^53");
                }
                positive(step, "`step` must be positive")?;
                if min > max {
                    Err("`min` is greater than `max`")
                } else if steps(min, max, step) >= f64::from(MAX_STEPS) {
                    Err("there are more than 1000000 values from `min` to `max`")
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// Every whole number below this has a double of its own: 2^53.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// How many steps lead from `min` to the highest number that is not above `max`.
fn steps(min: f64, max: f64, step: f64) -> f64 {
    ((max - min) / step).floor()
}

/// A uniform number that is never 0, so that its logarithm is finite.
fn open(uniform: &mut dyn FnMut() -> f64) -> f64 {
    1.0 - uniform()
}

fn gpareto(p: f64, shape: f64, scale: f64, location: f64) -> f64 {
    if shape.abs() < 1e-12 {
        location - scale * p.ln()
    } else {
        location + scale * (p.powf(-shape) - 1.0) / shape
    }
}

/// Box and Muller's transform; the second of the pair is dropped so that no state is kept between draws.
fn standard_normal(uniform: &mut dyn FnMut() -> f64) -> f64 {
    let radius = (-2.0 * open(uniform).ln()).sqrt();
    radius * (core::f64::consts::TAU * uniform()).cos()
}

/// Upper bound of rejection rounds; each accepts with probability above 0.95.
const REJECTIONS: usize = 1000;

/// Marsaglia and Tsang's method; shapes below 1 are boosted.
fn standard_gamma(shape: f64, uniform: &mut dyn FnMut() -> f64) -> f64 {
    if shape < 1.0 {
        let boost = open(uniform).powf(1.0 / shape);
        return standard_gamma(shape + 1.0, uniform) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    for _ in 0..REJECTIONS {
        let x = standard_normal(uniform);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && open(uniform).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
    d
}

/// Knuth's method up to a rate of 30, a rounded normal above.
fn poisson(rate: f64, uniform: &mut dyn FnMut() -> f64) -> f64 {
    if rate.is_nan() || rate <= 0.0 {
        return 0.0;
    }
    if rate > 30.0 {
        return (rate + rate.sqrt() * standard_normal(uniform))
            .round()
            .max(0.0);
    }
    let limit = (-rate).exp();
    let mut product = open(uniform);
    let mut count = 0.0;
    while product > limit {
        product *= open(uniform);
        count += 1.0;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lcg(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    const ALL: [Distribution; 9] = [
        Distribution::Uniform {
            min: 10.0,
            max: 20.0,
        },
        Distribution::Normal {
            mean: 100.0,
            stdev: 10.0,
        },
        Distribution::LogNormal {
            mean: 4.0,
            stdev: 0.5,
        },
        Distribution::Exponential { mean: 50.0 },
        Distribution::Weibull {
            lambda: 30.0,
            k: 1.5,
        },
        Distribution::Pareto { k: 3.0, x_m: 10.0 },
        Distribution::GPareto {
            shape: 0.1,
            scale: 10.0,
            location: 5.0,
        },
        Distribution::Gamma { k: 2.5, theta: 4.0 },
        Distribution::NegBin { n: 5.0, p: 0.3 },
    ];

    #[test]
    fn one_draw_in_a_hundred_lies_above_the_percentile() {
        for dist in ALL {
            let mut uniform = lcg(7);
            let limit = dist.percentile_99();
            let draws = 40_000;
            let above = (0..draws)
                .filter(|_| dist.sample(&mut uniform) > limit)
                .count();
            let share = above as f64 / f64::from(draws);
            assert!((0.005..0.02).contains(&share), "{dist:?}: {share}");
        }
    }

    #[test]
    fn means_are_those_of_the_textbook() {
        let means = [
            15.0,
            100.0,
            (4.0_f64 + 0.125).exp(),
            50.0,
            27.082,
            15.0,
            5.0 + 10.0 / 0.9,
            10.0,
            5.0 * 0.7 / 0.3,
        ];
        for (dist, mean) in ALL.iter().zip(means) {
            let mut uniform = lcg(11);
            let draws = 60_000;
            let sum: f64 = (0..draws).map(|_| dist.sample(&mut uniform)).sum();
            let got = sum / f64::from(draws);
            assert!(
                (got - mean).abs() < 0.03 * mean,
                "{dist:?}: {got} not {mean}"
            );
        }
    }

    #[test]
    fn steps_are_drawn_evenly_from_the_lowest_to_the_highest_that_fits() {
        let dist = Distribution::Steps {
            min: -3.0,
            max: 8.0,
            step: 5.0,
        };
        let mut uniform = lcg(3);
        let draws = 30_000;
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..draws {
            *seen
                .entry(dist.sample(&mut uniform) as i64)
                .or_insert(0_u32) += 1;
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [-3, 2, 7]);
        assert!(
            seen.values().all(|count| (9_500..10_500).contains(count)),
            "{seen:?}"
        );
        // The largest number below 1 is still the last step, and no more.
        assert_eq!(dist.sample(&mut || 1.0_f64.next_down()), 7.0);
        assert_eq!(dist.percentile_99(), 7.0);
    }

    #[test]
    fn steps_are_whole_numbers_and_not_too_many() {
        let check = |min, max, step| Distribution::Steps { min, max, step }.check();
        assert_eq!(check(1.0, 1_000_000.0, 1.0), Ok(()));
        assert_eq!(check(5.0, 5.0, 1.0), Ok(()));
        assert_eq!(check(0.0, 9e15, 1e10), Ok(()));
        for (min, max, step) in [
            (0.0, 1_000_000.0, 1.0),
            (2.0, 1.0, 1.0),
            (0.0, 1.0, 0.0),
            (0.0, 1.0, -1.0),
            (0.5, 1.0, 1.0),
            (0.0, 1e16, 1e15),
            (0.0, f64::INFINITY, 1.0),
            (f64::NAN, 1.0, 1.0),
        ] {
            assert!(check(min, max, step).is_err(), "{min} {max} {step}");
        }
    }

    #[test]
    fn senseless_parameters_are_named() {
        assert!(Distribution::NegBin { n: 1.0, p: 0.0 }.check().is_err());
        assert!(
            Distribution::Uniform { min: 2.0, max: 1.0 }
                .check()
                .is_err()
        );
        assert!(ALL.iter().all(|dist| dist.check().is_ok()));
    }
}
