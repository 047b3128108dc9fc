// SPDX-License-Identifier: AGPL-3.0-only
//! The streams of a call, from its begin to its end, and what its scenario asks of them.
//!
//! A call has a stream for each port that it prints or needs: its audio, and another one. By SIPp's rules captures have
//! streams of their own, from the port that stands in the call's description.

use std::net::SocketAddr;
use std::sync::Arc;

use gossipper_bytecode::MediaId;
use gossipper_bytecode::media::{MediaStream, Paused};
use gossipper_media::dtmf::{DtmfParams, sipp_replay};
use gossipper_media::engine::{
    FirstPacket, Format, Op, Play, Port, Remote, StreamKey, StreamParams,
};
use gossipper_media::{Codec, Micros};
use gossipper_vm::CallKey;

use super::config::MediaRules;
use super::describe::Agreement;
use super::plan::{Deed, PlaySpec, Prepared, Source, index_of, play_index};
use super::ports::Pair;
use super::recorder::file_of;
use super::sockets::Use;
use super::{CallFigures, Kind, Media, Owner, micros};

/// SIPp's first source; every call has two.
const SIPP_SSRC: u32 = 0xca11_0000;

/// SIPp's first sequence number of digits.
const SIPP_DIGITS_SEQUENCE: u16 = 1200;

/// From one report to the next.
const REPORT_INTERVAL: Micros = Micros::from_ms(500);

/// What a scenario has paused and not resumed.
#[derive(Debug, Default)]
struct Pauses {
    all: bool,
    /// Of each stream.
    patterns: [bool; 2],
}

impl Pauses {
    fn set(&mut self, what: Paused, on: bool) {
        match what {
            Paused::All if on => self.all = true,
            Paused::All => *self = Self::default(),
            Paused::AudioPattern => self.patterns[0] = on,
            Paused::VideoPattern => self.patterns[1] = on,
        }
    }
}

/// What is known of a call.
#[derive(Debug)]
pub(super) struct CallMedia {
    pub(super) number: u64,
    pairs: [Option<Pair>; 2],
    pub(super) streams: [Option<StreamKey>; 2],
    /// The pair that each stream is on.
    at: [usize; 2],
    plays: [Option<StreamKey>; 3],
    /// Where captures are played to, if there are any.
    play_remotes: Option<Box<[Option<SocketAddr>; 3]>>,
    /// Whether a stream plays a pattern.
    patterns: [bool; 2],
    /// By SIPp's rules: what is paused, whatever is played next.
    paused: Pauses,
    digits_sequence: u16,
    digits_ssrc: u32,
    /// It has failed, and nothing more is done for it.
    pub(super) failed: bool,
    /// Its Call-ID, where a collector is told of media.
    call_id: Option<Arc<str>>,
    /// What both sides have said.
    pub(super) agreed: Box<Agreement>,
}

impl CallMedia {
    /// The stream that a packet on a pair is for.
    pub(super) fn stream_at(&self, pair: usize) -> Option<StreamKey> {
        let on_it =
            (0..2).find(|stream| self.at[*stream] == pair && self.streams[*stream].is_some());
        // Late packets to a port that the audio has left.
        self.streams[on_it.unwrap_or(0)]
    }
}

