// SPDX-License-Identifier: AGPL-3.0-only
//! SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714) with keys from SDP (RFC 4568).
//!
//! A stream has one [`Sealer`] for what it sends and one [`Opener`] for what it receives. Both keep the key schedule and
//! the keyed hash between packets and work in place. What a suite does to bytes stands behind one trait, which is the
//! seam at which an implementation can be replaced; counting (rollovers, replays) is not its business.
//!
//! Not here: master key identifiers, key derivation rates other than 0, and SRTP's own re-keying. A crypto line that
//! asks for them is refused when it is read.
//!
//! Keys of RTCP are rarely used; they are kept as bytes and expanded for each report.

mod aead;
mod counter;
mod derive;
mod opener;
mod rollover;
mod sdes;
mod sealer;

pub use opener::Opener;
pub use sdes::{CryptoError, CryptoLine};
pub use sealer::Sealer;

/// Key and salt of the longest suite.
pub const MAX_KEY_LEN: usize = 46;

/// Bytes of the header of an RTCP packet that stay in clear.
const RTCP_CLEAR: usize = 8;
/// The flag and the index behind an SRTCP packet.
const RTCP_WORD: usize = 4;
/// Set in that word if the packet is encrypted.
const RTCP_ENCRYPTED: u32 = 1 << 31;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`
    AesCm128Sha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`
    AesCm128Sha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`
    AesCm256Sha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`
    AesCm256Sha1_32,
    /// `NULL_HMAC_SHA1_80`: authenticated only. Of SIPp, not of an RFC.
    NullSha1_80,
    /// `NULL_HMAC_SHA1_32`: authenticated only. Of SIPp, not of an RFC.
    NullSha1_32,
    /// `AEAD_AES_128_GCM`
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`
    AeadAes256Gcm,
}

impl Suite {
    /// All there are.
    pub const ALL: &'static [Self] = &[
        Self::AesCm128Sha1_80,
        Self::AesCm128Sha1_32,
        Self::AesCm256Sha1_80,
        Self::AesCm256Sha1_32,
        Self::NullSha1_80,
        Self::NullSha1_32,
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
    ];

    /// Its name in a crypto line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::NullSha1_80 => "NULL_HMAC_SHA1_80",
            Self::NullSha1_32 => "NULL_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of a name.
    #[must_use]
    pub fn of_name(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|suite| suite.name().as_bytes() == name)
    }

    /// Bytes of the master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128Sha1_80
            | Self::AesCm128Sha1_32
            | Self::NullSha1_80
            | Self::NullSha1_32
            | Self::AeadAes128Gcm => 16,
            Self::AesCm256Sha1_80 | Self::AesCm256Sha1_32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Bytes of the tag behind an RTP packet.
    #[must_use]
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Self::AesCm128Sha1_32 | Self::AesCm256Sha1_32 | Self::NullSha1_32 => 4,
            Self::AesCm128Sha1_80 | Self::AesCm256Sha1_80 | Self::NullSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Whether one operation encrypts and authenticates.
    #[must_use]
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }

    const fn is_null(self) -> bool {
        matches!(self, Self::NullSha1_80 | Self::NullSha1_32)
    }

    /// RFC 3711 §5.2 and RFC 4568 §6.2.2: a tag of RTCP has 80 bits even where that of RTP has 32.
    const fn rtcp_tag_len(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }
}

/// What a crypto line takes off its suite.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Relaxed {
    /// `UNENCRYPTED_SRTP`
    pub unencrypted_rtp: bool,
    /// `UNENCRYPTED_SRTCP`
    pub unencrypted_rtcp: bool,
    /// `UNAUTHENTICATED_SRTP`
    pub unauthenticated_rtp: bool,
}

/// Why keys cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyError {
    /// Key and salt are not as long as the suite asks.
    Length,
    /// The suite encrypts and authenticates in one, and cannot leave out either (RFC 7714 §14.3).
    Relaxed,
}

impl core::fmt::Display for KeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Length => "the key has not the length that the suite asks for",
            Self::Relaxed => "the suite can leave out neither encryption nor authentication",
        })
    }
}

impl core::error::Error for KeyError {}

/// Why a packet was not accepted, or cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SrtpError {
    /// Too short, or not RTP or RTCP.
    Malformed,
    /// The tag is wrong: another key, or a changed packet.
    Authentication,
    /// Accepted before.
    Replayed,
    /// So far behind that nobody knows.
    TooOld,
    /// The key has protected all the packets that it may.
    Exhausted,
}

impl core::fmt::Display for SrtpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a packet of SRTP",
            Self::Authentication => "wrong authentication tag",
            Self::Replayed => "replayed",
            Self::TooOld => "older than the replay window",
            Self::Exhausted => "the key is used up",
        })
    }
}

impl core::error::Error for SrtpError {}

/// Which packet of a source: goes into the initial value of a cipher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct PacketId {
    ssrc: u32,
    /// Rollovers and sequence number of RTP, 48 bits; the index of RTCP, 31 bits.
    index: u64,
}

/// What a suite does to bytes, with the keys of one direction of one protocol.
///
/// Sealing appends to what is in `packet` from `start` on; opening gets exactly one packet and says how many bytes of
/// it are left.
trait Transform: Send + core::fmt::Debug {
    fn seal_rtp(&self, id: PacketId, clear: usize, packet: &mut Vec<u8>, start: usize);
    fn open_rtp(&self, id: PacketId, clear: usize, packet: &mut [u8]) -> Result<usize, SrtpError>;
    fn seal_rtcp(&self, id: PacketId, encrypt: bool, packet: &mut Vec<u8>, start: usize);
    fn open_rtcp(
        &self,
        id: PacketId,
        encrypted: bool,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError>;
    /// Bytes behind the payload of an RTP packet.
    fn rtp_overhead(&self) -> usize;
}

/// Master key and what belongs to it.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    relaxed: Relaxed,
    bytes: [u8; MAX_KEY_LEN],
}

impl core::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Logs must not hold keys.
        f.debug_struct("MasterKey")
            .field("suite", &self.suite)
            .field("relaxed", &self.relaxed)
            .finish_non_exhaustive()
    }
}

impl MasterKey {
    /// Key and salt, one behind the other.
    ///
    /// # Errors
    /// Their length, or what is left out of the suite, does not fit it.
    pub fn new(suite: Suite, relaxed: Relaxed, key_and_salt: &[u8]) -> Result<Self, KeyError> {
        if key_and_salt.len() != suite.key_len() + suite.salt_len() {
            return Err(KeyError::Length);
        }
        if suite.is_aead() && (relaxed.unencrypted_rtp || relaxed.unauthenticated_rtp) {
            return Err(KeyError::Relaxed);
        }
        let mut bytes = [0; MAX_KEY_LEN];
        bytes[..key_and_salt.len()].copy_from_slice(key_and_salt);
        Ok(Self {
            suite,
            relaxed,
            bytes,
        })
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// What is left out of it.
    #[must_use]
    pub fn relaxed(&self) -> Relaxed {
        self.relaxed
    }

    /// Key and salt.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.suite.key_len() + self.suite.salt_len()]
    }

    fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_len()]
    }

    fn salt(&self) -> &[u8] {
        &self.bytes()[self.suite.key_len()..]
    }

    fn rtp(&self) -> Box<dyn Transform> {
        let keys = derive::SessionKeys::rtp(self);
        if self.suite.is_aead() {
            Box::new(aead::Aead::new(self.suite, &keys))
        } else {
            let tag_len = if self.relaxed.unauthenticated_rtp {
                0
            } else {
                self.suite.rtp_tag_len()
            };
            let encrypt = !self.relaxed.unencrypted_rtp && !self.suite.is_null();
            counter::boxed(&keys, encrypt, tag_len)
        }
    }

    /// Called for each report; see above.
    fn rtcp(&self) -> Box<dyn Transform> {
        let keys = derive::SessionKeys::rtcp(self);
        if self.suite.is_aead() {
            Box::new(aead::Aead::new(self.suite, &keys))
        } else {
            counter::boxed(&keys, !self.suite.is_null(), self.suite.rtcp_tag_len())
        }
    }

    fn encrypts_rtcp(&self) -> bool {
        !self.relaxed.unencrypted_rtcp && !self.suite.is_null()
    }
}

/// What the transform of a direction takes on the heap, with the usual suite.
#[cfg(test)]
pub(crate) const COUNTER_LEN: usize = size_of::<counter::Counter<aes::Aes128Enc>>();

/// Compares tags without telling by the time taken where they differ.
fn same_tag(ours: &[u8], theirs: &[u8]) -> bool {
    let difference = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
    ours.len() == theirs.len() && difference == 0
}

/// The source of an RTP packet whose header was checked.
fn rtp_ssrc(packet: &[u8]) -> u32 {
    word(packet, 8)
}

fn word(packet: &[u8], at: usize) -> u32 {
    packet
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests;
