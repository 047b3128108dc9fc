// SPDX-License-Identifier: AGPL-3.0-only
//! Names -> typed ids: labels, variables, response timers, counters, transactions.
//!
//! One walk in document order, because order matters: a variable named before its `<Global>` is call-local, and a
//! repartition holds for the timers named above it. What is undefined, defined twice, used once or half a transaction
//! is reported here; later phases look names up and find them.

mod dialogs;
mod labels;
mod mentions;
mod rtds;
mod txns;
mod variables;

pub(crate) use dialogs::Dialogs;
pub(crate) use labels::Labels;
pub(crate) use rtds::{Counters, Rtds};
pub(crate) use txns::Txns;
pub(crate) use variables::{PAUSED_UNTIL, RETURN_TO, Variables};

use crate::ast::{DeclarationKind, Init, Item, RepartitionKind, Scenario, Step, StepKind};
use crate::diag::Diagnostics;
use crate::template::{Parsed, Texts, action_texts};

/// Every name of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Labels of the main scenario.
    pub(crate) labels: Labels,
    /// Labels of `<init>`.
    pub(crate) init_labels: Labels,
    /// Variables.
    pub(crate) variables: Variables,
    /// Response timers.
    pub(crate) rtds: Rtds,
    /// Counters.
    pub(crate) counters: Counters,
    /// Transactions.
    pub(crate) txns: Txns,
    /// Dialogs.
    pub(crate) dialogs: Dialogs,
    /// Borders of the call-length repartition.
    pub(crate) call_length_borders_ms: Vec<u32>,
}

/// Resolves every name.
pub(crate) fn resolve(scenario: &Scenario, texts: &Texts, diagnostics: &mut Diagnostics) -> Names {
    let mut names = Names {
        labels: Labels::collect(&scenario.items, diagnostics),
        ..Names::default()
    };
    for item in &scenario.items {
        match item {
            Item::Step(step) => names.step(step, texts, diagnostics),
            Item::Label(_) => {}
            Item::Declaration(declaration) => {
                for name in &declaration.names {
                    match declaration.kind {
                        DeclarationKind::Global => names.variables.global(name, diagnostics),
                        DeclarationKind::User => names.variables.user(name, diagnostics),
                        DeclarationKind::Reference => names.variables.refer(name, diagnostics),
                    }
                }
            }
            Item::Repartition(repartition) => {
                let borders = repartition.borders_ms.iter().map(|border| {
                    u32::try_from((*border).clamp(0, i64::from(u32::MAX))).unwrap_or(u32::MAX)
                });
                match repartition.kind {
                    RepartitionKind::ResponseTime => names.rtds.repartition(borders.collect()),
                    RepartitionKind::CallLength => {
                        names.call_length_borders_ms = borders.collect();
                    }
                }
            }
            Item::DefaultMessage(message) => {
                if let Some(parsed) = message.text.as_ref().and_then(|text| texts.get(text)) {
                    for name in parsed.variables() {
                        names.variables.mention(name);
                    }
                    names.dialogs.mention(parsed);
                }
            }
            Item::Init(init) => names.init(init, texts, diagnostics),
        }
    }
    names.dialogs.check(diagnostics);
    names.labels.check(scenario.steps(), diagnostics);
    names.variables.check(diagnostics);
    names.rtds.check(diagnostics);
    names.txns.check(diagnostics);
    names
}

impl Names {
    fn init(&mut self, init: &Init, texts: &Texts, diagnostics: &mut Diagnostics) {
        // A second `<init>` adds to the first.
        self.init_labels.extend(&init.items, diagnostics);
        let mut steps = Vec::new();
        for item in &init.items {
            if let Item::Step(step) = item {
                self.step(step, texts, diagnostics);
                steps.push(&**step);
            }
        }
        self.init_labels.check(steps.into_iter(), diagnostics);
    }

    fn step(&mut self, step: &Step, texts: &Texts, diagnostics: &mut Diagnostics) {
        let common = &step.common;
        if let Some(name) = &common.dialog {
            self.dialogs.define(name);
        }
        if let Some(name) = &common.start_rtd {
            self.rtds.start(name);
        }
        if let Some(name) = &common.rtd {
            self.rtds.stop(name);
        }
        if let Some(name) = &common.counter {
            self.counters.mention(name);
        }
        let own = [&common.condexec, &common.test];
        for name in own.into_iter().flatten() {
            self.variables.mention(name);
        }
        match &step.kind {
            StepKind::Send(send) => {
                let parsed = send.text.as_ref().and_then(|text| texts.get(text));
                self.txns.send(send, parsed.map(|p| &p.head), diagnostics);
                self.text(parsed);
            }
            StepKind::SendCmd(send) => {
                let parsed = send.text.as_ref().and_then(|text| texts.get(text));
                self.text(parsed);
            }
            StepKind::Recv(recv) => {
                self.txns.recv(recv, diagnostics);
                self.text(recv.accept.as_ref().and_then(|text| texts.get(text)));
            }
            StepKind::Pause(pause) | StepKind::Timewait(pause) => {
                if let crate::ast::PauseLength::Variable(name) = &pause.length {
                    self.variables.mention(name);
                }
            }
            StepKind::Nop | StepKind::RecvCmd(_) => {}
        }
        for action in step.actions.iter().flat_map(|actions| &actions.list) {
            for name in mentions::of(&action.kind) {
                self.variables.mention(name);
            }
            for text in action_texts(&action.kind) {
                self.text(texts.get(text));
            }
        }
    }

    fn text(&mut self, parsed: Option<&Parsed>) {
        let Some(parsed) = parsed else {
            return;
        };
        for name in parsed.variables() {
            self.variables.mention(name);
        }
        self.dialogs.mention(parsed);
    }
}