impl Media {
    /// A call has begun.
    pub(crate) fn began(
        &mut self,
        now: gossipper_vm::Micros,
        call: CallKey,
        number: u64,
        call_id: &[u8],
        ports: [u16; 2],
    ) {
        let now = micros(now);
        let pairs = ports.map(|port| self.ports.pair(port));
        self.at_machine = self
            .at_machine
            .saturating_sub(pairs.iter().flatten().count());
        let mut record = CallMedia {
            number,
            pairs,
            streams: [None; 2],
            at: [0, 1],
            plays: [None; 3],
            play_remotes: None,
            patterns: [false; 2],
            paused: Pauses::default(),
            digits_sequence: SIPP_DIGITS_SEQUENCE,
            digits_ssrc: self.draw(number, 7) as u32,
            failed: false,
            call_id: None,
            agreed: Box::default(),
        };
        for (index, pair) in pairs.iter().enumerate() {
            let Some(pair) = pair else {
                continue;
            };
            self.sockets
                .set_use(pair.rtp, Use::Call(call, index, Port::Rtp));
            if let Some(rtcp) = pair.rtcp {
                self.sockets
                    .set_use(rtcp, Use::Call(call, index, Port::Rtcp));
            }
            let params = self.stream_params(number, index);
            let key = self.engine.open(now, params);
            record.streams[index] = Some(key);
            self.own(Owner {
                call,
                kind: Kind::Stream(index),
                key: Some(key),
                port: pair.port,
                rtp: pair.rtp,
                rtcp: pair.rtcp,
                offsets: Vec::new(),
                recording: None,
            });
        }
        if let Some(reports) = &mut self.reports {
            let streams = record.streams.into_iter().flatten();
            record.call_id = Some(reports.began(now, call_id, streams));
        }
        let audio = record.streams[0];
        self.calls.insert(call, Box::new(record));
        if let (Some(stream), Some(config)) = (audio, &self.plan.config.record) {
            let (path, duplex) = (file_of(&config.folder, call_id), config.duplex);
            self.record(now, stream, path, duplex);
        }
    }

    /// The call is over. Tells what its media came to.
    pub(crate) fn ended(&mut self, now: gossipper_vm::Micros, call: CallKey) -> CallFigures {
        let mut figures = CallFigures::default();
        let Some(record) = self.calls.remove(call) else {
            return figures;
        };
        let now = micros(now);
        for stream in record.streams.into_iter().flatten() {
            if let Some(report) = self.close_stream(now, stream) {
                figures.add(&report);
            }
        }
        for stream in record.plays.into_iter().flatten() {
            let socket = self.owner(stream).map(|owner| owner.rtp);
            if let Some(report) = self.close_stream(now, stream) {
                figures.add(&report);
            }
            // What waits to be sent from it is to be sent first.
            self.flush();
            if let Some(socket) = socket {
                self.sockets.remove(socket);
            }
        }
        if !self.listening.is_empty() {
            self.stop_listening(now);
        }
        for pair in record.pairs.into_iter().flatten() {
            self.ports.give_back(now, pair, &mut self.sockets);
        }
        let received = figures.packets_received;
        if received > 0 {
            let counts = &mut self.counts;
            counts.call_min_received = match counts.calls_heard {
                0 => received,
                _ => counts.call_min_received.min(received),
            };
            counts.calls_heard += 1;
        }
        figures
    }

    /// Carries out an action.
    pub(crate) fn act(
        &mut self,
        now: gossipper_vm::Micros,
        call: CallKey,
        action: MediaId,
        text: &[u8],
    ) {
        if self.calls.get(call).is_none_or(|record| record.failed) {
            return;
        }
        let plan = std::sync::Arc::clone(&self.plan);
        let done = match &plan.actions[action.index()] {
            Prepared::Known(deed) => self.carry_out(micros(now), call, deed),
            Prepared::Rendered(word, line) => plan
                .rendered(*word, text, *line)
                .and_then(|deed| self.carry_out(micros(now), call, &deed)),
            Prepared::Nothing => Ok(()),
        };
        if let Err(why) = done {
            self.fail(call, &why);
        }
        if !self.listening.is_empty() {
            self.stop_listening(micros(now));
        }
    }

