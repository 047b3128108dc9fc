// SPDX-License-Identifier: AGPL-3.0-only
//! Counting by hand-made sequences, and by the definition.

use super::*;
use proptest::prelude::*;

fn header(sequence: u16, timestamp: u32) -> Header {
    Header {
        marker: false,
        payload_type: 0,
        sequence,
        timestamp,
        ssrc: 1,
    }
}

/// Packets of 20 ms, in the order given, arriving 20 ms apart.
fn received(sequences: &[u16]) -> (Receiver, Vec<Order>) {
    let mut receiver = Receiver::new(8000);
    let orders = sequences.iter().enumerate().map(|(index, sequence)| {
        let header = header(*sequence, u32::from(*sequence) * 160);
        receiver.on_packet(
            Micros::from_ms(20 * index as u64),
            &header,
            160,
            Timing::Sampled,
        )
    });
    let orders = orders.collect();
    (receiver, orders)
}

#[test]
fn a_gap_is_loss_and_a_late_packet_fills_it() {
    let (receiver, orders) = received(&[10, 11, 14, 12, 15]);
    let counts = receiver.counts();
    assert_eq!((counts.packets, counts.expected, counts.lost()), (5, 6, 1));
    assert_eq!((counts.reordered, counts.gaps, counts.octets), (1, 1, 800));
    assert_eq!(orders[2], Order::Ahead { missing: 2 });
    assert_eq!(orders[3], Order::Late);
}

#[test]
fn duplicates_are_counted_and_make_loss_negative() {
    let (receiver, orders) = received(&[1, 2, 2, 1, 3]);
    let counts = receiver.counts();
    assert_eq!((counts.duplicates, counts.lost()), (2, -2));
    assert_eq!(orders[2..4], [Order::Duplicate, Order::Duplicate]);
    assert_eq!(counts.loss_percent(), 0.0);
}

#[test]
fn the_sequence_wraps() {
    let (receiver, _) = received(&[65_534, 65_535, 0, 1]);
    assert_eq!(receiver.counts().lost(), 0);
    assert_eq!(receiver.highest_sequence(), Some(0x1_0001));
    // And backwards: what began before the wrap came after it.
    let (receiver, orders) = received(&[1, 0, 65_535, 2]);
    assert_eq!(orders[2], Order::Late);
    assert_eq!(
        (receiver.counts().expected, receiver.counts().lost()),
        (4, 0)
    );
    // Or came after a first one that was before the wrap too.
    let (receiver, _) = received(&[65_535, 0, 65_534, 1]);
    assert_eq!(receiver.counts().lost(), 0);
}

#[test]
fn a_jump_is_believed_at_its_second_packet() {
    let (receiver, orders) = received(&[1, 2, 30_000, 3, 40_000, 40_001, 40_002]);
    assert_eq!(orders[2], Order::Jump);
    assert_eq!(orders[3], Order::Ahead { missing: 0 });
    assert_eq!(orders[4..6], [Order::Jump, Order::First]);
    let counts = receiver.counts();
    // All but the one that nothing followed.
    assert_eq!((counts.packets, counts.lost(), counts.restarts), (6, 0, 1));
    assert_eq!(counts.octets, 6 * 160);
    let (receiver, orders) = received(&[1, 2, 40_000, 40_001, 40_000, 39_999, 40_003]);
    assert_eq!(orders[4..6], [Order::Duplicate, Order::Late]);
    assert_eq!(receiver.counts().lost(), 0, "one twice, one missing");
}

#[test]
fn sources_are_told_apart_and_bounded() {
    let mut receiver = Receiver::new(8000);
    for ssrc in 0..100 {
        let header = Header {
            ssrc,
            ..header(7, 0)
        };
        receiver.on_packet(
            Micros::from_ms(u64::from(ssrc)),
            &header,
            1,
            Timing::Sampled,
        );
    }
    assert_eq!(receiver.sources.len(), MAX_SOURCES);
    let counts = receiver.counts();
    assert_eq!(
        (counts.packets, counts.expected, receiver.source_changes()),
        (100, 100, 99)
    );
    assert_eq!(receiver.report_blocks(Micros(0)).len(), MAX_SOURCES);
}

#[test]
fn a_report_says_what_was_lost_since_the_one_before() {
    let (mut receiver, _) = received(&[1, 2, 3, 5]);
    receiver.on_sender_report(Micros::from_ms(1000), 1, NtpTime(0x1234_5678_9abc_def0));
    let block = receiver.report_blocks(Micros::from_ms(1500))[0];
    // One of five.
    assert_eq!((block.fraction_lost, block.cumulative_lost), (51, 1));
    assert_eq!((block.last_report, block.delay), (0x5678_9abc, 0x8000));
    assert_eq!(block.highest_sequence, 5);
    let again = receiver.report_blocks(Micros::from_ms(1500))[0];
    assert_eq!((again.fraction_lost, again.cumulative_lost), (0, 1));
}

#[test]
fn jitter_follows_the_formula() {
    let mut receiver = Receiver::new(8000);
    // Every second packet 4 ms late: each differs from the one before by 4 ms, 32 timestamps.
    let mut expected = 0.0f64;
    for index in 0..200u32 {
        let late = 4000 * u64::from(index % 2);
        let at = Micros(u64::from(index) * 20_000 + late);
        receiver.on_packet(at, &header(index as u16, index * 160), 160, Timing::Sampled);
        if index > 0 {
            expected += (4.0 - expected) / 16.0;
        }
    }
    let jitter = receiver.jitter();
    assert!((jitter.last - expected).abs() < 1e-9, "{jitter:?}");
    assert!((jitter.last - 4.0).abs() < 0.01);
    assert!(jitter.mean < jitter.max && (jitter.max - jitter.last).abs() < 1e-9);
    // In timestamps in a report.
    let block = receiver.report_blocks(Micros::from_ms(4000))[0];
    assert_eq!(block.jitter, 31);
}

