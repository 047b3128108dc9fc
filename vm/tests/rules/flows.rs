// SPDX-License-Identifier: AGPL-3.0-only
//! Connections, and sockets of calls: asked for, shared, closed, lost.

use crate::stage::{Stage, from_peer, header, nop, reply, request, response, send};
use gossipper_bytecode::FailReason;
use gossipper_testkit::pair;
use gossipper_vm::{CallEnd, FlowEvent, FlowId, Image, Input, LinkError, RunParams, Unsent};

fn tcp(params: &mut RunParams) {
    params.transport = "TCP";
    params.unreliable = false;
}

fn per_call(params: &mut RunParams) {
    tcp(params);
    params.per_call = true;
}

fn flows(stage: &Stage) -> Vec<u32> {
    stage.sent.iter().map(|sent| sent.flow.0).collect()
}

fn closed(stage: &Stage) -> Vec<u32> {
    stage.closed.iter().map(|flow| flow.0).collect()
}

#[test]
fn a_call_asks_for_its_path_before_it_sends_and_prints_its_port() {
    let parts = [send("OPTIONS", ""), response(200, "")];
    let mut stage = Stage::client_with(&parts, per_call);
    stage.spawn();
    assert!(stage.sent.is_empty());
    assert_eq!(
        stage.opens[0].1,
        "192.0.2.2:5060".parse().expect("an address")
    );
    stage.open_paths();
    assert_eq!(flows(&stage), [1]);
    let sent = stage.last().to_owned();
    assert!(
        header(&sent, "Via").is_some_and(|via| via.starts_with("SIP/2.0/TCP 192.0.2.1:7001;")),
        "{sent}"
    );
    stage.respond(200, "OPTIONS");
    stage.assert_success();
    assert_eq!(closed(&stage), [1], "the path ends with its call");
}

#[test]
fn a_call_without_a_path_fails() {
    let mut stage = Stage::client_with(&[send("OPTIONS", "")], per_call);
    stage.spawn();
    let call = stage.opens[0].0;
    let why = Unsent::NotConnected;
    stage.handle(Input::Unsent { call, why });
    stage.assert_failure(FailReason::TcpConnect);
    assert!(stage.closed.is_empty());
}

#[test]
fn a_path_that_comes_too_late_is_closed() {
    let mut stage = Stage::client_with(&[send("OPTIONS", "")], per_call);
    stage.spawn();
    let call = stage.opens[0].0;
    stage.control(gossipper_vm::CallControl::AbortAll);
    let (flow, port) = (FlowId(9), 7009);
    stage.handle(Input::Opened { call, flow, port });
    assert_eq!(closed(&stage), [9]);
}

#[test]
fn a_path_that_calls_share_ends_with_the_last_of_them() {
    let parts = [send("OPTIONS", ""), response(200, "")];
    let mut stage = Stage::client_with(&parts, per_call);
    stage.spawn();
    stage.spawn();
    for (call, _) in core::mem::take(&mut stage.opens) {
        let (flow, port) = (FlowId(4), 7004);
        stage.handle(Input::Opened { call, flow, port });
    }
    let first = stage.sent[0].text.clone();
    stage.respond(200, "OPTIONS");
    assert!(stage.closed.is_empty());
    stage.deliver(&crate::stage::answer_to(&first, 200, ""));
    assert_eq!(closed(&stage), [4]);
    assert_eq!(stage.ends, [CallEnd::Success, CallEnd::Success]);
}

#[test]
fn nothing_is_repeated_and_nothing_is_taken_for_a_repetition_over_streams() {
    let parts = [
        request("INVITE", ""),
        reply(200, "retrans=\"500\""),
        request("ACK", ""),
    ];
    let mut stage = Stage::server_with(&parts, tcp);
    stage.deliver_on(3, &from_peer("INVITE", "x", 1));
    stage.advance(40_000);
    assert_eq!(stage.take(), ["200 INVITE 1"]);
    assert_eq!(flows(&stage), [3], "answered where it came from");
    stage.deliver_on(3, &from_peer("INVITE", "x", 1));
    stage.assert_failure(FailReason::UnexpectedMessage);
}

#[test]
fn the_end_of_a_connection_ends_the_calls_on_it_and_no_others() {
    let parts = [request("INVITE", ""), reply(200, ""), request("BYE", "")];
    let mut stage = Stage::server_with(&parts, tcp);
    for (flow, id) in [(1, "a"), (1, "b"), (2, "c")] {
        stage.deliver_on(flow, &from_peer("INVITE", id, 1));
    }
    stage.flow(1, FlowEvent::Closed);
    let closed_by_peer = CallEnd::Failure(FailReason::TcpClosed);
    assert_eq!(stage.ends, [closed_by_peer, closed_by_peer]);
    assert_eq!(stage.open(), 1);
    assert!(
        stage.closed.is_empty(),
        "what a peer has opened is the peer's to close"
    );
}

