// SPDX-License-Identifier: AGPL-3.0-only
//! Everything counted and measured so far.
//!
//! A snapshot is consistent in itself: in each engine's part, calls created = succeeded + failed + current, and the
//! failures by reason add up to the failed calls. All figures are since the start of the run unless a name says
//! otherwise; periods are differences of two snapshots, so any number of readers may have their own. Times are whole
//! microseconds and say so in their names.

use crate::media::MediaSnapshot;
use crate::shapes::{FailureShapes, SlowCalls};
use gossipper_bytecode::{FailReason, Mode, StepKind};
use serde::{Deserialize, Serialize};

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Time since the run began.
    pub elapsed_us: u64,
    /// Wall clock when the run began, since the epoch.
    pub started_at_us: u64,
    /// The main scenario first, then the answerer if there is one in this process.
    pub engines: Vec<EngineSnapshot>,
    /// The scenario of requests that belong to no call, if there is one.
    #[serde(default)]
    pub out_of_call: Option<Box<EngineSnapshot>>,
    /// The scenario of calls that come in beside a client's, if there is one.
    #[serde(default)]
    pub receiver: Option<Box<EngineSnapshot>>,
    /// Log files.
    pub logs: LogCounts,
    /// Messages mirrored to a collector, in a run that does so.
    #[serde(default)]
    pub hep: Option<HepCounts>,
    /// Events, in a run that tells them.
    #[serde(default)]
    pub events: Option<EventCounts>,
    /// The echo of RTP, if there is one.
    #[serde(default)]
    pub rtp_echo: Option<EchoSnapshot>,
    /// How calls of the main scenario failed: once it has ended, in a run that watches calls.
    #[serde(default)]
    pub failure_shapes: Option<Box<FailureShapes>>,
    /// Its calls that waited longest: likewise, if times are measured.
    #[serde(default)]
    pub slow_calls: Option<Box<SlowCalls>>,
}

impl Snapshot {
    /// The engine that runs the main scenario, of which exit codes and progress lines speak.
    #[must_use]
    pub fn main(&self) -> Option<&EngineSnapshot> {
        self.engines.first()
    }

    /// The answerer of a loopback run.
    #[must_use]
    pub fn answerer(&self) -> Option<&EngineSnapshot> {
        self.engines.get(1)
    }
}

/// Where an engine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Opening calls.
    #[default]
    Running,
    /// Waiting for open calls to end; no new ones.
    Draining,
    /// Aborting open calls.
    Aborting,
    /// Over.
    Ended,
}

/// One scenario's run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EngineSnapshot {
    /// The scenario's name.
    pub scenario: String,
    /// Who opens its calls.
    pub mode: Option<Mode>,
    /// Address its socket is bound to.
    pub local: String,
    /// Where a client sends to.
    pub remote: Option<String>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Rate asked and reached.
    pub rate: RateSnapshot,
    /// Calls.
    pub calls: CallCounts,
    /// Failed calls by reason; only reasons that occurred, in the order of SIPp's columns.
    pub failures: Vec<FailCount>,
    /// SIP messages.
    pub messages: MessageCounts,
    /// Datagrams and bytes.
    pub transport: TransportCounts,
    /// Response times in the order of the scenario.
    pub response_times: Vec<ResponseTime>,
    /// From a call's creation to its end.
    pub call_length: TimeSummary,
    /// The same in the cells the scenario asks for.
    pub call_length_repartition: Option<Repartition>,
    /// From an INVITE to its final answer, where that is measured; empty elsewhere.
    #[serde(default)]
    pub invite: MeanTime,
    /// How much later than scheduled calls began: what the machine could not keep up with.
    pub lateness: TimeSummary,
    /// What kept it from doing what it was asked to.
    #[serde(default)]
    pub limits: LimitSnapshot,
    /// The scenario's steps.
    pub steps: Vec<StepSnapshot>,
    /// The scenario's counters.
    pub counters: Vec<CounterSnapshot>,
    /// The last warning, shortened.
    pub last_warning: Option<String>,
    /// When it was given, in microseconds since the epoch.
    #[serde(default)]
    pub last_warning_at_us: u64,
    /// Since when calls, messages and times are counted: the time of the run at which they were last cleared.
    #[serde(default)]
    pub counted_since_us: u64,
    /// Circuits of `-tdmmap`, true for those that are taken.
    #[serde(default)]
    pub circuits: Vec<bool>,
    /// Media of its calls, if they have any.
    #[serde(default)]
    pub media: Option<Box<MediaSnapshot>>,
}

/// What keeps a generator from doing what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The processor has no time left for it.
    Cpu,
    /// The send buffer of its socket was full.
    SendBuffer,
    /// Messages came faster than they were read, and the receive buffer of its socket was full.
    RecvBuffer,
    /// As many calls are open as may be (`-l`).
    OpenCalls,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Cpu,
        Self::SendBuffer,
        Self::RecvBuffer,
        Self::OpenCalls,
    ];
}

