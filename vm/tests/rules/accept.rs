// SPDX-License-Identifier: AGPL-3.0-only
//! Dialogs that the peer begins: who listens, who gets the request, when a dialog is over, who is busy.

use crate::stage::{
    Stage, answer_to, from_peer, header, log, reply, request, response, send, summary,
};
use gossipper_bytecode::FailReason;
use gossipper_vm::{CallControl, CallEnd, StatEvent};

const IN: &str = "dialog=\"in\"";

/// A request for a user, outside any dialog.
fn ring(user: &str, method: &str, call: &str) -> String {
    from_peer(method, call, 1).replacen(
        "sip:alice@192.0.2.1",
        &format!("sip:{user}@192.0.2.1;x=y"),
        1,
    )
}

/// A request inside the dialog that a response of ours has answered.
fn within(answer: &str, method: &str, cseq: u32) -> String {
    let call = header(answer, "Call-ID").expect("a Call-ID");
    let to = header(answer, "To").expect("To");
    from_peer(method, call, cseq).replacen("To: <sip:alice@192.0.2.1>", &format!("To: {to}"), 1)
}

/// Registers, waits for calls for `phoneN`, N the number of the call, answers them, waits for BYE, and so on.
fn phone() -> Vec<String> {
    vec![
        "<label id=\"register\"/>".to_owned(),
        send("REGISTER", ""),
        response(200, ""),
        "<label id=\"wait\"/>".to_owned(),
        request(
            "INVITE",
            "dialog=\"in\" accept=\"phone[call_number]\" timeout=\"60000\" ontimeout=\"register\"",
        ),
        reply(200, IN),
        request("ACK", IN),
        request("BYE", IN),
        "<send dialog=\"in\" next=\"wait\"><![CDATA[
        SIP/2.0 200 OK
        [last_Via:]
        [last_From:]
        [last_To:]
        [last_Call-ID:]
        [last_CSeq:]
        Content-Length: 0

        ]]></send>"
            .to_owned(),
    ]
}

fn registered(count: usize) -> Stage {
    let mut stage = Stage::client(&phone());
    for _ in 0..count {
        stage.spawn();
        stage.respond(200, "REGISTER");
    }
    stage.take();
    stage
}

fn count(stage: &Stage, wanted: StatEvent) -> usize {
    stage
        .events
        .iter()
        .filter(|event| **event == wanted)
        .count()
}

#[test]
fn a_phone_registers_waits_answers_and_waits_again() {
    let mut stage = registered(1);
    for call in ["one", "two"] {
        stage.deliver(&ring("phone1", "INVITE", call));
        assert_eq!(stage.take(), ["200 INVITE 1"]);
        let answer = stage.last().to_owned();
        assert_eq!(header(&answer, "Call-ID"), Some(call));
        stage.deliver(&within(&answer, "ACK", 1));
        stage.deliver(&within(&answer, "BYE", 2));
        assert_eq!(stage.take(), ["200 BYE 2"]);
    }
    stage.assert_open();
    // It refreshes its registration in the dialog that it registered in.
    let first = header(stage.sent[0].text.as_str(), "Call-ID")
        .expect("a Call-ID")
        .to_owned();
    stage.advance(60_000);
    assert_eq!(stage.take(), ["REGISTER 2"]);
    assert_eq!(header(stage.last(), "Call-ID"), Some(&first[..]));
    assert_eq!(stage.tally.created, 1);
}

#[test]
fn each_request_goes_to_the_phone_of_its_user() {
    let mut stage = registered(3);
    for (user, call) in [("phone3", "c"), ("phone1", "a"), ("phone2", "b")] {
        stage.deliver(&ring(user, "INVITE", call));
        let to = header(stage.last(), "To").expect("To");
        assert!(to.ends_with(&format!(";tag=b{}", &user[5..])), "{to}");
    }
    stage.deliver(&ring("phone4", "INVITE", "d"));
    stage.deliver(&ring("phone1", "OPTIONS", "e"));
    assert_eq!(count(&stage, StatEvent::OutOfCall), 2);
    assert_eq!((stage.open(), stage.tally.created), (3, 3));
}

#[test]
fn a_request_with_a_tag_in_to_begins_nothing() {
    let mut stage = registered(1);
    let text = ring("phone1", "INVITE", "x").replacen(
        "To: <sip:alice@192.0.2.1>",
        "To: <sip:a@b>;tag=1",
        1,
    );
    stage.deliver(&text);
    assert!(stage.take().is_empty());
    assert_eq!(count(&stage, StatEvent::OutOfCall), 1);
}

