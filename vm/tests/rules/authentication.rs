// SPDX-License-Identifier: AGPL-3.0-only
//! Challenges, their answers, and the check of received ones.

use crate::stage::{Stage, from_peer_with, header, log, reply, request, response, scenario};
use gossipper_bytecode::{FailReason, Segment, Slot, TemplateId};
use gossipper_sip::digest::{Verdict, verify};
use gossipper_testkit::pair;
use gossipper_vm::{InjectionFile, RunParams};
use std::sync::Arc;

pub(crate) const MD5: &str = "WWW-Authenticate: Digest realm=\"one\",nonce=\"n1\",qop=\"auth\"\r\n";

/// A REGISTER with these lines among its headers, and this body.
pub(crate) fn register(lines: &str, body: &str) -> String {
    format!(
        "<send><![CDATA[
        REGISTER sip:[remote_ip] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:alice@[local_ip]>;tag=a[call_number]
        To: <sip:alice@[remote_ip]>
        Call-ID: [call_id]
        CSeq: [cseq] REGISTER
        {lines}
        Content-Length: [len]

        {body}]]></send>"
    )
}

pub(crate) fn plain() -> String {
    register("Max-Forwards: 70", "")
}

/// A scenario that registers, is refused with this code, and tries again with this keyword.
pub(crate) fn again(code: u16, keyword: &str) -> Vec<String> {
    vec![
        plain(),
        response(code, "auth=\"true\""),
        register(keyword, ""),
        response(200, ""),
    ]
}

/// The header of the second attempt after a refusal with these lines.
fn answered(
    parts: &[String],
    code: u16,
    challenge: &str,
    adjust: impl FnOnce(&mut RunParams),
) -> Stage {
    let mut stage = Stage::client_with(parts, adjust);
    stage.spawn();
    stage.respond_with(code, "REGISTER", challenge);
    stage
}

fn field<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header
        .strip_prefix("Digest ")?
        .split(',')
        .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
}

#[track_caller]
pub(crate) fn assert_verifies(stage: &Stage, name: &str, user: &str, password: &str) {
    let header = header(stage.last(), name).expect("there is one");
    let verdict = verify(
        header.as_bytes(),
        b"REGISTER",
        b"",
        user.as_bytes(),
        password.as_bytes(),
    );
    assert_eq!(verdict, Verdict::Right, "{header}");
}

#[test]
fn a_401_is_answered_with_authorization_and_a_407_with_proxy_authorization() {
    let parts = again(401, "[authentication username=joe password=secret]");
    let mut stage = answered(&parts, 401, MD5, |_| {});
    assert_verifies(&stage, "Authorization", "joe", "secret");
    let answer = header(stage.last(), "Authorization").expect("there");
    assert_eq!(field(answer, "nc"), Some("00000001"));
    assert_eq!(field(answer, "uri"), Some("sip:192.0.2.2:5060"));
    assert_eq!(field(answer, "algorithm"), Some("MD5"));
    stage.respond(200, "REGISTER");
    stage.assert_success();

    let challenge = MD5.replace("WWW", "Proxy");
    let parts = again(407, "[authentication username=joe password=secret]");
    let stage = answered(&parts, 407, &challenge, |_| {});
    assert_verifies(&stage, "Proxy-Authorization", "joe", "secret");
    assert_eq!(header(stage.last(), "Authorization"), None);
}

#[test]
fn user_password_and_uri_come_from_the_run_where_the_keyword_names_none() {
    let parts = again(401, "[authentication]");
    let stage = answered(&parts, 401, MD5, |params| {
        params.service = b"hotline".to_vec();
    });
    assert_verifies(&stage, "Authorization", "hotline", "password");
    let stage = answered(&parts, 401, MD5, |params| {
        params.auth_username = Some(b"joe".to_vec());
        params.auth_password = b"secret".to_vec();
        params.auth_uri = Some(b"example.org".to_vec());
    });
    assert_verifies(&stage, "Authorization", "joe", "secret");
    let answer = header(stage.last(), "Authorization").expect("there");
    assert_eq!(field(answer, "uri"), Some("sip:example.org"));
}

