// SPDX-License-Identifier: AGPL-3.0-only
//! Which calls are on which path, for transports whose paths end: streams, and a socket per call.
//!
//! The path of the run ([`FlowId::MAIN`]) is not noted here: all calls may be on it. Over one UDP socket there is no
//! table at all.
//!
//! Invariant: a path is in the table exactly as long as some call is on it.

use crate::call::Call;
use crate::engine::Hasher;
use crate::exec::Cx;
use crate::input::{CallKey, FlowId};
use crate::output::Output;
use crate::params::RunParams;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

/// The calls on one path.
#[derive(Debug)]
struct OnFlow {
    calls: HashSet<CallKey, Hasher>,
    /// Opened for a call of ours: closed with the last one.
    ours: bool,
}

/// The calls on all paths but that of the run.
#[derive(Debug)]
pub(crate) struct Flows {
    table: HashMap<FlowId, OnFlow, Hasher>,
    hasher: Hasher,
}

impl Flows {
    /// A table, if the paths of this run end.
    pub(crate) fn for_run(params: &RunParams, hasher: Hasher) -> Option<Box<Self>> {
        (params.per_call || !params.unreliable).then(|| {
            Box::new(Self {
                table: HashMap::with_hasher(hasher.clone()),
                hasher,
            })
        })
    }

    /// A call is on this path from now on.
    pub(crate) fn enter(&mut self, flow: FlowId, call: CallKey, ours: bool) {
        if flow == FlowId::MAIN || !flow.is_some() {
            return;
        }
        let hasher = &self.hasher;
        let on = self.table.entry(flow).or_insert_with(|| OnFlow {
            calls: HashSet::with_hasher(hasher.clone()),
            ours,
        });
        on.calls.insert(call);
    }

    /// A call has left this path; true if that was opened for calls of ours and none is left.
    #[must_use]
    pub(crate) fn leave(&mut self, flow: FlowId, call: CallKey) -> bool {
        let Entry::Occupied(mut entry) = self.table.entry(flow) else {
            return false;
        };
        entry.get_mut().calls.remove(&call);
        entry.get().calls.is_empty() && entry.remove().ours
    }

    /// Whether there are calls on this path.
    pub(crate) fn is_used(&self, flow: FlowId) -> bool {
        self.table.contains_key(&flow)
    }

    /// Whether a peer has opened this path.
    pub(crate) fn is_of_peer(&self, flow: FlowId) -> bool {
        self.table.get(&flow).is_some_and(|on| !on.ours)
    }

    /// Whether this call is the only one on the path.
    fn is_alone(&self, flow: FlowId, call: CallKey) -> bool {
        let on = self.table.get(&flow);
        on.is_some_and(|on| on.calls.len() == 1 && on.calls.contains(&call))
    }

    /// Some of the calls on a path.
    pub(crate) fn some(&self, flow: FlowId, most: usize) -> Vec<CallKey> {
        let on = self.table.get(&flow);
        on.map_or_else(Vec::new, |on| on.calls.iter().take(most).copied().collect())
    }

    /// Forgets a path, and gives its calls.
    pub(crate) fn forget(&mut self, flow: FlowId) -> Vec<CallKey> {
        let on = self.table.remove(&flow);
        on.map_or_else(Vec::new, |on| on.calls.into_iter().collect())
    }
}

/// Whether a call may do with its path what it likes: nobody else is on it, or there is none yet.
pub(crate) fn is_own(cx: &Cx<'_>, call: &Call) -> bool {
    !call.flow.is_some()
        || cx
            .shared
            .flows
            .as_ref()
            .is_some_and(|flows| flows.is_alone(call.flow, cx.key))
}

/// Closes the path of a call, if nobody else is on it. The next send asks for another.
pub(crate) fn close_own(cx: &mut Cx<'_>, call: &mut Call) {
    if !call.flow.is_some() || !is_own(cx, call) {
        return;
    }
    if let Some(flows) = &mut cx.shared.flows {
        // Whoever opened it, it is closed.
        let _ = flows.leave(call.flow, cx.key);
    }
    cx.out.push(Output::Close { flow: call.flow });
    call.flow = FlowId::NONE;
    call.set_local_port(0);
}
