// SPDX-License-Identifier: AGPL-3.0-only
//! What shards hand to the exporter: messages in one bounded queue.
//!
//! A shard collects messages and hands them over once per turn, so the lock is taken once per turn; the exporter holds it
//! only to swap buffers. What does not fit is dropped and counted.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gossipper_control::HepCounts;
use gossipper_hep::PayloadType;

use super::collector::Tally;

/// Most bytes of messages that wait for the collector.
pub(super) const MAX_QUEUE_BYTES: usize = 16 << 20;

/// Most messages that wait for the collector.
pub(super) const MAX_QUEUE_RECORDS: usize = 1 << 16;

/// How long the exporter lets messages gather: it is woken, and the shards are disturbed, at most so often.
const GATHER: Duration = Duration::from_millis(5);

/// What the bytes of a record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A SIP message.
    Sip,
    /// The Call-ID, so many bytes of it, and what was reported about media.
    Media(PayloadType, usize),
}

/// A message that was mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) what: What,
    pub(super) wall_us: u64,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    /// Where its bytes begin, and how many there are.
    at: usize,
    len: usize,
}

/// Messages and their bytes, one after the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    records: Vec<Record>,
    bytes: Vec<u8>,
}

impl Batch {
    pub(super) fn push(
        &mut self,
        wall_us: u64,
        source: SocketAddr,
        destination: SocketAddr,
        message: &[u8],
    ) {
        self.push_parts(What::Sip, wall_us, [source, destination], &[message]);
    }

    /// What was reported of a call's media.
    pub(super) fn push_media(
        &mut self,
        payload_type: PayloadType,
        wall_us: u64,
        way: [SocketAddr; 2],
        call_id: &[u8],
        payload: &[u8],
    ) {
        let what = What::Media(payload_type, call_id.len());
        self.push_parts(what, wall_us, way, &[call_id, payload]);
    }

