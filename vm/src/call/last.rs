// SPDX-License-Identifier: AGPL-3.0-only
//! What a call keeps of the last message it accepted: only what a later step can print.
//!
//! The compiler lists per receive which captures are live (`liveness`); the values are stored joined, the way
//! `[last_NAME]` prints them.

use gossipper_bytecode::program::Capture;
use gossipper_bytecode::{CaptureId, Program};
use gossipper_sip::{HeaderName, Message, Presence, uri};
use smallvec::SmallVec;

/// No such header in the message, or not kept.
const ABSENT: u32 = u32::MAX;

/// Captures of a program without a wish of its own: those that the automatic messages print.
const CAPTURES_INLINE: usize = 6;

/// The kept parts of the last accepted message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last {
    text: Vec<u8>,
    /// Start and end per capture of the program.
    ranges: SmallVec<[(u32, u32); CAPTURES_INLINE]>,
    /// CSeq number; 0 without.
    pub(crate) cseq: u32,
    /// Status code; 0 for a request.
    pub(crate) status: u16,
    /// Whether there is a last message at all.
    pub(crate) present: bool,
}

impl Last {
    /// Forgets the message, keeps the memory.
    pub(crate) fn reset(&mut self) {
        self.text.clear();
        self.ranges.clear();
        self.cseq = 0;
        self.status = 0;
        self.present = false;
    }

    /// Bytes it holds.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Keeps the listed captures of a message in place of the message before, and with `whole` all of it as well.
    ///
    /// They are put together in `scratch` and copied at once: a call holds them as long as it lives, so its block has
    /// no room to spare.
    pub(crate) fn keep(
        &mut self,
        program: &Program,
        captures: &[CaptureId],
        msg: &Message<'_>,
        whole: bool,
        scratch: &mut Vec<u8>,
    ) {
        self.reset();
        self.present = true;
        self.cseq = msg.cseq().map_or(0, |cseq| cseq.number);
        self.status = msg.status().map_or(0, |code| code.0);
        if captures.is_empty() && !whole {
            return;
        }
        scratch.clear();
        let ranges = program.captures.len() + usize::from(whole);
        self.ranges.resize(ranges, (ABSENT, ABSENT));
        for id in captures {
            let start = scratch.len();
            let found = append(program, *id, msg, scratch);
            if found {
                // A message is at most 64 KiB on the wire, so offsets fit.
                self.ranges[id.index()] = (start as u32, scratch.len() as u32);
            } else {
                scratch.truncate(start);
            }
        }
        if whole && let Some(range) = self.ranges.last_mut() {
            let start = scratch.len();
            scratch.extend_from_slice(msg.bytes());
            *range = (start as u32, scratch.len() as u32);
        }
        self.text.reserve_exact(scratch.len());
        self.text.extend_from_slice(scratch);
    }

    /// The whole message, if such are kept.
    pub(crate) fn whole(&self, program: &Program) -> Option<&[u8]> {
        let &(start, end) = self.ranges.get(program.captures.len())?;
        Some(&self.text[start as usize..end as usize])
    }

    /// The value of a capture, `None` when the message has no such header.
    pub(crate) fn capture(&self, id: CaptureId) -> Option<&[u8]> {
        match self.ranges.get(id.index()) {
            Some(&(start, end)) if start != ABSENT => {
                Some(&self.text[start as usize..end as usize])
            }
            _ => None,
        }
    }
}

/// Appends what a capture takes from a message; `false` when there is no such header.
pub(crate) fn append(
    program: &Program,
    id: CaptureId,
    msg: &Message<'_>,
    out: &mut Vec<u8>,
) -> bool {
    match program.captures[id.index()] {
        Capture::Header(name) => append_header(program.bytes(name), msg, out),
        Capture::Message => {
            out.extend_from_slice(msg.bytes());
            true
        }
        Capture::ToUri => append_to_uri(msg, out),
    }
}

/// Appends the joined values of a header; `false` when there is none.
pub(crate) fn append_header(name: &[u8], msg: &Message<'_>, out: &mut Vec<u8>) -> bool {
    !matches!(msg.append_values(name, out), Presence::Absent)
}

/// Appends the text between `<` and `>` of To; as in SIPp nothing if there are no angle brackets.
pub(crate) fn append_to_uri(msg: &Message<'_>, out: &mut Vec<u8>) -> bool {
    match msg.header(HeaderName::To) {
        Some(to) if to.contains(&b'<') => {
            out.extend_from_slice(uri::angle_or_whole(to));
            true
        }
        _ => false,
    }
}
