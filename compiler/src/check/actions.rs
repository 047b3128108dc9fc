// SPDX-License-Identifier: AGPL-3.0-only
//! Regular expressions and jumps.

use super::Subject;
use crate::ast::{Action, ActionKind, Expect, Item, Operand, SearchIn, Step, StepKind};
use crate::diag::codes::action as codes;
use crate::diag::codes::flow::{DISTRIBUTION, TOO_LARGE};
use crate::diag::{Diagnostic, Diagnostics};
use crate::ere::{self, Finding, Translated};
use crate::graph::jump_target;
use crate::source::{Span, Text};
use std::collections::HashMap;

/// The translated regular expressions, found again by their place in the file.
#[derive(Debug, Default)]
pub(crate) struct Regexes {
    translated: HashMap<Span, Translated>,
}

impl Regexes {
    /// The translation of an expression; `None` when it was refused.
    pub(crate) fn get(&self, text: &Text) -> Option<&Translated> {
        self.translated.get(&text.span())
    }
}

/// Where actions stand.
#[derive(Clone, Copy)]
struct Place<'a> {
    step: &'a Step,
    /// Index of the step in its section.
    index: usize,
    /// Number of steps of the section.
    steps: usize,
}

/// Checks the actions of every step.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) -> Regexes {
    let mut checker = Checker {
        diagnostics,
        regexes: Regexes::default(),
        built: HashMap::new(),
    };
    for (index, step) in subject.steps.iter().enumerate() {
        checker.step(Place {
            step,
            index,
            steps: subject.steps.len(),
        });
    }
    for item in &subject.scenario.items {
        if let Item::Init(init) = item {
            let steps: Vec<_> = init
                .items
                .iter()
                .filter_map(|item| match item {
                    Item::Step(step) => Some(&**step),
                    _ => None,
                })
                .collect();
            for (index, step) in steps.iter().enumerate() {
                checker.step(Place {
                    step,
                    index,
                    steps: steps.len(),
                });
            }
        }
    }
    checker.regexes
}

/// Most different expressions: each may cost the engine some megabytes and milliseconds.
const MAX_EXPRESSIONS: usize = 4096;

struct Checker<'a> {
    diagnostics: &'a mut Diagnostics,
    regexes: Regexes,
    /// Translations by text: building one costs more than looking it up.
    built: HashMap<Vec<u8>, Result<Translated, ere::EreError>>,
}

