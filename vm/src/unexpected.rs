// SPDX-License-Identifier: AGPL-3.0-only
//! What happens when no step takes a message, and how calls are given up.

use crate::call::dialogs::{Stage, bring};
use crate::call::lean::Deadline;
use crate::call::{Call, Wait};
use crate::dead::Death;
use crate::engine::{Verdict, is_invite};
use crate::exec::{Cx, send, twin};
use crate::output::StatEvent;
use crate::render::LastView;
use gossipper_bytecode::{AutoMessage, DialogId, FailReason, Mode, StepId, TemplateId};
use gossipper_sip::Message;

/// What is said of a request that `-aa` answers; its Call-ID follows.
pub(crate) const AUTO_ANSWERED: &[u8] =
    b"Automatic response mode for an unexpected INFO, NOTIFY, OPTIONS or UPDATE for call: ";

/// Requests that `-aa` answers.
pub(crate) fn is_auto_answered(method: &[u8]) -> bool {
    matches!(method, b"INFO" | b"NOTIFY" | b"OPTIONS" | b"UPDATE")
}

/// A message that the scenario does not expect here.
pub(crate) fn unexpected(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>) -> Verdict {
    let params = cx.image.params();
    let behaviors = params.behaviors;
    match msg.method() {
        Some(method @ (b"BYE" | b"CANCEL")) => {
            cx.stat(StatEvent::Unexpected {
                step: call.step,
                code: 0,
            });
            let mut text = if behaviors.abort_unexpected {
                b"Aborting call on an unexpected ".to_vec()
            } else {
                b"Continuing call on an unexpected ".to_vec()
            };
            text.extend_from_slice(method);
            text.extend_from_slice(b" for call: ");
            text.extend_from_slice(&call.call_id);
            cx.warn(&text);
            if !behaviors.abort_unexpected {
                return Verdict::Wait;
            }
            if behaviors.bye {
                auto(cx, call, AutoMessage::Ok, LastView::Whole(msg));
                if let Some(front) = call.front_mut() {
                    // This one is over; the others are not.
                    front.stage = Stage::Nothing;
                    return Verdict::Abort(FailReason::UnexpectedMessage);
                }
            }
            twin::abort(cx, call, LastView::Whole(msg));
            Verdict::Drop(FailReason::UnexpectedMessage)
        }
        Some(b"PING") => {
            // COMPAT(sipp): SIPp answers and then loses the call; its help promises that the call goes on, and here
            // it does (docs/compat.md#unexpected).
            if behaviors.ping_reply {
                auto(cx, call, AutoMessage::Ok, LastView::Whole(msg));
                cx.stat(StatEvent::AutoAnswered);
            }
            Verdict::Wait
        }
        Some(method) if params.auto_answer && is_auto_answered(method) => {
            let mut text = AUTO_ANSWERED.to_vec();
            text.extend_from_slice(&call.call_id);
            cx.warn(&text);
            auto(cx, call, AutoMessage::Ok, LastView::Whole(msg));
            cx.stat(StatEvent::AutoAnswered);
            Verdict::Wait
        }
        _ => refuse(cx, call, msg),
    }
}

/// A message that is unexpected whatever its method: the call is given up, or the message ignored.
pub(crate) fn refuse(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>) -> Verdict {
    let aborts = cx.image.params().behaviors.abort_unexpected;
    count(cx, call, msg);
    warn_unexpected(cx, call, msg, aborts);
    if aborts {
        twin::abort(cx, call, LastView::Kept);
        give_up(cx, call, FailReason::UnexpectedMessage, Some(msg))
    } else {
        Verdict::Wait
    }
}

/// What the scenario's own handler (label `_unexp.main`) makes of an unexpected message.
pub(crate) enum ToHandler {
    /// There is none.
    NoHandler,
    /// The call is in it already.
    Inside,
    /// The call goes on there, and its first `recv` gets the message.
    Entered,
}

