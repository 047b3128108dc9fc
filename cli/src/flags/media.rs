// SPDX-License-Identifier: AGPL-3.0-only
//! What the flags about media come to: the range of ports and the echo.

use super::low::Dialect;
use super::sender::SenderLow;
use gossipper_runtime::config::{
    EchoConfig, LinkType, MediaConfig, MediaRules, RecordConfig, SrtpPolicy,
};
use std::path::PathBuf;

/// SIPp's `-rtp_buffsize`.
const SIPP_BUFFER_BYTES: usize = 65_536;

/// Payload types that need no name.
const PAYLOAD_TYPES: [u8; 5] = [0, 8, 9, 13, 18];

/// The flags about media, as given.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct MediaLow {
    /// `-max_rtp_port`.
    pub(crate) end_port: Option<u16>,
    /// `-rtp_echo`.
    pub(crate) echo: bool,
    /// `-mb`.
    pub(crate) echo_bytes: Option<usize>,
    /// `-rtp_payload`.
    pub(crate) payload_type: Option<u8>,
    /// `-rtp_threadtasks` was given.
    pub(crate) thread_tasks: bool,
    /// `-rtp_buffsize`.
    pub(crate) buffer_bytes: Option<usize>,
    /// `-random_base_ssrc`.
    pub(crate) random_ssrc: bool,
    /// `-audiotolerance`, `-videotolerance`.
    pub(crate) tolerances: [Option<f64>; 2],
    /// `-pcap-link`.
    pub(crate) link: Option<LinkType>,
    /// `-record_wav_dir`.
    pub(crate) record_folder: Option<PathBuf>,
    /// `-record_wav_duplex`.
    pub(crate) record_duplex: bool,
    /// `-media_srtp`.
    pub(crate) srtp: bool,
    /// `-media_reject_srtp`.
    pub(crate) reject_srtp: bool,
    /// `-media_scale`.
    pub(crate) scale: bool,
    /// `-media_iouring`.
    pub(crate) iouring: bool,
    /// `-rtpcheck_debug`.
    pub(crate) check_debug: bool,
    /// `-srtpcheck_debug`.
    pub(crate) srtp_debug: bool,
    /// The flags about RTP without SIP.
    pub(crate) sender: SenderLow,
}

/// Asks for `-media_iouring`, by one of [`IOURING_WORDS`].
const IOURING_VARIABLE: &str = "GOSSIPPER_MEDIA_IOURING";

const IOURING_WORDS: [&str; 3] = ["1", "true", "yes"];

impl MediaLow {
    /// `-media_iouring`, or its variable, asks for what `-media_scale` does anyway.
    pub(crate) fn check_iouring(
        &self,
        env: impl Fn(&str) -> Option<String>,
        faults: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) {
        let by_variable = || {
            let value = env(IOURING_VARIABLE).unwrap_or_default();
            let asks = |word: &&str| word.eq_ignore_ascii_case(value.trim());
            IOURING_WORDS.iter().any(asks)
        };
        let asked_by = match self.iouring {
            true => "-media_iouring",
            false if by_variable() => IOURING_VARIABLE,
            false => return,
        };
        if !self.scale {
            let by = match self.iouring {
                true => String::new(),
                false => format!(" ({IOURING_VARIABLE} is set)"),
            };
            faults.push(format!("media_iouring requires media_scale{by}"));
            return;
        }
        notes.push(format!(
            "{asked_by}: packets are sent directly, by the thread that schedules them; with -media_scale they always are, so \
             nothing changes, and io_uring is not used (it was measured, and takes as much)"
        ));
    }
}

/// The flags about media, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Media {
    /// `-max_rtp_port`.
    pub(crate) end_port: u16,
    /// `-rtp_echo`.
    pub(crate) echo: Option<EchoConfig>,
    /// Of the calls; the folder is the scenario's, who loads it knows.
    pub(crate) calls: MediaConfig,
}

