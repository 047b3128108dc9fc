// SPDX-License-Identifier: AGPL-3.0-only
//! Puts the figures of several shards together.

use std::collections::VecDeque;

use gossipper_vm::Micros;

use super::{Sample, State};

#[derive(Debug, Default)]
struct Member {
    /// Not used yet, oldest first.
    waiting: VecDeque<Sample>,
    /// The last that was used.
    used: Option<Sample>,
    /// It takes no more.
    over: bool,
}

/// Waits for the figures of all shards.
#[derive(Debug)]
pub(in crate::logs) struct Merger {
    members: Vec<Member>,
    done: bool,
}

impl Merger {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            members: (0..shards).map(|_| Member::default()).collect(),
            done: false,
        }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        if let Some(member) = self.members.get_mut(sample.shard) {
            member.over |= sample.last;
            member.waiting.push_back(sample);
        }
    }

    /// The next row that is complete.
    pub(super) fn next_row(&mut self) -> Option<(Micros, State)> {
        if self.done {
            return None;
        }
        // The earliest instant that all have passed.
        let mut index = u64::MAX;
        for member in &self.members {
            match member.waiting.front() {
                // The last figures of a shard stand for all later instants.
                Some(sample) if !sample.last => index = index.min(sample.index),
                Some(_) => {}
                None if member.over => {}
                None => return None,
            }
        }
        self.done = index == u64::MAX;
        let mut whole: Option<(Micros, State)> = None;
        for member in &mut self.members {
            // One that is ahead has figures of a later instant; those of before still stand for it.
            while let Some(sample) = member
                .waiting
                .pop_front_if(|sample| sample.index <= index || sample.last && index == u64::MAX)
            {
                member.used = Some(sample);
            }
            let Some(sample) = &member.used else {
                continue;
            };
            match &mut whole {
                None => whole = Some((sample.at, sample.state.clone())),
                Some((at, state)) => {
                    *at = (*at).max(sample.at);
                    state.figures.add(&sample.state.figures);
                    // One shard alone has the schedule.
                    state.rate += sample.state.rate;
                    state.users = state.users.or(sample.state.users);
                    state.fatal |= sample.state.fatal;
                }
            }
        }
        whole
    }
}
