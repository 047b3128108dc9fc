// SPDX-License-Identifier: AGPL-3.0-only
//! How calls fail and which wait longest: a sample of the open calls is watched, what went to and fro in those that failed
//! is counted, and the few with the slowest answers are kept.
//!
//! There are so many places for calls that are watched, each call has one of them by its number, and is watched if that is
//! free when it begins and not too many calls per second are. So nearly every call is watched as long as calls are few, and
//! where they are many it is chance that decides, never how a call will end. A call that is not watched costs a look at its
//! place per message. Everything is bounded: places, messages of a call, names of messages, shapes.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `names` | methods and status codes, each kept once |
//! | `open` | the messages of a call that is watched |
//! | `counted` | the shapes of those that failed |
//! | `slowest` | those that waited longest |

mod counted;
mod names;
mod open;
mod slowest;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use gossipper_control::shapes::Way;
use gossipper_control::{FailureShapes, SlowCalls};
use gossipper_vm::{CallEnd, Micros, StatEvent};

use counted::Counted;
use names::Names;
use open::{Answer, Watched};
use slowest::{MOST_SLOW, Slowest};

/// Calls that are watched at the same time; a power of two.
const PLACES: usize = 256;

/// One more call per so many microseconds may be watched, so that what it costs does not grow with the rate of calls.
// PERF: a call that is watched takes some 7,000 instructions more, a third of what the machine takes for one. With a
// thousand a second they were a tenth of all that is executed at 6,000 calls a second (2026-11-21).
const PER_CALL: Micros = Micros(4_000);

/// Calls that may begin to be watched at once.
const AT_ONCE: u64 = PLACES as u64;

/// Shapes that a run names.
const MOST_NAMED: usize = 10;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) failures: Box<FailureShapes>,
    /// `None` where nobody measured how long answers took.
    pub(crate) slow: Option<Box<SlowCalls>>,
}

/// Where a shard leaves it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Seen>>>);

/// The calls that a shard watches.
#[derive(Debug)]
pub(crate) struct Shapes {
    /// Where each call has its place by its number.
    open: Vec<Watched>,
    /// Of each place, the number of the call that has it; 0 if it is free.
    // PERF: what nearly every message is compared with lies close together, apart from what is known of the calls.
    numbers: [u64; PLACES],
    /// So many more may be watched.
    allowed: u64,
    /// As of this time.
    allowed_at: Micros,
    /// How the message at hand has come, and from whom.
    input: (Way, Option<SocketAddr>),
    names: Names,
    counted: Counted,
    slowest: Option<Slowest>,
    slot: Slot,
}

impl Shapes {
    /// With `times` it is told how long answers took.
    pub(crate) fn new(slot: Slot, times: bool) -> Box<Self> {
        Box::new(Self {
            open: (0..PLACES).map(|_| Watched::default()).collect(),
            numbers: [0; PLACES],
            allowed: AT_ONCE,
            allowed_at: Micros(0),
            input: (Way::Received, None),
            names: Names::default(),
            counted: Counted::default(),
            slowest: times.then(Slowest::default),
            slot,
        })
    }

    /// The place of a call.
    fn place(call: u64) -> usize {
        // What is left is less than the number of places.
        (call % PLACES as u64) as usize
    }

    /// The place of a call that is watched.
    #[inline]
    fn watched(&self, call: u64) -> Option<usize> {
        let place = Self::place(call);
        (call != 0 && self.numbers[place] == call).then_some(place)
    }

    /// The machine has taken in a message: of this call, or of one that it will begin.
    #[inline]
    pub(crate) fn received(
        &mut self,
        now: Micros,
        call: u64,
        way: Way,
        from: Option<SocketAddr>,
        message: &[u8],
    ) {
        self.input = (way, from);
        self.message(now, call, way, from, message);
    }

    /// A call sends a message.
    #[inline]
    pub(crate) fn sends(&mut self, now: Micros, call: u64, to: &SocketAddr, message: &[u8]) {
        self.message(now, call, Way::Sent, Some(*to), message);
    }

    /// A call sends a command.
    pub(crate) fn commands(&mut self, now: Micros, call: u64, command: &[u8]) {
        self.message(now, call, Way::CommandSent, None, command);
    }

