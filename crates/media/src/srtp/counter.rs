// SPDX-License-Identifier: AGPL-3.0-only
//! AES in counter mode, or no cipher, with HMAC-SHA1 (RFC 3711 §4.1.1 and §4.2.1).

use super::derive::SessionKeys;
use super::{PacketId, RTCP_CLEAR, RTCP_ENCRYPTED, RTCP_WORD, SrtpError, Transform, same_tag};
use aes::cipher::{Array, BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16};
use aes::{Aes128Enc, Aes256Enc};
use core::fmt;
use hmac::digest::Output;
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Blocks whose keystream is made at once: a packet of 20 ms of G.711 has ten.
const LANES: usize = 16;

/// Adds the keystream that begins at `iv` to `data`. The last two bytes of `iv` count blocks and are 0.
pub(super) fn xor_keystream<C>(cipher: &C, mut iv: [u8; 16], data: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let mut counter: u16 = 0;
    for part in data.chunks_mut(16 * LANES) {
        let mut blocks = [Array::<u8, U16>::default(); LANES];
        let blocks = &mut blocks[..part.len().div_ceil(16)];
        for block in &mut *blocks {
            // A datagram has at most 4096 blocks.
            iv[14..].copy_from_slice(&counter.to_be_bytes());
            block.copy_from_slice(&iv);
            counter = counter.wrapping_add(1);
        }
        cipher.encrypt_blocks(blocks);
        for (bytes, block) in part.chunks_mut(16).zip(&*blocks) {
            for (byte, key) in bytes.iter_mut().zip(block) {
                *byte ^= key;
            }
        }
    }
}

/// A suite of the default kind; `C` is the cipher, [`Null`] for none.
pub(super) struct Counter<C> {
    cipher: C,
    salt: [u8; 14],
    /// Keyed already; a copy is taken for each packet.
    mac: Hmac<Sha1>,
    tag_len: usize,
}

impl<C> fmt::Debug for Counter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter")
            .field("tag_len", &self.tag_len)
            .finish_non_exhaustive()
    }
}

/// A cipher of counter mode, or none.
pub(super) trait Keystream: Send {
    fn apply(&self, iv: [u8; 16], data: &mut [u8]);
}

/// Leaves everything as it is.
pub(super) struct Null;

impl Keystream for Null {
    fn apply(&self, _: [u8; 16], _: &mut [u8]) {}
}

impl Keystream for Aes128Enc {
    fn apply(&self, iv: [u8; 16], data: &mut [u8]) {
        xor_keystream(self, iv, data);
    }
}

impl Keystream for Aes256Enc {
    fn apply(&self, iv: [u8; 16], data: &mut [u8]) {
        xor_keystream(self, iv, data);
    }
}

/// The transform of a suite; a tag of no length leaves authentication out.
pub(super) fn boxed(keys: &SessionKeys, encrypt: bool, tag_len: usize) -> Box<dyn Transform> {
    if !encrypt {
        return Box::new(Counter::new(Null, keys, tag_len));
    }
    match keys.key().first_chunk::<32>() {
        Some(key) => Box::new(Counter::new(Aes256Enc::new(key.into()), keys, tag_len)),
        None => {
            let mut key = [0; 16];
            key.copy_from_slice(keys.key());
            Box::new(Counter::new(Aes128Enc::new(&key.into()), keys, tag_len))
        }
    }
}

impl<C: Keystream> Counter<C> {
    fn new(cipher: C, keys: &SessionKeys, tag_len: usize) -> Self {
        let mut block = Array::default();
        block[..keys.authentication.len()].copy_from_slice(&keys.authentication);
        Self {
            cipher,
            salt: keys.salt,
            // A key shorter than a block is one filled up with zeros (RFC 2104 §2).
            mac: <Hmac<Sha1> as KeyInit>::new(&block),
            tag_len,
        }
    }

