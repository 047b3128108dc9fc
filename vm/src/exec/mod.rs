// SPDX-License-Identifier: AGPL-3.0-only
//! The dispatch loop: runs the ops of one call until it suspends or ends.
//!
//! [`run`] executes steps; [`run_block`] executes the straight block of a matched receive. Handlers of single ops
//! are in [`action`] and [`send`].

pub(crate) mod action;
mod authentication;
pub(crate) mod dialogs;
mod injection;
pub(crate) mod send;
pub(crate) mod setdest;
mod text;
pub(crate) mod twin;

use crate::auth::Pending;
use crate::call::last::Draft;
use crate::call::lean::{Deadline, Maybe};
use crate::call::regs::{Regs, Value};
use crate::call::{Call, Wait};
use crate::circuits::Circuits;
use crate::dead::DeadCalls;
use crate::dialogs::DialogIndex;
use crate::engine::Hasher;
use crate::flows::Flows;
use crate::inject::Injection;
use crate::input::{CallKey, Micros};
use crate::link::Image;
use crate::output::{ByteRange, LogKind, OutBuf, Output, StatEvent};
use crate::posix::Scratch;
use crate::render::{DynamicId, LastView, Scene, TooLarge, Trouble, render};
use crate::rng;
use crate::txn::Buffers;
use crate::vars::Vars;
use gossipper_bytecode::program::PauseLength;
use gossipper_bytecode::{
    CounterId, FailReason, Op, PauseId, Pc, RegexId, RtdId, StepId, StopKind, TemplateId,
    TemplateKind, VarId,
};
use gossipper_sip::Message;
use regex::bytes::CaptureLocations;

/// Steps and backward jumps that one input may cost a call before it yields.
pub(crate) const STEP_BUDGET: u32 = 256;

/// Longest pause, in ms (SIPp's cap).
const PAUSE_MAX_MS: f64 = i32::MAX as f64;

/// State of a shard that its calls share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Variables of users, and global ones.
    pub(crate) vars: Vars,
    /// `[users]`.
    pub(crate) users: Option<u32>,
    /// Which circuits of `-tdmmap` are taken.
    pub(crate) circuits: Option<Circuits>,
    /// Which calls use which path, where paths end.
    pub(crate) flows: Option<Box<Flows>>,
    /// Ports that no call has, last first.
    pub(crate) ports: Vec<u16>,
    /// `[dynamic_id]`.
    pub(crate) dynamic: DynamicId,
    /// Texts in the making.
    pub(crate) scratch: Vec<u8>,
    /// What is about to be kept of a message.
    pub(crate) draft: Draft,
    /// Buffers for messages that are being repeated.
    pub(crate) buffers: Buffers,
    /// Injection files.
    pub(crate) injection: Injection,
    /// Call-IDs of further dialogs, and calls that listen for one.
    pub(crate) dialogs: DialogIndex<Hasher>,
    /// Calls and dialogs that have ended.
    pub(crate) dead: DeadCalls<Hasher>,
    /// Scratch of each regular expression.
    pub(crate) locations: Vec<CaptureLocations>,
    /// Scratch of the searches for the longest match.
    pub(crate) search: Scratch,
}

/// What an op handler works with besides the call.
pub(crate) struct Cx<'a> {
    pub(crate) image: &'a Image,
    pub(crate) shared: &'a mut Shared,
    pub(crate) out: &'a mut OutBuf,
    pub(crate) now: Micros,
    pub(crate) key: CallKey,
}

/// The message that actions look at.
#[derive(Clone, Copy)]
pub(crate) enum Current<'a> {
    /// None.
    None,
    /// The one just received.
    Received(&'a Message<'a>),
    /// The one just sent.
    Sent(ByteRange),
    /// A command just received.
    Command(&'a [u8]),
}

/// How a run of a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It waits.
    Suspended,
    /// It came to its end.
    Completed,
    /// It is over for this reason, without abort messages and without a tombstone.
    Dropped(FailReason),
}

/// What follows an op.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// The next op.
    Fall,
    /// This op.
    Goto(Pc),
    /// The call is over.
    Drop(FailReason),
}

