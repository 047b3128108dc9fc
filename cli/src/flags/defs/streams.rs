// SPDX-License-Identifier: AGPL-3.0-only
//! Connections, and sockets of single calls.

use crate::flags::{Arg, Default, Flag, Unit, value};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["max_socket"],
        arg: Arg::Int {
            metavar: "N",
            range: (1, 1 << 30),
            set: |low, n| low.streams.max_sockets = usize::try_from(n).ok(),
        },
        default: Default::Same("50000"),
        short: "Connections, or sockets of calls, that may be open at once.",
        long: "When a call wants one more it shares one there is, each in its turn; over TCP one to the same address. \
               A server leaves further connections to the system, until others are closed.",
    },
    Flag {
        names: &["max_reconnect"],
        arg: Arg::Int {
            metavar: "N",
            range: (-1, u32::MAX as i128),
            set: |low, n| low.streams.max_reconnect = i64::try_from(n).ok(),
        },
        default: Default::Same("0"),
        short: "How often lost connections are made anew; -1: any number of times.",
        long: "With one connection for all calls (t1) it is dialled again when it is closed, breaks or cannot be made; \
               when it is gone for good, the run ends with 255 at the next message, its statistics printed. With one per call \
               see -reconnect_close.",
    },
    Flag {
        names: &["reconnect_sleep"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.streams.reconnect_sleep = Some(time),
        },
        default: Default::Differs("1000", "0"),
        short: "How long before a lost connection is made anew.",
        long: "Nothing else waits meanwhile; messages to the peer do.",
    },
    Flag {
        names: &["reconnect_close"],
        arg: Arg::Text {
            metavar: "BOOL",
            set: |low, text| {
                low.streams.reconnect_close = Some(value::boolean(&text)?);
                Ok(())
            },
        },
        default: Default::Differs("true", "false"),
        short: "Calls end when their connection is closed.",
        long: "They then count as FailedTcpClosed, but for those in their closing `timewait`, which succeed. With false they go \
               on: over the connection that is made anew, or over one that their next message opens; as often as \
               -max_reconnect says.",
    },
    Flag {
        names: &["send_timeout"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.streams.send_timeout = Some(time),
        },
        default: Default::Same("none"),
        short: "How long a message may wait for a peer that does not read.",
        long: "The call then fails (FailedTimeoutOnSend). Over UDP nothing waits.",
    },
    Flag {
        names: &["max_message"],
        arg: Arg::Int {
            metavar: "BYTES",
            range: (1, 1 << 26),
            set: |low, n| low.streams.max_message_bytes = usize::try_from(n).ok(),
        },
        default: Default::Same("65536"),
        short: "Largest message that is received over a connection.",
        long: "A peer that announces a longer one loses its connection.",
    },
    Flag {
        names: &["bind_to_device"],
        arg: Arg::Text {
            metavar: "INTERFACE",
            set: |low, text| {
                low.device = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Keep all SIP sockets on this network interface.",
        long: "Linux only; some systems ask for a privilege. SIPp does so with its main socket alone.",
    },
];
