// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper ladder`: pictures of the calls in traces that gossipper and SIPp have written.
//!
//! The part with SIPp is skipped, loudly, where there is none.

mod place;

use gossipper_testkit::sipp::{Running, Tool, free_udp_port};
use place::Place;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What is drawn of a call between the built-ins `uac` and `uas`, without times and notes.
const CALL: [&str; 6] = [
    "INVITE (SDP) >",
    "< 180 Ringing",
    "< 200 OK (SDP)",
    "ACK >",
    "BYE >",
    "< 200 OK",
];

/// The messages of a picture in ASCII, each with its direction.
fn messages(picture: &str) -> Vec<String> {
    let arrows = picture.lines().filter_map(|line| {
        let (_, rest) = line.split_once('|')?;
        let (arrow, _) = rest.rsplit_once('|')?;
        let label = arrow.trim_matches(['-', ' ', '<', '>']);
        match (arrow.starts_with('<'), arrow.ends_with('>')) {
            (true, _) => Some(format!("< {label}")),
            (_, true) => Some(format!("{label} >")),
            _ => None,
        }
    });
    arrows.collect()
}

#[test]
fn a_trace_of_a_run_is_drawn_in_both_forms_whole_and_short() {
    let place = Place::new();
    for form in ["sipp", "gossipper"] {
        let ran = place.run(&format!(
            "-compat {form} -loopback -m 3 -r 100 -d 0 -trace_msg -message_file {form}.log \
             -trace_shortmsg -shortmessage_file {form}_short.log"
        ));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let ran = place.run(&format!("ladder {form}.log --ascii"));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        assert!(
            ran.out.starts_with("3 of 3 calls go like call "),
            "{}",
            ran.shown()
        );
        assert_eq!(messages(&ran.out), CALL, "{}", ran.shown());
        // Both sides wrote it.
        assert!(ran.out.contains("client") && ran.out.contains("server"));
        assert!(!ran.out.contains("did not arrive"), "{}", ran.shown());
        let ran = place.run(&format!("ladder {form}_short.log --ascii"));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let without_bodies = CALL.map(|label| label.replace(" (SDP)", ""));
        assert_eq!(messages(&ran.out), without_bodies, "{}", ran.shown());
    }
}

#[test]
fn one_call_becomes_a_picture_in_a_file() {
    let place = Place::new();
    let ran = place.run("-loopback -m 2 -r 100 -d 0 -message_file m.log");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let ran = place.run("ladder m.log --call 2 -o call.svg");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.shown());
    let picture = std::fs::read_to_string(place.path("call.svg")).expect("a picture");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert_eq!(picture.matches("class=\"msg\"").count(), CALL.len());
    let ran = place.run("ladder m.log -o all.txt");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.shown());
    let text = std::fs::read_to_string(place.path("all.txt")).expect("a text");
    assert!(text.starts_with("2 of 2 calls go like call "), "{text}");
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let place = Place::new();
    place.write("plain.txt", "nothing of it\n");
    for (line, reason) in [
        ("ladder missing.log", "cannot read `missing.log`"),
        ("ladder plain.txt", "no trace of messages"),
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, 1, "{}", ran.shown());
        assert!(ran.err.contains(reason), "{}", ran.shown());
    }
    let ran = place.run("-loopback -m 1 -d 0 -message_file m.log");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let ran = place.run("ladder m.log --call nobody");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.err.contains("no call `nobody`"), "{}", ran.shown());
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[test]
fn a_trace_that_sipp_has_written_is_drawn() {
    let Some(sipp) = Tool::sipp() else {
        eprintln!("SKIPPED: there is no SIPp");
        return;
    };
    let place = Place::new();
    let arguments = |line: String| line.split_whitespace().map(str::to_owned).collect();
    let port = free_udp_port(HOST).expect("a free port");
    let line = format!("-sn uas -i 127.0.0.1 -p {port} -m 2 -nostdin");
    let mut server = Running::start(&sipp, arguments(line)).expect("it starts");
    server
        .wait_for_port((HOST, port).into())
        .expect("it is there");
    let trace = place.path("sipp.log");
    let short = place.path("sipp_short.log");
    let own = free_udp_port(HOST).expect("a free port");
    let client = Running::start(
        &sipp,
        arguments(format!(
            "-sn uac 127.0.0.1:{port} -i 127.0.0.1 -p {own} -m 2 -r 10 -nostdin -trace_msg -message_file {} \
             -trace_shortmsg -shortmessage_file {}",
            trace.display(),
            short.display()
        )),
    )
    .expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    client.finish(deadline, own).expect("it ends");
    server.finish(deadline, port).expect("it ends");
    for (file, bodies) in [("sipp.log", true), ("sipp_short.log", false)] {
        let ran = place.run(&format!("ladder {file} --ascii"));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        assert!(
            ran.out.starts_with("2 of 2 calls go like call 1-"),
            "{}",
            ran.shown()
        );
        let expected = CALL.map(|label| match bodies {
            true => label.to_owned(),
            false => label.replace(" (SDP)", ""),
        });
        assert_eq!(messages(&ran.out), expected, "{}", ran.shown());
        assert!(ran.out.contains("this side"), "{}", ran.shown());
    }
}
