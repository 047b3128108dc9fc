// SPDX-License-Identifier: AGPL-3.0-only
//! One stream: what it is told, and everything it remembers.
//!
//! What only some streams need (keys, digits, checks, recordings) is behind a box, so that thousands of plain streams
//! stay small.

use super::check::{CheckFailure, CheckParams, PatternCount};
use super::io::{Event, FileWrite, Format, Keys, Op, Remote, StreamParams};
use super::play::{Digits, Playing};
use super::report::{PacketErrors, Reporting};
use super::{Context, StreamReport};
use crate::codec::Codec;
use crate::dtmf::{DtmfError, DtmfReceiver, DtmfSender};
use crate::quality::{Quality, QualityInput};
use crate::receive::Receiver;
use crate::record::Recorder;
use crate::srtp::{Opener, Sealer};
use crate::time::Micros;

/// Most rows of digits that wait behind each other.
const MAX_WAITING: usize = 64;

/// Counts of what was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) octets: u64,
    /// Not sent because we came too late.
    pub(super) skipped: u64,
}

/// Contexts of SRTP.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

/// A check that has not been decided.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) params: CheckParams,
    pub(super) until: Micros,
    /// When the peer was heard last since the check began, or when that was.
    pub(super) heard: Micros,
}

impl Waiting {
    pub(super) fn due(&self) -> Micros {
        match self.params.max_silence {
            Some(max) => self.until.min(self.heard + max + Micros(1)),
            None => self.until,
        }
    }
}

/// The echo of a pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) byte: u8,
    pub(super) len: usize,
    /// Of the last packet since the one we sent last.
    pub(super) last_matched: Option<bool>,
    pub(super) count: PatternCount,
}

/// What only streams that hear somebody remember.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) receiver: Receiver,
    pub(super) heard: DtmfReceiver,
    pub(super) errors: PacketErrors,
}

impl Came {
    fn new(clock_rate: u32) -> Self {
        Self {
            receiver: Receiver::new(clock_rate),
            heard: DtmfReceiver::default(),
            errors: PacketErrors::default(),
        }
    }
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) params: StreamParams,
    pub(super) opened: Micros,
    pub(super) sequence: u16,
    pub(super) format: Format,
    /// Other payload types that may come.
    pub(super) others: Box<[(u8, Codec)]>,
    /// How what came last was coded.
    pub(super) hears: Codec,
    pub(super) remote: Remote,
    pub(super) playing: Playing,
    /// The packet before belonged to the same talk spurt.
    pub(super) talking: bool,
    pub(super) echo: bool,
    pub(super) digits: Option<Box<Digits>>,
    pub(super) sent: Sent,
    pub(super) digits_heard: u32,
    /// From the first packet on, or the first that could not be sealed.
    pub(super) came: Option<Box<Came>>,
    pub(super) reporting: Reporting,
    pub(super) secured: Option<Box<Secured>>,
    pub(super) check: Option<Box<Waiting>>,
    pub(super) pattern: Option<Box<Pattern>>,
    pub(super) recorder: Option<Box<Recorder>>,
}

impl Stream {
    pub(super) fn new(now: Micros, params: StreamParams) -> Self {
        let next = match params.report_interval {
            // Not all at once where thousands are opened together: between half an interval and a whole one.
            Some(interval) => {
                let half = interval.max(Micros::from_ms(1)).0 / 2;
                let spread = u64::from(params.ssrc.wrapping_mul(0x9e37_79b1));
                now + Micros(half + ((half * spread) >> 32))
            }
            None => Micros::NEVER,
        };
        Self {
            opened: now,
            sequence: params.sequence,
            format: params.format,
            others: Box::default(),
            hears: params.format.codec,
            remote: Remote::default(),
            playing: Playing::Nothing,
            talking: false,
            echo: false,
            digits: None,
            sent: Sent::default(),
            digits_heard: 0,
            came: None,
            reporting: Reporting::new(next),
            secured: None,
            check: None,
            pattern: None,
            recorder: None,
            params,
        }
    }

    /// The earliest of all deadlines.
    pub(super) fn due(&self) -> Micros {
        let digits = self
            .digits
            .as_ref()
            .map_or(Micros::NEVER, |digits| digits.due());
        let check = self
            .check
            .as_ref()
            .map_or(Micros::NEVER, |check| check.due());
        self.playing
            .due()
            .min(digits)
            .min(check)
            .min(self.reporting.next)
    }

