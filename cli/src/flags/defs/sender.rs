// SPDX-License-Identifier: AGPL-3.0-only
//! RTP without SIP.

use crate::flags::sender::{self, STREAMS_MAX};
use crate::flags::{Arg, Default, Flag, Unit};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["rtp_send"],
        arg: Arg::Switch(|low, on| low.media.sender.send = on),
        default: Default::None,
        short: "Send RTP to -rtp_addr, without SIP.",
        long: "No scenario runs. A line says what is sent, and a last one what became of it: packets, bytes of payload, \
               sender reports, what could not be sent, what came back. It ends with -rtp_dur, -timeout, or an interrupt. \
               Streams send from even ports from -mp on, and an RTCP report every 500 ms from the port above. Streams \
               begin as -r, -rate_increase or -rate_profile say. Flags about calls are refused; -summary_json, \
               -summary_junit, -summary_html, -prometheus_addr, -threshold and the health gates of media work. The exit code is 0, 1 when no packet could be sent, and 2 when a gate was not kept.",
    },
    Flag {
        names: &["rtp_addr"],
        arg: Arg::Text {
            metavar: "HOST:PORT,...",
            set: |low, text| {
                low.media.sender.addresses = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Where packets go; several destinations are taken in turn.",
        long: "IPv6 addresses stand in brackets. All are of one family.",
    },
    Flag {
        names: &["rtp_pt"],
        arg: Arg::Int {
            metavar: "PT",
            range: (0, 127),
            set: |low, n| low.media.sender.payload_type = u8::try_from(n).ok(),
        },
        default: Default::Same("that of the codec"),
        short: "Payload type.",
        long: "",
    },
    Flag {
        names: &["rtp_codec"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.media.sender.codec = Some(sender::codec(&text)?);
                Ok(())
            },
        },
        default: Default::Same("PCMU/8000, or that of -rtp_pt"),
        short: "Codec.",
        long: "PCMU, PCMA, G722, G729, CN, iLBC, opus or H264, with or without its clock (PCMU/8000). Sound is coded for the \
               first three; the others send payload as it is in -rtp_file, or silence.",
    },
    Flag {
        names: &["rtp_freq"],
        arg: Arg::Int {
            metavar: "MS",
            range: (1, 1000),
            set: |low, n| low.media.sender.packet_ms = u32::try_from(n).ok(),
        },
        default: Default::Same("20, or what the codec has"),
        short: "Length of a packet in ms.",
        long: "Bytes and timestamps follow it.",
    },
    Flag {
        names: &["rtp_dur"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.media.sender.length = Some(time),
        },
        default: Default::Same("0: until it is interrupted"),
        short: "How long each stream lasts.",
        long: "In ms without a unit.",
    },
    Flag {
        names: &["rtp_ch"],
        arg: Arg::Int {
            metavar: "N",
            range: (1, 255),
            set: |low, n| low.media.sender.channels = u8::try_from(n).ok(),
        },
        default: Default::Same("1"),
        short: "Channels, with the same sound on each.",
        long: "Up to six of PCMU, PCMA and G722, their samples side by side (RFC 3551), as far as a packet fits a datagram.",
    },
    Flag {
        names: &["rtp_streams"],
        arg: Arg::Int {
            metavar: "N",
            range: (1, STREAMS_MAX as i128),
            set: |low, n| low.media.sender.streams = usize::try_from(n).ok(),
        },
        default: Default::Same("1"),
        short: "How many streams, each from a port of its own; needs -media_scale.",
        long: "They begin within one packet, evenly; with -r so many in a time (-rp), with -rate_profile along its curve. \
               -shards says how many threads send them.",
    },
    Flag {
        names: &["rtp_sound"],
        arg: Arg::Text {
            metavar: "SOUND",
            set: |low, text| {
                low.media.sender.sound = Some(sender::sound(&text)?);
                Ok(())
            },
        },
        default: Default::Same("tone"),
        short: "What is heard: tone, tone=HERTZ, noise or silence.",
        long: "The tone has 425 Hz.",
    },
    Flag {
        names: &["rtp_file"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.media.sender.file = Some(path),
        },
        default: Default::None,
        short: "Send this file: WAV of any rate and width, or payload.",
        long: "From its beginning again when it is over, for as long as -rtp_dur says.",
    },
];
