// SPDX-License-Identifier: AGPL-3.0-only
//! When to look at a busy socket again.
//!
//! A wakeup costs more than a message. While messages are rare, each wakes the shard at once; while they are many, the
//! shard looks at its socket once per window and finds several, as network cards do with their interrupts and as
//! SIPp does with its loop of a millisecond. When a message arrived is told by the kernel, so that response times
//! do not depend on when it was read ([ADR 0011](../../../docs/adr/0011-coalesced-receiving.md)).

use crate::clock::Micros;

/// Windows over which messages are counted.
const WINDOWS_COUNTED: u64 = 4;

/// Messages per window that make waiting worth it.
const WORTH_IT: u64 = 4;

/// Counts what arrives, and says how long to leave the socket alone.
#[derive(Debug)]
pub(super) struct Coalescer {
    /// Length of a window; zero turns coalescing off.
    window: Micros,
    /// Since when messages are counted.
    since: Micros,
    count: u64,
    /// Whether the messages were many when last counted.
    many: bool,
}

impl Coalescer {
    pub(super) const fn new(window: Micros) -> Self {
        Self {
            window,
            since: Micros(0),
            count: 0,
            many: false,
        }
    }

    /// Notes what one look at the socket, at `now`, has brought.
    pub(super) fn received(&mut self, now: Micros, datagrams: u64) {
        self.count += datagrams;
        let period = Micros(self.window.0 * WINDOWS_COUNTED);
        if now.since(self.since) < period {
            return;
        }
        // A shard that was late counts over a longer time than a period.
        let windows = now.since(self.since).0 / self.window.0.max(1);
        self.many = self.count >= windows * WORTH_IT;
        self.since = now;
        self.count = 0;
    }

    /// Until when the socket may be left alone, if it is worth it.
    pub(super) fn rest(&self, now: Micros) -> Option<Micros> {
        (self.many && self.window.0 > 0).then(|| now.plus(self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Micros = Micros(500);

    /// Looks once per window for a while, with so many messages each time.
    fn look(coalescer: &mut Coalescer, from: Micros, datagrams: u64) -> Micros {
        (1..=20).fold(from, |_, n| {
            let now = from.plus(Micros(n * WINDOW.0));
            coalescer.received(now, datagrams);
            now
        })
    }

    #[test]
    fn rare_messages_are_read_at_once_and_many_per_window() {
        let mut coalescer = Coalescer::new(WINDOW);
        assert_eq!(coalescer.rest(Micros(0)), None);
        let now = look(&mut coalescer, Micros(0), 3);
        assert_eq!(coalescer.rest(now), None);
        let now = look(&mut coalescer, now, 4);
        assert_eq!(coalescer.rest(now), Some(now.plus(WINDOW)));
        let now = look(&mut coalescer, now, 1);
        assert_eq!(coalescer.rest(now), None);
    }

    #[test]
    fn a_single_burst_after_a_long_silence_is_no_rate() {
        let mut coalescer = Coalescer::new(WINDOW);
        coalescer.received(Micros(10_000_000), 64);
        assert_eq!(coalescer.rest(Micros(10_000_000)), None);
    }

    #[test]
    fn a_window_of_zero_never_waits() {
        let mut coalescer = Coalescer::new(Micros(0));
        let now = look(&mut coalescer, Micros(0), 1000);
        assert_eq!(coalescer.rest(now), None);
    }
}