/// Why there is no text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unrendered {
    /// It would be too large.
    TooLarge,
    /// It must not be used; why was said.
    Unusable,
}

/// A text at the end of the arena, before anything is put into it or said about it.
struct Raw {
    start: usize,
    rendered: Result<(), TooLarge>,
    pending: Option<Box<Pending>>,
    troubles: Vec<Trouble>,
}

impl Raw {
    /// Whether nothing is to be put into it or said about it.
    fn is_whole(&self) -> bool {
        self.rendered.is_ok() && self.pending.is_none() && self.troubles.is_empty()
    }
}

impl Cx<'_> {
    /// Counts something.
    pub(crate) fn stat(&mut self, event: StatEvent) {
        self.out.push(Output::Stat(event));
    }

    /// Writes a warning.
    pub(crate) fn warn(&mut self, text: &[u8]) {
        let text = self.out.store(text);
        self.out.push(Output::Log {
            kind: LogKind::Warning,
            text,
        });
    }

    /// Warns that a search took more steps than it may, and so found nothing.
    #[cold]
    pub(crate) fn gave_up(&mut self, regex: RegexId) {
        let source = self.image.program.regexes[regex.index()].source;
        let text = format!(
            "The search for '{}' takes too many steps on this text; taken for no match",
            self.image.program.display(source)
        );
        self.warn(text.as_bytes());
    }

    /// Renders a template of the scenario or of an automatic message into the arena. Answers to challenges need
    /// [`Self::render_message`].
    pub(crate) fn render(
        &mut self,
        call: Option<&Call>,
        template: TemplateId,
        last: LastView<'_>,
        msg_index: i64,
        branch_index: i64,
    ) -> Result<ByteRange, Unrendered> {
        let raw = self.render_raw(call, template, last, msg_index, branch_index);
        let range = self.out.range_from(raw.start);
        if raw.is_whole() {
            return Ok(range);
        }
        let usable = self.say(raw.troubles);
        match (raw.rendered, raw.pending) {
            (Ok(()), None) if usable => Ok(range),
            (Ok(()), _) => Err(Unrendered::Unusable),
            (Err(TooLarge), _) => Err(Unrendered::TooLarge),
        }
    }

    /// Renders a message of a call, the answer to a challenge included. An error is the reason that the call ends for.
    pub(crate) fn render_message(
        &mut self,
        call: &mut Call,
        template: TemplateId,
        last: LastView<'_>,
        msg_index: i64,
        branch_index: i64,
    ) -> Result<ByteRange, FailReason> {
        let raw = self.render_raw(Some(call), template, last, msg_index, branch_index);
        if raw.is_whole() {
            return Ok(self.out.range_from(raw.start));
        }
        self.complete(call, template, raw)
    }

    /// Puts into a message what it lacks, and says what there is to say about it.
    #[cold]
    fn complete(
        &mut self,
        call: &mut Call,
        template: TemplateId,
        raw: Raw,
    ) -> Result<ByteRange, FailReason> {
        let mut answered = Ok(());
        if let (Ok(()), Some(pending)) = (raw.rendered, raw.pending) {
            let program = &self.image.program;
            let method = match program.templates[template.index()].kind {
                TemplateKind::Request { method } => program.bytes(method),
                TemplateKind::Response { .. } | TemplateKind::Text => b"",
            };
            // Before anything else is put behind the message: the answer moves what follows it.
            answered = pending.put_in(self.image, call, method, raw.start, self.out.arena());
        }
        let range = self.out.range_from(raw.start);
        let usable = self.say(raw.troubles);
        if raw.rendered.is_err() {
            return Err(self.too_large(call));
        }
        if !usable {
            return Err(FailReason::ScenarioFault);
        }
        answered.map_err(|problem| {
            let text = format!(
                "Call-Id: {}, [authentication] at step {}: {problem}",
                String::from_utf8_lossy(&call.call_id),
                call.step
            );
            self.warn(text.as_bytes());
            FailReason::ScenarioFault
        })?;
        Ok(range)
    }

    #[inline]
    fn render_raw(
        &mut self,
        call: Option<&Call>,
        template: TemplateId,
        last: LastView<'_>,
        msg_index: i64,
        branch_index: i64,
    ) -> Raw {
        let arena = self.out.arena();
        let start = arena.len();
        let mut scene = Scene {
            image: self.image,
            call,
            last,
            vars: &self.shared.vars,
            users: self.shared.users,
            dynamic: &mut self.shared.dynamic,
            injection: &self.shared.injection,
            pending: None,
            start,
            is_request: self.image.texts.is_request(template),
            troubles: Vec::new(),
            now: self.now,
            msg_index,
            branch_index,
        };
        let rendered = render(&mut scene, template, arena);
        let Scene {
            pending, troubles, ..
        } = scene;
        if rendered.is_err() {
            arena.truncate(start);
        }
        Raw {
            start,
            rendered,
            pending,
            troubles,
        }
    }

    /// Hands on what is to be said about a text; false when it must not be used.
    fn say(&mut self, troubles: Vec<Trouble>) -> bool {
        let mut usable = true;
        for trouble in troubles {
            match trouble {
                Trouble::Warning(text) => self.warn(text.as_bytes()),
                Trouble::Call(text) => {
                    self.warn(text.as_bytes());
                    usable = false;
                }
                Trouble::Fatal(text) => {
                    self.fatal(&text);
                    usable = false;
                }
            }
        }
        usable
    }

    /// Renders the text of an action; an error is the reason that the call ends for. `[msg_index]` is −1, `[branch]` counts from the current step less 1.
    pub(crate) fn render_action(
        &mut self,
        call: &Call,
        template: TemplateId,
    ) -> Result<ByteRange, FailReason> {
        let branch = i64::from(call.step.0) - 1;
        self.render(Some(call), template, LastView::Kept, -1, branch)
            .map_err(|why| match why {
                Unrendered::TooLarge => self.too_large(call),
                Unrendered::Unusable => FailReason::ScenarioFault,
            })
    }

    /// The text of an action as bytes of their own.
    pub(crate) fn action_text(
        &mut self,
        call: &Call,
        template: TemplateId,
    ) -> Result<Vec<u8>, FailReason> {
        let text = self.render_action(call, template)?;
        Ok(self.out.bytes(text).to_vec())
    }

    /// The value of a variable.
    pub(crate) fn value<'v>(&'v self, call: &'v Call, var: VarId) -> Value<'v> {
        self.shared.vars.value(call, self.image.place(var))
    }

    /// The register file and slot of a variable.
    pub(crate) fn slot<'v>(&'v mut self, call: &'v mut Call, var: VarId) -> (&'v mut Regs, usize) {
        self.shared.vars.slot(call, self.image.place(var))
    }

    /// A text became too large: the call cannot go on.
    fn too_large(&mut self, call: &Call) -> FailReason {
        let text = format!(
            "Call-Id: {}, a text of step {} grew above {} bytes",
            String::from_utf8_lossy(&call.call_id),
            call.step,
            crate::render::MAX_RENDERED
        );
        self.warn(text.as_bytes());
        FailReason::ScenarioFault
    }

    /// The scenario did what ends the process.
    fn fatal(&mut self, text: &str) -> FailReason {
        let text = self.out.store(text.as_bytes());
        self.out.push(Output::Fatal { text });
        FailReason::ScenarioFault
    }
}

