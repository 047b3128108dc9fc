// SPDX-License-Identifier: AGPL-3.0-only
//! What a stream sends of itself: clips, captures, digits.
//!
//! While there is nowhere to send to, time passes and nothing is sent; sequence numbers count what was sent.

use super::Context;
use super::io::{Event, FirstPacket, Length, Play, Port, Send};
use super::live::FeedPlay;
use super::stream::{Pattern, Stream, timestamp};
use crate::codec::Codec;
use crate::dtmf::{DtmfSender, Heard, digit_of};
use crate::record::Side;
use crate::replay::Replay;
use crate::rtp::{HEADER_LEN, Header};
use crate::time::Micros;
use core::net::SocketAddr;
use std::collections::VecDeque;

/// Packets of one stream that leave together when we come late. What is due beyond them is skipped.
///
/// COMPAT(sipp): SIPp catches up whatever the delay, which after a second sends fifty packets at once into a jitter buffer
/// that drops all but a few.
pub const MAX_BURST: u32 = 25;

/// What is played.
#[derive(Debug)]
pub(super) enum Playing {
    Nothing,
    Clip(ClipPlay),
    Replay(ReplayPlay),
    Feed(FeedPlay),
}

#[derive(Debug)]
pub(super) struct ClipPlay {
    play: Play,
    /// Place in the clip.
    at: usize,
    /// Packets that are left; `None` without end.
    left: Option<u64>,
    next: Micros,
    timestamp: u32,
    paused: Option<Micros>,
}

#[derive(Debug)]
pub(super) struct ReplayPlay {
    replay: Replay,
    start: Micros,
    index: usize,
    paused: Option<Micros>,
}

impl Playing {
    pub(super) fn due(&self) -> Micros {
        match self {
            Self::Nothing => Micros::NEVER,
            Self::Clip(ClipPlay {
                paused: Some(_), ..
            })
            | Self::Replay(ReplayPlay {
                paused: Some(_), ..
            })
            | Self::Feed(FeedPlay {
                paused: Some(_), ..
            }) => Micros::NEVER,
            Self::Clip(clip) => clip.next,
            Self::Feed(feed) => feed.next,
            Self::Replay(replay) => match replay.replay.packets().get(replay.index) {
                Some(packet) => replay.start + packet.at,
                // Over; to be told.
                None => replay.start,
            },
        }
    }

    pub(super) fn pause(&mut self, now: Micros) {
        match self {
            Self::Nothing => {}
            Self::Clip(ClipPlay { paused, .. })
            | Self::Replay(ReplayPlay { paused, .. })
            | Self::Feed(FeedPlay { paused, .. }) => {
                paused.get_or_insert(now);
            }
        }
    }

    pub(super) fn resume(&mut self, now: Micros) {
        match self {
            Self::Nothing => {}
            Self::Clip(clip) => {
                if let Some(since) = clip.paused.take() {
                    clip.next += now - since;
                    // The time of the pause has passed for the listener as well.
                    let clock_rate = clip.play.clip.codec().params().clock_rate;
                    clip.timestamp = timestamp(clip.timestamp, now - since, clock_rate);
                }
            }
            Self::Replay(replay) => {
                if let Some(since) = replay.paused.take() {
                    replay.start += now - since;
                }
            }
            Self::Feed(feed) => feed.resume(now),
        }
    }
}

/// Digits on their way and behind them.
#[derive(Debug)]
pub(super) struct Digits {
    sender: DtmfSender,
    start: Micros,
    timestamp: u32,
    /// The end of the digit has left before: it is sent three times.
    ended: bool,
    pub(super) waiting: VecDeque<DtmfSender>,
}

impl Digits {
    pub(super) fn new(now: Micros, timestamp: u32, sender: DtmfSender) -> Self {
        Self {
            sender,
            start: now,
            timestamp,
            ended: false,
            waiting: VecDeque::new(),
        }
    }

    /// When the next packet leaves, or all are over.
    pub(super) fn due(&self) -> Micros {
        let ms = self.sender.next_at_ms();
        let ms = ms.unwrap_or_else(|| self.sender.over_at_ms());
        self.start + Micros::from_ms(ms)
    }
}

/// A packet to be built.
pub(super) struct Outgoing {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) timestamp: u32,
    /// What it is coded as, and how many channels it has; `None` for what nobody hears.
    pub(super) codec: Option<(Codec, u8)>,
}

