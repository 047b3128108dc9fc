// SPDX-License-Identifier: AGPL-3.0-only
//! Packets written and read again, packets of another implementation, and what is refused.

use gossipper_hep::chunk::kind;
use gossipper_hep::{
    Chunk, DecodeError, EncodeError, Extra, IpProtocol, Packet, PayloadType, Timestamp, decode,
    packet_len,
};
use proptest::prelude::*;
use std::net::SocketAddr;

/// What hep-js 1.0.22 makes of the message below; chunk 0x0013 is its name for the capturing node.
const OF_HEP_JS: &str = "4845503300cb000000010007020000000200071100000003000ac000020100000004000ac00002020000\
    0007000813c400000008000813c500000009000a697dd5400000000a000a0007a1210000000b0007010000000c000a000007d1000000\
    13000a323030310000000e000c736563726574000000110016312d34373131403139322e302e322e310000000f00424f5054494f4e53\
    207369703a3139322e302e322e32205349502f322e300d0a43616c6c2d49443a20312d34373131403139322e302e322e310d0a0d0a";

const MESSAGE: &[u8] = b"OPTIONS sip:192.0.2.2 SIP/2.0\r\nCall-ID: 1-4711@192.0.2.1\r\n\r\n";

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let value = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
    digits
        .chunks(2)
        .map(|pair| value(pair[0]) << 4 | value(pair[1]))
        .collect()
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn options() -> Packet<'static> {
    Packet {
        capture_id: 2001,
        auth_key: Some(b"secret"),
        correlation_id: Some(b"1-4711@192.0.2.1"),
        extras: vec![Extra::NodeName(b"2001")],
        ..Packet::new(
            IpProtocol::UDP,
            addr("192.0.2.1:5060"),
            addr("192.0.2.2:5061"),
            Timestamp::from_micros(1_769_854_272_500_001),
            PayloadType::SIP,
            MESSAGE,
        )
    }
}

fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes).expect("it fits");
    bytes
}

#[test]
fn a_packet_of_another_implementation_is_read() {
    assert_eq!(decode(&bytes_of(OF_HEP_JS)), Ok(options()));
}

#[test]
fn our_packet_has_the_chunks_of_another_implementation() {
    let chunks = |bytes: &[u8]| {
        let chunks = gossipper_hep::chunk::Chunks::new(&bytes[6..]);
        let mut chunks: Vec<(u16, u16, Vec<u8>)> = chunks
            .map(|chunk| chunk.expect("whole"))
            .map(|chunk| (chunk.vendor, chunk.kind, chunk.data.to_vec()))
            .collect();
        chunks.sort();
        chunks
    };
    let (ours, theirs) = (encoded(&options()), bytes_of(OF_HEP_JS));
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(chunks(&ours), chunks(&theirs));
}

#[test]
fn the_payload_comes_last_and_its_type_before_it() {
    let bytes = encoded(&options());
    assert!(bytes.ends_with(MESSAGE));
    let kinds: Vec<u16> = gossipper_hep::chunk::Chunks::new(&bytes[6..])
        .map(|chunk| chunk.expect("whole").kind)
        .collect();
    assert_eq!(
        kinds,
        [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 0x0e, 0x11, 0x13, 0x0f]
    );
}

#[test]
fn an_address_of_each_family_is_written_as_two_of_the_wider() {
    let packet = Packet {
        destination: addr("[2001:db8::1]:5060"),
        ..options()
    };
    let bytes = encoded(&packet);
    let read = decode(&bytes).expect("a packet");
    assert_eq!(read.source, addr("[::ffff:192.0.2.1]:5060"));
    assert_eq!(read.destination, addr("[2001:db8::1]:5060"));
}

#[test]
fn times_go_from_microseconds_and_back() {
    let at = Timestamp::from_micros(1_769_854_272_000_007);
    assert_eq!((at.seconds, at.micros), (1_769_854_272, 7));
    assert_eq!(at.as_micros(), 1_769_854_272_000_007);
    assert_eq!(Timestamp::from_micros(u64::MAX).seconds, u32::MAX);
}

#[test]
fn a_packet_as_long_as_its_length_can_say_is_written_and_one_byte_more_is_not() {
    let empty = encoded(&Packet {
        payload: b"",
        ..options()
    });
    let payload = vec![b'x'; 65_535 - empty.len() + 1];
    let longest = Packet {
        payload: &payload[1..],
        ..options()
    };
    let bytes = encoded(&longest);
    assert_eq!(bytes.len(), 65_535);
    assert_eq!(decode(&bytes), Ok(longest));
    let mut kept = b"before".to_vec();
    let longer = Packet {
        payload: &payload,
        ..options()
    };
    let refused = longer.encode(&mut kept);
    assert_eq!(refused, Err(EncodeError::TooLong { len: 65_536 }));
    assert_eq!(kept, b"before");
}

