// SPDX-License-Identifier: AGPL-3.0-only
//! The loop of a shard.
//!
//! A turn does a bounded amount of each kind of work (datagrams first, since a peer waits for them; then timers, calls
//! that yielded, due starts), then sends what was collected. Between turns the shard waits for the first of: the
//! socket, the next deadline (wheel, schedule, end of the run, next snapshot), a command. A turn that left work
//! behind is followed by the next at once, after one look at the reactor where there is one.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gossipper_control::{EngineSnapshot, Phase, TransportCounts};
use gossipper_vm::{Input, Micros};
use tokio::sync::mpsc::Receiver;
use tokio::time::Sleep;

use super::coalesce::Coalescer;
use super::core::Core;
use super::flows;
use super::mail;
use super::sides::Sides;
use super::strain::Strain;
use super::team;
use super::waiting::{self, Waiting};
use super::watchdog::{Look, Watchdog};
use super::work_limit::WorkLimit;
use super::{
    AHEAD, Deadlines, EditedFiles, Ending, Machine, Remains, Sampling, Setup, ShardCommand,
};
use crate::flows::Table;
use crate::group::Role;
use crate::media::{Media, MediaSetup};
use crate::schedule::{Opening, Schedule};
use crate::sys::BatchReceiver;
use crate::transport::MAIN_FLOW;
use crate::transport::udp::Outbox;
use crate::twin::Links;

/// Publications that make up the "recent" rate: about a second.
pub(super) const RECENT_PERIODS: usize = 5;

/// What the reactor rounds times up to.
const REACTOR_STEP: Micros = Micros(1000);

/// How long a full socket is left alone where nothing tells when it is writable.
const FLUSH_RETRY: Duration = Duration::from_millis(1);

/// How long the end of a run waits for a full socket.
const LAST_FLUSH: Duration = Duration::from_millis(500);

pub(super) struct Shard<M> {
    pub(super) core: Core<M>,
    pub(super) deadlines: Deadlines,
    watchdog: Option<Watchdog>,
    /// How often the figures of the group were cleared, as far as this shard has followed.
    pub(super) resets: u64,
    pub(super) phase: Phase,
    /// How the run ends when the phase is over.
    pub(super) ending: Ending,
    pub(super) abort_turns: u32,
    /// When the calls are aborted that a twin has left behind.
    pub(super) twin_end: Option<Micros>,
    /// When the last call was opened, once no more are.
    pub(super) opening_ended_at: Option<Micros>,
    /// `None` where messages go over connections.
    pub(super) socket: Option<UdpSocket>,
    pub(super) role: Role,
    waiting: Waiting,
    receiver: Option<BatchReceiver>,
    pub(super) sides: Sides,
    coalescer: Coalescer,
    /// The kernel's counter of dropped datagrams, as last read.
    pub(super) dropped: u32,
    inbox: Receiver<ShardCommand>,
    inbox_open: bool,
    pub(super) slot: Arc<Mutex<EngineSnapshot>>,
    pub(super) local: SocketAddr,
    pub(super) remote: Option<SocketAddr>,
    pub(super) total: Option<u64>,
    pub(super) publish_at: Micros,
    pub(super) sampling: Option<Sampling>,
    /// Calls created at the last publications, oldest first.
    pub(super) recent: std::collections::VecDeque<(Micros, u64)>,
    keep_edits: bool,
    /// Time spent waiting.
    pub(super) idle: Micros,
    pub(super) strain: Strain,
}

