// SPDX-License-Identifier: AGPL-3.0-only
//! Writes an expression in the engine's syntax.

use super::Node;
use super::set::Set;
use core::fmt::Write as _;
use gossipper_bytecode::automaton::Anchor;

pub(super) fn write_node(node: &Node, out: &mut String) {
    match node {
        Node::Empty => {}
        Node::Set(set) => write_set(set, out),
        Node::Anchor(anchor) => out.push_str(match anchor {
            Anchor::Start => r"\A",
            Anchor::End => r"\z",
            Anchor::WordBoundary => r"\b",
            Anchor::NoWordBoundary => r"\B",
            Anchor::WordStart => r"\b{start}",
            Anchor::WordEnd => r"\b{end}",
        }),
        // Anything: this engine only says where a match may begin.
        Node::Reference(_) => out.push_str("(?:.*)"),
        Node::Group(_, inner) => {
            out.push('(');
            write_node(inner, out);
            out.push(')');
        }
        Node::Repeat(inner, least, most) => {
            // Behind another repetition `?` would make it lazy.
            let wrap = matches!(**inner, Node::Repeat(..));
            out.push_str(if wrap { "(?:" } else { "" });
            write_node(inner, out);
            out.push_str(if wrap { ")" } else { "" });
            // Writing to a String cannot fail.
            let _ = match (least, most) {
                (0, None) => out.write_char('*'),
                (1, None) => out.write_char('+'),
                (0, Some(1)) => out.write_char('?'),
                (least, None) => write!(out, "{{{least},}}"),
                (least, Some(most)) if least == most => write!(out, "{{{least}}}"),
                (least, Some(most)) => write!(out, "{{{least},{most}}}"),
            };
        }
        Node::Concat(parts) => parts.iter().for_each(|part| write_node(part, out)),
        Node::Alternatives(branches) => {
            for (index, branch) in branches.iter().enumerate() {
                if index > 0 {
                    out.push('|');
                }
                write_node(branch, out);
            }
        }
    }
}

fn write_set(set: &Set, out: &mut String) {
    let ranges = set.ranges();
    match ranges[..] {
        [(0, 255)] => out.push('.'),
        [(low, high)] if low == high => write_byte(low, out),
        _ => {
            out.push('[');
            let inverse = set.inverse().ranges();
            let ranges = if inverse.len() < ranges.len() {
                out.push('^');
                inverse
            } else {
                ranges
            };
            for (low, high) in ranges {
                write_byte(low, out);
                if high > low {
                    out.push('-');
                    write_byte(high, out);
                }
            }
            out.push(']');
        }
    }
}

fn write_byte(byte: u8, out: &mut String) {
    let plain = byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b' ' | b'@'
                | b':'
                | b';'
                | b'='
                | b','
                | b'"'
                | b'/'
                | b'<'
                | b'>'
                | b'_'
                | b'%'
                | b'!'
        );
    if plain {
        out.push(char::from(byte));
    } else if byte.is_ascii_punctuation() {
        out.push('\\');
        out.push(char::from(byte));
    } else {
        let _ = write!(out, "\\x{byte:02X}");
    }
}
