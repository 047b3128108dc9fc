// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary bytes as a capture to replay.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_media::fuzz::pcap_replay(data));
