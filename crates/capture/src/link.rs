// SPDX-License-Identifier: AGPL-3.0-only
//! From a captured frame to the IP packet in it: link headers, tags and labels.

use crate::ip;

/// What frames begin with. Names and numbers are those of the list of link types that libpcap keeps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkType {
    /// Ethernet, with any number of VLAN tags.
    Ethernet,
    /// Linux cooked capture.
    LinuxSll,
    /// Linux cooked capture, version 2.
    LinuxSll2,
    /// IP without anything in front.
    Raw,
    /// BSD loopback: four bytes in the byte order of whoever captured.
    Null,
    /// OpenBSD loopback.
    Loop,
    /// 802.11.
    Wifi,
    /// 802.11 behind a radiotap header.
    Radiotap,
    /// PPP, with or without the framing of HDLC.
    Ppp,
    /// Cisco's HDLC.
    CiscoHdlc,
    /// Packets that a Linux firewall logged.
    Nflog,
}

/// Why a frame has nothing in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// Not IP, or not UDP.
    Other,
    /// A part of a datagram.
    Fragment,
    /// Shorter than it says.
    Truncated,
}

/// A whole datagram in a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Udp<'a> {
    /// Where it went.
    pub destination_port: u16,
    /// What it carried.
    pub payload: &'a [u8],
}

/// Tags, labels and frames within frames are passed up to this many.
const MAX_DEPTH: usize = 16;

impl LinkType {
    /// The link type of a number.
    #[must_use]
    pub const fn of_number(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            9 | 50 | 51 => Self::Ppp,
            // Raw IP has many numbers: 12 and 14 on BSD, 228 and 229 for one version only.
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            104 => Self::CiscoHdlc,
            105 => Self::Wifi,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            127 => Self::Radiotap,
            239 => Self::Nflog,
            276 => Self::LinuxSll2,
            _ => return None,
        })
    }

    /// The link type of a name or a number, as `-pcap-link` takes it.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "ethernet" => Self::Ethernet,
            "linux_sll" => Self::LinuxSll,
            "linux_sll2" => Self::LinuxSll2,
            "raw" | "ipv4" | "ipv6" => Self::Raw,
            "null" => Self::Null,
            "loop" => Self::Loop,
            number => return Self::of_number(number.parse().ok()?),
        })
    }

    /// The datagram in a frame: the outermost one, even if there is another packet in it.
    ///
    /// # Errors
    /// There is none, or not all of it.
    pub fn udp(self, frame: &[u8]) -> Result<Udp<'_>, Skip> {
        let packet = ip::Packet::parse(self.packet(frame)?)?;
        if packet.protocol != ip::UDP {
            return Err(Skip::Other);
        }
        if packet.fragment.is_some() {
            return Err(Skip::Fragment);
        }
        let udp = ip::Datagram::parse(packet.payload)?;
        if packet.missing > 0 || udp.missing > 0 {
            return Err(Skip::Truncated);
        }
        Ok(Udp {
            destination_port: udp.destination,
            payload: udp.payload,
        })
    }

    /// The IP packet in a frame.
    pub(crate) fn packet(self, frame: &[u8]) -> Result<&[u8], Skip> {
        match self {
            Self::Ethernet => ethernet(frame, 0),
            Self::LinuxSll => of_ethertype(half(frame, 14)?, behind(frame, 16)?, 0),
            Self::LinuxSll2 => of_ethertype(half(frame, 0)?, behind(frame, 20)?, 0),
            Self::Raw => raw(frame),
            // The family that it names differs between systems; the version of IP does not.
            Self::Null | Self::Loop => raw(behind(frame, 4)?),
            Self::Wifi => wifi(frame),
            Self::Radiotap => {
                let len = usize::from(half(frame, 2)?.swap_bytes());
                wifi(behind(frame, len)?)
            }
            Self::Ppp => match frame {
                // Address and control, which both sides may agree to leave out.
                [0xff, 0x03, rest @ ..] => ppp(rest),
                _ => ppp(frame),
            },
            Self::CiscoHdlc => of_ethertype(half(frame, 2)?, behind(frame, 4)?, 0),
            Self::Nflog => nflog(frame),
        }
    }
}

pub(crate) fn behind(bytes: &[u8], at: usize) -> Result<&[u8], Skip> {
    bytes.get(at..).ok_or(Skip::Truncated)
}

pub(crate) fn half(bytes: &[u8], at: usize) -> Result<u16, Skip> {
    match bytes.get(at..at + 2) {
        Some(half) => Ok(u16::from_be_bytes([half[0], half[1]])),
        None => Err(Skip::Truncated),
    }
}

