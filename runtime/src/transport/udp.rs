// SPDX-License-Identifier: AGPL-3.0-only
//! Mode `u1`: one UDP socket for everything, IPv4 or IPv6.
//!
//! [`bind`] gives the socket its address and buffers; [`Outbox`] collects a wakeup's datagrams and gets them out in
//! batches, keeping what would block up to a bound.
//!
//! Rules: those of SIPp. A full socket never slows the generator; what does not fit any more is dropped and counted,
//! as the network would.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;

use gossipper_control::TransportCounts;
use gossipper_vm::CallKey;
use socket2::{Domain, Protocol, Socket, Type};

use super::order::Order;
use super::resolve::{any_address, local_ip_towards, own_ip};
use super::{BUFFER_DEFAULT_BYTES, SIP_PORT};
use crate::config::{LocalConfig, SocketConfig};
use crate::error::Error;
use crate::flows::bind_device;
use crate::sys::{Backend, BatchSender, Outgoing};

/// Ports tried before the system chooses: 5060 to 5119.
const PORTS_TRIED: u16 = 60;

/// Datagrams that may wait for a full socket.
const MAX_QUEUED: usize = 16_384;

/// Bytes that may wait for a full socket.
const MAX_QUEUED_BYTES: usize = 16 << 20;

/// A bound socket and what is known of it.
#[derive(Debug)]
pub struct Bound {
    /// The socket, not blocking; `None` where messages go over connections.
    pub socket: Option<UdpSocket>,
    /// Where connections are accepted; `None` over UDP.
    pub listener: Option<TcpListener>,
    /// Its address, with the real port.
    pub address: SocketAddr,
    /// The address that messages name as ours.
    pub local_ip: IpAddr,
    /// Receive buffer the kernel granted.
    pub recv_buffer_bytes: usize,
    /// Send buffer the kernel granted.
    pub send_buffer_bytes: usize,
    /// Further sockets, of flows 1 and up: all but the first of [`bind_each`].
    pub sides: Vec<UdpSocket>,
}

impl Bound {
    /// The same socket for another thread.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.as_ref().map(UdpSocket::try_clone).transpose()?,
            listener: None,
            sides: Vec::new(),
            ..*self
        })
    }
}

/// Binds the socket of a run towards `remote`.
///
/// # Errors
/// When no address can be bound or the families differ.
pub fn bind(
    local: &LocalConfig,
    options: &SocketConfig,
    remote: Option<SocketAddr>,
) -> Result<Bound, Error> {
    let (local_ip, bind_ip) = addresses(local, remote)?;
    let device = options.device.as_deref();
    let socket = first_free(bind_ip, local.port, |address| open_at(address, device))?;
    let address = socket.local_addr().map_err(|source| Error::Socket {
        operation: "read the address of",
        address: SocketAddr::new(bind_ip, local.port.unwrap_or(0)),
        source,
    })?;
    let (recv_buffer_bytes, send_buffer_bytes) = size_buffers(&socket, options);
    Ok(Bound {
        socket: Some(socket),
        listener: None,
        address,
        local_ip,
        recv_buffer_bytes,
        send_buffer_bytes,
        sides: Vec::new(),
    })
}

/// Listens for the connections of a run towards `remote`. With `shared` the run's own connection may have the same port.
///
/// # Errors
/// As [`bind`].
pub fn listen(
    local: &LocalConfig,
    options: &SocketConfig,
    remote: Option<SocketAddr>,
    shared: bool,
) -> Result<Bound, Error> {
    let (local_ip, bind_ip) = addresses(local, remote)?;
    let listener = first_free(bind_ip, local.port, |address| {
        crate::flows::listen(address, shared, options.device.as_deref())
            .map_err(|source| Error::Listen { address, source })
    })?;
    let address = listener.local_addr().map_err(|source| Error::Listen {
        address: SocketAddr::new(bind_ip, local.port.unwrap_or(0)),
        source,
    })?;
    Ok(Bound {
        socket: None,
        listener: Some(listener),
        address,
        local_ip,
        recv_buffer_bytes: 0,
        send_buffer_bytes: 0,
        sides: Vec::new(),
    })
}

