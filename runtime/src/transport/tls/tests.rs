// SPDX-License-Identifier: AGPL-3.0-only
//! Handshakes over a pipe in memory, with certificates made for each test.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

use gossipper_testkit::certs::{Authority, Flaw, Identity};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn with(identity: &Identity) -> TlsConfig {
    TlsConfig {
        certificate: Some(identity.certificate.clone()),
        key: Some(identity.key.clone()),
        ..TlsConfig::default()
    }
}

fn trusting(file: &Path) -> TlsConfig {
    TlsConfig {
        authorities: Some(file.to_owned()),
        check: PeerCheck::Chain,
        ..TlsConfig::default()
    }
}

/// What a handshake and a message each way have come to, client first.
#[derive(Debug)]
struct Met {
    client: Result<Seen, String>,
    server: Result<Seen, String>,
}

/// What one side knows of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    version: Option<rustls::ProtocolVersion>,
    resumed: bool,
    sni: Option<String>,
}

fn meet(client: &TlsClient, server: &TlsServer) -> Met {
    let reactor = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a reactor");
    let (near, far) = tokio::io::duplex(64 * 1024);
    let caller = async {
        let mut stream = client.connect(near).await?;
        stream.write_all(b"ping").await?;
        stream.flush().await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"pong");
        let connection = stream.get_ref().1;
        Ok(Seen {
            version: connection.protocol_version(),
            resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            sni: None,
        })
    };
    let callee = async {
        let mut stream = server.accept(far).await?;
        let mut question = [0; 4];
        stream.read_exact(&mut question).await?;
        assert_eq!(&question, b"ping");
        stream.write_all(b"pong").await?;
        stream.flush().await?;
        let connection = stream.get_ref().1;
        Ok(Seen {
            version: connection.protocol_version(),
            resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            sni: connection.server_name().map(str::to_owned),
        })
    };
    let (client, server): (io::Result<Seen>, io::Result<Seen>) =
        reactor.block_on(async { tokio::join!(caller, callee) });
    let told = |result: io::Result<Seen>| result.map_err(|error| explain(&error));
    Met {
        client: told(client),
        server: told(server),
    }
}

fn client(config: &TlsConfig) -> TlsClient {
    TlsClient::new(config, "127.0.0.1", HERE).expect("a client")
}

fn server(config: &TlsConfig) -> TlsServer {
    TlsServer::new(config).expect("a server")
}

/// What the client says of a server with this identity.
fn refused(config: &TlsConfig, identity: &Identity) -> String {
    meet(&client(config), &server(&with(identity)))
        .client
        .expect_err("refused")
}

#[test]
fn without_authorities_any_server_will_do_and_a_name_goes_along() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["elsewhere"], Flaw::Expired);
    let server = server(&with(&identity));
    let by_name = TlsClient::new(&TlsConfig::default(), "sip.example.com", HERE).expect("a client");
    let met = meet(&by_name, &server);
    assert!(met.client.is_ok(), "{met:?}");
    let seen = met.server.expect("accepted");
    assert_eq!(seen.sni.as_deref(), Some("sip.example.com"));
    assert_eq!(seen.version, Some(rustls::ProtocolVersion::TLSv1_3));
    let by_address = meet(&client(&TlsConfig::default()), &server);
    assert_eq!(by_address.server.expect("accepted").sni, None);
}

#[test]
fn with_authorities_the_chain_counts_and_the_name_only_if_asked_for() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let server = server(&with(&ca.identity("x", &["elsewhere"], Flaw::None)));
    let mut config = trusting(&ca.file);
    assert!(meet(&client(&config), &server).client.is_ok());
    config.check = PeerCheck::ChainAndName;
    assert_eq!(
        meet(&client(&config), &server).client,
        Err("the peer's certificate is for elsewhere, not for 127.0.0.1".into())
    );
    let named = TlsClient::new(&config, "elsewhere", HERE).expect("a client");
    assert!(meet(&named, &server).client.is_ok());
}

