// SPDX-License-Identifier: AGPL-3.0-only
//! What is played: spacing, length, pauses, holds, digits, captures.

use super::*;
use crate::dtmf::{DtmfParams, DtmfReceiver};
use crate::replay::Replay;

#[test]
fn packets_leave_every_period_and_never_drift() {
    let mut world = World::new();
    let streams: Vec<_> = (0..200u32)
        .map(|index| {
            world.now = Micros(u64::from(index) * 97);
            let stream = world.open(params(index));
            world.op(stream, tone(Length::Endless));
            (stream, world.now)
        })
        .collect();
    world.run_until(Micros::from_ms(10_020));
    for (stream, start) in streams {
        let of = world.left.iter().filter(|left| left.send.stream == stream);
        for (index, left) in of.clone().enumerate() {
            let due = start + Micros(20_000 * index as u64);
            // Not early, and at most the tick of a millisecond late.
            assert!(left.at >= due && left.at <= due + Micros(1000), "{left:?}");
            let header = left.packet().header;
            assert_eq!(header.sequence, index as u16);
            assert_eq!(
                header.timestamp,
                (start.0 * 8 / 1000) as u32 + 160 * index as u32
            );
            assert_eq!((header.marker, header.payload_type), (index == 0, 8));
            assert_eq!(left.packet().payload.len(), 160);
        }
        let count = (10_020_000 - start.0) / 20_000 + 1;
        assert_eq!(of.count() as u64, count);
        let report = world.report(stream);
        assert_eq!(
            (report.sent_packets, report.sent_octets),
            (count, count * 160)
        );
    }
}

#[test]
fn a_file_is_played_as_often_as_asked_and_its_end_is_told() {
    let mut world = World::new();
    let stream = world.open(params(1));
    let clip = Clip::payload(
        Codec::Pcma,
        (0..=255).cycle().take(400).collect::<Vec<u8>>(),
    )
    .unwrap();
    world.op(stream, play_clip(clip, Length::Loops(2)));
    world.run_until(Micros::from_ms(1000));
    assert_eq!(world.left.len(), 5);
    let payload: Vec<u8> = world
        .left
        .iter()
        .flat_map(|left| left.packet().payload.to_vec())
        .collect();
    let ring: Vec<u8> = (0..=255).cycle().take(400).collect();
    assert_eq!(payload, ring.repeat(2));
    assert_eq!(world.events, [(Micros::from_ms(80), stream, Event::Ended)]);
    assert_eq!(world.engine.next_deadline(), None);
    // For a time, and from the first interval on.
    let later = StreamParams {
        first_packet: FirstPacket::AfterInterval,
        ..params(2)
    };
    let stream = world.open(later);
    world.taken();
    world.op(stream, tone(Length::Time(Micros::from_ms(100))));
    world.run_until(Micros::from_ms(3000));
    let times: Vec<u64> = world.left.iter().map(|left| left.at.0 / 1000).collect();
    assert_eq!(times, [1020, 1040, 1060, 1080, 1100]);
}

#[test]
fn a_late_wakeup_catches_up_and_then_skips() {
    let mut world = World::new();
    let stream = world.open(params(1));
    world.op(stream, tone(Length::Endless));
    world.taken();
    world.now = Micros::from_ms(100);
    world.input(Input::Tick);
    assert_eq!(world.taken().len(), 5);
    // Ten seconds asleep: some of it is sent, the rest is counted, and the timestamps go on as time did.
    world.now = Micros::from_ms(10_100);
    world.input(Input::Tick);
    let burst = world.taken();
    assert_eq!(burst.len(), MAX_BURST as usize);
    assert_eq!(world.report(stream).skipped, 500 - u64::from(MAX_BURST));
    world.run_until(Micros::from_ms(10_120));
    let next = world.taken();
    assert_eq!(
        (next.len(), next[0].packet().header.timestamp),
        (1, 10_120 * 8)
    );
    // Sequence numbers have no hole: nothing was lost on the way.
    assert_eq!(next[0].packet().header.sequence, 6 + MAX_BURST as u16);
    // What has an end ends in time.
    world.op(stream, tone(Length::Time(Micros::from_ms(60_000))));
    world.now = Micros::from_ms(1_000_000_000);
    world.input(Input::Tick);
    assert_eq!(world.events_of(stream), [Event::Ended]);
    assert_eq!(world.engine.next_deadline(), None);
}

