// SPDX-License-Identifier: AGPL-3.0-only
//! The streams of a shard: inputs with the time they came at in, datagrams, events and the next deadline out.
//!
//! Whoever runs an engine owns the sockets and the clock. It hands in what the calls ask for and what the sockets
//! received, calls again at [`MediaEngine::next_deadline`], and carries out what stands in [`MediaOut`] afterwards. Nothing
//! here waits or calls back.
//!
//! Invariants: a stream has one deadline, the earliest of all it wants; packets are due at the start of what they belong
//! to plus whole periods, so lateness never adds up; a late call sends what is due at once, up to [`MAX_BURST`] packets of
//! a stream, and counts the rest as skipped.
//!
//! ```
//! use gossipper_media::engine::{EngineParams, FirstPacket, Format, Input, Length, MediaEngine, MediaOut, Op, Play, Remote};
//! use gossipper_media::engine::StreamParams;
//! use gossipper_media::{Clip, Codec, Micros, tone::Sound};
//!
//! let mut engine = MediaEngine::new(EngineParams { unix_us: 0, name: b"me".as_slice().into() });
//! let mut out = MediaOut::default();
//! let format = Format { codec: Codec::Pcma, payload_type: 8, events: None, channels: 1 };
//! let stream = engine.open(Micros(0), StreamParams {
//!     ssrc: 1, sequence: 0, timestamp: 0, format, marks: true,
//!     first_packet: FirstPacket::AfterInterval, report_interval: None,
//! });
//! let peer = "192.0.2.1:4000".parse()?;
//! let remote = Remote { rtp: Some(peer), rtcp: None, held: false };
//! engine.handle(Micros(0), Input::Op { stream, op: Op::Remote(remote) }, &mut out);
//! let shape = Codec::Pcma.packet_of(20).expect("every codec has its own length");
//! let clip = Clip::synthetic(Codec::Pcma, Sound::default(), shape.payload_len);
//! let play = Play { clip, payload_type: 8, shape, length: Length::Endless, pattern: None };
//! engine.handle(Micros(0), Input::Op { stream, op: Op::Play(Box::new(play)) }, &mut out);
//! assert_eq!(engine.next_deadline(), Some(Micros::from_ms(20)));
//! engine.handle(Micros::from_ms(20), Input::Tick, &mut out);
//! assert_eq!((out.sends.len(), out.sends[0].to, out.bytes.len()), (1, peer, 172));
//! # Ok::<(), core::net::AddrParseError>(())
//! ```

mod check;
mod io;
mod live;
mod play;
mod receive;
mod report;
mod spread;
mod stream;
#[cfg(test)]
mod tests;
mod wheel;

pub use check::{CheckDirection, CheckFailure, CheckParams, PatternCount};
pub use io::{
    Event, FeedKey, FileWrite, FirstPacket, Format, Input, Keys, Length, MediaOut, Op, Play,
    PlayFeed, Port, Remote, ReportSeen, Send, StreamKey, StreamParams,
};
pub use play::MAX_BURST;
pub use report::{BlockCounts, PacketErrors, PeerView, StreamReport};

use crate::feed::Feed;
use crate::rtcp::NtpTime;
use crate::table::Table;
use crate::time::Micros;
use spread::Spread;
use stream::Stream;
use wheel::Wheel;

/// What an engine is told once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineParams {
    /// Microseconds since 1970 when the run began.
    pub unix_us: u64,
    /// Our canonical name in reports: `user@host`.
    pub name: Box<[u8]>,
}

/// A slot of a stream; the generation tells its owners apart.
#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    stream: Option<Box<Stream>>,
}

/// The streams of a shard.
#[derive(Debug)]
pub struct MediaEngine {
    params: EngineParams,
    slots: Table<Slot>,
    /// Slots that were ever taken.
    made: u32,
    free: Vec<u32>,
    wheel: Wheel,
    spread: Option<Spread>,
    feeds: Vec<Option<Feed>>,
    tells_reports: bool,
}

/// What a stream needs of the engine around it.
struct Context<'a> {
    now: Micros,
    key: StreamKey,
    params: &'a EngineParams,
    spread: &'a mut Option<Spread>,
    tells_reports: bool,
    feeds: &'a mut Vec<Option<Feed>>,
    out: &'a mut MediaOut,
}

impl Context<'_> {
    fn event(&mut self, event: Event) {
        self.out.events.push((self.key, event));
    }

    fn wall_clock(&self) -> NtpTime {
        NtpTime::from_unix_us(self.params.unix_us.saturating_add(self.now.0))
    }
}

/// Datagrams of a tick after which it does not go on to another stream: whoever comes late to thousands of streams would
/// else hold all of their packets at once. Few enough that what was written is still in the nearest cache when it is sent.
const MAX_SENDS: usize = 64;

impl MediaEngine {
    /// An engine without streams.
    #[must_use]
    pub fn new(params: EngineParams) -> Self {
        Self {
            params,
            slots: Table::default(),
            made: 0,
            free: Vec::new(),
            wheel: Wheel::new(),
            spread: None,
            feeds: Vec::new(),
            tells_reports: false,
        }
    }

    /// From now on reports that pass are put into [`MediaOut::reports`], and digits of ours are told.
    pub fn tell_reports(&mut self) {
        self.tells_reports = true;
    }

