// SPDX-License-Identifier: AGPL-3.0-only
//! What the language has and this version does not compile yet: refused by name and place, never ignored.

use super::Subject;
use crate::ast::{Action, ActionKind, Item, Operand, Step, StepKind};
use crate::diag::codes::later as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::schema;

/// Reports everything that belongs to a later version.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for item in &subject.scenario.items {
        match item {
            Item::Step(step) => check_step(subject, step, false, diagnostics),
            Item::Init(init) => {
                for item in &init.items {
                    if let Item::Step(step) = item {
                        check_step(subject, step, true, diagnostics);
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

fn check_step(subject: &Subject<'_>, step: &Step, init: bool, diagnostics: &mut Diagnostics) {
    match &step.kind {
        StepKind::Send(send) => {
            if let Some(timeout) = send.timeout_ms {
                diagnostics.push(Diagnostic::warning(
                    codes::SEND_TIMEOUT,
                    timeout.span,
                    "`timeout` of a `<send>` changes nothing over UDP",
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
    for action in step.actions.iter().flat_map(|actions| &actions.list) {
        check_action(subject, action, init, diagnostics);
    }
}

fn check_action(subject: &Subject<'_>, action: &Action, init: bool, diagnostics: &mut Diagnostics) {
    if let ActionKind::Jump(Operand::Variable(name)) = &action.kind
        && init
    {
        diagnostics.push(Diagnostic::error(
            codes::INIT_JUMP,
            name.span,
            "a jump to a variable in `<init>` needs a later version",
        ));
    }
    if is_supported(&action.kind) {
        return;
    }
    let name = String::from_utf8_lossy(subject.source.slice(action.span));
    // What was wrong with it has been said.
    if let ActionKind::Poisoned { .. } = action.kind {
        return;
    }
    let feature = schema::action(&name).and_then(|known| known.later);
    let feature = feature.unwrap_or("more than this version has");
    let message = format!("this `<{name}>` needs {feature}, which this version does not have yet");
    diagnostics.push(Diagnostic::error(codes::ACTION, action.span, message));
}

/// Whether the machine of this version has the action.
fn is_supported(action: &ActionKind) -> bool {
    match action {
        ActionKind::Ereg { .. }
        | ActionKind::Log(_)
        | ActionKind::Warning(_)
        | ActionKind::Assign { .. }
        | ActionKind::AssignStr { .. }
        | ActionKind::GetTimeOfDay { .. }
        | ActionKind::Jump(_)
        | ActionKind::Arith { .. }
        | ActionKind::ToDouble { .. }
        | ActionKind::Test { .. }
        | ActionKind::StrCmp { .. }
        | ActionKind::Error(_)
        | ActionKind::Index { .. }
        | ActionKind::PauseRestore(_)
        | ActionKind::Sample { .. }
        | ActionKind::Trim { .. }
        | ActionKind::UrlEncode { .. }
        | ActionKind::UrlDecode { .. }
        | ActionKind::Lookup { .. }
        | ActionKind::Insert { .. }
        | ActionKind::Replace { .. }
        | ActionKind::VerifyAuth { .. }
        | ActionKind::RtpEcho(_)
        | ActionKind::Exec(_) => true,
        ActionKind::SetDest { .. } | ActionKind::CloseCon | ActionKind::Poisoned { .. } => false,
    }
}
