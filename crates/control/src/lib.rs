// SPDX-License-Identifier: AGPL-3.0-only
//! Operator commands and statistics snapshots as plain data.
//!
//! What the runtime publishes and what it obeys, with nothing of the runtime in it: the terminal, the console and
//! report writers depend on this crate alone.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`command`] | what an operator may ask of a run |
//! | [`media`] | the same of the media of calls |
//! | [`snapshot`] | everything counted and measured so far |
//! | [`measures`] | distributions and time series for reports |
//! | [`shapes`] | how calls failed and which were slow, with examples |
#![forbid(unsafe_code)]

pub mod command;
pub mod measures;
pub mod media;
pub mod shapes;
pub mod snapshot;

pub use command::{ControlCommand, Trace};
pub use gossipper_bytecode::{FailReason, Mode, StepKind};
pub use measures::Measures;
pub use media::{ClosedStreams, MediaSnapshot, PatternCounts};
pub use shapes::{
    FailureShape, FailureShapes, SlowCall, SlowCalls, WatchedCall, WatchedMessage, Way,
};
pub use snapshot::{
    CallCounts, Cell, ConnectionCounts, CounterSnapshot, EchoCounts, EchoSnapshot, EngineSnapshot,
    EventCounts, FailCount, HepCounts, Limit, LimitSnapshot, LogCounts, MeanTime, MessageCounts,
    Phase, RateSnapshot, Repartition, ResponseTime, SinkCounts, Snapshot, StepSnapshot,
    TimeSummary, TransportCounts,
};