#[test]
fn a_pause_keeps_the_place_and_lets_time_pass() {
    let mut world = World::new();
    let stream = world.open(params(1));
    let clip = Clip::payload(
        Codec::Pcma,
        (0..20u8).flat_map(|n| [n; 160]).collect::<Vec<u8>>(),
    )
    .unwrap();
    world.op(stream, play_clip(clip, Length::Loops(1)));
    world.run_until(Micros::from_ms(50));
    world.op(stream, Op::Pause);
    world.op(stream, Op::Pause);
    world.run_until(Micros::from_ms(1050));
    assert_eq!(world.taken().len(), 3);
    world.op(stream, Op::Resume);
    world.run_until(Micros::from_ms(1060));
    let next = world.taken();
    let packet = next[0].packet();
    assert_eq!((next[0].at, packet.payload[0]), (Micros::from_ms(1060), 3));
    assert_eq!(
        (packet.header.timestamp, packet.header.sequence),
        (1060 * 8, 3)
    );
    assert!(packet.header.marker);
    world.op(stream, Op::Resume);
    world.op(stream, Op::Stop);
    assert_eq!(world.engine.next_deadline(), None);
    assert_eq!(world.events_of(stream), []);
}

#[test]
fn what_begins_paused_waits_with_its_first_packet() {
    let mut world = World::new();
    let stream = world.open(StreamParams {
        first_packet: FirstPacket::AtOnce,
        ..params(1)
    });
    let Op::Play(play) = tone(Length::Loops(1)) else {
        unreachable!("a clip is played");
    };
    world.op(stream, Op::PlayPaused(play));
    world.run_until(Micros::from_ms(100));
    assert_eq!(world.taken().len(), 0);
    world.op(stream, Op::Resume);
    let sent = world.taken();
    let header = sent[0].packet().header;
    assert_eq!((header.sequence, header.timestamp), (0, 800));
}

#[test]
fn nothing_is_sent_where_nobody_listens_and_time_passes() {
    let mut world = World::new();
    let stream = world.engine.open(world.now, params(1));
    world.op(stream, tone(Length::Endless));
    let nowhere = [
        None,
        Some(at("0.0.0.0:4000")),
        Some(at("[::]:4000")),
        Some(at("192.0.2.9:0")),
    ];
    for (index, rtp) in nowhere.into_iter().enumerate() {
        world.op(
            stream,
            Op::Remote(Remote {
                rtp,
                ..Remote::default()
            }),
        );
        world.run_until(Micros::from_ms(100 * (index as u64 + 1)));
    }
    let held = Remote {
        held: true,
        ..remote()
    };
    world.op(stream, Op::Remote(held));
    world.run_until(Micros::from_ms(500));
    assert_eq!(
        (world.left.len(), world.report(stream).sent_packets),
        (0, 0)
    );
    world.op(stream, Op::Remote(remote()));
    world.run_until(Micros::from_ms(540));
    let headers: Vec<_> = world.left.iter().map(|left| left.packet().header).collect();
    let found: Vec<_> = headers
        .iter()
        .map(|h| (h.sequence, h.timestamp, h.marker))
        .collect();
    assert_eq!(found, [(0, 520 * 8, true), (1, 540 * 8, false)]);
    // The port moves in mid-stream.
    let moved = Remote {
        rtp: Some(at("[2001:db8::1]:5000")),
        ..remote()
    };
    world.op(stream, Op::Remote(moved));
    world.run_until(Micros::from_ms(560));
    assert_eq!(world.left[2].send.to, at("[2001:db8::1]:5000"));
    assert_eq!(world.left[2].packet().header.sequence, 2);
}

#[test]
fn digits_take_the_place_of_audio_on_the_same_stream() {
    let mut world = World::new();
    let stream = world.open(params(7));
    world.op(stream, tone(Length::Endless));
    world.run_until(Micros::from_ms(90));
    let before = world.taken().len() as u16;
    let dtmf = |digits: &[u8]| Op::Dtmf {
        digits: digits.into(),
        params: DtmfParams::default(),
    };
    world.op(stream, dtmf(b"1"));
    world.op(stream, dtmf(b"#"));
    world.op(stream, dtmf(b"xyz"));
    world.run_until(Micros::from_ms(700));
    assert_eq!(
        world.events_of(stream)[0],
        Event::DigitsRefused(crate::dtmf::DtmfError::NoDigit)
    );
    let left = world.taken();
    let mut receiver = DtmfReceiver::default();
    let mut heard = String::new();
    for (index, left) in left.iter().enumerate() {
        let packet = left.packet();
        assert_eq!(packet.header.sequence, before + index as u16);
        assert_eq!(packet.header.ssrc, 7);
        if packet.header.payload_type == 101 {
            let told = receiver.on_packet(&packet.header, packet.payload);
            heard.extend(
                told.iter()
                    .flatten()
                    .filter_map(|h| h.digit)
                    .map(char::from),
            );
        }
    }
    assert_eq!(heard, "1#");
    let events: Vec<_> = left
        .iter()
        .filter(|l| l.packet().header.payload_type == 101)
        .collect();
    assert_eq!(events.len(), 14);
    assert_eq!(
        (events[0].at, events[7].at),
        (Micros::from_ms(90), Micros::from_ms(290))
    );
    assert_eq!(events[6].packet().header.timestamp, 90 * 8);
    assert_eq!(events[7].packet().header.timestamp, 290 * 8);
    // Audio begins again as a new talk spurt, in time.
    let audio: Vec<_> = left
        .iter()
        .filter(|l| l.packet().header.payload_type == 8)
        .collect();
    assert_eq!(
        (audio[0].at, audio[0].packet().header.marker),
        (Micros::from_ms(500), true)
    );
    assert_eq!(audio[0].packet().header.timestamp, 500 * 8);
    assert!(!audio[1].packet().header.marker);
    assert!(world.events_of(stream).contains(&Event::DigitsSent));
}

