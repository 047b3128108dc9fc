// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a compiled scenario that is then run.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_vm::fuzz::draft_verify(data));
