// SPDX-License-Identifier: AGPL-3.0-only
//! pcapng: sections of blocks, of which some are frames. Names, statistics, keys and comments are passed over.

use super::{Fault, Frame, Order};
use core::time::Duration;

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

    /// What the body of a block comes to.
    fn content(&mut self, kind: u32, body: &'a [u8]) -> Option<Result<Frame<'a>, Fault>> {
        let order = self.order;
        match kind {
            SECTION => {
                self.interfaces.clear();
                None
            }
            INTERFACE => {
                if self.interfaces.len() == MAX_INTERFACES {
                    return Some(Err(Fault::TooManyInterfaces));
                }
                let interface = self.interface(body);
                // A broken one keeps its place, for the ones behind it are counted from it.
                let broken = interface.is_none();
                self.interfaces.push(interface.unwrap_or(Interface {
                    link: -1,
                    snap_len: 0,
                    units: 1_000_000,
                    offset: 0,
                }));
                broken.then_some(Err(Fault::Damaged(body.len())))
            }
            PACKET | ENHANCED_PACKET => {
                let index = if kind == PACKET {
                    order.half(body, 0).map(usize::from)
                } else {
                    order.word(body, 0).map(|index| index as usize)
                };
                let [Some(high), Some(low), Some(captured), Some(len)] =
                    [4, 8, 12, 16].map(|at| order.word(body, at))
                else {
                    return Some(Err(Fault::Damaged(body.len())));
                };
                let Some(interface) = index.and_then(|index| self.interfaces.get(index)) else {
                    return Some(Err(Fault::Orphan));
                };
                let data = &body[20..];
                Some(Ok(Frame {
                    link: interface.link,
                    time: Some(interface.time(u64::from(high) << 32 | u64::from(low))),
                    data: data.get(..captured as usize).unwrap_or(data),
                    len: len.max(captured),
                }))
            }
            SIMPLE_PACKET => {
                let Some(len) = order.word(body, 0) else {
                    return Some(Err(Fault::Damaged(body.len())));
                };
                let Some(interface) = self.interfaces.first() else {
                    return Some(Err(Fault::Orphan));
                };
                let captured = match interface.snap_len {
                    0 => len,
                    most => len.min(most),
                };
                let data = &body[4..];
                Some(Ok(Frame {
                    link: interface.link,
                    time: None,
                    data: data.get(..captured as usize).unwrap_or(data),
                    len,
                }))
            }
            _ => None,
        }
    }

    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let order = self.order;
        let mut interface = Interface {
            link: order.half(body, 0)?.into(),
            snap_len: order.word(body, 4)?,
            units: 1_000_000,
            offset: 0,
        };
        let mut options = &body[8..];
        while let (Some(code), Some(len)) = (order.half(options, 0), order.half(options, 2)) {
            let Some(value) = options.get(4..4 + usize::from(len)) else {
                break;
            };
            match (code, value) {
                (0, _) => break,
                (9, [resolution]) => interface.units = units(*resolution),
                (14, [_, _, _, _, _, _, _, _]) => {
                    let words =
                        [order.word(value, 0), order.word(value, 4)].map(Option::unwrap_or_default);
                    let [high, low] = if order.big_endian {
                        words
                    } else {
                        [words[1], words[0]]
                    };
                    interface.offset = (u64::from(high) << 32 | u64::from(low)) as i64;
                }
                _ => {}
            }
            let behind = 4 + usize::from(len).next_multiple_of(4);
            options = options.get(behind..).unwrap_or_default();
        }
        Some(interface)
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
