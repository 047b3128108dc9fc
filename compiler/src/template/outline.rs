// SPDX-License-Identifier: AGPL-3.0-only
//! The headers of a message as its author typed them, keywords unread: what the lints look at.
//!
//! A line that a keyword makes, such as `[last_Via:]`, is the header that the keyword prints; a line of which nobody
//! knows what it will be makes the outline [`Outline::is_open`], and then nothing can be called missing.

use crate::schema;
use crate::source::{Span, Text};

/// One header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its name in lower case, compact forms spelled out.
    pub(crate) name: String,
    /// The text behind the name, keywords as typed.
    pub(crate) value: Vec<u8>,
    /// Where the value stands; the whole line when there is none.
    pub(crate) span: Span,
    /// It repeats that of the last message received, and `value` stands behind.
    pub(crate) repeated: bool,
}

impl Header {
    /// Whether the value holds a text.
    pub(crate) fn holds(&self, text: &[u8]) -> bool {
        memchr::memmem::find(&self.value.to_ascii_lowercase(), text).is_some()
    }

    /// Whether part of the value may be anything: a variable, a field, a file, a `-key`, part of another message.
    pub(crate) fn is_open(&self) -> bool {
        let mut rest = &self.value[..];
        while let Some(open) = memchr::memchr(b'[', rest) {
            rest = &rest[open + 1..];
            let end = memchr::memchr(b']', rest).unwrap_or(rest.len());
            if !is_plain(&rest[..end]) {
                return true;
            }
            rest = &rest[end..];
        }
        false
    }
}

/// Whether a keyword prints a number, an address or another word of its own, and nothing else.
fn is_plain(keyword: &[u8]) -> bool {
    let end = keyword
        .iter()
        .position(|byte| matches!(byte, b'+' | b'-'))
        .unwrap_or(keyword.len());
    let name = &keyword[..end];
    let known = schema::KEYWORDS
        .iter()
        .any(|known| !known.prefix && known.name.as_bytes() == name);
    known && !name.starts_with(b"trunk_") && !matches!(name, b"last_message" | b"last_Request_URI")
}

/// The header section of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Its first line.
    pub(crate) start: Span,
    /// Its headers, in order.
    pub(crate) headers: Vec<Header>,
    /// There may be more headers than can be seen.
    pub(crate) is_open: bool,
    /// Where its body begins, if there is one for certain.
    pub(crate) body: Option<Span>,
}

impl Outline {
    /// Reads a normalised message.
    pub(super) fn of(text: &Text) -> Self {
        let bytes = text.bytes();
        let mut outline = Self::default();
        let mut at = 0;
        let mut first = true;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found);
            let line = &bytes[at..end];
            if line.is_empty() {
                outline.body = body(text, end);
                break;
            }
            if first {
                outline.start = text.slice_span(at..end);
                first = false;
            } else {
                outline.line(text, at, line);
            }
            at = end + 1;
        }
        outline
    }

    /// The first header of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Header> {
        self.headers.iter().find(|header| header.name == name)
    }

    /// Whether a header of that name is missing for certain.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        !self.is_open && self.get(name).is_none()
    }

    fn line(&mut self, text: &Text, at: usize, line: &[u8]) {
        let whole = at..at + line.len();
        if line[0] == b'[' {
            let close = memchr::memchr(b']', line).unwrap_or(line.len());
            let word = &line[1..close];
            match word.strip_prefix(b"last_") {
                Some(name)
                    if !name.starts_with(b"message") && !name.starts_with(b"Request_URI") =>
                {
                    let end = name.iter().position(|byte| matches!(byte, b':' | b' '));
                    let name = &name[..end.unwrap_or(name.len())];
                    let value = line.get(close + 1..).unwrap_or_default();
                    self.headers.push(Header {
                        name: canonical(name),
                        value: value.trim_ascii().to_vec(),
                        span: text.slice_span(whole),
                        repeated: true,
                    });
                }
                _ if word == b"routes" || word.starts_with(b"authentication") => {}
                _ => self.is_open = true,
            }
            return;
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            // SIPp sends it as it is, and so do we; whoever reads it decides what it was.
            self.is_open |= line.contains(&b'[');
            return;
        };
        if line[..colon].contains(&b'[') {
            self.is_open = true;
            return;
        }
        let behind = &line[colon + 1..];
        let value = behind.trim_ascii();
        let blanks = behind.len() - behind.trim_ascii_start().len();
        let from = at + colon + 1 + blanks;
        let place = if value.is_empty() {
            whole
        } else {
            from..from + value.len()
        };
        self.headers.push(Header {
            name: canonical(line[..colon].trim_ascii()),
            value: value.to_vec(),
            span: text.slice_span(place),
            repeated: false,
        });
    }
}

/// Where the text behind the empty line at `end` begins; `None` when keywords may leave nothing of it.
fn body(text: &Text, end: usize) -> Option<Span> {
    let rest = &text.bytes()[end..];
    let begin = end + rest.iter().position(|byte| *byte != b'\n')?;
    let stop = memchr::memchr(b'\n', &text.bytes()[begin..])
        .map_or_else(|| text.bytes().len(), |found| begin + found);
    (text.bytes()[begin] != b'[').then(|| text.slice_span(begin..stop))
}

/// A header's name in lower case, compact forms spelled out.
fn canonical(name: &[u8]) -> String {
    let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
    let long = match lower.as_str() {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "m" => "contact",
        "l" => "content-length",
        "c" => "content-type",
        _ => return lower,
    };
    long.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(message: &str) -> Outline {
        Outline::of(&Text::verbatim(message.as_bytes(), 100))
    }

    #[test]
    fn headers_are_found_by_name_whoever_prints_them() {
        let found = outline(
            "SIP/2.0 200 OK\n[last_Via:]\nf: a;tag=1\n[last_To:];tag=x\nCall-ID:  [call_id]\n\nv=0\n",
        );
        let names: Vec<_> = found
            .headers
            .iter()
            .map(|h| (&h.name[..], h.repeated))
            .collect();
        assert_eq!(
            names,
            [
                ("via", true),
                ("from", false),
                ("to", true),
                ("call-id", false)
            ]
        );
        assert!(found.get("to").is_some_and(|to| to.holds(b"tag=")));
        assert!(!found.is_open && found.lacks("cseq") && !found.lacks("via"));
        let call_id = found.get("call-id").expect("there");
        let at = 100
            + u32::try_from(
                "SIP/2.0 200 OK\n[last_Via:]\nf: a;tag=1\n[last_To:];tag=x\nCall-ID:  ".len(),
            )
            .expect("short");
        assert_eq!((call_id.span.start, call_id.span.end), (at, at + 9));
        assert!(found.body.is_some());
    }

    #[test]
    fn a_line_that_only_a_variable_knows_leaves_the_outline_open() {
        for line in [
            "[$1]",
            "[field3]",
            "[trunk_extra]",
            "X-[field1]: y",
            "[last_message]",
        ] {
            let found = outline(&format!("BYE a SIP/2.0\n{line}\n\n"));
            assert!(found.is_open && !found.lacks("via"), "{line}");
        }
        let found =
            outline("BYE a SIP/2.0\n[routes]\n[authentication username=a]\nTo: [field1]\n\n[$2]\n");
        assert!(!found.is_open);
        assert!(found.get("to").is_some_and(Header::is_open));
        assert_eq!(found.body, None);
    }
}
