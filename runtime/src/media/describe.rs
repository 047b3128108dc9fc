// SPDX-License-Identifier: AGPL-3.0-only
//! Descriptions of both sides of a call: where to send, what, with which keys.
//!
//! By our own rules offer and answer are joined as RFC 3264 has it. By SIPp's a description of the peer moves the streams and
//! nothing else, but for keys, which both sides have to name.

use std::net::SocketAddr;

use gossipper_media::Codec;
use gossipper_media::Micros;
use gossipper_media::described::{Described, Security, format_among, sipp_remote};
use gossipper_media::engine::{Format, Keys, Op, Remote};
use gossipper_media::srtp::{CryptoLine, Suite};
use gossipper_sip::sdp::{Media as MediaLine, MediaKind, Sdp, sipp};
use gossipper_vm::{CallKey, SdpOf, SdpPlace};

use super::config::{MediaRules, SrtpPolicy};
use super::{Media, micros};

/// Crypto lines of a stream that are kept.
const MAX_LINES: usize = 8;

/// Streams as they are counted.
const KINDS: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];

/// Who described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Us,
    Peer,
}

/// The last offer.
#[derive(Debug, Clone, Copy)]
struct Offer {
    by: Side,
    /// Whose request it is in or answers, and the number of that: each side counts its own.
    exchange: (Side, u32),
    answered: bool,
}

/// The exchange that a message of this side belongs to.
fn exchange(side: Side, place: SdpPlace, cseq: u32) -> (Side, u32) {
    match (place, side) {
        (SdpPlace::Response, Side::Us) => (Side::Peer, cseq),
        (SdpPlace::Response, Side::Peer) => (Side::Us, cseq),
        (SdpPlace::Request | SdpPlace::Acknowledgement, side) => (side, cseq),
    }
}

impl Offer {
    /// Whether a description of this side is its answer. A 183 and the 200 behind it may both hold it.
    fn is_answered_by(self, side: Side, place: SdpPlace, exchange: (Side, u32)) -> bool {
        let may = side != self.by && place != SdpPlace::Request;
        // A response to a request that offered nothing makes an offer itself, whatever was offered before (RFC 3261
        // §13.2.1). A PRACK that answers the offer of a 183 has another number (RFC 3262 §5).
        let prack = place == SdpPlace::Acknowledgement && !self.answered;
        may && (exchange == self.exchange || prack)
    }
}

/// What one side has said of a stream.
#[derive(Debug, Clone, Default)]
struct Said {
    crypto: Vec<CryptoLine>,
    muxed: bool,
    /// It sends nothing: `recvonly` or `inactive`.
    silent: bool,
    /// Its formats that we know, in its order.
    formats: Vec<Format>,
}

/// What both sides have said.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    offer: Option<Offer>,
    ours: [Said; 2],
    theirs: [Said; 2],
    /// Where the peer wants its packets, by its own words.
    remotes: [Remote; 2],
    /// And its RTCP, unless both share a port.
    apart: [Option<SocketAddr>; 2],
    /// Payload type and codec to send, and the payload type of telephone events.
    sends: [Option<(u8, Codec, Option<u8>)>; 2],
    /// The peer asks for SRTP.
    wants_srtp: bool,
    /// Which streams have keys.
    keyed: [bool; 2],
    /// It wants to agree upon keys over the media path.
    wants_dtls: bool,
}

impl Agreement {
    /// Payload type and codec to send.
    pub(super) fn payload(&self, stream: usize) -> Option<(u8, Codec)> {
        self.sends[stream].map(|(number, codec, _)| (number, codec))
    }

    /// Payload type of telephone events.
    pub(super) fn events(&self) -> Option<u8> {
        self.sends[0].and_then(|(_, _, events)| events)
    }

