// SPDX-License-Identifier: AGPL-3.0-only
//! `docs/scenario-reference.md`, from the compiler's table of the language.

use super::{cell, header};
use gossipper_compiler::schema::{
    ACTIONS, Attribute, COMMON, Content, DISTRIBUTIONS, ELEMENTS, Element, INIT_ELEMENTS, KEYWORDS,
    Keyword, ROOT, Value,
};
use std::fmt::Write as _;

const INTRODUCTION: &str = "\
# Scenario reference

The scenario language is SIPp's. What is listed here is read; what is marked *later* is known and refused with an error that
names it, never ignored. [compat.md](compat.md) says where a run differs from SIPp's.

";

const VALUES: &str = "\
## Values

| Kind | Text |
| --- | --- |
| text | anything |
| template | anything; [keywords](#keywords) in brackets are replaced |
| integer | as in C: decimal, `0x` hexadecimal, leading `0` octal |
| number | as in C, with a fraction or an exponent |
| boolean | `true` or `false` in any case, or an integer |
| presence | the attribute itself counts, whatever its value |
| name | not empty, without `$` and comma |
| names, integers | separated by commas |

";

pub(super) fn text() -> String {
    let mut text = header("`compiler/src/schema.rs`");
    text.push_str(INTRODUCTION);
    text.push_str(VALUES);
    text.push_str("## Elements\n\n");
    element(&mut text, &ROOT, "###");
    for step in ELEMENTS {
        element(&mut text, step, "###");
    }
    let _ = writeln!(
        text,
        "Inside `<init>` only these may stand: {}.\n",
        INIT_ELEMENTS
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    text.push_str("### Attributes of every step\n\n");
    attributes(&mut text, COMMON);
    distributions(&mut text);
    text.push_str("## Actions\n\nInside the `<action>` of a step.\n\n");
    for action in ACTIONS {
        element(&mut text, action, "###");
    }
    keywords(&mut text);
    // One line end at the end of the file.
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn element(text: &mut String, element: &Element, level: &str) {
    let _ = writeln!(text, "{level} `{}`\n", element.name);
    text.push_str(element.doc);
    match element.content {
        Content::Empty | Content::Steps | Content::Pairs { .. } => {}
        Content::Cdata => text.push_str(" Holds a message in CDATA."),
    }
    if element.step {
        text.push_str(
            " A step: takes an index, the [attributes of every step](#attributes-of-every-step) and an `<action>`.",
        );
    }
    text.push_str("\n\n");
    if !element.attributes.is_empty() {
        attributes(text, element.attributes);
    }
    if let Content::Pairs { keys, doc } = element.content {
        let _ = writeln!(
            text,
            "Without these it may hold `key=value` pairs as text, or as `value` alone where that means nothing else, \
             blanks between them ({doc}):\n",
        );
        attributes(text, keys);
    }
}

fn attributes(text: &mut String, attributes: &[Attribute]) {
    text.push_str("| Attribute | Value | Meaning |\n| --- | --- | --- |\n");
    for attribute in attributes {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            attribute.name,
            value(attribute.value),
            cell(attribute.doc),
        );
    }
    text.push('\n');
}

fn value(value: Value) -> String {
    match value {
        Value::Text => "text".to_owned(),
        Value::Template => "template".to_owned(),
        Value::Integer => "integer".to_owned(),
        Value::Double => "number".to_owned(),
        Value::Boolean => "boolean".to_owned(),
        Value::Presence => "presence".to_owned(),
        Value::Name => "name".to_owned(),
        Value::Names => "names".to_owned(),
        Value::Integers => "integers".to_owned(),
        Value::OneOf(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn distributions(text: &mut String) {
    text.push_str(
        "## Distributions\n\n| `distribution` | Parameters, all mandatory |\n| --- | --- |\n",
    );
    for (name, parameters) in DISTRIBUTIONS {
        let parameters: Vec<String> = parameters.iter().map(|p| format!("`{p}`")).collect();
        let _ = writeln!(text, "| `{name}` | {} |", parameters.join(", "));
    }
    text.push('\n');
}

fn keywords(text: &mut String) {
    text.push_str("## Keywords\n\n| Keyword | Value |\n| --- | --- |\n");
    for keyword in KEYWORDS {
        let later = keyword
            .later
            .map_or_else(String::new, |feature| format!(" *Later: {feature}.*"));
        let _ = writeln!(
            text,
            "| `{}` | {}{later} |",
            spelling(keyword),
            cell(keyword.doc)
        );
    }
}

/// The keyword as an author writes it.
fn spelling(keyword: &Keyword) -> String {
    let rest = if keyword.prefix { "…" } else { "" };
    let offset = if keyword.offset { "+n" } else { "" };
    format!("[{}{rest}{offset}]", keyword.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_action_and_keyword_has_its_place() {
        let text = text();
        for element in ELEMENTS.iter().chain(ACTIONS) {
            assert!(
                text.contains(&format!("### `{}`\n", element.name)),
                "{}",
                element.name
            );
        }
        for keyword in KEYWORDS {
            assert!(
                text.contains(&format!("| `{}` |", spelling(keyword))),
                "{}",
                keyword.name
            );
        }
    }
}
