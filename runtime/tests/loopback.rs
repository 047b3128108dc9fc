// SPDX-License-Identifier: AGPL-3.0-only
//! Whole runs over real sockets on ports the system chooses: the built-in scenarios against each other, logs, families,
//! ends. What happens is asserted, never how long it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use gossipper_bytecode::Program;
use gossipper_control::{ControlCommand, EngineSnapshot, FailReason, Phase};
use gossipper_runtime::config::{
    EngineConfig, LocalConfig, LogConfig, LogFileConfig, PacingConfig, RunConfig, TimeLimits,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::{Ending, Error, Run, RunReport};
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

/// Both sides of a call, on loopback, as fast as a test wants it.
fn pair(client: &str, server: &str, calls: u64) -> RunConfig {
    RunConfig {
        main: EngineConfig::new(builtin(client), RunParams::default()),
        answerer: Some(EngineConfig::new(builtin(server), RunParams::default())),
        pacing: PacingConfig {
            rate: Rate::new(2_000.0, 1_000),
            total: Some(calls),
            open_limit: None,
            users: None,
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        logs: LogConfig::default(),
    }
}

fn alone(program: Arc<Program>, ip: IpAddr) -> RunConfig {
    let mut main = EngineConfig::new(program, RunParams::default());
    main.local = LocalConfig {
        ip: Some(ip),
        port: Some(0),
        bind_local: false,
    };
    RunConfig {
        main,
        answerer: None,
        pacing: PacingConfig {
            rate: Rate::new(500.0, 1_000),
            total: Some(10),
            open_limit: None,
            users: None,
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        logs: LogConfig::default(),
    }
}

fn finish(run: Run) -> (RunReport, EngineSnapshot) {
    let report = run.finish().expect("shards come up");
    let main = report.snapshot.main().expect("a main engine").clone();
    (report, main)
}

fn balances(engine: &EngineSnapshot) {
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

#[test]
fn uac_and_uas_complete_every_call_in_one_process() {
    let (report, client) = finish(Run::start(pair("uac", "uas", 400)).expect("it starts"));
    assert_eq!(report.ending, Ending::Completed);
    let (calls, messages) = (client.calls, client.messages);
    assert_eq!(
        (calls.outgoing, calls.succeeded, calls.failed, calls.current),
        (400, 400, 0, 0),
        "{client:?}"
    );
    assert_eq!(
        (
            messages.unexpected,
            messages.retransmitted,
            messages.out_of_call
        ),
        (0, 0, 0)
    );
    // INVITE, ACK and BYE of each call.
    assert_eq!((messages.sent, client.transport.sent), (1_200, 1_200));
    assert_eq!(client.phase, Phase::Ended);
    assert_eq!(
        (client.lateness.count, client.call_length.count),
        (400, 400)
    );
    let answerer = report.snapshot.answerer().expect("an answerer");
    assert_eq!(answerer.calls.incoming, 400);
    assert_eq!(answerer.messages.unexpected, 0);
    balances(&client);
    balances(answerer);
}

#[test]
fn response_times_are_measured_from_actual_and_from_due() {
    let (_, client) = finish(Run::start(pair("uac", "uas", 50)).expect("it starts"));
    let rtd = client.response_times.first().expect("uac has a timer");
    assert_eq!((rtd.actual.count, rtd.from_due.count), (50, 50));
    assert!(rtd.from_due.max_us >= rtd.actual.min_us);
    let cells = rtd.repartition.as_ref().expect("uac has a repartition");
    assert_eq!(cells.cells.iter().map(|cell| cell.count).sum::<u64>(), 50);
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[test]
fn a_run_over_ipv6_is_a_run() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("skipped: no IPv6 loopback on this machine");
        return;
    }
    let mut config = pair("uac", "uas", 20);
    let v6 = LocalConfig {
        ip: Some(Ipv6Addr::LOCALHOST.into()),
        ..LocalConfig::default()
    };
    config.main.local = v6;
    config.answerer.as_mut().expect("set").local = v6;
    let (report, client) = finish(Run::start(config).expect("it starts"));
    assert_eq!(
        (report.ending, client.calls.succeeded),
        (Ending::Completed, 20)
    );
    assert!(client.local.starts_with("[::1]:"), "{}", client.local);
}

#[test]
fn every_message_of_a_call_is_in_the_message_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("messages.log");
    let mut config = pair("options", "options_uas", 3);
    config.logs.messages = Some(LogFileConfig {
        path: path.clone(),
        overwrite: true,
    });
    let (report, _) = finish(Run::start(config).expect("it starts"));
    assert_eq!(
        (
            report.snapshot.logs.lost,
            report.snapshot.logs.error.as_deref()
        ),
        (0, None)
    );
    let text = String::from_utf8(std::fs::read(&path).expect("written")).expect("text");
    // Each message is sent by one side and received by the other, in one process.
    for (line, count) in [
        (" sent [", 6),
        (" received [", 6),
        ("OPTIONS sip:", 6),
        ("SIP/2.0 200", 6),
    ] {
        assert_eq!(text.matches(line).count(), count, "{line} in {text}");
    }
}

#[test]
fn a_call_that_nobody_answers_fails_as_its_scenario_says() {
    let xml = "<scenario name=\"t\">\
        <send><![CDATA[\nOPTIONS sip:x@[remote_ip]:[remote_port] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
        From: <sip:a@[local_ip]>;tag=[call_number]\nTo: <sip:x@[remote_ip]>\nCall-ID: [call_id]\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n]]></send>\
        <recv response=\"200\" timeout=\"40\"/></scenario>";
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let mut config = alone(compiled("t", xml), Ipv4Addr::LOCALHOST.into());
    config.main.remote = silent.local_addr().ok();
    let (report, client) = finish(Run::start(config).expect("it starts"));
    assert_eq!(
        (report.ending, client.calls.failed),
        (Ending::Completed, 10)
    );
    assert_eq!(
        client.failures.first().map(|f| (f.reason, f.count)),
        Some((FailReason::TimeoutOnRecv, 10))
    );
    balances(&client);
}

