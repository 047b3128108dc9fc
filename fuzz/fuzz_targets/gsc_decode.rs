// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a compiled scenario.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_bytecode::fuzz::gsc_decode(data));
