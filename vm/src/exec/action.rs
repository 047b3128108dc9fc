// SPDX-License-Identifier: AGPL-3.0-only
//! Actions and bookkeeping: the ops that never suspend.

use super::{Current, Cx, Next, authentication, injection};
use crate::call::Call;
use crate::input::Micros;
use crate::output::{ByteRange, LogKind, Output, StatEvent};
use crate::posix::{GaveUp, Spans};
use core::cmp::Ordering;
use gossipper_bytecode::media::{Argument, Media};
use gossipper_bytecode::program::{Check, Compare, SearchIn, StrCmp, StrOperand};
use gossipper_bytecode::{
    ArithOp, EregId, FailReason, MediaId, Op, Operand, RegexId, StepId, StrCmpId, TestId, VarId,
};

/// Longest header value that `search_in="hdr"` looks at.
const HEADER_MAX: usize = 2048;

/// Carries out one op. `failed` holds the failed check that the next guard looks at.
pub(super) fn action(
    cx: &mut Cx<'_>,
    call: &mut Call,
    op: Op,
    current: Current<'_>,
    failed: &mut Option<FailReason>,
) -> Next {
    match op {
        Op::Jump { to } => return Next::Goto(to),
        Op::JumpIfSet { var, to } if cx.value(call, var).is_set() => return Next::Goto(to),
        Op::JumpIfUnset { var, to } if !cx.value(call, var).is_set() => return Next::Goto(to),
        Op::JumpByChance { chance, to } => {
            let chance = cx.image.program.numbers[chance.index()];
            if crate::rng::percent(&mut call.rng, chance * 100.0) {
                return Next::Goto(to);
            }
        }
        Op::JumpIfSet { .. } | Op::JumpIfUnset { .. } => {}
        Op::GuardKeep { to } => {
            if let Some(reason) = failed.take() {
                call.failure = Some(reason);
                return Next::Goto(to);
            }
        }
        Op::GuardDrop { to } => {
            if failed.take().is_some() {
                return Next::Goto(to);
            }
        }
        Op::RtdStart { rtd } => super::rtd_start(cx, call, rtd),
        Op::RtdStop { rtd } => super::rtd_stop(cx, call, rtd, false),
        Op::RtdStopRepeat { rtd } => super::rtd_stop(cx, call, rtd, true),
        Op::Count { counter } => super::count(cx, counter),
        Op::Shown { step } => cx.stat(StatEvent::Shown { step }),
        Op::SetJump { target } => {
            let steps = cx.image.program.steps.len();
            return set_jump(cx, call, target, call.step, steps);
        }
        Op::SetInitJump { target, step } => {
            let steps = cx.image.program.init_steps.len();
            return set_jump(cx, call, target, step, steps);
        }
        Op::Ereg { ereg } => *failed = self::ereg(cx, call, ereg, current),
        Op::Test { test } => *failed = self::test(cx, call, test),
        Op::StrCmp { strcmp } => *failed = self::strcmp(cx, call, strcmp),
        Op::Assign { var, value } => {
            let value = operand(cx, call, value);
            set_number(cx, call, var, value);
        }
        Op::AssignStr { var, template } => match cx.render_action(call, template) {
            Ok(text) => {
                let mut scratch = core::mem::take(&mut cx.shared.scratch);
                scratch.clear();
                scratch.extend_from_slice(cx.out.bytes(text));
                let (regs, slot) = cx.slot(call, var);
                regs.set_text(slot, &scratch);
                cx.shared.scratch = scratch;
            }
            Err(reason) => return Next::Drop(reason),
        },
        Op::ToDouble { var, from } => match cx.value(call, from).to_number() {
            Some(number) => set_number(cx, call, var, number),
            None => {
                let text = format!(
                    "Invalid double conversion from ${} to ${}: Call-Id {}, step {}",
                    name_of(cx, from),
                    name_of(cx, var),
                    String::from_utf8_lossy(&call.call_id),
                    call.step
                );
                cx.warn(text.as_bytes());
            }
        },
        Op::Arith { op, var, by } => arith(cx, call, op, var, by),
        Op::GetTime { seconds, micros } => {
            let wall = cx.image.params.epoch_us.saturating_add(cx.now.0);
            set_number(cx, call, seconds, (wall / 1_000_000) as f64);
            set_number(cx, call, micros, (wall % 1_000_000) as f64);
        }
        Op::Log { level, template } => match cx.render_action(call, template) {
            Ok(text) => cx.out.push(Output::Log {
                kind: LogKind::Action(level),
                text,
            }),
            Err(reason) => return Next::Drop(reason),
        },
        Op::Exec { template } => match cx.render_action(call, template) {
            Ok(command) => cx.out.push(Output::Exec { command }),
            Err(reason) => return Next::Drop(reason),
        },
        Op::Media { media } if !cx.image.params.skips_media => {
            return self::media(cx, call, media);
        }
        // As the run was told to.
        Op::Media { .. } | Op::MediaCheck { .. } => cx.stat(StatEvent::MediaSkipped),
        Op::Lookup { var, file, key } => return injection::lookup(cx, call, var, file, key),
        Op::Insert { file, value } => return injection::insert(cx, call, file, value),
        Op::Replace { file, line, value } => {
            return injection::replace(cx, call, file, line, value);
        }
        Op::EditField { edit } => return injection::edit(cx, call, edit),
        Op::SetDest {
            host,
            port,
            protocol,
        } => return super::setdest::set_dest(cx, call, host, port, protocol),
        // COMPAT(sipp): a socket that calls share stays; SIPp crashes (docs/compat.md#actions).
        Op::CloseCon {} => crate::flows::close_own(cx, call),
        Op::VerifyAuth {
            var,
            username,
            password,
        } => return authentication::verify(cx, call, var, username, password, current),
        Op::PauseRestore { until } => {
            // In ms, as it was kept: see `unexpected::to_handler`.
            let until = operand(cx, call, until) * 1000.0;
            call.pause_until = (until >= 1.0).then_some(Micros(until as u64)).into();
        }
        Op::Index { var } => set_number(cx, call, var, f64::from(call.step.0)),
        Op::Sample { var, dist } => {
            let sample = cx.image.program.samples[dist.index()];
            let state = match sample.seed {
                None => &mut call.rng,
                Some(seed) => call.seeded(dist, seed),
            };
            let value =
                crate::rng::draw(state, |rng| sample.distribution.sample(&mut || rng.f64()));
            set_number(cx, call, var, value);
        }
        Op::TextOp { op, var } => {
            let mut changed = core::mem::take(&mut cx.shared.scratch);
            changed.clear();
            super::text::change(op, text_of(cx, call, var), &mut changed);
            let (regs, slot) = cx.slot(call, var);
            regs.set_text(slot, &changed);
            cx.shared.scratch = changed;
        }
        Op::Fatal { template } => {
            return Next::Drop(match cx.render_action(call, template) {
                Ok(text) => {
                    cx.out.push(Output::Fatal { text });
                    FailReason::ScenarioFault
                }
                Err(reason) => reason,
            });
        }
        Op::Stop { what } => return super::stop(cx, what),
        Op::End {}
        | Op::Enter { .. }
        | Op::Dialog { .. }
        | Op::Begin { .. }
        | Op::BeginAnew { .. }
        | Op::Listen { .. }
        | Op::TakeJump {}
        | Op::TakeInitJump {}
        | Op::Resume { .. }
        | Op::Gate {}
        | Op::Send { .. }
        | Op::Sent { .. }
        | Op::Await {}
        | Op::Accept { .. }
        | Op::TwinSend { .. }
        | Op::TwinAwait { .. }
        | Op::TwinAccept { .. }
        | Op::Pause { .. }
        | Op::PauseWait {} => {
            debug_assert!(false, "handled by the dispatch loop");
        }
    }
    Next::Fall
}

