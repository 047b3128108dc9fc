// SPDX-License-Identifier: AGPL-3.0-only
//! What is watched, what is counted, and that neither grows.

use gossipper_bytecode::FailReason;
use gossipper_control::FailureShapes;
use gossipper_control::shapes::Way;
use gossipper_vm::{CallEnd, Micros, StatEvent};
use std::net::{Ipv4Addr, SocketAddr};

use super::counted::MOST_SHAPES;
use super::open::{FIRST_ROWS, MOST_ROWS};
use super::slowest::MOST_SLOW;
use super::{AT_ONCE, PER_CALL, PLACES, Seen, Shapes, Slot, seen};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);
const CREATED: StatEvent = StatEvent::Created {
    incoming: false,
    late: Micros(0),
};

fn ended(end: CallEnd) -> StatEvent {
    StatEvent::Ended {
        end,
        length: Micros(0),
    }
}

fn failed() -> StatEvent {
    ended(CallEnd::Failure(FailReason::UnexpectedMessage))
}

fn watching() -> (Box<Shapes>, Slot) {
    let slot = Slot::default();
    (Shapes::new(slot.clone(), true), slot)
}

fn all_told(watching: &Shapes, slot: &Slot) -> Seen {
    watching.leave();
    seen(std::slice::from_ref(slot)).expect("left")
}

fn told(watching: &Shapes, slot: &Slot) -> FailureShapes {
    *all_told(watching, slot).failures
}

/// A call that sends an INVITE and is answered.
fn call(watching: &mut Shapes, call: u64, answer: &str, end: StatEvent) {
    let at = |ms: u64| Micros((call * 10 + ms) * 1000);
    watching.event(at(0), call, &CREATED, b"");
    let invite = format!("INVITE sip:b SIP/2.0\r\nCall-ID: {call}@x\r\n\r\n");
    watching.sends(at(0), call, &PEER, invite.as_bytes());
    let answer = format!("SIP/2.0 {answer}\r\ni: {call}@x\r\n\r\n");
    watching.received(at(2), call, Way::Received, Some(PEER), answer.as_bytes());
    watching.event(at(3), call, &end, answer.as_bytes());
}

#[test]
fn calls_that_fail_alike_are_counted_with_the_first_as_an_example() {
    let (mut watching, slot) = watching();
    call(&mut watching, 1, "503 Full", failed());
    call(&mut watching, 2, "486 Busy Here", failed());
    call(&mut watching, 3, "200 OK", ended(CallEnd::Success));
    call(&mut watching, 4, "486 Later", failed());
    let other = CallEnd::Failure(FailReason::CallRejected);
    call(&mut watching, 5, "486 Busy Here", ended(other));
    let told = told(&watching, &slot);
    assert_eq!((told.failed, told.watched, told.rarer), (4, 4, 0));
    let counts: Vec<u64> = told.shapes.iter().map(|shape| shape.count).collect();
    assert_eq!(counts, [2, 1, 1]);
    let example = &told.shapes[0].example;
    assert_eq!((example.call, example.call_id.as_str()), (2, "2@x"));
    assert_eq!(example.peer.as_deref(), Some("127.0.0.1:5060"));
    assert_eq!((example.began_us, example.length_us), (20_000, 3_000));
    let rows = example.messages.iter();
    let rows: Vec<_> = rows.map(|m| (m.at_us, m.way, m.label.as_str())).collect();
    let sent = (0, Way::Sent, "INVITE");
    assert_eq!(rows, [sent, (2_000, Way::Received, "486 Busy Here")]);
}

#[test]
fn a_repetition_is_counted_with_what_it_repeats() {
    let (mut watching, slot) = watching();
    watching.event(Micros(0), 7, &CREATED, b"");
    let invite = b"INVITE sip:b SIP/2.0\r\nCall-ID: x\r\n\r\n";
    for at in [0, 500, 1500] {
        watching.sends(Micros(at), 7, &PEER, invite);
    }
    watching.sends(Micros(1600), 7, &PEER, b"CANCEL sip:b SIP/2.0\r\n\r\n");
    watching.event(Micros(2000), 7, &failed(), b"");
    let told = told(&watching, &slot);
    let rows = told.shapes[0].example.messages.iter();
    let rows: Vec<_> = rows
        .map(|m| (m.label.as_str(), m.repeated, m.last_us))
        .collect();
    assert_eq!(rows, [("INVITE", 2, 1500), ("CANCEL", 0, 1600)]);
}

