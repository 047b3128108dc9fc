// SPDX-License-Identifier: AGPL-3.0-only
//! Resolved AST -> ops and side tables.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`flow`] | the frame of each step: condition, entry, bookkeeping, branching |
//! | [`send`], [`recv`], [`pause`], [`twin`] | what stands inside the frame, and the side tables' entries |
//! | [`action`], [`media`] | actions |
//! | [`text`] | templates |
//! | [`dialogs`] | scenarios with several dialogs |
//! | [`auto`] | the automatic messages |
//!
//! Runs only on scenarios without errors, so names are found and texts are whole. Every step becomes:
//! an optional `condexec` test that leads to the branching; `enter`; the step's own ops; the branching, which falls
//! through to the next step. The receive block of a `recv` stands directly behind its `await`.

mod action;
mod auto;
mod dialogs;
mod flow;
mod media;
mod pause;
mod recv;
mod send;
mod text;
mod twin;

use crate::ast::{Scenario, Step};
use crate::check::{Regexes, mode};
use crate::diag::codes::flow as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::emit::{Builder, Label, Pools};
use crate::graph::Graph;
use crate::liveness::{self, Live, Reads};
use crate::recv_set::Receives;
use crate::resolve::{Names, PAUSED_UNTIL, RETURN_TO};
use crate::source::SourceFile;
use crate::template::Texts;
use gossipper_bytecode::program::{Handler, Rtd, Txn, Variable};
use gossipper_bytecode::{CaptureId, DialogId, Draft, Mode, StepId, TextRef, VarId, VarScope};

/// What lowering reads.
pub(crate) struct Input<'a> {
    /// The file.
    pub(crate) source: &'a SourceFile,
    /// Name of the program.
    pub(crate) name: &'a str,
    /// The scenario.
    pub(crate) scenario: &'a Scenario,
    /// Its steps.
    pub(crate) steps: &'a [&'a Step],
    /// Its texts.
    pub(crate) texts: &'a Texts,
    /// Its names.
    pub(crate) names: &'a Names,
    /// Its regular expressions.
    pub(crate) regexes: &'a Regexes,
    /// Its receives.
    pub(crate) receives: &'a Receives,
    /// Its flow.
    pub(crate) graph: &'a Graph,
}

/// Lowers a scenario; `None` when it is too large, which is then reported.
pub(crate) fn lower(input: &Input<'_>, diagnostics: &mut Diagnostics) -> Option<Draft> {
    let mut lowerer = Lowerer::new(input);
    lowerer.steps();
    lowerer.init();
    let aborts = lowerer.automatic();
    lowerer.captures(&aborts);
    lowerer.names();
    let full = lowerer.pools.overflow();
    let draft = lowerer.finish();
    if let Some(table) = full {
        let message = format!("the scenario has too many {table}");
        let place = input.scenario.span;
        diagnostics.push(Diagnostic::error(codes::TOO_LARGE, place, message));
        return None;
    }
    Some(draft)
}

struct Lowerer<'a> {
    input: &'a Input<'a>,
    mode: Option<Mode>,
    pools: Pools,
    code: Builder,
    draft: Draft,
    /// Entry of each step, then of the end.
    entries: Vec<Label>,
    /// Entry of each receive block.
    blocks: Vec<Label>,
    /// Entry of each block of a received command.
    command_blocks: Vec<Label>,
    /// Entry of the init section.
    init: Option<Label>,
    /// Entry of each element of the init section, if one of them jumps.
    init_entries: Vec<Label>,
    /// Per step: the captures that its message and its actions read.
    reads: Vec<Vec<CaptureId>>,
    /// Captures that the texts lowered since the last step read.
    reading: Vec<CaptureId>,
    /// Captures that keywords read of another dialog than their step's.
    elsewhere: Vec<(DialogId, CaptureId)>,
    /// Where a `jump` leads among the actions that are being lowered.
    jumps: Jumps,
    /// Whether the scenario restores pauses, so that each step must look whether one goes on.
    restores: bool,
    /// The index of the step of `<init>` that is being lowered.
    init_index: Option<usize>,
    /// Per dialog: the methods of all request sends, concatenated, once a receive needs them.
    methods: Vec<Option<TextRef>>,
    /// Per dialog: length of those of the steps lowered so far.
    methods_len: Vec<u32>,
}

/// Where a `jump` leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Jumps {
    /// Nowhere: in a receive neither `jump` nor `pauserestore` has an effect.
    Nowhere,
    /// To a step.
    Steps,
    /// To an element of `init`; from this one.
    Init(StepId),
}

impl<'a> Lowerer<'a> {
    fn new(input: &'a Input<'a>) -> Self {
        let mut code = Builder::default();
        let count = input.steps.len();
        let dialogs = input.names.dialogs.others().count() + 1;
        Self {
            input,
            mode: mode(input.steps),
            pools: Pools::default(),
            entries: (0..=count).map(|_| code.label()).collect(),
            blocks: input
                .receives
                .steps()
                .iter()
                .map(|_| code.label())
                .collect(),
            code,
            command_blocks: Vec::new(),
            draft: Draft::default(),
            init: None,
            init_entries: Vec::new(),
            reads: Vec::with_capacity(count),
            reading: Vec::new(),
            elsewhere: Vec::new(),
            jumps: Jumps::Nowhere,
            restores: input.graph.restores_pauses(),
            init_index: None,
            methods: vec![None; dialogs],
            methods_len: vec![0; dialogs],
        }
    }

