// SPDX-License-Identifier: AGPL-3.0-only
//! Whole runs over TLS and WebSocket, on ports the system chooses, with certificates made for each test. What happens is
//! asserted, never how long it takes.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;

use futures_util::{SinkExt as _, StreamExt as _};
use gossipper_control::FailReason;
use gossipper_runtime::config::{EngineConfig, RunConfig, StreamKind, TransportConfig};
use gossipper_runtime::transport::tls::{PeerCheck, TlsConfig};
use gossipper_runtime::transport::ws::WsConfig;
use gossipper_runtime::{Ending, Run};
use gossipper_testkit::certs::{Authority, Flaw, Identity};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::support::{LOCAL, Server, builtin, engine, failures, finish, run_of};

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(crate) fn tls(identity: Option<&Identity>, authorities: Option<&Path>) -> Box<TlsConfig> {
    Box::new(TlsConfig {
        certificate: identity.map(|identity| identity.certificate.clone()),
        key: identity.map(|identity| identity.key.clone()),
        authorities: authorities.map(Path::to_owned),
        check: authorities.map_or(PeerCheck::Nothing, |_| PeerCheck::Chain),
        ..TlsConfig::default()
    })
}

pub(crate) fn over(stream: StreamKind, per_call: bool) -> TransportConfig {
    TransportConfig {
        stream: Some(stream),
        per_call,
        ..TransportConfig::default()
    }
}

fn config(program: &str, transport: TransportConfig) -> EngineConfig {
    engine(builtin(program), &transport, LOCAL)
}

fn run(main: EngineConfig, answerer: Option<EngineConfig>, calls: Option<u64>) -> RunConfig {
    run_of(main, answerer, 500.0, calls)
}

#[test]
fn every_secure_mode_completes_every_call_in_both_families() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let identity = ca.identity("both", &["localhost"], Flaw::None);
    let ws = || Box::new(WsConfig::default());
    let tls = || tls(Some(&identity), Some(&ca.file));
    for ip in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        for kind in [
            StreamKind::Tls(tls()),
            StreamKind::Ws(ws()),
            StreamKind::Wss(tls(), ws()),
        ] {
            for per_call in [false, true] {
                let side = |name| {
                    let mut engine = config(name, over(kind.clone(), per_call));
                    engine.local.ip = Some(ip);
                    engine
                };
                let what = format!("{} {per_call} {ip}", kind.name());
                let (report, client) = finish(run(side("uac"), Some(side("uas")), Some(40)));
                assert_eq!(report.ending, Ending::Completed, "{what}");
                assert_eq!(
                    (client.calls.succeeded, client.calls.failed),
                    (40, 0),
                    "{what}: {client:?}"
                );
                let counts = client.transport;
                assert_eq!((counts.sent, counts.received), (120, 120), "{what}");
                assert_eq!(client.messages.retransmitted, 0, "{what}");
                let server = report.snapshot.answerer().expect("an answerer");
                assert_eq!((server.calls.incoming, server.messages.unexpected), (40, 0));
            }
        }
    }
}

#[test]
fn a_server_that_is_not_trusted_fails_the_calls_and_says_why() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let old = ca.identity("old", &["x"], Flaw::Expired);
    let server = config("uas", over(StreamKind::Tls(tls(Some(&old), None)), true));
    let client = config(
        "uac",
        over(StreamKind::Tls(tls(None, Some(&ca.file))), true),
    );
    let (report, main) = finish(run(client, Some(server), Some(5)));
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(failures(&main), [(FailReason::TcpConnect, 5)]);
    let warning = main.last_warning.expect("it says why");
    assert!(
        warning.contains("the peer's certificate expired "),
        "{warning}"
    );
    let answerer = report.snapshot.answerer().expect("an answerer");
    let warning = answerer.last_warning.clone().expect("it says why, too");
    assert!(
        warning.contains("came to nothing") && warning.contains("as expired"),
        "{warning}"
    );
}

#[test]
fn one_untrusted_connection_ends_the_run_of_a_mode_with_one_connection() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let other = Authority::new(folder.path(), "other").identity("x", &["x"], Flaw::None);
    let server = config("uas", over(StreamKind::Tls(tls(Some(&other), None)), false));
    let client = config(
        "uac",
        over(StreamKind::Tls(tls(None, Some(&ca.file))), false),
    );
    let (report, _) = finish(run(client, Some(server), Some(5)));
    let Ending::Fatal(text) = &report.ending else {
        panic!("{:?}", report.ending);
    };
    assert!(text.contains("no authority of -tls_ca"), "{text}");
}

