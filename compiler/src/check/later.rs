// SPDX-License-Identifier: AGPL-3.0-only
//! What the language has and this version does not compile yet: refused by name and place, never ignored.

use super::Subject;
use crate::ast::{Item, Step, StepKind};
use crate::diag::codes::later as codes;
use crate::diag::{Diagnostic, Diagnostics};

/// Reports everything that belongs to a later version.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for item in &subject.scenario.items {
        match item {
            Item::Step(step) => check_step(step, diagnostics),
            Item::Init(init) => {
                for item in &init.items {
                    if let Item::Step(step) = item {
                        check_step(step, diagnostics);
                    }
                }
            }
            Item::DefaultMessage(_)
            | Item::Label(_)
            | Item::Declaration(_)
            | Item::Repartition(_) => {}
        }
    }
}

fn check_step(step: &Step, diagnostics: &mut Diagnostics) {
    match &step.kind {
        StepKind::Send(send) => {
            if let Some(timeout) = send.timeout_ms {
                diagnostics.push(Diagnostic::warning(
                    codes::SEND_TIMEOUT,
                    timeout.span,
                    "`timeout` of a single `<send>` is not looked at",
                ));
            }
        }
        StepKind::Recv(_)
        | StepKind::Pause(_)
        | StepKind::Timewait(_)
        | StepKind::Nop
        | StepKind::SendCmd(_)
        | StepKind::RecvCmd(_) => {}
    }
}
