// SPDX-License-Identifier: AGPL-3.0-only
//! The limit of open files, for runs with a socket or connection per call.
//!
//! COMPAT(sipp): SIPp refuses to start when the limit is below `-max_socket`; here the limit is raised as far as the system
//! lets it be, and a call that gets no socket fails (docs/compat.md#connections).

use gossipper_runtime::config::TransportConfig;

/// Raises the limit of this process if its sockets are many.
#[cfg(unix)]
pub(crate) fn raise(transport: &TransportConfig, per_address: bool) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if transport.stream.is_none() && !transport.per_call && !per_address {
        return;
    }
    let limit = getrlimit(Resource::Nofile);
    // What the system refuses leaves the limit as it was; sockets that cannot be had say so later.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// There is nothing to raise.
#[cfg(not(unix))]
pub(crate) fn raise(_: &TransportConfig, _: bool) {}
