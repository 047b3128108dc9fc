// SPDX-License-Identifier: AGPL-3.0-only
//! TLS and WebSocket from the command line: the flags of both dialects, OpenSSL's own client and server as strangers, and what
//! happens when there are no descriptors left.
//!
//! What needs the `openssl` program is skipped, loudly, where there is none on `PATH`.

use gossipper_testkit::certs::{Authority, Flaw, Identity};
use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_tcp_port};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Longest that any of these runs may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long a server waits for its open calls before it is told to abort them.
const PATIENCE: Duration = Duration::from_millis(200);

fn port() -> u16 {
    free_tcp_port(HOST).expect("a free port")
}

fn start(port: u16, line: &str) -> Running {
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let own = ["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"];
    arguments.extend(own.map(str::to_owned));
    let tool = Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"));
    Running::start(&tool, arguments).expect("it starts")
}

fn server(line: &str) -> (Running, u16) {
    let port = port();
    let mut running = start(port, line);
    running.wait_for_listener(port).expect("it listens");
    (running, port)
}

fn finish(running: Running, port: u16) -> Outcome {
    running
        .finish(Instant::now() + LIMIT, port)
        .expect("it ends")
}

/// What a client that cannot begin says.
fn refusal(line: &str) -> String {
    let outcome = finish(start(0, line), 0);
    assert_ne!(outcome.exit, Exit::Code(0), "{line}");
    outcome.stderr
}

/// A folder with an authority and a certificate of it.
fn certificates() -> (TempDir, Authority, Identity) {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    let identity = ca.identity("server", &["localhost", "127.0.0.1"], Flaw::None);
    (folder, ca, identity)
}

fn own(identity: &Identity) -> String {
    format!(
        "-tls_cert {} -tls_key {}",
        identity.certificate.display(),
        identity.key.display()
    )
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has_openssl() -> bool {
    let there = Command::new("openssl").arg("version").output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: there is no openssl on PATH");
    }
    there
}

/// Ends a stranger that a failing test leaves behind.
struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stranger that speaks TLS between its standard streams and a peer.
fn openssl(arguments: &[&str]) -> Stranger {
    let child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Stranger(child.expect("openssl runs"))
}

const INVITE: &str = "INVITE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK1\r\n\
                      From: <sip:a@b>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: stranger\r\nCSeq: 1 INVITE\r\n\
                      Contact: <sip:a@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n";

#[test]
fn openssls_client_is_answered_in_both_versions() {
    if !has_openssl() {
        return;
    }
    let (_folder, ca, identity) = certificates();
    let (running, port) = server(&format!("-sn uas -t l1 {}", own(&identity)));
    for version in ["-tls1_2", "-tls1_3"] {
        let to = format!("127.0.0.1:{port}");
        let authorities = ca.file.display().to_string();
        let mut stranger = openssl(&[
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-CAfile",
            &authorities,
            "-connect",
            &to,
            version,
        ]);
        let mut asks = stranger.0.stdin.take().expect("piped");
        asks.write_all(INVITE.replace("stranger", version).as_bytes())
            .expect("it reads");
        let answers = BufReader::new(stranger.0.stdout.take().expect("piped"));
        let first = answers
            .lines()
            .map(|line| line.expect("text"))
            .find(|line| line.starts_with("SIP/2.0 200"));
        assert_eq!(first.as_deref(), Some("SIP/2.0 200 OK"), "{version}");
    }
    let outcome = running.stop(port, PATIENCE).expect("it ends");
    let calls = "Incoming calls created |        2";
    assert!(outcome.stdout.contains(calls), "{}", outcome.stdout);
}

