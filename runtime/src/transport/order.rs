// SPDX-License-Identifier: AGPL-3.0-only
//! The order in which the datagrams of one wakeup leave.
//!
//! The kernel takes equal-length neighbours to one peer as one segmented send, which costs a fraction of as many single
//! ones. What a machine orders comes call by call: a 180 and a 200, a 180 and a 200… Here messages of a kind are put
//! side by side. Nothing is held back for it, and the messages of one call keep their order; between calls there is
//! none to keep.

use gossipper_vm::CallKey;
use slotmap::Key as _;

use crate::sys::Outgoing;

/// Fewer have no kinds to put together.
const LEAST: usize = 3;

/// More are a backlog behind a full socket, which has other worries. Half the slots of the table of calls.
const MOST: usize = SLOTS / 2;

/// Slots of the table of calls, a power of two.
const SLOTS: usize = 1024;

/// Groups looked at for a datagram, from the newest back: messages have few lengths.
const GROUPS_SEARCHED: usize = 32;

/// Datagrams of one kind, chained in order.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// One of them.
    like: Outgoing,
    first: u32,
    last: u32,
}

/// Where the last datagram of a call was put.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Which arrangement wrote the slot; older ones are empty slots.
    round: u32,
    group: u32,
    call: u64,
}

/// The memory of the arrangement, kept between wakeups.
#[derive(Debug)]
pub(super) struct Order {
    groups: Vec<Group>,
    /// The next datagram of the same group, per datagram; its own index at the end.
    next: Vec<u32>,
    /// Empty until there is something to arrange: most sockets of many have little to say.
    seen: Vec<Seen>,
    round: u32,
    items: Vec<Outgoing>,
    calls: Vec<Option<CallKey>>,
}

