// SPDX-License-Identifier: AGPL-3.0-only
//! POSIX extended regular expressions, as SIPp's C library reads them, in the syntax of our engine.
//!
//! POSIX takes the longest of the matches that begin first; the fast engine takes the one its order of preference
//! finds first. Where both are provably the same (`agree`), the fast engine has the expression alone. For the others
//! the translation brings an [`Automaton`] that the machine walks in the C library's order, and the pattern only says
//! where a match may begin. It carries its own flags: bytes instead of Unicode, `.` matches line ends, `^` and `$` only
//! the very ends.

mod agree;
mod build;
mod parser;
mod set;
mod write;

use core::ops::Range;
use gossipper_bytecode::automaton::{Anchor, Automaton};
use parser::Parser;
use regex::bytes::RegexBuilder;
use set::Set;
use write::write_node;

/// A translated expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// In the engine's syntax.
    pub pattern: String,
    /// Number of groups.
    pub groups: usize,
    /// For the exact engine, where the other one may find something else.
    pub automaton: Option<Automaton>,
    /// What the author should know.
    pub findings: Vec<(Range<usize>, Finding)>,
}

/// Something legal that surprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The longest match cannot be looked for: the expression is too large for the engine that does.
    MayBeShorter,
    /// A backslash before a letter without a meaning: the letter itself.
    EscapedLetter(u8),
}

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EreError {
    /// Where, in bytes of the expression.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
}

/// Longest expression in bytes: what looks at pairs of alternatives must not meet thousands of long ones.
const MAX_LENGTH: usize = 16 * 1024;
/// Largest size of a built expression; the machine that links a program uses the same.
const SIZE_LIMIT: usize = 8 << 20;

/// Translates an expression and builds it once to be sure that the engine takes it.
///
/// # Errors
/// [`EreError`] for a malformed expression and one that is too large.
pub fn translate(source: &[u8]) -> Result<Translated, EreError> {
    if source.len() > MAX_LENGTH {
        return Err(EreError {
            at: 0..source.len(),
            message: format!("an expression of more than {MAX_LENGTH} bytes"),
        });
    }
    let mut parser = Parser::new(source);
    let node = parser.alternatives(0)?;
    let mut pattern = String::from("(?s-u)");
    write_node(&node, &mut pattern);
    let mut findings = parser.findings;
    let automaton = if node.is_single_path() {
        None
    } else {
        match build::build(&node, parser.groups) {
            Some(automaton) => Some(automaton).filter(|found| !agree::agree(&node, found)),
            None if node.refers_back() => {
                return Err(EreError {
                    at: 0..source.len(),
                    message: "an expression with back-references must be smaller".to_owned(),
                });
            }
            None => {
                findings.push((0..source.len(), Finding::MayBeShorter));
                None
            }
        }
    };
    let translated = Translated {
        pattern,
        groups: parser.groups,
        automaton,
        findings,
    };
    match RegexBuilder::new(&translated.pattern)
        .unicode(false)
        .size_limit(SIZE_LIMIT)
        .build()
    {
        Ok(_) => Ok(translated),
        Err(error) => Err(EreError {
            at: 0..source.len(),
            message: match error {
                regex::Error::CompiledTooBig(_) => {
                    "the expression needs too much memory".to_owned()
                }
                _ => "the engine cannot take this expression".to_owned(),
            },
        }),
    }
}

/// The graph of an expression, whichever engine it needs; `None` where there is none.
#[must_use]
pub fn automaton(source: &[u8]) -> Option<Automaton> {
    let mut parser = Parser::new(source.get(..MAX_LENGTH.min(source.len()))?);
    let node = parser.alternatives(0).ok()?;
    build::build(&node, parser.groups)
}

/// What an expression means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Empty,
    Set(Box<Set>),
    /// A condition on the place.
    Anchor(Anchor),
    /// A group and its number.
    Group(usize, Box<Self>),
    /// What a group has matched.
    Reference(u8),
    Repeat(Box<Self>, u32, Option<u32>),
    Concat(Vec<Self>),
    Alternatives(Vec<Self>),
}

