// SPDX-License-Identifier: AGPL-3.0-only
//! What is heard: recordings, digits, checks.

use super::*;
use crate::dtmf::{DtmfParams, Heard};
use crate::rtp::Header;
use crate::tone::power_at;
use crate::wav;

/// Plays on one stream of a world and hands what leaves to the other.
fn connected(world: &mut World, from: StreamKey, to: StreamKey, until: Micros) {
    while world.now < until {
        let next = (world.now + Micros::from_ms(10)).min(until);
        world.run_until(next);
        for left in world.taken() {
            if left.send.stream == from {
                world.packet(to, Port::Rtp, &left.bytes);
            }
        }
        // The receiver's own packets go nowhere.
        world.taken();
    }
}

#[test]
fn a_recording_holds_the_tone_that_was_sent() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        for duplex in [false, true] {
            let mut world = World::new();
            let format = Format {
                codec,
                payload_type: codec.params().payload_type,
                events: None,
                channels: 1,
            };
            let of = |ssrc| StreamParams {
                format,
                ..params(ssrc)
            };
            let (from, to) = (world.open(of(1)), world.open(of(2)));
            world.op(to, Op::Record { duplex });
            let clip =
                |hz| Clip::synthetic(codec, Sound::Tone(crate::tone::Tone::new(hz, 0.4)), 160);
            world.op(from, play_clip(clip(425.0), Length::Endless));
            world.op(to, play_clip(clip(1000.0), Length::Endless));
            connected(&mut world, from, to, Micros::from_ms(3000));
            world.op(to, Op::StopRecording);
            let mut reader = hound::WavReader::new(std::io::Cursor::new(&world.file)).unwrap();
            let (rate, channels) = (
                reader.spec().sample_rate,
                usize::from(reader.spec().channels),
            );
            assert_eq!(
                (rate, channels),
                (
                    if codec == Codec::G722 { 16_000 } else { 8000 },
                    1 + usize::from(duplex)
                )
            );
            let all: Vec<i16> = reader.samples().map(Result::unwrap).collect();
            let seconds = all.len() as f64 / channels as f64 / f64::from(rate);
            assert!((seconds - 3.0).abs() < 0.1, "{codec:?} {seconds}");
            let channel = |n: usize| -> Vec<i16> {
                let all = all.iter().copied().skip(n).step_by(channels);
                all.skip(rate as usize).take(rate as usize).collect()
            };
            let pure = |samples: &[i16], hz| {
                let (whole, at) = power_at(samples, hz, rate);
                assert!(at / whole > 0.98, "{codec:?} {hz}: {at} of {whole}");
            };
            pure(&channel(channels - 1), 425.0);
            if duplex {
                pure(&channel(0), 1000.0);
            }
        }
    }
}

#[test]
fn closing_ends_a_recording() {
    let mut world = World::new();
    let (from, to) = (world.open(params(1)), world.open(params(2)));
    world.op(to, Op::Record { duplex: false });
    world.op(from, tone(Length::Endless));
    connected(&mut world, from, to, Micros::from_ms(1000));
    world.close(to);
    let audio = wav::read(&world.file).expect("a whole file");
    // Its first packet came 10 ms after it began, its last one holds 20 ms.
    assert_eq!(
        (audio.rate, audio.samples.len()),
        (8000, 8 * (10 + 1000 + 20))
    );
}

