// SPDX-License-Identifier: AGPL-3.0-only
//! The sockets of a shard's streams: which of them has something to read, and batches in and out.
//!
//! There may be ten thousand, so nothing here looks at all of them: a socket writes itself into a list when it can be read,
//! and the thread's reactor is asked about reading only, since a socket that sends becomes writable with every packet.
//!
//! A socket that is never read is connected to where it sends: the kernel then looks for the way once, and not for each
//! packet. One that is read is not, as a connected socket hears nobody else.
//!
//! Invariants: what cannot be sent at once is dropped and counted, as audio that comes late is of no use; a turn reads a
//! bounded number of batches, and what is left comes in the next.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use gossipper_media::engine::Port;
use gossipper_media::table::Table;
use gossipper_vm::CallKey;

use crate::flows::{Bell, Ready};
use crate::sys::{Backend, BatchReceiver, BatchSender, Datagram, Outgoing, is_icmp};

use watched::Watched;

/// What is received on a socket belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nobody: what comes is thrown away.
    Nobody,
    /// One of the pairs of a call: which one, and which port of it.
    Call(CallKey, usize, Port),
}

#[derive(Debug)]
struct Entry {
    socket: Arc<UdpSocket>,
    used: Use,
    /// `None` if it is never read.
    watched: Option<Box<Rung>>,
    connection: Connection,
}

/// A socket that is read.
#[derive(Debug)]
struct Rung {
    watched: Watched,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Whether a socket is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// It never is.
    Never,
    /// It will be.
    NotYet,
    To(SocketAddr),
}

impl Entry {
    /// Sends from a socket that is, or is to be, connected; says whether it was sent.
    fn send(&mut self, bytes: &[u8], to: SocketAddr) -> bool {
        if self.connection != Connection::To(to) {
            self.connection = match self.socket.connect(to) {
                Ok(()) => Connection::To(to),
                // No way there: what is sent says why, and the next one tries again.
                Err(_) => return false,
            };
        }
        let mut icmp_seen = false;
        loop {
            match self.socket.send(bytes) {
                Ok(_) => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // That of an earlier packet, told once.
                Err(error) if is_icmp(&error) && !icmp_seen => icmp_seen = true,
                Err(_) => return false,
            }
        }
    }
}

/// How sockets are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketParams {
    pub(super) ip: IpAddr,
    pub(super) buffer_bytes: Option<usize>,
    pub(super) backend: Backend,
    /// What comes is read.
    pub(super) reads: bool,
}

/// All sockets of a shard.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) params: SocketParams,
    entries: Table<Option<Entry>>,
    /// Entries that were ever taken.
    made: u32,
    free: Vec<u32>,
    ready: Arc<Ready>,
    visiting: VecDeque<usize>,
    receiver: Option<BatchReceiver>,
    sender: BatchSender,
}

impl Sockets {
    pub(super) fn new(params: SocketParams) -> Self {
        Self {
            // A stream sends one packet at a time, so there is nothing to join; and where it catches up, joined datagrams
            // would be one packet to whoever watches the loopback interface.
            sender: BatchSender::new(Backend::Portable),
            params,
            entries: Table::default(),
            made: 0,
            free: Vec::new(),
            ready: Arc::default(),
            visiting: VecDeque::new(),
            receiver: None,
        }
    }

