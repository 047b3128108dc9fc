// SPDX-License-Identifier: AGPL-3.0-only
//! The action `ereg`: what it searches, what it assigns, what it checks.

use crate::actions::{fails, on_info, on_message, prints};
use crate::stage::{Stage, from_peer_with, log, nop, response, send, send_then};
use gossipper_bytecode::FailReason;
use gossipper_vm::CallEnd;

#[test]
fn ereg_searches_the_whole_message_and_captures_groups() {
    prints(
        "<ereg regexp='CSeq: ([0-9]+) ([A-Z]+)' assign_to='a,b,c'/>",
        "a=CSeq: 5 INFO b=5 c=INFO",
    );
}

#[test]
fn ereg_takes_the_longest_match_whatever_the_order_of_alternatives() {
    for alternatives in ["F|FO", "FO|F"] {
        prints(
            &format!("<ereg regexp='IN({alternatives})' assign_to='a,b'/>"),
            "a=INFO b=FO c=",
        );
    }
    prints("<ereg regexp='IN[A-Z]*' assign_to='a'/>", "a=INFO b= c=");
}

#[test]
fn ereg_refers_back_to_what_a_group_has_matched() {
    prints(
        r"<ereg regexp='subject: (s)ec.*Emp(t)y:.*\2ext' assign_to='_,a,b'/>",
        "a=s b=t c=",
    );
    prints(
        r"<ereg regexp='subject: (s)ec.*Emp(t)y:.*\2\1ext' assign_to='_,a,b'/>",
        "a= b= c=",
    );
}

#[test]
fn a_search_that_takes_too_many_steps_is_no_match_and_a_warning() {
    let header = format!("X: {}!b\r\n", "a".repeat(1500));
    let outcome = on_message(
        r"<ereg regexp='(a*)(a*)(a*)\1\2\3b' search_in='hdr' header='X:' assign_to='a'/>",
        &from_peer_with("INFO", "x", 5, &header),
    );
    assert_eq!(outcome.end, Some(CallEnd::Success));
    assert_eq!(outcome.lines, ["a= b= c="]);
    let [warning] = &outcome.warnings[..] else {
        panic!("{:?}", outcome.warnings);
    };
    assert!(warning.contains("too many steps"), "{warning}");
}

#[test]
fn ereg_lets_the_dot_match_line_ends() {
    prints(
        "<ereg regexp='Subject:.*Empty' search_in='msg' assign_to='a'/><ereg regexp='X-To: [a-z]*' assign_to='b'/>",
        "a=Subject: first\r\nX-To: nobody\r\nsubject: second\r\nEmpty b=X-To: nobody c=",
    );
}

#[test]
fn ereg_anchors_hold_at_the_ends_of_the_text_only() {
    prints(
        "<ereg regexp='^INFO' assign_to='a'/><ereg regexp='^CSeq' assign_to='b'/><ereg regexp='^.*$' \
         search_in='hdr' header='Call-ID:' assign_to='c'/>",
        "a=INFO b= c= x",
    );
}

#[test]
fn ereg_takes_a_header_with_its_leading_blank_as_plain_text() {
    prints(
        "<ereg regexp='.*' search_in='hdr' header='Subject:' assign_to='a'/>\
         <ereg regexp='.*' search_in='hdr' header='To:' assign_to='b'/>\
         <ereg regexp='.*' search_in='hdr' header='X-To:' assign_to='c'/>",
        "a= first b= <sip:alice@192.0.2.1> c= nobody",
    );
}

#[test]
fn ereg_finds_a_later_occurrence_in_any_case_at_line_starts() {
    prints(
        "<ereg regexp='[a-z]+' search_in='hdr' header='SUBJECT:' case_indep='true' occurrence='2' assign_to='a'/>\
         <ereg regexp='[a-z]+' search_in='hdr' header='To:' occurrence='2' assign_to='b'/>\
         <ereg regexp='[a-z]+' search_in='hdr' header='To:' occurrence='2' start_line='true' assign_to='c'/>",
        "a=second b=nobody c=",
    );
}

#[test]
fn ereg_searches_the_body() {
    let message = from_peer_with("INFO", "x", 5, "").replace("Length: 0", "Length: 5") + "Ab\r\nC";
    let outcome = on_message(
        "<ereg regexp='.*' search_in='body' assign_to='a'/>",
        &message,
    );
    assert_eq!(outcome.lines, ["a=Ab\r\nC b= c="]);
}

