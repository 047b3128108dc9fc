// SPDX-License-Identifier: AGPL-3.0-only
//! What a collector is told of media over HEP, and when (docs/hep.md#media).
//!
//! | Asked for | Told |
//! | --- | --- |
//! | RTCP as it is | each compound packet that passes, without its encryption; a sender report of each stream every [`RTCP_PERIOD`] |
//! | RTCP as JSON | each stream every [`RTCP_PERIOD`] |
//! | short reports | each direction of a stream every [`SHORT_PERIOD`], when its call ends, and then its sums; digits |
//!
//! A stream on which nothing has moved since is left out until something does. Only what has a second address is told: a
//! stream whose peer nobody has named has none.
//!
//! Invariants: a turn makes a bounded number of reports; a stream is in each queue once; of the digits between two reports
//! a bounded number is kept.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gossipper_hep::PayloadType;
use gossipper_hep::report::{
    CodecOf, Direction, Dtmf, Occasion, Path, ReportBlock, Rtcp, RtcpQuality, Rtp, Score,
    SenderInformation, Ssrc, Totals, digit_group, to_json,
};
use gossipper_media::Micros;
use gossipper_media::dtmf::Heard;
use gossipper_media::engine::{Port, StreamKey, StreamReport};
use gossipper_media::quality::Quality;
use gossipper_media::rtcp::{NtpTime, SenderInfo, append_sender_report};

mod direction;

use super::Media;
use crate::hep::{HepRtcp, MediaMirror};
use direction::Figures;

/// From one report in the form of RTCP to the next.
const RTCP_PERIOD: Micros = Micros::from_ms(5_000);

/// From one short report to the next.
const SHORT_PERIOD: Micros = Micros::from_ms(10_000);

/// Streams that are reported in one turn.
const MOST_AT_ONCE: usize = 64;

/// Digits of a stream and direction that are kept for the next report.
const MOST_DIGITS: usize = 256;

/// Who reports.
const WHO: &str = "GOSSIPPER";

/// Scores so far.
#[derive(Debug, Default)]
struct Scores {
    count: u32,
    mos: [f64; 3],
    rfactor: [f64; 3],
}

impl Scores {
    /// Lowest, sum, highest.
    fn add(&mut self, quality: Quality) -> Score {
        for (kept, value) in [
            (&mut self.mos, quality.mos),
            (&mut self.rfactor, quality.r_factor),
        ] {
            let [least, sum, most] = *kept;
            *kept = match self.count {
                0 => [value; 3],
                _ => [least.min(value), sum + value, most.max(value)],
            };
        }
        self.count += 1;
        let mean = |sum: f64| sum / f64::from(self.count);
        Score {
            mos: quality.mos,
            min_mos: self.mos[0],
            mean_mos: mean(self.mos[1]),
            max_mos: self.mos[2],
            rfactor: quality.r_factor,
            min_rfactor: self.rfactor[0],
            mean_rfactor: mean(self.rfactor[1]),
        }
    }
}

/// Digits of one direction.
#[derive(Debug, Default)]
struct Digits {
    /// Since the last report.
    groups: String,
    waiting: usize,
    /// Of the stream.
    count: u32,
}

/// What is known of a stream beside the engine.
#[derive(Debug)]
struct Watched {
    key: StreamKey,
    call_id: Arc<str>,
    opened: Micros,
    /// Packets sent and received at the last report, in the form of RTCP and as a short one.
    moved: [[u64; 2]; 2],
    /// What the last report block counted: packets expected, and packets.
    block: [u64; 2],
    scores: [Scores; 2],
    digits: [Digits; 2],
}

/// The place of a direction.
const fn place(direction: Direction) -> usize {
    match direction {
        Direction::Received => 0,
        Direction::Sent => 1,
    }
}

/// What a collector is told by a shard.
#[derive(Debug)]
pub(super) struct Reports {
    mirror: MediaMirror,
    ip: IpAddr,
    wall_base_us: u64,
    /// By the index of the stream.
    streams: Vec<Option<Watched>>,
    /// Streams and when they are reported next, which is in this order: every period is equally long.
    rtcp: VecDeque<(Micros, StreamKey)>,
    short: VecDeque<(Micros, StreamKey)>,
    packet: Vec<u8>,
}

impl Reports {
    pub(super) fn new(mirror: MediaMirror, ip: IpAddr, wall_base_us: u64) -> Self {
        Self {
            mirror,
            ip,
            wall_base_us,
            streams: Vec::new(),
            rtcp: VecDeque::new(),
            short: VecDeque::new(),
            packet: Vec::new(),
        }
    }

