// SPDX-License-Identifier: AGPL-3.0-only
//! Puts the segments of TCP in order. Each direction of a connection is a stream of its own.
//!
//! Everything is at hand, so nothing is given up early: a gap waits for its segment until the stream ends, begins anew or
//! has run far ahead.

#[cfg(test)]
mod tests;

use crate::ip::Segment;
use crate::reader::{Findings, Seen};
use crate::stream::{Path, Stream};
use std::collections::{BTreeMap, HashMap};

/// A segment this far from the others is of another connection with the same ports.
const FAR: u32 = 16 * 1024 * 1024;
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
        let another = segment.syn && flow.began != Some(segment.sequence);
        if another || distance.unsigned_abs() > FAR {
            flow.finish(found);
            flow.began = segment.syn.then_some(segment.sequence);
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
    fn arrive(&mut self, seen: Seen, at: u64, bytes: &[u8], found: &mut Findings<'_>) {
        if at > self.next {
            let waiting = self.waiting.entry(at).or_insert_with(|| (seen, Vec::new()));
            if waiting.1.len() < bytes.len() {
                let known = waiting.1.len();
                waiting.1.extend_from_slice(&bytes[known..]);
            }
            return;
        }
        self.deliver(seen, at, bytes, found);
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
            if seen.frame > self.seen.frame {
                self.seen = seen;
            }
            self.stream.push(self.seen, new, self.path, found);
        }
    }

    /// Ends the stream: nothing comes any more that would fill its gaps.
    fn finish(&mut self, found: &mut Findings<'_>) {
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
