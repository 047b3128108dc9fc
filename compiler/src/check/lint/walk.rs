// SPDX-License-Identifier: AGPL-3.0-only
//! Which exchange a call may be in when it comes to a step: every path through the scenario, walked once per
//! different situation.
//!
//! A call may have several dialogs; each is walked by itself, and the steps of the others change nothing in it.
//!
//! A receive is left when it or another receive of its run has matched. Not walked are scenarios whose next step only
//! a run can tell: jumps to a variable, a handler of unexpected messages, receives that match at any time. Nor are
//! those with more situations than [`MOST`]; then no lint that needs this says anything.

use super::{Sent, Subject};
use crate::ast::{Expect, StepKind};
use crate::graph::is_global;
use std::collections::HashSet;

/// Most pairs of step and situation.
const MOST: usize = 5_000;

/// The final answer to the INVITE sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// None yet.
    None,
    /// A 2xx.
    Success,
    /// Another.
    Failure,
    /// Some response that may belong to another request.
    Unknown,
}

/// What has happened in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Situation {
    /// Step of the INVITE sent last.
    pub(super) invite: Option<usize>,
    /// What came back for it.
    pub(super) answer: Answer,
    /// Another request than ACK was sent after that INVITE, so responses may be to that.
    others: bool,
    /// An INVITE of ours was accepted, and no BYE has been sent or received since.
    pub(super) dialog: bool,
    /// Step of the request sent last, ACK and CANCEL aside.
    pub(super) request: Option<usize>,
    /// Step of the request received last, ACK aside.
    pub(super) received: Option<usize>,
    /// A response was sent since.
    pub(super) answered: bool,
    /// An INVITE was received.
    invited: bool,
    /// A 2xx was sent since, perhaps to that INVITE.
    pub(super) accepted: bool,
}

const START: Situation = Situation {
    invite: None,
    answer: Answer::None,
    others: false,
    dialog: false,
    request: None,
    received: None,
    answered: false,
    invited: false,
    accepted: false,
};

/// The situations in which a call may come to each step.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// The dialog whose situations these are; the main one has no name.
    dialog: Option<&'a [u8]>,
    before: Vec<Vec<Situation>>,
    /// Per step that is a receive: the situations in which it may match, before it has.
    matched: Vec<HashSet<Situation>>,
}

impl<'a> Walk<'a> {
    /// Walks a scenario for one of its dialogs; `None` when it cannot be walked.
    pub(super) fn of(subject: &Subject<'a>, dialog: Option<&'a [u8]>) -> Option<Self> {
        let steps = subject.steps;
        let free = subject.graph.jumps_anywhere()
            || subject.graph.handler().is_some()
            || subject.graph.restores_pauses()
            || steps.iter().any(|step| is_global(step));
        if free {
            return None;
        }
        let mut walk = Self {
            dialog,
            before: vec![Vec::new(); steps.len()],
            matched: vec![HashSet::new(); steps.len()],
        };
        let mut seen = HashSet::new();
        let mut todo = vec![(0, START)];
        while let Some((step, situation)) = todo.pop() {
            if step >= steps.len() || !seen.insert((step, situation)) {
                continue;
            }
            if seen.len() > MOST {
                return None;
            }
            walk.before[step].push(situation);
            let after = if walk.holds(subject, step) {
                situation.step(subject, step)
            } else {
                situation
            };
            let mut go = |to: &[usize], situation: Situation| {
                todo.extend(to.iter().map(|to| (*to, situation)));
            };
            match subject.receives.index(step) {
                Some(receive) => {
                    for other in receive..subject.receives.run(receive).end {
                        let at = subject.receives.steps()[other];
                        walk.matched[at].insert(situation);
                        let StepKind::Recv(recv) = &steps[at].kind else {
                            continue;
                        };
                        let after = if walk.holds(subject, at) {
                            situation.receive(subject, at, &recv.expect)
                        } else {
                            situation
                        };
                        if recv.advance_state {
                            go(subject.graph.after(at), after);
                        } else {
                            go(&[step], after);
                        }
                    }
                }
                None => go(subject.graph.after(step), after),
            }
            if steps[step].common.condexec.is_some() {
                go(&[step + 1], situation);
            }
            for timeout in subject.graph.timeouts(step, steps, subject.receives) {
                go(&[timeout], after);
            }
        }
        Some(walk)
    }

