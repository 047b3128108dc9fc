// SPDX-License-Identifier: AGPL-3.0-only
//! Twins in virtual time: the two sides of a controller and the two parties they call, in one world.

use gossipper_bytecode::{FailReason, PeerId, Program};
use gossipper_stdlib_scenarios::find;
use gossipper_testkit::net::Net;
use gossipper_testkit::pair::program;
use gossipper_testkit::world::{NodeId, World};
use gossipper_vm::{Image, Micros, RunParams, TwinMode};
use std::net::SocketAddr;
use std::sync::Arc;

/// Calls of each run.
const CALLS: u64 = 20;

/// Longer than any call lasts.
const LIMIT: Micros = Micros::from_ms(120_000);

struct Four {
    world: World,
    party_a: NodeId,
    party_b: NodeId,
    caller: NodeId,
    commanded: NodeId,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5060))
}

fn builtin(name: &str) -> Arc<Program> {
    program(name, find(name).expect("a built-in scenario").xml)
}

fn file(name: &str) -> Arc<Program> {
    let path = format!(
        "{}/../../testdata/scenarios/3pcc/{name}.xml",
        env!("CARGO_MANIFEST_DIR")
    );
    let xml = std::fs::read_to_string(&path).expect(&path);
    program(name, &xml)
}

fn add(
    world: &mut World,
    name: &str,
    program: Arc<Program>,
    own: u8,
    remote: Option<u8>,
    twin: Option<TwinMode>,
) -> NodeId {
    let (local, remote) = (address(own), remote.map(address));
    let params = RunParams {
        local_ip: local.ip(),
        local_port: local.port(),
        server_ip: local.ip(),
        media_ip: local.ip(),
        destination: remote,
        remote,
        recv_timeout_ms: 30_000,
        twin,
        ..RunParams::default()
    };
    let image = Image::link(program, params).expect("the program links");
    world.add(name, local, Arc::new(image))
}

fn four(
    seed: u64,
    net: Net,
    caller: Arc<Program>,
    commanded: Arc<Program>,
    twin: TwinMode,
) -> Four {
    let mut world = World::new(seed, net);
    let party_a = add(&mut world, "A", builtin("3pcc-A"), 1, None, None);
    let party_b = add(&mut world, "B", builtin("3pcc-B"), 2, None, None);
    let first = add(&mut world, "caller", caller, 3, Some(1), Some(twin));
    let second = add(&mut world, "commanded", commanded, 4, Some(2), Some(twin));
    let peer = (twin == TwinMode::Named).then_some(PeerId(0));
    world.link(first, peer, second);
    world.link(second, second_peer(twin), first);
    for call in 0..CALLS {
        world.spawn(first, Micros::from_ms(call * 20));
    }
    Four {
        world,
        party_a,
        party_b,
        caller: first,
        commanded: second,
    }
}

/// The number of the peer `m` in the slave's program.
fn second_peer(twin: TwinMode) -> Option<PeerId> {
    match twin {
        TwinMode::One => None,
        TwinMode::Named => file("slave")
            .twin_sends
            .first()
            .and_then(|command| command.peer),
    }
}

fn body(message: &[u8]) -> &[u8] {
    let at = message.windows(4).position(|four| four == b"\r\n\r\n");
    &message[at.expect("an empty line") + 4..]
}

fn sent<'w>(world: &'w World, node: NodeId, start: &str) -> Vec<&'w [u8]> {
    let messages = world.sent(node).iter().map(Vec::as_slice);
    messages
        .filter(|message| message.starts_with(start.as_bytes()))
        .collect()
}

#[test]
fn a_controller_of_two_twins_passes_offer_and_answer_on() {
    let mut four = four(
        1,
        Net::PERFECT,
        builtin("3pcc-C-A"),
        builtin("3pcc-C-B"),
        TwinMode::One,
    );
    assert!(four.world.run(LIMIT), "something still happens");
    let world = &four.world;
    for node in [four.party_a, four.party_b, four.caller, four.commanded] {
        assert_eq!(world.tally(node).succeeded, CALLS, "{:?}", world.log(node));
        assert_eq!(world.open_calls(node), 0);
    }
    // A's offer reaches B, and B's answer A.
    let offers = sent(world, four.party_a, "SIP/2.0 200");
    let invites = sent(world, four.commanded, "INVITE");
    let answers = sent(world, four.party_b, "SIP/2.0 200");
    let acks = sent(world, four.caller, "ACK");
    assert_eq!(invites.len() as u64, CALLS);
    assert!(body(offers[0]).starts_with(b"v=0\r\n"));
    assert!(body(invites[0]).starts_with(body(offers[0])));
    assert!(body(acks[0]).starts_with(body(answers[0])));
    for ack in acks {
        let text = String::from_utf8_lossy(ack);
        assert!(
            text.contains("\r\nContent-Type: application/sdp\r\n"),
            "{text}"
        );
    }
    assert_eq!(world.commands(four.caller).len() as u64, CALLS);
    assert_eq!(world.commands(four.commanded).len() as u64, CALLS);
}

#[test]
fn a_master_and_a_slave_command_each_other_by_name() {
    let mut four = four(
        1,
        Net::PERFECT,
        file("master"),
        file("slave"),
        TwinMode::Named,
    );
    assert!(four.world.run(LIMIT), "something still happens");
    let world = &four.world;
    for node in [four.party_a, four.party_b, four.caller, four.commanded] {
        assert_eq!(world.tally(node).succeeded, CALLS, "{:?}", world.log(node));
    }
    let ack = String::from_utf8_lossy(sent(world, four.caller, "ACK")[0]).into_owned();
    assert!(ack.contains("\r\nX-Other: sip:192.0.2.2:5060\r\n"), "{ack}");
}

#[test]
fn every_call_ends_on_both_sides_whatever_the_network_loses() {
    let net = Net {
        loss: 0.2,
        ..Net::PERFECT
    };
    for seed in 0..20 {
        let (caller, commanded) = (builtin("3pcc-C-A"), builtin("3pcc-C-B"));
        let mut four = four(seed, net, caller, commanded, TwinMode::One);
        assert!(
            four.world.run(LIMIT),
            "seed {seed}: something still happens"
        );
        for node in [four.caller, four.commanded] {
            let tally = four.world.tally(node);
            assert_eq!(four.world.open_calls(node), 0, "seed {seed}");
            assert_eq!(tally.created, tally.ended(), "seed {seed}");
            for reason in tally.failed.keys() {
                assert!(
                    matches!(
                        reason,
                        FailReason::MaxUdpRetrans
                            | FailReason::TimeoutOnRecv
                            | FailReason::UnexpectedMessage
                            | FailReason::CallRejected
                            | FailReason::Aborted
                    ),
                    "seed {seed}: {reason:?}"
                );
            }
        }
    }
}

#[test]
fn without_a_way_to_the_twin_the_call_fails() {
    let mut world = World::new(1, Net::PERFECT);
    add(&mut world, "A", builtin("3pcc-A"), 1, None, None);
    let caller = builtin("3pcc-C-A");
    let caller = add(
        &mut world,
        "caller",
        caller,
        3,
        Some(1),
        Some(TwinMode::One),
    );
    world.spawn(caller, Micros(0));
    assert!(world.run(LIMIT), "something still happens");
    assert_eq!(
        world.tally(caller).failed.get(&FailReason::CmdNotSent),
        Some(&1)
    );
}
