// SPDX-License-Identifier: AGPL-3.0-only
//! What keeps a scenario on one shard: state that all its calls share and may change, or calls that more than one
//! Call-ID leads to (docs/adr/0012).

use crate::params::{BesideKind, CallIdPart, RunParams};
use core::fmt;
use gossipper_bytecode::{Mode, Op, Program, Segment, Slot, VarScope};

/// Why a run has one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confined {
    /// It has an `init` section.
    Init,
    /// It has global variables.
    Globals,
    /// `insert` or `replace` changes an injection file.
    Edits,
    /// It prints `[dynamic_id]`.
    DynamicId,
    /// `-tdmmap`.
    Circuits,
    /// `-users`.
    Users,
    /// It has commands for a twin.
    Twins,
    /// Its calls have more than one dialog.
    Dialogs,
    /// `-t ui`.
    Paths,
    /// All its calls are on one connection, or it closes connections that calls of peers are on.
    Connections,
    /// `-cid_type timestamp`.
    Time,
    /// `-oocsf`, `-oocsn`.
    OutOfCall,
    /// `-rxsf`, `-rxsn`.
    Receiver,
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "its `init` section runs once for all calls",
            Self::Globals => "all its calls share global variables",
            Self::Edits => "`insert` and `replace` change a file that all its calls read",
            Self::DynamicId => "[dynamic_id] counts over all calls",
            Self::Circuits => "-tdmmap gives circuits to calls from one table",
            Self::Users => "-users opens a user's next call when the one before has ended",
            Self::Twins => "commands of a twin do not say which shard they are for",
            Self::Paths => "-t ui has a socket per address, which only one shard reads",
            Self::Connections => {
                "its calls share one connection, or say what becomes of those they share"
            }
            Self::Time => "nobody knows in advance which Call-ID a call has that tells the time",
            Self::OutOfCall => "the out-of-call scenario runs beside it on the same shard",
            Self::Receiver => "the receiving scenario runs beside it on the same shard",
            Self::Dialogs => "its calls have several dialogs, hence several Call-IDs",
        })
    }
}

/// Whether it changes injection files.
pub(crate) fn edits(program: &Program) -> bool {
    program.ops.iter().any(|op| {
        matches!(
            op,
            Op::Insert { .. } | Op::Replace { .. } | Op::EditField { .. }
        )
    })
}

/// Whether calls have a say in what becomes of a connection that calls of other shards are on.
fn shares_connections(program: &Program, params: &RunParams) -> bool {
    if params.unreliable {
        return false;
    }
    let calls = program.mode() == Mode::Client || params.send_to_destination;
    let one = calls && !params.per_call;
    let ends = |op: &Op| matches!(op, Op::CloseCon {} | Op::SetDest { .. });
    one || (program.mode() == Mode::Server && program.ops.iter().any(ends))
}

/// Why a run of this program has to have one shard; `None` when it may have any number.
#[must_use]
pub fn confined(program: &Program, params: &RunParams) -> Option<Confined> {
    let counts = |segment: &Segment| *segment == Segment::Slot(Slot::DynamicId);
    let reasons = [
        (program.init.is_some(), Confined::Init),
        (
            program.variable_count(VarScope::Global) > 0,
            Confined::Globals,
        ),
        (edits(program), Confined::Edits),
        (program.segments.iter().any(counts), Confined::DynamicId),
        (params.circuits.is_some(), Confined::Circuits),
        (params.users.is_some(), Confined::Users),
        (program.link_role().is_some(), Confined::Twins),
        (params.paths.is_some(), Confined::Paths),
        (shares_connections(program, params), Confined::Connections),
        (!program.dialogs.is_empty(), Confined::Dialogs),
        (
            params.beside == Some(BesideKind::OutOfCall),
            Confined::OutOfCall,
        ),
        (
            params.beside == Some(BesideKind::Receiver),
            Confined::Receiver,
        ),
        (
            params.call_id.parts.contains(&CallIdPart::Time),
            Confined::Time,
        ),
    ];
    reasons
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why))
}
