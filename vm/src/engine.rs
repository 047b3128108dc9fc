// SPDX-License-Identifier: AGPL-3.0-only
//! [`Engine::handle`]: routes one input to one call, runs it, collects the orders.
//!
//! Owns the calls of one shard, the Call-ID index, ended calls and global variables. Everything that is done to a
//! single call lives in `exec`, `receive` and `unexpected`; what commands of twins bring about, in `twins`.

mod twins;

mod accept;
mod ahead;
mod beside;
mod births;
mod init;
mod media;
mod paths;
mod reports;
mod siblings;

use crate::call::last::Draft;
use crate::call::lean::Deadline;
use crate::call::{Call, Wait};
use crate::circuits::Circuits;
use crate::dead::{DeadCalls, Death};
use crate::deadlines::{expire, rearm};
use crate::dialogs::DialogIndex;
use crate::exec::{self, Cx, Outcome, Shared, run};
use crate::flows::Flows;
use crate::inject::Injection;
use crate::input::{CallControl, CallKey, FlowId, Input, Micros, Unsent};
use crate::link::{Image, Role};
use crate::output::{CallEnd, LogKind, OutBuf, Output, StatEvent};
use crate::posix::Scratch;
use crate::receive::Arrival;
use crate::render::{DynamicId, LastView};
use crate::slab::Calls;
use crate::stripes::{Stripes, fold};
use crate::vars::Vars;
use crate::{kept, receive, txn, unexpected};
pub use ahead::AHEAD;
use ahead::CallIds;
use beside::Beside;
use core::net::SocketAddr;
use gossipper_bytecode::{AutoMessage, DialogId, FailReason, Mode};
use gossipper_sip::{FieldBuffer, Message, ParseError, strip_call_id_prefix};
use init::Starting;
use reports::{discard, warn_dead};
pub use siblings::Siblings;
use smallvec::SmallVec;
use std::sync::Arc;

pub(crate) type Hasher = foldhash::fast::FixedState;

/// Calls aborted by one `AbortAll`, so that one input has a bounded cost.
const ABORT_BATCH: usize = 256;

/// Bytes that ended calls leave to those that come after them, all together.
const SPARE_MAX: usize = 4 << 20;

/// The same, each: one message of 64 KiB must not be remembered by many records.
const SPARE_BYTES: usize = 4096;

/// The calls of one shard.
///
/// # Invariants
/// Every call is in the index under its Call-ID and keeps at most one deadline with the driver.
#[derive(Debug)]
pub struct Engine {
    image: Arc<Image>,
    calls: Calls,
    /// The places of calls by their Call-IDs.
    index: Stripes,
    hasher: Hasher,
    shared: Shared,
    next_number: u64,
    /// Set when other engines run calls of the same scenario.
    siblings: Option<Arc<Siblings>>,
    /// The scenario of what belongs to no call (`-oocsf`, `-rxsf`).
    beside: Option<Box<Beside>>,
    /// The init section, until it has ended.
    starting: Option<Box<Starting>>,
    draining: bool,
    /// Where among the calls those begin that are still to be aborted.
    abort_from: u32,
    /// Bytes that ended calls have left to those that come after them.
    spare_bytes: usize,
    /// Memory for the header fields of the message at hand.
    fields: FieldBuffer,
    /// Finds Call-IDs of messages that come next.
    call_ids: CallIds,
    /// Bytes that the open calls hold outside their records, as of the last input of each.
    held_bytes: usize,
}

