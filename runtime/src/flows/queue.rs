// SPDX-License-Identifier: AGPL-3.0-only
//! What waits to be written to one connection or socket.
//!
//! Invariants: messages leave whole and in order; a message stays here until all of it is written, so that it can be
//! written again to a connection made anew; the bytes are bounded.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use gossipper_vm::{CallKey, Micros};

/// Bytes that may wait for one connection.
pub(crate) const MAX_QUEUED_BYTES: usize = 16 << 20;

/// Bytes already written that are kept in front of the others before they are moved away.
const COMPACT_AT: usize = 256 << 10;

/// Capacity kept by an empty queue: there may be thousands.
const IDLE_CAPACITY: usize = 4096;

/// Capacity kept by that of a connection which many calls share: one that takes so many messages at a time needs it again
/// at once.
const BUSY_CAPACITY: usize = 256 << 10;

/// Messages that wait at a time on such a connection.
const BUSY_MESSAGES: u32 = 4;

/// How often a queue becomes empty without having held so many before it gives the memory back.
const LULL: u16 = 2_000;

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The shard of the call.
    pub(crate) shard: usize,
    /// The call, on that shard.
    pub(crate) key: CallKey,
}

/// A message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Queued {
    len: usize,
    call: Option<Caller>,
    to: SocketAddr,
    /// When it has waited for too long, if it ever has.
    until: Option<Micros>,
}

/// Messages on their way out.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    bytes: Vec<u8>,
    /// Where the first message begins.
    start: usize,
    /// Bytes of the first message that are written.
    written: usize,
    messages: VecDeque<Queued>,
    /// Messages that were added since it was empty.
    added: u32,
    /// How often it may become empty before its memory is given back.
    busy: u16,
    /// Messages that the kernel refused for good, by call.
    refused: Vec<(Option<Caller>, io::Error)>,
}

impl SendQueue {
    /// Adds a message; false when there is no room.
    #[must_use]
    pub(crate) fn push(
        &mut self,
        call: Option<Caller>,
        to: SocketAddr,
        bytes: &[u8],
        until: Option<Micros>,
    ) -> bool {
        if self.waiting_bytes() + bytes.len() > MAX_QUEUED_BYTES {
            return false;
        }
        self.bytes.extend_from_slice(bytes);
        self.added = self.added.saturating_add(1);
        self.messages.push_back(Queued {
            len: bytes.len(),
            call,
            to,
            until,
        });
        true
    }

    /// Whether nothing waits.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Everything that is not written, one message behind the other.
    #[must_use]
    pub(crate) fn unwritten(&self) -> &[u8] {
        &self.bytes[self.start + self.written..]
    }

    /// The first message, whole, and where it goes.
    #[must_use]
    pub(crate) fn first(&self) -> Option<(&[u8], SocketAddr)> {
        let first = self.messages.front()?;
        Some((&self.bytes[self.start..self.start + first.len], first.to))
    }