#[test]
fn who_rings_while_the_call_is_elsewhere_is_kept_until_it_comes_back() {
    let mut stage = registered(1);
    stage.advance(60_000);
    assert_eq!(stage.take(), ["REGISTER 2"]);
    let invite = ring("phone1", "INVITE", "x");
    stage.deliver(&invite);
    stage.deliver(&invite);
    assert!(stage.take().is_empty());
    stage.respond(200, "REGISTER");
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    stage.deliver(&invite);
    assert_eq!(
        stage.take(),
        ["200 INVITE 1"],
        "a repetition of what was answered"
    );
}

#[test]
fn a_call_that_has_never_waited_there_does_not_listen() {
    let mut stage = Stage::client(&phone());
    stage.spawn();
    stage.deliver(&ring("phone1", "INVITE", "x"));
    assert_eq!(count(&stage, StatEvent::OutOfCall), 1);
    stage.respond(200, "REGISTER");
    assert_eq!(stage.take(), ["REGISTER 1"]);
}

#[test]
fn a_busy_phone_refuses_and_its_dialog_goes_on() {
    let mut stage = registered(1);
    stage.deliver(&ring("phone1", "INVITE", "one"));
    let answer = stage.last().to_owned();
    stage.take();
    let second = ring("phone1", "INVITE", "two");
    stage.deliver(&second);
    stage.deliver(&second);
    assert_eq!(stage.take(), ["486 INVITE 1", "486 INVITE 1"]);
    let tags: Vec<_> = stage.sent[2..]
        .iter()
        .map(|s| header(&s.text, "To").expect("To"))
        .collect();
    assert_eq!(tags[0], tags[1]);
    assert!(tags[0].contains(";tag="));
    stage.deliver(&ring("phone1", "ACK", "two"));
    assert!(stage.take().is_empty());
    stage.deliver(&within(&answer, "ACK", 1));
    stage.deliver(&within(&answer, "BYE", 2));
    assert_eq!(stage.take(), ["200 BYE 2"]);
    stage.deliver(&ring("phone1", "INVITE", "three"));
    assert_eq!(stage.take(), ["200 INVITE 1"]);
}

#[test]
fn among_equals_the_one_that_has_waited_longest_gets_it() {
    let mut steps = phone();
    steps[4] = request("INVITE", "dialog=\"in\" accept=\"\"");
    let mut stage = Stage::client(&steps);
    for _ in 0..3 {
        stage.spawn();
        stage.respond(200, "REGISTER");
    }
    let mut tags = Vec::new();
    for call in ["a", "b", "c", "d"] {
        stage.deliver(&ring("anybody", "INVITE", call));
        let answer = stage.last().to_owned();
        tags.push(
            header(&answer, "To")
                .expect("To")
                .chars()
                .last()
                .expect("a digit"),
        );
        if call == "a" {
            stage.deliver(&within(&answer, "ACK", 1));
            stage.deliver(&within(&answer, "BYE", 2));
        }
    }
    // The first one has rung off, and waits behind the others now.
    assert_eq!(tags, ['1', '2', '3', '1']);
}

#[test]
fn a_dialog_that_is_over_answers_repetitions_and_nothing_else() {
    let mut stage = registered(1);
    stage.deliver(&ring("phone1", "INVITE", "one"));
    let answer = stage.last().to_owned();
    stage.deliver(&within(&answer, "ACK", 1));
    let bye = within(&answer, "BYE", 2);
    stage.deliver(&bye);
    stage.take();
    stage.deliver(&bye);
    assert_eq!(stage.take(), ["200 BYE 2"]);
    stage.deliver(&within(&answer, "INFO", 3));
    assert!(stage.take().is_empty());
    assert_eq!(count(&stage, StatEvent::DeadCall), 1);
    stage.assert_open();
    // Another one takes its place, and then its Call-ID is that of a dead call.
    stage.deliver(&ring("phone1", "INVITE", "two"));
    stage.deliver(&bye);
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    assert_eq!(count(&stage, StatEvent::DeadCall), 2);
}

#[test]
fn a_called_phone_that_is_given_up_sends_bye_in_its_own_direction() {
    let mut stage = registered(1);
    stage.deliver(&ring("phone1", "INVITE", "one"));
    let answer = stage.last().to_owned();
    stage.deliver(&within(&answer, "ACK", 1));
    stage.take();
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.take(), ["BYE 2"]);
    let bye = stage.last();
    assert!(
        bye.starts_with("BYE sip:bob@192.0.2.2:5060 SIP/2.0"),
        "{bye}"
    );
    assert_eq!(header(bye, "From"), header(&answer, "To"));
    assert_eq!(header(bye, "To"), Some("<sip:bob@192.0.2.2>;tag=peer"));
    assert_eq!(header(bye, "Call-ID"), Some("one"));
    assert_eq!(stage.end(), Some(CallEnd::Failure(FailReason::Aborted)));
    stage.deliver(&ring("phone1", "INVITE", "two"));
    assert!(stage.take().is_empty(), "who is gone does not listen");
}