    /// A socket at a port; 0 lets the system choose.
    pub(super) fn bind(&self, port: u16) -> io::Result<UdpSocket> {
        let address = SocketAddr::new(self.params.ip, port);
        let domain = socket2::Domain::for_address(address);
        let socket =
            socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        if address.is_ipv6() {
            // The port of the other family is somebody else's.
            socket.set_only_v6(true)?;
        }
        if let Some(bytes) = self.params.buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    /// Takes a socket in; to be called within the reactor's context if it is to be read. One that is not is somebody else's
    /// as well.
    pub(super) fn add(&mut self, socket: Arc<UdpSocket>, asked: bool) -> io::Result<u32> {
        let reads = asked && self.params.reads;
        if reads {
            match &self.receiver {
                None => self.receiver = Some(BatchReceiver::new(self.params.backend, &socket)),
                Some(_) => BatchReceiver::prepare(self.params.backend, &socket),
            }
        }
        let index = self.free.pop().unwrap_or_else(|| {
            // There are fewer ports than that.
            self.made += 1;
            self.made - 1
        });
        let watched = match reads {
            true => {
                let bell = Bell::new(index as usize, &self.ready);
                let rung = Rung {
                    watched: Watched::new(&socket)?,
                    waker: bell.waker(),
                    bell,
                };
                // The first look registers its waker.
                rung.bell.ring();
                Some(Box::new(rung))
            }
            false => None,
        };
        // Where it is bound to no address, connecting would choose one for good.
        let connects = asked && !reads && !self.params.ip.is_unspecified();
        let connection = match connects {
            true => Connection::NotYet,
            false => Connection::Never,
        };
        *self.entries.reach(index as usize) = Some(Entry {
            socket,
            used: Use::Nobody,
            watched,
            connection,
        });
        Ok(index)
    }

    /// Closes one.
    pub(super) fn remove(&mut self, index: u32) {
        if let Some(entry) = self.entries.get_mut(index as usize)
            && entry.take().is_some()
        {
            self.free.push(index);
        }
    }

    /// Says whose it is from now on.
    pub(super) fn set_use(&mut self, index: u32, used: Use) {
        if let Some(Some(entry)) = self.entries.get_mut(index as usize) {
            entry.used = used;
        }
    }

    /// Sends datagrams from one socket. Tells how many were sent, and how many were not.
    pub(super) fn send(&mut self, index: u32, arena: &[u8], items: &[Outgoing]) -> (usize, usize) {
        let Some(Some(entry)) = self.entries.get_mut(index as usize) else {
            return (0, items.len());
        };
        if entry.connection != Connection::Never {
            let sent = items
                .iter()
                .filter(|item| entry.send(item.bytes(arena), item.to));
            let sent = sent.count();
            return (sent, items.len() - sent);
        }
        let mut failed = 0;
        let outcome = self
            .sender
            .send(&entry.socket, arena, items, &mut |_, _| failed += 1);
        (outcome.done - failed, items.len() - (outcome.done - failed))
    }

    /// Hands what has come to `take`, with the socket's use; true when more is left.
    pub(super) fn receive(
        &mut self,
        mut allow: impl FnMut() -> bool,
        mut take: impl FnMut(CallKey, usize, Port, Datagram<'_>),
    ) -> bool {
        let mut visiting = std::mem::take(&mut self.visiting);
        visiting.clear();
        self.ready.take(&mut visiting);
        let mut left = false;
        for &index in &visiting {
            let Some(Some(entry)) = self.entries.get(index) else {
                continue;
            };
            let (Some(rung), Some(receiver)) = (&entry.watched, &mut self.receiver) else {
                continue;
            };
            rung.bell.answered();
            if left {
                rung.bell.ring();
                continue;
            }
            let mut cx = Context::from_waker(&rung.waker);
            while let Poll::Ready(guard) = rung.watched.poll_readable(&mut cx) {
                match receiver.recv(&entry.socket) {
                    Ok(outcome) => {
                        if let Use::Call(call, pair, port) = entry.used {
                            for datagram in receiver.datagrams() {
                                take(call, pair, port, datagram);
                            }
                        }
                        if outcome.drained {
                            guard.clear();
                        }
                    }
                    // Nothing is left; an error of the socket shows up again.
                    Err(_) => guard.clear(),
                }
                if !allow() {
                    left = true;
                    rung.bell.ring();
                    break;
                }
            }
        }
        self.visiting = visiting;
        left
    }

    /// Waits until something can be read.
    pub(super) async fn ready(&self) {
        if self.ready.is_empty() {
            self.ready.wait().await;
        }
    }
}

#[cfg(unix)]
mod watched {
    //! A socket in the reactor, for reading alone.

    use std::io;
    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use tokio::io::Interest;
    use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

    #[derive(Debug)]
    pub(super) struct Watched(AsyncFd<Arc<UdpSocket>>);

    /// It can be read, until it is cleared.
    pub(super) struct Readable<'a>(Option<AsyncFdReadyGuard<'a, Arc<UdpSocket>>>);

    impl Watched {
        #[expect(
            deprecated,
            reason = "its successor asks for a promise about owners that close or change their descriptor; a shared socket does neither"
        )]
        pub(super) fn new(socket: &Arc<UdpSocket>) -> io::Result<Self> {
            AsyncFd::with_interest(Arc::clone(socket), Interest::READABLE).map(Self)
        }

        pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<Readable<'_>> {
            // An error of readiness shows when the socket is read.
            self.0.poll_read_ready(cx).map(|guard| Readable(guard.ok()))
        }
    }

    impl Readable<'_> {
        pub(super) fn clear(self) {
            if let Some(mut guard) = self.0 {
                guard.clear_ready();
            }
        }
    }
}

#[cfg(not(unix))]
mod watched {
    //! A socket in the reactor.

    use std::io;
    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use tokio::io::Interest;

    #[derive(Debug)]
    pub(super) struct Watched(tokio::net::UdpSocket);

    /// It can be read, until it is cleared.
    pub(super) struct Readable<'a>(&'a tokio::net::UdpSocket);

    impl Watched {
        pub(super) fn new(socket: &Arc<UdpSocket>) -> io::Result<Self> {
            tokio::net::UdpSocket::from_std(socket.try_clone()?).map(Self)
        }

        pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<Readable<'_>> {
            self.0.poll_recv_ready(cx).map(|_| Readable(&self.0))
        }
    }

    impl Readable<'_> {
        pub(super) fn clear(self) {
            let _ = self.0.try_io(Interest::READABLE, || -> io::Result<()> {
                Err(io::ErrorKind::WouldBlock.into())
            });
        }
    }
}
