// SPDX-License-Identifier: AGPL-3.0-only
//! Labels, timers and variables without their other half.

use super::Subject;
use crate::ast::{
    Action, ActionKind, Check, DeclarationKind, Item, Name, Operand, PauseLength, SearchIn, Step,
    StepKind, TextOperand,
};
use crate::diag::codes::lint as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::source::Span;
use crate::template::action_texts;
use std::collections::{HashMap, HashSet};

/// Names that the machine itself reads or writes begin so.
const OWN: &[u8] = b"_unexp.";

/// The throw-away variable.
const ANONYMOUS: &[u8] = b"_";

/// Looks at names.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    labels(subject, diagnostics);
    for (rtd, span) in subject.names.rtds.never_started() {
        diagnostics.push(
            Diagnostic::advice(
                codes::RTD_NOT_STARTED,
                span,
                format!(
                    "response timer `{}` is never started and counts from the beginning of the call",
                    quote(&rtd.name)
                ),
            )
            .help("add `start_rtd` to the step from which the time counts"),
        );
    }
    variables(subject, diagnostics);
}

fn labels(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let named = subject
        .steps
        .iter()
        .flat_map(|step| [&step.common.next, &step.common.ontimeout]);
    let used: HashSet<&[u8]> = named.flatten().map(|name| &name.bytes[..]).collect();
    for (name, span, _) in subject.names.labels.iter() {
        if !name.starts_with(OWN) && !used.contains(name) {
            diagnostics.push(
                Diagnostic::advice(
                    codes::UNUSED_LABEL,
                    span,
                    format!("no step goes to label `{}`", quote(name)),
                )
                .help("name it in a `next` or `ontimeout`, or remove it"),
            );
        }
    }
}

/// How a variable is used.
#[derive(Default)]
struct Use {
    /// First places where it is written and read.
    written: Option<Span>,
    read: Option<Span>,
    /// It lives longer than a call, is named in a `Reference`, or a check is what it is for.
    excused: bool,
}

#[derive(Default)]
struct Uses<'a> {
    by_name: HashMap<&'a [u8], Use>,
}

impl<'a> Uses<'a> {
    fn of(&mut self, name: &'a Name) -> &mut Use {
        self.by_name.entry(&name.bytes).or_default()
    }

    fn read(&mut self, name: &'a Name) {
        self.of(name).read.get_or_insert(name.span);
    }

    fn write(&mut self, name: &'a Name) {
        self.of(name).written.get_or_insert(name.span);
    }

    fn operand(&mut self, operand: &'a Operand) {
        if let Operand::Variable(name) = operand {
            self.read(name);
        }
    }

    fn step(&mut self, subject: &Subject<'a>, step: &'a Step) {
        let common = &step.common;
        for name in [&common.condexec, &common.test].into_iter().flatten() {
            self.read(name);
        }
        let text = match &step.kind {
            StepKind::Send(send) => send.text.as_ref(),
            StepKind::SendCmd(send) => send.text.as_ref(),
            StepKind::Pause(pause) | StepKind::Timewait(pause) => {
                if let PauseLength::Variable(name) = &pause.length {
                    self.read(name);
                }
                None
            }
            StepKind::Recv(_) | StepKind::Nop | StepKind::RecvCmd(_) => None,
        };
        for name in text
            .and_then(|text| subject.texts.get(text))
            .iter()
            .flat_map(|p| p.variables())
        {
            self.read(name);
        }
        for action in step.actions.iter().flat_map(|actions| &actions.list) {
            self.action(action);
            for text in action_texts(&action.kind) {
                for name in subject.texts.get(text).iter().flat_map(|p| p.variables()) {
                    self.read(name);
                }
            }
        }
    }

