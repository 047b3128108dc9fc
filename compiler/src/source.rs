// SPDX-License-Identifier: AGPL-3.0-only
//! A scenario file as bytes: encoding, line index, and spans that point into it.
//!
//! Every [`Span`] in this crate is a byte range of the *original* file, whatever was decoded or repaired on the way,
//! so that a diagnostic can always show the author's own line.
//!
//! SIPp passes the bytes of a scenario through to the wire whatever encoding the file declares (most files say
//! ISO-8859-1 and hold ASCII or UTF-8). So the declaration is not read at all: a file that is valid UTF-8 is handled
//! as such, any other is handled byte for byte, each byte being the code point of the same number. Text that reaches
//! the wire is bytes ([`Text`]), never `str`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Largest file that is read; [`Span`] holds 32-bit offsets, and no scenario comes near this.
pub const MAX_SOURCE_BYTES: usize = 16 * 1024 * 1024;

/// A byte range of the original file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from `start` to just before `end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// Number of bytes.
    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it covers no byte.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// How the bytes of a file become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The whole file is valid UTF-8 (this includes ASCII).
    Utf8,
    /// It is not: each byte stands for the code point of the same number.
    Bytes,
}

/// A position as an editor shows it, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCol {
    /// Line number.
    pub line: u32,
    /// Column in characters.
    pub col: u32,
}

/// One scenario file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    name: String,
    bytes: Vec<u8>,
    encoding: Encoding,
    line_starts: Vec<u32>,
}

/// The file is larger than [`MAX_SOURCE_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceTooLarge {
    /// Size of the refused file.
    pub bytes: usize,
}

impl fmt::Display for SourceTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "scenario of {} bytes is larger than the limit of {MAX_SOURCE_BYTES}",
            self.bytes
        )
    }
}

impl std::error::Error for SourceTooLarge {}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl SourceFile {
    /// Takes the bytes of a file; `name` is only printed.
    ///
    /// # Errors
    /// [`SourceTooLarge`] for more than [`MAX_SOURCE_BYTES`].
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceTooLarge> {
        let bytes = bytes.into();
        if bytes.len() > MAX_SOURCE_BYTES {
            return Err(SourceTooLarge { bytes: bytes.len() });
        }
        let encoding = if std::str::from_utf8(&bytes).is_ok() {
            Encoding::Utf8
        } else {
            Encoding::Bytes
        };
        let mut line_starts = vec![0];
        let mut at = 0;
        while let Some(found) = memchr::memchr2(b'\n', b'\r', &bytes[at..]) {
            at += found + 1;
            if bytes[at - 1] == b'\r' && bytes.get(at) == Some(&b'\n') {
                at += 1;
            }
            line_starts.push(offset(at));
        }
        Ok(Self {
            name: name.into(),
            bytes,
            encoding,
            line_starts,
        })
    }

    /// A file of that name without content: what stands for one that is too large to be read.
    pub fn empty(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            bytes: Vec::new(),
            encoding: Encoding::Utf8,
            line_starts: vec![0],
        }
    }

    /// The name given to [`SourceFile::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file as it is on disk, byte order mark included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How its bytes are read.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Offset of the first byte after a byte order mark.
    pub fn content_start(&self) -> usize {
        if self.bytes.starts_with(BOM) {
            BOM.len()
        } else {
            0
        }
    }

    /// The bytes a span covers; out-of-range ends are cut off.
    pub fn slice(&self, span: Span) -> &[u8] {
        let end = (span.end as usize).min(self.bytes.len());
        let start = (span.start as usize).min(end);
        &self.bytes[start..end]
    }

    /// Line and column of an offset; an offset past the end is the end.
    pub fn line_col(&self, at: u32) -> LineCol {
        let at = at.min(offset(self.bytes.len()));
        let line = self.line_index(at);
        let mut start = self.line_starts[line] as usize;
        if line == 0 {
            start = start.max(self.content_start()).min(at as usize);
        }
        let before = &self.bytes[start..at as usize];
        let chars = match self.encoding {
            Encoding::Bytes => before.len(),
            Encoding::Utf8 => before.iter().filter(|b| !is_continuation(**b)).count(),
        };
        LineCol {
            line: offset(line) + 1,
            col: offset(chars) + 1,
        }
    }

    /// Index (from 0) of the line that holds an offset.
    pub fn line_index(&self, at: u32) -> usize {
        self.line_starts
            .partition_point(|start| *start <= at)
            .saturating_sub(1)
    }

    /// The bytes of a line (index from 0), its end included; empty when there is no such line.
    pub fn line_range(&self, index: usize) -> Range<usize> {
        let Some(start) = self.line_starts.get(index) else {
            return self.bytes.len()..self.bytes.len();
        };
        let end = self
            .line_starts
            .get(index + 1)
            .map_or(self.bytes.len(), |next| *next as usize);
        *start as usize..end
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// An offset in a file no larger than [`MAX_SOURCE_BYTES`]. Saturates, so that a caller with a longer derived buffer
/// gets a wrong place in a message rather than a panic.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A piecewise linear map from offsets of a derived text to offsets of the file.
///
/// Between two entries both sides advance byte by byte; an entry is only needed where something was dropped,
/// replaced or inserted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetMap {
    /// `(derived, original)`, ascending in `derived`.
    points: Vec<(u32, u32)>,
}

impl OffsetMap {
    /// Says that what follows derived offset `derived` comes from `original`. Calls come in ascending order of
    /// `derived`; a second call for the same offset replaces the first.
    pub fn push(&mut self, derived: usize, original: usize) {
        let (derived, original) = (offset(derived), offset(original));
        match self.points.last_mut() {
            Some((d, o)) if *d == derived => *o = original,
            // Still on the line through the last point: nothing new to say.
            Some((d, o)) if original.checked_sub(*o) == derived.checked_sub(*d) => {}
            _ => self.points.push((derived, original)),
        }
    }

