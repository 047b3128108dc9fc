// SPDX-License-Identifier: AGPL-3.0-only
//! rtpengine in between: both directions, and SRTP on one side of it only.

use crate::relay::Relay;
use crate::stage::{
    HOST, Packets, Part, Place, Runner, STREAM, answerer, assert_exits, base64, caller, finish,
    is_there, media_ports, pause, port,
};
use crate::tshark::{Watch, tshark};
use gossipper_testkit::sipp::{Outcome, Running, Tool};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A string, as its control protocol writes it.
fn string(text: &str) -> String {
    format!("{}:{text}", text.len())
}

/// The client of the control protocol.
struct Control {
    socket: UdpSocket,
    sent: u32,
}

impl Control {
    fn new(to: SocketAddr) -> Self {
        let socket = UdpSocket::bind((HOST, 0)).expect("a port");
        socket.connect(to).expect("an address");
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a time");
        Self { socket, sent: 0 }
    }

    /// One command; nothing if it is not answered in time.
    fn ask(&mut self, pairs: &[(&str, &str)]) -> Option<Vec<u8>> {
        self.sent += 1;
        let cookie = format!("c{}", self.sent);
        let mut text = format!("{cookie} d");
        for (key, value) in pairs {
            text += &string(key);
            text += &string(value);
        }
        text.push('e');
        let give_up = Instant::now() + Duration::from_secs(5);
        let mut buffer = vec![0; 65_536];
        while Instant::now() < give_up {
            // Before it listens the system refuses both.
            if self.socket.send(text.as_bytes()).is_ok()
                && let Ok(len) = self.socket.recv(&mut buffer)
                && buffer[..len].starts_with(cookie.as_bytes())
            {
                return Some(buffer[..len].to_vec());
            }
            std::thread::yield_now();
        }
        None
    }

    /// What becomes of a description on its way to the other side.
    fn exchange(&mut self, body: &[u8], offer: bool, profile: &str) -> Vec<u8> {
        let sdp = String::from_utf8_lossy(body);
        let mut pairs = vec![("command", if offer { "offer" } else { "answer" })];
        pairs.extend([("call-id", "one"), ("from-tag", "caller"), ("sdp", &*sdp)]);
        if offer {
            pairs.push(("transport-protocol", profile));
        } else {
            pairs.push(("to-tag", "callee"));
        }
        let answer = self.ask(&pairs).expect("rtpengine answers");
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (_, rest) = text.split_once("3:sdp").unwrap_or_else(|| panic!("{text}"));
        let (len, rest) = rest.split_once(':').expect("a string");
        rest.as_bytes()[..len.parse().expect("a length")].to_vec()
    }
}

/// One call through it: what the caller's side has, and what the callee's profile is.
fn through(calls: &str, takes: &str, profile: &'static str, flags: [&str; 2]) -> [Outcome; 2] {
    let control = SocketAddr::new(HOST, port());
    let begin = port().min(60_000);
    let line = format!(
        "--config-file=none --foreground --log-stderr --log-level=4 --table=-1 --num-threads=2 --interface=127.0.0.1 \
         --listen-ng={control} --port-min={begin} --port-max={}",
        begin + 400
    );
    let engine = Running::start(
        &Tool::program("rtpengine", "rtpengine"),
        line.split_whitespace().map(str::to_owned).collect(),
    )
    .expect("it starts");
    let mut client = Control::new(control);
    if client.ask(&[("command", "ping")]).is_none() {
        let outcome = engine.interrupt().expect("it ends");
        panic!("{}{}", outcome.stdout, outcome.stderr);
    }
    let runner = Runner::own();
    let (here, there) = (port(), port());
    let mut taking = runner.start(there, takes, flags[1]);
    let callee = SocketAddr::new(HOST, there);
    taking.wait_for_port(callee).expect("it listens");
    let relay = Relay::start(
        callee,
        Box::new(move |body, by_caller| Some(client.exchange(body, by_caller, profile))),
    );
    let calling = runner.start(here, calls, &format!("{} {}", relay.address, flags[0]));
    let outcomes = [finish(calling), finish(taking)];
    drop(relay);
    engine.interrupt().expect("it ends");
    outcomes
}

