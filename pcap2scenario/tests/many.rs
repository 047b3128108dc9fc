// SPDX-License-Identifier: AGPL-3.0-only
//! A thousand calls, merged and apart, and captures that no agent would make.

mod common;

use common::script::Talk;
use common::{compiled, file, round_trip};
use gossipper_capture::{Capture, SipMessage};
use gossipper_pcap2scenario::{Options, convert, table};
use std::time::Duration;

const CALL: [&str; 7] = [
    "> INVITE | sdp 4000",
    "< 100",
    "< 180",
    "< 200 | sdp 5000",
    "> ACK",
    "> BYE | @5400",
    "< 200",
];

fn calls(count: u64) -> Capture {
    let mut capture = Capture::default();
    for call in 0..count {
        let talk = Talk {
            user: format!("+4930{call:05}"),
            start: Duration::from_secs(1_700_000_000) + Duration::from_millis(call * 50),
            ..Talk::new(&format!("call-{call}"))
        };
        talk.add(&mut capture, &CALL);
    }
    capture
}

#[test]
fn a_thousand_calls_are_a_thousand_pairs_or_one_with_a_file_of_users() {
    let capture = calls(1000);
    let apart = convert(&capture, &Options::default());
    assert_eq!((apart.calls.len(), apart.files.len()), (1000, 2000));
    assert_eq!(table(&apart.calls).lines().count(), 1001);
    let last = apart.calls.last().expect("a call");
    assert_eq!(
        last.files,
        ["scenario_uac_1000.xml", "scenario_uas_1000.xml"]
    );
    compiled("uac", file(&apart, "scenario_uac_1000.xml"), true);
    let merged = convert(
        &capture,
        &Options {
            merge: true,
            ..Options::default()
        },
    );
    let names: Vec<&str> = merged.files.iter().map(|file| &file.name[..]).collect();
    assert_eq!(names, ["scenario_uac.xml", "scenario_uas.xml", "users.csv"]);
    let users = file(&merged, "users.csv");
    assert_eq!(users.lines().count(), 1001);
    assert_eq!(users.lines().nth(1000), Some("+493000999;"));
    let uac = file(&merged, "scenario_uac.xml");
    assert!(uac.contains("<sip:[field0]@[local_ip]>;tag="), "{uac}");
    assert!(uac.contains("1000 equal calls"), "{uac}");
}

#[test]
fn merged_registrations_answer_challenges_as_their_users() {
    let mut capture = Capture::default();
    for user in ["alice", "bob", "carol"] {
        let talk = Talk {
            user: user.to_owned(),
            ..Talk::new(user)
        };
        let answer = format!(
            "> REGISTER | no tag | Authorization: Digest username=\"{user}\", realm=\"x\", nonce=\"abc\", uri=\"sip:x\", response=\"00\""
        );
        talk.add(
            &mut capture,
            &[
                "> REGISTER | no tag",
                "< 401 | WWW-Authenticate: Digest realm=\"x\", nonce=\"abc\", algorithm=MD5",
                &answer,
                "< 200",
            ],
        );
    }
    let merged = convert(
        &capture,
        &Options {
            merge: true,
            ..Options::default()
        },
    );
    assert_eq!(
        file(&merged, "users.csv"),
        "SEQUENTIAL\nalice;[authentication username=alice password=PASSWORD];\n\
         bob;[authentication username=bob password=PASSWORD];\n\
         carol;[authentication username=carol password=PASSWORD];\n"
    );
    let uac = file(&merged, "scenario_uac.xml");
    assert!(
        uac.contains("      [field1]\n") && !uac.contains("[authentication"),
        "{uac}"
    );
    assert!(
        uac.contains("write the passwords into users.csv, where"),
        "{uac}"
    );
}

#[test]
fn calls_of_different_kinds_are_merged_apart() {
    let mut capture = calls(3);
    let busy = Talk::new("busy");
    busy.add(&mut capture, &["> INVITE | sdp 4000", "< 486", "> ACK"]);
    let merged = convert(
        &capture,
        &Options {
            merge: true,
            ..Options::default()
        },
    );
    let names: Vec<&str> = merged.files.iter().map(|file| &file.name[..]).collect();
    assert_eq!(
        names,
        [
            "scenario_uac_001.xml",
            "scenario_uas_001.xml",
            "users_001.csv",
            "scenario_uac_002.xml",
            "scenario_uas_002.xml"
        ]
    );
}

