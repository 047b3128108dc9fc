// SPDX-License-Identifier: AGPL-3.0-only
//! What is put around a connected TCP stream before messages go through it.
//!
//! The place for handshakes and upgrades. [`Wrap::Plain`] is TCP: nothing. TLS and WebSocket are in
//! [`crate::transport`]; here they meet the streams, and their errors become sentences.

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gossipper_control::ConnectionCounts;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::HandshakeKind;

use super::link::{Link, StreamLink};
use super::ws::WsLink;
use crate::config::StreamKind;
use crate::error::Error;
use crate::transport::tls::{TlsClient, TlsConfig, TlsServer, explain};
use crate::transport::ws::frame::Side;
use crate::transport::ws::{WsConfig, open};

/// How long a handshake may take.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who connects to whom in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a> {
    /// The scenario waits for calls: what servers need must be there.
    pub(crate) serves: bool,
    /// The remote host as the author wrote it; empty for none.
    pub(crate) host: &'a [u8],
    /// Its port.
    pub(crate) port: u16,
    /// Where connections go, if somewhere.
    pub(crate) calls: Option<SocketAddr>,
}

/// How streams of a run become links.
#[derive(Clone, Debug)]
pub(crate) enum Wrap {
    /// They are as they are.
    Plain,
    /// TLS.
    Tls(TlsEnds),
    /// WebSocket, which may be over TLS.
    Ws(Arc<WsEnd>, Option<TlsEnds>),
}

/// Both sides of TLS, as far as a run has them.
#[derive(Clone, Debug)]
pub(crate) struct TlsEnds {
    client: Option<TlsClient>,
    server: Option<TlsServer>,
    tally: Arc<Handshakes>,
}

/// How TLS handshakes ended. They are all made on one thread; it is their tasks that share this.
#[derive(Debug, Default)]
struct Handshakes {
    full: AtomicU64,
    resumed: AtomicU64,
    failed: AtomicU64,
}

impl Handshakes {
    fn ended(&self, kind: Option<HandshakeKind>) {
        let count = match kind {
            Some(HandshakeKind::Resumed) => &self.resumed,
            Some(_) => &self.full,
            None => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// WebSocket.
#[derive(Debug)]
pub(crate) struct WsEnd {
    config: WsConfig,
    /// What the Host header says.
    authority: String,
}

impl TlsEnds {
    fn new(config: &TlsConfig, ends: &Ends<'_>) -> Result<Self, Error> {
        let host = String::from_utf8_lossy(ends.host);
        let client = ends.calls.map(|address| {
            let ip = address.ip();
            if host.is_empty() {
                TlsClient::new(config, &ip.to_string(), ip)
            } else {
                TlsClient::new(config, &host, ip)
            }
        });
        // A client listens as well, but nobody has to connect to it.
        let serves = ends.serves || config.certificate.is_some();
        Ok(Self {
            client: client.transpose()?,
            server: serves.then(|| TlsServer::new(config)).transpose()?,
            tally: Arc::default(),
        })
    }

    async fn connect(
        self,
        stream: TcpStream,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let Some(client) = self.client else {
            return Err(io::Error::other("this side only answers"));
        };
        let made = client.connect(stream).await;
        let kind = made
            .as_ref()
            .ok()
            .and_then(|s| s.get_ref().1.handshake_kind());
        self.tally.ended(kind);
        made.map_err(explained)
    }

    async fn accept(
        self,
        stream: TcpStream,
    ) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        let Some(server) = self.server else {
            return Err(io::Error::other(
                "to be connected to over TLS this side needs a certificate (-tls_cert, -tls_key)",
            ));
        };
        let made = server.accept(stream).await;
        let kind = made
            .as_ref()
            .ok()
            .and_then(|s| s.get_ref().1.handshake_kind());
        self.tally.ended(kind);
        made.map_err(explained)
    }
}

fn explained(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), explain(&error))
}

