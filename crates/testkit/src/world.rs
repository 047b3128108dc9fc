// SPDX-License-Identifier: AGPL-3.0-only
//! Engines in virtual time, joined by a simulated network.
//!
//! The clock jumps from event to event, so minutes of retransmission take milliseconds. Everything random comes from
//! one seed; the same seed gives the same run, message for message.

use crate::net::Net;
use crate::tally::Tally;
use crate::trace::Trace;
use gossipper_bytecode::PeerId;
use gossipper_vm::{CallControl, CallKey, Engine, FlowId, Image, Input, Micros, OutBuf, Output};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;

/// How long a command is on its way.
pub const TWIN_DELAY: Micros = Micros::from_ms(1);

/// A node of the world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeId(usize);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Spawn,
    Deliver { src: SocketAddr, bytes: Vec<u8> },
    Command { bytes: Vec<u8> },
    CommandFailed { call: CallKey },
    Timer { call: CallKey, generation: u32 },
    Resume { call: CallKey },
    Control(ControlEvent),
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum ControlEvent {
    AbortAll,
    Drain,
    Users(u32),
}

struct Node {
    name: String,
    addr: SocketAddr,
    engine: Engine,
    tally: Tally,
    sent: Vec<Vec<u8>>,
    commands: Vec<Vec<u8>>,
    log: Vec<String>,
    fatal: Option<String>,
}

