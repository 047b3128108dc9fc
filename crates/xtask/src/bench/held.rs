// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --held`: very many calls held open, and what one more costs then.
//!
//! Our `uac` with a long pause opens calls to our `uas` at a steady rate. The CPU time of the first calls, when few are open,
//! is compared with that of the last, when nearly all are.

use super::Scale;
use super::pair::Pair;
use super::result::Results;
use super::versus;
use anyhow::{Result, bail};
use serde_json::json;
use std::time::{Duration, Instant};

/// Calls opened per second.
const RATE: u32 = 20_000;

/// Longer than the bench.
const PAUSE_MS: &str = "3600000";

/// How long calls are counted at the beginning and at the end.
const SPAN: Duration = Duration::from_secs(2);

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
    until(WARM_UP);
    let first = sample()?;
    until(WARM_UP + SPAN);
    let few = sample()?;
    until(opening - SPAN - WARM_UP);
    let before = sample()?;
    until(opening - WARM_UP);
    let last = sample()?;
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
        let (at_first, at_last) = (per_call(&first, &few, side), per_call(&before, &last, side));
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
