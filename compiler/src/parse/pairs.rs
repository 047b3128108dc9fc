// SPDX-License-Identifier: AGPL-3.0-only
//! Actions that Gossipper's language writes with `key=value` pairs: as their text, or as `value` where SIPp would refuse
//! the action.
//!
//! An action with SIPp's attributes means what it means to SIPp, which passes over the text.

use super::attrs::Attrs;
use super::pause::distribution;
use crate::ast::{ActionKind, Distribution};
use crate::diag::codes::{action as code, structure};
use crate::diag::{Diagnostic, quote, suggest};
use crate::grammar::{self, Parameter, Piece};
use crate::schema::{self, Attribute, Content};
use crate::source::{Span, Spanned, Text};
use crate::xml::{self, decode_again};
use gossipper_bytecode::program::EditPlace;

/// What a `<sample>` draws from, and the seed of its stream.
pub(super) fn sample(attrs: &mut Attrs<'_>) -> Option<(Spanned<Distribution>, Option<i64>)> {
    let Some(text) = form(attrs, &["distribution"]) else {
        if !attrs.has("distribution") {
            attrs.missing("`distribution`");
        }
        let name = attrs.choice("distribution")?;
        return distribution(name, attrs).map(|drawn| (drawn, None));
    };
    let mut pairs = Pairs::read(&text, attrs)?;
    let min = pairs.required("min", attrs);
    let max = pairs.required("max", attrs);
    let [min, max] = [min, max].map(|pair| pairs.integer(pair?, attrs));
    let step = pairs.get("step");
    let step = step.map_or(Some(1), |pair| pairs.integer(pair, attrs));
    let seed = pairs.get("seed");
    let seed = seed.and_then(|pair| pairs.integer(pair, attrs));
    // The check of distributions refuses what a double does not hold.
    let drawn = Distribution::Steps {
        min: min? as f64,
        max: max? as f64,
        step: step? as f64,
    };
    pairs
        .right
        .then_some((Spanned::new(drawn, text.span()), seed))
}

/// `<insert>`
pub(super) fn insert(attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    if let Some(text) = form(attrs, &["value"]) {
        return edit(&text, attrs);
    }
    let (file, value) = (attrs.required_text("file"), attrs.required_text("value"));
    if let Some(value) = &value
        && let Ok(pairs) = grammar::parameters(value.bytes())
        && ["line", "field", "text"]
            .iter()
            .all(|key| pairs.iter().any(|pair| pair.key.text == key.as_bytes()))
    {
        // COMPAT(sipp): whatever it looks like.
        attrs.diags.push(
            Diagnostic::warning(
                code::LINE_OF_PAIRS,
                value.span(),
                "these pairs are inserted as a line",
            )
            .help("write them between `<insert>` and `</insert>` to change a field of a line"),
        );
    }
    Some(ActionKind::Insert {
        file: file?,
        value: value?,
    })
}

/// `<replace>`
pub(super) fn replace(attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    if let Some(text) = form(attrs, &["value", "line"]) {
        return edit(&text, attrs);
    }
    let (file, line) = (attrs.required_text("file"), attrs.required_text("line"));
    Some(ActionKind::Replace {
        file: file?,
        line: line?,
        value: attrs.required_text("value")?,
    })
}

/// `line=0 field=1 text=new`
fn edit(text: &Text, attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    let file = attrs.required_text("file");
    let mut pairs = Pairs::read(text, attrs)?;
    let line = pairs.required("line", attrs);
    let field = pairs.required("field", attrs);
    let new = pairs.required("text", attrs);
    let line = line.and_then(|pair| pairs.filled(pair, attrs));
    let field = field.and_then(|pair| pairs.index(pair, attrs));
    let place = match pairs.get("position") {
        None if attrs.element.name == "replace" => Some(EditPlace::Instead),
        None => Some(EditPlace::Behind),
        Some(pair) => match pair.value.text {
            b"prefix" => Some(EditPlace::Before),
            b"suffix" => Some(EditPlace::Behind),
            other => {
                let message = format!("`{}` is neither `prefix` nor `suffix`", quote(other));
                let place = pairs.span(pair.value);
                attrs.error(Diagnostic::error(code::BAD_PAIRS, place, message));
                None
            }
        },
    };
    let (line, new, right) = (line?, new?, pairs.right);
    let kind = ActionKind::Edit {
        file: file?,
        line: part(text, line),
        field: field?,
        text: part(text, new.value),
        place: place?,
    };
    right.then_some(kind)
}

