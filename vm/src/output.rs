// SPDX-License-Identifier: AGPL-3.0-only
//! What an engine orders its driver to do. Plain data: records plus one byte arena, cleared and reused.

use crate::input::{CallKey, FlowEvent, FlowId, Micros};
use core::net::SocketAddr;
use core::ops::Range;
use gossipper_bytecode::{CounterId, FailReason, LogLevel, MediaId, PeerId, RtdId, StepId};

/// Bytes in the arena of an [`OutBuf`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ByteRange {
    /// First byte.
    pub start: u32,
    /// One past the last.
    pub end: u32,
}

impl ByteRange {
    /// As a range of `usize`.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallEnd {
    /// At the end of the scenario, with no check failed.
    Success,
    /// For this reason.
    Failure(FailReason),
}

/// Something to count. Steps are those of the scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatEvent {
    /// A call began.
    Created {
        /// Opened by a message rather than by pacing.
        incoming: bool,
        /// How much later than scheduled it began.
        late: Micros,
    },
    /// A message of a send step went out for the first time.
    Sent {
        /// The step.
        step: StepId,
    },
    /// A message was repeated: by timer, or because the peer repeated what it answers.
    Retransmitted {
        /// The send step.
        step: StepId,
    },
    /// A receive step accepted a message.
    Received {
        /// The step.
        step: StepId,
        /// The message is a final response to an INVITE.
        answers_invite: bool,
    },
    /// The peer repeated a message that a receive step had accepted.
    ReceivedAgain {
        /// The receive step.
        step: StepId,
    },
    /// A message was dropped on purpose (`lost`).
    Lost {
        /// The step.
        step: StepId,
    },
    /// A receive timed out, or repetitions of a send ran out.
    TimedOut {
        /// The step.
        step: StepId,
    },
    /// A message arrived that the step does not expect.
    Unexpected {
        /// The step the call was at.
        step: StepId,
        /// Its status code if it is a response, else 0.
        code: u16,
    },
    /// A pause began.
    Paused {
        /// The step.
        step: StepId,
    },
    /// A step that shows a text has run.
    Shown {
        /// The step.
        step: StepId,
    },
    /// A response-time timer stopped.
    Rtd {
        /// The timer.
        rtd: RtdId,
        /// Time since it started.
        took: Micros,
        /// How much longer it is when counted from the time the call was due; zero if the timer started inside the call.
        late: Micros,
    },
    /// A user counter.
    Counter {
        /// The counter.
        counter: CounterId,
    },
    /// A call ended.
    Ended {
        /// How.
        end: CallEnd,
        /// From creation to its end.
        length: Micros,
    },
    /// A message that belongs to no call and opens none.
    OutOfCall,
    /// A message for a call that has ended.
    DeadCall,
    /// A request was answered without the scenario's help.
    AutoAnswered,
    /// Bytes that are no SIP message, or one without Call-ID; discarded.
    Discarded,
    /// A media action was passed over.
    MediaSkipped,
    /// A keep-alive (CRLF CRLF or four NULs), ignored.
    KeepAlive,
}

/// What kind of line a [`Output::Log`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogKind {
    /// Of a `log` or `warning` action.
    Action(LogLevel),
    /// A warning of the machine: unexpected messages, timeouts, dead calls…
    Warning,
}

/// Whose description of media it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SdpOf {
    /// Ours: it was just sent.
    Us,
    /// The peer's: it was just accepted.
    Peer {
        /// Its `Content-Type` says that it is one.
        declared: bool,
        /// The message is a response, or a request that SIPp looks at for where to play captures to: INVITE, ACK, PRACK.
        may_move_play: bool,
    },
}

/// What kind of message describes media: it decides whether that may be an offer or an answer (RFC 3264).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SdpPlace {
    /// A request that makes an offer.
    Request,
    /// A response: an answer, or an offer where its request made none.
    Response,
    /// An ACK or a PRACK: an answer to an offer in a response.
    Acknowledgement,
}

