// SPDX-License-Identifier: AGPL-3.0-only
//! Captures of every kind of link, made here; those of others are in the tests of the crate.

use super::*;
use proptest::prelude::*;

/// An IPv4 packet with a datagram.
fn ipv4(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x45, 0];
    out.extend_from_slice(&(28 + payload.len() as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    udp(port, payload, out)
}

fn ipv6(port: u16, payload: &[u8], options: bool) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0];
    let extra = if options { 8 } else { 0 };
    out.extend_from_slice(&(extra + 8 + payload.len() as u16).to_be_bytes());
    out.extend_from_slice(&[if options { 0 } else { 17 }, 64]);
    out.extend_from_slice(&[7; 32]);
    if options {
        out.extend_from_slice(&[17, 0, 1, 4, 0, 0, 0, 0]);
    }
    udp(port, payload, out)
}

fn udp(port: u16, payload: &[u8], mut out: Vec<u8>) -> Vec<u8> {
    for half in [4000, port, 8 + payload.len() as u16, 0] {
        out.extend_from_slice(&half.to_be_bytes());
    }
    out.extend_from_slice(payload);
    out
}

fn behind(head: &[u8], packet: &[u8]) -> Vec<u8> {
    [head, packet].concat()
}

/// A pcap file: microseconds and frames.
fn pcap(link: u32, frames: &[(u64, Vec<u8>)]) -> Arc<[u8]> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, link] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for (at, frame) in frames {
        let len = frame.len() as u32;
        for word in [(at / 1_000_000) as u32, (at % 1_000_000) as u32, len, len] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(frame);
    }
    out.into()
}

fn parse(file: Arc<[u8]>) -> Result<Replay, ReplayError> {
    Replay::parse(file, Keep::All, None)
}

fn payloads(replay: &Replay) -> Vec<&[u8]> {
    let packets = replay.packets().iter();
    packets.map(|packet| replay.bytes(packet)).collect()
}

#[test]
fn every_kind_of_link_leads_to_the_datagram() {
    let ethernet = [0; 12];
    let sll = [0; 14];
    let frames: Vec<(u32, Vec<u8>)> = vec![
        (
            1,
            behind(&[&ethernet[..], &[8, 0]].concat(), &ipv4(9, b"x")),
        ),
        (
            1,
            behind(
                &[&ethernet[..], &[0x81, 0, 0, 5, 8, 0]].concat(),
                &ipv4(9, b"x"),
            ),
        ),
        (
            1,
            behind(
                &[
                    &ethernet[..],
                    &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd],
                ]
                .concat(),
                &ipv6(9, b"x", true),
            ),
        ),
        (113, behind(&[&sll[..], &[8, 0]].concat(), &ipv4(9, b"x"))),
        (
            276,
            behind(
                &[&[0x86, 0xdd][..], &[0; 18]].concat(),
                &ipv6(9, b"x", false),
            ),
        ),
        (101, ipv4(9, b"x")),
        (12, ipv6(9, b"x", false)),
        (228, ipv4(9, b"x")),
        (229, ipv6(9, b"x", true)),
        (0, behind(&[2, 0, 0, 0], &ipv4(9, b"x"))),
        (108, behind(&[0, 0, 0, 30], &ipv6(9, b"x", false))),
        (
            127,
            behind(
                &[
                    &[0, 0, 8, 0, 0, 0, 0, 0, 0x88, 0][..],
                    &[0; 24],
                    &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
                ]
                .concat(),
                &ipv4(9, b"x"),
            ),
        ),
        (
            105,
            behind(
                &[&[0x08, 1][..], &[0; 22], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(),
                &ipv4(9, b"x"),
            ),
        ),
    ];
    for (link, frame) in frames {
        let replay =
            parse(pcap(link, &[(5, frame)])).unwrap_or_else(|error| panic!("{link}: {error}"));
        assert_eq!(payloads(&replay), [b"x"], "{link}");
    }
    assert_eq!(parse(pcap(147, &[])), Err(ReplayError::Link(147)));
    // Unless one is told what it is.
    let told = Replay::parse(
        pcap(147, &[(0, ipv4(9, b"x"))]),
        Keep::All,
        LinkType::of_name("raw"),
    );
    assert_eq!(payloads(&told.unwrap()), [b"x"]);
    assert_eq!(LinkType::of_name("276"), Some(LinkType::LinuxSll2));
    assert_eq!(LinkType::of_name("token_ring"), None);
}

