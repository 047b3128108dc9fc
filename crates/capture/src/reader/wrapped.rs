// SPDX-License-Identifier: AGPL-3.0-only
//! The same message in everything that can be around it.

use crate::testing::{PcapFile, address, chunk, hep, ip, packets, udp};
use crate::write::Writer;
use crate::{Capture, Carrier, Datagram, ReadOptions, read};
use core::time::Duration;
use proptest::prelude::*;

const MESSAGE: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n";

fn whole(file: &[u8]) -> Capture {
    read(file, &ReadOptions::default()).expect("a capture")
}

/// A file with one frame.
fn one(link: u32, frame: &[u8]) -> Vec<u8> {
    let mut file = PcapFile::new(link);
    file.frame(1, frame);
    file.bytes().to_vec()
}

/// The message in a packet.
fn v4() -> Vec<u8> {
    wrap(17, &udp(5060, 4000, MESSAGE))
}

fn v6() -> Vec<u8> {
    let [from, to] = ["[2001:db8::1]:1", "[2001:db8::2]:1"].map(address);
    ip(from, to, 17, &udp(5060, 4000, MESSAGE))
}

fn wrap(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip(
        address("192.0.2.1:1"),
        address("192.0.2.2:1"),
        protocol,
        payload,
    )
}

fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &kind.to_be_bytes(), rest].concat()
}

fn check(name: &str, file: &[u8]) {
    let capture = whole(file);
    assert_eq!(capture.losses, [], "{name}");
    assert_eq!(capture.datagrams, [], "{name}");
    let [message] = &capture.messages[..] else {
        panic!("{name}: {} messages", capture.messages.len());
    };
    assert_eq!(
        (&message.bytes[..], message.truncated),
        (MESSAGE, false),
        "{name}"
    );
    assert_eq!(
        (message.source.port(), message.destination.port()),
        (5060, 4000),
        "{name}"
    );
}

#[test]
fn links_and_what_stands_on_them() {
    let mut padded = ethernet(0x0800, &v4());
    padded.extend_from_slice(&[0; 9]);
    let ethernets: [(&str, Vec<u8>); 9] = [
        ("padded", padded),
        (
            "vlan",
            ethernet(0x8100, &[&[0, 5, 0x86, 0xdd][..], &v6()].concat()),
        ),
        (
            "qinq",
            ethernet(0x88a8, &[&[0, 5, 0x81, 0, 0, 6, 8, 0][..], &v4()].concat()),
        ),
        (
            "pppoe",
            ethernet(
                0x8864,
                &[&[0x11, 0, 0, 7, 0, 99, 0, 0x21][..], &v4()].concat(),
            ),
        ),
        (
            "pppoe6",
            ethernet(0x8864, &[&[0x11, 0, 0, 7, 0, 99, 0x57][..], &v6()].concat()),
        ),
        (
            "mpls",
            ethernet(0x8847, &[&[0, 1, 0, 64, 0, 2, 1, 64][..], &v4()].concat()),
        ),
        (
            "pseudowire",
            ethernet(
                0x8847,
                &[&[0, 2, 1, 64, 0, 0, 0, 0][..], &ethernet(0x0800, &v4())].concat(),
            ),
        ),
        (
            "snap",
            ethernet(200, &[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &v4()].concat()),
        ),
        (
            "ppp within",
            ethernet(0x8100, &ethernet(0x0800, &v4())[10..]),
        ),
    ];
    for (name, frame) in &ethernets[..8] {
        check(name, &one(1, frame));
    }
    // What is cut within a tag is no packet.
    assert_eq!(whole(&one(1, &ethernets[8].1[..15])).messages.len(), 0);
    let frames = [
        (0, [&[2, 0, 0, 0][..], &v4()].concat()),
        (108, [&[0, 0, 0, 30][..], &v6()].concat()),
        (9, [&[0xff, 3, 0, 0x21][..], &v4()].concat()),
        (50, [&[0x57][..], &v6()].concat()),
        (104, [&[0x0f, 0, 8, 0][..], &v4()].concat()),
        (113, [&[0; 14][..], &[8, 0], &v4()].concat()),
        (276, [&[0x86, 0xdd][..], &[0; 18], &v6()].concat()),
        (
            239,
            [
                &[2, 0, 0, 0, 5, 0, 10, 0, 1, 0, 0, 0][..],
                &((v4().len() + 4) as u16).to_le_bytes(),
                &[9, 0],
                &v4(),
            ]
            .concat(),
        ),
        (
            239,
            [
                &[2, 0, 0, 0, 0, 5, 0, 10, 1, 0, 0, 0][..],
                &((v4().len() + 4) as u16).to_be_bytes(),
                &[0, 9],
                &v4(),
            ]
            .concat(),
        ),
        (229, v6()),
    ];
    for (link, frame) in &frames {
        check(&link.to_string(), &one(*link, frame));
    }
}

