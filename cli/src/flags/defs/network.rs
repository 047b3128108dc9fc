// SPDX-License-Identifier: AGPL-3.0-only
//! Addresses, ports and sockets; the in-process peer.

use crate::flags::low::LowArgs;
use crate::flags::streams::Mode;
use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["rsa"],
        arg: Arg::Text {
            metavar: "HOST[:PORT]",
            set: |low, text| {
                low.sending_address = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Send to this address instead of the remote host.",
        long: "With a remote host, messages go to this address while [remote_ip] and [remote_port] keep \
               naming the remote host, as through an outbound proxy. Without one it is the remote host. \
               A server scenario sends all its answers there.",
    },
    Flag {
        names: &["i"],
        arg: Arg::Text {
            metavar: "IP",
            set: |low, text| {
                low.local_ip = Some(text);
                Ok(())
            },
        },
        default: Default::Same("the address the system uses towards the remote"),
        short: "Local address, for headers and to bind to.",
        long: "An IPv4 or IPv6 address or a name of this machine.",
    },
    Flag {
        names: &["bind_local"],
        arg: Arg::Switch(|low, on| low.bind_local = on),
        default: Default::None,
        short: "Bind to the local address only, even when it was not given.",
        long: "Otherwise the socket takes what arrives on any address, unless -i names one.",
    },
    Flag {
        names: &["p"],
        arg: Arg::Int {
            metavar: "PORT",
            range: (0, 65_535),
            set: |low, n| low.local_port = u16::try_from(n).ok(),
        },
        default: Default::Differs("first free of 5060 to 5119, then any", "0: any free port"),
        short: "Local port.",
        long: "As every integer in SIPp a leading zero means octal. 0 lets the system choose.",
    },
    Flag {
        names: &["t"],
        arg: Arg::Text {
            metavar: "MODE",
            set: transport,
        },
        default: Default::Same("u1"),
        short: "Transport: u1 un ui (UDP), t1 tn (TCP), l1 ln (TLS), w1 wn ws1 wsn (WebSocket).",
        long: "u1 has one socket for all calls, un one for each call of a client. t1 has one connection for all \
               calls of a client, tn one for each, from its first message to its end; a server answers on \
               the connection it is asked on, in both. l1 and ln are the same over TLS, w1 and wn over WebSocket, ws1 and wsn \
               over WebSocket over TLS. For servers sl is l1, and outside -compat sipp s1 is u1 and sn is un; for \
               clients cl is l1 and cln is ln. With ui a call sends from the address in its line of the first injection file (-ip_field); each \
               address is bound at the local port, and a server answers from the one it was called at. \
               [server_ip] prints it; [local_ip] stays that of -i. docs/transports.md says more.",
    },
    Flag {
        names: &["ip_field", "ipfield"],
        arg: Arg::Int {
            metavar: "FIELD",
            range: (0, 65_535),
            set: |low, n| low.ip_field = u32::try_from(n).ok(),
        },
        default: Default::Same("0"),
        short: "With -t ui: the field of the first injection file with the address of a call.",
        long: "Fields count from 0. Every record has to hold an IP address there.",
    },
    Flag {
        names: &["buff_size"],
        arg: Arg::Int {
            metavar: "BYTES",
            range: (1, 1 << 30),
            set: |low, n| low.buffer_bytes = usize::try_from(n).ok(),
        },
        default: Default::Same("as much as a load needs, at least SIPp's 65536"),
        short: "Send and receive buffers of the SIP socket.",
        long: "The system may grant less.",
    },
    Flag {
        names: &["recv_coalesce"],
        arg: Arg::Int {
            metavar: "US",
            range: (0, 100_000),
            set: |low, n| low.coalesce_us = u64::try_from(n).ok(),
        },
        default: Default::Same("1000"),
        short: "While messages are many, look at the socket once per so many microseconds.",
        long: "A wakeup costs more than a message, so several are read at once; while messages are rare (below about 2,000 in a second), each is \
               read as it comes. Response times count from when the kernel took a message in, not from when it was \
               read. 0 reads each at once, whatever it costs.",
    },
    Flag {
        names: &["skip_rlimit"],
        arg: Arg::Switch(|low, on| low.skip_rlimit = on),
        default: Default::None,
        short: "Accepted for old command lines; there is nothing to skip.",
        long: "SIPp refuses to start when the limit of open files is low. gossipper never does, so this \
               flag only prints a note.",
    },
    Flag {
        names: &["loopback"],
        arg: Arg::Switch(|low, on| low.loopback = on),
        default: Default::None,
        short: "Run a client scenario against an answerer in the same process.",
        long: "Needs no peer: a second engine with the built-in scenario `uas` (or the one named by \
               -loopback_sf or -loopback_sn) answers on a free port of the loopback address. Not with a \
               remote host or -rsa.",
    },
    Flag {
        names: &["loopback_sf"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.answerer_file = Some(path),
        },
        default: Default::None,
        short: "With -loopback: the answerer's scenario from a file.",
        long: "A server scenario, in the same forms as -sf takes.",
    },
    Flag {
        names: &["loopback_sn"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.answerer_name = Some(text);
                Ok(())
            },
        },
        default: Default::Same("uas; options_uas for -sn options; branchs for -sn branchc"),
        short: "With -loopback: the answerer's built-in scenario.",
        long: "One of the built-in server scenarios.",
    },
];

/// Reads `-t`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the table's setters own their values"
)]
fn transport(low: &mut LowArgs, mode: String) -> Result<(), String> {
    low.streams.mode = Mode::parse(&mode)?;
    Ok(())
}
