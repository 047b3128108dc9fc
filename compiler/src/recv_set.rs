// SPDX-License-Identifier: AGPL-3.0-only
//! Which receives may match at each step, computed ahead of time.
//!
//! SIPp walks forward from the current step over optional receives to the first mandatory one, then backward over
//! adjacent optional ones. Both walks stay inside a *run*: optional receives directly behind each other and the
//! receive that ends them. Receives of commands belong to the run as well, though no message matches them; a command
//! walks forward too, over optional receives and `nop`s to the first `recvCmd`.

use crate::ast::{Optionality, Step, StepKind};
use core::ops::Range;
use gossipper_bytecode::RecvSet;

/// The end of a run that goes on.
const OPEN: usize = usize::MAX;

/// Where the receives of a scenario stand.
#[derive(Debug)]
pub(crate) struct Receives {
    /// Steps that are receives, in document order.
    steps: Vec<usize>,
    /// Per step: the number of receives before it.
    before: Vec<usize>,
    /// Per receive: the run it is in, as a range of receives.
    runs: Vec<Range<usize>>,
    /// Per step: how many adjacent optional receives stand directly before it.
    adjacent: Vec<usize>,
    /// Optional `recvCmd` steps, and the end of the run that each stands in.
    passing: Vec<(usize, usize)>,
    /// Per step: the `recvCmd` that a command comes to while the call is there.
    commands: Vec<Option<usize>>,
    /// `recvCmd` steps, in document order.
    command_steps: Vec<usize>,
}

impl Receives {
    /// Finds the receives of a scenario.
    pub(crate) fn find(steps: &[&Step]) -> Self {
        let mut found = Self {
            steps: Vec::new(),
            before: Vec::with_capacity(steps.len()),
            runs: Vec::new(),
            adjacent: Vec::with_capacity(steps.len()),
            passing: Vec::new(),
            commands: vec![None; steps.len()],
            command_steps: Vec::new(),
        };
        let mut adjacent = 0;
        let mut start = 0;
        for (index, step) in steps.iter().enumerate() {
            found.before.push(found.steps.len());
            found.adjacent.push(adjacent);
            let passed_over = match &step.kind {
                StepKind::Recv(recv) => {
                    found.steps.push(index);
                    adjacent += 1;
                    recv.optional != Optionality::Mandatory
                }
                StepKind::RecvCmd(recv) => {
                    found.command_steps.push(index);
                    if recv.optional != Optionality::Mandatory {
                        found.passing.push((index, OPEN));
                    }
                    recv.optional != Optionality::Mandatory
                }
                StepKind::Send(_)
                | StepKind::Pause(_)
                | StepKind::Timewait(_)
                | StepKind::Nop
                | StepKind::SendCmd(_) => false,
            };
            if !passed_over {
                adjacent = 0;
                found.close(&mut start);
            }
        }
        found.close(&mut start);
        found.lead_commands(steps);
        found
    }

    /// Ends the run that began at `start`.
    fn close(&mut self, start: &mut usize) {
        let end = self.steps.len();
        self.runs.resize(end, *start..end);
        *start = end;
        for (_, open) in self.passing.iter_mut().rev() {
            if *open != OPEN {
                break;
            }
            *open = end;
        }
    }

    /// Finds where a command comes to from each step.
    fn lead_commands(&mut self, steps: &[&Step]) {
        let mut ahead = None;
        for (index, step) in steps.iter().enumerate().rev() {
            ahead = match &step.kind {
                StepKind::RecvCmd(_) => Some(index),
                StepKind::Recv(recv) if recv.optional != Optionality::Mandatory => ahead,
                StepKind::Nop => ahead,
                StepKind::Recv(_)
                | StepKind::Send(_)
                | StepKind::Pause(_)
                | StepKind::Timewait(_)
                | StepKind::SendCmd(_) => None,
            };
            self.commands[index] = ahead;
        }
    }

    /// The `recvCmd` step that a command comes to while the call is at a step.
    pub(crate) fn command(&self, step: usize) -> Option<usize> {
        self.commands[step]
    }

    /// `recvCmd` steps, in document order.
    pub(crate) fn command_steps(&self) -> &[usize] {
        &self.command_steps
    }

    /// Whether a step is a `recvCmd` that messages pass over.
    pub(crate) fn is_passing(&self, step: usize) -> bool {
        self.passing_end(step).is_some()
    }