impl<M: Machine> Shard<M> {
    /// Takes the socket into the thread's reactor; to be called within its context.
    pub(super) fn new(setup: Setup<M>) -> io::Result<Self> {
        let Setup {
            machine,
            stats,
            beside,
            schedule,
            total,
            bound,
            flows,
            role,
            post,
            twin,
            backend,
            coalesce,
            remote,
            clock,
            logs,
            mirror,
            tap,
            watch,
            invites,
            measure,
            shapes,
            sampling,
            deadlines,
            watchdog,
            keep_edits,
            echo,
            media,
            slot,
            inbox,
        } = setup;
        let counts = TransportCounts {
            recv_buffer_bytes: bound.recv_buffer_bytes as u64,
            send_buffer_bytes: bound.send_buffer_bytes as u64,
            ..TransportCounts::default()
        };
        let socket = bound.socket;
        let (sides, ways_out) = Sides::new(bound.sides, backend)?;
        let reads = !role.follows();
        let receiver = socket
            .as_ref()
            .map(|socket| BatchReceiver::new(backend, socket));
        let hears_media = media.as_ref().is_some_and(MediaSetup::reads);
        let alone = ways_out.is_empty() && twin.is_none() && flows.is_none() && !hears_media;
        let waiting = Waiting::new(socket.as_ref().filter(|_| reads), backend, alone)?;
        let flows = flows.map(Table::new).transpose()?.map(Box::new);
        let outbox = Outbox::new(backend);
        let links = twin.map(Links::new).transpose()?;
        let mut core = Core::new(
            machine,
            stats,
            schedule,
            // Of several, none knows alone how many calls there are.
            total.filter(|_| role.place().is_none()),
            socket.as_ref().map(UdpSocket::try_clone).transpose()?,
            flows,
            outbox,
            counts,
            clock,
            logs,
        );
        core.beside = beside;
        core.links = links;
        core.echo = echo;
        core.media = media.map(|setup| Box::new(Media::new(setup)));
        core.watch = watch;
        core.invites = invites;
        core.mirror = mirror;
        core.tap = tap;
        core.measure = measure;
        core.shapes = shapes;
        core.sides = ways_out;
        core.place = role.place().cloned();
        core.post = post;
        core.begin_traces();
        Ok(Self {
            core,
            twin_end: None,
            deadlines,
            watchdog: watchdog.map(|config| Watchdog::new(config, clock.now())),
            resets: 0,
            phase: Phase::Running,
            ending: Ending::Completed,
            abort_turns: 0,
            opening_ended_at: None,
            role,
            waiting,
            socket,
            receiver,
            sides,
            coalescer: Coalescer::new(coalesce),
            dropped: 0,
            inbox,
            inbox_open: true,
            slot,
            local: bound.address,
            remote,
            total,
            publish_at: Micros(0),
            sampling,
            recent: std::collections::VecDeque::with_capacity(RECENT_PERIODS + 1),
            keep_edits,
            idle: Micros(0),
            strain: Strain::default(),
        })
    }

    /// Runs to the end.
    pub(super) async fn run(mut self) -> Remains {
        let mut sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        self.sample(self.core.clock.now());
        let ending = loop {
            let busy = self.turn();
            if let Some(ending) = self.ended() {
                break ending;
            }
            if busy {
                self.waiting.breathe().await;
            } else {
                let since = self.core.clock.now();
                self.wait(since, sleep.as_mut()).await;
                self.idle = self.idle.plus(self.core.clock.now().since(since));
            }
        };
        // A socket that stays full keeps the rest; the peer will not miss it for long.
        let _ = tokio::time::timeout(LAST_FLUSH, self.flush_rest()).await;
        if let Some(links) = self.core.links.take() {
            links.close(LAST_FLUSH).await;
        }
        self.opening_ended_at
            .get_or_insert_with(|| self.core.clock.now());
        self.phase = Phase::Ended;
        self.publish(self.core.clock.now());
        self.last_sample(&ending);
        self.core.last_tick();
        let edited = if self.keep_edits {
            self.core.machine.edited_files()
        } else {
            EditedFiles::new()
        };
        Remains { ending, edited }
    }

    async fn flush_rest(&mut self) {
        // The last messages of other shards' calls.
        while self.core.read_mail() {}
        self.core.flush();
        if let Some(flows) = &mut self.core.flows {
            flows.close_all();
        }
        while self
            .core
            .flows
            .as_ref()
            .is_some_and(|flows| flows.len() > 0)
        {
            self.core.flush();
            if !self.core.flows_turn() {
                flows::ready(self.core.flows.as_deref()).await;
            }
            tokio::task::yield_now().await;
        }
        loop {
            self.flush();
            if !self.core.unsent() {
                return;
            }
            if self.core.outbox.is_empty() {
                self.sides.ready(&self.core.sides).await;
                continue;
            }
            match &self.waiting {
                Waiting::Reactor(Some(reactor)) if reactor.writable().await.is_ok() => {}
                Waiting::Reactor(Some(_)) => return,
                Waiting::Reactor(None) | Waiting::Poll { .. } => {
                    tokio::time::sleep(FLUSH_RETRY).await;
                }
            }
        }
    }

