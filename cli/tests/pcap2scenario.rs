// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper pcap2scenario` as a user runs it, and what it makes on loopback: both sides by us, and either side by SIPp.
//!
//! The runs with SIPp are skipped, loudly, where there is none on `PATH`.

mod place;
#[path = "../../pcap2scenario/tests/common/script.rs"]
#[allow(dead_code, reason = "the scripts of another crate's tests")]
mod script;

use gossipper_capture::write::Writer;
use gossipper_capture::{Capture, Datagram, ReadOptions, read};
use gossipper_pcap2scenario::{Options, convert, rung_on_wire};
use gossipper_testkit::sipp::{
    Exit, Pair, PairOutcome, Running, Scenario, Side, Tool, free_udp_port,
};
use gossipper_testkit::sipp_trace::Direction;
use place::{BINARY, Place};
use script::Talk;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A capture file of SIP over UDP.
fn file_of(capture: &Capture) -> Vec<u8> {
    let mut writer = Writer::new();
    for message in &capture.messages {
        writer
            .datagram(&Datagram {
                frame: message.frame,
                time: message.time,
                source: message.source,
                destination: message.destination,
                payload: message.bytes.clone(),
            })
            .expect("it fits");
    }
    writer.into_bytes()
}

const CALL: [&str; 7] = [
    "> INVITE | sdp 4000",
    "< 100",
    "< 180",
    "< 200 | sdp 5000",
    "> ACK",
    "> BYE | @600",
    "< 200",
];

fn capture(calls: usize) -> Capture {
    let mut capture = Capture::default();
    for call in 0..calls {
        let talk = Talk {
            user: format!("alice{call}"),
            start: Duration::from_secs(1_700_000_000 + call as u64),
            ..Talk::new(&format!("call-{call}"))
        };
        talk.add(&mut capture, &CALL);
    }
    capture
}

#[test]
fn a_capture_becomes_two_files_that_compile() {
    let place = Place::new();
    place.write("call.pcap", file_of(&capture(1)));
    let ran = place.run("pcap2scenario call.pcap -out made/here");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert_eq!(
        ran.out,
        "call 1: INVITE alice0 -> bob, 200 OK: scenario_uac.xml, scenario_uas.xml\n1 call, 2 files\n"
    );
    let ran = place.run(
        "compile --check --lint --strict made/here/scenario_uac.xml made/here/scenario_uas.xml",
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.shown());
}

#[test]
fn calls_are_listed_numbered_chosen_and_merged() {
    let place = Place::new();
    place.write("calls.pcap", file_of(&capture(3)));
    let ran = place.run("pcap2scenario -list calls.pcap");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("#  start (UTC)"), "{}", ran.out);
    assert_eq!(lines.len(), 4, "{}", ran.out);
    assert!(
        lines[2].contains("22:13:21.100") && lines[2].ends_with("call-1"),
        "{}",
        ran.out
    );
    assert!(!place.path("scenario_uac.xml").exists());
    let ran = place.run("pcap2scenario calls.pcap -out all");
    assert!(ran.out.ends_with("3 calls, 6 files\n"), "{}", ran.shown());
    assert!(place.path("all/scenario_uas_003.xml").exists());
    let ran = place.run("pcap2scenario calls.pcap -call-id call-2 -out one");
    assert!(ran.out.contains("call 3: INVITE alice2"), "{}", ran.shown());
    assert!(place.path("one/scenario_uac.xml").exists());
    let ran = place.run("pcap2scenario calls.pcap -merge -timing none -out merged");
    assert!(
        ran.out.contains("call 1 and 2 like it: INVITE alice0 -> bob, 200 OK: scenario_uac.xml, scenario_uas.xml, users.csv"),
        "{}",
        ran.shown()
    );
    let users = std::fs::read_to_string(place.path("merged/users.csv")).expect("written");
    assert_eq!(users, "SEQUENTIAL\nalice0;\nalice1;\nalice2;\n");
    // Each call of a run is one of the capture's.
    let flags = [
        "-inf",
        &place.path("merged/users.csv").display().to_string(),
    ]
    .map(str::to_owned);
    let ran = run(&place, "merged", &ours(), &ours(), 3, &flags, &[]);
    for user in ["alice0", "alice1", "alice2"] {
        let from = format!("From: \"Alice\" <sip:{user}@127.0.0.1>;tag=");
        let invites = ran.client.messages.iter().filter(|message| {
            let text = String::from_utf8_lossy(&message.bytes);
            message.direction == Direction::Sent
                && text.starts_with("INVITE")
                && text.contains(&from)
        });
        assert_eq!(invites.count(), 1, "{user}");
    }
}

