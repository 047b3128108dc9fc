// SPDX-License-Identifier: AGPL-3.0-only
//! Memory of calls that wait: 100 000 calls of the built-in `uac` in one engine, answered and pausing.
//!
//! Counts what the engine allocates (heap, as asked for), and how the process grew (resident, as the allocator and the
//! kernel round it). Deadlines and sockets belong to the driver and are not in these figures; the wheel adds the size
//! that the last line says.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use gossipper_benches::script::Driver;
use gossipper_benches::{builtin, engine};
use gossipper_vm::Micros;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CALLS: usize = 100_000;

/// Long enough that no call goes on while the others are opened.
const PAUSE_MS: u32 = 3_600_000;

fn main() {
    let mut driver = Driver::new(engine("uac", builtin("uac"), PAUSE_MS));
    // The first call makes what is made once.
    open(&mut driver);
    let resident_before = resident();
    let region = Region::new(ALLOCATOR);
    for _ in 0..CALLS {
        open(&mut driver);
    }
    let change = region.change();
    let resident = resident() - resident_before;
    assert_eq!(driver.engine.open_calls(), CALLS + 1);
    let heap = change.bytes_allocated as i64 - change.bytes_deallocated as i64;
    let per_call = |bytes: i64| bytes / CALLS as i64;
    println!("idle/100k  heap bytes per call      {:>6}", per_call(heap));
    println!(
        "idle/100k  resident bytes per call  {:>6}",
        per_call(resident)
    );
    println!(
        "idle/100k  of it the call record    {:>6}",
        gossipper_vm::call_record_bytes()
    );
}

/// Opens a call and brings it to its pause.
fn open(driver: &mut Driver) {
    driver.now = driver.now.plus(Micros(100));
    driver.open();
    debug_assert!(driver.engine.open_calls() > 0);
}

/// Resident memory of this process, in bytes; 0 where the kernel does not say.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib: i64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap_or(0);
    kib * 1024
}