    /// The id of a step.
    fn step_id(&mut self, index: usize) -> StepId {
        StepId::new(index).unwrap_or_else(|| {
            self.pools.full("steps");
            StepId(0)
        })
    }

    /// The id of a variable.
    fn var(&mut self, name: &crate::ast::Name) -> VarId {
        self.input.names.variables.id(name).unwrap_or_else(|| {
            self.pools.full("variables");
            VarId(0)
        })
    }

    /// Works out what each receive keeps.
    fn captures(&mut self, aborts: &[CaptureId]) {
        let captures = self.pools.capture_count();
        if self.input.names.dialogs.several() {
            self.keep_by_dialog(captures, aborts);
            return;
        }
        if !liveness::fits(self.reads.len(), captures) {
            self.keep_everything(captures);
            return;
        }
        let set = |ids: &[CaptureId]| {
            let mut live = Live::none(captures);
            ids.iter().for_each(|id| live.insert(id.index()));
            live
        };
        let steps: Vec<_> = self.reads.iter().map(|ids| set(ids)).collect();
        let aborts = set(aborts);
        let reads = Reads {
            captures,
            steps: &steps,
            aborts: &aborts,
        };
        let input = self.input;
        let kept = liveness::keeps(input.steps, input.graph, input.receives, &reads);
        let mut lists: std::collections::HashMap<Vec<CaptureId>, u32> =
            std::collections::HashMap::new();
        for (recv, live) in self.draft.recvs.iter_mut().zip(kept) {
            let ids: Vec<CaptureId> = live.iter().filter_map(CaptureId::new).collect();
            let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            let pool = &mut self.draft.capture_lists;
            let first = *lists.entry(ids).or_insert_with_key(|ids| {
                let first = u32::try_from(pool.len()).unwrap_or(u32::MAX);
                pool.extend_from_slice(ids);
                first
            });
            recv.captures_first = if count == 0 { 0 } else { first };
            recv.captures_count = count;
        }
    }

    /// For a scenario too large to be looked at: each receive keeps whatever any step reads.
    fn keep_everything(&mut self, captures: usize) {
        let all = (0..captures).filter_map(CaptureId::new);
        self.draft.capture_lists.extend(all);
        for recv in &mut self.draft.recvs {
            recv.captures_count = u32::try_from(captures).unwrap_or(u32::MAX);
        }
    }

    /// Fills the tables of names.
    fn names(&mut self) {
        let names = self.input.names;
        let mut slots = [0u16; 3];
        for variable in names.variables.iter() {
            let slot = &mut slots[match variable.scope {
                VarScope::Call => 0,
                VarScope::User => 1,
                VarScope::Global => 2,
            }];
            self.draft.variables.push(Variable {
                name: self.pools.text(&variable.name),
                scope: variable.scope,
                slot: *slot,
            });
            *slot = slot.saturating_add(1);
        }
        for rtd in names.rtds.iter() {
            self.draft.rtds.push(Rtd {
                name: self.pools.text(&rtd.name),
                borders_ms: rtd.borders_ms.clone(),
            });
        }
        for counter in names.counters.iter() {
            let name = self.pools.text(counter);
            self.draft.counters.push(name);
        }
        self.dialog_names();
        for (index, txn) in names.txns.iter().enumerate() {
            let mut sends = self.draft.sends.iter();
            let ack = sends.position(|send| send.acks.is_some_and(|acks| acks.index() == index));
            self.draft.txns.push(Txn {
                name: self.pools.text(&txn.name),
                ack: ack.and_then(gossipper_bytecode::SendId::new),
            });
        }
        self.draft
            .call_length_borders_ms
            .clone_from(&names.call_length_borders_ms);
    }

    /// Puts everything into one draft.
    fn finish(self) -> Draft {
        let Self {
            input,
            mode,
            pools,
            code,
            mut draft,
            entries,
            blocks,
            command_blocks,
            init,
            init_entries,
            ..
        } = self;
        let code = code.finish();
        let reads_sdp = gossipper_bytecode::media::needs_sdp(&draft.media, &draft.segments);
        for (index, step) in draft.steps.iter_mut().enumerate() {
            step.entry = code.place(entries[index]);
            step.reads_sdp = reads_sdp && !input.steps[index].common.ignoresdp;
            let end = entries.len() - 1;
            step.on_timeout = match input.graph.timeout(index) {
                // A label behind the last element fails the call.
                Some(target) if target < end => {
                    gossipper_bytecode::program::OnTimeout::Goto(code.place(entries[target]))
                }
                Some(_) | None => gossipper_bytecode::program::OnTimeout::Fail,
            };
        }
        for (recv, block) in draft.recvs.iter_mut().zip(blocks) {
            recv.entry = code.place(block);
        }
        for (recv, block) in draft.twin_recvs.iter_mut().zip(command_blocks) {
            recv.entry = code.place(block);
        }
        draft.handler = input.graph.handler().map(|target| Handler {
            entry: code.place(entries[target]),
            return_to: input.names.variables.named(RETURN_TO),
            paused_until: input.names.variables.named(PAUSED_UNTIL),
        });
        draft.init = init.map(|label| code.place(label));
        draft.init_steps = init_entries
            .into_iter()
            .map(|label| code.place(label))
            .collect();
        draft.ops = code.ops;
        draft.mode = mode;
        input.name.clone_into(&mut draft.name);
        let file = input.source.name();
        let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
        file.clone_into(&mut draft.file);
        pools.finish(&mut draft);
        draft
    }
}
