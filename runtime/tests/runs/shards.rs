// SPDX-License-Identifier: AGPL-3.0-only
//! Connections on several shards: what is counted is what one shard counts, whichever shard has the connection and
//! whichever the call.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use gossipper_control::{ControlCommand, FailReason};
use gossipper_runtime::config::{RunConfig, StreamKind, TransportConfig};
use gossipper_runtime::{Ending, Run};
use gossipper_testkit::certs::{Authority, Flaw};

use crate::secure::{folder, over, tls};
use crate::streams::{listener, tcp, un};
use crate::support::{
    GIVE_UP, LOCAL, Server, balances, builtin, compiled, counted, end, engine, failures, finish,
    on_shards, run_of, wait_until,
};

const SHARDS: usize = 3;

/// The built-in client and an answerer of one shard.
fn pair(transport: &TransportConfig, calls: u64, shards: usize) -> RunConfig {
    let side = |name| engine(builtin(name), transport, LOCAL);
    let config = run_of(side("uac"), Some(side("uas")), 1_000.0, Some(calls));
    on_shards(config, shards)
}

/// The built-in server on several shards.
fn server(transport: &TransportConfig, total: Option<u64>) -> Server {
    let main = engine(builtin("uas"), transport, LOCAL);
    Server::of(on_shards(run_of(main, None, 1.0, total), SHARDS))
}

#[test]
fn a_client_with_a_path_for_each_call_counts_on_three_shards_what_it_counts_on_one() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    let tls = over(StreamKind::Tls(tls(Some(&identity), None)), true);
    let ws = over(StreamKind::Ws(Box::default()), true);
    for (transport, calls) in [(tcp(true), 300), (un(), 300), (tls, 60), (ws, 60)] {
        let (alone, one) = finish(pair(&transport, calls, 1));
        let (together, three) = finish(pair(&transport, calls, SHARDS));
        assert_eq!(
            (&alone.ending, &together.ending),
            (&Ending::Completed, &Ending::Completed)
        );
        assert_eq!(three.calls.succeeded, calls, "{transport:?}: {three:?}");
        assert_eq!(counted(&one), counted(&three), "{transport:?}");
    }
}

#[test]
fn a_client_with_one_connection_for_all_calls_stays_on_one_shard() {
    let (_, client) = finish(pair(&tcp(false), 100, SHARDS));
    assert_eq!((client.calls.succeeded, client.transport.sent), (100, 300));
}

#[test]
fn a_server_shares_the_calls_of_one_connection_and_of_many_among_its_shards() {
    for per_call in [false, true] {
        let server = server(&tcp(false), Some(200));
        let mut client = engine(builtin("uac"), &tcp(per_call), LOCAL);
        client.remote = Some(server.address);
        let (_, client) = finish(run_of(client, None, 1_000.0, Some(200)));
        assert_eq!(
            (client.calls.succeeded, client.calls.failed),
            (200, 0),
            "{client:?}"
        );
        let (report, server) = end(server.run);
        assert_eq!(report.ending, Ending::Completed);
        assert_eq!((server.calls.incoming, server.calls.succeeded), (200, 200));
        let (messages, transport) = (server.messages, server.transport);
        assert_eq!(
            (messages.unexpected, messages.out_of_call),
            (0, 0),
            "{messages:?}"
        );
        assert_eq!((transport.received, transport.sent), (600, 600));
    }
}

#[test]
fn the_system_deals_connections_out_to_all_shards_of_a_server() {
    // Each shard has room for a few; together they take more than any of them could.
    let mut transport = tcp(false);
    transport.max_sockets = 2 * SHARDS;
    let server = server(&transport, None);
    let mut open = Vec::new();
    // Some of so many come to each, whatever ports they have.
    for number in 0..60 {
        let mut stream = TcpStream::connect(server.address).expect("it listens");
        let local = stream.local_addr().expect("it is connected");
        let invite = request("INVITE", &format!("{number}@test"), &local.to_string());
        stream.write_all(invite.as_bytes()).expect("sent");
        open.push(stream);
    }
    wait_until(&server.run, |main| main.calls.incoming == 2 * SHARDS as u64);
    // Those that wait are served as soon as others leave.
    let give_up = std::time::Instant::now() + GIVE_UP;
    while !open.is_empty() {
        for mut stream in open.extract_if(.., |stream| has_answer(stream)) {
            assert!(read_message(&mut stream).starts_with("SIP/2.0 180 "));
        }
        assert!(std::time::Instant::now() < give_up, "room is made");
        std::thread::yield_now();
    }
    wait_until(&server.run, |main| main.calls.incoming == 60);
    let _ = server.end();
}

