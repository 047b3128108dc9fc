// SPDX-License-Identifier: AGPL-3.0-only
//! The frame of each step: condition, entry, bookkeeping, branching, and the init section.

use super::{Jumps, Lowerer};
use crate::ast::{ActionKind, Common, Item, Step, StepKind};
use crate::emit::Label;
use crate::resolve::Labels;
use gossipper_bytecode::program::OnTimeout;
use gossipper_bytecode::{Op, Pc, RecvSet, StepKind as Kind, TextRef};

impl Lowerer<'_> {
    /// Lowers the steps of the scenario, then its end.
    pub(super) fn steps(&mut self) {
        let mut hides = false;
        for (index, step) in self.input.steps.iter().enumerate() {
            if let Some(hiderest) = step.common.hiderest {
                hides = hiderest;
            }
            let entry = self.entries[index];
            self.code.place(entry);
            self.jumps = match step.kind {
                StepKind::Recv(_) | StepKind::RecvCmd(_) => Jumps::Nowhere,
                StepKind::Send(_)
                | StepKind::SendCmd(_)
                | StepKind::Nop
                | StepKind::Pause(_)
                | StepKind::Timewait(_) => Jumps::Steps,
            };
            self.step(index, step, hides);
            self.note_method(step);
            let reads = core::mem::take(&mut self.reading);
            self.reads.push(reads);
        }
        let end = self.entries[self.input.steps.len()];
        self.code.place(end);
        self.code.op(Op::End {});
    }

    fn step(&mut self, index: usize, step: &Step, hides: bool) {
        let common = &step.common;
        let id = self.step_id(index);
        let skip = self.condition(common);
        self.code.op(Op::Enter { step: id });
        self.enter_dialog(step);
        let resumed = self.restores.then(|| self.resume());
        let (kind, name, send) = match &step.kind {
            StepKind::Send(send) => {
                let (name, send) = self.send(id, step, send);
                (Kind::Send, name, Some(send))
            }
            StepKind::Recv(recv) => (Kind::Recv, self.recv(index, id, step, recv), None),
            StepKind::Pause(pause) => (Kind::Pause, self.pause(id, step, pause), None),
            StepKind::Timewait(pause) => (Kind::Timewait, self.pause(id, step, pause), None),
            StepKind::Nop => {
                self.bookkeeping(common);
                self.actions(step, true);
                let shown = common
                    .display
                    .as_ref()
                    .map(|text| self.pools.text(text.bytes()));
                if shown.is_some() {
                    self.code.op(Op::Shown { step: id });
                }
                (Kind::Nop, shown.unwrap_or_default(), None)
            }
            StepKind::SendCmd(send) => (Kind::SendCmd, self.send_command(id, step, send), None),
            StepKind::RecvCmd(recv) => (Kind::RecvCmd, self.recv_command(id, step, recv), None),
        };
        if self.jumps == Jumps::Steps && jumps(step) {
            self.code.op(Op::TakeJump {});
        }
        for behind in [skip, resumed].into_iter().flatten() {
            self.code.place(behind);
        }
        let target = common
            .next
            .as_ref()
            .and_then(|name| self.input.names.labels.target(name));
        if let Some(target) = target {
            let to = self.entries[target];
            self.branch(common, to);
        }
        let line = self.input.source.line_index(step.span.start);
        let line = u32::try_from(line).map_or(u32::MAX, |index| index.saturating_add(1));
        let set = self.input.receives.set(index).unwrap_or_else(|| {
            self.pools.full("receives");
            RecvSet::default()
        });
        self.draft.steps.push(gossipper_bytecode::Step {
            kind,
            name,
            line,
            entry: Pc(0),
            on_timeout: OnTimeout::Fail,
            set,
            send,
            command: self.command_at(index),
            hidden: common.hide.unwrap_or(hides),
            blank_after: common.crlf,
            starts_rtd: common.start_rtd.is_some(),
            stops_rtd: common.rtd.is_some(),
            reads_sdp: false,
        });
    }

    /// `condexec`: a label that must be placed before the branching.
    fn condition(&mut self, common: &Common) -> Option<Label> {
        let name = common.condexec.as_ref()?;
        let var = self.var(name);
        let skip = self.code.label();
        let to = skip.pc();
        self.code.op(if common.condexec_inverse {
            Op::JumpIfSet { var, to }
        } else {
            Op::JumpIfUnset { var, to }
        });
        Some(skip)
    }

    /// Passes a step over at which a restored pause ends: a label that must be placed before the branching.
    fn resume(&mut self) -> Label {
        let done = self.code.label();
        self.code.op(Op::Resume { to: done.pc() });
        done
    }

    /// Counter, then timers, in SIPp's order.
    pub(super) fn bookkeeping(&mut self, common: &Common) {
        let names = self.input.names;
        if let Some(name) = &common.counter {
            match names.counters.id(name) {
                Some(counter) => self.code.op(Op::Count { counter }),
                None => self.pools.full("counters"),
            }
        }
        if let Some(name) = &common.start_rtd {
            match names.rtds.id(name) {
                Some(rtd) => self.code.op(Op::RtdStart { rtd }),
                None => self.pools.full("response timers"),
            }
        }
        if let Some(name) = &common.rtd {
            match names.rtds.id(name) {
                Some(rtd) if common.repeat_rtd => self.code.op(Op::RtdStopRepeat { rtd }),
                Some(rtd) => self.code.op(Op::RtdStop { rtd }),
                None => self.pools.full("response timers"),
            }
        }
    }

    /// `next`, with its `test` and its `chance`.
    fn branch(&mut self, common: &Common, target: Label) {
        let to = target.pc();
        let chance = common
            .chance
            .map(|chance| chance.value)
            .filter(|value| *value < 1.0);
        let var = common.test.as_ref().map(|name| self.var(name));
        match (var, chance) {
            (None, None) => self.code.op(Op::Jump { to }),
            (Some(var), None) => self.code.op(Op::JumpIfSet { var, to }),
            (None, Some(chance)) => {
                let chance = self.pools.number(chance);
                self.code.op(Op::JumpByChance { chance, to });
            }
            (Some(var), Some(chance)) => {
                let chance = self.pools.number(chance);
                let past = self.code.label();
                self.code.op(Op::JumpIfUnset { var, to: past.pc() });
                self.code.op(Op::JumpByChance { chance, to });
                self.code.place(past);
            }
        }
    }

    /// Lowers `<init>`: elements without steps of their own, ending in `end`.
    pub(super) fn init(&mut self) {
        let mut steps = Vec::new();
        for item in &self.input.scenario.items {
            if let Item::Init(init) = item {
                steps.extend(init.items.iter().filter_map(|item| match item {
                    Item::Step(step) => Some(&**step),
                    _ => None,
                }));
            }
        }
        if steps.is_empty() {
            return;
        }
        let restores = steps.iter().any(|step| restores(step));
        let labels: &Labels = &self.input.names.init_labels;
        let entries: Vec<Label> = (0..=steps.len()).map(|_| self.code.label()).collect();
        for (index, step) in steps.iter().enumerate() {
            self.code.place(entries[index]);
            self.init_index = Some(index);
            self.jumps = Jumps::Init(self.step_id(index));
            let skip = self.condition(&step.common);
            let resumed = restores.then(|| self.resume());
            // The command that did not come takes no `next` along.
            let behind = self.code.label();
            match &step.kind {
                StepKind::SendCmd(send) => {
                    self.twin_send(None, step, send);
                }
                StepKind::RecvCmd(recv) => {
                    self.jumps = Jumps::Nowhere;
                    let late = step.common.ontimeout.as_ref();
                    let late = late.and_then(|name| labels.target(name));
                    let late = late.map(|target| entries[target]);
                    self.init_recv_command(step, recv, late, behind);
                }
                StepKind::Nop => {
                    self.bookkeeping(&step.common);
                    self.actions(step, true);
                }
                StepKind::Send(_)
                | StepKind::Recv(_)
                | StepKind::Pause(_)
                | StepKind::Timewait(_) => {
                    unreachable!("refused before: it has no place in the section")
                }
            }
            if self.jumps != Jumps::Nowhere && jumps(step) {
                self.code.op(Op::TakeInitJump {});
            }
            for behind in [skip, resumed].into_iter().flatten() {
                self.code.place(behind);
            }
            let next = step
                .common
                .next
                .as_ref()
                .and_then(|name| labels.target(name));
            if let Some(target) = next {
                self.branch(&step.common, entries[target]);
            }
            self.code.place(behind);
        }
        self.code.place(entries[steps.len()]);
        self.code.op(Op::End {});
        self.init_index = None;
        self.init = Some(entries[0]);
        if steps.iter().any(|step| jumps(step)) {
            self.init_entries = entries;
            self.init_entries.truncate(steps.len());
        }
        // There is no message before the first call.
        self.reading.clear();
    }

    /// A text of the author's for screens.
    pub(super) fn name(&mut self, text: &[u8]) -> TextRef {
        self.pools.text(text)
    }
}

fn actions(step: &Step) -> impl Iterator<Item = &ActionKind> {
    step.actions
        .iter()
        .flat_map(|actions| &actions.list)
        .map(|action| &action.kind)
}

/// Whether a step has a `jump`.
fn jumps(step: &Step) -> bool {
    actions(step).any(|action| matches!(action, ActionKind::Jump(_)))
}

/// Whether a step has a `pauserestore`.
fn restores(step: &Step) -> bool {
    actions(step).any(|action| matches!(action, ActionKind::PauseRestore(_)))
}