#[test]
fn tunnels() {
    let inner = v4();
    let frame = ethernet(0x0800, &inner);
    let esp = |signature: usize| {
        let datagram = udp(5060, 4000, MESSAGE);
        [
            &[0, 0, 0, 9, 0, 0, 0, 1][..],
            &datagram,
            &[1, 2, 2, 17],
            &vec![7; signature],
        ]
        .concat()
    };
    let protocols: [(&str, u8, Vec<u8>); 12] = [
        ("ip in ip", 4, inner.clone()),
        ("6in4", 41, v6()),
        ("gre", 47, [&[0, 0, 8, 0][..], &inner].concat()),
        (
            "gre with everything",
            47,
            [&[0xb0, 0, 8, 0][..], &[0; 12], &inner].concat(),
        ),
        (
            "gre with ethernet",
            47,
            [&[0x20, 0, 0x65, 0x58][..], &[0; 4], &frame].concat(),
        ),
        (
            "gre with ppp",
            47,
            [
                &[0x30, 0x81, 0x88, 0x0b][..],
                &[0; 12],
                &[0xff, 3, 0, 0x21],
                &inner,
            ]
            .concat(),
        ),
        ("erspan 1", 47, [&[0, 0, 0x88, 0xbe][..], &frame].concat()),
        (
            "erspan 2",
            47,
            [&[0x10, 0, 0x88, 0xbe][..], &[0; 12], &frame].concat(),
        ),
        (
            "erspan 3",
            47,
            [&[0x10, 0, 0x22, 0xeb][..], &[0; 15], &[1], &[0; 8], &frame].concat(),
        ),
        ("esp", 50, esp(12)),
        ("esp with a longer signature", 50, esp(16)),
        (
            "ah",
            51,
            [&[17, 4][..], &[0; 22], &udp(5060, 4000, MESSAGE)].concat(),
        ),
    ];
    for (name, protocol, payload) in &protocols {
        check(name, &one(101, &wrap(*protocol, payload)));
    }
    let datagrams: [(&str, u16, Vec<u8>); 7] = [
        (
            "gtp",
            2152,
            [&[0x30, 0xff, 0, 0, 0, 0, 0, 1][..], &inner].concat(),
        ),
        (
            "gtp with a number",
            2152,
            [&[0x32, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0][..], &inner].concat(),
        ),
        (
            "gtp of 5G",
            2152,
            [
                &[0x34, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0][..],
                &inner,
            ]
            .concat(),
        ),
        (
            "vxlan",
            4789,
            [&[8, 0, 0, 0, 0, 0, 5, 0][..], &frame].concat(),
        ),
        (
            "vxlan of Linux",
            8472,
            [&[8, 0, 0, 0, 0, 0, 5, 0][..], &frame].concat(),
        ),
        (
            "geneve",
            6081,
            [&[2, 0, 0x65, 0x58, 0, 0, 5, 0][..], &[0; 8], &frame].concat(),
        ),
        (
            "tzsp",
            37008,
            [&[1, 0, 0, 1, 0, 10, 1, 5, 1][..], &frame].concat(),
        ),
    ];
    for (name, port, payload) in &datagrams {
        check(name, &one(101, &wrap(17, &udp(40_007, *port, payload))));
    }
    // A tunnel in a tunnel in a tunnel.
    let deep = wrap(4, &wrap(47, &protocols[2].2));
    check(
        "deep",
        &one(
            101,
            &wrap(
                4,
                &wrap(
                    17,
                    &udp(
                        7,
                        2152,
                        &[&[0x30, 0xff, 0, 0, 0, 0, 0, 1][..], &deep[20..]].concat(),
                    ),
                )[..],
            ),
        ),
    );
    // There is a bound, and nothing of it but the loss of what is inside.
    let endless = (0..30).fold(v4(), |packet, _| wrap(4, &packet));
    assert_eq!(whole(&one(101, &endless)).messages.len(), 0);
    // What is no packet is a datagram like others.
    assert_eq!(
        whole(&one(101, &wrap(17, &udp(40_007, 4789, b"anything"))))
            .datagrams
            .len(),
        1
    );
}

#[test]
fn headers_of_ipv6_are_passed() {
    let [from, to] = ["[::1]:1", "[::2]:1"].map(address);
    let datagram = udp(5060, 4000, MESSAGE);
    let extended = [
        &[60, 0, 1, 4, 0, 0, 0, 0][..],
        &[43, 1],
        &[0; 14],
        &[44, 0, 0, 0, 0, 0, 0, 0],
        &[17, 0, 0, 0, 0, 0, 0, 1],
        &datagram,
    ];
    check(
        "extensions",
        &one(229, &ip(from, to, 0, &extended.concat())),
    );
}

