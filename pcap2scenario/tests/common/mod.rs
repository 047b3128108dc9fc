// SPDX-License-Identifier: AGPL-3.0-only
//! The round trip: scenarios that were made of a capture, compiled and run against each other in virtual time. For `mod
//! common;` of a test.

#![allow(dead_code, reason = "every test file uses a part of this")]

pub(crate) mod script;

use gossipper_compiler::{Compiled, Options, compile};
use gossipper_pcap2scenario::{CallSummary, Conversion, rung_on_wire};
use gossipper_testkit::net::Net;
use gossipper_testkit::pair::Pair;
use gossipper_vm::Micros;
use std::sync::Arc;

/// Longer than any call of a test.
const LIMIT: Micros = Micros::from_ms(1_000_000_000);

/// The text of a file that was made.
pub(crate) fn file<'a>(conversion: &'a Conversion, name: &str) -> &'a str {
    let file = conversion.files.iter().find(|file| file.name == name);
    let file = file.unwrap_or_else(|| panic!("no {name}"));
    core::str::from_utf8(&file.bytes).expect("ASCII")
}

/// Compiles a scenario; every warning is a failure. `advise` asks for lints that only advise, too.
pub(crate) fn compiled(name: &str, xml: &str, advise: bool) -> Compiled {
    let options = Options {
        name: name.trim_end_matches(".xml").to_owned(),
        advise,
        ..Options::default()
    };
    let compiled = compile(name, xml.as_bytes(), &options);
    let findings: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(|found| format!("{}: {}", found.code, found.message))
        .collect();
    assert!(findings.is_empty(), "{name}: {findings:#?}\n{xml}");
    compiled
}

/// Runs the two scenarios of a call against each other and gives the ladder, without repetitions.
pub(crate) fn run(conversion: &Conversion, call: &CallSummary, advise: bool) -> Vec<String> {
    wire(conversion, call, advise)
        .iter()
        .map(|(from_caller, bytes)| rung_on_wire(*from_caller, bytes).expect("a message"))
        .collect()
}

/// The messages of such a run.
pub(crate) fn sent(conversion: &Conversion, call: &CallSummary) -> Vec<Vec<u8>> {
    let wire = wire(conversion, call, false);
    wire.into_iter().map(|(_, bytes)| bytes).collect()
}

fn wire(conversion: &Conversion, call: &CallSummary, advise: bool) -> Vec<(bool, Vec<u8>)> {
    let program = |at: usize| {
        let name = &call.files[at];
        let compiled = compiled(name, file(conversion, name), advise);
        Arc::new(compiled.program.expect("no errors"))
    };
    let (uac, uas) = (program(0), program(1));
    let mut pair = Pair::of(7, Net::PERFECT, &uac, &uas, |params| {
        params.auth_username = Some(b"alice".to_vec());
        params.auth_password = b"secret".to_vec();
        params.skips_media = true;
    });
    pair.world.record();
    pair.world.spawn(pair.client, Micros(0));
    let idle = pair.world.run(LIMIT);
    let world = &pair.world;
    let context = || {
        let logs = [world.log(pair.client), world.log(pair.server)].concat();
        format!(
            "call {} {}\n{}\n{logs:#?}\n{}\n{}",
            call.number,
            call.call_id,
            world.trace(),
            file(conversion, &call.files[0]),
            file(conversion, &call.files[1])
        )
    };
    assert!(idle, "something still happens: {}", context());
    for node in [pair.client, pair.server] {
        let tally = world.tally(node);
        assert_eq!(
            (tally.succeeded, tally.failed_calls()),
            (1, 0),
            "{}",
            context()
        );
        assert_eq!(tally.unexpected, 0, "{}", context());
        assert_eq!(world.fatal(node), None, "{}", context());
    }
    let mut seen: Vec<(bool, Vec<u8>)> = Vec::new();
    for (node, bytes) in world.wire() {
        let message = (node == pair.client, bytes.to_vec());
        if !seen.contains(&message) {
            seen.push(message);
        }
    }
    seen
}

/// The whole round trip of every call: both sides compile, both succeed, and the ladder is that of the capture.
pub(crate) fn round_trip(conversion: &Conversion, advise: bool) {
    for call in &conversion.calls {
        assert!(call.files.len() >= 2, "{call:#?}");
        let ladder = run(conversion, call, advise);
        assert_eq!(
            ladder,
            call.ladder,
            "call {} {}\n{}\n{}",
            call.number,
            call.call_id,
            file(conversion, &call.files[0]),
            file(conversion, &call.files[1])
        );
    }
}
