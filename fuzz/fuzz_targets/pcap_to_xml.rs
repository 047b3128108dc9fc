// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a capture, and as messages of one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gossipper_pcap2scenario::fuzz::pcap_to_xml(data);
});
