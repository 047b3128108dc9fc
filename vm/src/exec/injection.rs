// SPDX-License-Identifier: AGPL-3.0-only
//! The actions `lookup`, `insert` and `replace`.
//!
//! As in SIPp the name of the file is a text with keywords, and what cannot be done ends the run.

use super::action::set_number;
use super::{Cx, Next};
use crate::call::Call;
use crate::inject::{ActionError, Injection};
use crate::render::line_number;
use gossipper_bytecode::program::EditPlace;
use gossipper_bytecode::{EditId, TemplateId, VarId};

/// What `lookup` gives for a text that no line has.
const ABSENT: f64 = -1.0;

pub(super) fn lookup(
    cx: &mut Cx<'_>,
    call: &mut Call,
    var: VarId,
    file: TemplateId,
    key: TemplateId,
) -> Next {
    let (file, key) = match (named_file(cx, call, file), text(cx, call, key)) {
        (Ok(file), Ok(key)) => (file, key),
        (Err(end), _) | (_, Err(end)) => return end,
    };
    match cx.shared.injection.lookup(file, &key) {
        Ok(line) => {
            set_number(cx, call, var, line.map_or(ABSENT, f64::from));
            Next::Fall
        }
        Err(error) => fail(cx, "lookup", file, error),
    }
}

pub(super) fn insert(
    cx: &mut Cx<'_>,
    call: &mut Call,
    file: TemplateId,
    value: TemplateId,
) -> Next {
    let (file, value) = match (named_file(cx, call, file), text(cx, call, value)) {
        (Ok(file), Ok(value)) => (file, value),
        (Err(end), _) | (_, Err(end)) => return end,
    };
    match cx.shared.injection.insert(file, &value) {
        Ok(()) => Next::Fall,
        Err(error) => fail(cx, "insert", file, error),
    }
}

pub(super) fn replace(
    cx: &mut Cx<'_>,
    call: &mut Call,
    file: TemplateId,
    line: TemplateId,
    value: TemplateId,
) -> Next {
    let (file, line) = match (named_file(cx, call, file), text(cx, call, line)) {
        (Ok(file), Ok(line)) => (file, line),
        (Err(end), _) | (_, Err(end)) => return end,
    };
    let value = match text(cx, call, value) {
        Ok(value) => value,
        Err(end) => return end,
    };
    on_line(cx, "replace", file, &line, |files, line| {
        files.replace(file, line, &value)
    })
}

/// `insert` and `replace` in Gossipper's form: one field changes, the others stay.
pub(super) fn edit(cx: &mut Cx<'_>, call: &mut Call, edit: EditId) -> Next {
    let edit = cx.image.program.edits[edit.index()];
    let (file, line) = match (named_file(cx, call, edit.file), text(cx, call, edit.line)) {
        (Ok(file), Ok(line)) => (file, line),
        (Err(end), _) | (_, Err(end)) => return end,
    };
    let value = match text(cx, call, edit.text) {
        Ok(value) => value,
        Err(end) => return end,
    };
    let action = match edit.place {
        EditPlace::Instead => "replace",
        EditPlace::Before | EditPlace::Behind => "insert",
    };
    on_line(cx, action, file, &line, |files, line| {
        files.edit(file, line, edit.field, edit.place, &value)
    })
}

/// Changes the line that a text names.
fn on_line(
    cx: &mut Cx<'_>,
    action: &str,
    file: usize,
    line: &[u8],
    change: impl FnOnce(&mut Injection, u32) -> Result<(), ActionError>,
) -> Next {
    let Some(number) = line_number(line) else {
        let line = String::from_utf8_lossy(line);
        let text = format!("{action}: `{line}` is no number of a line");
        return Next::Drop(cx.fatal(&text));
    };
    let done = number
        .ok_or(ActionError::NoSuchLine)
        .and_then(|line| change(&mut cx.shared.injection, line));
    match done {
        Ok(()) => Next::Fall,
        Err(error) => fail(cx, action, file, error),
    }
}

/// A rendered text, out of the arena.
fn text(cx: &mut Cx<'_>, call: &Call, template: TemplateId) -> Result<Vec<u8>, Next> {
    cx.action_text(call, template).map_err(Next::Drop)
}

fn named_file(cx: &mut Cx<'_>, call: &Call, template: TemplateId) -> Result<usize, Next> {
    let name = text(cx, call, template)?;
    cx.shared.injection.find(&name).ok_or_else(|| {
        let name = String::from_utf8_lossy(&name);
        let text = format!("no injection file is called `{name}`");
        Next::Drop(cx.fatal(&text))
    })
}

fn fail(cx: &mut Cx<'_>, action: &str, file: usize, error: ActionError) -> Next {
    let name = cx.shared.injection.name(file);
    let text = format!("{action}: injection file `{name}` {error}");
    Next::Drop(cx.fatal(&text))
}
