// SPDX-License-Identifier: AGPL-3.0-only
//! The ops of scenarios with several dialogs: bring one to the front, begin one, listen for one of the peer's.

use super::{Cx, Next};
use crate::call::Call;
use crate::call::dialogs::{Listening, Phase, Stage, bring, renew};
use crate::dead::Death;
use crate::input::{CallKey, FlowId};
use crate::link::Image;
use crate::output::StatEvent;
use crate::{call_id, matching, txn};
use core::net::SocketAddr;
use gossipper_bytecode::{Callee as Accept, DialogId, Mode, RecvId};
use gossipper_sip::{Message, SipUri, StartLine};

/// What follows speaks of this dialog.
pub(super) fn enter(cx: &Cx<'_>, call: &mut Call, dialog: DialogId) {
    let image = cx.image;
    call.ensure_dialogs(image.program.dialogs.len(), image.mode == Mode::Client);
    bring(call, dialog);
}

/// The same, and the dialog begins, with a Call-ID of ours: unless it has begun, or in any case.
pub(super) fn begin(cx: &mut Cx<'_>, call: &mut Call, dialog: DialogId, anew: bool) {
    enter(cx, call, dialog);
    if dialog == DialogId::MAIN || (!anew && matches!(call.phase(), Phase::Ringing | Phase::Open)) {
        return;
    }
    let params = &cx.image.params;
    // A server without a remote host turns to whoever opened the call.
    let peer = params.destination.unwrap_or_else(|| call.peer());
    replace(cx, call, params.flow, peer);
    let number = call.dialogs_mut().map_or(0, |dialogs| {
        dialogs.begun = dialogs.begun.wrapping_add(1);
        dialogs.begun
    });
    let program = &cx.image.program;
    let name = program.bytes(program.dialogs[dialog.index()].name);
    let scratch = &mut cx.shared.scratch;
    call_id::write_dialog(&cx.image.call_id, name, number, call, scratch);
    cx.shared.dialogs.insert(&call.call_id, cx.key, dialog);
    if let Some(front) = call.front_mut() {
        (front.phase, front.ours, front.stage) = (Phase::Open, true, Stage::Nothing);
    }
}

/// Who is to have a request with an unknown Call-ID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Callee {
    /// A dialog of this call begins with it.
    Free(CallKey, DialogId),
    /// Whoever listens for such requests has a dialog under way.
    Busy,
    /// Nobody listens for it.
    Nobody,
}

/// Finds the call that listens for a request: of those that listen for its user or for anyone, the one that has
/// waited longest.
pub(crate) fn callee(image: &Image, shared: &super::Shared, msg: &Message<'_>) -> Callee {
    let StartLine::Request { uri, .. } = msg.start() else {
        return Callee::Nobody;
    };
    if image.accepting.is_empty() {
        return Callee::Nobody;
    }
    let user = user_of(uri);
    let begins = matching::may_begin(msg);
    let (mut free, mut busy) = (None, false);
    for recv in &image.accepting {
        // The ACK of the answer that a busy one gave belongs to nobody else.
        let is_ack = msg.method() == Some(b"ACK");
        let takes = is_ack || (begins && matching::takes_request(image, *recv, msg));
        if !takes {
            continue;
        }
        for user in [Some(user), None] {
            if begins {
                let first = shared.dialogs.first(*recv, user);
                free = [free, first].into_iter().flatten().min();
            }
            busy |= shared.dialogs.is_busy(*recv, user);
        }
    }
    match free {
        Some((_, call, dialog)) => Callee::Free(call, dialog),
        None if busy => Callee::Busy,
        None => Callee::Nobody,
    }
}

/// The user part of a request URI, empty without one; of a `tel` URI its number.
fn user_of(uri: &[u8]) -> &[u8] {
    match SipUri::parse(uri) {
        Some(uri) if uri.scheme.eq_ignore_ascii_case(b"tel") => uri.host,
        Some(uri) => uri.user.unwrap_or_default(),
        None => b"",
    }
}

/// A request of the peer's begins the dialog.
pub(crate) fn begun_by_peer(
    cx: &mut Cx<'_>,
    call: &mut Call,
    dialog: DialogId,
    id: &[u8],
    flow: FlowId,
    peer: SocketAddr,
) {
    let front = call.dialog;
    bring(call, dialog);
    replace(cx, call, flow, peer);
    call.call_id.set(id);
    cx.shared.dialogs.insert(id, cx.key, dialog);
    if let Some(side) = call.front_mut() {
        (side.phase, side.ours, side.stage) = (Phase::Ringing, false, Stage::Nothing);
    }
    bring(call, front);
}

