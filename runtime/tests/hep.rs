// SPDX-License-Identifier: AGPL-3.0-only
//! Runs that mirror their messages to a collector of HEP3, which is the test: what arrives is what `-trace_msg` wrote, with
//! both ends as they are, and nothing that the collector does harms the run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gossipper_bytecode::Program;
use gossipper_control::{ControlCommand, HepCounts, Snapshot};
use gossipper_hep::{IpProtocol, PayloadType, decode, packet_len};
use gossipper_runtime::config::{
    EngineConfig, HepConfig, HepMedia, HepTransport, LogConfig, LogFileConfig, PacingConfig,
    RunConfig, StreamKind, TimeLimits, TransportConfig,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::transport::tls::{PeerCheck, TlsConfig, TlsServer};
use gossipper_runtime::transport::ws::WsConfig;
use gossipper_runtime::{Ending, Error, Run};
use gossipper_testkit::certs::{Authority, Flaw};
use gossipper_vm::RunParams;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Messages of a call as the built-ins make it, seen from both sides.
const PER_CALL: usize = 12;

fn builtin(name: &str) -> Arc<Program> {
    let builtin = gossipper_stdlib_scenarios::find(name).expect("a built-in");
    let options = gossipper_compiler::Options {
        name: name.to_owned(),
        ..Default::default()
    };
    let compiled = gossipper_compiler::compile(name, builtin.xml.as_bytes(), &options);
    Arc::new(compiled.program.expect("it compiles"))
}

fn hep(transport: HepTransport, address: SocketAddr) -> HepConfig {
    HepConfig {
        transport,
        host: "localhost".to_owned(),
        address,
        capture_id: 2001,
        password: Some("secret".to_owned()),
        media: HepMedia::default(),
    }
}

/// Both sides of so many calls on loopback, mirrored and traced.
fn pair(transport: TransportConfig, calls: u64, hep: HepConfig, trace: Option<&Path>) -> RunConfig {
    let engine = |name| {
        let mut engine = EngineConfig::new(builtin(name), RunParams::default());
        engine.transport = transport.clone();
        engine.local.ip = Some(HOST);
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
        measures: false,
        logs: LogConfig {
            messages: trace.map(|path| LogFileConfig::new(path.to_owned())),
            hep: Some(hep),
            ..LogConfig::default()
        },
    }
}

/// Runs to the end; every call must succeed.
fn finish(run: Run, calls: u64) -> (Snapshot, HepCounts) {
    let report = run.finish().expect("shards come up");
    assert_eq!(report.ending, Ending::Completed);
    let main = report.snapshot.main().expect("a main engine");
    assert_eq!((main.calls.succeeded, main.calls.failed), (calls, 0));
    let counts = report.snapshot.hep.clone().expect("it mirrors");
    (report.snapshot, counts)
}

/// A packet, its parts owned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    at_us: u64,
    payload: Vec<u8>,
    source: SocketAddr,
    destination: SocketAddr,
    protocol: u8,
    correlation: Vec<u8>,
}

fn seen(bytes: &[u8]) -> Seen {
    let packet = decode(bytes).expect("a packet of HEP");
    assert_eq!(packet.payload_type, PayloadType::SIP);
    assert_eq!(packet.capture_id, 2001);
    assert_eq!(packet.auth_key, Some(&b"secret"[..]));
    Seen {
        at_us: packet.at.as_micros(),
        payload: packet.payload.to_vec(),
        source: packet.source,
        destination: packet.destination,
        protocol: packet.protocol.0,
        correlation: packet.correlation_id.expect("a Call-ID").to_vec(),
    }
}

/// The packets of a stream, which must be whole.
fn of_stream(mut bytes: &[u8]) -> Vec<Seen> {
    let mut all = Vec::new();
    while let Some(len) = packet_len(bytes).expect("a packet of HEP") {
        let Some((packet, rest)) = bytes.split_at_checked(len) else {
            break;
        };
        all.push(seen(packet));
        bytes = rest;
    }
    assert!(
        bytes.is_empty(),
        "{} bytes of a packet are left",
        bytes.len()
    );
    all
}

