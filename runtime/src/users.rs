// SPDX-License-Identifier: AGPL-3.0-only
//! Calls by users (`-users N`): always N calls open, each of a user with an id from 1 to N.
//!
//! Decides whose call begins next; knows nothing of rates. An id is in exactly one place: in use, waiting for its turn,
//! or retired. Pure: now in, starts out.
//!
//! Rules: those of SIPp. The first calls go to the highest ids, downwards; from then on the one that has waited longest
//! is next. With fewer users, those that are too many retire as their calls end; with more, retired ids come back
//! before new ones are made.
// COMPAT(sipp): SIPp begins a user's next call in the same pass of its loop, so that a scenario without pauses keeps
// one core busy for ever, and it may give the id of an open call to a second one after users were taken away and
// added (docs/compat.md#users).

use std::collections::VecDeque;

use crate::clock::Micros;

/// Most users. Their calls alone would take some gigabytes.
pub const USERS_MAX: u32 = 10_000_000;

/// Least time between the beginnings of two calls of one user.
const GAP: Micros = Micros(1_000);

/// Ids from `first` down to `last` that may begin a call.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u32,
    last: u32,
    ready: Micros,
}

impl Run {
    fn len(self) -> u32 {
        self.first - self.last + 1
    }
}

/// The users of a run.
#[derive(Debug, Clone)]
pub struct Users {
    /// How many there are to be.
    wanted: u32,
    /// Ids up to this one have been given out.
    known: u32,
    waiting: VecDeque<Run>,
    /// Sum of the lengths of `waiting`.
    waiting_count: u32,
    in_use: u32,
    retired: Vec<Run>,
    paused: bool,
    /// Since when calls may begin again after a pause.
    resumed: Micros,
    /// Calls that may still be started (`-m`).
    remaining: u64,
}

impl Users {
    /// That many users, whose first calls are due at `now`; `total` is `-m`.
    #[must_use]
    pub fn new(now: Micros, users: u32, total: Option<u64>) -> Self {
        let mut new = Self {
            wanted: 0,
            known: 0,
            waiting: VecDeque::new(),
            waiting_count: 0,
            in_use: 0,
            retired: Vec::new(),
            paused: false,
            resumed: now,
            remaining: total.unwrap_or(u64::MAX),
        };
        new.set_count(now, users);
        new
    }

