// SPDX-License-Identifier: AGPL-3.0-only
//! From a captured frame to the datagram in it.

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
}

/// Why a frame has nothing to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// Not IP, or not UDP.
    Other,
    /// A part of a datagram.
    Fragment,
    /// Shorter than it says.
    Truncated,
}

/// A datagram.
pub(super) struct Udp<'a> {
    pub(super) destination_port: u16,
    pub(super) payload: &'a [u8],
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const UDP: u8 = 17;

impl LinkType {
    /// The link type of a number.
    #[must_use]
    pub const fn of_number(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            // Raw IP has many numbers: 12 and 14 on BSD, 228 and 229 for one version only.
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            105 => Self::Wifi,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            127 => Self::Radiotap,
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

    /// The datagram in a frame.
    pub(super) fn udp(self, frame: &[u8]) -> Result<Udp<'_>, Skip> {
        match self {
            Self::Ethernet => {
                let kind = half(frame, 12)?;
                of_ethertype(kind, behind(frame, 14)?)
            }
            Self::LinuxSll => of_ethertype(half(frame, 14)?, behind(frame, 16)?),
            Self::LinuxSll2 => of_ethertype(half(frame, 0)?, behind(frame, 20)?),
            Self::Raw => ip(frame),
            // The family that it names differs between systems; the version of IP does not.
            Self::Null | Self::Loop => ip(behind(frame, 4)?),
            Self::Wifi => wifi(frame),
            Self::Radiotap => {
                let len = usize::from(half(frame, 2)?.swap_bytes());
                wifi(behind(frame, len)?)
            }
        }
    }
}

fn behind(bytes: &[u8], at: usize) -> Result<&[u8], Skip> {
    bytes.get(at..).ok_or(Skip::Truncated)
}

fn half(bytes: &[u8], at: usize) -> Result<u16, Skip> {
    match bytes.get(at..at + 2) {
        Some(half) => Ok(u16::from_be_bytes([half[0], half[1]])),
        None => Err(Skip::Truncated),
    }
}

fn of_ethertype(mut kind: u16, mut bytes: &[u8]) -> Result<Udp<'_>, Skip> {
    // Tags of 802.1Q, 802.1ad and their forerunner: each is passed, and shortens what is left.
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
        kind = half(bytes, 2)?;
        bytes = behind(bytes, 4)?;
    }
    match kind {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => ip(bytes),
        _ => Err(Skip::Other),
    }
}

/// A data frame of 802.11 with the header of LLC and SNAP.
fn wifi(frame: &[u8]) -> Result<Udp<'_>, Skip> {
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
    let llc = behind(frame, len)?;
    if !llc.starts_with(&[0xaa, 0xaa, 3]) {
        return Err(Skip::Other);
    }
    of_ethertype(half(llc, 6)?, behind(llc, 8)?)
}

fn ip(bytes: &[u8]) -> Result<Udp<'_>, Skip> {
    match bytes.first().ok_or(Skip::Truncated)? >> 4 {
        4 => ipv4(bytes),
        6 => ipv6(bytes),
        _ => Err(Skip::Other),
    }
}

fn ipv4(bytes: &[u8]) -> Result<Udp<'_>, Skip> {
    let header_len = usize::from(bytes[0] & 0x0f) * 4;
    let total = usize::from(half(bytes, 2)?);
    if header_len < 20 {
        return Err(Skip::Truncated);
    }
    if *bytes.get(9).ok_or(Skip::Truncated)? != UDP {
        return Err(Skip::Other);
    }
    // More fragments, or an offset.
    if half(bytes, 6)? & 0x3fff != 0 {
        return Err(Skip::Fragment);
    }
    // Behind the packet there may be padding of the frame. A length of 0 is left by segmenting in the network card.
    let end = if total == 0 { bytes.len() } else { total };
    udp(bytes.get(header_len..end).ok_or(Skip::Truncated)?)
}

fn ipv6(bytes: &[u8]) -> Result<Udp<'_>, Skip> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const DESTINATION: u8 = 60;
    let len = usize::from(half(bytes, 4)?);
    let mut kind = *bytes.get(6).ok_or(Skip::Truncated)?;
    let end = if len == 0 { bytes.len() } else { 40 + len };
    let mut rest = bytes.get(40..end).ok_or(Skip::Truncated)?;
    loop {
        match kind {
            UDP => return udp(rest),
            FRAGMENT => return Err(Skip::Fragment),
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let len = 8 + 8 * usize::from(*rest.get(1).ok_or(Skip::Truncated)?);
                kind = rest[0];
                rest = behind(rest, len)?;
            }
            _ => return Err(Skip::Other),
        }
    }
}

fn udp(bytes: &[u8]) -> Result<Udp<'_>, Skip> {
    let destination_port = half(bytes, 2)?;
    let len = usize::from(half(bytes, 4)?);
    let payload = bytes.get(8..len).ok_or(Skip::Truncated)?;
    Ok(Udp {
        destination_port,
        payload,
    })
}
