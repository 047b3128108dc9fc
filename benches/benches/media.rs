// SPDX-License-Identifier: AGPL-3.0-only
//! Instruction counts of media packets under callgrind, each figure for a packet of 20 ms of G.711 unless it says more.
//!
//! Run with `cargo xtask bench`, or one of them with `cargo xtask bench seal`.
#![expect(
    missing_docs,
    reason = "the macros of the harness make public items without documentation"
)]

use gossipper_media::engine::{
    EngineParams, FirstPacket, Format, Input, Keys, Length, MediaEngine, MediaOut, Op, Play, Port,
    Remote, StreamKey, StreamParams,
};
use gossipper_media::receive::{Receiver, Timing};
use gossipper_media::rtp::{Header, Packet};
use gossipper_media::srtp::{MasterKey, Opener, Relaxed, Sealer, Suite};
use gossipper_media::tone::Sound;
use gossipper_media::{Clip, Codec, Micros};
use gungraun::{library_benchmark, library_benchmark_group, main};
use std::hint::black_box;

const HEADER: Header = Header {
    marker: false,
    payload_type: 8,
    sequence: 7,
    timestamp: 1120,
    ssrc: 0xca11_0000,
};

fn packet(sequence: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let header = Header { sequence, ..HEADER };
    header.append(&[0xd5; 160], &mut out);
    out
}

fn clip() -> (Clip, Vec<u8>) {
    let clip = Clip::synthetic(Codec::Pcma, Sound::default(), 160);
    (clip, Vec::with_capacity(256))
}

// A header and its payload out of a shared clip, into a buffer that is there.
#[library_benchmark]
#[bench::pcma(clip())]
fn write((clip, mut out): (Clip, Vec<u8>)) -> (usize, Clip, Vec<u8>) {
    black_box(HEADER).append(&[], &mut out);
    let at = clip.append(black_box(160), 160, &mut out);
    (black_box(at), clip, out)
}

// A packet is read and counted.
#[library_benchmark]
#[bench::pcma((packet(7), Receiver::new(8000)))]
fn receive((packet, mut receiver): (Vec<u8>, Receiver)) -> (Vec<u8>, Receiver) {
    if let Ok(read) = Packet::parse(black_box(&packet)) {
        let len = read.payload.len();
        receiver.on_packet(Micros(20_000), &read.header, len, Timing::Sampled);
    }
    (packet, receiver)
}

fn key(suite: Suite) -> MasterKey {
    let bytes = vec![7; suite.key_len() + suite.salt_len()];
    MasterKey::new(suite, Relaxed::default(), &bytes).expect("a key of the right length")
}

fn sealer(suite: Suite) -> (Sealer, Vec<u8>) {
    let mut sealer = Sealer::new(key(suite));
    // The source is known from the packet before.
    let mut before = packet(6);
    sealer.seal_rtp(&mut before, 0).expect("a packet");
    (sealer, packet(7))
}

// A packet is sealed where it lies.
#[library_benchmark]
#[bench::aes_cm_128_sha1_80(sealer(Suite::AesCm128Sha1_80))]
#[bench::null_sha1_80(sealer(Suite::NullSha1_80))]
#[bench::aead_aes_128_gcm(sealer(Suite::AeadAes128Gcm))]
fn seal((mut sealer, mut packet): (Sealer, Vec<u8>)) -> (Sealer, Vec<u8>) {
    sealer
        .seal_rtp(black_box(&mut packet), 0)
        .expect("a packet");
    (sealer, packet)
}

fn opener(suite: Suite) -> (Opener, Vec<u8>) {
    let (mut sealer, mut sealed) = sealer(suite);
    sealer.seal_rtp(&mut sealed, 0).expect("a packet");
    (Opener::new(key(suite)), sealed)
}

// And opened again.
#[library_benchmark]
#[bench::aes_cm_128_sha1_80(opener(Suite::AesCm128Sha1_80))]
#[bench::aead_aes_128_gcm(opener(Suite::AeadAes128Gcm))]
fn open((mut opener, mut packet): (Opener, Vec<u8>)) -> (usize, Opener, Vec<u8>) {
    let len = opener.open_rtp(black_box(&mut packet)).expect("our key");
    (black_box(len), opener, packet)
}

/// Streams of the bench of the engine.
const STREAMS: u64 = 1000;

fn engine(secured: bool) -> (MediaEngine, Vec<StreamKey>, MediaOut) {
    let mut engine = MediaEngine::new(EngineParams {
        unix_us: 0,
        name: b"bench@host".as_slice().into(),
    });
    let mut out = MediaOut::default();
    let format = Format {
        codec: Codec::Pcma,
        payload_type: 8,
        events: None,
        channels: 1,
    };
    let (clip, _) = clip();
    let shape = Codec::Pcma.packet_of(20).expect("its own length");
    let peer = ([192, 0, 2, 1], 4000).into();
    let streams = (0..STREAMS)
        .map(|index| {
            // Spread over the period, its end included.
            let now = Micros((index + 1) * 20_000 / STREAMS);
            let stream = engine.open(
                now,
                StreamParams {
                    ssrc: index as u32,
                    sequence: 0,
                    timestamp: 0,
                    format,
                    marks: true,
                    first_packet: FirstPacket::AtOnce,
                    report_interval: Some(Micros::from_ms(5000)),
                },
            );
            let remote = Remote {
                rtp: Some(peer),
                rtcp: None,
                held: false,
            };
            let key = key(Suite::AesCm128Sha1_80);
            let keys = Keys {
                send: key.clone(),
                receive: key,
            };
            let play = Play {
                clip: clip.clone(),
                payload_type: 8,
                shape,
                length: Length::Endless,
                pattern: None,
            };
            for op in [
                Op::Remote(remote),
                Op::Keys(secured.then(|| Box::new(keys))),
                Op::Play(Box::new(play)),
            ] {
                engine.handle(now, Input::Op { stream, op }, &mut out);
            }
            stream
        })
        .collect();
    // As in a run, the memory of what is sent is there.
    out.bytes.reserve(1 << 20);
    out.clear();
    (engine, streams, out)
}

type Running = (MediaEngine, Vec<StreamKey>, MediaOut);

// A thousand streams send their packet of 20 ms: divide by a thousand.
#[library_benchmark]
#[bench::thousand_streams(engine(false))]
#[bench::thousand_secured(engine(true))]
fn engine_sends((mut engine, streams, mut out): Running) -> Running {
    let mut sent = 0;
    while let Some(now) = engine.next_deadline().filter(|at| *at <= Micros(40_000)) {
        engine.handle(now, Input::Tick, &mut out);
        sent += out.sends.len();
        out.clear();
    }
    assert_eq!(sent as u64, STREAMS);
    (engine, streams, out)
}

// A thousand streams get a packet each.
#[library_benchmark]
#[bench::thousand_streams(engine(false))]
fn engine_receives((mut engine, streams, mut out): Running) -> Running {
    let mut packet = packet(7);
    let from = ([192, 0, 2, 1], 4000).into();
    for stream in &streams {
        let input = Input::Packet {
            stream: *stream,
            port: Port::Rtp,
            from,
            bytes: black_box(&mut packet),
        };
        engine.handle(Micros(1), input, &mut out);
    }
    (engine, streams, out)
}

library_benchmark_group!(
    name = media,
    benchmarks = [write, receive, seal, open, engine_sends, engine_receives]
);

main!(library_benchmark_groups = media);
