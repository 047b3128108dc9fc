// SPDX-License-Identifier: AGPL-3.0-only
//! A warm engine runs whole calls without asking for memory.
//!
//! Without a harness, because its threads would allocate while the calls run.
#![expect(clippy::print_stdout, reason = "says what it has checked")]

use gossipper_benches::builtin;
use gossipper_benches::script::{client_call, server_call};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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
}
