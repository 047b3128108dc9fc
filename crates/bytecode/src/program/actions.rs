// SPDX-License-Identifier: AGPL-3.0-only
//! What the tables say of actions: searches, comparisons, samples, edits of injection files.

use crate::dist::Distribution;
use crate::ids::{AutomatonId, RegexId, TemplateId, TextRef, VarId};
use crate::op::Operand;
use serde::{Deserialize, Serialize};

/// The `check_it` attributes of `ereg`, `test` and `strcmp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Check {
    /// Neither.
    None,
    /// `check_it`: fails unless it matches.
    Match,
    /// `check_it_inverse`: fails if it matches.
    NoMatch,
}

/// A `sample` action.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// What it draws from.
    pub distribution: Distribution,
    /// Begins a stream of its own in each call, which depends on this and the call's number alone.
    pub seed: Option<u64>,
}

/// Where the text of an edit goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EditPlace {
    /// In place of what the field holds.
    Instead,
    /// In front of it.
    Before,
    /// Behind it.
    Behind,
}

/// An action that changes one field of an injection file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldEdit {
    /// Name of the file.
    pub file: TemplateId,
    /// Number of the line, from 0.
    pub line: TemplateId,
    /// Number of the field, from 0.
    pub field: u32,
    /// What to write.
    pub text: TemplateId,
    /// Where.
    pub place: EditPlace,
}

/// A regular expression, already translated from POSIX ERE to the engine's syntax.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Regex {
    /// The translated pattern (UTF-8).
    pub pattern: TextRef,
    /// The author's pattern, for messages.
    pub source: TextRef,
    /// What the exact engine walks, where the other may find something else. With back-references the translated
    /// pattern matches at least everything that the expression does.
    pub automaton: Option<AutomatonId>,
}

/// Where an `ereg` looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SearchIn {
    /// The whole message.
    Message,
    /// Behind the text of a header.
    Header {
        /// The text looked for.
        header: TextRef,
        /// Which hit, from 1.
        occurrence: u32,
        /// Whether the hit must be at the start of a line.
        start_line: bool,
        /// Whether case matters not.
        case_indep: bool,
    },
    /// Everything behind the first empty line.
    Body,
    /// The text of a variable.
    Var(VarId),
}

/// An `ereg` action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ereg {
    /// The expression.
    pub regex: RegexId,
    /// Where it looks.
    pub search_in: SearchIn,
    /// `check_it`.
    pub check: Check,
    /// Targets: the whole match, then its groups.
    pub assign_to: Vec<VarId>,
}

/// How a `test` compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Compare {
    /// `equal`
    Equal,
    /// `not_equal`
    NotEqual,
    /// `greater_than`
    Greater,
    /// `less_than`
    Less,
    /// `greater_than_equal`
    GreaterEqual,
    /// `less_than_equal`
    LessEqual,
}

/// A `test` action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Test {
    /// Left side.
    pub var: VarId,
    /// How.
    pub compare: Compare,
    /// Right side.
    pub with: Operand,
    /// Where the result goes, a bool.
    pub assign_to: Option<VarId>,
    /// `check_it`.
    pub check: Check,
}

/// What a `strcmp` compares with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StrOperand {
    /// A text.
    Text(TextRef),
    /// A variable.
    Var(VarId),
}

/// A `strcmp` action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StrCmp {
    /// Left side.
    pub var: VarId,
    /// Right side.
    pub with: StrOperand,
    /// Where the result goes, a number: 0 for equal.
    pub assign_to: Option<VarId>,
    /// `check_it`.
    pub check: Check,
}
