// SPDX-License-Identifier: AGPL-3.0-only
//! From the bytes of a capture file to its frames: pcap and pcapng, in either byte order.
//!
//! A file that breaks off or makes no sense at some place still has frames before it, and often behind it: what is wrong
//! is yielded as a [`Fault`] where it is, and reading goes on with whatever can be found. Who cannot live with a fault
//! stops at the first one.
//!
//! Whole records and blocks are taken by `pcap-parser`, without a copy. What is ours is everything that it gives up on: to
//! find the next sane place behind damage, to take what there is of a frame whose end is missing, and the few forms that it
//! does not know.

mod ng;
mod pcap;
#[cfg(test)]
mod tests;

use core::time::Duration;
use ng::Sections;
use pcap::Records;

/// A frame as the file has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Number of its link type, of the list that libpcap keeps.
    pub link: i32,
    /// Since the epoch. A few records have none.
    pub time: Option<Duration>,
    /// What was captured of it.
    pub data: &'a [u8],
    /// How long it was on the wire.
    pub len: u32,
}

/// What is wrong with a file at some place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It ends within a record.
    Ends,
    /// Bytes that are no record; reading goes on behind so many of them.
    Damaged(usize),
    /// A frame of an interface that nobody described.
    Orphan,
    /// More interfaces than a file may have.
    TooManyInterfaces,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Ends => f.write_str("the file ends within a record"),
            Self::Damaged(bytes) => write!(f, "{bytes} bytes of the file are damaged"),
            Self::Orphan => {
                f.write_str("a frame is of an interface that the file does not describe")
            }
            Self::TooManyInterfaces => f.write_str("the file describes too many interfaces"),
        }
    }
}

/// The frames of a file, and what is wrong with it where it is.
#[derive(Debug)]
pub struct Frames<'a>(Format<'a>);

#[derive(Debug)]
enum Format<'a> {
    Pcap(Records<'a>),
    Ng(Sections<'a>),
}

impl<'a> Frames<'a> {
    /// The frames of a file; `None` if it is neither pcap nor pcapng.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        if bytes.first_chunk() == Some(&ng::SECTION.to_be_bytes()) {
            return Some(Self(Format::Ng(Sections::of(bytes)?)));
        }
        Some(Self(Format::Pcap(Records::of(bytes)?)))
    }

    /// The link type of all frames, where the file has one for all.
    #[must_use]
    pub fn link(&self) -> Option<i32> {
        match &self.0 {
            Format::Pcap(records) => Some(records.link),
            Format::Ng(_) => None,
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Format::Pcap(records) => records.next(),
            Format::Ng(sections) => sections.next(),
        }
    }
}

/// Reads numbers in the byte order of a file.
#[derive(Clone, Copy, Debug)]
struct Order {
    big_endian: bool,
}

impl Order {
    fn word(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..)?.first_chunk::<4>()?;
        Some(if self.big_endian {
            u32::from_be_bytes(*bytes)
        } else {
            u32::from_le_bytes(*bytes)
        })
    }

    fn half(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.big_endian {
            u16::from_be_bytes(*bytes)
        } else {
            u16::from_le_bytes(*bytes)
        })
    }
}
