// SPDX-License-Identifier: AGPL-3.0-only
//! Lints say nothing of good scenarios, and their figures over the scenarios of others are known.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

mod corpus;
mod scenarios;

use gossipper_compiler::diag::Severity;
use gossipper_compiler::{Compiled, Options, compile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn is_lint(number: u16) -> bool {
    (600..700).contains(&number)
}

fn compiled(
    name: &str,
    bytes: &[u8],
    injection: Vec<String>,
    keys: Vec<(String, Vec<u8>)>,
) -> Compiled {
    let options = Options {
        advise: true,
        name: name.to_owned(),
        injection,
        keys,
        ..Options::default()
    };
    compile(name, bytes, &options)
}

/// Lints that are on by default, as `file:line:col: code message`.
fn warnings(compiled: &Compiled) -> Vec<String> {
    let lints = compiled
        .diagnostics
        .iter()
        .filter(|d| is_lint(d.code.number()) && d.severity == Severity::Warning);
    lints
        .map(|d| {
            let at = compiled.source.line_col(d.primary.start);
            format!(
                "{}:{}:{}: {} {}",
                compiled.source.name(),
                at.line,
                at.col,
                d.code,
                d.message
            )
        })
        .collect()
}

#[test]
fn what_comes_with_the_tool_surprises_nobody() {
    let mut found = Vec::new();
    for builtin in gossipper_stdlib_scenarios::all() {
        let compiled = compiled(builtin.name, builtin.xml.as_bytes(), Vec::new(), Vec::new());
        found.extend(warnings(&compiled));
    }
    // The built-in client with branches sends no ACK for its 403: the flow it reproduces does not either.
    let (meant, found): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|lint| lint.starts_with("branchc:") && lint.contains("G0610"));
    assert_eq!(meant.len(), 1);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn of_our_test_scenarios_only_those_that_mean_it_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/scenarios");
    let (mut files, mut told, mut all) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(&folder).expect("testdata/scenarios") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        files += 1;
        let name = path.file_name().expect("a name").to_string_lossy();
        let injection = ["injection_users.csv", "injection_numbers.csv"].map(str::to_owned);
        let bytes = std::fs::read(&path).expect("readable");
        let found = warnings(&compiled(&name, &bytes, injection.to_vec(), Vec::new()));
        told += usize::from(!found.is_empty());
        all.extend(found);
    }
    all.sort();
    // Some test what happens to a message that is wrong on purpose.
    assert!(files > 80, "only {files} scenarios");
    assert!(told * 10 < files, "{told} of {files}: {all:#?}");
}

#[test]
fn figures_over_scenarios_of_others() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let mut files = 0;
    let mut by_code: BTreeMap<String, (Severity, Vec<String>)> = BTreeMap::new();
    for entry in scenarios::all(&folder) {
        let bytes = std::fs::read(folder.join(&entry.file)).expect("listed file");
        let compiled = compiled(&entry.file, &bytes, entry.injection, entry.keys);
        if compiled.diagnostics.has_errors() {
            continue;
        }
        files += 1;
        let mut said = BTreeSet::new();
        let lints = compiled.diagnostics.iter();
        for finding in lints.filter(|d| is_lint(d.code.number())) {
            if !said.insert(finding.code) {
                continue;
            }
            let at = compiled.source.line_col(finding.primary.start);
            let place = format!("{}:{}:{} {}", entry.file, at.line, at.col, finding.message);
            let (_, places) = by_code
                .entry(finding.code.to_string())
                .or_insert((finding.severity, Vec::new()));
            places.push(place);
        }
    }
    assert!(files > 300, "only {files} files compile");
    show(files, &by_code);
    // One file in twenty has branches that never change; each other lint is rarer.
    for (code, (severity, places)) in &by_code {
        let often = *severity == Severity::Warning && places.len() * 100 > files * 6;
        assert!(!often, "{code} in {} of {files} files", places.len());
    }
}

/// How many files each lint is about; with `LINT_SHOW=n` so many places, with `LINT_ONLY=code` of that one only.
#[expect(clippy::print_stderr, reason = "the figures are worth reading")]
fn show(files: usize, by_code: &BTreeMap<String, (Severity, Vec<String>)>) {
    let show = std::env::var("LINT_SHOW").ok();
    let show: usize = show.and_then(|show| show.parse().ok()).unwrap_or(0);
    let only = std::env::var("LINT_ONLY").unwrap_or_default();
    for (code, (severity, places)) in by_code {
        let (word, count) = (severity.word(), places.len());
        eprintln!("{code} {word:7} {count:3} of {files} files");
        let every = (count / show.max(1)).max(1);
        let shown = if code.contains(&only) { show } else { 0 };
        for place in places.iter().step_by(every).take(shown) {
            eprintln!("    {place}");
        }
    }
}

