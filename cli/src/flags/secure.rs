// SPDX-License-Identifier: AGPL-3.0-only
//! What the flags about TLS and WebSocket say together.
//!
//! Whether the scenario calls or answers decides what TLS needs, and is not known before it is read; so the settings are
//! put together by [`SecureLow::tls`] later.

use super::low::Dialect;
use super::streams::Stream;
use gossipper_runtime::config::StreamKind;
use gossipper_runtime::transport::tls::{PeerCheck, TlsConfig, TlsVersion};
use gossipper_runtime::transport::ws::WsConfig;
use std::path::{Path, PathBuf};

/// The files that SIPp looks for by itself.
const SIPP_CERTIFICATE: &str = "cacert.pem";
const SIPP_KEY: &str = "cakey.pem";

/// What was said about TLS and WebSocket.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SecureLow {
    /// `-tls_cert`.
    pub(crate) certificate: Option<PathBuf>,
    /// `-tls_key`.
    pub(crate) key: Option<PathBuf>,
    /// `-tls_ca`.
    pub(crate) authorities: Option<PathBuf>,
    /// `-tls_crl`.
    pub(crate) revoked: Option<PathBuf>,
    /// `-tls_version`.
    pub(crate) version: Option<TlsVersion>,
    /// `-tls_skip_verify`.
    pub(crate) skip_verify: Option<bool>,
    /// `-tls_resume`.
    pub(crate) resume: Option<bool>,
    /// `-ws_path`.
    pub(crate) ws_path: Option<String>,
    /// `-ws_host`.
    pub(crate) ws_host: Option<String>,
    /// `-ws_origin`.
    pub(crate) ws_origin: Option<String>,
    /// `-ws_protocol`.
    pub(crate) ws_protocol: Option<String>,
}

