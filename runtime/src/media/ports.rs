// SPDX-License-Identifier: AGPL-3.0-only
//! Ports of streams: pairs that are bound before they are printed, and given back when their call has ended.
//!
//! Shards take even ports in stripes of one range, so that none waits for another; those that somebody else has are passed
//! over. A pair that was given back rests, so that late packets of the call before are not taken for those of the next.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use gossipper_media::Micros;

use super::sockets::{Sockets, Use};

/// How long a pair rests.
const REST: Micros = Micros::from_ms(500);

/// Ports that are bound ahead, in calls.
const AHEAD: usize = 8;

/// Ports that are tried before other work is done.
const TRIED_AT_ONCE: usize = 256;

/// How long the search rests when it has found too little.
const SEARCH_AGAIN: Micros = Micros::from_ms(50);

/// Which ports a shard may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortRange {
    /// First port of all shards (`-mp`), made even.
    pub(crate) first: u16,
    /// The port from which on there are none (`-max_rtp_port`).
    pub(crate) end: u16,
    /// Which stripe is this shard's.
    pub(crate) stripe: usize,
    /// How many stripes there are.
    pub(crate) stripes: usize,
}

/// Ports from `-mp` on that an answerer without media may describe: its audio and its video, with a port each for RTCP.
const DESCRIBED: u16 = 4;

/// What a shard has of the ports of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortShare {
    pub(crate) stripe: usize,
    pub(crate) stripes: usize,
    /// The first ports are described by somebody who does not bind them.
    pub(crate) described: bool,
}

/// Where ports begin if the system may choose them: SIPp's first port.
const ANY_FIRST: u16 = 6000;

impl PortRange {
    /// The shard's share of the ports from the first to before the end.
    pub(crate) fn new((first, end): (u16, u16), share: PortShare) -> Self {
        let PortShare {
            stripe,
            stripes,
            described,
        } = share;
        let of = |first| Self {
            first,
            end,
            stripe,
            stripes,
        };
        let beyond = first.saturating_add(DESCRIBED);
        // In a narrow range a stream is worth more.
        let spares = described && first != 0 && of(beyond).len() > 0;
        of(if spares { beyond } else { first })
    }

    fn first_even(self) -> usize {
        let first = if self.first == 0 {
            ANY_FIRST
        } else {
            self.first
        };
        usize::from(first).next_multiple_of(2)
    }

    /// Number of pairs in the stripe.
    fn len(self) -> usize {
        let first = self.first_even();
        // Both ports of a pair lie below the end.
        let pairs = usize::from(self.end).saturating_sub(first) / 2;
        pairs
            .saturating_sub(self.stripe)
            .div_ceil(self.stripes.max(1))
    }

    /// The port of a pair of the stripe.
    fn port(self, index: usize) -> u16 {
        let first = self.first_even();
        let pair = self.stripe + index * self.stripes.max(1);
        u16::try_from(first + 2 * pair).unwrap_or(u16::MAX)
    }
}

/// A pair of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) port: u16,
    /// Of RTP.
    pub(super) rtp: u32,
    /// Of RTCP, one port above.
    pub(super) rtcp: Option<u32>,
}

/// The pairs of a shard.
#[derive(Debug)]
pub(super) struct Ports {
    range: PortRange,
    /// With a port for RTCP.
    with_rtcp: bool,
    /// Where the search goes on.
    next: usize,
    /// When.
    search_at: Micros,
    /// Bound, and not given to the machine.
    idle: VecDeque<Pair>,
    /// Given back, with the time they have rested at.
    resting: VecDeque<(Micros, Pair)>,
    /// Known to the machine.
    given: HashMap<u16, Pair, foldhash::fast::FixedState>,
}

impl Ports {
    pub(super) fn new(range: PortRange, with_rtcp: bool) -> Self {
        Self {
            range,
            with_rtcp,
            next: 0,
            search_at: Micros(0),
            idle: VecDeque::new(),
            resting: VecDeque::new(),
            given: HashMap::default(),
        }
    }

    /// Some more ports for calls that need so many each; fewer, or none, if no more can be had.
    pub(super) fn supply(
        &mut self,
        now: Micros,
        per_call: usize,
        sockets: &mut Sockets,
    ) -> Vec<u16> {
        while self.resting.front().is_some_and(|(at, _)| *at <= now) {
            self.idle
                .extend(self.resting.pop_front().map(|(_, pair)| pair));
        }
        let wanted = per_call * AHEAD;
        let mut tried = 0;
        let most = match self.search_at <= now {
            true => self.range.len().min(TRIED_AT_ONCE),
            // Every input asks while there are none: peers must not decide how long that takes.
            false => 0,
        };
        while self.idle.len() < wanted && tried < most {
            tried += 1;
            match self.bind_next(sockets) {
                Ok(pair) => self.idle.push_back(pair),
                // Somebody else has it.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // No descriptors, say: another port is no better.
                Err(_) => break,
            }
        }
        if most > 0 && self.idle.len() < per_call {
            self.search_at = now + SEARCH_AGAIN;
        }
        // Better one that was used a moment ago than none.
        while self.idle.len() < per_call
            && let Some((_, pair)) = self.resting.pop_front()
        {
            self.idle.push_back(pair);
        }
        let mut ports = Vec::new();
        for pair in self.idle.drain(..self.idle.len().min(wanted)) {
            ports.push(pair.port);
            self.given.insert(pair.port, pair);
        }
        ports
    }