/// The fragments of a packet with the message, by where they begin and end.
fn fragments(ranges: &[(usize, usize)], id: u8) -> Vec<Vec<u8>> {
    let datagram = udp(5060, 4000, MESSAGE);
    let cut = |(from, to): &(usize, usize)| {
        let to = (*to).min(datagram.len());
        let mut packet = wrap(17, &datagram[*from..to]);
        let more = if to < datagram.len() { 0x20 } else { 0 };
        packet[4..8].copy_from_slice(&[0, id, more, (from / 8) as u8]);
        packet
    };
    ranges.iter().map(cut).collect()
}

#[test]
fn fragments_are_put_together() {
    for ranges in [
        &[(0, 24), (24, 48), (48, 99)][..],
        &[(48, 99), (0, 24), (24, 48)],
        // Again, and overlapping.
        &[(0, 32), (0, 32), (16, 48), (40, 99), (0, 32)],
    ] {
        check("fragments", &packets(&fragments(ranges, 1)));
    }
    let capture = whole(&packets(&fragments(&[(48, 99), (0, 48)], 1)));
    assert_eq!(
        (capture.messages[0].frame, capture.messages[0].time),
        (1, Duration::from_secs(1))
    );
    // Two at a time.
    let mut both = fragments(&[(0, 24), (24, 99)], 1);
    both.extend(fragments(&[(0, 24), (24, 99)], 2));
    both.swap(1, 2);
    assert_eq!(whole(&packets(&both)).messages.len(), 2);
    // The first one wins where two differ.
    let mut changed = fragments(&[(0, 48), (24, 99)], 1);
    changed[1][20..30].fill(b'x');
    check("overlap", &packets(&changed));
}

#[test]
fn what_there_is_of_a_packet_is_given() {
    let capture = whole(&packets(&fragments(&[(0, 24), (24, 48)], 1)));
    assert_eq!(
        (
            &capture.messages[0].bytes[..],
            capture.messages[0].truncated
        ),
        (&MESSAGE[..40], true)
    );
    assert!(
        capture
            .losses
            .iter()
            .any(|loss| loss.what.contains("fragments of a packet"))
    );
    // Without its beginning there is nothing.
    let capture = whole(&packets(&fragments(&[(24, 99)], 1)));
    assert_eq!((capture.messages.len(), capture.losses.len()), (0, 1));
    // After a minute it is given up, and the number may be used again.
    let mut file = PcapFile::new(101);
    let parts = fragments(&[(0, 24), (24, 99)], 1);
    file.frame(1, &parts[0]);
    file.frame(100, &parts[1]);
    file.frame(101, &parts[0]);
    let capture = whole(file.bytes());
    let truncated: Vec<bool> = capture
        .messages
        .iter()
        .map(|message| message.truncated)
        .collect();
    assert_eq!(truncated, [true, false]);
}