impl Engine {
    /// An engine without calls.
    #[must_use]
    pub fn new(image: Arc<Image>) -> Self {
        let params = image.params();
        let hasher = Hasher::with_seed(params.seed);
        let dead_wait = Micros::from_ms(u64::from(params.dead_call_ms));
        Self {
            calls: Calls::new(),
            index: Stripes::new(),
            shared: Shared {
                vars: Vars::new(&image),
                users: params.users,
                circuits: params.circuits.as_ref().map(Circuits::new),
                flows: Flows::for_run(params, hasher.clone()),
                dead: DeadCalls::new(dead_wait, hasher.clone()),
                dialogs: DialogIndex::new(hasher.clone()),
                ports: Vec::new(),
                dynamic: DynamicId::new(params.dynamic_id),
                scratch: Vec::new(),
                draft: Draft::default(),
                buffers: txn::Buffers::default(),
                search: Scratch::default(),
                injection: Injection::new(&params.injection),
                locations: image
                    .regexes
                    .iter()
                    .map(|expression| expression.locations())
                    .collect(),
            },
            next_number: 1,
            siblings: None,
            beside: None,
            starting: image.program.init.map(|_| Box::default()),
            draining: false,
            abort_from: 0,
            spare_bytes: 0,
            fields: FieldBuffer::default(),
            call_ids: CallIds::new(),
            held_bytes: 0,
            hasher,
            image,
        }
    }

