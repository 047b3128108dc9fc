// SPDX-License-Identifier: AGPL-3.0-only
//! Messages that no step takes, and how a call is given up.

use crate::stage::{Stage, from_peer, header, log, reply, request, response, send};
use gossipper_bytecode::FailReason;
use gossipper_vm::{Behaviors, CallControl, RunParams};

/// The Call-ID of the first call of a client.
const CALL: &str = "1-1@192.0.2.1";

fn call() -> [String; 6] {
    [
        send("INVITE", ""),
        response(180, "optional='true'"),
        response(200, ""),
        send("ACK", ""),
        send("BYE", ""),
        response(200, ""),
    ]
}

fn client(adjust: impl FnOnce(&mut RunParams)) -> Stage {
    let mut stage = Stage::client_with(&call(), adjust);
    stage.spawn();
    stage.take();
    stage
}

fn without(change: impl FnOnce(&mut Behaviors)) -> impl FnOnce(&mut RunParams) {
    move |params| change(&mut params.behaviors)
}

// ---- what an abort sends

#[test]
fn a_final_response_is_acked() {
    let mut stage = client(|_| {});
    stage.respond(486, "INVITE");
    assert_eq!(stage.take(), ["ACK 1"]);
    stage.assert_failure(FailReason::UnexpectedMessage);
    assert_eq!(stage.tally.unexpected, 1);
    let invite = stage.last_request("INVITE");
    let ack = stage.last();
    assert_eq!(header(ack, "Via"), header(invite, "Via"));
    assert_eq!(header(ack, "From"), header(invite, "From"));
    assert_eq!(header(ack, "To"), Some("<sip:bob@192.0.2.2>;tag=peer"));
    assert!(
        ack.starts_with("ACK sip:bob@192.0.2.2 SIP/2.0\r\n"),
        "{ack}"
    );
}

#[test]
fn an_unanswered_invite_is_cancelled() {
    let mut stage = client(|_| {});
    stage.respond(180, "INVITE");
    stage.respond(183, "INVITE");
    assert_eq!(stage.take(), ["CANCEL 1"]);
    stage.assert_failure(FailReason::UnexpectedMessage);
    let invite = stage.last_request("INVITE");
    let cancel = stage.last();
    assert_eq!(header(cancel, "Via"), header(invite, "Via"));
}

#[test]
fn an_unexpected_200_is_cancelled_as_sipp_does() {
    // Only an accepted 200 makes an ACK pending.
    let mut stage = Stage::client(&[send("INVITE", ""), response(486, ""), send("ACK", "")]);
    stage.spawn();
    stage.take();
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["CANCEL 1"]);
}

#[test]
fn a_200_without_its_ack_is_acked_before_the_bye() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        "<pause milliseconds='1000'/>".to_owned(),
        send("ACK", ""),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.take();
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.take(), ["ACK 1", "BYE 2"]);
    stage.assert_failure(FailReason::Aborted);
}

#[test]
fn an_established_call_is_hung_up() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        "<pause milliseconds='1000'/>".to_owned(),
        send("BYE", ""),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.take();
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.take(), ["BYE 2"]);
    stage.advance(5000);
    assert_eq!(stage.take(), [""; 0], "it goes out once");
}

#[test]
fn an_invite_without_any_answer_is_left_alone() {
    let mut stage = client(|_| {});
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_failure(FailReason::Aborted);
}

#[test]
fn another_request_that_was_answered_gets_a_bye_and_an_unanswered_one_nothing() {
    let parts = [
        send("OPTIONS", ""),
        response(100, "optional='true'"),
        response(200, ""),
    ];
    let mut answered = Stage::client(&parts);
    answered.spawn();
    answered.respond(100, "OPTIONS");
    answered.take();
    answered.control(CallControl::AbortAll);
    assert_eq!(answered.take(), ["BYE 2"]);
    let mut silent = Stage::client(&parts);
    silent.spawn();
    silent.take();
    silent.control(CallControl::AbortAll);
    assert_eq!(silent.take(), [""; 0]);
}

