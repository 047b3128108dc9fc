// SPDX-License-Identifier: AGPL-3.0-only
//! Kinds of calls: each becomes scenarios that compile without a warning or advice and say again what was captured.

mod common;

use common::script::Talk;
use common::{file, round_trip};
use gossipper_capture::Capture;
use gossipper_pcap2scenario::{Conversion, Options, Timing, convert};

fn made(capture: &Capture) -> Conversion {
    let conversion = convert(capture, &Options::default());
    round_trip(&conversion, true);
    conversion
}

/// The same where the capture itself asks for advice: a late answer, a request without one, a reliable 183.
fn made_despite_advice(capture: &Capture) -> Conversion {
    let conversion = convert(capture, &Options::default());
    round_trip(&conversion, false);
    conversion
}

fn said(script: &[&str]) -> Conversion {
    made(&Talk::new("call").say(script))
}

const CALL: [&str; 7] = [
    "> INVITE | sdp 4000",
    "< 100",
    "< 180",
    "< 200 | sdp 5000",
    "> ACK",
    "> BYE | @5400",
    "< 200",
];

#[test]
fn an_ordinary_call_is_templatised_as_the_table_says() {
    let made = said(&CALL);
    let uac = file(&made, "scenario_uac.xml");
    for line in [
        "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "From: \"Alice\" <sip:alice@[local_ip]>;tag=[pid]GossipTag00[call_number]",
        "To: Bob <sip:bob@example.com>[peer_tag_param]",
        "Call-ID: [call_id]",
        "CSeq: 1 INVITE",
        "Contact: <sip:me@[local_ip]:[local_port]>",
        "Content-Length: [len]",
        "o=me 1 1 IN IP[media_ip_type] [media_ip]",
        "c=IN IP[media_ip_type] [media_ip]",
        "m=audio [media_port] RTP/AVP 0 101",
        "<recv response=\"100\" optional=\"true\"/>",
        "<recv response=\"180\" optional=\"true\"/>",
        "<pause milliseconds=\"4900\"/>",
        "BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
        "<!-- frame 1, +0.000 s: INVITE from 10.0.0.1:5060 -->",
        "<!-- frame 6, +5.300 s: BYE from 10.0.0.1:5060 -->",
    ] {
        assert!(uac.contains(line), "{line}\n{uac}");
    }
    let uas = file(&made, "scenario_uas.xml");
    for line in [
        "[last_Via:]",
        "[last_To:];tag=[pid]GossipTag01[call_number]",
        "Contact: <sip:me@[local_ip]:[local_port]>",
        "<send retrans=\"500\"><![CDATA[",
    ] {
        assert!(uas.contains(line), "{line}\n{uas}");
    }
    assert!(
        !uac.contains("10.0.0.1:5060>") && !uac.contains("callee-1"),
        "{uac}"
    );
}

#[test]
fn without_or_with_longer_pauses() {
    let capture = Talk::new("call").say(&CALL);
    let with = |timing| {
        let options = Options {
            timing,
            ..Options::default()
        };
        let made = convert(&capture, &options);
        round_trip(&made, true);
        file(&made, "scenario_uac.xml").to_owned()
    };
    assert!(!with(Timing::None).contains("<pause"));
    assert!(with(Timing::Scaled(2.0)).contains("<pause milliseconds=\"9800\"/>"));
}

#[test]
fn repetitions_are_one_step() {
    let made = made_despite_advice(&Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "> INVITE | again | @600",
        "< 100",
        "< 180",
        "< 180 | again",
        "< 200 | sdp 5000",
        "< 200 | again | @1500",
        "> ACK",
        "> ACK | again",
        "> BYE",
        "> BYE | again",
        "< 200/BYE",
    ]));
    assert_eq!((made.calls[0].messages, made.calls[0].repetitions), (7, 5));
    let uac = file(&made, "scenario_uac.xml");
    assert!(uac.contains("repeated in frame 2 -->"), "{uac}");
}

