// SPDX-License-Identifier: AGPL-3.0-only
//! Where the records of open calls lie.
//!
//! Records lie in chunks that never move: the table grows by a chunk at a time, neither copying what is there nor
//! keeping room for as many again. A place is used again under another generation, so that the key of a call that has
//! ended finds nothing. The record of a call that has ended stays in its place, with the memory that it holds, for the next
//! call there: to move it away and back would take longer than all else that is done with it.

use crate::call::Call;
use crate::input::CallKey;
use slotmap::{Key as _, KeyData};

/// Records in a chunk.
const CHUNK: usize = 256;

/// Set in the places of marked calls. Places do not get there: memory ends long before.
const MARK: u32 = 1 << 31;

/// Stands for no place.
const NONE: u32 = u32::MAX;

/// In place of the next free place: this one is not free.
const OPEN: u32 = u32::MAX - 1;

/// Four lines of the caches: allocators put chunks of such a size to the beginning of a page.
#[derive(Debug)]
struct Slot {
    /// Odd, as keys demand; changes whenever the place becomes free.
    generation: u32,
    /// The next free place, if this is one.
    next_free: u32,
    /// If the place is free, what an ended call has left.
    call: Call,
}

impl Slot {
    const fn is_open(&self) -> bool {
        self.next_free == OPEN
    }
}

/// Calls by key.
#[derive(Debug)]
pub(crate) struct Calls {
    /// All full but the last one.
    chunks: Vec<Vec<Slot>>,
    free: u32,
    len: usize,
    /// Set in all places, as keys tell them.
    mark: u32,
    /// By how much keys turn places, so that the mark is their lowest bit and they stay small.
    turn: u32,
}

impl Calls {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: NONE,
            len: 0,
            mark: 0,
            turn: 0,
        }
    }

    /// Calls of two engines, whose keys [`is_marked`] tells apart.
    pub(crate) fn pair() -> (Self, Self) {
        let of = |mark| Self {
            mark,
            turn: 1,
            ..Self::new()
        };
        (of(0), of(MARK))
    }

    /// Number of calls.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Opens a place for a call: its key, and the record there, which is what an ended call has left or blank.
    pub(crate) fn open(&mut self) -> (CallKey, &mut Call) {
        self.len += 1;
        if self.free == NONE {
            self.free = self.grow();
        }
        let place = self.free;
        let turned = self.turned(place);
        let index = place as usize;
        // What is free is there: places do not go.
        let slot = &mut self.chunks[index / CHUNK][index % CHUNK];
        self.free = core::mem::replace(&mut slot.next_free, OPEN);
        (key(turned, slot.generation), &mut slot.call)
    }

    /// Adds a place, a free one.
    #[cold]
    fn grow(&mut self) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.last_mut().expect("there is one by now");
        // Memory ends long before 32 bits do.
        let place = (before + chunk.len()) as u32;
        chunk.push(Slot {
            generation: 1,
            next_free: NONE,
            call: Call::blank(),
        });
        place
    }

    /// Ends a call: its key finds it no more. What it leaves stays in its place.
    pub(crate) fn end(&mut self, key: CallKey) -> Option<&mut Call> {
        let (place, generation) = self.parts(key);
        let free = self.free;
        let slot = self.slot_mut(place)?;
        if slot.generation != generation || !slot.is_open() {
            return None;
        }
        slot.generation = generation.wrapping_add(2);
        slot.next_free = free;
        self.free = place;
        self.len -= 1;
        self.slot_mut(place).map(|slot| &mut slot.call)
    }

    /// The call with this key, if it is still there.
    #[inline]
    pub(crate) fn get(&self, key: CallKey) -> Option<&Call> {
        let (place, generation) = self.parts(key);
        let place = place as usize;
        let slot = self.chunks.get(place / CHUNK)?.get(place % CHUNK)?;
        (slot.generation == generation && slot.is_open()).then_some(&slot.call)
    }

    /// The same, for changing it.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: CallKey) -> Option<&mut Call> {
        let (place, generation) = self.parts(key);
        let slot = self.slot_mut(place)?;
        (slot.generation == generation && slot.is_open()).then_some(&mut slot.call)
    }

    /// Where a call lies: no other one that is open has the same place.
    #[inline]
    pub(crate) fn place(&self, key: CallKey) -> u32 {
        self.parts(key).0
    }

    /// The call that is open at a place, and its key.
    #[inline]
    pub(crate) fn at(&self, place: u32) -> Option<(CallKey, &Call)> {
        let at = place as usize;
        let slot = self.chunks.get(at / CHUNK)?.get(at % CHUNK)?;
        let key = key(self.turned(place), slot.generation);
        slot.is_open().then_some((key, &slot.call))
    }

    /// Whether there is a call with this key.
    pub(crate) fn contains_key(&self, key: CallKey) -> bool {
        self.get(key).is_some()
    }

    /// The keys of all calls, in the order of their places.
    pub(crate) fn keys(&self) -> impl Iterator<Item = CallKey> + '_ {
        self.keys_from(0)
    }

    /// The keys of the calls at this place and behind it.
    pub(crate) fn keys_from(&self, first: u32) -> impl Iterator<Item = CallKey> + '_ {
        let chunk = first as usize / CHUNK;
        let slots = self.chunks.iter().skip(chunk).flatten();
        let places = (chunk * CHUNK..).zip(slots);
        places
            .skip(first as usize % CHUNK)
            .filter(|(_, slot)| slot.is_open())
            .map(|(place, slot)| key(self.turned(place as u32), slot.generation))
    }

    /// The place that comes after that of a call.
    pub(crate) fn after(&self, key: CallKey) -> u32 {
        self.parts(key).0.wrapping_add(1)
    }

    /// A place as keys tell it.
    fn turned(&self, place: u32) -> u32 {
        (place | self.mark).rotate_left(self.turn)
    }

    /// Place and generation; of a key that is marked otherwise, a place that is never reached.
    #[inline]
    fn parts(&self, key: CallKey) -> (u32, u32) {
        let (place, generation) = parts(key);
        (place.rotate_right(self.turn) ^ self.mark, generation)
    }

    #[inline]
    fn slot_mut(&mut self, place: u32) -> Option<&mut Slot> {
        let place = place as usize;
        self.chunks.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }
}

