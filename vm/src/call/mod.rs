// SPDX-License-Identifier: AGPL-3.0-only
//! The record of one call: everything the machine remembers about it, and nothing it can derive.

pub(crate) mod dialogs;
pub(crate) mod extra;
pub(crate) mod last;
pub(crate) mod lean;
pub(crate) mod regs;

use crate::answer::AudioAnswer;
use crate::auth::Stored;
use crate::input::{FlowId, Micros};
use crate::media::CryptoKeys;
use core::net::SocketAddr;
use core::num::NonZeroU64;
use dialogs::Dialogs;
use extra::{Extra, Peer, RtdState};
use gossipper_bytecode::{DialogId, DistId, FailReason, Pc, PeerId, RecvId, SendId, StepId};
use last::Last;
use lean::{Deadline, Maybe, Moment, Short};
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
    /// A path to send on.
    Flow,
    /// What its media has to tell.
    Media,
}

/// A message that is repeated until it is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Repeat {
    /// What is repeated.
    pub(crate) send: SendId,
    /// When next.
    pub(crate) at: Micros,
    /// The interval that ends then, in ms.
    pub(crate) interval_ms: u32,
    /// How often it was repeated.
    pub(crate) count: u32,
    /// Its bytes; none as long as the call can make them again.
    pub(crate) bytes: Vec<u8>,
}

/// What a repetition of a received message is known by. Aligned to four bytes, it shares twelve with the two ids that stand
/// beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(Rust, packed(4))]
pub(crate) struct Fingerprint(NonZeroU64);

impl Fingerprint {
    /// In place of a hash of zero.
    pub(crate) const MIN: Self = Self(NonZeroU64::MIN);

    /// That of a message with this hash.
    #[inline]
    pub(crate) fn new(hash: u64) -> Option<Self> {
        NonZeroU64::new(hash).map(Self)
    }
}

/// A received message that a sent one answers: the peer's repetition of it is answered by rendering that again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answered {
    /// Fingerprint of the received message.
    pub(crate) fingerprint: Fingerprint,
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
    /// Fingerprint of its final response, once there was one.
    pub(crate) final_response: Option<Fingerprint>,
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
    /// What `[audio_…]` keywords print, once a description has come.
    pub(crate) answer: Option<Box<AudioAnswer>>,
    /// Ports of its streams, 0 for none.
    pub(crate) ports: [u16; 2],
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
            + self.answer.as_ref().map_or(0, |answer| answer.heap_bytes())
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

/// The Call-ID of a dialog. Inline there is room for what most agents make, and for a UUID.
pub(crate) type CallId = Short<38>;

/// A `;tag=` value. Inline there is room for those of SIPp and of gossipper, with numbers of seven digits.
pub(crate) type PeerTag = Short<22>;

