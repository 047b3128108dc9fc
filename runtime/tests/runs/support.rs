// SPDX-License-Identifier: AGPL-3.0-only
//! What whole runs begin with, and what has to hold at the end of each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gossipper_bytecode::Program;
use gossipper_control::{ControlCommand, EngineSnapshot, FailReason};
use gossipper_runtime::config::{
    EngineConfig, LocalConfig, LogConfig, PacingConfig, RunConfig, TimeLimits, TransportConfig,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::{Run, RunReport};
use gossipper_vm::RunParams;

/// Nothing here takes so long.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(60);

pub(crate) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn compiled(name: &str, xml: &str) -> Arc<Program> {
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

pub(crate) fn builtin(name: &str) -> Arc<Program> {
    let builtin = gossipper_stdlib_scenarios::find(name).expect("a built-in");
    compiled(name, builtin.xml)
}

/// A scenario at an address, on a port the system chooses.
pub(crate) fn engine(
    program: Arc<Program>,
    transport: &TransportConfig,
    ip: IpAddr,
) -> EngineConfig {
    let mut engine = EngineConfig::new(program, RunParams::default());
    engine.transport = transport.clone();
    engine.local = LocalConfig {
        ip: Some(ip),
        port: Some(0),
        bind_local: false,
    };
    engine
}

/// A run at so many calls a second.
pub(crate) fn run_of(
    main: EngineConfig,
    answerer: Option<EngineConfig>,
    rate: f64,
    total: Option<u64>,
) -> RunConfig {
    RunConfig {
        main,
        answerer,
        pacing: PacingConfig {
            rate: Rate::new(rate, 1_000),
            total,
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

/// The same run on so many shards.
pub(crate) fn on_shards(mut config: RunConfig, shards: usize) -> RunConfig {
    config.main.shards = shards;
    config.main.params.seed = 7;
    config
}

/// Every call is counted once, and every failure has its reason.
pub(crate) fn balances(engine: &EngineSnapshot) {
    let calls = engine.calls;
    assert_eq!(
        calls.created(),
        calls.succeeded + calls.failed + calls.current,
        "{calls:?}"
    );
    assert_eq!(
        engine.failures.iter().map(|f| f.count).sum::<u64>(),
        calls.failed
    );
}

/// Waits for the end of a run, and looks whether its figures are sound.
pub(crate) fn end(run: Run) -> (RunReport, EngineSnapshot) {
    let report = run.finish().expect("shards come up");
    let main = report.snapshot.main().expect("a main engine").clone();
    balances(&main);
    (report, main)
}

/// A run from its beginning to its end.
pub(crate) fn finish(config: RunConfig) -> (RunReport, EngineSnapshot) {
    end(Run::start(config).expect("it starts"))
}

pub(crate) fn failures(engine: &EngineSnapshot) -> Vec<(FailReason, u64)> {
    let failures = engine.failures.iter();
    failures.map(|f| (f.reason, f.count)).collect()
}

/// Looks at a run until it is as it should be.
pub(crate) fn wait_until(run: &Run, holds: impl Fn(&EngineSnapshot) -> bool) {
    let give_up = Instant::now() + GIVE_UP;
    loop {
        let main = run.snapshot().main().expect("a main engine").clone();
        if holds(&main) {
            return;
        }
        assert!(Instant::now() < give_up, "{main:?}");
        // Figures are published some times a second.
        let _ = run.wait_for(Duration::from_millis(5));
    }
}

/// Everything that a run has counted, without what depends on time and batching.
pub(crate) fn counted(engine: &EngineSnapshot) -> (String, Vec<String>) {
    let calls = engine.calls;
    let totals = format!(
        "{} {} {} {} {} {:?} {:?} {:?} {} {} {} {}",
        calls.outgoing,
        calls.incoming,
        calls.succeeded,
        calls.failed,
        calls.current,
        calls.total_limit,
        engine.failures,
        engine.messages,
        engine.transport.sent,
        engine.transport.received,
        engine.call_length.count,
        engine.lateness.count,
    );
    let steps = engine.steps.iter().map(|step| format!("{step:?}"));
    (totals, steps.collect())
}

/// A server that answers until it is told to end.
pub(crate) struct Server {
    pub(crate) run: Run,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn of(config: RunConfig) -> Self {
        let run = Run::start(config).expect("it starts");
        wait_until(&run, |main| main.local.parse::<SocketAddr>().is_ok());
        let local = run.snapshot().main().expect("an engine").local.clone();
        let address = local.parse().expect("it was one a moment ago");
        Self { run, address }
    }

    /// The built-in server.
    pub(crate) fn start(transport: &TransportConfig) -> Self {
        Self::of(run_of(
            engine(builtin("uas"), transport, LOCAL),
            None,
            1.0,
            None,
        ))
    }

    pub(crate) fn end(self) -> EngineSnapshot {
        assert!(self.run.controller().send(ControlCommand::Drain));
        end(self.run).1
    }
}
