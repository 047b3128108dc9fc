// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a packet of HEP3.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_hep::fuzz::hep_decode(data));