#[test]
fn broken_messages_break_nothing() {
    // Every message cut at every place, and with every byte turned into one that means something to somebody.
    let whole = Talk::new("call").say(&CALL);
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let mut capture = whole.clone();
        for message in &mut capture.messages {
            match rng.u8(0..4) {
                0 => {
                    let length = rng.usize(0..message.bytes.len());
                    message.bytes.truncate(length);
                    message.truncated = true;
                }
                1 => {
                    for _ in 0..rng.usize(0..6) {
                        let at = rng.usize(0..message.bytes.len());
                        message.bytes[at] =
                            *rng.choice(b"[]<>;\"\\\r\n \0:,@=x\xff").expect("a byte");
                    }
                }
                _ => {}
            }
        }
        let conversion = convert(&capture, &Options::default());
        for file in conversion
            .files
            .iter()
            .filter(|file| file.name.ends_with(".xml"))
        {
            let options = gossipper_compiler::Options {
                name: "broken".to_owned(),
                ..gossipper_compiler::Options::default()
            };
            let compiled = gossipper_compiler::compile(&file.name, &file.bytes, &options);
            let errors: Vec<String> = compiled
                .diagnostics
                .iter()
                .map(|found| format!("{}: {}", found.code, found.message))
                .collect();
            let text = String::from_utf8_lossy(&file.bytes);
            assert!(compiled.program.is_some(), "{errors:#?}\n{text}");
        }
    }
}

#[test]
fn a_binary_body_goes_over_the_wire_as_it_was() {
    let body: Vec<u8> = (0..=255)
        .chain([b'\r', b'\n', b' ', b'\n', b'\r', b'\n', b'\r', b'\n'])
        .collect();
    let mut capture = Talk::new("call").say(&["> MESSAGE | body application/isup x", "< 200"]);
    let message: &mut SipMessage = &mut capture.messages[0];
    let text = String::from_utf8(message.bytes.clone()).expect("ASCII");
    let head = text.replace(
        "Content-Length: 1",
        &format!("Content-Length: {}", body.len()),
    );
    message.bytes = head.into_bytes();
    message.bytes.pop();
    message.bytes.extend_from_slice(&body);
    let conversion = convert(&capture, &Options::default());
    round_trip(&conversion, true);
    let sent = common::sent(&conversion, &conversion.calls[0]);
    assert!(
        sent[0].ends_with(&[b"\r\n\r\n", &body[..]].concat()),
        "{:?}",
        sent[0]
    );
}

/// A call in which both sides ask and answer as a seed says, in any order that the rules of dialogs allow.
fn random_script(seed: u64) -> Vec<String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut script = vec!["> INVITE | sdp 4000".to_owned()];
    if rng.bool() {
        script.push("< 100".to_owned());
    }
    for code in [180, 183, 181] {
        if rng.u8(0..3) == 0 {
            let sdp = if rng.bool() { " | sdp 5000" } else { "" };
            script.push(format!("< {code}/INVITE{sdp}"));
        }
    }
    if rng.u8(0..6) == 0 {
        script.push(format!(
            "< {}/INVITE",
            rng.choice([302, 404, 486, 503, 603]).expect("a code")
        ));
        script.push("> ACK".to_owned());
        return script;
    }
    script.push("< 200/INVITE | sdp 5000".to_owned());
    script.push("> ACK".to_owned());
    // Requests of each side that wait for an answer; an INVITE waits alone.
    let mut open: Vec<(char, &str)> = Vec::new();
    let mut left = rng.usize(0..12);
    while left > 0 || !open.is_empty() {
        let ask = left > 0 && (open.is_empty() || rng.bool());
        if ask {
            left -= 1;
            let side = *rng.choice(&['>', '<']).expect("a side");
            let method = *rng
                .choice(&["INFO", "UPDATE", "OPTIONS", "MESSAGE", "INVITE", "NOTIFY"])
                .expect("a method");
            // One transaction of a kind at a time for each side, as the scripts name them by their method.
            if open
                .iter()
                .any(|(other, known)| *other == side && *known == method)
            {
                continue;
            }
            let sdp = match method {
                "INVITE" if rng.bool() => " | held 4000",
                "INVITE" => " | sdp 4000",
                _ => "",
            };
            script.push(format!("{side} {method}{sdp}"));
            open.push((side, method));
        } else {
            let at = rng.usize(0..open.len());
            let (side, method) = open.remove(at);
            let back = if side == '>' { '<' } else { '>' };
            let code = if rng.u8(0..4) == 0 { 491 } else { 200 };
            script.push(format!("{back} {code}/{method}"));
            if method == "INVITE" {
                script.push(format!("{side} ACK"));
            }
        }
    }
    let side = *rng.choice(&['>', '<']).expect("a side");
    let back = if side == '>' { '<' } else { '>' };
    script.push(format!("{side} BYE"));
    script.push(format!("{back} 200/BYE"));
    script
}

#[test]
fn whatever_order_both_sides_speak_in_the_run_has_it_too() {
    for seed in 0..150 {
        let script = random_script(seed);
        let lines: Vec<&str> = script.iter().map(String::as_str).collect();
        let capture = Talk::new("call").say(&lines);
        let conversion = convert(&capture, &Options::default());
        let outcome = std::panic::catch_unwind(|| round_trip(&conversion, false));
        assert!(outcome.is_ok(), "seed {seed}: {script:#?}");
    }
}
