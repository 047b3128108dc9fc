// SPDX-License-Identifier: AGPL-3.0-only
//! `-t` and the flags about connections: what messages travel over.
//!
//! The defaults of `-reconnect_close` and `-reconnect_sleep` are those of the two tools; what the flags mean is the same.

use super::low::Dialect;
use super::sctp;
use gossipper_runtime::config::{
    LogForm, MAX_MESSAGE_DEFAULT_BYTES, MAX_SOCKETS_DEFAULT, RECONNECT_SLEEP_DEFAULT,
    TransportConfig,
};
use std::time::Duration;

/// Kinds of streams, before it is known what they need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stream {
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Stream {
    /// Whether it is encrypted.
    pub(crate) const fn has_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether messages travel in frames of WebSocket.
    pub(crate) const fn has_ws(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// Which scenarios a mode is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// Those that call.
    Client,
    /// Those that wait for calls.
    Server,
}

/// What `-t` says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mode {
    /// The text.
    pub(crate) name: String,
    /// Connections, and of which kind; otherwise UDP.
    pub(crate) stream: Option<Stream>,
    /// One for each call.
    pub(crate) per_call: bool,
    /// One for each address of the injection file (`ui`).
    pub(crate) per_address: bool,
    /// A second name of a mode, for these scenarios only.
    pub(crate) only: Option<Side>,
    /// In SIPp it is SCTP.
    pub(crate) sctp_in_sipp: bool,
}

/// The modes, as a message lists them.
const MODES: &str = "u1, un and ui (UDP), t1 and tn (TCP), l1 and ln (TLS), w1 and wn (WebSocket), ws1 and wsn (WebSocket over TLS)";

impl Mode {
    /// Reads the value of `-t`; capitals do not matter.
    ///
    /// # Errors
    /// Says what the mode would be, or which there are.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        let (stream, per_call) = match name.as_str() {
            "u1" | "ui" | "s1" => (None, false),
            "un" | "sn" => (None, true),
            "t1" => (Some(Stream::Tcp), false),
            "tn" => (Some(Stream::Tcp), true),
            "l1" | "sl" | "cl" => (Some(Stream::Tls), false),
            "ln" | "cln" => (Some(Stream::Tls), true),
            "w1" => (Some(Stream::Ws), false),
            "wn" => (Some(Stream::Ws), true),
            "ws1" => (Some(Stream::Wss), false),
            "wsn" => (Some(Stream::Wss), true),
            "webrtc" => {
                return Err(format!(
                    "transport `{text}` (WebRTC) is not supported by this version yet; {MODES} are"
                ));
            }
            "ti" | "li" | "si" => {
                return Err(format!(
                    "transport `{text}`: a socket per address is for UDP alone (ui)"
                ));
            }
            other if sctp::is_mode(other) => {
                return Err(format!("transport `{text}`: {}", sctp::refusal()));
            }
            _ => {
                return Err(format!(
                    "unsupported transport \"{text}\"; this version has {MODES}"
                ));
            }
        };
        Ok(Self {
            stream,
            per_call,
            per_address: name == "ui",
            only: match name.as_str() {
                "s1" | "sn" | "sl" => Some(Side::Server),
                "cl" | "cln" => Some(Side::Client),
                _ => None,
            },
            sctp_in_sipp: matches!(name.as_str(), "s1" | "sn"),
            name,
        })
    }

    /// Whether it can be what it is where SIPp is stood in for.
    ///
    /// # Errors
    /// When it means something there that this version has not.
    pub(crate) fn check_form(&self, form: LogForm) -> Result<(), String> {
        if form == LogForm::Sipp && self.sctp_in_sipp {
            return Err(format!("transport `{}`: {}", self.name, sctp::refusal()));
        }
        Ok(())
    }

    /// Whether it fits a scenario that waits for calls (`server`) or makes them.
    ///
    /// # Errors
    /// Names the mode that does.
    pub(crate) fn check_side(&self, server: bool) -> Result<(), String> {
        let (wanted, instead) = match (self.only, self.stream.is_some(), self.per_call) {
            (Some(Side::Server), true, _) if !server => ("server", "cl or l1"),
            (Some(Side::Server), false, false) if !server => ("server", "u1"),
            (Some(Side::Server), false, true) if !server => ("server", "un"),
            (Some(Side::Client), _, false) if server => ("client", "sl or l1"),
            (Some(Side::Client), _, true) if server => ("client", "ln"),
            _ => return Ok(()),
        };
        Err(format!(
            "transport `{}` is for {wanted} scenarios; use {instead}",
            self.name
        ))
    }
}

/// What was said about connections.
#[derive(Clone, Default, Debug)]
pub(crate) struct StreamsLow {
    /// `-t`.
    pub(crate) mode: Mode,
    /// `-max_socket`.
    pub(crate) max_sockets: Option<usize>,
    /// `-max_reconnect`; below zero is any number.
    pub(crate) max_reconnect: Option<i64>,
    /// `-reconnect_sleep`.
    pub(crate) reconnect_sleep: Option<Duration>,
    /// `-reconnect_close`.
    pub(crate) reconnect_close: Option<bool>,
    /// `-send_timeout`.
    pub(crate) send_timeout: Option<Duration>,
    /// `-max_message`.
    pub(crate) max_message_bytes: Option<usize>,
}

