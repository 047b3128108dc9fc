// SPDX-License-Identifier: AGPL-3.0-only
//! Runs calls as a pure state machine; never meets a socket, clock or file.
#![forbid(unsafe_code)]

pub mod input;
pub mod output;
pub mod params;

pub use input::{CallControl, CallKey, FlowId, Input, Micros};
pub use output::{ByteRange, CallEnd, LogKind, OutBuf, Output, StatEvent};
pub use params::{Behaviors, CallIdFormat, RunParams};
