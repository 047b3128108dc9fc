// SPDX-License-Identifier: AGPL-3.0-only
//! The inside of a start tag, as users write it.
//!
//! Every attribute is written anew, in double quotes and with `"`, `<` and bare `&` as entities; decoding turns them
//! back, so repaired and correct input give the same value.

use super::MAX_ATTRIBUTES;
use super::repair::{Repair, is_name};
use crate::diag::codes::reader as code;
use crate::diag::{Code, Diagnostic, quote};

/// How far the reader looks past a quote to see whether an attribute begins there.
const LOOKAHEAD: usize = 64;

/// A value found in the file.
struct Value {
    start: usize,
    end: usize,
    /// Where the scan goes on.
    next: usize,
    /// Whether `\"` occurs in it.
    escaped_quote: bool,
}

impl Repair<'_> {
    /// Repairs the attributes of the tag that begins at `tag` and whose name ends at `name_end`, from after the element's name to after its `>`.
    /// Returns whether the element is empty (`/>`).
    pub(super) fn attributes(&mut self, tag: usize, name_end: usize) -> bool {
        let mut seen: Vec<(usize, usize)> = Vec::new();
        let mut blank_before = true;
        loop {
            let blanks = self.bytes[self.pos..]
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
            self.pos += blanks;
            blank_before |= blanks > 0;
            match self.bytes.get(self.pos).copied() {
                Some(b'>') => {
                    self.pos += 1;
                    return false;
                }
                Some(b'/') if self.bytes.get(self.pos + 1) == Some(&b'>') => {
                    self.pos += 2;
                    return true;
                }
                None | Some(b'<') => return self.tag_without_end(tag),
                Some(b',') => {
                    self.warn(
                        code::COMMA_BETWEEN_ATTRIBUTES,
                        self.pos,
                        self.pos + 1,
                        "comma between attributes",
                    );
                    self.pos += 1;
                    blank_before = true;
                }
                Some(byte) if is_name(byte) => {
                    if !blank_before {
                        let at = self.pos;
                        let what = "no blank between two attributes";
                        self.warn(
                            code::NO_BLANK_BETWEEN_ATTRIBUTES,
                            at.saturating_sub(1),
                            at + 1,
                            what,
                        );
                    }
                    self.attribute(&mut seen, name_end);
                    blank_before = false;
                }
                Some(_) => {
                    self.stray();
                    blank_before = true;
                }
            }
        }
    }

    /// The tag at `tag` ends without a `>`, at the next tag or at the end of the file. Returns whether it is taken
    /// for an empty element.
    fn tag_without_end(&mut self, tag: usize) -> bool {
        let bytes = self.bytes;
        let name = bytes[tag + 1..].iter().take_while(|b| is_name(**b)).count();
        let name = &bytes[tag + 1..tag + 1 + name];
        let rest = &bytes[self.pos..];
        let own_end = rest
            .strip_prefix(b"</")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| !rest.first().copied().is_some_and(is_name));
        // Its own end tag leaves no doubt where the `>` belongs, and SIPp 3.7.7 takes it too.
        self.unclosed_tag(tag, self.pos, own_end);
        // Otherwise what was meant is unknown: what only makes sense as content is taken for that, any other tag for
        // the next element.
        !own_end && !rest.starts_with(b"<![CDATA[") && !rest.starts_with(b"<action")
    }

    fn warn(&mut self, code: Code, start: usize, end: usize, what: impl Into<String>) {
        let found = Diagnostic::warning(code, self.span(start, end), what);
        self.diags.push(found);
    }

    /// Text that is no attribute: a quoted string on one line, or what stands up to the next blank.
    fn stray(&mut self) {
        let start = self.pos;
        let rest = &self.bytes[start + 1..];
        let quoted = match self.bytes[start] {
            open @ (b'"' | b'\'') => rest
                .iter()
                .position(|b| *b == open || matches!(b, b'\n' | b'<' | b'>'))
                .filter(|at| rest[*at] == open)
                .map(|at| at + 2),
            _ => None,
        };
        let length = quoted.unwrap_or_else(|| {
            let ends = |b: &u8| {
                b.is_ascii_whitespace() || matches!(b, b'>' | b'<' | b'/' | b',') || is_name(*b)
            };
            rest.iter().position(ends).map_or(rest.len(), |at| at) + 1
        });
        self.pos = start + length;
        let shown = quote(&self.bytes[start..self.pos]);
        self.warn(
            code::STRAY_TEXT_IN_TAG,
            start,
            self.pos,
            format!("`{shown}` is no attribute and is ignored"),
        );
    }

    fn attribute(&mut self, seen: &mut Vec<(usize, usize)>, name_end: usize) {
        let name = self.name();
        let blanks = |from: usize, bytes: &[u8]| {
            bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count()
        };
        let equals = self.pos + blanks(self.pos, self.bytes);
        if self.bytes.get(equals) != Some(&b'=') {
            let shown = quote(&self.bytes[name.0..name.1]);
            let what = format!("attribute `{shown}` has no value and is ignored");
            self.warn(code::ATTRIBUTE_WITHOUT_VALUE, name.0, name.1, what);
            return;
        }
        self.pos = equals + 1 + blanks(equals + 1, self.bytes);
        let value = match self.bytes.get(self.pos).copied() {
            Some(open @ (b'"' | b'\'')) => self.quoted(open),
            _ => self.unquoted(),
        };
        self.pos = value.next;

        let bytes = self.bytes;
        let first = seen
            .iter()
            .find(|other| bytes[other.0..other.1] == bytes[name.0..name.1])
            .copied();
        if let Some(first) = first {
            let shown = quote(&bytes[name.0..name.1]);
            let found = Diagnostic::warning(
                code::DUPLICATE_ATTRIBUTE,
                self.span(name.0, name.1),
                format!("attribute `{shown}` is given twice"),
            );
            let found = found
                .label("ignored")
                .with(self.span(first.0, first.1), "this one counts");
            self.diags.push(found);
            return;
        }
        if seen.len() >= MAX_ATTRIBUTES {
            let found = Diagnostic::error(
                code::LIMIT_EXCEEDED,
                self.span(name.0, name.1),
                format!("more than {MAX_ATTRIBUTES} attributes"),
            );
            self.diags.push(found);
            return;
        }
        seen.push(name);
        // What stands before the first attribute is the element's name: its span ends here.
        self.write(" ", name_end, name.0);
        self.copy(name.0, name.1);
        self.write("=\"", name.1, value.start);
        self.value(&value);
        self.write("\"", value.end, value.next);
    }

    /// A value after its opening quote. `\"` is a quote when an attribute or the end of the tag follows the quote
    /// that then ends the value, or when the other reading makes no more sense.
    fn quoted(&mut self, open: u8) -> Value {
        let start = self.pos + 1;
        let find = |from: usize| memchr::memchr(open, &self.bytes[from..]).map(|at| from + at);
        let first = find(start);
        if open == b'\'' {
            return match first {
                Some(end) => Value {
                    start,
                    end,
                    next: end + 1,
                    escaped_quote: false,
                },
                None => self.unclosed_value(start),
            };
        }
        let mut end = first;
        let mut first_plausible = None;
        let mut escaped_quote = false;
        while let Some(at) = end {
            let backslashes = self.bytes[start..at]
                .iter()
                .rev()
                .take_while(|b| **b == b'\\')
                .count();
            if backslashes.is_multiple_of(2) {
                break;
            }
            escaped_quote = true;
            if first_plausible.is_none() && self.tag_goes_on(at + 1) {
                first_plausible = Some(at);
            }
            end = find(at + 1);
        }
        match (end, first_plausible) {
            // Only the plain XML reading lets the tag go on: the backslash was the last letter of the value.
            (Some(at), Some(plain)) if !self.tag_goes_on(at + 1) => Value {
                start,
                end: plain,
                next: plain + 1,
                escaped_quote: false,
            },
            (None, Some(plain)) => Value {
                start,
                end: plain,
                next: plain + 1,
                escaped_quote: false,
            },
            (Some(at), _) => {
                if escaped_quote {
                    let first = first.unwrap_or(at);
                    let found = Diagnostic::warning(
                        code::ESCAPED_QUOTE,
                        self.span(first.saturating_sub(1), first + 1),
                        "quote escaped with a backslash",
                    );
                    self.diags
                        .push(found.help("write `&quot;`, or put the value in single quotes"));
                }
                Value {
                    start,
                    end: at,
                    next: at + 1,
                    escaped_quote,
                }
            }
            (None, None) => self.unclosed_value(start),
        }
    }

    fn unclosed_value(&mut self, start: usize) -> Value {
        let rest = &self.bytes[start..];
        let line = memchr::memchr3(b'\n', b'\r', b'>', rest).unwrap_or(rest.len());
        let found = Diagnostic::error(
            code::UNCLOSED_VALUE,
            self.span(start.saturating_sub(1), start + line),
            "value has no closing quote",
        );
        self.diags.push(found);
        // Go on as if the tag ended on this line, so that the rest of the file is still looked at.
        let end = if rest[..line].ends_with(b"/") {
            start + line - 1
        } else {
            start + line
        };
        Value {
            start,
            end,
            next: end,
            escaped_quote: false,
        }
    }

    /// Whether the end of the tag or another attribute begins at `at`.
    fn tag_goes_on(&self, at: usize) -> bool {
        let rest = &self.bytes[at.min(self.bytes.len())..];
        let rest = &rest[..rest.len().min(LOOKAHEAD)];
        let trimmed = rest.trim_ascii_start();
        match trimmed.first() {
            Some(b'>') => true,
            Some(b'/') => trimmed.get(1) == Some(&b'>'),
            Some(b',') => true,
            Some(byte) if is_name(*byte) => {
                let name = trimmed.iter().take_while(|b| is_name(**b)).count();
                let after = trimmed[name..].trim_ascii_start();
                after.first() == Some(&b'=')
                    && matches!(after[1..].trim_ascii_start().first(), Some(b'"' | b'\''))
            }
            _ => false,
        }
    }

    /// A value without its opening quote: up to the closing one when that comes before anything else that could
    /// end the attribute, else up to the next blank.
    fn unquoted(&mut self) -> Value {
        let start = self.pos;
        let rest = &self.bytes[start..];
        let stop = rest
            .iter()
            .position(|b| matches!(b, b'"' | b'\'' | b'>' | b'<' | b'='));
        if let Some(length) = stop
            && matches!(rest[length], b'"' | b'\'')
        {
            let end = start + length;
            let found = Diagnostic::warning(
                code::MISSING_OPENING_QUOTE,
                self.span(start, end + 1),
                "value has no opening quote",
            );
            self.diags.push(found);
            return Value {
                start,
                end,
                next: end + 1,
                escaped_quote: false,
            };
        }
        let ends =
            |b: &u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'<' | b'"' | b'\'' | b',');
        let mut end = start + rest.iter().position(ends).unwrap_or(rest.len());
        if self.bytes[start..end].ends_with(b"/") && self.bytes.get(end) == Some(&b'>') {
            end -= 1;
        }
        self.warn(
            code::UNQUOTED_VALUE,
            start,
            end.max(start + 1).min(self.bytes.len()),
            "value is not quoted",
        );
        Value {
            start,
            end,
            next: end,
            escaped_quote: false,
        }
    }

    /// Copies a value, replacing what well-formed XML may not hold.
    fn value(&mut self, value: &Value) {
        let mut copied = value.start;
        let mut less_than = None;
        let mut ampersand = None;
        for at in value.start..value.end {
            let entity = match self.bytes[at] {
                b'"' => "&quot;",
                b'<' => {
                    less_than.get_or_insert(at);
                    "&lt;"
                }
                b'&' if entity_length(&self.bytes[at..value.end]).is_none() => {
                    ampersand.get_or_insert(at);
                    "&amp;"
                }
                _ => continue,
            };
            self.copy(copied, at);
            self.write(entity, at, at + 1);
            copied = at + 1;
        }
        self.copy(copied, value.end);
        if let Some(at) = less_than {
            let found = Diagnostic::warning(
                code::BARE_LESS_THAN,
                self.span(at, at + 1),
                "bare `<` in an attribute value",
            );
            self.diags.push(found.help("write `&lt;`"));
        }
        // Where the author escapes with backslashes, bare ampersands are the same habit; one warning will do.
        if let Some(at) = ampersand.filter(|_| !value.escaped_quote || less_than.is_none()) {
            let found = Diagnostic::warning(
                code::BARE_AMPERSAND,
                self.span(at, at + 1),
                "bare `&` in an attribute value",
            );
            self.diags.push(found.help("write `&amp;`"));
        }
    }
}

/// Length of the predefined or numeric entity that `text` begins with.
pub(super) fn entity_length(text: &[u8]) -> Option<usize> {
    /// Longest entity: `&#x10FFFF;` with a few leading zeros.
    const LONGEST: usize = 12;
    let head = &text[..text.len().min(LONGEST)];
    let end = memchr::memchr(b';', head)?;
    let name = head.get(1..end)?;
    let known = match name {
        b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => true,
        [b'#', b'x' | b'X', digits @ ..] => {
            !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit)
        }
        [b'#', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    known.then_some(end + 1)
}
