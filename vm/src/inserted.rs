// SPDX-License-Identifier: AGPL-3.0-only
//! Keywords in a text that comes from an injection file: the parameters of an `[authentication]` in a field.
//!
//! Such a text is known when it is printed, so it is read then. That costs less than a tenth of the digest it is for, and
//! a file that gives each call its own line would never find it in a memory of texts. Anything else in a field is text.
//!
//! What is kept of received messages is decided before, by the compiler for the texts of the scenario, and when the run
//! begins for what stands in its injection files ([`Reads`]). A scenario that changes its files may add such a keyword
//! later; challenges are kept whole then, since it is them that `[authentication]` answers.
//!
//! What cannot be printed fails the call with its reason: a line may hold what a peer has sent, and no peer ends a run.

use crate::auth::parameter;
use crate::call::last::{append_header, append_to_uri};
use crate::call::regs::Value;
use crate::inject::{InjectionFile, NO_LINE};
use crate::link::constant;
use crate::render::{LastView, Scene, Trouble, fill, line_number, variable};
use gossipper_bytecode::template::Binding;
use gossipper_bytecode::{Program, Slot, VarId};
use gossipper_sip::Message;
use memchr::memmem;
use std::sync::Arc;

/// The beginning of the keyword whose parameters may hold others.
pub(crate) const KEYWORD: &[u8] = b"[authentication";

const NOT_KEPT: &str = "no injection file had it when the run began, so of messages other than 401 and 407 what it prints is not kept";

/// Where the bracket is closed that was opened before `text`: brackets inside count, quoted ones do not.
pub(crate) fn closing(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    text.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' if !quoted => depth += 1,
            b']' if !quoted && depth == 0 => return true,
            b']' if !quoted => depth -= 1,
            _ => {}
        }
        false
    })
}

/// What the keywords in the fields of injection files print of received messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reads {
    /// Something of the last one.
    pub(crate) last: bool,
    /// The peer's tag.
    pub(crate) peer_tag: bool,
    /// Something of the last one if it is a challenge: a keyword may come with a line that the scenario adds.
    pub(crate) challenge: bool,
}

impl Reads {
    /// Whether any message is kept whole, and so all tables of captures have a place for it.
    pub(crate) const fn keeps_whole(self) -> bool {
        self.last || self.challenge
    }

    /// Whether this message is, given its status, 0 for a request.
    pub(crate) const fn keeps(self, status: u16) -> bool {
        self.last || (self.challenge && matches!(status, 401 | 407))
    }

    /// What they may print in a run with these files. A file that only seems to hold such a keyword costs memory.
    pub(crate) fn of(program: &Program, files: &[Arc<InjectionFile>]) -> Self {
        let mut reads = Self::default();
        if program.fields.is_empty() {
            return reads;
        }
        if crate::confined::edits(program) {
            reads.challenge = true;
            reads.peer_tag = true;
        }
        for file in files {
            let has = |word: &[u8]| memmem::find(file.bytes(), word).is_some();
            if has(KEYWORD) {
                reads.last |= has(b"[last_") || has(b"[next_url");
                reads.peer_tag |= has(b"[peer_tag_param");
            }
        }
        reads
    }
}

