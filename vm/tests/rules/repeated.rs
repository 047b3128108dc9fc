// SPDX-License-Identifier: AGPL-3.0-only
//! What is repeated are the bytes that were sent, whatever the call has learnt since then.

use crate::stage::{Stage, from_peer, header, reply, request, response, send};

/// The last message is another one than `first`, with the same text as that.
fn assert_repeats(stage: &Stage, first: usize) {
    assert!(stage.sent.len() > first + 1, "nothing was repeated");
    assert_eq!(stage.last(), stage.sent[first].text);
}

#[test]
fn a_response_is_repeated_with_the_headers_of_its_request_though_another_one_came() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, "retrans='100'"),
        request("INFO", "optional='true'"),
        request("ACK", ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.advance(100);
    assert_repeats(&stage, 0);
    stage.deliver(&from_peer("INFO", "x", 2));
    stage.advance(200);
    assert_eq!(stage.take_times(), [0, 100, 300]);
    assert_repeats(&stage, 0);
    assert_eq!(header(stage.last(), "CSeq"), Some("1 INVITE"));
    stage.deliver(&from_peer("ACK", "x", 1));
    stage.assert_success();
}

#[test]
fn a_request_is_repeated_with_the_tag_it_was_sent_with() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        send("BYE", "retrans='100'"),
        response(183, "optional='true'"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    let invited = stage.sent.len();
    let answer = crate::stage::answer_to(stage.last(), 183, "").replace(";tag=peer", ";tag=other");
    stage.deliver(&answer);
    stage.advance(4000);
    assert_repeats(&stage, invited - 1);
    let to = header(stage.last(), "To");
    assert!(to.is_some_and(|to| to.ends_with(">;tag=peer")), "{to:?}");
}

#[test]
fn a_request_is_repeated_with_its_number_though_the_peer_used_a_higher_one() {
    let mut stage = Stage::client(&[
        send("OPTIONS", "retrans='100'"),
        request("INFO", "optional='true'"),
        response(200, ""),
        send("BYE", ""),
    ]);
    stage.spawn();
    let call = header(stage.last(), "Call-ID").map(str::to_owned);
    stage.deliver(&from_peer("INFO", &call.expect("it has one"), 900));
    stage.advance(100);
    assert_repeats(&stage, 0);
    assert_eq!(header(stage.last(), "CSeq"), Some("1 OPTIONS"));
    stage.respond(200, "OPTIONS");
    assert_eq!(header(stage.last(), "CSeq"), Some("901 BYE"));
}

#[test]
fn what_cannot_be_made_again_is_kept() {
    let text = send("OPTIONS", "retrans='100'").replace(
        "Content-Length: 0",
        "X: [clock_tick] [timestamp]\n        Content-Length: 0",
    );
    let mut stage = Stage::client(&[text, response(200, "")]);
    stage.spawn();
    stage.advance(700);
    assert_eq!(stage.take_times(), [0, 100, 300, 700]);
    assert_repeats(&stage, 0);
}