#[test]
fn rubbish_is_counted_and_the_next_call_succeeds() {
    let mut config = alone(builtin("options_uas"), Ipv4Addr::LOCALHOST.into());
    config.pacing.total = Some(1);
    let run = Run::start(config).expect("it starts");
    let address = loop {
        // The first snapshot is published by the shard itself.
        let local = run
            .snapshot()
            .main()
            .map(|engine| engine.local.clone())
            .unwrap_or_default();
        if !local.is_empty() {
            break local;
        }
        std::thread::yield_now();
    };
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    peer.set_read_timeout(Some(Duration::from_secs(10)))
        .expect("timeout");
    for rubbish in [
        &b"\0\0\0\0"[..],
        b"\r\n\r\n",
        b"SIP/2.0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
        &[0xff; 3_000],
    ] {
        peer.send_to(rubbish, &address).expect("send");
    }
    let request = "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n\
        From: <sip:a@b>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: one\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    peer.send_to(request.as_bytes(), &address).expect("send");
    let mut answer = [0; 2_000];
    let len = peer.recv(&mut answer).expect("an answer");
    assert!(
        answer[..len].starts_with(b"SIP/2.0 200"),
        "{}",
        String::from_utf8_lossy(&answer[..len])
    );
    assert!(run.controller().send(ControlCommand::Stop) || run.wait_for(Duration::from_secs(10)));
    let (_, server) = finish(run);
    assert_eq!(server.transport.received, 7);
    assert!(
        server.messages.discarded >= 3 && server.messages.keep_alives >= 2,
        "{:?}",
        server.messages
    );
    assert_eq!(server.calls.incoming, 1);
    balances(&server);
}

#[test]
fn a_client_without_a_destination_does_not_start() {
    let error = Run::start(alone(builtin("uac"), Ipv4Addr::LOCALHOST.into()))
        .expect_err("nowhere to send to");
    assert!(matches!(error, Error::Link(_)), "{error}");
}
