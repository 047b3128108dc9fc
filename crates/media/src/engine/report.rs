// SPDX-License-Identifier: AGPL-3.0-only
//! What a stream tells: RTCP to its peer, and a report to whoever asks.

use super::Context;
use super::check::PatternCount;
use super::io::{Format, Port, Remote, ReportSeen, Send};
use super::stream::Stream;
use crate::quality::Quality;
use crate::receive::{JitterMs, ReceiveCounts, SkewMs};
use crate::rtcp::{
    NtpTime, ReportBlock, SenderInfo, append_goodbye, append_name, append_receiver_report,
    append_sender_report,
};
use crate::time::Micros;
use core::net::SocketAddr;
use smallvec::SmallVec;

/// Packets that were of no use, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PacketErrors {
    /// Not RTP, or not SRTP.
    pub malformed: u64,
    /// Not RTCP.
    pub malformed_reports: u64,
    /// A wrong tag: another key, or a changed packet.
    pub authentication: u64,
    /// Accepted before.
    pub replayed: u64,
    /// Behind the replay window.
    pub too_old: u64,
    /// Reports that came though none are read.
    pub unread: u64,
    /// Packets of ours that could not be sealed.
    pub unsent: u64,
}

/// How a peer receives us, by its last report.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PeerView {
    /// Lost since the report before, in percent.
    pub loss_percent: f64,
    /// Lost since the beginning.
    pub lost: i32,
    /// Jitter in units of RTP's timestamps, as it came.
    pub jitter_ts: u32,
    /// Jitter in ms.
    pub jitter_ms: f64,
}

/// What a peer reported of us, over all of its reports.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BlockCounts {
    /// Report blocks about us.
    pub blocks: u64,
    /// The largest share that was lost from one report to the next, in 1/256.
    pub max_fraction_lost: u8,
    /// The highest jitter, in timestamps.
    pub max_jitter: u32,
    /// The lowest.
    pub min_jitter: u32,
    /// Sum of all.
    pub jitter_sum: u64,
    /// Sum of the shares that were lost, in 1/256.
    pub fraction_lost_sum: u64,
}

impl BlockCounts {
    fn add(&mut self, block: &ReportBlock) {
        self.min_jitter = match self.blocks {
            0 => block.jitter,
            _ => self.min_jitter.min(block.jitter),
        };
        self.blocks += 1;
        self.max_fraction_lost = self.max_fraction_lost.max(block.fraction_lost);
        self.max_jitter = self.max_jitter.max(block.jitter);
        self.jitter_sum += u64::from(block.jitter);
        self.fraction_lost_sum += u64::from(block.fraction_lost);
    }
}

/// What became of a stream.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StreamReport {
    /// When this was said.
    pub at: Micros,
    /// When it was opened.
    pub opened: Micros,
    /// Our source.
    pub ssrc: u32,
    /// The source heard last.
    pub peer_ssrc: Option<u32>,
    /// Packets sent, echoes included.
    pub sent_packets: u64,
    /// Bytes of payload in them.
    pub sent_octets: u64,
    /// Packets that were not sent because we came too late.
    pub skipped: u64,
    /// What was received.
    pub received: ReceiveCounts,
    /// How often another source was heard than before.
    pub source_changes: u32,
    /// Jitter.
    pub jitter: JitterMs,
    /// How it sounds; `None` if nothing came, or the E-model does not know the codec.
    pub quality: Option<Quality>,
    /// When the first packet came.
    pub first_received: Option<Micros>,
    /// When the last packet came.
    pub last_received: Option<Micros>,
    /// The longest time between two packets.
    pub longest_gap: Micros,
    /// How far the packets have drifted from their timestamps, as of the last packet and at most.
    pub skew: SkewMs,
    /// Telephone events.
    pub digits_heard: u32,
    /// Packets of no use.
    pub errors: PacketErrors,
    /// To the peer and back, by its last report.
    pub round_trip_us: Option<u64>,
    /// How the peer receives us.
    pub peer: Option<PeerView>,
    /// What the peer reported of us, over all of its reports.
    pub blocks: BlockCounts,
    /// What is agreed upon.
    pub format: Format,
    /// Where the peer wants its packets.
    pub remote: Remote,
    /// Our timestamp now.
    pub timestamp: u32,
    /// What we would report of the source heard last, with the share lost since the beginning.
    pub own_block: Option<ReportBlock>,
    /// Compound packets of RTCP.
    pub reports_sent: u32,
    /// Those of them that begin with a sender report.
    pub sender_reports_sent: u32,
    /// Compound packets of RTCP.
    pub reports_received: u32,
    /// SIPp's check, if a pattern was played.
    pub pattern: Option<PatternCount>,
}