    /// RFC 3711 §4.1.1: the salt, the source and the index, each at its place.
    fn iv(&self, id: PacketId) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[4..8].copy_from_slice(&id.ssrc.to_be_bytes());
        iv[8..14].copy_from_slice(&id.index.to_be_bytes()[2..]);
        for (byte, salt) in iv.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        iv
    }

    fn tag(&self, packet: &[u8], behind: &[u8]) -> Output<Sha1> {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(behind);
        mac.finalize().into_bytes()
    }

    fn rollovers(id: PacketId) -> [u8; 4] {
        // 48 bits without the lower 16.
        ((id.index >> 16) as u32).to_be_bytes()
    }
}

impl<C: Keystream> Transform for Counter<C> {
    fn seal_rtp(&self, id: PacketId, clear: usize, packet: &mut Vec<u8>, start: usize) {
        self.cipher.apply(self.iv(id), &mut packet[start + clear..]);
        if self.tag_len != 0 {
            let tag = self.tag(&packet[start..], &Self::rollovers(id));
            packet.extend_from_slice(&tag[..self.tag_len]);
        }
    }

    fn open_rtp(&self, id: PacketId, clear: usize, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let len = packet.len().checked_sub(self.tag_len);
        let len = len
            .filter(|len| *len >= clear)
            .ok_or(SrtpError::Malformed)?;
        let (body, theirs) = packet.split_at_mut(len);
        if self.tag_len != 0 {
            let ours = self.tag(body, &Self::rollovers(id));
            if !same_tag(&ours[..self.tag_len], theirs) {
                return Err(SrtpError::Authentication);
            }
        }
        self.cipher.apply(self.iv(id), &mut body[clear..]);
        Ok(len)
    }

    fn seal_rtcp(&self, id: PacketId, encrypt: bool, packet: &mut Vec<u8>, start: usize) {
        // 31 bits.
        let mut word = id.index as u32;
        if encrypt {
            word |= RTCP_ENCRYPTED;
            self.cipher
                .apply(self.iv(id), &mut packet[start + RTCP_CLEAR..]);
        }
        packet.extend_from_slice(&word.to_be_bytes());
        let tag = self.tag(&packet[start..], &[]);
        packet.extend_from_slice(&tag[..self.tag_len]);
    }

    fn open_rtcp(
        &self,
        id: PacketId,
        encrypted: bool,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let len = packet.len().checked_sub(self.tag_len + RTCP_WORD);
        let len = len
            .filter(|len| *len >= RTCP_CLEAR)
            .ok_or(SrtpError::Malformed)?;
        let (body, theirs) = packet.split_at_mut(len + RTCP_WORD);
        if !same_tag(&self.tag(body, &[])[..self.tag_len], theirs) {
            return Err(SrtpError::Authentication);
        }
        if encrypted {
            self.cipher.apply(self.iv(id), &mut body[RTCP_CLEAR..len]);
        }
        Ok(len)
    }

    fn rtp_overhead(&self) -> usize {
        self.tag_len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    #[test]
    fn the_keystream_of_rfc_3711_b_2() {
        let mut key = [0; 16];
        key.copy_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C"));
        let mut iv = [0; 16];
        iv.copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"));
        let mut stream = vec![0; 0xff02 * 16];
        xor_keystream(&Aes128Enc::new(&key.into()), iv, &mut stream);
        let at = |block: usize| &stream[block * 16..block * 16 + 16];
        assert_eq!(at(0), hex("E03EAD0935C95E80E166B16DD92B4EB4"));
        assert_eq!(at(1), hex("D23513162B02D0F72A43A2FE4A5F97AB"));
        assert_eq!(at(2), hex("41E95B3BB0A2E8DD477901E4FCA894C0"));
        assert_eq!(at(0xfeff), hex("EC8CDF7398607CB0F2D21675EA9EA1E4"));
        assert_eq!(at(0xff00), hex("362B7C3C6773516318A077D7FC5073AE"));
        assert_eq!(at(0xff01), hex("6A2CC3787889374FBEB4C81B17BA6C44"));
    }
}
