// SPDX-License-Identifier: AGPL-3.0-only
//! The listing of a program: one line per op, then receive sets, templates and the names they use.
//!
//! Meant to be read without a manual and to be compared in snapshots; its format is not an interface.

mod media;

use crate::ids::{CaptureId, DialogId, Pc, PeerId, StepId, TextRef, VarId};
use crate::media::KeyUse;
use crate::op::{Op, Operand};
use crate::program::{
    Capture, Check, Compare, Draft, OnTimeout, PauseLength, Program, SearchIn, Step, StepKind,
    StrOperand, TwinNeed,
};
use crate::recv_set::{Callee, Optional, Recv, RecvMatch};
use crate::template::{AutoMessage, Segment, Slot, Template, TemplateKind};
use core::fmt::{self, Write as _};

/// Longest literal that a listing quotes.
const QUOTED: usize = 48;

impl Program {
    /// The listing that `gossipper compile --listing` prints.
    #[must_use]
    pub fn listing(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = write_listing(&mut out, self);
        out
    }
}

impl Program {
    /// The actions of the scenario in its order: each with its step, in the notation of the listing.
    pub fn actions(&self) -> impl Iterator<Item = (StepId, String)> {
        let mut step = StepId(0);
        self.ops.iter().filter_map(move |&op| {
            if let Op::Enter { step: entered } = op {
                step = entered;
            }
            is_action(op).then(|| (step, format!("{} {}", op.mnemonic(), operands(self, op))))
        })
    }
}

/// Whether an op is what an author wrote as an action, and not what surrounds it.
fn is_action(op: Op) -> bool {
    matches!(
        op,
        Op::Ereg { .. }
            | Op::Test { .. }
            | Op::StrCmp { .. }
            | Op::Assign { .. }
            | Op::AssignStr { .. }
            | Op::ToDouble { .. }
            | Op::Arith { .. }
            | Op::Index { .. }
            | Op::Sample { .. }
            | Op::TextOp { .. }
            | Op::GetTime { .. }
            | Op::Log { .. }
            | Op::Exec { .. }
            | Op::Media { .. }
            | Op::MediaCheck { .. }
            | Op::Lookup { .. }
            | Op::Insert { .. }
            | Op::Replace { .. }
            | Op::EditField { .. }
            | Op::SetJump { .. }
            | Op::SetDest { .. }
            | Op::CloseCon {}
            | Op::VerifyAuth { .. }
            | Op::Fatal { .. }
            | Op::Stop { .. }
    )
}

