// SPDX-License-Identifier: AGPL-3.0-only
//! The bytes of an injection file and where its lines begin.
//!
//! The first line is the header: one of `RANDOM SEQUENTIAL USER`, looked for in this order, and `PRINTF=`,
//! `PRINTFOFFSET=`, `PRINTFMULTIPLE=` in any position. Lines that begin with `#` are comments. As in SIPp the first
//! empty line ends the file, and a line that holds only CR is a record without text.
//!
//! In the form of Gossipper ([`Form::Gossipper`]) blank lines are passed over like comments, the header may be missing,
//! a byte order mark is none of the text, and fields may be separated by commas.

use super::index::{Index, Keys as _};
use super::printf::Printf;
use memchr::memmem;
use std::sync::Arc;

/// In which order calls get the lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// One after the other, from the first again behind the last.
    Sequential,
    /// Any line, each time.
    Random,
    /// The line of the call's user.
    User,
}

/// By whose rules a file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// SIPp's.
    #[default]
    Sipp,
    /// Gossipper's, which also takes what spreadsheets write.
    Gossipper,
}

/// Why the bytes are no injection file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InjectError {
    /// The first line says nothing about the order.
    #[error("the first line must hold SEQUENTIAL, RANDOM or USER")]
    NoOrder,
    /// A number of the header cannot be read.
    #[error("the first line: `{0}` needs a number")]
    BadNumber(&'static str),
    /// `PRINTF=0` or less, or more lines than can be counted.
    #[error("the first line: `PRINTF=` needs a number from 1 to 4294967294")]
    PrintfLines,
    /// There is no line behind the header.
    #[error("there is no line behind the first one")]
    NoLines,
    /// More than 4 GiB.
    #[error("the file is larger than 4 GiB")]
    TooLarge,
    /// An index over so many virtual lines would not fit.
    #[error("an index over more than {0} lines of `PRINTF=` is not possible")]
    IndexTooLarge(u32),
}

/// Something in a file that runs and may surprise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hint {
    /// Text follows the empty line that ends the file.
    TextBehindTheEnd {
        /// Number of the empty line, from 1.
        line: u64,
    },
    /// Records of which nothing is left but CR.
    OnlyCarriageReturn {
        /// Number of the first such line, from 1.
        line: u64,
    },
}

impl core::fmt::Display for Hint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TextBehindTheEnd { line } => {
                write!(
                    f,
                    "the empty line {line} ends the file; what follows is not used"
                )
            }
            Self::OnlyCarriageReturn { line } => write!(
                f,
                "line {line} looks empty but holds a carriage return: it is a record without text"
            ),
        }
    }
}

/// Most virtual lines that are indexed.
const INDEX_MAX: u32 = 1 << 26;

/// An injection file, read once and never changed.
#[derive(Clone)]
pub struct InjectionFile {
    name: String,
    bytes: Vec<u8>,
    /// Where each record begins.
    starts: Vec<u32>,
    /// Where a line that is added would stand in the file.
    end: u32,
    form: Form,
    delimiter: u8,
    order: Order,
    printf: Option<Printf>,
    index: Option<Arc<Index>>,
    hints: Vec<Hint>,
}