/// Runs a call from where it stands.
pub(crate) fn run(cx: &mut Cx<'_>, call: &mut Call) -> Outcome {
    let mut budget = STEP_BUDGET;
    let mut current = Current::None;
    let mut failed = None;
    let ops = &cx.image.program.ops[..];
    loop {
        let op = ops[call.pc.index()];
        let mut next = call.pc.next();
        match op {
            Op::End {} => return Outcome::Completed,
            Op::Enter { step } => {
                if budget == 0 {
                    return yield_turn(cx, call);
                }
                budget -= 1;
                call.step = step;
                call.recv_deadline = Deadline::NONE;
                call.jump_to = Maybe::<StepId>::NONE;
                current = Current::None;
            }
            Op::Dialog { dialog } => dialogs::enter(cx, call, dialog),
            Op::Begin { dialog } => dialogs::begin(cx, call, dialog, false),
            Op::BeginAnew { dialog } => dialogs::begin(cx, call, dialog, true),
            Op::Listen { recv } => {
                if let Next::Drop(reason) = dialogs::listen(cx, call, recv) {
                    return Outcome::Dropped(reason);
                }
            }
            Op::TakeJump {} => {
                // COMPAT(sipp): SIPp takes the `next` of the step before the target first (docs/compat.md#actions).
                let to = core::mem::replace(&mut call.jump_to, Maybe::<StepId>::NONE);
                if let Some(step) = to.get() {
                    next = cx.image.program.steps[step.index()].entry;
                }
            }
            Op::TakeInitJump {} => {
                let entries = &cx.image.program.init_steps;
                let to = core::mem::replace(&mut call.jump_to, Maybe::<StepId>::NONE);
                if let Some(to) = to.get().and_then(|to| entries.get(to.index())) {
                    next = *to;
                }
            }
            Op::Gate {} => {
                if call.repeat.is_some() {
                    call.wait = Wait::Gate;
                    return Outcome::Suspended;
                }
            }
            Op::Send { .. } if !call.flow.is_some() => {
                send::open(cx, call);
                call.wait = Wait::Flow;
                return Outcome::Suspended;
            }
            Op::Send { send } => match send::send(cx, call, send) {
                Ok(bytes) => current = Current::Sent(bytes),
                Err(reason) => return Outcome::Dropped(reason),
            },
            Op::Sent { send } => {
                let step = cx.image.program.sends[send.index()].step;
                cx.stat(StatEvent::Sent { step });
            }
            Op::Await {} => {
                call.wait = Wait::Message;
                arm_receive(cx, call);
                return Outcome::Suspended;
            }
            Op::TwinSend { command } => match twin::send(cx, call, command) {
                Ok(bytes) => current = Current::Sent(bytes),
                Err(reason) => return Outcome::Dropped(reason),
            },
            Op::Pause { pause } => start_pause(cx, call, pause),
            Op::PauseWait {} => {
                if call.pause_until.is_after(cx.now) {
                    call.wait = Wait::Pause;
                    // What is still repeated may be made again of it.
                    if cx.image.last_wait == Some(call.pc) && call.repeat.is_none() {
                        call.last.release(&mut cx.shared.draft);
                    }
                    return Outcome::Suspended;
                }
                call.pause_until = Deadline::NONE;
            }
            Op::Resume { to } => {
                if call.pause_until.is_after(cx.now) {
                    call.wait = Wait::Pause;
                    return Outcome::Suspended;
                }
                if core::mem::replace(&mut call.pause_until, Deadline::NONE).is_some() {
                    next = to;
                }
            }
            // The section has no steps: what it waits for is this command alone.
            Op::TwinAwait { command } => {
                call.wait = Wait::Message;
                let recv = cx.image.program.twin_recvs[command.index()];
                let ms = recv.timeout_ms.unwrap_or(cx.image.params.recv_timeout_ms);
                call.recv_deadline = match ms {
                    0 => Deadline::NONE,
                    ms => Deadline::at(cx.now.plus(Micros::from_ms(u64::from(ms)))),
                };
                return Outcome::Suspended;
            }
            Op::MediaCheck { media } if !cx.image.params.skips_media => {
                call.pc = next;
                call.wait = Wait::Media;
                let call = cx.key;
                let text = ByteRange::default();
                cx.out.push(Output::Media {
                    call,
                    action: media,
                    text,
                });
                return Outcome::Suspended;
            }
            // Verified: receive blocks are entered by a match only.
            Op::Accept { .. } | Op::TwinAccept { .. } => {}
            _ => match action::action(cx, call, op, current, &mut failed) {
                Next::Fall => {}
                Next::Goto(to) => next = to,
                Next::Drop(reason) => return Outcome::Dropped(reason),
            },
        }
        if next <= call.pc {
            // A loop that never enters a step must not run for ever either.
            if budget == 0 {
                call.pc = next;
                return yield_turn(cx, call);
            }
            budget -= 1;
        }
        call.pc = next;
    }
}

