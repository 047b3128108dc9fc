// SPDX-License-Identifier: AGPL-3.0-only
//! Captures that are sent again: which bytes, when, and to which port.
//!
//! A plan refers to the bytes of the file and copies nothing; all calls that play a file share it. The capture's own
//! timing is kept, to the microsecond; time that runs backwards in it stands still.
//!
//! COMPAT(sipp): every UDP packet is replayed, whatever it holds. The lowest captured destination port stands for the
//! port of the stream, the others lie as far above it as they did in the capture.

mod link;
#[cfg(test)]
mod tests;

pub use link::{LinkType, Skip};

use crate::rtp::Packet;
use crate::time::Micros;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, parse_block_be, parse_block_le, parse_pcap_frame, parse_pcap_frame_be};
use pcap_parser::{PcapHeader, parse_pcap_frame_modified, parse_pcap_header};
use std::sync::Arc;

/// Most packets of a plan.
pub const MAX_PACKETS: usize = 4_000_000;
/// Most bytes of a file.
pub const MAX_BYTES: usize = u32::MAX as usize;
/// Most interfaces of a capture.
const MAX_INTERFACES: usize = 1024;

/// A packet to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplayPacket {
    /// After the first one.
    pub at: Micros,
    start: u32,
    len: u16,
    /// What to add to the port of the stream, ours as well as the peer's.
    pub port_offset: u16,
}

/// Which packets are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// All of UDP, as SIPp does.
    All,
    /// Those that are RTP.
    Rtp,
}

/// What of a capture is not replayed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Skipped {
    /// Not IP, or not UDP, or not of the kind wanted.
    pub other: u32,
    /// Fragments, which are not put together.
    pub fragments: u32,
    /// Captured in part only, or broken.
    pub truncated: u32,
}

/// Why a capture cannot be replayed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplayError {
    /// Neither pcap nor pcapng.
    NotCapture,
    /// Frames of a kind that we cannot read; the number is the link type.
    Link(i32),
    /// It ends within a packet, or a block of it makes no sense; so many packets came before.
    Broken(usize),
    /// More packets or bytes than a plan may have.
    TooLarge,
    /// No packet is left to send.
    Empty(Skipped),
}

impl core::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotCapture => f.write_str("not a capture file"),
            Self::Link(number) => write!(f, "a capture of the unknown link type {number}"),
            Self::Broken(packets) => write!(f, "a capture that breaks off after {packets} packets"),
            Self::TooLarge => {
                f.write_str("a capture of more than four million packets or four gigabytes")
            }
            Self::Empty(skipped) => {
                let Skipped {
                    other,
                    fragments,
                    truncated,
                } = skipped;
                write!(
                    f,
                    "a capture without a packet to send ({other} of another kind, {fragments} fragments, \
                     {truncated} cut off)"
                )
            }
        }
    }
}

impl core::error::Error for ReplayError {}

/// A capture, ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replay {
    bytes: Arc<[u8]>,
    packets: Arc<[ReplayPacket]>,
    skipped: Skipped,
}

impl Replay {
    /// Reads a capture: pcap in either byte order, with micro- or nanoseconds, or pcapng. `link` says what its frames
    /// are where it does not, or does wrongly.
    ///
    /// # Errors
    /// It cannot be replayed.
    pub fn parse(
        bytes: Arc<[u8]>,
        keep: Keep,
        link: Option<LinkType>,
    ) -> Result<Self, ReplayError> {
        if bytes.len() > MAX_BYTES {
            return Err(ReplayError::TooLarge);
        }
        let mut plan = Planner {
            bytes: &bytes,
            keep,
            link,
            frames: Vec::new(),
            last: 0,
            skipped: Skipped::default(),
        };
        match bytes.first_chunk::<4>() {
            Some([0x0a, 0x0d, 0x0d, 0x0a]) => plan.pcapng()?,
            Some(_) => plan.pcap()?,
            None => return Err(ReplayError::NotCapture),
        }
        let Planner {
            frames, skipped, ..
        } = plan;
        let lowest = frames.iter().map(|frame| frame.port).min();
        let first = frames.first().map_or(0, |frame| frame.at);
        let Some(lowest) = lowest else {
            return Err(ReplayError::Empty(skipped));
        };
        let packets = frames.iter().map(|frame| ReplayPacket {
            at: Micros(frame.at - first),
            start: frame.start,
            len: frame.len,
            port_offset: frame.port - lowest,
        });
        Ok(Self {
            packets: packets.collect(),
            skipped,
            bytes,
        })
    }

