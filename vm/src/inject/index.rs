// SPDX-License-Identifier: AGPL-3.0-only
//! From the text of a field to the line that holds it.
//!
//! The table holds line numbers only; the texts stay where they are and are looked up again to compare. Whoever asks
//! says how a line number becomes its text, so the same table serves a file and what a run has made of it.

use super::field;
use super::file::InjectionFile;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

type Hasher = foldhash::fast::FixedState;

/// The lines of a file by one field. Of lines with the same text the last counts.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// The field.
    pub(super) field: u32,
    lines: HashTable<u32>,
    hasher: Hasher,
}

/// How a line number becomes the text of the indexed field: appended to a scratch buffer, or nothing.
pub(super) trait Keys {
    /// The text; lines without the field have an empty one.
    fn key<'a>(&'a self, line: u32, field: u32, scratch: &'a mut Vec<u8>) -> &'a [u8];
}

impl Keys for InjectionFile {
    fn key<'a>(&'a self, line: u32, n: u32, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let line_of = self.template(line);
        let text = line_of.and_then(|text| field(text, self.delimiter(), n));
        let text = text.unwrap_or_default();
        match self.printf() {
            None => text,
            Some(printf) => {
                scratch.clear();
                // What cannot be printed cannot be found either.
                if printf.print(line, text, scratch).is_err() {
                    scratch.clear();
                }
                scratch
            }
        }
    }
}

impl Index {
    /// Builds the index of a file.
    pub(super) fn build(file: &InjectionFile, field: u32) -> Self {
        let mut index = Self {
            field,
            lines: HashTable::with_capacity(file.count() as usize),
            hasher: Hasher::with_seed(u64::from(field)),
        };
        let mut scratch = Vec::new();
        for line in 0..file.count() {
            let key = file.key(line, field, &mut scratch);
            let hash = index.hasher.hash_one(key);
            index.put(file, hash, line, key);
        }
        index
    }

    /// The line with this text.
    pub(super) fn find(&self, keys: &impl Keys, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let mut scratch = Vec::new();
        self.lines
            .find(hash, |line| {
                keys.key(*line, self.field, &mut scratch) == key
            })
            .copied()
    }

    /// Notes a line that `keys` has now.
    pub(super) fn add(&mut self, keys: &impl Keys, line: u32) {
        let mut scratch = Vec::new();
        let key = keys.key(line, self.field, &mut scratch).to_vec();
        let hash = self.hasher.hash_one(&key[..]);
        self.put(keys, hash, line, &key);
    }

    /// Forgets a line that `keys` still has.
    pub(super) fn remove(&mut self, keys: &impl Keys, line: u32) {
        let mut scratch = Vec::new();
        let hash = self
            .hasher
            .hash_one(keys.key(line, self.field, &mut scratch));
        if let Ok(entry) = self.lines.find_entry(hash, |other| *other == line) {
            entry.remove();
        }
    }

    fn put(&mut self, keys: &impl Keys, hash: u64, line: u32, key: &[u8]) {
        let (field, hasher) = (self.field, self.hasher.clone());
        let mut scratch = Vec::new();
        let entry = self.lines.entry(
            hash,
            |other| keys.key(*other, field, &mut scratch) == key,
            |other| {
                let mut scratch = Vec::new();
                hasher.hash_one(keys.key(*other, field, &mut scratch))
            },
        );
        *entry.or_insert(line).get_mut() = line;
    }
}

impl PartialEq for Index {
    /// Of the same file, indexes of the same field are equal.
    fn eq(&self, other: &Self) -> bool {
        self.field == other.field
    }
}
