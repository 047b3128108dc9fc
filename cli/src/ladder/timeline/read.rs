// SPDX-License-Identifier: AGPL-3.0-only
//! From a capture to the media of one of its calls.
//!
//! A stream belongs to the call if either of its ends is one that the call's descriptions name; a capture without SIP is
//! drawn whole. Loss and jitter are those of RFC 3550, as the capture saw them.

use super::{Bar, Lane, Mark, Timeline};
use gossipper_capture::{Capture, Datagram, SipMessage};
use gossipper_media::receive::{Order, Receiver, Timing};
use gossipper_media::rtcp::{Compound, RtcpPacket};
use gossipper_media::rtp::{Packet, is_rtcp};
use gossipper_media::{Codec, Micros, dtmf};
use gossipper_sip::Message;
use gossipper_sip::sdp::Sdp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

/// Streams that are drawn.
const LANES: usize = 16;
/// Messages that are drawn.
const MESSAGES: usize = 40;
/// Bars and marks of a stream that are drawn.
const MARKS: usize = 400;
/// Between two packets of one bar, in µs, where they say nothing about it.
const GAP_US: u64 = 100_000;

/// What a payload type means.
type Formats = BTreeMap<u8, (String, u32)>;

/// A call: its messages, and what they say of media.
#[derive(Default)]
struct Call<'a> {
    id: String,
    messages: Vec<(&'a SipMessage, String)>,
    ends: BTreeSet<SocketAddr>,
    formats: Formats,
}

/// The calls of a capture, in the order they begin.
fn calls(capture: &Capture) -> Vec<Call<'_>> {
    let mut calls: Vec<Call<'_>> = Vec::new();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for captured in &capture.messages {
        let Ok(message) = Message::parse(&captured.bytes) else {
            continue;
        };
        let Some(id) = message.call_id() else {
            continue;
        };
        let place = *places.entry(id.to_vec()).or_insert_with(|| {
            calls.push(Call {
                id: String::from_utf8_lossy(id).into_owned(),
                ..Call::default()
            });
            calls.len() - 1
        });
        let call = &mut calls[place];
        let label = match (message.status(), message.method()) {
            (Some(status), _) => status.to_string(),
            (None, method) => String::from_utf8_lossy(method.unwrap_or_default()).into_owned(),
        };
        call.messages.push((captured, label));
        for media in Sdp::new(message.body().unwrap_or_default()).media() {
            call.ends.extend(media.rtp());
            for payload_type in media.payload_types() {
                if let Some(map) = media.rtpmap(payload_type) {
                    let map = String::from_utf8_lossy(map).into_owned();
                    let clock = map.split('/').nth(1).and_then(|rate| rate.parse().ok());
                    call.formats
                        .insert(payload_type, (map, clock.unwrap_or(8000)));
                }
            }
        }
    }
    calls
}

