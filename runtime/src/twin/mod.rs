// SPDX-License-Identifier: AGPL-3.0-only
//! Twins: the connections over which instances that share their calls command each other (3PCC).
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | who connects to whom, and what must be there before the run |
//! | `frame` | commands in a stream of bytes |
//! | `links` | the connections of a running shard |
//!
//! Rules, as in SIPp: controller A connects when it starts and must find its twin; controller B listens and takes one
//! connection. Among several peers everybody listens, and commands go out over connections of one's own: the master
//! makes them when it starts, a slave when it is first connected to.

mod frame;
mod links;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use gossipper_bytecode::PeerId;

use crate::error::Error;

pub use frame::MAX_COMMAND_BYTES;
pub(crate) use links::{Event, Links};

/// How long a twin may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that are accepted from peers with names (SIPp's limit).
const NAMED_CONNECTIONS: usize = 10;

/// The twins of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TwinConfig {
    /// `-3pcc`, the side that commands first: connect there.
    Connect(SocketAddr),
    /// `-3pcc`, the side that is commanded: listen on the port of this address, on any address of its family.
    Listen(SocketAddr),
    /// `-master`, `-slave`.
    Named {
        /// The address of this instance.
        listen: SocketAddr,
        /// The peers that the scenario's commands go to.
        peers: Vec<TwinPeer>,
        /// Whether they are connected to at the start; otherwise when somebody connects first.
        connects_first: bool,
    },
}

/// A peer with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinPeer {
    /// Its number in the program.
    pub id: PeerId,
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What ends when a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bond {
    /// No new calls; those that are open go on.
    Calls,
    /// All calls.
    Run,
}

/// Connections and sockets as they are when the run starts.
#[derive(Debug)]
pub(crate) struct Opened {
    listener: Option<TcpListener>,
    /// How many connections the listener takes.
    accepts: usize,
    connected: Vec<(Option<PeerId>, TcpStream)>,
    /// Peers to connect to when somebody connects.
    later: Vec<TwinPeer>,
    named: bool,
    bond: Bond,
    /// Whether the twins may close first when the run ends: the side that commands is done before the other.
    lingers: bool,
}

/// Listens and connects as far as that happens before the run.
///
/// # Errors
/// When the address to listen on is taken, or a twin that must be there is not.
pub(crate) fn open(config: &TwinConfig) -> Result<Opened, Error> {
    let mut opened = Opened {
        listener: None,
        accepts: 0,
        connected: Vec::new(),
        later: Vec::new(),
        named: false,
        bond: Bond::Run,
        lingers: false,
    };
    match config {
        TwinConfig::Connect(address) => {
            opened
                .connected
                .push((None, connect(*address, "the twin")?));
            opened.bond = Bond::Calls;
            opened.lingers = true;
        }
        TwinConfig::Listen(address) => {
            let any = if address.is_ipv4() {
                Ipv4Addr::UNSPECIFIED.into()
            } else {
                Ipv6Addr::UNSPECIFIED.into()
            };
            opened.listener = Some(listen(SocketAddr::new(any, address.port()))?);
            opened.accepts = 1;
        }
        TwinConfig::Named {
            listen: address,
            peers,
            connects_first,
        } => {
            opened.named = true;
            opened.accepts = NAMED_CONNECTIONS;
            opened.listener = Some(listen(*address)?);
            opened.lingers = *connects_first;
            if *connects_first {
                for peer in peers {
                    let what = format!("the peer `{}`", peer.name);
                    let stream = connect(peer.address, &what)?;
                    opened.connected.push((Some(peer.id), stream));
                }
            } else {
                opened.later.clone_from(peers);
            }
        }
    }
    Ok(opened)
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener =
        TcpListener::bind(address).map_err(|source| Error::TwinListen { address, source })?;
    listener
        .set_nonblocking(true)
        .map_err(|source| Error::TwinListen { address, source })?;
    Ok(listener)
}

fn connect(address: SocketAddr, what: &str) -> Result<TcpStream, Error> {
    let failed = |source| Error::TwinConnect {
        twin: what.to_owned(),
        address,
        source,
    };
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(failed)?;
    stream.set_nonblocking(true).map_err(failed)?;
    Ok(stream)
}