/// One scenario instance.
///
/// With what the table of calls adds to it, it fills four lines of the caches: a million calls that wait hold a million of these,
/// and what is read of one was last touched a million calls ago.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// 1-based number of the call.
    pub(crate) number: u64,
    /// Where it goes on.
    pub(crate) pc: Pc,
    /// The element it is at (SIPp's state).
    pub(crate) step: StepId,
    /// What it waits for.
    pub(crate) wait: Wait,
    /// `[cseq]`.
    pub(crate) cseq: u32,
    /// When it began.
    pub(crate) created: Moment,
    /// How much later than scheduled it began, in µs.
    pub(crate) late_us: u32,
    /// The path it sends on.
    pub(crate) flow: FlowId,
    /// To whom it sends.
    peer: Peer,
    /// Its Call-ID without a `xxx///` prefix.
    pub(crate) call_id: CallId,
    /// Deadline of the receive it waits in.
    pub(crate) recv_deadline: Deadline,
    /// The step whose timeout that is.
    pub(crate) recv_step: StepId,
    /// End of the pause it is in.
    pub(crate) pause_until: Deadline,
    /// What is being repeated, in borrowed memory (see [`crate::txn::Buffers`]).
    pub(crate) repeat: Option<Box<Repeat>>,
    /// The last message sent by a step.
    pub(crate) last_sent: Maybe<SendId>,
    /// Fingerprint and receive of the last accepted message, and whether it belongs to an INVITE, until something is
    /// sent in answer.
    pub(crate) unanswered: Option<(Fingerprint, RecvId, bool)>,
    /// The last accepted message that was answered, and with what.
    pub(crate) answered: Option<Answered>,
    /// The same for the last INVITE or final response to one, which is repeated longest.
    pub(crate) answered_invite: Option<Answered>,
    /// CSeq number of the last INVITE received, if it is said to have one.
    pub(crate) invite_cseq: u32,
    /// An INVITE with a CSeq number was the last one received.
    pub(crate) invited: bool,
    /// CSeq number of the last ACK accepted, if one was.
    pub(crate) acknowledged: u32,
    /// The receive that accepted it.
    pub(crate) acknowledged_by: Maybe<RecvId>,
    /// An ACK was sent or received.
    pub(crate) established: bool,
    /// A 200 was received and no ACK sent since.
    pub(crate) ack_pending: bool,
    /// The failed check that the call will be counted under.
    pub(crate) failure: Option<FailReason>,
    /// Where the `jump` action of this step leads.
    pub(crate) jump_to: Maybe<StepId>,
    /// What is kept of the last accepted message.
    pub(crate) last: Last,
    /// `;tag=` value of the last response's To header, kept only if the program prints it.
    pub(crate) peer_tag: PeerTag,
    /// The first response-time timer; the others are in `extra`.
    rtd: RtdState,
    /// State of the call's random stream.
    pub(crate) rng: u64,
    /// The deadline the driver keeps, and its generation.
    pub(crate) armed: Deadline,
    /// Generation of the last `Arm`. Should it come round while an old one is under way, that finds nothing that has come.
    pub(crate) generation: u16,
    /// [`Self::heap_bytes`] as the engine last counted them.
    pub(crate) held_bytes: u32,
    /// The dialog that the record holds; see [`dialogs`].
    pub(crate) dialog: DialogId,
    /// What the calls of some scenarios have besides.
    pub(crate) extra: Option<Box<Extra>>,
    /// Rarely used parts.
    pub(crate) cold: Option<Box<Cold>>,
}

/// What a new call begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    /// Its number.
    pub(crate) number: u64,
    /// Its first op.
    pub(crate) pc: Pc,
    /// `[cseq]`.
    pub(crate) cseq: u32,
    /// When it begins.
    pub(crate) created: Micros,
    /// How much later than scheduled, in µs.
    pub(crate) late_us: u32,
    /// The path it sends on.
    pub(crate) flow: FlowId,
    /// To whom.
    pub(crate) peer: SocketAddr,
    /// State of its random stream.
    pub(crate) rng: u64,
    /// Number of its variables.
    pub(crate) regs: usize,
    /// Number of its response-time timers.
    pub(crate) rtds: usize,
}

impl Call {
    /// A record without content.
    pub(crate) fn blank() -> Self {
        Self {
            number: 0,
            pc: Pc(0),
            step: StepId(0),
            wait: Wait::Turn,
            cseq: 0,
            created: Moment::ZERO,
            late_us: 0,
            flow: FlowId::MAIN,
            peer: Peer::NONE,
            call_id: CallId::EMPTY,
            recv_deadline: Deadline::NONE,
            recv_step: StepId(0),
            pause_until: Deadline::NONE,
            repeat: None,
            last_sent: Maybe::<SendId>::NONE,
            unanswered: None,
            answered: None,
            answered_invite: None,
            invite_cseq: 0,
            invited: false,
            acknowledged: 0,
            acknowledged_by: Maybe::<RecvId>::NONE,
            established: false,
            ack_pending: false,
            failure: None,
            jump_to: Maybe::<StepId>::NONE,
            last: Last::default(),
            peer_tag: PeerTag::EMPTY,
            rtd: RtdState::NEW,
            rng: 0,
            armed: Deadline::NONE,
            generation: 0,
            held_bytes: 0,
            dialog: DialogId::MAIN,
            extra: None,
            cold: None,
        }
    }

