// SPDX-License-Identifier: AGPL-3.0-only
//! The peers that are derived from scenarios of this repository.

use std::path::{Path, PathBuf};

use gossipper_compiler::{Options, compile};
use gossipper_testkit::mirror::prepare::prepare;
use gossipper_testkit::mirror::{Mirror, Variant, derive, read};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/scenarios")
}

fn mirror_of(name: &str) -> Mirror {
    let bytes = std::fs::read(folder().join(name)).expect("the scenario");
    derive(&read(name, &bytes).expect("a scenario"), Variant::Main).expect("a mirror")
}

/// The mirror of a scenario with these elements.
fn mirror_xml(elements: &str, variant: Variant) -> String {
    let scenario = format!("<scenario>{elements}</scenario>");
    let scenario = read("x", scenario.as_bytes()).expect("a scenario");
    derive(&scenario, variant).expect("a mirror").xml
}

#[test]
fn mirrors_say_what_their_scenarios_wait_for() {
    for name in [
        "cancel_client",
        "digest_server",
        "register_client",
        "reinvite_server",
        "requests_client",
        "server_bye_server",
    ] {
        insta::assert_snapshot!(name, mirror_of(&format!("{name}.xml")).xml);
    }
}

#[test]
fn every_mirror_of_our_own_scenarios_compiles() {
    let mut mirrors = 0;
    for entry in std::fs::read_dir(folder()).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(".xml") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("the scenario");
        for variant in Variant::ALL {
            let scenario = read(&name, &bytes);
            let Some(mirror) = scenario.and_then(|scenario| derive(&scenario, variant)) else {
                continue;
            };
            let compiled = compile(&name, mirror.xml.as_bytes(), &Options::default());
            assert!(compiled.program.is_some(), "{name}\n{}", mirror.xml);
            mirrors += 1;
        }
    }
    assert!(mirrors > 150, "only {mirrors}");
}

/// The steps of a mirror, one word each.
fn steps(xml: &str) -> Vec<String> {
    steps_of(xml, Variant::Main)
}

fn steps_of(xml: &str, variant: Variant) -> Vec<String> {
    let mirror = mirror_xml(xml, variant);
    let mut steps = Vec::new();
    let mut in_message = false;
    for line in mirror.lines() {
        if in_message && !line.is_empty() {
            steps.push(
                line.trim_end_matches(" SIP/2.0")
                    .split(" sip:")
                    .next()
                    .unwrap_or(line)
                    .to_owned(),
            );
            in_message = false;
        }
        in_message |= line.starts_with("<send>");
        if let Some(tail) = line.strip_prefix("<recv ") {
            steps.push(tail.split(['>', '/']).next().unwrap_or(tail).to_owned());
        } else if line.starts_with("<pause") {
            steps.push(line.to_owned());
        }
    }
    steps
}

fn request(method: &str) -> String {
    format!("<send><![CDATA[{method} sip:a SIP/2.0\nTo: <sip:a>\nCall-ID: [call_id]\n\n]]></send>")
}

fn response(code: u16) -> String {
    format!("<send><![CDATA[SIP/2.0 {code} X\n[last_Call-ID:]\n\n]]></send>")
}

#[test]
fn a_response_answers_the_request_that_it_can_belong_to() {
    let scenario = [
        &request("INVITE"),
        "<recv response='183'/>",
        &request("PRACK"),
        "<recv response='200'/>",
        &request("CANCEL"),
        "<recv response='200'/><recv response='487'/>",
        &request("ACK"),
    ]
    .concat();
    let mirror = mirror_xml(&scenario, Variant::Main);
    // The 487 comes after other messages, and has the headers of the INVITE.
    let last = mirror.split("SIP/2.0 487").nth(1).expect("a 487");
    assert!(last.contains("CSeq:[$cseq0]"), "{mirror}");
    assert!(mirror.contains("Require: 100rel\nRSeq: 1"), "{mirror}");
    assert_eq!(
        steps(&scenario),
        [
            "request=\"INVITE\"",
            "SIP/2.0 183 Session Progress",
            "request=\"PRACK\"",
            "SIP/2.0 200 OK",
            "request=\"CANCEL\"",
            "SIP/2.0 200 OK",
            "SIP/2.0 487 Request Terminated",
            "request=\"ACK\"",
        ]
    );
}

#[test]
fn a_mirror_waits_while_the_scenario_pauses_before_it_listens() {
    let scenario = [
        &request("MESSAGE"),
        "<recv response='200'/><pause milliseconds='50'/><recv request='BYE'/>",
    ]
    .concat();
    assert_eq!(
        steps(&scenario),
        [
            "request=\"MESSAGE\"",
            "SIP/2.0 200 OK",
            "<pause milliseconds=\"150\"/>",
            "BYE"
        ]
    );
    let scenario = [
        "<recv request='MESSAGE'/><pause milliseconds='50'/>",
        &response(200),
    ]
    .concat();
    assert_eq!(steps(&scenario), ["MESSAGE", "response=\"200\""]);
}