    fn action(&mut self, action: &'a Action) {
        match &action.kind {
            ActionKind::Ereg {
                assign_to,
                search_in,
                check,
                ..
            } => {
                for name in assign_to {
                    self.write(name);
                    self.of(name).excused |= *check != Check::None;
                }
                if let SearchIn::Variable(name) = search_in {
                    self.read(name);
                }
            }
            ActionKind::Assign { to, from } => {
                self.operand(from);
                self.write(to);
            }
            // It reads its target too, but only to write it again.
            ActionKind::Arith { to, by, .. } => {
                self.operand(by);
                self.write(to);
            }
            ActionKind::Jump(value)
            | ActionKind::PauseRestore(value)
            | ActionKind::RtpEcho(value) => self.operand(value),
            ActionKind::AssignStr { to, .. }
            | ActionKind::Index { to }
            | ActionKind::Sample { to, .. }
            | ActionKind::VerifyAuth { to, .. }
            | ActionKind::Lookup { to, .. } => self.write(to),
            ActionKind::GetTimeOfDay {
                seconds,
                microseconds,
            } => {
                // Both must be named, and often one is wanted.
                for name in [seconds, microseconds] {
                    self.write(name);
                    self.of(name).excused = true;
                }
            }
            ActionKind::ToDouble { to, from } => {
                self.read(from);
                self.write(to);
            }
            ActionKind::Test {
                left,
                right,
                to,
                check,
                ..
            } => {
                self.read(left);
                self.operand(right);
                if let Some(to) = to {
                    self.write(to);
                    self.of(to).excused |= *check != Check::None;
                }
            }
            ActionKind::StrCmp {
                left,
                right,
                to,
                check,
            } => {
                self.read(left);
                if let TextOperand::Variable(name) = right {
                    self.read(name);
                }
                if let Some(to) = to {
                    self.write(to);
                    self.of(to).excused |= *check != Check::None;
                }
            }
            ActionKind::Trim { variable }
            | ActionKind::UrlEncode { variable }
            | ActionKind::UrlDecode { variable } => self.write(variable),
            ActionKind::Poisoned { mentions } => {
                for name in mentions {
                    self.of(name).excused = true;
                }
            }
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
    }
}

fn variables(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let mut uses = Uses::default();
    let mut shared: HashSet<&[u8]> = HashSet::new();
    for item in &subject.scenario.items {
        match item {
            Item::Step(step) => uses.step(subject, step),
            Item::Init(init) => {
                for item in &init.items {
                    if let Item::Step(step) = item {
                        uses.step(subject, step);
                    }
                }
            }
            Item::Declaration(declaration) => {
                for name in &declaration.names {
                    match declaration.kind {
                        DeclarationKind::Reference => uses.of(name).excused = true,
                        DeclarationKind::Global | DeclarationKind::User => {
                            shared.insert(&name.bytes);
                        }
                    }
                }
            }
            Item::DefaultMessage(message) => {
                let parsed = message
                    .text
                    .as_ref()
                    .and_then(|text| subject.texts.get(text));
                for name in parsed.iter().flat_map(|parsed| parsed.variables()) {
                    uses.read(name);
                }
            }
            Item::Label(_) | Item::Repartition(_) => {}
        }
    }
    let mut found: Vec<(&[u8], Use)> = uses.by_name.into_iter().collect();
    found.sort_unstable_by_key(|(name, _)| *name);
    for (name, used) in found {
        if used.excused || name == ANONYMOUS || name.starts_with(OWN) {
            continue;
        }
        let shown = quote(name);
        match (used.written, used.read) {
            (Some(written), None) => diagnostics.push(
                Diagnostic::advice(
                    codes::NEVER_READ,
                    written,
                    format!("variable `{shown}` is written and never read"),
                )
                .help("use `_` for a value that nobody needs"),
            ),
            // A shared one may be set from outside with `-set`.
            (None, Some(read)) if !shared.contains(name) => diagnostics.push(
                Diagnostic::warning(
                    codes::NEVER_WRITTEN,
                    read,
                    format!("variable `{shown}` is read and never written"),
                )
                .note("it is empty in every call: a `test` of it never holds, a keyword prints nothing")
                .help("assign it in an action, or declare it with `<Global>` and give `-set` its value"),
            ),
            (Some(_), Some(_)) | (None, _) => {}
        }
    }
}
