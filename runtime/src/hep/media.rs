// SPDX-License-Identifier: AGPL-3.0-only
//! What a shard tells the collector of its media: collected during a turn, handed over at its end.
//!
//! What is said, and when, is the business of [`crate::media`].

use std::net::SocketAddr;
use std::sync::Arc;

use gossipper_hep::PayloadType;

use super::HepMedia;
use super::queue::{Batch, Shared};

/// Bytes that a shard collects at most before it hands them over.
const BATCH_BYTES: usize = 256 << 10;

/// Tells of the media of one shard.
#[derive(Debug)]
pub(crate) struct MediaMirror {
    /// What is to be told.
    pub(crate) wants: HepMedia,
    shared: Arc<Shared>,
    batch: Batch,
}

impl MediaMirror {
    pub(super) fn new(shared: Arc<Shared>, wants: HepMedia) -> Self {
        Self {
            wants,
            shared,
            batch: Batch::default(),
        }
    }

    /// Something about the packets from the first address to the second.
    pub(crate) fn tell(
        &mut self,
        payload_type: PayloadType,
        wall_us: u64,
        way: [SocketAddr; 2],
        call_id: &str,
        payload: &[u8],
    ) {
        let call_id = call_id.as_bytes();
        self.batch
            .push_media(payload_type, wall_us, way, call_id, payload);
        if self.batch.bytes() >= BATCH_BYTES {
            self.hand_over();
        }
    }

    /// Hands what was collected to the exporter. To be called once per turn.
    pub(crate) fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            self.shared.hand_over(&mut self.batch);
        }
    }
}

impl Drop for MediaMirror {
    fn drop(&mut self) {
        self.hand_over();
    }
}
