// SPDX-License-Identifier: AGPL-3.0-only
//! Whole runs over connections, and over a socket per call, on ports the system chooses. What happens is asserted, never
//! how long it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use gossipper_bytecode::Program;
use gossipper_control::{EngineSnapshot, FailReason};
use gossipper_runtime::config::{
    EngineConfig, LocalConfig, LogConfig, PacingConfig, RunConfig, StreamKind, TimeLimits,
    TransportConfig,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::{Ending, Run, RunReport};
use gossipper_vm::RunParams;

fn compiled(name: &str, xml: &str) -> Arc<Program> {
    let options = gossipper_compiler::Options {
        name: name.to_owned(),
        ..Default::default()
    };
    let compiled = gossipper_compiler::compile(&format!("{name}.xml"), xml.as_bytes(), &options);
    let diagnostics = compiled.diagnostics;
    Arc::new(
        compiled
            .program
            .unwrap_or_else(|| panic!("{name} does not compile: {diagnostics:#?}")),
    )
}

fn builtin(name: &str) -> Arc<Program> {
    let builtin = gossipper_stdlib_scenarios::find(name).expect("a built-in");
    compiled(name, builtin.xml)
}

fn tcp(per_call: bool) -> TransportConfig {
    TransportConfig {
        stream: Some(StreamKind::Tcp),
        per_call,
        ..TransportConfig::default()
    }
}

fn un() -> TransportConfig {
    TransportConfig {
        per_call: true,
        ..TransportConfig::default()
    }
}

/// Both sides of a call, on loopback, as fast as a test wants it.
fn pair(transport: &TransportConfig, ip: IpAddr, calls: u64) -> RunConfig {
    let engine = |name| {
        let mut engine = EngineConfig::new(builtin(name), RunParams::default());
        engine.transport = transport.clone();
        engine.local.ip = Some(ip);
        engine
    };
    RunConfig {
        main: engine("uac"),
        answerer: Some(engine("uas")),
        pacing: PacingConfig {
            rate: Rate::new(2_000.0, 1_000),
            total: Some(calls),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        watchdog: None,
        logs: LogConfig::default(),
    }
}

/// A client of somebody that the test plays.
fn client(program: Arc<Program>, transport: TransportConfig, to: &TcpListener) -> RunConfig {
    let mut main = EngineConfig::new(program, RunParams::default());
    main.transport = transport;
    main.local = LocalConfig {
        ip: Some(Ipv4Addr::LOCALHOST.into()),
        port: Some(0),
        bind_local: false,
    };
    main.remote = Some(to.local_addr().expect("it listens"));
    RunConfig {
        main,
        answerer: None,
        pacing: PacingConfig {
            rate: Rate::new(500.0, 1_000),
            total: Some(5),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        watchdog: None,
        logs: LogConfig::default(),
    }
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback binds")
}

fn finish(config: RunConfig) -> (RunReport, EngineSnapshot) {
    let report = Run::start(config)
        .expect("it starts")
        .finish()
        .expect("shards come up");
    let main = report.snapshot.main().expect("a main engine").clone();
    let calls = main.calls;
    assert_eq!(
        calls.created(),
        calls.succeeded + calls.failed + calls.current,
        "{calls:?}"
    );
    (report, main)
}

fn failures(engine: &EngineSnapshot) -> Vec<(FailReason, u64)> {
    let failures = engine.failures.iter();
    failures.map(|f| (f.reason, f.count)).collect()
}

#[test]
fn every_mode_completes_every_call_in_both_families() {
    for ip in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        for transport in [tcp(false), tcp(true), un()] {
            let (report, client) = finish(pair(&transport, ip, 200));
            assert_eq!(report.ending, Ending::Completed, "{transport:?}");
            assert_eq!(
                (client.calls.succeeded, client.calls.failed),
                (200, 0),
                "{transport:?}: {client:?}"
            );
            // INVITE, ACK and BYE of each call; 180, 200 and 200 for it.
            let counts = client.transport;
            assert_eq!((counts.sent, counts.received), (600, 600), "{transport:?}");
            assert_eq!(client.messages.retransmitted, 0);
            let server = report.snapshot.answerer().expect("an answerer");
            assert_eq!(server.calls.incoming, 200);
            assert_eq!(server.messages.unexpected, 0);
        }
    }
}

#[test]
fn calls_share_the_sockets_there_may_be() {
    for mut transport in [tcp(true), un()] {
        transport.max_sockets = 3;
        let mut config = pair(&transport, Ipv4Addr::LOCALHOST.into(), 100);
        if let Some(answerer) = &mut config.answerer {
            answerer.transport.max_sockets = 1000;
        }
        let (_, client) = finish(config);
        assert_eq!(client.calls.succeeded, 100, "{client:?}");
    }
}

#[test]
fn a_refused_port_fails_the_calls_of_a_mode_with_a_connection_each() {
    let nobody = listener();
    let config = client(builtin("uac"), tcp(true), &nobody);
    drop(nobody);
    let (report, main) = finish(config);
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(failures(&main), [(FailReason::TcpConnect, 5)]);
    let warning = main.last_warning.expect("it says why");
    assert!(
        warning.contains("cannot connect to 127.0.0.1:"),
        "{warning}"
    );
}

#[test]
fn a_refused_port_ends_the_run_of_a_mode_with_one_connection() {
    let nobody = listener();
    let config = client(builtin("uac"), tcp(false), &nobody);
    drop(nobody);
    let (report, _) = finish(config);
    let Ending::Fatal(text) = &report.ending else {
        panic!("{:?}", report.ending);
    };
    assert!(text.starts_with("cannot connect to 127.0.0.1:"), "{text}");
}

#[test]
fn two_runs_do_not_listen_at_one_address() {
    let taken = listener();
    let mut config = client(builtin("uas"), tcp(false), &taken);
    config.main.remote = None;
    config.main.local.port = Some(taken.local_addr().expect("it listens").port());
    let error = Run::start(config).expect_err("the port is taken");
    assert!(error.is_address_in_use(), "{error}");
    assert!(
        error.to_string().contains("cannot listen for connections"),
        "{error}"
    );
}
