// SPDX-License-Identifier: AGPL-3.0-only
//! Datagrams that went through the system together.
//!
//! A sender may hand several datagrams for one peer to the system in one piece, which is cut up behind the place where
//! captures are taken (`UDP_SEGMENT`); a receiver's system may put them together before it (`UDP_GRO`). Either way a
//! capture on that host shows one packet. All datagrams in it are of one length, but the last one, which may be shorter.
//! That is what tells them from a datagram with something else behind its message: those bytes belong to nothing, and RFC
//! 3261 has them dropped.

use crate::sip::{self, Verdict};
use crate::stream::message_len;

/// The datagrams in a payload.
pub(crate) fn parts(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    // An empty one is a datagram too.
    let whole = payload.is_empty().then_some(payload);
    let each = segment(payload).unwrap_or(payload.len()).max(1);
    whole.into_iter().chain(payload.chunks(each))
}

/// How long each is, if there are several.
fn segment(payload: &[u8]) -> Option<usize> {
    if let Some(len) = hep_len(payload) {
        return regular(payload, len, |next| hep_len(next).is_some());
    }
    if sip::starts(payload) == Verdict::Yes {
        // The start of the last one is all there may be of it in a snapped capture.
        return regular(payload, message_len(payload)?, sip::is_message);
    }
    rtp(payload)
}

/// A length at whose multiples something begins.
fn regular(payload: &[u8], len: usize, begins: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let several = len > 0 && len < payload.len();
    (several && payload.chunks(len).all(begins)).then_some(len)
}

/// Length of the HEP 3 packet with which a payload begins.
fn hep_len(payload: &[u8]) -> Option<usize> {
    let rest = payload.strip_prefix(b"HEP3")?;
    let len = rest.first_chunk::<2>()?;
    Some(usize::from(u16::from_be_bytes(*len)))
}

/// Length of the RTP packets in a payload: each but the first one has the next sequence number, and payload type and
/// source of the first.
fn rtp(payload: &[u8]) -> Option<usize> {
    const HEADER: usize = 12;
    let first: &[u8; HEADER] = payload.first_chunk()?;
    if first[0] >> 6 != 2 {
        return None;
    }
    let number = u16::from_be_bytes([first[2], first[3]]);
    let ssrc = &first[8..];
    let follows = |packet: &[u8], distance: usize| {
        packet.first_chunk::<HEADER>().is_some_and(|head| {
            let expected = u16::try_from(distance).map(|distance| number.wrapping_add(distance));
            head[0] >> 6 == 2
                && (head[1] ^ first[1]) & 0x7f == 0
                && Ok(u16::from_be_bytes([head[2], head[3]])) == expected
                && head[8..] == *ssrc
        })
    };
    // Silence may look like a source many times; the first places of it are enough.
    let places = memchr::memmem::find_iter(payload.get(HEADER..)?, ssrc);
    // What is found lies eight bytes into a header, and what was searched began behind one.
    let lens = places.map(|at| at + HEADER - 8).take(64);
    lens.filter(|len| *len >= HEADER).find(|len| {
        let mut packets = payload.chunks(*len).enumerate();
        packets.all(|(distance, packet)| follows(packet, distance))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(call: u8, body: usize) -> Vec<u8> {
        let head = format!(
            "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: {call}\r\nContent-Length: {body:03}\r\n\r\n"
        );
        let mut message = head.into_bytes();
        message.resize(message.len() + body, b'x');
        message
    }

    fn rtp(number: u16, payload: usize) -> Vec<u8> {
        let mut packet = vec![0x80, 8];
        packet.extend(number.to_be_bytes());
        packet.extend([0, 0, number as u8, 160, 0xAB, 0xCD, 0xEF, 1]);
        packet.resize(12 + payload, 0xD5);
        packet
    }

    fn hep(len: u16) -> Vec<u8> {
        let mut packet = b"HEP3".to_vec();
        packet.extend(len.to_be_bytes());
        packet.resize(usize::from(len), 7);
        packet
    }

    #[track_caller]
    fn comes_apart(pieces: &[Vec<u8>]) {
        let payload = pieces.concat();
        let found: Vec<&[u8]> = parts(&payload).collect();
        assert_eq!(found, pieces);
    }

    #[test]
    fn datagrams_of_one_length_and_a_shorter_last_one_come_apart() {
        comes_apart(&[sip(1, 0), sip(2, 0)]);
        comes_apart(&[sip(1, 40), sip(2, 40), sip(3, 39)]);
        comes_apart(&[rtp(65_534, 160), rtp(65_535, 160), rtp(0, 160), rtp(1, 4)]);
        comes_apart(&[rtp(7, 0), rtp(8, 0)]);
        comes_apart(&[hep(80), hep(80), hep(30)]);
    }

    #[test]
    fn what_ends_within_a_message_is_cut_there() {
        comes_apart(&[sip(1, 40), sip(2, 40), sip(3, 40)[..60].to_vec()]);
    }

    #[test]
    fn one_datagram_stays_one() {
        let behind = |first: Vec<u8>, rest: &[u8]| [first, rest.to_vec()].concat();
        for payload in [
            Vec::new(),
            vec![0],
            sip(1, 0),
            sip(1, 500),
            rtp(1, 160),
            vec![0x80; 400],
            hep(90),
            // Lengths that no system makes.
            behind(sip(1, 0), &sip(2, 1)),
            behind(rtp(1, 160), &rtp(2, 161)),
            behind(rtp(1, 160), &rtp(3, 160)),
            behind(hep(80), &hep(81)),
            behind(hep(0), b"HEP3"),
            // Octets behind a message.
            behind(sip(1, 0), b"\r\n\r\n"),
            behind(sip(1, 20), &sip(2, 20)[30..]),
            // A message within the body of another.
            behind(
                sip(1, 0)[..sip(1, 0).len() - 7].to_vec(),
                b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\n",
            ),
        ] {
            let found: Vec<&[u8]> = parts(&payload).collect();
            assert_eq!(found, [&payload[..]], "{payload:?}");
        }
    }
}
