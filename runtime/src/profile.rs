// SPDX-License-Identifier: AGPL-3.0-only
//! A rate that follows a curve: straight lines between points, and the last rate from the last point on.
//!
//! The integral of the curve is computed in whole numbers (picocalls: a millionth of a call a second, for a
//! microsecond), so that it never decreases and call *k* is due at the first microsecond at which it reaches *k*. Counting
//! and asking for due times are two views of that one function and cannot disagree: no call is lost or made twice,
//! however long the run and however late somebody asks.
//!
//! Not for: pauses and limits ([`crate::pacing`] has those).

/// Most points of a curve.
pub const POINTS_MAX: usize = 10_000;

/// Longest time of a point: with [`RATE_MAX`] it bounds the sums below to what fits 128 bits.
pub const TIME_MAX_US: u64 = 90 * 86_400 * 1_000_000;

/// Highest rate in calls per second.
pub const RATE_MAX: f64 = 1_000_000.0;

/// Picocalls of a call.
const CALL: u128 = 1_000_000_000_000;

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When, since the beginning of the curve.
    pub at_us: u64,
    /// Calls per second there.
    pub per_second: f64,
}

/// What is wrong with the points of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProfile {
    /// There is none.
    #[error("there is no point")]
    Empty,
    /// There are too many.
    #[error("there are more than {POINTS_MAX} points")]
    TooMany,
    /// The first is not at the beginning.
    #[error("the first point is not at 0")]
    NotFromZero,
    /// One lies before the one in front of it.
    #[error("the times go back")]
    Backwards,
    /// One lies too late.
    #[error("a point is later than 90 days")]
    TooLate,
    /// A rate is negative, no number, or too high.
    #[error("a rate is not between 0 and 1000000 calls a second")]
    Rate,
}

/// A straight piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    start_us: u64,
    /// `None` for the last.
    len_us: Option<u64>,
    /// Rates at both ends, in millionths of a call per second.
    from: u64,
    to: u64,
    /// The integral at the start.
    before: u128,
}

impl Piece {
    /// The integral from the start of the piece to `x` behind it, which is within the piece.
    fn area(&self, x: u64) -> u128 {
        let x = u128::from(x);
        let rectangle = u128::from(self.from) * x;
        let Some(len) = self.len_us.map(u128::from) else {
            return rectangle;
        };
        let bend = u128::from(self.from.abs_diff(self.to)) * x * x;
        // Rounded down as a whole, so that it never decreases.
        if self.to >= self.from {
            rectangle + bend / (2 * len)
        } else {
            rectangle - bend.div_ceil(2 * len)
        }
    }

    /// The first `x` at which the area reaches `need`, which is more than none and within the piece.
    fn reaches(&self, need: u128) -> Option<u64> {
        let Some(len) = self.len_us else {
            let x = need.div_ceil(u128::from(self.from).max(1));
            return (self.from > 0).then(|| u64::try_from(x).unwrap_or(u64::MAX));
        };
        let guess = {
            let (from, to, need) = (self.from as f64, self.to as f64, need as f64);
            let root = (from * from + 2.0 * (to - from) / len as f64 * need).max(0.0);
            // A float beyond the range saturates, and no number becomes zero.
            ((2.0 * need / (from + root.sqrt())) as u64).min(len)
        };
        // Rounding may be off by some: the answer is between `low` (exclusive, unless 0) and `high`.
        let (mut low, mut high, mut step) = (0, guess, 1);
        while self.area(high) < need {
            low = high;
            if high == len {
                return None;
            }
            high = high.saturating_add(step).min(len);
            step *= 2;
        }
        step = 1;
        let mut below = high;
        while below > low {
            below = below.saturating_sub(step).max(low);
            if self.area(below) < need {
                low = below;
                break;
            }
            high = below;
            step *= 2;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.area(middle) < need {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }
}

/// A rate over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateProfile {
    /// At least one; each begins where the one before ends, and only the last has no end.
    pieces: Vec<Piece>,
}

impl RateProfile {
    /// The curve through these points; two at the same time are a step.
    ///
    /// # Errors
    /// See [`BadProfile`].
    pub fn new(points: &[Point]) -> Result<Self, BadProfile> {
        if points.len() > POINTS_MAX {
            return Err(BadProfile::TooMany);
        }
        if points.first().ok_or(BadProfile::Empty)?.at_us != 0 {
            return Err(BadProfile::NotFromZero);
        }
        if points.iter().any(|point| point.at_us > TIME_MAX_US) {
            return Err(BadProfile::TooLate);
        }
        let millionths = |point: &Point| {
            let fits = (0.0..=RATE_MAX).contains(&point.per_second);
            fits.then(|| (point.per_second * 1e6).round() as u64)
                .ok_or(BadProfile::Rate)
        };
        let mut pieces: Vec<Piece> = Vec::with_capacity(points.len());
        let mut before = 0;
        for (at, point) in points.iter().enumerate() {
            let from = millionths(point)?;
            let (len_us, to) = match points.get(at + 1) {
                None => (None, from),
                Some(next) => {
                    let len = next.at_us.checked_sub(point.at_us);
                    (Some(len.ok_or(BadProfile::Backwards)?), millionths(next)?)
                }
            };
            if len_us == Some(0) {
                continue;
            }
            let piece = Piece {
                start_us: point.at_us,
                len_us,
                from,
                to,
                before,
            };
            before += len_us.map_or(0, |len| piece.area(len));
            pieces.push(piece);
        }
        Ok(Self { pieces })
    }