#[test]
fn what_comes_again_with_another_branch_is_a_repetition_too() {
    let mut capture = Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "> INVITE | again | @150",
        "< 100",
        "< 200 | sdp 5000",
        "> ACK",
        "> BYE",
        "< 200",
    ]);
    let text = String::from_utf8(capture.messages[1].bytes.clone()).expect("ASCII");
    let other = text
        .replace("z9hG4bK-call-0", "z9hG4bK-other")
        .replace("Forwards: 70", "Forwards: 69");
    capture.messages[1].bytes = other.into_bytes();
    let folded = made(&capture);
    assert_eq!(
        (folded.calls[0].messages, folded.calls[0].repetitions),
        (6, 1)
    );
    // Something else in it makes it another request.
    let other = text
        .replace("z9hG4bK-call-0", "z9hG4bK-other")
        .replace("RTP/AVP 0", "RTP/AVP 8");
    capture.messages[1].bytes = other.into_bytes();
    let apart = convert(&capture, &Options::default());
    assert_eq!(
        (apart.calls[0].messages, apart.calls[0].repetitions),
        (7, 0)
    );
}

#[test]
fn the_callee_may_hang_up() {
    let made = said(&[
        "> INVITE | sdp 4000",
        "< 180",
        "< 200 | sdp 5000",
        "> ACK",
        "< BYE | @2000",
        "> 200",
    ]);
    let uas = file(&made, "scenario_uas.xml");
    for line in [
        "BYE [next_url] SIP/2.0",
        "From: [$to_1];tag=[pid]GossipTag01[call_number]",
        "To: [$from_1]",
    ] {
        assert!(uas.contains(line), "{line}\n{uas}");
    }
}

#[test]
fn early_media_prack_and_update() {
    let made = made_despite_advice(&Talk::new("call").say(&[
        "> INVITE | sdp 4000 | Supported: 100rel",
        "< 100",
        "< 183 | sdp 5000 | Require: 100rel | RSeq: 7001",
        "> PRACK | RAck: 7001 1 INVITE",
        "< 200/PRACK",
        "> UPDATE | sdp 4000",
        "< 200/UPDATE | sdp 5000",
        "< 180/INVITE | Require: 100rel | RSeq: 7002",
        "> PRACK | RAck: 7002 1 INVITE",
        "< 200/PRACK",
        "< 200/INVITE",
        "> ACK",
        "> BYE | @9000",
        "< 200",
    ]));
    let uac = file(&made, "scenario_uac.xml");
    assert!(uac.contains("RAck: [$rseq_3] 1 INVITE"), "{uac}");
    assert!(uac.contains("RAck: [$rseq_8] 1 INVITE"), "{uac}");
}

#[test]
fn both_sides_change_the_session() {
    let made = said(&[
        "> INVITE | sdp 4000",
        "< 180",
        "< 200 | sdp 5000",
        "> ACK",
        "> INVITE | held 4000 | @3000",
        "< 200 | sdp 5000",
        "> ACK",
        "< INVITE | sdp 5010 8 | @6000",
        "> 200 | sdp 4010 8",
        "< ACK",
        "> BYE | @8000",
        "< 200",
    ]);
    let (uac, uas) = (
        file(&made, "scenario_uac.xml"),
        file(&made, "scenario_uas.xml"),
    );
    assert!(
        uac.contains("m=audio [media_port+2] RTP/AVP 8 101"),
        "{uac}"
    );
    assert!(uas.contains("INVITE [next_url] SIP/2.0"), "{uas}");
}

#[test]
fn transfer_info_and_notify() {
    said(&[
        "> INVITE | sdp 4000",
        "< 200 | sdp 5000",
        "> ACK",
        "> INFO | body application/dtmf-relay Signal=5\\nDuration=160\\n",
        "< 200",
        "< INFO | body text/plain x",
        "> 200",
        "> REFER | Refer-To: <sip:carol@10.0.0.9> | @3000",
        "< 202",
        "< NOTIFY | Event: refer | Subscription-State: active | body message/sipfrag SIP/2.0 100 Trying\\n",
        "> 200",
        "< NOTIFY | Event: refer | Subscription-State: terminated | body message/sipfrag SIP/2.0 200 OK\\n",
        "> 200",
        "> BYE",
        "< 200",
    ]);
}

