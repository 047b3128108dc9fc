// SPDX-License-Identifier: AGPL-3.0-only
//! What flowed beside the signalling: which datagrams belong to which side of which call, and what they are.
//!
//! A description says where its side wants to receive; a datagram to that place was sent by the other side. Behind
//! address translation the address of the description is not the one on the wire, so the host that the description came
//! from counts as well.

use crate::calls::Call;
use core::net::SocketAddr;
use core::time::Duration;
use gossipper_capture::Datagram;
use gossipper_sip::sdp::{MediaKind, Sdp};
use std::collections::HashMap;

/// A silence this long, with a message of the call in it, separates two pieces of media.
const SEPARATING_GAP: Duration = Duration::from_secs(1);

/// Digits that follow each other within this time are sent by one action.
const DIGIT_GAP: Duration = Duration::from_millis(1500);

/// How long media may precede the description that announces it, or outlive the call.
const SLACK: Duration = Duration::from_secs(2);

/// A stretch of media of one side.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// What it is.
    pub(crate) kind: MediaKind,
    /// Whether the caller sent it.
    pub(crate) from_caller: bool,
    /// Time of its first packet.
    pub(crate) start: Duration,
    /// Time of its last packet.
    pub(crate) end: Duration,
    /// Its packets, as indices of the capture's datagrams.
    pub(crate) packets: Vec<usize>,
}

/// Digits of one side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Digits {
    /// Whether the caller pressed them.
    pub(crate) from_caller: bool,
    /// When the first one began.
    pub(crate) start: Duration,
    /// When the last one began.
    pub(crate) end: Duration,
    /// Which.
    pub(crate) digits: String,
}

/// The media of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    /// What is to be replayed, in order of time.
    pub(crate) pieces: Vec<Piece>,
    /// Keys that were pressed, in order of time.
    pub(crate) digits: Vec<Digits>,
    /// Packets of sessions that are encrypted, which cannot be replayed.
    pub(crate) encrypted: usize,
    /// Whether a description asks for encryption.
    pub(crate) asks_for_encryption: bool,
}

/// A place at which a side receives.
#[derive(Clone, Debug)]
struct Place {
    call: usize,
    /// Who receives there.
    at_caller: bool,
    kind: MediaKind,
    encrypted: bool,
    from: Duration,
    to: Duration,
}

/// Payload types of a call.
#[derive(Clone, Copy, Debug, Default)]
struct Payloads {
    /// What either description names telephone events, a bit each.
    events: u128,
    /// What either names at all.
    named: u128,
}

impl Payloads {
    /// Whether a packet of RTP may hold an event. An agent ought to use the number that its peer has named; many use their
    /// own, and some one that nobody has named: then only the form tells, four bytes that are an event of RFC 4733.
    fn may_be_event(&self, payload: &[u8]) -> bool {
        let payload_type = payload[1] & 0x7f;
        let is_in = |set: u128| set >> payload_type & 1 == 1;
        if is_in(self.events) {
            return true;
        }
        let is_unknown = payload_type >= 96 && !is_in(self.named);
        is_unknown && payload.len() == 16 && payload[0] == 0x80 && payload[13] & 0x40 == 0
    }
}

/// Finds the media of each call.
pub(crate) fn find(calls: &[Call], datagrams: &[Datagram], takes_digits_out: bool) -> Vec<Media> {
    let mut media = vec![Media::default(); calls.len()];
    let mut places: HashMap<SocketAddr, Vec<Place>> = HashMap::new();
    let mut payloads = vec![Payloads::default(); calls.len()];
    for (at, call) in calls.iter().enumerate() {
        collect(at, call, &mut places, &mut payloads[at], &mut media[at]);
    }
    let mut streams: HashMap<(usize, bool, MediaKind), Vec<usize>> = HashMap::new();
    let mut presses: HashMap<(usize, bool), Presses> = HashMap::new();
    for (index, datagram) in datagrams.iter().enumerate() {
        let to = lookup(&places, datagram.destination, datagram.time);
        let from = || lookup(&places, datagram.source, datagram.time);
        let (place, from_caller) = match to {
            Some(place) => (place, !place.at_caller),
            None => match from() {
                Some(place) => (place, place.at_caller),
                None => continue,
            },
        };
        if !is_media(place.kind, &datagram.payload) {
            continue;
        }
        if place.encrypted {
            media[place.call].encrypted += 1;
            continue;
        }
        let key = (place.call, from_caller);
        if place.kind == MediaKind::Audio
            && payloads[place.call].may_be_event(&datagram.payload)
            && let Some(digit) = event(&datagram.payload)
        {
            presses
                .entry(key)
                .or_default()
                .add(datagram.time, digit, from_caller);
            if takes_digits_out {
                continue;
            }
        }
        streams
            .entry((place.call, from_caller, place.kind))
            .or_default()
            .push(index);
    }
    for ((call, from_caller, kind), packets) in streams {
        let pieces = cut(&calls[call], from_caller, kind, packets, datagrams);
        let over = over(&calls[call]);
        // What an agent still sends when the call is over goes to nobody.
        let heard = pieces
            .into_iter()
            .filter(|piece| over.is_none_or(|over| piece.start < over));
        media[call].pieces.extend(heard);
    }
    for ((call, _), found) in presses {
        media[call].digits.extend(found.done);
    }
    for media in &mut media {
        media
            .pieces
            .sort_by_key(|piece| (piece.start, !piece.from_caller, order(piece.kind)));
        media
            .digits
            .sort_by_key(|digits| (digits.start, !digits.from_caller));
    }
    media
}

