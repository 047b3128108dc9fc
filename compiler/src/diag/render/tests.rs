// SPDX-License-Identifier: AGPL-3.0-only
//! The renderers meet places they cannot show; what they show of ordinary ones is in the snapshot tests.

use super::{Style, json, text};
use crate::diag::codes::reader::UNREADABLE_XML;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::{SourceFile, Span};

fn render(bytes: &[u8], spans: &[(u32, u32)]) -> String {
    let source = SourceFile::new("t.xml", bytes).expect("small");
    let mut diags = Diagnostics::new(false);
    for (index, (start, end)) in spans.iter().enumerate() {
        let found = Diagnostic::error(
            UNREADABLE_XML,
            Span::new(*start, *end),
            format!("fault {index}"),
        );
        diags.push(found.with(Span::new(0, 1), "the start"));
    }
    for line in json(&source, &diags).lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("valid JSON");
    }
    text(&source, &diags, Style::Plain)
}

#[test]
fn places_at_every_edge_are_shown() {
    let shown = render(
        b"ab\r\ncd\re\xFFf\n",
        &[
            (0, 0),
            (0, 100),
            (2, 4),
            (5, 9),
            (11, 11),
            (500, 600),
            (7, 3),
        ],
    );
    assert_eq!(shown.matches("fault").count(), 7);
    assert!(shown.contains("t.xml:1:1"), "{shown}");
    assert!(shown.ends_with("t.xml: 7 errors\n"), "{shown}");
    render(b"", &[(0, 0)]);
    render(b"\xEF\xBB\xBF", &[(0, 3), (3, 3), (1, 2)]);
    render(
        "é\u{2028}\t\u{1b}[31m".as_bytes(),
        &[(0, 1), (1, 2), (2, 9)],
    );
}

#[test]
fn a_very_long_line_is_not_printed() {
    let long = vec![b'x'; 1 << 20];
    let shown = render(&long, &[(1 << 19, (1 << 19) + 1), (10, 1 << 20)]);
    assert!(shown.len() < 10_000, "{} bytes", shown.len());
    assert!(
        shown.contains(&format!("t.xml:1:{}", (1 << 19) + 1)),
        "{shown}"
    );
}

#[test]
fn what_is_left_out_is_counted() {
    let spans: Vec<(u32, u32)> = (0..60).map(|at| (at, at + 1)).collect();
    let shown = render(&[b'x'; 80], &spans);
    assert!(
        shown.contains("10 more findings are not shown\n"),
        "{shown}"
    );
}
