// SPDX-License-Identifier: AGPL-3.0-only
//! Streams that are more than one message after the other: odd framing, WebSocket, capture agents.

use super::{Path, Stream};
use crate::reader::{Findings, Seen};
use crate::testing::{address, chunk, hep, websocket};
use crate::{Capture, Carrier, ReadOptions};
use core::time::Duration;
use proptest::prelude::*;

const PLAIN: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nl: 0\r\n\r\n";
const REQUEST: &[u8] =
    b"GET /sip HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade:websocket\r\n\r\n";

/// What is found in pieces of a stream, each of a frame of its own.
fn pieces(pieces: &[&[u8]]) -> Capture {
    let options = ReadOptions {
        max_message: 4000,
        ..ReadOptions::default()
    };
    let mut found = Findings::new(&options);
    let mut stream = Stream::default();
    let [source, destination] = ["192.0.2.1:4000", "[2001:db8::1]:80"].map(address);
    let path = Path {
        source,
        destination,
    };
    for (frame, piece) in (1..).zip(pieces) {
        let seen = Seen {
            frame,
            time: Duration::ZERO,
        };
        stream.push(seen, piece, path, &mut found);
    }
    stream.end(path, &mut found);
    found.finish()
}

fn found(bytes: &[u8]) -> Vec<Vec<u8>> {
    pieces(&[bytes])
        .messages
        .into_iter()
        .map(|message| message.bytes)
        .collect()
}

#[test]
fn a_body_without_a_length_ends_where_the_next_message_begins() {
    let open = b"SIP/2.0 200 OK\nc: application/sdp\n\nv=0\no=- 1 1 IN IP4 x\n";
    assert_eq!(found(&[&open[..], PLAIN].concat()), [&open[..], PLAIN]);
    assert_eq!(found(open), [open]);
    // Without a type there is no body.
    let none = b"SIP/2.0 200 OK\r\nX: y\r\n\r\n";
    assert_eq!(
        found(&[&none[..], b"v=0\r\n", PLAIN].concat()),
        [&none[..], PLAIN]
    );
    // A length that is none is none.
    let bad = b"INFO sip:a SIP/2.0\r\nContent-Length: two\r\n\r\nhi";
    assert_eq!(found(bad), [bad]);
}

#[test]
fn what_is_not_sip_at_the_end_is_told_with_its_frame() {
    let losses = pieces(&[PLAIN, b"\x01binary\x02"]).losses;
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!(losses[0].frame, Some(2));
    assert!(
        losses[0].what.ends_with("are not SIP (frame 2)"),
        "{losses:?}"
    );
}

#[test]
fn what_claims_to_be_very_long_costs_itself_only() {
    for length in ["4001", "99999999999999999999999999"] {
        let long = format!("INFO sip:a SIP/2.0\r\nContent-Length: {length}\r\n\r\n");
        let capture = pieces(&[long.as_bytes(), PLAIN]);
        assert_eq!(capture.messages.len(), 1);
        assert_eq!(
            (capture.messages[0].frame, &capture.messages[0].bytes[..]),
            (2, PLAIN)
        );
        assert!(capture.losses[0].what.contains("too long (frame 1)"));
    }
    let endless = b"INFO sip:a SIP/2.0\r\n"
        .iter()
        .copied()
        .chain(core::iter::repeat_n(b'x', 5000));
    let bytes: Vec<u8> = endless
        .chain(b"\r\n".iter().copied())
        .chain(PLAIN.iter().copied())
        .collect();
    assert!(found(&bytes) == [PLAIN]);
    let (first, second) = bytes.split_at(3000);
    assert_eq!(pieces(&[first, second]).messages.len(), 1);
}

