// SPDX-License-Identifier: AGPL-3.0-only
//! What a call costs while many others are open: one begins and the oldest ends, with a thousand to a million between.
//!
//! Times are of the machine alone, the shortest of many batches, since others may use the same processor. The last
//! column is what the process grew by for each open call.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use gossipper_benches::churn::Churn;
use std::time::{Duration, Instant};

/// Calls in a batch.
const BATCH: u64 = 1000;

/// Batches of which the shortest counts.
const BATCHES: u64 = 60;

fn main() {
    println!("             open calls   ns per call   of the first   resident bytes per open call");
    for (name, new) in [
        ("uac", Churn::client as fn() -> Churn),
        ("uas", Churn::server),
    ] {
        let mut first = None;
        for open in [1_000_u64, 10_000, 100_000, 1_000_000] {
            let before = resident();
            let mut churn = new();
            (1..=open).for_each(|call| churn.open(call));
            assert_eq!(churn.open_calls() as u64, open);
            let bytes = resident().saturating_sub(before) / open;
            let mut shortest = Duration::MAX;
            for batch in 0..BATCHES {
                let begun = Instant::now();
                for call in batch * BATCH + 1..=(batch + 1) * BATCH {
                    churn.open(open + call);
                    churn.end(call);
                }
                shortest = shortest.min(begun.elapsed());
            }
            let ns = shortest.as_nanos() as f64 / BATCH as f64;
            let ratio = ns / *first.get_or_insert(ns);
            println!("growth/{name}  {open:>10}  {ns:>12.0}  {ratio:>13.2}  {bytes:>20}");
        }
    }
}

/// Resident memory of this process, in bytes; 0 where the kernel does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap_or(0);
    kib * 1024
}
