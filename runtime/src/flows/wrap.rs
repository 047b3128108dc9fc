// SPDX-License-Identifier: AGPL-3.0-only
//! What is put around a connected TCP stream before messages go through it.
//!
//! The place for handshakes and upgrades. [`Wrap::Plain`] is TCP: nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::link::{Link, StreamLink};
use crate::config::StreamKind;
use crate::error::Error;

/// How long a handshake may take.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How streams of a run become links.
#[derive(Clone, Debug)]
pub(crate) enum Wrap {
    /// They are as they are.
    Plain,
}

impl Wrap {
    /// What a kind of stream needs; once per run.
    ///
    /// # Errors
    /// When something that it needs (a certificate, a key) cannot be had.
    pub(crate) fn of(kind: &StreamKind) -> Result<Self, Error> {
        match kind {
            StreamKind::Tcp => Ok(Self::Plain),
        }
    }

    /// The link over a stream that we connected to `peer`.
    ///
    /// # Errors
    /// When the peer does not agree, or not in time.
    pub(super) async fn client(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        limit: usize,
    ) -> io::Result<Box<dyn Link>> {
        match self {
            Self::Plain => Ok(Box::new(StreamLink::new(stream, peer, limit))),
        }
    }

    /// The link over a stream that `peer` connected to us.
    ///
    /// # Errors
    /// When the peer does not agree, or not in time.
    pub(super) async fn server(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        limit: usize,
    ) -> io::Result<Box<dyn Link>> {
        match self {
            Self::Plain => Ok(Box::new(StreamLink::new(stream, peer, limit))),
        }
    }
}
