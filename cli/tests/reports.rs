// SPDX-License-Identifier: AGPL-3.0-only
//! Reports for people: with a run, and of a run that is over.

mod place;

use place::{BINARY, Place};
use std::path::Path;

/// A folder with the summary of a short run and the page that was written with it.
fn ran() -> Place {
    let place = Place::new();
    let ran = place
        .run("sipp -sn uac -loopback -m 20 -r 1000 -summary_json run.json -summary_html run.html");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    place
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_page_of_a_run_is_that_of_its_summary() {
    let place = ran();
    let page = text(&place.path("run.html"));
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("<h1>uac</h1>"),
        "{page}"
    );
    assert!(page.contains("<h3>Calls</h3><p class=\"value\">20</p>"));
    for line in [
        "report-html run.json -o again.html",
        "report-html -in run.json -out again.html",
    ] {
        let made = place.run(line);
        assert_eq!(
            (made.code, made.out.as_str()),
            (0, "again.html\n"),
            "{}",
            made.shown()
        );
        assert_eq!(text(&place.path("again.html")), page);
        std::fs::remove_file(place.path("again.html")).expect("deleted");
    }
    let made = place.run("report-html run.json --compare run.json -o compared.html");
    assert_eq!(made.code, 0, "{}", made.shown());
    assert!(text(&place.path("compared.html")).contains("Compared with another run"));
    assert!(!page.contains("Compared with another run"));
}

#[test]
fn a_pdf_is_made_of_a_summary_without_a_browser() {
    let place = ran();
    let mut command = place.command(BINARY, "summary-to-pdf run.json");
    let made = command
        .env("PATH", place.path("nothing"))
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{made:?}");
    assert_eq!(made.stdout, b"run.pdf\n");
    let pdf = std::fs::read(place.path("run.pdf")).expect("the PDF");
    assert!(pdf.starts_with(b"%PDF-") && pdf.ends_with(b"%%EOF\n"));
    let shown = String::from_utf8_lossy(&pdf);
    assert!(shown.contains("(uac) Tj") && shown.contains("(INVITE) Tj"));
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_page_is_printed_by_a_browser_or_it_is_said_that_there_is_none() {
    let place = ran();
    let mut command = place.command(BINARY, "summary-to-pdf -in run.html -out page.pdf");
    let made = command
        .env("PATH", place.path("nothing"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&made.stderr);
    assert_eq!(made.status.code(), Some(1));
    assert!(
        said.contains("no chromium/google-chrome found in PATH"),
        "{said}"
    );
    assert!(!place.path("page.pdf").exists());
    let made = place.run("summary-to-pdf -in run.html -out page.pdf");
    if made.err.contains("no chromium/google-chrome found in PATH") {
        eprintln!("SKIPPED: there is no Chromium in PATH, so no page was printed");
        return;
    }
    assert_eq!(made.code, 0, "{}", made.shown());
    let pdf = std::fs::read(place.path("page.pdf")).expect("the PDF");
    assert!(
        pdf.starts_with(b"%PDF-") && pdf.len() > 10_000,
        "{} bytes",
        pdf.len()
    );
}

#[test]
fn what_is_no_summary_is_said_and_nothing_is_written() {
    let place = ran();
    place.write("bad.json", "{\"schema_version\": ");
    let other = text(&place.path("run.json")).replace("gossipper_summary_v1", "other_v9");
    place.write("other.json", other);
    for (line, said) in [
        ("report-html bad.json -o x", "`bad.json` is no summary: EOF"),
        (
            "report-html other.json -o x",
            "its schema is `other_v9`, not `gossipper_summary_v1`",
        ),
        (
            "report-html missing.json -o x",
            "cannot read `missing.json`",
        ),
        (
            "report-html run.json -compare bad.json -o x",
            "`bad.json` is no summary",
        ),
        ("report-html run.json -o no/x", "cannot write `no/x`"),
        ("report-html run.html -o x", "`run.html` is no summary"),
        ("report-html run.html", "would be written over itself"),
        ("report-html -o x", "JSON"),
        ("summary-to-pdf bad.json -o x", "`bad.json` is no summary"),
        ("summary-to-pdf - ", "-o says where to"),
        (
            "summary-to-pdf run.html -compare run.json -o x",
            "a page cannot be compared",
        ),
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, 1, "{line}: {}", ran.shown());
        assert!(ran.err.contains(said), "{line}: {}", ran.shown());
        assert!(!place.path("x").exists(), "{line}");
    }
}

#[test]
fn a_page_that_cannot_be_written_stops_neither_the_run_nor_other_reports() {
    let place = Place::new();
    let ran = place
        .run("sipp -sn uac -loopback -m 5 -r 1000 -summary_html no/p.html -summary_json s.json");
    assert_eq!(ran.code, 255, "{}", ran.shown());
    let said = ran
        .err
        .matches("cannot write the report `no/p.html`")
        .count();
    assert_eq!(said, 2, "at the beginning and at the end: {}", ran.shown());
    assert!(text(&place.path("s.json")).contains("\"success_calls\": 5"));
}
