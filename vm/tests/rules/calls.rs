// SPDX-License-Identifier: AGPL-3.0-only
//! Birth, end and afterlife of calls; jumps, loops, shared variables.

use crate::stage::{Stage, from_peer, header, log, nop, reply, request, response, scenario, send};
use gossipper_bytecode::FailReason;
use gossipper_testkit::pair;
use gossipper_vm::{
    CallControl, CallEnd, CallIdFormat, Image, LinkError, Micros, RunParams, StatEvent,
};
use std::sync::Arc;

fn answerer() -> Stage {
    Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        request("BYE", ""),
        reply(200, ""),
    ])
}

// ---- births

#[test]
fn a_server_answers_to_the_source_of_the_first_message() {
    let mut stage = answerer();
    stage.deliver_from("198.51.100.7:4321", from_peer("INVITE", "x", 1).as_bytes());
    stage.deliver_from("198.51.100.8:9", from_peer("ACK", "x", 1).as_bytes());
    stage.deliver_from("198.51.100.8:9", from_peer("BYE", "x", 2).as_bytes());
    let to: Vec<_> = stage.sent.iter().map(|sent| sent.to.to_string()).collect();
    assert_eq!(to, ["198.51.100.7:4321", "198.51.100.7:4321"]);
    stage.assert_success();
}

#[test]
fn with_rsa_a_server_sends_there_instead() {
    let parts = [request("INVITE", ""), reply(200, "")];
    let mut stage = Stage::server_with(&parts, |params| {
        params.destination = Some("203.0.113.5:5070".parse().expect("an address"));
        params.send_to_destination = true;
    });
    stage.deliver(&from_peer("INVITE", "x", 1));
    assert_eq!(stage.sent[0].to.to_string(), "203.0.113.5:5070");
}

#[test]
fn any_message_opens_a_call_in_server_mode_responses_too() {
    let mut stage = answerer();
    let stray = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n\
                 Call-ID: stray\r\nCSeq: 1 INVITE\r\n\r\n";
    stage.deliver(stray);
    assert_eq!(stage.tally.created, 1);
    assert_eq!(stage.tally.out_of_call, 0);
    stage.assert_failure(FailReason::UnexpectedMessage);
    assert!(stage.events.contains(&StatEvent::Created {
        incoming: true,
        late: Micros(0)
    }));
}

#[test]
fn a_server_runs_its_first_nops_before_it_takes_the_first_message() {
    let mut stage = Stage::server(&[
        nop("", "<assignstr assign_to='who' value='nop'/>"),
        log("first [$who]"),
        request("INVITE", ""),
        log("then [last_CSeq:]"),
        reply(200, ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 3));
    assert_eq!(stage.lines, ["first nop", "then CSeq: 3 INVITE"]);
    stage.assert_success();
}

#[test]
fn a_first_message_waits_for_nops_that_use_up_the_budget() {
    let mut stage = Stage::server(&[
        "<label id='again'/>".to_owned(),
        nop(
            "next='again' test='more'",
            "<add assign_to='n' value='1'/>\
             <test assign_to='more' variable='n' compare='less_than' value='1000'/>",
        ),
        request("INVITE", ""),
        reply(200, ""),
    ]);
    stage.deliver(&from_peer("INVITE", "x", 3));
    assert_eq!(stage.take(), [""; 0]);
    let mut turns = 0;
    while !stage.yielded.is_empty() {
        stage.resume();
        turns += 1;
        assert!(turns < 100, "1000 steps take no 100 turns");
    }
    assert!(turns >= 2, "{turns}");
    assert_eq!(stage.take(), ["200 INVITE 3"]);
}

#[test]
fn a_call_id_is_known_without_its_prefix_before_three_slashes() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, ""),
        request("ACK", ""),
        log("[call_id]"),
        request("BYE", ""),
    ]);
    stage.deliver(&from_peer("INVITE", "out///in///real", 1));
    assert_eq!(header(stage.last(), "Call-ID"), Some("out///in///real"));
    stage.deliver(&from_peer("ACK", "in///real", 1));
    assert_eq!(
        stage.tally.created, 2,
        "only the first `///` is a separator"
    );
    stage.deliver(&from_peer("ACK", "other///in///real", 1));
    assert_eq!(stage.lines, ["in///real"]);
}