#[test]
fn parameters_hold_keywords() {
    let parts = again(
        401,
        "[authentication username=\"u[call_number]\" password=\"[service]-[pid]\"]",
    );
    let stage = answered(&parts, 401, MD5, |params| {
        params.service = b"x".to_vec();
        params.pid = 7;
    });
    assert_verifies(&stage, "Authorization", "u1", "x-7");
}

#[test]
fn a_stale_nonce_is_replaced_and_the_same_user_answers_with_a_new_count() {
    let keyword = "[authentication username=joe password=secret]";
    let mut parts = again(401, keyword);
    parts.truncate(3);
    parts.extend([
        response(401, "auth=\"true\""),
        register(keyword, ""),
        response(401, "auth=\"true\""),
        register(keyword, ""),
    ]);
    let mut stage = answered(&parts, 401, MD5, |_| {});
    for nonce in ["n2", "n3"] {
        let stale = MD5.replace("\"n1\"", &format!("\"{nonce}\",stale=true"));
        stage.respond_with(401, "REGISTER", &stale);
        let answer = header(stage.last(), "Authorization").expect("there");
        let part = |name| field(answer, name);
        assert_eq!((part("nonce"), part("nc")), (Some(nonce), Some("00000001")));
        assert_eq!((part("username"), part("stale")), (Some("joe"), None));
        assert_verifies(&stage, "Authorization", "joe", "secret");
    }
}

#[test]
fn several_answers_in_one_message_fail_the_call() {
    let one = "[authentication username=a]";
    for fields in [format!("{one} {one}"), format!("{one};")] {
        let text = if fields.ends_with(';') { one } else { &fields };
        let mut parts = again(401, "[field0]");
        if fields.ends_with(';') {
            parts[2] = register("[field0]\n        [field0]", "");
        }
        let program = pair::program_with_files("test", &scenario(&parts), &["users.csv"]);
        let file = format!("SEQUENTIAL\n{text}\n").into_bytes();
        let file = InjectionFile::parse("users.csv", file).expect("a file");
        let mut stage = Stage::of(program, pair::client_params(), |params| {
            params.injection = vec![Arc::new(file)];
        });
        stage.spawn();
        stage.respond_with(401, "REGISTER", MD5);
        stage.assert_failure(FailReason::ScenarioFault);
        assert_eq!((stage.sent.len(), stage.fatal), (1, None));
        assert!(
            stage.warnings[0].contains("the message has more than one of it"),
            "{:?}",
            stage.warnings
        );
    }
}

#[test]
fn the_count_grows_with_each_use_and_a_new_challenge_starts_it_again() {
    let keyword = "[authentication username=joe password=secret]";
    let mut parts = again(401, keyword);
    parts.extend([
        register(keyword, ""),
        response(401, "auth=\"true\""),
        register(keyword, ""),
        response(200, ""),
    ]);
    let mut stage = answered(&parts, 401, MD5, |_| {});
    stage.respond(200, "REGISTER");
    let answer = header(stage.last(), "Authorization").expect("there");
    assert_eq!(field(answer, "nc"), Some("00000002"));
    assert_verifies(&stage, "Authorization", "joe", "secret");
    let stale = MD5.replace("n1", "n2").replace("qop", "stale=true,qop");
    stage.respond_with(401, "REGISTER", &stale);
    let answer = header(stage.last(), "Authorization").expect("there");
    assert_eq!(field(answer, "nc"), Some("00000001"));
    assert_eq!(field(answer, "nonce"), Some("n2"));
    assert_verifies(&stage, "Authorization", "joe", "secret");
}