#[test]
fn digits_are_told_once_and_do_not_disturb_the_jitter() {
    let mut world = World::new();
    let (from, to) = (world.open(params(1)), world.open(params(2)));
    world.op(from, tone(Length::Endless));
    let digits = Op::Dtmf {
        digits: b"0159*#AD".as_slice().into(),
        params: DtmfParams::default(),
    };
    world.op(from, digits);
    connected(&mut world, from, to, Micros::from_ms(3000));
    let heard: String = world
        .events_of(to)
        .iter()
        .map(|event| match event {
            Event::Digit(Heard {
                digit: Some(digit),
                duration: 800,
                ended: true,
                ..
            }) => char::from(*digit),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(heard, "0159*#AD");
    let report = world.report(to);
    assert_eq!(report.digits_heard, 8);
    assert!(report.jitter.max < 1.0, "{:?}", report.jitter);
}

#[test]
fn a_check_passes_when_packets_have_flown() {
    let mut world = World::new();
    let (from, to) = (world.open(params(1)), world.open(params(2)));
    world.op(from, tone(Length::Endless));
    let check = CheckParams {
        min_packets: 10,
        timeout: Micros::from_ms(1000),
        direction: CheckDirection::Received,
        ..CheckParams::default()
    };
    world.op(to, Op::Check(check));
    connected(&mut world, from, to, Micros::from_ms(2000));
    let passed = &world.events[0];
    assert_eq!((passed.1, &passed.2), (to, &Event::CheckPassed));
    assert_eq!(passed.0, Micros::from_ms(180));
    // What has been reached already is passed at once; what was sent counts for the sender.
    let sent = CheckParams {
        direction: CheckDirection::Sent,
        ..check
    };
    world.op(from, Op::Check(sent));
    assert_eq!(world.events_of(from), [Event::CheckPassed]);
}

#[test]
fn a_check_fails_when_its_time_is_up_and_says_why() {
    let mut world = World::new();
    let stream = world.open(params(1));
    world.op(stream, tone(Length::Endless));
    let check = CheckParams {
        direction: CheckDirection::Both,
        timeout: Micros::from_ms(200),
        ..CheckParams::default()
    };
    world.op(stream, Op::Check(check));
    world.run_until(Micros::from_ms(300));
    let events = world.events_of(stream);
    let [Event::CheckFailed(failure)] = &events[..] else {
        panic!("{events:?}");
    };
    let text = failure.to_string();
    assert_eq!(
        text,
        "rtpcheck timeout: mode=both sent=11 received=0 min_packets=1"
    );
    assert_eq!(world.events[0].0, Micros::from_ms(200));
}

#[test]
fn thresholds_are_held_against_what_was_received() {
    let mut world = World::new();
    let stream = world.open(params(1));
    let mut rtp = Vec::new();
    // Every fifth packet is missing, every second is late by 15 ms, and nothing comes for half a second.
    for index in 0..100u32 {
        if index % 5 == 4 {
            continue;
        }
        let pause = if index >= 50 { 500 } else { 0 };
        let ms = u64::from(index) * 20 + u64::from(index % 2) * 15 + pause;
        world.run_until(Micros::from_ms(ms));
        let header = Header {
            marker: false,
            payload_type: 8,
            sequence: index as u16,
            timestamp: index * 160 + pause as u32 * 8,
            ssrc: 5,
        };
        rtp.clear();
        header.append(&[0xd5; 160], &mut rtp);
        world.packet(stream, Port::Rtp, &rtp);
    }
    let base = CheckParams {
        timeout: Micros(0),
        direction: CheckDirection::Received,
        ..CheckParams::default()
    };
    let mut verdict = |check: CheckParams| {
        let before = world.events.len();
        world.op(stream, Op::Check(check));
        world.events[before].2.clone()
    };
    let loss = |max| CheckParams {
        max_loss_percent: Some(max),
        ..base
    };
    assert_eq!(verdict(loss(25.0)), Event::CheckPassed);
    assert!(
        matches!(verdict(loss(10.0)), Event::CheckFailed(CheckFailure::Loss(percent)) if (percent - 19.2).abs() < 0.1)
    );
    let jitter = |max| CheckParams {
        max_jitter_ms: Some(max),
        ..base
    };
    assert_eq!(verdict(jitter(16.0)), Event::CheckPassed);
    assert!(
        matches!(verdict(jitter(5.0)), Event::CheckFailed(CheckFailure::Jitter(ms)) if ms > 5.0)
    );
    let mos = |min| CheckParams {
        min_mos: Some(min),
        ..base
    };
    assert_eq!(verdict(mos(1.5)), Event::CheckPassed);
    assert!(matches!(
        verdict(mos(4.0)),
        Event::CheckFailed(CheckFailure::Mos(_))
    ));
    // A score for a codec that nobody can rate.
    world.op(
        stream,
        Op::Format(Format {
            codec: Codec::H264,
            ..PCMA
        }),
    );
    let before = world.events.len();
    world.op(stream, Op::Check(mos(1.5)));
    let failed = Event::CheckFailed(CheckFailure::NotRated);
    assert_eq!(world.events[before].2, failed);
}

#[test]
fn thresholds_of_a_stream_that_heard_nothing_are_not_met() {
    let mut world = World::new();
    let stream = world.open(params(1));
    world.op(stream, tone(Length::Endless));
    let check = CheckParams {
        timeout: Micros::from_ms(300),
        max_loss_percent: Some(1.0),
        ..CheckParams::default()
    };
    world.op(stream, Op::Check(check));
    world.run_until(Micros::from_ms(400));
    let events = world.events_of(stream);
    let [Event::CheckFailed(failure)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        failure.to_string(),
        "rtpcheck timeout: mode=recv sent=16 received=0 min_packets=1"
    );
}

#[test]
fn what_is_too_bad_may_get_better_until_the_time_is_up() {
    let mut world = World::new();
    let (from, to) = (world.open(params(1)), world.open(params(2)));
    world.op(from, tone(Length::Endless));
    connected(&mut world, from, to, Micros::from_ms(100));
    // A stretch of the stream is lost.
    world.run_until(Micros::from_ms(300));
    world.taken();
    let check = CheckParams {
        timeout: Micros::from_ms(2000),
        direction: CheckDirection::Received,
        max_loss_percent: Some(20.0),
        ..CheckParams::default()
    };
    connected(&mut world, from, to, Micros::from_ms(320));
    assert!(world.report(to).received.loss_percent() > 50.0);
    world.op(to, Op::Check(check));
    connected(&mut world, from, to, Micros::from_ms(3000));
    let (at, _, event) = &world.events[0];
    assert_eq!(event, &Event::CheckPassed);
    // Ten of fifty: 1000 ms after the first packet.
    assert!(at.0.abs_diff(980_000) <= 20_000, "{at:?}");
}

#[test]
fn silence_of_one_way_fails_a_check_at_once_and_is_watched_until_its_end() {
    let check = CheckParams {
        timeout: Micros::from_ms(1000),
        direction: CheckDirection::Both,
        max_silence: Some(Micros::from_ms(300)),
        ..CheckParams::default()
    };
    // The peer falls silent after so many ms of the check; it had not been heard for long before it.
    let verdict = |talks_ms: u64| {
        let mut world = World::new();
        let (from, to) = (world.open(params(1)), world.open(params(2)));
        world.op(to, tone(Length::Endless));
        world.run_until(Micros::from_ms(2000));
        world.op(from, tone(Length::Endless));
        world.op(to, Op::Check(check));
        connected(&mut world, from, to, Micros::from_ms(2000 + talks_ms));
        world.op(from, Op::Stop);
        world.run_until(Micros::from_ms(4000));
        let [(at, _, event)] = &world.events[..] else {
            panic!("{:?}", world.events);
        };
        (at.0 / 1000 - 2000, event.clone())
    };
    assert_eq!(verdict(1000), (1000, Event::CheckPassed));
    assert_eq!(verdict(800), (1000, Event::CheckPassed), "it ends before");
    for (talks, at) in [(0, 301), (500, 791)] {
        let (failed, event) = verdict(talks);
        assert!(
            matches!(event, Event::CheckFailed(CheckFailure::Silence(time)) if time.0 > 300_000),
            "{event:?}"
        );
        assert!(failed.abs_diff(at) <= 10, "{failed}");
    }
}

#[test]
fn what_comes_is_measured_as_the_codec_that_it_is() {
    let mut world = World::new();
    let agreed = Format {
        codec: Codec::G729,
        payload_type: 18,
        events: Some(101),
        channels: 1,
    };
    let stream = world.open(StreamParams {
        format: agreed,
        ..params(1)
    });
    let others = [(111, Codec::Opus), (97, Codec::Ilbc)];
    world.op(stream, Op::Others(Box::new(others)));
    let (mut sequence, mut timestamp) = (0, 0);
    let mut last = 0.0;
    for codec in [Codec::G729, Codec::Pcmu, Codec::Opus, Codec::Ilbc] {
        let shape = codec.params();
        for _ in 0..50 {
            let header = Header {
                marker: false,
                payload_type: shape.payload_type,
                sequence,
                timestamp,
                ssrc: 7,
            };
            let mut bytes = Vec::new();
            header.append(&[0; 20], &mut bytes);
            world.packet(stream, Port::Rtp, &bytes);
            sequence += 1;
            timestamp += shape.timestamp_step;
            world.run_until(world.now + Micros::from_ms(u64::from(shape.packet_ms)));
        }
        let report = world.report(stream);
        assert!(report.jitter.max < 0.1, "{codec:?}: {:?}", report.jitter);
        let mos = report.quality.expect("it is rated").mos;
        // G.711 and Opus sound better than G.729 and iLBC.
        match codec {
            Codec::Pcmu => assert!(mos > last + 0.2, "{mos}"),
            Codec::Ilbc => assert!(mos < last - 0.2, "{mos}"),
            _ => {}
        }
        last = mos;
    }
}