    fn carry_out(&mut self, now: Micros, call: CallKey, deed: &Deed) -> Result<(), String> {
        match deed {
            Deed::Play(stream, spec) => self.play(now, call, index_of(*stream), spec)?,
            Deed::Listen { name, line } => self.play_microphone(now, call, name, *line)?,
            Deed::Pause(what) | Deed::Resume(what) => {
                let pauses = matches!(deed, Deed::Pause(_));
                let op = || if pauses { Op::Pause } else { Op::Resume };
                if let Some(record) = self.calls.get_mut(call)
                    && self.plan.config.rules == MediaRules::Sipp
                {
                    record.paused.set(*what, pauses);
                }
                for stream in self.concerned(call, *what) {
                    self.order(now, stream, op());
                }
            }
            Deed::Stop => {
                let record = self.calls.get(call).map(|call| (call.streams, call.plays));
                let (streams, plays) = record.unwrap_or_default();
                for stream in streams.into_iter().chain(plays).flatten() {
                    self.order(now, stream, Op::Stop);
                    self.order(now, stream, Op::Echo(false));
                }
            }
            Deed::Echo(stream, on) => {
                let stream = self.stream_of(call, index_of(*stream))?;
                self.order(now, stream, Op::Echo(*on));
            }
            Deed::Replay(kind, replay) => {
                let stream = self.play_stream(now, call, *kind)?;
                self.order(now, stream, Op::Replay(replay.clone()));
            }
            Deed::PlayDigits { digits, length_ms } => match self.plan.config.rules {
                MediaRules::Sipp => self.play_digits(now, call, digits, *length_ms)?,
                MediaRules::Own => self.send_digits(now, call, digits, Some(*length_ms))?,
            },
            Deed::SendDigits(digits) => self.send_digits(now, call, digits, None)?,
            Deed::Record { path, duplex } => {
                let stream = self.stream_of(call, 0)?;
                self.record(now, stream, path.clone(), *duplex);
            }
            Deed::StopRecording => {
                let stream = self.stream_of(call, 0)?;
                self.order(now, stream, Op::StopRecording);
            }
            Deed::Check(params) => {
                let stream = self.stream_of(call, 0)?;
                self.order(now, stream, Op::Check(*params));
            }
        }
        Ok(())
    }

    fn play(
        &mut self,
        now: Micros,
        call: CallKey,
        index: usize,
        spec: &PlaySpec,
    ) -> Result<(), String> {
        let stream = self.stream_of(call, index)?;
        let (payload_type, codec) = self.payload_of(call, index, spec.payload)?;
        let (clip, shape) = self.plan.clip(spec, codec)?;
        let pattern = match spec.source {
            Source::Pattern(id) => gossipper_media::clip::PATTERNS
                .get(usize::from(id).wrapping_sub(1))
                .copied(),
            Source::File(_) | Source::Computed(_) => None,
        };
        let paused = self.set_pattern(call, index, pattern.is_some());
        let play = Play {
            clip,
            payload_type,
            shape,
            length: spec.length,
            pattern,
        };
        let op = if paused { Op::PlayPaused } else { Op::Play };
        self.order(now, stream, op(Box::new(play)));
        Ok(())
    }

    /// Payload type and codec of what is sent, which an action may name.
    pub(super) fn payload_of(
        &self,
        call: CallKey,
        index: usize,
        named: Option<(u8, Codec)>,
    ) -> Result<(u8, Codec), String> {
        let negotiated = match self.calls.get(call) {
            Some(call) => {
                call.agreed.check(index, self.srtp_refusal())?;
                call.agreed.payload(index)
            }
            None => None,
        };
        Ok(named
            .or_else(|| self.plan.payload(negotiated))
            .unwrap_or((0, Codec::Pcmu)))
    }

    /// Whether a stream plays a pattern from now on; says whether it waits for `resume`.
    pub(super) fn set_pattern(&mut self, call: CallKey, index: usize, pattern: bool) -> bool {
        let Some(record) = self.calls.get_mut(call) else {
            return false;
        };
        record.patterns[index] = pattern;
        // COMPAT(sipp): what is played while its stream is paused waits for `resume`.
        record.paused.all || pattern && record.paused.patterns[index]
    }

    /// Streams that a pause is about.
    fn concerned(&self, call: CallKey, what: Paused) -> Vec<StreamKey> {
        let Some(record) = self.calls.get(call) else {
            return Vec::new();
        };
        let fits = |index: usize| match what {
            Paused::All => true,
            Paused::AudioPattern => index == 0 && record.patterns[0],
            Paused::VideoPattern => index == 1 && record.patterns[1],
        };
        (0..2)
            .filter(|index| fits(*index))
            .filter_map(|index| record.streams[index])
            .collect()
    }