/// A collector of datagrams.
struct Datagrams {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

impl Datagrams {
    fn start() -> Self {
        let socket = UdpSocket::bind((HOST, 0)).expect("it binds");
        let wait = Some(Duration::from_millis(20));
        socket.set_read_timeout(wait).expect("it can wait");
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        Self {
            address: socket.local_addr().expect("an address"),
            over,
            thread: std::thread::spawn(move || {
                let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
                loop {
                    // What the run has sent is in the socket when it has ended.
                    let last = stop.load(Ordering::Acquire);
                    while let Ok((len, _)) = socket.recv_from(&mut buffer) {
                        all.push(seen(&buffer[..len]));
                    }
                    if last {
                        return all;
                    }
                }
            }),
        }
    }

    fn finish(self) -> Vec<Seen> {
        self.over.store(true, Ordering::Release);
        self.thread.join().expect("the collector collects")
    }
}

/// A collector of one connection, which is read to its end.
fn reader(listener: TcpListener) -> JoinHandle<Vec<Seen>> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it ends well");
        of_stream(&bytes)
    })
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((HOST, 0)).expect("it binds");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// Time and bytes of the messages in a trace of SIPp's form.
fn traced(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let text = std::fs::read(path).expect("a trace");
    let mut all = Vec::new();
    let mut rest = &text[..];
    while let Some(line_end) = rest.iter().position(|byte| *byte == b'\n') {
        let head = std::str::from_utf8(&rest[..line_end]).expect("dashes and a time");
        let time = head.trim_start_matches('-').trim();
        let at: jiff::Timestamp = time.parse().expect(time);
        rest = &rest[line_end + 1..];
        let end = rest
            .windows(3)
            .position(|end| end == b":\n\n")
            .expect("a title");
        let title = std::str::from_utf8(&rest[..end]).expect("a title");
        let (_, length) = title.split_once('[').expect(title);
        let length: usize = length.split(']').next().expect(title).parse().expect(title);
        rest = &rest[end + 3..];
        let at_us = u64::try_from(at.as_microsecond()).expect("after 1970");
        all.push((at_us, rest[..length].to_vec()));
        rest = &rest[length + 1..];
    }
    all
}

/// Compares what was collected with the trace.
fn compare(collected: &[Seen], trace: &Path) {
    let mut ours: Vec<(u64, Vec<u8>)> = collected
        .iter()
        .map(|seen| (seen.at_us, seen.payload.clone()))
        .collect();
    let mut theirs = traced(trace);
    ours.sort();
    theirs.sort();
    assert_eq!(ours.len(), theirs.len());
    assert!(ours == theirs, "what is mirrored is not what is traced");
    for seen in collected {
        let line = [b"Call-ID: ", &seen.correlation[..], b"\r\n"].concat();
        let found = seen.payload.windows(line.len()).any(|at| at == line);
        assert!(found, "{seen:?}");
    }
}

/// Every message was seen by both sides, with the same ends, since both name their own and the peer's as they are. Gives the
/// ends of the client.
fn ends_agree(collected: &[Seen], server: SocketAddr) -> BTreeSet<SocketAddr> {
    let mut messages: BTreeMap<&[u8], Vec<(SocketAddr, SocketAddr)>> = BTreeMap::new();
    for seen in collected {
        let ends = (seen.source, seen.destination);
        messages.entry(&seen.payload).or_default().push(ends);
    }
    let mut clients = BTreeSet::new();
    for (payload, ends) in messages {
        let text = String::from_utf8_lossy(payload);
        assert_eq!(ends.len(), 2, "seen by both sides: {text}");
        assert_eq!(ends[0], ends[1], "{text}");
        let (source, destination) = ends[0];
        let client = if payload.starts_with(b"SIP/2.0 ") {
            assert_eq!(source, server, "{text}");
            destination
        } else {
            assert_eq!(destination, server, "{text}");
            source
        };
        assert_ne!(client.port(), 0, "{text}");
        clients.insert(client);
    }
    clients
}

