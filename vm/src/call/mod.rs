// SPDX-License-Identifier: AGPL-3.0-only
//! The record of one call: everything the machine remembers about it, and nothing it can derive.

pub(crate) mod dialogs;
pub(crate) mod last;
pub(crate) mod regs;

use crate::auth::Stored;
use crate::inject::Lines;
use crate::input::{FlowId, Micros};
use crate::media::CryptoKeys;
use core::net::SocketAddr;
use dialogs::Dialogs;
use gossipper_bytecode::{DialogId, DistId, FailReason, Pc, PeerId, RecvId, SendId, StepId};
use last::Last;
use regs::Regs;
use smallvec::SmallVec;

/// What a suspended call waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// Its turn: the step budget was used up.
    Turn,
    /// The end of the repetitions of what it sent.
    Gate,
    /// A message.
    Message,
    /// The end of a pause.
    Pause,
}

/// A message that is repeated until it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Repeat {
    /// What is repeated.
    pub(crate) send: SendId,
    /// When next.
    pub(crate) at: Micros,
    /// The interval that ends then, in ms.
    pub(crate) interval_ms: u32,
    /// How often it was repeated.
    pub(crate) count: u32,
}

/// A received message that a sent one answers: the peer's repetition of it is answered by rendering that again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answered {
    /// Fingerprint of the received message.
    pub(crate) fingerprint: u64,
    /// The receive that had accepted it.
    pub(crate) recv: RecvId,
    /// What was sent in answer.
    pub(crate) send: SendId,
}

/// State of a `start_txn` transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct TxnState {
    /// Branch of the request that was sent; empty before.
    pub(crate) branch: SmallVec<[u8; 32]>,
    /// Fingerprint of its final response; 0 before.
    pub(crate) final_response: u64,
}

/// Parts that many scenarios never need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cold {
    /// Route set of `rrs`, joined with `, `, in the order for a Route header.
    pub(crate) routes: Vec<u8>,
    /// Remote target of `rrs`.
    pub(crate) target: Vec<u8>,
    /// Challenges of `auth`: at most one for each kind of header.
    pub(crate) challenges: Vec<Stored>,
    /// Transactions of the program, by id.
    pub(crate) txns: Vec<TxnState>,
    /// Its circuit.
    pub(crate) circuit: Option<u32>,
    /// Keys that `[cryptokeyparams…]` prints.
    pub(crate) crypto: Option<Box<CryptoKeys>>,
    /// The message that opened the call, until its first `recv` waits.
    pub(crate) queued: Option<Box<[u8]>>,
    /// Commands that came before the call waited, oldest first.
    pub(crate) commands: Vec<Box<[u8]>>,
    /// Peers that it has exchanged commands with.
    pub(crate) peers: SmallVec<[PeerId; 4]>,
    /// The message that led to the handler of unexpected messages, until its first `recv` waits.
    pub(crate) unexpected: Option<Box<[u8]>>,
    /// Its dialogs, when it has or may have several.
    pub(crate) dialogs: Option<Box<Dialogs>>,
    /// Streams of the `sample` actions with a seed that it has come to.
    pub(crate) seeded: SmallVec<[(DistId, u64); 1]>,
}

impl Cold {
    /// Bytes of messages that it holds.
    fn heap_bytes(&self) -> usize {
        self.routes.capacity()
            + self.target.capacity()
            + self.crypto.as_ref().map_or(0, |_| size_of::<CryptoKeys>())
            + self.queued.as_ref().map_or(0, |message| message.len())
            + self.unexpected.as_ref().map_or(0, |message| message.len())
            + self
                .commands
                .iter()
                .map(|command| command.len())
                .sum::<usize>()
            + self
                .dialogs
                .as_ref()
                .map_or(0, |dialogs| dialogs.heap_bytes())
    }
}