/// The pairs of an action that stands there without SIPp's attributes; warns of what does nothing beside them.
fn form(attrs: &mut Attrs<'_>, sipps: &[&str]) -> Option<Text> {
    let element = attrs.element;
    let free = |attrs: &Attrs<'_>, but: &str| {
        let mut names = sipps.iter().filter(|name| **name != but);
        names.all(|name| !attrs.has(name))
    };
    let mut found = None;
    if let Some(text) = &element.text {
        if attrs.has(sipps[0]) {
            // SIPp passes over it.
            attrs.diags.push(xml::ignored_text(text.span()));
        } else {
            found = Some((decode_again(text.clone()), "the text", ""));
        }
    }
    // COMPAT(gossipper): the pairs may be the attribute, where SIPp has no meaning for it.
    if found.is_none()
        && element.name != "insert"
        && free(attrs, "value")
        && let Some(attribute) = attrs.raw("value")
    {
        let value = decode_again(attribute.value.clone());
        if grammar::parameters(value.bytes()).is_ok_and(|pairs| !pairs.is_empty()) {
            found = Some((value, "the pairs", "value"));
        }
    }
    let (text, what, from) = found?;
    let spec = schema::action(&element.name)?;
    for attribute in &element.attributes {
        let name = attribute.name.as_str();
        if !matches!(name, "assign_to" | "file") && name != from && spec.attribute(name).is_some() {
            attrs.no_effect(name, &format!("beside {what}"));
        }
    }
    Some(text)
}

/// A value as a text of its own.
fn part(text: &Text, piece: Piece<'_>) -> Text {
    text.part(piece.at..piece.at + piece.text.len())
}

/// The pairs of a text, each key at most once.
struct Pairs<'t> {
    text: &'t Text,
    keys: &'static [Attribute],
    /// Of each key.
    values: Vec<Option<Parameter<'t>>>,
    /// Nothing was wrong so far.
    right: bool,
}

impl<'t> Pairs<'t> {
    /// `None` when the text is no list of pairs, which is then reported, as unknown and repeated keys are.
    fn read(text: &'t Text, attrs: &mut Attrs<'_>) -> Option<Self> {
        let Content::Pairs { keys, .. } = schema::action(&attrs.element.name)?.content else {
            return None;
        };
        let list = match grammar::parameters(text.bytes()) {
            Ok(list) => list,
            Err(wrong) => {
                let place = text.slice_span(wrong.at..wrong.at + 1);
                let message = "this is no pair `key=value`";
                let mut error = Diagnostic::error(code::BAD_PAIRS, place, message);
                if wrong.at >= text.bytes().len() {
                    error = Diagnostic::error(
                        code::BAD_PAIRS,
                        text.span(),
                        "a value is missing at the end",
                    );
                }
                attrs.error(error);
                return None;
            }
        };
        let mut pairs = Self {
            text,
            keys,
            values: vec![None; keys.len()],
            right: true,
        };
        for pair in list {
            let place = pairs.span(pair.key);
            let key = quote(pair.key.text);
            let known = |known: &Attribute| known.name.as_bytes() == pair.key.text;
            let Some(index) = keys.iter().position(known) else {
                let message = format!("`{key}` is no key of `<{}>`", attrs.element.name);
                let near = suggest::nearest(
                    &String::from_utf8_lossy(pair.key.text),
                    keys.iter().map(|known| known.name),
                );
                attrs.error(Diagnostic::error(code::BAD_PAIRS, place, message).did_you_mean(near));
                pairs.right = false;
                continue;
            };
            if pairs.values[index].is_some() {
                pairs.wrong(place, format!("`{key}` is given twice"), attrs);
            }
            pairs.values[index] = Some(pair);
        }
        Some(pairs)
    }

    fn get(&self, key: &str) -> Option<Parameter<'t>> {
        let index = self.keys.iter().position(|known| known.name == key)?;
        self.values[index]
    }

    fn required(&mut self, key: &str, attrs: &mut Attrs<'_>) -> Option<Parameter<'t>> {
        let found = self.get(key);
        if found.is_none() {
            let message = format!("the text of `<{}>` has no `{key}`", attrs.element.name);
            self.wrong(self.text.span(), message, attrs);
        }
        found
    }

    /// The value unless it is empty, which is reported.
    fn filled(&mut self, pair: Parameter<'t>, attrs: &mut Attrs<'_>) -> Option<Piece<'t>> {
        if pair.value.text.is_empty() {
            let message = format!("`{}` is empty", quote(pair.key.text));
            self.wrong(self.span(pair.key), message, attrs);
            return None;
        }
        Some(pair.value)
    }

    fn integer(&mut self, pair: Parameter<'t>, attrs: &mut Attrs<'_>) -> Option<i64> {
        let piece = self.filled(pair, attrs)?;
        let value = grammar::integer(piece.text).ok();
        if value.is_none() {
            let message = format!("`{}` is not an integer", quote(piece.text));
            let place = self.span(piece);
            attrs.error(Diagnostic::error(structure::BAD_INTEGER, place, message));
            self.right = false;
        }
        value
    }

    /// An integer that is not negative.
    fn index(&mut self, pair: Parameter<'t>, attrs: &mut Attrs<'_>) -> Option<u32> {
        let value = u32::try_from(self.integer(pair, attrs)?).ok();
        if value.is_none() {
            let message = format!("`{}` is no number of a field", quote(pair.value.text));
            self.wrong(self.span(pair.value), message, attrs);
        }
        value
    }

    fn wrong(&mut self, place: Span, message: String, attrs: &mut Attrs<'_>) {
        attrs.error(Diagnostic::error(code::BAD_PAIRS, place, message));
        self.right = false;
    }

    fn span(&self, piece: Piece<'_>) -> Span {
        self.text.slice_span(piece.at..piece.at + piece.text.len())
    }
}