#[test]
fn what_cannot_be_had_is_said() {
    let place = Place::new();
    place.write("text.pcap", "no capture at all");
    let ran = place.run("pcap2scenario text.pcap");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("not a capture file"), "{}", ran.shown());
    let ran = place.run("pcap2scenario missing.pcap");
    assert!(
        ran.code == 1 && ran.err.contains("cannot read `missing.pcap`"),
        "{}",
        ran.shown()
    );
    place.write("none.pcap", Writer::new().into_bytes());
    let ran = place.run("pcap2scenario none.pcap");
    assert!(
        ran.code == 1 && ran.err.contains("no SIP in the 0 frames"),
        "{}",
        ran.shown()
    );
    place.write("call.pcap", file_of(&capture(1)));
    for (line, said) in [
        (
            "-call-id nobody call.pcap",
            "no call with the Call-ID `nobody`",
        ),
        ("-timing twice call.pcap", "scaled="),
        ("-pcap-link token_ring call.pcap", "token_ring"),
        ("-sip-port 5999 call.pcap", "no SIP in the 7 frames"),
        ("", "<FILE>"),
    ] {
        let ran = place.run(&format!("pcap2scenario {line}"));
        assert!(
            ran.code == 1 && ran.err.contains(said),
            "{line}: {}",
            ran.shown()
        );
    }
    // A file that breaks off gives what there is.
    let whole = file_of(&capture(1));
    place.write("cut.pcap", &whole[..whole.len() - 100]);
    let ran = place.run("pcap2scenario cut.pcap -out cut");
    assert!(ran.code == 0 && !ran.err.is_empty(), "{}", ran.shown());
    assert!(place.path("cut/scenario_uac.xml").exists());
}

fn ours() -> Tool {
    Tool::gossipper(BINARY)
}

/// Runs the two scenarios of a folder against each other.
fn run(
    place: &Place,
    folder: &str,
    client: &Tool,
    server: &Tool,
    calls: u32,
    client_flags: &[String],
    server_flags: &[String],
) -> PairOutcome {
    let (uac, uas) = (
        place.path(&format!("{folder}/scenario_uac.xml")),
        place.path(&format!("{folder}/scenario_uas.xml")),
    );
    let pair = Pair {
        server: Side {
            tool: server,
            scenario: Scenario::File(&uas),
            flags: server_flags,
        },
        client: Side {
            tool: client,
            scenario: Scenario::File(&uac),
            flags: client_flags,
        },
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        calls,
        rate: 20,
        trace: true,
        limit: Duration::from_secs(30),
    };
    let ran = pair.run().expect("both sides start");
    for (side, outcome) in [("caller", &ran.client), ("called", &ran.server)] {
        assert_eq!(
            outcome.exit,
            Exit::Code(0),
            "{folder}, {} calls {}: {side}\n{}\n{}\n{}",
            client.name,
            server.name,
            outcome.stdout,
            outcome.stderr,
            outcome.errors
        );
    }
    ran
}