/// Where the server of a run listens.
fn server_of(snapshot: &Snapshot) -> SocketAddr {
    let local = &snapshot.answerer().expect("an answerer").local;
    local.parse().expect(local)
}

#[test]
fn every_message_is_mirrored_as_it_is_traced() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("messages.log");
    let collector = Datagrams::start();
    let to = hep(HepTransport::Udp, collector.address);
    let config = pair(TransportConfig::default(), 10, to, Some(&trace));
    let (snapshot, counts) = finish(Run::start(config).expect("it starts"), 10);
    let collected = collector.finish();
    assert_eq!(collected.len(), 10 * PER_CALL);
    let expected = HepCounts {
        sent: 10 * PER_CALL as u64,
        ..HepCounts::default()
    };
    assert_eq!(counts, expected);
    compare(&collected, &trace);
    let clients = ends_agree(&collected, server_of(&snapshot));
    let own: SocketAddr = snapshot
        .main()
        .expect("a client")
        .local
        .parse()
        .expect("own");
    assert_eq!(clients, BTreeSet::from([own]));
    let udp = IpProtocol::UDP.0;
    assert!(collected.iter().all(|seen| seen.protocol == udp));
}

#[test]
fn a_socket_that_is_bound_to_any_address_is_mirrored_with_the_one_the_peer_sees() {
    let collector = Datagrams::start();
    let peer = UdpSocket::bind((HOST, 0)).expect("it binds");
    let mut config = pair(
        TransportConfig::default(),
        1,
        hep(HepTransport::Udp, collector.address),
        None,
    );
    config.answerer = None;
    config.main.local.ip = Some(Ipv4Addr::UNSPECIFIED.into());
    config.main.local.port = Some(0);
    config.main.remote = Some(peer.local_addr().expect("an address"));
    let run = Run::start(config).expect("it starts");
    let mut buffer = [0; 2048];
    let (_, client) = peer.recv_from(&mut buffer).expect("an INVITE");
    assert_eq!(client.ip(), HOST);
    drop(run);
    let collected = collector.finish();
    let first = collected.first().expect("the INVITE");
    assert!(first.payload.starts_with(b"INVITE "));
    assert_eq!(first.source, client);
    assert_eq!(Ok(first.destination), peer.local_addr().map_err(|_| ()));
}

#[test]
fn connections_are_mirrored_with_the_ports_they_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    let identity = ca.identity("server", &["localhost"], Flaw::None);
    let tls = Box::new(TlsConfig {
        certificate: Some(identity.certificate),
        key: Some(identity.key),
        ..TlsConfig::default()
    });
    let ws = Box::new(WsConfig::default());
    let kinds = [
        (Some(StreamKind::Tcp), true, 1),
        (Some(StreamKind::Tcp), false, 1),
        (Some(StreamKind::Tls(tls)), false, 1),
        (Some(StreamKind::Ws(ws)), true, 1),
        // A UDP socket for each call.
        (None, true, 1),
        // Messages come in on flows of one shard for calls of another.
        (Some(StreamKind::Tcp), true, 3),
    ];
    for (stream, per_call, shards) in kinds {
        let what = format!("{stream:?} {per_call} {shards}");
        let protocol = match stream {
            Some(_) => IpProtocol::TCP.0,
            None => IpProtocol::UDP.0,
        };
        let trace = folder.path().join("messages.log");
        let (listener, address) = listener();
        let collector = reader(listener);
        let transport = TransportConfig {
            stream,
            per_call,
            ..TransportConfig::default()
        };
        let to = hep(HepTransport::Tcp, address);
        let mut config = pair(transport, 8, to, Some(&trace));
        config.main.shards = shards;
        config.answerer.as_mut().expect("an answerer").shards = shards;
        let (snapshot, counts) = finish(Run::start(config).expect("it starts"), 8);
        let collected = collector.join().expect("the collector collects");
        assert_eq!(collected.len(), 8 * PER_CALL, "{what}");
        assert_eq!((counts.lost, counts.connections), (0, 1), "{what}");
        compare(&collected, &trace);
        let clients = ends_agree(&collected, server_of(&snapshot));
        assert_eq!(clients.len(), if per_call { 8 } else { 1 }, "{what}");
        let all = collected.iter().all(|seen| seen.protocol == protocol);
        assert!(all, "{what}");
    }
}

