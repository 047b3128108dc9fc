// SPDX-License-Identifier: AGPL-3.0-only
//! How calls begin: their record, and what they are given of what the run has (lines, circuits, paths).

use super::{Engine, UNSPECIFIED};
use crate::call::Birth;
use crate::call::Call;
use crate::call_id;
use crate::circuits::Circuits;
use crate::exec::Shared;
use crate::inject::EditedFile;
use crate::inject::NO_LINE;
use crate::inject::NotWritable;
use crate::input::CallKey;
use crate::input::FlowId;
use crate::input::Micros;
use crate::link::Image;
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

/// Gives a new call its line of every injection file, whether the scenario reads that file or not. False when there
/// is none for its user, which ends the run.
pub(super) fn take_lines(
    shared: &mut Shared,
    has_siblings: bool,
    call: &mut Call,
    out: &mut OutBuf,
) -> bool {
    if shared.injection.is_empty() {
        return true;
    }
    if has_siblings {
        shared.injection.turn_of(call.number);
    }
    let (user, mut random) = (call.user(), call.rng);
    let lines = &mut call.extra_mut().lines;
    let chosen = shared.injection.choose(user, &mut random, lines);
    call.rng = random;
    if let Err(file) = chosen {
        let text = format!("injection file `{file}` has no line for user {user}");
        let text = out.store(text.as_bytes());
        out.push(Output::Fatal { text });
        return false;
    }
    true
}

/// Gives a client's call the path of its line. False when that names no address the run began with.
fn take_path(image: &Image, shared: &Shared, call: &mut Call, out: &mut OutBuf) -> bool {
    let Some(paths) = &image.params().paths else {
        return true;
    };
    let line = call.line(0).unwrap_or(NO_LINE);
    match paths.flow(&shared.injection, line) {
        Ok(flow) => {
            call.flow = flow;
            true
        }
        Err(text) => {
            let text = format!("-t ui: no socket is bound to `{text}`, the address of a new call");
            let text = out.store(text.as_bytes());
            out.push(Output::Fatal { text });
            false
        }
    }
}

/// Gives a new call a circuit if calls need one. False when all are taken.
pub(super) fn take_circuit(shared: &mut Shared, call: &mut Call) -> bool {
    let Some(circuits) = &mut shared.circuits else {
        return true;
    };
    let start = rng::draw(&mut call.rng, |rng| rng.u32(..circuits.count()));
    let circuit = circuits.take(start);
    call.cold_mut().circuit = circuit;
    circuit.is_some()
}

impl Engine {
    /// Begins a call, which nothing finds yet.
    pub(super) fn new_call(
        &mut self,
        now: Micros,
        due: Micros,
        flow: FlowId,
        peer: SocketAddr,
    ) -> CallKey {
        let number = self.next_number;
        self.next_number += 1;
        let (program, params) = (&self.image.program, self.image.params());
        let (key, call) = self.calls.open();
        self.spare_bytes -= call.held_bytes as usize;
        call.begin(&Birth {
            number,
            pc: program.steps[0].entry,
            cseq: params.base_cseq.wrapping_sub(1),
            created: now,
            late_us: u32::try_from(now.since(due).0).unwrap_or(u32::MAX),
            flow,
            peer,
            rng: rng::seed(params.seed, number),
            regs: self.image.call_regs,
            rtds: program.rtds.len(),
        });
        if self.image.media.has_keys() {
            let keys = CryptoKeys::new(&mut call.rng);
            call.cold_mut().crypto = Some(Box::new(keys));
        }
        key
    }

    /// Takes a call back that nothing has found yet.
    pub(super) fn take_back(&mut self, key: CallKey) {
        if let Some(call) = self.calls.end(key) {
            *call = Call::blank();
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

    /// From now on a call is found by its Call-ID.
    pub(super) fn list(&mut self, key: CallKey, out: &mut OutBuf) {
        let Some(call) = self.calls.get(key) else {
            return;
        };
        if self.image.params().names_calls {
            out.about(call.number);
        }
        let folded = fold(self.shared.dead.hash(call.main_call_id()));
        self.index.insert(folded, self.calls.place(key));
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
        let key = self.new_call(now, due, flow, destination);
        let (image, shared) = (&self.image, &mut self.shared);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        call.set_user(user);
        if !take_lines(shared, self.siblings.is_some(), call, out)
            || !take_path(image, shared, call, out)
        {
            return self.take_back(key);
        }
        shared.vars.welcome(user);
        call_id::write(&image.call_id, call, &mut shared.scratch);
        let connected = take_circuit(shared, call);
        self.list(key, out);
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
