// SPDX-License-Identifier: AGPL-3.0-only
//! When each stream wants to be looked at: one deadline per stream, in lists of a millisecond each.
//!
//! The lists run through the streams by number, so that arming allocates nothing. What lies beyond the wheel waits in its
//! last list and is put in again when that list comes up.
//!
//! Streams of a list come in the order in which they were armed: who was the last of a thousand is so the next time too, and
//! its packets keep their distance.

use crate::table::Table;
use crate::time::Micros;

/// Lists; a power of two, and a little more than a second.
const SLOTS: u64 = 1024;
const SLOT_US: u64 = 1000;
const NONE: u32 = u32::MAX;

/// A stream's place.
#[derive(Clone, Copy, Debug)]
struct Node {
    due: Micros,
    next: u32,
    previous: u32,
    /// Its list; [`NO_SLOT`] if it has no deadline.
    slot: u16,
}

const NO_SLOT: u16 = u16::MAX;

impl Default for Node {
    fn default() -> Self {
        Self {
            due: Micros::NEVER,
            next: NONE,
            previous: NONE,
            slot: NO_SLOT,
        }
    }
}

/// The ends of a list.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

/// What a stream takes here.
#[cfg(test)]
pub(super) const NODE_LEN: usize = size_of::<Node>();

/// Deadlines of streams, by number.
#[derive(Debug)]
pub(super) struct Wheel {
    /// First and last of each list.
    lists: Box<[List]>,
    /// One bit for each list that is not empty.
    filled: [u64; SLOTS as usize / 64],
    /// All lists up to this tick have been emptied.
    tick: u64,
    /// Streams with a deadline.
    armed: usize,
    nodes: Table<Node>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            lists: vec![
                List {
                    first: NONE,
                    last: NONE,
                };
                SLOTS as usize
            ]
            .into(),
            filled: [0; SLOTS as usize / 64],
            tick: 0,
            armed: 0,
            nodes: Table::default(),
        }
    }

    /// Sets the deadline of a stream; [`Micros::NEVER`] takes it away.
    pub(super) fn arm(&mut self, now: Micros, stream: u32, due: Micros) {
        self.disarm(stream);
        if self.armed == 0 {
            // Nobody turned it while it was empty.
            self.tick = self.tick.max(now.0 / SLOT_US);
        }
        self.nodes.reach(stream as usize).due = due;
        if due != Micros::NEVER {
            self.insert(stream, due);
        }
    }

    fn insert(&mut self, stream: u32, due: Micros) {
        // Never early: the tick that begins at the deadline or behind it, and one that is still to come.
        let tick = due.0.div_ceil(SLOT_US);
        let tick = tick.clamp(self.tick + 1, self.tick + SLOTS - 1);
        let slot = (tick % SLOTS) as usize;
        let last = self.lists[slot].last;
        self.armed += 1;
        let node = self.nodes.reach(stream as usize);
        node.slot = slot as u16;
        node.previous = last;
        node.next = NONE;
        match self.nodes.get_mut(last as usize) {
            Some(last) => last.next = stream,
            None => self.lists[slot].first = stream,
        }
        self.lists[slot].last = stream;
        self.filled[slot / 64] |= 1 << (slot % 64);
    }

    /// Takes the deadline of a stream away.
    pub(super) fn disarm(&mut self, stream: u32) {
        let Some(node) = self.nodes.get_mut(stream as usize) else {
            return;
        };
        if node.slot == NO_SLOT {
            return;
        }
        let Node {
            next,
            previous,
            slot,
            ..
        } = *node;
        node.slot = NO_SLOT;
        self.armed -= 1;
        let slot = usize::from(slot);
        match self.nodes.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.lists[slot].first = next,
        }
        match self.nodes.get_mut(next as usize) {
            Some(next) => next.previous = previous,
            None => self.lists[slot].last = previous,
        }
        if self.lists[slot].first == NONE {
            self.filled[slot / 64] &= !(1 << (slot % 64));
        }
    }

    /// A stream that is due. Call until there is none; those armed meanwhile come at their own time.
    pub(super) fn pop(&mut self, now: Micros) -> Option<u32> {
        let last = now.0 / SLOT_US;
        loop {
            let next = self.next_tick()?;
            if next > last {
                // Nothing lies between: the wheel may turn on to here.
                self.tick = self.tick.max(last);
                return None;
            }
            // Nothing lies between, and what is put in again must not come into the list that is being emptied.
            self.tick = next - 1;
            let slot = (next % SLOTS) as usize;
            let stream = self.lists[slot].first;
            self.disarm(stream);
            if self.lists[slot].first == NONE {
                self.tick = next;
            }
            let due = self.nodes.get(stream as usize)?.due;
            if due <= now {
                return Some(stream);
            }
            // It lay beyond the wheel.
            self.insert(stream, due);
        }
    }

    /// The first tick with a stream, from the one after the current.
    fn next_tick(&self) -> Option<u64> {
        let start = self.tick + 1;
        let first = (start % SLOTS) as usize;
        let words = self.filled.len();
        // The word of the first list twice: its upper part, and at last its lower one.
        for step in 0..=words {
            let index = (first / 64 + step) % words;
            let mut word = self.filled[index];
            if step == 0 {
                word &= u64::MAX << (first % 64);
            } else if step == words {
                word &= !(u64::MAX << (first % 64));
            }
            if word != 0 {
                let slot = index as u64 * 64 + u64::from(word.trailing_zeros());
                return Some(start + slot.wrapping_sub(start) % SLOTS);
            }
        }
        None
    }

    /// When the first stream is due, at the earliest.
    pub(super) fn next_deadline(&self) -> Option<Micros> {
        Some(Micros(self.next_tick()? * SLOT_US))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn drain(wheel: &mut Wheel, now: Micros) -> Vec<u32> {
        core::iter::from_fn(|| wheel.pop(now)).collect()
    }

    #[test]
    fn streams_come_at_the_tick_of_their_deadline() {
        let mut wheel = Wheel::new();
        for (stream, us) in [(0, 1500), (1, 20_000), (2, 5_000_000), (3, 20_000)] {
            wheel.arm(Micros(0), stream, Micros(us));
        }
        assert_eq!(wheel.next_deadline(), Some(Micros(2000)));
        assert!(drain(&mut wheel, Micros(1999)).is_empty());
        assert_eq!(drain(&mut wheel, Micros(2000)), [0]);
        assert_eq!(wheel.next_deadline(), Some(Micros(20_000)));
        wheel.disarm(1);
        assert_eq!(drain(&mut wheel, Micros(30_000)), [3]);
        assert!(drain(&mut wheel, Micros(4_999_999)).is_empty());
        assert_eq!(drain(&mut wheel, Micros(5_000_000)), [2]);
        assert_eq!(wheel.next_deadline(), None);
        let now = Micros(5_000_000);
        wheel.arm(now, 2, Micros(0));
        wheel.arm(now, 2, Micros::NEVER);
        assert_eq!(wheel.next_deadline(), None);
        // After a long time without streams.
        let now = Micros(60_000_000);
        wheel.arm(now, 0, Micros(60_020_000));
        assert_eq!(wheel.next_deadline(), Some(Micros(60_020_000)));
    }

    #[test]
    fn streams_of_a_list_keep_their_order_from_one_round_to_the_next() {
        let mut wheel = Wheel::new();
        for stream in 0..5 {
            wheel.arm(Micros(0), stream, Micros(2000));
        }
        // The first, the last and one between them leave, and come back behind the others.
        for stream in [0, 2, 4] {
            wheel.arm(Micros(0), stream, Micros(1900));
        }
        let mut expected = vec![1, 3, 0, 2, 4];
        for round in 1..4 {
            let now = Micros(round * 2000);
            let mut came = Vec::new();
            while let Some(stream) = wheel.pop(now) {
                wheel.arm(now, stream, now + Micros(2000));
                came.push(stream);
            }
            assert_eq!(came, expected);
            expected = came;
        }
    }

    #[test]
    fn streams_that_lay_beyond_the_wheel_in_its_last_list_leave_it() {
        let mut wheel = Wheel::new();
        let (late, due) = (Micros(600_000), Micros(1_100_000));
        for stream in [0, 1] {
            wheel.arm(Micros(0), stream, Micros(500_000));
        }
        // Nobody has turned the wheel for more than half of its length.
        for stream in [0, 1] {
            wheel.arm(late, stream, due);
        }
        assert!(drain(&mut wheel, Micros(1_023_000)).is_empty());
        assert_eq!(wheel.next_deadline(), Some(due));
        let mut found = drain(&mut wheel, due);
        found.sort_unstable();
        assert_eq!(found, [0, 1]);
    }

    proptest! {
        #[test]
        fn nothing_comes_early_late_or_twice(
            steps in proptest::collection::vec((0u32..20, 0u64..3_000_000, 0u64..500_000, any::<bool>()), 1..200),
        ) {
            let mut wheel = Wheel::new();
            let mut expected: BTreeMap<u32, u64> = BTreeMap::new();
            let mut now = 0;
            for (stream, ahead, pass, keep) in steps {
                if keep {
                    wheel.arm(Micros(now), stream, Micros(now + ahead));
                    expected.insert(stream, now + ahead);
                } else {
                    wheel.disarm(stream);
                    expected.remove(&stream);
                }
                now += pass;
                // A wheel that sleeps until its deadline misses nothing.
                let first = expected.values().min().copied();
                let deadline = wheel.next_deadline();
                prop_assert_eq!(deadline.is_some(), first.is_some());
                if let (Some(deadline), Some(first)) = (deadline, first) {
                    prop_assert!(deadline.0 <= first.max(now) + 2 * SLOT_US);
                }
                let tick = now / SLOT_US * SLOT_US;
                for stream in drain(&mut wheel, Micros(now)) {
                    let due = expected.remove(&stream);
                    prop_assert!(due.is_some_and(|due| due <= now));
                }
                // What was due a tick ago is gone.
                prop_assert!(expected.values().all(|due| *due + SLOT_US > tick), "{:?} {}", expected, now);
            }
        }
    }
}
