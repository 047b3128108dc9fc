// SPDX-License-Identifier: AGPL-3.0-only
//! Commands between twins: which call they open, which step takes them, and what ends a call on both sides.

use crate::stage::{Stage, from_peer, header, log, nop, reply, request, response, scenario, send};
use gossipper_bytecode::FailReason;
use gossipper_testkit::pair;
use gossipper_vm::{CallEnd, Image, Input, LinkError, RunParams, StatEvent, TwinMode};

/// The Call-ID of the first call of a client.
const CALL: &str = "1-1@192.0.2.1";

fn one(params: &mut RunParams) {
    params.twin = Some(TwinMode::One);
}

fn named(params: &mut RunParams) {
    params.twin = Some(TwinMode::Named);
}

fn send_command(attributes: &str, lines: &str) -> String {
    format!("<sendCmd {attributes}><![CDATA[\nCall-ID: [call_id]\n{lines}\n]]></sendCmd>")
}

fn recv_command(attributes: &str, actions: &str) -> String {
    let action = if actions.is_empty() {
        String::new()
    } else {
        format!("<action>{actions}</action>")
    };
    format!("<recvCmd {attributes}>{action}</recvCmd>")
}

/// Keeps the command and prints it.
fn keep() -> String {
    recv_command(
        "",
        "<ereg regexp='.*' search_in='msg' assign_to='1'/><log message='<[$1]>'/>",
    )
}

fn command(call: &str, more: &str) -> String {
    format!("Call-ID: {call}\r\n{more}\r\n")
}

/// Commanded by a twin, calls somebody.
fn commanded() -> [String; 4] {
    [
        keep(),
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
    ]
}

fn commanded_stage() -> Stage {
    Stage::client_with(&commanded(), one)
}

// ---- opening calls

#[test]
fn a_command_with_an_unknown_call_id_opens_a_call_that_counts_as_outgoing() {
    let mut stage = commanded_stage();
    stage.command(&command("x", "A: b\r\n"));
    assert_eq!(stage.take(), ["INVITE 1"]);
    let sent = stage.sent.last().expect("an INVITE");
    assert_eq!(sent.to.to_string(), "192.0.2.2:5060");
    assert_eq!(header(&sent.text, "Call-ID"), Some("x"));
    assert_eq!(stage.lines, ["<Call-ID: x\r\nA: b>"]);
    let incoming = stage.events.iter().find_map(|event| match event {
        StatEvent::Created { incoming, .. } => Some(*incoming),
        _ => None,
    });
    assert_eq!(incoming, Some(false));
}

#[test]
fn a_prefix_of_the_call_id_is_cut_as_in_messages() {
    let mut stage = commanded_stage();
    stage.command(&command("leg///x", ""));
    stage.take();
    assert_eq!(header(stage.last(), "Call-ID"), Some("x"));
}

#[test]
fn who_opens_calls_itself_drops_commands_for_calls_it_does_not_have() {
    let parts = [send_command("", "X: y"), recv_command("", "")];
    let mut stage = Stage::client_with(&parts, one);
    stage.command(&command("x", ""));
    assert_eq!((stage.open(), stage.tally.out_of_call), (0, 1));
}

