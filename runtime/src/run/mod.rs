// SPDX-License-Identifier: AGPL-3.0-only
//! Starting, watching and ending a run.
//!
//! [`Run::start`] binds the sockets, links the programs against the real addresses and starts the shards; a
//! [`Controller`] hands the operator's wishes to them from any thread; [`Run::finish`] waits for the end and returns
//! the last snapshot and the reason.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | a run from outside: begun, watched, ended |
//! | `bind` | sockets, and what connections are made of |
//! | `part` | a linked engine with its socket, until it is a shard |
//!
//! A scenario may run on several shards ([`EngineConfig::shards`]); the first of them leads.
//! A loopback run has a further shard, the answerer, on an ephemeral port of the loopback interface. It ends with the
//! main one; calls that are in their last pause then still count as open.

mod bind;
mod part;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gossipper_control::{ControlCommand, EngineSnapshot, LogCounts, Measures, Snapshot};
use gossipper_vm::inject::{EditedFile, NotWritable};
use gossipper_vm::{BesideKind, Micros};
use tokio::sync::mpsc::{self, Sender};

use crate::clock::Clock;
use crate::config::{EngineConfig, LocalConfig, RunConfig};
use crate::echo::{Echo, EchoSockets, EchoView};
use crate::error::Error;
use crate::events::{self, EventLog, EventView, Totals};
use crate::group::{Group, Place};
use crate::hep::{Exporter, HepView, Locals};
use crate::logs::rows::Layout;
use crate::logs::{LogView, LogWriter, Scene};
use crate::measure;
use crate::media::{Plan, PortShare, RecorderThread};
use crate::shapes;
use crate::shard::{self, Ending, Remains, ShardCommand};
use crate::transport::udp;
use crate::twin;
use bind::bind;
pub(crate) use bind::room;
use part::{Part, records, shards_of};

/// Commands that may wait for a shard; it looks every turn, so more means that nobody should wait for them.
const INBOX: usize = 64;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// The last figures.
    pub snapshot: Snapshot,
    /// What was measured, if [`RunConfig::measures`] asked for it.
    pub measures: Option<Box<Measures>>,
    /// Why it ended.
    pub ending: Ending,
    /// The main scenario's injection files as it leaves them, where it has changed them and
    /// [`EngineConfig::keep_edits`] asks for them.
    pub edited: Vec<Result<EditedFile, NotWritable>>,
}

/// A run that has been started.
#[derive(Debug)]
pub struct Run {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<std::io::Result<Remains>>>,
    logs: Option<LogWriter>,
    hep: Option<Exporter>,
    events: Option<EventLog>,
    /// Ends with the run.
    echo: Option<Echo>,
    /// Ends when no shard records any more.
    recorder: Option<RecorderThread>,
}

/// Hands commands to a run, from any thread.
#[derive(Debug, Clone)]
pub struct Controller {
    main: Sender<ShardCommand>,
}

impl Controller {
    /// Hands a command to the main scenario; false when the run has ended or is flooded with commands.
    pub fn send(&self, command: ControlCommand) -> bool {
        self.main.try_send(ShardCommand::Control(command)).is_ok()
    }

    /// Has a line written into the error log, as a warning that is counted and shown or not; false as for
    /// [`Controller::send`].
    pub fn say(&self, text: String, warning: bool) -> bool {
        let say = ShardCommand::Say { text, warning };
        self.main.try_send(say).is_ok()
    }
}

/// Shows the figures of a run, from any thread and after its end.
#[derive(Debug, Clone)]
pub struct Viewer(Arc<Shared>);

impl Viewer {
    /// See [`Run::snapshot`].
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    /// What was measured of the main scenario up to about a second ago, and of all once it has ended; `None` before the
    /// first second is over, and where nobody asked for it ([`RunConfig::measures`]).
    #[must_use]
    pub fn measures(&self) -> Option<Measures> {
        measure::measures(&self.0.measures)
    }
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// Of each scenario, the main one first.
    views: Vec<View>,
    /// Of the scenario of what belongs to no call.
    beside: Option<(BesideKind, Arc<Mutex<EngineSnapshot>>)>,
    inboxes: Vec<Sender<ShardCommand>>,
    logs: LogView,
    hep: Option<HepView>,
    events: Option<EventView>,
    /// What the shards of the main scenario measure, where somebody wants to know.
    measures: Vec<measure::Slot>,
    /// How calls of the main scenario failed, where somebody wants to know.
    shapes: Vec<shapes::Slot>,
    echo: Option<EchoView>,
    /// Set once no shard runs any more, with the time.
    ended: Mutex<Progress>,
    wake: Condvar,
}

