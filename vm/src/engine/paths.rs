// SPDX-License-Identifier: AGPL-3.0-only
//! Paths that are given to calls and taken from them: connections, and sockets of calls.
//!
//! Rules: those of SIPp. A call whose connection its peer closes fails, unless it has only its closing `timewait` left;
//! one whose connection cannot be made fails as well.

use super::{Engine, Verdict};
use crate::call::{Call, Wait};
use crate::dead::Death;
use crate::exec::Shared;
use crate::input::{CallKey, FlowEvent, FlowId, Micros};
use crate::output::{OutBuf, Output};
use gossipper_bytecode::{FailReason, StepKind};

/// Calls that one input ends, so that it has a bounded cost.
const ENDED_AT_ONCE: usize = 256;

/// An ended call leaves its paths.
pub(super) fn leave(shared: &mut Shared, key: CallKey, call: &Call, out: &mut OutBuf) {
    let Some(flows) = &mut shared.flows else {
        return;
    };
    for flow in call.flows() {
        if flows.leave(flow, key) {
            out.push(Output::Close { flow });
        }
    }
}

impl Engine {
    /// A call is on a path that a peer has opened.
    pub(super) fn enter_flow(&mut self, key: CallKey, flow: FlowId) {
        if let Some(flows) = &mut self.shared.flows {
            flows.enter(flow, key, false);
        }
    }

    /// A call that has lost its path, or is on one that its peer has opened, takes the one that a message comes on: its
    /// answer belongs there (RFC 3261 section 18.2.2), and the end of the old one may be heard of later than the message
    /// on the new one.
    // COMPAT(sipp): SIPp stays with the first connection, and ends when that is no more (docs/compat.md#connections).
    pub(super) fn adopt_flow(&mut self, key: CallKey, flow: FlowId) {
        let (Some(flows), Some(call)) = (&mut self.shared.flows, self.calls.get_mut(key)) else {
            return;
        };
        if call.flow == flow || (call.flow.is_some() && !flows.is_of_peer(call.flow)) {
            return;
        }
        // Nothing is closed by that: the old one is the peer's.
        let _ = flows.leave(call.flow, key);
        call.flow = flow;
        flows.enter(flow, key, false);
    }

    /// The path that a call asked for.
    pub(super) fn opened(
        &mut self,
        now: Micros,
        key: CallKey,
        flow: FlowId,
        port: u16,
        out: &mut OutBuf,
    ) {
        let Some(flows) = &mut self.shared.flows else {
            return;
        };
        let Some(call) = self.calls.get_mut(key).filter(|call| !call.flow.is_some()) else {
            // The call has ended meanwhile.
            if !flows.is_used(flow) {
                out.push(Output::Close { flow });
            }
            return;
        };
        call.flow = flow;
        call.set_local_port(port);
        flows.enter(flow, key, true);
        if call.wait == Wait::Flow {
            self.run(now, key, out);
        }
    }

    /// A path has ended.
    pub(super) fn flow_ended(
        &mut self,
        now: Micros,
        flow: FlowId,
        event: FlowEvent,
        out: &mut OutBuf,
    ) {
        let Some(flows) = &mut self.shared.flows else {
            return;
        };
        if event == FlowEvent::Lost {
            for key in flows.forget(flow) {
                if let Some(call) = self.calls.get_mut(key) {
                    call.flow = FlowId::NONE;
                    call.set_local_port(0);
                }
            }
            return;
        }
        let keys = if flow == FlowId::MAIN {
            let on_it = |key: &CallKey| {
                let call = self.calls.get(*key);
                call.is_some_and(|call| call.flows().any(|of_call| of_call == flow))
            };
            let keys = self.calls.keys().filter(on_it);
            keys.take(ENDED_AT_ONCE).collect()
        } else {
            flows.some(flow, ENDED_AT_ONCE)
        };
        let more = keys.len() == ENDED_AT_ONCE;
        for key in keys {
            let verdict = self.without_path(key, event);
            self.settle(now, key, verdict, out);
        }
        if more {
            out.push(Output::Unfinished { flow, event });
        }
    }

    /// Whether a call has done all it had to do, and only waits for what may still come.
    pub(super) fn in_closing_timewait(&self, key: CallKey) -> bool {
        self.calls.get(key).is_some_and(|call| {
            let step = &self.image.program.steps[call.step.index()];
            call.wait == Wait::Pause && step.kind == StepKind::Timewait
        })
    }

    /// What becomes of a call whose path is no more.
    fn without_path(&self, key: CallKey, event: FlowEvent) -> Verdict {
        let Some(call) = self.calls.get(key) else {
            return Verdict::Wait;
        };
        if self.in_closing_timewait(key) {
            return Verdict::Complete;
        }
        let reason = match event {
            FlowEvent::Failed => FailReason::TcpConnect,
            FlowEvent::Closed | FlowEvent::Lost => FailReason::TcpClosed,
        };
        // A check that failed before is the reason, as at the end of the scenario. What still comes for the call must not
        // open another.
        let reason = call.failure.unwrap_or(reason);
        Verdict::Aborted(reason, Some(Death::Aborted(call.step.0)))
    }
}