#[test]
fn auth_int_covers_the_body_and_the_length_is_right() {
    let keyword = "[authentication username=joe password=secret]";
    for (lines, body) in [(keyword, "a body\n        of two lines\n"), (keyword, "")] {
        let parts = vec![
            plain(),
            response(401, "auth=\"true\""),
            register(lines, body),
            response(200, ""),
        ];
        let challenge = MD5.replace("\"auth\"", "\"auth,auth-int\"");
        let stage = answered(&parts, 401, &challenge, |_| {});
        let (_, sent_body) = stage.last().split_once("\r\n\r\n").expect("an empty line");
        let answer = header(stage.last(), "Authorization").expect("there");
        assert_eq!(field(answer, "qop"), Some("auth-int"));
        let verdict = |body: &str| {
            verify(
                answer.as_bytes(),
                b"REGISTER",
                body.as_bytes(),
                b"joe",
                b"secret",
            )
        };
        assert_eq!(verdict(sent_body), Verdict::Right, "{}", stage.last());
        assert_eq!(verdict("another"), Verdict::Wrong);
        let length = header(stage.last(), "Content-Length").expect("there");
        assert_eq!(length.trim(), sent_body.len().to_string());
    }
}

#[test]
fn as_the_last_header_it_leaves_the_empty_line_alone() {
    let last = "<send><![CDATA[
        REGISTER sip:[remote_ip] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:alice@[local_ip]>;tag=a
        To: <sip:alice@[remote_ip]>
        Call-ID: [call_id]
        CSeq: [cseq] REGISTER
        Content-Length: [len]
        [authentication username=joe password=secret]

        body]]></send>"
        .to_owned();
    let parts = [
        plain(),
        response(401, "auth=\"true\""),
        last,
        response(200, ""),
    ];
    let stage = answered(&parts, 401, MD5, |_| {});
    assert_verifies(&stage, "Authorization", "joe", "secret");
    assert!(stage.last().ends_with("\r\n\r\nbody"), "{}", stage.last());
    assert_eq!(header(stage.last(), "Content-Length"), Some("    4"));
}

#[test]
fn both_kinds_of_challenge_in_one_message_are_both_answered() {
    let parts = again(407, "[authentication username=joe password=secret]");
    let both = format!("{MD5}{}", MD5.replace("WWW", "Proxy").replace("n1", "n2"));
    let stage = answered(&parts, 407, &both, |_| {});
    assert_verifies(&stage, "Authorization", "joe", "secret");
    assert_verifies(&stage, "Proxy-Authorization", "joe", "secret");
    let answer = header(stage.last(), "Proxy-Authorization").expect("there");
    assert_eq!(field(answer, "nonce"), Some("n2"));
}

#[test]
fn one_header_is_answered_by_its_status_code_as_in_sipp() {
    let parts = again(401, "[authentication username=joe password=secret]");
    let stage = answered(&parts, 401, &MD5.replace("WWW", "Proxy"), |_| {});
    assert_verifies(&stage, "Authorization", "joe", "secret");
}

#[test]
fn a_proxy_and_then_a_registrar_are_both_answered_on_request_only() {
    for all in [false, true] {
        let first = "[authentication username=joe password=secret]";
        let second = format!("[authentication username=joe password=secret all={all}]");
        let parts = [
            plain(),
            response(407, "auth=\"true\""),
            register(first, ""),
            response(401, "auth=\"true\""),
            register(&second, ""),
            response(200, ""),
        ];
        let mut stage = answered(&parts, 407, &MD5.replace("WWW", "Proxy"), |_| {});
        stage.respond_with(401, "REGISTER", &MD5.replace("n1", "n2"));
        assert_verifies(&stage, "Authorization", "joe", "secret");
        let proxy = header(stage.last(), "Proxy-Authorization");
        assert_eq!(proxy.is_some(), all);
        if let Some(proxy) = proxy {
            assert_eq!(field(proxy, "nc"), Some("00000002"));
            assert_verifies(&stage, "Proxy-Authorization", "joe", "secret");
        }
    }
}

