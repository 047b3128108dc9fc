// SPDX-License-Identifier: AGPL-3.0-only
//! Findings about a scenario: one structured type, one collector, renderers apart.
//!
//! Every phase reports into one [`Diagnostics`] and goes on with a poisoned value, so that the author sees everything
//! at once; what depends on a poisoned value stays quiet. Messages are lower case, without a full stop, quote the
//! author's text in backticks and state the fact before the advice.
//!
//! Invariants: spans lie in the one [`crate::source::SourceFile`] the collector is about; a code of [`codes`] is
//! never reused for another fault.

pub mod codes;
pub mod render;

pub mod suggest;

pub use codes::Code;

use crate::source::Span;
use std::collections::HashSet;

/// How many diagnostics are shown; the rest is only counted.
pub const MAX_SHOWN: usize = 50;

/// Whether a finding refuses the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The scenario does not compile.
    Error,
    /// It runs, but perhaps not as its author thinks.
    Warning,
    /// It runs, and much of what is in use does the same; shown only to those who ask.
    Advice,
}

impl Severity {
    /// As findings begin.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }

    /// As a sentence begins.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Advice => "Advice",
        }
    }
}

/// A second place that takes part in a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// Advice, with a replacement when it is a plain edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The sentence after `help:`.
    pub text: String,
    /// Bytes to replace and by what, when that alone would repair it.
    pub replacement: Option<(Span, String)>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which fault, for `gossipper explain`.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// The fact.
    pub message: String,
    /// The exact attribute value, keyword or name that is wrong.
    pub primary: Span,
    /// Text printed under the primary span, if it says more than the message.
    pub primary_label: Option<String>,
    /// The other parties: a first definition, the `start_txn` an `ack_txn` refers to.
    pub labels: Vec<Label>,
    /// Further facts.
    pub notes: Vec<String>,
    /// What to do about it.
    pub suggestion: Option<Suggestion>,
}

impl Diagnostic {
    /// A finding that refuses the scenario.
    pub fn error(code: Code, primary: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, primary, message.into())
    }

    /// A finding that does not (unless warnings are errors, see [`Diagnostics::new`]).
    pub fn warning(code: Code, primary: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, primary, message.into())
    }

    /// A finding that only those see who ask for it (see [`Diagnostics::with_advice`]).
    pub fn advice(code: Code, primary: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Advice, code, primary, message.into())
    }

    fn new(severity: Severity, code: Code, primary: Span, message: String) -> Self {
        Self {
            code,
            severity,
            message,
            primary,
            primary_label: None,
            labels: Vec::new(),
            notes: Vec::new(),
            suggestion: None,
        }
    }

    /// Text to print under the primary span.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary_label = Some(text.into());
        self
    }

    /// Another place that takes part.
    #[must_use]
    pub fn with(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// A further fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Advice in words.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion {
            text: text.into(),
            replacement: None,
        });
        self
    }

    /// What to do about it: the advice of this finding, or that of its code.
    pub fn remedy(&self) -> Option<std::borrow::Cow<'_, str>> {
        if let Some(suggestion) = &self.suggestion {
            return Some(suggestion.text.as_str().into());
        }
        let remedy = codes::all().find(|entry| entry.code == self.code)?.remedy;
        // As findings are written: lower case, no full stop.
        let mut letters = remedy.trim_end_matches('.').chars();
        let first = letters.next()?.to_lowercase();
        Some(first.chain(letters).collect::<String>().into())
    }

    /// ``did you mean `name`?``, when there is a `name` near enough (see [`suggest::nearest`]).
    #[must_use]
    pub fn did_you_mean(mut self, name: Option<&str>) -> Self {
        if let Some(name) = name {
            self.suggestion = Some(Suggestion {
                text: format!("did you mean `{name}`?"),
                replacement: Some((self.primary, name.to_owned())),
            });
        }
        self
    }
}

/// The author's text as a message quotes it: on one line, printable, and cut where it gets long.
pub fn quote(text: &[u8]) -> String {
    const LONGEST: usize = 60;
    let mut quoted = String::new();
    let text = crate::source::readable(&text[..text.len().min(4 * LONGEST)]);
    for (count, letter) in text.chars().enumerate() {
        if count == LONGEST {
            quoted.push('…');
            break;
        }
        match letter {
            '\n' | '\r' | '\t' => quoted.push(' '),
            letter if letter.is_control() => quoted.push('\u{FFFD}'),
            letter => quoted.push(letter),
        }
    }
    quoted
}

/// Everything found so far about one file.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    strict: bool,
    advise: bool,
    refused: bool,
    errors: usize,
    warnings: usize,
    advice: usize,
    /// What is told once only.
    told: HashSet<(Code, String)>,
}

