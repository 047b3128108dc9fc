// SPDX-License-Identifier: AGPL-3.0-only
//! Lints: what runs, here as in SIPp, and does something else than its author thinks.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`headers`] | one message: headers that are missing or contradict its first line |
//! | [`dialog`] | messages of one dialog: acknowledgements, tags, numbers, branches |
//! | [`walk`] | which exchange a call may be in when it comes to a step |
//! | [`waits`] | receives, timeouts and repetitions |
//! | [`names`] | labels, timers and variables without their other half |
//!
//! A lint is a warning when whoever wrote it would call it a mistake, and advice when much of what is in use does the
//! same. It speaks of certainties only: what a variable or an injected field may set right is not reported, and where
//! paths differ, it must hold on every one. A message without any header is taken for deliberate.

mod dialog;
mod headers;
mod names;
mod waits;
mod walk;

use super::Subject;
use crate::ast::{Send, StepKind};
use crate::diag::Diagnostics;
use crate::template::{Head, Parsed};

/// Most steps of a scenario that is looked at: some lints compare every step with every other.
const MOST_STEPS: usize = 1_000;

/// Looks for everything; to be called only when nothing is missing.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    if subject.steps.len() > MOST_STEPS {
        return;
    }
    headers::check(subject, diagnostics);
    dialog::check(subject, diagnostics);
    waits::check(subject, diagnostics);
    names::check(subject, diagnostics);
}

/// A `<send>` and what it sends.
#[derive(Clone, Copy)]
struct Sent<'a> {
    send: &'a Send,
    parsed: &'a Parsed,
}

impl<'a> Sent<'a> {
    /// The message of a step, if it sends one.
    fn of(subject: &Subject<'a>, step: usize) -> Option<Self> {
        match &subject.steps.get(step)?.kind {
            StepKind::Send(send) => {
                let parsed = subject.texts.get(send.text.as_ref()?)?;
                Some(Self { send, parsed })
            }
            _ => None,
        }
    }

    /// The method of a request.
    fn method(self) -> Option<&'a [u8]> {
        self.parsed.head.method()
    }

    /// The code of a response.
    fn code(self) -> Option<u16> {
        match self.parsed.head {
            Head::Response(code) => Some(code),
            Head::Request(_) | Head::Text | Head::Poisoned => None,
        }
    }
}

/// All messages that are sent, with the numbers of their steps.
fn sent<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (usize, Sent<'a>)> {
    (0..subject.steps.len()).filter_map(move |step| Some((step, Sent::of(subject, step)?)))
}
