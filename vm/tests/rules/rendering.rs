// SPDX-License-Identifier: AGPL-3.0-only
//! What keywords print, and what becomes of the lines around them.

use crate::stage::{Stage, header, log, nop, request, send, send_then};
use gossipper_testkit::pair;
use gossipper_vm::RunParams;
use std::net::IpAddr;

/// 2023-11-14 22:13:20 UTC.
const EPOCH_US: u64 = 1_700_000_000_000_000;

/// A run in which every parameter has a value of its own.
fn distinct(params: &mut RunParams) {
    params.service = b"hotline".to_vec();
    params.remote_host = b"peer.example.org".to_vec();
    params.local_port = 5061;
    params.server_ip = "192.0.2.99".parse().expect("an address");
    params.media_ip = "192.0.2.50".parse().expect("an address");
    params.media_port = 7000;
    params.pid = 4711;
    params.version = b"9.8.7".to_vec();
    params.epoch_us = EPOCH_US;
    params.utc_offset_s = 3600;
    params.dynamic_id = (100, 110, 4);
}

/// What `text` becomes in a log action of the first call, 1500 ms after the start.
fn printed(text: &str) -> String {
    printed_with(text, distinct)
}

fn printed_with(text: &str, adjust: impl FnOnce(&mut RunParams)) -> String {
    let parts = [log(text), send("OPTIONS", "")];
    let mut stage = Stage::client_with(&parts, adjust);
    stage.advance(1500);
    stage.spawn();
    stage.lines.remove(0)
}

#[test]
fn keywords_of_the_run_print_its_parameters() {
    for (keyword, expected) in [
        ("[service]", "hotline"),
        ("[remote_ip]", "192.0.2.2"),
        ("[remote_host]", "peer.example.org"),
        ("[remote_port]", "5060"),
        ("[remote_port+3]", "5063"),
        ("[local_ip]", "192.0.2.1"),
        ("[local_ip_type]", "4"),
        ("[local_port]", "5061"),
        ("[local_port-1]", "5060"),
        ("[server_ip]", "192.0.2.99"),
        ("[transport]", "UDP"),
        ("[media_ip]", "192.0.2.50"),
        ("[media_ip_type]", "4"),
        ("x [media_port]", "x 7000"),
        ("x [media_port+2]", "x 7002"),
        ("[pid]", "4711"),
        ("[users]", "-1"),
        ("[sipp_version]", "9.8.7"),
    ] {
        assert_eq!(printed(keyword), expected, "{keyword}");
    }
}

#[test]
fn keywords_of_a_call_and_a_moment_print_theirs() {
    for (keyword, expected) in [
        ("[call_number]", "1"),
        ("[call_id]", "1-4711@192.0.2.1"),
        ("[userid]", "0"),
        ("[clock_tick]", "1500"),
        ("[date]", "Tue, 14 Nov 2023 22:13:21 GMT"),
        (
            "[timestamp]",
            "2023-11-14\t23:13:21.500000\t1700000001.500000",
        ),
        ("[msg_index]", "-1"),
        ("[auto_media_port]", "7000"),
        (
            "[dynamic_id] [dynamic_id] [dynamic_id] [dynamic_id]",
            "100 104 108 100",
        ),
        ("[cseq]", "0"),
        ("[peer_tag_param]", ""),
        ("[last_cseq_number]", "0"),
        ("[last_cseq_number+1]", "1"),
        ("[last_Request_URI]", ""),
        ("[last_message]", ""),
        ("[next_url]", ""),
        ("[routes]", ""),
    ] {
        assert_eq!(printed(keyword), expected, "{keyword}");
    }
}

#[test]
fn a_text_with_no_remote_host_prints_nothing_for_it_and_the_default_port() {
    let parts = [
        request("OPTIONS", ""),
        log("[remote_ip]|[remote_host]|[remote_port]"),
        crate::stage::reply(200, ""),
    ];
    let mut stage = Stage::server(&parts);
    stage.deliver(&crate::stage::from_peer("OPTIONS", "x", 1));
    assert_eq!(stage.lines, ["||5060"]);
}