/// Leads an unexpected message of any method to the scenario's handler.
///
/// `_unexp.retaddr` gets the index of the interrupted step, `_unexp.pausedaddr` the end of the interrupted pause in ms.
/// COMPAT(sipp): whoever is interrupted at index 0 looks as if no handler ran, and can be interrupted again.
pub(crate) fn to_handler(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>) -> ToHandler {
    let Some(handler) = cx.image.program.handler else {
        return ToHandler::NoHandler;
    };
    if let Some(var) = handler.return_to {
        if cx.value(call, var).as_number() != 0.0 {
            return ToHandler::Inside;
        }
        let index = f64::from(call.step.0);
        let (regs, slot) = cx.slot(call, var);
        regs.set_number(slot, index);
    }
    if let Some(var) = handler.paused_until {
        let until = call
            .pause_until
            .get()
            .map_or(0.0, |at| at.0 as f64 / 1000.0);
        let (regs, slot) = cx.slot(call, var);
        regs.set_number(slot, until);
    }
    call.pause_until = Deadline::NONE;
    call.recv_deadline = Deadline::NONE;
    call.pc = handler.entry;
    call.cold_mut().unexpected = Some(msg.bytes().into());
    ToHandler::Entered
}

/// A message that the scenario has ended without expecting; whether it was answered as `-aa` asks.
pub(crate) fn left_over(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>) -> bool {
    if cx.image.params().auto_answer && msg.method().is_some_and(is_auto_answered) {
        auto(cx, call, AutoMessage::Ok, LastView::Whole(msg));
        cx.stat(StatEvent::AutoAnswered);
        return true;
    }
    count(cx, call, msg);
    let aborts = cx.image.params().behaviors.abort_unexpected;
    warn_unexpected(cx, call, msg, aborts);
    false
}

fn count(cx: &mut Cx<'_>, call: &Call, msg: &Message<'_>) {
    cx.stat(StatEvent::Unexpected {
        step: call.step,
        code: msg.status().map_or(0, |code| code.0),
    });
}

fn warn_unexpected(cx: &mut Cx<'_>, call: &Call, msg: &Message<'_>, aborts: bool) {
    let program = &cx.image.program;
    let step = &program.steps[call.step.index()];
    let expected = program.bytes(step.name);
    let doing: &[u8] = match call.wait {
        Wait::Pause => b"while pausing",
        Wait::Media => b"while checking media",
        Wait::Gate | Wait::Flow => b"while sending '",
        Wait::Message | Wait::Turn => b"while expecting '",
    };
    let mut text = if aborts {
        b"Aborting call".to_vec()
    } else {
        b"Continuing call".to_vec()
    };
    text.extend_from_slice(b" on unexpected message for Call-Id '");
    text.extend_from_slice(&call.call_id);
    text.extend_from_slice(b"': ");
    text.extend_from_slice(doing);
    if doing.ends_with(b"'") {
        text.extend_from_slice(expected);
        text.push(b'\'');
    }
    text.extend_from_slice(format!(" (index {}), received '", call.step).as_bytes());
    text.extend_from_slice(msg.bytes());
    text.push(b'\'');
    cx.warn(&text);
}

/// Ends a call that failed: with the messages its state asks for if the behaviour `bye` is on, silently otherwise.
pub(crate) fn give_up(
    cx: &mut Cx<'_>,
    call: &mut Call,
    reason: FailReason,
    last: Option<&Message<'_>>,
) -> Verdict {
    let death = if cx.image.params().behaviors.bye {
        abort(cx, call, last)
    } else {
        None
    };
    Verdict::Aborted(reason, death)
}

/// Ends every dialog of a call that has several, as its state asks.
fn abort_dialogs(cx: &mut Cx<'_>, call: &mut Call, last: Option<&Message<'_>>) {
    let front = call.dialog;
    let count = call.dialogs().map_or(0, |dialogs| dialogs.sides.len());
    for dialog in (0..count).filter_map(DialogId::new) {
        bring(call, dialog);
        abort_dialog(cx, call, last.filter(|_| dialog == front));
    }
    bring(call, front);
}