    #[inline]
    fn message(
        &mut self,
        now: Micros,
        call: u64,
        way: Way,
        peer: Option<SocketAddr>,
        message: &[u8],
    ) {
        if let Some(place) = self.watched(call) {
            self.open[place].message(now, way, peer, message, &mut self.names);
        }
    }

    /// Something has happened to a call.
    #[inline]
    pub(crate) fn event(&mut self, now: Micros, call: u64, event: &StatEvent, received: &[u8]) {
        match event {
            StatEvent::Created { .. } => self.created(now, call, received),
            StatEvent::Ended { end, .. } => {
                let place = self.watched(call);
                if place.is_some() || self.slowest.is_some() || *end != CallEnd::Success {
                    self.ended(now, place, *end);
                }
            }
            _ => {}
        }
    }

    /// A call has ended, which is watched if it has a place.
    #[cold]
    fn ended(&mut self, now: Micros, place: Option<usize>, end: CallEnd) {
        let watched = place.map(|place| &mut self.open[place]);
        if let CallEnd::Failure(reason) = end {
            self.counted.failed(now, reason, watched.as_deref());
        }
        if let Some(slowest) = &mut self.slowest {
            slowest.ended(now, end, watched.as_deref());
        }
        if let Some(watched) = watched {
            watched.forget();
        }
        if let Some(place) = place {
            self.numbers[place] = 0;
        }
    }

    /// The message that a call has just received is an answer that took so long since its request was sent, which was so
    /// much later than due.
    pub(crate) fn answered(&mut self, call: u64, took: Micros, late: Micros) {
        if let Some(place) = self.watched(call) {
            self.open[place].answered(Answer::new(took, late));
        }
    }

    #[inline]
    fn created(&mut self, now: Micros, call: u64, received: &[u8]) {
        let place = Self::place(call);
        if call != 0 && self.numbers[place] == 0 && self.allows(now) {
            self.begin(now, place, call, received);
        }
    }

    /// Begins to watch a call.
    #[cold]
    fn begin(&mut self, now: Micros, place: usize, call: u64, received: &[u8]) {
        self.numbers[place] = call;
        self.open[place].begin(call, now);
        if !received.is_empty() {
            let (way, from) = self.input;
            self.message(now, call, way, from, received);
        }
    }

    /// Takes one of the calls that may be watched.
    fn allows(&mut self, now: Micros) -> bool {
        if self.allowed < AT_ONCE {
            let more = now.since(self.allowed_at).0 / PER_CALL.0;
            self.allowed = self.allowed.saturating_add(more).min(AT_ONCE);
            self.allowed_at = self.allowed_at.plus(Micros(more * PER_CALL.0));
        }
        if self.allowed == AT_ONCE {
            self.allowed_at = now;
        }
        let allows = self.allowed > 0;
        self.allowed = self.allowed.saturating_sub(1);
        allows
    }

    /// Counts anew.
    pub(crate) fn clear(&mut self) {
        self.counted = Counted::default();
        self.slowest = self.slowest.as_ref().map(|_| Slowest::default());
    }

    /// Leaves what was counted for whoever wants to see it.
    pub(crate) fn leave(&self) {
        let seen = Seen {
            failures: Box::new(self.counted.shapes(&self.names)),
            slow: (self.slowest.as_ref()).map(|slowest| Box::new(slowest.calls(&self.names))),
        };
        *self.slot.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

/// What the shards of a scenario have seen, as one would have; `None` as long as none has left anything.
pub(crate) fn seen(slots: &[Slot]) -> Option<Seen> {
    let mut whole: Option<Seen> = None;
    for slot in slots {
        let part = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = &*part {
            let whole = whole.get_or_insert_default();
            whole.failures.add(&part.failures);
            if let Some(slow) = &part.slow {
                whole.slow.get_or_insert_default().add(slow);
            }
        }
    }
    if let Some(whole) = &mut whole {
        whole.failures.keep(MOST_NAMED);
        if let Some(slow) = &mut whole.slow {
            slow.keep(MOST_SLOW);
        }
    }
    whole
}
