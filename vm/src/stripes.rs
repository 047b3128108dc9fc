// SPDX-License-Identifier: AGPL-3.0-only
//! A hash table that grows without a pause.
//!
//! A table of a million entries that doubles at once keeps its shard from everything else for tens of milliseconds, long
//! enough for a socket's buffer to overflow. Here entries are dealt out to many small tables by their hash: each
//! doubles for itself, and since chance fills them unevenly they do so one after another.

use hashbrown::HashTable;

/// Tables, a power of two. Of a hash of 32 bits the low bits choose the place within a table and the highest seven tell
/// neighbours apart, so that the ones just below those are free to choose the table.
const STRIPES: usize = 64;
const SHIFT: u32 = 32 - 7 - STRIPES.ilog2();

/// An entry that knows its hash, so that growing a table looks at nothing else.
pub(crate) trait Hashed {
    /// What [`fold`] made of the hash of its key.
    fn folded(&self) -> u32;
}

/// Half a hash, which is what entries keep.
pub(crate) const fn fold(hash: u64) -> u32 {
    hash as u32 ^ (hash >> 32) as u32
}

/// The hash that a table works with: it takes the place from the low bits and the rest from the highest.
const fn spread(folded: u32) -> u64 {
    (folded as u64) << 32 | folded as u64
}

/// Room that each table has at first, so that a run with few calls never grows one.
const AT_FIRST: usize = 14;

/// The tables.
#[derive(Debug)]
pub(crate) struct Stripes<T> {
    /// Apart, so that what holds them stays small enough to be moved.
    tables: Box<[HashTable<T>; STRIPES]>,
}

impl<T: Hashed> Stripes<T> {
    pub(crate) fn new() -> Self {
        Self {
            tables: Box::new(std::array::from_fn(|_| HashTable::with_capacity(AT_FIRST))),
        }
    }

    const fn stripe(folded: u32) -> usize {
        (folded >> SHIFT) as usize % STRIPES
    }

    /// Takes an entry in, even if there is an equal one.
    pub(crate) fn insert(&mut self, entry: T) {
        let folded = entry.folded();
        self.tables[Self::stripe(folded)]
            .insert_unique(spread(folded), entry, |entry| spread(entry.folded()));
    }

    /// An entry with this hash for which `is` holds.
    #[inline]
    pub(crate) fn find(&self, folded: u32, is: impl Fn(&T) -> bool) -> Option<&T> {
        self.tables[Self::stripe(folded)].find(spread(folded), |entry| {
            entry.folded() == folded && is(entry)
        })
    }

    /// Reads what a look-up for this hash reads, so that it is in the caches when that comes. What it gives has no meaning
    /// but that it depends on what was read.
    #[inline]
    pub(crate) fn touch(&self, folded: u32) -> u32 {
        self.find(folded, |_| true).map_or(0, T::folded)
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, folded: u32, is: impl Fn(&T) -> bool) -> Option<T> {
        let table = &mut self.tables[Self::stripe(folded)];
        let found = table.find_entry(spread(folded), |entry| {
            entry.folded() == folded && is(entry)
        });
        found.ok().map(|entry| entry.remove().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher as _;

    #[derive(Debug, PartialEq, Eq)]
    struct Entry(u32, u64);

    impl Hashed for Entry {
        fn folded(&self) -> u32 {
            self.0
        }
    }

    fn entry(n: u64) -> Entry {
        let hasher = foldhash::fast::FixedState::with_seed(1);
        Entry(fold(hasher.hash_one(n)), n)
    }

    #[test]
    fn entries_are_found_and_taken_out() {
        let mut stripes = Stripes::new();
        (0..100_000).for_each(|n| stripes.insert(entry(n)));
        for n in (0..100_000).step_by(2) {
            assert_eq!(
                stripes.remove(entry(n).0, |found| found.1 == n),
                Some(entry(n))
            );
        }
        for n in 0..100_000 {
            let found = stripes.find(entry(n).0, |found| found.1 == n);
            assert_eq!(found.is_some(), n % 2 == 1, "{n}");
        }
    }

    #[test]
    fn all_tables_are_used_evenly_and_none_grows_with_the_others() {
        let mut stripes = Stripes::new();
        let mut together = 0;
        for n in 0..500_000 {
            let before: usize = stripes.tables[Stripes::<Entry>::stripe(entry(n).0)].capacity();
            stripes.insert(entry(n));
            let table = &stripes.tables[Stripes::<Entry>::stripe(entry(n).0)];
            if table.capacity() > before {
                together = together.max(table.len());
            }
        }
        // What is moved at once is a share of a table, not the whole.
        assert!(together < 500_000 / STRIPES, "{together}");
        let lens: Vec<usize> = stripes.tables.iter().map(HashTable::len).collect();
        assert!(
            lens.iter().all(|len| (7000..8700).contains(len)),
            "{lens:?}"
        );
    }

    #[test]
    fn entries_with_one_hash_are_told_apart_by_what_is_asked() {
        let mut stripes = Stripes::new();
        stripes.insert(Entry(7, 1));
        stripes.insert(Entry(7, 2));
        assert_eq!(stripes.find(7, |entry| entry.1 == 2), Some(&Entry(7, 2)));
        assert_eq!(stripes.remove(7, |entry| entry.1 == 1), Some(Entry(7, 1)));
        assert_eq!(stripes.find(7, |entry| entry.1 == 1), None);
        assert_eq!(stripes.find(7, |_| true), Some(&Entry(7, 2)));
    }
}
