// SPDX-License-Identifier: AGPL-3.0-only
//! Calls with four dialogs each over networks that lose, delay, repeat and reorder.
//!
//! A phone registers, asks, calls and is called, all at once, and waits for the answers in an order that is drawn. Each
//! receive checks that what it has matched is of its own dialog, and each send that it speaks of its own. Whatever the
//! network does: no message of one dialog matches a step of another, every call ends, nothing is left behind.

use gossipper_bytecode::{FailReason, Program};
use gossipper_testkit::net::Net;
use gossipper_testkit::pair::{Pair, program};
use gossipper_vm::Micros;
use std::sync::{Arc, LazyLock};

/// Runs of each network.
const SEEDS: u64 = 200;

const CALLS: u64 = 5;

const LIMIT: Micros = Micros::from_ms(300_000);

/// 5 % loss and nothing else: the order is kept.
const LOSSY: Net = Net {
    loss: 0.05,
    ..Net::PERFECT
};

/// The beginning of the Call-IDs of each dialog: three of the phone's, and the one that is `back` there and `in` here.
const DIALOGS: [(&str, &str); 5] = [
    ("main", "^ [0-9]"),
    ("other", "^ other-"),
    ("out", "^ out-"),
    ("in", "^ back-"),
    ("back", "^ back-"),
];

fn check(dialog: &str) -> String {
    let found = DIALOGS.iter().find(|(name, _)| *name == dialog);
    let (_, pattern) = found.expect("one of the dialogs");
    format!(
        "<action><ereg regexp=\"{pattern}\" search_in=\"hdr\" header=\"Call-ID:\" check_it=\"true\" assign_to=\"_\"/></action>"
    )
}

fn request(dialog: &str, method: &str, attributes: &str) -> String {
    let check = check(dialog);
    // An ACK that is sent again has the number of its INVITE, whatever came after that.
    let cseq = if method == "ACK" { "1" } else { "[cseq]" };
    format!(
        "<send dialog=\"{dialog}\" {attributes}>{check}<![CDATA[
        {method} sip:{dialog}@192.0.2.9 SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]-[cseq]
        From: <sip:a@[local_ip]>;tag={dialog}[call_number]
        To: <sip:b@192.0.2.9>[peer_tag_param]
        Call-ID: [call_id]
        CSeq: {cseq} {method}
        X-User: phone[call_number]
        Contact: <sip:a@[local_ip]:[local_port]>
        Content-Length: 0

        ]]></send>"
    )
}

fn ok(dialog: &str, attributes: &str, tag: &str) -> String {
    format!(
        "<send dialog=\"{dialog}\" {attributes}><![CDATA[
        SIP/2.0 200 OK
        [last_Via:]
        [last_From:]
        [last_To:]{tag}
        [last_Call-ID:]
        [last_CSeq:]
        Contact: <sip:b@[local_ip]:[local_port]>
        Content-Length: 0

        ]]></send>"
    )
}

fn recv(dialog: &str, what: &str) -> String {
    let check = check(dialog);
    format!("<recv {what} dialog=\"{dialog}\">{check}</recv>")
}

const TAG: &str = ";tag=t[call_number]";

static PHONE: LazyLock<Arc<Program>> = LazyLock::new(|| {
    let done = "response=\"200\"";
    let steps = [
        request("main", "REGISTER", "retrans=\"500\""),
        "<nop chance=\"0.5\" next=\"calls\"/>".to_owned(),
        request("other", "OPTIONS", "retrans=\"500\""),
        request("out", "INVITE", "retrans=\"500\""),
        recv("main", done),
        recv("other", done),
        recv("out", done),
        "<nop next=\"sent\"/><label id=\"calls\"/>".to_owned(),
        request("out", "INVITE", "retrans=\"500\""),
        request("other", "OPTIONS", "retrans=\"500\""),
        recv("out", done),
        recv("main", done),
        recv("other", done),
        "<label id=\"sent\"/>".to_owned(),
        request("out", "ACK", ""),
        recv("in", "request=\"INVITE\" accept=\"phone[call_number]\""),
        ok("in", "retrans=\"500\"", TAG),
        "<nop chance=\"0.5\" next=\"hung_up\"/>".to_owned(),
        request("out", "BYE", "retrans=\"500\""),
        recv("out", done),
        recv("in", "request=\"ACK\" optional=\"true\""),
        recv("in", "request=\"BYE\""),
        ok("in", "next=\"end\"", ""),
        "<label id=\"hung_up\"/>".to_owned(),
        recv("in", "request=\"ACK\" optional=\"true\""),
        recv("in", "request=\"BYE\""),
        ok("in", "", ""),
        request("out", "BYE", "retrans=\"500\""),
        recv("out", done),
        "<label id=\"end\"/><timewait milliseconds=\"20000\"/>".to_owned(),
    ];
    program("phone", &format!("<scenario>{}</scenario>", steps.concat()))
});

