// SPDX-License-Identifier: AGPL-3.0-only
//! Several shards that run one scenario: who leads, who is led, what they know of each other.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `ring` | what the leader hands over |
//! | `router` | which shard owns a call |
//! | `share` | how many the leader begins itself |
//! | `post` | what shards with connections tell each other |
//!
//! The first shard leads. It alone reads the socket, so that messages of one call keep their order, and it alone has
//! the schedule, the limits and the operator's commands, so that a run is numbered, paced and ended as with one
//! shard. Everything a call needs it gets on the thread of its owner: its messages, its deadlines, its sends.
//! Why so: docs/adr/0012.
//!
//! What all know of each other is a few counters that only their owner writes ([`Group`]).

mod post;
mod ring;
mod router;
mod share;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gossipper_control::{EngineSnapshot, Limit};
use gossipper_vm::{Micros, Siblings, StatEvent};
use tokio::sync::Notify;

use crate::stats::Stats;
pub(crate) use post::{Letter, Post, posts};
use ring::ring;
pub(crate) use ring::{Consumer, Entry, Producer};
pub(crate) use router::Router;
use share::Share;
pub(crate) use share::Work;

/// Bytes that may wait for a shard: what the kernel's own buffer holds at most.
pub(crate) const RING_BYTES: usize = 2 << 20;

/// With so many inputs waiting for another shard, the leader begins a call itself.
const MUCH: u64 = 1_024;

/// With fewer, a shard may soon have nothing to do: batches are full, and calls that are late go there.
const LITTLE: u64 = 256;

/// From so much on, calls that are due are late.
const LATE: Micros = Micros(2_000);

/// Calls for which the leader believes what it knows of the others.
const CALLS_PER_LOOK: u32 = 16;

/// What a shard tells the others. Only the shard writes it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Member {
    created: AtomicU64,
    ended: AtomicU64,
    /// See [`Work`].
    busy: AtomicU64,
    inputs: AtomicU64,
    /// It drains and has no call left.
    idle: AtomicBool,
    /// It wants the run to drain.
    wants_drain: AtomicBool,
    /// It has ended.
    gone: AtomicBool,
    published: Mutex<Option<(EngineSnapshot, Stats)>>,
}

/// The shards of one scenario.
#[derive(Debug)]
pub(crate) struct Group {
    members: Vec<Member>,
    /// Wakes the leader.
    leader: Notify,
    /// How often the figures were cleared.
    clearings: AtomicU64,
}

impl Group {
    /// Calls open on all shards.
    fn open(&self) -> u64 {
        let open = |member: &Member| {
            let ended = member.ended.load(Ordering::Relaxed);
            member.created.load(Ordering::Relaxed).saturating_sub(ended)
        };
        self.members.iter().map(open).sum()
    }

    fn ended(&self) -> u64 {
        let ended = |member: &Member| member.ended.load(Ordering::Relaxed);
        self.members.iter().map(ended).sum()
    }

    /// What all but the leader have done.
    fn work_of_others(&self) -> Work {
        let others = self.members.iter().skip(1);
        others.fold(Work::default(), |all, member| Work {
            busy: all.busy.plus(Micros(member.busy.load(Ordering::Relaxed))),
            inputs: all.inputs + member.inputs.load(Ordering::Relaxed),
        })
    }

    /// The figures of all, as one shard would have them; `None` before all have published some.
    pub(crate) fn snapshot(&self) -> Option<EngineSnapshot> {
        let mut whole: Option<(EngineSnapshot, Stats)> = None;
        for member in &self.members {
            let part = member
                .published
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let (part, stats) = part.as_ref()?;
            match &mut whole {
                None => whole = Some((part.clone(), stats.clone())),
                Some((snapshot, all)) => {
                    all.add(stats);
                    add(snapshot, part);
                }
            }
        }
        let (leader, stats) = whole?;
        let counted = stats.snapshot();
        let mut calls = counted.calls;
        calls.open_limit = leader.calls.open_limit;
        calls.total_limit = leader.calls.total_limit;
        calls.held_back = leader.calls.held_back;
        Some(EngineSnapshot {
            calls,
            local: leader.local,
            remote: leader.remote,
            phase: leader.phase,
            rate: leader.rate,
            transport: leader.transport,
            limits: leader.limits,
            last_warning: leader.last_warning,
            last_warning_at_us: leader.last_warning_at_us,
            counted_since_us: leader.counted_since_us,
            media: leader.media,
            ..counted
        })
    }
}

