// SPDX-License-Identifier: AGPL-3.0-only
//! Digits on their way, with losses, repetitions and segments.

use super::*;
use crate::rtp::{Header, Packet};
use proptest::prelude::*;

fn sender(digits: &str, params: DtmfParams) -> DtmfSender {
    DtmfSender::new(digits.as_bytes(), params).unwrap()
}

fn packets(mut sender: DtmfSender) -> Vec<DtmfPacket> {
    core::iter::from_fn(|| sender.next_packet()).collect()
}

/// Hands packets to a receiver; what it tells.
fn heard(receiver: &mut DtmfReceiver, packets: &[DtmfPacket]) -> Vec<Heard> {
    let told = packets.iter().flat_map(|packet| {
        let header = Header {
            marker: packet.marker,
            payload_type: 101,
            sequence: 0,
            timestamp: packet.timestamp.wrapping_add(u32::MAX - 1000),
            ssrc: 9,
        };
        receiver.on_packet(&header, &packet.event.to_bytes())
    });
    told.flatten().collect()
}

fn text(heard: &[Heard]) -> String {
    heard
        .iter()
        .filter_map(|heard| heard.digit)
        .map(char::from)
        .collect()
}

#[test]
fn events_are_four_bytes() {
    let event = Event {
        event: 11,
        end: true,
        volume: 10,
        duration: 800,
    };
    assert_eq!(event.to_bytes(), [11, 0x8a, 3, 0x20]);
    assert_eq!(Event::parse(&event.to_bytes()), Some(event));
    assert_eq!(Event::parse(&[1, 2, 3]), None);
    assert_eq!(
        (event_of(b'd'), event_of(b'#'), event_of(b'E')),
        (Some(15), Some(11), None)
    );
    assert_eq!((digit_of(10), digit_of(16)), (Some(b'*'), None));
}

#[test]
fn a_digit_grows_and_ends_three_times() {
    let found: Vec<_> = packets(sender("5x1", DtmfParams::default()))
        .into_iter()
        .map(|p| {
            (
                p.at_ms,
                p.timestamp,
                p.marker,
                p.event.end,
                p.event.duration,
                p.event.event,
            )
        })
        .collect();
    let one = |begin: u64, event| {
        let timestamp = begin as u32 * 8;
        (0..7u64).map(move |n| {
            let duration = ((n + 1) * 160).min(800) as u16;
            (begin + 20 * n, timestamp, n == 0, n >= 4, duration, event)
        })
    };
    assert_eq!(found, one(0, 5).chain(one(200, 1)).collect::<Vec<_>>());
}

#[test]
fn a_length_between_packets_is_kept_exactly() {
    let params = DtmfParams {
        digit_ms: 50,
        gap_ms: 0,
        volume: 63,
        ..DtmfParams::default()
    };
    let found = packets(sender("12", params));
    let durations: Vec<_> = found
        .iter()
        .map(|p| (p.event.end, p.event.duration))
        .collect();
    let one = [
        (false, 160),
        (false, 320),
        (true, 400),
        (true, 400),
        (true, 400),
    ];
    assert_eq!(durations, [one, one].concat());
    // Without a gap the next digit waits until the last packet has left.
    assert_eq!(found[5].at_ms, 100);
    assert_eq!(found[0].event.volume, 63);
}

#[test]
fn a_long_digit_goes_on_in_segments() {
    let params = DtmfParams {
        clock_rate: 48_000,
        digit_ms: 3000,
        ..DtmfParams::default()
    };
    let found = packets(sender("7", params));
    let mut segments: Vec<u32> = found.iter().map(|p| p.timestamp).collect();
    segments.dedup();
    assert_eq!(segments, [0, 65_535, 131_070]);
    assert_eq!(found.iter().filter(|p| p.marker).count(), 1);
    let full = found
        .iter()
        .filter(|p| p.event.duration == u16::MAX && !p.event.end);
    assert_eq!(full.count(), 2);
    let told = heard(&mut DtmfReceiver::default(), &found);
    assert_eq!(
        (told.len(), told[0].duration, told[0].ended),
        (1, 144_000, true)
    );
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let new = |digits: &[u8], params| DtmfSender::new(digits, params).map(|_| ());
    let params = DtmfParams::default();
    assert_eq!(new(b"", params), Err(DtmfError::NoDigit));
    assert_eq!(new(b"xyz", params), Err(DtmfError::NoDigit));
    assert_eq!(new(&[b'1'; 5000], params), Err(DtmfError::TooMany));
    let none = DtmfParams {
        packet_ms: 0,
        ..params
    };
    assert_eq!(new(b"1", none), Err(DtmfError::Length));
}

