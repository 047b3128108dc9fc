// SPDX-License-Identifier: AGPL-3.0-only
//! Descriptions as peers write them, and as nobody should.

use super::*;
use proptest::prelude::*;

const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendrecv\r\n\
    m=audio 4000 RTP/SAVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\na=crypto:2 NULL_HMAC_SHA1_80 inline:def\r\n\
    a=ptime:30\r\na=sendonly\r\n\
    m=video 4002 RTP/AVP 96\r\nc=IN IP6 2001:db8::7\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\n\
    m=audio 0 RTP/AVP 0\r\n\
    m=image 4010/2 udptl t38\r\nc=IN IP4 224.2.1.1/127/3\r\na=rtcp:5000 IN IP4 192.0.2.77\r\n";

fn at(text: &str) -> Option<SocketAddr> {
    Some(text.parse().expect("an address"))
}

#[test]
fn each_stream_has_its_own_endpoint() {
    let media: Vec<_> = Sdp::new(OFFER).media().collect();
    let kinds: Vec<_> = media.iter().map(|media| media.kind()).collect();
    let expected = [
        MediaKind::Audio,
        MediaKind::Video,
        MediaKind::Audio,
        MediaKind::Image,
    ];
    assert_eq!(kinds, expected);
    let rtp: Vec<_> = media.iter().map(|media| media.rtp()).collect();
    let expected = [
        at("192.0.2.1:4000"),
        at("[2001:db8::7]:4002"),
        None,
        at("224.2.1.1:4010"),
    ];
    assert_eq!(rtp, expected);
    let rtcp: Vec<_> = media.iter().map(|media| media.rtcp()).collect();
    let expected = [
        at("192.0.2.1:4001"),
        at("[2001:db8::7]:4002"),
        None,
        at("192.0.2.77:5000"),
    ];
    assert_eq!(rtcp, expected);
}

#[test]
fn payload_types_have_names_and_parameters() {
    let audio = Sdp::new(OFFER).first(MediaKind::Audio).expect("a stream");
    assert_eq!(audio.payload_types().collect::<Vec<_>>(), [8, 0, 101]);
    assert_eq!(audio.rtpmap(8), Some(&b"PCMA/8000"[..]));
    assert_eq!(audio.rtpmap(0), None);
    assert_eq!(audio.fmtp(101), Some(&b"0-16"[..]));
    assert_eq!(audio.payload_type_of(b"Telephone-Event", 8000), Some(101));
    assert_eq!(audio.payload_type_of(b"telephone-event", 48_000), Some(101));
    assert_eq!(audio.payload_type_of(b"opus", 48_000), None);
    assert_eq!(audio.packet_ms(), Some(30));
    assert_eq!(audio.protocol(), b"RTP/SAVP");
    assert_eq!(audio.crypto().count(), 2);
    assert!(
        audio
            .crypto()
            .next()
            .expect("a line")
            .starts_with(b"1 AES_CM_128")
    );
}

#[test]
fn the_event_of_the_right_clock_is_taken() {
    let body = b"m=audio 1 RTP/AVP 111 100 101\na=rtpmap:111 opus/48000/2\na=rtpmap:100 telephone-event/8000\n\
        a=rtpmap:101 telephone-event/48000\n";
    let media = Sdp::new(body).media().next().expect("a stream");
    assert_eq!(media.payload_type_of(b"telephone-event", 48_000), Some(101));
    assert_eq!(media.payload_type_of(b"telephone-event", 8000), Some(100));
}

#[test]
fn hold_is_a_direction_or_an_address() {
    let held = |text: &str| {
        let body = format!("c=IN IP4 192.0.2.1\r\n{text}");
        Sdp::new(body.as_bytes())
            .media()
            .next()
            .expect("a stream")
            .is_held()
    };
    assert!(!held("m=audio 9 RTP/AVP 0\r\n"));
    assert!(held("m=audio 9 RTP/AVP 0\r\na=sendonly\r\n"));
    assert!(held("m=audio 9 RTP/AVP 0\r\na=inactive\r\n"));
    assert!(!held("m=audio 9 RTP/AVP 0\r\na=recvonly\r\n"));
    assert!(held("m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n"));
    // The session's direction counts where the stream says none.
    assert!(held("a=inactive\r\nm=audio 9 RTP/AVP 0\r\n"));
    assert!(!held("a=inactive\r\nm=audio 9 RTP/AVP 0\r\na=sendrecv\r\n"));
}

#[test]
fn the_highest_port_has_none_above_it() {
    let media = Sdp::new(b"m=audio 65535 RTP/AVP 0\nc=IN IP4 192.0.2.1\n")
        .media()
        .next();
    let media = media.expect("a stream");
    assert_eq!((media.rtp(), media.rtcp()), (at("192.0.2.1:65535"), None));
}

#[test]
fn broken_descriptions_have_nothing() {
    for body in [
        &b""[..],
        b"m",
        b"v=0\r\n",
        b"m=",
        b"m=audio",
        b"m=audio x RTP/AVP 0",
        b"m=audio +5 RTP/AVP 0\r\nc=IN IP4 192.0.2.1",
        b"m=audio 70000 RTP/AVP 300\r\nc=IN IP4 192.0.2.1",
        b"m=audio 5 RTP/AVP 0\r\nc=IN IP4",
        b"m=audio 5 RTP/AVP 0\r\nc=IN IP4 host.example",
    ] {
        let sdp = Sdp::new(body);
        assert!(sdp.media().all(|media| media.rtp().is_none()), "{body:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(body in "(?s)([mcav]=|audio |c=IN IP[46] |[0-9./: a-z]|\r\n|\n){0,60}") {
        crate::fuzz::sdp(body.as_bytes());
    }
}
