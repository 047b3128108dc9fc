// SPDX-License-Identifier: AGPL-3.0-only
//! What an operator may ask of a run.
//!
//! Every way to reach a run (keys, signals, an HTTP console) is turned into these commands; none of them waits for an
//! answer, the next snapshot shows the effect. Adding one: a variant here with its SIPp key, an arm in the shard's
//! inbox, a line in whatever offers it to the operator.

use serde::{Deserialize, Serialize};

/// A trace that can be switched during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// Messages.
    Messages,
    /// A line per message.
    ShortMessages,
    /// Warnings and errors.
    Error,
    /// Lines of `log` actions.
    Logs,
}

/// A wish of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum ControlCommand {
    /// Open no more calls and end when the open ones have (key `q`, SIGUSR1).
    Drain,
    /// Abort all calls now, with ACK, CANCEL or BYE as each call's state asks, and end (key `Q`).
    Stop,
    /// End now, and leave the calls that are open as they are (SIGINT and SIGTERM, as SIPp has them).
    Leave,
    /// A new rate; the arrival schedule begins anew. A negative number of calls becomes 0.
    SetRate {
        /// Calls per period.
        calls: f64,
        /// The period in ms; `None` keeps it.
        period_ms: Option<u64>,
    },
    /// Raises or lowers the rate by some calls per period (keys `+ - * /`); in users mode the number of users.
    AddRate {
        /// Calls per period or users, may be negative.
        calls: f64,
    },
    /// Sets the limit of open calls.
    SetOpenLimit {
        /// Calls that may be open at a time; 0 becomes 1.
        calls: u64,
    },
    /// Another number of users; those that are too many leave as their calls end. Nothing without users mode.
    SetUsers {
        /// How many.
        users: u32,
    },
    /// Stops opening calls, or goes on.
    SetPaused {
        /// Whether to pause.
        paused: bool,
    },
    /// Pauses or goes on (key `p`).
    TogglePause,
    /// Switches a trace on or off (`trace messages on`). One that was on before goes on in its file.
    SetTrace {
        /// Which.
        trace: Trace,
        /// Whether it is written from now on.
        on: bool,
    },
    /// Counts and measures anew (`reset stats`); calls that are open stay counted.
    ClearStats,
}