#[test]
fn addresses_of_ipv6_have_brackets_where_a_uri_needs_them() {
    let v6 = |params: &mut RunParams| {
        let local: IpAddr = "2001:db8::1".parse().expect("an address");
        params.local_ip = local;
        params.media_ip = local;
        params.server_ip = local;
        let remote = "[2001:db8::2]:5070".parse().expect("an address");
        params.destination = Some(remote);
        params.remote = Some(remote);
    };
    let text = "[local_ip] [local_ip_type] [remote_ip] [remote_port] [media_ip] [media_ip_type] [server_ip] [call_id]";
    assert_eq!(
        printed_with(text, v6),
        "[2001:db8::1] 6 [2001:db8::2] 5070 2001:db8::1 6 2001:db8::1 1-1@2001:db8::1"
    );
}

#[test]
fn the_auto_media_port_moves_on_with_the_call_number() {
    let parts = [
        log("[auto_media_port] [auto_media_port+1]"),
        send("OPTIONS", ""),
    ];
    let mut stage = Stage::client_with(&parts, distinct);
    for _ in 0..2501 {
        stage.spawn();
    }
    assert_eq!(stage.lines[1], "7004 7005");
    assert_eq!(stage.lines[2499], "16996 16997");
    assert_eq!(stage.lines[2500], "7000 7001");
}

#[test]
fn users_prints_their_number() {
    assert_eq!(printed_with("[users]", |p| p.users = Some(12)), "12");
}

#[test]
fn a_key_is_a_literal_that_is_not_expanded_again() {
    let xml = crate::stage::scenario(&[log("([note])([empty])"), send("OPTIONS", "")]);
    let keys = [("note", "[call_id] \\x41"), ("empty", "")];
    let program = pair::program_with_keys("test", &xml, &keys);
    let mut stage = Stage::of(program, pair::client_params(), |_| {});
    stage.spawn();
    assert_eq!(stage.lines, ["([call_id] \\x41)()"]);
}

#[test]
fn a_byte_is_written_as_a_hexadecimal_escape() {
    assert_eq!(printed("\\x5b\\x41\\x5D a\\nb"), "[A] a\r\nb");
}

#[test]
fn a_branch_is_made_of_process_call_and_element() {
    let mut stage = Stage::client_with(
        &[
            send_then(
                "OPTIONS",
                "",
                "<log message='[branch] [branch-2] [branch+1]'/>",
            ),
            nop("", "<log message='[branch]'/>"),
            send("INFO", ""),
            "<send><![CDATA[
            ACK sip:x SIP/2.0
            Via: SIP/2.0/UDP y;branch=[branch-3]
            Call-ID: [call_id]
            CSeq: [cseq] ACK
            X-Index: [msg_index]
            ]]></send>"
                .to_owned(),
        ],
        |params| params.pid = 4711,
    );
    stage.spawn();
    let branch = |n: usize| {
        let via = header(&stage.sent[n].text, "Via").expect("a Via");
        via.split_once("branch=").expect("a branch").1.to_owned()
    };
    assert_eq!(branch(0), "z9hG4bK-4711-1-0");
    assert_eq!(branch(1), "z9hG4bK-4711-1-2");
    assert_eq!(branch(2), "z9hG4bK-4711-1-0");
    assert_eq!(header(stage.last(), "X-Index"), Some("3"));
    // In actions the base is the element before the current one.
    assert_eq!(
        stage.lines,
        [
            "z9hG4bK-4711-1--1 z9hG4bK-4711-1--3 z9hG4bK-4711-1-0",
            "z9hG4bK-4711-1-0"
        ]
    );
}

