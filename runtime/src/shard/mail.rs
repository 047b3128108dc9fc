// SPDX-License-Identifier: AGPL-3.0-only
//! What shards with connections do for each other: a call is on the shard that its Call-ID leads to, its messages may come
//! in, and have to go out, on a connection of another one.
//!
//! Nobody waits for anybody: while another shard has too much to read, this one reads no connections, and goes on with
//! everything else.

use std::net::SocketAddr;

use gossipper_vm::{CallKey, FlowEvent, FlowId, Input, Micros, Unsent};

use super::Machine;
use super::core::Core;
use super::flows::Answer;
use super::work_limit::WorkLimit;
use crate::flows::{Caller, shard_of};
use crate::group::{Letter, Post};
use crate::logs::Traffic;
use crate::sys::Datagram;

impl<M: Machine> Core<M> {
    /// Which shard of those with connections this is.
    pub(super) fn shard(&self) -> usize {
        self.post.as_ref().map_or(0, |post| post.me())
    }

    /// Whether this flow is another shard's.
    pub(super) fn is_of_other(&self, flow: FlowId) -> bool {
        let post = self.post.as_ref();
        post.is_some_and(|post| post.me() != shard_of(flow))
    }

    /// Whether connections are left alone because another shard does not keep up.
    pub(super) fn clogged(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.clogged())
    }

    /// Hands a message that has come on a flow to the shard of its call, if that is another one: which?
    pub(super) fn pass_to_owner(
        &mut self,
        now: Micros,
        flow: FlowId,
        src: SocketAddr,
        bytes: &[u8],
    ) -> Option<usize> {
        let post = self.post.as_mut()?;
        let owner = post.owner(bytes);
        if owner == post.me() {
            return None;
        }
        post.message(owner, now, flow, src, bytes);
        Some(owner)
    }

    /// Has a message sent on a flow of another shard.
    pub(super) fn hand_to_flow(
        &mut self,
        now: Micros,
        (flow, to): (FlowId, SocketAddr),
        call: Option<CallKey>,
        bytes: &[u8],
        within: Option<Micros>,
    ) {
        let Some(post) = &mut self.post else {
            return;
        };
        if post.send(shard_of(flow), (flow, to), call, bytes, within) {
            if let Some(mirror) = &mut self.mirror {
                mirror.sent(self.clock.wall_us(now), flow, to, bytes);
            }
            return self.note_sent(now, Traffic::Sent, bytes);
        }
        self.note_sent(now, Traffic::SendFailed, bytes);
        self.counts.send_errors += 1;
        let refused = |call| Answer::Unsent(call, Unsent::Refused);
        self.answers.extend(call.map(refused));
    }

    /// Closes a flow for the last call on it.
    pub(super) fn close_flow(&mut self, flow: FlowId) {
        if self.is_of_other(flow) {
            if let Some(post) = &mut self.post {
                post.tell(shard_of(flow), Letter::Close { flow });
            }
        } else if let Some(table) = &mut self.flows {
            table.close(flow);
        }
    }

    /// Tells a call that its message is not sent.
    pub(super) fn not_sent(&mut self, now: Micros, caller: Caller, why: Unsent) {
        let Caller { shard, key: call } = caller;
        if shard == self.shard() {
            self.input(now, Input::Unsent { call, why });
        } else if let Some(post) = &mut self.post {
            post.tell(shard, Letter::Unsent { call, why });
        }
    }

    /// Tells the other shards of a set what became of a flow.
    pub(super) fn tell_others(&mut self, told: u64, flow: FlowId, event: FlowEvent) {
        let Some(post) = self.post.as_mut().filter(|_| told != 0) else {
            return;
        };
        for shard in (0..post.shards()).filter(|shard| told >> shard & 1 == 1) {
            post.tell(shard, Letter::Flow { flow, event });
        }
    }

    /// Reads what the others have written, within bounds; true when there is more.
    pub(super) fn read_mail(&mut self) -> bool {
        let Some(post) = &mut self.post else {
            return false;
        };
        let (mail, mut read) = post.collect();
        let mut limit = WorkLimit::new(&self.clock);
        for letter in &mail.letters[read..] {
            read += 1;
            let now = self.clock.now();
            match letter {
                Letter::Message {
                    at,
                    flow,
                    src,
                    bytes,
                } => {
                    let datagram = Datagram {
                        src,
                        waited_us: now.since(*at).0,
                        bytes: &mail.bytes[bytes.clone()],
                    };
                    self.datagram(now, *flow, datagram);
                }
                Letter::Send {
                    flow,
                    to,
                    caller,
                    within,
                    bytes,
                } => {
                    let bytes = &mail.bytes[bytes.clone()];
                    self.send_for_other((now, *within), (*flow, *to), *caller, bytes);
                }
                Letter::Close { flow } => self.close_flow(*flow),
                Letter::Flow { flow, event } => self.input(
                    now,
                    Input::Flow {
                        flow: *flow,
                        event: *event,
                    },
                ),
                Letter::Unsent { call, why } => self.input(
                    now,
                    Input::Unsent {
                        call: *call,
                        why: *why,
                    },
                ),
            }
            if !limit.allow(&self.clock) {
                break;
            }
        }
        let more = read < mail.letters.len();
        if let Some(post) = &mut self.post {
            post.done(mail, read);
        }
        more
    }

    fn send_for_other(
        &mut self,
        (now, within): (Micros, Option<Micros>),
        (flow, to): (FlowId, SocketAddr),
        caller: Option<Caller>,
        bytes: &[u8],
    ) {
        let Some(table) = &mut self.flows else {
            return;
        };
        match table.push(flow, caller, to, bytes, (now, within)) {
            Ok(()) => self.counts.sent_bytes += bytes.len() as u64,
            Err(why) => {
                self.counts.send_errors += 1;
                if let Some(caller) = caller {
                    self.not_sent(now, caller, why);
                }
            }
        }
    }

    /// Puts what is written to others into their boxes.
    pub(super) fn deliver(&mut self) {
        if let Some(post) = &mut self.post {
            post.deliver();
        }
    }
}

/// Waits until another shard has written something; never without others.
pub(super) async fn arrived(post: Option<&Post>) {
    match post {
        Some(post) => post.arrived().await,
        None => std::future::pending().await,
    }
}