#[test]
fn ereg_in_a_nop_searches_empty_text() {
    let mut stage = Stage::client(&[
        nop(
            "",
            "<assignstr assign_to='a' value='x'/><assignstr assign_to='b' value='x'/>\
             <ereg regexp='.*' assign_to='a'/><ereg regexp='.+' search_in='body' assign_to='b'/>",
        ),
        log("[$a]|[$b]"),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    assert_eq!(stage.lines, ["|x"]);
}

#[test]
fn ereg_searches_a_variable() {
    prints(
        "<assignstr assign_to='a' value='one two'/><ereg regexp='t..' search_in='var' variable='a' assign_to='b'/>",
        "a=one two b=two c=",
    );
}

#[test]
fn ereg_leaves_variables_alone_that_did_not_take_part() {
    prints(
        "<assignstr assign_to='a' value='old'/><assignstr assign_to='b' value='old'/>\
         <ereg regexp='NOTHING' assign_to='a'/><ereg regexp='INFO|(NOTHING)' assign_to='c,b'/>",
        "a=old b=old c=INFO",
    );
}

#[test]
fn ereg_on_a_missing_header_runs_on_empty_text_unless_it_is_checked() {
    prints(
        "<ereg regexp='.*' search_in='hdr' header='Missing:' assign_to='a'/>\
         <test assign_to='b' variable='a' compare='equal' value='0'/>",
        "a= b=true c=",
    );
    let missing =
        "<ereg regexp='.*' search_in='hdr' header='Missing:' check_it='true' assign_to='a'/>";
    fails(missing, FailReason::RegexpHdrNotFound);
    let empty = "<ereg regexp='.*' search_in='hdr' header='Empty:' check_it='true' assign_to='a'/>";
    fails(empty, FailReason::RegexpHdrNotFound);
}

#[test]
fn a_failed_check_of_ereg_counts_and_stops_the_block() {
    fails(
        "<ereg regexp='NOTHING' check_it='true' assign_to='a'/>",
        FailReason::RegexpDoesntMatch,
    );
    fails(
        "<ereg regexp='INFO' check_it_inverse='true' assign_to='a'/>",
        FailReason::RegexpShouldntMatch,
    );
}

#[test]
fn an_inverse_check_assigns_before_it_fails() {
    let outcome = on_info("<ereg regexp='INFO' check_it_inverse='true' assign_to='a'/>");
    assert_eq!(outcome.lines, ["a=INFO b= c="]);
}

#[test]
fn a_check_that_holds_lets_the_block_go_on() {
    prints(
        "<ereg regexp='INFO' check_it='true' assign_to='a'/>\
         <ereg regexp='NOTHING' check_it_inverse='true' assign_to='b'/><assignstr assign_to='c' value='on'/>",
        "a=INFO b= c=on",
    );
}

#[test]
fn the_last_failed_check_decides_under_what_a_call_counts() {
    let mut stage = Stage::client(&[
        nop(
            "",
            "<test variable='x' compare='equal' value='1' check_it='true'/>",
        ),
        nop(
            "",
            "<strcmp assign_to='y' variable='x' value='text' check_it='true'/>",
        ),
        "<Reference variables='y'/>".to_owned(),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    assert_eq!(stage.take(), ["OPTIONS 1"]);
    stage.assert_failure(FailReason::StrcmpDoesntMatch);
}

#[test]
fn a_failed_check_in_a_send_stops_the_block_and_is_forgotten() {
    let mut stage = Stage::client(&[send_then(
        "OPTIONS",
        "",
        "<ereg regexp='^INVITE' check_it='true' assign_to='x'/><log message='[$x]'/>",
    )]);
    stage.spawn();
    assert!(stage.lines.is_empty(), "{:?}", stage.lines);
    stage.assert_success();
}

#[test]
fn the_actions_of_a_send_see_the_sent_message() {
    let mut stage = Stage::client(&[send_then(
        "OPTIONS",
        "",
        "<ereg regexp='branch=[^ ]*-0' search_in='hdr' header='Via:' assign_to='x'/><log message='[$x]'/>",
    )]);
    stage.spawn();
    assert_eq!(stage.lines, ["branch=z9hG4bK-1-1-0"]);
}

#[test]
fn actions_of_a_recv_still_see_the_message_before_as_the_last() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(180, ""),
        "<recv response='200'><action><log message='[last_CSeq:] [last_X:]'/></action></recv>"
            .to_owned(),
        nop("", "<log message='[last_CSeq:] [last_X:]'/>"),
    ]);
    stage.spawn();
    stage.respond_with(180, "INVITE", "X: 180\r\n");
    stage.respond_with(200, "INVITE", "X: 200\r\n");
    assert_eq!(
        stage.lines,
        ["CSeq: 1 INVITE X: 180", "CSeq: 1 INVITE X: 200"]
    );
}

#[test]
fn the_actions_of_a_pause_run_when_it_starts_and_their_failures_are_ignored() {
    let mut stage = Stage::client(&[
        send("OPTIONS", ""),
        "<pause milliseconds='100'><action><log message='started'/>\
         <test variable='x' compare='equal' value='1' check_it='true'/><assign assign_to='x' value='1'/>\
         </action></pause>"
            .to_owned(),
    ]);
    stage.spawn();
    assert_eq!(stage.lines, ["started"]);
    stage.assert_open();
    stage.advance(100);
    stage.assert_success();
}
