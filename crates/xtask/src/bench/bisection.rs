// SPDX-License-Identifier: AGPL-3.0-only
//! The search for the highest rate that is held: pure, so that it can be tried on tools that are made up.
//!
//! Short runs double the rate until one is not held. Long runs confirm the last that was, or step down, and halve the gap above it.
//! A tool may fail a run for reasons of the machine, so a rate is missed when [`TRIES`] runs fail, a run in which the
//! tool stood still is repeated without being counted ([`STALLS`] times at most), and the rate at which the search ended is tried once more.

use anyhow::{Result, bail};
use std::time::Duration;

/// Runs of a rate: one that is clean is enough.
pub(super) const TRIES: u32 = 2;

/// Stalled runs of a rate that do not count.
const STALLS: u32 = 2;

/// A gap this small, as a part of the rate, is not halved.
const FINE: u32 = 20;

/// What a run takes besides its calls: start, answers, end.
const AROUND: Duration = Duration::from_secs(2);

/// How to search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) first: u32,
    /// No rate beyond it is tried.
    pub(super) last: u32,
    /// Lengths of runs far below and near the edge, in seconds.
    pub(super) short: u32,
    pub(super) long: u32,
    pub(super) halvings: u32,
    /// No run begins that might not end by then.
    pub(super) budget: Duration,
}

/// What a run showed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Seen<T> {
    Clean(T),
    Missed,
    /// The tool was late and hardly used its CPU.
    Stalled,
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Found<T> {
    pub(super) rate: u32,
    pub(super) cost: T,
    /// Was one of the long runs clean? Otherwise only a short one.
    pub(super) confirmed: bool,
    /// The lowest rate above that was not held; without one the highest that may be tried was.
    pub(super) missed: Option<u32>,
    /// Did the time end before the search?
    pub(super) cut_short: bool,
    pub(super) runs: u32,
    pub(super) stalls: u32,
}

enum Answer<T> {
    Held(T),
    Missed,
    NoTime,
}

struct Search<R> {
    run: R,
    budget: Duration,
    spent: Duration,
    runs: u32,
    stalls: u32,
}

impl<R> Search<R> {
    /// Tries a rate; the run says what it showed and how long it took.
    fn holds<T>(&mut self, rate: u32, seconds: u32) -> Result<Answer<T>>
    where
        R: FnMut(u32, u32) -> Result<(Seen<T>, Duration)>,
    {
        let (mut missed, mut stalled) = (0, 0);
        while missed < TRIES {
            let expected = Duration::from_secs(seconds.into()) + AROUND;
            if self.spent + expected > self.budget {
                return Ok(Answer::NoTime);
            }
            let (seen, took) = (self.run)(rate, seconds)?;
            self.spent += took;
            self.runs += 1;
            match seen {
                Seen::Clean(cost) => return Ok(Answer::Held(cost)),
                Seen::Stalled if stalled < STALLS => stalled += 1,
                Seen::Stalled | Seen::Missed => missed += 1,
            }
            self.stalls += u32::from(seen_stalled(&seen));
        }
        Ok(Answer::Missed)
    }
}

fn seen_stalled<T>(seen: &Seen<T>) -> bool {
    matches!(seen, Seen::Stalled)
}

