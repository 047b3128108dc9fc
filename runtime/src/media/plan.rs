// SPDX-License-Identifier: AGPL-3.0-only
//! What is the same for the whole run: actions with their files read and coded, before anybody is called.
//!
//! Shared by all shards. An argument with keywords is read when it is known, and looks its file up in the same place.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gossipper_bytecode::media::{
    Argument, Codec as CodecName, Direction, Dtmf, Loops, Media, MediaStream, Paused, Payload,
    Record, RtpCheck, RtpStream, Sound as SoundName,
};
use gossipper_bytecode::{Mode, Program, Segment, Slot, media_args};
use gossipper_media::codec::PacketShape;
use gossipper_media::engine::{CheckDirection, CheckParams, Length};
use gossipper_media::replay::{Keep, Replay};
use gossipper_media::tone::{Sound, TONE_AMPLITUDE, Tone};
use gossipper_media::{Clip, Codec, Micros};

use super::config::{MediaConfig, MediaRules};
use super::debug::DebugFiles;
use super::microphone::{Microphones, Name, find_recorder};
use crate::error::Error;

/// SIPp's `-rtp_payload`.
const SIPP_PAYLOAD_TYPE: u8 = 8;

/// Clips of computed sound that are kept; more come only from arguments with keywords.
const MAX_COMPUTED: usize = 256;

/// Streams of a call as they are counted: audio, and the other one.
pub(super) const fn index_of(stream: MediaStream) -> usize {
    match stream {
        MediaStream::Audio | MediaStream::Image => 0,
        MediaStream::Video => 1,
    }
}

/// Where captures are played to, as they are counted.
pub(super) const fn play_index(stream: MediaStream) -> usize {
    match stream {
        MediaStream::Audio => 0,
        MediaStream::Image => 1,
        MediaStream::Video => 2,
    }
}

/// Something to play.
#[derive(Debug, Clone)]
pub(super) struct PlaySpec {
    pub(super) source: Source,
    /// `None` takes that of the stream.
    pub(super) payload: Option<(u8, Codec)>,
    pub(super) packet_ms: Option<u32>,
    pub(super) channels: u8,
    pub(super) length: Length,
}

/// Where its bytes come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    File(Arc<SoundFile>),
    Computed(Sound),
    /// A pattern of SIPp.
    Pattern(u8),
}

/// What an action does to streams.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Play(MediaStream, PlaySpec),
    /// Of a microphone.
    Listen {
        name: Name,
        line: u32,
    },
    Pause(Paused),
    Resume(Paused),
    Stop,
    Echo(MediaStream, bool),
    Replay(MediaStream, Replay),
    /// `play_dtmf`
    PlayDigits {
        digits: Box<[u8]>,
        length_ms: u32,
    },
    /// `send_dtmf`
    SendDigits(Box<[u8]>),
    Record {
        path: PathBuf,
        duplex: bool,
    },
    StopRecording,
    Check(CheckParams),
}

/// An action of the program.
#[derive(Debug)]
pub(super) enum Prepared {
    Known(Deed),
    /// Its argument comes with the order; and the line it stands in.
    Rendered(Word, u32),
    /// It is not the shard's.
    Nothing,
}

/// Which action has an argument with keywords.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    RtpStream,
    PlayDtmf,
    SendDtmf,
    Record,
}

/// A file of sound, in the form of each codec that was asked for.
#[derive(Debug)]
pub(super) struct SoundFile {
    path: PathBuf,
    bytes: Vec<u8>,
    clips: Mutex<Vec<(Codec, Clip)>>,
}

impl SoundFile {
    fn clip(&self, codec: Codec, rules: MediaRules) -> Result<Clip, String> {
        let mut clips = locked(&self.clips);
        if let Some((_, clip)) = clips.iter().find(|(known, _)| *known == codec) {
            return Ok(clip.clone());
        }
        let clip = match rules {
            // COMPAT(sipp): what a WAV file holds is sent as it is.
            MediaRules::Sipp => Clip::sipp_file(codec, &self.bytes),
            MediaRules::Own => Clip::file(codec, &self.bytes),
        };
        let clip = clip.map_err(|error| format!("`{}`: {error}", self.path.display()))?;
        clips.push((codec, clip.clone()));
        Ok(clip)
    }
}

