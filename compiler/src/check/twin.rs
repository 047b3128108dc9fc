// SPDX-License-Identifier: AGPL-3.0-only
//! Commands that a twin could not use: no call, no sender, no peer.

use super::Subject;
use crate::ast::{SendCmd, Step, StepKind};
use crate::diag::codes::twin as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::template::Piece;

/// Checks the commands of a scenario.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for step in subject.steps {
        if let StepKind::SendCmd(send) = &step.kind {
            lines(subject, step, send, diagnostics);
        }
    }
    let named = subject.steps.iter().find(|step| peer(step) == Some(true));
    let unnamed = subject.steps.iter().find(|step| peer(step) == Some(false));
    if let (Some(named), Some(unnamed)) = (named, unnamed) {
        let message = match unnamed.kind {
            StepKind::SendCmd(_) => "this command does not say for which peer it is",
            _ => "this does not say which peer the command comes from",
        };
        diagnostics.push(
            Diagnostic::warning(codes::PEER_MISSING, unnamed.span, message)
                .with(named.span, "this one does"),
        );
    }
}

/// Whether a command names its peer; `None` for other steps.
fn peer(step: &Step) -> Option<bool> {
    match &step.kind {
        StepKind::SendCmd(send) => Some(send.dest.is_some()),
        StepKind::RecvCmd(recv) => Some(recv.src.is_some()),
        StepKind::Send(_)
        | StepKind::Recv(_)
        | StepKind::Pause(_)
        | StepKind::Timewait(_)
        | StepKind::Nop => None,
    }
}

/// Looks for the lines that the receiver of a command reads.
fn lines(subject: &Subject<'_>, step: &Step, send: &SendCmd, diagnostics: &mut Diagnostics) {
    let Some(parsed) = send.text.as_ref().and_then(|text| subject.texts.get(text)) else {
        return;
    };
    // A keyword may print whole lines, but not where no line begins.
    let mut text = Vec::new();
    let mut keyword_begins_a_line = false;
    for piece in &parsed.pieces {
        match piece {
            Piece::Literal(literal) => text.extend_from_slice(literal),
            Piece::Keyword(_) => {
                keyword_begins_a_line |= text.last().is_none_or(|last| *last == b'\n');
                text.push(b'?');
            }
        }
    }
    if keyword_begins_a_line {
        return;
    }
    let has = |names: &[&str]| {
        text.split(|byte| *byte == b'\n').any(|line| {
            let colon = line.iter().position(|byte| *byte == b':');
            colon.is_some_and(|colon| {
                let name = line[..colon].trim_ascii_end();
                names
                    .iter()
                    .any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes()))
            })
        })
    };
    if !has(&["Call-ID", "i"]) {
        diagnostics.push(
            Diagnostic::warning(
                codes::NO_CALL_ID,
                step.span,
                "the twin cannot tell which call this command is for",
            )
            .help("begin it with `Call-ID: [call_id]`"),
        );
    }
    if send.dest.is_some() && !has(&["From"]) {
        diagnostics.push(
            Diagnostic::warning(
                codes::NO_FROM,
                step.span,
                "the peer cannot tell whom this command comes from",
            )
            .help("add a line `From:` with the name of this instance"),
        );
    }
}