#[test]
fn a_collector_that_is_not_there_is_said_and_harms_nothing() {
    // Bound, and nobody listens: the address is nobody else's for as long.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    let any = SocketAddr::new(HOST, 0);
    socket.bind(&any.into()).expect("it binds");
    let address = socket.local_addr().expect("an address");
    let address = address.as_socket().expect("of IP");
    let config = |calls| {
        let to = hep(HepTransport::Tcp, address);
        pair(TransportConfig::default(), calls, to, None)
    };
    let (_, counts) = finish(Run::start(config(5)).expect("it starts"), 5);
    assert_eq!((counts.sent, counts.lost), (0, 5 * PER_CALL as u64));
    let error = counts.error.expect("a reason");
    assert!(error.contains(&address.to_string()), "{error}");

    // One that comes late gets everything.
    let run = Run::start(config(5)).expect("it starts");
    let failed = || run.snapshot().hep.is_some_and(|hep| hep.error.is_some());
    let begun = Instant::now();
    while !failed() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing is said");
        let _ = run.wait_for(Duration::from_millis(5));
        std::thread::yield_now();
    }
    socket.listen(8).expect("it listens");
    let collector = reader(socket.into());
    let (_, counts) = finish(run, 5);
    let collected = collector.join().expect("the collector collects");
    assert_eq!(collected.len(), 5 * PER_CALL);
    assert_eq!((counts.lost, counts.connections), (0, 1));
}

#[test]
fn datagrams_that_nobody_takes_are_counted() {
    let socket = UdpSocket::bind((HOST, 0)).expect("it binds");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let to = hep(HepTransport::Udp, address);
    let config = pair(TransportConfig::default(), 5, to, None);
    let (_, counts) = finish(Run::start(config).expect("it starts"), 5);
    assert_eq!(counts.sent + counts.lost, 5 * PER_CALL as u64);
    assert!(counts.lost > 0, "{counts:?}");
    assert!(counts.error.is_some());
}

#[test]
fn a_connection_that_breaks_is_made_again_and_begins_with_a_whole_packet() {
    let (listener, address) = listener();
    let to = hep(HepTransport::Tcp, address);
    let mut config = pair(TransportConfig::default(), 1, to, None);
    config.pacing.total = None;
    config.pacing.rate = Rate::new(200.0, 1_000);
    let run = Run::start(config).expect("it starts");
    let (mut first, _) = listener.accept().expect("a connection");
    let mut some = [0; 3000];
    first.read_exact(&mut some).expect("some packets");
    drop(first);
    let (mut second, _) = listener.accept().expect("another connection");
    assert!(run.controller().send(ControlCommand::Drain));
    let collector = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        second.read_to_end(&mut bytes).expect("it ends well");
        of_stream(&bytes)
    });
    let report = run.finish().expect("shards come up");
    let collected = collector.join().expect("the collector collects");
    let counts = report.snapshot.hep.clone().expect("it mirrors");
    let calls = report.snapshot.main().expect("a client").calls.succeeded;
    assert!(calls > 0);
    assert_eq!(counts.connections, 2);
    // What the first had taken and not read is lost, and nobody can know.
    assert!(!collected.is_empty());
    assert_eq!(counts.sent, calls * PER_CALL as u64);
    assert_eq!(counts.lost, 0);
}