    /// A call has begun; gives its Call-ID, for streams that are opened later.
    pub(super) fn began(
        &mut self,
        now: Micros,
        call_id: &[u8],
        streams: impl Iterator<Item = StreamKey>,
    ) -> Arc<str> {
        let call_id = Arc::from(String::from_utf8_lossy(call_id));
        for stream in streams {
            self.watch(now, stream, &call_id);
        }
        call_id
    }

    /// Reports a stream from now on.
    pub(super) fn watch(&mut self, now: Micros, stream: StreamKey, call_id: &Arc<str>) {
        let index = stream.index() as usize;
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, || None);
        }
        self.streams[index] = Some(Watched {
            key: stream,
            call_id: Arc::clone(call_id),
            opened: now,
            moved: [[0; 2]; 2],
            block: [0; 2],
            scores: Default::default(),
            digits: Default::default(),
        });
        if self.mirror.wants.rtcp.is_some() {
            self.rtcp.push_back((now + RTCP_PERIOD, stream));
        }
        if self.mirror.wants.reports {
            self.short.push_back((now + SHORT_PERIOD, stream));
        }
    }

    /// A digit has passed.
    pub(super) fn digit(
        &mut self,
        now: Micros,
        stream: StreamKey,
        direction: Direction,
        digit: Heard,
    ) {
        if !self.mirror.wants.reports {
            return;
        }
        let at_us = self.wall_us(now);
        let Some(watched) = self.watched(stream) else {
            return;
        };
        let digits = &mut watched.digits[place(direction)];
        digits.count = digits.count.saturating_add(1);
        if digits.waiting < MOST_DIGITS {
            digits.waiting += 1;
            let Heard {
                event,
                volume,
                duration,
                ..
            } = digit;
            digits
                .groups
                .push_str(&digit_group(at_us, event, volume, duration, digits.count));
        }
    }

    /// When the next report is due.
    pub(super) fn next(&self) -> Option<Micros> {
        let next = [self.rtcp.front(), self.short.front()];
        next.into_iter().flatten().map(|(at, _)| *at).min()
    }

    pub(super) fn hand_over(&mut self) {
        self.mirror.hand_over();
    }

    fn wall_us(&self, now: Micros) -> u64 {
        self.wall_base_us.saturating_add(now.0)
    }

    fn watched(&mut self, stream: StreamKey) -> Option<&mut Watched> {
        let watched = self.streams.get_mut(stream.index() as usize)?.as_mut()?;
        (watched.key == stream).then_some(watched)
    }

    /// The next stream whose report is due; it is due again a period later.
    fn due(&mut self, now: Micros, rtcp: bool) -> Option<StreamKey> {
        let (queue, period) = match rtcp {
            true => (&mut self.rtcp, RTCP_PERIOD),
            false => (&mut self.short, SHORT_PERIOD),
        };
        loop {
            let &(at, stream) = queue.front()?;
            if at > now {
                return None;
            }
            queue.pop_front();
            let known = self.streams.get(stream.index() as usize);
            if known.is_some_and(|known| known.as_ref().is_some_and(|known| known.key == stream)) {
                // Never before those that are in the queue already.
                let again = (at + period).max(now);
                queue.push_back((again, stream));
                return Some(stream);
            }
        }
    }

    /// One stream, in the form of RTCP.
    fn tell_rtcp(
        &mut self,
        now: Micros,
        report: &StreamReport,
        ours: [SocketAddr; 2],
        key: StreamKey,
    ) {
        let wall_us = self.wall_us(now);
        let Some(peer) = report.remote.rtcp.or(report.remote.rtp) else {
            return;
        };
        let form = self.mirror.wants.rtcp;
        let Some(watched) = self.watched(key) else {
            return;
        };
        let moved = [report.sent_packets, report.received.packets];
        let sent = moved[0] > watched.moved[0][0];
        if moved == watched.moved[0] {
            return;
        }
        watched.moved[0] = moved;
        let ntp = NtpTime::from_unix_us(wall_us);
        // Counts wrap (RFC 3550 §6.4.1).
        let (packets, octets) = (report.sent_packets as u32, report.sent_octets as u32);
        let call_id = Arc::clone(&watched.call_id);
        match form {
            Some(HepRtcp::Raw) if sent => {
                let info = SenderInfo {
                    ntp,
                    rtp_timestamp: report.timestamp,
                    packets,
                    octets,
                };
                self.packet.clear();
                append_sender_report(report.ssrc, &info, &[], &mut self.packet);
            }
            Some(HepRtcp::Json) => {
                let blocks = report.own_block.map(|block| {
                    let then = watched.block;
                    watched.block = [report.received.expected, report.received.packets];
                    let expected = report.received.expected.saturating_sub(then[0]);
                    let came = report.received.packets.saturating_sub(then[1]);
                    let lost = expected.saturating_sub(came);
                    let fraction = (lost << 8).checked_div(expected).unwrap_or(0);
                    ReportBlock {
                        source_ssrc: block.ssrc,
                        // All of it counts as 255/256.
                        fraction_lost: fraction.min(255) as u8,
                        packets_lost: block.cumulative_lost,
                        highest_seq_no: block.highest_sequence,
                        lsr: block.last_report,
                        ia_jitter: block.jitter,
                        dlsr: block.delay,
                    }
                });
                let report_blocks: Vec<_> = blocks.into_iter().collect();
                let json = to_json(&Rtcp {
                    sender_information: sent.then_some(SenderInformation {
                        packets,
                        ntp_timestamp_sec: (ntp.0 >> 32) as u32,
                        ntp_timestamp_usec: ntp.0 as u32,
                        rtp_timestamp: report.timestamp,
                        octets,
                    }),
                    ssrc: report.ssrc,
                    kind: if sent { 200 } else { 201 },
                    report_count: report_blocks.len(),
                    report_blocks,
                });
                self.packet = json;
            }
            Some(HepRtcp::Raw) | None => return,
        }
        let way = [ours[1], peer];
        self.mirror
            .tell(PayloadType::RTCP, wall_us, way, &call_id, &self.packet);
    }

    /// One stream, both its directions as far as anything goes there.
    fn tell_short(
        &mut self,
        now: Micros,
        report: &StreamReport,
        ours: SocketAddr,
        key: StreamKey,
        occasion: Occasion,
    ) {
        let wall_us = self.wall_us(now);
        let start_us = self.wall_base_us;
        let Some(peer) = report.remote.rtp else {
            return;
        };
        let Some(watched) = self.watched(key) else {
            return;
        };
        let moved = [report.sent_packets, report.received.packets];
        if occasion == Occasion::Periodic && moved == watched.moved[1] {
            return;
        }
        watched.moved[1] = moved;
        let start_us = start_us.saturating_add(watched.opened.0);
        let mut told: Vec<(PayloadType, [SocketAddr; 2], Vec<u8>)> = Vec::new();
        let call_id = Arc::clone(&watched.call_id);
        for direction in [Direction::Received, Direction::Sent] {
            let way = match direction {
                Direction::Received => [peer, ours],
                Direction::Sent => [ours, peer],
            };
            let path = Path::new(&call_id, direction, way[0], way[1]);
            let digits = &mut watched.digits[place(direction)];
            if digits.waiting > 0 {
                let json = to_json(&Dtmf {
                    path: path.clone(),
                    report_ts: wall_us,
                    dtmf: &digits.groups,
                    codec_pt: report.format.events.unwrap_or(101),
                    codec_name: "telephone-event",
                    stype: "GOSSIPPER-DTMF",
                    occasion,
                });
                told.push((PayloadType::LOG, way, json));
                digits.groups.clear();
                digits.waiting = 0;
            }
            let Some(figures) = Figures::of(report, direction) else {
                continue;
            };
            let one_way = u8::from(moved.contains(&0));
            let score = figures
                .quality
                .map(|quality| watched.scores[place(direction)].add(quality));
            let params = report.format.codec.params();
            let codec = CodecOf {
                codec_pt: report.format.payload_type,
                clock: params.clock_rate,
                codec_name: params.name,
            };
            let json = to_json(&Rtp {
                path: path.clone(),
                report_ts: wall_us,
                report_start: start_us,
                report_end: wall_us,
                total_pk: figures.packets,
                expected_pk: figures.expected,
                packet_loss: figures.lost,
                tl_byte: figures.octets,
                seq: figures.sequence,
                delta: figures.delta_ms,
                max_delta: figures.max_delta_ms,
                jitter: figures.jitter_ms[0],
                mean_jitter: figures.jitter_ms[1],
                max_jitter: figures.jitter_ms[2],
                skew: figures.skew_ms[0],
                max_skew: figures.skew_ms[1],
                score,
                out_order: figures.out_of_order,
                ssrc: Ssrc(figures.ssrc),
                ssrc_chg: figures.ssrc_changes,
                codec,
                codec_channel: 1,
                one_way_rtp: one_way,
                stype: WHO,
                occasion,
            });
            told.push((PayloadType::RTP_QUALITY, way, json));
            if let (Direction::Sent, Some(view)) = (direction, report.peer) {
                let mean = report.blocks.fraction_lost_sum as f64
                    / 2.56
                    / report.blocks.blocks.max(1) as f64;
                let json = to_json(&RtcpQuality {
                    path: path.clone(),
                    report_ts: wall_us / 1000,
                    mos: figures.quality.map(|quality| quality.mos),
                    rfactor: figures.quality.map(|quality| quality.r_factor),
                    ssrc: Ssrc(report.ssrc),
                    cum_packet_loss: view.lost,
                    mean_packet_loss: mean,
                    codec,
                    source: WHO,
                    occasion,
                });
                told.push((PayloadType::RTCP_QUALITY, way, json));
            }
            if occasion == Occasion::Hangup {
                let json = to_json(&Totals {
                    path,
                    report_ts: wall_us,
                    total_bytes: figures.octets,
                    total_packets: figures.packets,
                    total_expected_pk: figures.expected,
                    total_packet_loss: figures.lost,
                    max_delta: figures.max_delta_ms,
                    max_skew: figures.skew_ms[1],
                    mean_jitter: figures.jitter_ms[1],
                    max_jitter: figures.jitter_ms[2],
                    score,
                    one_way_rtp: one_way,
                    codec_ch: 1,
                    codec_channel: 1,
                    codec,
                    ssrc: Ssrc(figures.ssrc),
                    stype: WHO,
                    occasion: Occasion::Final,
                });
                told.push((PayloadType::RTP_QUALITY, way, json));
            }
        }
        for (payload_type, way, json) in told {
            self.mirror
                .tell(payload_type, wall_us, way, &call_id, &json);
        }
    }
}