/// Where the figures of a scenario are found.
#[derive(Debug)]
enum View {
    /// With the shard that runs it.
    Shard(Arc<Mutex<EngineSnapshot>>),
    /// With several shards; until all have left some, there are only the fixed parts.
    Group(Arc<Group>, Arc<Mutex<EngineSnapshot>>),
}

impl View {
    fn snapshot(&self) -> EngineSnapshot {
        match self {
            Self::Shard(slot) => copied(slot),
            Self::Group(group, slot) => group.snapshot().unwrap_or_else(|| copied(slot)),
        }
    }
}

fn copied(slot: &Mutex<EngineSnapshot>) -> EngineSnapshot {
    slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[derive(Debug)]
struct Progress {
    running: usize,
    main_ended_at: Option<Micros>,
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Snapshot {
        let elapsed = self
            .progress()
            .main_ended_at
            .unwrap_or_else(|| self.clock.now());
        let beside = |wanted: BesideKind| {
            let of_kind = self.beside.as_ref().filter(|(kind, _)| *kind == wanted);
            of_kind.map(|(_, slot)| Box::new(copied(slot)))
        };
        let seen = shapes::seen(&self.shapes);
        let (failure_shapes, slow_calls) =
            seen.map_or((None, None), |seen| (Some(seen.failures), seen.slow));
        Snapshot {
            elapsed_us: elapsed.0,
            started_at_us: self.clock.wall_base_us(),
            engines: self.views.iter().map(View::snapshot).collect(),
            out_of_call: beside(BesideKind::OutOfCall),
            receiver: beside(BesideKind::Receiver),
            logs: self.logs.counts(),
            hep: self.hep.as_ref().map(HepView::counts),
            events: self.events.as_ref().map(EventView::counts),
            rtp_echo: self.echo.as_ref().map(EchoView::snapshot),
            failure_shapes,
            slow_calls,
        }
    }
}

/// Notes the end of a shard, however its thread ends.
struct EndGuard {
    shared: Arc<Shared>,
    index: usize,
    /// Where it is among several shards of one scenario.
    place: Option<Place>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.leave();
        }
        if self.index == 0 {
            // The answerer has nobody left to answer, and the other shards of the main scenario are done.
            for inbox in &self.shared.inboxes[1..] {
                let _ = inbox.try_send(ShardCommand::End);
            }
        }
        let mut progress = self.shared.progress();
        progress.running -= 1;
        if self.index == 0 {
            progress.main_ended_at = Some(self.shared.clock.now());
        }
        drop(progress);
        self.shared.wake.notify_all();
    }
}

