// SPDX-License-Identifier: AGPL-3.0-only
//! The model: what `-summary_json` writes, schema `gossipper_summary_v1`.
//!
//! The first half are the fields that every version of this schema has. What follows [`Summary::run`] came later and
//! may be absent in files of other tools, so it is optional on reading. Durations are whole nanoseconds, ratios parts of
//! one, times of day RFC 3339.

use crate::json;
use crate::latency::Latency;
use crate::series::Series;
use crate::shapes::{FailureShapes, WorstCalls};
use gossipper_control::{MessageCounts, TransportCounts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the form.
pub const SCHEMA: &str = "gossipper_summary_v1";

/// Counts by name.
pub type Counts = BTreeMap<String, u64>;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema_version: String,
    /// Who wrote it.
    pub tool_version: String,
    /// When the run began.
    pub started_at: String,
    /// When it ended.
    pub finished_at: String,
    /// How long it took.
    pub duration: u64,
    /// Calls created.
    pub total_calls: u64,
    /// Calls that ended well.
    pub success_calls: u64,
    /// Calls that failed.
    pub failed_calls: u64,
    /// Calls open.
    pub active_calls: u64,
    /// Successes among those that have ended; 0 if none has.
    pub success_ratio: f64,
    /// Calls created per second.
    pub calls_per_second: f64,
    /// Messages sent again.
    pub retransmits: u64,
    /// Timeouts of receive steps and of repetitions.
    pub timeouts: u64,
    /// Mean length of calls.
    pub average_call_latency: u64,
    /// Mean time from INVITE to its final answer.
    pub average_invite_rtt: u64,
    /// Lengths of calls.
    pub call_length: Latency,
    /// From INVITE to its final answer.
    pub invite_rtt: Latency,
    /// RTP and RTCP.
    pub media: Media,
    /// The scenario's response-time timers.
    #[serde(default)]
    pub rtd: BTreeMap<String, Latency>,
    /// The scenario's counters.
    #[serde(default)]
    pub counters: Counts,
    /// How often nops with a text for screens (`display`) ran, by that text.
    #[serde(default)]
    pub displays: Counts,
    /// Failed calls by class; classes that did not occur are left out.
    #[serde(default)]
    pub failure_classes: Counts,
    /// What gates and thresholds say.
    #[serde(default)]
    pub health: Health,
    /// What a person should read first.
    #[serde(default)]
    pub findings: Vec<String>,
    /// Records of traces, logs and call records that could not be written.
    #[serde(default)]
    pub dropped_logs: u64,

    /// What ran.
    #[serde(default)]
    pub run: Run,
    /// Failed calls by reason; reasons that did not occur are left out.
    #[serde(default)]
    pub failure_reasons: Counts,
    /// How they failed; absent while the run lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_shapes: Option<FailureShapes>,
    /// The calls that waited longest; absent while the run lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_calls: Option<WorstCalls>,
    /// SIPp's counters under SIPp's names, all of them.
    #[serde(default)]
    pub sipp: Counts,
    /// SIP messages.
    #[serde(default)]
    pub messages: MessageCounts,
    /// Datagrams or writes, bytes, connections.
    #[serde(default)]
    pub network: TransportCounts,
    /// How long the generator was held up, by what, in ns: `cpu`, `send_buffer`, `recv_buffer`, `open_calls`.
    #[serde(default)]
    pub limited: Counts,
    /// How much later than scheduled calls began.
    #[serde(default)]
    pub lateness: Latency,
    /// From any request to its final answer; of a server, from its final answer to the ACK.
    #[serde(default)]
    pub answer: Latency,
    /// The scenario's steps.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Responses that were received, by method and code.
    #[serde(default)]
    pub responses: Vec<Response>,
    /// How it came about.
    #[serde(default)]
    pub series: Series,
    /// What was asked of the run with `-threshold`.
    #[serde(default)]
    pub thresholds: Vec<ThresholdResult>,
    /// Trace and log files.
    #[serde(default)]
    pub logs: Logs,
    /// The answerer of a loopback run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answerer: Option<Beside>,
    /// The scenario of requests that belong to no call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_call: Option<Beside>,
    /// The scenario of calls that come in beside a client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Beside>,
}

/// RTP and RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Media {
    /// RTP packets sent.
    pub rtp_packets_sent: u64,
    /// Bytes of RTP payload sent.
    pub rtp_octets_sent: u64,
    /// RTP packets received.
    pub rtp_packets_received: u64,
    /// Sender reports sent.
    pub rtcp_sender_reports: u64,
    /// Receiver reports sent.
    pub rtcp_receiver_reports: u64,
    /// RTCP packets received.
    pub rtcp_packets_received: u64,
    /// Report blocks in which peers said how they receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_reception_reports: Option<u64>,
    /// The largest share that a peer reported lost at last, of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_max_fraction_lost: Option<f64>,
    /// The highest jitter in them, in timestamps of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_max_jitter_ts: Option<u64>,
    /// The lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_min_jitter_ts: Option<u64>,
    /// Their mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtcp_avg_jitter_ts: Option<f64>,
    /// The highest jitter of packets that came, in timestamps of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtp_recv_interarrival_jitter_peak_ts: Option<f64>,
    /// Calls that have ended, and on which RTP had come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_calls_with_rtp_received: Option<u64>,
    /// The most packets of a peer that never came, on one stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtp_recv_max_cumulative_lost: Option<u64>,
    /// The fewest packets on one of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_call_min_rtp_packets_received: Option<u64>,
    /// What came on streams that are closed, if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// What peers reported of how they receive, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Jitter>,
    /// Packets that could not be sent, or that the machine came too late for.
    #[serde(default)]
    pub rtp_packets_not_sent: u64,
    /// Packets of no use: no RTP, replayed, or sealed with another key.
    #[serde(default)]
    pub useless_packets: u64,
    /// Digits that were heard.
    #[serde(default)]
    pub digits_heard: u64,
    /// Recordings that lack something.
    #[serde(default)]
    pub recordings_lost: u64,
    /// Streams whose pattern was checked, and of which how many failed.
    #[serde(default)]
    pub patterns: Patterns,
}

