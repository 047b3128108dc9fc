// SPDX-License-Identifier: AGPL-3.0-only
//! Whole runs over connections, and over a socket per call, on ports the system chooses. What happens is asserted, never
//! how long it takes.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gossipper_bytecode::Program;
use gossipper_control::{EngineSnapshot, FailReason};
use gossipper_runtime::config::{RunConfig, StreamKind, TransportConfig};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::{Ending, Run, RunReport};

use crate::support::{LOCAL, builtin, compiled, engine, failures, finish, run_of};

pub(crate) fn tcp(per_call: bool) -> TransportConfig {
    TransportConfig {
        stream: Some(StreamKind::Tcp),
        per_call,
        ..TransportConfig::default()
    }
}

pub(crate) fn un() -> TransportConfig {
    TransportConfig {
        per_call: true,
        ..TransportConfig::default()
    }
}

/// Both sides of a call, on loopback, as fast as a test wants it.
fn pair(transport: &TransportConfig, ip: IpAddr, calls: u64) -> RunConfig {
    let side = |name| engine(builtin(name), transport, ip);
    run_of(side("uac"), Some(side("uas")), 2_000.0, Some(calls))
}

/// A client of somebody that the test plays.
fn client(program: Arc<Program>, transport: &TransportConfig, to: &TcpListener) -> RunConfig {
    let mut main = engine(program, transport, LOCAL);
    main.remote = Some(to.local_addr().expect("it listens"));
    run_of(main, None, 500.0, Some(5))
}

pub(crate) fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback binds")
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
    let config = client(builtin("uac"), &tcp(true), &nobody);
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
    let config = client(builtin("uac"), &tcp(false), &nobody);
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
    let mut config = client(builtin("uas"), &tcp(false), &taken);
    config.main.remote = None;
    config.main.local.port = Some(taken.local_addr().expect("it listens").port());
    let error = Run::start(config).expect_err("the port is taken");
    assert!(error.is_address_in_use(), "{error}");
    assert!(
        error.to_string().contains("cannot listen for connections"),
        "{error}"
    );
}

/// One OPTIONS and its answer.
pub(crate) const PING: &str = r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS
Content-Length: 0

]]></send><recv response="200"/></scenario>"#;

/// Two of them, some time apart.
const TWO_PINGS: &str = r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS
Content-Length: 0

]]></send><recv response="200"/><pause milliseconds="200"/><send><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS
Content-Length: 0

]]></send><recv response="200"/></scenario>"#;

/// Reads one request without a body; `None` at the end of the connection.
pub(crate) fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            Ok(_) | Err(_) => return None,
        }
    }
    Some(String::from_utf8(text).expect("text"))
}

/// The answer to a request, whole.
pub(crate) fn answer(request: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines() {
        if ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
            .iter()
            .any(|name| line.starts_with(name))
        {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}

/// Runs a client against what `peer` makes of each connection, one after the other.
fn against(
    mut config: RunConfig,
    listener: TcpListener,
    peer: impl Fn(usize, TcpStream) + Send + 'static,
) -> (RunReport, EngineSnapshot) {
    config.main.remote = Some(listener.local_addr().expect("it listens"));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let address = listener.local_addr().expect("it listens");
    let thread = std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            peer(number, stream.expect("a connection"));
        }
    });
    let done = finish(config);
    stop.store(true, Ordering::Relaxed);
    drop(TcpStream::connect(address));
    thread.join().expect("the peer did what it was told");
    done
}

#[test]
fn answers_that_come_in_pieces_or_several_at_once_are_all_understood() {
    let listener = listener();
    let config = client(compiled("ping", PING), &tcp(false), &listener);
    let (_, main) = against(config, listener, |_, mut stream| {
        let mut answers = String::new();
        for _ in 0..5 {
            let request = read_request(&mut stream).expect("a request");
            // A keep-alive in between is nothing.
            answers.push_str(&answer(&request));
            answers.push_str("\r\n\r\n");
        }
        stream.set_nodelay(true).expect("an option");
        let (head, tail) = answers.as_bytes().split_at(answers.len() / 3);
        for byte in head {
            stream.write_all(&[*byte]).expect("it is read");
        }
        stream.write_all(tail).expect("it is read");
        assert_eq!(read_request(&mut stream), None);
    });
    assert_eq!(main.calls.succeeded, 5, "{main:?}");
}