#[test]
fn with_callid_slash_ign_slashes_are_ordinary() {
    let parts = [request("INVITE", ""), reply(200, ""), request("ACK", "")];
    let mut stage = Stage::server_with(&parts, |params| params.ignore_call_id_slashes = true);
    stage.deliver(&from_peer("INVITE", "a///x", 1));
    stage.deliver(&from_peer("INVITE", "b///x", 1));
    assert_eq!(stage.open(), 2);
}

#[test]
fn what_is_no_sip_message_is_discarded_and_counted() {
    let mut stage = answerer();
    stage.deliver("hello\r\n\r\n");
    stage.deliver("INVITE sip:a SIP/2.0\r\nFrom: a\r\n\r\n");
    assert_eq!(stage.tally.discarded, 2);
    assert_eq!(stage.warnings.len(), 2);
    stage.deliver("\r\n\r\n");
    stage.deliver_from("192.0.2.2:5060", &[0; 4]);
    assert_eq!(stage.tally.discarded, 2);
    assert_eq!(stage.warnings.len(), 2);
    assert_eq!(stage.tally.created, 0);
}

#[test]
fn calls_are_numbered_from_one_and_init_takes_the_first_number() {
    let mut plain = Stage::client(&[send("OPTIONS", ""), log("[call_number]")]);
    plain.spawn();
    plain.spawn();
    assert_eq!(plain.lines, ["1", "2"]);
    let mut with_init = Stage::client(&[
        format!("<init>{}</init>", log("init [call_number] [call_id]")),
        send("OPTIONS", ""),
        log("[call_number]"),
    ]);
    with_init.spawn();
    assert_eq!(with_init.lines, ["init 1 ///main-init", "2"]);
}

fn call_ids(format: &str, seed: u64) -> Vec<String> {
    let parts = [send("OPTIONS", ""), log("[call_id]")];
    let mut stage = Stage::client_with(&parts, |params| {
        params.call_id = CallIdFormat::parse(format);
        params.pid = 4711;
        params.seed = seed;
    });
    stage.spawn();
    stage.spawn();
    stage.lines
}

#[test]
fn call_ids_follow_their_format() {
    assert_eq!(
        call_ids(CallIdFormat::DEFAULT, 1),
        ["1-4711@192.0.2.1", "2-4711@192.0.2.1"]
    );
    assert_eq!(call_ids("a%%b%u%x%", 1), ["a%b1%%", "a%b2%%"]);
    let random = call_ids("%u.%r", 1);
    let parts: Vec<_> = random
        .iter()
        .map(|id| id.split_once('.').expect("a dot"))
        .collect();
    assert!(
        parts.iter().all(|(_, r)| r.parse::<u32>().is_ok()),
        "{random:?}"
    );
    assert_ne!(parts[0].1, parts[1].1);
    assert_eq!(random, call_ids("%u.%r", 1), "the same seed");
    assert_ne!(random, call_ids("%u.%r", 2), "another seed");
}

#[test]
fn call_ids_of_a_type_differ_and_tell_when_the_call_began() {
    let parts = [send("OPTIONS", ""), log("[call_id]")];
    let ids = |name: &str| {
        let mut stage = Stage::client_with(&parts, |params| {
            params.call_id = CallIdFormat::of_type(name).expect("a type");
            params.pid = 4711;
            params.epoch_us = 5_000_000;
        });
        stage.spawn();
        stage.advance(20);
        stage.spawn();
        stage.lines
    };
    assert_eq!(
        ids("timestamp"),
        ["5000000-1-4711@192.0.2.1", "5020000-2-4711@192.0.2.1"]
    );
    for name in ["uuid", "uuid-compact", "random"] {
        let ids = ids(name);
        assert_eq!(ids.len(), 2);
        assert_ne!(ids[0], ids[1]);
    }
}

fn link(xml: &str, adjust: impl FnOnce(&mut RunParams)) -> Result<Image, LinkError> {
    let mut params = pair::client_params();
    adjust(&mut params);
    Image::link(pair::program("test", xml), params)
}

#[test]
fn a_run_that_cannot_work_is_refused_when_it_is_linked() {
    let xml = scenario(&[send("OPTIONS", "")]);
    let no_remote = link(&xml, |params| params.destination = None);
    assert_eq!(no_remote.err(), Some(LinkError::NoDestination));
    let same_ids = link(&xml, |params| params.call_id = CallIdFormat::parse("me@%s"));
    assert_eq!(same_ids.err(), Some(LinkError::CallIdNotUnique));
    let not_declared = link(&xml, |params| {
        params.globals.push(("x".to_owned(), b"1".to_vec()));
    });
    assert_eq!(
        not_declared.err(),
        Some(LinkError::NotGlobal("x".to_owned()))
    );
}