    /// Whether something may be sent in clear to a peer that asks for SRTP.
    pub(super) fn check(&self, stream: usize, refusal: Option<&str>) -> Result<(), String> {
        if !self.wants_srtp {
            return Ok(());
        }
        let why = match refusal {
            Some(refusal) => refusal,
            None if self.wants_dtls => {
                "rtp_stream start: the peer agrees upon keys by DTLS alone, which this version does not do"
            }
            None if !self.keyed[stream] => {
                "rtp_stream start: the peer asks for SRTP, and no `a=crypto` line of this scenario fits one of its"
            }
            None => return Ok(()),
        };
        Err(why.to_owned())
    }
}

impl Said {
    fn of(media: Option<MediaLine<'_>>) -> Self {
        let Some(media) = media else {
            return Self::default();
        };
        let mut formats = Vec::new();
        for codec in Codec::ALL {
            if let Some(format) = format_among(media, &[*codec]) {
                formats.push(format);
            }
        }
        let place = |format: &Format| {
            media
                .payload_types()
                .position(|number| number == format.payload_type)
        };
        formats.sort_by_key(place);
        Self {
            crypto: media
                .crypto()
                .filter_map(|line| CryptoLine::parse(line).ok())
                .filter(|line| Suite::ALL.contains(&line.key.suite()))
                .take(MAX_LINES)
                .collect(),
            muxed: media.has_rtcp_mux(),
            silent: !media.direction().sends(),
            formats,
        }
    }
}

/// The keys of an offer and the answer to it: the line that the answer takes, and that of the offer with its tag.
fn keys(ours: &[CryptoLine], theirs: &[CryptoLine], answered: Side) -> Option<Box<Keys>> {
    let (answer, offer) = match answered {
        Side::Us => (ours, theirs),
        Side::Peer => (theirs, ours),
    };
    let chosen = answer.first()?;
    let same = |line: &&CryptoLine| line.key.suite() == chosen.key.suite();
    let matching = offer
        .iter()
        .find(|line| line.tag == chosen.tag)
        // Some answer with a tag of their own.
        .or_else(|| offer.iter().find(same))?;
    let (ours, theirs) = match answered {
        Side::Us => (chosen, matching),
        Side::Peer => (matching, chosen),
    };
    Some(Box::new(Keys {
        send: ours.key.clone(),
        receive: theirs.key.clone(),
    }))
}

/// What a description says of each stream.
fn described(sdp: Sdp<'_>) -> [Option<Described>; 2] {
    KINDS.map(|kind| Some(Described::of(sdp.first(kind)?, Suite::ALL)))
}

fn asks(described: &[Option<Described>], wanted: fn(&Security) -> bool) -> bool {
    let mut found = described.iter().flatten();
    found.any(|described| wanted(&described.security))
}

/// A description in a body, which may have other parts.
fn description(body: &[u8]) -> &[u8] {
    if body.starts_with(b"v=") {
        return body;
    }
    memchr::memmem::find(body, b"\nv=0").map_or(body, |at| &body[at + 1..])
}

