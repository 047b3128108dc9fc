// SPDX-License-Identifier: AGPL-3.0-only
//! RTP packets (RFC 3550 §5): twelve bytes written in front of a payload, and whole packets read.
//!
//! What we send never has padding, contributing sources or an extension, so its header is always twelve bytes and is
//! written straight into the buffer that leaves. What we receive may have all of them. Reading borrows; it allocates
//! nothing and is linear in the number of contributing sources, of which there are at most fifteen.

/// Bytes of a header without contributing sources and extension.
pub const HEADER_LEN: usize = 12;

/// The only version there is.
const VERSION: u8 = 2;

/// The fixed part of a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Begins a talk spurt, or ends a frame of video.
    pub marker: bool,
    /// What the payload is: 0 to 127.
    pub payload_type: u8,
    /// Counts packets.
    pub sequence: u16,
    /// Counts samples.
    pub timestamp: u32,
    /// Whose packets these are.
    pub ssrc: u32,
}

impl Header {
    /// Writes the header.
    #[inline]
    pub fn write(&self, out: &mut [u8; HEADER_LEN]) {
        out[0] = VERSION << 6;
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    /// Appends a packet with this header.
    #[inline]
    pub fn append(&self, payload: &[u8], out: &mut Vec<u8>) {
        let mut header = [0; HEADER_LEN];
        self.write(&mut header);
        out.reserve(HEADER_LEN + payload.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(payload);
    }
}

/// Why bytes are no RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RtpError {
    /// Fewer bytes than the header says, or than any header has.
    Short,
    /// A version other than 2.
    Version,
    /// More padding than payload, or padding of no length.
    Padding,
}

impl core::fmt::Display for RtpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Short => "shorter than its header",
            Self::Version => "not RTP version 2",
            Self::Padding => "more padding than payload",
        })
    }
}

impl core::error::Error for RtpError {}

/// A header extension (RFC 3550 §5.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extension<'a> {
    /// What it is; 0xBEDE and 0x100x hold elements of RFC 8285.
    pub profile: u16,
    /// Its data, whole words.
    pub data: &'a [u8],
}

/// A packet, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// The fixed part of the header.
    pub header: Header,
    /// Contributing sources, four bytes each.
    pub csrc: &'a [u8],
    /// The extension, if there is one.
    pub extension: Option<Extension<'a>>,
    /// The payload without padding.
    pub payload: &'a [u8],
    /// Bytes of padding behind it.
    pub padding: u8,
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// The bytes are not one.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let (fixed, rest) = bytes
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(RtpError::Short)?;
        if fixed[0] >> 6 != VERSION {
            return Err(RtpError::Version);
        }
        let header = Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        let csrc_len = usize::from(fixed[0] & 0x0f) * 4;
        let (csrc, rest) = rest.split_at_checked(csrc_len).ok_or(RtpError::Short)?;
        let (extension, rest) = if fixed[0] & 0x10 == 0 {
            (None, rest)
        } else {
            let (head, rest) = rest.split_first_chunk::<4>().ok_or(RtpError::Short)?;
            let len = usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
            let (data, rest) = rest.split_at_checked(len).ok_or(RtpError::Short)?;
            let profile = u16::from_be_bytes([head[0], head[1]]);
            (Some(Extension { profile, data }), rest)
        };
        let (payload, padding) = if fixed[0] & 0x20 == 0 {
            (rest, 0)
        } else {
            let padding = *rest.last().ok_or(RtpError::Padding)?;
            let len = rest
                .len()
                .checked_sub(usize::from(padding))
                .filter(|_| padding != 0)
                .ok_or(RtpError::Padding)?;
            (&rest[..len], padding)
        };
        Ok(Self {
            header,
            csrc,
            extension,
            payload,
            padding,
        })
    }
}

/// Bytes of the whole header of a packet, extension included, without a look at its payload: what SRTP leaves in clear.
///
/// # Errors
/// The bytes do not begin with a header.
pub fn header_len(bytes: &[u8]) -> Result<usize, RtpError> {
    let first = *bytes.first().ok_or(RtpError::Short)?;
    if first >> 6 != VERSION {
        return Err(RtpError::Version);
    }
    let mut len = HEADER_LEN + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let words = bytes.get(len + 2..len + 4).ok_or(RtpError::Short)?;
        len += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    if bytes.len() < len {
        return Err(RtpError::Short);
    }
    Ok(len)
}

