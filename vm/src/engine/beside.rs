// SPDX-License-Identifier: AGPL-3.0-only
//! A second scenario beside that of a client, for requests that belong to no call (`-oocsf`, `-oocsn`).
//!
//! Rules: those of SIPp. Each request with an unknown Call-ID begins a call of it; what comes for such a call goes there.
//! Responses begin nothing. Its calls are neither counted with those of the client nor among those of `-m`, take no
//! lines of injection files, and the run does not wait for them.
//!
//! It is an engine of its own inside the client's. Keys of its calls carry a mark, so that whatever comes back for a
//! call finds its way; orders of it stand between two [`Output::Beside`].

use super::Engine;
use crate::input::{CallControl, CallKey, FlowId, Input, Micros};
use crate::link::Image;
use crate::output::{LogKind, OutBuf, Output, StatEvent};
use crate::slab::{self, Calls};
use core::net::SocketAddr;
use gossipper_sip::Message;
use std::sync::Arc;

/// Its calls are numbered from behind this number on.
// COMPAT(sipp): in SIPp they all have number 0 and hence each other's branches (docs/compat.md#out-of-call-scenarios).
const NUMBERS: u64 = 1 << 32;

impl Engine {
    /// Puts a scenario for requests that belong to no call beside that of a client. To be given before the first input.
    #[must_use]
    pub fn with_out_of_call(self, image: Arc<Image>) -> Self {
        let (calls, calls_beside) = Calls::pair();
        let beside = Self {
            calls: calls_beside,
            next_number: NUMBERS + 1,
            ..Self::new(image)
        };
        Self {
            calls,
            beside: Some(Box::new(beside)),
            ..self
        }
    }

    /// Calls of the scenario for requests that belong to no call.
    #[must_use]
    pub fn open_out_of_call(&self) -> usize {
        self.beside.as_ref().map_or(0, |beside| beside.open_calls())
    }

    /// Its init section.
    pub(super) fn start_beside(&mut self, now: Micros, out: &mut OutBuf) {
        self.ask_beside(out, |beside, out| beside.start(now, out));
    }

    /// Gives an input to whom it is for; true when that is the scenario beside alone.
    pub(super) fn is_for_beside(
        &mut self,
        now: Micros,
        input: Input<'_>,
        out: &mut OutBuf,
    ) -> bool {
        let alone = match input {
            Input::Timer { call, .. }
            | Input::Resume { call }
            | Input::Unsent { call, .. }
            | Input::TwinFailed { call }
            | Input::Opened { call, .. } => is_beside(call),
            Input::Flow { .. } | Input::Control(CallControl::AbortAll) => false,
            Input::Spawn { .. }
            | Input::Open { .. }
            | Input::Message { .. }
            | Input::Twin { .. }
            // Requests are answered to the end of the run.
            | Input::Control(CallControl::Drain | CallControl::Users(_)) => return false,
        };
        self.ask_beside(out, |beside, out| beside.handle(now, input, out));
        alone
    }

    /// A message that belongs to none of the client's calls; false when it belongs to none of the other scenario either,
    /// and begins none.
    pub(super) fn take_beside(
        &mut self,
        now: Micros,
        flow: FlowId,
        src: SocketAddr,
        id: &[u8],
        msg: &Message<'_>,
        out: &mut OutBuf,
    ) -> bool {
        let Some(beside) = &mut self.beside else {
            return false;
        };
        let hash = beside.shared.dead.hash(id);
        let known =
            beside.find(id, hash).is_some() || beside.shared.dead.disturb(hash, now).is_some();
        match msg.method() {
            None if !known => return false,
            Some(method) if !known => {
                out.push(Output::Stat(StatEvent::AutoAnswered));
                let mut text =
                    b"Request outside of any call, for the out-of-call scenario: ".to_vec();
                text.extend_from_slice(method);
                let text = out.store(&text);
                out.push(Output::Log {
                    kind: LogKind::Warning,
                    text,
                });
            }
            _ => {}
        }
        self.ask_beside(out, |beside, out| beside.parsed(now, flow, src, msg, out));
        true
    }

    fn ask_beside(&mut self, out: &mut OutBuf, ask: impl FnOnce(&mut Self, &mut OutBuf)) {
        if let Some(beside) = &mut self.beside {
            out.push(Output::Beside { begins: true });
            ask(beside, out);
            out.push(Output::Beside { begins: false });
        }
    }
}

/// Whether a call is one of the scenario for requests outside calls.
fn is_beside(call: CallKey) -> bool {
    slab::is_marked(call)
}
