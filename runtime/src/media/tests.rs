// SPDX-License-Identifier: AGPL-3.0-only
//! Where calls learn to send, in virtual time: offers and answers in whichever message, holds, moves, keys.
//!
//! Time is the test's; sockets are real, and what is sent to one of this machine lies there when sending returns.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use gossipper_media::Codec;
use gossipper_media::rtp::{Header, Packet};
use gossipper_media::srtp::{CryptoLine, Opener, Sealer};
use gossipper_vm::SdpPlace::{self, Acknowledgement, Request, Response};
use gossipper_vm::{CallKey, Micros, SdpOf};
use slotmap::SlotMap;

use super::config::MediaConfig;
use super::*;

/// Two streams of a call; a tone on the first, a pattern on the second.
const SCENARIO: &str = r#"<scenario><send><![CDATA[
OPTIONS sip:a@[remote_ip] SIP/2.0
Via: SIP/2.0/UDP [local_ip];branch=[branch]
From: <sip:b@[local_ip]>;tag=[call_number]
To: <sip:a@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
X: [rtpstream_audio_port] [rtpstream_video_port]
Content-Length: 0

]]></send><recv response="200"><action><exec rtp_stream="synthetic,-1"/><exec rtp_stream="vpattern,1,96,H264/90000"/></action></recv></scenario>"#;

const AUDIO: usize = 0;
const VIDEO: usize = 1;

/// A pair of sockets of the peer.
struct There {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl There {
    fn new() -> Self {
        // Somebody else may have the port above.
        let pairs = std::iter::repeat_with(|| {
            let rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let above = rtp.local_addr().ok()?.port().checked_add(1)?;
            let rtcp = UdpSocket::bind((Ipv4Addr::LOCALHOST, above)).ok()?;
            Some(Self { rtp, rtcp })
        });
        let pair = pairs.take(100).flatten().next().expect("two ports");
        for socket in [&pair.rtp, &pair.rtcp] {
            socket.set_nonblocking(true).expect("a socket");
        }
        pair
    }

    fn port(&self) -> u16 {
        self.rtp.local_addr().expect("bound").port()
    }
}

/// What lies in a socket, with who sent it.
fn taken(socket: &UdpSocket) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut buffer = [0; 2048];
    let next = || {
        let (len, from) = socket.recv_from(&mut buffer).ok()?;
        Some((from, buffer[..len].to_vec()))
    };
    std::iter::from_fn(next).collect()
}

/// Media of one call.
struct Stage {
    reactor: tokio::runtime::Runtime,
    media: Media,
    call: CallKey,
    ports: [u16; 2],
    now: Micros,
}

impl Stage {
    fn new(srtp: SrtpPolicy) -> Self {
        let options = gossipper_compiler::Options::default();
        let compiled = gossipper_compiler::compile("test.xml", SCENARIO.as_bytes(), &options);
        let program = compiled
            .program
            .unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
        let config = MediaConfig {
            rules: MediaRules::Own,
            srtp,
            ..MediaConfig::default()
        };
        let plan = Plan::new(&program, config, 7, Vec::new()).expect("no files");
        let reactor = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a reactor");
        let media = {
            let _context = reactor.enter();
            let setup = MediaSetup {
                mirror: None,
                plan: Arc::new(plan),
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                range: PortRange {
                    first: 0,
                    end: u16::MAX,
                    stripe: 0,
                    stripes: 1,
                },
                backend: Backend::Auto,
                media_port: 6000,
                wall_base_us: 1_700_000_000_000_000,
                recorder: None,
                per_call: 2,
            };
            Media::new(setup)
        };
        let mut stage = Self {
            reactor,
            media,
            call: SlotMap::with_key().insert(()),
            ports: [0; 2],
            now: Micros(0),
        };
        {
            // Sockets are made within it.
            let _context = stage.reactor.enter();
            let ports = stage.media.supply(stage.now).expect("ports");
            stage.ports = [ports[0], ports[1]];
        }
        let ports = stage.ports;
        stage.media.began(stage.now, stage.call, 1, b"call", ports);
        stage
    }

    /// Plays on both streams.
    fn plays(mut self) -> Self {
        for action in 0..2 {
            let action = gossipper_bytecode::MediaId::new(action).expect("an action");
            self.media.act(self.now, self.call, action, b"");
        }
        self.media.flush();
        self
    }

