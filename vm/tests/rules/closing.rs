// SPDX-License-Identifier: AGPL-3.0-only
//! What a server's call holds while it waits for its end.

use crate::stage::{Stage, from_peer, header, nop, reply, request};

/// A server that waits four seconds at the end, and takes no call while open ones hold any memory of their own.
fn server(more: &[String]) -> Stage {
    let mut parts = vec![request("INVITE", ""), reply(200, ""), request("ACK", "")];
    parts.extend_from_slice(more);
    parts.extend([
        request("BYE", ""),
        reply(200, ""),
        "<timewait milliseconds='4000'/>".to_owned(),
    ]);
    Stage::server_with(&parts, |params| params.max_incoming_bytes = 1)
}

fn converse(stage: &mut Stage, call: &str) {
    for (method, cseq) in [("INVITE", 1), ("ACK", 1), ("BYE", 2)] {
        stage.deliver(&from_peer(method, call, cseq));
    }
}

#[test]
fn a_call_that_only_waits_for_its_end_holds_nothing_of_the_last_message() {
    let mut stage = server(&[]);
    stage.deliver(&from_peer("INVITE", "a", 1));
    stage.deliver(&from_peer("INVITE", "b", 1));
    assert_eq!((stage.open(), stage.warnings.len()), (1, 1));
    stage.deliver(&from_peer("ACK", "a", 1));
    stage.deliver(&from_peer("BYE", "a", 2));
    converse(&mut stage, "c");
    converse(&mut stage, "d");
    assert_eq!((stage.open(), stage.warnings.len()), (3, 1));
    // A repetition is answered all the same, from what it says itself.
    let before = stage.sent.len();
    stage.deliver(&from_peer("BYE", "c", 2));
    assert_eq!(stage.sent.len(), before + 1);
    assert_eq!(header(stage.last(), "Call-ID"), Some("c"));
    assert_eq!(
        header(stage.last(), "From"),
        Some("<sip:bob@192.0.2.2>;tag=peer")
    );
    stage.advance(4000);
    assert_eq!(stage.open(), 0);
}

#[test]
fn a_call_whose_actions_may_still_print_the_last_message_keeps_it() {
    let log = "<action><log message='after [last_CSeq:]'/></action>";
    let global = format!("<recv request='INFO' optional='global'>{log}</recv>");
    let mut stage = server(&[global]);
    converse(&mut stage, "a");
    stage.deliver(&from_peer("INVITE", "b", 1));
    assert_eq!(stage.open(), 1, "the first one holds what it has kept");
    stage.deliver(&from_peer("INFO", "a", 3));
    assert_eq!(stage.lines, ["after CSeq: 2 BYE"]);
}

#[test]
fn a_call_that_goes_on_behind_its_wait_keeps_what_is_printed_there() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        "<pause milliseconds='100'/>".to_owned(),
        nop("", "<log message='after [last_CSeq:]'/>"),
        reply(200, ""),
        "<timewait milliseconds='4000'/>".to_owned(),
    ]);
    stage.deliver(&from_peer("INVITE", "a", 1));
    stage.advance(100);
    assert_eq!(stage.lines, ["after CSeq: 1 INVITE"]);
    assert_eq!(stage.take(), ["200 INVITE 1"]);
}
