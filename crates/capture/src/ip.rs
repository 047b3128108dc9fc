// SPDX-License-Identifier: AGPL-3.0-only
//! Headers of IPv4, IPv6, UDP and TCP. What is cut off is told, and what is left of it given.

use crate::link::{Skip, behind, half};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) const IPV4: u8 = 4;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const IPV6: u8 = 41;
pub(crate) const GRE: u8 = 47;
pub(crate) const ESP: u8 = 50;
pub(crate) const AH: u8 = 51;
pub(crate) const SCTP: u8 = 132;

/// An IP packet, or a part of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) payload: &'a [u8],
    /// Bytes of the payload that were not captured.
    pub(crate) missing: usize,
}

/// Which part of a packet it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fragment {
    pub(crate) id: u32,
    /// Of the payload within that of the whole.
    pub(crate) offset: usize,
    /// Whether others come behind it.
    pub(crate) more: bool,
}

impl<'a> Packet<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Skip> {
        match bytes.first().ok_or(Skip::Truncated)? >> 4 {
            4 => Self::v4(bytes),
            6 => Self::v6(bytes),
            _ => Err(Skip::Other),
        }
    }

    fn v4(bytes: &'a [u8]) -> Result<Self, Skip> {
        let header_len = usize::from(bytes[0] & 0x0f) * 4;
        let header = bytes.first_chunk::<20>().ok_or(Skip::Truncated)?;
        if header_len < 20 {
            return Err(Skip::Truncated);
        }
        let total = usize::from(half(bytes, 2)?);
        // Behind the packet there may be padding of the frame. A length of 0 is left by segmenting in the network card.
        let end = if total == 0 { bytes.len() } else { total };
        if end < header_len {
            return Err(Skip::Truncated);
        }
        let there = end.min(bytes.len());
        let part = half(bytes, 6)?;
        let fragment = Fragment {
            id: half(bytes, 4)?.into(),
            offset: usize::from(part & 0x1fff) * 8,
            more: part & 0x2000 != 0,
        };
        let address = |at: usize| {
            IpAddr::V4(Ipv4Addr::new(
                header[at],
                header[at + 1],
                header[at + 2],
                header[at + 3],
            ))
        };
        Ok(Self {
            source: address(12),
            destination: address(16),
            protocol: header[9],
            fragment: (fragment.offset > 0 || fragment.more).then_some(fragment),
            payload: bytes.get(header_len..there).ok_or(Skip::Truncated)?,
            missing: end - there,
        })
    }

    fn v6(bytes: &'a [u8]) -> Result<Self, Skip> {
        const HOP_BY_HOP: u8 = 0;
        const ROUTING: u8 = 43;
        const FRAGMENT: u8 = 44;
        const DESTINATION: u8 = 60;
        const MOBILITY: u8 = 135;
        let header = bytes.first_chunk::<40>().ok_or(Skip::Truncated)?;
        let len = usize::from(half(bytes, 4)?);
        let end = if len == 0 { bytes.len() } else { 40 + len };
        let there = end.min(bytes.len());
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&header[at..at + 16]);
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let mut packet = Self {
            source: address(8),
            destination: address(24),
            protocol: header[6],
            fragment: None,
            payload: bytes.get(40..there).ok_or(Skip::Truncated)?,
            missing: end - there,
        };
        loop {
            let rest = packet.payload;
            match packet.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY => {
                    let len = 8 + 8 * usize::from(*rest.get(1).ok_or(Skip::Truncated)?);
                    packet.protocol = rest[0];
                    packet.payload = behind(rest, len)?;
                }
                FRAGMENT => {
                    let id = rest.first_chunk::<8>().ok_or(Skip::Truncated)?;
                    let part = half(rest, 2)?;
                    packet.protocol = rest[0];
                    packet.payload = &rest[8..];
                    let fragment = Fragment {
                        id: u32::from_be_bytes([id[4], id[5], id[6], id[7]]),
                        offset: usize::from(part & 0xfff8),
                        more: part & 1 != 0,
                    };
                    // A fragment that is the whole packet needs no others.
                    if fragment.offset > 0 || fragment.more {
                        packet.fragment = Some(fragment);
                        return Ok(packet);
                    }
                }
                _ => return Ok(packet),
            }
        }
    }
}

/// A UDP datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) payload: &'a [u8],
    /// Bytes that it says it has and that are not there.
    pub(crate) missing: usize,
}

impl<'a> Datagram<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Skip> {
        let len = usize::from(half(bytes, 4)?);
        let payload = behind(bytes, 8)?;
        let len = len.checked_sub(8).ok_or(Skip::Truncated)?;
        let there = len.min(payload.len());
        Ok(Self {
            source: half(bytes, 0)?,
            destination: half(bytes, 2)?,
            payload: &payload[..there],
            missing: len - there,
        })
    }
}

/// A TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) sequence: u32,
    /// It begins a connection.
    pub(crate) syn: bool,
    pub(crate) payload: &'a [u8],
}

impl<'a> Segment<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Skip> {
        let header = bytes.first_chunk::<20>().ok_or(Skip::Truncated)?;
        let len = usize::from(header[12] >> 4) * 4;
        if len < 20 {
            return Err(Skip::Truncated);
        }
        Ok(Self {
            source: half(bytes, 0)?,
            destination: half(bytes, 2)?,
            sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            syn: header[13] & 2 != 0,
            payload: behind(bytes, len)?,
        })
    }
}
