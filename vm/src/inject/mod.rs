// SPDX-License-Identifier: AGPL-3.0-only
//! Injection files: a line of each for every call, and its fields.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`file`] | the bytes of a file and where its lines begin; never changed |
//! | `index` | from the text of a field to the line that holds it |
//! | `printf` | `%06d` in the fields of a file with `PRINTF=` |
//! | `state` | what a run adds: whose turn it is, lines that actions have put in or changed |
//!
//! Nothing here reads a file: whoever loads one hands the bytes over. A line costs four bytes beside its text, and
//! eight or so where the file has an index. A [`InjectionFile`] is shared by all shards; an `Injection` belongs to
//! one (docs/adr/0008-shared-state.md).

mod file;
mod index;
mod printf;
mod state;
#[cfg(test)]
mod tests;

pub use file::{Form, Hint, InjectError, InjectionFile, Order};
pub use state::{EditedFile, NotWritable};

use core::ops::Range;

pub(crate) use state::{ActionError, FieldError, Injection, Lines, NO_LINE};

/// The base name of a path as SIPp takes it: what follows the last `/` or `\`.
#[must_use]
pub fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Field `n` of a line: the text between two delimiters.
pub(crate) fn field(line: &[u8], delimiter: u8, n: u32) -> Option<&[u8]> {
    field_range(line, delimiter, n).map(|range| &line[range])
}

/// Where in a line field `n` stands.
pub(crate) fn field_range(line: &[u8], delimiter: u8, n: u32) -> Option<Range<usize>> {
    let mut start = 0;
    for _ in 0..n {
        start += memchr::memchr(delimiter, &line[start..])? + 1;
    }
    let end = memchr::memchr(delimiter, &line[start..]).map_or(line.len(), |at| start + at);
    Some(start..end)
}
