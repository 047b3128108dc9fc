// SPDX-License-Identifier: AGPL-3.0-only
//! Actions and variables.

use crate::stage::{Stage, from_peer_with, nop, reply, request, scenario, send};
use gossipper_bytecode::{FailReason, Op, Pc};
use gossipper_testkit::pair;
use gossipper_vm::CallEnd;

/// The message that actions look at: some headers twice, some in odd spelling, and a body.
pub(crate) const HEADERS: &str = "Subject: first\r\nX-To: nobody\r\nsubject: second\r\nEmpty:\r\n\
                       Content-Type: text/plain\r\n";

/// What one action block made of a received message.
pub(crate) struct Outcome {
    pub(crate) lines: Vec<String>,
    pub(crate) end: Option<CallEnd>,
    pub(crate) warnings: Vec<String>,
}

/// Runs `actions` when an INFO with [`HEADERS`] arrives, then prints the variables `a`, `b` and `c`.
pub(crate) fn on_info(actions: &str) -> Outcome {
    on_message(actions, &from_peer_with("INFO", "x", 5, HEADERS))
}

pub(crate) fn on_message(actions: &str, message: &str) -> Outcome {
    let mut stage = Stage::server(&[
        format!("<recv request='INFO'><action>{actions}</action></recv>"),
        nop("", "<log message='a=[$a] b=[$b] c=[$c]'/>"),
        "<Reference variables='a,b,c'/>".to_owned(),
        reply(200, ""),
    ]);
    stage.deliver(message);
    Outcome {
        lines: stage.lines.clone(),
        end: stage.end(),
        warnings: stage.warnings,
    }
}

#[track_caller]
pub(crate) fn prints(actions: &str, expected: &str) {
    let outcome = on_info(actions);
    assert_eq!(
        outcome.end,
        Some(CallEnd::Success),
        "{:?}",
        outcome.warnings
    );
    assert_eq!(outcome.lines, [expected]);
}

/// Asserts that a check fails for this reason, that the block stops there, and that the call still goes on.
#[track_caller]
pub(crate) fn fails(action: &str, reason: FailReason) {
    let outcome = on_info(&format!("{action}<log message='the block went on'/>"));
    assert_eq!(outcome.end, Some(CallEnd::Failure(reason)));
    assert_eq!(outcome.lines.len(), 1, "{:?}", outcome.lines);
    assert!(outcome.lines[0].starts_with("a="), "{:?}", outcome.lines);
}

// ---- numbers and texts

#[test]
fn arithmetic_works_on_doubles() {
    prints(
        "<assign assign_to='a' value='7'/><add assign_to='a' value='0.5'/><subtract assign_to='a' value='1.5'/>\
         <multiply assign_to='a' value='3'/><divide assign_to='a' value='4'/>\
         <assign assign_to='b' variable='a'/><divide assign_to='b' variable='a'/>",
        "a=4.500000 b=1.000000 c=",
    );
}

#[test]
fn a_target_that_is_no_double_counts_as_nought() {
    prints(
        "<assignstr assign_to='a' value='5'/><add assign_to='a' value='2'/><subtract assign_to='b' value='3'/>",
        "a=2.000000 b=-3.000000 c=",
    );
}

#[test]
fn a_division_by_nought_warns_and_changes_nothing() {
    let outcome = on_info("<assign assign_to='a' value='7'/><divide assign_to='a' variable='b'/>");
    assert_eq!(outcome.lines, ["a=7.000000 b= c="]);
    assert_eq!(outcome.warnings.len(), 1);
    assert!(
        outcome.warnings[0].starts_with("Action failure: Can not divide by zero ("),
        "{:?}",
        outcome.warnings
    );
    assert_eq!(outcome.end, Some(CallEnd::Success));
}

#[test]
fn todouble_reads_texts_as_strtod_does() {
    prints(
        "<assignstr assign_to='a' value=' 1.5e2'/><todouble assign_to='b' variable='a'/>\
         <assignstr assign_to='a' value=''/><assign assign_to='c' value='9'/><todouble assign_to='c' variable='a'/>",
        "a= b=150.000000 c=",
    );
}

