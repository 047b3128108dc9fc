// SPDX-License-Identifier: AGPL-3.0-only
//! Schedules asked early, late and often.

use super::*;
use proptest::prelude::*;

fn pacer(calls: f64, period_ms: u64) -> Pacer {
    Pacer::new(
        Micros(0),
        Rate::new(calls, period_ms),
        None,
        Some(u64::MAX),
        0,
        0,
    )
}

/// The times of all starts up to `until`, the pacer being asked only when it wants to be.
fn dues(pacer: &mut Pacer, until: u64) -> Vec<u64> {
    let mut dues = Vec::new();
    while let Some(at) = pacer.next_due().filter(|at| at.0 <= until) {
        assert!(
            at.0 == 0 || pacer.clone().pop_due(Micros(at.0 - 1), 0).is_none(),
            "early at {}",
            at.0
        );
        dues.extend(pacer.pop_due(at, 0).map(|start| start.due.0));
    }
    dues
}

#[test]
fn the_first_call_comes_after_one_period_by_the_rate() {
    assert_eq!(
        dues(&mut pacer(10.0, 1000), 450_000),
        [100_000, 200_000, 300_000, 400_000]
    );
    assert_eq!(
        dues(&mut pacer(1.0, 60_000), 130_000_000),
        [60_000_000, 120_000_000]
    );
    assert_eq!(
        dues(&mut pacer(3.0, 1000), 1_000_000),
        [333_334, 666_667, 1_000_000]
    );
    assert_eq!(
        dues(&mut pacer(0.5, 1000), 4_000_000),
        [2_000_000, 4_000_000]
    );
}

#[test]
fn a_late_wakeup_finds_every_start_with_its_own_due_time() {
    let mut pacer = pacer(1_000.0, 1000);
    let starts: Vec<u64> = std::iter::from_fn(|| pacer.pop_due(Micros(5_500), 0))
        .map(|s| s.due.0)
        .collect();
    assert_eq!(starts, [1_000, 2_000, 3_000, 4_000, 5_000]);
    assert_eq!(
        pacer.next_due(),
        Some(Micros(6_000)),
        "the schedule did not shift"
    );
}

#[test]
fn a_rate_change_starts_the_schedule_anew() {
    let mut pacer = pacer(10.0, 1000);
    assert_eq!(dues(&mut pacer, 250_000), [100_000, 200_000]);
    pacer.set_rate(Micros(250_000), Rate::new(2.0, 1000));
    assert_eq!(dues(&mut pacer, 1_300_000), [750_000, 1_250_000]);
    pacer.set_rate(Micros(1_300_000), Rate::new(0.0, 1000));
    assert_eq!(pacer.next_due(), None);
    pacer.set_rate(Micros(2_000_000), Rate::new(-4.0, 1000));
    assert_eq!(
        (pacer.rate(Micros(0)).calls(), pacer.next_due()),
        (0.0, None)
    );
}

#[test]
fn a_pause_starts_the_schedule_anew() {
    let mut pacer = pacer(10.0, 1000);
    pacer.set_paused(Micros(50_000), true);
    assert_eq!(
        (pacer.next_due(), pacer.pop_due(Micros(900_000), 0)),
        (None, None)
    );
    pacer.set_paused(Micros(900_000), false);
    assert_eq!(dues(&mut pacer, 1_100_000), [1_000_000, 1_100_000]);
}

#[test]
fn calls_held_back_by_the_open_limit_are_not_made_up() {
    let mut pacer = Pacer::new(Micros(0), Rate::new(10.0, 1000), None, Some(2), 0, 0);
    assert_eq!(
        pacer.pop_due(Micros(100_000), 0),
        Some(Start {
            due: Micros(100_000)
        })
    );
    assert_eq!(
        pacer.pop_due(Micros(200_000), 1),
        Some(Start {
            due: Micros(200_000)
        })
    );
    assert_eq!(pacer.pop_due(Micros(550_000), 2), None);
    assert_eq!(pacer.held_back(), 3);
    // A call ended: the next start is the next one of the schedule, alone.
    assert_eq!(pacer.pop_due(Micros(560_000), 1), None);
    assert_eq!(
        pacer.pop_due(Micros(600_000), 1),
        Some(Start {
            due: Micros(600_000)
        })
    );
}

