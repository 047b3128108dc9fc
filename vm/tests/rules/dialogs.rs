// SPDX-License-Identifier: AGPL-3.0-only
//! Several dialogs in one scenario: which message belongs to which, what is kept, how each begins and ends.

use crate::stage::{
    Stage, answer_to, from_peer, from_peer_with, header, log, nop, reply, request, response, send,
};
use gossipper_bytecode::FailReason;
use gossipper_vm::{CallControl, StatEvent};

const B: &str = "dialog=\"b\"";

fn call_id(text: &str) -> &str {
    header(text, "Call-ID").expect("a Call-ID")
}

/// The `at`-th message that was sent.
fn sent(stage: &Stage, at: usize) -> String {
    stage.sent[at].text.clone()
}

/// A response to the `at`-th message that was sent.
fn answer(stage: &mut Stage, at: usize, code: u16) {
    let text = answer_to(&sent(stage, at), code, "");
    stage.deliver(&text);
}

fn unexpected(stage: &Stage) -> usize {
    let events = stage.events.iter();
    events
        .filter(|event| matches!(event, StatEvent::Unexpected { .. }))
        .count()
}

fn dead(stage: &Stage) -> usize {
    let events = stage.events.iter();
    events
        .filter(|event| **event == StatEvent::DeadCall)
        .count()
}

#[test]
fn each_dialog_has_its_own_call_id_cseq_and_tag() {
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        send("OPTIONS", B),
        response(200, ""),
        response(200, B),
        send("REGISTER", ""),
        send("OPTIONS", B),
        send("OPTIONS", "dialog=\"c\""),
        log(
            "[call_id] [call_id dialog=b] [cseq dialog=b] [peer_tag_param dialog=b]|[peer_tag_param dialog=c]",
        ),
    ]);
    stage.spawn();
    assert_eq!(stage.take(), ["REGISTER 1", "OPTIONS 1"]);
    let (main, other) = (sent(&stage, 0), sent(&stage, 1));
    assert_eq!(call_id(&other), format!("b-1-{}", call_id(&main)));
    answer(&mut stage, 0, 200);
    answer(&mut stage, 1, 200);
    assert_eq!(stage.take(), ["REGISTER 2", "OPTIONS 2", "OPTIONS 1"]);
    assert_eq!(call_id(&sent(&stage, 3)), call_id(&other));
    assert!(call_id(&sent(&stage, 4)).starts_with("c-2-"));
    assert!(
        header(&sent(&stage, 3), "To")
            .expect("To")
            .ends_with(";tag=peer")
    );
    assert!(!header(&sent(&stage, 4), "To").expect("To").contains("tag"));
    let line = format!("{} {} 2 ;tag=peer|", call_id(&main), call_id(&other));
    assert_eq!(stage.lines, [line]);
    stage.assert_success();
}

#[test]
fn a_message_matches_steps_of_its_own_dialog_only_and_is_kept_until_one_waits() {
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        send("OPTIONS", B),
        response(200, ""),
        log("main"),
        response(200, B),
        log("b"),
    ]);
    stage.spawn();
    answer(&mut stage, 1, 200);
    assert!(stage.lines.is_empty(), "the 200 of b is not that of main");
    stage.assert_open();
    answer(&mut stage, 0, 200);
    assert_eq!(stage.lines, ["main", "b"]);
    stage.assert_success();
    assert_eq!(stage.tally.received[&2], 1);
}

#[test]
fn kept_messages_come_in_their_order() {
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        send("INVITE", B),
        response(200, ""),
        response(180, "dialog=\"b\" optional=\"true\""),
        response(200, B),
        log("[last_CSeq: dialog=b]"),
    ]);
    stage.spawn();
    answer(&mut stage, 1, 180);
    answer(&mut stage, 1, 200);
    answer(&mut stage, 0, 200);
    assert_eq!((stage.tally.received[&3], stage.tally.received[&4]), (1, 1));
    assert_eq!(stage.lines, ["CSeq: 1 INVITE"]);
    stage.assert_success();
}

#[test]
fn in_a_window_of_several_dialogs_the_first_to_come_matches() {
    let window = [
        send("REGISTER", ""),
        send("OPTIONS", B),
        response(200, "dialog=\"b\" optional=\"true\" next=\"b\""),
        response(200, "next=\"main\""),
        "<label id=\"b\"/>".to_owned(),
        log("b first"),
        response(200, "next=\"end\""),
        "<label id=\"main\"/>".to_owned(),
        log("main first"),
        response(200, B),
        "<label id=\"end\"/>".to_owned(),
        log("end"),
    ];
    for (order, line) in [([0, 1], "main first"), ([1, 0], "b first")] {
        let mut stage = Stage::client(&window);
        stage.spawn();
        for at in order {
            answer(&mut stage, at, 200);
        }
        assert_eq!(stage.lines, [line, "end"]);
        stage.assert_success();
    }
}

