// SPDX-License-Identifier: AGPL-3.0-only
//! What is counted: packets as they pass, and what is known of a stream when it is closed.

use gossipper_control::{ClosedStreams, MediaSnapshot};
use gossipper_media::engine::{Port, StreamReport};

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
    let quality = report.quality.map(|quality| quality.mos);
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
        rated: u64::from(quality.is_some()),
        mos_sum: quality.unwrap_or(0.0),
        min_mos: quality.unwrap_or(0.0),
        ..ClosedStreams::default()
    };
    if let Some(peer) = report.peer {
        one.reported = 1;
        one.report_blocks = u64::from(report.peer_blocks);
        one.max_reported_loss_percent = peer.loss_percent;
        one.max_reported_jitter_ms = peer.jitter_ms;
        one.min_reported_jitter_ms = peer.jitter_ms;
        one.reported_jitter_ms_sum = peer.jitter_ms;
        let jitter_ts = u64::from(peer.jitter_ts);
        one.max_reported_jitter_ts = jitter_ts;
        one.min_reported_jitter_ts = jitter_ts;
        one.reported_jitter_ts_sum = jitter_ts;
    }
    counts.closed.add(&one);
    if let (Some(pattern), Kind::Stream(index)) = (report.pattern, kind) {
        let patterns = &mut counts.patterns[index];
        patterns.streams += 1;
        patterns.failed += u64::from(pattern.has_failed(tolerances[index]));
        patterns.packets += pattern.packets;
        patterns.errors += pattern.errors;
    }
}