#[test]
fn of_several_challenges_the_first_that_is_supported_is_answered() {
    let parts = again(401, "[authentication username=joe password=secret]");
    let several = "WWW-Authenticate: Digest realm=\"a\",nonce=\"1\",algorithm=SHA-3,opaque=\"x\"\r\n\
        WWW-Authenticate: Digest realm=\"b\",nonce=\"2\",algorithm=SHA-512-256, Digest realm=\"c\",nonce=\"3\"\r\n";
    let stage = answered(&parts, 401, several, |_| {});
    assert_verifies(&stage, "Authorization", "joe", "secret");
    let answer = header(stage.last(), "Authorization").expect("there");
    assert_eq!(field(answer, "realm"), Some("b"));
    assert_eq!(field(answer, "opaque"), None);
}

/// The nonce of set 1 of 3GPP TS 35.208 §4.3.
const AKA: &str = "WWW-Authenticate: Digest realm=\"ims\",nonce=\"I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M=\",\
    algorithm=AKAv1-MD5,qop=\"auth\"\r\n";

#[test]
fn a_sim_answers_and_its_password_is_res() {
    let parts = again(
        401,
        "[authentication username=joe aka_K=0x465b5ce8b199b49faa5f0a2ee238a6bc \
         aka_OP=0xcdc202d5123e20f62b6d676ac72cb318 aka_AMF=0xb9b9]",
    );
    let stage = answered(&parts, 401, AKA, |_| {});
    let answer = header(stage.last(), "Authorization").expect("there");
    let plain = answer
        .strip_suffix(",algorithm=AKAv1-MD5")
        .expect("the last field");
    let res = [0xa5, 0x42, 0x11, 0xd5, 0xe3, 0xba, 0x50, 0xbf];
    assert_eq!(
        verify(plain.as_bytes(), b"REGISTER", b"", b"joe", &res),
        Verdict::Right
    );
}

#[test]
fn what_cannot_be_answered_fails_the_call_with_a_warning() {
    let keyword = "[authentication username=joe password=secret]";
    for (challenge, said) in [
        (AKA, "MAC in AUTN"),
        (
            "WWW-Authenticate: Basic realm=\"x\"\r\n",
            "not of the scheme Digest",
        ),
        ("WWW-Authenticate: Digest nonce=\"x\"\r\n", "no realm"),
        ("WWW-Authenticate: Digest realm=\"x\"\r\n", "no nonce"),
        (
            "WWW-Authenticate: Digest realm=\"x\",nonce=\"y\",algorithm=SHA-3\r\n",
            "not supported",
        ),
        ("X: y\r\n", "the message has no challenge"),
    ] {
        let stage = answered(&again(401, keyword), 401, challenge, |_| {});
        stage.assert_failure(FailReason::ScenarioFault);
        assert_eq!(stage.sent.len(), 1, "{challenge}");
        let warned = stage.warnings.iter().any(|warning| warning.contains(said));
        assert!(warned, "{challenge}: {:?}", stage.warnings);
    }
}

#[test]
fn without_a_challenge_the_call_fails_with_a_warning() {
    for attributes in ["", "auth=\"false\""] {
        let parts = [
            plain(),
            response(401, attributes),
            register("[authentication]", ""),
            response(200, ""),
        ];
        let stage = answered(&parts, 401, MD5, |_| {});
        stage.assert_failure(FailReason::ScenarioFault);
        let warning = stage.warnings.last().expect("a warning");
        assert!(warning.contains("has received a 401 or 407"), "{warning}");
    }
}

#[test]
fn other_codes_bring_no_challenge_and_need_none() {
    let parts = [plain(), response(403, "auth=\"true\"")];
    let stage = answered(&parts, 403, "", |_| {});
    stage.assert_success();
}

