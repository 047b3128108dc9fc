// SPDX-License-Identifier: AGPL-3.0-only
//! Whatever comes: nothing panics, nothing grows, everything is counted.

use super::*;
use crate::dtmf::DtmfParams;
use crate::rtcp::append_receiver_report;
use crate::srtp::{MasterKey, Relaxed, Suite};
use proptest::prelude::*;

#[test]
fn packets_of_no_use_are_counted_by_kind() {
    let mut world = World::new();
    let with_reports = StreamParams {
        report_interval: Some(Micros::from_ms(500)),
        ..params(1)
    };
    let stream = world.open(with_reports);
    for bytes in [&[][..], &[0x80], &[0x40; 40], &[0xbf; 40]] {
        world.packet(stream, Port::Rtp, bytes);
    }
    world.packet(stream, Port::Rtcp, &[0x80; 3]);
    world.packet(stream, Port::Rtcp, b"GET / HTTP/1.1\r\n\r\n");
    let errors = world.report(stream).errors;
    assert_eq!((errors.malformed, errors.malformed_reports), (4, 2));
    // Reports nobody asked for.
    let plain = world.open(params(2));
    let mut report = Vec::new();
    append_receiver_report(9, &[], &mut report);
    world.packet(plain, Port::Rtcp, &report);
    assert_eq!(world.report(plain).errors.unread, 1);
    // On the port of RTP, where both share it.
    world.packet(stream, Port::Rtp, &report);
    assert_eq!(world.report(stream).reports_received, 1);
}

#[test]
fn a_stream_with_keys_takes_nothing_in_clear_and_nothing_twice() {
    let key = MasterKey::new(Suite::AeadAes128Gcm, Relaxed::default(), &[3; 28]).unwrap();
    let keys = || {
        Op::Keys(Some(Box::new(Keys {
            send: key.clone(),
            receive: key.clone(),
        })))
    };
    let mut world = World::new();
    let stream = world.open(params(1));
    world.op(stream, tone(Length::Endless));
    let clear = world.taken().remove(0).bytes;
    world.op(stream, keys());
    world.packet(stream, Port::Rtp, &clear);
    world.run_until(Micros::from_ms(20));
    let sealed = world.taken().remove(0).bytes;
    assert_eq!(sealed.len(), 12 + 160 + 16);
    for _ in 0..3 {
        world.packet(stream, Port::Rtp, &sealed);
    }
    let report = world.report(stream);
    assert_eq!((report.received.packets, report.errors.replayed), (1, 2));
    assert_eq!(report.errors.authentication, 1);
    // Keys that go away leave clear packets.
    world.op(stream, Op::Keys(None));
    world.run_until(Micros::from_ms(40));
    assert_eq!(world.taken().remove(0).bytes.len(), 172);
}

/// Something for a stream to do.
fn op(choice: u8, value: u8) -> Op {
    let length = match value % 3 {
        0 => Length::Endless,
        1 => Length::Loops(u32::from(value)),
        _ => Length::Time(Micros::from_ms(u64::from(value) * 10)),
    };
    match choice % 14 {
        0 | 1 => tone(length),
        2 => Op::Pause,
        3 => Op::Resume,
        4 => Op::Stop,
        5 => Op::Echo(value & 1 == 0),
        6 => Op::Remote(Remote {
            held: value & 7 == 0,
            ..remote()
        }),
        7 => Op::Remote(Remote::default()),
        8 => Op::Dtmf {
            digits: vec![b'0' + value % 12; usize::from(value % 8)].into(),
            params: DtmfParams {
                digit_ms: u32::from(value),
                ..DtmfParams::default()
            },
        },
        9 => Op::Record {
            duplex: value & 1 == 0,
        },
        10 => Op::StopRecording,
        11 => Op::Check(CheckParams {
            min_packets: u64::from(value),
            timeout: Micros::from_ms(u64::from(value)),
            ..CheckParams::default()
        }),
        12 => {
            let key = MasterKey::new(Suite::NullSha1_32, Relaxed::default(), &[value; 30]).unwrap();
            Op::Keys((value & 1 == 0).then(|| {
                Box::new(Keys {
                    send: key.clone(),
                    receive: key,
                })
            }))
        }
        _ => Op::Format(Format {
            codec: Codec::ALL[usize::from(value) % Codec::ALL.len()],
            ..PCMA
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_course_of_things_is_survived(
        steps in proptest::collection::vec((0u8..6, any::<u8>(), any::<u8>(), 0u64..300_000), 1..120),
    ) {
        let mut world = World::new();
        let mut streams: Vec<StreamKey> = Vec::new();
        let mut last = vec![0x80; 20];
        for (kind, choice, value, pass) in steps {
            let stream = streams.get(usize::from(value) % streams.len().max(1)).copied();
            match (kind, stream) {
                (0, _) => {
                    let interval = (value & 1 == 0).then(|| Micros::from_ms(u64::from(value)));
                    let params = StreamParams { report_interval: interval, ..params(u32::from(choice)) };
                    streams.push(world.open(params));
                }
                (1 | 2, Some(stream)) => world.op(stream, op(choice, value)),
                (3, Some(stream)) => {
                    // What left, with a byte changed.
                    let mut bytes = last.clone();
                    let at = usize::from(choice) % bytes.len();
                    bytes[at] ^= value & 0x3f;
                    let port = if choice & 1 == 0 { Port::Rtp } else { Port::Rtcp };
                    world.packet(stream, port, &bytes);
                }
                (4, Some(stream)) if choice < 40 => {
                    world.close(stream);
                    streams.retain(|open| *open != stream);
                }
                _ => world.run_until(world.now + Micros(pass)),
            }
            prop_assert_eq!(world.engine.len(), streams.len());
            if let Some(left) = world.left.last() {
                last.clone_from(&left.bytes);
            }
            // A tick at the deadline makes progress: nothing is due for ever.
            if let Some(deadline) = world.engine.next_deadline() {
                prop_assert!(deadline.0 + 1000 >= world.now.0, "{:?} {:?}", deadline, world.now);
            }
            world.left.clear();
        }
        for stream in streams {
            let report = world.close(stream);
            prop_assert!(report.received.loss_percent() <= 100.0);
        }
        prop_assert!(world.engine.next_deadline().is_none());
    }
}
