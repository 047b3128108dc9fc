// SPDX-License-Identifier: AGPL-3.0-only
//! Media of the calls of a shard: one engine, and the sockets of its streams (docs/adr/0014).
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | what goes between the engine, the sockets and the shard |
//! | `calls` | the streams of a call, from its begin to its end, and what its scenario asks of them |
//! | `describe` | descriptions of both sides: where to send, what, with which keys |
//! | [`config`] | what a run says about media |
//! | `plan` | actions with their files, the same for all shards |
//! | `ports` | pairs of ports, bound before they are printed |
//! | `sockets` | sockets that are ready, and batches |
//! | `recorder` | recordings on their way to the disk |
//! | `microphone` | what is recorded of microphones, by a program beside us |
//! | `listening` | the microphones that streams of a shard play |
//! | `figures` | what is counted |
//! | `debug` | files that tell of checks and of SRTP |
//! | [`sender`] | RTP without SIP |
//! | `reports` | what a collector is told (`-hep_raw_rtcp` and its relatives) |
//!
//! It exists only where the scenario uses media. Nothing here waits; packets that cannot be sent at once are dropped.

mod calls;
pub mod config;
mod debug;
mod describe;
mod figures;
mod intake;
mod listening;
mod microphone;
mod plan;
mod ports;
mod recorder;
mod reports;
pub mod sender;
mod sockets;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use gossipper_control::MediaSnapshot;
use gossipper_hep::report::Direction;
use gossipper_media::Micros;
use gossipper_media::engine::{
    EngineParams, Event, Input, MediaEngine, MediaOut, Op, Port, StreamKey, StreamReport,
};
use gossipper_media::rtcp::SENDER_REPORT;
use gossipper_media::rtp::is_rtcp;
use gossipper_media::table::Table;
use gossipper_vm::{CallKey, MediaVerdict};
use slotmap::SecondaryMap;

use crate::sys::{Backend, Outgoing};

use crate::hep::MediaMirror;
use calls::CallMedia;
use config::{MediaRules, SrtpPolicy};
pub(crate) use figures::CallFigures;
use intake::Intake;
use listening::Listening;
pub(crate) use plan::Plan;
use ports::Ports;
pub(crate) use ports::{PortRange, PortShare};
use recorder::RecordingId;
pub(crate) use recorder::{Recorder, RecorderThread};
use reports::Reports;
use sockets::{SocketParams, Sockets};

/// Sockets of a stream beyond its pair: captures with more ports than that send the rest from the first.
const MAX_OFFSETS: usize = 16;

/// Ticks of the engine in a turn, with up to 64 packets each, before whatever else the shard does.
const PORTIONS_AT_ONCE: usize = 16;

/// Which of a call's streams it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its audio, and the other one.
    Stream(usize),
    /// A capture: audio, image, video.
    Play(usize),
}

/// Whose a stream is, and where its packets leave.
#[derive(Debug)]
struct Owner {
    call: CallKey,
    kind: Kind,
    /// `None` once the stream is closed.
    key: Option<StreamKey>,
    port: u16,
    rtp: u32,
    rtcp: Option<u32>,
    /// Sockets of ports above, by their distance.
    offsets: Vec<(u16, u32)>,
    recording: Option<RecordingId>,
}

/// A datagram that waits for the end of the turn.
#[derive(Debug)]
struct Waiting {
    socket: u32,
    item: Outgoing,
}

/// Everything media of a shard begin with.
#[derive(Debug)]
pub(crate) struct MediaSetup {
    pub(crate) plan: Arc<Plan>,
    pub(crate) ip: IpAddr,
    pub(crate) range: PortRange,
    pub(crate) backend: Backend,
    /// `[media_port]`, for captures by SIPp's rules.
    pub(crate) media_port: u16,
    pub(crate) wall_base_us: u64,
    pub(crate) recorder: Option<Recorder>,
    /// Ports that a call needs.
    pub(crate) per_call: usize,
    /// To the collector, if it is told of media.
    pub(crate) mirror: Option<MediaMirror>,
}

impl MediaSetup {
    /// Whether packets of peers will be read.
    pub(crate) fn reads(&self) -> bool {
        !self.plan.config.scale
    }
}

