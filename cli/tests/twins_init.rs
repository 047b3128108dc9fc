// SPDX-License-Identifier: AGPL-3.0-only
//! Two of our processes on loopback whose init sections exchange commands before their calls begin.

use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_tcp_port};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const LIMIT: Duration = Duration::from_secs(40);

fn start(name: &str, twin: u16, more: &[&str]) -> Running {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let workspace = workspace.expect("cli lies in the workspace");
    let path = workspace.join("testdata/scenarios/3pcc").join(name);
    let path = path.to_str().expect("a path in UTF-8");
    let twin = format!("{IP}:{twin}");
    let common = ["-sf", path, "-3pcc", &twin, "-i", "127.0.0.1", "-p", "0"];
    let arguments = common.iter().chain(more).map(|word| (*word).to_owned());
    let tool = Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"));
    Running::start(&tool, arguments.collect()).expect("the process starts")
}

fn finish(process: Running) -> Outcome {
    process
        .finish(Instant::now() + LIMIT, 0)
        .expect("an outcome")
}

#[test]
fn calls_begin_when_both_init_sections_have_agreed() {
    let twin = free_tcp_port(IP).expect("a free port");
    let mut second = start("init_b.xml", twin, &["-m", "5"]);
    second.wait_for_listener(twin).expect("it listens");
    let first = start("init_a.xml", twin, &["-s", "alpha", "-m", "5", "-r", "50"]);
    for (name, outcome) in [("A", finish(first)), ("B", finish(second))] {
        let shown = format!("{name}\n{}\n{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.exit, Exit::Code(0), "{shown}");
        let counters = outcome.counters.expect("counters");
        assert_eq!(counters.value("SuccessfulCall"), 5, "{shown}");
        assert_eq!(counters.value("TotalCallCreated"), 5, "{shown}");
    }
}

#[test]
fn a_section_whose_command_does_not_come_ends_the_run() {
    let twin = free_tcp_port(IP).expect("a free port");
    let mut second = start("init_b.xml", twin, &["-recv_timeout", "200"]);
    second.wait_for_listener(twin).expect("it listens");
    // It connects, and says nothing.
    let stream = std::net::TcpStream::connect((IP, twin)).expect("it takes a connection");
    let outcome = finish(second);
    drop(stream);
    assert_eq!(outcome.exit, Exit::Code(255), "{}", outcome.stderr);
    let says = "<init>: no command came in time for a recvCmd";
    assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
}
