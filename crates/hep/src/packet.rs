// SPDX-License-Identifier: AGPL-3.0-only
//! A packet, and its bytes.
//!
//! Chunks are written in the order of their kinds as far as that goes, and the payload last: readers that look at the
//! payload when they meet it have then seen what it is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::chunk::{CHUNK_HEAD_LEN, Chunk, GENERIC, HEAD_LEN, MAGIC, kind};

/// `AF_INET`, as every system that captures numbers it.
pub(crate) const FAMILY_IPV4: u8 = 2;

/// `AF_INET6` of Linux, which is what HEP means everywhere.
pub(crate) const FAMILY_IPV6: u8 = 10;

/// Bytes of the chunks that every packet of IPv6 has, its payload left out; IPv4 needs fewer.
const FIXED_LEN: usize = HEAD_LEN + 3 * 7 + 2 * 8 + 3 * 10 + 2 * (CHUNK_HEAD_LEN + 16);

/// Most bytes of a packet.
pub const MAX_LEN: usize = u16::MAX as usize;

/// The protocol above IP, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpProtocol(pub u8);

impl IpProtocol {
    /// TCP, and what runs above it.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// SCTP.
    pub const SCTP: Self = Self(132);
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadType(pub u8);

impl PayloadType {
    /// A SIP message.
    pub const SIP: Self = Self(1);
    /// RTCP, as it is or as JSON.
    pub const RTCP: Self = Self(5);
    /// A report about RTP as JSON.
    pub const RTP_QUALITY: Self = Self(34);
    /// A report about RTCP as JSON.
    pub const RTCP_QUALITY: Self = Self(36);
    /// A line of a log; gossipper's reports about DTMF are of this kind.
    pub const LOG: Self = Self(100);
}

/// When something was captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: u32,
    /// Microseconds within the second. Below a million in what we write; a peer may have said more.
    pub micros: u32,
}

impl Timestamp {
    /// From microseconds since 1970. Later than the year 2106 there is nothing.
    #[must_use]
    pub fn from_micros(micros: u64) -> Self {
        Self {
            seconds: u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX),
            // A remainder of a million fits.
            micros: (micros % 1_000_000) as u32,
        }
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        u64::from(self.seconds) * 1_000_000 + u64::from(self.micros)
    }
}

