// SPDX-License-Identifier: AGPL-3.0-only
//! A warm engine runs whole calls without asking for memory.
//!
//! Without a harness, because its threads would allocate while the calls run.
#![expect(clippy::print_stdout, reason = "says what it has checked")]

use gossipper_benches::builtin;
use gossipper_benches::churn::Churn;
use gossipper_benches::script::{client_call, server_call};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::ops::Range;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls that are open all the time.
const OPEN: u64 = 1000;

/// Calls after which buffers and tables have their size, those of ended calls included, which go through all their places
/// before they settle.
const WARM: u64 = 20_000;

/// Tables that may grow meanwhile: those of open and of ended calls grow a share at a time, each when chance has filled it.
const GROWING: usize = 16;

/// Calls that are counted.
const CALLS: u64 = 10_000;

fn main() {
    for (name, mut replay) in [
        ("uac", client_call("uac", builtin("uac"))),
        ("uas", server_call()),
    ] {
        let region = Region::new(ALLOCATOR);
        let orders = replay.run();
        let change = region.change();
        assert!(orders > 8 && replay.open_calls() == 0, "{name}: no call");
        assert_eq!(
            (change.allocations, change.reallocations),
            (0, 0),
            "a warm call of {name} allocated"
        );
        println!("a warm call of {name} allocates nothing");
    }
    for (name, mut churn) in [("uac", Churn::client()), ("uas", Churn::server())] {
        (1..=OPEN).for_each(|call| churn.open(call));
        let mut turn = |calls: Range<u64>| {
            for call in calls {
                churn.open(OPEN + call);
                churn.end(call);
            }
        };
        turn(1..WARM);
        let region = Region::new(ALLOCATOR);
        turn(WARM..WARM + CALLS);
        let change = region.change();
        let asked = change.allocations + change.reallocations;
        assert!(
            asked <= GROWING,
            "{CALLS} calls of {name} among {OPEN} others asked {asked} times"
        );
        println!("{CALLS} calls of {name} among {OPEN} others ask {asked} times");
    }
}
