// SPDX-License-Identifier: AGPL-3.0-only
//! Answers to challenges that a field of an injection file, or a line added later, asks for.

use crate::authentication::{MD5, again, assert_verifies, plain, register};
use crate::stage::{Stage, response, scenario};
use gossipper_bytecode::FailReason;
use gossipper_testkit::pair;
use gossipper_vm::InjectionFile;
use std::sync::Arc;

#[test]
fn a_field_of_an_injection_file_may_be_the_keyword() {
    let parts = again(401, "[field1]");
    let file = b"SEQUENTIAL\njoe;[authentication username=\"joe\" password=p]\n".to_vec();
    let program = pair::program_with_files("test", &scenario(&parts), &["users.csv"]);
    let file = InjectionFile::parse("users.csv", file).expect("a file");
    let mut stage = Stage::of(program, pair::client_params(), |params| {
        params.injection = vec![Arc::new(file)];
    });
    stage.spawn();
    stage.respond_with(401, "REGISTER", MD5);
    assert_verifies(&stage, "Authorization", "joe", "p");
}

/// A second attempt whose `[field0]` is this text, with a variable `word` of the text `s3`.
fn by_field(text: &str) -> Stage {
    let mut parts = again(401, "[field0]");
    // The compiler does not see that the file mentions it.
    parts.push("<Reference variables=\"word\"/>".to_owned());
    parts.insert(
        0,
        crate::stage::nop("", "<assignstr assign_to=\"word\" value=\"s3\"/>"),
    );
    let program = pair::program_with_files("test", &scenario(&parts), &["users.csv"]);
    let file = format!("SEQUENTIAL\n{text};joe;5\n");
    let file = InjectionFile::parse("users.csv", file.into_bytes()).expect("a file");
    let mut stage = Stage::of(program, pair::client_params(), |params| {
        params.injection = vec![Arc::new(file)];
        params.service = b"serve".to_vec();
        params.keys = vec![("colour".to_owned(), b"red".to_vec())];
    });
    stage.spawn();
    stage.respond_with(401, "REGISTER", MD5);
    stage
}

#[test]
fn parameters_in_a_field_may_hold_keywords() {
    for (username, password, expected) in [
        ("[field1]", "[$word]", ("joe", "s3")),
        ("\"[field1]\"", "\"a[$word]b\"", ("joe", "as3b")),
        ("[service]", "\"[call_number]-[cseq+1]\"", ("serve", "1-3")),
        (
            "[colour]",
            "[remote_ip]:[remote_port+1]",
            ("red", "192.0.2.2:5061"),
        ),
        (
            "\"[field1 file=\\\"users.csv\\\"]\"",
            "[field2]",
            ("joe", "5"),
        ),
        ("x[field1 line=0]", "0x5b5d", ("xjoe", "[]")),
        ("\"[field1 line=$none]\"", "x", ("", "")),
    ] {
        let stage = by_field(&format!(
            "[authentication username={username} password={password}]"
        ));
        if expected == ("", "") {
            assert_refuses(
                &stage,
                "`[field1 line=$none]` in a field of an injection file: the scenario has no such variable",
            );
        } else {
            assert_verifies(&stage, "Authorization", expected.0, expected.1);
        }
    }
}

#[test]
fn what_a_field_cannot_print_fails_its_call_and_nothing_leaves() {
    for (keyword, why) in [
        ("nonsense", "there is no such keyword"),
        ("last_", "there is no such keyword"),
        ("last_From: dialog=x", "there is no such keyword"),
        ("len", "the length is not known there"),
        ("$nobody", "the scenario has no such variable"),
        ("field0 file=other.csv", "there is no such injection file"),
        ("field0 line=x", "the line is no number"),
        ("field99999999999", "the number is too large"),
        ("file name=x", "a field includes no files"),
        ("fill variable=nobody", "the scenario has no such variable"),
    ] {
        let stage = by_field(&format!("[authentication username=\"[{keyword}]\"]"));
        let expected = format!("`[{keyword}]` in a field of an injection file: {why}");
        assert_refuses(&stage, &expected);
    }
}

