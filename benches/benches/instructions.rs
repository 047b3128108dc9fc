// SPDX-License-Identifier: AGPL-3.0-only
//! Instruction counts under callgrind: the same on every run of the same build, so a small change shows.
//!
//! Each figure is one execution of the function body; set-up and the release of memory are not counted. Messages reach
//! the engine as bytes and leave as bytes; sockets, statistics and the wheel are not part of the `vm` figures.
//!
//! Run with `cargo xtask bench`, or one of them with `cargo xtask bench call_uac`.
#![expect(
    missing_docs,
    reason = "the macros of the harness make public items without documentation"
)]

use gossipper_benches::script::{Replay, client_call, server_call};
use gossipper_benches::{OPTIONAL_CHAIN, builtin, peer};
use gossipper_bytecode::Program;
use gossipper_runtime::wheel::Wheel;
use gossipper_sip::{FieldBuffer, HeaderName, Message};
use gossipper_vm::Micros;
use gungraun::{library_benchmark, library_benchmark_group, main};
use std::hint::black_box;

// Compiling the built-in `uac`, from bytes to a verified program.
#[library_benchmark]
#[bench::uac(builtin("uac"))]
fn compile(xml: &str) -> Program {
    black_box(gossipper_benches::compile("uac", black_box(xml)))
}

fn invite() -> Replay {
    // The spawn alone: a record for the call, its index entry, the INVITE, its deadline.
    client_call("uac", builtin("uac")).first(1)
}

// A call is opened: its record is made, its INVITE rendered and its repetition armed.
#[library_benchmark]
#[bench::invite(invite())]
fn render(mut replay: Replay) -> (usize, Replay) {
    (black_box(replay.run()), replay)
}

fn ok_200() -> (Vec<u8>, FieldBuffer) {
    let requests = gossipper_benches::script::requests(1);
    let bytes = peer::answer(&requests[0][0], 200, "OK");
    // As in an engine, the message has the memory of one before.
    let buffer = Message::parse(&bytes).map(Message::into_buffer);
    (bytes, buffer.expect("a SIP message"))
}

// Reading a 200 with a session description, and what the machine asks of every message.
#[library_benchmark]
#[bench::ok_200(ok_200())]
fn parse((bytes, mut buffer): (Vec<u8>, FieldBuffer)) -> (usize, Vec<u8>, FieldBuffer) {
    let found = {
        let message = Message::parse_with(black_box(&bytes), &mut buffer).expect("a SIP message");
        let parts = [
            message.call_id(),
            message.to_tag(),
            message.top_via_branch(),
            message.cseq().map(|cseq| cseq.method),
            message.header(HeaderName::Contact),
            message.body(),
        ];
        let found: usize = parts.iter().flatten().map(|part| part.len()).sum();
        buffer = message.into_buffer();
        found
    };
    (black_box(found), bytes, buffer)
}

fn chain() -> Replay {
    client_call("optional_chain", OPTIONAL_CHAIN)
        .after(3)
        .first(1)
}

// A 200 that a call with twelve optional answers before it accepts.
#[library_benchmark]
#[bench::optional_chain(chain())]
fn matching(mut replay: Replay) -> (usize, Replay) {
    (black_box(replay.run()), replay)
}

// A whole call without sockets: for `uac` INVITE, 100, 180, 200, ACK, BYE, 200; for `uas` INVITE, 180, 200, ACK, BYE,
// 200 and the wait at the end.
#[library_benchmark]
#[bench::call_uac(client_call("uac", builtin("uac")))]
#[bench::call_uas(server_call())]
fn vm(mut replay: Replay) -> (usize, Replay) {
    (black_box(replay.run()), replay)
}

/// Deadlines in the wheel bench.
const DEADLINES: u64 = 1000;

fn wheel_with_nodes() -> Wheel {
    let mut wheel = Wheel::new();
    // Nodes are made when first used; a run makes them once.
    for key in 0..DEADLINES {
        wheel.arm(key, 0, Micros(1));
    }
    for key in 0..DEADLINES {
        wheel.disarm(key);
    }
    wheel
}

// A thousand deadlines between 1 ms and half a minute, armed, and fired as time passes.
#[library_benchmark]
#[bench::arm_fire(wheel_with_nodes())]
fn wheel(mut wheel: Wheel) -> (u64, Wheel) {
    let mut fired = 0;
    for key in 0..DEADLINES {
        // A stride that is prime to the number of keys spreads them without randomness.
        let ms = 1 + key * 7919 % DEADLINES * 30;
        wheel.arm(black_box(key), 1, Micros::from_ms(ms));
    }
    while let Some(at) = wheel.next_wakeup() {
        while wheel.pop_due(at).is_some() {
            fired += 1;
        }
    }
    assert_eq!(fired, DEADLINES);
    (black_box(fired), wheel)
}

library_benchmark_group!(
    name = counts,
    benchmarks = [compile, render, parse, matching, vm, wheel]
);

main!(library_benchmark_groups = counts);