#[test]
fn a_call_that_nobody_came_to_is_left_over() {
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        request(
            "INVITE",
            "dialog=\"in\" accept=\"\" timeout=\"1000\" ontimeout=\"off\"",
        ),
        "<label id=\"off\"/>".to_owned(),
        send("REGISTER", ""),
        response(200, ""),
    ]);
    stage.spawn();
    stage.advance(1000);
    stage.deliver(&ring("x", "INVITE", "late"));
    stage.respond(200, "REGISTER");
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_server_may_have_dialogs_of_both_kinds() {
    let steps = [
        request("INVITE", ""),
        send("INVITE", "dialog=\"out\""),
        response(200, "dialog=\"out\""),
        log("[last_Call-ID:] [last_Call-ID: dialog=out]"),
        reply(200, ""),
        request("ACK", ""),
        request("BYE", ""),
        reply(200, ""),
        send("BYE", "dialog=\"out\""),
        response(200, "dialog=\"out\""),
    ];
    let mut stage = Stage::server_with(&steps, |params| {
        params.destination = "192.0.2.3:5060".parse().ok();
    });
    stage.deliver(&from_peer("INVITE", "in", 1));
    assert_eq!(stage.take(), ["INVITE 1"]);
    let out = stage.sent[0].text.clone();
    assert_eq!(
        stage.sent[0].to,
        "192.0.2.3:5060".parse().expect("an address")
    );
    stage.deliver(&answer_to(&out, 200, ""));
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    assert_eq!(
        stage.sent[1].to,
        "192.0.2.2:5060".parse().expect("an address")
    );
    let id = header(&out, "Call-ID").expect("a Call-ID");
    assert_eq!(stage.lines, [format!("Call-ID: in Call-ID: {id}")]);
    let answer = stage.last().to_owned();
    stage.deliver(&within(&answer, "ACK", 1));
    stage.deliver(&within(&answer, "BYE", 2));
    assert_eq!(stage.take(), ["200 BYE 2", "BYE 2"]);
    stage.respond(200, "BYE");
    stage.assert_success();
    assert_eq!(summary(&out), "INVITE 1");
}

#[test]
fn an_unexpected_bye_in_one_dialog_ends_the_others() {
    let mut stage = Stage::server_with(
        &[
            request("INVITE", ""),
            send("INVITE", "dialog=\"out\""),
            response(200, "dialog=\"out\""),
            send("ACK", "dialog=\"out\""),
            reply(200, ""),
            request("ACK", ""),
            request("INFO", ""),
        ],
        |params| params.destination = "192.0.2.3:5060".parse().ok(),
    );
    stage.deliver(&from_peer("INVITE", "in", 1));
    stage.respond(200, "INVITE");
    let answer = stage.last().to_owned();
    stage.deliver(&within(&answer, "ACK", 1));
    stage.take();
    stage.deliver(&within(&answer, "BYE", 2));
    assert_eq!(stage.take(), ["200 BYE 2", "BYE 2"]);
    assert!(
        header(stage.last(), "Call-ID")
            .expect("a Call-ID")
            .starts_with("out-1-")
    );
    stage.assert_failure(FailReason::UnexpectedMessage);
    // The caller whose call is given up is not left with an open dialog either.
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        request("INFO", "dialog=\"out\" optional=\"true\""),
        request("BYE", ""),
        send("OPTIONS", "dialog=\"out\""),
    ]);
    stage.deliver(&from_peer("INVITE", "in", 1));
    let answer = stage.last().to_owned();
    stage.deliver(&within(&answer, "ACK", 1));
    stage.take();
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.take(), ["BYE 2"]);
    assert_eq!(header(stage.last(), "From"), header(&answer, "To"));
}

#[test]
fn many_phones_on_one_socket_are_each_found() {
    const PHONES: usize = 20_000;
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        request("INVITE", "dialog=\"in\" accept=\"phone[call_number]\""),
        reply(486, IN),
    ]);
    for _ in 0..PHONES {
        stage.spawn();
    }
    stage.take();
    for number in (1..=PHONES).rev().step_by(997) {
        stage.deliver(&ring(
            &format!("phone{number}"),
            "INVITE",
            &format!("c{number}"),
        ));
        let to = header(stage.last(), "To").expect("To");
        assert!(to.ends_with(&format!(";tag=b{number}")), "{to}");
    }
}