impl Node {
    /// Whether the C library sees nothing at all here. `()` is something: a group.
    fn is_null(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Repeat(inner, _, most) => *most == Some(0) || inner.is_null(),
            Self::Concat(parts) => parts.iter().all(Self::is_null),
            Self::Set(_)
            | Self::Anchor(_)
            | Self::Group(..)
            | Self::Reference(_)
            | Self::Alternatives(_) => false,
        }
    }

    /// Whether it may match an empty text.
    fn is_nullable(&self) -> bool {
        match self {
            Self::Empty | Self::Anchor(_) | Self::Reference(_) => true,
            Self::Set(_) => false,
            Self::Group(_, inner) => inner.is_nullable(),
            Self::Repeat(inner, least, _) => *least == 0 || inner.is_nullable(),
            Self::Concat(parts) => parts.iter().all(Self::is_nullable),
            Self::Alternatives(branches) => branches.iter().any(Self::is_nullable),
        }
    }

    /// Whether there is no choice in it: every match of a text takes the same way.
    fn is_single_path(&self) -> bool {
        match self {
            Self::Empty | Self::Anchor(_) | Self::Set(_) => true,
            Self::Reference(_) | Self::Alternatives(_) => false,
            Self::Group(_, inner) => inner.is_single_path(),
            Self::Repeat(inner, least, most) => {
                Some(*least) == *most && inner.is_single_path() && !self.drops_groups()
            }
            Self::Concat(parts) => parts.iter().all(Self::is_single_path),
        }
    }

    /// Whether it is `(x){0}`: the fast engine forgets that the group was there and numbers the others anew.
    fn drops_groups(&self) -> bool {
        match self {
            Self::Repeat(inner, _, Some(0)) => inner.has_groups(),
            _ => false,
        }
    }

    fn has_groups(&self) -> bool {
        match self {
            Self::Empty | Self::Anchor(_) | Self::Set(_) | Self::Reference(_) => false,
            Self::Group(..) => true,
            Self::Repeat(inner, ..) => inner.has_groups(),
            Self::Concat(nodes) | Self::Alternatives(nodes) => nodes.iter().any(Self::has_groups),
        }
    }

    /// Whether it has back-references.
    fn refers_back(&self) -> bool {
        match self {
            Self::Empty | Self::Anchor(_) | Self::Set(_) => false,
            Self::Reference(_) => true,
            Self::Group(_, inner) | Self::Repeat(inner, ..) => inner.refers_back(),
            Self::Concat(nodes) | Self::Alternatives(nodes) => nodes.iter().any(Self::refers_back),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::bytes::Regex;

    /// Places of the match and its groups, `None` without a match, or the error.
    fn run(pattern: &str, text: &str) -> Result<Option<Vec<(usize, usize)>>, String> {
        let translated = translate(pattern.as_bytes()).map_err(|error| error.message)?;
        let regex = Regex::new(&translated.pattern).expect("translate has built it");
        Ok(regex.captures(text.as_bytes()).map(|found| {
            found
                .iter()
                .flatten()
                .map(|m| (m.start(), m.end()))
                .collect()
        }))
    }

    #[test]
    fn expressions_match_where_the_c_library_matches() {
        // What glibc's regexec says for each.
        type Case = (
            &'static str,
            &'static str,
            Option<&'static [(usize, usize)]>,
        );
        const CASES: &[Case] = &[
            (")", "x)", Some(&[(1, 2)])),
            ("a)b", "a)b", Some(&[(0, 3)])),
            ("()", "a", Some(&[(0, 0), (0, 0)])),
            ("", "abc", Some(&[(0, 0)])),
            ("a**", "aaa", Some(&[(0, 3)])),
            ("a+?", "aaa", Some(&[(0, 3)])),
            ("a??b", "b", Some(&[(0, 1)])),
            ("a{,2}b", "aab", Some(&[(0, 3)])),
            ("a{,}", "aaa", Some(&[(0, 3)])),
            ("a{1}{2}", "aa", Some(&[(0, 2)])),
            ("\\d", "d5", Some(&[(0, 1)])),
            ("\\w+", "ab_1-", Some(&[(0, 4)])),
            ("\\<b", "ab b", Some(&[(3, 4)])),
            ("a\\>", "ab a", Some(&[(3, 4)])),
            ("\\(a\\)", "(a)", Some(&[(0, 3)])),
            ("[]a]", "]", Some(&[(0, 1)])),
            ("[^]a]", "]b", Some(&[(1, 2)])),
            ("[a-]", "-", Some(&[(0, 1)])),
            ("[--/]", ".", Some(&[(0, 1)])),
            ("[[:alpha:]]+", "12ab", Some(&[(2, 4)])),
            ("[:alpha:]", "a", Some(&[(0, 1)])),
            ("[[=a=]]", "a", Some(&[(0, 1)])),
            ("[[.-.]]", "-", Some(&[(0, 1)])),
            ("[\\n]", "n", Some(&[(0, 1)])),
            ("[\\]]", "\\]", Some(&[(0, 2)])),
            ("a^b", "a^b", None),
            ("a$b", "a$b", None),
            ("a$", "a\n", None),
            ("^b", "a\nb", None),
            ("(^a)", "a", Some(&[(0, 1), (0, 1)])),
            ("a.b", "a\nb", Some(&[(0, 3)])),
            ("a[^x]b", "a\nb", Some(&[(0, 3)])),
            ("x{0}y", "y", Some(&[(0, 1)])),
            ("\\{a\\}", "{a}", Some(&[(0, 3)])),
            ("}", "}", Some(&[(0, 1)])),
            ("\\'", "a", Some(&[(1, 1)])),
            (
                "o=([[:alnum:]]+) ([[:alnum:]]+)",
                "o=ab 12",
                Some(&[(0, 7), (2, 4), (5, 7)]),
            ),
        ];
        for (pattern, text, wanted) in CASES {
            assert_eq!(
                run(pattern, text),
                Ok(wanted.map(<[_]>::to_vec)),
                "{pattern} on {text:?}"
            );
        }
    }

    #[test]
    fn what_the_c_library_refuses_is_refused() {
        for pattern in [
            "*a",
            "^*",
            "a|*b",
            "(*a)",
            "{1}a",
            "a{",
            "a{1,",
            "a{2,1}",
            "a{x}",
            "(a",
            "a\\",
            "[z-a]",
            "[[:foo:]]",
            "[a",
            "[",
            "\\b*",
            "$*",
            "a{32768}",
            "[a-c-e]",
            "[[:alpha:]-z]",
            "[a-[:alpha:]]",
            "a|b{",
            "[[:alpha:",
            "[[.hyphen.]]",
            "[]",
            "[^]",
            "a{1a}",
        ] {
            let error = translate(pattern.as_bytes()).expect_err(pattern);
            assert!(error.at.end <= pattern.len(), "{pattern}: {:?}", error.at);
        }
    }

    #[test]
    fn a_back_reference_needs_a_group_that_is_complete() {
        for (pattern, legal) in [
            ("(a)\\1", true),
            ("(a|(b)\\2)", true),
            ("((a)|b)\\2", true),
            ("(a\\1)", false),
            ("\\1(a)", false),
            ("(a)|\\1", false),
            ("(a)\\2", false),
        ] {
            assert_eq!(translate(pattern.as_bytes()).is_ok(), legal, "{pattern}");
        }
        let error = translate(b"(a)\\2").expect_err("no second group");
        assert_eq!(error.at, 3..5);
    }

    #[test]
    fn the_exact_engine_is_chosen_where_a_text_can_tell() {
        for (pattern, exact) in [
            ("(a|ab)", true),
            ("(ab|a)", false),
            ("INVITE|REGISTER", false),
            ("SUB|SUBSCRIBE", true),
            ("(SUB|SUBSCRIBE) ", false),
            ("abc|abd", false),
            ("(|a)", false),
            ("(a|)", false),
            ("[0-9]+|[a-z]+", false),
            ("a*|b", true),
            ("a?(ab)?", true),
            ("x(<sip:.*>|\"x\")", false),
            ("(a*)*", true),
            ("(a|b){0,3}", true),
            ("(a){0,3}", false),
            ("(a)\\1", true),
            ("(a){0}(b)", true),
        ] {
            let found = translate(pattern.as_bytes()).expect("legal").automaton;
            assert_eq!(found.is_some(), exact, "{pattern}");
        }
    }

    #[test]
    fn what_is_too_large_for_the_exact_engine_says_so() {
        let found = translate(b"([0-9]{1,200}|x){1,200}").expect("legal");
        assert_eq!((found.automaton, found.findings.len()), (None, 1));
        assert!(translate(b"(a)(\\1{1,200}|x){1,200}").is_err());
        assert_eq!(translate(b"[0-9]{20000}").expect("legal").findings, []);
    }

    #[test]
    fn bytes_above_ascii_are_bytes() {
        let translated = translate(b"\xE9[\xE0-\xEF]").expect("legal");
        let regex = Regex::new(&translated.pattern).expect("built");
        assert!(regex.is_match(b"x\xE9\xE1"));
        assert!(!regex.is_match("é".as_bytes()));
    }

    #[test]
    fn hostile_expressions_are_refused_in_little_time() {
        let deep = "(".repeat(10_000);
        assert!(translate(deep.as_bytes()).is_err());
        assert!(translate(b"((((a{1000}){1000}){1000}){1000})").is_err());
        let stars = format!("a{}", "*".repeat(10_000));
        assert!(translate(stars.as_bytes()).is_err());
        let mixed = format!("{}a{}", "(".repeat(100), ")********".repeat(100));
        assert!(translate(mixed.as_bytes()).is_err());
        assert!(translate(&[b'a'; MAX_LENGTH + 1]).is_err());
    }
}