fn yield_turn(cx: &mut Cx<'_>, call: &mut Call) -> Outcome {
    call.wait = Wait::Turn;
    let call = cx.key;
    cx.out.push(Output::Yield { call });
    Outcome::Suspended
}

/// Runs the block of a receive up to its `accept`. `Err` ends the call.
pub(crate) fn run_block(
    cx: &mut Cx<'_>,
    call: &mut Call,
    entry: Pc,
    current: Current<'_>,
) -> Result<Pc, FailReason> {
    let mut pc = entry;
    let mut failed = None;
    let ops = &cx.image.program.ops[..];
    loop {
        let op = ops[pc.index()];
        if let Op::Accept { .. } | Op::TwinAccept { .. } = op {
            return Ok(pc.next());
        }
        // Verified: jumps in a block go forward and stay inside it.
        pc = match action::action(cx, call, op, current, &mut failed) {
            Next::Fall => pc.next(),
            Next::Goto(to) => to,
            Next::Drop(reason) => return Err(reason),
        };
    }
}

/// Sets the deadline of a receive when the call first waits in it.
fn arm_receive(cx: &Cx<'_>, call: &mut Call) {
    if call.recv_deadline.is_some() {
        return;
    }
    let (ms, step) = cx.image.patience[call.step.index()];
    if ms > 0 {
        call.recv_deadline = Deadline::at(cx.now.plus(Micros::from_ms(u64::from(ms))));
        call.recv_step = step;
    }
}

