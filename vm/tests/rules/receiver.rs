// SPDX-License-Identifier: AGPL-3.0-only
//! The scenario beside a client's that takes calls which come in.

use crate::stage::{Stage, from_peer, log, reply, request, response, scenario, send};
use gossipper_testkit::pair;
use gossipper_vm::{BesideKind, CallControl, CallEnd, InjectionFile, RunParams, StatEvent};
use std::sync::Arc;

/// A client that waits for an answer, beside a scenario that takes a MESSAGE and a BYE.
fn stage(adjust: impl FnOnce(&mut RunParams)) -> Stage {
    let client = [send("INVITE", ""), response(200, ""), send("ACK", "")];
    let receiver = scenario(&[
        request("MESSAGE", ""),
        reply(202, ""),
        log("[call_number] [call_id]"),
        request("BYE", ""),
        reply(200, ""),
    ]);
    Stage::client_with(&client, adjust).with_beside(&receiver, BesideKind::Receiver)
}

/// A response of nobody's call.
fn stray() -> String {
    let request = from_peer("INFO", "stray", 1);
    let first = request.lines().next().unwrap_or_default().to_owned();
    request.replacen(&first, "SIP/2.0 200 OK", 1)
}

#[test]
fn calls_of_both_scenarios_share_the_numbers_and_nothing_is_warned_of() {
    let mut stage = stage(|_| {});
    stage.spawn();
    stage.deliver(&from_peer("MESSAGE", "a", 5));
    stage.spawn();
    stage.deliver(&from_peer("MESSAGE", "b", 5));
    assert_eq!(stage.take().len(), 4);
    assert_eq!(stage.lines, ["2 a", "4 b"]);
    assert!(stage.sent[2].text.contains("3-"), "{}", stage.sent[2].text);
    assert_eq!((stage.tally.created, stage.beside.created), (2, 2));
    assert_eq!(stage.warnings, [""; 0]);
    assert_eq!(stage.tally.auto_answered, 0);
    stage.deliver(&from_peer("BYE", "a", 6));
    assert_eq!(stage.take(), ["200 BYE 6"]);
    assert_eq!((stage.beside.succeeded, stage.engine.open_beside()), (1, 1));
    assert_eq!(stage.ends, [CallEnd::Success]);
}

#[test]
fn a_stray_response_begins_a_call_as_with_any_server_and_fails_it() {
    let mut stage = stage(|_| {});
    stage.deliver(&stray());
    assert_eq!((stage.beside.created, stage.beside.ended()), (1, 1));
    assert!(!stage.events.contains(&StatEvent::OutOfCall));
}

#[test]
fn calls_are_taken_while_the_client_drains() {
    let mut stage = stage(|_| {});
    stage.control(CallControl::Drain);
    stage.deliver(&from_peer("MESSAGE", "a", 1));
    assert_eq!(stage.take(), ["202 MESSAGE 1"]);
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.engine.open_beside(), 0);
}

#[test]
fn calls_of_both_take_lines_of_the_same_files_by_turns() {
    let file = InjectionFile::parse("a.csv", b"SEQUENTIAL\none\ntwo\nthree\n".to_vec());
    let file = Arc::new(file.expect("a file"));
    let client = [log("main [field0]"), send("INVITE", ""), response(200, "")];
    let receiver = scenario(&[request("INFO", ""), log("rx [field0]"), reply(200, "")]);
    let program = pair::program_with_files("test", &scenario(&client), &["a.csv"]);
    let adjust = |params: &mut RunParams| params.injection = vec![file];
    let mut stage = Stage::of(program, pair::client_params(), adjust)
        .with_beside(&receiver, BesideKind::Receiver);
    stage.spawn();
    stage.deliver(&from_peer("INFO", "a", 1));
    stage.spawn();
    stage.deliver(&from_peer("INFO", "b", 1));
    assert_eq!(stage.lines, ["main one", "rx two", "main three", "rx one"]);
}

#[test]
fn global_variables_of_one_name_are_one_and_others_stay_apart() {
    let assign = |name: &str, value: &str| {
        format!("<nop><action><assignstr assign_to=\"{name}\" value=\"{value}\"/></action></nop>")
    };
    let client = [
        "<Global variables=\"own,both\"/>".to_owned(),
        assign("own", "mine"),
        log("main [$own] [$both]"),
        send("INVITE", ""),
        response(200, ""),
    ];
    // In another order, so that slots do not fit by chance.
    let receiver = scenario(&[
        "<Global variables=\"both,other\"/>".to_owned(),
        request("INFO", ""),
        log("rx [$both] [$other]"),
        assign("both", "called"),
        assign("other", "theirs"),
        log("rx [$both] [$other]"),
        reply(200, ""),
    ]);
    let mut stage = Stage::client_with(&client, |params| {
        params.globals = vec![("both".into(), b"begin".to_vec())];
    });
    let params = stage.engine.image().params().clone();
    assert_eq!(params.globals.len(), 1);
    stage = stage.with_beside(&receiver, BesideKind::Receiver);
    stage.spawn();
    stage.deliver(&from_peer("INFO", "a", 1));
    stage.spawn();
    assert_eq!(
        stage.lines,
        [
            "main mine begin",
            "rx begin ",
            "rx called theirs",
            "main mine called"
        ]
    );
}