/// A computed clip: codec, bytes of a packet, and what sounds.
type Computed = (Codec, usize, Sound);

/// The same for all shards of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) config: MediaConfig,
    pub(super) actions: Vec<Prepared>,
    /// The keyword that says where captures of each kind are played from.
    pub(super) play_ports: [Option<Slot>; 3],
    files: Mutex<HashMap<PathBuf, Arc<SoundFile>>>,
    computed: Mutex<Vec<(Computed, Clip)>>,
    /// Sockets that captures are played from, by port: calls may share one.
    play_sockets: Mutex<HashMap<u16, Weak<UdpSocket>>>,
    /// Those of the echo, which has its ports first.
    echo_sockets: Vec<(u16, Arc<UdpSocket>)>,
    pub(super) microphones: Microphones,
    /// What is to be said of files, until somebody says it.
    remarks: Mutex<Vec<String>>,
    /// What else writes: recordings.
    pub(super) seed: u64,
    pub(super) debug: DebugFiles,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plan {
    /// Whether calls may play captures.
    pub(super) fn plays_captures(&self) -> bool {
        let plays = |action: &Prepared| match action {
            Prepared::Known(Deed::Replay(..) | Deed::PlayDigits { .. }) => true,
            Prepared::Rendered(word, _) => !matches!(word, Word::RtpStream),
            Prepared::Known(_) | Prepared::Nothing => false,
        };
        self.actions.iter().any(plays)
    }

    /// Reads and codes what the program plays.
    pub(crate) fn new(
        program: &Program,
        config: MediaConfig,
        seed: u64,
        echo_sockets: Vec<(u16, Arc<UdpSocket>)>,
    ) -> Result<Self, Error> {
        let role = match program.mode() {
            Mode::Client => "uac",
            Mode::Server => "uas",
        };
        let mut plan = Self {
            debug: DebugFiles::open(config.check_debug, config.srtp_debug, role)?,
            config,
            actions: Vec::new(),
            play_ports: play_ports(program),
            files: Mutex::default(),
            computed: Mutex::default(),
            play_sockets: Mutex::default(),
            echo_sockets,
            microphones: Microphones::default(),
            remarks: Mutex::default(),
            seed,
        };
        for entry in &program.media {
            let step = entry.step.map(|step| &program.steps[step.index()]);
            let line = step.map_or(0, |step| step.line);
            let prepared = plan.prepare(program, &entry.media, line);
            let prepared = prepared.map_err(|why| Error::Media {
                what: entry.media.name(),
                line,
                why,
            })?;
            plan.actions.push(prepared);
        }
        Ok(plan)
    }

    fn prepare(&self, program: &Program, media: &Media, line: u32) -> Result<Prepared, String> {
        let bytes = |text| program.bytes(text);
        Ok(Prepared::Known(match media {
            Media::RtpStream(Argument::Known(stream)) => self.stream(stream.map(bytes), line)?,
            Media::RtpStream(Argument::Rendered(_)) => {
                return Ok(Prepared::Rendered(Word::RtpStream, line));
            }
            Media::PlayDtmf(Argument::Known(dtmf)) => play_digits(Dtmf {
                digits: bytes(dtmf.digits),
                length_ms: dtmf.length_ms,
            }),
            Media::PlayDtmf(Argument::Rendered(_)) => {
                return Ok(Prepared::Rendered(Word::PlayDtmf, line));
            }
            Media::SendDtmf(Argument::Known(digits)) => Deed::SendDigits(bytes(*digits).into()),
            Media::SendDtmf(Argument::Rendered(_)) => {
                return Ok(Prepared::Rendered(Word::SendDtmf, line));
            }
            Media::Record(Argument::Known(record)) => match record {
                Record::Start { file, duplex } => record_to(bytes(*file), *duplex)?,
                Record::Stop => Deed::StopRecording,
            },
            Media::Record(Argument::Rendered(_)) => {
                return Ok(Prepared::Rendered(Word::Record, line));
            }
            Media::PlayPcap { stream, file } => {
                let replay = self.capture(bytes(*file))?;
                Deed::Replay(*stream, replay)
            }
            Media::SrtpEcho(echo) => Deed::Echo(
                echo.stream,
                echo.change != gossipper_bytecode::media::EchoChange::Stop,
            ),
            Media::Check(check) => Deed::Check(check_of(check)),
            Media::EchoSwitch(_) => return Ok(Prepared::Nothing),
        }))
    }

    /// Reads an argument that has just been rendered.
    pub(super) fn rendered(&self, word: Word, text: &[u8], line: u32) -> Result<Deed, String> {
        let wrong = |error: media_args::ArgumentError| format!("{}; {}", error.message, error.help);
        match word {
            Word::RtpStream => self.stream(media_args::rtp_stream(text).map_err(wrong)?, line),
            Word::PlayDtmf => Ok(play_digits(media_args::play_dtmf(text).0)),
            Word::SendDtmf => Ok(Deed::SendDigits(text.into())),
            Word::Record => match media_args::rtp_record(text).map_err(wrong)? {
                Record::Start { file, duplex } => record_to(file, duplex),
                Record::Stop => Ok(Deed::StopRecording),
            },
        }
    }

    fn stream(&self, stream: RtpStream<&[u8]>, line: u32) -> Result<Deed, String> {
        let payload =
            |payload: Option<Payload>| payload.map(|known| (known.number, codec_of(known.codec)));
        let about = stream.stream();
        let spec = match stream {
            RtpStream::File {
                file,
                loops,
                payload: known,
            } => PlaySpec {
                source: Source::File(self.sound_file(file)?),
                payload: payload(known),
                packet_ms: None,
                channels: 1,
                length: match loops {
                    Loops::Times(times) => Length::Loops(times),
                    Loops::Endless => Length::Endless,
                },
            },
            RtpStream::Pattern {
                id, payload: known, ..
            } => PlaySpec {
                source: Source::Pattern(id),
                payload: payload(known),
                packet_ms: None,
                channels: 1,
                length: Length::Endless,
            },
            RtpStream::Synthetic {
                sound,
                payload: known,
                packet_ms,
                duration_ms,
                channels,
            } => PlaySpec {
                source: Source::Computed(match sound {
                    SoundName::Tone(None) => Sound::default(),
                    SoundName::Tone(Some(hz)) => {
                        Sound::Tone(Tone::new(f64::from(hz), TONE_AMPLITUDE))
                    }
                    SoundName::Noise => Sound::noise(),
                    SoundName::Silence => Sound::Silence,
                }),
                payload: payload(known),
                packet_ms,
                channels,
                length: match duration_ms {
                    0 => Length::Endless,
                    ms => Length::Time(Micros::from_ms(u64::from(ms))),
                },
            },
            RtpStream::Pause(what) => return Ok(Deed::Pause(what)),
            RtpStream::Resume(what) => return Ok(Deed::Resume(what)),
            RtpStream::Stop => return Ok(Deed::Stop),
            RtpStream::Echo => return Ok(Deed::Echo(MediaStream::Audio, true)),
            RtpStream::Microphone { input } => {
                // Whether the device is there shows when it is opened.
                find_recorder()?;
                let name = input.map(|input| match std::str::from_utf8(input) {
                    Ok(text) if !text.contains('\0') => Ok(text.into()),
                    _ => Err("the name of the input is no text".to_owned()),
                });
                let name = name.transpose()?;
                return Ok(Deed::Listen { name, line });
            }
        };
        // What cannot be coded is found out before the first call.
        if let Some((_, codec)) = spec.payload.or_else(|| self.payload(None)) {
            self.clip(&spec, codec)?;
        }
        Ok(Deed::Play(about, spec))
    }

    /// Payload type and codec where an action names none; `negotiated` is the stream's.
    pub(super) fn payload(&self, negotiated: Option<(u8, Codec)>) -> Option<(u8, Codec)> {
        let named = |number| Codec::of_payload_type(number).map(|codec| (number, codec));
        match (self.config.payload_type, self.config.rules) {
            (Some(number), _) => named(number),
            (None, MediaRules::Sipp) => named(SIPP_PAYLOAD_TYPE),
            (None, MediaRules::Own) => negotiated,
        }
    }

    /// The bytes that are played in a codec, and how they are cut.
    pub(super) fn clip(
        &self,
        spec: &PlaySpec,
        codec: Codec,
    ) -> Result<(Clip, PacketShape), String> {
        let packet_ms = spec.packet_ms.unwrap_or_else(|| codec.params().packet_ms);
        let Some(shape) = codec.packet_of(packet_ms) else {
            return Err(format!(
                "{} has no packets of {packet_ms} ms",
                codec.params().name
            ));
        };
        let wide = shape
            .with_channels(codec, spec.channels)
            .map_err(|error| error.to_string())?;
        let clip = self.narrow(spec, codec, shape)?;
        Ok((clip.on_channels(spec.channels), wide))
    }

    /// The same with one channel.
    fn narrow(&self, spec: &PlaySpec, codec: Codec, shape: PacketShape) -> Result<Clip, String> {
        match &spec.source {
            Source::File(file) => file.clip(codec, self.config.rules),
            Source::Pattern(id) => {
                Clip::pattern(codec, *id).ok_or_else(|| format!("there is no pattern {id}"))
            }
            Source::Computed(sound) => {
                let wanted = (codec, shape.payload_len, *sound);
                let mut computed = locked(&self.computed);
                if let Some((_, clip)) = computed.iter().find(|(known, _)| *known == wanted) {
                    return Ok(clip.clone());
                }
                let clip = Clip::synthetic(codec, *sound, shape.payload_len);
                if computed.len() < MAX_COMPUTED {
                    computed.push((wanted, clip.clone()));
                }
                Ok(clip)
            }
        }
    }

    fn sound_file(&self, name: &[u8]) -> Result<Arc<SoundFile>, String> {
        let path = self.find(name)?;
        if let Some(file) = locked(&self.files).get(&path) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(SoundFile {
            bytes: read(&path)?,
            clips: Mutex::default(),
            path: path.clone(),
        });
        locked(&self.files).insert(path, Arc::clone(&file));
        Ok(file)
    }

    fn capture(&self, name: &[u8]) -> Result<Replay, String> {
        let path = self.find(name)?;
        let replay = Replay::parse(read(&path)?.into(), Keep::All, self.config.link)
            .map_err(|error| format!("`{}`: {error}", path.display()))?;
        let skipped = replay.skipped();
        if skipped.is_missing_any() {
            let whole = replay.packets().len();
            let text = format!(
                "`{}`: {whole} packets are played, and not: {skipped}",
                path.display()
            );
            let mut remarks = locked(&self.remarks);
            if !remarks.contains(&text) {
                remarks.push(text);
            }
        }
        Ok(replay)
    }

    /// What is to be said of files; once.
    pub(super) fn take_remarks(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.remarks))
    }

    /// A file beside the scenario, else in the current folder.
    fn find(&self, name: &[u8]) -> Result<PathBuf, String> {
        let name =
            std::str::from_utf8(name).map_err(|_| "the name of the file is no UTF-8".to_owned())?;
        let home = name
            .strip_prefix("~/")
            .and_then(|rest| Some(Path::new(&std::env::var_os("HOME")?).join(rest)));
        let path = home.unwrap_or_else(|| PathBuf::from(name));
        if path.is_relative()
            && let Some(folder) = &self.config.folder
        {
            let beside = folder.join(&path);
            if beside.is_file() {
                return Ok(beside);
            }
        }
        Ok(path)
    }

    /// The socket that captures are played from at a port, shared by all calls that play there.
    pub(super) fn play_socket(
        &self,
        port: u16,
        bind: impl FnOnce() -> std::io::Result<UdpSocket>,
    ) -> std::io::Result<Arc<UdpSocket>> {
        let echo = self.echo_sockets.iter().find(|(own, _)| *own == port);
        if let Some((_, socket)) = echo {
            return Ok(Arc::clone(socket));
        }
        let mut sockets = locked(&self.play_sockets);
        if let Some(socket) = sockets.get(&port).and_then(Weak::upgrade) {
            return Ok(socket);
        }
        let socket = Arc::new(bind()?);
        sockets.retain(|_, known| known.strong_count() > 0);
        sockets.insert(port, Arc::downgrade(&socket));
        Ok(socket)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

fn play_digits(dtmf: Dtmf<&[u8]>) -> Deed {
    // COMPAT(sipp): letters are digits in upper case only.
    let digits = dtmf.digits.iter().copied();
    Deed::PlayDigits {
        digits: digits.filter(|digit| !digit.is_ascii_lowercase()).collect(),
        length_ms: dtmf.length_ms,
    }
}

fn record_to(file: &[u8], duplex: bool) -> Result<Deed, String> {
    let path = std::str::from_utf8(file)
        .map_err(|_| "the name of the file is no UTF-8".to_owned())?
        .into();
    Ok(Deed::Record { path, duplex })
}

fn check_of(check: &RtpCheck) -> CheckParams {
    CheckParams {
        min_packets: u64::from(check.min_packets),
        timeout: Micros::from_ms(u64::from(check.timeout_ms)),
        direction: match check.direction {
            Direction::Any => CheckDirection::Any,
            Direction::Sent => CheckDirection::Sent,
            Direction::Received => CheckDirection::Received,
            Direction::Both => CheckDirection::Both,
        },
        max_loss_percent: check.max_loss.map(|loss| f64::from(loss) / 100.0),
        max_jitter_ms: check.max_jitter_us.map(|us| f64::from(us) / 1000.0),
        min_mos: check.min_mos.map(|mos| f64::from(mos) / 100.0),
        max_silence: check
            .max_silence_ms
            .map(|ms| Micros::from_ms(u64::from(ms))),
    }
}

const fn codec_of(name: CodecName) -> Codec {
    match name {
        CodecName::Pcmu => Codec::Pcmu,
        CodecName::Pcma => Codec::Pcma,
        CodecName::G722 => Codec::G722,
        CodecName::G729 => Codec::G729,
        CodecName::Noise => Codec::Noise,
        CodecName::Ilbc => Codec::Ilbc,
        CodecName::Opus => Codec::Opus,
        CodecName::H264 => Codec::H264,
    }
}

/// The keyword behind `m=audio`, `m=image` and `m=video` in the messages of a program: what it prints is where captures
/// are played from. The last one counts.
fn play_ports(program: &Program) -> [Option<Slot>; 3] {
    let mut ports = [None; 3];
    for template in &program.templates {
        let segments = &program.segments[template.range()];
        for pair in segments.windows(2) {
            let (Segment::Literal(text), Segment::Slot(slot)) = (&pair[0], &pair[1]) else {
                continue;
            };
            if !matches!(
                slot,
                Slot::MediaPort(_)
                    | Slot::AutoMediaPort(_)
                    | Slot::RtpStreamAudioPort(_)
                    | Slot::RtpStreamVideoPort(_)
            ) {
                continue;
            }
            let kinds: [&[u8]; 3] = [b"m=audio ", b"m=image ", b"m=video "];
            for (port, kind) in ports.iter_mut().zip(kinds) {
                if program.bytes(*text).ends_with(kind) {
                    *port = Some(*slot);
                }
            }
        }
    }
    ports
}
