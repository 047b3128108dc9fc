// SPDX-License-Identifier: AGPL-3.0-only
//! AKA: the password of a digest, made from the keys of a SIM and the challenge's nonce.
//!
//! The nonce is base64 of RAND (16 bytes) and AUTN (16 bytes: SQN ⊕ AK, AMF, MAC); what follows is the server's. The
//! functions f1 to f5 are Milenage (3GPP TS 35.206). As in SIPp the sequence number is not checked and there is no
//! resynchronisation (AUTS).
//!
//! Rules: RFC 3310 (AKAv1), RFC 4169 (AKAv2), 3GPP TS 33.203 (AKAv2 with SHA-256).

use crate::digest::{AkaVersion, Hash};
use hmac::Hmac;
use milenage::Milenage;
use std::fmt;

/// What a SIM knows.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Sim {
    /// K, the key.
    pub k: [u8; 16],
    /// OP, the operator's variant (not OPc).
    pub op: [u8; 16],
    /// AMF; `None` takes that of the challenge.
    pub amf: Option<[u8; 2]>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys do not belong into logs.
        f.write_str("Sim { .. }")
    }
}

/// Why a challenge cannot be answered with these keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AkaError {
    /// The nonce is not base64 of at least 32 bytes.
    Nonce,
    /// The challenge was made with another key, OP or AMF.
    Mac,
}

impl fmt::Display for AkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nonce => "AKA: the nonce is not base64 of RAND and AUTN",
            Self::Mac => {
                "AKA: MAC in AUTN is wrong, the challenge was made with another K, OP or AMF"
            }
        })
    }
}

impl std::error::Error for AkaError {}

/// The text that AKAv2 hashes (RFC 4169 §3).
const V2_TEXT: &[u8] = b"http-digest-akav2-password";

/// The password of a digest.
///
/// # Errors
/// See [`AkaError`].
pub fn password(
    version: AkaVersion,
    hash: Hash,
    nonce: &[u8],
    sim: &Sim,
) -> Result<Vec<u8>, AkaError> {
    let nonce = base64_decode(nonce).ok_or(AkaError::Nonce)?;
    let (rand, rest) = nonce.split_first_chunk::<16>().ok_or(AkaError::Nonce)?;
    let (concealed, rest) = rest.split_first_chunk::<6>().ok_or(AkaError::Nonce)?;
    let (amf, rest) = rest.split_first_chunk::<2>().ok_or(AkaError::Nonce)?;
    let (mac, _) = rest.split_first_chunk::<8>().ok_or(AkaError::Nonce)?;
    let mut milenage = Milenage::new_with_op(sim.k, sim.op);
    let (res, ck, ik, ak) = milenage.f2345(rand);
    let mut sqn = *concealed;
    for (byte, mask) in sqn.iter_mut().zip(ak) {
        *byte ^= mask;
    }
    if milenage.f1(rand, &sqn, sim.amf.as_ref().unwrap_or(amf)) != *mac {
        return Err(AkaError::Mac);
    }
    Ok(match version {
        AkaVersion::V1 => res.to_vec(),
        AkaVersion::V2 => {
            let mut key = [0u8; 40];
            key[..8].copy_from_slice(&res);
            key[8..24].copy_from_slice(&ik);
            key[24..].copy_from_slice(&ck);
            let code = match hash {
                Hash::Md5 => keyed::<Hmac<md5::Md5>>(&key),
                Hash::Sha256 => keyed::<Hmac<sha2::Sha256>>(&key),
                Hash::Sha512_256 => keyed::<Hmac<sha2::Sha512_256>>(&key),
            };
            base64_encode(&code)
        }
    })
}

fn keyed<M: hmac::Mac + hmac::KeyInit>(key: &[u8; 40]) -> Vec<u8> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key)
        .expect("HMAC takes keys of every length (RFC 2104 §2)");
    mac.update(V2_TEXT);
    mac.finalize().into_bytes().to_vec()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648 §4).
#[must_use]
pub fn base64_encode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0usize, |group, byte| group << 8 | usize::from(*byte));
        for digit in 0..4 {
            out.push(if digit <= chunk.len() {
                ALPHABET[group >> (18 - 6 * digit) & 63]
            } else {
                b'='
            });
        }
    }
    out
}

