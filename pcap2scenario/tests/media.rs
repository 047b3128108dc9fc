// SPDX-License-Identifier: AGPL-3.0-only
//! What flows beside the signalling: who sent it, when it is played, pressed keys, video, fax, encryption.

mod common;

use common::script::Talk;
use common::{file, round_trip};
use gossipper_capture::{Capture, Datagram, ReadOptions, read};
use gossipper_pcap2scenario::{Conversion, Options, Timing, convert};
use std::net::SocketAddr;
use std::time::Duration;

const CALLER: &str = "10.0.0.1:4000";
const CALLEE: &str = "10.0.0.2:5000";

const CALL: [&str; 6] = [
    "> INVITE | sdp 4000",
    "< 180",
    "< 200 | sdp 5000",
    "> ACK",
    "> BYE | @6000",
    "< 200",
];

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn send(capture: &mut Capture, at_ms: u64, from: &str, to: &str, payload: Vec<u8>) {
    capture.frames += 1;
    capture.datagrams.push(Datagram {
        frame: capture.frames,
        time: Duration::from_secs(1_700_000_000) + Duration::from_millis(at_ms),
        source: address(from),
        destination: address(to),
        payload,
    });
}

fn rtp(payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type, 0, 1];
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 9]);
    packet.extend_from_slice(payload);
    packet
}

/// A packet every 20 ms in both directions.
fn talk(capture: &mut Capture, from_ms: u64, to_ms: u64) {
    for at in (from_ms..to_ms).step_by(20) {
        let packet = rtp(0, at as u32 * 8, &[0x55; 160]);
        send(capture, at, CALLER, CALLEE, packet.clone());
        send(capture, at + 3, CALLEE, CALLER, packet);
    }
}

fn made(capture: &Capture, options: &Options) -> Conversion {
    let conversion = convert(capture, options);
    round_trip(&conversion, true);
    conversion
}

/// The datagrams of a capture that was made.
fn packets(conversion: &Conversion, name: &str) -> Vec<Datagram> {
    let file = conversion.files.iter().find(|file| file.name == name);
    let file = file.unwrap_or_else(|| panic!("no {name}"));
    let capture = read(&file.bytes, &ReadOptions::default()).expect("a capture");
    capture.datagrams
}

#[test]
fn each_side_plays_what_it_sent_from_when_it_sent_it() {
    let mut capture = Talk::new("call").say(&CALL);
    talk(&mut capture, 1000, 5000);
    // RTCP of both is nobody's media, nor is what belongs to another call.
    send(
        &mut capture,
        2000,
        "10.0.0.1:4001",
        "10.0.0.2:5001",
        vec![0x80, 200, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    send(
        &mut capture,
        2000,
        "10.0.0.7:4000",
        "10.0.0.8:5000",
        rtp(0, 1, &[0; 160]),
    );
    let made = made(&capture, &Options::default());
    assert_eq!(made.calls[0].media, "audio 200/200");
    assert_eq!(
        made.calls[0].files[2..],
        ["caller_rtp.pcap", "callee_rtp.pcap"]
    );
    let sent = packets(&made, "caller_rtp.pcap");
    assert_eq!(sent.len(), 200);
    assert!(sent.iter().all(|packet| packet.source == address(CALLER)));
    assert_eq!(sent[1].time - sent[0].time, Duration::from_millis(20));
    let uac = file(&made, "scenario_uac.xml");
    let order = [
        "CSeq: 1 ACK",
        "<pause milliseconds=\"600\"/>",
        "<exec play_pcap_audio=\"caller_rtp.pcap\"/>",
        "<pause milliseconds=\"5000\"/>",
        "CSeq: 2 BYE",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|text| uac.find(text).unwrap_or_else(|| panic!("{text}\n{uac}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}\n{uac}");
    let uas = file(&made, "scenario_uas.xml");
    let (ack, play, bye) = (
        uas.find("<recv request=\"ACK\""),
        uas.find("<exec play_pcap_audio=\"callee_rtp.pcap\"/>"),
        uas.find("<recv request=\"BYE\""),
    );
    assert!(ack < play && play < bye, "{uas}");
    // It ends where its file ends, which SIPp can do too; in a hurry it has to be told.
    assert!(!uac.contains("rtp_stream") && !uas.contains("rtp_stream"));
    let hurried = Options {
        timing: Timing::None,
        ..Options::default()
    };
    let hurried = convert(&capture, &hurried);
    round_trip(&hurried, true);
    let uac = file(&hurried, "scenario_uac.xml");
    let (stop, bye) = (
        uac.find("<exec rtp_stream=\"stop\"/>").expect("stopped"),
        uac.find("CSeq: 2 BYE").expect("a BYE"),
    );
    assert!(
        stop < bye && uac.contains("SIPp does not know `rtp_stream`"),
        "{uac}"
    );
}

#[test]
fn early_media_is_played_early() {
    let mut capture = Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "< 183 | sdp 5000",
        "< 200 | sdp 5000 | @4000",
        "> ACK",
        "> BYE | @6000",
        "< 200",
    ]);
    for at in (500..3000).step_by(20) {
        send(
            &mut capture,
            at,
            CALLEE,
            CALLER,
            rtp(0, at as u32, &[0; 160]),
        );
    }
    let made = convert(&capture, &Options::default());
    round_trip(&made, false);
    let uas = file(&made, "scenario_uas.xml");
    let play = uas.find("play_pcap_audio").expect("played");
    assert!(
        play < uas.find("SIP/2.0 200 OK").expect("answered"),
        "{uas}"
    );
    assert!(!file(&made, "scenario_uac.xml").contains("play_pcap"));
}

#[test]
fn media_after_a_hold_is_a_piece_of_its_own() {
    let mut capture = Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "< 200 | sdp 5000",
        "> ACK",
        "> INVITE | held 4000 | @3000",
        "< 200 | sdp 5000",
        "> ACK",
        "> INVITE | sdp 4000 | @8000",
        "< 200 | sdp 5000",
        "> ACK",
        "> BYE | @12000",
        "< 200",
    ]);
    talk(&mut capture, 500, 2900);
    talk(&mut capture, 8500, 11_000);
    let made = made(&capture, &Options::default());
    let uac = file(&made, "scenario_uac.xml");
    for text in ["caller_rtp.pcap", "caller_rtp_part2.pcap"] {
        assert_eq!(uac.matches(&format!("\"{text}\"")).count(), 1, "{uac}");
        assert!(!packets(&made, text).is_empty());
    }
}