/// Adds what is not in the statistics.
fn add(whole: &mut EngineSnapshot, part: &EngineSnapshot) {
    whole.rate.mean += part.rate.mean;
    whole.rate.recent += part.rate.recent;
    let (into, from) = (&mut whole.transport, &part.transport);
    into.sent += from.sent;
    into.sent_bytes += from.sent_bytes;
    into.received += from.received;
    into.received_bytes += from.received_bytes;
    into.send_errors += from.send_errors;
    into.recv_errors += from.recv_errors;
    into.handover_dropped += from.handover_dropped;
    let (into_connections, connections) = (&mut into.connections, &from.connections);
    into_connections.opened += connections.opened;
    into_connections.failed += connections.failed;
    into_connections.closed_by_peer += connections.closed_by_peer;
    into_connections.made_anew += connections.made_anew;
    into_connections.tls_full += connections.tls_full;
    into_connections.tls_resumed += connections.tls_resumed;
    into_connections.tls_failed += connections.tls_failed;
    into.send_dropped += from.send_dropped;
    into.congested += from.congested;
    into.icmp_errors += from.icmp_errors;
    into.send_calls += from.send_calls;
    if let (Some(into), Some(from)) = (&mut whole.media, &part.media) {
        into.add(from);
    }
    for limit in Limit::ALL {
        let lasted = part.limits.lasted(limit);
        let into = whole.limits.lasted_mut(limit);
        *into = lasted.max(*into);
    }
    whole.limits.now = whole.limits.now.or(part.limits.now);
    // Of the one socket they share, the leader tells the buffers and what the kernel dropped.
    if whole.last_warning.is_none() {
        whole.last_warning.clone_from(&part.last_warning);
        whole.last_warning_at_us = part.last_warning_at_us;
    }
}

/// A shard's place in its group.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    group: Arc<Group>,
    index: usize,
    /// The leader has a schedule, hence knows how many calls are open.
    scheduled: bool,
}

impl Place {
    fn member(&self) -> &Member {
        &self.group.members[self.index]
    }

    /// Which of them it is.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Tells the others how many calls this shard has created, and how many of them have ended.
    pub(crate) fn count(&self, created: u64, open: u64) {
        let member = self.member();
        member.created.store(created, Ordering::Relaxed);
        member.ended.store(created - open, Ordering::Relaxed);
    }

    /// Tells the leader what this shard has done.
    pub(crate) fn tell(&self, work: Work) {
        let member = self.member();
        member.busy.store(work.busy.0, Ordering::Relaxed);
        member.inputs.store(work.inputs, Ordering::Relaxed);
    }

