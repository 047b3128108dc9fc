// SPDX-License-Identifier: AGPL-3.0-only
//! What a run says about the media of its calls.

use std::path::PathBuf;

use gossipper_media::replay::LinkType;

/// Whose rules media follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MediaRules {
    /// SIPp's: sources, sequence numbers and timestamps as it has them, no RTCP, descriptions read as it reads them, WAV
    /// files sent as they are.
    #[default]
    Sipp,
    /// Our own: RTCP, negotiated codecs, directions, sound files coded for the stream.
    Own,
}

/// What becomes of keys that a peer offers (by our own rules; SIPp's take them where both sides have some).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Nothing is said about SRTP: a stream to a peer that asks for it is an error.
    #[default]
    Unsaid,
    /// It is used (`-media_srtp`).
    Use,
    /// A call whose peer asks for it fails (`-media_reject_srtp`).
    Reject,
}

/// Recordings of all calls (`-record_wav_dir`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordConfig {
    /// Where they are written.
    pub folder: PathBuf,
    /// What is sent as well, on a second channel.
    pub duplex: bool,
}

/// Media of the calls of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaConfig {
    /// Whose rules.
    pub rules: MediaRules,
    /// Where files of the scenario are looked for before the current folder: that of the scenario.
    pub folder: Option<PathBuf>,
    /// Payload type where an action names none (`-rtp_payload`); else that of the peer's description by our rules, and 8
    /// by SIPp's.
    pub payload_type: Option<u8>,
    /// Sources are drawn (`-random_base_ssrc`) instead of counted up.
    pub random_ssrc: bool,
    /// Keys of the peer.
    pub srtp: SrtpPolicy,
    /// Bytes of the kernel's buffers of each socket (`-rtp_buffsize`).
    pub buffer_bytes: Option<usize>,
    /// What frames of captures are (`-pcap-link`); else what the capture says.
    pub link: Option<LinkType>,
    /// Share of packets without their echo at which a pattern has failed (`-audiotolerance`, `-videotolerance`).
    pub tolerances: [f64; 2],
    /// Recordings of all calls.
    pub record: Option<RecordConfig>,
    /// What became of patterns is written to files (`-rtpcheck_debug`).
    pub check_debug: bool,
    /// And what became of SRTP (`-srtpcheck_debug`).
    pub srtp_debug: bool,
    /// Only sending (`-media_scale`): nothing is received and nothing reported, so that a shard has thousands of streams.
    pub scale: bool,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            rules: MediaRules::Sipp,
            folder: None,
            payload_type: None,
            random_ssrc: false,
            srtp: SrtpPolicy::Unsaid,
            buffer_bytes: None,
            link: None,
            tolerances: [1.0; 2],
            record: None,
            check_debug: false,
            srtp_debug: false,
            scale: false,
        }
    }
}