/// A packet of these chunks, and nothing else.
fn of_chunks(chunks: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = b"HEP3\0\0".to_vec();
    for (kind, data) in chunks {
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&(6 + data.len() as u16).to_be_bytes());
        bytes.extend_from_slice(data);
    }
    let len = bytes.len() as u16;
    bytes[4..6].copy_from_slice(&len.to_be_bytes());
    bytes
}

const LEAST: &[(u16, &[u8])] = &[
    (kind::IP_FAMILY, &[2]),
    (kind::IP_PROTOCOL, &[6]),
    (kind::IPV4_SOURCE, &[192, 0, 2, 1]),
    (kind::IPV4_DESTINATION, &[192, 0, 2, 2]),
    (kind::PAYLOAD_TYPE, &[100]),
    (kind::PAYLOAD, b"a line"),
];

#[test]
fn ports_times_and_capture_id_are_0_when_they_are_missing() {
    let bytes = of_chunks(LEAST);
    let expected = Packet::new(
        IpProtocol::TCP,
        addr("192.0.2.1:0"),
        addr("192.0.2.2:0"),
        Timestamp::default(),
        PayloadType::LOG,
        b"a line",
    );
    assert_eq!(decode(&bytes), Ok(expected));
}

#[test]
fn a_chunk_that_has_to_be_there_is_missed_by_its_kind() {
    for (missing, (kind, _)) in LEAST.iter().enumerate() {
        let mut chunks = LEAST.to_vec();
        chunks.remove(missing);
        let refused = decode(&of_chunks(&chunks)).map(|_| ());
        assert_eq!(refused, Err(DecodeError::Missing { kind: *kind }));
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let with = |chunk: (u16, &'static [u8])| {
        let chunks: Vec<_> = LEAST.iter().copied().chain([chunk]).collect();
        of_chunks(&chunks)
    };
    let cases = [
        (
            with((kind::PAYLOAD, b"another")),
            DecodeError::Repeated {
                kind: kind::PAYLOAD,
            },
        ),
        (
            with((kind::IPV6_SOURCE, &[0; 16])),
            DecodeError::OtherFamily {
                kind: kind::IPV6_SOURCE,
            },
        ),
        (
            with((kind::SOURCE_PORT, &[1, 2, 3])),
            DecodeError::Size {
                kind: kind::SOURCE_PORT,
                len: 3,
            },
        ),
        (
            with((kind::COMPRESSED, &[0x1f, 0x8b])),
            DecodeError::Compressed,
        ),
    ];
    for (bytes, refusal) in cases {
        assert_eq!(decode(&bytes).map(|_| ()), Err(refusal));
    }
    let mut family = LEAST.to_vec();
    family[0].1 = &[3];
    let refused = decode(&of_chunks(&family)).map(|_| ());
    assert_eq!(refused, Err(DecodeError::Family { family: 3 }));
    assert!(DecodeError::Compressed.to_string().contains("compressed"));
}

#[test]
fn lengths_that_lie_are_refused() {
    let whole = encoded(&options());
    let refusal = |bytes: &[u8]| decode(bytes).map(|_| ()).expect_err("refused");
    assert_eq!(refusal(b""), DecodeError::Short { len: 0 });
    assert_eq!(refusal(&whole[..5]), DecodeError::Short { len: 5 });
    assert_eq!(refusal(b"HEP2\0\x06"), DecodeError::Magic);
    assert_eq!(refusal(b"\x02\x10\x02\x11"), DecodeError::Magic);
    for end in 6..whole.len() {
        let lies = DecodeError::Length {
            stated: whole.len(),
            actual: end,
        };
        assert_eq!(refusal(&whole[..end]), lies);
    }
    let longer = [&whole[..], b"x"].concat();
    let lies = DecodeError::Length {
        stated: whole.len(),
        actual: whole.len() + 1,
    };
    assert_eq!(refusal(&longer), lies);
    let nothing = DecodeError::Length {
        stated: 5,
        actual: 6,
    };
    assert_eq!(refusal(b"HEP3\0\x05"), nothing);
    // A chunk that goes on behind the end, and one shorter than its head.
    for len in [8, 5, 0] {
        let bytes = [&b"HEP3\0\x0d\0\0\0\x01\0"[..], &[len], b"\x02"].concat();
        assert_eq!(refusal(&bytes), DecodeError::TruncatedChunk { at: 6 });
    }
    // Too little for a head.
    assert_eq!(
        refusal(b"HEP3\0\x09\0\0\0"),
        DecodeError::TruncatedChunk { at: 6 }
    );
}

#[test]
fn the_length_of_a_packet_in_a_stream_is_known_as_soon_as_it_is_there() {
    let whole = encoded(&options());
    for end in 0..6 {
        assert_eq!(packet_len(&whole[..end]), Ok(None));
    }
    for end in [6, whole.len(), whole.len()] {
        assert_eq!(packet_len(&whole[..end]), Ok(Some(whole.len())));
    }
    assert_eq!(packet_len(b"HEX"), Err(DecodeError::Magic));
}

/// An owned form of what a strategy chooses.
#[derive(Debug, Clone)]
struct Chosen {
    protocol: u8,
    ends: (SocketAddr, SocketAddr),
    at: (u32, u32),
    payload_type: u8,
    capture_id: u32,
    auth_key: Option<Vec<u8>>,
    correlation_id: Option<Vec<u8>>,
    extras: Vec<(u8, u64, Vec<u8>)>,
    payload: Vec<u8>,
}

fn extra(&(which, number, ref data): &(u8, u64, Vec<u8>)) -> Extra<'_> {
    match which % 17 {
        0 => Extra::KeepAlive(number as u16),
        1 => Extra::VlanId(number as u16),
        2 => Extra::NodeName(data),
        3 => Extra::SourceMac(number),
        4 => Extra::DestinationMac(number),
        5 => Extra::EthernetType(number as u16),
        6 => Extra::TcpFlags(number as u8),
        7 => Extra::IpTos(number as u8),
        8 => Extra::Mos(number as u16),
        9 => Extra::RFactor(number as u16),
        10 => Extra::GeoLocation(data),
        11 => Extra::Jitter(number as u32),
        12 => Extra::TransactionType(data),
        13 => Extra::JsonKeys(data),
        14 => Extra::TagValues(data),
        15 => Extra::TagType(data),
        _ => Extra::Other(Chunk {
            vendor: 1 + number as u16 % 0xfffe,
            kind: (number >> 16) as u16,
            data,
        }),
    }
}

