// SPDX-License-Identifier: AGPL-3.0-only
//! What is known of a codec without touching a sample: names, clocks, sizes.
//!
//! COMPAT(sipp): sizes and steps are those of SIPp's `rtp_stream`. Its H264 steps 1280 per 160 ms though the clock of
//! H264 runs at 90 kHz; a raw file of H264 is no stream of frames anyway.

pub mod g711;
pub mod g722;

use crate::time::Micros;

/// A codec that a stream may carry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// G.729; passed through.
    G729,
    /// Comfort noise (RFC 3389).
    Noise,
    /// iLBC in frames of 30 ms; passed through.
    Ilbc,
    /// Opus; passed through.
    Opus,
    /// H.264; passed through.
    H264,
}

/// Figures of a codec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodecParams {
    /// As in `a=rtpmap`, without the clock rate.
    pub name: &'static str,
    /// Of RTP timestamps, per second.
    pub clock_rate: u32,
    /// Of the audio, per second; 0 where we do not code it.
    pub sample_rate: u32,
    /// Length of a packet.
    pub packet_ms: u32,
    /// Payload of a packet, in bytes.
    pub payload_len: usize,
    /// What a packet adds to the timestamp.
    pub timestamp_step: u32,
    /// The payload type that needs no `a=rtpmap` (RFC 3551), else the one we take.
    pub payload_type: u8,
}

impl Codec {
    /// All there are.
    pub const ALL: &'static [Self] = &[
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::G729,
        Self::Noise,
        Self::Ilbc,
        Self::Opus,
        Self::H264,
    ];

    /// Its figures.
    #[must_use]
    pub const fn params(self) -> CodecParams {
        // name, clock, samples, ms, bytes, step, payload type
        let row = match self {
            Self::Pcmu => ("PCMU", 8000, 8000, 20, 160, 160, 0),
            Self::Pcma => ("PCMA", 8000, 8000, 20, 160, 160, 8),
            // RFC 3551 §4.5.2: the clock of G722 is 8 kHz by an old mistake; its audio has 16 kHz.
            Self::G722 => ("G722", 8000, 16_000, 20, 160, 160, 9),
            Self::G729 => ("G729", 8000, 0, 20, 20, 160, 18),
            Self::Noise => ("CN", 8000, 0, 150, 1, 1200, 13),
            Self::Ilbc => ("iLBC", 8000, 0, 30, 50, 240, 97),
            // A frame of 20 ms that holds silence has three bytes.
            Self::Opus => ("opus", 48_000, 0, 20, 3, 960, 111),
            Self::H264 => ("H264", 90_000, 0, 160, 1280, 1280, 96),
        };
        CodecParams {
            name: row.0,
            clock_rate: row.1,
            sample_rate: row.2,
            packet_ms: row.3,
            payload_len: row.4,
            timestamp_step: row.5,
            payload_type: row.6,
        }
    }

    /// The codec of a name in `a=rtpmap` or in a scenario, with or without `/RATE`; case does not count.
    #[must_use]
    pub fn of_name(name: &[u8]) -> Option<Self> {
        let end = name.iter().position(|byte| *byte == b'/');
        let name = &name[..end.unwrap_or(name.len())];
        Self::ALL
            .iter()
            .copied()
            .find(|codec| codec.params().name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The codec of a payload type that needs no `a=rtpmap`.
    #[must_use]
    pub fn of_payload_type(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            9 => Some(Self::G722),
            13 => Some(Self::Noise),
            18 => Some(Self::G729),
            _ => None,
        }
    }

    /// Whether its samples can be coded and decoded here.
    #[must_use]
    pub const fn is_coded(self) -> bool {
        self.params().sample_rate != 0
    }

    /// Payload bytes and timestamp step of packets of another length; `None` where the codec has no such packets.
    #[must_use]
    pub fn packet_of(self, packet_ms: u32) -> Option<PacketShape> {
        let params = self.params();
        let period = Micros::from_ms(u64::from(packet_ms));
        if packet_ms == 0 || packet_ms > MAX_PACKET_MS.max(params.packet_ms) {
            return None;
        }
        if packet_ms == params.packet_ms {
            return Some(PacketShape {
                period,
                payload_len: params.payload_len,
                timestamp_step: params.timestamp_step,
                channels: 1,
            });
        }
        let payload_len = match self {
            // Eight bytes a millisecond.
            Self::Pcmu | Self::Pcma | Self::G722 => 8 * packet_ms as usize,
            // One frame however long until the next.
            Self::Noise => params.payload_len,
            // Whole frames.
            Self::G729 if packet_ms.is_multiple_of(10) => packet_ms as usize,
            Self::Ilbc if packet_ms.is_multiple_of(30) => packet_ms as usize / 30 * 50,
            // A part of a picture, however often.
            Self::H264 => params.payload_len,
            Self::G729 | Self::Ilbc | Self::Opus => return None,
        };
        Some(PacketShape {
            period,
            payload_len,
            timestamp_step: params.clock_rate / 1000 * packet_ms,
            channels: 1,
        })
    }
}

/// The longest packet of audio: 200 ms of G.711 still fit a datagram of Ethernet.
pub const MAX_PACKET_MS: u32 = 180;

