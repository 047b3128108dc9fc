// SPDX-License-Identifier: AGPL-3.0-only
//! What was counted of the media of calls.

use serde::{Deserialize, Serialize};

/// Media of the calls of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MediaSnapshot {
    /// RTP packets that left, of open streams too.
    pub packets_sent: u64,
    /// Their bytes, headers included.
    pub bytes_sent: u64,
    /// RTP packets that came, of open streams too.
    pub packets_received: u64,
    /// Their bytes, headers included.
    pub bytes_received: u64,
    /// Packets that could not be sent: the socket was full, or the system refused them.
    pub unsent: u64,
    /// Packets that were not sent because the machine came too late.
    pub skipped: u64,
    /// RTCP packets sent with a sender report.
    pub sender_reports: u64,
    /// RTCP packets sent with a receiver report.
    pub receiver_reports: u64,
    /// RTCP packets that came.
    pub reports_received: u64,
    /// Digits that were heard.
    pub digits_heard: u64,
    /// Packets of no use: no RTP, replayed, or sealed with another key.
    pub useless: u64,
    /// Recordings that lack something because the disk did not keep up, or cannot be written.
    pub recordings_lost: u64,
    /// Calls that have ended, and on which RTP had come.
    #[serde(default)]
    pub calls_heard: u64,
    /// The fewest packets that came on one of those.
    #[serde(default)]
    pub call_min_received: u64,
    /// What is known of streams that are closed.
    pub closed: ClosedStreams,
    /// Patterns whose echo was checked: audio, and video.
    pub patterns: [PatternCounts; 2],
}

/// Sums over streams that are closed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ClosedStreams {
    /// How many there were.
    pub streams: u64,
    /// Bytes of payload sent.
    pub octets_sent: u64,
    /// Streams on which something came.
    pub received: u64,
    /// The fewest packets that came on one of those.
    pub min_packets_received: u64,
    /// Packets that a peer sent and that never came.
    pub lost: u64,
    /// The most of them on one stream.
    pub max_lost: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// The highest jitter of a peer's packets, in ms.
    pub max_jitter_ms: f64,
    /// Sum of the mean jitters of the streams on which something came, in ms.
    pub jitter_ms_sum: f64,
    /// Streams that the E-model rates.
    pub rated: u64,
    /// Sum of their scores (MOS).
    pub mos_sum: f64,
    /// The lowest of them.
    pub min_mos: f64,
    /// Sum of their R-factors.
    #[serde(default)]
    pub r_factor_sum: f64,
    /// The lowest of them.
    #[serde(default)]
    pub min_r_factor: f64,
    /// The highest jitter of a peer's packets, in units of RTP's timestamps.
    pub max_jitter_ts: f64,
    /// Report blocks in which peers said how they receive us.
    pub report_blocks: u64,
    /// Streams whose peer reported how it receives us.
    pub reported: u64,
    /// The largest share that a peer said it had lost at last, in percent.
    pub max_reported_loss_percent: f64,
    /// The highest jitter that a peer reported at last, in ms.
    pub max_reported_jitter_ms: f64,
    /// The lowest.
    pub min_reported_jitter_ms: f64,
    /// Their sum.
    pub reported_jitter_ms_sum: f64,
    /// The highest jitter in them, in timestamps.
    #[serde(default)]
    pub max_reported_jitter_ts: u64,
    /// The lowest.
    #[serde(default)]
    pub min_reported_jitter_ts: u64,
    /// Their sum.
    #[serde(default)]
    pub reported_jitter_ts_sum: u64,
    /// Streams whose peer's reports told the round trip.
    #[serde(default)]
    pub round_trips: u64,
    /// Sum of them as of the last report, in ms.
    #[serde(default)]
    pub round_trip_ms_sum: f64,
    /// The longest.
    #[serde(default)]
    pub max_round_trip_ms: f64,
}

/// Streams that played a pattern and expected its echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PatternCounts {
    /// Streams.
    pub streams: u64,
    /// Of which failed.
    pub failed: u64,
    /// Packets sent.
    pub packets: u64,
    /// Packets without their echo.
    pub errors: u64,
}

