// SPDX-License-Identifier: AGPL-3.0-only
//! First stage of reading: any bytes in, well-formed XML and warnings out.
//!
//! Works on the original bytes, so it needs no decoding: every byte it looks for is ASCII. What it writes is UTF-8
//! (see [`crate::source::Encoding`]), holds only start tags, end tags and CDATA, and is balanced.
//!
//! A missing end tag is found out late: at that of the scenario. Such a file is read a second time, knowing that steps do
//! not hold steps, so that the fault is told at its place and the steps behind it are not taken for its children.

use super::{MAX_DEPTH, MAX_ELEMENTS};
use crate::diag::codes::reader as code;
use crate::diag::{Diagnostic, Diagnostics, quote, suggest};
use crate::schema;
use crate::source::{Encoding, OffsetMap, SourceFile, Span, offset};

/// Well-formed XML and where each of its bytes came from.
pub(super) struct Repaired {
    pub(super) text: Vec<u8>,
    pub(super) map: OffsetMap,
    /// Where in `text` the CDATA sections stand that are plain text in the file, in order.
    pub(super) plain: Vec<usize>,
}

/// The warning about text that nothing reads.
pub(crate) fn ignored_text(span: Span) -> Diagnostic {
    Diagnostic::warning(
        code::TEXT_OUTSIDE_CDATA,
        span,
        "text outside CDATA is ignored",
    )
    .help("put a message between `<![CDATA[` and `]]>`, a remark between `<!--` and `-->`")
}

/// An element that is open.
struct Open {
    /// Range of its name in the file.
    name: (usize, usize),
    /// Its text, if it is an action that may have some, has been written.
    text: bool,
}

/// The walk over the file.
pub(super) struct Repair<'a> {
    pub(super) bytes: &'a [u8],
    encoding: Encoding,
    pub(super) pos: usize,
    out: Repaired,
    open: Vec<Open>,
    elements: usize,
    /// A step ends where the next one begins, whether it has an end tag or not.
    steps_end: bool,
    /// Names of the elements that were ended so, whose end tags may still come.
    ended: Vec<(usize, usize)>,
    /// An end tag did not fit.
    unbalanced: bool,
    /// No `?>` follows: do not look for it again.
    no_instruction_end: bool,
    pub(super) diags: &'a mut Diagnostics,
}

/// Repairs a whole file.
pub(super) fn repair(source: &SourceFile, diags: &mut Diagnostics) -> Repaired {
    let mut found = diags.clone();
    let (repaired, unbalanced) = walk(source, false, &mut found);
    if !unbalanced {
        *diags = found;
        return repaired;
    }
    walk(source, true, diags).0
}

/// Walks over a file; says as well whether an end tag did not fit.
fn walk(source: &SourceFile, steps_end: bool, diags: &mut Diagnostics) -> (Repaired, bool) {
    let mut walk = Repair {
        bytes: source.bytes(),
        encoding: source.encoding(),
        pos: source.content_start(),
        out: Repaired {
            text: Vec::with_capacity(source.bytes().len() + 64),
            map: OffsetMap::default(),
            plain: Vec::new(),
        },
        open: Vec::new(),
        elements: 0,
        steps_end,
        ended: Vec::new(),
        unbalanced: false,
        no_instruction_end: false,
        diags,
    };
    walk.document();
    (walk.out, walk.unbalanced)
}

/// Whether the walk goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    /// The root is closed.
    RootClosed,
    /// A limit is reached; the rest is not looked at.
    LimitReached,
}