#[test]
fn the_timing_is_kept_and_ports_keep_their_distance() {
    let second = 1_700_000_000_000_000;
    let frames = [
        (second, ipv4(6002, b"one")),
        (second + 20_001, ipv4(6000, b"two")),
        // Time runs backwards.
        (second + 10, ipv4(6003, b"three")),
        (second + 1_500_000, ipv4(6000, b"")),
    ];
    let replay = parse(pcap(101, &frames)).unwrap();
    let found: Vec<_> = replay
        .packets()
        .iter()
        .map(|p| (p.at.0, p.port_offset))
        .collect();
    assert_eq!(found, [(0, 2), (20_001, 0), (20_001, 3), (1_500_000, 0)]);
    assert_eq!(payloads(&replay), [&b"one"[..], b"two", b"three", b""]);
    assert_eq!(replay.duration(), Micros(1_500_000));
}

#[test]
fn what_is_no_datagram_is_skipped_and_counted() {
    let mut fragment = ipv4(9, b"x");
    fragment[6] = 0x20;
    let mut tcp = ipv4(9, b"x");
    tcp[9] = 6;
    let mut short = ipv4(9, b"x");
    short.pop();
    let mut padded = ipv4(9, b"whole");
    padded.extend_from_slice(&[0; 7]);
    let frames = [fragment, tcp, short, padded, vec![0x20], vec![]].map(|frame| (0, frame));
    let replay = parse(pcap(101, &frames)).unwrap();
    assert_eq!(payloads(&replay), [b"whole"]);
    let expected = Skipped {
        other: 2,
        fragments: 1,
        truncated: 2,
        damaged: 0,
    };
    assert_eq!(replay.skipped(), expected);
    let only_tcp = parse(pcap(101, &frames[1..2]));
    assert!(matches!(
        only_tcp,
        Err(ReplayError::Empty(Skipped { other: 1, .. }))
    ));
}

#[test]
fn only_rtp_is_kept_where_that_is_asked_for() {
    let mut rtp = vec![0x80, 8];
    rtp.extend_from_slice(&[0; 20]);
    let frames = [
        (0, ipv4(5060, b"OPTIONS sip:x SIP/2.0\r\n")),
        (7, ipv4(6000, &rtp)),
    ];
    let replay = Replay::parse(pcap(101, &frames), Keep::Rtp, None).unwrap();
    assert_eq!(payloads(&replay), [&rtp[..]]);
    // It is the first one then, and its port the lowest.
    let first = replay.packets()[0];
    assert_eq!((first.at, first.port_offset), (Micros(0), 0));
    assert_eq!(parse(pcap(101, &frames)).unwrap().packets().len(), 2);
}

#[test]
fn other_byte_orders_and_nanoseconds_are_read() {
    let frame = ipv4(9, b"x");
    let len = frame.len() as u32;
    let mut big = Vec::new();
    for word in [0xa1b2_3c4du32, 0x0002_0004, 0, 0, 65_535, 101] {
        big.extend_from_slice(&word.to_be_bytes());
    }
    for nanoseconds in [5_000u32, 1_005_000] {
        for word in [1, nanoseconds, len, len] {
            big.extend_from_slice(&word.to_be_bytes());
        }
        big.extend_from_slice(&frame);
    }
    assert_eq!(parse(big.into()).unwrap().packets()[1].at, Micros(1000));
}