impl Run {
    /// Binds, links and starts.
    ///
    /// # Errors
    /// When a socket cannot be bound, a program does not fit its parameters, or a file or thread cannot be had. Nothing
    /// runs then.
    pub fn start(config: RunConfig) -> Result<Self, Error> {
        let clock = Clock::start();
        let (mut main, mut answerer) = (config.main, config.answerer);
        let shards = shards_of(&main);
        let scene = Scene {
            layout: Layout::new(&main.program, main.params.lost_percent),
            shards,
            wall_base_us: clock.wall_base_us(),
            transport: main.transport.name(),
        };
        let logs = LogWriter::start(&config.logs, scene)?;
        let streams = main.transport.stream.is_some();
        let hep = config.logs.hep.as_ref();
        let hep = hep.map(|hep| Exporter::start(hep, streams)).transpose()?;
        for engine in std::iter::once(&mut main).chain(&mut answerer) {
            engine.params.names_calls = config.logs.names_calls();
        }
        let measured = config.measures || config.logs.call_records.is_some();
        let watches = main.watches_calls;
        main.params.names_calls |= measured || watches || config.logs.events.is_some();
        let events = config.logs.events.as_ref();
        let events = events.map(|config| EventLog::start(config, events::scene(&main), clock));
        let events = events.transpose()?;
        let mut answers = None;
        if let Some(answerer) = answerer {
            let answerer = on_loopback(answerer);
            let bound = bind(&answerer, None)?;
            main.remote = Some(bound.address);
            // Nobody typed it; scenarios that print `[remote_host]` are to find a host there all the same.
            main.params.remote_host = bound.address.ip().to_string().into_bytes();
            main = on_loopback(main);
            answers = Some((answerer, bound));
        }
        let addresses = main.params.paths.clone();
        let towards = main.sending_address.or(main.remote);
        let bound = match &addresses {
            None => bind(&main, towards)?,
            Some(paths) => udp::bind_each(&main.local, &main.socket, towards, paths.addresses())?,
        };
        let media_ip = main.media_ip.unwrap_or(bound.local_ip);
        let echo = main
            .rtp_echo
            .map(|config| EchoSockets::bind(media_ip, &config))
            .transpose()?;
        if let Some(address) = echo.as_ref().map(EchoSockets::address) {
            // The answerer describes its media too, and there is one echo in the process.
            let answerer = answers.iter_mut().map(|(config, _)| config);
            for engine in std::iter::once(&mut main).chain(answerer) {
                engine.media_ip = Some(address.ip());
                engine.params.media_port = address.port();
            }
        }
        // One stripe of the ports for each shard, the answerer's included.
        let stripes = shards + usize::from(answers.is_some());
        let failed = |what| move |source| Error::Thread { what, source };
        let echo_sockets = echo
            .as_ref()
            .map_or(Ok(Vec::new()), EchoSockets::shared)
            .map_err(failed("RTP echo"))?;
        let configs = answers.iter().map(|(config, _)| config);
        let records = configs.chain([&main]).any(records);
        let recorder = records
            .then(RecorderThread::start)
            .transpose()
            .map_err(failed("thread that records"))?;
        let mut parts = Vec::new();
        if let Some((answerer, bound)) = answers {
            parts.push(Part::link(answerer, bound, &clock)?);
        }
        // Last: a twin takes a connection for the beginning of the run.
        let twin = main.twin.take();
        let total = config.pacing.total;
        let (mut main, group) = Part::link_all(main, bound, &clock, shards, total)?;
        main[0].twin = twin.as_ref().map(twin::open).transpose()?;
        let answerer = std::mem::replace(&mut parts, main);
        parts.extend(answerer);
        // An answerer without media describes ports that nobody has: they are not to be those of a call.
        let described = echo.is_none() && parts.get(shards).is_some_and(|part| !part.plays_media());
        let mut plan: Option<Arc<Plan>> = None;
        for (stripe, part) in parts.iter_mut().enumerate() {
            // Shards of one scenario share what is read and coded.
            let shared = plan.take().filter(|_| stripe < shards);
            let share = PortShare {
                stripe,
                stripes,
                described,
            };
            plan = part.prepare_media(shared, share, &echo_sockets, recorder.as_ref(), &clock)?;
        }

        let (mut inboxes, mut receivers) = (Vec::new(), Vec::new());
        for _ in &parts {
            let (sender, receiver) = mpsc::channel(INBOX);
            inboxes.push(sender);
            receivers.push(receiver);
        }
        // One view of the main scenario, whatever the number of its shards.
        let slots = || parts.iter().map(|part| Arc::clone(&part.slot));
        let main_view = slots().next().map(|slot| match group {
            Some(group) => View::Group(group, slot),
            None => View::Shard(slot),
        });
        let views = main_view
            .into_iter()
            .chain(slots().skip(shards).map(View::Shard))
            .collect();
        let beside = parts.first().and_then(|part| part.beside.as_ref());
        let beside = beside.map(|beside| (beside.kind, Arc::clone(&beside.slot)));
        let echo = echo.map(EchoSockets::start).transpose()?;
        let shared = Arc::new(Shared {
            clock,
            views,
            beside,
            inboxes,
            logs: logs.view(),
            hep: hep.as_ref().map(Exporter::view),
            events: events.as_ref().map(EventLog::view),
            measures: (0..shards)
                .filter(|_| measured)
                .map(|_| measure::Slot::default())
                .collect(),
            shapes: (0..shards)
                .filter(|_| watches)
                .map(|_| shapes::Slot::default())
                .collect(),
            echo: echo.as_ref().map(Echo::view),
            ended: Mutex::new(Progress {
                running: parts.len(),
                main_ended_at: None,
            }),
            wake: Condvar::new(),
        });
        // Those of the main scenario come first.
        let sender = logs.sender();
        let mut run = Self {
            shared,
            threads: Vec::new(),
            logs: Some(logs),
            hep,
            events,
            echo,
            recorder,
        };
        if let Some(events) = &run.events {
            events.begun(config.pacing.total, config.pacing.rate.per_second());
        }
        // Of the main scenario, and of the answerer, whose flows have the same names.
        let locals = [Locals::default(), Locals::default()];
        for (index, (part, inbox)) in parts.into_iter().zip(receivers).enumerate() {
            let is_main = index == 0;
            let of_each = &locals[usize::from(index >= shards)];
            let setup = part.setup(
                &run.shared,
                (inbox, run.echo.as_ref().map(Echo::switch)),
                (sender.another(index < shards), &config.logs),
                (
                    run.hep.as_ref(),
                    run.events.as_ref().filter(|_| index < shards),
                    of_each,
                ),
                is_main.then_some((&config.pacing, &config.limits, config.watchdog)),
                (
                    run.shared.measures.get(index).cloned(),
                    run.shared.shapes.get(index).cloned(),
                ),
            );
            let guard = EndGuard {
                shared: Arc::clone(&run.shared),
                index,
                place: setup.role.place().cloned(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("shard {index}"))
                .spawn(move || {
                    let _guard = guard;
                    shard::run(setup)
                })
                .map_err(|source| Error::Thread {
                    what: "shard",
                    source,
                })?;
            run.threads.push(thread);
        }
        Ok(run)
    }

    /// A handle for the operator's wishes.
    #[must_use]
    pub fn controller(&self) -> Controller {
        Controller {
            main: self.shared.inboxes[0].clone(),
        }
    }

    /// The figures as of the last publication, a fraction of a second ago.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// Shows the figures from any thread, as long as anybody wants to see them.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        Viewer(Arc::clone(&self.shared))
    }

