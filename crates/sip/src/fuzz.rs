// SPDX-License-Identifier: AGPL-3.0-only
//! Bodies of the fuzz targets, so that they compile and run with the ordinary tests.
//!
//! Each function takes arbitrary bytes and panics when a promise of this crate is broken. Compiled for tests and behind
//! the feature `internal-fuzz`; not an API for anybody else.

use crate::fields::{FieldAt, FieldScanner, Fields};
use crate::scan::{any_cseq, any_start, cseq_of, plain_start};
use crate::sdp::sipp::{play_endpoints, stream_endpoints};
use crate::sdp::{MediaKind, Sdp};
use crate::uri::{any_param, header_param};
use crate::{
    HeaderName, Message, NameAddr, Presence, SipUri, StreamFramer, angle_or_whole, call_id_of,
    split_header_list,
};

/// What is read quickly because nearly all messages look like that is what is read of any message.
fn shortcuts_agree(bytes: &[u8]) {
    if let Some(plain) = plain_start(bytes) {
        assert_eq!(Ok(plain), any_start(bytes));
    }
    if let Ok((_, at)) = any_start(bytes) {
        let mut fields = Fields::default();
        let body = fields.fill(bytes, at);
        let mut scanner = FieldScanner::new(bytes, at);
        let scanned: Vec<FieldAt> = scanner.by_ref().collect();
        let seen = |field: &FieldAt| {
            let place = field.place(bytes);
            (field.name(), field.raw_name(bytes), place, field.folded())
        };
        assert!(fields.all.iter().map(seen).eq(scanned.iter().map(seen)));
        assert_eq!(body, scanner.body);
        for field in &fields.all {
            let value = field.value(bytes);
            for name in [&b"tag"[..], b"branch"] {
                assert_eq!(header_param(value, name), any_param(value, name));
            }
            assert_eq!(cseq_of(bytes, field), any_cseq(value));
        }
    }
}

/// Target `sdp`: every question to a description returns, and its answers agree.
pub fn sdp(bytes: &[u8]) {
    let whole = bytes.as_ptr_range();
    let inside = |view: &[u8]| {
        let view_range = view.as_ptr_range();
        view.is_empty() || (whole.start <= view_range.start && view_range.end <= whole.end)
    };
    let sdp = Sdp::new(bytes);
    let mut count = 0;
    for media in sdp.media() {
        count += 1;
        // Each stream is walked several times; a body of nothing but streams is the harness's own quadratic.
        if count > 64 {
            break;
        }
        if let Some(rtp) = media.rtp() {
            assert_eq!(Some(rtp.ip()), media.address());
            assert!(rtp.port() != 0 && rtp.port() == media.port());
        }
        assert!(media.rtp().is_some() || media.rtcp().is_none());
        for payload_type in media.payload_types().take(16) {
            assert!(media.rtpmap(payload_type).is_none_or(inside));
            assert!(media.fmtp(payload_type).is_none_or(inside));
        }
        assert!(media.crypto().all(inside) && inside(media.protocol()));
        assert_eq!(media.packet_ms(), media.packet_ms().filter(|ms| *ms != 0));
        let event = media.payload_type_of(b"telephone-event", 8000);
        assert!(event.is_none_or(|event| event < 128));
        if !media.direction().receives() {
            assert!(media.is_held());
        }
    }
    let first = sdp.first(MediaKind::Audio).map(|media| media.port());
    assert_ne!(first, Some(0));
    for ipv6 in [false, true] {
        if let Some(found) = play_endpoints(bytes, ipv6) {
            let all = [found.audio, found.image, found.video];
            assert!(
                all.iter()
                    .flatten()
                    .all(|endpoint| endpoint.is_ipv6() == ipv6)
            );
        }
    }
    if stream_endpoints(bytes).is_none() {
        assert!(play_endpoints(bytes, false).is_none() && play_endpoints(bytes, true).is_none());
    }
}

