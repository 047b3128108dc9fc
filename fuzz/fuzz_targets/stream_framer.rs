// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a stream that arrives in arbitrary pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_sip::fuzz::stream_framer(data));
