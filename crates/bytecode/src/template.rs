// SPDX-License-Identifier: AGPL-3.0-only
//! Texts with keywords, split ahead of time.
//!
//! A template is a run of segments: bytes that never change, and slots that are filled when the text is rendered.
//! [`Slot::binding`] says when a slot's value is known; linking folds run-constant slots into literals.

use crate::ids::{AuthId, CaptureId, ElsewhereId, FieldId, IncludeId, TemplateId, TextRef, VarId};
use crate::media::{CryptoLine, CryptoSuite, KeyUse};
use serde::{Deserialize, Serialize};

/// What a template is rendered for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum TemplateKind {
    /// A SIP request; the method is the text of its first word.
    Request {
        /// The method, as written.
        method: TextRef,
    },
    /// A SIP response.
    Response {
        /// The status code, 100 to 699.
        code: u16,
    },
    /// A text of an action.
    Text,
}

/// A text with keywords: a range of [`crate::Draft::segments`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Template {
    /// What it is rendered for.
    pub kind: TemplateKind,
    /// First segment.
    pub first: u32,
    /// Number of segments.
    pub count: u32,
}

impl Template {
    /// The range in the segment table.
    #[must_use]
    pub const fn range(&self) -> core::ops::Range<usize> {
        self.first as usize..self.first as usize + self.count as usize
    }
}

/// A part of a template.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Segment {
    /// Bytes of the text pool.
    Literal(TextRef),
    /// A keyword.
    Slot(Slot),
}

/// When the value of a slot is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Binding {
    /// The same for the whole run.
    Run,
    /// The same for the whole call.
    Call,
    /// Anew at every rendering.
    Send,
}