#[test]
fn the_total_bounds_the_starts_and_held_back_calls_do_not_count() {
    let mut pacer = Pacer::new(Micros(0), Rate::new(10.0, 1000), Some(2), Some(1), 0, 0);
    assert!(pacer.pop_due(Micros(100_000), 0).is_some());
    assert!(pacer.pop_due(Micros(300_000), 1).is_none());
    assert!(!pacer.exhausted());
    assert!(pacer.pop_due(Micros(400_000), 0).is_some());
    assert!(pacer.exhausted());
    assert_eq!(
        (pacer.next_due(), pacer.pop_due(Micros(9_000_000), 0)),
        (None, None)
    );
}

#[test]
fn the_default_open_limit_follows_rate_and_duration() {
    let limit = |calls, period, scenario, pause| {
        Rate::new(calls, period).default_open_limit(scenario, pause)
    };
    assert_eq!(limit(10.0, 1000, 0, 0), 30);
    assert_eq!(limit(10.0, 1000, 4_000, 0), 120);
    assert_eq!(limit(10.0, 1000, 0, 5_000), 150);
    assert_eq!(limit(10.0, 10_000, 0, 0), 3);
    assert_eq!(limit(0.0, 1000, 0, 0), 1);
    assert_eq!(limit(0.1, 1000, 0, 0), 1);
    let mut pacer = Pacer::new(Micros(0), Rate::new(10.0, 1000), None, None, 0, 0);
    pacer.set_rate(Micros(0), Rate::new(100.0, 1000));
    assert_eq!(pacer.open_limit(), 300);
}

fn seconds(seconds: u64) -> Micros {
    Micros(seconds * 1_000_000)
}

/// All starts up to `until`, asked for every `step`.
fn taken(pacer: &mut Pacer, until: Micros, step: u64) -> Vec<u64> {
    let mut taken = Vec::new();
    for now in (0..=until.0).step_by(step as usize).map(Micros) {
        loop {
            taken.extend(std::iter::from_fn(|| pacer.pop_due(now, 0)).map(|s| s.due.0));
            if pacer.next_climb().is_none_or(|at| at > now) {
                break;
            }
            if pacer.climb(now) == Climbed::Over {
                pacer.stop();
            }
        }
    }
    taken
}

fn ramp(max: Option<f64>, ends: bool) -> Ramp {
    Ramp {
        step: 10.0,
        every: seconds(2),
        max,
        ends,
    }
}

#[test]
fn a_ramp_holds_each_rate_for_a_step_and_ends_behind_the_top() {
    for step in [1_000, 700_000, 5_000_000, 60_000_000] {
        let mut pacer = pacer(10.0, 1000).with_ramp(ramp(Some(30.0), true));
        let taken = taken(&mut pacer, seconds(60), step);
        assert_eq!(taken.len(), 20 + 40 + 60, "asked every {step} us");
        assert_eq!(taken[20], 2_050_000, "the first of the second step");
        assert_eq!(taken.last(), Some(&6_000_000));
        assert!(pacer.exhausted());
    }
}

#[test]
fn a_ramp_that_does_not_end_stays_at_the_top() {
    let mut pacer = pacer(10.0, 1000).with_ramp(ramp(Some(25.0), false));
    let taken = taken(&mut pacer, seconds(100), 250_000);
    assert_eq!(taken.len(), 20 + 40 + 96 * 25);
    assert_eq!(pacer.rate(seconds(100)).calls(), 25.0);
    let mut free = super::tests::pacer(10.0, 1000).with_ramp(ramp(None, true));
    assert_eq!(super::tests::taken(&mut free, seconds(6), 1_000).len(), 120);
}

#[test]
fn the_default_open_limit_follows_a_ramp() {
    let mut pacer =
        Pacer::new(Micros(0), Rate::new(10.0, 1000), None, None, 0, 0).with_ramp(ramp(None, true));
    assert_eq!(pacer.open_limit(), 30);
    taken(&mut pacer, seconds(2), 500_000);
    assert_eq!(pacer.open_limit(), 60);
}

fn profile(points: &[(u64, f64)]) -> Arc<RateProfile> {
    let points: Vec<crate::profile::Point> = points
        .iter()
        .map(|&(s, per_second)| crate::profile::Point {
            at_us: seconds(s).0,
            per_second,
        })
        .collect();
    Arc::new(RateProfile::new(&points).expect("a curve"))
}

