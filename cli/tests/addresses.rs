// SPDX-License-Identifier: AGPL-3.0-only
//! `-t ui`: calls send from the addresses of an injection file, and a server answers from the address it was called at.
//!
//! Skipped, loudly, where the loopback network has one address only, and the parts with SIPp where there is none.

use gossipper_testkit::sipp::{Exit, Running, Tool, free_udp_port};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Two more addresses of this machine.
const OTHERS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)),
];

const LIMIT: Duration = Duration::from_secs(30);

/// Asks with OPTIONS, and says where it sends from.
const CLIENT: &str = "<?xml version=\"1.0\"?>
<scenario name=\"from\">
<send retrans=\"500\"><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [server_ip]:[local_port];branch=[branch]
From: <sip:[field1]@[server_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response=\"200\"/>
</scenario>";

/// Answers, and demands that the request came from where it says.
const SERVER: &str = "<?xml version=\"1.0\"?>
<scenario name=\"to\">
<recv request=\"OPTIONS\"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>";

struct Place {
    folder: TempDir,
}

impl Place {
    /// `None` when this machine has no such addresses.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new() -> Option<Self> {
        for ip in OTHERS {
            if let Err(error) = UdpSocket::bind((ip, 0)) {
                eprintln!("skipped: {ip} is not of this machine ({error})");
                return None;
            }
        }
        let folder = TempDir::with_prefix("gossipper-addresses-").expect("a folder");
        let mut lines = "SEQUENTIAL\n".to_owned();
        for (user, ip) in ["a", "b", "c"].iter().zip(OTHERS.iter().cycle()) {
            let _ = writeln!(lines, "{ip};{user}");
        }
        for (name, text) in [
            ("from.xml", CLIENT),
            ("to.xml", SERVER),
            ("addresses.csv", &lines),
        ] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, tool: &Tool, line: &str) -> Running {
        let arguments = line.split_whitespace().map(|word| {
            if Path::new(word).extension().is_some()
                && !word.contains(':')
                && self.path(word).exists()
            {
                self.path(word).display().to_string()
            } else {
                word.to_owned()
            }
        });
        Running::start(tool, arguments.collect::<Vec<_>>()).expect("the tool starts")
    }
}

fn ours() -> Tool {
    Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"))
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn tools() -> Vec<Tool> {
    let sipp = Tool::sipp();
    if sipp.is_none() {
        eprintln!("skipped in part: there is no SIPp on PATH");
    }
    sipp.into_iter().chain([ours()]).collect()
}

fn port() -> u16 {
    free_udp_port(HOST).expect("a free port")
}

#[track_caller]
fn succeeds(running: Running, port: u16) -> String {
    let outcome = running
        .finish(Instant::now() + LIMIT, port)
        .expect("it ends");
    let text = format!("{}\n{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.exit, Exit::Code(0), "{text}");
    text
}

#[test]
fn each_call_sends_from_the_address_of_its_line() {
    let Some(place) = Place::new() else { return };
    for server in tools() {
        let (at, from) = (port(), port());
        let mut serving = place.start(
            &server,
            &format!("-sf to.xml -i {HOST} -p {at} -m 4 -nostdin"),
        );
        serving
            .wait_for_port(SocketAddr::new(HOST, at))
            .expect("it listens");
        let log = place.path("messages.log");
        let client = place.start(
            &ours(),
            &format!(
                "-sf from.xml -t ui -inf addresses.csv -p {from} -m 4 -r 100 -nostdin -trace_msg -message_file {} {HOST}:{at}",
                log.display()
            ),
        );
        succeeds(client, from);
        succeeds(serving, at);
        let log = std::fs::read_to_string(log).expect("messages");
        // Each request and its answer hold the address; three records, then from the first on again.
        for (user, ip, messages) in [
            ("a", OTHERS[0], 4),
            ("b", OTHERS[1], 2),
            ("c", OTHERS[0], 2),
        ] {
            let from = format!("From: <sip:{user}@{ip}>");
            assert_eq!(log.matches(&from).count(), messages, "{from}\n{log}");
        }
    }
}

#[test]
fn a_server_answers_from_the_address_it_was_called_at() {
    let Some(place) = Place::new() else { return };
    let at = port();
    let mut serving = place.start(
        &ours(),
        &format!("-sf to.xml -t ui -inf addresses.csv -p {at} -m 2 -nostdin"),
    );
    serving
        .wait_for_port(SocketAddr::new(OTHERS[0], at))
        .expect("it listens");
    for ip in OTHERS {
        // A connected socket takes nothing from elsewhere.
        let socket = UdpSocket::bind((HOST, 0)).expect("a port");
        socket.connect((ip, at)).expect("connected");
        socket.set_read_timeout(Some(LIMIT)).expect("a limit");
        let own = socket.local_addr().expect("bound");
        let request = format!(
            "OPTIONS sip:x@{ip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK1\r\nFrom: <sip:a@{own}>;tag=1\r\n\
             To: <sip:x@{ip}>\r\nCall-ID: {ip}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send(request.as_bytes()).expect("sent");
        let mut answer = [0; 2048];
        let length = socket.recv(&mut answer).expect("an answer from there");
        assert!(answer[..length].starts_with(b"SIP/2.0 200 OK"));
    }
    succeeds(serving, at);
}

#[test]
fn what_cannot_be_bound_or_read_is_said() {
    let Some(place) = Place::new() else { return };
    std::fs::write(place.path("elsewhere.csv"), "SEQUENTIAL\n192.0.2.77;a\n").expect("written");
    let at = port();
    for (line, words) in [
        ("-sf from.xml -t ui -m 1", "-t ui needs an injection file"),
        (
            "-sf from.xml -t ui -inf addresses.csv -ip_field 1 -m 1",
            "field 1: record 0: `a` is no IP address",
        ),
        ("-sf from.xml -t ui -inf elsewhere.csv -m 1", "192.0.2.77"),
    ] {
        let running = place.start(&ours(), &format!("{line} -nostdin {HOST}:{at}"));
        let outcome = running.finish(Instant::now() + LIMIT, at).expect("it ends");
        assert_ne!(outcome.exit, Exit::Code(0), "{line}");
        assert!(outcome.stderr.contains(words), "{line}: {}", outcome.stderr);
    }
}