#[test]
fn todouble_that_fails_warns_and_changes_nothing() {
    let outcome = on_info(
        "<assignstr assign_to='a' value='12 apples'/><assign assign_to='b' value='9'/>\
         <todouble assign_to='b' variable='a'/>",
    );
    assert_eq!(outcome.lines, ["a=12 apples b=9.000000 c="]);
    assert_eq!(outcome.warnings.len(), 1, "{:?}", outcome.warnings);
}

#[test]
fn test_compares_numbers_in_six_ways() {
    let results = |left: &str, right: &str| {
        let ways = [
            "equal",
            "not_equal",
            "greater_than",
            "less_than",
            "greater_than_equal",
            "less_than_equal",
        ];
        ways.map(|way| {
            let outcome = on_info(&format!(
                "<assign assign_to='a' value='{left}'/><assign assign_to='b' value='{right}'/>\
                 <test assign_to='c' variable='a' compare='{way}' variable2='b'/>"
            ));
            outcome.lines[0].ends_with("c=true")
        })
    };
    assert_eq!(results("1", "2"), [false, true, false, true, false, true]);
    assert_eq!(results("2", "2"), [true, false, false, false, true, true]);
    assert_eq!(results("3", "2"), [false, true, true, false, true, false]);
}

#[test]
fn a_failed_check_of_test_counts_under_its_own_reason() {
    fails(
        "<test variable='a' compare='equal' value='1' check_it='true'/>",
        FailReason::TestDoesntMatch,
    );
    fails(
        "<test variable='a' compare='equal' value='0' check_it_inverse='true'/>",
        FailReason::TestShouldntMatch,
    );
}

#[test]
fn strcmp_gives_the_sign_of_the_difference() {
    prints(
        "<assignstr assign_to='x' value='abc'/><strcmp assign_to='a' variable='x' value='abd'/>\
         <strcmp assign_to='b' variable='x' value='abb'/><strcmp assign_to='c' variable='x' value='abc'/>\
         <add assign_to='c' value='5'/>",
        "a=-1.000000 b=1.000000 c=5.000000",
    );
}

#[test]
fn strcmp_takes_anything_but_a_text_as_empty() {
    prints(
        "<assign assign_to='x' value='5'/><strcmp assign_to='a' variable='x' variable2='y'/>\
         <add assign_to='a' value='1'/><strcmp assign_to='b' variable='y' value='z'/>",
        "a=1.000000 b=-1.000000 c=",
    );
}

#[test]
fn a_failed_check_of_strcmp_counts_under_its_own_reason() {
    fails(
        "<strcmp assign_to='a' variable='b' value='text' check_it='true'/>",
        FailReason::StrcmpDoesntMatch,
    );
    fails(
        "<strcmp assign_to='a' variable='b' value='' check_it_inverse='true'/>",
        FailReason::StrcmpShouldntMatch,
    );
}

#[test]
fn a_failed_check_of_test_or_strcmp_assigns_nothing() {
    for check in [
        "<test assign_to='a' variable='c' compare='equal' value='0' check_it_inverse='true'/>",
        "<strcmp assign_to='a' variable='c' value='text' check_it='true'/>",
    ] {
        let outcome = on_info(&format!("<assignstr assign_to='a' value='old'/>{check}"));
        assert_eq!(outcome.lines, ["a=old b= c="], "{check}");
    }
}

