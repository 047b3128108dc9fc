// SPDX-License-Identifier: AGPL-3.0-only
//! Requests with an unknown Call-ID that begin a dialog of a call that listens for them, or find it busy.

use super::{Engine, Hasher, split};
use crate::exec::dialogs::{self, Callee};
use crate::input::{FlowId, Micros};
use crate::output::{ByteRange, OutBuf, Output, StatEvent};
use core::net::SocketAddr;
use gossipper_sip::{HeaderName, Message};
use std::hash::BuildHasher as _;
use std::sync::Arc;

impl Engine {
    /// A request with an unknown Call-ID begins a dialog of a call that listens; `false` when there is none.
    pub(super) fn accept(
        &mut self,
        now: Micros,
        flow: FlowId,
        src: SocketAddr,
        id: &[u8],
        msg: &Message<'_>,
        out: &mut OutBuf,
    ) -> bool {
        let (key, dialog) = match dialogs::callee(&self.image, &self.shared, msg) {
            Callee::Free(key, dialog) => (key, dialog),
            Callee::Busy => {
                out.push(Output::Stat(StatEvent::OutOfCall));
                if msg.method() == Some(b"INVITE") {
                    let bytes = busy_here(&self.hasher, msg, out);
                    out.push(Output::Send {
                        call: None,
                        flow,
                        to: src,
                        bytes,
                    });
                }
                return true;
            }
            Callee::Nobody => return false,
        };
        let params = self.image.params();
        let peer = match params.destination {
            Some(destination) if params.send_to_destination => destination,
            _ => src,
        };
        let image = Arc::clone(&self.image);
        let (calls, shared) = (&mut self.calls, &mut self.shared);
        if let Some((call, mut cx)) = split(&image, calls, shared, key, now, out) {
            dialogs::begun_by_peer(&mut cx, call, dialog, id, flow, peer);
        }
        self.enter_flow(key, flow);
        self.deliver(now, key, dialog, msg, out);
        true
    }
}

/// `486 Busy Here` to an INVITE that nobody can take now. Nothing remembers it: its repetition is answered alike.
fn busy_here(hasher: &Hasher, msg: &Message<'_>, out: &mut OutBuf) -> ByteRange {
    let start = out.arena().len();
    let arena = out.arena();
    arena.extend_from_slice(b"SIP/2.0 486 Busy Here\r\n");
    for (name, shown) in [
        (HeaderName::Via, &b"Via: "[..]),
        (HeaderName::From, b"From: "),
        (HeaderName::To, b"To: "),
        (HeaderName::CallId, b"Call-ID: "),
        (HeaderName::CSeq, b"CSeq: "),
    ] {
        for value in msg.values(name) {
            arena.extend_from_slice(shown);
            arena.extend_from_slice(value);
            if name == HeaderName::To {
                let tag = hasher.hash_one(msg.call_id().unwrap_or_default());
                arena.extend_from_slice(format!(";tag={tag:x}").as_bytes());
            }
            arena.extend_from_slice(b"\r\n");
        }
    }
    arena.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    out.range_from(start)
}
