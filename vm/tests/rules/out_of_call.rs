// SPDX-License-Identifier: AGPL-3.0-only
//! The scenario beside a client's that takes requests which belong to no call.

use crate::stage::{Stage, from_peer, log, reply, request, response, send};
use gossipper_bytecode::FailReason;
use gossipper_vm::{CallControl, CallEnd, RunParams, StatEvent};

/// A client that waits for an answer, beside a scenario that takes a MESSAGE and a BYE.
fn stage(adjust: impl FnOnce(&mut RunParams)) -> Stage {
    let client = [send("INVITE", ""), response(200, ""), send("ACK", "")];
    let beside = [
        request("MESSAGE", "timeout=\"3000\""),
        reply(202, ""),
        log("[call_number] [call_id]"),
        request("BYE", ""),
        reply(200, ""),
    ];
    let mut stage = Stage::client_beside(&client, &beside, adjust);
    stage.spawn();
    assert_eq!(stage.take(), ["INVITE 1"]);
    stage
}

#[test]
fn an_unknown_request_begins_a_call_that_counts_by_itself() {
    let mut stage = stage(|_| {});
    stage.deliver(&from_peer("MESSAGE", "other", 5));
    assert_eq!(stage.take(), ["202 MESSAGE 5"]);
    assert_eq!(stage.lines, ["4294967297 other"]);
    assert_eq!((stage.tally.created, stage.tally.auto_answered), (1, 1));
    assert_eq!((stage.beside.created, stage.engine.open_calls()), (1, 1));
    assert_eq!(stage.engine.open_beside(), 1);
    // What follows in the call begins nothing.
    stage.deliver(&from_peer("BYE", "other", 6));
    assert_eq!(stage.take(), ["200 BYE 6"]);
    assert_eq!((stage.beside.created, stage.beside.succeeded), (1, 1));
    assert_eq!(stage.engine.open_beside(), 0);
    assert_eq!(stage.tally.auto_answered, 1);
    assert_eq!(stage.warnings.len(), 1, "{:?}", stage.warnings);
    // It is remembered like any other.
    stage.deliver(&from_peer("BYE", "other", 6));
    assert_eq!(stage.take(), [""; 0]);
    assert_eq!((stage.beside.created, stage.beside.dead_call), (1, 1));
    // The client's call is where it was.
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["ACK 1"]);
    assert_eq!(stage.ends, [CallEnd::Success; 2]);
}

#[test]
fn its_calls_have_numbers_and_deadlines_of_their_own() {
    let mut stage = stage(|_| {});
    stage.deliver(&from_peer("MESSAGE", "a", 1));
    stage.deliver(&from_peer("MESSAGE", "b", 1));
    assert_eq!(stage.lines, ["4294967297 a", "4294967298 b"]);
    assert_eq!(stage.take().len(), 2);
    // One that expects something else ends as any call does that is surprised.
    stage.deliver(&from_peer("OPTIONS", "c", 1));
    let failed = CallEnd::Failure(FailReason::UnexpectedMessage);
    assert_eq!(stage.ends, [failed]);
    assert_eq!((stage.beside.created, stage.beside.ended()), (3, 1));
    // The client goes on with its next number.
    stage.respond(200, "INVITE");
    stage.take();
    stage.spawn();
    assert!(
        stage
            .sent
            .last()
            .is_some_and(|sent| sent.text.contains("2-"))
    );
}

#[test]
fn timers_of_its_calls_find_them() {
    let waits = [
        request("INFO", ""),
        "<pause milliseconds=\"700\"/>".to_owned(),
        reply(200, ""),
    ];
    let mut stage = Stage::client_beside(&[send("INVITE", ""), response(200, "")], &waits, |_| {});
    stage.spawn();
    stage.take();
    stage.deliver(&from_peer("INFO", "other", 1));
    stage.advance(699);
    assert_eq!(stage.take(), [""; 0]);
    stage.advance(1);
    assert_eq!(stage.take(), ["200 INFO 1"]);
    assert_eq!(stage.beside.succeeded, 1);
    assert_eq!(stage.engine.open_calls(), 1);
}

#[test]
fn a_response_that_belongs_to_no_call_begins_none() {
    let mut stage = stage(|params| params.auto_answer = true);
    let response = from_peer("INFO", "other", 1).replacen("INFO sip:", "SIP/2.0 200 sip:", 1);
    let first = response.lines().next().unwrap_or_default().to_owned();
    let response = response.replacen(&first, "SIP/2.0 200 OK", 1);
    stage.deliver(&response);
    assert_eq!(stage.beside.created, 0);
    assert!(stage.events.contains(&StatEvent::OutOfCall));
    assert_eq!(stage.take(), [""; 0]);
}

#[test]
fn it_is_asked_before_aa_and_to_the_end_of_the_run() {
    let mut stage = stage(|params| params.auto_answer = true);
    stage.control(CallControl::Drain);
    stage.deliver(&from_peer("MESSAGE", "other", 1));
    assert_eq!(stage.take(), ["202 MESSAGE 1"]);
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.engine.open_beside(), 0);
    assert_eq!(stage.engine.open_calls(), 0);
}
