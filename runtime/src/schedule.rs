// SPDX-License-Identifier: AGPL-3.0-only
//! What decides when calls begin: a rate, or users.

use crate::clock::Micros;
use crate::pacing::{Climbed, Pacer};
use crate::users::Users;

/// When calls begin.
#[derive(Debug, Clone)]
pub(crate) enum Schedule {
    /// At a rate (`-r`).
    Rate(Pacer),
    /// As soon as a user has no call (`-users`).
    Users(Users),
}

/// A call to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    /// When it was due.
    pub(crate) due: Micros,
    /// Whose it is, 0 without users.
    pub(crate) user: u32,
}

impl Schedule {
    /// The rate, unless there are users.
    pub(crate) fn pacer(&self) -> Option<&Pacer> {
        match self {
            Self::Rate(pacer) => Some(pacer),
            Self::Users(_) => None,
        }
    }

    /// The number of users, if there are any.
    pub(crate) fn users(&self) -> Option<u32> {
        match self {
            Self::Rate(_) => None,
            Self::Users(users) => Some(users.count()),
        }
    }

    /// When the next call is due.
    pub(crate) fn next_due(&self) -> Option<Micros> {
        match self {
            Self::Rate(pacer) => pacer.next_due(),
            Self::Users(users) => users.next_due(),
        }
    }

    /// When to ask for the next call, given how many are open.
    pub(crate) fn next_look(&self, now: Micros, open: u64) -> Option<Micros> {
        match self {
            Self::Rate(pacer) => pacer.next_look(now, open),
            Self::Users(users) => users.next_due(),
        }
    }

    /// When the next call is due and the one after it, as far as that is known.
    pub(crate) fn next_two(&self) -> [Option<Micros>; 2] {
        match self {
            Self::Rate(pacer) => pacer.next_two(),
            Self::Users(users) => [users.next_due(), None],
        }
    }

    /// When the rate changes next by itself.
    pub(crate) fn next_climb(&self) -> Option<Micros> {
        self.pacer().and_then(Pacer::next_climb)
    }

    /// Lets the rate change by itself, if it is time to.
    pub(crate) fn climb(&mut self, now: Micros) -> Climbed {
        match self {
            Self::Rate(pacer) => pacer.climb(now),
            Self::Users(_) => Climbed::On,
        }
    }

    /// Takes the next call that is due, given how many are open.
    pub(crate) fn pop_due(&mut self, now: Micros, open: u64) -> Option<Opening> {
        match self {
            Self::Rate(pacer) => pacer.pop_due(now, open).map(|start| Opening {
                due: start.due,
                user: 0,
            }),
            Self::Users(users) => users.pop_due(now).map(|(due, user)| Opening { due, user }),
        }
    }

    /// A call of a user has ended.
    pub(crate) fn release(&mut self, now: Micros, user: u32, length: Micros) {
        if let Self::Users(users) = self {
            users.release(now, user, length);
        }
    }

    /// Whether it is paused.
    pub(crate) fn paused(&self) -> bool {
        match self {
            Self::Rate(pacer) => pacer.paused(),
            Self::Users(users) => users.paused(),
        }
    }

    /// Pauses it, or lets it go on.
    pub(crate) fn set_paused(&mut self, now: Micros, paused: bool) {
        match self {
            Self::Rate(pacer) => pacer.set_paused(now, paused),
            Self::Users(users) => users.set_paused(now, paused),
        }
    }

    /// Begins no more calls.
    pub(crate) fn stop(&mut self) {
        match self {
            Self::Rate(pacer) => pacer.stop(),
            Self::Users(users) => users.stop(),
        }
    }

    /// Whether all calls asked for were begun.
    pub(crate) fn exhausted(&self) -> bool {
        match self {
            Self::Rate(pacer) => pacer.exhausted(),
            Self::Users(users) => users.exhausted(),
        }
    }
}
