// SPDX-License-Identifier: AGPL-3.0-only
//! Two streams and a network between them that delays, loses and repeats.

use super::*;
use crate::srtp::{MasterKey, Relaxed, Suite};

/// Two engines, a stream each.
struct Call {
    sides: [World; 2],
    streams: [StreamKey; 2],
    delay: Micros,
    /// When, to which side, on which port, what.
    air: Vec<(Micros, usize, Port, Vec<u8>)>,
    lose: fn(&mut fastrand::Rng) -> bool,
    rng: fastrand::Rng,
}

impl Call {
    fn new(params_of: impl Fn(u32) -> StreamParams, delay: Micros) -> Self {
        let mut sides = [World::new(), World::new()];
        let streams = [0, 1].map(|side| sides[side].open(params_of(side as u32 + 1)));
        Self {
            sides,
            streams,
            delay,
            air: Vec::new(),
            lose: |_| false,
            rng: fastrand::Rng::with_seed(3),
        }
    }

    fn op(&mut self, side: usize, op: Op) {
        self.sides[side].op(self.streams[side], op);
    }

    fn keys(&mut self, side: usize, send: &MasterKey, receive: &MasterKey) {
        let keys = Keys {
            send: send.clone(),
            receive: receive.clone(),
        };
        self.op(side, Op::Keys(Some(Box::new(keys))));
    }

    /// Lets time pass in steps of a millisecond.
    fn run_until(&mut self, until: Micros) {
        while self.sides[0].now < until {
            let now = self.sides[0].now + Micros::from_ms(1);
            for side in 0..2 {
                self.sides[side].run_until(now);
                self.collect(side);
            }
            let (due, later) = self.air.drain(..).partition(|(at, ..)| *at <= now);
            self.air = later;
            let due: Vec<(Micros, usize, Port, Vec<u8>)> = due;
            for (_, side, port, bytes) in due {
                let stream = self.streams[side];
                self.sides[side].packet(stream, port, &bytes);
                self.collect(side);
            }
        }
    }

    fn collect(&mut self, side: usize) {
        for left in self.sides[side].taken() {
            if !(self.lose)(&mut self.rng) {
                let at = left.at + self.delay;
                self.air.push((at, 1 - side, left.send.port, left.bytes));
            }
        }
    }

    fn report(&self, side: usize) -> StreamReport {
        self.sides[side].report(self.streams[side])
    }
}

fn reporting(ssrc: u32) -> StreamParams {
    StreamParams {
        report_interval: Some(Micros::from_ms(500)),
        ..params(ssrc)
    }
}

#[test]
fn both_sides_count_alike_and_measure_the_round_trip() {
    let mut call = Call::new(reporting, Micros::from_ms(40));
    call.lose = |rng| rng.u32(..20) == 0;
    call.op(0, tone(Length::Endless));
    call.op(1, tone(Length::Endless));
    call.run_until(Micros::from_ms(20_000));
    for side in 0..2 {
        let (ours, theirs) = (call.report(side), call.report(1 - side));
        // What is in the air is not lost.
        let sent = theirs.sent_packets - 2;
        assert!(ours.received.expected.abs_diff(sent) <= 3, "{ours:?}");
        let loss = ours.received.loss_percent();
        assert!((2.0..9.0).contains(&loss), "{loss}");
        let round_trip = ours.round_trip_us.expect("reports came back");
        assert!(round_trip.abs_diff(80_000) < 3000, "{round_trip}");
        let seen = theirs.peer.expect("the peer reported").lost;
        assert!(
            (i64::from(seen) - ours.received.lost()).abs() <= 5,
            "{seen} {ours:?}"
        );
        assert!(ours.reports_received >= 30 && ours.reports_sent >= 38);
        let peer = theirs.peer.expect("the peer reported");
        assert_eq!(f64::from(peer.jitter_ts) / 8.0, peer.jitter_ms);
        assert!(theirs.blocks.blocks >= 30, "{:?}", theirs.blocks);
        assert!((ours.jitter.max_ts / 8.0 - ours.jitter.max).abs() < 1e-9);
        let quality = ours.quality.expect("G.711 is known");
        assert!((60.0..88.0).contains(&quality.r_factor), "{quality:?}");
        assert_eq!(
            (ours.jitter.max < 1.5, ours.errors),
            (true, PacketErrors::default())
        );
        assert_eq!(ours.peer_ssrc, Some(2 - side as u32));
    }
    call.lose = |_| false;
    call.sides[0].close(call.streams[0]);
    call.collect(0);
    call.run_until(Micros::from_ms(20_100));
    assert_eq!(call.sides[1].events_of(call.streams[1]), [Event::Goodbye]);
}

