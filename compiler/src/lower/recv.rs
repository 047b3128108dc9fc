// SPDX-License-Identifier: AGPL-3.0-only
//! `<recv>`.

use super::Lowerer;
use super::text::milliseconds;
use crate::ast::{Expect, Optionality, Recv, Step, StepKind};
use crate::template::Head;
use gossipper_bytecode::{
    DialogId, Op, Optional, Pc, Recv as RecvEntry, RecvId, RecvMatch, RegexId, SendId, StepId,
    TextRef,
};

impl Lowerer<'_> {
    /// `await`, then the block that runs when the receive has matched. Gives the name of the step.
    pub(super) fn recv(&mut self, index: usize, id: StepId, step: &Step, recv: &Recv) -> TextRef {
        let number = self.draft.recvs.len();
        let entry = RecvId::new(number).unwrap_or_else(|| {
            self.pools.full("receives");
            RecvId(0)
        });
        self.listen(index);
        self.code.op(Op::Await {});
        let block = self.blocks[number];
        self.code.place(block);
        self.bookkeeping(&step.common);
        self.actions(step, true);
        self.code.op(Op::Accept { recv: entry });
        let (accepts, name) = self.accepts(recv);
        let dialog = self.dialog(step);
        let methods = self.methods(dialog);
        let accept = recv.accept.as_ref().map(|text| self.callee(text));
        let lost = step.common.lost.map(|lost| self.pools.number(lost.value));
        let stay_unless = match recv.optional {
            Optionality::Mandatory => None,
            Optionality::Optional | Optionality::Global => {
                step.common.test.as_ref().map(|name| self.var(name))
            }
        };
        let txn = self.txn(recv.response_txn.as_ref());
        let ack = self.following_ack(index);
        self.draft.recvs.push(RecvEntry {
            step: id,
            accepts,
            name,
            methods,
            txn,
            dialog,
            accept,
            optional: match recv.optional {
                Optionality::Mandatory => Optional::No,
                Optionality::Optional => Optional::Yes,
                Optionality::Global => Optional::Global,
            },
            advance: recv.advance_state,
            rrs: recv.rrs,
            auth: recv.auth,
            timeout_ms: milliseconds(recv.timeout_ms),
            lost,
            stay_unless,
            ack,
            entry: Pc(0),
            captures_first: 0,
            captures_count: 0,
        });
        name
    }

    fn accepts(&mut self, recv: &Recv) -> (RecvMatch, TextRef) {
        match &recv.expect {
            Expect::Request(method) => {
                let method = self.pools.text(method.bytes());
                (RecvMatch::Request(method), method)
            }
            Expect::RequestRegex(text) => {
                let name = self.pools.text(text.bytes());
                (RecvMatch::RequestRegex(self.regex(text)), name)
            }
            Expect::Response(code) => {
                let name = self.pools.text(code.value.to_string().as_bytes());
                // No message has a code beyond 16 bits.
                let code = u16::try_from(code.value);
                (code.map_or(RecvMatch::Never, RecvMatch::Status), name)
            }
            Expect::ResponseRegex(text) => {
                let name = self.pools.text(text.bytes());
                (RecvMatch::StatusRegex(self.regex(text)), name)
            }
            Expect::Nothing => (RecvMatch::Never, TextRef::default()),
        }
    }

    /// The id of a regular expression.
    pub(super) fn regex(&mut self, text: &crate::source::Text) -> RegexId {
        let regexes = self.input.regexes;
        let translated = regexes
            .get(text)
            .expect("a scenario without errors has its expressions translated");
        self.pools.regex(
            text.bytes(),
            &translated.pattern,
            translated.automaton.as_ref(),
        )
    }

    /// Methods of the requests sent so far in a dialog: a beginning of the list of all of them, so that it is stored once.
    fn methods(&mut self, dialog: DialogId) -> TextRef {
        let all = self.methods[dialog.index()].unwrap_or_else(|| {
            let mut all = Vec::new();
            for step in self.input.steps {
                if self.dialog(step) == dialog
                    && let Some(method) = listed_method(step, self.input.texts)
                {
                    all.extend_from_slice(method);
                }
            }
            self.pools.text(&all)
        });
        self.methods[dialog.index()] = Some(all);
        TextRef {
            off: all.off,
            len: self.methods_len[dialog.index()].min(all.len),
        }
    }

    /// Notes that a step behind this one may receive answers to its request.
    pub(super) fn note_method(&mut self, step: &Step) {
        let length = listed_method(step, self.input.texts).map_or(0, <[u8]>::len);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let dialog = self.dialog(step);
        let total = &mut self.methods_len[dialog.index()];
        *total = total.saturating_add(length);
    }

    /// The send of the next step, if that is an ACK.
    fn following_ack(&self, index: usize) -> Option<SendId> {
        let next = self.input.steps.get(index + 1)?;
        if self.dialog(next) != self.dialog(self.input.steps[index]) {
            return None;
        }
        let StepKind::Send(send) = &next.kind else {
            return None;
        };
        let parsed = self.input.texts.get(send.text.as_ref()?)?;
        if parsed.head.method() != Some(b"ACK") {
            return None;
        }
        // It is the next one to be written.
        SendId::new(self.draft.sends.len())
    }
}

/// The method that a step adds to the list by which plain receives know their responses.
fn listed_method<'a>(step: &Step, texts: &'a crate::template::Texts) -> Option<&'a [u8]> {
    let StepKind::Send(send) = &step.kind else {
        return None;
    };
    if send.start_txn.is_some() || send.ack_txn.is_some() {
        return None;
    }
    match &texts.get(send.text.as_ref()?)?.head {
        Head::Request(method) => Some(method),
        Head::Response(_) | Head::Text | Head::Poisoned => None,
    }
}
