// SPDX-License-Identifier: AGPL-3.0-only
//! Actions. Each failing check leads behind the block.

use super::{Jumps, Lowerer};
use crate::ast::{self, ActionKind, Exec, Step, TextOperand};
use crate::emit::Label;
use gossipper_bytecode::media::Media;
use gossipper_bytecode::program::{
    Check, Compare, Ereg, FieldEdit, Sample, SearchIn, StrCmp, StrOperand, Test,
};
use gossipper_bytecode::{
    ArithOp, DistId, EditId, EregId, LogLevel, Op, Operand, StopKind, StrCmpId, TestId, TextOp,
};

impl Lowerer<'_> {
    /// The action block of a step. With `keeps` a failed check fails the call at its end.
    pub(super) fn actions(&mut self, step: &Step, keeps: bool) {
        let Some(actions) = &step.actions else {
            return;
        };
        let end = self.code.label();
        for action in &actions.list {
            self.action(&action.kind, end, keeps);
        }
        self.code.place(end);
    }

    fn action(&mut self, action: &ActionKind, end: Label, keeps: bool) {
        match action {
            ActionKind::Ereg {
                regexp,
                assign_to,
                search_in,
                check,
            } => {
                let search_in = self.search_in(search_in);
                let entry = Ereg {
                    regex: self.regex(regexp),
                    search_in,
                    check: lower_check(*check),
                    assign_to: assign_to.iter().map(|name| self.var(name)).collect(),
                };
                let ereg = EregId::new(self.draft.eregs.len());
                self.draft.eregs.push(entry);
                match ereg {
                    Some(ereg) => self.code.op(Op::Ereg { ereg }),
                    None => self.pools.full("`ereg` actions"),
                }
                self.guard(*check, end, keeps);
            }
            ActionKind::Test {
                left,
                compare,
                right,
                to,
                check,
            } => {
                let entry = Test {
                    var: self.var(left),
                    compare: lower_compare(*compare),
                    with: self.operand(right),
                    assign_to: to.as_ref().map(|name| self.var(name)),
                    check: lower_check(*check),
                };
                let test = TestId::new(self.draft.tests.len());
                self.draft.tests.push(entry);
                match test {
                    Some(test) => self.code.op(Op::Test { test }),
                    None => self.pools.full("`test` actions"),
                }
                self.guard(*check, end, keeps);
            }
            ActionKind::StrCmp {
                left,
                right,
                to,
                check,
            } => {
                let entry = StrCmp {
                    var: self.var(left),
                    with: match right {
                        TextOperand::Literal(text) => {
                            StrOperand::Text(self.pools.text(text.bytes()))
                        }
                        TextOperand::Variable(name) => StrOperand::Var(self.var(name)),
                    },
                    assign_to: to.as_ref().map(|name| self.var(name)),
                    check: lower_check(*check),
                };
                let strcmp = StrCmpId::new(self.draft.strcmps.len());
                self.draft.strcmps.push(entry);
                match strcmp {
                    Some(strcmp) => self.code.op(Op::StrCmp { strcmp }),
                    None => self.pools.full("`strcmp` actions"),
                }
                self.guard(*check, end, keeps);
            }
            ActionKind::Log(text) => self.log(LogLevel::Log, text),
            ActionKind::Warning(text) => self.log(LogLevel::Warning, text),
            ActionKind::Assign { to, from } => {
                let var = self.var(to);
                let value = self.operand(from);
                self.code.op(Op::Assign { var, value });
            }
            ActionKind::AssignStr { to, value } => {
                let var = self.var(to);
                let template = self.text(value);
                self.code.op(Op::AssignStr { var, template });
            }
            ActionKind::ToDouble { to, from } => {
                let var = self.var(to);
                let from = self.var(from);
                self.code.op(Op::ToDouble { var, from });
            }
            ActionKind::Arith { op, to, by } => {
                let var = self.var(to);
                let by = self.operand(by);
                let op = match op {
                    ast::ArithOp::Add => ArithOp::Add,
                    ast::ArithOp::Subtract => ArithOp::Subtract,
                    ast::ArithOp::Multiply => ArithOp::Multiply,
                    ast::ArithOp::Divide => ArithOp::Divide,
                };
                self.code.op(Op::Arith { op, var, by });
            }
            ActionKind::GetTimeOfDay {
                seconds,
                microseconds,
            } => {
                let seconds = self.var(seconds);
                let micros = self.var(microseconds);
                self.code.op(Op::GetTime { seconds, micros });
            }
            ActionKind::Jump(to) => {
                let target = self.operand(to);
                match self.jumps {
                    Jumps::Nowhere => {}
                    Jumps::Steps => self.code.op(Op::SetJump { target }),
                    Jumps::Init(step) => self.code.op(Op::SetInitJump { target, step }),
                }
            }
            ActionKind::Lookup { to, file, key } => {
                let var = self.var(to);
                let (file, key) = (self.text(file), self.text(key));
                self.code.op(Op::Lookup { var, file, key });
            }
            ActionKind::Insert { file, value } => {
                let (file, value) = (self.text(file), self.text(value));
                self.code.op(Op::Insert { file, value });
            }
            ActionKind::Replace { file, line, value } => {
                let (file, line) = (self.text(file), self.text(line));
                let value = self.text(value);
                self.code.op(Op::Replace { file, line, value });
            }
            ActionKind::Edit {
                file,
                line,
                field,
                text,
                place,
            } => {
                let entry = FieldEdit {
                    file: self.text(file),
                    line: self.text(line),
                    field: *field,
                    text: self.text(text),
                    place: *place,
                };
                let edit = EditId::new(self.draft.edits.len());
                self.draft.edits.push(entry);
                match edit {
                    Some(edit) => self.code.op(Op::EditField { edit }),
                    None => self.pools.full("actions on fields"),
                }
            }
            ActionKind::PauseRestore(until) => {
                if self.jumps != Jumps::Nowhere {
                    let until = self.operand(until);
                    self.code.op(Op::PauseRestore { until });
                }
            }
            ActionKind::Error(text) => {
                let template = self.text(text);
                self.code.op(Op::Fatal { template });
            }
            ActionKind::Index { to } => {
                let var = self.var(to);
                self.code.op(match self.init_index {
                    Some(index) => Op::Assign {
                        var,
                        value: Operand::Num(self.pools.number(index as f64)),
                    },
                    None => Op::Index { var },
                });
            }
            ActionKind::Sample {
                to,
                distribution,
                seed,
            } => {
                let var = self.var(to);
                let dist = DistId::new(self.draft.samples.len());
                self.draft.samples.push(Sample {
                    distribution: distribution.value,
                    // Any bits will do.
                    seed: seed.map(|seed| seed as u64),
                });
                match dist {
                    Some(dist) => self.code.op(Op::Sample { var, dist }),
                    None => self.pools.full("`sample` actions"),
                }
            }
            ActionKind::Trim { variable } => self.text_op(TextOp::Trim, variable),
            ActionKind::UrlEncode { variable } => self.text_op(TextOp::UrlEncode, variable),
            ActionKind::UrlDecode { variable } => self.text_op(TextOp::UrlDecode, variable),
            ActionKind::SetDest {
                host,
                port,
                protocol,
            } => {
                let (host, port) = (self.text(host), self.text(port));
                let protocol = self.text(protocol);
                self.code.op(Op::SetDest {
                    host,
                    port,
                    protocol,
                });
            }
            ActionKind::CloseCon => self.code.op(Op::CloseCon {}),
            ActionKind::VerifyAuth {
                to,
                username,
                password,
            } => {
                let var = self.var(to);
                let (username, password) = (self.text(username), self.text(password));
                self.code.op(Op::VerifyAuth {
                    var,
                    username,
                    password,
                });
            }
            ActionKind::Exec(Exec::Command(text)) => {
                let template = self.text(text);
                self.code.op(Op::Exec { template });
            }
            ActionKind::Exec(Exec::IntCmd(command)) => {
                let what = match command.value {
                    ast::IntCmd::StopNow => StopKind::Now,
                    ast::IntCmd::StopGracefully => StopKind::Gracefully,
                    ast::IntCmd::StopCall => StopKind::Call,
                };
                self.code.op(Op::Stop { what });
            }
            ActionKind::Exec(Exec::Media(word, text)) => self.media(*word, text),
            ActionKind::RtpEcho(value) => {
                let value = self.operand(value);
                self.media_op(Media::EchoSwitch(value));
            }
            ActionKind::Poisoned { .. } => {
                unreachable!("refused before: wrong, or belongs to a later version")
            }
        }
    }

    fn guard(&mut self, check: ast::Check, end: Label, keeps: bool) {
        let to = end.pc();
        match check {
            ast::Check::None => {}
            ast::Check::Must | ast::Check::MustNot if keeps => self.code.op(Op::GuardKeep { to }),
            ast::Check::Must | ast::Check::MustNot => self.code.op(Op::GuardDrop { to }),
        }
    }

    fn log(&mut self, level: LogLevel, text: &crate::source::Text) {
        let template = self.text(text);
        self.code.op(Op::Log { level, template });
    }

    fn text_op(&mut self, op: TextOp, variable: &ast::Name) {
        let var = self.var(variable);
        self.code.op(Op::TextOp { op, var });
    }

    fn operand(&mut self, operand: &ast::Operand) -> Operand {
        match operand {
            ast::Operand::Literal(value) => Operand::Num(self.pools.number(value.value)),
            ast::Operand::Variable(name) => Operand::Var(self.var(name)),
        }
    }

    fn search_in(&mut self, search_in: &ast::SearchIn) -> SearchIn {
        match search_in {
            ast::SearchIn::Message => SearchIn::Message,
            ast::SearchIn::Body => SearchIn::Body,
            ast::SearchIn::Variable(name) => SearchIn::Var(self.var(name)),
            ast::SearchIn::Header(search) => SearchIn::Header {
                header: self.pools.text(search.header.bytes()),
                // A message has no more hits than this.
                occurrence: u32::try_from(search.occurrence.max(1)).unwrap_or(u32::MAX),
                start_line: search.start_line,
                case_indep: search.case_indep,
            },
        }
    }
}

fn lower_check(check: ast::Check) -> Check {
    match check {
        ast::Check::None => Check::None,
        ast::Check::Must => Check::Match,
        ast::Check::MustNot => Check::NoMatch,
    }
}

fn lower_compare(compare: ast::Compare) -> Compare {
    match compare {
        ast::Compare::Equal => Compare::Equal,
        ast::Compare::NotEqual => Compare::NotEqual,
        ast::Compare::GreaterThan => Compare::Greater,
        ast::Compare::LessThan => Compare::Less,
        ast::Compare::GreaterThanEqual => Compare::GreaterEqual,
        ast::Compare::LessThanEqual => Compare::LessEqual,
    }
}
