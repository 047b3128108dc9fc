// SPDX-License-Identifier: AGPL-3.0-only
//! What the machine orders of media, and what they have to tell.
//!
//! A port is bound before the call that prints it begins: the machine is given some whenever the next input might open a
//! call for which it has none.

use gossipper_vm::{Input, Micros, OutBuf, Output};

use super::Machine;
use super::core::Core;
use super::work_limit::WorkLimit;

impl<M: Machine> Core<M> {
    /// Hands in ports if the next call would find too few.
    pub(super) fn supply_ports(&mut self, now: Micros, out: &mut OutBuf) {
        if let Some(media) = &mut self.media
            && let Some(ports) = media.supply(now)
        {
            let input = Input::Ports { ports: &ports };
            self.machine.handle(now, input, out);
        }
    }

    /// Carries out an order about media.
    pub(super) fn order_media(&mut self, now: Micros, order: &Output, out: &OutBuf) {
        let Some(media) = &mut self.media else {
            return;
        };
        match *order {
            Output::MediaBegan {
                call,
                number,
                call_id,
                ports,
            } => media.began(now, call, number, out.bytes(call_id), ports),
            Output::Media { call, action, text } => media.act(now, call, action, out.bytes(text)),
            Output::Sdp {
                call,
                of,
                place,
                cseq,
                body,
            } => media.described(now, call, of, (place, cseq), out.bytes(body)),
            _ => {}
        }
    }

    /// Tells the machine, and the error log, what media have to say.
    pub(super) fn tell_media(&mut self, now: Micros) {
        if let Some(media) = &mut self.media
            && media.warns()
        {
            for text in media.take_warnings() {
                self.warn(now, text.as_bytes());
            }
        }
        while let Some((call, verdict)) = self.media.as_mut().and_then(|media| media.next_verdict())
        {
            self.input(now, Input::Media { call, verdict });
        }
    }

    /// Reads packets and sends what is due, within bounds; true when work is left.
    pub(super) fn media_turn(&mut self) -> bool {
        let Some(media) = &mut self.media else {
            return false;
        };
        let mut limit = WorkLimit::new(&self.clock);
        let clock = self.clock;
        let mut more = media.receive(limit.now(), || limit.allow(&clock));
        let now = clock.now();
        more |= media.tick(now);
        self.tell_media(now);
        more
    }
}
