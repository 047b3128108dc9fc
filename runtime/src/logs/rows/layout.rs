// SPDX-License-Identifier: AGPL-3.0-only
//! What the columns of a scenario's tables depend on.

use gossipper_bytecode::{Program, StepId, StepKind};

use super::State;
use crate::stats::{Counters, Figures, Sums, TimerFigures};

/// A step of the scenario.
#[derive(Debug, Clone)]
pub(super) struct StepLayout {
    pub(super) kind: StepKind,
    /// Method, code or display text.
    pub(super) name: String,
    pub(super) hidden: bool,
    /// It is repeated by timer.
    pub(super) repeats: bool,
}

/// A timer.
#[derive(Debug, Clone)]
pub(super) struct TimerLayout {
    pub(super) name: String,
    /// Borders of its repartition, ascending, each once.
    pub(super) borders_ms: Vec<u32>,
}

/// Everything the tables need of a program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(super) steps: Vec<StepLayout>,
    pub(super) timers: Vec<TimerLayout>,
    pub(super) call_borders_ms: Vec<u32>,
    pub(super) counters: Vec<String>,
    /// Some message may be lost on purpose.
    pub(super) loses: bool,
}

impl Layout {
    /// Of a program, run with this `-lost`.
    pub(crate) fn new(program: &Program, lost_percent: f64) -> Self {
        let loses = lost_percent > 0.0
            || program.sends.iter().any(|send| send.lost.is_some())
            || program.recvs.iter().any(|recv| recv.lost.is_some());
        Self {
            steps: program
                .steps
                .iter()
                .map(|step| StepLayout {
                    kind: step.kind,
                    name: program.display(step.name),
                    hidden: step.hidden,
                    repeats: step
                        .send
                        .is_some_and(|send| program.sends[send.index()].retrans_ms > 0),
                })
                .collect(),
            timers: program
                .rtds
                .iter()
                .map(|rtd| TimerLayout {
                    name: program.display(rtd.name),
                    borders_ms: ascending(&rtd.borders_ms),
                })
                .collect(),
            call_borders_ms: ascending(&program.call_length_borders_ms),
            counters: program
                .counters
                .iter()
                .map(|name| program.display(*name))
                .collect(),
            loses,
        }
    }

    pub(super) fn rtd_names(&self) -> impl Iterator<Item = &str> {
        self.timers.iter().map(|timer| timer.name.as_str())
    }

    pub(super) fn step_name(&self, step: StepId) -> &str {
        self.steps
            .get(step.index())
            .map_or("", |step| step.name.as_str())
    }

    /// What was before anything was counted.
    pub(super) fn nothing(&self) -> State {
        let timer = |borders: &[u32]| TimerFigures {
            ms: Sums::default(),
            cells: match borders {
                [] => Vec::new(),
                borders => vec![0; borders.len() + 1],
            },
        };
        State {
            figures: Figures {
                counters: Counters::new(self.steps.len(), self.counters.len()),
                rtds: self
                    .timers
                    .iter()
                    .map(|layout| timer(&layout.borders_ms))
                    .collect(),
                call_length: timer(&self.call_borders_ms),
                call_length_us: Sums::default(),
                invite_us: Sums::default(),
            },
            rate: 0.0,
            users: None,
            fatal: false,
        }
    }
}

fn ascending(borders: &[u32]) -> Vec<u32> {
    let mut borders = borders.to_vec();
    borders.sort_unstable();
    borders.dedup();
    borders
}
