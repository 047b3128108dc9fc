// SPDX-License-Identifier: AGPL-3.0-only
//! Keywords that speak of another dialog than the step they stand in.

use crate::call::Call;
use crate::link::Image;
use crate::render::number;
use gossipper_bytecode::{CaptureId, ElsewhereId, Slot};

/// Prints something of another dialog of a call; of one that has not begun, nothing.
pub(crate) fn print(image: &Image, call: &Call, id: ElsewhereId, out: &mut Vec<u8>) {
    let program = &image.program;
    let keyword = program.elsewhere[id.index()];
    let view = call.view(keyword.dialog);
    let capture = |id: CaptureId| view.last.and_then(|last| last.capture(image, id));
    match keyword.slot {
        Slot::CallId => out.extend_from_slice(view.call_id),
        Slot::Cseq(offset) => number(i64::from(view.cseq) + i64::from(offset), out),
        Slot::PeerTagParam if !view.peer_tag.is_empty() => {
            out.extend_from_slice(b";tag=");
            out.extend_from_slice(view.peer_tag);
        }
        Slot::NextUrl if !view.target.is_empty() => out.extend_from_slice(view.target),
        Slot::NextUrl => {
            out.extend_from_slice(image.to_uri.and_then(capture).unwrap_or_default());
        }
        Slot::Routes if !view.routes.is_empty() => {
            out.extend_from_slice(b"Route: ");
            out.extend_from_slice(view.routes);
        }
        Slot::LastCseqNumber(offset) => {
            let last = view.last.map_or(0, |last| last.cseq);
            number(i64::from(last) + i64::from(offset), out);
        }
        Slot::LastRequestUri(id) | Slot::LastMessage(id) => {
            out.extend_from_slice(capture(id).unwrap_or_default());
        }
        Slot::LastHeader(id, name) => {
            if let Some(value) = capture(id) {
                out.extend_from_slice(program.bytes(name));
                // As in SIPp, a header that is there but empty prints `Name:`.
                if !value.is_empty() {
                    out.push(b' ');
                    out.extend_from_slice(value);
                }
            }
        }
        // Verified: no other keyword says anything about a dialog.
        _ => {}
    }
}
