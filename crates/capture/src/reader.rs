// SPDX-License-Identifier: AGPL-3.0-only
//! Goes through the frames of a file and hands what is in them to whom it concerns.

#[cfg(test)]
mod tests;

use crate::file::Frames;
use crate::ip::{self, Packet};
use crate::link::{LinkType, Skip};
use crate::losses::{Kind, Losses};
use crate::{Capture, CaptureError, Carrier, Datagram, ReadOptions, SipMessage, sip};
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;

/// Where in the file something was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) frame: u64,
    pub(crate) time: Duration,
}

/// See [`crate::read`].
pub(crate) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Capture, CaptureError> {
    let frames = Frames::of(bytes).ok_or(CaptureError::NotCapture)?;
    if let (None, Some(number)) = (options.link, frames.link())
        && LinkType::of_number(number).is_none()
    {
        return Err(CaptureError::Link(number));
    }
    let mut reader = Reader {
        options,
        capture: Capture::default(),
        losses: Losses::default(),
        unknown_links: BTreeSet::new(),
    };
    let mut time = Duration::ZERO;
    for frame in frames {
        let number = reader.capture.frames + 1;
        match frame {
            Ok(frame) => {
                reader.capture.frames = number;
                // What has no time of its own follows at once.
                time = frame.time.unwrap_or(time);
                let seen = Seen {
                    frame: number,
                    time,
                };
                reader.frame(seen, frame.link, frame.data, frame.len as usize);
            }
            Err(fault) => reader.losses.note(Kind::File, number, || fault.to_string()),
        }
    }
    Ok(reader.finish())
}

struct Reader<'o> {
    options: &'o ReadOptions,
    capture: Capture,
    losses: Losses,
    unknown_links: BTreeSet<i32>,
}

impl Reader<'_> {
    fn frame(&mut self, seen: Seen, link: i32, data: &[u8], len: usize) {
        let Some(link) = self.options.link.or_else(|| LinkType::of_number(link)) else {
            if self.unknown_links.insert(link) {
                self.losses.note(Kind::Link, seen.frame, || {
                    format!("frames of the unknown link type {link}")
                });
            }
            return;
        };
        let wire = Wire {
            captured: data.len(),
            len,
        };
        match link.packet(data) {
            Ok(packet) => self.packet(seen, packet, wire),
            Err(Skip::Truncated) => self.cut(seen, wire),
            Err(_) => {}
        }
    }

    fn packet(&mut self, seen: Seen, bytes: &[u8], wire: Wire) {
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(Skip::Truncated) => return self.cut(seen, wire),
            Err(_) => return,
        };
        if packet.protocol != ip::UDP || packet.fragment.is_some() {
            return;
        }
        let Ok(udp) = ip::Datagram::parse(packet.payload) else {
            return self.cut(seen, wire);
        };
        let truncated = udp.missing > 0;
        if truncated {
            self.cut(seen, wire);
        }
        let source = SocketAddr::new(packet.source, udp.source);
        let destination = SocketAddr::new(packet.destination, udp.destination);
        if self.is_sip(source, destination, udp.payload) {
            self.capture.messages.push(SipMessage {
                frame: seen.frame,
                time: seen.time,
                source,
                destination,
                carrier: Carrier::Udp,
                bytes: sip::without_blank(udp.payload).to_vec(),
                truncated,
            });
        } else {
            self.capture.datagrams.push(Datagram {
                frame: seen.frame,
                time: seen.time,
                source,
                destination,
                payload: udp.payload.to_vec(),
            });
        }
    }

    fn is_sip(&self, source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> bool {
        match self.options.sip_port {
            Some(port) => {
                (source.port() == port || destination.port() == port) && sip::is_text(payload)
            }
            None => sip::is_message(payload),
        }
    }

    fn cut(&mut self, seen: Seen, wire: Wire) {
        let Wire { captured, len } = wire;
        if captured < len {
            self.losses.note(Kind::Cut, seen.frame, || {
                format!("frame {} was cut at {captured} of {len} bytes", seen.frame)
            });
        } else {
            self.losses.note(Kind::Broken, seen.frame, || {
                format!("frame {} is shorter than its headers say", seen.frame)
            });
        }
    }

    fn finish(mut self) -> Capture {
        self.capture.messages.sort_by_key(|message| message.frame);
        self.capture
            .datagrams
            .sort_by_key(|datagram| datagram.frame);
        self.capture.losses = self.losses.finish();
        self.capture
    }
}

/// How much of a frame there is.
#[derive(Clone, Copy)]
struct Wire {
    captured: usize,
    len: usize,
}