#[test]
fn a_peer_that_closes_in_the_middle_of_a_message_fails_the_call_as_closed() {
    let listener = listener();
    let config = client(compiled("ping", PING), &tcp(true), &listener);
    let (report, main) = against(config, listener, |_, mut stream| {
        let request = read_request(&mut stream).expect("a request");
        let answer = answer(&request);
        let half = &answer.as_bytes()[..answer.len() / 2];
        stream.write_all(half).expect("it is read");
    });
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(failures(&main), [(FailReason::TcpClosed, 5)]);
    let warning = main.last_warning.expect("it says why");
    assert!(warning.contains("bytes into a message"), "{warning}");
}

#[test]
fn a_peer_that_announces_too_much_loses_its_connection() {
    let listener = listener();
    let config = client(compiled("ping", PING), &tcp(true), &listener);
    let (_, main) = against(config, listener, |_, mut stream| {
        let request = read_request(&mut stream).expect("a request");
        let long = answer(&request).replace("Content-Length: 0", "Content-Length: 999999");
        stream.write_all(long.as_bytes()).expect("it is read");
        assert_eq!(read_request(&mut stream), None, "it is closed");
    });
    assert_eq!(failures(&main), [(FailReason::TcpClosed, 5)]);
    let warning = main.last_warning.expect("it says why");
    assert!(warning.contains("message longer than"), "{warning}");
}

#[test]
fn a_connection_that_the_peer_resets_fails_the_call_and_is_called_broken() {
    let listener = listener();
    let config = client(compiled("ping", PING), &tcp(true), &listener);
    let (report, main) = against(config, listener, |_, mut stream| {
        // With bytes unread, the system resets the connection in place of closing it.
        let mut first = [0];
        stream.read_exact(&mut first).expect("a request");
        assert_eq!(stream.peek(&mut first).expect("the rest"), 1);
    });
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(failures(&main), [(FailReason::TcpClosed, 5)]);
    let warning = main.last_warning.expect("it says why");
    let words = "broke, remote peer probably closed the socket: Connection reset by peer";
    assert!(warning.contains(words), "{warning}");
}

#[test]
fn a_reset_of_the_one_connection_ends_the_run_with_its_statistics() {
    let listener = listener();
    let config = client(compiled("ping", PING), &tcp(false), &listener);
    let (report, main) = against(config, listener, |_, mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first).expect("a request");
        assert_eq!(stream.peek(&mut first).expect("the rest"), 1);
    });
    let Ending::Fatal(text) = &report.ending else {
        panic!("{:?}", report.ending);
    };
    assert!(text.contains("-max_reconnect allows no other"), "{text}");
    assert_eq!(main.calls.current, 0);
    let [(FailReason::TcpClosed, 1..=5)] = failures(&main)[..] else {
        panic!("{main:?}");
    };
}

#[test]
fn a_peer_that_closes_its_half_ends_the_calls_there() {
    let listener = listener();
    let config = client(compiled("ping", PING), &tcp(true), &listener);
    let (_, main) = against(config, listener, |_, mut stream| {
        stream.shutdown(Shutdown::Write).expect("it is open");
        while read_request(&mut stream).is_some() {}
    });
    assert_eq!(failures(&main), [(FailReason::TcpClosed, 5)]);
}

#[test]
fn the_one_connection_is_made_anew_and_calls_go_on_if_they_may() {
    let listener = listener();
    let mut transport = tcp(false);
    transport.reconnects = Some(1);
    transport.reconnect_sleep = Duration::from_millis(5);
    transport.reconnect_close = false;
    let config = client(compiled("pings", TWO_PINGS), &transport, &listener);
    let (report, main) = against(config, listener, |number, mut stream| {
        // The first connection ends when all five have been answered once.
        let answers = if number == 0 { 5 } else { usize::MAX };
        for _ in 0..answers {
            let Some(request) = read_request(&mut stream) else {
                return;
            };
            let answer = answer(&request);
            stream.write_all(answer.as_bytes()).expect("it is read");
        }
    });
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(
        (main.calls.succeeded, main.calls.failed),
        (5, 0),
        "{main:?}"
    );
}

