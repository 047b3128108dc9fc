// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as an injection file that is then used and changed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_vm::fuzz::injection_csv(data));