/// Calls of kinds that need nothing that SIPp does not have.
const KINDS: [(&str, &[&str]); 6] = [
    ("ordinary", &CALL),
    (
        "reliable",
        &[
            "> INVITE | sdp 4000 | Supported: 100rel",
            "< 100",
            "< 183 | sdp 5000 | Require: 100rel | RSeq: 7001",
            "> PRACK | RAck: 7001 1 INVITE",
            "< 200/PRACK",
            "< 200/INVITE",
            "> ACK",
            "< BYE",
            "> 200",
        ],
    ),
    (
        "cancelled",
        &[
            "> INVITE | sdp 4000",
            "< 100",
            "< 180",
            "> CANCEL",
            "< 200/CANCEL",
            "< 487/INVITE",
            "> ACK",
        ],
    ),
    (
        "held",
        &[
            "> INVITE | sdp 4000",
            "< 200 | sdp 5000 | Record-Route: <sip:10.0.0.2:5080;lr>",
            "> ACK | Route: <sip:10.0.0.2:5080;lr>",
            "> INVITE | held 4000 | Route: <sip:10.0.0.2:5080;lr>",
            "< 200 | sdp 5000",
            "> ACK | Route: <sip:10.0.0.2:5080;lr>",
            "< INVITE | sdp 5002 8",
            "> 200 | sdp 4000 8",
            "< ACK",
            "> BYE | Route: <sip:10.0.0.2:5080;lr>",
            "< 200",
        ],
    ),
    (
        "registered",
        &[
            "> REGISTER | no tag",
            "< 401 | WWW-Authenticate: Digest realm=\"x\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"",
            "> REGISTER | no tag | Authorization: Digest username=\"alice\", realm=\"x\", nonce=\"abc\", uri=\"sip:x\", response=\"00\"",
            "< 200 | Expires: 3600",
        ],
    ),
    (
        "subscribed",
        &[
            "> SUBSCRIBE | Event: dialog | Expires: 300",
            "< 202",
            "< NOTIFY | Event: dialog | Subscription-State: active | body application/xml <a x=\"[1]\"/>\\n  b ",
            "> 200",
        ],
    ),
];

#[test]
fn runs_on_loopback_have_the_ladder_of_the_capture_with_sipp_on_either_side_too() {
    let place = Place::new();
    let ours = ours();
    let sipp = Tool::sipp();
    let mut pairs = vec![(&ours, &ours)];
    if let Some(sipp) = &sipp {
        pairs.extend([(sipp, &ours), (&ours, sipp)]);
    }
    for (kind, script) in KINDS {
        let bytes = file_of(&Talk::new(kind).say(script));
        place.write(&format!("{kind}.pcap"), &bytes);
        let ran = place.run(&format!(
            "pcap2scenario {kind}.pcap -timing none -out {kind}"
        ));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let capture = read(&bytes, &ReadOptions::default()).expect("a capture");
        let ladder = &convert(&capture, &Options::default()).calls[0].ladder;
        for (client, server) in &pairs {
            let flags = ["-au", "alice", "-ap", "secret"].map(str::to_owned);
            let ran = run(&place, kind, client, server, 1, &flags, &[]);
            let mut seen = Vec::new();
            for message in &ran.client.messages {
                if !seen.contains(&message) {
                    seen.push(message);
                }
            }
            let played: Vec<String> = seen
                .iter()
                .map(|message| {
                    rung_on_wire(message.direction == Direction::Sent, &message.bytes)
                        .expect("a message")
                })
                .collect();
            assert_eq!(
                &played, ladder,
                "{kind}: {} calls {}",
                client.name, server.name
            );
        }
    }
}