/// Turns it into what the runtime is told; `notes` gets what has no effect.
pub(super) fn resolve(
    low: StreamsLow,
    dialect: Dialect,
    notes: &mut Vec<String>,
) -> TransportConfig {
    let sipp = dialect == Dialect::Sipp;
    let streams = low.mode.stream.is_some();
    let idle = |given: bool, flag: &str, needs: &str| {
        given.then(|| format!("{flag} has no effect without {needs}"))
    };
    let connections = "connections (-t t1, tn)";
    notes.extend(
        [
            idle(
                low.max_sockets.is_some() && !streams && !low.mode.per_call,
                "-max_socket",
                "sockets of calls or connections (-t un, t1, tn)",
            ),
            idle(
                low.max_reconnect.is_some() && !streams,
                "-max_reconnect",
                connections,
            ),
            idle(
                low.reconnect_sleep.is_some() && !streams,
                "-reconnect_sleep",
                connections,
            ),
            idle(
                low.reconnect_close.is_some() && !streams,
                "-reconnect_close",
                connections,
            ),
            idle(
                low.send_timeout.is_some() && !streams,
                "-send_timeout",
                connections,
            ),
            idle(
                low.max_message_bytes.is_some() && !streams,
                "-max_message",
                connections,
            ),
        ]
        .into_iter()
        .flatten(),
    );
    TransportConfig {
        // What it needs depends on the scenario; see [`super::secure`].
        stream: None,
        per_call: low.mode.per_call,
        max_sockets: low.max_sockets.unwrap_or(MAX_SOCKETS_DEFAULT),
        reconnects: match low.max_reconnect {
            None => Some(0),
            Some(count) => u32::try_from(count).ok(),
        },
        reconnect_sleep: low.reconnect_sleep.unwrap_or(if sipp {
            RECONNECT_SLEEP_DEFAULT
        } else {
            Duration::ZERO
        }),
        reconnect_close: low.reconnect_close.unwrap_or(sipp),
        send_timeout: low.send_timeout.filter(|limit| !limit.is_zero()),
        max_message_bytes: low.max_message_bytes.unwrap_or(MAX_MESSAGE_DEFAULT_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_known_or_refused_by_name() {
        let tn = Mode::parse("TN").expect("a mode");
        assert_eq!((tn.stream, tn.per_call), (Some(Stream::Tcp), true));
        let un = Mode::parse("un").expect("a mode");
        assert_eq!((un.stream, un.per_call), (None, true));
        let wsn = Mode::parse("wsn").expect("a mode");
        assert_eq!((wsn.stream, wsn.per_call), (Some(Stream::Wss), true));
        assert!(
            Mode::parse("webrtc")
                .expect_err("not built")
                .contains("(WebRTC)")
        );
        assert!(
            Mode::parse("ti")
                .expect_err("UDP alone")
                .contains("for UDP alone")
        );
        assert!(
            Mode::parse("x9")
                .expect_err("nonsense")
                .starts_with("unsupported transport \"x9\"")
        );
    }

    #[test]
    fn second_names_are_for_one_side_and_sctp_is_not_there() {
        let fits = |name: &str, server| Mode::parse(name).expect("a mode").check_side(server);
        for (name, server) in [
            ("sl", true),
            ("s1", true),
            ("sn", true),
            ("cl", false),
            ("cln", false),
            ("l1", true),
        ] {
            assert_eq!(fits(name, server), Ok(()), "{name}");
        }
        assert_eq!(
            fits("s1", false),
            Err("transport `s1` is for server scenarios; use u1".into())
        );
        assert_eq!(
            fits("cln", true),
            Err("transport `cln` is for client scenarios; use ln".into())
        );
        assert!(fits("sl", false).is_err() && fits("cl", true).is_err());
        for name in ["c1", "CN"] {
            let refused = Mode::parse(name).expect_err("SCTP");
            assert!(
                refused.starts_with(&format!("transport `{name}`: SCTP is not supported: ")),
                "{refused}"
            );
        }
        let sn = Mode::parse("sn").expect("a mode");
        assert_eq!(sn.check_form(LogForm::Gossipper), Ok(()));
        assert!(
            sn.check_form(LogForm::Sipp)
                .expect_err("SCTP")
                .contains("SCTP")
        );
    }

    #[test]
    fn any_number_of_reconnections_is_below_zero() {
        let reconnects = |max_reconnect| {
            let low = StreamsLow {
                max_reconnect,
                ..StreamsLow::default()
            };
            resolve(low, Dialect::Sipp, &mut Vec::new()).reconnects
        };
        assert_eq!(reconnects(None), Some(0));
        assert_eq!(reconnects(Some(3)), Some(3));
        assert_eq!(reconnects(Some(-1)), None);
    }

    #[test]
    fn flags_of_connections_say_so_when_there_are_none() {
        let low = StreamsLow {
            max_sockets: Some(5),
            send_timeout: Some(Duration::from_secs(1)),
            ..StreamsLow::default()
        };
        let mut notes = Vec::new();
        let _ = resolve(low.clone(), Dialect::Sipp, &mut notes);
        assert_eq!(notes.len(), 2, "{notes:?}");
        let un = StreamsLow {
            mode: Mode::parse("un").expect("a mode"),
            ..low
        };
        let mut notes = Vec::new();
        let _ = resolve(un, Dialect::Sipp, &mut notes);
        assert_eq!(notes.len(), 1, "{notes:?}");
    }
}
