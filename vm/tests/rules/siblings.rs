// SPDX-License-Identifier: AGPL-3.0-only
//! Several engines that share the calls of one scenario: together they do what one engine does.

use crate::stage::{from_peer, header, reply, request, response, scenario, send};
use gossipper_bytecode::Program;
use gossipper_testkit::pair;
use gossipper_vm::circuits::CircuitMap;
use gossipper_vm::{
    CallControl, CallIdFormat, Confined, Engine, FlowId, Image, InjectionFile, Input, Micros,
    OutBuf, Output, RunParams, Siblings, StatEvent, confined,
};
use std::collections::BTreeMap;
use std::sync::Arc;

fn client() -> Arc<Program> {
    let invite = send("INVITE", "").replace(
        "Contact:",
        "Subject: [call_number] [branch] [field0 file=\"turns.csv\"] [field0 file=\"dice.csv\"]\nContact:",
    );
    let parts = [invite, response(200, ""), send("BYE", "")];
    let files = ["turns.csv", "dice.csv"];
    pair::program_with_files("test", &scenario(&parts), &files)
}

fn with_files(mut params: RunParams, call_id: CallIdFormat) -> RunParams {
    let file = |name: &str, lines: &[u8]| {
        Arc::new(InjectionFile::parse(name, lines.to_vec()).expect("a file"))
    };
    params.injection = vec![
        file("turns.csv", b"SEQUENTIAL\none\ntwo\nthree\nfour\nfive\n"),
        file("dice.csv", b"RANDOM\na\nb\nc\nd\ne\nf\n"),
    ];
    params.call_id = call_id;
    params.seed = 5;
    params
}

fn image(program: &Arc<Program>, params: RunParams) -> Arc<Image> {
    Arc::new(Image::link(Arc::clone(program), params).expect("the program links"))
}

/// What is sent, by Call-ID.
type Sent = BTreeMap<String, Vec<String>>;

fn collect(out: &OutBuf, sent: &mut Sent) {
    for record in out.records() {
        if let Output::Send { bytes, .. } = record {
            let text = String::from_utf8_lossy(out.bytes(*bytes)).into_owned();
            let id = header(&text, "Call-ID").expect("it has one").to_owned();
            sent.entry(id).or_default().push(text);
        }
    }
}

fn ask(engine: &mut Engine, at: u64, input: Input<'_>, sent: &mut Sent) -> Vec<StatEvent> {
    let mut out = OutBuf::new();
    engine.handle(Micros(at), input, &mut out);
    collect(&out, sent);
    let stat = |record: &Output| match record {
        Output::Stat(event) => Some(*event),
        _ => None,
    };
    out.records().iter().filter_map(stat).collect()
}

#[test]
fn calls_are_the_same_whichever_engine_opens_them_and_their_call_id_is_known_before() {
    let of_type = |name| CallIdFormat::of_type(name).expect("a type");
    for call_id in [
        CallIdFormat::parse("%u-%r@%s"),
        of_type("uuid"),
        of_type("random"),
    ] {
        calls_are_the_same_with(call_id);
    }
}

fn calls_are_the_same_with(call_id: CallIdFormat) {
    let program = client();
    let image = image(&program, with_files(pair::client_params(), call_id));
    let mut alone = Sent::new();
    let mut engine = Engine::new(Arc::clone(&image));
    for number in 1..=40 {
        let due = Micros(number);
        ask(
            &mut engine,
            number,
            Input::Spawn { user: 0, due },
            &mut alone,
        );
    }
    let siblings = Arc::new(Siblings::new(None));
    let mut engines: Vec<Engine> = (0..3)
        .map(|_| Engine::one_of(Arc::clone(&image), Arc::clone(&siblings)))
        .collect();
    let mut together = Sent::new();
    for number in 1..=40_u64 {
        let mut id = Vec::new();
        engines[0].call_id_of(number, &mut id);
        let id = String::from_utf8(id).expect("a Call-ID is text");
        assert!(!together.contains_key(&id));
        // Any function of the Call-ID will do.
        let owner = id.bytes().map(usize::from).sum::<usize>() % engines.len();
        let due = Micros(number);
        ask(
            &mut engines[owner],
            number,
            Input::Open { number, due },
            &mut together,
        );
        assert!(together.contains_key(&id), "{id} of {together:?}");
        let knows = |engine: &Engine| engine.knows(id.as_bytes());
        let knowing: Vec<bool> = engines.iter().map(knows).collect();
        let only: Vec<bool> = (0..3).map(|at| at == owner).collect();
        assert_eq!(knowing, only, "messages find their engine");
    }
    assert_eq!(alone.len(), 40);
    assert_eq!(alone, together);
    assert!(engines.iter().all(|engine| engine.open_calls() > 0));
}