#[test]
fn optional_receives_are_passed_over_except_for_acks_and_where_there_is_no_other() {
    let scenario = [
        "<recv request='INVITE'/>",
        &response(200),
        "<recv request='ACK' optional='true'/><recv request='BYE'/>",
        &response(200),
        "<recv request='INFO' optional='true'/>",
    ]
    .concat();
    assert_eq!(
        steps(&scenario),
        [
            "INVITE",
            "response=\"200\"",
            "ACK",
            "BYE",
            "response=\"200\"",
            "INFO"
        ]
    );
}

#[test]
fn variants_offer_more_or_spoil_the_middle() {
    let scenario = [
        &request("INVITE"),
        "<recv response='100' optional='true'/><recv response='486' optional='true' next='x'/>\
         <recv response='180' optional='true'/><recv response='200'/>",
        &request("ACK"),
        "<recv request='BYE'/>",
        &response(200),
        "<label id='x'/>",
    ]
    .concat();
    assert_eq!(
        steps_of(&scenario, Variant::Optional)[..4],
        [
            "request=\"INVITE\"",
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK"
        ]
    );
    assert_eq!(
        steps_of(&scenario, Variant::Refusal),
        [
            "request=\"INVITE\"",
            "SIP/2.0 200 OK",
            "request=\"ACK\"",
            "INFO"
        ]
    );
}

#[test]
fn loops_end_and_certain_branches_are_followed() {
    let scenario = [
        "<label id='again'/>",
        &request("OPTIONS"),
        "<recv response='200' next='again'/>",
        &request("INFO"),
    ]
    .concat();
    assert_eq!(steps(&scenario).len(), 6);
    assert!(!steps(&scenario).iter().any(|step| step.contains("INFO")));
}

#[test]
fn a_mirror_challenges_and_answers_challenges() {
    let scenario = [&request("REGISTER"), "<recv response='407' auth='true'/>"].concat();
    let mirror = mirror_xml(&scenario, Variant::Main);
    assert!(
        mirror.contains("Proxy-Authenticate: Digest realm="),
        "{mirror}"
    );

    let scenario = [
        "<recv request='REGISTER'/>",
        &response(401),
        "<recv request='REGISTER'/>",
    ]
    .concat();
    let mirror = mirror_xml(&scenario, Variant::Main);
    assert_eq!(
        mirror.matches("\nAuthorization: Digest username=").count(),
        1,
        "{mirror}"
    );

    let scenario = [
        "<recv request='REGISTER'/>",
        &response(401),
        "<recv request='REGISTER'><action>\
         <verifyauth assign_to='1' username='mirror' password='mirror'/></action></recv>",
    ]
    .concat();
    let mirror = mirror_xml(&scenario, Variant::Main);
    assert_eq!(
        mirror.matches("[authentication username=").count(),
        1,
        "{mirror}"
    );
}

#[test]
fn what_a_scenario_looks_for_is_in_the_message() {
    let scenario = [
        &request("SUBSCRIBE"),
        "<recv response='200'><action>\
         <ereg regexp='^ *72[0-9]+' search_in='hdr' header='Expires:' check_it='true' assign_to='1'/>\
         <ereg regexp='never' search_in='hdr' header='X-No:' check_it_inverse='true' assign_to='1'/>\
         </action></recv>",
    ]
    .concat();
    let mirror = mirror_xml(&scenario, Variant::Main);
    assert!(mirror.contains("Expires:  721\n"), "{mirror}");
    assert_eq!(mirror.matches("Expires:").count(), 1, "{mirror}");
    assert!(!mirror.contains("X-No:"), "{mirror}");
}

#[test]
fn preparing_shortens_pauses_and_takes_media_out_and_nothing_else() {
    let xml = "<scenario>\n<!-- 5000 --><pause milliseconds=\"5000\"/><pause milliseconds='5'/>\
        <nop><action><exec play_pcap_audio=\"a.pcap\"/><log message='5000'/></action></nop>\
        <recv request='BYE' lost=\"70\"/></scenario>";
    let prepared = prepare(
        xml.as_bytes(),
        &read("x", xml.as_bytes()).expect("a scenario"),
    );
    assert_eq!(prepared.media_actions, 1);
    let expected = xml
        .replacen("milliseconds=\"5000\"", "milliseconds=\"200\"", 1)
        .replace("<exec play_pcap_audio=\"a.pcap\"/>", &" ".repeat(32))
        .replace("lost=\"70\"", "lost=\"0\"");
    assert_eq!(String::from_utf8_lossy(&prepared.bytes), expected);
}