#[test]
fn what_counts_as_set_depends_on_the_type() {
    let is_set = |assign: &str| {
        let mut stage = Stage::client(&[
            nop("", assign),
            "<nop condexec='x'><action><log message='set'/></action></nop>".to_owned(),
            "<Reference variables='x'/>".to_owned(),
            send("OPTIONS", ""),
        ]);
        stage.spawn();
        stage.lines.contains(&"set".to_owned())
    };
    assert!(!is_set("<log message='never assigned'/>"));
    assert!(is_set("<assignstr assign_to='x' value='text'/>"));
    assert!(is_set("<assignstr assign_to='x' value=''/>"));
    assert!(is_set("<assign assign_to='x' value='0.1'/>"));
    assert!(!is_set("<assign assign_to='x' value='0'/>"));
    assert!(is_set(
        "<test assign_to='x' variable='y' compare='equal' value='0'/><assign assign_to='y' value='0'/>"
    ));
    assert!(!is_set(
        "<test assign_to='x' variable='y' compare='equal' value='1'/><assign assign_to='y' value='0'/>"
    ));
    assert!(is_set(
        "<assignstr assign_to='y' value='text'/><ereg regexp='q*' search_in='var' variable='y' assign_to='x'/>"
    ));
}

#[test]
fn an_assignment_changes_the_type() {
    prints(
        "<assign assign_to='a' value='1'/><assignstr assign_to='a' value='text'/>\
         <assignstr assign_to='b' value='text'/><assign assign_to='b' value='2'/>\
         <assign assign_to='c' value='3'/><test assign_to='c' variable='c' compare='equal' value='3'/>",
        "a=text b=2.000000 c=true",
    );
}

#[test]
fn a_variable_keeps_its_text_when_others_change_theirs() {
    // Longer and shorter texts in turn, beyond what the text block keeps without tidying up.
    let long = "x".repeat(400);
    let mut actions = String::from("<assignstr assign_to='a' value='kept'/>");
    for _ in 0..12 {
        actions.push_str(&format!(
            "<assignstr assign_to='b' value='{long}'/><assignstr assign_to='c' value='{long}{long}'/>\
             <assignstr assign_to='b' value='s'/><assignstr assign_to='b' value='[$a][$b]'/>\
             <assign assign_to='c' value='1'/>"
        ));
    }
    prints(&actions, "a=kept b=kepts c=1.000000");
}

