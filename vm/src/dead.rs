// SPDX-License-Identifier: AGPL-3.0-only
//! Calls that have ended, remembered so that late messages do not open new ones.
//!
//! All live equally long, so a queue ordered by end time needs no timers: what has expired is dropped when calls end, a few
//! at a time, and not found meanwhile.
//! Of a Call-ID only a 64-bit hash is kept, so that what a peer writes into it costs no memory. With four million of
//! them, one new Call-ID in four million million is mistaken for an ended one.
//!
//! The queue holds what is known of a call; the table only says where in the queue to look. Both grow in small parts,
//! so that remembering the millionth call takes no longer than the first.
//!
//! Each call has a place of its own in a table too large for the caches. So calls enter and leave it several at a time:
//! waiting for the memory of all of them takes hardly longer than waiting for that of one.

use crate::input::Micros;
use crate::stripes::{Stripes, fold};
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// Most calls remembered, about 130 MB: at 33 s each this is 110 000 ended calls a second. Beyond it calls are forgotten
/// at once.
const MAX_DEAD: usize = 3_700_000;

/// Calls that enter the table together, and those that leave the queue together when they have expired.
const TOGETHER: usize = 16;

/// Entries of the queue that are allocated together.
const CHUNK: usize = 4096;

/// Those that enter together then lie in one chunk, and leave together.
const _: () = assert!(CHUNK.is_multiple_of(TOGETHER));

/// Longest time for which calls are remembered, twelve days.
const MAX_WAIT: Micros = Micros::from_ms(1 << 30);

/// Why a call ended, for the warning about a late message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// It came to its end.
    Completed,
    /// It was aborted at this step.
    Aborted(u16),
}

/// When a call is forgotten, in milliseconds since the run began. It wraps after seven weeks, which does no harm, since
/// only times less than half of that apart are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Expiry(u32);

impl Expiry {
    /// Not earlier than this.
    const fn at(time: Micros) -> Self {
        Self(time.0.div_ceil(1000) as u32)
    }

    const fn is_over(self, now: Micros) -> bool {
        let passed = ((now.0 / 1000) as u32).wrapping_sub(self.0);
        passed <= u32::MAX / 2
    }
}

/// What is known of an ended call.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    expires: Expiry,
    /// Nothing once another entry has taken its place.
    death: Option<Death>,
}

/// Entries by turn, in chunks that never move.
#[derive(Debug, Default)]
struct Queue {
    /// All full but the last one.
    chunks: VecDeque<Vec<Entry>>,
    /// Entries of the first chunk that have left.
    left: usize,
    /// The turn of the first entry of the first chunk.
    first: u32,
    /// A chunk that has left, to be filled again.
    spare: Vec<Entry>,
}

impl Queue {
    fn len(&self) -> usize {
        match self.chunks.back() {
            Some(last) => (self.chunks.len() - 1) * CHUNK + last.len() - self.left,
            None => 0,
        }
    }

    /// Gives it the next turn. No more than [`MAX_DEAD`] are here at a time, so that turns that wrap stay apart.
    fn push(&mut self, entry: Entry) {
        let last = match self.chunks.back_mut() {
            Some(last) if last.len() < CHUNK => last,
            _ => {
                let mut chunk = std::mem::take(&mut self.spare);
                chunk.reserve_exact(CHUNK);
                self.chunks.push_back_mut(chunk)
            }
        };
        last.push(entry);
    }

    fn get(&self, turn: u32) -> Option<&Entry> {
        let index = turn.wrapping_sub(self.first) as usize;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    fn get_mut(&mut self, turn: u32) -> Option<&mut Entry> {
        let index = turn.wrapping_sub(self.first) as usize;
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }

    /// Entries since the last time that their number was a multiple of [`TOGETHER`], and the turn of the first of them.
    fn newest(&self) -> (&[Entry], u32) {
        let before = self.chunks.len().saturating_sub(1) * CHUNK;
        let last = match self.chunks.back() {
            Some(last) => last.as_slice(),
            None => &[],
        };
        let from = last.len() / TOGETHER * TOGETHER;
        let turn = self.first.wrapping_add((before + from) as u32);
        (&last[from..], turn)
    }

    /// The first one, or one that is so many behind it.
    fn nth(&self, behind: usize) -> Option<Entry> {
        let index = self.left + behind;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK).copied()
    }

    /// Takes the first one out; its turn.
    fn pop(&mut self) -> u32 {
        let turn = self.first.wrapping_add(self.left as u32);
        self.left += 1;
        if self.left == CHUNK {
            self.left = 0;
            self.first = self.first.wrapping_add(CHUNK as u32);
            self.spare = self.chunks.pop_front().unwrap_or_default();
            self.spare.clear();
        }
        turn
    }
}

/// The ended calls.
#[derive(Debug)]
pub(crate) struct DeadCalls<S> {
    /// Turns by hash, but for the newest entries: they are in the queue alone until there are [`TOGETHER`].
    turns: Stripes,
    /// In the order of expiry.
    queue: Queue,
    hasher: S,
    wait: Micros,
}