    /// Number of open calls.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        // The call of the init section counts nowhere.
        self.calls.len() - usize::from(self.init_waits())
    }

    /// The image it runs.
    #[must_use]
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Takes one input and appends the orders that follow to `out`, in the order to carry them out.
    pub fn handle(&mut self, now: Micros, input: Input<'_>, out: &mut OutBuf) {
        if self.starting.is_some() {
            return self.handle_starting(now, input, out);
        }
        if self.beside.is_some() && self.is_for_beside(now, input, out) {
            return;
        }
        match input {
            Input::Spawn { user, due } => self.spawn(now, user, due, out),
            Input::Open { number, due } => {
                self.next_number = number;
                self.spawn(now, 0, due, out);
            }
            Input::Message { flow, src, bytes } => self.message(now, flow, src, bytes, out),
            Input::Twin { bytes } => self.command(now, bytes, out),
            Input::TwinFailed { call } => {
                self.send_failed(now, call, FailReason::CmdNotSent, out);
            }
            Input::Timer { call, generation } => self.timer(now, call, generation, out),
            Input::Resume { call } => self.resume(now, call, out),
            Input::Unsent { call, why } => {
                let reason = match why {
                    Unsent::Refused => FailReason::CannotSendMessage,
                    Unsent::NotConnected => FailReason::TcpConnect,
                    Unsent::Closed => FailReason::TcpClosed,
                    Unsent::TooLate => FailReason::TimeoutOnSend,
                };
                self.send_failed(now, call, reason, out);
            }
            Input::Opened { call, flow, port } => self.opened(now, call, flow, port, out),
            Input::Flow { flow, event } => self.flow_ended(now, flow, event, out),
            // The first of them is given out first.
            Input::Ports { ports } => self.take_in_ports(ports),
            Input::Media { call, verdict } => self.media(now, call, verdict, out),
            Input::Control(CallControl::Drain) => self.draining = true,
            Input::Control(CallControl::Users(users)) => self.shared.users = Some(users),
            Input::Control(CallControl::AbortAll) => self.abort_all(now, out),
        }
    }

    // ---- messages

    fn message(
        &mut self,
        now: Micros,
        flow: FlowId,
        src: SocketAddr,
        bytes: &[u8],
        out: &mut OutBuf,
    ) {
        // Looked at where it is: to move what was just put together waits for that.
        let read = Message::parse_with(bytes, &mut self.fields);
        match &read {
            Ok(msg) => self.parsed(now, flow, src, msg, out),
            Err(ParseError::KeepAlive) => out.push(Output::Stat(StatEvent::KeepAlive)),
            Err(ParseError::NoSipVersion | ParseError::NoStartLine) => {
                discard(out, b"Discarding a packet that is not SIP", bytes);
            }
        }
        if let Ok(msg) = read {
            self.fields = msg.into_buffer();
        }
    }

    fn parsed(
        &mut self,
        now: Micros,
        flow: FlowId,
        src: SocketAddr,
        msg: &Message<'_>,
        out: &mut OutBuf,
    ) {
        let Some(full_id) = msg.call_id() else {
            discard(out, b"Discarding a message without Call-ID", msg.bytes());
            return;
        };
        let id = if self.image.params().ignore_call_id_slashes {
            full_id
        } else {
            strip_call_id_prefix(full_id)
        };
        let hash = self.shared.dead.hash(id);
        if let Some((key, dialog)) = self.find(id, hash) {
            if self.image.twin_role.is_some() {
                self.learn_peer(key, flow, src);
            }
            if self.shared.flows.is_some() {
                self.adopt_flow(key, flow);
            }
            self.deliver(now, key, dialog, msg, out);
            return;
        }
        if let Some(death) = self.shared.dead.disturb(hash, now) {
            out.push(Output::Stat(StatEvent::DeadCall));
            warn_dead(out, id, death, msg.bytes());
            return;
        }
        if !self.image.accepting.is_empty() && self.accept(now, flow, src, id, msg, out) {
            return;
        }
        let mode = self.image.mode;
        match mode {
            _ if self.opens_for_twin() && !self.draining => {
                self.answer(now, flow, src, id, msg, out);
            }
            Mode::Server if !self.draining => self.answer(now, flow, src, id, msg, out),
            Mode::Client if self.take_beside(now, flow, src, id, msg, out) => {}
            Mode::Server | Mode::Client => {
                self.out_of_call(now, flow, src, msg, out);
            }
        }
    }

    /// The call and the dialog with this Call-ID.
    fn find(&self, id: &[u8], hash: u64) -> Option<(CallKey, DialogId)> {
        let main = self.index.find(fold(hash), |place| {
            let (key, call) = self.calls.at(place)?;
            (call.main_call_id() == id).then_some(key)
        });
        if let Some(key) = main {
            return Some((key, DialogId::MAIN));
        }
        if self.image.program.dialogs.is_empty() {
            return None;
        }
        self.shared.dialogs.find(id, |key, dialog| {
            self.calls
                .get(key)
                .is_some_and(|call| call.call_id_of(dialog) == id)
        })
    }

    /// A message with an unknown Call-ID opens a call.
    fn answer(
        &mut self,
        now: Micros,
        flow: FlowId,
        src: SocketAddr,
        id: &[u8],
        msg: &Message<'_>,
        out: &mut OutBuf,
    ) {
        let params = self.image.params();
        let for_twin = self.opens_for_twin();
        let (peer, flow) = match params.destination {
            // What a connection is to: the address it was made to.
            Some(destination) if params.send_to_destination || for_twin => {
                let flow = if params.unreliable {
                    flow
                } else {
                    params.own_flow()
                };
                (destination, flow)
            }
            _ => (src, flow),
        };
        let Some(key) = self.open(now, flow, peer, id, !for_twin, out) else {
            // Another shard has opened the last call meanwhile.
            if self.draining {
                self.out_of_call(now, flow, src, msg, out);
            }
            return;
        };
        match self.calls.get_mut(key) {
            Some(call) if call.wait == Wait::Turn => {
                call.cold_mut().queued = Some(msg.bytes().into());
            }
            Some(_) => self.deliver(now, key, DialogId::MAIN, msg, out),
            None => {}
        }
    }

    /// Opens a call because of something that came, and runs it until it waits; `None` when there are too many.
    fn open(
        &mut self,
        now: Micros,
        flow: FlowId,
        peer: SocketAddr,
        id: &[u8],
        incoming: bool,
        out: &mut OutBuf,
    ) -> Option<CallKey> {
        let params = self.image.params();
        if self.calls.len() >= params.max_incoming || self.held_bytes >= params.max_incoming_bytes {
            // COMPAT(sipp): SIPp opens calls as long as there is memory (docs/compat.md#calls).
            out.push(Output::Stat(StatEvent::OutOfCall));
            let text = format!(
                "Discarding a message for a new call: {} calls are open and hold {} bytes",
                self.calls.len(),
                self.held_bytes
            );
            let text = out.store(text.as_bytes());
            out.push(Output::Log {
                kind: LogKind::Warning,
                text,
            });
            return None;
        }
        if !self.take_number() {
            return None;
        }
        let key = self.new_call(now, now, flow, peer);
        let call = self.calls.get_mut(key)?;
        call.call_id.set(id);
        if !births::take_lines(&mut self.shared, self.siblings.is_some(), call, out) {
            self.take_back(key);
            return None;
        }
        let connected = births::take_circuit(&mut self.shared, call);
        self.list(key, out);
        self.enter_flow(key, flow);
        out.push(Output::Stat(StatEvent::Created {
            incoming,
            late: Micros(0),
        }));
        if !connected {
            self.refuse(now, key, b"no free circuit for a new call", out);
            return None;
        }
        if self.image.media.plays() && !self.begin_media(now, key, out) {
            return None;
        }
        self.run(now, key, out);
        Some(key)
    }

    fn deliver(
        &mut self,
        now: Micros,
        key: CallKey,
        dialog: DialogId,
        msg: &Message<'_>,
        out: &mut OutBuf,
    ) {
        let Some((call, mut cx)) = split(
            &self.image,
            &mut self.calls,
            &mut self.shared,
            key,
            now,
            out,
        ) else {
            return;
        };
        let delivered = receive::deliver(&mut cx, call, dialog, msg, Arrival::Live);
        if let Some(over) = go_on(&mut cx, call, delivered, &mut self.held_bytes) {
            self.end(now, key, over, out);
        }
    }

    fn out_of_call(
        &mut self,
        now: Micros,
        flow: FlowId,
        src: SocketAddr,
        msg: &Message<'_>,
        out: &mut OutBuf,
    ) {
        let answers = self.image.params().auto_answer
            && self.image.mode == Mode::Client
            && msg.method().is_some_and(unexpected::is_auto_answered);
        let mut cx = Cx {
            image: &self.image,
            shared: &mut self.shared,
            out,
            now,
            key: CallKey::default(),
        };
        if answers {
            let template = cx.image.program.auto_template(AutoMessage::Ok);
            if let Ok(bytes) = cx.render(None, template, LastView::Whole(msg), -1, -1) {
                out.push(Output::Send {
                    call: None,
                    flow,
                    to: src,
                    bytes,
                });
                out.push(Output::Stat(StatEvent::AutoAnswered));
            }
            return;
        }
        cx.stat(StatEvent::OutOfCall);
        let mut text = b"Discarding message which can't be mapped to a known SIPp call:\n".to_vec();
        text.extend_from_slice(msg.bytes());
        cx.warn(&text);
    }

    // ---- time

    fn timer(&mut self, now: Micros, key: CallKey, generation: u32, out: &mut OutBuf) {
        let Some((call, mut cx)) = split(
            &self.image,
            &mut self.calls,
            &mut self.shared,
            key,
            now,
            out,
        ) else {
            return;
        };
        if u32::from(call.generation) != generation || !call.armed.is_some() {
            return;
        }
        call.armed = Deadline::NONE;
        let verdict = expire(&mut cx, call);
        if let Some(over) = go_on(&mut cx, call, verdict, &mut self.held_bytes) {
            self.end(now, key, over, out);
        }
    }

    fn resume(&mut self, now: Micros, key: CallKey, out: &mut OutBuf) {
        if self
            .calls
            .get(key)
            .is_some_and(|call| call.wait == Wait::Turn)
        {
            self.run(now, key, out);
            self.deliver_queued(now, key, out);
            self.deliver_commands(now, key, out);
        }
    }

    /// Hands over the message that opened the call, once the call waits.
    fn deliver_queued(&mut self, now: Micros, key: CallKey, out: &mut OutBuf) {
        let queued = match self.calls.get_mut(key) {
            Some(call) if call.wait != Wait::Turn => {
                call.cold.as_mut().and_then(|cold| cold.queued.take())
            }
            _ => None,
        };
        if let Some(bytes) = queued
            && let Ok(msg) = Message::parse(&bytes)
        {
            self.deliver(now, key, DialogId::MAIN, &msg, out);
        }
    }

    fn send_failed(&mut self, now: Micros, key: CallKey, reason: FailReason, out: &mut OutBuf) {
        if self.calls.contains_key(key) {
            let verdict = Verdict::Drop(reason);
            self.settle(now, key, verdict, out);
        }
    }

    fn abort_all(&mut self, now: Micros, out: &mut OutBuf) {
        self.draining = true;
        let mut keys = self.next_to_abort();
        if keys.is_empty() && self.abort_from > 0 {
            // Some began meanwhile, at places that had become free.
            self.abort_from = 0;
            keys = self.next_to_abort();
        }
        for key in keys {
            if self.in_closing_timewait(key) {
                self.settle(now, key, Verdict::Complete, out);
                continue;
            }
            if let Some(call) = self.calls.get(key) {
                let mut text = b"Aborted call with Call-ID '".to_vec();
                text.extend_from_slice(&call.call_id);
                text.push(b'\'');
                reports::warn(out, &text);
            }
            let verdict = Verdict::Abort(FailReason::Aborted);
            self.settle(now, key, verdict, out);
        }
    }

    /// The next calls to be aborted. A million calls take thousands of inputs; each goes on where the one before ended.
    fn next_to_abort(&mut self) -> SmallVec<[CallKey; 32]> {
        let left = self.calls.keys_from(self.abort_from);
        let keys: SmallVec<[CallKey; 32]> = left.take(ABORT_BATCH).collect();
        if let Some(last) = keys.last() {
            self.abort_from = self.calls.after(*last);
        }
        keys
    }

    // ---- running

    fn run(&mut self, now: Micros, key: CallKey, out: &mut OutBuf) {
        self.settle(now, key, Verdict::Run, out);
    }

    /// Does what was decided about a call, until it waits or is gone.
    fn settle(&mut self, now: Micros, key: CallKey, verdict: Verdict, out: &mut OutBuf) {
        let Some((call, mut cx)) = split(
            &self.image,
            &mut self.calls,
            &mut self.shared,
            key,
            now,
            out,
        ) else {
            return;
        };
        if let Some(over) = go_on(&mut cx, call, verdict, &mut self.held_bytes) {
            self.end(now, key, over, out);
        }
    }

    fn end(&mut self, now: Micros, key: CallKey, (end, death): Over, out: &mut OutBuf) {
        let hash = match self.calls.get(key) {
            Some(call) => self.shared.dead.hash(call.main_call_id()),
            None => return,
        };
        self.index.remove(fold(hash), self.calls.place(key));
        let Some(call) = self.calls.end(key) else {
            return;
        };
        self.held_bytes -= call.held_bytes as usize;
        paths::leave(&mut self.shared, key, call, out);
        if call.cold.is_some() {
            births::give_back(&mut self.shared, call);
            exec::dialogs::end(&mut self.shared, call, key, death, now);
            call.cold = None;
        }
        txn::stop(call, &mut self.shared.buffers);
        if let Some(death) = death {
            self.shared.dead.bury(hash, death, now);
        }
        call.last.release(&mut self.shared.draft);
        let length = now.since(call.created.get());
        out.push(Output::Stat(StatEvent::Ended { end, length }));
        out.push(Output::Ended {
            call: key,
            user: call.user(),
            length,
        });
        let left = call.heap_bytes();
        if left <= SPARE_BYTES && self.spare_bytes + left <= SPARE_MAX {
            self.spare_bytes += left;
            call.held_bytes = left as u32;
        } else {
            *call = Call::blank();
        }
    }
}

