// SPDX-License-Identifier: AGPL-3.0-only
//! WAV files: read whole, written as they grow.

mod read;
mod write;

pub use read::{Audio, WavError, data, read};
pub use write::{HEADER_LEN, WavWriter};

#[cfg(test)]
mod tests;
