// SPDX-License-Identifier: AGPL-3.0-only
//! A second scenario beside that of a client, for what belongs to none of its calls.
//!
//! Rules: those of SIPp. Its calls are neither counted with those of the client nor among those of `-m`, and the run does
//! not wait for them. What comes for such a call goes there. There are two kinds:
//!
//! - Of the out-of-call scenario (`-oocsf`, `-oocsn`) each *request* with an unknown Call-ID begins a call. It is an
//!   automatic answer: it has no part in what the run has, be it numbers, lines of injection files or variables.
//! - Of the receiving scenario (`-rxsf`, `-rxsn`) each *message* does. Its calls are calls like others: they share numbers,
//!   lines, circuits, `[dynamic_id]` and global variables with the client's.
//!
//! It is an engine of its own inside the client's. Keys of its calls carry a mark, so that whatever comes back for a
//! call finds its way; orders of it stand between two [`Output::Beside`].

use super::Engine;
use crate::input::{CallControl, CallKey, FlowId, Input, Micros};
use crate::link::Image;
use crate::output::{LogKind, OutBuf, Output, StatEvent};
use crate::params::BesideKind;
use crate::slab::{self, Calls};
use core::net::SocketAddr;
use gossipper_sip::Message;
use std::sync::Arc;

/// Its calls are numbered from behind this number on.
// COMPAT(sipp): in SIPp they all have number 0 and hence each other's branches (docs/compat.md#out-of-call-scenarios).
const NUMBERS: u64 = 1 << 32;

/// Such a scenario, running.
#[derive(Debug)]
pub(super) struct Beside {
    engine: Engine,
    kind: BesideKind,
}

impl Engine {
    /// Puts a scenario for what belongs to no call beside that of a client. To be given before the first input. The image
    /// of a receiver has to know the client's global variables: [`Image::with_globals_of`].
    #[must_use]
    pub fn with_beside(mut self, image: Arc<Image>, kind: BesideKind) -> Self {
        let (calls, calls_beside) = Calls::pair();
        let mut engine = Self {
            calls: calls_beside,
            next_number: NUMBERS + 1,
            ..Self::new(image)
        };
        if kind == BesideKind::Receiver {
            // What they share is with whoever is at work; at first that is the client.
            engine.shared.vars.add_globals(&self.image);
            self.shared.vars.swap_globals(&mut engine.shared.vars);
        }
        Self {
            calls,
            beside: Some(Box::new(Beside { engine, kind })),
            ..self
        }
    }

    /// The part of a run that calls of a receiver and of the client have together changes hands.
    fn swap_shared(&mut self, other: &mut Self) {
        use core::mem::swap;
        let (own, others) = (&mut self.shared, &mut other.shared);
        swap(&mut self.next_number, &mut other.next_number);
        swap(&mut own.injection, &mut others.injection);
        swap(&mut own.circuits, &mut others.circuits);
        swap(&mut own.dynamic, &mut others.dynamic);
        own.vars.swap_globals(&mut others.vars);
    }

    /// Calls of the scenario beside.
    #[must_use]
    pub fn open_beside(&self) -> usize {
        self.beside
            .as_ref()
            .map_or(0, |beside| beside.engine.open_calls())
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
            | Input::Media { call, .. }
            | Input::Opened { call, .. } => {
                if !is_beside(call) {
                    return false;
                }
                true
            }
            Input::Flow { .. } | Input::Control(CallControl::AbortAll) => false,
            Input::Spawn { .. }
            | Input::Open { .. }
            | Input::Message { .. }
            | Input::Twin { .. }
            | Input::Ports { .. }
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
        if beside.kind == BesideKind::OutOfCall {
            let engine = &mut beside.engine;
            let hash = engine.shared.dead.hash(id);
            let known =
                engine.find(id, hash).is_some() || engine.shared.dead.disturb(hash, now).is_some();
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
        }
        self.ask_beside(out, |beside, out| beside.parsed(now, flow, src, msg, out));
        true
    }

    fn ask_beside(&mut self, out: &mut OutBuf, ask: impl FnOnce(&mut Self, &mut OutBuf)) {
        let Some(mut beside) = self.beside.take() else {
            return;
        };
        let shares = beside.kind == BesideKind::Receiver;
        if shares {
            self.swap_shared(&mut beside.engine);
        }
        out.beside(true);
        ask(&mut beside.engine, out);
        out.beside(false);
        if shares {
            self.swap_shared(&mut beside.engine);
        }
        self.beside = Some(beside);
    }
}

/// Whether a call is one of the scenario beside.
fn is_beside(call: CallKey) -> bool {
    slab::is_marked(call)
}