/// Engines, a network and a clock.
pub struct World {
    now: Micros,
    net: Net,
    rng: fastrand::Rng,
    nodes: Vec<Node>,
    /// Who sent, in order: the messages of all nodes on one line of time.
    wire: Vec<NodeId>,
    /// Events by time, then by the order in which they were made.
    queue: BinaryHeap<Reverse<(Micros, u64, usize, Event)>>,
    made: u64,
    out: OutBuf,
    /// Where commands lead: from which node, to which peer of its program, and the node.
    links: Vec<(usize, Option<PeerId>, usize)>,
    trace: Option<Trace>,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, net: Net) -> Self {
        Self {
            now: Micros(0),
            net,
            rng: fastrand::Rng::with_seed(seed),
            nodes: Vec::new(),
            wire: Vec::new(),
            queue: BinaryHeap::new(),
            made: 0,
            out: OutBuf::new(),
            links: Vec::new(),
            trace: None,
        }
    }

    /// Keeps a trace from now on.
    pub fn record(&mut self) {
        self.trace = Some(Trace::new());
    }

    /// The trace so far; empty unless [`Self::record`] was called.
    #[must_use]
    pub fn trace(&self) -> &str {
        self.trace.as_ref().map_or("", Trace::text)
    }

    /// Adds a node and runs its `init` section.
    pub fn add(&mut self, name: &str, addr: SocketAddr, image: Arc<Image>) -> NodeId {
        let id = NodeId(self.nodes.len());
        let mut engine = Engine::new(image);
        self.out.clear();
        engine.start(self.now, &mut self.out);
        self.nodes.push(Node {
            name: name.to_owned(),
            addr,
            engine,
            tally: Tally::default(),
            sent: Vec::new(),
            commands: Vec::new(),
            log: Vec::new(),
            fatal: None,
        });
        self.carry_out(id.0);
        id
    }

    /// Leads a node's commands to another; `peer` is the one that they are for, among several. They arrive after the
    /// delay of [`TWIN_DELAY`], whole and in order.
    pub fn link(&mut self, from: NodeId, peer: Option<PeerId>, to: NodeId) {
        self.links.push((from.0, peer, to.0));
    }

    /// Plans a call of a client node.
    pub fn spawn(&mut self, node: NodeId, at: Micros) {
        self.push(at, node.0, Event::Spawn);
    }

    /// Plans an operator's wish.
    pub fn control(&mut self, node: NodeId, at: Micros, control: CallControl) {
        let event = match control {
            CallControl::AbortAll => ControlEvent::AbortAll,
            CallControl::Drain => ControlEvent::Drain,
            CallControl::Users(users) => ControlEvent::Users(users),
        };
        self.push(at, node.0, Event::Control(event));
    }

    /// Runs until nothing is left to happen or the clock has reached `limit`; returns whether it became idle.
    pub fn run(&mut self, limit: Micros) -> bool {
        while let Some(Reverse((at, ..))) = self.queue.peek() {
            if *at > limit {
                self.now = limit;
                return false;
            }
            self.step();
        }
        true
    }

    /// Lets the next event happen.
    fn step(&mut self) {
        let Some(Reverse((at, _, index, event))) = self.queue.pop() else {
            return;
        };
        self.now = at;
        self.out.clear();
        let node = &mut self.nodes[index];
        let input = match &event {
            Event::Spawn => Input::Spawn { user: 0, due: at },
            Event::Deliver { src, bytes } => Input::Message {
                flow: FlowId(0),
                src: *src,
                bytes,
            },
            Event::Command { bytes } => Input::Twin { bytes },
            Event::CommandFailed { call } => Input::TwinFailed { call: *call },
            Event::Timer { call, generation } => Input::Timer {
                call: *call,
                generation: *generation,
            },
            Event::Resume { call } => Input::Resume { call: *call },
            Event::Control(ControlEvent::AbortAll) => Input::Control(CallControl::AbortAll),
            Event::Control(ControlEvent::Drain) => Input::Control(CallControl::Drain),
            Event::Control(ControlEvent::Users(users)) => {
                Input::Control(CallControl::Users(*users))
            }
        };
        node.engine.handle(at, input, &mut self.out);
        let stale = matches!(input, Input::Timer { .. }) && self.out.records().is_empty();
        if let (Some(trace), false) = (&mut self.trace, stale) {
            trace.step(at, &node.name, &input, &self.out);
        }
        self.carry_out(index);
    }

    fn carry_out(&mut self, index: usize) {
        let out = core::mem::take(&mut self.out);
        for output in out.records() {
            match *output {
                Output::Send { to, bytes, .. } => self.send(index, to, out.bytes(bytes)),
                Output::Twin { call, peer, bytes } => {
                    self.command(index, call, peer, out.bytes(bytes));
                }
                Output::Arm {
                    call,
                    at,
                    generation,
                } => self.push(at, index, Event::Timer { call, generation }),
                // Its nodes send datagrams, each from one socket.
                Output::Open { .. } | Output::Close { .. } | Output::Unfinished { .. } => {}
                // Timers carry their generation: a stale one does nothing.
                Output::Disarm { .. }
                | Output::Ended { .. }
                | Output::Exec { .. }
                | Output::SwitchEcho { .. }
                // No media flows here, and no check is met.
                | Output::MediaBegan { .. }
                | Output::Media { .. }
                | Output::Sdp { .. }
                | Output::About { .. }
                | Output::Beside { .. }
                | Output::Within { .. } => {}
                Output::Stat(event) => self.nodes[index].tally.add(event),
                Output::Log { text, .. } => {
                    let line = String::from_utf8_lossy(out.bytes(text)).into_owned();
                    self.nodes[index].log.push(line);
                }
                Output::Yield { call } => self.push(self.now, index, Event::Resume { call }),
                Output::StopGracefully => {
                    self.push(self.now, index, Event::Control(ControlEvent::Drain));
                }
                Output::StopNow => {
                    self.push(self.now, index, Event::Control(ControlEvent::AbortAll));
                }
                Output::Fatal { text } => {
                    let text = String::from_utf8_lossy(out.bytes(text)).into_owned();
                    self.nodes[index].fatal = Some(text);
                }
            }
        }
        self.out = out;
    }

    fn send(&mut self, index: usize, to: SocketAddr, bytes: &[u8]) {
        let src = self.nodes[index].addr;
        self.nodes[index].sent.push(bytes.to_vec());
        self.wire.push(NodeId(index));
        let Some(target) = self.nodes.iter().position(|node| node.addr == to) else {
            return;
        };
        for at in self.net.arrivals(self.now, &mut self.rng) {
            let bytes = bytes.to_vec();
            self.push(at, target, Event::Deliver { src, bytes });
        }
    }

    fn command(&mut self, index: usize, call: Option<CallKey>, peer: Option<PeerId>, bytes: &[u8]) {
        let mut links = self.links.iter();
        let target = links.find(|(from, to, _)| *from == index && *to == peer);
        match target {
            Some((_, _, target)) => {
                self.nodes[index].commands.push(bytes.to_vec());
                let bytes = bytes.to_vec();
                let at = self.now.plus(TWIN_DELAY);
                self.push(at, *target, Event::Command { bytes });
            }
            None => {
                if let Some(call) = call {
                    self.push(self.now, index, Event::CommandFailed { call });
                }
            }
        }
    }

    fn push(&mut self, at: Micros, node: usize, event: Event) {
        self.made += 1;
        self.queue
            .push(Reverse((at.max(self.now), self.made, node, event)));
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.now
    }

    /// What a node has counted.
    #[must_use]
    pub fn tally(&self, node: NodeId) -> &Tally {
        &self.nodes[node.0].tally
    }

    /// Open calls of a node.
    #[must_use]
    pub fn open_calls(&self, node: NodeId) -> usize {
        self.nodes[node.0].engine.open_calls()
    }

    /// Every message a node has sent, lost ones too.
    #[must_use]
    pub fn sent(&self, node: NodeId) -> &[Vec<u8>] {
        &self.nodes[node.0].sent
    }

    /// Every message that was sent, in order, with who sent it.
    pub fn wire(&self) -> impl Iterator<Item = (NodeId, &[u8])> {
        let mut next = vec![0; self.nodes.len()];
        self.wire.iter().map(move |node| {
            let at = next[node.0];
            next[node.0] += 1;
            (*node, &self.nodes[node.0].sent[at][..])
        })
    }

    /// Every command a node has sent to its twins.
    #[must_use]
    pub fn commands(&self, node: NodeId) -> &[Vec<u8>] {
        &self.nodes[node.0].commands
    }

    /// Every log line of a node.
    #[must_use]
    pub fn log(&self, node: NodeId) -> &[String] {
        &self.nodes[node.0].log
    }

    /// The fatal error of a node, if it had one.
    #[must_use]
    pub fn fatal(&self, node: NodeId) -> Option<&str> {
        self.nodes[node.0].fatal.as_deref()
    }
}
