// SPDX-License-Identifier: AGPL-3.0-only
//! The other side of a call: answers made from requests, as a SIP element would make them (RFC 3261 §8.2.6.2).

/// The headers that an answer repeats.
const REPEATED: [&[u8]; 5] = [b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:"];

/// A session description, of the size that a plain audio call has.
const SDP: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                   m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// Answers a request; the answer to an INVITE carries a session description if it is a 200.
#[must_use]
pub fn answer(request: &[u8], code: u16, reason: &str) -> Vec<u8> {
    let mut text = format!("SIP/2.0 {code} {reason}\r\n").into_bytes();
    for line in request.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        if !REPEATED.iter().any(|name| line.starts_with(name)) {
            continue;
        }
        text.extend_from_slice(line);
        let tagged = line.windows(5).any(|window| window == b";tag=");
        if line.starts_with(b"To:") && !tagged && code > 100 {
            text.extend_from_slice(b";tag=peer1");
        }
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"Contact: <sip:192.0.2.9:5060;transport=UDP>\r\n");
    if code == 200 && request.starts_with(b"INVITE") {
        let body = SDP;
        text.extend_from_slice(
            format!(
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        );
    } else {
        text.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }
    text
}

/// What a phone sends back to each request: 100, 180 and 200 to an INVITE, 200 to others, nothing to an ACK.
#[must_use]
pub fn answers(request: &[u8]) -> Vec<Vec<u8>> {
    if request.starts_with(b"INVITE") {
        vec![
            answer(request, 100, "Trying"),
            answer(request, 180, "Ringing"),
            answer(request, 200, "OK"),
        ]
    } else if request.starts_with(b"ACK") {
        Vec::new()
    } else {
        vec![answer(request, 200, "OK")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_repeats_what_identifies_the_request_and_adds_a_tag_once() {
        let invite = b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nTo: <sip:a>\r\nCall-ID: 7\r\n\
                       Subject: x\r\nCSeq: 1 INVITE\r\n\r\nTo: not a header\r\n";
        let [trying, ringing, ok] = &answers(invite)[..] else {
            panic!("three answers to an INVITE");
        };
        let has = |message: &[u8], part: &str| {
            String::from_utf8_lossy(message)
                .lines()
                .any(|line| line == part)
        };
        assert!(has(trying, "To: <sip:a>"));
        assert!(has(ringing, "To: <sip:a>;tag=peer1"));
        assert!(has(ok, "Call-ID: 7") && has(ok, "CSeq: 1 INVITE"));
        assert!(!has(ok, "Subject: x") && !has(ok, "To: not a header"));
        assert!(has(ok, "m=audio 6000 RTP/AVP 0"));
        let bye = b"BYE sip:a SIP/2.0\r\nTo: <sip:a>;tag=peer1\r\n\r\n";
        assert!(has(&answers(bye)[0], "To: <sip:a>;tag=peer1"));
        assert!(answers(b"ACK sip:a SIP/2.0\r\n\r\n").is_empty());
    }
}
