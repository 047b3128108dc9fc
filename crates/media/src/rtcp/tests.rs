// SPDX-License-Identifier: AGPL-3.0-only
//! Compound packets against the other implementation, and against hostile ones.

use super::*;
use proptest::prelude::*;
use webrtc_util::marshal::Unmarshal;

fn block(seed: u32) -> ReportBlock {
    ReportBlock {
        ssrc: seed,
        fraction_lost: seed as u8,
        cumulative_lost: (seed.cast_signed() << 8) >> 8,
        highest_sequence: seed.rotate_left(7),
        jitter: seed >> 3,
        last_report: seed.rotate_left(13),
        delay: seed >> 5,
    }
}

fn compound(blocks: &[ReportBlock]) -> Vec<u8> {
    let info = SenderInfo {
        ntp: NtpTime(0xe000_0001_8000_0000),
        rtp_timestamp: 4000,
        packets: 25,
        octets: 4000,
    };
    let mut out = Vec::new();
    append_sender_report(7, &info, blocks, &mut out);
    append_name(7, b"gossipper@192.0.2.1", &mut out);
    append_goodbye(7, &mut out);
    out
}

#[test]
fn what_we_write_is_what_we_read() {
    let blocks = [block(0x8000_0001), block(77)];
    let bytes = compound(&blocks);
    let read: Vec<_> = Compound::parse(&bytes).unwrap().packets().collect();
    let [
        RtcpPacket::SenderReport {
            ssrc,
            info,
            blocks: read_blocks,
        },
        RtcpPacket::SourceDescription(body),
        RtcpPacket::Goodbye(sources),
    ] = read[..]
    else {
        panic!("{read:?}");
    };
    assert_eq!((ssrc, info.packets, info.octets), (7, 25, 4000));
    assert_eq!(read_blocks.collect::<Vec<_>>(), blocks);
    assert_eq!(canonical_name(body), Some(&b"gossipper@192.0.2.1"[..]));
    assert_eq!(sources, 7u32.to_be_bytes());
}

#[test]
fn wrong_parts_are_refused_with_the_reason() {
    let bytes = compound(&[block(1)]);
    assert!(Compound::parse(&bytes).is_ok());
    // Whatever is cut off: some part is too short, except where whole parts are cut.
    let whole: Vec<usize> = (0..bytes.len())
        .filter(|len| Compound::parse(&bytes[..*len]).is_ok())
        .collect();
    assert_eq!(whole, [52, 52 + 32]);
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        Compound::parse(&bytes)
            .map(|_| ())
            .expect_err("a wrong byte")
    };
    assert_eq!(Compound::parse(&[]), Err(RtcpError::Short));
    assert_eq!(with(0, 0x41), RtcpError::Version);
    assert_eq!(with(0, 0x82), RtcpError::Count);
    assert_eq!(with(1, 100), RtcpError::Kind);
    assert_eq!(with(3, 0), RtcpError::Count);
    assert_eq!(with(2, 0xff), RtcpError::Short);
    // The report says it is padded, and is not the last part.
    let mut padded = bytes.clone();
    padded[0] |= 0x20;
    padded[51] = 4;
    assert_eq!(Compound::parse(&padded), Err(RtcpError::Padding));
    // More sources leave than are named.
    assert_eq!(with(bytes.len() - 8, 0x9f), RtcpError::Count);
}

#[test]
fn padding_of_the_last_part_is_taken_off() {
    let mut bytes = Vec::new();
    append_receiver_report(9, &[], &mut bytes);
    bytes[0] |= 0x20;
    bytes[3] += 1;
    bytes.extend_from_slice(&[0, 0, 0, 4]);
    let parts: Vec<_> = Compound::parse(&bytes).unwrap().packets().collect();
    assert!(matches!(
        parts[..],
        [RtcpPacket::ReceiverReport { ssrc: 9, .. }]
    ));
    for padding in [0, 9, 255] {
        *bytes.last_mut().unwrap() = padding;
        assert_eq!(
            Compound::parse(&bytes),
            Err(RtcpError::Padding),
            "{padding}"
        );
    }
}