impl InjectionFile {
    /// Takes a file apart by SIPp's rules. `name` is what scenarios call it: its base name.
    ///
    /// # Errors
    /// See [`InjectError`].
    pub fn parse(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, InjectError> {
        Self::parse_as(Form::Sipp, name, bytes)
    }

    /// Takes a file apart by these rules.
    ///
    /// # Errors
    /// See [`InjectError`].
    pub fn parse_as(
        form: Form,
        name: impl Into<String>,
        bytes: Vec<u8>,
    ) -> Result<Self, InjectError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(InjectError::TooLarge);
        }
        let Header {
            order,
            printf,
            end,
            mut number,
        } = match form {
            Form::Sipp => Header::read(&bytes, 0, 1)?,
            Form::Gossipper => Header::find(&bytes)?,
        };
        let delimiter = match form {
            Form::Sipp => b';',
            Form::Gossipper => delimiter(&bytes[end..]),
        };
        let mut starts = Vec::new();
        let mut hints = Vec::new();
        let mut at = end;
        let mut bare = None;
        let end = loop {
            let rest = &bytes[at..];
            let length = line_length(rest);
            match rest.first() {
                None => break at,
                Some(b'#') => {}
                Some(_) if form == Form::Gossipper && rest[..length].trim_ascii().is_empty() => {}
                Some(b'\n') => {
                    if rest.iter().any(|byte| !byte.is_ascii_whitespace()) {
                        hints.push(Hint::TextBehindTheEnd { line: number });
                    }
                    break at;
                }
                Some(_) => {
                    if &rest[..length] == b"\r" {
                        bare.get_or_insert(number);
                    }
                    // The whole file is shorter than 4 GiB.
                    starts.push(at as u32);
                }
            }
            at = (at + length + 1).min(bytes.len());
            number += 1;
        };
        hints.extend(bare.map(|line| Hint::OnlyCarriageReturn { line }));
        if starts.is_empty() {
            return Err(InjectError::NoLines);
        }
        starts.shrink_to_fit();
        Ok(Self {
            name: name.into(),
            bytes,
            starts,
            end: end as u32,
            form,
            delimiter,
            order,
            printf,
            index: None,
            hints,
        })
    }

    /// Makes the file one in which `lookup` finds lines by this field. Of lines with the same text the last counts.
    ///
    /// # Errors
    /// [`InjectError::IndexTooLarge`].
    pub fn indexed(mut self, field: u32) -> Result<Self, InjectError> {
        if self.printf.is_some() && self.count() > INDEX_MAX {
            return Err(InjectError::IndexTooLarge(INDEX_MAX));
        }
        self.index = Some(Arc::new(Index::build(&self, field)));
        Ok(self)
    }

    /// Tells the text of a field in every line, with the number of the line.
    ///
    /// # Errors
    /// [`InjectError::IndexTooLarge`], as for an index.
    pub fn each_key(
        &self,
        field: u32,
        mut tell: impl FnMut(u32, &[u8]),
    ) -> Result<(), InjectError> {
        if self.printf.is_some() && self.count() > INDEX_MAX {
            return Err(InjectError::IndexTooLarge(INDEX_MAX));
        }
        let mut scratch = Vec::new();
        for line in 0..self.count() {
            tell(line, self.key(line, field, &mut scratch));
        }
        Ok(())
    }

    /// What scenarios call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// In which order calls get the lines.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// Number of lines, virtual ones of `PRINTF=` included.
    #[must_use]
    pub fn count(&self) -> u32 {
        match &self.printf {
            Some(printf) => printf.lines,
            None => self.records(),
        }
    }

    /// What may surprise.
    #[must_use]
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// Whether these bytes, which differ from the file's in some lines, are read as so many lines of the same kind.
    /// By Gossipper's rules a line may be taken for the header, and change what separates fields.
    pub(super) fn reads_the_same(&self, bytes: &[u8], lines: u32) -> bool {
        self.form == Form::Sipp
            || Self::parse_as(self.form, "", bytes.to_vec()).is_ok_and(|again| {
                (again.count(), again.delimiter, again.order) == (lines, self.delimiter, self.order)
            })
    }

    /// What separates fields.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of lines that stand in the file.
    pub(super) fn records(&self) -> u32 {
        // Each takes at least one of at most 2^32 - 1 bytes.
        self.starts.len() as u32
    }

    pub(super) fn printf(&self) -> Option<&Printf> {
        self.printf.as_ref()
    }

    pub(super) fn index(&self) -> Option<&Arc<Index>> {
        self.index.as_ref()
    }

    /// A line that stands in the file, without its end.
    pub(super) fn record(&self, n: u32) -> Option<&[u8]> {
        self.bytes.get(self.record_range(n)?)
    }

    fn record_range(&self, n: u32) -> Option<core::ops::Range<usize>> {
        let start = *self.starts.get(n as usize)? as usize;
        let rest = &self.bytes[start..];
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(start..start + line.len())
    }

    /// The line behind a line of the file: the record that a virtual line uses, or the line itself.
    pub(super) fn template(&self, n: u32) -> Option<&[u8]> {
        match &self.printf {
            Some(printf) if n < printf.lines => self.record(n % self.records()),
            Some(_) => None,
            None => self.record(n),
        }
    }

    /// The file with some lines replaced and others added behind its last one.
    pub(super) fn rewritten(
        &self,
        replaced: &mut dyn Iterator<Item = (u32, &[u8])>,
        added: &mut dyn Iterator<Item = &[u8]>,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 256);
        let mut copied = 0;
        for (n, text) in replaced {
            if let Some(range) = self.record_range(n) {
                out.extend_from_slice(&self.bytes[copied..range.start]);
                out.extend_from_slice(text);
                copied = range.end;
            }
        }
        let end = self.end as usize;
        let head = &self.bytes[..end];
        out.extend_from_slice(&head[copied.min(end)..]);
        let first_end = memchr::memchr(b'\n', &self.bytes).unwrap_or(0);
        let line_end: &[u8] = if first_end > 0 && self.bytes[first_end - 1] == b'\r' {
            b"\r\n"
        } else {
            b"\n"
        };
        for text in added {
            match out.last() {
                // A carriage return at the very end is half of a line end.
                Some(b'\r') => out.push(b'\n'),
                Some(b'\n') | None => {}
                Some(_) => out.extend_from_slice(line_end),
            }
            out.extend_from_slice(text);
            out.extend_from_slice(line_end);
        }
        out.extend_from_slice(&self.bytes[end..]);
        out
    }
}

