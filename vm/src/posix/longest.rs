// SPDX-License-Identifier: AGPL-3.0-only
//! The longest match from a given place, and the most preferred way to it.
//!
//! Forwards over the text with all ways at once: that gives the end. Backwards from there: that gives, for each place,
//! the nodes from which the end can still be reached. Then one walk that always takes the preferred way among those.

use super::regs::Regs;
use super::{Exact, GaveUp, KEPT_WORDS, MAX_VISITS, MAX_WORDS, Spans, around};
use gossipper_bytecode::automaton::Node;

/// Working memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A row of bits for each place: the nodes that lead to the end.
    rows: Vec<u64>,
    /// The step in which a node was last seen.
    marks: Vec<u64>,
    mark: u64,
    stack: Vec<u32>,
    now: Vec<u32>,
    next: Vec<u32>,
}

/// The longest match that begins at `start`; the caller knows that there is one.
pub(super) fn find(
    exact: &Exact,
    text: &[u8],
    start: usize,
    scratch: &mut Scratch,
) -> Result<Spans, GaveUp> {
    if u32::try_from(text.len()).is_err() {
        return Err(GaveUp);
    }
    let mut search = Search {
        exact,
        text,
        start,
        words: exact.automaton.nodes.len().div_ceil(64),
        visits: 0,
        scratch,
    };
    let end = search.forwards()?;
    search.backwards(end)?;
    let found = search.walk(end);
    if search.scratch.rows.capacity() > KEPT_WORDS {
        search.scratch.rows = Vec::new();
    }
    found
}

struct Search<'a> {
    exact: &'a Exact,
    text: &'a [u8],
    start: usize,
    /// Words of a row.
    words: usize,
    visits: u64,
    scratch: &'a mut Scratch,
}