/// The address that messages name as ours, and the one that is bound.
fn addresses(local: &LocalConfig, remote: Option<SocketAddr>) -> Result<(IpAddr, IpAddr), Error> {
    let local_ip = match (local.ip, remote) {
        (Some(ip), Some(remote)) if ip.is_ipv6() != remote.is_ipv6() => {
            return Err(Error::Family {
                local: ip,
                remote: remote.ip(),
            });
        }
        (Some(ip), _) if !ip.is_unspecified() => ip,
        (_, Some(remote)) => local_ip_towards(remote)?,
        (Some(any), None) if any.is_ipv6() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        (_, None) => own_ip(),
    };
    let bind_ip = match local.ip {
        Some(ip) => ip,
        None if local.bind_local => local_ip,
        None => any_address(local_ip.is_ipv6()),
    };
    Ok((local_ip, bind_ip))
}

/// Binds one socket per address, all to one port (`-t ui`): the first address is that of flow 0.
///
/// `[local_ip]` stays what it is without them.
///
/// # Errors
/// As [`bind`]; also when an address is none of this machine's.
pub fn bind_each(
    local: &LocalConfig,
    options: &SocketConfig,
    remote: Option<SocketAddr>,
    addresses: &[IpAddr],
) -> Result<Bound, Error> {
    let Some((first, others)) = addresses.split_first() else {
        return bind(local, options, remote);
    };
    let at_first = LocalConfig {
        ip: Some(*first),
        ..*local
    };
    let mut bound = bind(&at_first, options, remote)?;
    bound.local_ip = match (local.ip, remote) {
        (Some(ip), _) if !ip.is_unspecified() => ip,
        (_, Some(remote)) => local_ip_towards(remote)?,
        (_, None) => *first,
    };
    for ip in others {
        if ip.is_ipv6() != first.is_ipv6() {
            return Err(Error::Family {
                local: *ip,
                remote: *first,
            });
        }
        let address = SocketAddr::new(*ip, bound.address.port());
        let socket = open_at(address, options.device.as_deref())?;
        size_buffers(&socket, options);
        bound.sides.push(socket);
    }
    Ok(bound)
}

fn first_free<S>(
    ip: IpAddr,
    port: Option<u16>,
    open_at: impl Fn(SocketAddr) -> Result<S, Error>,
) -> Result<S, Error> {
    if let Some(port) = port {
        return open_at(SocketAddr::new(ip, port));
    }
    for port in SIP_PORT..SIP_PORT + PORTS_TRIED {
        match open_at(SocketAddr::new(ip, port)) {
            Err(error) if error.is_address_in_use() => {}
            other => return other,
        }
    }
    open_at(SocketAddr::new(ip, 0))
}

fn open_at(address: SocketAddr, device: Option<&str>) -> Result<UdpSocket, Error> {
    let try_open = || -> io::Result<UdpSocket> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            // No mixing of families in one run: a v6 socket must not take the v4 port as well.
            socket.set_only_v6(true)?;
        }
        bind_device(&socket, device)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    try_open().map_err(|source| Error::Bind { address, source })
}

/// Asks for buffers and reports what the kernel gave: less is a reason for losses, not for failing.
fn size_buffers(socket: &UdpSocket, options: &SocketConfig) -> (usize, usize) {
    let socket = socket2::SockRef::from(socket);
    let wanted = options.buffer_bytes.unwrap_or(BUFFER_DEFAULT_BYTES);
    // The kernel caps silently or refuses, depending on the system; either way the size read back counts.
    let _ = socket.set_recv_buffer_size(wanted);
    let _ = socket.set_send_buffer_size(wanted);
    (
        socket.recv_buffer_size().unwrap_or(0),
        socket.send_buffer_size().unwrap_or(0),
    )
}

/// A datagram that the kernel refused.
#[derive(Debug)]
pub struct Refused {
    /// Whose it was.
    pub call: Option<CallKey>,
    /// Where it should have gone.
    pub to: SocketAddr,
    /// What the kernel said.
    pub error: io::Error,
}

