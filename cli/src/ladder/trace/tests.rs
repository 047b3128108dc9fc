// SPDX-License-Identifier: AGPL-3.0-only
//! Ladders of small traces in each form, read as a person would.

use super::super::{Charset, text};
use super::calls::Calls;
use super::read::{Count, Message, Way, read};
use std::fmt::Write as _;

const DASHES: &str = "-----------------------------------------------";

/// A message of a call, `way` as SIPp titles it.
fn message(start: &str, call_id: &str, cseq: &str, body: &str) -> String {
    let via = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
         {via}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const SDP: &str = "v=0\r\ns=-\r\n";

/// Milliseconds, whether it was sent, start line, CSeq, body.
type Step = (u32, bool, &'static str, &'static str, &'static str);

const CALL: &[Step] = &[
    (0, true, "INVITE sip:b@192.0.2.2 SIP/2.0", "1 INVITE", SDP),
    (500, true, "INVITE sip:b@192.0.2.2 SIP/2.0", "1 INVITE", SDP),
    (512, false, "SIP/2.0 180 Ringing", "1 INVITE", ""),
    (912, false, "SIP/2.0 200 OK", "1 INVITE", SDP),
    (913, true, "ACK sip:b@192.0.2.2 SIP/2.0", "1 ACK", ""),
    (1500, true, "BYE sip:b@192.0.2.2 SIP/2.0", "2 BYE", ""),
    (1501, false, "SIP/2.0 200 OK", "2 BYE", ""),
];

const BUSY: &[Step] = &[
    (0, true, "INVITE sip:b@192.0.2.2 SIP/2.0", "1 INVITE", SDP),
    (20, false, "SIP/2.0 486 Busy Here", "1 INVITE", ""),
    (21, true, "ACK sip:b@192.0.2.2 SIP/2.0", "1 ACK", ""),
];

fn clock(ms: u32) -> String {
    format!(
        "2026-01-31 10:11:{:02}.{:06}",
        12 + ms / 1000,
        ms % 1000 * 1000
    )
}

/// In SIPp's form; SIPp's own titles, which differ a little from ours, for `sipp`.
fn sipps(call_id: &str, steps: &[Step], sipp: bool) -> String {
    let mut out = String::new();
    for &(ms, sent, start, cseq, body) in steps {
        let text = message(start, call_id, cseq, body);
        let len = text.len();
        let title = match (sent, sipp) {
            (true, true) => format!("UDP message sent ({len} bytes):"),
            (true, false) => format!("UDP message sent [{len}] bytes:"),
            (false, true) => format!("UDP message received [{len}] bytes :"),
            (false, false) => format!("UDP message received [{len}] bytes:"),
        };
        let _ = write!(out, "{DASHES} {}\n{title}\n\n{text}\n", clock(ms));
    }
    out
}

fn own(number: u64, call_id: &str, steps: &[Step]) -> String {
    let mut out = String::new();
    for &(_, sent, start, cseq, body) in steps {
        let way = if sent { "sent" } else { "received" };
        let text = message(start, call_id, cseq, body);
        let _ = write!(out, "{way}[{number}]\n{text}\n");
    }
    out
}

fn of(trace: &str) -> (Calls, Count) {
    let mut calls = Calls::default();
    let count = read(&mut trace.as_bytes(), |message| calls.take(message)).expect("a trace");
    (calls, count)
}

fn messages(trace: &str) -> Vec<Message> {
    let mut all = Vec::new();
    let taken = read(&mut trace.as_bytes(), |message| {
        all.push(message);
        true
    });
    taken.expect("a trace");
    all
}

fn drawn(calls: &Calls, wanted: &str) -> String {
    let call = calls.find(wanted).expect("one call");
    text(
        &call.ladder(format!("call {}", call.call_id)),
        Charset::Boxes,
    )
}

#[test]
fn a_call_of_sipps_trace_reads_from_top_to_bottom() {
    let (calls, count) = of(&sipps("1-4711@192.0.2.1", CALL, true));
    assert_eq!((count.messages, count.skipped), (7, 0));
    insta::assert_snapshot!(drawn(&calls, "4711"));
}

#[test]
fn all_forms_tell_the_same_messages() {
    let sipp = messages(&sipps("1-4711@192.0.2.1", CALL, true));
    assert_eq!(sipp, messages(&sipps("1-4711@192.0.2.1", CALL, false)));
    let own: Vec<Message> = messages(&own(9, "1-4711@192.0.2.1", CALL));
    assert!(own.iter().all(|message| message.number == 9));
    let plain = |messages: &[Message]| -> Vec<(Way, String, String, u64)> {
        let parts = messages.iter();
        parts
            .map(|m| (m.way, m.label.clone(), m.cseq.clone(), m.hash))
            .collect()
    };
    assert_eq!(plain(&own), plain(&sipp));
    // A line each.
    let mut short = String::new();
    let mut own_short = "timestamp,direction,call,proto,summary,call_id\n".to_owned();
    for &(ms, sent, start, cseq, _) in CALL {
        let date = clock(ms).replace(' ', "\t");
        let letter = if sent { "S" } else { "R" };
        let way = if sent { "sent" } else { "received" };
        let _ = writeln!(
            short,
            "{date}\t1.5\t{letter}\t1-4711@192.0.2.1\tCSeq:{cseq}\t{start}"
        );
        let _ = writeln!(
            own_short,
            "{}Z,{way},9,UDP,{start},1-4711@192.0.2.1",
            clock(ms).replace(' ', "T")
        );
    }
    for (trace, with_cseq) in [(short, true), (own_short, false)] {
        let read = messages(&trace);
        assert_eq!(read.len(), sipp.len());
        for (one, other) in read.iter().zip(&sipp) {
            assert_eq!((one.at_us, one.way), (other.at_us, other.way));
            assert_eq!((&one.label, &one.call_id), (&other.label, &other.call_id));
            assert_eq!(one.cseq == other.cseq, with_cseq);
        }
    }
}

#[test]
fn what_looks_like_another_message_within_one_is_none() {
    let nested = format!("{DASHES} 2026-01-31 10:11:12.000000\nUDP message sent [1] bytes:\n\nx\n");
    let text = message("MESSAGE sip:b SIP/2.0", "1@a", "1 MESSAGE", &nested);
    let len = text.len();
    let trace = format!(
        "{DASHES} {}\nUDP message sent [{len}] bytes:\n\n{text}\n",
        clock(0)
    ) + &sipps("2@a", BUSY, false);
    let (calls, count) = of(&trace);
    assert_eq!((count.messages, calls.calls.len()), (4, 2));
}

#[test]
fn a_trace_that_was_cut_at_both_ends_is_read() {
    let whole = sipps("1@a", CALL, true) + &sipps("2@a", BUSY, true);
    let count_of = |trace: &str| {
        let mut count = 0;
        let read = read(&mut trace.as_bytes(), |_| {
            count += 1;
            true
        });
        (count, read.is_ok())
    };
    for cut in (1..whole.len()).step_by(97) {
        let (front, back) = whole.split_at(cut);
        let ((before, is_trace), (after, _)) = (count_of(front), count_of(back));
        assert!(is_trace || cut < 80, "{cut}");
        // One that was cut in its title is on neither side.
        assert!((9..=10).contains(&(before + after)) || !is_trace, "{cut}");
    }
}

#[test]
fn calls_that_went_alike_are_one_shape_and_the_most_frequent_come_first() {
    let mut trace = String::new();
    for number in 0..3 {
        trace += &sipps(&format!("busy-{number}@a"), BUSY, true);
    }
    trace += &sipps("good@a", CALL, true);
    // Without a repetition it is the same.
    let once: Vec<Step> = CALL.iter().copied().filter(|step| step.0 != 500).collect();
    trace += &sipps("better@a", &once, true);
    let (calls, _) = of(&trace);
    let shapes = calls.shapes();
    let counts: Vec<(usize, &str)> = shapes
        .iter()
        .map(|(count, call)| (*count, call.call_id.as_str()))
        .collect();
    assert_eq!(counts, [(3, "busy-0@a"), (2, "good@a")]);
}

#[test]
fn a_trace_of_both_sides_is_drawn_once() {
    let mut trace = String::new();
    for &(ms, sent, start, cseq, body) in BUSY {
        let text = message(start, "1@a", cseq, body);
        let len = text.len();
        for (way, ms) in [("sent", ms), ("received", ms + 1)] {
            let _ = write!(
                trace,
                "{DASHES} {}\nUDP message {way} [{len}] bytes:\n\n{text}\n",
                clock(ms)
            );
        }
        let _ = sent;
    }
    let (calls, _) = of(&trace);
    insta::assert_snapshot!(drawn(&calls, "1@a"));
}

#[test]
fn a_message_that_did_not_get_away_and_one_that_did_not_arrive_say_so() {
    let mut trace = sipps("1@a", &BUSY[..1], false);
    let bye = message("BYE sip:b SIP/2.0", "1@a", "2 BYE", "");
    let _ = write!(
        trace,
        "{DASHES} {}\nError sending UDP message:\n\n{bye}\n",
        clock(30)
    );
    let (calls, _) = of(&trace);
    assert!(drawn(&calls, "1@a").contains("not sent: refused by the system"));
    // Of both sides, the second message only left.
    let text = message("INVITE sip:b SIP/2.0", "2@a", "1 INVITE", "");
    let mut both = String::new();
    for way in ["sent", "received"] {
        let _ = write!(both, "{way}[1]\n{text}\n");
    }
    both += &own(
        1,
        "2@a",
        &[(0, true, "CANCEL sip:b SIP/2.0", "1 CANCEL", "")],
    );
    let (calls, _) = of(&both);
    let picture = drawn(&calls, "2@a");
    assert!(picture.contains("did not arrive"), "{picture}");
    assert!(
        picture.contains("client") && picture.contains("server"),
        "{picture}"
    );
}

#[test]
fn a_command_comes_from_the_twin() {
    let command = "Call-ID: 1@a\r\nFrom: x\r\n\r\n";
    let len = command.len();
    let mut trace = format!(
        "{DASHES} {}\nTCP control message received [{len}] bytes:\n\n{command}\n",
        clock(0)
    );
    trace += &sipps("1@a", BUSY, false);
    let (calls, _) = of(&trace);
    let picture = drawn(&calls, "1@a");
    assert!(
        picture
            .lines()
            .nth(2)
            .is_some_and(|line| line.contains("twin")),
        "{picture}"
    );
}

#[test]
fn a_call_is_found_by_its_id_its_number_or_a_part_that_no_other_has() {
    let trace = own(3, "abc-1@a", BUSY) + &own(4, "abc-2@a", BUSY);
    let (calls, _) = of(&trace);
    let id = |wanted: &str| calls.find(wanted).map(|call| call.call_id.clone());
    assert_eq!(id("abc-2@a").as_deref(), Ok("abc-2@a"));
    assert_eq!(id("4").as_deref(), Ok("abc-2@a"));
    assert_eq!(id("c-1").as_deref(), Ok("abc-1@a"));
    assert!(id("abc").is_err_and(|error| error.contains("2 Call-IDs")));
    assert!(id("nobody").is_err_and(|error| error.contains("no call")));
}

#[test]
fn what_is_no_trace_is_refused_and_what_peers_send_breaks_nothing() {
    for text in [
        "",
        "\n\n",
        "hello\nworld\n",
        "<scenario/>",
        "a,b,c\n",
        "-- 1\n",
    ] {
        assert!(read(&mut text.as_bytes(), |_| true).is_err(), "{text}");
    }
    let mut rng = 0x9e37_79b9_7f4a_7c15_u64;
    let whole = sipps("1@a", CALL, true) + &own(1, "2@a", BUSY);
    for _ in 0..300 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..20 {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            let at = rng as usize % bytes.len();
            bytes[at] = (rng >> 32) as u8;
        }
        let mut calls = Calls::default();
        if read(&mut &bytes[..], |message| calls.take(message)).is_ok() {
            for (_, call) in calls.shapes() {
                let picture = text(&call.ladder("x".to_owned()), Charset::Boxes);
                for line in picture.lines() {
                    assert!(line.chars().count() <= 100, "{line}");
                }
            }
        }
    }
}