/// Hands a media action to the driver.
fn media(cx: &mut Cx<'_>, call: &Call, id: MediaId) -> Next {
    let rendered = match cx.image.program.media[id.index()].media {
        Media::EchoSwitch(value) => {
            let on = operand(cx, call, value) != 0.0;
            cx.out.push(Output::SwitchEcho { on });
            return Next::Fall;
        }
        Media::PlayDtmf(Argument::Rendered(template))
        | Media::SendDtmf(Argument::Rendered(template))
        | Media::RtpStream(Argument::Rendered(template))
        | Media::Record(Argument::Rendered(template)) => Some(template),
        Media::PlayDtmf(Argument::Known(_))
        | Media::SendDtmf(Argument::Known(_))
        | Media::RtpStream(Argument::Known(_))
        | Media::Record(Argument::Known(_))
        | Media::PlayPcap { .. }
        | Media::SrtpEcho(_)
        | Media::Check(_) => None,
    };
    let text = match rendered.map(|template| cx.render_action(call, template)) {
        None => ByteRange::default(),
        Some(Ok(text)) => text,
        Some(Err(reason)) => return Next::Drop(reason),
    };
    cx.out.push(Output::Media {
        call: cx.key,
        action: id,
        text,
    });
    Next::Fall
}

/// Remembers where step `from` of so many is to be left to.
fn set_jump(cx: &mut Cx<'_>, call: &mut Call, target: Operand, from: StepId, steps: usize) -> Next {
    let index = operand(cx, call, target);
    match super::step_at(index, steps) {
        Some(step) if step != from => {
            call.jump_to = step.into();
            Next::Fall
        }
        Some(_) => Next::Drop(cx.fatal("jump: the target is the step of the jump itself")),
        None => {
            let text = format!("jump: the scenario has no step {index}");
            Next::Drop(cx.fatal(&text))
        }
    }
}

