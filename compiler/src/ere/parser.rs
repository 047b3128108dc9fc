// SPDX-License-Identifier: AGPL-3.0-only
//! Reads an expression by the grammar of glibc's POSIX extended syntax.

use super::set::{Set, class, space, word};
use super::{EreError, Finding, Node};
use core::ops::Range;
use gossipper_bytecode::automaton::{Anchor, MAX_GROUP};

/// Deepest nesting of groups.
const MAX_DEPTH: usize = 100;
/// Most repetitions of repetitions, as in `a**`.
const MAX_REPEATED: usize = 8;
/// Largest count in `{n,m}` (glibc's `RE_DUP_MAX`).
const MAX_COUNT: u32 = 0x7fff;
pub(super) struct Parser<'a> {
    source: &'a [u8],
    at: usize,
    pub(super) groups: usize,
    /// The first nine groups that are complete where the parser stands: bit 0 for the first.
    complete: u16,
    pub(super) findings: Vec<(Range<usize>, Finding)>,
}

/// One element of a bracket expression.
enum Item {
    Byte(u8),
    Set(Set),
}

impl<'a> Parser<'a> {
    /// At the start of an expression.
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            at: 0,
            groups: 0,
            complete: 0,
            findings: Vec::new(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn error<T>(&self, from: usize, message: impl Into<String>) -> Result<T, EreError> {
        let end = self.at.max(from + 1).min(self.source.len());
        Err(EreError {
            at: from.min(end)..end,
            message: message.into(),
        })
    }

    /// Whether the branch ends here. An unmatched `)` is itself.
    fn ends(&self, depth: usize) -> bool {
        match self.peek() {
            None | Some(b'|') => true,
            Some(b')') => depth > 0,
            Some(_) => false,
        }
    }

    pub(super) fn alternatives(&mut self, depth: usize) -> Result<Node, EreError> {
        if depth > MAX_DEPTH {
            return self.error(
                self.at.saturating_sub(1),
                format!("more than {MAX_DEPTH} groups inside each other"),
            );
        }
        let before = self.complete;
        let mut all = before;
        let mut branches = vec![self.branch(depth)?];
        while self.eat(b'|') {
            // A branch knows the groups in front of the alternatives and its own.
            all |= self.complete;
            self.complete = before;
            branches.push(self.branch(depth)?);
        }
        self.complete |= all;
        if branches.len() == 1 {
            return Ok(branches.swap_remove(0));
        }
        // The C library tries an empty branch behind the other one of its pair: `(|a)` is `(a|)`, and in `(|a|b)`
        // it stands between the two.
        if branches[0].is_null() && !branches[1].is_null() {
            branches.swap(0, 1);
        }
        Ok(Node::Alternatives(branches))
    }

    fn branch(&mut self, depth: usize) -> Result<Node, EreError> {
        let mut parts = Vec::new();
        while !self.ends(depth) {
            parts.push(self.repeated(depth)?);
        }
        Ok(match parts.len() {
            0 => Node::Empty,
            1 => parts.swap_remove(0),
            _ => Node::Concat(parts),
        })
    }

    fn repeated(&mut self, depth: usize) -> Result<Node, EreError> {
        let start = self.at;
        let mut node = self.atom(depth)?;
        // After an anchor a repetition stands for itself at the start of an expression, where it is an error.
        if matches!(node, Node::Anchor(_)) {
            return Ok(node);
        }
        let mut times = 0;
        loop {
            let here = self.at;
            let (least, most) = match self.peek() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => {
                    self.at += 1;
                    let counts = self.counts(here)?;
                    self.at -= 1;
                    counts
                }
                _ => return Ok(node),
            };
            self.at += 1;
            times += 1;
            if times > MAX_REPEATED {
                return self.error(start, "too many repetitions of a repetition");
            }
            node = Node::Repeat(Box::new(node), least, most);
        }
    }

    /// `n}`, `n,}`, `n,m}` or `,m}`.
    fn counts(&mut self, open: usize) -> Result<(u32, Option<u32>), EreError> {
        let least = self.number();
        let (least, most) = if self.eat(b',') {
            (least.unwrap_or(0), self.number())
        } else {
            let Some(least) = least else {
                return self.bad_counts(open);
            };
            (least, Some(least))
        };
        if !self.eat(b'}') {
            return self.bad_counts(open);
        }
        if most.is_some_and(|most| most < least) {
            return self.error(open, "the first count is greater than the second");
        }
        if least.max(most.unwrap_or(0)) > MAX_COUNT {
            return self.error(open, format!("a count greater than {MAX_COUNT}"));
        }
        Ok((least, most))
    }

    fn bad_counts<T>(&self, open: usize) -> Result<T, EreError> {
        if self.peek().is_none() {
            self.error(open, "`{` without `}`; write `\\{` for a brace")
        } else {
            self.error(
                open,
                "what stands between the braces is no count; write `\\{` for a brace",
            )
        }
    }

