// SPDX-License-Identifier: AGPL-3.0-only
//! Which step takes a message, and where the call goes on.

use crate::stage::{Stage, from_peer, log, nop, reply, request, response, send};
use gossipper_bytecode::FailReason;

/// An INVITE, the usual window of optional responses, and an ACK.
fn window() -> [String; 6] {
    [
        send("INVITE", ""),
        response(100, "optional='true'"),
        response(180, "optional='true'"),
        response(183, "optional='true'"),
        response(200, ""),
        send("ACK", ""),
    ]
}

fn after_invite(parts: &[String]) -> Stage {
    let mut stage = Stage::client(parts);
    stage.spawn();
    stage.take();
    stage
}

#[test]
fn optional_responses_may_all_be_absent() {
    let mut stage = after_invite(&window());
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["ACK 1"]);
    stage.assert_success();
}

#[test]
fn an_optional_response_may_come_late_within_its_window() {
    let mut stage = after_invite(&window());
    stage.respond(183, "INVITE");
    stage.respond(100, "INVITE");
    stage.respond(180, "INVITE");
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_open();
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["ACK 1"]);
    stage.assert_success();
    assert_eq!(stage.tally.received.values().sum::<u64>(), 4);
}

#[test]
fn a_response_outside_the_window_is_unexpected() {
    let mut stage = after_invite(&window());
    stage.respond(486, "INVITE");
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_matched_optional_step_advances_past_itself_and_the_backward_walk_returns_to_it() {
    // The timeout is that of the element at which the call stands, which shows the place.
    let mut stage = after_invite(&[
        send("INVITE", ""),
        response(180, "optional='true'"),
        response(183, "optional='true'"),
        response(200, "timeout='100'"),
    ]);
    stage.respond(183, "INVITE");
    stage.advance(60);
    stage.respond(180, "INVITE");
    // Each change of state starts the timeout again.
    stage.advance(60);
    stage.assert_open();
    stage.advance(40);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

#[test]
fn the_backward_window_ends_at_the_first_step_that_is_no_optional_receive() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        response(180, "optional='true'"),
        response(183, ""),
        response(200, ""),
    ]);
    stage.respond(183, "INVITE");
    stage.respond(180, "INVITE");
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn nothing_matches_forward_at_a_pause() {
    let mut stage = after_invite(&[
        send("OPTIONS", ""),
        "<pause milliseconds='100'/>".to_owned(),
        response(200, ""),
    ]);
    stage.respond(200, "OPTIONS");
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_global_receive_matches_later_and_rewinds_to_the_element_after_it() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        request("INFO", "optional='global'"),
        response(200, ""),
        log("after 200"),
        send("ACK", ""),
        response(200, ""),
    ]);
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["ACK 1"]);
    stage.deliver(&from_peer("INFO", "1-1@192.0.2.1", 7));
    stage.assert_open();
    // Back behind the INFO: a 200 is awaited again, and the ACK follows again. (The same 200 would be a repetition.)
    stage.respond_with(200, "INVITE", "Server: other\r\n");
    assert_eq!(stage.take(), ["ACK 7"]);
    assert_eq!(stage.lines, ["after 200", "after 200"]);
}

#[test]
fn without_advance_state_a_global_receive_leaves_the_call_where_it_was() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        request("INFO", "optional='global' advance_state='false'"),
        request("BYE", ""),
        log("end"),
    ]);
    stage.respond(200, "INVITE");
    stage.deliver(&from_peer("INFO", "1-1@192.0.2.1", 7));
    stage.deliver(&from_peer("INFO", "1-1@192.0.2.1", 8));
    stage.assert_open();
    stage.deliver(&from_peer("BYE", "1-1@192.0.2.1", 9));
    stage.assert_success();
    assert_eq!(stage.lines, ["end"]);
    assert_eq!(stage.tally.received[&3], 2);
}

#[test]
fn without_advance_state_the_last_message_stays_and_actions_run() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        "<recv response='180' optional='true' advance_state='false'>\
         <action><log message='ringing'/></action></recv>"
            .to_owned(),
        response(200, ""),
        log("[last_cseq_number]"),
        response(200, ""),
    ]);
    stage.respond(180, "INVITE");
    assert_eq!(stage.lines, ["ringing"]);
    stage.respond(200, "INVITE");
    assert_eq!(stage.lines, ["ringing", "1"]);
}

