// SPDX-License-Identifier: AGPL-3.0-only
//! Scenarios with several dialogs: which one each step belongs to, when it begins, what receives keep for it.
//!
//! A scenario with the main dialog alone gets none of the ops and tables of this module.

use super::Lowerer;
use crate::ast::{Name, Step, StepKind};
use crate::liveness::Live;
use crate::source::Text;
use crate::template::{Head, Kind, Parsed, Piece};
use gossipper_bytecode::program::{Dialog, Elsewhere};
use gossipper_bytecode::{
    Callee, CaptureId, DialogId, ElsewhereId, Mode, Op, RecvId, Segment, Slot, TemplateId,
    TemplateKind, TextRef,
};

impl Lowerer<'_> {
    /// The dialog of a step.
    pub(super) fn dialog(&self, step: &Step) -> DialogId {
        self.input.names.dialogs.id(step.common.dialog.as_ref())
    }

    /// What follows speaks of the dialog of the step, which begins with its first request.
    pub(super) fn enter_dialog(&mut self, step: &Step) {
        if !self.input.names.dialogs.several() {
            return;
        }
        let dialog = self.dialog(step);
        self.code.op(if self.begins(step) {
            Op::Begin { dialog }
        } else {
            Op::Dialog { dialog }
        });
    }

    /// Whether the step sends a request that begins its dialog unless that has begun.
    fn begins(&self, step: &Step) -> bool {
        let StepKind::Send(send) = &step.kind else {
            return false;
        };
        // One that begins anew does so behind its gate.
        if send.new_dialog.is_some() {
            return false;
        }
        let texts = self.input.texts;
        let head = send.text.as_ref().and_then(|text| texts.get(text));
        match head.map(|parsed| &parsed.head) {
            Some(Head::Request(method)) => method != b"ACK" && method != b"CANCEL",
            Some(Head::Response(_) | Head::Text | Head::Poisoned) | None => false,
        }
    }

    /// Listens for the dialogs of the peer that may begin while the call waits at a receive.
    pub(super) fn listen(&mut self, index: usize) {
        if !self.input.names.dialogs.several() {
            return;
        }
        let receives = self.input.receives;
        let Some(first) = receives.index(index) else {
            return;
        };
        for receive in first..receives.run(first).end {
            let step = self.input.steps[receives.steps()[receive]];
            if matches!(&step.kind, StepKind::Recv(recv) if recv.accept.is_some())
                && let Some(recv) = RecvId::new(receive)
            {
                self.code.op(Op::Listen { recv });
            }
        }
    }

    /// For whom a request must be that begins a dialog.
    pub(super) fn callee(&mut self, text: &Text) -> Callee {
        if text.bytes().is_empty() {
            Callee::Anyone
        } else {
            Callee::User(self.text(text))
        }
    }

    /// A keyword about another dialog.
    pub(super) fn elsewhere(&mut self, dialog: &Name, what: &Kind) -> Slot {
        let dialog = self.input.names.dialogs.id(Some(dialog));
        let own = core::mem::take(&mut self.reading);
        let slot = self.slot(what);
        let read = core::mem::replace(&mut self.reading, own);
        self.elsewhere
            .extend(read.into_iter().map(|capture| (dialog, capture)));
        let entry = Elsewhere { dialog, slot };
        let known = &mut self.draft.elsewhere;
        let at = known.iter().position(|other| *other == entry);
        let at = at.unwrap_or_else(|| {
            known.push(entry);
            known.len() - 1
        });
        Slot::Elsewhere(ElsewhereId::new(at).unwrap_or_else(|| {
            self.pools.full("keywords about other dialogs");
            ElsewhereId(0)
        }))
    }

    /// Whether a call may have a dialog that the peer began and that we may have to end.
    pub(super) fn is_called(&self) -> bool {
        let mut receives = self.input.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Recv(recv) => Some(recv),
            _ => None,
        });
        self.input.names.dialogs.several()
            && (self.mode == Some(Mode::Server) || receives.any(|recv| recv.accept.is_some()))
    }

    /// An automatic message against the direction of the last one: From is its To, and To its From.
    pub(super) fn mirrored(&mut self, parsed: &Parsed) -> TemplateId {
        let kind = match &parsed.head {
            Head::Request(method) => TemplateKind::Request {
                method: self.pools.text(method),
            },
            Head::Response(code) => TemplateKind::Response { code: *code },
            Head::Text | Head::Poisoned => TemplateKind::Text,
        };
        let mut segments = Vec::with_capacity(parsed.pieces.len());
        for piece in &parsed.pieces {
            segments.push(match piece {
                Piece::Literal(bytes) => Segment::Literal(self.pools.text(bytes)),
                Piece::Keyword(keyword) => Segment::Slot(match &keyword.kind {
                    Kind::LastHeader(typed) => {
                        let name = typed.strip_suffix(b":").unwrap_or(typed);
                        let other: &[u8] = match name.to_ascii_lowercase().as_slice() {
                            b"from" => b"To",
                            b"to" => b"From",
                            _ => name,
                        };
                        let capture = self.pools.header(other);
                        self.reading.push(capture);
                        Slot::LastHeader(capture, self.pools.text(typed))
                    }
                    kind => self.slot(kind),
                }),
            });
        }
        self.pools.template(kind, &segments)
    }

    /// The table of dialogs; empty for one.
    pub(super) fn dialog_names(&mut self) {
        let names = self.input.names;
        if !names.dialogs.several() {
            return;
        }
        self.draft.dialogs.push(Dialog {
            name: TextRef::default(),
        });
        for name in names.dialogs.others() {
            let name = self.pools.text(&name.bytes);
            self.draft.dialogs.push(Dialog { name });
        }
    }

    /// With several dialogs each receive keeps whatever any step reads of its dialog.
    ///
    /// The data flow of [`crate::liveness`] knows one last message. Dialogs have one each, and a wait in one of them
    /// ends nothing in another.
    pub(super) fn keep_by_dialog(&mut self, captures: usize, aborts: &[CaptureId]) {
        let mut live = vec![Live::none(captures); self.methods.len()];
        for (step, reads) in self.input.steps.iter().zip(&self.reads) {
            let dialog = self.dialog(step);
            for capture in reads {
                live[dialog.index()].insert(capture.index());
            }
        }
        for (dialog, capture) in &self.elsewhere {
            live[dialog.index()].insert(capture.index());
        }
        let mut ranges = Vec::with_capacity(live.len());
        for dialog in &mut live {
            for capture in aborts {
                dialog.insert(capture.index());
            }
            let first = self.draft.capture_lists.len();
            let kept = dialog.iter().filter_map(CaptureId::new);
            self.draft.capture_lists.extend(kept);
            let count = self.draft.capture_lists.len() - first;
            let as_u32 = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            ranges.push((as_u32(first), as_u32(count)));
        }
        for recv in &mut self.draft.recvs {
            let (first, count) = ranges[recv.dialog.index()];
            recv.captures_first = if count == 0 { 0 } else { first };
            recv.captures_count = count;
        }
    }
}
