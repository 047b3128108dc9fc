// SPDX-License-Identifier: AGPL-3.0-only
//! Messages that the capture cut within their headers are still part of their call.

mod common;

use common::script::Talk;
use common::{file, round_trip};
use gossipper_capture::Capture;
use gossipper_pcap2scenario::{Conversion, Options, convert};

const CALL: [&str; 6] = [
    "> INVITE | sdp 4000",
    "< 180",
    "< 200 | sdp 5000",
    "> ACK",
    "> BYE | @5400",
    "< 200",
];

/// Cuts a message behind the first place of a text.
fn cut(capture: &mut Capture, message: usize, behind: &str) {
    let message = &mut capture.messages[message];
    let text = String::from_utf8(message.bytes.clone()).expect("a script is text");
    let at = text.find(behind).expect("it is in the message") + behind.len();
    message.bytes.truncate(at);
    message.truncated = true;
}

fn made(capture: &Capture) -> Conversion {
    let conversion = convert(capture, &Options::default());
    round_trip(&conversion, false);
    conversion
}

#[test]
fn what_the_other_half_of_a_transaction_says_is_taken_from_it() {
    for (message, behind) in [
        (0, "Call-ID: ca"),
        (0, "CSeq: "),
        (1, "Call-ID: c"),
        (2, "To: "),
        (4, "Call-ID: cal"),
        (5, "CSeq: "),
        (5, "From: "),
        (5, "CSeq: 2 BYE"),
    ] {
        let mut capture = Talk::new("call").say(&CALL);
        cut(&mut capture, message, behind);
        let made = made(&capture);
        assert_eq!(made.notes, [""; 0], "{message} {behind}");
        assert_eq!(made.calls.len(), 1, "{message} {behind}");
        let call = &made.calls[0];
        assert_eq!((&call.call_id[..], call.messages), ("call", 6), "{behind}");
        assert_eq!(call.notes.len(), 1, "{:?}", call.notes);
    }
}

#[test]
fn what_could_be_of_several_calls_is_added_to_none() {
    let mut capture = Capture::default();
    for call in 0..3 {
        Talk::new(&format!("call-{call}")).add(&mut capture, &CALL);
    }
    let ids: Vec<usize> = (0..3).map(|call| call * 6 + 3).collect();
    for id in ids {
        cut(&mut capture, id, "Call-ID: call-");
    }
    let made = convert(&capture, &Options::default());
    // Each call gets an ACK that is said to be made up. What is left of the three is shown beside them: alike but for the
    // branch, they count as one that was repeated.
    let shown: Vec<(&str, usize)> = made
        .calls
        .iter()
        .map(|call| (&call.call_id[..], call.messages))
        .collect();
    assert_eq!(
        shown,
        [("call-0", 6), ("call-1", 6), ("call-2", 6), ("call-", 1)]
    );
    for call in &made.calls[..3] {
        assert!(
            call.notes[0].starts_with("no ACK for the 200 OK of frame"),
            "{:?}",
            call.notes
        );
    }
}

#[test]
fn requests_of_which_only_the_start_is_left_are_numbered() {
    let mut capture = Talk::new("call").say(&CALL);
    for message in 0..6 {
        cut(&mut capture, message, "Via: SIP/2.0/UDP 10.0.0.");
    }
    let made = convert(&capture, &Options::default());
    assert_eq!(made.calls.len(), 1);
    let uac = file(&made, "scenario_uac.xml");
    for line in ["CSeq: 1 INVITE", "CSeq: 1 ACK", "CSeq: 2 BYE"] {
        assert!(uac.contains(line), "{line}\n{uac}");
    }
    assert_eq!(uac.matches("Max-Forwards: 70").count(), 3, "{uac}");
    assert_eq!(made.notes.len(), 1, "{:?}", made.notes);
    assert!(made.notes[0].starts_with("3 of 6 SIP messages cannot be read"));
    round_trip(&made, false);
}
