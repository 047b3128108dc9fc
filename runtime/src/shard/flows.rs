// SPDX-License-Identifier: AGPL-3.0-only
//! What happens on the connections of a shard, and what it tells the machine of it.
//!
//! Rules: those of SIPp, but that nothing blocks, and that a connection that cannot be made ends its calls rather than
//! the run. Only when the one connection of all calls is gone for good, the run ends as SIPp's does.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use gossipper_vm::{CallKey, FlowEvent, FlowId, Input, Micros, Unsent};

use super::core::Core;
use super::work_limit::WorkLimit;
use super::{Ending, Machine};
use crate::flows::{Caller, Origin, Received, Redial, State, Table, Visit};
use crate::logs::Traffic;
use crate::transport::tls;

/// What a call asked for, or what could not be sent for it, until the machine is told.
#[derive(Debug)]
pub(super) enum Answer {
    /// It has a path.
    Opened(CallKey, FlowId, u16),
    /// Its message is not sent.
    Unsent(CallKey, Unsent),
}

/// How a look at a flow went.
enum Looked {
    /// Nothing more to do for now.
    Waits,
    /// There may be more.
    More,
    /// It is closed, as we wanted.
    Closed,
    /// It could not be made.
    Failed(io::Error),
    /// It has ended; `None` when the peer closed it.
    Ended(Option<io::Error>),
}

impl<M: Machine> Core<M> {
    /// Looks at the flows that are ready, within bounds; true when there is more to do.
    pub(super) fn flows_turn(&mut self) -> bool {
        let Some(table) = &mut self.flows else {
            return false;
        };
        let now = self.clock.now();
        for caller in table.due(now) {
            self.not_sent(now, caller, Unsent::TooLate);
        }
        if let Some((flow, event)) = self.unfinished.pop_front() {
            self.input(now, Input::Flow { flow, event });
        }
        if self.clogged() {
            return false;
        }
        let Some(table) = &mut self.flows else {
            return false;
        };
        let mut list = table.visits();
        let mut limit = WorkLimit::new(&self.clock);
        while let Some(slot) = list.pop_front() {
            self.look_at(slot);
            if !limit.allow(&self.clock) {
                break;
            }
        }
        if let Some(table) = &mut self.flows {
            table.visited(list);
        }
        self.more_flows()
    }

    /// Whether flows wait to be looked at.
    fn more_flows(&self) -> bool {
        !self.unfinished.is_empty() || self.flows.as_ref().is_some_and(|table| table.is_ready())
    }

