// SPDX-License-Identifier: AGPL-3.0-only
//! The timing wheel: one deadline per call, hundreds of thousands of calls.
//!
//! A hierarchical wheel of six levels with 64 slots each and a tick of one millisecond (SIPp's `-timer_resol`), so that
//! it spans two years without an overflow list. Every call owns at most one node, found by the dense index in the low
//! half of its key; slots are doubly linked lists through the nodes. Arming again moves the node and disarming unlinks
//! it, both in constant time, so no stale entry ever stays behind and memory is bounded by the number of calls.
//!
//! Not for: reading clocks (time is an argument), knowing what a deadline means.
//!
//! Invariants: a deadline never fires before its time (it is rounded up to a tick); a key fires at most once per
//! `arm`; keys that share an index are the same call or a later one, and the later one takes the node over.

use crate::clock::Micros;

/// Length of a tick.
pub const TICK_US: u64 = 1_000;

const LEVELS: usize = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// The list of nodes whose time has come but which were not taken yet.
const DUE: u16 = (LEVELS * SLOTS) as u16;
const NIL: u32 = u32::MAX;
/// Marks, in place of a neighbour, the end of a list: the rest is which list.
const END: u32 = 1 << 31;
/// In place of the neighbour before, that a node is in no list.
const UNLINKED: u32 = NIL;
/// Nodes of a chunk, a power of two.
const CHUNK: usize = 512;
/// Ticks the wheel spans; farther deadlines wait at the end and are sorted in again when it is reached.
const SPAN: u64 = 1 << (SLOT_BITS as u64 * LEVELS as u64);

/// A deadline that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fired {
    /// The key it was armed with.
    pub key: u64,
    /// The generation it was armed with; the owner ignores stale ones.
    pub generation: u32,
    /// When it was due.
    pub at: Micros,
}

/// A deadline. Its list is told by its neighbours at both ends, where alone anybody wants to know it.
// PERF: 24 bytes, not 32: a server holds one for each call of its last seconds, in memory that is cleared first.
#[derive(Debug, Clone, Copy)]
struct Node {
    at: Micros,
    /// The high half of the key; the low one is where the node is.
    version: u32,
    generation: u32,
    prev: u32,
    next: u32,
}

const EMPTY: Node = Node {
    at: Micros(0),
    version: 0,
    generation: 0,
    prev: UNLINKED,
    next: NIL,
};

const _: () = assert!(size_of::<Node>() == 24);

/// The list that ends here.
const fn end_of(neighbour: u32) -> Option<u16> {
    if neighbour & END == 0 {
        return None;
    }
    Some((neighbour & !END) as u16)
}

/// A hierarchical timing wheel over call keys.
#[derive(Debug)]
pub struct Wheel {
    /// In chunks that never move: a table that doubled would be copied, and its pages cleared, again and again.
    nodes: Vec<Box<[Node; CHUNK]>>,
    heads: Box<[u32; LEVELS * SLOTS + 1]>,
    tails: Box<[u32; LEVELS * SLOTS + 1]>,
    /// One bit per slot that has nodes.
    occupied: [u64; LEVELS],
    /// Everything up to and including this tick has been moved to the due list.
    tick: u64,
    len: usize,
}

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

