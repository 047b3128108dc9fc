// SPDX-License-Identifier: AGPL-3.0-only
//! Variables and their scopes.
//!
//! The first mention decides: in a `<Global>` or `<User>` it declares one of that scope, anywhere else one of the
//! call. A variable mentioned exactly once is refused; `_` is exempt.

use crate::ast::Name;
use crate::diag::codes::resolve as codes;
use crate::diag::{Diagnostic, Diagnostics, quote, suggest};
use crate::source::Span;
use gossipper_bytecode::{VarId, VarScope};
use std::collections::HashMap;

/// The throw-away variable.
const ANONYMOUS: &[u8] = b"_";

/// The variable that gets the index of the step at which an unexpected message came.
pub(crate) const RETURN_TO: &[u8] = b"_unexp.retaddr";

/// The variable that gets the end of the pause in which an unexpected message came.
pub(crate) const PAUSED_UNTIL: &[u8] = b"_unexp.pausedaddr";

/// Variables that may be mentioned once: the throw-away one, and those that the machine sets.
const EXEMPT: [&[u8]; 3] = [ANONYMOUS, RETURN_TO, PAUSED_UNTIL];

/// A variable.
#[derive(Debug)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: Vec<u8>,
    /// Where it lives.
    pub(crate) scope: VarScope,
    first: Span,
    mentions: usize,
}

/// All variables, in order of first mention.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    list: Vec<Variable>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl Variables {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Variable> {
        self.list.iter()
    }

    /// The id of a variable; `None` when there are more than ids.
    pub(crate) fn id(&self, name: &Name) -> Option<VarId> {
        let index = *self.by_name.get(&name.bytes)?;
        u16::try_from(index).ok().map(VarId)
    }

    /// The id of the variable with this name, if the scenario mentions it.
    pub(crate) fn named(&self, name: &[u8]) -> Option<VarId> {
        let index = *self.by_name.get(name)?;
        u16::try_from(index).ok().map(VarId)
    }

    fn add(&mut self, name: &Name, scope: VarScope) {
        self.by_name.insert(name.bytes.clone(), self.list.len());
        self.list.push(Variable {
            name: name.bytes.clone(),
            scope,
            first: name.span,
            mentions: 1,
        });
    }

    /// A use, which declares a variable of the call unless there is one of that name.
    pub(super) fn mention(&mut self, name: &Name) {
        match self.by_name.get(&name.bytes) {
            Some(index) => self.list[*index].mentions += 1,
            None => self.add(name, VarScope::Call),
        }
    }

    /// `<Global>`
    pub(super) fn global(&mut self, name: &Name, diagnostics: &mut Diagnostics) {
        self.declare(name, VarScope::Global, diagnostics);
    }

    /// `<User>`; a global of that name is meant first, as SIPp looks names up.
    pub(super) fn user(&mut self, name: &Name, diagnostics: &mut Diagnostics) {
        self.declare(name, VarScope::User, diagnostics);
    }

    fn declare(&mut self, name: &Name, scope: VarScope, diagnostics: &mut Diagnostics) {
        let Some(index) = self.by_name.get(&name.bytes) else {
            self.add(name, scope);
            return;
        };
        let variable = &mut self.list[*index];
        variable.mentions += 1;
        let hidden = match (variable.scope, scope) {
            (VarScope::Global, _) | (VarScope::User, VarScope::User) => false,
            (VarScope::Call | VarScope::User, _) => name.bytes != ANONYMOUS,
        };
        if hidden {
            let message = format!(
                "variable `{}` is declared after its first use",
                quote(&name.bytes)
            );
            diagnostics.push(
                Diagnostic::error(codes::DECLARED_LATE, name.span, message)
                    .with(variable.first, "used here, where it is another variable")
                    .help("move the declaration to the top"),
            );
        }
    }

    /// `<Reference>`
    pub(super) fn refer(&mut self, name: &Name, diagnostics: &mut Diagnostics) {
        match self.by_name.get(&name.bytes) {
            Some(index) => self.list[*index].mentions += 1,
            None => {
                let near = self.nearest(name);
                let message = format!(
                    "`{}` is neither declared nor used above",
                    quote(&name.bytes)
                );
                diagnostics.push(
                    Diagnostic::error(codes::UNKNOWN_REFERENCE, name.span, message)
                        .did_you_mean(near.as_deref()),
                );
            }
        }
    }

    fn nearest(&self, name: &Name) -> Option<String> {
        let others: Vec<_> = self
            .list
            .iter()
            .filter(|other| other.name != name.bytes)
            .map(|other| String::from_utf8_lossy(&other.name))
            .collect();
        suggest::nearest(&name.display(), others.iter().map(|name| &**name)).map(str::to_owned)
    }

    /// Reports variables that are mentioned once.
    pub(super) fn check(&self, diagnostics: &mut Diagnostics) {
        let once = self
            .list
            .iter()
            .filter(|variable| variable.mentions == 1 && !EXEMPT.contains(&&variable.name[..]));
        // Suggestions compare each name with each other: enough for what is shown, bounded for what is hostile.
        for (count, variable) in once.enumerate() {
            let name = Name {
                bytes: variable.name.clone(),
                span: variable.first,
            };
            let near = if count < crate::diag::MAX_SHOWN {
                self.nearest(&name)
            } else {
                None
            };
            let message = format!(
                "variable `{}` is mentioned only once",
                quote(&variable.name)
            );
            let found = Diagnostic::error(codes::VARIABLE_MENTIONED_ONCE, variable.first, message);
            diagnostics.push(match near {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help("use `_` for a value that nobody reads"),
            });
        }
    }
}