/// Whether a packet on a port of both is RTCP (RFC 5761 §4): its second byte is a packet type and no payload type.
#[must_use]
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes.get(1), Some(192..=223))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use webrtc_util::marshal::{Marshal, Unmarshal};

    const HEADER: Header = Header {
        marker: true,
        payload_type: 8,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xca11_0000,
    };

    #[test]
    fn a_header_is_twelve_bytes_in_network_order() {
        let mut out = Vec::new();
        HEADER.append(b"ab", &mut out);
        let expected = [
            0x80, 0x88, 0xff, 0xfe, 1, 2, 3, 4, 0xca, 0x11, 0, 0, b'a', b'b',
        ];
        assert_eq!(out, expected);
        let packet = Packet::parse(&out).unwrap();
        assert_eq!((packet.header, packet.payload), (HEADER, &b"ab"[..]));
        assert_eq!(header_len(&out), Ok(HEADER_LEN));
    }

    #[test]
    fn broken_packets_are_refused_with_the_reason() {
        let mut whole = Vec::new();
        HEADER.append(b"payload", &mut whole);
        for len in 0..HEADER_LEN {
            assert_eq!(Packet::parse(&whole[..len]), Err(RtpError::Short), "{len}");
        }
        let first = |byte: u8| {
            let mut bytes = whole.clone();
            bytes[0] = byte;
            bytes
        };
        for version in [0x00, 0x40, 0xc0] {
            assert_eq!(Packet::parse(&first(version)), Err(RtpError::Version));
            assert_eq!(header_len(&first(version)), Err(RtpError::Version));
        }
        // Fifteen contributing sources and an extension of 0x6c6f words need more than seven bytes.
        assert_eq!(Packet::parse(&first(0x8f)), Err(RtpError::Short));
        assert_eq!(Packet::parse(&first(0x90)), Err(RtpError::Short));
        assert_eq!(header_len(&first(0x8f)), Err(RtpError::Short));
        assert_eq!(header_len(&first(0x90)), Err(RtpError::Short));
        // `d` bytes of padding, and none at all.
        assert_eq!(Packet::parse(&first(0xa0)), Err(RtpError::Padding));
        let mut zero = first(0xa0);
        *zero.last_mut().unwrap() = 0;
        assert_eq!(Packet::parse(&zero), Err(RtpError::Padding));
        *zero.last_mut().unwrap() = 7;
        let all_padding = Packet::parse(&zero).unwrap();
        assert_eq!((all_padding.payload, all_padding.padding), (&b""[..], 7));
        assert_eq!(
            Packet::parse(&first(0xa0)[..HEADER_LEN]),
            Err(RtpError::Padding)
        );
    }

    #[test]
    fn rtcp_is_told_from_rtp_on_one_port() {
        assert!(is_rtcp(&[0x80, 200]) && is_rtcp(&[0x81, 201]) && is_rtcp(&[0x80, 207]));
        assert!(!is_rtcp(&[0x80, 0x80]) && !is_rtcp(&[0x80, 101 | 0x80]) && !is_rtcp(&[0x80]));
    }

    proptest! {
        #[test]
        fn packets_of_the_other_implementation_are_read_alike(
            marker: bool,
            payload_type in 0u8..128,
            sequence: u16,
            timestamp: u32,
            ssrc: u32,
            csrc in proptest::collection::vec(any::<u32>(), 0..16),
            payload in proptest::collection::vec(any::<u8>(), 0..64),
            words in proptest::option::of(proptest::collection::vec(any::<[u8; 4]>(), 0..4)),
        ) {
            let mut packet = rtp::packet::Packet {
                header: rtp::header::Header {
                    version: 2, marker, payload_type, sequence_number: sequence, timestamp, ssrc,
                    csrc: csrc.clone(),
                    ..Default::default()
                },
                payload: payload.clone().into(),
            };
            let data = words.clone().unwrap_or_default().concat();
            if words.is_some() {
                packet.header.extension = true;
                packet.header.extension_profile = 0x1234;
                packet.header.extensions = vec![rtp::header::Extension { id: 0, payload: data.clone().into() }];
            }
            let bytes = packet.marshal().unwrap();
            let read = Packet::parse(&bytes).unwrap();
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            prop_assert_eq!(read.header, header);
            prop_assert_eq!(read.payload, &payload[..]);
            prop_assert_eq!(read.csrc, csrc.iter().flat_map(|csrc| csrc.to_be_bytes()).collect::<Vec<_>>());
            let expected = words.map(|_| Extension { profile: 0x1234, data: &data });
            prop_assert_eq!(read.extension, expected);
            prop_assert_eq!(header_len(&bytes), Ok(bytes.len() - payload.len()));
        }

        #[test]
        fn packets_we_write_are_read_by_the_other_implementation(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut out = Vec::new();
            Header { marker, payload_type, sequence, timestamp, ssrc }.append(&payload, &mut out);
            let read = rtp::packet::Packet::unmarshal(&mut &out[..]).unwrap();
            prop_assert_eq!(read.header.marker, marker);
            prop_assert_eq!(read.header.payload_type, payload_type);
            prop_assert_eq!(read.header.sequence_number, sequence);
            prop_assert_eq!(read.header.timestamp, timestamp);
            prop_assert_eq!(read.header.ssrc, ssrc);
            prop_assert_eq!(&read.payload[..], &payload[..]);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let sum = header_len(&bytes).unwrap() + packet.payload.len() + usize::from(packet.padding);
                prop_assert_eq!(sum, bytes.len());
            }
        }
    }
}
