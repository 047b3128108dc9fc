// SPDX-License-Identifier: AGPL-3.0-only
//! Commands of twins on their way to a call, and the calls that they open.
//!
//! Which call a command is for says its Call-ID, looked up like that of a message. What the call makes of it is in
//! [`crate::exec`].

use super::{Engine, UNSPECIFIED, Verdict, discard, split, warn_dead};
use crate::call::Wait;
use crate::exec::twin;
use crate::input::{CallKey, FlowId, Micros};
use crate::output::{OutBuf, Output, StatEvent};
use core::net::SocketAddr;
use gossipper_bytecode::{FailReason, TwinRole};
use gossipper_sip::strip_call_id_prefix;

/// Commands that may wait for a call that has yielded; a twin that sends more does not follow the scenario.
const COMMANDS_WAITING: usize = 8;

impl Engine {
    /// Whether the twin, or who speaks for it, opens the calls here. They then count as ours.
    pub(super) fn opens_for_twin(&self) -> bool {
        matches!(
            self.image.twin_role,
            Some(TwinRole::Called | TwinRole::Commanded)
        )
    }

    /// A call that was opened by a command or sends commands only learns its peer from the first message.
    pub(super) fn learn_peer(&mut self, key: CallKey, flow: FlowId, src: SocketAddr) {
        if let Some(call) = self
            .calls
            .get_mut(key)
            .filter(|call| call.peer() == UNSPECIFIED)
        {
            call.set_peer(src);
            call.flow = flow;
            self.enter_flow(key, flow);
        }
    }

    pub(super) fn command(&mut self, now: Micros, bytes: &[u8], out: &mut OutBuf) {
        let Some(full_id) = twin::call_id(bytes) else {
            discard(out, b"Discarding a command without Call-ID", bytes);
            return;
        };
        let id = if self.image.params().ignore_call_id_slashes {
            full_id
        } else {
            strip_call_id_prefix(full_id)
        };
        let hash = self.shared.dead.hash(id);
        let open = self.find(id, hash);
        if open.is_none()
            && let Some(death) = self.shared.dead.disturb(hash, now)
        {
            out.push(Output::Stat(StatEvent::DeadCall));
            warn_dead(out, id, death, bytes);
            return;
        }
        let key = match open {
            // Whichever of its dialogs is meant: a command is for the call.
            Some((key, _)) => key,
            None if self.opens_for_twin() && !self.draining => {
                let params = self.image.params();
                let (flow, peer) = (params.own_flow(), params.destination.unwrap_or(UNSPECIFIED));
                // COMPAT(sipp): SIPp skips `nop`s in front of the first `recvCmd`; here they run
                // (docs/compat.md#3pcc).
                match self.open(now, flow, peer, id, false, out) {
                    Some(key) => key,
                    None => return,
                }
            }
            None => {
                out.push(Output::Stat(StatEvent::OutOfCall));
                return;
            }
        };
        let Some((call, mut cx)) = split(
            &self.image,
            &mut self.calls,
            &mut self.shared,
            key,
            now,
            out,
        ) else {
            return;
        };
        let verdict = if call.wait != Wait::Turn {
            twin::receive(&mut cx, call, bytes)
        } else if call.cold_mut().commands.len() < COMMANDS_WAITING {
            call.cold_mut().commands.push(bytes.into());
            return;
        } else {
            Verdict::Drop(FailReason::CallRejected)
        };
        self.settle(now, key, verdict, out);
    }

    /// Hands over commands that came while the call had yielded, as long as it waits.
    pub(super) fn deliver_commands(&mut self, now: Micros, key: CallKey, out: &mut OutBuf) {
        loop {
            let command = match self.calls.get_mut(key) {
                Some(call) if call.wait != Wait::Turn => match &mut call.cold {
                    Some(cold) if !cold.commands.is_empty() => cold.commands.remove(0),
                    _ => return,
                },
                _ => return,
            };
            self.command(now, &command, out);
        }
    }
}