/// Datagrams on their way out.
///
/// They lie where they were made, and are copied only when the socket is full and they have to wait.
#[derive(Debug)]
pub struct Outbox {
    sender: BatchSender,
    /// Those that wait for a full socket, all of them; empty while none do.
    kept: Vec<u8>,
    items: Vec<Outgoing>,
    calls: Vec<Option<CallKey>>,
    order: Order,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self {
            sender: BatchSender::new(backend),
            kept: Vec::new(),
            items: Vec::new(),
            calls: Vec::new(),
            order: Order::new(),
        }
    }

    /// Datagrams waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a datagram, these bytes of `shared`, which stay there until the next [`Self::flush`]; drops and counts it when
    /// the socket has been full for too long.
    pub fn push(
        &mut self,
        call: Option<CallKey>,
        to: &SocketAddr,
        shared: &[u8],
        bytes: Range<usize>,
        counts: &mut TransportCounts,
    ) {
        let len = bytes.len();
        if self.items.len() >= MAX_QUEUED || self.kept.len() + len > MAX_QUEUED_BYTES {
            counts.send_dropped += 1;
            return;
        }
        let mut off = bytes.start;
        if !self.kept.is_empty() {
            off = self.kept.len();
            self.kept
                .extend_from_slice(shared.get(bytes).unwrap_or_default());
        }
        self.items.push(Outgoing { off, len, to: *to });
        self.calls.push(call);
    }

    /// Sends until all is out or the socket is full. `done` sees each datagram that is dealt with, whether it was sent,
    /// whose it is, and where it goes. Afterwards nothing in `shared` is needed any more.
    pub fn flush(
        &mut self,
        socket: &UdpSocket,
        shared: &[u8],
        counts: &mut TransportCounts,
        refused: &mut Vec<Refused>,
        mut done: impl FnMut(&[u8], bool, Option<CallKey>, SocketAddr),
    ) {
        if self.items.is_empty() {
            return;
        }
        self.order.arrange(&mut self.items, &mut self.calls);
        let first_refused = refused.len();
        let mut failed = Vec::new();
        let arena = if self.kept.is_empty() {
            shared
        } else {
            &self.kept
        };
        let outcome = self
            .sender
            .send(socket, arena, &self.items, &mut |index, error| {
                failed.push(index);
                refused.push(Refused {
                    call: self.calls[index],
                    to: self.items[index].to,
                    error,
                });
            });
        debug_assert_eq!(refused.len() - first_refused, failed.len());
        counts.send_calls += u64::from(outcome.calls);
        counts.icmp_errors += u64::from(outcome.icmp_errors);
        counts.send_errors += failed.len() as u64;
        let mut failed = failed.into_iter().peekable();
        for (index, item) in self.items.iter().take(outcome.done).enumerate() {
            let sent = failed.next_if_eq(&index).is_none();
            if sent {
                counts.sent += 1;
                counts.sent_bytes += item.len as u64;
            }
            done(item.bytes(arena), sent, self.calls[index], item.to);
        }
        if outcome.done == self.items.len() {
            self.kept.clear();
            self.items.clear();
            self.calls.clear();
            return;
        }
        counts.congested += 1;
        self.items.drain(..outcome.done);
        self.calls.drain(..outcome.done);
        if self.kept.is_empty() {
            for item in &mut self.items {
                let off = self.kept.len();
                self.kept.extend_from_slice(item.bytes(shared));
                item.off = off;
            }
            return;
        }
        let gone = self.items.iter().map(|item| item.off).min().unwrap_or(0);
        self.kept.drain(..gone);
        for item in &mut self.items {
            item.off -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(ip: &str, port: u16) -> LocalConfig {
        LocalConfig {
            ip: Some(ip.parse().expect("ip")),
            port: Some(port),
            bind_local: false,
        }
    }

    #[test]
    fn a_taken_port_is_an_error_that_says_so() {
        let first = bind(&local("127.0.0.1", 0), &SocketConfig::default(), None).expect("it binds");
        let taken = bind(
            &local("127.0.0.1", first.address.port()),
            &SocketConfig::default(),
            None,
        );
        let error = taken.expect_err("the port is taken");
        assert!(error.is_address_in_use(), "{error}");
        assert!(
            error.to_string().contains(&first.address.to_string()),
            "{error}"
        );
    }

    #[test]
    fn without_a_port_one_of_sipps_range_or_the_systems_is_taken() {
        let free = LocalConfig {
            ip: Some("127.0.0.1".parse().expect("ip")),
            port: None,
            bind_local: false,
        };
        let first = bind(&free, &SocketConfig::default(), None).expect("it binds");
        let second = bind(&free, &SocketConfig::default(), None).expect("it binds");
        assert_ne!(first.address.port(), second.address.port());
        assert_ne!(second.address.port(), 0);
    }

    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    #[test]
    fn the_family_follows_the_remote_side() {
        let any = LocalConfig {
            port: Some(0),
            ..LocalConfig::default()
        };
        let v4 = bind(
            &any,
            &SocketConfig::default(),
            Some("127.0.0.1:5060".parse().expect("address")),
        )
        .expect("v4");
        assert_eq!(
            (v4.address.ip(), v4.local_ip),
            (any_address(false), "127.0.0.1".parse().expect("ip"))
        );
        match bind(
            &any,
            &SocketConfig::default(),
            Some("[::1]:5060".parse().expect("address")),
        ) {
            Ok(v6) => assert_eq!(
                (v6.address.ip(), v6.local_ip),
                (any_address(true), "::1".parse().expect("ip"))
            ),
            Err(error) => eprintln!("skipped: no IPv6 loopback on this machine ({error})"),
        }
        let mixed = bind(
            &local("127.0.0.1", 0),
            &SocketConfig::default(),
            Some("[::1]:1".parse().expect("address")),
        );
        assert!(matches!(mixed, Err(Error::Family { .. })));
    }

    #[test]
    fn buffers_are_reported_as_the_kernel_granted_them() {
        let options = SocketConfig {
            buffer_bytes: Some(65_536),
            ..SocketConfig::default()
        };
        let bound = bind(&local("127.0.0.1", 0), &options, None).expect("it binds");
        assert!(
            bound.recv_buffer_bytes >= 65_536 && bound.send_buffer_bytes >= 65_536,
            "{bound:?}"
        );
    }

    #[test]
    fn refused_datagrams_are_reported_with_their_call_and_the_others_go() {
        let bound = bind(&local("127.0.0.1", 0), &SocketConfig::default(), None).expect("it binds");
        let (mut counts, mut refused, mut seen) =
            (TransportCounts::default(), Vec::new(), Vec::new());
        let mut outbox = Outbox::new(Backend::Auto);
        let v6: SocketAddr = "[::1]:9".parse().expect("address");
        let shared = b"onetwothree";
        let mut push = |call, to, bytes| outbox.push(call, to, shared, bytes, &mut counts);
        push(None, &bound.address, 0..3);
        push(Some(CallKey::default()), &v6, 3..6);
        push(None, &bound.address, 6..11);
        let socket = bound.socket.as_ref().expect("a socket");
        outbox.flush(
            socket,
            shared,
            &mut counts,
            &mut refused,
            |bytes, sent, _, _| seen.push((bytes.to_vec(), sent)),
        );
        assert!(outbox.is_empty());
        assert_eq!(
            seen,
            [
                (b"one".to_vec(), true),
                (b"two".to_vec(), false),
                (b"three".to_vec(), true)
            ]
        );
        assert_eq!(
            refused.iter().map(|r| (r.call, r.to)).collect::<Vec<_>>(),
            [(Some(CallKey::default()), v6)]
        );
        assert_eq!(
            (counts.sent, counts.sent_bytes, counts.send_errors),
            (2, 8, 1)
        );
    }

    #[test]
    fn the_queue_behind_a_full_socket_is_bounded() {
        let mut counts = TransportCounts::default();
        let mut outbox = Outbox::new(Backend::Auto);
        for _ in 0..MAX_QUEUED + 5 {
            outbox.push(
                None,
                &"127.0.0.1:9".parse().expect("address"),
                b"x",
                0..1,
                &mut counts,
            );
        }
        assert_eq!((outbox.len(), counts.send_dropped), (MAX_QUEUED, 5));
    }
}
