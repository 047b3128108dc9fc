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
// PERF: with 4, 1,000 calls/s (three messages per window on each side) were read message by message, at 2.5 wakeups of a
// client and 1.7 of a server per call instead of 1.0 (2026-11-21).
const WORTH_IT: u64 = 2;

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

    /// Until when the socket may be left alone, if it is worth it: to the end of a window.
    ///
    /// `starts` gives when the next two calls are due. One that is alone in its window is made on time, and the socket is
    /// looked at then; where each window has several, they are made together at its end.
    pub(super) fn rest(
        &self,
        now: Micros,
        starts: impl FnOnce() -> [Option<Micros>; 2],
    ) -> Option<Micros> {
        if !self.many || self.window.0 == 0 {
            return None;
        }
        let end = now.plus(self.window);
        Some(match starts() {
            [Some(first), second] if first > now && second.is_none_or(|at| at > end) => {
                first.min(end)
            }
            _ => end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Micros = Micros(500);

    fn none() -> [Option<Micros>; 2] {
        [None, None]
    }

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
        assert_eq!(coalescer.rest(Micros(0), none), None);
        let now = look(&mut coalescer, Micros(0), 1);
        assert_eq!(coalescer.rest(now, none), None);
        let now = look(&mut coalescer, now, 2);
        assert_eq!(coalescer.rest(now, none), Some(now.plus(WINDOW)));
        let now = look(&mut coalescer, now, 1);
        assert_eq!(coalescer.rest(now, none), None);
    }

    #[test]
    fn a_start_alone_in_its_window_is_made_on_time_and_several_together_at_its_end() {
        let mut coalescer = Coalescer::new(WINDOW);
        let now = look(&mut coalescer, Micros(0), 9);
        let rest = |first: u64, second: u64| {
            let due = |after: u64| Some(now.plus(Micros(after)));
            coalescer.rest(now, || [due(first), due(second)])
        };
        let end = now.plus(WINDOW);
        assert_eq!(rest(400, 800), Some(now.plus(Micros(400))));
        assert_eq!(rest(900, 1800), Some(end));
        assert_eq!(rest(100, 200), Some(end));
        // One that is due and cannot be made, since too many calls are open, must not keep the shard awake.
        assert_eq!(rest(0, 800), Some(end));
        let last = || [Some(now.plus(Micros(300))), None];
        assert_eq!(coalescer.rest(now, last), Some(now.plus(Micros(300))));
    }

    #[test]
    fn a_single_burst_after_a_long_silence_is_no_rate() {
        let mut coalescer = Coalescer::new(WINDOW);
        coalescer.received(Micros(10_000_000), 64);
        assert_eq!(coalescer.rest(Micros(10_000_000), none), None);
    }

    #[test]
    fn a_window_of_zero_never_waits() {
        let mut coalescer = Coalescer::new(Micros(0));
        let now = look(&mut coalescer, Micros(0), 1000);
        assert_eq!(coalescer.rest(now, none), None);
    }
}
