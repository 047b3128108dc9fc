// SPDX-License-Identifier: AGPL-3.0-only
//! What must hold before a draft may run.
//!
//! The machine indexes tables without checking, so this is where a hostile or damaged program is stopped. Rules:
//!
//! 1. Every id, text and range points into its table.
//! 2. Control never runs off the end of the op list.
//! 3. A receive block (from a receive's entry to its `accept`) is straight: it contains no op that suspends, jumps
//!    only forward inside itself, and is entered at its start only. It therefore ends after at most as many ops as it has.
//! 4. The `init` section reaches `end` only, never a step.
//! 5. Parameters of distributions make sense.
//!
//! Loops of other ops are legal: the machine's step budget bounds what one input can cost.

mod authentication;
mod dialogs;
mod fields;
mod flow;
mod media;
mod twin;

use crate::ids::{DialogId, NumId, Pc, TextRef, VarId, VarScope};
use crate::media::Media;
use crate::op::{Op, Operand, StopKind};
use crate::program::{Capture, Draft, OnTimeout, PauseLength, SearchIn, StepKind, StrOperand};
use crate::recv_set::{Callee, RecvMatch};
use crate::template::{AutoMessage, Segment, Slot, TemplateKind};

/// A rule that a draft breaks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// An index or range points outside its table.
    #[error("{table} {index} is out of range (referred to by {by})")]
    OutOfRange {
        /// The table.
        table: &'static str,
        /// The index.
        index: usize,
        /// Who refers to it.
        by: String,
    },
    /// The op list breaks a rule of control flow.
    #[error("op {pc}: {rule}")]
    Flow {
        /// Where.
        pc: usize,
        /// The rule.
        rule: &'static str,
    },
    /// Something the machine needs is not there.
    #[error("the program has no {0}")]
    Missing(&'static str),
    /// A distribution has senseless parameters.
    #[error("pause {index}: {reason}")]
    Distribution {
        /// The pause.
        index: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Tables contradict each other.
    #[error("{0}")]
    Inconsistent(String),
}

/// Most targets of one `ereg`: the whole match and nine groups.
pub const MAX_EREG_TARGETS: usize = 10;

/// Checks every rule.
pub(crate) fn check(draft: &Draft) -> Result<(), VerifyError> {
    if draft.mode.is_none() {
        return Err(VerifyError::Missing("mode"));
    }
    if draft.steps.is_empty() {
        return Err(VerifyError::Missing("step"));
    }
    if draft.auto.len() != AutoMessage::ALL.len() {
        return Err(VerifyError::Missing("table of automatic messages"));
    }
    let v = Verifier { d: draft };
    v.tables()?;
    v.actions()?;
    v.media()?;
    v.fields()?;
    v.file_paths()?;
    v.dialogs()?;
    v.authentications()?;
    v.ops()?;
    v.flow()
}

struct Verifier<'a> {
    d: &'a Draft,
}

type Checked = Result<(), VerifyError>;

fn within(table: &'static str, index: usize, len: usize, by: impl FnOnce() -> String) -> Checked {
    if index < len {
        Ok(())
    } else {
        Err(VerifyError::OutOfRange {
            table,
            index,
            by: by(),
        })
    }
}