#[test]
fn a_call_in_its_timewait_succeeds_when_its_connection_ends() {
    let parts = [
        request("BYE", ""),
        reply(200, ""),
        "<timewait milliseconds=\"4000\"/>".to_owned(),
    ];
    let mut stage = Stage::server_with(&parts, tcp);
    stage.deliver_on(1, &from_peer("BYE", "x", 1));
    stage.flow(1, FlowEvent::Closed);
    stage.assert_success();
}

#[test]
fn a_connection_that_cannot_be_made_fails_its_calls() {
    let mut stage = Stage::client_with(&[send("OPTIONS", ""), response(200, "")], per_call);
    stage.spawn();
    stage.open_paths();
    stage.flow(1, FlowEvent::Failed);
    stage.assert_failure(FailReason::TcpConnect);
}

#[test]
fn a_call_that_has_lost_its_connection_asks_for_another_with_its_next_message() {
    let parts = [
        send("OPTIONS", ""),
        response(200, ""),
        "<pause milliseconds=\"10\"/>".to_owned(),
        send("INFO", ""),
    ];
    let mut stage = Stage::client_with(&parts, per_call);
    stage.spawn();
    stage.open_paths();
    stage.respond(200, "OPTIONS");
    stage.flow(1, FlowEvent::Lost);
    stage.assert_open();
    stage.advance(10);
    assert_eq!(stage.opens.len(), 1);
    stage.open_paths();
    assert_eq!(flows(&stage), [1, 2]);
    stage.assert_success();
    assert_eq!(closed(&stage), [2]);
}

#[test]
fn a_call_that_has_lost_its_connection_answers_on_the_one_it_is_asked_on() {
    let parts = [
        request("INVITE", ""),
        reply(200, ""),
        request("BYE", ""),
        reply(200, ""),
    ];
    let mut stage = Stage::server_with(&parts, tcp);
    stage.deliver_on(1, &from_peer("INVITE", "x", 1));
    stage.flow(1, FlowEvent::Lost);
    stage.deliver_on(2, &from_peer("BYE", "x", 2));
    assert_eq!(flows(&stage), [1, 2]);
    stage.assert_success();
    assert!(stage.closed.is_empty());
}

/// The end of the first connection may be seen later than what comes on the second, and must not end the call then.
#[test]
fn a_call_of_a_peer_answers_on_the_connection_that_its_latest_message_came_on() {
    let parts = [
        request("INVITE", ""),
        reply(200, ""),
        request("INFO", ""),
        reply(200, ""),
        request("BYE", ""),
        reply(200, ""),
    ];
    let mut stage = Stage::server_with(&parts, tcp);
    stage.deliver_on(1, &from_peer("INVITE", "x", 1));
    stage.deliver_on(2, &from_peer("INFO", "x", 2));
    stage.flow(1, FlowEvent::Closed);
    stage.assert_open();
    stage.deliver_on(3, &from_peer("BYE", "x", 3));
    assert_eq!(flows(&stage), [1, 2, 3]);
    stage.assert_success();
    assert!(stage.closed.is_empty());
}

#[test]
fn of_many_calls_on_a_connection_some_end_at_a_time() {
    let parts = [send("OPTIONS", ""), response(200, "")];
    let mut stage = Stage::client_with(&parts, tcp);
    for _ in 0..600 {
        stage.spawn();
    }
    stage.flow(0, FlowEvent::Closed);
    let mut inputs = 1;
    while let Some((flow, event)) = stage.unfinished.pop() {
        assert!(stage.open() > 0, "otherwise there is nothing left to do");
        stage.handle(Input::Flow { flow, event });
        inputs += 1;
    }
    assert_eq!((stage.open(), stage.ends.len(), inputs), (0, 600, 3));
}

#[test]
fn closecon_closes_the_calls_own_path_and_the_next_message_opens_another() {
    let close = nop("", "<closecon/>");
    let parts = [send("OPTIONS", ""), close, send("INFO", "")];
    let mut stage = Stage::client_with(&parts, per_call);
    stage.spawn();
    stage.open_paths();
    assert_eq!(closed(&stage), [1]);
    stage.open_paths();
    assert_eq!(flows(&stage), [1, 2]);
    let sent = stage.last().to_owned();
    assert!(
        header(&sent, "Contact").is_some_and(|contact| contact.contains(":7002")),
        "{sent}"
    );
    stage.assert_success();
    assert_eq!(closed(&stage), [1, 2]);
}

