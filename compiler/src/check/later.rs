// SPDX-License-Identifier: AGPL-3.0-only
//! What the language has and this version does not compile yet: refused by name and place, never ignored.

use super::Subject;
use crate::ast::{Action, ActionKind, DefaultMessageId, Exec, Item, Operand, Step, StepKind};
use crate::diag::codes::later as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::schema;
use crate::source::Text;

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
            Item::DefaultMessage(message) => {
                if let Some(id) = message.id
                    && id.value == DefaultMessageId::TwinAbort
                {
                    diagnostics.push(Diagnostic::error(
                        codes::DEFAULT_MESSAGE,
                        id.span,
                        "the default message `3pcc_abort` needs 3PCC, which this version does not have yet",
                    ));
                }
            }
            Item::Label(_) | Item::Declaration(_) | Item::Repartition(_) => {}
        }
    }
}

fn check_step(subject: &Subject<'_>, step: &Step, init: bool, diagnostics: &mut Diagnostics) {
    match &step.kind {
        StepKind::SendCmd(_) | StepKind::RecvCmd(_) => {
            let name = String::from_utf8_lossy(subject.source.slice(step.span));
            let message = format!("`<{name}>` needs 3PCC, which this version does not have yet");
            diagnostics.push(Diagnostic::error(codes::ELEMENT, step.span, message));
        }
        StepKind::Send(send) => {
            if let Some(timeout) = send.timeout_ms {
                diagnostics.push(Diagnostic::warning(
                    codes::SEND_TIMEOUT,
                    timeout.span,
                    "`timeout` of a `<send>` changes nothing over UDP",
                ));
            }
        }
        StepKind::Recv(_) | StepKind::Pause(_) | StepKind::Timewait(_) | StepKind::Nop => {}
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
    let (place, feature) = match &action.kind {
        // What was wrong with it has been said.
        ActionKind::Poisoned { .. } => return,
        ActionKind::Exec(exec) => (exec_text(exec), Some("media")),
        _ => (None, schema::action(&name).and_then(|known| known.later)),
    };
    let feature = feature.unwrap_or("more than this version has");
    let message = format!("this `<{name}>` needs {feature}, which this version does not have yet");
    let place = place.map_or(action.span, |text| text.span());
    diagnostics.push(Diagnostic::error(codes::ACTION, place, message));
}

fn exec_text(exec: &Exec) -> Option<&Text> {
    match exec {
        Exec::Command(text)
        | Exec::PlayPcapAudio(text)
        | Exec::PlayPcapImage(text)
        | Exec::PlayPcapVideo(text)
        | Exec::PlayDtmf(text)
        | Exec::RtpStream(text)
        | Exec::RtpEcho(text) => Some(text),
        Exec::IntCmd(_) => None,
    }
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
        | ActionKind::SetDest { .. }
        | ActionKind::CloseCon
        | ActionKind::Exec(Exec::Command(_) | Exec::IntCmd(_)) => true,
        ActionKind::RtpEcho(_) | ActionKind::Exec(_) | ActionKind::Poisoned { .. } => false,
    }
}