#[test]
fn refusals_cancels_and_redirections_are_acknowledged() {
    let made = said(&["> INVITE | sdp 4000", "< 100", "< 486", "> ACK"]);
    let uac = file(&made, "scenario_uac.xml");
    assert!(uac.contains("branch=[branch-6]"), "{uac}");
    made_despite_advice(&Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "< 100",
        "< 180",
        "> CANCEL | @3000",
        "< 200/CANCEL",
        "< 487/INVITE",
        "> ACK",
    ]));
    made_despite_advice(&Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "< 302 | Contact: <sip:carol@10.0.0.7>",
        "> ACK",
    ]));
    made_despite_advice(&Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "< 180",
        "< 603 | @9000",
        "> ACK",
    ]));
    // Nobody waits for the answer to CANCEL any more.
    made_despite_advice(&Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "< 180",
        "> CANCEL",
        "< 487/INVITE",
        "> ACK",
        "< 200/CANCEL",
    ]));
}

#[test]
fn challenges_are_answered_anew() {
    let challenge =
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"";
    let answer = "Authorization: Digest username=\"alice\", realm=\"x\", nonce=\"abc\", uri=\"sip:x\", response=\"00\"";
    let proxy = challenge.replace("WWW-Authenticate", "Proxy-Authenticate");
    let proxied = answer.replace("Authorization", "Proxy-Authorization");
    let made = said(&[
        "> REGISTER | no tag",
        &format!("< 401 | {challenge}"),
        &format!("> REGISTER | no tag | {answer}"),
        "< 200",
    ]);
    let uac = file(&made, "scenario_uac.xml");
    assert!(
        uac.contains("<recv response=\"401\" auth=\"true\""),
        "{uac}"
    );
    assert!(uac.contains("      [authentication]\n"), "{uac}");
    assert!(uac.contains("-au alice -ap PASSWORD"), "{uac}");
    let made = said(&[
        "> INVITE | sdp 4000 | no tag",
        &format!("< 407 | {proxy}"),
        "> ACK",
        &format!("> INVITE | sdp 4000 | no tag | {proxied}"),
        &format!("< 401 | {challenge}"),
        "> ACK",
        &format!("> INVITE | sdp 4000 | no tag | {proxied} | {answer}"),
        "< 180",
        "< 200 | sdp 5000",
        "> ACK",
        "> BYE",
        "< 200",
    ]);
    let uac = file(&made, "scenario_uac.xml");
    assert!(uac.contains("[authentication all=true]"), "{uac}");
    // Nobody can answer a challenge that was not captured.
    let made = said(&[&format!("> REGISTER | {answer}"), "< 200"]);
    assert!(file(&made, "scenario_uac.xml").contains("Authorization: Digest username"));
}

#[test]
fn other_requests_are_calls_too() {
    said(&["> OPTIONS", "< 200"]);
    said(&[
        "> MESSAGE | body text/plain Hello [you] \\x41 ]]> ",
        "< 200",
    ]);
    said(&["> PUBLISH | Event: presence", "< 412"]);
    said(&[
        "> SUBSCRIBE | Event: dialog | Expires: 300",
        "< 202",
        "< NOTIFY | Event: dialog | Subscription-State: active | body application/xml <a><![CDATA[x]]></a>",
        "> 200",
        "> SUBSCRIBE | Event: dialog | Expires: 0 | @20000",
        "< 200",
        "< NOTIFY | Event: dialog | Subscription-State: terminated",
        "> 200",
    ]);
}

#[test]
fn a_fork_answers_with_several_tags() {
    let made = said(&[
        "> INVITE | sdp 4000",
        "< 180 | tag phone-1",
        "< 180 | tag phone-2",
        "< 200 | sdp 5000 | tag phone-2",
        "> ACK",
        "> BYE | @4000",
        "< 200",
    ]);
    let uas = file(&made, "scenario_uas.xml");
    assert!(
        uas.contains(";tag=[pid]GossipTag01[call_number]\n"),
        "{uas}"
    );
    assert!(
        uas.contains(";tag=[pid]GossipTag01[call_number]f1\n"),
        "{uas}"
    );
}