    /// Does what is there to do, within bounds; true when work is left.
    pub(super) fn turn(&mut self) -> bool {
        if self.watchdog.is_some() {
            self.watch(self.core.clock.now());
        }
        while let Ok(command) = self.inbox.try_recv() {
            self.obey(self.core.clock.now(), command);
        }
        if !self.core.begun() {
            self.core.begin();
        }
        let mut busy = self.receive();
        busy |= self.handed_over();
        busy |= self.core.read_mail();
        busy |= self.core.flows_turn();
        busy |= self.core.media_turn();
        busy |= self.commands();
        busy |= self.timers();
        busy |= self.resumes();
        busy |= match self.role {
            Role::Alone => self.starts(),
            Role::Lead(_) => self.starts_of_all(),
            Role::Follow(_) => false,
        };
        if let Role::Lead(lead) = &mut self.role {
            lead.wake();
        }
        let now = self.core.clock.now();
        self.settle(now);
        busy |= self.abort_some();
        self.core.deliver();
        self.confer(now);
        self.flush();
        self.core.deliver();
        let now = self.core.clock.now();
        if now >= self.publish_at {
            self.publish(now);
        }
        self.sample(now);
        self.core.tick(now);
        self.core.hand_over_logs();
        if let Some(mirror) = &mut self.core.mirror {
            mirror.hand_over();
        }
        if let Some(tap) = &mut self.core.tap {
            tap.hand_over();
        }
        busy
    }

    /// Says so when this turn comes late, and gives up when too many did.
    fn watch(&mut self, now: Micros) {
        let Some(watchdog) = &mut self.watchdog else {
            return;
        };
        let Look::Trip {
            major,
            since,
            fatal,
        } = watchdog.look(now)
        else {
            return;
        };
        let kind = if major { "major" } else { "minor" };
        let ms = since.as_ms();
        self.core.stats.counters.tripped(major);
        let text = format!("watchdog: {kind} trip, nothing was done for {ms} ms");
        self.core.warn(now, text.as_bytes());
        if fatal {
            let text = format!("the watchdog has tripped too often ({kind} trips)");
            self.core.warn(now, text.as_bytes());
            self.core.ending.get_or_insert(Ending::Fatal(text));
        }
    }

    fn receive(&mut self) -> bool {
        let mut datagrams = 0;
        let mut limit = WorkLimit::new(&self.core.clock);
        let mut more = self.receive_batches(&mut limit, &mut datagrams);
        more |= self
            .sides
            .receive(&mut self.core, &mut limit, &mut datagrams);
        self.coalescer.received(limit.now(), datagrams);
        more
    }

    /// Reads until nothing is left, or time is up: then true.
    fn receive_batches(&mut self, limit: &mut WorkLimit, received_datagrams: &mut u64) -> bool {
        let (Some(socket), Some(receiver)) = (&self.socket, &mut self.receiver) else {
            return false;
        };
        loop {
            let look = self.waiting.look(socket, receiver);
            match look.read {
                Ok(None) => return false,
                Ok(Some(outcome)) => self.core.counts.icmp_errors += u64::from(outcome.icmp_errors),
                Err(error) => {
                    self.core.recv_error(&error);
                    return false;
                }
            }
            let mut allowed = true;
            let now = self.core.clock.now();
            team::deal(&mut self.core, &mut self.role, now, receiver.datagrams());
            *received_datagrams += receiver.datagrams().len() as u64;
            let role = &self.role;
            let own = || {
                let own = |(at, _): &(usize, _)| team::is_own(role, *at);
                let batch = receiver.datagrams().enumerate();
                batch.filter(own).map(|(_, datagram)| datagram)
            };
            let mut ahead = own().map(|datagram| datagram.bytes);
            for (at, datagram) in own().enumerate() {
                if at % AHEAD == 0 {
                    let mut next = ahead.by_ref().take(AHEAD);
                    self.core.machine.look_ahead(&mut next);
                    // Of those that it did not look at as well.
                    next.for_each(drop);
                }
                self.core.datagram(now, MAIN_FLOW, datagram);
                self.core.flush_full();
                // The batch is finished in any case: it is out of the kernel.
                allowed &= limit.allow(&self.core.clock);
            }
            if !(look.more && allowed) {
                return look.more;
            }
        }
    }

