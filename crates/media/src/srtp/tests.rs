// SPDX-License-Identifier: AGPL-3.0-only
//! Whole packets against the other implementation, and against whoever changes, repeats or forges them.

use super::*;
use crate::rtcp::append_receiver_report;
use crate::rtp::Header;
use proptest::prelude::*;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

/// Bytes of a text in hexadecimal; blanks do not count.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let digits = core::str::from_utf8(&digits).unwrap();
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn key(suite: Suite, relaxed: Relaxed, seed: u8) -> MasterKey {
    let len = suite.key_len() + suite.salt_len();
    let bytes: Vec<u8> = (0..len as u8)
        .map(|byte| byte.wrapping_mul(37) ^ seed)
        .collect();
    MasterKey::new(suite, relaxed, &bytes).unwrap()
}

fn theirs(key: &MasterKey) -> Option<Context> {
    let profile = match key.suite() {
        Suite::AesCm128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AesCm256Sha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::AesCm256Sha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        Suite::NullSha1_80 | Suite::NullSha1_32 => return None,
    };
    Some(Context::new(key.key(), key.salt(), profile, None, None).unwrap())
}

fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 8,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc: 0xca11_0000,
    };
    let mut out = Vec::new();
    header.append(payload, &mut out);
    out
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut out = Vec::new();
    append_receiver_report(ssrc, &[], &mut out);
    crate::rtcp::append_name(ssrc, b"somebody", &mut out);
    out
}

/// Seals behind other bytes, as in an arena.
fn sealed(sealer: &mut Sealer, packet: &[u8]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    out.extend_from_slice(packet);
    sealer.seal_rtp(&mut out, 6).unwrap();
    assert_eq!(&out[..6], b"before");
    out.split_off(6)
}

fn opened(opener: &mut Opener, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let len = opener.open_rtp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

#[test]
fn every_suite_opens_what_it_seals_and_hides_what_it_should() {
    for suite in Suite::ALL {
        for bits in 0..8u8 {
            let relaxed = Relaxed {
                unencrypted_rtp: bits & 1 != 0,
                unencrypted_rtcp: bits & 2 != 0,
                unauthenticated_rtp: bits & 4 != 0,
            };
            if suite.is_aead() && bits & 5 != 0 {
                continue;
            }
            let key = key(*suite, relaxed, 1);
            let (mut sealer, mut opener) = (Sealer::new(key.clone()), Opener::new(key));
            for sequence in [65_534, 65_535, 0, 1] {
                let clear = rtp(sequence, &[0x55; 160]);
                let packet = sealed(&mut sealer, &clear);
                assert_eq!(packet.len(), clear.len() + sealer.rtp_overhead());
                assert_eq!(packet[..12], clear[..12]);
                let hidden = packet[12..172] != clear[12..];
                let encrypts = !relaxed.unencrypted_rtp && !suite.is_null();
                assert_eq!(hidden, encrypts, "{suite:?} {relaxed:?}");
                assert_eq!(
                    opened(&mut opener, &packet),
                    Ok(clear),
                    "{suite:?} {relaxed:?}"
                );
                assert_eq!(opened(&mut opener, &packet), Err(SrtpError::Replayed));
            }
            let clear = rtcp(7);
            let mut packet = clear.clone();
            sealer.seal_rtcp(&mut packet, 0).unwrap();
            assert_eq!(packet.len(), clear.len() + sealer.rtcp_overhead());
            let hidden = packet[8..clear.len()] != clear[8..];
            assert_eq!(hidden, !relaxed.unencrypted_rtcp && !suite.is_null());
            let mut again = packet.clone();
            let len = opener.open_rtcp(&mut packet).unwrap();
            assert_eq!(packet[..len], clear);
            assert_eq!(opener.open_rtcp(&mut again), Err(SrtpError::Replayed));
        }
    }
}

#[test]
fn a_wrong_key_or_a_changed_byte_is_noticed() {
    for suite in Suite::ALL {
        let mut sealer = Sealer::new(key(*suite, Relaxed::default(), 1));
        let packet = sealed(&mut sealer, &rtp(5, &[1, 2, 3]));
        let mut other = Opener::new(key(*suite, Relaxed::default(), 2));
        assert_eq!(opened(&mut other, &packet), Err(SrtpError::Authentication));
        let mut opener = Opener::new(key(*suite, Relaxed::default(), 1));
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            assert!(opened(&mut opener, &changed).is_err(), "{suite:?} {at}");
        }
        for len in 0..packet.len() {
            assert!(
                opened(&mut opener, &packet[..len]).is_err(),
                "{suite:?} {len}"
            );
        }
        // None of them moved the window.
        assert!(opened(&mut opener, &packet).is_ok());

        let mut report = rtcp(9);
        sealer.seal_rtcp(&mut report, 0).unwrap();
        for at in 0..report.len() {
            let mut changed = report.clone();
            changed[at] ^= 1;
            assert!(opener.open_rtcp(&mut changed).is_err(), "{suite:?} {at}");
        }
        for len in 0..report.len() {
            assert!(opener.open_rtcp(&mut report[..len].to_vec()).is_err());
        }
        assert!(opener.open_rtcp(&mut report).is_ok());
    }
}

