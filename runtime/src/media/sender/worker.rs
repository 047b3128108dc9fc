// SPDX-License-Identifier: AGPL-3.0-only
//! The streams of one thread of the sender: one engine, the sockets, and a loop that sleeps until something is due.

use std::collections::VecDeque;
use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::Duration;

use gossipper_control::MediaSnapshot;
use gossipper_media::Micros;
use gossipper_media::engine::{
    EngineParams, Event, FirstPacket, Format, Input, Length, MediaEngine, MediaOut, Op, Play, Port,
    Remote, StreamKey, StreamParams,
};
use gossipper_vm::CallKey;

use super::super::figures;
use super::super::intake::Intake;
use super::super::plan::locked;
use super::super::ports::{Pair, PortRange, PortShare, Ports};
use super::super::sockets::{SocketParams, Sockets, Use};
use super::super::{Kind, Waiting, report_of};
use super::{Common, Shared};
use crate::clock::Clock;
use crate::error::Error;
use crate::sys::{Backend, Outgoing, Poller};

/// From one report to the next.
const REPORT_INTERVAL: Micros = Micros::from_ms(500);

/// How often figures are told.
const PUBLISH: Micros = Micros::from_ms(100);

/// Batches that are read before packets are sent again.
const BATCHES_AT_ONCE: usize = 8;

/// Searches for ports that find none in a row before there are none.
const SEARCHES: u64 = 300;

/// Bytes of a header of RTP.
const HEADER_LEN: u64 = 12;

/// A stream that waits to begin.
#[derive(Debug, Clone, Copy)]
struct Start {
    at: Micros,
    stream: usize,
}

/// The streams of a thread.
#[derive(Debug)]
pub(super) struct Worker {
    common: Arc<Common>,
    stripe: usize,
    stripes: usize,
    engine: MediaEngine,
    out: MediaOut,
    sockets: Sockets,
    /// By stream.
    pairs: Vec<Pair>,
    keys: Vec<Option<StreamKey>>,
    /// The stream of each of the engine's.
    owners: Vec<usize>,
    starts: VecDeque<Start>,
    open: usize,
    waiting: Vec<Waiting>,
    items: Vec<Outgoing>,
    intake: Intake,
    over: Vec<StreamKey>,
    counts: MediaSnapshot,
}

impl Worker {
    /// Takes stream `stripe`, `stripe + stripes` and so on, and binds their ports. To be called within the reactor's context.
    pub(super) fn new(common: &Arc<Common>, stripe: usize, stripes: usize) -> Result<Self, Error> {
        let config = &common.config;
        let mut sockets = Sockets::new(SocketParams {
            ip: common.local_ip,
            buffer_bytes: config.buffer_bytes,
            backend: Backend::Auto,
            reads: !config.scale,
        });
        // An address that is not ours has no free port either, and says less.
        sockets.bind(0).map_err(|source| Error::Bind {
            address: SocketAddr::new(common.local_ip, 0),
            source,
        })?;
        let all = config.streams.max(1);
        let own: Vec<usize> = (stripe..all).step_by(stripes).collect();
        let share = PortShare {
            stripe,
            stripes,
            described: false,
        };
        let mut ports = Ports::new(PortRange::new(config.ports, share), !config.scale);
        let mut pairs: Vec<Pair> = Vec::with_capacity(own.len());
        let mut searches = 0;
        while pairs.len() < own.len() {
            // Each search comes when the one before has rested.
            let found = ports.supply(Micros::from_ms(searches * 1000), 1, &mut sockets);
            searches += 1;
            if found.is_empty() && searches >= SEARCHES {
                return Err(Error::RtpSender {
                    why: format!(
                        "no ports for {all} streams from {} to below {}: {} of {} were free (-mp, -max_rtp_port)",
                        config.ports.0,
                        config.ports.1,
                        pairs.len(),
                        own.len()
                    ),
                });
            }
            if !found.is_empty() {
                searches = 0;
            }
            pairs.extend(found.into_iter().filter_map(|port| ports.pair(port)));
        }
        for pair in pairs.drain(own.len()..) {
            for socket in [Some(pair.rtp), pair.rtcp].into_iter().flatten() {
                sockets.remove(socket);
            }
        }
        let period = common.shape.period.0;
        let mut starts: Vec<Start> = own
            .iter()
            .enumerate()
            .filter_map(|(stream, index)| {
                let at = config.begins.at_us(*index, all, period)?;
                let at = Micros(at);
                Some(Start { at, stream })
            })
            .collect();
        starts.sort_by_key(|start| start.at);
        let mut keys = Vec::new();
        keys.resize(own.len(), None);
        Ok(Self {
            common: Arc::clone(common),
            stripe,
            stripes,
            engine: MediaEngine::new(EngineParams {
                unix_us: 0,
                name: Box::default(),
            }),
            out: MediaOut::default(),
            sockets,
            pairs,
            keys,
            owners: Vec::new(),
            starts: starts.into(),
            open: 0,
            waiting: Vec::new(),
            items: Vec::new(),
            intake: Intake::default(),
            over: Vec::new(),
            counts: MediaSnapshot::default(),
        })
    }