/// Ends what was the dialog in front, and puts a blank one in its place.
fn replace(cx: &mut Cx<'_>, call: &mut Call, flow: FlowId, peer: SocketAddr) {
    let dialog = call.dialog;
    txn::stop(call, &mut cx.shared.buffers);
    if !call.call_id.is_empty() {
        cx.shared.dialogs.remove(&call.call_id, cx.key, dialog);
        let hash = cx.shared.dead.hash(&call.call_id);
        cx.shared.dead.bury(hash, Death::Completed, cx.now);
    }
    forget_kept(cx, call, dialog);
    if let Some(dialogs) = call.dialogs_mut() {
        for listening in &mut dialogs.listening {
            if listening.dialog == dialog {
                listening.listed = cx.shared.dialogs.occupy(listening.listed);
            }
        }
    }
    let cseq = cx.image.params.base_cseq.wrapping_sub(1);
    renew(call, flow, peer, cseq);
}

/// Messages that were kept for a dialog that is over are those of a dead call.
fn forget_kept(cx: &mut Cx<'_>, call: &mut Call, dialog: DialogId) {
    let Some(dialogs) = call.dialogs_mut() else {
        return;
    };
    let (before, mut bytes) = (dialogs.kept.len(), 0);
    dialogs.kept.retain(|kept| {
        let stays = kept.dialog != dialog;
        if !stays {
            bytes += kept.bytes.len();
        }
        stays
    });
    dialogs.kept_bytes -= bytes;
    for _ in dialogs.kept.len()..before {
        cx.stat(StatEvent::DeadCall);
    }
}

/// From now on a request for the user of this receive begins its dialog.
pub(super) fn listen(cx: &mut Cx<'_>, call: &mut Call, recv: RecvId) -> Next {
    let entry = cx.image.program.recvs[recv.index()];
    let dialog = entry.dialog;
    let front = call.dialog;
    enter(cx, call, dialog);
    match call.phase() {
        // It is about to be received.
        Phase::Ringing => {
            bring(call, front);
            return Next::Fall;
        }
        Phase::Open => {
            if let Some(side) = call.front_mut() {
                (side.phase, side.stage) = (Phase::Over, Stage::Nothing);
            }
            txn::stop(call, &mut cx.shared.buffers);
            forget_kept(cx, call, dialog);
        }
        Phase::Idle | Phase::Over => {}
    }
    bring(call, front);
    let user = match entry.accept {
        Some(Accept::User(template)) => match cx.render_action(call, template) {
            Ok(text) => Some(text),
            Err(_) => return Next::Drop(cx.too_large(call)),
        },
        // Verified: it accepts somebody.
        Some(Accept::Anyone) | None => None,
    };
    let Some(dialogs) = call.dialogs_mut() else {
        return Next::Fall;
    };
    let user = user.map(|text| cx.out.bytes(text).to_vec());
    let user = user.as_deref();
    let index = &mut cx.shared.dialogs;
    let known = &mut dialogs.listening;
    match known.iter_mut().find(|listening| listening.recv == recv) {
        Some(known) if index.listens_for(known.listed, user) => {}
        Some(known) => {
            index.forget(known.listed);
            known.listed = index.listen(cx.key, dialog, recv, user);
        }
        None => known.push(Listening {
            dialog,
            recv,
            listed: index.listen(cx.key, dialog, recv, user),
        }),
    }
    Next::Fall
}

/// A call is gone: nothing leads to it any more, and its Call-IDs but the main one are remembered.
pub(crate) fn end(
    shared: &mut super::Shared,
    call: &mut Call,
    key: CallKey,
    death: Option<Death>,
    now: crate::input::Micros,
) {
    let count = call.dialogs().map_or(0, |dialogs| dialogs.sides.len());
    for index in 0..count {
        let Some(dialog) = DialogId::new(index) else {
            break;
        };
        bring(call, dialog);
        txn::stop(call, &mut shared.buffers);
        if dialog == DialogId::MAIN || call.call_id.is_empty() {
            continue;
        }
        shared.dialogs.remove(&call.call_id, key, dialog);
        if let Some(death) = death {
            let hash = shared.dead.hash(&call.call_id);
            shared.dead.bury(hash, death, now);
        }
    }
    if let Some(dialogs) = call.dialogs_mut() {
        for listening in dialogs.listening.drain(..) {
            shared.dialogs.forget(listening.listed);
        }
    }
    bring(call, DialogId::MAIN);
}
