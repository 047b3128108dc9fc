// SPDX-License-Identifier: AGPL-3.0-only
//! What the leading shard hands to another one: a bounded queue with one end on each of two threads.
//!
//! The bytes of a message are copied into the ring's words and out of them again. The words are atomics, so that the ring
//! needs neither a lock nor unsafe code; a message of 500 bytes takes some 70 words each way, a small part of what
//! reading it with the machine takes. How far each side has come, which is what the processors have to tell each other, is
//! said for several entries at once ([`TOGETHER`]); [`Producer::wake`] shows everything that was pushed and wakes the
//! other side.
//!
//! Invariants: entries come out whole and in order; what does not fit is refused, never overwritten; an order that ends
//! the run always finds room ([`RESERVE`]).

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gossipper_vm::Micros;
use tokio::sync::Notify;

/// Words before the bytes of a message.
const HEAD: u64 = 5;

/// Words of a call. They are few, since a line of the cache that changes hands costs more than what is in it.
const CALL: u64 = 2;

/// Words of an order.
const ORDER: u64 = 1;

/// Words that only orders may take: [`Entry::Drain`] and [`Entry::Abort`], once each.
const RESERVE: u64 = 2 * ORDER;

/// Entries after which a side says how far it has come.
const TOGETHER: u64 = 16;

const MESSAGE: u64 = 0;
const OPEN: u64 = 1;
const DRAIN: u64 = 2;
const ABORT: u64 = 3;

/// Bits of an entry's first word that say what it is; its length, or the number of the call, is above.
const KIND_BITS: u32 = 8;

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    /// A datagram.
    Message {
        /// When it arrived.
        at: Micros,
        /// From whom.
        src: SocketAddr,
        /// The payload.
        bytes: &'a [u8],
    },
    /// A call that is due.
    Open {
        /// Its number.
        number: u64,
        /// When it was due.
        due: Micros,
    },
    /// Open no more calls.
    Drain,
    /// Hang up all calls.
    Abort,
}

/// How far a side has come, with a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Position {
    words: AtomicU64,
    /// Only of the side that reads.
    entries: AtomicU64,
}

#[derive(Debug)]
struct Ring {
    words: Box<[AtomicU64]>,
    /// Words written since the beginning.
    head: Position,
    /// Words read since the beginning.
    tail: Position,
    wake: Notify,
}

impl Ring {
    fn word(&self, at: u64) -> &AtomicU64 {
        // The length is a power of two.
        &self.words[(at as usize) & (self.words.len() - 1)]
    }
}

/// A ring of at least so many bytes.
pub(crate) fn ring(bytes: usize) -> (Producer, Consumer) {
    let words = (bytes / 8).max(64).next_power_of_two();
    let ring = Arc::new(Ring {
        words: (0..words).map(|_| AtomicU64::new(0)).collect(),
        head: Position::default(),
        tail: Position::default(),
        wake: Notify::new(),
    });
    let producer = Producer {
        ring: Arc::clone(&ring),
        head: 0,
        tail: 0,
        pushed: 0,
        taken: 0,
        shown: 0,
        unsaid: false,
    };
    let consumer = Consumer {
        ring,
        head: 0,
        tail: 0,
        taken: 0,
        said: 0,
    };
    (producer, consumer)
}

/// The end of the leading shard.
#[derive(Debug)]
pub(crate) struct Producer {
    ring: Arc<Ring>,
    head: u64,
    /// How far the other side is known to be.
    tail: u64,
    /// Entries that were pushed.
    pushed: u64,
    /// Those the other side is known to have taken.
    taken: u64,
    /// Those it can see.
    shown: u64,
    /// Something was pushed that the other side has not been woken for.
    unsaid: bool,
}

impl Producer {
    /// Puts an entry in; false when it does not fit.
    pub(crate) fn push(&mut self, entry: Entry<'_>) -> bool {
        let (words, reserve) = match entry {
            Entry::Message { bytes, .. } => (HEAD + (bytes.len() as u64).div_ceil(8), RESERVE),
            Entry::Open { .. } => (CALL, RESERVE),
            Entry::Drain | Entry::Abort => (ORDER, 0),
        };
        if !self.has_room(words + reserve) {
            return false;
        }
        match entry {
            Entry::Message { at, src, bytes } => self.write_message(at, src, bytes),
            Entry::Open { number, due } => self.write([OPEN | number << KIND_BITS, due.0]),
            Entry::Drain => self.write([DRAIN]),
            Entry::Abort => self.write([ABORT]),
        }
        self.pushed += 1;
        self.unsaid = true;
        if self.pushed - self.shown >= TOGETHER {
            self.show();
        }
        true
    }

    fn write<const WORDS: usize>(&mut self, words: [u64; WORDS]) {
        for word in words {
            self.ring.word(self.head).store(word, Ordering::Relaxed);
            self.head += 1;
        }
    }

