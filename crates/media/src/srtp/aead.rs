// SPDX-License-Identifier: AGPL-3.0-only
//! AES in Galois/counter mode (RFC 7714).

use super::derive::SessionKeys;
use super::{PacketId, RTCP_CLEAR, RTCP_ENCRYPTED, RTCP_WORD, SrtpError, Suite, Transform};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use core::fmt;

const TAG_LEN: usize = 16;

pub(super) struct Aead {
    key: LessSafeKey,
    salt: [u8; NONCE_LEN],
}

impl fmt::Debug for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aead").finish_non_exhaustive()
    }
}

/// What is authenticated and not encrypted of an RTCP packet.
enum RtcpClear<'a> {
    /// The header and the word behind.
    Header([u8; RTCP_CLEAR + RTCP_WORD]),
    /// All of it, without encryption.
    Whole(&'a [u8]),
}

impl Aead {
    pub(super) fn new(suite: Suite, keys: &SessionKeys) -> Self {
        Self::with(suite, keys.key(), &keys.salt)
    }

    fn with(suite: Suite, key: &[u8], salt: &[u8]) -> Self {
        let algorithm = match suite {
            Suite::AeadAes256Gcm => &AES_256_GCM,
            _ => &AES_128_GCM,
        };
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&salt[..NONCE_LEN]);
        let key = UnboundKey::new(algorithm, key).expect("the suite decides the length of the key");
        Self {
            key: LessSafeKey::new(key),
            salt: nonce,
        }
    }

    /// RFC 7714 §8.1 and §9.1: source and index behind two bytes of zeros, with the salt.
    fn nonce(&self, id: PacketId) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[2..6].copy_from_slice(&id.ssrc.to_be_bytes());
        nonce[6..].copy_from_slice(&id.index.to_be_bytes()[2..]);
        for (byte, salt) in nonce.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts the end of `packet` and appends the tag.
    fn seal(&self, id: PacketId, clear: &[u8], packet: &mut Vec<u8>, from: usize) {
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(id), Aad::from(clear), &mut packet[from..])
            .expect("a datagram is shorter than what one nonce may protect");
        packet.extend_from_slice(tag.as_ref());
    }

    fn open(&self, id: PacketId, clear: &[u8], sealed: &mut [u8]) -> Result<(), SrtpError> {
        match self
            .key
            .open_in_place(self.nonce(id), Aad::from(clear), sealed)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(SrtpError::Authentication),
        }
    }

    fn rtcp_clear(packet: &[u8], word: u32) -> [u8; RTCP_CLEAR + RTCP_WORD] {
        let mut clear = [0; RTCP_CLEAR + RTCP_WORD];
        clear[..RTCP_CLEAR].copy_from_slice(&packet[..RTCP_CLEAR]);
        clear[RTCP_CLEAR..].copy_from_slice(&word.to_be_bytes());
        clear
    }
}

impl Transform for Aead {
    fn seal_rtp(&self, id: PacketId, clear: usize, packet: &mut Vec<u8>, start: usize) {
        let (header, payload) = packet[start..].split_at_mut(clear);
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(id), Aad::from(&*header), payload)
            .expect("a datagram is shorter than what one nonce may protect");
        packet.extend_from_slice(tag.as_ref());
    }

    fn open_rtp(&self, id: PacketId, clear: usize, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let len = packet.len().checked_sub(TAG_LEN);
        let len = len
            .filter(|len| *len >= clear)
            .ok_or(SrtpError::Malformed)?;
        let (header, sealed) = packet.split_at_mut(clear);
        self.open(id, header, sealed)?;
        Ok(len)
    }

    fn seal_rtcp(&self, id: PacketId, encrypt: bool, packet: &mut Vec<u8>, start: usize) {
        // 31 bits.
        let mut word = id.index as u32;
        if encrypt {
            word |= RTCP_ENCRYPTED;
            let clear = Self::rtcp_clear(&packet[start..], word);
            self.seal(id, &clear, packet, start + RTCP_CLEAR);
        } else {
            // RFC 7714 §9.3: all is authenticated, nothing encrypted.
            let mut clear = packet[start..].to_vec();
            clear.extend_from_slice(&word.to_be_bytes());
            let end = packet.len();
            self.seal(id, &clear, packet, end);
        }
        packet.extend_from_slice(&word.to_be_bytes());
    }

    fn open_rtcp(
        &self,
        id: PacketId,
        encrypted: bool,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let len = packet.len().checked_sub(TAG_LEN + RTCP_WORD);
        let len = len
            .filter(|len| *len >= RTCP_CLEAR)
            .ok_or(SrtpError::Malformed)?;
        let (body, word) = packet.split_at_mut(len + TAG_LEN);
        let mut whole;
        let clear = if encrypted {
            let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
            RtcpClear::Header(Self::rtcp_clear(body, word))
        } else {
            whole = body[..len].to_vec();
            whole.extend_from_slice(word);
            RtcpClear::Whole(&whole)
        };
        match &clear {
            RtcpClear::Header(clear) => self.open(id, clear, &mut body[RTCP_CLEAR..])?,
            RtcpClear::Whole(clear) => self.open(id, clear, &mut body[len..])?,
        }
        Ok(len)
    }

    fn rtp_overhead(&self) -> usize {
        TAG_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 \
        61727465 73207472 6573";
    const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef \
        deadbeef deadbeef deadbeef";
    const SALT: &str = "517569642070726f2071756f";

    fn key(len: u8) -> Vec<u8> {
        (0..len).collect()
    }

    fn seal_rtp(suite: Suite, len: u8) -> Vec<u8> {
        let aead = Aead::with(suite, &key(len), &hex(SALT));
        let id = PacketId {
            ssrc: 0x5501_a0b2,
            index: 0xf17b,
        };
        let mut packet = hex(RTP);
        aead.seal_rtp(id, 12, &mut packet, 0);
        let mut opened = packet.clone();
        let len = aead.open_rtp(id, 12, &mut opened).unwrap();
        assert_eq!(opened[..len], hex(RTP));
        packet
    }

    #[test]
    fn the_rtp_packets_of_rfc_7714_16() {
        let expected = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a \
            51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";
        assert_eq!(seal_rtp(Suite::AeadAes128Gcm, 16), hex(expected));
        let expected = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 \
            76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";
        assert_eq!(seal_rtp(Suite::AeadAes256Gcm, 32), hex(expected));
    }

    fn seal_rtcp(suite: Suite, len: u8, encrypt: bool) -> Vec<u8> {
        let aead = Aead::with(suite, &key(len), &hex(SALT));
        let id = PacketId {
            ssrc: 0x4d61_7273,
            index: 0x5d4,
        };
        let mut packet = hex(RTCP);
        aead.seal_rtcp(id, encrypt, &mut packet, 0);
        let mut opened = packet.clone();
        let len = aead.open_rtcp(id, encrypt, &mut opened).unwrap();
        assert_eq!(opened[..len], hex(RTCP));
        packet
    }

    #[test]
    fn the_rtcp_packets_of_rfc_7714_17() {
        let expected = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda \
            4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
        assert_eq!(seal_rtcp(Suite::AeadAes128Gcm, 16, true), hex(expected));
        // Tagged only: the packet as it is, sixteen bytes, the word without its flag.
        let tagged = seal_rtcp(Suite::AeadAes256Gcm, 32, false);
        assert_eq!(tagged[..52], hex(RTCP));
        assert_eq!((tagged.len(), &tagged[68..]), (72, &hex("000005d4")[..]));
    }
}