    /// The piece in which a time lies.
    fn piece_at(&self, at_us: u64) -> &Piece {
        let behind = self.pieces.partition_point(|piece| piece.start_us <= at_us);
        // The first begins at 0.
        &self.pieces[behind.max(1) - 1]
    }

    /// Calls per second at a time.
    #[must_use]
    pub fn rate_at(&self, at_us: u64) -> f64 {
        let piece = self.piece_at(at_us);
        let share = piece
            .len_us
            .map_or(0.0, |len| (at_us - piece.start_us) as f64 / len as f64);
        let (from, to) = (piece.from as f64, piece.to as f64);
        (from + (to - from) * share) / 1e6
    }

    /// The highest rate, in calls per second.
    #[must_use]
    pub fn peak(&self) -> f64 {
        let rates = self.pieces.iter().map(|piece| piece.from.max(piece.to));
        rates.max().unwrap_or(0) as f64 / 1e6
    }

    /// How many calls are due by a time.
    #[must_use]
    pub fn count_at(&self, at_us: u64) -> u64 {
        let piece = self.piece_at(at_us);
        let all = piece.before + piece.area(at_us - piece.start_us);
        u64::try_from(all / CALL).unwrap_or(u64::MAX)
    }

    /// When call `k` (from 1) is due; `None` when it never is, because the curve ends at zero before it.
    #[must_use]
    pub fn due_us(&self, k: u64) -> Option<u64> {
        let wanted = u128::from(k) * CALL;
        // The last piece that begins before the call is due.
        let behind = self.pieces.partition_point(|piece| piece.before < wanted);
        let piece = self.pieces.get(behind.checked_sub(1)?)?;
        let x = piece.reaches(wanted - piece.before)?;
        Some(piece.start_us.saturating_add(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn profile(points: &[(u64, f64)]) -> RateProfile {
        let points: Vec<Point> = points
            .iter()
            .map(|&(seconds, per_second)| Point {
                at_us: seconds * 1_000_000,
                per_second,
            })
            .collect();
        RateProfile::new(&points).expect("a curve")
    }

    #[test]
    fn a_ramp_a_plateau_and_a_way_down_make_the_calls_of_their_areas() {
        let curve = profile(&[(0, 10.0), (60, 500.0), (300, 500.0), (330, 0.0)]);
        let seconds = |s: u64| curve.count_at(s * 1_000_000);
        assert_eq!(seconds(60), 15_300);
        assert_eq!(seconds(300), 15_300 + 120_000);
        assert_eq!(seconds(330), 15_300 + 120_000 + 7_500);
        assert_eq!(seconds(1_000_000), seconds(330), "nothing after the end");
        assert_eq!(curve.due_us(142_800), Some(330_000_000));
        assert_eq!(curve.due_us(142_801), None);
        assert_eq!((curve.peak(), curve.rate_at(30_000_000)), (500.0, 255.0));
    }

    #[test]
    fn a_flat_curve_is_a_constant_rate() {
        let curve = profile(&[(0, 10.0)]);
        let dues: Vec<_> = (1..=3).map(|k| curve.due_us(k)).collect();
        assert_eq!(dues, [Some(100_000), Some(200_000), Some(300_000)]);
        assert_eq!(profile(&[(0, 0.0)]).due_us(1), None);
    }

    #[test]
    fn two_points_at_one_time_are_a_step() {
        let curve = profile(&[(0, 1.0), (10, 1.0), (10, 100.0)]);
        assert_eq!(curve.due_us(10), Some(10_000_000));
        assert_eq!(curve.due_us(11), Some(10_010_000));
        assert_eq!(curve.rate_at(10_000_000), 100.0);
    }

    #[test]
    fn points_that_make_no_curve_are_refused() {
        let of = |points: &[(u64, f64)]| {
            let points: Vec<Point> = points
                .iter()
                .map(|&(at_us, per_second)| Point { at_us, per_second })
                .collect();
            RateProfile::new(&points).expect_err("no curve")
        };
        assert_eq!(of(&[]), BadProfile::Empty);
        assert_eq!(of(&[(1, 1.0)]), BadProfile::NotFromZero);
        assert_eq!(of(&[(0, 1.0), (9, 1.0), (8, 1.0)]), BadProfile::Backwards);
        assert_eq!(of(&[(0, 1.0), (u64::MAX, 1.0)]), BadProfile::TooLate);
        for rate in [-1.0, f64::NAN, f64::INFINITY, 2e6] {
            assert_eq!(of(&[(0, rate)]), BadProfile::Rate);
        }
        assert_eq!(of(&[(0, 1.0); POINTS_MAX + 1]), BadProfile::TooMany);
    }

    #[test]
    fn the_largest_curve_does_not_overflow() {
        let points = [0, TIME_MAX_US, 0].map(|at_us| Point {
            at_us,
            per_second: RATE_MAX,
        });
        let down = Point {
            at_us: TIME_MAX_US,
            per_second: 0.0,
        };
        let curve = RateProfile::new(&[points[0], points[1], down]).expect("a curve");
        assert_eq!(curve.count_at(TIME_MAX_US), 90 * 86_400 * 1_000_000);
        let curve = RateProfile::new(&[points[0], down]).expect("a curve");
        let all = curve.count_at(TIME_MAX_US);
        assert_eq!(all, 45 * 86_400 * 1_000_000);
        assert_eq!(curve.due_us(all), Some(TIME_MAX_US));
        assert_eq!(curve.due_us(u64::MAX), None);
    }

    fn curves() -> impl Strategy<Value = RateProfile> {
        let point = (0..20_000_000_u64, prop_oneof![Just(0.0), 0.0..5_000.0]);
        (proptest::collection::vec(point, 1..8)).prop_map(|steps| {
            let mut at_us = 0;
            let points: Vec<Point> = steps
                .into_iter()
                .enumerate()
                .map(|(index, (step, per_second))| {
                    at_us += if index == 0 { 0 } else { step };
                    Point { at_us, per_second }
                })
                .collect();
            RateProfile::new(&points).expect("a curve")
        })
    }

    proptest! {
        #[test]
        fn a_call_is_due_at_the_first_microsecond_that_counts_it(
            curve in curves(),
            at_us in 0..200_000_000_u64,
        ) {
            let k = curve.count_at(at_us);
            if k > 0 {
                let due = curve.due_us(k).expect("it was counted");
                prop_assert!(due <= at_us);
                prop_assert_eq!(curve.count_at(due), k.max(curve.count_at(due)));
                prop_assert!(curve.count_at(due) >= k && (due == 0 || curve.count_at(due - 1) < k));
            }
            prop_assert!(curve.due_us(k + 1).is_none_or(|due| due > at_us));
        }

        #[test]
        fn the_count_is_the_area_under_the_curve(curve in curves(), at_us in 0..200_000_000_u64) {
            // The trapezoids again, in floats.
            let mut area = 0.0;
            for piece in &curve.pieces {
                let len = piece.len_us.unwrap_or(u64::MAX);
                let x = at_us.saturating_sub(piece.start_us).min(len) as f64 / 1e6;
                let (from, to) = (piece.from as f64 / 1e6, piece.to as f64 / 1e6);
                let slope = (to - from) / (len as f64 / 1e6);
                area += from * x + slope * x * x / 2.0;
            }
            let counted = curve.count_at(at_us) as f64;
            prop_assert!(counted <= area + 1e-3 && area < counted + 1.0 + 1e-3, "{counted} {area}");
        }
    }
}
