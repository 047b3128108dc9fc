// SPDX-License-Identifier: AGPL-3.0-only
//! Files made here, whole and damaged; those of others are in the tests of the crate.

use super::*;
use crate::testing::{PcapFile, block, ng, words};

fn all(file: &[u8]) -> Vec<Result<Frame<'_>, Fault>> {
    Frames::of(file).expect("a capture").collect()
}

/// Time and data of what was found.
fn found(file: &[u8]) -> Vec<(u128, &[u8])> {
    let frames = all(file).into_iter().filter_map(Result::ok);
    frames
        .map(|frame| (frame.time.map_or(0, |time| time.as_nanos()), frame.data))
        .collect()
}

fn faults(file: &[u8]) -> Vec<Fault> {
    all(file).into_iter().filter_map(Result::err).collect()
}

#[test]
fn pcap_is_read_in_both_orders_and_with_both_units() {
    for big_endian in [false, true] {
        for (magic, header, unit) in [
            (0xa1b2_c3d4_u32, 16, 1000),
            (0xa1b2_3c4d, 16, 1),
            (0xa1b2_cd34, 24, 1000),
        ] {
            let word = |word: u32| {
                if big_endian {
                    word.to_be_bytes()
                } else {
                    word.to_le_bytes()
                }
            };
            let mut file = [magic, 0, 0, 0, 65_535, 0xf000_0071].map(word).concat();
            for (second, data) in [(7, &b"one"[..]), (8, b"second")] {
                let len = data.len() as u32;
                file.extend_from_slice(&[second, 21, len, 99].map(word).concat());
                file.resize(file.len() + header - 16, 0xee);
                file.extend_from_slice(data);
            }
            let frames = all(&file);
            assert_eq!(Frames::of(&file).unwrap().link(), Some(0x71));
            assert_eq!(
                found(&file),
                [
                    (7_000_000_000 + 21 * unit, &b"one"[..]),
                    (8_000_000_000 + 21 * unit, b"second")
                ]
            );
            assert_eq!(frames[0].unwrap().len, 99);
        }
    }
    assert!(Frames::of(&[0xd4, 0xc3, 0xb2, 0xa1]).is_none());
    assert!(Frames::of(b"GMBU and whatever follows it in here").is_none());
}

#[test]
fn a_pcap_that_ends_within_a_frame_gives_what_there_is_of_it() {
    let mut file = PcapFile::new(1);
    file.frame(1, b"whole");
    file.frame(2, b"cut off");
    let bytes = file.bytes();
    let cut = &bytes[..bytes.len() - 4];
    let frames = all(cut);
    assert_eq!(frames[1], Err(Fault::Ends));
    assert_eq!(frames[2].unwrap().data, b"cut");
    assert_eq!(frames[2].unwrap().len, 7);
    assert_eq!(frames.len(), 3);
    // Within the numbers in front of a frame nothing is left of it.
    assert_eq!(all(&bytes[..bytes.len() - 10]).len(), 2);
}

#[test]
fn a_pcap_with_damage_within_is_read_behind_it() {
    let mut file = PcapFile::new(1);
    file.frame(1000, &[1; 40]);
    let start = file.bytes().len();
    file.frame(1001, &[2; 50]);
    file.frame(1002, &[3; 60]);
    file.frame(1003, &[4; 70]);
    let mut bytes = file.bytes().to_vec();
    bytes[start..start + 16].fill(0xff);
    let data: Vec<&[u8]> = found(&bytes).into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, [&[1; 40][..], &[3; 60], &[4; 70]]);
    assert_eq!(faults(&bytes), [Fault::Damaged(66)]);
    // Up to the end if need be.
    bytes.truncate(start + 30);
    assert_eq!(faults(&bytes), [Fault::Damaged(30)]);
}

