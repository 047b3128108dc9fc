// SPDX-License-Identifier: AGPL-3.0-only
//! The `.gsc` file: a compiled scenario on disk.
//!
//! Layout: 8 bytes of magic, format version (u32, little endian), length of the payload (u64, little endian),
//! SHA-256 of the payload, payload (the draft in bincode). A file is only ever read back into a [`Draft`] and
//! verified again, so neither a damaged nor a hostile file reaches the machine.

use crate::program::{Draft, Program};
use crate::verify::VerifyError;
use sha2::{Digest, Sha256};

/// First bytes of every `.gsc` file. The line end and the high byte show when a transfer has changed the file.
pub const MAGIC: [u8; 8] = *b"\x89GSC\r\n\x1a\n";

/// Format version. Raised whenever ops or tables change.
pub const VERSION: u32 = 6;

/// Largest payload that is read: far above any real scenario, and small enough to allocate.
pub const MAX_PAYLOAD: usize = 64 << 20;

const HEADER: usize = MAGIC.len() + 4 + 8 + 32;

/// Why a `.gsc` file was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// It does not begin with the magic.
    #[error("not a compiled scenario (.gsc)")]
    NotGsc,
    /// It was made by another version of gossipper.
    #[error(
        "compiled by another version (format {found}, this program reads {VERSION}); compile the scenario again"
    )]
    Version {
        /// Its format version.
        found: u32,
    },
    /// It is shorter or longer than it says.
    #[error(
        "the file holds {found} bytes of program where {expected} were written; it is incomplete or damaged"
    )]
    Length {
        /// What the header says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// It is larger than anything the compiler writes.
    #[error("the program is larger than {MAX_PAYLOAD} bytes")]
    TooLarge,
    /// The checksum does not fit.
    #[error("the checksum does not match; the file is damaged")]
    Checksum,
    /// The payload is no program.
    #[error("the program cannot be decoded: {0}")]
    Decode(String),
    /// The program breaks a rule that the machine relies on.
    #[error("the program was refused: {0}")]
    Verify(#[from] VerifyError),
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_PAYLOAD>()
}

impl Program {
    /// Encodes the program as the content of a `.gsc` file.
    ///
    /// # Errors
    /// [`WireError::Decode`] when the encoder fails, [`WireError::TooLarge`] when the result could not be read back.
    pub fn to_gsc_bytes(&self) -> Result<Vec<u8>, WireError> {
        let draft: &Draft = self;
        let payload = bincode::serde::encode_to_vec(draft, config())
            .map_err(|e| WireError::Decode(e.to_string()))?;
        if payload.len() > MAX_PAYLOAD {
            return Err(WireError::TooLarge);
        }
        let mut out = Vec::with_capacity(HEADER + payload.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        out.extend_from_slice(&Sha256::digest(&payload));
        out.extend_from_slice(&payload);
        Ok(out)
    }

    /// Decodes the content of a `.gsc` file and verifies the program.
    ///
    /// # Errors
    /// What is wrong with the file; see [`WireError`].
    pub fn from_gsc_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(WireError::NotGsc)?;
        let (version, rest) = split::<4>(rest)?;
        let found = u32::from_le_bytes(version);
        if found != VERSION {
            return Err(WireError::Version { found });
        }
        let (length, rest) = split::<8>(rest)?;
        let expected = u64::from_le_bytes(length);
        if expected > MAX_PAYLOAD as u64 {
            return Err(WireError::TooLarge);
        }
        let (sum, payload) = split::<32>(rest)?;
        if payload.len() as u64 != expected {
            return Err(WireError::Length {
                expected,
                found: payload.len() as u64,
            });
        }
        if Sha256::digest(payload)[..] != sum {
            return Err(WireError::Checksum);
        }
        let (draft, used): (Draft, usize) = bincode::serde::decode_from_slice(payload, config())
            .map_err(|e| WireError::Decode(e.to_string()))?;
        if used != payload.len() {
            return Err(WireError::Decode(format!(
                "{} bytes follow the program",
                payload.len() - used
            )));
        }
        Ok(draft.verify()?)
    }

    /// Whether the bytes claim to be a `.gsc` file.
    #[must_use]
    pub fn looks_like_gsc(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }
}

fn split<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), WireError> {
    bytes
        .split_first_chunk::<N>()
        .map(|(head, rest)| (*head, rest))
        .ok_or(WireError::Length {
            expected: HEADER as u64,
            found: bytes.len() as u64,
        })
}
