// SPDX-License-Identifier: AGPL-3.0-only
//! Batched datagram I/O: the narrow waist between a shard and the operating system.
//!
//! A [`BatchSender`] takes a list of ranges in one byte arena, each with its destination, and gets them out with
//! as few system calls as the platform allows; a [`BatchReceiver`] takes in as many datagrams as one call yields.
//! On Linux that is `sendmmsg` with `UDP_SEGMENT` and `recvmmsg` with `UDP_GRO` (`linux`); elsewhere, and where a
//! test asks for it, one `send_to` or `recv_from` per datagram (`fallback`). Both behave the same to the caller.
//!
//! A [`Poller`] sleeps on one socket (`poller`), where a shard needs no reactor.
//!
//! Not for: queueing (the transport keeps what would block), SIP.
//!
//! Invariants: datagrams leave in the order given; an error of one datagram never takes its neighbours with it; an
//! asynchronous ICMP error that the kernel reports on the socket is counted and the datagram tried once more.
//! Profiles of the program have their samples from `heap`, an allocator, and `sampler`, a timer.
//!
//! The only `unsafe` code of the workspace is in `linux`, `heap`, `freed` and `sampler`.

use std::io;
use std::net::{SocketAddr, UdpSocket};

mod fallback;
#[expect(
    unsafe_code,
    reason = "an option of the allocator is set by a function of C"
)]
pub mod freed;
#[expect(
    unsafe_code,
    reason = "an allocator is asked for by an unsafe trait, and walking a stack is unsafe on systems with a shared library for it"
)]
pub mod heap;
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the batched system calls and their control messages have no safe wrapper that takes one segment size per message"
)]
mod linux;
mod poller;
#[cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "signals, timers and the interrupted thread's context have no safe wrapper"
    )
)]
pub mod sampler;

#[cfg(target_os = "linux")]
pub(crate) use linux::{GroupSignal, readable, signal_group};
pub use poller::{Poller, Ready};

/// Datagrams handed to the kernel in one call at most.
pub const BATCH: usize = 64;

/// Most bytes one UDP datagram can carry; also the size of a receive buffer.
pub const MAX_DATAGRAM: usize = 65_535;

/// Which implementation a socket uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// The best one for this platform.
    #[default]
    Auto,
    /// Batched calls but no segmentation offload on either side.
    NoOffload,
    /// One system call per datagram, on every platform.
    Portable,
}

/// One datagram to send: a range of the arena given beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// Where the bytes start in the arena.
    pub off: usize,
    /// How many bytes.
    pub len: usize,
    /// Where they go.
    pub to: SocketAddr,
}

impl Outgoing {
    pub(crate) fn bytes<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        // A range outside the arena is a bug of the caller; sending nothing is better than taking the shard down.
        arena
            .get(self.off..self.off.saturating_add(self.len))
            .unwrap_or(&[])
    }
}

/// What one call of [`BatchSender::send`] did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SendOutcome {
    /// How many of the items are dealt with, sent or failed; the rest would have blocked and must be given again.
    pub done: usize,
    /// System calls made.
    pub calls: u32,
    /// Asynchronous (ICMP) errors met on the socket and survived.
    pub icmp_errors: u32,
}

/// One datagram received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub src: &'a SocketAddr,
    /// How long it waited in the kernel until it was read, in µs; 0 where the kernel does not tell.
    pub waited_us: u64,
    /// The payload.
    pub bytes: &'a [u8],
}

/// What one call of [`BatchReceiver::recv`] did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RecvOutcome {
    /// Datagrams now held by the receiver, offloaded ones counted one by one.
    pub datagrams: usize,
    /// True when the kernel has no more for now.
    pub drained: bool,
    /// Asynchronous (ICMP) errors met on the socket and survived.
    pub icmp_errors: u32,
}

/// Sends lists of datagrams. Belongs to one thread.
#[derive(Debug)]
pub struct BatchSender(SenderImpl);

#[derive(Debug)]
enum SenderImpl {
    #[cfg(target_os = "linux")]
    Linux(linux::Sender),
    Portable,
}