    /// Has all shards begin to count anew.
    pub(crate) fn clear_all(&self) {
        self.group.clearings.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was asked for.
    pub(crate) fn clearings(&self) -> u64 {
        self.group.clearings.load(Ordering::Relaxed)
    }

    /// Leaves figures for whoever wants to see them.
    pub(crate) fn publish(&self, snapshot: EngineSnapshot, stats: Stats) {
        *self
            .member()
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((snapshot, stats));
    }

    /// The shard is over.
    pub(crate) fn leave(&self) {
        self.member().gone.store(true, Ordering::Release);
        self.group.leader.notify_one();
    }
}

/// What the first shard of a group has.
#[derive(Debug)]
pub(crate) struct Lead {
    pub(crate) place: Place,
    pub(crate) router: Router,
    /// To the other shards, the second first.
    rings: Vec<Producer>,
    /// The number of the next call, and who owns it once that is known.
    next: (u64, Option<usize>),
    /// The ring of the next call has no room.
    pub(crate) blocked: bool,
    /// Set where the leader may keep any call.
    share: Option<Share>,
    /// Calls that have ended on all shards, as of some calls ago.
    ended: (u64, u32),
    /// Which datagrams of the batch at hand are its own.
    pub(crate) own: Vec<bool>,
    /// The last Call-ID that was asked for.
    call_id: Vec<u8>,
    siblings: Arc<Siblings>,
}

/// What another shard of a group has.
#[derive(Debug)]
pub(crate) struct Follow {
    pub(crate) place: Place,
    pub(crate) ring: Consumer,
    /// The message being read.
    pub(crate) bytes: Vec<u8>,
    /// The leader has said that it hands over no more calls.
    pub(crate) told_to_drain: bool,
    siblings: Arc<Siblings>,
}

/// Whether a shard is alone.
#[derive(Debug, Default)]
pub(crate) enum Role {
    /// The only one of its scenario.
    #[default]
    Alone,
    /// The first of several.
    Lead(Box<Lead>),
    /// Another of several.
    Follow(Box<Follow>),
}

impl Role {
    /// Its place in a group.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Alone => None,
            Self::Lead(lead) => Some(&lead.place),
            Self::Follow(follow) => Some(&follow.place),
        }
    }

    pub(crate) fn follows(&self) -> bool {
        matches!(self, Self::Follow(_))
    }
}

/// How the calls of a group begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// When messages come.
    Server,
    /// By a schedule, on the shard that their Call-ID leads to.
    Fixed,
    /// By a schedule, on the leader as long as it has time, and otherwise on the one of the others that their Call-ID leads to.
    Shared,
}

/// The roles of a group, the leader's first.
pub(crate) fn roles(
    router: &Router,
    shards: usize,
    ring_bytes: usize,
    siblings: &Arc<Siblings>,
    kind: Kind,
) -> (Arc<Group>, Vec<Role>) {
    let group = Arc::new(Group {
        members: (0..shards).map(|_| Member::default()).collect(),
        leader: Notify::new(),
        clearings: AtomicU64::new(0),
    });
    let place = |index| Place {
        group: Arc::clone(&group),
        index,
        scheduled: kind != Kind::Server,
    };
    let (rings, others): (Vec<_>, Vec<_>) = (1..shards)
        .map(|index| {
            let (producer, consumer) = ring(ring_bytes);
            let follow = Follow {
                place: place(index),
                ring: consumer,
                bytes: Vec::new(),
                told_to_drain: false,
                siblings: Arc::clone(siblings),
            };
            (producer, Role::Follow(Box::new(follow)))
        })
        .unzip();
    let lead = Lead {
        place: place(0),
        router: router.clone(),
        rings,
        next: (1, None),
        blocked: false,
        share: (kind == Kind::Shared).then(|| Share::new(shards)),
        ended: (0, 0),
        own: Vec::new(),
        call_id: Vec::new(),
        siblings: Arc::clone(siblings),
    };
    let roles = std::iter::once(Role::Lead(Box::new(lead))).chain(others);
    let roles = roles.collect();
    (group, roles)
}

impl Lead {
    /// Calls open, with those that were handed over.
    pub(crate) fn open(&self) -> u64 {
        (self.next.0 - 1).saturating_sub(self.place.group.ended())
    }

    /// Calls open, or more; exactly if there are `many`. Looking at what the others write for each call would keep all
    /// waiting for each other's memory.
    pub(crate) fn open_or_more(&mut self, many: u64) -> u64 {
        let begun = self.next.0 - 1;
        let (ended, looks) = self.ended;
        if looks == 0 || begun.saturating_sub(ended) >= many {
            self.ended = (self.place.group.ended(), CALLS_PER_LOOK);
        } else {
            self.ended.1 = looks - 1;
        }
        begun.saturating_sub(self.ended.0)
    }