impl Media {
    /// Our ends of a stream: of RTP, and of RTCP.
    fn ends(&self, stream: StreamKey) -> Option<[SocketAddr; 2]> {
        let ip = self.reports.as_ref()?.ip;
        let owner = self.owner(stream)?;
        let rtcp = match owner.rtcp {
            Some(_) => owner.port.saturating_add(1),
            None => owner.port,
        };
        Some([owner.port, rtcp].map(|port| SocketAddr::new(ip, port)))
    }

    /// Tells of RTCP that has passed, where that is asked for.
    pub(super) fn tell_packets(&mut self, now: Micros) {
        if self.out.reports.is_empty() {
            return;
        }
        let mut seen = std::mem::take(&mut self.out.reports);
        for seen in seen.drain(..) {
            let Some(ours) = self.ends(seen.stream) else {
                continue;
            };
            let Some(reports) = &mut self.reports else {
                continue;
            };
            let wall_us = reports.wall_us(now);
            let wanted = reports.mirror.wants.rtcp == Some(HepRtcp::Raw);
            let Some(watched) = reports.watched(seen.stream).filter(|_| wanted) else {
                continue;
            };
            let call_id = Arc::clone(&watched.call_id);
            let ours = match seen.port {
                Port::Rtp => ours[0],
                Port::Rtcp => ours[1],
            };
            let way = match seen.sent {
                true => [ours, seen.peer],
                false => [seen.peer, ours],
            };
            let bytes = &self.out.bytes[seen.range];
            reports
                .mirror
                .tell(PayloadType::RTCP, wall_us, way, &call_id, bytes);
        }
        self.out.reports = seen;
    }

