// SPDX-License-Identifier: AGPL-3.0-only
//! Starting, watching and ending a run.
//!
//! [`Run::start`] binds the sockets, links the programs against the real addresses and starts the shards; a
//! [`Controller`] hands the operator's wishes to them from any thread; [`Run::finish`] waits for the end and returns
//! the last snapshot and the reason.
//!
//! A scenario may run on several shards ([`EngineConfig::shards`]); the first of them leads.
//! A loopback run has a further shard, the answerer, on an ephemeral port of the loopback interface. It ends with the
//! main one; calls that are in their last pause then still count as open.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gossipper_bytecode::Mode;
use gossipper_control::{ControlCommand, EngineSnapshot, LogCounts, Snapshot};
use gossipper_vm::inject::{EditedFile, NotWritable};
use gossipper_vm::link::host_names;
use gossipper_vm::{Engine, Image, Micros, RunParams, Siblings};
use tokio::sync::mpsc::{self, Sender};

use crate::clock::Clock;
use crate::config::{
    EngineConfig, LocalConfig, LogConfig, OutOfCallConfig, PacingConfig, RunConfig, TimeLimits,
    WatchdogConfig,
};
use crate::echo::{Echo, EchoSockets, EchoSwitch, EchoView};
use crate::error::Error;
use crate::flows::{Ends, FlowSetup, Make, SocketOptions, Wrap};
use crate::group::{self, Group, Place, Role, Router};
use crate::hep::{Exporter, HepView, Locals, Mirror};
use crate::logs::rows::Layout;
use crate::logs::{LogSender, LogView, LogWriter, Scene};
use crate::pacing::Pacer;
use crate::schedule::Schedule;
use crate::shard::{
    self, Beside, Deadlines, Ending, Remains, Sampling, Setup, ShardCommand, Watch,
};
use crate::stats::Stats;
use crate::transport::resolve::resolve_host;
use crate::transport::udp::{self, Bound};
use crate::transport::{COALESCE_DEFAULT, MAIN_FLOW, SIP_PORT};
use crate::twin;
use crate::users::Users;