#[test]
fn an_engine_knows_a_call_that_has_ended_as_long_as_late_messages_are_told_from_others() {
    let program = pair::program("test", &scenario(&[send("OPTIONS", "")]));
    let image = image(&program, pair::client_params());
    let siblings = Arc::new(Siblings::new(None));
    let mut engine = Engine::one_of(image, siblings);
    let mut id = Vec::new();
    engine.call_id_of(7, &mut id);
    assert!(!engine.knows(&id));
    let due = Micros(1);
    let events = ask(
        &mut engine,
        1,
        Input::Open { number: 7, due },
        &mut Sent::new(),
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, StatEvent::Ended { .. }))
    );
    assert_eq!(engine.open_calls(), 0);
    assert!(engine.knows(&id) && !engine.knows(b"another"));
}

#[test]
fn engines_of_a_server_give_out_each_number_once_and_stop_at_the_limit_together() {
    let parts = [request("INVITE", ""), reply(200, ""), request("BYE", "")];
    let program = pair::program("test", &scenario(&parts));
    let image = image(&program, pair::server_params());
    let siblings = Arc::new(Siblings::new(Some(4)));
    let mut engines: Vec<Engine> = (0..2)
        .map(|_| Engine::one_of(Arc::clone(&image), Arc::clone(&siblings)))
        .collect();
    let (mut sent, mut events) = (Sent::new(), Vec::new());
    for n in 0..6 {
        let text = from_peer("INVITE", &format!("call{n}"), 1);
        let input = Input::Message {
            flow: FlowId(0),
            src: "192.0.2.2:5060".parse().expect("an address"),
            bytes: text.as_bytes(),
        };
        assert_eq!(siblings.exhausted(), n >= 4);
        events.extend(ask(&mut engines[n % 2], 1, input, &mut sent));
    }
    let mut tags: Vec<&str> = sent
        .values()
        .filter_map(|texts| header(&texts[0], "To"))
        .filter_map(|to| to.split(";tag=").nth(1))
        .collect();
    tags.sort_unstable();
    assert_eq!(tags, ["b1", "b2", "b3", "b4"], "the numbers of the calls");
    let count = |what: fn(&StatEvent) -> bool| events.iter().filter(|event| what(event)).count();
    assert_eq!(count(|e| matches!(e, StatEvent::Created { .. })), 4);
    assert_eq!(count(|e| matches!(e, StatEvent::OutOfCall)), 2);
    // Who has been told to drain gives out no number.
    let siblings = Arc::new(Siblings::new(None));
    let mut engine = Engine::one_of(image, Arc::clone(&siblings));
    ask(
        &mut engine,
        1,
        Input::Control(CallControl::Drain),
        &mut sent,
    );
    let text = from_peer("INVITE", "late", 1);
    let input = Input::Message {
        flow: FlowId(0),
        src: "192.0.2.2:5060".parse().expect("an address"),
        bytes: text.as_bytes(),
    };
    assert_eq!(
        ask(&mut engine, 1, input, &mut sent),
        [StatEvent::OutOfCall]
    );
}

#[test]
fn what_needs_one_place_is_named() {
    let of = |parts: &[&str], params: RunParams| {
        confined(&pair::program("test", &scenario(parts)), &params)
    };
    let plain = || pair::client_params();
    let options = send("OPTIONS", "");
    assert_eq!(of(&[&options], plain()), None);
    let global = "<Global variables=\"g\"/><nop><action><assignstr assign_to=\"g\" value=\"1\"/><log message=\"[$g]\"/></action></nop>";
    assert_eq!(of(&[global, &options], plain()), Some(Confined::Globals));
    let init = "<init><nop><action><log message=\"x\"/></action></nop></init>";
    assert_eq!(of(&[init, &options], plain()), Some(Confined::Init));
    let dynamic = options.replace("Contact:", "X: [dynamic_id]\nContact:");
    assert_eq!(of(&[&dynamic], plain()), Some(Confined::DynamicId));
    let by_time = RunParams {
        call_id: CallIdFormat::of_type("timestamp").expect("a type"),
        ..plain()
    };
    assert_eq!(of(&[&options], by_time), Some(Confined::Time));
    let users = RunParams {
        users: Some(3),
        ..plain()
    };
    assert_eq!(of(&[&options], users), Some(Confined::Users));
    let circuits = RunParams {
        circuits: CircuitMap::parse("{0-1}{9}{0-1}{1-4}").ok(),
        ..plain()
    };
    assert_eq!(of(&[&options], circuits), Some(Confined::Circuits));
    let insert = "<nop><action><insert file=\"turns.csv\" value=\"x\"/></action></nop>";
    let edits = pair::program_with_files("test", &scenario(&[insert, &options]), &["turns.csv"]);
    assert_eq!(confined(&edits, &plain()), Some(Confined::Edits));
    let twin = "<sendCmd><![CDATA[\nCall-ID: [call_id]\n\n]]></sendCmd>";
    assert_eq!(of(&[twin, &options], plain()), Some(Confined::Twins));
}
