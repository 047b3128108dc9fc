// SPDX-License-Identifier: AGPL-3.0-only
//! What a stream receives: opened, checked, counted, heard, recorded, sent back.

use super::Context;
use super::io::{Event, Port, ReportSeen};
use super::stream::Stream;
use crate::codec::Codec;
use crate::receive::{Order, Timing};
use crate::record::Side;
use crate::rtcp::{Compound, RtcpPacket};
use crate::rtp::{Packet, RtpError, is_rtcp};
use crate::srtp::SrtpError;
use core::net::SocketAddr;

impl Stream {
    pub(super) fn on_packet(
        &mut self,
        cx: &mut Context<'_>,
        port: Port,
        from: SocketAddr,
        bytes: &mut [u8],
    ) {
        let reports = self.params.report_interval.is_some();
        match port {
            Port::Rtp if reports && is_rtcp(bytes) => self.on_rtcp(cx, port, from, bytes),
            Port::Rtp => self.on_rtp(cx, from, bytes),
            Port::Rtcp if reports => self.on_rtcp(cx, port, from, bytes),
            // COMPAT(sipp): reports of a peer are not read.
            Port::Rtcp => self.came().errors.unread += 1,
        }
    }

    fn on_rtp(&mut self, cx: &mut Context<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let len = match &mut self.secured {
            Some(secured) => match secured.opener.open_rtp(bytes) {
                Ok(len) => len,
                Err(error) => return self.refused(error),
            },
            None => bytes.len(),
        };
        let bytes = &bytes[..len];
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(RtpError::Short | RtpError::Version | RtpError::Padding) => {
                self.came().errors.malformed += 1;
                return;
            }
        };
        let header = &packet.header;
        let is_event = self.format.events == Some(header.payload_type);
        let codec = self.codec_of(header.payload_type);
        let timing = match codec {
            _ if is_event => Timing::Held,
            Some(Codec::Noise) => Timing::Silent,
            Some(codec) => {
                if codec != self.hears {
                    self.hears = codec;
                    let clock_rate = codec.params().clock_rate;
                    self.came().receiver.set_clock_rate(clock_rate);
                }
                Timing::Sampled
            }
            None => Timing::Sampled,
        };
        let came = self.came();
        let order = came
            .receiver
            .on_packet(cx.now, header, packet.payload.len(), timing);
        if is_event {
            let heard = came.heard.on_packet(header, packet.payload);
            for heard in heard.into_iter().flatten() {
                self.digits_heard += 1;
                cx.event(Event::Digit(heard));
            }
        } else if self.recorder.is_some()
            && order != Order::Duplicate
            && let Some(codec) = codec
        {
            let agreed = header.payload_type == self.format.payload_type;
            let channels = if agreed { self.format.channels } else { 1 };
            let coded = (codec, channels);
            self.record(cx, Side::Received, coded, header.timestamp, packet.payload);
        }
        if let Some(pattern) = &mut self.pattern {
            let matched = packet.payload.len() == pattern.len
                && packet.payload.iter().all(|byte| *byte == pattern.byte);
            pattern.last_matched = Some(matched);
        }
        if self.echo {
            let start = cx.out.bytes.len();
            cx.out.bytes.extend_from_slice(bytes);
            self.send(cx, start, from, 0, packet.payload.len());
        }
        if self.check.is_some() {
            self.heard_by_check(cx);
        }
    }

    fn refused(&mut self, error: SrtpError) {
        match error {
            SrtpError::Malformed => self.came().errors.malformed += 1,
            SrtpError::Authentication => self.came().errors.authentication += 1,
            SrtpError::Replayed => self.came().errors.replayed += 1,
            SrtpError::TooOld | SrtpError::Exhausted => self.came().errors.too_old += 1,
        }
    }

    fn on_rtcp(&mut self, cx: &mut Context<'_>, port: Port, from: SocketAddr, bytes: &mut [u8]) {
        let len = match &mut self.secured {
            Some(secured) => match secured.opener.open_rtcp(bytes) {
                Ok(len) => len,
                Err(error) => return self.refused(error),
            },
            None => bytes.len(),
        };
        let Ok(compound) = Compound::parse(&bytes[..len]) else {
            self.came().errors.malformed_reports += 1;
            return;
        };
        self.reporting.received += 1;
        if cx.tells_reports {
            let start = cx.out.bytes.len();
            cx.out.bytes.extend_from_slice(&bytes[..len]);
            cx.out.reports.push(ReportSeen {
                stream: cx.key,
                sent: false,
                port,
                peer: from,
                range: start..cx.out.bytes.len(),
            });
        }
        let wall_clock = cx.wall_clock();
        for packet in compound.packets() {
            let blocks = match packet {
                RtcpPacket::SenderReport { ssrc, info, blocks } => {
                    self.came()
                        .receiver
                        .on_sender_report(cx.now, ssrc, info.ntp);
                    blocks
                }
                RtcpPacket::ReceiverReport { blocks, .. } => blocks,
                RtcpPacket::Goodbye(_) => {
                    cx.event(Event::Goodbye);
                    continue;
                }
                RtcpPacket::SourceDescription(_) | RtcpPacket::Other { .. } => continue,
            };
            let clock_rate = self.clock_rate();
            for block in blocks.filter(|block| block.ssrc == self.params.ssrc) {
                self.reporting.on_block(&block, wall_clock, clock_rate);
            }
        }
    }
}
