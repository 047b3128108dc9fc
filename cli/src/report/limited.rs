// SPDX-License-Identifier: AGPL-3.0-only
//! Real runs that something limits, and what people read of it: on the progress line while it does, in the summary at
//! the end.

use super::{progress, summary};
use gossipper_control::{ControlCommand, Limit, Snapshot};
use gossipper_runtime::Run;
use gossipper_runtime::config::{
    EngineConfig, LocalConfig, LogConfig, PacingConfig, RunConfig, StreamKind, TimeLimits,
    TransportConfig,
};
use gossipper_runtime::pacing::Rate;
use gossipper_vm::RunParams;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Nothing here takes so long.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A client of the built-in `uac` without repetitions, towards a peer that never answers.
fn client(to: SocketAddr, rate: f64, open_limit: u64) -> RunConfig {
    let uac = gossipper_stdlib_scenarios::find("uac").expect("a built-in");
    let options = gossipper_compiler::Options::default();
    let compiled = gossipper_compiler::compile("uac.xml", uac.xml.as_bytes(), &options);
    let program = Arc::new(compiled.program.expect("a built-in compiles"));
    let params = RunParams {
        retransmit: false,
        ..RunParams::default()
    };
    RunConfig {
        main: EngineConfig {
            local: LocalConfig {
                ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                port: Some(0),
                bind_local: false,
            },
            remote: Some(to),
            ..EngineConfig::new(program, params)
        },
        answerer: None,
        pacing: PacingConfig {
            rate: Rate::new(rate, 1_000),
            open_limit: Some(open_limit),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(GIVE_UP),
            ..TimeLimits::default()
        },
        watchdog: None,
        logs: LogConfig::default(),
        measures: false,
    }
}

fn limits(snapshot: &Snapshot, limit: Limit) -> bool {
    let main = snapshot.main().expect("a main engine");
    main.limits.now == Some(limit)
}

/// The progress line while this limits a run, and the line about it in the summary of the same run.
fn read(config: RunConfig, limit: Limit) -> (String, String) {
    let run = Run::start(config).expect("it starts");
    let give_up = Instant::now() + GIVE_UP;
    let limited = loop {
        let snapshot = run.snapshot();
        if limits(&snapshot, limit) {
            break snapshot;
        }
        assert!(Instant::now() < give_up, "{snapshot:?}");
        assert!(!run.wait_for(Duration::from_millis(5)), "it has ended");
    };
    let shown = progress::line(&limited, 200).expect("an engine");
    assert!(run.controller().send(ControlCommand::Leave));
    let report = run.finish().expect("shards come up");
    let text = summary::text(&report.snapshot, false);
    let lines = || text.lines().filter(|line| line.starts_with("Limited "));
    let line = lines().next().unwrap_or_else(|| panic!("{text}"));
    (shown, line.to_owned())
}

/// Both say so, in these words.
fn is_said(config: RunConfig, limit: Limit, words: &str) {
    let (shown, told) = read(config, limit);
    let limited = format!(", limited by {words}  ");
    assert!(shown.contains(&limited), "{shown}");
    assert!(told.contains(&format!("by {words} for ")), "{told}");
}

#[test]
fn a_peer_that_does_not_read_fills_the_send_buffer_and_that_is_said() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback binds");
    let address = listener.local_addr().expect("an address");
    let mut config = client(address, 2_000.0, 1_000_000);
    config.main.transport = TransportConfig {
        stream: Some(StreamKind::Tcp),
        ..TransportConfig::default()
    };
    // What `-buff_size` sets. The peer's side holds more, but not what comes within a second or two.
    config.main.socket.buffer_bytes = Some(4_096);
    // It is accepted by the system, and nobody ever reads.
    is_said(config, Limit::SendBuffer, "a full send buffer");
    drop(listener);
}

#[test]
fn calls_that_never_end_reach_the_limit_of_open_calls_and_that_is_said() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback binds");
    let config = client(silent.local_addr().expect("an address"), 500.0, 20);
    is_said(config, Limit::OpenCalls, "-l 20");
}

#[test]
fn more_calls_than_the_processor_makes_are_said_to_be_too_many_for_it() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback binds");
    // No processor opens ten calls in a microsecond; nobody lets so many be open that they would not find room.
    let config = client(silent.local_addr().expect("an address"), 1e7, 200_000);
    is_said(config, Limit::Cpu, "the CPU");
}
