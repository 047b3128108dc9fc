// SPDX-License-Identifier: AGPL-3.0-only
//! What the parser makes of elements, and that each code's examples show it.

use super::parse;
use crate::ast::*;
use crate::diag::{Diagnostics, Severity, codes};
use crate::source::SourceFile;

/// Parses, and lists what was found as code and place.
fn read(text: &str) -> (Scenario, Vec<(String, String)>) {
    let source = SourceFile::new("t.xml", text).expect("small");
    let mut diags = Diagnostics::new(false);
    let scenario = parse(&source, &mut diags).expect("a scenario");
    let found = diags
        .iter()
        .map(|d| {
            (
                d.code.to_string(),
                String::from_utf8_lossy(source.slice(d.primary)).into_owned(),
            )
        })
        .collect();
    (scenario, found)
}

/// The first step of a scenario that has nothing else of note, and what was found.
#[track_caller]
fn step(element: &str) -> (Step, Vec<(String, String)>) {
    let (scenario, found) = read(&format!("<scenario>{element}</scenario>"));
    let step = scenario.steps().next().expect("a step").clone();
    (step, found)
}

/// The action of a step, and what was found.
#[track_caller]
fn action(element: &str) -> (ActionKind, Vec<(String, String)>) {
    let (step, found) = step(&format!("<nop><action>{element}</action></nop>"));
    let mut list = step.actions.expect("a block").list;
    assert_eq!(list.len(), 1);
    (list.remove(0).kind, found)
}

#[track_caller]
fn assert_found(found: &[(String, String)], wanted: &[(&str, &str)]) {
    let found: Vec<_> = found
        .iter()
        .map(|(code, place)| (code.as_str(), place.as_str()))
        .collect();
    assert_eq!(found, wanted);
}

fn bytes(name: &Option<Name>) -> Option<&[u8]> {
    name.as_ref().map(|name| name.bytes.as_slice())
}