/// An order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// The orders that follow are about this call. Given only if [`crate::RunParams::names_calls`] asks for it.
    About {
        /// Its number.
        call: u64,
    },
    /// The orders that follow are of the scenario of requests that belong to no call, whose figures are its own; or
    /// of the client's again.
    Beside {
        /// Which of both.
        begins: bool,
    },
    /// The next order is to send something that may wait so long for a peer that does not read.
    Within {
        /// How long, in ms.
        ms: u32,
    },
    /// Send these bytes.
    Send {
        /// For whom; `None` for answers that belong to no call.
        call: Option<CallKey>,
        /// On which path.
        flow: FlowId,
        /// To whom.
        to: SocketAddr,
        /// The message.
        bytes: ByteRange,
    },
    /// Give the call a path of its own to this address, and say so at once with [`crate::Input::Opened`]; or that there is
    /// none, with [`crate::Input::Unsent`].
    Open {
        /// For whom.
        call: CallKey,
        /// To where.
        to: SocketAddr,
    },
    /// Close a path once what waits there is sent: no call uses it any more. Nothing that comes on it is for a call.
    Close {
        /// The path.
        flow: FlowId,
    },
    /// More calls are on the path: say [`crate::Input::Flow`] once more, after other work.
    Unfinished {
        /// The path.
        flow: FlowId,
        /// What became of it.
        event: FlowEvent,
    },
    /// Send these bytes, and the one that ends a command, to a twin.
    Twin {
        /// Whose call ends if that fails; `None` for what may be lost.
        call: Option<CallKey>,
        /// Which peer; `None` where there is one twin.
        peer: Option<PeerId>,
        /// The command.
        bytes: ByteRange,
    },
    /// Keep one deadline for the call, in place of any before.
    Arm {
        /// The call.
        call: CallKey,
        /// When.
        at: Micros,
        /// Comes back with the timer.
        generation: u32,
    },
    /// Forget the call's deadline.
    Disarm {
        /// The call.
        call: CallKey,
    },
    /// Count something.
    Stat(StatEvent),
    /// Write a line.
    Log {
        /// Which log.
        kind: LogKind,
        /// The text, without line end.
        text: ByteRange,
    },
    /// Run a shell command; nothing waits for it.
    Exec {
        /// The command.
        command: ByteRange,
    },
    /// Turn the RTP echo of the process on or off.
    SwitchEcho {
        /// On.
        on: bool,
    },
    /// A call has begun whose scenario uses media.
    MediaBegan {
        /// The call.
        call: CallKey,
        /// Its number.
        number: u64,
        /// Its Call-ID.
        call_id: ByteRange,
        /// Ports of the ones handed in with [`crate::Input::Ports`] that are the call's until it ends, 0 for none: that of
        /// its audio, and the other one.
        ports: [u16; 2],
    },
    /// Carry out a media action. For one that waits, [`crate::Input::Media`] is to follow.
    Media {
        /// For whom.
        call: CallKey,
        /// The entry in the table of the program.
        action: MediaId,
        /// Its argument, if keywords were in it.
        text: ByteRange,
    },
    /// Look at a body that describes media.
    Sdp {
        /// Of which call.
        call: CallKey,
        /// Whose.
        of: SdpOf,
        /// What kind of message it is in.
        place: SdpPlace,
        /// The number of its message's CSeq; 0 if it has none. An answer has that of its offer, but in a PRACK.
        cseq: u32,
        /// The body.
        body: ByteRange,
    },
    /// Queue a `Resume` for the call.
    Yield {
        /// The call.
        call: CallKey,
    },
    /// The call is gone: forget its deadline.
    Ended {
        /// The call.
        call: CallKey,
        /// Its user, who may have another one now; 0 without users.
        user: u32,
        /// How long it was there.
        length: Micros,
    },
    /// `stop_gracefully`: no new calls; end with the open ones.
    StopGracefully,
    /// `stop_now`: end at once, exit code 97.
    StopNow,
    /// The scenario did what SIPp ends the process for; the text says what. Exit code 255.
    Fatal {
        /// What.
        text: ByteRange,
    },
}

/// Orders of one input: records plus a byte arena. Clear it before the next input, keep it for its capacity.
#[derive(Clone, Debug, Default)]
pub struct OutBuf {
    records: Vec<Output>,
    bytes: Vec<u8>,
    /// The call that the last orders are about, as far as they say so.
    about: Option<u64>,
}

impl OutBuf {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all orders, keeps the memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.bytes.clear();
        self.about = None;
    }

    /// Forgets all orders, keeps their bytes: a message that has yet to leave can stay where it is.
    pub fn clear_orders(&mut self) {
        self.records.clear();
        self.about = None;
    }

    /// The bytes of all orders since [`Self::clear`].
    #[must_use]
    pub fn all_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The orders, in the order to carry them out.
    #[must_use]
    pub fn records(&self) -> &[Output] {
        &self.records
    }

    /// The bytes of a range.
    #[must_use]
    pub fn bytes(&self, range: ByteRange) -> &[u8] {
        self.bytes.get(range.range()).unwrap_or_default()
    }

    /// Adds an order.
    #[inline]
    pub fn push(&mut self, output: Output) {
        self.records.push(output);
    }

    /// Says that the orders that follow are about this call, unless those before were, too.
    pub(crate) fn about(&mut self, call: u64) {
        if self.about != Some(call) {
            self.about = Some(call);
            self.records.push(Output::About { call });
        }
    }

    /// Says that the orders that follow are of the scenario beside, or no longer.
    pub(crate) fn beside(&mut self, begins: bool) {
        self.about = None;
        self.records.push(Output::Beside { begins });
    }

    /// Takes back the last order if it is a yield.
    pub(crate) fn pop_yield(&mut self) {
        if let Some(Output::Yield { .. }) = self.records.last() {
            self.records.pop();
        }
    }

    /// The arena, for rendering into it.
    pub(crate) fn arena(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The range from `start` to the end of the arena.
    pub(crate) fn range_from(&self, start: usize) -> ByteRange {
        // The arena holds one input's messages; each is bounded, and so is their number.
        ByteRange {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
        }
    }

    /// Copies bytes into the arena.
    pub fn store(&mut self, bytes: &[u8]) -> ByteRange {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.range_from(start)
    }
}