impl Stream {
    pub(super) fn start_clip(&mut self, cx: &mut Context<'_>, play: Play) {
        let now = cx.now;
        let delay = match self.params.first_packet {
            FirstPacket::AtOnce => Micros(0),
            FirstPacket::AfterInterval => play.shape.period,
        };
        let left = match play.length {
            Length::Loops(loops) => Some(play.clip.packets(loops, play.shape.payload_len)),
            Length::Time(time) => Some(time.0.div_ceil(play.shape.period.0.max(1))),
            Length::Endless => None,
        };
        let next = match cx.spread {
            Some(spread) => spread.deal(now + delay, play.shape.period),
            None => now + delay,
        };
        let clock_rate = play.clip.codec().params().clock_rate;
        self.pattern = play.pattern.map(|byte| {
            Box::new(Pattern {
                byte,
                len: play.shape.payload_len,
                last_matched: None,
                // It goes on counting over several patterns of a stream.
                count: self
                    .pattern
                    .as_ref()
                    .map_or_else(Default::default, |p| p.count),
            })
        });
        self.talking = false;
        self.playing = Playing::Clip(ClipPlay {
            at: 0,
            left,
            next,
            timestamp: timestamp(self.params.timestamp, now, clock_rate),
            paused: None,
            play,
        });
    }

    pub(super) fn start_replay(&mut self, now: Micros, replay: Replay) {
        self.talking = false;
        self.playing = Playing::Replay(ReplayPlay {
            replay,
            start: now,
            index: 0,
            paused: None,
        });
    }

    /// Sends what is due of what is played.
    pub(super) fn play(&mut self, cx: &mut Context<'_>) {
        if self.playing.due() > cx.now {
            return;
        }
        // Taken out, so that sending may change the rest of the stream.
        match core::mem::replace(&mut self.playing, Playing::Nothing) {
            Playing::Nothing => {}
            Playing::Clip(mut clip) => {
                if self.play_clip(cx, &mut clip) {
                    self.playing = Playing::Clip(clip);
                } else {
                    self.talking = false;
                    cx.event(Event::Ended);
                }
            }
            Playing::Replay(mut replay) => {
                if self.play_replay(cx, &mut replay) {
                    self.playing = Playing::Replay(replay);
                } else {
                    cx.event(Event::Ended);
                }
            }
            Playing::Feed(mut feed) => {
                self.play_feed(cx, &mut feed);
                self.playing = Playing::Feed(feed);
            }
        }
    }

    /// Whether something is left.
    fn play_clip(&mut self, cx: &mut Context<'_>, clip: &mut ClipPlay) -> bool {
        let ClipPlay {
            play,
            at,
            left,
            next,
            timestamp,
            ..
        } = clip;
        let mut burst = 0;
        while *next <= cx.now {
            match left {
                Some(0) => return false,
                Some(left) => *left -= 1,
                None => {}
            }
            burst += 1;
            let len = play.shape.payload_len;
            // Digits take the place of audio.
            if burst <= MAX_BURST && self.digits.is_none() {
                let packet = Outgoing {
                    marker: self.params.marks && !self.talking,
                    payload_type: play.payload_type,
                    timestamp: *timestamp,
                    codec: Some((play.clip.codec(), play.shape.channels)),
                };
                let mut end = *at;
                let sent = self.emit(cx, &packet, |out| end = play.clip.append(*at, len, out));
                *at = end;
                self.talking |= sent;
                if sent && let Some(pattern) = &mut self.pattern {
                    pattern.count.packets += 1;
                    let matched = pattern.last_matched.take() == Some(true);
                    pattern.count.errors += u64::from(!matched);
                }
                if !sent {
                    *at = (*at + len) % play.clip.size();
                }
            } else {
                if burst > MAX_BURST {
                    self.sent.skipped += 1;
                }
                *at = (*at + len) % play.clip.size();
                self.talking = false;
            }
            *next += play.shape.period.max(Micros(1));
            *timestamp = timestamp.wrapping_add(play.shape.timestamp_step);
            if burst > MAX_BURST {
                // Far behind (a suspended machine): whole periods at once.
                let period = play.shape.period.0.max(1);
                let behind = cx.now.since(*next).0 / period;
                let behind = left.map_or(behind, |left| behind.min(left));
                if let Some(left) = left {
                    *left -= behind;
                }
                *next += Micros(behind * period);
                let step = (behind as u32).wrapping_mul(play.shape.timestamp_step);
                *timestamp = timestamp.wrapping_add(step);
                let bytes = u128::from(behind) * len as u128 + *at as u128;
                *at = (bytes % play.clip.size() as u128) as usize;
                self.sent.skipped += behind;
            }
        }
        *left != Some(0)
    }

