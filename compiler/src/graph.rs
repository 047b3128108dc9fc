// SPDX-License-Identifier: AGPL-3.0-only
//! Where control may go from each step: what liveness and the search for unreachable steps walk over.
//!
//! A step that is not a receive leads where its `next` and `jump` say. A receive leads there when *it* has matched,
//! which may happen while the call stands at another step (see [`crate::recv_set`]).

use crate::ast::{ActionKind, Name, Operand, Step, StepKind};
use crate::recv_set::Receives;
use crate::resolve::Labels;

/// Successors of each step.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Where a step leads when it is done; the number of steps is the end.
    after: Vec<Vec<usize>>,
    /// Where `ontimeout` leads.
    timeout: Vec<Option<usize>>,
    /// Some step jumps to where a variable says.
    jumps_anywhere: bool,
    /// Where unexpected messages lead.
    handler: Option<usize>,
    /// Some step restores an interrupted pause.
    restores_pauses: bool,
}

impl Graph {
    /// Builds the graph. Labels that are not defined lead nowhere.
    pub(crate) fn build(steps: &[&Step], labels: &Labels) -> Self {
        let mut graph = Self {
            after: Vec::with_capacity(steps.len()),
            timeout: Vec::with_capacity(steps.len()),
            jumps_anywhere: false,
            handler: labels.handler(),
            restores_pauses: false,
        };
        let target = |name: &Option<Name>| name.as_ref().and_then(|name| labels.target(name));
        for (index, step) in steps.iter().enumerate() {
            let common = &step.common;
            let mut after = Vec::new();
            let always = common.next.is_some()
                && common.test.is_none()
                && common.chance.is_none_or(|chance| chance.value >= 1.0);
            after.extend(target(&common.next));
            if !always {
                after.push(index + 1);
            }
            let jumps = match step.kind {
                StepKind::Send(_)
                | StepKind::SendCmd(_)
                | StepKind::Nop
                | StepKind::Pause(_)
                | StepKind::Timewait(_) => true,
                StepKind::Recv(_) | StepKind::RecvCmd(_) => false,
            };
            for action in step.actions.iter().flat_map(|actions| &actions.list) {
                match &action.kind {
                    ActionKind::Jump(Operand::Literal(to)) if jumps => {
                        after.extend(jump_target(to.value, steps.len()));
                    }
                    ActionKind::Jump(Operand::Variable(_)) if jumps => graph.jumps_anywhere = true,
                    ActionKind::PauseRestore(_) if jumps => graph.restores_pauses = true,
                    _ => {}
                }
            }
            graph.after.push(after);
            graph.timeout.push(target(&common.ontimeout));
        }
        graph
    }

    /// Where a step leads when it is done: steps, or their number for the end.
    pub(crate) fn after(&self, step: usize) -> &[usize] {
        &self.after[step]
    }

    /// Where a step's `ontimeout` leads.
    pub(crate) fn timeout(&self, step: usize) -> Option<usize> {
        self.timeout[step]
    }

    /// Where a timeout leads while a call is at a step: the step's own `ontimeout`, and that of the first receive it waits for
    /// that has a time limit, which may stand behind optional ones.
    pub(crate) fn timeouts(
        &self,
        step: usize,
        steps: &[&Step],
        receives: &Receives,
    ) -> impl Iterator<Item = usize> + use<> {
        let limited = |step: &usize| match &steps[*step].kind {
            StepKind::Recv(recv) => recv.timeout_ms.is_some(),
            _ => false,
        };
        let waits = receives.steps()[receives.forward(step)].iter().copied();
        let first = waits.clone().find(limited).filter(|first| *first != step);
        let first = first.and_then(|first| self.timeout(first));
        self.timeout(step).into_iter().chain(first)
    }

    /// Whether some step jumps to where a variable says, so that every step may follow.
    pub(crate) fn jumps_anywhere(&self) -> bool {
        self.jumps_anywhere
    }

    /// Where a message leads that no step expects; the number of steps is the end.
    pub(crate) fn handler(&self) -> Option<usize> {
        self.handler
    }

    /// Whether some step restores an interrupted pause: the step at which a call then is gets passed over when the
    /// pause is over.
    pub(crate) fn restores_pauses(&self) -> bool {
        self.restores_pauses
    }

    /// Which steps a call may come to; a receive counts when it may match, too.
    pub(crate) fn reachable(&self, steps: &[&Step], receives: &Receives) -> Vec<bool> {
        let count = steps.len();
        if self.jumps_anywhere {
            return vec![true; count];
        }
        let mut here = vec![false; count];
        let mut matched = vec![false; count];
        let mut globals = receives
            .steps()
            .iter()
            .copied()
            .filter(|step| is_global(steps[*step]));
        let mut global = globals.next();
        let mut todo = vec![0];
        todo.extend(self.handler);
        let mut furthest = 0;
        while let Some(step) = todo.pop() {
            if step >= count || core::mem::replace(&mut here[step], true) {
                continue;
            }
            furthest = furthest.max(step);
            let receive = receives.index(step);
            let passed_over = steps[step].common.condexec.is_some() || self.restores_pauses;
            if receive.is_none() || passed_over {
                todo.extend(self.after(step));
            }
            todo.extend(self.timeouts(step, steps, receives));
            todo.extend(receives.command(step));
            if receives.is_passing(step) {
                todo.push(step + 1);
            }
            let mut found = Vec::new();
            if let Some(receive) = receive
                && !matched[step]
            {
                // All of a run can match from any step of it.
                found.extend(receives.run(receive).map(|index| receives.steps()[index]));
            }
            while let Some(at) = global.filter(|at| *at < furthest) {
                found.push(at);
                global = globals.next();
            }
            for receive in found {
                if !core::mem::replace(&mut matched[receive], true) {
                    todo.extend(self.after(receive));
                }
            }
        }
        here.iter().zip(&matched).map(|(a, b)| a | b).collect()
    }
}

/// Whether a step is a receive that may match at any later time.
pub(crate) fn is_global(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Recv(recv) if recv.optional == crate::ast::Optionality::Global)
}

/// The step that `jump` with this value leads to.
pub(crate) fn jump_target(value: f64, steps: usize) -> Option<usize> {
    // The action takes the whole part, as SIPp does.
    let whole = value.trunc();
    (whole >= 0.0 && whole < steps as f64).then_some(whole as usize)
}
