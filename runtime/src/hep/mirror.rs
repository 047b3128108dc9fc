// SPDX-License-Identifier: AGPL-3.0-only
//! What a shard hands over: each message with both its ends.
//!
//! Exists only in a run that mirrors. Our end of a UDP socket is what it is bound to, which may be any address: the exporter
//! finds out which. That of a connection is told by the table of flows. A message that waits for the connection of the run
//! to be made waits here as well, for as long as our end of that has no address: it is not on the network before.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use gossipper_vm::FlowId;

use super::queue::{Batch, MAX_QUEUE_BYTES, MAX_QUEUE_RECORDS, Shared};

/// Bytes that a shard collects at most before it hands them over.
const BATCH_BYTES: usize = 256 << 10;

/// Flows that are no more and whose messages may still be on their way between shards.
const REMEMBERED: usize = 4096;

/// Our ends of connections, and of sockets of calls: of all the shards of a scenario, since a message may come in on a flow
/// of one and be for a call of another. Handed on to connections in the making.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locals(Arc<Mutex<Ends>>);

#[derive(Debug, Default)]
struct Ends {
    flows: HashMap<FlowId, SocketAddr>,
    /// Those that are no more, in their order.
    gone: VecDeque<FlowId>,
}

impl Locals {
    /// A flow has this address; an error of asking for it leaves it without.
    pub(crate) fn note(&self, flow: FlowId, address: std::io::Result<SocketAddr>) {
        if let Ok(address) = address {
            self.with(|ends| ends.flows.insert(flow, address));
        }
    }

    /// A flow is made anew.
    pub(crate) fn forget(&self, flow: FlowId) {
        self.with(|ends| ends.flows.remove(&flow));
    }

    /// A flow is no more.
    pub(crate) fn gone(&self, flow: FlowId) {
        self.with(|ends| {
            ends.gone.push_back(flow);
            if ends.gone.len() > REMEMBERED
                && let Some(oldest) = ends.gone.pop_front()
            {
                ends.flows.remove(&oldest);
            }
        });
    }

    pub(crate) fn get(&self, flow: FlowId) -> Option<SocketAddr> {
        self.with(|ends| ends.flows.get(&flow).copied())
    }

    fn with<R>(&self, then: impl FnOnce(&mut Ends) -> R) -> R {
        then(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Mirrors the messages of one shard.
#[derive(Debug)]
pub(crate) struct Mirror {
    shared: Arc<Shared>,
    /// UDP sockets, by flow.
    own: Vec<SocketAddr>,
    locals: Option<Locals>,
    batch: Batch,
    /// Sent before the connection of the run had an address.
    early: Batch,
}

impl Mirror {
    pub(super) fn new(shared: Arc<Shared>, own: Vec<SocketAddr>, locals: Option<Locals>) -> Self {
        Self {
            shared,
            own,
            locals,
            batch: Batch::default(),
            early: Batch::default(),
        }
    }

    fn local(&self, flow: FlowId) -> Option<SocketAddr> {
        let own = self.own.get(flow.0 as usize).copied();
        own.or_else(|| self.locals.as_ref()?.get(flow))
    }

    /// A message that was handed to the kernel, or to its connection.
    pub(crate) fn sent(&mut self, wall_us: u64, flow: FlowId, to: SocketAddr, message: &[u8]) {
        match self.local(flow) {
            Some(local) => self.push(wall_us, local, to, message),
            None if flow == FlowId::MAIN => {
                let room = self.early.records().len() < MAX_QUEUE_RECORDS
                    && self.early.bytes() + message.len() <= MAX_QUEUE_BYTES;
                if room {
                    self.early.push(wall_us, to, to, message);
                }
            }
            // It has gone since.
            None => {}
        }
    }

    /// A message that came in.
    pub(crate) fn received(&mut self, wall_us: u64, flow: FlowId, src: SocketAddr, message: &[u8]) {
        if let Some(local) = self.local(flow) {
            self.push(wall_us, src, local, message);
        }
    }

    fn push(&mut self, wall_us: u64, source: SocketAddr, to: SocketAddr, message: &[u8]) {
        self.batch.push(wall_us, source, to, message);
        if self.batch.bytes() >= BATCH_BYTES {
            self.shared.hand_over(&mut self.batch);
        }
    }

    /// Hands what was collected to the exporter. To be called once per turn.
    pub(crate) fn hand_over(&mut self) {
        if !self.early.is_empty()
            && let Some(local) = self.local(FlowId::MAIN)
        {
            self.early.set_source(local);
            self.shared.hand_over(&mut self.early);
        }
        if !self.batch.is_empty() {
            self.shared.hand_over(&mut self.batch);
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn messages_wait_for_the_address_of_the_connection_they_wait_for() {
        let (shared, locals) = (Arc::new(Shared::default()), Locals::default());
        let mut mirror = Mirror::new(Arc::clone(&shared), Vec::new(), Some(locals.clone()));
        mirror.sent(1, FlowId::MAIN, addr(5060), b"early");
        // A connection that is gone has no address any more.
        mirror.sent(2, FlowId(7), addr(5060), b"gone");
        mirror.hand_over();
        locals.note(FlowId::MAIN, Ok(addr(40_000)));
        mirror.received(3, FlowId::MAIN, addr(5060), b"answer");
        mirror.hand_over();
        shared.close();
        let mut all = Batch::default();
        assert!(shared.take(&mut all));
        let seen: Vec<_> = (0..all.records().len())
            .map(|index| all.get(index))
            .map(|(record, message)| (record.source.port(), record.destination.port(), message))
            .collect();
        assert_eq!(
            seen,
            [
                (40_000, 5060, &b"early"[..]),
                (5060, 40_000, &b"answer"[..])
            ]
        );
    }
}