impl Wheel {
    /// An empty wheel at time zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            heads: Box::new([NIL; LEVELS * SLOTS + 1]),
            tails: Box::new([NIL; LEVELS * SLOTS + 1]),
            occupied: [0; LEVELS],
            tick: 0,
            len: 0,
        }
    }

    /// Number of deadlines armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The node of this index, if it has one.
    fn known(&self, index: u32) -> Option<&Node> {
        let chunk = self.nodes.get(index as usize / CHUNK)?;
        Some(&chunk[index as usize % CHUNK])
    }

    /// The node of an index that was armed.
    fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize / CHUNK][index as usize % CHUNK]
    }

    fn node_mut(&mut self, index: u32) -> &mut Node {
        &mut self.nodes[index as usize / CHUNK][index as usize % CHUNK]
    }

    /// Arms the deadline of `key`, in place of the one that its index had. The low 32 bits of a key are a dense index.
    pub fn arm(&mut self, key: u64, generation: u32, at: Micros) {
        let index = key as u32;
        if index >= END {
            return;
        }
        while index as usize / CHUNK >= self.nodes.len() {
            self.nodes.push(Box::new([EMPTY; CHUNK]));
        }
        self.unlink(index);
        let node = self.node_mut(index);
        node.version = (key >> 32) as u32;
        node.generation = generation;
        node.at = at;
        self.len += 1;
        self.insert(index);
    }

    /// Takes the deadline of `key` back; nothing happens when it has none or the index has passed to another key.
    pub fn disarm(&mut self, key: u64) {
        if self
            .known(key as u32)
            .is_some_and(|node| node.version == (key >> 32) as u32)
        {
            self.unlink(key as u32);
        }
    }

    /// When the owner must look again, at the latest: the next deadline, or the time at which far ones are sorted.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Micros> {
        if self.heads[DUE as usize] != NIL {
            return Some(Micros(self.tick.saturating_mul(TICK_US)));
        }
        self.next_slot()
            .map(|(_, _, tick)| Micros(tick.saturating_mul(TICK_US)))
    }

    /// Takes one deadline whose time has come, or says that there is none. To be called until `None`, as far as the
    /// owner's budget goes; what is left over is found again by the next call.
    pub fn pop_due(&mut self, now: Micros) -> Option<Fired> {
        let now_tick = now.0 / TICK_US;
        loop {
            let index = self.heads[DUE as usize];
            if index != NIL {
                self.unlink(index);
                let node = self.node(index);
                return Some(Fired {
                    key: u64::from(node.version) << 32 | u64::from(index),
                    generation: node.generation,
                    at: node.at,
                });
            }
            match self.next_slot() {
                Some((level, slot, tick)) if tick <= now_tick => {
                    self.tick = tick;
                    self.open(level, slot);
                }
                _ => {
                    self.tick = self.tick.max(now_tick);
                    return None;
                }
            }
        }
    }

    /// The keys that [`Self::pop_due`] gives next, as far as they are sorted already.
    pub fn due(&self) -> impl Iterator<Item = u64> + '_ {
        // The end of the list is the index of no node.
        let found = |index: u32| Some((index, self.known(index)?));
        let first = found(self.heads[DUE as usize]);
        let following = std::iter::successors(first, move |(_, node)| found(node.next));
        following.map(|(index, node)| u64::from(node.version) << 32 | u64::from(index))
    }

    /// Moves the nodes of a slot whose time has come to the due list, or to lower levels.
    fn open(&mut self, level: usize, slot: usize) {
        let list = (level * SLOTS + slot) as u16;
        while let Some(index) = Some(self.heads[list as usize]).filter(|index| *index != NIL) {
            self.detach(index);
            self.insert(index);
        }
    }

    /// The first slot in time that has nodes, with the tick at which it opens.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        // A slot of a lower level always opens before one of a higher level: nodes of level n share all digits above
        // n with the current tick.
        for (level, &bits) in self.occupied.iter().enumerate() {
            if bits == 0 {
                continue;
            }
            let shift = SLOT_BITS * level as u32;
            let current = (self.tick >> shift) as u32 % SLOTS as u32;
            let ahead = bits.rotate_right(current).trailing_zeros();
            let slot = (current + ahead) % SLOTS as u32;
            let round = self.tick >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
            let mut tick = round + (u64::from(slot) << shift);
            if slot < current {
                // Only on the top level, whose digits wrap.
                tick += 1 << (shift + SLOT_BITS);
            }
            return Some((level, slot as usize, tick));
        }
        None
    }

    fn insert(&mut self, index: u32) {
        let due = self.node(index).at.0.div_ceil(TICK_US);
        let list = if due <= self.tick {
            DUE
        } else {
            let due = due.min(self.tick + SPAN - 1);
            // The highest digit in which the two ticks differ says the level.
            let level =
                ((63 - (due ^ self.tick).leading_zeros()) / SLOT_BITS).min(LEVELS as u32 - 1);
            let slot = (due >> (SLOT_BITS * level)) as usize % SLOTS;
            self.occupied[level as usize] |= 1 << slot;
            (level as usize * SLOTS + slot) as u16
        };
        let tail = self.tails[list as usize];
        let end = END | u32::from(list);
        let node = self.node_mut(index);
        (node.prev, node.next) = (if tail == NIL { end } else { tail }, end);
        match tail {
            NIL => self.heads[list as usize] = index,
            _ => self.node_mut(tail).next = index,
        }
        self.tails[list as usize] = index;
    }

    fn unlink(&mut self, index: u32) {
        if self.node(index).prev != UNLINKED {
            self.detach(index);
            self.len -= 1;
        }
    }

    fn detach(&mut self, index: u32) {
        let &Node { prev, next, .. } = self.node(index);
        let or_nil = |neighbour: u32| if neighbour & END == 0 { neighbour } else { NIL };
        match end_of(prev) {
            Some(list) => self.heads[list as usize] = or_nil(next),
            None => self.node_mut(prev).next = next,
        }
        match end_of(next) {
            Some(list) => self.tails[list as usize] = or_nil(prev),
            None => self.node_mut(next).prev = prev,
        }
        // At both ends: it was the only one.
        if let (Some(list), Some(_)) = (end_of(prev), end_of(next))
            && list < DUE
        {
            self.occupied[list as usize / SLOTS] &= !(1 << (list as usize % SLOTS));
        }
        self.node_mut(index).prev = UNLINKED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn fire_all(wheel: &mut Wheel, now: u64) -> Vec<u64> {
        std::iter::from_fn(|| wheel.pop_due(Micros(now)))
            .map(|fired| fired.key)
            .collect()
    }

    #[test]
    fn a_deadline_fires_at_the_first_tick_not_before_it() {
        let mut wheel = Wheel::new();
        wheel.arm(1, 7, Micros(500_001));
        assert_eq!(
            wheel.next_wakeup(),
            Some(Micros(448_000)),
            "the slot that holds it is sorted first"
        );
        assert!(wheel.pop_due(Micros(500_500)).is_none());
        assert_eq!(wheel.next_wakeup(), Some(Micros(501_000)));
        assert_eq!(
            wheel.pop_due(Micros(501_000)),
            Some(Fired {
                key: 1,
                generation: 7,
                at: Micros(500_001)
            })
        );
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_wakeup(), None);
    }

    #[test]
    fn arming_again_moves_the_deadline_and_disarming_removes_it() {
        let mut wheel = Wheel::new();
        wheel.arm(3, 1, Micros(10_000));
        wheel.arm(3, 2, Micros(90_000_000));
        assert_eq!(wheel.len(), 1);
        assert!(fire_all(&mut wheel, 20_000).is_empty());
        wheel.disarm(3);
        assert_eq!(wheel.next_wakeup(), None);
        assert!(fire_all(&mut wheel, 100_000_000).is_empty());
    }

    #[test]
    fn a_stale_key_does_not_disarm_the_call_that_took_its_index() {
        let mut wheel = Wheel::new();
        let (old, new) = (1 << 32 | 5, 2 << 32 | 5);
        wheel.arm(old, 1, Micros(1_000));
        wheel.arm(new, 1, Micros(2_000));
        wheel.disarm(old);
        assert_eq!(fire_all(&mut wheel, 5_000), [new]);
    }

    #[test]
    fn deadlines_far_beyond_the_span_wait_and_do_not_spin() {
        let mut wheel = Wheel::new();
        wheel.arm(0, 0, Micros(u64::MAX));
        wheel.arm(1, 0, Micros(1));
        assert_eq!(fire_all(&mut wheel, 10 * SPAN * TICK_US), [1]);
        assert_eq!(wheel.len(), 1);
        assert_eq!(
            wheel.pop_due(Micros(u64::MAX)).map(|f| f.key),
            None,
            "rounded up, it lies one tick beyond the end"
        );
    }

    #[test]
    fn what_is_due_is_seen_before_it_is_taken() {
        let mut wheel = Wheel::new();
        for key in 0..5 {
            wheel.arm(key, 0, Micros(1_000 + key / 4 * 9_000));
        }
        assert_eq!(wheel.due().count(), 0, "nothing is sorted yet");
        assert_eq!(wheel.pop_due(Micros(2_000)).map(|fired| fired.key), Some(0));
        assert_eq!(wheel.due().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(fire_all(&mut wheel, 2_000), [1, 2, 3]);
        assert_eq!(wheel.due().count(), 0);
    }

    #[test]
    fn a_past_deadline_fires_at_once() {
        let mut wheel = Wheel::new();
        assert!(wheel.pop_due(Micros(50_000)).is_none());
        wheel.arm(9, 0, Micros(10));
        assert!(wheel.next_wakeup().is_some_and(|at| at.0 <= 50_000));
        assert_eq!(fire_all(&mut wheel, 50_000), [9]);
    }

    #[derive(Debug, Clone)]
    enum Operation {
        Arm { index: u32, in_us: u64 },
        Disarm { index: u32 },
        Advance { by_us: u64, budget: usize },
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let span = prop_oneof![
            0..5_000_u64,
            0..100_000_u64,
            0..400_000_000_u64,
            0..9_000_000_000_000_u64
        ];
        let operation = prop_oneof![
            4 => (0..40_u32, span.clone()).prop_map(|(index, in_us)| Operation::Arm { index, in_us }),
            1 => (0..40_u32).prop_map(|index| Operation::Disarm { index }),
            3 => (span, 0..60_usize).prop_map(|(by_us, budget)| Operation::Advance { by_us, budget }),
        ];
        proptest::collection::vec(operation, 1..200)
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_map(operations in operations()) {
            let mut wheel = Wheel::new();
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            let mut now = 0;
            for operation in operations {
                match operation {
                    Operation::Arm { index, in_us } => {
                        wheel.arm(u64::from(index), index, Micros(now + in_us));
                        model.insert(index, now + in_us);
                    }
                    Operation::Disarm { index } => {
                        wheel.disarm(u64::from(index));
                        model.remove(&index);
                    }
                    Operation::Advance { by_us, budget } => {
                        now += by_us;
                        let mut fired_all = false;
                        for _ in 0..budget {
                            let Some(fired) = wheel.pop_due(Micros(now)) else {
                                fired_all = true;
                                break;
                            };
                            prop_assert_eq!(model.remove(&(fired.key as u32)), Some(fired.at.0));
                            prop_assert!(fired.at.0.div_ceil(TICK_US) <= now / TICK_US);
                        }
                        if fired_all {
                            for at in model.values() {
                                prop_assert!(at.div_ceil(TICK_US) > now / TICK_US, "{} not fired at {}", at, now);
                            }
                        }
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
                match model.values().min() {
                    None => prop_assert_eq!(wheel.next_wakeup(), None),
                    Some(first) => {
                        let wakeup = wheel.next_wakeup().expect("something is armed").0;
                        // Never later than the first deadline's tick, nor than now when that has passed.
                        prop_assert!(wakeup <= first.div_ceil(TICK_US).max(now / TICK_US) * TICK_US);
                    }
                }
            }
        }
    }
}
