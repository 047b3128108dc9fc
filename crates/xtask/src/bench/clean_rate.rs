// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --clean-rate`: the highest rate that a tool holds without a failed call or a repetition.
//!
//! Both tools play `uac` against their own `uas`, each on a CPU of its own. A run is clean when every call succeeds, none of its
//! messages is repeated and it takes no longer than its calls should; a rate is held when one of two runs is. How rates are
//! chosen is in [`super::bisection`].

use super::Scale;
use super::bisection::{self, Found, Plan, Seen, TRIES};
use super::machine::Machine;
use super::pair::{self, Cost, Load, Run};
use super::result::Results;
use super::versus;
use anyhow::{Context as _, Result};
use gossipper_testkit::sipp::Tool;
use serde_json::json;
use std::time::{Duration, Instant};

const FULL: Plan = Plan {
    // Both tools hold this everywhere.
    first: 2_000,
    last: 512_000,
    short: 2,
    long: 10,
    halvings: 3,
    budget: Duration::from_secs(120),
};

const QUICK: Plan = Plan {
    short: 1,
    long: 3,
    halvings: 2,
    budget: Duration::from_secs(40),
    ..FULL
};

/// What a run may take beyond its calls before it is late, as a part of its time and besides.
const LATE_FACTOR: f64 = 1.05;
const LATE_SECONDS: f64 = 1.0;

/// A late run is ended then.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client that is late though it used less of its CPU did not reach what it can do: it stood still.
const STALLED_BELOW: f64 = 0.2;

/// Searches and prints a table in Markdown.
pub(super) fn run(scale: Scale, results: &mut Results) -> Result<()> {
    let (sipp, ours) = (versus::sipp(), versus::ours()?);
    let plan = match scale {
        Scale::Full => FULL,
        Scale::Quick => QUICK,
    };
    println!("{}\n", Machine::here()?);
    println!(
        "Held are rates at which one of {TRIES} runs of {} s was clean:\n",
        plan.long
    );
    let mut rows = Vec::new();
    println!("| Tool | Calls/s held | not held | Client µs/call | Server µs/call | Runs | |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
    for tool in sipp.iter().chain([&ours]) {
        let found = bisection::search(plan, |rate, seconds| attempt(tool, rate, seconds))
            .with_context(|| tool.name)?;
        let missed = found
            .missed
            .map_or_else(|| "-".to_owned(), |rate| rate.to_string());
        println!(
            "| {} | {} | {missed} | {:.1} | {:.1} | {} | {} |",
            tool.name,
            found.rate,
            found.cost.client_us,
            found.cost.server_us,
            found.runs,
            remarks(&found)
        );
        rows.push(json!({
            "tool": tool.name,
            "rate": found.rate,
            "missed": found.missed,
            "confirmed": found.confirmed,
            "cut_short": found.cut_short,
            "seconds": plan.long,
            "runs": found.runs,
            "stalls": found.stalls,
            "client_us": found.cost.client_us,
            "server_us": found.cost.server_us,
        }));
    }
    println!();
    results.put("clean_rate", rows);
    Ok(())
}

/// What has to be known about a rate that was found.
fn remarks(found: &Found<Cost>) -> String {
    let mut remarks = Vec::new();
    if !found.confirmed {
        remarks.push("held for a short run only".to_owned());
    }
    if found.missed.is_none() {
        remarks.push("the highest that was tried".to_owned());
    }
    if found.cut_short {
        remarks.push("the time for the search ended before it".to_owned());
    }
    if found.stalls > 0 {
        remarks.push(format!("stood still in {} of the runs", found.stalls));
    }
    remarks.join("; ")
}

#[expect(
    clippy::print_stderr,
    reason = "progress, beside the table on the standard output"
)]
fn attempt(tool: &Tool, rate: u32, seconds: u32) -> Result<(Seen<Cost>, Duration)> {
    let begun = Instant::now();
    let load = Load {
        name: "held",
        rate,
        calls: rate * seconds,
        open: None,
        limit: Duration::from_secs(seconds.into()) + PATIENCE,
    };
    let run = pair::run(tool, tool, load)?;
    let (seen, why) = judged(run, seconds);
    let verdict = match seen {
        Seen::Clean(_) => "clean",
        Seen::Missed => "not held",
        Seen::Stalled => "stood still",
    };
    eprintln!("{}: {rate}/s for {seconds} s: {why}: {verdict}", tool.name);
    Ok((seen, begun.elapsed()))
}

