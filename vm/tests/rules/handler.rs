// SPDX-License-Identifier: AGPL-3.0-only
//! `_unexp.main`: the scenario's own handler for unexpected messages, and the way back.

use crate::stage::{Stage, from_peer, log, nop, reply, request, response, send};
use gossipper_bytecode::FailReason;

const LABEL: &str = "<label id='_unexp.main'/>";

/// Restores the pause, jumps back and forgets that the handler ran.
const BACK: &str = "<pauserestore variable='_unexp.pausedaddr'/><jump variable='_unexp.retaddr'/>\
                    <assign assign_to='_unexp.retaddr' value='0'/>";

/// A client that pauses for two seconds between INVITE and BYE; INFO leads to a handler that answers and goes back.
fn pausing() -> Stage {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        "<pause milliseconds='2000'/>".to_owned(),
        send("BYE", ""),
        response(200, "next='end'"),
        LABEL.to_owned(),
        request("INFO", ""),
        reply(200, ""),
        nop("", BACK),
        "<label id='end'/>".to_owned(),
        log("end"),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["INVITE 1", "ACK 1"]);
    stage
}

fn call_id(stage: &Stage) -> String {
    let invite = stage.last_request("INVITE");
    crate::stage::header(invite, "Call-ID")
        .expect("a Call-ID")
        .to_owned()
}

#[test]
fn an_unexpected_message_runs_the_handler_and_the_pause_goes_on() {
    let mut stage = pausing();
    let id = call_id(&stage);
    stage.advance(500);
    stage.deliver(&from_peer("INFO", &id, 7));
    assert_eq!(stage.take(), ["200 INFO 7"]);
    assert_eq!(stage.tally.unexpected, 0);
    stage.advance(1499);
    assert_eq!(stage.take(), [""; 0], "the pause goes on to its old end");
    stage.advance(1);
    assert_eq!(stage.take(), ["BYE 8"]);
    stage.respond(200, "BYE");
    stage.assert_success();
}

#[test]
fn the_handler_can_run_again_once_the_return_address_is_cleared() {
    let mut stage = pausing();
    let id = call_id(&stage);
    for cseq in 7..12 {
        stage.advance(100);
        stage.deliver(&from_peer("INFO", &id, cseq));
        assert_eq!(stage.take(), [format!("200 INFO {cseq}")]);
    }
    stage.advance(1500);
    assert_eq!(stage.take(), ["BYE 12"]);
}

#[test]
fn a_pause_that_ended_meanwhile_is_over_at_once() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        "<pause milliseconds='1000'/>".to_owned(),
        nop("next='end'", "<log message='behind the pause'/>"),
        LABEL.to_owned(),
        request("INFO", ""),
        "<pause milliseconds='5000'/>".to_owned(),
        nop("", BACK),
        "<label id='end'/>".to_owned(),
        log("end"),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer("INFO", "x", 2));
    stage.advance(4999);
    assert!(stage.lines.is_empty());
    stage.advance(1);
    assert_eq!(stage.lines, ["behind the pause", "end"]);
    stage.assert_success();
}

#[test]
fn a_message_that_the_handler_does_not_take_fails_the_call() {
    let mut stage = pausing();
    let id = call_id(&stage);
    stage.deliver(&from_peer("UPDATE", &id, 7));
    stage.assert_failure(FailReason::UnexpectedMessage);
    assert_eq!(stage.tally.unexpected, 1);
}

#[test]
fn without_the_variables_a_message_that_nobody_takes_fails_the_call_too() {
    let mut stage = Stage::client(&[
        send("OPTIONS", ""),
        response(200, ""),
        LABEL.to_owned(),
        request("INFO", ""),
    ]);
    stage.spawn();
    stage.respond(404, "OPTIONS");
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn bye_and_cancel_lead_to_the_handler_too() {
    for method in ["BYE", "CANCEL", "PING"] {
        let mut stage = Stage::server(&[
            request("INVITE", ""),
            reply(200, ""),
            request("ACK", ""),
            LABEL.to_owned(),
            request(method, ""),
            reply(200, ""),
        ]);
        stage.deliver(&from_peer("INVITE", "x", 1));
        stage.deliver(&from_peer(method, "x", 2));
        assert_eq!(stage.take()[1..], [format!("200 {method} 2")]);
        stage.assert_success();
    }
}

#[test]
fn inside_the_handler_a_second_unexpected_message_is_one() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        LABEL.to_owned(),
        request("INFO", ""),
        "<pause milliseconds='1000'/>".to_owned(),
        nop("", BACK),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer("INFO", "x", 2));
    stage.assert_open();
    stage.deliver(&from_peer("UPDATE", "x", 3));
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_handler_that_begins_with_other_steps_gets_the_message_at_its_first_recv() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        LABEL.to_owned(),
        log("interrupted at [$_unexp.retaddr]"),
        "<pause milliseconds='100'/>".to_owned(),
        request("INFO", ""),
        reply(200, ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.take();
    stage.deliver(&from_peer("INFO", "x", 2));
    assert_eq!(stage.take(), [""; 0]);
    stage.advance(100);
    assert_eq!(stage.take(), ["200 INFO 2"]);
    assert_eq!(stage.lines, ["interrupted at 2.000000"]);
    stage.assert_success();
}

#[test]
fn a_pause_restored_elsewhere_delays_the_step_it_meets_and_passes_over_it() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        nop("", "<pauserestore value='1500'/>"),
        log("passed over"),
        log("done"),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.advance(1499);
    assert!(stage.lines.is_empty());
    stage.advance(1);
    assert_eq!(stage.lines, ["done"]);
}

// ---- programs that no compiler writes

/// Why a program is refused after `breaks` has changed its tables.
fn refused(breaks: impl FnOnce(&mut gossipper_bytecode::Draft)) -> String {
    let xml = crate::stage::scenario(&[
        request("INVITE", ""),
        reply(200, ""),
        nop(
            "",
            "<sample assign_to='_' distribution='uniform' min='1' max='2'/>",
        ),
        LABEL.to_owned(),
        request("INFO", ""),
        nop("", BACK),
    ]);
    let program = gossipper_testkit::pair::program("test", &xml);
    let mut draft = gossipper_bytecode::Draft::clone(&program);
    assert!(draft.clone().verify().is_ok());
    breaks(&mut draft);
    draft.verify().expect_err("it is broken").to_string()
}

#[test]
fn a_broken_handler_or_sample_is_refused() {
    use gossipper_bytecode::{Distribution, Op, Pc, VarId};
    let handler = |draft: &mut gossipper_bytecode::Draft| draft.handler.expect("there is one");
    for error in [
        refused(|draft| {
            let entry = Pc(u32::MAX);
            draft.handler = Some(gossipper_bytecode::program::Handler {
                entry,
                ..handler(draft)
            });
        }),
        refused(|draft| {
            let return_to = Some(VarId(99));
            draft.handler = Some(gossipper_bytecode::program::Handler {
                return_to,
                ..handler(draft)
            });
        }),
        refused(|draft| {
            let entry = draft.recvs[0].entry;
            draft.handler = Some(gossipper_bytecode::program::Handler {
                entry,
                ..handler(draft)
            });
        }),
        refused(|draft| draft.samples.clear()),
        refused(|draft| {
            draft.samples[0].distribution = Distribution::Normal {
                mean: 1.0,
                stdev: -1.0,
            };
        }),
        refused(|draft| {
            let at = draft.recvs[0].entry.index();
            draft.ops[at] = Op::Resume { to: Pc(0) };
        }),
    ] {
        assert!(!error.is_empty());
    }
}
