// SPDX-License-Identifier: AGPL-3.0-only
//! Typed indices into the side tables of a program.
//!
//! Each table has its own index type, so that a step can never be mistaken for a template. Indices are only
//! meaningful together with the program they were made for; [`crate::Draft::verify`] checks that they are in range.

use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident($int:ty) $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $int);

        impl $name {
            /// The index as a `usize`, for indexing the table.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The index of the entry at `index`, or `None` when the table is too large to be addressed.
            #[must_use]
            pub fn new(index: usize) -> Option<Self> {
                <$int>::try_from(index).ok().map(Self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}

id! {
    /// A step of the scenario: a message element in document order, from 0 (SIPp's message index).
    StepId(u16) "";
    /// A template: a text with keywords.
    TemplateId(u16) "t";
    /// A `send` step's parameters.
    SendId(u16) "s";
    /// A `recv` step's parameters; the table is in document order.
    RecvId(u16) "m";
    /// A `pause` step's parameters.
    PauseId(u16) "p";
    /// A response-time timer.
    RtdId(u16) "";
    /// A user counter.
    CounterId(u16) "";
    /// An injection file that the scenario names.
    FileId(u16) "";
    /// A field of an injection file.
    FieldId(u16) "f";
    /// An `[authentication]` keyword's parameters.
    AuthId(u16) "a";
    /// A transaction named by `start_txn`.
    TxnId(u16) "";
    /// A dialog of the scenario; 0 is the main one.
    DialogId(u8) "";
    /// A keyword that speaks of another dialog.
    ElsewhereId(u16) "w";
    /// A regular expression.
    RegexId(u16) "x";
    /// The automaton of a regular expression.
    AutomatonId(u16) "";
    /// An `ereg` action's parameters.
    EregId(u16) "e";
    /// A `test` action's parameters.
    TestId(u16) "q";
    /// A `strcmp` action's parameters.
    StrCmpId(u16) "c";
    /// A file whose content a message includes.
    IncludeId(u16) "i";
    /// A media action.
    MediaId(u16) "y";
    /// A distribution that `sample` draws from.
    DistId(u16) "d";
    /// An action that edits one field of an injection file.
    EditId(u16) "g";
    /// A `sendCmd` step's parameters.
    TwinSendId(u16) "w";
    /// A `recvCmd` step's parameters; the table is in document order.
    TwinRecvId(u16) "r";
    /// A peer that commands name (`dest`, `src`).
    PeerId(u16) "";
    /// A number in the pool of numeric constants.
    NumId(u16) "n";
    /// Something of the last received message that later steps can read.
    CaptureId(u16) "k";
    /// A position in the op list.
    Pc(u32) "";
}

impl DialogId {
    /// The dialog of steps that name none: its Call-ID is the call's own.
    pub const MAIN: Self = Self(0);
}

impl Pc {
    /// The op that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where a variable lives (SIPp: call-local by default, `<User>`, `<Global>`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VarScope {
    /// One value per call.
    Call,
    /// One value per user of `-users`; without `-users` as `Call`.
    User,
    /// One value for all calls.
    Global,
}

/// A variable: an index into [`crate::Draft::variables`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VarId(pub u16);

impl VarId {
    /// The index as a `usize`.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for VarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for VarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// A piece of the program's byte pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct TextRef {
    /// First byte.
    pub off: u32,
    /// Number of bytes.
    pub len: u32,
}

impl TextRef {
    /// The byte range in the pool.
    #[must_use]
    pub const fn range(self) -> core::ops::Range<usize> {
        self.off as usize..self.off as usize + self.len as usize
    }
}