    /// Whatever is due.
    pub(super) fn run(&mut self, cx: &mut Context<'_>) {
        self.play(cx);
        self.send_digits(cx);
        self.send_report(cx);
        self.decide_check(cx);
    }

    pub(super) fn on_op(&mut self, cx: &mut Context<'_>, op: Op) {
        match op {
            Op::Remote(remote) => self.remote = remote,
            Op::Format(format) => {
                self.format = format;
                if let Some(came) = &mut self.came {
                    let clock_rate = format.codec.params().clock_rate;
                    came.receiver.set_clock_rate(clock_rate);
                }
                self.hears = format.codec;
            }
            Op::Others(others) => self.others = others,
            Op::Keys(keys) => self.set_keys(keys),
            Op::Play(play) => self.start_clip(cx, *play),
            Op::PlayFeed(play) => self.start_feed(cx, play),
            Op::PlayPaused(play) => {
                self.start_clip(cx, *play);
                self.playing.pause(cx.now);
            }
            Op::Replay(replay) => self.start_replay(cx.now, replay),
            Op::Pause => self.playing.pause(cx.now),
            Op::Resume => {
                self.playing.resume(cx.now);
                self.talking = false;
            }
            Op::Stop => {
                self.playing = Playing::Nothing;
                self.digits = None;
                self.talking = false;
            }
            Op::Echo(echo) => self.echo = echo,
            Op::Dtmf { digits, params } => match DtmfSender::new(&digits, params) {
                Ok(sender) => self.queue_digits(cx, sender),
                Err(error) => cx.event(Event::DigitsRefused(error)),
            },
            Op::Record { duplex } => {
                self.stop_recording(cx);
                self.recorder = Some(Box::new(Recorder::new(cx.now, duplex)));
            }
            Op::StopRecording => self.stop_recording(cx),
            Op::Check(params) => {
                let until = cx.now + params.timeout;
                self.check = Some(Box::new(Waiting {
                    params,
                    until,
                    heard: cx.now,
                }));
                self.decide_check(cx);
            }
        }
        // What begins at once does not wait for the wheel.
        if self.due() <= cx.now {
            self.run(cx);
        }
    }

    fn set_keys(&mut self, keys: Option<Box<Keys>>) {
        let Some(keys) = keys else {
            self.secured = None;
            return;
        };
        let Keys { send, receive } = *keys;
        match &mut self.secured {
            // RFC 3711 §3.3.1: the count of rollovers belongs to the key. A renegotiation often repeats it.
            Some(secured) => {
                if *secured.sealer.master() != send {
                    secured.sealer = Sealer::new(send);
                }
                if *secured.opener.master() != receive {
                    secured.opener = Opener::new(receive);
                }
            }
            None => {
                self.secured = Some(Box::new(Secured {
                    sealer: Sealer::new(send),
                    opener: Opener::new(receive),
                }));
            }
        }
    }

    fn queue_digits(&mut self, cx: &mut Context<'_>, sender: DtmfSender) {
        let timestamp = self.timestamp_at(cx.now);
        match &mut self.digits {
            Some(digits) if digits.waiting.len() >= MAX_WAITING => {
                cx.event(Event::DigitsRefused(DtmfError::TooMany));
            }
            Some(digits) => digits.waiting.push_back(sender),
            None => self.digits = Some(Box::new(Digits::new(cx.now, timestamp, sender))),
        }
        self.talking = false;
    }

    /// A packet of the peer came, which a check may wait for.
    pub(super) fn heard_by_check(&mut self, cx: &mut Context<'_>) {
        self.decide_check(cx);
        if let Some(check) = &mut self.check {
            check.heard = check.heard.max(cx.now);
        }
    }

    /// Tells a check that is passed, or failed at its deadline.
    pub(super) fn decide_check(&mut self, cx: &mut Context<'_>) {
        let Some(check) = &self.check else {
            return;
        };
        // A turn that comes late may look at it behind its time.
        let silence = cx.now.min(check.until).since(check.heard);
        if check.params.max_silence.is_some_and(|max| silence > max) {
            self.check = None;
            cx.event(Event::CheckFailed(CheckFailure::Silence(silence)));
            return;
        }
        let over = check.until <= cx.now;
        let received = match &self.came {
            Some(came) => came.receiver.counts().packets,
            None => 0,
        };
        let enough = check.params.has_packets(self.sent.packets, received);
        if !over && (!enough || check.params.max_silence.is_some()) {
            return;
        }
        let event = match check.params.verdict(&self.report(cx.now)) {
            Ok(()) => Event::CheckPassed,
            Err(failure) if over => Event::CheckFailed(failure),
            // What is too bad now may get better in time.
            Err(_) => return,
        };
        self.check = None;
        cx.event(event);
    }

