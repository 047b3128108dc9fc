// SPDX-License-Identifier: AGPL-3.0-only
//! SIP over WebSocket, as client and as server (RFC 7118, RFC 6455).
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`handshake`] | the HTTP request and response that open a connection |
//! | [`open`] | that over a stream |
//! | [`frame`] | frames to SIP messages and back |
//!
//! Both are machines over bytes: they read what has come, say how much they used, and write answers into a buffer. Whoever
//! owns the connection moves the bytes. Not for: TLS (`wss`), which lies below and changes nothing here.
//!
//! One SIP message is one WebSocket message, text or binary (RFC 7118 §4.2); Content-Length is not needed to find its end.

pub mod frame;
pub mod handshake;
pub mod open;

/// The sub-protocol of SIP (RFC 7118 §4.1).
pub const SUB_PROTOCOL: &str = "sip";

/// What the command line says about WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsConfig {
    /// `-ws_path`: what a client asks for; a server takes any.
    pub path: String,
    /// `-ws_host`: the Host header of a client; the remote host and port otherwise.
    pub host: Option<String>,
    /// `-ws_origin`: the Origin header of a client; none otherwise.
    pub origin: Option<String>,
    /// `-ws_protocol`: the sub-protocol that both sides insist on.
    pub protocol: String,
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            host: None,
            origin: None,
            protocol: SUB_PROTOCOL.to_owned(),
        }
    }
}

impl WsConfig {
    /// Whether the texts can stand in an HTTP request.
    ///
    /// # Errors
    /// Says which one cannot.
    pub fn check(&self) -> Result<(), String> {
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.path.starts_with('/') || !visible(&self.path) {
            return Err(format!(
                "the path `{}` of -ws_path does not begin with `/`, or has characters that a URL has not",
                self.path
            ));
        }
        for (flag, text) in [("-ws_host", &self.host), ("-ws_origin", &self.origin)] {
            if let Some(text) = text
                && (text.is_empty() || !visible(text))
            {
                return Err(format!("`{text}` of {flag} cannot stand in an HTTP header"));
            }
        }
        if !is_token(&self.protocol) {
            return Err(format!(
                "`{}` of -ws_protocol is no name of a sub-protocol",
                self.protocol
            ));
        }
        Ok(())
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_the_request_is_refused_by_flag() {
        assert_eq!(WsConfig::default().check(), Ok(()));
        let refused = |change: fn(&mut WsConfig)| {
            let mut config = WsConfig::default();
            change(&mut config);
            config.check().expect_err("refused")
        };
        assert!(refused(|config| config.path = "ws".into()).contains("-ws_path"));
        assert!(refused(|config| config.path = "/a b".into()).contains("-ws_path"));
        assert!(refused(|config| config.host = Some("a\r\nb".into())).contains("-ws_host"));
        assert!(refused(|config| config.origin = Some(String::new())).contains("-ws_origin"));
        assert!(refused(|config| config.protocol = "sip, x".into()).contains("-ws_protocol"));
    }
}