#[test]
fn a_collector_that_does_not_read_keeps_no_call_waiting() {
    let (listener, address) = listener();
    let calls = 1000;
    let config = pair(
        TransportConfig::default(),
        calls,
        hep(HepTransport::Tcp, address),
        None,
    );
    let run = Run::start(config).expect("it starts");
    let held: TcpStream = listener.accept().expect("a connection").0;
    let (snapshot, counts) = finish(run, calls);
    drop(held);
    let retransmitted = snapshot.main().map(|main| main.messages.retransmitted);
    assert_eq!(retransmitted, Some(0));
    assert!(counts.lost > 0, "{counts:?}");
    assert_eq!(counts.sent + counts.lost, calls * PER_CALL as u64);
    assert!(counts.error.is_some());
}

/// A collector over TLS, which reads one connection to its end; `None` if no hands were shaken.
fn secure_reader(listener: TcpListener, server: TlsServer) -> JoinHandle<Option<Vec<Seen>>> {
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nonblocking(true).expect("a mode");
        let reactor = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a reactor");
        reactor.block_on(async {
            use tokio::io::AsyncReadExt as _;
            let stream = tokio::net::TcpStream::from_std(stream).expect("a stream");
            let mut stream = server.accept(stream).await.ok()?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.expect("it ends well");
            Some(of_stream(&bytes))
        })
    })
}

#[test]
fn a_collector_over_tls_is_checked_and_gets_every_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    let other = Authority::new(folder.path(), "other");
    let identity = ca.identity("collector", &["localhost"], Flaw::None);
    let server = TlsServer::new(&TlsConfig {
        certificate: Some(identity.certificate),
        key: Some(identity.key),
        ..TlsConfig::default()
    })
    .expect("a server");
    for (authority, trusted) in [(ca.file, true), (other.file, false)] {
        let (listener, address) = listener();
        let collector = secure_reader(listener, server.clone());
        let tls = TlsConfig {
            authorities: Some(authority),
            check: PeerCheck::ChainAndName,
            ..TlsConfig::default()
        };
        let to = hep(HepTransport::Tls(Box::new(tls)), address);
        let config = pair(TransportConfig::default(), 5, to, None);
        let (_, counts) = finish(Run::start(config).expect("it starts"), 5);
        let collected = collector.join().expect("the collector collects");
        let total = 5 * PER_CALL;
        if trusted {
            assert_eq!(collected.map(|all| all.len()), Some(total));
            assert_eq!((counts.sent, counts.lost), (total as u64, 0));
        } else {
            assert_eq!(collected, None);
            assert_eq!((counts.sent, counts.lost), (0, total as u64));
            let error = counts.error.expect("a reason");
            assert!(error.contains("certificate"), "{error}");
        }
    }
}

#[test]
fn a_file_of_tls_that_is_not_there_ends_the_run_before_it_begins() {
    let tls = TlsConfig {
        authorities: Some("missing.pem".into()),
        check: PeerCheck::Chain,
        ..TlsConfig::default()
    };
    let to = hep(HepTransport::Tls(Box::new(tls)), SocketAddr::new(HOST, 1));
    let refused = Run::start(pair(TransportConfig::default(), 1, to, None));
    let error = refused.expect_err("no such file");
    assert!(matches!(error, Error::Tls(_)), "{error}");
}

#[test]
fn a_run_that_does_not_mirror_has_nothing_to_say_of_it() {
    let unused = hep(HepTransport::Udp, SocketAddr::new(HOST, 1));
    let mut config = pair(TransportConfig::default(), 1, unused, None);
    config.logs.hep = None;
    let report = Run::start(config).expect("it starts").finish();
    assert_eq!(report.expect("shards come up").snapshot.hep, None);
}
