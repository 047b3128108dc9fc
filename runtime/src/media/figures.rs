// SPDX-License-Identifier: AGPL-3.0-only
//! What is counted: packets as they pass, and what is known of a stream when it is closed.

use gossipper_control::{ClosedStreams, MediaSnapshot};
use gossipper_media::engine::{Port, StreamReport};
use serde::Serialize;

use super::{Kind, report_of};

/// A datagram of ours.
pub(super) fn sent(counts: &mut MediaSnapshot, bytes: &[u8]) {
    match report_of(bytes) {
        None => {
            counts.packets_sent += 1;
            counts.bytes_sent += bytes.len() as u64;
        }
        Some(true) => counts.sender_reports += 1,
        Some(false) => counts.receiver_reports += 1,
    }
}

/// A datagram of a peer.
pub(super) fn received(counts: &mut MediaSnapshot, port: Port, bytes: &[u8]) {
    if port == Port::Rtcp || report_of(bytes).is_some() {
        counts.reports_received += 1;
    } else {
        counts.packets_received += 1;
        counts.bytes_received += bytes.len() as u64;
    }
}

/// A stream was closed.
pub(super) fn closed(
    counts: &mut MediaSnapshot,
    kind: Kind,
    report: &StreamReport,
    tolerances: [f64; 2],
) {
    counts.skipped += report.skipped;
    let errors = &report.errors;
    counts.useless += errors.malformed
        + errors.malformed_reports
        + errors.authentication
        + errors.replayed
        + errors.too_old;
    counts.unsent += errors.unsent;
    let received = &report.received;
    let heard = u64::from(received.packets > 0);
    let lost = u64::try_from(received.lost()).unwrap_or(0);
    let mos = report.quality.map(|quality| quality.mos);
    let r_factor = report.quality.map(|quality| quality.r_factor);
    let mut one = ClosedStreams {
        streams: 1,
        octets_sent: report.sent_octets,
        received: heard,
        min_packets_received: received.packets,
        lost,
        max_lost: lost,
        duplicates: received.duplicates,
        reordered: received.reordered,
        max_jitter_ms: report.jitter.max,
        max_jitter_ts: report.jitter.max_ts,
        jitter_ms_sum: report.jitter.mean,
        rated: u64::from(mos.is_some()),
        mos_sum: mos.unwrap_or(0.0),
        min_mos: mos.unwrap_or(0.0),
        r_factor_sum: r_factor.unwrap_or(0.0),
        min_r_factor: r_factor.unwrap_or(0.0),
        ..ClosedStreams::default()
    };
    if let Some(peer) = report.peer {
        one.reported = 1;
        one.max_reported_loss_percent = peer.loss_percent;
        one.max_reported_jitter_ms = peer.jitter_ms;
        one.min_reported_jitter_ms = peer.jitter_ms;
        one.reported_jitter_ms_sum = peer.jitter_ms;
    }
    if let Some(us) = report.round_trip_us {
        let ms = us as f64 / 1e3;
        one.round_trips = 1;
        (one.round_trip_ms_sum, one.max_round_trip_ms) = (ms, ms);
    }
    let blocks = &report.blocks;
    one.report_blocks = blocks.blocks;
    one.max_reported_jitter_ts = blocks.max_jitter.into();
    one.min_reported_jitter_ts = blocks.min_jitter.into();
    one.reported_jitter_ts_sum = blocks.jitter_sum;
    counts.closed.add(&one);
    if let (Some(pattern), Kind::Stream(index)) = (report.pattern, kind) {
        let patterns = &mut counts.patterns[index];
        patterns.streams += 1;
        patterns.failed += u64::from(pattern.has_failed(tolerances[index]));
        patterns.packets += pattern.packets;
        patterns.errors += pattern.errors;
    }
}

/// What the media of one call came to, under the names that records of calls have for it. Jitter is in timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallFigures {
    #[serde(rename = "RTPPacketsSent")]
    packets_sent: u64,
    #[serde(rename = "RTPOctetsSent")]
    octets_sent: u64,
    #[serde(rename = "RTPPacketsReceived")]
    pub(super) packets_received: u64,
    #[serde(rename = "RTCPSenderReports")]
    sender_reports: u64,
    #[serde(rename = "RTCPReceiverReports")]
    receiver_reports: u64,
    #[serde(rename = "RTCPPacketsReceived")]
    reports_received: u64,
    #[serde(rename = "RTCPReportBlocks")]
    blocks: u64,
    /// In 1/256.
    #[serde(rename = "RTCPMaxFractionLost")]
    max_fraction_lost: u8,
    #[serde(rename = "RTCPMaxJitter")]
    max_jitter: u32,
    #[serde(rename = "RTCPMinJitter")]
    min_jitter: u32,
    #[serde(rename = "RTCPJitterSum")]
    jitter_sum: u64,
    #[serde(rename = "RTCPJitterSamples")]
    jitter_samples: u64,
    #[serde(rename = "RTPRecvMaxCumulativeLost")]
    max_lost: u64,
    #[serde(rename = "RTPRecvInterarrivalJitterPeak")]
    jitter_peak: f64,
    /// The lowest score of its streams, if one was rated.
    #[serde(rename = "MOS", skip_serializing_if = "Option::is_none")]
    mos: Option<f64>,
}

impl CallFigures {
    /// Adds one of its streams.
    pub(super) fn add(&mut self, report: &StreamReport) {
        self.packets_sent += report.sent_packets;
        self.octets_sent += report.sent_octets;
        self.packets_received += report.received.packets;
        let of_sender = u64::from(report.sender_reports_sent);
        self.sender_reports += of_sender;
        self.receiver_reports += u64::from(report.reports_sent) - of_sender;
        self.reports_received += u64::from(report.reports_received);
        let blocks = &report.blocks;
        if blocks.blocks > 0 {
            self.min_jitter = match self.blocks {
                0 => blocks.min_jitter,
                _ => self.min_jitter.min(blocks.min_jitter),
            };
        }
        self.blocks += blocks.blocks;
        self.max_fraction_lost = self.max_fraction_lost.max(blocks.max_fraction_lost);
        self.max_jitter = self.max_jitter.max(blocks.max_jitter);
        self.jitter_sum += blocks.jitter_sum;
        self.jitter_samples += blocks.blocks;
        let lost = u64::try_from(report.received.lost()).unwrap_or(0);
        self.max_lost = self.max_lost.max(lost);
        self.jitter_peak = self.jitter_peak.max(report.jitter.max_ts);
        if let Some(quality) = &report.quality {
            let lowest = self.mos.map_or(quality.mos, |mos| mos.min(quality.mos));
            self.mos = Some(lowest);
        }
    }
}
