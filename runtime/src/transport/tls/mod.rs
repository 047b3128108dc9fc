// SPDX-License-Identifier: AGPL-3.0-only
//! TLS over a byte stream, as client and as server (RFC 8446, RFC 5246), with rustls.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `files` | PEM files to certificates, keys and revocation lists; what is wrong with them |
//! | `verify` | which certificates of peers are taken |
//! | `tickets` | sessions that a client can resume |
//! | `key_log` | secrets for Wireshark |
//! | `explain` | a handshake that failed, in words with a remedy |
//!
//! Everything is read once, before the run: [`TlsClient`] and [`TlsServer`] are cheap to clone and to start a connection
//! with. Not for: waiting, limits on time and number; those belong to whoever owns the connection.
//!
//! Versions are 1.2 and 1.3. SIPp also speaks 1.0 and 1.1, which no maintained TLS library for this language does and
//! RFC 8996 forbids.

mod explain;
mod files;
mod key_log;
#[cfg(test)]
mod tests;
mod tickets;
mod verify;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, ClientConfig, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) use explain::broken;
pub use explain::explain;
pub use files::TlsError;

/// Tickets that a server gives with a new connection. One is what the next connection of that client needs.
const TICKETS_PER_CONNECTION: usize = 1;

/// What the command line says about TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// `-tls_cert`: our certificate, followed by those that lead to an authority.
    pub certificate: Option<PathBuf>,
    /// `-tls_key`: the key of the certificate; looked for in the file of the certificate otherwise.
    pub key: Option<PathBuf>,
    /// `-tls_ca`: the authorities that peers are checked against.
    pub authorities: Option<PathBuf>,
    /// `-tls_crl`: lists of certificates that are revoked.
    pub revoked: Option<PathBuf>,
    /// `-tls_version`: the only version to speak; both otherwise.
    pub version: Option<TlsVersion>,
    /// What is asked of a peer's certificate.
    pub check: PeerCheck,
    /// `-tls_resume`: connections resume the session of an earlier one where the other side agrees.
    pub resume: bool,
    /// `SSLKEYLOGFILE`: where the secrets of each connection are written, for who captures the traffic.
    pub key_log: Option<PathBuf>,
}

/// What is asked of a peer's certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeerCheck {
    /// Nothing: clients take any server, servers ask clients for none.
    #[default]
    Nothing,
    /// It comes from one of the authorities, is valid today and not revoked. Servers insist that clients have one.
    Chain,
    /// That, and a server's names the host that was asked for. Without a file of authorities a client takes those of the
    /// system, and a server asks for nothing.
    ChainAndName,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl FromStr for TlsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "1.2" => Ok(Self::V1_2),
            "1.3" => Ok(Self::V1_3),
            "1.0" | "1.1" => Err(format!(
                "TLS {text} is not supported: it was withdrawn by RFC 8996; use 1.2 or 1.3"
            )),
            _ => Err(format!("`{text}` is no version of TLS; use 1.2 or 1.3")),
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        })
    }
}

fn versions(only: Option<TlsVersion>) -> &'static [&'static SupportedProtocolVersion] {
    static V1_2: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
    static V1_3: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
    match only {
        None => rustls::ALL_VERSIONS,
        Some(TlsVersion::V1_2) => V1_2,
        Some(TlsVersion::V1_3) => V1_3,
    }
}

/// What the library computes with. Suites with AES-128 come first: a handshake consists of hashing for a good part, and
/// theirs is SHA-256, for which processors have instructions.
// PERF: with AES-256, hence SHA-384, in front hashing took 11 % of a client's time per new connection (November 2026).
fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    Arc::new(provider)
}

/// The side that connects.
#[derive(Clone)]
pub struct TlsClient {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl TlsClient {
    /// Reads the files. `host` is the name the author used for the server, `address` what it stands for: a name goes to
    /// the server (RFC 6066 §3) and is compared with its certificate, an address only the latter.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn new(config: &TlsConfig, host: &str, address: IpAddr) -> Result<Self, TlsError> {
        Self::speaking(config, host, address, &[])
    }

    /// The same, for one of these protocols (RFC 7301).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn speaking(
        config: &TlsConfig,
        host: &str,
        address: IpAddr,
        protocols: &[&[u8]],
    ) -> Result<Self, TlsError> {
        let provider = provider();
        let identity = identity(config, &provider)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(config.version))
            .map_err(TlsError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(verify::of_servers(config, &provider)?);
        let mut client = match identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => builder.with_no_client_auth(),
        };
        client.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        client.resumption = if config.resume {
            Resumption::store(Arc::new(tickets::Tickets::default()))
        } else {
            Resumption::disabled()
        };
        if let Some(path) = &config.key_log {
            client.key_log = Arc::new(key_log::KeyLogFile::open(path)?);
        }
        let name = match host.parse::<IpAddr>() {
            Ok(ip) => ServerName::from(ip),
            // A name that DNS does not know, say of the hosts file with an odd character, cannot be sent.
            Err(_) => {
                ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::from(address))
            }
        };
        Ok(Self {
            connector: Arc::new(client).into(),
            name,
        })
    }

    /// Shakes hands over a connection to the server.
    ///
    /// # Errors
    /// When the connection breaks or one side does not accept the other; see [`explain`].
    pub async fn connect<S>(&self, stream: S) -> io::Result<tokio_rustls::client::TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connector.connect(self.name.clone(), stream).await
    }
}

/// The side that is connected to.
#[derive(Clone)]
pub struct TlsServer {
    acceptor: TlsAcceptor,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

impl TlsServer {
    /// Reads the files.
    ///
    /// # Errors
    /// When there is no certificate, or a file cannot be used.
    pub fn new(config: &TlsConfig) -> Result<Self, TlsError> {
        let provider = provider();
        let identity = identity(config, &provider)?.ok_or(TlsError::NoIdentity)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(config.version))
            .map_err(TlsError::Setup)?;
        let mut server = match verify::of_clients(config, &provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        }
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        // Sessions live in the tickets that clients keep, so that a million clients cost the server nothing.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        if config.resume {
            server.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
            server.send_tls13_tickets = TICKETS_PER_CONNECTION;
        }
        if let Some(path) = &config.key_log {
            server.key_log = Arc::new(key_log::KeyLogFile::open(path)?);
        }
        Ok(Self {
            acceptor: Arc::new(server).into(),
        })
    }

    /// Shakes hands with a client that has connected.
    ///
    /// # Errors
    /// When the connection breaks or one side does not accept the other; see [`explain`].
    pub async fn accept<S>(&self, stream: S) -> io::Result<tokio_rustls::server::TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream).await
    }
}

/// Our certificate with its key, if the command line names one.
fn identity(
    config: &TlsConfig,
    provider: &CryptoProvider,
) -> Result<Option<CertifiedKey>, TlsError> {
    let Some(certificate) = &config.certificate else {
        return match &config.key {
            Some(key) => Err(TlsError::KeyAlone { key: key.clone() }),
            None => Ok(None),
        };
    };
    let key_file = config.key.as_ref().unwrap_or(certificate);
    files::identity(certificate, key_file, provider).map(Some)
}
