// SPDX-License-Identifier: AGPL-3.0-only
//! What [`Message`] reads from well-formed, sloppy and broken messages.

use gossipper_sip::{HeaderName, Message, ParseError, Presence, StartLine, strip_call_id_prefix};

const INVITE: &[u8] = b"INVITE sip:bob@192.0.2.4:5060 SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1-2-0;rport\r\n\
v: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-old\r\n\
From: \"A; tag=wrong\" <sip:alice@192.0.2.1;tag=alsowrong>;tag=1a\r\n\
To: Bob <sip:bob@192.0.2.4>\r\n\
Call-ID: 1-2@192.0.2.1\r\n\
CSeq: 1 INVITE\r\n\
Subject: one\r\n  folded\r\n\tvalue \r\n\
Empty:\r\n\
Content-Length: 4\r\n\
\r\n\
v=0\n";

fn parse(bytes: &[u8]) -> Message<'_> {
    Message::parse(bytes).unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()))
}

fn last(message: &Message<'_>, name: &str) -> (Presence, String) {
    let mut out = b"kept".to_vec();
    let presence = message.append_values(name.as_bytes(), &mut out);
    let text = String::from_utf8(out).expect("test messages are text");
    (
        presence,
        text.strip_prefix("kept").expect("appends only").to_owned(),
    )
}

#[test]
fn an_invite_gives_all_its_parts() {
    let message = parse(INVITE);
    assert_eq!(
        message.start(),
        StartLine::Request {
            method: b"INVITE",
            uri: b"sip:bob@192.0.2.4:5060"
        }
    );
    assert_eq!(message.status(), None);
    assert_eq!(message.bytes(), INVITE);
    assert_eq!(message.body(), Some(&b"v=0\n"[..]));
    assert_eq!(message.call_id(), Some(&b"1-2@192.0.2.1"[..]));
    let cseq = message.cseq().expect("has a CSeq");
    assert_eq!((cseq.number, cseq.method), (1, &b"INVITE"[..]));
    assert_eq!(message.top_via_branch(), Some(&b"z9hG4bK-1-2-0"[..]));
    assert_eq!(message.from_tag(), Some(&b"1a"[..]));
    assert_eq!(message.to_tag(), None);
    assert_eq!(message.values(HeaderName::Via).count(), 2);
    assert_eq!(
        message.header(HeaderName::Subject),
        Some(&b"one\r\n  folded\r\n\tvalue"[..])
    );
    let names: Vec<_> = message.fields().map(|field| field.raw_name).collect();
    assert_eq!(names[1], b"v");
    assert_eq!(names.len(), 9);
}

#[test]
fn a_status_line_needs_three_digits() {
    for (line, code, reason) in [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 180", 180, ""),
        ("SIP/2.0 404 ", 404, ""),
        ("SIP/2.0  486  Busy Here", 486, "Busy Here"),
    ] {
        let message = parse(line.as_bytes());
        match message.start() {
            StartLine::Status {
                code: got,
                reason: text,
            } => {
                assert_eq!((got.0, text), (code, reason.as_bytes()), "{line}");
            }
            StartLine::Request { .. } => panic!("{line} is a response"),
        }
        assert!(!message.is_request());
    }
    for line in [
        "SIP/2.0",
        "SIP/2.0 ",
        "SIP/2.0 20",
        "SIP/2.0 2000 OK",
        "SIP/2.0 4294967301 x",
        "SIP/2.0 -20",
        "SIP/2.0 099 x",
        "SIP/2.01 200 OK",
    ] {
        let error = Message::parse(line.as_bytes()).map(|_| ());
        assert_eq!(error, Err(ParseError::NoStartLine), "{line}");
    }
}

#[test]
fn keep_alives_and_foreign_text_are_told_apart() {
    for bytes in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0"] {
        assert_eq!(
            Message::parse(bytes).map(|_| ()),
            Err(ParseError::KeepAlive)
        );
    }
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\0\0\0\0",
        b" ",
        b"INVITE sip:a sip/2.0\r\n",
    ] {
        assert_eq!(
            Message::parse(bytes).map(|_| ()),
            Err(ParseError::NoSipVersion)
        );
    }
    for bytes in [
        &b"SIP/2.0"[..],
        b" INVITE sip:a SIP/2.0",
        b"nospace\r\nVia: SIP/2.0/UDP x\r\n",
    ] {
        assert_eq!(
            Message::parse(bytes).map(|_| ()),
            Err(ParseError::NoStartLine)
        );
    }
}

#[test]
fn a_request_line_may_be_sloppy() {
    for (line, uri) in [
        ("REGISTER sip:a SIP/2.0", "sip:a"),
        ("REGISTER  sip:a  SIP/2.0  ", "sip:a"),
        ("REGISTER sip:a; lr SIP/2.0", "sip:a; lr"),
        ("REGISTER sip:a SIP/7.0", "sip:a"),
        ("REGISTER sip:a", "sip:a"),
        ("REGISTER SIP/2.0", ""),
    ] {
        let text = format!("\r\n{line}\nv: SIP/2.0/UDP x\n\n");
        let message = parse(text.as_bytes());
        let expected = StartLine::Request {
            method: b"REGISTER",
            uri: uri.as_bytes(),
        };
        assert_eq!(message.start(), expected, "{line}");
        assert!(message.has(HeaderName::Via));
    }
}