#[test]
fn calls_end_with_the_one_connection_and_later_ones_use_the_next() {
    let listener = listener();
    let mut transport = tcp(false);
    transport.reconnects = None;
    transport.reconnect_sleep = Duration::ZERO;
    let mut config = client(compiled("ping", PING), &transport, &listener);
    // One at a time, so that only the first is on the first connection.
    config.pacing.open_limit = Some(1);
    config.pacing.rate = Rate::new(50.0, 1_000);
    let (report, main) = against(config, listener, |number, mut stream| {
        while let Some(request) = read_request(&mut stream) {
            if number == 0 {
                return;
            }
            let answer = answer(&request);
            stream.write_all(answer.as_bytes()).expect("it is read");
        }
    });
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(failures(&main), [(FailReason::TcpClosed, 1)], "{main:?}");
    assert_eq!(main.calls.succeeded, 4);
}

#[test]
fn a_connection_that_is_gone_for_good_ends_the_run_with_its_statistics() {
    let listener = listener();
    let mut config = client(compiled("ping", PING), &tcp(false), &listener);
    // The second call comes when the peer has long hung up.
    config.pacing.rate = Rate::new(3.0, 1_000);
    let (report, main) = against(config, listener, |_, mut stream| {
        let request = read_request(&mut stream).expect("a request");
        let answer = answer(&request);
        stream.write_all(answer.as_bytes()).expect("it is read");
        drop(stream);
    });
    let Ending::Fatal(text) = &report.ending else {
        panic!("{:?}", report.ending);
    };
    assert!(text.contains("-max_reconnect allows no other"), "{text}");
    assert_eq!(failures(&main), [(FailReason::TcpClosed, 1)]);
    assert_eq!(
        (main.calls.succeeded, main.calls.current),
        (1, 0),
        "{main:?}"
    );
}

#[test]
fn calls_of_a_connection_each_go_on_over_another_as_often_as_they_may() {
    let listener = listener();
    let mut transport = tcp(true);
    transport.reconnect_close = false;
    transport.reconnects = Some(3);
    let config = client(compiled("pings", TWO_PINGS), &transport, &listener);
    let (_, main) = against(config, listener, |_, mut stream| {
        // Each connection is good for one message.
        let request = read_request(&mut stream).expect("a request");
        let answer = answer(&request);
        stream.write_all(answer.as_bytes()).expect("it is read");
    });
    assert_eq!(main.calls.succeeded, 3, "{main:?}");
    assert_eq!(failures(&main), [(FailReason::TcpClosed, 2)]);
}

#[test]
fn a_peer_that_does_not_read_is_waited_for_as_long_as_the_run_says() {
    let mut transport = tcp(true);
    transport.send_timeout = Some(Duration::from_millis(100));
    talk_to_one_who_does_not_read(transport, "<send>");
}

#[test]
fn a_message_may_have_a_patience_of_its_own() {
    talk_to_one_who_does_not_read(tcp(true), "<send timeout=\"100\">");
    let mut transport = tcp(true);
    transport.send_timeout = Some(Duration::from_secs(600));
    talk_to_one_who_does_not_read(transport, "<send timeout=\"100\">");
}

fn talk_to_one_who_does_not_read(transport: TransportConfig, send: &str) {
    let listener = listener();
    let body = "x".repeat(60_000);
    let big = PING.replace(
        "Content-Length: 0\n\n",
        &format!("Content-Length: [len]\n\n{body}"),
    );
    // One call says more than the sockets on both sides hold.
    let many = format!(
        "<scenario>{}</scenario>",
        (0..60)
            .map(|_| big
                .replace("<scenario>", "")
                .replace("<send>", send)
                .replace("<recv response=\"200\"/></scenario>", ""))
            .collect::<String>()
            + "<recv response=\"200\"/>"
    );
    let mut config = client(compiled("much", &many), &transport, &listener);
    config.pacing.total = Some(1);
    config.main.socket.buffer_bytes = Some(16_384);
    let (send, hold) = std::sync::mpsc::channel::<TcpStream>();
    let (_, main) = against(config, listener, move |_, stream| {
        // Kept open, never read.
        send.send(stream).expect("the test keeps it");
    });
    assert_eq!(
        failures(&main),
        [(FailReason::TimeoutOnSend, 1)],
        "{main:?}"
    );
    assert!(main.transport.congested > 0);
    drop(hold);
}
