// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a scenario file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_compiler::fuzz::fuzz_compile(data));
