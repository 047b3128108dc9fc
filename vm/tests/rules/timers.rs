// SPDX-License-Identifier: AGPL-3.0-only
//! Repetition by timer, receive timeouts, pauses and the gate between two sends.

use crate::stage::{Stage, from_peer, log, nop, reply, request, response, send};
use gossipper_bytecode::FailReason;

/// A client that repeats a request every 100 ms at first, and waits for a 200.
fn repeats(method: &str) -> Stage {
    let mut stage = Stage::client(&[send(method, "retrans='100'"), response(200, "")]);
    stage.spawn();
    stage
}

#[test]
fn an_invite_is_repeated_five_times_with_doubling_gaps() {
    let mut stage = repeats("INVITE");
    stage.advance(6299);
    assert_eq!(stage.take_times(), [0, 100, 300, 700, 1500, 3100]);
    stage.assert_open();
    stage.advance(1);
    stage.assert_failure(FailReason::MaxUdpRetrans);
    assert_eq!(stage.tally.retransmitted, 5);
    assert_eq!(stage.tally.timed_out, 1);
}

#[test]
fn other_requests_are_repeated_nine_times_with_gaps_up_to_t2() {
    let mut stage = repeats("OPTIONS");
    stage.advance(60_000);
    assert_eq!(
        stage.take_times(),
        [0, 100, 300, 700, 1500, 3100, 6300, 10_300, 14_300, 18_300]
    );
    stage.assert_failure(FailReason::MaxUdpRetrans);
    let length = stage.events.iter().find_map(|event| match event {
        gossipper_vm::StatEvent::Ended { length, .. } => Some(length.as_ms()),
        _ => None,
    });
    assert_eq!(length, Some(22_300));
}

#[test]
fn t2_bounds_the_gaps_of_other_requests_but_not_those_of_an_invite() {
    let parts = |method: &str| [send(method, "retrans='100'"), response(200, "")];
    let mut options = Stage::client_with(&parts("OPTIONS"), |params| params.t2_ms = 200);
    options.spawn();
    options.advance(700);
    assert_eq!(options.take_times(), [0, 100, 300, 500, 700]);
    let mut invite = Stage::client_with(&parts("INVITE"), |params| params.t2_ms = 200);
    invite.spawn();
    invite.advance(700);
    assert_eq!(invite.take_times(), [0, 100, 300, 700]);
}

#[test]
fn the_smaller_of_two_limits_of_repetition_holds() {
    let times = |method: &str, max: u32, max_invite: u32, max_other: u32| {
        let parts = [send(method, "retrans='100'"), response(200, "")];
        let mut stage = Stage::client_with(&parts, |params| {
            params.max_retrans = max;
            params.max_invite_retrans = max_invite;
            params.max_non_invite_retrans = max_other;
        });
        stage.spawn();
        stage.advance(60_000);
        stage.assert_failure(FailReason::MaxUdpRetrans);
        stage.tally.retransmitted
    };
    assert_eq!(times("INVITE", 9, 2, 7), 2);
    assert_eq!(times("INVITE", 1, 2, 7), 1);
    assert_eq!(times("OPTIONS", 9, 2, 7), 7);
    assert_eq!(times("OPTIONS", 3, 2, 7), 3);
    assert_eq!(times("OPTIONS", 0, 2, 7), 0);
}

#[test]
fn a_repetition_is_the_same_bytes() {
    let mut stage = repeats("INVITE");
    stage.advance(100);
    assert_eq!(stage.sent[0].text, stage.sent[1].text);
}

#[test]
fn a_final_response_ends_the_repetition() {
    let mut stage = Stage::client(&[
        send("OPTIONS", "retrans='100'"),
        response(200, ""),
        "<pause milliseconds='9000'/>".to_owned(),
    ]);
    stage.spawn();
    stage.advance(100);
    stage.respond(200, "OPTIONS");
    stage.take();
    stage.advance(8999);
    assert_eq!(stage.take(), [""; 0]);
    stage.advance(1);
    stage.assert_success();
}