impl Checker<'_> {
    fn step(&mut self, place: Place<'_>) {
        if let StepKind::Recv(recv) = &place.step.kind {
            match &recv.expect {
                Expect::RequestRegex(text) | Expect::ResponseRegex(text) => {
                    // Only whether it matches counts here, and that is the same in both engines.
                    self.regex(text, false);
                }
                Expect::Request(_) | Expect::Response(_) | Expect::Nothing => {}
            }
        }
        for action in place.step.actions.iter().flat_map(|actions| &actions.list) {
            self.action(place, action);
        }
    }

    fn action(&mut self, place: Place<'_>, action: &Action) {
        match &action.kind {
            ActionKind::Ereg {
                regexp,
                assign_to,
                search_in,
                ..
            } => {
                let named = assign_to.iter().any(|name| name.bytes != b"_");
                let groups = self.regex(regexp, named);
                if let Some(extra) = groups.and_then(|groups| assign_to.get(groups + 1)) {
                    let groups = groups.unwrap_or(0);
                    self.diagnostics.push(Diagnostic::warning(
                        codes::NO_SUCH_GROUP,
                        extra.span,
                        format!("the expression has {groups} groups, so this gets no value"),
                    ));
                }
                let has_message = match place.step.kind {
                    StepKind::Send(_)
                    | StepKind::Recv(_)
                    | StepKind::SendCmd(_)
                    | StepKind::RecvCmd(_) => true,
                    StepKind::Pause(_) | StepKind::Timewait(_) | StepKind::Nop => false,
                };
                match search_in {
                    SearchIn::Message | SearchIn::Header(_) | SearchIn::Body if !has_message => {
                        self.diagnostics.push(
                            Diagnostic::warning(
                                codes::NO_MESSAGE,
                                action.span,
                                "there is no message to search here",
                            )
                            .with(place.step.span, "this step has none"),
                        );
                    }
                    SearchIn::Message
                    | SearchIn::Header(_)
                    | SearchIn::Body
                    | SearchIn::Variable(_) => {}
                }
            }
            ActionKind::Jump(operand) => self.jump(place, action, operand),
            ActionKind::PauseRestore(_)
                if matches!(place.step.kind, StepKind::Recv(_) | StepKind::RecvCmd(_)) =>
            {
                self.no_effect_in_recv(action, "pauserestore");
            }
            ActionKind::Sample { distribution, .. } => {
                if let Err(reason) = distribution.value.check() {
                    self.diagnostics.push(
                        Diagnostic::error(DISTRIBUTION, distribution.span, reason)
                            .with(action.span, "in this action"),
                    );
                }
            }
            _ => {}
        }
    }

    fn no_effect_in_recv(&mut self, action: &Action, name: &str) {
        let message = format!("`{name}` has no effect in a `<recv>`");
        self.diagnostics.push(
            Diagnostic::warning(codes::JUMP_IN_RECV, action.span, message)
                .help("put it into a `<nop>` behind the `<recv>`"),
        );
    }

    fn jump(&mut self, place: Place<'_>, action: &Action, operand: &Operand) {
        if matches!(place.step.kind, StepKind::Recv(_) | StepKind::RecvCmd(_)) {
            self.no_effect_in_recv(action, "jump");
            return;
        }
        let Operand::Literal(to) = operand else {
            return;
        };
        match jump_target(to.value, place.steps) {
            Some(target) if target != place.index => {}
            Some(_) => self.diagnostics.push(Diagnostic::error(
                codes::JUMP_TARGET,
                to.span,
                "a step cannot jump to itself",
            )),
            None => {
                let last = place.steps.saturating_sub(1);
                self.diagnostics.push(Diagnostic::error(
                    codes::JUMP_TARGET,
                    to.span,
                    format!("no step has this index; they go from 0 to {last}"),
                ));
            }
        }
    }

    /// Translates an expression; gives the number of its groups.
    fn regex(&mut self, text: &Text, match_is_used: bool) -> Option<usize> {
        if self.built.len() >= MAX_EXPRESSIONS && !self.built.contains_key(text.bytes()) {
            let message = format!("more than {MAX_EXPRESSIONS} different expressions");
            let place = text.span();
            self.diagnostics
                .push(Diagnostic::error(TOO_LARGE, place, message));
            return None;
        }
        let result = self
            .built
            .entry(text.bytes().to_vec())
            .or_insert_with(|| ere::translate(text.bytes()));
        match result {
            Ok(translated) => {
                for (at, finding) in &translated.findings {
                    let place = text.slice_span(at.clone());
                    match finding {
                        Finding::MayBeShorter if match_is_used => self.diagnostics.push(
                            Diagnostic::warning(
                                codes::MAY_BE_SHORTER,
                                place,
                                "this is too large to look for the longest match, which SIPp takes",
                            )
                            .help("write longer alternatives first, or smaller counts"),
                        ),
                        Finding::MayBeShorter => {}
                        Finding::EscapedLetter(letter) => {
                            let letter = char::from(*letter);
                            let found = Diagnostic::warning(
                                codes::ESCAPED_LETTER,
                                place,
                                format!("`\\{letter}` is the letter `{letter}` here"),
                            );
                            self.diagnostics.push(if letter == 'd' {
                                found.help("write `[0-9]` for a digit")
                            } else {
                                found
                            });
                        }
                    }
                }
                let groups = translated.groups;
                self.regexes
                    .translated
                    .insert(text.span(), translated.clone());
                Some(groups)
            }
            Err(error) => {
                let place = text.slice_span(error.at.clone());
                self.diagnostics.push(Diagnostic::error(
                    codes::BAD_REGEX,
                    place,
                    error.message.clone(),
                ));
                None
            }
        }
    }
}
