// SPDX-License-Identifier: AGPL-3.0-only
//! What a call keeps of the last message it accepted: only what a later step can print.
//!
//! The compiler lists per receive which captures are live (`liveness`); the values are stored joined, the way
//! `[last_NAME]` prints them.

use crate::link::Image;
use core::ops::Range;
use gossipper_bytecode::CaptureId;
use gossipper_bytecode::program::Capture;
use gossipper_sip::{HeaderName, Joined, Message, Presence, Wanted, uri};

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
    /// The same in the message at hand, as the table has them: those of the last capture first.
    places: Vec<u32>,
}

/// Start and end of a capture that is not there.
const ABSENT: (u32, u32) = (1, 0);

/// Start and end of a URI that is read from what is kept of the To header.
const IN_TO: (u32, u32) = (2, 0);

/// Start and end of a capture in the table, where they fit 16 bits.
const fn narrow(start: u32, end: u32) -> u32 {
    start | end << 16
}

/// Blocks are so many bytes long or a multiple of that: the allocator gives as much anyway, and what is kept of the next
/// message, which is about as long, then fits.
const GRAIN: usize = 32;

/// Bytes between values that may be kept with them: copying all at once is worth more.
const SLACK: usize = 40;

impl Last {
    /// Forgets the message, keeps the memory.
    pub(crate) fn reset(&mut self) {
        self.block.clear();
        self.cseq = 0;
        self.status = 0;
        self.present = false;
    }

