// SPDX-License-Identifier: AGPL-3.0-only
//! The body of the fuzz target `compile_xml`: whatever the bytes, compiling ends, spans lie in the file, and what
//! compiles is a program that its verifier takes.

use crate::{Missing, Options, compile};

/// Compiles arbitrary bytes.
///
/// # Panics
/// When an invariant does not hold.
pub fn fuzz_compile(data: &[u8]) {
    // As a run or as a check: the bytes decide, so that a failure can be replayed.
    let lenient = data.len() % 2 == 1;
    let options = Options {
        advise: true,
        strict: data.first().is_some_and(|byte| byte & 0x80 != 0),
        keys: vec![("key".to_owned(), b"value".to_vec())],
        injection: if lenient {
            Vec::new()
        } else {
            vec!["users.csv".to_owned()]
        },
        missing: if lenient {
            Missing::Warn
        } else {
            Missing::Refuse
        },
        name: "fuzz".to_owned(),
    };
    let compiled = compile("fuzz.xml", data, &options);
    let end = u32::try_from(compiled.source.bytes().len()).unwrap_or(u32::MAX);
    for found in compiled.diagnostics.iter() {
        let spans = found
            .labels
            .iter()
            .map(|label| label.span)
            .chain([found.primary]);
        for span in spans {
            assert!(span.start <= span.end && span.end <= end, "{found:?}");
        }
        assert!(
            found.code != crate::diag::codes::flow::REFUSED_PROGRAM,
            "{found:?}"
        );
    }
    assert_eq!(
        compiled.program.is_some(),
        !compiled.diagnostics.has_errors()
    );
    if let Some(program) = compiled.program {
        let again = program.clone().into_draft().verify();
        assert_eq!(again.as_ref(), Ok(&program));
    }
}

#[cfg(test)]
mod tests {
    use super::fuzz_compile;
    use proptest::prelude::*;

    /// Uses as much of the language as fits on a page.
    const SEED: &str = r#"<scenario name="all">
  <Global variables="g"/>
  <User variables="u"/>
  <Reference variables="g,u"/>
  <init><label id="a"/><nop next="b" test="g"/><nop><action><jump value="0"/></action></nop><label id="b"/>
    <recvCmd optional="true" ontimeout="b"><action><insert file="[service]">line=[$g] field=1 text="[$u]"</insert></action></recvCmd></init>
  <send retrans="500" start_rtd="1" start_txn="t"><![CDATA[
    INVITE sip:[service]@[remote_ip]:[remote_port+1] SIP/2.0
    X: [$g][fill text="ab" variable=u] \x41 [key] [last_Via:] [branch-2] [rtpstream_audio_port+1] [cryptokeyparams1audio-1]
    Content-Length: [len]

    [last_message]
  ]]></send>
  <recv response="1.." regexp_match="true" optional="true" advance_state="false" response_txn="t"/>
  <recv request="INFO" optional="global" next="c" test="g" lost="1"/>
  <recv response="200" rtd="1" response_txn="t" timeout="9" ontimeout="c" rrs="true"><action>
    <ereg regexp="([a-z]{1,3}|x*)+" search_in="hdr" header="To:" check_it="true" assign_to="g,u"/>
    <test assign_to="u" variable="g" compare="equal" value="0x10"/>
    <strcmp assign_to="u" variable="g" value="x" check_it_inverse="true"/>
    <assignstr assign_to="g" value="[next_url][routes]"/>
    <exec command="true [$u]"/>
    <exec rtp_stream="a.wav,-1,97,iLBC/8000"/>
    <exec play_dtmf="[$u],50"/>
    <exec play_pcap_audio="[key]"/>
  </action></recv>
  <send ack_txn="t" next="d" chance="0.5"><![CDATA[
    ACK [next_url] SIP/2.0
    [last_From]
  ]]></send>
  <label id="c"/>
  <nop condexec="g" condexec_inverse="true" counter="n"><action><exec rtpcheck="min=1,direction=rx,min_mos=3.5"/><jump variable="u"/></action></nop>
  <pause distribution="gamma" k="2" theta="3"/>
  <label id="d"/>
  <DefaultMessage id="bye"><![CDATA[
    BYE sip:x SIP/2.0
  ]]></DefaultMessage>
  <ResponseTimeRepartition value="10, 20, 30"/>
</scenario>
"#;

    const PIECES: [&str; 24] = [
        "[",
        "]",
        "\"",
        "$",
        "[$x]",
        "[last_",
        "\\x",
        "|",
        "(",
        ")*",
        "{2,}",
        "\n",
        " ",
        "true",
        "0",
        "-1",
        "999999999999",
        "nan",
        "global",
        "<nop/>",
        "<label id=\"e\"/>",
        "<recv/>",
        "next=\"d\" ",
        "SIP/2.0 ",
    ];

    #[test]
    fn the_seed_compiles() {
        let options = crate::Options {
            keys: vec![("key".to_owned(), b"value".to_vec())],
            ..crate::Options::default()
        };
        let compiled = crate::compile("seed.xml", SEED.as_bytes(), &options);
        let found: Vec<_> = compiled.diagnostics.iter().collect();
        assert!(compiled.program.is_some(), "{found:#?}");
    }

    proptest! {
        #[test]
        fn damaged_scenarios_are_refused_or_run(
            cuts in prop::collection::vec((0..SEED.len(), 0..40usize, 0..PIECES.len()), 0..5)
        ) {
            let mut text = SEED.as_bytes().to_vec();
            for (at, length, piece) in cuts {
                let at = at.min(text.len());
                let end = (at + length).min(text.len());
                text.splice(at..end, PIECES[piece].bytes());
            }
            fuzz_compile(&text);
        }
    }
}