fn order(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Audio => 0,
        MediaKind::Video => 1,
        MediaKind::Image => 2,
        MediaKind::Other => 3,
    }
}

/// When a call was over for its media: it was hung up, or never taken. `None` if the capture does not show it.
fn over(call: &Call) -> Option<Duration> {
    let bye = call.events.iter().rev().find(|event| event.msg.asks("BYE"));
    if let Some(bye) = bye {
        return Some(bye.msg.time);
    }
    let invited = |from: u16, to: u16| {
        call.events.iter().rev().find(move |event| {
            let code = event.msg.code();
            event.msg.method == "INVITE" && code.is_some_and(|code| (from..to).contains(&code))
        })
    };
    match (invited(200, 300), invited(300, 700)) {
        (None, Some(refused)) => Some(refused.msg.time),
        _ => None,
    }
}

/// Notes where the sides of a call receive.
fn collect(
    at: usize,
    call: &Call,
    places: &mut HashMap<SocketAddr, Vec<Place>>,
    payloads: &mut Payloads,
    media: &mut Media,
) {
    let end = call.end().saturating_add(SLACK);
    for event in call.events.iter().filter(|event| event.msg.has_sdp()) {
        // Of a multipart body the description is found by its first line.
        let body = &event.msg.body;
        let start = memchr::memmem::find(body, b"v=0").unwrap_or(0);
        for description in Sdp::new(&body[start..]).media().take(32) {
            let bit = |payload_type: u8| 1_u128 << (payload_type & 0x7f);
            for payload_type in description.payload_types().take(128) {
                payloads.named |= bit(payload_type);
            }
            for rate in [8000, 16_000, 32_000, 48_000] {
                let events = description.payload_type_of(b"telephone-event", rate);
                payloads.events |= events.map_or(0, bit);
            }
            let Some(rtp) = description.rtp() else {
                continue;
            };
            let encrypted = memchr::memmem::find(description.protocol(), b"SAVP").is_some()
                || description.crypto().next().is_some()
                || description.attribute(b"fingerprint").is_some();
            media.asks_for_encryption |= encrypted;
            let kind = description.kind();
            if kind == MediaKind::Other {
                continue;
            }
            let place = Place {
                call: at,
                at_caller: event.from_caller,
                kind,
                encrypted,
                from: event.msg.time.saturating_sub(SLACK),
                to: end,
            };
            let behind = SocketAddr::new(event.msg.source.ip(), rtp.port());
            for address in [rtp, behind] {
                let known = places.entry(address).or_default();
                let same = known.last_mut().filter(|last| {
                    last.call == at && last.at_caller == place.at_caller && last.kind == kind
                });
                match same {
                    Some(last) => {
                        last.encrypted |= encrypted;
                    }
                    None => known.push(place.clone()),
                }
                if behind == rtp {
                    break;
                }
            }
        }
    }
}

/// Who receives at an address at a time; of several the one that was announced last.
fn lookup(
    places: &HashMap<SocketAddr, Vec<Place>>,
    address: SocketAddr,
    time: Duration,
) -> Option<&Place> {
    let places = places.get(&address)?;
    places
        .iter()
        .rev()
        .take(64)
        .find(|place| place.from <= time && time <= place.to)
}

/// Whether a datagram is media of this kind: not RTCP, STUN, DTLS, or what keeps a path open.
fn is_media(kind: MediaKind, payload: &[u8]) -> bool {
    let is_rtp =
        payload.len() >= 12 && payload[0] >> 6 == 2 && !(64..96).contains(&(payload[1] & 0x7f));
    match kind {
        MediaKind::Audio | MediaKind::Video => is_rtp,
        // UDPTL has no magic; STUN and RTCP are told apart by theirs.
        MediaKind::Image => {
            let is_stun = payload.len() >= 20 && payload[4..8] == [0x21, 0x12, 0xa4, 0x42];
            payload.len() >= 4 && !is_stun && payload[0] >> 6 != 2
        }
        MediaKind::Other => false,
    }
}