static NETWORK: LazyLock<Arc<Program>> = LazyLock::new(|| {
    let ring = request("back", "INVITE", "retrans=\"500\"").replace("sip:back@", "sip:[$user]@");
    let steps = [
        "<recv request=\".*\" regexp_match=\"true\"><action>
            <ereg regexp=\"REGISTER\" search_in=\"hdr\" header=\"CSeq:\" assign_to=\"registers\"/>
            <ereg regexp=\"INVITE\" search_in=\"hdr\" header=\"CSeq:\" assign_to=\"calls\"/>
            <ereg regexp=\"phone[0-9]+\" search_in=\"hdr\" header=\"X-User:\" assign_to=\"user\"/>
        </action></recv>
        <nop test=\"registers\" next=\"registers\"/>
        <nop test=\"calls\" next=\"calls\"/>"
            .to_owned(),
        ok("main", "next=\"end\"", TAG),
        "<label id=\"calls\"/>".to_owned(),
        ok("main", "retrans=\"500\"", TAG),
        "<recv request=\"ACK\" optional=\"true\"/><recv request=\"BYE\"/>".to_owned(),
        ok("main", "next=\"end\"", ""),
        "<label id=\"registers\"/>".to_owned(),
        ok("main", "", TAG),
        ring,
        recv("back", "response=\"200\""),
        request("back", "ACK", ""),
        "<pause milliseconds=\"100\"/>".to_owned(),
        request("back", "BYE", "retrans=\"500\""),
        recv("back", "response=\"200\""),
        "<label id=\"end\"/><timewait milliseconds=\"20000\"/>".to_owned(),
    ];
    program(
        "network",
        &format!("<scenario>{}</scenario>", steps.concat()),
    )
});

fn run(seed: u64, net: Net, traced: bool) -> Pair {
    let mut pair = Pair::of(seed, net, &PHONE, &NETWORK, |params| {
        params.recv_timeout_ms = 60_000;
    });
    if traced {
        pair.world.record();
    }
    for call in 0..CALLS {
        pair.world.spawn(pair.client, Micros::from_ms(call * 10));
    }
    let idle = pair.world.run(LIMIT);
    assert!(idle, "seed {seed}: something still happens after {LIMIT} s");
    pair
}

/// What must hold whatever happens; how many calls of the phone succeeded.
fn assert_clean(seed: u64, pair: &Pair, allowed: &[FailReason]) -> u64 {
    for (side, node) in [("phone", pair.client), ("network", pair.server)] {
        let tally = pair.world.tally(node);
        assert_eq!(
            pair.world.open_calls(node),
            0,
            "seed {seed}, {side}: open calls"
        );
        assert_eq!(tally.created, tally.ended(), "seed {seed}, {side}");
        for reason in tally.failed.keys() {
            assert!(
                allowed.contains(reason),
                "seed {seed}, {side}: {:?}\n{}",
                tally.failed,
                pair.world.log(node).join("\n")
            );
        }
    }
    pair.world.tally(pair.client).succeeded
}

#[test]
fn over_a_perfect_network_every_call_succeeds() {
    for seed in 0..20 {
        let pair = run(seed, Net::PERFECT, false);
        assert_eq!(assert_clean(seed, &pair, &[]), CALLS);
    }
}

#[test]
fn messages_match_steps_of_their_own_dialog_whatever_is_lost() {
    // A request whose repetitions are all lost; an ACK that is lost and sent again behind the BYE.
    let allowed = [
        FailReason::MaxUdpRetrans,
        FailReason::TimeoutOnRecv,
        FailReason::UnexpectedMessage,
    ];
    let succeeded: u64 = (0..SEEDS)
        .map(|seed| assert_clean(seed, &run(seed, LOSSY, false), &allowed))
        .sum();
    assert!(succeeded * 100 > SEEDS * CALLS * 99, "only {succeeded}");
}

#[test]
fn messages_match_steps_of_their_own_dialog_whatever_overtakes() {
    // Where a datagram overtakes another one of the same dialog, a step may meet what it does not expect.
    let allowed = [
        FailReason::MaxUdpRetrans,
        FailReason::TimeoutOnRecv,
        FailReason::UnexpectedMessage,
    ];
    let succeeded: u64 = (0..SEEDS)
        .map(|seed| assert_clean(seed, &run(seed, Net::ROUGH, false), &allowed))
        .sum();
    assert!(succeeded * 100 > SEEDS * CALLS * 80, "only {succeeded}");
}

#[test]
fn one_seed_is_one_run() {
    let (first, second) = (run(7, Net::ROUGH, true), run(7, Net::ROUGH, true));
    assert_eq!(first.world.trace(), second.world.trace());
}
