// SPDX-License-Identifier: AGPL-3.0-only
//! Twins: instances that share their calls and command each other.

use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["3pcc"],
        arg: Arg::Text {
            metavar: "HOST:PORT",
            set: |low, text| {
                low.twin.one = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "The twin of a scenario with sendCmd and recvCmd.",
        long: "The scenario that receives a command first listens on this port and is started first; the one that sends first connects to it and must find it. docs/3pcc.md shows whole command lines.",
    },
    Flag {
        names: &["master"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.twin.master = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Own name among several peers; the scenario commands first.",
        long: "Needs -slave_cfg. Started last: it connects to the peers that its commands name.",
    },
    Flag {
        names: &["slave"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.twin.slave = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Own name among several peers; the scenario is commanded first.",
        long: "Needs -slave_cfg. Started before the master.",
    },
    Flag {
        names: &["slave_cfg"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| {
                low.twin.slave_cfg = Some(path);
            },
        },
        default: Default::None,
        short: "Addresses of all peers, own included: a line `name;host:port` for each.",
        long: "Each instance listens on the address of its own name. Empty lines and lines that begin with `#` are skipped.",
    },
    Flag {
        names: &["cmd_name"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.twin.cmd_name = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Own name among several peers, whoever commands first.",
        long: "-master or -slave in one: which of them it is, the scenario says. Needs -cmd_peers.",
    },
    Flag {
        names: &["cmd_peers"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| {
                low.twin.cmd_peers = Some(path);
            },
        },
        default: Default::None,
        short: "Another name of -slave_cfg.",
        long: "",
    },
];