/// The call of docs/pcap2scenario.md.
fn example() -> Vec<u8> {
    let talk = Talk {
        caller: "192.0.2.10:5060".parse().expect("an address"),
        callee: "192.0.2.20:5060".parse().expect("an address"),
        start: Duration::from_millis(1_780_305_302_000),
        ..Talk::new("3848276298220188511@192.0.2.10")
    };
    let mut capture = talk.say(&[
        "> INVITE | sdp 4000",
        "> INVITE | again | @600",
        "< 100",
        "< 180",
        "< 200 | sdp 5000 | @2100",
        "> ACK | @2120",
        "> BYE | @7200",
        "< 200",
    ]);
    let mut frames: Vec<Datagram> = Vec::new();
    for message in capture.messages.drain(..) {
        frames.push(Datagram {
            frame: 0,
            time: message.time,
            source: message.source,
            destination: message.destination,
            payload: message.bytes,
        });
    }
    for (from, to, first) in [
        ("192.0.2.10:4000", "192.0.2.20:5000", 2140),
        ("192.0.2.20:5000", "192.0.2.10:4000", 2125),
    ] {
        for packet in 0..250_u16 {
            let mut payload = vec![0x80, 0];
            payload.extend_from_slice(&packet.to_be_bytes());
            payload.extend_from_slice(&(u32::from(packet) * 160).to_be_bytes());
            payload.extend_from_slice(&[0, 0, 0, 1]);
            payload.resize(172, 0xff);
            frames.push(Datagram {
                frame: 0,
                time: talk.start + Duration::from_millis(first + u64::from(packet) * 20),
                source: from.parse().expect("an address"),
                destination: to.parse().expect("an address"),
                payload,
            });
        }
    }
    frames.sort_by_key(|frame| frame.time);
    let mut writer = Writer::new();
    for frame in &frames {
        writer.datagram(frame).expect("it fits");
    }
    writer.into_bytes()
}

#[test]
fn the_worked_example_of_the_documentation_is_what_the_program_prints() {
    let place = Place::new();
    place.write("call.pcap", example());
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pcap2scenario.md"),
    )
    .expect("readable");
    let mut missing: Vec<String> = Vec::new();
    for line in [
        "pcap2scenario -list call.pcap",
        "pcap2scenario call.pcap -out replay",
        "compile --ladder --ascii replay/scenario_uac.xml",
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let shown = format!("$ gossipper {line}\n{}", ran.out.trim_end());
        if !text.contains(&shown) {
            missing.push(shown);
        }
    }
    assert!(
        missing.is_empty(),
        "docs/pcap2scenario.md lacks\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_call_of_the_corpus_runs_on_loopback_with_sipp_on_either_side_too() {
    let root = std::env::var_os("GOSSIPPER_CORPUS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        std::path::PathBuf::from,
    );
    let Ok(sources) = std::fs::read_dir(root.join("captures")) else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: no captures in {}", root.display());
        }
        return;
    };
    let place = Place::new();
    let ours = ours();
    let sipp = Tool::sipp();
    let mut runs = 0;
    for source in sources {
        for capture in std::fs::read_dir(source.expect("readable").path()).expect("readable") {
            let path = capture.expect("readable").path();
            let bytes = std::fs::read(&path).expect("readable");
            let capture = read(&bytes, &ReadOptions::default()).expect("a capture");
            let options = Options {
                timing: gossipper_pcap2scenario::Timing::None,
                ..Options::default()
            };
            let made = convert(&capture, &options);
            for call in &made.calls {
                let folder = place.path("corpus");
                std::fs::create_dir_all(&folder).expect("a folder");
                for (name, file) in ["scenario_uac.xml", "scenario_uas.xml"]
                    .iter()
                    .zip(&call.files)
                {
                    let file = made
                        .files
                        .iter()
                        .find(|made| made.name == *file)
                        .expect("made");
                    std::fs::write(folder.join(name), &file.bytes).expect("written");
                }
                let read =
                    |name: &str| std::fs::read_to_string(folder.join(name)).expect("readable");
                let caller = read("scenario_uac.xml");
                // Media is for another test: the ladder is the same without.
                let mut flags = vec!["-au", "alice", "-ap", "secret", "-no_media"];
                if caller.contains(" -t t1 ") {
                    flags.extend(["-t", "t1"]);
                }
                if caller.contains(" -max_message ") {
                    flags.extend(["-max_message", "200000"]);
                }
                let with: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
                let mut without = with.clone();
                without.retain(|flag| flag != "-no_media");
                let context = format!("{} call {}", path.display(), call.number);
                // SIPp reads no file of more than 64 KiB.
                let both = caller.len().max(read("scenario_uas.xml").len());
                if call.files.len() == 2
                    && both < 65_000
                    && let Some(sipp) = &sipp
                {
                    check(&place, (sipp, &ours), call, (&without, &with), &context);
                    check(&place, (&ours, sipp), call, (&with, &without), &context);
                }
                check(&place, (&ours, &ours), call, (&with, &with), &context);
                runs += 1;
            }
        }
    }
    assert!(runs >= 30, "{runs}");
}

