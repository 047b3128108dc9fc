// SPDX-License-Identifier: AGPL-3.0-only
//! Regular expressions for the exact engine: a graph of nodes in the order of preference of the C library.
//!
//! Most expressions mean the same to a fast leftmost-first engine and to POSIX; those have no automaton. The others
//! (docs/adr/0005-regex-semantics.md) bring one, and the machine walks it.
//!
//! Invariants, checked by [`crate::Draft::verify`]: there is a node, every edge leads to a node, every set and group
//! exists.

use serde::{Deserialize, Serialize};

/// Groups that an `ereg` or a back-reference can name: 1 to 9. Others are not recorded.
pub const MAX_GROUP: u8 = 9;

/// Most nodes of one automaton.
pub const MAX_NODES: usize = 16_384;

/// A condition on a place in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Anchor {
    /// The start of the text.
    Start,
    /// The end of the text.
    End,
    /// Between a word and something else.
    WordBoundary,
    /// Not between a word and something else.
    NoWordBoundary,
    /// The start of a word.
    WordStart,
    /// The end of a word.
    WordEnd,
}

impl Anchor {
    /// Whether the condition holds between two bytes; `None` is an end of the text.
    #[must_use]
    pub fn holds(self, before: Option<u8>, after: Option<u8>) -> bool {
        let word = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::WordBoundary => word(before) != word(after),
            Self::NoWordBoundary => word(before) == word(after),
            Self::WordStart => !word(before) && word(after),
            Self::WordEnd => word(before) && !word(after),
        }
    }
}

/// A set of bytes as a bit map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ByteSet(pub [u64; 4]);

impl ByteSet {
    /// Whether the byte belongs to the set.
    #[must_use]
    pub const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & 1 << (byte & 63) != 0
    }
}

/// A node. Edges are indices of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Node {
    /// Takes one byte of a set.
    Set {
        /// Which of [`Automaton::sets`].
        set: u32,
        /// What follows.
        next: u32,
    },
    /// Tries one way, then the other.
    Split {
        /// The preferred way.
        first: u32,
        /// The other.
        second: u32,
    },
    /// A group begins.
    Open {
        /// Its number.
        group: u8,
        /// What follows.
        next: u32,
    },
    /// A group ends.
    Close {
        /// Its number.
        group: u8,
        /// It is the part of a repetition that may be left out.
        optional: bool,
        /// What follows.
        next: u32,
    },
    /// A condition on the place.
    Assert {
        /// Which.
        anchor: Anchor,
        /// What follows.
        next: u32,
    },
    /// What a group has matched, again.
    Reference {
        /// Its number.
        group: u8,
        /// What follows.
        next: u32,
    },
    /// The end.
    Match,
}

/// An expression as a graph.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Automaton {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The sets that nodes name.
    pub sets: Vec<ByteSet>,
    /// Where it begins.
    pub start: u32,
    /// Number of groups recorded, at most [`MAX_GROUP`].
    pub groups: u8,
    /// Groups that are always where another one is: `((a))`.
    pub aliases: Vec<(u8, u8)>,
    /// It has back-references.
    pub references: bool,
}

impl Automaton {
    /// What breaks the invariants, if anything does.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let count = self.nodes.len();
        if count == 0 || count > MAX_NODES {
            return Some(format!("an automaton of {count} nodes"));
        }
        if self.groups > MAX_GROUP {
            return Some(format!("an automaton of {} groups", self.groups));
        }
        let group = |group: u8| group == 0 || group > self.groups;
        let edge = |to: u32| to as usize >= count;
        if edge(self.start) || self.aliases.iter().any(|(a, b)| group(*a) || group(*b)) {
            return Some("an automaton with a bad start or group".to_owned());
        }
        let bad = self.nodes.iter().position(|node| match *node {
            Node::Set { set, next } => set as usize >= self.sets.len() || edge(next),
            Node::Split { first, second } => edge(first) || edge(second),
            Node::Open { group: g, next } | Node::Close { group: g, next, .. } => {
                group(g) || edge(next)
            }
            Node::Reference { group: g, next } => group(g) || edge(next) || !self.references,
            Node::Assert { next, .. } => edge(next),
            Node::Match => false,
        });
        bad.map(|index| format!("node {index} of an automaton leads nowhere"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn automaton(nodes: Vec<Node>) -> Automaton {
        Automaton {
            nodes,
            sets: vec![ByteSet([0; 4])],
            start: 0,
            groups: 1,
            aliases: Vec::new(),
            references: false,
        }
    }

    #[test]
    fn edges_sets_and_groups_must_exist() {
        assert_eq!(automaton(vec![Node::Match]).fault(), None);
        for nodes in [
            vec![],
            vec![Node::Set { set: 1, next: 0 }],
            vec![Node::Set { set: 0, next: 1 }],
            vec![Node::Split {
                first: 0,
                second: 9,
            }],
            vec![Node::Open { group: 0, next: 0 }],
            vec![Node::Open { group: 2, next: 0 }],
            vec![Node::Reference { group: 1, next: 0 }],
        ] {
            assert!(automaton(nodes.clone()).fault().is_some(), "{nodes:?}");
        }
    }
}
