// SPDX-License-Identifier: AGPL-3.0-only
//! Derives a scenario's natural peer, so that scenarios of others can be run without the network they were made for.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`plan`] | follows the main path of a scenario and notes what a peer has to send and to expect |
//! | [`mod@write`] | turns the plan into a SIPp scenario |
//! | [`prepare`] | bounds what would make a run long: pauses, media |
//! | [`corpus`] | which scenarios there are, and what each needs on the command line |
//! | [`known`] | differences that are meant, by class |
//! | [`run`] | a scenario against its mirror, with SIPp and with our tool, and the comparison |
//! | [`sample`] | a few scenarios that stand for many |
//!
//! A mirror is plausible, not clever: it takes the mandatory `recv` of each group (a [`Variant`] the optional ones too,
//! another one spoils the middle of the conversation), does not take branches that hang on a variable, and goes through a loop a few times at most. A scenario that wants something else of its peer fails
//! against it, and has to fail alike under both tools.

pub mod corpus;
mod example;
pub mod known;
pub mod plan;
pub mod prepare;
pub mod run;
pub mod sample;
pub mod write;

pub use plan::Variant;

use gossipper_compiler::ast::Scenario;
use gossipper_compiler::diag::Diagnostics;
use gossipper_compiler::parse::parse;
use gossipper_compiler::source::SourceFile;

/// Reads a scenario file; `None` when it holds none.
#[must_use]
pub fn read(name: &str, bytes: &[u8]) -> Option<Scenario> {
    let source = SourceFile::new(name, bytes).ok()?;
    parse(&source, &mut Diagnostics::new(false))
}

/// The mirror of a scenario as a SIPp scenario; `None` when the scenario holds nothing to mirror.
#[must_use]
pub fn derive(scenario: &Scenario, variant: Variant) -> Option<Mirror> {
    let plan = plan::Plan::of(scenario, variant)?;
    Some(Mirror {
        xml: write::xml(&plan),
        role: plan.role,
    })
}

/// A derived peer.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The scenario file.
    pub xml: String,
    /// Which side of the call it plays.
    pub role: crate::sipp_cases::Role,
}
