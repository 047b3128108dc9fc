// SPDX-License-Identifier: AGPL-3.0-only
//! Session descriptions (RFC 8866), as far as media needs them: where to send, what, in which direction, with which keys.
//!
//! Reading is lenient: lines end with CRLF or LF, unknown lines are passed over, a line that makes no sense is as if it
//! were not there. Nothing is copied; a view of a description is walked again for each question, as a description has
//! a few hundred bytes and is asked a few times per call.
//!
//! What SIPp reads of a description, which is less and sometimes something else, is in [`sipp`].

pub mod sipp;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What is sent over a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MediaKind {
    /// `m=audio`
    Audio,
    /// `m=video`
    Video,
    /// `m=image`: fax.
    Image,
    /// Text, messages, applications.
    Other,
}

/// Who sends on a stream, as its describer sees it (RFC 3264 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The describer only sends: it holds the other side.
    SendOnly,
    /// The describer only receives.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// Whether the describer wants to receive, so that something may be sent to it.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// Whether the describer wants to send.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    fn of_attribute(name: &[u8]) -> Option<Self> {
        match name {
            b"sendrecv" => Some(Self::SendRecv),
            b"sendonly" => Some(Self::SendOnly),
            b"recvonly" => Some(Self::RecvOnly),
            b"inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// A session description.
#[derive(Clone, Copy, Debug)]
pub struct Sdp<'a> {
    session: &'a [u8],
    media: &'a [u8],
}

impl<'a> Sdp<'a> {
    /// Views a body as a description. One without `m=` lines has no media; nothing is refused.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        let (session, media) = body.split_at(media_line(body, 0));
        Self { session, media }
    }

    /// Its media, in order. The place in this order is what joins answer and offer.
    pub fn media(self) -> impl Iterator<Item = Media<'a>> {
        let mut rest = self.media;
        core::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            // The first line is this medium's own.
            let (lines, behind) = rest.split_at(media_line(rest, 1));
            rest = behind;
            Some(Media {
                session: self.session,
                lines,
            })
        })
    }

    /// The first stream of a kind that is not refused.
    #[must_use]
    pub fn first(self, kind: MediaKind) -> Option<Media<'a>> {
        self.media()
            .find(|media| media.kind() == kind && media.port() != 0)
    }

    /// The value of a session-level attribute; empty for one without.
    #[must_use]
    pub fn attribute(self, name: &[u8]) -> Option<&'a [u8]> {
        attributes(self.session).find_map(|(found, value)| (found == name).then_some(value))
    }
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Media<'a> {
    session: &'a [u8],
    lines: &'a [u8],
}

