// SPDX-License-Identifier: AGPL-3.0-only
//! From the bytes of a capture file to its frames: pcap and pcapng, in either byte order.
//!
//! A file that breaks off or makes no sense at some place still has frames before it, and often behind it: what is wrong
//! is yielded as a [`Fault`] where it is, and reading goes on with whatever can be found. Who cannot live with a fault
//! stops at the first one.

mod ng;
#[cfg(test)]
mod tests;

use core::time::Duration;
use ng::Sections;

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

/// Bytes of the header of a pcap file.
const HEADER: usize = 24;
/// No frame is longer; what says so is no record.
const MAX_FRAME: u32 = 256 * 1024;

/// The records of a pcap file.
#[derive(Debug)]
struct Records<'a> {
    rest: &'a [u8],
    order: Order,
    nanoseconds: bool,
    /// Bytes in front of each frame: Some kernels once wrote longer ones.
    header: usize,
    link: i32,
    /// Longest frame that a record may have.
    longest: u32,
    /// Seconds of the last good record: where to look for the next one behind damage.
    near: Option<u32>,
    /// What is left of a frame whose end the file lacks.
    partial: Option<Frame<'a>>,
}

impl<'a> Records<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let magic = [header[0], header[1], header[2], header[3]];
        let (nanoseconds, header_len, order) =
            [false, true].into_iter().find_map(|big_endian| {
                let order = Order { big_endian };
                match order.word(&magic, 0)? {
                    0xa1b2_c3d4 => Some((false, 16, order)),
                    0xa1b2_3c4d => Some((true, 16, order)),
                    0xa1b2_cd34 => Some((false, 24, order)),
                    _ => None,
                }
            })?;
        let snap_len = order.word(header, 16)?;
        // The upper half tells of checksums behind the frames, which nobody reads.
        let link = order.word(header, 20)? & 0xffff;
        Some(Self {
            rest,
            order,
            nanoseconds,
            header: header_len,
            link: link as i32,
            longest: snap_len.clamp(MAX_FRAME, 16 * MAX_FRAME),
            near: None,
            partial: None,
        })
    }

    /// The record that begins at `at`: seconds, its part of a second, bytes captured and bytes on the wire.
    fn head(&self, at: usize) -> Option<[u32; 4]> {
        let head = self.rest.get(at..)?.get(..self.header)?;
        let word = |index: usize| self.order.word(head, index * 4).unwrap_or(0);
        Some([word(0), word(1), word(2), word(3)])
    }

    /// Whether these can be the numbers of a record.
    fn is_sound(&self, [_, fraction, captured, _]: [u32; 4]) -> bool {
        // Some programs write more than a second here, but never much more.
        let most = if self.nanoseconds {
            2_000_000_000
        } else {
            2_000_000
        };
        captured <= self.longest && fraction < most
    }

    /// Whether a record begins here for which there is more evidence than its being possible.
    fn is_likely(&self, at: usize) -> bool {
        let Some(head) = self.head(at) else {
            return false;
        };
        let near = |seconds: u32| self.near.is_none_or(|near| seconds.abs_diff(near) < 86_400);
        let [seconds, _, captured, len] = head;
        if !self.is_sound(head)
            || captured == 0
            || len < captured
            || len > 16 * MAX_FRAME
            || !near(seconds)
        {
            return false;
        }
        let behind = at + self.header + captured as usize;
        if behind == self.rest.len() {
            return true;
        }
        self.head(behind)
            .is_some_and(|head| self.is_sound(head) && near(head[0]))
    }

    fn next(&mut self) -> Option<Result<Frame<'a>, Fault>> {
        if let Some(partial) = self.partial.take() {
            return Some(Ok(partial));
        }
        if self.rest.is_empty() {
            return None;
        }
        let Some(head) = self.head(0) else {
            self.rest = &[];
            return Some(Err(Fault::Ends));
        };
        if !self.is_sound(head) {
            let skipped = (1..self.rest.len())
                .find(|at| self.is_likely(*at))
                .unwrap_or(self.rest.len());
            self.rest = &self.rest[skipped..];
            return Some(Err(Fault::Damaged(skipped)));
        }
        let [seconds, fraction, captured, len] = head;
        let fraction = u64::from(fraction) * if self.nanoseconds { 1 } else { 1000 };
        let time = Duration::from_secs(seconds.into()) + Duration::from_nanos(fraction);
        let body = &self.rest[self.header..];
        let frame = Frame {
            link: self.link,
            time: Some(time),
            data: body.get(..captured as usize).unwrap_or(body),
            len,
        };
        self.near = Some(seconds);
        match body.get(captured as usize..) {
            Some(rest) => self.rest = rest,
            None => {
                self.rest = &[];
                self.partial = Some(Frame {
                    len: len.max(captured),
                    ..frame
                });
                return Some(Err(Fault::Ends));
            }
        }
        Some(Ok(frame))
    }
}
