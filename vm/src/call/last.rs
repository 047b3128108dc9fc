// SPDX-License-Identifier: AGPL-3.0-only
//! What a call keeps of the last message it accepted: only what a later step can print.
//!
//! The compiler lists per receive which captures are live (`liveness`); the values are stored joined, the way
//! `[last_NAME]` prints them.

use crate::link::Image;
use core::ops::Range;
use gossipper_bytecode::program::Capture;
use gossipper_bytecode::{CaptureId, Program, RecvId};
use gossipper_sip::{HeaderName, Joined, Message, Presence, Wanted, uri};

/// The kept parts of the last accepted message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last {
    /// A table with start and end of each capture of the program, and the texts behind it; nothing where nothing is kept.
    /// What is behind the texts is of no meaning.
    block: Box<[u8]>,
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
    blocks: Blocks,
}

/// What a receive keeps of a message, worked out when linking.
#[derive(Clone, Debug)]
pub(crate) struct Keeping {
    /// Headers of known names, and where in the table each has its place.
    headers: Box<[(HeaderName, u16)]>,
    /// The table where the message has none of them.
    table: Box<[u8]>,
    /// Whether these are all, so that values can be copied straight from the message.
    places: bool,
}

impl Keeping {
    /// What these captures of a program keep. Where one is the URI in To it is read, when it is printed, from what is
    /// kept of that.
    pub(crate) fn of(
        program: &Program,
        wanted: &[Wanted],
        to_header: Option<CaptureId>,
        captures: &[CaptureId],
    ) -> Self {
        let absent = narrow(ABSENT.0, ABSENT.1);
        let mut table: Vec<_> = wanted.iter().flat_map(|_| absent).collect();
        let mut headers = Vec::new();
        let mut places = true;
        for id in captures {
            let at = NARROW * id.index();
            let in_to = program.captures[id.index()] == Capture::ToUri
                && to_header.is_some_and(|to| captures.contains(&to));
            match (wanted[id.index()], u16::try_from(at)) {
                (Wanted::Known(name), Ok(at)) => headers.push((name, at)),
                (Wanted::Text, Ok(_)) if in_to => {
                    table[at..at + NARROW].copy_from_slice(&narrow(IN_TO.0, IN_TO.1));
                }
                _ => places = false,
            }
        }
        Self {
            headers: headers.into(),
            table: table.into(),
            places,
        }
    }
}

/// Memory for what is kept, between two uses.
///
/// What a call keeps no longer is taken by the next message of whatever call: that memory was in use a moment ago, while what the
/// call itself had, or the one before in its place, has left the caches among a million others.
#[derive(Debug, Default)]
struct Blocks(Vec<Box<[u8]>>);

impl Blocks {
    /// Most blocks kept.
    const MAX: usize = 2048;
    /// Largest block kept: more than the headers of most messages take.
    const MAX_BYTES: usize = 2048;
    /// What the sizes of blocks are multiples of, so that one digit more in a number need not be another block. Allocators
    /// give no less.
    const STEP: usize = 32;

    /// At least so many bytes, whatever is in them.
    fn take(&mut self, size: usize) -> Box<[u8]> {
        match self.0.pop() {
            Some(block) if block.len() >= size => block,
            _ => vec![0; size.next_multiple_of(Self::STEP)].into(),
        }
    }

    fn give(&mut self, block: Box<[u8]>) {
        if self.0.len() < Self::MAX && (1..=Self::MAX_BYTES).contains(&block.len()) {
            self.0.push(block);
        }
    }
}

/// Bytes of an entry of a table: start and end, of 16 bits each.
const NARROW: usize = 4;

/// The same of 32 bits each.
const WIDE: usize = 8;

/// Start and end of a capture that is not there.
const ABSENT: (u32, u32) = (1, 0);

/// Start and end of a URI that is read from what is kept of the To header.
const IN_TO: (u32, u32) = (2, 0);

