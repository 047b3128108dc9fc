// SPDX-License-Identifier: AGPL-3.0-only
//! Feeds inputs to the machine and carries its orders out.
//!
//! Sends are collected and leave in batches at the end of a turn, or as soon as a batch is full; everything else is
//! done at once. Not for: waiting, deciding when the run ends.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use gossipper_bytecode::PeerId;
use gossipper_control::shapes::Way;
use gossipper_control::{EngineSnapshot, TransportCounts};
use gossipper_vm::{
    BesideKind, CallControl, CallKey, FlowEvent, FlowId, Input, Micros, OutBuf, Unsent,
};
use slotmap::KeyData;

use super::flows::Answer;
use super::invites::Invites;
use super::sides::SideOut;
use super::traces::{Named, first_named};
use super::watch::Watch;
use super::{AHEAD, Ending, Machine};
use crate::clock::Clock;
use crate::echo::EchoSwitch;
use crate::events::Tap;
use crate::exec::Executor;
use crate::flows::Table;
use crate::group::{Place, Post};
use crate::hep::Mirror;
use crate::logs::{Concern, LogSender, Traffic};
use crate::measure::{Measure, Record as CallRecord};
use crate::media::Media;
use crate::schedule::{Opening, Schedule};
use crate::shapes::Shapes;
use crate::stats::Stats;
use crate::sys::Datagram;
use crate::transport::udp::{Outbox, Refused};
use crate::twin::Links;
use crate::wheel::{Fired, Wheel};

/// Datagrams that make a batch full.
const FLUSH_AT: usize = 256;

/// Bytes of orders that make it full. Most of them are messages that have yet to leave.
const FLUSH_AT_BYTES: usize = 1 << 20;

/// Least time between two log lines about the same kind of socket trouble.
const SAY_AGAIN: Micros = Micros(1_000_000);

/// Bytes of the last warning kept for screens.
const LAST_WARNING_BYTES: usize = 4096;

/// What the scenario does before its first call: its init section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Before,
    Under,
    Over,
}

/// What the shard keeps of the scenario of requests that belong to no call.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) kind: BesideKind,
    pub(crate) stats: Stats,
    /// Where its figures are published.
    pub(crate) slot: Arc<Mutex<EngineSnapshot>>,
}

#[derive(Debug)]
pub(super) struct Core<M> {
    pub(super) machine: M,
    /// The memory of the orders, while none are carried out.
    // PERF: in a box, since it is taken out of here for each input: a pointer moves, and not a record that the machine has
    // written in small pieces just before, which a wide copy has to wait for (4 % of a client at saturation, 2026-11-21).
    out: Option<Box<OutBuf>>,
    pub(super) wheel: Wheel,
    pub(super) resumes: VecDeque<CallKey>,
    /// `None` where messages go over connections.
    socket: Option<UdpSocket>,
    pub(super) outbox: Outbox,
    /// Messages that have yet to leave lie among the bytes of the orders.
    pub(super) unsent_in_orders: bool,
    /// The sockets of flows 1 and up.
    pub(super) sides: Vec<SideOut>,
    /// Connections, and sockets of calls.
    pub(super) flows: Option<Box<Table>>,
    /// Flow 0 is a connection.
    pub(super) main_is_stream: bool,
    /// What calls asked for, until the machine is told.
    pub(super) answers: Vec<Answer>,
    /// What became of flows with many calls.
    pub(super) unfinished: VecDeque<(FlowId, FlowEvent)>,
    refused: Vec<Refused>,
    pub(super) counts: TransportCounts,
    pub(super) stats: Stats,
    /// Those of the scenario of requests that belong to no call.
    pub(super) beside: Option<Box<Beside>>,
    /// The orders at hand are that scenario's.
    pub(super) of_beside: bool,
    /// When a client's calls begin.
    pub(super) schedule: Option<Schedule>,
    pub(super) clock: Clock,
    pub(super) logs: LogSender,
    /// Mirrors messages to a collector.
    pub(super) mirror: Option<Box<Mirror>>,
    /// Tells events.
    pub(super) tap: Option<Box<Tap>>,
    /// What traces know of single calls, if one wants to.
    pub(super) watch: Option<Box<Watch>>,
    /// When INVITEs went out, if somebody wants to know how long their answers take.
    pub(super) invites: Option<Box<Invites>>,
    /// What reports want to know, if there are any.
    pub(super) measure: Option<Box<Measure>>,
    /// The calls that are watched for how they fail.
    pub(super) shapes: Option<Box<Shapes>>,
    /// What happens to calls is told to more than the figures.
    pub(super) traced: bool,
    /// What is sent is told to those that watch calls.
    pub(super) tells_sent: bool,
    /// The call that the orders at hand are about, if the machine was asked to say so.
    pub(super) about: u64,
    /// The record of the call whose end is just being told.
    pub(super) ended: Option<(u64, CallRecord)>,
    pub(super) exec: Executor,
    /// The echo of the process.
    pub(super) echo: Option<EchoSwitch>,
    /// Media of the calls, if the scenario uses any.
    pub(super) media: Option<Box<Media>>,
    beginning: Beginning,
    /// Connections to twins.
    pub(super) links: Option<Links>,
    /// Where it is among several shards of one scenario.
    pub(super) place: Option<Place>,
    /// To and from the others, where all have connections.
    pub(super) post: Option<Box<Post>>,
    /// Calls whose command could not be handed on.
    pub(super) uncommanded: Vec<CallKey>,
    /// Calls after which no more are opened.
    total: Option<u64>,
    /// No more calls are opened.
    pub(super) draining: bool,
    /// A scenario ended the run.
    pub(super) ending: Option<Ending>,
    pub(super) last_warning: Option<String>,
    /// When it was given, by the wall clock.
    pub(super) last_warning_at_us: u64,
    /// The time of the last input.
    pub(super) told: Micros,
    /// How many there were.
    pub(super) inputs: u64,
    said_at: Option<Micros>,
    unsaid: u64,
}

