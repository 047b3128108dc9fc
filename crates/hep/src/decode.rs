// SPDX-License-Identifier: AGPL-3.0-only
//! Bytes, and the packet in them.
//!
//! Strict where two readers could come to different results (lengths, doubled chunks, addresses of both families),
//! lenient where a sender may have nothing to say: ports, times and capture id are 0 when they are missing.
//!
//! Only version 3 is read. Versions 1 and 2 have no magic; a compressed payload is refused by name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::chunk::{Chunk, Chunks, GENERIC, HEAD_LEN, MAGIC, kind};
use crate::packet::{Extra, FAMILY_IPV4, FAMILY_IPV6, IpProtocol, Packet, PayloadType, Timestamp};

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the head of a packet.
    #[error("{len} bytes are too few for a packet of HEP")]
    Short {
        /// How many there are.
        len: usize,
    },
    /// It does not begin with the magic.
    #[error("a packet of HEP, version 3, begins with `HEP3`")]
    Magic,
    /// It is longer or shorter than it says.
    #[error("the packet says that it has {stated} bytes, and has {actual}")]
    Length {
        /// What it says.
        stated: usize,
        /// What it has.
        actual: usize,
    },
    /// A chunk goes on behind the end of the packet, or is shorter than its own head.
    #[error("the chunk at byte {at} is not whole")]
    TruncatedChunk {
        /// Where it begins.
        at: usize,
    },
    /// The data of a chunk has another size than its kind.
    #[error("the chunk {kind:#06x} has {len} bytes of data")]
    Size {
        /// Its kind.
        kind: u16,
        /// How many bytes.
        len: usize,
    },
    /// A chunk that can be there once is there twice.
    #[error("the chunk {kind:#06x} is there twice")]
    Repeated {
        /// Its kind.
        kind: u16,
    },
    /// A chunk that has to be there is not.
    #[error("the chunk {kind:#06x} is missing")]
    Missing {
        /// Its kind.
        kind: u16,
    },
    /// Neither IPv4 nor IPv6.
    #[error("{family} is not the number of an address family")]
    Family {
        /// What the packet says.
        family: u8,
    },
    /// An address of the family that the packet is not about.
    #[error("the chunk {kind:#06x} is an address of the other family")]
    OtherFamily {
        /// Its kind.
        kind: u16,
    },
    /// The payload is compressed.
    #[error("the payload is compressed (chunk 0x0010), which is not supported")]
    Compressed,
}

/// The length of the packet at the beginning of a stream; `None` while too little of it is there.
///
/// # Errors
/// When what is there is not the beginning of a packet. The stream is lost then: there is nothing to look for.
pub fn packet_len(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let seen = bytes.len().min(MAGIC.len());
    if bytes[..seen] != MAGIC[..seen] {
        return Err(DecodeError::Magic);
    }
    let Some(head) = bytes.first_chunk::<HEAD_LEN>() else {
        return Ok(None);
    };
    let stated = usize::from(u16::from_be_bytes([head[4], head[5]]));
    if stated < HEAD_LEN {
        let actual = bytes.len();
        return Err(DecodeError::Length { stated, actual });
    }
    Ok(Some(stated))
}

/// Chunks that can be there once.
#[derive(Default)]
struct Fields<'a> {
    family: Option<u8>,
    protocol: Option<u8>,
    v4: [Option<Ipv4Addr>; 2],
    v6: [Option<Ipv6Addr>; 2],
    ports: [Option<u16>; 2],
    seconds: Option<u32>,
    micros: Option<u32>,
    payload_type: Option<u8>,
    capture_id: Option<u32>,
    auth_key: Option<&'a [u8]>,
    correlation_id: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
    extras: Vec<Extra<'a>>,
}

/// The bytes of a number or an address.
fn sized<const N: usize>(chunk: Chunk<'_>) -> Result<[u8; N], DecodeError> {
    chunk.data.try_into().map_err(|_| DecodeError::Size {
        kind: chunk.kind,
        len: chunk.data.len(),
    })
}