/// Channels of audio that have an order (RFC 3551 §4.1).
pub const MAX_CHANNELS: u8 = 6;

/// Payload that fits a datagram of Ethernet, with the headers of IPv6, UDP, RTP and a tag of SRTP.
pub const MAX_PAYLOAD_LEN: usize = 1420;

impl PacketShape {
    /// The same for several channels, whose samples stand side by side (RFC 3551 §4.1).
    ///
    /// # Errors
    /// The codec has one channel alone, there are too many, or the packets do not fit a datagram.
    pub fn with_channels(self, codec: Codec, channels: u8) -> Result<Self, ChannelsError> {
        match (codec, channels) {
            (_, 1) => return Ok(self),
            (Codec::Pcmu | Codec::Pcma | Codec::G722, 2..=MAX_CHANNELS) => {}
            (Codec::Pcmu | Codec::Pcma | Codec::G722, _) => {
                return Err(ChannelsError::Count(channels));
            }
            _ => return Err(ChannelsError::Codec(codec)),
        }
        let payload_len = self.payload_len * usize::from(channels);
        if payload_len > MAX_PAYLOAD_LEN {
            return Err(ChannelsError::Long(payload_len));
        }
        Ok(Self {
            payload_len,
            channels,
            ..self
        })
    }
}

/// Why audio cannot have so many channels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChannelsError {
    /// None, or too many.
    Count(u8),
    /// The codec says itself how many channels there are.
    Codec(Codec),
    /// So many bytes do not fit a datagram.
    Long(usize),
}

impl core::fmt::Display for ChannelsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Count(count) => {
                write!(f, "{count} channels: there may be 1 to {MAX_CHANNELS}")
            }
            Self::Codec(codec) => {
                write!(f, "{} has no channels side by side", codec.params().name)
            }
            Self::Long(len) => write!(
                f,
                "packets of {len} bytes do not fit a datagram: fewer channels, or shorter packets"
            ),
        }
    }
}

impl core::error::Error for ChannelsError {}

/// How a stream is cut into packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketShape {
    /// From one to the next.
    pub period: Micros,
    /// Payload of each.
    pub payload_len: usize,
    /// What each adds to the timestamp.
    pub timestamp_step: u32,
    /// Channels, whose samples stand side by side.
    pub channels: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_payload_types_lead_to_codecs() {
        assert_eq!(Codec::of_name(b"pcmu/8000"), Some(Codec::Pcmu));
        assert_eq!(Codec::of_name(b"OPUS/48000/2"), Some(Codec::Opus));
        assert_eq!(Codec::of_name(b"iLBC"), Some(Codec::Ilbc));
        assert_eq!(Codec::of_name(b"PCM"), None);
        for codec in Codec::ALL {
            let params = codec.params();
            assert_eq!(Codec::of_name(params.name.as_bytes()), Some(*codec));
            if params.payload_type < 96 {
                assert_eq!(Codec::of_payload_type(params.payload_type), Some(*codec));
            }
        }
    }

    #[test]
    fn another_packet_length_changes_bytes_and_timestamp_alike() {
        let shape = |codec: Codec, ms| {
            codec
                .packet_of(ms)
                .map(|shape| (shape.payload_len, shape.timestamp_step))
        };
        assert_eq!(shape(Codec::Pcmu, 20), Some((160, 160)));
        assert_eq!(shape(Codec::Pcma, 30), Some((240, 240)));
        assert_eq!(shape(Codec::G722, 10), Some((80, 80)));
        assert_eq!(shape(Codec::G729, 30), Some((30, 240)));
        assert_eq!(shape(Codec::Ilbc, 60), Some((100, 480)));
        assert_eq!(shape(Codec::Noise, 100), Some((1, 800)));
        assert_eq!(shape(Codec::H264, 160), Some((1280, 1280)));
        for (codec, ms) in [
            (Codec::Pcmu, 0),
            (Codec::Pcmu, 1000),
            (Codec::Ilbc, 20),
            (Codec::Opus, 40),
        ] {
            assert_eq!(shape(codec, ms), None, "{codec:?} {ms}");
        }
        assert_eq!(shape(Codec::H264, 33), Some((1280, 2970)));
    }

    #[test]
    fn channels_stand_side_by_side_where_the_codec_has_samples_and_the_datagram_room() {
        let channels = |codec: Codec, ms, channels| {
            let shape = codec.packet_of(ms).expect("a shape");
            let shape = shape.with_channels(codec, channels)?;
            Ok((shape.payload_len, shape.timestamp_step))
        };
        assert_eq!(channels(Codec::Pcmu, 20, 2), Ok((320, 160)));
        assert_eq!(channels(Codec::Opus, 20, 1), Ok((3, 960)));
        assert_eq!(
            channels(Codec::Opus, 20, 2),
            Err(ChannelsError::Codec(Codec::Opus))
        );
        assert_eq!(channels(Codec::Pcma, 20, 7), Err(ChannelsError::Count(7)));
        assert_eq!(channels(Codec::Pcma, 20, 0), Err(ChannelsError::Count(0)));
        assert_eq!(
            channels(Codec::G722, 100, 2),
            Err(ChannelsError::Long(1600))
        );
    }
}
