// SPDX-License-Identifier: AGPL-3.0-only
//! Where calls can forget what they have kept of the last message.
//!
//! A server that waits four seconds behind each call for repetitions has ten or a hundred times as many calls in that
//! `timewait` as in conversation. What those hold of headers nobody prints any more; given back, it is memory that is in the
//! caches for the call that begins next, and that of a few calls is enough for all.

use crate::inserted::Reads;
use gossipper_bytecode::program::StepKind;
use gossipper_bytecode::{AutoMessage, Mode, Op, Program, Segment, Slot, StepId, TemplateId};

/// The `timewait` at the end of a program in which nothing is read of the last message.
///
/// Whatever a step prints behind a receive that advances is of that receive's message. So what may still read an older one
/// there are actions of receives, which see the message before theirs, the messages of an abort, which a server does not
/// send, and what the `timewait` itself leads to.
pub(super) fn forgets_at(program: &Program, inserted: Reads) -> Option<StepId> {
    let (last, before) = program.steps.split_last()?;
    let alone = last.kind == StepKind::Timewait
        && before.iter().all(|step| step.kind != StepKind::Timewait)
        && ends(program, last.entry.index());
    let plain = program.mode() == Mode::Server
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
    (alone && plain && all.all(|id| sent(id) || !read(id)))
        .then(|| StepId::new(before.len()))
        .flatten()
}

/// Whether the ops from here on only wait and count until the call ends.
fn ends(program: &Program, entry: usize) -> bool {
    let mut ops = program.ops[entry..].iter();
    let waits = |op: &&Op| {
        matches!(
            op,
            Op::Enter { .. }
                | Op::Pause { .. }
                | Op::PauseWait {}
                | Op::RtdStart { .. }
                | Op::RtdStop { .. }
                | Op::RtdStopRepeat { .. }
                | Op::Count { .. }
                | Op::Shown { .. }
        )
    };
    let first_other = ops.find(|op| !waits(op));
    matches!(first_other, Some(Op::End {}))
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