/// Decodes up to the padding, which may be missing; `None` at a character that is not of the alphabet.
#[must_use]
pub fn base64_decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0u32;
    let mut bits = 0;
    for byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        group = (group << 6 | u32::from(digit)) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((group >> bits & 0xFF) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let digits: Vec<u8> = hex
            .bytes()
            .map(|b| (b as char).to_digit(16).expect("hexadecimal") as u8)
            .collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect();
        bytes.try_into().expect("as long as it says")
    }

    /// One test set of 3GPP TS 35.208 §4.3.
    struct Set {
        k: &'static str,
        rand: &'static str,
        sqn: &'static str,
        amf: &'static str,
        op: &'static str,
        mac: &'static str,
        res: &'static str,
        ak: &'static str,
    }

    const SETS: &[Set] = &[
        Set {
            k: "465b5ce8b199b49faa5f0a2ee238a6bc",
            rand: "23553cbe9637a89d218ae64dae47bf35",
            sqn: "ff9bb4d0b607",
            amf: "b9b9",
            op: "cdc202d5123e20f62b6d676ac72cb318",
            mac: "4a9ffac354dfafb3",
            res: "a54211d5e3ba50bf",
            ak: "aa689c648370",
        },
        Set {
            k: "fec86ba6eb707ed08905757b1bb44b8f",
            rand: "9f7c8d021accf4db213ccff0c7f71a6a",
            sqn: "9d0277595ffc",
            amf: "725c",
            op: "dbc59adcb6f9a0ef735477b7fadf8374",
            mac: "9cabc3e99baf7281",
            res: "8011c48c0c214ed2",
            ak: "33484dc2136b",
        },
        Set {
            k: "9e5944aea94b81165c82fbf9f32db751",
            rand: "ce83dbc54ac0274a157c17f80d017bd6",
            sqn: "0b604a81eca8",
            amf: "9e09",
            op: "223014c5806694c007ca1eeef57f004f",
            mac: "74a58220cba84c49",
            res: "f365cd683cd92e96",
            ak: "f0b9c08ad02e",
        },
    ];

    fn nonce(set: &Set, server_data: &[u8]) -> Vec<u8> {
        let mut raw = bytes::<16>(set.rand).to_vec();
        let (sqn, ak) = (bytes::<6>(set.sqn), bytes::<6>(set.ak));
        raw.extend(sqn.iter().zip(ak).map(|(sqn, ak)| sqn ^ ak));
        raw.extend(bytes::<2>(set.amf));
        raw.extend(bytes::<8>(set.mac));
        raw.extend(server_data);
        base64_encode(&raw)
    }

    fn sim(set: &Set) -> Sim {
        Sim {
            k: bytes(set.k),
            op: bytes(set.op),
            amf: Some(bytes(set.amf)),
        }
    }

    #[test]
    fn the_password_of_version_1_is_res_of_ts_35_208() {
        for set in SETS {
            for server_data in [&b""[..], b"more"] {
                let found = password(
                    AkaVersion::V1,
                    Hash::Md5,
                    &nonce(set, server_data),
                    &sim(set),
                );
                assert_eq!(found, Ok(bytes::<8>(set.res).to_vec()), "{}", set.k);
            }
        }
    }

    #[test]
    fn without_an_amf_of_its_own_that_of_the_challenge_counts() {
        let set = &SETS[1];
        let sim = Sim {
            amf: None,
            ..sim(set)
        };
        assert!(password(AkaVersion::V1, Hash::Md5, &nonce(set, b""), &sim).is_ok());
    }

    #[test]
    fn version_2_hashes_res_ik_and_ck() {
        // Independently computed: base64(HMAC(RES || IK || CK, "http-digest-akav2-password")) with IK and CK of set 1.
        let set = &SETS[0];
        for (hash, expected) in [(Hash::Md5, V2_MD5), (Hash::Sha256, V2_SHA256)] {
            let found = password(AkaVersion::V2, hash, &nonce(set, b""), &sim(set));
            assert_eq!(found.as_deref(), Ok(expected.as_bytes()), "{hash:?}");
        }
    }

    const V2_MD5: &str = "shzt3q8CWaZnCAWqs3WmEQ==";
    const V2_SHA256: &str = "wpC+5dv/7kC35JEI2hluv8XcBd+vf8XcfedJBan1buk=";

    #[test]
    fn wrong_keys_and_short_nonces_are_told_apart() {
        let set = &SETS[0];
        let good = nonce(set, b"");
        let mut other = sim(set);
        other.op = [0; 16];
        assert_eq!(
            password(AkaVersion::V1, Hash::Md5, &good, &other),
            Err(AkaError::Mac)
        );
        let mut other = sim(set);
        other.amf = Some([0; 2]);
        assert_eq!(
            password(AkaVersion::V1, Hash::Md5, &good, &other),
            Err(AkaError::Mac)
        );
        for nonce in [&good[..40], b"", b"no base64!"] {
            assert_eq!(
                password(AkaVersion::V1, Hash::Md5, nonce, &sim(set)),
                Err(AkaError::Nonce)
            );
        }
    }

    #[test]
    fn base64_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64_encode(plain.as_bytes()), coded.as_bytes());
            assert_eq!(
                base64_decode(coded.as_bytes()).as_deref(),
                Some(plain.as_bytes())
            );
        }
        assert_eq!(base64_decode(b"Zg"), Some(b"f".to_vec()));
        assert_eq!(base64_decode(b"Z g="), None);
    }
}
