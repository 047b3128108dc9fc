// SPDX-License-Identifier: AGPL-3.0-only
//! A WAV file that is written while it grows: a header first, samples behind it, and two lengths mended at the end.
//!
//! Until then the header says that the file has no data, which readers take for as much as there is.

/// Bytes in front of the samples.
pub const HEADER_LEN: usize = 44;

/// Where the length of the whole and the length of the data stand.
const LENGTHS: [u64; 2] = [4, 40];

/// What is needed to write on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WavWriter {
    channels: u16,
    rate: u32,
    data_len: u32,
}

impl WavWriter {
    /// A file of 16 bits per sample.
    #[must_use]
    pub fn new(channels: u16, rate: u32) -> Self {
        Self {
            channels: channels.max(1),
            rate,
            data_len: 0,
        }
    }

    /// The header, with no data yet.
    #[must_use]
    pub fn header(&self) -> [u8; HEADER_LEN] {
        let frame = self.channels * 2;
        let mut out = [0; HEADER_LEN];
        out[..4].copy_from_slice(b"RIFF");
        out[8..16].copy_from_slice(b"WAVEfmt ");
        out[16..20].copy_from_slice(&16u32.to_le_bytes());
        // PCM.
        out[20..22].copy_from_slice(&1u16.to_le_bytes());
        out[22..24].copy_from_slice(&self.channels.to_le_bytes());
        out[24..28].copy_from_slice(&self.rate.to_le_bytes());
        out[28..32].copy_from_slice(&(self.rate * u32::from(frame)).to_le_bytes());
        out[32..34].copy_from_slice(&frame.to_le_bytes());
        out[34..36].copy_from_slice(&16u16.to_le_bytes());
        out[36..40].copy_from_slice(b"data");
        for (at, length) in self.lengths() {
            let at = at as usize;
            out[at..at + 4].copy_from_slice(&length);
        }
        out
    }

    /// Appends samples, those of a moment side by side, as far as a WAV file may have them (four gigabytes). Says
    /// whether all were.
    pub fn append(&mut self, samples: &[i16], out: &mut Vec<u8>) -> bool {
        let room = (u32::MAX - HEADER_LEN as u32 - self.data_len) as usize / 2;
        let kept = &samples[..samples.len().min(room)];
        out.reserve(kept.len() * 2);
        for sample in kept {
            out.extend_from_slice(&sample.to_le_bytes());
        }
        // Not more than the room.
        self.data_len += kept.len() as u32 * 2;
        kept.len() == samples.len()
    }

    /// What has to be written over the header at the end: where, and what.
    #[must_use]
    pub fn lengths(&self) -> [(u64, [u8; 4]); 2] {
        let whole = self.data_len + HEADER_LEN as u32 - 8;
        [
            (LENGTHS[0], whole.to_le_bytes()),
            (LENGTHS[1], self.data_len.to_le_bytes()),
        ]
    }

    /// Whether there is nothing to listen to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data_len == 0
    }
}