/// Media of a shard.
#[derive(Debug)]
pub(crate) struct Media {
    plan: Arc<Plan>,
    engine: MediaEngine,
    out: MediaOut,
    calls: SecondaryMap<CallKey, Box<CallMedia>>,
    /// By the index of the stream.
    owners: Table<Option<Owner>>,
    sockets: Sockets,
    ports: Ports,
    media_port: u16,
    per_call: usize,
    /// Ports that the machine has and no call.
    at_machine: usize,
    waiting: Vec<Waiting>,
    items: Vec<Outgoing>,
    /// The latest packet.
    intake: Intake,
    recorder: Option<Recorder>,
    counts: MediaSnapshot,
    /// For the machine.
    verdicts: VecDeque<(CallKey, MediaVerdict)>,
    /// For the error log.
    warnings: Vec<String>,
    /// What the collector is told, if there is one.
    reports: Option<Box<Reports>>,
    /// Microphones that streams play.
    listening: Vec<Listening>,
}

/// The time of the run, which both sides count alike.
const fn micros(time: gossipper_vm::Micros) -> Micros {
    Micros(time.0)
}

impl Media {
    /// To be called within the reactor's context.
    pub(crate) fn new(setup: MediaSetup) -> Self {
        let reads = setup.reads();
        let config = &setup.plan.config;
        let name = format!("gossipper@{}", setup.ip);
        let with_rtcp = config.rules == MediaRules::Own && !config.scale;
        let mut engine = MediaEngine::new(EngineParams {
            unix_us: setup.wall_base_us,
            name: name.into_bytes().into(),
        });
        if config.scale {
            engine.spread();
        }
        // Nothing is told of thousands of streams that are only sent.
        let mirror = setup.mirror.filter(|_| !config.scale);
        let reports = mirror.map(|mirror| {
            engine.tell_reports();
            Box::new(Reports::new(mirror, setup.ip, setup.wall_base_us))
        });
        let warnings = setup.plan.take_remarks();
        Self {
            engine,
            sockets: Sockets::new(SocketParams {
                ip: setup.ip,
                buffer_bytes: config.buffer_bytes,
                backend: setup.backend,
                reads,
            }),
            ports: Ports::new(setup.range, with_rtcp),
            plan: setup.plan,
            out: MediaOut::default(),
            calls: SecondaryMap::new(),
            owners: Table::default(),
            media_port: setup.media_port,
            per_call: setup.per_call,
            at_machine: 0,
            waiting: Vec::new(),
            items: Vec::new(),
            intake: Intake::default(),
            recorder: setup.recorder,
            counts: MediaSnapshot::default(),
            verdicts: VecDeque::new(),
            warnings,
            reports,
            listening: Vec::new(),
        }
    }

    /// Ports that the machine lacks for a call that the next input may open.
    pub(crate) fn supply(&mut self, now: gossipper_vm::Micros) -> Option<Vec<u16>> {
        if self.at_machine >= self.per_call {
            return None;
        }
        let ports = self
            .ports
            .supply(micros(now), self.per_call, &mut self.sockets);
        self.at_machine += ports.len();
        Some(ports).filter(|ports| !ports.is_empty())
    }

    /// When to come back.
    pub(crate) fn next_deadline(&self) -> Option<gossipper_vm::Micros> {
        let reports = self.reports.as_ref().and_then(|reports| reports.next());
        let at = self
            .engine
            .next_deadline()
            .into_iter()
            .chain(reports)
            .min()?;
        Some(gossipper_vm::Micros(at.0))
    }

    /// Waits until packets can be read.
    pub(crate) async fn ready(&self) {
        self.sockets.ready().await;
    }

    /// What became of what calls have asked for.
    pub(crate) fn next_verdict(&mut self) -> Option<(CallKey, MediaVerdict)> {
        self.verdicts.pop_front()
    }

    /// What is to be said.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Whether anything is.
    pub(crate) fn warns(&self) -> bool {
        !self.warnings.is_empty()
    }

    /// Sends what is due; true when more is left, for the next turn.
    pub(crate) fn tick(&mut self, now: gossipper_vm::Micros) -> bool {
        let now = micros(now);
        let due = |engine: &MediaEngine| engine.next_deadline().is_some_and(|at| at <= now);
        if due(&self.engine) && !self.listening.is_empty() {
            self.listen(now);
        }
        let mut portions = 0;
        while due(&self.engine) && portions < PORTIONS_AT_ONCE {
            portions += 1;
            self.engine.handle(now, Input::Tick, &mut self.out);
            self.settle(now);
            self.flush();
        }
        let more = self.report_due(now);
        due(&self.engine) || more
    }

