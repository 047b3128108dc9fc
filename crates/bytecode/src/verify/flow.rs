// SPDX-License-Identifier: AGPL-3.0-only
//! Rules 2 to 4: where control may go.
//!
//! The ids and places are in range by now; see [`super`] for the rules.

use super::{Checked, Verifier, VerifyError};
use crate::ids::Pc;
use crate::op::Op;
use crate::program::OnTimeout;

impl Verifier<'_> {
    /// Checks where control may go.
    pub(super) fn flow(&self) -> Checked {
        let d = self.d;
        match d.ops.last() {
            None => return Err(VerifyError::Missing("op")),
            Some(op) if op.falls_through() => {
                return Err(VerifyError::Flow {
                    pc: d.ops.len() - 1,
                    rule: "control runs off the end",
                });
            }
            Some(_) => {}
        }
        let block = self.blocks()?;
        for (pc, op) in d.ops.iter().enumerate() {
            if let Some(to) = op.target()
                && block[pc] != block[to.index()]
            {
                return Err(VerifyError::Flow {
                    pc,
                    rule: "a jump crosses the border of a receive block",
                });
            }
        }
        let outside = d
            .steps
            .iter()
            .flat_map(|step| {
                let timeout = match step.on_timeout {
                    OnTimeout::Fail => None,
                    OnTimeout::Goto(pc) => Some(pc),
                };
                [Some(step.entry), timeout]
            })
            .flatten()
            .chain(d.init)
            .chain(d.init_steps.iter().copied())
            .chain(d.handler.map(|handler| handler.entry));
        for pc in outside {
            if block[pc.index()].is_some() {
                return Err(VerifyError::Flow {
                    pc: pc.index(),
                    rule: "a step begins inside a receive block",
                });
            }
        }
        self.init()
    }

    /// Finds the receive block of each op and checks that blocks are straight.
    fn blocks(&self) -> Result<Vec<Option<u32>>, VerifyError> {
        let d = self.d;
        let mut block: Vec<Option<u32>> = vec![None; d.ops.len()];
        let count = d.recvs.len();
        let entries = d.recvs.iter().map(|recv| recv.entry);
        let entries = entries.chain(d.twin_recvs.iter().map(|recv| recv.entry));
        for (index, entry) in entries.enumerate() {
            let entry = entry.index();
            if entry > 0 && d.ops[entry - 1].falls_through() {
                return Err(VerifyError::Flow {
                    pc: entry,
                    rule: "control falls into a receive block",
                });
            }
            let length = d.ops[entry..]
                .iter()
                .position(|op| match op {
                    Op::Accept { recv } => recv.index() == index,
                    Op::TwinAccept { command } => command.index() + count == index,
                    _ => false,
                })
                .ok_or(VerifyError::Flow {
                    pc: entry,
                    rule: "a receive block has no accept of its own",
                })?;
            let accept = entry + length;
            for (pc, owner) in block.iter_mut().enumerate().take(accept + 1).skip(entry) {
                if owner.is_some() {
                    return Err(VerifyError::Flow {
                        pc,
                        rule: "receive blocks overlap",
                    });
                }
                *owner = u32::try_from(index).ok();
                if pc < accept {
                    self.straight(pc, accept)?;
                }
            }
        }
        for (pc, op) in d.ops.iter().enumerate() {
            if matches!(op, Op::Accept { .. } | Op::TwinAccept { .. }) && block[pc].is_none() {
                return Err(VerifyError::Flow {
                    pc,
                    rule: "an accept outside any receive block",
                });
            }
        }
        Ok(block)
    }

    /// Checks one op of a receive block before its `accept`.
    fn straight(&self, pc: usize, accept: usize) -> Checked {
        let op = self.d.ops[pc];
        let allowed = match op {
            Op::Enter { .. }
            | Op::Dialog { .. }
            | Op::Begin { .. }
            | Op::BeginAnew { .. }
            | Op::Listen { .. }
            | Op::Send { .. }
            | Op::Sent { .. }
            | Op::Shown { .. }
            | Op::TwinSend { .. }
            | Op::Pause { .. }
            | Op::TakeJump {}
            | Op::SetInitJump { .. }
            | Op::TakeInitJump {}
            | Op::Jump { .. } => false,
            Op::Stop { .. } | Op::Fatal { .. } => true,
            other => !other.suspends(),
        };
        if !allowed {
            return Err(VerifyError::Flow {
                pc,
                rule: "an op that has no place in a receive block",
            });
        }
        if let Some(to) = op.target()
            && !(to.index() > pc && to.index() <= accept)
        {
            return Err(VerifyError::Flow {
                pc,
                rule: "a receive block jumps backward or out",
            });
        }
        Ok(())
    }

    /// Checks that `init` reaches nothing but plain actions and `end`.
    fn init(&self) -> Checked {
        let mut seen = vec![false; self.d.ops.len()];
        let entries = self.d.init.iter().chain(&self.d.init_steps);
        let mut todo: Vec<usize> = entries.map(|entry| entry.index()).collect();
        while let Some(pc) = todo.pop() {
            if core::mem::replace(&mut seen[pc], true) {
                continue;
            }
            let op = self.d.ops[pc];
            let allowed = match op {
                Op::End {} | Op::Stop { .. } | Op::Fatal { .. } | Op::Resume { .. } => true,
                // A command of the section has no step.
                Op::TwinSend { command } => self.d.twin_sends[command.index()].step.is_none(),
                Op::TwinAwait { command } => {
                    let recv = self.d.twin_recvs[command.index()];
                    todo.push(recv.entry.index());
                    recv.step.is_none()
                }
                Op::TwinAccept { command } => self.d.twin_recvs[command.index()].step.is_none(),
                Op::Enter { .. }
                | Op::Dialog { .. }
                | Op::Begin { .. }
                | Op::BeginAnew { .. }
                | Op::Listen { .. }
                | Op::Send { .. }
                | Op::Sent { .. }
                | Op::Shown { .. }
                | Op::Pause { .. }
                | Op::Accept { .. }
                | Op::SetJump { .. }
                | Op::TakeJump {} => false,
                other => !other.suspends(),
            };
            if !allowed {
                return Err(VerifyError::Flow {
                    pc,
                    rule: "an op that has no place in the init section",
                });
            }
            todo.extend(op.target().map(Pc::index));
            if op.falls_through() {
                todo.push(pc + 1);
            }
        }
        let alone = |op: &Op| match *op {
            Op::SetInitJump { .. } | Op::TakeInitJump {} | Op::TwinAwait { .. } => true,
            Op::TwinSend { command } => self.d.twin_sends[command.index()].step.is_none(),
            Op::TwinAccept { command } => self.d.twin_recvs[command.index()].step.is_none(),
            _ => false,
        };
        match seen
            .iter()
            .zip(&self.d.ops)
            .position(|(seen, op)| !seen && alone(op))
        {
            Some(pc) => Err(VerifyError::Flow {
                pc,
                rule: "an op of the init section outside it",
            }),
            None => Ok(()),
        }
    }
}