impl<S: BuildHasher> DeadCalls<S> {
    /// Remembers ended calls for `wait`.
    pub(crate) fn new(wait: Micros, hasher: S) -> Self {
        Self {
            turns: Stripes::new(),
            queue: Queue::default(),
            hasher,
            wait: wait.min(MAX_WAIT),
        }
    }

    /// What the other functions know a call by.
    #[inline]
    pub(crate) fn hash(&self, call_id: &[u8]) -> u64 {
        self.hasher.hash_one(call_id)
    }

    /// Remembers the call whose Call-ID has this hash.
    pub(crate) fn bury(&mut self, hash: u64, death: Death, now: Micros) {
        self.expire(now);
        self.remember(hash, death, now);
    }

    /// Whether this call has ended lately, and how. Its time starts again.
    pub(crate) fn disturb(&mut self, hash: u64, now: Micros) -> Option<Death> {
        self.expire(now);
        let turn = self.find(hash, |entry| !entry.expires.is_over(now))?;
        // With no room for another entry its time does not start again.
        let death = if self.queue.len() >= MAX_DEAD {
            self.queue.get(turn)?.death
        } else {
            self.turns.remove(fold(hash), turn);
            self.queue.get_mut(turn)?.death.take()
        }?;
        self.remember(hash, death, now);
        Some(death)
    }

    /// Whether this call is remembered, which it may be somewhat longer than [`Self::disturb`] finds it.
    pub(crate) fn has(&self, hash: u64) -> bool {
        self.find(hash, |_| true).is_some()
    }

    /// The turn of the call with this hash.
    fn find(&self, hash: u64, is: impl Fn(&Entry) -> bool) -> Option<u32> {
        let is = |entry: &Entry| entry.hash == hash && entry.death.is_some() && is(entry);
        let (newest, first) = self.queue.newest();
        if let Some(behind) = newest.iter().position(is) {
            return Some(first.wrapping_add(behind as u32));
        }
        self.turns.find(fold(hash), |turn| {
            self.queue.get(turn).is_some_and(is).then_some(turn)
        })
    }

    fn remember(&mut self, hash: u64, death: Death, now: Micros) {
        if self.wait == Micros(0) || self.queue.len() >= MAX_DEAD {
            return;
        }
        self.queue.push(Entry {
            hash,
            expires: Expiry::at(now.plus(self.wait)),
            death: Some(death),
        });
        let (newest, next) = self.queue.newest();
        if newest.is_empty() {
            self.enter(next.wrapping_sub(TOGETHER as u32));
        }
    }

    /// Puts the newest entries into the table, from this turn on.
    fn enter(&mut self, first: u32) {
        let turns = (0..TOGETHER as u32).map(|behind| first.wrapping_add(behind));
        let mut touched = 0;
        for turn in turns.clone() {
            if let Some(entry) = self.queue.get(turn) {
                touched ^= self.turns.touch(fold(entry.hash));
            }
        }
        core::hint::black_box(touched);
        for turn in turns {
            let Some(&Entry { hash, death, .. }) = self.queue.get(turn) else {
                continue;
            };
            if death.is_none() {
                continue;
            }
            // Where calls share a Call-ID (`-cid_str` can say so) the last one stands for all: the way past thousands of
            // equal hashes would be long.
            let other = self.turns.find(fold(hash), |turn| {
                let entry = self.queue.get(turn)?;
                (entry.hash == hash).then_some(turn)
            });
            if let Some(other) = other {
                self.turns.remove(fold(hash), other);
                if let Some(entry) = self.queue.get_mut(other) {
                    entry.death = None;
                }
            }
            self.turns.insert(fold(hash), turn);
        }
    }

