// SPDX-License-Identifier: AGPL-3.0-only
//! The flags about RTP without SIP (`-rtp_send`), and what they come to.
//!
//! There are no calls, so a flag about calls is refused: whoever gives one expects something that will not happen.

use super::host;
use super::low::{Dialect, LowArgs};
use super::rates::Rates;
use super::results::Results;
use super::shards::Shards;
use gossipper_runtime::config::{Begins, Codec, SenderConfig, SenderSound};
use gossipper_runtime::pacing::Rate;
use std::path::PathBuf;
use std::time::Duration;

/// Most streams: so many even ports there are.
pub(crate) const STREAMS_MAX: usize = 32_767;

/// From a packet of H.264 to the next, which has no length of its own.
const H264_MS: u32 = 33;

/// Flags that mean something without calls.
const TAKEN: &[&str] = &[
    "rtp_send",
    "rtp_addr",
    "rtp_pt",
    "rtp_codec",
    "rtp_freq",
    "rtp_dur",
    "rtp_ch",
    "rtp_streams",
    "rtp_sound",
    "rtp_file",
    "rtp_buffsize",
    "media_scale",
    "media_iouring",
    "i",
    "mi",
    "mp",
    "max_rtp_port",
    "r",
    "rp",
    "rate_profile",
    "rate_increase",
    "rate_interval",
    "rate_max",
    "shards",
    "seed",
    "timeout",
    "timeout_global",
    "stat_period",
    "summary_json",
    "summary_junit",
    "summary_html",
    "prometheus_addr",
    "health_max_rtcp_jitter_ts",
    "health_max_rtcp_fraction_lost",
    "health_min_rtp_packets_recv",
    "health_min_rtp_packets_recv_per_call",
    "threshold",
    "threshold_abort",
    "compat",
    "nostdin",
];

/// The flags as they were given.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct SenderLow {
    /// `-rtp_send`.
    pub(crate) send: bool,
    /// `-rtp_addr`.
    pub(crate) addresses: Option<String>,
    /// `-rtp_pt`.
    pub(crate) payload_type: Option<u8>,
    /// `-rtp_codec`.
    pub(crate) codec: Option<Codec>,
    /// `-rtp_freq`.
    pub(crate) packet_ms: Option<u32>,
    /// `-rtp_dur`.
    pub(crate) length: Option<Duration>,
    /// `-rtp_ch`.
    pub(crate) channels: Option<u8>,
    /// `-rtp_streams`.
    pub(crate) streams: Option<usize>,
    /// `-rtp_sound`.
    pub(crate) sound: Option<SenderSound>,
    /// `-rtp_file`.
    pub(crate) file: Option<PathBuf>,
}

impl SenderLow {
    /// The first flag that is about nothing else.
    pub(crate) fn given(&self) -> Option<&'static str> {
        [
            (self.addresses.is_some(), "-rtp_addr"),
            (self.payload_type.is_some(), "-rtp_pt"),
            (self.codec.is_some(), "-rtp_codec"),
            (self.packet_ms.is_some(), "-rtp_freq"),
            (self.length.is_some(), "-rtp_dur"),
            (self.channels.is_some(), "-rtp_ch"),
            (self.streams.is_some(), "-rtp_streams"),
            (self.sound.is_some(), "-rtp_sound"),
            (self.file.is_some(), "-rtp_file"),
        ]
        .into_iter()
        .find_map(|(given, flag)| given.then_some(flag))
    }
}

