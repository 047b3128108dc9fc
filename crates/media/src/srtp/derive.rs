// SPDX-License-Identifier: AGPL-3.0-only
//! Session keys from a master key (RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11), with a derivation rate of 0.

use super::MasterKey;
use super::counter::xor_keystream;
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16};
use aes::{Aes128Enc, Aes256Enc};

const AUTHENTICATION_LEN: usize = 20;
const SALT_LEN: usize = 14;

/// Keys of one direction of one protocol.
pub(super) struct SessionKeys {
    key: [u8; 32],
    key_len: usize,
    pub(super) authentication: [u8; AUTHENTICATION_LEN],
    /// GCM uses twelve bytes of it.
    pub(super) salt: [u8; SALT_LEN],
}

impl SessionKeys {
    pub(super) fn rtp(master: &MasterKey) -> Self {
        Self::derive(master, 0)
    }

    pub(super) fn rtcp(master: &MasterKey) -> Self {
        Self::derive(master, 3)
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key[..self.key_len]
    }

    fn derive(master: &MasterKey, first_label: u8) -> Self {
        // `MasterKey` has checked the length.
        match master.key().first_chunk::<32>() {
            Some(key) => Self::with(&Aes256Enc::new(key.into()), master, first_label),
            None => {
                let mut key = [0; 16];
                key.copy_from_slice(master.key());
                Self::with(&Aes128Enc::new(&key.into()), master, first_label)
            }
        }
    }

    fn with<C>(cipher: &C, master: &MasterKey, first_label: u8) -> Self
    where
        C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
    {
        let derive = |label: u8, out: &mut [u8]| {
            let mut iv = [0; 16];
            // A salt of twelve bytes is filled up with zeros.
            iv[..master.salt().len()].copy_from_slice(master.salt());
            iv[7] ^= label;
            out.fill(0);
            xor_keystream(cipher, iv, out);
        };
        let mut keys = Self {
            key: [0; 32],
            key_len: master.key().len(),
            authentication: [0; AUTHENTICATION_LEN],
            salt: [0; SALT_LEN],
        };
        let len = keys.key_len;
        derive(first_label, &mut keys.key[..len]);
        derive(first_label + 1, &mut keys.authentication);
        derive(first_label + 2, &mut keys.salt[..master.salt().len()]);
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Relaxed, Suite};
    use super::*;
    use crate::srtp::tests::hex;

    fn keys(suite: Suite, master: &str) -> SessionKeys {
        let master = MasterKey::new(suite, Relaxed::default(), &hex(master)).unwrap();
        SessionKeys::rtp(&master)
    }

    #[test]
    fn the_keys_of_rfc_3711_b_3() {
        let keys = keys(
            Suite::AesCm128Sha1_80,
            "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6",
        );
        assert_eq!(keys.key(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            keys.authentication[..],
            hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
        );
    }

    #[test]
    fn the_keys_of_rfc_6188_7_2() {
        let keys = keys(
            Suite::AesCm256Sha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
        );
        assert_eq!(
            keys.key(),
            hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4")
        );
        assert_eq!(keys.salt[..], hex("fa31791685ca444a9e07c6c64e93"));
        assert_eq!(
            keys.authentication[..],
            hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
        );
    }
}
