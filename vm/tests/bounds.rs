// SPDX-License-Identifier: AGPL-3.0-only
//! Peers do not decide how much memory a server takes.

use gossipper_testkit::pair;
use gossipper_vm::{Engine, FlowId, Image, Input, Micros, OutBuf, Output, RunParams, StatEvent};
use std::sync::Arc;

/// Keeps the Call-ID of its first message and waits for a second one.
const ANSWERER: &str =
    r#"<scenario name="answerer"><recv request="OPTIONS"/><recv request="BYE"/></scenario>"#;

/// Lets as many strangers in as come; open calls, and messages that opened none.
fn strangers(params: RunParams, call_ids: impl Iterator<Item = String>) -> (Engine, u32) {
    let image = Image::link(pair::program("answerer", ANSWERER), params).expect("it links");
    let mut engine = Engine::new(Arc::new(image));
    let mut refused = 0;
    for call_id in call_ids {
        refused += u32::from(deliver(&mut engine, "OPTIONS", &call_id));
    }
    (engine, refused)
}

/// Delivers a request; true when it was out of call.
fn deliver(engine: &mut Engine, method: &str, call_id: &str) -> bool {
    let text = format!(
        "{method} sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
    );
    let input = Input::Message {
        flow: FlowId(0),
        src: "192.0.2.2:5060".parse().expect("an address"),
        bytes: text.as_bytes(),
    };
    let mut out = OutBuf::new();
    engine.handle(Micros(0), input, &mut out);
    out.records().contains(&Output::Stat(StatEvent::OutOfCall))
}

#[test]
fn beyond_the_limit_of_open_calls_new_call_ids_are_out_of_call() {
    let params = RunParams {
        max_incoming: 3,
        ..RunParams::default()
    };
    let (mut engine, refused) = strangers(params, (0..10).map(|n| format!("call{n}")));
    assert_eq!((engine.open_calls(), refused), (3, 7));
    assert!(!deliver(&mut engine, "BYE", "call0"), "it is open");
    assert!(!deliver(&mut engine, "OPTIONS", "call9"), "there is room");
    assert_eq!(engine.open_calls(), 3);
}

#[test]
fn large_messages_fill_the_server_before_many_calls_do() {
    let params = RunParams {
        max_incoming_bytes: 100_000,
        ..RunParams::default()
    };
    let long = "x".repeat(40_000);
    let (mut engine, refused) = strangers(params, (0..10).map(|n| format!("{n}{long}")));
    let open = engine.open_calls();
    assert!((1..=3).contains(&open), "{open}");
    assert_eq!(refused as usize, 10 - open);
    for n in 0..open {
        deliver(&mut engine, "BYE", &format!("{n}{long}"));
    }
    assert_eq!(engine.open_calls(), 0);
    assert!(
        !deliver(&mut engine, "OPTIONS", "another"),
        "all was given back"
    );
}

/// Answers, and then waits as `wait` says.
fn waiting_server(wait: &str) -> u32 {
    let answer = "<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n\
                  [last_CSeq:]\nContent-Length: 0\n\n]]></send>";
    let scenario =
        format!(r#"<scenario name="s"><recv request="OPTIONS"/>{answer}{wait}</scenario>"#);
    let params = RunParams {
        max_incoming_bytes: 1,
        ..RunParams::default()
    };
    let image = Image::link(pair::program("s", &scenario), params).expect("it links");
    let mut engine = Engine::new(Arc::new(image));
    let refused = (0..3).map(|n| deliver(&mut engine, "OPTIONS", &format!("call{n}")));
    refused.map(u32::from).sum()
}

#[test]
fn a_call_that_only_waits_for_its_end_holds_nothing_of_a_message() {
    assert_eq!(waiting_server(r#"<timewait milliseconds="4000"/>"#), 0);
    // What is printed later is kept.
    let more = "<send><![CDATA[\nNOTIFY sip:a SIP/2.0\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n\
                CSeq: 1 NOTIFY\nContent-Length: 0\n\n]]></send>";
    let wait = format!(r#"<pause milliseconds="4000"/>{more}<timewait milliseconds="4000"/>"#);
    assert_eq!(waiting_server(&wait), 2);
}