#[test]
fn verifyauth_is_true_for_the_right_user_and_password_only() {
    let good =
        "Authorization: Digest username=\"x\",realm=\"r\",uri=\"sip:y\",nonce=\"n\",response=\"";
    // md5(md5(joe:r:secret):n:md5(REGISTER:sip:y))
    let right = format!("{good}{RIGHT}\"\r\n");
    let wrong = format!("{good}0{}\"\r\n", &RIGHT[1..]);
    for (more, expected, warns) in [
        (&right[..], "true", false),
        (&wrong, "false", false),
        ("", "false", true),
        ("Authorization: Basic abc\r\n", "false", true),
        (&right.replace("uri", "algorithm=SHA-3,uri"), "false", true),
        (&right.replace("Auth", "Proxy-Auth"), "false", true),
    ] {
        let verifies = "<recv request=\"REGISTER\"><action>\
            <assignstr assign_to=\"user\" value=\"joe\"/>\
            <verifyauth assign_to=\"ok\" username=\"[$user]\" password=\"secret\"/>\
            </action></recv>";
        let parts = [verifies.to_owned(), log("[$ok]"), reply(200, "")];
        let mut stage = Stage::server(&parts);
        stage.deliver(&from_peer_with("REGISTER", "c", 1, more));
        assert_eq!(stage.lines, [expected], "{more}");
        assert_eq!(
            !stage.warnings.is_empty(),
            warns,
            "{more}: {:?}",
            stage.warnings
        );
        stage.assert_success();
    }
}

const RIGHT: &str = "124d0065e1dd007deddbe5603f803119";

#[test]
fn verifyauth_of_a_send_looks_at_what_was_sent() {
    let keyword = "[authentication username=joe password=secret]";
    let checked = register(keyword, "").replace(
        "<send>",
        "<send><action><verifyauth assign_to=\"ok\" username=\"joe\" password=\"secret\"/></action>",
    );
    let parts = [
        plain(),
        response(401, "auth=\"true\""),
        checked,
        log("[$ok]"),
        response(200, ""),
    ];
    let stage = answered(&parts, 401, MD5, |_| {});
    assert_eq!(stage.lines, ["true"]);
}

#[test]
fn a_server_answers_with_the_address_of_its_peer() {
    let parts = [
        request("OPTIONS", ""),
        reply(200, ""),
        plain(),
        response(401, "auth=\"true\""),
        register("[authentication username=joe password=secret]", ""),
    ];
    let mut stage = Stage::server(&parts);
    stage.deliver(&from_peer_with("OPTIONS", "c", 1, ""));
    stage.respond_with(401, "REGISTER", MD5);
    let answer = header(stage.last(), "Authorization").expect("there");
    assert_eq!(field(answer, "uri"), Some("sip:192.0.2.2:5060"));
}

#[test]
fn programs_with_answers_inside_answers_are_refused() {
    let parts = again(
        401,
        "[authentication username=\"u[call_number]\" password=\"[field0 line=\\\"1\\\"]\"]",
    );
    let program = pair::program_with_files("test", &scenario(&parts), &["users.csv"]);
    let whole = || (*program).clone().into_draft();
    assert!(whole().verify().is_ok());
    let is_answer = |segment: &Segment| matches!(segment, Segment::Slot(Slot::Authentication(_)));
    let answer = *whole()
        .segments
        .iter()
        .find(|segment| is_answer(segment))
        .expect("an answer");
    let username = whole().authentications[0].username.expect("given");
    let request = TemplateId::new(
        whole()
            .templates
            .iter()
            .position(|template| whole().segments[template.range()].iter().any(is_answer))
            .expect("a request with an answer"),
    )
    .expect("small");

    let mut draft = whole();
    draft.authentications.clear();
    assert!(draft.verify().is_err(), "an answer without its entry");

    let mut draft = whole();
    draft.authentications[0].password = Some(TemplateId(u16::MAX));
    assert!(draft.verify().is_err(), "a parameter that is not there");

    let mut draft = whole();
    draft.authentications[0].username = Some(request);
    assert!(draft.verify().is_err(), "an answer inside itself");

    let mut draft = whole();
    let first = draft.templates[username.index()].range().start;
    draft.segments[first] = answer;
    assert!(draft.verify().is_err(), "an answer in a text");

    let mut draft = whole();
    let range = draft.templates[request.index()].range();
    draft.segments[range.start] = answer;
    assert!(draft.verify().is_err(), "two answers in a request");

    let mut draft = whole();
    draft.fields[0].line = Some(request);
    assert!(draft.verify().is_err(), "an answer in the line of a field");
}
