// SPDX-License-Identifier: AGPL-3.0-only
//! What is found in captures made here.

use crate::testing::{PcapFile, address, ip, udp};
use crate::write::{WriteError, Writer};
use crate::{Capture, CaptureError, Carrier, Datagram, ReadOptions, read};
use core::time::Duration;

const OPTIONS: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n";

fn whole(file: &[u8]) -> Capture {
    read(file, &ReadOptions::default()).expect("a capture")
}

fn datagram(from: &str, to: &str, payload: &[u8]) -> Datagram {
    Datagram {
        frame: 1,
        time: Duration::new(1_700_000_000, 123_000),
        source: address(from),
        destination: address(to),
        payload: payload.to_vec(),
    }
}

#[test]
fn what_the_writer_writes_is_read_again() {
    let rtp = datagram("192.0.2.1:4000", "192.0.2.2:4002", &[0x80; 7]);
    let sip = datagram("[2001:db8::1]:5060", "[2001:db8::2]:40000", OPTIONS);
    let mut writer = Writer::new();
    writer.datagram(&rtp).unwrap();
    writer.datagram(&sip).unwrap();
    let before = writer.clone();
    let mixed = datagram("192.0.2.1:1", "[::1]:1", b"");
    assert_eq!(writer.datagram(&mixed), Err(WriteError::Families));
    let long = datagram("192.0.2.1:1", "192.0.2.1:1", &[0; 65_508]);
    assert_eq!(writer.datagram(&long), Err(WriteError::TooLong));
    assert_eq!(writer, before);
    let capture = whole(&writer.into_bytes());
    assert_eq!(capture.datagrams, [rtp]);
    assert_eq!(capture.frames, 2);
    assert_eq!(capture.losses, []);
    let message = &capture.messages[0];
    assert_eq!(
        (message.frame, message.carrier, message.truncated),
        (2, Carrier::Udp, false)
    );
    assert_eq!(
        (message.source, message.destination),
        (sip.source, sip.destination)
    );
    assert_eq!((message.time, &message.bytes[..]), (sip.time, OPTIONS));
}

#[test]
fn a_cut_message_is_given_and_the_loss_named() {
    let packet = ip(
        address("192.0.2.1:1"),
        address("192.0.2.2:1"),
        17,
        &udp(5060, 5060, OPTIONS),
    );
    let mut file = PcapFile::new(101);
    file.snapped(1, &packet[..60], packet.len());
    let capture = whole(file.bytes());
    assert!(capture.messages[0].truncated);
    assert_eq!(capture.messages[0].bytes, OPTIONS[..32]);
    let loss = &capture.losses[0];
    let len = packet.len();
    assert_eq!(
        (loss.frame, &loss.what),
        (Some(1), &format!("frame 1 was cut at 60 of {len} bytes"))
    );
}

#[test]
fn datagrams_that_left_together_come_apart() {
    let rtp = |number: u8| [&[0x80, 0, 0, number, 0, 0, 0, 0, 1, 2, 3, 4][..], &[7; 160]].concat();
    let second = OPTIONS.to_ascii_uppercase();
    let mut writer = Writer::new();
    for payload in [[OPTIONS, &second].concat(), [rtp(8), rtp(9)].concat()] {
        let together = datagram("192.0.2.1:5070", "192.0.2.2:5070", &payload);
        writer.datagram(&together).unwrap();
    }
    let capture = whole(&writer.into_bytes());
    let messages: Vec<(u64, &[u8])> = capture
        .messages
        .iter()
        .map(|message| (message.frame, &message.bytes[..]))
        .collect();
    assert_eq!(messages, [(1, OPTIONS), (1, &second[..])]);
    let datagrams: Vec<(u64, &[u8])> = capture
        .datagrams
        .iter()
        .map(|datagram| (datagram.frame, &datagram.payload[..]))
        .collect();
    assert_eq!(datagrams, [(2, &rtp(8)[..]), (2, &rtp(9))]);
}

#[test]
fn losses_of_a_kind_are_summed_up() {
    let mut file = PcapFile::new(101);
    for _ in 0..25 {
        file.snapped(1, &[0x45; 10], 60);
    }
    let losses = whole(file.bytes()).losses;
    assert_eq!(losses.len(), 6);
    assert_eq!(
        (losses[5].frame, &losses[5].what[..]),
        (None, "20 more frames were cut")
    );
}

#[test]
fn sip_is_told_from_other_datagrams() {
    let kind = |payload: &[u8], from: u16, sip_port: Option<u16>| {
        let mut writer = Writer::new();
        writer
            .datagram(&datagram(
                &format!("192.0.2.1:{from}"),
                "192.0.2.2:7",
                payload,
            ))
            .unwrap();
        let options = ReadOptions {
            sip_port,
            ..ReadOptions::default()
        };
        let capture = read(&writer.into_bytes(), &options).unwrap();
        assert_eq!(capture.messages.len() + capture.datagrams.len(), 1);
        capture.messages.len() == 1
    };
    let sip: [&[u8]; 9] = [
        OPTIONS,
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/2.0 200 \r\n",
        b"\r\n\r\nACK sip:a SIP/2.0\r\n\r\n",
        b"INVITE  <sip:user@example.com>  SIP/2.0  \r\n",
        b"OPTIONS t:watson@example.org SIP/7.0\r\n",
        b"!interesting-Method0123456789_*+`.%indeed'~ sip:a SIP/2.0\n",
        b"INVITE sip:cut",
        b"SIP/2.0 18",
    ];
    for payload in sip {
        assert!(kind(payload, 4000, None), "{}", payload.escape_ascii());
        assert!(kind(payload, 5070, Some(5070)));
        assert!(!kind(payload, 4000, Some(5070)));
    }
    let other: [&[u8]; 9] = [
        b"",
        b"\r\n\r\n",
        b"\0\0\0\0",
        &[0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4],
        &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0],
        b"GET / HTTP/1.1\r\n\r\n",
        b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n",
        b"SIP",
        b"hello there, world\n",
    ];
    for payload in other {
        assert!(!kind(payload, 5060, None), "{}", payload.escape_ascii());
    }
    for payload in &other[..5] {
        assert!(
            !kind(payload, 5060, Some(5060)),
            "{}",
            payload.escape_ascii()
        );
    }
    // On its port whatever is text is SIP.
    assert!(kind(other[8], 5060, Some(5060)));
}

#[test]
fn what_cannot_be_read_at_all_is_an_error() {
    let read = |bytes: &[u8]| read(bytes, &ReadOptions::default()).unwrap_err();
    assert_eq!(read(b""), CaptureError::NotCapture);
    assert_eq!(read(PcapFile::new(147).bytes()), CaptureError::Link(147));
}
