// SPDX-License-Identifier: AGPL-3.0-only
//! Events from the command line: lines of text, levels, and collectors that are away, slow, or refuse.

mod place;

use place::{Place, run};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// The kinds of the lines of text, with how often they came; what is wrong with a line is a panic.
fn kinds(text: &str) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(time), Some(level), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if !time.ends_with('Z') && !time.contains('+') || !time.contains('T') {
            continue;
        }
        let levels = [
            "DEBUG", "INFO", "WARN", "ERROR", "debug", "info", "warn", "error",
        ];
        assert!(levels.contains(&level), "{line}");
        // Attributes are in the order of their names.
        let names: Vec<&str> = words
            .filter_map(|word| word.split_once('='))
            .map(|(name, _)| name)
            .collect();
        assert!(names.is_sorted(), "{line}");
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds
}

#[test]
fn lines_of_text_are_on_standard_error_and_results_on_standard_output() {
    let ran = run("-sn uac -loopback -m 2 -r 100 -d 0 -log_stdout");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let kinds = kinds(&ran.err);
    let count = |kind: &str| kinds.get(kind).copied().unwrap_or(0);
    for (kind, wanted) in [
        ("engine.started", 1),
        ("engine.stopped", 1),
        ("call.started", 2),
        ("call.ended", 2),
        // INVITE, ACK and BYE; 180 and two times 200.
        ("sip.send", 6),
        ("sip.recv", 6),
    ] {
        assert_eq!(count(kind), wanted, "{kind} in {}", ran.shown());
    }
    assert!(!ran.out.contains("sip.send"), "{}", ran.out);
    assert!(!ran.out.is_empty());
}

#[test]
fn a_level_leaves_out_what_is_below() {
    let ran = run("-sn uac -loopback -m 2 -r 100 -d 0 -log_stdout -log_level warn");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(kinds(&ran.err).is_empty(), "{}", ran.shown());
}

/// The line of the summary about events.
fn events_line(shown: &str) -> &str {
    let mut lines = shown.lines();
    lines
        .find(|line| line.starts_with("Events "))
        .unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn a_collector_that_is_away_is_named_with_what_it_was_not_told() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = free.expect("a port");
    let place = Place::new();
    let ran = place.run(&format!(
        "-sn uac -loopback -m 2 -r 100 -d 0 -log_otel_endpoint http://{address} -log_otel_proto http -log_file_jsonl events.jsonl"
    ));
    // It is about calls alone, and the other sink has everything.
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let shown = ran.shown();
    let line = events_line(&shown);
    assert!(line.contains("18 not taken"), "{line}");
    assert!(line.contains(&address.to_string()), "{line}");
    let text = std::fs::read_to_string(place.path("events.jsonl")).expect("written");
    assert_eq!(text.lines().count(), 18, "{text}");
}

#[test]
fn a_collector_that_refuses_is_quoted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it binds");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(len @ 1..) = stream.read(&mut buffer) {
                    seen.extend_from_slice(&buffer[..len]);
                    let Some(end) = seen.windows(4).position(|at| at == b"\r\n\r\n") else {
                        continue;
                    };
                    let head = String::from_utf8_lossy(&seen[..end]).to_lowercase();
                    let (_, length) = head.split_once("content-length: ").expect("a length");
                    let length = length.split("\r\n").next().expect("a line");
                    if seen.len() >= end + 4 + length.parse::<usize>().expect("a number") {
                        let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
                        // Whoever has gone has no use for it.
                        let _ = stream.write_all(refusal);
                        seen.clear();
                    }
                }
            });
        }
    });
    let ran = run(&format!(
        "-sn uac -loopback -m 2 -r 100 -d 0 -log_otel_endpoint http://{address} -log_otel_proto http"
    ));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let shown = ran.shown();
    let line = events_line(&shown);
    assert!(
        line.contains("18 not taken") && line.contains("403"),
        "{line}"
    );
}
