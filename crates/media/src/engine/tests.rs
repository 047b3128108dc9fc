// SPDX-License-Identifier: AGPL-3.0-only
//! Streams in virtual time: what leaves, when, and what comes of it.

mod hostile;
mod media;
mod network;
mod sending;

use super::*;
use crate::clip::Clip;
use crate::codec::Codec;
use crate::rtp::Packet;
use crate::tone::Sound;
use core::net::SocketAddr;

const PCMA: Format = Format {
    codec: Codec::Pcma,
    payload_type: 8,
    events: Some(101),
    channels: 1,
};

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn remote() -> Remote {
    Remote {
        rtp: Some(at("192.0.2.9:4000")),
        rtcp: Some(at("192.0.2.9:4001")),
        held: false,
    }
}

fn params(ssrc: u32) -> StreamParams {
    StreamParams {
        ssrc,
        sequence: 0,
        timestamp: 0,
        format: PCMA,
        marks: true,
        first_packet: FirstPacket::AtOnce,
        report_interval: None,
    }
}

fn play_clip(clip: Clip, length: Length) -> Op {
    let codec = clip.codec();
    Op::Play(Box::new(Play {
        clip,
        payload_type: codec.params().payload_type,
        shape: codec.packet_of(20).expect("packets of 20 ms"),
        length,
        pattern: None,
    }))
}

fn tone(length: Length) -> Op {
    play_clip(Clip::synthetic(Codec::Pcma, Sound::default(), 160), length)
}

/// A packet that left.
#[derive(Clone, Debug)]
struct Left {
    at: Micros,
    send: Send,
    bytes: Vec<u8>,
}

impl Left {
    fn packet(&self) -> Packet<'_> {
        Packet::parse(&self.bytes).expect("what we send is RTP")
    }
}

/// An engine with a clock.
struct World {
    engine: MediaEngine,
    out: MediaOut,
    now: Micros,
    left: Vec<Left>,
    events: Vec<(Micros, StreamKey, Event)>,
    /// Reports that were told: whether they are ours, and their bytes.
    reports: Vec<(bool, Vec<u8>)>,
    file: Vec<u8>,
}

impl World {
    fn new() -> Self {
        Self {
            engine: MediaEngine::new(EngineParams {
                unix_us: 1_700_000_000_000_000,
                name: b"test@host".as_slice().into(),
            }),
            out: MediaOut::default(),
            now: Micros(0),
            left: Vec::new(),
            events: Vec::new(),
            reports: Vec::new(),
            file: Vec::new(),
        }
    }

    fn open(&mut self, params: StreamParams) -> StreamKey {
        let stream = self.engine.open(self.now, params);
        self.op(stream, Op::Remote(remote()));
        stream
    }

    fn op(&mut self, stream: StreamKey, op: Op) {
        self.input(Input::Op { stream, op });
    }

    fn packet(&mut self, stream: StreamKey, port: Port, bytes: &[u8]) {
        self.input(Input::Packet {
            stream,
            port,
            from: at("192.0.2.9:4000"),
            bytes: &mut bytes.to_vec(),
        });
    }

    fn close(&mut self, stream: StreamKey) -> StreamReport {
        let report = self.engine.close(self.now, stream, &mut self.out);
        self.collect();
        report.expect("it was open")
    }

    fn report(&self, stream: StreamKey) -> StreamReport {
        self.engine.report(self.now, stream).expect("it is open")
    }

    fn input(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input, &mut self.out);
        self.collect();
    }

    fn collect(&mut self) {
        for send in &self.out.sends {
            self.left.push(Left {
                at: self.now,
                send: send.clone(),
                bytes: self.out.bytes[send.range.clone()].to_vec(),
            });
        }
        for (stream, event) in &self.out.events {
            self.events.push((self.now, *stream, event.clone()));
        }
        for seen in &self.out.reports {
            let bytes = self.out.bytes[seen.range.clone()].to_vec();
            self.reports.push((seen.sent, bytes));
        }
        for write in &self.out.files {
            let bytes = &self.out.bytes[write.range.clone()];
            match write.at {
                None => self.file.extend_from_slice(bytes),
                Some(at) => {
                    self.file[at as usize..at as usize + bytes.len()].copy_from_slice(bytes)
                }
            }
        }
        self.out.clear();
    }

    /// Sleeps from deadline to deadline.
    fn run_until(&mut self, until: Micros) {
        while let Some(deadline) = self.engine.next_deadline() {
            if deadline > until {
                break;
            }
            self.now = self.now.max(deadline);
            self.input(Input::Tick);
        }
        self.now = until;
    }

    fn events_of(&self, stream: StreamKey) -> Vec<Event> {
        let of = self.events.iter().filter(|(_, key, _)| *key == stream);
        of.map(|(_, _, event)| event.clone()).collect()
    }

    fn taken(&mut self) -> Vec<Left> {
        core::mem::take(&mut self.left)
    }
}
