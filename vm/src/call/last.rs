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
    /// Blocks that calls have given back.
    spare: Vec<Vec<u8>>,
}

impl Draft {
    /// Most blocks kept.
    const MAX_SPARE: usize = 1024;
    /// Largest block kept: what nearly all are, by far.
    const MAX_BYTES: usize = 4096;
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
        let mut table: Vec<_> = wanted.iter().flat_map(|_| ENTRY_ABSENT).collect();
        let mut headers = Vec::new();
        let mut places = true;
        for id in captures {
            // The first capture has the last entry.
            let at = ENTRY * (wanted.len() - 1 - id.index());
            let in_to = program.captures[id.index()] == Capture::ToUri
                && to_header.is_some_and(|to| captures.contains(&to));
            match (wanted[id.index()], u16::try_from(at)) {
                (Wanted::Known(name), Ok(at)) => headers.push((name, at)),
                (Wanted::Text, Ok(_)) if in_to => {
                    table[at..at + ENTRY].copy_from_slice(&narrow(IN_TO.0, IN_TO.1));
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

/// Start and end of a capture that is not there.
const ABSENT: (u32, u32) = (1, 0);

/// Start and end of a URI that is read from what is kept of the To header.
const IN_TO: (u32, u32) = (2, 0);

/// Length of an entry of the table that is one of 16 bits.
const ENTRY: usize = 4;

/// The entry of a capture that is not there.
const ENTRY_ABSENT: [u8; ENTRY] = narrow(ABSENT.0, ABSENT.1);

/// Start and end of a capture in the table, where they fit 16 bits.
const fn narrow(start: u32, end: u32) -> [u8; ENTRY] {
    (start | end << 16).to_le_bytes()
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

    /// Forgets the texts, and leaves their memory to other calls.
    pub(crate) fn give_back(&mut self, draft: &mut Draft) {
        let block = core::mem::take(&mut self.block);
        let length = block.capacity();
        if length > 0 && length <= Draft::MAX_BYTES && draft.spare.len() < Draft::MAX_SPARE {
            draft.spare.push(block);
        }
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

    /// Keeps the captures of a receive of a message in place of the message before, and all of it as well where the program
    /// asks for that.
    ///
    /// A call holds them as long as it lives, so its block has hardly room to spare.
    pub(crate) fn keep(
        &mut self,
        image: &Image,
        recv: RecvId,
        msg: &Message<'_>,
        draft: &mut Draft,
    ) {
        self.reset();
        self.present = true;
        self.cseq = msg.cseq().map_or(0, |cseq| cseq.number);
        self.status = msg.status().map_or(0, |code| code.0);
        let whole = image.inserted.keeps(self.status);
        let keeping = &image.keeping[recv.index()];
        if !whole
            && !image.inserted.keeps_whole()
            && keeping.places
            && self.keep_places(keeping, msg, draft).is_ok()
        {
            return;
        }
        let captures = image
            .program
            .captures_of(&image.program.recvs[recv.index()]);
        if captures.is_empty() && !whole {
            return;
        }
        let columns = image.wanted.len() + usize::from(image.inserted.keeps_whole());
        draft.ranges.clear();
        draft.ranges.resize(columns, ABSENT);
        self.keep_texts(image, captures, msg, draft);
    }

    /// Copies values straight from the message, which is possible if each is a single line of a known name.
    fn keep_places(
        &mut self,
        keeping: &Keeping,
        msg: &Message<'_>,
        draft: &mut Draft,
    ) -> Result<(), Joined> {
        let Keeping { headers, table, .. } = keeping;
        if headers.is_empty() {
            return Ok(());
        }
        let (mut from, mut to, mut length) = (usize::MAX, 0, 0);
        for (name, _) in headers {
            if let Some(place) = msg.place_of(Wanted::Known(*name))? {
                from = from.min(place.start);
                to = to.max(place.end);
                length += place.len();
            }
        }
        // A header may be kept twice, under two names.
        if to.max(length) > usize::from(u16::MAX) {
            return Err(Joined);
        }
        self.wide = false;
        let bytes = msg.bytes();
        let from = from.min(to);
        // What is between them is less than it costs to leave it out.
        let at_once = to - from <= length + SLACK;
        let values = if at_once { to - from } else { length };
        self.make_room(values + table.len(), &mut draft.spare);
        if at_once {
            self.block
                .extend_from_slice(bytes.get(from..to).unwrap_or_default());
        }
        let mut start = 0;
        let mut table_at = self.block.len();
        if !at_once {
            for (name, _) in headers {
                let place = msg.place_of(Wanted::Known(*name))?.unwrap_or_default();
                self.block
                    .extend_from_slice(bytes.get(place).unwrap_or_default());
            }
            table_at = self.block.len();
        }
        self.block.extend_from_slice(table);
        let table = &mut self.block[table_at..];
        for (name, at) in headers {
            if let Some(place) = msg.place_of(Wanted::Known(*name))? {
                if at_once {
                    start = place.start - from;
                }
                let end = start + place.len();
                if let Some(entry) = table.get_mut(usize::from(*at)..usize::from(*at) + ENTRY) {
                    entry.copy_from_slice(&narrow(start as u32, end as u32));
                }
                // Where the next one is, if they stand one behind the other.
                start = end;
            }
        }
        Ok(())
    }

    /// Makes room for a block of so many bytes in place of the one before, of which nothing is copied.
    fn make_room(&mut self, bytes: usize, spare: &mut Vec<Vec<u8>>) {
        self.block.clear();
        if self.block.capacity() < bytes {
            self.block = match spare.pop() {
                Some(mut block) if block.capacity() >= bytes => {
                    block.clear();
                    block
                }
                _ => Vec::with_capacity(bytes.next_multiple_of(GRAIN)),
            };
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
    fn put(
        &mut self,
        Draft {
            text,
            ranges,
            spare,
        }: &mut Draft,
    ) {
        self.wide = text.len() > usize::from(u16::MAX);
        if self.wide {
            for (start, end) in ranges.iter().rev() {
                text.extend_from_slice(&start.to_le_bytes());
                text.extend_from_slice(&end.to_le_bytes());
            }
        } else {
            for (start, end) in ranges.iter().rev() {
                text.extend_from_slice(&narrow(*start, *end));
            }
        }
        self.make_room(text.len(), spare);
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
    fn the_memory_that_one_call_gives_back_is_that_of_the_next() {
        let mut draft = Draft {
            text: b"text".to_vec(),
            ranges: vec![(0, 4)],
            ..Draft::default()
        };
        let (mut first, mut second) = (Last::default(), Last::default());
        first.put(&mut draft);
        let (block, length) = (first.block.as_ptr(), first.heap_bytes());
        assert_eq!(length % GRAIN, 0);
        first.give_back(&mut draft);
        assert_eq!((first.heap_bytes(), first.text(0)), (0, None));
        draft.text = b"other".to_vec();
        draft.ranges = vec![(0, 5)];
        second.put(&mut draft);
        assert_eq!(second.text(0), Some(&b"other"[..]));
        assert_eq!(
            (second.block.as_ptr(), second.heap_bytes()),
            (block, length)
        );
    }

    #[test]
    fn the_blocks_given_back_are_bounded_in_number_and_size() {
        let mut draft = Draft::default();
        let of = |bytes| Last {
            block: Vec::with_capacity(bytes),
            ..Last::default()
        };
        of(Draft::MAX_BYTES + 1).give_back(&mut draft);
        of(0).give_back(&mut draft);
        assert!(draft.spare.is_empty());
        for _ in 0..Draft::MAX_SPARE + 5 {
            of(8).give_back(&mut draft);
        }
        assert_eq!(draft.spare.len(), Draft::MAX_SPARE);
    }

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
