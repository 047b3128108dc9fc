// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary packets to a stream with keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_media::fuzz::srtp_unprotect(data));
