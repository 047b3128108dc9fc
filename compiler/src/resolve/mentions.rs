// SPDX-License-Identifier: AGPL-3.0-only
//! Which variables the attributes of an action name; those inside texts are found there.

use crate::ast::{ActionKind, Name, Operand, SearchIn, TextOperand};

/// The variables that an action names outside its texts.
pub(super) fn of(action: &ActionKind) -> Vec<&Name> {
    let mut names = Vec::new();
    match action {
        ActionKind::Ereg {
            assign_to,
            search_in,
            ..
        } => {
            names.extend(assign_to);
            if let SearchIn::Variable(name) = search_in {
                names.push(name);
            }
        }
        ActionKind::Assign { to, from: value } | ActionKind::Arith { to, by: value, .. } => {
            names.push(to);
            names.extend(operand(value));
        }
        ActionKind::Jump(value) | ActionKind::PauseRestore(value) | ActionKind::RtpEcho(value) => {
            names.extend(operand(value));
        }
        ActionKind::AssignStr { to, .. }
        | ActionKind::Index { to }
        | ActionKind::Sample { to, .. }
        | ActionKind::VerifyAuth { to, .. }
        | ActionKind::Lookup { to, .. } => names.push(to),
        ActionKind::GetTimeOfDay {
            seconds,
            microseconds,
        } => names.extend([seconds, microseconds]),
        ActionKind::ToDouble { to, from } => names.extend([to, from]),
        ActionKind::Test {
            left, right, to, ..
        } => {
            names.push(left);
            names.extend(operand(right));
            names.extend(to);
        }
        ActionKind::StrCmp {
            left, right, to, ..
        } => {
            names.push(left);
            if let TextOperand::Variable(name) = right {
                names.push(name);
            }
            names.extend(to);
        }
        ActionKind::Trim { variable }
        | ActionKind::UrlEncode { variable }
        | ActionKind::UrlDecode { variable } => names.push(variable),
        ActionKind::Poisoned { mentions } => names.extend(mentions),
        ActionKind::Log(_)
        | ActionKind::Warning(_)
        | ActionKind::Error(_)
        | ActionKind::Insert { .. }
        | ActionKind::Replace { .. }
        | ActionKind::Edit { .. }
        | ActionKind::SetDest { .. }
        | ActionKind::CloseCon
        | ActionKind::Exec(_) => {}
    }
    names
}

fn operand(value: &Operand) -> Option<&Name> {
    match value {
        Operand::Literal(_) => None,
        Operand::Variable(name) => Some(name),
    }
}