    fn stop_recording(&mut self, cx: &mut Context<'_>) {
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        let start = cx.out.bytes.len();
        let lengths = recorder.finish(&mut cx.out.bytes);
        Self::write(cx, None, start, false);
        let count = lengths.len();
        for (index, (at, length)) in lengths.into_iter().enumerate() {
            let start = cx.out.bytes.len();
            cx.out.bytes.extend_from_slice(&length);
            Self::write(cx, Some(at), start, index + 1 == count);
        }
    }

    /// Orders that the bytes from `start` on go to the recording.
    pub(super) fn write(cx: &mut Context<'_>, at: Option<u64>, start: usize, last: bool) {
        let range = start..cx.out.bytes.len();
        if !range.is_empty() {
            cx.out.files.push(FileWrite {
                stream: cx.key,
                at,
                range,
                last,
            });
        }
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        let digit = self.came.as_mut().and_then(|came| came.heard.finish());
        if let Some(heard) = digit {
            self.digits_heard += 1;
            cx.event(Event::Digit(heard));
        }
        self.send_goodbye(cx);
        self.stop_recording(cx);
    }

    /// What it remembers of packets, from now on.
    pub(super) fn came(&mut self) -> &mut Came {
        let clock_rate = self.hears.params().clock_rate;
        self.came
            .get_or_insert_with(|| Box::new(Came::new(clock_rate)))
    }

    /// What a payload type means.
    pub(super) fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        if payload_type == self.format.payload_type {
            return Some(self.format.codec);
        }
        let mut others = self.others.iter();
        let other = others.find(|(number, _)| *number == payload_type);
        other.map_or_else(
            || Codec::of_payload_type(payload_type),
            |(_, codec)| Some(*codec),
        )
    }

    pub(super) fn clock_rate(&self) -> u32 {
        self.format.codec.params().clock_rate
    }

    /// The timestamp of a moment: it advances from the beginning of the run, whatever is played.
    pub(super) fn timestamp_at(&self, now: Micros) -> u32 {
        timestamp(self.params.timestamp, now, self.clock_rate())
    }

    pub(super) fn report(&self, now: Micros) -> StreamReport {
        let nothing;
        let Came {
            receiver, errors, ..
        } = match &self.came {
            Some(came) => &**came,
            None => {
                nothing = Came::new(self.hears.params().clock_rate);
                &nothing
            }
        };
        let received = receiver.counts();
        let more = self.reporting.more.as_deref().copied().unwrap_or_default();
        let jitter = receiver.jitter();
        let round_trip_us = self.reporting.round_trip_us;
        let quality = Quality::of(&QualityInput {
            codec: self.hears,
            loss_percent: received.loss_percent(),
            burst_ratio: received.burst_ratio(),
            delay_ms: round_trip_us.unwrap_or(0) as f64 / 2000.0,
            jitter_ms: jitter.mean,
        });
        StreamReport {
            at: now,
            opened: self.opened,
            ssrc: self.params.ssrc,
            peer_ssrc: receiver.ssrc(),
            sent_packets: self.sent.packets,
            sent_octets: self.sent.octets,
            skipped: self.sent.skipped,
            received,
            source_changes: receiver.source_changes(),
            jitter,
            // Nobody rates what nobody heard.
            quality: quality.filter(|_| received.packets > 0),
            first_received: receiver.first_arrival(),
            last_received: receiver.last_arrival(),
            longest_gap: receiver.longest_gap(),
            skew: receiver.skew(),
            digits_heard: self.digits_heard,
            errors: *errors,
            round_trip_us,
            peer: more.peer,
            blocks: more.blocks,
            format: self.format,
            remote: self.remote,
            timestamp: self.timestamp_at(now),
            own_block: receiver.block_of_last(now),
            reports_sent: self.reporting.sent,
            sender_reports_sent: more.of_sender,
            reports_received: self.reporting.received,
            pattern: self.pattern.as_ref().map(|pattern| pattern.count),
        }
    }
}

/// Timestamps since the beginning of the run. Wraps, as they do.
pub(super) fn timestamp(base: u32, now: Micros, clock_rate: u32) -> u32 {
    let since = u128::from(now.0) * u128::from(clock_rate) / 1_000_000;
    base.wrapping_add(since as u32)
}
