// SPDX-License-Identifier: AGPL-3.0-only
//! Which certificates of peers are taken.
//!
//! Where nothing is checked the peer still has to own the certificate it shows. Where the chain is checked, names are not
//! unless asked for, as in SIPp; and a certificate that is itself in the file of authorities is taken, as OpenSSL does,
//! which is what makes one self-signed certificate for everything work.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::files;
use super::{PeerCheck, TlsConfig, TlsError};

/// Authorities, and their certificates as they stand in the file.
struct Trusted {
    roots: Arc<RootCertStore>,
    own: Vec<CertificateDer<'static>>,
}

fn from_file(path: &Path) -> Result<Trusted, TlsError> {
    let own = files::authorities(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in &own {
        roots
            .add(certificate.clone())
            .map_err(|error| TlsError::Authority {
                path: path.to_owned(),
                reason: match error {
                    Error::InvalidCertificate(reason) => reason.to_string(),
                    other => other.to_string(),
                },
            })?;
    }
    Ok(Trusted {
        roots: Arc::new(roots),
        own,
    })
}

fn from_system() -> Result<Trusted, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Collections of systems have odd ones among them.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found
            .errors
            .first()
            .map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsError::NoSystemAuthorities { reason });
    }
    Ok(Trusted {
        roots: Arc::new(roots),
        own: Vec::new(),
    })
}

/// The verifier of a client.
pub(super) fn of_servers(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let trusted = match (config.check, &config.authorities) {
        (PeerCheck::Nothing, _) => {
            return Ok(Arc::new(AnyServer(
                provider.signature_verification_algorithms,
            )));
        }
        (_, Some(path)) => from_file(path)?,
        (_, None) if config.revoked.is_some() => return Err(TlsError::RevokedAlone),
        (_, None) => from_system()?,
    };
    let mut builder =
        WebPkiServerVerifier::builder_with_provider(trusted.roots, Arc::clone(provider));
    if let Some(path) = &config.revoked {
        builder = builder
            .with_crls(files::revocation_lists(path)?)
            .enforce_revocation_expiration();
    }
    let chain = builder
        .build()
        .map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
    Ok(Arc::new(KnownServer {
        chain,
        own: trusted.own,
        names: config.check == PeerCheck::ChainAndName,
    }))
}

/// The verifier of a server, if it asks clients for certificates.
pub(super) fn of_clients(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(path) = config
        .authorities
        .as_ref()
        .filter(|_| config.check != PeerCheck::Nothing)
    else {
        return if config.revoked.is_some() && config.check != PeerCheck::Nothing {
            Err(TlsError::RevokedAlone)
        } else {
            Ok(None)
        };
    };
    let trusted = from_file(path)?;
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(trusted.roots, Arc::clone(provider));
    if let Some(path) = &config.revoked {
        builder = builder
            .with_crls(files::revocation_lists(path)?)
            .enforce_revocation_expiration();
    }
    let chain = builder
        .build()
        .map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
    Ok(Some(Arc::new(KnownClient {
        chain,
        own: trusted.own,
    })))
}

/// Whether the one thing wrong with a certificate is that it is an authority's, and that one is trusted.
///
/// Validity was looked at before that; a chain there is none.
fn is_own(own: &[CertificateDer<'_>], shown: &CertificateDer<'_>, error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(reason)) = error else {
        return false;
    };
    matches!(
        reason.0.downcast_ref::<webpki::Error>(),
        Some(webpki::Error::CaUsedAsEndEntity)
    ) && own.iter().any(|one| one == shown)
}

/// Any server, as long as it owns the certificate it shows.
#[derive(Debug)]
struct AnyServer(WebPkiSupportedAlgorithms);

/// Lets certificates pass that cannot be read: nothing was asked of them, and in labs many are of X.509 version 1.
fn or_unreadable(
    result: Result<HandshakeSignatureValid, Error>,
) -> Result<HandshakeSignatureValid, Error> {
    match result {
        Err(Error::InvalidCertificate(
            CertificateError::BadEncoding | CertificateError::Other(_),
        )) => Ok(HandshakeSignatureValid::assertion()),
        other => other,
    }
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        or_unreadable(verify_tls12_signature(message, cert, signature, &self.0))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        or_unreadable(verify_tls13_signature(message, cert, signature, &self.0))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// The methods that have nothing to do with chains and names: whether the peer owns the certificate.
macro_rules! signatures_as_the_chain_does {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.chain.verify_tls12_signature(message, cert, signature)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.chain.verify_tls13_signature(message, cert, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.chain.supported_verify_schemes()
        }
    };
}

/// A server of the authorities.
#[derive(Debug)]
struct KnownServer {
    chain: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
    names: bool,
}

impl ServerCertVerifier for KnownServer {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result = self
            .chain
            .verify_server_cert(shown, intermediates, name, ocsp_response, now);
        match result {
            // The library compares names last: everything else is in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            Err(error) if is_own(&self.own, shown, &error) => {
                if self.names {
                    let parsed = rustls::server::ParsedCertificate::try_from(shown)?;
                    rustls::client::verify_server_name(&parsed, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    signatures_as_the_chain_does!();
}

/// A client of the authorities.
#[derive(Debug)]
struct KnownClient {
    chain: Arc<dyn ClientCertVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for KnownClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.chain.verify_client_cert(shown, intermediates, now) {
            Err(error) if is_own(&self.own, shown, &error) => Ok(ClientCertVerified::assertion()),
            other => other,
        }
    }

    signatures_as_the_chain_does!();
}
