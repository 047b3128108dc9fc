// SPDX-License-Identifier: AGPL-3.0-only
//! Names to addresses, once, before the run; the local address towards a remote one.
//!
//! Rules: as SIPp, the system resolver, its first result, no SRV or NAPTR; IPv6 with a port needs brackets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use crate::error::Error;

/// Splits `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. The port is `None` when absent; `None` as a
/// whole means that the text is none of these.
#[must_use]
pub fn split_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let port = match rest {
            "" => None,
            _ => Some(rest.strip_prefix(':')?.parse().ok()?),
        };
        return (!host.is_empty()).then_some((host, port));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    let (host, port) = match text.split_once(':') {
        None => (text, None),
        Some((host, port)) => (host, Some(port.parse().ok()?)),
    };
    (!host.is_empty()).then_some((host, port))
}

/// The first address of `host[:port]`.
///
/// # Errors
/// When the text is malformed or the name has no address.
pub fn resolve(text: &str, default_port: u16) -> Result<SocketAddr, Error> {
    let failed = |source| Error::Resolve {
        host: text.to_owned(),
        source,
    };
    let (host, port) = split_host_port(text).ok_or_else(|| {
        failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "expected HOST, HOST:PORT or [IPv6]:PORT",
        ))
    })?;
    let mut addresses = (host, port.unwrap_or(default_port))
        .to_socket_addrs()
        .map_err(failed)?;
    addresses.next().ok_or_else(|| {
        failed(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        ))
    })
}

/// The first address of a name that is of the family of `like`.
///
/// # Errors
/// When the name has no such address.
pub fn resolve_host(host: &str, like: IpAddr) -> Result<IpAddr, Error> {
    let failed = |source| Error::Resolve {
        host: host.to_owned(),
        source,
    };
    let mut found = (host, 0).to_socket_addrs().map_err(failed)?;
    found
        .find(|address| address.is_ipv4() == like.is_ipv4())
        .map(|address| address.ip())
        .ok_or_else(|| {
            failed(io::Error::new(
                io::ErrorKind::NotFound,
                format!("the name has no address of the family of {like}"),
            ))
        })
}

/// The source address the kernel would use towards `remote`. Nothing is sent.
///
/// # Errors
/// When there is no route.
pub fn local_ip_towards(remote: SocketAddr) -> Result<IpAddr, Error> {
    let any = any_address(remote.is_ipv6());
    let ask = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(remote)?;
        Ok(socket.local_addr()?.ip())
    };
    ask().map_err(|source| Error::NoRoute { remote, source })
}

/// The address of this machine for messages when no remote side is known.
// COMPAT(sipp): SIPp takes the address of the own host name, which on many systems is a loopback address that no peer
// can reach; the source address of the default route is preferred to that.
#[must_use]
pub fn own_ip() -> IpAddr {
    let by_name = host_name()
        .and_then(|name| {
            (name.as_str(), 0)
                .to_socket_addrs()
                .ok()?
                .find(SocketAddr::is_ipv4)
        })
        .map(|address| address.ip());
    // An address for documentation (RFC 5737): routed like any other, never answered, and nothing is sent to it.
    let by_route = || local_ip_towards((Ipv4Addr::new(192, 0, 2, 1), SIP_DISCARD_PORT).into()).ok();
    by_name
        .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
        .or_else(|| by_route().filter(|ip| !ip.is_unspecified()))
        .or(by_name)
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Any port will do to ask for a route.
const SIP_DISCARD_PORT: u16 = 9;

fn host_name() -> Option<String> {
    // The standard library has no call for it; where this file is missing the route decides.
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The any-address of a family.
#[must_use]
pub fn any_address(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(split_host_port("example.com"), Some(("example.com", None)));
        assert_eq!(
            split_host_port("10.0.0.1:5070"),
            Some(("10.0.0.1", Some(5070)))
        );
        assert_eq!(split_host_port("[::1]:5062"), Some(("::1", Some(5062))));
        assert_eq!(split_host_port("[::1]"), Some(("::1", None)));
        assert_eq!(split_host_port("2001:db8::1"), Some(("2001:db8::1", None)));
        for bad in [
            "",
            ":5060",
            "host:",
            "host:70000",
            "[::1",
            "[]",
            "[::1]5060",
            "a:b:c",
        ] {
            assert_eq!(split_host_port(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_resolve_without_a_name_service() {
        assert_eq!(
            resolve("127.0.0.1", SIP).expect("v4"),
            "127.0.0.1:5060".parse().expect("address")
        );
        assert_eq!(
            resolve("[::1]:9", SIP).expect("v6"),
            "[::1]:9".parse().expect("address")
        );
        assert!(
            matches!(resolve("127.0.0.1:x", SIP), Err(Error::Resolve { host, .. }) if host == "127.0.0.1:x")
        );
    }

    const SIP: u16 = crate::transport::SIP_PORT;

    #[test]
    fn a_name_gets_an_address_of_the_family_of_the_socket() {
        let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(resolve_host("localhost", v4).expect("it is known"), v4);
        let fault = resolve_host("127.0.0.1", IpAddr::V6(Ipv6Addr::LOCALHOST)).expect_err("IPv4");
        assert_eq!(
            fault.to_string(),
            "cannot resolve `127.0.0.1`: the name has no address of the family of ::1"
        );
    }

    #[test]
    fn the_local_address_towards_loopback_is_loopback() {
        let local = local_ip_towards("127.0.0.1:5060".parse().expect("address"))
            .expect("loopback is routed");
        assert!(local.is_loopback());
        assert!(!own_ip().is_unspecified());
    }
}
