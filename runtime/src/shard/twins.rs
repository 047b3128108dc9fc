// SPDX-License-Identifier: AGPL-3.0-only
//! What happens on the connections to twins, and how the end of one ends the run.
//!
//! Rules: those of SIPp. When the twin of controller A goes, no new calls are opened; when that of controller B goes, or
//! any of several peers, the run ends with the calls that are open.
// COMPAT(sipp): SIPp aborts those calls at once, and so races with calls that end on both sides together; here they get
// [`GRACE`] to end (docs/compat.md#3pcc).

use gossipper_control::Phase;
use gossipper_vm::Micros;

use super::run::Shard;
use super::work_limit::WorkLimit;
use super::{Ending, Machine};
use crate::twin::{Bond, Event};

/// How long calls may go on that the twin has left: one retransmission interval.
const GRACE: Micros = Micros(500_000);

impl<M: Machine> Shard<M> {
    /// Takes what came from the twins, within bounds; true when there is more.
    pub(super) fn commands(&mut self) -> bool {
        let mut limit = WorkLimit::new(&self.core.clock);
        while let Some(event) = self.core.links.as_mut().and_then(|links| links.try_next()) {
            self.twin_event(event);
            self.core.flush_full();
            if !limit.allow(&self.core.clock) {
                return true;
            }
        }
        false
    }

    pub(super) fn twin_event(&mut self, event: Event) {
        let now = self.core.clock.now();
        let Some(links) = &mut self.core.links else {
            return;
        };
        match event {
            Event::Command(bytes) => self.core.command(&bytes),
            Event::Accepted(stream) => links.accepted(stream),
            Event::Connected(peer, stream) => links.connected(peer, stream),
            Event::Unreachable(text) => {
                self.core.warn(now, text.as_bytes());
                self.core.ending.get_or_insert(Ending::Fatal(text));
            }
            Event::Closed(why) => {
                let bond = links.bond();
                let mut text = "3PCC: a twin has closed its connection".to_owned();
                if let Some(why) = why {
                    text = format!("{text}: {why}");
                }
                self.core.warn(now, text.as_bytes());
                self.drain(now, Ending::TwinEnded);
                if bond == Bond::Run && self.phase != Phase::Aborting {
                    self.twin_end.get_or_insert_with(|| now.plus(GRACE));
                }
            }
        }
    }
}
