// SPDX-License-Identifier: AGPL-3.0-only
//! What a shard does as one of several: the first hands messages and calls over, the others take them.
//!
//! Nobody waits for anybody. A full ring drops messages, counted, as a full socket does; calls that are due stay in the
//! schedule until there is room, and are late.

use gossipper_control::Phase;
use gossipper_vm::{Input, Micros};

use super::core::Core;
use super::run::Shard;
use super::work_limit::WorkLimit;
use super::{Ending, Machine};
use crate::group::{Entry, Lead, Place, Role};
use crate::schedule::{Opening, Schedule};
use crate::sys::Datagram;
use crate::transport::MAIN_FLOW;

/// How long a full ring, or a shard with too many letters to read, is left alone before it is tried again.
const RING_RETRY: Micros = Micros(200);

/// Takes in a datagram, or hands it to the shard that owns its call.
pub(super) fn receive<M: Machine>(
    core: &mut Core<M>,
    role: &mut Role,
    now: Micros,
    datagram: Datagram<'_>,
) {
    let Role::Lead(lead) = role else {
        return core.datagram(now, MAIN_FLOW, datagram);
    };
    match lead.router.owner(datagram.bytes) {
        0 => core.datagram(now, MAIN_FLOW, datagram),
        owner => {
            let entry = Entry::Message {
                at: Micros(now.0.saturating_sub(datagram.waited_us)),
                src: datagram.src,
                bytes: datagram.bytes,
            };
            if !lead.hand_over(owner, entry) {
                core.not_taken(datagram);
            }
        }
    }
}

impl<M: Machine> Shard<M> {
    /// Takes what the leader has handed over, within bounds; true when there is more.
    pub(super) fn handed_over(&mut self) -> bool {
        if !self.role.follows() {
            return false;
        }
        let mut limit = WorkLimit::new(&self.core.clock);
        loop {
            let Role::Follow(follow) = &mut self.role else {
                return false;
            };
            let now = self.core.clock.now();
            match follow.ring.pop(&mut follow.bytes) {
                None => return false,
                Some(Entry::Message { at, src, bytes }) => {
                    let datagram = Datagram {
                        src,
                        waited_us: now.since(at).0,
                        bytes,
                    };
                    self.core.datagram(now, MAIN_FLOW, datagram);
                }
                Some(Entry::Open { number, due }) => {
                    self.core.input(now, Input::Open { number, due });
                }
                Some(Entry::Drain) => {
                    follow.told_to_drain = true;
                    self.drain(now, Ending::Completed);
                }
                Some(Entry::Abort) => self.abort(now, Ending::Completed),
            }
            self.core.flush_full();
            if !limit.allow(&self.core.clock) {
                return true;
            }
        }
    }

    /// Begins the calls that are due, each on the shard that owns it.
    pub(super) fn starts_of_all(&mut self) -> bool {
        let mut limit = WorkLimit::new(&self.core.clock);
        loop {
            let now = limit.now();
            let Role::Lead(lead) = &mut self.role else {
                return false;
            };
            let due = self.core.schedule.as_ref().and_then(Schedule::next_due);
            if due.is_none_or(|due| due > now) {
                break;
            }
            let machine = &self.core.machine;
            let (number, owner) =
                lead.next_call(|number, call_id| machine.call_id_of(number, call_id));
            lead.blocked = !lead.has_room(owner);
            if lead.blocked {
                break;
            }
            let open = lead.open();
            let schedule = self.core.schedule.as_mut();
            let Some(Opening { due, user: _ }) = schedule.and_then(|s| s.pop_due(now, open)) else {
                break;
            };
            lead.called();
            if owner == 0 {
                self.core.input(now, Input::Open { number, due });
                self.core.flush_full();
            } else {
                let pushed = lead.hand_over(owner, Entry::Open { number, due });
                debug_assert!(pushed, "there was room");
            }
            if self.core.draining || self.core.ending.is_some() {
                break;
            }
            if !limit.allow(&self.core.clock) {
                return true;
            }
        }
        false
    }

    /// When to try again what did not fit.
    pub(super) fn retry_at(&self, now: Micros) -> Option<Micros> {
        let blocked = match &self.role {
            Role::Alone => false,
            Role::Lead(lead) => lead.blocked,
            // Its socket is nobody's who waits for it to be writable.
            Role::Follow(_) => self.core.unsent(),
        } || self.core.clogged();
        blocked.then(|| now.plus(RING_RETRY))
    }

    /// Hears what the others have to say, and tells them what they have to know.
    pub(super) fn confer(&mut self, now: Micros) {
        let cleared = self.role.place().map_or(0, Place::clearings);
        if cleared != self.resets {
            self.resets = cleared;
            self.clear_stats(now);
        }
        let over = self.over();
        let (drain, phase) = match &mut self.role {
            Role::Alone => return,
            Role::Lead(lead) => {
                if lead.lost_one() {
                    // What it ended with is in what it leaves.
                    self.core.ending.get_or_insert(Ending::Completed);
                }
                (lead.drain_wanted() || lead.exhausted(), self.phase)
            }
            Role::Follow(follow) => {
                let drain = follow.exhausted() || self.core.draining;
                if drain && !follow.told_to_drain {
                    follow.want_drain();
                }
                let read = follow.ring.is_empty()
                    && self.core.post.as_ref().is_none_or(|post| post.is_empty());
                follow.set_idle(over && follow.told_to_drain && read);
                (drain, self.phase)
            }
        };
        if drain && phase == Phase::Running {
            self.drain(now, Ending::Completed);
        }
    }

    /// Passes the phase that the run has come to on to the others.
    pub(super) fn pass_on(&mut self, entry: Entry<'_>) {
        if let Role::Lead(lead) = &mut self.role {
            lead.order(entry);
        }
    }

    /// Whether nothing is left to do on the other shards; true without any.
    pub(super) fn others_idle(&self) -> bool {
        match &self.role {
            Role::Alone => true,
            Role::Lead(lead) => lead.others_idle(),
            // The leader ends the run.
            Role::Follow(_) => false,
        }
    }
}

/// Waits until another shard has something to say or hands something over; never without others.
pub(super) async fn called(role: &Role) {
    match role {
        Role::Alone => std::future::pending().await,
        Role::Lead(lead) => Lead::told(lead).await,
        Role::Follow(follow) => follow.ring.pushed().await,
    }
}