    /// Tells of streams whose report is due; true when more are.
    pub(super) fn report_due(&mut self, now: Micros) -> bool {
        let mut left = MOST_AT_ONCE;
        for rtcp in [true, false] {
            while let Some(reports) = &mut self.reports
                && left > 0
                && let Some(stream) = reports.due(now, rtcp)
            {
                left -= 1;
                let Some(report) = self.engine.report(now, stream) else {
                    continue;
                };
                let Some(ours) = self.ends(stream) else {
                    continue;
                };
                let Some(reports) = &mut self.reports else {
                    continue;
                };
                if rtcp {
                    reports.tell_rtcp(now, &report, ours, stream);
                } else {
                    reports.tell_short(now, &report, ours[0], stream, Occasion::Periodic);
                }
            }
        }
        left == 0
    }

    /// Tells of a stream that is closed.
    pub(super) fn report_last(&mut self, now: Micros, stream: StreamKey, report: &StreamReport) {
        let ours = self.ends(stream);
        let Some(reports) = &mut self.reports else {
            return;
        };
        if let Some(ours) = ours {
            if reports.mirror.wants.rtcp.is_some() {
                reports.tell_rtcp(now, report, ours, stream);
            }
            if reports.mirror.wants.reports {
                reports.tell_short(now, report, ours[0], stream, Occasion::Hangup);
            }
        }
        if let Some(place) = reports.streams.get_mut(stream.index() as usize) {
            *place = None;
        }
    }
}

#[cfg(test)]
mod tests;
