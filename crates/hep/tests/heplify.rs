// SPDX-License-Identifier: AGPL-3.0-only
//! What heplify-server expects of a packet and of reports, as its documentation has it: chunks by number and width, a
//! total length that is exact, packets one after the other on a connection, and the keys that its metrics are made of.

use gossipper_hep::chunk::Chunks;
use gossipper_hep::report::{
    CodecOf, Direction, Occasion, Path, ReportBlock, Rtcp, Rtp, Score, SenderInformation, Ssrc,
    to_json,
};
use gossipper_hep::{IpProtocol, Packet, PayloadType, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// When a chunk is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Always,
    OnIpv4,
    OnIpv6,
    IfSaid,
}

/// Number, what it is, bytes (`None` is any number), and when it is there.
const CHUNKS: [(u16, &str, Option<usize>, There); 16] = [
    (0x01, "IP protocol family", Some(1), There::Always),
    (0x02, "IP protocol", Some(1), There::Always),
    (0x03, "IPv4 source", Some(4), There::OnIpv4),
    (0x04, "IPv4 destination", Some(4), There::OnIpv4),
    (0x05, "IPv6 source", Some(16), There::OnIpv6),
    (0x06, "IPv6 destination", Some(16), There::OnIpv6),
    (0x07, "source port", Some(2), There::Always),
    (0x08, "destination port", Some(2), There::Always),
    (0x09, "seconds", Some(4), There::Always),
    (0x0a, "microseconds", Some(4), There::Always),
    (0x0b, "protocol type", Some(1), There::Always),
    (0x0c, "capture node", Some(4), There::Always),
    (0x0e, "authentication key", None, There::IfSaid),
    (0x0f, "payload", None, There::Always),
    (0x11, "correlation", None, There::IfSaid),
    (0x12, "VLAN", Some(2), There::IfSaid),
];

const SIP: &[u8] = b"OPTIONS sip:192.0.2.2 SIP/2.0\r\nCall-ID: 1@192.0.2.1\r\n\r\n";

fn packet(ends: [&str; 2], protocol: IpProtocol, said: bool) -> Packet<'static> {
    let [source, destination] = ends.map(|end| end.parse::<SocketAddr>().expect("an address"));
    Packet {
        capture_id: 2001,
        auth_key: said.then_some(b"secret"),
        correlation_id: said.then_some(b"1@192.0.2.1"),
        ..Packet::new(
            protocol,
            source,
            destination,
            Timestamp::from_micros(1_769_854_272_500_001),
            PayloadType::SIP,
            SIP,
        )
    }
}

#[test]
fn packets_have_every_chunk_in_the_width_that_is_expected() {
    for (ends, six) in [
        (["192.0.2.1:5060", "192.0.2.2:5061"], false),
        (["[2001:db8::1]:5060", "[2001:db8::2]:5061"], true),
    ] {
        for protocol in [IpProtocol::UDP, IpProtocol::TCP] {
            for said in [false, true] {
                let mut bytes = Vec::new();
                let packet = packet(ends, protocol, said);
                packet.encode(&mut bytes).expect("it fits");
                assert_eq!(&bytes[..4], b"HEP3");
                let stated = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
                assert_eq!(stated, bytes.len(), "refused unless it is exact");
                let mut found = BTreeMap::new();
                for chunk in Chunks::new(&bytes[6..]) {
                    let chunk = chunk.expect("whole");
                    assert_eq!(chunk.vendor, 0);
                    let twice = found.insert(chunk.kind, chunk.data.to_vec());
                    assert_eq!(twice, None, "{:#x} twice", chunk.kind);
                }
                for (kind, what, width, there) in CHUNKS {
                    let wanted = match there {
                        There::Always => true,
                        There::OnIpv4 => !six,
                        There::OnIpv6 => six,
                        // Nobody knows the VLAN of a socket.
                        There::IfSaid => said && kind != 0x12,
                    };
                    let data = found.remove(&kind);
                    assert_eq!(data.is_some(), wanted, "{kind:#x}, {what}");
                    if let (Some(data), Some(width)) = (data, width) {
                        assert_eq!(data.len(), width, "{kind:#x}, {what}");
                    }
                }
                assert!(found.is_empty(), "unknown: {found:?}");
            }
        }
    }
}

