// SPDX-License-Identifier: AGPL-3.0-only
//! The boundary of the engine: what it is told, and what it orders. Plain data, no callbacks.

use super::check::{CheckFailure, CheckParams};
use crate::clip::Clip;
use crate::codec::{Codec, PacketShape};
use crate::dtmf::{DtmfParams, Heard};
use crate::replay::Replay;
use crate::srtp::MasterKey;
use crate::time::Micros;
use core::net::SocketAddr;
use core::ops::Range;

/// A stream of this engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StreamKey {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl StreamKey {
    /// A small number, for tables beside the engine; taken again after the stream is closed.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }
}

/// Sound of this engine that comes while it is played; the number is taken again after it is closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FeedKey(pub(super) u32);

/// When the first packet of something played leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstPacket {
    /// At once, as SIPp does.
    AtOnce,
    /// When its audio would have been spoken.
    AfterInterval,
}

/// What is known of a stream when it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamParams {
    /// Our source.
    pub ssrc: u32,
    /// Number of the first packet.
    pub sequence: u16,
    /// Timestamp at the beginning of the run; it advances with time.
    pub timestamp: u32,
    /// What is received until something else is agreed upon.
    pub format: Format,
    /// Marks the beginning of a talk spurt. SIPp never does.
    pub marks: bool,
    /// When what is played begins.
    pub first_packet: FirstPacket,
    /// From one report to the next; `None` sends none and reads none.
    pub report_interval: Option<Micros>,
}

/// What payload means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// The codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Payload type of telephone events, if they were agreed upon.
    pub events: Option<u8>,
    /// Channels, whose samples stand side by side.
    pub channels: u8,
}

/// Where a peer wants its packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Remote {
    /// RTP; `None` or an unspecified address sends nothing.
    pub rtp: Option<SocketAddr>,
    /// RTCP.
    pub rtcp: Option<SocketAddr>,
    /// The peer wants nothing for now.
    pub held: bool,
}

/// How long something is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// So many times.
    Loops(u32),
    /// For this time.
    Time(Micros),
    /// Until something stops it.
    Endless,
}

/// Something to play.
#[derive(Clone, Debug)]
pub struct Play {
    /// The bytes.
    pub clip: Clip,
    /// Their payload type.
    pub payload_type: u8,
    /// How they are cut.
    pub shape: PacketShape,
    /// How long.
    pub length: Length,
    /// A pattern whose echo is checked: its byte.
    pub pattern: Option<u8>,
}

/// A feed to play, without end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlayFeed {
    /// Which.
    pub feed: FeedKey,
    /// In which codec. One that is only passed through plays nothing.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// How it is cut.
    pub shape: PacketShape,
}

/// Keys of both directions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// Ours: what we told the peer.
    pub send: MasterKey,
    /// The peer's.
    pub receive: MasterKey,
}

/// What a stream is told to do.
#[derive(Clone, Debug)]
pub enum Op {
    /// An offer or an answer said where the peer is.
    Remote(Remote),
    /// And what payload means.
    Format(Format),
    /// Other numbers that may come, with what they mean.
    Others(Box<[(u8, Codec)]>),
    /// And its keys; `None` goes on in clear. The same keys again change nothing.
    Keys(Option<Box<Keys>>),
    /// Play this instead of what is played.
    Play(Box<Play>),
    /// Play sound that comes meanwhile ([`super::MediaEngine::open_feed`]) instead of what is played.
    PlayFeed(PlayFeed),
    /// The same, waiting for [`Op::Resume`].
    PlayPaused(Box<Play>),
    /// Send a capture instead of what is played.
    Replay(Replay),
    /// Send nothing, remember where.
    Pause,
    /// Go on.
    Resume,
    /// Send nothing more; digits on their way are dropped too.
    Stop,
    /// Send back what comes.
    Echo(bool),
    /// Send digits, in place of what is played meanwhile. Behind those that are on their way.
    Dtmf {
        /// The digits.
        digits: Box<[u8]>,
        /// How.
        params: DtmfParams,
    },
    /// Record; what is sent too, if `duplex`.
    Record {
        /// Both sides.
        duplex: bool,
    },
    /// End the recording.
    StopRecording,
    /// Wait for packets, and tell.
    Check(CheckParams),
}

/// Which port of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Port {
    /// That of RTP, and of RTCP too where both share it.
    Rtp,
    /// That of RTCP.
    Rtcp,
}

/// Something happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A scenario asks for something.
    Op {
        /// Of whom.
        stream: StreamKey,
        /// For what.
        op: Op,
    },
    /// A packet came. It is opened where it lies.
    Packet {
        /// For whom.
        stream: StreamKey,
        /// On which port.
        port: Port,
        /// From where.
        from: SocketAddr,
        /// The datagram.
        bytes: &'a mut [u8],
    },
    /// Samples of a feed came, of [`crate::feed::RATE`].
    Sound {
        /// Of which.
        feed: FeedKey,
        /// The samples.
        samples: &'a [i16],
    },
    /// Time has passed.
    Tick,
}

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Send {
    /// Whose.
    pub stream: StreamKey,
    /// From which of our ports.
    pub port: Port,
    /// From a port so far above it: captures may have several.
    pub port_offset: u16,
    /// To where, the offset included.
    pub to: SocketAddr,
    /// Its bytes within [`MediaOut::bytes`].
    pub range: Range<usize>,
}

/// Something to tell the call.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// What was played is over.
    Ended,
    /// All digits have left.
    DigitsSent,
    /// A digit of ours has left. Told only where reports are ([`super::MediaEngine::tell_reports`]).
    DigitLeft(Heard),
    /// The digits cannot be sent.
    DigitsRefused(crate::dtmf::DtmfError),
    /// A digit was heard.
    Digit(Heard),
    /// The check is passed.
    CheckPassed,
    /// It failed.
    CheckFailed(CheckFailure),
    /// The feed that was played is over ([`super::MediaEngine::close_feed`]).
    FeedOver(FeedKey),
    /// The peer said goodbye.
    Goodbye,
}

/// A part of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileWrite {
    /// Whose.
    pub stream: StreamKey,
    /// Over what begins here; `None` is at the end.
    pub at: Option<u64>,
    /// Its bytes within [`MediaOut::bytes`].
    pub range: Range<usize>,
    /// Nothing more comes.
    pub last: bool,
}

/// A compound packet of RTCP that passed, as it is without encryption.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportSeen {
    /// Of which stream.
    pub stream: StreamKey,
    /// Ours, or the peer's.
    pub sent: bool,
    /// Our port.
    pub port: Port,
    /// The other end.
    pub peer: SocketAddr,
    /// Its bytes within [`MediaOut::bytes`].
    pub range: Range<usize>,
}

/// What is to be done. Cleared and used again by whoever runs the engine.
#[derive(Debug, Default)]
pub struct MediaOut {
    /// The bytes that the rest refers to.
    pub bytes: Vec<u8>,
    /// Datagrams, in order.
    pub sends: Vec<Send>,
    /// Events, in order.
    pub events: Vec<(StreamKey, Event)>,
    /// Parts of recordings, in order.
    pub files: Vec<FileWrite>,
    /// Reports that passed, in order, where they are told ([`super::MediaEngine::tell_reports`]).
    pub reports: Vec<ReportSeen>,
}

impl MediaOut {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.sends.clear();
        self.events.clear();
        self.files.clear();
        self.reports.clear();
    }
}
