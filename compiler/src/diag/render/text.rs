// SPDX-License-Identifier: AGPL-3.0-only
//! Diagnostics for people, by way of annotate-snippets.
//!
//! Only the lines between the places of one finding are handed over, made plain UTF-8 first. Lines may be of any
//! length and places anywhere in the file, so both are bounded here.

use super::Style;
use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::source::{Encoding, SourceFile, Span};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::fmt::Write as _;

/// Farthest a second place may be from the first, in lines, to be shown in the same excerpt.
const MAX_LINES: usize = 2_000;
/// Longest line that is shown; the rest is cut off.
const MAX_LINE_BYTES: usize = 1_000;

/// All findings that are shown, then how many there are.
pub fn text(source: &SourceFile, diags: &Diagnostics, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let (shown, rest) = diags.shown();
    let mut out = String::new();
    for diagnostic in shown {
        out.push_str(&renderer.render(&[group(source, diagnostic)]));
        out.push_str("\n\n");
    }
    if rest > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{rest} more {} not shown",
            if rest == 1 {
                "finding is"
            } else {
                "findings are"
            }
        );
    }
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let parts = [
        counted(diags.error_count(), "error"),
        counted(diags.warning_count(), "warning"),
        match diags.advice_count() {
            0 => None,
            1 => Some("1 piece of advice".to_owned()),
            count => Some(format!("{count} pieces of advice")),
        },
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        let _ = writeln!(out, "{}: {}", source.name(), parts.join(", "));
    }
    out
}

fn group<'a>(source: &'a SourceFile, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Advice => Level::INFO.with_name("advice"),
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.to_string());
    let mut group = Group::with_title(title);
    let excerpt = Excerpt::of(source, diagnostic);
    match excerpt.range(source, diagnostic.primary) {
        Some(primary) => {
            let mut annotation = AnnotationKind::Primary.span(primary);
            if let Some(label) = &diagnostic.primary_label {
                annotation = annotation.label(label.as_str());
            }
            let mut annotations = vec![annotation];
            let mut elsewhere = Vec::new();
            for label in &diagnostic.labels {
                match excerpt.range(source, label.span) {
                    Some(range) => annotations.push(
                        AnnotationKind::Context
                            .span(range)
                            .label(label.text.as_str()),
                    ),
                    None => elsewhere.push(label),
                }
            }
            let snippet = Snippet::source(excerpt.text)
                .line_start(excerpt.first + 1)
                .path(source.name())
                .annotations(annotations);
            group = group.element(snippet);
            for label in elsewhere {
                let at = source.line_col(label.span.start);
                group = group.element(
                    Level::NOTE.message(format!("{}:{}: {}", at.line, at.col, label.text)),
                );
            }
        }
        None => {
            let at = source.line_col(diagnostic.primary.start);
            let origin = Origin::path(source.name())
                .line(at.line as usize)
                .char_column(at.col as usize);
            group = group.element(origin);
        }
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(remedy) = diagnostic.remedy() {
        group = group.element(Level::HELP.message(remedy));
    }
    group
}

/// Whole lines of the file as plain text.
struct Excerpt {
    /// Index of the first line.
    first: usize,
    text: String,
    /// Where each line starts in `text`.
    starts: Vec<usize>,
}

impl Excerpt {
    /// The lines from the first to the last place of a finding, as far as they are near its primary place.
    fn of(source: &SourceFile, diagnostic: &Diagnostic) -> Self {
        let home = source.line_index(diagnostic.primary.start);
        let (mut first, mut last) = (home, home);
        for label in &diagnostic.labels {
            let line = source.line_index(label.span.start);
            if line.abs_diff(home) <= MAX_LINES {
                first = first.min(line);
                last = last.max(line);
            }
        }
        let mut excerpt = Self {
            first,
            text: String::new(),
            starts: Vec::with_capacity(last - first + 1),
        };
        for index in first..=last {
            excerpt.starts.push(excerpt.text.len());
            let line = line(source, index);
            excerpt.text.push_str(&decode(
                source,
                &line[..boundary(source, line, line.len().min(MAX_LINE_BYTES))],
            ));
            excerpt.text.push('\n');
        }
        excerpt
    }

    /// A span in `text`, cut at the end of its first line; `None` when it begins elsewhere.
    fn range(&self, source: &SourceFile, span: Span) -> Option<std::ops::Range<usize>> {
        let index = source.line_index(span.start);
        let base = *self.starts.get(index.checked_sub(self.first)?)?;
        let line = line(source, index);
        let line_start = line_start(source, index);
        let start = (span.start as usize)
            .saturating_sub(line_start)
            .min(line.len());
        let end = (span.end as usize)
            .saturating_sub(line_start)
            .clamp(start, line.len());
        if start > MAX_LINE_BYTES || (start == MAX_LINE_BYTES && line.len() > MAX_LINE_BYTES) {
            return None;
        }
        let start = boundary(source, line, start);
        let longest = boundary(source, line, MAX_LINE_BYTES.min(line.len()));
        // A letter that a span ends inside is shown whole.
        let end = (end..longest)
            .find(|at| boundary(source, line, *at) == *at)
            .unwrap_or(longest);
        let before = decode(source, &line[..start]).len();
        let inside = decode(source, &line[start..end.max(start)]).len();
        Some(base + before..base + before + inside)
    }
}

/// Where a line's text starts: after a byte order mark on the first.
fn line_start(source: &SourceFile, index: usize) -> usize {
    let start = source.line_range(index).start;
    if index == 0 {
        start.max(source.content_start())
    } else {
        start
    }
}

/// A line without its end.
fn line(source: &SourceFile, index: usize) -> &[u8] {
    let range = source.line_range(index);
    let bytes = &source.bytes()[line_start(source, index).min(range.end)..range.end];
    let end = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r'))
        .map_or(0, |last| last + 1);
    &bytes[..end]
}

/// The last start of a letter at or before `at`.
fn boundary(source: &SourceFile, line: &[u8], at: usize) -> usize {
    let inside = |at: usize| {
        source.encoding() == Encoding::Utf8 && line.get(at).is_some_and(|byte| byte & 0xC0 == 0x80)
    };
    (0..=at).rev().find(|at| !inside(*at)).unwrap_or(0)
}

/// Bytes of the file as text of the same number of lines and letters.
fn decode(source: &SourceFile, bytes: &[u8]) -> String {
    match source.encoding() {
        Encoding::Bytes => bytes.iter().map(|byte| char::from(*byte)).collect(),
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
    }
}
