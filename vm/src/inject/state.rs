// SPDX-License-Identifier: AGPL-3.0-only
//! What a run adds to its injection files: whose turn it is, and the lines that actions have put in or changed.
//!
//! The file itself is shared and stays as it was; changed lines lie over it, and an index is copied before its first
//! change. Lines once put in are never taken out, so line numbers stay valid.

use super::file::{InjectionFile, Order};
use super::index::{Index, Keys};
use super::printf::BadConversion;
use super::{field, field_range};
use crate::rng;
use gossipper_bytecode::program::EditPlace;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands for no line in the record of a call.
pub(crate) const NO_LINE: u32 = u32::MAX;

/// Most bytes that `insert` and `replace` may add to one file.
const ADDED_MAX: usize = 1 << 30;

/// The line that a call has of each file.
pub(crate) type Lines = SmallVec<[u32; 4]>;

/// The injection files of one shard, in the order of the command line.
#[derive(Debug, Default)]
pub(crate) struct Injection {
    files: Vec<State>,
}

/// A file after the run, for whoever writes it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EditedFile {
    /// What scenarios call it.
    pub name: String,
    /// Its content, with what the scenario has put in and changed.
    pub bytes: Vec<u8>,
}

/// A file cannot be written: one of its new lines, from this one on, would not be read back as it is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "line {line} of `{name}` would not be read back: it is empty, begins with `#`, has a line end in it, or it or a later one changes how the file is read"
)]
pub struct NotWritable {
    /// What scenarios call the file.
    pub name: String,
    /// The line, from 0.
    pub line: u32,
}

/// Why a field is not what the author expects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FieldError {
    /// The line has no such field.
    Missing,
    /// The field holds a conversion other than `%d`.
    Conversion,
}

impl From<BadConversion> for FieldError {
    fn from(_: BadConversion) -> Self {
        Self::Conversion
    }
}

/// Why an action on a file ends the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ActionError {
    /// `lookup` without `-infindex`.
    NotIndexed,
    /// The file has `PRINTF=`.
    Printf,
    /// There is no such line.
    NoSuchLine,
    /// The line has no such field.
    NoSuchField,
    /// What was added has grown too large.
    Full,
}

impl core::fmt::Display for ActionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotIndexed => "has no index: name it with -infindex",
            Self::Printf => "has PRINTF= and cannot be changed",
            Self::NoSuchLine => "has no such line",
            Self::NoSuchField => "has no such field in that line",
            Self::Full => "has grown too large",
        })
    }
}

#[derive(Debug)]
struct State {
    lines: Overlay,
    index: Option<Arc<Index>>,
    /// The next line of a sequential file.
    next: u32,
}

/// A file and the lines that lie over it.
#[derive(Debug)]
struct Overlay {
    file: Arc<InjectionFile>,
    replaced: BTreeMap<u32, Box<[u8]>>,
    added: Vec<Box<[u8]>>,
    added_bytes: usize,
}

impl Injection {
    pub(crate) fn new(files: &[Arc<InjectionFile>]) -> Self {
        let files = files.iter().map(|file| State {
            index: file.index().cloned(),
            lines: Overlay {
                file: Arc::clone(file),
                replaced: BTreeMap::new(),
                added: Vec::new(),
                added_bytes: 0,
            },
            next: 0,
        });
        Self {
            files: files.collect(),
        }
    }

    /// Whether there is no file.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Gives a call its line of every file. The error names a `USER` file that ends before the call's user.
    pub(crate) fn choose(
        &mut self,
        user: u32,
        random: &mut u64,
        lines: &mut Lines,
    ) -> Result<(), String> {
        lines.clear();
        let mut beyond = None;
        for file in &mut self.files {
            let count = file.lines.count();
            lines.push(match file.lines.file.order() {
                Order::Sequential => {
                    let line = file.next;
                    file.next = if line + 1 < count { line + 1 } else { 0 };
                    line
                }
                Order::Random => rng::draw(random, |rng| rng.u32(..count)),
                // Without users there is nobody whose line it could be.
                Order::User if user == 0 => NO_LINE,
                Order::User if user > count => {
                    beyond.get_or_insert_with(|| file.lines.file.name().to_owned());
                    NO_LINE
                }
                Order::User => user - 1,
            });
        }
        beyond.map_or(Ok(()), Err)
    }

    /// Makes it the turn of the call of that number. What the run's shards have in common is the numbers of calls, and
    /// no file grows while there are several.
    pub(crate) fn turn_of(&mut self, number: u64) {
        for file in &mut self.files {
            let count = u64::from(file.lines.count().max(1));
            // Below `count`, which has 32 bits.
            file.next = (number.wrapping_sub(1) % count) as u32;
        }
    }

    /// Draws what [`Self::choose`] draws.
    pub(crate) fn pass_over(&self, random: &mut u64) {
        for file in &self.files {
            if file.lines.file.order() == Order::Random {
                let count = file.lines.count();
                rng::draw(random, |rng| rng.u32(..count));
            }
        }
    }

