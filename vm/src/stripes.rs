// SPDX-License-Identifier: AGPL-3.0-only
//! A hash table of numbers that reads one cache line to find one, and grows without a pause.
//!
//! **One line.** An entry is eight bytes: half a hash, and the number that its owner knows the rest by. It lies where the low
//! bits of the hash say, or behind those that were there first, and nothing else has to be read to find it: among a million
//! entries each look-up waits for memory once. What leaves makes no gap, since those behind it move up, so that a table does not
//! become slower with what has been in it.
//!
//! **No pause.** A table of a million entries that doubles at once keeps its shard from everything else for tens of milliseconds,
//! long enough for a socket's buffer to overflow. Here entries are dealt out to many small tables by their hash: each
//! doubles for itself, and since chance fills them unevenly they do so one after another.
//!
//! **Chosen keys.** Peers choose Call-IDs, but not their hashes: those depend on a seed of the run, so that a peer does not know
//! which Call-IDs lie beside each other. Entries with equal hashes are walked over one by one; they fill no more room than
//! others, and as many as there are bounds the walk.

/// Tables, a power of two. Of a hash of 32 bits the highest choose the table, and the low ones the place in it.
const STRIPES: usize = 64;
const SHIFT: u32 = 32 - STRIPES.ilog2();

/// Places that each table has at first, so that a run with few calls never grows one; a power of two.
const AT_FIRST: usize = 32;

/// Of this many places two may be taken before a table doubles: fuller ones take longer walks, emptier ones more memory.
const OF_WHICH_TWO: usize = 3;

/// A place that is free. No entry looks like it, since no hash is 0.
const FREE: u64 = 0;

/// Half a hash, which is what entries keep. It is never 0.
pub(crate) const fn fold(hash: u64) -> u32 {
    let folded = hash as u32 ^ (hash >> 32) as u32;
    if folded == 0 { 1 } else { folded }
}

const fn entry(folded: u32, number: u32) -> u64 {
    (folded as u64) << 32 | number as u64
}

const fn folded(entry: u64) -> u32 {
    (entry >> 32) as u32
}

/// One of the tables: entries at their places, or behind them with no free place between.
#[derive(Debug)]
struct Table {
    /// A power of two of them, with at least one that is free.
    places: Box<[u64]>,
    taken: usize,
}

impl Table {
    fn new(places: usize) -> Self {
        Self {
            places: vec![FREE; places].into(),
            taken: 0,
        }
    }

    /// What makes a place of a number that goes on beyond the last one.
    const fn mask(&self) -> usize {
        self.places.len() - 1
    }

    fn insert(&mut self, entry: u64) {
        if (self.taken + 1) * OF_WHICH_TWO > self.places.len() * 2 {
            self.double();
        }
        self.put(entry);
    }

    /// Takes an entry in for which there is room.
    fn put(&mut self, entry: u64) {
        let mask = self.mask();
        let mut at = folded(entry) as usize & mask;
        while self.places[at] != FREE {
            at = (at + 1) & mask;
        }
        self.places[at] = entry;
        self.taken += 1;
    }

    fn double(&mut self) {
        let mut larger = Self::new(self.places.len() * 2);
        // From behind a free place on, so that entries with one hash stay in their order.
        let free = self.places.iter().position(|place| *place == FREE);
        let (last, first) = self.places.split_at(free.unwrap_or(0));
        let entries = first.iter().chain(last).filter(|place| **place != FREE);
        entries.for_each(|entry| larger.put(*entry));
        *self = larger;
    }

    fn remove(&mut self, entry: u64) -> bool {
        let mask = self.mask();
        let mut gap = folded(entry) as usize & mask;
        while self.places[gap] != entry {
            if self.places[gap] == FREE {
                return false;
            }
            gap = (gap + 1) & mask;
        }
        let mut at = (gap + 1) & mask;
        while self.places[at] != FREE {
            let home = folded(self.places[at]) as usize;
            // It moves up if the gap is no nearer to the front than where it belongs.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.places[gap] = self.places[at];
                gap = at;
            }
            at = (at + 1) & mask;
        }
        self.places[gap] = FREE;
        self.taken -= 1;
        true
    }
}