/// What limits a generator, and what has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitSnapshot {
    /// Now; `None` when it keeps up.
    pub now: Option<Limit>,
    /// How long it was [`Limit::Cpu`].
    pub cpu_us: u64,
    /// How long it was [`Limit::SendBuffer`].
    pub send_buffer_us: u64,
    /// How long it was [`Limit::RecvBuffer`].
    pub recv_buffer_us: u64,
    /// How long it was [`Limit::OpenCalls`].
    pub open_calls_us: u64,
}

impl LimitSnapshot {
    /// For how long of the run it was this limit, in µs.
    #[must_use]
    pub fn lasted(&self, limit: Limit) -> u64 {
        match limit {
            Limit::Cpu => self.cpu_us,
            Limit::SendBuffer => self.send_buffer_us,
            Limit::RecvBuffer => self.recv_buffer_us,
            Limit::OpenCalls => self.open_calls_us,
        }
    }

    /// The same, to be changed.
    pub fn lasted_mut(&mut self, limit: Limit) -> &mut u64 {
        match limit {
            Limit::Cpu => &mut self.cpu_us,
            Limit::SendBuffer => &mut self.send_buffer_us,
            Limit::RecvBuffer => &mut self.recv_buffer_us,
            Limit::OpenCalls => &mut self.open_calls_us,
        }
    }
}

/// Rates, in calls per second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RateSnapshot {
    /// Asked, 0 for a server.
    pub target: f64,
    /// Users that each keep a call open (`-users`); `None` when a rate opens them.
    #[serde(default)]
    pub users: Option<u32>,
    /// Calls created per second of the run so far.
    pub mean: f64,
    /// Calls created per second in about the last second.
    pub recent: f64,
    /// Whether the operator has paused it.
    pub paused: bool,
}

/// Calls of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallCounts {
    /// Opened by pacing.
    pub outgoing: u64,
    /// Opened by a message.
    pub incoming: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Open now.
    pub current: u64,
    /// Most that were open at a time.
    pub peak: u64,
    /// When that was, since the run began.
    pub peak_at_us: u64,
    /// Calls that may be open at a time; 0 when unlimited.
    pub open_limit: u64,
    /// Calls to be created in all (`-m`).
    pub total_limit: Option<u64>,
    /// Calls that were due but not opened because of the open limit.
    pub held_back: u64,
}

impl CallCounts {
    /// Calls created, both ways.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.outgoing + self.incoming
    }
}

/// Failed calls of one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailCount {
    /// Why.
    pub reason: FailReason,
    /// How many.
    pub count: u64,
}

/// SIP messages of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MessageCounts {
    /// Sent by send steps, repetitions not counted.
    pub sent: u64,
    /// Accepted by receive steps, repetitions not counted.
    pub received: u64,
    /// Sent again.
    pub retransmitted: u64,
    /// Repetitions of the peer.
    pub received_again: u64,
    /// Dropped on purpose.
    pub lost: u64,
    /// Timeouts of receive steps and of repetitions.
    pub timeouts: u64,
    /// Messages that did not fit the step.
    pub unexpected: u64,
    /// Messages that belong to no call and open none.
    pub out_of_call: u64,
    /// Messages for calls that had ended.
    pub dead_call: u64,
    /// Requests answered without the scenario.
    pub auto_answered: u64,
    /// Input that is no SIP message.
    pub discarded: u64,
    /// Media actions passed over.
    pub media_skipped: u64,
    /// Keep-alives.
    pub keep_alives: u64,
    /// Warnings of the machine and of `warning` actions.
    pub warnings: u64,
    /// Times that nothing was done for longer than the watchdog's smaller threshold.
    #[serde(default)]
    pub watchdog_minor: u64,
    /// The same for its greater threshold.
    #[serde(default)]
    pub watchdog_major: u64,
}

/// What became of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConnectionCounts {
    /// Made, by either side.
    pub opened: u64,
    /// Not made: refused, not in time, or what they need was not agreed upon.
    pub failed: u64,
    /// Ended by the peer, or broken.
    pub closed_by_peer: u64,
    /// Made anew in place of one that had ended.
    pub made_anew: u64,
    /// TLS handshakes with certificates.
    pub tls_full: u64,
    /// TLS handshakes that resumed an earlier session.
    pub tls_resumed: u64,
    /// TLS handshakes that came to nothing.
    pub tls_failed: u64,
}

