// SPDX-License-Identifier: AGPL-3.0-only
//! The header fields of a message: where each stands, and which is the first of its name.
//!
//! A table is filled once per message and asked often, so it notes the place of each known name while it is filled.
//! Its memory goes from one message to the next ([`crate::scan::FieldBuffer`]).
//!
//! Nearly every line is a known name of at most fifteen letters, a colon, blanks, a value of one line, CR and LF:
//! [`plain`] reads those. Everything else goes to [`FieldScanner`], which reads any line, and the two agree.

use core::ops::Range;

use crate::find::{find, find_in_line, find_near};
use crate::headers::{HeaderName, Spelling};
use crate::scan::{is_blank, is_token, line_at, trim_end};

/// Stands for no place in [`Fields::first`].
const NONE: u8 = u8::MAX;

/// Room for all names, [`HeaderName::Other`] among them.
const NAMES: usize = 32;

const _: () = assert!(HeaderName::ALL.len() < NAMES);

/// Fields whose places are noted; those of a longer table are searched.
const NOTED: usize = NONE as usize;

/// Where a field stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldAt {
    at: u32,
    /// Where the value begins, or further blanks in front of it, which are left out when somebody asks.
    from: u32,
    end: u32,
    spelling: Spelling,
}

impl FieldAt {
    #[inline]
    pub(crate) fn name(&self) -> HeaderName {
        self.spelling.name
    }

    /// Whether its value goes on in further lines.
    #[inline]
    pub(crate) fn folded(&self) -> bool {
        self.spelling.folded
    }

    #[inline]
    pub(crate) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let value = bytes
            .get(self.from as usize..self.end as usize)
            .unwrap_or(&[]);
        match value {
            [b' ' | b'\t', ..] => without_blanks(value),
            _ => value,
        }
    }

    /// Where the value ends.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.end as usize
    }

    /// Where the value stands.
    #[inline]
    pub(crate) fn place(&self, bytes: &[u8]) -> Range<usize> {
        let place = self.from as usize..self.end();
        match bytes.get(place.start) {
            Some(b' ' | b'\t') => place.end - self.value(bytes).len()..place.end,
            _ => place,
        }
    }

    pub(crate) fn raw_name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let at = self.at as usize;
        bytes
            .get(at..at + usize::from(self.spelling.length))
            .unwrap_or(&[])
    }
}

/// All fields, in message order.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) all: Vec<FieldAt>,
    /// Place of the first field of each name, modulo 256: of no meaning in a longer table.
    first: [u8; NAMES],
    /// Names that occur several times, one bit each.
    several: u32,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            first: [NONE; NAMES],
            several: 0,
        }
    }
}

impl Fields {
    /// Forgets all fields.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.first = [NONE; NAMES];
        self.several = 0;
    }

    #[inline(always)]
    fn push(&mut self, field: FieldAt) {
        let name = field.name() as usize % NAMES;
        if self.first[name] == NONE {
            self.first[name] = self.all.len() as u8;
        } else {
            self.several |= 1 << name;
        }
        self.all.push(field);
    }

    /// Reads all header lines from `at` on; returns where the body begins if there is a blank line.
    #[inline(never)]
    pub(crate) fn fill(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let mut at = at;
        loop {
            while let Some(next) = self.plain(bytes, at) {
                at = next;
            }
            if let Some([b'\r', b'\n', ..]) = bytes.get(at..) {
                return Some(at + 2);
            }
            match self.any(bytes, at) {
                Ok(next) => at = next,
                Err(body) => return body,
            }
        }
    }

    /// Reads any line, and returns where the next one begins, or, as an error, what [`Self::fill`] returns.
    // Apart from the others, which keep what they need in registers.
    #[inline(never)]
    fn any(&mut self, bytes: &[u8], at: usize) -> Result<usize, Option<usize>> {
        // It may belong to the field before, which was taken for one of a single line.
        if matches!(bytes.get(at), Some(b' ' | b'\t'))
            && let Some(last) = self.all.last_mut()
            && last.end as usize + 2 == at
        {
            let next;
            (*last, next) = continuation(bytes, at, *last);
            return Ok(next);
        }
        let mut scanner = FieldScanner::new(bytes, at);
        match scanner.next() {
            Some(field) => {
                self.push(field);
                Ok(scanner.at)
            }
            None => Err(scanner.body),
        }
    }

    /// Reads the line that begins at `at` if it is as nearly all are, and returns where the next one begins; whatever needs
    /// a closer look is left. Whether the value goes on in the next line is not looked at.
    #[inline(always)]
    fn plain(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        // From the beginning of the line and not of its value: so the next lines need not wait until the processor knows
        // this one's name.
        let end = find_in_line(rest, b'\n');
        // Read again, behind the search: what it looks at stays a vector.
        let line = u128::from_le_bytes(*rest.first_chunk()?);
        let spelling = HeaderName::at_start(line)?;
        let line = rest.get(..end)?;
        let [.., last, b'\r'] = line else {
            return None;
        };
        // Blanks to be left out, or a value that begins in the next line.
        if *last <= b' ' {
            return None;
        }
        let behind_colon = usize::from(spelling.length) + 1;
        let blank = line.get(behind_colon) == Some(&b' ');
        self.push(FieldAt {
            at: offset(at),
            from: offset(at + behind_colon + usize::from(blank)),
            end: offset(at + end - 1),
            spelling: *spelling,
        });
        Some(at + end + 1)
    }

    /// The first field of a name.
    #[inline]
    pub(crate) fn first(&self, name: HeaderName) -> Option<&FieldAt> {
        if self.all.len() <= NOTED {
            // Beyond the end if there is none.
            self.all.get(usize::from(self.first[name as usize % NAMES]))
        } else {
            self.all.iter().find(|field| field.name() == name)
        }
    }

    /// The only field of a known name; `Err` when there may be several.
    #[inline]
    pub(crate) fn only(&self, name: HeaderName) -> Result<Option<&FieldAt>, ()> {
        if self.several >> (name as usize % NAMES) & 1 == 0 && self.all.len() <= NOTED {
            Ok(self.first(name))
        } else {
            Err(())
        }
    }
}