#[test]
fn the_cseq_counts_requests_but_no_ack_and_no_cancel() {
    let mut stage = Stage::client(&[
        send("INVITE", ""),
        send("ACK", ""),
        send("CANCEL", ""),
        send("BYE", ""),
        log("[cseq] [cseq+10] [cseq-1]"),
    ]);
    stage.spawn();
    assert_eq!(stage.take(), ["INVITE 1", "ACK 1", "CANCEL 1", "BYE 2"]);
    assert_eq!(stage.lines, ["2 12 1"]);
}

#[test]
fn the_cseq_begins_where_the_run_says_and_moves_even_when_it_is_not_printed() {
    let parts = [
        "<send><![CDATA[
        OPTIONS sip:x SIP/2.0
        Call-ID: [call_id]
        ]]></send>"
            .to_owned(),
        send("INFO", ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| params.base_cseq = 100);
    stage.spawn();
    assert_eq!(stage.take()[1], "INFO 101");
}

// ---- the form of a message

/// The first message of a client that sends this text.
fn sent(cdata: &str) -> String {
    let mut stage = Stage::client(&[format!("<send><![CDATA[{cdata}]]></send>")]);
    stage.spawn();
    stage.last().to_owned()
}

#[test]
fn a_message_loses_its_indentation_and_gets_crlf_line_ends() {
    assert_eq!(
        sent("\n\n   OPTIONS sip:x SIP/2.0  \n\t Via: a \n   Call-ID: [call_id]\n\n\n   "),
        "OPTIONS sip:x SIP/2.0\r\nVia: a\r\nCall-ID: 1-1@192.0.2.1\r\n\r\n"
    );
}

#[test]
fn headers_without_an_empty_line_behind_them_get_one() {
    assert_eq!(
        sent("OPTIONS sip:x SIP/2.0\nCall-ID: [call_id]"),
        "OPTIONS sip:x SIP/2.0\r\nCall-ID: 1-1@192.0.2.1\r\n\r\n"
    );
    assert_eq!(
        sent("OPTIONS sip:x SIP/2.0\nCall-ID: [call_id]\n  "),
        "OPTIONS sip:x SIP/2.0\r\nCall-ID: 1-1@192.0.2.1\r\n\r\n"
    );
}

#[test]
fn a_body_ends_with_one_line_end_exactly_if_it_had_one() {
    let with = sent("OPTIONS sip:x SIP/2.0\nCall-ID: a\n\n v=0\n  s=-\n\n\n ");
    assert_eq!(
        with,
        "OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\n\r\nv=0\r\ns=-\r\n"
    );
    let without = sent("OPTIONS sip:x SIP/2.0\nCall-ID: a\n\n v=0\n  s=-");
    assert_eq!(
        without,
        "OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\n\r\nv=0\r\ns=-"
    );
}

#[test]
fn a_length_is_that_of_the_body_in_five_columns() {
    assert_eq!(
        sent("OPTIONS sip:x SIP/2.0\nCall-ID: a\nContent-Length: [len]\n\nv=0\n"),
        "OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length:     5\r\n\r\nv=0\r\n"
    );
}

#[test]
fn a_length_counts_what_keywords_print() {
    let text = sent("OPTIONS sip:x SIP/2.0\nCall-ID: a\nContent-Length: [len]\n\n[call_id]");
    assert_eq!(header(&text, "Content-Length"), Some("   13"));
}

#[test]
fn an_offset_is_added_to_a_length() {
    let plus = sent("OPTIONS sip:x SIP/2.0\nCall-ID: a\nL: [len+10]\n\nv=0");
    assert_eq!(header(&plus, "L"), Some("   13"));
    let minus = sent("OPTIONS sip:x SIP/2.0\nCall-ID: a\nL: [len-2]\n\nv=0");
    assert_eq!(header(&minus, "L"), Some("    1"));
}