    fn bind_next(&mut self, sockets: &mut Sockets) -> io::Result<Pair> {
        let port = self.range.port(self.next);
        self.next = (self.next + 1) % self.range.len().max(1);
        if self.given.contains_key(&port) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let rtp = sockets.bind(port)?;
        let rtcp = match self.with_rtcp {
            true => Some(sockets.bind(port.saturating_add(1))?),
            false => None,
        };
        let rtp = sockets.add(Arc::new(rtp), true)?;
        let rtcp = rtcp
            .map(|socket| sockets.add(Arc::new(socket), true))
            .transpose()
            .inspect_err(|_| sockets.remove(rtp))?;
        Ok(Pair { port, rtp, rtcp })
    }

    /// The pair behind a port that a call was given.
    pub(super) fn pair(&self, port: u16) -> Option<Pair> {
        self.given.get(&port).copied()
    }

    /// The call is over.
    pub(super) fn give_back(&mut self, now: Micros, pair: Pair, sockets: &mut Sockets) {
        if self.given.remove(&pair.port).is_none() {
            return;
        }
        for socket in [Some(pair.rtp), pair.rtcp].into_iter().flatten() {
            sockets.set_use(socket, Use::Nobody);
        }
        self.resting.push_back((now + REST, pair));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::sockets::SocketParams;
    use crate::sys::Backend;
    use std::net::{IpAddr, Ipv4Addr};

    fn sockets() -> Sockets {
        Sockets::new(SocketParams {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            buffer_bytes: None,
            backend: Backend::Auto,
            reads: false,
        })
    }

    /// A port that is free together with the three above it.
    fn free_ports() -> u16 {
        let free = |port: u16| std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let found = (20_000..60_000)
            .step_by(16)
            .find(|first| (*first..first + 4).all(free));
        found.expect("four free ports")
    }

    #[test]
    fn pairs_are_handed_out_rest_and_come_again_and_a_search_in_vain_is_not_repeated_at_once() {
        let first = free_ports();
        let range = PortRange {
            first,
            end: first + 4,
            stripe: 0,
            stripes: 1,
        };
        let (mut ports, mut sockets) = (Ports::new(range, true), sockets());
        let given = ports.supply(Micros(0), 1, &mut sockets);
        assert_eq!(given, [first, first + 2]);
        // There are no others, and nobody looks again for a while.
        assert!(ports.supply(Micros(1), 1, &mut sockets).is_empty());
        assert_eq!(ports.search_at, Micros(1) + SEARCH_AGAIN);
        assert!(ports.supply(Micros(2), 1, &mut sockets).is_empty());
        assert_eq!(ports.search_at, Micros(1) + SEARCH_AGAIN);
        let pair = ports.pair(first).expect("it is known");
        ports.give_back(Micros(3), pair, &mut sockets);
        assert_eq!(ports.pair(first), None);
        // Rather one that has not rested than none.
        assert_eq!(ports.supply(Micros(4), 1, &mut sockets), [first]);
    }

    #[test]
    fn ports_that_somebody_else_describes_are_passed_over_where_there_are_others() {
        let first = |ports, described| {
            let share = PortShare {
                stripe: 0,
                stripes: 2,
                described,
            };
            PortRange::new(ports, share).port(0)
        };
        assert_eq!(first((6000, 6100), false), 6000);
        assert_eq!(first((6000, 6100), true), 6004);
        assert_eq!(first((6001, 6100), true), 6006);
        assert_eq!(first((6000, 6005), true), 6000);
        assert_eq!(first((0, 6100), true), 6000);
        assert_eq!(first((65_534, 65_535), true), 65_534);
    }

    #[test]
    fn stripes_of_a_range_share_no_port() {
        let stripe = |stripe| PortRange {
            first: 6001,
            end: 6012,
            stripe,
            stripes: 2,
        };
        let ports = |range: PortRange| -> Vec<u16> {
            (0..range.len()).map(|index| range.port(index)).collect()
        };
        // 6012 would end at the port that is excluded.
        assert_eq!(ports(stripe(0)), [6002, 6006, 6010]);
        assert_eq!(ports(stripe(1)), [6004, 6008]);
        let none = PortRange {
            first: 65_535,
            end: 65_535,
            stripe: 0,
            stripes: 1,
        };
        assert_eq!(none.len(), 0);
    }
}
