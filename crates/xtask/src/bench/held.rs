// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --held`: very many calls held open, and what one more costs then.
//!
//! Our `uac` with a long pause opens calls to our `uas` at a steady rate. The CPU time of the first seconds, when few are open,
//! is compared with that of the last, when nearly all are.

use super::Scale;
use super::pair::Pair;
use super::result::Results;
use super::versus;
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::time::{Duration, Instant};

/// Calls opened per second.
const RATE: u32 = 20_000;

/// Longer than the bench.
const PAUSE_MS: &str = "3600000";

/// A span of which the CPU time is looked at.
const SPAN: Duration = Duration::from_secs(1);

/// Of so many spans at the beginning, and at the end, the one in the middle counts: the machine stands still now and then.
const SPANS: usize = 8;

/// The first calls make what is made once.
const WARM_UP: Duration = Duration::from_millis(500);

/// What was seen of both sides at a time.
struct Sample {
    at: Instant,
    client: Duration,
    server: Duration,
}

pub(super) fn run(scale: Scale, results: &mut Results) -> Result<()> {
    let ours = versus::ours()?;
    let calls = match scale {
        Scale::Full => 1_000_000,
        Scale::Quick => 100_000,
    };
    let limit = calls.to_string();
    let pair = Pair::start(&ours, &ours, RATE, calls, &["-d", PAUSE_MS, "-l", &limit])?;
    let (client, server) = (pair.client_process(), pair.server_process());
    let sample = || -> Result<Sample> {
        Ok(Sample {
            at: Instant::now(),
            client: client.cpu_time()?,
            server: server.cpu_time()?,
        })
    };
    let opening = Duration::from_secs_f64(f64::from(calls) / f64::from(RATE));
    let started = Instant::now();
    let until = |at: Duration| std::thread::sleep(at.saturating_sub(started.elapsed()));
    let mut samples = Vec::new();
    let mut at = WARM_UP;
    while at < opening {
        until(at);
        samples.push(sample()?);
        at += SPAN;
    }
    until(opening + Duration::from_secs(2));
    let (client_bytes, server_bytes) = (client.resident()?, server.resident()?);
    // A call takes more than this; fewer would mean that they are not all open.
    if client_bytes < u64::from(calls) * 300 {
        bail!("the client holds {client_bytes} bytes, which is not {calls} calls");
    }
    // Ending a million calls by hand takes longer than the measurement; both processes end with the pair.
    drop(pair);
    let per_call = |from: &Sample, to: &Sample, side: fn(&Sample) -> Duration| {
        let opened = to.at.duration_since(from.at).as_secs_f64() * f64::from(RATE);
        (side(to) - side(from)).as_secs_f64() * 1e6 / opened
    };
    let mut sides = Vec::new();
    println!("{calls} calls held open, opened at {RATE}/s:\n");
    println!("| Side | Resident MB | Bytes per call | CPU µs per call, first | last | Growth |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (name, bytes, side) in [
        (
            "client",
            client_bytes,
            (|s: &Sample| s.client) as fn(&Sample) -> Duration,
        ),
        ("server", server_bytes, |s: &Sample| s.server),
    ] {
        let costs: Vec<f64> = (samples.windows(2))
            .map(|two| per_call(&two[0], &two[1], side))
            .collect();
        let spans = SPANS.min(costs.len() / 2);
        let at_first = middle(&costs[..spans])?;
        let at_last = middle(&costs[costs.len() - spans..])?;
        println!(
            "| {name} | {} | {} | {at_first:.2} | {at_last:.2} | {:.2} |",
            bytes / 1_000_000,
            bytes / u64::from(calls),
            at_last / at_first
        );
        sides.push(json!({
            "side": name,
            "resident_bytes": bytes,
            "first_us": at_first,
            "last_us": at_last,
        }));
    }
    println!();
    results.put(
        "held",
        json!({ "calls": calls, "rate": RATE, "sides": sides }),
    );
    Ok(())
}

/// The middle one by size.
fn middle(costs: &[f64]) -> Result<f64> {
    let mut sorted = costs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let found = sorted.get(sorted.len() / 2).copied();
    found.context("too few calls to look at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_span_that_stood_still_does_not_count() {
        assert_eq!(middle(&[5.0, 90.0, 4.0]).ok(), Some(5.0));
        assert_eq!(middle(&[5.0]).ok(), Some(5.0));
        assert!(middle(&[]).is_err());
    }
}
