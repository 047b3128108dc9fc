// SPDX-License-Identifier: AGPL-3.0-only
//! Connections, and sockets of single calls: the table of a shard (docs/adr/0013).
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | the table: which flow is which connection, and which of them is ready |
//! | `setup` | what it begins with, and what of it each of several shards gets |
//! | `ids` | names of flows, which say whose they are |
//! | `accept` | connections that peers make |
//! | `link` | a connection as the table sees it; SIP over streams of bytes |
//! | `wrap` | handshakes and upgrades around a TCP stream |
//! | `ws` | SIP over WebSocket |
//! | `queue` | what waits to be written |
//! | `dial` | sockets: connecting, listening |
//! | `ready` | a waker per connection, and the list of those that are ready |
//!
//! What comes is fed to the machine, and its end told, by the shard that owns the table. Not here: which calls are on a flow.
//!
//! Invariants: an id is given to one connection only, apart from [`FlowId::MAIN`]; what waits for a peer that does not
//! read is bounded (see `queue`).

mod accept;
mod dial;
mod ids;
mod link;
mod queue;
mod ready;
mod setup;
mod wrap;
mod ws;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use gossipper_control::ConnectionCounts;
use gossipper_vm::{FlowId, Micros, Unsent};
use tokio::time::{sleep, timeout};

use accept::LISTENER;
use dial::connected;
pub(crate) use dial::{SocketOptions, bind_device, listen};
pub(crate) use ids::{MAX_SHARDS, shard_of};
use link::DatagramLink;
pub(crate) use link::{Link, Opening, Received};
pub(crate) use queue::{Caller, SendQueue};
pub(crate) use ready::{Bell, Ready};
pub(crate) use setup::{FlowSetup, Make, Reconnects};
pub(crate) use wrap::{Ends, Wrap};

/// Least time between two looks for messages that have waited for too long.
const OVERDUE_PERIOD: Micros = Micros(5_000);

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// Where a flow comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The path of the run.
    Main,
    /// A call asked for it.
    Call,
    /// A peer connected.
    Peer,
}

/// What a flow is at the moment.
pub(crate) enum State {
    /// A connection in the making.
    Opening(Opening),
    /// A connection.
    Open(Box<dyn Link>),
    /// Somebody looks at it.
    Out,
    /// The path of the run, which is no more.
    Gone,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opening(_) => "Opening",
            Self::Open(_) => "Open",
            Self::Out => "Out",
            Self::Gone => "Gone",
        })
    }
}

/// A flow.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) id: FlowId,
    pub(crate) peer: SocketAddr,
    pub(crate) origin: Origin,
    pub(crate) queue: SendQueue,
    /// Closed by us once the queue is empty.
    pub(crate) closing: bool,
    /// Other shards that have had messages from it, a bit each: calls of theirs may be on it.
    pub(crate) told: u64,
    state: State,
    port: u16,
    bell: Arc<Bell>,
    waker: Waker,
    /// Has something to write that the kernel was not asked to take.
    dirty: bool,
}

/// A flow that is being looked at, without its entry.
pub(crate) struct Visit {
    pub(crate) slot: usize,
    pub(crate) id: FlowId,
    pub(crate) state: State,
    pub(crate) waker: Waker,
}

/// What became of the path of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redial {
    /// It is made anew.
    Again,
    /// It stays away.
    Never,
}

/// The flows of a shard.
#[derive(Debug)]
pub(crate) struct Table {
    setup: FlowSetup,
    listener: Option<tokio::net::TcpListener>,
    listener_bell: Arc<Bell>,
    listener_waker: Waker,
    /// When connections are accepted again.
    accept_at: Option<Micros>,
    entries: Vec<Option<Flow>>,
    free: Vec<usize>,
    index: HashMap<FlowId, usize, foldhash::fast::FixedState>,
    ids: ids::Ids,
    /// Where to look next for a socket that calls share.
    shared_next: usize,
    /// Connections of peers in the making.
    shaking: usize,
    ready: Arc<Ready>,
    /// Entries to look at, with those that were ready first in front.
    visiting: VecDeque<usize>,
    /// Entries with something new to write.
    dirty: Vec<usize>,
    /// What is read into, used again.
    pub(crate) buffer: Vec<u8>,
    /// When to look for messages that wait too long.
    overdue_at: Option<Micros>,
}