#[test]
fn each_of_several_lengths_is_printed() {
    let text = sent("OPTIONS sip:x SIP/2.0\nCall-ID: a\nL: [len]\nM: [len+1]\n\nv=0");
    assert_eq!(header(&text, "L"), Some("    3"));
    assert_eq!(header(&text, "M"), Some("    4"));
}

#[test]
fn a_length_without_a_body_is_nought_and_leaves_the_rest_alone() {
    assert_eq!(
        sent("OPTIONS sip:x SIP/2.0\nContent-Length: [len]\nCall-ID: a\n"),
        "OPTIONS sip:x SIP/2.0\r\nContent-Length:     0\r\nCall-ID: a\r\n\r\n"
    );
}

#[test]
fn fill_repeats_its_text_to_a_length() {
    let text = |n: &str| {
        let mut stage = Stage::client(&[
            nop("", &format!("<assign assign_to='n' value='{n}'/>")),
            log("([fill text=abc variable=n]) ([fill variable=n])"),
            send("OPTIONS", ""),
        ]);
        stage.spawn();
        stage.lines.remove(0)
    };
    assert_eq!(text("4.9"), "(abca) (XXXX)");
    assert_eq!(text("0"), "() ()");
    assert_eq!(text("-3"), "() ()");
}

#[test]
fn variables_print_by_their_type() {
    let mut stage = Stage::client(&[
        nop(
            "",
            "<assign assign_to='n' value='3'/><assign assign_to='half' value='-0.5'/>\
             <assign assign_to='zero' value='0'/><assignstr assign_to='text' value='words'/>\
             <test assign_to='yes' variable='n' compare='equal' value='3'/>\
             <test assign_to='no' variable='n' compare='equal' value='4'/>",
        ),
        log("[$n]|[$half]|[$zero]|[$text]|[$yes]|[$no]|[$never]"),
        "<Reference variables='never'/>".to_owned(),
        send("OPTIONS", ""),
    ]);
    stage.spawn();
    assert_eq!(stage.lines, ["3.000000|-0.500000||words|true|false|"]);
}

#[test]
fn a_text_that_grows_without_bound_ends_the_call() {
    let mut actions = String::from("<assignstr assign_to='x' value='0123456789abcdef'/>");
    for _ in 0..40 {
        actions.push_str("<assignstr assign_to='x' value='[$x][$x]'/>");
    }
    let huge = "[$x]".repeat(40);
    actions.push_str(&format!("<log message='{huge}'/>"));
    let mut stage = Stage::client(&[nop("", &actions), send("OPTIONS", "")]);
    stage.spawn();
    stage.assert_failure(gossipper_bytecode::FailReason::ScenarioFault);
    assert!(stage.lines.is_empty());
}

// ---- included files

