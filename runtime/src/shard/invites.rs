// SPDX-License-Identifier: AGPL-3.0-only
//! When the INVITE of a call went out, until its final answer comes: for the times that screens and tables show.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use gossipper_bytecode::{Program, StepKind};
use gossipper_vm::{Micros, StatEvent};

/// Calls that wait for an answer at the same time without meeting in the table.
const SLOTS: usize = 2048;

/// An INVITE that waits for its answer.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// The number of its call; 0 if the slot is free.
    call: u64,
    at: Micros,
}

/// The INVITEs of a shard's calls.
// PERF: calls are numbered in turn, so that those that wait at the same time are neighbours in a table by number, and it
// answers with one comparison. A hash table took 2 % of a client at saturation (2026-11-21).
#[derive(Debug)]
pub(crate) struct Invites {
    /// Of each step, whether it sends one.
    sends: Vec<bool>,
    /// By the number of the call.
    slots: Vec<Sent>,
    /// Those that found their slot taken.
    more: HashMap<u64, Micros, FixedState>,
}

impl Invites {
    /// For a scenario; `None` if it sends none.
    pub(crate) fn new(program: &Program) -> Option<Box<Self>> {
        let steps = program.steps.iter();
        let sends: Vec<bool> = steps
            .map(|step| step.kind == StepKind::Send && program.display(step.name) == "INVITE")
            .collect();
        sends.contains(&true).then(|| Box::new(Self::of(sends)))
    }

    fn of(sends: Vec<bool>) -> Self {
        Self {
            sends,
            slots: vec![Sent::default(); SLOTS],
            more: HashMap::default(),
        }
    }

    /// Something has happened to a call; gives how long the final answer to its INVITE took, if it is one.
    #[inline]
    pub(super) fn event(&mut self, now: Micros, call: u64, event: &StatEvent) -> Option<Micros> {
        match event {
            StatEvent::Sent { step } if self.sends.get(step.index()) == Some(&true) => {
                self.sent(now, call);
                None
            }
            StatEvent::Received {
                answers_invite: true,
                ..
            } => self.take(call).map(|sent| now.since(sent)),
            StatEvent::Ended { .. } => {
                self.take(call);
                None
            }
            _ => None,
        }
    }

    fn slot(&mut self, call: u64) -> &mut Sent {
        // What is left is less than the number of slots.
        &mut self.slots[(call % SLOTS as u64) as usize]
    }

    fn sent(&mut self, now: Micros, call: u64) {
        if call == 0 {
            return;
        }
        if !self.more.is_empty() {
            self.more.remove(&call);
        }
        let slot = self.slot(call);
        if slot.call == 0 || slot.call == call {
            *slot = Sent { call, at: now };
        } else {
            self.more.insert(call, now);
        }
    }

    fn take(&mut self, call: u64) -> Option<Micros> {
        if call == 0 {
            return None;
        }
        let slot = self.slot(call);
        if slot.call == call {
            slot.call = 0;
            return Some(slot.at);
        }
        if self.more.is_empty() {
            return None;
        }
        self.more.remove(&call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_bytecode::StepId;
    use gossipper_vm::CallEnd;

    const INVITE: StatEvent = StatEvent::Sent { step: StepId(1) };
    const ACK: StatEvent = StatEvent::Sent { step: StepId(0) };
    const ANSWER: StatEvent = StatEvent::Received {
        step: StepId(0),
        answers_invite: true,
    };
    const ENDED: StatEvent = StatEvent::Ended {
        end: CallEnd::Success,
        length: Micros(1),
    };

    fn told(invites: &mut Invites, at: u64, call: u64, event: StatEvent) -> Option<u64> {
        invites.event(Micros(at), call, &event).map(|took| took.0)
    }

    #[test]
    fn an_invite_is_answered_once_and_by_its_own_call() {
        let mut invites = Invites::of(vec![false, true]);
        assert_eq!(told(&mut invites, 5, 7, INVITE), None);
        assert_eq!(told(&mut invites, 6, 7, ACK), None);
        assert_eq!(told(&mut invites, 8, 8, ANSWER), None);
        assert_eq!(told(&mut invites, 9, 7, ANSWER), Some(4));
        assert_eq!(told(&mut invites, 9, 7, ANSWER), None);
        assert_eq!(told(&mut invites, 10, 0, INVITE), None);
        assert_eq!(told(&mut invites, 11, 0, ANSWER), None, "no call");
    }

    #[test]
    fn calls_that_meet_in_the_table_are_told_apart_and_none_is_left_behind() {
        let mut invites = Invites::of(vec![false, true]);
        let calls: Vec<u64> = (0..5).map(|turn| 3 + turn * SLOTS as u64).collect();
        for (at, call) in (0..).zip(&calls) {
            told(&mut invites, at, *call, INVITE);
        }
        // Its slot is free now, and it is asked again.
        assert_eq!(told(&mut invites, 10, calls[0], ANSWER), Some(10));
        told(&mut invites, 20, calls[1], INVITE);
        assert_eq!(told(&mut invites, 21, calls[1], ANSWER), Some(1));
        assert_eq!(told(&mut invites, 22, calls[1], ANSWER), None);
        assert_eq!(told(&mut invites, 22, calls[3], ANSWER), Some(19));
        for call in &calls {
            told(&mut invites, 30, *call, ENDED);
        }
        assert!(invites.more.is_empty());
        assert!(invites.slots.iter().all(|slot| slot.call == 0));
    }
}
