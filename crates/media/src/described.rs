// SPDX-License-Identifier: AGPL-3.0-only
//! What the description of a peer means for a stream: where to send, what, and with which keys.
//!
//! Which messages are read, and whether a description is an offer or an answer, is for whoever reads them. The place of a
//! stream among the media of a description is what joins the two (RFC 3264 §6).

use crate::codec::{Codec, MAX_CHANNELS};
use crate::engine::{Format, Remote};
use crate::srtp::{CryptoLine, Suite};
use core::net::SocketAddr;
use gossipper_sip::sdp::Media;

/// Codecs that an answer of ours takes; the order is the offer's.
pub const ANSWERED: &[Codec] = &[Codec::G722, Codec::Pcma, Codec::Opus, Codec::Pcmu];

/// How a peer protects a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Security {
    /// It does not.
    Clear,
    /// With a key that it tells.
    Sdes(CryptoLine),
    /// With a key that is agreed upon over the media path (DTLS).
    Dtls,
    /// It wants protection, and offers nothing that we know.
    Unknown,
}

/// What a peer described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// Where it wants its packets.
    pub remote: Remote,
    /// RTP and RTCP share a port.
    pub muxed: bool,
    /// Where it wants RTCP if they do not.
    pub rtcp_apart: Option<SocketAddr>,
    /// The first codec that we know; `None` if there is none.
    pub format: Option<Format>,
    /// Length of the packets that it wants.
    pub packet_ms: Option<u32>,
    /// How it protects them.
    pub security: Security,
}

impl Described {
    /// Reads the description of a stream. Of crypto lines the first with a suite among `suites` is taken.
    #[must_use]
    pub fn of(media: Media<'_>, suites: &[Suite]) -> Self {
        Self {
            remote: Remote {
                rtp: media.rtp(),
                rtcp: media.rtcp(),
                held: media.is_held(),
            },
            muxed: media.has_rtcp_mux(),
            rtcp_apart: media.rtcp_apart(),
            format: format_among(media, Codec::ALL),
            packet_ms: media.packet_ms(),
            security: security(media, suites),
        }
    }
}

fn security(media: Media<'_>, suites: &[Suite]) -> Security {
    let wanted = media
        .protocol()
        .split(|byte| *byte == b'/')
        .any(|part| part == b"SAVP" || part == b"SAVPF");
    if let Some(line) = CryptoLine::choose(media.crypto(), suites) {
        // Some peers offer keys for `RTP/AVP`, and take it as protected.
        return Security::Sdes(line);
    }
    if media.attribute(b"fingerprint").is_some() {
        return Security::Dtls;
    }
    if wanted {
        Security::Unknown
    } else {
        Security::Clear
    }
}

/// The first format of a stream whose codec is among `codecs`, with the telephone events of its clock rate.
#[must_use]
pub fn format_among(media: Media<'_>, codecs: &[Codec]) -> Option<Format> {
    let (payload_type, codec, channels) = media.payload_types().find_map(|payload_type| {
        let map = media.rtpmap(payload_type);
        let codec = match map {
            Some(map) => Codec::of_name(map),
            None => Codec::of_payload_type(payload_type),
        };
        // Comfort noise goes with a codec and is none that one talks in.
        let codec = codec.filter(|codec| *codec != Codec::Noise && codecs.contains(codec))?;
        Some((payload_type, codec, channels_of(codec, map)))
    })?;
    Some(Format {
        codec,
        payload_type,
        events: media.payload_type_of(b"telephone-event", codec.params().clock_rate),
        channels,
    })
}

/// The channels that `a=rtpmap` names behind the clock, where they are samples side by side (RFC 3551 §4.1). Opus has a 2
/// there that says nothing of what is in a packet (RFC 7587 §7).
fn channels_of(codec: Codec, map: Option<&[u8]>) -> u8 {
    let named = map.and_then(|map| map.split(|byte| *byte == b'/').nth(2));
    let number = named.and_then(|text| str::from_utf8(text).ok()?.trim().parse().ok());
    number
        .filter(|count| codec.is_coded() && (1..=MAX_CHANNELS).contains(count))
        .unwrap_or(1)
}

