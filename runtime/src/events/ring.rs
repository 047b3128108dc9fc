// SPDX-License-Identifier: AGPL-3.0-only
//! The one buffer of the program between those who tell and the thread that writes.
//!
//! A shard collects the events of a turn and hands them over together: the lock is taken once per turn, and held to move a
//! few pointers. The thread swaps everything out under the same lock. What is more than fits takes the place of the oldest,
//! which is counted. Buffers go back and forth, so that none is allocated while events flow.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gossipper_control::EventCounts;

use super::record::Batch;

/// How long events may gather before they are taken: the thread is woken, and shards are disturbed, at most so often.
const GATHER: Duration = Duration::from_millis(5);

/// Buffers that are kept for the next.
const SPARE: usize = 64;

/// Bytes of a buffer that is worth keeping.
const SPARE_BYTES: usize = 1 << 20;

#[derive(Debug, Default)]
struct Ring {
    batches: VecDeque<Batch>,
    /// Events in them.
    events: usize,
    spare: Vec<Batch>,
    closing: bool,
    /// The thread waits for a first event.
    idle: bool,
    counts: EventCounts,
}

impl Ring {
    fn recycle(&mut self, mut batch: Batch) {
        if self.spare.len() < SPARE && batch.bytes() <= SPARE_BYTES {
            batch.clear();
            self.spare.push(batch);
        }
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    ring: Mutex<Ring>,
    wake: Condvar,
    capacity: usize,
}

impl Shared {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            ring: Mutex::default(),
            wake: Condvar::new(),
            capacity,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes events over; leaves an empty buffer for the next.
    pub(super) fn hand_over(&self, batch: &mut Batch) {
        let mut ring = self.lock();
        let next = ring.spare.pop().unwrap_or_default();
        let batch = std::mem::replace(batch, next);
        let before = ring.events;
        ring.events += batch.len();
        ring.counts.recorded += batch.len() as u64;
        ring.batches.push_back(batch);
        let mut excess = ring.events.saturating_sub(self.capacity);
        ring.events -= excess;
        ring.counts.overwritten += excess as u64;
        while excess > 0
            && let Some(front) = ring.batches.front_mut()
        {
            let events = front.len();
            if excess < events {
                front.forget(excess);
                break;
            }
            excess -= events;
            if let Some(gone) = ring.batches.pop_front() {
                ring.recycle(gone);
            }
        }
        let half = self.capacity / 2;
        let crossed = before <= half && ring.events > half;
        let wake = std::mem::take(&mut ring.idle) || crossed;
        drop(ring);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Waits until there are events, or until then; lets more gather, and takes all. What was taken before is given back.
    /// True when the end is near.
    pub(super) fn take(&self, taken: &mut VecDeque<Batch>, until: Option<Instant>) -> bool {
        let mut ring = self.lock();
        for batch in taken.drain(..) {
            ring.recycle(batch);
        }
        while ring.events == 0 && !ring.closing {
            ring.idle = true;
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            ring = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let waited = self.wake.wait_timeout(ring, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => (self.wake.wait(ring)).unwrap_or_else(PoisonError::into_inner),
            };
        }
        ring.idle = false;
        if ring.events > 0 {
            let gather = |ring: &mut Ring| !ring.closing && ring.events <= self.capacity / 2;
            let waited = self.wake.wait_timeout_while(ring, GATHER, gather);
            ring = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut ring.batches, taken);
        ring.events = 0;
        ring.closing
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().events == 0
    }

    pub(super) fn counts(&self) -> EventCounts {
        self.lock().counts.clone()
    }

    /// Says what has become of the events in the sinks.
    pub(super) fn publish(&self, sinks: EventCounts) {
        let mut ring = self.lock();
        let (recorded, overwritten) = (ring.counts.recorded, ring.counts.overwritten);
        ring.counts = EventCounts {
            recorded,
            overwritten,
            ..sinks
        };
    }

    pub(super) fn trouble(&self, why: &str) {
        self.lock().counts.error.get_or_insert_with(|| why.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::record::What;

    fn some(texts: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for text in texts {
            batch.push(What::Action { warning: false }, 0, 0, b"", text.as_bytes());
        }
        batch
    }

    fn texts(taken: &VecDeque<Batch>) -> Vec<String> {
        let all = taken
            .iter()
            .flat_map(|batch| (0..batch.len()).map(|index| batch.get(index).2));
        all.map(|text| String::from_utf8_lossy(text).into_owned())
            .collect()
    }

    #[test]
    fn the_oldest_are_overwritten_and_counted() {
        let shared = Shared::new(3);
        shared.hand_over(&mut some(&["a", "b"]));
        shared.hand_over(&mut some(&["c", "d"]));
        shared.close();
        let mut taken = VecDeque::new();
        assert!(shared.take(&mut taken, None));
        assert_eq!(texts(&taken), ["b", "c", "d"]);
        shared.hand_over(&mut some(&["e"]));
        shared.hand_over(&mut some(&["f", "g", "h", "i", "j"]));
        shared.take(&mut taken, None);
        assert_eq!(
            texts(&taken),
            ["h", "i", "j"],
            "one batch may be more than fits"
        );
        let counts = shared.counts();
        assert_eq!((counts.recorded, counts.overwritten), (10, 4));
        assert!(shared.is_empty());
    }

    #[test]
    fn every_event_is_taken_once_or_counted_whoever_tells() {
        let shared = Shared::new(100);
        let mut seen = 0;
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        shared.hand_over(&mut some(&["x", "y", "z"]));
                    }
                });
            }
            let mut taken = VecDeque::new();
            let mut left = 18_000;
            while left > 0 {
                shared.take(&mut taken, Some(Instant::now()));
                let got: usize = taken.iter().map(Batch::len).sum();
                seen += got as u64;
                left = 18_000 - seen - shared.counts().overwritten;
            }
        });
        let counts = shared.counts();
        assert_eq!(counts.recorded, 18_000);
        assert_eq!(seen + counts.overwritten, 18_000);
    }
}
