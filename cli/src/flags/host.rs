// SPDX-License-Identifier: AGPL-3.0-only
//! Hosts on the command line: `host[:port]` as people write it, and the addresses behind the names.
//!
//! The system's resolver is asked once per name, as SIPp does; no SRV, no NAPTR.

use super::suggest;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// The port of SIP over UDP and TCP (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

/// A host that was named on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Peer {
    /// As typed, without the port: `[remote_host]`.
    pub(crate) host: String,
    /// Resolved.
    pub(crate) address: SocketAddr,
}

/// Splits `host[:port]`; an IPv6 address needs brackets only when a port follows.
fn split_host(text: &str) -> Result<(&str, u16), String> {
    let port = |port: &str| {
        port.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("`{text}`: `{port}` is not a port"))
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or_else(|| format!("`{text}`: the bracket is not closed"))?;
        return match after.strip_prefix(':') {
            Some(number) => Ok((host, port(number)?)),
            None if after.is_empty() => Ok((host, SIP_PORT)),
            None => Err(format!(
                "`{text}`: expected `:` and a port after the bracket"
            )),
        };
    }
    match text.split_once(':') {
        Some((host, number)) if !number.contains(':') => Ok((host, port(number)?)),
        // More than one colon: an IPv6 address without a port.
        _ => Ok((text, SIP_PORT)),
    }
}

/// The remote host that was meant; `family` is an address of the family it must have.
pub(crate) fn peer(text: &str, family: Option<IpAddr>, faults: &mut Vec<String>) -> Option<Peer> {
    let found = split_host(text).and_then(|(host, port)| {
        let address = lookup(host, port, family)?;
        Ok(Peer {
            host: host.to_owned(),
            address,
        })
    });
    found.map_err(|fault| faults.push(fault)).ok()
}

/// An address whose port must be given.
pub(crate) fn address(flag: &str, text: &str, faults: &mut Vec<String>) -> Option<SocketAddr> {
    let port = text
        .rsplit_once(':')
        .map(|(host, port)| (host, port.parse::<u16>()));
    let whole = match port {
        Some((host, Ok(1..))) => !host.contains(':') || host.ends_with(']'),
        Some(_) | None => false,
    };
    if !whole {
        faults.push(format!("{flag}: `{text}` is not HOST:PORT"));
        return None;
    }
    let mut own = Vec::new();
    let found = peer(text, None, &mut own).map(|peer| peer.address);
    faults.extend(own.into_iter().map(|fault| format!("{flag}: {fault}")));
    found
}

/// The address of the local host that was meant by a flag.
pub(crate) fn ip(host: &str, flag: &str, faults: &mut Vec<String>) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    lookup(bare, 0, None)
        .map(|address| address.ip())
        .map_err(|fault| faults.push(format!("{flag}: {fault}")))
        .ok()
}

/// Asks the system's resolver; the first result of the wanted family counts (no SRV or NAPTR).
fn lookup(host: &str, port: u16, family: Option<IpAddr>) -> Result<SocketAddr, String> {
    if host.is_empty() {
        return Err("the name of the host is empty".to_owned());
    }
    let found: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| {
            let verb = suggest::nearest(host, crate::root::VERBS.iter().copied());
            let hint = verb.map_or(String::new(), |verb| {
                format!("; did you mean the command `gossipper {verb}`?")
            });
            format!("cannot resolve `{host}`: {error}{hint}")
        })?
        .collect();
    let wanted = |address: &&SocketAddr| family.is_none_or(|ip| ip.is_ipv4() == address.is_ipv4());
    found.iter().find(wanted).copied().ok_or_else(|| {
        format!(
            "`{host}` has no address of the family of the local address; IPv4 and IPv6 do not mix"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_split_as_people_write_them() {
        assert_eq!(split_host("[::1]:5062"), Ok(("::1", 5062)));
        assert_eq!(split_host("::1"), Ok(("::1", 5060)));
        assert_eq!(split_host("[fe80::1]"), Ok(("fe80::1", 5060)));
        assert_eq!(split_host("127.0.0.1:5070"), Ok(("127.0.0.1", 5070)));
        assert_eq!(split_host("proxy.example"), Ok(("proxy.example", 5060)));
        for bad in [
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "[::1",
            "[::1]5060",
        ] {
            assert!(split_host(bad).is_err(), "{bad}");
        }
    }
}
