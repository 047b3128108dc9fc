// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a session description.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_sip::fuzz::sdp(data));