    /// Reads what has come, as long as `allow` does; true when more is left.
    pub(crate) fn receive(
        &mut self,
        now: gossipper_vm::Micros,
        allow: impl FnMut() -> bool,
    ) -> bool {
        let Self {
            sockets,
            engine,
            out,
            calls,
            intake,
            counts,
            ..
        } = self;
        let more = sockets.receive(allow, |call, pair, port, datagram| {
            let Some(stream) = calls.get(call).and_then(|call| call.stream_at(pair)) else {
                return;
            };
            let (came, input) = intake.take(micros(now), stream, port, &datagram, counts);
            engine.handle(came, input, out);
        });
        self.settle(micros(now));
        more
    }

    /// Sends what has been collected.
    pub(crate) fn flush(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut rest = &waiting[..];
        while let Some(first) = rest.first() {
            let socket = first.socket;
            let count = rest
                .iter()
                .take_while(|waiting| waiting.socket == socket)
                .count();
            // Nearly always one.
            let items = match count {
                1 => std::slice::from_ref(&first.item),
                _ => {
                    self.items.clear();
                    self.items
                        .extend(rest[..count].iter().map(|waiting| waiting.item));
                    &self.items
                }
            };
            rest = &rest[count..];
            let (_, unsent) = self.sockets.send(socket, &self.out.bytes, items);
            self.counts.unsent += unsent as u64;
        }
        waiting.clear();
        self.waiting = waiting;
        self.out.clear();
        if let Some(reports) = &mut self.reports {
            reports.hand_over();
        }
    }

    /// Figures so far.
    pub(crate) fn snapshot(&self) -> MediaSnapshot {
        MediaSnapshot {
            recordings_lost: self.recorder.as_ref().map_or(0, Recorder::lost),
            ..self.counts
        }
    }

    /// One order for a stream.
    fn order(&mut self, now: Micros, stream: StreamKey, op: Op) {
        self.engine
            .handle(now, Input::Op { stream, op }, &mut self.out);
        self.settle(now);
    }

    fn owner(&self, stream: StreamKey) -> Option<&Owner> {
        let owner = self.owners.get(stream.index() as usize)?.as_ref()?;
        (owner.key == Some(stream)).then_some(owner)
    }

    fn owner_mut(&mut self, stream: StreamKey) -> Option<&mut Owner> {
        let owner = self.owners.get_mut(stream.index() as usize)?.as_mut()?;
        (owner.key == Some(stream)).then_some(owner)
    }

    /// Takes up what the engine has ordered, while the streams are still those that ordered it.
    fn settle(&mut self, now: Micros) {
        let mut sends = std::mem::take(&mut self.out.sends);
        for send in sends.drain(..) {
            let bytes = &self.out.bytes[send.range.clone()];
            figures::sent(&mut self.counts, bytes);
            let Some(socket) = self.socket_of(send.stream, send.port, send.port_offset) else {
                self.counts.unsent += 1;
                continue;
            };
            self.waiting.push(Waiting {
                socket,
                item: Outgoing {
                    off: send.range.start,
                    len: send.range.len(),
                    to: send.to,
                },
            });
        }
        self.out.sends = sends;
        let mut files = std::mem::take(&mut self.out.files);
        for write in files.drain(..) {
            let recording = self.owner(write.stream).and_then(|owner| owner.recording);
            if let (Some(id), Some(recorder)) = (recording, &self.recorder) {
                recorder.write(id, write.at, &self.out.bytes[write.range.clone()]);
                if write.last {
                    recorder.end(id);
                }
            }
        }
        self.out.files = files;
        self.tell_packets(now);
        if self.out.events.is_empty() {
            return;
        }
        let mut events = std::mem::take(&mut self.out.events);
        for (stream, event) in events.drain(..) {
            self.on_event(now, stream, event);
        }
        self.out.events = events;
    }

