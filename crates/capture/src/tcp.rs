// SPDX-License-Identifier: AGPL-3.0-only
//! Puts the segments of TCP in order. Each direction of a connection is a stream of its own.
//!
//! Everything is at hand, so nothing is given up early: a gap waits for its segment until the stream ends, begins anew or
//! has run far ahead. Where the beginning of a stream has not been seen, its first bytes wait for what may lie before them.

#[cfg(test)]
mod tests;

use crate::ip::Segment;
use crate::reader::{Findings, Seen};
use crate::stream::{Path, Stream};
use std::collections::{BTreeMap, HashMap};

/// A segment this far from the others is of another connection with the same ports.
const FAR: u32 = 16 * 1024 * 1024;
/// So many bytes wait for earlier ones, or for the segment that begins their stream.
const HELD: usize = 1024 * 1024;
/// Sequence numbers are counted on beyond 32 bits, and from far enough above 0 that what is older has a number too.
const BASE: u64 = 1 << 33;

/// All streams of a file.
#[derive(Default, Debug)]
pub(crate) struct Streams {
    index: HashMap<Path, usize>,
    flows: Vec<Flow>,
}

/// One direction of a connection.
#[derive(Debug)]
struct Flow {
    path: Path,
    /// Sequence number of the segment that began it, if that was captured.
    began: Option<u32>,
    /// Nothing comes before `next` any more.
    anchored: bool,
    /// Bytes that have waited before that was so.
    held: usize,
    /// Number of the byte that comes next.
    next: u64,
    /// When the last byte that was handed on could be.
    seen: Seen,
    /// Segments behind a gap, by their first byte.
    waiting: BTreeMap<u64, (Seen, Vec<u8>)>,
    stream: Stream,
}

impl Streams {
    /// Takes a segment.
    pub(crate) fn add(
        &mut self,
        seen: Seen,
        path: Path,
        segment: &Segment<'_>,
        found: &mut Findings<'_>,
    ) {
        if segment.payload.is_empty() && !segment.syn {
            return;
        }
        let first = segment.sequence.wrapping_add(u32::from(segment.syn));
        let index = *self.index.entry(path).or_insert_with(|| {
            self.flows.push(Flow {
                path,
                began: segment.syn.then_some(segment.sequence),
                anchored: segment.syn,
                held: 0,
                next: BASE + u64::from(first),
                seen: Seen::NONE,
                waiting: BTreeMap::new(),
                stream: Stream::default(),
            });
            self.flows.len() - 1
        });
        let Some(flow) = self.flows.get_mut(index) else {
            return;
        };
        let mut distance = first.wrapping_sub(flow.next as u32).cast_signed();
        if segment.syn && flow.began.is_none() && distance.unsigned_abs() <= FAR {
            flow.begin(segment.sequence, distance, found);
            distance = first.wrapping_sub(flow.next as u32).cast_signed();
        }
        let another = segment.syn && flow.began != Some(segment.sequence);
        if another || distance.unsigned_abs() > FAR {
            flow.finish(found);
            flow.began = segment.syn.then_some(segment.sequence);
            flow.anchored = segment.syn;
            flow.held = 0;
            flow.next = BASE + u64::from(first);
            distance = 0;
        }
        let at = flow.next.wrapping_add_signed(distance.into());
        flow.arrive(seen, at, segment.payload, found);
    }

    /// Gives what still waits.
    pub(crate) fn finish(&mut self, found: &mut Findings<'_>) {
        for flow in &mut self.flows {
            flow.finish(found);
        }
    }
}

impl Flow {
    /// The segment that begins the stream comes late: it does, unless something before it is there.
    fn begin(&mut self, sequence: u32, distance: i32, found: &mut Findings<'_>) {
        let at = self.next.wrapping_add_signed(distance.into());
        let is_first = self.waiting.keys().next().is_none_or(|first| *first >= at);
        if self.anchored || !is_first {
            return;
        }
        self.began = Some(sequence);
        self.anchored = true;
        self.next = at;
        self.drain(found);
    }

    fn arrive(&mut self, seen: Seen, at: u64, bytes: &[u8], found: &mut Findings<'_>) {
        if at > self.next || !self.anchored {
            let waiting = self.waiting.entry(at).or_insert_with(|| (seen, Vec::new()));
            if waiting.1.len() < bytes.len() {
                let known = waiting.1.len();
                waiting.1.extend_from_slice(&bytes[known..]);
            }
            self.held += if self.anchored { 0 } else { bytes.len() };
            if self.held > HELD && !self.anchored {
                self.anchor();
                self.drain(found);
            }
            return;
        }
        self.deliver(seen, at, bytes, found);
        self.drain(found);
    }

    /// What is there first is where the stream begins.
    fn anchor(&mut self) {
        self.anchored = true;
        if let Some(first) = self.waiting.keys().next() {
            self.next = *first;
        }
    }

    /// Hands on what has waited and leaves no gap.
    fn drain(&mut self, found: &mut Findings<'_>) {
        while let Some(first) = self
            .waiting
            .first_entry()
            .filter(|first| *first.key() <= self.next)
        {
            let (at, (seen, bytes)) = first.remove_entry();
            self.deliver(seen, at, &bytes, found);
        }
    }

    /// Hands on what is new of bytes that leave no gap.
    fn deliver(&mut self, seen: Seen, at: u64, bytes: &[u8], found: &mut Findings<'_>) {
        let known = usize::try_from(self.next - at).unwrap_or(usize::MAX);
        if let Some(new) = bytes.get(known..).filter(|new| !new.is_empty()) {
            self.next += new.len() as u64;
            // What waited for this one came with it, as far as its receiver is concerned.
            // The frames of a file need not be in the order of time.
            if (seen.time, seen.frame) > (self.seen.time, self.seen.frame) {
                self.seen = seen;
            }
            self.stream.push(self.seen, new, self.path, found);
        }
    }

    /// Ends the stream: nothing comes any more that would fill its gaps.
    fn finish(&mut self, found: &mut Findings<'_>) {
        if !self.anchored {
            self.anchor();
        }
        for (at, (seen, bytes)) in core::mem::take(&mut self.waiting) {
            if at > self.next {
                self.stream.gap(seen, at - self.next, self.path, found);
                self.next = at;
            }
            self.deliver(seen, at, &bytes, found);
        }
        self.stream.end(self.path, found);
        self.stream = Stream::default();
    }
}