#[test]
fn who_only_receives_reports_as_receiver() {
    let mut call = Call::new(reporting, Micros::from_ms(1));
    call.op(0, tone(Length::Endless));
    call.run_until(Micros::from_ms(3000));
    assert!(call.report(0).peer.is_some_and(|peer| peer.lost == 0));
    assert_eq!(
        (call.report(1).sent_packets, call.report(1).round_trip_us),
        (0, None)
    );
    // Who neither sends nor hears says nothing.
    let mut quiet = Call::new(reporting, Micros::from_ms(1));
    quiet.run_until(Micros::from_ms(3000));
    assert_eq!(quiet.report(0).reports_sent, 0);
}

#[test]
fn every_suite_carries_audio_and_reports() {
    for suite in Suite::ALL {
        let key = |seed: u8| {
            let bytes = vec![seed; suite.key_len() + suite.salt_len()];
            MasterKey::new(*suite, Relaxed::default(), &bytes).unwrap()
        };
        let mut call = Call::new(reporting, Micros::from_ms(5));
        call.keys(0, &key(1), &key(2));
        call.keys(1, &key(2), &key(1));
        call.op(0, tone(Length::Endless));
        call.op(1, tone(Length::Endless));
        call.run_until(Micros::from_ms(2000));
        for side in 0..2 {
            let report = call.report(side);
            assert!(
                report.received.packets >= 99 && report.received.lost() == 0,
                "{suite:?} {report:?}"
            );
            assert!(
                report.reports_received >= 2 && report.round_trip_us.is_some(),
                "{suite:?}"
            );
            assert_eq!(report.errors, PacketErrors::default());
        }
        // A renegotiation with the same keys changes nothing; with others of one side only, everything is refused.
        call.keys(0, &key(1), &key(2));
        call.run_until(Micros::from_ms(2500));
        assert_eq!(call.report(1).errors, PacketErrors::default(), "{suite:?}");
        call.keys(0, &key(3), &key(2));
        call.run_until(Micros::from_ms(3500));
        let errors = call.report(1).errors;
        assert!(errors.authentication >= 49, "{suite:?} {errors:?}");
        assert_eq!(call.report(0).errors, PacketErrors::default());
    }
}

#[test]
fn reports_and_digits_are_told_in_clear_where_that_is_asked_for() {
    let suite = Suite::ALL[0];
    let key = |seed: u8| {
        let bytes = vec![seed; suite.key_len() + suite.salt_len()];
        MasterKey::new(suite, Relaxed::default(), &bytes).unwrap()
    };
    let mut call = Call::new(reporting, Micros::from_ms(5));
    call.keys(0, &key(1), &key(2));
    call.keys(1, &key(2), &key(1));
    call.op(0, tone(Length::Endless));
    call.run_until(Micros::from_ms(1000));
    assert!(call.sides.iter().all(|side| side.reports.is_empty()));
    for side in &mut call.sides {
        side.engine.tell_reports();
    }
    let digits = Op::Dtmf {
        digits: b"7".as_slice().into(),
        params: crate::dtmf::DtmfParams::default(),
    };
    call.op(0, digits);
    call.run_until(Micros::from_ms(3003));
    for side in 0..2 {
        let of = |world: &World, sent| -> Vec<Vec<u8>> {
            let of = world.reports.iter().filter(|(ours, _)| *ours == sent);
            of.map(|(_, bytes)| bytes.clone()).collect()
        };
        let (sent, came) = (
            of(&call.sides[side], true),
            of(&call.sides[1 - side], false),
        );
        assert!(came.len() >= 3, "{}", came.len());
        assert!(sent.ends_with(&came) || sent[..sent.len() - 1].ends_with(&came));
        for bytes in &sent {
            let compound = crate::rtcp::Compound::parse(bytes).expect("in clear");
            assert!(compound.packets().count() >= 2);
        }
    }
    let told = call.sides[0].events_of(call.streams[0]);
    let left = told.iter().filter_map(|event| match event {
        Event::DigitLeft(left) => Some((left.digit, left.duration, left.ended)),
        _ => None,
    });
    assert_eq!(left.collect::<Vec<_>>(), [(Some(b'7'), 800, true)]);
    let blocks = call.report(0).blocks;
    assert!(
        blocks.blocks >= 4 && blocks.min_jitter <= blocks.max_jitter,
        "{blocks:?}"
    );
}