#[test]
fn a_server_sends_nothing_when_it_aborts() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        request("BYE", ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer("ACK", "x", 1));
    stage.take();
    stage.deliver(&from_peer("INFO", "x", 2));
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn the_bye_of_an_abort_follows_the_stored_route_set() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, "rrs='true'"),
        send("ACK", ""),
        "<pause milliseconds='1000'/>".to_owned(),
    ]);
    stage.spawn();
    stage.respond_with(
        200,
        "INVITE",
        "Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n",
    );
    stage.control(CallControl::AbortAll);
    let bye = stage.last();
    assert!(
        bye.starts_with("BYE sip:bob@192.0.2.2:5060 SIP/2.0\r\n"),
        "{bye}"
    );
    assert_eq!(header(bye, "Route"), Some("<sip:p2;lr>, <sip:p1;lr>"));
}

#[test]
fn an_abort_after_a_request_of_the_peer_keeps_the_headers_of_the_dialog() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        request("INFO", ""),
        reply(200, ""),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.take();
    stage.deliver(&from_peer("MESSAGE", CALL, 9));
    assert_eq!(stage.take(), ["BYE 2"]);
    let bye = stage.last();
    assert_eq!(header(bye, "From"), Some("<sip:alice@192.0.2.1>;tag=a1"));
    assert_eq!(header(bye, "To"), Some("<sip:bob@192.0.2.2>;tag=peer"));
}

// ---- behaviours

#[test]
fn without_bye_a_call_is_dropped_silently_and_leaves_no_dead_call() {
    let mut stage = client(without(|behaviors| behaviors.bye = false));
    stage.respond(486, "INVITE");
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_failure(FailReason::UnexpectedMessage);
    stage.respond(486, "INVITE");
    assert_eq!((stage.tally.dead_call, stage.tally.out_of_call), (0, 1));
}

#[test]
fn without_abortunexp_an_unexpected_message_is_ignored() {
    let mut stage = client(without(|behaviors| behaviors.abort_unexpected = false));
    stage.respond(183, "INVITE");
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_open();
    assert_eq!(stage.tally.unexpected, 1);
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["ACK 1", "BYE 2"]);
}

#[test]
fn an_unexpected_message_is_named_in_a_warning() {
    let mut stage = client(|_| {});
    stage.respond(486, "INVITE");
    let warning = stage.warnings.last().expect("a warning");
    assert!(warning.contains(CALL), "{warning}");
    assert!(warning.contains("index 1"), "{warning}");
    assert!(warning.contains("SIP/2.0 486"), "{warning}");
}

#[test]
fn an_unexpected_bye_or_cancel_is_answered_and_ends_the_call_without_a_dead_call() {
    for method in ["BYE", "CANCEL"] {
        let mut stage = client(|_| {});
        stage.deliver(&from_peer(method, CALL, 5));
        assert_eq!(stage.take(), [format!("200 {method} 5")]);
        let answer = stage.last();
        assert_eq!(header(answer, "From"), Some("<sip:bob@192.0.2.2>;tag=peer"));
        assert_eq!(header(answer, "Call-ID"), Some(CALL));
        stage.assert_failure(FailReason::UnexpectedMessage);
        stage.deliver(&from_peer(method, CALL, 5));
        assert_eq!((stage.tally.dead_call, stage.tally.out_of_call), (0, 1));
    }
}

#[test]
fn an_unexpected_bye_follows_the_behaviours() {
    let mut silent = client(without(|behaviors| behaviors.bye = false));
    silent.deliver(&from_peer("BYE", CALL, 5));
    assert_eq!(silent.take(), [""; 0]);
    silent.assert_failure(FailReason::UnexpectedMessage);
    let mut ignoring = client(without(|behaviors| behaviors.abort_unexpected = false));
    ignoring.deliver(&from_peer("BYE", CALL, 5));
    assert_eq!(ignoring.take(), [""; 0]);
    ignoring.assert_open();
    assert_eq!(ignoring.tally.unexpected, 1);
}

