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
use core::hint::black_box;
use gossipper_sip::strip_call_id_prefix;
use memchr::memchr;
use memchr::memmem::Finder;
use smallvec::SmallVec;

/// Inputs that are looked at together.
pub const AHEAD: usize = 16;

/// With fewer open calls all that is known of them stays in the caches, and looking ahead would only cost.
const MANY_CALLS: usize = 8_192;

/// How a Call-ID begins in the messages of nearly all agents; other messages are handled without having been looked at.
const CALL_ID: &[u8] = b"\nCall-ID:";

/// Where it is looked for.
const SEARCHED: usize = 1_024;

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
            .filter_map(|message| likely_call_id(&self.call_ids, message))
            .map(|id| {
                if slashes {
                    id
                } else {
                    strip_call_id_prefix(id)
                }
            });
        let hashes: Batch<u64> = ids.map(|id| self.shared.dead.hash(id)).collect();
        read(hashes.iter().map(|hash| self.index.touch(fold(*hash))));
        let mut calls = Batch::new();
        read(hashes.iter().map(|hash| {
            let place = self.index.find(fold(*hash), Some);
            match place.and_then(|place| self.calls.at(place)) {
                Some((_, call)) => {
                    calls.push(call);
                    call.touch()
                }
                None => self.shared.dead.touch(*hash),
            }
        }));
        read(calls.iter().map(|call| call.last.touch()));
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

/// Finds where Call-IDs begin.
pub(super) fn call_ids() -> Finder<'static> {
    Finder::new(CALL_ID)
}

/// The Call-ID of a message, if it is where it mostly is.
fn likely_call_id<'a>(call_ids: &Finder<'_>, message: &'a [u8]) -> Option<&'a [u8]> {
    let head = &message[..message.len().min(SEARCHED)];
    let at = call_ids.find(head)? + CALL_ID.len();
    let rest = head.get(at..)?.trim_ascii_start();
    let end = memchr(b'\n', rest)?;
    Some(rest[..end].trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_is_found_where_it_mostly_is_and_nowhere_else() {
        let found = |text: &'static str| likely_call_id(&call_ids(), text.as_bytes());
        let message = "BYE sip:a SIP/2.0\r\nVia: x\r\nCall-ID:  1-2@h \r\nCSeq: 1 BYE\r\n\r\n";
        assert_eq!(found(message), Some(&b"1-2@h"[..]));
        assert_eq!(found("BYE sip:a SIP/2.0\r\ni: 1\r\n\r\n"), None);
        assert_eq!(found("BYE sip:a SIP/2.0\nCall-ID: cut"), None);
        assert_eq!(found(""), None);
    }
}