#[test]
fn pressed_keys_are_recognised_and_sent_as_events_if_wanted() {
    let mut capture = Talk::new("call").say(&CALL);
    talk(&mut capture, 1000, 5000);
    for (press, (at, event)) in [(2000u64, 1u8), (2300, 2), (2600, 11), (4400, 5)]
        .into_iter()
        .enumerate()
    {
        for packet in 0..4 {
            let timestamp = 90_000 + press as u32 * 1000;
            let end = if packet == 3 { 0x80 } else { 0 };
            let payload = [event, end | 10, 0, 160];
            send(
                &mut capture,
                at + packet * 20 + 7,
                CALLER,
                CALLEE,
                rtp(101, timestamp, &payload),
            );
        }
    }
    let media = made(&capture, &Options::default());
    assert_eq!(media.calls[0].media, "audio 216/200, keys 12# 5");
    let uac = file(&media, "scenario_uac.xml");
    assert!(
        !uac.contains("send_dtmf") && uac.contains("Digits 12#: part of the media."),
        "{uac}"
    );
    let events = made(
        &capture,
        &Options {
            dtmf_events: true,
            ..Options::default()
        },
    );
    let uac = file(&events, "scenario_uac.xml");
    for text in ["<exec send_dtmf=\"12#\"/>", "<exec send_dtmf=\"5\"/>"] {
        assert!(uac.contains(text), "{uac}");
    }
    assert!(!file(&events, "scenario_uas.xml").contains("send_dtmf"));
    assert_eq!(packets(&events, "caller_rtp.pcap").len(), 200);
}

#[test]
fn keys_of_another_payload_type_than_the_peer_named_are_recognised() {
    // The caller uses its own number, and one that nobody has named; 8 is what it says.
    for (payload_type, keys) in [(97, ", keys 7"), (110, ", keys 7"), (8, "")] {
        let mut capture = Talk::new("call").say(&CALL);
        for message in capture
            .messages
            .iter_mut()
            .filter(|message| message.source == address("10.0.0.1:5060"))
        {
            let text = String::from_utf8(message.bytes.clone()).expect("ASCII");
            let text = text
                .replace("RTP/AVP 0 101", "RTP/AVP 0 97 ")
                .replace("rtpmap:101 ", "rtpmap:97  ");
            message.bytes = text.into_bytes();
        }
        talk(&mut capture, 1000, 5000);
        for packet in 0..4 {
            let end = if packet == 3 { 0x80 } else { 0 };
            let payload = [7, end | 10, 0, 160];
            send(
                &mut capture,
                2000 + packet * 20 + 7,
                CALLER,
                CALLEE,
                rtp(payload_type, 90_000, &payload),
            );
        }
        let media = made(&capture, &Options::default());
        assert_eq!(media.calls[0].media, format!("audio 204/200{keys}"));
    }
}