impl Chosen {
    fn packet(&self) -> Packet<'_> {
        Packet {
            capture_id: self.capture_id,
            auth_key: self.auth_key.as_deref(),
            correlation_id: self.correlation_id.as_deref(),
            extras: self.extras.iter().map(extra).collect(),
            ..Packet::new(
                IpProtocol(self.protocol),
                self.ends.0,
                self.ends.1,
                Timestamp {
                    seconds: self.at.0,
                    micros: self.at.1,
                },
                PayloadType(self.payload_type),
                &self.payload,
            )
        }
    }
}

fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let v4 = any::<[([u8; 4], u16); 2]>().prop_map(|[a, b]| (a.into(), b.into()));
    let v6 = any::<[([u8; 16], u16); 2]>().prop_map(|[a, b]| (a.into(), b.into()));
    prop_oneof![v4, v6]
}

fn chosen() -> impl Strategy<Value = Chosen> {
    let text = || prop::collection::vec(any::<u8>(), 0..40);
    let extras = prop::collection::vec((any::<u8>(), any::<u64>(), text()), 0..6);
    let head = (any::<u8>(), ends(), any::<(u32, u32)>(), any::<u8>());
    let ids = (
        any::<u32>(),
        prop::option::of(text()),
        prop::option::of(text()),
    );
    let payload = prop::collection::vec(any::<u8>(), 0..2000);
    (head, ids, extras, payload).prop_map(|(head, ids, extras, payload)| Chosen {
        protocol: head.0,
        ends: head.1,
        at: head.2,
        payload_type: head.3,
        capture_id: ids.0,
        auth_key: ids.1,
        correlation_id: ids.2,
        extras,
        payload,
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(chosen in chosen()) {
        let packet = chosen.packet();
        let bytes = encoded(&packet);
        prop_assert_eq!(packet_len(&bytes), Ok(Some(bytes.len())));
        prop_assert_eq!(decode(&bytes), Ok(packet));
    }

    #[test]
    fn packets_of_a_stream_are_found_in_it(all in prop::collection::vec(chosen(), 1..5)) {
        let mut stream = Vec::new();
        for chosen in &all {
            chosen.packet().encode(&mut stream).expect("it fits");
        }
        let mut rest = &stream[..];
        for chosen in &all {
            let len = packet_len(rest).expect("a packet").expect("all of it");
            let (packet, others) = rest.split_at(len);
            prop_assert_eq!(decode(packet), Ok(chosen.packet()));
            rest = others;
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
        let _ = decode(&bytes);
        let mut whole = encoded(&options());
        let at = cut % whole.len();
        whole[at..].iter_mut().zip(&bytes).for_each(|(byte, change)| *byte ^= change);
        let _ = decode(&whole);
    }
}
