// SPDX-License-Identifier: AGPL-3.0-only
//! Looking ahead: what the next inputs will read is fetched into the caches for several of them at once.
//!
//! Among hundreds of thousands of open calls each input finds the index, the ended calls and its own call in memory that was
//! last read long ago, and would wait for each of them in turn. Read for a batch of inputs together, without doing anything
//! with it yet, the waits overlap. It is a guess, and only about time: nothing depends on it.

use super::Engine;
use crate::call::Call;
use crate::input::CallKey;
use crate::stripes::fold;
use core::cell::Cell;
use core::hint::black_box;
use gossipper_sip::strip_call_id_prefix;
use memchr::memchr;
use memchr::memmem::Finder;
use smallvec::SmallVec;

/// Inputs that are looked at together.
pub const AHEAD: usize = 16;

/// With fewer open calls all that is known of them, half a kilobyte each, stays in the caches of a core, and looking ahead would
/// only cost.
const MANY_CALLS: usize = 2_048;

/// How a Call-ID begins in the messages of nearly all agents; other messages are handled without having been looked at.
const CALL_ID: &[u8] = b"\nCall-ID:";

/// Where it is looked for.
const SEARCHED: usize = 1_024;

/// Lengths of messages that are told apart.
const LENGTHS: usize = 64;

/// Up to that many of something, without memory of its own.
type Batch<T> = SmallVec<[T; AHEAD]>;

// PERF: each loop reads one thing for all inputs, and what it reads depends only on the loops before it. A processor
// looks a few hundred instructions ahead: those are many turns of a short loop, and so many reads are under way at once;
// of a loop that does everything for one input after the other they are hardly two turns.
impl Engine {
    /// Looks at messages that will be given to [`Self::handle`] next: up to [`AHEAD`] of them.
    pub fn look_ahead(&self, messages: &mut dyn Iterator<Item = &[u8]>) {
        if self.calls.len() < MANY_CALLS {
            return;
        }
        let slashes = self.image.params().ignore_call_id_slashes;
        let ids = messages
            .take(AHEAD)
            .filter_map(|message| self.call_ids.find(message))
            .map(|id| {
                if slashes {
                    id
                } else {
                    strip_call_id_prefix(id)
                }
            });
        let hashes: Batch<u64> = ids.map(|id| self.shared.dead.hash(id)).collect();
        read(hashes.iter().map(|hash| self.index.touch(fold(*hash))));
        let mut places = [None; AHEAD];
        read(hashes.iter().zip(&mut places).map(|(hash, place)| {
            *place = self.index.find(fold(*hash), Some);
            match place {
                Some(_) => 0,
                None => self.shared.dead.touch(*hash),
            }
        }));
        let calls = || {
            let places = places.iter().flatten();
            places.filter_map(|place| self.calls.at(*place))
        };
        read(calls().map(|(_, call)| call.touch()));
        read(calls().map(|(_, call)| call.last.touch()));
    }

    /// Looks at calls whose deadlines come next: up to [`AHEAD`] of them. Mostly it is the end of a call that is near.
    pub fn look_ahead_of_timers(&self, calls: &mut dyn Iterator<Item = CallKey>) {
        if self.calls.len() < MANY_CALLS {
            return;
        }
        let calls = calls.take(AHEAD).filter_map(|key| self.calls.get(key));
        let calls: Batch<&Call> = calls.collect();
        read(calls.iter().map(|call| call.touch()));
        // A Call-ID lies in the record, which is there by now.
        read(calls.iter().map(|call| {
            let hash = self.shared.dead.hash(call.main_call_id());
            self.index.touch(fold(hash))
        }));
    }
}

/// Reads what does not matter.
fn read(values: impl Iterator<Item = u64>) {
    black_box(values.fold(0, core::ops::BitXor::bitxor));
}

/// Finds Call-IDs where they mostly are.
///
/// An agent makes all its messages of a kind alike, so that those of one length have it at one place: that is looked at first, and
/// the message is searched only where it is not there.
#[derive(Debug)]
pub(super) struct CallIds {
    finder: Finder<'static>,
    /// Where it was last, by the last bits of the length.
    last: [Cell<u16>; LENGTHS],
}

impl CallIds {
    pub(super) fn new() -> Self {
        Self {
            finder: Finder::new(CALL_ID),
            last: [const { Cell::new(0) }; LENGTHS],
        }
    }

    /// The Call-ID of a message, if it is where it mostly is.
    fn find<'a>(&self, message: &'a [u8]) -> Option<&'a [u8]> {
        let last = &self.last[message.len() % LENGTHS];
        let behind = |at: usize| message.get(at..)?.strip_prefix(CALL_ID);
        let rest = match behind(last.get().into()) {
            Some(rest) => rest,
            None => {
                let at = self.finder.find(&message[..message.len().min(SEARCHED)])?;
                last.set(at as u16);
                behind(at)?
            }
        };
        let rest = rest.trim_ascii_start();
        let end = memchr(b'\n', rest)?;
        Some(rest[..end].trim_ascii_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_is_found_where_it_mostly_is_and_nowhere_else() {
        let ids = CallIds::new();
        let found = |text: &'static str| ids.find(text.as_bytes());
        let message = "BYE sip:a SIP/2.0\r\nVia: x\r\nCall-ID:  1-2@h \r\nCSeq: 1 BYE\r\n\r\n";
        assert_eq!(found(message), Some(&b"1-2@h"[..]));
        assert_eq!(found("BYE sip:a SIP/2.0\r\ni: 1\r\n\r\n"), None);
        assert_eq!(found("BYE sip:a SIP/2.0\nCall-ID: cut"), None);
        assert_eq!(found(""), None);
        // Of one length, at the same place, at another one, nowhere.
        for (other, id) in [
            (
                "ACK sip:a SIP/2.0\r\nVia: y\r\nCall-ID:  3-4@i \r\nCSeq: 1 ACK\r\n\r\n",
                "3-4@i",
            ),
            (
                "ACK sip:abc SIP/2.0\r\nVia: y\r\nCall-ID: 56@h \r\nCSeq: 1 ACK\r\n\r\n",
                "56@h",
            ),
            (
                "ACK sip:abc SIP/2.0\r\nVia: y\r\ncall-id: 56@h \r\nCSeq: 1 ACK\r\n\r\n",
                "",
            ),
        ] {
            assert_eq!(other.len(), message.len());
            assert_eq!(found(other).unwrap_or_default(), id.as_bytes());
        }
    }
}