    /// Gives a call a path.
    pub(super) fn open_flow(&mut self, now: Micros, call: CallKey, to: SocketAddr) {
        if let Some(most) = self.flows.as_ref().and_then(|table| table.full()) {
            self.trouble(
                now,
                &format!(
                    "{most} sockets are open, as many as -max_socket and the limit of open files allow; \
                     further calls share them"
                ),
            );
        }
        let opened = match &mut self.flows {
            Some(table) => table.open(to),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        let answer = match opened {
            Ok((flow, port)) => Answer::Opened(call, flow, port),
            Err(error) => {
                self.trouble(now, &format!("cannot open a socket towards {to}: {error}"));
                Answer::Unsent(call, Unsent::NotConnected)
            }
        };
        self.answers.push(answer);
    }

    /// Puts a message where its flow will write it.
    pub(super) fn push_to_flow(
        &mut self,
        now: Micros,
        flow: FlowId,
        call: Option<CallKey>,
        to: SocketAddr,
        bytes: &[u8],
        within: Option<Micros>,
    ) {
        if self.is_of_other(flow) {
            return self.hand_to_flow(now, (flow, to), call, bytes, within);
        }
        let shard = self.shard();
        let Some(table) = &mut self.flows else {
            return;
        };
        let caller = call.map(|key| Caller { shard, key });
        let pushed = table.push(flow, caller, to, bytes, (now, within));
        let traffic = match pushed {
            Ok(()) => Traffic::Sent,
            Err(_) => Traffic::SendFailed,
        };
        self.note_sent(now, traffic, bytes);
        if let Some(mirror) = &mut self.mirror
            && pushed.is_ok()
        {
            mirror.sent(self.clock.wall_us(now), flow, to, bytes);
        }
        match pushed {
            Ok(()) => self.counts.sent_bytes += bytes.len() as u64,
            Err(why) => {
                self.counts.send_errors += 1;
                if flow == FlowId::MAIN && why == Unsent::Closed {
                    // COMPAT(sipp): SIPp ends with 255 as well, but without its statistics.
                    let text = format!(
                        "the connection to {to} is closed, and -max_reconnect allows no other"
                    );
                    self.warn(now, text.as_bytes());
                    self.ending.get_or_insert(Ending::Fatal(text));
                }
                self.answers
                    .extend(call.map(|call| Answer::Unsent(call, why)));
            }
        }
    }

    /// Writes what was put there since the last time.
    pub(super) fn flush_flows(&mut self) {
        let Some(table) = &mut self.flows else {
            return;
        };
        let list = table.take_dirty();
        for slot in &list {
            let Some(table) = &mut self.flows else {
                return;
            };
            let Some(mut visit) = table.take_out(*slot) else {
                continue;
            };
            // A connection in the making writes when it is made.
            let looked = match &mut visit.state {
                State::Open(_) => self.write(&mut visit),
                State::Opening(_) | State::Out | State::Gone => Looked::Waits,
            };
            self.looked(visit, looked);
        }
        if let Some(table) = &mut self.flows {
            table.wrote(list);
        }
    }

    fn look_at(&mut self, slot: usize) {
        if Table::is_listener(slot) {
            return self.accept();
        }
        let visit = self.flows.as_mut().and_then(|table| table.answer(slot));
        // It may be gone since it rang.
        if let Some(mut visit) = visit {
            let looked = self.look(&mut visit);
            self.looked(visit, looked);
        }
    }

    fn accept(&mut self) {
        let now = self.clock.now();
        let Some(table) = &mut self.flows else {
            return;
        };
        let (accepted, error) = table.accept(now);
        let full = table.full();
        if let Some(error) = error {
            self.counts.recv_errors += 1;
            self.trouble(now, &format!("cannot accept a connection: {error}"));
        } else if let Some(most) = full
            && accepted > 0
        {
            self.trouble(
                now,
                &format!(
                    "{most} connections are open, as many as -max_socket and the limit of open files allow; \
                     further peers wait"
                ),
            );
        }
    }

    fn look(&mut self, visit: &mut Visit) -> Looked {
        if let State::Opening(opening) = &mut visit.state {
            let mut cx = Context::from_waker(&visit.waker);
            let made = opening.as_mut().poll(&mut cx);
            if made.is_ready()
                && let Some(table) = &mut self.flows
            {
                table.made(visit.slot);
                table.tell_handshakes(&mut self.counts.connections);
            }
            match made {
                Poll::Pending => return Looked::Waits,
                Poll::Ready(Ok(link)) => {
                    self.counts.connections.opened += 1;
                    visit.state = State::Open(link);
                }
                Poll::Ready(Err(error)) => return Looked::Failed(error),
            }
        }
        match self.write(visit) {
            Looked::Waits => {}
            over => return over,
        }
        let State::Open(link) = &mut visit.state else {
            return Looked::Waits;
        };
        let Some(table) = &mut self.flows else {
            return Looked::Waits;
        };
        if table.at(visit.slot).is_some_and(|flow| flow.closing) {
            // Nothing that comes now is for a call.
            return Looked::Waits;
        }
        let mut buffer = std::mem::take(&mut table.buffer);
        let flow = visit.id;
        let now = self.clock.now();
        let mut cx = Context::from_waker(&visit.waker);
        let mut told = 0;
        let received = link.poll_receive(&mut cx, &mut buffer, &mut |src, bytes| {
            if let Some(other) = self.pass_to_owner(now, flow, src, bytes) {
                told |= 1 << other;
            } else {
                self.arrived(now, flow, src, bytes);
            }
        });
        if let Some(table) = &mut self.flows {
            table.buffer = buffer;
            if let Some(flow) = table.at(visit.slot) {
                flow.told |= told;
            }
        }
        match received {
            Poll::Pending => Looked::Waits,
            Poll::Ready(Ok(Received::Some)) => Looked::More,
            Poll::Ready(Ok(Received::End)) => match link.cut_bytes() {
                0 => Looked::Ended(None),
                cut => Looked::Ended(Some(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("it ended {cut} bytes into a message"),
                ))),
            },
            Poll::Ready(Err(error)) => Looked::Ended(Some(error)),
        }
    }

    /// Writes what a flow has to write, and closes it if that is wanted.
    fn write(&mut self, visit: &mut Visit) -> Looked {
        let State::Open(link) = &mut visit.state else {
            return Looked::Waits;
        };
        let Some(flow) = self.flows.as_mut().and_then(|table| table.at(visit.slot)) else {
            return Looked::Waits;
        };
        let mut cx = Context::from_waker(&visit.waker);
        let mut sent = 0;
        let written = link.poll_send(&mut cx, &mut flow.queue, &mut sent);
        self.counts.sent += sent;
        self.counts.send_calls += u64::from(sent > 0);
        let refused = flow.queue.take_refused();
        let closing = flow.closing;
        let looked = match written {
            Poll::Pending => {
                self.counts.congested += 1;
                Looked::Waits
            }
            Poll::Ready(Err(error)) => Looked::Ended(Some(error)),
            Poll::Ready(Ok(())) if closing => match link.poll_close(&mut cx) {
                Poll::Pending => Looked::Waits,
                // It is closed in any case.
                Poll::Ready(_) => Looked::Closed,
            },
            Poll::Ready(Ok(())) => Looked::Waits,
        };
        for (call, error) in refused {
            self.counts.send_errors += 1;
            let now = self.clock.now();
            self.trouble(now, &format!("cannot send a message: {error}"));
            if let Some(caller) = call {
                self.not_sent(now, caller, Unsent::Refused);
            }
        }
        looked
    }