#[test]
fn each_flaw_of_a_certificate_has_words_of_its_own() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let trusting_it = trusting(&ca.file);
    let expired = refused(&trusting_it, &ca.identity("old", &["x"], Flaw::Expired));
    assert!(
        expired.starts_with("the peer's certificate expired ") && expired.ends_with(" days ago"),
        "{expired}"
    );
    let early = refused(&trusting_it, &ca.identity("new", &["x"], Flaw::NotYet));
    assert!(early.contains("becomes valid in"), "{early}");
    let other = Authority::new(folder.path(), "other");
    let unknown = refused(
        &trusting_it,
        &other.identity("stranger", &["x"], Flaw::None),
    );
    assert!(unknown.contains("no authority of -tls_ca"), "{unknown}");

    let revoking = TlsConfig {
        revoked: Some(ca.revocation_list(false)),
        ..trusting_it.clone()
    };
    let revoked = refused(&revoking, &ca.identity("bad", &["x"], Flaw::Revoked));
    assert_eq!(revoked, "the peer's certificate is revoked (-tls_crl)");
    let good = ca.identity("good", &["x"], Flaw::None);
    assert!(
        meet(&client(&revoking), &server(&with(&good)))
            .client
            .is_ok()
    );
    let stale = TlsConfig {
        revoked: Some(ca.revocation_list(true)),
        ..trusting_it
    };
    assert_eq!(
        refused(&stale, &good),
        "the revocation list of -tls_crl is out of date"
    );
}

#[test]
fn the_other_side_hears_why_too() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let other = Authority::new(folder.path(), "other");
    let met = meet(
        &client(&trusting(&ca.file)),
        &server(&with(&other.identity("x", &["x"], Flaw::None))),
    );
    assert_eq!(
        met.server,
        Err("the peer does not know the authority of our certificate (-tls_cert)".into())
    );
}

#[test]
fn certificates_between_come_from_the_same_file() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let identity = ca.through_intermediate("deep", &["x"]);
    let met = meet(&client(&trusting(&ca.file)), &server(&with(&identity)));
    assert!(met.client.is_ok(), "{met:?}");
}

#[test]
fn the_certificate_of_an_authority_serves_if_it_is_trusted_itself() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "cacert");
    let config = TlsConfig {
        check: PeerCheck::Chain,
        authorities: Some(ca.file.clone()),
        ..with(&ca.identity)
    };
    // Both sides with the same two files, as many do.
    let met = meet(&client(&config), &server(&config));
    assert!(met.client.is_ok() && met.server.is_ok(), "{met:?}");
    let other = Authority::new(folder.path(), "other");
    let alien = refused(&config, &other.identity);
    assert!(
        alien.contains("the certificate of an authority as its own"),
        "{alien}"
    );
    let named = TlsConfig {
        check: PeerCheck::ChainAndName,
        ..config.clone()
    };
    let met = meet(&client(&named), &server(&with(&ca.identity)));
    assert!(met.client.expect_err("refused").contains("localhost"));
}

#[test]
fn a_server_with_authorities_insists_on_a_certificate_of_theirs() {
    let folder = folder();
    let ca = Authority::new(folder.path(), "ca");
    let other = Authority::new(folder.path(), "other");
    let strict = server(&TlsConfig {
        authorities: Some(ca.file.clone()),
        check: PeerCheck::Chain,
        ..with(&ca.identity("server", &["x"], Flaw::None))
    });
    let bare = meet(&client(&TlsConfig::default()), &strict);
    assert_eq!(
        bare.client,
        Err("the peer asks for a certificate; name one with -tls_cert and -tls_key".into())
    );
    assert!(
        bare.server
            .expect_err("refused")
            .starts_with("the peer shows no certificate")
    );
    let known = with(&ca.identity("phone", &["phone"], Flaw::None));
    assert!(meet(&client(&known), &strict).server.is_ok());
    let alien = with(&other.identity("alien", &["alien"], Flaw::None));
    let met = meet(&client(&alien), &strict);
    assert!(
        met.server
            .expect_err("refused")
            .contains("no authority of -tls_ca")
    );
    // What is not to be checked is not asked for.
    let lax = server(&TlsConfig {
        authorities: Some(ca.file.clone()),
        ..with(&ca.identity("lax", &["x"], Flaw::None))
    });
    assert!(meet(&client(&TlsConfig::default()), &lax).server.is_ok());
}

