// SPDX-License-Identifier: AGPL-3.0-only
//! Bodies of the fuzz targets, so that they compile and run with the ordinary tests.
//!
//! Each function takes arbitrary bytes and panics when a promise of this crate is broken. Compiled for tests and behind
//! the feature `internal-fuzz`; not an API for anybody else.

use crate::clip::Clip;
use crate::codec::Codec;
use crate::receive::{Receiver, Timing};
use crate::replay::{Keep, LinkType, Replay};
use crate::rtcp::{Compound, RtcpPacket, canonical_name};
use crate::rtp::{self, Packet};
use crate::srtp::{MasterKey, Opener, Relaxed, Sealer, Suite};
use crate::time::Micros;
use crate::wav;

/// Packets out of arbitrary bytes: one byte of length in front of each.
fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (len, rest) = bytes.split_first()?;
        let (packet, rest) = rest.split_at(rest.len().min(usize::from(*len)));
        bytes = rest;
        Some(packet)
    })
}

/// Target `rtp_rtcp`: packets are read or refused, and counted without contradiction.
pub fn rtp_rtcp(bytes: &[u8]) {
    let mut receiver = Receiver::new(8000);
    let mut now = Micros(0);
    let mut accepted = 0;
    for packet in packets(bytes) {
        now += Micros(u64::from(packet.first().copied().unwrap_or(0)) * 997);
        if let Ok(read) = Packet::parse(packet) {
            let len = rtp::header_len(packet).expect("what is a packet has a header");
            let sum = len + read.payload.len() + usize::from(read.padding);
            assert_eq!(sum, packet.len());
            receiver.on_packet(now, &read.header, read.payload.len(), Timing::Sampled);
            accepted += 1;
        }
        if let Ok(compound) = Compound::parse(packet) {
            for part in compound.packets() {
                match part {
                    RtcpPacket::SenderReport { ssrc, info, blocks } => {
                        receiver.on_sender_report(now, ssrc, info.ntp);
                        let longest = blocks
                            .filter_map(|block| block.round_trip_us(info.ntp))
                            .max();
                        // Half of what 32 bits of 1/65536 s hold.
                        assert!(longest.is_none_or(|us| us <= 32_768 * 1_000_000));
                    }
                    RtcpPacket::ReceiverReport { blocks, .. } => {
                        assert!(blocks.count() <= crate::rtcp::MAX_BLOCKS);
                    }
                    RtcpPacket::SourceDescription(body) => {
                        assert!(canonical_name(body).is_none_or(|name| name.len() <= 255));
                    }
                    RtcpPacket::Goodbye(sources) => assert!(sources.len().is_multiple_of(4)),
                    RtcpPacket::Other { .. } => {}
                }
            }
        }
    }
    let counts = receiver.counts();
    assert!(counts.packets <= accepted);
    assert!(counts.duplicates + counts.reordered + counts.gaps <= counts.packets);
    assert!((0.0..=100.0).contains(&counts.loss_percent()) && counts.burst_ratio() >= 1.0);
    let jitter = receiver.jitter();
    assert!(jitter.last >= 0.0 && jitter.mean <= jitter.max + 1e-6);
}

/// Target `srtp_unprotect`: nothing forged is accepted, whatever came before, and the honest packet still is.
pub fn srtp_unprotect(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let choice = usize::from(*choice) % Suite::ALL.len();
    let suite = Suite::ALL[choice];
    // A key for each suite: with one key, what one suite leaves in clear is authentic in another.
    let key = vec![7 + choice as u8; suite.key_len() + suite.salt_len()];
    let key = MasterKey::new(suite, Relaxed::default(), &key).expect("a key of the right length");
    let (mut sealer, mut opener) = (Sealer::new(key.clone()), Opener::new(key));
    let header = rtp::Header {
        marker: false,
        payload_type: 0,
        sequence: 77,
        timestamp: 1,
        ssrc: 5,
    };
    let mut honest = Vec::new();
    header.append(b"honest", &mut honest);
    let clear = honest.clone();
    sealer.seal_rtp(&mut honest, 0).expect("a packet of ours");
    for packet in packets(rest) {
        // Four bytes of tag can be guessed in 2^32 tries; not here, and not for the honest packet changed.
        let mut packet = packet.to_vec();
        assert!(opener.open_rtcp(&mut packet.clone()).is_err());
        // A fuzzer sees what is compared here, and so learns the honest packet itself.
        if packet != honest {
            assert!(opener.open_rtp(&mut packet).is_err());
        }
        let mut changed = honest.clone();
        for (at, byte) in packet.iter().enumerate() {
            let at = at % changed.len();
            changed[at] ^= byte;
        }
        if changed != honest {
            assert!(opener.open_rtp(&mut changed).is_err());
        }
    }
    let len = opener.open_rtp(&mut honest).expect("nobody could stop it");
    assert_eq!(honest[..len], clear);
}

/// Target `wav`: files are read or refused, and what was read can be played.
pub fn wav(bytes: &[u8]) {
    if let Some(data) = wav::data(bytes) {
        assert!(data.end <= bytes.len() && data.start <= data.end);
    }
    let Ok(audio) = wav::read(bytes) else {
        return;
    };
    assert!(!audio.samples.is_empty() && audio.samples.len() <= bytes.len());
    if let Ok(clip) = Clip::file(Codec::Pcmu, bytes) {
        let expected = audio.samples.len() as u64 * 8000 / u64::from(audio.rate);
        assert_eq!(clip.size() as u64, expected);
    }
}

/// Target `pcap_replay`: captures are read or refused, and every packet of a plan lies in its file and in order.
pub fn pcap_replay(bytes: &[u8]) {
    for (keep, link) in [
        (Keep::All, None),
        (Keep::Rtp, None),
        (Keep::All, Some(LinkType::Raw)),
    ] {
        let Ok(replay) = Replay::parse(bytes.into(), keep, link) else {
            continue;
        };
        let mut before = Micros(0);
        let mut lowest = u16::MAX;
        let mut sum = 0;
        for packet in replay.packets() {
            assert!(packet.at >= before);
            before = packet.at;
            lowest = lowest.min(packet.port_offset);
            let payload = replay.bytes(packet);
            sum += payload.len();
            assert!(keep == Keep::All || Packet::parse(payload).is_ok());
        }
        assert_eq!((before, lowest), (replay.duration(), 0));
        assert!(sum <= bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a body over its seeds and over the files that once broke it; returns how many there were.
    #[expect(clippy::disallowed_methods, reason = "regressions are files")]
    fn replay(target: &str, body: fn(&[u8])) -> usize {
        let fuzz = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");
        let mut count = 0;
        for folder in ["regressions", "corpus"] {
            // A folder without files is not in the repository.
            let Ok(entries) = std::fs::read_dir(format!("{fuzz}/{folder}/{target}")) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("readable folder").path();
                body(&std::fs::read(path).expect("readable file"));
                count += 1;
            }
        }
        count
    }

    #[test]
    fn past_failures_of_the_targets_stay_fixed() {
        assert!(replay("rtp_rtcp", rtp_rtcp) >= 3);
        assert!(replay("srtp_unprotect", srtp_unprotect) >= Suite::ALL.len());
        assert!(replay("wav", wav) >= 5);
        assert!(replay("pcap_replay", pcap_replay) >= 6);
    }
}