/// How a call ended, and what it leaves behind.
type Over = (CallEnd, Option<Death>);

/// Does what was decided about a call until it waits, and accounts for what it holds then; or says that it is over.
fn go_on(
    cx: &mut Cx<'_>,
    call: &mut Call,
    mut verdict: Verdict,
    held_bytes: &mut usize,
) -> Option<Over> {
    loop {
        if verdict == Verdict::Run {
            verdict = match run(cx, call) {
                Outcome::Suspended => Verdict::Wait,
                Outcome::Completed => kept::left_over(cx, call),
                Outcome::Dropped(reason) => Verdict::Drop(reason),
            };
        }
        match verdict {
            Verdict::Run | Verdict::Wait => {}
            Verdict::Complete => {
                let end = call.failure.map_or(CallEnd::Success, CallEnd::Failure);
                return Some((end, Some(Death::Completed)));
            }
            Verdict::Drop(reason) => return Some((CallEnd::Failure(reason), None)),
            Verdict::Abort(reason) => {
                let death = unexpected::abort(cx, call, None);
                return Some((CallEnd::Failure(reason), death));
            }
            Verdict::Aborted(reason, death) => return Some((CallEnd::Failure(reason), death)),
        }
        match deliver_put_aside(cx, call) {
            Some(delivered) => verdict = delivered,
            None => break,
        }
    }
    let held = call.heap_bytes().min(u32::MAX as usize);
    *held_bytes = *held_bytes - call.held_bytes as usize + held;
    call.held_bytes = held as u32;
    rearm(call, cx.key, cx.out);
    None
}