/// The tables.
#[derive(Debug)]
pub(crate) struct Stripes {
    /// Apart, so that what holds them stays small enough to be moved.
    tables: Box<[Table; STRIPES]>,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self {
            tables: Box::new(std::array::from_fn(|_| Table::new(AT_FIRST))),
        }
    }

    const fn stripe(folded: u32) -> usize {
        (folded >> SHIFT) as usize
    }

    /// Takes a number in under a hash that [`fold`] made, even if it is there already.
    #[inline]
    pub(crate) fn insert(&mut self, folded: u32, number: u32) {
        self.tables[Self::stripe(folded)].insert(entry(folded, number));
    }

    /// What `look` makes of the first number under this hash of which it makes anything.
    #[inline]
    pub(crate) fn find<R>(&self, hash: u32, look: impl Fn(u32) -> Option<R>) -> Option<R> {
        let table = &self.tables[Self::stripe(hash)];
        let mask = table.mask();
        let mut at = hash as usize & mask;
        loop {
            let entry = table.places[at];
            if folded(entry) == hash
                && let Some(found) = look(entry as u32)
            {
                return Some(found);
            }
            if entry == FREE {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// Reads what a look-up for this hash reads first, so that it is in the caches when that comes. What it gives has no
    /// meaning but that it depends on what was read.
    #[inline]
    pub(crate) fn touch(&self, folded: u32) -> u64 {
        let table = &self.tables[Self::stripe(folded)];
        table.places[folded as usize & table.mask()]
    }

    /// Takes a number out; false if it is not there.
    #[inline]
    pub(crate) fn remove(&mut self, folded: u32, number: u32) -> bool {
        self.tables[Self::stripe(folded)].remove(entry(folded, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashSet, VecDeque};
    use std::hash::BuildHasher as _;

    fn hash(number: u32) -> u32 {
        fold(foldhash::fast::FixedState::with_seed(1).hash_one(number))
    }

    fn has(stripes: &Stripes, hash: u32, number: u32) -> bool {
        let is = |found| (found == number).then_some(());
        stripes.find(hash, is).is_some()
    }

    #[test]
    fn entries_are_found_and_taken_out() {
        let mut stripes = Stripes::new();
        (0..100_000).for_each(|n| stripes.insert(hash(n), n));
        for n in (0..100_000).step_by(2) {
            assert!(stripes.remove(hash(n), n), "{n}");
            assert!(!stripes.remove(hash(n), n), "{n}");
        }
        for n in 0..100_000 {
            assert_eq!(has(&stripes, hash(n), n), n % 2 == 1, "{n}");
        }
    }

    #[test]
    fn all_tables_are_used_evenly_and_none_grows_with_the_others() {
        let mut stripes = Stripes::new();
        let mut together = 0;
        for n in 0..500_000 {
            let stripe = Stripes::stripe(hash(n));
            let before = stripes.tables[stripe].places.len();
            stripes.insert(hash(n), n);
            let table = &stripes.tables[stripe];
            if table.places.len() > before {
                together = together.max(table.taken);
            }
        }
        // What is moved at once is a share of a table, not the whole.
        assert!(together < 500_000 / STRIPES, "{together}");
        let taken: Vec<usize> = stripes.tables.iter().map(|table| table.taken).collect();
        assert!(
            taken.iter().all(|taken| (7000..8700).contains(taken)),
            "{taken:?}"
        );
    }

    #[test]
    fn entries_with_one_hash_are_told_apart_by_what_is_asked() {
        let mut stripes = Stripes::new();
        stripes.insert(7, 1);
        stripes.insert(7, 2);
        assert!(has(&stripes, 7, 2));
        assert!(stripes.remove(7, 1));
        assert!(!has(&stripes, 7, 1));
        assert_eq!(stripes.find(7, Some), Some(2));
        assert_eq!(stripes.find(8, Some), None);
    }

    #[test]
    fn a_hash_of_nothing_is_one_like_others() {
        let mut stripes = Stripes::new();
        for hash in [0, u64::MAX, 5 << 32 | 5] {
            let folded = fold(hash);
            stripes.insert(folded, 0);
            assert!(has(&stripes, folded, 0) && stripes.remove(folded, 0));
            assert!(!has(&stripes, folded, 0));
        }
    }

    #[test]
    fn thousands_of_equal_hashes_are_only_slower() {
        const EQUAL: u32 = 2000;
        let mut stripes = Stripes::new();
        for n in 0..EQUAL {
            stripes.insert(u32::MAX, n);
            // Others belong into the middle of the heap, and behind the last place.
            stripes.insert(u32::MAX - 1 - n, EQUAL + n);
        }
        // As many places as other hashes would have led to.
        let table = &stripes.tables[STRIPES - 1];
        assert_eq!(table.taken, 2 * EQUAL as usize);
        assert_eq!(table.places.len(), 8192);
        // Who came first is found first, however often the table has grown since.
        for n in 0..EQUAL {
            assert_eq!(stripes.find(u32::MAX, Some), Some(n));
            assert!(stripes.remove(u32::MAX, n));
            assert!(has(&stripes, u32::MAX - 1 - n, EQUAL + n));
        }
        for n in (0..EQUAL).rev() {
            assert!(stripes.remove(u32::MAX - 1 - n, EQUAL + n));
        }
        let table = &stripes.tables[STRIPES - 1];
        assert!(table.places.iter().all(|place| *place == FREE));
    }

    /// A table is compared with a set while entries whose hashes are few come and go, so that they lie in heaps that
    /// touch each other and go round the end of the table.
    #[test]
    fn a_crowded_table_holds_what_a_set_holds() {
        let mut rng = fastrand::Rng::with_seed(11);
        let mut stripes = Stripes::new();
        let mut set = HashSet::new();
        let mut order = VecDeque::new();
        for number in 0..20_000 {
            let hash = 0xfc00_0000 | (rng.u32(1..=40) * 7 % 61);
            stripes.insert(hash, number);
            set.insert((hash, number));
            order.push_back((hash, number));
            while set.len() > 20 {
                // Mostly the oldest, as calls end, and sometimes another.
                let at = if rng.u32(..4) == 0 {
                    rng.usize(..order.len())
                } else {
                    0
                };
                let (hash, number) = order.remove(at).expect("it is in both");
                set.remove(&(hash, number));
                assert!(stripes.remove(hash, number), "{number}");
                assert!(!has(&stripes, hash, number), "{number}");
            }
            let all = order
                .iter()
                .all(|(hash, number)| has(&stripes, *hash, *number));
            assert!(all, "{number}");
        }
        let table = &stripes.tables[STRIPES - 1];
        assert_eq!((table.taken, table.places.len()), (20, AT_FIRST));
    }
}