#[test]
fn a_missing_certificate_ends_a_server_before_it_begins() {
    let error = Run::start(run(
        config("uas", over(StreamKind::Tls(tls(None, None)), false)),
        None,
        None,
    ))
    .expect_err("no certificate");
    assert!(
        error.to_string().contains("-tls_cert FILE -tls_key FILE"),
        "{error}"
    );
}

#[test]
fn whoever_does_not_speak_tls_costs_a_server_one_connection() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    let server = Server::start(&over(StreamKind::Tls(tls(Some(&identity), None)), false));
    // Some say nothing, some something else, some begin and leave.
    let silent = TcpStream::connect(server.address).expect("it listens");
    let mut wrong = TcpStream::connect(server.address).expect("it listens");
    wrong
        .write_all(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
        .expect("sent");
    let mut answer = Vec::new();
    // An alert, then the end.
    let _ = wrong.read_to_end(&mut answer);
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
    drop(TcpStream::connect(server.address).expect("it listens"));

    let mut client = config("uac", over(StreamKind::Tls(tls(None, None)), true));
    client.remote = Some(server.address);
    let (_, main) = finish(run(client, None, Some(20)));
    assert_eq!((main.calls.succeeded, main.calls.failed), (20, 0));
    drop(silent);
    let server = server.end();
    assert_eq!(server.calls.succeeded + server.calls.current, 20);
}

/// Runs something in a reactor of the test's own.
fn reactor<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a reactor")
        .block_on(what)
}

/// The request of somebody else's WebSocket client.
fn request(address: SocketAddr, protocol: Option<&str>) -> tungstenite::handshake::client::Request {
    use tungstenite::client::IntoClientRequest as _;
    let mut request = format!("ws://{address}/any/path")
        .into_client_request()
        .expect("a request");
    if let Some(protocol) = protocol {
        request.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            protocol.parse().expect("a header"),
        );
    }
    request
}

