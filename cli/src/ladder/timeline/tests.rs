// SPDX-License-Identifier: AGPL-3.0-only
//! Captures made here, and the lanes, bars and figures that come of them.

use super::super::Charset;
use super::*;
use gossipper_capture::write::Writer;
use gossipper_capture::{Datagram, ReadOptions};
use gossipper_media::rtp::Header;
use std::net::SocketAddr;
use std::time::Duration;

const CALLER: &str = "192.0.2.1:5060";
const CALLED: &str = "192.0.2.2:5060";

/// Datagrams of a capture, in any order.
#[derive(Default)]
struct Made(Vec<Datagram>);

impl Made {
    fn add(&mut self, ms: u64, from: &str, to: &str, payload: Vec<u8>) {
        let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        self.0.push(Datagram {
            frame: 0,
            time: Duration::from_millis(1_000_000 + ms),
            source: address(from),
            destination: address(to),
            payload,
        });
    }

    fn message(&mut self, ms: u64, call: &str, head: &str, port: u16) {
        let is_request = !head.starts_with("SIP/2.0");
        let (from, to) = match is_request {
            true => (CALLER, CALLED),
            false => (CALLED, CALLER),
        };
        let ip = from.split(':').next().expect("an address");
        let body = match port {
            0 => String::new(),
            port => format!(
                "v=0\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
                 a=rtpmap:101 telephone-event/8000\r\n"
            ),
        };
        let text = format!(
            "{head}\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
             Call-ID: {call}\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.add(ms, from, to, text.into_bytes());
    }

    fn rtp(&mut self, ms: u64, from: &str, to: &str, header: Header, payload: &[u8]) {
        let mut out = Vec::new();
        header.append(payload, &mut out);
        self.add(ms, from, to, out);
    }

    fn capture(mut self) -> gossipper_capture::Capture {
        self.0.sort_by_key(|datagram| datagram.time);
        let mut writer = Writer::new();
        for datagram in &self.0 {
            writer.datagram(datagram).expect("it fits");
        }
        gossipper_capture::read(&writer.into_bytes(), &ReadOptions::default()).expect("a capture")
    }
}

/// A second of sound with a packet lost, a digit in it, and a stream of somebody else.
fn call() -> Made {
    let mut made = Made::default();
    made.message(0, "one@example", "INVITE sip:c@d SIP/2.0", 4000);
    made.message(50, "one@example", "SIP/2.0 200 OK", 5000);
    made.message(1500, "one@example", "BYE sip:c@d SIP/2.0", 0);
    for index in 0..50u16 {
        let header = |payload_type, timestamp| Header {
            marker: index == 0,
            payload_type,
            sequence: index,
            timestamp,
            ssrc: 7,
        };
        let ms = 100 + 20 * u64::from(index);
        let (from, to) = ("192.0.2.1:4000", "192.0.2.2:5000");
        match index {
            20 => {}
            // The digit 5, whose duration grows.
            30..35 => {
                let duration = 160 * (index - 29);
                let [high, low] = duration.to_be_bytes();
                made.rtp(ms, from, to, header(101, 4800), &[5, 10, high, low]);
            }
            _ => made.rtp(
                ms,
                from,
                to,
                header(8, 160 * u32::from(index)),
                &[0xd5; 160],
            ),
        }
        made.rtp(
            ms,
            "198.51.100.1:4000",
            "198.51.100.2:4000",
            Header {
                ssrc: 9,
                ..header(0, 160 * u32::from(index))
            },
            &[0xff; 160],
        );
    }
    made
}

#[test]
fn a_lane_has_the_bars_the_digit_and_the_loss_of_its_stream() {
    let capture = call().capture();
    let (timeline, note) = timeline(&capture, None).expect("a call");
    assert_eq!(note, None);
    assert_eq!(timeline.span_us, 1_500_000);
    let names: Vec<&str> = timeline.messages.iter().map(|mark| &*mark.label).collect();
    assert_eq!(names, ["INVITE", "200", "BYE"]);
    let [lane] = &timeline.lanes[..] else {
        panic!("{:?}", timeline.lanes);
    };
    assert_eq!(lane.name, "192.0.2.1:4000 → 192.0.2.2:5000");
    let bars: Vec<(&str, u64, bool)> = (lane.bars.iter())
        .map(|bar| (&*bar.label, bar.from_us / 1000, bar.event))
        .collect();
    assert_eq!(
        bars,
        [
            ("PCMA/8000", 100, false),
            ("5", 700, true),
            ("PCMA/8000", 800, false)
        ]
    );
    assert_eq!(lane.lost_us, [520_000]);
    assert!(
        lane.figures
            .starts_with("49 packets, 1 lost, 0 late, jitter 0."),
        "{}",
        lane.figures
    );
    let drawn = svg(&timeline);
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
    assert!(drawn.contains("class=\"bar digit\"") && drawn.contains("class=\"lost\""));
    let drawn = text(&timeline, Charset::Ascii);
    assert!(drawn.is_ascii(), "{drawn}");
    assert!(drawn.contains("=5") && drawn.contains('!'), "{drawn}");
    assert!(drawn.lines().all(|line| line.len() <= 100), "{drawn}");
}

#[test]
fn a_call_is_chosen_by_its_id_and_a_capture_without_sip_is_drawn_whole() {
    let mut made = call();
    made.message(10, "two@example", "INVITE sip:c@d SIP/2.0", 4100);
    let capture = made.capture();
    let (_, note) = timeline(&capture, None).expect("a call");
    assert!(note.is_some_and(|note| note.contains("2 calls")));
    assert!(timeline(&capture, Some("one")).is_ok());
    let why = |wanted| timeline(&capture, Some(wanted)).expect_err(wanted);
    assert!(why("example").contains("2 calls"));
    assert!(why("three").contains("no call"));
    assert!(why("two").contains("no RTP"));
    let mut whole = call();
    whole
        .0
        .retain(|datagram| !datagram.source.to_string().ends_with(":5060"));
    let whole = whole.capture();
    let (drawn, _) = timeline(&whole, None).expect("streams");
    assert_eq!((drawn.lanes.len(), drawn.messages.len()), (2, 0));
    let nothing = Made::default().capture();
    assert!(timeline(&nothing, None).is_err());
}