/// The format that an answer of ours takes: PCMU if nothing of the offer can be taken.
#[must_use]
pub fn answer_format(media: Media<'_>) -> Format {
    format_among(media, ANSWERED).unwrap_or_else(|| Format {
        codec: Codec::Pcmu,
        payload_type: 0,
        events: media.payload_type_of(b"telephone-event", 8000),
        channels: 1,
    })
}

/// Where a stream goes that SIPp's reader of descriptions found.
#[must_use]
pub fn sipp_remote(rtp: Option<SocketAddr>) -> Remote {
    // COMPAT(sipp): direction attributes are not read, and there is no RTCP.
    Remote {
        rtp,
        rtcp: None,
        held: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_sip::sdp::{MediaKind, Sdp};

    fn described(body: &str) -> Described {
        let media = Sdp::new(body.as_bytes()).first(MediaKind::Audio);
        Described::of(media.expect("a stream"), Suite::ALL)
    }

    #[test]
    fn an_answer_says_where_and_what() {
        let found = described(
            "c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 13 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:30\r\n",
        );
        let expected = Described {
            remote: Remote {
                rtp: Some(([192, 0, 2, 1], 4000).into()),
                rtcp: Some(([192, 0, 2, 1], 4001).into()),
                held: false,
            },
            muxed: false,
            rtcp_apart: Some(([192, 0, 2, 1], 4001).into()),
            format: Some(Format {
                codec: Codec::Pcma,
                payload_type: 8,
                events: Some(101),
                channels: 1,
            }),
            packet_ms: Some(30),
            security: Security::Clear,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mapping_counts_more_than_a_number() {
        let found = described(
            "c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 96 100\r\na=rtpmap:0 X-OTHER/8000\r\na=rtpmap:96 opus/48000/2\r\n\
             a=rtpmap:100 telephone-event/48000\r\na=rtcp-mux\r\na=inactive\r\n",
        );
        let format = found.format.expect("opus is known");
        assert_eq!(
            (format.codec, format.payload_type, format.events),
            (Codec::Opus, 96, Some(100))
        );
        assert!(found.muxed && found.remote.held && found.remote.rtp == found.remote.rtcp);
        assert_eq!(described("m=audio 4 RTP/AVP 3\r\n").format, None);
    }

    #[test]
    fn protection_is_told_by_what_is_offered() {
        let key = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
        let security = |protocol: &str, lines: &str| {
            described(&format!("m=audio 4000 {protocol} 0\r\n{lines}")).security
        };
        assert_eq!(security("RTP/AVP", ""), Security::Clear);
        assert_eq!(security("RTP/SAVP", ""), Security::Unknown);
        let mikey = "a=key-mgmt:mikey AQ\r\n";
        assert_eq!(security("RTP/SAVP", mikey), Security::Unknown);
        let dtls = "a=fingerprint:sha-256 00\r\na=setup:actpass\r\n";
        assert_eq!(security("UDP/TLS/RTP/SAVPF", dtls), Security::Dtls);
        let lines = format!(
            "a=crypto:1 AES_192_CM_HMAC_SHA1_80 inline:x\r\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{key}\r\n"
        );
        for protocol in ["RTP/SAVP", "RTP/AVP"] {
            let Security::Sdes(line) = security(protocol, &lines) else {
                panic!("{protocol}");
            };
            assert_eq!((line.tag, line.key.suite()), (2, Suite::AesCm128Sha1_32));
        }
    }

    #[test]
    fn an_offer_is_answered_with_the_first_codec_of_ours() {
        let answer = |formats: &str| {
            let body = format!("m=audio 4000 RTP/AVP {formats}\r\na=rtpmap:111 opus/48000/2\r\n");
            let media = Sdp::new(body.as_bytes()).first(MediaKind::Audio);
            let format = answer_format(media.expect("a stream"));
            (format.codec, format.payload_type)
        };
        assert_eq!(answer("18 111 8"), (Codec::Opus, 111));
        assert_eq!(answer("18 9 0"), (Codec::G722, 9));
        assert_eq!(answer("3 18"), (Codec::Pcmu, 0));
    }
}
