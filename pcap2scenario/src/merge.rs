// SPDX-License-Identifier: AGPL-3.0-only
//! Many equal calls as one scenario: what differs between them becomes fields of an injection file.
//!
//! Calls are equal when they have the same ladder. Their caller's scenarios are compared message by message and line by
//! line, apart from what differs without meaning anything (CSeq, session ids, dates): where the text between two keywords
//! differs, the differing middle becomes a field. Places that always differ together share a field.

use crate::OutputFile;
use crate::calls::Call;
use crate::list;
use crate::names::Names;
use crate::scenario::{Kind, Scenario, Step};
use std::collections::HashMap;

/// Most fields of an injection file; what differs beyond them is as in the first call.
const MOST_FIELDS: usize = 64;

/// Lines whose values are of one call only.
const LEFT_ALONE: [&str; 7] = [
    "CSeq:",
    "o=",
    "Date:",
    "RAck:",
    "RSeq:",
    "Timestamp:",
    "Content-Length:",
];

/// Calls with the same ladder, the larger groups where their first call was.
pub(crate) fn groups(calls: &[Call]) -> Vec<Vec<usize>> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let ladder: Vec<String> = call
            .events
            .iter()
            .map(|event| {
                let arrow = if event.from_caller { '>' } else { '<' };
                let shape = list::rung_of(arrow, &event.msg);
                // The length of a body is no difference.
                let shape = shape.split(" body:").next().unwrap_or_default().to_owned();
                format!("{shape}{}", event.msg.body.is_empty())
            })
            .collect();
        let group = *known.entry(ladder.join(" ")).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(at);
    }
    groups
}