/// Searches; `run` makes calls at a rate for so many seconds.
pub(super) fn search<T, R>(plan: Plan, run: R) -> Result<Found<T>>
where
    R: FnMut(u32, u32) -> Result<(Seen<T>, Duration)>,
{
    let mut search = Search {
        run,
        budget: plan.budget,
        spent: Duration::ZERO,
        runs: 0,
        stalls: 0,
    };
    let mut cut_short = false;
    // Each lower than the one before: the last is the one to stay below.
    let mut missed: Vec<u32> = Vec::new();
    let mut short = Vec::new();
    let mut rate = plan.first;
    while rate <= plan.last {
        match search.holds(rate, plan.short)? {
            Answer::Held(cost) => short.push((rate, cost)),
            Answer::Missed => {
                missed.push(rate);
                break;
            }
            Answer::NoTime => {
                cut_short = true;
                break;
            }
        }
        rate *= 2;
    }
    let mut confirmed = None;
    while let Some((rate, _)) = short.last() {
        let rate = *rate;
        match search.holds(rate, plan.long)? {
            Answer::Held(cost) => {
                confirmed = Some((rate, cost));
                break;
            }
            Answer::Missed => {
                missed.push(rate);
                short.pop();
            }
            Answer::NoTime => {
                cut_short = true;
                break;
            }
        }
    }
    let is_confirmed = confirmed.is_some();
    let Some((mut best, mut cost)) = confirmed.or_else(|| short.pop()) else {
        bail!("not even {} calls a second are held", plan.first);
    };
    let (mut halvings, mut tried_again) = (plan.halvings, false);
    while is_confirmed && !cut_short {
        let Some(above) = missed.last().copied() else {
            break;
        };
        let fine = above - best <= best / FINE;
        let again = halvings == 0 || fine;
        if again && tried_again {
            break;
        }
        let rate = if again { above } else { best.midpoint(above) };
        match search.holds(rate, plan.long)? {
            Answer::Held(found) => {
                (best, cost) = (rate, found);
                if again {
                    // It was missed for a reason that has gone; what is above it may be held too.
                    missed.pop();
                    halvings = 1;
                }
            }
            Answer::Missed if again => {}
            Answer::Missed => missed.push(rate),
            Answer::NoTime => cut_short = true,
        }
        if again {
            tried_again = true;
        } else {
            halvings -= 1;
        }
    }
    Ok(Found {
        rate: best,
        cost,
        confirmed: is_confirmed,
        missed: missed.last().copied(),
        cut_short,
        runs: search.runs,
        stalls: search.stalls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        first: 2_000,
        last: 512_000,
        short: 2,
        long: 10,
        halvings: 3,
        budget: Duration::from_secs(1_000),
    };

    fn took(seconds: u32) -> Duration {
        Duration::from_secs(seconds.into()) + AROUND
    }

    /// A tool that holds up to this rate, and its runs.
    fn tool(
        limit: u32,
        runs: &mut Vec<(u32, u32)>,
    ) -> impl FnMut(u32, u32) -> Result<(Seen<u32>, Duration)> {
        move |rate, seconds| {
            runs.push((rate, seconds));
            let seen = if rate <= limit {
                Seen::Clean(rate)
            } else {
                Seen::Missed
            };
            Ok((seen, took(seconds)))
        }
    }

    #[test]
    fn the_gap_is_halved_with_long_runs_and_its_upper_end_tried_again() {
        let mut runs = Vec::new();
        let found = search(PLAN, tool(10_500, &mut runs)).expect("found");
        assert_eq!(
            (found.rate, found.cost, found.missed),
            (10_000, 10_000, Some(11_000))
        );
        assert!(found.confirmed && !found.cut_short);
        let (short, long): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.1 == 2);
        let rates = |runs: Vec<(u32, u32)>| runs.iter().map(|run| run.0).collect::<Vec<_>>();
        assert_eq!(rates(short), [2_000, 4_000, 8_000, 16_000, 16_000]);
        assert_eq!(
            rates(long),
            [
                8_000, 12_000, 12_000, 10_000, 11_000, 11_000, 11_000, 11_000
            ]
        );
    }

    #[test]
    fn a_rate_held_only_briefly_is_stepped_down_from() {
        let run = |rate: u32, seconds: u32| {
            let limit = if seconds == 2 { 40_000 } else { 9_000 };
            let seen = if rate <= limit {
                Seen::Clean(())
            } else {
                Seen::Missed
            };
            Ok((seen, took(seconds)))
        };
        let found = search(PLAN, run).expect("found");
        assert!(found.confirmed);
        assert_eq!((found.rate, found.missed), (9_000, Some(10_000)));
    }

    #[test]
    fn a_tool_that_stands_still_now_and_then_is_asked_again() {
        let mut count = 0;
        let run = |rate: u32, seconds: u32| {
            count += 1;
            let seen = match (count % 3, rate <= 10_500) {
                (1 | 2, _) => Seen::Stalled,
                (_, true) => Seen::Clean(()),
                (_, false) => Seen::Missed,
            };
            Ok((seen, took(seconds)))
        };
        let found = search(PLAN, run).expect("found");
        assert_eq!((found.rate, found.missed), (10_000, Some(11_000)));
        assert!(found.stalls >= 16, "{found:?}");
    }

    #[test]
    fn a_rate_that_a_neighbour_spoiled_is_found_at_the_end() {
        let mut spoiled = 2;
        let run = |rate: u32, seconds: u32| {
            // Both first long runs at 12,000 fail, though the tool holds 12,500.
            let spoils = rate == 12_000 && spoiled > 0;
            spoiled -= u32::from(spoils);
            let clean = rate <= 12_500 && !spoils;
            let seen = if clean { Seen::Clean(()) } else { Seen::Missed };
            Ok((seen, took(seconds)))
        };
        let found = search(PLAN, run).expect("found");
        assert_eq!((found.rate, found.missed), (12_000, Some(14_000)));
    }

    #[test]
    fn one_clean_run_of_two_is_enough() {
        let mut count = 0;
        let run = |rate: u32, seconds: u32| {
            count += 1;
            let clean = rate <= 10_500 && count % 2 == 0;
            let seen = if clean { Seen::Clean(()) } else { Seen::Missed };
            Ok((seen, took(seconds)))
        };
        assert_eq!(search(PLAN, run).expect("found").rate, 10_000);
    }

    #[test]
    fn the_time_is_kept_and_a_search_that_it_ended_says_so() {
        for budget in 15..200 {
            let budget = Duration::from_secs(budget);
            let mut spent = Duration::ZERO;
            let run = |rate: u32, seconds: u32| {
                spent += took(seconds);
                let seen = if rate <= 10_500 {
                    Seen::Clean(())
                } else {
                    Seen::Missed
                };
                Ok((seen, took(seconds)))
            };
            let found = search(Plan { budget, ..PLAN }, run).expect("found");
            assert!(spent <= budget, "{spent:?} of {budget:?}");
            assert!(found.rate <= 10_500);
            // Five short runs, and eight long ones.
            assert_eq!(found.cut_short, budget < Duration::from_secs(20 + 8 * 12));
            assert_eq!(found.confirmed, budget >= Duration::from_secs(20 + 12));
        }
    }

    #[test]
    fn a_tool_that_holds_everything_or_nothing() {
        let mut runs = Vec::new();
        let found = search(PLAN, tool(u32::MAX, &mut runs)).expect("found");
        assert_eq!(
            (found.rate, found.missed, found.cut_short),
            (512_000, None, false)
        );
        let error = search(PLAN, tool(0, &mut runs)).expect_err("nothing");
        assert_eq!(error.to_string(), "not even 2000 calls a second are held");
    }
}
