// SPDX-License-Identifier: AGPL-3.0-only
//! The figures of a shard, left for whoever wants to see them.

use std::sync::PoisonError;

use gossipper_control::{Phase, RateSnapshot};
use gossipper_vm::Micros;

use super::Machine;
use super::run::{RECENT_PERIODS, Shard};
use super::strain::Seen;
use crate::pacing::Pacer;
use crate::schedule::Schedule;

/// How often a snapshot is published.
const PUBLISH_PERIOD: Micros = Micros(200_000);

impl<M: Machine> Shard<M> {
    /// Asks the kernel what it has dropped since it was last asked.
    fn count_dropped(&mut self) {
        self.core.counts.recv_dropped += self.sides.dropped();
        if let Some(dropped) = self.socket.as_ref().and_then(crate::sys::dropped) {
            self.core.counts.recv_dropped += u64::from(dropped.wrapping_sub(self.dropped));
            self.dropped = dropped;
        }
    }

    pub(super) fn publish(&mut self, now: Micros) {
        self.publish_at = now.plus(PUBLISH_PERIOD);
        self.core.stats.settle();
        let mut snapshot = self.core.stats.snapshot();
        let created = snapshot.calls.created();
        if self.recent.len() > RECENT_PERIODS {
            self.recent.pop_front();
        }
        self.recent.push_back((now, created));
        let (since, before) = self.recent.front().copied().unwrap_or((Micros(0), 0));
        let until = self.opening_ended_at.unwrap_or(now);
        snapshot.local = self.local.to_string();
        snapshot.remote = self.remote.map(|remote| remote.to_string());
        snapshot.phase = self.phase;
        let schedule = self.core.schedule.as_ref();
        let pacer = schedule.and_then(Schedule::pacer);
        snapshot.rate = RateSnapshot {
            target: pacer.map_or(0.0, |pacer| pacer.rate(now).per_second()),
            users: schedule.and_then(Schedule::users),
            mean: per_second(created, until.since(Micros(snapshot.counted_since_us))),
            recent: per_second(created - before.min(created), now.since(since)),
            paused: schedule.is_some_and(Schedule::paused),
        };
        snapshot.calls.open_limit = match snapshot.rate.users {
            Some(users) => u64::from(users),
            None => pacer.map_or(0, Pacer::open_limit),
        };
        snapshot.calls.held_back = pacer.map_or(0, Pacer::held_back);
        snapshot.calls.total_limit = self.total;
        // Those that share a socket share its counter.
        if !self.role.follows() {
            self.count_dropped();
        }
        snapshot.transport = self.core.counts;
        let media = self.core.media.as_ref();
        snapshot.media = media.map(|media| Box::new(media.snapshot()));
        let seen = Seen {
            next_due: self.core.schedule.as_ref().and_then(Schedule::next_due),
            idle: self.idle,
            held_back: snapshot.calls.held_back,
            counts: snapshot.transport,
        };
        snapshot.limits = self.strain.judge(now, seen, self.phase == Phase::Running);
        snapshot.last_warning = self.core.last_warning.clone();
        snapshot.last_warning_at_us = self.core.last_warning_at_us;
        self.core.machine.circuits(&mut snapshot.circuits);
        if let Some(beside) = &mut self.core.beside {
            beside.stats.settle();
            let mut snapshot_beside = beside.stats.snapshot();
            snapshot_beside.local = snapshot.local.clone();
            snapshot_beside.phase = snapshot.phase;
            *beside.slot.lock().unwrap_or_else(PoisonError::into_inner) = snapshot_beside;
        }
        if let Some(place) = self.role.place() {
            place.publish(snapshot, self.core.stats.clone());
        } else {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
    }
}

fn per_second(count: u64, time: Micros) -> f64 {
    if time.0 == 0 {
        0.0
    } else {
        count as f64 * 1e6 / time.0 as f64
    }
}
