// SPDX-License-Identifier: AGPL-3.0-only
//! PEM files to certificates, keys and revocation lists; what is wrong with them.
//!
//! Every error names the file, says what was found there and what helps.

use std::io;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as RustlsError, InconsistentKeys};

/// Files are small; what is not has been taken for one by mistake.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what} `{}`: {source}", path.display())]
    Read {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not PEM, or damaged.
    #[error("the {what} `{}` is damaged: {reason}", path.display())]
    Damaged {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file holds something else.
    #[error("`{}` holds no {wanted}{hint}", path.display())]
    Missing {
        /// What it should hold.
        wanted: &'static str,
        /// The file.
        path: PathBuf,
        /// What it holds instead, and what helps.
        hint: String,
    },
    /// The key is protected with a pass phrase.
    #[error(
        "the key in `{path}` is encrypted, which is not supported; write it without a pass phrase: \
         openssl pkey -in {path} -out plain.pem",
        path = path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// The key is of a kind or size that TLS does not use any more.
    #[error("the key in `{}` cannot be used ({reason}); use RSA of 2048 bits or more, or EC P-256 or P-384", path.display())]
    KeyUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error("the key in `{}` is not that of the first certificate in `{}`", key.display(), certificate.display())]
    KeyMismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A key without a certificate.
    #[error("-tls_key `{}` needs the certificate it belongs to; add -tls_cert", key.display())]
    KeyAlone {
        /// The file of the key.
        key: PathBuf,
    },
    /// A server without a certificate.
    #[error("a TLS server needs a certificate and its key: -tls_cert FILE -tls_key FILE")]
    NoIdentity,
    /// A certificate of an authority cannot be one.
    #[error("a certificate in `{}` cannot be that of an authority: {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nobody to check against.
    #[error("the system has no certificates of authorities ({reason}); name a file with -tls_ca")]
    NoSystemAuthorities {
        /// What was tried.
        reason: String,
    },
    /// Revocation lists say nothing where nothing is checked.
    #[error("-tls_crl needs the authorities whose certificates it lists; add -tls_ca FILE")]
    RevokedAlone,
    /// The file for secrets cannot be written.
    #[error("cannot open the key log `{}` (SSLKEYLOGFILE): {source}", path.display())]
    KeyLog {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The library refuses.
    #[error("cannot set up TLS: {0}")]
    Setup(#[source] RustlsError),
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read {
        what,
        path: path.to_owned(),
        source,
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(TlsError::Damaged {
            what,
            path: path.to_owned(),
            reason: format!("it has {} bytes", metadata.len()),
        });
    }
    std::fs::read(path).map_err(failed)
}

fn damaged(what: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    let reason = match error {
        pem::Error::MissingSectionEnd { end_marker } => format!(
            "the line `-----END {}-----` is missing",
            String::from_utf8_lossy(end_marker).trim()
        ),
        pem::Error::IllegalSectionStart { line } => format!(
            "`{}` does not begin a section",
            String::from_utf8_lossy(line).trim()
        ),
        pem::Error::Base64Decode(_) => "its base64 does not decode".to_owned(),
        other => other.to_string(),
    };
    TlsError::Damaged {
        what,
        path: path.to_owned(),
        reason,
    }
}

/// The kinds of PEM sections in a text, for the one who took the wrong file.
fn kinds(text: &[u8]) -> Vec<String> {
    let mut kinds = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let kind = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.trim().strip_prefix("-----BEGIN "))
            .and_then(|rest| rest.strip_suffix("-----"));
        if let Some(kind) = kind.filter(|kind| !kinds.iter().any(|known| known == kind)) {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}

fn missing(wanted: &'static str, path: &Path, text: &[u8]) -> TlsError {
    let kinds = kinds(text);
    let hint = if !kinds.is_empty() {
        format!(", but {}", kinds.join(" and "))
    } else if text.is_empty() {
        ": it is empty".to_owned()
    } else if text[0] == 0x30 {
        // The tag of an ASN.1 sequence.
        ": it looks like DER; convert it to PEM with openssl (-inform DER)".to_owned()
    } else {
        ": it is not a PEM file".to_owned()
    };
    TlsError::Missing {
        wanted,
        path: path.to_owned(),
        hint,
    }
}

fn sections<T: PemObject>(
    what: &'static str,
    wanted: &'static str,
    path: &Path,
) -> Result<Vec<T>, TlsError> {
    let text = read(what, path)?;
    let found: Vec<T> = T::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(what, path, &error))?;
    if found.is_empty() {
        return Err(missing(wanted, path, &text));
    }
    Ok(found)
}

/// The certificates of authorities.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    sections("file of authorities", "certificate", path)
}

/// Lists of revoked certificates.
pub(super) fn revocation_lists(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    sections("revocation list", "revocation list (X509 CRL)", path)
}

/// Our certificate with those that lead to an authority, and its key.
pub(super) fn identity(
    certificate: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = sections("certificate", "certificate", certificate)?;
    let text = read("key", key_file)?;
    let key = match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) => {
            return Err(
                if kinds(&text)
                    .iter()
                    .any(|kind| kind == "ENCRYPTED PRIVATE KEY")
                {
                    TlsError::Encrypted {
                        path: key_file.to_owned(),
                    }
                } else {
                    missing("private key", key_file, &text)
                },
            );
        }
        // The older notation of encrypted keys keeps the header of the plain one.
        Err(_) if text.windows(10).any(|window| window == b"DEK-Info: ") => {
            return Err(TlsError::Encrypted {
                path: key_file.to_owned(),
            });
        }
        Err(error) => return Err(damaged("key", key_file, &error)),
    };
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| TlsError::KeyUnusable {
            path: key_file.to_owned(),
            reason: error.to_string(),
        })?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Err(RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::KeyMismatch {
                certificate: certificate.to_owned(),
                key: key_file.to_owned(),
            })
        }
        // A certificate that this library does not read, such as one of X.509 version 1, may be good for the peer.
        _ => Ok(identity),
    }
}