#[test]
fn two_phones_of_a_fork_may_both_answer() {
    said(&[
        "> INVITE | sdp 4000",
        "< 200 | sdp 5000 | tag phone-1",
        "> ACK | tag phone-1",
        "< 200/INVITE | sdp 5002 | tag phone-2",
        "> ACK | tag phone-2",
        "> BYE | tag phone-2",
        "< 200",
        "> BYE | tag phone-1 | @4000",
        "< 200",
    ]);
}

#[test]
fn a_recorded_route_is_followed() {
    let made = said(&[
        "> INVITE | sdp 4000",
        "< 100",
        "< 200 | sdp 5000 | Record-Route: <sip:10.0.0.2:5080;lr>",
        "> ACK | Route: <sip:10.0.0.2:5080;lr>",
        "> BYE | Route: <sip:10.0.0.2:5080;lr>",
        "< 200",
    ]);
    let uac = file(&made, "scenario_uac.xml");
    for line in [
        "ACK [next_url] SIP/2.0",
        "      [routes]\n",
        "<recv response=\"200\" rrs=\"true\"",
    ] {
        assert!(uac.contains(line), "{line}\n{uac}");
    }
    let uas = file(&made, "scenario_uas.xml");
    assert!(
        uas.contains("Record-Route: <sip:[local_ip]:[local_port];lr>"),
        "{uas}"
    );
}

#[test]
fn what_is_missing_is_made_up_and_said() {
    // The capture began too late, and ended too early.
    let whole = Talk::new("call").say(&CALL);
    let mut late = whole.clone();
    late.messages.remove(0);
    let conversion = made_despite_advice(&late);
    assert_eq!(conversion.calls[0].ladder[0], ">INVITE");
    assert!(conversion.calls[0].notes[0].contains("was not captured"));
    for kept in 1..whole.messages.len() {
        let mut short = whole.clone();
        short.messages.truncate(kept);
        made_despite_advice(&short);
        let mut tail = whole.clone();
        tail.messages.drain(..kept);
        made_despite_advice(&tail);
    }
    for lost in 0..whole.messages.len() {
        let mut holed = whole.clone();
        holed.messages.remove(lost);
        made_despite_advice(&holed);
    }
}

/// A capture without some of its messages.
fn without(script: &[&str], lost: &[usize]) -> Capture {
    let mut capture = Talk::new("call").say(script);
    let mut at = 0;
    capture.messages.retain(|_| {
        at += 1;
        !lost.contains(&(at - 1))
    });
    capture
}

#[test]
fn an_answer_that_was_not_captured_is_inferred_from_what_proves_it() {
    let notes = |capture: &Capture| {
        let made = made_despite_advice(capture);
        let uas = file(&made, "scenario_uas.xml").to_owned();
        (
            made.calls[0].ladder.join(" "),
            made.calls[0].notes.join("; "),
            uas,
        )
    };
    let (ladder, note, uas) = notes(&without(&CALL, &[3]));
    assert_eq!(
        ladder,
        ">INVITE audio:on <100/INVITE <180/INVITE <200/INVITE audio:on >ACK >BYE <200/BYE"
    );
    assert_eq!(
        note,
        "the final response to the INVITE of frame 1 was not captured; a 200 OK stands for it, which the ACK of frame 5 \
         proves"
    );
    assert!(
        uas.contains("<!-- 200 OK: not captured, but proved by what follows -->"),
        "{uas}"
    );
    assert!(uas.contains("m=audio [media_port] RTP/AVP 0 101"), "{uas}");
    // Without the ACK a BYE proves it, of either side.
    let (ladder, note, _) = notes(&without(&CALL, &[3, 4]));
    assert!(
        ladder.contains("<200/INVITE audio:on >ACK >BYE"),
        "{ladder}"
    );
    assert!(
        note.contains("which the BYE of frame 6 proves; no ACK"),
        "{note}"
    );
    let hung_up = [
        "> INVITE | sdp 4000",
        "< 180",
        "< 200 | sdp 5000",
        "> ACK",
        "< BYE",
        "> 200",
    ];
    let (ladder, ..) = notes(&without(&hung_up, &[2, 3]));
    assert!(
        ladder.contains("<200/INVITE audio:on >ACK <BYE"),
        "{ladder}"
    );
    // An early answer is said again; a late offer is answered by the ACK; a route is that of the ACK.
    let early = [
        "> INVITE | sdp 4000",
        "< 183 | sdp 5000 8",
        "< 200 | sdp 5000 8",
        "> ACK",
        "> BYE",
        "< 200",
    ];
    assert!(
        notes(&without(&early, &[2]))
            .2
            .matches("RTP/AVP 8 101")
            .count()
            == 2
    );
    let late = [
        "> INVITE",
        "< 180",
        "< 200 | sdp 5000",
        "> ACK | held 4000",
        "> BYE",
        "< 200",
    ];
    let (ladder, _, uas) = notes(&without(&late, &[2]));
    assert!(
        ladder.contains("<200/INVITE audio:on >ACK audio:held"),
        "{ladder}"
    );
    assert!(uas.contains("a=recvonly"), "{uas}");
    let route = "Route: <sip:10.0.0.2:5080;lr>";
    let (ack, bye) = (format!("> ACK | {route}"), format!("> BYE | {route}"));
    let routed = [
        "> INVITE | sdp 4000",
        "< 180",
        "< 200 | sdp 5000",
        &ack,
        &bye,
        "< 200",
    ];
    let made = made_despite_advice(&without(&routed, &[2]));
    assert!(file(&made, "scenario_uac.xml").contains("[routes]"));
}

