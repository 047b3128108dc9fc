// SPDX-License-Identifier: AGPL-3.0-only
//! Reports in virtual time: two streams of an engine that hear each other, and a collector that is a socket.

use super::*;
use crate::hep::{Exporter, HepConfig, HepMedia, HepTransport};
use gossipper_hep::decode;
use gossipper_media::engine::{
    EngineParams, FirstPacket, Format, Input, Length, MediaEngine, MediaOut, Op, Play, Remote,
    StreamParams,
};
use gossipper_media::rtcp::{Compound, RtcpPacket};
use gossipper_media::tone::Sound;
use gossipper_media::{Clip, Codec};
use std::net::UdpSocket;

/// When the run began, in µs since 1970.
const WALL: u64 = 1_769_854_272_000_000;

const ENDS: [&str; 2] = ["127.0.0.1:4000", "127.0.0.1:5000"];

/// A stream that speaks and one that hears it, until so many ms have passed.
struct World {
    engine: MediaEngine,
    out: MediaOut,
    streams: [StreamKey; 2],
    now: Micros,
}

fn end(index: usize) -> SocketAddr {
    ENDS[index].parse().expect("an address")
}

impl World {
    fn new() -> Self {
        let mut engine = MediaEngine::new(EngineParams {
            unix_us: WALL,
            name: b"me".as_slice().into(),
        });
        let mut out = MediaOut::default();
        let format = Format {
            codec: Codec::Pcma,
            payload_type: 8,
            events: None,
            channels: 1,
        };
        let streams = [0, 1].map(|index| {
            let params = StreamParams {
                ssrc: 7 + index as u32,
                sequence: 0,
                timestamp: 0,
                format,
                marks: true,
                first_packet: FirstPacket::AfterInterval,
                report_interval: None,
            };
            let stream = engine.open(Micros(0), params);
            let remote = Remote {
                rtp: Some(end(1 - index)),
                rtcp: None,
                held: false,
            };
            let op = Op::Remote(remote);
            engine.handle(Micros(0), Input::Op { stream, op }, &mut out);
            stream
        });
        let shape = Codec::Pcma.packet_of(20).expect("it has packets of 20 ms");
        let play = Play {
            clip: Clip::synthetic(Codec::Pcma, Sound::default(), shape.payload_len),
            payload_type: 8,
            shape,
            length: Length::Endless,
            pattern: None,
        };
        let (stream, op) = (streams[0], Op::Play(Box::new(play)));
        engine.handle(Micros(0), Input::Op { stream, op }, &mut out);
        Self {
            engine,
            out,
            streams,
            now: Micros(0),
        }
    }

    /// Lets time pass; every tenth packet is lost on its way to the other.
    fn until(&mut self, ms: u64) {
        let mut count = 0;
        while let Some(due) = self.engine.next_deadline().filter(|due| due.0 <= ms * 1000) {
            self.now = due;
            self.engine.handle(due, Input::Tick, &mut self.out);
            let sends = std::mem::take(&mut self.out.sends);
            for send in sends {
                count += 1;
                if count % 10 == 0 {
                    continue;
                }
                let mut packet = self.out.bytes[send.range].to_vec();
                let input = Input::Packet {
                    stream: self.streams[1],
                    port: Port::Rtp,
                    from: end(0),
                    bytes: &mut packet,
                };
                self.engine.handle(due, input, &mut self.out);
            }
            self.out.clear();
        }
        self.now = Micros::from_ms(ms);
    }

    /// What is due, as a shard does it.
    fn report(&self, reports: &mut Reports) {
        for rtcp in [true, false] {
            while let Some(stream) = reports.due(self.now, rtcp) {
                let index = usize::from(stream == self.streams[1]);
                let report = self.engine.report(self.now, stream).expect("it is open");
                if rtcp {
                    reports.tell_rtcp(self.now, &report, [end(index); 2], stream);
                } else {
                    let occasion = Occasion::Periodic;
                    reports.tell_short(self.now, &report, end(index), stream, occasion);
                }
            }
        }
    }
}

/// What the collector gets of reports until the world has gone on for so long: kinds, times in ms, and payloads.
fn told(media: HepMedia, ms: &[u64]) -> Vec<(PayloadType, u64, Vec<u8>)> {
    let collector = UdpSocket::bind("127.0.0.1:0").expect("it binds");
    let config = HepConfig {
        transport: HepTransport::Udp,
        host: String::new(),
        address: collector.local_addr().expect("an address"),
        capture_id: 1,
        password: None,
        media,
    };
    let exporter = Exporter::start(&config, false).expect("a thread");
    let mirror = exporter.media().expect("it is to tell of media");
    let mut reports = Reports::new(mirror, end(0).ip(), WALL);
    let mut world = World::new();
    let streams = world.streams;
    reports.began(Micros(0), b"a@b", streams.into_iter());
    for ms in ms {
        world.until(*ms);
        world.report(&mut reports);
    }
    reports.hand_over();
    drop(reports);
    let sent = exporter.close().sent;
    (0..sent)
        .map(|_| {
            let mut buffer = vec![0; 65_536];
            let len = collector.recv(&mut buffer).expect("it was sent");
            let packet = decode(&buffer[..len]).expect("a packet of HEP");
            assert_eq!(packet.correlation_id, Some(&b"a@b"[..]));
            let at = packet.at.as_micros() - WALL;
            (packet.payload_type, at / 1000, packet.payload.to_vec())
        })
        .collect()
}