/// Target `sip_message`: every accessor returns, every view lies inside the message, the accessors agree.
pub fn sip_message(bytes: &[u8]) {
    shortcuts_agree(bytes);
    let Ok(message) = Message::parse(bytes) else {
        return;
    };
    let whole = bytes.as_ptr_range();
    let inside = |view: &[u8]| {
        let view_range = view.as_ptr_range();
        view.is_empty() || (whole.start <= view_range.start && view_range.end <= whole.end)
    };
    let mut out = Vec::new();
    // Joining every name's values for every field is quadratic in the harness, not in the parser.
    for (index, field) in message.fields().enumerate() {
        assert!(inside(field.value) && inside(field.raw_name));
        assert!(!field.raw_name.is_empty());
        if index < 64 {
            out.clear();
            let presence = message.append_values(field.raw_name, &mut out);
            assert_ne!(presence, Presence::Absent);
            assert_eq!(presence == Presence::Empty, out.is_empty());
        }
        for item in split_header_list(field.value) {
            assert!(inside(item) && !item.is_empty());
            let name_addr = NameAddr::parse(item);
            let tag = name_addr.param(b"tag");
            assert!(inside(name_addr.uri) && tag.is_none_or(inside));
            let target = angle_or_whole(item);
            assert!(inside(target));
            if let Some(uri) = SipUri::parse(target) {
                assert!(inside(uri.host) && !uri.host.is_empty() && inside(uri.params));
            }
        }
    }
    for &name in HeaderName::ALL {
        assert_eq!(message.has(name), message.header(name).is_some());
        assert_eq!(message.header(name), message.values(name).next());
    }
    assert_eq!(message.call_id(), message.header(HeaderName::CallId));
    assert_eq!(message.call_id(), call_id_of(bytes));
    let views = [
        message.body(),
        message.call_id(),
        message.top_via_branch(),
        message.to_tag(),
        message.from_tag(),
        message.cseq().map(|cseq| cseq.method),
        message.method(),
    ];
    for view in views {
        assert!(view.is_none_or(inside));
    }
    assert_eq!(message.is_request(), message.method().is_some());
    assert_eq!(message.is_request(), message.status().is_none());
    assert!(message.method() != Some(b""));
}

/// Target `stream_framer`: the cuts of the stream change nothing, and no message is longer than the limit.
///
/// The first byte says how many of the following bytes are piece lengths; the rest is the stream.
pub fn stream_framer(bytes: &[u8]) {
    const LIMIT: usize = 4096;
    let Some((&count, rest)) = bytes.split_first() else {
        return;
    };
    let (lengths, stream) = rest.split_at(usize::from(count).min(rest.len()));
    let whole = frame(&[stream], LIMIT);
    let mut pieces = Vec::new();
    let mut left = stream;
    for &length in lengths {
        let (piece, after) = left.split_at(usize::from(length).min(left.len()));
        pieces.push(piece);
        left = after;
    }
    pieces.push(left);
    assert_eq!(whole, frame(&pieces, LIMIT));
    for message in &whole.0 {
        assert!(message.len() <= LIMIT);
        sip_message(message);
    }
}

/// Target `auth_header`: what is answered verifies, and no header is more than one line long because of its values.
pub fn auth_header(bytes: &[u8]) {
    use crate::aka::Sim;
    use crate::challenge::Challenge;
    use crate::digest::{Answer, Verdict, verify};
    let _ = verify(bytes, b"INVITE", bytes, b"user", b"password");
    let Ok(challenge) = Challenge::choose([bytes].into_iter()) else {
        return;
    };
    let answer = Answer {
        username: b"user",
        password: b"password",
        sim: &Sim::default(),
        method: b"INVITE",
        uri: b"sip:192.0.2.1:5060",
        body: b"v=0",
        cnonce: b"1f",
        count: 1,
    };
    let mut header = Vec::new();
    if answer.append(&challenge, &mut header).is_err() {
        return;
    }
    // A backslash that nothing follows would escape the quote behind it.
    let values = [&challenge.realm, &challenge.nonce, &challenge.opaque];
    if challenge.algorithm.aka.is_none() && !values.iter().any(|value| value.ends_with(b"\\")) {
        let verdict = verify(&header, b"INVITE", b"v=0", b"user", b"password");
        assert_eq!(verdict, Verdict::Right);
    }
}

