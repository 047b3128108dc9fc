// SPDX-License-Identifier: AGPL-3.0-only
//! The contract between compiler and virtual machine.
//!
//! A scenario is compiled to a [`Draft`]: fixed-width [`Op`]s plus side tables of plain data. Only
//! [`Draft::verify`] turns a draft into a [`Program`], so whoever holds a `Program` may index its tables
//! without checking again. The compiler writes drafts, the machine reads programs, and neither knows the other.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`ids`] | typed indices into the side tables |
//! | [`op`] | the instruction set, described once |
//! | [`template`] | texts split into literal and keyword segments |
//! | [`recv_set`] | which `recv` steps may match at which step, and how |
//! | [`dist`] | random distributions of pauses: sampling and percentiles |
//! | [`media`] | what a scenario asks of media |
//! | [`media_args`] | reading the arguments of media actions |
//! | [`program`] | the draft, its side tables, the verified program |
//! | [`verify`] | what must hold before a draft may run |
//! | [`disasm`] | the listing that `gossipper compile --listing` prints |
//! | [`wire`] | the `.gsc` file format |
//! | [`fail`] | why a call failed, the one enum that all reports take their names from |
#![forbid(unsafe_code)]

pub mod automaton;
pub mod disasm;
pub mod dist;
pub mod fail;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
pub mod ids;
pub mod media;
pub mod media_args;
pub mod op;
pub mod program;
pub mod recv_set;
pub mod template;
pub mod verify;
pub mod wire;

pub use dist::Distribution;
pub use fail::FailReason;
pub use ids::{
    AuthId, AutomatonId, CaptureId, CounterId, DialogId, DistId, EditId, ElsewhereId, EregId,
    FieldId, FileId, IncludeId, MediaId, NumId, PauseId, Pc, PeerId, RecvId, RegexId, RtdId,
    SendId, StepId, StrCmpId, TemplateId, TestId, TextRef, TwinRecvId, TwinSendId, TxnId, VarId,
    VarScope,
};
pub use op::{ArithOp, LogLevel, Op, Operand, StopKind, TextOp};
pub use program::{Draft, Mode, Program, Step, StepKind, TwinRole};
pub use recv_set::{Callee, Optional, Recv, RecvMatch, RecvSet};
pub use template::{AutoMessage, Segment, Slot, Template, TemplateKind};
pub use verify::VerifyError;