#[test]
fn pcapng_has_interfaces_with_units_and_offsets_of_their_own() {
    let option = |code: u16, value: &[u8]| {
        let mut out = [code.to_le_bytes(), (value.len() as u16).to_le_bytes()].concat();
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    };
    let interface = |link: u32, options: &[Vec<u8>]| {
        block(1, &[words(&[link, 65_535]), options.concat()].concat())
    };
    let packet = |interface: u32, ticks: u64, data: &[u8]| {
        let len = data.len() as u32;
        block(
            6,
            &[
                words(&[interface, (ticks >> 32) as u32, ticks as u32, len, len]),
                data.to_vec(),
            ]
            .concat(),
        )
    };
    let mut file = ng();
    file.extend_from_slice(&interface(1, &[]));
    file.extend_from_slice(&interface(
        101,
        &[option(2, b"lo"), option(9, &[9]), option(0, &[])],
    ));
    file.extend_from_slice(&interface(
        113,
        &[option(9, &[0x80 | 10]), option(14, &(-2_i64).to_le_bytes())],
    ));
    // A comment, names and somebody's own.
    file.extend_from_slice(&block(4, b"xxxx"));
    file.extend_from_slice(&packet(0, 5_000_001, b"micro"));
    file.extend_from_slice(&packet(1, 6_000_000_002, b"nano"));
    file.extend_from_slice(&packet(2, 9 * 1024 + 512, b"binary"));
    file.extend_from_slice(&block(0x8000_0bad, b"yyyyyyyy"));
    file.extend_from_slice(&block(3, &[words(&[6]), b"simple".to_vec()].concat()));
    // Obsolete: interface and drops in one word.
    file.extend_from_slice(&block(
        2,
        &[words(&[0xffff_0001, 0, 3_000_000, 3, 3]), b"old".to_vec()].concat(),
    ));
    file.extend_from_slice(&packet(3, 1, b"of nobody"));
    // A new section has interfaces of its own.
    file.extend_from_slice(&ng());
    file.extend_from_slice(&packet(0, 1, b"of nobody"));
    file.extend_from_slice(&interface(276, &[]));
    file.extend_from_slice(&packet(0, 1_000_000, b"last"));
    assert_eq!(faults(&file), [Fault::Orphan, Fault::Orphan]);
    let expected: [(u128, &[u8]); 6] = [
        (5_000_001_000, b"micro"),
        (6_000_000_002, b"nano"),
        (7_500_000_000, b"binary"),
        (0, b"simple"),
        (3_000_000, b"old"),
        (1_000_000_000, b"last"),
    ];
    assert_eq!(found(&file), expected);
    let links: Vec<i32> = all(&file)
        .into_iter()
        .filter_map(|frame| Some(frame.ok()?.link))
        .collect();
    assert_eq!(links, [1, 101, 113, 1, 101, 276]);
}

#[test]
fn damaged_blocks_of_pcapng_are_passed() {
    let packet = |data: &[u8]| {
        let len = data.len() as u32;
        block(6, &[words(&[0, 0, 1, len, len]), data.to_vec()].concat())
    };
    let head = [ng(), block(1, &words(&[1, 65_535]))].concat();
    for (at, value) in [(4, 2_000_000_000_u32), (4, 8), (4, 32), (32, 1)] {
        let mut broken = packet(b"lost");
        broken[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let file = [
            head.clone(),
            packet(b"one."),
            broken,
            packet(b"two."),
            packet(b"three"),
        ]
        .concat();
        let data: Vec<&[u8]> = found(&file).into_iter().map(|(_, data)| data).collect();
        assert_eq!(data, [&b"one."[..], b"two.", b"three"], "{at} {value}");
        assert_eq!(faults(&file), [Fault::Damaged(36)], "{at} {value}");
    }
    // The last one is not whole.
    let mut file = [head, packet(b"a long one at the end")].concat();
    file.truncate(file.len() - 17);
    assert_eq!(faults(&file), [Fault::Ends]);
    assert_eq!(found(&file)[0].1, b"a long one ");
}