    fn write_message(&mut self, at: Micros, src: SocketAddr, bytes: &[u8]) {
        let [a, b, c] = packed(src);
        self.write([MESSAGE | (bytes.len() as u64) << KIND_BITS, at.0, a, b, c]);
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.write([u64::from_le_bytes(*chunk)]);
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write([u64::from_le_bytes(last)]);
        }
    }

    /// Lets the other side see what was pushed.
    fn show(&mut self) {
        self.shown = self.pushed;
        self.ring.head.words.store(self.head, Ordering::Release);
    }

    /// How many entries wait to be taken, or more: exactly, if that is at least `many`.
    pub(crate) fn waiting(&mut self, many: u64) -> u64 {
        if self.pushed - self.taken >= many {
            self.taken = self.ring.tail.entries.load(Ordering::Relaxed);
        }
        self.pushed - self.taken
    }

    /// Whether another call fits.
    pub(crate) fn has_room_for_open(&mut self) -> bool {
        self.has_room(CALL + RESERVE)
    }

    fn has_room(&mut self, words: u64) -> bool {
        let all = self.ring.words.len() as u64;
        if self.head - self.tail + words > all {
            self.tail = self.ring.tail.words.load(Ordering::Acquire);
        }
        self.head - self.tail + words <= all
    }

    /// Wakes the other side if anything was pushed since it last was.
    pub(crate) fn wake(&mut self) {
        if std::mem::take(&mut self.unsaid) {
            self.show();
            self.ring.wake.notify_one();
        }
    }
}

/// The end of a shard that is led.
#[derive(Debug)]
pub(crate) struct Consumer {
    ring: Arc<Ring>,
    /// How far the other side is known to be.
    head: u64,
    tail: u64,
    /// Entries that were taken, and those of them that the other side was told of.
    taken: u64,
    said: u64,
}

impl Consumer {
    /// Takes the next entry; the bytes of a message are put into `bytes`, which grows as it has to.
    pub(crate) fn pop<'a>(&mut self, bytes: &'a mut Vec<u8>) -> Option<Entry<'a>> {
        if self.head == self.tail {
            self.head = self.ring.head.words.load(Ordering::Acquire);
            if self.head == self.tail {
                self.give_back();
                return None;
            }
        }
        let at = self.tail;
        let word = |n: u64| self.ring.word(at + n).load(Ordering::Relaxed);
        let above = word(0) >> KIND_BITS;
        let (entry, words) = match word(0) & ((1 << KIND_BITS) - 1) {
            OPEN => {
                let (number, due) = (above, Micros(word(1)));
                (Entry::Open { number, due }, CALL)
            }
            DRAIN => (Entry::Drain, ORDER),
            ABORT => (Entry::Abort, ORDER),
            _ => {
                let words = above.div_ceil(8);
                let room = (words * 8) as usize;
                if bytes.len() < room {
                    bytes.resize(room, 0);
                }
                for (chunk, n) in bytes[..room].as_chunks_mut::<8>().0.iter_mut().zip(HEAD..) {
                    *chunk = word(n).to_le_bytes();
                }
                let message = Entry::Message {
                    at: Micros(word(1)),
                    src: unpacked([word(2), word(3), word(4)]),
                    bytes: &bytes[..above as usize],
                };
                (message, HEAD + words)
            }
        };
        self.tail += words;
        self.taken += 1;
        if self.taken - self.said >= TOGETHER {
            self.give_back();
        }
        Some(entry)
    }

    /// Lets the other side have the room of what was taken.
    fn give_back(&mut self) {
        if self.taken == self.said {
            return;
        }
        self.said = self.taken;
        let tail = &self.ring.tail;
        tail.entries.store(self.taken, Ordering::Relaxed);
        tail.words.store(self.tail, Ordering::Release);
    }

    /// Whether nothing is there now.
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.head.words.load(Ordering::Acquire) == self.tail
    }

    /// Waits until something was pushed since the last time.
    pub(crate) async fn pushed(&self) {
        self.ring.wake.notified().await;
    }
}

/// An address in three words: both halves of the IP, then port, family and scope.
fn packed(address: SocketAddr) -> [u64; 3] {
    let port = u64::from(address.port());
    match address {
        SocketAddr::V4(v4) => [0, u64::from(v4.ip().to_bits()), port],
        SocketAddr::V6(v6) => {
            let bits = v6.ip().to_bits();
            let scope = u64::from(v6.scope_id()) << 32;
            // Halves of 128 bits.
            [(bits >> 64) as u64, bits as u64, port | 1 << 16 | scope]
        }
    }
}