    fn play_digits(
        &mut self,
        now: Micros,
        call: CallKey,
        digits: &[u8],
        length_ms: u32,
    ) -> Result<(), String> {
        let stream = self.play_stream(now, call, MediaStream::Audio)?;
        let Some(record) = self.calls.get_mut(call) else {
            return Ok(());
        };
        let (ssrc, sequence) = (record.digits_ssrc, record.digits_sequence);
        let (replay, next) = sipp_replay(digits, length_ms, ssrc, sequence);
        record.digits_ssrc = ssrc.wrapping_add(1);
        record.digits_sequence = next;
        self.order(now, stream, Op::Replay(replay));
        Ok(())
    }

    fn send_digits(
        &mut self,
        now: Micros,
        call: CallKey,
        digits: &[u8],
        length_ms: Option<u32>,
    ) -> Result<(), String> {
        let stream = self.stream_of(call, 0)?;
        let base = DtmfParams::default();
        let agreed = self.calls.get(call).map(|call| &call.agreed);
        if let Some(agreed) = agreed {
            agreed.check(0, self.srtp_refusal())?;
        }
        let events = agreed.and_then(|agreed| agreed.events());
        let codec = agreed.and_then(|agreed| agreed.payload(0));
        let params = DtmfParams {
            payload_type: events.unwrap_or(base.payload_type),
            clock_rate: codec.map_or(base.clock_rate, |(_, codec)| codec.params().clock_rate),
            digit_ms: length_ms.unwrap_or(base.digit_ms),
            ..base
        };
        let digits = digits.into();
        self.order(now, stream, Op::Dtmf { digits, params });
        Ok(())
    }

    fn record(&mut self, now: Micros, stream: StreamKey, path: std::path::PathBuf, duplex: bool) {
        let Some(recorder) = &self.recorder else {
            return;
        };
        let id = recorder.begin(path);
        // The one before ends with what belongs to it.
        self.order(now, stream, Op::StopRecording);
        if let Some(owner) = self.owner_mut(stream) {
            owner.recording = Some(id);
        }
        self.order(now, stream, Op::Record { duplex });
    }

    /// A stream of the call.
    pub(super) fn stream_of(&self, call: CallKey, index: usize) -> Result<StreamKey, String> {
        let record = self.calls.get(call);
        record
            .and_then(|record| record.streams[index])
            .ok_or_else(|| {
                "the call has no port for this stream: its scenario names it nowhere".to_owned()
            })
    }

    /// The stream that plays captures of a kind.
    fn play_stream(
        &mut self,
        now: Micros,
        call: CallKey,
        kind: MediaStream,
    ) -> Result<StreamKey, String> {
        let index = play_index(kind);
        let Some(record) = self.calls.get(call) else {
            return Err("the call has no media".to_owned());
        };
        if self.plan.config.rules == MediaRules::Own {
            record
                .agreed
                .check(usize::from(kind == MediaStream::Video), self.srtp_refusal())?;
            let own = match kind {
                MediaStream::Audio => record.streams[0],
                // Without a port of its own it is sent from another.
                MediaStream::Image | MediaStream::Video => record.streams[1],
            };
            if let Some(stream) = own {
                return Ok(stream);
            }
        }
        if let Some(stream) = record.plays[index] {
            return Ok(stream);
        }
        let number = record.number;
        let remote = (record.play_remotes.as_deref()).and_then(|remotes| remotes[index]);
        let port = self.play_port(record, index);
        let Some(socket) = self.play_socket(port) else {
            return Err("no socket is left to play a capture from".to_owned());
        };
        let mut params = self.stream_params(number, 0);
        params.report_interval = None;
        let stream = self.engine.open(now, params);
        self.own(Owner {
            call,
            kind: Kind::Play(index),
            key: Some(stream),
            port,
            rtp: socket,
            rtcp: None,
            offsets: Vec::new(),
            recording: None,
        });
        if let Some(record) = self.calls.get_mut(call) {
            record.plays[index] = Some(stream);
            if let (Some(reports), Some(call_id)) = (&mut self.reports, &record.call_id) {
                reports.watch(now, stream, call_id);
            }
        }
        self.order(now, stream, Op::Remote(play_remote(remote)));
        Ok(stream)
    }

