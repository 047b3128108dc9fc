// SPDX-License-Identifier: AGPL-3.0-only
//! A linked engine with its socket, until it is a shard; of several shards, one each.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gossipper_bytecode::Mode;
use gossipper_bytecode::media::{Media as MediaKind, MediaAction};
use gossipper_control::EngineSnapshot;
use gossipper_vm::link::host_names;
use gossipper_vm::{BesideKind, Engine, Image, LinkError, Micros, RunParams, Siblings};
use tokio::sync::mpsc;

use super::Shared;
use super::bind::{flow_setup, room};
use crate::clock::Clock;
use crate::config::{
    BesideConfig, EngineConfig, LogConfig, PacingConfig, TimeLimits, WatchdogConfig,
};
use crate::echo::EchoSwitch;
use crate::error::Error;
use crate::events::{EventLog, Tap};
use crate::flows::{FlowSetup, MAX_SHARDS};
use crate::group::{self, Group, Kind, Place, Post, Role, Router};
use crate::hep::{Exporter, Locals, Mirror};
use crate::logs::LogSender;
use crate::measure::{self, Measure};
use crate::media::{MediaSetup, Plan, PortRange, PortShare, RecorderThread};
use crate::pacing::Pacer;
use crate::schedule::Schedule;
use crate::shapes::{self, Shapes};
use crate::shard::{Beside, Deadlines, Invites, Sampling, Setup, ShardCommand, Watch};
use crate::stats::Stats;
use crate::transport::resolve::resolve_host;
use crate::transport::udp::Bound;
use crate::transport::{COALESCE_DEFAULT, MAIN_FLOW};
use crate::twin;
use crate::users::Users;

/// A linked engine with its socket, not started.
pub(super) struct Part {
    engine: Engine,
    stats: Stats,
    /// The figures of the scenario of what belongs to no call.
    pub(super) beside: Option<Box<Beside>>,
    bound: Bound,
    /// Connections, and sockets of calls.
    flows: Option<FlowSetup>,
    config: EngineConfig,
    /// To and from the other shards of a run with connections.
    post: Option<Box<Post>>,
    /// Connections to twins.
    pub(super) twin: Option<twin::Opened>,
    role: Role,
    /// Media of its calls.
    media: Option<MediaSetup>,
    pub(super) slot: Arc<Mutex<EngineSnapshot>>,
}

/// Whether calls of a scenario are recorded.
pub(super) fn records(config: &EngineConfig) -> bool {
    let asked = |entry: &MediaAction| matches!(entry.media, MediaKind::Record(_));
    !config.params.skips_media
        && config.program.media_use().is_some()
        && (config.media.record.is_some() || config.program.media.iter().any(asked))
}

/// How many shards a scenario runs on.
pub(super) fn shards_of(config: &EngineConfig) -> usize {
    let transport = &config.transport;
    let params = RunParams {
        unreliable: transport.stream.is_none(),
        per_call: transport.per_call,
        send_to_destination: config.sending_address.is_some(),
        ..config.params.clone()
    };
    if gossipper_vm::confined(&config.program, &params).is_some() {
        return 1;
    }
    let shards = config.shards.max(1);
    if transport.stream.is_none() && !transport.per_call {
        return shards;
    }
    // Elsewhere the system does not deal connections out to several listeners at one address.
    if !cfg!(target_os = "linux") {
        return 1;
    }
    // Each has to have a socket or more.
    shards
        .min(MAX_SHARDS)
        .min(transport.max_sockets.min(room()).max(1))
}

/// Links the scenario of what belongs to none of a client's calls. Calls of an out-of-call scenario do not get what is
/// given to the client's: lines, circuits, users, globals.
fn link_beside(config: BesideConfig, client: &Image) -> Result<Image, Error> {
    let mut params = RunParams {
        includes: config.includes,
        send_to_destination: false,
        per_call: false,
        beside: None,
        globals: config.globals,
        hosts: Vec::new(),
        paths: None,
        twin: None,
        ..client.params().clone()
    };
    if config.kind == BesideKind::OutOfCall {
        params.injection.clear();
        params.users = None;
        params.circuits = None;
    }
    for name in host_names(&config.program, &params) {
        let ip = resolve_host(&String::from_utf8_lossy(&name), params.local_ip)?;
        params.hosts.push((name, ip));
    }
    let image = Image::link(config.program, params)?;
    if image.plays_media() {
        return Err(LinkError::MediaBeside(image.program().name.clone()).into());
    }
    Ok(match config.kind {
        BesideKind::OutOfCall => image,
        BesideKind::Receiver => image.with_globals_of(client)?,
    })
}

impl Part {
    /// Fills in what only the runtime knows, then links.
    pub(super) fn link(
        mut config: EngineConfig,
        mut bound: Bound,
        clock: &Clock,
    ) -> Result<Self, Error> {
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
        let beside = match config.beside.take() {
            None => None,
            Some(beside) => {
                let kind = beside.kind;
                let image = link_beside(*beside, engine.image())?;
                let stats = Stats::new(image.program());
                engine = engine.with_beside(Arc::new(image), kind);
                let slot = Arc::new(Mutex::new(stats.snapshot()));
                Some(Box::new(Beside { kind, stats, slot }))
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
            post: None,
            twin: None,
            role: Role::Alone,
            media: None,
        })
    }

