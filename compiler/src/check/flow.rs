// SPDX-License-Identifier: AGPL-3.0-only
//! Who opens calls, pauses, default messages, and steps that nothing leads to.

use super::Subject;
use crate::ast::{
    DefaultMessageId, Distribution, Expect, Item, Pause, PauseLength, Step, StepKind,
};
use crate::diag::codes::flow as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::template::Head;
use gossipper_bytecode::Mode;

/// Longest pause that passes for sane, in ms.
const LONGEST_PAUSE_MS: f64 = 2_147_483_647.0;

/// Most steps: an index of a step has 16 bits.
const MAX_STEPS: usize = 0xFFFF;

/// Who opens calls; `None` for a scenario without messages.
pub(crate) fn mode(steps: &[&Step]) -> Option<Mode> {
    steps.iter().find_map(|step| match step.kind {
        StepKind::Send(_) | StepKind::SendCmd(_) => Some(Mode::Client),
        StepKind::Recv(_) | StepKind::RecvCmd(_) => Some(Mode::Server),
        StepKind::Pause(_) | StepKind::Timewait(_) | StepKind::Nop => None,
    })
}

/// Checks the flow of a scenario.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    if let Some(step) = subject.steps.get(MAX_STEPS) {
        let message = format!("the scenario has more than {MAX_STEPS} steps");
        diagnostics.push(Diagnostic::error(codes::TOO_LARGE, step.span, message));
    }
    if mode(subject.steps).is_none() && !subject.steps.is_empty() {
        diagnostics.push(Diagnostic::error(
            codes::NO_MODE,
            subject.scenario.span,
            "the scenario neither sends nor receives",
        ));
    }
    for step in subject.steps {
        match &step.kind {
            StepKind::Pause(pause) | StepKind::Timewait(pause) => {
                check_pause(step, pause, diagnostics);
            }
            StepKind::Send(_)
            | StepKind::Recv(_)
            | StepKind::Nop
            | StepKind::SendCmd(_)
            | StepKind::RecvCmd(_) => {}
        }
    }
    default_messages(subject, diagnostics);
    responses_without_request(subject, diagnostics);
    // With an undefined label or an unread element a path is missing, and this would blame the wrong step.
    if !diagnostics.is_incomplete() {
        unreachable_steps(subject, diagnostics);
    }
}

fn check_pause(step: &Step, pause: &Pause, diagnostics: &mut Diagnostics) {
    let (dist, span) = match &pause.length {
        PauseLength::Default | PauseLength::Variable(_) | PauseLength::Poisoned => return,
        PauseLength::Milliseconds(value) => {
            (Distribution::Fixed { value: value.value }, value.span)
        }
        PauseLength::Distribution(found) => (found.value, found.span),
    };
    if let Err(reason) = dist.check() {
        diagnostics.push(
            Diagnostic::error(codes::DISTRIBUTION, span, reason).with(step.span, "in this step"),
        );
        return;
    }
    let longest = dist.percentile_99();
    if pause.sanity_check && (longest > LONGEST_PAUSE_MS || longest.is_nan()) {
        diagnostics.push(
            Diagnostic::error(
                codes::PAUSE_TOO_LONG,
                span,
                "the pause is longer than 2147483647 ms",
            )
            .help("if that is meant, add `sanity_check=\"false\"`"),
        );
    }
}

fn default_messages(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for item in &subject.scenario.items {
        let Item::DefaultMessage(message) = item else {
            continue;
        };
        let (Some(id), Some(text)) = (message.id, &message.text) else {
            continue;
        };
        let commands =
            |step: &&Step| matches!(step.kind, StepKind::SendCmd(_) | StepKind::RecvCmd(_));
        if id.value == DefaultMessageId::TwinAbort && !subject.steps.iter().any(commands) {
            diagnostics.push(
                Diagnostic::warning(
                    codes::NEVER_SENT,
                    id.span,
                    "the default message `3pcc_abort` is never sent",
                )
                .note("the scenario has no `<sendCmd>` and no `<recvCmd>`, and so no twin"),
            );
            continue;
        }
        let is_request = match subject.texts.get(text).map(|parsed| &parsed.head) {
            Some(Head::Request(_)) => true,
            Some(Head::Response(_)) => false,
            Some(Head::Text | Head::Poisoned) | None => continue,
        };
        let wants_request = match id.value {
            DefaultMessageId::Ack | DefaultMessageId::Bye | DefaultMessageId::Cancel => true,
            DefaultMessageId::Ok200 => false,
            DefaultMessageId::TwinAbort => continue,
            DefaultMessageId::Ack2 => {
                diagnostics.push(Diagnostic::warning(
                    codes::NEVER_SENT,
                    id.span,
                    "the default message `ack2` is never sent",
                ));
                continue;
            }
        };
        if is_request != wants_request {
            let wanted = if wants_request { "request" } else { "response" };
            diagnostics.push(Diagnostic::error(
                codes::WRONG_DEFAULT_MESSAGE,
                id.span,
                format!("this default message must be a {wanted}"),
            ));
        }
    }
}

fn responses_without_request(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for (index, step) in subject.steps.iter().enumerate() {
        match &step.kind {
            StepKind::Send(send) => {
                let head = send.text.as_ref().and_then(|text| subject.texts.get(text));
                let plain = send.start_txn.is_none() && send.ack_txn.is_none();
                let may_be_request =
                    !matches!(head.map(|parsed| &parsed.head), Some(Head::Response(_)));
                if plain && may_be_request {
                    return;
                }
            }
            StepKind::Recv(recv) => {
                let answer = matches!(recv.expect, Expect::Response(_) | Expect::ResponseRegex(_));
                if answer && recv.response_txn.is_none() && index > 0 {
                    diagnostics.push(
                        Diagnostic::warning(
                            codes::NEVER_MATCHES,
                            step.span,
                            "this response can never match",
                        )
                        .note("no request is sent above, and a response must belong to one"),
                    );
                }
            }
            StepKind::Pause(_)
            | StepKind::Timewait(_)
            | StepKind::Nop
            | StepKind::SendCmd(_)
            | StepKind::RecvCmd(_) => {}
        }
    }
}

fn unreachable_steps(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let reached = subject.graph.reachable(subject.steps, subject.receives);
    let mut before = true;
    for (step, reached) in subject.steps.iter().zip(reached) {
        // Of several in a row the first is enough.
        if !reached && before {
            diagnostics.push(
                Diagnostic::warning(codes::UNREACHABLE, step.span, "nothing leads to this step")
                    .note("the step above goes elsewhere, and no step goes to a label here"),
            );
        }
        before = reached;
    }
}