/// The texts of the messages that a scenario sends.
fn texts(steps: &[Step]) -> Vec<&str> {
    let texts = steps.iter().filter_map(|step| match &step.kind {
        Kind::Send { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// A text as alternating literals and keywords, beginning with a literal.
fn split(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    loop {
        let Some(open) = rest.find('[') else {
            parts.push(rest);
            return parts;
        };
        let Some(close) = rest[open..].find(']').map(|at| open + at + 1) else {
            parts.push(rest);
            return parts;
        };
        parts.push(&rest[..open]);
        parts.push(&rest[open..close]);
        rest = &rest[close..];
    }
}

/// Columns of the injection file.
struct Columns {
    columns: Vec<Vec<String>>,
}

impl Columns {
    /// The keyword for these values, one for each call; `None` if they cannot stand in such a file.
    fn keyword(&mut self, values: Vec<String>) -> Option<String> {
        let bad = |value: &String| {
            value.is_empty() || value.contains([';', '\\', '[', '\n', '\r', '#', '%'])
        };
        if values.iter().any(bad) {
            return None;
        }
        self.add(values)
    }

    fn add(&mut self, values: Vec<String>) -> Option<String> {
        let known = self.columns.iter().position(|column| *column == values);
        let at = match known {
            Some(at) => at,
            None if self.columns.len() < MOST_FIELDS => {
                self.columns.push(values);
                self.columns.len() - 1
            }
            None => return None,
        };
        Some(format!("[field{at}]"))
    }
}

/// Whom each call asks for, and who it says it is when challenged.
pub(crate) struct People {
    /// The user of the first request's URI.
    pub(crate) services: Vec<String>,
    /// The user of its credentials, empty without.
    pub(crate) users: Vec<String>,
}

/// Who takes part in these calls.
pub(crate) fn people<'a>(calls: impl Iterator<Item = &'a Call> + Clone) -> People {
    People {
        services: calls
            .clone()
            .map(|call| call.service().unwrap_or_default())
            .collect(),
        users: calls
            .map(|call| call.credentials_user().unwrap_or_default())
            .collect(),
    }
}

/// Replaces what differs by fields; gives the injection file, if anything does.
pub(crate) fn parameterise(
    scenario: &mut Scenario,
    others: &[Vec<Step>],
    people: People,
    names: Names,
) -> Option<OutputFile> {
    let others: Vec<Vec<&str>> = others.iter().map(|steps| texts(steps)).collect();
    let mut columns = Columns {
        columns: Vec::new(),
    };
    let mut number = 0;
    for step in &mut scenario.steps {
        let Kind::Send { text, .. } = &mut step.kind else {
            continue;
        };
        let same: Vec<&str> = others
            .iter()
            .filter_map(|texts| texts.get(number).copied())
            .collect();
        number += 1;
        if same.len() == others.len() {
            *text = message(text, &same, &mut columns);
        }
    }
    // `-s` and `-au` are one for all calls.
    let differ = |values: &[String]| values.iter().any(|value| *value != values[0]);
    if differ(&people.services)
        && let Some(keyword) = columns.keyword(people.services)
    {
        replace(scenario, "[service]", &keyword);
    }
    if differ(&people.users) && people.users.iter().all(|user| is_plain(user)) {
        for keyword in ["[authentication]", "[authentication all=true]"] {
            let answers = people.users.iter().map(|user| {
                let inner = keyword.trim_end_matches(']');
                format!("{inner} username={user} password=PASSWORD]")
            });
            let is_used = texts(&scenario.steps)
                .iter()
                .any(|text| text.contains(keyword));
            if is_used && let Some(field) = columns.add(answers.collect()) {
                replace(scenario, keyword, &field);
            }
        }
    }
    if columns.columns.is_empty() {
        return None;
    }
    let mut out = String::from("SEQUENTIAL\n");
    for row in 0..=others.len() {
        for column in &columns.columns {
            out.push_str(&column[row]);
            out.push(';');
        }
        out.push('\n');
    }
    Some(OutputFile {
        name: names.injection(),
        bytes: out.into_bytes(),
    })
}

/// Whether a name can stand in `[authentication username=…]`.
fn is_plain(user: &str) -> bool {
    !user.is_empty() && user.chars().all(is_word)
}

fn replace(scenario: &mut Scenario, keyword: &str, field: &str) {
    for step in &mut scenario.steps {
        if let Kind::Send { text, .. } = &mut step.kind {
            *text = text.replace(keyword, field);
        }
    }
}

fn message(text: &str, others: &[&str], columns: &mut Columns) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let others: Vec<Vec<&str>> = others
        .iter()
        .map(|text| text.split('\n').collect())
        .collect();
    if others.iter().any(|other| other.len() != lines.len()) {
        // Headers differ in number; those that are the same up to there are compared still.
        return by_name(&lines, &others, columns);
    }
    let merged = lines.iter().enumerate().map(|(at, line)| {
        let same: Vec<&str> = others.iter().map(|other| other[at]).collect();
        merged_line(line, &same, columns)
    });
    let merged: Vec<String> = merged.collect();
    merged.join("\n")
}

/// Lines that are found again in all others by their name, where messages have different headers.
fn by_name(lines: &[&str], others: &[Vec<&str>], columns: &mut Columns) -> String {
    let name = |line: &str| {
        line.trim_start()
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let merged = lines.iter().enumerate().map(|(at, line)| {
        let wanted = name(line);
        let is_header = line.contains(':') && !line.trim_start().starts_with("a=");
        let same: Option<Vec<&str>> = others
            .iter()
            .map(|other| {
                if at == 0 {
                    return other.first().copied();
                }
                let mut found = other.iter().filter(|other| name(other) == wanted);
                let first = found.next().copied();
                first.filter(|_| found.next().is_none())
            })
            .collect();
        match same {
            Some(same) if at == 0 || is_header => merged_line(line, &same, columns),
            _ => (*line).to_owned(),
        }
    });
    let merged: Vec<String> = merged.collect();
    merged.join("\n")
}

fn merged_line(line: &str, others: &[&str], columns: &mut Columns) -> String {
    let left_alone = LEFT_ALONE
        .iter()
        .any(|name| line.trim_start().starts_with(name));
    if left_alone || others.iter().all(|other| *other == line) {
        return line.to_owned();
    }
    let parts = split(line);
    let others: Vec<Vec<&str>> = others.iter().map(|other| split(other)).collect();
    let same_keywords = others.iter().all(|other| {
        other.len() == parts.len()
            && parts
                .iter()
                .zip(other)
                .skip(1)
                .step_by(2)
                .all(|(one, two)| one == two)
    });
    if !same_keywords {
        return line.to_owned();
    }
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        let values: Vec<&str> = others.iter().map(|other| other[at]).collect();
        if at % 2 == 1 || values.iter().all(|value| value == part) {
            out.push_str(part);
            continue;
        }
        out.push_str(&merged_text(part, &values, columns));
    }
    out
}

/// A literal in which calls differ, with fields for what differs: word by word if the words stand in the same pattern, else
/// from the first difference to the last.
fn merged_text(text: &str, others: &[&str], columns: &mut Columns) -> String {
    // Escapes mean nothing in an injection file.
    if text.contains('\\') || others.iter().any(|other| other.contains('\\')) {
        return text.to_owned();
    }
    let own = words(text);
    let theirs: Vec<Vec<&str>> = others.iter().map(|other| words(other)).collect();
    let is_pattern = theirs.iter().all(|their| {
        their.len() == own.len()
            && their.iter().zip(&own).all(|(one, two)| {
                one == two || one.starts_with(is_word) && two.starts_with(is_word)
            })
    });
    if is_pattern {
        let merged = own.iter().enumerate().map(|(at, word)| {
            let values = || theirs.iter().map(|their| their[at]);
            if values().all(|value| value == *word) {
                return (*word).to_owned();
            }
            let all = core::iter::once(*word).chain(values()).map(str::to_owned);
            columns
                .keyword(all.collect())
                .unwrap_or_else(|| (*word).to_owned())
        });
        return merged.collect();
    }
    let front = others
        .iter()
        .map(|other| common(text.chars(), other.chars()))
        .min()
        .unwrap_or(0);
    // Words are not cut: `100` and `101` differ as a whole.
    let front = text[..front].rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
    let back = others
        .iter()
        .map(|other| {
            let back = common(text.chars().rev(), other.chars().rev());
            back.min(text.len() - front).min(other.len() - front)
        })
        .min()
        .unwrap_or(0);
    let back = text[text.len() - back..]
        .find(|c| !is_word(c))
        .map_or(0, |at| back - at);
    let all = core::iter::once(text).chain(others.iter().copied());
    let middles = all.map(|text| text[front..text.len() - back].to_owned());
    match columns.keyword(middles.collect()) {
        Some(keyword) => format!("{}{keyword}{}", &text[..front], &text[text.len() - back..]),
        None => text.to_owned(),
    }
}

/// A text as words and the single characters between them.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind;
    }
    words
}