fn write_listing(out: &mut String, p: &Program) -> fmt::Result {
    let d: &Draft = p;
    writeln!(
        out,
        "program \"{}\"  {}  ops {}  steps {}  registers {}  templates {}  receives {}",
        d.name,
        match p.mode() {
            crate::Mode::Client => "client",
            crate::Mode::Server => "server",
        },
        d.ops.len(),
        d.steps.len(),
        d.variables.len(),
        d.templates.len(),
        d.recvs.len(),
    )?;
    for (pc, op) in d.ops.iter().enumerate() {
        let mut line = format!("{pc:04}  {:<11} {}", op.mnemonic(), operands(p, *op));
        if let Some(note) = note(d, pc, *op) {
            line = format!("{line:<54} ; {note}");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    for (index, recv) in d.recvs.iter().enumerate() {
        writeln!(out, "m{index:<4} {}", receive(p, recv))?;
    }
    for (index, recv) in d.twin_recvs.iter().enumerate() {
        let mut line = format!("r{index:<4} command");
        if let Some(peer) = recv.peer {
            write!(line, " from {}", peer_name(d, peer))?;
        }
        match recv.need {
            TwinNeed::Must => {}
            TwinNeed::MayBePassed => line.push_str(" optional"),
            TwinNeed::MayLack => line.push_str(" optional alone"),
        }
        if let Some(ms) = recv.timeout_ms {
            write!(line, " timeout {ms}ms")?;
        }
        writeln!(out, "{line} {}", at(recv.entry))?;
    }
    for (index, step) in d.steps.iter().enumerate() {
        step_line(out, index, step)?;
    }
    for (index, template) in d.templates.iter().enumerate() {
        writeln!(out, "t{index:<4} {}", template_line(d, template))?;
    }
    for (message, id) in AutoMessage::ALL.iter().zip(&d.auto) {
        writeln!(out, "auto  {} {id}", message.id())?;
    }
    if let Some(id) = d.twin_abort {
        writeln!(out, "auto  3pcc_abort {id}")?;
    }
    for (index, variable) in d.variables.iter().enumerate() {
        writeln!(
            out,
            "v{index:<4} ${} {:?}",
            d.display(variable.name),
            variable.scope
        )?;
    }
    for (index, regex) in d.regexes.iter().enumerate() {
        let engine = match regex.automaton.map(|id| &d.automata[id.index()]) {
            Some(automaton) if automaton.references => "  ; refers back",
            Some(_) => "  ; longest",
            None => "",
        };
        writeln!(out, "x{index:<4} {:?}{engine}", d.display(regex.source))?;
    }
    Ok(())
}

/// The receives that matter at a step, and where its timeout leads; nothing when there is neither.
fn step_line(out: &mut String, index: usize, step: &Step) -> fmt::Result {
    let set = step.set;
    let mut line = String::new();
    if set.forward_end > set.forward || set.backward_end > 0 {
        let forward: Vec<_> = set.forward().map(|id| id.to_string()).collect();
        let back: Vec<_> = set
            .backward()
            .take_while(|(_, near)| *near)
            .map(|(id, _)| id.to_string())
            .collect();
        write!(line, " forward [{}]", forward.join(" "))?;
        if !back.is_empty() {
            write!(line, "  back [{}]", back.join(" "))?;
        }
    }
    if let Some(command) = step.command {
        write!(line, "  command {command}")?;
    }
    if let OnTimeout::Goto(pc) = step.on_timeout {
        write!(line, "  timeout {}", at(pc))?;
    }
    if step.reads_sdp {
        line.push_str("  reads sdp");
    }
    if !line.is_empty() {
        writeln!(out, "at {index:<3}{line}")?;
    }
    Ok(())
}

fn at(pc: Pc) -> String {
    format!("-> {:04}", pc.0)
}

fn peer_name(d: &Draft, id: PeerId) -> String {
    d.display(d.peers[id.index()])
}

fn var(d: &Draft, id: VarId) -> String {
    format!("${}", d.display(d.variables[id.index()].name))
}

fn operand(d: &Draft, value: Operand) -> String {
    match value {
        Operand::Num(num) => d.numbers[num.index()].to_string(),
        Operand::Var(id) => var(d, id),
    }
}

fn dialog_name(d: &Draft, id: DialogId) -> String {
    match id {
        DialogId::MAIN => "main".to_owned(),
        other => d.display(d.dialogs[other.index()].name),
    }
}

fn quoted(d: &Draft, text: TextRef) -> String {
    let bytes = d.bytes(text);
    let shown = &bytes[..bytes.len().min(QUOTED)];
    let more = if bytes.len() > QUOTED { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_ascii())
}

fn check(check: Check) -> &'static str {
    match check {
        Check::None => "",
        Check::Match => "  check",
        Check::NoMatch => "  check inverse",
    }
}

fn operands(p: &Program, op: Op) -> String {
    let d: &Draft = p;
    match op {
        Op::End {}
        | Op::CloseCon {}
        | Op::TakeJump {}
        | Op::TakeInitJump {}
        | Op::Gate {}
        | Op::PauseWait {}
        | Op::Await {} => String::new(),
        Op::Enter { step } | Op::Shown { step } => step.to_string(),
        Op::Dialog { dialog } | Op::Begin { dialog } | Op::BeginAnew { dialog } => {
            dialog_name(d, dialog)
        }
        Op::Listen { recv } => recv.to_string(),
        Op::Jump { to } | Op::GuardKeep { to } | Op::GuardDrop { to } | Op::Resume { to } => at(to),
        Op::PauseRestore { until } => operand(d, until),
        Op::Index { var: id } => var(d, id),
        Op::Sample { var: id, dist } => {
            let sample = d.samples[dist.index()];
            let seed = sample
                .seed
                .map_or_else(String::new, |seed| format!(" seed {seed}"));
            format!("{} = {:?}{seed}", var(d, id), sample.distribution)
        }
        Op::TextOp { op, var: id } => format!("{op:?} {}", var(d, id)),
        Op::JumpIfSet { var: id, to } | Op::JumpIfUnset { var: id, to } => {
            format!("{} {}", var(d, id), at(to))
        }
        Op::JumpByChance { chance, to } => format!("{} {}", d.numbers[chance.index()], at(to)),
        Op::SetJump { target } | Op::SetInitJump { target, .. } => operand(d, target),
        Op::Send { send } => {
            let s = &d.sends[send.index()];
            let mut text = format!("{} {}", s.template, d.display(d.steps[s.step.index()].name));
            if let Some(txn) = s.starts {
                let _ = write!(text, "  starts {}", d.display(d.txns[txn.index()].name));
            }
            if let Some(txn) = s.acks {
                let _ = write!(text, "  acks {}", d.display(d.txns[txn.index()].name));
            }
            if s.retrans_ms > 0 {
                let _ = write!(text, "  retrans {}ms", s.retrans_ms);
            }
            if s.timeout_ms > 0 {
                let _ = write!(text, "  timeout {}ms", s.timeout_ms);
            }
            if let Some(lost) = s.lost {
                let _ = write!(text, "  lost {}%", d.numbers[lost.index()]);
            }
            text
        }
        Op::Sent { send } => format!("{}", d.sends[send.index()].step),
        Op::Accept { recv } => recv.to_string(),
        Op::TwinSend { command } => {
            let send = &d.twin_sends[command.index()];
            let peer = send.peer.map(|peer| format!("  to {}", peer_name(d, peer)));
            format!("{}{}", send.template, peer.unwrap_or_default())
        }
        Op::TwinAwait { command } | Op::TwinAccept { command } => command.to_string(),
        Op::Pause { pause } => match d.pauses[pause.index()].length {
            PauseLength::Default => "default".to_owned(),
            PauseLength::Var(id) => var(d, id),
            PauseLength::Drawn(dist) => format!("{dist:?}"),
        },
        Op::RtdStart { rtd } | Op::RtdStop { rtd } | Op::RtdStopRepeat { rtd } => {
            quoted(d, d.rtds[rtd.index()].name)
        }
        Op::Count { counter } => quoted(d, d.counters[counter.index()]),
        Op::Ereg { ereg } => {
            let e = &d.eregs[ereg.index()];
            let place = match e.search_in {
                SearchIn::Message => "msg".to_owned(),
                SearchIn::Header { header, .. } => format!("hdr {}", quoted(d, header)),
                SearchIn::Body => "body".to_owned(),
                SearchIn::Var(id) => var(d, id),
            };
            let targets: Vec<_> = e.assign_to.iter().map(|id| var(d, *id)).collect();
            format!(
                "{} in {place} = {}{}",
                e.regex,
                targets.join(","),
                check(e.check)
            )
        }
        Op::Test { test } => {
            let t = &d.tests[test.index()];
            let sign = match t.compare {
                Compare::Equal => "==",
                Compare::NotEqual => "!=",
                Compare::Greater => ">",
                Compare::Less => "<",
                Compare::GreaterEqual => ">=",
                Compare::LessEqual => "<=",
            };
            let target = t.assign_to.map(|id| format!(" = {}", var(d, id)));
            format!(
                "{} {sign} {}{}{}",
                var(d, t.var),
                operand(d, t.with),
                target.unwrap_or_default(),
                check(t.check)
            )
        }
        Op::StrCmp { strcmp } => {
            let c = &d.strcmps[strcmp.index()];
            let with = match c.with {
                StrOperand::Text(text) => quoted(d, text),
                StrOperand::Var(id) => var(d, id),
            };
            let target = c.assign_to.map(|id| format!(" = {}", var(d, id)));
            format!(
                "{} {with}{}{}",
                var(d, c.var),
                target.unwrap_or_default(),
                check(c.check)
            )
        }
        Op::Assign { var: id, value } => format!("{} = {}", var(d, id), operand(d, value)),
        Op::AssignStr { var: id, template } => format!("{} = {template}", var(d, id)),
        Op::ToDouble { var: id, from } => format!("{} = {}", var(d, id), var(d, from)),
        Op::Arith { op, var: id, by } => format!("{} {op:?} {}", var(d, id), operand(d, by)),
        Op::GetTime { seconds, micros } => format!("{} {}", var(d, seconds), var(d, micros)),
        Op::Log { level, template } => format!("{level:?} {template}"),
        Op::Exec { template } | Op::Fatal { template } => template.to_string(),
        Op::Lookup { var: id, file, key } => format!("{} = {file} {key}", var(d, id)),
        Op::Insert { file, value } => format!("{file} {value}"),
        Op::Replace { file, line, value } => format!("{file} {line} = {value}"),
        Op::EditField { edit } => {
            let e = &d.edits[edit.index()];
            let (file, line, text) = (e.file, e.line, e.text);
            format!("{file} {line} field {} {:?} {text}", e.field, e.place)
        }
        Op::SetDest {
            host,
            port,
            protocol,
        } => format!("{host} {port} {protocol}"),
        Op::VerifyAuth {
            var: id,
            username,
            password,
        } => format!("{} = {username} {password}", var(d, id)),
        Op::Media { media } | Op::MediaCheck { media } => {
            media::operands(d, &d.media[media.index()].media)
        }
        Op::Stop { what } => format!("{what:?}"),
    }
}

/// What the author wrote where this op comes from.
fn note(d: &Draft, pc: usize, op: Op) -> Option<String> {
    if let Op::Await {} = op {
        return None;
    }
    let step = d
        .steps
        .iter()
        .enumerate()
        .find(|(_, step)| step.entry.index() == pc)
        .or_else(|| {
            d.recvs
                .iter()
                .find(|recv| recv.entry.index() == pc)
                .map(|recv| (recv.step.index(), &d.steps[recv.step.index()]))
        })
        .or_else(|| {
            let mut commands = d.twin_recvs.iter();
            let recv = commands.find(|recv| recv.entry.index() == pc)?;
            let step = recv.step?;
            Some((step.index(), &d.steps[step.index()]))
        });
    let (index, step) = step?;
    let kind = match step.kind {
        StepKind::Send => "send",
        StepKind::Recv => "recv",
        StepKind::Pause => "pause",
        StepKind::Timewait => "timewait",
        StepKind::Nop => "nop",
        StepKind::SendCmd => "sendCmd",
        StepKind::RecvCmd => "recvCmd",
    };
    Some(format!(
        "step {index} {kind} {}  {}:{}",
        d.display(step.name),
        d.file,
        step.line
    ))
}

fn receive(p: &Program, recv: &Recv) -> String {
    let d: &Draft = p;
    let mut text = match recv.accepts {
        RecvMatch::Request(method) => d.display(method),
        RecvMatch::Status(code) => code.to_string(),
        RecvMatch::RequestRegex(id) => format!("request ~ {}", id),
        RecvMatch::StatusRegex(id) => format!("response ~ {}", id),
        RecvMatch::Never => "never".to_owned(),
    };
    if recv.dialog != DialogId::MAIN {
        let _ = write!(text, " of {}", dialog_name(d, recv.dialog));
    }
    match recv.accept {
        None => {}
        Some(Callee::Anyone) => text.push_str(" accept anyone"),
        Some(Callee::User(template)) => {
            let _ = write!(text, " accept {template}");
        }
    }
    match recv.optional {
        Optional::No => {}
        Optional::Yes => text.push_str(" optional"),
        Optional::Global => text.push_str(" global"),
    }
    for (flag, word) in [
        (!recv.advance, " stays"),
        (recv.rrs, " rrs"),
        (recv.auth, " auth"),
    ] {
        if flag {
            text.push_str(word);
        }
    }
    if let Some(txn) = recv.txn {
        let _ = write!(text, " txn {}", d.display(d.txns[txn.index()].name));
    }
    if let Some(ms) = recv.timeout_ms {
        let _ = write!(text, " timeout {ms}ms");
    }
    let captures: Vec<_> = p
        .captures_of(recv)
        .iter()
        .map(|id| capture(d, *id))
        .collect();
    if !captures.is_empty() {
        let _ = write!(text, " capture({})", captures.join(", "));
    }
    if let Some(ack) = recv.ack {
        let _ = write!(text, " ack {}", d.sends[ack.index()].step);
    }
    let _ = write!(text, " {}", at(recv.entry));
    text
}

fn capture(d: &Draft, id: CaptureId) -> String {
    match d.captures[id.index()] {
        Capture::Header(name) => d.display(name),
        Capture::Message => "message".to_owned(),
        Capture::ToUri => "To.uri".to_owned(),
    }
}

fn template_line(d: &Draft, template: &Template) -> String {
    let segments = &d.segments[template.range()];
    let kind = match template.kind {
        TemplateKind::Request { method } => d.display(method),
        TemplateKind::Response { code } => code.to_string(),
        TemplateKind::Text => "text".to_owned(),
    };
    let literal: u64 = segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => u64::from(text.len),
            Segment::Slot(_) => 0,
        })
        .sum();
    let slots: Vec<_> = segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Slot(slot) => Some(slot_text(d, *slot)),
        })
        .collect();
    format!(
        "{kind}  {} segments  literal {literal} bytes  [{}]",
        segments.len(),
        slots.join(" ")
    )
}