/// Datagrams of the engine's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TransportCounts {
    /// Datagrams handed to the kernel.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams received.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Datagrams the kernel refused.
    pub send_errors: u64,
    /// Errors of reading the socket, survived.
    pub recv_errors: u64,
    /// Datagrams dropped because the shard that owns their call did not keep up.
    #[serde(default)]
    pub handover_dropped: u64,
    /// Datagrams dropped because the socket stayed full.
    pub send_dropped: u64,
    /// Datagrams that arrived and that the kernel dropped, because they were not read in time or were damaged; 0 where
    /// the system does not tell.
    pub recv_dropped: u64,
    /// Times the socket was full.
    pub congested: u64,
    /// Asynchronous errors (ICMP) survived.
    pub icmp_errors: u64,
    /// System calls made to send.
    pub send_calls: u64,
    /// Receive buffer the kernel granted.
    pub recv_buffer_bytes: u64,
    /// Send buffer the kernel granted.
    pub send_buffer_bytes: u64,
    /// Connections, if it has them.
    #[serde(default)]
    pub connections: ConnectionCounts,
}

/// Times of which nothing but their sums is kept.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MeanTime {
    /// Samples.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Standard deviation.
    pub stdev_us: f64,
}

/// A distribution of times, from a histogram with three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TimeSummary {
    /// Samples.
    pub count: u64,
    /// Smallest.
    pub min_us: u64,
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Standard deviation.
    pub stdev_us: f64,
    /// Median.
    pub p50_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 95th percentile.
    pub p95_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Largest.
    pub max_us: u64,
}

/// A response-time timer of the scenario.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ResponseTime {
    /// Its name.
    pub name: String,
    /// From when the timer really started: the peer's part.
    pub actual: TimeSummary,
    /// From when it should have started by the schedule: free of coordinated omission.
    pub from_due: TimeSummary,
    /// The actual times in the cells the scenario asks for.
    pub repartition: Option<Repartition>,
}

/// Samples sorted into cells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repartition {
    /// The cells in ascending order; the last has no upper border.
    pub cells: Vec<Cell>,
}

/// A cell of a repartition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Samples below this many ms, and not below the border before; `None` for the rest.
    pub below_ms: Option<u32>,
    /// How many.
    pub count: u64,
}

/// A step of the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSnapshot {
    /// The element.
    pub kind: StepKind,
    /// Method, code or display text.
    pub name: String,
    /// Line in the scenario file.
    pub line: u32,
    /// Whether screens leave it out.
    pub hidden: bool,
    /// Messages sent or received, or pauses begun; repetitions not counted.
    pub messages: u64,
    /// Repetitions, ours of a send and the peer's of a receive.
    pub retransmissions: u64,
    /// Timeouts.
    pub timeouts: u64,
    /// Messages that did not fit.
    pub unexpected: u64,
    /// Messages dropped on purpose.
    pub lost: u64,
}

/// A counter of the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterSnapshot {
    /// Its name.
    pub name: String,
    /// Its value.
    pub count: u64,
}

/// The echo of RTP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EchoSnapshot {
    /// Where audio is echoed; video is two ports above.
    pub address: String,
    /// What was echoed, audio first, then video.
    pub streams: [EchoCounts; 2],
}

/// What one socket echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EchoCounts {
    /// Datagrams returned to their senders.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams that could not be returned, and errors of the socket.
    pub dropped: u64,
}

/// Log files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogCounts {
    /// Records written.
    pub written: u64,
    /// Records lost because the disk did not keep up or failed.
    pub lost: u64,
    /// Of those written, records of calls.
    #[serde(default)]
    pub call_records: u64,
    /// Of those lost, records of calls.
    #[serde(default)]
    pub call_records_lost: u64,
    /// The first failure of a log file.
    pub error: Option<String>,
}

/// What became of events in one place that is told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SinkCounts {
    /// Written, or taken by the collector.
    pub written: u64,
    /// Not written, or refused.
    pub lost: u64,
}

/// What became of events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventCounts {
    /// All that happened, of the level that was asked for.
    pub recorded: u64,
    /// Overwritten by later ones before anybody was told.
    pub overwritten: u64,
    /// Lines of text.
    pub text: SinkCounts,
    /// Lines of the file.
    pub file: SinkCounts,
    /// Records for the collector.
    pub otlp: SinkCounts,
    /// Attempts at the collector that were made again.
    pub retries: u64,
    /// The first thing that went wrong.
    pub error: Option<String>,
}

impl EventCounts {
    /// What somebody who asked for it was not told.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.text.lost + self.file.lost + self.otlp.lost
    }
}

/// Messages mirrored to a collector of HEP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HepCounts {
    /// Packets handed to the network.
    pub sent: u64,
    /// Messages that were not mirrored: the collector was away or did not keep up, or they are too long.
    pub lost: u64,
    /// Connections made to the collector; none over UDP.
    pub connections: u64,
    /// The first thing that went wrong.
    pub error: Option<String>,
}
