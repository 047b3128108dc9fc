// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary packets as received RTP and RTCP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gossipper_media::fuzz::rtp_rtcp(data));
