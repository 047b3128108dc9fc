// SPDX-License-Identifier: AGPL-3.0-only
//! Labels: names of the places before steps.

use crate::ast::{Item, Name, Step};
use crate::diag::codes::resolve as codes;
use crate::diag::{Diagnostic, Diagnostics, MAX_SHOWN, quote, suggest};
use crate::source::Span;
use std::collections::HashMap;

/// The label where SIPp sends unexpected messages.
const HANDLER: &[u8] = b"_unexp.main";

/// The labels of one section.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    places: HashMap<Vec<u8>, (usize, Span)>,
    steps: usize,
}

impl Labels {
    /// Collects the labels among the items of a section.
    pub(crate) fn collect(items: &[Item], diagnostics: &mut Diagnostics) -> Self {
        let mut labels = Self::default();
        labels.extend(items, diagnostics);
        labels
    }

    /// Collects further items of the same section.
    pub(super) fn extend(&mut self, items: &[Item], diagnostics: &mut Diagnostics) {
        for item in items {
            match item {
                Item::Step(_) => self.steps += 1,
                Item::Label(label) => self.define(&label.id, diagnostics),
                Item::Declaration(_)
                | Item::Repartition(_)
                | Item::DefaultMessage(_)
                | Item::Init(_) => {}
            }
        }
    }

    fn define(&mut self, name: &Name, diagnostics: &mut Diagnostics) {
        if let Some((_, first)) = self.places.get(&name.bytes) {
            let message = format!("label `{}` is defined twice", quote(&name.bytes));
            diagnostics.push(
                Diagnostic::error(codes::DUPLICATE_LABEL, name.span, message)
                    .with(*first, "first here"),
            );
            return;
        }
        self.places
            .insert(name.bytes.clone(), (self.steps, name.span));
    }

    /// The index of the step behind a label; the number of steps for a label behind the last one.
    pub(crate) fn target(&self, name: &Name) -> Option<usize> {
        self.places.get(&name.bytes).map(|(step, _)| *step)
    }

    /// Every label with its place in the file and the step behind it, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Span, usize)> {
        let mut all: Vec<_> = self
            .places
            .iter()
            .map(|(name, (step, span))| (&name[..], *span, *step))
            .collect();
        all.sort_unstable_by_key(|(_, span, _)| *span);
        all.into_iter()
    }

    /// The step behind the label `_unexp.main`.
    pub(crate) fn handler(&self) -> Option<usize> {
        self.places.get(HANDLER).map(|(step, _)| *step)
    }

    /// Reports labels that steps name and nobody defines.
    pub(super) fn check<'a>(
        &self,
        steps: impl Iterator<Item = &'a Step>,
        diagnostics: &mut Diagnostics,
    ) {
        let mut known: Option<Vec<String>> = None;
        let names = steps.flat_map(|step| [&step.common.next, &step.common.ontimeout]);
        let undefined = names.flatten().filter(|name| self.target(name).is_none());
        for (count, name) in undefined.enumerate() {
            let known = known.get_or_insert_with(|| {
                let names = self.places.keys();
                let mut known: Vec<_> = names
                    .map(|name| String::from_utf8_lossy(name).into_owned())
                    .collect();
                known.sort_unstable();
                known
            });
            // Enough for what is shown; comparing every name with every other is not.
            let near = if count < MAX_SHOWN {
                suggest::nearest(&name.display(), known.iter().map(String::as_str))
            } else {
                None
            };
            let message = format!("label `{}` is not defined", quote(&name.bytes));
            diagnostics.push(
                Diagnostic::error(codes::UNDEFINED_LABEL, name.span, message).did_you_mean(near),
            );
        }
    }
}