#[test]
fn who_sends_is_reported_every_five_seconds_and_who_is_silent_is_not() {
    let media = HepMedia {
        rtcp: Some(HepRtcp::Raw),
        reports: false,
    };
    let told = told(media, &[4_999, 5_000, 9_999, 10_000]);
    let told: Vec<_> = (told.iter())
        .map(|(kind, at, payload)| {
            assert_eq!((*kind, payload.len()), (PayloadType::RTCP, 28));
            let compound = Compound::parse(payload).expect("RTCP");
            match compound.packets().next() {
                Some(RtcpPacket::SenderReport { ssrc, info, .. }) => {
                    (*at, ssrc, info.packets, info.octets, info.rtp_timestamp)
                }
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            (5_000, 7, 250, 40_000, 40_000),
            (10_000, 7, 500, 80_000, 80_000)
        ]
    );
}

#[test]
fn json_has_the_share_that_was_lost_since_the_report_before() {
    let media = HepMedia {
        rtcp: Some(HepRtcp::Json),
        reports: false,
    };
    let told = told(media, &[5_000, 10_000]);
    let told: Vec<serde_json::Value> = (told.iter())
        .map(|(_, _, json)| serde_json::from_slice(json).expect("JSON"))
        .collect();
    assert_eq!(told.len(), 4, "{told:?}");
    let (sender, receiver) = (&told[2], &told[3]);
    assert_eq!((&sender["type"], &sender["ssrc"]), (&200.into(), &7.into()));
    assert_eq!(sender["sender_information"]["packets"], 500);
    assert_eq!(sender["report_blocks"].as_array().map(Vec::len), Some(0));
    assert_eq!(
        (&receiver["type"], &receiver["ssrc"]),
        (&201.into(), &8.into())
    );
    let block = &receiver["report_blocks"][0];
    assert_eq!(
        (&block["source_ssrc"], &block["highest_seq_no"]),
        (&7.into(), &498.into())
    );
    // Every tenth; the last of them was not missed yet.
    assert_eq!(block["packets_lost"], 49);
    assert_eq!(block["fraction_lost"], 25 * 256 / 250);
}

#[test]
fn short_reports_come_every_ten_seconds_and_know_the_lowest_score() {
    let media = HepMedia {
        rtcp: None,
        reports: true,
    };
    let told = told(media, &[5_000, 10_000, 20_000]);
    let told: Vec<(u64, serde_json::Value)> = (told.iter())
        .map(|(kind, at, json)| {
            assert_eq!(*kind, PayloadType::RTP_QUALITY);
            (*at, serde_json::from_slice(json).expect("JSON"))
        })
        .collect();
    let times: Vec<u64> = told.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [10_000, 10_000, 20_000, 20_000]);
    let (sent, heard) = (&told[2].1, &told[3].1);
    assert_eq!((&sent["DIR"], &sent["TOTAL_PK"]), (&1.into(), &1000.into()));
    assert!(sent.get("MOS").is_none(), "nobody said how it came: {sent}");
    assert_eq!(
        (&heard["DIR"], &heard["TYPE"]),
        (&0.into(), &"PERIODIC".into())
    );
    assert_eq!(
        (&heard["EXPECTED_PK"], &heard["PACKET_LOSS"]),
        (&999.into(), &99.into())
    );
    assert_eq!(
        (&heard["SRC_PORT"], &heard["DST_PORT"]),
        (&4000.into(), &5000.into())
    );
    assert_eq!(heard["MAX_DELTA"], 40.0);
    // 20 ms, and every tenth time twice as long.
    let delta = heard["DELTA"].as_f64().expect("a number");
    assert!((22.1..22.3).contains(&delta), "{delta}");
    assert_eq!(
        (&heard["JITTER"], &heard["SKEW"]),
        (&0.0.into(), &0.0.into())
    );
    assert_eq!(
        (&heard["ONE_WAY_RTP"], &heard["SSRC"]),
        (&1.into(), &"0x00000007".into())
    );
    assert_eq!(heard["REPORT_START"], WALL);
    assert_eq!(heard["REPORT_END"], WALL + 20_000_000);
    let score = |name: &str| heard[name].as_f64().unwrap_or_else(|| panic!("{heard}"));
    assert!(score("MIN_MOS") <= score("MEAN_MOS") && score("MEAN_MOS") <= score("MAX_MOS"));
    assert!(score("MOS") > 1.0 && score("RFACTOR") < 93.3);
}
