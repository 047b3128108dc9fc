// SPDX-License-Identifier: AGPL-3.0-only
//! The instruction set, described once.
//!
//! [`Op`] is a fixed-width enum (ADR 0004). Operands are typed ids; anything larger sits in a side table. Only ops
//! that [`Op::suspends`] says so end a run of the machine; all others fall through or jump. Everything a call
//! does between two suspensions happens at one instant.

use crate::ids::{
    CounterId, DialogId, DistId, EditId, EregId, MediaId, NumId, PauseId, Pc, RecvId, RtdId,
    SendId, StepId, StrCmpId, TemplateId, TestId, TwinRecvId, TwinSendId, VarId,
};
use serde::{Deserialize, Serialize};

/// An arithmetic operator of the actions `add subtract multiply divide`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ArithOp {
    /// `add`
    Add,
    /// `subtract`
    Subtract,
    /// `multiply`
    Multiply,
    /// `divide`; by zero leaves the target unchanged and warns
    Divide,
}

/// A numeric operand: a constant of the pool or a variable read as a double.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Operand {
    /// A constant.
    Num(NumId),
    /// A variable.
    Var(VarId),
}

/// Where a text of an action goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LogLevel {
    /// `<log>`: a line of the log file.
    Log,
    /// `<warning>`: a line of the error log.
    Warning,
}

/// What `int_cmd` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StopKind {
    /// `stop_call`: this call ends, counted as rejected.
    Call,
    /// `stop_gracefully`: no new calls; the run ends with the open ones.
    Gracefully,
    /// `stop_now`: the run ends at once.
    Now,
}

/// A change of a text variable in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TextOp {
    /// `trim`: white space at both ends goes.
    Trim,
    /// `urlencode`: all but letters, digits and `-_.~` becomes `%XX`.
    UrlEncode,
    /// `urldecode`: `%XX` becomes a byte and `+` a blank.
    UrlDecode,
}

