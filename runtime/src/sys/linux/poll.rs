// SPDX-License-Identifier: AGPL-3.0-only
//! `ppoll` on one socket and one stream.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::sys::Ready;

/// A sleep as [`super::super::Poller`] describes it. An interrupted one ends early.
pub(in crate::sys) fn poll(
    socket: Option<&UdpSocket>,
    full: bool,
    ear: &UnixStream,
    at_most: Duration,
) -> Ready {
    let wanted = if full {
        libc::POLLIN | libc::POLLOUT
    } else {
        libc::POLLIN
    };
    let mut fds = [
        libc::pollfd {
            // The kernel passes over a negative descriptor.
            fd: socket.map_or(-1, AsRawFd::as_raw_fd),
            events: wanted,
            revents: 0,
        },
        libc::pollfd {
            fd: ear.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        },
    ];
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(at_most.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: at_most.subsec_nanos() as _,
    };
    // SAFETY: `fds` is an array of two initialised entries that the kernel reads and whose `revents` it writes; both it and
    // `timeout` live across the call. The descriptors are open while `socket` and `ear` are borrowed. No signal mask is
    // given.
    let count = unsafe {
        libc::ppoll(
            fds.as_mut_ptr(),
            fds.len() as libc::nfds_t,
            &raw const timeout,
            std::ptr::null(),
        )
    };
    if count <= 0 {
        return Ready::default();
    }
    let [of_socket, of_ear] = fds.map(|fd| fd.revents);
    Ready {
        // An error waits to be read like a datagram.
        readable: of_socket & !libc::POLLOUT != 0,
        writable: of_socket & libc::POLLOUT != 0,
        called: of_ear != 0,
    }
}