/// Walks the header lines up to the blank line, joining folded ones.
pub(crate) struct FieldScanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the body begins, once the blank line has been seen.
    pub(crate) body: Option<usize>,
}

impl<'a> FieldScanner<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            body: None,
        }
    }
}

/// Adds the continuation lines that begin at `at` to a field; returns it, and where the next field begins.
// By value, so that what the scanner knows can stay in registers.
#[cold]
#[inline(never)]
fn continuation(bytes: &[u8], mut at: usize, mut field: FieldAt) -> (FieldAt, usize) {
    field.spelling.folded = true;
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        let (line, next) = line_at(bytes, at);
        let kept = trim_end(line);
        if let Some(indent) = kept.iter().position(|byte| !is_blank(*byte)) {
            if field.from == field.end {
                field.from = offset(at + indent);
            }
            field.end = offset(at + kept.len());
        }
        at = next;
    }
    (field, at)
}

impl Iterator for FieldScanner<'_> {
    type Item = FieldAt;

    #[inline(always)]
    fn next(&mut self) -> Option<FieldAt> {
        loop {
            let start = self.at;
            let rest = match self.bytes.get(start..) {
                Some(rest) if !rest.is_empty() && self.body.is_none() => rest,
                _ => return None,
            };
            let line = match find(rest, b'\n') {
                Some(length) => {
                    self.at = start + length + 1;
                    &rest[..length]
                }
                None => {
                    self.at = self.bytes.len();
                    rest
                }
            };
            if matches!(line, [] | [b'\r']) {
                self.body = Some(self.at);
                return None;
            }
            let line = without_end(line);
            let Some(colon) = find_near(line, b':') else {
                continue;
            };
            let raw_name = without_end(&line[..colon]);
            let name = HeaderName::from_bytes(raw_name);
            if name == HeaderName::Other && !is_token(raw_name) {
                continue;
            }
            // A name that long is none.
            let Ok(length) = u16::try_from(raw_name.len()) else {
                continue;
            };
            let value = match &line[colon + 1..] {
                [b' ', value @ ..] => value,
                value => value,
            };
            let value = match value {
                [b' ' | b'\t', ..] => without_blanks(value),
                _ => value,
            };
            let mut field = FieldAt {
                at: offset(start),
                from: offset(start + line.len() - value.len()),
                end: offset(start + line.len()),
                spelling: Spelling {
                    length,
                    name,
                    folded: false,
                },
            };
            if matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
                (field, self.at) = continuation(self.bytes, self.at, field);
            }
            return Some(field);
        }
    }
}

/// A text without white space at its end, where there is at most the CR of a line end mostly.
#[inline(always)]
fn without_end(text: &[u8]) -> &[u8] {
    let text = match text {
        [text @ .., b'\r'] => text,
        _ => text,
    };
    match text.last() {
        Some(last) if *last <= b' ' => trimmed(text),
        _ => text,
    }
}

#[cold]
#[inline(never)]
fn trimmed(text: &[u8]) -> &[u8] {
    trim_end(text)
}

#[cold]
#[inline(never)]
fn without_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Offsets fit because no more of a message is looked at than 32 bits can count.
#[inline(always)]
fn offset(at: usize) -> u32 {
    debug_assert!(u32::try_from(at).is_ok());
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        let mut fields = Fields::default();
        fields.fill(text.as_bytes(), 0);
        fields
    }

    #[test]
    fn the_first_of_a_name_is_found_however_many_there_are() {
        for others in [0, 1, 253, 254, 255, 256, 300] {
            let text = format!("{}Via: a\r\nv: b\r\nTo: c\r\n", "X: y\r\n".repeat(others));
            let fields = fields(&text);
            let value = |name| fields.first(name).map(|at| at.value(text.as_bytes()));
            assert_eq!(value(HeaderName::Via), Some(&b"a"[..]), "{others}");
            assert_eq!(value(HeaderName::To), Some(&b"c"[..]), "{others}");
            assert_eq!(value(HeaderName::From), None, "{others}");
            assert_eq!(value(HeaderName::Other).is_some(), others > 0);
            assert!(fields.only(HeaderName::Via).is_err());
            if others < 250 {
                let only = fields.only(HeaderName::To).map(|at| at.is_some());
                assert_eq!(only, Ok(true));
                let none = fields.only(HeaderName::From).map(|at| at.is_some());
                assert_eq!(none, Ok(false));
            }
        }
    }

    #[test]
    fn a_name_longer_than_any_is_no_header() {
        let text = format!("{}: x\r\nTo: y\r\n", "a".repeat(70_000));
        assert_eq!(fields(&text).all.len(), 1);
    }
}