impl Table {
    /// A table, with the path of the run on its way; to be called within the reactor's context.
    pub(crate) fn new(mut setup: FlowSetup) -> io::Result<Self> {
        let ready = Arc::new(Ready::default());
        let listener = setup.listener.take();
        let listener = listener
            .map(tokio::net::TcpListener::from_std)
            .transpose()?;
        let listener_bell = Bell::new(LISTENER, &ready);
        let mut table = Self {
            listener,
            listener_waker: listener_bell.waker(),
            listener_bell,
            accept_at: None,
            entries: Vec::new(),
            free: Vec::new(),
            index: HashMap::default(),
            ids: ids::Ids::of(setup.shard),
            shared_next: 0,
            shaking: 0,
            ready,
            visiting: VecDeque::new(),
            dirty: Vec::new(),
            buffer: vec![0; READ_BYTES],
            overdue_at: None,
            setup,
        };
        if table.listener.is_some() {
            table.listener_bell.ring();
        }
        if let Some(main) = table.setup.main {
            let opening = table.dial_main(main, Duration::ZERO);
            table.add(FlowId::MAIN, main, Origin::Main, State::Opening(opening), 0);
        }
        Ok(table)
    }

    /// The connection of the run, in the making after a while.
    fn dial_main(&self, to: SocketAddr, after: Duration) -> Opening {
        let sockets = self.setup.sockets.clone();
        let limit = self.setup.max_message;
        let make = self.setup.make.clone();
        let locals = self.setup.locals.clone();
        Box::pin(async move {
            if !after.is_zero() {
                sleep(after).await;
            }
            let stream = connected(sockets.connect(to, sockets.port.unwrap_or(0))?).await?;
            if let Some(locals) = locals {
                locals.note(FlowId::MAIN, stream.local_addr());
            }
            shaken(make.wrap()?.client(stream, to, limit)).await
        })
    }

    /// The next id, which no flow has or had; after sixty-seven million of them the first ones come again.
    fn next_id(&mut self) -> FlowId {
        loop {
            let id = self.ids.next();
            if !self.index.contains_key(&id) {
                return id;
            }
        }
    }

