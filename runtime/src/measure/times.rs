// SPDX-License-Identifier: AGPL-3.0-only
//! Histograms of steps and responses. Their number is bounded by the scenario and by [`MOST_RESPONSES`].

use gossipper_control::Measures;
use gossipper_control::measures::{self as plain, ResponseTimes, StepTimes};

use super::calls::Measured;
use crate::stats::Times;

/// Kinds of responses that are told apart; what a peer makes up beyond that is one kind.
const MOST_RESPONSES: usize = 64;

/// A time from when its request was sent, and from when that was due.
#[derive(Debug, Clone, Default)]
struct Both {
    actual: Times,
    due: Times,
}

impl Both {
    fn coarse() -> Self {
        Self {
            actual: Times::coarse(),
            due: Times::coarse(),
        }
    }

    fn record(&mut self, measured: &Measured) {
        self.actual.record(measured.took);
        self.due.record(measured.took.plus(measured.late));
    }

    fn add(&mut self, other: &Self) {
        self.actual.add(&other.actual);
        self.due.add(&other.due);
    }

    fn plain(&self) -> plain::Times {
        plain::Times {
            actual: self.actual.distribution(),
            due: self.due.distribution(),
        }
    }
}

/// What a response is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// Its place among the methods of the scenario.
    method: u8,
    code: u16,
}

/// Those that are rare.
const OTHER: Kind = Kind {
    method: u8::MAX,
    code: 0,
};

/// All of a shard.
#[derive(Debug, Clone)]
pub(super) struct Detail {
    methods: Vec<String>,
    invite: Both,
    answer: Both,
    steps: Vec<Option<Box<Both>>>,
    responses: Vec<(Kind, Both)>,
}

impl Detail {
    pub(super) fn new(steps: usize, methods: Vec<String>) -> Self {
        Self {
            methods,
            invite: Both::default(),
            answer: Both::default(),
            steps: vec![None; steps],
            responses: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, measured: &Measured) {
        if let Some(step) = self.steps.get_mut(measured.step.index()) {
            step.get_or_insert_with(|| Box::new(Both::coarse()))
                .record(measured);
        }
        if let Some((method, code)) = measured.response {
            self.response(Kind { method, code }).record(measured);
        }
        if measured.is_answer {
            self.answer.record(measured);
        }
        if measured.is_invite {
            self.invite.record(measured);
        }
    }

    fn response(&mut self, kind: Kind) -> &mut Both {
        let place = |responses: &[(Kind, Both)], kind| {
            responses.iter().position(|(known, _)| *known == kind)
        };
        let kind = match place(&self.responses, kind) {
            None if self.responses.len() >= MOST_RESPONSES => OTHER,
            _ => kind,
        };
        let place = place(&self.responses, kind).unwrap_or_else(|| {
            self.responses.push((kind, Both::coarse()));
            self.responses.len() - 1
        });
        &mut self.responses[place].1
    }

    pub(super) fn clear(&mut self) {
        self.invite = Both::default();
        self.answer = Both::default();
        self.steps.fill(None);
        self.responses.clear();
    }

    /// Adds what another shard of the same scenario has measured.
    pub(super) fn add(&mut self, other: &Self) {
        self.invite.add(&other.invite);
        self.answer.add(&other.answer);
        for (into, step) in self.steps.iter_mut().zip(&other.steps) {
            if let Some(step) = step {
                into.get_or_insert_with(|| Box::new(Both::coarse()))
                    .add(step);
            }
        }
        for (kind, both) in &other.responses {
            self.response(*kind).add(both);
        }
    }

    pub(super) fn fill(&self, into: &mut Measures) {
        into.invite = self.invite.plain();
        into.answer = self.answer.plain();
        let steps = self.steps.iter().enumerate();
        into.steps = steps
            .filter_map(|(step, both)| {
                let times = both.as_ref()?.plain();
                Some(StepTimes { step, times })
            })
            .collect();
        let responses = self.responses.iter();
        into.responses = responses
            .map(|(kind, both)| ResponseTimes {
                method: self
                    .methods
                    .get(usize::from(kind.method))
                    .map_or_else(|| "other".to_owned(), Clone::clone),
                code: kind.code,
                times: both.plain(),
            })
            .collect();
        into.responses
            .sort_by(|a, b| (&a.method, a.code).cmp(&(&b.method, b.code)));
    }
}