    /// The port of the first stream.
    pub(super) fn first_port(&self) -> u16 {
        self.pairs.first().map_or(0, |pair| pair.port)
    }

    /// Sends until all streams are over, or somebody stops them.
    pub(super) async fn run(mut self, shared: &Shared, index: usize) {
        let clock = shared.clock;
        let name = format!("gossipper@{}", self.common.local_ip);
        self.engine = MediaEngine::new(EngineParams {
            unix_us: clock.wall_base_us(),
            name: name.into_bytes().into(),
        });
        if self.common.config.scale {
            self.engine.spread();
        }
        // The reactor rounds times up to milliseconds, and is needed for reading alone.
        let poller = match self.common.config.scale {
            true => Poller::new().ok().flatten(),
            false => None,
        };
        let mut sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut publish_at = PUBLISH;
        let mut told = 0;
        loop {
            let now = now(&clock);
            while let Some(start) = self.starts.front().copied()
                && start.at <= now
            {
                self.starts.pop_front();
                // At its time, however late it is noticed, so that streams keep their distances.
                self.begin(start.at, start.stream);
            }
            let mut busy = self.tick(now);
            if !self.common.config.scale {
                busy |= self.receive(now);
            }
            self.flush();
            let over = self.starts.is_empty() && self.open == 0;
            if over || shared.stop.load(Ordering::Acquire) {
                break;
            }
            if now >= publish_at {
                publish_at = now + PUBLISH;
                self.publish(shared, index, &mut told);
            }
            let due = [
                self.engine.next_deadline(),
                self.starts.front().map(|start| start.at),
            ];
            let deadline = due.into_iter().flatten().fold(publish_at, Micros::min);
            if busy || deadline <= now {
                if poller.is_none() {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            let deadline = gossipper_vm::Micros(deadline.0);
            if let Some(poller) = &poller {
                let waker = poller.waker();
                let stopped = pin!(shared.stopped[index].notified());
                if stopped.poll(&mut Context::from_waker(&waker)).is_pending() {
                    poller.wait(None, false, clock.until(deadline));
                }
                continue;
            }
            sleep.as_mut().reset(clock.instant(deadline).into());
            tokio::select! {
                biased;
                () = shared.stopped[index].notified() => {}
                () = self.sockets.ready() => {}
                () = sleep.as_mut() => {}
            }
        }
        let now = now(&clock);
        for stream in 0..self.keys.len() {
            self.close(now, stream);
        }
        self.flush();
        self.publish(shared, index, &mut told);
    }

    fn begin(&mut self, now: Micros, stream: usize) {
        let common = Arc::clone(&self.common);
        let config = &common.config;
        let pair = self.pairs[stream];
        // A number that follows from the seed and the port, which no other stream has.
        let seed = config.seed ^ u64::from(pair.port).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let drawn = fastrand::Rng::with_seed(seed).u64(..);
        let key = self.engine.open(
            now,
            StreamParams {
                ssrc: drawn as u32,
                sequence: (drawn >> 32) as u16,
                timestamp: (drawn >> 24) as u32,
                format: Format {
                    codec: config.codec,
                    payload_type: config.payload_type,
                    events: None,
                    channels: 1,
                },
                marks: true,
                first_packet: FirstPacket::AfterInterval,
                report_interval: (!config.scale).then_some(REPORT_INTERVAL),
            },
        );
        let place = key.index() as usize;
        if self.owners.len() <= place {
            self.owners.resize(place + 1, 0);
        }
        self.owners[place] = stream;
        self.keys[stream] = Some(key);
        self.open += 1;
        let own = |socket, port| (socket, Use::Call(CallKey::default(), stream, port));
        let uses = [
            Some(own(pair.rtp, Port::Rtp)),
            pair.rtcp.map(|socket| own(socket, Port::Rtcp)),
        ];
        for (socket, used) in uses.into_iter().flatten() {
            self.sockets.set_use(socket, used);
        }
        let place = self.stripe + stream * self.stripes;
        let to = config.remotes[place % config.remotes.len()];
        let above = to.port().checked_add(1);
        let remote = Remote {
            rtp: Some(to),
            rtcp: above.map(|port| SocketAddr::new(to.ip(), port)),
            held: false,
        };
        let play = Play {
            clip: common.clip.clone(),
            payload_type: config.payload_type,
            shape: common.shape,
            length: match config.length {
                Some(length) => Length::Time(Micros(
                    u64::try_from(length.as_micros()).unwrap_or(u64::MAX),
                )),
                None => Length::Endless,
            },
            pattern: None,
        };
        for op in [Op::Remote(remote), Op::Play(Box::new(play))] {
            let input = Input::Op { stream: key, op };
            self.engine.handle(now, input, &mut self.out);
        }
        self.settle();
    }

    /// Does what is due; true when more is left.
    fn tick(&mut self, now: Micros) -> bool {
        let due = |engine: &MediaEngine| engine.next_deadline().is_some_and(|at| at <= now);
        if due(&self.engine) {
            self.engine.handle(now, Input::Tick, &mut self.out);
            self.settle();
        }
        let mut over = std::mem::take(&mut self.over);
        for key in over.drain(..) {
            self.close(now, self.owners[key.index() as usize]);
        }
        self.over = over;
        due(&self.engine)
    }

    fn close(&mut self, now: Micros, stream: usize) {
        let Some(key) = self.keys[stream].take() else {
            return;
        };
        self.open -= 1;
        if let Some(report) = self.engine.close(now, key, &mut self.out) {
            figures::closed(&mut self.counts, Kind::Stream(0), &report, [1.0; 2]);
        }
        // The goodbye, before the slot of the engine is another stream's.
        self.settle();
    }

    /// Reads what has come, within bounds; true when more is left.
    fn receive(&mut self, now: Micros) -> bool {
        let Self {
            sockets,
            engine,
            out,
            keys,
            intake,
            counts,
            ..
        } = self;
        let mut batches = 0;
        let allow = || {
            batches += 1;
            batches < BATCHES_AT_ONCE
        };
        let more = sockets.receive(allow, |_, stream, port, datagram| {
            let Some(stream) = keys.get(stream).copied().flatten() else {
                return;
            };
            let (came, input) = intake.take(now, stream, port, &datagram, counts);
            engine.handle(came, input, out);
        });
        self.settle();
        more
    }

    /// Takes up what the engine has ordered.
    fn settle(&mut self) {
        for send in self.out.sends.drain(..) {
            let pair = self.pairs[self.owners[send.stream.index() as usize]];
            let socket = match send.port {
                Port::Rtp => Some(pair.rtp),
                Port::Rtcp => pair.rtcp,
            };
            if let Some(socket) = socket {
                let item = Outgoing {
                    off: send.range.start,
                    len: send.range.len(),
                    to: send.to,
                };
                self.waiting.push(Waiting { socket, item });
            }
        }
        for (stream, event) in self.out.events.drain(..) {
            if event == Event::Ended {
                self.over.push(stream);
            }
        }
    }

    /// Sends what has been collected, and counts what has left.
    fn flush(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for group in waiting.chunk_by(|one, other| one.socket == other.socket) {
            // Nearly always one.
            let items = match group {
                [one] => std::slice::from_ref(&one.item),
                _ => {
                    self.items.clear();
                    self.items.extend(group.iter().map(|waiting| waiting.item));
                    &self.items
                }
            };
            let arena = &self.out.bytes;
            let (sent, unsent) = self.sockets.send(group[0].socket, arena, items);
            self.counts.unsent += unsent as u64;
            let first = group[0].item;
            // A socket has packets of one kind: what it sends is all RTP, or all reports.
            match report_of(arena.get(first.off..first.off + first.len).unwrap_or(&[])) {
                None => self.counts.packets_sent += sent as u64,
                Some(true) => self.counts.sender_reports += sent as u64,
                Some(false) => self.counts.receiver_reports += sent as u64,
            }
        }
        waiting.clear();
        self.waiting = waiting;
        self.out.clear();
    }

    fn publish(&mut self, shared: &Shared, index: usize, told: &mut usize) {
        let payload_len = self.common.shape.payload_len as u64;
        let packets = self.counts.packets_sent;
        // All packets of a run have the same length.
        self.counts.bytes_sent = packets * (HEADER_LEN + payload_len);
        self.counts.closed.octets_sent = packets * payload_len;
        *locked(&shared.figures[index]) = self.counts;
        shared.sending.fetch_add(self.open, Ordering::Relaxed);
        shared.sending.fetch_sub(*told, Ordering::Relaxed);
        *told = self.open;
    }
}

fn now(clock: &Clock) -> Micros {
    Micros(clock.now().0)
}
