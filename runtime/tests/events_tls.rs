// SPDX-License-Identifier: AGPL-3.0-only
//! Events on their way to a collector over TLS, by both protocols: whom it is not, gets nothing.

#[expect(dead_code, reason = "what the tests of its own crate need besides")]
#[path = "../../crates/otlp/tests/collector/mod.rs"]
mod collector;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use collector::{Collector, Speaks};
use gossipper_bytecode::Program;
use gossipper_control::EventCounts;
use gossipper_runtime::config::{
    EngineConfig, EventConfig, EventLevel, LogConfig, OtlpConfig, OtlpProtocol, PacingConfig,
    RunConfig, TimeLimits,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::transport::tls::{PeerCheck, TlsConfig};
use gossipper_runtime::{Ending, Run};
use gossipper_testkit::certs::{Authority, Flaw, Identity};
use gossipper_vm::RunParams;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

fn acceptor(identity: &Identity, protocol: &[u8]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_file_iter(&identity.certificate).expect("a file");
    let chain = chain.map(|one| one.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_file(&identity.key).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let mut config = config
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they fit");
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Takes TLS off in front of a collector, for as long as the test lasts.
fn front(identity: &Identity, speaks: Speaks, behind: SocketAddr) -> SocketAddr {
    let protocol: &[u8] = match speaks {
        Speaks::Grpc => b"h2",
        Speaks::Http => b"http/1.1",
    };
    let acceptor = acceptor(identity, protocol);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("it binds");
    listener.set_nonblocking(true).expect("a mode");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let reactor = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a reactor");
        reactor.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut onward = TcpStream::connect(behind).await.expect("it is there");
                    // Either end may close without a word.
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
                });
            }
        });
    });
    address
}

fn builtin(name: &str) -> Arc<Program> {
    let builtin = gossipper_stdlib_scenarios::find(name).expect("a built-in");
    let options = gossipper_compiler::Options {
        name: name.to_owned(),
        ..Default::default()
    };
    let compiled = gossipper_compiler::compile(name, builtin.xml.as_bytes(), &options);
    Arc::new(compiled.program.expect("it compiles"))
}

/// What became of the events of a run of five calls.
fn run(speaks: Speaks, address: SocketAddr, host: &str, authority: &Path) -> EventCounts {
    let engine = |name| {
        let mut engine = EngineConfig::new(builtin(name), RunParams::default());
        engine.local.ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        engine
    };
    let otlp = OtlpConfig {
        protocol: match speaks {
            Speaks::Grpc => OtlpProtocol::Grpc,
            Speaks::Http => OtlpProtocol::Http,
        },
        host: host.to_owned(),
        port: address.port(),
        path: "/v1/logs".to_owned(),
        headers: Vec::new(),
        timeout: Duration::from_secs(30),
        tls: Some(Box::new(TlsConfig {
            authorities: Some(authority.to_owned()),
            check: PeerCheck::ChainAndName,
            ..TlsConfig::default()
        })),
    };
    let config = RunConfig {
        main: engine("uac"),
        answerer: Some(engine("uas")),
        pacing: PacingConfig {
            rate: Rate::new(1_000.0, 1_000),
            total: Some(5),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        watchdog: None,
        measures: false,
        logs: LogConfig {
            events: Some(EventConfig {
                text: false,
                file: None,
                otlp: Some(otlp),
                attributes: Vec::new(),
                version: "9".to_owned(),
                buffer: 16_384,
                level: EventLevel::Info,
            }),
            ..LogConfig::default()
        },
    };
    let report = Run::start(config).expect("it starts").finish();
    let report = report.expect("shards come up");
    assert_eq!(report.ending, Ending::Completed);
    let main = report.snapshot.main().expect("a main engine");
    assert_eq!((main.calls.succeeded, main.calls.failed), (5, 0));
    report.snapshot.events.clone().expect("it tells events")
}

/// A collector behind a certificate for `localhost`, and its address.
fn secured(ca: &Authority, speaks: Speaks) -> (Collector, SocketAddr) {
    let identity = ca.identity("collector", &["localhost"], Flaw::None);
    let collector = Collector::start(speaks, []);
    let address = front(&identity, speaks, collector.address);
    (collector, address)
}

#[test]
fn a_collector_over_tls_gets_every_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    for speaks in [Speaks::Grpc, Speaks::Http] {
        let (collector, address) = secured(&ca, speaks);
        let told = run(speaks, address, "localhost", &ca.file);
        // Five calls of eight events, and the beginning and the end.
        assert_eq!((told.recorded, told.lost()), (42, 0), "{speaks:?} {told:?}");
        assert_eq!(collector.records().len(), 42, "{speaks:?}");
    }
}

#[test]
fn whom_its_certificate_does_not_prove_gets_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    let other = Authority::new(folder.path(), "other");
    // Beside each other, as each waits a while at its end.
    std::thread::scope(|scope| {
        for (speaks, host, authority) in [
            (Speaks::Grpc, "localhost", &other.file),
            (Speaks::Http, "127.0.0.1", &ca.file),
        ] {
            let ca = &ca;
            scope.spawn(move || {
                let (collector, address) = secured(ca, speaks);
                let told = run(speaks, address, host, authority);
                assert_eq!(collector.records().len(), 0, "{speaks:?}");
                assert_eq!((told.recorded, told.lost()), (42, 42), "{told:?}");
                let error = told.error.expect("a reason");
                assert!(error.contains("certificate"), "{error}");
            });
        }
    });
}