fn operand(cx: &Cx<'_>, call: &Call, operand: Operand) -> f64 {
    match operand {
        Operand::Num(num) => cx.image.program.numbers[num.index()],
        Operand::Var(var) => cx.value(call, var).as_number(),
    }
}

pub(super) fn set_number(cx: &mut Cx<'_>, call: &mut Call, var: VarId, value: f64) {
    let (regs, slot) = cx.slot(call, var);
    regs.set_number(slot, value);
}

pub(super) fn set_bool(cx: &mut Cx<'_>, call: &mut Call, var: VarId, value: bool) {
    let (regs, slot) = cx.slot(call, var);
    regs.set_bool(slot, value);
}

fn name_of(cx: &Cx<'_>, var: VarId) -> String {
    let program = &cx.image.program;
    program.display(program.variables[var.index()].name)
}

fn arith(cx: &mut Cx<'_>, call: &mut Call, op: ArithOp, var: VarId, by: Operand) {
    let left = cx.value(call, var).as_number();
    let right = operand(cx, call, by);
    let value = match op {
        ArithOp::Add => left + right,
        ArithOp::Subtract => left - right,
        ArithOp::Multiply => left * right,
        ArithOp::Divide if right == 0.0 => {
            let by = match by {
                Operand::Var(by) => format!("${}", name_of(cx, by)),
                Operand::Num(_) => right.to_string(),
            };
            let text = format!(
                "Action failure: Can not divide by zero (${}/{by}): Call-Id {}, step {}",
                name_of(cx, var),
                String::from_utf8_lossy(&call.call_id),
                call.step
            );
            cx.warn(text.as_bytes());
            return;
        }
        ArithOp::Divide => left / right,
    };
    set_number(cx, call, var, value);
}

/// The verdict of a check.
fn verdict(check: Check, matched: bool, missed: FailReason, hit: FailReason) -> Option<FailReason> {
    match check {
        Check::Match if !matched => Some(missed),
        Check::NoMatch if matched => Some(hit),
        Check::None | Check::Match | Check::NoMatch => None,
    }
}

fn test(cx: &mut Cx<'_>, call: &mut Call, id: TestId) -> Option<FailReason> {
    let test = cx.image.program.tests[id.index()];
    let left = cx.value(call, test.var).as_number();
    let right = operand(cx, call, test.with);
    let result = match test.compare {
        Compare::Equal => left == right,
        Compare::NotEqual => left != right,
        Compare::Greater => left > right,
        Compare::Less => left < right,
        Compare::GreaterEqual => left >= right,
        Compare::LessEqual => left <= right,
    };
    let failed = verdict(
        test.check,
        result,
        FailReason::TestDoesntMatch,
        FailReason::TestShouldntMatch,
    );
    // As in SIPp, a check that fails leaves the variable as it was.
    if let (None, Some(var)) = (failed, test.assign_to) {
        set_bool(cx, call, var, result);
    }
    if failed.is_some() {
        let sign = match test.compare {
            Compare::Equal => "==",
            Compare::NotEqual => "!=",
            Compare::Greater => ">",
            Compare::Less => "<",
            Compare::GreaterEqual => ">=",
            Compare::LessEqual => "<=",
        };
        let with = match test.with {
            Operand::Var(var) => name_of(cx, var),
            Operand::Num(_) => String::new(),
        };
        let text = format!(
            "test \"{}:{left:.6} {sign} {with}:{right:.6}\" with {} failed",
            name_of(cx, test.var),
            flag(test.check)
        );
        cx.warn(text.as_bytes());
    }
    failed
}

