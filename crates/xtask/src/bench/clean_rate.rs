// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --clean-rate`: the highest rate that a tool holds without a failed call or a repetition.
//!
//! Both tools play `uac` against their own `uas`, each on a CPU of its own. A rate is held when every call of a run of
//! [`RUN_SECONDS`] succeeds, none of its messages is repeated and the run takes no longer than its calls should. The
//! rate is doubled until one is not held, then the gap is halved.

use super::Scale;
use super::result::Results;
use super::versus::{self, Cost, Load};
use anyhow::Result;
use gossipper_testkit::sipp::Tool;
use serde_json::json;

/// Length of a run.
const RUN_SECONDS: u32 = 10;
const QUICK_RUN_SECONDS: u32 = 3;

/// Where the search begins: both tools hold this everywhere.
const FIRST_RATE: u32 = 2_000;

/// Where it ends in any case.
const LAST_RATE: u32 = 512_000;

/// Times the gap between a rate that was held and one that was not is halved.
const HALVINGS: u32 = 3;
const QUICK_HALVINGS: u32 = 2;

/// A neighbour's burst must not count as a limit: a rate is not held when so many runs in a row fail.
const TRIES: u32 = 2;

/// Searches and prints a table in Markdown.
pub(super) fn run(scale: Scale, results: &mut Results) -> Result<()> {
    let (sipp, ours) = (versus::sipp(), versus::ours()?);
    println!("{}\n", versus::machine()?);
    let mut rows = Vec::new();
    println!(
        "| Tool | Calls/s held | Client µs/call | Server µs/call |\n| --- | ---: | ---: | ---: |"
    );
    for tool in sipp.iter().chain([&ours]) {
        let (rate, cost) = search(tool, scale)?;
        println!(
            "| {} | {rate} | {:.1} | {:.1} |",
            tool.name, cost.client_us, cost.server_us
        );
        rows.push(json!({
            "tool": tool.name,
            "rate": rate,
            "client_us": cost.client_us,
            "server_us": cost.server_us,
        }));
    }
    println!();
    results.put("clean_rate", rows);
    Ok(())
}

fn search(tool: &Tool, scale: Scale) -> Result<(u32, Cost)> {
    let (seconds, halvings) = match scale {
        Scale::Full => (RUN_SECONDS, HALVINGS),
        Scale::Quick => (QUICK_RUN_SECONDS, QUICK_HALVINGS),
    };
    let mut held = None;
    let mut rate = FIRST_RATE;
    let mut missed = LAST_RATE;
    while rate < LAST_RATE {
        match holds(tool, rate, seconds)? {
            Some(cost) => held = Some((rate, cost)),
            None => {
                missed = rate;
                break;
            }
        }
        rate *= 2;
    }
    let Some((mut best, mut cost)) = held else {
        anyhow::bail!(
            "{} does not hold {FIRST_RATE} calls a second here",
            tool.name
        );
    };
    for _ in 0..halvings {
        let middle = best.midpoint(missed);
        match holds(tool, middle, seconds)? {
            Some(found) => (best, cost) = (middle, found),
            None => missed = middle,
        }
    }
    Ok((best, cost))
}

/// What the rate cost, if it was held.
#[expect(
    clippy::print_stderr,
    reason = "progress, beside the table on the standard output"
)]
fn holds(tool: &Tool, rate: u32, seconds: u32) -> Result<Option<Cost>> {
    for _ in 0..TRIES {
        let load = Load {
            name: "held",
            rate,
            calls: rate * seconds,
            open: None,
        };
        let cost = versus::cpu(tool, tool, load)?;
        let kept_up = cost.seconds < f64::from(seconds) * 1.05 + 1.0;
        let clean = cost.failed == 0 && cost.retransmitted == 0 && kept_up;
        eprintln!(
            "{}: {rate}/s: {} failed, {} repeated, {:.1} s{}",
            tool.name,
            cost.failed,
            cost.retransmitted,
            cost.seconds,
            if clean { "" } else { ": not held" }
        );
        if clean {
            return Ok(Some(cost));
        }
    }
    Ok(None)
}
