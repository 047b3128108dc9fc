// SPDX-License-Identifier: AGPL-3.0-only
//! Segments in any order, twice, overlapping, or not at all.

use crate::testing::{PcapFile, address, ip, packets, tcp};
use crate::{Capture, Carrier, ReadOptions, read};
use proptest::prelude::*;

const BODY: &str = "INVITE sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 5\r\n\r\nhel\r\n";
const PLAIN: &str = "ACK sip:a@b SIP/2.0\r\nl: 0\r\n\r\n";

/// Segments from one end to the other: sequence number, whether it begins the connection, payload.
fn capture(segments: &[(u32, bool, &[u8])]) -> Capture {
    let [from, to] = ["192.0.2.1:4000", "192.0.2.2:5060"].map(address);
    let frames: Vec<Vec<u8>> = segments
        .iter()
        .map(|(sequence, syn, payload)| ip(from, to, 6, &tcp(4000, 5060, *sequence, *syn, payload)))
        .collect();
    read(&packets(&frames), &ReadOptions::default()).expect("a capture")
}

fn texts(capture: &Capture) -> Vec<&str> {
    let messages = capture.messages.iter();
    messages
        .map(|message| core::str::from_utf8(&message.bytes).expect("text"))
        .collect()
}

#[test]
fn messages_are_cut_out_of_segments_and_have_the_frame_in_which_they_begin() {
    let all = [PLAIN, "\r\n\r\n", BODY, PLAIN].concat();
    let all = all.as_bytes();
    let found = capture(&[
        (99, true, b""),
        (100, false, &all[..40]),
        (140, false, &all[40..70]),
        (170, false, &all[70..]),
    ]);
    assert_eq!(texts(&found), [PLAIN, BODY, PLAIN]);
    let frames: Vec<_> = found
        .messages
        .iter()
        .map(|message| (message.frame, message.time.as_secs()))
        .collect();
    assert_eq!(frames, [(2, 2), (2, 2), (4, 4)]);
    let message = &found.messages[0];
    assert_eq!((message.carrier, message.truncated), (Carrier::Tcp, false));
    assert_eq!(message.source, address("192.0.2.1:4000"));
    assert_eq!(message.destination, address("192.0.2.2:5060"));
    assert_eq!(found.losses, []);
}

#[test]
fn a_gap_costs_the_messages_in_it_and_no_others() {
    let all = [BODY, PLAIN, BODY, PLAIN].concat();
    let all = all.as_bytes();
    let second = BODY.len() + PLAIN.len();
    // Gone: the end of the first message and a part of the next.
    let found = capture(&[(0, false, &all[..50]), (80, false, &all[80..])]);
    assert_eq!(texts(&found), [&BODY[..50], BODY, PLAIN]);
    let truncated: Vec<bool> = found
        .messages
        .iter()
        .map(|message| message.truncated)
        .collect();
    assert_eq!(truncated, [true, false, false]);
    let losses: Vec<&str> = found.losses.iter().map(|loss| &loss.what[..]).collect();
    let stream = "from 192.0.2.1:4000 to 192.0.2.2:5060";
    // Without the line end there.
    let garbage = second - 80 - 2;
    let expected = [
        format!("the end of a message {stream} is missing (frame 1)"),
        format!("30 bytes before frame 2 are missing in the stream {stream}"),
        format!("{garbage} bytes of the stream {stream} are not SIP (frame 2)"),
    ];
    assert_eq!(losses, expected);
    // What comes later fills it, however late.
    let found = capture(&[
        (0, false, &all[..50]),
        (80, false, &all[80..]),
        (50, false, &all[50..80]),
    ]);
    assert_eq!(texts(&found), [BODY, PLAIN, BODY, PLAIN]);
    let frames: Vec<u64> = found.messages.iter().map(|message| message.frame).collect();
    assert_eq!(frames, [1, 3, 3, 3]);
    assert_eq!(found.losses, []);
}

#[test]
fn a_stream_may_be_joined_anywhere() {
    let all = [BODY, PLAIN].concat();
    for at in 1..BODY.len() {
        let found = capture(&[(7, false, &all.as_bytes()[at..])]);
        assert_eq!(texts(&found), [PLAIN], "{at}");
        assert_eq!(found.losses, []);
    }
}

#[test]
fn a_connection_with_the_ports_of_another_begins_anew() {
    let found = capture(&[
        (99, true, b""),
        (100, false, PLAIN.as_bytes()),
        // Sent again.
        (99, true, b""),
        (100, false, PLAIN.as_bytes()),
        // Another one, whose numbers lie close by.
        (49, true, b""),
        (50, false, BODY.as_bytes()),
        // Another one, of which the beginning is missing.
        (3_000_000_000, false, PLAIN.as_bytes()),
    ]);
    assert_eq!(texts(&found), [PLAIN, BODY, PLAIN]);
}

