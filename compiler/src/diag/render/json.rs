// SPDX-License-Identifier: AGPL-3.0-only
//! Diagnostics for tools: one JSON object a line.
//!
//! The shape is stable; keys are only ever added. Lines and columns count from 1, columns in characters, offsets in
//! bytes of the file, and an end is the place just past the last character.
//!
//! ```json
//! {"file":"uac.xml","line":14,"col":40,"offset":512,"end":{"line":14,"col":53,"offset":525},
//!  "severity":"error","code":"G0213","message":"unknown keyword `[remote_prot]`","label":null,
//!  "labels":[{"line":3,"col":1,"offset":40,"end":{…},"text":"…"}],"notes":["…"],
//!  "help":"did you mean `[remote_port]`?",
//!  "replacement":{"line":14,"col":40,"offset":512,"end":{…},"text":"[remote_port]"}}
//! ```
//!
//! `severity` is `error`, `warning` or `advice`. When findings were left out, a line says how many: `{"file":"uac.xml","remaining":31}`. `gossipper compile` ends with
//! what a run needs ([`needs`]):
//!
//! ```json
//! {"file":"uac.xml","needs":{"inf":[{"file":null,"fields":[0,1]}],"key":["domain"],"3pcc":false,"media":true}}
//! ```

use crate::diag::codes::Entry;
use crate::diag::{Diagnostic, Diagnostics};
use crate::needs::Needs;
use crate::source::{SourceFile, Span};
use serde::Serialize;

#[derive(Serialize)]
struct Point {
    line: u32,
    col: u32,
    offset: u32,
}

#[derive(Serialize)]
struct Place {
    line: u32,
    col: u32,
    offset: u32,
    end: Point,
}

#[derive(Serialize)]
struct Noted<'a> {
    #[serde(flatten)]
    place: Place,
    text: &'a str,
}

#[derive(Serialize)]
struct Finding<'a> {
    file: &'a str,
    #[serde(flatten)]
    place: Place,
    severity: &'static str,
    code: String,
    message: &'a str,
    label: Option<&'a str>,
    labels: Vec<Noted<'a>>,
    notes: &'a [String],
    help: Option<std::borrow::Cow<'a, str>>,
    replacement: Option<Noted<'a>>,
}

#[derive(Serialize)]
struct Remaining<'a> {
    file: &'a str,
    remaining: usize,
}

#[derive(Serialize)]
struct NeedsLine<'a> {
    file: &'a str,
    needs: NeedsOf<'a>,
}

#[derive(Serialize)]
struct NeedsOf<'a> {
    inf: Vec<InjectionNeed<'a>>,
    key: Vec<&'a str>,
    #[serde(rename = "3pcc")]
    twin: bool,
    media: bool,
}

#[derive(Serialize)]
struct InjectionNeed<'a> {
    file: Option<&'a str>,
    fields: Vec<u32>,
}

/// What a run needs, as one line; `media` says whether the program uses media.
pub fn needs(file: &str, needs: &Needs, media: bool) -> String {
    let mut out = String::new();
    let inf = needs.injection.iter().map(|(file, fields)| InjectionNeed {
        file: Some(file.as_str()).filter(|file| !file.is_empty()),
        fields: fields.iter().copied().collect(),
    });
    let needs = NeedsOf {
        inf: inf.collect(),
        key: needs.keys.iter().map(String::as_str).collect(),
        twin: needs.twin,
        media,
    };
    line(&mut out, &NeedsLine { file, needs });
    out
}

#[derive(Serialize)]
struct Page<'a> {
    code: String,
    severity: &'static str,
    title: &'a str,
    explanation: &'a str,
    remedy: &'a str,
    sipp: String,
    bad: Option<String>,
    good: Option<String>,
}

/// The page of a code, see [`Entry`]; the examples are whole scenarios here.
pub fn page(entry: &Entry) -> String {
    let mut out = String::new();
    let object = Page {
        code: entry.code.to_string(),
        severity: entry.severity().word(),
        title: entry.title,
        explanation: entry.explanation,
        remedy: entry.remedy,
        sipp: format!("SIPp {}", entry.sipp),
        bad: entry.example.map(|example| example.bad().text),
        good: entry.example.map(|example| example.good()),
    };
    line(&mut out, &object);
    out
}

/// All findings that are shown, one object a line.
pub fn json(source: &SourceFile, diags: &Diagnostics) -> String {
    let (shown, rest) = diags.shown();
    let mut out = String::new();
    for diagnostic in shown {
        line(&mut out, &finding(source, diagnostic));
    }
    if rest > 0 {
        line(
            &mut out,
            &Remaining {
                file: source.name(),
                remaining: rest,
            },
        );
    }
    out
}

fn line(out: &mut String, object: &impl Serialize) {
    // Structs of strings and integers always have a JSON form.
    out.push_str(&serde_json::to_string(object).expect("plain data serialises"));
    out.push('\n');
}

fn finding<'a>(source: &'a SourceFile, diagnostic: &'a Diagnostic) -> Finding<'a> {
    let noted = |span: Span, text: &'a str| Noted {
        place: place(source, span),
        text,
    };
    let suggestion = diagnostic.suggestion.as_ref();
    let replacement = suggestion.and_then(|suggestion| suggestion.replacement.as_ref());
    Finding {
        file: source.name(),
        place: place(source, diagnostic.primary),
        severity: diagnostic.severity.word(),
        code: diagnostic.code.to_string(),
        message: &diagnostic.message,
        label: diagnostic.primary_label.as_deref(),
        labels: diagnostic
            .labels
            .iter()
            .map(|label| noted(label.span, &label.text))
            .collect(),
        notes: &diagnostic.notes,
        help: diagnostic.remedy(),
        replacement: replacement.map(|(span, text)| noted(*span, text)),
    }
}

fn place(source: &SourceFile, span: Span) -> Place {
    let start = source.line_col(span.start);
    let end = source.line_col(span.end);
    Place {
        line: start.line,
        col: start.col,
        offset: span.start,
        end: Point {
            line: end.line,
            col: end.col,
            offset: span.end,
        },
    }
}
