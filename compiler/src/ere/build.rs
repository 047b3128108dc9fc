// SPDX-License-Identifier: AGPL-3.0-only
//! An expression as the graph that the exact engine walks.
//!
//! Which sub-matches an expression reports depends on the order in which the C library tries things, down to how it
//! unfolds counts: `e{1,3}` becomes `e((e)?e)?`, and only the first copy that may be left out knows that it may
//! ([`Node::Close`]); a copy of a repetition has forgotten it. The graph keeps all that.

use super::Node as Ere;
use super::set::Set;
use gossipper_bytecode::automaton::{Automaton, ByteSet, MAX_GROUP, MAX_NODES, Node};
use std::collections::HashMap;

/// Builds the graph; `None` when it would be too large.
pub(super) fn build(expression: &Ere, groups: usize) -> Option<Automaton> {
    let mut builder = Builder::default();
    let end = builder.push(Node::Match)?;
    let start = builder.node(expression, Copy::First, end)?;
    let aliases = core::mem::take(&mut builder.aliases);
    // A reference to the inner group of `((a))` is one to the outer.
    for node in &mut builder.nodes {
        if let Node::Reference { group, .. } = node
            && let Some((_, outer)) = aliases.iter().find(|(inner, _)| inner == group)
        {
            *group = *outer;
        }
    }
    Some(Automaton {
        start,
        nodes: builder.nodes,
        sets: builder.sets,
        groups: u8::try_from(groups).unwrap_or(u8::MAX).min(MAX_GROUP),
        aliases,
        references: expression.refers_back(),
    })
}

/// Whether a part is built for the first time, or again for a count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    First,
    Later,
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    sets: Vec<ByteSet>,
    set_ids: HashMap<ByteSet, u32>,
    aliases: Vec<(u8, u8)>,
}

impl Builder {
    fn push(&mut self, node: Node) -> Option<u32> {
        if self.nodes.len() >= MAX_NODES {
            return None;
        }
        let index = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(node);
        Some(index)
    }

    fn set(&mut self, set: &Set) -> Option<u32> {
        let set = set.bits();
        if let Some(found) = self.set_ids.get(&set) {
            return Some(*found);
        }
        let id = u32::try_from(self.sets.len()).ok()?;
        self.sets.push(set);
        self.set_ids.insert(set, id);
        Some(id)
    }

    /// Builds what leads to `next` and gives its entry.
    fn node(&mut self, node: &Ere, copy: Copy, next: u32) -> Option<u32> {
        if node.is_null() {
            return Some(next);
        }
        match node {
            Ere::Empty => Some(next),
            Ere::Set(set) => {
                let set = self.set(set)?;
                self.push(Node::Set { set, next })
            }
            Ere::Anchor(anchor) => self.push(Node::Assert {
                anchor: *anchor,
                next,
            }),
            Ere::Reference(group) => self.push(Node::Reference {
                group: *group,
                next,
            }),
            Ere::Group(number, inner) => self.group(*number, inner, copy, false, next),
            Ere::Concat(parts) => parts
                .iter()
                .rev()
                .try_fold(next, |next, part| self.node(part, copy, next)),
            Ere::Alternatives(branches) => {
                let (last, others) = branches.split_last()?;
                let mut entry = self.node(last, copy, next)?;
                for branch in others.iter().rev() {
                    let first = self.node(branch, copy, next)?;
                    entry = self.push(Node::Split {
                        first,
                        second: entry,
                    })?;
                }
                Some(entry)
            }
            Ere::Repeat(inner, least, most) => {
                // The first copy is the expression itself; where none is required, that is the first optional one.
                let first_optional = if *least == 0 { copy } else { Copy::Later };
                let mut entry = match most {
                    None => self.star(inner, first_optional, copy, next)?,
                    Some(most) => {
                        let count = most.saturating_sub(*least);
                        self.up_to(inner, count, first_optional, copy, next)?
                    }
                };
                for required in (0..*least).rev() {
                    let copy = if required == 0 { copy } else { Copy::Later };
                    entry = self.node(inner, copy, entry)?;
                }
                Some(entry)
            }
        }
    }

    fn group(
        &mut self,
        number: usize,
        inner: &Ere,
        copy: Copy,
        optional: bool,
        next: u32,
    ) -> Option<u32> {
        let group = u8::try_from(number).ok().filter(|n| *n <= MAX_GROUP);
        // The inner one of two groups with nothing between them is kept by the outer.
        let inner = match inner {
            Ere::Group(other, body) => {
                if let (Some(group), Ok(other)) = (group, u8::try_from(*other))
                    && other <= MAX_GROUP
                    && !self.aliases.contains(&(other, group))
                {
                    self.aliases.push((other, group));
                }
                body
            }
            body => body,
        };
        let Some(group) = group else {
            return self.node(inner, copy, next);
        };
        let close = self.push(Node::Close {
            group,
            optional,
            next,
        })?;
        let body = self.node(inner, copy, close)?;
        self.push(Node::Open { group, next: body })
    }

    /// The first copy of a part that may be left out. In a copy of the whole repetition nothing is known of that.
    fn optional(&mut self, node: &Ere, copy: Copy, whole: Copy, next: u32) -> Option<u32> {
        match node {
            Ere::Group(number, inner) => {
                self.group(*number, inner, copy, whole == Copy::First, next)
            }
            other => self.node(other, copy, next),
        }
    }

    fn star(&mut self, inner: &Ere, copy: Copy, whole: Copy, next: u32) -> Option<u32> {
        let star = self.push(Node::Match)?;
        let first = self.optional(inner, copy, whole, star)?;
        self.nodes[star as usize] = Node::Split {
            first,
            second: next,
        };
        Some(star)
    }

    /// At most `count` times: `((e)?e)?`.
    fn up_to(
        &mut self,
        inner: &Ere,
        count: u32,
        copy: Copy,
        whole: Copy,
        next: u32,
    ) -> Option<u32> {
        if count == 0 {
            return Some(next);
        }
        let mut exits = vec![next];
        for _ in 1..count {
            exits.push(self.node(inner, Copy::Later, *exits.last()?)?);
        }
        let mut entry = self.optional(inner, copy, whole, *exits.last()?)?;
        for exit in exits.iter().rev() {
            entry = self.push(Node::Split {
                first: entry,
                second: *exit,
            })?;
        }
        Some(entry)
    }
}
