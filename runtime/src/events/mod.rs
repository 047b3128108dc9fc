// SPDX-License-Identifier: AGPL-3.0-only
//! What happens in a run, as events for people and machines: on the terminal, in a file, at a collector of OpenTelemetry.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `record` | an event as a shard leaves it: copied, not yet formatted |
//! | `ring` | the one buffer of the program; full, it overwrites the oldest |
//! | `tap` | where a shard's events come from |
//! | `auth` | credentials that are sent, and what becomes of them |
//! | `attributes` | the names and values of an event |
//! | `sinks` | lines of text, lines of JSON, records of OTLP |
//!
//! Without a sink there is no tap, and a shard tests a pointer per message. With one it copies addresses, start line and
//! Call-ID; a thread of its own does the rest. Shards never wait: what does not fit is overwritten and counted. What a
//! disk or a collector does not take is counted too, and neither keeps the other from its events.
//!
//! Events are those of the main scenario; an answerer in the same process has none.

mod attributes;
mod auth;
mod record;
mod ring;
mod sinks;
mod tap;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gossipper_control::EventCounts;
pub use gossipper_otlp::{Protocol as OtlpProtocol, Severity as EventLevel};

use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::error::Error;
use crate::hep::Locals;
use crate::transport::tls::TlsConfig;
pub(crate) use attributes::Scene;
use record::{Batch, What};
use ring::Shared;
use sinks::{Sinks, run};
pub(crate) use tap::Tap;

/// `-log_buffer_size`.
pub const BUFFER_DEFAULT: usize = 16_384;

/// How long the end of a run waits for a collector.
const GRACE: Duration = Duration::from_secs(5);

/// Who is told of events, and of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventConfig {
    /// `-log_stdout`: lines of text, on standard error.
    pub text: bool,
    /// `-log_file_jsonl`: lines of JSON.
    pub file: Option<PathBuf>,
    /// `-log_otel_endpoint`.
    pub otlp: Option<OtlpConfig>,
    /// `-log_attr`: attributes of the program that tells.
    pub attributes: Vec<(String, String)>,
    /// The version it has.
    pub version: String,
    /// `-log_buffer_size`: events that wait, 0 counting as [`BUFFER_DEFAULT`].
    pub buffer: usize,
    /// `-log_level`: those below are not told.
    pub level: EventLevel,
}

/// A collector of OpenTelemetry.
#[derive(Clone, PartialEq, Eq)]
pub struct OtlpConfig {
    /// `-log_otel_proto`.
    pub protocol: OtlpProtocol,
    /// Its name or address; a name is looked up for each connection.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path of the resource, over HTTP.
    pub path: String,
    /// `-log_otel_header`.
    pub headers: Vec<(String, String)>,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// How to speak TLS with it; plain otherwise.
    pub tls: Option<Box<TlsConfig>>,
}

impl std::fmt::Debug for OtlpConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers may be secrets.
        f.debug_struct("OtlpConfig")
            .field("protocol", &self.protocol)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Tells what has become of the events so far.
#[derive(Debug, Clone)]
pub(crate) struct EventView(Arc<Shared>);

impl EventView {
    pub(crate) fn counts(&self) -> EventCounts {
        self.0.counts()
    }
}

/// What a run came to, for its last event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    pub(crate) successful: u64,
    pub(crate) failed: u64,
}

/// The thread that tells.
#[derive(Debug)]
pub(crate) struct EventLog {
    shared: Arc<Shared>,
    level: EventLevel,
    clock: Clock,
    thread: Option<JoinHandle<()>>,
}

impl EventLog {
    /// Starts the thread, and tells that the run begins.
    ///
    /// # Errors
    /// When the files of TLS cannot be used, a header cannot be sent, or a thread cannot be had.
    pub(crate) fn start(config: &EventConfig, scene: Scene, clock: Clock) -> Result<Self, Error> {
        let sinks = Sinks::new(config, scene)?;
        let capacity = match config.buffer {
            0 => BUFFER_DEFAULT,
            size => size,
        };
        let shared = Arc::new(Shared::new(capacity));
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("events".into())
            .spawn(move || run(&of_thread, sinks))
            .map_err(|source| Error::Thread {
                what: "event writer",
                source,
            })?;
        Ok(Self {
            shared,
            level: config.level,
            clock,
            thread: Some(thread),
        })
    }

    /// Tells that calls are about to begin.
    pub(crate) fn begun(&self, total: Option<u64>, rate: f64) {
        self.tell(What::EngineStarted { total, rate });
    }

    fn tell(&self, what: What) {
        if what.level() >= self.level {
            let mut batch = Batch::default();
            let wall_us = self.clock.wall_us(self.clock.now());
            batch.push(what, wall_us, 0, b"", b"");
            self.shared.hand_over(&mut batch);
        }
    }

    /// What a shard tells with; `own` are the addresses of its UDP sockets, by flow, `locals` those of its other flows,
    /// and `bound` is what stands for one that is not known yet.
    pub(crate) fn tap(
        &self,
        own: Vec<SocketAddr>,
        locals: Option<Locals>,
        bound: SocketAddr,
    ) -> Box<Tap> {
        Box::new(Tap::new(
            Arc::clone(&self.shared),
            self.level,
            tap::Ends::new(own, locals, bound),
        ))
    }

    pub(crate) fn view(&self) -> EventView {
        EventView(Arc::clone(&self.shared))
    }

    /// Tells what the run came to, lets the sinks have what waits, and ends the thread. The taps should be gone by then.
    pub(crate) fn close(mut self, totals: Totals) -> EventCounts {
        let dropped = self.shared.counts().overwritten;
        self.tell(What::EngineStopped { totals, dropped });
        self.finish();
        self.shared.counts()
    }

    fn finish(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            // A bug, but the run's result matters more than its events.
            self.shared.trouble("the event writer panicked");
        }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What there is to know of the main scenario.
pub(crate) fn scene(config: &EngineConfig) -> Scene {
    Scene::new(
        &config.program,
        config.params.recv_timeout_ms,
        config.transport.name(),
    )
}