#[test]
fn a_server_that_checks_refuses_openssls_client_without_a_certificate() {
    if !has_openssl() {
        return;
    }
    let (_folder, ca, identity) = certificates();
    let (running, port) = server(&format!(
        "-sn uas -t l1 {} -tls_ca {} -trace_err -error_file errors.log",
        own(&identity),
        ca.file.display()
    ));
    let to = format!("127.0.0.1:{port}");
    let mut bare = openssl(&["s_client", "-quiet", "-connect", &to]);
    let mut said = String::new();
    let answers = bare.0.stdout.take().expect("piped");
    BufReader::new(answers)
        .read_to_string(&mut said)
        .expect("text");
    assert_eq!(said, "", "it is cut off");
    let (certificate, key) = (
        identity.certificate.display().to_string(),
        identity.key.display().to_string(),
    );
    let mut known = openssl(&[
        "s_client",
        "-quiet",
        "-connect",
        &to,
        "-cert",
        &certificate,
        "-key",
        &key,
    ]);
    let mut asks = known.0.stdin.take().expect("piped");
    asks.write_all(INVITE.as_bytes()).expect("it reads");
    let answers = BufReader::new(known.0.stdout.take().expect("piped"));
    let mut lines = answers.lines().map(|line| line.expect("text"));
    assert!(lines.any(|line| line.starts_with("SIP/2.0 180")));
    let outcome = running.stop(port, PATIENCE).expect("it ends");
    let said = std::fs::read_to_string(outcome.folder.path().join("errors.log")).expect("written");
    assert!(said.contains("the peer shows no certificate"), "{said}");
}

