// SPDX-License-Identifier: AGPL-3.0-only
//! `<sendCmd>` and `<recvCmd>`.

use super::Lowerer;
use super::text::milliseconds;
use crate::ast::{Optionality, RecvCmd, SendCmd, Step, StepKind};
use crate::emit::Label;
use crate::source::Text;
use crate::template;
use gossipper_bytecode::program::{TwinNeed, TwinRecv, TwinSend};
use gossipper_bytecode::{Op, Pc, PeerId, StepId, TextRef, TwinRecvId, TwinSendId};

/// How long an optional command is waited for where nothing else can come, in ms.
const OPTIONAL_MS: u32 = 250;

/// What ends a run whose init section waits in vain.
const NO_COMMAND: &str = "<init>: no command came in time for a recvCmd";

impl Lowerer<'_> {
    /// Gate, the command, bookkeeping, its actions: in SIPp's order. Gives the name of the step.
    pub(super) fn send_command(&mut self, id: StepId, step: &Step, send: &SendCmd) -> TextRef {
        self.code.op(Op::Gate {});
        self.twin_send(Some(id), step, send)
    }

    /// A `sendCmd`, also of the init section.
    pub(super) fn twin_send(&mut self, id: Option<StepId>, step: &Step, send: &SendCmd) -> TextRef {
        let command = TwinSendId::new(self.draft.twin_sends.len()).unwrap_or_else(|| {
            self.pools.full("commands");
            TwinSendId(0)
        });
        self.code.op(Op::TwinSend { command });
        let texts = self.input.texts;
        let parsed = send.text.as_ref().and_then(|text| texts.get(text));
        let parsed = parsed.expect("a scenario without errors has a text in each sendCmd");
        let template = self.template(parsed);
        let (peer, name) = self.peer(send.dest.as_ref());
        self.draft.twin_sends.push(TwinSend {
            step: id,
            template,
            peer,
        });
        self.bookkeeping(&step.common);
        self.actions(step, false);
        name
    }

    /// `await`, then the block that runs when a command has come. Gives the name of the step.
    pub(super) fn recv_command(&mut self, id: StepId, step: &Step, recv: &RecvCmd) -> TextRef {
        self.code.op(Op::Await {});
        let command = self.next_command();
        self.twin_block(command, Some(id), step, recv)
    }

    /// A `recvCmd` of the init section. Without a command in time it goes on at `late`, or else the run ends, unless the
    /// command is optional.
    pub(super) fn init_recv_command(
        &mut self,
        step: &Step,
        recv: &RecvCmd,
        late: Option<Label>,
        behind: Label,
    ) {
        let command = self.next_command();
        self.code.op(Op::TwinAwait { command });
        let optional = recv.optional != Optionality::Mandatory;
        if late.is_none() && !optional {
            let parsed = template::read_own_command(NO_COMMAND);
            let template = self.template(&parsed);
            self.code.op(Op::Fatal { template });
        }
        let to = late.unwrap_or(behind).pc();
        self.code.op(Op::Jump { to });
        self.twin_block(command, None, step, recv);
    }

    fn next_command(&mut self) -> TwinRecvId {
        TwinRecvId::new(self.draft.twin_recvs.len()).unwrap_or_else(|| {
            self.pools.full("commands");
            TwinRecvId(0)
        })
    }

    fn twin_block(
        &mut self,
        command: TwinRecvId,
        id: Option<StepId>,
        step: &Step,
        recv: &RecvCmd,
    ) -> TextRef {
        let block = self.code.label();
        self.code.place(block);
        self.command_blocks.push(block);
        self.bookkeeping(&step.common);
        self.actions(step, true);
        self.code.op(Op::TwinAccept { command });
        let (peer, name) = self.peer(recv.src.as_ref());
        let need = match id {
            _ if recv.optional == Optionality::Mandatory => TwinNeed::Must,
            Some(id) if !self.waits_alone(id) => TwinNeed::MayBePassed,
            _ => TwinNeed::MayLack,
        };
        let by_itself = (need == TwinNeed::MayLack).then_some(OPTIONAL_MS);
        self.draft.twin_recvs.push(TwinRecv {
            step: id,
            need,
            peer,
            timeout_ms: milliseconds(recv.timeout_ms).or(by_itself),
            entry: Pc(0),
        });
        name
    }

    /// Whether no receive stands behind a step, but something else.
    fn waits_alone(&self, id: StepId) -> bool {
        let next = self.input.steps.get(id.index() + 1);
        next.is_some_and(|next| !matches!(next.kind, StepKind::Recv(_) | StepKind::RecvCmd(_)))
    }

    /// The id of a peer, and its name.
    fn peer(&mut self, name: Option<&Text>) -> (Option<PeerId>, TextRef) {
        let Some(name) = name else {
            return (None, TextRef::default());
        };
        let name = self.pools.text(name.bytes());
        // Texts are interned: equal names are the same piece of the pool.
        let known = self.draft.peers.iter().position(|peer| *peer == name);
        let index = known.unwrap_or_else(|| {
            self.draft.peers.push(name);
            self.draft.peers.len() - 1
        });
        let id = PeerId::new(index).unwrap_or_else(|| {
            self.pools.full("peers");
            PeerId(0)
        });
        (Some(id), name)
    }

    /// The `recvCmd` that takes a command which arrives while a call is at a step.
    pub(super) fn command_at(&self, step: usize) -> Option<TwinRecvId> {
        let target = self.input.receives.command(step)?;
        let all = self.input.receives.command_steps();
        // Too many of them are reported where they are lowered.
        TwinRecvId::new(all.binary_search(&target).ok()?)
    }

    /// Whether the scenario has a twin.
    pub(super) fn has_commands(&self) -> bool {
        self.input
            .steps
            .iter()
            .any(|step| matches!(step.kind, StepKind::SendCmd(_) | StepKind::RecvCmd(_)))
    }
}