#[test]
fn a_file_is_included_as_it_is_and_counts_in_the_length() {
    let message = "<send><![CDATA[
        MESSAGE sip:a@[remote_ip] SIP/2.0
        Call-ID: [call_id]
        CSeq: 1 MESSAGE
        Content-Length: [len]

        <[file name=\"a.txt\"]|[file name='b.txt']|[file name=\"a.txt\"]>]]></send>"
        .replace("'b.txt'", "\"b.txt\"");
    let mut stage = Stage::client_with(&[message], |params| {
        params.includes = vec![b"[call_id] \r\n".to_vec(), Vec::new()];
    });
    stage.spawn();
    let body = stage.last().split_once("\r\n\r\n").expect("a body").1;
    assert!(
        body.starts_with("<[call_id] \r\n||[call_id] \r\n>"),
        "{body:?}"
    );
    let length = header(stage.last(), "Content-Length").expect("a length");
    assert_eq!(length.trim(), body.len().to_string());
}

#[test]
fn a_program_that_includes_a_file_does_not_link_without_it() {
    let xml = crate::stage::scenario(&["<send><![CDATA[
        OPTIONS sip:a@[remote_ip] SIP/2.0
        Subject: [file name=\"a.txt\"]

        ]]></send>"]);
    let program = gossipper_testkit::pair::program("test", &xml);
    let error = gossipper_vm::Image::link(program, gossipper_testkit::pair::client_params())
        .expect_err("the content is missing");
    assert!(error.to_string().contains("a.txt"), "{error}");
}

#[test]
fn any_of_a_list_of_responses_matches() {
    for code in [183, 200] {
        let mut stage =
            Stage::client(&[send("OPTIONS", ""), "<recv response='200,183'/>".to_owned()]);
        stage.spawn();
        stage.respond(code, "OPTIONS");
        stage.assert_success();
    }
    let mut stage = Stage::client(&[send("OPTIONS", ""), "<recv response='200,183'/>".to_owned()]);
    stage.spawn();
    stage.respond(180, "OPTIONS");
    stage.assert_failure(gossipper_bytecode::FailReason::UnexpectedMessage);
}

#[test]
fn a_body_begins_behind_the_first_empty_line_however_that_came_about() {
    // Alone on a line each of them may leave the line empty, take it along, or stand where another one did.
    let lines = [
        "",
        "[last_Nope:]",
        "[last_Nope:] ",
        "[last_Nope:] [peer_tag_param]",
        "[peer_tag_param]",
        "[last_Nope:][last_Nope:]",
        "[peer_tag_param][last_Nope:]",
        "[last_Nope:][call_number]",
        "[branch]",
        "X: [last_Nope:]",
        "X: [call_id]",
    ];
    for first in lines {
        for second in lines {
            let text = sent(&format!(
                "OPTIONS sip:x SIP/2.0\nCall-ID: [call_id]\nL: [len]\n{first}\n{second}\nX: y\n\nv=0\n\nx\n"
            ));
            let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
            let length = head.split("\r\n").find_map(|line| line.strip_prefix("L:"));
            let expected = body.len().to_string();
            let length = length.map(str::trim);
            assert_eq!(
                length,
                Some(&expected[..]),
                "{first:?} {second:?}: {text:?}"
            );
        }
    }
}

// ---- trunks

#[test]
fn trunk_headers_are_whole_lines_or_nothing() {
    let message = "<send><![CDATA[
        OPTIONS sip:a@[remote_ip] SIP/2.0
        From: [trunk_from];tag=1
        [trunk_pai]
        [trunk_provider][trunk_extra]X-Transport: [sip_transport]
        Call-ID: [call_id]
        [trunk_extra]

        ]]></send>";
    let text = |trunk: gossipper_vm::Trunk| {
        let mut stage = Stage::client_with(&[message], |params| params.trunk = trunk);
        stage.spawn();
        let text = stage.last().to_owned();
        text.split_once("\r\n").expect("a start line").1.to_owned()
    };
    let plain = text(gossipper_vm::Trunk::default());
    let lines: Vec<_> = plain.split("\r\n").collect();
    assert!(lines[0].starts_with("From: gossip <sip:gossip@"), "{plain}");
    assert_eq!(lines[1], "X-Transport: UDP");
    assert!(lines[2].starts_with("Call-ID: "), "{plain}");
    assert_eq!(lines[3..], ["", ""]);
    let full = text(gossipper_vm::Trunk {
        from: Some(b"me <sip:me@a>".to_vec()),
        pai: Some(b"<sip:1@a>".to_vec()),
        provider: Some(b"acme".to_vec()),
        extra: vec![b"X-A: 1".to_vec(), b"X-B: 2".to_vec()],
    });
    let lines: Vec<_> = full
        .split("\r\n")
        .filter(|l| !l.starts_with("Call-ID"))
        .collect();
    assert_eq!(
        lines,
        [
            "From: me <sip:me@a>;tag=1",
            "P-Asserted-Identity: <sip:1@a>",
            "X-provider: acme",
            "X-A: 1",
            "X-B: 2",
            "X-Transport: UDP",
            "X-A: 1",
            "X-B: 2",
            "",
            "",
        ]
    );
}
