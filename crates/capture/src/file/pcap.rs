// SPDX-License-Identifier: AGPL-3.0-only
//! pcap: a header, and records one behind the other.

use super::{Fault, Frame, Order};
use core::time::Duration;
use pcap_parser::{
    LegacyPcapBlock, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};

/// Bytes of the header of a file.
const HEADER: usize = 24;
/// No frame is longer; what says so is no record.
const MAX_FRAME: u32 = 256 * 1024;
/// What a file of swapped bytes begins with whose records have longer headers; `pcap-parser` knows only the other order.
const MODIFIED_SWAPPED: [u8; 4] = 0xa1b2_cd34_u32.to_be_bytes();
/// What it knows instead: the ordinary kind in that order.
const SWAPPED: [u8; 4] = 0xa1b2_c3d4_u32.to_be_bytes();

/// The records of a pcap file.
#[derive(Debug)]
pub(super) struct Records<'a> {
    rest: &'a [u8],
    order: Order,
    nanoseconds: bool,
    /// Bytes in front of each frame: Some kernels once wrote longer ones.
    header: usize,
    pub(super) link: i32,
    /// Longest frame that a record may have.
    longest: u32,
    /// Seconds of the last good record: where to look for the next one behind damage.
    near: Option<u32>,
    /// What is left of a frame whose end the file lacks.
    partial: Option<Frame<'a>>,
}

/// The numbers in front of a frame.
#[derive(Clone, Copy, Debug)]
struct Head {
    seconds: u32,
    fraction: u32,
    captured: u32,
    len: u32,
}

impl From<&LegacyPcapBlock<'_>> for Head {
    fn from(block: &LegacyPcapBlock<'_>) -> Self {
        Self {
            seconds: block.ts_sec,
            fraction: block.ts_usec,
            captured: block.caplen,
            len: block.origlen,
        }
    }
}

impl<'a> Records<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEADER>()?;
        let mut head = *head;
        let is_swapped_modified = head.first_chunk() == Some(&MODIFIED_SWAPPED);
        if is_swapped_modified {
            head[..4].copy_from_slice(&SWAPPED);
        }
        let (_, header) = parse_pcap_header(&head).ok()?;
        let modified = is_swapped_modified || header.is_modified_format();
        Some(Self {
            rest,
            order: Order {
                big_endian: header.is_bigendian(),
            },
            nanoseconds: header.is_nanosecond_precision(),
            header: if modified { 24 } else { 16 },
            // The upper half tells of checksums behind the frames, which nobody reads.
            link: header.network.0 & 0xffff,
            longest: header.snaplen.clamp(MAX_FRAME, 16 * MAX_FRAME),
            near: None,
            partial: None,
        })
    }

    pub(super) fn next(&mut self) -> Option<Result<Frame<'a>, Fault>> {
        if let Some(partial) = self.partial.take() {
            return Some(Ok(partial));
        }
        if self.rest.is_empty() {
            return None;
        }
        if let Some((behind, record)) = self.record() {
            let head = Head::from(&record);
            if self.is_sound(head) {
                self.rest = behind;
                return Some(Ok(self.frame(head, record.data)));
            }
        }
        Some(self.salvage())
    }

    /// The record that begins here, if all of it is there.
    fn record(&self) -> Option<(&'a [u8], LegacyPcapBlock<'a>)> {
        let parsed = match (self.order.big_endian, self.header) {
            (false, 16) => parse_pcap_frame(self.rest),
            (true, 16) => parse_pcap_frame_be(self.rest),
            (false, _) => parse_pcap_frame_modified(self.rest),
            (true, _) => return None,
        };
        parsed.ok()
    }

    fn frame(&mut self, head: Head, data: &'a [u8]) -> Frame<'a> {
        self.near = Some(head.seconds);
        let unit = if self.nanoseconds { 1 } else { 1000 };
        let fraction = Duration::from_nanos(u64::from(head.fraction) * unit);
        Frame {
            link: self.link,
            time: Some(Duration::from_secs(head.seconds.into()) + fraction),
            data,
            len: head.len,
        }
    }

    /// What can be had here although it is no record, or not a whole one.
    fn salvage(&mut self) -> Result<Frame<'a>, Fault> {
        let Some(head) = self.head(0) else {
            self.rest = &[];
            return Err(Fault::Ends);
        };
        if !self.is_sound(head) {
            let skipped = (1..self.rest.len())
                .find(|at| self.is_likely(*at))
                .unwrap_or(self.rest.len());
            self.rest = &self.rest[skipped..];
            return Err(Fault::Damaged(skipped));
        }
        let body = &self.rest[self.header..];
        if let Some((data, behind)) = body.split_at_checked(head.captured as usize) {
            self.rest = behind;
            return Ok(self.frame(head, data));
        }
        self.rest = &[];
        let len = head.len.max(head.captured);
        self.partial = Some(self.frame(Head { len, ..head }, body));
        Err(Fault::Ends)
    }

    /// The numbers of the record that begins at `at`, whether or not its frame is there.
    fn head(&self, at: usize) -> Option<Head> {
        let head = self.rest.get(at..)?.get(..self.header)?;
        let word = |index: usize| self.order.word(head, index * 4);
        Some(Head {
            seconds: word(0)?,
            fraction: word(1)?,
            captured: word(2)?,
            len: word(3)?,
        })
    }

    /// Whether these can be the numbers of a record.
    fn is_sound(&self, head: Head) -> bool {
        // Some programs write more than a second here, but never much more.
        let most = if self.nanoseconds {
            2_000_000_000
        } else {
            2_000_000
        };
        head.captured <= self.longest && head.fraction < most
    }

    /// Whether a record begins here for which there is more evidence than its being possible.
    fn is_likely(&self, at: usize) -> bool {
        let Some(head) = self.head(at) else {
            return false;
        };
        let near = |seconds: u32| self.near.is_none_or(|near| seconds.abs_diff(near) < 86_400);
        if !self.is_sound(head)
            || head.captured == 0
            || head.len < head.captured
            || head.len > 16 * MAX_FRAME
            || !near(head.seconds)
        {
            return false;
        }
        let behind = at + self.header + head.captured as usize;
        if behind == self.rest.len() {
            return true;
        }
        self.head(behind)
            .is_some_and(|head| self.is_sound(head) && near(head.seconds))
    }
}
