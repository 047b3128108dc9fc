// SPDX-License-Identifier: AGPL-3.0-only
//! A shard: one thread, one engine, one timing wheel, its socket.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `run` | the loop: wait for the first of socket, deadline and command, then do a bounded turn |
//! | `coalesce` | when to look at a busy socket again |
//! | `publish` | figures for whoever wants to see them |
//! | `core` | feeds inputs to the machine and carries its orders out |
//! | `flows` | what happens on connections, and what the machine is told of it |
//! | `media` | what the machine orders of media, and what they have to tell |
//! | `inbox` | operator commands and phases of the run |
//! | `team` | what a shard does as one of several |
//! | `mail` | what shards with connections do for each other |
//! | `twins` | what happens on the connections to twins |
//! | `sides` | the further sockets of `-t ui` |
//! | `watchdog` | notices that the loop is late |
//! | `sampling` | figures for tables, at the same instants on all shards |
//! | `traces` | what traces are told, and of which call |
//! | `watch` | what traces know of single calls |
//! | `strain` | what keeps the shard from doing what it was asked to |
//! | `waiting` | how the shard waits for its socket |
//! | `work_limit` | bounds each part of a turn by time |
//!
//! A shard shares nothing that it waits for: commands come through a queue, snapshots go into a slot that is locked for
//! a copy, log records into a bounded buffer. There is no task, timer or channel per call (docs/adr/0006).

mod coalesce;
mod core;
mod flows;
mod inbox;
mod invites;
mod mail;
mod media;
mod orders;
mod publish;
mod run;
mod sampling;
mod sides;
mod strain;
mod team;
#[cfg(test)]
mod tests;
mod traces;
mod twins;
mod waiting;
mod watch;
mod watchdog;
mod work_limit;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use gossipper_control::EngineSnapshot;
use gossipper_vm::inject::{EditedFile, NotWritable};
use gossipper_vm::{CallKey, Engine, Input, Micros, OutBuf};

use crate::clock::Clock;
use crate::config::WatchdogConfig;
use crate::echo::EchoSwitch;
use crate::events::Tap;
use crate::flows::FlowSetup;
use crate::group::{Post, Role};
use crate::hep::Mirror;
use crate::logs::LogSender;
use crate::media::MediaSetup;
use crate::schedule::Schedule;
use crate::stats::Stats;
use crate::sys::Backend;
use crate::transport::udp::Bound;
use crate::twin::Opened;

use crate::measure::Measure;
use crate::shapes::Shapes;
pub(crate) use core::Beside;
pub(crate) use inbox::ShardCommand;
pub(crate) use invites::Invites;
pub(crate) use sampling::Sampling;
pub(crate) use watch::Watch;

/// Inputs that a machine may look at together before it gets them.
const AHEAD: usize = gossipper_vm::AHEAD;

/// What a shard drives: the engine, or a script in its tests.
pub(crate) trait Machine {
    /// Before the first input.
    fn start(&mut self, now: Micros, out: &mut OutBuf);
    /// Whether that needs the twins to be there.
    fn starts_with_twins(&self) -> bool;
    /// Whether it has not come to its end: no call is to be opened.
    fn is_starting(&self) -> bool;
    /// One input; everything that follows is appended to `out`.
    fn handle(&mut self, now: Micros, input: Input<'_>, out: &mut OutBuf);
    /// These messages will be given to it next, up to [`AHEAD`] of them.
    fn look_ahead(&self, messages: &mut dyn Iterator<Item = &[u8]>);
    /// The deadlines of these calls come next, up to [`AHEAD`] of them.
    fn look_ahead_of_timers(&self, calls: &mut dyn Iterator<Item = CallKey>);
    /// Whether it has, or lately had, the call with this Call-ID.
    fn knows(&self, call_id: &[u8]) -> bool;
    /// Appends the Call-ID that the call of this number will have.
    fn call_id_of(&self, number: u64, out: &mut Vec<u8>);
    /// The injection files that the scenario has changed, as they would be on disk.
    fn edited_files(&self) -> EditedFiles;
    /// Appends which circuits of `-tdmmap` are taken.
    fn circuits(&self, out: &mut Vec<bool>);
}

/// Injection files after a run, or why one cannot be written.
pub(crate) type EditedFiles = Vec<Result<EditedFile, NotWritable>>;

/// What a shard leaves.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) ending: Ending,
    /// What [`Setup::keep_edits`] asked for.
    pub(crate) edited: EditedFiles,
}

impl Machine for Engine {
    fn start(&mut self, now: Micros, out: &mut OutBuf) {
        Self::start(self, now, out);
    }

