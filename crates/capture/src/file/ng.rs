// SPDX-License-Identifier: AGPL-3.0-only
//! pcapng: sections of blocks, of which some are frames. Names, statistics, keys and comments are passed over.

use super::{Fault, Frame, Order};
use core::time::Duration;
use pcap_parser::{
    Block, OptionCode, PcapError, PcapNGOption, parse_block_be, parse_block_le, parse_option_be,
    parse_option_le, parse_unknownblock_be, parse_unknownblock_le,
};

/// Kind of the block that begins a section; the same in both byte orders.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
/// Its third word, by which one tells the order.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
/// Obsolete, and still met.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Kind, length, and the length again.
const LEAST: usize = 12;
/// No block is longer; what says so is damaged.
const MOST: usize = 64 * 1024 * 1024;
/// Most interfaces of a section.
const MAX_INTERFACES: usize = 1024;

/// An interface that frames are of.
#[derive(Debug)]
struct Interface {
    link: i32,
    snap_len: u32,
    /// Units of its timestamps in a second.
    units: u64,
    /// Seconds to add to them.
    offset: i64,
}

/// A block that holds a frame.
#[derive(Debug)]
struct Packet<'a> {
    /// Which interface it is of.
    interface: usize,
    ticks: u64,
    captured: u32,
    len: u32,
    /// What was captured, and perhaps padding.
    data: &'a [u8],
}

/// The blocks of a pcapng file.
#[derive(Debug)]
pub(super) struct Sections<'a> {
    rest: &'a [u8],
    order: Order,
    interfaces: Vec<Interface>,
    /// What is left of a frame whose end the file lacks.
    partial: Option<Frame<'a>>,
}