impl MediaSnapshot {
    /// Adds those of another shard.
    pub fn add(&mut self, other: &Self) {
        self.packets_sent += other.packets_sent;
        self.bytes_sent += other.bytes_sent;
        self.packets_received += other.packets_received;
        self.bytes_received += other.bytes_received;
        self.unsent += other.unsent;
        self.skipped += other.skipped;
        self.sender_reports += other.sender_reports;
        self.receiver_reports += other.receiver_reports;
        self.reports_received += other.reports_received;
        self.digits_heard += other.digits_heard;
        self.useless += other.useless;
        self.recordings_lost += other.recordings_lost;
        self.call_min_received = match (self.calls_heard, other.calls_heard) {
            (0, _) => other.call_min_received,
            (_, 0) => self.call_min_received,
            _ => self.call_min_received.min(other.call_min_received),
        };
        self.calls_heard += other.calls_heard;
        self.closed.add(&other.closed);
        for (into, from) in self.patterns.iter_mut().zip(&other.patterns) {
            into.streams += from.streams;
            into.failed += from.failed;
            into.packets += from.packets;
            into.errors += from.errors;
        }
    }
}

impl ClosedStreams {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let lowest = |(count, own): (u64, f64), (others, other): (u64, f64)| match (count, others) {
            (0, _) => other,
            (_, 0) => own,
            _ => own.min(other),
        };
        self.min_mos = lowest((self.rated, self.min_mos), (other.rated, other.min_mos));
        self.min_r_factor = lowest(
            (self.rated, self.min_r_factor),
            (other.rated, other.min_r_factor),
        );
        self.min_reported_jitter_ms = lowest(
            (self.reported, self.min_reported_jitter_ms),
            (other.reported, other.min_reported_jitter_ms),
        );
        self.min_packets_received = match (self.received, other.received) {
            (0, _) => other.min_packets_received,
            (_, 0) => self.min_packets_received,
            _ => self.min_packets_received.min(other.min_packets_received),
        };
        self.min_reported_jitter_ts = match (self.report_blocks, other.report_blocks) {
            (0, _) => other.min_reported_jitter_ts,
            (_, 0) => self.min_reported_jitter_ts,
            _ => (self.min_reported_jitter_ts).min(other.min_reported_jitter_ts),
        };
        self.streams += other.streams;
        self.octets_sent += other.octets_sent;
        self.received += other.received;
        self.lost += other.lost;
        self.max_lost = self.max_lost.max(other.max_lost);
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.max_jitter_ms = self.max_jitter_ms.max(other.max_jitter_ms);
        self.max_jitter_ts = self.max_jitter_ts.max(other.max_jitter_ts);
        self.jitter_ms_sum += other.jitter_ms_sum;
        self.report_blocks += other.report_blocks;
        self.rated += other.rated;
        self.mos_sum += other.mos_sum;
        self.r_factor_sum += other.r_factor_sum;
        self.round_trips += other.round_trips;
        self.round_trip_ms_sum += other.round_trip_ms_sum;
        self.max_round_trip_ms = self.max_round_trip_ms.max(other.max_round_trip_ms);
        self.reported += other.reported;
        self.max_reported_loss_percent =
            (self.max_reported_loss_percent).max(other.max_reported_loss_percent);
        self.max_reported_jitter_ms =
            (self.max_reported_jitter_ms).max(other.max_reported_jitter_ms);
        self.reported_jitter_ms_sum += other.reported_jitter_ms_sum;
        self.max_reported_jitter_ts =
            (self.max_reported_jitter_ts).max(other.max_reported_jitter_ts);
        self.reported_jitter_ts_sum += other.reported_jitter_ts_sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_of_none_is_that_of_the_others() {
        let one = |mos: f64, packets: u64| ClosedStreams {
            streams: 1,
            received: 1,
            min_packets_received: packets,
            rated: 1,
            mos_sum: mos,
            min_mos: mos,
            ..ClosedStreams::default()
        };
        let mut all = ClosedStreams::default();
        for part in [one(4.0, 50), ClosedStreams::default(), one(3.0, 70)] {
            all.add(&part);
        }
        assert_eq!(
            (all.min_mos, all.min_packets_received, all.rated),
            (3.0, 50, 2)
        );
    }
}