#[test]
fn a_repetition_of_a_kept_message_is_not_kept_twice() {
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        send("OPTIONS", B),
        response(200, ""),
        response(200, B),
        nop("", ""),
    ]);
    stage.spawn();
    answer(&mut stage, 1, 200);
    answer(&mut stage, 1, 200);
    answer(&mut stage, 0, 200);
    // A second one would have been left over.
    stage.assert_success();
    assert_eq!(stage.tally.received[&3], 1);
}

#[test]
fn a_repeated_request_that_was_answered_is_answered_again_wherever_the_call_waits() {
    let mut stage = Stage::client(&[
        send("OPTIONS", B),
        response(200, B),
        request("INFO", B),
        reply(200, B),
        send("REGISTER", ""),
        response(200, ""),
    ]);
    stage.spawn();
    answer(&mut stage, 0, 200);
    let id = call_id(&sent(&stage, 0)).to_owned();
    stage.deliver(&from_peer("INFO", &id, 7));
    assert_eq!(stage.take(), ["OPTIONS 1", "200 INFO 7", "REGISTER 1"]);
    stage.deliver(&from_peer("INFO", &id, 7));
    assert_eq!(stage.take(), ["200 INFO 7"]);
    answer(&mut stage, 2, 200);
    stage.assert_success();
}

#[test]
fn each_dialog_repeats_its_own_request() {
    let mut stage = Stage::client(&[
        send("INVITE", "retrans=\"500\""),
        send("OPTIONS", "dialog=\"b\" retrans=\"500\""),
        response(200, B),
        response(200, ""),
    ]);
    stage.spawn();
    stage.advance(500);
    let mut sent = stage.take();
    sent.sort_unstable();
    assert_eq!(sent, ["INVITE 1", "INVITE 1", "OPTIONS 1", "OPTIONS 1"]);
    answer(&mut stage, 1, 200);
    stage.advance(1000);
    assert_eq!(stage.take(), ["INVITE 1"], "b is answered, main is not");
    answer(&mut stage, 0, 200);
    stage.assert_success();
}

#[test]
fn a_kept_answer_ends_the_repetition() {
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        send("OPTIONS", "dialog=\"b\" retrans=\"500\""),
        response(200, ""),
        response(200, B),
    ]);
    stage.spawn();
    answer(&mut stage, 1, 200);
    stage.advance(5000);
    assert_eq!(stage.take(), ["REGISTER 1", "OPTIONS 1"]);
    answer(&mut stage, 0, 200);
    stage.assert_success();
}

#[test]
fn a_request_without_answer_ends_the_call_whatever_it_waits_for() {
    let mut stage = Stage::client(&[
        send("REGISTER", ""),
        send("OPTIONS", "dialog=\"b\" retrans=\"500\""),
        response(200, ""),
        response(200, B),
    ]);
    stage.spawn();
    stage.advance(32_000);
    stage.assert_failure(FailReason::MaxUdpRetrans);
    assert!(!stage.is_armed());
}

#[test]
fn a_pause_belongs_to_the_main_dialog_and_keeps_what_comes_for_others() {
    let mut stage = Stage::client(&[
        send("OPTIONS", B),
        "<pause milliseconds=\"1000\"/>".to_owned(),
        response(200, B),
    ]);
    stage.spawn();
    answer(&mut stage, 0, 200);
    stage.assert_open();
    stage.advance(1000);
    stage.assert_success();
}

#[test]
fn what_is_left_at_the_end_was_unexpected() {
    let steps = [send("REGISTER", ""), send("OPTIONS", B), response(200, "")];
    let mut stage = Stage::client(&steps);
    stage.spawn();
    answer(&mut stage, 1, 200);
    answer(&mut stage, 0, 200);
    stage.assert_failure(FailReason::UnexpectedMessage);
    assert_eq!(unexpected(&stage), 1);
    let mut stage = Stage::client_with(&steps, |params| params.behaviors.abort_unexpected = false);
    stage.spawn();
    answer(&mut stage, 1, 200);
    answer(&mut stage, 0, 200);
    stage.assert_success();
    assert_eq!(unexpected(&stage), 1);
}

#[test]
fn a_call_keeps_a_bounded_number_of_messages() {
    let mut stage = Stage::client(&[
        send("OPTIONS", B),
        send("REGISTER", ""),
        response(200, ""),
        response(200, B),
    ]);
    stage.spawn();
    let id = call_id(&sent(&stage, 0)).to_owned();
    for cseq in 0..40 {
        stage.deliver(&from_peer("INFO", &id, cseq));
    }
    assert_eq!(unexpected(&stage), 8);
    stage.assert_open();
    let mut stage = Stage::client(&[
        send("OPTIONS", B),
        send("REGISTER", ""),
        response(200, ""),
        response(200, B),
    ]);
    stage.spawn();
    let long = format!("X: {}\r\n", "x".repeat(40_000));
    for cseq in 0..3 {
        stage.deliver(&from_peer_with("INFO", &id, cseq, &long));
    }
    assert_eq!(unexpected(&stage), 2);
}

