// SPDX-License-Identifier: AGPL-3.0-only
//! Goes through the frames of a file and hands what is in them to whom it concerns.

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wrapped;

use crate::file::Frames;
use crate::fragment::{Fragments, Whole};
use crate::ip::{self, Packet, Segment};
use crate::link::{LinkType, Skip};
use crate::losses::{Kind, Losses};
use crate::sctp::Associations;
use crate::stream::Path;
use crate::tcp::Streams;
use crate::{Capture, CaptureError, Carrier, Datagram, ReadOptions, SipMessage};
use crate::{coalesced, hep, sip, tunnel, unpack};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeSet;

/// Packets within packets are followed up to this many.
const MAX_DEPTH: usize = 8;

/// Where in the file something was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) frame: u64,
    pub(crate) time: Duration,
}

impl Seen {
    /// Before the first frame.
    pub(crate) const NONE: Self = Self {
        frame: 0,
        time: Duration::ZERO,
    };
}

/// See [`crate::read`].
pub(crate) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Capture, CaptureError> {
    let file = unpack::file(bytes, options)?;
    let Some(frames) = Frames::of(&file.bytes) else {
        return Err(file
            .loss
            .map_or(CaptureError::NotCapture, CaptureError::Packed));
    };
    if let (None, Some(number)) = (options.link, frames.link())
        && LinkType::of_number(number).is_none()
    {
        return Err(CaptureError::Link(number));
    }
    let mut reader = Reader {
        found: Findings::new(options),
        unknown_links: BTreeSet::new(),
        fragments: Fragments::default(),
        streams: Streams::default(),
        associations: Associations::default(),
    };
    let mut time = Duration::ZERO;
    for frame in frames {
        let number = reader.found.capture.frames + 1;
        match frame {
            Ok(frame) => {
                reader.found.capture.frames = number;
                // What has no time of its own follows at once.
                time = frame.time.unwrap_or(time);
                let seen = Seen {
                    frame: number,
                    time,
                };
                reader.frame(seen, frame.link, frame.data, frame.len as usize);
            }
            Err(fault) => {
                let losses = &mut reader.found.losses;
                losses.note(Kind::File, number, || {
                    format!("{fault} (at frame {number})")
                });
            }
        }
    }
    if let Some(loss) = file.loss {
        let frames = reader.found.capture.frames;
        reader.found.losses.note(Kind::File, frames, || loss);
    }
    Ok(reader.finish())
}

/// What was found so far, and how it is told.
#[derive(Debug)]
pub(crate) struct Findings<'o> {
    pub(crate) options: &'o ReadOptions,
    capture: Capture,
    /// Bytes that compressed payloads may still take.
    room: usize,
    pub(crate) losses: Losses,
}

impl<'o> Findings<'o> {
    pub(crate) fn new(options: &'o ReadOptions) -> Self {
        Self {
            options,
            capture: Capture::default(),
            room: options.max_unpacked,
            losses: Losses::default(),
        }
    }

    pub(crate) fn message(&mut self, message: SipMessage) {
        self.capture.messages.push(message);
    }

    /// The end of a message is missing.
    pub(crate) fn incomplete(&mut self, seen: Seen, path: Path) {
        let Path {
            source,
            destination,
        } = path;
        self.losses.note(Kind::Incomplete, seen.frame, || {
            format!(
                "the end of a message from {source} to {destination} is missing (frame {})",
                seen.frame
            )
        });
    }

    /// A connection is encrypted; told where SIP was to be expected.
    pub(crate) fn encrypted(&mut self, seen: Seen, path: Path) {
        const SIPS: u16 = 5061;
        let Path {
            source,
            destination,
        } = path;
        let port = self.options.sip_port.unwrap_or(SIPS);
        if source.port() == port || destination.port() == port {
            self.losses.note(Kind::Encrypted, seen.frame, || {
                format!(
                    "the stream from {source} to {destination} is encrypted (frame {})",
                    seen.frame
                )
            });
        }
    }

    /// A packet of an agent makes no sense.
    pub(crate) fn unreadable(&mut self, seen: Seen, path: Path) {
        let Path {
            source,
            destination,
        } = path;
        self.losses.note(Kind::Encapsulated, seen.frame, || {
            format!(
                "a packet of a capture agent from {source} to {destination} cannot be read (frame {})",
                seen.frame
            )
        });
    }

