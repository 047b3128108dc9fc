// SPDX-License-Identifier: AGPL-3.0-only
//! Any bytes are a scenario to someone: the front end reports and never panics, and its places lie in the file.

use gossipper_compiler::ast::{Item, Scenario, StepKind};
use gossipper_compiler::diag::Diagnostics;
use gossipper_compiler::diag::render::{Style, json, text};
use gossipper_compiler::parse::parse;
use gossipper_compiler::source::{SourceFile, Span, Text};
use proptest::prelude::*;

const SEED: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="caller">
  <Global variables="a,b"/>
  <send retrans="500" start_rtd="true"><![CDATA[
    INVITE sip:[service]@[remote_ip] SIP/2.0
    Call-ID: [call_id]

  ]]></send>
  <!-- provisional -->
  <recv response="100" optional="true"/>
  <recv response="200" rtd="true" rrs="true"><action>
    <ereg regexp="\"(.*)\" &lt;sip:" search_in="hdr" header="From:" assign_to="a,b" check_it='true'/>
    <test assign_to="b" variable="a" compare="equal" value="0x10"/>
    <exec command="echo [$a] &amp; true"/>
  </action></recv>
  <label id="end"/>
  <pause distribution="normal" mean="10" stdev="1" next="end" test="b"/>
  <CallLengthRepartition value="10, 20, 30"/>
</scenario>
"#;

/// Pieces that break things when they land in the wrong place.
const PIECES: [&str; 24] = [
    "<",
    ">",
    "\"",
    "'",
    "&",
    "\\",
    "\\\"",
    "=",
    ",",
    "/",
    "/>",
    "</",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "<!",
    "\0",
    "\r\n",
    "&#0;",
    "&#x110000;",
    " a=\"",
    "</scenario>",
];

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, usize),
    Byte(usize, u8),
    Cut(usize, usize),
    Double(usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = 0..SEED.len();
    let edit = prop_oneof![
        (at.clone(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
        (at.clone(), 1..40usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        (at, 1..200usize).prop_map(|(at, length)| Edit::Double(at, length)),
    ];
    proptest::collection::vec(edit, 0..8)
}

fn apply(edits: &[Edit]) -> Vec<u8> {
    let mut bytes = SEED.as_bytes().to_vec();
    for edit in edits {
        let clamp = |at: usize| at.min(bytes.len());
        match *edit {
            Edit::Insert(at, piece) => {
                let at = clamp(at);
                bytes.splice(at..at, PIECES[piece].bytes());
            }
            Edit::Byte(at, byte) => {
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
            }
            Edit::Cut(at, length) => {
                let (start, end) = (clamp(at), clamp(at + length));
                bytes.drain(start..end);
            }
            Edit::Double(at, length) => {
                let again = bytes[clamp(at)..clamp(at + length)].to_vec();
                let at = clamp(at);
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

fn texts(scenario: &Scenario) -> impl Iterator<Item = &Text> {
    scenario.items.iter().filter_map(|item| match item {
        Item::Step(step) => match &step.kind {
            StepKind::Send(send) => send.text.as_ref(),
            _ => None,
        },
        _ => None,
    })
}

fn check(bytes: &[u8]) {
    let source = SourceFile::new("t.xml", bytes).expect("small");
    let mut diags = Diagnostics::new(false);
    let scenario = parse(&source, &mut diags);
    assert!(
        scenario.is_some() || diags.has_errors(),
        "refused without a reason"
    );
    let inside = |span: Span| {
        assert!(
            span.start <= span.end && span.end as usize <= bytes.len(),
            "{span:?}"
        )
    };
    for diagnostic in diags.iter() {
        inside(diagnostic.primary);
        diagnostic
            .labels
            .iter()
            .for_each(|label| inside(label.span));
    }
    for text in scenario.iter().flat_map(texts) {
        inside(text.span());
        for at in 0..text.bytes().len() {
            inside(text.slice_span(at..at + 1));
            let from = source.slice(text.slice_span(at..at + 1));
            let byte = text.bytes()[at];
            assert!(
                from.contains(&byte) || byte == b'\n',
                "byte {at} {byte:?} is said to come from {from:?}"
            );
        }
    }
    text(&source, &diags, Style::Plain);
    json(&source, &diags);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edited_scenarios_are_read_or_refused(edits in edits()) {
        check(&apply(&edits));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        check(format!("<scenario><recv {text}").as_bytes());
        check(format!("<scenario><send><![CDATA[{text}").as_bytes());
    }
}

#[test]
fn the_unedited_scenario_has_only_its_warning() {
    let source = SourceFile::new("t.xml", SEED).expect("small");
    let mut diags = Diagnostics::new(false);
    assert!(parse(&source, &mut diags).is_some());
    let codes: Vec<String> = diags.iter().map(|d| d.code.to_string()).collect();
    assert_eq!(codes, ["G0004"]);
}

#[test]
fn hostile_repetition_costs_linear_work() {
    // Each of these would take minutes if any step looked at the rest of the file again and again.
    const LENGTH: usize = 400_000;
    for piece in PIECES.iter().chain(&[
        "<a ", "<a b", "<a b=", "<a b='", "a=\"\\\"", "<?x", "&amp", "<a>", "</a",
    ]) {
        let text = format!(
            "<scenario><send a=\"1\">{}",
            piece.repeat(LENGTH / piece.len())
        );
        let source = SourceFile::new("t.xml", text).expect("small");
        let mut diags = Diagnostics::new(false);
        let scenario = parse(&source, &mut diags);
        assert!(scenario.is_some() || diags.has_errors(), "{piece}");
        let inside_tag = format!(
            "<scenario><send a=\"1\" {}",
            piece.repeat(LENGTH / piece.len())
        );
        let source = SourceFile::new("t.xml", inside_tag).expect("small");
        parse(&source, &mut diags);
    }
}
