// SPDX-License-Identifier: AGPL-3.0-only
//! The further sockets of a shard: `-t ui` has one for each address that calls send from.
//!
//! Their flows are numbered from 1; flow 0 is the shard's first socket. They share one set of receive buffers, and each
//! is looked at once per turn.

use std::io;
use std::net::UdpSocket;
use std::task::Poll;

use gossipper_vm::FlowId;
use tokio::io::Interest;

use super::Machine;
use super::core::Core;
use super::work_limit::WorkLimit;
use crate::sys::{Backend, BatchReceiver, RecvOutcome};
use crate::transport::udp::Outbox;

/// What reading a socket once brought.
pub(super) struct Look {
    /// What was read, `None` when there was nothing.
    pub(super) read: io::Result<Option<RecvOutcome>>,
    /// The kernel may have more.
    pub(super) more: bool,
}

/// Reads one batch.
pub(super) fn read(socket: &UdpSocket, receiver: &mut BatchReceiver) -> Look {
    match receiver.recv(socket) {
        Ok(outcome) => Look {
            // A short batch means that the kernel has no more, so no other call has to find that out.
            more: !outcome.drained,
            read: Ok(Some(outcome)),
        },
        Err(error) => Look {
            read: match error.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                _ => Err(error),
            },
            more: false,
        },
    }
}

/// Reads one batch, if the reactor takes the socket for readable.
pub(super) fn look(
    reactor: &tokio::net::UdpSocket,
    socket: &UdpSocket,
    receiver: &mut BatchReceiver,
) -> Look {
    let mut found = Look {
        read: Ok(None),
        more: false,
    };
    let _ = reactor.try_io(Interest::READABLE, || {
        found = read(socket, receiver);
        if found.more {
            return Ok(());
        }
        // The readiness is given back: the reactor will tell when there is something to read again.
        Err(io::ErrorKind::WouldBlock.into())
    });
    found
}

/// Tells the reactor that a socket is full, so that it waits for the next event.
pub(super) fn is_full(reactor: &tokio::net::UdpSocket) {
    let _ = reactor.try_io(Interest::WRITABLE, || -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    });
}

/// The way out of one of them; belongs to the core, which sends.
#[derive(Debug)]
pub(super) struct SideOut {
    pub(super) socket: UdpSocket,
    pub(super) outbox: Outbox,
}

#[derive(Debug)]
struct Side {
    socket: UdpSocket,
    reactor: tokio::net::UdpSocket,
    /// The kernel's counter of dropped datagrams, as last read.
    dropped: u32,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sides {
    sides: Vec<Side>,
    receiver: Option<BatchReceiver>,
}

impl Sides {
    /// Takes the sockets into the thread's reactor; gives the ways out.
    pub(super) fn new(
        sockets: Vec<UdpSocket>,
        backend: Backend,
    ) -> io::Result<(Self, Vec<SideOut>)> {
        let mut receiver = None;
        let (mut sides, mut outs) = (Vec::new(), Vec::new());
        for socket in sockets {
            match &receiver {
                None => receiver = Some(BatchReceiver::new(backend, &socket)),
                Some(_) => BatchReceiver::prepare(backend, &socket),
            }
            outs.push(SideOut {
                socket: socket.try_clone()?,
                outbox: Outbox::new(backend),
            });
            sides.push(Side {
                reactor: tokio::net::UdpSocket::from_std(socket.try_clone()?)?,
                socket,
                dropped: 0,
            });
        }
        Ok((Self { sides, receiver }, outs))
    }

    /// Reads each once and hands over what it has; true when some may have more.
    pub(super) fn receive<M: Machine>(
        &mut self,
        core: &mut Core<M>,
        limit: &mut WorkLimit,
        datagrams: &mut u64,
    ) -> bool {
        let Some(receiver) = &mut self.receiver else {
            return false;
        };
        let mut left = false;
        for (index, side) in (1_u32..).zip(&self.sides) {
            let look = look(&side.reactor, &side.socket, receiver);
            left |= look.more;
            match look.read {
                Ok(None) => continue,
                Ok(Some(outcome)) => core.counts.icmp_errors += u64::from(outcome.icmp_errors),
                Err(error) => {
                    core.recv_error(&error);
                    continue;
                }
            }
            let now = core.clock.now();
            for datagram in receiver.datagrams() {
                *datagrams += 1;
                core.datagram(now, FlowId(index), datagram);
                core.flush_full();
                // The others are read in any case: one that floods must not silence its neighbours.
                let _ = limit.allow(&core.clock);
            }
        }
        left
    }

    /// Tells the reactor which of them are full.
    pub(super) fn note_full(&self, outs: &[SideOut]) {
        for (side, out) in self.sides.iter().zip(outs) {
            if !out.outbox.is_empty() {
                is_full(&side.reactor);
            }
        }
    }

    /// Waits until one can be read, or a full one written; for ever without any.
    pub(super) async fn ready(&self, outs: &[SideOut]) {
        std::future::poll_fn(|cx| {
            for (side, out) in self.sides.iter().zip(outs) {
                // An error of readiness shows when the socket is used.
                let readable = side.reactor.poll_recv_ready(cx).is_ready();
                let writable =
                    !out.outbox.is_empty() && side.reactor.poll_send_ready(cx).is_ready();
                if readable || writable {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// What the kernel has dropped on them since it was last asked.
    pub(super) fn dropped(&mut self) -> u64 {
        let mut more = 0;
        for side in &mut self.sides {
            if let Some(dropped) = crate::sys::dropped(&side.socket) {
                more += u64::from(dropped.wrapping_sub(side.dropped));
                side.dropped = dropped;
            }
        }
        more
    }
}
