// SPDX-License-Identifier: AGPL-3.0-only
//! What SCTP would need: a kernel that has it. Nothing here sends or receives.

use socket2::{Domain, Protocol, Socket, Type};

/// Asks the kernel for a socket of SCTP, one-to-one style (RFC 6458 §4), which is closed at once.
///
/// # Errors
/// What the system says when it has none.
pub fn probe() -> std::io::Result<()> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(PROTOCOL))).map(drop)
}

/// The number of SCTP among the protocols of IP.
const PROTOCOL: i32 = 132;