    fn starts_with_twins(&self) -> bool {
        self.image().program().init_commands()
    }

    fn is_starting(&self) -> bool {
        Self::is_starting(self)
    }

    fn handle(&mut self, now: Micros, input: Input<'_>, out: &mut OutBuf) {
        Self::handle(self, now, input, out);
    }

    fn look_ahead(&self, messages: &mut dyn Iterator<Item = &[u8]>) {
        Self::look_ahead(self, messages);
    }

    fn look_ahead_of_timers(&self, calls: &mut dyn Iterator<Item = CallKey>) {
        Self::look_ahead_of_timers(self, calls);
    }

    fn knows(&self, call_id: &[u8]) -> bool {
        Self::knows(self, call_id)
    }

    fn call_id_of(&self, number: u64, out: &mut Vec<u8>) {
        Self::call_id_of(self, number, out);
    }

    fn edited_files(&self) -> EditedFiles {
        Self::edited_files(self)
    }

    fn circuits(&self, out: &mut Vec<bool>) {
        out.extend(self.taken_circuits());
    }
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All calls asked for were made (`-m`, `stop_gracefully`) and have ended.
    Completed,
    /// The operator asked for no more calls, and the open ones have ended.
    Drained,
    /// The operator had the open calls aborted.
    Stopped,
    /// `-timeout` had them aborted.
    TimedOut,
    /// `-timeout` with `-timeout_error`; the text says after which time.
    TimeoutError(String),
    /// `-timeout_global` had them aborted.
    TimedOutGlobally,
    /// A twin has closed its connection, and what that leaves to do is done.
    TwinEnded,
    /// A scenario said `stop_now`.
    StopNow,
    /// A scenario did what ends the process; the text says what.
    Fatal(String),
}

/// When a run ends by itself, in run time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Deadlines {
    pub(crate) timeout: Option<Micros>,
    pub(crate) timeout_is_error: bool,
    pub(crate) timeout_global: Option<Micros>,
}

/// Everything a shard begins with.
#[derive(Debug)]
pub(crate) struct Setup<M> {
    pub(crate) machine: M,
    pub(crate) stats: Stats,
    /// The figures of the scenario of requests that belong to no call.
    pub(crate) beside: Option<Box<Beside>>,
    /// When a client's calls begin.
    pub(crate) schedule: Option<Schedule>,
    /// Calls after which the shard drains (`-m`).
    pub(crate) total: Option<u64>,
    pub(crate) bound: Bound,
    /// Connections, and sockets of calls.
    pub(crate) flows: Option<FlowSetup>,
    /// Whether there are other shards of the scenario.
    pub(crate) role: Role,
    /// To and from them, where all have connections.
    pub(crate) post: Option<Box<Post>>,
    /// Connections to twins.
    pub(crate) twin: Option<Opened>,
    pub(crate) backend: Backend,
    /// How long a busy socket is left alone.
    pub(crate) coalesce: Micros,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) clock: Clock,
    pub(crate) logs: LogSender,
    /// Mirrors messages to a collector.
    pub(crate) mirror: Option<Box<Mirror>>,
    /// Tells events.
    pub(crate) tap: Option<Box<Tap>>,
    /// What traces know of single calls, if one wants to.
    pub(crate) watch: Option<Box<Watch>>,
    /// When INVITEs went out, if somebody wants to know how long their answers take.
    pub(crate) invites: Option<Box<Invites>>,
    /// What reports want to know, if there are any.
    pub(crate) measure: Option<Box<Measure>>,
    /// The calls that are watched for how they fail, if anybody wants to know.
    pub(crate) shapes: Option<Box<Shapes>>,
    /// When figures for tables are taken.
    pub(crate) sampling: Option<Sampling>,
    pub(crate) deadlines: Deadlines,
    pub(crate) watchdog: Option<WatchdogConfig>,
    /// Somebody wants the injection files as the scenario leaves them.
    pub(crate) keep_edits: bool,
    /// The echo of the process.
    pub(crate) echo: Option<EchoSwitch>,
    /// Media of its calls.
    pub(crate) media: Option<MediaSetup>,
    pub(crate) slot: Arc<Mutex<EngineSnapshot>>,
    pub(crate) inbox: tokio::sync::mpsc::Receiver<ShardCommand>,
}

/// Runs a shard to its end on the calling thread.
///
/// # Errors
/// When the thread's reactor cannot be built.
pub(crate) fn run<M: Machine>(setup: Setup<M>) -> std::io::Result<Remains> {
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    // Every turn is bounded in itself, and nothing else runs here.
    reactor.block_on(tokio::task::unconstrained(async {
        Ok(run::Shard::new(setup)?.run().await)
    }))
}