/// The media of a call; `wanted` is a part of its Call-ID.
///
/// # Errors
/// There is no such call, or nothing to draw.
pub(in super::super) fn timeline(
    capture: &Capture,
    wanted: Option<&str>,
) -> Result<(Timeline, Option<String>), String> {
    let calls = calls(capture);
    let with_media = |call: &&Call<'_>| !call.ends.is_empty();
    let (call, note) = match wanted {
        Some(wanted) => {
            let found: Vec<&Call<'_>> = calls
                .iter()
                .filter(|call| call.id.contains(wanted))
                .collect();
            match found[..] {
                [call] => (Some(call), None),
                [] => return Err(format!("no call has `{wanted}` in its Call-ID")),
                [_, ..] => {
                    return Err(format!(
                        "{} calls have `{wanted}` in their Call-IDs",
                        found.len()
                    ));
                }
            }
        }
        None => {
            let count = calls.iter().filter(with_media).count();
            let note = (count > 1).then(|| {
                format!("the first of {count} calls with media is drawn; --call chooses another")
            });
            (calls.iter().find(with_media), note)
        }
    };
    let ends = call.map(|call| &call.ends);
    let belongs = |datagram: &&Datagram| {
        let near = |end: &SocketAddr| {
            let below = SocketAddr::new(end.ip(), end.port().wrapping_sub(1));
            ends.is_none_or(|ends| ends.contains(end) || ends.contains(&below))
        };
        near(&datagram.source) || near(&datagram.destination)
    };
    let datagrams: Vec<&Datagram> = capture.datagrams.iter().filter(belongs).collect();
    let messages = call.map_or(&[][..], |call| &call.messages);
    let times = (messages.iter().map(|(message, _)| message.time))
        .chain(datagrams.iter().map(|datagram| datagram.time));
    let Some(begin) = times.clone().min() else {
        return Err("there is no call with media in it, and no RTP".to_owned());
    };
    let end = times.max().unwrap_or(begin);
    let formats = call.map(|call| call.formats.clone()).unwrap_or_default();
    let lanes = lanes(&datagrams, begin, formats);
    if lanes.is_empty() {
        return Err("no RTP belongs to the call".to_owned());
    }
    let since = |time: Duration| micros(time.saturating_sub(begin));
    Ok((
        Timeline {
            title: match call {
                Some(call) => format!("media of call {}", call.id),
                None => "media of a capture without SIP".to_owned(),
            },
            span_us: since(end).max(1),
            messages: messages
                .iter()
                .take(MESSAGES)
                .map(|(message, label)| Mark {
                    at_us: since(message.time),
                    label: label.clone(),
                })
                .collect(),
            lanes,
        },
        note,
    ))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A stream while it is read.
struct Stream {
    lane: Lane,
    receiver: Receiver,
    last_us: u64,
    /// From one packet to the next, as far as it is known.
    period_us: u64,
}

/// The streams of a capture, in the order they begin.
fn lanes(datagrams: &[&Datagram], begin: Duration, mut formats: Formats) -> Vec<Lane> {
    let mut streams: Vec<Stream> = Vec::new();
    let mut places: HashMap<(SocketAddr, SocketAddr, u32), usize> = HashMap::new();
    let mut reports: Vec<(u32, u64)> = Vec::new();
    for datagram in datagrams {
        let at_us = micros(datagram.time.saturating_sub(begin));
        if is_rtcp(&datagram.payload) {
            if let Ok(compound) = Compound::parse(&datagram.payload) {
                let sources = compound.packets().filter_map(|packet| match packet {
                    RtcpPacket::SenderReport { ssrc, .. } => Some(ssrc),
                    // Of who only receives: it speaks of the other side's stream.
                    RtcpPacket::ReceiverReport { mut blocks, .. } => {
                        blocks.next().map(|block| block.ssrc)
                    }
                    _ => None,
                });
                reports.extend(sources.map(|ssrc| (ssrc, at_us)));
            }
            continue;
        }
        let Ok(packet) = Packet::parse(&datagram.payload) else {
            continue;
        };
        let number = packet.header.payload_type;
        let known = Codec::of_payload_type(number);
        let (name, clock) = formats.entry(number).or_insert_with(|| match known {
            Some(codec) => {
                let params = codec.params();
                (
                    format!("{}/{}", params.name, params.clock_rate),
                    params.clock_rate,
                )
            }
            None => (format!("payload type {number}"), 8000),
        });
        let event = name.starts_with("telephone-event");
        let clock = *clock;
        let label = match dtmf::Event::parse(packet.payload).filter(|_| event) {
            Some(event) => dtmf::digit_of(event.event).map_or_else(
                || format!("event {}", event.event),
                |digit| char::from(digit).to_string(),
            ),
            None => name.clone(),
        };
        let key = (datagram.source, datagram.destination, packet.header.ssrc);
        let place = match places.get(&key) {
            Some(place) => *place,
            None if streams.len() >= LANES => continue,
            None => {
                places.insert(key, streams.len());
                streams.push(Stream {
                    lane: Lane {
                        name: format!("{} → {}", datagram.source, datagram.destination),
                        figures: String::new(),
                        bars: Vec::new(),
                        lost_us: Vec::new(),
                        reports_us: Vec::new(),
                    },
                    receiver: Receiver::new(clock),
                    last_us: at_us,
                    period_us: 0,
                });
                streams.len() - 1
            }
        };
        let stream = &mut streams[place];
        let timing = match known {
            _ if event => Timing::Held,
            Some(Codec::Noise) => Timing::Silent,
            _ => {
                stream.receiver.set_clock_rate(clock);
                Timing::Sampled
            }
        };
        let len = packet.payload.len();
        let order = (stream.receiver).on_packet(Micros(at_us), &packet.header, len, timing);
        stream.add(at_us, label, event, order);
    }
    for (ssrc, at_us) in reports {
        let of_it = |stream: &&mut Stream| stream.receiver.ssrc() == Some(ssrc);
        if let Some(stream) = streams.iter_mut().find(of_it)
            && stream.lane.reports_us.len() < MARKS
        {
            stream.lane.reports_us.push(at_us);
        }
    }
    let single = |stream: &Stream| stream.receiver.counts().packets < 2;
    // One packet that looks like RTP is something else.
    streams.retain(|stream| !single(stream));
    streams.into_iter().map(Stream::finish).collect()
}

impl Stream {
    fn add(&mut self, at_us: u64, label: String, event: bool, order: Order) {
        let since = at_us.saturating_sub(self.last_us);
        self.last_us = at_us;
        let lane = &mut self.lane;
        let noticed = match order {
            Order::Ahead { missing } => missing != 0,
            Order::Late => true,
            Order::First | Order::Duplicate | Order::Jump => false,
        };
        if noticed && lane.lost_us.len() < MARKS {
            lane.lost_us.push(at_us);
        }
        let longest = GAP_US.max(3 * self.period_us);
        let room = lane.bars.len() < MARKS;
        match lane.bars.last_mut() {
            Some(bar) if bar.label == label && since <= longest => {
                if since > 0 && !event {
                    // The shortest distance is the length of a packet; those behind a gap tell nothing.
                    self.period_us = match self.period_us {
                        0 => since,
                        known => known.min(since.max(known / 2)),
                    };
                }
                bar.to_us = at_us;
            }
            _ if room => lane.bars.push(Bar {
                from_us: at_us,
                to_us: at_us,
                label,
                event,
            }),
            _ => {}
        }
    }

    fn finish(mut self) -> Lane {
        for bar in &mut self.lane.bars {
            bar.to_us = bar.to_us.saturating_add(self.period_us.min(GAP_US));
        }
        let counts = self.receiver.counts();
        let jitter = self.receiver.jitter();
        self.lane.figures = format!(
            "{} packets, {} lost, {} late, jitter {:.2} ms (highest {:.2})",
            counts.packets,
            counts.lost().max(0),
            counts.reordered,
            jitter.mean,
            jitter.max
        );
        self.lane
    }
}