/// The call has failed for this reason instead of sending its second request, and nothing else has happened.
#[track_caller]
fn assert_refuses(stage: &Stage, why: &str) {
    assert_eq!(
        (stage.sent.len(), stage.fatal.as_deref()),
        (1, None),
        "{why}"
    );
    stage.assert_failure(FailReason::ScenarioFault);
    assert_eq!(stage.warnings, [format!("Call-Id: 1-1@192.0.2.1, {why}")]);
}

#[test]
fn parameters_in_a_field_may_print_what_was_received() {
    for (keyword, printed) in [
        ("x[last_cseq_number]", "x1"),
        ("\"[last_CSeq:]\"", "CSeq: 1 REGISTER"),
        ("\"[last_cseq]\"", "cseq: 1 REGISTER"),
        ("x[last_Subject:]", "x"),
        ("[last_Request_URI]", "sip:alice@192.0.2.2"),
        // Without a stored target it prints the same.
        ("[next_url]", "sip:alice@192.0.2.2"),
        ("x[peer_tag_param]", "x;tag=peer"),
    ] {
        let stage = by_field(&format!(
            "[authentication username={keyword} password=secret]"
        ));
        assert_eq!(stage.fatal, None, "{keyword}");
        assert_verifies(&stage, "Authorization", printed, "secret");
    }
    let stage = by_field("[authentication username=joe password=\"[last_message]\"]");
    let received = crate::stage::answer_to(&stage.sent[0].text, 401, MD5);
    assert_verifies(&stage, "Authorization", "joe", &received);
}

/// Registers, adds the line that the answer brings to the file, and registers with it, if need be behind another answer.
fn by_added_line(keyword: &str, another: bool) -> Stage {
    let mut parts = vec![
        plain(),
        response(401, "auth=\"true\"").replace(
            "/>",
            "><action><ereg regexp=\"\\[auth.*\" search_in=\"hdr\" header=\"X-Line:\" assign_to=\"line\"/>\
             <insert file=\"users.csv\" value=\"[$line]\"/></action></recv>",
        ),
    ];
    if another {
        parts.push(response(183, ""));
    }
    parts.extend([register("[field0 line=\"1\"]", ""), response(200, "")]);
    let program = pair::program_with_files("test", &scenario(&parts), &["users.csv"]);
    let file = InjectionFile::parse("users.csv", b"SEQUENTIAL\njoe\n".to_vec());
    let mut stage = Stage::of(program, pair::client_params(), |params| {
        params.injection = vec![Arc::new(file.expect("a file"))];
    });
    stage.spawn();
    let line = format!("X-Line: [authentication username=x[{keyword}] password=secret]\r\n{MD5}");
    stage.respond_with(401, "REGISTER", &line);
    if another {
        stage.respond(183, "REGISTER");
    }
    stage
}

#[test]
fn an_added_line_may_print_what_the_challenge_said() {
    for (keyword, printed) in [
        ("last_cseq_number", "x1"),
        ("last_Subject:", "x"),
        ("next_url", "xsip:alice@192.0.2.2"),
        ("peer_tag_param", "x;tag=peer"),
    ] {
        let stage = by_added_line(keyword, false);
        assert_eq!(stage.warnings, [""; 0], "{keyword}");
        assert_verifies(&stage, "Authorization", printed, "secret");
    }
    let stage = by_added_line("peer_tag_param", true);
    assert_verifies(&stage, "Authorization", "x;tag=peer", "secret");
}

#[test]
fn what_an_added_line_prints_of_another_message_is_not_kept_and_fails_the_call() {
    for keyword in ["last_From:", "next_url"] {
        let why = format!(
            "`[{keyword}]` in a field of an injection file: no injection file had it when the run began, so of messages \
             other than 401 and 407 what it prints is not kept"
        );
        assert_refuses(&by_added_line(keyword, true), &why);
    }
}
