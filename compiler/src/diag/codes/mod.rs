// SPDX-License-Identifier: AGPL-3.0-only
//! The registry of diagnostic codes, one file per phase so that each has its own number range.
//!
//! | Range | Phase | File |
//! | --- | --- | --- |
//! | G00xx | reading bytes and XML | `reader.rs` |
//! | G01xx | structure, elements, attributes | `structure.rs` |
//! | G02xx | templates and keywords | `template.rs` |
//! | G03xx | resolving names | `resolve.rs` |
//! | G04xx | actions | `action.rs` |
//! | G05xx | flow of steps | `flow.rs` |
//! | G06xx | lints: what runs and surprises | `lint.rs` |
//! | G07xx | commands between twins | `twin.rs` |
//! | G08xx | part of the language that belongs to a later version | `later.rs` |
//!
//! A number is never given to another fault, even when its own is gone. To add one: add an entry with the next free
//! number of the phase's file, with what to do about it, what SIPp does, and an example that has the fault and one that
//! has not; tests compile both and hold the place that the bad one marks (see [`Example`]).

pub mod action;
mod example;
pub mod flow;
pub mod later;
pub mod lint;
mod page;
pub mod reader;
pub mod resolve;
pub mod structure;
pub mod template;
pub mod twin;

pub use example::{Bad, Example};

use std::fmt;

/// A diagnostic code, printed `G0213`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// The number after the `G`.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "G{:04}", self.0)
    }
}

/// What `gossipper explain` prints about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// Why it is a fault: a paragraph or two.
    pub explanation: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// What SIPp does with such a scenario: the end of a sentence that begins with its name.
    pub sipp: &'static str,
    /// The examples; absent only where one would be larger than a page (limits on size).
    pub example: Option<Example>,
}

/// Defines the codes of one phase: a constant each, and the `TABLE` of their pages.
macro_rules! codes {
    ($( $name:ident = $number:literal {
        title: $title:expr,
        explanation: $explanation:expr,
        $( remedy: $remedy:expr, )?
        $( sipp: $sipp:expr, )?
        $( also: [ $( $also:literal ),* $(,)? ], )?
        $( bad: $bad:expr, good: $good:expr $(,)? )?
    } )*) => {
        $(
            #[doc = $title]
            pub const $name: $crate::diag::codes::Code = $crate::diag::codes::Code($number);
        )*
        /// The pages of this phase, by number.
        pub(super) const TABLE: &[$crate::diag::codes::Entry] = &[ $(
            $crate::diag::codes::Entry {
                code: $name,
                title: $title,
                explanation: $explanation,
                remedy: concat!($( $remedy )?),
                sipp: concat!($( $sipp )?),
                example: $crate::diag::codes::codes!(@example [$( $( $also ),* )?] $( $bad, $good )?),
            },
        )* ];
    };
    (@example [$( $also:literal ),*]) => { None };
    (@example [$( $also:literal ),*] $bad:expr, $good:expr) => {
        Some($crate::diag::codes::Example::new($bad, $good, &[ $( $crate::diag::codes::Code($also) ),* ]))
    };
}
use codes;

/// All codes, by number.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    [
        reader::TABLE,
        structure::TABLE,
        template::TABLE,
        resolve::TABLE,
        action::TABLE,
        flow::TABLE,
        lint::TABLE,
        twin::TABLE,
        later::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// The page of a code as a user types it: `G0213`, `g0213`, `0213` or `213`.
pub fn find(code: &str) -> Option<&'static Entry> {
    let digits = code.strip_prefix(['G', 'g']).unwrap_or(code);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u16 = digits.parse().ok()?;
    all().find(|entry| entry.code.0 == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_within_their_ranges_and_are_unique() {
        let phases = [
            (reader::TABLE, 0..100),
            (structure::TABLE, 100..200),
            (template::TABLE, 200..300),
            (resolve::TABLE, 300..400),
            (action::TABLE, 400..500),
            (flow::TABLE, 500..600),
            (lint::TABLE, 600..700),
            (later::TABLE, 800..900),
        ];
        for (table, range) in phases {
            assert!(
                table.is_sorted_by(|a, b| a.code < b.code),
                "{range:?} is not in order"
            );
            for entry in table {
                assert!(
                    range.contains(&entry.code.0),
                    "{} is outside {range:?}",
                    entry.code
                );
            }
        }
    }

    #[test]
    fn every_page_says_something() {
        for entry in all() {
            assert!(
                !entry.title.ends_with('.'),
                "{}: a title has no full stop",
                entry.code
            );
            assert!(
                entry.explanation.ends_with(['.', '`']),
                "{}: explain it",
                entry.code
            );
            assert!(
                entry.remedy.ends_with(['.', '`']),
                "{}: say what to do about it",
                entry.code
            );
            assert!(
                !entry.sipp.is_empty() && !entry.sipp.ends_with('.'),
                "{}: say what SIPp does with it",
                entry.code
            );
            if let Some(example) = entry.example {
                assert_ne!(example.bad().text, example.good(), "{}", entry.code);
            }
        }
    }

    #[test]
    fn codes_are_found_as_users_type_them() {
        for typed in ["G0001", "g0001", "0001", "1"] {
            assert_eq!(
                find(typed).map(|e| e.code.to_string()).as_deref(),
                Some("G0001"),
                "{typed}"
            );
        }
        for typed in ["", "G", "G9999", "+1", "G-1", "G00011111111"] {
            assert!(find(typed).is_none(), "{typed}");
        }
    }
}