/// All messages of a stream that arrives in these pieces, and whether it broke.
pub(crate) fn frame(pieces: &[&[u8]], limit: usize) -> (Vec<Vec<u8>>, Option<crate::FrameError>) {
    let mut framer = StreamFramer::new(limit);
    let mut messages = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_message() {
                Ok(Some(message)) => messages.push(message.to_vec()),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(framer.pending_bytes() <= limit);
    }
    (messages, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INVITE: &[u8] = b"INVITE sip:bob@192.0.2.4 SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        From: \"A\" <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: x///y\r\nCSeq: 1 INVITE\r\nl: 2\r\n\r\nhi";

    /// Runs a body over the files that once broke it and over its seeds.
    #[expect(clippy::disallowed_methods, reason = "regressions are files")]
    fn replay(target: &str, body: fn(&[u8])) {
        let fuzz = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");
        for folder in ["regressions", "corpus"] {
            // A folder without files is not in the repository.
            let Ok(entries) = std::fs::read_dir(format!("{fuzz}/{folder}/{target}")) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("readable folder").path();
                body(&std::fs::read(path).expect("readable file"));
            }
        }
    }

    #[test]
    fn past_failures_of_the_targets_stay_fixed() {
        replay("sip_message", sip_message);
        replay("stream_framer", stream_framer);
        replay("auth_header", auth_header);
        replay("sdp", sdp);
    }

    fn fragment() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"SIP/2.0".to_vec()),
            Just(b" 200 OK".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\n ".to_vec()),
            Just(b"CSeq: 4 INVITE".to_vec()),
            Just(b"Via: SIP/2.0/UDP h;branch=z".to_vec()),
            Just(b"t:\"q\\\" <sip:a@b>;tag=1".to_vec()),
            Just(b"i: x///y".to_vec()),
            Just(b"To: \"q\" <sip:a@b>;tag=1;x".to_vec()),
            Just(b"CONTENT-LENGTH: 12".to_vec()),
            Just(b"Call-ID:7@h".to_vec()),
            Just(b"Proxy-Authenticate: a".to_vec()),
            Just(b"\r\n\t".to_vec()),
            "\r\n([A-Za-z-]{1,9}|(To|from|CSeq|Contact|Via|max-forwards|Content-Type)) {0,3}: {0,5}[ -~]{0,100}\r?\n?"
                .prop_map(String::into_bytes),
            "(,|;|<|>|\"|=|tag=|;Tag=[a-z]|;branch=| |[a-c]){0,12}".prop_map(String::into_bytes),
            "[ -~]{0,12}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..8),
        ]
    }

    proptest! {
        #[test]
        fn no_bytes_can_panic_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            sip_message(&bytes);
            stream_framer(&bytes);
            auth_header(&bytes);
        }

        #[test]
        fn no_mix_of_signs_can_break_an_answer(
            text in "(Digest|Basic|[=, \"\\\\]|realm=|nonce=|qop=|auth|algorithm=|MD5|-sess|SHA-256|opaque=|[a-z]){0,60}",
        ) {
            auth_header(text.as_bytes());
            auth_header(format!("Digest nonce=n,{text},realm=r").as_bytes());
        }

        #[test]
        fn whatever_follows_a_start_line_is_read(
            fragments in proptest::collection::vec(fragment(), 0..40),
            request in any::<bool>(),
        ) {
            let mut bytes = if request {
                b"X sip:a SIP/2.0\r\n".to_vec()
            } else {
                b"SIP/2.0 200 OK\r\n".to_vec()
            };
            bytes.extend(fragments.concat());
            prop_assert!(Message::parse(&bytes).is_ok());
            sip_message(&bytes);
        }

        #[test]
        fn every_prefix_of_a_message_is_handled(end in 0..INVITE.len()) {
            sip_message(&INVITE[..end]);
        }
    }
}