/// One scenario instance.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// 1-based number of the call.
    pub(crate) number: u64,
    /// User id, 0 without users.
    pub(crate) user: u32,
    /// Where it goes on.
    pub(crate) pc: Pc,
    /// The element it is at (SIPp's state).
    pub(crate) step: StepId,
    /// What it waits for.
    pub(crate) wait: Wait,
    /// `[cseq]`.
    pub(crate) cseq: u32,
    /// When it began.
    pub(crate) created: Micros,
    /// How much later than scheduled it began, in µs.
    pub(crate) late_us: u32,
    /// The path it sends on.
    pub(crate) flow: FlowId,
    /// To whom it sends.
    pub(crate) peer: SocketAddr,
    /// Its Call-ID without a `xxx///` prefix.
    pub(crate) call_id: SmallVec<[u8; 40]>,
    /// Deadline of the receive it waits in, and the step whose timeout it is.
    pub(crate) recv_deadline: Option<(Micros, StepId)>,
    /// End of the pause it is in.
    pub(crate) pause_until: Option<Micros>,
    /// What is being repeated; the bytes are in `sent`.
    pub(crate) repeat: Option<Repeat>,
    /// Bytes of what is being repeated, in a borrowed buffer (see [`crate::txn::Buffers`]).
    pub(crate) sent: Vec<u8>,
    /// The last message sent by a step.
    pub(crate) last_sent: Option<SendId>,
    /// Fingerprint and receive of the last accepted message, and whether it belongs to an INVITE, until something is
    /// sent in answer.
    pub(crate) unanswered: Option<(u64, RecvId, bool)>,
    /// The last accepted message that was answered, and with what.
    pub(crate) answered: Option<Answered>,
    /// The same for the last INVITE or final response to one, which is repeated longest.
    pub(crate) answered_invite: Option<Answered>,
    /// CSeq number of the last INVITE received.
    pub(crate) invite_cseq: Option<u32>,
    /// CSeq number of the last ACK accepted, and the receive that accepted it.
    pub(crate) acknowledged: Option<(u32, RecvId)>,
    /// An ACK was sent or received.
    pub(crate) established: bool,
    /// A 200 was received and no ACK sent since.
    pub(crate) ack_pending: bool,
    /// The failed check that the call will be counted under.
    pub(crate) failure: Option<FailReason>,
    /// Where the `jump` action of this step leads.
    pub(crate) jump_to: Option<StepId>,
    /// What is kept of the last accepted message.
    pub(crate) last: Last,
    /// `;tag=` value of the last response's To header, kept only if the program prints it.
    pub(crate) peer_tag: SmallVec<[u8; 16]>,
    /// Variables.
    pub(crate) regs: Regs,
    /// Response-time timers: see [`RtdState`].
    pub(crate) rtds: SmallVec<[RtdState; 2]>,
    /// State of the call's random stream.
    pub(crate) rng: u64,
    /// The deadline the driver keeps, and its generation.
    pub(crate) armed: Option<Micros>,
    /// Generation of the last `Arm`.
    pub(crate) generation: u32,
    /// Its line of each injection file.
    pub(crate) lines: Lines,
    /// [`Self::heap_bytes`] as the engine last counted them.
    pub(crate) held_bytes: usize,
    /// The dialog that the record holds; see [`dialogs`].
    pub(crate) dialog: DialogId,
    /// Rarely used parts.
    pub(crate) cold: Option<Box<Cold>>,
}

impl Call {
    /// A record without content.
    pub(crate) fn blank(peer: SocketAddr) -> Self {
        Self {
            number: 0,
            user: 0,
            pc: Pc(0),
            step: StepId(0),
            wait: Wait::Turn,
            cseq: 0,
            created: Micros(0),
            late_us: 0,
            flow: FlowId(0),
            peer,
            call_id: SmallVec::new(),
            recv_deadline: None,
            pause_until: None,
            repeat: None,
            sent: Vec::new(),
            last_sent: None,
            unanswered: None,
            answered: None,
            answered_invite: None,
            invite_cseq: None,
            acknowledged: None,
            established: false,
            ack_pending: false,
            failure: None,
            jump_to: None,
            last: Last::default(),
            peer_tag: SmallVec::new(),
            regs: Regs::default(),
            rtds: SmallVec::new(),
            rng: 0,
            armed: None,
            generation: 0,
            lines: Lines::new(),
            held_bytes: 0,
            dialog: DialogId::MAIN,
            cold: None,
        }
    }

    /// Bytes of its own that it holds outside the record.
    pub(crate) fn heap_bytes(&self) -> usize {
        let spilled = |inline: usize, capacity: usize| if capacity > inline { capacity } else { 0 };
        spilled(self.call_id.inline_size(), self.call_id.capacity())
            + spilled(self.peer_tag.inline_size(), self.peer_tag.capacity())
            + self.sent.capacity()
            + self.last.heap_bytes()
            + self.regs.heap_bytes()
            + self.cold.as_ref().map_or(0, |cold| cold.heap_bytes())
    }

    /// The rarely used parts, made when first needed.
    pub(crate) fn cold_mut(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    /// The stream of a `sample` action with a seed, from where it was left.
    pub(crate) fn seeded(&mut self, sample: DistId, seed: u64) -> &mut u64 {
        let first = crate::rng::seed(seed, self.number);
        let streams = &mut self.cold_mut().seeded;
        let at = match streams.iter().position(|(id, _)| *id == sample) {
            Some(at) => at,
            None => {
                streams.push((sample, first));
                streams.len() - 1
            }
        };
        &mut streams[at].1
    }

    /// The earliest of its deadlines.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        let recv = self.recv_deadline.map(|(at, _)| at);
        let repeat = self.repeat.map(|repeat| repeat.at);
        // A pause that was restored ends where the call waits for it, at its next step.
        let pause = self.pause_until.filter(|_| self.wait == Wait::Pause);
        let parked = self.dialogs().and_then(Dialogs::next_repeat);
        [recv, pause, repeat, parked].into_iter().flatten().min()
    }
}

/// A response-time timer of a call: when it started, and whether it was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct RtdState {
    /// Start; `None` measures from the creation of the call.
    pub(crate) started: Option<Micros>,
    /// Recorded once already.
    pub(crate) recorded: bool,
}