/// Start and end of a capture in the table, where they fit 16 bits.
const fn narrow(start: u32, end: u32) -> [u8; NARROW] {
    (start | end << 16).to_le_bytes()
}

/// Bytes between values that may be kept with them: copying all at once is worth more.
const SLACK: usize = 40;

impl Last {
    /// Forgets the message.
    #[inline]
    pub(crate) fn forget(&mut self) {
        if !self.block.is_empty() {
            self.block = Box::default();
        }
        self.cseq = 0;
        self.status = 0;
        self.present = false;
    }

    /// Forgets its texts, which nothing will print, and hands on the memory.
    #[inline]
    pub(crate) fn release(&mut self, draft: &mut Draft) {
        if !self.block.is_empty() {
            draft.blocks.give(core::mem::take(&mut self.block));
        }
    }

    /// Memory for so much, the table included.
    #[inline]
    fn room(&mut self, size: usize, blocks: &mut Blocks) -> &mut [u8] {
        if self.block.len() < size {
            self.block = blocks.take(size);
        }
        &mut self.block[..size]
    }

    /// Reads the beginning of the texts; see [`crate::call::Call::touch`].
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.block.first().map_or(0, |first| u64::from(*first))
    }

    /// Bytes it holds.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.block.len()
    }

    /// Keeps the captures of a receive of a message in place of the message before, and all of it as well where the program
    /// asks for that.
    pub(crate) fn keep(
        &mut self,
        image: &Image,
        recv: RecvId,
        msg: &Message<'_>,
        draft: &mut Draft,
    ) {
        self.present = true;
        self.cseq = msg.cseq().map_or(0, |cseq| cseq.number);
        self.status = msg.status().map_or(0, |code| code.0);
        let whole = image.inserted.keeps(self.status);
        let captures = image
            .program
            .captures_of(&image.program.recvs[recv.index()]);
        if captures.is_empty() && !whole {
            self.release(draft);
            return;
        }
        let keeping = &image.keeping[recv.index()];
        let whole_has_place = image.inserted.keeps_whole();
        if !keeping.places
            || whole_has_place
            || self.keep_places(keeping, msg, &mut draft.blocks).is_err()
        {
            let columns = image.wanted.len() + usize::from(whole_has_place);
            draft.ranges.clear();
            draft.ranges.resize(columns, ABSENT);
            self.keep_texts(image, captures, msg, draft);
        }
    }

    /// Copies values straight from the message, which is possible if each is a single line of a known name.
    fn keep_places(
        &mut self,
        Keeping { headers, table, .. }: &Keeping,
        msg: &Message<'_>,
        blocks: &mut Blocks,
    ) -> Result<(), Joined> {
        let (mut from, mut to, mut length) = (usize::MAX, 0, 0);
        for (name, _) in headers {
            if let Some(place) = msg.place_of(Wanted::Known(*name))? {
                from = from.min(place.start);
                to = to.max(place.end);
                length += place.len();
            }
        }
        // Behind the table each value stands at most where it stood in the message, and that much further. A header may be
        // kept twice, under two names.
        if to.max(length) + table.len() > usize::from(u16::MAX) {
            return Err(Joined);
        }
        self.wide = false;
        let bytes = msg.bytes();
        // If what is between them is less than it costs to leave it out, all is copied at once.
        let span = to.saturating_sub(from);
        let at_once = span <= length + SLACK;
        let size = table.len() + if at_once { span } else { length };
        let (entries, values) = self.room(size, blocks).split_at_mut(table.len());
        if at_once {
            values.copy_from_slice(bytes.get(from..to).unwrap_or_default());
        }
        entries.copy_from_slice(table);
        let mut next = 0;
        for (name, at) in headers {
            let Some(place) = msg.place_of(Wanted::Known(*name))? else {
                continue;
            };
            let start = if at_once { place.start - from } else { next };
            let end = start + place.len();
            if !at_once {
                values[start..end].copy_from_slice(bytes.get(place).unwrap_or_default());
                next = end;
            }
            let at = usize::from(*at);
            let (start, end) = (start + table.len(), end + table.len());
            entries[at..at + NARROW].copy_from_slice(&narrow(start as u32, end as u32));
        }
        Ok(())
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
    fn put(&mut self, draft: &mut Draft) {
        let Draft {
            text,
            ranges,
            blocks,
            ..
        } = draft;
        let small = NARROW * ranges.len();
        self.wide = text.len() + small > usize::from(u16::MAX);
        let table = if self.wide { 2 * small } else { small };
        let wide = self.wide;
        let block = self.room(table + text.len(), blocks);
        let (entries, texts) = block.split_at_mut(table);
        texts.copy_from_slice(text);
        for (range, entry) in
            ranges
                .iter()
                .zip(entries.chunks_exact_mut(if wide { WIDE } else { NARROW }))
        {
            let (mut start, mut end) = *range;
            if start <= end {
                (start, end) = (start + table as u32, end + table as u32);
            }
            if wide {
                entry[..NARROW].copy_from_slice(&start.to_le_bytes());
                entry[NARROW..].copy_from_slice(&end.to_le_bytes());
            } else {
                entry.copy_from_slice(&narrow(start, end));
            }
        }
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
        let number = |word: usize| {
            let rest = self.block.get(4 * word..)?;
            rest.first_chunk().map(|word| u32::from_le_bytes(*word))
        };
        Some(if self.wide {
            (number(2 * index)?, number(2 * index + 1)?)
        } else {
            let both = number(index)?;
            (both & 0xffff, both >> 16)
        })
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

    fn draft(length: usize) -> Draft {
        Draft {
            text: vec![b'x'; length],
            ranges: vec![(0, length as u32), ABSENT, (length as u32, length as u32)],
            ..Draft::default()
        }
    }

    #[test]
    fn captures_come_back_from_narrow_and_wide_tables() {
        for length in [0, 1, 60_000, 65_523, 65_524, 65_535, 65_536, 200_000] {
            let mut last = Last::default();
            assert_eq!(last.text(0), None, "nothing is kept yet");
            last.put(&mut draft(length));
            assert_eq!(last.wide, length > 65_523);
            assert_eq!(last.text(0).map(<[u8]>::len), Some(length));
            assert!(
                last.text(0)
                    .is_some_and(|text| text.iter().all(|byte| *byte == b'x'))
            );
            assert_eq!(last.text(1), None);
            assert_eq!(last.text(2), Some(&b""[..]));
        }
    }

    #[test]
    fn memory_that_is_kept_no_longer_is_taken_by_the_next() {
        let mut draft = draft(100);
        let (mut one, mut other) = (Last::default(), Last::default());
        one.put(&mut draft);
        let block = one.block.as_ptr();
        one.release(&mut draft);
        assert_eq!((one.text(0), one.heap_bytes()), (None, 0));
        other.put(&mut draft);
        assert_eq!(other.block.as_ptr(), block);
        assert_eq!(other.text(0), Some(&[b'x'; 100][..]));
        assert!(draft.blocks.0.is_empty());
    }

    #[test]
    fn the_memory_between_uses_is_bounded() {
        let mut blocks = Blocks::default();
        for size in [0, 1, Blocks::MAX_BYTES, Blocks::MAX_BYTES + 1] {
            blocks.give(vec![0; size].into());
        }
        assert_eq!(blocks.0.len(), 2);
        assert_eq!(blocks.take(40).len(), Blocks::MAX_BYTES);
        assert_eq!(
            blocks.take(40).len(),
            64,
            "one that is too small is of no use"
        );
        (0..2 * Blocks::MAX).for_each(|_| blocks.give(vec![0; 1].into()));
        assert_eq!(blocks.0.len(), Blocks::MAX);
    }
}