/// What came on streams that are closed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Heard {
    /// Streams.
    pub streams: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Mean of the streams' jitters.
    pub jitter_ms_avg: f64,
    /// The highest jitter.
    pub jitter_ms_max: f64,
    /// Mean of the streams' ratings by the E-model (MOS), if it rates any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_avg: Option<f64>,
    /// The lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_min: Option<f64>,
    /// Mean of their R-factors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_factor_avg: Option<f64>,
    /// The lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_factor_min: Option<f64>,
}

/// What peers reported at last.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Jitter {
    /// Streams.
    pub streams: u64,
    /// Mean.
    pub jitter_ms_avg: f64,
    /// Lowest.
    pub jitter_ms_min: f64,
    /// Highest.
    pub jitter_ms_max: f64,
    /// Mean of the round trips that follow from the reports, if any does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms_avg: Option<f64>,
    /// The longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms_max: Option<f64>,
}

/// Streams that played a pattern and expected its echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Patterns {
    /// How many.
    pub streams: u64,
    /// Of which failed.
    pub failed: u64,
    /// Packets sent.
    pub packets: u64,
    /// Packets without their echo.
    pub errors: u64,
}

/// What gates and thresholds say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// There is at least one.
    pub active: bool,
    /// All hold.
    pub pass: bool,
    /// What does not.
    pub reasons: Vec<String>,
}

/// What ran.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// `client` or `server`.
    pub mode: String,
    /// `UDP`, `TCP`, `TLS`, `WS` or `WSS`.
    pub transport: String,
    /// The local address.
    pub local: String,
    /// The remote address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Why it ended: `completed`, `drained`, `stopped`, `timed_out`, `timeout_error`, `timed_out_globally`, `twin_ended`,
    /// `stop_now`, `fatal`, or `running`.
    pub ending: String,
    /// Calls per second asked for, at the end.
    pub rate_asked: f64,
    /// Users that opened calls in place of a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Calls that may be open at a time; 0 is unlimited.
    pub open_limit: u64,
    /// Calls to be created in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_limit: Option<u64>,
    /// Most calls open at a time.
    pub peak_calls: u64,
    /// When that was, since the run began.
    pub peak_at: u64,
    /// Calls that were due and not opened because of the limit.
    pub held_back: u64,
    /// When figures were last cleared, since the run began; they count from then on.
    pub counted_since: u64,
    /// The last warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_warning: Option<String>,
}

/// A step of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its place, from 0.
    pub index: usize,
    /// The element.
    pub kind: String,
    /// Method, code or text.
    pub name: String,
    /// Line in the scenario file.
    pub line: u32,
    /// Messages sent or received, pauses begun, nops with a text that ran; repetitions not counted.
    pub messages: u64,
    /// Repetitions, ours of a send and the peer's of a receive.
    pub retransmissions: u64,
    /// Timeouts.
    pub timeouts: u64,
    /// Messages that did not fit.
    pub unexpected: u64,
    /// Messages dropped on purpose.
    pub lost: u64,
    /// How long it waited: for a response since its request, for a request since our last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

/// Responses of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Method of the request; `other` for those beyond what is told apart.
    pub method: String,
    /// Status code; 0 with `other`.
    pub code: u16,
    /// How long they took, and how many there were.
    pub latency: Latency,
}

/// A threshold, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// As it was given.
    pub expression: String,
    /// It holds.
    pub pass: bool,
    /// What was found, in words.
    pub found: String,
    /// It ended the run.
    #[serde(default)]
    pub aborted: bool,
}

/// Trace and log files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Logs {
    /// Records written.
    pub written: u64,
    /// Records lost.
    pub lost: u64,
    /// Of those written, records of calls.
    pub call_records: u64,
    /// Of those lost, records of calls.
    pub call_records_lost: u64,
    /// The first failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A scenario beside the main one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Beside {
    /// Its name.
    pub scenario: String,
    /// Calls created.
    pub total_calls: u64,
    /// Calls that ended well.
    pub success_calls: u64,
    /// Calls that failed.
    pub failed_calls: u64,
    /// Calls open.
    pub active_calls: u64,
    /// Messages sent again.
    pub retransmits: u64,
    /// Failed calls by reason.
    pub failure_reasons: Counts,
}

impl Summary {
    /// Calls that have ended.
    #[must_use]
    pub fn finished_calls(&self) -> u64 {
        self.success_calls.saturating_add(self.failed_calls)
    }

    /// The text of the file.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }

    /// Reads such a file, of this version or of another that has the same schema.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let summary: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if summary.schema_version == SCHEMA {
            Ok(summary)
        } else {
            Err(format!(
                "its schema is `{}`, not `{SCHEMA}`",
                summary.schema_version
            ))
        }
    }
}