/// Runs one call and compares its ladder.
fn check(
    place: &Place,
    (client, server): (&Tool, &Tool),
    call: &gossipper_pcap2scenario::CallSummary,
    (client_flags, server_flags): (&[String], &[String]),
    context: &str,
) {
    let ran = run(
        place,
        "corpus",
        client,
        server,
        1,
        client_flags,
        server_flags,
    );
    let mut seen = Vec::new();
    for message in &ran.client.messages {
        if !seen.contains(&message) {
            seen.push(message);
        }
    }
    let played: Vec<Option<String>> = seen
        .iter()
        .map(|message| rung_on_wire(message.direction == Direction::Sent, &message.bytes))
        .collect();
    let ladder: Vec<Option<String>> = call.ladder.iter().cloned().map(Some).collect();
    assert_eq!(
        played, ladder,
        "{context}: {} calls {}",
        client.name, server.name
    );
}

#[test]
fn the_media_of_a_capture_flows_again() {
    let mut capture = Talk::new("media").say(&[
        "> INVITE | sdp 4000",
        "< 200 | sdp 5000",
        "> ACK",
        "> BYE | @1500",
        "< 200",
    ]);
    for (from, to, packets) in [
        ("10.0.0.1:4000", "10.0.0.2:5000", 40_u16),
        ("10.0.0.2:5000", "10.0.0.1:4000", 30),
    ] {
        for packet in 0..packets {
            let mut payload = vec![0x80, 0];
            payload.extend_from_slice(&packet.to_be_bytes());
            payload.extend_from_slice(&(u32::from(packet) * 160).to_be_bytes());
            payload.extend_from_slice(&[0, 0, 0, 1]);
            payload.resize(172, 0xd5);
            capture.datagrams.push(Datagram {
                frame: 0,
                time: Duration::from_secs(1_700_000_000)
                    + Duration::from_millis(400 + u64::from(packet) * 20),
                source: from.parse().expect("an address"),
                destination: to.parse().expect("an address"),
                payload,
            });
        }
    }
    let place = Place::new();
    let made = convert(&capture, &Options::default());
    assert_eq!(made.calls[0].media, "audio 40/30");
    std::fs::create_dir_all(place.path("media")).expect("a folder");
    for file in &made.files {
        place.write(&format!("media/{}", file.name), &file.bytes);
    }
    let ran =
        place.run("compile --check --lint --strict media/scenario_uac.xml media/scenario_uas.xml");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.shown());
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = || free_udp_port(host).expect("a free port");
    let (uas, uac) = (port(), port());
    // RTP has even ports, RTCP the odd ones above.
    let media_port = || {
        let mut ports = std::iter::repeat_with(port);
        ports.find(|port| port % 2 == 0).expect("an even port")
    };
    let (called_media, calling_media) = (media_port(), media_port());
    // By SIPp's rules a call that plays a capture does not listen.
    let scenario = place.path("media/scenario_uas.xml");
    let line = format!(
        "-compat gossipper -sf {} -i {host} -p {uas} -mp {called_media} -m 1 -nostdin",
        scenario.display()
    );
    let words = line.split_whitespace().map(str::to_owned).collect();
    let mut called = Running::start(&ours(), words).expect("it starts");
    called
        .wait_for_port(SocketAddr::new(host, uas))
        .expect("it listens");
    let ran = place.run(&format!(
        "sipp -compat gossipper -sf media/scenario_uac.xml -i {host} -p {uac} -mp {calling_media} -m 1 -nostdin {host}:{uas}"
    ));
    let limit = Instant::now() + Duration::from_secs(20);
    let outcome = called.finish(limit, uas).expect("it ends");
    assert_eq!(
        (ran.code, outcome.exit),
        (0, Exit::Code(0)),
        "{}",
        ran.shown()
    );
    assert!(
        ran.out.contains("rtp_sent=40 rtp_recv=30"),
        "{}",
        ran.shown()
    );
}