#[test]
fn an_echo_comes_back_as_it_was_sent() {
    for keys in [false, true] {
        let mut call = Call::new(params, Micros::from_ms(2));
        if keys {
            let key = |seed: u8| {
                MasterKey::new(Suite::AesCm128Sha1_32, Relaxed::default(), &[seed; 30]).unwrap()
            };
            call.keys(0, &key(1), &key(2));
            call.keys(1, &key(2), &key(1));
        }
        let pattern = Op::Play(Box::new(Play {
            clip: Clip::pattern(Codec::Pcma, 2).unwrap(),
            payload_type: 8,
            shape: Codec::Pcma.packet_of(20).unwrap(),
            length: Length::Endless,
            pattern: Some(0xbb),
        }));
        call.op(0, pattern);
        call.run_until(Micros::from_ms(500));
        let count = call.report(0).pattern.expect("a pattern is played");
        assert_eq!(count.errors, count.packets);
        assert!(count.has_failed(1.0));
        call.op(1, Op::Echo(true));
        call.run_until(Micros::from_ms(1500));
        let count = call.report(0).pattern.expect("a pattern is played");
        assert_eq!((count.packets, count.errors), (76, 26));
        assert!(!count.has_failed(1.0) && count.has_failed(0.3));
        assert_eq!(call.report(0).received.packets, call.report(1).sent_packets);
        // The echo keeps our source.
        assert_eq!(call.report(0).peer_ssrc, Some(1));
        call.op(1, Op::Echo(false));
        call.run_until(Micros::from_ms(1600));
        let count = call.report(0).pattern.expect("a pattern is played");
        assert_eq!(count.errors, 26 + 5);
    }
}

#[test]
fn numbers_roll_over_under_every_suite_though_packets_are_lost_there() {
    for suite in Suite::ALL {
        let key = |seed: u8| {
            let bytes = vec![seed; suite.key_len() + suite.salt_len()];
            MasterKey::new(*suite, Relaxed::default(), &bytes).unwrap()
        };
        // Twice 65,536 numbers are too many packets: one rollover, by a third of the packets missing.
        let near_the_end = |ssrc| StreamParams {
            sequence: 65_480,
            timestamp: u32::MAX - 8000,
            ..reporting(ssrc)
        };
        let mut call = Call::new(near_the_end, Micros::from_ms(5));
        call.keys(0, &key(1), &key(2));
        call.keys(1, &key(2), &key(1));
        call.lose = |rng| rng.u32(..3) == 0;
        call.op(0, tone(Length::Endless));
        call.op(1, tone(Length::Endless));
        call.run_until(Micros::from_ms(4000));
        for side in 0..2 {
            let (report, sent) = (call.report(side), call.report(1 - side).sent_packets);
            assert_eq!(report.errors, PacketErrors::default(), "{suite:?}");
            assert!(
                sent.abs_diff(report.received.expected) <= 10,
                "{suite:?} {report:?}"
            );
            let loss = report.received.loss_percent();
            assert!((20.0..45.0).contains(&loss), "{suite:?} {loss}");
            assert!(report.jitter.max < 1.5, "{suite:?} {:?}", report.jitter);
            assert!(report.reports_received > 0, "{suite:?}");
        }
    }
}

#[test]
fn packets_from_before_a_rollover_are_opened_behind_it_and_not_twice() {
    for suite in Suite::ALL {
        let bytes = vec![5; suite.key_len() + suite.salt_len()];
        let key = MasterKey::new(*suite, Relaxed::default(), &bytes).unwrap();
        let mut world = World::new();
        let [from, to] = [1, 2].map(|ssrc| {
            let stream = world.open(StreamParams {
                sequence: 65_531,
                ..params(ssrc)
            });
            let keys = Keys {
                send: key.clone(),
                receive: key.clone(),
            };
            world.op(stream, Op::Keys(Some(Box::new(keys))));
            stream
        });
        world.op(from, tone(Length::Endless));
        world.run_until(Micros::from_ms(180));
        let sent = world.taken();
        assert_eq!(sent.len(), 10);
        // 65,535 is the fifth.
        for index in [0, 1, 2, 6, 3, 5, 4, 9, 8, 7] {
            world.packet(to, Port::Rtp, &sent[index].bytes);
        }
        for again in &sent {
            world.packet(to, Port::Rtp, &again.bytes);
        }
        let report = world.report(to);
        let received = report.received;
        assert_eq!(
            (received.packets, received.lost(), received.duplicates),
            (10, 0, 0),
            "{suite:?}"
        );
        let errors = PacketErrors {
            replayed: 10,
            ..PacketErrors::default()
        };
        assert_eq!(report.errors, errors, "{suite:?}");
    }
}