    /// The port that captures of a kind are played from: that of the call's description.
    fn play_port(&self, record: &CallMedia, index: usize) -> u16 {
        use gossipper_bytecode::Slot;
        let index_of_call = record.number.saturating_sub(1);
        let of_pair = |index: usize| record.pairs[index].map_or(0, |pair| i64::from(pair.port));
        let port = match self.plan.play_ports[index] {
            None => 0,
            Some(Slot::AutoMediaPort(offset)) => {
                i64::from(self.media_port)
                    + (index_of_call.wrapping_mul(4) % 10_000) as i64
                    + i64::from(offset)
            }
            Some(Slot::RtpStreamAudioPort(offset)) => of_pair(0) + i64::from(offset),
            Some(Slot::RtpStreamVideoPort(offset)) => of_pair(1) + i64::from(offset),
            Some(Slot::MediaPort(offset)) => i64::from(self.media_port) + i64::from(offset),
            Some(_) => 0,
        };
        u16::try_from(port).unwrap_or(0)
    }

    /// Where captures of a call go from now on.
    pub(super) fn move_plays(
        &mut self,
        now: Micros,
        call: CallKey,
        remotes: [Option<SocketAddr>; 3],
    ) {
        let Some(record) = self.calls.get_mut(call) else {
            return;
        };
        if self.plan.plays_captures() {
            record.play_remotes = Some(Box::new(remotes));
        }
        let plays = record.plays;
        for (stream, remote) in plays.into_iter().zip(remotes) {
            if let Some(stream) = stream {
                self.order(now, stream, Op::Remote(play_remote(remote)));
            }
        }
    }

    /// Our description names this port for a stream: that is where it is from now on, if the call has it.
    pub(super) fn move_stream(&mut self, call: CallKey, index: usize, port: u16) {
        let Some(record) = self.calls.get_mut(call) else {
            return;
        };
        let place = record
            .pairs
            .iter()
            .position(|pair| pair.is_some_and(|pair| pair.port == port));
        let (Some(place), Some(stream)) = (place, record.streams[index]) else {
            return;
        };
        // The other stream keeps its own.
        record.at[index] = place;
        let pair = record.pairs[place];
        if let (Some(pair), Some(owner)) = (pair, self.owner_mut(stream)) {
            owner.port = pair.port;
            owner.rtp = pair.rtp;
            owner.rtcp = pair.rtcp;
        }
    }

    fn own(&mut self, owner: Owner) {
        let Some(key) = owner.key else {
            return;
        };
        let index = key.index() as usize;
        *self.owners.reach(index) = Some(owner);
    }

    /// A number that follows from the run's seed, the call and what it is for.
    fn draw(&self, number: u64, what: u64) -> u64 {
        let seed = self.plan.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (what << 56);
        fastrand::Rng::with_seed(seed).u64(..)
    }

    fn stream_params(&self, number: u64, index: usize) -> StreamParams {
        let config = &self.plan.config;
        let format = Format {
            codec: Codec::Pcmu,
            payload_type: 0,
            events: None,
            channels: 1,
        };
        match config.rules {
            MediaRules::Sipp => {
                let base = if config.random_ssrc {
                    self.draw(0, 1) as u32
                } else {
                    SIPP_SSRC
                };
                let place = number.saturating_sub(1).wrapping_mul(2) + index as u64;
                StreamParams {
                    // Sources wrap.
                    ssrc: base.wrapping_add(place as u32),
                    sequence: 0,
                    timestamp: 0,
                    format,
                    marks: false,
                    first_packet: FirstPacket::AtOnce,
                    report_interval: None,
                }
            }
            MediaRules::Own => {
                let drawn = self.draw(number, 2 + index as u64);
                StreamParams {
                    ssrc: drawn as u32,
                    sequence: (drawn >> 32) as u16,
                    timestamp: (drawn >> 24) as u32,
                    format,
                    marks: true,
                    first_packet: FirstPacket::AfterInterval,
                    report_interval: (!config.scale).then_some(REPORT_INTERVAL),
                }
            }
        }
    }
}

fn play_remote(rtp: Option<SocketAddr>) -> Remote {
    gossipper_media::described::sipp_remote(rtp)
}