impl SecureLow {
    /// The flags given here that a transport without TLS or without WebSocket does not look at.
    pub(crate) fn unused(&self, tls: bool, ws: bool) -> Vec<&'static str> {
        let of_tls = [
            (self.certificate.is_some(), "-tls_cert"),
            (self.key.is_some(), "-tls_key"),
            (self.authorities.is_some(), "-tls_ca"),
            (self.revoked.is_some(), "-tls_crl"),
            (self.version.is_some(), "-tls_version"),
            (self.skip_verify.is_some(), "-tls_skip_verify"),
            (self.resume.is_some(), "-tls_resume"),
        ];
        let of_ws = [
            (self.ws_path.is_some(), "-ws_path"),
            (self.ws_host.is_some(), "-ws_host"),
            (self.ws_origin.is_some(), "-ws_origin"),
            (self.ws_protocol.is_some(), "-ws_protocol"),
        ];
        let of_tls = of_tls.into_iter().filter(|_| !tls);
        let of_ws = of_ws.into_iter().filter(|_| !ws);
        of_tls
            .chain(of_ws)
            .filter_map(|(given, flag)| given.then_some(flag))
            .collect()
    }

    /// The settings of WebSocket.
    ///
    /// # Errors
    /// Says which text cannot stand in a request.
    fn ws(&self) -> Result<WsConfig, String> {
        let defaults = WsConfig::default();
        let config = WsConfig {
            path: self.ws_path.clone().unwrap_or(defaults.path),
            host: self.ws_host.clone(),
            origin: self.ws_origin.clone(),
            protocol: self.ws_protocol.clone().unwrap_or(defaults.protocol),
        };
        config.check()?;
        Ok(config)
    }

    /// A kind of stream with all that it needs.
    ///
    /// # Errors
    /// Says which flag of WebSocket cannot be used.
    pub(crate) fn kind(
        &self,
        stream: Stream,
        dialect: Dialect,
        server: bool,
        key_log: Option<PathBuf>,
    ) -> Result<StreamKind, String> {
        let tls = || Box::new(self.tls(dialect, server, key_log.clone()));
        Ok(match stream {
            Stream::Tcp => StreamKind::Tcp,
            Stream::Tls => StreamKind::Tls(tls()),
            Stream::Ws => StreamKind::Ws(Box::new(self.ws()?)),
            Stream::Wss => StreamKind::Wss(tls(), Box::new(self.ws()?)),
        })
    }

    /// The settings of TLS for a scenario that answers (`server`) or calls. `key_log` is `SSLKEYLOGFILE`.
    fn tls(&self, dialect: Dialect, server: bool, key_log: Option<PathBuf>) -> TlsConfig {
        let (certificate, key) = match dialect {
            Dialect::Sipp => self.sipps_files(server, Path::exists),
            Dialect::Gossipper => (self.certificate.clone(), self.key.clone()),
        };
        TlsConfig {
            certificate,
            key,
            authorities: self.authorities.clone(),
            revoked: self.revoked.clone(),
            version: self.version,
            check: match self.skip_verify {
                Some(true) => PeerCheck::Nothing,
                Some(false) => PeerCheck::ChainAndName,
                None if self.authorities.is_some() || self.revoked.is_some() => PeerCheck::Chain,
                None => PeerCheck::Nothing,
            },
            resume: self.resume.unwrap_or(false),
            key_log,
        }
    }

    /// The settings of TLS towards a collector of HEP: what was said, and none of SIPp's files.
    pub(crate) fn towards_collector(&self) -> TlsConfig {
        self.tls(Dialect::Gossipper, false, None)
    }

    /// Certificate and key with SIPp's names by default.
    // COMPAT(sipp): SIPp ends when its two files are missing, though a client seldom needs them; a client goes without.
    fn sipps_files(
        &self,
        server: bool,
        exists: impl Fn(&Path) -> bool,
    ) -> (Option<PathBuf>, Option<PathBuf>) {
        let (certificate, key) = (Path::new(SIPP_CERTIFICATE), Path::new(SIPP_KEY));
        match (&self.certificate, &self.key) {
            (None, None) if !(server || exists(certificate) && exists(key)) => (None, None),
            // A file may hold both.
            (Some(given), None) => (Some(given.clone()), exists(key).then(|| key.to_path_buf())),
            (given, own) => (
                Some(given.clone().unwrap_or_else(|| certificate.to_path_buf())),
                Some(own.clone().unwrap_or_else(|| key.to_path_buf())),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(low: &SecureLow, server: bool, there: &[&str]) -> [Option<String>; 2] {
        let text = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
        let (certificate, key) = low.sipps_files(server, |path| {
            there.iter().any(|name| Path::new(name) == path)
        });
        [text(certificate), text(key)]
    }

    #[test]
    fn sipps_file_names_are_taken_where_they_are_or_needed() {
        let (both, cert, key) = (
            ["cacert.pem", "cakey.pem"],
            Some("cacert.pem".to_owned()),
            Some("cakey.pem".to_owned()),
        );
        let none = SecureLow::default();
        assert_eq!(files(&none, false, &both), [cert.clone(), key.clone()]);
        assert_eq!(files(&none, false, &["cacert.pem"]), [None, None]);
        // A server cannot do without: the error will name the file.
        assert_eq!(files(&none, true, &[]), [cert.clone(), key.clone()]);
        let own = SecureLow {
            certificate: Some("own.pem".into()),
            ..SecureLow::default()
        };
        assert_eq!(files(&own, true, &both), [Some("own.pem".into()), key]);
        assert_eq!(files(&own, true, &[]), [Some("own.pem".into()), None]);
        let own_key = SecureLow {
            key: Some("own.key".into()),
            ..SecureLow::default()
        };
        assert_eq!(files(&own_key, false, &[]), [cert, Some("own.key".into())]);
    }

    #[test]
    fn what_is_checked_follows_from_what_is_named() {
        let check = |change: fn(&mut SecureLow)| {
            let mut low = SecureLow::default();
            change(&mut low);
            low.tls(Dialect::Gossipper, false, None).check
        };
        assert_eq!(check(|_| {}), PeerCheck::Nothing);
        assert_eq!(
            check(|low| low.authorities = Some("ca".into())),
            PeerCheck::Chain
        );
        assert_eq!(
            check(|low| low.skip_verify = Some(false)),
            PeerCheck::ChainAndName
        );
        assert_eq!(
            check(|low| {
                low.authorities = Some("ca".into());
                low.skip_verify = Some(true);
            }),
            PeerCheck::Nothing
        );
    }

    #[test]
    fn flags_without_a_use_are_named() {
        let low = SecureLow {
            certificate: Some("c".into()),
            ws_path: Some("/x".into()),
            ..SecureLow::default()
        };
        assert_eq!(low.unused(false, false), ["-tls_cert", "-ws_path"]);
        assert_eq!(low.unused(true, false), ["-ws_path"]);
        assert!(low.unused(true, true).is_empty());
    }
}