    fn passing_end(&self, step: usize) -> Option<usize> {
        let at = self.passing.binary_search_by_key(&step, |(at, _)| *at);
        at.ok().map(|at| self.passing[at].1)
    }

    /// Steps that are receives, in document order.
    pub(crate) fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// Number of a step among the receives, if it is one.
    pub(crate) fn index(&self, step: usize) -> Option<usize> {
        let index = self.before[step];
        (self.steps.get(index) == Some(&step)).then_some(index)
    }

    /// The run that a receive is in.
    pub(crate) fn run(&self, receive: usize) -> Range<usize> {
        self.runs[receive].clone()
    }

    /// The receives that a call at a step waits for: from there up to the first that must come.
    pub(crate) fn forward(&self, step: usize) -> Range<usize> {
        let before = self.before[step];
        match self.index(step) {
            Some(receive) => receive..self.runs[receive].end,
            None => before..self.passing_end(step).unwrap_or(before),
        }
    }

    /// The receive set of a step; `None` when there are more receives than ids.
    pub(crate) fn set(&self, step: usize) -> Option<RecvSet> {
        let before = self.before[step];
        let Range {
            start: forward,
            end: forward_end,
        } = self.forward(step);
        let id = |index: usize| u16::try_from(index).ok();
        Some(RecvSet {
            forward: id(forward)?,
            forward_end: id(forward_end)?,
            backward_end: id(before)?,
            contiguous: id(self.adjacent[step])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scenario;

    /// Forward walk and adjacent receives of each step, as receive numbers.
    fn walks(xml: &str) -> Vec<(Vec<u16>, Vec<u16>)> {
        let scenario = scenario(xml);
        let steps: Vec<_> = scenario.steps().collect();
        let receives = Receives::find(&steps);
        (0..steps.len())
            .map(|step| {
                let set = receives.set(step).expect("few receives");
                let adjacent = set.backward().filter(|(_, near)| *near);
                (
                    set.forward().map(|id| id.0).collect(),
                    adjacent.map(|(id, _)| id.0).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn the_forward_walk_ends_with_the_first_mandatory_receive() {
        let found = walks(
            r#"<scenario>
            <recv request="INVITE"/>
            <recv response="100" optional="true"/>
            <recv response="180" optional="global"/>
            <recv response="200"/>
            <pause/>
            <recv request="BYE"/>
            </scenario>"#,
        );
        assert_eq!(
            found,
            [
                (vec![0], vec![]),
                (vec![1, 2, 3], vec![]),
                (vec![2, 3], vec![1]),
                (vec![3], vec![2, 1]),
                (vec![], vec![]),
                (vec![4], vec![]),
            ]
        );
    }

    #[test]
    fn receives_of_commands_end_the_walk_unless_they_are_optional() {
        let found = walks(
            r#"<scenario>
            <recv response="180" optional="true"/>
            <recvCmd/>
            <recv response="181" optional="true"/>
            <recvCmd optional="true"/>
            <recv response="200"/>
            </scenario>"#,
        );
        assert_eq!(
            found,
            [
                (vec![0], vec![]),
                (vec![], vec![0]),
                (vec![1, 2], vec![]),
                (vec![2], vec![1]),
                (vec![2], vec![1]),
            ]
        );
    }

    #[test]
    fn a_command_walks_over_optional_receives_and_nops() {
        let scenario = scenario(
            r#"<scenario>
            <nop/>
            <recvCmd/>
            <recv response="180" optional="true"/>
            <recvCmd optional="true"/>
            <recvCmd/>
            <pause/>
            <recv response="200"/>
            <recvCmd/>
            </scenario>"#,
        );
        let steps: Vec<_> = scenario.steps().collect();
        let receives = Receives::find(&steps);
        let found: Vec<_> = (0..steps.len())
            .map(|step| receives.command(step))
            .collect();
        assert_eq!(
            found,
            [
                Some(1),
                Some(1),
                Some(3),
                Some(3),
                Some(4),
                None,
                None,
                Some(7)
            ]
        );
    }

    #[test]
    fn an_optional_receive_may_be_the_last_step() {
        let found = walks(
            r#"<scenario>
            <recv request="INVITE"/>
            <recv request="INFO" optional="true"/>
            <recv request="BYE" optional="true"/>
            </scenario>"#,
        );
        assert_eq!(found[1], (vec![1, 2], vec![]));
        assert_eq!(found[2], (vec![2], vec![1]));
    }
}
