// SPDX-License-Identifier: AGPL-3.0-only
//! Calls that have ended, remembered so that late messages do not open new ones.
//!
//! All live equally long, so a queue ordered by end time needs no timers: each look-up first drops what has expired.
//! Of a Call-ID only a 64-bit hash is kept, so that what a peer writes into it costs no memory. With two million of
//! them, one new Call-ID in nine million million is mistaken for an ended one.

use crate::input::Micros;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// Most calls remembered, about 100 MB: at 33 s each this is 60 000 ended calls a second. Beyond it calls are forgotten
/// at once.
const MAX_DEAD: usize = 2_000_000;

/// Why a call ended, for the warning about a late message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// It came to its end.
    Completed,
    /// It was aborted at this step.
    Aborted(u16),
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    expires: Micros,
    death: Death,
}

/// The ended calls.
#[derive(Debug)]
pub(crate) struct DeadCalls<S> {
    table: HashTable<Entry>,
    /// Hash and expiry, in the order of expiry; an entry whose expiry was put off is queued again when its turn comes.
    queue: VecDeque<(u64, Micros)>,
    hasher: S,
    wait: Micros,
}

impl<S: BuildHasher> DeadCalls<S> {
    /// Remembers ended calls for `wait`.
    pub(crate) fn new(wait: Micros, hasher: S) -> Self {
        Self {
            table: HashTable::new(),
            queue: VecDeque::new(),
            hasher,
            wait,
        }
    }

    /// Remembers a call.
    pub(crate) fn bury(&mut self, call_id: &[u8], death: Death, now: Micros) {
        self.expire(now);
        if self.wait == Micros(0) || self.table.len() >= MAX_DEAD {
            return;
        }
        let hash = self.hasher.hash_one(call_id);
        let expires = now.plus(self.wait);
        let entry = Entry {
            hash,
            expires,
            death,
        };
        self.table.insert_unique(hash, entry, |entry| entry.hash);
        self.queue.push_back((hash, expires));
    }

    /// Whether this call has ended lately, and how. Its time starts again.
    pub(crate) fn disturb(&mut self, call_id: &[u8], now: Micros) -> Option<Death> {
        self.expire(now);
        let hash = self.hasher.hash_one(call_id);
        let entry = self.table.find_mut(hash, |entry| entry.hash == hash)?;
        entry.expires = now.plus(self.wait);
        Some(entry.death)
    }

    fn expire(&mut self, now: Micros) {
        while let Some(&(hash, queued)) = self.queue.front()
            && queued <= now
        {
            self.queue.pop_front();
            let found = self
                .table
                .find_entry(hash, |entry| entry.hash == hash && entry.expires <= now);
            match found {
                Ok(entry) => {
                    entry.remove();
                }
                // Put off meanwhile: its turn comes again.
                Err(_) => {
                    let later = self
                        .table
                        .find(hash, |entry| entry.hash == hash)
                        .map(|entry| entry.expires);
                    if let Some(later) = later {
                        self.queue.push_back((hash, later));
                    }
                }
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead() -> DeadCalls<foldhash::fast::FixedState> {
        DeadCalls::new(
            Micros::from_ms(33_000),
            foldhash::fast::FixedState::with_seed(1),
        )
    }

    #[test]
    fn an_ended_call_is_forgotten_after_its_time() {
        let mut dead = dead();
        dead.bury(b"a", Death::Completed, Micros(0));
        assert_eq!(
            dead.disturb(b"a", Micros::from_ms(32_999)),
            Some(Death::Completed)
        );
        assert_eq!(dead.disturb(b"b", Micros::from_ms(32_999)), None);
    }

    #[test]
    fn a_message_restarts_the_time() {
        let mut dead = dead();
        dead.bury(b"a", Death::Aborted(3), Micros(0));
        assert!(dead.disturb(b"a", Micros::from_ms(20_000)).is_some());
        assert!(dead.disturb(b"a", Micros::from_ms(50_000)).is_some());
        assert!(dead.disturb(b"a", Micros::from_ms(100_000)).is_none());
        assert_eq!(dead.len(), 0);
    }

    #[test]
    fn memory_is_freed_without_look_ups_by_id() {
        let mut dead = dead();
        for n in 0..1000u64 {
            dead.bury(&n.to_le_bytes(), Death::Completed, Micros::from_ms(n * 100));
        }
        assert!(dead.len() < 340, "{}", dead.len());
    }
}