impl<'a> Sections<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let order = order_of(bytes)?;
        Some(Self {
            rest: bytes,
            order,
            interfaces: Vec::new(),
            partial: None,
        })
    }

    pub(super) fn next(&mut self) -> Option<Result<Frame<'a>, Fault>> {
        if let Some(partial) = self.partial.take() {
            return Some(Ok(partial));
        }
        while !self.rest.is_empty() {
            if let Some(item) = self.block() {
                return Some(item);
            }
        }
        None
    }

    /// Takes one block; what comes of it, if it is a frame or damage.
    fn block(&mut self) -> Option<Result<Frame<'a>, Fault>> {
        if self.rest.starts_with(&SECTION.to_be_bytes()) {
            // One that cannot be read has the order of the section before.
            self.order = order_of(self.rest).unwrap_or(self.order);
        }
        match self.whole() {
            Some((behind, block)) => {
                self.rest = behind;
                self.parsed(block)
            }
            None => self.salvage(),
        }
    }

    /// The block that begins here, if nothing is wrong with it.
    fn whole(&self) -> Option<(&'a [u8], Block<'a>)> {
        let (order, rest) = (self.order, self.rest);
        let (kind, len) = (order.word(rest, 0)?, order.word(rest, 4)? as usize);
        let is_sound = (LEAST..=MOST).contains(&len) && len.is_multiple_of(4);
        if !is_sound || order.word(rest, len - 4) != Some(len as u32) {
            return None;
        }
        let parsed = match (kind, order.big_endian) {
            (SECTION | INTERFACE | SIMPLE_PACKET | ENHANCED_PACKET, false) => parse_block_le(rest),
            (SECTION | INTERFACE | SIMPLE_PACKET | ENHANCED_PACKET, true) => parse_block_be(rest),
            // What is in others does not matter, and should not be able to be wrong.
            (_, false) => parse_unknownblock_le(rest).map(|(rest, it)| (rest, Block::Unknown(it))),
            (_, true) => parse_unknownblock_be(rest).map(|(rest, it)| (rest, Block::Unknown(it))),
        };
        parsed.ok()
    }

    /// What a block comes to.
    fn parsed(&mut self, block: Block<'a>) -> Option<Result<Frame<'a>, Fault>> {
        match block {
            Block::SectionHeader(_) => {
                self.interfaces.clear();
                None
            }
            Block::InterfaceDescription(block) => {
                let interface =
                    Interface::new(block.linktype.0, block.snaplen, &block.options, self.order);
                self.describe(Some(interface))
            }
            Block::EnhancedPacket(block) => Some(self.packet(&Packet {
                interface: block.if_id as usize,
                ticks: u64::from(block.ts_high) << 32 | u64::from(block.ts_low),
                captured: block.caplen,
                len: block.origlen,
                data: block.data,
            })),
            Block::SimplePacket(block) => Some(self.simple(block.origlen, block.data)),
            Block::Unknown(block) => {
                // Their kind is as the file has it.
                let kind = self.order.word(&block.block_type.to_le_bytes(), 0);
                kind.and_then(|kind| self.content(kind, block.data))
            }
            _ => None,
        }
    }

    /// What can be had here although it is no block, or not a whole one, or not as it should be.
    fn salvage(&mut self) -> Option<Result<Frame<'a>, Fault>> {
        let rest = self.rest;
        let (Some(kind), Some(len)) = (self.order.word(rest, 0), self.order.word(rest, 4)) else {
            self.rest = &[];
            return Some(Err(Fault::Ends));
        };
        let len = len as usize;
        let padded = len.next_multiple_of(4);
        if !(LEAST..=MOST).contains(&len) {
            return Some(Err(self.skip_damage()));
        }
        let Some(behind) = rest
            .get(padded.min(rest.len())..)
            .filter(|_| len <= rest.len())
        else {
            // The file ends here, unless it is the length that is wrong.
            let skipped = self.find_block();
            if skipped < rest.len() {
                self.rest = &rest[skipped..];
                return Some(Err(Fault::Damaged(skipped)));
            }
            self.rest = &[];
            self.partial = match self.content(kind, &rest[8..]) {
                Some(Ok(frame)) => Some(frame),
                _ => None,
            };
            return Some(Err(Fault::Ends));
        };
        if self.order.word(rest, len - 4) != Some(len as u32) {
            return Some(Err(self.skip_damage()));
        }
        self.rest = behind;
        self.content(kind, &rest[8..len - 4])
    }

    /// What the body of a block comes to, so far as it is there.
    fn content(&mut self, kind: u32, body: &'a [u8]) -> Option<Result<Frame<'a>, Fault>> {
        let order = self.order;
        match kind {
            SECTION => {
                self.interfaces.clear();
                None
            }
            INTERFACE => {
                let interface = self.interface(body);
                // A broken one keeps its place, for the ones behind it are counted from it.
                let broken = interface.is_none();
                let full = self.describe(interface);
                full.or_else(|| broken.then_some(Err(Fault::Damaged(body.len()))))
            }
            PACKET | ENHANCED_PACKET => {
                let interface = if kind == PACKET {
                    order.half(body, 0).map(usize::from)
                } else {
                    order.word(body, 0).map(|index| index as usize)
                };
                let [Some(high), Some(low), Some(captured), Some(len)] =
                    [4, 8, 12, 16].map(|at| order.word(body, at))
                else {
                    return Some(Err(Fault::Damaged(body.len())));
                };
                Some(self.packet(&Packet {
                    interface: interface?,
                    ticks: u64::from(high) << 32 | u64::from(low),
                    captured,
                    len,
                    data: &body[20..],
                }))
            }
            SIMPLE_PACKET => match order.word(body, 0) {
                Some(len) => Some(self.simple(len, &body[4..])),
                None => Some(Err(Fault::Damaged(body.len()))),
            },
            _ => None,
        }
    }

    fn packet(&self, packet: &Packet<'a>) -> Result<Frame<'a>, Fault> {
        let interface = self.interfaces.get(packet.interface).ok_or(Fault::Orphan)?;
        let (data, captured) = (packet.data, packet.captured);
        Ok(Frame {
            link: interface.link,
            time: Some(interface.time(packet.ticks)),
            data: data.get(..captured as usize).unwrap_or(data),
            len: packet.len.max(captured),
        })
    }

    /// A packet that tells no more than how long it was.
    fn simple(&self, len: u32, data: &'a [u8]) -> Result<Frame<'a>, Fault> {
        let interface = self.interfaces.first().ok_or(Fault::Orphan)?;
        let captured = match interface.snap_len {
            0 => len,
            most => len.min(most),
        };
        Ok(Frame {
            link: interface.link,
            time: None,
            data: data.get(..captured as usize).unwrap_or(data),
            len,
        })
    }

    /// Takes the next interface; one of which nothing is known keeps its place.
    fn describe(&mut self, interface: Option<Interface>) -> Option<Result<Frame<'a>, Fault>> {
        if self.interfaces.len() == MAX_INTERFACES {
            return Some(Err(Fault::TooManyInterfaces));
        }
        self.interfaces
            .push(interface.unwrap_or(Interface::UNKNOWN));
        None
    }

    /// An interface whose block is not as it should be.
    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let order = self.order;
        let (link, snap_len) = (order.half(body, 0)?, order.word(body, 4)?);
        let mut options = Vec::new();
        let mut rest = &body[8..];
        loop {
            let parsed = if order.big_endian {
                parse_option_be::<PcapError<&[u8]>>(rest)
            } else {
                parse_option_le::<PcapError<&[u8]>>(rest)
            };
            let Ok((behind, option)) = parsed else {
                break;
            };
            options.push(option);
            rest = behind;
        }
        Some(Interface::new(link.into(), snap_len, &options, order))
    }

    fn skip_damage(&mut self) -> Fault {
        let skipped = self.find_block();
        self.rest = &self.rest[skipped..];
        Fault::Damaged(skipped)
    }

    /// How far away the next block begins: a known kind whose length stands at both its ends.
    fn find_block(&self) -> usize {
        let order = self.order;
        // Blocks are aligned to four bytes within the file, and damage does not move them.
        (4..self.rest.len())
            .step_by(4)
            .find(|at| {
                let rest = &self.rest[*at..];
                if rest.starts_with(&SECTION.to_be_bytes()) && order_of(rest).is_some() {
                    return true;
                }
                let Some(SECTION | INTERFACE | PACKET | SIMPLE_PACKET | ENHANCED_PACKET) =
                    order.word(rest, 0)
                else {
                    return false;
                };
                let Some(len) = order
                    .word(rest, 4)
                    .filter(|len| (LEAST..=MOST).contains(&(*len as usize)))
                else {
                    return false;
                };
                order.word(rest, len as usize - 4) == Some(len)
            })
            .unwrap_or(self.rest.len())
    }
}