impl Scene<'_> {
    /// A text with its keywords printed.
    pub(crate) fn expand(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(open) = memchr::memchr(b'[', rest) {
            out.extend_from_slice(&rest[..open]);
            let inside = &rest[open + 1..];
            let Some(end) = closing(inside) else {
                self.refuse(inside, "the bracket is not closed");
                return out;
            };
            self.keyword(&inside[..end], &mut out);
            rest = &inside[end + 1..];
        }
        out.extend_from_slice(rest);
        out
    }

    fn keyword(&mut self, word: &[u8], out: &mut Vec<u8>) {
        let image = self.image;
        if let Some(name) = word.strip_prefix(b"$") {
            return match self.named_variable(name) {
                Some(var) => variable(self.value(var), out),
                None => self.refuse(word, "the scenario has no such variable"),
            };
        }
        let keys = image.params.keys.iter().rev();
        let (name, offset) = split_offset(word);
        if let Some(slot) = Slot::named(word, 0).or_else(|| Slot::named(name, offset)) {
            return match slot {
                Slot::Len(_) => self.refuse(word, "the length is not known there"),
                Slot::PeerTagParam
                    if !(image.program.reads_peer_tag || image.inserted.peer_tag) =>
                {
                    self.refuse(word, NOT_KEPT);
                }
                Slot::NextUrl
                    if self
                        .call
                        .and_then(|call| call.cold.as_deref())
                        .is_none_or(|cold| cold.target.is_empty()) =>
                {
                    self.inserted_last(word, b"Request_URI", out);
                }
                _ if slot.binding() == Binding::Run => constant(slot, &image.params, out),
                _ => self.print(slot, out),
            };
        }
        if let Some(rest) = word.strip_prefix(b"field")
            && rest.first().is_some_and(u8::is_ascii_digit)
        {
            self.inserted_field(word, rest, out);
        } else if let Some(rest) = word.strip_prefix(b"fill") {
            self.inserted_fill(word, rest, out);
        } else if let Some(rest) = word.strip_prefix(b"last_") {
            self.inserted_last(word, rest, out);
        } else if word.starts_with(b"file") {
            self.refuse(word, "a field includes no files");
        } else if let Some((_, value)) = { keys }.find(|(key, _)| key.as_bytes() == word) {
            out.extend_from_slice(value);
        } else if let Some(var) = (word == b"dtmf_digits")
            .then(|| self.named_variable(word))
            .flatten()
        {
            variable(self.value(var), out);
        } else {
            self.refuse(word, "there is no such keyword");
        }
    }

    fn named_variable(&self, name: &[u8]) -> Option<VarId> {
        let program = &self.image.program;
        let mut variables = program.variables.iter();
        variables
            .position(|variable| program.bytes(variable.name) == name)
            .and_then(|at| u16::try_from(at).ok().map(VarId))
    }

    /// `[fieldN file="…" line="…"]`, whose text is not looked into again.
    fn inserted_field(&mut self, word: &[u8], rest: &[u8], out: &mut Vec<u8>) {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let index = core::str::from_utf8(&rest[..digits]).ok();
        let Some(index) = index.and_then(|digits| digits.parse().ok()) else {
            return self.refuse(word, "the number is too large");
        };
        let parameters = &rest[digits..];
        let file = match parameter(parameters, b"file") {
            Some(name) => self.injection.find(&name),
            None => (!self.image.params.injection.is_empty()).then_some(0),
        };
        let Some(file) = file else {
            return self.refuse(word, "there is no such injection file");
        };
        let line = match parameter(parameters, b"line") {
            None => self.call.and_then(|call| call.line(file)),
            Some(text) => {
                let text = match text
                    .strip_prefix(b"$")
                    .map(|name| self.named_variable(name))
                {
                    None => text,
                    Some(Some(var)) => {
                        let mut printed = Vec::new();
                        variable(self.value(var), &mut printed);
                        printed
                    }
                    Some(None) => {
                        return self.refuse(word, "the scenario has no such variable");
                    }
                };
                match line_number(&text) {
                    Some(line) => line,
                    None => return self.refuse(word, "the line is no number"),
                }
            }
        };
        if let Some(line) = line.filter(|line| *line != NO_LINE) {
            self.print_field(file, line, index, out);
        }
    }

    /// `[fill text="…" variable=name]`
    fn inserted_fill(&mut self, word: &[u8], rest: &[u8], out: &mut Vec<u8>) {
        let name = parameter(rest, b"variable").unwrap_or_default();
        match self.named_variable(&name) {
            Some(var) => {
                let text = parameter(rest, b"text").unwrap_or_else(|| b"X".to_vec());
                fill(&text, self.value(var).as_number(), out);
            }
            None => self.refuse(word, "the scenario has no such variable"),
        }
    }

    /// `[last_message]`, `[last_Request_URI]`, `[last_NAME]`
    fn inserted_last(&mut self, word: &[u8], name: &[u8], out: &mut Vec<u8>) {
        let image = self.image;
        let bytes = match (self.last, self.call) {
            (LastView::Whole(msg), _) => Some(msg.bytes()),
            (LastView::Kept, Some(call)) => {
                let kept = call.last.whole(image);
                if kept.is_none() && call.last.present {
                    return self.refuse(word, NOT_KEPT);
                }
                kept
            }
            (LastView::Kept, None) => None,
        };
        let header = name.strip_suffix(b":").unwrap_or(name);
        if header.is_empty() || header.contains(&b' ') {
            return self.refuse(word, "there is no such keyword");
        }
        // Without a message there is nothing to print.
        let Some(msg) = bytes.and_then(|bytes| Message::parse(bytes).ok()) else {
            return;
        };
        match name {
            b"message" => out.extend_from_slice(msg.bytes()),
            b"Request_URI" => {
                append_to_uri(&msg, out);
            }
            _ => {
                let mut value = Vec::new();
                if append_header(header, &msg, &mut value) {
                    out.extend_from_slice(header);
                    out.push(b':');
                    // As in SIPp, a header that is there but empty prints `Name:`.
                    if !value.is_empty() {
                        out.push(b' ');
                        out.extend_from_slice(&value);
                    }
                }
            }
        }
    }

    fn refuse(&mut self, word: &[u8], why: &str) {
        let word = String::from_utf8_lossy(word);
        let text = format!("`[{word}]` in a field of an injection file: {why}");
        let text = match self.call {
            Some(call) => format!(
                "Call-Id: {}, {text}",
                String::from_utf8_lossy(&call.call_id)
            ),
            None => text,
        };
        self.troubles.push(Trouble::Call(text));
    }
}

/// Splits `cseq+1`.
fn split_offset(word: &[u8]) -> (&[u8], i32) {
    let Some(sign) = word.iter().position(|byte| matches!(byte, b'+' | b'-')) else {
        return (word, 0);
    };
    let (name, number) = word.split_at(sign);
    let number = Value::Text(number).to_number().filter(|n| n.is_finite());
    // A number that is too large becomes the largest.
    number.map_or((word, 0), |number| (name, number as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_inside_and_quoted_ones_do_not_close() {
        let close = |text: &str| closing(text.as_bytes());
        assert_eq!(close("a]b"), Some(1));
        assert_eq!(close("[a]]"), Some(3));
        assert_eq!(close("\"]\" ]"), Some(4));
        assert_eq!(close("\"\\\"]\"]"), Some(5));
        assert_eq!((close("a"), close("[a]"), close("\"]")), (None, None, None));
    }

    #[test]
    fn offsets_stand_behind_the_name() {
        assert_eq!(split_offset(b"cseq+12"), (&b"cseq"[..], 12));
        assert_eq!(split_offset(b"cseq-1"), (&b"cseq"[..], -1));
        assert_eq!(split_offset(b"cseq-x"), (&b"cseq-x"[..], 0));
    }
}
