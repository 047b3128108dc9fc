// SPDX-License-Identifier: AGPL-3.0-only
//! The control socket: keys and commands in datagrams.
//!
//! Nothing is answered, as in SIPp. A datagram holds one key, or `c` and one command.

use crate::flags::running::ControlAddress;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::time::Duration;

/// First port that is tried.
const FIRST_PORT: u16 = 8888;
/// How many are.
const PORTS: u16 = 60;

/// Longest datagram that is read; no command is near it.
const LONGEST: usize = 512;

/// How long a socket in trouble is left alone.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// What became of opening the socket.
#[derive(Debug)]
pub(crate) enum Opened {
    /// It is open.
    Open(ControlSocket),
    /// None of the usual ports is free.
    NoneFree,
}

/// The socket.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    socket: tokio::net::UdpSocket,
    buffer: Box<[u8; LONGEST]>,
}

impl ControlSocket {
    /// Binds it; to be called within a reactor.
    ///
    /// # Errors
    /// When the port that was named cannot be had, or the system refuses any.
    pub(crate) fn open(address: ControlAddress) -> io::Result<Opened> {
        let socket = match address.port {
            Some(port) => UdpSocket::bind((address.ip, port))?,
            None => {
                let mut tried = (FIRST_PORT..FIRST_PORT + PORTS)
                    .map(|port| UdpSocket::bind((address.ip, port)));
                let bound = tried.find(|bound| match bound {
                    Err(error) => error.kind() != ErrorKind::AddrInUse,
                    Ok(_) => true,
                });
                let Some(bound) = bound else {
                    return Ok(Opened::NoneFree);
                };
                bound?
            }
        };
        socket.set_nonblocking(true)?;
        Ok(Opened::Open(Self {
            socket: tokio::net::UdpSocket::from_std(socket)?,
            buffer: Box::new([0; LONGEST]),
        }))
    }

    /// The next datagram that holds something.
    pub(crate) async fn next(&mut self) -> &[u8] {
        loop {
            match self.socket.recv_from(&mut self.buffer[..]).await {
                Ok((0, _)) => {}
                Ok((length, _)) => return &self.buffer[..length],
                // Nothing can be done about it; but one that stays must not keep the run's loop busy.
                Err(_) => tokio::time::sleep(AFTER_ERROR).await,
            }
        }
    }
}
