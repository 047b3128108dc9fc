// SPDX-License-Identifier: AGPL-3.0-only
//! Interning: equal texts, numbers, templates, captures and expressions are stored once.
//!
//! A table that is full gives the id of its first entry and remembers its name, so that callers go on and the
//! scenario is refused at the end ([`Pools::overflow`]).

use gossipper_bytecode::automaton::Automaton;
use gossipper_bytecode::program::{Capture, Regex};
use gossipper_bytecode::{
    AutomatonId, CaptureId, Draft, NumId, RegexId, Segment, Template, TemplateId, TemplateKind,
    TextRef,
};
use std::collections::HashMap;

/// The interned tables of a draft.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    text: Vec<u8>,
    texts: HashMap<Vec<u8>, TextRef>,
    numbers: Vec<f64>,
    number_ids: HashMap<u64, NumId>,
    templates: Vec<Template>,
    segments: Vec<Segment>,
    template_ids: HashMap<(TemplateKind, Vec<Segment>), TemplateId>,
    captures: Vec<Capture>,
    capture_ids: HashMap<CaptureKey, CaptureId>,
    regexes: Vec<Regex>,
    automata: Vec<Automaton>,
    regex_ids: HashMap<Vec<u8>, RegexId>,
    overflow: Option<&'static str>,
}

/// [`Capture`] as a key; headers without regard to case.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum CaptureKey {
    Header(Vec<u8>),
    Message,
    ToUri,
}

impl Pools {
    /// Interns bytes.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> TextRef {
        if let Some(found) = self.texts.get(bytes) {
            return *found;
        }
        let (Ok(off), Ok(len)) = (u32::try_from(self.text.len()), u32::try_from(bytes.len()))
        else {
            self.full("bytes of text");
            return TextRef::default();
        };
        if off.checked_add(len).is_none() {
            self.full("bytes of text");
            return TextRef::default();
        }
        self.text.extend_from_slice(bytes);
        let text = TextRef { off, len };
        self.texts.insert(bytes.to_vec(), text);
        text
    }

    /// Interns a number.
    pub(crate) fn number(&mut self, value: f64) -> NumId {
        if let Some(found) = self.number_ids.get(&value.to_bits()) {
            return *found;
        }
        let Some(id) = NumId::new(self.numbers.len()) else {
            self.full("numbers");
            return NumId(0);
        };
        self.numbers.push(value);
        self.number_ids.insert(value.to_bits(), id);
        id
    }

    /// The segments of all templates so far.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Interns a template.
    pub(crate) fn template(&mut self, kind: TemplateKind, segments: &[Segment]) -> TemplateId {
        let key = (kind, segments.to_vec());
        if let Some(found) = self.template_ids.get(&key) {
            return *found;
        }
        let id = TemplateId::new(self.templates.len());
        let first = u32::try_from(self.segments.len());
        let count = u32::try_from(segments.len());
        let (Some(id), Ok(first), Ok(count)) = (id, first, count) else {
            self.full("texts with keywords");
            return TemplateId(0);
        };
        self.segments.extend_from_slice(segments);
        self.templates.push(Template { kind, first, count });
        self.template_ids.insert(key, id);
        id
    }

    fn capture(&mut self, key: CaptureKey, make: impl FnOnce(&mut Self) -> Capture) -> CaptureId {
        if let Some(found) = self.capture_ids.get(&key) {
            return *found;
        }
        let Some(id) = CaptureId::new(self.captures.len()) else {
            self.full("headers to keep");
            return CaptureId(0);
        };
        let capture = make(self);
        self.captures.push(capture);
        self.capture_ids.insert(key, id);
        id
    }

    /// Interns the capture of a header; the name is given without a colon.
    pub(crate) fn header(&mut self, name: &[u8]) -> CaptureId {
        self.capture(CaptureKey::Header(name.to_ascii_lowercase()), |pools| {
            Capture::Header(pools.text(name))
        })
    }

    /// The capture of the whole message.
    pub(crate) fn message(&mut self) -> CaptureId {
        self.capture(CaptureKey::Message, |_| Capture::Message)
    }

    /// The capture of the URI in To.
    pub(crate) fn uri_of_to(&mut self) -> CaptureId {
        self.capture(CaptureKey::ToUri, |_| Capture::ToUri)
    }

    /// Number of captures.
    pub(crate) fn capture_count(&self) -> usize {
        self.captures.len()
    }

    /// Interns an expression by the author's text.
    pub(crate) fn regex(
        &mut self,
        source: &[u8],
        pattern: &str,
        automaton: Option<&Automaton>,
    ) -> RegexId {
        if let Some(found) = self.regex_ids.get(source) {
            return *found;
        }
        let Some(id) = RegexId::new(self.regexes.len()) else {
            self.full("regular expressions");
            return RegexId(0);
        };
        let automaton = automaton.and_then(|automaton| {
            // There are at most as many as expressions.
            let id = AutomatonId::new(self.automata.len());
            self.automata.push(automaton.clone());
            id
        });
        let regex = Regex {
            automaton,
            pattern: self.text(pattern.as_bytes()),
            source: self.text(source),
        };
        self.regexes.push(regex);
        self.regex_ids.insert(source.to_vec(), id);
        id
    }

    /// Remembers that a table is full.
    pub(crate) fn full(&mut self, table: &'static str) {
        self.overflow.get_or_insert(table);
    }

    /// The first table that was too small, if any.
    pub(crate) fn overflow(&self) -> Option<&'static str> {
        self.overflow
    }

    /// Moves the tables into a draft.
    pub(crate) fn finish(self, draft: &mut Draft) {
        draft.text = self.text;
        draft.numbers = self.numbers;
        draft.templates = self.templates;
        draft.segments = self.segments;
        draft.captures = self.captures;
        draft.regexes = self.regexes;
        draft.automata = self.automata;
    }
}