/// Whether something has come that was not read.
fn has_answer(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option");
    let has = matches!(stream.peek(&mut [0]), Ok(1));
    stream.set_nonblocking(false).expect("an option");
    has
}

fn request(method: &str, call_id: &str, from: &str) -> String {
    format!(
        "{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/TCP {from};branch=z9hG4bK{method}{call_id}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:a@{from}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Reads one message, with its body.
fn read_message(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(GIVE_UP)).expect("an option");
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a whole message");
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).expect("text");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length:"));
    let length = length.map_or(0, |length| length.trim().parse().expect("a number"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    head
}

#[test]
fn a_dialog_may_move_from_one_connection_to_another() {
    let server = server(&tcp(false), None);
    let mut streams: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(server.address).expect("it listens"))
        .collect();
    for number in 0..24 {
        let id = format!("{number}@test");
        let send = |stream: &mut TcpStream, method: &str| {
            let text = request(method, &id, "127.0.0.1:9");
            stream.write_all(text.as_bytes()).expect("sent");
        };
        send(&mut streams[number % 4], "INVITE");
        for status in ["180", "200"] {
            let answer = read_message(&mut streams[number % 4]);
            assert!(
                answer.starts_with(&format!("SIP/2.0 {status} ")),
                "{answer}"
            );
            assert!(answer.contains(&id), "{answer}");
        }
        // A call answers where its latest message came from.
        send(&mut streams[(number + 1) % 4], "ACK");
        send(&mut streams[(number + 1) % 4], "BYE");
        let answer = read_message(&mut streams[(number + 1) % 4]);
        assert!(
            answer.starts_with("SIP/2.0 200 ") && answer.contains("BYE"),
            "{answer}"
        );
    }
    drop(streams);
    let server = server.end();
    assert_eq!(
        (server.calls.incoming, server.calls.succeeded),
        (24, 24),
        "{server:?}"
    );
    assert_eq!(server.messages.unexpected, 0);
}

#[test]
fn calls_of_all_shards_end_with_the_connection_they_are_on() {
    let server = server(&tcp(false), None);
    let mut stream = TcpStream::connect(server.address).expect("it listens");
    for number in 0..30 {
        let invite = request("INVITE", &format!("{number}@test"), "127.0.0.1:9");
        stream.write_all(invite.as_bytes()).expect("sent");
    }
    for _ in 0..60 {
        assert!(read_message(&mut stream).starts_with("SIP/2.0 "));
    }
    drop(stream);
    wait_until(&server.run, |main| main.calls.failed == 30);
    let server = server.end();
    assert_eq!(failures(&server), [(FailReason::TcpClosed, 30)]);
}

#[test]
fn a_refused_port_fails_the_calls_of_all_shards() {
    let nobody = listener();
    let mut client = engine(builtin("uac"), &tcp(true), LOCAL);
    client.remote = Some(nobody.local_addr().expect("it listens"));
    drop(nobody);
    let (report, client) = finish(on_shards(run_of(client, None, 500.0, Some(30)), SHARDS));
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(failures(&client), [(FailReason::TcpConnect, 30)]);
}

#[test]
fn drain_and_abort_reach_connections_of_every_shard() {
    for (command, ending) in [
        (ControlCommand::Drain, Ending::Drained),
        (ControlCommand::Stop, Ending::Stopped),
    ] {
        let mut config = pair(&tcp(true), 1, SHARDS);
        config.pacing.total = None;
        config.main.params.pause_ms = if ending == Ending::Stopped {
            60_000
        } else {
            50
        };
        let run = Run::start(config).expect("it starts");
        wait_until(&run, |main| main.calls.outgoing >= 50);
        assert!(run.controller().send(command));
        let (report, client) = end(run);
        assert_eq!(report.ending, ending);
        assert_eq!(client.calls.current, 0, "{client:?}");
        if ending == Ending::Drained {
            assert_eq!(client.calls.succeeded, client.calls.outgoing);
        }
        balances(&client);
    }
}

#[test]
fn a_server_that_closes_connections_itself_stays_on_one_shard() {
    let xml = r#"<scenario><recv request="OPTIONS"><action><closecon/></action></recv></scenario>"#;
    let params = gossipper_vm::RunParams {
        unreliable: false,
        ..Default::default()
    };
    let why = gossipper_vm::confined(&compiled("closes", xml), &params);
    assert_eq!(why, Some(gossipper_vm::Confined::Connections));
    assert_eq!(gossipper_vm::confined(&builtin("uas"), &params), None);
}