fn start_pause(cx: &mut Cx<'_>, call: &mut Call, pause: PauseId) {
    let pause = cx.image.program.pauses[pause.index()];
    let ms = match pause.length {
        PauseLength::Default => f64::from(cx.image.params.pause_ms),
        // COMPAT(sipp): a negative variable pauses for 24 days there; here not at all (docs/compat.md#timers).
        PauseLength::Var(var) => cx.value(call, var).as_number().trunc(),
        PauseLength::Drawn(dist) => rng::draw(&mut call.rng, |rng| dist.sample(&mut || rng.f64())),
    };
    let ms = if ms >= 1.0 { ms.min(PAUSE_MAX_MS) } else { 0.0 };
    call.pause_until = Deadline::at(cx.now.plus(Micros::from_ms(ms as u64)));
    cx.stat(StatEvent::Paused { step: pause.step });
}

/// Bookkeeping ops that steps and blocks share.
pub(crate) fn rtd_start(cx: &Cx<'_>, call: &mut Call, rtd: RtdId) {
    call.rtd_mut(rtd.index()).started = Deadline::at(cx.now);
}

pub(crate) fn rtd_stop(cx: &mut Cx<'_>, call: &mut Call, rtd: RtdId, repeat: bool) {
    let state = call.rtd_mut(rtd.index());
    if state.recorded && !repeat {
        return;
    }
    state.recorded = true;
    let started = state.started.get();
    let late = match started {
        Some(_) => Micros(0),
        None => Micros(u64::from(call.late_us)),
    };
    let took = cx.now.since(started.unwrap_or_else(|| call.created.get()));
    cx.stat(StatEvent::Rtd { rtd, took, late });
}

pub(crate) fn count(cx: &mut Cx<'_>, counter: CounterId) {
    cx.stat(StatEvent::Counter { counter });
}

/// `int_cmd`.
pub(crate) fn stop(cx: &mut Cx<'_>, what: StopKind) -> Next {
    match what {
        // COMPAT(sipp): in a nop SIPp leaves such a call uncounted; we count it as rejected (docs/compat.md#calls).
        StopKind::Call => Next::Drop(FailReason::CallRejected),
        StopKind::Gracefully => {
            cx.out.push(Output::StopGracefully);
            Next::Fall
        }
        StopKind::Now => {
            cx.out.push(Output::StopNow);
            Next::Fall
        }
    }
}

/// The step with this index among so many, for `jump`.
pub(crate) fn step_at(index: f64, steps: usize) -> Option<StepId> {
    let index = index.trunc();
    if index >= 0.0 && index < steps as f64 {
        StepId::new(index as usize)
    } else {
        None
    }
}
