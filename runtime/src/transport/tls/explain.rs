// SPDX-License-Identifier: AGPL-3.0-only
//! A handshake that failed, in words with a remedy.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// What went wrong while shaking hands, as one line for the author.
#[must_use]
pub fn explain(error: &io::Error) -> String {
    let Some(cause) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the peer closed the connection during the TLS handshake".to_owned()
            }
            _ => format!("the TLS handshake broke off: {error}"),
        };
    };
    match cause {
        Error::InvalidCertificate(reason) => certificate(reason),
        Error::InvalidCertRevocationList(reason) => {
            format!("the list of -tls_crl does not fit the peer's certificate: {reason:?}")
        }
        Error::NoCertificatesPresented => {
            "the peer shows no certificate; it needs one (-tls_cert, -tls_key), or drop -tls_ca here"
                .to_owned()
        }
        Error::InvalidMessage(_) => {
            "the peer does not speak TLS; is it the right port?".to_owned()
        }
        Error::PeerIncompatible(reason) => incompatible(reason),
        Error::AlertReceived(alert) => refused(*alert),
        other => format!("the TLS handshake failed: {other}"),
    }
}

/// What ended a connection, as one line for the author: with TLS 1.3 a server refuses a client's certificate, or the lack of
/// one, when the client takes the handshake for done.
pub(crate) fn broken(error: &io::Error) -> String {
    let inner = error.get_ref();
    match inner.is_some_and(|inner| inner.is::<Error>()) {
        true => explain(error),
        false => error.to_string(),
    }
}

fn certificate(reason: &CertificateError) -> String {
    use CertificateError as C;
    match reason {
        C::Expired => "the peer's certificate has expired".to_owned(),
        C::ExpiredContext { not_after, time } => format!(
            "the peer's certificate expired {} ago",
            span(time.as_secs().saturating_sub(not_after.as_secs()))
        ),
        C::NotValidYet => "the peer's certificate is not valid yet; are the clocks right?".to_owned(),
        C::NotValidYetContext { not_before, time } => format!(
            "the peer's certificate becomes valid in {}; are the clocks right?",
            span(not_before.as_secs().saturating_sub(time.as_secs()))
        ),
        C::Revoked => "the peer's certificate is revoked (-tls_crl)".to_owned(),
        C::UnknownIssuer => {
            "the peer's certificate comes from no authority of -tls_ca; name its issuer there, \
             or have the peer send the certificates between"
                .to_owned()
        }
        C::UnknownRevocationStatus => {
            "-tls_crl has no list of the authority that made the peer's certificate".to_owned()
        }
        C::ExpiredRevocationList | C::ExpiredRevocationListContext { .. } => {
            "the revocation list of -tls_crl is out of date".to_owned()
        }
        C::NotValidForName => "the peer's certificate is for another name".to_owned(),
        C::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names = if presented.is_empty() {
                "no name (subjectAltName)".to_owned()
            } else {
                let names: Vec<&str> = presented.iter().map(|name| plain(name)).collect();
                names.join(", ")
            };
            format!(
                "the peer's certificate is for {names}, not for {}",
                expected.to_str()
            )
        }
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            "the peer's certificate is for another purpose (extendedKeyUsage)".to_owned()
        }
        C::Other(other) if is(other, &webpki::Error::CaUsedAsEndEntity) => {
            "the peer shows the certificate of an authority as its own; add it to -tls_ca to trust it"
                .to_owned()
        }
        C::Other(other) if is(other, &webpki::Error::UnsupportedCertVersion) => {
            "the peer's certificate is of an X.509 version before 3, which cannot be checked".to_owned()
        }
        other => format!("the peer's certificate is not accepted: {other}"),
    }
}

/// The name in `DnsName("name")` or `IpAddress(address)`, as the library writes what a certificate is for.
fn plain(name: &str) -> &str {
    name.split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .map_or(name, |name| name.trim_matches('"'))
}

fn is(error: &rustls::OtherError, like: &webpki::Error) -> bool {
    error.0.downcast_ref::<webpki::Error>() == Some(like)
}

fn incompatible(reason: &PeerIncompatible) -> String {
    use PeerIncompatible as P;
    match reason {
        P::ServerDoesNotSupportTls12Or13
        | P::ServerTlsVersionIsDisabledByOurConfig
        | P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled
        | P::Tls13RequiredForQuic
        | P::SupportedVersionsExtensionRequired => {
            "no common version of TLS: here it is 1.2 and 1.3, or what -tls_version says".to_owned()
        }
        P::NoCipherSuitesInCommon => {
            "no common cipher suite; here they are those of TLS 1.3, and ECDHE with AEAD".to_owned()
        }
        other => format!("the peer's TLS does not fit: {other:?}"),
    }
}

fn refused(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => {
            "the peer asks for a certificate; name one with -tls_cert and -tls_key".to_owned()
        }
        A::UnknownCA => {
            "the peer does not know the authority of our certificate (-tls_cert)".to_owned()
        }
        A::CertificateExpired => {
            "the peer refuses our certificate (-tls_cert) as expired".to_owned()
        }
        A::CertificateRevoked => {
            "the peer refuses our certificate (-tls_cert) as revoked".to_owned()
        }
        A::BadCertificate | A::UnsupportedCertificate | A::CertificateUnknown => {
            format!(
                "the peer refuses our certificate (-tls_cert): {}",
                name(alert)
            )
        }
        A::ProtocolVersion => {
            "the peer accepts no version of TLS that is offered (-tls_version)".to_owned()
        }
        A::UnrecognisedName => {
            "the peer does not know the host name that it was called by".to_owned()
        }
        other => format!("the peer refuses the TLS handshake: {}", name(other)),
    }
}

/// The name of an alert in RFC 8446.
fn name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for c in format!("{alert:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// A time in the largest unit that fits.
fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
