// SPDX-License-Identifier: AGPL-3.0-only
//! Packets of capture agents: HEP version 3, and its two forerunners.

use crate::Carrier;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::borrow::Cow;

/// Bytes in front of the chunks.
pub(crate) const HEAD: usize = 6;

/// What an agent reports.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) carrier: Carrier,
    pub(crate) time: Option<Duration>,
    pub(crate) kind: Kind,
    pub(crate) payload: Cow<'a, [u8]>,
}

/// What the payload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Sip,
    Rtp,
    Other,
}

/// How long the packet is that begins here, if one does.
pub(crate) fn len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.first_chunk::<HEAD>()?;
    let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
    (head.starts_with(b"HEP3") && len >= HEAD).then_some(len)
}

/// Whether a datagram is a packet of an agent by its looks.
pub(crate) fn is_packet(bytes: &[u8]) -> bool {
    len(bytes).is_some() || old(bytes).is_some()
}

/// The report in a packet.
pub(crate) fn decode(bytes: &[u8]) -> Option<Report<'_>> {
    if bytes.starts_with(b"HEP3") {
        return chunks(bytes.get(HEAD..len(bytes)?.min(bytes.len()))?);
    }
    old(bytes)
}

fn number<const N: usize>(value: &[u8]) -> Option<u64> {
    let value: [u8; N] = value.try_into().ok()?;
    Some(
        value
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

fn chunks(mut rest: &[u8]) -> Option<Report<'_>> {
    let mut addresses: [Option<IpAddr>; 2] = [None; 2];
    let mut ports = [0_u16; 2];
    let (mut seconds, mut micros) = (None, 0);
    let mut carrier = Carrier::Udp;
    let mut kind = Kind::Other;
    let mut payload = None;
    while let Some((head, _)) = rest.split_first_chunk::<6>() {
        let vendor = u16::from_be_bytes([head[0], head[1]]);
        let chunk = u16::from_be_bytes([head[2], head[3]]);
        let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let value = rest.get(6..len)?;
        rest = &rest[len..];
        if vendor != 0 {
            continue;
        }
        match chunk {
            2 => carrier = carrier_of(*value.first()?),
            3 | 4 => {
                let octets: [u8; 4] = value.try_into().ok()?;
                addresses[usize::from(chunk - 3)] = Some(Ipv4Addr::from(octets).into());
            }
            5 | 6 => {
                let octets: [u8; 16] = value.try_into().ok()?;
                addresses[usize::from(chunk - 5)] = Some(Ipv6Addr::from(octets).into());
            }
            7 | 8 => ports[usize::from(chunk - 7)] = number::<2>(value)? as u16,
            9 => seconds = number::<4>(value),
            10 => micros = number::<4>(value)?,
            11 => {
                kind = match *value.first()? {
                    1 => Kind::Sip,
                    // Of many numbers this is the one for the packets themselves.
                    4 => Kind::Rtp,
                    _ => Kind::Other,
                }
            }
            15 => payload = Some(Cow::Borrowed(value)),
            16 => payload = Some(Cow::Owned(crate::unpack::payload(value)?)),
            _ => {}
        }
    }
    let [source, destination] = addresses;
    Some(Report {
        source: SocketAddr::new(source?, ports[0]),
        destination: SocketAddr::new(destination?, ports[1]),
        carrier,
        time: seconds.map(|seconds| Duration::from_secs(seconds) + Duration::from_micros(micros)),
        kind,
        payload: payload?,
    })
}

/// Agents say TLS and WebSocket by numbers of protocols that nobody uses.
const fn carrier_of(protocol: u8) -> Carrier {
    match protocol {
        6 => Carrier::Tcp,
        22 => Carrier::Tls,
        50 => Carrier::Ws,
        132 => Carrier::Sctp,
        _ => Carrier::Udp,
    }
}

/// Versions 1 and 2: a header of fixed fields, behind which the message stands.
fn old(bytes: &[u8]) -> Option<Report<'_>> {
    const INET: u8 = 2;
    const INET6: u8 = 10;
    let [version @ 1..=2, _, family, protocol, a, b, c, d, ..] = *bytes else {
        return None;
    };
    let rest = bytes.get(8..)?;
    let (source, destination, rest): (IpAddr, IpAddr, &[u8]) = match family {
        INET => {
            let (both, rest) = rest.split_first_chunk::<8>()?;
            let [a, b, c, d, e, f, g, h] = *both;
            (
                Ipv4Addr::new(a, b, c, d).into(),
                Ipv4Addr::new(e, f, g, h).into(),
                rest,
            )
        }
        INET6 => {
            let (from, rest) = rest.split_first_chunk::<16>()?;
            let (to, rest) = rest.split_first_chunk::<16>()?;
            (
                Ipv6Addr::from(*from).into(),
                Ipv6Addr::from(*to).into(),
                rest,
            )
        }
        _ => return None,
    };
    // The time is in the byte order of the agent, which is little-endian by all experience, and its structure may be padded.
    let word = |at: usize| {
        rest.get(at..)?
            .first_chunk::<4>()
            .map(|word| u32::from_le_bytes(*word))
    };
    let skips: &[usize] = if version == 1 { &[0] } else { &[10, 12, 0] };
    let payload = skips
        .iter()
        .filter_map(|skip| rest.get(*skip..))
        .find(|payload| crate::sip::is_message(payload))?;
    let timed = rest.len() - payload.len() >= 10;
    let time = match (word(0), word(4)) {
        (Some(seconds), Some(micros)) if timed => {
            Some(Duration::from_secs(seconds.into()) + Duration::from_micros(micros.into()))
        }
        _ => None,
    };
    Some(Report {
        source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
        carrier: carrier_of(protocol),
        time,
        kind: Kind::Sip,
        payload: Cow::Borrowed(payload),
    })
}