#[test]
fn events_do_not_disturb_the_jitter() {
    let mut receiver = Receiver::new(8000);
    receiver.on_packet(Micros(0), &header(1, 0), 160, Timing::Sampled);
    for index in 1..10u16 {
        let at = Micros(u64::from(index) * 20_000);
        receiver.on_packet(at, &header(1 + index, 160), 4, Timing::Held);
    }
    receiver.on_packet(
        Micros::from_ms(200),
        &header(11, 1600),
        160,
        Timing::Sampled,
    );
    assert_eq!(receiver.jitter(), JitterMs::default());
}

#[test]
fn timestamps_are_those_of_the_codec_that_comes() {
    let mut receiver = Receiver::new(48_000);
    let mut timestamp = 0;
    for index in 0..60u16 {
        // Opus, G.711, and Opus again, 20 ms each; every second packet 2 ms late.
        let (clock_rate, step) = match index {
            20..40 => (8000, 160),
            _ => (48_000, 960),
        };
        receiver.set_clock_rate(clock_rate);
        let at = Micros(u64::from(index) * 20_000 + 2000 * u64::from(index % 2));
        receiver.on_packet(at, &header(index, timestamp), 160, Timing::Sampled);
        timestamp += step;
    }
    let jitter = receiver.jitter();
    assert!((1.0..2.0).contains(&jitter.mean), "{jitter:?}");
    assert!((1.5..2.0).contains(&jitter.max), "{jitter:?}");
    assert!(
        (jitter.last * 48.0 - jitter.max_ts).abs() < 5.0,
        "{jitter:?}"
    );
}

#[test]
fn a_silence_counts_for_the_jitter_and_not_for_its_mean() {
    let mut receiver = Receiver::new(8000);
    let mut at = 0;
    for index in 0..30u32 {
        let (begins, timing) = match index {
            10 => (false, Timing::Silent),
            20 => (true, Timing::Sampled),
            _ => (false, Timing::Sampled),
        };
        // Both come 160 ms later than they say.
        at += if matches!(index, 10 | 20) { 180 } else { 20 };
        let header = Header {
            marker: begins,
            ..header(index as u16, index * 160)
        };
        receiver.on_packet(Micros::from_ms(at), &header, 160, timing);
    }
    let jitter = receiver.jitter();
    // 160 / 16 at the time, less a sixteenth with each packet: what follows comfort noise is left out as well.
    assert!(jitter.max < 15.0 && jitter.max > 14.0, "{jitter:?}");
    let mut marked = Receiver::new(8000);
    for index in 0..10u32 {
        let header = Header {
            marker: true,
            ..header(index as u16, index * 160)
        };
        let at = Micros::from_ms(u64::from(index * 25));
        marked.on_packet(at, &header, 160, Timing::Sampled);
    }
    let jitter = marked.jitter();
    assert!(jitter.mean > 1.0 && jitter.max >= jitter.mean, "{jitter:?}");
}

#[test]
fn the_longest_silence_is_kept() {
    let mut receiver = Receiver::new(8000);
    assert_eq!((receiver.first_arrival(), receiver.ssrc()), (None, None));
    for (index, ms) in [100, 120, 900, 920].into_iter().enumerate() {
        let header = header(index as u16, 0);
        receiver.on_packet(Micros::from_ms(ms), &header, 0, Timing::Sampled);
    }
    assert_eq!(receiver.longest_gap(), Micros::from_ms(780));
    assert_eq!(receiver.first_arrival(), Some(Micros::from_ms(100)));
    assert_eq!(receiver.last_arrival(), Some(Micros::from_ms(920)));
}

proptest! {
    #[test]
    fn loss_is_what_was_sent_without_what_came(
        start: u16,
        kept in proptest::collection::vec(proptest::bool::weighted(0.9), 2..600),
        swaps in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut sent: Vec<u16> = (0..kept.len() as u16).map(|n| start.wrapping_add(n)).collect();
        // The ends arrive, so that the receiver can know of all between.
        let last = sent.len() - 1;
        let mut index = 0;
        sent.retain(|_| { index += 1; kept[index - 1] || index == 1 || index == last + 1 });
        let lost = kept.len() - sent.len();
        for swap in &swaps {
            let at = swap.index(sent.len() - 1);
            sent.swap(at, at + 1);
        }
        let (receiver, _) = received(&sent);
        let counts = receiver.counts();
        prop_assert_eq!(counts.lost(), lost as i64);
        prop_assert_eq!(counts.packets, sent.len() as u64);
        prop_assert_eq!((counts.duplicates, counts.restarts), (0, 0));
    }

    #[test]
    fn any_packets_are_counted(packets in proptest::collection::vec(any::<(u16, u32, u8, u32)>(), 0..300)) {
        let mut receiver = Receiver::new(8000);
        let mut now = 0u64;
        for (sequence, timestamp, ssrc, step) in packets {
            now += u64::from(step);
            let header = Header { ssrc: u32::from(ssrc % 8), ..header(sequence, timestamp) };
            receiver.on_packet(Micros(now), &header, 160, Timing::Sampled);
        }
        let counts = receiver.counts();
        prop_assert!(counts.burst_ratio() >= 1.0 && counts.loss_percent() <= 100.0);
        for block in receiver.report_blocks(Micros(now)) {
            prop_assert!((-0x80_0000..=0x7f_ffff).contains(&block.cumulative_lost));
        }
    }
}