impl<M: Machine> Core<M> {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a shard's setup, taken apart once"
    )]
    pub(super) fn new(
        machine: M,
        stats: Stats,
        schedule: Option<Schedule>,
        total: Option<u64>,
        socket: Option<UdpSocket>,
        flows: Option<Box<Table>>,
        outbox: Outbox,
        counts: TransportCounts,
        clock: Clock,
        logs: LogSender,
    ) -> Self {
        Self {
            machine,
            out: None,
            wheel: Wheel::new(),
            resumes: VecDeque::new(),
            socket,
            outbox,
            unsent_in_orders: false,
            sides: Vec::new(),
            main_is_stream: flows.as_ref().is_some_and(|table| table.has_main()),
            flows,
            answers: Vec::new(),
            unfinished: VecDeque::new(),
            refused: Vec::new(),
            counts,
            stats,
            beside: None,
            of_beside: false,
            schedule,
            clock,
            logs,
            mirror: None,
            ended: None,
            tap: None,
            watch: None,
            invites: None,
            traced: false,
            tells_sent: false,
            measure: None,
            shapes: None,
            about: 0,
            exec: Executor::default(),
            echo: None,
            media: None,
            beginning: Beginning::Before,
            links: None,
            place: None,
            post: None,
            uncommanded: Vec::new(),
            total,
            draining: false,
            ending: None,
            last_warning: None,
            last_warning_at_us: 0,
            told: Micros(0),
            inputs: 0,
            said_at: None,
            unsaid: 0,
        }
    }

    /// Runs what the scenario does before the first call, as far as it can be done now. Calls may be opened once
    /// [`Self::begun`] holds.
    pub(super) fn begin(&mut self) {
        let now = self.clock.now();
        if self.beginning == Beginning::Before {
            let ready = self.links.as_ref().is_none_or(Links::ready);
            if !ready && self.machine.starts_with_twins() {
                return;
            }
            self.beginning = Beginning::Under;
            let mut out = self.orders();
            self.machine.start(now, &mut out);
            self.carry_out(now, &out, b"");
            self.out = Some(out);
            self.tell_uncommanded(now);
            if !self.machine.is_starting() {
                self.beginning = Beginning::Over;
            }
        } else if self.beginning == Beginning::Under && !self.machine.is_starting() {
            self.beginning = Beginning::Over;
            // What it took is no lateness of the calls.
            if let Some(schedule) = self.schedule.as_mut().filter(|schedule| !schedule.paused()) {
                schedule.set_paused(now, true);
                schedule.set_paused(now, false);
            }
        }
    }

    /// Whether calls may be opened.
    pub(super) fn begun(&self) -> bool {
        self.beginning == Beginning::Over
    }

    /// Tells the machine which commands could not be handed on.
    fn tell_uncommanded(&mut self, now: Micros) {
        while let Some(call) = self.uncommanded.pop() {
            self.input(now, Input::TwinFailed { call });
        }
    }

    /// The next call that is due.
    pub(super) fn next_opening(&mut self, now: Micros) -> Option<Opening> {
        let open = self.stats.open();
        self.schedule.as_mut()?.pop_due(now, open)
    }

    /// Feeds one input that is no message, and carries out what follows.
    pub(super) fn input(&mut self, now: Micros, input: Input<'_>) {
        let out = self.handle(now, input);
        self.follow(now, out, b"");
    }

    /// Feeds one message and carries out what follows.
    pub(super) fn message(&mut self, now: Micros, flow: FlowId, src: &SocketAddr, bytes: &[u8]) {
        let input = Input::Message {
            flow,
            src: *src,
            bytes,
        };
        let out = self.handle(now, input);
        self.note_received(now, &out, Traffic::Received, bytes);
        if let Some(shapes) = &mut self.shapes {
            let call = first_named(&out).call;
            shapes.received(now, call, Way::Received, Some(*src), bytes);
        }
        if let Some(mirror) = &mut self.mirror {
            mirror.received(self.clock.wall_us(now), flow, *src, bytes);
        }
        if let Some(tap) = &mut self.tap {
            // Events are about the main scenario.
            let call = match first_named(&out) {
                Named { beside: true, .. } => 0,
                Named { call, .. } => call,
            };
            tap.received(self.clock.wall_us(now), call, flow, *src, bytes);
        }
        self.follow(now, out, bytes);
    }

    /// Takes in a command of a twin.
    pub(super) fn command(&mut self, bytes: &[u8]) {
        let now = self.clock.now();
        let out = self.handle(now, Input::Twin { bytes });
        self.note_received(now, &out, Traffic::CommandReceived, bytes);
        if let Some(shapes) = &mut self.shapes {
            let call = first_named(&out).call;
            shapes.received(now, call, Way::CommandReceived, None, bytes);
        }
        self.follow(now, out, bytes);
    }

    /// The memory of the orders, without any.
    fn orders(&mut self) -> Box<OutBuf> {
        let mut out = self.out.take().unwrap_or_default();
        if self.unsent_in_orders {
            out.clear_orders();
        } else {
            out.clear();
        }
        out
    }

    /// Has the machine handle an input; gives what it orders.
    #[inline]
    fn handle(&mut self, now: Micros, input: Input<'_>) -> Box<OutBuf> {
        self.told = now;
        self.inputs += 1;
        if let Some(measure) = &mut self.measure
            && !matches!(input, Input::Timer { .. })
        {
            measure.late(Micros(0));
        }
        let mut out = self.orders();
        if self.media.is_some() {
            self.supply_ports(now, &mut out);
        }
        self.machine.handle(now, input, &mut out);
        out
    }

    /// Carries out what the machine has ordered, and tells it what came of that.
    #[inline]
    fn follow(&mut self, now: Micros, out: Box<OutBuf>, received: &[u8]) {
        self.carry_out(now, &out, received);
        self.out = Some(out);
        if !self.answers.is_empty() || !self.uncommanded.is_empty() || self.media.is_some() {
            self.tell_at_once(now);
        }
        if !self.draining
            && self
                .total
                .is_some_and(|total| self.stats.created() >= total)
        {
            self.drain(now);
        }
    }

    /// Tells the machine what came of its orders.
    #[inline(never)]
    fn tell_at_once(&mut self, now: Micros) {
        while let Some(answer) = self.answers.pop() {
            let input = match answer {
                Answer::Opened(call, flow, port) => Input::Opened { call, flow, port },
                Answer::Unsent(call, why) => Input::Unsent { call, why },
            };
            self.input(now, input);
        }
        self.tell_uncommanded(now);
        if self.media.is_some() {
            self.tell_media(now);
        }
    }

    /// Opens no more calls.
    pub(super) fn drain(&mut self, now: Micros) {
        self.draining = true;
        self.input(now, Input::Control(CallControl::Drain));
    }

    /// Takes in a datagram that was read at `read_at`.
    pub(super) fn datagram(&mut self, read_at: Micros, flow: FlowId, datagram: Datagram<'_>) {
        // What happened at a time the machine has left behind, say before a timer that fired, happens now.
        let now = Micros(read_at.0.saturating_sub(datagram.waited_us)).max(self.told);
        self.counts.received += 1;
        self.counts.received_bytes += datagram.bytes.len() as u64;
        self.message(now, flow, datagram.src, datagram.bytes);
    }

    /// A datagram whose owner has no room for it.
    pub(super) fn not_taken(&mut self, datagram: Datagram<'_>) {
        self.counts.received += 1;
        self.counts.received_bytes += datagram.bytes.len() as u64;
        self.counts.handover_dropped += 1;
        if let Some(tap) = &mut self.tap {
            tap.mailbox(self.clock.wall_us(self.clock.now()));
        }
        self.trouble(
            self.clock.now(),
            "a message is dropped: the shard that owns its call does not keep up",
        );
    }

    /// Hands a command to a twin.
    pub(super) fn send_command(&mut self, now: Micros, peer: Option<PeerId>, bytes: &[u8]) -> bool {
        let sent = self
            .links
            .as_ref()
            .is_some_and(|links| links.send(peer, bytes));
        let traffic = if sent {
            Traffic::CommandSent
        } else {
            Traffic::CommandFailed
        };
        self.note_sent(now, traffic, bytes);
        sent
    }

    /// Lets the machine look at the calls whose deadlines have come: that of the one that was just taken, and those behind it.
    pub(super) fn look_ahead_of_timers(&self, taken: &Fired) {
        let keys = std::iter::once(taken.key).chain(self.wheel.due());
        let keys = keys.map(|key| KeyData::from_ffi(key).into());
        self.machine.look_ahead_of_timers(&mut keys.take(AHEAD));
    }

    pub(super) fn timer(&mut self, now: Micros, fired: Fired) {
        if let Some(measure) = &mut self.measure {
            measure.late(now.since(fired.at));
        }
        let call = slotmap::KeyData::from_ffi(fired.key).into();
        self.input(
            now,
            Input::Timer {
                call,
                generation: fired.generation,
            },
        );
    }

    /// Notes what a second came to, once it is over.
    pub(super) fn tick(&mut self, now: Micros) {
        if let Some(measure) = &mut self.measure {
            measure.tick(now, &self.stats, self.schedule.as_ref());
        }
    }

    /// Notes what the run came to.
    pub(super) fn last_tick(&mut self) {
        let now = self.clock.now();
        if let Some(measure) = &mut self.measure {
            measure.last(now, &self.stats, self.schedule.as_ref());
        }
        if let Some(shapes) = &self.shapes {
            shapes.leave();
        }
    }

    /// Calls that used up their budget and wait for another turn.
    pub(super) fn resumable(&self) -> usize {
        self.resumes.len()
    }

    /// Lets the first of them go on.
    pub(super) fn resume(&mut self, now: Micros) {
        if let Some(call) = self.resumes.pop_front() {
            self.input(now, Input::Resume { call });
        }
    }

    /// Whether something waits to be sent.
    pub(super) fn unsent(&self) -> bool {
        !self.outbox.is_empty() || self.sides.iter().any(|side| !side.outbox.is_empty())
    }

    /// Sends what has been collected if it makes a batch.
    pub(super) fn flush_full(&mut self) {
        let full = |outbox: &Outbox| outbox.len() >= FLUSH_AT;
        let orders = self.out.as_ref().map_or(0, |out| out.all_bytes().len());
        if full(&self.outbox)
            || orders >= FLUSH_AT_BYTES
            || self.sides.iter().any(|side| full(&side.outbox))
        {
            self.flush();
        }
    }

    /// Sends what has been collected, and tells the machine what cannot be sent.
    pub(super) fn flush(&mut self) {
        if self.flows.is_some() {
            self.flush_flows();
        }
        if let Some(media) = &mut self.media {
            media.flush();
        }
        if !self.unsent() {
            return;
        }
        let now = self.clock.now();
        let wall_us = self.clock.wall_us(now);
        let (logs, watch, mirror) = (&mut self.logs, &self.watch, &mut self.mirror);
        let orders = self.out.as_ref().map_or(&b""[..], |out| out.all_bytes());
        let sides = self.sides.iter_mut();
        let ways = sides.map(|side| (&side.socket, &mut side.outbox));
        let first = self.socket.as_ref().zip(Some(&mut self.outbox)).into_iter();
        for (flow, (socket, outbox)) in (0..).map(FlowId).zip(first.chain(ways)) {
            outbox.flush(
                socket,
                orders,
                &mut self.counts,
                &mut self.refused,
                |bytes, sent, call, to| {
                    let traffic = if sent {
                        Traffic::Sent
                    } else {
                        Traffic::SendFailed
                    };
                    let call = watch.as_ref().map_or(0, |watch| watch.number(call));
                    logs.message(wall_us, traffic, call, bytes);
                    if let Some(mirror) = mirror
                        && sent
                    {
                        mirror.sent(wall_us, flow, to, bytes);
                    }
                },
            );
        }
        self.unsent_in_orders = false;
        if self.watch.is_some() && !self.unsent() {
            self.watch.as_mut().into_iter().for_each(|w| w.all_sent());
        }
        if self.refused.is_empty() {
            return;
        }
        let mut refused = std::mem::take(&mut self.refused);
        for Refused { call, to, error } in refused.drain(..) {
            self.trouble(now, &format!("cannot send a message to {to}: {error}"));
            if let Some(call) = call {
                let why = Unsent::Refused;
                self.input(now, Input::Unsent { call, why });
            }
        }
        // Its memory is used again; what this caused to be sent waits in the outbox for the next flush.
        self.refused = refused;
    }

    /// An error of reading the socket, survived.
    pub(super) fn recv_error(&mut self, error: &std::io::Error) {
        self.counts.recv_errors += 1;
        self.trouble(self.clock.now(), &format!("cannot receive: {error}"));
    }

    /// Says that the network gives trouble, at most once per second, with the number of times it was not said.
    pub(super) fn trouble(&mut self, now: Micros, text: &str) {
        if self.said_at.is_some_and(|at| now.since(at) < SAY_AGAIN) {
            self.unsaid += 1;
            return;
        }
        self.said_at = Some(now);
        let text = match std::mem::take(&mut self.unsaid) {
            0 => text.to_owned(),
            more => format!("{text} ({more} more errors since the last such line)"),
        };
        let call = self.about_main();
        if let Some(tap) = &mut self.tap {
            tap.error(self.clock.wall_us(now), call, "transport", text.as_bytes());
        }
        self.warn(now, text.as_bytes());
    }

    /// Writes a line into the error log that is no warning.
    pub(super) fn note(&mut self, now: Micros, text: &[u8]) {
        let wall_us = self.clock.wall_us(now);
        self.logs.error(wall_us, Concern::Warning, 0, text);
    }

    pub(super) fn warn(&mut self, now: Micros, text: &[u8]) {
        self.say(now, Concern::Warning, text);
    }

    /// Says that the time of the run is over, which is an error, and with which words.
    pub(super) fn timed_out(&mut self, now: Micros) -> String {
        let name = self.stats.scenario();
        let text = format!("{name} timed out after '{:.3}' seconds", now.0 as f64 / 1e6);
        self.say(now, Concern::Fatal, text.as_bytes());
        text
    }

    pub(super) fn say(&mut self, now: Micros, concern: Concern, text: &[u8]) {
        self.stats.counters.warning();
        let (wall_us, call) = (self.clock.wall_us(now), self.about);
        self.logs.error(wall_us, concern, call, text);
        if let Some(watch) = &mut self.watch {
            watch.warning(now, call, text);
        }
        let call = self.about_main();
        if let Some(tap) = &mut self.tap {
            match concern {
                // Those of the machine are told as what they are about; trouble is told by whoever has it.
                Concern::Warning => {}
                Concern::Action => tap.action(wall_us, call, true, text),
                Concern::Fatal => tap.error(wall_us, call, "fatal", text),
            }
        }
        let head = &text[..text.len().min(LAST_WARNING_BYTES)];
        self.last_warning = Some(String::from_utf8_lossy(head).into_owned());
        self.last_warning_at_us = wall_us;
    }
}