#[test]
fn a_fixed_version_is_spoken_and_no_other() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    let only = |version| TlsConfig {
        version: Some(version),
        ..with(&identity)
    };
    for (version, wire) in [
        (TlsVersion::V1_2, rustls::ProtocolVersion::TLSv1_2),
        (TlsVersion::V1_3, rustls::ProtocolVersion::TLSv1_3),
    ] {
        let met = meet(&client(&only(version)), &server(&with(&identity)));
        assert_eq!(met.client.expect("agreed").version, Some(wire));
    }
    let apart = meet(
        &client(&only(TlsVersion::V1_2)),
        &server(&only(TlsVersion::V1_3)),
    );
    assert!(
        apart
            .server
            .expect_err("apart")
            .starts_with("no common version of TLS")
    );
    assert!(
        apart
            .client
            .expect_err("apart")
            .contains("no version of TLS that is offered")
    );
    for old in ["1.0", "1.1"] {
        let error = old.parse::<TlsVersion>().expect_err("withdrawn");
        assert!(error.contains("RFC 8996; use 1.2 or 1.3"), "{error}");
    }
    assert!("2".parse::<TlsVersion>().is_err());
}

#[test]
fn sessions_are_resumed_only_where_both_sides_want_it() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        for (client_wants, server_wants) in [(true, true), (true, false), (false, true)] {
            let config = |resume| TlsConfig {
                resume,
                version: Some(version),
                ..with(&identity)
            };
            let (client, server) = (client(&config(client_wants)), server(&config(server_wants)));
            let first = meet(&client, &server);
            assert!(!first.client.expect("met").resumed);
            let second = meet(&client, &server);
            assert_eq!(
                second.client.expect("met").resumed,
                client_wants && server_wants,
                "{version}: {client_wants} {server_wants}"
            );
        }
    }
}

#[test]
fn something_else_than_tls_is_named() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    let (server, client) = (server(&with(&identity)), client(&TlsConfig::default()));
    let reactor = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a reactor");
    reactor.block_on(async {
        let (mut near, far) = tokio::io::duplex(4_096);
        near.write_all(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
            .await
            .expect("room");
        let error = server.accept(far).await.expect_err("no TLS");
        assert_eq!(
            explain(&error),
            "the peer does not speak TLS; is it the right port?"
        );
        let (near, mut far) = tokio::io::duplex(4_096);
        far.write_all(b"SIP/2.0 400 Bad Request\r\n\r\n")
            .await
            .expect("room");
        let error = client.connect(near).await.expect_err("no TLS");
        assert_eq!(
            explain(&error),
            "the peer does not speak TLS; is it the right port?"
        );
        let (near, far) = tokio::io::duplex(4_096);
        drop(far);
        let error = client.connect(near).await.expect_err("closed");
        assert!(explain(&error).contains("handshake"), "{error}");
    });
}

/// What is said of these files for a server.
fn wrong(certificate: &Path, key: &Path) -> String {
    let config = TlsConfig {
        certificate: Some(certificate.to_owned()),
        key: Some(key.to_owned()),
        ..TlsConfig::default()
    };
    TlsServer::new(&config).expect_err("wrong").to_string()
}