/// Whether a key of one of [`Calls::pair`] is of the second.
pub(crate) fn is_marked(key: CallKey) -> bool {
    parts(key).0 & 1 != 0
}

/// Keys count places from 1, and [`CallKey::default`] is the last one, which is never reached.
fn key(place: u32, generation: u32) -> CallKey {
    CallKey::from(KeyData::from_ffi(
        u64::from(generation) << 32 | u64::from(place.wrapping_add(1)),
    ))
}

#[inline]
fn parts(key: CallKey) -> (u32, u32) {
    let both = key.data().as_ffi();
    ((both as u32).wrapping_sub(1), (both >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Calls {
        fn insert(&mut self, number: u64) -> CallKey {
            let (key, call) = self.open();
            call.number = number;
            key
        }
    }

    #[test]
    fn a_place_fills_whole_lines_and_a_chunk_whole_pages() {
        assert_eq!(size_of::<Slot>(), 256);
        assert_eq!(CHUNK * size_of::<Slot>() % 4096, 0);
    }

    #[test]
    fn calls_are_found_under_their_keys_across_chunks() {
        let mut calls = Calls::new();
        let count = 3 * CHUNK as u64 + 5;
        let keys: Vec<_> = (0..count).map(|n| calls.insert(n)).collect();
        assert_eq!((calls.len(), calls.chunks.len()), (keys.len(), 4));
        for (number, key) in (0..).zip(&keys) {
            assert_eq!(calls.get(*key).map(|call| call.number), Some(number));
            assert_eq!(calls.get_mut(*key).map(|call| call.number), Some(number));
            let at = calls.at(calls.place(*key));
            assert_eq!(
                at.map(|(key, call)| (key, call.number)),
                Some((*key, number))
            );
        }
        assert_eq!(calls.keys().collect::<Vec<_>>(), keys);
        for at in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 7, keys.len() - 1] {
            let from = calls.after(keys[at]);
            assert_eq!(calls.keys_from(from).collect::<Vec<_>>(), keys[at + 1..]);
        }
        assert!(!calls.contains_key(CallKey::default()));
    }

    #[test]
    fn marked_calls_and_others_do_not_find_each_other() {
        let (mut plain, mut marked) = Calls::pair();
        let keys: Vec<_> = (0..2).map(|n| plain.insert(n)).collect();
        let others: Vec<_> = (0..2).map(|n| marked.insert(10 + n)).collect();
        for (key, other) in keys.iter().zip(&others) {
            assert!(!is_marked(*key) && is_marked(*other));
            assert!(plain.contains_key(*key) && !plain.contains_key(*other));
            assert!(marked.contains_key(*other) && !marked.contains_key(*key));
            let at = marked.at(marked.place(*other)).map(|(key, _)| key);
            assert_eq!(at, Some(*other));
        }
        assert_eq!(marked.keys().collect::<Vec<_>>(), others);
        // Drivers keep tables by place.
        let places = keys.iter().chain(&others).map(|key| parts(*key).0);
        assert_eq!(places.max(), Some(3));
        assert!(marked.end(keys[0]).is_none());
        assert_eq!(marked.end(others[0]).map(|call| call.number), Some(10));
        assert!(is_marked(marked.insert(12)));
        assert!(marked.get(others[0]).is_none());
        assert!(!marked.contains_key(CallKey::default()));
    }

    #[test]
    fn a_place_is_used_again_and_the_old_key_finds_nothing() {
        let mut calls = Calls::new();
        let keys: Vec<_> = (0..5).map(|n| calls.insert(n)).collect();
        assert_eq!(calls.end(keys[1]).map(|call| call.number), Some(1));
        assert_eq!(calls.end(keys[3]).map(|call| call.number), Some(3));
        assert!(calls.end(keys[1]).is_none() && calls.get(keys[1]).is_none());
        assert!(calls.at(calls.place(keys[1])).is_none());
        assert_eq!(calls.keys().count(), 3);
        // What became free last is used first.
        let (third, left) = calls.open();
        assert_eq!(core::mem::replace(&mut left.number, 13), 3);
        let first = calls.insert(11);
        assert_eq!(
            [third, first].map(|key| parts(key).0),
            [keys[3], keys[1]].map(|key| parts(key).0)
        );
        assert!(third != keys[3] && calls.get(keys[3]).is_none());
        assert_eq!(calls.get(first).map(|call| call.number), Some(11));
        assert_eq!((calls.len(), calls.chunks[0].len()), (5, 5));
        assert_eq!(calls.keys().count(), 5);
    }
}