    /// Waits for the end, at most this long; true when the run has ended.
    #[must_use]
    pub fn wait_for(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut progress = self.shared.progress();
        while progress.running > 0 {
            let Some(left) = until
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            else {
                return false;
            };
            progress = self
                .shared
                .wake
                .wait_timeout(progress, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Waits for the end and returns the last figures.
    ///
    /// # Errors
    /// When a shard could not be brought up.
    ///
    /// # Panics
    /// When a shard did, which is a bug.
    pub fn finish(mut self) -> Result<RunReport, Error> {
        let mut endings = Vec::new();
        let mut edited = Vec::new();
        for thread in std::mem::take(&mut self.threads) {
            match thread.join() {
                Ok(Ok(remains)) => {
                    endings.push(remains.ending);
                    edited.extend(remains.edited);
                }
                Ok(Err(source)) => {
                    return Err(Error::Thread {
                        what: "reactor of a shard",
                        source,
                    });
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        // Before the last figures are read, so that nothing is echoed that they do not count.
        drop(self.echo.take());
        let lost = self.recorder.take().map(RecorderThread::finish);
        let logs = self
            .logs
            .take()
            .map_or_else(LogCounts::default, LogWriter::close);
        let hep = self.hep.take().map(Exporter::close);
        let mut snapshot = Snapshot {
            logs,
            hep,
            ..self.shared.snapshot()
        };
        for engine in &mut snapshot.engines {
            if let (Some(media), Some(lost)) = (&mut engine.media, lost) {
                // The disk is asked once, and tells for the whole process.
                media.recordings_lost = lost;
            }
        }
        if let Some(events) = self.events.take() {
            let main = snapshot.main().map(|main| &main.calls);
            let totals = main.map_or_else(Totals::default, |calls| Totals {
                calls: calls.created(),
                successful: calls.succeeded,
                failed: calls.failed,
            });
            snapshot.events = Some(events.close(totals));
        }
        Ok(RunReport {
            snapshot,
            measures: measure::measures(&self.shared.measures).map(Box::new),
            ending: overall(endings),
            edited,
        })
    }
}

impl Drop for Run {
    /// A run that is let go ends at once, its calls untouched.
    fn drop(&mut self) {
        for inbox in &self.shared.inboxes {
            let _ = inbox.try_send(ShardCommand::End);
        }
        for thread in self.threads.drain(..) {
            // Whoever drops a run does not ask how it ended.
            let _ = thread.join();
        }
    }
}

/// The main scenario's ending, unless the answerer's scenario ended the process.
fn overall(endings: Vec<Ending>) -> Ending {
    let mut endings = endings.into_iter();
    let main = endings.next().unwrap_or(Ending::Completed);
    endings
        .find(|ending| matches!(ending, Ending::Fatal(_) | Ending::StopNow))
        .unwrap_or(main)
}

/// Keeps a side of a loopback run on the loopback interface, whatever the port asked for by default.
fn on_loopback(mut engine: EngineConfig) -> EngineConfig {
    let ip = engine.local.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    engine.local = LocalConfig {
        ip: Some(ip),
        port: Some(engine.local.port.unwrap_or(0)),
        bind_local: true,
    };
    engine
}
