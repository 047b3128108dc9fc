// SPDX-License-Identifier: AGPL-3.0-only
//! What a call keeps of the last message it accepted: only what a later step can print.
//!
//! The compiler lists per receive which captures are live (`liveness`); the values are stored joined, the way
//! `[last_NAME]` prints them.

use crate::link::Image;
use gossipper_bytecode::CaptureId;
use gossipper_bytecode::program::Capture;
use gossipper_sip::{HeaderName, Message, Presence, uri};

/// The kept parts of the last accepted message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last {
    /// The texts, and behind them a table with start and end of each capture of the program, the first one last.
    block: Vec<u8>,
    /// CSeq number; 0 without.
    pub(crate) cseq: u32,
    /// Status code; 0 for a request.
    pub(crate) status: u16,
    /// Whether there is a last message at all.
    pub(crate) present: bool,
    /// Whether the table is one of 32 bits, because the texts are too long for 16.
    wide: bool,
}

/// Texts in the making, and where they stand.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    text: Vec<u8>,
    /// Start and end of each capture of the program in `text`.
    ranges: Vec<(u32, u32)>,
}

/// Start and end of a capture that is not there.
const ABSENT: (u32, u32) = (1, 0);

impl Last {
    /// Forgets the message, keeps the memory.
    pub(crate) fn reset(&mut self) {
        self.block.clear();
        self.cseq = 0;
        self.status = 0;
        self.present = false;
    }

    /// Bytes it holds.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.block.capacity()
    }

    /// Keeps the listed captures of a message in place of the message before, and all of it as well where the program asks for that.
    ///
    /// They are put together in a draft and copied at once: a call holds them as long as it lives, so its block has
    /// no room to spare.
    pub(crate) fn keep(
        &mut self,
        image: &Image,
        captures: &[CaptureId],
        msg: &Message<'_>,
        draft: &mut Draft,
    ) {
        self.reset();
        self.present = true;
        self.cseq = msg.cseq().map_or(0, |cseq| cseq.number);
        self.status = msg.status().map_or(0, |code| code.0);
        let whole = image.inserted.keeps(self.status);
        if captures.is_empty() && !whole {
            return;
        }
        let Draft { text, ranges } = draft;
        text.clear();
        ranges.clear();
        let columns = image.wanted.len() + usize::from(image.inserted.keeps_whole());
        ranges.resize(columns, ABSENT);
        for id in captures {
            let start = text.len();
            if append(image, *id, msg, text) {
                // A message is no longer than 32 bits can count.
                ranges[id.index()] = (start as u32, text.len() as u32);
            } else {
                text.truncate(start);
            }
        }
        if whole && let Some(range) = ranges.last_mut() {
            let start = text.len();
            text.extend_from_slice(msg.bytes());
            *range = (start as u32, text.len() as u32);
        }
        self.put(draft);
    }

    /// Takes the texts of a draft, and makes their table.
    fn put(&mut self, Draft { text, ranges }: &mut Draft) {
        self.wide = text.len() > usize::from(u16::MAX);
        if self.wide {
            for (start, end) in ranges.iter().rev() {
                text.extend_from_slice(&start.to_le_bytes());
                text.extend_from_slice(&end.to_le_bytes());
            }
        } else {
            for (start, end) in ranges.iter().rev() {
                text.extend_from_slice(&(*start | *end << 16).to_le_bytes());
            }
        }
        self.block.reserve_exact(text.len());
        self.block.extend_from_slice(text);
    }

    /// The whole message, if such are kept.
    pub(crate) fn whole(&self, image: &Image) -> Option<&[u8]> {
        image
            .inserted
            .keeps_whole()
            .then(|| self.range(image.wanted.len()))?
    }

    /// The value of a capture, `None` when the message has no such header.
    pub(crate) fn capture(&self, id: CaptureId) -> Option<&[u8]> {
        self.range(id.index())
    }

    fn range(&self, index: usize) -> Option<&[u8]> {
        let number = |from_end: usize| {
            let at = self.block.len().checked_sub(4 * from_end)?;
            self.block[at..]
                .first_chunk()
                .map(|word| u32::from_le_bytes(*word))
        };
        let (start, end) = if self.wide {
            let from_end = 2 * (index + 1);
            (number(from_end)?, number(from_end - 1)?)
        } else {
            let both = number(index + 1)?;
            (both & 0xffff, both >> 16)
        };
        // What is not there ends before it starts.
        self.block.get(start as usize..end as usize)
    }
}

/// Appends what a capture takes from a message; `false` when there is no such header.
pub(crate) fn append(image: &Image, id: CaptureId, msg: &Message<'_>, out: &mut Vec<u8>) -> bool {
    let program = &image.program;
    match program.captures[id.index()] {
        Capture::Header(name) => !matches!(
            msg.append_wanted(program.bytes(name), image.wanted[id.index()], out),
            Presence::Absent
        ),
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
    let uri = msg.header(HeaderName::To).and_then(uri::angle_if_any);
    out.extend_from_slice(uri.unwrap_or_default());
    uri.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_come_back_from_narrow_and_wide_tables() {
        for length in [0, 1, 60_000, 65_535, 65_536, 200_000] {
            let mut last = Last {
                wide: length > 65_535,
                ..Last::default()
            };
            assert_eq!(last.capture(CaptureId(0)), None, "nothing is kept yet");
            let mut draft = Draft {
                text: vec![b'x'; length],
                ranges: vec![(0, length as u32), ABSENT, (length as u32, length as u32)],
            };
            last.put(&mut draft);
            assert_eq!(last.capture(CaptureId(0)).map(<[u8]>::len), Some(length));
            assert_eq!(last.capture(CaptureId(1)), None);
            assert_eq!(last.capture(CaptureId(2)), Some(&b""[..]));
        }
    }
}