#[test]
fn video_and_fax_have_files_of_their_own() {
    let sdp = |ip: &str, audio: u16, more: &str| {
        format!(
            "body application/sdp v=0\\no=me 1 1 IN IP4 {ip}\\ns=-\\nc=IN IP4 {ip}\\nt=0 0\\nm=audio {audio} RTP/AVP 0\\n{more}\\n"
        )
    };
    let offer = format!(
        "> INVITE | {}",
        sdp(
            "10.0.0.1",
            4000,
            "m=video 4002 RTP/AVP 96\\na=rtpmap:96 H264/90000"
        )
    );
    let answer = format!(
        "< 200 | {}",
        sdp(
            "10.0.0.2",
            5000,
            "m=video 5002 RTP/AVP 96\\na=rtpmap:96 H264/90000"
        )
    );
    let fax = format!(
        "< INVITE | @3000 | {}",
        sdp("10.0.0.2", 0, "m=image 5004 udptl t38")
    );
    let taken = format!("> 200 | {}", sdp("10.0.0.1", 0, "m=image 4004 udptl t38"));
    let mut capture = Talk::new("call").say(&[
        &offer,
        &answer,
        "> ACK",
        &fax,
        &taken,
        "< ACK",
        "> BYE | @6000",
        "< 200",
    ]);
    talk(&mut capture, 500, 2500);
    for at in (600..2500).step_by(40) {
        send(
            &mut capture,
            at,
            "10.0.0.2:5002",
            "10.0.0.1:4002",
            rtp(96, at as u32, &[1; 400]),
        );
    }
    for at in (3500..5000).step_by(30) {
        send(
            &mut capture,
            at,
            "10.0.0.1:4004",
            "10.0.0.2:5004",
            vec![0, 1, 0x60, 0, 0],
        );
    }
    let made = made(&capture, &Options::default());
    assert_eq!(made.calls[0].media, "audio 100/100, video 0/48, t38 50/0");
    assert!(file(&made, "scenario_uas.xml").contains("play_pcap_video=\"callee_video.pcap\""));
    assert!(file(&made, "scenario_uac.xml").contains("play_pcap_image=\"caller_t38.pcap\""));
}

#[test]
fn encrypted_media_is_left_out_and_said() {
    let sdp = |ip: &str, port: u16| {
        format!(
            "body application/sdp v=0\\no=me 1 1 IN IP4 {ip}\\ns=-\\nc=IN IP4 {ip}\\nt=0 0\\nm=audio {port} RTP/SAVP 0\\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\\n"
        )
    };
    let (offer, answer) = (
        format!("> INVITE | {}", sdp("10.0.0.1", 4000)),
        format!("< 200 | {}", sdp("10.0.0.2", 5000)),
    );
    let mut capture = Talk::new("call").say(&[&offer, &answer, "> ACK", "> BYE | @6000", "< 200"]);
    talk(&mut capture, 500, 2500);
    let made = made(&capture, &Options::default());
    assert_eq!(made.calls[0].media, "SRTP 200");
    assert_eq!(made.files.len(), 2);
    let uac = file(&made, "scenario_uac.xml");
    assert!(
        uac.contains("Note: its media is encrypted (SRTP): 200 packets are left out"),
        "{uac}"
    );
    assert!(
        uac.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"),
        "{uac}"
    );
}

#[test]
fn media_behind_address_translation_is_found_by_the_host_that_announced_it() {
    let mut capture = Talk::new("call").say(&CALL);
    for message in &mut capture.messages {
        let text = String::from_utf8(message.bytes.clone()).expect("ASCII");
        message.bytes = text
            .replace("c=IN IP4 10.0.0.1", "c=IN IP4 192.168.1.1")
            .into_bytes();
    }
    talk(&mut capture, 1000, 2000);
    let made = made(&capture, &Options::default());
    assert_eq!(made.calls[0].media, "audio 50/50");
}
