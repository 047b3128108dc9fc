// SPDX-License-Identifier: AGPL-3.0-only
//! Searching with POSIX extended regular expressions as SIPp's C library does.
//!
//! An expression has a fast leftmost-first engine, and an automaton when that engine may find something else
//! (docs/adr/0005-regex-semantics.md). Then the fast one only says where a match may begin, and the automaton is walked
//! from there: `longest` in time and memory linear in the text, `refer` with back-references, which no engine can
//! promise. Both count steps, since the text is the peer's: a search that takes too many gives up ([`GaveUp`]).
//!
//! Not here: translating expressions, which is the compiler's.

mod longest;
mod refer;
mod regs;

use gossipper_bytecode::automaton::{Automaton, Node};
use regex::bytes::{CaptureLocations, Regex, RegexBuilder};
use smallvec::SmallVec;

/// Most nodes visited by one search without back-references: a text of 64 KiB with an expression of a hundred nodes.
const MAX_VISITS: u64 = 8 << 20;
/// Most steps of one search with back-references: some tens of milliseconds.
const MAX_STEPS: u64 = 1 << 19;
/// Most words of the table of one search (8 bytes each).
const MAX_WORDS: usize = 1 << 20;
/// Words of a table that are kept for the next search.
const KEPT_WORDS: usize = 1 << 14;
/// Bounds of what one expression may cost to build.
const SIZE_LIMIT: usize = 8 << 20;

/// The search took more steps than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GaveUp;

/// Places of a match and of its groups; `None` for a group that took no part.
pub type Spans = SmallVec<[Option<(usize, usize)>; 10]>;

/// An expression, ready to search.
#[derive(Debug)]
pub struct Expression {
    fast: Regex,
    exact: Option<Exact>,
}

/// What only some expressions have.
#[derive(Debug)]
struct Exact {
    automaton: Automaton,
    /// The nodes that lead to each node without taking a byte.
    sources: Vec<SmallVec<[u32; 2]>>,
    /// Groups that are referred to.
    referred: SmallVec<[u8; 4]>,
}

/// Working memory of a shard, used by one search after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    longest: longest::Scratch,
}

impl Expression {
    /// Builds an expression from its translation.
    ///
    /// # Errors
    /// What the fast engine says; the compiler has built the same pattern once.
    pub fn new(pattern: &str, automaton: Option<&Automaton>) -> Result<Self, regex::Error> {
        let fast = RegexBuilder::new(pattern)
            .unicode(false)
            .dot_matches_new_line(true)
            .size_limit(SIZE_LIMIT)
            .dfa_size_limit(SIZE_LIMIT)
            .build()?;
        Ok(Self {
            fast,
            exact: automaton.map(|automaton| Exact::new(automaton.clone())),
        })
    }

    /// Working memory of the fast engine for this expression.
    #[must_use]
    pub fn locations(&self) -> CaptureLocations {
        self.fast.capture_locations()
    }

    /// Whether there is a match.
    ///
    /// # Errors
    /// [`GaveUp`], only with back-references.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, GaveUp> {
        match &self.exact {
            Some(exact) if exact.automaton.references => {
                Ok(self.fast.is_match(text) && refer::find(exact, &self.fast, text)?.is_some())
            }
            // That there is one is the same in both engines.
            _ => Ok(self.fast.is_match(text)),
        }
    }

    /// The first match, of those the longest, and its groups.
    ///
    /// # Errors
    /// [`GaveUp`], only with an automaton.
    pub fn find(
        &self,
        text: &[u8],
        locations: &mut CaptureLocations,
        scratch: &mut Scratch,
    ) -> Result<Option<Spans>, GaveUp> {
        match &self.exact {
            Some(exact) if exact.automaton.references => refer::find(exact, &self.fast, text),
            Some(exact) => {
                // Where the first match begins is the same in both engines.
                let Some(found) = self.fast.find(text) else {
                    return Ok(None);
                };
                longest::find(exact, text, found.start(), &mut scratch.longest).map(Some)
            }
            None => {
                if self.fast.captures_read(locations, text).is_none() {
                    return Ok(None);
                }
                let all = 0..locations.len();
                Ok(Some(all.map(|index| locations.get(index)).collect()))
            }
        }
    }
}

impl Exact {
    fn new(automaton: Automaton) -> Self {
        let mut sources = vec![SmallVec::new(); automaton.nodes.len()];
        let mut referred = SmallVec::new();
        for (index, node) in (0u32..).zip(&automaton.nodes) {
            match *node {
                Node::Split { first, second } => {
                    sources[first as usize].push(index);
                    sources[second as usize].push(index);
                }
                Node::Open { next, .. } | Node::Close { next, .. } | Node::Assert { next, .. } => {
                    sources[next as usize].push(index);
                }
                Node::Reference { group, .. } => {
                    if !referred.contains(&group) {
                        referred.push(group);
                    }
                }
                Node::Set { .. } | Node::Match => {}
            }
        }
        Self {
            automaton,
            sources,
            referred,
        }
    }
}

/// What stands before and after a place.
fn around(text: &[u8], at: usize) -> (Option<u8>, Option<u8>) {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    (before.copied(), text.get(at).copied())
}

#[cfg(test)]
mod tests;
