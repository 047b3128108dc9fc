// SPDX-License-Identifier: AGPL-3.0-only
//! Media: addresses and ports, the echo, running without.

use crate::flags::{Arg, Default, Flag};
use gossipper_runtime::config::LinkType;

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
        long: "Where streams and -rtp_echo bind.",
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
        long: "Streams of calls take even ports from here on. With -rtp_echo, [media_port] is the port that the echo got; 0 lets the system choose it.",
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
        names: &["rtp_payload"],
        arg: Arg::Int {
            metavar: "PT",
            range: (0, 127),
            set: |low, n| low.media.payload_type = u8::try_from(n).ok(),
        },
        default: Default::Differs("8", "that of the SDP"),
        short: "Payload type of what rtp_stream plays, where the action names none.",
        long: "One of 0 (PCMU), 8 (PCMA), 9 (G722), 13 (comfort noise) and 18 (G729).",
    },
    Flag {
        names: &["rtp_threadtasks"],
        arg: Arg::Int {
            metavar: "N",
            range: (1, 1 << 30),
            set: |low, _| low.media.thread_tasks = true,
        },
        default: Default::None,
        short: "How many streams share a thread in SIPp.",
        long: "Here all streams of a shard do: the flag has no effect, and a note says so. -shards says how many there are.",
    },
    Flag {
        names: &["rtp_buffsize"],
        arg: Arg::Int {
            metavar: "BYTES",
            range: (1, 1 << 30),
            set: |low, n| low.media.buffer_bytes = usize::try_from(n).ok(),
        },
        default: Default::Differs("65536", "the system's"),
        short: "Bytes of the kernel's buffers of each socket of a stream.",
        long: "As far as the system grants it.",
    },
    Flag {
        names: &["random_base_ssrc"],
        arg: Arg::Switch(|low, on| low.media.random_ssrc = on),
        default: Default::None,
        short: "The sources (SSRC) of streams begin with a random one.",
        long: "SIPp's begin with 0xCA110000, and every call has the next two. In gossipper's dialect each is drawn anyway.",
    },
    Flag {
        names: &["audiotolerance"],
        arg: Arg::Double {
            metavar: "SHARE",
            set: |low, share| low.media.tolerances[0] = Some(share),
        },
        default: Default::Same("1.0"),
        short: "Share of packets without echo at which an audio pattern has failed.",
        long: "0.0 to 1.0; a pattern that has failed ends the program with 253.",
    },
    Flag {
        names: &["videotolerance"],
        arg: Arg::Double {
            metavar: "SHARE",
            set: |low, share| low.media.tolerances[1] = Some(share),
        },
        default: Default::Same("1.0"),
        short: "The same for video patterns.",
        long: "",
    },
    Flag {
        names: &["rtpcheck_debug"],
        arg: Arg::Switch(|low, on| low.media.check_debug = on),
        default: Default::None,
        short: "Write what became of each pattern into files of the current folder.",
        long: "`debugafile` for audio and `debugvfile` for video, a line for each stream when its call ends. For scenarios that \
               use media.",
    },
    Flag {
        names: &["srtpcheck_debug"],
        arg: Arg::Switch(|low, on| low.media.srtp_debug = on),
        default: Default::None,
        short: "Write what became of encrypted streams into files of the current folder.",
        long: "`debuglsrtpafile_uac` and `debuglsrtpvfile_uac` say what was sent, `debugrsrtpafile_uac` and \
               `debugrsrtpvfile_uac` what was taken and refused, `srtpctxdebugfile_uac` which suites were agreed upon; for a \
               server they end with `_uas`. No key is written. For scenarios that use media.",
    },
    Flag {
        names: &["pcap-link"],
        arg: Arg::Text {
            metavar: "LINK",
            set: |low, name| {
                low.media.link = match name.as_str() {
                    "auto" => None,
                    name => Some(LinkType::of_name(name).ok_or_else(|| {
                        format!(
                            "`{name}` is none of auto, ethernet, linux_sll, linux_sll2, raw, null, loop, ipv4, ipv6 and \
                             no number of a link type that can be read"
                        )
                    })?),
                };
                Ok(())
            },
        },
        default: Default::Same("auto"),
        short: "What the frames of captures are that play_pcap_* sends.",
        long: "For captures that do not say it, or lie: auto, ethernet, linux_sll, linux_sll2, raw, null, loop, ipv4, ipv6, or a number (DLT).",
    },
    Flag {
        names: &["record_wav_dir"],
        arg: Arg::Path {
            metavar: "DIR",
            set: |low, path| low.media.record_folder = Some(path),
        },
        default: Default::None,
        short: "Record what each call hears into a WAV file of its own in this folder.",
        long: "Named after the Call-ID, with `_` for what a name should not have. G.711 and G.722 are understood; a call that \
               heard nothing leaves no file. For scenarios that use media.",
    },
    Flag {
        names: &["record_wav_duplex"],
        arg: Arg::Switch(|low, on| low.media.record_duplex = on),
        default: Default::None,
        short: "Recordings of -record_wav_dir have what was sent too.",
        long: "They have two channels: left what was sent, right what was heard.",
    },
    Flag {
        names: &["media_srtp"],
        arg: Arg::Switch(|low, on| low.media.srtp = on),
        default: Default::None,
        short: "Encrypt streams whose SDP has keys on both sides (SDES).",
        long: "AES_CM_128 with HMAC_SHA1_80 or _32, AES_256_CM, AEAD_AES_128_GCM, AEAD_AES_256_GCM and the NULL ciphers, \
               as the `a=crypto` lines agree. Without it a stream to a peer that asks for SRTP is an error. In SIPp's dialect \
               keys are used wherever both sides have them.",
    },
    Flag {
        names: &["media_reject_srtp"],
        arg: Arg::Switch(|low, on| low.media.reject_srtp = on),
        default: Default::None,
        short: "Fail calls whose peer asks for SRTP.",
        long: "",
    },
    Flag {
        names: &["media_scale"],
        arg: Arg::Switch(|low, on| low.media.scale = on),
        default: Default::None,
        short: "Thousands of streams that are only sent: nothing is received, no RTCP.",
        long: "Each stream has one socket, which is not read, and begins up to one packet later than it would alone, so that \
               streams that begin together are spread over the interval. Not with -media_srtp.",
    },
    Flag {
        names: &["media_iouring"],
        arg: Arg::Switch(|low, on| low.media.iouring = on),
        default: Default::None,
        short: "Send directly, as -media_scale always does; needs -media_scale.",
        long: "The thread that schedules packets sends them, so it changes nothing, and a note says so. The variable GOSSIPPER_MEDIA_IOURING (1, true or yes) asks for the same. \
               io_uring itself is not used: it was measured, and takes as much.",
    },
    Flag {
        names: &["no_media"],
        arg: Arg::Switch(|low, on| low.no_media = on),
        default: Default::None,
        short: "Runs the signalling alone: media actions are passed over and counted.",
        long: "Nothing is sent or received but SIP, [rtpstream_audio_port] and its like render ports and keys as if there \
               were media, and a pause that stands for the length of a file stays one. The start and the summary say so.",
    },
];
