// SPDX-License-Identifier: AGPL-3.0-only
//! Injection files that `lookup`, `insert` and `replace` name. A name with keywords in it is only known in the run.

use super::Subject;
use crate::ast::{ActionKind, Item, Step};
use crate::diag::Diagnostics;
use crate::source::Text;
use crate::template::{Piece, missing_file};

/// Reports files that are not there.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for item in &subject.scenario.items {
        match item {
            Item::Step(step) => check_step(subject, step, diagnostics),
            Item::Init(init) => {
                for item in &init.items {
                    if let Item::Step(step) = item {
                        check_step(subject, step, diagnostics);
                    }
                }
            }
            Item::DefaultMessage(_)
            | Item::Label(_)
            | Item::Declaration(_)
            | Item::Repartition(_) => {}
        }
    }
}

fn check_step(subject: &Subject<'_>, step: &Step, diagnostics: &mut Diagnostics) {
    for action in step.actions.iter().flat_map(|actions| &actions.list) {
        if let ActionKind::Lookup { file, .. }
        | ActionKind::Insert { file, .. }
        | ActionKind::Replace { file, .. }
        | ActionKind::Edit { file, .. } = &action.kind
            && let Some(name) = plain(subject, file)
        {
            let shown = String::from_utf8_lossy(name).into_owned();
            subject.keys.note(|needs| needs.file(shown));
            if let Some(missing) = missing_file(
                Ok((name, file.span())),
                subject.keys.files(),
                subject.keys.missing(),
            ) {
                diagnostics.push_once(missing);
            }
        }
    }
}

/// The text, unless keywords decide what it is.
fn plain<'a>(subject: &Subject<'a>, text: &Text) -> Option<&'a [u8]> {
    match &subject.texts.get(text)?.pieces[..] {
        [] => Some(b""),
        [Piece::Literal(name)] => Some(name),
        _ => None,
    }
}