#[test]
fn openssls_server_hears_the_name_and_the_request() {
    if !has_openssl() {
        return;
    }
    let (_folder, _, identity) = certificates();
    let port = port();
    let accept = format!("127.0.0.1:{port}");
    let (certificate, key) = (
        identity.certificate.display().to_string(),
        identity.key.display().to_string(),
    );
    // What it does not recognise it would refuse: -servername makes it compare.
    let mut stranger = openssl(&[
        "s_server",
        "-accept",
        &accept,
        "-cert",
        &certificate,
        "-key",
        &key,
        "-cert2",
        &certificate,
        "-key2",
        &key,
        "-servername",
        "localhost",
        "-servername_fatal",
        "-naccept",
        "1",
    ]);
    let mut said = BufReader::new(stranger.0.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.starts_with("ACCEPT") {
        line.clear();
        assert_ne!(said.read_line(&mut line).expect("text"), 0, "it listens");
    }
    let client = start(
        0,
        &format!("-sn uac -t ln -m 1 -recv_timeout 20000 localhost:{port} -i 127.0.0.1"),
    );
    let mut heard = String::new();
    while !heard.contains("INVITE sip:service@127.0.0.1") {
        let before = heard.len();
        assert_ne!(
            said.read_line(&mut heard).expect("text"),
            0,
            "{}",
            &heard[..before]
        );
    }
    assert!(
        heard.contains("Hostname in TLS extension: \"localhost\""),
        "{heard}"
    );
    drop(client);
}

#[test]
fn whole_command_lines_over_each_transport() {
    let (_folder, ca, identity) = certificates();
    let own = own(&identity);
    let trust = ca.file.display();
    for (server_says, client_says) in [
        (format!("-t l1 {own}"), format!("-t ln -tls_ca {trust}")),
        (format!("-t sl {own}"), "-t cl -tls_version 1.2".to_owned()),
        (
            format!("-t ln {own} -tls_resume"),
            "-t cln -tls_resume".to_owned(),
        ),
        (
            format!("-t l1 {own} -tls_ca {trust}"),
            format!("-t l1 {own} -tls_ca {trust} -tls_skip_verify=false"),
        ),
        (
            "-t w1".to_owned(),
            "-t w1 -ws_path /sip -ws_origin https://a.example".to_owned(),
        ),
        ("-t wn -ws_protocol sip".to_owned(), "-t wn".to_owned()),
        (
            format!("-t ws1 {own}"),
            "-t wsn -ws_host phone.example".to_owned(),
        ),
    ] {
        let (running, port) = server(&format!("-sn uas {server_says}"));
        let client = start(
            0,
            &format!("-sn uac -m 5 -r 100 -timeout 20s {client_says} 127.0.0.1:{port}"),
        );
        let outcome = finish(client, 0);
        assert_eq!(
            outcome.exit,
            Exit::Code(0),
            "{server_says} / {client_says}: {}{}",
            outcome.stdout,
            outcome.stderr
        );
        let _ = running.stop(port, PATIENCE).expect("it ends");
    }
}

#[test]
fn the_secrets_go_where_the_environment_says() {
    let (folder, _, identity) = certificates();
    let log = folder.path().join("keys.log");
    let outcome = Command::new(env!("CARGO_BIN_EXE_gossipper"))
        .args([
            "sipp",
            "-loopback",
            "-sn",
            "uac",
            "-t",
            "ln",
            "-m",
            "2",
            "-nostdin",
        ])
        .args(own(&identity).split(' '))
        .env("SSLKEYLOGFILE", &log)
        .output()
        .expect("it runs");
    assert!(outcome.status.success(), "{outcome:?}");
    let text = std::fs::read_to_string(&log).expect("written");
    let of_clients = text
        .lines()
        .filter(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 "))
        .count();
    // Each side of each connection writes it.
    assert_eq!(of_clients, 4, "{text}");
}

#[test]
fn what_cannot_work_is_said_before_anything_is_sent() {
    let (folder, _, identity) = certificates();
    let own = own(&identity);
    for (line, what) in [
        ("-sn uas -t l1", "cannot read the certificate `cacert.pem`"),
        (
            "-compat gossipper -sn uas -t l1",
            "a TLS server needs a certificate and its key",
        ),
        (
            "-sn uac -t l1 -tls_cert absent.pem 127.0.0.1",
            "cannot read the certificate `absent.pem`",
        ),
        (
            "-sn uac -t l1 -tls_version 1.0 127.0.0.1",
            "TLS 1.0 is not supported",
        ),
        ("-sn uac -t l1 -tls_crl x.pem 127.0.0.1", "add -tls_ca"),
        ("-sn uac -t w1 -ws_path x 127.0.0.1", "-ws_path"),
        (
            "-sn uac -t sl 127.0.0.1",
            "transport `sl` is for server scenarios; use cl or l1",
        ),
        (
            "-sn uas -t cln",
            "transport `cln` is for client scenarios; use ln",
        ),
        (
            "-sn uas -t s1",
            "`s1`: SCTP is not supported: the kernel has",
        ),
        (
            "-sn uac -t c1 127.0.0.1",
            "`c1`: SCTP is not supported: the kernel has",
        ),
        ("-sn uas -t cn", "the nearest are t1 and tn"),
        (
            "-sn uas -heartbeat 5",
            "`-heartbeat`: SCTP is not supported",
        ),
        (
            "-sn uas -multihome 127.0.0.2",
            "`-multihome`: SCTP is not supported",
        ),
        (
            "-sn uas -assocmaxret 5",
            "`-assocmaxret`: SCTP is not supported",
        ),
        (
            "-sn uas -pathmaxret 5",
            "`-pathmaxret`: SCTP is not supported",
        ),
        ("-sn uas -pmtu 1400", "`-pmtu`: SCTP is not supported"),
        (
            "-sn uas -gracefulclose false",
            "`-gracefulclose`: SCTP is not supported",
        ),
    ] {
        let said = refusal(line);
        assert!(said.contains(what), "{line}: {said}");
    }
    let said = refusal(&format!(
        "-sn uac -t u1 {own} -ws_path /x -r 0.1 -timeout 1 127.0.0.1:9"
    ));
    assert!(
        said.contains("-tls_cert has no effect without TLS")
            && said.contains("-ws_path has no effect without WebSocket"),
        "{said}"
    );
    drop(folder);
}

/// Runs a client with few descriptors; all of what it says.
fn with_few_descriptors(folder: &Path, own: &str) -> (bool, String) {
    let script = format!(
        "ulimit -n 100; exec '{}' sipp -loopback -sn uac -t ln -m 60 -r 200 -l 60 -d 1500 -timeout 20s -nostdin {own} 2>&1",
        env!("CARGO_BIN_EXE_gossipper")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder)
        .output()
        .expect("a shell");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn calls_beyond_the_limit_of_open_files_share_connections() {
    let (folder, _, identity) = certificates();
    let (good, said) = with_few_descriptors(folder.path(), &own(&identity));
    assert!(good, "{said}");
    assert!(said.contains("60 succeeded"), "{said}");
    assert!(said.contains("36 sockets are open"), "{said}");
}
