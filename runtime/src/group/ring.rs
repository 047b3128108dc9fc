// SPDX-License-Identifier: AGPL-3.0-only
//! What the leading shard hands to another one: a bounded queue with one end on each of two threads.
//!
//! The bytes of a message are copied into the ring's words and out of them again. The words are atomics, so that the ring
//! needs neither a lock nor unsafe code; a message of 500 bytes takes some 70 words each way, a small part of what
//! reading it with the machine takes. What is pushed is seen at once; [`Producer::wake`] wakes the other side, once for
//! all that was pushed.
//!
//! Invariants: entries come out whole and in order; what does not fit is refused, never overwritten; an order that ends
//! the run always finds room ([`RESERVE`]).

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gossipper_vm::Micros;
use tokio::sync::Notify;

/// Words before the bytes of an entry.
const HEAD: u64 = 6;

/// Words that only orders may take: [`Entry::Drain`] and [`Entry::Abort`], once each.
const RESERVE: u64 = 2 * HEAD;

const MESSAGE: u64 = 0;
const OPEN: u64 = 1;
const DRAIN: u64 = 2;
const ABORT: u64 = 3;

/// Bits of an entry's first word that say what it is; its length is above.
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

/// A counter with a cache line of its own: the two sides write different ones all the time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Position(AtomicU64);

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
        unsaid: false,
    };
    (producer, Consumer { ring, tail: 0 })
}

/// The end of the leading shard.
#[derive(Debug)]
pub(crate) struct Producer {
    ring: Arc<Ring>,
    head: u64,
    /// How far the other side is known to be.
    tail: u64,
    /// Something was pushed that the other side has not been woken for.
    unsaid: bool,
}

impl Producer {
    /// Puts an entry in; false when it does not fit.
    pub(crate) fn push(&mut self, entry: Entry<'_>) -> bool {
        let (head, bytes): ([u64; HEAD as usize], &[u8]) = match entry {
            Entry::Message { at, src, bytes } => {
                let [a, b, c] = packed(src);
                let first = MESSAGE | (bytes.len() as u64) << KIND_BITS;
                ([first, at.0, a, b, c, 0], bytes)
            }
            Entry::Open { number, due } => ([OPEN, number, due.0, 0, 0, 0], &[]),
            Entry::Drain => ([DRAIN, 0, 0, 0, 0, 0], &[]),
            Entry::Abort => ([ABORT, 0, 0, 0, 0, 0], &[]),
        };
        let words = HEAD + (bytes.len() as u64).div_ceil(8);
        let reserve = match entry {
            Entry::Message { .. } | Entry::Open { .. } => RESERVE,
            Entry::Drain | Entry::Abort => 0,
        };
        if !self.has_room(words + reserve) {
            return false;
        }
        let mut at = self.head;
        for word in head {
            self.ring.word(at).store(word, Ordering::Relaxed);
            at += 1;
        }
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            let word = u64::from_le_bytes(*chunk);
            self.ring.word(at).store(word, Ordering::Relaxed);
            at += 1;
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            let word = u64::from_le_bytes(last);
            self.ring.word(at).store(word, Ordering::Relaxed);
        }
        self.head += words;
        self.ring.head.0.store(self.head, Ordering::Release);
        self.unsaid = true;
        true
    }

    /// Whether another call fits.
    pub(crate) fn has_room_for_open(&mut self) -> bool {
        self.has_room(HEAD + RESERVE)
    }

    fn has_room(&mut self, words: u64) -> bool {
        let all = self.ring.words.len() as u64;
        if self.head - self.tail + words > all {
            self.tail = self.ring.tail.0.load(Ordering::Acquire);
        }
        self.head - self.tail + words <= all
    }

    /// Wakes the other side if anything was pushed since it last was.
    pub(crate) fn wake(&mut self) {
        if std::mem::take(&mut self.unsaid) {
            self.ring.wake.notify_one();
        }
    }
}

/// The end of a shard that is led.
#[derive(Debug)]
pub(crate) struct Consumer {
    ring: Arc<Ring>,
    tail: u64,
}

impl Consumer {
    /// Takes the next entry; the bytes of a message are put into `bytes`.
    pub(crate) fn pop<'a>(&mut self, bytes: &'a mut Vec<u8>) -> Option<Entry<'a>> {
        if self.ring.head.0.load(Ordering::Acquire) == self.tail {
            return None;
        }
        let at = self.tail;
        let word = |n: u64| self.ring.word(at + n).load(Ordering::Relaxed);
        let len = word(0) >> KIND_BITS;
        let words = HEAD + len.div_ceil(8);
        bytes.resize(((words - HEAD) * 8) as usize, 0);
        for (chunk, n) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(HEAD..) {
            *chunk = word(n).to_le_bytes();
        }
        bytes.truncate(len as usize);
        let entry = match word(0) & ((1 << KIND_BITS) - 1) {
            OPEN => Entry::Open {
                number: word(1),
                due: Micros(word(2)),
            },
            DRAIN => Entry::Drain,
            ABORT => Entry::Abort,
            _ => Entry::Message {
                at: Micros(word(1)),
                src: unpacked([word(2), word(3), word(4)]),
                bytes,
            },
        };
        self.tail += words;
        self.ring.tail.0.store(self.tail, Ordering::Release);
        Some(entry)
    }

    /// Whether nothing is there now.
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.head.0.load(Ordering::Acquire) == self.tail
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
        assert!(taken > 0 && !producer.has_room_for_open());
        assert!(!producer.push(Entry::Open {
            number: 1,
            due: Micros(0)
        }));
        assert!(producer.push(Entry::Drain) && producer.push(Entry::Abort));
        let mut bytes = Vec::new();
        for at in 0..taken {
            assert_eq!(consumer.pop(&mut bytes), Some(message(at, b"twelve bytes")));
        }
        assert_eq!(consumer.pop(&mut bytes), Some(Entry::Drain));
        assert_eq!(consumer.pop(&mut bytes), Some(Entry::Abort));
        assert_eq!(consumer.pop(&mut bytes), None);
        assert!(consumer.is_empty() && producer.has_room_for_open());
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
                    std::thread::yield_now();
                }
            }
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
                    let expected = inside.pop_front();
                    let got = consumer.pop(&mut bytes);
                    prop_assert_eq!(got, expected.as_ref().map(|(at, sent)| message(*at, sent)));
                }
            }
        }
    }
}