fn unpacked([high, low, rest]: [u64; 3]) -> SocketAddr {
    let port = (rest & 0xffff) as u16;
    if rest >> 16 & 1 == 0 {
        // As it was packed: 32 bits.
        return SocketAddr::new(IpAddr::V4((low as u32).into()), port);
    }
    let ip = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
    SocketAddrV6::new(ip, port, 0, (rest >> 32) as u32).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(at: u64, bytes: &[u8]) -> Entry<'_> {
        Entry::Message {
            at: Micros(at),
            src: "127.0.0.1:5060".parse().expect("an address"),
            bytes,
        }
    }

    #[test]
    fn addresses_of_both_families_come_out_as_they_went_in() {
        for text in ["192.0.2.7:65535", "[2001:db8::1:2]:5060", "[fe80::1%7]:9"] {
            let address: SocketAddr = text.parse().expect("an address");
            assert_eq!(unpacked(packed(address)), address);
        }
    }

    #[test]
    fn a_full_ring_refuses_messages_and_calls_but_not_the_orders_that_end_a_run() {
        let (mut producer, mut consumer) = ring(0);
        let mut taken = 0;
        while producer.push(message(taken, b"twelve bytes")) {
            taken += 1;
        }
        let call = Entry::Open {
            number: 1,
            due: Micros(0),
        };
        let calls = std::iter::repeat_with(|| producer.push(call));
        let calls = calls.take_while(|pushed| *pushed).count() as u64;
        assert!(taken > 0 && !producer.has_room_for_open());
        assert!(producer.push(Entry::Drain) && producer.push(Entry::Abort));
        producer.wake();
        assert_eq!(producer.waiting(0), taken + calls + 2);
        let mut bytes = Vec::new();
        for at in 0..taken {
            assert_eq!(consumer.pop(&mut bytes), Some(message(at, b"twelve bytes")));
        }
        for _ in 0..calls {
            assert_eq!(consumer.pop(&mut bytes), Some(call));
        }
        assert_eq!(consumer.pop(&mut bytes), Some(Entry::Drain));
        assert_eq!(consumer.pop(&mut bytes), Some(Entry::Abort));
        assert_eq!(consumer.pop(&mut bytes), None);
        assert!(consumer.is_empty() && producer.has_room_for_open());
        let all = taken + calls + 2;
        assert_eq!(producer.waiting(all + 1), all, "it did not look");
        assert_eq!(producer.waiting(1), 0);
    }

    #[test]
    fn a_few_entries_are_seen_when_the_other_side_is_woken_and_many_before_that() {
        let (mut producer, mut consumer) = ring(4096);
        let mut bytes = Vec::new();
        let call = Entry::Open {
            number: u64::MAX >> KIND_BITS,
            due: Micros(7),
        };
        assert!(producer.push(call));
        assert_eq!(consumer.pop(&mut bytes), None);
        producer.wake();
        assert_eq!(consumer.pop(&mut bytes), Some(call));
        assert_eq!(consumer.pop(&mut bytes), None);
        assert!((0..=TOGETHER).all(|_| producer.push(call)));
        let seen = std::iter::from_fn(|| consumer.pop(&mut bytes).map(|_| ())).count();
        assert_eq!(seen as u64, TOGETHER);
    }

    #[test]
    fn two_threads_see_every_message_once_and_whole() {
        const MESSAGES: u64 = 20_000;
        let (mut producer, mut consumer) = ring(4096);
        let writer = std::thread::spawn(move || {
            let mut refused = 0_u64;
            for n in 0..MESSAGES {
                let bytes = vec![n as u8; (n % 97) as usize];
                while !producer.push(message(n, &bytes)) {
                    refused += 1;
                    producer.wake();
                    std::thread::yield_now();
                }
            }
            producer.wake();
            refused
        });
        let mut bytes = Vec::new();
        let mut next = 0;
        while next < MESSAGES {
            match consumer.pop(&mut bytes) {
                Some(Entry::Message { at, bytes, .. }) => {
                    assert_eq!(at.0, next);
                    assert_eq!(bytes, vec![next as u8; (next % 97) as usize]);
                    next += 1;
                }
                Some(other) => panic!("{other:?}"),
                None => std::thread::yield_now(),
            }
        }
        writer.join().expect("no panic");
        assert!(consumer.is_empty());
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_in_order(
            sizes in proptest::collection::vec((0..300_usize, any::<bool>()), 1..200),
        ) {
            let (mut producer, mut consumer) = ring(2048);
            let (mut inside, mut bytes) = (std::collections::VecDeque::new(), Vec::new());
            for (n, (size, pop)) in sizes.into_iter().enumerate() {
                let sent = vec![n as u8; size];
                if producer.push(message(n as u64, &sent)) {
                    inside.push_back((n as u64, sent));
                }
                if pop {
                    producer.wake();
                    let expected = inside.pop_front();
                    let got = consumer.pop(&mut bytes);
                    prop_assert_eq!(got, expected.as_ref().map(|(at, sent)| message(*at, sent)));
                }
            }
        }
    }
}
