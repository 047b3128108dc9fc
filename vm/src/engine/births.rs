// SPDX-License-Identifier: AGPL-3.0-only
//! How calls begin: their record, and what they are given of what the run has (lines, circuits, paths).

use super::{Engine, UNSPECIFIED};
use crate::call::Call;
use crate::call::RtdState;
use crate::call_id;
use crate::circuits::Circuits;
use crate::exec::Shared;
use crate::inject::EditedFile;
use crate::inject::NO_LINE;
use crate::inject::NotWritable;
use crate::input::CallKey;
use crate::input::FlowId;
use crate::input::Micros;
use crate::media::CryptoKeys;
use crate::output::CallEnd;
use crate::output::LogKind;
use crate::output::OutBuf;
use crate::output::Output;
use crate::output::StatEvent;
use crate::rng;
use crate::stripes::fold;
use core::net::SocketAddr;
use gossipper_bytecode::FailReason;

/// A call gives back what the run has only so many of.
pub(super) fn give_back(shared: &mut Shared, call: &Call) {
    let circuit = call.cold.as_ref().and_then(|cold| cold.circuit);
    if let (Some(circuits), Some(circuit)) = (&mut shared.circuits, circuit) {
        circuits.give_back(circuit);
    }
}

impl Engine {
    pub(super) fn new_call(
        &mut self,
        now: Micros,
        due: Micros,
        flow: FlowId,
        peer: SocketAddr,
    ) -> Call {
        let number = self.next_number;
        self.next_number += 1;
        let params = self.image.params();
        let mut none = None;
        let left = match self.calls.left_over() {
            Some(left) => left,
            None => none.insert(Call::blank(peer)),
        };
        self.spare_bytes -= core::mem::take(&mut left.held_bytes) as usize;
        let mut last = core::mem::take(&mut left.last);
        last.reset();
        let mut regs = left.regs.take();
        if self.image.call_regs > 0 {
            regs.get_or_insert_default().reset(self.image.call_regs);
        }
        let mut rtds = core::mem::take(&mut left.rtds);
        rtds.clear();
        rtds.resize(self.image.program.rtds.len(), RtdState::NEW);
        let mut peer_tag = core::mem::take(&mut left.peer_tag);
        peer_tag.clear();
        let mut call_id = core::mem::take(&mut left.call_id);
        call_id.clear();
        let mut call = Call {
            number,
            pc: self.image.program.steps[0].entry,
            cseq: params.base_cseq.wrapping_sub(1),
            created: now,
            late_us: u32::try_from(now.since(due).0).unwrap_or(u32::MAX),
            flow,
            rng: rng::seed(params.seed, number),
            call_id,
            last,
            peer_tag,
            regs,
            rtds,
            lines: left.lines.take(),
            ..Call::blank(peer)
        };
        if self.image.media.has_keys() {
            let keys = CryptoKeys::new(&mut call.rng);
            call.cold_mut().crypto = Some(Box::new(keys));
        }
        call
    }

    /// Gives a new call its line of every injection file, whether the scenario reads that file or not. False when there
    /// is none for its user, which ends the run.
    pub(super) fn take_lines(&mut self, call: &mut Call, out: &mut OutBuf) -> bool {
        if self.shared.injection.is_empty() {
            return true;
        }
        if self.siblings.is_some() {
            self.shared.injection.turn_of(call.number);
        }
        let Call {
            user, rng, lines, ..
        } = call;
        let lines = lines.get_or_insert_default();
        if let Err(file) = self.shared.injection.choose(*user, rng, lines) {
            let text = format!("injection file `{file}` has no line for user {user}");
            let text = out.store(text.as_bytes());
            out.push(Output::Fatal { text });
            return false;
        }
        true
    }

    /// Gives a client's call the path of its line. False when that names no address the run began with.
    pub(super) fn take_path(&self, call: &mut Call, out: &mut OutBuf) -> bool {
        let Some(paths) = &self.image.params().paths else {
            return true;
        };
        let lines = call.lines.as_deref();
        let line = lines
            .and_then(|lines| lines.first().copied())
            .unwrap_or(NO_LINE);
        match paths.flow(&self.shared.injection, line) {
            Ok(flow) => {
                call.flow = flow;
                true
            }
            Err(text) => {
                let text =
                    format!("-t ui: no socket is bound to `{text}`, the address of a new call");
                let text = out.store(text.as_bytes());
                out.push(Output::Fatal { text });
                false
            }
        }
    }

    /// The circuits of `-tdmmap`, true for those that are taken; none without it.
    pub fn taken_circuits(&self) -> impl Iterator<Item = bool> {
        self.shared.circuits.iter().flat_map(Circuits::taken)
    }

    /// The injection files that actions have changed, as they would be on disk.
    #[must_use]
    pub fn edited_files(&self) -> Vec<Result<EditedFile, NotWritable>> {
        self.shared.injection.edited()
    }

    /// Gives a new call a circuit if calls need one. False when all are taken.
    pub(super) fn take_circuit(&mut self, call: &mut Call) -> bool {
        let Some(circuits) = &mut self.shared.circuits else {
            return true;
        };
        let start = rng::draw(&mut call.rng, |rng| rng.u32(..circuits.count()));
        let circuit = circuits.take(start);
        call.cold_mut().circuit = circuit;
        circuit.is_some()
    }

    /// Ends a call that lacks something of which the run has only so many, before it did anything.
    pub(super) fn refuse(&mut self, now: Micros, key: CallKey, why: &[u8], out: &mut OutBuf) {
        let text = out.store(why);
        out.push(Output::Log {
            kind: LogKind::Warning,
            text,
        });
        let end = CallEnd::Failure(FailReason::OutboundCongestion);
        self.end(now, key, (end, None), out);
    }

    pub(super) fn insert(&mut self, call: Call, out: &mut OutBuf) -> CallKey {
        if self.image.params().names_calls {
            out.about(call.number);
        }
        let folded = fold(self.shared.dead.hash(call.main_call_id()));
        let key = self.calls.insert(call);
        self.index.insert(folded, self.calls.place(key));
        key
    }

    pub(super) fn spawn(&mut self, now: Micros, user: u32, due: Micros, out: &mut OutBuf) {
        let params = self.image.params();
        // Linking checked that whoever has to send has a destination; a server scenario is never asked to open calls.
        let destination = match params.destination {
            Some(destination) => destination,
            None if self.image.twin_role.is_some() => UNSPECIFIED,
            None => return,
        };
        let flow = params.own_flow();
        let mut call = self.new_call(now, due, flow, destination);
        call.user = user;
        if !self.take_lines(&mut call, out) || !self.take_path(&mut call, out) {
            return;
        }
        self.shared.vars.welcome(user);
        call_id::write(&self.image.call_id, &mut call, &mut self.shared.scratch);
        let connected = self.take_circuit(&mut call);
        let key = self.insert(call, out);
        out.push(Output::Stat(StatEvent::Created {
            incoming: false,
            late: now.since(due),
        }));
        if !connected {
            return self.refuse(now, key, b"no free circuit for a new call", out);
        }
        if self.image.media.plays() && !self.begin_media(now, key, out) {
            return;
        }
        self.run(now, key, out);
    }
}