#[test]
fn a_response_must_answer_a_method_sent_earlier_in_the_file() {
    let mut stage = after_invite(&[send("INVITE", ""), response(200, ""), send("BYE", "")]);
    let stray = stage
        .last_request("INVITE")
        .replace("1 INVITE", "1 REGISTER");
    stage.deliver(&crate::stage::answer_to(&stray, 200, ""));
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn the_method_of_a_response_is_looked_for_in_the_joined_text_of_the_methods() {
    // ACK and BYE were sent: their concatenation ACKBYE contains KBY.
    let mut stage = after_invite(&[send("ACK", ""), send("BYE", ""), response(200, "")]);
    let stray = stage.last_request("BYE").replace(" BYE\r", " KBY\r");
    stage.deliver(&crate::stage::answer_to(&stray, 200, ""));
    stage.assert_success();
}

#[test]
fn a_response_answers_the_transaction_that_it_names_and_no_other() {
    let mut stage = after_invite(&[
        send("OPTIONS", "start_txn='first'"),
        send("OPTIONS", "start_txn='second'"),
        response(200, "response_txn='second'"),
        log("second"),
        response(200, "response_txn='first'"),
        log("first"),
    ]);
    let first = stage.sent[0].text.clone();
    stage.respond(200, "OPTIONS");
    assert_eq!(stage.lines, ["second"]);
    stage.deliver(&crate::stage::answer_to(&first, 200, ""));
    assert_eq!(stage.lines, ["second", "first"]);
    stage.assert_success();
}

#[test]
fn a_late_final_response_of_a_transaction_gets_its_ack_again() {
    let mut stage = after_invite(&[
        send("INVITE", "start_txn='call'"),
        response(200, "response_txn='call'"),
        send("ACK", "ack_txn='call'"),
        send("BYE", ""),
        response(200, ""),
    ]);
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["ACK 1", "BYE 2"]);
    // Not the same bytes, so that it is no repetition but a late answer.
    stage.respond_with(200, "INVITE", "Server: other\r\n");
    assert_eq!(stage.take(), ["ACK 2"]);
    stage.respond(180, "INVITE");
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_late_provisional_response_of_a_transaction_is_ignored() {
    let mut stage = after_invite(&[
        send("INVITE", "start_txn='call'"),
        response(180, "response_txn='call' optional='true'"),
        response(200, "response_txn='call'"),
        send("ACK", "ack_txn='call'"),
        send("BYE", ""),
        response(200, ""),
    ]);
    stage.respond(200, "INVITE");
    stage.take();
    stage.respond(180, "INVITE");
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_open();
    stage.respond(200, "BYE");
    stage.assert_success();
}

#[test]
fn expressions_match_codes_and_methods_unanchored() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        "<recv response='1[0-9]' regexp_match='true' optional='true'/>".to_owned(),
        "<recv response='^[45]..$' regexp_match='true'/>".to_owned(),
        "<recv request='NOTIFY|INF' regexp_match='true'/>".to_owned(),
    ]);
    stage.respond(183, "INVITE");
    stage.respond(486, "INVITE");
    stage.assert_open();
    stage.deliver(&from_peer("INFO", "1-1@192.0.2.1", 1));
    stage.assert_success();
}

#[test]
fn a_method_is_compared_exactly() {
    let mut stage = Stage::server(&[request("INVITE", ""), request("ACK", "")]);
    stage.deliver(&from_peer("INVITES", "x", 1));
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_request_with_a_very_long_method_is_unexpected_and_nothing_worse() {
    let method = "M".repeat(4000);
    let mut stage = Stage::server(&[
        request("INFO", ""),
        reply(200, ""),
        request(".*", "regexp_match='true'"),
        reply(202, ""),
    ]);
    stage.deliver(&from_peer("INFO", "x", 1));
    stage.deliver(&from_peer(&method, "x", 2));
    assert_eq!(
        stage.take(),
        ["200 INFO 1".to_owned(), format!("202 {method} 2")]
    );
    let mut stage = Stage::server(&[request("INFO", ""), reply(200, "")]);
    stage.deliver(&from_peer(&method, "x", 1));
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn next_leads_elsewhere_only_while_its_variable_is_set() {
    let flow = |value: &str| {
        [
            nop("", &format!("<assign assign_to='x' value='{value}'/>")),
            nop("next='there' test='x'", "<log message='branch'/>"),
            log("here"),
            "<label id='there'/>".to_owned(),
            log("there"),
            send("OPTIONS", ""),
        ]
    };
    let set = after_invite(&flow("1"));
    assert_eq!(set.lines, ["branch", "there"]);
    let unset = after_invite(&flow("0"));
    assert_eq!(unset.lines, ["branch", "here", "there"]);
}

#[test]
fn a_chance_of_nought_never_branches_and_one_always() {
    let lines = |chance: &str| {
        let stage = after_invite(&[
            nop(&format!("next='there' chance='{chance}'"), ""),
            log("here"),
            "<label id='there'/>".to_owned(),
            log("there"),
            send("OPTIONS", ""),
        ]);
        stage.lines
    };
    assert_eq!(lines("0"), ["here", "there"]);
    assert_eq!(lines("1"), ["there"]);
}

#[test]
fn a_chance_is_taken_about_as_often_as_it_says() {
    let mut stage = Stage::client(&[
        nop("next='there' chance='0.3'", ""),
        log("here"),
        "<label id='there'/>".to_owned(),
        send("OPTIONS", ""),
    ]);
    for _ in 0..2000 {
        stage.spawn();
    }
    let branched = 2000 - stage.lines.len();
    // Six standard deviations of 20.5 on either side of 600.
    assert!((480..720).contains(&branched), "{branched} of 2000");
}

#[test]
fn a_step_is_skipped_by_its_condition_and_its_next_still_leads_elsewhere() {
    let stage = after_invite(&[
        nop(
            "condexec='x' next='there'",
            "<log message='skipped, or so it should be'/>",
        ),
        log("here"),
        "<label id='there'/>".to_owned(),
        nop(
            "condexec='x' condexec_inverse='true'",
            "<log message='inverse'/>",
        ),
        send("OPTIONS", ""),
    ]);
    assert_eq!(stage.lines, ["inverse"]);
}

#[test]
fn an_optional_receive_whose_test_is_unset_does_not_move_the_call() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        response(180, "optional='true' next='ringing' test='x'"),
        response(200, "next='answered' timeout='100'"),
        "<label id='ringing'/>".to_owned(),
        log("ringing"),
        "<label id='answered'/>".to_owned(),
        nop("", "<assign assign_to='x' value='1'/>"),
    ]);
    stage.advance(60);
    stage.respond(180, "INVITE");
    assert_eq!(stage.tally.received[&1], 1);
    stage.assert_open();
    // A move would start the timeout again.
    stage.advance(40);
    assert!(stage.lines.is_empty(), "{:?}", stage.lines);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

