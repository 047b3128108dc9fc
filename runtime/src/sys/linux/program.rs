// SPDX-License-Identifier: AGPL-3.0-only
//! What a program that runs beside us needs: waiting for its output, and ending it with all that it started.

use std::os::fd::{AsFd, AsRawFd as _};
use std::time::Duration;

/// How a group of processes is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupSignal {
    /// It may tidy up.
    Terminate,
    /// It may not.
    Kill,
}

/// Waits until something can be read, or there is nothing more to read; false when neither came in time.
pub(crate) fn readable(file: &impl AsFd, at_most: Duration) -> bool {
    let mut wanted = libc::pollfd {
        fd: file.as_fd().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = libc::c_int::try_from(at_most.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one initialised entry that the kernel reads and whose `revents` it writes, and that lives across the call. Its
    // descriptor is open while `file` is borrowed.
    let count = unsafe { libc::poll(&raw mut wanted, 1, timeout) };
    count > 0 && wanted.revents != 0
}

/// Sends a signal to the group that a child of ours leads, whose number this is. The child is not reaped yet, so that
/// nobody else has the number.
pub(crate) fn signal_group(leader: u32, signal: GroupSignal) {
    let number = match signal {
        GroupSignal::Terminate => libc::SIGTERM,
        GroupSignal::Kill => libc::SIGKILL,
    };
    // 0 and 1 are no children: they stand for our own group and for everybody.
    if let Some(group) = libc::pid_t::try_from(leader)
        .ok()
        .filter(|group| *group > 1)
    {
        // SAFETY: it takes two numbers. A group that is gone is an error that means what was wanted.
        unsafe {
            libc::kill(-group, number);
        }
    }
}