#[test]
fn a_refusal_that_was_not_captured_is_what_its_ack_says() {
    let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"abc\", qop=\"auth\"";
    let credentials = "Authorization: Digest username=\"alice\", realm=\"x\", nonce=\"abc\", uri=\"sip:x\", qop=auth, nc=00000001, cnonce=\"1\", response=\"00\"";
    let (challenged, again) = (
        format!("< 401 | {challenge}"),
        format!("> INVITE | sdp 4000 | no tag | {credentials}"),
    );
    let scripts: [(&[&str], usize, &str); 3] = [
        (
            &["> INVITE | sdp 4000", "< 180", "< 486", "> ACK"],
            2,
            "<480/INVITE",
        ),
        (
            &[
                "> INVITE | sdp 4000",
                "< 180",
                "> CANCEL",
                "< 200/CANCEL",
                "< 487/INVITE",
                "> ACK",
            ],
            4,
            "<487/INVITE",
        ),
        (
            &[
                "> INVITE | sdp 4000",
                &challenged,
                "> ACK",
                &again,
                "< 200 | sdp 5000",
                "> ACK",
                "> BYE",
                "< 200",
            ],
            1,
            "<401/INVITE",
        ),
    ];
    for (script, lost, expected) in scripts {
        let mut capture = without(script, &[lost]);
        // The ACK of a refusal has the branch of its INVITE.
        let branch = |index: usize| format!("z9hG4bK-call-{index}");
        let acks: Vec<usize> = (0..capture.messages.len())
            .filter(|at| capture.messages[*at].bytes.starts_with(b"ACK"))
            .collect();
        let text = String::from_utf8(capture.messages[acks[0]].bytes.clone()).expect("ASCII");
        let text = text
            .replace(&branch(1), &branch(0))
            .replace(&branch(2), &branch(0));
        capture.messages[acks[0]].bytes = text.into_bytes();
        let made = made_despite_advice(&capture);
        let ladder = made.calls[0].ladder.join(" ");
        assert!(ladder.contains(&format!("{expected} >ACK")), "{ladder}");
        let uac = file(&made, "scenario_uac.xml");
        assert_eq!(
            uac.contains("[authentication]"),
            expected == "<401/INVITE",
            "{uac}"
        );
    }
}