impl BatchSender {
    /// A sender for one socket, since what the socket's path supports is remembered here.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        match backend {
            #[cfg(target_os = "linux")]
            Backend::Auto => Self(SenderImpl::Linux(linux::Sender::new(true))),
            #[cfg(target_os = "linux")]
            Backend::NoOffload => Self(SenderImpl::Linux(linux::Sender::new(false))),
            #[cfg(not(target_os = "linux"))]
            Backend::Auto | Backend::NoOffload => Self(SenderImpl::Portable),
            Backend::Portable => Self(SenderImpl::Portable),
        }
    }

    /// Sends `items` in order until all are dealt with or the socket would block. `failed` is told the index and the
    /// error of each datagram that cannot be sent.
    pub fn send(
        &mut self,
        socket: &UdpSocket,
        arena: &[u8],
        items: &[Outgoing],
        failed: &mut dyn FnMut(usize, io::Error),
    ) -> SendOutcome {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            SenderImpl::Linux(sender) => sender.send(socket, arena, items, failed),
            SenderImpl::Portable => fallback::send(socket, arena, items, failed),
        }
    }

    /// Whether segmentation offload is (still) in use.
    #[must_use]
    pub fn offload(&self) -> bool {
        match &self.0 {
            #[cfg(target_os = "linux")]
            SenderImpl::Linux(sender) => sender.gso(),
            SenderImpl::Portable => false,
        }
    }
}

/// Receives batches of datagrams into buffers of its own. Belongs to one thread.
#[derive(Debug)]
pub struct BatchReceiver(ReceiverImpl);

#[derive(Debug)]
enum ReceiverImpl {
    #[cfg(target_os = "linux")]
    Linux(linux::Receiver),
    Portable(fallback::Receiver),
}

impl BatchReceiver {
    /// A receiver for `socket`; turns on receive offload where the backend and the kernel have it.
    #[must_use]
    pub fn new(backend: Backend, socket: &UdpSocket) -> Self {
        match backend {
            #[cfg(target_os = "linux")]
            Backend::Auto => Self(ReceiverImpl::Linux(linux::Receiver::new(socket, true))),
            #[cfg(target_os = "linux")]
            Backend::NoOffload => Self(ReceiverImpl::Linux(linux::Receiver::new(socket, false))),
            #[cfg(not(target_os = "linux"))]
            Backend::Auto | Backend::NoOffload => {
                let _ = socket;
                Self(ReceiverImpl::Portable(fallback::Receiver::new()))
            }
            Backend::Portable => Self(ReceiverImpl::Portable(fallback::Receiver::new())),
        }
    }

    /// Makes a receiver of this backend, made for another socket, fit for this one too.
    pub fn prepare(backend: Backend, socket: &UdpSocket) {
        #[cfg(target_os = "linux")]
        match backend {
            Backend::Auto => linux::prepare(socket, true),
            Backend::NoOffload => linux::prepare(socket, false),
            Backend::Portable => {}
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (backend, socket);
    }

    /// Takes in what is there, up to one batch, replacing what was held.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; anything else is an error of the socket itself.
    pub fn recv(&mut self, socket: &UdpSocket) -> io::Result<RecvOutcome> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            ReceiverImpl::Linux(receiver) => receiver.recv(socket),
            ReceiverImpl::Portable(receiver) => receiver.recv(socket),
        }
    }

    /// The datagrams held, in the order of arrival.
    pub fn datagrams(&self) -> impl ExactSizeIterator<Item = Datagram<'_>> {
        let held: Held<'_> = match &self.0 {
            #[cfg(target_os = "linux")]
            ReceiverImpl::Linux(receiver) => receiver.held(),
            ReceiverImpl::Portable(receiver) => receiver.held(),
        };
        held.entries.iter().map(move |entry| Datagram {
            src: &entry.src,
            waited_us: u64::from(entry.waited_us),
            bytes: held
                .bytes
                .get(entry.off..entry.off + entry.len)
                .unwrap_or(&[]),
        })
    }
}

/// Where one received datagram lies in the receiver's buffer.
#[derive(Debug, Clone, Copy)]
struct Entry {
    off: usize,
    len: usize,
    src: SocketAddr,
    waited_us: u32,
}

/// A receiver's buffer and what lies in it.
struct Held<'a> {
    bytes: &'a [u8],
    entries: &'a [Entry],
}

/// Datagrams that arrived for `socket` and that the kernel dropped since it was opened: its receive buffer was full, or
/// they were damaged. `None` where the system does not tell. The kernel's counter has 32 bits and wraps.
#[must_use]
pub fn dropped(socket: &UdpSocket) -> Option<u32> {
    #[cfg(target_os = "linux")]
    return linux::dropped(socket);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        None
    }
}

