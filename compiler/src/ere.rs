// SPDX-License-Identifier: AGPL-3.0-only
//! POSIX extended regular expressions, as SIPp's C library reads them, in the syntax of our engine.
//!
//! A translated pattern carries its own flags: bytes instead of Unicode, `.` matches line ends, `^` and `$` only the
//! very ends. What cannot be kept is the choice among matches: POSIX takes the longest, our engine the first
//! alternative that leads to one. [`Finding::AlternationDiffers`] says where that can be seen.
//!
//! Not here: back-references, which the engine does not have.

mod parser;
mod prefix;
mod set;
mod write;

use core::ops::Range;
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
    /// What the author should know.
    pub findings: Vec<(Range<usize>, Finding)>,
}

/// Something legal that surprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An alternative begins like a later one.
    AlternationDiffers,
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
    /// It is well formed, but needs a later version (a back-reference).
    pub later: bool,
}

/// Longest expression in bytes: what looks at pairs of alternatives must not meet thousands of long ones.
const MAX_LENGTH: usize = 16 * 1024;
/// Largest size of a built expression; the machine that links a program uses the same.
const SIZE_LIMIT: usize = 8 << 20;

/// Translates an expression and builds it once to be sure that the engine takes it.
///
/// # Errors
/// [`EreError`] for a malformed expression, one that is too large, and one with back-references.
pub fn translate(source: &[u8]) -> Result<Translated, EreError> {
    if source.len() > MAX_LENGTH {
        return Err(EreError {
            at: 0..source.len(),
            message: format!("an expression of more than {MAX_LENGTH} bytes"),
            later: false,
        });
    }
    let mut parser = Parser::new(source);
    let node = parser.alternatives(0)?;
    let mut pattern = String::from("(?s-u)");
    write_node(&node, &mut pattern);
    let translated = Translated {
        pattern,
        groups: parser.groups,
        findings: parser.findings,
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
            later: false,
        }),
    }
}

/// What an expression means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Empty,
    Set(Box<Set>),
    /// A condition on the place, in the engine's syntax.
    Anchor(&'static str),
    Group(Box<Self>),
    Repeat(Box<Self>, u32, Option<u32>),
    Concat(Vec<Self>),
    Alternatives(Vec<Self>),
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
            ("a||b", "b", Some(&[(0, 0)])),
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
            if *pattern == "a||b" {
                // POSIX takes the longest, `b`; the finding says so.
                let found = translate(b"a||b").expect("legal").findings;
                assert!(matches!(found[..], [(_, Finding::AlternationDiffers)]));
            }
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
            assert!(!error.later, "{pattern}");
            assert!(error.at.end <= pattern.len(), "{pattern}: {:?}", error.at);
        }
    }

    #[test]
    fn back_references_are_for_later() {
        let error = translate(b"(a)\\1").expect_err("no back-references");
        assert_eq!((error.at, error.later), (3..5, true));
    }

    #[test]
    fn alternatives_that_begin_alike_are_found() {
        for (pattern, differs) in [
            ("(a|ab)", true),
            ("(ab|a)", false),
            ("INVITE|REGISTER", false),
            ("SUB|SUBSCRIBE", true),
            ("abc|abd", false),
            ("(|a)", true),
            ("(a|)", false),
            ("[0-9]+|[a-z]+", false),
            ("a*|b", true),
            ("x(<sip:.*>|\"x\")", false),
        ] {
            let findings = translate(pattern.as_bytes()).expect("legal").findings;
            assert_eq!(!findings.is_empty(), differs, "{pattern}");
        }
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