impl Media {
    /// A description was sent or accepted.
    pub(crate) fn described(
        &mut self,
        now: gossipper_vm::Micros,
        call: CallKey,
        of: SdpOf,
        (place, cseq): (SdpPlace, u32),
        body: &[u8],
    ) {
        let now = micros(now);
        if let SdpOf::Peer { may_move_play, .. } = of
            && may_move_play
            && let Some(found) = sipp::play_endpoints(body, self.sockets.params.ip.is_ipv6())
        {
            self.move_plays(now, call, [found.audio, found.image, found.video]);
        }
        let declared = match of {
            SdpOf::Us => true,
            SdpOf::Peer { declared, .. } => declared,
        };
        if !declared {
            return;
        }
        let sdp = Sdp::new(description(body));
        let side = match of {
            SdpOf::Us => Side::Us,
            SdpOf::Peer { .. } => Side::Peer,
        };
        let Some(record) = self.calls.get_mut(call) else {
            return;
        };
        let agreed = &mut record.agreed;
        let exchange = exchange(side, place, cseq);
        let answers = match &mut agreed.offer {
            Some(offer) if offer.is_answered_by(side, place, exchange) => {
                offer.answered = true;
                true
            }
            // The same offer again: in a 183 and in the 200 behind it.
            Some(offer) if offer.by == side && offer.exchange == exchange => false,
            offer => {
                *offer = Some(Offer {
                    by: side,
                    exchange,
                    answered: false,
                });
                false
            }
        };
        for (index, kind) in KINDS.into_iter().enumerate() {
            let said = Said::of(sdp.first(kind));
            match side {
                Side::Us => agreed.ours[index] = said,
                Side::Peer => agreed.theirs[index] = said,
            }
        }
        match side {
            Side::Us => {
                for (index, kind) in KINDS.into_iter().enumerate() {
                    if let Some(media) = sdp.first(kind) {
                        self.move_stream(call, index, media.port());
                    }
                }
            }
            Side::Peer if self.plan.config.rules == MediaRules::Sipp => {
                self.endpoints_as_sipp(now, call, body);
                // COMPAT(sipp): what a peer asks for is not looked at, unless it is to be refused.
                if self.plan.config.srtp == SrtpPolicy::Reject {
                    let described = described(sdp);
                    if asks(&described, |security| *security != Security::Clear) {
                        self.refuse_srtp(call);
                    }
                }
            }
            Side::Peer => self.endpoints(call, sdp),
        }
        if self.plan.config.rules == MediaRules::Own && (side == Side::Peer || answers) {
            self.move_remotes(now, call);
        }
        self.agree(now, call, answers.then_some(side));
    }

    fn endpoints_as_sipp(&mut self, now: Micros, call: CallKey, body: &[u8]) {
        let Some(record) = self.calls.get(call) else {
            return;
        };
        let streams = record.streams;
        let Some(found) = sipp::stream_endpoints(body) else {
            // COMPAT(sipp): SIPp ends the process for it (docs/compat.md#media).
            let number = record.number;
            self.warnings.push(format!(
                "call {number}: a description without `c=` moves no stream"
            ));
            return;
        };
        for (stream, remote) in streams.into_iter().zip([found.audio, found.video]) {
            if let Some(stream) = stream {
                self.order(now, stream, Op::Remote(sipp_remote(remote)));
            }
        }
    }

    /// Takes in where the peer is and what it asks for.
    fn endpoints(&mut self, call: CallKey, sdp: Sdp<'_>) {
        let Some(record) = self.calls.get_mut(call) else {
            return;
        };
        let agreed = &mut record.agreed;
        let described = described(sdp);
        agreed.wants_srtp = asks(&described, |security| *security != Security::Clear);
        agreed.wants_dtls = asks(&described, |security| *security == Security::Dtls);
        let refused = agreed.wants_srtp && self.plan.config.srtp == SrtpPolicy::Reject;
        // A stream that is refused, or that nobody speaks of, gets nothing.
        agreed.apart = [0, 1].map(|index: usize| described[index].as_ref()?.rtcp_apart);
        agreed.remotes =
            described.map(|described| described.map_or_else(Remote::default, |it| it.remote));
        if refused {
            self.refuse_srtp(call);
        }
    }

    fn refuse_srtp(&mut self, call: CallKey) {
        self.fail(
            call,
            "the peer asks for SRTP, and -media_reject_srtp refuses it",
        );
    }

    /// Sends to where both sides' words say from now on.
    fn move_remotes(&mut self, now: Micros, call: CallKey) {
        let Some(record) = self.calls.get(call) else {
            return;
        };
        let streams = record.streams;
        for (index, stream) in streams.into_iter().enumerate() {
            let Some(stream) = stream else {
                continue;
            };
            let Some(record) = self.calls.get(call) else {
                return;
            };
            let agreed = &record.agreed;
            let (ours, theirs) = (&agreed.ours[index], &agreed.theirs[index]);
            let mut remote = agreed.remotes[index];
            if theirs.muxed && !ours.muxed {
                // Both have to want it (RFC 5761 §5.1.1).
                remote.rtcp = agreed.apart[index];
            }
            remote.held |= ours.silent;
            self.order(now, stream, Op::Remote(remote));
        }
    }