#[test]
fn reports_of_agents() {
    let ports = [chunk(7, &[0x13, 0xc4]), chunk(8, &[0x0f, 0xa0])].concat();
    let addresses = [chunk(3, &[10, 0, 0, 1]), chunk(4, &[10, 0, 0, 2])].concat();
    let common = [addresses, ports, chunk(11, &[1]), chunk(0x0c, &[0; 4])].concat();
    let report = |chunks: &[Vec<u8>]| one(101, &wrap(17, &udp(40_007, 9060, &hep(chunks))));
    check("hep", &report(&[common.clone(), chunk(15, MESSAGE)]));
    let capture = whole(&report(&[common.clone(), chunk(15, MESSAGE)]));
    assert_eq!(capture.messages[0].source, address("10.0.0.1:5060"));
    for (number, carrier) in [
        (6, Carrier::Tcp),
        (17, Carrier::Udp),
        (22, Carrier::Tls),
        (50, Carrier::Ws),
        (132, Carrier::Sctp),
    ] {
        let capture = whole(&report(&[
            common.clone(),
            chunk(2, &[number]),
            chunk(15, MESSAGE),
        ]));
        assert_eq!(capture.messages[0].carrier, carrier);
    }
    let mut zlib = flate2::read::ZlibEncoder::new(MESSAGE, flate2::Compression::best());
    let mut packed = Vec::new();
    std::io::Read::read_to_end(&mut zlib, &mut packed).unwrap();
    check("compressed", &report(&[common.clone(), chunk(16, &packed)]));
    // Of somebody's own, unreadable, and what is not SIP.
    let own = [&[0, 9, 0, 15, 0, 7, 1][..]].concat();
    check(
        "vendor",
        &report(&[own, common.clone(), chunk(15, MESSAGE)]),
    );
    let capture = whole(&report(&[common.clone(), chunk(16, b"not packed")]));
    assert_eq!((capture.messages.len(), capture.losses.len()), (0, 1));
    let capture = whole(&report(&[
        common.clone(),
        chunk(11, &[5]),
        chunk(15, b"{}"),
    ]));
    assert_eq!((capture.messages.len(), capture.losses.len()), (0, 0));
    let capture = whole(&report(&[common, chunk(11, &[4]), chunk(15, &[0x80, 0])]));
    assert_eq!(capture.datagrams[0].destination, address("10.0.0.2:4000"));

    // The forerunners.
    let head = |version: u8, len: u8| {
        [
            version, len, 2, 17, 0x13, 0xc4, 0x0f, 0xa0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]
    };
    let old = [&head(1, 16)[..], MESSAGE].concat();
    check("hep 1", &one(101, &wrap(17, &udp(40_007, 9060, &old))));
    for padding in [0, 2] {
        let time = [&[0, 1, 0, 0, 7, 0, 0, 0, 0, 9][..], &vec![0; padding]].concat();
        let old = [&head(2, 28)[..], &time, MESSAGE].concat();
        let file = one(101, &wrap(17, &udp(40_007, 9060, &old)));
        check("hep 2", &file);
        assert_eq!(whole(&file).messages[0].time, Duration::new(256, 7000));
    }
    let v6 = [
        &[1, 40, 10, 6, 0x13, 0xc4, 0x0f, 0xa0][..],
        &[1; 32],
        MESSAGE,
    ]
    .concat();
    check(
        "hep 1 with IPv6",
        &one(101, &wrap(17, &udp(40_007, 9060, &v6))),
    );
}

/// Chunks of SCTP: number, flags, bytes.
fn sctp(chunks: &[(u32, u8, &[u8])]) -> Vec<u8> {
    let mut out = [0x13, 0xc4, 0x0f, 0xa0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0, 4].to_vec();
    for (number, flags, bytes) in chunks {
        out.extend_from_slice(&[0, *flags]);
        out.extend_from_slice(&(16 + bytes.len() as u16).to_be_bytes());
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    wrap(132, &out)
}

#[test]
fn messages_over_sctp() {
    let all = packets(&[
        sctp(&[(u32::MAX, 3, MESSAGE)]),
        // Again.
        sctp(&[(u32::MAX, 3, MESSAGE)]),
        // In parts, and out of order.
        sctp(&[(2, 1, &MESSAGE[30..]), (1, 0, &MESSAGE[9..30])]),
        sctp(&[(0, 2, &MESSAGE[..9]), (3, 3, b"nothing of SIP")]),
    ]);
    let capture = whole(&all);
    let found: Vec<_> = capture
        .messages
        .iter()
        .map(|message| (message.frame, message.carrier))
        .collect();
    assert_eq!(found, [(1, Carrier::Sctp), (3, Carrier::Sctp)]);
    assert!(
        capture
            .messages
            .iter()
            .all(|message| message.bytes == MESSAGE)
    );
}

proptest! {
    #[test]
    fn any_change_to_a_capture_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        len in any::<prop::sample::Index>(),
    ) {
        let mut frames = fragments(&[(0, 24), (24, 99)], 1);
        frames.extend([v4(), sctp(&[(1, 3, MESSAGE)]), wrap(6, &crate::testing::tcp(1, 2, 3, false, MESSAGE)), wrap(4, &v4())]);
        let mut file = packets(&frames);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] ^= byte;
        }
        file.truncate(len.index(file.len()) + 1);
        crate::fuzz::capture_read(&file);
    }

    #[test]
    fn what_was_written_is_read_again(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..9),
        v6: bool,
    ) {
        let [source, destination] = if v6 { ["[::1]:9", "[::2]:10"] } else { ["127.0.0.1:9", "127.0.0.2:10"] }.map(address);
        let mut writer = Writer::new();
        let datagrams: Vec<Datagram> = (1..)
            .zip(payloads)
            // Of what looks like something else there are other tests.
            .map(|(frame, payload)| Datagram {
                frame,
                time: Duration::from_micros(frame * 1_000_001),
                source,
                destination,
                payload: [&[0x80][..], &payload].concat(),
            })
            .collect();
        for datagram in &datagrams {
            writer.datagram(datagram).unwrap();
        }
        prop_assert_eq!(whole(&writer.into_bytes()).datagrams, datagrams);
    }
}
