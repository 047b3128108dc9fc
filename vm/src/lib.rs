// SPDX-License-Identifier: AGPL-3.0-only
//! Runs calls as a pure state machine; never meets a socket, clock or file.
//!
//! A driver links a program with the parameters of a run ([`Image::link`]), makes one [`Engine`] per shard and
//! feeds it: [`Engine::handle`] takes the time and one [`Input`], and appends to an [`OutBuf`] everything that
//! follows from it. `handle` always returns with the full batch, so there is no order of polling to get wrong.
//! Nothing is called back but the source of files, if a scenario has any whose path depends on the call ([`files`]);
//! nothing else is shared, and the same inputs give the same outputs.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`input`], [`output`] | the boundary: facts in, orders out |
//! | [`params`], [`link`] | what a run adds to a program, and the image made of both |
//! | [`engine`], `deadlines` | calls, Call-ID index, births, ends; what wakes a call |
//! | `receive`, `matching`, `unexpected` | what a message is to a call, and what follows |
//! | `exec` | the dispatch loop and the op handlers |
//! | `render`, `elsewhere`, `date` | templates -> bytes |
//! | `inserted` | keywords in texts of injection files |
//! | `auth` | challenges and their answers |
//! | `dialogs`, `kept` | which call and dialog a message belongs to, when calls have several; those that come too early |
//! | `txn`, `dialog` | repetition by timer; route set and remote target |
//! | [`circuits`] | circuits of `-tdmmap` |
//! | [`posix`] | regular expressions as the C library has them |
//! | [`files`] | who reads files whose paths depend on the call |
//! | [`inject`] | injection files: lines of calls, fields, index, changes |
//! | `vars` | variables of users, and global ones |
//! | `call`, `slab`, `call_id` | the record of a call; where records lie; the Call-IDs of generated ones |
//! | `dead`, `rng` | ended calls; random streams |
//!
//! The smallest run loop:
//! ```
//! use gossipper_vm::{Engine, Input, Micros, OutBuf, Output};
//! # use gossipper_vm::{Image, RunParams};
//! # fn program() -> gossipper_bytecode::Program { gossipper_vm::doc_program() }
//! # let params = RunParams { destination: Some("192.0.2.1:5060".parse()?), ..RunParams::default() };
//! # let image = Image::link(program().into(), params)?;
//! let mut engine = Engine::new(image.into());
//! let mut out = OutBuf::new();
//! let now = Micros(0);
//! engine.start(now, &mut out);
//! engine.handle(now, Input::Spawn { user: 0, due: now }, &mut out);
//! for output in out.records() {
//!     match output {
//!         Output::Send { to, bytes, .. } => println!("{} bytes to {to}", out.bytes(*bytes).len()),
//!         Output::Arm { at, .. } => println!("wake me at {at} s"),
//!         other => println!("{other:?}"),
//!     }
//! }
//! # assert_eq!(engine.open_calls(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod answer;
mod auth;
mod call;
mod call_id;
pub mod circuits;
mod confined;
mod date;
mod dead;
mod deadlines;
mod dialog;
mod dialogs;
mod elsewhere;
pub mod engine;
mod exec;
pub mod files;
mod flows;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
pub mod inject;
pub mod input;
mod inserted;
mod kept;
pub mod link;
mod matching;
mod media;
pub mod output;
pub mod params;
mod paths;
pub mod posix;
mod receive;
mod render;
mod rng;
mod slab;
mod stripes;
#[cfg(test)]
mod testing;
mod txn;
mod unexpected;
mod vars;

pub use confined::{Confined, confined};
pub use engine::{AHEAD, Engine, Siblings};
pub use files::{FileSource, ReadFile};
pub use inject::InjectionFile;
pub use input::{CallControl, CallKey, FlowEvent, FlowId, Input, MediaVerdict, Micros, Unsent};
pub use link::{Image, LinkError};
pub use output::{ByteRange, CallEnd, LogKind, OutBuf, Output, SdpOf, SdpPlace, StatEvent};
pub use params::{Behaviors, BesideKind, CallIdFormat, DuplicateCheck, RunParams, Trunk, TwinMode};
pub use paths::{MAX_PATHS, PathError, Paths};

/// Size of the record that an open call occupies, without what it points to; for the benches.
#[doc(hidden)]
#[must_use]
pub const fn call_record_bytes() -> usize {
    size_of::<call::Call>()
}

/// The smallest program, for the example above: one step that does nothing.
#[doc(hidden)]
#[must_use]
pub fn doc_program() -> gossipper_bytecode::Program {
    use gossipper_bytecode::program::OnTimeout;
    use gossipper_bytecode::{
        Draft, Mode, Op, Pc, RecvSet, Step, StepId, StepKind, Template, TemplateId, TemplateKind,
        TextRef,
    };
    let text = Template {
        kind: TemplateKind::Text,
        first: 0,
        count: 0,
    };
    let step = Step {
        kind: StepKind::Nop,
        name: TextRef::default(),
        line: 1,
        entry: Pc(0),
        on_timeout: OnTimeout::Fail,
        set: RecvSet::default(),
        send: None,
        command: None,
        hidden: false,
        blank_after: false,
        starts_rtd: false,
        stops_rtd: false,
        reads_sdp: false,
    };
    Draft {
        mode: Some(Mode::Client),
        ops: vec![Op::Enter { step: StepId(0) }, Op::End {}],
        steps: vec![step],
        templates: vec![text],
        auto: vec![TemplateId(0); 4],
        ..Draft::default()
    }
    .verify()
    .expect("the smallest program is valid")
}