fn options(branch: &str) -> String {
    format!(
        "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK{branch}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: {branch}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:a@a.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_stranger_over_websocket_is_answered_whatever_frames_it_sends() {
    let server = Server::start(&over(StreamKind::Ws(Box::default()), false));
    reactor(async {
        let stream = tokio::net::TcpStream::connect(server.address)
            .await
            .expect("it listens");
        let (mut socket, response) =
            tokio_tungstenite::client_async(request(server.address, Some("chat, sip")), stream)
                .await
                .expect("it agrees");
        let agreed = response.headers().get("Sec-WebSocket-Protocol");
        assert_eq!(agreed.and_then(|name| name.to_str().ok()), Some("sip"));
        let frame =
            |bytes: &[u8], opcode, fin| Message::Frame(Frame::message(bytes.to_vec(), opcode, fin));
        let (text, binary) = (options("text"), options("binary"));
        socket.send(Message::text(text)).await.expect("sent");
        socket
            .send(Message::binary(binary.into_bytes()))
            .await
            .expect("sent");
        // A keep-alive of RFC 7118 §6 is no message.
        socket.send(Message::text("\r\n\r\n")).await.expect("sent");
        let cut = options("fragments");
        let (first, rest) = cut.as_bytes().split_at(30);
        let (second, third) = rest.split_at(1);
        socket
            .send(frame(first, OpCode::Data(Data::Text), false))
            .await
            .expect("sent");
        socket
            .send(Message::Ping(b"alive?".to_vec().into()))
            .await
            .expect("sent");
        socket
            .send(frame(second, OpCode::Data(Data::Continue), false))
            .await
            .expect("sent");
        socket
            .send(frame(third, OpCode::Data(Data::Continue), true))
            .await
            .expect("sent");
        let (mut ringing, mut answered, mut pongs) = (0, 0, 0);
        while ringing < 3 || answered < 3 || pongs < 1 {
            match socket.next().await.expect("open").expect("good frames") {
                Message::Text(text) if text.starts_with("SIP/2.0 180 ") => ringing += 1,
                Message::Text(text) if text.starts_with("SIP/2.0 200 ") => answered += 1,
                Message::Pong(payload) => {
                    assert_eq!(&payload[..], b"alive?");
                    pongs += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        let farewell = CloseFrame {
            code: CloseCode::Normal,
            reason: "done".into(),
        };
        socket.close(Some(farewell)).await.expect("sent");
        let reply = socket.next().await.expect("a reply").expect("good frames");
        let Message::Close(Some(reply)) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(reply.code, CloseCode::Normal);
        assert!(socket.next().await.is_none(), "then the connection ends");
    });
    let server = server.end();
    assert_eq!((server.calls.incoming, server.messages.unexpected), (3, 0));
}

#[test]
fn a_stranger_without_the_sub_protocol_is_refused() {
    let server = Server::start(&over(StreamKind::Ws(Box::default()), false));
    reactor(async {
        for protocol in [None, Some("chat")] {
            let stream = tokio::net::TcpStream::connect(server.address)
                .await
                .expect("it listens");
            let refused =
                tokio_tungstenite::client_async(request(server.address, protocol), stream).await;
            let Err(tungstenite::Error::Http(response)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(response.status(), 400);
        }
    });
    let warning = server.end().last_warning.expect("it says why");
    assert!(warning.contains("sub-protocol `sip`"), "{warning}");
}

#[test]
fn a_stranger_that_breaks_the_rules_or_sends_too_much_is_told_and_cut_off() {
    let mut transport = over(StreamKind::Ws(Box::default()), false);
    transport.max_message_bytes = 1_000;
    let server = Server::start(&transport);
    reactor(async {
        let too_big = Message::binary(vec![b'x'; 1_001]);
        let continued = Message::Frame(Frame::message(
            b"x".to_vec(),
            OpCode::Data(Data::Continue),
            true,
        ));
        for (message, code) in [(too_big, CloseCode::Size), (continued, CloseCode::Protocol)] {
            let stream = tokio::net::TcpStream::connect(server.address)
                .await
                .expect("it listens");
            let (mut socket, _) =
                tokio_tungstenite::client_async(request(server.address, Some("sip")), stream)
                    .await
                    .expect("it agrees");
            socket.send(message).await.expect("sent");
            let reply = socket.next().await.expect("a reply").expect("good frames");
            let Message::Close(Some(reply)) = reply else {
                panic!("{reply:?}");
            };
            assert_eq!(reply.code, code);
        }
    });
    let _ = server.end();
}

#[test]
fn our_client_gets_along_with_a_server_of_somebody_else() {
    use tungstenite::handshake::server::{Request, Response};
    let config_of = |port: u16| {
        let ws = WsConfig {
            path: "/ws?token=1".to_owned(),
            origin: Some("https://phone.example".to_owned()),
            ..WsConfig::default()
        };
        let mut client = config("uac", over(StreamKind::Ws(Box::new(ws)), false));
        client.remote = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        client.params.remote_host = b"127.0.0.1".to_vec();
        run(client, None, Some(1))
    };
    let report = reactor(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback binds");
        let port = listener.local_addr().expect("it listens").port();
        let run = Run::start(config_of(port)).expect("it starts");
        let (stream, _) = listener.accept().await.expect("it connects");
        #[expect(
            clippy::result_large_err,
            reason = "the signature of the library's callback"
        )]
        let look = |request: &Request, mut response: Response| {
            let header = |name: &str| {
                let value = request.headers().get(name);
                value
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned)
            };
            assert_eq!(request.uri().to_string(), "/ws?token=1");
            assert_eq!(header("host"), Some(format!("127.0.0.1:{port}")));
            assert_eq!(header("origin").as_deref(), Some("https://phone.example"));
            assert_eq!(header("sec-websocket-protocol").as_deref(), Some("sip"));
            response
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", "sip".parse().expect("a header"));
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, look)
            .await
            .expect("it shakes hands");
        loop {
            let message = match socket.next().await {
                Some(Ok(Message::Text(text))) => text.to_string(),
                // The client has had its call.
                Some(Ok(Message::Close(_))) | None => break,
                Some(other) => panic!("{other:?}"),
            };
            let line = |name: &str| {
                let line = message.lines().find(|line| line.starts_with(name));
                line.unwrap_or_else(|| panic!("{name} in {message}"))
                    .to_owned()
            };
            assert!(line("Via:").starts_with("Via: SIP/2.0/WS "), "{message}");
            if message.starts_with("ACK") {
                continue;
            }
            let answer = format!(
                "SIP/2.0 200 OK\r\n{}\r\n{}\r\n{};tag=7\r\n{}\r\n{}\r\nContact: <sip:y@127.0.0.1>\r\n\
                 Content-Length: 0\r\n\r\n",
                line("Via:"),
                line("From:"),
                line("To:").split(";tag").next().unwrap_or_default(),
                line("Call-ID:"),
                line("CSeq:"),
            );
            socket
                .send(Message::binary(answer.into_bytes()))
                .await
                .expect("sent");
        }
        run.finish().expect("shards come up")
    });
    let main = report.snapshot.main().expect("a main engine");
    assert_eq!(
        (main.calls.succeeded, main.calls.failed),
        (1, 0),
        "{main:?}"
    );
}