// ---- out of call, dead calls

#[test]
fn a_client_counts_messages_of_unknown_calls() {
    let mut stage = Stage::client(&[send("OPTIONS", ""), response(200, "")]);
    stage.deliver(&from_peer("INVITE", "unknown", 1));
    stage.deliver(&from_peer("OPTIONS", "unknown", 1));
    assert_eq!(stage.tally.out_of_call, 2);
    assert_eq!((stage.tally.created, stage.sent.len()), (0, 0));
}

#[test]
fn with_aa_a_client_answers_four_methods_of_unknown_calls() {
    let parts = [send("OPTIONS", ""), response(200, "")];
    let mut stage = Stage::client_with(&parts, |params| params.auto_answer = true);
    for method in ["INFO", "NOTIFY", "OPTIONS", "UPDATE", "INVITE"] {
        stage.deliver_from(
            "198.51.100.7:4321",
            from_peer(method, "unknown", 1).as_bytes(),
        );
    }
    assert_eq!(
        stage.take(),
        [
            "200 INFO 1",
            "200 NOTIFY 1",
            "200 OPTIONS 1",
            "200 UPDATE 1"
        ]
    );
    assert_eq!(stage.sent[0].to.to_string(), "198.51.100.7:4321");
    assert_eq!(header(stage.last(), "Call-ID"), Some("unknown"));
    assert_eq!((stage.tally.auto_answered, stage.tally.out_of_call), (4, 1));
    assert_eq!(stage.tally.created, 0);
}

#[test]
fn a_server_that_drains_opens_no_more_calls_and_finishes_the_open_ones() {
    let mut stage = answerer();
    stage.deliver(&from_peer("INVITE", "x", 1));
    stage.control(CallControl::Drain);
    stage.deliver(&from_peer("INVITE", "y", 1));
    assert_eq!((stage.tally.created, stage.tally.out_of_call), (1, 1));
    stage.deliver(&from_peer("ACK", "x", 1));
    stage.deliver(&from_peer("BYE", "x", 2));
    stage.assert_success();
}

#[test]
fn an_ended_call_is_remembered_for_33_seconds_from_its_last_message() {
    let mut stage = Stage::server(&[request("OPTIONS", ""), reply(200, "")]);
    let options = from_peer("OPTIONS", "x", 1);
    stage.deliver(&options);
    stage.assert_success();
    stage.take();
    stage.advance(32_999);
    stage.deliver(&options);
    assert_eq!((stage.tally.dead_call, stage.tally.created), (1, 1));
    assert_eq!(stage.take(), [""; 0], "nothing is sent for a dead call");
    assert!(
        stage.warnings[0].contains("successful"),
        "{:?}",
        stage.warnings
    );
    stage.advance(32_999);
    stage.deliver(&options);
    assert_eq!((stage.tally.dead_call, stage.tally.created), (2, 1));
    stage.advance(33_000);
    stage.deliver(&options);
    assert_eq!((stage.tally.dead_call, stage.tally.created), (2, 2));
}

#[test]
fn an_aborted_call_is_remembered_with_the_place_of_its_abort() {
    let mut stage = Stage::client(&[send("INVITE", ""), response(200, "")]);
    stage.spawn();
    stage.respond(486, "INVITE");
    stage.respond(487, "INVITE");
    assert_eq!((stage.tally.dead_call, stage.tally.out_of_call), (1, 0));
    let warning = stage.warnings.last().expect("a warning");
    assert!(warning.contains("aborted at index 1"), "{warning}");
}

#[test]
fn a_deadcall_wait_of_nought_remembers_nothing() {
    let parts = [request("OPTIONS", ""), reply(200, "")];
    let mut stage = Stage::server_with(&parts, |params| params.dead_call_ms = 0);
    stage.deliver(&from_peer("OPTIONS", "x", 1));
    stage.deliver(&from_peer("OPTIONS", "x", 1));
    assert_eq!((stage.tally.dead_call, stage.tally.created), (0, 2));
}

