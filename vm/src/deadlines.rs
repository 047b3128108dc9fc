// SPDX-License-Identifier: AGPL-3.0-only
//! The one deadline that the driver keeps for a call, and what follows when it has passed.
//!
//! A call has up to three: the repetition of what it sent, the timeout of its receive, the end of its pause. The driver
//! knows the earliest alone. What was armed before and has been replaced meanwhile carries an old generation.

use crate::call::dialogs::bring;
use crate::call::lean::Deadline;
use crate::call::{Call, Wait};
use crate::engine::{Verdict, is_invite};
use crate::exec::{self, Cx};
use crate::input::CallKey;
use crate::output::{OutBuf, Output, StatEvent};
use crate::txn::{self, Expired};
use crate::unexpected;
use gossipper_bytecode::program::{OnTimeout, TwinNeed};
use gossipper_bytecode::{DialogId, FailReason, Op, Pc, StepId};

/// Keeps the driver's deadline for a call in step with the call.
pub(crate) fn rearm(call: &mut Call, key: CallKey, out: &mut OutBuf) {
    let deadline = call.deadline();
    if deadline == call.armed {
        return;
    }
    call.armed = deadline;
    match deadline.get() {
        Some(at) => {
            call.generation = call.generation.wrapping_add(1);
            out.push(Output::Arm {
                call: key,
                at,
                generation: call.generation.into(),
            });
        }
        None => out.push(Output::Disarm { call: key }),
    }
}

/// Handles whichever deadlines of a call have passed.
pub(crate) fn expire(cx: &mut Cx<'_>, call: &mut Call) -> Verdict {
    match repetitions(cx, call) {
        Verdict::Wait => {}
        other => return other,
    }
    if call.recv_deadline.has_come(cx.now) {
        let step = call.recv_step;
        call.recv_deadline = Deadline::NONE;
        if let Some(next) = passed_over(cx, call, step) {
            call.pc = next;
            call.pause_until = Deadline::NONE;
            return Verdict::Run;
        }
        return timed_out(cx, call, step, FailReason::TimeoutOnRecv);
    }
    if call.pause_until.has_come(cx.now) && call.wait == Wait::Pause {
        return Verdict::Run;
    }
    Verdict::Wait
}

/// Repeats what has not been answered, in every dialog of the call.
fn repetitions(cx: &mut Cx<'_>, call: &mut Call) -> Verdict {
    let front = call.dialog;
    let first = repetition(cx, call);
    if first != Verdict::Wait {
        return first;
    }
    let count = call.dialogs().map_or(0, |dialogs| dialogs.sides.len());
    for dialog in (0..count).filter_map(DialogId::new) {
        let due = call
            .side(dialog)
            .and_then(|side| side.parked.repeat.as_ref())
            .is_some_and(|repeat| repeat.at <= cx.now);
        if due && dialog != front {
            bring(call, dialog);
            let verdict = repetition(cx, call);
            bring(call, front);
            if verdict != Verdict::Wait {
                return verdict;
            }
        }
    }
    Verdict::Wait
}

fn repetition(cx: &mut Cx<'_>, call: &mut Call) -> Verdict {
    if let Some(repeat) = &mut call.repeat
        && repeat.at <= cx.now
    {
        let id = repeat.send;
        let send = cx.image.program.sends[id.index()];
        let is_invite = is_invite(cx.image, id);
        match txn::expired(repeat, is_invite, cx.image.params()) {
            Expired::Again => exec::send::repeat(cx, call, id),
            Expired::Exhausted => {
                txn::stop(call, &mut cx.shared.buffers);
                return timed_out(cx, call, send.step, FailReason::MaxUdpRetrans);
            }
        }
    }
    Verdict::Wait
}

/// Behind an optional `recvCmd` that has waited in vain, where the scenario or the run
/// ([`crate::RunParams::optional_command_ms`]) gives it a time.
fn passed_over(cx: &Cx<'_>, call: &Call, step: StepId) -> Option<Pc> {
    if call.step != step {
        return None;
    }
    let program = &cx.image.program;
    let here = &program.steps[step.index()];
    let recv = &program.twin_recvs[here.command?.index()];
    let lacking = match recv.need {
        TwinNeed::Must => false,
        TwinNeed::MayBePassed => cx.image.params.optional_command_ms > 0,
        TwinNeed::MayLack => true,
    };
    if !lacking || recv.step != Some(step) || here.on_timeout != OnTimeout::Fail {
        return None;
    }
    match program.steps.get(step.index() + 1) {
        Some(next) => Some(next.entry),
        // Verified: the ops of the last step end with `end`.
        None => {
            let behind = program.ops[recv.entry.index()..].iter();
            let end = behind.take_while(|op| !matches!(op, Op::End {})).count();
            Pc::new(recv.entry.index() + end)
        }
    }
}

/// A timeout of a step: its `ontimeout`, or the end of the call.
fn timed_out(cx: &mut Cx<'_>, call: &mut Call, step: StepId, reason: FailReason) -> Verdict {
    cx.stat(StatEvent::TimedOut { step });
    let on_timeout = cx.image.program.steps[step.index()].on_timeout;
    warn_timed_out(cx, call, reason, on_timeout);
    if let OnTimeout::Goto(pc) = on_timeout {
        call.pc = pc;
        call.pause_until = Deadline::NONE;
        return Verdict::Run;
    }
    unexpected::give_up(cx, call, reason, None)
}

/// Says what came too late, in the words that SIPp's logs are searched for.
fn warn_timed_out(cx: &mut Cx<'_>, call: &Call, reason: FailReason, on_timeout: OnTimeout) {
    let program = &cx.image.program;
    let label = match on_timeout {
        OnTimeout::Goto(pc) => {
            let reached = |step: &&gossipper_bytecode::Step| step.entry.index() < pc.index();
            Some(program.steps.iter().take_while(reached).count())
        }
        OnTimeout::Fail => None,
    };
    let id = String::from_utf8_lossy(&call.call_id);
    let (name, index) = (&program.name, call.step);
    let text = match (reason, label) {
        (FailReason::MaxUdpRetrans, Some(label)) => format!(
            "Call-Id: {id}, timeout on max UDP retrans for message {index}, jumping to label {label}"
        ),
        (FailReason::MaxUdpRetrans, None) => {
            format!("Aborting call on UDP retransmission timeout for Call-ID '{id}'")
        }
        (_, Some(label)) => format!(
            "Call-Id: {id}, receive timeout on message {name}:{index}, jumping to label {label}"
        ),
        (_, None) => format!(
            "Call-Id: {id}, receive timeout on message {name}:{index} without label to jump to (ontimeout attribute): \
             aborting call"
        ),
    };
    cx.warn(text.as_bytes());
}
