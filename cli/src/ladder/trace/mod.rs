// SPDX-License-Identifier: AGPL-3.0-only
//! Ladders of message traces: what went between two parties, call by call.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `read` | the messages of a trace, in any of its four forms |
//! | `calls` | the messages of each call, and calls that went alike |
//!
//! A trace is written by one party, or by both of them in one process (`-loopback`): then each message is there twice, and
//! is drawn once.

mod calls;
mod read;
#[cfg(test)]
mod tests;
mod verb;

pub(crate) use verb::{LadderArgs, run};