#[test]
fn closecon_leaves_a_connection_that_others_use() {
    let parts = [
        request("INVITE", ""),
        request("INFO", ""),
        nop("", "<closecon/>"),
        reply(200, ""),
        request("BYE", ""),
    ];
    let mut stage = Stage::server_with(&parts, tcp);
    for id in ["a", "b"] {
        stage.deliver_on(1, &from_peer("INVITE", id, 1));
    }
    stage.deliver_on(1, &from_peer("INFO", "a", 2));
    assert_eq!((closed(&stage), flows(&stage)), (vec![], vec![1]));
    stage.deliver_on(1, &from_peer("BYE", "a", 3));
    stage.deliver_on(1, &from_peer("INFO", "b", 2));
    assert_eq!(closed(&stage), [1], "nobody else is on it any more");
    stage.open_paths();
    assert_eq!(
        flows(&stage),
        [1, 1],
        "its answer asks for another: the numbers are the stage's"
    );
}

#[test]
fn setdest_makes_a_connection_to_the_new_address() {
    let set = nop(
        "",
        "<setdest host=\"192.0.2.7\" port=\"5070\" protocol=\"tcp\"/>",
    );
    let parts = [send("OPTIONS", ""), set, send("INFO", "")];
    let mut stage = Stage::client_with(&parts, per_call);
    stage.spawn();
    stage.open_paths();
    assert_eq!(closed(&stage), [1]);
    let there = "192.0.2.7:5070".parse().expect("an address");
    assert_eq!(stage.opens[0].1, there);
    stage.open_paths();
    assert_eq!((stage.sent[1].to, stage.sent[1].flow), (there, FlowId(2)));
    stage.assert_success();
}

#[test]
fn a_connection_that_calls_share_is_not_moved() {
    let set = nop(
        "",
        "<setdest host=\"192.0.2.7\" port=\"5070\" protocol=\"tcp\"/>",
    );
    let mut stage = Stage::client_with(&[send("OPTIONS", ""), set], tcp);
    stage.spawn();
    let fatal = stage.fatal.clone().unwrap_or_default();
    assert!(fatal.contains("is not the call's own"), "{fatal}");
}

#[test]
fn over_sockets_of_calls_setdest_moves_the_address_alone() {
    let set = nop(
        "",
        "<setdest host=\"192.0.2.7\" port=\"5070\" protocol=\"udp\"/>",
    );
    let parts = [send("OPTIONS", ""), set, send("INFO", "")];
    let mut stage = Stage::client_with(&parts, |params| params.per_call = true);
    stage.spawn();
    stage.open_paths();
    assert_eq!(flows(&stage), [1, 1]);
    assert_eq!(stage.sent[1].to.to_string(), "192.0.2.7:5070");
}

#[test]
fn each_reason_not_to_send_is_counted_as_what_it_is() {
    for (why, reason) in [
        (Unsent::Refused, FailReason::CannotSendMessage),
        (Unsent::NotConnected, FailReason::TcpConnect),
        (Unsent::Closed, FailReason::TcpClosed),
        (Unsent::TooLate, FailReason::TimeoutOnSend),
    ] {
        let mut stage = Stage::client_with(&[send("OPTIONS", ""), response(200, "")], per_call);
        stage.spawn();
        let call = stage.opens[0].0;
        stage.open_paths();
        stage.handle(Input::Unsent { call, why });
        stage.assert_failure(reason);
    }
}

#[test]
fn several_dialogs_need_one_connection_for_all_calls() {
    let xml = crate::stage::scenario(&[
        "<send dialog=\"1\"><![CDATA[\nOPTIONS sip:a SIP/2.0\nCall-ID: [call_id]\n\n]]></send>",
        "<send dialog=\"2\"><![CDATA[\nOPTIONS sip:a SIP/2.0\nCall-ID: [call_id]\n\n]]></send>",
    ]);
    let program = pair::program("test", &xml);
    let mut params = pair::client_params();
    per_call(&mut params);
    assert_eq!(
        Image::link(program, params).err(),
        Some(LinkError::DialogsPerCall)
    );
}

#[test]
fn the_time_a_message_may_wait_goes_with_it_on_a_connection() {
    let parts = [
        send("INVITE", "timeout=\"700\""),
        response(200, ""),
        send("ACK", ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| params.unreliable = false);
    stage.spawn();
    assert_eq!((stage.take().len(), &stage.within[..]), (1, &[700][..]));
    stage.respond(200, "INVITE");
    assert_eq!((stage.take().len(), stage.within.len()), (1, 1));
    // A datagram does not wait.
    let mut stage = Stage::client(&parts);
    stage.spawn();
    assert_eq!((stage.take().len(), stage.within.len()), (1, 0));
}
