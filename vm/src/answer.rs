// SPDX-License-Identifier: AGPL-3.0-only
//! What `[audio_…]` keywords print: the answer to the last description that a call has received (RFC 3264 §6.1).
//!
//! Of what a peer offers the first codec that we code or pass through is taken: G722, PCMA, opus or PCMU, in the order of
//! the offer; telephone events go with it. Where nothing was offered that can be used, it is PCMU. The description is
//! read when it comes and kept in a few words, so that a later message without one, an ACK say, changes nothing.
//!
//! `[ice_ufrag]` and `[ice_pwd]` follow from the number of the call: they need no room, and are the same whenever printed.

use crate::render::number;
use crate::rng;
use gossipper_bytecode::Slot;
use gossipper_sip::sdp::{Direction, Media, MediaKind, Sdp};

/// Parameters of opus where the offer has none.
const OPUS_PARAMETERS: &[u8] = b"minptime=10;useinbandfec=1";

/// Events where the offer does not say which.
const EVENTS: &[u8] = b"0-16";

/// Most bytes of a parameter list that is repeated; longer ones are no codec's.
const MOST_BYTES: usize = 512;

/// A codec that an answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Codec {
    Pcmu,
    Pcma,
    G722,
    Opus,
}

impl Codec {
    const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
            Self::G722 => "G722/8000",
            Self::Opus => "opus/48000",
        }
    }

    /// As `a=rtpmap` has it: opus is always said to have two channels (RFC 7587 §7).
    const fn rtpmap(self) -> &'static str {
        match self {
            Self::Opus => "opus/48000/2",
            other => other.name(),
        }
    }

    /// The codec of an offered payload type.
    fn of(media: Media<'_>, payload_type: u8) -> Option<Self> {
        let Some(map) = media.rtpmap(payload_type) else {
            return match payload_type {
                0 => Some(Self::Pcmu),
                8 => Some(Self::Pcma),
                9 => Some(Self::G722),
                _ => None,
            };
        };
        let mut parts = map.split(|byte| *byte == b'/');
        let (name, rate) = (parts.next()?, parts.next().unwrap_or(b"8000"));
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        match rate {
            b"8000" if is("PCMU") => Some(Self::Pcmu),
            b"8000" if is("PCMA") => Some(Self::Pcma),
            b"8000" if is("G722") => Some(Self::G722),
            b"48000" if is("opus") => Some(Self::Opus),
            _ => None,
        }
    }
}

/// The answer to an offer of audio.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AudioAnswer {
    codec: Codec,
    payload_type: u8,
    /// `RTP/AVP`, or what was offered in its place.
    profile: Box<[u8]>,
    parameters: Box<[u8]>,
    /// Payload type of telephone events, and which.
    events: Option<(u8, Box<[u8]>)>,
    /// Of the offer.
    direction: Direction,
}

impl Default for AudioAnswer {
    fn default() -> Self {
        Self {
            codec: Codec::Pcmu,
            payload_type: 0,
            profile: b"RTP/AVP".as_slice().into(),
            parameters: Box::default(),
            events: None,
            direction: Direction::SendRecv,
        }
    }
}

impl AudioAnswer {
    /// The answer to a description.
    pub(crate) fn to(body: &[u8]) -> Self {
        let Some(media) = Sdp::new(body).first(MediaKind::Audio) else {
            return Self::default();
        };
        let is_rtp = media.protocol().windows(4).any(|word| word == b"RTP/");
        let profile = media.protocol();
        let profile = match is_rtp && profile.len() <= MOST_BYTES {
            true => profile,
            false => b"RTP/AVP".as_slice(),
        };
        let found = media
            .payload_types()
            .find_map(|number| Some((number, Codec::of(media, number)?)));
        let (payload_type, codec) = found.unwrap_or((0, Codec::Pcmu));
        let offered = |number| media.fmtp(number).filter(|text| text.len() <= MOST_BYTES);
        let parameters = match codec {
            Codec::Opus => offered(payload_type).unwrap_or(OPUS_PARAMETERS),
            Codec::Pcmu | Codec::Pcma | Codec::G722 => b"",
        };
        // Events have the clock of the audio beside them (RFC 4733 §2.1).
        let clock = match codec {
            Codec::Opus => 48_000,
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8000,
        };
        let events = found
            .and_then(|_| media.payload_type_of(b"telephone-event", clock))
            .map(|number| (number, offered(number).unwrap_or(EVENTS).into()));
        Self {
            codec,
            payload_type,
            profile: profile.into(),
            parameters: parameters.into(),
            events,
            direction: media.direction(),
        }
    }

