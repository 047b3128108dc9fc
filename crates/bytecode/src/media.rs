// SPDX-License-Identifier: AGPL-3.0-only
//! What a scenario asks of media: the entries of the table behind `Op::Media`, and how a program is asked about them.
//!
//! Arguments that hold no keywords are typed here already; those with keywords are read by the same code
//! ([`crate::media_args`]) when they are known, in the run. Whoever runs a program asks [`Program::media_use`] first:
//! a program that uses media must not run as if it did not.

use crate::ids::{StepId, TemplateId, TextRef};
use crate::op::Operand;
use crate::program::Program;
use crate::template::{Segment, Slot};
use serde::{Deserialize, Serialize};

/// Which stream of a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum MediaStream {
    /// `m=audio`
    Audio,
    /// `m=image`
    Image,
    /// `m=video`
    Video,
}

/// How the payload of a packet is coded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Codec {
    /// `PCMU/8000`
    Pcmu,
    /// `PCMA/8000`
    Pcma,
    /// `G722/8000`
    G722,
    /// `G729/8000`
    G729,
    /// Comfort noise.
    Noise,
    /// `iLBC/8000`
    Ilbc,
    /// `opus/48000`
    Opus,
    /// `H264/90000`
    H264,
}

impl Codec {
    /// The stream that carries it.
    #[must_use]
    pub const fn stream(self) -> MediaStream {
        match self {
            Self::H264 => MediaStream::Video,
            Self::Pcmu
            | Self::Pcma
            | Self::G722
            | Self::G729
            | Self::Noise
            | Self::Ilbc
            | Self::Opus => MediaStream::Audio,
        }
    }
}

/// Payload type and codec of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Payload {
    /// The payload type.
    pub number: u8,
    /// The codec.
    pub codec: Codec,
}

/// What synthetic audio sounds like.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Sound {
    /// `tone[=HERTZ]`; `None` is the usual one.
    Tone(Option<u16>),
    /// `noise`
    Noise,
    /// `silence`
    Silence,
}

/// How often a file is played.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Loops {
    /// As often as this.
    Times(u32),
    /// Until something stops it.
    Endless,
}

/// What `pause` and `resume` concern.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Paused {
    /// Files and patterns.
    All,
    /// The audio pattern.
    AudioPattern,
    /// The video pattern.
    VideoPattern,
}

/// `rtp_stream`; `T` holds texts. Payloads that are not given take the one of the run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum RtpStream<T> {
    /// `FILE[,LOOP[,PT[,NAME]]]`
    File {
        /// The file, as written.
        file: T,
        /// How often.
        loops: Loops,
        /// In what form it is.
        payload: Option<Payload>,
    },
    /// `apattern` and `vpattern`: one byte, repeated.
    Pattern {
        /// Audio or video.
        stream: MediaStream,
        /// Which byte, 1 to 6 for `AA` to `FF`.
        id: u8,
        /// In what form it is.
        payload: Option<Payload>,
    },
    /// `pause`, `pauseapattern`, `pausevpattern`
    Pause(Paused),
    /// `resume`, `resumeapattern`, `resumevpattern`
    Resume(Paused),
    /// `stop`
    Stop,
    /// `echo`: what is received is sent back.
    Echo,
    /// `mic[,INPUT]`
    Microphone {
        /// The device; `None` is the default one.
        input: Option<T>,
    },
    /// `synthetic[,LOOP[,PT[,CODEC[,PERIOD[,DURATION[,CHANNELS[,SOUND]]]]]]]`; with `silence` in place of the first word,
    /// silence.
    Synthetic {
        /// What is heard.
        sound: Sound,
        /// In what form it is.
        payload: Option<Payload>,
        /// Length of a packet in ms; `None` is the codec's.
        packet_ms: Option<u32>,
        /// How long, in ms; 0 until something stops it.
        duration_ms: u32,
        /// Channels.
        channels: u8,
    },
}