#[test]
fn with_nd_nothing_is_sent_answered_or_aborted() {
    let mut stage = client(|params| params.behaviors = Behaviors::NONE);
    for method in ["BYE", "CANCEL", "PING", "MESSAGE"] {
        stage.deliver(&from_peer(method, CALL, 5));
    }
    stage.respond(486, "INVITE");
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_open();
}

#[test]
fn a_ping_is_answered_and_the_call_goes_on() {
    let mut stage = client(|_| {});
    stage.deliver(&from_peer("PING", CALL, 5));
    assert_eq!(stage.take(), ["200 PING 5"]);
    assert_eq!(stage.tally.auto_answered, 1);
    stage.assert_open();
    let mut mute = client(without(|behaviors| behaviors.ping_reply = false));
    mute.deliver(&from_peer("PING", CALL, 5));
    assert_eq!(mute.take(), [""; 0]);
    mute.assert_open();
}

#[test]
fn aa_answers_four_methods_within_a_call_and_leaves_it_as_it_was() {
    for method in ["INFO", "NOTIFY", "OPTIONS", "UPDATE"] {
        let mut stage = client(|params| params.auto_answer = true);
        stage.respond(180, "INVITE");
        stage.deliver(&from_peer(method, CALL, 5));
        assert_eq!(stage.take(), [format!("200 {method} 5")]);
        assert_eq!(stage.tally.auto_answered, 1);
        stage.respond(200, "INVITE");
        assert_eq!(stage.take(), ["ACK 1", "BYE 2"]);
    }
    let mut other = client(|params| params.auto_answer = true);
    other.deliver(&from_peer("MESSAGE", CALL, 5));
    other.assert_failure(FailReason::UnexpectedMessage);
    let mut off = client(|_| {});
    off.deliver(&from_peer("OPTIONS", CALL, 5));
    off.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn aa_does_not_answer_what_the_scenario_expects() {
    let parts = [send("INVITE", ""), request("INFO", ""), log("mine")];
    let mut stage = Stage::client_with(&parts, |params| params.auto_answer = true);
    stage.spawn();
    stage.take();
    stage.deliver(&from_peer("INFO", CALL, 5));
    assert_eq!(stage.take(), [""; 0]);
    assert_eq!(stage.lines, ["mine"]);
}

#[test]
fn aa_keeps_the_last_message() {
    let parts = [
        send("INVITE", ""),
        response(180, ""),
        response(200, ""),
        log("[last_CSeq:]"),
    ];
    let mut stage = Stage::client_with(&parts, |params| params.auto_answer = true);
    stage.spawn();
    stage.respond(180, "INVITE");
    stage.deliver(&from_peer("INFO", CALL, 77));
    stage.respond(200, "INVITE");
    assert_eq!(stage.lines, ["CSeq: 1 INVITE"]);
}

// ---- the ACK's CSeq

fn answerer(adjust: impl FnOnce(&mut RunParams)) -> Stage {
    let parts = [
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        request("BYE", ""),
    ];
    let mut stage = Stage::server_with(&parts, adjust);
    stage.deliver(&from_peer("INVITE", "x", 7));
    stage.take();
    stage
}

#[test]
fn an_ack_of_another_invite_drops_the_call_without_a_trace() {
    let mut stage = answerer(|_| {});
    stage.deliver(&from_peer("ACK", "x", 8));
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_failure(FailReason::AckCseqMismatch);
    assert_eq!(stage.tally.unexpected, 0);
    // No dead call is left: the next message opens a new one.
    stage.deliver(&from_peer("INVITE", "x", 9));
    assert_eq!(stage.tally.created, 2);
}

#[test]
fn the_ack_of_the_invite_passes_and_without_the_check_any_ack_does() {
    let mut stage = answerer(|_| {});
    stage.deliver(&from_peer("ACK", "x", 7));
    stage.assert_open();
    let mut stage = answerer(without(|behaviors| behaviors.cseq = false));
    stage.deliver(&from_peer("ACK", "x", 8));
    stage.assert_open();
}