/// Most findings that are kept: a hostile file must not turn each of its bytes into a record. Errors beyond it are
/// counted, and the first ones are the useful ones.
const MAX_KEPT: usize = 10_000;

impl Diagnostics {
    /// An empty collector. With `strict` each warning becomes an error.
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            ..Self::default()
        }
    }

    /// The same collector, which keeps advice too if `advise`; else advice is dropped when it is pushed.
    #[must_use]
    pub fn with_advice(self, advise: bool) -> Self {
        Self { advise, ..self }
    }

    /// Adds a finding; one with the same code at the same place is kept once.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        match diagnostic.severity {
            Severity::Error => self.refused = true,
            Severity::Warning if self.strict => diagnostic.severity = Severity::Error,
            Severity::Advice if !self.advise => return,
            Severity::Warning | Severity::Advice => {}
        }
        let same = |d: &Diagnostic| d.code == diagnostic.code && d.primary == diagnostic.primary;
        if self.found.last().is_some_and(same) {
            return;
        }
        match diagnostic.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Advice => self.advice += 1,
        }
        if self.found.len() < MAX_KEPT {
            self.found.push(diagnostic);
        }
    }

    /// Adds a finding unless one with the same code and message is there already: for what has one cause outside the
    /// file, and as many places as the file has lines.
    pub fn push_once(&mut self, diagnostic: Diagnostic) {
        if self
            .told
            .insert((diagnostic.code, diagnostic.message.clone()))
        {
            self.push(diagnostic);
        }
    }

    /// Whether the scenario is refused.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether something was found that refuses the scenario even where warnings do not: part of it may be missing,
    /// and what looks at the whole had better be quiet.
    pub fn is_incomplete(&self) -> bool {
        self.refused
    }

    /// Number of errors, those not shown included.
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// Number of warnings, those not shown included.
    pub fn warning_count(&self) -> usize {
        self.warnings
    }

    /// Number of pieces of advice, those not shown included.
    pub fn advice_count(&self) -> usize {
        self.advice
    }

    /// What was found, in the order of finding.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.found.iter()
    }

    /// What to show: by position, at most [`MAX_SHOWN`], and the number of those left out. Errors are never left out
    /// in favour of warnings, nor warnings in favour of advice.
    pub fn shown(&self) -> (Vec<&Diagnostic>, usize) {
        let mut shown: Vec<&Diagnostic> = self.found.iter().collect();
        let rank = |severity: Severity| match severity {
            Severity::Error => 0u8,
            Severity::Warning => 1,
            Severity::Advice => 2,
        };
        shown.sort_by_key(|d| (rank(d.severity), d.primary));
        shown.truncate(MAX_SHOWN);
        shown.sort_by_key(|d| (d.primary, d.code));
        let rest = self.errors + self.warnings + self.advice - shown.len();
        (shown, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: u32) -> Diagnostic {
        Diagnostic::warning(
            codes::find("G0001").expect("exists").code,
            Span::new(start, start + 1),
            "x",
        )
    }

    #[test]
    fn shown_is_by_position_and_bounded_and_prefers_errors() {
        let mut all = Diagnostics::new(false);
        for start in (0..80).rev() {
            all.push(at(start));
        }
        let code = codes::find("G0001").expect("exists").code;
        all.push(Diagnostic::error(code, Span::new(500, 501), "late"));
        let (shown, rest) = all.shown();
        assert_eq!(shown.len(), MAX_SHOWN);
        assert_eq!(rest, 31);
        assert!(shown.is_sorted_by_key(|d| d.primary));
        assert_eq!(shown.last().map(|d| d.message.as_str()), Some("late"));
    }

    #[test]
    fn strict_turns_warnings_into_errors() {
        let mut all = Diagnostics::new(true);
        all.push(at(3));
        assert!(all.has_errors());
        assert_eq!((all.error_count(), all.warning_count()), (1, 0));
    }

    #[test]
    fn advice_is_for_those_who_ask_and_never_refuses() {
        let code = codes::find("G0001").expect("exists").code;
        for (advise, kept) in [(false, 0), (true, 1)] {
            let mut all = Diagnostics::new(true).with_advice(advise);
            all.push(Diagnostic::advice(code, Span::new(1, 2), "x"));
            assert_eq!(all.advice_count(), kept);
            assert_eq!(all.iter().count(), kept);
            assert!(!all.has_errors() && !all.is_incomplete());
        }
    }

    #[test]
    fn findings_beyond_the_bound_are_counted_only() {
        let mut all = Diagnostics::new(false);
        for start in 0..(MAX_KEPT as u32 + 10) {
            all.push(at(start));
        }
        assert_eq!(all.warning_count(), MAX_KEPT + 10);
        assert_eq!(all.iter().count(), MAX_KEPT);
    }
}
