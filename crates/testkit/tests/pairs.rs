// SPDX-License-Identifier: AGPL-3.0-only
//! Our caller against our answerer over networks that lose, delay, repeat and reorder.
//!
//! Whatever the network does: every call ends, nothing is discarded, the counters of both sides balance, and calls
//! fail only for the reasons that the rules name. One seed is one run, to the last message.

use gossipper_bytecode::{FailReason, Program};
use gossipper_stdlib_scenarios::find;
use gossipper_testkit::net::Net;
use gossipper_testkit::pair::{Pair, program};
use gossipper_testkit::tally::Tally;
use gossipper_vm::Micros;
use std::sync::{Arc, LazyLock};

/// Runs of each network.
const SEEDS: u64 = 200;

/// Calls of each run, one every [`GAP_MS`].
const CALLS: u64 = 10;

const GAP_MS: u64 = 20;

/// Longer than any call can last: a repetition that runs out, a wait, and the answer's 4 s behind the BYE.
const LIMIT: Micros = Micros::from_ms(120_000);

/// 5 % loss and nothing else: the order is kept.
const LOSSY: Net = Net {
    loss: 0.05,
    ..Net::PERFECT
};

static UAC: LazyLock<Arc<Program>> = LazyLock::new(|| builtin("uac"));
static UAS: LazyLock<Arc<Program>> = LazyLock::new(|| builtin("uas"));

fn builtin(name: &str) -> Arc<Program> {
    program(name, find(name).expect("a built-in scenario").xml)
}

/// Runs the pair to its end. No side waits for ever: both have a receive timeout, as a real run would.
fn run(seed: u64, net: Net, traced: bool) -> Pair {
    let mut pair = Pair::of(seed, net, &UAC, &UAS, |params| {
        params.recv_timeout_ms = 20_000;
        params.pause_ms = 50;
    });
    if traced {
        pair.world.record();
    }
    for call in 0..CALLS {
        pair.world
            .spawn(pair.client, Micros::from_ms(call * GAP_MS));
    }
    let idle = pair.world.run(LIMIT);
    assert!(idle, "seed {seed}: something still happens after {LIMIT} s");
    pair
}

/// What must hold on both sides, whatever happened.
fn assert_balanced(seed: u64, pair: &Pair) -> (Tally, Tally) {
    let world = &pair.world;
    for (side, node) in [("client", pair.client), ("server", pair.server)] {
        let tally = world.tally(node);
        assert_eq!(world.open_calls(node), 0, "seed {seed}, {side}: open calls");
        assert_eq!(
            tally.created,
            tally.succeeded + tally.failed_calls(),
            "seed {seed}, {side}: created = succeeded + failed + open"
        );
        assert_eq!(tally.discarded, 0, "seed {seed}, {side}: discarded");
        assert_eq!(tally.lost, 0, "seed {seed}, {side}: lost on purpose");
        assert_eq!(world.fatal(node), None, "seed {seed}, {side}");
    }
    let (client, server) = (world.tally(pair.client), world.tally(pair.server));
    assert_eq!(client.created, CALLS, "seed {seed}: calls of the client");
    assert_eq!(
        client.out_of_call, 0,
        "seed {seed}: the client knows its calls"
    );
    (client.clone(), server.clone())
}

/// Asserts that calls failed for these reasons only.
fn assert_reasons(seed: u64, side: &str, tally: &Tally, allowed: &[FailReason]) {
    for reason in tally.failed.keys() {
        assert!(
            allowed.contains(reason),
            "seed {seed}, {side}: {reason:?} is not a failure that this network explains: {:?}",
            tally.failed
        );
    }
}

#[test]
fn a_perfect_network_loses_no_call_and_repeats_nothing() {
    let pair = run(1, Net::PERFECT, false);
    let (client, server) = assert_balanced(1, &pair);
    assert_eq!((client.succeeded, server.succeeded), (CALLS, CALLS));
    assert_eq!((client.retransmitted, server.retransmitted), (0, 0));
    assert_eq!((client.received_again, server.received_again), (0, 0));
    assert_eq!((client.unexpected, server.unexpected), (0, 0));
}

#[test]
fn under_loss_nearly_every_call_succeeds_and_the_others_time_out() {
    let (mut calls, mut good, mut repeated) = (0, 0, 0);
    for seed in 0..SEEDS {
        let pair = run(seed, LOSSY, false);
        let (client, server) = assert_balanced(seed, &pair);
        let allowed = [FailReason::MaxUdpRetrans, FailReason::TimeoutOnRecv];
        assert_reasons(seed, "client", &client, &allowed);
        assert_reasons(seed, "server", &server, &allowed);
        calls += client.created;
        good += client.succeeded;
        repeated += client.retransmitted + server.retransmitted;
    }
    assert!(
        good * 1000 >= calls * 995,
        "{good} of {calls} calls succeeded"
    );
    assert!(
        repeated > SEEDS,
        "a loss of 5 % was hardly noticed: {repeated} repetitions"
    );
}

#[test]
fn under_reordering_calls_fail_only_as_the_rules_say() {
    let (mut calls, mut good) = (0, 0);
    for seed in 0..SEEDS {
        let pair = run(seed, Net::ROUGH, false);
        let (client, server) = assert_balanced(seed, &pair);
        let allowed = [
            FailReason::MaxUdpRetrans,
            FailReason::TimeoutOnRecv,
            // A 180 that is overtaken by its 200 is unexpected, in SIPp too; so is what follows on the other side.
            FailReason::UnexpectedMessage,
        ];
        assert_reasons(seed, "client", &client, &allowed);
        assert_reasons(seed, "server", &server, &allowed);
        calls += client.created;
        good += client.succeeded;
    }
    assert!(
        good > 0 && good < calls,
        "{good} of {calls} calls succeeded"
    );
}

#[test]
fn without_a_180_reordering_and_repetition_fail_no_call() {
    // The same answerer without the message that can come too late.
    let xml = find("uas").expect("a built-in scenario").xml;
    let start = xml.find("<send>").expect("the 180");
    let end = xml[start..].find("</send>").expect("its end") + "</send>".len();
    let silent = program(
        "silent",
        &format!("{}{}", &xml[..start], &xml[start + end..]),
    );
    for seed in 0..SEEDS {
        let net = Net {
            loss: 0.0,
            ..Net::ROUGH
        };
        let mut pair = Pair::of(seed, net, &UAC, &silent, |params| params.pause_ms = 50);
        for call in 0..CALLS {
            pair.world
                .spawn(pair.client, Micros::from_ms(call * GAP_MS));
        }
        assert!(pair.world.run(LIMIT), "seed {seed}");
        let (client, server) = assert_balanced(seed, &pair);
        assert_eq!(client.succeeded, CALLS, "seed {seed}: {:?}", client.failed);
        assert_eq!(server.succeeded, CALLS, "seed {seed}: {:?}", server.failed);
    }
}

#[test]
fn one_seed_is_one_run_and_another_seed_another() {
    let trace = |seed| run(seed, Net::ROUGH, true).world.trace().to_owned();
    for seed in 0..5 {
        let first = trace(seed);
        assert!(first.lines().count() > 50, "seed {seed}: {first}");
        assert_eq!(first, trace(seed), "seed {seed}");
        assert_ne!(first, trace(seed + 1), "seeds {seed} and {}", seed + 1);
    }
}