#[test]
fn a_call_whose_message_cannot_be_sent_fails_and_is_forgotten() {
    use gossipper_vm::{Engine, FlowId, Input, OutBuf, Output, Unsent};
    let xml = scenario(&[send("OPTIONS", ""), response(200, "")]);
    let mut engine = Engine::new(Arc::new(link(&xml, |_| {}).expect("links")));
    let mut out = OutBuf::new();
    let now = Micros(0);
    engine.handle(now, Input::Spawn { user: 0, due: now }, &mut out);
    let sent = out.records().iter().find_map(|output| match *output {
        Output::Send { call, bytes, .. } => Some((call, out.bytes(bytes).to_vec())),
        _ => None,
    });
    let (call, request) = sent.expect("a request is sent");
    let call = call.expect("it belongs to the call");
    out.clear();
    engine.handle(
        now,
        Input::Unsent {
            call,
            why: Unsent::Refused,
        },
        &mut out,
    );
    let end = CallEnd::Failure(FailReason::CannotSendMessage);
    let length = Micros(0);
    assert_eq!(
        out.records(),
        [
            Output::Stat(StatEvent::Ended { end, length }),
            Output::Ended {
                call,
                user: 0,
                length
            }
        ]
    );
    out.clear();
    let answer = crate::stage::answer_to(&String::from_utf8(request).expect("ASCII"), 200, "");
    engine.handle(
        now,
        Input::Message {
            flow: FlowId(0),
            src: "192.0.2.2:5060".parse().expect("an address"),
            bytes: answer.as_bytes(),
        },
        &mut out,
    );
    assert_eq!(out.records()[0], Output::Stat(StatEvent::OutOfCall));
}

#[test]
fn all_calls_are_aborted_in_batches() {
    let mut stage = Stage::client(&[send("INVITE", ""), response(200, "")]);
    for _ in 0..600 {
        stage.spawn();
    }
    let mut left = vec![stage.open()];
    while stage.open() > 0 {
        stage.control(CallControl::AbortAll);
        left.push(stage.open());
        assert!(left.len() < 10, "{left:?}");
    }
    assert!(
        left.len() > 2,
        "one input must not abort all of 600 calls: {left:?}"
    );
    assert_eq!(stage.tally.failed[&FailReason::Aborted], 600);
}

#[test]
fn a_call_in_its_closing_timewait_has_succeeded_when_calls_are_aborted() {
    let parts = [
        request("OPTIONS", ""),
        reply(200, ""),
        "<timewait milliseconds='4000'/>".to_owned(),
    ];
    let mut stage = Stage::server(&parts);
    stage.deliver(&from_peer("OPTIONS", "x", 1));
    stage.control(CallControl::AbortAll);
    stage.assert_success();
    assert!(stage.warnings.is_empty(), "{:?}", stage.warnings);
}

// ---- stops

#[test]
fn stop_call_in_a_nop_rejects_the_call_at_once() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        nop("", "<exec int_cmd='stop_call'/><log message='never'/>"),
        response(200, ""),
    ]);
    stage.spawn();
    stage.assert_failure(FailReason::CallRejected);
    assert_eq!(stage.take(), ["INVITE 1"]);
    assert!(stage.lines.is_empty(), "{:?}", stage.lines);
    stage.respond(200, "INVITE");
    assert_eq!((stage.tally.dead_call, stage.tally.out_of_call), (0, 1));
}

#[test]
fn stop_call_in_a_recv_rejects_the_call_at_once() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        "<recv response='200'><action><exec int_cmd='stop_call'/></action></recv>".to_owned(),
        send("ACK", ""),
    ]);
    stage.spawn();
    stage.respond(200, "INVITE");
    assert_eq!(stage.take(), ["INVITE 1"]);
    stage.assert_failure(FailReason::CallRejected);
}

#[test]
fn stop_gracefully_and_stop_now_ask_the_driver_and_the_call_goes_on() {
    for (command, stop) in [("stop_gracefully", "gracefully"), ("stop_now", "now")] {
        let mut stage = Stage::client(&[
            nop("", &format!("<exec int_cmd='{command}'/>")),
            send("OPTIONS", ""),
        ]);
        stage.spawn();
        assert_eq!(stage.stops, [stop]);
        stage.assert_success();
    }
}