impl Repair<'_> {
    fn document(&mut self) {
        while self.pos < self.bytes.len() {
            let at = self.pos;
            if self.bytes[at] != b'<' {
                self.text();
            } else if self.starts_with(b"<!--") {
                self.comment();
            } else if self.starts_with(b"<![CDATA[") {
                self.cdata();
            } else if self.starts_with(b"<?") {
                self.processing_instruction();
            } else if self.starts_with(b"<!") {
                self.doctype();
            } else if self.starts_with(b"</") {
                if self.end_tag() == Flow::RootClosed {
                    return self.after_root();
                }
            } else if self.bytes.get(at + 1).copied().is_some_and(is_name_start) {
                match self.start_tag() {
                    Flow::Continue => {}
                    Flow::RootClosed => return self.after_root(),
                    Flow::LimitReached => return,
                }
            } else {
                self.text();
            }
            debug_assert!(self.pos > at, "the reader stalled at {at}");
        }
        self.close_all(true);
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(offset(start), offset(end))
    }

    fn starts_with(&self, what: &[u8]) -> bool {
        self.bytes[self.pos..].starts_with(what)
    }

    /// Copies a range of the file to the output.
    pub(super) fn copy(&mut self, start: usize, end: usize) {
        match self.encoding {
            Encoding::Utf8 => {
                self.out.map.push(self.out.text.len(), start);
                self.out.text.extend_from_slice(&self.bytes[start..end]);
            }
            Encoding::Bytes => {
                for at in start..end {
                    self.out.map.push(self.out.text.len(), at);
                    let mut buffer = [0; 4];
                    let encoded = char::from(self.bytes[at]).encode_utf8(&mut buffer);
                    self.out.text.extend_from_slice(encoded.as_bytes());
                }
            }
        }
        self.out.map.push(self.out.text.len(), end);
    }

    /// Writes something that stands for the file's bytes from `start` to `end`.
    pub(super) fn write(&mut self, what: &str, start: usize, end: usize) {
        self.out.map.push(self.out.text.len(), start);
        self.out.text.extend_from_slice(what.as_bytes());
        self.out.map.push(self.out.text.len(), end);
    }

    /// Text outside tags and CDATA: worth a warning unless it is blank, and written only where an action may hold it.
    fn text(&mut self) {
        let start = self.pos;
        // A `<` that begins no tag is text too.
        let from = start + 1;
        let mut end = from.min(self.bytes.len());
        while let Some(found) = memchr::memchr(b'<', &self.bytes[end..]) {
            end += found;
            let begins_tag = self
                .bytes
                .get(end + 1)
                .is_some_and(|b| is_name_start(*b) || matches!(b, b'/' | b'!' | b'?'));
            if begins_tag {
                break;
            }
            end += 1;
            if end == self.bytes.len() {
                break;
            }
        }
        if memchr::memchr(b'<', &self.bytes[end..]).is_none() {
            end = self.bytes.len();
        }
        self.pos = end;
        let text = &self.bytes[start..end];
        let blank = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let shown = text.trim_ascii();
        if !shown.is_empty() {
            let (from, to) = (start + blank, start + blank + shown.len());
            if !self.action_text(from, to) {
                let span = self.span(from, to);
                self.diags.push(ignored_text(span));
            }
        }
    }

    /// Writes the text of an action that may have one, its first, as CDATA. Whether it did.
    fn action_text(&mut self, from: usize, to: usize) -> bool {
        let bytes = self.bytes;
        let name_of = |open: &Open| &bytes[open.name.0..open.name.1];
        let [.., block, action] = self.open.as_mut_slice() else {
            return false;
        };
        let takes = name_of(block) == b"action" && schema::holds_text(name_of(action));
        // What would end the section that it is written as is no pair of anything.
        if !takes || action.text || memchr::memmem::find(&bytes[from..to], b"]]>").is_some() {
            return false;
        }
        action.text = true;
        self.out.plain.push(self.out.text.len());
        self.write("<![CDATA[", from, from);
        self.copy(from, to);
        self.write("]]>", to, to);
        true
    }

    fn comment(&mut self) {
        let start = self.pos;
        match memchr::memmem::find(&self.bytes[start + 4..], b"-->") {
            Some(found) => self.pos = start + 4 + found + 3,
            None => {
                self.pos = self.bytes.len();
                let span = self.span(start, start + 4);
                self.diags.push(
                    Diagnostic::warning(code::UNCLOSED_COMMENT, span, "comment is never closed")
                        .note("everything up to the end of the file belongs to it"),
                );
            }
        }
    }

    fn cdata(&mut self) {
        let start = self.pos;
        let content = start + b"<![CDATA[".len();
        let end = match memchr::memmem::find(&self.bytes[content..], b"]]>") {
            Some(found) => content + found,
            None => {
                let span = self.span(start, content);
                self.diags.push(
                    Diagnostic::error(code::UNCLOSED_CDATA, span, "CDATA section is never closed")
                        .help("end it with `]]>`"),
                );
                self.bytes.len()
            }
        };
        self.pos = (end + 3).min(self.bytes.len());
        if self.open.is_empty() {
            let span = self.span(start, content);
            self.diags.push(Diagnostic::warning(
                code::TEXT_OUTSIDE_CDATA,
                span,
                "CDATA outside the root is ignored",
            ));
            return;
        }
        self.write("<![CDATA[", start, content);
        self.copy(content, end);
        self.write("]]>", end, self.pos);
    }

    fn processing_instruction(&mut self) {
        let rest = &self.bytes[self.pos + 2..];
        let end = if self.no_instruction_end {
            None
        } else {
            memchr::memmem::find(rest, b"?>").map(|at| at + 2)
        };
        self.no_instruction_end = end.is_none();
        // `<?xml … >` without its second mark: end at the `>`.
        let end = match (end, memchr::memchr(b'>', rest).map(|at| at + 1)) {
            (Some(end), _) | (None, Some(end)) => end,
            (None, None) => rest.len(),
        };
        self.pos += 2 + end;
    }

    /// Skips `<!DOCTYPE …>` with an internal subset and quoted identifiers; nothing of it is ever loaded.
    fn doctype(&mut self) {
        let start = self.pos;
        let mut quote = None;
        let mut brackets = 0usize;
        for (at, byte) in self.bytes.iter().enumerate().skip(start + 2) {
            match (quote, *byte) {
                (Some(open), byte) if byte == open => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(*byte),
                (None, b'[') => brackets += 1,
                (None, b']') => brackets = brackets.saturating_sub(1),
                (None, b'>') if brackets == 0 => {
                    self.pos = at + 1;
                    return;
                }
                (None, _) => {}
            }
        }
        self.unclosed_tag(start, self.bytes.len(), false);
        self.pos = self.bytes.len();
    }

    /// Reports that a tag ends without a `>`; a warning where it is clear where that belongs.
    pub(super) fn unclosed_tag(&mut self, start: usize, end: usize, clear: bool) {
        let trimmed = self.bytes[start..end].trim_ascii_end().len();
        let span = self.span(start, start + trimmed);
        let make = if clear {
            Diagnostic::warning
        } else {
            Diagnostic::error
        };
        let found = make(code::UNCLOSED_TAG, span, "tag has no `>`".to_owned());
        self.diags
            .push(found.label("another tag or the end of the file follows"));
    }

    fn start_tag(&mut self) -> Flow {
        let tag = self.pos;
        self.pos += 1;
        let name = self.name();
        self.elements += 1;
        if self.steps_end && is_top_level(&self.bytes[name.0..name.1]) {
            self.end_step(tag, name);
        }
        if self.open.len() >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            let span = self.span(name.0, name.1);
            let what = if self.elements > MAX_ELEMENTS {
                "too many elements"
            } else {
                "elements nest too deep"
            };
            self.diags.push(
                Diagnostic::error(code::LIMIT_EXCEEDED, span, what).note(format!(
                    "at most {MAX_ELEMENTS} elements are read, nested at most {MAX_DEPTH} deep"
                )),
            );
            self.close_all(false);
            return Flow::LimitReached;
        }
        self.write("<", tag, tag + 1);
        self.copy(name.0, name.1);
        let empty = self.attributes(tag, name.1);
        if empty {
            // From the end of the name, so that the name's span ends there.
            self.write("/>", name.1, self.pos);
            return if self.open.is_empty() {
                Flow::RootClosed
            } else {
                Flow::Continue
            };
        }
        self.write(">", name.1, self.pos);
        self.open.push(Open { name, text: false });
        Flow::Continue
    }

    /// Ends a step that is open where another element of the scenario begins.
    fn end_step(&mut self, tag: usize, next: (usize, usize)) {
        let bytes = self.bytes;
        let is_step = |open: &Open| {
            let name = &bytes[open.name.0..open.name.1];
            is_top_level(name) && name != b"init"
        };
        let Some(depth) = self.open.iter().skip(1).position(is_step) else {
            return;
        };
        if let Some(inner) = self.open.last() {
            let (start, stop) = inner.name;
            let open = quote(&bytes[start..stop]);
            let next_name = quote(&bytes[next.0..next.1]);
            let found = Diagnostic::error(
                code::MISMATCHED_END_TAG,
                self.span(start, stop),
                format!("`<{open}>` has no end tag"),
            );
            self.diags.push(
                found
                    .with(
                        self.span(next.0, next.1),
                        format!("`<{next_name}>` begins before it has ended"),
                    )
                    .help(format!("end it with `</{open}>` or `/>`")),
            );
        }
        while self.open.len() > depth + 1 {
            self.ended.extend(self.open.last().map(|open| open.name));
            self.close_last(tag, tag);
        }
    }

    /// Moves over a name and returns its range.
    pub(super) fn name(&mut self) -> (usize, usize) {
        let start = self.pos;
        let length = self.bytes[start..]
            .iter()
            .take_while(|b| is_name(**b))
            .count();
        self.pos += length;
        (start, self.pos)
    }

    fn end_tag(&mut self) -> Flow {
        let tag = self.pos;
        self.pos += 2;
        while self
            .bytes
            .get(self.pos)
            .is_some_and(u8::is_ascii_whitespace)
        {
            self.pos += 1;
        }
        let name = self.name();
        // Whatever else stands before the `>`, an end tag has no use for it.
        match self.bytes[self.pos..]
            .iter()
            .position(|b| matches!(b, b'>' | b'<'))
        {
            Some(found) if self.bytes[self.pos + found] == b'>' => self.pos += found + 1,
            Some(found) => {
                self.pos += found;
                self.unclosed_tag(tag, self.pos, false);
            }
            None => {
                self.pos = self.bytes.len();
                self.unclosed_tag(tag, self.pos, false);
            }
        }
        let bytes = self.bytes;
        let name_of = |range: (usize, usize)| &bytes[range.0..range.1];
        let matching = self
            .open
            .iter()
            .rposition(|open| name_of(open.name) == name_of(name));
        let Some(depth) = matching else {
            // The element it belongs to has been ended, and that was reported.
            let late = self
                .ended
                .iter()
                .rposition(|ended| name_of(*ended) == name_of(name));
            if let Some(late) = late {
                self.ended.swap_remove(late);
                return Flow::Continue;
            }
            self.unbalanced = true;
            let span = self.span(name.0.min(tag), self.pos);
            let mut found = Diagnostic::error(
                code::MISMATCHED_END_TAG,
                span,
                format!("end tag `</{}>` closes nothing", quote(name_of(name))),
            );
            if let Some(open) = self.open.last() {
                found = found.with(
                    self.span(open.name.0, open.name.1),
                    format!(
                        "`<{}>` is the element that is open",
                        quote(name_of(open.name))
                    ),
                );
            }
            // Misspelt, or that of another step: it stands where the end of this one belongs.
            let meant = self.open.last().filter(|open| {
                let typed = String::from_utf8_lossy(name_of(name));
                let open = String::from_utf8_lossy(name_of(open.name));
                let near = suggest::nearest(&typed, [&*open]).is_some();
                near || (is_top_level(typed.as_bytes()) && is_top_level(open.as_bytes()))
            });
            let meant = meant.filter(|_| self.open.len() > 1).map(|open| open.name);
            if let Some(open) = meant {
                found = found.help(format!("write `</{}>`", quote(name_of(open))));
                self.close_last(tag, self.pos);
            }
            self.diags.push(found);
            return Flow::Continue;
        };
        if let Some(inner) = self.open.get(depth + 1..).and_then(<[Open]>::last) {
            self.unbalanced = true;
            let open = quote(name_of(inner.name));
            let found = Diagnostic::error(
                code::MISMATCHED_END_TAG,
                self.span(tag, self.pos),
                format!(
                    "end tag `</{}>` while `<{open}>` is open",
                    quote(name_of(name))
                ),
            );
            self.diags.push(
                found
                    .with(self.span(inner.name.0, inner.name.1), "opened here")
                    .help(format!("end it with `</{open}>` or `/>`")),
            );
        }
        while self.open.len() > depth {
            self.close_last(tag, self.pos);
        }
        if self.open.is_empty() {
            Flow::RootClosed
        } else {
            Flow::Continue
        }
    }

    fn close_last(&mut self, start: usize, end: usize) {
        if let Some(open) = self.open.pop() {
            self.write("</", start, start);
            self.copy(open.name.0, open.name.1);
            self.write(">", end, end);
        }
    }

    fn close_all(&mut self, report: bool) {
        let end = self.bytes.len();
        while let Some(open) = self.open.last() {
            let (start, stop) = open.name;
            if report {
                let name = quote(&self.bytes[start..stop]);
                let found = Diagnostic::warning(
                    code::MISSING_END_TAG,
                    self.span(start, stop),
                    format!("`<{name}>` is still open at the end of the file"),
                );
                self.diags
                    .push(found.help(format!("end it with `</{name}>`")));
            }
            self.close_last(end, end);
        }
    }

    /// Says so when anything but blanks and comments follows the root.
    fn after_root(&mut self) {
        while self.pos < self.bytes.len() {
            if self.starts_with(b"<!--") {
                self.comment();
            } else if self.bytes[self.pos].is_ascii_whitespace() {
                self.pos += 1;
            } else {
                let rest = self.bytes[self.pos..].len();
                let line = memchr::memchr2(b'\n', b'\r', &self.bytes[self.pos..]).unwrap_or(rest);
                let span = self.span(self.pos, self.pos + line);
                let found = Diagnostic::warning(
                    code::CONTENT_AFTER_ROOT,
                    span,
                    "what follows the root is ignored",
                );
                self.diags.push(found);
                return;
            }
        }
    }
}

/// Whether it is the name of something that stands directly in a scenario.
fn is_top_level(name: &[u8]) -> bool {
    core::str::from_utf8(name).is_ok_and(|name| schema::element(name).is_some())
}

/// May a name begin with it: anything that is neither ASCII punctuation nor blank.
fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' || byte >= 0x80
}

/// May a name hold it.
pub(super) fn is_name(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
}
