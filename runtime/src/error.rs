// SPDX-License-Identifier: AGPL-3.0-only
//! What the world can do to a run before and while it goes: sockets, names, files, threads.
//!
//! Every variant keeps the operation, the address or path and what the operating system said. What the author did wrong
//! is a diagnostic of the compiler, what a peer does wrong a `FailReason` of a call; neither is here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use gossipper_vm::LinkError;

use crate::transport::tls::TlsError;

/// Why a run cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket cannot be bound: the port is taken, or the address is not this machine's.
    #[error("cannot bind a UDP socket to {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The address to accept connections at cannot be had.
    #[error("cannot listen for connections on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No two ports for the echo of RTP can be bound.
    #[error("cannot bind two ports for the RTP echo, from {address} upwards: {source}")]
    Echo {
        /// The first address tried.
        address: SocketAddr,
        /// What the system said last.
        source: io::Error,
    },
    /// Streams of calls cannot be bound to their address: it is not this machine's.
    #[error("cannot bind media to {address} (-mi): {source}")]
    MediaAddress {
        /// The address asked for.
        address: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An operation on a socket failed.
    #[error("cannot {operation} the UDP socket of {address}: {source}")]
    Socket {
        /// What was to be done.
        operation: &'static str,
        /// The address of the socket.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A host name has no address.
    #[error("cannot resolve `{host}`: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No way leads to the remote side.
    #[error("no route to {remote}: {source}")]
    NoRoute {
        /// The remote side.
        remote: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// IPv4 and IPv6 cannot be mixed in one run.
    #[error("the local address {local} and the remote address {remote} are of different families")]
    Family {
        /// The local address.
        local: IpAddr,
        /// The remote address.
        remote: IpAddr,
    },
    /// The address to listen on for twins cannot be bound.
    #[error("cannot listen for the twin on {address}: {source}")]
    TwinListen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A twin that must be there is not.
    #[error("cannot connect to {twin} at {address}: {source}; start it first")]
    TwinConnect {
        /// Which one.
        twin: String,
        /// Where it should be.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A log file cannot be opened.
    #[error("cannot open `{}`: {source}", path.display())]
    LogFile {
        /// The file.
        path: PathBuf,
        /// It is a table, not a log.
        table: bool,
        /// What the system said.
        source: io::Error,
    },
    /// A thread or its reactor cannot be started.
    #[error("cannot start the {what}: {source}")]
    Thread {
        /// What was to be started.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A media action cannot be carried out: a file is missing, say.
    #[error("`{what}`, line {line}: {why}")]
    Media {
        /// The action.
        what: &'static str,
        /// Where it stands.
        line: u32,
        /// What is wrong.
        why: String,
    },
    /// Nothing can be sent as it was asked for (`-rtp_send`).
    #[error("rtp_sender: {why}")]
    RtpSender {
        /// What is wrong.
        why: String,
    },
    /// A certificate, a key or another file of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The program does not fit the run's parameters.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl Error {
    /// Whether another program holds the address, which SIPp reports with an exit code of its own.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        matches!(
            self,
            Self::Bind { source, .. }
                | Self::Listen { source, .. }
                | Self::Echo { source, .. }
                | Self::TwinListen { source, .. }
                if source.kind() == io::ErrorKind::AddrInUse
        )
    }
}
