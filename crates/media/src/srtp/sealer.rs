// SPDX-License-Identifier: AGPL-3.0-only
//! What is sent: packets sealed in place.

use super::rollover::Sources;
use super::{MasterKey, PacketId, RTCP_CLEAR, RTCP_WORD, SrtpError, Transform, rtp_ssrc, word};
use crate::rtp;

/// Highest index of SRTCP.
const LAST_RTCP_INDEX: u32 = (1 << 31) - 1;

/// Seals what a stream sends.
#[derive(Debug)]
pub struct Sealer {
    master: MasterKey,
    rtp: Box<dyn Transform>,
    sources: Sources,
    rtcp_index: u32,
}

impl Sealer {
    /// With the keys that we have told the peer.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        Self {
            rtp: master.rtp(),
            master,
            sources: Sources::default(),
            rtcp_index: 0,
        }
    }

    /// The key in use.
    #[must_use]
    pub fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Bytes that sealing adds to an RTP packet.
    #[must_use]
    pub fn rtp_overhead(&self) -> usize {
        self.rtp.rtp_overhead()
    }

    /// Bytes that sealing adds to an RTCP packet.
    #[must_use]
    pub fn rtcp_overhead(&self) -> usize {
        self.master.suite().rtcp_tag_len() + RTCP_WORD
    }

    /// Seals the RTP packet that `packet` holds from `start` on.
    ///
    /// # Errors
    /// It is no RTP packet, or the key is used up. Then nothing is changed.
    pub fn seal_rtp(&mut self, packet: &mut Vec<u8>, start: usize) -> Result<(), SrtpError> {
        let bytes = packet.get(start..).unwrap_or_default();
        let clear = rtp::header_len(bytes).map_err(|_| SrtpError::Malformed)?;
        let ssrc = rtp_ssrc(bytes);
        let sequence = u16::from_be_bytes([bytes[2], bytes[3]]);
        let index = self.sources.index(ssrc, sequence)?;
        self.rtp
            .seal_rtp(PacketId { ssrc, index }, clear, packet, start);
        self.sources.accept(ssrc, index);
        Ok(())
    }

    /// Seals the compound RTCP packet that `packet` holds from `start` on.
    ///
    /// # Errors
    /// It is no RTCP packet, or the key is used up. Then nothing is changed.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>, start: usize) -> Result<(), SrtpError> {
        let bytes = packet.get(start..).unwrap_or_default();
        if bytes.len() < RTCP_CLEAR || bytes[0] >> 6 != 2 {
            return Err(SrtpError::Malformed);
        }
        if self.rtcp_index > LAST_RTCP_INDEX {
            return Err(SrtpError::Exhausted);
        }
        let id = PacketId {
            ssrc: word(bytes, 4),
            index: u64::from(self.rtcp_index),
        };
        let encrypt = self.master.encrypts_rtcp();
        self.master.rtcp().seal_rtcp(id, encrypt, packet, start);
        self.rtcp_index += 1;
        Ok(())
    }
}
