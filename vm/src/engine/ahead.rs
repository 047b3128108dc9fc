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

impl Engine {
    /// Looks at messages that will be given to [`Self::handle`] next: up to [`AHEAD`] of them.
    pub fn look_ahead(&self, messages: &mut dyn Iterator<Item = &[u8]>) {
        if self.calls.len() < MANY_CALLS {
            return;
        }
        let ids = messages
            .take(AHEAD)
            .filter_map(|message| likely_call_id(&self.call_ids, message));
        let hashes: SmallVec<[u64; AHEAD]> = ids
            .map(|id| {
                let known = if self.image.params().ignore_call_id_slashes {
                    id
                } else {
                    strip_call_id_prefix(id)
                };
                self.shared.dead.hash(known)
            })
            .collect();
        let touched = hashes.iter().fold(0, |touched, hash| {
            let call = self.index.find(fold(*hash), |_| true);
            let call = call.and_then(|open| self.calls.get(open.key));
            touched ^ call.map_or_else(|| self.shared.dead.touch(*hash).into(), Call::touch)
        });
        black_box(touched);
    }

    /// Looks at calls whose deadlines come next: up to [`AHEAD`] of them. Mostly it is the end of a call that is near.
    pub fn look_ahead_of_timers(&self, calls: &mut dyn Iterator<Item = CallKey>) {
        if self.calls.len() < MANY_CALLS {
            return;
        }
        let calls: SmallVec<[&Call; AHEAD]> = calls
            .take(AHEAD)
            .filter_map(|key| self.calls.get(key))
            .collect();
        let touched = calls.iter().fold(0, |touched, call| touched ^ call.touch());
        // A Call-ID lies in the record, which is there by now.
        let touched = calls.iter().fold(touched, |touched, call| {
            let hash = self.shared.dead.hash(call.main_call_id());
            let entry = self.index.touch(fold(hash)) ^ self.shared.dead.touch(hash);
            touched ^ u64::from(entry)
        });
        black_box(touched);
    }
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
