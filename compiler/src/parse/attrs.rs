// SPDX-License-Identifier: AGPL-3.0-only
//! The attributes of one element, read by the types that the schema gives them.
//!
//! Each reader returns `None` for an absent attribute and for one that does not fit; the latter is reported and
//! remembered ([`Attrs::is_poisoned`]), so that a family can tell a default from a fault.

use crate::ast::Name;
use crate::diag::codes::structure as code;
use crate::diag::{Code, Diagnostic, Diagnostics, quote, suggest};
use crate::schema::{self, Value};
use crate::source::{Span, Spanned, Text, offset};
use crate::xml::{self, Attribute, Element};
use crate::{grammar, xml::decode_again};

/// A reader of one element's attributes.
pub(super) struct Attrs<'a> {
    pub(super) element: &'a Element,
    spec: &'static schema::Element,
    pub(super) diags: &'a mut Diagnostics,
    poisoned: bool,
    /// Every variable name read, for [`crate::ast::ActionKind::Poisoned`].
    mentions: Vec<Name>,
}

impl<'a> Attrs<'a> {
    /// Begins with an element; reports attributes that the schema does not know.
    pub(super) fn new(
        element: &'a Element,
        spec: &'static schema::Element,
        diags: &'a mut Diagnostics,
    ) -> Self {
        for attribute in &element.attributes {
            if spec.attribute(&attribute.name).is_none() {
                let name = quote(attribute.name.as_bytes());
                let near = suggest::nearest(
                    &attribute.name,
                    spec.all_attributes().map(|known| known.name),
                );
                let message = format!("`<{}>` has no attribute `{name}`, it is ignored", spec.name);
                diags.push(
                    Diagnostic::warning(code::UNKNOWN_ATTRIBUTE, attribute.name_span, message)
                        .did_you_mean(near),
                );
            }
        }
        Self {
            element,
            spec,
            diags,
            poisoned: false,
            mentions: Vec::new(),
        }
    }

    /// Whether anything was wrong so far.
    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The variable names read so far.
    pub(super) fn into_mentions(self) -> Vec<Name> {
        self.mentions
    }

    /// Reports an error about this element.
    pub(super) fn error(&mut self, error: Diagnostic) {
        self.poisoned = true;
        self.diags.push(error);
    }

