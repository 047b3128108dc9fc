// SPDX-License-Identifier: AGPL-3.0-only
//! SIP over SCTP: messages out of chunks of data, each once, put together from parts where need be.

use crate::link::{Skip, behind, half};
use crate::reader::{Findings, Seen};
use crate::stream::Path;
use crate::{Carrier, SipMessage, sip};
use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, HashMap};

/// Chunks are remembered this far back, to tell what is sent again; no message has more parts.
const REMEMBERED: u32 = 64;

/// One direction of each association.
#[derive(Default, Debug)]
pub(crate) struct Associations(HashMap<Path, Direction>);

#[derive(Default, Debug)]
struct Direction {
    /// Chunks by number; those that were handed on keep their place without their bytes.
    chunks: BTreeMap<u32, Chunk>,
    latest: Option<u32>,
}

#[derive(Debug)]
struct Chunk {
    seen: Seen,
    first: bool,
    last: bool,
    bytes: Option<Vec<u8>>,
}

impl Associations {
    /// Takes a packet.
    pub(crate) fn add(
        &mut self,
        seen: Seen,
        ends: [IpAddr; 2],
        packet: &[u8],
        found: &mut Findings<'_>,
    ) {
        // What is cut is not given: SCTP without loss was what was wanted.
        let _: Result<(), Skip> = self.chunks(seen, ends, packet, found);
    }

    fn chunks(
        &mut self,
        seen: Seen,
        [source, destination]: [IpAddr; 2],
        packet: &[u8],
        found: &mut Findings<'_>,
    ) -> Result<(), Skip> {
        let path = Path {
            source: SocketAddr::new(source, half(packet, 0)?),
            destination: SocketAddr::new(destination, half(packet, 2)?),
        };
        let mut rest = behind(packet, 12)?;
        while !rest.is_empty() {
            const DATA: u8 = 0;
            let [kind, flags, ..] = *rest else {
                return Err(Skip::Truncated);
            };
            let len = usize::from(half(rest, 2)?);
            let chunk = rest.get(4..len).ok_or(Skip::Truncated)?;
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
            if kind != DATA {
                continue;
            }
            let (number, bytes) = chunk.split_first_chunk::<4>().ok_or(Skip::Truncated)?;
            let bytes = bytes.get(8..).ok_or(Skip::Truncated)?;
            let chunk = Chunk {
                seen,
                first: flags & 2 != 0,
                last: flags & 1 != 0,
                bytes: Some(bytes.to_vec()),
            };
            let direction = self.0.entry(path).or_default();
            direction.add(u32::from_be_bytes(*number), chunk, path, found);
        }
        Ok(())
    }
}

impl Direction {
    fn add(&mut self, number: u32, chunk: Chunk, path: Path, found: &mut Findings<'_>) {
        // Far away from the others another association has begun.
        let far =
            |latest: u32| (number.wrapping_sub(latest).cast_signed()).unsigned_abs() > REMEMBERED;
        if self.latest.is_some_and(far) {
            self.chunks.clear();
        }
        self.latest = Some(number);
        self.chunks.entry(number).or_insert(chunk);
        while self.chunks.len() > REMEMBERED as usize {
            self.chunks.pop_first();
        }
        let is = |number: u32, test: fn(&Chunk) -> bool| {
            self.chunks
                .get(&number)
                .filter(|chunk| chunk.bytes.is_some())
                .map(test)
        };
        let mut begin = number;
        while is(begin, |chunk| chunk.first) == Some(false) {
            begin = begin.wrapping_sub(1);
        }
        let mut end = number;
        while is(end, |chunk| chunk.last) == Some(false) {
            end = end.wrapping_add(1);
        }
        let (Some(true), Some(true)) =
            (is(begin, |chunk| chunk.first), is(end, |chunk| chunk.last))
        else {
            return;
        };
        let mut message = Vec::new();
        let mut first: Option<Seen> = None;
        let mut at = begin;
        loop {
            let Some(chunk) = self.chunks.get_mut(&at) else {
                return;
            };
            first = Some(first.map_or(chunk.seen, |first| {
                if chunk.seen.frame < first.frame {
                    chunk.seen
                } else {
                    first
                }
            }));
            message.extend_from_slice(&chunk.bytes.take().unwrap_or_default());
            if at == end {
                break;
            }
            at = at.wrapping_add(1);
        }
        let bytes = sip::without_blank(&message);
        if let Some(seen) = first.filter(|_| sip::is_message(bytes)) {
            found.message(SipMessage {
                frame: seen.frame,
                time: seen.time,
                source: path.source,
                destination: path.destination,
                carrier: Carrier::Sctp,
                bytes: bytes.to_vec(),
                truncated: false,
            });
        }
    }
}