    /// From now on clips begin up to one packet later: at points that all streams have in common, and as many at each. So
    /// thousands of streams need few wakeups, and none waits behind more than its share of the others.
    pub fn spread(&mut self) {
        self.spread = Some(Spread::default());
    }

    /// Opens a stream: it receives and counts from now on, and sends nothing until it is told to.
    pub fn open(&mut self, now: Micros, params: StreamParams) -> StreamKey {
        let stream = Box::new(Stream::new(now, params));
        let index = self.free.pop().unwrap_or_else(|| {
            // Four thousand million streams have no ports.
            self.made += 1;
            self.made - 1
        });
        let slot = self.slots.reach(index as usize);
        let due = stream.due();
        slot.stream = Some(stream);
        self.wheel.arm(now, index, due);
        StreamKey {
            index,
            generation: slot.generation,
        }
    }

    /// Closes a stream: ends its recording, says goodbye, and tells what became of it. `None` if it was closed before.
    pub fn close(
        &mut self,
        now: Micros,
        stream: StreamKey,
        out: &mut MediaOut,
    ) -> Option<StreamReport> {
        let slot = self.slots.get_mut(stream.index as usize)?;
        if slot.generation != stream.generation {
            return None;
        }
        let mut closed = slot.stream.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(stream.index);
        self.wheel.disarm(stream.index);
        closed.close(&mut Context {
            now,
            key: stream,
            params: &self.params,
            spread: &mut self.spread,
            tells_reports: self.tells_reports,
            feeds: &mut self.feeds,
            out,
        });
        Some(closed.report(now))
    }

    /// Something happened, or time has passed. What is to be done is appended to `out`.
    pub fn handle(&mut self, now: Micros, input: Input<'_>, out: &mut MediaOut) {
        match input {
            Input::Op { stream, op } => {
                self.with(now, stream, out, |found, cx| found.on_op(cx, op))
            }
            Input::Packet {
                stream,
                port,
                from,
                bytes,
            } => self.with(now, stream, out, |found, cx| {
                found.on_packet(cx, port, from, bytes);
            }),
            Input::Sound { feed, samples } => {
                if let Some(Some(feed)) = self.feeds.get_mut(feed.0 as usize) {
                    feed.push(samples);
                }
            }
            Input::Tick => {
                while out.sends.len() < MAX_SENDS
                    && let Some(index) = self.wheel.pop(now)
                {
                    let slot = self.slots.get(index as usize);
                    let generation = slot.map_or(0, |slot| slot.generation);
                    let key = StreamKey { index, generation };
                    self.with(now, key, out, Stream::run);
                }
            }
        }
    }

    /// Opens sound that comes while it is played ([`Op::PlayFeed`], [`Input::Sound`]).
    pub fn open_feed(&mut self) -> FeedKey {
        let place = self.feeds.iter().position(Option::is_none);
        let place = place.unwrap_or_else(|| {
            self.feeds.push(None);
            self.feeds.len() - 1
        });
        self.feeds[place] = Some(Feed::default());
        // There are a few.
        FeedKey(place as u32)
    }

    /// How many streams play a feed.
    #[must_use]
    pub fn listeners(&self, feed: FeedKey) -> usize {
        live::feed_of(&self.feeds, feed).map_or(0, Feed::listeners)
    }

    /// Closes a feed. Streams that play it send nothing more, and are told.
    pub fn close_feed(&mut self, now: Micros, feed: FeedKey, out: &mut MediaOut) {
        if self.listeners(feed) > 0 {
            for index in 0..self.made {
                let Some(slot) = self.slots.get(index as usize) else {
                    break;
                };
                let key = StreamKey {
                    index,
                    generation: slot.generation,
                };
                self.with(now, key, out, |stream, cx| stream.feed_over(cx, feed));
            }
        }
        if let Some(slot) = self.feeds.get_mut(feed.0 as usize) {
            *slot = None;
        }
    }

    /// When to call again with [`Input::Tick`]; `None` while nothing is going on. It may be now: a tick that has much to
    /// send leaves the rest to the next one.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Micros> {
        self.wheel.next_deadline()
    }

    /// What became of a stream so far.
    #[must_use]
    pub fn report(&self, now: Micros, stream: StreamKey) -> Option<StreamReport> {
        let slot = self.slots.get(stream.index as usize)?;
        let found = slot.stream.as_ref()?;
        (slot.generation == stream.generation).then(|| found.report(now))
    }

    /// Open streams.
    #[must_use]
    pub fn len(&self) -> usize {
        self.made as usize - self.free.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with(
        &mut self,
        now: Micros,
        key: StreamKey,
        out: &mut MediaOut,
        act: impl FnOnce(&mut Stream, &mut Context<'_>),
    ) {
        // A call may end while packets for it are still in the air.
        let Some(slot) = self.slots.get_mut(key.index as usize) else {
            return;
        };
        let Some(stream) = slot.stream.as_mut() else {
            return;
        };
        if slot.generation != key.generation {
            return;
        }
        let before = stream.due();
        act(
            stream,
            &mut Context {
                now,
                key,
                params: &self.params,
                spread: &mut self.spread,
                tells_reports: self.tells_reports,
                feeds: &mut self.feeds,
                out,
            },
        );
        let due = stream.due();
        // A packet that came changes no deadline; a tick took it out of the wheel.
        if due != before || due <= now || before <= now {
            // What is still due waits for the next tick, so that others get their turn.
            let due = if due <= now { now + Micros(1) } else { due };
            self.wheel.arm(now, key.index, due);
        }
    }
}
