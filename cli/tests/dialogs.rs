// SPDX-License-Identifier: AGPL-3.0-only
//! Scenarios with several dialogs (`testdata/scenarios/dialogs`) through the real binary, on loopback: against scenarios of
//! our own and against real SIPp, which knows one dialog at a time and so has to be content with each of ours.
//!
//! The tests with SIPp are skipped, loudly, where there is none on `PATH`.

use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_udp_port};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Longest that any of these runs may take.
const LIMIT: Duration = Duration::from_secs(30);

fn ours() -> Tool {
    Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"))
}

fn port() -> u16 {
    free_udp_port(HOST).expect("a free port")
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/scenarios/dialogs");
    folder.join(name).display().to_string()
}

/// A tool at a port; `line` holds what else it is told, separated by blanks.
fn start(tool: &Tool, port: u16, line: &str) -> Running {
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    arguments.extend([
        "-i".to_owned(),
        HOST.to_string(),
        "-p".to_owned(),
        port.to_string(),
    ]);
    if tool.name == "sipp" {
        arguments.push("-nostdin".to_owned());
    }
    Running::start(tool, arguments).expect("the tool starts")
}

/// The same, and it has opened its port.
fn serve(tool: &Tool, port: u16, line: &str) -> Running {
    let mut running = start(tool, port, line);
    running
        .wait_for_port(SocketAddr::new(HOST, port))
        .expect("it listens");
    running
}

#[track_caller]
fn succeeds(name: &str, running: Running, port: u16) -> Outcome {
    let outcome = running
        .finish(Instant::now() + LIMIT, port)
        .expect("it ends");
    let text = format!(
        "{name}: {}\n{}\n{}\n{}",
        outcome.exit, outcome.stdout, outcome.stderr, outcome.errors
    );
    assert_eq!(outcome.exit, Exit::Code(0), "{text}");
    outcome
}

#[track_caller]
fn shows(outcome: &Outcome, what: &str) {
    // Under SIPp's name the summary is beside SIPp's last screens.
    let text = format!("{}\n{}", outcome.stdout, outcome.stderr);
    assert!(text.contains(what), "no `{what}` in\n{text}");
}

#[test]
fn one_file_plays_a_phone_that_registers_and_is_called_on_the_same_socket() {
    let (registrar, phone) = (port(), port());
    let line = format!("-sf {} -set calling yes -m 3", file("registrar.xml"));
    let server = serve(&ours(), registrar, &line);
    let line = format!(
        "-sf {} -inf {} -set rounds 1 -m 3 -l 3 -r 100 -recv_timeout 300 {HOST}:{registrar}",
        file("phone.xml"),
        file("phone.csv")
    );
    let phone = succeeds("phone", start(&ours(), phone, &line), phone);
    // Three REGISTERs, two answers to INVITE and a BYE each.
    shows(&phone, "3 succeeded");
    shows(&phone, "18 sent");
    let registrar = succeeds("registrar", server, registrar);
    shows(&registrar, "3 succeeded");
}

#[test]
fn sipp_calls_phones_that_share_a_socket() {
    let Some(sipp) = Tool::sipp() else {
        return;
    };
    let (registrar, phone) = (port(), port());
    let server = serve(
        &ours(),
        registrar,
        &format!("-sf {} -m 3", file("registrar.xml")),
    );
    let line = format!(
        "-sf {} -inf {} -set rounds 2 -m 3 -l 3 -r 1000 {HOST}:{registrar}",
        file("phone.xml"),
        file("phone.csv")
    );
    let phones = serve(&ours(), phone, &line);
    let callers: Vec<_> = ["phone2", "phone3", "phone1"]
        .into_iter()
        .map(|user| {
            let own = port();
            // A caller that comes before its phone has registered rings again.
            let line = format!("-sn uac -s {user} -m 2 -l 1 -r 10 -d 50 {HOST}:{phone}");
            (user, start(&sipp, own, &line), own)
        })
        .collect();
    for (user, caller, own) in callers {
        succeeds(user, caller, own);
    }
    shows(&succeeds("phones", phones, phone), "3 succeeded");
    shows(&succeeds("registrar", server, registrar), "3 succeeded");
}

#[test]
fn a_b2bua_stands_between_two_sipps() {
    let Some(sipp) = Tool::sipp() else {
        return;
    };
    let (callee, middle, caller) = (port(), port(), port());
    let uas = serve(&sipp, callee, "-sn uas -m 3");
    let line = format!("-sf {} -m 3 {HOST}:{callee}", file("b2bua.xml"));
    let b2bua = serve(&ours(), middle, &line);
    let line = format!("-sn uac -m 3 -l 3 -r 20 -d 50 {HOST}:{middle}");
    succeeds("caller", start(&sipp, caller, &line), caller);
    shows(&succeeds("b2bua", b2bua, middle), "3 succeeded");
    succeeds("callee", uas, callee);
}

#[test]
fn a_phone_transfers_one_dialog_into_the_other() {
    let (peers, phone) = (port(), port());
    let server = serve(
        &ours(),
        peers,
        &format!("-sf {} -m 2", file("transfer_peer.xml")),
    );
    let line = format!("-sf {} -m 1 {HOST}:{peers}", file("transfer.xml"));
    shows(
        &succeeds("phone", start(&ours(), phone, &line), phone),
        "1 succeeded",
    );
    shows(&succeeds("peers", server, peers), "2 succeeded");
}
