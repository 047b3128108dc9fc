// SPDX-License-Identifier: AGPL-3.0-only
//! Whole runs over real sockets on ports the system chooses: the built-in scenarios against each other, logs, families,
//! ends. What happens is asserted, never how long it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use gossipper_bytecode::Program;
use gossipper_control::{ControlCommand, FailReason, Phase};
use gossipper_runtime::config::{
    EngineConfig, LocalConfig, LogConfig, LogFileConfig, PacingConfig, RunConfig, TimeLimits,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::{Ending, Error, Run};
use gossipper_vm::RunParams;

use crate::support::{
    Server, balances, builtin, compiled, counted, end, finish, on_shards, wait_until,
};

/// Both sides of a call, on loopback, as fast as a test wants it.
fn pair(client: &str, server: &str, calls: u64) -> RunConfig {
    RunConfig {
        main: EngineConfig::new(builtin(client), RunParams::default()),
        answerer: Some(EngineConfig::new(builtin(server), RunParams::default())),
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
        measures: false,
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
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        watchdog: None,
        logs: LogConfig::default(),
        measures: false,
    }
}

#[test]
fn uac_and_uas_complete_every_call_in_one_process() {
    let (report, client) = finish(pair("uac", "uas", 400));
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
    let (_, client) = finish(pair("uac", "uas", 50));
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
    let (report, client) = finish(config);
    assert_eq!(
        (report.ending, client.calls.succeeded),
        (Ending::Completed, 20)
    );
    assert!(client.local.starts_with("[::1]:"), "{}", client.local);
}

#[test]
fn management_answers_whoever_asks_with_options() {
    let (report, _) = finish(pair("options", "management", 5));
    let calls = &report.snapshot.engines[0].calls;
    assert_eq!((calls.succeeded, calls.failed), (5, 0));
}

#[test]
fn every_message_of_a_call_is_in_the_message_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("messages.log");
    let mut config = pair("options", "options_uas", 3);
    config.logs.messages = Some(LogFileConfig::new(path.clone()));
    let (report, _) = finish(config);
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
    let (report, client) = finish(config);
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
    let (_, server) = end(run);
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

#[test]
fn a_client_counts_on_several_shards_what_it_counts_on_one() {
    let run = |shards| {
        let config = on_shards(pair("uac", "uas", 600), shards);
        finish(config)
    };
    let (alone, one) = run(1);
    let (_, two) = run(2);
    assert_eq!(counted(&one), counted(&two));
    let (together, three) = run(3);
    assert_eq!(
        (&alone.ending, &together.ending),
        (&Ending::Completed, &Ending::Completed)
    );
    assert_eq!(counted(&one), counted(&three));
    assert_eq!(three.calls.succeeded, 600);
    assert_eq!(three.transport.handover_dropped, 0);
    assert_eq!(three.phase, Phase::Ended);
    let rtd = three.response_times.first().expect("uac has a timer");
    assert_eq!((rtd.actual.count, rtd.from_due.count), (600, 600));
    assert!(three.calls.peak >= 1 && three.calls.peak <= 600);
    assert!((three.rate.target - 2_000.0).abs() < 1e-9);
    balances(&three);
}

#[test]
fn messages_after_the_end_of_a_call_count_the_same_whichever_shard_had_it() {
    // The server answers the last request of each call twice.
    let answers = r#"<scenario name="twice"><recv request="OPTIONS"/>
        <send><![CDATA[
        SIP/2.0 200 OK
        [last_Via:]
        [last_From:]
        [last_To:];tag=1
        [last_Call-ID:]
        [last_CSeq:]
        Content-Length: 0

        ]]></send><send><![CDATA[
        SIP/2.0 200 OK
        [last_Via:]
        [last_From:]
        [last_To:];tag=1
        [last_Call-ID:]
        [last_CSeq:]
        Content-Length: 0

        ]]></send></scenario>"#;
    let asks = r#"<scenario name="once"><send><![CDATA[
        OPTIONS sip:a@b SIP/2.0
        Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
        From: <sip:a@b>;tag=[call_number]
        To: <sip:a@b>
        Call-ID: [call_id]
        CSeq: 1 OPTIONS
        Content-Length: 0

        ]]></send><recv response="200"/></scenario>"#;
    for shards in [1, 2, 3] {
        let mut server = alone(compiled("twice", answers), Ipv4Addr::LOCALHOST.into());
        server.pacing.total = None;
        let server = Server::of(server);
        let mut config = alone(compiled("once", asks), Ipv4Addr::LOCALHOST.into());
        config.main.remote = Some(server.address);
        config.pacing.rate = Rate::new(2_000.0, 1_000);
        config.pacing.total = None;
        let run = Run::start(on_shards(config, shards)).expect("it starts");
        wait_until(&run, |main| {
            let (calls, messages) = (main.calls, &main.messages);
            calls.succeeded >= 200 && messages.dead_call >= 200
        });
        assert!(run.controller().send(ControlCommand::Drain));
        let (_, engine) = end(run);
        let _ = server.end();
        let (calls, messages) = (engine.calls, &engine.messages);
        assert_eq!(calls.failed, 0, "{engine:?}");
        assert_eq!((messages.out_of_call, messages.unexpected), (0, 0));
        assert!(messages.dead_call <= calls.succeeded);
    }
}

