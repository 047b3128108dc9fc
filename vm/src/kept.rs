// SPDX-License-Identifier: AGPL-3.0-only
//! Messages for which it is too early: the call waits at a step of another dialog.
//!
//! They are handed over in the order they came in, each when the call waits for a message of its dialog. Not here: what
//! a message is once its turn has come ([`crate::receive`]).
//!
//! Invariants: a call keeps at most [`MAX_MESSAGES`] and [`MAX_BYTES`], whatever its peers send.

use crate::call::Fingerprint;
use crate::call::dialogs::Kept;
use crate::call::{Call, Wait};
use crate::engine::{Verdict, is_invite};
use crate::exec::Cx;
use crate::output::StatEvent;
use crate::{txn, unexpected};
use gossipper_bytecode::{DialogId, FailReason, TemplateKind};
use gossipper_sip::Message;

/// Most messages that a call keeps.
const MAX_MESSAGES: usize = 32;

/// Most bytes that it keeps; one message of any size always fits.
const MAX_BYTES: usize = 65_536;

/// Whether the place where a call waits is one of this dialog: its step belongs to it, or a receive that may match.
pub(crate) fn is_awaited(cx: &Cx<'_>, call: &Call, dialog: DialogId) -> bool {
    let program = &cx.image.program;
    let mut window = program.steps[call.step.index()].set.forward();
    call.dialog == dialog || window.any(|id| program.recvs[id.index()].dialog == dialog)
}

/// Whether earlier messages of this dialog are kept, and whether this is one of them.
pub(crate) fn among(call: &Call, dialog: DialogId, fingerprint: Fingerprint) -> (bool, bool) {
    let kept = call.dialogs().into_iter().flat_map(|dialogs| &dialogs.kept);
    kept.filter(|kept| kept.dialog == dialog)
        .fold((false, false), |(_, same), kept| {
            (true, same || kept.fingerprint == fingerprint)
        })
}

/// Keeps a message of the dialog in front.
pub(crate) fn keep(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>, fingerprint: Fingerprint) {
    let dialog = call.dialog;
    let bytes = msg.bytes();
    let Some(dialogs) = call.dialogs_mut() else {
        return;
    };
    let full = dialogs.kept.len() >= MAX_MESSAGES
        || (!dialogs.kept.is_empty() && dialogs.kept_bytes + bytes.len() > MAX_BYTES);
    if full {
        cx.stat(StatEvent::Unexpected {
            step: call.step,
            code: msg.status().map_or(0, |code| code.0),
        });
        let mut text =
            b"Discarding a message for a dialog that the call does not come to, Call-Id '".to_vec();
        text.extend_from_slice(&call.call_id);
        text.push(b'\'');
        cx.warn(&text);
        return;
    }
    dialogs.kept_bytes += bytes.len();
    dialogs.kept.push_back(Kept {
        dialog,
        fingerprint,
        bytes: bytes.into(),
    });
    quiet(cx, call, msg);
}

/// What is answered is not repeated, though no step has seen the answer yet.
fn quiet(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>) {
    let Some(repeat) = &mut call.repeat else {
        return;
    };
    let program = &cx.image.program;
    let send = program.sends[repeat.send.index()];
    let sent = program.templates[send.template.index()].kind;
    match (msg.status(), msg.cseq(), sent) {
        (Some(code), Some(cseq), TemplateKind::Request { method })
            if cseq.number == call.cseq && cseq.method == program.bytes(method) =>
        {
            if code.is_provisional() && !is_invite(cx.image, repeat.send) {
                txn::provisional(repeat, cx.image.params(), cx.now);
            } else {
                txn::stop(call, &mut cx.shared.buffers);
            }
        }
        (None, _, TemplateKind::Response { .. }) if msg.method() == Some(b"ACK") => {
            txn::stop(call, &mut cx.shared.buffers);
        }
        _ => {}
    }
}

/// Takes the first kept message whose dialog the call waits for now.
pub(crate) fn next(cx: &Cx<'_>, call: &mut Call) -> Option<Kept> {
    if call.wait != Wait::Message {
        return None;
    }
    let kept = &call.dialogs()?.kept;
    let at = kept
        .iter()
        .position(|kept| is_awaited(cx, call, kept.dialog))?;
    let dialogs = call.dialogs_mut()?;
    let kept = dialogs.kept.remove(at)?;
    dialogs.kept_bytes -= kept.bytes.len();
    Some(kept)
}

/// The scenario has come to its end: what is still kept was never expected.
pub(crate) fn left_over(cx: &mut Cx<'_>, call: &mut Call) -> Verdict {
    let Some(dialogs) = call.dialogs_mut() else {
        return Verdict::Complete;
    };
    let left = core::mem::take(&mut dialogs.kept);
    dialogs.kept_bytes = 0;
    let mut verdict = Verdict::Complete;
    for kept in left {
        let Ok(msg) = Message::parse(&kept.bytes) else {
            continue;
        };
        crate::call::dialogs::bring(call, kept.dialog);
        if !unexpected::left_over(cx, call, &msg) && cx.image.params().behaviors.abort_unexpected {
            verdict = Verdict::Abort(FailReason::UnexpectedMessage);
        }
    }
    match verdict {
        Verdict::Abort(reason) => unexpected::give_up(cx, call, reason, None),
        other => other,
    }
}
