// SPDX-License-Identifier: AGPL-3.0-only
//! How calls of whole runs fail: the shapes that are told are those that were made to happen.

use std::collections::HashMap;

use gossipper_bytecode::Program;
use gossipper_control::shapes::Way;
use gossipper_control::{FailReason, FailureShapes};
use gossipper_runtime::config::{RunConfig, TransportConfig};
use std::sync::Arc;

use crate::streams::tcp;
use crate::support::{LOCAL, builtin, compiled, engine, finish, on_shards, run_of};

/// Refuses the calls with odd numbers, says nothing to every fourth, and answers the others.
fn moody() -> Arc<Program> {
    let answer = |status: &str| {
        format!(
            "<![CDATA[\nSIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]\n[last_Call-ID:]\n\
             [last_CSeq:]\nContact: <sip:b@[local_ip]:[local_port]>\nContent-Length: 0\n\n]]>"
        )
    };
    let xml = format!(
        r#"<scenario name="moody">
  <recv request="INVITE">
    <action>
      <ereg regexp="^ *[0-9]*[13579]-" search_in="hdr" header="Call-ID:" assign_to="odd"/>
      <ereg regexp="^ *([0-9]*[02468][048]|[0-9]*[13579][26]|[48])-" search_in="hdr" header="Call-ID:" assign_to="fourth,x"/>
    </action>
  </recv>
  <nop next="busy" test="odd"/>
  <nop next="end" test="fourth"/>
  <Reference variables="x"/>
  <send>{ok}</send>
  <recv request="ACK"/>
  <recv request="BYE"/>
  <send next="end">{ok}</send>
  <label id="busy"/>
  <send>{busy}</send>
  <recv request="ACK"/>
  <label id="end"/>
</scenario>"#,
        ok = answer("200 OK"),
        busy = answer("486 Busy Here"),
    );
    compiled("moody", &xml)
}

/// The built-in client, which gives up on an answer sooner.
fn client() -> Arc<Program> {
    let xml = gossipper_stdlib_scenarios::find("uac")
        .expect("a built-in")
        .xml;
    let marked = xml.replacen(
        "<recv response=\"200\"",
        "<recv response=\"200\" timeout=\"450\"",
        1,
    );
    assert_ne!(xml, marked, "uac waits for a 200");
    compiled("uac", &marked)
}

fn run(transport: &TransportConfig, calls: u64, shards: usize) -> RunConfig {
    let mut main = engine(client(), transport, LOCAL);
    main.watches_calls = true;
    let answerer = engine(moody(), transport, LOCAL);
    on_shards(run_of(main, Some(answerer), 400.0, Some(calls)), shards)
}

/// Reason and messages of each shape.
fn told(shapes: &FailureShapes) -> HashMap<(FailReason, Vec<(Way, String)>), u64> {
    let shapes = shapes.shapes.iter().map(|shape| {
        let messages = shape.example.messages.iter();
        let messages = messages.map(|message| (message.way, message.label.clone()));
        ((shape.reason, messages.collect()), shape.count)
    });
    shapes.collect()
}

#[test]
fn two_ways_to_fail_are_two_shapes_with_an_example_each() {
    for (transport, shards) in [
        (TransportConfig::default(), 1),
        (TransportConfig::default(), 3),
        (tcp(true), 1),
    ] {
        let (report, client) = finish(run(&transport, 40, shards));
        assert_eq!((client.calls.succeeded, client.calls.failed), (10, 30));
        let shapes = report
            .snapshot
            .failure_shapes
            .clone()
            .expect("somebody watched");
        assert_eq!((shapes.failed, shapes.watched, shapes.rarer), (30, 30, 0));
        let message = |way: Way, label: &str| (way, label.to_owned());
        let (invite, ack) = (message(Way::Sent, "INVITE"), message(Way::Sent, "ACK"));
        let busy = message(Way::Received, "486 Busy Here");
        let expected = HashMap::from([
            (
                (
                    FailReason::UnexpectedMessage,
                    vec![invite.clone(), busy, ack],
                ),
                20,
            ),
            ((FailReason::TimeoutOnRecv, vec![invite.clone()]), 10),
        ]);
        let mut told = told(&shapes);
        // What a call sends when it gives up is not what this is about.
        told = told
            .into_iter()
            .map(|((reason, mut messages), count)| {
                messages.retain(|(_, label)| label != "CANCEL" && label != "BYE");
                ((reason, messages), count)
            })
            .collect();
        assert_eq!(told, expected, "{transport:?} on {shards}: {shapes:#?}");
        for shape in &shapes.shapes {
            let example = &shape.example;
            let number = example.call.to_string();
            assert!(example.call_id.starts_with(&number), "{example:?}");
            let answerer = report.snapshot.answerer().expect("an answerer");
            assert_eq!(example.peer.as_ref(), Some(&answerer.local));
            let last = example.messages.last().expect("messages");
            assert!(example.length_us >= last.last_us, "{example:?}");
        }
    }
}

#[test]
fn a_run_without_failures_has_no_shapes_and_one_that_is_not_watched_says_nothing() {
    let side = |name| engine(builtin(name), &TransportConfig::default(), LOCAL);
    for watches in [true, false] {
        let mut main = side("uac");
        main.watches_calls = watches;
        let (report, _) = finish(run_of(main, Some(side("uas")), 500.0, Some(20)));
        let expected = watches.then(Box::<FailureShapes>::default);
        assert_eq!(report.snapshot.failure_shapes, expected);
    }
}
