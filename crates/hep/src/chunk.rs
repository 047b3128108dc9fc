// SPDX-License-Identifier: AGPL-3.0-only
//! Chunks: their kinds, their heads, and one after the other.

use crate::decode::DecodeError;

/// What every packet begins with.
pub const MAGIC: &[u8; 4] = b"HEP3";

/// Bytes in front of the chunks: the magic and the length.
pub const HEAD_LEN: usize = 6;

/// Bytes in front of the data of a chunk: vendor, kind and length.
pub const CHUNK_HEAD_LEN: usize = 6;

/// The vendor of generic chunks.
pub const GENERIC: u16 = 0;

/// The kinds of generic chunks.
pub mod kind {
    /// 2 for IPv4, 10 for IPv6.
    pub const IP_FAMILY: u16 = 0x01;
    /// The number that IP gives the protocol above it.
    pub const IP_PROTOCOL: u16 = 0x02;
    /// IPv4 address of the sender.
    pub const IPV4_SOURCE: u16 = 0x03;
    /// IPv4 address of the receiver.
    pub const IPV4_DESTINATION: u16 = 0x04;
    /// IPv6 address of the sender.
    pub const IPV6_SOURCE: u16 = 0x05;
    /// IPv6 address of the receiver.
    pub const IPV6_DESTINATION: u16 = 0x06;
    /// Port of the sender.
    pub const SOURCE_PORT: u16 = 0x07;
    /// Port of the receiver.
    pub const DESTINATION_PORT: u16 = 0x08;
    /// Seconds since 1970.
    pub const SECONDS: u16 = 0x09;
    /// Microseconds within the second.
    pub const MICROS: u16 = 0x0a;
    /// What the payload is.
    pub const PAYLOAD_TYPE: u16 = 0x0b;
    /// Number of the capturing node.
    pub const CAPTURE_ID: u16 = 0x0c;
    /// Seconds between signs of life.
    pub const KEEP_ALIVE: u16 = 0x0d;
    /// Password of the capturing node.
    pub const AUTH_KEY: u16 = 0x0e;
    /// What was captured.
    pub const PAYLOAD: u16 = 0x0f;
    /// What was captured, compressed.
    pub const COMPRESSED: u16 = 0x10;
    /// What packets that belong together have in common; the Call-ID of SIP.
    pub const CORRELATION_ID: u16 = 0x11;
    /// VLAN.
    pub const VLAN_ID: u16 = 0x12;
    /// Name of the capturing node, or of its group.
    pub const NODE_NAME: u16 = 0x13;
    /// Hardware address of the sender.
    pub const SOURCE_MAC: u16 = 0x14;
    /// Hardware address of the receiver.
    pub const DESTINATION_MAC: u16 = 0x15;
    /// EtherType.
    pub const ETHERNET_TYPE: u16 = 0x16;
    /// Flags of TCP.
    pub const TCP_FLAGS: u16 = 0x17;
    /// Type of service of IP.
    pub const IP_TOS: u16 = 0x18;
    /// Mean opinion score.
    pub const MOS: u16 = 0x20;
    /// R-factor.
    pub const R_FACTOR: u16 = 0x21;
    /// Where it was captured.
    pub const GEO_LOCATION: u16 = 0x22;
    /// Jitter.
    pub const JITTER: u16 = 0x23;
    /// Kind of the transaction.
    pub const TRANSACTION_TYPE: u16 = 0x24;
    /// Keys of a JSON payload.
    pub const JSON_KEYS: u16 = 0x25;
    /// Values of tags.
    pub const TAG_VALUES: u16 = 0x26;
    /// What the tags are.
    pub const TAG_TYPE: u16 = 0x27;
}

/// A part of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Who defines the kind.
    pub vendor: u16,
    /// What it is.
    pub kind: u16,
    /// What it says.
    pub data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// One of the generic vendor.
    #[must_use]
    pub const fn generic(kind: u16, data: &'a [u8]) -> Self {
        Self {
            vendor: GENERIC,
            kind,
            data,
        }
    }

    /// Bytes that it takes.
    #[must_use]
    pub const fn len(&self) -> usize {
        CHUNK_HEAD_LEN + self.data.len()
    }

    /// Whether it says nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}

/// The chunks of a packet, as they are; the head must have been checked.
///
/// Ends after the first error.
#[derive(Debug, Clone)]
pub struct Chunks<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Chunks<'a> {
    /// Those in what follows the head of a packet.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self {
            rest: body,
            at: HEAD_LEN,
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let truncated = DecodeError::TruncatedChunk { at: self.at };
        let Some((head, _)) = self.rest.split_first_chunk::<CHUNK_HEAD_LEN>() else {
            self.rest = &[];
            return Some(Err(truncated));
        };
        let [v1, v2, k1, k2, l1, l2] = *head;
        let len = usize::from(u16::from_be_bytes([l1, l2]));
        if len < CHUNK_HEAD_LEN || len > self.rest.len() {
            self.rest = &[];
            return Some(Err(truncated));
        }
        let (chunk, rest) = self.rest.split_at(len);
        self.rest = rest;
        self.at += len;
        Some(Ok(Chunk {
            vendor: u16::from_be_bytes([v1, v2]),
            kind: u16::from_be_bytes([k1, k2]),
            data: &chunk[CHUNK_HEAD_LEN..],
        }))
    }
}