    fn says(&mut self, of: SdpOf, place: SdpPlace, cseq: u32, lines: &str) {
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{lines}"
        );
        self.media
            .described(self.now, self.call, of, (place, cseq), body.as_bytes());
        self.media.flush();
    }

    fn we_say(&mut self, place: SdpPlace, cseq: u32, lines: &str) {
        self.says(SdpOf::Us, place, cseq, lines);
    }

    fn peer_says(&mut self, place: SdpPlace, cseq: u32, lines: &str) {
        let of = SdpOf::Peer {
            declared: true,
            may_move_play: true,
        };
        self.says(of, place, cseq, lines);
    }

    /// Lets time pass.
    fn pass(&mut self, ms: u64) {
        let until = Micros(self.now.0 + ms * 1000);
        while let Some(due) = self.media.next_deadline().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            while self.media.tick(self.now) {}
            self.media.flush();
        }
        self.now = until;
    }

    /// Packets of audio within 200 ms, to each of these.
    fn within_200_ms(&mut self, there: &[&There]) -> Vec<usize> {
        for there in there {
            taken(&there.rtp);
        }
        self.pass(200);
        let count = |there: &&There| {
            let packets = taken(&there.rtp);
            packets.iter().filter(|(_, bytes)| !is_rtcp(bytes)).count()
        };
        there.iter().map(count).collect()
    }

    /// A packet comes to the call's port.
    fn hears(&mut self, there: &There, mut bytes: Vec<u8>) {
        let input = Input::Packet {
            stream: self.media.calls[self.call].streams[AUDIO].expect("a stream"),
            port: Port::Rtp,
            from: there.rtp.local_addr().expect("bound"),
            bytes: &mut bytes,
        };
        let media = &mut self.media;
        media.engine.handle(micros(self.now), input, &mut media.out);
        media.settle(micros(self.now));
    }

    /// Packets of RTP that the call has accepted.
    fn received(&self) -> u64 {
        let stream = self.media.calls[self.call].streams[AUDIO].expect("a stream");
        let report = self.media.engine.report(micros(self.now), stream);
        report.expect("it is open").received.packets
    }
}

fn audio(port: u16, more: &str) -> String {
    format!("m=audio {port} RTP/AVP 8\r\n{more}")
}

#[test]
fn an_offer_in_the_200_is_answered_in_the_ack() {
    let mut stage = Stage::new(SrtpPolicy::Unsaid).plays();
    let there = There::new();
    assert_eq!(stage.within_200_ms(&[&there]), [0], "nobody said where");
    let offer = format!("m=audio {} RTP/AVP 9 8 0\r\n", there.port());
    stage.peer_says(Response, 1, &offer);
    let payload = |stage: &Stage| stage.media.calls[stage.call].agreed.payload(AUDIO);
    assert_eq!(payload(&stage), Some((9, Codec::G722)));
    stage.we_say(
        Acknowledgement,
        1,
        &format!("m=audio {} RTP/AVP 0\r\n", stage.ports[AUDIO]),
    );
    assert_eq!(stage.within_200_ms(&[&there]), [10]);
    // The answer decides what is spoken.
    assert_eq!(payload(&stage), Some((0, Codec::Pcmu)));
}

#[test]
fn a_re_invite_moves_the_port_and_so_does_an_update() {
    let mut stage = Stage::new(SrtpPolicy::Unsaid).plays();
    let there = [There::new(), There::new(), There::new()];
    let all: Vec<&There> = there.iter().collect();
    let ours = audio(stage.ports[AUDIO], "");
    stage.we_say(Request, 1, &ours);
    stage.peer_says(Response, 1, &audio(there[0].port(), ""));
    assert_eq!(stage.within_200_ms(&all), [10, 0, 0]);
    // The peer's INVITE has numbers of its own.
    stage.peer_says(Request, 1, &audio(there[1].port(), ""));
    stage.we_say(Response, 1, &ours);
    assert_eq!(stage.within_200_ms(&all), [0, 10, 0]);
    // Our UPDATE, and its answer.
    stage.we_say(Request, 2, &ours);
    stage.peer_says(Response, 2, &audio(there[2].port(), ""));
    assert_eq!(stage.within_200_ms(&all), [0, 0, 10]);
    // The INVITE of ours that describes nothing, whose 200 offers and whose ACK answers.
    stage.peer_says(Response, 3, &audio(there[0].port(), ""));
    stage.we_say(Acknowledgement, 3, &ours);
    assert_eq!(stage.within_200_ms(&all), [10, 0, 0]);
}

