// SPDX-License-Identifier: AGPL-3.0-only
//! Rules that need the whole scenario, and hints about what runs but surprises.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`actions`] | regular expressions, jumps |
//! | [`authentication`] | challenges and their answers |
//! | [`dialogs`] | how dialogs begin |
//! | [`files`] | injection files that actions name |
//! | [`media`] | arguments of media actions |
//! | [`lint`] | what runs and surprises |
//! | [`flow`] | who opens calls, pauses, default messages, steps that nothing leads to |
//!
//! Lowering runs only when nothing here or before was an error.

mod actions;
mod authentication;
mod dialogs;
mod files;
mod flow;
mod lint;
mod media;
mod twin;

pub(crate) use actions::Regexes;
pub(crate) use flow::mode;

use crate::ast::{Scenario, Step};
use crate::diag::Diagnostics;
use crate::graph::Graph;
use crate::recv_set::Receives;
use crate::resolve::Names;
use crate::template::{Keys, Texts};

/// What the checks look at.
pub(crate) struct Subject<'a> {
    /// The scenario.
    pub(crate) scenario: &'a Scenario,
    /// Its steps.
    pub(crate) steps: &'a [&'a Step],
    /// Its names.
    pub(crate) names: &'a Names,
    /// Its texts.
    pub(crate) texts: &'a Texts,
    /// Its receives.
    pub(crate) receives: &'a Receives,
    /// Its flow.
    pub(crate) graph: &'a Graph,
    /// What the command line says.
    pub(crate) keys: &'a Keys<'a>,
}

/// Checks everything; gives the translated regular expressions.
pub(crate) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) -> Regexes {
    let regexes = actions::check(subject, diagnostics);
    files::check(subject, diagnostics);
    media::check(subject, diagnostics);
    authentication::check(subject, diagnostics);
    dialogs::check(subject, diagnostics);
    flow::check(subject, diagnostics);
    twin::check(subject, diagnostics);
    // With a step, a name or a path missing, the lints would blame what is right.
    if !diagnostics.is_incomplete() {
        lint::check(subject, diagnostics);
    }
    regexes
}
