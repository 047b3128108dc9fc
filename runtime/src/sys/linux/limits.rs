// SPDX-License-Identifier: AGPL-3.0-only
//! How many files a process may have open.

use std::io;

use crate::sys::OpenFiles;

/// Raises the limit of open files to the most that is allowed without privileges.
pub(in crate::sys) fn raise_open_files() -> io::Result<OpenFiles> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure lives over the call, which fills it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let before = limit.rlim_cur;
    if before < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the structure lives over the call, which reads it.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(OpenFiles {
        before,
        now: limit.rlim_cur,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_the_most_and_stays() {
        let first = raise_open_files().expect("allowed");
        assert!(first.now >= first.before, "{first:?}");
        let again = raise_open_files().expect("allowed");
        assert_eq!((again.before, again.now), (first.now, first.now));
    }
}
