// SPDX-License-Identifier: AGPL-3.0-only
//! A running call is sent what no stack should send, on both of its ports: it is counted, the call goes on, and what is good
//! between is heard.

mod by_hand;

use by_hand::{GOSSIPPER, Peer, request, start};
use gossipper_media::rtcp::append_receiver_report;
use gossipper_media::rtp::Header;
use gossipper_media::srtp::{MasterKey, Relaxed, Sealer, Suite};
use std::net::{SocketAddr, UdpSocket};
use tempfile::TempDir;

/// The key of both sides.
const KEY: [u8; 30] = [7; 30];

/// Good packets, among which the others come.
const GOOD: u16 = 20;

fn stream(port: &str, keyed: bool) -> String {
    let key = String::from_utf8(gossipper_sip::aka::base64_encode(&KEY)).expect("base64");
    let (profile, line) = match keyed {
        true => (
            "RTP/SAVP",
            format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n"),
        ),
        false => ("RTP/AVP", String::new()),
    };
    format!(
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} {profile} 8\n{line}"
    )
}

/// Ends when all good packets were heard, or none came for too long.
fn caller(keyed: bool) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"caller\">\n{}<recv response=\"200\"/>\n{}\
         <nop><action><exec rtpcheck=\"min_packets={GOOD},timeout_ms=30000,direction=recv\"/></action></nop>\n\
         {}<recv response=\"200\"/></scenario>\n",
        request("INVITE", 1, &stream("[rtpstream_audio_port]", keyed)),
        request("ACK", 1, ""),
        request("BYE", 2, ""),
    )
}

/// Answers a call by hand, and does something to its media port. What the program printed when it was over.
fn call(keyed: bool, flags: &str, disturb: impl FnOnce(&UdpSocket, u16)) -> String {
    let folder = TempDir::with_prefix("gossipper-hostile-").expect("a folder");
    std::fs::write(folder.path().join("caller.xml"), caller(keyed)).expect("written");
    let peer = Peer::new();
    let line = format!(
        "-sf caller.xml 127.0.0.1:{} -i 127.0.0.1 -m 1 -nostdin -timeout 60 {flags}",
        peer.sip_port()
    );
    let client = start(GOSSIPPER, folder.path(), &line);
    let mut disturb = Some(disturb);
    let description = stream(&peer.media_port().to_string(), keyed);
    peer.answer(&description, |theirs| {
        if let Some(disturb) = disturb.take() {
            disturb(&peer.media, theirs);
        }
    });
    let ended = client.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{ended:?}");
    out
}

/// A packet of RTP with silence.
fn good(number: u16) -> Vec<u8> {
    let header = Header {
        marker: number == 0,
        payload_type: 8,
        sequence: 65_530_u16.wrapping_add(number),
        timestamp: u32::from(number) * 160,
        ssrc: 0xfeed,
    };
    let mut bytes = Vec::new();
    header.append(&[0xd5; 160], &mut bytes);
    bytes
}

fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = good(1);
    change(&mut bytes);
    bytes
}

/// Datagrams that are no RTP.
fn malformed() -> Vec<Vec<u8>> {
    vec![
        // Short: nothing, a byte, a header without its end, sources that are not there.
        Vec::new(),
        vec![0x80],
        good(1)[..11].to_vec(),
        changed(|bytes| {
            bytes.truncate(20);
            bytes[0] = 0x8f;
        }),
        // Another version, and no version.
        changed(|bytes| bytes[0] = 0x40),
        changed(|bytes| bytes[0] = 0xc0),
        // An extension of 65,535 words.
        changed(|bytes| {
            bytes[0] = 0x90;
            bytes[12..16].copy_from_slice(&[0xbe, 0xde, 0xff, 0xff]);
        }),
        // Padding of more bytes than there are, and of none.
        changed(|bytes| {
            bytes[0] = 0xa0;
            *bytes.last_mut().expect("a payload") = 161;
        }),
        changed(|bytes| {
            bytes[0] = 0xa0;
            *bytes.last_mut().expect("a payload") = 0;
        }),
        b"OPTIONS sip:a SIP/2.0\r\n\r\n".to_vec(),
    ]
}