    /// Reads the beginning of the texts; see [`crate::call::Call::touch`].
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.block.first().map_or(0, |first| u64::from(*first))
    }

    /// Bytes it holds.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.block.capacity()
    }

    /// Keeps the listed captures of a message in place of the message before, and all of it as well where the program asks for that.
    ///
    /// A call holds them as long as it lives, so its block has hardly room to spare.
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
        let columns = image.wanted.len() + usize::from(image.inserted.keeps_whole());
        if whole
            || self
                .keep_places(image, captures, columns, msg, draft)
                .is_err()
        {
            draft.ranges.clear();
            draft.ranges.resize(columns, ABSENT);
            self.keep_texts(image, captures, msg, draft);
        }
    }

    /// Copies values straight from the message, which is possible if each is a single line of a known name.
    fn keep_places(
        &mut self,
        image: &Image,
        captures: &[CaptureId],
        columns: usize,
        msg: &Message<'_>,
        Draft { places, .. }: &mut Draft,
    ) -> Result<(), Joined> {
        places.clear();
        places.resize(columns, narrow(ABSENT.0, ABSENT.1));
        let (mut from, mut to, mut length) = (usize::MAX, 0, 0);
        for id in captures {
            let (start, end) = match image.wanted[id.index()] {
                Wanted::Text => in_to(image, *id, captures)?,
                wanted => match msg.place_of(wanted)? {
                    Some(place) => {
                        from = from.min(place.start);
                        to = to.max(place.end);
                        length += place.len();
                        // Not used unless they fit.
                        (place.start as u32, place.end as u32)
                    }
                    None => continue,
                },
            };
            places[columns - 1 - id.index()] = narrow(start, end);
        }
        if to > usize::from(u16::MAX) {
            return Err(Joined);
        }
        self.wide = false;
        let bytes = msg.bytes();
        let table = size_of::<u32>() * columns;
        if to.saturating_sub(from) <= length + SLACK {
            // What is between them is less than it costs to leave it out.
            let values = bytes.get(from..to).unwrap_or_default();
            self.make_room(values.len() + table);
            self.block.extend_from_slice(values);
            let shift = narrow(from as u32, from as u32);
            for place in places.iter_mut().filter(|place| is_there(**place)) {
                *place -= shift;
            }
        } else {
            self.make_room(length + table);
            // In the order of the captures, not of the table.
            for place in places.iter_mut().rev().filter(|place| is_there(**place)) {
                let value = bytes.get((*place & 0xffff) as usize..(*place >> 16) as usize);
                let start = self.block.len() as u32;
                self.block.extend_from_slice(value.unwrap_or_default());
                *place = narrow(start, self.block.len() as u32);
            }
        }
        let start = self.block.len();
        self.block.resize(start + table, 0);
        let entries = self.block[start..].chunks_exact_mut(size_of::<u32>());
        for (entry, place) in entries.zip(places) {
            entry.copy_from_slice(&place.to_le_bytes());
        }
        Ok(())
    }

    /// Makes room for a block of so many bytes in place of the one before, of which nothing is copied.
    fn make_room(&mut self, bytes: usize) {
        self.block.clear();
        if self.block.capacity() < bytes {
            self.block = Vec::with_capacity(bytes.next_multiple_of(GRAIN));
        }
    }

    /// Puts the values together in a draft, and copies that.
    fn keep_texts(
        &mut self,
        image: &Image,
        captures: &[CaptureId],
        msg: &Message<'_>,
        draft: &mut Draft,
    ) {
        let Draft { text, ranges, .. } = draft;
        text.clear();
        ranges.fill(ABSENT);
        for id in captures {
            let start = text.len();
            if append(image, *id, msg, text) {
                // A message is no longer than 32 bits can count.
                ranges[id.index()] = (start as u32, text.len() as u32);
            } else {
                text.truncate(start);
            }
        }
        if image.inserted.keeps(self.status)
            && let Some(range) = ranges.last_mut()
        {
            let start = text.len();
            text.extend_from_slice(msg.bytes());
            *range = (start as u32, text.len() as u32);
        }
        self.put(draft);
    }

    /// Takes the texts of a draft, and makes their table.
    fn put(&mut self, Draft { text, ranges, .. }: &mut Draft) {
        self.wide = text.len() > usize::from(u16::MAX);
        if self.wide {
            for (start, end) in ranges.iter().rev() {
                text.extend_from_slice(&start.to_le_bytes());
                text.extend_from_slice(&end.to_le_bytes());
            }
        } else {
            for (start, end) in ranges.iter().rev() {
                text.extend_from_slice(&narrow(*start, *end).to_le_bytes());
            }
        }
        self.make_room(text.len());
        self.block.extend_from_slice(text);
    }

    /// The whole message, if such are kept.
    pub(crate) fn whole(&self, image: &Image) -> Option<&[u8]> {
        image
            .inserted
            .keeps_whole()
            .then(|| self.text(image.wanted.len()))?
    }

    /// The value of a capture, `None` when the message has no such header.
    pub(crate) fn capture(&self, image: &Image, id: CaptureId) -> Option<&[u8]> {
        if self.range(id.index())? == IN_TO {
            return uri::angle_if_any(self.text(image.to_header?.index())?);
        }
        self.text(id.index())
    }

    /// All that is kept, and where in it the value of a capture stands that is a header's.
    #[inline]
    pub(crate) fn header(&self, id: CaptureId) -> Option<(&[u8], Range<usize>)> {
        let (start, end) = self.range(id.index())?;
        // What is not there ends before it starts.
        (start <= end).then_some((&self.block[..], start as usize..end as usize))
    }

    fn text(&self, index: usize) -> Option<&[u8]> {
        let (start, end) = self.range(index)?;
        // What is not there ends before it starts.
        self.block.get(start as usize..end as usize)
    }

    fn range(&self, index: usize) -> Option<(u32, u32)> {
        let number = |from_end: usize| {
            let at = self.block.len().checked_sub(4 * from_end)?;
            self.block[at..]
                .first_chunk()
                .map(|word| u32::from_le_bytes(*word))
        };
        Some(if self.wide {
            let from_end = 2 * (index + 1);
            (number(from_end)?, number(from_end - 1)?)
        } else {
            let both = number(index + 1)?;
            (both & 0xffff, both >> 16)
        })
    }
}

/// Whether an entry of the table is the place of a value.
const fn is_there(place: u32) -> bool {
    place & 0xffff <= place >> 16
}

/// Where a capture is kept that is not simply the value of a header of a known name; an error if that is a text of its own.
#[cold]
fn in_to(image: &Image, id: CaptureId, captures: &[CaptureId]) -> Result<(u32, u32), Joined> {
    // The URI in To is read from what is kept of that when it is printed, if ever.
    let derived = image.program.captures[id.index()] == Capture::ToUri;
    match image.to_header {
        Some(to) if derived && captures.contains(&to) => Ok(IN_TO),
        _ => Err(Joined),
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
            assert_eq!(last.text(0), None, "nothing is kept yet");
            let mut draft = Draft {
                text: vec![b'x'; length],
                ranges: vec![(0, length as u32), ABSENT, (length as u32, length as u32)],
                ..Draft::default()
            };
            last.put(&mut draft);
            assert_eq!(last.text(0).map(<[u8]>::len), Some(length));
            assert_eq!(last.text(1), None);
            assert_eq!(last.text(2), Some(&b""[..]));
        }
    }
}