    /// A plan of packets made here: when, and their bytes.
    #[must_use]
    pub fn of_packets<'a>(packets: impl IntoIterator<Item = (Micros, &'a [u8])>) -> Self {
        let mut bytes = Vec::new();
        let packets: Vec<ReplayPacket> = packets
            .into_iter()
            .take(MAX_PACKETS)
            .map(|(at, packet)| {
                let packet = &packet[..packet.len().min(usize::from(u16::MAX))];
                let start = bytes.len() as u32;
                bytes.extend_from_slice(packet);
                ReplayPacket {
                    at,
                    start,
                    len: packet.len() as u16,
                    port_offset: 0,
                }
            })
            .collect();
        Self {
            bytes: bytes.into(),
            packets: packets.into(),
            skipped: Skipped::default(),
        }
    }

    /// Its packets, in order.
    #[must_use]
    pub fn packets(&self) -> &[ReplayPacket] {
        &self.packets
    }

    /// The bytes of one of its packets.
    #[must_use]
    pub fn bytes(&self, packet: &ReplayPacket) -> &[u8] {
        let start = packet.start as usize;
        self.bytes
            .get(start..start + usize::from(packet.len))
            .unwrap_or_default()
    }

    /// From the first packet to the last.
    #[must_use]
    pub fn duration(&self) -> Micros {
        self.packets.last().map_or(Micros(0), |packet| packet.at)
    }

    /// What of the capture is not replayed.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }
}

/// A datagram found in the capture.
struct Frame {
    /// In microseconds of the capture's own clock.
    at: u64,
    start: u32,
    len: u16,
    port: u16,
}

struct Planner<'a> {
    bytes: &'a [u8],
    keep: Keep,
    link: Option<LinkType>,
    frames: Vec<Frame>,
    last: u64,
    skipped: Skipped,
}

/// An interface of a pcapng capture.
struct Interface {
    link: Result<LinkType, i32>,
    snap_len: u32,
    /// Units of its timestamps in a second.
    units: u64,
}