#[test]
fn what_was_sent_later_is_later_in_whatever_order_the_frames_are() {
    let [from, to] = ["192.0.2.1:4000", "192.0.2.2:5060"].map(address);
    let mut file = PcapFile::new(101);
    let ack = b"ACK sip:a@b SIP/2.0\r\nl: 0\r\n\r\n";
    for (time, sequence, payload) in [
        (30, 100 + ack.len(), BODY.as_bytes()),
        (20, 100, ack),
        (10, 99, b""),
    ] {
        let syn = payload.is_empty();
        file.frame(
            time,
            &ip(from, to, 6, &tcp(4000, 5060, sequence as u32, syn, payload)),
        );
    }
    let found = read(file.bytes(), &ReadOptions::default()).expect("a capture");
    let mut times: Vec<_> = found
        .messages
        .iter()
        .map(|message| (message.time.as_secs(), &message.bytes[..3]))
        .collect();
    times.sort_unstable();
    assert_eq!(times, [(20, &b"ACK"[..]), (30, b"INV")]);
    assert_eq!(found.losses, []);
}

#[test]
fn sequence_numbers_may_begin_anew() {
    let at = u32::MAX - 20;
    let bytes = BODY.as_bytes();
    let found = capture(&[
        (at, false, &bytes[..10]),
        (29, false, &bytes[50..]),
        (at + 10, false, &bytes[10..50]),
    ]);
    assert_eq!(texts(&found), [BODY]);
}

#[test]
fn other_ports_are_left_alone_where_one_is_named() {
    let [from, to] = ["192.0.2.1:4000", "192.0.2.2:5080"].map(address);
    let file = packets(&[ip(
        from,
        to,
        6,
        &tcp(4000, 5080, 1, false, PLAIN.as_bytes()),
    )]);
    for (sip_port, count) in [(None, 1), (Some(5080), 1), (Some(4000), 1), (Some(5060), 0)] {
        let options = ReadOptions {
            sip_port,
            ..ReadOptions::default()
        };
        assert_eq!(read(&file, &options).unwrap().messages.len(), count);
    }
    // TLS there is named.
    let file = packets(&[ip(
        from,
        to,
        6,
        &tcp(4000, 5080, 1, false, &[22, 3, 1, 0, 9, 1]),
    )]);
    let options = ReadOptions {
        sip_port: Some(5080),
        ..ReadOptions::default()
    };
    assert!(
        read(&file, &options).unwrap().losses[0]
            .what
            .contains("encrypted")
    );
    assert_eq!(read(&file, &ReadOptions::default()).unwrap().losses, []);
}

/// A stream with all that can be in one.
fn mixture() -> Vec<u8> {
    let long = format!(
        "INFO sip:x SIP/2.0\r\nContent-Length: 300\r\n\r\n{}",
        "a=b\r\n".repeat(60)
    );
    let open = "MESSAGE sip:a SIP/2.0\r\nContent-Type: text/plain\r\n\r\nhi\r\n";
    [
        BODY,
        "\r\n\r\n",
        PLAIN,
        "junk between\r\n\x01\u{81}\r\n",
        &long,
        open,
        "SIP/2.0 200 OK\r\n\r\n",
        BODY,
    ]
    .concat()
    .into_bytes()
}

proptest! {
    #[test]
    fn cuts_order_and_repetition_change_nothing(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        order in any::<u64>(),
        repeated in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
        begin: u32,
        opened in any::<Option<prop::sample::Index>>(),
    ) {
        let all = mixture();
        let expected = capture(&[(begin.wrapping_sub(1), true, b""), (begin, false, &all)]);
        prop_assert_eq!(expected.messages.len(), 6);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).collect();
        cuts.extend([0, all.len()]);
        cuts.sort_unstable();
        let mut ranges: Vec<(usize, usize)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        ranges.extend(repeated.iter().map(|(from, to)| {
            let [from, to] = [from, to].map(|index| index.index(all.len()));
            (from.min(to), from.max(to))
        }));
        // Any order.
        let mut seed = order | 1;
        for last in (1..ranges.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ranges.swap(last, (seed >> 33) as usize % (last + 1));
        }
        let segment = |(from, to): &(usize, usize)| (begin.wrapping_add(*from as u32), false, &all[*from..*to]);
        let mut segments: Vec<(u32, bool, &[u8])> = ranges.iter().map(segment).collect();
        // The segment that opens the connection, at any place or nowhere.
        if let Some(at) = opened {
            segments.insert(at.index(segments.len() + 1), (begin.wrapping_sub(1), true, b""));
        }
        let found = capture(&segments);
        prop_assert_eq!(texts(&found), texts(&expected));
        prop_assert_eq!(found.losses.len(), expected.losses.len());
    }
}
