// SPDX-License-Identifier: AGPL-3.0-only
//! Media as pure functions: bytes and time in, bytes and the next deadline out.
//!
//! This crate builds and reads what flows beside SIP: RTP, RTCP, SRTP, telephone events, the audio in them, captures
//! that are played again, and the figures of what was received. It owns no socket, clock, file or thread; whoever runs
//! it hands in the time and carries out what comes back ([ADR 0014](../../../docs/adr/0014-media-crate.md)).
//!
//! Bytes of a peer never panic, and never make anything grow without bound.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`engine`] | the streams of a shard: what to send, and when |
//! | [`described`] | what the description of a peer means for a stream |
//! | [`rtp`] | the twelve bytes in front of a payload; reading whole packets |
//! | [`rtcp`] | reports, names and goodbyes: written, and read from compound packets |
//! | [`receive`] | what became of a peer's packets: loss, order, duplicates, jitter |
//! | [`codec`], [`clip`], [`tone`], [`resample`], [`wav`] | what is in the packets: codecs, files, tones |
//! | [`record`] | what was heard, as a growing WAV file |
//! | [`quality`] | R-factor and MOS by the E-model |
//! | [`dtmf`] | digits as telephone events |
//! | [`replay`] | captures that are sent again |
//! | [`table`] | what there is one of per stream, without large blocks |
//! | [`srtp`] | packets sealed and opened, with keys from SDP |
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod clip;
pub mod codec;
pub mod described;
pub mod dtmf;
pub mod engine;
pub mod feed;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
pub mod quality;
pub mod receive;
pub mod record;
pub mod replay;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod table;
mod time;
pub mod tone;
pub mod wav;

pub use clip::Clip;
pub use codec::Codec;
pub use time::Micros;