#[test]
fn gettimeofday_gives_seconds_and_microseconds() {
    let parts = [
        nop(
            "",
            "<gettimeofday assign_to='s,us'/><log message='[$s] [$us]'/>",
        ),
        send("OPTIONS", ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| params.epoch_us = 1_700_000_000_250_000);
    stage.advance(500);
    stage.spawn();
    assert_eq!(stage.lines, ["1700000000.000000 750000.000000"]);
}

#[test]
fn log_and_warning_expand_their_text() {
    let mut stage = Stage::server(&[
        request("INFO", ""),
        nop(
            "",
            "<log message='\\x5b[call_id]\\x5d [msg_index]'/><warning message='careful [call_number]'/>",
        ),
        reply(200, ""),
    ]);
    stage.deliver(&crate::stage::from_peer("INFO", "x", 1));
    assert_eq!(stage.lines, ["[x] -1", "careful 1"]);
}

// ---- texts, random numbers, indices, errors

#[test]
fn trim_and_url_actions_change_a_text_in_place() {
    prints(
        "<ereg regexp='.*' search_in='hdr' header='Subject:' assign_to='a'/><trim assign_to='a'/>\
         <assignstr assign_to='b' value='sip:a b@c'/><urlencode variable='b'/>\
         <assignstr assign_to='c' value='%5ba+b%5D'/><urldecode variable='c'/>",
        "a=first b=sip%3Aa%20b%40c c=[a b]",
    );
}

#[test]
fn trimming_what_is_no_text_makes_it_an_empty_text() {
    prints(
        "<assign assign_to='a' value='3'/><trim assign_to='a'/><test assign_to='b' variable='a' \
         compare='equal' value='0'/>",
        "a= b=true c=",
    );
}

#[test]
fn index_gives_the_element_the_call_is_at() {
    let mut stage = Stage::server(&[
        "<recv request='INVITE' optional='true'/>".to_owned(),
        "<recv request='INFO'><action><index assign_to='a'/></action></recv>".to_owned(),
        nop("", "<index assign_to='b'/><log message='[$a] [$b]'/>"),
        reply(200, ""),
    ]);
    stage.deliver(&crate::stage::from_peer("INFO", "x", 1));
    // In a `recv` the call still is where it waits: at the optional step, whose index 0 prints nothing.
    assert_eq!(stage.lines, [" 2.000000"]);
}

#[test]
fn sample_draws_from_each_distribution() {
    for (parameters, from, to) in [
        ("distribution='fixed' value='7'", 7.0, 7.0),
        ("distribution='uniform' min='2' max='3'", 2.0, 3.0),
        ("distribution='normal' mean='100' stdev='1'", 80.0, 120.0),
        ("distribution='lognormal' mean='1' stdev='0.1'", 1.0, 6.0),
        ("distribution='exponential' mean='5'", 0.0, 500.0),
        ("distribution='weibull' lambda='3' k='4'", 0.0, 30.0),
        ("distribution='pareto' k='10' x_m='2'", 2.0, 100.0),
        (
            "distribution='gpareto' shape='0.1' scale='1' location='4'",
            4.0,
            500.0,
        ),
        ("distribution='gamma' k='3' theta='2'", 0.0, 300.0),
        ("distribution='negbin' n='3' p='0.5'", 0.0, 300.0),
    ] {
        let mut stage = Stage::client(&[
            nop(
                "",
                &format!(
                    "<sample assign_to='a' {parameters}/><test assign_to='low' variable='a' \
                     compare='greater_than_equal' value='{from}'/><test assign_to='high' variable='a' \
                     compare='less_than_equal' value='{to}'/><log message='[$low] [$high] [$a]'/>"
                ),
            ),
            send("OPTIONS", ""),
        ]);
        stage.spawn();
        assert!(
            stage.lines[0].starts_with("true true "),
            "{parameters}: {}",
            stage.lines[0]
        );
    }
}

/// What two calls of a run with this seed draw, twice each.
fn drawn(seed: u64, text: &str) -> Vec<String> {
    let sample = format!("<sample assign_to='a'>{text}</sample><log message='[$a]'/>");
    let steps = [
        "<label id='again'/>".to_owned(),
        nop("", &format!("{sample}<add assign_to='n' value='1'/>")),
        nop(
            "next='again' test='more'",
            "<test assign_to='more' variable='n' compare='less_than' value='20'/>",
        ),
        send("OPTIONS", ""),
    ];
    let program = pair::program("test", &scenario(&steps));
    let mut stage = Stage::of(program, pair::client_params(), |params| params.seed = seed);
    stage.spawn();
    stage.spawn();
    stage.lines.clone()
}

#[test]
fn sample_draws_whole_numbers_from_its_text() {
    let lines = drawn(1, "min=-2 max=8 step=5");
    assert_eq!(lines.len(), 40);
    let seen: std::collections::BTreeSet<_> = lines.iter().map(String::as_str).collect();
    let all = ["-2.000000", "3.000000", "8.000000"];
    assert!(seen.iter().copied().eq(all), "{seen:?}");
    assert_eq!(
        lines,
        drawn(1, "min=-2 max=8 step=5"),
        "the run's seed decides"
    );
    assert_ne!(lines, drawn(2, "min=-2 max=8 step=5"));
}

#[test]
fn a_seed_in_the_text_of_sample_decides_alone() {
    let lines = drawn(1, "min=1 max=1000 seed=7");
    assert_eq!(lines, drawn(2, "max=1000 min=1 step=1 seed=7"));
    assert_ne!(lines, drawn(1, "min=1 max=1000 seed=8"));
    let (first, second) = lines.split_at(20);
    assert_ne!(first, second, "each call has a stream of its own");
    let different: std::collections::BTreeSet<_> = first.iter().collect();
    assert!(different.len() > 10, "the stream goes on: {first:?}");
}

#[test]
fn error_ends_the_run_with_its_text() {
    let mut stage = Stage::server(&[
        request("INFO", ""),
        nop(
            "",
            "<error message='call [call_number] went wrong'/><log message='not reached'/>",
        ),
        reply(200, ""),
    ]);
    stage.deliver(&crate::stage::from_peer("INFO", "x", 1));
    assert_eq!(stage.fatal.as_deref(), Some("call 1 went wrong"));
    assert!(stage.lines.is_empty());
    assert_eq!(stage.take(), [""; 0]);
}

#[test]
fn index_in_init_is_that_of_the_section() {
    let mut stage = Stage::client(&[
        "<Global variables='a'/><init><nop/><nop><action><index assign_to='a'/></action></nop></init>".to_owned(),
        nop("", "<log message='[$a]'/>"),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    assert_eq!(stage.lines, ["1.000000"]);
}

/// A client whose init section has these elements behind one that sets `to`; it logs `trace`.
fn init_of(to: &str, elements: &str) -> Stage {
    let mut stage = Stage::client(&[
        format!(
            "<Global variables='to,trace'/><init><nop><action><assign assign_to='to' value='{to}'/>\
             <assignstr assign_to='trace' value='0'/></action></nop>{elements}</init>"
        ),
        nop("", "<log message='[$to] [$trace]'/>"),
        send("OPTIONS", ""),
    ]);
    if stage.fatal.is_none() {
        stage.spawn();
    }
    stage
}

/// An element that notes its index and does this.
fn noting(index: usize, actions: &str) -> String {
    format!(
        "<nop><action><assignstr assign_to='trace' value='[$trace]{index}'/>{actions}</action></nop>"
    )
}

#[test]
fn a_jump_of_init_leads_to_the_element_that_the_variable_says() {
    let elements = [
        noting(1, "<jump variable='to'/><assign assign_to='to' value='9'/>"),
        noting(2, ""),
        noting(3, ""),
    ]
    .concat();
    // What the variable holds when the jump is executed counts, and the actions behind it are executed.
    assert_eq!(init_of("3", &elements).lines, ["9.000000 013"]);
    assert_eq!(init_of("2", &elements).lines, ["9.000000 0123"]);
    let back = [
        noting(1, ""),
        noting(
            2,
            "<add assign_to='to' value='-1'/><test assign_to='again' variable='to' compare='greater_than' value='0'/>",
        ),
        "<nop condexec='again'><action><jump variable='to'/></action></nop>".to_owned(),
    ];
    assert_eq!(init_of("3", &back.concat()).lines, [" 012212"]);
}

#[test]
fn a_jump_of_init_to_itself_or_beyond_ends_the_run() {
    for (to, says) in [("1", "itself"), ("2", "no step 2"), ("-1", "no step -1")] {
        let stage = init_of(to, &noting(1, "<jump variable='to'/>"));
        let fatal = stage.fatal.as_deref().unwrap_or_default();
        assert!(fatal.contains(says), "{to}: {fatal}");
    }
}

#[test]
fn a_pause_restored_in_init_is_waited_for_by_the_next_element_which_is_then_passed_over() {
    let elements = [
        noting(1, "<pauserestore variable='to'/>"),
        noting(2, ""),
        noting(3, ""),
    ]
    .concat();
    assert_eq!(init_of("0", &elements).lines, [" 0123"]);
    // Nothing moves the clock while init runs.
    let stage = init_of("100000", &elements);
    let fatal = stage.fatal.as_deref().unwrap_or_default();
    assert!(fatal.contains("does not end"), "{fatal}");
}

#[test]
fn programs_whose_init_jumps_elsewhere_are_refused() {
    let parts = [
        "<Global variables='to'/><init><nop><action><jump variable='to'/></action></nop></init>"
            .to_owned(),
        send("OPTIONS", ""),
    ];
    let program = pair::program("test", &crate::stage::scenario(&parts));
    let whole = || (*program).clone().into_draft();
    assert!(whole().verify().is_ok());
    let set = |op: &Op| matches!(op, Op::SetInitJump { .. });
    let at = whole().ops.iter().position(set).expect("there");

    let mut draft = whole();
    draft.init_steps = vec![draft.steps[0].entry];
    assert!(draft.verify().is_err(), "to a step");

    let mut draft = whole();
    draft.init_steps = vec![Pc(u32::MAX)];
    assert!(draft.verify().is_err(), "to nowhere");

    let mut draft = whole();
    (draft.init, draft.init_steps) = (None, Vec::new());
    assert!(draft.verify().is_err(), "without a section");

    let mut draft = whole();
    if let Op::SetInitJump { target, .. } = draft.ops[at] {
        draft.ops[at] = Op::SetJump { target };
    }
    assert!(draft.verify().is_err(), "with the jump of a step");
}

#[test]
fn the_short_names_of_comparisons_are_those_of_gossipper() {
    for (short, long) in [
        ("eq", "equal"),
        ("ne", "not_equal"),
        ("gt", "greater_than"),
        ("ge", "greater_than_equal"),
        ("gte", "greater_than_equal"),
        ("lt", "less_than"),
        ("le", "less_than_equal"),
        ("lte", "less_than_equal"),
    ] {
        for value in [1, 2, 3] {
            let test = |to: &str, compare: &str| {
                format!("<test assign_to='{to}' variable='c' compare='{compare}' value='{value}'/>")
            };
            let actions = format!(
                "<assign assign_to='c' value='2'/>{}{}<strcmp assign_to='c' variable='a' variable2='b'/>",
                test("a", short),
                test("b", long)
            );
            let lines = on_info(&actions).lines;
            assert!(
                ["a=true b=true c=", "a=false b=false c="].contains(&&lines[0][..]),
                "{short} {value}: {lines:?}"
            );
        }
    }
}

#[test]
fn digits_print_the_variable_of_that_name() {
    let mut stage = Stage::client(&[
        nop(
            "",
            "<assignstr assign_to='dtmf_digits' value='12#'/><log message='[dtmf_digits]'/>",
        ),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    assert_eq!(stage.lines, ["12#"]);
}

#[test]
fn a_check_that_fails_says_so_in_the_words_that_logs_are_searched_for() {
    for (action, said) in [
        (
            "<ereg regexp='x' search_in='hdr' header='Foo:' check_it='true' assign_to='a'/>",
            "Failed regexp match: header Foo: not found in message\nINFO ",
        ),
        (
            "<ereg regexp='xyz' search_in='hdr' header='X-To:' check_it='true' assign_to='a'/>",
            "Failed regexp match: looking in ' nobody', with regexp 'xyz'",
        ),
        (
            "<ereg regexp='no' search_in='hdr' header='X-To:' check_it_inverse='true' assign_to='a'/>",
            "Regexp matched but should not: looking in ' nobody', with regexp 'no'",
        ),
        (
            "<assign assign_to='b' value='3'/><test assign_to='a' variable='b' compare='equal' value='4' check_it='true'/>",
            "test \"b:3.000000 == :4.000000\" with check_it failed",
        ),
        (
            "<assign assign_to='b' value='3'/><assign assign_to='c' value='2'/>\
             <test variable='b' compare='greater_than' variable2='c' check_it_inverse='true'/>",
            "test \"b:3.000000 > c:2.000000\" with check_it_inverse failed",
        ),
        (
            "<assignstr assign_to='b' value='hello'/><assignstr assign_to='c' value='hellu'/>\
             <strcmp assign_to='a' variable='b' variable2='c' check_it='true'/>",
            "strcmp b:\"hello\" and c:\"hellu\" with check_it returned -6",
        ),
    ] {
        let outcome = on_info(action);
        assert_eq!(
            outcome.warnings.len(),
            1,
            "{action}: {:?}",
            outcome.warnings
        );
        assert!(
            outcome.warnings[0].starts_with(said),
            "{:?}",
            outcome.warnings
        );
    }
}