impl Order {
    pub(super) fn new() -> Self {
        Self {
            groups: Vec::new(),
            next: Vec::new(),
            seen: Vec::new(),
            round: 0,
            items: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Puts datagrams of equal length to one peer side by side; `calls` says whose each of `items` is.
    pub(super) fn arrange(&mut self, items: &mut Vec<Outgoing>, calls: &mut Vec<Option<CallKey>>) {
        if !(LEAST..=MOST).contains(&items.len()) || items.len() != calls.len() {
            return;
        }
        self.begin();
        for (index, (item, call)) in (0_u32..).zip(items.iter().zip(&*calls)) {
            // Datagrams of no call are in order among each other.
            let call = call.map_or(u64::MAX, |call| call.data().as_ffi());
            let slot = self.slot(call);
            let earliest = if self.seen[slot].round == self.round {
                self.seen[slot].group as usize
            } else {
                0
            };
            let group = self.place(index, *item, earliest);
            self.seen[slot] = Seen {
                round: self.round,
                group,
                call,
            };
        }
        if self.groups.len() == items.len() {
            return;
        }
        for group in &self.groups {
            let mut at = group.first;
            loop {
                self.items.push(items[at as usize]);
                self.calls.push(calls[at as usize]);
                if at == group.last {
                    break;
                }
                at = self.next[at as usize];
            }
        }
        std::mem::swap(items, &mut self.items);
        std::mem::swap(calls, &mut self.calls);
    }

    fn begin(&mut self) {
        self.groups.clear();
        self.next.clear();
        self.items.clear();
        self.calls.clear();
        self.seen.resize(SLOTS, Seen::default());
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            // Slots of four thousand million rounds ago would look like new ones.
            self.seen.fill(Seen::default());
            self.round = 1;
        }
    }

    /// The slot of a call: its own, or an empty one. The table is at most half full, so there is one.
    fn slot(&self, call: u64) -> usize {
        let mut slot = call as usize % SLOTS;
        while self.seen[slot].round == self.round && self.seen[slot].call != call {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }

    /// Adds a datagram to the first group of its kind that does not leave before group `earliest`.
    fn place(&mut self, index: u32, item: Outgoing, earliest: usize) -> u32 {
        self.next.push(index);
        let from = earliest.max(self.groups.len().saturating_sub(GROUPS_SEARCHED));
        let found = self.groups[from..]
            .iter()
            .position(|group| group.like.len == item.len && group.like.to == item.to);
        match found {
            Some(at) => {
                let group = &mut self.groups[from + at];
                self.next[group.last as usize] = index;
                group.last = index;
                (from + at) as u32
            }
            None => {
                self.groups.push(Group {
                    like: item,
                    first: index,
                    last: index,
                });
                (self.groups.len() - 1) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    fn outgoing(off: usize, len: usize, port: u16) -> Outgoing {
        Outgoing {
            off,
            len,
            to: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    fn key(call: u64) -> CallKey {
        slotmap::KeyData::from_ffi(1 << 32 | call).into()
    }

    fn arranged(
        order: &mut Order,
        messages: &[(Option<u64>, usize)],
    ) -> Vec<(Option<CallKey>, usize)> {
        let mut items: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(at, (_, len))| outgoing(at, *len, 5060))
            .collect();
        let mut calls: Vec<_> = messages.iter().map(|(call, _)| call.map(key)).collect();
        order.arrange(&mut items, &mut calls);
        calls
            .into_iter()
            .zip(items.iter().map(|item| item.off))
            .collect()
    }

    #[test]
    fn messages_of_a_kind_come_together_and_each_call_keeps_its_order() {
        let messages: Vec<_> = (0..4)
            .flat_map(|call| [(Some(call), 180), (Some(call), 200)])
            .collect();
        let order: Vec<usize> = arranged(&mut Order::new(), &messages)
            .into_iter()
            .map(|(_, at)| at)
            .collect();
        assert_eq!(order, [0, 2, 4, 6, 1, 3, 5, 7]);
        // The 200 of the second call must not overtake its 180, though a 200 leaves first.
        let messages = [
            (Some(1), 200),
            (Some(2), 180),
            (Some(2), 200),
            (Some(3), 200),
        ];
        let order: Vec<usize> = arranged(&mut Order::new(), &messages)
            .into_iter()
            .map(|(_, at)| at)
            .collect();
        assert_eq!(order, [0, 3, 1, 2]);
    }

    #[test]
    fn other_peers_are_other_groups() {
        let mut items = vec![
            outgoing(0, 9, 1),
            outgoing(1, 9, 2),
            outgoing(2, 9, 1),
            outgoing(3, 9, 2),
        ];
        let mut calls = vec![Some(key(1)), Some(key(2)), Some(key(3)), Some(key(4))];
        Order::new().arrange(&mut items, &mut calls);
        assert_eq!(
            items.iter().map(|item| item.off).collect::<Vec<_>>(),
            [0, 2, 1, 3]
        );
        assert_eq!(
            calls,
            [Some(key(1)), Some(key(3)), Some(key(2)), Some(key(4))]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_overtaken_within_a_call(
            rounds in prop::collection::vec(
                prop::collection::vec((prop::option::of(0_u64..6), 1_usize..5), 0..600),
                1..4,
            ),
        ) {
            let mut order = Order::new();
            for messages in rounds {
                let arranged = arranged(&mut order, &messages);
                let mut places: Vec<_> = arranged.iter().map(|(_, at)| *at).collect();
                for (call, at) in &arranged {
                    prop_assert_eq!(*call, messages[*at].0.map(key));
                }
                for call in (0..6).map(Some).chain([None]) {
                    let own: Vec<_> = arranged
                        .iter()
                        .filter(|(whose, _)| *whose == call.map(key))
                        .map(|(_, at)| *at)
                        .collect();
                    prop_assert!(own.is_sorted());
                }
                places.sort_unstable();
                prop_assert!(places.into_iter().eq(0..messages.len()));
            }
        }
    }
}
