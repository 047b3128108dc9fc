// SPDX-License-Identifier: AGPL-3.0-only
//! Groups during a walk, with the rules of the C library for what a repetition leaves of them.

use super::Spans;
use gossipper_bytecode::automaton::{Automaton, MAX_GROUP, Node};

/// The whole match and the groups that can be named.
const COUNT: usize = MAX_GROUP as usize + 1;

/// Where a group begins and ends, as far as it is known.
pub(super) type Span = (Option<u32>, Option<u32>);

/// The groups, now and when one was last left that had matched something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Regs {
    now: [Span; COUNT],
    kept: [Span; COUNT],
}

impl Regs {
    pub(super) const NONE: Self = Self {
        now: [(None, None); COUNT],
        kept: [(None, None); COUNT],
    };

    /// Passes a node at a place.
    pub(super) fn pass(&mut self, node: Node, at: u32) {
        match node {
            Node::Open { group, .. } => self.now[usize::from(group)] = (Some(at), None),
            Node::Close {
                group, optional, ..
            } => {
                let group = usize::from(group);
                let (start, end) = &mut self.now[group];
                if start.is_some_and(|start| start < at) {
                    *end = Some(at);
                    self.kept = self.now;
                } else if optional && self.kept[group].0.is_some() {
                    // COMPAT(sipp): an empty turn of a repetition is undone, and with it whatever has begun since the
                    // last group that was not empty.
                    self.now = self.kept;
                } else {
                    *end = Some(at);
                }
            }
            Node::Set { .. }
            | Node::Split { .. }
            | Node::Assert { .. }
            | Node::Reference { .. }
            | Node::Match => {}
        }
    }

    /// A group as it is now.
    pub(super) fn span(&self, group: u8) -> Span {
        self.now[usize::from(group)]
    }

    /// A group as it would be restored.
    pub(super) fn kept(&self, group: u8) -> Span {
        self.kept[usize::from(group)]
    }

    /// The match and its groups.
    pub(super) fn spans(&self, automaton: &Automaton, whole: (usize, usize)) -> Spans {
        let known = |group: u8| match self.span(group) {
            (Some(start), Some(end)) => Some((start as usize, end as usize)),
            _ => None,
        };
        let mut spans: Spans = (0..=automaton.groups).map(known).collect();
        spans[0] = Some(whole);
        for (inner, outer) in &automaton.aliases {
            spans[usize::from(*inner)] = spans[usize::from(*outer)];
        }
        spans
    }
}
