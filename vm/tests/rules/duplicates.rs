// SPDX-License-Identifier: AGPL-3.0-only
//! Messages that the peer repeats (docs/compat.md#duplicates).

use crate::stage::{Stage, from_peer, from_peer_with, reply, request, response, send};
use gossipper_bytecode::FailReason;
use gossipper_vm::{DuplicateCheck, RunParams};

fn answerer(adjust: impl FnOnce(&mut RunParams)) -> Stage {
    let parts = [
        request("INVITE", ""),
        reply(180, ""),
        reply(200, "retrans='500'"),
        request("ACK", "optional='true'"),
        request("BYE", ""),
        reply(200, ""),
        "<timewait milliseconds='4000'/>".to_owned(),
    ];
    Stage::server_with(&parts, adjust)
}

#[test]
fn a_repeated_invite_gets_the_last_response_again() {
    let mut stage = answerer(|_| {});
    let invite = from_peer("INVITE", "x", 1);
    stage.deliver(&invite);
    assert_eq!(stage.take(), ["180 INVITE 1", "200 INVITE 1"]);
    stage.deliver(&invite);
    stage.deliver(&invite);
    assert_eq!(stage.take(), ["200 INVITE 1", "200 INVITE 1"]);
    assert_eq!(stage.tally.received_again, 2);
    assert_eq!(stage.tally.retransmitted, 2);
    stage.assert_open();
}

#[test]
fn an_invite_repeated_before_it_was_answered_is_counted_and_ignored() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        "<pause milliseconds='200'/>".to_owned(),
        reply(200, ""),
        request("ACK", ""),
    ]);
    let invite = from_peer("INVITE", "x", 1);
    stage.deliver(&invite);
    stage.deliver(&invite);
    assert_eq!(stage.tally.received_again, 1);
    assert_eq!(stage.take(), [""; 0]);
    stage.advance(200);
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    stage.assert_open();
}

#[test]
fn an_invite_repeated_behind_its_180_gets_the_180_again() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(180, ""),
        "<pause milliseconds='200'/>".to_owned(),
        reply(200, ""),
        request("ACK", ""),
    ]);
    let invite = from_peer("INVITE", "x", 1);
    stage.deliver(&invite);
    stage.deliver(&invite);
    assert_eq!(stage.take(), ["180 INVITE 1", "180 INVITE 1"]);
    stage.advance(200);
    stage.deliver(&invite);
    assert_eq!(stage.take(), ["200 INVITE 1", "200 INVITE 1"]);
}

#[test]
fn an_invite_repeated_behind_its_ack_is_still_known() {
    let mut stage = answerer(|_| {});
    let invite = from_peer("INVITE", "x", 1);
    stage.deliver(&invite);
    stage.deliver(&from_peer("ACK", "x", 1));
    stage.take();
    stage.deliver(&invite);
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    stage.assert_open();
}

#[test]
fn a_repeated_bye_is_answered_again_during_the_timewait() {
    let mut stage = answerer(|_| {});
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer("ACK", "x", 1));
    let bye = from_peer("BYE", "x", 2);
    stage.deliver(&bye);
    stage.take();
    stage.advance(2000);
    stage.deliver(&bye);
    assert_eq!(stage.take(), ["200 BYE 2"]);
    stage.advance(2000);
    stage.assert_success();
}

#[test]
fn a_repeated_answer_to_a_repetition_is_the_answer_that_belongs_to_it() {
    let mut stage = answerer(|_| {});
    stage.deliver(&from_peer("INVITE", "x", 1));
    let first = stage.last().to_owned();
    stage.deliver(&from_peer("INVITE", "x", 1));
    assert_eq!(stage.last(), first);
}

#[test]
fn a_repeated_200_is_acked_again() {
    let mut stage = Stage::client(&[
        send("INVITE", "retrans='500'"),
        response(180, "optional='true'"),
        response(200, ""),
        send("ACK", ""),
        "<pause milliseconds='1000'/>".to_owned(),
        send("BYE", "retrans='500'"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["INVITE 1", "ACK 1"]);
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["ACK 1"]);
    assert_eq!(stage.tally.received_again, 1);
    stage.advance(1000);
    assert_eq!(stage.take(), ["BYE 2"]);
    stage.respond(200, "INVITE");
    let again = stage.take();
    assert_eq!(again.len(), 1, "{again:?}");
    assert!(again[0].starts_with("ACK"), "{again:?}");
    stage.assert_open();
    stage.respond(200, "BYE");
    stage.assert_success();
}

#[test]
fn an_invite_that_the_scenario_sends_twice_gets_the_same_200_twice() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
    ]);
    stage.spawn();
    let request = stage.last_request("INVITE").to_owned();
    let answer = crate::stage::answer_to(&request, 200, "");
    stage.deliver(&answer);
    stage.deliver(&answer);
    assert_eq!(stage.tally.received_again, 0);
    stage.assert_success();
}