#[test]
fn a_peer_that_holds_gets_no_packets_until_it_resumes() {
    let mut stage = Stage::new(SrtpPolicy::Unsaid).plays();
    let there = There::new();
    let ours = audio(stage.ports[AUDIO], "");
    stage.we_say(Request, 1, &ours);
    stage.peer_says(Response, 1, &audio(there.port(), ""));
    let mut cseq = 10;
    for hold in ["a=sendonly\r\n", "a=inactive\r\n", "c=IN IP4 0.0.0.0\r\n"] {
        for (lines, packets) in [(hold, 0), ("a=recvonly\r\n", 10), (hold, 0), ("", 10)] {
            cseq += 1;
            stage.peer_says(Request, cseq, &audio(there.port(), lines));
            stage.we_say(Response, cseq, &ours);
            assert_eq!(
                stage.within_200_ms(&[&there]),
                [packets],
                "{hold:?} {lines:?}"
            );
        }
    }
    // It is we who say that we send nothing, once the peer agrees; reports go on.
    stage.we_say(Request, 2, &audio(stage.ports[AUDIO], "a=inactive\r\n"));
    assert_eq!(stage.within_200_ms(&[&there]), [10], "it may refuse");
    stage.peer_says(Response, 2, &audio(there.port(), ""));
    assert_eq!(stage.within_200_ms(&[&there]), [0]);
    stage.we_say(Request, 3, &ours);
    stage.peer_says(Response, 3, &audio(there.port(), ""));
    assert_eq!(stage.within_200_ms(&[&there]), [10]);
    // A stream that is refused, or not spoken of any more.
    stage.peer_says(Request, 90, &audio(0, ""));
    assert_eq!(stage.within_200_ms(&[&there]), [0]);
    stage.peer_says(Request, 91, &audio(there.port(), ""));
    assert_eq!(stage.within_200_ms(&[&there]), [10]);
    stage.peer_says(Request, 92, "m=video 4 RTP/AVP 96\r\n");
    assert_eq!(stage.within_200_ms(&[&there]), [0]);
}

#[test]
fn each_stream_has_the_address_of_its_own_line() {
    let mut stage = Stage::new(SrtpPolicy::Unsaid).plays();
    let there = [There::new(), There::new()];
    let elsewhere = UdpSocket::bind(("127.0.0.2", 0)).expect("a port");
    elsewhere.set_nonblocking(true).expect("a socket");
    let port = elsewhere.local_addr().expect("bound").port();
    let lines = format!(
        "m=audio {} RTP/AVP 8\r\nm=video {port} RTP/AVP 96\r\nc=IN IP4 127.0.0.2\r\na=rtpmap:96 H264/90000\r\n",
        there[0].port()
    );
    stage.we_say(Request, 1, &audio(stage.ports[AUDIO], ""));
    stage.peer_says(Response, 1, &lines);
    stage.pass(1000);
    let (heard, seen) = (taken(&there[0].rtp), taken(&elsewhere));
    assert!(
        heard
            .iter()
            .all(|(from, _)| from.port() == stage.ports[AUDIO])
    );
    assert!(
        seen.iter()
            .all(|(from, _)| from.port() == stage.ports[VIDEO])
    );
    // 20 ms and 160 ms.
    assert_eq!((heard.len(), seen.len()), (50, 6));
}

#[test]
fn reports_share_the_port_where_both_want_it() {
    const MUX: &str = "a=rtcp-mux\r\n";
    let reports = |ours: &str, theirs: &str, we_offer: bool| {
        let mut stage = Stage::new(SrtpPolicy::Unsaid).plays();
        let there = There::new();
        let (ours, theirs) = (audio(stage.ports[AUDIO], ours), audio(there.port(), theirs));
        if we_offer {
            stage.we_say(Request, 1, &ours);
            stage.peer_says(Response, 1, &theirs);
        } else {
            stage.peer_says(Request, 1, &theirs);
            stage.we_say(Response, 1, &ours);
        }
        stage.pass(1000);
        let shared = taken(&there.rtp);
        let shared = shared.iter().filter(|(_, bytes)| is_rtcp(bytes)).count();
        let above = taken(&there.rtcp);
        let from = |port: u16| above.iter().all(|(from, _)| from.port() == port);
        assert!(from(stage.ports[AUDIO] + 1), "{above:?}");
        (shared > 0, !above.is_empty())
    };
    for we_offer in [true, false] {
        assert_eq!(reports("", "", we_offer), (false, true));
        assert_eq!(reports(MUX, MUX, we_offer), (true, false), "{we_offer}");
        assert_eq!(reports(MUX, "", we_offer), (false, true));
        assert_eq!(reports("", MUX, we_offer), (false, true));
    }
}

#[test]
fn a_port_for_reports_is_used_where_the_other_one_is_not_shared() {
    for (ours, shared) in [("", false), ("a=rtcp-mux\r\n", true)] {
        let mut stage = Stage::new(SrtpPolicy::Unsaid).plays();
        let (there, apart) = (There::new(), There::new());
        stage.we_say(Request, 1, &audio(stage.ports[AUDIO], ours));
        let lines = format!("a=rtcp:{} IN IP4 127.0.0.1\r\na=rtcp-mux\r\n", apart.port());
        stage.peer_says(Response, 1, &audio(there.port(), &lines));
        stage.pass(1000);
        assert_eq!(taken(&apart.rtp).is_empty(), shared);
        assert!(taken(&there.rtcp).is_empty(), "nobody named that port");
    }
}