#[test]
fn websocket_is_read_behind_its_handshake() {
    let mask = Some([1, 2, 3, 250]);
    let long = [b"INFO sip:a SIP/2.0\r\nl: 200\r\n\r\n", &[b'x'; 200][..]].concat();
    for (handshake, mask) in [(REQUEST, mask), (ANSWER, None)] {
        let stream = [
            handshake.to_vec(),
            websocket(0x81, mask, PLAIN),
            websocket(0x89, mask, b"ping"),
            websocket(0x81, mask, b"\r\n\r\n"),
            // In three parts, with a pong between them.
            websocket(0x02, mask, &long[..20]),
            websocket(0x00, mask, &long[20..150]),
            websocket(0x8a, mask, b""),
            websocket(0x80, mask, &long[150..]),
            websocket(0x82, mask, &long),
            websocket(0x88, mask, &[3, 232]),
        ]
        .concat();
        let capture = pieces(&[&stream]);
        let bytes: Vec<&[u8]> = capture
            .messages
            .iter()
            .map(|message| &message.bytes[..])
            .collect();
        assert_eq!(bytes, [PLAIN, &long, &long]);
        assert!(
            capture
                .messages
                .iter()
                .all(|message| message.carrier == Carrier::Ws && !message.truncated)
        );
        assert_eq!(capture.losses, []);
        // Joined somewhere in the middle.
        assert!(found(&stream[handshake.len() + 10..]) == [&long[..]]);
        assert_eq!(found(&stream[handshake.len()..]).len(), 3);
        // Broken off in the middle.
        let end = handshake.len() + 30;
        let capture = pieces(&[&stream[..end]]);
        assert!(capture.messages[0].truncated);
        assert!(PLAIN.starts_with(&capture.messages[0].bytes));
        assert!(capture.losses[0].what.contains("is missing"));
    }
    let other = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN].concat();
    assert_eq!(found(&other), [b""; 0]);
    let compressed = [ANSWER, &websocket(0xc1, None, &[9; 30])].concat();
    assert!(pieces(&[&compressed]).losses[0].what.contains("compressed"));
}

#[test]
fn capture_agents_have_streams_too() {
    let packet = hep(&[
        chunk(1, &[10]),
        chunk(2, &[22]),
        chunk(5, &[1; 16]),
        chunk(6, &[2; 16]),
        chunk(7, &[0, 7]),
        chunk(8, &[0, 8]),
        chunk(9, &[0, 0, 1, 0]),
        chunk(10, &[0, 0, 0, 9]),
        chunk(11, &[1]),
        chunk(15, PLAIN),
    ]);
    let capture = pieces(&[
        &packet,
        &packet[..50],
        &packet[50..],
        b"HEP3\0\x07x",
        &packet[..9],
    ]);
    assert_eq!(capture.messages.len(), 2);
    let message = &capture.messages[1];
    assert_eq!((message.frame, message.time), (2, Duration::new(256, 9000)));
    assert_eq!(message.carrier, Carrier::Tls);
    assert_eq!((message.source.port(), message.destination.port()), (7, 8));
    let losses: Vec<bool> = capture
        .losses
        .iter()
        .map(|loss| loss.what.contains("agent"))
        .collect();
    assert_eq!(losses, [true, false]);
}

proptest! {
    #[test]
    fn any_split_of_any_stream_gives_the_same(
        parts in prop::collection::vec(0_u8..9, 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        start: bool,
    ) {
        let mask = Some([7, 0, 129, 10]);
        let mut stream = if start { REQUEST.to_vec() } else { Vec::new() };
        for part in parts {
            match part {
                0 => stream.extend_from_slice(PLAIN),
                1 => stream.extend_from_slice(b"\r\n\r\n"),
                2 => stream.extend_from_slice(&noise),
                3 => stream.extend_from_slice(&websocket(0x81, mask, PLAIN)),
                4 => stream.extend_from_slice(&websocket(0x82, None, PLAIN)),
                5 => stream.extend_from_slice(b"SIP/2.0 200 OK\r\nc: x\r\n\r\nbody\r\n"),
                6 => stream.extend_from_slice(b"INFO sip:a SIP/2.0\r\nContent-Length: 9000\r\n\r\n"),
                7 => stream.extend_from_slice(&websocket(0x01, mask, &PLAIN[..9])),
                _ => stream.extend_from_slice(b"INFO sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\n"),
            }
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let split: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let [whole, split] = [pieces(&[&stream]), pieces(&split)].map(|capture| {
            let messages = capture.messages.into_iter();
            messages.map(|message| (message.bytes, message.truncated, message.carrier)).collect::<Vec<_>>()
        });
        prop_assert_eq!(whole, split);
    }
}