#[test]
fn a_capture_leaves_with_its_timing_and_its_ports() {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&[9; 10]);
    let one = Replay::of_packets([
        (Micros(0), &packet[..]),
        (Micros(33_333), b"two"),
        (Micros(33_900), b"three"),
    ]);
    let mut world = World::new();
    let stream = world.open(params(1));
    world.now = Micros::from_ms(1000);
    world.op(stream, Op::Replay(one.clone()));
    world.run_until(Micros::from_ms(1010));
    world.op(stream, Op::Pause);
    world.run_until(Micros::from_ms(2010));
    world.op(stream, Op::Resume);
    world.run_until(Micros::from_ms(3000));
    let found: Vec<_> = world.left.iter().map(|l| (l.at.0, l.bytes.len())).collect();
    assert_eq!(found, [(1_000_000, 12), (2_034_000, 3), (2_034_000, 5)]);
    assert_eq!(world.left[0].bytes, packet);
    assert_eq!(world.events_of(stream), [Event::Ended]);
    // With nowhere to go it ends in time all the same.
    world.op(stream, Op::Remote(Remote::default()));
    world.op(stream, Op::Replay(one));
    world.run_until(Micros::from_ms(4000));
    assert_eq!((world.left.len(), world.events_of(stream).len()), (3, 2));
}

#[test]
fn a_closed_stream_is_gone_and_its_key_with_it() {
    let mut world = World::new();
    let stream = world.open(params(1));
    world.op(stream, tone(Length::Endless));
    world.run_until(Micros::from_ms(100));
    let report = world.close(stream);
    assert_eq!((report.sent_packets, world.engine.len()), (6, 0));
    world.taken();
    world.op(stream, tone(Length::Endless));
    world.packet(stream, Port::Rtp, &[0x80; 40]);
    assert!(
        world
            .engine
            .close(world.now, stream, &mut world.out)
            .is_none()
    );
    assert_eq!(world.engine.report(world.now, stream), None);
    assert_eq!(world.engine.next_deadline(), None);
    // The next one takes its place, and not its key.
    let next = world.open(params(2));
    assert_eq!((next.index(), next == stream), (stream.index(), false));
    world.op(stream, tone(Length::Endless));
    assert_eq!((world.left.len(), world.engine.is_empty()), (0, false));
}

#[test]
fn a_stream_with_everything_is_below_two_kilobytes() {
    use crate::engine::stream::{Pattern, Secured, Waiting};
    // Besides the stream its slot and its node of the wheel.
    let plain = size_of::<Stream>() + size_of::<Slot>() + wheel::NODE_LEN;
    assert!(plain <= 672, "{plain}");
    let secured = plain + size_of::<Secured>() + 2 * crate::srtp::COUNTER_LEN;
    assert!(secured <= 1696, "{secured}");
    let all = secured + size_of::<Waiting>() + size_of::<Pattern>();
    assert!(all <= 2048, "{all}: {plain}, {secured}");
}

#[test]
fn whoever_comes_late_to_many_streams_gets_their_packets_in_portions() {
    let mut engine = MediaEngine::new(EngineParams {
        unix_us: 0,
        name: b"test".as_slice().into(),
    });
    let mut out = MediaOut::default();
    let streams = 500;
    for ssrc in 0..streams {
        let stream = engine.open(Micros(0), params(ssrc));
        for op in [Op::Remote(remote()), tone(Length::Endless)] {
            engine.handle(Micros(0), Input::Op { stream, op }, &mut out);
        }
    }
    out.clear();
    // Ten packets of each are due.
    let now = Micros::from_ms(200);
    let (mut sent, mut ticks) = (0, 0);
    while engine.next_deadline().is_some_and(|due| due <= now) {
        engine.handle(now, Input::Tick, &mut out);
        assert!(out.sends.len() < MAX_SENDS + 10, "{}", out.sends.len());
        sent += out.sends.len();
        ticks += 1;
        out.clear();
    }
    assert_eq!(sent, streams as usize * 10);
    assert_eq!(ticks, sent.div_ceil(MAX_SENDS));
}