#[test]
fn common_attributes_have_their_types_and_defaults() {
    let (plain, found) = step(r#"<recv request="INVITE"/>"#);
    assert_found(&found, &[]);
    assert_eq!(plain.common, Common::default());
    let (full, found) = step(
        r#"<recv request="INVITE" start_rtd="true" rtd="false" counter="c" lost="0" crlf="false" hide="TRUE"
            condexec="v" condexec_inverse="1" next="n" test="t" chance="0.25" ontimeout="o"/>"#,
    );
    assert_found(&found, &[]);
    let common = full.common;
    assert_eq!(bytes(&common.start_rtd), Some(&b"1"[..]));
    assert_eq!(common.rtd, None);
    assert_eq!(common.lost.map(|lost| lost.value), Some(0.0));
    assert!(common.crlf, "presence counts");
    assert_eq!(common.hide, Some(true));
    assert!(common.condexec_inverse);
    assert_eq!(bytes(&common.test), Some(&b"t"[..]));
    assert_eq!(common.chance.map(|chance| chance.value), Some(0.25));
}

#[test]
fn test_without_next_is_no_mention() {
    let (step, found) = step(r#"<recv request="INVITE" test="t"/>"#);
    assert_found(&found, &[("G0121", "test")]);
    assert_eq!(step.common.test, None);
}

#[test]
fn recv_expects_what_sipp_compares() {
    let expect = |element: &str| match step(element).0.kind {
        StepKind::Recv(recv) => recv.expect,
        other => panic!("{other:?}"),
    };
    let response = |element: &str| match expect(element) {
        Expect::Response(code) => code.value,
        other => panic!("{other:?}"),
    };
    assert_eq!(response(r#"<recv response="200"/>"#), 200);
    assert_eq!(response(r#"<recv response=" 0200 OK"/>"#), 200);
    assert_eq!(response(r#"<recv response="OK"/>"#), 0);
    assert!(matches!(
        expect(r#"<recv response="18." regexp_match="true"/>"#),
        Expect::ResponseRegex(_)
    ));
    for list in ["200,183", " 200 , 183 "] {
        match expect(&format!("<recv response=\"{list}\"/>")) {
            Expect::ResponseRegex(text) => assert_eq!(text.bytes(), b"200|183"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(response(r#"<recv response="200,18x"/>"#), 200);
    assert!(matches!(
        expect(r#"<recv response="180" regexp_match="TRUE"/>"#),
        Expect::Response(_)
    ));
    assert!(matches!(
        expect(r#"<recv request="A|B" regexp_match="true"/>"#),
        Expect::RequestRegex(_)
    ));
    assert!(matches!(
        expect(r#"<recv request="ACK" response="200"/>"#),
        Expect::Request(_)
    ));
    assert_eq!(expect("<recv/>"), Expect::Nothing);
}

#[test]
fn the_source_of_a_pause_length_is_chosen_in_sipps_order() {
    let length = |attributes: &str| match step(&format!("<pause {attributes}/>")).0.kind {
        StepKind::Pause(pause) => pause.length,
        other => panic!("{other:?}"),
    };
    let drawn = |attributes: &str| match length(attributes) {
        PauseLength::Distribution(found) => found.value,
        other => panic!("{other:?}"),
    };
    assert_eq!(length(""), PauseLength::Default);
    assert!(
        matches!(length(r#"milliseconds="1.5""#), PauseLength::Milliseconds(n) if n.value == 1.5)
    );
    assert!(matches!(
        length(r#"milliseconds="9" variable="v" min="1""#),
        PauseLength::Variable(_)
    ));
    assert_eq!(
        drawn(r#"distribution="uniform" min="1" max="2""#),
        Distribution::Uniform { min: 1.0, max: 2.0 }
    );
    assert_eq!(
        drawn(r#"normal="true" mean="3" stdev="1""#),
        Distribution::Normal {
            mean: 3.0,
            stdev: 1.0
        }
    );
    assert_eq!(
        drawn(r#"max="4" min="3""#),
        Distribution::Uniform { min: 3.0, max: 4.0 }
    );
    assert_eq!(
        length(r#"distribution="weibull" k="1""#),
        PauseLength::Poisoned
    );
    assert_eq!(length(r#"milliseconds="soon""#), PauseLength::Poisoned);
}

#[test]
fn every_action_of_the_language_is_read() {
    for (element, wanted) in [
        (r#"<log message="a"/>"#, "Log"),
        (r#"<warning message="a"/>"#, "Warning"),
        (r#"<error message="a"/>"#, "Error"),
        (r#"<assign assign_to="a" value="1"/>"#, "Assign"),
        (r#"<assign assign_to="a" variable="b"/>"#, "Assign"),
        (r#"<assignstr assign_to="a" value="[len]"/>"#, "AssignStr"),
        (r#"<gettimeofday assign_to="s,us"/>"#, "GetTimeOfDay"),
        (r#"<index assign_to="a"/>"#, "Index"),
        (r#"<jump value="3"/>"#, "Jump"),
        (r#"<pauserestore variable="a"/>"#, "PauseRestore"),
        (r#"<add assign_to="a" value="1"/>"#, "Arith"),
        (r#"<subtract assign_to="a" value="1"/>"#, "Arith"),
        (r#"<multiply assign_to="a" value="1"/>"#, "Arith"),
        (r#"<divide assign_to="a" variable="b"/>"#, "Arith"),
        (
            r#"<sample assign_to="a" distribution="fixed" value="1"/>"#,
            "Sample",
        ),
        (r#"<todouble assign_to="a" variable="b"/>"#, "ToDouble"),
        (
            r#"<test variable="a" value="1" compare="equal" assign_to="b"/>"#,
            "Test",
        ),
        (
            r#"<test variable="a" variable2="c" compare="less_than" check_it="true"/>"#,
            "Test",
        ),
        (
            r#"<strcmp variable="a" value="1" assign_to="b"/>"#,
            "StrCmp",
        ),
        (
            r#"<strcmp variable="a" variable2="c" check_it_inverse="true"/>"#,
            "StrCmp",
        ),
        (r#"<trim assign_to="a"/>"#, "Trim"),
        (r#"<urlencode variable="a"/>"#, "UrlEncode"),
        (r#"<urldecode variable="a"/>"#, "UrlDecode"),
        (
            r#"<verifyauth assign_to="a" username="u" password="p"/>"#,
            "VerifyAuth",
        ),
        (r#"<lookup assign_to="a" file="f" key="k"/>"#, "Lookup"),
        (r#"<insert file="f" value="v"/>"#, "Insert"),
        (r#"<insert file="f">line=1 field=0 text=x</insert>"#, "Edit"),
        (r#"<replace file="f" line="1" value="v"/>"#, "Replace"),
        (r#"<setdest host="h" port="1" protocol="udp"/>"#, "SetDest"),
        ("<closecon/>", "CloseCon"),
        (r#"<exec command="true"/>"#, "Exec(Command"),
        (
            r#"<exec int_cmd="stop_now"/>"#,
            "Exec(IntCmd(Spanned { value: StopNow",
        ),
        (
            r#"<exec int_cmd="halt"/>"#,
            "Exec(IntCmd(Spanned { value: StopCall",
        ),
        (
            r#"<exec play_pcap_audio="f"/>"#,
            "Exec(Media(PlayPcap(Audio)",
        ),
        (
            r#"<exec play_pcap_image="f"/>"#,
            "Exec(Media(PlayPcap(Image)",
        ),
        (
            r#"<exec play_pcap_video="f"/>"#,
            "Exec(Media(PlayPcap(Video)",
        ),
        (r#"<exec play_dtmf="1"/>"#, "Exec(Media(PlayDtmf"),
        (r#"<exec rtp_stream="f"/>"#, "Exec(Media(RtpStream"),
        (r#"<exec rtp_echo="startaudio"/>"#, "Exec(Media(RtpEcho"),
        (r#"<exec send_dtmf="1"/>"#, "Exec(Media(SendDtmf"),
        (r#"<exec rtp_record="stop"/>"#, "Exec(Media(RtpRecord"),
        (r#"<exec rtpcheck="1"/>"#, "Exec(Media(RtpCheck"),
        (r#"<rtp_echo value="1"/>"#, "RtpEcho"),
        (r#"<ereg regexp=".*" assign_to="a"/>"#, "Ereg"),
    ] {
        let (kind, found) = action(element);
        let shown = format!("{kind:?}");
        assert!(shown.starts_with(wanted), "{element}: {shown}");
        let expected = if element.contains("halt") { 1 } else { 0 };
        assert_eq!(found.len(), expected, "{element}: {found:?}");
    }
}

#[test]
fn ereg_reads_its_place_of_search() {
    let place = |attributes: &str| {
        let (kind, found) = action(&format!(
            r#"<ereg regexp="\\.\(" assign_to="a,b" {attributes}/>"#
        ));
        match kind {
            ActionKind::Ereg {
                search_in,
                assign_to,
                regexp,
                ..
            } => {
                assert_eq!(assign_to.len(), 2);
                assert_eq!(regexp.bytes(), br"\.\(");
                (search_in, found)
            }
            other => panic!("{other:?}: {found:?}"),
        }
    };
    assert_eq!(place("").0, SearchIn::Message);
    assert_eq!(place(r#"search_in="body""#).0, SearchIn::Body);
    assert!(matches!(
        place(r#"search_in="var" variable="v""#).0,
        SearchIn::Variable(_)
    ));
    let (search, found) = place(r#"search_in="hdr" header="To:" occurence="2" case_indep="true""#);
    assert_found(&found, &[]);
    match search {
        SearchIn::Header(search) => {
            assert_eq!(
                (search.occurrence, search.case_indep, search.start_line),
                (2, true, false)
            );
        }
        other => panic!("{other:?}"),
    }
    assert_found(&place(r#"header="To:""#).1, &[("G0121", "header")]);
}

#[test]
fn a_wrong_action_keeps_the_names_it_mentions() {
    for element in [
        r#"<divide assign_to="a" value="0" />"#,
        r#"<add assign_to="a"/>"#,
        r#"<assign assign_to="a" value="x"/>"#,
        r#"<addd assign_to="a" value="1"/>"#,
    ] {
        let (kind, found) = action(element);
        assert!(!found.is_empty(), "{element}");
        match kind {
            ActionKind::Poisoned { mentions } => assert_eq!(mentions[0].bytes, b"a", "{element}"),
            other => panic!("{element}: {other:?}"),
        }
    }
}

#[test]
fn some_texts_are_decoded_twice_and_others_once() {
    let (kind, _) = action(r#"<log message="&amp;lt; \n&amp;amp;"/>"#);
    assert!(
        matches!(&kind, ActionKind::Log(text) if text.bytes() == b"< \n&"),
        "{kind:?}"
    );
    let (kind, _) = action(r#"<exec command="a &amp;amp;&amp;amp; b"/>"#);
    assert!(
        matches!(&kind, ActionKind::Exec(Exec::Command(text)) if text.bytes() == b"a &amp;&amp; b"),
        "{kind:?}"
    );
}

#[test]
fn declarations_keep_their_order_and_places() {
    let text = r#"<scenario name="x"><Global variables="a,b"/><label id="1"/><nop/><User variables="u"/>
        <Reference variables="a"/><ResponseTimeRepartition value="30, 10"/><CallLengthRepartition value="5"/>
        <DefaultMessage id="bye"><![CDATA[BYE]]></DefaultMessage><init><label id="i"/><nop/></init></scenario>"#;
    let (scenario, found) = read(text);
    assert_found(&found, &[]);
    let shown: Vec<_> = scenario
        .items
        .iter()
        .map(|item| match item {
            Item::Step(_) => "step",
            Item::Label(_) => "label",
            Item::Declaration(found) => {
                for name in &found.names {
                    assert_eq!(
                        &text.as_bytes()[name.span.start as usize..name.span.end as usize],
                        name.bytes
                    );
                }
                "declaration"
            }
            Item::Repartition(found) => {
                assert!(found.borders_ms.is_sorted());
                "repartition"
            }
            Item::DefaultMessage(found) => {
                assert_eq!(found.id.map(|id| id.value), Some(DefaultMessageId::Bye));
                "message"
            }
            Item::Init(found) => {
                assert_eq!(found.items.len(), 2);
                "init"
            }
        })
        .collect();
    let wanted = [
        "declaration",
        "label",
        "step",
        "declaration",
        "declaration",
        "repartition",
        "repartition",
        "message",
        "init",
    ];
    assert_eq!(shown, wanted);
    assert_eq!(
        scenario.steps().count(),
        1,
        "steps of `init` have indexes of their own"
    );
}

#[test]
fn one_mistake_is_reported_once_at_its_place() {
    let cases: [(&str, &[(&str, &str)]); 12] = [
        (r#"<recv request="A" timeout="5s"/>"#, &[("G0105", "5s")]),
        (
            r#"<recv request="A" optional="yes" advance_state="false"/>"#,
            &[("G0108", "yes")],
        ),
        (
            r#"<recv request="A" request="B" option="true"/>"#,
            &[("G0002", "request"), ("G0103", "option")],
        ),
        (
            r#"<pause distribution="normal" mean="1"/>"#,
            &[("G0104", "pause")],
        ),
        (
            r#"<pause distribution="norml" mean="1"/>"#,
            &[("G0108", "norml")],
        ),
        (r#"<nop next="a" chance="2"/>"#, &[("G0122", "2")]),
        (r#"<nop><log message=""/></nop>"#, &[("G0117", "log")]),
        (
            r#"<nop><x/><action/></nop>"#,
            &[("G0117", "x"), ("G0115", "action")],
        ),
        (r#"<nop><action/><action/></nop>"#, &[("G0116", "action")]),
        (r#"<nop condexec="a,b"/>"#, &[("G0109", "a,b")]),
        (r#"<sned/>"#, &[("G0102", "sned")]),
        (
            r#"<init><recv request="A"/></init><nop/>"#,
            &[("G0119", "recv")],
        ),
    ];
    for (element, wanted) in cases {
        let (_, found) = read(&format!("<scenario>{element}</scenario>"));
        assert_found(&found, wanted);
    }
}

#[test]
fn the_text_of_an_action_counts_where_sipps_attributes_are_missing() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        (r#"<sample assign_to="a">min=1 max=3</sample>"#, &[]),
        (
            r#"<sample assign_to="a"><!-- whole -->
                max="0x10" min='-4' seed=-1 step=2</sample>"#,
            &[],
        ),
        // SIPp passes over it.
        (
            r#"<sample assign_to="a" distribution="fixed" value="1">min=1 max=3</sample>"#,
            &[("G0018", "min=1 max=3")],
        ),
        (
            r#"<sample assign_to="a" mean="1">min=1 max=3</sample>"#,
            &[("G0121", "mean")],
        ),
        (
            r#"<log message="x">min=1 max=3</log>"#,
            &[("G0018", "min=1 max=3")],
        ),
        (
            r#"<sample assign_to="a">min=1 max=3<!-- --> step=2</sample>"#,
            &[("G0018", "step=2")],
        ),
        (
            r#"<sample assign_to="a"> </sample>"#,
            &[("G0104", "sample")],
        ),
        (
            r#"<sample assign_to="a"><![CDATA[min=1 max=3]]></sample>"#,
            &[("G0114", "<![CDATA["), ("G0104", "sample")],
        ),
        (
            r#"<sample assign_to="a">min=1 stepp=3</sample>"#,
            &[("G0409", "stepp"), ("G0409", "min=1 stepp=3")],
        ),
        (
            r#"<sample assign_to="a">min=1 max=3 max=4</sample>"#,
            &[("G0409", "max")],
        ),
        (
            r#"<sample assign_to="a">min=1.5 max=3</sample>"#,
            &[("G0105", "1.5")],
        ),
        (
            r#"<sample assign_to="a">min='' max=3</sample>"#,
            &[("G0409", "min")],
        ),
        (
            r#"<sample assign_to="a">min=1 max=3, step</sample>"#,
            &[("G0409", "min=1 max=3, step")],
        ),
        (
            r#"<sample assign_to="a">min=1 x max=3</sample>"#,
            &[("G0409", "m")],
        ),
        (
            r#"<sample assign_to="a">min=1 ]]> max=3</sample>"#,
            &[("G0018", "min=1 ]]> max=3"), ("G0104", "sample")],
        ),
        (r#"<sample assign_to="a" value="min=1 max=3"/>"#, &[]),
        (
            r#"<sample assign_to="a" value="1"/>"#,
            &[("G0104", "sample")],
        ),
        (r#"<insert file="f">line=1 field=0 text=x</insert>"#, &[]),
        (
            r#"<insert file="f">line='[$n]' field=0 text="" position=prefix</insert>"#,
            &[],
        ),
        (r#"<replace file="f">line=1 field=0 text=x</replace>"#, &[]),
        (r#"<replace file="f" value="line=1 field=0 text=x"/>"#, &[]),
        (
            r#"<replace file="f" line="1" value="line=1 field=0 text=x"/>"#,
            &[],
        ),
        (
            r#"<insert file="f" value="line=1 field=0 text=x"/>"#,
            &[("G0410", "line=1 field=0 text=x")],
        ),
        (
            r#"<replace file="f" line="2">line=1 field=0 text=x</replace>"#,
            &[("G0121", "line")],
        ),
        (
            r#"<insert file="f">line=1 field=0</insert>"#,
            &[("G0409", "line=1 field=0")],
        ),
        (
            r#"<insert file="f">line='' field=-1 text=x position=mid</insert>"#,
            &[("G0409", "line"), ("G0409", "-1"), ("G0409", "mid")],
        ),
        (
            r#"<replace file="f">line=1 field=0 text=x position=prefix</replace>"#,
            &[("G0409", "position")],
        ),
        (
            r#"<insert>line=1 field=0 text=x</insert>"#,
            &[("G0104", "insert")],
        ),
        (
            r#"<insert file="f" value="x">line=1</insert>"#,
            &[("G0018", "line=1")],
        ),
    ];
    for (action, wanted) in cases {
        let (_, found) = read(&format!(
            "<scenario><nop><action>{action}</action></nop></scenario>"
        ));
        assert_found(&found, wanted);
    }
}

/// The codes that the front end itself reports; those of later phases need the whole compiler.
#[test]
fn examples_of_the_front_end_show_their_code_and_nothing_else_is_refused() {
    let mut shown = 0;
    for entry in codes::all() {
        let number = entry.code.number();
        let ours = number < 200 || (400..420).contains(&number) || (500..520).contains(&number);
        let Some(example) = entry.example.filter(|_| ours) else {
            continue;
        };
        shown += 1;
        let diagnostics = |text: &str| {
            let source = SourceFile::new("t.xml", text).expect("small");
            let mut diags = Diagnostics::new(false);
            parse(&source, &mut diags);
            diags
                .iter()
                .map(|d| (d.code, d.severity))
                .collect::<Vec<_>>()
        };
        let bad = diagnostics(&example.bad().text);
        assert!(
            bad.iter().any(|(code, _)| *code == entry.code),
            "{}: bad example reports {bad:?}",
            entry.code
        );
        let good = diagnostics(&example.good());
        let refused = good
            .iter()
            .any(|(code, severity)| *code == entry.code || *severity == Severity::Error);
        assert!(!refused, "{}: good example reports {good:?}", entry.code);
    }
    assert!(shown > 45, "only {shown} examples");
}