/// The IP packet in an Ethernet frame.
pub(crate) fn ethernet(frame: &[u8], depth: usize) -> Result<&[u8], Skip> {
    let kind = half(frame, 12)?;
    let rest = behind(frame, 14)?;
    // Up to 1500 it is a length, and what the frame is stands behind it.
    if kind <= 1500 {
        return llc(rest, depth);
    }
    of_ethertype(kind, rest, depth)
}

/// The IP packet behind the header of LLC and SNAP.
fn llc(bytes: &[u8], depth: usize) -> Result<&[u8], Skip> {
    if !bytes.starts_with(&[0xaa, 0xaa, 3]) {
        return Err(Skip::Other);
    }
    of_ethertype(half(bytes, 6)?, behind(bytes, 8)?, depth)
}

pub(crate) fn of_ethertype(
    mut kind: u16,
    mut bytes: &[u8],
    mut depth: usize,
) -> Result<&[u8], Skip> {
    while depth < MAX_DEPTH {
        depth += 1;
        match kind {
            0x0800 | 0x86dd => return raw(bytes),
            // Tags of 802.1Q, 802.1ad and their forerunners: each is passed, and shortens what is left.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                kind = half(bytes, 2)?;
                bytes = behind(bytes, 4)?;
            }
            0x8847 | 0x8848 => return mpls(bytes, depth),
            // A session of PPP over Ethernet.
            0x8864 => return ppp(behind(bytes, 6)?),
            // Ethernet within Ethernet, as GRE and cooked captures name it.
            0x6558 => return ethernet(bytes, depth),
            _ => return Err(Skip::Other),
        }
    }
    Err(Skip::Other)
}

fn mpls(mut bytes: &[u8], depth: usize) -> Result<&[u8], Skip> {
    for _ in 0..MAX_DEPTH {
        let last = *bytes.get(2).ok_or(Skip::Truncated)? & 1 != 0;
        bytes = behind(bytes, 4)?;
        if last {
            return match bytes.first().ok_or(Skip::Truncated)? >> 4 {
                4 | 6 => Ok(bytes),
                // A control word, and Ethernet behind it.
                0 => ethernet(behind(bytes, 4)?, depth),
                _ => Err(Skip::Other),
            };
        }
    }
    Err(Skip::Other)
}

/// The IP packet in a frame of PPP.
pub(crate) fn ppp(bytes: &[u8]) -> Result<&[u8], Skip> {
    match bytes {
        // The protocol may be written in one byte.
        [0x21 | 0x57, rest @ ..] | [0, 0x21 | 0x57, rest @ ..] => raw(rest),
        [] | [0] => Err(Skip::Truncated),
        _ => Err(Skip::Other),
    }
}

/// A data frame of 802.11.
fn wifi(frame: &[u8]) -> Result<&[u8], Skip> {
    let control = *frame.first().ok_or(Skip::Truncated)?;
    let flags = *frame.get(1).ok_or(Skip::Truncated)?;
    const DATA: u8 = 2;
    if control >> 2 & 3 != DATA {
        return Err(Skip::Other);
    }
    let mut len = 24;
    // Between access points there is a fourth address, with quality of service another half word.
    if flags & 3 == 3 {
        len += 6;
    }
    if control & 0x80 != 0 {
        len += 2;
        if flags & 0x80 != 0 {
            len += 4;
        }
    }
    // No data, or encrypted.
    if control & 0x40 != 0 || flags & 0x40 != 0 {
        return Err(Skip::Other);
    }
    llc(behind(frame, len)?, 0)
}

/// A list of length, kind and value, in the byte order of who captured: one value is the packet.
fn nflog(frame: &[u8]) -> Result<&[u8], Skip> {
    const PAYLOAD: u16 = 9;
    let little = |at: usize| half(frame, at).map(u16::swap_bytes);
    // Which order it is shows the first length, which is small.
    let swapped = little(4)? > half(frame, 4)?;
    let number = |at: usize| if swapped { half(frame, at) } else { little(at) };
    let mut at = 4;
    while at < frame.len() {
        let len = usize::from(number(at)?);
        if len < 4 {
            return Err(Skip::Truncated);
        }
        if number(at + 2)? & 0x3fff == PAYLOAD {
            return raw(frame
                .get(at + 4..at + len)
                .map_or_else(|| behind(frame, at + 4), Ok)?);
        }
        at += len.next_multiple_of(4);
    }
    Err(Skip::Other)
}

/// The packet itself, if its version is known.
fn raw(bytes: &[u8]) -> Result<&[u8], Skip> {
    match bytes.first().ok_or(Skip::Truncated)? >> 4 {
        4 | 6 => Ok(bytes),
        _ => Err(Skip::Other),
    }
}