    /// What follows from what both have said.
    fn agree(&mut self, now: Micros, call: CallKey, answered: Option<Side>) {
        let config = &self.plan.config;
        let uses_keys = config.rules == MediaRules::Sipp || config.srtp == SrtpPolicy::Use;
        let Some(record) = self.calls.get_mut(call) else {
            return;
        };
        let streams = record.streams;
        for (index, stream) in streams.into_iter().enumerate() {
            let Some(stream) = stream else {
                continue;
            };
            let Some(record) = self.calls.get_mut(call) else {
                return;
            };
            let agreed = &mut record.agreed;
            let (ours, theirs) = (&agreed.ours[index], &agreed.theirs[index]);
            // What the answer names first is what both can; before it, what the peer has.
            let first = match answered {
                Some(Side::Us) => ours.formats.first(),
                Some(Side::Peer) | None => theirs.formats.first(),
            };
            let first = first.or_else(|| theirs.formats.first()).copied();
            if let Some(first) = first {
                let same = |said: &Said| {
                    let mut formats = said.formats.iter();
                    formats.find(|format| format.codec == first.codec).copied()
                };
                let to_send = same(theirs).unwrap_or(first);
                let heard = same(ours).unwrap_or(first);
                agreed.sends[index] = Some((to_send.payload_type, to_send.codec, to_send.events));
                // Static numbers are known without.
                let others: Box<[_]> = ours
                    .formats
                    .iter()
                    .map(|format| (format.payload_type, format.codec))
                    .filter(|(number, codec)| {
                        *codec != heard.codec && Codec::of_payload_type(*number) != Some(*codec)
                    })
                    .collect();
                self.order(now, stream, Op::Format(heard));
                self.order(now, stream, Op::Others(others));
            }
            let Some(record) = self.calls.get(call) else {
                return;
            };
            let (number, agreed) = (record.number, &record.agreed);
            if let Some(answered) = answered.filter(|_| uses_keys) {
                let keys = keys(
                    &agreed.ours[index].crypto,
                    &agreed.theirs[index].crypto,
                    answered,
                );
                let keyed = keys.is_some();
                self.plan.debug.agreed(number, index, keys.as_deref());
                self.order(now, stream, Op::Keys(keys));
                if let Some(record) = self.calls.get_mut(call) {
                    record.agreed.keyed[index] = keyed;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tag: u32, suite: &str, key: u8) -> CryptoLine {
        let key = gossipper_sip::aka::base64_encode(&[key; 30]);
        let key = String::from_utf8(key).expect("base64");
        let text = format!("{tag} {suite} inline:{key}");
        CryptoLine::parse(text.as_bytes()).expect("a line")
    }

    #[test]
    fn an_answer_takes_the_line_of_the_offer_that_has_its_tag() {
        let (long, short) = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32");
        let offer = [line(1, long, 1), line(2, short, 2)];
        let answer = [line(2, short, 9)];
        let found = keys(&offer, &answer, Side::Peer).expect("they agree");
        assert_eq!(
            (&found.send, &found.receive),
            (&offer[1].key, &answer[0].key)
        );
        let found = keys(&answer, &offer, Side::Us).expect("they agree");
        assert_eq!(
            (&found.send, &found.receive),
            (&answer[0].key, &offer[1].key)
        );
        // Another tag, but the same suite.
        let other = [line(7, short, 9)];
        let found = keys(&offer, &other, Side::Peer).expect("they agree");
        assert_eq!(found.send, offer[1].key);
        assert!(keys(&offer, &[], Side::Peer).is_none());
    }

    #[test]
    fn a_description_is_found_among_other_parts() {
        let body =
            b"--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 4 RTP/AVP 0\r\n--x--";
        assert!(description(body).starts_with(b"v=0\r\nm=audio 4"));
        assert_eq!(description(b"v=0\r\n"), b"v=0\r\n");
        assert_eq!(description(b"else"), b"else");
    }
}