    /// The messages, whole, from the first on.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[self.start..];
        self.messages.iter().map_while(move |message| {
            let (first, others) = rest.split_at_checked(message.len)?;
            rest = others;
            Some(first)
        })
    }

    /// So many of the unwritten bytes are written; returns how many messages were completed.
    pub(crate) fn wrote(&mut self, count: usize) -> u64 {
        let mut count = count;
        let mut done = 0;
        while let Some(first) = self.messages.front() {
            let rest = first.len - self.written;
            if count < rest {
                self.written += count;
                break;
            }
            count -= rest;
            done += 1;
            self.pop_first();
        }
        done
    }

    /// The first message is dealt with.
    pub(crate) fn pop_first(&mut self) {
        if let Some(first) = self.messages.pop_front() {
            self.start += first.len;
            self.written = 0;
        }
        if self.messages.is_empty() {
            let added = std::mem::take(&mut self.added);
            self.busy = match added >= BUSY_MESSAGES && self.bytes.len() > IDLE_CAPACITY {
                true => LULL,
                false => self.busy.saturating_sub(1),
            };
            self.bytes.clear();
            self.start = 0;
            if self.busy == 0 || self.bytes.capacity() > BUSY_CAPACITY {
                self.bytes.shrink_to(IDLE_CAPACITY);
            }
        } else if self.start > COMPACT_AT && self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// The first message was refused for good.
    pub(crate) fn refuse_first(&mut self, error: io::Error) {
        let call = self.messages.front().and_then(|first| first.call);
        self.refused.push((call, error));
        self.pop_first();
    }

    /// The messages that were refused, and forgets them.
    pub(crate) fn take_refused(&mut self) -> Vec<(Option<Caller>, io::Error)> {
        std::mem::take(&mut self.refused)
    }

    /// What is written so far was written to a connection that is no more.
    pub(super) fn begin_again(&mut self) {
        self.written = 0;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When the first message has waited for too long.
    pub(super) fn overdue_at(&self) -> Option<Micros> {
        self.messages
            .iter()
            .filter_map(|message| message.until)
            .min()
    }

    /// Takes the calls of the messages that have waited for too long; they are asked for once.
    pub(super) fn take_overdue(&mut self, now: Micros) -> Vec<Caller> {
        let messages = self.messages.iter_mut();
        let overdue = messages.filter(|message| message.until.is_some_and(|until| until <= now));
        overdue
            .filter_map(|message| {
                message.until = None;
                message.call.take()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(messages: &[&[u8]]) -> SendQueue {
        let mut queue = SendQueue::default();
        for (at, message) in messages.iter().enumerate() {
            let to = "192.0.2.1:5060".parse().expect("an address");
            let until = Some(Micros(at as u64));
            assert!(queue.push(None, to, message, until));
        }
        queue
    }

    #[test]
    fn messages_leave_in_order_however_they_are_split() {
        let mut queue = queue(&[b"abc", b"de", b"f"]);
        assert_eq!(queue.unwritten(), b"abcdef");
        assert_eq!(queue.wrote(2), 0);
        assert_eq!(queue.unwritten(), b"cdef");
        assert_eq!(queue.wrote(3), 2);
        assert_eq!(queue.unwritten(), b"f");
        assert_eq!(queue.wrote(1), 1);
        assert!(queue.is_empty() && queue.unwritten().is_empty());
    }

    #[test]
    fn a_message_that_was_cut_is_written_again_from_its_beginning() {
        let mut queue = queue(&[b"abc", b"de"]);
        queue.wrote(4);
        queue.begin_again();
        assert_eq!(queue.unwritten(), b"de");
    }

    #[test]
    fn what_waits_is_bounded() {
        let big = vec![b'x'; MAX_QUEUED_BYTES];
        let mut queue = queue(&[&big]);
        let to = "192.0.2.1:5060".parse().expect("an address");
        assert!(!queue.push(None, to, b"y", None));
        queue.wrote(big.len());
        assert!(queue.push(None, to, b"y", None));
        assert_eq!(queue.unwritten(), b"y");
    }

    #[test]
    fn memory_is_kept_where_many_messages_wait_again_and_again_and_nowhere_else() {
        let to = "192.0.2.1:5060".parse().expect("an address");
        let mut queue = SendQueue::default();
        let mut empty_after = |messages: u32, bytes: usize| {
            for _ in 0..messages {
                assert!(queue.push(None, to, &vec![b'x'; bytes], None));
            }
            queue.wrote(bytes * messages as usize);
            assert!(queue.is_empty());
            queue.bytes.capacity()
        };
        assert!(empty_after(1, 20_000) <= IDLE_CAPACITY, "a single one");
        for _ in 0..20 {
            assert!(empty_after(20, 500) >= 10_000);
            assert!(empty_after(1, 500) >= 10_000);
        }
        let lull: Vec<usize> = (0..=LULL).map(|_| empty_after(1, 500)).collect();
        assert!(
            lull[0] >= 10_000 && lull[lull.len() - 1] <= IDLE_CAPACITY,
            "{lull:?}"
        );
        assert!(empty_after(1_000, 500) <= IDLE_CAPACITY, "a backlog");
    }

    #[test]
    fn written_bytes_are_moved_away_while_others_wait() {
        let big = vec![b'x'; COMPACT_AT];
        let mut queue = queue(&[&big, b"abc", b"def"]);
        queue.wrote(big.len() + 4);
        assert!(queue.bytes.len() < big.len());
        assert_eq!(queue.unwritten(), b"ef");
    }

    #[test]
    fn a_call_is_overdue_once() {
        let mut queue = SendQueue::default();
        let to = "192.0.2.1:5060".parse().expect("an address");
        let caller = Caller {
            shard: 0,
            key: CallKey::default(),
        };
        // One in the middle is more patient than those behind it.
        for until in [Some(5), None, Some(9), Some(6)] {
            let until = until.map(Micros);
            assert!(queue.push(Some(caller), to, b"x", until));
        }
        assert_eq!(queue.overdue_at(), Some(Micros(5)));
        assert_eq!(queue.take_overdue(Micros(6)).len(), 2);
        assert_eq!(queue.take_overdue(Micros(6)).len(), 0);
        assert_eq!(queue.overdue_at(), Some(Micros(9)));
        assert_eq!(queue.take_overdue(Micros(9)).len(), 1);
        assert_eq!(queue.overdue_at(), None);
    }
}