    /// Makes the record of a call that has ended that of a new one, where it lies: what needs memory keeps it, the rest is
    /// written anew. It is to get its Call-ID.
    pub(crate) fn begin(&mut self, birth: &Birth) {
        // Named one by one: a new field begins anew, or it does not.
        let Self {
            number,
            pc,
            step,
            wait,
            cseq,
            created,
            late_us,
            flow,
            peer: _,
            call_id: _,
            recv_deadline,
            recv_step,
            pause_until,
            repeat,
            last_sent,
            unanswered,
            answered,
            answered_invite,
            invite_cseq,
            invited,
            acknowledged,
            acknowledged_by,
            established,
            ack_pending,
            failure,
            jump_to,
            // The end of a call hands on what it has kept.
            last,
            peer_tag,
            rtd: _,
            rng,
            armed,
            generation,
            held_bytes,
            dialog,
            extra: _,
            cold,
        } = self;
        *number = birth.number;
        *pc = birth.pc;
        *step = StepId(0);
        *wait = Wait::Turn;
        *cseq = birth.cseq;
        *created = Moment::at(birth.created);
        *late_us = birth.late_us;
        *flow = birth.flow;
        *recv_deadline = Deadline::NONE;
        *recv_step = StepId(0);
        *pause_until = Deadline::NONE;
        *repeat = None;
        *last_sent = Maybe::<SendId>::NONE;
        *unanswered = None;
        *answered = None;
        *answered_invite = None;
        *invite_cseq = 0;
        *invited = false;
        *acknowledged = 0;
        *acknowledged_by = Maybe::<RecvId>::NONE;
        *established = false;
        *ack_pending = false;
        *failure = None;
        *jump_to = Maybe::<StepId>::NONE;
        last.forget();
        peer_tag.clear();
        *rng = birth.rng;
        *armed = Deadline::NONE;
        *generation = 0;
        *held_bytes = 0;
        *dialog = DialogId::MAIN;
        *cold = None;
        self.begin_extra(birth.regs, birth.rtds);
        self.set_peer(birth.peer);
    }

    /// Bytes of its own that it holds outside the record.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.call_id.heap_bytes()
            + self.peer_tag.heap_bytes()
            + self
                .repeat
                .as_ref()
                .map_or(0, |repeat| repeat.bytes.capacity())
            + self.last.heap_bytes()
            + self.extra.as_deref().map_or(0, Extra::heap_bytes)
            + self.cold.as_ref().map_or(0, |cold| cold.heap_bytes())
    }

    /// Reads something from each cache line of the record, so that all of it is in the caches when the call is worked on, and
    /// nothing outside it. What it gives has no meaning but that it depends on what was read.
    // PERF: one read per line: while one record is waited for, the fewer instructions there are, the more of the next
    // records are asked for as well.
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        let small = self.cseq ^ u32::from(self.generation);
        self.number ^ u64::from(small) ^ self.call_id.len() as u64
    }

    /// The paths it sends on: one per dialog.
    pub(crate) fn flows(&self) -> impl Iterator<Item = FlowId> + '_ {
        let parked = self.dialogs().into_iter().flat_map(Dialogs::flows);
        core::iter::once(self.flow).chain(parked)
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
    pub(crate) fn deadline(&self) -> Deadline {
        let mut first = self.recv_deadline;
        // A pause that was restored ends where the call waits for it, at its next step.
        if self.wait == Wait::Pause {
            first = first.earlier(self.pause_until);
        }
        if let Some(repeat) = &self.repeat {
            first = first.earlier(Deadline::at(repeat.at));
        }
        match self.dialogs().and_then(Dialogs::next_repeat) {
            Some(parked) => first.earlier(Deadline::at(parked)),
            None => first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_a_call_reads_from_each_line_of_its_record() {
        use core::mem::offset_of;
        let read = [
            // Somewhere in its first bytes.
            offset_of!(Call, call_id),
            offset_of!(Call, number),
            offset_of!(Call, cseq),
            offset_of!(Call, generation),
        ];
        // Records begin where lines do.
        let mut lines = read.map(|at| at / 64);
        lines.sort_unstable();
        let all: Vec<usize> = (0..size_of::<Call>().div_ceil(64)).collect();
        assert_eq!(lines.as_slice(), all, "{read:?}");
    }

    #[test]
    fn the_record_of_a_call_stays_small() {
        // What few calls need belongs into `Extra` or `Cold`.
        assert!(size_of::<Call>() <= 248, "{}", size_of::<Call>());
    }
}
