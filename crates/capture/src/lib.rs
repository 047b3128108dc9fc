// SPDX-License-Identifier: AGPL-3.0-only
//! Capture files taken apart: bytes of a file in, SIP messages and datagrams out.
//!
//! A tester's capture is rarely tidy: it begins in the middle of a call, lost frames, was cut at some length, went through
//! tunnels, or broke off. [`read`] gives what can be had and names each [`Loss`]. It decides nothing about calls; that is
//! for who reads the messages.
//!
//! This crate is a function of its arguments: it owns no file, clock or thread. Bytes of strangers never panic, and what
//! is kept of a file never outgrows the file.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@file`] | pcap and pcapng: frames, and what is wrong with the file |
//! | [`link`] | from a frame to the IP packet in it |
//! | [`mod@write`] | datagrams as a capture file |
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod coalesced;
pub mod file;
mod fragment;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
mod hep;
mod ip;
pub mod link;
mod losses;
mod reader;
mod sctp;
mod sip;
mod stream;
mod tcp;
#[cfg(test)]
mod testing;
mod tunnel;
mod unpack;
pub mod write;

pub use sip::METHODS;

use core::net::SocketAddr;
use core::time::Duration;
use link::LinkType;

/// What carried a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Carrier {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// An encrypted stream, of which an agent reported the contents.
    Tls,
    /// WebSocket.
    Ws,
    /// Encrypted WebSocket, of which an agent reported the contents.
    Wss,
    /// SCTP.
    Sctp,
}

/// A SIP message of a capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SipMessage {
    /// Number of the frame in which it begins, the first one of a file being 1. In a stream, if a segment before it came
    /// later, the frame of that one: sooner nobody could have read it.
    pub frame: u64,
    /// Of that frame, or what an agent reported; since the epoch.
    pub time: Duration,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// How.
    pub carrier: Carrier,
    /// All of it, unless it is truncated.
    pub bytes: Vec<u8>,
    /// The end of it was not captured.
    pub truncated: bool,
}

/// A datagram of a capture that is not SIP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Number of its frame, or of the first one of its fragments.
    pub frame: u64,
    /// Of that frame, since the epoch.
    pub time: Duration,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// What it carried, as far as it was captured.
    pub payload: Vec<u8>,
}

/// Something that could not be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Where in the file; `None` for what sums up many.
    pub frame: Option<u64>,
    /// What it was, for people.
    pub what: String,
}

/// What is in a capture file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Capture {
    /// The SIP messages, in the order of the frames in which they begin.
    pub messages: Vec<SipMessage>,
    /// Other datagrams: RTP, RTCP, STUN, whatever there was; in the order of their frames.
    pub datagrams: Vec<Datagram>,
    /// What could not be had: the first ones of each kind by name, then how many more there were.
    pub losses: Vec<Loss>,
    /// Frames of the file.
    pub frames: u64,
}

/// How a capture is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadOptions {
    /// The port that SIP is on, at either end; everything there that looks like text is SIP then, and nothing elsewhere.
    /// Without it SIP is recognised wherever it is.
    pub sip_port: Option<u16>,
    /// What the frames are where the file does not say, or says wrongly.
    pub link: Option<LinkType>,
    /// Longest message; what claims to be longer is not framed by what it claims.
    pub max_message: usize,
    /// Most bytes that a compressed file may unpack to, what is behind them being not read; and the same for all
    /// compressed payloads in a file together.
    pub max_unpacked: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            sip_port: None,
            link: None,
            max_message: 1024 * 1024,
            max_unpacked: 1024 * 1024 * 1024,
        }
    }
}

/// Why nothing of a file can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaptureError {
    /// Neither pcap nor pcapng.
    NotCapture,
    /// All its frames are of a kind that we cannot read; the number is the link type.
    Link(i32),
    /// A file of another kind, which its name says.
    Unsupported(&'static str),
    /// A compressed file of which too little can be unpacked, and why.
    Packed(String),
}

impl core::fmt::Display for CaptureError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotCapture => f.write_str("not a capture file: neither pcap nor pcapng"),
            Self::Link(number) => write!(f, "a capture of the unknown link type {number}"),
            Self::Unsupported(name) => {
                write!(f, "a {name} file: make a pcap file of it first")
            }
            Self::Packed(why) => write!(f, "not a capture file: {why}"),
        }
    }
}

impl core::error::Error for CaptureError {}

/// Reads a capture file: pcap or pcapng, as it is or compressed with gzip, Zstandard or LZ4.
///
/// # Errors
/// Nothing of it can be read. What is wrong with parts of it is in [`Capture::losses`].
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Capture, CaptureError> {
    reader::read(bytes, options)
}
