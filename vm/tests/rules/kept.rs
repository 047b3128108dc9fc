// SPDX-License-Identifier: AGPL-3.0-only
//! What keywords print of messages that came before: their headers, their tags, the route set.

use crate::stage::{Stage, from_peer_with, header, log, request, response, send};

/// Headers of the message that `[last_*]` looks at.
const MORE: &str = "v: SIP/2.0/UDP second\r\nRecord-Route: <sip:p1;lr>\r\nrecord-route: <sip:p2;lr>\r\n\
                    X-Folded: one\r\n  two\r\nX-Empty:\r\nX-Blank: value \t\r\ns: short\r\n";

/// The text of a response that a server sends to an INFO with [`MORE`], the lines between start line and Call-ID.
fn replied(lines: &str) -> String {
    let mut stage = Stage::server(&[
        request("INFO", ""),
        format!(
            "<send><![CDATA[
            SIP/2.0 200 OK
            {lines}
            Call-ID: [call_id]

            body
            ]]></send>"
        ),
    ]);
    stage.deliver(&from_peer_with("INFO", "x", 5, MORE));
    let text = stage.last();
    let rest = text
        .strip_prefix("SIP/2.0 200 OK\r\n")
        .expect("the start line");
    let (lines, _) = rest
        .split_once("Call-ID: x\r\n\r\nbody\r\n")
        .unwrap_or_else(|| panic!("the end differs: {text:?}"));
    lines.to_owned()
}

#[test]
fn last_prints_name_and_value_with_the_name_as_typed() {
    assert_eq!(replied("[last_CSeq:]"), "CSeq: 5 INFO\r\n");
    assert_eq!(replied("[last_CSeq]"), "CSeq: 5 INFO\r\n");
    assert_eq!(replied("[last_cseq:]"), "cseq: 5 INFO\r\n");
    assert_eq!(
        replied("[last_To:];tag=x"),
        "To: <sip:alice@192.0.2.1>;tag=x\r\n"
    );
}

#[test]
fn last_joins_headers_of_one_name_compact_forms_included() {
    assert_eq!(
        replied("[last_Via:]"),
        "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK-peer-INFO-5, SIP/2.0/UDP second\r\n"
    );
    assert_eq!(
        replied("[last_Record-Route:]"),
        "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    );
}

#[test]
fn last_with_a_compact_name_finds_the_compact_form_only() {
    assert_eq!(replied("[last_v:]"), "v: SIP/2.0/UDP second\r\n");
    assert_eq!(replied("[last_s:]"), "s: short\r\n");
    // Subject is none of the long names that stand for their compact form.
    assert_eq!(replied("[last_Subject:]"), "");
}

#[test]
fn last_keeps_folds_and_drops_trailing_blanks() {
    assert_eq!(replied("[last_X-Folded:]"), "X-Folded: one\n  two\r\n");
    assert_eq!(replied("[last_X-Blank:]"), "X-Blank: value\r\n");
}

#[test]
fn last_of_an_empty_header_prints_its_name_and_of_an_absent_one_nothing() {
    assert_eq!(replied("[last_X-Empty:]"), "X-Empty:\r\n");
    assert_eq!(replied("[last_X-Absent:]"), "");
}

#[test]
fn last_looks_at_headers_not_at_the_body() {
    let mut stage = Stage::server(&[
        request("INFO", ""),
        log("([last_X-Body:]) [last_cseq_number] [last_cseq_number+2] [last_Request_URI]"),
        crate::stage::reply(200, ""),
    ]);
    let message = from_peer_with("INFO", "x", 5, "") + "X-Body: 1\r\n";
    stage.deliver(&message);
    assert_eq!(stage.lines, ["() 5 7 sip:alice@192.0.2.1"]);
}

#[test]
fn last_message_prints_the_whole_message() {
    let mut stage = Stage::server(&[
        request("INFO", ""),
        log("[last_message]"),
        crate::stage::reply(200, ""),
    ]);
    let message = from_peer_with("INFO", "x", 5, MORE) + "body";
    stage.deliver(&message);
    assert_eq!(stage.lines, [message]);
}

#[test]
fn a_line_that_holds_only_something_empty_vanishes() {
    for keyword in ["[last_X-Absent:]", "[routes]", "[$unset]"] {
        let lines = format!("A: 1\n{keyword}\nB: 2");
        // A variable must be mentioned twice in a scenario.
        let lines = if keyword == "[$unset]" {
            format!("{lines}\n[$unset]")
        } else {
            lines
        };
        assert_eq!(replied(&lines), "A: 1\r\nB: 2\r\n", "{keyword}");
    }
}

#[test]
fn a_suppressed_last_header_leaves_the_body_a_body() {
    let mut stage = Stage::server(&[
        request("INFO", ""),
        "<send><![CDATA[
        SIP/2.0 200 OK
        Call-ID: [call_id]
        [last_X-Absent:]

        body
        ]]></send>"
            .to_owned(),
    ]);
    stage.deliver(&from_peer_with("INFO", "x", 5, ""));
    assert_eq!(stage.last(), "SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\nbody\r\n");
}