/// Commands that may wait for a shard; it looks every turn, so more means that nobody should wait for them.
const INBOX: usize = 64;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// The last figures.
    pub snapshot: Snapshot,
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
    /// Ends with the run.
    echo: Option<Echo>,
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

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// Of each scenario, the main one first.
    views: Vec<View>,
    /// Of the scenario of requests that belong to no call.
    out_of_call: Option<Arc<Mutex<EngineSnapshot>>>,
    inboxes: Vec<Sender<ShardCommand>>,
    logs: LogView,
    hep: Option<HepView>,
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
        Snapshot {
            elapsed_us: elapsed.0,
            started_at_us: self.clock.wall_base_us(),
            engines: self.views.iter().map(View::snapshot).collect(),
            out_of_call: self.out_of_call.as_deref().map(copied).map(Box::new),
            logs: self.logs.counts(),
            hep: self.hep.as_ref().map(HepView::counts),
            rtp_echo: self.echo.as_ref().map(EchoView::snapshot),
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
        let out_of_call = beside.map(|beside| Arc::clone(&beside.slot));
        let echo = echo.map(EchoSockets::start).transpose()?;
        let shared = Arc::new(Shared {
            clock,
            views,
            out_of_call,
            inboxes,
            logs: logs.view(),
            hep: hep.as_ref().map(Exporter::view),
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
            echo,
        };
        for (index, (part, inbox)) in parts.into_iter().zip(receivers).enumerate() {
            let is_main = index == 0;
            let setup = part.setup(
                &run.shared,
                inbox,
                (
                    sender.another(index < shards),
                    &config.logs,
                    run.hep.as_ref(),
                ),
                is_main.then_some((&config.pacing, &config.limits, config.watchdog)),
                run.echo.as_ref().map(Echo::switch),
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
        let logs = self
            .logs
            .take()
            .map_or_else(LogCounts::default, LogWriter::close);
        let hep = self.hep.take().map(Exporter::close);
        let snapshot = Snapshot {
            logs,
            hep,
            ..self.shared.snapshot()
        };
        Ok(RunReport {
            snapshot,
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

/// Binds what a scenario needs: a socket, or a listener for connections.
fn bind(config: &EngineConfig, remote: Option<SocketAddr>) -> Result<Bound, Error> {
    if config.transport.stream.is_none() {
        return udp::bind(&config.local, &config.socket, remote);
    }
    let shared = own_port(config).is_some();
    udp::listen(&config.local, &config.socket, remote, shared)
}

/// The port of the one connection of a client, where the command line names it: that of the listener.
fn own_port(config: &EngineConfig) -> Option<u16> {
    let one = config.program.mode() == Mode::Client && !config.transport.per_call;
    config.local.port.filter(|port| one && *port != 0)
}

/// Descriptors that are not for connections: logs, programs, reactors, the terminal.
const RESERVED_DESCRIPTORS: usize = 64;

/// How many sockets the process can have, after asking for as many as it may have.
fn room() -> usize {
    match crate::sys::raise_open_files() {
        Ok(Some(limit)) => usize::try_from(limit.now)
            .unwrap_or(usize::MAX)
            .saturating_sub(RESERVED_DESCRIPTORS),
        // Whoever cannot be asked says so when it is too much.
        Ok(None) | Err(_) => usize::MAX,
    }
}

/// Who connects to whom.
fn ends(config: &EngineConfig) -> Ends<'_> {
    Ends {
        serves: config.program.mode() == Mode::Server,
        host: &config.params.remote_host,
        calls: config.sending_address.or(config.remote),
        port: config
            .remote
            .or(config.sending_address)
            .map_or(SIP_PORT, |remote| remote.port()),
    }
}

/// What connections and sockets of calls are made of, if there are any.
fn flow_setup(config: &EngineConfig, bound: &mut Bound) -> Result<Option<FlowSetup>, Error> {
    let transport = &config.transport;
    let make = match &transport.stream {
        Some(kind) => Make::Streams(Wrap::of(kind, &ends(config))?),
        None if config.params.per_call => Make::Datagrams,
        None => return Ok(None),
    };
    let calls = config.program.mode() == Mode::Client || config.sending_address.is_some();
    let is_stream = transport.stream.is_some();
    Ok(Some(FlowSetup {
        make,
        sockets: SocketOptions {
            from: Some(bound.address.ip()).filter(|ip| !ip.is_unspecified()),
            port: own_port(config),
            buffer_bytes: config.socket.buffer_bytes,
            device: config.socket.device.clone(),
        },
        listener: bound.listener.take(),
        main: config
            .sending_address
            .or(config.remote)
            .filter(|_| is_stream && calls && !transport.per_call),
        most: transport.max_sockets.min(room()).max(1),
        reconnects: transport.reconnects,
        reconnect_sleep: transport.reconnect_sleep,
        reconnect_close: transport.reconnect_close,
        send_timeout: transport
            .send_timeout
            .map(|limit| Micros(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX))),
        max_message: transport.max_message_bytes,
        locals: None,
    }))
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

/// A linked engine with its socket, not started.
struct Part {
    engine: Engine,
    stats: Stats,
    /// The figures of the scenario of requests that belong to no call.
    beside: Option<Box<Beside>>,
    bound: Bound,
    /// Connections, and sockets of calls.
    flows: Option<FlowSetup>,
    config: EngineConfig,
    /// Connections to twins.
    twin: Option<twin::Opened>,
    role: Role,
    slot: Arc<Mutex<EngineSnapshot>>,
}

/// How many shards a scenario runs on.
fn shards_of(config: &EngineConfig) -> usize {
    let connected = config.transport.stream.is_some() || config.transport.per_call;
    match gossipper_vm::confined(&config.program, &config.params) {
        _ if connected => 1,
        Some(_) => 1,
        None => config.shards.max(1),
    }
}

/// Links the scenario of requests that belong to none of a client's calls. Those calls get what the run has, but for what
/// is given to the client's: lines, circuits, users, globals.
fn link_out_of_call(config: OutOfCallConfig, client: &RunParams) -> Result<Image, Error> {
    let mut params = RunParams {
        includes: config.includes,
        send_to_destination: false,
        per_call: false,
        out_of_call: false,
        injection: Vec::new(),
        globals: Vec::new(),
        hosts: Vec::new(),
        users: None,
        circuits: None,
        paths: None,
        twin: None,
        names_calls: false,
        ..client.clone()
    };
    for name in host_names(&config.program, &params) {
        let ip = resolve_host(&String::from_utf8_lossy(&name), params.local_ip)?;
        params.hosts.push((name, ip));
    }
    Ok(Image::link(config.program, params)?)
}

impl Part {
    /// Fills in what only the runtime knows, then links.
    fn link(mut config: EngineConfig, mut bound: Bound, clock: &Clock) -> Result<Self, Error> {
        let params = &mut config.params;
        params.local_ip = bound.local_ip;
        params.local_port = bound.address.port();
        params.server_ip = bound.address.ip();
        params.media_ip = config.media_ip.unwrap_or(bound.local_ip);
        params.remote = config.remote;
        params.destination = config.sending_address.or(config.remote);
        params.send_to_destination = config.sending_address.is_some();
        params.transport = config.transport.name();
        params.unreliable = config.transport.stream.is_none();
        // A server answers where it is asked, unless it is told where to send.
        params.per_call = config.transport.per_call
            && (config.program.mode() == Mode::Client
                || (!params.unreliable && config.sending_address.is_some()));
        let flows = flow_setup(&config, &mut bound)?;
        let params = &mut config.params;
        params.flow = MAIN_FLOW;
        params.pid = std::process::id();
        params.epoch_us = clock.wall_base_us();
        params.utc_offset_s = jiff::tz::TimeZone::system()
            .to_offset(jiff::Timestamp::now())
            .seconds();
        for name in host_names(&config.program, &config.params) {
            let ip = resolve_host(&String::from_utf8_lossy(&name), bound.local_ip)?;
            config.params.hosts.push((name, ip));
        }
        let stats = Stats::new(&config.program);
        let image = Image::link(Arc::clone(&config.program), config.params.clone())?;
        let mut engine = Engine::new(Arc::new(image));
        let beside = match config.out_of_call.take() {
            None => None,
            Some(out_of_call) => {
                let image = link_out_of_call(*out_of_call, &config.params)?;
                let stats = Stats::new(image.program());
                engine = engine.with_out_of_call(Arc::new(image));
                let slot = Arc::new(Mutex::new(stats.snapshot()));
                Some(Box::new(Beside { stats, slot }))
            }
        };
        Ok(Self {
            engine,
            beside,
            slot: Arc::new(Mutex::new(stats.snapshot())),
            stats,
            bound,
            flows,
            config,
            twin: None,
            role: Role::Alone,
        })
    }

    /// A scenario on several shards, which share its socket. `total` is `-m`.
    fn link_all(
        mut config: EngineConfig,
        bound: Bound,
        clock: &Clock,
        shards: usize,
        total: Option<u64>,
    ) -> Result<(Vec<Self>, Option<Arc<Group>>), Error> {
        if shards == 1 {
            return Ok((vec![Self::link(config, bound, clock)?], None));
        }
        // What peers may make us keep is a promise about the whole run.
        let params = &mut config.params;
        params.max_incoming = params.max_incoming.div_ceil(shards);
        params.max_incoming_bytes = params.max_incoming_bytes.div_ceil(shards);
        let router = Router::new(shards, params.ignore_call_id_slashes);
        // A client's schedule knows itself when to stop.
        let total = total.filter(|_| config.program.mode() == Mode::Server);
        let siblings = Arc::new(Siblings::new(total));
        let (group, roles) = group::roles(&router, shards, config.ring_bytes, &siblings);
        let first = Self::link(config, bound, clock)?;
        let image = Arc::clone(first.engine.image());
        let mut parts = vec![first];
        parts[0].engine = Engine::one_of(Arc::clone(&image), Arc::clone(&siblings));
        for _ in 1..shards {
            let first = &parts[0];
            let stats = Stats::new(&first.config.program);
            let bound = first.bound.try_clone().map_err(|source| Error::Socket {
                operation: "share",
                address: first.bound.address,
                source,
            })?;
            parts.push(Self {
                engine: Engine::one_of(Arc::clone(&image), Arc::clone(&siblings)),
                slot: Arc::new(Mutex::new(stats.snapshot())),
                stats,
                // Nor has one with such a scenario more than one.
                beside: None,
                bound,
                // A run with connections has one shard.
                flows: None,
                config: first.config.clone(),
                twin: None,
                role: Role::Alone,
            });
        }
        for (part, role) in parts.iter_mut().zip(roles) {
            part.role = role;
        }
        Ok((parts, Some(group)))
    }

    /// What mirrors the messages of the shard.
    fn mirror(&mut self, exporter: &Exporter) -> Box<Mirror> {
        let sockets = self.bound.socket.iter().chain(&self.bound.sides);
        let own = sockets.filter_map(|socket| socket.local_addr().ok());
        let own = own.collect();
        let locals = self.flows.as_mut().map(|flows| {
            let locals = Locals::default();
            flows.locals = Some(locals.clone());
            locals
        });
        exporter.mirror(own, locals)
    }

    fn setup(
        mut self,
        shared: &Arc<Shared>,
        inbox: mpsc::Receiver<ShardCommand>,
        (logs, log_config, hep): (LogSender, &LogConfig, Option<&Exporter>),
        main: Option<(&PacingConfig, &TimeLimits, Option<WatchdogConfig>)>,
        echo: Option<EchoSwitch>,
    ) -> Setup<Engine> {
        let program = &self.config.program;
        let now = shared.clock.now();
        let schedule = main
            .filter(|_| program.mode() == Mode::Client)
            .map(|(pacing, _, _)| {
                if let Some(users) = pacing.users {
                    return Schedule::Users(Users::new(now, users, pacing.total));
                }
                let pause_ms = u64::from(self.config.params.pause_ms);
                let duration_ms = program
                    .duration_ms
                    .saturating_add(pause_ms.saturating_mul(program.default_pauses.into()));
                let mut pacer = Pacer::new(
                    now,
                    pacing.rate,
                    pacing.total,
                    pacing.open_limit,
                    duration_ms,
                    pause_ms,
                );
                if let Some(profile) = &pacing.profile {
                    pacer = pacer.with_profile(Arc::clone(profile));
                }
                if let Some(ramp) = pacing.ramp {
                    pacer = pacer.with_ramp(ramp);
                }
                Schedule::Rate(pacer)
            });
        let after = |limit: Option<Duration>| {
            limit
                .map(|limit| now.plus(Micros(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX))))
        };
        let deadlines = main.map_or_else(Deadlines::default, |(_, limits, _)| Deadlines {
            timeout: after(limits.timeout),
            timeout_is_error: limits.timeout_is_error,
            timeout_global: after(limits.timeout_global),
        });
        let shard = self.role.place().map_or(0, Place::index);
        let mirror = hep.map(|exporter| self.mirror(exporter));
        let program = &self.config.program;
        Setup {
            machine: self.engine,
            stats: self.stats,
            beside: self.beside,
            schedule,
            total: main.and_then(|(pacing, _, _)| pacing.total),
            bound: self.bound,
            flows: self.flows,
            role: self.role,
            twin: self.twin,
            backend: self.config.socket.backend,
            coalesce: self
                .config
                .socket
                .coalesce
                .unwrap_or(COALESCE_DEFAULT)
                .as_micros()
                .try_into()
                .map_or(Micros(u64::MAX), Micros),
            remote: self.config.sending_address.or(self.config.remote),
            clock: shared.clock,
            watch: Watch::new(
                log_config,
                logs.wanted(),
                program,
                (self.config.params.transport, shared.clock.wall_base_us()),
            ),
            sampling: logs.wanted().samples.then(|| {
                let period = log_config.tables.period.as_micros();
                Sampling::new(shard, u64::try_from(period).map_or(Micros(0), Micros))
            }),
            logs,
            mirror,
            deadlines,
            watchdog: main.and_then(|(_, _, watchdog)| watchdog),
            keep_edits: main.is_some() && self.config.keep_edits,
            echo,
            slot: self.slot,
            inbox,
        }
    }
}