#[test]
fn a_digit_whose_end_was_lost_is_told_when_the_next_begins() {
    let mut all = packets(sender("12", DtmfParams::default()));
    all.drain(3..7);
    let mut receiver = DtmfReceiver::default();
    let told = heard(&mut receiver, &all);
    assert_eq!(text(&told), "12");
    assert_eq!((told[0].ended, told[0].duration), (false, 480));
    assert_eq!((told[1].ended, told[1].duration), (true, 800));
    // Or when nothing comes any more.
    assert_eq!(
        heard(
            &mut receiver,
            &packets(sender("9", DtmfParams::default()))[..2]
        ),
        []
    );
    let all = packets(sender("0009", DtmfParams::default()));
    assert_eq!(heard(&mut receiver, &all[22..23]), []);
    assert_eq!(receiver.finish().and_then(|heard| heard.digit), Some(b'9'));
    assert_eq!(receiver.finish(), None);
}

#[test]
fn sipps_packets_are_read_by_anybody() {
    let (replay, next) = sipp_replay(b"1d#", 200, 77, 1200);
    let packets: Vec<_> = replay
        .packets()
        .iter()
        .map(|packet| (packet.at, Packet::parse(replay.bytes(packet)).unwrap()))
        .collect();
    // Twenty in front, ten and three for each digit; `d` is none.
    assert_eq!((packets.len(), next), (20 + 2 * 13, 1200 + 46));
    let sequences: Vec<u16> = packets.iter().map(|(_, p)| p.header.sequence).collect();
    assert_eq!(sequences, (1200..1246).collect::<Vec<_>>());
    assert_eq!(packets[19].0, Micros::from_ms(380));
    assert_eq!(
        (packets[20].0, packets[33].0),
        (Micros::from_ms(800), Micros::from_ms(1200))
    );
    assert_eq!(
        (packets[30].0, packets[32].0),
        (Micros::from_ms(1000), Micros::from_ms(1002))
    );
    let mut receiver = DtmfReceiver::default();
    let told: Vec<Heard> = packets[20..]
        .iter()
        .flat_map(|(_, packet)| receiver.on_packet(&packet.header, packet.payload))
        .flatten()
        .collect();
    assert_eq!(text(&told), "1#");
    // Without a digit there is nothing to lead in to.
    let (none, next) = sipp_replay(b"dx", 200, 77, 1200);
    assert_eq!((none.packets().len(), next), (0, 1200));
    assert!(
        told.iter()
            .all(|heard| heard.duration == 1600 && heard.ended)
    );
}

use crate::time::Micros;

proptest! {
    #[test]
    fn digits_are_heard_over_loss_and_repetition(
        digits in "[0-9*#A-D]{1,20}",
        digit_ms in 40u32..400,
        gap_ms in 0u32..200,
        lost in proptest::collection::vec(proptest::bool::weighted(0.1), 400),
        twice in proptest::collection::vec(proptest::bool::weighted(0.1), 400),
    ) {
        let params = DtmfParams { digit_ms, gap_ms, ..DtmfParams::default() };
        let all = packets(sender(&digits, params));
        let mut arriving = Vec::new();
        let mut kept_of = vec![0; digits.len()];
        let mut digit = 0;
        for (index, packet) in all.iter().enumerate() {
            if index > 0 && packet.marker {
                digit += 1;
            }
            let copies = match (lost[index % 400], twice[index % 400]) { (true, _) => 0, (_, true) => 2, _ => 1 };
            kept_of[digit] += copies;
            arriving.extend(core::iter::repeat_n(*packet, copies));
        }
        let mut receiver = DtmfReceiver::default();
        let mut told = heard(&mut receiver, &arriving);
        told.extend(receiver.finish());
        let expected: String = digits.chars().zip(&kept_of).filter(|(_, kept)| **kept > 0).map(|(d, _)| d).collect();
        prop_assert_eq!(text(&told), expected);
    }

    #[test]
    fn any_events_are_survived(all in proptest::collection::vec(any::<(u32, u32, [u8; 4])>(), 0..100)) {
        let mut receiver = DtmfReceiver::default();
        for (timestamp, ssrc, payload) in all {
            let header = Header { marker: false, payload_type: 101, sequence: 0, timestamp, ssrc: ssrc % 2 };
            receiver.on_packet(&header, &payload);
        }
        receiver.finish();
    }
}