/// What belongs to one word: a user name, a number, an address.
fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || "+-._~".contains(char)
}

/// How many characters two texts have in common at their beginning; texts of messages are ASCII.
fn common(one: impl Iterator<Item = char>, two: impl Iterator<Item = char>) -> usize {
    one.zip(two).take_while(|(one, two)| one == two).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(lines: &[&str]) -> (String, Vec<Vec<String>>) {
        let mut columns = Columns {
            columns: Vec::new(),
        };
        let line = merged_line(lines[0], &lines[1..], &mut columns);
        (line, columns.columns)
    }

    #[test]
    fn words_that_differ_become_fields_and_the_same_difference_the_same_field() {
        let (line, columns) = merged(&[
            "From: \"A\" <sip:+491@[local_ip]>;x=+491",
            "From: \"B\" <sip:+492@[local_ip]>;x=+492",
        ]);
        assert_eq!(
            line,
            "From: \"[field0]\" <sip:[field1]@[local_ip]>;x=[field1]"
        );
        assert_eq!(columns, [["A", "B"], ["+491", "+492"]]);
    }

    #[test]
    fn texts_of_other_patterns_differ_from_the_first_difference_to_the_last() {
        let (line, columns) = merged(&["X: a (one two) z", "X: a (three) z"]);
        assert_eq!(line, "X: a ([field0]) z");
        assert_eq!(columns, [["one two", "three"]]);
        // Another keyword in it, or a value that such a file cannot hold: the line of the first call stays.
        assert_eq!(merged(&["A: 1[pid]", "A: 2[users]"]).0, "A: 1[pid]");
        assert_eq!(merged(&["A: x;y z", "A: x"]).0, "A: x;y z");
        assert_eq!(
            merged(&["CSeq: 1 INVITE", "CSeq: 7 INVITE"]).0,
            "CSeq: 1 INVITE"
        );
    }
}