/// Ends the dialog in front.
fn abort_dialog(cx: &mut Cx<'_>, call: &mut Call, last: Option<&Message<'_>>) {
    let Some(side) = call.side(call.dialog) else {
        return;
    };
    let (mut stage, ours) = (side.stage, side.ours);
    let answer = last
        .filter(|msg| !msg.is_request() && msg.cseq().is_some_and(|cseq| cseq.method == b"INVITE"));
    if let Some(code) = answer.and_then(Message::status) {
        stage = stage.response(code.0);
    }
    let view = match answer {
        Some(msg) => LastView::Whole(msg),
        None if call.last.present => LastView::Kept,
        None => return,
    };
    // A message of ours that goes the way of the last one, or against it.
    let against = answer.is_none() && call.last.status == 0;
    match (stage, ours) {
        (Stage::Nothing, _) | (Stage::Inviting | Stage::Refused, false) => {}
        (Stage::Inviting, true) => auto(cx, call, AutoMessage::Cancel, view),
        (Stage::Refused, true) => auto(cx, call, AutoMessage::Ack, view),
        (Stage::Answered, true) => {
            auto(cx, call, AutoMessage::Ack, view);
            auto(cx, call, AutoMessage::Bye, view);
        }
        (Stage::Confirmed, _) | (Stage::Answered, false) => {
            match cx.image.program.bye_from_called.filter(|_| against) {
                Some(template) => transmit(cx, call, template, view),
                None => auto(cx, call, AutoMessage::Bye, view),
            }
        }
    }
}

/// Sends ACK, CANCEL or BYE as the state of the call asks, and says what remains of it.
pub(crate) fn abort(cx: &mut Cx<'_>, call: &mut Call, last: Option<&Message<'_>>) -> Option<Death> {
    let death = Some(Death::Aborted(call.step.0));
    if !cx.image.program.dialogs.is_empty() {
        abort_dialogs(cx, call, last);
        return death;
    }
    if cx.image.mode == Mode::Server || call.step == StepId(0) {
        return death;
    }
    // COMPAT(sipp): the headers of these messages come from the last message; SIPp takes them from an unexpected
    // request too and so swaps From and To. If a response was kept before, it is taken instead
    // (docs/compat.md#aborts).
    let view = match last {
        Some(msg) if !(msg.is_request() && call.last.present && call.last.status > 0) => {
            LastView::Whole(msg)
        }
        _ => LastView::Kept,
    };
    let (exists, status) = match view {
        LastView::Whole(msg) => (true, msg.status().map_or(0, |code| code.0)),
        LastView::Kept => (call.last.present, call.last.status),
    };
    let sent_invite = call
        .last_sent
        .get()
        .is_some_and(|send| is_invite(cx.image, send));
    if !exists {
        return death;
    }
    if !call.established && sent_invite {
        if status >= 400 {
            auto(cx, call, AutoMessage::Ack, view);
        } else if call.ack_pending {
            auto(cx, call, AutoMessage::Ack, view);
            auto(cx, call, AutoMessage::Bye, view);
        } else {
            auto(cx, call, AutoMessage::Cancel, view);
        }
    } else {
        auto(cx, call, AutoMessage::Bye, view);
    }
    death
}

/// Sends an automatic message. It goes out once and nothing waits for its answer.
fn auto(cx: &mut Cx<'_>, call: &mut Call, message: AutoMessage, last: LastView<'_>) {
    let template = cx.image.program.auto_template(message);
    transmit(cx, call, template, last);
}

fn transmit(cx: &mut Cx<'_>, call: &mut Call, template: TemplateId, last: LastView<'_>) {
    let branch = i64::from(call.step.0) - 1;
    if let Ok(bytes) = cx.render_message(call, template, last, -1, branch) {
        send::transmit(cx, call, bytes);
    }
}
