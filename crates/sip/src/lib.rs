// SPDX-License-Identifier: AGPL-3.0-only
//! Zero-copy reading of SIP and SDP, header names, stream framing and digest authentication.
//!
//! This crate answers one question: what does a block of bytes from a peer say? It never builds messages, never
//! decides what a message means for a call, and owns no socket, clock or file. Everything it returns borrows from the
//! bytes it was given.
//!
//! Reading is as lenient as SIPp's, because a load tool must be able to receive what a broken peer sends: a message
//! only needs the text `SIP/2.0` somewhere in it. No input panics, and work and memory are linear in its length.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`scan`] | one pass over a message: start line, header fields, body |
//! | [`headers`] | header names, their compact forms, status codes |
//! | [`uri`] | views of SIP URIs, name-addr values, parameters and header lists |
//! | [`frame`] | cuts a byte stream into messages |
//! | [`sdp`] | session descriptions: where media goes, in which form and direction |
//! | [`challenge`], [`digest`], [`aka`] | digest authentication: reading challenges, answering and verifying |
//!
//! ```
//! use gossipper_sip::{HeaderName, Message};
//!
//! let bytes = b"BYE sip:bob@192.0.2.4 SIP/2.0\r\ni: a84b4c76e66710\r\nCSeq: 2 BYE\r\nTo: Bob <sip:bob@b>;tag=7\r\n\r\n";
//! let message = Message::parse(bytes)?;
//! assert_eq!(message.method(), Some(&b"BYE"[..]));
//! assert_eq!(message.call_id(), Some(&b"a84b4c76e66710"[..]));
//! assert_eq!(message.to_tag(), Some(&b"7"[..]));
//! assert_eq!(message.cseq().map(|cseq| cseq.number), Some(2));
//! assert!(!message.has(HeaderName::Via));
//! # Ok::<(), gossipper_sip::ParseError>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod aka;
pub mod challenge;
pub mod digest;
mod fields;
mod find;
pub mod frame;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
pub mod headers;
pub mod scan;
pub mod sdp;
pub mod uri;

pub use frame::{FrameError, StreamFramer};
pub use headers::{HeaderName, StatusCode};
pub use scan::{
    CSeq, Field, FieldBuffer, Joined, Message, ParseError, Presence, StartLine, Wanted, call_id_of,
    strip_call_id_prefix,
};
pub use uri::{NameAddr, SipUri, angle_if_any, angle_or_whole, param, split_header_list};