    fn add(&mut self, id: FlowId, peer: SocketAddr, origin: Origin, state: State, port: u16) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        let bell = Bell::new(slot, &self.ready);
        self.index.insert(id, slot);
        bell.ring();
        self.entries[slot] = Some(Flow {
            id,
            peer,
            origin,
            queue: SendQueue::default(),
            closing: false,
            told: 0,
            state,
            port,
            waker: bell.waker(),
            bell,
            dirty: false,
        });
    }

    fn entry(&mut self, flow: FlowId) -> Option<(usize, &mut Flow)> {
        let slot = *self.index.get(&flow)?;
        Some((slot, self.entries.get_mut(slot)?.as_mut()?))
    }

    /// The flow at a place.
    pub(crate) fn at(&mut self, slot: usize) -> Option<&mut Flow> {
        self.entries.get_mut(slot)?.as_mut()
    }

    /// Flows that are there.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// As many flows as may be there, if there are.
    pub(crate) fn full(&self) -> Option<usize> {
        (self.len() >= self.setup.most).then_some(self.setup.most)
    }

    /// Gives a call a flow to this address, which others may be on when there are as many as there may be; and its port.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub(crate) fn open(&mut self, to: SocketAddr) -> io::Result<(FlowId, u16)> {
        if self.len() >= self.setup.most {
            if let Some(shared) = self.share(to) {
                return Ok(shared);
            }
            // Those that are about to close make room in a moment, for no more than there may be.
            let leaving = self.entries.iter().flatten().filter(|f| f.closing).count();
            if self.len() - leaving >= self.setup.most {
                return Err(io::Error::other(format!(
                    "{} sockets are in use, as many as -max_socket allows, and none leads there",
                    self.setup.most
                )));
            }
        }
        let (state, local) = match self.setup.make.clone() {
            Make::Datagrams => {
                let socket = self.setup.sockets.datagram(to)?;
                let local = socket.local_addr()?;
                (State::Open(Box::new(DatagramLink(socket))), local)
            }
            Make::Streams(wrap) => {
                let stream = self.setup.sockets.connect(to, 0)?;
                let local = stream.local_addr()?;
                let limit = self.setup.max_message;
                let opening: Opening = Box::pin(async move {
                    let stream = connected(stream).await?;
                    shaken(wrap.client(stream, to, limit)).await
                });
                (State::Opening(opening), local)
            }
        };
        let (id, port) = (self.next_id(), local.port());
        if let Some(locals) = &self.setup.locals {
            locals.note(id, Ok(local));
        }
        self.add(id, to, Origin::Call, state, port);
        Ok((id, port))
    }

    /// A flow that another call has, each in its turn.
    fn share(&mut self, to: SocketAddr) -> Option<(FlowId, u16)> {
        let any_peer = matches!(self.setup.make, Make::Datagrams);
        let fits = |flow: &Flow| {
            flow.origin == Origin::Call && !flow.closing && (any_peer || flow.peer == to)
        };
        let (before, after) = self
            .entries
            .split_at(self.shared_next.min(self.entries.len()));
        let mut entries = (before.len()..).zip(after).chain((0..).zip(before));
        let (slot, flow) =
            entries.find_map(|(slot, flow)| Some((slot, flow.as_ref().filter(|f| fits(f))?)))?;
        self.shared_next = slot + 1;
        Some((flow.id, flow.port))
    }

    /// Adds a message to what a flow has to write. It may wait for `within`, or as long as the run says.
    ///
    /// # Errors
    /// When the flow is no more, or has no room.
    pub(crate) fn push(
        &mut self,
        id: FlowId,
        call: Option<Caller>,
        to: SocketAddr,
        bytes: &[u8],
        (now, within): (Micros, Option<Micros>),
    ) -> Result<(), Unsent> {
        let until = within
            .or(self.setup.send_timeout)
            .map(|limit| now.plus(limit));
        let Some((slot, flow)) = self.entry(id) else {
            return Err(Unsent::Closed);
        };
        if flow.closing || matches!(flow.state, State::Gone) {
            return Err(Unsent::Closed);
        }
        if !flow.queue.push(call, to, bytes, until) {
            return Err(Unsent::Refused);
        }
        if !flow.dirty {
            flow.dirty = true;
            self.dirty.push(slot);
        }
        self.overdue_at = [self.overdue_at, until].into_iter().flatten().min();
        Ok(())
    }

    /// Closes a flow once what it has to write is written.
    pub(crate) fn close(&mut self, id: FlowId) {
        if let Some((_, flow)) = self.entry(id) {
            flow.closing = true;
            flow.bell.ring();
        }
    }

    /// Whether this is where the listener stands among the flows.
    pub(crate) fn is_listener(slot: usize) -> bool {
        slot == LISTENER
    }

    /// Whether a flow waits to be looked at.
    pub(crate) fn is_ready(&self) -> bool {
        !self.visiting.is_empty() || !self.ready.is_empty()
    }

    /// Waits until one does.
    pub(crate) async fn ready(&self) {
        if !self.is_ready() {
            self.ready.wait().await;
        }
    }

    /// Those that are ready, taken out of the list; to be given back to [`Self::visited`]. Those that a turn had no time for
    /// come first.
    pub(crate) fn visits(&mut self) -> VecDeque<usize> {
        let mut visiting = std::mem::take(&mut self.visiting);
        self.ready.take(&mut visiting);
        visiting
    }

    /// Gives the list back, with what was not looked at.
    pub(crate) fn visited(&mut self, list: VecDeque<usize>) {
        self.visiting = list;
    }

    /// Those with something new to write; to be given back to [`Self::wrote`].
    pub(crate) fn take_dirty(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.dirty)
    }

    /// Gives the memory of the list back.
    pub(crate) fn wrote(&mut self, mut list: Vec<usize>) {
        if self.dirty.is_empty() {
            list.clear();
            self.dirty = list;
        }
    }

    /// Takes a flow out to look at it because its bell rang.
    pub(crate) fn answer(&mut self, slot: usize) -> Option<Visit> {
        if let Some(flow) = self.at(slot) {
            flow.bell.answered();
        }
        self.take_out(slot)
    }

    /// Takes a flow out to look at it, unless somebody does already.
    pub(crate) fn take_out(&mut self, slot: usize) -> Option<Visit> {
        let flow = self.entries.get_mut(slot)?.as_mut()?;
        flow.dirty = false;
        match flow.state {
            State::Out | State::Gone => None,
            State::Opening(_) | State::Open(_) => Some(Visit {
                slot,
                id: flow.id,
                state: std::mem::replace(&mut flow.state, State::Out),
                waker: flow.waker.clone(),
            }),
        }
    }

    /// Puts it back; `again` when there is more to do.
    pub(crate) fn put_back(&mut self, visit: Visit, again: bool) {
        if let Some(flow) = self.at(visit.slot) {
            flow.state = visit.state;
            if again {
                flow.bell.ring();
            }
        }
    }

    /// Removes a flow.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<Flow> {
        let flow = self.entries.get_mut(slot)?.take()?;
        self.index.remove(&flow.id);
        if let Some(locals) = &self.setup.locals {
            locals.gone(flow.id);
        }
        self.free.push(slot);
        if self.len() + 1 == self.setup.most && self.listener.is_some() {
            self.listener_bell.ring();
        }
        Some(flow)
    }

    /// The path of the run has ended, or was not made: makes it anew if that is allowed.
    pub(crate) fn redial(&mut self, slot: usize) -> Redial {
        let allowed = self.take_reconnect();
        if let Some(locals) = &self.setup.locals {
            locals.forget(FlowId::MAIN);
        }
        let to = self.setup.main;
        let opening = to
            .filter(|_| allowed)
            .map(|to| self.dial_main(to, self.setup.reconnect_sleep));
        let Some(flow) = self.at(slot) else {
            return Redial::Never;
        };
        flow.queue.begin_again();
        match opening {
            Some(opening) => {
                flow.state = State::Opening(opening);
                flow.bell.ring();
                Redial::Again
            }
            None => {
                flow.state = State::Gone;
                flow.queue.clear();
                Redial::Never
            }
        }
    }

    /// Uses up one of the connections that may be made anew.
    pub(crate) fn take_reconnect(&mut self) -> bool {
        self.setup.reconnects.take()
    }

    /// Whether calls end with their connection.
    pub(crate) fn calls_end(&self) -> bool {
        self.setup.reconnect_close
    }

    /// Whether flow 0 is one of the table's.
    pub(crate) fn has_main(&self) -> bool {
        matches!(self.setup.make, Make::Streams(_))
    }

    /// Takes over how handshakes have ended so far.
    pub(crate) fn tell_handshakes(&self, counts: &mut ConnectionCounts) {
        match &self.setup.make {
            Make::Streams(wrap) => wrap.tell_handshakes(counts),
            Make::Datagrams => {}
        }
    }

    /// When something has to be done that nobody rings for.
    pub(crate) fn next_deadline(&self) -> Option<Micros> {
        [self.accept_at, self.overdue_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due of that: accepts again; returns the calls whose messages wait for too long.
    pub(crate) fn due(&mut self, now: Micros) -> Vec<Caller> {
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept_at = None;
            self.listener_bell.ring();
        }
        let mut overdue = Vec::new();
        if self.overdue_at.is_some_and(|at| at <= now) {
            let mut next = None;
            for flow in self.entries.iter_mut().flatten() {
                overdue.append(&mut flow.queue.take_overdue(now));
                next = [next, flow.queue.overdue_at()].into_iter().flatten().min();
            }
            // Each look goes through all that waits.
            self.overdue_at = next.map(|at| at.max(now.plus(OVERDUE_PERIOD)));
        }
        overdue
    }

    /// Closes all flows once what they have to write is written.
    pub(crate) fn close_all(&mut self) {
        self.listener = None;
        for slot in 0..self.entries.len() {
            let Some(flow) = self.at(slot) else {
                continue;
            };
            flow.closing = true;
            flow.bell.ring();
            let nothing_left = match flow.state {
                State::Gone => true,
                State::Opening(_) => flow.queue.is_empty(),
                State::Open(_) | State::Out => false,
            };
            if nothing_left {
                self.remove(slot);
            }
        }
    }
}

/// A handshake with its deadline.
async fn shaken(
    handshake: impl Future<Output = io::Result<Box<dyn Link>>>,
) -> io::Result<Box<dyn Link>> {
    match timeout(wrap::HANDSHAKE_TIMEOUT, handshake).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the handshake takes too long",
        )),
    }
}
