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
use crate::group::{Entry, Lead, Place, Role, Work};
use crate::pacing::Pacer;
use crate::schedule::{Opening, Schedule};
use crate::sys::Datagram;
use crate::transport::MAIN_FLOW;

/// How long a full ring, or a shard with too many letters to read, is left alone before it is tried again.
const RING_RETRY: Micros = Micros(200);

/// Hands the datagrams of a batch to the shards that own their calls, and notes which are left: those are read
/// afterwards, while the others read theirs.
pub(super) fn deal<'a, M: Machine>(
    core: &mut Core<M>,
    role: &mut Role,
    now: Micros,
    batch: impl Iterator<Item = Datagram<'a>>,
) {
    let Role::Lead(lead) = role else {
        return;
    };
    lead.own.clear();
    for datagram in batch {
        let owner = lead.owner(datagram.bytes, |call_id| core.machine.knows(call_id));
        lead.own.push(owner == 0);
        if owner == 0 {
            continue;
        }
        let entry = Entry::Message {
            at: Micros(now.0.saturating_sub(datagram.waited_us)),
            src: *datagram.src,
            bytes: datagram.bytes,
        };
        if !lead.hand_over(owner, entry) {
            core.not_taken(datagram);
        }
    }
    lead.wake();
}

/// Whether a datagram of the batch, the how manieth, is the shard's own.
pub(super) fn is_own(role: &Role, at: usize) -> bool {
    match role {
        Role::Lead(lead) => lead.own.get(at).copied().unwrap_or(true),
        Role::Alone | Role::Follow(_) => true,
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
            match follow.ring.pop(&mut follow.bytes) {
                None => return false,
                // It happened when it arrived.
                Some(Entry::Message { at, src, bytes }) => {
                    let datagram = Datagram {
                        src: &src,
                        waited_us: 0,
                        bytes,
                    };
                    self.core.datagram(at, MAIN_FLOW, datagram);
                }
                Some(Entry::Open { number, due }) => {
                    // The time as last read may be from before it was due, or before the last message.
                    let now = limit.now().max(due).max(self.core.told);
                    self.core.input(now, Input::Open { number, due });
                }
                Some(Entry::Drain) => {
                    follow.told_to_drain = true;
                    self.drain(self.core.clock.now(), Ending::Completed);
                }
                Some(Entry::Abort) => self.abort(self.core.clock.now(), Ending::Completed),
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
        let schedule = self.core.schedule.as_ref();
        let open_limit = schedule.and_then(Schedule::pacer).map(Pacer::open_limit);
        let open_limit = open_limit.unwrap_or(u64::MAX);
        loop {
            let now = limit.now();
            let Role::Lead(lead) = &mut self.role else {
                return false;
            };
            let schedule = self.core.schedule.as_mut();
            let Some((schedule, due)) = schedule.and_then(|schedule| {
                let due = schedule.next_due().filter(|due| *due <= now)?;
                Some((schedule, due))
            }) else {
                break;
            };
            let machine = &self.core.machine;
            let (number, owner) = lead.next_call(now.since(due), |number, call_id| {
                machine.call_id_of(number, call_id);
            });
            lead.blocked = !lead.has_room(owner);
            if lead.blocked {
                break;
            }
            let counters = &mut self.core.stats.counters;
            let open = lead.open_or_more(open_limit.min(counters.peak));
            let Some(Opening { due, user: _ }) = schedule.pop_due(now, open) else {
                break;
            };
            lead.called();
            counters.peak_of(open + 1, now);
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
        let work = Work {
            busy: now.since(self.idle),
            inputs: self.core.inputs,
        };
        let over = self.over();
        let (drain, phase) = match &mut self.role {
            Role::Alone => return,
            Role::Lead(lead) => {
                lead.measure(now, work);
                if lead.lost_one() {
                    // What it ended with is in what it leaves.
                    self.core.ending.get_or_insert(Ending::Completed);
                }
                (lead.drain_wanted() || lead.exhausted(), self.phase)
            }
            Role::Follow(follow) => {
                follow.place.tell(work);
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
