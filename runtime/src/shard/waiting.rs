// SPDX-License-Identifier: AGPL-3.0-only
//! How a shard waits for its socket: with one system call, or with the thread's reactor.
//!
//! A shard that has nothing but its socket, other shards and the operator to wait for uses a [`Poller`]. One with
//! connections or further sockets has them all in the reactor. Both behave the same but for their cost; tests run both
//! ([`Backend::Portable`] takes the reactor).

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use super::sides::{Look, is_full, look, read};
use crate::sys::{Backend, BatchReceiver, Poller};

pub(super) enum Waiting {
    Poll {
        poller: Poller,
        waker: Waker,
        /// The socket may have something: it said so, or was left alone for a while.
        readable: bool,
    },
    /// `None` on a shard that gets its messages from another, or from connections.
    Reactor(Option<tokio::net::UdpSocket>),
}

impl Waiting {
    /// For a shard that does not have to wait for anything else; to be called within the reactor's context.
    ///
    /// `socket` is `None` on a shard that has none, or does not read it.
    pub(super) fn new(
        socket: Option<&UdpSocket>,
        backend: Backend,
        alone: bool,
    ) -> io::Result<Self> {
        if alone
            && backend != Backend::Portable
            && let Some(poller) = Poller::new()?
        {
            return Ok(Self::Poll {
                waker: poller.waker(),
                poller,
                readable: socket.is_some(),
            });
        }
        let reactor = socket.map(|socket| tokio::net::UdpSocket::from_std(socket.try_clone()?));
        Ok(Self::Reactor(reactor.transpose()?))
    }

    /// Reads one batch, if the socket is worth a look.
    pub(super) fn look(&mut self, socket: &UdpSocket, receiver: &mut BatchReceiver) -> Look {
        match self {
            Self::Poll { readable, .. } if *readable => {
                let look = read(socket, receiver);
                *readable = look.more;
                look
            }
            Self::Reactor(Some(reactor)) => look(reactor, socket, receiver),
            Self::Poll { .. } | Self::Reactor(None) => Look {
                read: Ok(None),
                more: false,
            },
        }
    }

    /// The socket is full: whoever waits is to wait for room.
    pub(super) fn note_full(&self) {
        if let Self::Reactor(Some(reactor)) = self {
            is_full(reactor);
        }
    }

    /// The socket was left alone for a while; how to find out what it has.
    pub(super) async fn rested(&mut self) {
        match self {
            Self::Poll { readable, .. } => *readable = true,
            Self::Reactor(_) => tokio::task::yield_now().await,
        }
    }

    /// Lets whatever else the thread drives go on, between two turns of a busy shard.
    pub(super) async fn breathe(&self) {
        if let Self::Reactor(_) = self {
            tokio::task::yield_now().await;
        }
    }
}

/// Sleeps until the socket is ready, `called` is, or time is up. Gives what `called` brought.
pub(super) fn sleep<T>(
    (poller, waker): (&Poller, &Waker),
    readable: &mut bool,
    (socket, full): (Option<&UdpSocket>, bool),
    called: impl Future<Output = T>,
    at_most: Duration,
) -> Option<T> {
    let mut called = pin!(called);
    let mut context = Context::from_waker(waker);
    if let std::task::Poll::Ready(brought) = called.as_mut().poll(&mut context) {
        return Some(brought);
    }
    let ready = poller.wait(socket, full, at_most);
    *readable |= ready.readable;
    if ready.called
        && let std::task::Poll::Ready(brought) = called.poll(&mut context)
    {
        return Some(brought);
    }
    None
}