#[test]
fn a_message_that_no_step_of_its_dialog_takes_is_unexpected_there() {
    let mut stage = Stage::client(&[
        send("INVITE", B),
        response(200, B),
        send("ACK", B),
        request("BYE", B),
    ]);
    stage.spawn();
    answer(&mut stage, 0, 200);
    let id = call_id(&sent(&stage, 0)).to_owned();
    stage.take();
    stage.deliver(&from_peer("INFO", &id, 5));
    stage.assert_failure(FailReason::UnexpectedMessage);
    assert_eq!(stage.take(), ["BYE 2"]);
    assert_eq!(call_id(stage.last()), id);
}

#[test]
fn new_dialog_begins_afresh_each_time() {
    let mut stage = Stage::client(&[
        "<label id=\"again\"/>".to_owned(),
        send("OPTIONS", "dialog=\"b\" new_dialog=\"true\""),
        response(200, "dialog=\"b\" next=\"again\""),
    ]);
    stage.spawn();
    answer(&mut stage, 0, 200);
    answer(&mut stage, 1, 200);
    let ids: Vec<_> = stage
        .sent
        .iter()
        .map(|s| call_id(&s.text).to_owned())
        .collect();
    assert!(ids[0].starts_with("b-1-") && ids[1].starts_with("b-2-") && ids[2].starts_with("b-3-"));
    assert_eq!(stage.take(), ["OPTIONS 1"; 3]);
    // The first dialog is remembered as one that has ended.
    answer(&mut stage, 0, 200);
    assert_eq!(dead(&stage), 1);
    stage.assert_open();
}

#[test]
fn every_call_id_of_an_ended_call_is_remembered() {
    let mut stage = Stage::client(&[
        send("OPTIONS", B),
        response(200, B),
        send("OPTIONS", "dialog=\"c\""),
    ]);
    stage.spawn();
    answer(&mut stage, 0, 200);
    stage.assert_success();
    answer(&mut stage, 0, 200);
    answer(&mut stage, 1, 200);
    assert_eq!(dead(&stage), 2);
}

#[test]
fn an_aborted_call_ends_each_dialog_as_its_state_asks() {
    let mut stage = Stage::client(&[
        // Registered: nothing to end.
        send("REGISTER", ""),
        response(200, ""),
        // Confirmed: BYE.
        send("INVITE", "dialog=\"a\""),
        response(200, "dialog=\"a\""),
        send("ACK", "dialog=\"a\""),
        // Ringing: CANCEL.
        send("INVITE", B),
        response(180, B),
        // Answered without ACK: both.
        send("INVITE", "dialog=\"c\""),
        response(200, "dialog=\"c\""),
        // No response yet: nothing can be cancelled.
        send("INVITE", "dialog=\"d\""),
        response(200, ""),
    ]);
    stage.spawn();
    answer(&mut stage, 0, 200);
    answer(&mut stage, 1, 200);
    answer(&mut stage, 3, 180);
    answer(&mut stage, 4, 200);
    stage.take();
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.take(), ["BYE 2", "CANCEL 1", "ACK 1", "BYE 2"]);
    let ids: Vec<_> = stage.sent.iter().map(|s| &call_id(&s.text)[..1]).collect();
    assert_eq!(ids[ids.len() - 4..], ["a", "b", "c", "c"]);
    stage.assert_failure(FailReason::Aborted);
    assert_eq!(stage.open(), 0);
}

#[test]
fn keywords_read_what_another_dialog_last_received() {
    let mut stage = Stage::client(&[
        send("OPTIONS", B),
        response(200, B),
        send("REGISTER", ""),
        response(200, ""),
        log(
            "[last_CSeq:]|[last_CSeq: dialog=b]|[last_cseq_number dialog=b]|[last_Subject: dialog=b]",
        ),
        nop(
            B,
            "<log message=\"[last_CSeq:]|[last_CSeq: dialog=main]|[call_id]\"/>",
        ),
    ]);
    stage.spawn();
    answer(&mut stage, 0, 200);
    answer(&mut stage, 1, 200);
    stage.assert_success();
    let id = call_id(&sent(&stage, 0)).to_owned();
    assert_eq!(
        stage.lines,
        [
            "CSeq: 1 REGISTER|CSeq: 1 OPTIONS|1|".to_owned(),
            format!("CSeq: 1 OPTIONS|CSeq: 1 REGISTER|{id}")
        ]
    );
}
