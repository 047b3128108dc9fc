// SPDX-License-Identifier: AGPL-3.0-only
//! Sockets for connections and for single calls, and the listener that peers connect to.
//!
//! A socket is made and its connection begun at once, so that its port is known before the peer has answered.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpStream, UdpSocket};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// What sockets of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct SocketOptions {
    /// The address they are bound to; `None` leaves it to the system.
    pub(crate) from: Option<IpAddr>,
    /// `-p` of a client: the port of its one connection.
    pub(crate) port: Option<u16>,
    /// `-buff_size`.
    pub(crate) buffer_bytes: Option<usize>,
    /// `-bind_to_device`.
    pub(crate) device: Option<String>,
}

impl SocketOptions {
    fn apply(&self, socket: &Socket) -> io::Result<()> {
        if let Some(bytes) = self.buffer_bytes {
            // The system may grant less.
            let _ = socket.set_recv_buffer_size(bytes);
            let _ = socket.set_send_buffer_size(bytes);
        }
        bind_device(socket, self.device.as_deref())?;
        socket.set_nonblocking(true)
    }

    fn bind(&self, socket: &Socket, to: SocketAddr, port: u16) -> io::Result<()> {
        let Some(from) = self
            .from
            .or_else(|| (port != 0).then(|| crate::transport::resolve::any_address(to.is_ipv6())))
        else {
            return Ok(());
        };
        socket.bind(&SocketAddr::new(from, port).into())
    }

    /// Begins a connection; it is made, or has failed, when the socket is writable.
    pub(super) fn connect(&self, to: SocketAddr, port: u16) -> io::Result<std::net::TcpStream> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        if port != 0 {
            // The listener has the same port.
            share_port(&socket)?;
        }
        self.apply(&socket)?;
        if port == 0 {
            // PERF: with 15,000 connections in TIME_WAIT `bind` took 300 µs to find a port (Linux 6.18).
            crate::sys::choose_port_late(&socket);
        }
        self.bind(&socket, to, port)?;
        // Messages are small, and calls wait for them. Without it they come late, and that is all.
        let _ = socket.set_tcp_nodelay(true);
        match socket.connect(&to.into()) {
            Ok(()) => Ok(socket.into()),
            Err(error) if in_progress(&error) => Ok(socket.into()),
            Err(error) => Err(error),
        }
    }

    /// A socket of a call's own.
    pub(super) fn datagram(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
        self.apply(&socket)?;
        let from = self
            .from
            .unwrap_or_else(|| crate::transport::resolve::any_address(to.is_ipv6()));
        socket.bind(&SocketAddr::new(from, 0).into())?;
        UdpSocket::from_std(socket.into())
    }

    /// What a connection that was accepted gets of it.
    pub(super) fn accepted(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        if let Some(bytes) = self.buffer_bytes {
            let socket = SockRef::from(stream);
            let _ = socket.set_recv_buffer_size(bytes);
            let _ = socket.set_send_buffer_size(bytes);
        }
    }
}

/// Keeps a socket on one interface.
///
/// # Errors
/// When there is no such interface, the process may not, or the system cannot.
pub(crate) fn bind_device(socket: &Socket, device: Option<&str>) -> io::Result<()> {
    match device {
        None => Ok(()),
        #[cfg(target_os = "linux")]
        Some(device) => socket
            .bind_device(Some(device.as_bytes()))
            .map_err(|error| {
                io::Error::new(error.kind(), format!("the interface `{device}`: {error}"))
            }),
        #[cfg(not(target_os = "linux"))]
        Some(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system cannot bind a socket to an interface",
        )),
    }
}

fn in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EINPROGRESS)
}

fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    Ok(())
}

/// The socket of a listener.
fn listener(address: SocketAddr, device: Option<&str>) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // No mixing of families in one run.
        socket.set_only_v6(true)?;
    }
    // A run may follow another at once: connections that linger from that one do not hold the port.
    socket.set_reuse_address(true)?;
    bind_device(&socket, device)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Listens at an address. With `shared` a connection of ours may have the same port.
pub(crate) fn listen(
    address: SocketAddr,
    shared: bool,
    device: Option<&str>,
) -> io::Result<TcpListener> {
    let socket = listener(address, device)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    if shared {
        // Only now: two runs that ask for the same port must hear of each other.
        share_port(&socket)?;
    }
    Ok(socket.into())
}

/// Listens at the address of a listener of ours as well: the system deals connections out to both.
pub(super) fn listen_beside(
    first: &TcpListener,
    address: SocketAddr,
    device: Option<&str>,
) -> io::Result<TcpListener> {
    // Only now, as above: another run is to be refused the port.
    share_port(&SockRef::from(first))?;
    let socket = listener(address, device)?;
    share_port(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Waits until a connection that was begun is made.
pub(super) async fn connected(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    let stream = TcpStream::from_std(stream)?;
    stream.writable().await?;
    match stream.take_error()? {
        None => Ok(stream),
        Some(error) => Err(error),
    }
}