#[test]
fn each_number_of_our_description_has_the_clock_of_its_codec() {
    let mut stage = Stage::new(SrtpPolicy::Unsaid);
    let there = There::new();
    let formats = "RTP/AVP 111 97 0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:97 iLBC/8000\r\n";
    stage.we_say(
        Request,
        1,
        &format!("m=audio {} {formats}", stage.ports[AUDIO]),
    );
    stage.peer_says(Response, 1, &format!("m=audio {} {formats}", there.port()));
    let stream = stage.media.calls[stage.call].streams[AUDIO].expect("a stream");
    let (mut sequence, mut timestamp) = (0, 0);
    for (payload_type, step, ms) in [(111, 960, 20), (97, 240, 30), (0, 160, 20)] {
        for _ in 0..20 {
            let header = Header {
                marker: false,
                payload_type,
                sequence,
                timestamp,
                ssrc: 9,
            };
            let mut bytes = Vec::new();
            header.append(&[0; 50], &mut bytes);
            stage.hears(&there, bytes);
            sequence += 1;
            timestamp += step;
            stage.pass(ms);
        }
        let report = stage.media.engine.report(micros(stage.now), stream);
        let jitter = report.expect("it is open").jitter;
        assert!(jitter.max < 0.1, "{payload_type}: {jitter:?}");
    }
}

/// A crypto line with this key.
fn crypto(key: u8) -> (String, CryptoLine) {
    let key = gossipper_sip::aka::base64_encode(&[key; 30]);
    let text = format!(
        "1 AES_CM_128_HMAC_SHA1_80 inline:{}",
        String::from_utf8_lossy(&key)
    );
    let line = CryptoLine::parse(text.as_bytes()).expect("a line");
    (format!("a=crypto:{text}\r\n"), line)
}

/// Whether packets of ours to it can be opened with this key, and the packets of that one reach us.
fn keys_are(stage: &mut Stage, there: &There, ours: &CryptoLine, theirs: &CryptoLine) -> bool {
    taken(&there.rtp);
    stage.pass(100);
    let mut opener = Opener::new(ours.key.clone());
    let sent = taken(&there.rtp);
    let mut sent = sent.into_iter().filter(|(_, bytes)| !is_rtcp(bytes));
    let (_, mut packet) = sent.next().expect("a packet");
    let opened = opener
        .open_rtp(&mut packet)
        .is_ok_and(|len| Packet::parse(&packet[..len]).is_ok());
    let mut bytes = Vec::new();
    let header = Header {
        marker: false,
        payload_type: 8,
        sequence: (stage.now.0 / 100_000) as u16,
        timestamp: 0,
        ssrc: 9,
    };
    header.append(&[0xd5; 160], &mut bytes);
    let mut sealer = Sealer::new(theirs.key.clone());
    sealer.seal_rtp(&mut bytes, 0).expect("it fits");
    let before = stage.received();
    stage.hears(there, bytes);
    opened && stage.received() == before + 1
}

#[test]
fn keys_are_those_of_the_last_offer_and_its_answer_whoever_made_it() {
    let mut stage = Stage::new(SrtpPolicy::Use).plays();
    let there = There::new();
    let keys: Vec<(String, CryptoLine)> = (1..=8).map(crypto).collect();
    let secure = |port: u16, key: &str| format!("m=audio {port} RTP/SAVP 8\r\n{key}");
    let (our_port, their_port) = (stage.ports[AUDIO], there.port());
    let (ours, theirs) = (
        |n: usize| secure(our_port, &keys[n].0),
        |n: usize| secure(their_port, &keys[n].0),
    );
    // In the INVITE and a 183, and the same again in the 200.
    stage.we_say(Request, 1, &ours(0));
    for _ in 0..2 {
        stage.peer_says(Response, 1, &theirs(1));
    }
    assert!(keys_are(&mut stage, &there, &keys[0].1, &keys[1].1));
    // Our INVITE says nothing: the 200 offers, the ACK answers.
    stage.peer_says(Response, 2, &theirs(3));
    stage.we_say(Acknowledgement, 2, &ours(2));
    assert!(keys_are(&mut stage, &there, &keys[2].1, &keys[3].1));
    // The peer's INVITE says nothing either; its number is one that we had.
    stage.we_say(Response, 2, &ours(4));
    stage.peer_says(Acknowledgement, 2, &theirs(5));
    assert!(keys_are(&mut stage, &there, &keys[4].1, &keys[5].1));
    // An offer in a 183, answered in the PRACK, which has a number of its own.
    stage.peer_says(Response, 3, &theirs(7));
    stage.we_say(Acknowledgement, 4, &ours(6));
    assert!(keys_are(&mut stage, &there, &keys[6].1, &keys[7].1));
    assert!(
        !keys_are(&mut stage, &there, &keys[0].1, &keys[7].1),
        "a wrong key is one"
    );
}
