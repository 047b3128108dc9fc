// SPDX-License-Identifier: AGPL-3.0-only
//! Golden traces: whole calls as inputs and orders in virtual time, held to the files of `testdata/traces`.
//!
//! Read a changed trace line by line before accepting it: it is the behaviour.

use gossipper_stdlib_scenarios::find;
use gossipper_testkit::net::Net;
use gossipper_testkit::pair::Pair;
use gossipper_vm::{CallControl, Micros};

fn builtin(name: &str) -> (&str, &'static str) {
    (name, find(name).expect("a built-in scenario").xml)
}

/// The built-in caller against the built-in answerer, one call, recorded.
fn recorded(seed: u64, net: Net) -> Pair {
    let mut pair = Pair::new(seed, net, builtin("uac"), builtin("uas"), |params| {
        params.pause_ms = 100;
    });
    pair.world.record();
    pair.world.spawn(pair.client, Micros(0));
    pair
}

fn assert_trace(name: &str, pair: &Pair) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/traces"
    ));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, pair.world.trace()));
}

#[test]
fn a_basic_call() {
    let mut pair = recorded(1, Net::PERFECT);
    assert!(pair.world.run(Micros::from_ms(60_000)));
    assert_trace("basic_call", &pair);
}

#[test]
fn an_invite_that_is_lost_twice() {
    // The first seed at which exactly the first two copies of the INVITE are lost, so that the trace shows both gaps.
    let lossy = Net {
        loss: 0.5,
        ..Net::PERFECT
    };
    let mut seed = 0;
    loop {
        let mut pair = recorded(seed, lossy);
        pair.world.run(Micros::from_ms(60_000));
        let (client, server) = (pair.world.tally(pair.client), pair.world.tally(pair.server));
        let heard = pair.world.trace().find("uas < recv INVITE");
        let tries = heard.map_or(0, |at| {
            let before = &pair.world.trace()[..at];
            before.matches("send INVITE").count()
        });
        if tries == 3 && client.retransmitted == 2 && client.succeeded == 1 && server.succeeded == 1
        {
            assert_trace("lossy_invite", &pair);
            return;
        }
        seed += 1;
        assert!(seed < 10_000, "no seed loses exactly two copies");
    }
}

#[test]
fn a_call_that_nobody_answers() {
    let mut pair = recorded(
        1,
        Net {
            loss: 1.0,
            ..Net::PERFECT
        },
    );
    assert!(pair.world.run(Micros::from_ms(60_000)));
    assert_trace("unanswered_call", &pair);
}

#[test]
fn a_call_that_is_cancelled_while_it_rings() {
    let uas = r#"<scenario name="ringing">
        <recv request="INVITE"/>
        <send><![CDATA[
            SIP/2.0 180 Ringing
            [last_Via:]
            [last_From:]
            [last_To:];tag=[call_number]
            [last_Call-ID:]
            [last_CSeq:]
            Content-Length: 0
        ]]></send>
        <recv request="CANCEL"/>
        <send><![CDATA[
            SIP/2.0 200 OK
            [last_Via:]
            [last_From:]
            [last_To:]
            [last_Call-ID:]
            [last_CSeq:]
            Content-Length: 0
        ]]></send>
    </scenario>"#;
    let mut pair = Pair::new(1, Net::PERFECT, builtin("uac"), ("ringing", uas), |_| {});
    pair.world.record();
    pair.world.spawn(pair.client, Micros(0));
    pair.world
        .control(pair.client, Micros::from_ms(250), CallControl::AbortAll);
    assert!(pair.world.run(Micros::from_ms(60_000)));
    assert_trace("cancelled_call", &pair);
}

#[test]
fn a_call_that_is_hung_up_in_its_pause() {
    let mut pair = recorded(1, Net::PERFECT);
    pair.world
        .control(pair.client, Micros::from_ms(50), CallControl::AbortAll);
    assert!(pair.world.run(Micros::from_ms(60_000)));
    assert_trace("hung_up_call", &pair);
}
