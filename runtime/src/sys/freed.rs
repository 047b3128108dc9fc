// SPDX-License-Identifier: AGPL-3.0-only
//! How long the allocator keeps memory that nothing uses.

use std::time::Duration;

/// The option in mimalloc's own numbering, which it keeps from version to version: milliseconds before free memory goes back
/// to the system.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Has mimalloc keep free memory so long before it gives it back, unless its environment (`MIMALLOC_PURGE_DELAY`) says
/// otherwise.
///
/// What a run frees it needs again: tables that grow leave theirs to the next one that does. Memory that went back meanwhile
/// comes anew from the system, which clears it, and a virtual machine may have to get it from its host.
///
/// To be called before other threads begin.
pub fn keep_for(time: Duration) {
    let ms = std::ffi::c_long::try_from(time.as_millis()).unwrap_or(std::ffi::c_long::MAX);
    // SAFETY: the number is that of an option; nothing else reads or writes options while the process has one thread.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, ms) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay() -> std::ffi::c_long {
        // SAFETY: as above; no other test touches options.
        unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }
    }

    #[test]
    fn the_option_is_the_one_that_is_meant_and_takes_the_time() {
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
            return;
        }
        // No other option has this default.
        assert_eq!(delay(), 1_000);
        keep_for(Duration::from_secs(7));
        assert_eq!(delay(), 7_000);
    }
}