#[test]
fn a_call_that_a_message_begins_has_that_message() {
    let (mut watching, slot) = watching();
    let invite = b"INVITE sip:b SIP/2.0\r\nCall-ID: y\r\n\r\n";
    watching.received(Micros(5), 1, Way::Received, Some(PEER), invite);
    watching.event(Micros(5), 1, &CREATED, invite);
    watching.sends(Micros(6), 1, &PEER, b"SIP/2.0 180 Ringing\r\n\r\n");
    watching.event(Micros(9), 1, &failed(), b"");
    let told = told(&watching, &slot);
    let rows = told.shapes[0].example.messages.iter();
    let rows: Vec<_> = rows.map(|m| (m.way, m.label.as_str())).collect();
    let ringing = (Way::Sent, "180 Ringing");
    assert_eq!(rows, [(Way::Received, "INVITE"), ringing]);
}

#[test]
fn only_so_many_calls_are_watched_at_a_time_and_the_others_are_counted() {
    let (mut watching, slot) = watching();
    let calls = 1..=4 * PLACES as u64;
    for number in calls.clone() {
        watching.event(Micros(0), number, &CREATED, b"");
    }
    for number in calls {
        watching.event(Micros(9), number, &failed(), b"");
    }
    let told = told(&watching, &slot);
    assert_eq!(told.failed, 4 * PLACES as u64);
    assert_eq!(told.watched, PLACES as u64);
    assert_eq!(told.shapes.len(), 1);
}

#[test]
fn calls_that_are_short_and_many_are_watched_so_often_per_second() {
    let (mut watching, slot) = watching();
    // A call every ten microseconds, for a second.
    for number in 1..=100_000 {
        let now = Micros(number * 10);
        watching.event(now, number, &CREATED, b"");
        watching.event(now, number, &failed(), b"");
    }
    let told = told(&watching, &slot);
    assert_eq!(told.failed, 100_000);
    let most = AT_ONCE + 1_000_000 / PER_CALL.0;
    assert!((most - 2..=most).contains(&told.watched), "{told:?}");
}

#[test]
fn whatever_a_peer_does_the_memory_stays_within_bounds() {
    let (mut watching, slot) = watching();
    let calls = 3 * MOST_SHAPES as u64;
    for number in 1..=calls {
        let now = Micros(number * 10_000);
        watching.event(now, number, &CREATED, b"");
        for message in 0..100 + number {
            let text = format!("M{number}X{message}\u{1b}[2J sip:b SIP/2.0\r\n\r\n");
            watching.received(now, number, Way::Received, Some(PEER), text.as_bytes());
        }
        // Ends with as many repetitions of different messages as tells it from the others.
        for bit in 0..8 {
            let text = format!("N{bit} sip:b SIP/2.0\r\n\r\n");
            for _ in 0..=(number >> bit & 1) {
                watching.received(now, number, Way::Received, Some(PEER), text.as_bytes());
            }
        }
        watching.event(now, number, &failed(), b"");
    }
    let told = told(&watching, &slot);
    assert_eq!((told.failed, told.watched), (calls, calls));
    let named: u64 = told.shapes.iter().map(|shape| shape.count).sum();
    assert_eq!(named + told.rarer, calls, "none is lost");
    assert!(told.shapes.len() <= MOST_SHAPES);
    for shape in &told.shapes {
        let example = &shape.example;
        assert_eq!(example.messages.len(), MOST_ROWS);
        assert!(example.left_out > 0 && example.left_out_after < MOST_ROWS);
        let labels = || example.messages.iter().map(|message| &message.label);
        assert!(labels().all(|label| label.len() <= 32 && label.is_ascii()));
        assert!(labels().all(|label| !label.contains('\u{1b}')));
    }
}

