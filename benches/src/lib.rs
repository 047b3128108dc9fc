// SPDX-License-Identifier: AGPL-3.0-only
//! What the benches share: scenarios, a peer, and whole calls recorded as inputs.
//!
//! The machine is deterministic, so a call is recorded once by one engine and its inputs are replayed on another one
//! that was brought to the same state; only the replay is measured. The benches are in `benches/`:
//! `instructions` counts under callgrind, `idle` measures memory, `growth` what open calls cost those that come and go. `docs/performance.md` has the figures.
//!
//! Not a dependency of anything.
#![forbid(unsafe_code)]

pub mod churn;
pub mod peer;
pub mod script;

use gossipper_bytecode::Program;
use gossipper_compiler::Options;
use gossipper_vm::{Engine, Image, RunParams};
use std::net::SocketAddr;
use std::sync::Arc;

/// A call that waits behind a dozen optional answers.
pub const OPTIONAL_CHAIN: &str = include_str!("../scenarios/optional_chain.xml");

/// The text of a built-in scenario.
///
/// # Panics
/// When there is none of that name.
#[must_use]
pub fn builtin(name: &str) -> &'static str {
    gossipper_stdlib_scenarios::find(name)
        .expect("a built-in scenario")
        .xml
}

/// Compiles a scenario.
///
/// # Panics
/// When it has errors.
#[must_use]
pub fn compile(name: &str, xml: &str) -> Program {
    let options = Options {
        name: name.to_owned(),
        ..Options::default()
    };
    let file = format!("{name}.xml");
    gossipper_compiler::compile(&file, xml.as_bytes(), &options)
        .program
        .expect("the scenarios of the benches compile")
}

/// Address of the other side.
#[must_use]
pub fn remote() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 5060))
}

/// An engine for a scenario, with pauses of a given length.
///
/// # Panics
/// When the scenario does not compile or link.
#[must_use]
pub fn engine(name: &str, xml: &str, pause_ms: u32) -> Engine {
    let params = RunParams {
        destination: Some(remote()),
        remote: Some(remote()),
        remote_host: b"192.0.2.9".to_vec(),
        pause_ms,
        ..RunParams::default()
    };
    let image = Image::link(Arc::new(compile(name, xml)), params).expect("the scenario links");
    Engine::new(Arc::new(image))
}
