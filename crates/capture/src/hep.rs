// SPDX-License-Identifier: AGPL-3.0-only
//! Packets of capture agents: HEP version 3, and its two forerunners.

use crate::Carrier;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use gossipper_hep::chunk::{Chunks, GENERIC, HEAD_LEN, MAGIC, kind as kinds};
use gossipper_hep::{PayloadType, packet_len};
use std::borrow::Cow;

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
    packet_len(bytes).ok().flatten()
}

/// Whether a datagram is a packet of an agent by its looks.
pub(crate) fn is_packet(bytes: &[u8]) -> bool {
    len(bytes).is_some() || old(bytes).is_some()
}

/// The report in a packet; what is compressed in it may take `room`.
pub(crate) fn decode<'a>(bytes: &'a [u8], room: &mut usize) -> Option<Report<'a>> {
    if bytes.starts_with(MAGIC) {
        return chunks(bytes.get(HEAD_LEN..len(bytes)?.min(bytes.len()))?, room);
    }
    old(bytes)
}

fn v4(value: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 4] = value.try_into().ok()?;
    Some(Ipv4Addr::from(octets).into())
}

fn v6(value: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = value.try_into().ok()?;
    Some(Ipv6Addr::from(octets).into())
}

fn number<const N: usize>(value: &[u8]) -> Option<u64> {
    let value: [u8; N] = value.try_into().ok()?;
    Some(
        value
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

/// What the chunks say that matters here. Agents are read more leniently than a collector would: what is missing and not
/// needed, or there twice, is no reason to lose a message.
fn chunks<'a>(body: &'a [u8], room: &mut usize) -> Option<Report<'a>> {
    let mut addresses: [Option<IpAddr>; 2] = [None; 2];
    let mut ports = [0_u16; 2];
    let (mut seconds, mut micros) = (None, 0);
    let mut carrier = Carrier::Udp;
    let mut kind = Kind::Other;
    let mut payload = None;
    for chunk in Chunks::new(body) {
        let chunk = chunk.ok()?;
        let value = chunk.data;
        if chunk.vendor != GENERIC {
            continue;
        }
        match chunk.kind {
            kinds::IP_PROTOCOL => carrier = carrier_of(*value.first()?),
            kinds::IPV4_SOURCE => addresses[0] = Some(v4(value)?),
            kinds::IPV4_DESTINATION => addresses[1] = Some(v4(value)?),
            kinds::IPV6_SOURCE => addresses[0] = Some(v6(value)?),
            kinds::IPV6_DESTINATION => addresses[1] = Some(v6(value)?),
            kinds::SOURCE_PORT => ports[0] = number::<2>(value)? as u16,
            kinds::DESTINATION_PORT => ports[1] = number::<2>(value)? as u16,
            kinds::SECONDS => seconds = number::<4>(value),
            kinds::MICROS => micros = number::<4>(value)?,
            kinds::PAYLOAD_TYPE => {
                kind = match PayloadType(*value.first()?) {
                    PayloadType::SIP => Kind::Sip,
                    // Of many numbers this is the one for the packets themselves.
                    PayloadType(4) => Kind::Rtp,
                    _ => Kind::Other,
                }
            }
            kinds::PAYLOAD => payload = Some(Cow::Borrowed(value)),
            kinds::COMPRESSED => payload = Some(Cow::Owned(crate::unpack::payload(value, room)?)),
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