macro_rules! slots {
    ($($(#[$doc:meta])* $name:ident $(($($arg:ty),*))? $keyword:literal $binding:ident;)*) => {
        /// A keyword with its parameters. Offsets are those of `[keyword+n]`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum Slot {
            $($(#[$doc])* $name $(($($arg),*))?,)*
        }

        impl Slot {
            /// The keyword's name in a scenario.
            #[must_use]
            pub const fn keyword(self) -> &'static str {
                match self { $(slots!(@pat $name $(($($arg),*))?) => $keyword,)* }
            }

            /// When the value is known.
            #[must_use]
            pub const fn binding(self) -> Binding {
                match self { $(slots!(@pat $name $(($($arg),*))?) => Binding::$binding,)* }
            }
        }
    };
    (@pat $name:ident) => { Self::$name };
    (@pat $name:ident ($($arg:ty),*)) => { Self::$name(..) };
}

slots! {
    /// `-s` value.
    Service "service" Run;
    /// Remote IP, bracketed for IPv6.
    RemoteIp "remote_ip" Run;
    /// Remote host as typed.
    RemoteHost "remote_host" Run;
    /// Remote port.
    RemotePort(i32) "remote_port" Run;
    /// Local IP, bracketed for IPv6.
    LocalIp "local_ip" Run;
    /// `4` or `6`.
    LocalIpType "local_ip_type" Run;
    /// Local port.
    LocalPort(i32) "local_port" Run;
    /// Local address of the socket, no brackets.
    ServerIp "server_ip" Run;
    /// `UDP`, `TCP`, `TLS`…
    Transport "transport" Run;
    /// The same under the name that Gossipper's own scenarios use.
    SipTransport "sip_transport" Run;
    /// From of a trunk: `-sip_from`, or an address of our own.
    TrunkFrom "trunk_from" Run;
    /// The header `P-Asserted-Identity` with `-sip_pai`, line end included, or nothing.
    TrunkPai "trunk_pai" Run;
    /// The header `X-provider` with `-sip_provider`, line end included, or nothing.
    TrunkProvider "trunk_provider" Run;
    /// The headers of `-sip_extra_header`, line ends included, or nothing.
    TrunkExtra "trunk_extra" Run;
    /// Media IP, no brackets.
    MediaIp "media_ip" Run;
    /// `4` or `6`.
    MediaIpType "media_ip_type" Run;
    /// Media port.
    MediaPort(i32) "media_port" Run;
    /// Media port of this call: media port + (4·(call number − 1)) mod 10000.
    AutoMediaPort(i32) "auto_media_port" Call;
    /// Port of the call's audio stream plus n.
    RtpStreamAudioPort(i32) "rtpstream_audio_port" Call;
    /// Port of the call's video stream plus n.
    RtpStreamVideoPort(i32) "rtpstream_video_port" Call;
    /// Payload type of the answer to the last offer.
    AudioPt "audio_pt" Send;
    /// Its codec, with the clock.
    AudioCodec "audio_codec" Send;
    /// The line `a=rtpmap` of it.
    AudioRtpmap "audio_rtpmap" Send;
    /// The line `a=fmtp` of it, or nothing.
    AudioFmtp "audio_fmtp" Send;
    /// All lines of the audio of the answer; the port of the call's audio stream plus n.
    AudioSdp(i32) "audio_sdp" Send;
    /// ICE user fragment of the call.
    IceUfrag "ice_ufrag" Call;
    /// ICE password of the call.
    IcePwd "ice_pwd" Call;
    /// The transport in small letters.
    MediaTransport "media_transport" Run;
    /// The transport, for a Contact.
    ContactTransport "contact_transport" Run;
    /// `1` or `2`.
    CryptoTag(CryptoLine) "cryptotag" Run;
    /// Name of the suite; selects it.
    CryptoSuite(CryptoLine, CryptoSuite) "cryptosuite" Run;
    /// A new master key and salt in base64, or the one before again.
    CryptoKey(CryptoLine, KeyUse) "cryptokeyparams" Send;
    /// `UNENCRYPTED_SRTP`; selects that.
    CryptoUnencrypted(CryptoLine, CryptoSuite) "ue" Run;
    /// 1-based number of the call.
    CallNumber "call_number" Call;
    /// Call-ID without a `xxx///` prefix.
    CallId "call_id" Call;
    /// Per-call CSeq counter.
    Cseq(i32) "cseq" Send;
    /// `z9hG4bK-<pid>-<call number>-<step + n>`.
    Branch(i32) "branch" Send;
    /// Index of the step being sent, −1 in actions.
    MsgIndex "msg_index" Send;
    /// Process id.
    Pid "pid" Run;
    /// Bytes after the first empty line, plus n, in five columns.
    Len(i32) "len" Send;
    /// `;tag=…` of the peer, or nothing.
    PeerTagParam "peer_tag_param" Send;
    /// Remote target stored by `rrs`.
    NextUrl "next_url" Send;
    /// `Route: …` stored by `rrs`, or nothing.
    Routes "routes" Send;
    /// Text between `<` and `>` of the last message's To header.
    LastRequestUri(CaptureId) "last_Request_URI" Send;
    /// CSeq number of the last message plus n.
    LastCseqNumber(i32) "last_cseq_number" Send;
    /// The whole last message.
    LastMessage(CaptureId) "last_message" Send;
    /// A header of the last message: the name as typed (with colon), a space, and its joined values.
    LastHeader(CaptureId, TextRef) "last_*" Send;
    /// Number of users, −1 without `-users`.
    Users "users" Send;
    /// User id of the call, 0 without `-users`.
    UserId "userid" Call;
    /// Circuit of the call (`-tdmmap`).
    TdmMap "tdmmap" Call;
    /// Local time in the log format.
    Timestamp "timestamp" Send;
    /// RFC 1123 date in GMT.
    Date "date" Send;
    /// Milliseconds since the run began.
    ClockTick "clock_tick" Send;
    /// Process-wide counter that advances at every use.
    DynamicId "dynamic_id" Send;
    /// The tool's version.
    SippVersion "sipp_version" Run;
    /// Content of a file, read before the run.
    File(IncludeId) "file" Run;
    /// Value of a variable.
    Var(VarId) "$" Send;
    /// A field of an injection file.
    Field(FieldId) "field" Send;
    /// The answer to the stored challenge: one or two whole headers, put in when the message is complete.
    Authentication(AuthId) "authentication" Send;
    /// A keyword that speaks of another dialog than the step's.
    Elsewhere(ElsewhereId) "dialog=" Send;
    /// A text repeated or cut to as many characters as the variable says.
    Fill(TextRef, VarId) "fill" Send;
    /// Content of a file whose path is known only when it is printed.
    FileAt(TemplateId) "file" Send;
}

impl Slot {
    /// The keyword of this name, if it takes nothing but an offset, which one without offsets drops.
    #[must_use]
    pub const fn named(name: &[u8], offset: i32) -> Option<Self> {
        Some(match name {
            b"service" => Self::Service,
            b"remote_ip" => Self::RemoteIp,
            b"remote_host" => Self::RemoteHost,
            b"remote_port" => Self::RemotePort(offset),
            b"local_ip" => Self::LocalIp,
            b"local_ip_type" => Self::LocalIpType,
            b"local_port" => Self::LocalPort(offset),
            b"server_ip" => Self::ServerIp,
            b"transport" => Self::Transport,
            b"sip_transport" => Self::SipTransport,
            b"trunk_from" => Self::TrunkFrom,
            b"trunk_pai" => Self::TrunkPai,
            b"trunk_provider" => Self::TrunkProvider,
            b"trunk_extra" => Self::TrunkExtra,
            b"media_ip" => Self::MediaIp,
            b"media_ip_type" => Self::MediaIpType,
            b"media_port" => Self::MediaPort(offset),
            b"rtpstream_audio_port" => Self::RtpStreamAudioPort(offset),
            b"rtpstream_video_port" => Self::RtpStreamVideoPort(offset),
            b"auto_media_port" => Self::AutoMediaPort(offset),
            b"audio_pt" => Self::AudioPt,
            b"audio_codec" => Self::AudioCodec,
            b"audio_rtpmap" => Self::AudioRtpmap,
            b"audio_fmtp" => Self::AudioFmtp,
            b"audio_sdp" => Self::AudioSdp(offset),
            b"ice_ufrag" => Self::IceUfrag,
            b"ice_pwd" => Self::IcePwd,
            b"media_transport" => Self::MediaTransport,
            b"contact_transport" => Self::ContactTransport,
            b"call_number" => Self::CallNumber,
            b"call_id" => Self::CallId,
            b"cseq" => Self::Cseq(offset),
            b"branch" => Self::Branch(offset),
            b"msg_index" => Self::MsgIndex,
            b"pid" => Self::Pid,
            b"len" => Self::Len(offset),
            b"peer_tag_param" => Self::PeerTagParam,
            b"next_url" => Self::NextUrl,
            b"routes" => Self::Routes,
            b"last_cseq_number" => Self::LastCseqNumber(offset),
            b"users" => Self::Users,
            b"userid" => Self::UserId,
            b"tdmmap" => Self::TdmMap,
            b"timestamp" => Self::Timestamp,
            b"date" => Self::Date,
            b"clock_tick" => Self::ClockTick,
            b"dynamic_id" => Self::DynamicId,
            b"sipp_version" => Self::SippVersion,
            _ => return None,
        })
    }

    /// Whether the rest of the line goes too when this prints nothing at the start of a line.
    #[must_use]
    pub const fn suppresses_line(self) -> bool {
        matches!(
            self,
            Self::LastHeader(..)
                | Self::Elsewhere(..)
                | Self::Var(..)
                | Self::Field(..)
                | Self::Routes
                | Self::AudioFmtp
                | Self::TrunkPai
                | Self::TrunkProvider
                | Self::TrunkExtra
        )
    }
}

/// The messages that are sent without the scenario saying so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum AutoMessage {
    /// ACK of an aborted call.
    Ack,
    /// BYE of an aborted call.
    Bye,
    /// CANCEL of an aborted call.
    Cancel,
    /// 200 to an unexpected BYE or CANCEL, and with `-aa`.
    Ok,
}

impl AutoMessage {
    /// All of them, in table order.
    pub const ALL: [Self; 4] = [Self::Ack, Self::Bye, Self::Cancel, Self::Ok];

    /// The `id` by which `<DefaultMessage>` replaces it.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Bye => "bye",
            Self::Cancel => "cancel",
            Self::Ok => "200",
        }
    }
}