    /// Takes what an agent reports; `false` if that makes no sense.
    pub(crate) fn reported(&mut self, seen: Seen, packet: &[u8]) -> bool {
        let Some(report) = hep::decode(packet, &mut self.room) else {
            return false;
        };
        let time = report.time.unwrap_or(seen.time);
        let seen = Seen { time, ..seen };
        let path = Path {
            source: report.source,
            destination: report.destination,
        };
        match report.kind {
            hep::Kind::Sip if self.options.sip_port.is_none_or(|port| path.has(port)) => {
                let bytes = sip::without_blank(&report.payload);
                // What only keeps a path open is not worth a word.
                if !bytes.is_empty() {
                    self.message(SipMessage {
                        frame: seen.frame,
                        time,
                        source: path.source,
                        destination: path.destination,
                        carrier: report.carrier,
                        bytes: bytes.to_vec(),
                        truncated: false,
                    });
                }
            }
            hep::Kind::Rtp => self.datagram(seen, path, &report.payload),
            hep::Kind::Sip | hep::Kind::Other => {}
        }
        true
    }

    /// All of it, in order.
    pub(crate) fn finish(self) -> Capture {
        let Self {
            mut capture,
            losses,
            ..
        } = self;
        capture.messages.sort_by_key(|message| message.frame);
        capture.datagrams.sort_by_key(|datagram| datagram.frame);
        capture.losses = losses.finish();
        capture
    }

    fn datagram(&mut self, seen: Seen, path: Path, payload: &[u8]) {
        self.capture.datagrams.push(Datagram {
            frame: seen.frame,
            time: seen.time,
            source: path.source,
            destination: path.destination,
            payload: payload.to_vec(),
        });
    }

    fn is_sip(&self, path: Path, payload: &[u8]) -> bool {
        match self.options.sip_port {
            Some(port) => path.has(port) && sip::is_text(payload),
            None => sip::is_message(payload) || path.has(SIP) && sip::is_odd_message(payload),
        }
    }

    fn cut(&mut self, seen: Seen, wire: Wire) {
        let Seen { frame, .. } = seen;
        let Wire { captured, len } = wire;
        if captured < len {
            self.losses.note(Kind::Cut, frame, || {
                format!("frame {frame} was cut at {captured} of {len} bytes")
            });
        } else {
            self.losses.note(Kind::Broken, frame, || {
                format!("frame {frame} is shorter than its headers say")
            });
        }
    }
}

/// The port of SIP, where even broken messages are expected.
const SIP: u16 = 5060;

impl Path {
    fn has(self, port: u16) -> bool {
        self.source.port() == port || self.destination.port() == port
    }
}

/// A packet on its way from the frame to what is in it.
#[derive(Clone, Copy)]
struct Way {
    seen: Seen,
    wire: Wire,
    /// Packets around it.
    depth: usize,
}

/// How much of a frame there is.
#[derive(Clone, Copy)]
struct Wire {
    captured: usize,
    len: usize,
}

/// What a packet carries.
struct Carried<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    payload: &'a [u8],
    /// Its end is not there.
    cut: bool,
}

struct Reader<'o> {
    found: Findings<'o>,
    unknown_links: BTreeSet<i32>,
    fragments: Fragments,
    streams: Streams,
    associations: Associations,
}