    fn timers(&mut self) -> bool {
        let mut limit = WorkLimit::new(&self.core.clock);
        let mut looked_at = 0;
        while let Some(fired) = self.core.wheel.pop_due(limit.now()) {
            if looked_at == 0 {
                self.core.look_ahead_of_timers(&fired);
                looked_at = AHEAD;
            }
            looked_at -= 1;
            self.core.timer(limit.now(), fired);
            self.core.flush_full();
            if !limit.allow(&self.core.clock) {
                return true;
            }
        }
        false
    }

    fn resumes(&mut self) -> bool {
        if self.core.resumable() == 0 {
            return false;
        }
        let mut limit = WorkLimit::new(&self.core.clock);
        // Only those that wait now: one that yields again waits for the next turn.
        for _ in 0..self.core.resumable() {
            self.core.resume(self.core.clock.now());
            self.core.flush_full();
            if !limit.allow(&self.core.clock) {
                break;
            }
        }
        self.core.resumable() > 0
    }

    fn starts(&mut self) -> bool {
        if self.core.schedule.is_none() || !self.core.begun() {
            return false;
        }
        let mut limit = WorkLimit::new(&self.core.clock);
        while let Some(Opening { due, user }) = self.core.next_opening(limit.now()) {
            self.core.input(limit.now(), Input::Spawn { user, due });
            self.core.flush_full();
            if self.core.draining || self.core.ending.is_some() {
                return false;
            }
            if !limit.allow(&self.core.clock) {
                return true;
            }
        }
        false
    }

    fn flush(&mut self) {
        self.core.flush();
        if !self.core.unsent() {
            return;
        }
        // `writable` is to wait for the next event.
        if !self.core.outbox.is_empty() {
            self.waiting.note_full();
        }
        self.sides.note_full(&self.core.sides);
        // Room may have come between the two; asking once more cannot miss it.
        self.core.flush();
    }

    fn next_deadline(&self) -> Micros {
        let retry = self.retry_at(self.core.clock.now());
        let schedule = match &self.role {
            // It is due, and waits for room.
            Role::Lead(lead) if lead.blocked => None,
            _ if !self.core.begun() => None,
            role => {
                let open = match role {
                    Role::Lead(lead) => lead.open(),
                    Role::Alone | Role::Follow(_) => self.core.stats.open(),
                };
                let now = self.core.clock.now();
                let schedule = self.core.schedule.as_ref();
                schedule.and_then(|schedule| schedule.next_look(now, open))
            }
        };
        let limits = if self.phase == Phase::Aborting {
            [None, None, None]
        } else {
            [
                self.deadlines.timeout,
                self.deadlines.timeout_global,
                self.twin_end,
            ]
        };
        [
            self.core.wheel.next_wakeup(),
            self.core
                .flows
                .as_ref()
                .and_then(|flows| flows.next_deadline()),
            self.core
                .media
                .as_ref()
                .and_then(|media| media.next_deadline()),
            schedule,
            self.core.schedule.as_ref().and_then(Schedule::next_climb),
            self.watchdog.as_ref().map(Watchdog::next),
            retry,
            limits[0],
            limits[1],
            limits[2],
            self.sampling.as_ref().map(Sampling::at),
            self.core.measure.as_ref().map(|measure| measure.at()),
        ]
        .into_iter()
        .flatten()
        .fold(self.publish_at, Micros::min)
    }

