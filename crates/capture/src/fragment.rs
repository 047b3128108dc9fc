// SPDX-License-Identifier: AGPL-3.0-only
//! Puts fragments of IP packets together again.

use crate::ip::Packet;
use crate::reader::Seen;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Fragments that wait longer than this for others wait in vain.
const PATIENCE: Duration = Duration::from_secs(60);
/// A fragment of a packet that was whole so shortly before is a copy, not one of another packet with the same number.
const COPIES: Duration = Duration::from_secs(2);
/// Longest payload of a packet.
const LONGEST: usize = 65_535;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: u32,
}

/// A packet whose fragments have come in part.
#[derive(Debug)]
struct Open {
    serial: u64,
    seen: Seen,
    /// By offset; they never overlap.
    parts: BTreeMap<usize, Vec<u8>>,
    have: usize,
    total: Option<usize>,
    /// When it was whole.
    done: Option<Duration>,
}

/// A packet put together.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Its first fragment in the file.
    pub(crate) seen: Seen,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    /// From its beginning up to the first gap.
    pub(crate) payload: Vec<u8>,
    /// There was no gap.
    pub(crate) complete: bool,
}

/// The packets that wait for fragments.
#[derive(Default, Debug)]
pub(crate) struct Fragments {
    open: HashMap<Key, Open>,
    /// In the order in which they began.
    order: VecDeque<(Key, u64)>,
    serial: u64,
}

impl Fragments {
    /// Takes a fragment; what became of it, and of those that waited too long.
    pub(crate) fn add(&mut self, seen: Seen, packet: &Packet<'_>, out: &mut Vec<Whole>) {
        let Some(fragment) = packet.fragment else {
            return;
        };
        self.give_up_before(seen.time.saturating_sub(PATIENCE), out);
        let end = fragment.offset + packet.payload.len();
        if end > LONGEST {
            return;
        }
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            id: fragment.id,
        };
        if let Some(open) = self.open.get(&key)
            && let Some(done) = open.done
        {
            if seen.time.abs_diff(done) < COPIES {
                return;
            }
            self.open.remove(&key);
        }
        let open = self.open.entry(key).or_insert_with(|| {
            self.serial += 1;
            self.order.push_back((key, self.serial));
            Open {
                serial: self.serial,
                seen,
                parts: BTreeMap::new(),
                have: 0,
                total: None,
                done: None,
            }
        });
        if !fragment.more {
            open.total = Some(end + packet.missing);
        }
        open.fill(fragment.offset, packet.payload);
        if open.total.is_some_and(|total| open.have >= total) {
            out.push(open.give(key));
            open.done = Some(seen.time);
        }
    }

    /// Gives what there is of all that still wait.
    pub(crate) fn finish(&mut self, out: &mut Vec<Whole>) {
        self.give_up_before(Duration::MAX, out);
    }

    fn give_up_before(&mut self, time: Duration, out: &mut Vec<Whole>) {
        while let Some((key, serial)) = self.order.front().copied() {
            let open = self.open.get_mut(&key).filter(|open| open.serial == serial);
            if let Some(open) = open {
                if open.seen.time >= time {
                    return;
                }
                if open.done.is_none() {
                    out.push(open.give(key));
                }
                self.open.remove(&key);
            }
            self.order.pop_front();
        }
    }
}

impl Open {
    /// Takes the bytes that nobody has brought yet: what comes first stays.
    fn fill(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        let before = self.parts.range(..=offset).next_back();
        let mut at = before.map_or(offset, |(start, part)| (start + part.len()).max(offset));
        while at < end {
            let next = self
                .parts
                .range(at..)
                .next()
                .map(|(start, part)| (*start, start + part.len()));
            let (stop, behind) = next.filter(|(start, _)| *start < end).unwrap_or((end, end));
            if stop > at {
                self.have += stop - at;
                self.parts
                    .insert(at, bytes[at - offset..stop - offset].to_vec());
            }
            at = behind.max(stop);
        }
    }

    fn give(&mut self, key: Key) -> Whole {
        let mut payload = Vec::with_capacity(self.have);
        for (offset, part) in core::mem::take(&mut self.parts) {
            if offset != payload.len() {
                break;
            }
            payload.extend_from_slice(&part);
        }
        Whole {
            seen: self.seen,
            source: key.source,
            destination: key.destination,
            protocol: key.protocol,
            complete: self.total == Some(payload.len()),
            payload,
        }
    }
}