    /// Bytes that it holds.
    pub(crate) fn heap_bytes(&self) -> usize {
        let events = self.events.as_ref().map_or(0, |(_, text)| text.len());
        size_of::<Self>() + self.profile.len() + self.parameters.len() + events
    }

    /// Prints what a keyword asks for; `port` is that of the call's audio. What `answers` has the direction that the offer
    /// asks for.
    pub(crate) fn print(&self, slot: Slot, port: i64, answers: bool, out: &mut Vec<u8>) {
        match slot {
            Slot::AudioPt => number(i64::from(self.payload_type), out),
            Slot::AudioCodec => out.extend_from_slice(self.codec.name().as_bytes()),
            Slot::AudioRtpmap => self.rtpmap(out),
            Slot::AudioFmtp => self.fmtp(out),
            _ => self.lines(port, answers, out),
        }
    }

    fn rtpmap(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"a=rtpmap:");
        number(i64::from(self.payload_type), out);
        out.push(b' ');
        out.extend_from_slice(self.codec.rtpmap().as_bytes());
    }

    fn fmtp(&self, out: &mut Vec<u8>) {
        if self.parameters.is_empty() {
            return;
        }
        out.extend_from_slice(b"a=fmtp:");
        number(i64::from(self.payload_type), out);
        out.push(b' ');
        out.extend_from_slice(&self.parameters);
    }

    /// The whole description of the audio, without the end of its last line.
    fn lines(&self, port: i64, answers: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"m=audio ");
        number(port, out);
        out.push(b' ');
        out.extend_from_slice(&self.profile);
        out.push(b' ');
        number(i64::from(self.payload_type), out);
        if let Some((events, _)) = &self.events {
            out.push(b' ');
            number(i64::from(*events), out);
        }
        out.extend_from_slice(b"\r\n");
        self.rtpmap(out);
        if !self.parameters.is_empty() {
            out.extend_from_slice(b"\r\n");
            self.fmtp(out);
        }
        if let Some((events, which)) = &self.events {
            let clock = match self.codec {
                Codec::Opus => "48000",
                Codec::Pcmu | Codec::Pcma | Codec::G722 => "8000",
            };
            out.extend_from_slice(b"\r\na=rtpmap:");
            number(i64::from(*events), out);
            out.extend_from_slice(b" telephone-event/");
            out.extend_from_slice(clock.as_bytes());
            out.extend_from_slice(b"\r\na=fmtp:");
            number(i64::from(*events), out);
            out.push(b' ');
            out.extend_from_slice(which);
        }
        // Seen from here: who is held by the offer only receives.
        let direction: &[u8] = match self.direction {
            _ if !answers => b"",
            Direction::SendRecv => b"",
            Direction::SendOnly => b"\r\na=recvonly",
            Direction::RecvOnly => b"\r\na=sendonly",
            Direction::Inactive => b"\r\na=inactive",
        };
        out.extend_from_slice(direction);
    }
}

/// What the streams of calls are mixed with, so that what ICE shows tells nothing of keys and tags.
const ICE: u64 = 0x1ce0_5eed_0ff5_e700;