/// How many files the process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    /// Before it was raised.
    pub before: u64,
    /// Now.
    pub now: u64,
}

/// Raises the limit of open files, and so of connections, to the most that is allowed without privileges; `None` where the
/// system has no such limit.
///
/// # Errors
/// When the system refuses.
pub fn raise_open_files() -> io::Result<Option<OpenFiles>> {
    #[cfg(target_os = "linux")]
    return linux::raise_open_files().map(Some);
    #[cfg(not(target_os = "linux"))]
    Ok(None)
}

/// Leaves the choice of a port to `connect`, for a socket that is to be bound to an address and port 0. A port is then free
/// when no connection to that peer has it, so that there are enough for any number of peers, and finding one is quick even
/// among thousands of connections. Where the system cannot, `bind` chooses.
pub fn choose_port_late(socket: &socket2::Socket) {
    #[cfg(target_os = "linux")]
    // A socket that cannot works all the same.
    let _ = linux::choose_port_late(socket);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Errors that ICMP left on the socket for an *earlier* datagram: they say nothing about the one being sent.
pub(crate) fn is_icmp(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ALL: [Backend; 3] = [Backend::Auto, Backend::NoOffload, Backend::Portable];

    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn pair(v6: bool) -> Option<(UdpSocket, UdpSocket)> {
        let any: SocketAddr = if v6 {
            "[::1]:0".parse().ok()?
        } else {
            (Ipv4Addr::LOCALHOST, 0).into()
        };
        let a = UdpSocket::bind(any);
        if v6 && a.is_err() {
            eprintln!("skipped: no IPv6 loopback on this machine");
            return None;
        }
        let (a, b) = (a.expect("bind"), UdpSocket::bind(any).expect("bind"));
        a.set_nonblocking(true).expect("nonblocking");
        b.set_nonblocking(true).expect("nonblocking");
        Some((a, b))
    }

    fn receive(
        receiver: &mut BatchReceiver,
        socket: &UdpSocket,
        count: usize,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        let give_up = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut got = Vec::new();
        while got.len() < count {
            match receiver.recv(socket) {
                Ok(outcome) => {
                    assert_eq!(outcome.datagrams, receiver.datagrams().count());
                    got.extend(receiver.datagrams().map(|d| (*d.src, d.bytes.to_vec())));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
            assert!(
                std::time::Instant::now() < give_up,
                "{} of {count} datagrams came",
                got.len()
            );
        }
        got
    }

    fn round_trip(backend: Backend, v6: bool, sizes: &[usize]) {
        let Some((a, b)) = pair(v6) else { return };
        let to = b.local_addr().expect("bound");
        let mut sender = BatchSender::new(backend);
        let mut receiver = BatchReceiver::new(backend, &b);
        let mut arena = Vec::new();
        let mut items = Vec::new();
        for (i, &len) in sizes.iter().enumerate() {
            items.push(Outgoing {
                off: arena.len(),
                len,
                to,
            });
            arena.extend((0..len).map(|k| (i * 31 + k) as u8));
        }
        let outcome = sender.send(&a, &arena, &items, &mut |i, e| panic!("item {i}: {e}"));
        assert_eq!(outcome.done, items.len());
        let got = receive(&mut receiver, &b, items.len());
        for (item, (src, bytes)) in items.iter().zip(&got) {
            assert_eq!(*src, a.local_addr().expect("bound"));
            assert_eq!(bytes, item.bytes(&arena));
        }
        assert_eq!(got.len(), items.len());
    }

    #[test]
    fn datagrams_arrive_whole_and_in_order_on_every_backend() {
        // Runs of equal length, a shorter last one, a lone long one, one longer than a segment, a single byte.
        let sizes: Vec<usize> = [
            vec![500; 40],
            vec![120],
            vec![700, 700, 300],
            vec![9000],
            vec![1],
            vec![500; 70],
        ]
        .concat();
        for backend in ALL {
            for v6 in [false, true] {
                round_trip(backend, v6, &sizes);
            }
        }
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_fails_alone() {
        for backend in ALL {
            let (a, b) = pair(false).expect("IPv4");
            let to = b.local_addr().expect("bound");
            let arena = vec![b'x'; 70_000];
            // The second is above what UDP can carry, the third's family is not the socket's.
            let items = [
                Outgoing {
                    off: 0,
                    len: 10,
                    to,
                },
                Outgoing {
                    off: 0,
                    len: 70_000,
                    to,
                },
                Outgoing {
                    off: 0,
                    len: 10,
                    to: "[::1]:9".parse().expect("address"),
                },
                Outgoing {
                    off: 0,
                    len: 11,
                    to,
                },
            ];
            let mut failed = Vec::new();
            let outcome =
                BatchSender::new(backend).send(&a, &arena, &items, &mut |i, _| failed.push(i));
            assert_eq!(outcome.done, 4, "{backend:?}");
            assert_eq!(failed, [1, 2], "{backend:?}");
            let mut receiver = BatchReceiver::new(backend, &b);
            let got = receive(&mut receiver, &b, 2);
            assert_eq!(
                got.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(),
                [10, 11],
                "{backend:?}"
            );
        }
    }

    #[test]
    fn an_empty_socket_says_would_block() {
        for backend in ALL {
            let (a, _b) = pair(false).expect("IPv4");
            let mut receiver = BatchReceiver::new(backend, &a);
            let error = receiver.recv(&a).expect_err("nothing was sent");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{backend:?}");
        }
    }

    #[test]
    fn a_closed_port_does_not_stop_the_sender() {
        for backend in ALL {
            let (a, b) = pair(false).expect("IPv4");
            let closed = {
                let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
                gone.local_addr().expect("bound")
            };
            let to = b.local_addr().expect("bound");
            let mut sender = BatchSender::new(backend);
            for _ in 0..20 {
                let items = [
                    Outgoing {
                        off: 0,
                        len: 3,
                        to: closed,
                    },
                    Outgoing { off: 0, len: 3, to },
                ];
                let outcome = sender.send(&a, b"abc", &items, &mut |i, e| panic!("item {i}: {e}"));
                assert_eq!(outcome.done, 2);
            }
            let got = receive(&mut BatchReceiver::new(backend, &b), &b, 20);
            assert_eq!(got.len(), 20, "{backend:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells_how_long_a_datagram_waited() {
        let (a, b) = pair(false).expect("IPv4");
        let mut receiver = BatchReceiver::new(Backend::Auto, &b);
        let give_up = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let sent = std::time::Instant::now();
            a.send_to(b"x", b.local_addr().expect("bound"))
                .expect("sent");
            // However long this takes, the datagram has waited at least as long, but for the rounding.
            while sent.elapsed() < std::time::Duration::from_millis(2) {
                std::thread::yield_now();
            }
            while receiver.recv(&b).is_err() {
                assert!(std::time::Instant::now() < give_up, "the datagram came");
            }
            let total = sent.elapsed();
            let told = receiver
                .datagrams()
                .map(|datagram| std::time::Duration::from_micros(datagram.waited_us))
                .max();
            assert!(
                told.is_some_and(|told| told <= total),
                "{told:?} of {total:?}"
            );
            // The kernel begins to stamp a moment after it was asked to; until then it tells when a datagram was read.
            if told >= Some(std::time::Duration::from_millis(1)) {
                return;
            }
            assert!(std::time::Instant::now() < give_up, "the kernel tells");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_nobody_reads_in_time_is_counted_as_dropped() {
        let (a, b) = pair(false).expect("IPv4");
        assert_eq!(dropped(&b), Some(0));
        let datagram = [0; 60_000];
        let sent = 2_000_u32;
        for _ in 0..sent {
            // Far more than any receive buffer that a system gives unasked.
            a.send_to(&datagram, b.local_addr().expect("bound"))
                .expect("sent");
        }
        let mut read = 0;
        let mut buffer = [0; 60_000];
        while b.recv(&mut buffer).is_ok() {
            read += 1;
        }
        assert!(read > 0 && read < sent);
        assert_eq!(dropped(&b), Some(sent - read));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn equal_neighbours_to_one_peer_share_a_system_call() {
        let (a, b) = pair(false).expect("IPv4");
        let to = b.local_addr().expect("bound");
        let items = [Outgoing {
            off: 0,
            len: 400,
            to,
        }; 128];
        let arena = vec![b'y'; 400];
        let outcome = BatchSender::new(Backend::Auto)
            .send(&a, &arena, &items, &mut |i, e| panic!("item {i}: {e}"));
        assert_eq!((outcome.done, outcome.calls), (128, 1));
        let outcome = BatchSender::new(Backend::Portable)
            .send(&a, &arena, &items, &mut |i, e| panic!("item {i}: {e}"));
        assert_eq!((outcome.done, outcome.calls), (128, 128));
    }
}
