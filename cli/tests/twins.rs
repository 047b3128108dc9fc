// SPDX-License-Identifier: AGPL-3.0-only
//! Third party call control with real processes on loopback: two controllers that are each other's twins, and the two
//! parties they call.
//!
//! Each combination of our binary and real SIPp as the two controllers; the parties, which are ours, must see the same
//! messages in all of them. Where there is no `sipp` on `PATH`, ours alone runs.

use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_tcp_port, free_udp_port};
use gossipper_testkit::sipp_trace::{
    Conversation, Identities, Traced, conversation, first_difference,
};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Calls of each run.
const CALLS: u64 = 3;

/// A run takes two seconds.
const LIMIT: Duration = Duration::from_secs(40);

fn ours() -> Tool {
    Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"))
}

fn example(name: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let workspace = workspace.expect("cli lies in the workspace");
    let path = workspace.join("testdata/scenarios/3pcc").join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// How the controllers find each other.
#[derive(Clone, Copy, Debug)]
enum Links {
    /// `-3pcc` and the built-in scenarios.
    One,
    /// `-master` and `-slave`.
    Named,
    /// `-cmd_name` and `-cmd_peers`, which are ours alone.
    Bus,
}

/// What a run came to.
struct Run {
    party_a: Outcome,
    party_b: Outcome,
    calls_a: Outcome,
    calls_b: Outcome,
}

/// Flags of a controller besides those that all processes have.
fn controller(links: Links, commands_first: bool, port: u16, peers: &Path) -> Vec<String> {
    let (builtin, file, role, name) = if commands_first {
        ("3pcc-C-A", "master.xml", "-master", "m")
    } else {
        ("3pcc-C-B", "slave.xml", "-slave", "s1")
    };
    let (file, peers) = (example(file), peers.display().to_string());
    let twin = format!("{IP}:{port}");
    let flags: [&str; 6] = match links {
        Links::One => ["-sn", builtin, "-3pcc", &twin, "-r", "50"],
        Links::Named => ["-sf", &file, role, name, "-slave_cfg", &peers],
        Links::Bus => ["-sf", &file, "-cmd_name", name, "-cmd_peers", &peers],
    };
    flags.map(str::to_owned).to_vec()
}

fn start(tool: &Tool, port: u16, remote: Option<u16>, flags: Vec<String>) -> Running {
    let mut arguments = flags;
    arguments.extend(["-i", "127.0.0.1", "-p"].map(str::to_owned));
    arguments.extend([port.to_string(), "-m".to_owned(), CALLS.to_string()]);
    let common = ["-nostdin", "-trace_msg", "-message_file", "messages.log"];
    arguments.extend(common.map(str::to_owned));
    arguments.extend(remote.map(|port| format!("{IP}:{port}")));
    Running::start(tool, arguments).expect("the process starts")
}

/// Runs the four processes to their end.
fn run(links: Links, calls_a: &Tool, calls_b: &Tool) -> Run {
    let udp = || free_udp_port(IP).expect("a free port");
    let ports = [udp(), udp(), udp(), udp()];
    let (twin, other) = (
        free_tcp_port(IP).expect("a free port"),
        free_tcp_port(IP).expect("a free port"),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let peers: PathBuf = folder.path().join("peers.cfg");
    let map = format!("s1;{IP}:{twin}\nm;{IP}:{other}\n");
    std::fs::write(&peers, map).expect("a file of peers");
    let party = |name: &str, port: u16| {
        let flags = ["-sn", name].map(str::to_owned).to_vec();
        let mut party = start(&ours(), port, None, flags);
        party
            .wait_for_port(SocketAddr::new(IP, port))
            .expect("the party listens");
        party
    };
    let party_a = party("3pcc-A", ports[0]);
    let party_b = party("3pcc-B", ports[1]);
    let flags = controller(links, false, twin, &peers);
    let mut second = start(calls_b, ports[3], Some(ports[1]), flags);
    second.wait_for_listener(twin).expect("the twin listens");
    let flags = controller(links, true, twin, &peers);
    let first = start(calls_a, ports[2], Some(ports[0]), flags);
    let deadline = Instant::now() + LIMIT;
    let finish = |process: Running, port| process.finish(deadline, port).expect("an outcome");
    Run {
        calls_a: finish(first, ports[2]),
        calls_b: finish(second, ports[3]),
        party_a: finish(party_a, ports[0]),
        party_b: finish(party_b, ports[1]),
    }
}

/// Everybody ends well.
fn assert_good(what: &str, run: &Run) {
    for (name, outcome) in [
        ("the first controller", &run.calls_a),
        ("the second controller", &run.calls_b),
        ("A", &run.party_a),
        ("B", &run.party_b),
    ] {
        assert_eq!(
            outcome.exit,
            Exit::Code(0),
            "{what}: {name}\n{}\n{}",
            outcome.stdout,
            outcome.stderr
        );
    }
    for party in [&run.party_a, &run.party_b] {
        let counters = party.counters.as_ref().expect("counters");
        assert_eq!(counters.value("SuccessfulCall"), CALLS, "{what}");
    }
}

/// What both parties have seen. The Call-ID of either leg is that of the first controller, and each may hear of the
/// other party's address.
fn views(run: &Run) -> [Conversation; 2] {
    let first = format!("-{}@", run.calls_a.pid);
    let renamed = |messages: &[Traced], other: &Outcome| -> Vec<Traced> {
        let other = format!(":{}", other.port);
        let rename = |traced: &Traced| {
            let text = String::from_utf8_lossy(&traced.bytes);
            let text = text.replace(&first, "-first@").replace(&other, ":<other>");
            Traced {
                bytes: text.into_bytes(),
                ..traced.clone()
            }
        };
        messages.iter().map(rename).collect()
    };
    let (a, b) = (&run.party_a, &run.party_b);
    [(&run.calls_a, a, b), (&run.calls_b, b, a)].map(|(controller, party, other)| {
        let identities = Identities {
            client_pid: controller.pid,
            server_pid: party.pid,
            client_port: controller.port,
            server_port: party.port,
        };
        conversation(&renamed(&party.messages, other), &identities)
    })
}

/// Runs every combination at the same time: they spend it in pauses.
fn compare(links: Links) {
    let sipp = Tool::sipp();
    let mut combinations = vec![(ours(), ours())];
    if let Some(sipp) = sipp {
        combinations.push((sipp.clone(), sipp.clone()));
        combinations.push((ours(), sipp.clone()));
        combinations.push((sipp, ours()));
    }
    let runs: Vec<(String, Run)> = std::thread::scope(|scope| {
        let threads: Vec<_> = combinations
            .iter()
            .map(|(first, second)| {
                scope.spawn(move || {
                    let what = format!("{links:?}, {} commands {}", first.name, second.name);
                    (what, run(links, first, second))
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the run of a combination"))
            .collect()
    });
    let mut expected: Option<[Conversation; 2]> = None;
    for (what, run) in &runs {
        assert_good(what, run);
        let seen = views(run);
        assert_eq!(seen[0].len() as u64, CALLS, "{what}");
        let expected = expected.get_or_insert_with(|| seen.clone());
        for (expected, seen) in expected.iter().zip(&seen) {
            assert_eq!(first_difference(expected, seen), None, "{what}");
        }
    }
}

#[test]
fn two_twins_of_either_tool_make_the_same_calls() {
    compare(Links::One);
}

#[test]
fn master_and_slave_of_either_tool_make_the_same_calls() {
    compare(Links::Named);
}

#[test]
fn names_on_the_command_bus_are_those_of_master_and_slave() {
    assert_good("the bus", &run(Links::Bus, &ours(), &ours()));
}

/// Starts ours and gives its exit code and what it says.
fn refused(flags: &[&str]) -> (Exit, String) {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let process = Running::start(&ours(), flags).expect("the process starts");
    let outcome = process
        .finish(Instant::now() + LIMIT, 0)
        .expect("an outcome");
    (outcome.exit, outcome.stderr)
}

#[test]
fn a_scenario_with_commands_does_not_run_without_its_twin() {
    let remote = "127.0.0.1:9";
    let master = example("master.xml");
    let folder = tempfile::tempdir().expect("a folder");
    let peers = folder.path().join("peers.cfg");
    std::fs::write(&peers, "m;127.0.0.1:9\n").expect("a file of peers");
    let peers = peers.to_str().expect("a path in UTF-8");
    for (flags, says) in [
        (
            &["-sn", "3pcc-C-A", remote][..],
            "has sendCmd or recvCmd and needs a twin: give -3pcc HOST:PORT",
        ),
        (&["-sn", "3pcc-C-A", "-loopback"], "-loopback has no twin"),
        (
            &["-sn", "3pcc-C-B", "-3pcc", "127.0.0.1:9"],
            "calls somebody: name the remote host",
        ),
        (
            &["-sf", &master, "-slave", "m", "-slave_cfg", peers, remote],
            "which makes it a master: use -master",
        ),
        (
            &["-sf", &master, "-master", "x", "-slave_cfg", peers, remote],
            "command peer map does not contain local instance \"x\"",
        ),
        (
            &["-sf", &master, "-master", "m", "-slave_cfg", peers, remote],
            "names the peer `s1`, which has no line in",
        ),
        (
            &[
                "-sn",
                "3pcc-C-A",
                "-master",
                "m",
                "-slave_cfg",
                peers,
                remote,
            ],
            "`sendCmd` needs `dest`, the name of a peer",
        ),
    ] {
        let (exit, stderr) = refused(flags);
        // SIPp looks for the remote host and for a twin late, and has a code of its own for that.
        let late = says.contains("remote host") || says.contains("needs a twin");
        let code = if late { 255 } else { 1 };
        assert_eq!(exit, Exit::Code(code), "{flags:?}: {stderr}");
        assert!(stderr.contains(says), "{flags:?}: {stderr}");
    }
}

#[test]
fn controller_a_must_find_its_twin() {
    let port = free_tcp_port(IP).expect("a free port");
    let twin = format!("127.0.0.1:{port}");
    let flags = ["-sn", "3pcc-C-A", "-p", "0", "-3pcc", &twin, "127.0.0.1:9"];
    let (exit, stderr) = refused(&flags);
    assert_eq!(exit, Exit::Code(255), "{stderr}");
    let says = format!("cannot connect to the twin at {twin}");
    assert!(
        stderr.contains(&says) && stderr.contains("start it first"),
        "{stderr}"
    );
}

/// Starts our controller B without a limit of calls, and connects to it as its twin.
fn as_twin_of_b() -> (Running, TcpStream) {
    let twin = free_tcp_port(IP).expect("a free port");
    let flags = [
        "-sn",
        "3pcc-C-B",
        "-3pcc",
        &format!("127.0.0.1:{twin}"),
        "-i",
        "127.0.0.1",
        "-p",
        "0",
        "127.0.0.1:9",
    ];
    let flags = flags.map(str::to_owned).to_vec();
    let mut process = Running::start(&ours(), flags).expect("the process starts");
    process.wait_for_listener(twin).expect("it listens");
    let stream = TcpStream::connect((IP, twin)).expect("it takes a connection");
    (process, stream)
}

#[test]
fn controller_b_ends_with_its_twin_and_the_calls_left_behind_fail() {
    let (process, mut stream) = as_twin_of_b();
    stream
        .write_all(b"Call-ID: x\r\nContent-Length: 0\r\n\r\n\x1b")
        .expect("written");
    drop(stream);
    let outcome = process
        .finish(Instant::now() + LIMIT, 0)
        .expect("an outcome");
    assert_eq!(outcome.exit, Exit::Code(1), "{}", outcome.stderr);
    let counters = outcome.counters.expect("counters");
    assert_eq!(counters.value("TotalCallCreated"), 1);
    assert_eq!(counters.value("FailedCall"), 1);
}

#[test]
fn a_twin_that_sends_a_command_without_end_is_cut_off() {
    let (process, mut stream) = as_twin_of_b();
    let endless = vec![b'x'; 1 << 16];
    // It ends with an error as soon as the other side closes the connection.
    while stream.write_all(&endless).is_ok() {}
    let outcome = process
        .finish(Instant::now() + LIMIT, 0)
        .expect("an outcome");
    assert_eq!(outcome.exit, Exit::Code(0), "{}", outcome.stderr);
}