/// Fills a place that must be empty.
fn once<T>(place: &mut Option<T>, kind: u16, value: T) -> Result<(), DecodeError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(DecodeError::Repeated { kind }),
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, chunk: Chunk<'a>) -> Result<(), DecodeError> {
        let Chunk { kind, data, vendor } = chunk;
        if vendor != GENERIC {
            self.extras.push(Extra::Other(chunk));
            return Ok(());
        }
        match kind {
            kind::IP_FAMILY => once(&mut self.family, kind, sized::<1>(chunk)?[0]),
            kind::IP_PROTOCOL => once(&mut self.protocol, kind, sized::<1>(chunk)?[0]),
            kind::IPV4_SOURCE => once(&mut self.v4[0], kind, sized::<4>(chunk)?.into()),
            kind::IPV4_DESTINATION => once(&mut self.v4[1], kind, sized::<4>(chunk)?.into()),
            kind::IPV6_SOURCE => once(&mut self.v6[0], kind, sized::<16>(chunk)?.into()),
            kind::IPV6_DESTINATION => once(&mut self.v6[1], kind, sized::<16>(chunk)?.into()),
            kind::SOURCE_PORT => {
                let port = u16::from_be_bytes(sized(chunk)?);
                once(&mut self.ports[0], kind, port)
            }
            kind::DESTINATION_PORT => {
                let port = u16::from_be_bytes(sized(chunk)?);
                once(&mut self.ports[1], kind, port)
            }
            kind::SECONDS => once(&mut self.seconds, kind, u32::from_be_bytes(sized(chunk)?)),
            kind::MICROS => once(&mut self.micros, kind, u32::from_be_bytes(sized(chunk)?)),
            kind::PAYLOAD_TYPE => once(&mut self.payload_type, kind, sized::<1>(chunk)?[0]),
            kind::CAPTURE_ID => {
                let id = u32::from_be_bytes(sized(chunk)?);
                once(&mut self.capture_id, kind, id)
            }
            kind::AUTH_KEY => once(&mut self.auth_key, kind, data),
            kind::CORRELATION_ID => once(&mut self.correlation_id, kind, data),
            kind::PAYLOAD => once(&mut self.payload, kind, data),
            kind::COMPRESSED => Err(DecodeError::Compressed),
            _ => {
                self.extras.push(Extra::of(chunk));
                Ok(())
            }
        }
    }

    /// Both addresses, which are of the family that the packet names.
    fn addresses(&self) -> Result<[IpAddr; 2], DecodeError> {
        let v4 = [kind::IPV4_SOURCE, kind::IPV4_DESTINATION];
        let v6 = [kind::IPV6_SOURCE, kind::IPV6_DESTINATION];
        match need(self.family, kind::IP_FAMILY)? {
            FAMILY_IPV4 => {
                none_of(self.v6, v6)?;
                both(self.v4.map(|address| address.map(IpAddr::V4)), v4)
            }
            FAMILY_IPV6 => {
                none_of(self.v4, v4)?;
                both(self.v6.map(|address| address.map(IpAddr::V6)), v6)
            }
            family => Err(DecodeError::Family { family }),
        }
    }
}

fn need<T>(value: Option<T>, kind: u16) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { kind })
}

fn both(found: [Option<IpAddr>; 2], kinds: [u16; 2]) -> Result<[IpAddr; 2], DecodeError> {
    Ok([need(found[0], kinds[0])?, need(found[1], kinds[1])?])
}

fn none_of<T>(found: [Option<T>; 2], kinds: [u16; 2]) -> Result<(), DecodeError> {
    let mut strangers = found.into_iter().zip(kinds);
    match strangers.find(|(address, _)| address.is_some()) {
        None => Ok(()),
        Some((_, kind)) => Err(DecodeError::OtherFamily { kind }),
    }
}

/// Reads a packet: all of the bytes, and nothing but it.
///
/// # Errors
/// What is wrong with the first thing that is.
pub fn decode(bytes: &[u8]) -> Result<Packet<'_>, DecodeError> {
    let actual = bytes.len();
    let Some(stated) = packet_len(bytes)? else {
        return Err(DecodeError::Short { len: actual });
    };
    if stated != actual {
        return Err(DecodeError::Length { stated, actual });
    }
    let mut fields = Fields::default();
    for chunk in Chunks::new(&bytes[HEAD_LEN..]) {
        fields.take(chunk?)?;
    }
    let [source, destination] = fields.addresses()?;
    let [from, to] = fields.ports.map(Option::unwrap_or_default);
    Ok(Packet {
        protocol: IpProtocol(need(fields.protocol, kind::IP_PROTOCOL)?),
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
        at: Timestamp {
            seconds: fields.seconds.unwrap_or_default(),
            micros: fields.micros.unwrap_or_default(),
        },
        payload_type: PayloadType(need(fields.payload_type, kind::PAYLOAD_TYPE)?),
        capture_id: fields.capture_id.unwrap_or_default(),
        auth_key: fields.auth_key,
        correlation_id: fields.correlation_id,
        payload: need(fields.payload, kind::PAYLOAD)?,
        extras: fields.extras,
    })
}