    /// The number of the next call, which was due so long ago, and its owner. `call_id` prints the Call-ID of a number.
    pub(crate) fn next_call(
        &mut self,
        late: Micros,
        call_id: impl FnOnce(u64, &mut Vec<u8>),
    ) -> (u64, usize) {
        let (number, owner) = self.next;
        let owner = owner.unwrap_or_else(|| {
            let Self {
                router,
                rings,
                share,
                call_id: buffer,
                ..
            } = self;
            let id = || {
                buffer.clear();
                call_id(number, buffer);
                &buffer[..]
            };
            let Some(share) = share else {
                return router.owner_of_call(id());
            };
            let home = router.home_of_call(id);
            let waiting = rings[home - 1].waiting(LITTLE);
            let keeps = waiting >= MUCH || (share.takes() && (late < LATE || waiting >= LITTLE));
            if keeps { 0 } else { home }
        });
        self.next.1 = Some(owner);
        (number, owner)
    }

    /// Who is to read a message. `knows` says whether the leader has, or lately had, the call with a Call-ID.
    pub(crate) fn owner(&self, message: &[u8], knows: impl FnOnce(&[u8]) -> bool) -> usize {
        if self.share.is_none() {
            return self.router.owner(message);
        }
        match self.router.call_id(message) {
            None => 0,
            Some(id) if knows(id) => 0,
            Some(id) => self.router.home_of_call(|| id),
        }
    }

    /// Sees how many calls the leader is to keep, now that it has done so much.
    pub(crate) fn measure(&mut self, now: Micros, work: Work) {
        if let Some(share) = self.share.as_mut().filter(|share| share.is_due(now)) {
            share.measure(now, work, self.place.group.work_of_others());
        }
    }

    /// The next call is begun.
    pub(crate) fn called(&mut self) {
        self.next = (self.next.0 + 1, None);
    }

    /// Whether a call can be handed to this shard; the first one needs no room.
    pub(crate) fn has_room(&mut self, owner: usize) -> bool {
        owner == 0 || self.rings[owner - 1].has_room_for_open()
    }

    /// Hands something to another shard; false when its ring is full.
    pub(crate) fn hand_over(&mut self, owner: usize, entry: Entry<'_>) -> bool {
        self.rings[owner - 1].push(entry)
    }

    /// Wakes whoever was handed something.
    pub(crate) fn wake(&mut self) {
        self.rings.iter_mut().for_each(Producer::wake);
    }

    /// Gives all others an order.
    pub(crate) fn order(&mut self, entry: Entry<'_>) {
        for ring in &mut self.rings {
            let pushed = ring.push(entry);
            debug_assert!(pushed, "orders have room of their own");
            ring.wake();
        }
    }

    fn others(&self) -> impl Iterator<Item = &Member> {
        self.place.group.members.iter().skip(1)
    }

    /// Whether the others have no calls left and open no more.
    pub(crate) fn others_idle(&self) -> bool {
        self.others()
            .all(|member| member.idle.load(Ordering::Acquire))
    }

    /// Whether messages open no more calls on any shard.
    pub(crate) fn exhausted(&self) -> bool {
        self.siblings.exhausted()
    }

    /// Whether one of the others wants the run to drain.
    pub(crate) fn drain_wanted(&self) -> bool {
        self.others()
            .any(|member| member.wants_drain.load(Ordering::Acquire))
    }

    /// Whether one of the others has ended, which they do only when a scenario ends the run.
    pub(crate) fn lost_one(&self) -> bool {
        self.others()
            .any(|member| member.gone.load(Ordering::Acquire))
    }

    /// Waits until one of the others has something to say.
    pub(crate) async fn told(&self) {
        self.place.group.leader.notified().await;
    }
}

impl Follow {
    /// Says whether it has anything left to do.
    pub(crate) fn set_idle(&self, idle: bool) {
        let said = &self.place.member().idle;
        if said.load(Ordering::Relaxed) != idle {
            said.store(idle, Ordering::Release);
            self.place.group.leader.notify_one();
        }
    }

    /// Asks for no more calls on any shard.
    pub(crate) fn want_drain(&self) {
        if !self.place.member().wants_drain.swap(true, Ordering::AcqRel) {
            self.place.group.leader.notify_one();
        }
    }