impl Verifier<'_> {
    fn text(&self, text: TextRef, by: &'static str) -> Checked {
        let end = u64::from(text.off) + u64::from(text.len);
        if end <= self.d.text.len() as u64 {
            Ok(())
        } else {
            within("text", end as usize, self.d.text.len(), || by.to_owned())
        }
    }

    fn var(&self, var: VarId, by: &'static str) -> Checked {
        within("variable", var.index(), self.d.variables.len(), || {
            by.to_owned()
        })
    }

    fn num(&self, num: NumId, by: &'static str) -> Checked {
        within("number", num.index(), self.d.numbers.len(), || {
            by.to_owned()
        })
    }

    fn operand(&self, operand: Operand, by: &'static str) -> Checked {
        match operand {
            Operand::Num(num) => self.num(num, by),
            Operand::Var(var) => self.var(var, by),
        }
    }

    fn pc(&self, pc: Pc, by: &'static str) -> Checked {
        within("op", pc.index(), self.d.ops.len(), || by.to_owned())
    }

    fn tables(&self) -> Checked {
        let d = self.d;
        for segment in &d.segments {
            self.segment(*segment)?;
        }
        for template in &d.templates {
            let end = u64::from(template.first) + u64::from(template.count);
            if end > d.segments.len() as u64 {
                within("segment", end as usize, d.segments.len(), || {
                    "a template".to_owned()
                })?;
            }
            match template.kind {
                TemplateKind::Request { method } => self.text(method, "a method")?,
                TemplateKind::Response { .. } | TemplateKind::Text => {}
            }
        }
        for id in &d.auto {
            within("template", id.index(), d.templates.len(), || {
                "an automatic message".to_owned()
            })?;
        }
        self.steps()?;
        self.sends()?;
        self.recvs()?;
        self.twins()?;
        for (index, pause) in d.pauses.iter().enumerate() {
            within("step", pause.step.index(), d.steps.len(), || {
                format!("pause {index}")
            })?;
            match pause.length {
                PauseLength::Default => {}
                PauseLength::Var(var) => self.var(var, "a pause")?,
                PauseLength::Drawn(dist) => dist
                    .check()
                    .map_err(|reason| VerifyError::Distribution { index, reason })?,
            }
        }
        for path in &d.includes {
            self.text(*path, "a file")?;
        }
        for (index, sample) in d.samples.iter().enumerate() {
            sample
                .distribution
                .check()
                .map_err(|reason| VerifyError::Inconsistent(format!("sample {index}: {reason}")))?;
        }
        for (index, edit) in d.edits.iter().enumerate() {
            for template in [edit.file, edit.line, edit.text] {
                let by = || format!("edit {index}");
                within("template", template.index(), d.templates.len(), by)?;
            }
        }
        for entry in &d.init_steps {
            self.pc(*entry, "an element of init")?;
        }
        if let Some(handler) = d.handler {
            self.pc(handler.entry, "the handler")?;
            for var in [handler.return_to, handler.paused_until]
                .into_iter()
                .flatten()
            {
                self.var(var, "the handler")?;
            }
        }
        for capture in &d.captures {
            match capture {
                Capture::Header(name) => self.text(*name, "a capture")?,
                Capture::Message | Capture::ToUri => {}
            }
        }
        for id in &d.capture_lists {
            within("capture", id.index(), d.captures.len(), || {
                "a list of captures".to_owned()
            })?;
        }
        self.names()
    }

    fn names(&self) -> Checked {
        let d = self.d;
        for rtd in &d.rtds {
            self.text(rtd.name, "a response-time timer")?;
        }
        for counter in &d.counters {
            self.text(*counter, "a counter")?;
        }
        for txn in &d.txns {
            self.text(txn.name, "a transaction")?;
            if let Some(ack) = txn.ack {
                within("send", ack.index(), d.sends.len(), || {
                    "a transaction".to_owned()
                })?;
            }
        }
        for scope in [VarScope::Call, VarScope::User, VarScope::Global] {
            let count = d.variable_count(scope);
            let mut seen = vec![false; count];
            for variable in d.variables.iter().filter(|v| v.scope == scope) {
                within("slot", usize::from(variable.slot), count, || {
                    "a variable".to_owned()
                })?;
                if core::mem::replace(&mut seen[usize::from(variable.slot)], true) {
                    return Err(VerifyError::Inconsistent(format!(
                        "two variables share slot {} of scope {scope:?}",
                        variable.slot
                    )));
                }
            }
        }
        for variable in &d.variables {
            self.text(variable.name, "a variable")?;
        }
        Ok(())
    }

    fn segment(&self, segment: Segment) -> Checked {
        let captures = self.d.captures.len();
        let capture = |id: crate::ids::CaptureId| {
            within("capture", id.index(), captures, || "a keyword".to_owned())
        };
        match segment {
            Segment::Literal(text) => self.text(text, "a literal"),
            Segment::Slot(slot) => match slot {
                Slot::LastRequestUri(id) | Slot::LastMessage(id) => capture(id),
                Slot::LastHeader(id, name) => {
                    capture(id)?;
                    self.text(name, "a keyword")
                }
                Slot::Var(var) => self.var(var, "a keyword"),
                Slot::File(id) => within("file", id.index(), self.d.includes.len(), || {
                    "a keyword".to_owned()
                }),
                Slot::FileAt(id) => within("template", id.index(), self.d.templates.len(), || {
                    "a keyword".to_owned()
                }),
                Slot::Field(id) => within("field", id.index(), self.d.fields.len(), || {
                    "a keyword".to_owned()
                }),
                Slot::Authentication(id) => {
                    let count = self.d.authentications.len();
                    within("authentication", id.index(), count, || {
                        "a keyword".to_owned()
                    })
                }
                Slot::Elsewhere(id) => {
                    within("keyword", id.index(), self.d.elsewhere.len(), || {
                        "a keyword".to_owned()
                    })
                }
                Slot::Fill(text, var) => {
                    self.text(text, "[fill]")?;
                    self.var(var, "[fill]")
                }
                Slot::Service
                | Slot::RemoteIp
                | Slot::RemoteHost
                | Slot::RemotePort(_)
                | Slot::LocalIp
                | Slot::LocalIpType
                | Slot::LocalPort(_)
                | Slot::ServerIp
                | Slot::Transport
                | Slot::SipTransport
                | Slot::TrunkFrom
                | Slot::TrunkPai
                | Slot::TrunkProvider
                | Slot::TrunkExtra
                | Slot::MediaIp
                | Slot::MediaIpType
                | Slot::MediaPort(_)
                | Slot::AutoMediaPort(_)
                | Slot::RtpStreamAudioPort(_)
                | Slot::RtpStreamVideoPort(_)
                | Slot::AudioPt
                | Slot::AudioCodec
                | Slot::AudioRtpmap
                | Slot::AudioFmtp
                | Slot::AudioSdp(_)
                | Slot::IceUfrag
                | Slot::IcePwd
                | Slot::MediaTransport
                | Slot::ContactTransport
                | Slot::CryptoTag(_)
                | Slot::CryptoSuite(..)
                | Slot::CryptoKey(..)
                | Slot::CryptoUnencrypted(..)
                | Slot::CallNumber
                | Slot::CallId
                | Slot::Cseq(_)
                | Slot::Branch(_)
                | Slot::MsgIndex
                | Slot::Pid
                | Slot::Len(_)
                | Slot::PeerTagParam
                | Slot::NextUrl
                | Slot::Routes
                | Slot::LastCseqNumber(_)
                | Slot::Users
                | Slot::UserId
                | Slot::TdmMap
                | Slot::Timestamp
                | Slot::Date
                | Slot::ClockTick
                | Slot::DynamicId
                | Slot::SippVersion => Ok(()),
            },
        }
    }

    fn steps(&self) -> Checked {
        let d = self.d;
        let recvs = d.recvs.len();
        for (index, step) in d.steps.iter().enumerate() {
            self.text(step.name, "a step")?;
            self.pc(step.entry, "a step")?;
            if let OnTimeout::Goto(pc) = step.on_timeout {
                self.pc(pc, "ontimeout")?;
            }
            if let Some(send) = step.send {
                within("send", send.index(), d.sends.len(), || {
                    format!("step {index}")
                })?;
            }
            if (step.kind == StepKind::Send) != step.send.is_some() {
                return Err(VerifyError::Inconsistent(format!(
                    "step {index} and the send table disagree"
                )));
            }
            let set = step.set;
            let ordered = set.forward <= set.forward_end
                && usize::from(set.forward_end) <= recvs
                && usize::from(set.backward_end) <= recvs
                && set.contiguous <= set.backward_end;
            if !ordered {
                return Err(VerifyError::Inconsistent(format!(
                    "the receive set of step {index} is out of range"
                )));
            }
        }
        Ok(())
    }

    fn sends(&self) -> Checked {
        let d = self.d;
        for (index, send) in d.sends.iter().enumerate() {
            let by = || format!("send {index}");
            within("step", send.step.index(), d.steps.len(), by)?;
            within("template", send.template.index(), d.templates.len(), by)?;
            if d.templates[send.template.index()].kind == TemplateKind::Text {
                return Err(VerifyError::Inconsistent(format!(
                    "send {index} has a template that is no message"
                )));
            }
            if let Some(num) = send.lost {
                self.num(num, "a send")?;
            }
            for txn in [send.starts, send.acks].into_iter().flatten() {
                within("transaction", txn.index(), d.txns.len(), by)?;
            }
        }
        Ok(())
    }

    fn recvs(&self) -> Checked {
        let d = self.d;
        for (index, recv) in d.recvs.iter().enumerate() {
            let by = || format!("recv {index}");
            within("step", recv.step.index(), d.steps.len(), by)?;
            self.text(recv.name, "a recv")?;
            self.text(recv.methods, "a recv")?;
            match recv.accepts {
                RecvMatch::Request(method) => self.text(method, "a recv")?,
                RecvMatch::RequestRegex(id) | RecvMatch::StatusRegex(id) => {
                    within("regex", id.index(), d.regexes.len(), by)?;
                }
                RecvMatch::Status(_) | RecvMatch::Never => {}
            }
            if let Some(txn) = recv.txn {
                within("transaction", txn.index(), d.txns.len(), by)?;
            }
            self.dialog(recv.dialog, by)?;
            match recv.accept {
                Some(Callee::User(text)) => {
                    within("template", text.index(), d.templates.len(), by)?;
                }
                Some(Callee::Anyone) | None => {}
            }
            if recv.accept.is_some() && recv.dialog == DialogId::MAIN {
                return Err(VerifyError::Inconsistent(format!(
                    "recv {index} begins the main dialog, which the call has from its birth"
                )));
            }
            if let Some(num) = recv.lost {
                self.num(num, "a recv")?;
            }
            if let Some(var) = recv.stay_unless {
                self.var(var, "a recv")?;
            }
            if let Some(ack) = recv.ack {
                within("send", ack.index(), d.sends.len(), by)?;
            }
            self.pc(recv.entry, "a recv")?;
            let end = u64::from(recv.captures_first) + u64::from(recv.captures_count);
            if end > d.capture_lists.len() as u64 {
                within("capture list", end as usize, d.capture_lists.len(), by)?;
            }
        }
        let ordered = d.recvs.windows(2).all(|pair| pair[0].step < pair[1].step);
        if !ordered {
            return Err(VerifyError::Inconsistent(
                "receives are not in document order".to_owned(),
            ));
        }
        Ok(())
    }

    fn actions(&self) -> Checked {
        let d = self.d;
        for regex in &d.regexes {
            self.text(regex.pattern, "a regular expression")?;
            self.text(regex.source, "a regular expression")?;
            if core::str::from_utf8(&d.text[regex.pattern.range()]).is_err() {
                return Err(VerifyError::Inconsistent(
                    "a regular expression is not UTF-8".to_owned(),
                ));
            }
            if let Some(automaton) = regex.automaton {
                within("automaton", automaton.index(), d.automata.len(), || {
                    "a regular expression".to_owned()
                })?;
            }
        }
        for automaton in &d.automata {
            if let Some(fault) = automaton.fault() {
                return Err(VerifyError::Inconsistent(fault));
            }
        }
        for (index, ereg) in d.eregs.iter().enumerate() {
            within("regex", ereg.regex.index(), d.regexes.len(), || {
                format!("ereg {index}")
            })?;
            match ereg.search_in {
                SearchIn::Header { header, .. } => self.text(header, "an ereg")?,
                SearchIn::Var(var) => self.var(var, "an ereg")?,
                SearchIn::Message | SearchIn::Body => {}
            }
            if ereg.assign_to.len() > MAX_EREG_TARGETS {
                return Err(VerifyError::Inconsistent(format!(
                    "ereg {index} has more than {MAX_EREG_TARGETS} targets"
                )));
            }
            for var in &ereg.assign_to {
                self.var(*var, "an ereg")?;
            }
        }
        for test in &d.tests {
            self.var(test.var, "a test")?;
            self.operand(test.with, "a test")?;
            if let Some(var) = test.assign_to {
                self.var(var, "a test")?;
            }
        }
        for strcmp in &d.strcmps {
            self.var(strcmp.var, "a strcmp")?;
            match strcmp.with {
                StrOperand::Text(text) => self.text(text, "a strcmp")?,
                StrOperand::Var(var) => self.var(var, "a strcmp")?,
            }
            if let Some(var) = strcmp.assign_to {
                self.var(var, "a strcmp")?;
            }
        }
        Ok(())
    }

    fn ops(&self) -> Checked {
        let d = self.d;
        for (pc, op) in d.ops.iter().enumerate() {
            let by = || format!("op {pc}");
            match *op {
                Op::End {}
                | Op::CloseCon {}
                | Op::TakeJump {}
                | Op::TakeInitJump {}
                | Op::Gate {}
                | Op::Await {}
                | Op::PauseWait {} => {}
                Op::Enter { step } | Op::Shown { step } => {
                    within("step", step.index(), d.steps.len(), by)?;
                }
                Op::Dialog { dialog } | Op::Begin { dialog } | Op::BeginAnew { dialog } => {
                    within("dialog", dialog.index(), d.dialogs.len(), by)?;
                }
                Op::Listen { recv } => {
                    within("recv", recv.index(), d.recvs.len(), by)?;
                    if d.recvs[recv.index()].accept.is_none() {
                        return Err(VerifyError::Inconsistent(format!(
                            "op {pc} listens for a receive that accepts nobody"
                        )));
                    }
                }
                Op::Jump { to }
                | Op::GuardKeep { to }
                | Op::GuardDrop { to }
                | Op::Resume { to } => {
                    self.pc(to, "a jump")?;
                }
                Op::JumpIfSet { var, to } | Op::JumpIfUnset { var, to } => {
                    self.var(var, "a jump")?;
                    self.pc(to, "a jump")?;
                }
                Op::JumpByChance { chance, to } => {
                    self.num(chance, "a jump")?;
                    self.pc(to, "a jump")?;
                }
                Op::SetJump { target } | Op::SetInitJump { target, .. } => {
                    self.operand(target, "a jump")?;
                }
                Op::PauseRestore { until } => self.operand(until, "a pause")?,
                Op::Index { var } | Op::TextOp { var, .. } => self.var(var, "an assignment")?,
                Op::Sample { var, dist } => {
                    self.var(var, "a sample")?;
                    within("sample", dist.index(), d.samples.len(), by)?;
                }
                Op::Send { send } | Op::Sent { send } => {
                    within("send", send.index(), d.sends.len(), by)?;
                }
                Op::Accept { recv } => within("recv", recv.index(), d.recvs.len(), by)?,
                Op::TwinSend { command } => {
                    within("sendCmd", command.index(), d.twin_sends.len(), by)?;
                }
                Op::TwinAwait { command } | Op::TwinAccept { command } => {
                    within("recvCmd", command.index(), d.twin_recvs.len(), by)?;
                }
                Op::Pause { pause } => within("pause", pause.index(), d.pauses.len(), by)?,
                Op::RtdStart { rtd } | Op::RtdStop { rtd } | Op::RtdStopRepeat { rtd } => {
                    within("rtd", rtd.index(), d.rtds.len(), by)?;
                }
                Op::Count { counter } => {
                    within("counter", counter.index(), d.counters.len(), by)?;
                }
                Op::Ereg { ereg } => within("ereg", ereg.index(), d.eregs.len(), by)?,
                Op::Test { test } => within("test", test.index(), d.tests.len(), by)?,
                Op::StrCmp { strcmp } => {
                    within("strcmp", strcmp.index(), d.strcmps.len(), by)?;
                }
                Op::Assign { var, value } | Op::Arith { var, by: value, .. } => {
                    self.var(var, "an assignment")?;
                    self.operand(value, "an assignment")?;
                }
                Op::AssignStr { var, template } => {
                    self.var(var, "an assignment")?;
                    within("template", template.index(), d.templates.len(), by)?;
                }
                Op::ToDouble { var, from } => {
                    self.var(var, "an assignment")?;
                    self.var(from, "an assignment")?;
                }
                Op::GetTime { seconds, micros } => {
                    self.var(seconds, "an assignment")?;
                    self.var(micros, "an assignment")?;
                }
                Op::Lookup { var, file, key } => {
                    self.var(var, "a lookup")?;
                    for template in [file, key] {
                        within("template", template.index(), d.templates.len(), by)?;
                    }
                }
                Op::Insert { file, value } => {
                    for template in [file, value] {
                        within("template", template.index(), d.templates.len(), by)?;
                    }
                }
                Op::Replace { file, line, value } => {
                    for template in [file, line, value] {
                        within("template", template.index(), d.templates.len(), by)?;
                    }
                }
                Op::EditField { edit } => within("edit", edit.index(), d.edits.len(), by)?,
                Op::SetDest {
                    host,
                    port,
                    protocol,
                } => {
                    for template in [host, port, protocol] {
                        within("template", template.index(), d.templates.len(), by)?;
                    }
                }
                Op::VerifyAuth {
                    var,
                    username,
                    password,
                } => {
                    self.var(var, "a verifyauth")?;
                    for template in [username, password] {
                        within("template", template.index(), d.templates.len(), by)?;
                    }
                }
                Op::Log { template, .. } | Op::Exec { template } | Op::Fatal { template } => {
                    within("template", template.index(), d.templates.len(), by)?;
                }
                Op::Media { media } | Op::MediaCheck { media } => {
                    within("media action", media.index(), d.media.len(), by)?;
                    let waits = matches!(d.media[media.index()].media, Media::Check(_));
                    if waits != matches!(op, Op::MediaCheck { .. }) {
                        let rule = "only a media check waits for media";
                        return Err(VerifyError::Flow { pc, rule });
                    }
                }
                Op::Stop { what } => match what {
                    StopKind::Call | StopKind::Gracefully | StopKind::Now => {}
                },
            }
        }
        Ok(())
    }
}