    fn number(&mut self) -> Option<u32> {
        let mut value = None;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            let so_far: u32 = value.unwrap_or(0);
            value = Some(
                so_far
                    .saturating_mul(10)
                    .saturating_add(u32::from(digit - b'0')),
            );
        }
        value
    }

    fn atom(&mut self, depth: usize) -> Result<Node, EreError> {
        let start = self.at;
        let Some(byte) = self.peek() else {
            return Ok(Node::Empty);
        };
        self.at += 1;
        Ok(match byte {
            b'(' => {
                self.groups += 1;
                let number = self.groups;
                let inner = self.alternatives(depth + 1)?;
                if !self.eat(b')') {
                    self.at = start + 1;
                    return self.error(start, "`(` without `)`");
                }
                if number <= usize::from(MAX_GROUP) {
                    self.complete |= 1 << (number - 1);
                }
                Node::Group(number, Box::new(inner))
            }
            b'[' => Node::Set(Box::new(self.bracket(start)?)),
            b'.' => Node::Set(Box::new(Set::ALL)),
            b'^' => Node::Anchor(Anchor::Start),
            b'$' => Node::Anchor(Anchor::End),
            b'*' | b'+' | b'?' | b'{' => {
                let shown = char::from(byte);
                return self.error(start, format!("nothing to repeat before `{shown}`"));
            }
            b'\\' => return self.escape(start),
            other => Node::Set(Box::new(Set::one(other))),
        })
    }

    fn escape(&mut self, start: usize) -> Result<Node, EreError> {
        let Some(byte) = self.peek() else {
            return self.error(start, "a backslash at the end");
        };
        self.at += 1;
        Ok(match byte {
            b'w' => Node::Set(Box::new(Set::of(word))),
            b'W' => Node::Set(Box::new(Set::of(word).inverse())),
            b's' => Node::Set(Box::new(Set::of(space))),
            b'S' => Node::Set(Box::new(Set::of(space).inverse())),
            b'b' => Node::Anchor(Anchor::WordBoundary),
            b'B' => Node::Anchor(Anchor::NoWordBoundary),
            b'<' => Node::Anchor(Anchor::WordStart),
            b'>' => Node::Anchor(Anchor::WordEnd),
            b'`' => Node::Anchor(Anchor::Start),
            b'\'' => Node::Anchor(Anchor::End),
            b'1'..=b'9' => {
                let number = byte - b'0';
                if self.complete & 1 << (number - 1) == 0 {
                    let message =
                        format!("`\\{number}` refers to a group that is not complete here");
                    return self.error(start, message);
                }
                Node::Reference(number)
            }
            other => {
                if other.is_ascii_alphanumeric() {
                    self.findings
                        .push((start..self.at, Finding::EscapedLetter(other)));
                }
                Node::Set(Box::new(Set::one(other)))
            }
        })
    }

    /// After `[`. A backslash has no meaning here.
    fn bracket(&mut self, start: usize) -> Result<Set, EreError> {
        let inverted = self.eat(b'^');
        let mut set = Set::EMPTY;
        let mut first = true;
        loop {
            match self.peek() {
                None => {
                    self.at = start + 1;
                    return self.error(start, "`[` without `]`");
                }
                Some(b']') if !first => {
                    self.at += 1;
                    break;
                }
                Some(_) => {}
            }
            first = false;
            let from = self.at;
            let item = self.item(start)?;
            let is_range = self.peek() == Some(b'-')
                && self.source.get(self.at + 1).is_some_and(|b| *b != b']');
            if !is_range {
                match item {
                    Item::Byte(byte) => set.insert(byte),
                    Item::Set(more) => set.union(&more),
                }
                continue;
            }
            self.at += 1;
            let end = self.item(start)?;
            let (Item::Byte(low), Item::Byte(high)) = (item, end) else {
                return self.error(from, "a class cannot be the end of a range");
            };
            if low > high {
                return self.error(from, "the range ends before it begins");
            }
            // `a-c-e` is no range of a range.
            if self.peek() == Some(b'-') && self.source.get(self.at + 1).is_some_and(|b| *b != b']')
            {
                self.at += 1;
                return self.error(from, "a range cannot begin with the end of another");
            }
            for byte in low..=high {
                set.insert(byte);
            }
        }
        Ok(if inverted { set.inverse() } else { set })
    }

    fn item(&mut self, open: usize) -> Result<Item, EreError> {
        let start = self.at;
        let Some(byte) = self.peek() else {
            self.at = open + 1;
            return self.error(open, "`[` without `]`");
        };
        self.at += 1;
        let kind = match (byte, self.peek()) {
            (b'[', Some(kind @ (b':' | b'=' | b'.'))) => kind,
            _ => return Ok(Item::Byte(byte)),
        };
        self.at += 1;
        let rest = &self.source[self.at..];
        let Some(length) = rest.windows(2).position(|pair| pair == [kind, b']']) else {
            self.at = self.source.len();
            return self.error(start, "`[:`, `[=` or `[.` that is not closed");
        };
        let name = &rest[..length];
        self.at += length + 2;
        match (kind, name) {
            (b':', name) => match class(name) {
                Some(set) => Ok(Item::Set(set)),
                None => self.error(start, "unknown class of characters"),
            },
            (b'=', [byte]) => Ok(Item::Set(Set::one(*byte))),
            (_, [byte]) => Ok(Item::Byte(*byte)),
            _ => self.error(start, "unknown collating element"),
        }
    }
}
