// SPDX-License-Identifier: AGPL-3.0-only
//! What is received: packets checked and opened in place.

use super::rollover::Sources;
use super::{
    MasterKey, PacketId, RTCP_CLEAR, RTCP_ENCRYPTED, RTCP_WORD, SrtpError, Transform, rtp_ssrc,
    word,
};
use crate::rtp;

/// Opens what a stream receives.
#[derive(Debug)]
pub struct Opener {
    master: MasterKey,
    rtp: Box<dyn Transform>,
    sources: Sources,
    rtcp: Sources,
}

impl Opener {
    /// With the keys that the peer told us.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        Self {
            rtp: master.rtp(),
            master,
            sources: Sources::default(),
            rtcp: Sources::default(),
        }
    }

    /// The key in use.
    #[must_use]
    pub fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Opens an RTP packet; says how many bytes of it are the packet in clear.
    ///
    /// # Errors
    /// It is not to be used. Its bytes may be changed, the counts are not.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let clear = rtp::header_len(packet).map_err(|_| SrtpError::Malformed)?;
        let ssrc = rtp_ssrc(packet);
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let index = self.sources.index(ssrc, sequence)?;
        self.sources.check(ssrc, index)?;
        let len = self.rtp.open_rtp(PacketId { ssrc, index }, clear, packet)?;
        self.sources.accept(ssrc, index);
        Ok(len)
    }

    /// Opens a compound RTCP packet; says how many bytes of it are the packet in clear.
    ///
    /// # Errors
    /// It is not to be used. Its bytes may be changed, the counts are not.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let suite = self.master.suite();
        let behind = if suite.is_aead() {
            RTCP_WORD
        } else {
            suite.rtcp_tag_len() + RTCP_WORD
        };
        let at = packet.len().checked_sub(behind);
        let at = at
            .filter(|at| *at >= RTCP_CLEAR && packet[0] >> 6 == 2)
            .ok_or(SrtpError::Malformed)?;
        let index_word = word(packet, at);
        let id = PacketId {
            ssrc: word(packet, 4),
            index: u64::from(index_word & !RTCP_ENCRYPTED),
        };
        self.rtcp.check(id.ssrc, id.index)?;
        let encrypted = index_word & RTCP_ENCRYPTED != 0;
        let len = self.master.rtcp().open_rtcp(id, encrypted, packet)?;
        self.rtcp.accept(id.ssrc, id.index);
        Ok(len)
    }
}