impl Reader<'_> {
    fn frame(&mut self, seen: Seen, link: i32, data: &[u8], len: usize) {
        let told = self.found.options.link;
        let Some(link) = told.or_else(|| LinkType::of_number(link)) else {
            if self.unknown_links.insert(link) {
                self.found.losses.note(Kind::Link, seen.frame, || {
                    format!(
                        "frames of the unknown link type {link}, the first one is frame {}",
                        seen.frame
                    )
                });
            }
            return;
        };
        let wire = Wire {
            captured: data.len(),
            len,
        };
        let way = Way {
            seen,
            wire,
            depth: 0,
        };
        match link.packet(data) {
            Ok(packet) => self.packet(way, packet),
            Err(Skip::Truncated) => self.found.cut(seen, wire),
            Err(_) => {}
        }
    }

    fn packet(&mut self, way: Way, bytes: &[u8]) {
        if way.depth == MAX_DEPTH {
            return;
        }
        let way = Way {
            depth: way.depth + 1,
            ..way
        };
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(Skip::Truncated) => return self.found.cut(way.seen, way.wire),
            Err(_) => return,
        };
        if packet.fragment.is_some() {
            if packet.missing > 0 {
                self.found.cut(way.seen, way.wire);
            }
            let mut wholes = Vec::new();
            self.fragments.add(way.seen, &packet, &mut wholes);
            return self.wholes(way, wholes);
        }
        self.carried(
            way,
            &Carried {
                source: packet.source,
                destination: packet.destination,
                protocol: packet.protocol,
                payload: packet.payload,
                cut: packet.missing > 0,
            },
        );
    }

    /// Goes on with packets that were in fragments.
    fn wholes(&mut self, way: Way, wholes: Vec<Whole>) {
        for whole in wholes {
            let Whole {
                seen,
                source,
                destination,
                ..
            } = whole;
            if !whole.complete {
                self.found.losses.note(Kind::Fragments, seen.frame, || {
                    format!("fragments of a packet from {source} to {destination} are missing (frame {})", seen.frame)
                });
            }
            let carried = Carried {
                source,
                destination,
                protocol: whole.protocol,
                payload: &whole.payload,
                cut: !whole.complete,
            };
            if !whole.payload.is_empty() {
                self.carried(Way { seen, ..way }, &carried);
            }
        }
    }

    fn carried(&mut self, way: Way, carried: &Carried<'_>) {
        let payload = carried.payload;
        let inner = match carried.protocol {
            ip::UDP => return self.udp(way, carried),
            ip::TCP => return self.tcp(way, carried),
            ip::SCTP => {
                let Carried {
                    source,
                    destination,
                    ..
                } = *carried;
                return self.associations.add(
                    way.seen,
                    [source, destination],
                    payload,
                    &mut self.found,
                );
            }
            ip::IPV4 | ip::IPV6 => Ok(payload),
            ip::GRE => tunnel::gre(payload),
            ip::AH => return self.behind(way, carried, tunnel::ah(payload).ok()),
            ip::ESP => return self.behind(way, carried, tunnel::esp(payload)),
            _ => return,
        };
        match inner {
            Ok(packet) => self.packet(way, packet),
            Err(Skip::Truncated) => self.found.cut(way.seen, way.wire),
            Err(_) => {}
        }
    }

    /// Goes on behind a header that stands between IP and what is carried: its protocol and bytes, if there are any.
    fn behind(&mut self, way: Way, carried: &Carried<'_>, within: Option<(u8, &[u8])>) {
        let Some((protocol, payload)) = within.filter(|_| way.depth < MAX_DEPTH) else {
            return;
        };
        let depth = way.depth + 1;
        let carried = Carried {
            protocol,
            payload,
            ..*carried
        };
        self.carried(Way { depth, ..way }, &carried);
    }

    fn udp(&mut self, way: Way, carried: &Carried<'_>) {
        let Way { seen, .. } = way;
        let Ok(udp) = ip::Datagram::parse(carried.payload) else {
            return self.found.cut(seen, way.wire);
        };
        let path = Path {
            source: SocketAddr::new(carried.source, udp.source),
            destination: SocketAddr::new(carried.destination, udp.destination),
        };
        let truncated = udp.missing > 0;
        if truncated && !carried.cut {
            self.found.losses.note(Kind::Broken, seen.frame, || {
                format!(
                    "the datagram of frame {} says that it is longer than its packet",
                    seen.frame
                )
            });
        } else if truncated {
            self.found.cut(seen, way.wire);
        }
        let last = udp.payload.as_ptr_range().end;
        for part in coalesced::parts(udp.payload) {
            let truncated = truncated && part.as_ptr_range().end == last;
            self.datagram(way, path, part, truncated);
        }
    }

    fn datagram(&mut self, way: Way, path: Path, payload: &[u8], truncated: bool) {
        let Way { seen, .. } = way;
        if self.found.is_sip(path, payload) {
            return self.found.message(SipMessage {
                frame: seen.frame,
                time: seen.time,
                source: path.source,
                destination: path.destination,
                carrier: Carrier::Udp,
                bytes: sip::without_blank(payload).to_vec(),
                truncated,
            });
        }
        if hep::is_packet(payload) {
            if !self.found.reported(seen, payload) {
                self.found.unreadable(seen, path);
            }
            return;
        }
        let ports = [path.source.port(), path.destination.port()];
        match tunnel::datagram(ports, payload) {
            Some(packet) if way.depth < MAX_DEPTH => self.packet(way, packet),
            _ => self.found.datagram(seen, path, payload),
        }
    }

    fn tcp(&mut self, way: Way, carried: &Carried<'_>) {
        let Ok(segment) = Segment::parse(carried.payload) else {
            return self.found.cut(way.seen, way.wire);
        };
        let path = Path {
            source: SocketAddr::new(carried.source, segment.source),
            destination: SocketAddr::new(carried.destination, segment.destination),
        };
        if self
            .found
            .options
            .sip_port
            .is_some_and(|port| !path.has(port))
        {
            return;
        }
        if carried.cut {
            self.found.cut(way.seen, way.wire);
        }
        self.streams.add(way.seen, path, &segment, &mut self.found);
    }

    fn finish(mut self) -> Capture {
        let mut wholes = Vec::new();
        self.fragments.finish(&mut wholes);
        let wire = Wire {
            captured: 0,
            len: 0,
        };
        let seen = Seen::NONE;
        self.wholes(
            Way {
                seen,
                wire,
                depth: 0,
            },
            wholes,
        );
        self.streams.finish(&mut self.found);
        self.found.finish()
    }
}
