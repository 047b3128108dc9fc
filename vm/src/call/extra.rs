// SPDX-License-Identifier: AGPL-3.0-only
//! What the calls of some scenarios and runs have besides: variables, lines of injection files, an IPv6 peer.
//!
//! It stays in the place of a call that has ended, so that the next one there need not ask for it, which is what sets it apart
//! from [`Cold`](super::Cold).

use super::Call;
use super::lean::Deadline;
use super::regs::{Regs, Value};
use crate::inject::Lines;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What some calls have besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// Variables.
    pub(crate) regs: Regs,
    /// Its line of each injection file.
    pub(crate) lines: Lines,
    /// All response-time timers but the first.
    rtds: Vec<RtdState>,
    /// User id, 0 without users.
    user: u32,
    /// The local port of a path of its own; 0 for that of the run.
    local_port: u16,
    /// To whom it sends, if that is an address of IPv6.
    peer: Option<SocketAddrV6>,
}

impl Extra {
    /// Bytes it holds, apart from what the scenario decides.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.regs.heap_bytes()
    }
}

/// To whom a call sends: addresses of IPv4 inline, those of IPv6 in [`Extra`]. Nothing is lost to alignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(Rust, packed)]
pub(super) struct Peer {
    v4: SocketAddrV4,
    is_v6: bool,
}

impl Peer {
    /// Nobody.
    pub(super) const NONE: Self = Self {
        v4: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
        is_v6: false,
    };
}

/// A response-time timer of a call: when it started, and whether it was recorded. Nothing is lost to alignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(Rust, packed)]
pub(crate) struct RtdState {
    /// Start; none measures from the creation of the call.
    pub(crate) started: Deadline,
    /// Recorded once already.
    pub(crate) recorded: bool,
}

impl RtdState {
    /// As a call begins with it.
    pub(crate) const NEW: Self = Self {
        started: Deadline::NONE,
        recorded: false,
    };
}

impl Call {
    /// What some calls have besides, made when first needed.
    pub(crate) fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Makes it as a call begins with it: so many variables and response-time timers.
    pub(super) fn begin_extra(&mut self, regs: usize, rtds: usize) {
        self.rtd = RtdState::NEW;
        // The first one lies in the record.
        let more = rtds.saturating_sub(1);
        if regs > 0 || more > 0 {
            self.extra_mut();
        }
        if let Some(extra) = &mut self.extra {
            let Extra {
                regs: variables,
                lines,
                rtds,
                user,
                local_port,
                // The record says whether it is of use.
                peer: _,
            } = &mut **extra;
            variables.reset(regs);
            lines.clear();
            rtds.clear();
            rtds.resize(more, RtdState::NEW);
            (*user, *local_port) = (0, 0);
        }
    }

    /// The value of one of its variables.
    pub(crate) fn variable(&self, slot: usize) -> Value<'_> {
        self.extra
            .as_deref()
            .map_or(Value::Unset, |extra| extra.regs.value(slot))
    }

    /// Its line of an injection file.
    pub(crate) fn line(&self, file: usize) -> Option<u32> {
        self.extra.as_deref()?.lines.get(file).copied()
    }

    /// User id, 0 without users.
    #[inline]
    pub(crate) fn user(&self) -> u32 {
        self.extra.as_deref().map_or(0, |extra| extra.user)
    }

    /// Makes it the call of a user.
    pub(crate) fn set_user(&mut self, user: u32) {
        if user != self.user() {
            self.extra_mut().user = user;
        }
    }

    /// The local port of a path of its own; 0 for that of the run.
    #[inline]
    pub(crate) fn local_port(&self) -> u16 {
        self.extra.as_deref().map_or(0, |extra| extra.local_port)
    }

    /// Says what port its own path has, 0 that it has none.
    pub(crate) fn set_local_port(&mut self, port: u16) {
        if port != self.local_port() {
            self.extra_mut().local_port = port;
        }
    }

    /// To whom it sends.
    #[inline]
    pub(crate) fn peer(&self) -> SocketAddr {
        let v6 = || self.extra.as_deref()?.peer;
        match self.peer.is_v6.then(v6).flatten() {
            Some(addr) => SocketAddr::V6(addr),
            None => SocketAddr::V4(self.peer.v4),
        }
    }

    /// The same if it is an address of IPv4.
    #[inline]
    pub(crate) fn peer_v4(&self) -> Option<SocketAddrV4> {
        (!self.peer.is_v6).then_some(self.peer.v4)
    }

    /// It sends to another address from now on.
    #[inline]
    pub(crate) fn set_peer(&mut self, addr: SocketAddr) {
        match addr {
            SocketAddr::V4(v4) => self.peer = Peer { v4, is_v6: false },
            SocketAddr::V6(addr) => {
                self.peer.is_v6 = true;
                self.extra_mut().peer = Some(addr);
            }
        }
    }

    /// One of its response-time timers.
    #[inline]
    pub(crate) fn rtd_mut(&mut self, index: usize) -> &mut RtdState {
        match index.checked_sub(1) {
            None => &mut self.rtd,
            Some(index) => &mut self.extra_mut().rtds[index],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;

    #[test]
    fn a_peer_is_the_address_that_was_set() {
        let mut call = call();
        for text in [
            "[2001:db8::1%3]:5",
            "[::1]:5061",
            "198.51.100.7:1",
            "[::2]:9",
        ] {
            let addr: SocketAddr = text.parse().expect("an address");
            call.set_peer(addr);
            assert_eq!(call.peer(), addr);
        }
    }

    #[test]
    fn what_a_call_had_besides_is_not_seen_by_the_next_one() {
        let mut call = call();
        call.begin_extra(2, 3);
        call.extra_mut().regs.set_number(1, 7.0);
        call.rtd_mut(0).recorded = true;
        call.rtd_mut(2).recorded = true;
        call.extra_mut().lines.push(9);
        call.set_user(4);
        call.set_local_port(5);
        assert_eq!(
            (call.user(), call.local_port(), call.line(0)),
            (4, 5, Some(9))
        );
        call.begin_extra(2, 3);
        assert_eq!((call.user(), call.local_port(), call.line(0)), (0, 0, None));
        assert_eq!(call.variable(1), Value::Unset);
        assert!((0..3).all(|timer| *call.rtd_mut(timer) == RtdState::NEW));
    }

    #[test]
    fn a_call_without_any_of_it_has_no_memory_for_it() {
        let mut call = call();
        call.begin_extra(0, 1);
        call.set_user(0);
        call.set_local_port(0);
        call.rtd_mut(0).recorded = true;
        assert!(call.extra.is_none());
    }

    #[test]
    fn what_some_calls_have_besides_is_no_larger_than_needed() {
        // A million calls over IPv6 hold a million of these.
        assert!(size_of::<Extra>() <= 176, "{}", size_of::<Extra>());
    }
}