#[test]
fn what_is_cleared_is_forgotten_and_open_calls_stay_watched() {
    let (mut watching, slot) = watching();
    call(&mut watching, 1, "486 Busy", failed());
    watching.event(Micros(0), 2, &CREATED, b"");
    watching.clear();
    watching.event(Micros(1), 2, &failed(), b"");
    let told = told(&watching, &slot);
    assert_eq!((told.failed, told.watched), (1, 1));
    assert!(told.shapes[0].example.messages.is_empty());
}

#[test]
fn the_calls_with_the_slowest_answers_from_due_are_kept_with_their_messages() {
    let (mut watching, slot) = watching();
    for number in 1..=9_u64 {
        // The third was sent late, which counts as much as waiting for the peer.
        let late = if number == 3 { 100 } else { 0 };
        let at = |ms: u64| Micros((number * 1000 + ms) * 1000);
        watching.event(at(0), number, &CREATED, b"");
        watching.sends(
            at(0),
            number,
            &PEER,
            b"INVITE sip:b SIP/2.0\r\nCall-ID: x\r\n\r\n",
        );
        watching.received(
            at(1),
            number,
            Way::Received,
            Some(PEER),
            b"SIP/2.0 180 Ringing\r\n\r\n",
        );
        watching.received(
            at(2),
            number,
            Way::Received,
            Some(PEER),
            b"SIP/2.0 200 OK\r\n\r\n",
        );
        watching.answered(number, Micros(number * 1000), Micros(late * 1000));
        watching.sends(at(3), number, &PEER, b"BYE sip:b SIP/2.0\r\n\r\n");
        watching.received(
            at(4),
            number,
            Way::Received,
            Some(PEER),
            b"SIP/2.0 202 So\r\n\r\n",
        );
        watching.answered(number, Micros(500), Micros(0));
        let end = if number == 9 {
            failed()
        } else {
            ended(CallEnd::Success)
        };
        watching.event(at(5), number, &end, b"");
    }
    // One without an answer is a failure and not slow.
    watching.event(Micros(0), 10, &CREATED, b"");
    watching.event(Micros(99_000_000), 10, &failed(), b"");
    let slow = *all_told(&watching, &slot).slow.expect("times are measured");
    assert_eq!((slow.ended, slow.watched), (10, 9));
    let calls = slow.calls.iter();
    let calls: Vec<_> = calls
        .map(|slow| {
            (
                slow.call.call,
                slow.due_us,
                slow.sent_us,
                slow.failed.is_some(),
            )
        })
        .collect();
    let expected = [
        (3, 103_000, 3_000, false),
        (9, 9_000, 9_000, true),
        (8, 8_000, 8_000, false),
        (7, 7_000, 7_000, false),
        (6, 6_000, 6_000, false),
    ];
    assert_eq!(calls, expected);
    assert_eq!(calls.len(), MOST_SLOW);
    let answer = slow.calls[0].answer.expect("it is there");
    assert_eq!(slow.calls[0].call.messages[answer].label, "200 OK");
}

#[test]
fn an_answer_stays_known_when_messages_before_it_are_left_out() {
    let (mut watching, slot) = watching();
    watching.event(Micros(0), 1, &CREATED, b"");
    let mut at = 0;
    let mut info = |watching: &mut Shapes, more: u64| {
        for _ in 0..more {
            at += 1;
            let message = format!("INFO sip:b SIP/2.0\r\nCSeq: {at} INFO\r\n\r\n");
            watching.sends(Micros(at), 1, &PEER, message.as_bytes());
        }
    };
    info(&mut watching, MOST_ROWS as u64 - 1);
    watching.received(
        Micros(99),
        1,
        Way::Received,
        Some(PEER),
        b"SIP/2.0 200 OK\r\n\r\n",
    );
    watching.answered(1, Micros(7), Micros(0));
    info(&mut watching, 3);
    let row = |watching: &Shapes| watching.open[1].slowest().and_then(|answer| answer.row());
    assert_eq!(row(&watching), Some(MOST_ROWS - 4));
    info(&mut watching, (MOST_ROWS - FIRST_ROWS) as u64);
    assert_eq!(row(&watching), None);
    watching.event(Micros(200), 1, &ended(CallEnd::Success), b"");
    let slow = *all_told(&watching, &slot).slow.expect("times are measured");
    assert_eq!((slow.calls[0].due_us, slow.calls[0].answer), (7, None));
}
