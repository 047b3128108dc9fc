// SPDX-License-Identifier: AGPL-3.0-only
//! Shards, sockets, timing wheel, pacing and statistics: the machine's driver.
//!
//! Everything the machine of `gossipper-vm` must not know is here: clocks, sockets, threads, files. A run is
//! [`Run::start`]ed from a [`RunConfig`](config::RunConfig), watched through snapshots of `gossipper-control`,
//! steered through a [`Controller`], and [`Run::finish`]ed into a [`RunReport`].
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`config`], [`error`] | what a run is to do; what the world can do to it |
//! | [`run`] | start, watch, end; the two sides of a loopback run |
//! | `shard` | one thread, one engine, one wheel, its socket |
//! | `group` | several shards that run one scenario |
//! | [`clock`], [`wheel`], [`pacing`] | microseconds since the run began; deadlines; the arrival schedule |
//! | [`transport`] | the socket modes and names |
//! | `echo` | RTP returned to its sender |
//! | [`twin`] | connections to the twins of a 3PCC scenario |
//! | [`stats`] | counters and histograms, copied into snapshots |
//! | `measure` | what reports want to know beyond that |
//! | `shapes` | how calls fail, with examples |
//! | [`logs`], [`exec`] | SIPp's trace files; external programs |
//! | `hep` | messages mirrored to a collector |
//! | `events` | what happens, told to people and to collectors of OpenTelemetry |
//! | [`sys`] | batched system calls, the only `unsafe` of the workspace |
//!
//! A server on a port that the system chooses, ended by its operator:
//! ```
//! use gossipper_control::ControlCommand;
//! use gossipper_runtime::config::{EngineConfig, LocalConfig, LogConfig, PacingConfig, RunConfig, TimeLimits};
//! use gossipper_runtime::{Ending, Run};
//! # let mut draft = gossipper_vm::doc_program().into_draft();
//! # draft.mode = Some(gossipper_bytecode::Mode::Server);
//! # let program = std::sync::Arc::new(draft.verify()?);
//!
//! let mut main = EngineConfig::new(program, gossipper_vm::RunParams::default());
//! main.local = LocalConfig { ip: Some("127.0.0.1".parse()?), port: Some(0), bind_local: true };
//! let run = Run::start(RunConfig {
//!     main,
//!     answerer: None,
//!     pacing: PacingConfig::default(),
//!     limits: TimeLimits::default(),
//!     watchdog: None,
//!     logs: LogConfig::default(),
//!     measures: false,
//! })?;
//! assert!(run.controller().send(ControlCommand::Drain));
//! let report = run.finish()?;
//! assert_eq!(report.ending, Ending::Drained);
//! assert_eq!(report.snapshot.main().map(|engine| engine.calls.created()), Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod clock;
pub mod config;
mod echo;
pub mod error;
mod events;
pub mod exec;
mod flows;
mod group;
mod hep;
pub mod logs;
mod measure;
pub mod media;
pub mod pacing;
pub mod profile;
pub mod profiling;
pub mod run;
mod schedule;
mod shapes;
mod shard;
pub mod stats;
pub mod sys;
pub mod transport;
pub mod twin;
pub mod users;
pub mod wheel;

pub use error::Error;
pub use run::{Controller, Run, RunReport, Viewer};
pub use shard::Ending;
