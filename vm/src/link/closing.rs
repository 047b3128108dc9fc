// SPDX-License-Identifier: AGPL-3.0-only
//! Where calls can forget what they have kept of the last message.
//!
//! A server that waits four seconds behind each call for repetitions has ten or a hundred times as many calls in that
//! `timewait` as in conversation. What those hold of headers nobody prints any more; given back, it is memory that is in the
//! caches for the call that begins next, and that of a few calls is enough for all.

use crate::inserted::Reads;
use gossipper_bytecode::program::StepKind;
use gossipper_bytecode::{AutoMessage, Mode, Op, Pc, Program, Segment, Slot, TemplateId};

/// The end of the `timewait` at the end of a program, if nothing is read there of the last message.
///
/// Whatever a step prints behind a receive that advances is of that receive's message. So what may still read an older one
/// there are actions of receives, which see the message before theirs; the messages of an abort, which a server with one
/// dialog does not send; and what the `timewait` itself leads to.
pub(super) fn last_wait(program: &Program, inserted: Reads) -> Option<Pc> {
    let silent = program.mode() == Mode::Server
        && program.link_role().is_none()
        && program.dialogs.is_empty()
        && program.handler.is_none()
        && !inserted.keeps_whole();
    let read = |id: TemplateId| {
        let template = &program.templates[id.index()];
        program.segments[template.range()].iter().any(reads_last)
    };
    let sent = |id| {
        program.sends.iter().any(|send| send.template == id)
            || AutoMessage::ALL
                .iter()
                .any(|auto| program.auto_template(*auto) == id)
    };
    let mut all = (0..program.templates.len()).filter_map(TemplateId::new);
    let last = program.steps.last()?;
    if last.kind != StepKind::Timewait || !silent || !all.all(|id| sent(id) || !read(id)) {
        return None;
    }
    let ops = program.ops.get(last.entry.index()..)?;
    let waits = ops.iter().position(|op| matches!(op, Op::PauseWait {}))?;
    matches!(ops.get(waits + 1), Some(Op::End {}))
        .then(|| Pc::new(last.entry.index() + waits))
        .flatten()
}

/// Whether a keyword prints something of what a call has kept of the last message.
const fn reads_last(segment: &Segment) -> bool {
    matches!(
        segment,
        Segment::Slot(
            Slot::LastHeader(..)
                | Slot::LastRequestUri(_)
                | Slot::LastMessage(_)
                | Slot::LastCseqNumber(_)
                | Slot::NextUrl
                | Slot::Elsewhere(_)
        )
    )
}
