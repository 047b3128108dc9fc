// SPDX-License-Identifier: AGPL-3.0-only
//! Messages mirrored to a collector.

use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["hep_addr"],
        arg: Arg::Text {
            metavar: "[udp:|tcp:|tls:]HOST:PORT",
            set: |low, text| {
                low.hep.address = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Mirror every SIP message to this collector, as HEP3; over UDP unless it says.",
        long: "What is sent and what comes in, with the addresses and ports of both sides and the time in microseconds, as Homer and its relatives take it. Calls never wait for the collector: what it does not take in time is dropped, counted and named in the summary, and a connection that breaks is made again. With tls: the flags of TLS (-tls_ca, -tls_skip_verify, -tls_cert, -tls_version) speak of the collector too. docs/hep.md tells more.",
    },
    Flag {
        names: &["hep_capture_id"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, id| low.hep.capture_id = u32::try_from(id).ok(),
        },
        default: Default::Same("0"),
        short: "The number of this capture node in mirrored messages.",
        long: "",
    },
    Flag {
        names: &["hep_password"],
        arg: Arg::Text {
            metavar: "TEXT",
            set: |low, text| {
                low.hep.password = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "The password of this capture node in mirrored messages.",
        long: "It travels as it is; use tls: where others could read it.",
    },
    Flag {
        names: &["hep_raw_rtcp"],
        arg: Arg::Switch(|low, on| low.hep.raw_rtcp = on),
        default: Default::None,
        short: "Mirror RTCP too, packet by packet as it is.",
        long: "Every compound packet that passes, without its encryption, as it passes; and a sender report of each stream that sends, every five seconds and at its end.",
    },
    Flag {
        names: &["hep_homer_lake_rtcp"],
        arg: Arg::Switch(|low, on| low.hep.json_rtcp = on),
        default: Default::None,
        short: "Tell of RTCP as JSON, in the words of Homer's agents.",
        long: "Of each stream what it sent and how it received, every five seconds and at its end. Counts more than -hep_raw_rtcp.",
    },
    Flag {
        names: &["send_media_report"],
        arg: Arg::Switch(|low, on| low.hep.reports = on),
        default: Default::None,
        short: "Tell of each stream of RTP in short JSON reports: loss, jitter, MOS, digits.",
        long: "Of each direction every ten seconds, when its call ends, and then its sums. docs/hep.md has the keys.",
    },
];
