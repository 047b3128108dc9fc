// SPDX-License-Identifier: AGPL-3.0-only
//! The form for people: what it says, that nothing from outside becomes markup, and what it weighs.

#[path = "page/run.rs"]
mod run;

use gossipper_results::Summary;
use gossipper_results::page::{html, pdf};
use gossipper_results::summary::{Run, SCHEMA, Step};
use run::long;
use serde_json::Value;

/// The page without what is the same in every one.
fn body(page: &str) -> String {
    let from = page.find("<body>").expect("a body");
    let to = page.rfind("<script>").expect("a script");
    page[from..to].to_owned()
}

/// The texts that a PDF shows, a line each.
fn shown(pdf: &[u8]) -> String {
    let text = String::from_utf8_lossy(pdf);
    let shown = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(" Td (")?;
        let (shown, _) = rest.rsplit_once(") Tj")?;
        Some(
            shown
                .replace("\\240", " ")
                .replace("\\(", "(")
                .replace("\\)", ")"),
        )
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_page_says_what_a_run_came_to() {
    insta::assert_snapshot!(body(&html(&long(12), None)));
}

#[test]
fn a_pdf_says_the_same_and_can_be_searched() {
    insta::assert_snapshot!(shown(&pdf(&long(12), Some(&long(9)))));
}

#[test]
fn a_run_without_anything_is_a_page_too() {
    let run = Summary {
        schema_version: SCHEMA.to_owned(),
        ..Summary::default()
    };
    let page = html(&run, None);
    for word in ["No calls were started.", "too short for charts", "A run"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf%"));
    assert!(shown(&pdf(&run, Some(&run))).contains("No calls were started."));
}

#[test]
fn another_run_is_laid_over_and_set_beside() {
    let (now, mut before) = (long(60), long(40));
    before.run.scenario = "Before".to_owned();
    before.failed_calls = 2 * now.failed_calls;
    let page = body(&html(&now, Some(&before)));
    let from = page.find("Compared with another run").expect("the section");
    let to = from + page[from..].find("</section>").expect("its end");
    insta::assert_snapshot!(&page[from..to]);
    // Lines of the other run, in three charts.
    assert_eq!(page.matches("<path class=\"line grey solid\"").count(), 3);
    assert!(!html(&now, None).contains("line grey solid"));
}

/// What somebody could put into a scenario, a header, a file.
const HOSTILE: &str = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(2)> &amp; \u{202e}\u{0}\u{7}) Tj (";

/// A run in which every text is hostile.
fn hostile() -> Summary {
    let json = long(12).to_json();
    let mut value: Value = serde_json::from_str(&json).expect("JSON");
    fn poison(value: &mut Value) {
        match value {
            Value::String(text) => *text = HOSTILE.to_owned(),
            Value::Array(values) => values.iter_mut().for_each(poison),
            Value::Object(fields) => {
                fields.values_mut().for_each(poison);
            }
            _ => {}
        }
    }
    poison(&mut value);
    value["schema_version"] = SCHEMA.into();
    // Names come from outside where the model has maps.
    for map in [
        "/counters",
        "/failure_classes",
        "/failure_reasons",
        "/rtd",
        "/limited",
        "/sipp",
        "/series/failed",
    ] {
        let fields = value
            .pointer_mut(map)
            .and_then(|map| map.as_object_mut())
            .expect(map);
        let first = fields.values().next().expect(map).clone();
        fields.insert(HOSTILE.to_owned(), first);
    }
    // Where a message goes is one of four words, and nothing else is read.
    let calls = ["0", "1", "2"].map(|call| format!("/worst_calls/calls/{call}/call/messages"));
    let shape = "/failure_shapes/shapes/0/example/messages".to_owned();
    for at in calls.iter().chain([&shape]) {
        let messages = value.pointer_mut(at).and_then(Value::as_array_mut);
        for message in messages.expect(at) {
            message["way"] = "sent".into();
        }
    }
    // Kinds of steps stay what they are, or none would be an arrow.
    value["steps"][0]["kind"] = "send".into();
    Summary::from_json(&value.to_string()).expect("a summary")
}

#[test]
fn nothing_from_outside_is_markup() {
    let (plain, page) = (html(&long(12), None), html(&hostile(), None));
    // One script, in both; no element that the text brought along.
    assert_eq!(
        page.matches("<script").count(),
        plain.matches("<script").count()
    );
    for element in [
        "<img",
        "alert(1)</script>",
        "\u{202e}",
        "\u{0}",
        "onerror=alert(2)>",
    ] {
        assert!(!page.contains(element), "{element}");
    }
    assert!(page.contains("&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;"));
    // Attributes end where they ended.
    assert!(page.contains("data-hover=\"{&quot;s&quot;:1,"));
    let file = pdf(&hostile(), None);
    assert!(String::from_utf8_lossy(&file).contains("\\) Tj \\("));
    check_file(&file);
}

#[test]
fn columns_of_different_lengths_and_absurd_figures_are_drawn_somehow() {
    let mut run = long(30);
    run.series.open.truncate(3);
    run.series.answer_due_cells = vec![vec![(0, u64::MAX), (u64::MAX, u64::MAX)]; 5];
    run.series.answer.p99 = vec![u64::MAX; 30];
    run.series.rate_asked = vec![f64::MAX; 7];
    run.series.sent = vec![u64::MAX; 100];
    run.series.period_s = u64::MAX;
    run.duration = u64::MAX;
    run.success_ratio = -3.0;
    run.answer.sent.cells = vec![(0, 1), (u64::MAX, u64::MAX)];
    for run in [
        &run,
        &Summary {
            series: Default::default(),
            ..run.clone()
        },
    ] {
        let page = html(run, Some(&long(5)));
        assert!(!page.contains("NaN") && !page.contains("inf\"") && page.len() < 2_000_000);
        check_file(&pdf(run, Some(&long(5))));
    }
}

/// Every object is where the table says.
fn check_file(file: &[u8]) {
    let text: Vec<char> = file.iter().map(|byte| char::from(*byte)).collect();
    let text: String = text
        .into_iter()
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect();
    assert!(text.starts_with("%PDF-1.7\n") && text.ends_with("%%EOF\n"));
    let table = text.rfind("startxref\n").expect("where the table is");
    let table: usize = text[table + 10..]
        .lines()
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    let mut lines = text[table..].lines();
    assert_eq!(lines.next(), Some("xref"));
    let count = lines
        .next()
        .and_then(|line| line.strip_prefix("0 ")?.parse::<usize>().ok());
    let count = count.expect("how many");
    assert!(
        lines
            .next()
            .expect("the free one")
            .starts_with("0000000000 65535 f")
    );
    for number in 1..count {
        let line = lines.next().expect("an entry");
        let begins: usize = line[..10].parse().expect("a place");
        assert!(
            text[begins..].starts_with(&format!("{number} 0 obj\n")),
            "{number}"
        );
    }
    // Streams are as long as they say.
    for (at, _) in text.match_indices("/Length ") {
        let length: usize = text[at + 8..]
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a length");
        let begins = at + text[at..].find("stream\n").expect("a stream") + 7;
        assert!(text[begins + length..].starts_with("endstream"));
    }
}

#[test]
fn a_pdf_is_made_as_pdf_is() {
    let file = pdf(&long(1000), None);
    check_file(&file);
    assert_eq!(
        file,
        pdf(&long(1000), None),
        "the same run is the same file"
    );
    assert!(file.len() < 2_000_000, "{}", file.len());
}

#[test]
fn a_ladder_of_a_scenario_with_a_twin_has_three_lifelines() {
    let step = |index: usize, kind: &str| Step {
        index,
        kind: kind.to_owned(),
        name: "here".to_owned(),
        line: 1,
        messages: 1,
        retransmissions: 0,
        timeouts: 0,
        unexpected: 0,
        lost: 0,
        latency: None,
    };
    let run = Summary {
        steps: ["send", "sendCmd", "recvCmd", "nop"]
            .iter()
            .enumerate()
            .map(|(index, kind)| step(index, kind))
            .collect(),
        run: Run {
            scenario: "Third parties".to_owned(),
            ..Run::default()
        },
        ..Summary::default()
    };
    let page = body(&html(&run, None));
    assert!(page.contains("<b>twin</b><b>gossipper</b><b>peer</b>"));
    assert!(
        page.contains("<span class=\"half\"></span><span class=\"half to\"><em>here</em></span>")
    );
    assert!(
        page.contains("<span class=\"half from\"><em>here</em></span><span class=\"half\"></span>")
    );
    assert!(shown(&pdf(&run, None)).contains("twin\ngossipper\npeer"));
}

#[test]
fn the_page_of_a_hundred_thousand_calls_is_light_whatever_they_took() {
    for seconds in [1000, 3600] {
        let page = html(&long(seconds), None);
        assert!(page.len() < 400_000, "{} bytes", page.len());
    }
}