/// Reads the value of `-rtp_codec`.
///
/// # Errors
/// There is no such codec, or it has another clock.
pub(crate) fn codec(text: &str) -> Result<Codec, String> {
    let names = || {
        let names = Codec::ALL.iter().map(|codec| {
            let params = codec.params();
            format!("{}/{}", params.name, params.clock_rate)
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let found = Codec::of_name(text.as_bytes())
        .ok_or_else(|| format!("`{text}` is none of {}", names()))?;
    let params = found.params();
    let clock = text.split('/').nth(1);
    if let Some(clock) = clock.filter(|clock| *clock != params.clock_rate.to_string()) {
        return Err(format!(
            "{} has a clock of {} and not of {clock}",
            params.name, params.clock_rate
        ));
    }
    Ok(found)
}

/// Reads the value of `-rtp_sound`.
///
/// # Errors
/// It is none.
pub(crate) fn sound(text: &str) -> Result<SenderSound, String> {
    let hertz = |text: &str| {
        let hertz = text.parse().ok().filter(|hz| (1..=4000).contains(hz));
        hertz.ok_or_else(|| format!("`{text}` is no frequency from 1 to 4000 Hz"))
    };
    match text.split_once('=') {
        None if text == "tone" => Ok(SenderSound::Tone(None)),
        None if text == "noise" => Ok(SenderSound::Noise),
        None if text == "silence" => Ok(SenderSound::Silence),
        Some(("tone", hz)) => Ok(SenderSound::Tone(Some(hertz(hz)?))),
        _ => Err(format!(
            "`{text}` is none of tone, tone=HERTZ, noise and silence"
        )),
    }
}

/// A sender, checked.
#[derive(Debug)]
pub(crate) struct Sender {
    /// What is sent.
    pub(crate) config: SenderConfig,
    /// The codec as it was meant: `PCMU/8000`.
    pub(crate) codec: String,
    /// It ends after this time.
    pub(crate) timeout: Option<Duration>,
    /// How often figures are printed meanwhile.
    pub(crate) line_period: Option<Duration>,
    /// What it leaves for pipelines.
    pub(crate) results: Results,
    /// What is right and yet may surprise.
    pub(crate) notes: Vec<String>,
}

/// Payload type and codec: either says the other.
fn payload(low: &SenderLow) -> Result<(u8, Codec), String> {
    let named = |codec: Codec| codec.params();
    match (low.payload_type, low.codec) {
        (None, None) => Ok((0, Codec::Pcmu)),
        (None, Some(codec)) => Ok((named(codec).payload_type, codec)),
        (Some(number), codec) => match (Codec::of_payload_type(number), codec) {
            (Some(fixed), Some(codec)) if fixed != codec => Err(format!(
                "payload type {number} (-rtp_pt) is {} and not {} (-rtp_codec)",
                named(fixed).name,
                named(codec).name
            )),
            (_, Some(codec)) | (Some(codec), None) => Ok((number, codec)),
            (None, None) => Err(format!(
                "payload type {number} (-rtp_pt) says nothing about the codec: name it with -rtp_codec"
            )),
        },
    }
}

impl Sender {
    /// Applies the defaults and resolves the names; `given` has the flags of the command line.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn resolve(low: LowArgs, given: &[&'static str]) -> Result<Self, Vec<String>> {
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        let mut foreign: Vec<&str> = given.to_vec();
        foreign.retain(|flag| !TAKEN.contains(flag));
        foreign.dedup();
        for flag in foreign {
            faults.push(format!("-{flag} is about calls, and -rtp_send makes none"));
        }
        if let Some(remote) = &low.remote {
            faults.push(format!(
                "`{remote}`: -rtp_send calls nobody; -rtp_addr names where its packets go"
            ));
        }
        let media = low.media;
        let sender = media.sender.clone();
        let mut remotes = Vec::new();
        match sender.addresses.as_deref() {
            None => faults.push("-rtp_addr is required for standalone RTP sender".to_owned()),
            Some(texts) => {
                for text in texts.split(',') {
                    remotes.extend(host::address("-rtp_addr", text.trim(), &mut faults));
                }
            }
        }
        let local_ip = (low.media_ip.as_deref().map(|host| (host, "-mi")))
            .or_else(|| low.local_ip.as_deref().map(|host| (host, "-i")))
            .and_then(|(host, flag)| host::ip(host, flag, &mut faults));
        let (payload_type, codec) = payload(&sender).unwrap_or_else(|fault| {
            faults.push(fault);
            (0, Codec::Pcmu)
        });
        let streams = sender.streams.unwrap_or(1);
        if streams > 1 && !media.scale {
            faults.push("rtp_streams > 1 requires -media_scale".to_owned());
        }
        media.check_iouring(|name| std::env::var(name).ok(), &mut faults, &mut notes);
        if sender.file.is_some() && sender.sound.is_some() {
            faults.push("-rtp_file and -rtp_sound exclude each other".to_owned());
        }
        let gates = media.scale
            && (low.results.max_fraction_lost.is_some()
                || low.results.max_jitter_ts.is_some()
                || low.results.min_rtp_received.is_some()
                || low.results.min_rtp_received_per_call.is_some());
        if gates {
            faults
                .push("-media_scale receives nothing that a health gate could ask for".to_owned());
        }
        let first = low.media_port.unwrap_or(6000);
        let end = media.end_port.unwrap_or(u16::MAX);
        if end <= first {
            faults.push(format!(
                "-max_rtp_port {end} leaves no port for media: they lie below it and begin with {first} (-mp)"
            ));
        }
        let period = low.rate_period.unwrap_or(Duration::from_secs(1));
        // The steps are ours, as all of this is: SIPp has no sender.
        let rates = Rates::resolve(
            low.rates.clone(),
            Dialect::Gossipper,
            period,
            false,
            None,
            &mut faults,
            &mut notes,
        );
        let ramps = rates.ramp.is_some();
        let rate = low.rate.or_else(|| ramps.then(|| Rate::DEFAULT.calls()));
        let begins = match (rate, low.rates.profile.is_some()) {
            (_, true) if ramps => Begins::AtOnce,
            (_, true) if low.rate.is_some() => {
                faults.push("-r and -rate_profile exclude each other".to_owned());
                Begins::AtOnce
            }
            (_, true) => match low.rates.curve_of(period) {
                Ok(curve) => curve.map_or(Begins::AtOnce, Begins::Profile),
                Err(fault) => {
                    faults.push(fault);
                    Begins::AtOnce
                }
            },
            (Some(rate), false) => {
                if rate == 0.0 && !ramps || period.is_zero() {
                    faults.push("rate and rate period must be greater than zero".to_owned());
                }
                let ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
                let rate = Rate::new(rate, ms);
                match rates.ramp {
                    Some(ramp) => Begins::Ramp(rate, ramp),
                    None => Begins::Rate(rate),
                }
            }
            (None, false) => {
                if low.rate_period.is_some() {
                    notes.push("-rp has no effect without -r or -rate_profile".to_owned());
                }
                Begins::AtOnce
            }
        };
        let results = Results::resolve(low.results, &mut faults, &mut notes);
        for threshold in &results.gates.thresholds {
            let none = std::iter::empty;
            faults.extend(threshold.check(none(), none(), 0).err());
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let params = codec.params();
        let default_ms = (codec == Codec::H264).then_some(H264_MS);
        // Whichever comes first.
        let timeout = [low.timeout, low.timeout_global]
            .into_iter()
            .flatten()
            .filter(|time| !time.is_zero())
            .min();
        Ok(Self {
            codec: format!("{}/{}", params.name, params.clock_rate),
            config: SenderConfig {
                remotes,
                local_ip,
                ports: (first, end),
                streams,
                begins,
                codec,
                payload_type,
                packet_ms: sender.packet_ms.or(default_ms),
                channels: sender.channels.unwrap_or(1),
                sound: match (sender.file, sender.sound) {
                    (Some(file), _) => SenderSound::File(file),
                    (None, sound) => sound.unwrap_or(SenderSound::Tone(None)),
                },
                length: sender.length.filter(|length| !length.is_zero()),
                scale: media.scale,
                buffer_bytes: media.buffer_bytes,
                threads: low.shards.map_or(1, Shards::count),
                seed: low.seed.unwrap_or_else(random_seed),
            },
            timeout,
            line_period: low.running.line_period.filter(|time| !time.is_zero()),
            results,
            notes,
        })
    }
}

/// What nobody has to repeat.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library draws its keys from the system's source of randomness.
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::argv;
    use crate::flags::low::Dialect;
    use std::ffi::OsString;

    fn resolve(line: &str) -> Result<Sender, Vec<String>> {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let parsed = argv::parse(Dialect::Gossipper, &args);
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        Sender::resolve(parsed.low, &parsed.given)
    }

    #[test]
    fn a_codec_and_a_payload_type_say_each_other() {
        let of = |flags: &str| {
            let line = format!("-rtp_send -rtp_addr 127.0.0.1:4000 {flags}");
            let sender = resolve(&line)?;
            Ok((sender.config.payload_type, sender.codec))
        };
        let is = |number, codec: &str| Ok::<_, Vec<String>>((number, codec.to_owned()));
        assert_eq!(of(""), is(0, "PCMU/8000"));
        assert_eq!(of("-rtp_pt 8"), is(8, "PCMA/8000"));
        assert_eq!(of("-rtp_codec OPUS/48000"), is(111, "opus/48000"));
        assert_eq!(of("-rtp_codec opus -rtp_pt 96"), is(96, "opus/48000"));
        assert_eq!(of("-rtp_codec g722"), is(9, "G722/8000"));
        let fault = |flags| of(flags).expect_err(flags).join("; ");
        assert!(fault("-rtp_codec PCMU -rtp_pt 8").contains("is PCMA and not PCMU"));
        assert!(fault("-rtp_pt 96").contains("name it with -rtp_codec"));
    }

    #[test]
    fn codecs_and_sounds_have_names() {
        assert_eq!(codec("pcma/8000"), Ok(Codec::Pcma));
        assert_eq!(codec("CN"), Ok(Codec::Noise));
        assert!(codec("PCMU/16000").is_err_and(|why| why.contains("a clock of 8000")));
        assert!(codec("speex").is_err_and(|why| why.contains("iLBC/8000")));
        assert_eq!(sound("tone=1000"), Ok(SenderSound::Tone(Some(1000))));
        for bad in ["tone=0", "tone=x", "hum", "noise=1"] {
            assert!(sound(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_about_calls_is_refused_and_what_is_missing_is_named() {
        let faults = |line| resolve(line).expect_err(line);
        assert_eq!(
            faults("-rtp_send"),
            ["-rtp_addr is required for standalone RTP sender"]
        );
        let faults = |line: &str| {
            let line = format!("-rtp_send -rtp_addr 127.0.0.1:4000 {line}");
            resolve(&line).expect_err(&line).join("\n")
        };
        assert_eq!(
            faults("-sn uac -m 3 10.0.0.1"),
            "-sn is about calls, and -rtp_send makes none\n\
             -m is about calls, and -rtp_send makes none\n\
             `10.0.0.1`: -rtp_send calls nobody; -rtp_addr names where its packets go"
        );
        assert_eq!(
            faults("-rtp_streams 2"),
            "rtp_streams > 1 requires -media_scale"
        );
        assert_eq!(
            faults("-media_iouring"),
            "media_iouring requires media_scale"
        );
        assert!(faults("-rtp_file a -rtp_sound tone").contains("exclude each other"));
        assert!(faults("-max_rtp_port 6000").contains("leaves no port"));
        assert!(faults("-r 0").contains("greater than zero"));
        assert!(faults("-rate_increase 1 -rate_profile 0:1").contains("exclude each other"));
        assert!(faults("-rate_increase 1 -no_rate_quit").contains("-no_rate_quit is about calls"));
        assert!(faults("-log_stdout").contains("-log_stdout is about calls"));
        assert!(faults("-media_scale -health_max_rtcp_jitter_ts 1").contains("receives nothing"));
        assert!(faults("-threshold rtd.x.p99<1s").contains("rtd"));
        assert!(faults("-media_scale -health_min_rtp_packets_recv 1").contains("receives nothing"));
    }

    #[test]
    fn every_flag_that_is_taken_exists() {
        for flag in TAKEN {
            let found = crate::flags::find(flag).expect(flag);
            assert_eq!(found.name(), *flag);
        }
    }

    #[test]
    fn a_rate_that_climbs_begins_where_it_is_said_or_where_calls_would() {
        let of = |flags: &str| {
            let line = format!(
                "-rtp_send -rtp_addr 127.0.0.1:4000 -media_scale -rtp_streams 9 -rate_increase 3 {flags}"
            );
            let sender = resolve(&line).expect("it is right");
            match sender.config.begins {
                Begins::Ramp(rate, ramp) => (rate.per_second(), ramp, sender.notes.len()),
                other => panic!("{other:?}"),
            }
        };
        let (rate, ramp, notes) = of("");
        assert_eq!((rate, ramp.step, ramp.max, notes), (10.0, 3.0, None, 0));
        assert_eq!(ramp.every.0, 1_000_000);
        let (rate, ramp, _) = of("-r 0 -rp 2000 -rate_max 50 -rate_interval 250");
        // Steps are streams a second, whatever the period.
        assert_eq!((rate, ramp.step, ramp.max), (0.0, 6.0, Some(100.0)));
        assert_eq!((ramp.every.0, ramp.ends), (250_000, false));
    }

    #[test]
    fn destinations_times_and_rates_are_as_given() {
        let sender = resolve(
            "-rtp_send -rtp_addr 127.0.0.1:4000,127.0.0.1:4002 -media_scale -rtp_streams 5 -r 10 -rp 2000 -rtp_dur 1500 \
             -rtp_freq 10 -rtp_codec H264 -timeout 9 -timeout_global 4 -mp 7000 -media_iouring",
        )
        .expect("it is right");
        let config = &sender.config;
        assert_eq!((config.remotes.len(), config.streams), (2, 5));
        assert_eq!(config.length, Some(Duration::from_millis(1500)));
        assert!(matches!(config.begins, Begins::Rate(rate) if rate.per_second() == 5.0));
        assert_eq!((config.packet_ms, config.ports), (Some(10), (7000, 65_535)));
        assert_eq!(sender.timeout, Some(Duration::from_secs(4)));
        assert_eq!(sender.notes.len(), 1, "{:?}", sender.notes);
    }
}