/// The digit of a telephone event (RFC 4733), with the timestamp that tells one press from the next.
fn event(payload: &[u8]) -> Option<(u32, u32, char)> {
    let word = |at: usize| {
        let bytes: [u8; 4] = payload.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    let mut at = 12 + usize::from(payload[0] & 0x0f) * 4;
    if payload[0] & 0x10 != 0 {
        at += 4 + usize::from((word(at)? & 0xffff) as u16) * 4;
    }
    let digit = b"0123456789*#ABCD".get(usize::from(*payload.get(at)?))?;
    Some((word(8)?, word(4)?, char::from(*digit)))
}

/// Presses of one side, as they are recognised.
#[derive(Default)]
struct Presses {
    last: Option<(u32, u32)>,
    done: Vec<Digits>,
}

impl Presses {
    fn add(
        &mut self,
        time: Duration,
        (ssrc, timestamp, digit): (u32, u32, char),
        from_caller: bool,
    ) {
        if self.last == Some((ssrc, timestamp)) {
            return;
        }
        self.last = Some((ssrc, timestamp));
        if let Some(last) = self.done.last_mut()
            && time.saturating_sub(last.end) <= DIGIT_GAP
            && last.digits.len() < 32
        {
            last.digits.push(digit);
            last.end = time;
            return;
        }
        self.done.push(Digits {
            from_caller,
            start: time,
            end: time,
            digits: digit.to_string(),
        });
    }
}

/// Cuts a stream where it was silent while something was said about it.
fn cut(
    call: &Call,
    from_caller: bool,
    kind: MediaKind,
    mut packets: Vec<usize>,
    datagrams: &[Datagram],
) -> Vec<Piece> {
    packets.sort_by_key(|at| datagrams[*at].time);
    let said = |from: Duration, to: Duration| {
        call.events
            .iter()
            .any(|event| from <= event.msg.time && event.msg.time <= to)
    };
    let mut pieces: Vec<Piece> = Vec::new();
    for at in packets {
        let time = datagrams[at].time;
        let same = pieces
            .last_mut()
            .filter(|last| time.saturating_sub(last.end) < SEPARATING_GAP || !said(last.end, time));
        match same {
            Some(last) => {
                last.end = time;
                last.packets.push(at);
            }
            None => pieces.push(Piece {
                kind,
                from_caller,
                start: time,
                end: time,
                packets: vec![at],
            }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presses_are_told_apart_by_their_timestamp() {
        let packet = |timestamp: u8, digit: u8| {
            let mut packet = vec![0x80, 101, 0, 1, 0, 0, 0, timestamp, 0, 0, 0, 7];
            packet.extend_from_slice(&[digit, 10, 0, 160]);
            packet
        };
        let mut presses = Presses::default();
        for (ms, timestamp, digit) in [
            (0, 1, 1),
            (20, 1, 1),
            (300, 2, 1),
            (600, 3, 11),
            (5000, 4, 9),
        ] {
            let found = event(&packet(timestamp, digit)).expect("an event");
            presses.add(Duration::from_millis(ms), found, true);
        }
        let digits: Vec<_> = presses.done.iter().map(|found| &found.digits[..]).collect();
        assert_eq!(digits, ["11#", "9"]);
        assert_eq!(event(&packet(1, 40)), None);
        let named = |events: u128, named: u128| Payloads { events, named };
        assert!(named(1 << 101, 1 | 1 << 101).may_be_event(&packet(1, 1)));
        // Of a number that is something else, and of one that nobody has named.
        assert!(!named(1 << 96, 1 << 96 | 1 << 101).may_be_event(&packet(1, 1)));
        assert!(named(1 << 96, 1 | 1 << 96).may_be_event(&packet(1, 1)));
        assert!(!named(0, 0).may_be_event(&[packet(1, 1), vec![0]].concat()));
    }

    #[test]
    fn rtcp_and_stun_are_no_media() {
        let mut rtp = vec![0; 20];
        rtp[0] = 0x80;
        assert!(is_media(MediaKind::Audio, &rtp));
        rtp[1] = 200;
        assert!(!is_media(MediaKind::Audio, &rtp));
        let mut stun = vec![0; 20];
        stun[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        assert!(!is_media(MediaKind::Audio, &stun));
        assert!(!is_media(MediaKind::Image, &stun));
        assert!(is_media(MediaKind::Image, &[0, 1, 2, 3]));
    }
}