impl WsEnd {
    fn new(config: &WsConfig, ends: &Ends<'_>) -> Self {
        let host = String::from_utf8_lossy(ends.host);
        let host = match ends.calls {
            Some(address) if host.is_empty() => address.ip().to_string(),
            _ => host.into_owned(),
        };
        // RFC 3986 §3.2.2.
        let authority = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]:{}", ends.port)
        } else {
            format!("{host}:{}", ends.port)
        };
        Self {
            config: config.clone(),
            authority,
        }
    }

    async fn connect<S>(
        &self,
        mut stream: S,
        peer: SocketAddr,
        limit: usize,
    ) -> io::Result<Box<dyn Link>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static,
    {
        let (first, second) = (random(), random());
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&first.to_ne_bytes());
        nonce[8..].copy_from_slice(&second.to_ne_bytes());
        let rest = open::connect(&mut stream, &self.config, &self.authority, nonce).await?;
        let link = WsLink::new(stream, peer, Side::Client, rest, limit, random());
        Ok(Box::new(link))
    }

    async fn accept<S>(
        &self,
        mut stream: S,
        peer: SocketAddr,
        limit: usize,
    ) -> io::Result<Box<dyn Link>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static,
    {
        let rest = open::accept(&mut stream, &self.config).await?;
        let link = WsLink::new(stream, peer, Side::Server, rest, limit, 0);
        Ok(Box::new(link))
    }
}

/// A number that peers do not guess: keys and masks ask for it (RFC 6455 §10.3), of which no secret hangs.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Wrap {
    /// What a kind of stream needs; once per run.
    ///
    /// # Errors
    /// When something that it needs (a certificate, a key) cannot be had.
    pub(crate) fn of(kind: &StreamKind, ends: &Ends<'_>) -> Result<Self, Error> {
        Ok(match kind {
            StreamKind::Tcp => Self::Plain,
            StreamKind::Tls(tls) => Self::Tls(TlsEnds::new(tls, ends)?),
            StreamKind::Ws(ws) => Self::Ws(Arc::new(WsEnd::new(ws, ends)), None),
            StreamKind::Wss(tls, ws) => Self::Ws(
                Arc::new(WsEnd::new(ws, ends)),
                Some(TlsEnds::new(tls, ends)?),
            ),
        })
    }

    /// Takes over how TLS handshakes have ended so far.
    pub(super) fn tell_handshakes(&self, counts: &mut ConnectionCounts) {
        let (Self::Tls(tls) | Self::Ws(_, Some(tls))) = self else {
            return;
        };
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        counts.tls_full = count(&tls.tally.full);
        counts.tls_resumed = count(&tls.tally.resumed);
        counts.tls_failed = count(&tls.tally.failed);
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
            Self::Tls(tls) => {
                let stream = tls.connect(stream).await?;
                Ok(Box::new(StreamLink::new(stream, peer, limit)))
            }
            Self::Ws(ws, None) => ws.connect(stream, peer, limit).await,
            Self::Ws(ws, Some(tls)) => ws.connect(tls.connect(stream).await?, peer, limit).await,
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
            Self::Tls(tls) => {
                let stream = tls.accept(stream).await?;
                Ok(Box::new(StreamLink::new(stream, peer, limit)))
            }
            Self::Ws(ws, None) => ws.accept(stream, peer, limit).await,
            Self::Ws(ws, Some(tls)) => ws.accept(tls.accept(stream).await?, peer, limit).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_has_brackets_where_an_address_needs_them() {
        let authority = |host: &str, calls: &str| {
            let ends = Ends {
                serves: false,
                host: host.as_bytes(),
                port: 5080,
                calls: calls.parse().ok(),
            };
            WsEnd::new(&WsConfig::default(), &ends).authority
        };
        assert_eq!(
            authority("sip.example.com", "192.0.2.1:5080"),
            "sip.example.com:5080"
        );
        assert_eq!(authority("::1", "[::1]:5080"), "[::1]:5080");
        assert_eq!(authority("[::1]", "[::1]:5080"), "[::1]:5080");
        assert_eq!(authority("", "192.0.2.1:5080"), "192.0.2.1:5080");
    }

    #[test]
    fn keys_and_masks_differ() {
        assert_ne!(random(), random());
    }
}
