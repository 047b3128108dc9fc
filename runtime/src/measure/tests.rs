// SPDX-License-Identifier: AGPL-3.0-only
//! What is measured of calls whose events are given, in virtual time.

use std::sync::Arc;

use super::*;
use gossipper_bytecode::{FailReason, StepId};
use gossipper_vm::CallEnd;

fn program(name: &str) -> Arc<Program> {
    let builtin = gossipper_stdlib_scenarios::find(name).expect("a built-in");
    let options = gossipper_compiler::Options {
        name: name.to_owned(),
        ..Default::default()
    };
    let file = format!("{name}.xml");
    let compiled = gossipper_compiler::compile(&file, builtin.xml.as_bytes(), &options);
    Arc::new(compiled.program.expect("a built-in compiles"))
}

struct Stage {
    program: Arc<Program>,
    measure: Box<Measure>,
    slot: Slot,
    stats: Stats,
    records: Vec<Record>,
    answers: Vec<(Micros, Micros)>,
}

impl Stage {
    fn new(name: &str) -> Self {
        let program = program(name);
        let slot = Slot::default();
        Self {
            measure: Measure::new(&program, true, slot.clone()),
            stats: Stats::new(&program),
            program,
            slot,
            records: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn step(&self, name: &str) -> StepId {
        let steps = self.program.steps.iter();
        let place = steps
            .map(|step| self.program.display(step.name))
            .position(|known| known == name);
        StepId::new(place.expect(name)).expect("few steps")
    }

    fn event(&mut self, at_ms: u64, call: u64, event: StatEvent, received: &[u8]) {
        let now = Micros(at_ms * 1000);
        self.stats.apply(now, &event);
        let (answer, record) = self.measure.event(now, call, event, received);
        self.answers.extend(answer);
        self.records.extend(record);
    }

    fn created(&mut self, at_ms: u64, call: u64, late_ms: u64) {
        let created = StatEvent::Created {
            incoming: false,
            late: Micros(late_ms * 1000),
        };
        self.event(at_ms, call, created, b"");
    }

    fn sent(&mut self, at_ms: u64, call: u64, name: &str) {
        let step = self.step(name);
        self.event(at_ms, call, StatEvent::Sent { step }, b"");
    }

    fn received(&mut self, at_ms: u64, call: u64, name: &str, message: &str) {
        self.measure.late(Micros(0));
        let step = self.step(name);
        self.event(
            at_ms,
            call,
            StatEvent::Received {
                step,
                answers_invite: false,
            },
            message.as_bytes(),
        );
    }

    fn ended(&mut self, at_ms: u64, call: u64, end: CallEnd) {
        let length = Micros(at_ms * 1000);
        self.event(at_ms, call, StatEvent::Ended { end, length }, b"");
    }

    fn measures(&mut self, at_ms: u64) -> Measures {
        self.measure.last(Micros(at_ms * 1000), &self.stats, None);
        measures(std::slice::from_ref(&self.slot)).expect("it has left something")
    }
}

fn response(code: u16, method: &str) -> String {
    format!("SIP/2.0 {code} Yes\r\nCall-ID: 1@x\r\nCSeq: 1 {method}\r\n\r\n")
}

fn ms(us: u64) -> u64 {
    // A histogram of two digits may be a percent off.
    (us + 500) / 1000
}

#[test]
fn responses_count_from_their_request_and_from_when_that_was_due() {
    let mut stage = Stage::new("uac");
    stage.created(100, 1, 90);
    stage.sent(100, 1, "INVITE");
    stage.received(110, 1, "180", &response(180, "INVITE"));
    stage.received(130, 1, "200", &response(200, "INVITE"));
    stage.sent(130, 1, "ACK");
    // The end of the pause came 40 ms late.
    stage.measure.late(Micros(40_000));
    stage.sent(200, 1, "BYE");
    stage.received(205, 1, "200", &response(200, "BYE"));
    stage.ended(205, 1, CallEnd::Success);
    let measures = stage.measures(210);
    let seen: Vec<_> = measures
        .responses
        .iter()
        .map(|response| {
            let times = &response.times;
            let (actual, due) = (ms(times.actual.max_us), ms(times.due.max_us));
            (response.method.as_str(), response.code, actual, due)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("BYE", 200, 5, 45),
            ("INVITE", 180, 10, 100),
            ("INVITE", 200, 30, 120)
        ]
    );
    assert_eq!(ms(measures.invite.due.max_us), 120);
    let answers = &measures.answer;
    assert_eq!((answers.actual.count, ms(answers.actual.min_us)), (2, 5));
    let point = &measures.series.points[0];
    assert_eq!((point.created, point.succeeded, point.open), (1, 1, 0));
    assert_eq!((point.actual.count(), point.due.count()), (2, 2));
    let at = stage.step("180").index();
    let step = measures.steps.iter().find(|step| step.step == at);
    assert_eq!(step.map(|step| ms(step.times.actual.max_us)), Some(10));
}

#[test]
fn a_server_measures_the_way_to_its_peer_and_back_and_not_how_long_the_peer_talks() {
    let mut stage = Stage::new("uas");
    stage.created(0, 1, 0);
    stage.received(0, 1, "INVITE", "INVITE sip:x SIP/2.0\r\nCall-ID: a\r\n\r\n");
    stage.sent(0, 1, "180");
    stage.sent(1, 1, "200");
    stage.received(8, 1, "ACK", "ACK sip:x SIP/2.0\r\n\r\n");
    stage.received(5000, 1, "BYE", "BYE sip:x SIP/2.0\r\n\r\n");
    stage.ended(5000, 1, CallEnd::Success);
    let measures = stage.measures(5001);
    assert_eq!(measures.answer.actual.count, 1);
    assert_eq!(ms(measures.answer.actual.max_us), 7);
    let steps: Vec<_> = measures.steps.iter().map(|step| step.step).collect();
    assert_eq!(steps, [stage.step("ACK").index()]);
    assert!(measures.responses.is_empty());
}

#[test]
fn a_call_that_ends_leaves_a_record_and_nothing_else() {
    let mut stage = Stage::new("uac");
    stage.created(0, 7, 0);
    stage
        .measure
        .sends(7, b"INVITE sip:x SIP/2.0\r\nCall-ID: q\"1@x\r\n\r\n");
    stage.sent(0, 7, "INVITE");
    let unexpected = StatEvent::Unexpected {
        step: stage.step("200"),
        code: 486,
    };
    stage.event(4, 7, unexpected, b"SIP/2.0 486 Busy Here\r\n\r\n");
    let end = CallEnd::Failure(FailReason::UnexpectedMessage);
    stage.ended(5, 7, end);
    assert_eq!(
        stage.records,
        [Record {
            call: 7,
            end,
            length: Micros(5000),
            call_id: b"q\"1@x"[..].into(),
            unexpected: b"SIP/2.0 486 Busy Here"[..].into(),
        }]
    );
    // What comes for a call that is gone, or was never there, leaves nothing.
    stage.received(6, 7, "200", &response(200, "INVITE"));
    stage.sent(6, 8, "INVITE");
    stage.ended(6, 8, CallEnd::Success);
    assert_eq!(stage.records.len(), 1);
    let measures = stage.measures(7);
    assert!(measures.responses.is_empty() && measures.steps.is_empty());
    assert_eq!(measures.series.points[0].failed, [0, 1, 0, 0, 0, 0]);
}

#[test]
fn what_a_peer_makes_up_stays_bounded() {
    let mut stage = Stage::new("uac");
    stage.created(0, 1, 0);
    for _ in 0..3 {
        stage.sent(0, 1, "INVITE");
        stage.sent(0, 1, "BYE");
    }
    for code in 100..700 {
        stage.received(1, 1, "200", &response(code, "INVITE"));
    }
    for hostile in ["", "SIP/2.0 ", "SIP/2.0 abc", "SIP/2.0 20", "\n\n"] {
        stage.received(1, 1, "200", hostile);
    }
    let measures = stage.measures(2);
    assert_eq!(measures.responses.len(), 65);
    let other = measures
        .responses
        .iter()
        .find(|response| response.method == "other");
    assert_eq!(other.map(|other| other.times.actual.count), Some(536));
}

#[test]
fn seconds_are_noted_when_they_are_over_and_shards_add_up() {
    let mut first = Stage::new("uac");
    let mut second = Stage::new("uac");
    for (stage, calls) in [(&mut first, 3), (&mut second, 2)] {
        for call in 1..=calls {
            stage.created(call, call, 0);
        }
        stage.measure.tick(Micros(999_999), &stage.stats, None);
        assert!(measures(std::slice::from_ref(&stage.slot)).is_none());
        stage.measure.tick(Micros(1_000_001), &stage.stats, None);
        stage.ended(1500, 1, CallEnd::Success);
        stage.measure.tick(Micros(3_100_000), &stage.stats, None);
    }
    let both = measures(&[first.slot.clone(), second.slot.clone()]).expect("both left some");
    let seen: Vec<_> = both
        .series
        .points
        .iter()
        .map(|point| (point.created, point.succeeded, point.open))
        .collect();
    assert_eq!(seen, [(5, 0, 5), (0, 0, 5), (0, 2, 3)]);
    assert_eq!((both.call_length.count, both.lateness.count), (2, 5));
}