#[test]
fn exec_hands_its_expanded_command_to_the_driver() {
    let mut stage = Stage::client(&[
        nop("", "<exec command='echo [call_number] &gt; out'/>"),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    assert_eq!(stage.commands, ["echo 1 > out"]);
}

// ---- jumps and loops

#[test]
fn jump_leads_to_the_element_with_this_index() {
    let mut stage = Stage::client(&[
        nop("", "<jump value='2'/><log message='the block goes on'/>"),
        log("skipped"),
        log("reached"),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    assert_eq!(stage.lines, ["the block goes on", "reached"]);
    stage.assert_success();
}

#[test]
fn jump_in_a_send_takes_its_target_from_a_variable() {
    let mut stage = Stage::client(&[
        nop("", "<assign assign_to='target' value='3.9'/>"),
        crate::stage::send_then("OPTIONS", "", "<jump variable='target'/>"),
        log("skipped"),
        log("reached"),
    ]);
    stage.spawn();
    assert_eq!(stage.lines, ["reached"]);
}

#[test]
fn a_jump_out_of_the_scenario_or_to_itself_is_fatal() {
    for target in ["9", "-1", "0"] {
        let mut stage = Stage::client(&[
            nop(
                "",
                &format!("<assign assign_to='t' value='{target}'/><jump variable='t'/>"),
            ),
            send("OPTIONS", ""),
        ]);
        stage.spawn();
        let fatal = stage.fatal.as_deref().unwrap_or_else(|| panic!("{target}"));
        assert!(fatal.starts_with("jump: "), "{fatal}");
        stage.assert_failure(FailReason::ScenarioFault);
    }
}

#[test]
fn a_loop_of_nops_yields_and_holds_nobody_else_up() {
    let mut stage = Stage::server(&[
        request("OPTIONS", "next='spin' test='bad'"),
        "<label id='spin'/>".to_owned(),
        nop("next='spin'", "<add assign_to='bad' value='1'/>"),
    ]);
    stage.deliver(&from_peer("OPTIONS", "x", 1));
    for _ in 0..50 {
        assert_eq!(stage.yielded.len(), 1);
        stage.resume();
    }
    stage.deliver(&from_peer("OPTIONS", "y", 1));
    assert_eq!(stage.open(), 2);
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.open(), 0);
    assert!(stage.yielded.is_empty());
}

#[test]
fn an_init_section_that_never_ends_is_fatal() {
    let stage = Stage::client(&[
        "<init><label id='spin'/><nop next='spin'/></init>".to_owned(),
        send("OPTIONS", ""),
    ]);
    let fatal = stage.fatal.as_deref().expect("a fatal error");
    assert!(fatal.contains("init"), "{fatal}");
}

// ---- variables of the run

#[test]
fn global_variables_are_shared_by_all_calls_and_others_are_not() {
    let mut stage = Stage::client(&[
        "<Global variables='shared'/>".to_owned(),
        nop(
            "",
            "<add assign_to='shared' value='1'/><add assign_to='own' value='1'/>\
             <log message='[$shared] [$own]'/>",
        ),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    stage.spawn();
    assert_eq!(stage.lines, ["1.000000 1.000000", "2.000000 1.000000"]);
}

#[test]
fn the_actions_of_one_element_are_not_interleaved_with_those_of_another_call() {
    let parts = [
        "<Global variables='shared'/>".to_owned(),
        request("OPTIONS", ""),
        nop(
            "",
            "<assign assign_to='before' variable='shared'/><add assign_to='shared' value='1'/>\
             <subtract assign_to='before' variable='shared'/>\
             <test assign_to='ok' variable='before' compare='equal' value='-1' check_it='true'/>",
        ),
        "<Reference variables='ok'/>".to_owned(),
        reply(200, ""),
    ];
    let mut stage = Stage::server(&parts);
    for call in 0..20 {
        stage.deliver(&from_peer("OPTIONS", &format!("call-{call}"), 1));
    }
    assert_eq!(stage.tally.succeeded, 20);
}

#[test]
fn set_gives_a_global_variable_a_text_before_init_runs() {
    let parts = [
        "<Global variables='name,other'/>".to_owned(),
        format!(
            "<init>{}</init>",
            nop(
                "",
                "<assignstr assign_to='other' value='[$name] seen by init'/>"
            )
        ),
        log("[$name], [$other]"),
        send("OPTIONS", ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| {
        params.globals = vec![
            ("name".to_owned(), b"Ann".to_vec()),
            ("other".to_owned(), b"overwritten".to_vec()),
        ];
    });
    stage.spawn();
    assert_eq!(stage.lines, ["Ann, Ann seen by init"]);
}

#[test]
fn user_variables_start_anew_in_each_call_without_users() {
    let mut stage = Stage::client(&[
        "<User variables='own'/>".to_owned(),
        nop(
            "",
            "<add assign_to='own' value='1'/><log message='[$own]'/>",
        ),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    stage.spawn();
    assert_eq!(stage.lines, ["1.000000", "1.000000"]);
}