/// A block of pcapng.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = 12 + padded as u32;
    let mut out = Vec::new();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(body);
    out.resize(out.len() + padded - body.len(), 0);
    out.extend_from_slice(&len.to_le_bytes());
    out
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn pcapng(resolution: u8, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut out = block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    // Link type, length of a packet, and one option: the resolution.
    let mut interface = words(&[101, 65_535]);
    interface.extend_from_slice(&[9, 0, 1, 0, resolution, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&block(1, &interface));
    for (at, frame) in packets {
        let len = frame.len() as u32;
        let mut body = words(&[0, (at >> 32) as u32, *at as u32, len, len]);
        body.extend_from_slice(frame);
        out.extend_from_slice(&block(6, &body));
    }
    out
}

#[test]
fn pcapng_is_read_with_its_resolution() {
    for (resolution, ticks) in [(6, 20_000), (9, 20_000_000), (3, 20), (0x80 | 10, 21)] {
        let file = pcapng(resolution, &[(0, ipv4(8, b"a")), (ticks, ipv4(8, b"bcd"))]);
        let replay = parse(file.into()).unwrap();
        assert_eq!(payloads(&replay), [&b"a"[..], b"bcd"]);
        let at = replay.packets()[1].at.0;
        // 21 of 1024 is a little more.
        assert!((20_000..20_600).contains(&at), "{resolution}: {at}");
    }
    // Big-endian, with a block of names and one of a kind of somebody's own in between.
    let big = |kind: u32, body: &[u8]| {
        let len = (12 + body.len() as u32).to_be_bytes();
        [&kind.to_be_bytes(), &len[..], body, &len[..]].concat()
    };
    let word = |word: u32| word.to_be_bytes();
    let frame = ipv4(8, b"bigs");
    let len = word(frame.len() as u32);
    let section = [word(0x1a2b_3c4d), word(0x0001_0000), [0xff; 4], [0xff; 4]].concat();
    let packet = [&[word(0), word(0), word(7), len, len].concat()[..], &frame].concat();
    let file = [
        big(0x0a0d_0d0a, &section),
        big(1, &[word(101 << 16), word(0)].concat()),
        big(4, &[0; 8]),
        big(0x8000_0001, b"any."),
        big(6, &packet),
    ]
    .concat();
    assert_eq!(payloads(&parse(file.into()).unwrap()), [b"bigs"]);
    // A simple packet has neither interface nor time.
    let mut file = pcapng(6, &[(500, ipv4(8, b"a"))]);
    let frame = ipv4(8, b"simple");
    let mut body = words(&[frame.len() as u32]);
    body.extend_from_slice(&frame);
    file.extend_from_slice(&block(3, &body));
    let replay = parse(file.into()).unwrap();
    assert_eq!(payloads(&replay), [&b"a"[..], b"simple"]);
    assert_eq!(replay.packets()[1].at, Micros(0));
}

#[test]
fn broken_captures_give_what_is_whole_or_are_refused_with_the_reason() {
    let file = |bytes: &[u8]| parse(bytes.into());
    assert_eq!(file(b""), Err(ReplayError::NotCapture));
    assert_eq!(file(b"RIFF"), Err(ReplayError::NotCapture));
    let good = pcap(101, &[(0, ipv4(9, b"x")), (1, ipv4(9, b"y"))]);
    let broken_off = file(&good[..good.len() - 1]).unwrap();
    assert_eq!(payloads(&broken_off), [b"x"]);
    let skipped = broken_off.skipped();
    assert_eq!((skipped.truncated, skipped.damaged), (1, 1));
    assert_eq!(
        skipped.to_string(),
        "0 fragments, 1 cut off, the file damaged at 1 place"
    );
    let none = Skipped::default();
    assert_eq!(file(&good[..24]), Err(ReplayError::Empty(none)));
    assert_eq!(file(&good[..23]), Err(ReplayError::NotCapture));
    let good = pcapng(6, &[(0, ipv4(9, b"x"))]);
    // Of a block without its end the packet is whole.
    let broken_off = file(&good[..good.len() - 1]).unwrap();
    assert_eq!(payloads(&broken_off), [b"x"]);
    let damaged = Skipped { damaged: 1, ..none };
    assert_eq!(broken_off.skipped(), damaged);
    // A packet of an interface that nobody described.
    let mut orphan = good[..28].to_vec();
    orphan.extend_from_slice(&block(6, &words(&[0, 0, 0, 0, 0])));
    assert_eq!(file(&orphan), Err(ReplayError::Empty(damaged)));
}

#[test]
fn packets_made_here_make_a_plan() {
    let replay = Replay::of_packets([(Micros(0), &b"one"[..]), (Micros(20), b"two")]);
    assert_eq!(payloads(&replay), [b"one", b"two"]);
    assert_eq!(replay.duration(), Micros(20));
}

proptest! {
    #[test]
    fn any_change_to_a_capture_is_survived(
        ng: bool, at in any::<prop::sample::Index>(), byte: u8, len in any::<prop::sample::Index>(),
    ) {
        let frames = [(0, ipv4(9, b"x")), (20_000, ipv6(10, b"yz", true)), (40_000, ipv4(9, &[0x80; 40]))];
        let mut file = if ng { pcapng(6, &frames) } else { pcap(101, &frames).to_vec() };
        let at = at.index(file.len());
        file[at] ^= byte;
        file.truncate(len.index(file.len()) + 1);
        crate::fuzz::pcap_replay(&file);
    }
}