    /// Whether messages open no more calls on any shard.
    pub(crate) fn exhausted(&self) -> bool {
        self.siblings.exhausted()
    }
}

/// Tells the others what has become of the calls, and counts when they were most over all shards; with a schedule, that is
/// counted where it is.
pub(crate) fn note(place: &Place, stats: &mut Stats, now: Micros, event: &StatEvent) {
    let created = matches!(event, StatEvent::Created { .. });
    if !created && !matches!(event, StatEvent::Ended { .. }) {
        return;
    }
    place.count(stats.created(), stats.open());
    if created && !place.scheduled {
        stats.counters.peak_of(place.group.open(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leader and one other.
    fn two(kind: Kind) -> (Box<Lead>, Box<Follow>) {
        let router = Router::new(2, false);
        let siblings = Arc::new(Siblings::new(None));
        let (_, roles) = roles(&router, 2, RING_BYTES, &siblings, kind);
        let Ok([Role::Lead(lead), Role::Follow(follow)]) = <[Role; 2]>::try_from(roles) else {
            panic!("a leader and one other");
        };
        (lead, follow)
    }

    /// Begins a call as the schedule does; whether the leader keeps it.
    fn begins(lead: &mut Lead, late: Micros) -> bool {
        let (number, owner) = lead.next_call(late, |number, id| {
            id.extend_from_slice(number.to_string().as_bytes());
        });
        lead.called();
        let due = Micros(0);
        owner == 0 || !lead.hand_over(owner, Entry::Open { number, due })
    }

    #[test]
    fn late_calls_fill_the_other_shard_first_and_none_goes_to_one_with_much_to_do() {
        let (mut lead, mut follow) = two(Kind::Shared);
        let late = (0..LITTLE).filter(|_| begins(&mut lead, LATE)).count();
        assert_eq!(late, 0, "the other has little to do");
        let kept = (0..10 * MUCH).filter(|_| begins(&mut lead, LATE)).count() as u64;
        assert_eq!(kept, 10 * MUCH + LITTLE - MUCH, "the other has enough");
        lead.wake();
        let mut bytes = Vec::new();
        while follow.ring.pop(&mut bytes).is_some() {}
        let kept = (0..80).filter(|_| begins(&mut lead, Micros(0))).count();
        assert_eq!(kept, 30, "37.5 % at first");
    }

    #[test]
    fn messages_find_the_calls_that_the_leader_has_kept_and_those_it_has_not() {
        let message = b"BYE sip:a SIP/2.0\r\nCall-ID: x///7\r\n\r\n";
        let (lead, _) = two(Kind::Shared);
        let kept = |id: &[u8]| id == b"7";
        assert_eq!(lead.owner(message, kept), 0);
        assert_eq!(lead.owner(message, |_| false), 1);
        assert_eq!(lead.owner(b"nonsense", |_| false), 0);
        let (lead, _) = two(Kind::Fixed);
        assert_eq!(lead.owner(message, kept), lead.router.owner_of_call(b"7"));
    }

    #[test]
    fn a_call_whose_owner_was_found_is_not_dealt_out_again() {
        let (mut lead, _) = two(Kind::Shared);
        let next = |lead: &mut Lead| lead.next_call(Micros(0), |_, _| ());
        let first: Vec<_> = (0..9).map(|_| next(&mut lead)).collect();
        assert!(first.iter().all(|call| *call == first[0]));
        lead.called();
        assert_eq!(next(&mut lead).0, 2);
    }

    #[test]
    fn calls_open_are_counted_exactly_where_it_matters() {
        let (mut lead, follow) = two(Kind::Shared);
        assert_eq!(lead.open_or_more(1), 0);
        (0..4).for_each(|_| lead.called());
        follow.place.count(4, 1);
        assert_eq!(lead.open_or_more(5), 4, "three have ended since it looked");
        assert_eq!(lead.open_or_more(4), 1);
        follow.place.count(4, 0);
        let looks = (0..=CALLS_PER_LOOK).map(|_| lead.open_or_more(9));
        assert_eq!(looks.last(), Some(0), "sooner or later it looks again");
    }
}