/// What a client sends, per Call-ID and in the order of sending, as its message log has it.
fn conversations(
    shards: usize,
    scenario: &Arc<Program>,
) -> std::collections::BTreeMap<String, Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("messages.log");
    let mut config = on_shards(pair("uac", "uas", 60), shards);
    config.main.program = Arc::clone(scenario);
    config.main.params.call_id = gossipper_vm::CallIdFormat::parse("%u-%r@test");
    let file = |name: &str, lines: &[u8]| {
        gossipper_vm::InjectionFile::parse(name, lines.to_vec()).expect("a file")
    };
    let sequential = file("turns.csv", b"SEQUENTIAL\none\ntwo\nthree\n");
    let random = file("dice.csv", b"RANDOM\nred\ngreen\nblue\n");
    config.main.params.injection = [sequential, random].map(Arc::new).to_vec();
    config.logs.messages = Some(LogFileConfig::new(path.clone()));
    let (_, client) = finish(config);
    assert_eq!(
        (client.calls.succeeded, client.calls.failed),
        (60, 0),
        "{client:?}"
    );
    let log = std::fs::read_to_string(&path).expect("a log");
    let mut calls = std::collections::BTreeMap::<String, Vec<String>>::new();
    // The lines that a test can tell calls apart by.
    for message in log.split("\n-----") {
        let line = |name: &str| {
            let mut lines = message.lines();
            lines
                .find_map(|line| line.strip_prefix(name))
                .map(str::to_owned)
        };
        let (Some(id), Some(subject)) = (line("Call-ID: "), line("Subject: ")) else {
            continue;
        };
        if message.contains("message sent") {
            let cseq = line("CSeq: ").unwrap_or_default();
            calls
                .entry(id)
                .or_default()
                .push(format!("{cseq} {subject}"));
        }
    }
    calls
}

#[test]
fn numbers_lines_and_random_numbers_of_calls_do_not_depend_on_the_shards() {
    let xml = gossipper_stdlib_scenarios::find("uac")
        .expect("a built-in")
        .xml;
    let xml = xml.replace(
        "Subject: Performance Test",
        "Subject: n[call_number] [field0 file=\"turns.csv\"] [field0 file=\"dice.csv\"]",
    );
    let options = gossipper_compiler::Options {
        name: "lines".to_owned(),
        injection: vec!["turns.csv".to_owned(), "dice.csv".to_owned()],
        ..Default::default()
    };
    let compiled = gossipper_compiler::compile("lines.xml", xml.as_bytes(), &options);
    let program = Arc::new(compiled.program.expect("it compiles"));
    let one = conversations(1, &program);
    assert_eq!(one.len(), 60);
    for shards in [2, 3] {
        assert_eq!(one, conversations(shards, &program), "on {shards}");
    }
}

#[test]
fn a_server_on_three_shards_opens_each_call_once_and_stops_at_its_total() {
    let mut server = on_shards(alone(builtin("uas"), Ipv4Addr::LOCALHOST.into()), 3);
    server.pacing.total = Some(300);
    let server = Run::start(server).expect("it starts");
    let address = || server.snapshot().main().expect("an engine").local.parse();
    let give_up = std::time::Instant::now() + Duration::from_secs(30);
    let address = loop {
        match address() {
            Ok(address) => break address,
            Err(_) => assert!(std::time::Instant::now() < give_up, "it publishes"),
        }
        std::thread::yield_now();
    };
    let mut client = alone(builtin("uac"), Ipv4Addr::LOCALHOST.into());
    client.main.remote = Some(address);
    client.pacing.rate = Rate::new(1_000.0, 1_000);
    client.pacing.total = Some(300);
    let (_, client) = finish(on_shards(client, 2));
    assert_eq!((client.calls.succeeded, client.calls.failed), (300, 0));
    let (report, server) = end(server);
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!((server.calls.incoming, server.calls.succeeded), (300, 300));
    balances(&server);
}