#[test]
fn a_message_with_an_unknown_call_id_opens_a_call_too_and_goes_to_the_remote_host() {
    let parts = [
        recv_command("optional='true'", ""),
        request("INVITE", ""),
        reply(200, ""),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.deliver_from("203.0.113.9:7000", from_peer("INVITE", "x", 1).as_bytes());
    stage.assert_success();
    let answer = stage.sent.last().expect("a 200");
    assert_eq!(answer.to.to_string(), "192.0.2.2:5060");
}

#[test]
fn without_a_remote_host_the_first_message_says_where_to_send() {
    let parts = [keep(), request("INVITE", ""), reply(200, "")];
    let mut stage = Stage::server_with(&parts, one);
    stage.command(&command("x", ""));
    stage.deliver_from("203.0.113.9:7000", from_peer("INVITE", "x", 1).as_bytes());
    stage.assert_success();
    let answer = stage.sent.last().expect("a 200");
    assert_eq!(answer.to.to_string(), "203.0.113.9:7000");
}

#[test]
fn a_command_for_a_call_that_has_ended_opens_none() {
    let parts = [keep(), send_command("", "done")];
    let mut stage = Stage::client_with(&parts, one);
    stage.command(&command("x", ""));
    stage.assert_success();
    stage.command(&command("x", ""));
    assert_eq!((stage.tally.dead_call, stage.tally.created), (1, 1));
}

#[test]
fn a_command_without_call_id_is_discarded() {
    let mut stage = commanded_stage();
    stage.command("Note: x\r\n\r\n");
    stage.command("");
    assert_eq!((stage.open(), stage.tally.discarded), (0, 2));
}

#[test]
fn nops_before_the_first_command_run_before_it_is_taken() {
    let parts = [log("first"), keep()];
    let mut stage = Stage::client_with(&parts, one);
    stage.command(&command("x", ""));
    assert_eq!(stage.lines, ["first", "<Call-ID: x>"]);
    stage.assert_success();
}

#[test]
fn commands_wait_while_the_call_has_used_up_its_turn() {
    let loops = 600;
    let parts = [
        nop("", "<assign assign_to='n' value='0'/>"),
        "<label id='top'/>".to_owned(),
        nop(
            "next='top' test='more'",
            &format!(
                "<add assign_to='n' value='1'/><test variable='n' compare='less_than' value='{loops}' assign_to='more'/>"
            ),
        ),
        keep(),
        keep(),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.command(&command("x", "1: a\r\n"));
    stage.command(&command("x", "2: b\r\n"));
    assert_eq!(stage.lines, [""; 0]);
    while !stage.yielded.is_empty() {
        stage.resume();
    }
    assert_eq!(
        stage.lines,
        ["<Call-ID: x\r\n1: a>", "<Call-ID: x\r\n2: b>"]
    );
    stage.assert_success();
}

// ---- taking commands

#[test]
fn a_command_passes_over_optional_receives() {
    let parts = [
        send("INVITE", ""),
        response(180, "optional='true'"),
        recv_command("optional='true'", "<log message='first'/>"),
        recv_command("", "<log message='second'/>"),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.command(&command(CALL, ""));
    assert_eq!(stage.lines, ["first"]);
    stage.command(&command(CALL, ""));
    assert_eq!(stage.lines, ["first", "second"]);
    stage.assert_success();
}

#[test]
fn a_message_passes_over_optional_commands() {
    let parts = [
        send("INVITE", ""),
        response(180, "optional='true'"),
        recv_command("optional='true'", ""),
        response(200, ""),
        send("ACK", ""),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["INVITE 1", "ACK 1"]);
    stage.assert_success();
}

#[test]
fn a_message_does_not_pass_over_a_mandatory_command() {
    let parts = [send("INVITE", ""), recv_command("", ""), response(200, "")];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn a_command_where_a_message_must_come_first_rejects_the_call() {
    for step in [response(200, ""), "<pause milliseconds='9'/>".to_owned()] {
        let parts = [send("INVITE", ""), step, recv_command("", "")];
        let mut stage = Stage::client_with(&parts, one);
        stage.spawn();
        stage.command(&command(CALL, ""));
        stage.assert_failure(FailReason::CallRejected);
        assert_eq!(stage.take_commands(), [""; 0]);
        assert!(stage.warnings[0].contains("does not expect here (index 1)"));
    }
}

#[test]
fn a_command_leaves_the_last_message_alone() {
    let parts = [
        send("INVITE", ""),
        response(200, ""),
        keep(),
        nop("", "<log message='[last_CSeq:]'/>"),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.command(&command(CALL, "CSeq: 7 COMMAND\r\n"));
    assert_eq!(stage.lines[1], "CSeq: 1 INVITE");
}

#[test]
fn a_failed_check_of_a_command_fails_the_call_at_its_end() {
    let check = "<ereg regexp='no such' search_in='msg' check_it='true' assign_to='_'/>";
    let parts = [recv_command("", check), send_command("", "still sent")];
    let mut stage = Stage::client_with(&parts, one);
    stage.command(&command("x", ""));
    assert_eq!(stage.take_commands(), ["Call-ID: x\r\nstill sent\r\n\r\n"]);
    stage.assert_failure(FailReason::RegexpDoesntMatch);
}

#[test]
fn a_header_of_a_command_can_be_searched() {
    let find =
        "<ereg regexp='.*' search_in='hdr' header='Note:' assign_to='1'/><log message='<[$1]>'/>";
    let mut stage = Stage::client_with(&[recv_command("", find)], one);
    stage.command(&command("x", "Note: here\r\n"));
    assert_eq!(stage.lines, ["< here>"]);
}

#[test]
fn waiting_for_a_command_can_time_out() {
    let parts = [
        send("INVITE", ""),
        response(180, "optional='true'"),
        recv_command("timeout='300' ontimeout='late'", ""),
        send("OPTIONS", ""),
        "<label id='late'/>".to_owned(),
        log("late"),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.advance(299);
    stage.assert_open();
    stage.advance(1);
    assert_eq!(stage.lines, ["late"]);
    stage.assert_success();
    let mut stage = Stage::client_with(&[keep(), keep()], |params| {
        one(params);
        params.recv_timeout_ms = 200;
    });
    stage.command(&command("x", ""));
    stage.advance(200);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

// ---- sending commands

#[test]
fn a_command_is_rendered_without_the_index_of_its_step_and_counted() {
    let parts = [
        nop("", "<assignstr assign_to='note' value='hello'/>"),
        send_command(
            "counter='c' rtd='r' start_rtd='r'",
            "Note: [$note] [msg_index] [branch]",
        ),
        recv_command("", ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| {
        one(params);
        params.pid = 7;
    });
    stage.spawn();
    assert_eq!(
        stage.take_commands(),
        [format!(
            "Call-ID: {}\r\nNote: hello -1 z9hG4bK-7-1--1\r\n\r\n",
            CALL.replacen("-1@", "-7@", 1)
        )]
    );
    assert_eq!(stage.tally.sent.get(&1), Some(&1));
    assert_eq!(stage.tally.counters.get(&0), Some(&1));
}

#[test]
fn a_command_waits_for_the_answer_to_a_request_that_is_being_repeated() {
    let parts = [
        send("INVITE", "retrans='500'"),
        send_command("", "after"),
        recv_command("", ""),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.advance(400);
    assert_eq!(stage.take_commands(), [""; 0]);
}

#[test]
fn a_command_that_cannot_be_handed_on_fails_the_call() {
    let parts = [send_command("", "x"), recv_command("", "")];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    let call = stage.twin_call.expect("the call that sent it");
    stage.handle(Input::TwinFailed { call });
    stage.assert_failure(FailReason::CmdNotSent);
    // It is gone, and so a second report has nothing to say.
    stage.handle(Input::TwinFailed { call });
    stage.assert_failure(FailReason::CmdNotSent);
}

#[test]
fn what_a_peer_wrote_cannot_end_a_command_early() {
    let parts = [
        request("INFO", "").replace(
            "/>",
            "><action><ereg regexp='Note:.*' search_in='msg' assign_to='1'/></action></recv>",
        ),
        send_command("", "[$1]"),
    ];
    let mut stage = Stage::server_with(&parts, one);
    let info = from_peer("INFO", "x", 1)
        .replace("Content-Length", "Note: \u{1b}Call-ID: y\r\nContent-Length");
    stage.deliver(&info);
    assert_eq!(stage.take_commands(), [""; 0]);
    stage.assert_failure(FailReason::CmdNotSent);
}

// ---- ending calls on both sides

fn caller() -> Stage {
    let parts = [
        send("INVITE", ""),
        response(200, ""),
        send("ACK", ""),
        send_command("", "go"),
        response(200, ""),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.take();
    assert_eq!(stage.take_commands().len(), 1);
    stage
}

const ABORT: &str = "call-id: 1-1@192.0.2.1\r\ninternal-cmd: abort_call\r\n\r\n";

#[test]
fn an_unexpected_message_ends_the_call_of_the_twin_too() {
    let mut stage = caller();
    stage.deliver(&from_peer("MESSAGE", CALL, 1));
    assert_eq!(stage.take_commands(), [ABORT]);
    assert_eq!(stage.take(), ["BYE 2"]);
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn an_unexpected_bye_ends_the_call_of_the_twin_too() {
    for method in ["BYE", "CANCEL"] {
        let mut stage = caller();
        stage.deliver(&from_peer(method, CALL, 1));
        assert_eq!(stage.take_commands(), [ABORT]);
        assert_eq!(stage.take(), [format!("200 {method} 1")]);
        stage.assert_failure(FailReason::UnexpectedMessage);
    }
}

#[test]
fn the_twin_hears_nothing_of_what_is_ignored_or_ends_at_the_first_step() {
    let mut stage = Stage::client_with(&commanded(), one);
    stage.deliver(&from_peer("MESSAGE", "x", 1));
    stage.assert_failure(FailReason::UnexpectedMessage);
    assert_eq!(stage.take_commands(), [""; 0]);
    let parts = [send("INVITE", ""), recv_command("", "")];
    let mut stage = Stage::client_with(&parts, |params| {
        one(params);
        params.behaviors.abort_unexpected = false;
    });
    stage.spawn();
    stage.deliver(&from_peer("BYE", CALL, 1));
    stage.deliver(&from_peer("MESSAGE", CALL, 2));
    assert_eq!(stage.take_commands(), [""; 0]);
    stage.assert_open();
}

#[test]
fn the_command_that_ends_a_call_can_be_replaced() {
    let parts = [
        "<DefaultMessage id='3pcc_abort'><![CDATA[\nCall-ID: [call_id]\ninternal-cmd: abort_call\nWhy: [last_CSeq:]\n]]></DefaultMessage>".to_owned(),
        send("INVITE", ""),
        response(200, ""),
        recv_command("", ""),
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.spawn();
    stage.respond(200, "INVITE");
    stage.deliver(&from_peer("MESSAGE", CALL, 1));
    assert_eq!(
        stage.take_commands(),
        [format!(
            "Call-ID: {CALL}\r\ninternal-cmd: abort_call\r\nWhy: CSeq: 1 INVITE\r\n\r\n"
        )]
    );
}

#[test]
fn the_twin_ends_a_call_wherever_it_is() {
    let mut stage = caller();
    stage.command(ABORT);
    assert_eq!(stage.take(), ["BYE 2"]);
    stage.assert_failure(FailReason::Aborted);
    // Whoever was told does not tell back.
    assert_eq!(stage.take_commands(), [""; 0]);
}

// ---- several peers

fn master() -> [String; 4] {
    [
        send_command("dest='s1'", "From: m"),
        recv_command("src='s1'", "<log message='s1'/>"),
        send_command("dest='s2'", "From: m"),
        recv_command("src='s2'", "<log message='s2'/>"),
    ]
}

#[test]
fn commands_go_to_the_peer_of_dest_and_come_from_that_of_src() {
    let mut stage = Stage::client_with(&master(), named);
    stage.spawn();
    stage.command(&command(CALL, "From: s1\r\n"));
    stage.command(&command(CALL, "from:  s2 \r\n"));
    assert_eq!(stage.lines, ["s1", "s2"]);
    stage.assert_success();
    let peers: Vec<_> = stage.twin.iter().map(|(peer, _)| peer.as_deref()).collect();
    assert_eq!(peers, [Some("s1"), Some("s2")]);
}

#[test]
fn a_command_of_another_peer_rejects_the_call() {
    for from in ["From: s2\r\n", ""] {
        let mut stage = Stage::client_with(&master(), named);
        stage.spawn();
        stage.command(&command(CALL, from));
        stage.assert_failure(FailReason::CallRejected);
        assert!(stage.warnings[0].contains("another peer than `src`"));
    }
}

#[test]
fn with_one_twin_the_names_do_not_count() {
    let mut stage = Stage::client_with(&master(), one);
    stage.spawn();
    stage.command(&command(CALL, ""));
    assert_eq!(stage.lines, ["s1"]);
}

#[test]
fn only_peers_that_know_of_a_call_hear_of_its_end() {
    let mut stage = Stage::client_with(&master(), named);
    stage.spawn();
    stage.command(&command(CALL, "From: s1\r\n"));
    stage.twin.clear();
    stage.deliver(&from_peer("MESSAGE", CALL, 1));
    let mut told: Vec<_> = stage.twin.iter().map(|(peer, _)| peer.as_deref()).collect();
    told.sort_unstable();
    assert_eq!(told, [Some("s1"), Some("s2")]);
    assert_eq!(
        stage.end(),
        Some(CallEnd::Failure(FailReason::UnexpectedMessage))
    );

    let mut stage = Stage::client_with(&master(), named);
    stage.spawn();
    stage.twin.clear();
    stage.deliver(&from_peer("MESSAGE", CALL, 1));
    let told: Vec<_> = stage.twin.iter().map(|(peer, _)| peer.as_deref()).collect();
    assert_eq!(told, [Some("s1")]);
}

// ---- commands that may be left out

#[test]
fn an_optional_command_in_front_of_what_is_no_receive_is_waited_for_in_vain_for_a_while() {
    let optional = |attributes: &str| recv_command(&format!("optional='true' {attributes}"), "");
    let waiting = |attributes: &str| {
        let parts = [
            "<label id='top'/>".to_owned(),
            optional(attributes),
            send("OPTIONS", ""),
            response(200, ""),
        ];
        let mut stage = Stage::client_with(&parts, one);
        stage.spawn();
        stage
    };
    let mut stage = waiting("");
    stage.advance(249);
    assert_eq!(stage.take(), [""; 0]);
    stage.advance(1);
    assert_eq!(stage.take(), ["OPTIONS 1"]);
    stage.respond(200, "OPTIONS");
    stage.assert_success();
    // Its own timeout comes first, and a command first of all. Only that takes `next` along.
    let mut stage = waiting("timeout='20' next='top'");
    stage.command(&command(CALL, ""));
    assert_eq!(stage.take(), [""; 0]);
    stage.advance(20);
    assert_eq!(stage.take(), ["OPTIONS 1"]);
    let mut stage = waiting("");
    stage.command(&command(CALL, ""));
    assert_eq!(stage.take(), ["OPTIONS 1"]);
    stage.advance(300);
    stage.assert_open();
}

#[test]
fn an_optional_command_waits_with_the_receives_behind_it_unless_the_run_gives_it_a_time() {
    let run = |ms| {
        let parts = [
            send("OPTIONS", ""),
            recv_command("optional='true'", ""),
            response(200, "timeout='1000'"),
            recv_command("optional='true'", ""),
        ];
        let mut stage = Stage::client_with(&parts, |params| {
            one(params);
            params.optional_command_ms = ms;
        });
        stage.spawn();
        stage
    };
    // As in SIPp: the message passes the command over, and behind the last receive nothing ends the wait.
    let mut stage = run(0);
    stage.advance(999);
    stage.assert_open();
    stage.respond(200, "OPTIONS");
    stage.advance(60_000);
    stage.assert_open();
    stage.command(&command(CALL, ""));
    stage.assert_success();
    // As in Gossipper: 250 ms, and only then the second.
    let mut stage = run(250);
    stage.advance(1249);
    stage.assert_open();
    stage.respond(200, "OPTIONS");
    stage.advance(249);
    stage.assert_open();
    stage.advance(1);
    stage.assert_success();
    let mut stage = run(250);
    stage.advance(1250);
    stage.assert_failure(FailReason::TimeoutOnRecv);
}

// ---- what a run needs

#[test]
fn a_scenario_with_commands_needs_a_twin_and_among_several_their_names() {
    let link = |parts: &[String], twin| {
        let params = RunParams {
            twin,
            ..pair::client_params()
        };
        Image::link(pair::program("test", &scenario(parts)), params).map(|_| ())
    };
    assert_eq!(link(&commanded(), None), Err(LinkError::NoTwin));
    assert_eq!(link(&commanded(), Some(TwinMode::One)), Ok(()));
    let error = link(&commanded(), Some(TwinMode::Named)).expect_err("names no peer");
    assert_eq!(
        error.to_string(),
        "line 3: `recvCmd` needs `src`, the name of a peer, since there is more than one twin"
    );
    assert_eq!(link(&master(), Some(TwinMode::Named)), Ok(()));
}

#[test]
fn who_is_commanded_to_call_needs_a_remote_host_and_who_only_commands_does_not() {
    let link = |parts: &[String]| {
        let params = RunParams {
            twin: Some(TwinMode::One),
            ..pair::server_params()
        };
        Image::link(pair::program("test", &scenario(parts)), params).map(|_| ())
    };
    assert_eq!(link(&commanded()), Err(LinkError::NoDestination));
    assert_eq!(link(&[send_command("", "x"), recv_command("", "")]), Ok(()));
    assert_eq!(link(&[keep(), send_command("", "x")]), Ok(()));
}
