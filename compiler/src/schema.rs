// SPDX-License-Identifier: AGPL-3.0-only
//! The table of SIPp's scenario language: elements, attributes, values, actions, keywords.
//!
//! Spellings here are API, letter for letter. The parser checks what an author wrote against this table, suggestions
//! take their names from it, and the scenario reference is generated from it. What the table says is in the language
//! is accepted by the parser; the field `later` of [`Keyword`] names what this version refuses to compile.
//!
//! Not here: what the values mean (see [`crate::parse`]).

mod actions;
mod elements;
mod keywords;

pub use actions::ACTIONS;
pub use elements::{COMMON, ELEMENTS, INIT_ELEMENTS, ROOT};
pub use keywords::{KEYWORDS, Keyword};

/// What the text of an attribute may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Text,
    /// Any text; keywords in it are expanded.
    Template,
    /// C integer: decimal, `0x` hexadecimal, leading 0 octal.
    Integer,
    /// C floating point number.
    Double,
    /// `true` or `false` in any case, or an integer.
    Boolean,
    /// The attribute's presence counts, whatever its value.
    Presence,
    /// A name: not empty, no `$`, no comma.
    Name,
    /// Names with commas between them, not trimmed.
    Names,
    /// Integers with commas between them.
    Integers,
    /// One of these words, exactly.
    OneOf(&'static [&'static str]),
}

/// One attribute of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub value: Value,
    /// Whether entities are decoded a second time.
    pub decoded_again: bool,
    /// One sentence for the reference.
    pub doc: &'static str,
}

impl Attribute {
    const fn new(name: &'static str, value: Value, doc: &'static str) -> Self {
        Self {
            name,
            value,
            decoded_again: false,
            doc,
        }
    }

    /// Entities are decoded a second time.
    const fn again(mut self) -> Self {
        self.decoded_again = true;
        self
    }
}

/// What stands between an element's tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// CDATA, which must be there.
    Cdata,
    /// Steps.
    Steps,
    /// Pairs `key=value` as text, which may stand for the attributes.
    Pairs {
        /// Its keys.
        keys: &'static [Attribute],
        /// What such a text says, for the reference.
        doc: &'static str,
    },
}

/// One element or action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: &'static str,
    /// Its own attributes.
    pub attributes: &'static [Attribute],
    /// Whether it takes an index, and so the attributes of [`COMMON`] and an `<action>` block.
    pub step: bool,
    /// What stands between its tags.
    pub content: Content,
    /// One sentence for the reference.
    pub doc: &'static str,
}

impl Element {
    const fn new(name: &'static str, attributes: &'static [Attribute], doc: &'static str) -> Self {
        Self {
            name,
            attributes,
            step: false,
            content: Content::Empty,
            doc,
        }
    }

    const fn step(mut self) -> Self {
        self.step = true;
        self
    }

    const fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// All attributes it may have.
    pub fn all_attributes(&self) -> impl Iterator<Item = &'static Attribute> {
        let common: &'static [Attribute] = if self.step { COMMON } else { &[] };
        self.attributes.iter().chain(common)
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.all_attributes()
            .find(|attribute| attribute.name == name)
    }
}

/// The child of `<scenario>` of that name.
pub fn element(name: &str) -> Option<&'static Element> {
    ELEMENTS.iter().find(|element| element.name == name)
}

/// The action of that name.
pub fn action(name: &str) -> Option<&'static Element> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// Whether the reader keeps the text of the action of that name: where it means something.
pub fn holds_text(name: &[u8]) -> bool {
    ACTIONS.iter().any(|action| {
        action.name.as_bytes() == name && matches!(action.content, Content::Pairs { .. })
    })
}

/// Parameters of each distribution, in the order of SIPp's documentation; all are doubles, all mandatory.
pub const DISTRIBUTIONS: &[(&str, &[&str])] = &[
    ("fixed", &["value"]),
    ("uniform", &["min", "max"]),
    ("normal", &["mean", "stdev"]),
    ("lognormal", &["mean", "stdev"]),
    ("exponential", &["mean"]),
    ("weibull", &["lambda", "k"]),
    ("pareto", &["k", "x_m"]),
    ("gpareto", &["shape", "scale", "location"]),
    ("gamma", &["k", "theta"]),
    ("negbin", &["n", "p"]),
];

/// Names of the distributions.
pub const DISTRIBUTION_NAMES: &[&str] = &[
    "fixed",
    "uniform",
    "normal",
    "lognormal",
    "exponential",
    "weibull",
    "pareto",
    "gpareto",
    "gamma",
    "negbin",
];

/// `optional=`
pub const OPTIONAL: &[&str] = &["true", "false", "global"];
/// `search_in=`
pub const SEARCH_IN: &[&str] = &["msg", "hdr", "body", "var"];
/// `compare=`
pub const COMPARE: &[&str] = &[
    "equal",
    "not_equal",
    "greater_than",
    "less_than",
    "greater_than_equal",
    "less_than_equal",
    // Gossipper's short forms.
    "eq",
    "ne",
    "gt",
    "ge",
    "gte",
    "lt",
    "le",
    "lte",
];
/// `int_cmd=`
pub const INT_CMD: &[&str] = &["stop_now", "stop_gracefully", "stop_call"];
/// `position=` of `<insert>`
pub const POSITION: &[&str] = &["prefix", "suffix"];
/// `id=` of `<DefaultMessage>`
pub const DEFAULT_MESSAGES: &[&str] = &["3pcc_abort", "ack", "ack2", "bye", "cancel", "200"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_is_there_once_and_documented() {
        for table in [ELEMENTS, ACTIONS] {
            let mut names = HashSet::new();
            for element in table {
                assert!(names.insert(element.name), "{} twice", element.name);
                assert!(element.doc.ends_with('.'), "{}", element.name);
                let mut attributes = HashSet::new();
                for attribute in element.all_attributes() {
                    assert!(
                        attributes.insert(attribute.name),
                        "{} {} twice",
                        element.name,
                        attribute.name
                    );
                    assert!(
                        attribute.doc.ends_with('.'),
                        "{} {}",
                        element.name,
                        attribute.name
                    );
                }
            }
        }
        let keywords: HashSet<_> = KEYWORDS.iter().map(|keyword| keyword.name).collect();
        assert_eq!(keywords.len(), KEYWORDS.len());
    }

    #[test]
    fn distribution_parameters_are_attributes_where_distributions_are_taken() {
        assert!(
            DISTRIBUTIONS
                .iter()
                .map(|(name, _)| name)
                .eq(DISTRIBUTION_NAMES)
        );
        let takers = [element("pause"), element("timewait"), action("sample")];
        for taker in takers.map(|taker| taker.expect("in the table")) {
            for parameter in DISTRIBUTIONS.iter().flat_map(|(_, parameters)| *parameters) {
                assert!(
                    taker.attribute(parameter).is_some(),
                    "{} {parameter}",
                    taker.name
                );
            }
        }
    }
}
