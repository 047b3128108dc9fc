// SPDX-License-Identifier: AGPL-3.0-only
//! Where a call sends to, and on which circuit: `setdest`, `closecon`, `-tdmmap`.

use crate::stage::{Stage, from_peer, log, nop, reply, request, response, scenario, send};
use gossipper_bytecode::FailReason;
use gossipper_testkit::pair;
use gossipper_vm::circuits::CircuitMap;
use gossipper_vm::{CallEnd, Image, LinkError, RunParams};

fn setdest(host: &str, port: &str, protocol: &str) -> String {
    nop(
        "",
        &format!("<setdest host=\"{host}\" port=\"{port}\" protocol=\"{protocol}\"/>"),
    )
}

fn moved(host: &str, port: &str, protocol: &str) -> Stage {
    let parts = [
        send("OPTIONS", ""),
        setdest(host, port, protocol),
        send("INFO", ""),
        response(200, ""),
        send("OPTIONS", ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| {
        params.hosts = vec![(
            b"known.example".to_vec(),
            "192.0.2.99".parse().expect("an IP"),
        )];
    });
    stage.spawn();
    stage
}

fn destinations(stage: &Stage) -> Vec<String> {
    stage.sent.iter().map(|sent| sent.to.to_string()).collect()
}

#[test]
fn setdest_moves_the_call_and_leaves_keywords_as_they_are() {
    let mut stage = moved("192.0.2.7", "5070", "udp");
    stage.respond(200, "INFO");
    assert_eq!(
        destinations(&stage),
        ["192.0.2.2:5060", "192.0.2.7:5070", "192.0.2.7:5070"],
        "the answer came from elsewhere and moved nothing"
    );
    assert!(
        stage.last().starts_with("OPTIONS sip:bob@192.0.2.2 "),
        "{}",
        stage.last()
    );
    stage.assert_success();
}

#[test]
fn host_port_and_protocol_are_texts_with_keywords() {
    let parts = [
        nop("", "<assign assign_to=\"port\" value=\"5071\"/>"),
        nop("", "<assignstr assign_to=\"host\" value=\"192.0.2.8\"/>"),
        setdest("[$host]", "[$port]", "[transport]"),
        send("OPTIONS", ""),
    ];
    let mut stage = Stage::client(&parts);
    stage.spawn();
    assert_eq!(destinations(&stage), ["192.0.2.8:5071"]);
}

#[test]
fn names_are_those_that_were_looked_up_before_the_run() {
    assert_eq!(
        destinations(&moved("known.example", "5070", "UDP"))[1],
        "192.0.2.99:5070"
    );
    let stage = moved("other.example", "5070", "UDP");
    stage.assert_failure(FailReason::ScenarioFault);
    assert_eq!((stage.sent.len(), stage.fatal.as_deref()), (1, None));
    assert!(
        stage.warnings[0].contains("`other.example` is neither an address nor a name"),
        "{:?}",
        stage.warnings
    );
}

#[test]
fn the_names_to_look_up_are_those_known_without_a_call() {
    let parts = [
        setdest("one.example", "1", "udp"),
        setdest("[remote_host]", "1", "udp"),
        setdest("one.example", "2", "udp"),
        setdest("192.0.2.1", "1", "udp"),
        setdest("[remote_ip]", "1", "udp"),
        setdest("[call_number].example", "1", "udp"),
        send("OPTIONS", ""),
    ];
    let program = pair::program("test", &scenario(&parts));
    let params = RunParams {
        remote_host: b"peer.example".to_vec(),
        ..pair::client_params()
    };
    assert_eq!(
        gossipper_vm::link::host_names(&program, &params),
        [b"one.example".to_vec(), b"peer.example".to_vec()]
    );
}

#[test]
fn what_setdest_cannot_do_ends_the_run() {
    for (host, port, protocol, fault) in [
        (
            "192.0.2.7",
            "5070",
            "tcp",
            "setdest: the protocol cannot change from UDP to TCP",
        ),
        (
            "192.0.2.7",
            "5070",
            "TLS",
            "setdest: the protocol cannot change from UDP to TLS",
        ),
        (
            "192.0.2.7",
            "5070",
            "Udp",
            "setdest: unknown protocol `Udp`",
        ),
        ("192.0.2.7", "x", "udp", "setdest: `x` is no port"),
        ("192.0.2.7", "0", "udp", "setdest: `0` is no port"),
        ("192.0.2.7", "65536", "udp", "setdest: `65536` is no port"),
    ] {
        let stage = moved(host, port, protocol);
        assert_eq!(stage.fatal.as_deref(), Some(fault));
        assert_eq!(stage.sent.len(), 1, "{fault}");
    }
}

#[test]
fn closecon_leaves_the_socket_that_all_calls_share() {
    let close = nop("", "<closecon/>");
    let mut stage = Stage::client(&[send("OPTIONS", ""), close, send("INFO", "")]);
    stage.spawn();
    assert_eq!(destinations(&stage), ["192.0.2.2:5060", "192.0.2.2:5060"]);
    stage.assert_success();
}

#[test]
fn each_call_has_a_circuit_and_gives_it_back() {
    let parts = [log("[tdmmap]"), send("OPTIONS", ""), response(200, "")];
    let mut stage = Stage::client_with(&parts, |params| {
        params.circuits = Some(CircuitMap::parse("{0-0}{9}{5-5}{1-2}").expect("a map"));
    });
    for _ in 0..3 {
        stage.spawn();
    }
    let mut names = stage.lines.clone();
    names.sort();
    assert_eq!(names, ["0.9.5/1", "0.9.5/2"], "the third one got none");
    assert_eq!(
        stage.ends,
        [CallEnd::Failure(FailReason::OutboundCongestion)]
    );
    assert_eq!((stage.open(), stage.sent.len()), (2, 2));
    assert_eq!(stage.warnings, ["no free circuit for a new call"]);
    let first = stage.lines[0].clone();
    let request = stage.sent[0].text.clone();
    stage.deliver(&crate::stage::answer_to(&request, 200, ""));
    stage.spawn();
    assert_eq!(stage.lines[2], first);
}

#[test]
fn calls_of_a_server_take_circuits_too() {
    let parts = [request("OPTIONS", ""), log("[tdmmap]"), reply(200, "")];
    let mut stage = Stage::server_with(&parts, |params| {
        params.circuits = Some(CircuitMap::parse("{3-3}{0}{4-4}{5-5}").expect("a map"));
    });
    for call in ["one", "two"] {
        stage.deliver(&from_peer("OPTIONS", call, 1));
    }
    assert_eq!(stage.lines, ["3.0.4/5", "3.0.4/5"]);
}

#[test]
fn a_scenario_that_prints_circuits_needs_some() {
    let program = pair::program("test", &scenario(&[log("[tdmmap]"), send("OPTIONS", "")]));
    let linked = Image::link(program, pair::client_params());
    assert_eq!(linked.err(), Some(LinkError::NoCircuits));
}