/// Gives a call that waits the next message that was put aside until it does, if there is one.
#[inline]
fn deliver_put_aside(cx: &mut Cx<'_>, call: &mut Call) -> Option<Verdict> {
    let cold = call.cold.as_mut()?;
    // The first `recv` of a handler gets the message that led there.
    if call.wait == Wait::Message
        && let Some(bytes) = cold.unexpected.take()
        && let Ok(msg) = Message::parse(&bytes)
    {
        // It leads to no handler again, so this ends.
        let dialog = belongs_to(cx, call, &msg);
        return Some(receive::deliver(cx, call, dialog, &msg, Arrival::Handled));
    }
    // Each takes one from those that are kept, so this ends.
    let kept = kept::next(cx, call)?;
    let msg = Message::parse(&kept.bytes).ok()?;
    Some(receive::deliver(cx, call, kept.dialog, &msg, Arrival::Kept))
}

/// The dialog of a call that a message belongs to.
fn belongs_to(cx: &Cx<'_>, call: &Call, msg: &Message<'_>) -> DialogId {
    if cx.image.program.dialogs.is_empty() {
        return DialogId::MAIN;
    }
    let id = msg.call_id().unwrap_or_default();
    let id = if cx.image.params().ignore_call_id_slashes {
        id
    } else {
        strip_call_id_prefix(id)
    };
    call.dialog_of(id).unwrap_or(call.dialog)
}

/// What was decided about a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It goes on at its `pc`.
    Run,
    /// It keeps waiting.
    Wait,
    /// It came to its end.
    Complete,
    /// It is over, without messages and without a tombstone.
    Drop(FailReason),
    /// It is to be aborted as its state asks.
    Abort(FailReason),
    /// It was aborted already; what it leaves behind.
    Aborted(FailReason, Option<Death>),
}

/// Stand-in for an address that is never sent to.
const UNSPECIFIED: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);

/// Borrows a call and, apart from it, what its handlers work with.
fn split<'a>(
    image: &'a Image,
    calls: &'a mut Calls,
    shared: &'a mut Shared,
    key: CallKey,
    now: Micros,
    out: &'a mut OutBuf,
) -> Option<(&'a mut Call, Cx<'a>)> {
    let call = calls.get_mut(key)?;
    if image.params().names_calls {
        out.about(call.number);
    }
    let cx = Cx {
        image,
        shared,
        out,
        now,
        key,
    };
    Some((call, cx))
}

/// Whether a send step sends an INVITE.
pub(crate) fn is_invite(image: &Image, id: gossipper_bytecode::SendId) -> bool {
    image.roles[id.index()] == Role::Invite
}
