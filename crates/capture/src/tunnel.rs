// SPDX-License-Identifier: AGPL-3.0-only
//! Packets within packets: what tunnels put in front of the packet that they carry.

use crate::ip;
use crate::link::{Skip, behind, ethernet, half, of_ethertype, ppp};

/// GRE in both its versions, with mirrored frames (ERSPAN) in it too.
pub(crate) fn gre(bytes: &[u8]) -> Result<&[u8], Skip> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGED: u16 = 0x0080;
    let flags = half(bytes, 0)?;
    if flags & ROUTING != 0 {
        return Err(Skip::Other);
    }
    let options = flags & (CHECKSUM | KEY | SEQUENCE | ACKNOWLEDGED);
    let rest = behind(bytes, 4 + 4 * options.count_ones() as usize)?;
    match half(bytes, 2)? {
        // The first version of ERSPAN has no header of its own, and no sequence numbers.
        0x88be if flags & SEQUENCE == 0 => ethernet(rest, 0),
        0x88be => ethernet(behind(rest, 8)?, 0),
        0x22eb => {
            let longer = *rest.get(11).ok_or(Skip::Truncated)? & 1 != 0;
            ethernet(behind(rest, if longer { 20 } else { 12 })?, 0)
        }
        0x880b => ppp(rest.strip_prefix(&[0xff, 0x03]).unwrap_or(rest)),
        kind => of_ethertype(kind, rest, 0),
    }
}

/// The packet in a datagram of a tunnel; which tunnel tells the port.
pub(crate) fn datagram(ports: [u16; 2], payload: &[u8]) -> Option<&[u8]> {
    let of = |port: u16| match port {
        2152 => Some(gtp(payload)),
        4789 | 8472 => Some(vxlan(payload)),
        6081 => Some(geneve(payload)),
        37008 => Some(tzsp(payload)),
        _ => None,
    };
    let packet = of(ports[1]).or_else(|| of(ports[0]))?.ok()?;
    // Only what is a packet: any program may use these ports.
    ip::Packet::parse(packet).ok().map(|_| packet)
}

/// User data of GTP.
fn gtp(bytes: &[u8]) -> Result<&[u8], Skip> {
    const DATA: u8 = 0xff;
    let [flags, DATA, ..] = *bytes else {
        return Err(Skip::Other);
    };
    // Version 1, and not the variant for charging.
    if flags & 0xf0 != 0x30 {
        return Err(Skip::Other);
    }
    if flags & 7 == 0 {
        return behind(bytes, 8);
    }
    let mut next = *bytes.get(11).ok_or(Skip::Truncated)?;
    let mut rest = behind(bytes, 12)?;
    if flags & 4 == 0 {
        return Ok(rest);
    }
    while next != 0 {
        let len = 4 * usize::from(*rest.first().ok_or(Skip::Truncated)?);
        if len == 0 {
            return Err(Skip::Other);
        }
        next = *rest.get(len - 1).ok_or(Skip::Truncated)?;
        rest = behind(rest, len)?;
    }
    Ok(rest)
}

fn vxlan(bytes: &[u8]) -> Result<&[u8], Skip> {
    if bytes.first().ok_or(Skip::Truncated)? & 0x08 == 0 {
        return Err(Skip::Other);
    }
    ethernet(behind(bytes, 8)?, 0)
}

fn geneve(bytes: &[u8]) -> Result<&[u8], Skip> {
    let options = 4 * usize::from(bytes.first().ok_or(Skip::Truncated)? & 0x3f);
    of_ethertype(half(bytes, 2)?, behind(bytes, 8 + options)?, 0)
}

/// What routers of one maker mirror.
fn tzsp(bytes: &[u8]) -> Result<&[u8], Skip> {
    const ETHERNET: u16 = 1;
    if half(bytes, 2)? != ETHERNET {
        return Err(Skip::Other);
    }
    let mut rest = behind(bytes, 4)?;
    loop {
        rest = match *rest.first().ok_or(Skip::Truncated)? {
            0 => &rest[1..],
            1 => return ethernet(&rest[1..], 0),
            _ => behind(rest, 2 + usize::from(*rest.get(1).ok_or(Skip::Truncated)?))?,
        };
    }
}

/// What is in a packet of ESP that is signed and not encrypted, as IMS uses it: protocol and payload.
///
/// Nothing in the packet says so; the end of it must fit.
pub(crate) fn esp(bytes: &[u8]) -> Option<(u8, &[u8])> {
    const HEADER: usize = 8;
    // Lengths of the signatures in use.
    [12, 16].into_iter().find_map(|signature| {
        let signed = bytes.get(HEADER..bytes.len().checked_sub(signature)?)?;
        let (&protocol, rest) = signed.split_last()?;
        let (&padding, rest) = rest.split_last()?;
        let (payload, padding) = rest.split_at(rest.len().checked_sub(padding.into())?);
        let counted = padding
            .iter()
            .zip(1..)
            .all(|(byte, count): (_, u8)| *byte == count);
        let fits = match protocol {
            ip::UDP => half(payload, 4).is_ok_and(|len| usize::from(len) == payload.len()),
            ip::TCP => ip::Segment::parse(payload).is_ok(),
            _ => false,
        };
        (counted && fits).then_some((protocol, payload))
    })
}

/// What is behind the header of an AH packet: protocol and payload.
pub(crate) fn ah(bytes: &[u8]) -> Result<(u8, &[u8]), Skip> {
    let [protocol, len, ..] = *bytes else {
        return Err(Skip::Truncated);
    };
    Ok((protocol, behind(bytes, 4 * (usize::from(len) + 2))?))
}
