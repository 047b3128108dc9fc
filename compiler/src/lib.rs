// SPDX-License-Identifier: AGPL-3.0-only
//! XML text in; a verified program and all diagnostics out.
//!
//! Map, in the order a scenario passes through it ([`compile()`] is the pipeline):
//!
//! | Module | Takes | Gives |
//! | --- | --- | --- |
//! | [`source`] | the bytes of a file | [`source::SourceFile`]: encoding, line index, spans |
//! | [`xml`] | a source file | an element tree, with a warning for each repaired fault |
//! | [`schema`] | – | the table of elements, attributes, values and keywords that checks and docs read |
//! | [`parse`] | the tree | [`ast::Scenario`]: what the author wrote, spans kept, nothing resolved |
//! | `template` | CDATA and action strings | literal bytes and keywords, names not yet resolved |
//! | `resolve` | AST and texts | ids of variables, labels, timers, counters, transactions |
//! | `check`, `graph`, [`ere`] | all of it | rules of the whole scenario; translated regular expressions |
//! | `recv_set`, `liveness` | steps and their flow | which receives may match where, what each must keep |
//! | `lower`, `emit` | all of it | ops and side tables: a draft, which its verifier makes a program |
//! | [`needs`] | texts and steps | what a run needs besides the file |
//! | [`diag`] | any phase | [`diag::Diagnostics`]: all findings at once, as text or JSON |
//!
//! ```
//! use gossipper_compiler::{Options, compile};
//!
//! let xml = br#"<scenario><recv request="OPTIONS"/></scenario>"#;
//! let compiled = compile("answer.xml", xml, &Options::default());
//! let program = compiled.program.expect("no errors");
//! assert!(program.listing().contains("await"));
//! ```
#![forbid(unsafe_code)]

pub mod ast;
mod check;
mod compile;
pub mod diag;
mod emit;
pub mod ere;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
pub mod grammar;
mod graph;
mod liveness;
mod lower;
pub mod needs;
pub mod parse;
mod recv_set;
mod resolve;
pub mod schema;
pub mod source;
mod template;
#[cfg(test)]
mod testing;
pub mod xml;

pub use compile::{Compiled, Options, compile};
pub use needs::{Missing, Needs};

/// Changes whenever the same scenario may compile to another program: part of the key of cached programs.
pub const COMPILER_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-2");