#[test]
fn both_sides_hear_each_other_through_rtpengine() {
    if !is_there("rtpengine", "--version") {
        return;
    }
    let place = Place::new();
    let tone = place.tone(3);
    let part = Part {
        sdp: STREAM,
        first: &tone,
        then: "",
    };
    let wait = pause(2200);
    let calls = place.write(
        "calls.xml",
        caller(Part {
            then: &wait,
            ..part
        }),
    );
    let takes = place.write("takes.xml", answerer(part));
    let flags = ["calling", "taking"].map(|name| {
        format!(
            "{} -record_wav_dir {}",
            media_ports(),
            place.path(name).display()
        )
    });
    let outcomes = through(&calls, &takes, "RTP/AVP", [&flags[0], &flags[1]]);
    assert_exits(&outcomes, [0, 0]);
    for (outcome, folder) in outcomes.iter().zip(["calling", "taking"]) {
        // It learns where a side is from that side's first packets, and may drop what came before.
        let Packets { sent, received, .. } = Packets::of(outcome);
        assert!(
            sent == 75 && (70..=75).contains(&received),
            "{folder}: {}",
            outcome.stdout
        );
        let share = place.tone_in(folder);
        assert!(share > 0.98, "{folder}: {share}");
    }
}

#[test]
fn rtpengine_decrypts_what_we_encrypt_and_encrypts_what_we_decrypt() {
    if !is_there("rtpengine", "--version") {
        return;
    }
    for (suite, key) in [
        ("AES_CM_128_HMAC_SHA1_80", 30),
        ("AES_CM_128_HMAC_SHA1_32", 30),
        ("AES_256_CM_HMAC_SHA1_80", 46),
        ("AEAD_AES_128_GCM", 28),
        ("AEAD_AES_256_GCM", 44),
    ] {
        let place = Place::new();
        let tone = place.tone(2);
        let wait = pause(1600);
        let secure = format!(
            "m=audio [rtpstream_audio_port] RTP/SAVP 8\na=rtpmap:8 PCMA/8000\na=crypto:1 {suite} inline:{}",
            base64(key)
        );
        let calls = caller(Part {
            sdp: &secure,
            first: &tone,
            then: &wait,
        });
        let calls = place.write("calls.xml", calls);
        let takes = place.write(
            "takes.xml",
            answerer(Part {
                sdp: STREAM,
                first: &tone,
                then: "",
            }),
        );
        let ports = [(); 2].map(|()| port() & !1);
        let flags: Vec<String> = ["calling", "taking"]
            .iter()
            .zip(ports)
            .map(|(name, port)| {
                format!("-mp {port} -record_wav_dir {}", place.path(name).display())
            })
            .collect();
        let secret = format!("{} -media_srtp", flags[0]);
        // tshark cannot decrypt; behind rtpengine it need not.
        let file = place.path("clear.pcapng");
        let watch = Watch::start(&file, ports[1]);
        let outcomes = through(&calls, &takes, "RTP/AVP", [&secret, &flags[1]]);
        assert_exits(&outcomes, [0, 0]);
        if let Some(watch) = watch {
            watch.stop();
            let filter = format!("rtp.p_type == 8 && udp.dstport == {}", ports[1]);
            let seen = tshark(&file, &["-Y", &filter, "-T", "fields", "-e", "rtp.payload"]);
            let sound = std::fs::read(place.path("tone.al")).expect("written before");
            let hex: String = sound.iter().map(|byte| format!("{byte:02x}")).collect();
            let packets: Vec<&str> = seen.lines().collect();
            assert!(
                (45..=50).contains(&packets.len()),
                "{suite}: {seen} {}",
                outcomes[0].stdout
            );
            // Each packet is a piece of the file that we encrypted.
            assert!(
                packets.iter().all(|packet| hex.contains(packet)),
                "{suite}: {seen}"
            );
        }
        for (outcome, folder) in outcomes.iter().zip(["calling", "taking"]) {
            let Packets { sent, received, .. } = Packets::of(outcome);
            assert!(
                sent == 50 && (45..=50).contains(&received),
                "{suite}, {folder}: {}",
                outcome.stdout
            );
            assert!(!outcome.stdout.contains("useless"), "{}", outcome.stdout);
            let share = place.tone_in(folder);
            assert!(share > 0.98, "{suite}, {folder}: {share}");
        }
    }
}