    /// Whether a step belongs to the dialog.
    pub(super) fn holds(&self, subject: &Subject<'_>, step: usize) -> bool {
        dialog_of(subject, step) == self.dialog
    }

    /// The situations in which a call comes to a step; none for a step that nothing leads to.
    pub(super) fn before(&self, step: usize) -> &[Situation] {
        &self.before[step]
    }

    /// The situations in which a receive may match.
    pub(super) fn matched(&self, step: usize) -> &HashSet<Situation> {
        &self.matched[step]
    }

    /// Whether something holds whenever a call comes to a step, and a call does come to it.
    pub(super) fn always(&self, step: usize, holds: impl Fn(&Situation) -> bool) -> bool {
        let before = self.before(step);
        !before.is_empty() && before.iter().all(holds)
    }
}

/// The dialog that a step belongs to; the main one has no name.
pub(super) fn dialog_of<'a>(subject: &Subject<'a>, step: usize) -> Option<&'a [u8]> {
    let name = subject.steps.get(step)?.common.dialog.as_ref()?;
    (name.bytes != b"main").then_some(&name.bytes[..])
}

impl Situation {
    /// After a step that is no receive.
    fn step(mut self, subject: &Subject<'_>, step: usize) -> Self {
        let Some(sent) = Sent::of(subject, step) else {
            return self;
        };
        if sent.send.new_dialog.is_some() {
            self = START;
        }
        match (sent.method(), sent.code()) {
            (Some(b"INVITE"), _) => {
                self.invite = Some(step);
                self.answer = Answer::None;
                self.others = false;
                self.request = Some(step);
            }
            (Some(b"ACK"), _) => {}
            (Some(b"CANCEL"), _) => self.others = true,
            (Some(method), _) => {
                self.others = true;
                self.request = Some(step);
                if method == b"BYE" {
                    self.dialog = false;
                    self.accepted = false;
                }
            }
            (None, Some(code)) => {
                self.answered = true;
                self.accepted |= self.invited && (200..300).contains(&code);
            }
            (None, None) => {}
        }
        self
    }

    /// After a receive has matched.
    fn receive(mut self, subject: &Subject<'_>, step: usize, expect: &Expect) -> Self {
        match expect {
            Expect::Response(code) => match code.value {
                200..300 if self.answers_invite(step, subject, 200) => {
                    self.answer = Answer::Success;
                    self.dialog = true;
                }
                code @ 300..700 if self.answers_invite(step, subject, code) => {
                    self.answer = Answer::Failure;
                }
                200..700 => self.answer = Answer::Unknown,
                _ => {}
            },
            Expect::ResponseRegex(_) => self.answer = Answer::Unknown,
            Expect::Request(method) => match method.bytes() {
                b"ACK" => {}
                method => {
                    self.received = Some(step);
                    self.answered = false;
                    self.invited |= method == b"INVITE";
                    if method == b"BYE" {
                        self.dialog = false;
                        self.accepted = false;
                    }
                }
            },
            Expect::RequestRegex(_) => {
                self.received = Some(step);
                self.answered = false;
                self.dialog = false;
            }
            Expect::Nothing => {}
        }
        self
    }

    /// Whether a final response at this step is to the INVITE sent last.
    pub(super) fn answers_invite(self, step: usize, subject: &Subject<'_>, code: i64) -> bool {
        let Some(invite) = self.invite else {
            return false;
        };
        let StepKind::Recv(recv) = &subject.steps[step].kind else {
            return false;
        };
        let started = Sent::of(subject, invite).and_then(|sent| sent.send.start_txn.as_ref());
        match (&recv.response_txn, started) {
            (Some(answer), Some(request)) => answer.bytes == request.bytes,
            (Some(_), None) | (None, Some(_)) => false,
            // Only an INVITE is ever answered with 487.
            (None, None) => self.answer == Answer::None && (!self.others || code == 487),
        }
    }

    /// The method of the request received last, if it is certain.
    pub(super) fn received_method<'a>(self, subject: &Subject<'a>) -> Option<&'a [u8]> {
        match &subject.steps.get(self.received?)?.kind {
            StepKind::Recv(recv) => match &recv.expect {
                Expect::Request(method) => Some(method.bytes()),
                _ => None,
            },
            _ => None,
        }
    }
}
