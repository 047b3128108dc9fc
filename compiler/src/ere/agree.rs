// SPDX-License-Identifier: AGPL-3.0-only
//! Whether a leftmost-first engine finds the same as the C library, whatever the text.
//!
//! Both take the most preferred way through the expression; the C library only among those that end last. So they
//! agree where the most preferred way always ends last, and the order of preference is the same. The first is decided
//! by following both at once through all texts ([`always_longest`]); the second is a matter of form ([`same_order`]).
//! A doubt counts as a no: the exact engine is slower, never wrong.

use super::Node as Ere;
use gossipper_bytecode::automaton::{Automaton, Node};
use std::collections::{HashMap, HashSet};

/// Most states that are looked at.
const MAX_STATES: usize = 2000;
/// Most nodes that are visited on the way.
const MAX_VISITS: usize = 1_000_000;

/// Whether both engines agree.
pub(super) fn agree(expression: &Ere, automaton: &Automaton) -> bool {
    !automaton.references && same_order(expression) && always_longest(automaton)
}

/// Whether the C library unfolds the expression into the same order of preference. It does not for repetitions of
/// what may be empty, where it also reports groups in a way of its own, nor for counts of what has several ways.
fn same_order(node: &Ere) -> bool {
    match node {
        Ere::Empty | Ere::Set(_) | Ere::Anchor(_) => true,
        Ere::Reference(_) => false,
        Ere::Group(_, inner) => same_order(inner),
        Ere::Concat(nodes) | Ere::Alternatives(nodes) => nodes.iter().all(same_order),
        Ere::Repeat(inner, least, most) => {
            let counted = most.is_some_and(|most| most > least.saturating_add(1));
            !node.drops_groups()
                && !inner.is_nullable()
                && same_order(inner)
                && (!counted || inner.is_single_path())
        }
    }
}

/// What stands in front of a place: nothing, a letter of a word, something else.
const BEFORE: [Option<u8>; 3] = [None, Some(b'a'), Some(b' ')];

/// What follows a place, as far as anchors can tell.
fn kind(byte: Option<u8>) -> usize {
    match byte {
        None => 0,
        Some(b) if b.is_ascii_alphanumeric() || b == b'_' => 1,
        Some(_) => 2,
    }
}

/// The ways that are open at a place: those of the leftmost-first engine in its order, and all.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    before: usize,
    preferred: Vec<u32>,
    all: Vec<u32>,
}

/// Whether the most preferred way always ends last.
fn always_longest(automaton: &Automaton) -> bool {
    let anchored = automaton
        .nodes
        .iter()
        .any(|node| matches!(node, Node::Assert { .. }));
    let bytes = representatives(automaton, anchored);
    let starts = if anchored { 0..BEFORE.len() } else { 2..3 };
    let mut open: Vec<State> = starts
        .map(|before| State {
            before,
            preferred: vec![automaton.start],
            all: vec![automaton.start],
        })
        .collect();
    let mut seen: HashSet<State> = open.iter().cloned().collect();
    let mut walk = Walk {
        automaton,
        visits: 0,
        marks: vec![0; automaton.nodes.len()],
        mark: 0,
    };
    while let Some(state) = open.pop() {
        // Without anchors all that may follow is the same.
        let mut closures: HashMap<usize, (Vec<u32>, Vec<u32>)> = HashMap::new();
        for after in core::iter::once(None).chain(bytes.iter().map(|byte| Some(*byte))) {
            let (preferred, all) = closures
                .entry(if anchored { kind(after) } else { 0 })
                .or_insert_with(|| {
                    let (before, after) = (BEFORE[state.before], after);
                    (
                        walk.closure(&state.preferred, true, before, after),
                        walk.closure(&state.all, false, before, after),
                    )
                });
            let ends = |list: &[u32]| {
                list.iter()
                    .any(|node| automaton.nodes[*node as usize] == Node::Match)
            };
            if ends(all) && !ends(preferred) {
                return false;
            }
            let Some(byte) = after else {
                continue;
            };
            let mut next = State {
                before: if anchored { kind(after) } else { 2 },
                preferred: walk.step(preferred, byte),
                all: walk.step(all, byte),
            };
            if next.all.is_empty() {
                continue;
            }
            next.all.sort_unstable();
            if seen.len() >= MAX_STATES || walk.visits > MAX_VISITS {
                return false;
            }
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    true
}

/// One byte of each kind that the expression tells apart.
fn representatives(automaton: &Automaton, anchored: bool) -> Vec<u8> {
    let mut kinds: HashSet<Vec<bool>> = HashSet::new();
    (0..=u8::MAX)
        .filter(|byte| {
            let mut sets: Vec<bool> = automaton
                .sets
                .iter()
                .map(|set| set.contains(*byte))
                .collect();
            sets.push(anchored && kind(Some(*byte)) == 1);
            kinds.insert(sets)
        })
        .collect()
}

struct Walk<'a> {
    automaton: &'a Automaton,
    visits: usize,
    /// The closure in which a node was last seen.
    marks: Vec<u32>,
    mark: u32,
}

impl Walk<'_> {
    /// The nodes that take a byte or end, in order of preference; `cut` at the end of a match.
    fn closure(
        &mut self,
        from: &[u32],
        cut: bool,
        before: Option<u8>,
        after: Option<u8>,
    ) -> Vec<u32> {
        self.mark += 1;
        let mut found = Vec::new();
        let mut stack: Vec<u32> = from.iter().rev().copied().collect();
        while let Some(index) = stack.pop() {
            if core::mem::replace(&mut self.marks[index as usize], self.mark) == self.mark {
                continue;
            }
            self.visits += 1;
            match self.automaton.nodes[index as usize] {
                Node::Set { .. } => found.push(index),
                Node::Match => {
                    found.push(index);
                    if cut {
                        break;
                    }
                }
                Node::Split { first, second } => stack.extend([second, first]),
                Node::Open { next, .. } | Node::Close { next, .. } => stack.push(next),
                Node::Reference { next, .. } => stack.push(next),
                Node::Assert { anchor, next } => {
                    if anchor.holds(before, after) {
                        stack.push(next);
                    }
                }
            }
        }
        found
    }

    /// Where the byte leads, each place once.
    fn step(&mut self, nodes: &[u32], byte: u8) -> Vec<u32> {
        self.mark += 1;
        self.visits += nodes.len();
        let mut to = Vec::new();
        for index in nodes {
            if let Node::Set { set, next } = self.automaton.nodes[*index as usize]
                && self.automaton.sets[set as usize].contains(byte)
                && core::mem::replace(&mut self.marks[next as usize], self.mark) != self.mark
            {
                to.push(next);
            }
        }
        to
    }
}