    /// How many there are to be.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.wanted
    }

    /// Changes their number, which becomes at most [`USERS_MAX`].
    pub fn set_count(&mut self, now: Micros, users: u32) {
        self.wanted = users.min(USERS_MAX);
        let room = self.wanted.saturating_sub(self.in_use);
        while self.waiting_count > room {
            let excess = self.waiting_count - room;
            self.retire_last(excess);
        }
        while self.waiting_count < room {
            let missing = room - self.waiting_count;
            let run = self.come_back(missing).unwrap_or_else(|| {
                let last = self.known + 1;
                // At most `wanted` ids are in use or waiting, so this many were never needed before.
                self.known += missing;
                Run {
                    first: self.known,
                    last,
                    ready: now,
                }
            });
            self.waiting_count += run.len();
            self.waiting.push_front(Run { ready: now, ..run });
        }
    }

    /// Takes up to `count` ids out of the end of the queue.
    fn retire_last(&mut self, count: u32) {
        let Some(mut run) = self.waiting.pop_back() else {
            self.waiting_count = 0;
            return;
        };
        if run.len() > count {
            let cut = Run {
                first: run.last + count - 1,
                ..run
            };
            run.last += count;
            self.waiting.push_back(run);
            self.waiting_count -= count;
            self.retired.push(cut);
        } else {
            self.waiting_count -= run.len();
            self.retired.push(run);
        }
    }

    /// Up to `count` retired ids.
    fn come_back(&mut self, count: u32) -> Option<Run> {
        let mut run = self.retired.pop()?;
        if run.len() > count {
            let back = Run {
                first: run.last + count - 1,
                ..run
            };
            run.last += count;
            self.retired.push(run);
            return Some(back);
        }
        Some(run)
    }

    /// Whether no calls are begun for now.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// Pauses, or goes on.
    pub fn set_paused(&mut self, now: Micros, paused: bool) {
        if self.paused && !paused {
            self.resumed = now;
        }
        self.paused = paused;
    }

    /// Starts no more calls.
    pub fn stop(&mut self) {
        self.remaining = 0;
    }

    /// Whether `-m` is used up.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.remaining == 0
    }

    /// When the next call is due; `None` while nothing is, until a call ends or users are added.
    #[must_use]
    pub fn next_due(&self) -> Option<Micros> {
        if self.paused || self.remaining == 0 {
            return None;
        }
        self.waiting
            .front()
            .map(|run| Micros(run.ready.0.max(self.resumed.0)))
    }

    /// Begins the next call that is due: since when it is, and whose it is.
    pub fn pop_due(&mut self, now: Micros) -> Option<(Micros, u32)> {
        let due = self.next_due().filter(|due| due.0 <= now.0)?;
        let run = self.waiting.front_mut()?;
        let user = run.first;
        if run.len() == 1 {
            self.waiting.pop_front();
        } else {
            run.first -= 1;
        }
        self.waiting_count -= 1;
        self.in_use += 1;
        self.remaining -= 1;
        Some((due, user))
    }

    /// A user's call has ended, `length` after it began.
    pub fn release(&mut self, now: Micros, user: u32, length: Micros) {
        self.in_use = self.in_use.saturating_sub(1);
        let run = Run {
            first: user,
            last: user,
            ready: Micros(now.0.saturating_add(GAP.0.saturating_sub(length.0))),
        };
        if self.in_use + self.waiting_count < self.wanted {
            self.waiting.push_back(run);
            self.waiting_count += 1;
        } else {
            self.retired.push(run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LONG: Micros = Micros(1_000_000);

    fn begin_all(users: &mut Users, now: Micros) -> Vec<u32> {
        std::iter::from_fn(|| users.pop_due(now))
            .map(|(_, user)| user)
            .collect()
    }

    #[test]
    fn ids_go_down_first_and_then_in_the_order_in_which_they_were_freed() {
        let mut users = Users::new(Micros(0), 4, None);
        assert_eq!(begin_all(&mut users, Micros(0)), [4, 3, 2, 1]);
        assert_eq!(users.next_due(), None);
        for user in [2, 4, 1] {
            users.release(Micros(5), user, LONG);
        }
        assert_eq!(begin_all(&mut users, Micros(5)), [2, 4, 1]);
    }

    #[test]
    fn a_user_begins_at_most_one_call_per_millisecond() {
        let mut users = Users::new(Micros(0), 1, None);
        assert_eq!(users.pop_due(Micros(0)), Some((Micros(0), 1)));
        users.release(Micros(0), 1, Micros(0));
        assert_eq!(
            (users.pop_due(Micros(999)), users.next_due()),
            (None, Some(Micros(1_000)))
        );
        assert_eq!(users.pop_due(Micros(1_200)), Some((Micros(1_000), 1)));
        users.release(Micros(1_900), 1, Micros(700));
        assert_eq!(users.next_due(), Some(Micros(2_200)));
        assert!(users.pop_due(Micros(2_200)).is_some());
        users.release(Micros(9_000), 1, Micros(6_800));
        assert_eq!(users.next_due(), Some(Micros(9_000)), "at once");
    }

    #[test]
    fn users_too_many_retire_as_their_calls_end_and_come_back_first() {
        let mut users = Users::new(Micros(0), 5, None);
        begin_all(&mut users, Micros(0));
        users.set_count(Micros(1), 3);
        for user in [5, 1] {
            users.release(Micros(2), user, LONG);
            assert_eq!(users.next_due(), None, "{user} retires");
        }
        users.release(Micros(3), 3, LONG);
        assert_eq!(begin_all(&mut users, Micros(3)), [3]);
        users.set_count(Micros(4), 6);
        let mut back = begin_all(&mut users, Micros(4));
        back.sort_unstable();
        assert_eq!(back, [1, 5, 6]);
        users.set_count(Micros(5), u32::MAX);
        assert_eq!(users.count(), USERS_MAX);
    }

    #[test]
    fn users_that_wait_go_at_once_when_there_are_too_many() {
        let mut users = Users::new(Micros(0), 1_000, None);
        users.set_count(Micros(0), 2);
        assert_eq!(begin_all(&mut users, Micros(0)), [1_000, 999]);
        users.set_count(Micros(0), 0);
        users.release(Micros(1), 999, LONG);
        assert_eq!(users.next_due(), None);
    }

    #[test]
    fn a_pause_and_the_total_hold_calls_back() {
        let mut users = Users::new(Micros(0), 2, Some(3));
        users.set_paused(Micros(0), true);
        assert_eq!(users.pop_due(Micros(50)), None);
        users.set_paused(Micros(70), false);
        assert_eq!(users.pop_due(Micros(80)), Some((Micros(70), 2)));
        assert_eq!(users.pop_due(Micros(80)), Some((Micros(70), 1)));
        users.release(Micros(90), 1, LONG);
        assert_eq!(users.pop_due(Micros(90)), Some((Micros(90), 1)));
        users.release(Micros(95), 1, LONG);
        assert!(users.exhausted());
        assert_eq!((users.pop_due(LONG), users.next_due()), (None, None));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Begin,
        End(usize),
        Count(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Begin),
            3 => any::<usize>().prop_map(Step::End),
            1 => (0..12_u32).prop_map(Step::Count),
        ]
    }

    proptest! {
        #[test]
        fn no_id_is_ever_used_twice_and_none_is_lost(
            count in 0..12_u32,
            steps in proptest::collection::vec(step(), 0..300),
        ) {
            let mut users = Users::new(Micros(0), count, None);
            let mut open = BTreeSet::new();
            for (at, step) in steps.into_iter().enumerate() {
                let now = Micros(at as u64 * 2_000);
                match step {
                    Step::Begin => {
                        if let Some((due, user)) = users.pop_due(now) {
                            prop_assert!(due <= now);
                            prop_assert!(open.insert(user), "{user} is open twice");
                        }
                    }
                    Step::End(nth) => {
                        let user = open.iter().nth(nth % open.len().max(1)).copied();
                        if let Some(user) = user {
                            open.remove(&user);
                            users.release(now, user, Micros(500));
                        }
                    }
                    Step::Count(count) => users.set_count(now, count),
                }
            }
            let now = Micros(u64::MAX);
            open.extend(begin_all(&mut users, now));
            prop_assert_eq!(open.len(), users.in_use as usize);
            prop_assert!(open.len() >= users.count() as usize, "as many as there are to be");
            prop_assert!(open.iter().all(|user| (1..=12).contains(user)), "{open:?}");
        }
    }
}
