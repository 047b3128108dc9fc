// SPDX-License-Identifier: AGPL-3.0-only
//! What the screens know of a scenario: its steps and what they do. Made once, from the program.

use gossipper_bytecode::{Op, Program, StepId};
use gossipper_vm::circuits::CircuitMap;

/// A scenario, as far as screens show it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Layout {
    /// What its messages travel over: `UDP`, `TCP`.
    pub(crate) transport: &'static str,
    /// Its steps.
    pub(crate) steps: Vec<StepLayout>,
    /// What it does by itself: step and action.
    pub(crate) actions: Vec<(usize, String)>,
    /// Its variables with their scopes.
    pub(crate) variables: Vec<String>,
    /// How long a pause takes that says nothing about it, in ms.
    pub(crate) default_pause_ms: u32,
    /// How long a call takes by its pauses, in ms.
    pub(crate) duration_ms: u64,
    /// Calls in a period of the rate are counted over so many ms.
    pub(crate) period_ms: u64,
    /// Circuits in a row of the map.
    pub(crate) circuits_in_row: usize,
}

/// A step.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct StepLayout {
    /// A send that is repeated by timer, and so may time out.
    pub(crate) repeats: bool,
    /// Followed by an empty line.
    pub(crate) blank_after: bool,
    /// `B-RTDn`, `E-RTDn` of timers that begin or end there.
    pub(crate) timers: String,
}

impl Layout {
    /// What there is to know of a program.
    pub(crate) fn of(
        program: &Program,
        transport: &'static str,
        default_pause_ms: u32,
        period_ms: u64,
        circuits: Option<&CircuitMap>,
    ) -> Self {
        let mut steps: Vec<StepLayout> = program
            .steps
            .iter()
            .map(|step| StepLayout {
                repeats: step
                    .send
                    .is_some_and(|send| program.sends[send.index()].retrans_ms > 0),
                blank_after: step.blank_after,
                timers: String::new(),
            })
            .collect();
        let mut at = StepId(0);
        for op in &program.ops {
            let (mark, rtd) = match *op {
                Op::Enter { step } => {
                    at = step;
                    continue;
                }
                Op::RtdStart { rtd } => ('B', rtd),
                Op::RtdStop { rtd } | Op::RtdStopRepeat { rtd } => ('E', rtd),
                _ => continue,
            };
            if let Some(step) = steps.get_mut(at.index())
                && step.timers.is_empty()
            {
                let name = program.display(program.rtds[rtd.index()].name);
                step.timers = format!("{mark}-RTD{name}");
            }
        }
        let pauses_ms = u64::from(default_pause_ms) * u64::from(program.default_pauses);
        Self {
            transport,
            steps,
            actions: program
                .actions()
                .map(|(step, action)| (step.index(), action))
                .collect(),
            variables: program
                .variables
                .iter()
                .map(|var| format!("${} ({:?})", program.display(var.name), var.scope))
                .collect(),
            default_pause_ms,
            duration_ms: program.duration_ms.saturating_add(pauses_ms),
            period_ms,
            circuits_in_row: circuits.map_or(0, |map| map.slots() as usize),
        }
    }
}