impl Media {
    /// `port` is `-mp`, `skipped` is `-no_media`.
    pub(crate) fn resolve(
        low: MediaLow,
        dialect: Dialect,
        port: u16,
        skipped: bool,
        faults: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Self {
        if let Some(end) = low.end_port.filter(|end| *end <= port) {
            faults.push(format!(
                "-max_rtp_port {end} leaves no port for media: they lie below it and begin with {port} (-mp)"
            ));
        }
        if low.echo && skipped {
            faults.push("-rtp_echo is media and -no_media runs none: give one of them".to_owned());
        }
        if let Some(number) = low.payload_type.filter(|n| !PAYLOAD_TYPES.contains(n)) {
            faults.push(format!(
                "-rtp_payload {number} says nothing about the codec: it is one of 0, 8, 9, 13 and 18; others are named \
                 with their codec in the action"
            ));
        }
        for (flag, share) in ["audiotolerance", "videotolerance"]
            .into_iter()
            .zip(low.tolerances)
        {
            if let Some(share) = share.filter(|share| *share > 1.0) {
                faults.push(format!(
                    "-{flag} {share} is no share: it is between 0.0 and 1.0"
                ));
            }
        }
        low.check_iouring(|name| std::env::var(name).ok(), faults, notes);
        for (given, flag) in [
            (low.check_debug, "-rtpcheck_debug"),
            (low.srtp_debug, "-srtpcheck_debug"),
        ] {
            if given && skipped {
                faults.push(format!(
                    "{flag} tells of media and -no_media runs none: give one of them"
                ));
            }
        }
        if let Some(flag) = low.sender.given() {
            faults.push(format!(
                "{flag} is about RTP without SIP: it needs -rtp_send"
            ));
        }
        if low.scale && low.srtp {
            faults.push("media_scale is incompatible with media_srtp".to_owned());
        }
        if low.srtp && low.reject_srtp {
            faults.push(
                "-media_srtp uses SRTP and -media_reject_srtp refuses it: give one of them"
                    .to_owned(),
            );
        }
        if low.scale && low.record_folder.is_some() {
            faults
                .push("-media_scale receives nothing that -record_wav_dir could record".to_owned());
        }
        if low.record_duplex && low.record_folder.is_none() {
            faults
                .push("-record_wav_duplex is about -record_wav_dir, which is not given".to_owned());
        }
        if low.echo_bytes.is_some() && !low.echo {
            notes.push("-mb has no effect without -rtp_echo".to_owned());
        }
        if low.thread_tasks {
            notes.push(
                "-rtp_threadtasks has no effect: the streams of a shard need no threads of their own".to_owned(),
            );
        }
        let default = EchoConfig::default();
        let end_port = low.end_port.unwrap_or(default.end_port);
        let (rules, buffer_bytes) = match dialect {
            Dialect::Sipp => (MediaRules::Sipp, Some(SIPP_BUFFER_BYTES)),
            Dialect::Gossipper => (MediaRules::Own, None),
        };
        Self {
            end_port,
            echo: low.echo.then_some(EchoConfig {
                first_port: port,
                end_port,
                max_bytes: low.echo_bytes.unwrap_or(default.max_bytes),
            }),
            calls: MediaConfig {
                rules,
                folder: None,
                payload_type: low.payload_type,
                random_ssrc: low.random_ssrc,
                srtp: match (low.srtp, low.reject_srtp) {
                    (true, _) => SrtpPolicy::Use,
                    (_, true) => SrtpPolicy::Reject,
                    (false, false) => SrtpPolicy::Unsaid,
                },
                buffer_bytes: low.buffer_bytes.or(buffer_bytes),
                link: low.link,
                tolerances: low.tolerances.map(|share| share.unwrap_or(1.0)),
                record: low.record_folder.map(|folder| RecordConfig {
                    folder,
                    duplex: low.record_duplex,
                }),
                check_debug: low.check_debug,
                srtp_debug: low.srtp_debug,
                scale: low.scale,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(low: MediaLow, port: u16, skipped: bool) -> usize {
        let mut faults = Vec::new();
        let dialect = Dialect::Gossipper;
        Media::resolve(low, dialect, port, skipped, &mut faults, &mut Vec::new());
        faults.len()
    }

    #[test]
    fn ranges_without_a_port_and_an_echo_without_media_are_refused() {
        let low = MediaLow {
            end_port: Some(6001),
            echo: true,
            ..MediaLow::default()
        };
        assert_eq!(faults(low.clone(), 6000, false), 0);
        assert_eq!(faults(low.clone(), 6001, false), 1);
        assert_eq!(faults(low, 7000, true), 2);
        // Nobody named an end.
        assert_eq!(faults(MediaLow::default(), 65_535, true), 0);
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        let contradictions = [
            MediaLow {
                payload_type: Some(96),
                ..MediaLow::default()
            },
            MediaLow {
                tolerances: [None, Some(1.5)],
                ..MediaLow::default()
            },
            MediaLow {
                scale: true,
                srtp: true,
                ..MediaLow::default()
            },
            MediaLow {
                srtp: true,
                reject_srtp: true,
                ..MediaLow::default()
            },
            MediaLow {
                record_duplex: true,
                ..MediaLow::default()
            },
        ];
        for low in contradictions {
            assert_eq!(faults(low.clone(), 6000, false), 1, "{low:?}");
        }
    }

    #[test]
    fn the_echo_gets_its_ports_and_its_buffer() {
        let low = MediaLow {
            end_port: Some(6500),
            echo: true,
            echo_bytes: Some(100),
            ..MediaLow::default()
        };
        let resolve = |low, port| {
            let dialect = Dialect::Sipp;
            Media::resolve(low, dialect, port, false, &mut Vec::new(), &mut Vec::new())
        };
        let media = resolve(low, 6400);
        assert_eq!(
            media.echo,
            Some(EchoConfig {
                first_port: 6400,
                end_port: 6500,
                max_bytes: 100
            })
        );
        let none = resolve(MediaLow::default(), 6000);
        assert_eq!((none.echo, none.end_port), (None, 65_535));
    }

    #[test]
    fn direct_sending_is_asked_for_by_flag_or_variable_and_needs_the_mode_that_does_it() {
        let check = |iouring: bool, scale: bool, value: Option<&str>| {
            let low = MediaLow {
                iouring,
                scale,
                ..MediaLow::default()
            };
            let env = |name: &str| {
                assert_eq!(name, "GOSSIPPER_MEDIA_IOURING");
                value.map(str::to_owned)
            };
            let (mut faults, mut notes) = (Vec::new(), Vec::new());
            low.check_iouring(env, &mut faults, &mut notes);
            (faults.join(";"), notes.join(";"))
        };
        let nothing = (String::new(), String::new());
        for value in [None, Some(""), Some("0"), Some("no"), Some("false")] {
            assert_eq!(check(false, false, value), nothing, "{value:?}");
            assert_eq!(check(false, true, value), nothing, "{value:?}");
            let (faults, notes) = check(true, true, value);
            assert!(
                faults.is_empty() && notes.starts_with("-media_iouring: "),
                "{faults} {notes}"
            );
        }
        let refused = "media_iouring requires media_scale";
        assert_eq!(check(true, false, None).0, refused);
        for value in ["1", "true", "yes", "YES"] {
            let (faults, notes) = check(false, false, Some(value));
            assert!(
                faults.starts_with(refused) && notes.is_empty(),
                "{faults} {notes}"
            );
            let (faults, notes) = check(false, true, Some(value));
            assert!(
                faults.is_empty() && notes.starts_with("GOSSIPPER_MEDIA_IOURING: "),
                "{faults} {notes}"
            );
        }
    }
}
