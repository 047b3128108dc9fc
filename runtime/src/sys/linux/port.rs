// SPDX-License-Identifier: AGPL-3.0-only
//! When a socket that is bound to an address gets its port.

use std::io;
use std::os::fd::AsRawFd;

/// Leaves the choice of the port to `connect`, which knows the peer: `bind` has to find one that nobody uses at all.
pub(in crate::sys) fn choose_port_late(socket: &socket2::Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open while `socket` is borrowed; the value lives across the call, which reads as many bytes
    // as it is told the value has.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
