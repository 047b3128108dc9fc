// SPDX-License-Identifier: AGPL-3.0-only
//! Playing sound that comes while it is played ([`crate::feed`]).
//!
//! Packets leave by the clock of the stream, whether there is sound for them or not: what is missing is silence.

use super::Context;
use super::io::{Event, FeedKey, FirstPacket, PlayFeed};
use super::play::{MAX_BURST, Outgoing, Playing};
use super::stream::{Stream, timestamp};
use crate::feed::{Feed, Place};
use crate::time::Micros;

/// A feed that is played.
#[derive(Debug)]
pub(super) struct FeedPlay {
    play: PlayFeed,
    place: Place,
    pub(super) next: Micros,
    timestamp: u32,
    pub(super) paused: Option<Micros>,
}

impl FeedPlay {
    pub(super) fn feed(&self) -> FeedKey {
        self.play.feed
    }

    /// Goes on after a pause, with what is heard now.
    pub(super) fn resume(&mut self, now: Micros) {
        if let Some(since) = self.paused.take() {
            self.next += now - since;
            let clock_rate = self.play.codec.params().clock_rate;
            self.timestamp = timestamp(self.timestamp, now - since, clock_rate);
        }
    }
}

/// The feed that a key names.
pub(super) fn feed_of(feeds: &[Option<Feed>], key: FeedKey) -> Option<&Feed> {
    feeds.get(key.0 as usize)?.as_ref()
}

impl Stream {
    /// Plays nothing if the feed is gone, or knows no such codec.
    pub(super) fn start_feed(&mut self, cx: &mut Context<'_>, play: PlayFeed) {
        let feed = cx.feeds.get_mut(play.feed.0 as usize);
        let place = feed
            .and_then(Option::as_mut)
            .and_then(|feed| feed.join(play.codec));
        let delay = match self.params.first_packet {
            FirstPacket::AtOnce => Micros(0),
            FirstPacket::AfterInterval => play.shape.period,
        };
        self.talking = false;
        self.pattern = None;
        self.playing = match place {
            Some(place) => Playing::Feed(FeedPlay {
                next: cx.now + delay,
                timestamp: timestamp(
                    self.params.timestamp,
                    cx.now,
                    play.codec.params().clock_rate,
                ),
                paused: None,
                place,
                play,
            }),
            None => Playing::Nothing,
        };
    }

    /// The feed is closed; others are no concern of this stream.
    pub(super) fn feed_over(&mut self, cx: &mut Context<'_>, feed: FeedKey) {
        if matches!(&self.playing, Playing::Feed(playing) if playing.feed() == feed) {
            self.playing = Playing::Nothing;
            self.talking = false;
            cx.event(Event::FeedOver(feed));
        }
    }

    /// Sends what is due.
    pub(super) fn play_feed(&mut self, cx: &mut Context<'_>, playing: &mut FeedPlay) {
        let shape = playing.play.shape;
        let period = shape.period.max(Micros(1));
        let mut burst = 0;
        while playing.next <= cx.now {
            burst += 1;
            if burst > MAX_BURST {
                // Far behind: whole periods at once. What has come meanwhile is looked at when the next one is due.
                let behind = cx.now.since(playing.next).0 / period.0 + 1;
                self.sent.skipped += behind;
                playing.next += Micros(behind * period.0);
                let step = (behind as u32).wrapping_mul(shape.timestamp_step);
                playing.timestamp = playing.timestamp.wrapping_add(step);
                self.talking = false;
                return;
            }
            if self.digits.is_some() {
                // Digits take the place of audio.
                if let Some(feed) = feed_of(cx.feeds, playing.play.feed) {
                    feed.skip(&mut playing.place, shape.payload_len);
                }
                self.talking = false;
            } else {
                let packet = Outgoing {
                    marker: self.params.marks && !self.talking,
                    payload_type: playing.play.payload_type,
                    timestamp: playing.timestamp,
                    codec: Some((playing.play.codec, shape.channels)),
                };
                // Taken out of the context, which goes on being used.
                let feeds = core::mem::take(cx.feeds);
                let feed = feed_of(&feeds, playing.play.feed);
                let place = &mut playing.place;
                self.talking |= self.emit(cx, &packet, |out| {
                    if let Some(feed) = feed {
                        feed.take(place, shape.payload_len, out);
                    }
                });
                *cx.feeds = feeds;
            }
            playing.next += period;
            playing.timestamp = playing.timestamp.wrapping_add(shape.timestamp_step);
        }
    }
}
