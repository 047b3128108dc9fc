// SPDX-License-Identifier: AGPL-3.0-only
//! Socket modes: how the machine's flows reach the wire.
//!
//! `u1` (one UDP socket for everything, [`udp`]) is what there is; its flow is number 0. [`resolve`] turns names into
//! addresses before a run and finds the local address towards a remote one.
//!
//! Modes and defaults are those of SIPp, but for SCTP, which is not there: [`sctp`] says what that takes.

mod order;
pub mod resolve;
pub mod sctp;
pub mod tls;
pub mod udp;
pub mod ws;

use gossipper_vm::FlowId;

/// The flow of the one socket of `u1`.
pub const MAIN_FLOW: FlowId = FlowId(0);

/// Port of SIP over UDP where none is given (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;

/// How long a busy socket is left alone where the command line does not say.
pub const COALESCE_DEFAULT: std::time::Duration = std::time::Duration::from_millis(1);

/// Kernel buffer asked for where the command line names none.
// COMPAT(sipp): SIPp asks for 65,536, which a burst of 64 segments overruns; the kernel caps what it will not give.
pub const BUFFER_DEFAULT_BYTES: usize = 4 << 20;