/// A message with the usual headers besides those given.
fn message(start: &str, own: &[&str]) -> String {
    let response = start.starts_with("SIP/2.0");
    let method = start.split(' ').next().unwrap_or_default();
    let cseq = format!("CSeq: [cseq] {method}");
    let usual: [&str; 6] = if response {
        [
            "[last_Via:]",
            "[last_From:]",
            "[last_To:]",
            "[last_Call-ID:]",
            "[last_CSeq:]",
            "X: y",
        ]
    } else {
        [
            "Via: SIP/2.0/UDP [local_ip];branch=[branch]",
            "From: <sip:a@b>;tag=[call_number]",
            "To: <sip:c@d>[peer_tag_param]",
            "Call-ID: [call_id]",
            &cseq,
            "Contact: <sip:a@[local_ip]>",
        ]
    };
    let name = |line: &str| {
        line.trim_start_matches("[last_")
            .split([':', ' '])
            .next()
            .map(str::to_owned)
    };
    let left = usual
        .iter()
        .filter(|line| !own.iter().any(|given| name(given) == name(line)));
    let lines: Vec<&str> = std::iter::once(start)
        .chain(own.iter().copied())
        .chain(left.copied())
        .collect();
    format!("<![CDATA[\n{}\n\n]]></send>", lines.join("\n"))
}

#[test]
fn what_may_be_right_is_not_told() {
    let invite = message("INVITE sip:a SIP/2.0", &[]);
    let ack = message("ACK sip:a SIP/2.0", &[]);
    let tagged = message("SIP/2.0 200 OK", &["[last_To:];tag=1"]);
    let plain = message("SIP/2.0 200 OK", &[]);
    let cases = [
        // A second INVITE has the tag already, and so has a BYE.
        format!(
            "<recv request='INVITE'/><send>{tagged}<recv request='ACK'/><recv request='INVITE'/><send>{plain}\
             <recv request='ACK'/><recv request='BYE'/><send>{plain}"
        ),
        // The 200 answers the CANCEL.
        format!(
            "<recv request='INVITE'/><send>{}<recv request='CANCEL'/><send>{plain}",
            message("SIP/2.0 180 Ringing", &["[last_To:];tag=1"])
        ),
        // What a variable or a field holds may be a tag, a branch, a number.
        format!(
            "<send>{invite}<recv response='200'><action><ereg regexp='x' search_in='hdr' header='To:' \
             assign_to='to'/></action></recv><send>{}<send>{}",
            message("ACK sip:a SIP/2.0", &["To:[$to]"]),
            message("BYE sip:a SIP/2.0", &["[last_To:]"])
        ),
        // A whole header may come from a variable.
        format!(
            "<recv request='OPTIONS'><action><ereg regexp='.*' search_in='hdr' header='Via:' assign_to='via'/>\
             </action></recv><send>{}",
            "<![CDATA[\nSIP/2.0 200 OK\n[$via]\n[last_From:]\n\n]]></send>"
        ),
        // Of two dialogs each has its own INVITE and its own ACK.
        format!(
            "<send>{invite}<send dialog='b'>{invite}<recv response='200' dialog='b'/><recv response='200'/>\
             <send>{ack}<send dialog='b'>{ack}"
        ),
        // On one path the 200 is to the INVITE, on the other to something else.
        format!(
            "<send next='x' chance='0.5'>{invite}<send>{}<label id='x'/><recv response='200'/>",
            message("OPTIONS sip:a SIP/2.0", &[])
        ),
        // The ACK stands behind a label.
        format!(
            "<send>{invite}<recv response='486' optional='true' next='no'/><recv response='200'/><send>{ack}\
             <pause/><label id='no'/><send>{}",
            message(
                "ACK sip:a SIP/2.0",
                &["Via: SIP/2.0/UDP [local_ip];branch=[branch-5]"]
            )
        ),
        // The time limit stands behind an optional receive, and leads to what nothing else does.
        format!(
            "<send>{invite}<recv response='180' optional='true'/><recv response='200' timeout='5' ontimeout='late'/>\
             <send next='end'>{ack}<label id='late'/><send>{}<label id='end'/><pause/>",
            message("CANCEL sip:a SIP/2.0", &[])
        ),
        // A loop whose branch changes.
        format!(
            "<label id='l'/><send>{}<recv response='200' next='l' chance='0.9'/>",
            message(
                "OPTIONS sip:a SIP/2.0",
                &["Via: SIP/2.0/UDP [local_ip];branch=[branch]-[cseq]"]
            )
        ),
        // A message without any header is meant so.
        "<send><![CDATA[OPTIONS sip:a SIP/2.0]]></send><recv response='200'/>".to_owned(),
        "<send><![CDATA[OPTIONS sip:a SIP/2.0]]></send><recv response='^2[0-9]+$' regexp_match='true'/>".to_owned(),
    ];
    for steps in cases {
        let xml = format!("<scenario>{steps}</scenario>");
        let compiled = compiled("t.xml", xml.as_bytes(), Vec::new(), Vec::new());
        assert!(
            compiled.program.is_some(),
            "{xml}: {:?}",
            compiled.diagnostics
        );
        assert_eq!(warnings(&compiled), Vec::<String>::new(), "{xml}");
    }
}