#[test]
fn the_round_trip_is_what_passed_without_the_delay_at_the_peer() {
    // The example of RFC 3550 §6.4.1: 0xb710:8000 - 0xb705:2000 - 0x0005:4000 = 0x0006:2000, 6.125 s.
    let block = ReportBlock {
        last_report: 0xb705_2000,
        delay: 0x0005_4000,
        ..ReportBlock::default()
    };
    let now = NtpTime(0x0000_b710_8000_0000);
    assert_eq!(block.round_trip_us(now), Some(6_125_000));
    let early = NtpTime(0x0000_b705_3000_0000);
    assert_eq!(block.round_trip_us(early), None);
    assert_eq!(ReportBlock::default().round_trip_us(now), None);
}

#[test]
fn wall_clock_becomes_ntp() {
    assert_eq!(NtpTime::from_unix_us(0).0, NTP_UNIX_SECONDS << 32);
    let half = NtpTime::from_unix_us(1_500_000);
    assert_eq!(half.0, (NTP_UNIX_SECONDS + 1) << 32 | 0x8000_0000);
}

proptest! {
    #[test]
    fn reports_we_write_are_read_by_the_other_implementation(
        seeds in proptest::collection::vec(any::<u32>(), 0..33),
        ssrc: u32, ntp: u64, rtp_timestamp: u32, packets: u32, octets: u32,
    ) {
        let blocks: Vec<_> = seeds.iter().map(|seed| block(*seed)).collect();
        let info = SenderInfo { ntp: NtpTime(ntp), rtp_timestamp, packets, octets };
        let mut out = Vec::new();
        append_sender_report(ssrc, &info, &blocks, &mut out);
        let read = rtcp::sender_report::SenderReport::unmarshal(&mut &out[..]).unwrap();
        prop_assert_eq!(read.ssrc, ssrc);
        prop_assert_eq!((read.ntp_time, read.rtp_time), (ntp, rtp_timestamp));
        prop_assert_eq!((read.packet_count, read.octet_count), (packets, octets));
        prop_assert_eq!(read.reports.len(), blocks.len().min(MAX_BLOCKS));
        for (theirs, ours) in read.reports.iter().zip(&blocks) {
            prop_assert_eq!(theirs.ssrc, ours.ssrc);
            prop_assert_eq!(theirs.fraction_lost, ours.fraction_lost);
            prop_assert_eq!(theirs.total_lost, ours.cumulative_lost.cast_unsigned() & 0xff_ffff);
            prop_assert_eq!(theirs.last_sequence_number, ours.highest_sequence);
            prop_assert_eq!((theirs.jitter, theirs.last_sender_report), (ours.jitter, ours.last_report));
            prop_assert_eq!(theirs.delay, ours.delay);
        }
        let parts: Vec<_> = Compound::parse(&out).unwrap().packets().collect();
        let [RtcpPacket::SenderReport { blocks: again, .. }] = parts[..] else { panic!("{parts:?}") };
        prop_assert_eq!(again.collect::<Vec<_>>(), &blocks[..blocks.len().min(MAX_BLOCKS)]);
    }

    #[test]
    fn names_we_write_are_read_by_the_other_implementation(name in "[a-z@.0-9]{0,300}", ssrc: u32) {
        let mut out = Vec::new();
        append_name(ssrc, name.as_bytes(), &mut out);
        let read = rtcp::source_description::SourceDescription::unmarshal(&mut &out[..]).unwrap();
        prop_assert_eq!(read.chunks.len(), 1);
        prop_assert_eq!(read.chunks[0].source, ssrc);
        let kept = &name.as_bytes()[..name.len().min(255)];
        prop_assert_eq!(&read.chunks[0].items[0].text[..], kept);
        prop_assert_eq!(canonical_name(&out[4..]), Some(kept));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(compound) = Compound::parse(&bytes) {
            prop_assert!(compound.packets().count() <= bytes.len() / 4);
        }
    }
}