    /// Where the byte at `derived` comes from.
    pub fn original(&self, derived: usize) -> u32 {
        let derived = offset(derived);
        let index = self.points.partition_point(|(d, _)| *d <= derived);
        match index.checked_sub(1).and_then(|i| self.points.get(i)) {
            Some((d, o)) => o.saturating_add(derived - d),
            None => derived,
        }
    }

    /// The file's bytes behind a range of derived bytes, never shorter than the first of them.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.original(range.start);
        if range.end <= range.start {
            return Span::new(start, start);
        }
        // What the last byte was replaced from may be longer than one byte: reach to where the next one starts, but
        // not over text that was dropped between two pieces.
        let last = self.original(range.end - 1);
        let next = self.original(range.end);
        let end = if next > last && next - last <= MAX_REPLACED {
            next
        } else {
            last + 1
        };
        Span::new(start, end.max(start + 1))
    }
}

/// Longest piece of source that one derived byte stands for (a numeric entity with a few zeros).
const MAX_REPLACED: u32 = 12;

/// Text of the author that may reach the wire: bytes as they will be sent, and where each came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    bytes: Vec<u8>,
    span: Span,
    map: OffsetMap,
}

impl Text {
    /// Puts together a text decoded from `span`.
    pub fn new(bytes: Vec<u8>, span: Span, map: OffsetMap) -> Self {
        Self { bytes, span, map }
    }

    /// A text copied unchanged from the file at `start`.
    pub fn verbatim(bytes: &[u8], start: u32) -> Self {
        let mut map = OffsetMap::default();
        map.push(0, start as usize);
        let end = start.saturating_add(offset(bytes.len()));
        Self {
            bytes: bytes.to_vec(),
            span: Span::new(start, end),
            map,
        }
    }

    /// The decoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All of it in the file: what stands between the quotes or inside the CDATA section.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The place in the file of a range of [`Text::bytes`], clamped to [`Text::span`].
    pub fn slice_span(&self, range: Range<usize>) -> Span {
        let end = range.end.min(self.bytes.len());
        let start = range.start.min(end);
        if end == self.bytes.len() && start == end {
            return Span::new(self.span.end, self.span.end);
        }
        let found = self.map.span(start..end);
        let clamp = |at: u32| at.clamp(self.span.start, self.span.end);
        Span::new(clamp(found.start), clamp(found.end))
    }

    /// A part of it, such as a value in quotes.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let mut map = OffsetMap::default();
        for at in range.clone() {
            map.push(at - range.start, self.map.original(at) as usize);
        }
        let bytes = self.bytes.get(range.clone()).unwrap_or_default();
        Self::new(bytes.to_vec(), self.slice_span(range), map)
    }

    /// For messages, see [`readable`].
    pub fn display(&self) -> Cow<'_, str> {
        readable(&self.bytes)
    }
}

/// The author's bytes for messages: UTF-8 where they are that (a letter cut off at the end is dropped), else byte for
/// byte, as [`Encoding::Bytes`] says.
pub fn readable(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            String::from_utf8_lossy(&bytes[..error.valid_up_to()])
        }
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// A value together with where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, written at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> SourceFile {
        SourceFile::new("t.xml", bytes).expect("small")
    }

    #[test]
    fn lines_end_at_lf_crlf_and_lone_cr() {
        let source = file(b"a\nb\r\nc\rd");
        let at = |offset| source.line_col(offset);
        assert_eq!(at(0), LineCol { line: 1, col: 1 });
        assert_eq!(at(2), LineCol { line: 2, col: 1 });
        assert_eq!(at(5), LineCol { line: 3, col: 1 });
        assert_eq!(at(7), LineCol { line: 4, col: 1 });
        assert_eq!(at(800), LineCol { line: 4, col: 2 });
        assert_eq!(&source.bytes()[source.line_range(1)], b"b\r\n");
    }

    #[test]
    fn columns_count_characters_in_either_encoding() {
        assert_eq!(
            file("é<x".as_bytes()).line_col(2),
            LineCol { line: 1, col: 2 }
        );
        let latin = file(b"\xE9<x");
        assert_eq!(latin.encoding(), Encoding::Bytes);
        assert_eq!(latin.line_col(1), LineCol { line: 1, col: 2 });
        assert_eq!(
            file(b"\xEF\xBB\xBF<x").line_col(3),
            LineCol { line: 1, col: 1 }
        );
    }

    #[test]
    fn a_map_survives_replaced_and_dropped_bytes() {
        // "a&lt;b" at 10 decodes to "a<b".
        let mut map = OffsetMap::default();
        map.push(0, 10);
        map.push(1, 11);
        map.push(2, 15);
        let text = Text::new(b"a<b".to_vec(), Span::new(10, 16), map);
        assert_eq!(text.slice_span(0..1), Span::new(10, 11));
        assert_eq!(text.slice_span(1..2), Span::new(11, 15));
        assert_eq!(text.slice_span(2..3), Span::new(15, 16));
        assert_eq!(text.slice_span(0..3), Span::new(10, 16));
        assert_eq!(text.slice_span(3..9), Span::new(16, 16));
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let refused = SourceFile::new("big", vec![b' '; MAX_SOURCE_BYTES + 1]);
        assert!(matches!(refused, Err(SourceTooLarge { bytes }) if bytes == MAX_SOURCE_BYTES + 1));
    }
}