#[test]
fn a_curve_makes_its_calls_and_is_then_exhausted() {
    let curve = profile(&[(0, 0.0), (10, 20.0), (20, 0.0)]);
    for step in [1_000, 333_333, 30_000_000] {
        let mut pacer = pacer(10.0, 1000).with_profile(Arc::clone(&curve));
        assert_eq!(taken(&mut pacer, seconds(30), step).len(), 200);
        assert!(pacer.exhausted());
    }
    let pacer = Pacer::new(Micros(0), Rate::new(1.0, 1000), None, None, 0, 0)
        .with_profile(Arc::clone(&curve));
    assert_eq!(pacer.open_limit(), 60, "what the highest rate needs");
}

#[test]
fn a_curve_stands_still_during_a_pause() {
    let mut pacer = pacer(10.0, 1000).with_profile(profile(&[(0, 0.0), (10, 20.0), (20, 0.0)]));
    let before = taken(&mut pacer, seconds(5), 1_000).len();
    pacer.set_paused(seconds(5), true);
    assert_eq!(pacer.rate(seconds(40)).calls(), 10.0);
    pacer.set_paused(seconds(65), false);
    let mut behind = 0;
    while let Some(due) = pacer.next_due() {
        behind += u64::from(pacer.pop_due(due, 0).is_some());
        assert!((seconds(65)..=seconds(80)).contains(&due), "{due:?}");
    }
    assert_eq!((before, before as u64 + behind), (25, 200));
}

#[test]
fn another_rate_ends_a_curve() {
    let mut pacer = pacer(10.0, 1000).with_profile(profile(&[(0, 0.0), (10, 20.0)]));
    pacer.set_rate(
        seconds(5),
        Rate::new(pacer.rate(seconds(5)).calls() + 1.0, 1000),
    );
    assert!(!pacer.follows_profile());
    assert_eq!(pacer.rate(seconds(9)).calls(), 11.0);
}

#[test]
fn a_curve_held_back_by_the_open_limit_is_not_made_up() {
    let mut pacer = Pacer::new(Micros(0), Rate::new(1.0, 1000), None, Some(1), 0, 0)
        .with_profile(profile(&[(0, 10.0), (10, 10.0)]));
    assert!(pacer.pop_due(seconds(5), 1).is_none());
    assert_eq!(
        (pacer.held_back(), pacer.next_due()),
        (50, Some(Micros(5_100_000)))
    );
}

#[test]
fn a_blocked_backlog_costs_constant_time() {
    let mut pacer = Pacer::new(Micros(0), Rate::new(1e6, 1000), None, Some(1), 0, 0);
    assert_eq!(pacer.pop_due(Micros(3_600_000_000), 1), None);
    assert_eq!(pacer.held_back(), 3_600_000_000);
}

proptest! {
    #[test]
    fn start_k_lies_where_the_integral_reaches_k(
        calls in 0.001..200_000.0_f64,
        period_ms in 1..100_000_u64,
        elapsed_us in 0..10_000_000_000_u64,
    ) {
        let rate = Rate::new(calls, period_ms);
        let k = rate.count_after(elapsed_us);
        prop_assert!(k == 0 || rate.due_after_us(k) <= elapsed_us);
        prop_assert!(rate.due_after_us(k + 1) > elapsed_us);
        let integral = elapsed_us as f64 * calls / (period_ms as f64 * 1_000.0);
        prop_assert!((integral - k as f64) > -1e-3 && (integral - k as f64) < 1.0 + calls / period_ms as f64 / 999.0);
    }
}

#[test]
fn while_calls_are_held_back_nobody_wakes_for_each_of_them() {
    // One call every 2.5 µs.
    let pacer = Pacer::new(Micros(0), Rate::new(400.0, 1), None, Some(2), 0, 0);
    let now = Micros(1);
    assert_eq!(pacer.next_look(now, 1), Some(Micros(3)));
    assert_eq!(pacer.next_look(now, 2), Some(Micros(1_001)));
    // A slow rate is not asked before a call is due.
    let slow = Pacer::new(Micros(0), Rate::new(10.0, 1000), None, Some(2), 0, 0);
    assert_eq!(slow.next_look(now, 2), Some(Micros(100_000)));
}

#[test]
fn the_start_after_the_next_is_known_unless_there_is_none() {
    let mut pacer = Pacer::new(Micros(0), Rate::new(10.0, 1000), Some(2), None, 0, 0);
    assert_eq!(
        pacer.next_two(),
        [Some(Micros(100_000)), Some(Micros(200_000))]
    );
    assert!(pacer.pop_due(Micros(100_000), 0).is_some());
    assert_eq!(pacer.next_two(), [Some(Micros(200_000)), None]);
    assert!(pacer.pop_due(Micros(200_000), 0).is_some());
    assert_eq!(pacer.next_two(), [None, None]);
}