    /// The attribute as read.
    pub(super) fn raw(&self, name: &str) -> Option<&'a Attribute> {
        debug_assert!(
            self.spec.attribute(name).is_some(),
            "{} {name} is not in the schema",
            self.spec.name
        );
        self.element
            .attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }

    /// Whether it is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Reports that an attribute is missing.
    pub(super) fn missing(&mut self, what: &str) {
        let message = format!("`<{}>` has no {what}", self.spec.name);
        self.error(Diagnostic::error(
            code::MISSING_ATTRIBUTE,
            self.element.name_span,
            message,
        ));
    }

    /// Warns of an attribute that is there and does nothing.
    pub(super) fn no_effect(&mut self, name: &str, why: &str) {
        if let Some(attribute) = self.raw(name) {
            let message = format!("`{name}` has no effect {why}");
            self.diags.push(Diagnostic::warning(
                code::NO_EFFECT,
                attribute.name_span,
                message,
            ));
        }
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Option<Text> {
        let attribute = self.raw(name)?;
        let again = self
            .spec
            .attribute(name)
            .is_some_and(|spec| spec.decoded_again);
        let value = attribute.value.clone();
        Some(if again { decode_again(value) } else { value })
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, name: &str) -> Option<Text> {
        let found = self.text(name);
        if found.is_none() {
            self.missing(&format!("`{name}`"));
        }
        found
    }

    /// A C integer.
    pub(super) fn integer(&mut self, name: &str) -> Option<Spanned<i64>> {
        self.number(name, code::BAD_INTEGER, "an integer", grammar::integer)
    }

    /// A C floating point number.
    pub(super) fn double(&mut self, name: &str) -> Option<Spanned<f64>> {
        self.number(name, code::BAD_NUMBER, "a number", grammar::double)
    }

    /// A length of time in milliseconds: an integer that is not negative, and absent when 0.
    pub(super) fn milliseconds(&mut self, name: &str) -> Option<Spanned<i64>> {
        let found = self.integer(name)?;
        if found.value < 0 {
            let message = format!("`{name}` is negative and counts as 0");
            self.diags
                .push(Diagnostic::warning(code::OUT_OF_RANGE, found.span, message));
        }
        (found.value > 0).then_some(found)
    }

    fn number<T>(
        &mut self,
        name: &str,
        code: Code,
        what: &str,
        read: fn(&[u8]) -> Result<T, grammar::Malformed>,
    ) -> Option<Spanned<T>> {
        let text = self.text(name)?;
        match read(text.bytes()) {
            Ok(value) => {
                self.warn_empty(name, &text, "0");
                Some(Spanned::new(value, text.span()))
            }
            Err(wrong) => {
                let message = format!("`{}` is not {what}", quote(text.bytes()));
                self.malformed(code, message, &text, wrong, "nothing may follow the number");
                None
            }
        }
    }

    fn warn_empty(&mut self, name: &str, text: &Text, value: &str) {
        if text.bytes().is_empty() {
            let message = format!("`{name}` is empty and counts as {value}");
            let place = match self.raw(name) {
                Some(attribute) => attribute.name_span.to(text.span()),
                None => text.span(),
            };
            self.diags
                .push(Diagnostic::warning(code::EMPTY_VALUE, place, message));
        }
    }

    /// Points at the value, and says where in it reading stopped when that is inside.
    fn malformed(
        &mut self,
        code: Code,
        message: String,
        text: &Text,
        wrong: grammar::Malformed,
        inside: &str,
    ) {
        let mut error = Diagnostic::error(code, text.span(), message);
        if wrong.at > 0 && wrong.at < text.bytes().len() {
            let rest = quote(&text.bytes()[wrong.at..]);
            error = error.note(format!("{inside}, and here `{rest}` does"));
        } else if code == code::BAD_INTEGER && text.bytes().iter().all(u8::is_ascii_digit) {
            error = error.note("a leading 0 makes it octal, where 8 and 9 are no digits");
        }
        self.error(error);
    }

    /// A boolean; `default` when absent or wrong.
    pub(super) fn boolean(&mut self, name: &str, default: bool) -> bool {
        self.optional_boolean(name).unwrap_or(default)
    }

    /// A boolean that may be absent.
    pub(super) fn optional_boolean(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        match grammar::boolean(text.bytes()) {
            Ok(value) => {
                self.warn_empty(name, &text, "false");
                Some(value)
            }
            Err(_) => {
                let message = format!("`{}` is neither `true` nor `false`", quote(text.bytes()));
                let advice = match text.bytes().to_ascii_lowercase().as_slice() {
                    b"y" | b"on" => Some("true"),
                    b"n" | b"off" => Some("false"),
                    _ => suggest::nearest(&text.display(), ["true", "false"]),
                };
                self.error(
                    Diagnostic::error(code::BAD_BOOLEAN, text.span(), message).did_you_mean(advice),
                );
                None
            }
        }
    }

    /// One of the schema's words for this attribute.
    pub(super) fn choice(&mut self, name: &str) -> Option<Spanned<&'static str>> {
        let text = self.text(name)?;
        let Some(Value::OneOf(words)) = self.spec.attribute(name).map(|spec| spec.value) else {
            debug_assert!(false, "{name} is no choice");
            return None;
        };
        let found = words.iter().find(|word| word.as_bytes() == text.bytes());
        if let Some(word) = found {
            return Some(Spanned::new(*word, text.span()));
        }
        let message = format!("`{}` is no value of `{name}`", quote(text.bytes()));
        let near = suggest::nearest(&text.display(), words.iter().copied());
        let error = Diagnostic::error(code::BAD_CHOICE, text.span(), message);
        let error = if near.is_some() {
            error.did_you_mean(near)
        } else {
            let all: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            error.help(format!("use one of {}", all.join(", ")))
        };
        self.error(error);
        None
    }

    /// A name of a variable, timer, counter or transaction.
    pub(super) fn name(&mut self, name: &str) -> Option<Name> {
        let text = self.text(name)?;
        let found = Name {
            bytes: text.bytes().to_vec(),
            span: text.span(),
        };
        self.checked_name(found)
    }

    /// A label: any text.
    pub(super) fn label(&mut self, name: &str) -> Option<Name> {
        let text = self.text(name)?;
        Some(Name {
            bytes: text.bytes().to_vec(),
            span: text.span(),
        })
    }

    /// A variable's name, which counts as a mention even when the rest of the element is wrong.
    pub(super) fn variable(&mut self, name: &str) -> Option<Name> {
        let found = self.name(name)?;
        self.mentions.push(found.clone());
        Some(found)
    }

    /// A variable's name that must be there.
    pub(super) fn required_variable(&mut self, name: &str) -> Option<Name> {
        if !self.has(name) {
            self.missing(&format!("`{name}`"));
        }
        self.variable(name)
    }

    /// A list of variable names that must be there. Wrong names are left out.
    pub(super) fn required_variables(&mut self, name: &str) -> Option<Vec<Name>> {
        let Some(text) = self.text(name) else {
            self.missing(&format!("`{name}`"));
            return None;
        };
        let items = grammar::names(text.bytes()).unwrap_or_default();
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            let range = item.at..item.at + item.text.len();
            let span = if range.is_empty() {
                text.span()
            } else {
                text.slice_span(range)
            };
            let Some(found) = self.checked_name(Name {
                bytes: item.text.to_vec(),
                span,
            }) else {
                continue;
            };
            if item.text.trim_ascii() != item.text {
                let shown = quote(item.text);
                let message = format!("name `{shown}` begins or ends with a blank");
                self.diags.push(
                    Diagnostic::warning(code::BLANK_IN_NAME, span, message)
                        .note("names are not trimmed, so this is another name than the one without the blank"),
                );
            }
            self.mentions.push(found.clone());
            names.push(found);
        }
        (!names.is_empty()).then_some(names)
    }

    /// COMPAT(sipp): a name is not empty and holds neither `$` nor a comma.
    fn checked_name(&mut self, name: Name) -> Option<Name> {
        let shown = quote(&name.bytes);
        let problem = if name.bytes.is_empty() {
            Diagnostic::error(code::BAD_NAME, name.span, "name is empty")
        } else if name.bytes.contains(&b'$') {
            let bare = quote(name.bytes.strip_prefix(b"$").unwrap_or(b""));
            let error = Diagnostic::error(
                code::BAD_NAME,
                name.span,
                format!("name `{shown}` holds a `$`"),
            );
            error.did_you_mean((!bare.is_empty() && !bare.contains('$')).then_some(bare.as_str()))
        } else if name.bytes.contains(&b',') {
            Diagnostic::error(
                code::BAD_NAME,
                name.span,
                format!("`{shown}` is a list, and one name is needed"),
            )
        } else {
            return Some(name);
        };
        self.error(problem);
        None
    }

    /// Histogram borders.
    pub(super) fn required_integers(&mut self, name: &str) -> Option<Vec<i64>> {
        let text = self.required_text(name)?;
        match grammar::integers(text.bytes()) {
            Ok(list) => Some(list),
            Err(wrong) => {
                let message = format!("`{}` is not a list of integers", quote(text.bytes()));
                let at = wrong.at.min(text.bytes().len().saturating_sub(1));
                let error = Diagnostic::error(code::BAD_LIST, text.span(), message);
                self.error(error.with(text.slice_span(at..at + 1), "an integer is expected here"));
                None
            }
        }
    }

    /// The message of an element that must have one.
    pub(super) fn required_cdata(&mut self) -> Option<Text> {
        if let Some(second) = self.element.further_cdata.first() {
            let message = "only the first CDATA section of an element is used";
            self.diags
                .push(Diagnostic::warning(code::SEVERAL_CDATA, *second, message).label("ignored"));
        }
        if self.element.cdata.is_none() {
            let message = format!("`<{}>` has no CDATA", self.spec.name);
            let error = Diagnostic::error(code::MISSING_CDATA, self.element.name_span, message);
            self.error(error.help("put the message between `<![CDATA[` and `]]>`"));
        }
        self.element.cdata.clone()
    }

    /// Warns of a message where none is wanted.
    pub(super) fn no_cdata(&mut self) {
        warn_cdata(self.element, self.diags);
    }
}

/// Warns of CDATA in an element that has no use for it.
pub(super) fn warn_cdata(element: &Element, diags: &mut Diagnostics) {
    if let Some(cdata) = element
        .cdata
        .as_ref()
        .filter(|text| !text.bytes().trim_ascii().is_empty())
    {
        let start = cdata.span().start;
        let opening = Span::new(start.saturating_sub(offset(b"<![CDATA[".len())), start);
        let message = format!("CDATA in `<{}>` is ignored", quote(element.name.as_bytes()));
        diags.push(Diagnostic::warning(code::CDATA_IGNORED, opening, message));
    }
}

/// Warns of child elements where none are looked at.
pub(super) fn warn_children(element: &xml::Element, diags: &mut Diagnostics) {
    if let Some(child) = element.children.first() {
        let message = format!(
            "`<{}>` in `<{}>` is ignored",
            quote(child.name.as_bytes()),
            quote(element.name.as_bytes())
        );
        diags.push(Diagnostic::warning(
            code::CHILD_IGNORED,
            child.name_span,
            message,
        ));
    }
}