    async fn wait(&mut self, now: Micros, mut sleep: Pin<&mut Sleep>) {
        let full = !self.core.outbox.is_empty();
        if !self.core.unsent()
            && let Some(until) = self.coalescer.rest(now, || self.next_starts())
        {
            // Shorter than what the reactor's timer can wait. Whatever comes meanwhile is found afterwards.
            std::thread::sleep(Duration::from_micros(until.since(now).0));
            self.waiting.rested().await;
            return;
        }
        let deadline = self.next_deadline();
        if matches!(self.waiting, Waiting::Poll { .. }) {
            self.sleep_until(deadline, full);
            return;
        }
        let sleep_until = match &self.core.media {
            // Packets are due at times of their own, and the reactor rounds up to milliseconds: it is left before the last of
            // them. What comes meanwhile is found afterwards.
            Some(_) if !self.core.unsent() => {
                let now = self.core.clock.now();
                if deadline.since(now) <= REACTOR_STEP {
                    std::thread::sleep(self.core.clock.until(deadline));
                    self.waiting.rested().await;
                    return;
                }
                Micros(deadline.0 - REACTOR_STEP.0)
            }
            _ => deadline,
        };
        sleep
            .as_mut()
            .reset(self.core.clock.instant(sleep_until).into());
        let mut event = None;
        let clogged = self.core.clogged();
        let links = &mut self.core.links;
        let happens = async {
            match links {
                Some(links) => links.next().await,
                None => std::future::pending().await,
            }
        };
        let Waiting::Reactor(reactor) = &self.waiting else {
            return;
        };
        let readable = async {
            match reactor {
                // An error of readiness shows at the next receive.
                Some(reactor) => drop(reactor.readable().await),
                None => std::future::pending().await,
            }
        };
        let writable = async {
            match reactor {
                Some(reactor) => drop(reactor.writable().await),
                None => std::future::pending().await,
            }
        };
        let media = async {
            match &self.core.media {
                Some(media) => media.ready().await,
                None => std::future::pending().await,
            }
        };
        let mut command = None;
        tokio::select! {
            biased;
            received = self.inbox.recv(), if self.inbox_open => match received {
                Some(received) => command = Some(received),
                None => self.inbox_open = false,
            },
            () = readable => {}
            () = self.sides.ready(&self.core.sides) => {}
            () = flows::ready(self.core.flows.as_deref()), if !clogged => {}
            () = media => {}
            () = mail::arrived(self.core.post.as_deref()) => {}
            () = team::called(&self.role) => {}
            next = happens => event = Some(next),
            () = writable, if full => {}
            () = sleep => {}
        }
        if let Some(command) = command {
            self.obey(self.core.clock.now(), command);
        }
        if let Some(event) = event {
            self.twin_event(event);
        }
    }

    /// The next two starts of this shard's schedule, where it has one.
    fn next_starts(&self) -> [Option<Micros>; 2] {
        self.core
            .schedule
            .as_ref()
            .map_or([None, None], Schedule::next_two)
    }

    /// Sleeps without a reactor.
    fn sleep_until(&mut self, deadline: Micros, full: bool) {
        let at_most = self.core.clock.until(deadline);
        let reads = !self.role.follows();
        let Waiting::Poll {
            poller,
            waker,
            readable,
        } = &mut self.waiting
        else {
            return;
        };
        let (inbox, open) = (&mut self.inbox, self.inbox_open);
        let command = async {
            if open {
                inbox.recv().await
            } else {
                std::future::pending().await
            }
        };
        let role = &self.role;
        // What the others have to say is found in the next turn.
        let called = async {
            tokio::select! {
                biased;
                received = command => Some(received),
                () = team::called(role) => None,
            }
        };
        let socket = self.socket.as_ref().filter(|_| reads);
        let brought = waiting::sleep((poller, waker), readable, (socket, full), called, at_most);
        match brought {
            Some(Some(Some(command))) => self.obey(self.core.clock.now(), command),
            Some(Some(None)) => self.inbox_open = false,
            Some(None) | None => {}
        }
    }
}
