// SPDX-License-Identifier: AGPL-3.0-only
//! What SIPp reads of a description. Which messages are looked at, and when, is decided elsewhere.
//!
//! COMPAT(sipp): there are two readers, and both take one address for all streams, whatever other `c=` lines say.

use super::{ip, number};
use core::net::{IpAddr, SocketAddr};
use memchr::memmem;

/// Where the streams of a peer are. An unspecified address or port 0 is as SIPp has it: nothing is sent there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Endpoints {
    /// `m=audio`
    pub audio: Option<SocketAddr>,
    /// `m=image`
    pub image: Option<SocketAddr>,
    /// `m=video`
    pub video: Option<SocketAddr>,
}

/// The reader behind `play_pcap_*` and `play_dtmf`: the first `c=` line of the family of our own media address, and the
/// first port of each kind. `None` without such a line.
#[must_use]
pub fn play_endpoints(body: &[u8], ipv6: bool) -> Option<Endpoints> {
    let address = connection(body, ipv6)?;
    let at = |start: &[u8]| {
        let found = memmem::find(body, start)?;
        let port = digits(&body[found + start.len()..])?;
        Some(SocketAddr::new(address, port))
    };
    Some(Endpoints {
        audio: at(b"m=audio "),
        image: at(b"m=image "),
        video: at(b"m=video "),
    })
}

/// The reader behind `rtp_stream`: IPv4 before IPv6, and of two lines of a kind the second if the first has port 0.
/// `None` without a `c=` line.
#[must_use]
pub fn stream_endpoints(body: &[u8]) -> Option<Endpoints> {
    let address = connection(body, false).or_else(|| connection(body, true))?;
    let at = |start: &[u8]| {
        let mut ports =
            memmem::find_iter(body, start).filter_map(|found| digits(&body[found + start.len()..]));
        let first = ports.next()?;
        let port = if first == 0 {
            ports.next().unwrap_or(0)
        } else {
            first
        };
        Some(SocketAddr::new(address, port))
    };
    Some(Endpoints {
        audio: at(b"m=audio "),
        image: at(b"m=image "),
        video: at(b"m=video "),
    })
}

fn connection(body: &[u8], ipv6: bool) -> Option<IpAddr> {
    let start: &[u8] = if ipv6 { b"c=IN IP6 " } else { b"c=IN IP4 " };
    let rest = &body[memmem::find(body, start)? + start.len()..];
    let end = rest
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == b'/');
    ip(&rest[..end.unwrap_or(rest.len())]).filter(|ip| ip.is_ipv6() == ipv6)
}

fn digits(text: &[u8]) -> Option<u16> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    number(&text[..end.unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        b"v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\n\
        m=audio 4002 RTP/AVP 0\r\nm=video 4004 RTP/AVP 96\r\n";

    fn at(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn captures_go_to_the_first_ports_and_our_family() {
        let found = play_endpoints(BODY, false).unwrap();
        assert_eq!(
            (found.audio, found.video, found.image),
            (at("192.0.2.9:0"), at("192.0.2.9:4004"), None)
        );
        let found = play_endpoints(BODY, true).unwrap();
        assert_eq!(found.video, at("[2001:db8::1]:4004"));
        assert_eq!(play_endpoints(b"m=audio 9 RTP/AVP 0\r\n", false), None);
    }

    #[test]
    fn streams_go_to_the_second_port_if_the_first_is_refused() {
        let found = stream_endpoints(BODY).unwrap();
        assert_eq!(
            (found.audio, found.video),
            (at("192.0.2.9:4002"), at("192.0.2.9:4004"))
        );
        let six = stream_endpoints(b"c=IN IP6 ::1\r\nm=audio 7 RTP/AVP 8\r\n").unwrap();
        assert_eq!(six.audio, at("[::1]:7"));
    }

    #[test]
    fn what_is_no_address_or_port_is_none() {
        assert_eq!(
            stream_endpoints(b"c=IN IP4 example.com\r\nm=audio 7 x\r\n"),
            None
        );
        let found =
            stream_endpoints(b"c=IN IP4 10.0.0.1\r\nm=audio 70000 x\r\nm=video -1 x\r\n").unwrap();
        assert_eq!((found.audio, found.video), (None, None));
    }
}
