// SPDX-License-Identifier: AGPL-3.0-only
//! Which receives may match at each step, computed ahead of time.
//!
//! SIPp walks forward from the current step over optional receives to the first mandatory one, then backward over
//! adjacent optional ones. Both walks stay inside a *run*: optional receives directly behind each other and the
//! receive that ends them.

use crate::ast::{Optionality, Step, StepKind};
use core::ops::Range;
use gossipper_bytecode::RecvSet;

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
}

fn optionality(step: &Step) -> Option<Optionality> {
    match &step.kind {
        StepKind::Recv(recv) => Some(recv.optional),
        StepKind::Send(_)
        | StepKind::Pause(_)
        | StepKind::Timewait(_)
        | StepKind::Nop
        | StepKind::SendCmd(_)
        | StepKind::RecvCmd(_) => None,
    }
}

impl Receives {
    /// Finds the receives of a scenario.
    pub(crate) fn find(steps: &[&Step]) -> Self {
        let mut found = Self {
            steps: Vec::new(),
            before: Vec::with_capacity(steps.len()),
            runs: Vec::new(),
            adjacent: Vec::with_capacity(steps.len()),
        };
        let mut adjacent = 0;
        let mut start = 0;
        for (index, step) in steps.iter().enumerate() {
            found.before.push(found.steps.len());
            found.adjacent.push(adjacent);
            match optionality(step) {
                Some(optional) => {
                    found.steps.push(index);
                    if optional == Optionality::Mandatory {
                        adjacent = 0;
                        found.close(&mut start);
                    } else {
                        adjacent += 1;
                    }
                }
                None => {
                    adjacent = 0;
                    found.close(&mut start);
                }
            }
        }
        found.close(&mut start);
        found
    }

    /// Ends the run that began at `start`.
    fn close(&mut self, start: &mut usize) {
        let end = self.steps.len();
        self.runs.resize(end, *start..end);
        *start = end;
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

    /// The receive set of a step; `None` when there are more receives than ids.
    pub(crate) fn set(&self, step: usize) -> Option<RecvSet> {
        let before = self.before[step];
        let (forward, forward_end) = match self.index(step) {
            Some(receive) => (receive, self.runs[receive].end),
            None => (before, before),
        };
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