    fn arrived(&mut self, now: Micros, flow: FlowId, src: SocketAddr, bytes: &[u8]) {
        self.counts.received += 1;
        self.counts.received_bytes += bytes.len() as u64;
        self.message(now, flow, &src, bytes);
    }

    /// Draws the conclusions.
    fn looked(&mut self, visit: Visit, looked: Looked) {
        let Some(table) = &mut self.flows else {
            return;
        };
        let slot = visit.slot;
        match looked {
            Looked::Waits => table.put_back(visit, false),
            Looked::More => table.put_back(visit, true),
            Looked::Closed => {
                let told = table.remove(slot).map_or(0, |flow| flow.told);
                self.tell_others(told, visit.id, FlowEvent::Lost);
            }
            Looked::Failed(error) => self.flow_over(visit, Some(error), FlowEvent::Failed),
            Looked::Ended(error) => self.flow_over(visit, error, FlowEvent::Closed),
        }
    }

    /// A flow is no more.
    fn flow_over(&mut self, visit: Visit, error: Option<io::Error>, event: FlowEvent) {
        let (now, slot, id) = (self.clock.now(), visit.slot, visit.id);
        // Before anything else: a socket that is kept is one the peer takes for alive.
        drop(visit);
        let Some(table) = &mut self.flows else {
            return;
        };
        let calls_end = table.calls_end();
        let Some(flow) = table.at(slot) else {
            return;
        };
        let (origin, peer, closing, told) = (flow.origin, flow.peer, flow.closing, flow.told);
        if closing {
            table.remove(slot);
            return self.tell_others(told, id, FlowEvent::Lost);
        }
        self.counts.send_errors += u64::from(!flow.queue.is_empty());
        let connections = &mut self.counts.connections;
        match event {
            FlowEvent::Failed => connections.failed += 1,
            FlowEvent::Closed | FlowEvent::Lost => connections.closed_by_peer += 1,
        }
        let what = match (event, &error) {
            (FlowEvent::Failed, Some(error)) if origin == Origin::Peer => {
                format!("a connection from {peer} came to nothing: {error}")
            }
            (FlowEvent::Failed, Some(error)) => format!("cannot connect to {peer}: {error}"),
            // COMPAT(sipp): the latter half is what scripts look for in its error log.
            (_, Some(error)) if is_reset(error) => format!(
                "the connection with {peer} broke, remote peer probably closed the socket: {error}"
            ),
            (_, Some(error)) => {
                let why = tls::broken(error);
                format!("the connection with {peer} broke: {why}")
            }
            (_, None) => format!("{peer} closed its connection"),
        };
        if origin != Origin::Main {
            let event = match event {
                FlowEvent::Closed if !calls_end && origin == Origin::Peer => FlowEvent::Lost,
                FlowEvent::Closed
                    if !calls_end && origin == Origin::Call && table.take_reconnect() =>
                {
                    self.counts.connections.made_anew += 1;
                    FlowEvent::Lost
                }
                event => event,
            };
            table.remove(slot);
            // That a peer closes its connections when it is done is no trouble.
            if error.is_some() {
                self.trouble(now, &what);
            }
            self.tell_others(told, id, event);
            self.input(now, Input::Flow { flow: id, event });
            return;
        }
        let redial = table.redial(slot);
        self.counts.connections.made_anew += u64::from(matches!(redial, Redial::Again));
        match (redial, event) {
            (Redial::Again, FlowEvent::Failed) => {
                self.trouble(now, &format!("{what}; it is tried again"));
            }
            (Redial::Again, _) => {
                self.warn(now, format!("{what}; it is made anew").as_bytes());
                if calls_end {
                    if let Some(flow) = self.flows.as_mut().and_then(|table| table.at(slot)) {
                        flow.queue = Default::default();
                    }
                    self.input(now, Input::Flow { flow: id, event });
                }
            }
            (Redial::Never, FlowEvent::Failed) => {
                self.input(now, Input::Flow { flow: id, event });
                self.warn(now, what.as_bytes());
                self.ending.get_or_insert(Ending::Fatal(what));
            }
            (Redial::Never, _) => {
                // The run goes on until somebody has something to send: it may be over.
                self.warn(now, what.as_bytes());
                let failed = self.stats.counters.failed();
                self.input(now, Input::Flow { flow: id, event });
                // COMPAT(sipp): a reset ends the run, but where nothing was left to do.
                let matters = !self.draining || self.stats.counters.failed() > failed;
                if matters && error.as_ref().is_some_and(is_reset) {
                    let text = format!("{what}; -max_reconnect allows no other");
                    self.ending.get_or_insert(Ending::Fatal(text));
                }
            }
        }
    }
}

/// Whether a connection was not closed, but reset.
fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

/// Waits until a flow is ready; for ever without any.
pub(super) async fn ready(table: Option<&Table>) {
    match table {
        Some(table) => table.ready().await,
        None => std::future::pending().await,
    }
}