impl Planner<'_> {
    fn pcap(&mut self) -> Result<(), ReplayError> {
        let (mut rest, header) =
            parse_pcap_header(self.bytes).map_err(|_| ReplayError::NotCapture)?;
        let link = self.link_of(header.network.0).map_err(ReplayError::Link)?;
        let PcapHeader { magic_number, .. } = header;
        let nanoseconds = header.is_nanosecond_precision();
        while !rest.is_empty() {
            let parsed = match (header.is_bigendian(), magic_number) {
                (true, _) => parse_pcap_frame_be(rest),
                (false, MODIFIED) => parse_pcap_frame_modified(rest),
                (false, _) => parse_pcap_frame(rest),
            };
            let Ok((behind, frame)) = parsed else {
                return Err(ReplayError::Broken(self.frames.len()));
            };
            let fraction = u64::from(frame.ts_usec) / if nanoseconds { 1000 } else { 1 };
            let at = u64::from(frame.ts_sec) * 1_000_000 + fraction;
            self.frame(link, at, frame.data)?;
            rest = behind;
        }
        Ok(())
    }

    fn pcapng(&mut self) -> Result<(), ReplayError> {
        let mut rest = self.bytes;
        let mut big_endian = false;
        let mut interfaces: Vec<Interface> = Vec::new();
        while !rest.is_empty() {
            let broken = ReplayError::Broken(self.frames.len());
            let head = BlockHead::of(rest, big_endian).ok_or_else(|| broken.clone())?;
            big_endian = head.big_endian;
            if !head.is_wanted() {
                rest = rest.get(head.len..).ok_or(broken)?;
                continue;
            }
            let parsed = if big_endian {
                parse_block_be(rest)
            } else {
                parse_block_le(rest)
            };
            let Ok((behind, block)) = parsed else {
                return Err(ReplayError::Broken(self.frames.len()));
            };
            match &block {
                Block::SectionHeader(_) => interfaces.clear(),
                Block::InterfaceDescription(description) => {
                    if interfaces.len() == MAX_INTERFACES {
                        return Err(ReplayError::TooLarge);
                    }
                    interfaces.push(Interface {
                        link: self.link_of(description.linktype.0),
                        snap_len: description.snaplen,
                        units: units(description.if_tsresol),
                    });
                }
                Block::EnhancedPacket(packet) => {
                    let interface = interfaces.get(packet.if_id as usize);
                    let interface = interface.ok_or(ReplayError::Broken(self.frames.len()))?;
                    let link = interface.link.map_err(ReplayError::Link)?;
                    let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                    let at = u128::from(ticks) * 1_000_000 / u128::from(interface.units);
                    let at = u64::try_from(at).unwrap_or(u64::MAX);
                    self.frame(link, at, packet.packet_data())?;
                }
                Block::SimplePacket(packet) => {
                    let interface = interfaces.first();
                    let interface = interface.ok_or(ReplayError::Broken(self.frames.len()))?;
                    let link = interface.link.map_err(ReplayError::Link)?;
                    let captured = match interface.snap_len {
                        0 => packet.origlen,
                        most => packet.origlen.min(most),
                    };
                    let data = packet.data.get(..captured as usize).unwrap_or(packet.data);
                    // It has no time of its own: it follows at once.
                    self.frame(link, self.last, data)?;
                }
                // Not wanted, and passed over above.
                _ => {}
            }
            rest = behind;
        }
        Ok(())
    }

    fn link_of(&self, number: i32) -> Result<LinkType, i32> {
        match self.link {
            Some(link) => Ok(link),
            None => LinkType::of_number(number).ok_or(number),
        }
    }

    fn frame(&mut self, link: LinkType, at: u64, data: &[u8]) -> Result<(), ReplayError> {
        self.last = self.last.max(at);
        let udp = match link.udp(data) {
            Ok(udp) => udp,
            Err(Skip::Other) => {
                self.skipped.other += 1;
                return Ok(());
            }
            Err(Skip::Fragment) => {
                self.skipped.fragments += 1;
                return Ok(());
            }
            Err(Skip::Truncated) => {
                self.skipped.truncated += 1;
                return Ok(());
            }
        };
        let wanted = match self.keep {
            Keep::All => true,
            Keep::Rtp => Packet::parse(udp.payload).is_ok(),
        };
        if !wanted {
            self.skipped.other += 1;
            return Ok(());
        }
        if self.frames.len() == MAX_PACKETS {
            return Err(ReplayError::TooLarge);
        }
        // A view of `bytes`, which has at most 32 bits of length.
        let start = udp.payload.as_ptr().addr() - self.bytes.as_ptr().addr();
        self.frames.push(Frame {
            at: self.last,
            start: start as u32,
            // A datagram has at most 16 bits of length.
            len: udp.payload.len() as u16,
            port: udp.destination_port,
        });
        Ok(())
    }
}

/// The beginning of a block of pcapng. Only blocks that are wanted reach the parser: names, statistics, keys and comments
/// are passed over by their length.
struct BlockHead {
    kind: u32,
    len: usize,
    big_endian: bool,
}

impl BlockHead {
    const SECTION: u32 = 0x0a0d_0d0a;
    const INTERFACE: u32 = 1;
    const SIMPLE_PACKET: u32 = 3;
    const ENHANCED_PACKET: u32 = 6;
    /// Kind, length, and the length again.
    const LEAST: usize = 12;

    fn of(bytes: &[u8], mut big_endian: bool) -> Option<Self> {
        let head = bytes.first_chunk::<12>()?;
        let word = |at: usize, big_endian: bool| {
            let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            if big_endian {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        // The same in both orders; its third word says which one its section has.
        if word(0, true) == Self::SECTION {
            big_endian = head[8..] == [0x1a, 0x2b, 0x3c, 0x4d];
        }
        let len = word(4, big_endian) as usize;
        (len >= Self::LEAST).then(|| Self {
            kind: word(0, big_endian),
            len,
            big_endian,
        })
    }

    const fn is_wanted(&self) -> bool {
        matches!(
            self.kind,
            Self::SECTION | Self::INTERFACE | Self::SIMPLE_PACKET | Self::ENHANCED_PACKET
        )
    }
}

/// Magic number of a pcap file whose packets have longer headers.
const MODIFIED: u32 = 0xa1b2_cd34;

/// Units in a second, of `if_tsresol`: a power of ten, or of two if the upper bit is set.
fn units(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent).unwrap_or(u64::MAX)
}
