// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a challenge and as credentials.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_sip::fuzz::auth_header(data));