macro_rules! define_ops {
    ($($(#[doc = $doc:literal])* $name:ident $mnemonic:literal { $($field:ident: $ty:ty),* } $suspends:literal;)*) => {
        /// One instruction.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        pub enum Op {
            $($(#[doc = $doc])* $name { $(#[allow(missing_docs, reason = "operands are named by their type")] $field: $ty),* },)*
        }

        impl Op {
            /// The name that listings print.
            #[must_use]
            pub const fn mnemonic(self) -> &'static str {
                match self { $(Self::$name { .. } => $mnemonic,)* }
            }

            /// Whether the machine may stop here and wait for an input.
            #[must_use]
            pub const fn suspends(self) -> bool {
                match self { $(Self::$name { .. } => $suspends,)* }
            }

            /// Name, mnemonic, operands, whether it suspends, and the doc lines: what `docs/bytecode.md` is made of.
            pub const REFERENCE: &'static [OpReference] = &[
                $(OpReference {
                    mnemonic: $mnemonic,
                    operands: &[$((stringify!($field), stringify!($ty)),)*],
                    suspends: $suspends,
                    doc: concat!($($doc,)*),
                },)*
            ];
        }
    };
}

/// One row of the generated op reference.
#[derive(Clone, Copy, Debug)]
pub struct OpReference {
    /// The name that listings print.
    pub mnemonic: &'static str,
    /// Operand names and types.
    pub operands: &'static [(&'static str, &'static str)],
    /// Whether it ends a run.
    pub suspends: bool,
    /// What it does.
    pub doc: &'static str,
}

define_ops! {
    /// The call has come to its end: successful, unless a failed check was remembered.
    End "end" {} true;
    /// The call is now at this step; a receive timeout of the step before is disarmed.
    Enter "enter" { step: StepId } false;
    /// The step belongs to this dialog: what follows speaks of it.
    Dialog "dialog" { dialog: DialogId } false;
    /// The same; a dialog that has not begun begins now, with a Call-ID of ours.
    Begin "begin" { dialog: DialogId } false;
    /// The same; the dialog begins again, whatever it was.
    BeginAnew "begin-anew" { dialog: DialogId } false;
    /// From now on a request for the user of this receive begins its dialog.
    Listen "listen" { recv: RecvId } false;
    /// Go on at `to`.
    Jump "jump" { to: Pc } false;
    /// Go on at `to` if the variable is set.
    JumpIfSet "jump-set" { var: VarId, to: Pc } false;
    /// Go on at `to` unless the variable is set.
    JumpIfUnset "jump-unset" { var: VarId, to: Pc } false;
    /// Go on at `to` with the given probability.
    JumpByChance "jump-chance" { chance: NumId, to: Pc } false;
    /// Remember where the step is to be left to (action `jump`), an index of a step.
    SetJump "set-jump" { target: Operand } false;
    /// Leave the step to where `set-jump` said, if it ran in this step.
    TakeJump "take-jump" {} false;
    /// Remember where the given element of `init` is to be left to, an index of an element of `init`.
    SetInitJump "set-init-jump" { target: Operand, step: StepId } false;
    /// Leave the element of `init` to where `set-init-jump` said, if it ran in this element.
    TakeInitJump "take-init-jump" {} false;
    /// Wait while an earlier request of this call is being repeated.
    Gate "gate" {} true;
    /// Render a message and send it; arm its repetition.
    Send "send" { send: SendId } false;
    /// The message of the step was sent and its actions have run: count it.
    Sent "sent" { send: SendId } false;
    /// Wait for a message that the receive set of the step accepts, or for its timeout.
    Await "await" {} true;
    /// End of a receive block: dialog bookkeeping, keep what later steps read, advance or stay.
    Accept "accept" { recv: RecvId } true;
    /// Render a command, hand it to the twin and count it.
    TwinSend "twin-send" { command: TwinSendId } false;
    /// In the init section: wait for this command; what follows runs when none came in time.
    TwinAwait "twin-await" { command: TwinRecvId } true;
    /// End of the block of a received command: advance.
    TwinAccept "twin-accept" { command: TwinRecvId } true;
    /// Draw the length of a pause and start it.
    Pause "pause" { pause: PauseId } false;
    /// Wait until the pause is over.
    PauseWait "pause-wait" {} true;
    /// Start a response-time timer.
    RtdStart "rtd+" { rtd: RtdId } false;
    /// Stop a response-time timer and record it once per call.
    RtdStop "rtd-" { rtd: RtdId } false;
    /// Stop a response-time timer and record it at every pass.
    RtdStopRepeat "rtd-*" { rtd: RtdId } false;
    /// If an interrupted pause was restored: wait for its end here, then go on at `to` without doing this step.
    Resume "resume" { to: Pc } true;
    /// Set the end of the current pause, in ms since the run began; 0 for none.
    PauseRestore "pause-restore" { until: Operand } false;
    /// Add one to a user counter.
    Count "count" { counter: CounterId } false;
    /// A `nop` that shows a text has run: count it.
    Shown "shown" { step: StepId } false;
    /// Search a regular expression and assign what it captured.
    Ereg "ereg" { ereg: EregId } false;
    /// Compare numbers.
    Test "test" { test: TestId } false;
    /// Compare texts.
    StrCmp "strcmp" { strcmp: StrCmpId } false;
    /// If the action before failed its check: skip to `to`, and remember the failure for the end of the call.
    GuardKeep "guard-keep" { to: Pc } false;
    /// If the action before failed its check: skip to `to` and forget the failure.
    GuardDrop "guard-drop" { to: Pc } false;
    /// Set a variable to a number.
    Assign "assign" { var: VarId, value: Operand } false;
    /// Set a variable to a rendered text.
    AssignStr "assign-str" { var: VarId, template: TemplateId } false;
    /// Set a variable to the number that another one's text spells.
    ToDouble "to-double" { var: VarId, from: VarId } false;
    /// Combine a variable with an operand.
    Arith "arith" { op: ArithOp, var: VarId, by: Operand } false;
    /// Set a variable to the index of the step the call is at.
    Index "index" { var: VarId } false;
    /// Set a variable to a number drawn from a distribution.
    Sample "sample" { var: VarId, dist: DistId } false;
    /// Change the text of a variable.
    TextOp "text-op" { op: TextOp, var: VarId } false;
    /// Set two variables to the seconds and microseconds of the wall clock.
    GetTime "get-time" { seconds: VarId, micros: VarId } false;
    /// Render a text and hand it to a log.
    Log "log" { level: LogLevel, template: TemplateId } false;
    /// Render a shell command and hand it to the driver; nothing waits for it.
    Exec "exec" { template: TemplateId } false;
    /// Start or steer media. The machine of this version only passes over it, when told to.
    Media "media" { media: MediaId } false;
    /// Wait until packets have flown, or fail the call.
    MediaCheck "media-check" { media: MediaId } true;
    /// Set a variable to the number of the line that holds a text in the indexed field of an injection file, or -1.
    Lookup "lookup" { var: VarId, file: TemplateId, key: TemplateId } false;
    /// Add a line to an injection file in memory.
    Insert "insert" { file: TemplateId, value: TemplateId } false;
    /// Replace a line of an injection file in memory.
    Replace "replace" { file: TemplateId, line: TemplateId, value: TemplateId } false;
    /// Change one field of a line of an injection file in memory.
    EditField "edit-field" { edit: EditId } false;
    /// Send to another address from now on: host, port and transport are texts.
    SetDest "set-dest" { host: TemplateId, port: TemplateId, protocol: TemplateId } false;
    /// Close the call's connection, if it has one of its own.
    CloseCon "close-con" {} false;
    /// Set a variable to whether the message's `Authorization` is that of a user and a password.
    VerifyAuth "verify-auth" { var: VarId, username: TemplateId, password: TemplateId } false;
    /// Render a text and end the run with it as the error.
    Fatal "fatal" { template: TemplateId } true;
    /// Stop the call or the run.
    Stop "stop" { what: StopKind } true;
}

impl Op {
    /// Where it may jump to, to be changed.
    #[must_use]
    pub fn target_mut(&mut self) -> Option<&mut Pc> {
        match self {
            Self::Jump { to }
            | Self::JumpIfSet { to, .. }
            | Self::JumpIfUnset { to, .. }
            | Self::JumpByChance { to, .. }
            | Self::GuardKeep { to }
            | Self::GuardDrop { to }
            | Self::Resume { to } => Some(to),
            Self::End {}
            | Self::Enter { .. }
            | Self::Dialog { .. }
            | Self::Begin { .. }
            | Self::BeginAnew { .. }
            | Self::Listen { .. }
            | Self::SetJump { .. }
            | Self::TakeJump {}
            | Self::SetInitJump { .. }
            | Self::TakeInitJump {}
            | Self::Gate {}
            | Self::Send { .. }
            | Self::Sent { .. }
            | Self::Await {}
            | Self::Accept { .. }
            | Self::TwinSend { .. }
            | Self::TwinAwait { .. }
            | Self::TwinAccept { .. }
            | Self::Pause { .. }
            | Self::PauseWait {}
            | Self::RtdStart { .. }
            | Self::RtdStop { .. }
            | Self::RtdStopRepeat { .. }
            | Self::Count { .. }
            | Self::Shown { .. }
            | Self::Ereg { .. }
            | Self::Test { .. }
            | Self::StrCmp { .. }
            | Self::Assign { .. }
            | Self::AssignStr { .. }
            | Self::ToDouble { .. }
            | Self::Arith { .. }
            | Self::GetTime { .. }
            | Self::Log { .. }
            | Self::Exec { .. }
            | Self::Media { .. }
            | Self::MediaCheck { .. }
            | Self::PauseRestore { .. }
            | Self::Index { .. }
            | Self::Sample { .. }
            | Self::TextOp { .. }
            | Self::Fatal { .. }
            | Self::Lookup { .. }
            | Self::Insert { .. }
            | Self::Replace { .. }
            | Self::EditField { .. }
            | Self::VerifyAuth { .. }
            | Self::SetDest { .. }
            | Self::CloseCon {}
            | Self::Stop { .. } => None,
        }
    }

    /// Where it may jump to.
    #[must_use]
    pub fn target(mut self) -> Option<Pc> {
        self.target_mut().copied()
    }

    /// Whether control may reach the next op from this one.
    #[must_use]
    pub const fn falls_through(self) -> bool {
        !matches!(self, Self::End {} | Self::Jump { .. } | Self::Await {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_stays_eight_bytes() {
        assert_eq!(core::mem::size_of::<Op>(), 8);
    }

    #[test]
    fn every_op_is_documented_and_named_once() {
        let mut names: Vec<_> = Op::REFERENCE.iter().map(|op| op.mnemonic).collect();
        assert!(Op::REFERENCE.iter().all(|op| !op.doc.trim().is_empty()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Op::REFERENCE.len());
    }
}