/// The attribute that asks for a check.
const fn flag(check: Check) -> &'static str {
    match check {
        Check::None => "",
        Check::Match => "check_it",
        Check::NoMatch => "check_it_inverse",
    }
}

/// Says that two texts are not as they should be.
#[cold]
fn warn_strcmp(cx: &mut Cx<'_>, call: &Call, strcmp: &StrCmp) {
    let left = text_of(cx, call, strcmp.var);
    let (name, right) = match strcmp.with {
        StrOperand::Text(text) => (String::new(), cx.image.program.bytes(text)),
        StrOperand::Var(var) => (name_of(cx, var), text_of(cx, call, var)),
    };
    // As C has it: the difference of the first bytes that differ, the end being a zero.
    let longer = left.len().max(right.len());
    let byte = |text: &[u8], at: usize| text.get(at).copied().map_or(0, i32::from);
    let returned = (0..longer)
        .map(|at| byte(left, at) - byte(right, at))
        .find(|difference| *difference != 0)
        .unwrap_or(0);
    let text = format!(
        "strcmp {}:\"{}\" and {name}:\"{}\" with {} returned {returned}",
        name_of(cx, strcmp.var),
        String::from_utf8_lossy(left),
        String::from_utf8_lossy(right),
        flag(strcmp.check)
    );
    cx.warn(text.as_bytes());
}

fn strcmp(cx: &mut Cx<'_>, call: &mut Call, id: StrCmpId) -> Option<FailReason> {
    let strcmp = cx.image.program.strcmps[id.index()];
    let ordering = {
        let left = text_of(cx, call, strcmp.var);
        let right = match strcmp.with {
            StrOperand::Text(text) => cx.image.program.bytes(text),
            StrOperand::Var(var) => text_of(cx, call, var),
        };
        left.cmp(right)
    };
    let failed = verdict(
        strcmp.check,
        ordering == Ordering::Equal,
        FailReason::StrcmpDoesntMatch,
        FailReason::StrcmpShouldntMatch,
    );
    if let (None, Some(var)) = (failed, strcmp.assign_to) {
        let value = match ordering {
            Ordering::Less => -1.0,
            Ordering::Equal => 0.0,
            Ordering::Greater => 1.0,
        };
        set_number(cx, call, var, value);
    }
    if failed.is_some() {
        warn_strcmp(cx, call, &strcmp);
    }
    failed
}

/// A variable as text: anything but a text is empty.
fn text_of<'v>(cx: &'v Cx<'_>, call: &'v Call, var: VarId) -> &'v [u8] {
    match cx.value(call, var) {
        crate::call::regs::Value::Text(text) => text,
        _ => b"",
    }
}

/// The message that the actions are about.
fn bytes_of<'m>(cx: &'m Cx<'_>, current: Current<'m>) -> &'m [u8] {
    match current {
        Current::None => b"",
        Current::Received(msg) => msg.bytes(),
        Current::Sent(range) => cx.out.bytes(range),
        Current::Command(command) => command,
    }
}