/// What the first line says.
struct Header {
    order: Order,
    printf: Option<Printf>,
    /// Where the lines behind it begin.
    end: usize,
    /// Number of the first of them in the file, from 1.
    number: u64,
}

impl Header {
    /// Reads the line with this number that begins at `start`.
    fn read(bytes: &[u8], start: usize, number: u64) -> Result<Self, InjectError> {
        let length = line_length(&bytes[start..]);
        let header = &bytes[start..start + length];
        let has = |word: &[u8]| memmem::find(header, word).is_some();
        let order = if has(b"RANDOM") {
            Order::Random
        } else if has(b"SEQUENTIAL") {
            Order::Sequential
        } else if has(b"USER") {
            Order::User
        } else {
            return Err(InjectError::NoOrder);
        };
        Ok(Self {
            order,
            printf: Printf::of_header(header)?,
            end: (start + length + 1).min(bytes.len()),
            number: number + 1,
        })
    }

    /// The first line that is neither blank nor a comment, if its first field is one of the words; else there is none.
    fn find(bytes: &[u8]) -> Result<Self, InjectError> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let start = if bytes.starts_with(MARK) {
            MARK.len()
        } else {
            0
        };
        let mut at = start;
        let mut number = 1;
        while at < bytes.len() {
            let line = &bytes[at..at + line_length(&bytes[at..])];
            if !line.starts_with(b"#") && !line.trim_ascii().is_empty() {
                let mut fields = line.split(|byte| matches!(byte, b',' | b';'));
                let first = fields.next().unwrap_or_default().trim_ascii();
                if [&b"RANDOM"[..], b"SEQUENTIAL", b"USER"].contains(&first) {
                    return Self::read(bytes, at, number);
                }
                break;
            }
            at = (at + line.len() + 1).min(bytes.len());
            number += 1;
        }
        Ok(Self {
            order: Order::Sequential,
            printf: None,
            end: start,
            number: 1,
        })
    }
}

/// Length of the first line, without its end.
fn line_length(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).unwrap_or(text.len())
}

/// Which of `,` and `;` stands more often in the first 64 KiB of these lines, comments apart.
fn delimiter(lines: &[u8]) -> u8 {
    let (mut commas, mut semicolons) = (0_u32, 0_u32);
    let seen = &lines[..lines.len().min(65_536)];
    for line in seen.split(|byte| *byte == b'\n') {
        if line.starts_with(b"#") {
            continue;
        }
        for byte in line {
            commas += u32::from(*byte == b',');
            semicolons += u32::from(*byte == b';');
        }
    }
    if commas > semicolons { b',' } else { b';' }
}

impl PartialEq for InjectionFile {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.bytes == other.bytes
            && self.starts == other.starts
            && self.delimiter == other.delimiter
            && self.index == other.index
    }
}

impl core::fmt::Debug for InjectionFile {
    /// Without the content: it may be large, and may hold passwords.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("InjectionFile")
            .field("name", &self.name)
            .field("order", &self.order)
            .field("lines", &self.count())
            .field("indexed", &self.index.is_some())
            .finish_non_exhaustive()
    }
}