#[test]
fn the_rollover_is_followed_over_losses_and_reordering() {
    let key = key(Suite::AesCm128Sha1_80, Relaxed::default(), 3);
    let (mut sealer, mut opener) = (Sealer::new(key.clone()), Opener::new(key));
    let packets: Vec<_> = (0..300u32)
        .map(|index| sealed(&mut sealer, &rtp((index * 1000) as u16, &[index as u8])))
        .collect();
    for pair in packets.chunks(2) {
        // The later of two first: 1000 back is beyond the window, the rollover is right all the same.
        assert!(opened(&mut opener, &pair[1]).is_ok());
        assert_eq!(opened(&mut opener, &pair[0]), Err(SrtpError::TooOld));
    }
}

#[test]
fn keys_of_the_wrong_length_are_refused() {
    let none = Relaxed::default();
    for len in [0, 16, 29, 31, 46] {
        let key = MasterKey::new(Suite::AesCm128Sha1_80, none, &vec![0; len]);
        assert_eq!(key, Err(KeyError::Length), "{len}");
    }
}

#[test]
fn keys_do_not_show_in_logs() {
    let key = key(Suite::AesCm128Sha1_80, Relaxed::default(), 0);
    let text = format!("{key:?} {:?}", Sealer::new(key.clone()));
    assert!(!text.contains("37") && !text.contains("bytes"), "{text}");
}

#[test]
fn a_context_is_small() {
    // Both directions of a stream have two kilobytes together with everything else.
    assert!(size_of::<Sealer>() <= 176, "{}", size_of::<Sealer>());
    assert!(size_of::<Opener>() <= 256, "{}", size_of::<Opener>());
    const { assert!(COUNTER_LEN <= 384) };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_implementations_seal_and_open_alike(
        suite in 0..Suite::ALL.len(),
        seed: u8,
        start: u16,
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..8),
    ) {
        let key = key(Suite::ALL[suite], Relaxed::default(), seed);
        let (Some(mut their_sealer), Some(mut their_opener)) = (theirs(&key), theirs(&key)) else {
            return Ok(());
        };
        let (mut sealer, mut opener) = (Sealer::new(key.clone()), Opener::new(key));
        for (index, payload) in payloads.iter().enumerate() {
            let clear = rtp(start.wrapping_add(index as u16), payload);
            let ours = sealed(&mut sealer, &clear);
            prop_assert_eq!(&ours[..], &their_sealer.encrypt_rtp(&clear).unwrap()[..]);
            prop_assert_eq!(&their_opener.decrypt_rtp(&ours).unwrap()[..], &clear[..]);
            prop_assert_eq!(opened(&mut opener, &ours), Ok(clear));

            let clear = rtcp(u32::from(start));
            let mut ours = clear.clone();
            sealer.seal_rtcp(&mut ours, 0).unwrap();
            prop_assert_eq!(&their_opener.decrypt_rtcp(&ours).unwrap()[..], &clear[..]);
            let mut back = their_sealer.encrypt_rtcp(&clear).unwrap().to_vec();
            let len = opener.open_rtcp(&mut back).unwrap();
            prop_assert_eq!(&back[..len], &clear[..]);
        }
    }

    #[test]
    fn any_bytes_are_refused(suite in 0..Suite::ALL.len(), bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut opener = Opener::new(key(Suite::ALL[suite], Relaxed::default(), 9));
        prop_assert!(opener.open_rtp(&mut bytes.clone()).is_err());
        prop_assert!(opener.open_rtcp(&mut bytes.clone()).is_err());
    }
}
