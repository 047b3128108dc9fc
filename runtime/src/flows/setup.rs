// SPDX-License-Identifier: AGPL-3.0-only
//! What a table of flows begins with, and what of it each of several shards gets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gossipper_vm::Micros;

use super::dial::{SocketOptions, listen_beside};
use super::wrap::Wrap;
use crate::error::Error;
use crate::hep::Locals;

/// What flows are made of.
#[derive(Clone, Debug)]
pub(crate) enum Make {
    /// Connections.
    Streams(Wrap),
    /// UDP sockets, one per call.
    Datagrams,
}

/// Everything a table begins with.
#[derive(Debug)]
pub(crate) struct FlowSetup {
    pub(crate) make: Make,
    pub(crate) sockets: SocketOptions,
    /// Where peers connect to.
    pub(crate) listener: Option<TcpListener>,
    /// Where the one connection of the run goes.
    pub(crate) main: Option<SocketAddr>,
    /// Flows that may be there at once (`-max_socket`).
    pub(crate) most: usize,
    /// Whose table it is, of several shards.
    pub(crate) shard: usize,
    /// Connections that may be made anew.
    pub(crate) reconnects: Reconnects,
    /// How long before one is (`-reconnect_sleep`).
    pub(crate) reconnect_sleep: Duration,
    /// Calls end with their connection (`-reconnect_close`).
    pub(crate) reconnect_close: bool,
    /// How long a message may wait for a peer that does not read (`-send_timeout`).
    pub(crate) send_timeout: Option<Micros>,
    /// Largest message.
    pub(crate) max_message: usize,
    /// Where our ends are noted, if somebody wants to know.
    pub(crate) locals: Option<Locals>,
}

/// Connections that may be made anew in a run (`-max_reconnect`), on all its shards together.
#[derive(Clone, Debug)]
pub(crate) struct Reconnects(Option<Arc<AtomicU32>>);

impl Reconnects {
    /// So many; `None` is any number.
    pub(crate) fn new(count: Option<u32>) -> Self {
        Self(count.map(|count| Arc::new(AtomicU32::new(count))))
    }

    /// Uses one up, if there is one.
    pub(super) fn take(&self) -> bool {
        let Some(left) = &self.0 else {
            return true;
        };
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    }
}

impl FlowSetup {
    /// What each of several shards gets: a listener of its own at the address of this one, and its part of the sockets.
    ///
    /// # Errors
    /// When the system refuses another listener there.
    pub(crate) fn split(mut self, shards: usize) -> Result<Vec<Self>, Error> {
        let listener = self.listener.take();
        let mut listeners = Vec::new();
        if let Some(first) = listener {
            listeners = beside(first, &self.sockets, shards)?;
        }
        let mut listeners = listeners.into_iter();
        let (each, over) = (self.most / shards, self.most % shards);
        let part = |shard| Self {
            make: self.make.clone(),
            sockets: self.sockets.clone(),
            listener: listeners.next(),
            main: self.main.filter(|_| shard == 0),
            most: (each + usize::from(shard < over)).max(1),
            shard,
            reconnects: self.reconnects.clone(),
            reconnect_sleep: self.reconnect_sleep,
            reconnect_close: self.reconnect_close,
            send_timeout: self.send_timeout,
            max_message: self.max_message,
            locals: self.locals.clone(),
        };
        Ok((0..shards).map(part).collect())
    }
}

/// Listeners at the address of the first one, which comes first.
fn beside(
    first: TcpListener,
    sockets: &SocketOptions,
    count: usize,
) -> Result<Vec<TcpListener>, Error> {
    let address = first.local_addr().map_err(|source| Error::Listen {
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        source,
    })?;
    let mut listeners = vec![first];
    for _ in 1..count {
        let another = listen_beside(&listeners[0], address, sockets.device.as_deref());
        listeners.push(another.map_err(|source| Error::Listen { address, source })?);
    }
    Ok(listeners)
}

impl Make {
    pub(super) fn wrap(&self) -> io::Result<Wrap> {
        match self {
            Self::Streams(wrap) => Ok(wrap.clone()),
            Self::Datagrams => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