#[test]
fn a_late_200_that_is_no_repetition_is_acked_when_an_ack_follows_its_receive() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        send("BYE", ""),
        response(200, ""),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.take();
    // At the receive of the BYE's 200 any 200 of a method sent before matches forward, that of the INVITE too.
    stage.respond_with(200, "INVITE", "Server: other\r\n");
    stage.assert_success();

    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        "<pause milliseconds='1000'/>".to_owned(),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.take();
    stage.respond_with(200, "INVITE", "Server: other\r\n");
    assert_eq!(stage.take(), ["ACK 1"]);
    stage.assert_open();
}

#[test]
fn a_repeated_provisional_response_is_ignored() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(180, "optional='true'"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.respond(180, "INVITE");
    stage.respond(180, "INVITE");
    assert_eq!(stage.tally.received_again, 1);
    assert_eq!(stage.tally.received[&1], 1);
    stage.assert_open();
}

/// The INVITE of the first delivery with another Via, as it comes over another path.
const VIA: &str = "Record-Route: <sip:192.0.2.77;lr>\r\n";

#[test]
fn a_full_check_wants_the_same_bytes() {
    let mut stage = answerer(|params| params.duplicates = DuplicateCheck::Full);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer_with("INVITE", "x", 1, VIA));
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_loose_check_looks_at_the_dialog_and_the_cseq_only() {
    let mut stage = answerer(|params| params.duplicates = DuplicateCheck::Loose);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.take();
    stage.deliver(&from_peer_with("INVITE", "x", 1, VIA));
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    stage.assert_open();
}

#[test]
fn a_loose_check_tells_responses_apart_by_their_code() {
    let parts = [
        send("INVITE", ""),
        response(180, "optional='true'"),
        response(200, ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| {
        params.duplicates = DuplicateCheck::Loose;
    });
    stage.spawn();
    stage.respond(180, "INVITE");
    stage.respond(200, "INVITE");
    stage.assert_success();
    assert_eq!(stage.tally.received_again, 0);
}

#[test]
fn a_loose_check_tells_responses_apart_by_their_body() {
    let parts = [
        send("INVITE", ""),
        response(183, "optional='true'"),
        response(200, ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| {
        params.duplicates = DuplicateCheck::Loose;
    });
    stage.spawn();
    let answer = crate::stage::answer_to(stage.last_request("INVITE"), 183, "");
    stage.deliver(&answer);
    stage.deliver(&answer.replace("Contact: ", "Contact:  "));
    assert_eq!(stage.tally.received_again, 1, "same dialog, code and body");
    stage.deliver(&(answer + "v=0"));
    assert_eq!(stage.tally.received_again, 1, "another body");
    assert_eq!(stage.tally.received[&1], 2);
}

#[test]
fn nothing_is_a_repetition_with_nr_or_on_a_reliable_transport() {
    let invite = from_peer("INVITE", "x", 1);
    let mut nr = answerer(|params| params.retransmit = false);
    nr.deliver(&invite);
    nr.deliver(&invite);
    nr.assert_failure(FailReason::UnexpectedMessage);
    let mut tcp = answerer(|params| params.unreliable = false);
    tcp.deliver(&invite);
    tcp.deliver(&invite);
    tcp.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_repetition_may_be_lost_as_its_receive_says() {
    let mut stage = Stage::server(&[
        request("INVITE", "lost='50'"),
        reply(200, ""),
        request("ACK", ""),
    ]);
    let invite = from_peer("INVITE", "x", 1);
    let mut tries = 0;
    while stage.take().is_empty() {
        stage.deliver(&invite);
        tries += 1;
        assert!(tries < 200, "a loss of 50 % lost 200 messages");
    }
    let lost_before = stage.tally.lost;
    for _ in 0..200 {
        stage.deliver(&invite);
    }
    let answered = stage.take().len() as u64;
    let lost = stage.tally.lost - lost_before;
    assert_eq!(answered + lost, 200);
    // Seven standard deviations of 7.1 on either side of 100.
    assert!((50..150).contains(&answered), "{answered} of 200");
}

#[test]
fn an_ack_repeated_in_the_closing_wait_is_counted_and_absorbed() {
    let mut stage = answerer(|_| {});
    stage.deliver(&from_peer("INVITE", "x", 1));
    let ack = from_peer("ACK", "x", 1);
    stage.deliver(&ack);
    stage.deliver(&from_peer("BYE", "x", 2));
    stage.take();
    stage.deliver(&ack);
    assert_eq!(stage.tally.received_again, 1);
    assert_eq!(stage.tally.unexpected, 0);
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_open();
}

#[test]
fn nothing_answers_a_repeated_ack() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        reply(200, ""),
        request("BYE", ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    let ack = from_peer("ACK", "x", 1);
    stage.deliver(&ack);
    stage.take();
    stage.deliver(&ack);
    assert_eq!(stage.take(), [""; 0]);
    assert_eq!(stage.tally.received_again, 1);
    stage.assert_open();
}

#[test]
fn a_second_ack_that_the_scenario_waits_for_is_no_repetition() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        reply(200, ""),
        request("ACK", ""),
        "<pause milliseconds='200'/>".to_owned(),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    let ack = from_peer("ACK", "x", 1);
    stage.deliver(&ack);
    stage.deliver(&ack);
    assert_eq!(stage.tally.received_again, 0);
    assert_eq!(stage.tally.received.get(&4), Some(&1));
}