#[test]
fn values_of_chunks_are_those_that_tell_what_it_is() {
    let mut bytes = Vec::new();
    let six = packet(["[::1]:5060", "[::1]:5061"], IpProtocol::TCP, true);
    six.encode(&mut bytes).expect("it fits");
    let found: BTreeMap<u16, Vec<u8>> = Chunks::new(&bytes[6..])
        .map(|chunk| chunk.expect("whole"))
        .map(|chunk| (chunk.kind, chunk.data.to_vec()))
        .collect();
    // IPv6 is 0x0a there, UDP 0x11 and TCP 0x06, SIP 1; keys are plain text.
    assert_eq!((&found[&0x01], &found[&0x02]), (&vec![0x0a], &vec![0x06]));
    assert_eq!(
        (&found[&0x0b], &found[&0x0e]),
        (&vec![1], &b"secret".to_vec())
    );
    assert_eq!(found[&0x0c], 2001_u32.to_be_bytes());
    assert_eq!(found[&0x0a], 500_001_u32.to_be_bytes());
    for (kind, number) in [
        (PayloadType::RTCP, 5),
        (PayloadType::RTP_QUALITY, 34),
        (PayloadType::LOG, 100),
    ] {
        assert_eq!(kind.0, number);
    }
}

#[test]
fn packets_follow_each_other_on_a_connection_and_their_lengths_part_them() {
    let mut stream = Vec::new();
    for said in [true, false, true] {
        let packet = packet(["192.0.2.1:1", "192.0.2.2:2"], IpProtocol::TCP, said);
        packet.encode(&mut stream).expect("it fits");
    }
    let (mut rest, mut count) = (&stream[..], 0);
    while !rest.is_empty() {
        // Six bytes are looked at, then as many as they say are taken.
        assert_eq!(&rest[..4], b"HEP3");
        let len = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
        rest = &rest[len..];
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn reports_have_the_keys_that_metrics_are_made_of() {
    let json = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).expect("JSON");
    let rtcp = json(to_json(&Rtcp {
        sender_information: Some(SenderInformation {
            packets: 1,
            ntp_timestamp_sec: 1,
            ntp_timestamp_usec: 1,
            rtp_timestamp: 1,
            octets: 1,
        }),
        ssrc: 1,
        kind: 200,
        report_count: 1,
        report_blocks: vec![ReportBlock {
            source_ssrc: 1,
            fraction_lost: 2,
            packets_lost: 3,
            highest_seq_no: 4,
            lsr: 5,
            ia_jitter: 6,
            dlsr: 7,
        }],
    }));
    for (key, value) in [
        ("fraction_lost", 2),
        ("packets_lost", 3),
        ("ia_jitter", 6),
        ("dlsr", 7),
    ] {
        assert_eq!(rtcp["report_blocks"][0][key], value, "{key}");
    }
    let end = |port| SocketAddr::from(([192, 0, 2, 1], port));
    let rtp = json(to_json(&Rtp {
        path: Path::new("1@192.0.2.1", Direction::Received, end(4000), end(5000)),
        report_ts: 1,
        report_start: 1,
        report_end: 1,
        total_pk: 1,
        expected_pk: 1,
        packet_loss: 3,
        tl_byte: 1,
        seq: 1,
        delta: 20.0,
        max_delta: 21.0,
        jitter: 1.5,
        mean_jitter: 1.0,
        max_jitter: 2.0,
        skew: -0.5,
        max_skew: 1.0,
        score: Some(Score {
            mos: 4.25,
            min_mos: 4.0,
            mean_mos: 4.0,
            max_mos: 4.0,
            rfactor: 90.5,
            min_rfactor: 90.0,
            mean_rfactor: 90.0,
        }),
        out_order: 0,
        ssrc: Ssrc(1),
        ssrc_chg: 0,
        codec: CodecOf {
            codec_pt: 0,
            clock: 8000,
            codec_name: "PCMU",
        },
        codec_channel: 1,
        one_way_rtp: 0,
        stype: "GOSSIPPER",
        occasion: Occasion::Periodic,
    }));
    for (key, value) in [
        ("DELTA", 20.0),
        ("JITTER", 1.5),
        ("MOS", 4.25),
        ("PACKET_LOSS", 3.0),
        ("RFACTOR", 90.5),
        ("SKEW", -0.5),
    ] {
        assert_eq!(rtp[key].as_f64(), Some(value), "{key}");
    }
}