#[test]
fn wrong_files_are_named_with_what_they_hold() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let ca = Authority::new(folder.path(), "ca");
    let good = ca.identity("good", &["x"], Flaw::None);
    let other = ca.identity("other", &["x"], Flaw::None);
    let absent = wrong(&path("absent.pem"), &good.key);
    assert!(
        absent.starts_with("cannot read the certificate `") && absent.contains("absent.pem"),
        "{absent}"
    );
    let swapped = wrong(&good.key, &good.certificate);
    assert!(
        swapped.ends_with("good.key` holds no certificate, but PRIVATE KEY"),
        "{swapped}"
    );
    let no_key = wrong(&good.certificate, &good.certificate);
    assert!(
        no_key.ends_with("good.pem` holds no private key, but CERTIFICATE"),
        "{no_key}"
    );
    let mismatch = wrong(&good.certificate, &other.key);
    assert!(
        mismatch.contains("other.key` is not that of the first certificate in `"),
        "{mismatch}"
    );
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(path(name), bytes).expect("written");
        path(name)
    };
    let text = wrong(&write("notes.txt", b"hello"), &good.key);
    assert!(text.ends_with("it is not a PEM file"), "{text}");
    let der = wrong(&write("cert.der", &[0x30, 0x82]), &good.key);
    assert!(der.contains("looks like DER"), "{der}");
    let cut = std::fs::read(&good.certificate).expect("read");
    let cut = wrong(&write("cut.pem", &cut[..cut.len() - 40]), &good.key);
    assert!(
        cut.contains("is damaged: the line `-----END CERTIFICATE-----` is missing"),
        "{cut}"
    );
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = wrong(
        &good.certificate,
        &write("locked.key", encrypted.as_bytes()),
    );
    assert!(
        encrypted.contains("is encrypted") && encrypted.contains("openssl pkey -in "),
        "{encrypted}"
    );
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let older = wrong(&good.certificate, &write("older.key", older.as_bytes()));
    assert!(older.contains("is encrypted"), "{older}");

    let server = TlsServer::new(&TlsConfig::default()).expect_err("no identity");
    assert!(server.to_string().contains("-tls_cert FILE -tls_key FILE"));
    let client = |config: &TlsConfig| {
        TlsClient::new(config, "x", HERE)
            .expect_err("wrong")
            .to_string()
    };
    let alone = client(&TlsConfig {
        key: Some(good.key.clone()),
        ..TlsConfig::default()
    });
    assert!(alone.contains("add -tls_cert"), "{alone}");
    let revoked_alone = client(&TlsConfig {
        revoked: Some(ca.revocation_list(false)),
        check: PeerCheck::Chain,
        ..TlsConfig::default()
    });
    assert!(revoked_alone.contains("add -tls_ca"), "{revoked_alone}");
    let no_list = client(&TlsConfig {
        revoked: Some(ca.file.clone()),
        ..trusting(&ca.file)
    });
    assert!(
        no_list.contains("holds no revocation list (X509 CRL), but CERTIFICATE"),
        "{no_list}"
    );
    let log = client(&TlsConfig {
        key_log: Some(path("no/such/folder")),
        ..TlsConfig::default()
    });
    assert!(log.starts_with("cannot open the key log `"), "{log}");
}

#[test]
fn a_key_in_the_file_of_the_certificate_is_found() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    let both = std::fs::read_to_string(&identity.certificate).expect("read")
        + &std::fs::read_to_string(&identity.key).expect("read");
    std::fs::write(&identity.certificate, both).expect("written");
    let config = TlsConfig {
        key: None,
        ..with(&identity)
    };
    assert!(
        meet(&client(&TlsConfig::default()), &server(&config))
            .client
            .is_ok()
    );
}

#[test]
fn secrets_are_written_in_the_notation_of_wireshark() {
    let folder = folder();
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    let path = folder.path().join("keys.log");
    let config = TlsConfig {
        key_log: Some(path.clone()),
        ..TlsConfig::default()
    };
    assert!(
        meet(&client(&config), &server(&with(&identity)))
            .client
            .is_ok()
    );
    let text = std::fs::read_to_string(&path).expect("written");
    let labels: Vec<&str> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(words.len(), 3, "{line}");
            assert_eq!(words[1].len(), 64, "{line}");
            words[0]
        })
        .collect();
    for label in [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ] {
        assert!(labels.contains(&label), "{label} in {labels:?}");
    }
}

/// Makes a certificate of X.509 version 1, as old instructions do; false where the program is missing or makes another.
fn version_1(folder: &Path) -> bool {
    let script = "openssl req -newkey rsa:2048 -nodes -keyout v1.key -out v1.csr -subj /CN=lab \
                  && openssl x509 -req -in v1.csr -signkey v1.key -out v1.pem -days 2 \
                  && openssl x509 -in v1.pem -noout -text | grep -q 'Version: 1'";
    Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that does not run says so")]
fn certificates_of_the_first_version_serve_where_nothing_is_checked() {
    let folder = folder();
    if !version_1(folder.path()) {
        eprintln!("SKIPPED: openssl is missing or makes no X.509 version 1");
        return;
    }
    let identity = Identity {
        certificate: folder.path().join("v1.pem"),
        key: folder.path().join("v1.key"),
    };
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let config = TlsConfig {
            version: Some(version),
            ..TlsConfig::default()
        };
        let met = meet(&client(&config), &server(&with(&identity)));
        assert!(met.client.is_ok(), "{met:?}");
    }
}
