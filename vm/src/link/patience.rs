// SPDX-License-Identifier: AGPL-3.0-only
//! How long a call waits in a step for a message or a command.

use crate::params::RunParams;
use gossipper_bytecode::program::{Step, TwinNeed};
use gossipper_bytecode::{Program, RecvMatch, StepId};

/// For each step how long a call waits there, in ms, 0 being for ever; and the step whose timeout that is.
pub(super) fn of(program: &Program, params: &RunParams) -> Vec<(u32, StepId)> {
    let steps = program.steps.iter().enumerate();
    let steps = steps.filter_map(|(index, here)| Some((StepId::new(index)?, here)));
    steps
        .map(|(id, here)| {
            own(program, params, id, here).unwrap_or_else(|| (default(program, params, here), id))
        })
        .collect()
}

/// The time that the scenario or the run gives the receives that matter there.
fn own(program: &Program, params: &RunParams, id: StepId, here: &Step) -> Option<(u32, StepId)> {
    // COMPAT(sipp): SIPp arms the timeout of the current element alone, so that a timeout behind an optional receive
    // never fires; we take the first one up to the mandatory receive (docs/compat.md#timers).
    let message = here.set.forward().find_map(|id| {
        let recv = &program.recvs[id.index()];
        recv.timeout_ms.map(|ms| (ms, recv.step))
    });
    let command = here.command.and_then(|command| {
        let recv = &program.twin_recvs[command.index()];
        let own = (recv.need == TwinNeed::MayBePassed && recv.step == Some(id))
            .then_some(params.optional_command_ms)
            .filter(|ms| *ms > 0);
        Some((recv.timeout_ms.or(own)?, recv.step?))
    });
    match (message, command) {
        (Some(message), Some(command)) => Some(if command.1 < message.1 {
            command
        } else {
            message
        }),
        (message, command) => message.or(command),
    }
}

/// How long a step waits that names no time itself.
fn default(program: &Program, params: &RunParams, here: &Step) -> u32 {
    let (ms, bye_ms) = (params.recv_timeout_ms, params.recv_bye_timeout_ms);
    if ms == 0 || ms >= bye_ms {
        return ms;
    }
    let is_bye = here.set.forward().any(|id| {
        let wanted = program.recvs[id.index()].accepts;
        matches!(wanted, RecvMatch::Request(method) if program.bytes(method) == b"BYE")
    });
    if is_bye { bye_ms } else { ms }
}
