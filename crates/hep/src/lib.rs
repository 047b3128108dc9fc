// SPDX-License-Identifier: AGPL-3.0-only
//! HEP, version 3: how a captured message travels to a collector such as Homer.
//!
//! A packet is the magic `HEP3`, its length in two bytes, and chunks. A chunk is the number of its vendor, its kind, its
//! length (these six bytes included) and data. Numbers are in network order. What is said here about kinds is true of
//! the generic vendor, 0.
//!
//! This crate owns no socket and no clock: it makes bytes of a [`Packet`] and a packet of bytes. Bytes of a peer never
//! panic, and what is read borrows from them.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`packet`] | a packet, and its bytes |
//! | [`mod@decode`] | bytes, and the packet in them; packets of a stream |
//! | [`chunk`] | the parts that both are made of |
//! | [`report`] | reports about media, as JSON for payloads |
//!
//! ```
//! use gossipper_hep::{IpProtocol, Packet, PayloadType, Timestamp, decode};
//!
//! let packet = Packet {
//!     capture_id: 2001,
//!     auth_key: Some(b"secret"),
//!     correlation_id: Some(b"1-4711@192.0.2.1"),
//!     ..Packet::new(
//!         IpProtocol::UDP,
//!         "192.0.2.1:5060".parse()?,
//!         "192.0.2.2:5060".parse()?,
//!         Timestamp::from_micros(1_769_854_272_500_001),
//!         PayloadType::SIP,
//!         b"OPTIONS sip:192.0.2.2 SIP/2.0\r\n\r\n",
//!     )
//! };
//! let mut bytes = Vec::new();
//! packet.encode(&mut bytes)?;
//! assert_eq!(decode(&bytes)?, packet);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod chunk;
pub mod decode;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
pub mod packet;
pub mod report;

pub use chunk::Chunk;
pub use decode::{DecodeError, decode, packet_len};
pub use packet::{EncodeError, Extra, IpProtocol, Packet, PayloadType, Timestamp};
