// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a capture with calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_capture::fuzz::capture_read(data));