#[test]
fn bare_line_feeds_and_a_missing_blank_line_are_fine() {
    let message = parse(b"BYE sip:a SIP/2.0\nCall-ID : x\nthis is no header\nnot a name: y\ni: second\nCSeq:  7  BYE\n\nbody");
    assert_eq!(message.call_id(), Some(&b"x"[..]));
    assert_eq!(message.fields().count(), 3);
    assert_eq!(message.cseq().map(|cseq| cseq.number), Some(7));
    assert_eq!(message.body(), Some(&b"body"[..]));
    let cut = parse(b"BYE sip:a SIP/2.0\r\nCall-ID: x\r\nCSe");
    assert_eq!((cut.call_id(), cut.body()), (Some(&b"x"[..]), None));
    let bare = parse(b"BYE sip:a SIP/2.0\r\n\r\n");
    assert_eq!((bare.fields().count(), bare.body()), (0, Some(&b""[..])));
}

#[test]
fn a_value_may_begin_on_the_next_line() {
    let message = parse(b"BYE sip:a SIP/2.0\r\nTO :\r\n sip:v@x ;  tag  = 19\r\nCSeq:\r\n 0009\r\n  BYE\r\nX:\r\n \r\n\r\nb");
    assert_eq!(
        message.header(HeaderName::To),
        Some(&b"sip:v@x ;  tag  = 19"[..])
    );
    assert_eq!(message.to_tag(), Some(&b"19"[..]));
    let cseq = message.cseq().expect("has a CSeq");
    assert_eq!((cseq.number, cseq.method), (9, &b"BYE"[..]));
    assert_eq!(message.header(HeaderName::Other), Some(&b""[..]));
    assert_eq!(message.body(), Some(&b"b"[..]));
}

#[test]
fn a_continuation_of_junk_does_not_reach_the_header_before_it() {
    let message = parse(b"BYE sip:a SIP/2.0\r\n folded start line\r\nTo: x\r\njunk\r\n more junk\r\nFrom: y\r\n\r\n");
    assert_eq!(message.header(HeaderName::To), Some(&b"x"[..]));
    assert_eq!(message.header(HeaderName::From), Some(&b"y"[..]));
}

#[test]
fn a_cseq_that_is_no_number_is_absent() {
    for (value, number) in [
        ("4294967295 BYE", Some(4_294_967_295)),
        ("4294967296 BYE", None),
        ("36893488147419103232 BYE", None),
        ("BYE", None),
        ("-1 BYE", None),
        ("5", Some(5)),
    ] {
        let text = format!("BYE sip:a SIP/2.0\r\nCSeq: {value}\r\n\r\n");
        assert_eq!(
            parse(text.as_bytes()).cseq().map(|cseq| cseq.number),
            number,
            "{value}"
        );
    }
}

#[test]
fn last_header_joins_and_finds_compact_forms() {
    let message = parse(INVITE);
    let vias = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1-2-0;rport, SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-old";
    for name in ["Via", "via:", "VIA:"] {
        assert_eq!(
            last(&message, name),
            (Presence::Present, vias.to_owned()),
            "{name}"
        );
    }
    // The compact name finds only what was sent in compact form.
    assert_eq!(
        last(&message, "v:"),
        (
            Presence::Present,
            "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-old".to_owned()
        )
    );
    assert_eq!(last(&message, "s"), (Presence::Absent, String::new()));
    assert_eq!(last(&message, "Empty:"), (Presence::Empty, String::new()));
    assert_eq!(last(&message, "Route"), (Presence::Absent, String::new()));
    assert_eq!(last(&message, ""), (Presence::Absent, String::new()));
    assert_eq!(last(&message, ":"), (Presence::Absent, String::new()));
    let compact = parse(
        b"BYE sip:a SIP/2.0\r\ns: compact subject\r\nX-Foo: 1\r\nx-foo: 2\r\n\r\nX-Foo: body\r\n",
    );
    assert_eq!(last(&compact, "Subject"), (Presence::Absent, String::new()));
    assert_eq!(
        last(&compact, "X-FOO:"),
        (Presence::Present, "1, 2".to_owned())
    );
}

#[test]
fn last_header_keeps_folding_without_carriage_returns() {
    let message = parse(INVITE);
    assert_eq!(
        last(&message, "Subject"),
        (Presence::Present, "one\n  folded\n\tvalue".to_owned())
    );
}

#[test]
fn the_call_id_prefix_ends_at_the_first_three_slashes() {
    for (call_id, stripped) in [
        ("real", "real"),
        ("a///real", "real"),
        ("a///b///c", "b///c"),
        ("a////b", "/b"),
        ("///", ""),
        ("a//b", "a//b"),
    ] {
        assert_eq!(
            strip_call_id_prefix(call_id.as_bytes()),
            stripped.as_bytes()
        );
    }
}