    /// The file of that name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        let mut files = self.files.iter();
        files.position(|file| file.lines.file.name().as_bytes() == name)
    }

    /// Number of lines of a file.
    pub(crate) fn records(&self, file: usize) -> u32 {
        self.files[file].lines.count()
    }

    /// Number of lines of a file.
    #[cfg(test)]
    pub(crate) fn count(&self, file: usize) -> u32 {
        self.files[file].lines.count()
    }

    /// Name of a file.
    pub(crate) fn name(&self, file: usize) -> &str {
        self.files[file].lines.file.name()
    }

    /// Appends a field of a line that the file has.
    pub(crate) fn print(
        &self,
        file: usize,
        line: u32,
        n: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldError> {
        let lines = &self.files[file].lines;
        let Some(text) = lines.text(line) else {
            return Ok(());
        };
        let text = field(text, lines.file.delimiter(), n).ok_or(FieldError::Missing)?;
        match lines.file.printf() {
            Some(printf) => printf.print(line, text, out)?,
            None => out.extend_from_slice(text),
        }
        Ok(())
    }

    /// `lookup`: the line whose indexed field has this text.
    pub(crate) fn lookup(&self, file: usize, key: &[u8]) -> Result<Option<u32>, ActionError> {
        let State { index, lines, .. } = &self.files[file];
        let index = index.as_ref().ok_or(ActionError::NotIndexed)?;
        Ok(index.find(lines, key))
    }

    /// `insert`: a line behind the last.
    pub(crate) fn insert(&mut self, file: usize, text: &[u8]) -> Result<(), ActionError> {
        let State { index, lines, .. } = &mut self.files[file];
        if lines.file.printf().is_some() {
            return Err(ActionError::Printf);
        }
        let line = lines.count();
        lines.grow(text.len())?;
        if line == NO_LINE - 1 {
            return Err(ActionError::Full);
        }
        lines.added.push(text.into());
        if let Some(index) = index {
            Arc::make_mut(index).add(lines, line);
        }
        Ok(())
    }

    /// `replace`: another text for a line.
    pub(crate) fn replace(
        &mut self,
        file: usize,
        line: u32,
        text: &[u8],
    ) -> Result<(), ActionError> {
        let State { index, lines, .. } = &mut self.files[file];
        if lines.file.printf().is_some() {
            return Err(ActionError::Printf);
        }
        if line >= lines.count() {
            return Err(ActionError::NoSuchLine);
        }
        let before = lines.laid_over(line).map_or(0, <[u8]>::len);
        lines.grow(text.len().saturating_sub(before))?;
        if let Some(index) = index {
            Arc::make_mut(index).remove(lines, line);
        }
        match lines.added_at(line) {
            Some(at) => lines.added[at] = text.into(),
            None => {
                lines.replaced.insert(line, text.into());
            }
        }
        if let Some(index) = index {
            Arc::make_mut(index).add(lines, line);
        }
        Ok(())
    }

    /// Changes one field of a line. A delimiter in the text begins a further field, as it does in the text of a line.
    pub(crate) fn edit(
        &mut self,
        file: usize,
        line: u32,
        n: u32,
        place: EditPlace,
        text: &[u8],
    ) -> Result<(), ActionError> {
        let lines = &self.files[file].lines;
        if lines.file.printf().is_some() {
            return Err(ActionError::Printf);
        }
        let whole = lines.text(line).ok_or(ActionError::NoSuchLine)?;
        let range =
            field_range(whole, lines.file.delimiter(), n).ok_or(ActionError::NoSuchField)?;
        let (from, to) = match place {
            EditPlace::Instead => (range.start, range.end),
            EditPlace::Before => (range.start, range.start),
            EditPlace::Behind => (range.end, range.end),
        };
        let changed = [&whole[..from], text, &whole[to..]].concat();
        self.replace(file, line, &changed)
    }

    /// The files that actions have changed, as they would be on disk.
    pub(crate) fn edited(&self) -> Vec<Result<EditedFile, NotWritable>> {
        let lines = self.files.iter().map(|file| &file.lines);
        lines
            .filter(|lines| !lines.replaced.is_empty() || !lines.added.is_empty())
            .map(Overlay::edited)
            .collect()
    }
}

impl Overlay {
    fn count(&self) -> u32 {
        // `insert` keeps the sum below 2^32.
        self.file.count() + self.added.len() as u32
    }

    /// Where among the added lines a line is.
    fn added_at(&self, line: u32) -> Option<usize> {
        line.checked_sub(self.file.count()).map(|at| at as usize)
    }

    fn laid_over(&self, line: u32) -> Option<&[u8]> {
        match self.added_at(line) {
            Some(at) => self.added.get(at).map(|text| &**text),
            None => self.replaced.get(&line).map(|text| &**text),
        }
    }

    fn text(&self, line: u32) -> Option<&[u8]> {
        self.laid_over(line).or_else(|| self.file.template(line))
    }

    fn grow(&mut self, bytes: usize) -> Result<(), ActionError> {
        if self.added_bytes + bytes > ADDED_MAX {
            return Err(ActionError::Full);
        }
        self.added_bytes += bytes;
        Ok(())
    }

    fn edited(&self) -> Result<EditedFile, NotWritable> {
        let first = self.file.count();
        let added = (first..).zip(self.added.iter());
        let replaced = self.replaced.iter().map(|(line, text)| (*line, text));
        for (line, text) in replaced.chain(added) {
            if matches!(text.first(), None | Some(b'#'))
                || text.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
            {
                let name = self.file.name().to_owned();
                return Err(NotWritable { name, line });
            }
        }
        let mut replaced = self.replaced.iter().map(|(line, text)| (*line, &**text));
        let mut added = self.added.iter().map(|text| &**text);
        let bytes = self.file.rewritten(&mut replaced, &mut added);
        let name = self.file.name().to_owned();
        if !self.file.reads_the_same(&bytes, self.count()) {
            let line = self.replaced.keys().next().copied().unwrap_or(first);
            return Err(NotWritable { name, line });
        }
        Ok(EditedFile { name, bytes })
    }
}

impl Keys for Overlay {
    fn key<'a>(&'a self, line: u32, n: u32, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        match self.laid_over(line) {
            Some(text) => field(text, self.file.delimiter(), n).unwrap_or_default(),
            None => self.file.key(line, n, scratch),
        }
    }
}