#[test]
fn a_provisional_response_ends_the_repetition_of_an_invite() {
    let mut stage = Stage::client(&[
        send("INVITE", "retrans='100'"),
        response(100, "optional='true'"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.respond(100, "INVITE");
    stage.take();
    assert!(!stage.is_armed());
    stage.advance(60_000);
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_open();
}

#[test]
fn a_provisional_response_slows_the_repetition_of_other_requests_to_t2() {
    let mut stage = Stage::client(&[
        send("OPTIONS", "retrans='100'"),
        response(100, "optional='true'"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.advance(50);
    stage.respond(100, "OPTIONS");
    stage.advance(8100);
    assert_eq!(stage.take_times(), [0, 4050, 8050]);
}

#[test]
fn a_response_to_an_earlier_element_does_not_end_the_repetition() {
    let mut stage = Stage::client(&[
        send("OPTIONS", ""),
        response(180, "optional='global' advance_state='false'"),
        response(200, ""),
        send("INFO", "retrans='100'"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.respond(200, "OPTIONS");
    stage.respond(180, "OPTIONS");
    stage.take();
    stage.advance(100);
    assert_eq!(stage.take(), ["INFO 2"]);
}

#[test]
fn a_request_that_is_no_answer_does_not_end_the_repetition_of_a_200() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, "retrans='100'"),
        request("INFO", ""),
        request("ACK", ""),
        "<pause milliseconds='5000'/>".to_owned(),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer("INFO", "x", 2));
    stage.take();
    stage.advance(100);
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    stage.deliver(&from_peer("ACK", "x", 1));
    stage.advance(4000);
    assert_eq!(stage.take(), [""; 0]);
}

#[test]
fn a_200_is_repeated_by_the_rules_of_other_requests_until_its_ack_is_missed() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, "retrans='100'"),
        request("ACK", ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.advance(60_000);
    assert_eq!(stage.take_times().len(), 10);
    stage.assert_failure(FailReason::MaxUdpRetrans);
}

#[test]
fn a_bye_ends_the_repetition_of_a_200_whose_ack_was_lost() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, "retrans='100'"),
        request("ACK", "optional='true'"),
        request("BYE", ""),
        reply(200, ""),
        "<timewait milliseconds='4000'/>".to_owned(),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer("BYE", "x", 2));
    assert_eq!(stage.take(), ["200 INVITE 1", "200 BYE 2"]);
    stage.advance(4000);
    assert_eq!(stage.take(), [""; 0]);
    stage.assert_success();
}

#[test]
fn nothing_is_repeated_without_retrans_with_nr_or_on_a_reliable_transport() {
    let mut plain = Stage::client(&[send("INVITE", ""), response(200, "")]);
    plain.spawn();
    assert!(!plain.is_armed());
    let parts = [send("INVITE", "retrans='100'"), response(200, "")];
    let mut nr = Stage::client_with(&parts, |params| params.retransmit = false);
    nr.spawn();
    assert!(!nr.is_armed());
    let mut tcp = Stage::client_with(&parts, |params| params.unreliable = false);
    tcp.spawn();
    assert!(!tcp.is_armed());
}

#[test]
fn a_send_waits_while_an_earlier_one_is_repeated() {
    for attributes in ["retrans='100'", ""] {
        let mut stage = Stage::client(&[
            send("OPTIONS", "retrans='100'"),
            send("INFO", attributes),
            response(200, ""),
        ]);
        stage.spawn();
        stage.advance(100);
        assert_eq!(stage.take(), ["OPTIONS 1", "OPTIONS 1"], "{attributes}");
        stage.assert_open();
    }
}

#[test]
fn a_message_that_ends_the_repetition_lets_the_waiting_send_go() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, "retrans='100'"),
        request("ACK", "optional='global' advance_state='false'"),
        request("INFO", ""),
        reply(200, ""),
        request("BYE", ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.deliver(&from_peer("INFO", "x", 2));
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    stage.deliver(&from_peer("ACK", "x", 1));
    assert_eq!(stage.take(), ["200 INFO 2"]);
    assert!(!stage.is_armed());
}

#[test]
fn sends_without_retrans_follow_each_other_at_once() {
    let mut stage = Stage::client(&[
        send("OPTIONS", ""),
        send("INFO", ""),
        send("MESSAGE", "retrans='100'"),
        response(200, ""),
    ]);
    stage.spawn();
    assert_eq!(stage.take(), ["OPTIONS 1", "INFO 2", "MESSAGE 3"]);
}

#[test]
fn a_pause_is_not_held_up_by_a_repetition() {
    let mut stage = Stage::client(&[
        send("OPTIONS", "retrans='100'"),
        "<pause milliseconds='150'/>".to_owned(),
        log("paused"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.advance(150);
    assert_eq!(stage.lines, ["paused"]);
    stage.advance(150);
    assert_eq!(stage.take_times(), [0, 100, 300]);
}

#[test]
fn a_pause_takes_its_length_from_the_run_a_number_or_a_variable() {
    let length = |pause: &str, variable: &str| {
        let parts = [
            nop("", &format!("<assign assign_to='x' value='{variable}'/>")),
            pause.to_owned(),
            "<Reference variables='x'/>".to_owned(),
            send("OPTIONS", ""),
        ];
        let mut stage = Stage::client_with(&parts, |params| params.pause_ms = 70);
        stage.spawn();
        stage.advance(100_000);
        stage.assert_success();
        stage.take_times()[0]
    };
    assert_eq!(length("<pause/>", "1"), 70);
    assert_eq!(length("<pause milliseconds='30'/>", "1"), 30);
    assert_eq!(length("<pause variable='x'/>", "12.9"), 12);
    assert_eq!(length("<pause variable='x'/>", "-5"), 0);
    assert_eq!(length("<pause variable='x'/>", "0.5"), 0);
    assert_eq!(length("<pause distribution='fixed' value='40'/>", "1"), 40);
}

#[test]
fn a_uniform_pause_stays_between_its_bounds() {
    let mut stage = Stage::client(&[
        "<pause min='100' max='200'/>".to_owned(),
        send("OPTIONS", ""),
    ]);
    for _ in 0..500 {
        stage.spawn();
    }
    stage.advance(99);
    assert_eq!(stage.take_times(), [0; 0]);
    stage.advance(102);
    let mut times = stage.take_times();
    assert_eq!(times.len(), 500);
    times.dedup();
    assert!(times.len() > 50, "only {} lengths of 101", times.len());
}

#[test]
fn a_receive_times_out_after_its_own_timeout_or_that_of_the_run() {
    let fails_at = |attributes: &str, default: u32| {
        let parts = [send("OPTIONS", ""), response(200, attributes)];
        let mut stage = Stage::client_with(&parts, |params| params.recv_timeout_ms = default);
        stage.spawn();
        for at in [100, 250] {
            stage.advance(at - stage.now_ms());
            if stage.end().is_some() {
                stage.assert_failure(FailReason::TimeoutOnRecv);
                assert_eq!(stage.tally.timed_out, 1);
                return at;
            }
        }
        0
    };
    assert_eq!(fails_at("timeout='100'", 0), 100);
    assert_eq!(fails_at("", 250), 250);
    assert_eq!(fails_at("timeout='100'", 250), 100);
    assert_eq!(fails_at("", 0), 0);
}

#[test]
fn the_timeout_of_a_mandatory_receive_holds_behind_optional_ones() {
    let mut stage = Stage::client(&[
        send("OPTIONS", ""),
        response(100, "optional='true'"),
        response(180, "optional='true'"),
        response(200, "timeout='100'"),
    ]);
    stage.spawn();
    stage.advance(100);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

#[test]
fn a_message_that_leaves_the_call_at_its_element_does_not_put_the_timeout_off() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(180, "optional='true' advance_state='false'"),
        response(200, "timeout='100'"),
    ]);
    stage.spawn();
    stage.advance(60);
    stage.respond(180, "INVITE");
    stage.advance(40);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

#[test]
fn a_timeout_with_ontimeout_goes_on_at_its_label() {
    let mut stage = Stage::client(&[
        send("OPTIONS", ""),
        response(200, "timeout='100' ontimeout='late'"),
        log("answered"),
        "<label id='late'/>".to_owned(),
        log("late"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.advance(100);
    assert_eq!(stage.lines, ["late"]);
    assert_eq!(stage.tally.timed_out, 1);
    stage.respond(200, "OPTIONS");
    stage.assert_success();
}

#[test]
fn an_ontimeout_label_behind_the_last_element_fails_the_call() {
    let mut stage = Stage::client(&[
        send("OPTIONS", ""),
        response(200, "timeout='100' ontimeout='end'"),
        "<label id='end'/>".to_owned(),
    ]);
    stage.spawn();
    stage.advance(100);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

#[test]
fn repetitions_that_run_out_follow_the_ontimeout_of_the_sent_element() {
    let mut stage = Stage::client(&[
        send("INVITE", "retrans='100' ontimeout='silent'"),
        response(200, ""),
        send("ACK", ""),
        "<label id='silent'/>".to_owned(),
        log("silent"),
    ]);
    stage.spawn();
    stage.advance(6300);
    assert_eq!(stage.lines, ["silent"]);
    assert_eq!(stage.tally.timed_out, 1);
    stage.assert_success();
}

#[test]
fn an_ontimeout_taken_in_a_pause_ends_the_pause() {
    let mut stage = Stage::client(&[
        send("INVITE", "retrans='100' ontimeout='silent'"),
        "<pause milliseconds='100000'/>".to_owned(),
        log("paused to the end"),
        "<label id='silent'/>".to_owned(),
        log("silent"),
        request("BYE", ""),
    ]);
    stage.spawn();
    stage.advance(6300);
    assert_eq!(stage.lines, ["silent"]);
    assert!(!stage.is_armed(), "the pause still has a deadline");
}

#[test]
fn a_call_that_times_out_hangs_up_as_its_state_asks() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(180, "optional='true'"),
        response(200, "timeout='100'"),
    ]);
    stage.spawn();
    stage.respond(180, "INVITE");
    stage.take();
    stage.advance(100);
    assert_eq!(stage.take(), ["CANCEL 1"]);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

#[test]
fn a_message_lost_on_sending_counts_as_sent_and_is_repeated() {
    let mut stage = Stage::client(&[
        send("OPTIONS", "retrans='100' lost='100'"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.advance(100);
    assert_eq!(stage.take(), [""; 0]);
    assert_eq!(stage.tally.sent[&0], 1);
    assert_eq!(stage.tally.lost, 2);
    assert_eq!(stage.tally.retransmitted, 1);
}

#[test]
fn an_own_loss_of_nought_overrides_that_of_the_run() {
    let parts = [send("OPTIONS", "lost='0'"), send("INFO", "")];
    let mut stage = Stage::client_with(&parts, |params| params.lost_percent = 100.0);
    stage.spawn();
    assert_eq!(stage.take(), ["OPTIONS 1"]);
}

#[test]
fn a_timer_of_an_old_generation_does_nothing() {
    use gossipper_testkit::pair;
    use gossipper_vm::{Engine, Image, Input, Micros, OutBuf, Output};
    let xml = crate::stage::scenario(&[send("OPTIONS", "retrans='100'"), response(200, "")]);
    let image = Image::link(pair::program("test", &xml), pair::client_params()).expect("links");
    let mut engine = Engine::new(image.into());
    let mut out = OutBuf::new();
    engine.handle(
        Micros(0),
        Input::Spawn {
            user: 0,
            due: Micros(0),
        },
        &mut out,
    );
    let armed = out.records().iter().find_map(|output| match *output {
        Output::Arm {
            call, generation, ..
        } => Some((call, generation)),
        _ => None,
    });
    let (call, generation) = armed.expect("the repetition is armed");
    out.clear();
    for stale in [generation.wrapping_sub(1), generation + 1] {
        engine.handle(
            Micros::from_ms(100),
            Input::Timer {
                call,
                generation: stale,
            },
            &mut out,
        );
    }
    assert!(out.records().is_empty(), "{:?}", out.records());
}

#[test]
fn a_bye_is_waited_for_longer_unless_the_step_says_how_long() {
    let waits = |own: &str| {
        let parts = [
            request("INVITE", ""),
            reply(200, ""),
            request("BYE", own),
            reply(200, ""),
        ];
        let mut stage = Stage::server_with(&parts, |params| {
            params.recv_timeout_ms = 500;
            params.recv_bye_timeout_ms = 9000;
        });
        stage.deliver(&from_peer("INVITE", "a", 1));
        stage
    };
    let mut stage = waits("");
    stage.advance(8999);
    stage.assert_open();
    stage.advance(1);
    stage.assert_failure(FailReason::TimeoutOnRecv);
    let mut stage = waits("timeout=\"100\"");
    stage.advance(100);
    stage.assert_failure(FailReason::TimeoutOnRecv);
    // Other requests are not, and without a timeout there is none for a BYE either.
    let adjust = |ms: u32| {
        move |params: &mut gossipper_vm::RunParams| {
            params.recv_timeout_ms = ms;
            params.recv_bye_timeout_ms = 9000;
        }
    };
    let mut info = Stage::client_with(&[send("INFO", ""), response(200, "")], adjust(500));
    info.spawn();
    info.advance(500);
    info.assert_failure(FailReason::TimeoutOnRecv);
    let parts = [send("INFO", ""), request("BYE", "")];
    let mut patient = Stage::client_with(&parts, adjust(0));
    patient.spawn();
    patient.advance(90_000);
    patient.assert_open();
}

#[test]
fn what_comes_too_late_is_said_in_the_words_that_logs_are_searched_for() {
    let warned = |parts: &[String]| {
        let mut stage = Stage::client_with(parts, |params| params.max_non_invite_retrans = 1);
        stage.spawn();
        stage.advance(3_000);
        stage.warnings.join("\n")
    };
    let label = || "<label id='late'/>".to_owned();
    let fails = warned(&[send("OPTIONS", ""), response(200, "timeout='100'")]);
    assert!(
        fails.ends_with(":1 without label to jump to (ontimeout attribute): aborting call"),
        "{fails}"
    );
    assert!(fails.contains(", receive timeout on message "), "{fails}");
    let jumps = warned(&[
        send("OPTIONS", ""),
        response(200, "timeout='100' ontimeout='late'"),
        log("answered"),
        label(),
        log("late"),
    ]);
    assert!(jumps.ends_with(":1, jumping to label 3"), "{jumps}");
    let lost = warned(&[send("OPTIONS", "retrans='100'"), response(200, "")]);
    assert!(
        lost.starts_with("Aborting call on UDP retransmission timeout for Call-ID '")
            && lost.ends_with('\''),
        "{lost}"
    );
    let jumps = warned(&[
        send("OPTIONS", "retrans='100' ontimeout='late'"),
        response(200, ""),
        label(),
        log("late"),
    ]);
    assert!(
        jumps.ends_with(", timeout on max UDP retrans for message 1, jumping to label 2"),
        "{jumps}"
    );
}