    /// Reads what [`Self::disturb`] will read for the call with this hash; see [`Stripes::touch`].
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        self.turns.touch(fold(hash))
    }

    fn expire(&mut self, now: Micros) {
        // Those that leave together have entered together, so that none of them is still to enter.
        while let Some(last) = self.queue.nth(TOGETHER - 1)
            && last.expires.is_over(now)
        {
            let together = (0..TOGETHER).filter_map(|behind| self.queue.nth(behind));
            let touched = together.fold(0, |touched, entry| touched ^ self.touch(entry.hash));
            core::hint::black_box(touched);
            for _ in 0..TOGETHER {
                self.drop_first();
            }
        }
    }

    fn drop_first(&mut self) {
        let Some(entry) = self.queue.nth(0) else {
            return;
        };
        let turn = self.queue.pop();
        if entry.death.is_some() {
            self.turns.remove(fold(entry.hash), turn);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl DeadCalls<foldhash::fast::FixedState> {
        fn end(&mut self, id: &[u8], death: Death, now: Micros) {
            self.bury(self.hash(id), death, now);
        }

        fn late(&mut self, id: &[u8], now: Micros) -> Option<Death> {
            self.disturb(self.hash(id), now)
        }
    }

    fn dead() -> DeadCalls<foldhash::fast::FixedState> {
        DeadCalls::new(
            Micros::from_ms(33_000),
            foldhash::fast::FixedState::with_seed(1),
        )
    }

    #[test]
    fn an_ended_call_is_forgotten_after_its_time() {
        let mut dead = dead();
        dead.end(b"a", Death::Completed, Micros(0));
        assert_eq!(
            dead.late(b"a", Micros::from_ms(32_999)),
            Some(Death::Completed)
        );
        assert_eq!(dead.late(b"b", Micros::from_ms(32_999)), None);
        assert!(dead.has(dead.hash(b"a")) && !dead.has(dead.hash(b"b")));
    }

    #[test]
    fn a_message_restarts_the_time() {
        let mut dead = dead();
        dead.end(b"a", Death::Aborted(3), Micros(0));
        assert!(dead.late(b"a", Micros::from_ms(20_000)).is_some());
        assert!(dead.late(b"a", Micros::from_ms(50_000)).is_some());
        assert!(dead.late(b"a", Micros::from_ms(100_000)).is_none());
    }

    #[test]
    fn calls_are_known_before_they_enter_the_table_and_after() {
        let mut dead = dead();
        for n in 0..3 * TOGETHER as u64 {
            dead.end(&n.to_le_bytes(), Death::Aborted(n as u16), Micros(n));
            for n in 0..=n {
                assert!(dead.has(dead.hash(&n.to_le_bytes())), "{n}");
            }
        }
        for n in (0..3 * TOGETHER as u64).rev() {
            let found = dead.late(&n.to_le_bytes(), Micros::from_ms(n + 1));
            assert_eq!(found, Some(Death::Aborted(n as u16)));
        }
    }

    #[test]
    fn of_calls_with_one_call_id_the_last_one_is_remembered() {
        const EQUAL: u64 = 20_000;
        let mut dead = dead();
        for n in 0..EQUAL {
            dead.end(b"a", Death::Aborted(n as u16), Micros::from_ms(n));
        }
        // The others left the table, or looking for one would mean to pass them all.
        let steps = std::cell::Cell::new(0);
        let step = |_| -> Option<()> {
            steps.set(steps.get() + 1);
            None
        };
        dead.turns.find(fold(dead.hash(b"a")), step);
        assert_eq!(steps.get(), 1);
        let last = Micros::from_ms(EQUAL + 32_000);
        assert_eq!(
            dead.late(b"a", last),
            Some(Death::Aborted((EQUAL - 1) as u16))
        );
        let much_later = Micros::from_ms(EQUAL + 32_000 + 33_001);
        assert_eq!(dead.late(b"a", much_later), None);
    }

    #[test]
    fn memory_is_freed_without_look_ups_by_id() {
        let mut dead = dead();
        for n in 0..1000u64 {
            dead.end(&n.to_le_bytes(), Death::Completed, Micros::from_ms(n * 100));
        }
        assert!(dead.len() < 331 + TOGETHER, "{}", dead.len());
    }

    #[test]
    fn a_message_that_comes_again_and_again_keeps_its_call_and_no_other() {
        let mut dead = dead();
        dead.end(b"a", Death::Completed, Micros(0));
        dead.end(b"b", Death::Completed, Micros(0));
        for second in 1..200u64 {
            assert!(dead.late(b"a", Micros::from_ms(second * 1000)).is_some());
        }
        assert_eq!(dead.late(b"b", Micros::from_ms(200_000)), None);
        assert!(dead.len() < 35 + TOGETHER, "{}", dead.len());
    }

    #[test]
    fn hundreds_of_thousands_are_found_and_forgotten_in_their_order() {
        let mut dead = dead();
        for n in 0..300_000u64 {
            dead.end(&n.to_le_bytes(), Death::Aborted(n as u16), Micros(n * 1000));
        }
        // 33 s are left, each with one call per millisecond.
        assert!((33_000..33_000 + TOGETHER).contains(&dead.len()));
        let now = Micros(299_999_000);
        assert_eq!(dead.late(&266_999u64.to_le_bytes(), now), None);
        for n in (267_000..300_000u64).step_by(7) {
            assert_eq!(
                dead.late(&n.to_le_bytes(), now),
                Some(Death::Aborted(n as u16)),
                "{n}"
            );
        }
    }

    #[test]
    fn expiries_that_wrap_are_compared() {
        let soon = Expiry::at(Micros::from_ms(u64::from(u32::MAX) + 5));
        assert!(!soon.is_over(Micros::from_ms(u64::from(u32::MAX) - 5)));
        assert!(soon.is_over(Micros::from_ms(u64::from(u32::MAX) + 5)));
        assert!(!Expiry::at(Micros(1)).is_over(Micros(0)));
    }
}