/// What a run shows, and in words.
fn judged(run: Run, seconds: u32) -> (Seen<Cost>, String) {
    let (cost, late, busy) = match run {
        Run::Late { busy } => (None, true, busy),
        Run::Done(cost) => (
            Some(cost),
            cost.seconds > f64::from(seconds) * LATE_FACTOR + LATE_SECONDS,
            cost.client_us * cost.calls_per_second / 1e6,
        ),
    };
    let why = match cost {
        None => "did not come to its end in time".to_owned(),
        Some(cost) => format!(
            "{} failed, {} repeated, {:.1} s",
            cost.failed, cost.retransmitted, cost.seconds
        ),
    };
    let seen = match cost {
        _ if late && busy < STALLED_BELOW => Seen::Stalled,
        Some(cost) if !late && cost.failed == 0 && cost.retransmitted == 0 => Seen::Clean(cost),
        _ => Seen::Missed,
    };
    (seen, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Cost = Cost {
        client_us: 50.0,
        server_us: 60.0,
        failed: 0,
        retransmitted: 0,
        seconds: 10.3,
        calls_per_second: 9_700.0,
    };

    fn seen(run: Run) -> Seen<Cost> {
        judged(run, 10).0
    }

    #[test]
    fn a_run_is_clean_when_nothing_failed_or_was_repeated_in_time() {
        assert_eq!(seen(Run::Done(CLEAN)), Seen::Clean(CLEAN));
        for unclean in [
            Cost { failed: 1, ..CLEAN },
            Cost {
                retransmitted: 1,
                ..CLEAN
            },
            Cost {
                seconds: 12.0,
                ..CLEAN
            },
        ] {
            assert_eq!(seen(Run::Done(unclean)), Seen::Missed);
        }
    }

    #[test]
    fn a_late_client_that_did_nothing_stood_still() {
        assert_eq!(seen(Run::Late { busy: 0.1 }), Seen::Stalled);
        assert_eq!(seen(Run::Late { busy: 0.9 }), Seen::Missed);
        let slow = Cost {
            seconds: 80.0,
            calls_per_second: 1_300.0,
            failed: 3,
            ..CLEAN
        };
        assert_eq!(seen(Run::Done(slow)), Seen::Stalled);
        let (_, why) = judged(Run::Done(slow), 10);
        assert_eq!(why, "3 failed, 0 repeated, 80.0 s");
    }

    #[test]
    fn what_has_to_be_known_of_a_rate_is_said() {
        let found = Found {
            rate: 9_000,
            cost: CLEAN,
            confirmed: true,
            missed: Some(10_000),
            cut_short: false,
            runs: 20,
            stalls: 0,
        };
        assert_eq!(remarks(&found), "");
        let other = Found {
            confirmed: false,
            missed: None,
            cut_short: true,
            stalls: 2,
            ..found
        };
        assert_eq!(
            remarks(&other),
            "held for a short run only; the highest that was tried; the time for the search ended before it; \
             stood still in 2 of the runs"
        );
    }

    #[test]
    fn both_searches_end_within_five_minutes() {
        // A run begins only if it can end within the budget, and is ended when it has not.
        let over = PATIENCE + Duration::from_secs(10);
        assert!(2 * (FULL.budget + over) < Duration::from_secs(310));
    }
}
