// SPDX-License-Identifier: AGPL-3.0-only
//! Scenarios that others wrote, written as still others would: each way of writing gives the same program.
//!
//! SIPp 3.6.1 loads most of these forms as well, and refuses a few that any XML reader takes (single quotes, a byte order
//! mark, a comment in front); it loads none that is refused here. Where the corpus is absent the test says so and
//! passes.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

mod corpus;

use gossipper_bytecode::Draft;
use gossipper_compiler::{Missing, Options, compile};
use std::collections::BTreeMap;

/// Scenarios that are taken, spread over the corpus.
const SAMPLE: usize = 100;

/// A start tag, as far as it is plainly written.
struct Tag<'a> {
    name: &'a str,
    /// Names and values between double quotes.
    attributes: Vec<(&'a str, &'a str)>,
    empty: bool,
}

impl<'a> Tag<'a> {
    /// `None` for what is no start tag or has something odd in it.
    fn read(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix('<')?.strip_suffix('>')?;
        let (inner, empty) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let end = inner.find(char::is_whitespace).unwrap_or(inner.len());
        let name = &inner[..end];
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let mut attributes = Vec::new();
        let mut rest = inner[end..].trim();
        while !rest.is_empty() {
            let (key, after) = rest.split_once('=')?;
            let key = key.trim();
            if key.contains(char::is_whitespace) || key.contains(['"', '\'', ',']) {
                return None;
            }
            let (value, after) = after.trim_start().strip_prefix('"')?.split_once('"')?;
            // An escaped quote, or a blank missing before the next one.
            if value.ends_with('\\') || !after.chars().next().is_none_or(char::is_whitespace) {
                return None;
            }
            attributes.push((key, value));
            rest = after.trim_start();
        }
        Some(Self {
            name,
            attributes,
            empty,
        })
    }

    fn write(&self, attribute: impl Fn(&str, &str) -> String) -> String {
        let attributes: String = self
            .attributes
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect();
        let end = if self.empty { "/>" } else { ">" };
        format!("<{}{attributes}{end}", self.name)
    }
}