#[test]
fn other_empty_keywords_and_those_within_a_line_take_nothing_with_them() {
    assert_eq!(
        replied("A: 1\n[peer_tag_param]\nB: 2"),
        "A: 1\r\n\r\nB: 2\r\n"
    );
    assert_eq!(replied("A: [last_X-Absent:]\nB: 2"), "A: \r\nB: 2\r\n");
}

// ---- the dialog

#[test]
fn the_peer_tag_is_that_of_the_last_response() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(180, "optional='true'"),
        "<recv response='200'><action><log message='in the receive [peer_tag_param]'/></action></recv>".to_owned(),
        log("[peer_tag_param]"),
    ]);
    stage.spawn();
    let invite = stage.last_request("INVITE").to_owned();
    stage.respond(180, "INVITE");
    let other = crate::stage::answer_to(&invite, 200, "").replace("tag=peer", "tag=other");
    stage.deliver(&other);
    assert_eq!(stage.lines, ["in the receive ;tag=other", ";tag=other"]);
}

#[test]
fn routes_and_next_url_come_from_the_message_marked_rrs() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, "rrs='true'"),
        "<send><![CDATA[
        ACK [next_url] SIP/2.0
        [routes]
        Call-ID: [call_id]
        CSeq: [cseq] ACK
        ]]></send>"
            .to_owned(),
        "<pause milliseconds='1000'/>".to_owned(),
    ]);
    stage.spawn();
    stage.respond_with(
        200,
        "INVITE",
        "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n",
    );
    let ack = stage.last();
    assert!(
        ack.starts_with("ACK sip:bob@192.0.2.2:5060 SIP/2.0\r\n"),
        "{ack}"
    );
    assert_eq!(
        header(ack, "Route"),
        Some("<sip:p3;lr>, <sip:p2;lr>, <sip:p1;lr>")
    );
}

#[test]
fn a_stored_route_set_stays_and_a_target_without_one_is_refreshed() {
    let flow = [
        send("INVITE", ""),
        response(180, "optional='true' rrs='true'"),
        response(200, "rrs='true'"),
        log("[next_url] [routes]"),
    ];
    let from =
        |name: &str, text: &str| text.replace("<sip:bob@192.0.2.2:5060>", &format!("<sip:{name}>"));
    let mut stage = Stage::client(&flow);
    stage.spawn();
    let invite = stage.last_request("INVITE").to_owned();
    let ringing = crate::stage::answer_to(&invite, 180, "Record-Route: <sip:p1;lr>\r\n");
    stage.deliver(&from("first", &ringing));
    let answer = crate::stage::answer_to(&invite, 200, "Record-Route: <sip:p2;lr>\r\n");
    stage.deliver(&from("second", &answer));
    assert_eq!(stage.lines, ["sip:first Route: <sip:p1;lr>"]);

    let mut stage = Stage::client(&flow);
    stage.spawn();
    let ringing = crate::stage::answer_to(&invite, 180, "");
    stage.deliver(&from("first", &ringing));
    let answer = crate::stage::answer_to(&invite, 200, "");
    stage.deliver(&from("second", &answer));
    assert_eq!(stage.lines, ["sip:second "]);
}

#[test]
fn rrs_without_a_contact_warns_and_stores_nothing() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        response(200, "rrs='true'"),
        log("([routes])"),
    ]);
    stage.spawn();
    let invite = stage.last_request("INVITE").to_owned();
    let answer = crate::stage::answer_to(&invite, 200, "Record-Route: <sip:p1;lr>\r\n")
        .replace("Contact: <sip:bob@192.0.2.2:5060>\r\n", "");
    stage.deliver(&answer);
    assert_eq!(stage.lines, ["()"]);
    assert_eq!(stage.warnings.len(), 1, "{:?}", stage.warnings);
}

#[test]
fn next_url_without_rrs_is_the_uri_of_the_last_to() {
    let mut stage = Stage::client(&[send("INVITE", ""), response(200, ""), log("[next_url]")]);
    stage.spawn();
    stage.respond(200, "INVITE");
    assert_eq!(stage.lines, ["sip:bob@192.0.2.2"]);
}