/// A chunk that few packets have.
///
/// One of these kinds with data of another size than its own is read as [`Extra::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra<'a> {
    /// Seconds between signs of life.
    KeepAlive(u16),
    /// VLAN.
    VlanId(u16),
    /// Name of the capturing node, or of its group.
    NodeName(&'a [u8]),
    /// Hardware address of the sender.
    SourceMac(u64),
    /// Hardware address of the receiver.
    DestinationMac(u64),
    /// EtherType.
    EthernetType(u16),
    /// Flags of TCP.
    TcpFlags(u8),
    /// Type of service of IP.
    IpTos(u8),
    /// Mean opinion score.
    Mos(u16),
    /// R-factor.
    RFactor(u16),
    /// Where it was captured.
    GeoLocation(&'a [u8]),
    /// Jitter.
    Jitter(u32),
    /// Kind of the transaction.
    TransactionType(&'a [u8]),
    /// Keys of a JSON payload.
    JsonKeys(&'a [u8]),
    /// Values of tags.
    TagValues(&'a [u8]),
    /// What the tags are.
    TagType(&'a [u8]),
    /// A chunk of another vendor, or of a kind not known here.
    Other(Chunk<'a>),
}

impl<'a> Extra<'a> {
    /// What a chunk says.
    pub(crate) fn of(chunk: Chunk<'a>) -> Self {
        let other = Self::Other(chunk);
        if chunk.vendor != GENERIC {
            return other;
        }
        let byte = || <[u8; 1]>::try_from(chunk.data).map(u8::from_be_bytes);
        let short = || <[u8; 2]>::try_from(chunk.data).map(u16::from_be_bytes);
        let word = || <[u8; 4]>::try_from(chunk.data).map(u32::from_be_bytes);
        let long = || <[u8; 8]>::try_from(chunk.data).map(u64::from_be_bytes);
        match chunk.kind {
            kind::KEEP_ALIVE => short().map_or(other, Self::KeepAlive),
            kind::VLAN_ID => short().map_or(other, Self::VlanId),
            kind::NODE_NAME => Self::NodeName(chunk.data),
            kind::SOURCE_MAC => long().map_or(other, Self::SourceMac),
            kind::DESTINATION_MAC => long().map_or(other, Self::DestinationMac),
            kind::ETHERNET_TYPE => short().map_or(other, Self::EthernetType),
            kind::TCP_FLAGS => byte().map_or(other, Self::TcpFlags),
            kind::IP_TOS => byte().map_or(other, Self::IpTos),
            kind::MOS => short().map_or(other, Self::Mos),
            kind::R_FACTOR => short().map_or(other, Self::RFactor),
            kind::GEO_LOCATION => Self::GeoLocation(chunk.data),
            kind::JITTER => word().map_or(other, Self::Jitter),
            kind::TRANSACTION_TYPE => Self::TransactionType(chunk.data),
            kind::JSON_KEYS => Self::JsonKeys(chunk.data),
            kind::TAG_VALUES => Self::TagValues(chunk.data),
            kind::TAG_TYPE => Self::TagType(chunk.data),
            _ => other,
        }
    }

    /// Hands the vendor, the kind and the data of its chunk on.
    fn with_chunk<R>(self, then: impl FnOnce(Chunk<'_>) -> R) -> R {
        match self {
            Self::KeepAlive(value) => then(Chunk::generic(kind::KEEP_ALIVE, &value.to_be_bytes())),
            Self::VlanId(value) => then(Chunk::generic(kind::VLAN_ID, &value.to_be_bytes())),
            Self::NodeName(data) => then(Chunk::generic(kind::NODE_NAME, data)),
            Self::SourceMac(value) => then(Chunk::generic(kind::SOURCE_MAC, &value.to_be_bytes())),
            Self::DestinationMac(value) => {
                then(Chunk::generic(kind::DESTINATION_MAC, &value.to_be_bytes()))
            }
            Self::EthernetType(value) => {
                then(Chunk::generic(kind::ETHERNET_TYPE, &value.to_be_bytes()))
            }
            Self::TcpFlags(value) => then(Chunk::generic(kind::TCP_FLAGS, &[value])),
            Self::IpTos(value) => then(Chunk::generic(kind::IP_TOS, &[value])),
            Self::Mos(value) => then(Chunk::generic(kind::MOS, &value.to_be_bytes())),
            Self::RFactor(value) => then(Chunk::generic(kind::R_FACTOR, &value.to_be_bytes())),
            Self::GeoLocation(data) => then(Chunk::generic(kind::GEO_LOCATION, data)),
            Self::Jitter(value) => then(Chunk::generic(kind::JITTER, &value.to_be_bytes())),
            Self::TransactionType(data) => then(Chunk::generic(kind::TRANSACTION_TYPE, data)),
            Self::JsonKeys(data) => then(Chunk::generic(kind::JSON_KEYS, data)),
            Self::TagValues(data) => then(Chunk::generic(kind::TAG_VALUES, data)),
            Self::TagType(data) => then(Chunk::generic(kind::TAG_TYPE, data)),
            Self::Other(chunk) => then(chunk),
        }
    }
}

/// A captured message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What carried it.
    pub protocol: IpProtocol,
    /// Who sent it. Of an IPv6 address, HEP has neither scope nor flow.
    pub source: SocketAddr,
    /// To whom it was sent.
    pub destination: SocketAddr,
    /// When it was captured.
    pub at: Timestamp,
    /// What it is.
    pub payload_type: PayloadType,
    /// Number of the capturing node.
    pub capture_id: u32,
    /// Password of the capturing node.
    pub auth_key: Option<&'a [u8]>,
    /// The Call-ID of what it belongs to.
    pub correlation_id: Option<&'a [u8]>,
    /// Chunks that few packets have, in their order.
    pub extras: Vec<Extra<'a>>,
    /// The message.
    pub payload: &'a [u8],
}

/// Why a packet has no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// More bytes than its length can say.
    #[error("the packet would have {len} bytes, more than the {MAX_LEN} a packet of HEP can have")]
    TooLong {
        /// What it would have.
        len: usize,
    },
}

impl<'a> Packet<'a> {
    /// A packet without capture id, password and what few packets have.
    #[must_use]
    pub const fn new(
        protocol: IpProtocol,
        source: SocketAddr,
        destination: SocketAddr,
        at: Timestamp,
        payload_type: PayloadType,
        payload: &'a [u8],
    ) -> Self {
        Self {
            protocol,
            source,
            destination,
            at,
            payload_type,
            capture_id: 0,
            auth_key: None,
            correlation_id: None,
            extras: Vec::new(),
            payload,
        }
    }

    /// Bytes of the packet, at most: 24 fewer between addresses of IPv4.
    fn bound(&self) -> usize {
        let optional = |data: Option<&[u8]>| data.map_or(0, |data| CHUNK_HEAD_LEN + data.len());
        let extras: usize = self
            .extras
            .iter()
            .map(|extra| extra.with_chunk(|chunk| chunk.len()))
            .sum();
        FIXED_LEN
            + optional(self.auth_key)
            + optional(self.correlation_id)
            + extras
            + CHUNK_HEAD_LEN
            + self.payload.len()
    }

    /// Appends its bytes. An IPv4 address beside one of IPv6 is written as a mapped one.
    ///
    /// # Errors
    /// When it would be longer than its length can say; nothing is appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let bound = self.bound();
        let both_v4 = self.source.is_ipv4() && self.destination.is_ipv4();
        let len = if both_v4 { bound - 24 } else { bound };
        let Ok(stated) = u16::try_from(len) else {
            return Err(EncodeError::TooLong { len });
        };
        let start = out.len();
        out.reserve(len);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&stated.to_be_bytes());
        let family = if both_v4 { FAMILY_IPV4 } else { FAMILY_IPV6 };
        generic(out, kind::IP_FAMILY, &[family]);
        generic(out, kind::IP_PROTOCOL, &[self.protocol.0]);
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                generic(out, kind::IPV4_SOURCE, &source.octets());
                generic(out, kind::IPV4_DESTINATION, &destination.octets());
            }
            (source, destination) => {
                generic(out, kind::IPV6_SOURCE, &wide(source));
                generic(out, kind::IPV6_DESTINATION, &wide(destination));
            }
        }
        generic(out, kind::SOURCE_PORT, &self.source.port().to_be_bytes());
        let port = self.destination.port().to_be_bytes();
        generic(out, kind::DESTINATION_PORT, &port);
        generic(out, kind::SECONDS, &self.at.seconds.to_be_bytes());
        generic(out, kind::MICROS, &self.at.micros.to_be_bytes());
        generic(out, kind::PAYLOAD_TYPE, &[self.payload_type.0]);
        generic(out, kind::CAPTURE_ID, &self.capture_id.to_be_bytes());
        if let Some(key) = self.auth_key {
            generic(out, kind::AUTH_KEY, key);
        }
        if let Some(id) = self.correlation_id {
            generic(out, kind::CORRELATION_ID, id);
        }
        for extra in &self.extras {
            extra.with_chunk(|chunk| append(out, chunk));
        }
        generic(out, kind::PAYLOAD, self.payload);
        debug_assert_eq!(out.len() - start, len);
        Ok(())
    }
}

/// An address in sixteen bytes.
fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn generic(out: &mut Vec<u8>, kind: u16, data: &[u8]) {
    append(out, Chunk::generic(kind, data));
}

/// Appends a chunk. Its length fits, because that of the packet does.
fn append(out: &mut Vec<u8>, chunk: Chunk<'_>) {
    let len = chunk.len() as u16;
    for word in [chunk.vendor, chunk.kind, len] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(chunk.data);
}

impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TCP => f.write_str("TCP"),
            Self::UDP => f.write_str("UDP"),
            Self::SCTP => f.write_str("SCTP"),
            Self(number) => write!(f, "protocol {number}"),
        }
    }
}
