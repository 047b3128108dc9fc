// SPDX-License-Identifier: AGPL-3.0-only
//! The packets of `play_dtmf`, which SIPp sends as if they came out of a capture.
//!
//! COMPAT(sipp): the lead-in of twenty packets, the payload types, the distances and the durations are SIPp's. Its
//! timestamps advance in milliseconds where they should in samples, and its lead-in leaves every second sequence number
//! out; a peer takes the one for digits that overlap and the other for loss, so both are counted right here.

use super::Event;
use crate::dtmf::event_of;
use crate::replay::Replay;
use crate::rtp::Header;
use crate::time::Micros;

/// Payload type of the events. It is not negotiated.
pub const SIPP_PAYLOAD_TYPE: u8 = 96;

const FILLER_PAYLOAD_TYPE: u8 = 97;
const FILLERS: u64 = 20;
const PACKET_MS: u64 = 20;
const CLOCK_PER_MS: u64 = 8;
const FIRST_TIMESTAMP: u64 = 24_000;
const VOLUME: u8 = 10;
const ENDS: u64 = 3;

/// The packets of digits of `length_ms` (at most two seconds), from `sequence` on, and the sequence number that follows.
/// What is no digit is passed over; SIPp takes `A` to `D` in upper case only. Without any digit there is no lead-in either.
#[must_use]
pub fn sipp_replay(digits: &[u8], length_ms: u32, ssrc: u32, sequence: u16) -> (Replay, u16) {
    let length_ms = u64::from(length_ms.clamp(1, 2000));
    let events = digits
        .iter()
        .filter(|digit| !digit.is_ascii_lowercase())
        .filter_map(|digit| event_of(*digit));
    let fillers = match events.clone().next() {
        Some(_) => FILLERS,
        None => 0,
    };
    let mut packets: Vec<(Micros, Vec<u8>)> = Vec::new();
    let mut sequence = sequence;
    let mut push = |at_ms: u64, marker, payload_type, timestamp: u64, payload: &[u8]| {
        let header = Header {
            marker,
            payload_type,
            sequence,
            // Timestamps wrap.
            timestamp: timestamp as u32,
            ssrc,
        };
        let mut packet = Vec::new();
        header.append(payload, &mut packet);
        packets.push((Micros::from_ms(at_ms), packet));
        sequence = sequence.wrapping_add(1);
    };
    for index in 0..fillers {
        let at = index * PACKET_MS;
        push(
            at,
            false,
            FILLER_PAYLOAD_TYPE,
            FIRST_TIMESTAMP + at * CLOCK_PER_MS,
            &[0; 4],
        );
    }
    let mut begin = FILLERS * PACKET_MS;
    for event in events {
        begin += 2 * length_ms;
        let timestamp = FIRST_TIMESTAMP + begin * CLOCK_PER_MS;
        let mut send = |at_ms, marker, end, lasted_ms: u64| {
            let event = Event {
                event,
                end,
                volume: VOLUME,
                // Two seconds of eight a millisecond.
                duration: (lasted_ms * CLOCK_PER_MS) as u16,
            };
            push(
                at_ms,
                marker,
                SIPP_PAYLOAD_TYPE,
                timestamp,
                &event.to_bytes(),
            );
        };
        let mut lasted = 0;
        while lasted < length_ms {
            send(begin + lasted, lasted == 0, false, lasted);
            lasted += PACKET_MS;
        }
        for end in 0..ENDS {
            send(begin + length_ms + end, false, true, length_ms);
        }
    }
    let replay = Replay::of_packets(packets.iter().map(|(at, packet)| (*at, &packet[..])));
    (replay, sequence)
}
