// SPDX-License-Identifier: AGPL-3.0-only
//! Whether one alternative may match the beginning of what another matches: there the engines differ.

use super::Node;
use super::set::Set;

/// The bytes with which a part that matches something can begin, with whether it always takes exactly one of them.
fn first_bytes(node: &Node) -> Option<(Set, bool)> {
    match node {
        Node::Set(set) => Some((**set, true)),
        Node::Group(inner) => first_bytes(inner).map(|(set, one)| {
            let single = one && matches!(**inner, Node::Set(_));
            (set, single)
        }),
        Node::Repeat(inner, least, most) if *least > 0 => {
            first_bytes(inner).map(|(set, one)| (set, one && *least == 1 && *most == Some(1)))
        }
        Node::Concat(parts) => parts
            .first()
            .and_then(first_bytes)
            .map(|(set, _)| (set, false)),
        Node::Alternatives(branches) => {
            let mut all = Set::EMPTY;
            for branch in branches {
                all.union(&first_bytes(branch)?.0);
            }
            Some((all, false))
        }
        Node::Empty | Node::Anchor(_) | Node::Repeat(..) => None,
    }
}

/// Whether a text that `second` matches may begin with a shorter one that `first` matches.
pub(super) fn may_begin(first: &Node, second: &Node) -> bool {
    let (first, second) = (parts(first), parts(second));
    let mut second = second.iter();
    for part in first {
        let Some(other) = second.next() else {
            // The second is a beginning of the first, unless what is left may be empty.
            return false;
        };
        match (first_bytes(part), first_bytes(other)) {
            (Some((a, _)), Some((b, _))) if !a.meets(&b) => return false,
            (Some((_, true)), Some((_, true))) => {}
            _ => return true,
        }
    }
    second.next().is_some()
}

fn parts(node: &Node) -> &[Node] {
    match node {
        Node::Concat(parts) => parts,
        Node::Empty => &[],
        other => core::slice::from_ref(other),
    }
}
