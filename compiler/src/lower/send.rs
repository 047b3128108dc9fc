// SPDX-License-Identifier: AGPL-3.0-only
//! `<send>`.

use super::Lowerer;
use super::text::milliseconds;
use crate::ast::{ActionKind, SearchIn, Send, Step};
use crate::template::Head;
use gossipper_bytecode::program::Send as SendEntry;
use gossipper_bytecode::{Op, SendId, StepId, TemplateId, TextRef, TxnId};

impl Lowerer<'_> {
    /// Gate, bookkeeping, the message, its actions. Gives the name of the step and its entry in the table.
    pub(super) fn send(&mut self, id: StepId, step: &Step, send: &Send) -> (TextRef, SendId) {
        let entry = SendId::new(self.draft.sends.len()).unwrap_or_else(|| {
            self.pools.full("sends");
            SendId(0)
        });
        self.code.op(Op::Gate {});
        if send.new_dialog.is_some() {
            let dialog = self.dialog(step);
            self.code.op(Op::BeginAnew { dialog });
        }
        self.bookkeeping(&step.common);
        self.code.op(Op::Send { send: entry });
        let (template, name) = self.message(send);
        let lost = step.common.lost.map(|lost| self.pools.number(lost.value));
        let starts = self.txn(send.start_txn.as_ref());
        let acks = self.txn(send.ack_txn.as_ref());
        self.draft.sends.push(SendEntry {
            step: id,
            template,
            retrans_ms: milliseconds(send.retrans_ms).unwrap_or(0),
            timeout_ms: milliseconds(send.timeout_ms).unwrap_or(0),
            lost,
            starts,
            acks,
            actions_read: searches_message(step),
        });
        self.actions(step, false);
        self.code.op(Op::Sent { send: entry });
        (name, entry)
    }

    fn message(&mut self, send: &Send) -> (TemplateId, TextRef) {
        let texts = self.input.texts;
        let parsed = send.text.as_ref().and_then(|text| texts.get(text));
        let parsed = parsed.expect("a scenario without errors has a text in each send");
        let name = match &parsed.head {
            Head::Request(method) => method.clone(),
            Head::Response(code) => code.to_string().into_bytes(),
            Head::Text | Head::Poisoned => Vec::new(),
        };
        (self.template(parsed), self.name(&name))
    }

    /// The id of a transaction.
    pub(super) fn txn(&mut self, name: Option<&crate::ast::Name>) -> Option<TxnId> {
        let name = name?;
        let id = self.input.names.txns.id(name);
        if id.is_none() {
            self.pools.full("transactions");
        }
        id
    }
}

/// Whether an action of the step searches the message that was sent.
fn searches_message(step: &Step) -> bool {
    step.actions
        .iter()
        .flat_map(|actions| &actions.list)
        .any(|action| match &action.kind {
            ActionKind::Ereg { search_in, .. } => match search_in {
                SearchIn::Message | SearchIn::Header(_) | SearchIn::Body => true,
                SearchIn::Variable(_) => false,
            },
            ActionKind::VerifyAuth { .. } => true,
            _ => false,
        })
}
