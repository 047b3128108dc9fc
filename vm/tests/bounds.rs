// SPDX-License-Identifier: AGPL-3.0-only
//! Peers do not decide how much memory a server takes.

use gossipper_testkit::pair;
use gossipper_vm::{Engine, FlowId, Image, Input, Micros, OutBuf, Output, RunParams, StatEvent};
use std::sync::Arc;

const ANSWERER: &str =
    r#"<scenario name="answerer"><recv request="OPTIONS"/><recv request="BYE"/></scenario>"#;

fn options(call_id: &str) -> String {
    format!(
        "OPTIONS sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{call_id}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
}

#[test]
fn beyond_the_limit_of_open_calls_new_call_ids_are_out_of_call() {
    let params = RunParams {
        max_incoming: 3,
        ..RunParams::default()
    };
    let image = Image::link(pair::program("answerer", ANSWERER), params).expect("links");
    let mut engine = Engine::new(Arc::new(image));
    let (mut out, mut out_of_call) = (OutBuf::new(), 0);
    let src = "192.0.2.2:5060".parse().expect("an address");
    for n in 0..10 {
        let text = options(&format!("call{n}"));
        out.clear();
        let input = Input::Message {
            flow: FlowId(0),
            src,
            bytes: text.as_bytes(),
        };
        engine.handle(Micros(0), input, &mut out);
        let refused = Output::Stat(StatEvent::OutOfCall);
        out_of_call += out
            .records()
            .iter()
            .filter(|order| **order == refused)
            .count();
    }
    assert_eq!((engine.open_calls(), out_of_call), (3, 7));
}