/// Prints the user fragment of a call (8 characters) or its password (24): letters, digits, `+` and `/` (RFC 8839 §5.4).
pub(crate) fn ice(password: bool, run_seed: u64, call: u64, out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (skipped, len) = if password { (8, 24) } else { (0, 8) };
    let mut state = rng::seed(run_seed ^ ICE, call);
    rng::draw(&mut state, |rng| {
        for at in 0..skipped + len {
            let letter = LETTERS[rng.usize(..LETTERS.len())];
            if at >= skipped {
                out.push(letter);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(offer: &str, slot: Slot) -> String {
        let mut out = Vec::new();
        AudioAnswer::to(offer.as_bytes()).print(slot, 4000, true, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_answer_to_a_hold_takes_the_other_side_of_it() {
        for (offered, answered) in [
            ("a=sendonly\r\n", "\r\na=recvonly"),
            ("a=recvonly\r\n", "\r\na=sendonly"),
            ("a=inactive\r\n", "\r\na=inactive"),
            ("a=sendrecv\r\n", ""),
        ] {
            let offer = offer("RTP/AVP 0", offered);
            let lines = "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000";
            let sdp = Slot::AudioSdp(0);
            assert_eq!(printed(&offer, sdp), format!("{lines}{answered}"));
            // A request that offers says itself what it wants.
            let mut out = Vec::new();
            AudioAnswer::to(offer.as_bytes()).print(sdp, 4000, false, &mut out);
            assert_eq!(out, lines.as_bytes());
        }
    }

    fn offer(line: &str, more: &str) -> String {
        format!("v=0\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 5000 {line}\r\n{more}")
    }

    #[test]
    fn the_first_usable_codec_of_the_offer_is_taken() {
        let codec = |line: &str, more: &str| {
            let offer = offer(line, more);
            (
                printed(&offer, Slot::AudioPt),
                printed(&offer, Slot::AudioCodec),
            )
        };
        let is = |number: &str, name: &str| (number.to_owned(), name.to_owned());
        assert_eq!(codec("RTP/AVP 18 8 0", ""), is("8", "PCMA/8000"));
        assert_eq!(codec("RTP/AVP 0 8", ""), is("0", "PCMU/8000"));
        let map = "a=rtpmap:97 G722/8000\r\na=rtpmap:0 speex/8000\r\n";
        assert_eq!(codec("RTP/AVP 0 97", map), is("97", "G722/8000"));
        let map = "a=rtpmap:111 OPUS/48000/2\r\n";
        assert_eq!(codec("RTP/AVP 111 0", map), is("111", "opus/48000"));
        // Nothing of use, or nothing at all.
        assert_eq!(codec("RTP/AVP 18 4", ""), is("0", "PCMU/8000"));
        assert_eq!(printed("", Slot::AudioPt), "0");
        // A refused stream is none.
        let refused = "v=0\r\nm=audio 0 RTP/AVP 8\r\n";
        assert_eq!(printed(refused, Slot::AudioPt), "0");
    }

    #[test]
    fn the_answer_has_the_lines_of_what_it_takes() {
        let more = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=fmtp:8 x=1\r\n";
        assert_eq!(
            printed(&offer("RTP/SAVP 8 101", more), Slot::AudioSdp(0)),
            "m=audio 4000 RTP/SAVP 8 101\r\n\
             a=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\n\
             a=fmtp:101 0-15"
        );
        let more = "a=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\n";
        assert_eq!(
            printed(&offer("UDP/TLS/RTP/SAVPF 96 97", more), Slot::AudioSdp(0)),
            "m=audio 4000 UDP/TLS/RTP/SAVPF 96 97\r\n\
             a=rtpmap:96 opus/48000/2\r\n\
             a=fmtp:96 minptime=10;useinbandfec=1\r\n\
             a=rtpmap:97 telephone-event/48000\r\n\
             a=fmtp:97 0-16"
        );
        let own = "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1\r\n";
        assert_eq!(
            printed(&offer("RTP/AVP 96", own), Slot::AudioFmtp),
            "a=fmtp:96 stereo=1"
        );
        assert_eq!(printed(&offer("RTP/AVP 8", ""), Slot::AudioFmtp), "");
        assert_eq!(
            printed("", Slot::AudioSdp(0)),
            "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000"
        );
        assert_eq!(
            printed(&offer("udptl t38 8", ""), Slot::AudioSdp(0))
                .lines()
                .next(),
            Some("m=audio 4000 RTP/AVP 8")
        );
    }

    #[test]
    fn calls_have_words_of_their_own_for_ice_and_keep_them() {
        let word = |password, call| {
            let mut out = Vec::new();
            ice(password, 7, call, &mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(word(false, 1), word(false, 1));
        assert_ne!(word(false, 1), word(false, 2));
        assert_eq!((word(false, 1).len(), word(true, 1).len()), (8, 24));
        assert!(!word(true, 1).contains(&word(false, 1)));
    }
}
