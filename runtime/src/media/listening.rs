// SPDX-License-Identifier: AGPL-3.0-only
//! The microphones that streams of this shard play: what was heard of them goes to the engine when packets are due.
//!
//! Calls whose microphone falls silent because its recorder is gone fail, and others that ask for it begin anew.

use std::sync::Arc;

use gossipper_bytecode::media::MediaStream;
use gossipper_media::Micros;
use gossipper_media::engine::{FeedKey, Input, Op, PlayFeed};
use gossipper_vm::CallKey;

use super::Media;
use super::microphone::{Microphone, Name};
use super::plan::index_of;

/// Length of a packet.
const PACKET_MS: u32 = 20;

/// A microphone that streams play.
#[derive(Debug)]
pub(super) struct Listening {
    name: Name,
    microphone: Arc<Microphone>,
    feed: FeedKey,
    /// How far it was heard.
    at: u64,
    /// The action that wanted it first.
    line: u32,
    samples: Vec<i16>,
}

impl Media {
    /// Plays a microphone on a call's audio, in the codec of the stream.
    pub(super) fn play_microphone(
        &mut self,
        now: Micros,
        call: CallKey,
        name: &Name,
        line: u32,
    ) -> Result<(), String> {
        let index = index_of(MediaStream::Audio);
        let stream = self.stream_of(call, index)?;
        let (payload_type, codec) = self.payload_of(call, index, None)?;
        let shape = codec.packet_of(PACKET_MS).filter(|_| codec.is_coded());
        let Some(shape) = shape else {
            return Err(format!(
                "rtp_stream (line {line}): a microphone is heard in PCMU, PCMA or G722, and this stream is {}",
                codec.params().name
            ));
        };
        let feed = self.feed_of(name, line)?;
        let paused = self.set_pattern(call, index, false);
        let play = PlayFeed {
            feed,
            codec,
            payload_type,
            shape,
        };
        self.order(now, stream, Op::PlayFeed(play));
        if paused {
            self.order(now, stream, Op::Pause);
        }
        Ok(())
    }

    fn feed_of(&mut self, name: &Name, line: u32) -> Result<FeedKey, String> {
        let mut known = self.listening.iter();
        let usable = |known: &&Listening| known.name == *name && !known.microphone.is_over();
        if let Some(known) = known.find(usable) {
            return Ok(known.feed);
        }
        let microphone = self.plan.microphones.open(name);
        let microphone = microphone.map_err(|why| format!("rtp_stream (line {line}): {why}"))?;
        let feed = self.engine.open_feed();
        self.listening.push(Listening {
            name: name.clone(),
            // What was heard before is nobody's here.
            at: microphone.end(),
            microphone,
            feed,
            line,
            samples: Vec::new(),
        });
        Ok(feed)
    }

    /// Hands over what was heard, and ends what is heard no more.
    pub(super) fn listen(&mut self, now: Micros) {
        let mut over = Vec::new();
        for listening in &mut self.listening {
            let (at, samples) = (&mut listening.at, &mut listening.samples);
            listening.microphone.take(at, samples);
            let feed = listening.feed;
            if !samples.is_empty() {
                let input = Input::Sound { feed, samples };
                self.engine.handle(now, input, &mut self.out);
            }
            if listening.microphone.is_over() {
                over.push(feed);
            }
        }
        for feed in over {
            self.engine.close_feed(now, feed, &mut self.out);
            // While it is known why.
            self.settle(now);
            self.listening.retain(|listening| listening.feed != feed);
        }
    }

    /// Why nothing more comes of a feed.
    pub(super) fn silenced(&self, feed: FeedKey) -> String {
        let mut known = self.listening.iter();
        let Some(known) = known.find(|known| known.feed == feed) else {
            return "rtp_stream: the microphone is silent".to_owned();
        };
        let why = known.microphone.failure().unwrap_or_default();
        format!("rtp_stream (line {}): {why}", known.line)
    }

    /// Lets go of what no stream plays any more.
    pub(super) fn stop_listening(&mut self, now: Micros) {
        let Self {
            listening,
            engine,
            out,
            ..
        } = self;
        listening.retain(|known| {
            let listened = engine.listeners(known.feed) > 0;
            if !listened {
                engine.close_feed(now, known.feed, out);
            }
            listened
        });
    }
}
