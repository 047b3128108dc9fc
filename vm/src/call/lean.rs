// SPDX-License-Identifier: AGPL-3.0-only
//! Smaller forms of what the record of a call holds: a million calls that wait hold a million of each.

use crate::input::Micros;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

/// A point in time or none, in the room of a point in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// None. No run lasts half a million years.
    pub(crate) const NONE: Self = Self(u64::MAX);

    /// At this time.
    pub(crate) const fn at(at: Micros) -> Self {
        Self(at.0)
    }

    /// The one that comes first.
    #[inline]
    pub(crate) fn earlier(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// When, if ever.
    #[inline]
    pub(crate) const fn get(self) -> Option<Micros> {
        if self.is_some() {
            Some(Micros(self.0))
        } else {
            None
        }
    }

    /// Whether there is one.
    #[inline]
    pub(crate) const fn is_some(self) -> bool {
        self.0 != Self::NONE.0
    }

    /// Whether there is one that has not come yet.
    #[inline]
    pub(crate) const fn is_after(self, now: Micros) -> bool {
        self.is_some() && self.0 > now.0
    }

    /// Whether there is one that has come.
    #[inline]
    pub(crate) const fn has_come(self, now: Micros) -> bool {
        self.is_some() && self.0 <= now.0
    }
}

impl From<Option<Micros>> for Deadline {
    fn from(at: Option<Micros>) -> Self {
        at.map_or(Self::NONE, Self::at)
    }
}

/// To whom a call sends: addresses of IPv4 inline, those of IPv6 apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    V4(SocketAddrV4),
    V6(Box<SocketAddrV6>),
}

impl Peer {
    /// The address.
    #[inline]
    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Self::V4(addr) => SocketAddr::V4(*addr),
            Self::V6(addr) => SocketAddr::V6(**addr),
        }
    }

    /// Takes another address, in the memory of the one before if it needs some.
    pub(crate) fn set(&mut self, addr: SocketAddr) {
        match (self, addr) {
            (Self::V6(boxed), SocketAddr::V6(addr)) => **boxed = addr,
            (this, addr) => *this = Self::from(addr),
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(addr) => Self::V4(addr),
            SocketAddr::V6(addr) => Self::V6(Box::new(addr)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_comes_once_its_time_has() {
        assert_eq!(Deadline::NONE.get(), None);
        assert_eq!(Deadline::from(None), Deadline::NONE);
        let at = Deadline::from(Some(Micros(7)));
        assert_eq!(at.earlier(Deadline::NONE), at);
        assert_eq!(at.earlier(Deadline::at(Micros(3))).get(), Some(Micros(3)));
        assert_eq!(at.get(), Some(Micros(7)));
        assert!(at.is_after(Micros(6)) && !at.has_come(Micros(6)));
        assert!(!at.is_after(Micros(7)) && at.has_come(Micros(7)));
        assert!(!Deadline::NONE.is_after(Micros(0)) && !Deadline::NONE.has_come(Micros(u64::MAX)));
    }

    #[test]
    fn a_peer_is_the_address_it_was_made_of() {
        let mut peer = Peer::from("192.0.2.1:5060".parse::<SocketAddr>().expect("an address"));
        for text in [
            "[2001:db8::1%3]:5",
            "[::1]:5061",
            "198.51.100.7:1",
            "[::2]:9",
        ] {
            let addr: SocketAddr = text.parse().expect("an address");
            peer.set(addr);
            assert_eq!(peer.addr(), addr);
            assert_eq!(Peer::from(addr), peer);
        }
        assert!(size_of::<Peer>() <= 16);
    }
}