impl<'a> Media<'a> {
    /// The words of the `m=` line.
    fn words(self) -> impl Iterator<Item = &'a [u8]> {
        let line = lines(self.lines).next().unwrap_or_default();
        words(line.strip_prefix(b"m=").unwrap_or_default())
    }

    /// What is sent over it.
    #[must_use]
    pub fn kind(self) -> MediaKind {
        match self.words().next() {
            Some(b"audio") => MediaKind::Audio,
            Some(b"video") => MediaKind::Video,
            Some(b"image") => MediaKind::Image,
            _ => MediaKind::Other,
        }
    }

    /// Its port; 0 if the stream is refused, or the line makes no sense.
    #[must_use]
    pub fn port(self) -> u16 {
        let word = self.words().nth(1).unwrap_or_default();
        // `PORT/COUNT` of layered streams.
        let end = word.iter().position(|byte| *byte == b'/');
        number(&word[..end.unwrap_or(word.len())]).unwrap_or(0)
    }

    /// The transport: `RTP/AVP`, `RTP/SAVP`, `udptl`.
    #[must_use]
    pub fn protocol(self) -> &'a [u8] {
        self.words().nth(2).unwrap_or_default()
    }

    /// Payload types, in the order of preference.
    pub fn payload_types(self) -> impl Iterator<Item = u8> + use<'a> {
        self.words()
            .skip(3)
            .filter_map(number)
            .filter(|number| *number < 128)
    }

    /// The address of its own `c=` line, else of the session's.
    #[must_use]
    pub fn address(self) -> Option<IpAddr> {
        connection(self.lines).or_else(|| connection(self.session))
    }

    /// Where its packets go; `None` if it is refused or names no address.
    #[must_use]
    pub fn rtp(self) -> Option<SocketAddr> {
        match self.port() {
            0 => None,
            port => Some(SocketAddr::new(self.address()?, port)),
        }
    }

    /// Where its RTCP goes: to the same port with `a=rtcp-mux`, where `a=rtcp` says (RFC 3605), or to the port above.
    #[must_use]
    pub fn rtcp(self) -> Option<SocketAddr> {
        if self.has_rtcp_mux() {
            return self.rtp();
        }
        self.rtcp_apart()
    }

    /// Where its RTCP goes if the other side does not take up its `a=rtcp-mux` (RFC 5761 §5.1.1).
    #[must_use]
    pub fn rtcp_apart(self) -> Option<SocketAddr> {
        let rtp = self.rtp()?;
        if let Some(value) = self.own(b"rtcp") {
            let mut parts = words(value);
            let port = parts
                .next()
                .and_then(number::<u16>)
                .filter(|port| *port != 0);
            if let Some(port) = port {
                let address = parts.nth(2).and_then(ip).unwrap_or_else(|| rtp.ip());
                return Some(SocketAddr::new(address, port));
            }
        }
        let port = rtp.port().checked_add(1)?;
        Some(SocketAddr::new(rtp.ip(), port))
    }

    /// Whether RTCP shares the port of RTP (RFC 5761).
    #[must_use]
    pub fn has_rtcp_mux(self) -> bool {
        self.own(b"rtcp-mux").is_some()
    }

    /// Its own direction, else the session's, else both ways.
    #[must_use]
    pub fn direction(self) -> Direction {
        let of = |lines| attributes(lines).find_map(|(name, _)| Direction::of_attribute(name));
        of(self.lines)
            .or_else(|| of(self.session))
            .unwrap_or_default()
    }

    /// Whether nothing may be sent to the describer: by its direction, or by the address 0.0.0.0 of RFC 2543.
    #[must_use]
    pub fn is_held(self) -> bool {
        !self.direction().receives() || self.address().is_some_and(|ip| ip.is_unspecified())
    }

    /// `NAME/RATE[/CHANNELS]` of a payload type, if a line says it.
    #[must_use]
    pub fn rtpmap(self, payload_type: u8) -> Option<&'a [u8]> {
        self.of_payload_type(b"rtpmap", payload_type)
    }

    /// Parameters of a payload type.
    #[must_use]
    pub fn fmtp(self, payload_type: u8) -> Option<&'a [u8]> {
        self.of_payload_type(b"fmtp", payload_type)
    }

    /// The payload type whose `a=rtpmap` has this name, case aside, and of several the one with this clock rate.
    #[must_use]
    pub fn payload_type_of(self, name: &[u8], clock_rate: u32) -> Option<u8> {
        let named = |rate: Option<u32>| {
            self.payload_types().find(|payload_type| {
                let map = self.rtpmap(*payload_type).unwrap_or_default();
                let mut parts = map.split(|byte| *byte == b'/');
                let same = parts
                    .next()
                    .is_some_and(|part| part.eq_ignore_ascii_case(name));
                same && rate.is_none_or(|rate| parts.next().and_then(number) == Some(rate))
            })
        };
        named(Some(clock_rate)).or_else(|| named(None))
    }

    /// Values of its `a=crypto` lines (RFC 4568), in order.
    pub fn crypto(self) -> impl Iterator<Item = &'a [u8]> {
        attributes(self.lines).filter_map(|(name, value)| (name == b"crypto").then_some(value))
    }

    /// Length of its packets in ms, if it says one.
    #[must_use]
    pub fn packet_ms(self) -> Option<u32> {
        number(self.own(b"ptime")?).filter(|ms| *ms != 0)
    }

    /// The value of an attribute, of its own or else of the session; empty for one without.
    #[must_use]
    pub fn attribute(self, name: &[u8]) -> Option<&'a [u8]> {
        let of = |lines| attributes(lines).find_map(|(n, value)| (n == name).then_some(value));
        of(self.lines).or_else(|| of(self.session))
    }

    fn own(self, name: &[u8]) -> Option<&'a [u8]> {
        attributes(self.lines).find_map(|(found, value)| (found == name).then_some(value))
    }

    fn of_payload_type(self, attribute: &[u8], payload_type: u8) -> Option<&'a [u8]> {
        attributes(self.lines)
            .filter(|(name, _)| *name == attribute)
            .find_map(|(_, value)| {
                let end = value.iter().position(u8::is_ascii_whitespace)?;
                let (first, rest) = value.split_at(end);
                (number(first) == Some(payload_type)).then(|| rest.trim_ascii())
            })
    }
}

/// Where the `m=` line with this number (from 0) begins, or the end.
fn media_line(body: &[u8], nth: usize) -> usize {
    let mut at = 0;
    let mut seen = 0;
    while at < body.len() {
        if body[at..].starts_with(b"m=") {
            if seen == nth {
                return at;
            }
            seen += 1;
        }
        at += memchr::memchr(b'\n', &body[at..]).map_or(body.len() - at, |len| len + 1);
    }
    body.len()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// Names and values of `a=` lines.
fn attributes(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(text).filter_map(|line| {
        let line = line.strip_prefix(b"a=")?;
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        Some((name.trim_ascii(), value.trim_ascii()))
    })
}

/// The address of the first `c=` line that has one.
fn connection(text: &[u8]) -> Option<IpAddr> {
    lines(text).find_map(|line| {
        let mut words = words(line.strip_prefix(b"c=")?);
        // The kind of network and of address say nothing that the address does not.
        let address = words.nth(2)?;
        // `/TTL` of multicast.
        let end = address.iter().position(|byte| *byte == b'/');
        ip(&address[..end.unwrap_or(address.len())])
    })
}

fn ip(text: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(text).ok()?;
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return Some(IpAddr::V4(v4));
    }
    text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

fn number<T: core::str::FromStr>(text: &[u8]) -> Option<T> {
    // A sign is none of a port or a payload type.
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
