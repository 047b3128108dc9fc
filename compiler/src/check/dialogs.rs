// SPDX-License-Identifier: AGPL-3.0-only
//! How dialogs begin: with a request that is sent, or with one that is accepted.

use super::{Subject, flow};
use crate::ast::{Expect, Name, Recv, Step, StepKind};
use crate::diag::codes::flow as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::source::Text;
use crate::template::{Head, Piece};
use gossipper_bytecode::Mode;
use std::collections::HashSet;

/// Checks the dialogs of a scenario.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for step in subject.steps {
        match &step.kind {
            StepKind::Recv(recv) => accepts(subject, step, recv, diagnostics),
            StepKind::Send(send) => {
                if let Some(place) = send.new_dialog {
                    renews(subject, step, place, diagnostics);
                }
            }
            StepKind::Pause(_)
            | StepKind::Timewait(_)
            | StepKind::Nop
            | StepKind::SendCmd(_)
            | StepKind::RecvCmd(_) => {}
        }
    }
    first_receive(subject, diagnostics);
    never_begun(subject, diagnostics);
}

/// The dialog of a step, unless it is the main one.
fn named(step: &Step) -> Option<&Name> {
    let name = step.common.dialog.as_ref();
    name.filter(|name| name.bytes != b"main")
}

fn accepts(subject: &Subject<'_>, step: &Step, recv: &Recv, diagnostics: &mut Diagnostics) {
    let Some(text) = &recv.accept else {
        return;
    };
    let place = if text.bytes().is_empty() {
        step.span
    } else {
        text.span()
    };
    if named(step).is_none() {
        diagnostics.push(
            Diagnostic::error(
                codes::DIALOG_NOT_NAMED,
                place,
                "`accept` needs the name of the dialog that begins",
            )
            .help("add `dialog=\"in\"`"),
        );
    }
    match recv.expect {
        Expect::Request(_) | Expect::RequestRegex(_) => {}
        Expect::Response(_) | Expect::ResponseRegex(_) | Expect::Nothing => {
            diagnostics.push(Diagnostic::error(
                codes::ACCEPT_WITHOUT_REQUEST,
                place,
                "`accept` on a `<recv>` of no request",
            ));
        }
    }
    if looks_like_uri(subject, text) {
        diagnostics.push(
            Diagnostic::warning(
                codes::ACCEPT_OF_URI,
                place,
                "`accept` is compared with the user part of the URI alone",
            )
            .help("write what stands between `sip:` and `@`"),
        );
    }
}

/// Whether a text holds what no user part has.
fn looks_like_uri(subject: &Subject<'_>, text: &Text) -> bool {
    let Some(parsed) = subject.texts.get(text) else {
        return false;
    };
    parsed
        .pieces
        .iter()
        .enumerate()
        .any(|(at, piece)| match piece {
            Piece::Literal(bytes) => {
                bytes.contains(&b'@')
                    || (at == 0 && (bytes.starts_with(b"sip:") || bytes.starts_with(b"tel:")))
            }
            Piece::Keyword(_) => false,
        })
}

fn renews(
    subject: &Subject<'_>,
    step: &Step,
    place: crate::source::Span,
    diagnostics: &mut Diagnostics,
) {
    if named(step).is_none() {
        diagnostics.push(
            Diagnostic::error(
                codes::DIALOG_NOT_NAMED,
                place,
                "`new_dialog` needs the name of the dialog that begins anew",
            )
            .note("the main dialog lasts as long as the call"),
        );
    } else if !begins(subject, step) {
        diagnostics.push(Diagnostic::error(
            codes::CANNOT_BEGIN,
            place,
            "`new_dialog` on a message that begins no dialog",
        ));
    }
}

/// Whether the step sends a request that may begin a dialog. What cannot be told counts as one.
fn begins(subject: &Subject<'_>, step: &Step) -> bool {
    let StepKind::Send(send) = &step.kind else {
        return false;
    };
    let head = send.text.as_ref().and_then(|text| subject.texts.get(text));
    match head.map(|parsed| &parsed.head) {
        Some(Head::Request(method)) => method != b"ACK" && method != b"CANCEL",
        Some(Head::Response(_)) => false,
        Some(Head::Text | Head::Poisoned) | None => true,
    }
}

/// A server's call is born of a message, and that belongs to its main dialog.
fn first_receive(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    if flow::mode(subject.steps) != Some(Mode::Server) {
        return;
    }
    let mut receives = subject
        .steps
        .iter()
        .filter(|step| matches!(step.kind, StepKind::Recv(_)));
    if let Some(name) = receives.next().and_then(|step| named(step)) {
        diagnostics.push(
            Diagnostic::error(
                codes::FIRST_OF_ANOTHER,
                name.span,
                "the first message of a server belongs to another dialog than the call",
            )
            .note("the message that opens a call begins its main dialog")
            .help("leave `dialog` out here"),
        );
    }
}

/// Dialogs that are only received.
fn never_begun(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let mut begun: HashSet<&[u8]> = HashSet::new();
    for step in subject.steps {
        let accepts = matches!(&step.kind, StepKind::Recv(recv) if recv.accept.is_some());
        if let Some(name) = named(step)
            && (accepts || begins(subject, step))
        {
            begun.insert(&name.bytes);
        }
    }
    for step in subject.steps {
        if let StepKind::Recv(_) | StepKind::Send(_) = step.kind
            && let Some(name) = named(step)
            && begun.insert(&name.bytes)
        {
            diagnostics.push(
                Diagnostic::warning(
                    codes::NEVER_BEGUN,
                    name.span,
                    format!("the dialog `{}` never begins", quote(&name.bytes)),
                )
                .note("no step of it sends a request, and none accepts one"),
            );
        }
    }
}
