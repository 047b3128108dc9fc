// SPDX-License-Identifier: AGPL-3.0-only
//! What can happen to an engine. Plain data: variants are facts.

use core::fmt;
use core::net::SocketAddr;

slotmap::new_key_type! {
    /// A call in its engine: a slot and a generation, so that a late timer never reaches another call.
    pub struct CallKey;
}

/// Microseconds since the run began. The machine knows no other clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Micros(pub u64);

impl Micros {
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1000))
    }

    /// Later by `span`.
    #[must_use]
    pub const fn plus(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The time since `earlier`, zero if that lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for Micros {
    /// Seconds with six decimals, as traces print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A transport path of the driver (RFC 5626): a socket or a connection.
///
/// Path 0 is that of the run ([`Self::MAIN`]): the one socket of UDP, the one connection of a client over streams, also
/// after it was made anew. Every other id means one socket or connection and is not used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct FlowId(pub u32);

impl FlowId {
    /// The path of the run.
    pub const MAIN: Self = Self(0);
    /// No path: the call asks for one when it sends.
    pub const NONE: Self = Self(u32::MAX);

    /// Whether there is one.
    #[inline]
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 != Self::NONE.0
    }
}

/// What became of a path. Its id means nothing afterwards, unless it is [`FlowId::MAIN`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowEvent {
    /// The connection could not be made: its calls fail.
    Failed,
    /// The connection has ended, and its calls with it.
    Closed,
    /// The connection has ended, and its calls go on: they ask for another when they send.
    Lost,
}

/// Why a message cannot be sent, and its call has to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsent {
    /// The transport refused it for good (too long, no route, no room). Passing faults such as a full buffer or a
    /// refused port of a peer over UDP are not reported.
    Refused,
    /// The call got no path: no connection, no socket.
    NotConnected,
    /// The path has ended.
    Closed,
    /// It waited too long for a peer that does not read (`-send_timeout`).
    TooLate,
}

/// What an operator or the end of a run asks of the calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallControl {
    /// Abort every open call with ACK, CANCEL or BYE as its state asks. The driver may repeat it.
    AbortAll,
    /// Open no more calls for messages with an unknown Call-ID.
    Drain,
    /// There are now that many users (`[users]`).
    Users(u32),
}

/// What became of something that a call asked of its media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaVerdict {
    /// The check that the call waits for is met.
    Passed,
    /// The check is not met, or media cannot do what the call asked for: the call ends.
    Failed,
}

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input<'a> {
    /// Pacing wants a call. `due` is the scheduled time, so that lateness is measured.
    Spawn {
        /// User id, 0 without `-users`.
        user: u32,
        /// When it was to begin.
        due: Micros,
    },
    /// The schedule of all shards wants a call, which this one owns: see [`crate::Siblings`].
    Open {
        /// Its number, in place of the next one of this engine.
        number: u64,
        /// When it was to begin.
        due: Micros,
    },
    /// One whole SIP message, framed and decrypted.
    Message {
        /// The path it came on.
        flow: FlowId,
        /// Its sender.
        src: SocketAddr,
        /// The message.
        bytes: &'a [u8],
    },
    /// A command of a twin, without the byte that ends it.
    Twin {
        /// The command.
        bytes: &'a [u8],
    },
    /// A command of the call could not be handed to its peer.
    TwinFailed {
        /// The call.
        call: CallKey,
    },
    /// The deadline of a call has passed; a stale generation is ignored.
    Timer {
        /// The call.
        call: CallKey,
        /// The generation of the `Arm` output.
        generation: u32,
    },
    /// A call that used up its step budget goes on.
    Resume {
        /// The call.
        call: CallKey,
    },
    /// A message of the call cannot be sent.
    Unsent {
        /// The call.
        call: CallKey,
        /// Why.
        why: Unsent,
    },
    /// The path that a call asked for ([`crate::Output::Open`]). It need not be connected yet.
    Opened {
        /// The call.
        call: CallKey,
        /// The path.
        flow: FlowId,
        /// Its local port, `[local_port]` of the call.
        port: u16,
    },
    /// Something became of a path. To be repeated when the machine says so ([`crate::Output::Unfinished`]).
    Flow {
        /// The path.
        flow: FlowId,
        /// What.
        event: FlowEvent,
    },
    /// Ports for streams of calls to come, in addition to those that are there: see [`crate::Output::MediaBegan`]. A call
    /// that finds too few ends at once.
    Ports {
        /// The ports, each for one stream.
        ports: &'a [u16],
    },
    /// What became of something that a call asked of its media.
    Media {
        /// The call.
        call: CallKey,
        /// What.
        verdict: MediaVerdict,
    },
    /// An operator's wish.
    Control(CallControl),
}