    /// A scenario on several shards, which share its socket or address. `total` is `-m`.
    pub(super) fn link_all(
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
        let transport = &config.transport;
        let kind = match config.program.mode() {
            Mode::Server => Kind::Server,
            // On one socket, the leader sees every message of every call, and a Call-ID tells a call from all others.
            Mode::Client
                if transport.stream.is_none()
                    && !transport.per_call
                    && config.params.call_id.is_unique() =>
            {
                Kind::Shared
            }
            Mode::Client => Kind::Fixed,
        };
        let (group, roles) = group::roles(&router, shards, config.ring_bytes, &siblings, kind);
        let first = Self::link(config, bound, clock)?;
        let image = Arc::clone(first.engine.image());
        let mut parts = vec![first];
        let of_each = match parts[0].flows.take() {
            Some(flows) => flows.split(shards)?,
            None => Vec::new(),
        };
        let posts = match of_each.len() {
            0 => Vec::new(),
            _ => group::posts(&router, shards),
        };
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
                flows: None,
                config: first.config.clone(),
                post: None,
                twin: None,
                role: Role::Alone,
                media: None,
            });
        }
        for (part, role) in parts.iter_mut().zip(roles) {
            part.role = role;
        }
        for (part, (flows, post)) in parts.iter_mut().zip(of_each.into_iter().zip(posts)) {
            part.flows = Some(flows);
            part.post = Some(Box::new(post));
        }
        Ok((parts, Some(group)))
    }

    /// The addresses of the shard's UDP sockets, by flow, and where those of its other flows are found. The shards of a
    /// scenario have their flows in common (`locals`).
    fn ends(&mut self, locals: &Locals) -> (Vec<SocketAddr>, Option<Locals>) {
        let sockets = self.bound.socket.iter().chain(&self.bound.sides);
        let own = sockets.filter_map(|socket| socket.local_addr().ok());
        let own = own.collect();
        let locals = self.flows.as_mut().map(|flows| {
            flows.locals = Some(locals.clone());
            locals.clone()
        });
        (own, locals)
    }

    /// What mirrors the messages of the shard.
    fn mirror(&mut self, exporter: &Exporter, locals: &Locals) -> Box<Mirror> {
        let (own, locals) = self.ends(locals);
        exporter.mirror(own, locals)
    }

    /// Whether its calls have streams.
    pub(super) fn plays_media(&self) -> bool {
        self.engine.image().plays_media()
    }

    /// What tells of the shard's events.
    fn tap(&mut self, events: &EventLog, locals: &Locals) -> Box<Tap> {
        let (own, locals) = self.ends(locals);
        events.tap(own, locals, self.bound.address)
    }

    /// Reads what the scenario plays, if it uses media. Gives what further shards of it share.
    pub(super) fn prepare_media(
        &mut self,
        shared: Option<Arc<Plan>>,
        share: PortShare,
        echo_sockets: &[(u16, Arc<UdpSocket>)],
        recorder: Option<&RecorderThread>,
        clock: &Clock,
    ) -> Result<Option<Arc<Plan>>, Error> {
        let image = self.engine.image();
        if !image.plays_media() {
            return Ok(None);
        }
        let params = image.params();
        let plan = match shared {
            Some(plan) => plan,
            None => {
                // Said once, and not of every call.
                let address = params.media_ip;
                UdpSocket::bind((address, 0))
                    .map_err(|source| Error::MediaAddress { address, source })?;
                Arc::new(Plan::new(
                    image.program(),
                    self.config.media.clone(),
                    params.seed,
                    echo_sockets.to_vec(),
                )?)
            }
        };
        self.media = Some(MediaSetup {
            plan: Arc::clone(&plan),
            ip: params.media_ip,
            range: PortRange::new((params.media_port, params.media_port_end), share),
            backend: self.config.socket.backend,
            media_port: params.media_port,
            wall_base_us: clock.wall_base_us(),
            recorder: recorder.map(RecorderThread::recorder),
            per_call: self.engine.ports_per_call(),
            mirror: None,
        });
        Ok(Some(plan))
    }

    pub(super) fn setup(
        mut self,
        shared: &Arc<Shared>,
        (inbox, echo): (mpsc::Receiver<ShardCommand>, Option<EchoSwitch>),
        (logs, log_config): (LogSender, &LogConfig),
        (hep, events, locals): (Option<&Exporter>, Option<&EventLog>, &Locals),
        main: Option<(&PacingConfig, &TimeLimits, Option<WatchdogConfig>)>,
        (measures, shapes): (Option<measure::Slot>, Option<shapes::Slot>),
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
        let mirror = hep.map(|exporter| self.mirror(exporter, locals));
        let tap = events.map(|events| self.tap(events, locals));
        if let Some(media) = &mut self.media {
            media.mirror = hep.and_then(Exporter::media);
        }
        let program = &self.config.program;
        let steps_beside = self.beside.as_ref().map(|beside| beside.stats.steps());
        Setup {
            machine: self.engine,
            stats: self.stats,
            beside: self.beside,
            schedule,
            total: main.and_then(|(pacing, _, _)| pacing.total),
            bound: self.bound,
            flows: self.flows,
            role: self.role,
            post: self.post,
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
                steps_beside,
                (self.config.params.transport, shared.clock.wall_base_us()),
            ),
            invites: Some(program)
                .filter(|_| logs.wanted().invites)
                .and_then(|program| Invites::new(program)),
            shapes: shapes.map(|slot| Shapes::new(slot, measures.is_some())),
            measure: measures.map(|slot| Measure::new(program, logs.wanted().call_records, slot)),
            sampling: logs.wanted().samples.then(|| {
                let period = log_config.tables.period.as_micros();
                Sampling::new(shard, u64::try_from(period).map_or(Micros(0), Micros))
            }),
            logs,
            mirror,
            tap,
            deadlines,
            watchdog: main.and_then(|(_, _, watchdog)| watchdog),
            keep_edits: main.is_some() && self.config.keep_edits,
            echo,
            media: self.media,
            slot: self.slot,
            inbox,
        }
    }
}