#[test]
fn open_limit_holds_over_all_shards() {
    let mut config = on_shards(pair("uac", "uas", 100), 3);
    config.pacing.open_limit = Some(1);
    config.pacing.rate = Rate::new(20_000.0, 1_000);
    let (_, client) = finish(config);
    assert_eq!((client.calls.succeeded, client.calls.failed), (100, 0));
    assert_eq!((client.calls.peak, client.calls.open_limit), (1, 1));
    assert!(client.calls.held_back > 0, "{:?}", client.calls);
}

#[test]
fn a_flood_through_tiny_rings_is_dropped_by_count() {
    let mut server = on_shards(alone(builtin("uas"), Ipv4Addr::LOCALHOST.into()), 2);
    server.main.ring_bytes = 1;
    server.pacing.total = None;
    let server = Run::start(server).expect("it starts");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let give_up = std::time::Instant::now() + Duration::from_secs(60);
    let main = || server.snapshot().main().expect("an engine").clone();
    let mut sent = 0_u64;
    loop {
        let engine = main();
        if let Ok(address) = engine.local.parse::<std::net::SocketAddr>() {
            // Too long for such a ring, so each is dropped, whoever is faster.
            for n in 0..50 {
                let text = format!(
                    "INVITE sip:a@b SIP/2.0\r\nCall-ID: {n}-{sent}\r\nCSeq: 1 INVITE\r\nSubject: {}\r\n\r\n",
                    "x".repeat(600)
                );
                socket.send_to(text.as_bytes(), address).expect("sent");
                sent += 1;
            }
        }
        let transport = engine.transport;
        if transport.handover_dropped > 0 && transport.received > 0 {
            break;
        }
        assert!(std::time::Instant::now() < give_up, "{engine:?}");
    }
    assert!(server.controller().send(ControlCommand::Stop));
    let (report, engine) = end(server);
    assert_eq!(report.ending, Ending::Stopped);
    let transport = engine.transport;
    // Every datagram that was read was either dropped by count or opened a call.
    assert_eq!(
        transport.received,
        transport.handover_dropped + engine.calls.incoming + engine.messages.out_of_call
    );
    assert!(transport.received <= sent);
    balances(&engine);
}

#[test]
fn drain_and_abort_reach_every_shard() {
    for (command, ending) in [
        (ControlCommand::Drain, Ending::Drained),
        (ControlCommand::Stop, Ending::Stopped),
    ] {
        let mut config = on_shards(pair("uac", "uas", 1), 3);
        config.pacing.total = None;
        config.main.params.pause_ms = if ending == Ending::Stopped {
            60_000
        } else {
            50
        };
        let run = Run::start(config).expect("it starts");
        let give_up = std::time::Instant::now() + Duration::from_secs(30);
        while run.snapshot().main().expect("an engine").calls.outgoing < 50 {
            assert!(std::time::Instant::now() < give_up, "calls begin");
            std::thread::yield_now();
        }
        assert!(run.controller().send(command));
        let (report, client) = end(run);
        assert_eq!(report.ending, ending);
        assert_eq!(client.calls.current, 0, "{client:?}");
        if ending == Ending::Stopped {
            assert_eq!(client.calls.failed, client.calls.outgoing);
        } else {
            assert_eq!(client.calls.succeeded, client.calls.outgoing);
        }
        balances(&client);
    }
}

#[test]
fn what_a_scenario_says_on_one_shard_ends_the_run_on_all() {
    let client = |action: &str| {
        let xml = format!(
            r#"<scenario name="ends"><nop><action><exec int_cmd="{action}"/></action></nop>
            <pause milliseconds="20"/><send><![CDATA[
            OPTIONS sip:a@b SIP/2.0
            Via: SIP/2.0/UDP a;branch=[branch]
            Call-ID: [call_id]
            CSeq: 1 OPTIONS
            Content-Length: 0

            ]]></send></scenario>"#
        );
        let mut config = on_shards(alone(compiled("ends", &xml), Ipv4Addr::LOCALHOST.into()), 3);
        config.main.remote = Some((Ipv4Addr::LOCALHOST, 9).into());
        config.pacing.total = None;
        finish(config)
    };
    let (report, _) = client("stop_now");
    assert_eq!(report.ending, Ending::StopNow);
    let (report, engine) = client("stop_gracefully");
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(engine.calls.current, 0);
    assert!(engine.calls.outgoing >= 1);
}
