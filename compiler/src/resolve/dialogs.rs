// SPDX-License-Identifier: AGPL-3.0-only
//! Dialogs: those that steps belong to, and those that keywords speak of.

use crate::ast::Name;
use crate::diag::codes::resolve as codes;
use crate::diag::{Diagnostic, Diagnostics, MAX_SHOWN, quote, suggest};
use crate::template::Parsed;
use gossipper_bytecode::DialogId;
use gossipper_bytecode::program::MAX_DIALOGS;
use std::collections::HashMap;

/// The dialog of steps that name none.
const MAIN: &[u8] = b"main";

/// All dialogs but the main one, in order of first mention by a step.
#[derive(Debug, Default)]
pub(crate) struct Dialogs {
    list: Vec<Name>,
    by_name: HashMap<Vec<u8>, usize>,
    /// Those that keywords speak of.
    mentioned: Vec<Name>,
}

impl Dialogs {
    /// Whether there are several.
    pub(crate) fn several(&self) -> bool {
        !self.list.is_empty()
    }

    /// All but the main one, in the order of their ids, which count from 1.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Name> {
        self.list.iter()
    }

    /// The dialog of a step, or of a keyword. Only of scenarios without errors.
    pub(crate) fn id(&self, name: Option<&Name>) -> DialogId {
        let index = name.and_then(|name| self.by_name.get(&name.bytes));
        index
            .and_then(|index| DialogId::new(index + 1))
            .unwrap_or(DialogId::MAIN)
    }

    /// A step belongs to it.
    pub(super) fn define(&mut self, name: &Name) {
        if name.bytes == MAIN || self.by_name.contains_key(&name.bytes) {
            return;
        }
        self.by_name.insert(name.bytes.clone(), self.list.len());
        self.list.push(name.clone());
    }

    /// A text speaks of dialogs.
    pub(super) fn mention(&mut self, parsed: &Parsed) {
        self.mentioned.extend(parsed.dialogs().cloned());
    }

    /// Reports dialogs that no step belongs to, and too many of them.
    pub(super) fn check(&self, diagnostics: &mut Diagnostics) {
        if let Some(name) = self.list.get(MAX_DIALOGS - 1) {
            let message = format!("the scenario has more than {MAX_DIALOGS} dialogs");
            diagnostics.push(Diagnostic::error(
                crate::diag::codes::flow::TOO_LARGE,
                name.span,
                message,
            ));
        }
        let unknown = self
            .mentioned
            .iter()
            .filter(|name| name.bytes != MAIN && !self.by_name.contains_key(&name.bytes));
        for (count, name) in unknown.enumerate() {
            let known: Vec<_> = self
                .list
                .iter()
                .take(MAX_DIALOGS)
                .map(Name::display)
                .collect();
            let near = if count < MAX_SHOWN {
                suggest::nearest(&name.display(), known.iter().map(|name| &**name))
            } else {
                None
            };
            let message = format!("no step belongs to the dialog `{}`", quote(&name.bytes));
            diagnostics.push(
                Diagnostic::error(codes::UNKNOWN_DIALOG, name.span, message).did_you_mean(near),
            );
        }
    }
}