impl<T> RtpStream<T> {
    /// The stream of the call that it is about.
    pub const fn stream(&self) -> MediaStream {
        match self {
            Self::Pattern { stream, .. } => *stream,
            Self::Pause(Paused::VideoPattern) | Self::Resume(Paused::VideoPattern) => {
                MediaStream::Video
            }
            Self::File {
                payload: Some(payload),
                ..
            }
            | Self::Synthetic {
                payload: Some(payload),
                ..
            } => payload.codec.stream(),
            Self::File { .. }
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Stop
            | Self::Echo
            | Self::Microphone { .. }
            | Self::Synthetic { .. } => MediaStream::Audio,
        }
    }

    /// The same with its text in another form.
    pub fn map<U>(self, mut text: impl FnMut(T) -> U) -> RtpStream<U> {
        match self {
            Self::File {
                file,
                loops,
                payload,
            } => RtpStream::File {
                file: text(file),
                loops,
                payload,
            },
            Self::Microphone { input } => RtpStream::Microphone {
                input: input.map(text),
            },
            Self::Pattern {
                stream,
                id,
                payload,
            } => RtpStream::Pattern {
                stream,
                id,
                payload,
            },
            Self::Pause(what) => RtpStream::Pause(what),
            Self::Resume(what) => RtpStream::Resume(what),
            Self::Stop => RtpStream::Stop,
            Self::Echo => RtpStream::Echo,
            Self::Synthetic {
                sound,
                payload,
                packet_ms,
                duration_ms,
                channels,
            } => RtpStream::Synthetic {
                sound,
                payload,
                packet_ms,
                duration_ms,
                channels,
            },
        }
    }
}

/// `play_dtmf`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Dtmf<T> {
    /// The digits, as written; what is none is passed over.
    pub digits: T,
    /// Length of each, in ms.
    pub length_ms: u32,
}

/// What `exec rtp_echo` does to the SRTP echo of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum EchoChange {
    /// `start…`
    Start,
    /// `update…`
    Update,
    /// `stop…`
    Stop,
}

/// `exec rtp_echo`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SrtpEcho {
    /// What happens to it.
    pub change: EchoChange,
    /// Audio or video.
    pub stream: MediaStream,
    /// Decides the size of packets.
    pub payload: Option<Payload>,
}

/// `rtp_record`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Record<T> {
    /// `start,PATH[,duplex]`
    Start {
        /// The file to write.
        file: T,
        /// What is sent too, on a second channel.
        duplex: bool,
    },
    /// `stop`
    Stop,
}

/// Which packets `rtpcheck` counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Direction {
    /// Sent or received.
    Any,
    /// Sent.
    Sent,
    /// Received.
    Received,
    /// Sent, and as many received.
    Both,
}

/// `rtpcheck`: fails the call unless packets flow, and as well as they have to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RtpCheck {
    /// At least as many.
    pub min_packets: u32,
    /// Within this time.
    pub timeout_ms: u32,
    /// Of these.
    pub direction: Direction,
    /// No more of the peer's lost, in hundredths of a percent.
    pub max_loss: Option<u32>,
    /// Jitter not above this, in microseconds.
    pub max_jitter_us: Option<u32>,
    /// Not below this score, in hundredths.
    pub min_mos: Option<u32>,
    /// Never so long without a packet from the peer while the check lasts.
    pub max_silence_ms: Option<u32>,
}

impl Default for RtpCheck {
    fn default() -> Self {
        Self {
            min_packets: 1,
            timeout_ms: 1000,
            direction: Direction::Any,
            max_loss: None,
            max_jitter_us: None,
            min_mos: None,
            max_silence_ms: None,
        }
    }
}

/// An argument that may hold keywords.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Argument<T> {
    /// It holds none, and is right.
    Known(T),
    /// To be read once it is rendered.
    Rendered(TemplateId),
}

