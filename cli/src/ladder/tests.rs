// SPDX-License-Identifier: AGPL-3.0-only
//! Ladders of small scenarios, read as a person would.

use super::*;
use gossipper_compiler::diag::Diagnostics;
use gossipper_compiler::source::SourceFile;

fn of(xml: &str) -> Ladder {
    let source = SourceFile::new("flow.xml", xml).expect("small");
    let scenario = gossipper_compiler::parse::parse(&source, &mut Diagnostics::new(false))
        .expect("a scenario");
    scenario::ladder(&scenario, &source)
}

const CALL: &str = r#"<scenario name="call &lt;&amp;&gt;">
<init><nop><action><assign assign_to="n" value="1"/></action></nop></init>
<label id="again"/>
<send retrans="500" start_rtd="1"><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
]]></send>
<recv response="100" optional="true"/>
<recv response="18." regexp_match="true" optional="global"/>
<recv response="200" rtd="1" rrs="true" timeout="8000" ontimeout="end" crlf="true">
<action><ereg regexp="a" assign_to="_"/><ereg regexp="b" assign_to="_"/><log message="x"/></action></recv>
<send lost="10" condexec="x" condexec_inverse="true"><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
]]></send>
<pause milliseconds="250" next="again" test="more"/>
<nop display="decide" next="end" chance="0.25"/>
<recv request="BYE" hide="true"/>
<send><![CDATA[
SIP/2.0 200 OK
]]></send>
<label id="end"/>
<timewait milliseconds="4000"/>
</scenario>"#;

const TWIN: &str = r#"<scenario>
<recvCmd><action><ereg regexp="a" assign_to="_"/></action></recvCmd>
<send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
]]></send>
<recv response="200"/>
<sendCmd dest="m"><![CDATA[
Call-ID: [call_id]
]]></sendCmd>
</scenario>"#;

#[test]
fn a_scenario_reads_from_top_to_bottom() {
    insta::assert_snapshot!(text(&of(CALL), Charset::Boxes));
}

#[test]
fn without_unicode_nothing_but_ascii_is_drawn() {
    let drawn = text(
        &of(&CALL.replace("decide", "entschlie\u{df}en")),
        Charset::Ascii,
    );
    assert!(drawn.is_ascii());
    insta::assert_snapshot!(drawn);
}

#[test]
fn a_twin_has_its_own_lifeline() {
    insta::assert_snapshot!(text(&of(TWIN), Charset::Boxes));
}

#[test]
fn a_scenario_becomes_a_picture() {
    insta::assert_snapshot!(svg(&of(TWIN)));
}

#[test]
fn no_line_is_longer_than_a_hundred_columns() {
    let long = "x".repeat(300);
    let xml = CALL
        .replace("decide", &long)
        .replace("\"again\"", &format!("\"{long}\""))
        .replace("INVITE", &long)
        .replace("flow", &long);
    for charset in [Charset::Boxes, Charset::Ascii] {
        for line in text(&of(&xml), charset).lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn what_authors_write_stays_text_in_a_picture() {
    let xml = CALL.replace("decide", "&lt;script&gt;&amp;\u{202e}\u{7f}");
    let drawn = svg(&of(&xml));
    assert!(drawn.contains("&lt;script&gt;&amp;\u{b7}\u{b7}"), "{drawn}");
    assert!(!drawn.contains("<script>"));
    assert!(!text(&of(&xml), Charset::Boxes).contains(['\u{202e}', '\u{7f}']));
}
