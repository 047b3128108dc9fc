// SPDX-License-Identifier: AGPL-3.0-only
//! From the element tree to the AST: every value typed, every rule that needs no other element's names checked.
//!
//! Each element family has a file. `attrs::Attrs` reads attribute values by the types of [`crate::schema`] and
//! reports what does not fit; the families decide what a combination of values means.
//!
//! Not here: labels, variables, timers, transactions and keywords, which need the whole scenario.
//! Rules: SIPp's load-time checks of structure and attribute values. It stops at the first; this goes on.

mod action;
mod attrs;
mod pairs;
mod pause;
mod scenario;
mod stats;
mod step;

use crate::ast::Scenario;
use crate::diag::Diagnostics;
use crate::source::SourceFile;

/// Reads a file into an AST. `None` when it holds no `<scenario>`; otherwise everything that could be read, with what
/// is wrong in `diags`.
pub fn parse(source: &SourceFile, diags: &mut Diagnostics) -> Option<Scenario> {
    let root = crate::xml::read(source, diags);
    scenario::scenario(source, root.as_ref(), diags)
}

#[cfg(test)]
mod tests;