    /// Whether something is left.
    fn play_replay(&mut self, cx: &mut Context<'_>, playing: &mut ReplayPlay) -> bool {
        let mut burst = 0;
        while let Some(packet) = playing.replay.packets().get(playing.index) {
            if playing.start + packet.at > cx.now {
                return true;
            }
            burst += 1;
            if burst > 4 * MAX_BURST {
                // Captures hold bursts of their own: nothing is dropped, the rest leaves at the next tick.
                return true;
            }
            playing.index += 1;
            let Some(to) = self.destination() else {
                continue;
            };
            let port = to.port().checked_add(packet.port_offset);
            let Some(port) = port else {
                continue;
            };
            let to = SocketAddr::new(to.ip(), port);
            let start = cx.out.bytes.len();
            let bytes = playing.replay.bytes(packet);
            cx.out.bytes.extend_from_slice(bytes);
            self.send(
                cx,
                start,
                to,
                packet.port_offset,
                bytes.len().saturating_sub(HEADER_LEN),
            );
        }
        false
    }

    /// Sends what is due of digits.
    pub(super) fn send_digits(&mut self, cx: &mut Context<'_>) {
        while let Some(mut digits) = self.digits.take() {
            if digits.due() > cx.now {
                self.digits = Some(digits);
                return;
            }
            if let Some(packet) = digits.sender.next_packet() {
                let outgoing = Outgoing {
                    // RFC 4733 §2.5.1.1: it begins an event, whoever marks talk spurts or not.
                    marker: packet.marker,
                    payload_type: digits.sender.params().payload_type,
                    timestamp: digits.timestamp.wrapping_add(packet.timestamp),
                    codec: None,
                };
                let left = self.emit(cx, &outgoing, |out| {
                    out.extend_from_slice(&packet.event.to_bytes());
                });
                let first_end = packet.event.end && !digits.ended;
                digits.ended = packet.event.end;
                if cx.tells_reports && left && first_end {
                    let event = packet.event.event;
                    cx.event(Event::DigitLeft(Heard {
                        digit: digit_of(event),
                        event,
                        volume: packet.event.volume,
                        duration: digits.sender.duration(),
                        ended: true,
                    }));
                }
                self.digits = Some(digits);
                continue;
            }
            let over = digits.due();
            match digits.waiting.pop_front() {
                Some(next) => {
                    digits.sender = next;
                    digits.start = over;
                    digits.timestamp = self.timestamp_at(over);
                    self.digits = Some(digits);
                }
                None => cx.event(Event::DigitsSent),
            }
        }
    }

    /// Where RTP goes; `None` while nothing may be sent.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        let usable = |to: &SocketAddr| !to.ip().is_unspecified() && to.port() != 0;
        self.remote.rtp.filter(usable).filter(|_| !self.remote.held)
    }

    /// Builds a packet and sends it; says whether it was sent.
    pub(super) fn emit(
        &mut self,
        cx: &mut Context<'_>,
        packet: &Outgoing,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let Some(to) = self.destination() else {
            return false;
        };
        let header = Header {
            marker: packet.marker,
            payload_type: packet.payload_type,
            sequence: self.sequence,
            timestamp: packet.timestamp,
            ssrc: self.params.ssrc,
        };
        let start = cx.out.bytes.len();
        header.append(&[], &mut cx.out.bytes);
        payload(&mut cx.out.bytes);
        let len = cx.out.bytes.len() - start - HEADER_LEN;
        let recorded = match (&self.recorder, packet.codec) {
            (Some(recorder), Some(codec)) if recorder.takes(Side::Sent) => {
                Some((codec, cx.out.bytes[start + HEADER_LEN..].to_vec()))
            }
            _ => None,
        };
        if !self.send(cx, start, to, 0, len) {
            return false;
        }
        self.sequence = self.sequence.wrapping_add(1);
        if let Some((codec, payload)) = recorded {
            self.record(cx, Side::Sent, codec, packet.timestamp, &payload);
        }
        true
    }

    /// Seals and orders what lies in the bytes from `start` on; says whether it is sent.
    pub(super) fn send(
        &mut self,
        cx: &mut Context<'_>,
        start: usize,
        to: SocketAddr,
        port_offset: u16,
        payload_len: usize,
    ) -> bool {
        if let Some(secured) = &mut self.secured {
            let sealed = secured.sealer.seal_rtp(&mut cx.out.bytes, start);
            if sealed.is_err() {
                cx.out.bytes.truncate(start);
                self.came().errors.unsent += 1;
                return false;
            }
        }
        cx.out.sends.push(Send {
            stream: cx.key,
            port: Port::Rtp,
            port_offset,
            to,
            range: start..cx.out.bytes.len(),
        });
        self.sent.packets += 1;
        self.sent.octets += payload_len as u64;
        true
    }

    /// Hands payload to the recording, if there is one.
    pub(super) fn record(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        codec: (Codec, u8),
        timestamp: u32,
        payload: &[u8],
    ) {
        if let Some(recorder) = &mut self.recorder {
            let start = cx.out.bytes.len();
            recorder.on_packet(cx.now, side, codec, timestamp, payload, &mut cx.out.bytes);
            Self::write(cx, None, start, false);
        }
    }
}