/// What a media action does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Media {
    /// `play_pcap_audio`, `play_pcap_image`, `play_pcap_video`
    PlayPcap {
        /// To which stream of the peer.
        stream: MediaStream,
        /// The capture file, as written.
        file: TextRef,
    },
    /// `play_dtmf`
    PlayDtmf(Argument<Dtmf<TextRef>>),
    /// `send_dtmf`: digits, paced and negotiated.
    SendDtmf(Argument<TextRef>),
    /// `rtp_stream`
    RtpStream(Argument<RtpStream<TextRef>>),
    /// `exec rtp_echo`
    SrtpEcho(SrtpEcho),
    /// `rtp_record`
    Record(Argument<Record<TextRef>>),
    /// `rtpcheck`
    Check(RtpCheck),
    /// The action `rtp_echo`: turns the echo of the process off when it is 0, else on.
    EchoSwitch(Operand),
}

impl Media {
    /// The attribute or action that asks for it, for messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PlayPcap {
                stream: MediaStream::Audio,
                ..
            } => "play_pcap_audio",
            Self::PlayPcap {
                stream: MediaStream::Image,
                ..
            } => "play_pcap_image",
            Self::PlayPcap {
                stream: MediaStream::Video,
                ..
            } => "play_pcap_video",
            Self::PlayDtmf(_) => "play_dtmf",
            Self::SendDtmf(_) => "send_dtmf",
            Self::RtpStream(_) => "rtp_stream",
            Self::SrtpEcho(_) | Self::EchoSwitch(_) => "rtp_echo",
            Self::Record(_) => "rtp_record",
            Self::Check(_) => "rtpcheck",
        }
    }

    /// The stream of the call that it plays, hears or steers; `None` for captures, which have sockets of their own in SIPp,
    /// and for what concerns the whole process. An argument that is not known yet is taken to be about audio.
    #[must_use]
    pub const fn stream(&self) -> Option<MediaStream> {
        match self {
            Self::RtpStream(Argument::Known(stream)) => Some(stream.stream()),
            Self::SrtpEcho(echo) => Some(echo.stream),
            Self::RtpStream(Argument::Rendered(_))
            | Self::SendDtmf(_)
            | Self::Record(_)
            | Self::Check(_) => Some(MediaStream::Audio),
            Self::PlayPcap { .. } | Self::PlayDtmf(_) | Self::EchoSwitch(_) => None,
        }
    }

    /// Whether it sends to where the peer's SDP says, so that SDP has to be read.
    #[must_use]
    pub const fn needs_sdp(&self) -> bool {
        match self {
            Self::PlayPcap { .. }
            | Self::PlayDtmf(_)
            | Self::SendDtmf(_)
            | Self::RtpStream(_)
            | Self::SrtpEcho(_)
            | Self::Record(_)
            | Self::Check(_) => true,
            Self::EchoSwitch(_) => false,
        }
    }
}

/// A media action and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MediaAction {
    /// Its step; `None` in the `init` section.
    pub step: Option<StepId>,
    /// What it does.
    pub media: Media,
}

/// Which crypto line of which stream a keyword of SRTP belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct CryptoLine {
    /// The second one; otherwise the first.
    pub secondary: bool,
    /// Of the video stream; otherwise of the audio stream.
    pub video: bool,
}

impl CryptoLine {
    /// Number of different lines.
    pub const COUNT: usize = 4;

    /// Its place among them.
    #[must_use]
    pub const fn index(self) -> usize {
        self.secondary as usize + 2 * self.video as usize
    }

    /// How keywords end: `1audio`, `2video`…
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match (self.secondary, self.video) {
            (false, false) => "1audio",
            (true, false) => "2audio",
            (false, true) => "1video",
            (true, true) => "2video",
        }
    }
}

/// A crypto suite of SRTP (RFC 4568 §6.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct CryptoSuite {
    /// Packets are encrypted; otherwise only authenticated.
    pub encrypted: bool,
    /// The tag has 80 bits; otherwise 32.
    pub long_tag: bool,
}

impl CryptoSuite {
    /// Its name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.encrypted, self.long_tag) {
            (true, true) => "AES_CM_128_HMAC_SHA1_80",
            (true, false) => "AES_CM_128_HMAC_SHA1_32",
            (false, true) => "NULL_HMAC_SHA1_80",
            (false, false) => "NULL_HMAC_SHA1_32",
        }
    }
}