fn order_of(section: &[u8]) -> Option<Order> {
    [false, true]
        .map(|big_endian| Order { big_endian })
        .into_iter()
        .find(|order| order.word(section, 8) == Some(BYTE_ORDER))
}

impl Interface {
    /// In the place of one that cannot be read.
    const UNKNOWN: Self = Self {
        link: -1,
        snap_len: 0,
        units: 1_000_000,
        offset: 0,
    };

    fn new(link: i32, snap_len: u32, options: &[PcapNGOption<'_>], order: Order) -> Self {
        let mut interface = Self {
            link,
            snap_len,
            ..Self::UNKNOWN
        };
        let valid = options
            .iter()
            .take_while(|option| option.code != OptionCode::EndOfOpt);
        for option in valid {
            // Values are padded; their resolution and order are read here since `pcap-parser` takes neither powers of two
            // nor the order of the file.
            match (option.code, option.len, option.value()) {
                (OptionCode::IfTsresol, 1, [resolution, ..]) => {
                    interface.units = units(*resolution);
                }
                (OptionCode::IfTsoffset, 8, value) => {
                    let Some(bytes) = value.first_chunk::<8>() else {
                        continue;
                    };
                    interface.offset = if order.big_endian {
                        i64::from_be_bytes(*bytes)
                    } else {
                        i64::from_le_bytes(*bytes)
                    };
                }
                _ => {}
            }
        }
        interface
    }

    fn time(&self, ticks: u64) -> Duration {
        // Ages away from overflow, whatever is added to it.
        const MOST: i128 = 1 << 40;
        let seconds = i128::from(ticks / self.units) + i128::from(self.offset);
        let fraction = u128::from(ticks % self.units) * 1_000_000_000 / u128::from(self.units);
        Duration::new(seconds.clamp(0, MOST) as u64, fraction as u32)
    }
}

/// Units in a second, of `if_tsresol`: a power of ten, or of two if the upper bit is set.
fn units(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent).unwrap_or(u64::MAX)
}
