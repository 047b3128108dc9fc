// SPDX-License-Identifier: AGPL-3.0-only
//! `-t` and the flags about connections: what messages travel over.
//!
//! The defaults of `-reconnect_close` and `-reconnect_sleep` are those of the two tools; what the flags mean is the same.

use super::low::Dialect;
use gossipper_runtime::config::{
    MAX_MESSAGE_DEFAULT_BYTES, MAX_SOCKETS_DEFAULT, RECONNECT_SLEEP_DEFAULT, StreamKind,
    TransportConfig,
};
use std::time::Duration;

/// What `-t` says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mode {
    /// Connections, and of which kind; otherwise UDP.
    pub(crate) stream: Option<StreamKind>,
    /// One for each call.
    pub(crate) per_call: bool,
    /// One for each address of the injection file (`ui`).
    pub(crate) per_address: bool,
}

/// The modes, as a message lists them.
const MODES: &str = "u1, un and ui (UDP), t1 and tn (TCP)";

impl Mode {
    /// Reads the value of `-t`; capitals do not matter.
    ///
    /// # Errors
    /// Says what the mode would be, or which there are.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mode = |stream, per_call| {
            Ok(Self {
                stream,
                per_call,
                per_address: false,
            })
        };
        let later = match text.to_ascii_lowercase().as_str() {
            "u1" => return mode(None, false),
            "un" => return mode(None, true),
            "t1" => return mode(Some(StreamKind::Tcp), false),
            "tn" => return mode(Some(StreamKind::Tcp), true),
            "ui" => {
                return Ok(Self {
                    per_address: true,
                    ..Self::default()
                });
            }
            "l1" | "sl" | "cl" => "TLS, one connection",
            "ln" | "cln" => "TLS, one connection per call",
            "s1" | "sn" => "SCTP in SIPp, a second name of u1 and un in gossipper",
            "w1" | "wn" | "ws1" | "wsn" => "WebSocket",
            "webrtc" => "WebRTC",
            "ti" | "li" | "si" => {
                return Err(format!(
                    "transport `{text}`: a socket per address is for UDP alone (ui)"
                ));
            }
            _ => {
                return Err(format!(
                    "unsupported transport \"{text}\"; this version has {MODES}"
                ));
            }
        };
        Err(format!(
            "transport `{text}` ({later}) is not supported by this version yet; {MODES} are"
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
        stream: low.mode.stream,
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
        assert_eq!((tn.stream, tn.per_call), (Some(StreamKind::Tcp), true));
        let un = Mode::parse("un").expect("a mode");
        assert_eq!((un.stream, un.per_call), (None, true));
        assert!(
            Mode::parse("l1")
                .expect_err("not built")
                .contains("(TLS, one connection)")
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
