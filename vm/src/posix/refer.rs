// SPDX-License-Identifier: AGPL-3.0-only
//! Searching with back-references: the ways are tried in their order of preference until the longest match is known.
//!
//! What follows a place depends on the node, the place and the groups that are referred to; a combination that was met
//! before is not tried again. That keeps common expressions from the exponential, and the count of steps the others.

use super::regs::{Regs, Span};
use super::{Exact, GaveUp, MAX_STEPS, Spans, around};
use gossipper_bytecode::automaton::Node;
use hashbrown::HashMap;
use regex::bytes::Regex;
use smallvec::SmallVec;
use std::collections::HashSet;

/// No node passed yet.
const NOWHERE: u32 = u32::MAX;

/// What the future depends on besides node and place.
type Key = SmallVec<[Span; 4]>;

/// A way that was left for later.
struct Way {
    node: u32,
    at: u32,
    /// The last of the nodes passed since the last byte, in [`Search::passed`].
    passed: u32,
    regs: Regs,
}

/// The first match of those that begin first.
pub(super) fn find(exact: &Exact, fast: &Regex, text: &[u8]) -> Result<Option<Spans>, GaveUp> {
    if u32::try_from(text.len()).is_err() {
        return Err(GaveUp);
    }
    let mut search = Search {
        exact,
        text,
        steps: 0,
        passed: Vec::new(),
        keys: HashMap::default(),
        seen: HashSet::default(),
        ways: Vec::new(),
    };
    let mut from = 0;
    // The fast engine takes a reference for anything, so it misses no start.
    while let Some(start) = (from <= text.len())
        .then(|| fast.find_at(text, from))
        .flatten()
        .map(|found| found.start())
    {
        search.step()?;
        if let Some(found) = search.from(start)? {
            return Ok(Some(found));
        }
        from = start + 1;
    }
    Ok(None)
}

struct Search<'a> {
    exact: &'a Exact,
    text: &'a [u8],
    steps: u64,
    /// Lists of nodes passed since the last byte: each node with the index of the one before.
    passed: Vec<(u32, u32)>,
    keys: HashMap<Key, u32, foldhash::fast::FixedState>,
    seen: HashSet<(u32, u32, u32), foldhash::fast::FixedState>,
    ways: Vec<Way>,
}

impl Search<'_> {
    fn step(&mut self) -> Result<(), GaveUp> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(GaveUp);
        }
        Ok(())
    }

    /// The longest match from a place.
    fn from(&mut self, start: usize) -> Result<Option<Spans>, GaveUp> {
        self.passed.clear();
        self.keys.clear();
        self.seen.clear();
        self.ways.clear();
        self.ways.push(Way {
            node: self.exact.automaton.start,
            at: u32::try_from(start).unwrap_or(u32::MAX),
            passed: NOWHERE,
            regs: Regs::NONE,
        });
        let mut best: Option<(u32, Regs)> = None;
        while let Some(way) = self.ways.pop() {
            if let Some((end, regs)) = self.follow(way)?
                && best.is_none_or(|(longest, _)| longest < end)
            {
                best = Some((end, regs));
                if end as usize == self.text.len() {
                    break;
                }
            }
        }
        Ok(best.map(|(end, regs)| regs.spans(&self.exact.automaton, (start, end as usize))))
    }

    /// Follows a way to its end; where it parts, the other one is left for later.
    fn follow(&mut self, mut way: Way) -> Result<Option<(u32, Regs)>, GaveUp> {
        let automaton = &self.exact.automaton;
        loop {
            self.step()?;
            let node = automaton.nodes[way.node as usize];
            way.regs.pass(node, way.at);
            match node {
                Node::Match => return Ok(Some((way.at, way.regs))),
                Node::Set { set, next } => {
                    let byte = self.text.get(way.at as usize);
                    if !byte.is_some_and(|byte| automaton.sets[set as usize].contains(*byte))
                        || !self.is_new(&way)
                    {
                        return Ok(None);
                    }
                    way.at += 1;
                    way.passed = NOWHERE;
                    way.node = next;
                }
                Node::Reference { group, next } => {
                    let (Some(start), Some(end)) = way.regs.span(group) else {
                        return Ok(None);
                    };
                    let wanted = &self.text[start as usize..end as usize];
                    if !self.text[way.at as usize..].starts_with(wanted) {
                        return Ok(None);
                    }
                    if wanted.is_empty() {
                        self.pass(&mut way);
                    } else {
                        if !self.is_new(&way) {
                            return Ok(None);
                        }
                        way.at += end - start;
                        way.passed = NOWHERE;
                    }
                    way.node = next;
                }
                Node::Assert { anchor, next } => {
                    let (before, after) = around(self.text, way.at as usize);
                    if !anchor.holds(before, after) {
                        return Ok(None);
                    }
                    self.pass(&mut way);
                    way.node = next;
                }
                Node::Open { next, .. } | Node::Close { next, .. } => {
                    self.pass(&mut way);
                    way.node = next;
                }
                Node::Split { first, second } => {
                    self.pass(&mut way);
                    if self.was_passed(&way, first)? {
                        way.node = second;
                    } else {
                        self.ways.push(Way {
                            node: second,
                            ..way
                        });
                        way.node = first;
                    }
                }
            }
        }
    }

    /// Notes that the way goes through its node.
    fn pass(&mut self, way: &mut Way) {
        let index = u32::try_from(self.passed.len()).unwrap_or(NOWHERE);
        self.passed.push((way.node, way.passed));
        way.passed = index;
    }

    /// Whether the way went through a node since its last byte.
    fn was_passed(&mut self, way: &Way, node: u32) -> Result<bool, GaveUp> {
        let mut index = way.passed;
        while let Some((passed, before)) = self.passed.get(index as usize).copied() {
            if passed == node {
                return Ok(true);
            }
            self.step()?;
            index = before;
        }
        Ok(false)
    }

    /// Whether this place was not reached before with the same groups.
    fn is_new(&mut self, way: &Way) -> bool {
        let key: Key = self
            .exact
            .referred
            .iter()
            .flat_map(|group| [way.regs.span(*group), way.regs.kept(*group)])
            .collect();
        let next = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let key = *self.keys.entry(key).or_insert(next);
        self.seen.insert((way.node, way.at, key))
    }
}
