// SPDX-License-Identifier: AGPL-3.0-only
//! Media: addresses and ports, the echo, running without.

use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["mi"],
        arg: Arg::Text {
            metavar: "IP",
            set: |low, text| {
                low.media_ip = Some(text);
                Ok(())
            },
        },
        default: Default::Same("the local address"),
        short: "Address that [media_ip] renders.",
        long: "Where -rtp_echo binds.",
    },
    Flag {
        names: &["mp", "min_rtp_port"],
        arg: Arg::Int {
            metavar: "PORT",
            range: (0, 65_535),
            set: |low, n| low.media_port = u16::try_from(n).ok(),
        },
        default: Default::Same("6000"),
        short: "First port for media; [media_port] renders it.",
        long: "With -rtp_echo, [media_port] is the port that the echo got; 0 lets the system choose it.",
    },
    Flag {
        names: &["max_rtp_port"],
        arg: Arg::Int {
            metavar: "PORT",
            range: (1, 65_535),
            set: |low, n| low.media.end_port = u16::try_from(n).ok(),
        },
        default: Default::Same("65535"),
        short: "End of the ports for media.",
        long: "Ports lie below it, from -mp upwards.",
    },
    Flag {
        names: &["rtp_echo"],
        arg: Arg::Switch(|low, on| low.media.echo = on),
        default: Default::None,
        short: "Return each datagram at the media port to its sender.",
        long: "Binds two ports of the media address: -mp and the one two above, for audio and video, or the next ones \
               upwards, by twos, that are both free; after 100 attempts it is an error. The scenario screen and the \
               summary count what was echoed. Nothing is decoded, and RTCP is not answered.",
    },
    Flag {
        names: &["mb"],
        arg: Arg::Int {
            metavar: "BYTES",
            range: (1, 1 << 30),
            set: |low, n| low.media.echo_bytes = usize::try_from(n).ok(),
        },
        default: Default::Same("2048"),
        short: "Most bytes of a datagram that -rtp_echo returns.",
        long: "The rest of a longer one is cut off.",
    },
    Flag {
        names: &["no_media"],
        arg: Arg::Switch(|low, on| low.no_media = on),
        default: Default::None,
        short: "Runs the signalling alone: media actions are passed over and counted.",
        long: "This version plays no media and refuses a scenario that uses it. With this flag such a scenario \
               runs: nothing is sent or received but SIP, [rtpstream_audio_port] and its like render the ports and \
               keys they would render otherwise, and a pause that stands for the length of a file stays one. The \
               start and the summary say so.",
    },
];
