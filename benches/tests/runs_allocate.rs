// SPDX-License-Identifier: AGPL-3.0-only
//! A whole run asks for no memory per call: not its machine, its loop, its sockets, its pacing, nor its statistics.
//!
//! Both sides of a call run in this process, over UDP, over one TCP connection, and over one TLS connection. A run that makes
//! more calls may not allocate more than a shorter one, but for what grows in chunks: records of open calls, of which chance
//! decides how many there are at once, and what is kept of ended ones. Over TLS the library that encrypts asks for memory
//! for each record, which this program cannot avoid; so there it is so much per record, of which calls share many.
//! Without a harness, because its threads would allocate while the calls run.
#![expect(clippy::print_stdout, reason = "says what it has checked")]

use gossipper_runtime::config::{
    EngineConfig, LogConfig, PacingConfig, RunConfig, StreamKind, TimeLimits, TransportConfig,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::transport::tls::{PeerCheck, TlsConfig};
use gossipper_runtime::{Ending, Run};
use gossipper_testkit::certs::{Authority, Flaw};
use gossipper_vm::RunParams;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls of the shorter run, after which buffers have their size.
const WARM: u64 = 5_000;

/// Calls that the longer run makes beyond that.
const CALLS: u64 = 10_000;

/// Allocations per hundred calls that are forgiven, for both sides together: for batches that grow where a busy machine lets
/// more wait than before. One for each call would be a hundred.
const PER_HUNDRED: usize = 50;

/// The same over TLS, where both sides together write six messages per call. As calls share records it is about 60; a message
/// by itself is a record, for which the library asks a few times.
const PER_HUNDRED_TLS: usize = 6 * 4 * 100;

/// Allocations per second of a run, whatever it does: snapshots for those who look on.
const PER_SECOND: f64 = 600.0;

/// The built-in server, except that a call is over once BYE is answered: one that lingers keeps its record.
fn server() -> String {
    let xml = gossipper_stdlib_scenarios::find("uas")
        .expect("a built-in")
        .xml;
    let lines = xml.lines().filter(|line| !line.contains("<timewait"));
    let server: Vec<&str> = lines.collect();
    assert!(server.len() < xml.lines().count(), "uas lingers");
    server.join("\n")
}

/// How often a run with so many calls asks for memory, and how long it takes.
fn allocations(transport: &TransportConfig, calls: u64) -> (usize, f64) {
    let program = |name: &str, xml: &str| {
        let options = gossipper_compiler::Options {
            name: name.to_owned(),
            ..Default::default()
        };
        let compiled = gossipper_compiler::compile(name, xml.as_bytes(), &options);
        Arc::new(compiled.program.expect("it compiles"))
    };
    let uac = gossipper_stdlib_scenarios::find("uac").expect("a built-in");
    let config = RunConfig {
        main: EngineConfig {
            watches_calls: true,
            transport: transport.clone(),
            ..EngineConfig::new(program("uac", uac.xml), RunParams::default())
        },
        answerer: Some(EngineConfig {
            transport: transport.clone(),
            ..EngineConfig::new(program("uas", &server()), RunParams::default())
        }),
        pacing: PacingConfig {
            rate: Rate::new(8_000.0, 1_000),
            total: Some(calls),
            open_limit: Some(100),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(120)),
            ..TimeLimits::default()
        },
        watchdog: None,
        logs: LogConfig::default(),
        measures: false,
    };
    let started = Instant::now();
    let region = Region::new(ALLOCATOR);
    let report = Run::start(config)
        .expect("it starts")
        .finish()
        .expect("it ends");
    let change = region.change();
    assert_eq!(report.ending, Ending::Completed);
    let client = report.snapshot.main().expect("a client");
    assert_eq!((client.calls.succeeded, client.calls.failed), (calls, 0));
    (
        change.allocations + change.reallocations,
        started.elapsed().as_secs_f64(),
    )
}

/// Looks at runs over a transport, which may allocate so often per hundred calls.
fn holds(name: &str, transport: &TransportConfig, per_hundred: usize) {
    let (short, before) = allocations(transport, WARM);
    let (long, after) = allocations(transport, WARM + CALLS);
    let more = long.saturating_sub(short);
    println!("{name}: {WARM} calls: {short} allocations; {CALLS} more: {more} more");
    let looked_on = (after - before).max(0.0) * PER_SECOND;
    let forgiven = CALLS as usize * per_hundred / 100 + looked_on as usize;
    assert!(
        more <= forgiven,
        "{name}: {more} allocations for {CALLS} calls, {forgiven} forgiven"
    );
}

fn main() {
    let over = |stream| TransportConfig {
        stream: Some(stream),
        ..TransportConfig::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "ca");
    let identity = authority.identity("both", &["localhost"], Flaw::None);
    let tls = TlsConfig {
        certificate: Some(identity.certificate),
        key: Some(identity.key),
        authorities: Some(authority.file),
        check: PeerCheck::Chain,
        ..TlsConfig::default()
    };
    holds("udp", &TransportConfig::default(), PER_HUNDRED);
    holds("tcp", &over(StreamKind::Tcp), PER_HUNDRED);
    holds(
        "tls",
        &over(StreamKind::Tls(Box::new(tls))),
        PER_HUNDRED_TLS,
    );
}