    fn on_event(&mut self, now: Micros, stream: StreamKey, event: Event) {
        let Some(call) = self.owner(stream).map(|owner| owner.call) else {
            return;
        };
        match event {
            Event::CheckPassed => self.verdicts.push_back((call, MediaVerdict::Passed)),
            Event::CheckFailed(failure) => self.fail(call, &failure.to_string()),
            Event::DigitsRefused(error) => self.fail(call, &format!("send_dtmf: {error}")),
            Event::Digit(heard) => {
                self.counts.digits_heard += 1;
                if let Some(reports) = &mut self.reports {
                    reports.digit(now, stream, Direction::Received, heard);
                }
            }
            Event::DigitLeft(left) => {
                if let Some(reports) = &mut self.reports {
                    reports.digit(now, stream, Direction::Sent, left);
                }
            }
            Event::FeedOver(feed) => {
                let why = self.silenced(feed);
                self.fail(call, &why);
            }
            // Nothing waits for it.
            Event::Ended | Event::DigitsSent | Event::Goodbye => {}
        }
    }

    /// A call cannot have what it asked for.
    fn fail(&mut self, call: CallKey, why: &str) {
        let Some(record) = self.calls.get_mut(call) else {
            return;
        };
        record.failed = true;
        let number = record.number;
        self.warnings.push(format!("call {number}: {why}"));
        self.verdicts.push_back((call, MediaVerdict::Failed));
    }

    /// The socket that a packet of a stream leaves from.
    fn socket_of(&mut self, stream: StreamKey, port: Port, offset: u16) -> Option<u32> {
        let owner = self.owner(stream)?;
        match (port, offset) {
            (Port::Rtp, 0) => return Some(owner.rtp),
            (Port::Rtcp, 0) => return owner.rtcp,
            (_, 1) if owner.rtcp.is_some() => return owner.rtcp,
            _ => {}
        }
        if let Some((_, socket)) = owner.offsets.iter().find(|(known, _)| *known == offset) {
            return Some(*socket);
        }
        let (base, first) = (owner.port, owner.rtp);
        if owner.offsets.len() >= MAX_OFFSETS {
            return Some(first);
        }
        let socket = self.play_socket(base.checked_add(offset).unwrap_or(0));
        let socket = socket.unwrap_or(first);
        self.owner_mut(stream)?.offsets.push((offset, socket));
        Some(socket)
    }

    /// A socket that sends alone, from a port if it can be had; 0 lets the system choose.
    fn play_socket(&mut self, port: u16) -> Option<u32> {
        let sockets = &self.sockets;
        let socket = match port {
            0 => sockets.bind(0).map(Arc::new),
            port => self
                .plan
                .play_socket(port, || sockets.bind(port))
                // Somebody else has it: the peer hears us all the same.
                .or_else(|_| sockets.bind(0).map(Arc::new)),
        };
        self.sockets.add(socket.ok()?, false).ok()
    }

    /// Closes a stream and adds up what became of it.
    fn close_stream(&mut self, now: Micros, stream: StreamKey) -> Option<StreamReport> {
        let report = self.engine.close(now, stream, &mut self.out)?;
        self.settle(now);
        self.report_last(now, stream, &report);
        let owner = self
            .owners
            .get_mut(stream.index() as usize)
            .and_then(Option::take)?;
        for (_, socket) in owner.offsets {
            self.sockets.remove(socket);
        }
        let tolerances = self.plan.config.tolerances;
        if let Kind::Stream(index) = owner.kind {
            let debug = &self.plan.debug;
            debug.closed(index, owner.port, &report, tolerances[index]);
        }
        figures::closed(&mut self.counts, owner.kind, &report, tolerances);
        Some(report)
    }

    /// What a stream to a peer that asks for SRTP is told by our own rules.
    fn srtp_refusal(&self) -> Option<&'static str> {
        match self.plan.config.srtp {
            SrtpPolicy::Unsaid => Some(
                "rtp_stream start: remote SDP suggests SRTP; use -media_srtp to encrypt, or -media_reject_srtp to refuse \
                 such calls",
            ),
            SrtpPolicy::Use | SrtpPolicy::Reject => None,
        }
    }
}

/// Whether a packet of ours is a report, and whether of a sender.
fn report_of(bytes: &[u8]) -> Option<bool> {
    // The kind stands where encryption leaves it (RFC 3711 §3.4).
    let is_report = is_rtcp(bytes);
    is_report.then(|| bytes.get(1) == Some(&SENDER_REPORT))
}