impl Search<'_> {
    fn visit(&mut self, count: usize) -> Result<(), GaveUp> {
        self.visits += count as u64;
        if self.visits > MAX_VISITS {
            return Err(GaveUp);
        }
        Ok(())
    }

    /// A mark that no node has.
    fn fresh_mark(&mut self) -> u64 {
        self.scratch.mark += 1;
        self.scratch.mark
    }

    /// Where the longest match ends.
    fn forwards(&mut self) -> Result<usize, GaveUp> {
        let count = self.exact.automaton.nodes.len();
        if self.scratch.marks.len() < count {
            self.scratch.marks.resize(count, 0);
        }
        let mut end = None;
        let mut now = core::mem::take(&mut self.scratch.now);
        let mut next = core::mem::take(&mut self.scratch.next);
        now.clear();
        now.push(self.exact.automaton.start);
        let mut at = self.start;
        let mut outcome = Ok(());
        while !now.is_empty() {
            next.clear();
            if self.closure(&now, at, &mut next) {
                end = Some(at);
            }
            outcome = self.visit(now.len() + next.len());
            let Some(byte) = self.text.get(at).filter(|_| outcome.is_ok()) else {
                break;
            };
            now.clear();
            let mark = self.fresh_mark();
            for index in &next {
                if let Node::Set { set, next } = self.exact.automaton.nodes[*index as usize]
                    && self.exact.automaton.sets[set as usize].contains(*byte)
                    && core::mem::replace(&mut self.scratch.marks[next as usize], mark) != mark
                {
                    now.push(next);
                }
            }
            at += 1;
        }
        self.scratch.now = now;
        self.scratch.next = next;
        outcome?;
        // Without an end the fast engine was wrong about the start; no match is the careful answer.
        end.ok_or(GaveUp)
    }

    /// Finds the nodes that take a byte; says whether a match ends here.
    fn closure(&mut self, from: &[u32], at: usize, found: &mut Vec<u32>) -> bool {
        let (before, after) = around(self.text, at);
        let mark = self.fresh_mark();
        let mut ends = false;
        let Scratch { stack, marks, .. } = &mut *self.scratch;
        stack.clear();
        stack.extend_from_slice(from);
        while let Some(index) = stack.pop() {
            if core::mem::replace(&mut marks[index as usize], mark) == mark {
                continue;
            }
            self.visits += 1;
            match self.exact.automaton.nodes[index as usize] {
                Node::Set { .. } => found.push(index),
                Node::Split { first, second } => stack.extend([first, second]),
                Node::Open { next, .. } | Node::Close { next, .. } => stack.push(next),
                Node::Assert { anchor, next } => {
                    if anchor.holds(before, after) {
                        stack.push(next);
                    }
                }
                Node::Match => ends = true,
                // Expressions with references are not searched here.
                Node::Reference { .. } => {}
            }
        }
        ends
    }

    /// Fills the rows from `end` back to the start.
    fn backwards(&mut self, end: usize) -> Result<(), GaveUp> {
        let nodes = &self.exact.automaton.nodes;
        let places = end - self.start + 1;
        let size = places.saturating_mul(self.words);
        if size > MAX_WORDS {
            return Err(GaveUp);
        }
        self.scratch.rows.clear();
        self.scratch.rows.resize(size, 0);
        for at in (self.start..=end).rev() {
            self.visit(nodes.len() / 8 + 1)?;
            let row = (at - self.start) * self.words;
            let mut stack = core::mem::take(&mut self.scratch.stack);
            stack.clear();
            for (index, node) in (0u32..).zip(nodes) {
                let leads = match *node {
                    Node::Match => at == end,
                    Node::Set { set, next } => {
                        at < end
                            && self.exact.automaton.sets[set as usize].contains(self.text[at])
                            && self.leads(at + 1, next)
                    }
                    _ => false,
                };
                if leads {
                    stack.push(index);
                }
            }
            let (before, after) = around(self.text, at);
            while let Some(index) = stack.pop() {
                let word = &mut self.scratch.rows[row + index as usize / 64];
                let bit = 1 << (index % 64);
                if *word & bit != 0 {
                    continue;
                }
                *word |= bit;
                self.visits += 1;
                for source in &self.exact.sources[index as usize] {
                    match nodes[*source as usize] {
                        Node::Assert { anchor, .. } if !anchor.holds(before, after) => {}
                        _ => stack.push(*source),
                    }
                }
            }
            self.scratch.stack = stack;
        }
        Ok(())
    }

    /// Whether the end can be reached from a node at a place.
    fn leads(&self, at: usize, node: u32) -> bool {
        let row = (at - self.start) * self.words;
        self.scratch.rows[row + node as usize / 64] & 1 << (node % 64) != 0
    }

    /// The most preferred way.
    fn walk(&mut self, end: usize) -> Result<Spans, GaveUp> {
        let automaton = &self.exact.automaton;
        let mut regs = Regs::NONE;
        let mut at = self.start;
        let mut index = automaton.start;
        // Nodes passed since the last byte: a turn of a loop that takes nothing is not tried twice.
        let mut mark = self.fresh_mark();
        loop {
            self.visit(1)?;
            let node = automaton.nodes[index as usize];
            regs.pass(node, u32::try_from(at).unwrap_or(u32::MAX));
            index = match node {
                Node::Match => {
                    return Ok(regs.spans(automaton, (self.start, end)));
                }
                Node::Set { next, .. } => {
                    at += 1;
                    mark = self.fresh_mark();
                    next
                }
                Node::Split { first, second } => {
                    self.scratch.marks[index as usize] = mark;
                    let passed = self.scratch.marks[first as usize] == mark;
                    match (self.leads(at, first), self.leads(at, second)) {
                        (true, true) if passed => second,
                        (true, _) => first,
                        (false, _) => second,
                    }
                }
                Node::Open { next, .. }
                | Node::Close { next, .. }
                | Node::Assert { next, .. }
                | Node::Reference { next, .. } => {
                    self.scratch.marks[index as usize] = mark;
                    next
                }
            };
        }
    }
}