    fn push_parts(
        &mut self,
        what: What,
        wall_us: u64,
        [source, destination]: [SocketAddr; 2],
        parts: &[&[u8]],
    ) {
        self.records.push(Record {
            what,
            wall_us,
            source,
            destination,
            at: self.bytes.len(),
            len: parts.iter().map(|part| part.len()).sum(),
        });
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn get(&self, index: usize) -> (&Record, &[u8]) {
        let record = &self.records[index];
        (record, &self.bytes[record.at..record.at + record.len])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.bytes.clear();
    }

    /// Puts what several shards have handed over into the order of time.
    pub(super) fn sort(&mut self) {
        if !self.records.is_sorted_by_key(|record| record.wall_us) {
            self.records.sort_by_key(|record| record.wall_us);
        }
    }

    /// Names our end of messages that were sent before their connection had one.
    pub(super) fn set_source(&mut self, source: SocketAddr) {
        for record in &mut self.records {
            record.source = source;
        }
    }

    /// Takes as much as fits of another, which is empty afterwards; returns how many did not fit.
    pub(super) fn append(&mut self, other: &mut Self) -> u64 {
        let fits = self.records.len() + other.records.len() <= MAX_QUEUE_RECORDS
            && self.bytes.len() + other.bytes.len() <= MAX_QUEUE_BYTES;
        let mut lost = 0;
        if fits {
            let at = self.bytes.len();
            self.bytes.append(&mut other.bytes);
            let moved = other.records.drain(..).map(|record| Record {
                at: record.at + at,
                ..record
            });
            self.records.extend(moved);
        } else {
            for index in 0..other.records.len() {
                let (record, message) = other.get(index);
                if self.records.len() < MAX_QUEUE_RECORDS
                    && self.bytes.len() + message.len() <= MAX_QUEUE_BYTES
                {
                    let way = [record.source, record.destination];
                    self.push_parts(record.what, record.wall_us, way, &[message]);
                } else {
                    lost += 1;
                }
            }
        }
        other.clear();
        lost
    }
}

#[derive(Debug, Default)]
struct Queue {
    batch: Batch,
    /// Messages that did not fit.
    lost: u64,
    closing: bool,
    /// The exporter waits for a first message.
    idle: bool,
    /// What the exporter says.
    counts: HepCounts,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch over and leaves it empty.
    pub(super) fn hand_over(&self, batch: &mut Batch) {
        let mut queue = self.lock();
        let lost = queue.batch.append(batch);
        queue.lost += lost;
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Waits until there is something to send, lets more gather, and takes all of it; true when nothing more comes.
    pub(super) fn take(&self, batch: &mut Batch) -> bool {
        let mut queue = self.lock();
        while queue.batch.is_empty() && !queue.closing {
            queue.idle = true;
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        queue.idle = false;
        let mut queue = self
            .wake
            .wait_timeout_while(queue, GATHER, |queue| !queue.closing)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        std::mem::swap(&mut queue.batch, batch);
        queue.closing
    }

    /// Waits until then, or until the end is near; true when it is.
    pub(super) fn wait_until(&self, until: Instant) -> bool {
        let queue = self.lock();
        let left = until.saturating_duration_since(Instant::now());
        let queue = self
            .wake
            .wait_timeout_while(queue, left, |queue| !queue.closing)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        queue.closing
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_all();
    }

    /// Whether the end is near and nothing waits.
    pub(super) fn is_done(&self) -> bool {
        let queue = self.lock();
        queue.closing && queue.batch.is_empty()
    }

    pub(super) fn publish(&self, tally: &Tally) {
        let mut queue = self.lock();
        queue.counts.sent = tally.sent;
        queue.counts.lost = tally.lost;
        queue.counts.connections = tally.connections;
        queue.counts.error.clone_from(&tally.error);
    }

    pub(super) fn counts(&self) -> HepCounts {
        let queue = self.lock();
        let mut counts = queue.counts.clone();
        counts.lost += queue.lost;
        if queue.lost > 0 {
            counts
                .error
                .get_or_insert_with(|| "the collector did not keep up".to_owned());
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn messages_of_several_shards_come_in_the_order_of_time() {
        let (mut first, mut second) = (Batch::default(), Batch::default());
        first.push(1, addr(1), addr(2), b"a");
        first.push(3, addr(1), addr(2), b"ccc");
        second.push(2, addr(3), addr(4), b"bb");
        let shared = Shared::default();
        shared.hand_over(&mut first);
        shared.hand_over(&mut second);
        assert!(first.is_empty() && second.is_empty());
        shared.close();
        let mut all = Batch::default();
        assert!(shared.take(&mut all));
        all.sort();
        let seen: Vec<_> = (0..3)
            .map(|index| all.get(index))
            .map(|(record, message)| (record.source.port(), message.to_vec()))
            .collect();
        assert_eq!(
            seen,
            [
                (1, b"a".to_vec()),
                (3, b"bb".to_vec()),
                (1, b"ccc".to_vec())
            ]
        );
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let shared = Shared::default();
        let large = vec![b'x'; MAX_QUEUE_BYTES / 4];
        let mut batch = Batch::default();
        for _ in 0..6 {
            batch.push(0, addr(1), addr(2), &large);
        }
        shared.hand_over(&mut batch);
        assert!(batch.is_empty());
        let counts = shared.counts();
        assert_eq!((counts.sent, counts.lost), (0, 2));
        assert_eq!(
            counts.error.as_deref(),
            Some("the collector did not keep up")
        );
        shared.close();
        assert!(shared.take(&mut batch));
        assert_eq!(batch.records().len(), 4);
        for _ in 0..=MAX_QUEUE_RECORDS {
            let mut one = Batch::default();
            one.push(0, addr(1), addr(2), b"");
            shared.hand_over(&mut one);
        }
        assert_eq!(shared.counts().lost, 3);
    }
}
