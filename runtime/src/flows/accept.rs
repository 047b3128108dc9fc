// SPDX-License-Identifier: AGPL-3.0-only
//! Connections that peers make.
//!
//! A shard takes as many as it has room for, and works on a bounded number of handshakes at a time; the others wait in the
//! kernel. Without descriptors it stops for a moment, instead of failing the run.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use gossipper_vm::Micros;
use tokio::net::TcpStream;

use super::link::Opening;
use super::{Origin, State, Table, shaken};

/// Where the listener stands in the list of those that are ready.
pub(super) const LISTENER: usize = usize::MAX;

/// Connections accepted before other work is done.
const ACCEPTED_AT_ONCE: usize = 64;

/// How long no connection is accepted after that failed, say for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Connections of peers that shake hands at a time. More than a machine can serve would each get so little of it that none
/// is done before its deadline; those beyond wait in the kernel, and are served in their order.
const MAX_HANDSHAKES: usize = 1024;

impl Table {
    /// Accepts connections; returns whether there may be more, and an error to be told.
    pub(crate) fn accept(&mut self, now: Micros) -> (usize, Option<io::Error>) {
        self.listener_bell.answered();
        let mut accepted = 0;
        if self.accept_at.is_some_and(|at| now < at) {
            return (accepted, None);
        }
        self.accept_at = None;
        loop {
            if accepted == ACCEPTED_AT_ONCE {
                self.listener_bell.ring();
                return (accepted, None);
            }
            // Those that find no room wait in the kernel, and are accepted when a flow is removed or a handshake is done.
            if self.len() >= self.setup.most || self.shaking >= MAX_HANDSHAKES {
                return (accepted, None);
            }
            let Some(listener) = &self.listener else {
                return (accepted, None);
            };
            let mut cx = Context::from_waker(&self.listener_waker);
            match listener.poll_accept(&mut cx) {
                Poll::Pending => return (accepted, None),
                Poll::Ready(Ok((stream, peer))) => {
                    accepted += 1;
                    self.take_in(stream, peer);
                }
                // It was gone before it was accepted.
                Poll::Ready(Err(error))
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Poll::Ready(Err(error)) => {
                    let wait = u64::try_from(ACCEPT_AGAIN.as_micros()).unwrap_or(u64::MAX);
                    self.accept_at = Some(now.plus(Micros(wait)));
                    return (accepted, Some(error));
                }
            }
        }
    }

    fn take_in(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.setup.sockets.accepted(&stream);
        let Ok(wrap) = self.setup.make.wrap() else {
            return;
        };
        let limit = self.setup.max_message;
        let id = self.next_id();
        if let Some(locals) = &self.setup.locals {
            locals.note(id, stream.local_addr());
        }
        let opening: Opening =
            Box::pin(async move { shaken(wrap.server(stream, peer, limit)).await });
        self.shaking += 1;
        self.add(id, peer, Origin::Peer, State::Opening(opening), 0);
    }

    /// A connection is made, or has failed.
    pub(crate) fn made(&mut self, slot: usize) {
        let of_peer = self
            .at(slot)
            .is_some_and(|flow| flow.origin == Origin::Peer);
        if of_peer {
            self.shaking = self.shaking.saturating_sub(1);
            if self.shaking + 1 == MAX_HANDSHAKES && self.listener.is_some() {
                self.listener_bell.ring();
            }
        }
    }
}
