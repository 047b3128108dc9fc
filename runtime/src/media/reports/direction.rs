// SPDX-License-Identifier: AGPL-3.0-only
//! One direction of a stream, as short reports have it.

use gossipper_hep::report::Direction;
use gossipper_media::Micros;
use gossipper_media::engine::StreamReport;
use gossipper_media::quality::{Quality, QualityInput};

/// One direction of a stream.
pub(super) struct Figures {
    pub(super) packets: u64,
    pub(super) expected: u64,
    pub(super) lost: u64,
    pub(super) octets: u64,
    pub(super) sequence: u16,
    pub(super) delta_ms: f64,
    pub(super) max_delta_ms: f64,
    /// Last, mean, highest.
    pub(super) jitter_ms: [f64; 3],
    /// Last, farthest.
    pub(super) skew_ms: [f64; 2],
    pub(super) quality: Option<Quality>,
    pub(super) out_of_order: u64,
    pub(super) ssrc: u32,
    pub(super) ssrc_changes: u32,
}

impl Figures {
    /// What is known of a direction in which something went.
    pub(super) fn of(report: &StreamReport, direction: Direction) -> Option<Self> {
        let ms = |time: Micros| time.0 as f64 / 1000.0;
        match direction {
            Direction::Received => {
                let received = &report.received;
                (received.packets > 0).then(|| Self {
                    packets: received.packets,
                    expected: received.expected,
                    lost: u64::try_from(received.lost()).unwrap_or(0),
                    octets: received.octets,
                    // Without its cycles.
                    sequence: report
                        .own_block
                        .map_or(0, |block| block.highest_sequence as u16),
                    delta_ms: mean_gap_ms(report),
                    max_delta_ms: ms(report.longest_gap),
                    jitter_ms: [report.jitter.last, report.jitter.mean, report.jitter.max],
                    skew_ms: [report.skew.last, report.skew.max],
                    quality: report.quality,
                    out_of_order: received.reordered,
                    ssrc: report.peer_ssrc.unwrap_or(0),
                    ssrc_changes: report.source_changes,
                })
            }
            // What becomes of our packets the peer alone knows; what it does not say is zero.
            Direction::Sent => (report.sent_packets > 0).then(|| {
                let blocks = &report.blocks;
                let clock = f64::from(report.format.codec.params().clock_rate);
                let jitter = |timestamps: f64| timestamps * 1000.0 / clock;
                let mean = blocks.jitter_sum as f64 / blocks.blocks.max(1) as f64;
                let last = report.peer.map_or(0.0, |peer| peer.jitter_ms);
                let lost = report.peer.map_or(0, |peer| peer.lost.max(0));
                let lost = u64::from(lost.unsigned_abs());
                let quality = report.peer.and_then(|_| {
                    Quality::of(&QualityInput {
                        codec: report.format.codec,
                        loss_percent: 100.0 * lost as f64 / report.sent_packets as f64,
                        burst_ratio: 1.0,
                        delay_ms: report.round_trip_us.unwrap_or(0) as f64 / 2000.0,
                        jitter_ms: jitter(mean),
                    })
                });
                Self {
                    packets: report.sent_packets.saturating_sub(lost),
                    expected: report.sent_packets,
                    lost,
                    octets: report.sent_octets,
                    sequence: 0,
                    delta_ms: 0.0,
                    max_delta_ms: 0.0,
                    jitter_ms: [last, jitter(mean), jitter(f64::from(blocks.max_jitter))],
                    skew_ms: [0.0; 2],
                    quality,
                    out_of_order: 0,
                    ssrc: report.ssrc,
                    ssrc_changes: 0,
                }
            }),
        }
    }
}

/// The mean time between packets.
fn mean_gap_ms(report: &StreamReport) -> f64 {
    let (Some(first), Some(last)) = (report.first_received, report.last_received) else {
        return 0.0;
    };
    let gaps = report.received.packets.saturating_sub(1).max(1);
    last.since(first).0 as f64 / 1000.0 / gaps as f64
}