fn slot_text(d: &Draft, slot: Slot) -> String {
    let name = slot.keyword();
    match slot {
        Slot::RemotePort(n)
        | Slot::LocalPort(n)
        | Slot::MediaPort(n)
        | Slot::AutoMediaPort(n)
        | Slot::RtpStreamAudioPort(n)
        | Slot::RtpStreamVideoPort(n)
        | Slot::AudioSdp(n)
        | Slot::Cseq(n)
        | Slot::Branch(n)
        | Slot::Len(n)
        | Slot::LastCseqNumber(n)
            if n != 0 =>
        {
            format!("{name}{n:+}")
        }
        Slot::LastHeader(_, typed) => format!("last_{}", d.display(typed)),
        Slot::Var(id) => var(d, id),
        Slot::File(id) => format!("file {}", quoted(d, d.includes[id.index()])),
        Slot::FileAt(path) => format!("file {path}"),
        Slot::CryptoTag(line) => format!("{name}{}", line.suffix()),
        Slot::CryptoSuite(line, suite) | Slot::CryptoUnencrypted(line, suite) => {
            format!("{name}{} {}", line.suffix(), suite.name())
        }
        Slot::CryptoKey(line, key) => {
            let again = match key {
                KeyUse::Fresh => "",
                KeyUse::Again => " again",
            };
            format!("{name}{}{again}", line.suffix())
        }
        Slot::Elsewhere(id) => {
            let keyword = d.elsewhere[id.index()];
            let inner = slot_text(d, keyword.slot);
            format!("{inner} dialog={}", dialog_name(d, keyword.dialog))
        }
        Slot::Fill(_, id) => format!("fill {}", var(d, id)),
        Slot::Authentication(id) => {
            let auth = d.authentications[id.index()];
            let mut text = name.to_owned();
            for (given, template) in [
                ("username", auth.username),
                ("password", auth.password),
                ("aka_K", auth.aka_k),
                ("aka_OP", auth.aka_op),
                ("aka_AMF", auth.aka_amf),
            ] {
                if let Some(template) = template {
                    let _ = write!(text, " {given}={template}");
                }
            }
            if auth.all {
                text.push_str(" all");
            }
            text
        }
        Slot::Field(id) => {
            let field = d.fields[id.index()];
            let mut text = format!("{name}{}", field.index);
            if let Some(file) = field.file {
                let _ = write!(text, " file={}", d.display(d.files[file.index()]));
            }
            if let Some(line) = field.line {
                let _ = write!(text, " line={line}");
            }
            text
        }
        _ => name.to_owned(),
    }
}