#[test]
fn legs_beside_a_proxy_are_told_apart() {
    let proxy: std::net::SocketAddr = "10.0.0.5:5060".parse().expect("an address");
    let first = Talk {
        callee: proxy,
        ..Talk::new("call")
    };
    let second = Talk {
        caller: proxy,
        start: first.start + std::time::Duration::from_millis(5),
        ..Talk::new("call")
    };
    let mut capture = Capture::default();
    first.add(&mut capture, &CALL);
    let mut behind = Capture::default();
    second.add(&mut behind, &CALL[..4]);
    for mut message in behind.messages {
        // Every hop has a branch of its own.
        let text = String::from_utf8(message.bytes).expect("ASCII");
        message.bytes = text.replace("z9hG4bK-call", "z9hG4bK-proxy").into_bytes();
        capture.messages.push(message);
    }
    let made = made(&capture);
    assert_eq!(made.calls.len(), 2, "{:#?}", made.calls);
    assert_eq!(made.files.len(), 4);
    assert!(made.calls[0].notes[0].starts_with("leg 1 of 2"));
    let names: Vec<&str> = made.files.iter().map(|file| &file.name[..]).collect();
    assert_eq!(
        names,
        [
            "scenario_uac_001.xml",
            "scenario_uas_001.xml",
            "scenario_uac_002.xml",
            "scenario_uas_002.xml"
        ]
    );
}

#[test]
fn what_the_phones_say_directly_belongs_to_both_legs_of_a_proxy_that_has_left() {
    let proxy: std::net::SocketAddr = "10.0.0.5:5060".parse().expect("an address");
    let direct = Talk::new("call");
    let mut capture = direct.say(&CALL);
    let mut behind = Vec::new();
    for message in &mut capture.messages[..4] {
        // The first four go through the proxy, which changes the branch.
        let mut second = message.clone();
        second.time += std::time::Duration::from_millis(3);
        let text = String::from_utf8(second.bytes).expect("ASCII");
        second.bytes = text.replace("z9hG4bK-call", "z9hG4bK-proxy").into_bytes();
        if message.source == direct.caller {
            message.destination = proxy;
            second.source = proxy;
        } else {
            message.source = proxy;
            second.destination = proxy;
            second.time -= std::time::Duration::from_millis(6);
        }
        behind.push(second);
    }
    capture.messages.extend(behind);
    let made = made(&capture);
    let ladders: Vec<&[String]> = made.calls.iter().map(|call| &call.ladder[..]).collect();
    assert_eq!(ladders.len(), 2, "{:#?}", made.calls);
    assert_eq!(ladders[0], ladders[1]);
    assert_eq!(ladders[0].len(), CALL.len());
}

#[test]
fn invites_of_both_sides_may_cross() {
    made_despite_advice(&Talk::new("call").say(&[
        "> INVITE | sdp 4000",
        "< 200 | sdp 5000",
        "> ACK",
        "> INVITE | held 4000 | @2000",
        "< INVITE | held 5000",
        "< 491/INVITE",
        "> 491/INVITE",
        "> ACK",
        "< ACK",
        "> INVITE | held 4000 | @4000",
        "< 200/INVITE | sdp 5000",
        "> ACK",
        "< BYE",
        "> BYE",
        "< 200/BYE",
        "> 200/BYE",
    ]));
}

#[test]
fn ipv6_and_streams() {
    let talk = Talk {
        caller: "[2001:db8::1]:5060".parse().expect("an address"),
        callee: "[2001:db8::2]:5060".parse().expect("an address"),
        carrier: gossipper_capture::Carrier::Tcp,
        ..Talk::new("call")
    };
    let made = made(&talk.say(&CALL));
    let uac = file(&made, "scenario_uac.xml");
    assert!(!uac.replace("-->", "").contains("\\x5b"), "{uac}");
    assert!(uac.contains("-t t1"), "{uac}");
}

#[test]
fn only_one_call_is_converted_if_only_one_is_wanted() {
    let mut capture = Capture::default();
    for call in 0..3 {
        Talk::new(&format!("call-{call}")).add(&mut capture, &CALL);
    }
    let options = Options {
        call_id: Some(b"call-1".to_vec()),
        ..Options::default()
    };
    let made = convert(&capture, &options);
    let names: Vec<&str> = made.files.iter().map(|file| &file.name[..]).collect();
    assert_eq!(names, ["scenario_uac.xml", "scenario_uas.xml"]);
    assert_eq!(made.calls[0].number, 2);
}
