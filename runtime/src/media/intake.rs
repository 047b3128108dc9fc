// SPDX-License-Identifier: AGPL-3.0-only
//! What comes to a media port, on its way to the machine that reads it.

use gossipper_control::MediaSnapshot;
use gossipper_media::Micros;
use gossipper_media::engine::{Input, Port, StreamKey};

use super::figures;
use crate::sys::Datagram;

/// The latest packet of a thread's sockets.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Where it is opened.
    packet: Vec<u8>,
    /// When it came.
    last: Micros,
}

impl Intake {
    /// Counts a datagram that was read `now` for a stream, and gives it with its time: when it came, not when it was read, as
    /// the kernel tells; and never before the one before it.
    pub(super) fn take(
        &mut self,
        now: Micros,
        stream: StreamKey,
        port: Port,
        datagram: &Datagram<'_>,
        counts: &mut MediaSnapshot,
    ) -> (Micros, Input<'_>) {
        self.packet.clear();
        self.packet.extend_from_slice(datagram.bytes);
        let came = Micros(now.0.saturating_sub(datagram.waited_us));
        self.last = came.max(self.last);
        figures::received(counts, port, &self.packet);
        let input = Input::Packet {
            stream,
            port,
            from: *datagram.src,
            bytes: &mut self.packet,
        };
        (self.last, input)
    }
}