/// Which key a keyword prints.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum KeyUse {
    /// A new one.
    Fresh,
    /// The one that was printed before.
    Again,
}

/// The first thing in a program that needs media.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaUse {
    /// The action, or the keyword in brackets.
    pub what: String,
    /// The step; `None` in `init` and in the text of an action.
    pub step: Option<StepId>,
    /// Its line in the scenario.
    pub line: Option<u32>,
}

impl Slot {
    /// Whether it prints an answer to the last description that the peer has sent.
    #[must_use]
    pub const fn answers_sdp(self) -> bool {
        matches!(
            self,
            Self::AudioPt
                | Self::AudioCodec
                | Self::AudioRtpmap
                | Self::AudioFmtp
                | Self::AudioSdp(_)
        )
    }

    /// Whether the keyword means something only with media: ports of streams, keys of SRTP.
    #[must_use]
    pub const fn is_media(self) -> bool {
        matches!(
            self,
            Self::RtpStreamAudioPort(_)
                | Self::RtpStreamVideoPort(_)
                | Self::AudioSdp(_)
                | Self::CryptoTag(_)
                | Self::CryptoSuite(..)
                | Self::CryptoKey(..)
                | Self::CryptoUnencrypted(..)
        )
    }
}

impl Program {
    /// What needs media first in the program, if anything does. The switch of the echo of the process is not of a call's media.
    #[must_use]
    pub fn media_use(&self) -> Option<MediaUse> {
        let line = |step: StepId| self.steps[step.index()].line;
        let of_call = |entry: &&MediaAction| !matches!(entry.media, Media::EchoSwitch(_));
        let action = self.media.iter().find(of_call).map(|entry| MediaUse {
            what: entry.media.name().to_owned(),
            step: entry.step,
            line: entry.step.map(line),
        });
        let keyword_of = |range: core::ops::Range<usize>| {
            self.segments[range]
                .iter()
                .find_map(|segment| match segment {
                    Segment::Slot(slot) if slot.is_media() => Some(slot.keyword()),
                    Segment::Slot(_) | Segment::Literal(_) => None,
                })
        };
        let in_send = self.sends.iter().find_map(|send| {
            let keyword = keyword_of(self.templates[send.template.index()].range())?;
            Some(MediaUse {
                what: format!("[{keyword}]"),
                step: Some(send.step),
                line: Some(line(send.step)),
            })
        });
        let elsewhere = || {
            let keyword = self
                .templates
                .iter()
                .find_map(|template| keyword_of(template.range()))?;
            Some(MediaUse {
                what: format!("[{keyword}]"),
                step: None,
                line: None,
            })
        };
        match (action, in_send) {
            (Some(action), Some(keyword)) if keyword.line < action.line => Some(keyword),
            (Some(action), _) => Some(action),
            (None, keyword) => keyword.or_else(elsewhere),
        }
    }

    /// Whether the program turns the echo of the process on or off.
    #[must_use]
    pub fn switches_echo(&self) -> bool {
        let switch = |entry: &MediaAction| matches!(entry.media, Media::EchoSwitch(_));
        self.media.iter().any(switch)
    }

    /// Whether anything in the program sends to where the peer's SDP says, or prints an answer to it: then the SDP of messages has to be read at
    /// every step whose [`crate::Step::reads_sdp`] says so.
    #[must_use]
    pub fn reads_sdp(&self) -> bool {
        needs_sdp(&self.media, &self.segments)
    }
}

/// Whether a program with these actions and texts has to read what its peers describe.
#[must_use]
pub fn needs_sdp(media: &[MediaAction], segments: &[Segment]) -> bool {
    let answers = |segment: &Segment| matches!(segment, Segment::Slot(slot) if slot.answers_sdp());
    media.iter().any(|entry| entry.media.needs_sdp()) || segments.iter().any(answers)
}
