// SPDX-License-Identifier: AGPL-3.0-only
//! Which `recv` steps may match a message, and in which order.
//!
//! SIPp walks the scenario at run time: forward from the current step over optional receives to the first mandatory
//! one, then backward. Both walks depend on the scenario alone, so a [`RecvSet`] holds
//! their results for each step as ranges of the table of [`Recv`]s, which is in document order.

use crate::ids::{
    DialogId, NumId, Pc, RecvId, RegexId, SendId, StepId, TemplateId, TextRef, TxnId, VarId,
};
use serde::{Deserialize, Serialize};

/// The attribute `optional`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Optional {
    /// Must be received.
    No,
    /// May be skipped.
    Yes,
    /// May be received at any later time.
    Global,
}

/// What a `recv` step accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RecvMatch {
    /// A request of exactly this method.
    Request(TextRef),
    /// A request whose method the expression is found in.
    RequestRegex(RegexId),
    /// A response of exactly this code.
    Status(u16),
    /// A response whose decimal code the expression is found in.
    StatusRegex(RegexId),
    /// Nothing (neither `request` nor `response` given).
    Never,
}

/// For whom a request must be that begins a dialog (`accept`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Callee {
    /// For anyone.
    Anyone,
    /// For the user that this text names when the call begins to listen.
    User(TemplateId),
}

/// A `recv` step.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recv {
    /// Its step.
    pub step: StepId,
    /// What it accepts.
    pub accepts: RecvMatch,
    /// Text shown for it: the method, the code or the expression.
    pub name: TextRef,
    /// Methods of all earlier request sends, concatenated; a response must have a CSeq method that occurs in it.
    pub methods: TextRef,
    /// `response_txn`: the response's branch must be that of the transaction.
    pub txn: Option<TxnId>,
    /// Its dialog: messages of others do not match.
    pub dialog: DialogId,
    /// `accept`: the request that matches begins the dialog.
    pub accept: Option<Callee>,
    /// `optional`.
    pub optional: Optional,
    /// `advance_state`.
    pub advance: bool,
    /// `rrs`.
    pub rrs: bool,
    /// `auth`: the challenge of a 401 or 407 is kept.
    pub auth: bool,
    /// `timeout` in ms; `None` takes `-recv_timeout`.
    pub timeout_ms: Option<u32>,
    /// Loss in percent; `None` takes `-lost`.
    pub lost: Option<NumId>,
    /// `test` of its `next`: an optional receive with an unset one does not advance.
    pub stay_unless: Option<VarId>,
    /// The ACK that is the next element: repeated when this final response is.
    pub ack: Option<SendId>,
    /// First op of the block that runs when it has matched; the block ends with `accept`.
    pub entry: Pc,
    /// What later steps can read of the message: first entry in [`crate::Draft::capture_lists`].
    pub captures_first: u32,
    /// Number of entries.
    pub captures_count: u32,
}

/// The receives that matter while a call is at one step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct RecvSet {
    /// First receive of the forward walk (the step itself, if it is a receive).
    pub forward: u16,
    /// One past the last receive of the forward walk: through the first mandatory one. Empty at other steps.
    pub forward_end: u16,
    /// One past the last receive before the step: the backward walk goes from here down to 0.
    pub backward_end: u16,
    /// How many receives of the backward walk are adjacent optional ones.
    pub contiguous: u16,
}

impl RecvSet {
    /// The forward walk, in the order to try.
    pub fn forward(&self) -> impl Iterator<Item = RecvId> + use<> {
        (self.forward..self.forward_end).map(RecvId)
    }

    /// The backward walk, nearest first, with whether the receive is adjacent.
    pub fn backward(&self) -> impl Iterator<Item = (RecvId, bool)> + use<> {
        let (end, contiguous) = (self.backward_end, self.contiguous);
        (0..end)
            .rev()
            .map(move |i| (RecvId(i), end - i <= contiguous))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backward_walk_marks_only_the_adjacent_receives() {
        let set = RecvSet {
            forward: 3,
            forward_end: 4,
            backward_end: 3,
            contiguous: 2,
        };
        let walk: Vec<_> = set.backward().collect();
        assert_eq!(
            walk,
            [(RecvId(2), true), (RecvId(1), true), (RecvId(0), false)]
        );
    }
}
