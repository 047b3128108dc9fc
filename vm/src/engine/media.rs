// SPDX-License-Identifier: AGPL-3.0-only
//! What calls have to do with the driver's media: the ports they are given, and the verdicts that come back.

use super::{Engine, Verdict};
use crate::call::Wait;
use crate::input::{CallKey, MediaVerdict, Micros};
use crate::output::{OutBuf, Output};
use gossipper_bytecode::FailReason;

impl Engine {
    /// Ports of streams that a new call takes.
    #[must_use]
    pub fn ports_per_call(&self) -> usize {
        self.image.media.ports_per_call()
    }

    /// Ports that no call has taken yet.
    #[must_use]
    pub fn free_ports(&self) -> usize {
        self.shared.ports.len()
    }

    pub(super) fn take_in_ports(&mut self, ports: &[u16]) {
        // The first one is given out first, behind those that wait.
        self.shared.ports.splice(0..0, ports.iter().rev().copied());
    }

    /// Gives a new call its ports and tells the driver that it has begun; false if there are too few, and it has ended.
    pub(super) fn begin_media(&mut self, now: Micros, key: CallKey, out: &mut OutBuf) -> bool {
        let wanted = self.image.media.ports_per_call();
        let stock = &mut self.shared.ports;
        let Some(call) = self.calls.get_mut(key) else {
            return false;
        };
        if stock.len() < wanted {
            self.refuse(now, key, b"no free port for the media of a new call", out);
            return false;
        }
        let mut ports = [0; 2];
        for (place, port) in ports.iter_mut().zip((0..wanted).map_while(|_| stock.pop())) {
            *place = port;
        }
        if wanted > 0 {
            call.cold_mut().ports = ports;
        }
        let call_id = out.store(&call.call_id);
        out.push(Output::MediaBegan {
            call: key,
            number: call.number,
            call_id,
            ports,
        });
        true
    }

    /// What became of something that a call asked of its media.
    pub(super) fn media(
        &mut self,
        now: Micros,
        key: CallKey,
        verdict: MediaVerdict,
        out: &mut OutBuf,
    ) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        match verdict {
            MediaVerdict::Passed if call.wait == Wait::Media => self.run(now, key, out),
            // It waits for something else by now: it left the check for a message that it did not expect.
            MediaVerdict::Passed => {}
            MediaVerdict::Failed => {
                self.settle(now, key, Verdict::Abort(FailReason::Media), out);
            }
        }
    }
}
