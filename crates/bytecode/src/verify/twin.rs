// SPDX-License-Identifier: AGPL-3.0-only
//! Rule 1 for commands between twins: every index points into its table.

use super::{Checked, Verifier, VerifyError, within};
use crate::program::StepKind;

impl Verifier<'_> {
    /// Checks the tables of commands, and what steps say about them.
    pub(super) fn twins(&self) -> Checked {
        let d = self.d;
        for peer in &d.peers {
            self.text(*peer, "a peer")?;
        }
        for (index, send) in d.twin_sends.iter().enumerate() {
            let by = || format!("sendCmd {index}");
            if let Some(step) = send.step {
                within("step", step.index(), d.steps.len(), by)?;
            }
            within("template", send.template.index(), d.templates.len(), by)?;
            if let Some(peer) = send.peer {
                within("peer", peer.index(), d.peers.len(), by)?;
            }
        }
        for (index, recv) in d.twin_recvs.iter().enumerate() {
            let by = || format!("recvCmd {index}");
            if let Some(step) = recv.step {
                within("step", step.index(), d.steps.len(), by)?;
            }
            self.pc(recv.entry, "a recvCmd")?;
            if let Some(peer) = recv.peer {
                within("peer", peer.index(), d.peers.len(), by)?;
            }
        }
        for (index, step) in d.steps.iter().enumerate() {
            if let Some(command) = step.command {
                within("recvCmd", command.index(), d.twin_recvs.len(), || {
                    format!("step {index}")
                })?;
                if d.twin_recvs[command.index()].step.is_none() {
                    let text = format!("step {index} waits for a command of the init section");
                    return Err(VerifyError::Inconsistent(text));
                }
            }
        }
        let commands = d
            .steps
            .iter()
            .any(|step| matches!(step.kind, StepKind::SendCmd | StepKind::RecvCmd));
        match d.twin_abort {
            Some(id) => within("template", id.index(), d.templates.len(), || {
                "the command that aborts".to_owned()
            }),
            None if commands => Err(VerifyError::Missing("command that aborts a twin's call")),
            None => Ok(()),
        }
    }
}