/// Rewrites every start tag that is plainly written.
fn tags(text: &str, rewrite: impl Fn(&Tag<'_>, &str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<", ">")]
            .iter()
            .find(|(start, _)| rest.starts_with(start))
            .and_then(|(_, end)| rest.find(end).map(|at| at + end.len()));
        let Some(end) = end else {
            break;
        };
        let whole = &rest[..end];
        match Tag::read(whole) {
            Some(tag) => out.push_str(&rewrite(&tag, whole)),
            None => out.push_str(whole),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The text without its XML declaration and document type.
fn bare(text: &str) -> &str {
    match text.find("<scenario") {
        Some(at) if !text[..at].contains("<!--") => &text[at..],
        _ => text,
    }
}

type Rewrite = fn(&str) -> String;

/// Ways of writing, by name.
const WAYS: &[(&str, Rewrite)] = &[
    ("single quotes", |text| {
        tags(text, |tag, _| {
            tag.write(|name, value| match value.contains('\'') {
                true => format!(" {name}=\"{value}\""),
                false => format!(" {name}='{value}'"),
            })
        })
    }),
    ("attributes in reverse", |text| {
        tags(text, |tag, whole| {
            let mut names: Vec<_> = tag.attributes.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            names.dedup();
            // Of two with one name the first counts.
            if names.len() < tag.attributes.len() {
                return whole.to_owned();
            }
            let reversed = Tag {
                attributes: tag.attributes.iter().rev().copied().collect(),
                ..*tag
            };
            reversed.write(|name, value| format!(" {name}=\"{value}\""))
        })
    }),
    ("blanks around the sign", |text| {
        tags(text, |tag, _| {
            tag.write(|name, value| format!("  {name} = \"{value}\""))
        })
    }),
    ("a line for each attribute", |text| {
        tags(text, |tag, _| {
            tag.write(|name, value| format!("\n\t{name}=\"{value}\""))
        })
    }),
    ("end tags for empty elements", |text| {
        tags(text, |tag, whole| match tag.empty {
            true => format!("{}></{}>", &whole[..whole.len() - 2], tag.name),
            false => whole.to_owned(),
        })
    }),
    ("an empty action", |text| {
        tags(text, |tag, whole| match (tag.name, tag.empty) {
            ("recv", true) => format!("{}><action/></recv>", &whole[..whole.len() - 2]),
            _ => whole.to_owned(),
        })
    }),
    ("an action without content", |text| {
        tags(text, |tag, whole| match (tag.name, tag.empty) {
            ("recv", true) => format!("{}><action></action></recv>", &whole[..whole.len() - 2]),
            _ => whole.to_owned(),
        })
    }),
    ("comments inside", |text| {
        tags(text, |tag, whole| match (tag.name, tag.empty) {
            ("scenario" | "action", false) => format!("{whole}<!-- a > b < c \" 'd \n -->"),
            _ => whole.to_owned(),
        })
    }),
    ("comments between", |text| {
        tags(text, |tag, whole| match tag.name {
            "recv" | "send" | "nop" | "pause" => {
                format!("<!-- <recv response=\"999\"/> -->{whole}")
            }
            _ => whole.to_owned(),
        })
    }),
    ("a comment behind", |text| {
        format!("{}\n<!-- end -->\n", text.trim_end())
    }),
    ("CR LF", |text| {
        text.replace("\r\n", "\n").replace('\n', "\r\n")
    }),
    ("a byte order mark", |text| format!("\u{feff}{text}")),
    ("tabs", |text| {
        let indented = |line: &str| {
            let rest = line.trim_start_matches(' ');
            let tab = if rest.len() < line.len() { "\t" } else { "" };
            format!("{tab}{rest}")
        };
        text.split('\n')
            .map(indented)
            .collect::<Vec<_>>()
            .join("\n")
    }),
    ("entities in decimal", |text| {
        tags(text, |tag, _| {
            tag.write(|name, value| match (name, value.chars().next()) {
                ("response" | "request" | "milliseconds", Some(first)) if first != '&' => {
                    format!(
                        " {name}=\"&#{};{}\"",
                        first as u32,
                        &value[first.len_utf8()..]
                    )
                }
                _ => format!(" {name}=\"{value}\""),
            })
        })
    }),
    ("entities in hexadecimal", |text| {
        tags(text, |tag, _| {
            tag.write(|name, value| match (name, value.chars().next()) {
                ("request", Some(first)) if first != '&' => {
                    format!(
                        " {name}=\"&#x{:X};{}\"",
                        first as u32,
                        &value[first.len_utf8()..]
                    )
                }
                _ => format!(" {name}=\"{value}\""),
            })
        })
    }),
    ("escapes in upper case", |text| {
        let escaped = |line: &str| {
            let rest = line.trim_start_matches([' ', '\t']);
            match rest.strip_prefix("CSeq:") {
                Some(value) => format!("CSeq\\x3A{value}"),
                None => line.to_owned(),
            }
        };
        text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
    }),
    ("no declaration", |text| bare(text).to_owned()),
    ("a declaration in single quotes", |text| {
        format!("<?xml version='1.1' standalone='yes'?>\n{}", bare(text))
    }),
    ("a document type of the system", |text| {
        format!("<!DOCTYPE scenario SYSTEM \"sipp.dtd\">\n{}", bare(text))
    }),
    ("a public document type", |text| {
        format!(
            "<!DOCTYPE scenario PUBLIC \"-//X//Y\" \"x.dtd\">\n{}",
            bare(text)
        )
    }),
    ("an internal document type", |text| {
        format!(
            "<!DOCTYPE scenario [\n<!ELEMENT scenario ANY>\n]>\n{}",
            bare(text)
        )
    }),
    ("a style sheet", |text| {
        format!("<?xml-stylesheet href=\"a.xsl\"?>\n{}", bare(text))
    }),
    ("blank lines in front", |text| format!("\n\n  {text}")),
    ("a comment in front", |text| {
        format!("<!-- mine -->\n{text}")
    }),
    ("text behind", |text| format!("{text}\nthe end")),
    ("an element behind", |text| format!("{text}\n<more/>")),
    ("half a tag behind", |text| format!("{text}\n<half")),
    ("zeros behind", |text| format!("{text}\n\0\0")),
    ("text between", |text| {
        tags(text, |tag, whole| match tag.name {
            "recv" => format!(" note {whole}"),
            _ => whole.to_owned(),
        })
    }),
    ("no end tag of the scenario", |text| {
        match text.rfind("</scenario>") {
            Some(at) => text[..at].to_owned(),
            None => text.to_owned(),
        }
    }),
];

/// The program, whatever lines its steps stand on.
fn program(file: &str, text: &str) -> Result<Draft, Vec<String>> {
    let options = Options {
        missing: Missing::Warn,
        name: file.to_owned(),
        ..Options::default()
    };
    let compiled = compile(file, text.as_bytes(), &options);
    let Some(program) = compiled.program else {
        return Err(compiled
            .diagnostics
            .iter()
            .map(|d| format!("{} {}", d.code, d.message))
            .collect());
    };
    let mut draft = program.into_draft();
    for step in &mut draft.steps {
        step.line = 0;
    }
    Ok(draft)
}

#[test]
fn each_way_of_writing_a_scenario_gives_the_same_program() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).expect("manifest");
    let files: Vec<String> = manifest
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .filter(|entry: &serde_json::Value| {
            entry["kind"] == "scenario" && entry["accepted_by_sipp"] == true
        })
        .filter_map(|entry| Some(entry["file"].as_str()?.to_owned()))
        .collect();
    let mut changed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for file in files.iter().step_by((files.len() / SAMPLE).max(1)) {
        // What is not UTF-8, or what this version has not, is looked at elsewhere.
        let Ok(text) = std::fs::read_to_string(folder.join(file)) else {
            continue;
        };
        let Ok(expected) = program(file, &text) else {
            continue;
        };
        for (way, rewrite) in WAYS {
            let written = rewrite(&text);
            match program(file, &written) {
                Ok(draft) if draft == expected => count += 1,
                Ok(_) => changed
                    .entry(way)
                    .or_default()
                    .push(format!("{file}: another program")),
                Err(errors) => changed
                    .entry(way)
                    .or_default()
                    .push(format!("{file}: {errors:?}")),
            }
        }
    }
    assert!(changed.is_empty(), "{changed:#?}");
    assert!(count >= 80 * WAYS.len(), "only {count} comparisons");
}