fn ereg(cx: &mut Cx<'_>, call: &mut Call, id: EregId, current: Current<'_>) -> Option<FailReason> {
    let image = cx.image;
    let ereg = &image.program.eregs[id.index()];
    // The text is copied: assigning may change the place it was found in.
    let mut subject = core::mem::take(&mut cx.shared.scratch);
    subject.clear();
    let found = {
        let message = bytes_of(cx, current);
        match ereg.search_in {
            SearchIn::Message => Some(message),
            SearchIn::Header {
                header,
                occurrence,
                start_line,
                case_indep,
            } => header_text(
                message,
                image.program.bytes(header),
                occurrence,
                start_line,
                case_indep,
            )
            .filter(|text| !text.is_empty()),
            SearchIn::Body => {
                memchr::memmem::find(message, b"\r\n\r\n").map(|at| &message[at + 4..])
            }
            SearchIn::Var(var) => Some(text_of(cx, call, var)),
        }
        .map(|text| subject.extend_from_slice(text))
        .is_some()
    };
    let failure = if !found && ereg.check == Check::Match {
        Some(FailReason::RegexpHdrNotFound)
    } else {
        // As in SIPp, the text ends at a NUL.
        let end = memchr::memchr(0, &subject).unwrap_or(subject.len());
        let matched = search(cx, ereg.regex, &subject[..end]);
        if let Some(groups) = &matched {
            for (var, group) in ereg.assign_to.iter().zip(groups) {
                if let Some((from, to)) = group {
                    let (regs, slot) = cx.slot(call, *var);
                    regs.set_text(slot, &subject[*from..*to]);
                }
            }
        }
        verdict(
            ereg.check,
            matched.is_some(),
            FailReason::RegexpDoesntMatch,
            FailReason::RegexpShouldntMatch,
        )
    };
    if let Some(reason) = failure {
        let program = &image.program;
        let regex = || program.display(program.regexes[ereg.regex.index()].source);
        let text = match (reason, ereg.search_in) {
            (FailReason::RegexpHdrNotFound, SearchIn::Header { header, .. }) => format!(
                "Failed regexp match: header {} not found in message\n{}\n",
                program.display(header),
                String::from_utf8_lossy(bytes_of(cx, current))
            ),
            (FailReason::RegexpShouldntMatch, _) => format!(
                "Regexp matched but should not: looking in '{}', with regexp '{}'",
                String::from_utf8_lossy(&subject),
                regex()
            ),
            _ => format!(
                "Failed regexp match: looking in '{}', with regexp '{}'",
                String::from_utf8_lossy(&subject),
                regex()
            ),
        };
        cx.warn(text.as_bytes());
    }
    cx.shared.scratch = subject;
    failure
}

/// Searches an expression; the whole match comes first. A search that gives up has found nothing.
fn search(cx: &mut Cx<'_>, regex: RegexId, subject: &[u8]) -> Option<Spans> {
    let expression = &cx.image.regexes[regex.index()];
    let locations = &mut cx.shared.locations[regex.index()];
    match expression.find(subject, locations, &mut cx.shared.search) {
        Ok(found) => found,
        Err(GaveUp) => {
            cx.gave_up(regex);
            None
        }
    }
}

/// What follows the n-th occurrence of `header` up to the end of its line, leading blank included.
fn header_text<'m>(
    message: &'m [u8],
    header: &[u8],
    occurrence: u32,
    start_line: bool,
    case_indep: bool,
) -> Option<&'m [u8]> {
    if header.is_empty() {
        return None;
    }
    let mut left = occurrence.max(1);
    let mut from = 0;
    loop {
        let at = from + find(&message[from..], header, case_indep)?;
        from = at + 1;
        if start_line && at > 0 && message[at - 1] != b'\n' {
            continue;
        }
        left -= 1;
        if left == 0 {
            let rest = &message[at + header.len()..];
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b'\r' | b'\n'))
                .unwrap_or(rest.len());
            return Some(&rest[..end.min(HEADER_MAX)]);
        }
    }
}

fn find(text: &[u8], needle: &[u8], case_indep: bool) -> Option<usize> {
    if case_indep {
        text.windows(needle.len())
            .position(|window| window.eq_ignore_ascii_case(needle))
    } else {
        memchr::memmem::find(text, needle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"INVITE sip:x SIP/2.0\r\nReply-To: <sip:a>\r\nTo: <sip:b>\r\nto: <sip:c>\r\n\r\nTo: d";

    fn header(name: &str, n: u32, start_line: bool, case_indep: bool) -> Option<&'static str> {
        header_text(MESSAGE, name.as_bytes(), n, start_line, case_indep)
            .map(|text| core::str::from_utf8(text).expect("ASCII"))
    }

    #[test]
    fn a_header_is_found_as_plain_text_and_keeps_its_blank() {
        assert_eq!(header("To:", 1, false, false), Some(" <sip:a>"));
        assert_eq!(header("To:", 1, true, false), Some(" <sip:b>"));
        assert_eq!(header("To:", 2, true, true), Some(" <sip:c>"));
        assert_eq!(header("To:", 3, true, true), Some(" d"));
        assert_eq!(header("To:", 9, false, false), None);
        assert_eq!(header("", 1, false, false), None);
    }
}