/// Reports of a stream.
#[derive(Debug)]
pub(super) struct Reporting {
    pub(super) next: Micros,
    /// Packets sent at the report before.
    packets: u64,
    pub(super) sent: u32,
    pub(super) received: u32,
    pub(super) round_trip_us: Option<u64>,
    /// From the first sender report, ours or about us, on.
    pub(super) more: Option<Box<MoreCounts>>,
}

/// What only streams with RTCP count.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct MoreCounts {
    pub(super) blocks: BlockCounts,
    pub(super) peer: Option<PeerView>,
    /// Sender reports among those sent.
    pub(super) of_sender: u32,
}

impl Reporting {
    pub(super) fn new(next: Micros) -> Self {
        Self {
            next,
            packets: 0,
            sent: 0,
            received: 0,
            round_trip_us: None,
            more: None,
        }
    }

    /// The peer reported on us.
    pub(super) fn on_block(&mut self, block: &ReportBlock, now: NtpTime, clock_rate: u32) {
        if let Some(us) = block.round_trip_us(now) {
            self.round_trip_us = Some(us);
        }
        let more = self.more.get_or_insert_default();
        more.blocks.add(block);
        more.peer = Some(PeerView {
            loss_percent: f64::from(block.fraction_lost) / 2.56,
            lost: block.cumulative_lost,
            jitter_ts: block.jitter,
            jitter_ms: f64::from(block.jitter) * 1000.0 / f64::from(clock_rate),
        });
    }
}

impl Stream {
    /// Sends a report if one is due.
    pub(super) fn send_report(&mut self, cx: &mut Context<'_>) {
        let Some(interval) = self.params.report_interval else {
            return;
        };
        if self.reporting.next > cx.now {
            return;
        }
        let interval = interval.max(Micros::from_ms(1));
        self.reporting.next += interval;
        if self.reporting.next <= cx.now {
            self.reporting.next = cx.now + interval;
        }
        self.append_report(cx, false);
    }

    /// Sends a last report with a goodbye, if reports were sent before.
    pub(super) fn send_goodbye(&mut self, cx: &mut Context<'_>) {
        if self.reporting.sent > 0 {
            self.append_report(cx, true);
        }
    }

    fn append_report(&mut self, cx: &mut Context<'_>, goodbye: bool) {
        // A peer that is held still wants to know (RFC 3264 §8.4): direction is of RTP alone.
        let usable = |to: &SocketAddr| !to.ip().is_unspecified() && to.port() != 0;
        let Some(to) = self.remote.rtcp.filter(usable) else {
            return;
        };
        let came = self.came.as_mut();
        let blocks = came.map_or_else(SmallVec::new, |came| came.receiver.report_blocks(cx.now));
        let has_sent = self.sent.packets > self.reporting.packets;
        if !has_sent && blocks.is_empty() && !goodbye {
            return;
        }
        self.reporting.packets = self.sent.packets;
        let (ssrc, start) = (self.params.ssrc, cx.out.bytes.len());
        if has_sent {
            let info = SenderInfo {
                ntp: cx.wall_clock(),
                rtp_timestamp: self.timestamp_at(cx.now),
                // Counts wrap (RFC 3550 §6.4.1).
                packets: self.sent.packets as u32,
                octets: self.sent.octets as u32,
            };
            append_sender_report(ssrc, &info, &blocks, &mut cx.out.bytes);
        } else {
            append_receiver_report(ssrc, &blocks, &mut cx.out.bytes);
        }
        append_name(ssrc, &cx.params.name, &mut cx.out.bytes);
        if goodbye {
            append_goodbye(ssrc, &mut cx.out.bytes);
        }
        // Where both share a port, reports leave from the port of RTP.
        let port = if self.remote.rtp == Some(to) {
            Port::Rtp
        } else {
            Port::Rtcp
        };
        // What is put behind it here is sealed there.
        let told = cx.tells_reports.then(|| {
            let end = cx.out.bytes.len();
            cx.out.bytes.extend_from_within(start..end);
            (start..end, end)
        });
        let start = told.as_ref().map_or(start, |(_, end)| *end);
        if let Some(secured) = &mut self.secured
            && secured.sealer.seal_rtcp(&mut cx.out.bytes, start).is_err()
        {
            cx.out.bytes.truncate(start);
            self.came().errors.unsent += 1;
            return;
        }
        self.reporting.sent += 1;
        if has_sent {
            self.reporting.more.get_or_insert_default().of_sender += 1;
        }
        if let Some((range, _)) = told {
            cx.out.reports.push(ReportSeen {
                stream: cx.key,
                sent: true,
                port,
                peer: to,
                range,
            });
        }
        cx.out.sends.push(Send {
            stream: cx.key,
            port,
            port_offset: 0,
            to,
            range: start..cx.out.bytes.len(),
        });
    }
}