/// Compounds that are no RTCP, for the port above.
fn malformed_reports() -> Vec<Vec<u8>> {
    let mut report = Vec::new();
    append_receiver_report(1, &[], &mut report);
    let mut long = report.clone();
    long[2..4].copy_from_slice(&[0xff, 0xff]);
    let mut many = report.clone();
    many[0] = 0x9f;
    vec![
        report[..3].to_vec(),
        long,
        many,
        vec![0; 1400],
        vec![0xff; 1400],
    ]
}

/// The number in front of a word of the summary's line about RTP.
fn figure(out: &str, what: &str) -> usize {
    let line = out.lines().find(|line| line.starts_with("RTP  "));
    let line = line.unwrap_or_else(|| panic!("{out}"));
    let part = line
        .split("  ")
        .find_map(|part| part.trim().strip_suffix(what));
    part.map_or(0, |part| {
        part.trim().parse().unwrap_or_else(|_| panic!("{line}"))
    })
}

fn send(socket: &UdpSocket, port: u16, bytes: &[u8]) {
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    socket.send_to(bytes, to).expect("sent");
}

#[test]
fn a_call_in_clear_survives_whatever_comes() {
    let out = call(false, "", |socket, port| {
        let mut bad = malformed().into_iter();
        for number in 0..GOOD {
            if let Some(bytes) = bad.next() {
                send(socket, port, &bytes);
            }
            if number == 5 {
                for bytes in malformed_reports() {
                    send(socket, port + 1, &bytes);
                }
            }
            send(socket, port, &good(number));
        }
        assert!(bad.next().is_none(), "all were sent");
    });
    let useless = malformed().len() + malformed_reports().len();
    assert_eq!(figure(&out, " useless"), useless, "{out}");
    // Datagrams, and how many of them were of a stream.
    assert!(figure(&out, " lost") == 0, "{out}");
    assert!(out.contains("Heard      1 streams"), "{out}");
}

#[test]
fn an_encrypted_call_survives_wrong_keys_replays_and_clear_packets() {
    let key = |bytes: &[u8]| {
        MasterKey::new(Suite::AesCm128Sha1_80, Relaxed::default(), bytes).expect("its length")
    };
    let sealed = |sealer: &mut Sealer, number: u16| {
        let mut bytes = good(number);
        sealer.seal_rtp(&mut bytes, 0).expect("it fits");
        bytes
    };
    let out = call(true, "-media_srtp", |socket, port| {
        let (mut ours, mut wrong) = (Sealer::new(key(&KEY)), Sealer::new(key(&[8; 30])));
        let mut first = Vec::new();
        for number in 0..GOOD {
            let bytes = sealed(&mut ours, number);
            send(socket, port, &bytes);
            if number == 0 {
                first = bytes;
                continue;
            }
            match number % 5 {
                // A replay, of the one before and of an old one.
                0 => send(socket, port, &bytes),
                1 => send(socket, port, &first),
                2 => send(socket, port, &sealed(&mut wrong, number)),
                3 => send(socket, port, &good(number)),
                _ => {
                    let mut broken = bytes;
                    broken[40] ^= 1;
                    broken.truncate(170);
                    send(socket, port, &broken);
                }
            }
        }
        for bytes in malformed() {
            send(socket, port, &bytes);
        }
        for mut bytes in malformed_reports() {
            bytes.resize(bytes.len().max(60), 0);
            send(socket, port + 1, &bytes);
        }
    });
    // All of those between may come before the check is passed or behind it, but each good one is heard.
    let between = usize::from(GOOD) - 1;
    assert!(figure(&out, " useless") >= between - 1, "{out}");
    assert_eq!(figure(&out, " lost"), 0, "{out}");
    assert!(out.contains("Heard      1 streams"), "{out}");
}