#[test]
fn an_optional_receive_may_branch_to_the_first_element() {
    let mut stage = after_invite(&[
        "<label id='again'/>".to_owned(),
        send("INVITE", ""),
        response(180, "optional='true' next='again'"),
        response(200, ""),
    ]);
    stage.respond(180, "INVITE");
    assert_eq!(stage.take(), ["INVITE 2"]);
    stage.respond(200, "INVITE");
    stage.assert_success();
}

#[test]
fn an_optional_receive_whose_test_is_set_branches() {
    let mut stage = after_invite(&[
        nop("", "<assign assign_to='x' value='1'/>"),
        send("INVITE", ""),
        response(180, "optional='true' next='ringing' test='x'"),
        response(200, ""),
        log("answered"),
        "<label id='ringing'/>".to_owned(),
        log("ringing"),
    ]);
    stage.respond(180, "INVITE");
    assert_eq!(stage.lines, ["ringing"]);
    stage.assert_success();
}

#[test]
fn a_mandatory_receive_whose_test_is_unset_goes_on_with_the_next_element() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        response(200, "next='elsewhere' test='x'"),
        log("next"),
        "<label id='elsewhere'/>".to_owned(),
        nop("", "<assign assign_to='x' value='0'/>"),
    ]);
    stage.respond(200, "INVITE");
    assert_eq!(stage.lines, ["next"]);
    stage.assert_success();
}

#[test]
fn a_label_behind_the_last_element_ends_the_call() {
    let stage = after_invite(&[
        send("OPTIONS", "next='end'"),
        log("never"),
        "<label id='end'/>".to_owned(),
    ]);
    stage.assert_success();
    assert!(stage.lines.is_empty(), "{:?}", stage.lines);
}

#[test]
fn a_request_raises_the_cseq_counter_and_never_lowers_it() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        send("INFO", ""),
        request("OPTIONS", ""),
        send("INFO", ""),
        request("BYE", ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 41));
    assert_eq!(stage.take(), ["200 INVITE 41", "INFO 42"]);
    stage.deliver(&from_peer("OPTIONS", "x", 7));
    assert_eq!(stage.take(), ["INFO 43"]);
}

#[test]
fn a_message_that_is_lost_on_receipt_is_counted_and_changes_nothing() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        response(180, "optional='true' lost='100'"),
        response(200, ""),
    ]);
    stage.respond(180, "INVITE");
    assert_eq!(stage.tally.lost, 1);
    assert_eq!(stage.tally.received.values().sum::<u64>(), 0);
    stage.respond(200, "INVITE");
    stage.assert_success();
}

#[test]
fn a_message_without_a_to_header_is_unexpected() {
    let mut stage = Stage::server(&[request("INVITE", ""), reply(200, "")]);
    let text = from_peer("INVITE", "x", 1);
    let without = text.replace("To: <sip:alice@192.0.2.1>\r\n", "");
    stage.deliver(&without);
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_match_cancels_the_pause_that_the_call_is_in() {
    let mut stage = after_invite(&[
        send("INVITE", ""),
        request("INFO", "optional='global' next='informed'"),
        response(200, ""),
        "<pause milliseconds='5000'/>".to_owned(),
        log("paused to the end"),
        "<label id='informed'/>".to_owned(),
        log("informed"),
        request("BYE", ""),
    ]);
    stage.respond(200, "INVITE");
    assert!(stage.is_armed());
    stage.deliver(&from_peer("INFO", "1-1@192.0.2.1", 1));
    assert_eq!(stage.lines, ["informed"]);
    assert!(!stage.is_armed(), "the pause still has a deadline");
    stage.deliver(&from_peer("BYE", "1-1@192.0.2.1", 2));
    stage.assert_success();
}

#[test]
fn messages_in_a_pause_can_be_ignored() {
    let parts = [
        send("OPTIONS", ""),
        "<pause milliseconds='100'/>".to_owned(),
    ];
    let mut stage = Stage::client_with(&parts, |params| params.ignore_in_pause = true);
    stage.spawn();
    stage.respond(200, "OPTIONS");
    stage.assert_open();
    stage.advance(100);
    stage.assert_success();
}
