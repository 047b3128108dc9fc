// SPDX-License-Identifier: AGPL-3.0-only
//! Actions that Gossipper's language writes with `key=value` pairs as their text.
//!
//! An action with SIPp's attributes means what it means to SIPp, which passes over the text.

use super::attrs::Attrs;
use super::pause::distribution;
use crate::ast::Distribution;
use crate::diag::codes::{action as code, structure};
use crate::diag::{Diagnostic, quote, suggest};
use crate::grammar::{self, Piece};
use crate::schema::{self, Content};
use crate::source::{Span, Spanned, Text};
use crate::xml;

/// What a `<sample>` draws from, and the seed of its stream.
pub(super) fn sample(attrs: &mut Attrs<'_>) -> Option<(Spanned<Distribution>, Option<i64>)> {
    let element = attrs.element;
    match &element.text {
        Some(text) if !attrs.has("distribution") => steps(text, attrs),
        text => {
            ignored(text.as_ref(), attrs);
            if !attrs.has("distribution") {
                attrs.missing("`distribution`");
            }
            let name = attrs.choice("distribution")?;
            distribution(name, attrs).map(|drawn| (drawn, None))
        }
    }
}

/// `min=1 max=10 step=2 seed=7`
fn steps(text: &Text, attrs: &mut Attrs<'_>) -> Option<(Spanned<Distribution>, Option<i64>)> {
    let spec = schema::action("sample")?;
    let Content::Pairs(known) = spec.content else {
        return None;
    };
    for attribute in &attrs.element.attributes {
        if attribute.name != "assign_to" && spec.attribute(&attribute.name).is_some() {
            attrs.no_effect(&attribute.name, "beside the text");
        }
    }
    let pairs = match grammar::parameters(text.bytes()) {
        Ok(pairs) => pairs,
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
    let mut values = [None; 4];
    let mut right = true;
    for pair in &pairs {
        let place = span(text, pair.key);
        let Some(index) = known
            .iter()
            .position(|known| known.name.as_bytes() == pair.key.text)
        else {
            let message = format!("`{}` is no key of `<sample>`", quote(pair.key.text));
            let near = suggest::nearest(
                &String::from_utf8_lossy(pair.key.text),
                known.iter().map(|known| known.name),
            );
            attrs.error(Diagnostic::error(code::BAD_PAIRS, place, message).did_you_mean(near));
            right = false;
            continue;
        };
        if values[index].is_some() {
            let message = format!("`{}` is given twice", quote(pair.key.text));
            attrs.error(Diagnostic::error(code::BAD_PAIRS, place, message));
            right = false;
        }
        values[index] = Some(0);
        if pair.value.text.is_empty() {
            let message = format!("`{}` is empty", quote(pair.key.text));
            attrs.error(Diagnostic::error(code::BAD_PAIRS, place, message));
            right = false;
            continue;
        }
        match grammar::integer(pair.value.text) {
            Ok(value) => values[index] = Some(value),
            Err(_) => {
                let message = format!("`{}` is not an integer", quote(pair.value.text));
                let place = span(text, pair.value);
                attrs.error(Diagnostic::error(structure::BAD_INTEGER, place, message));
                right = false;
            }
        }
    }
    let [min, max, step, seed] = values;
    for (value, name) in [(min, "min"), (max, "max")] {
        if value.is_none() {
            let message = format!("the text of `<sample>` has no `{name}`");
            attrs.error(Diagnostic::error(code::BAD_PAIRS, text.span(), message));
        }
    }
    // The check of distributions refuses what a double does not hold.
    let drawn = Distribution::Steps {
        min: min? as f64,
        max: max? as f64,
        step: step.unwrap_or(1) as f64,
    };
    right.then_some((Spanned::new(drawn, text.span()), seed))
}

fn span(text: &Text, piece: Piece<'_>) -> Span {
    text.slice_span(piece.at..piece.at + piece.text.len())
}

/// Refuses an `<insert>` or `<replace>` in Gossipper's form, `line=1 field=0 text=new`; `None` then.
pub(super) fn no_edit(attrs: &mut Attrs<'_>) -> Option<()> {
    let element = attrs.element;
    match &element.text {
        Some(text) if !attrs.has("value") => {
            let message = format!("`<{}>` has no `value`", element.name);
            let error = Diagnostic::error(structure::MISSING_ATTRIBUTE, element.name_span, message)
                .with(
                    text.span(),
                    "Gossipper's form of this action is not known here",
                )
                .help("write the whole line as `value`, such as `value=\"[field0];new\"`");
            attrs.error(error);
            None
        }
        text => {
            ignored(text.as_ref(), attrs);
            Some(())
        }
    }
}

/// Warns of text beside SIPp's attributes.
fn ignored(text: Option<&Text>, attrs: &mut Attrs<'_>) {
    if let Some(text) = text {
        attrs.diags.push(xml::ignored_text(text.span()));
    }
}
