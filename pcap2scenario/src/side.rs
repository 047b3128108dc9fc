// SPDX-License-Identifier: AGPL-3.0-only
//! One side of a call as a scenario: what it sends, what it waits for, when, and what it plays.
//!
//! Both sides follow the one order of the capture, so that a run of one against the other cannot stop half way: whoever is
//! to speak next does so after the same pause as in the capture, and the other waits.

use crate::body::Ports;
use crate::calls::{Call, Event};
use crate::headers;
use crate::media::{Digits, Media, Piece};
use crate::message::Start;
use crate::scenario::{Expected, Kind, Save, Saved, Step};
use crate::text::Rules;
use crate::{Options, Timing};
use core::time::Duration;
use gossipper_sip::HeaderName;
use gossipper_sip::sdp::MediaKind;
use std::collections::HashMap;

/// Shorter pauses are left out: the capture's own delays are as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// How much longer than in the capture a side waits for a message.
const PATIENCE: Duration = Duration::from_secs(32);

/// Before a message that is waited for, a pause must leave this much time: who pauses does not listen.
const MARGIN: Duration = Duration::from_secs(1);

/// Which side of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// The caller.
    Uac,
    /// Who is called.
    Uas,
}

/// Something that a side does, in order of time.
#[derive(Clone, Copy, Debug)]
enum Act<'a> {
    Message(usize),
    Play(&'a Piece, &'a str),
    Stop(&'a Piece),
    Press(&'a Digits),
}

/// A side that is being built.
pub(crate) struct Side<'a> {
    pub(crate) call: &'a Call,
    pub(crate) role: Role,
    /// What is replaced in headers.
    pub(crate) rules: Rules,
    /// What is replaced in descriptions.
    pub(crate) media_rules: Rules,
    pub(crate) ports: Ports,
    pub(crate) steps: Vec<Step>,
    /// Step that receives an event.
    received: HashMap<usize, usize>,
    /// Step that sends an event.
    sent: HashMap<usize, usize>,
    /// The event that was received last.
    pub(crate) last_received: Option<usize>,
    /// What `[peer_tag_param]` would print in the capture: the tag in To of the last response.
    pub(crate) peer_tag: &'a [u8],
    /// Tags of this side, in the order of their appearance.
    own_tags: Vec<&'a [u8]>,
    /// The request that the response time counts from.
    timed: Option<usize>,
    options: &'a Options,
}

/// Builds the scenario of a side. `files` names the file of each piece of media.
pub(crate) fn build(
    call: &Call,
    role: Role,
    media: &Media,
    files: &[String],
    options: &Options,
) -> Vec<Step> {
    let mut side = Side::new(call, role, options);
    let acts = side.acts(media, files);
    side.run(&acts);
    side.steps
}

impl<'a> Side<'a> {
    fn new(call: &'a Call, role: Role, options: &'a Options) -> Self {
        let (own, peer) = match role {
            Role::Uac => (call.caller, call.callee),
            Role::Uas => (call.callee, call.caller),
        };
        let mut rules = Rules::default();
        rules.endpoint(
            own.ip(),
            own.port(),
            "[local_ip]:[local_port]",
            "[local_ip]",
        );
        if role == Role::Uac {
            // A server that was given no remote host does not know the other address beforehand.
            rules.endpoint(
                peer.ip(),
                peer.port(),
                "[remote_ip]:[remote_port]",
                "[remote_ip]",
            );
        }
        let mut media_rules = Rules::default();
        media_rules.address(own.ip(), "[media_ip]");
        for event in &call.events {
            if (event.from_caller == (role == Role::Uac)) && event.msg.has_sdp() {
                let body = &event.msg.body;
                let start = memchr::memmem::find(body, b"v=0").unwrap_or(0);
                let description = gossipper_sip::sdp::Sdp::new(&body[start..]);
                for ip in description
                    .media()
                    .take(8)
                    .filter_map(|media| media.address())
                {
                    if !ip.is_unspecified() && !ip.is_multicast() {
                        media_rules.address(ip, "[media_ip]");
                        rules.address(ip, "[media_ip]");
                    }
                }
            }
        }
        let mut side = Self {
            timed: None,
            call,
            role,
            rules,
            media_rules,
            ports: Ports::default(),
            steps: Vec::new(),
            received: HashMap::new(),
            sent: HashMap::new(),
            last_received: None,
            peer_tag: b"",
            own_tags: Vec::new(),
            options,
        };
        side.timed = side.timed();
        side
    }

    /// Whether this side sends an event.
    pub(crate) fn sends(&self, event: &Event) -> bool {
        event.from_caller == (self.role == Role::Uac)
    }

    fn acts<'b>(&self, media: &'b Media, files: &'b [String]) -> Vec<Act<'b>> {
        let is_own = |from_caller: bool| from_caller == (self.role == Role::Uac);
        let mut acts: Vec<(Duration, u8, Act<'b>)> = Vec::new();
        for (at, event) in self.call.events.iter().enumerate() {
            acts.push((event.msg.time, 1, Act::Message(at)));
        }
        // Media that precedes the signalling has to wait for it: the description says where to.
        let first = self.call.events.iter().find(|event| event.msg.has_sdp());
        let earliest = first.map_or(Duration::ZERO, |event| event.msg.time);
        for (piece, file) in media.pieces.iter().zip(files) {
            if is_own(piece.from_caller) && !file.is_empty() {
                let start = piece.start.max(self.opened(earliest));
                acts.push((start, 2, Act::Play(piece, file)));
                acts.push((piece.end.max(start), 0, Act::Stop(piece)));
            }
        }
        if self.options.dtmf_events {
            for digits in media
                .digits
                .iter()
                .filter(|digits| is_own(digits.from_caller))
            {
                let at = digits.start.max(self.opened(earliest));
                acts.push((at, 3, Act::Press(digits)));
            }
        }
        acts.sort_by_key(|(time, order, _)| (*time, *order));
        acts.into_iter().map(|(_, _, act)| act).collect()
    }

    /// When the peer's first description had come, which says where to send; if it never did, `earliest`.
    fn opened(&self, earliest: Duration) -> Duration {
        let mut received = self
            .call
            .events
            .iter()
            .filter(|event| !self.sends(event) && event.msg.has_sdp());
        received.next().map_or(earliest, |event| event.msg.time)
    }

    fn run(&mut self, acts: &[Act<'_>]) {
        let call = self.call;
        // Up to when the pauses so far have brought this side.
        let mut clock = call.start();
        // Media is stopped with the message behind it, not in a wait for one.
        let mut due: Vec<&Piece> = Vec::new();
        for (index, act) in acts.iter().enumerate() {
            match *act {
                Act::Message(at) => {
                    let event = &call.events[at];
                    if self.sends(event) {
                        self.pause(&mut clock, event.msg.time);
                        self.stop(&mut due);
                        self.send(at);
                    } else {
                        self.receive(at, clock);
                        clock = event.msg.time;
                        self.stop(&mut due);
                    }
                }
                Act::Play(piece, file) => {
                    if self.may_pause(acts, index, piece.start) {
                        self.pause(&mut clock, piece.start);
                    }
                    self.play(piece, file);
                }
                Act::Press(digits) => {
                    if self.may_pause(acts, index, digits.start) {
                        self.pause(&mut clock, digits.start);
                    }
                    let comment =
                        format!("{}: digits {}", self.offset(digits.start), digits.digits);
                    self.push(
                        vec![comment],
                        Kind::Exec {
                            attribute: "send_dtmf",
                            value: digits.digits.clone(),
                        },
                    );
                }
                Act::Stop(piece) => {
                    due.push(piece);
                    let is_last = !acts[index + 1..]
                        .iter()
                        .any(|act| matches!(act, Act::Message(_)));
                    if is_last {
                        self.pause(&mut clock, piece.end);
                        self.stop(&mut due);
                    }
                }
            }
        }
    }

    /// Whether this side may pause until `until` at a place: not if a message comes soon after.
    fn may_pause(&self, acts: &[Act<'_>], index: usize, until: Duration) -> bool {
        let next = acts[index + 1..].iter().find_map(|act| match act {
            Act::Message(at) => Some(&self.call.events[*at]),
            _ => None,
        });
        next.is_none_or(|event| self.sends(event) || event.msg.time.saturating_sub(until) >= MARGIN)
    }

    fn pause(&mut self, clock: &mut Duration, until: Duration) {
        let gap = until.saturating_sub(*clock);
        *clock = until.max(*clock);
        let gap = match self.options.timing {
            Timing::Real => gap,
            Timing::None => return,
            Timing::Scaled(factor) => Duration::try_from_secs_f64(gap.as_secs_f64() * factor)
                .unwrap_or(gap)
                .min(Duration::from_secs(24 * 3600)),
        };
        if gap < SHORTEST_PAUSE {
            return;
        }
        let ms = u64::try_from(gap.as_millis()).unwrap_or(0);
        // A scenario cannot pause for longer than 24 days.
        let ms = ms.min(i32::MAX as u64);
        self.push(Vec::new(), Kind::Pause { ms });
    }

    fn play(&mut self, piece: &Piece, file: &str) {
        let attribute = match piece.kind {
            MediaKind::Audio | MediaKind::Other => "play_pcap_audio",
            MediaKind::Video => "play_pcap_video",
            MediaKind::Image => "play_pcap_image",
        };
        let comment = format!(
            "{}: media begins, {} packets up to {}",
            self.offset(piece.start),
            piece.packets.len(),
            self.offset(piece.end)
        );
        let value = file.to_owned();
        self.push(vec![comment], Kind::Exec { attribute, value });
    }

    fn stop(&mut self, due: &mut Vec<&Piece>) {
        if !self.options.timing.is_hurried() {
            due.clear();
        }
        // One action stops whatever plays.
        if let Some(last) = due.drain(..).next_back() {
            let comment = format!("{}: media ends", self.offset(last.end));
            let value = "stop".to_owned();
            self.push(
                vec![comment],
                Kind::Exec {
                    attribute: "rtp_stream",
                    value,
                },
            );
        }
    }

    /// A time as the comments tell it.
    fn offset(&self, time: Duration) -> String {
        let since = time.saturating_sub(self.call.start());
        format!("+{:.3} s", since.as_secs_f64())
    }

    fn describe(&self, at: usize) -> String {
        let event = &self.call.events[at];
        let title = event.msg.title();
        let mut text = match event.made_up {
            Some(why) => format!("{title}: {why}"),
            None => {
                let title = match event.msg.code() {
                    Some(_) => format!("{title} ({} {})", event.msg.cseq, event.msg.method),
                    None => title,
                };
                format!(
                    "frame {}, {}: {title} from {}",
                    event.msg.frame,
                    self.offset(event.msg.time),
                    event.msg.source
                )
            }
        };
        if !event.repeats.is_empty() {
            let frames: Vec<String> = event.repeats.iter().take(8).map(u64::to_string).collect();
            let more = if event.repeats.len() > 8 { ", ..." } else { "" };
            text.push_str(&format!("; repeated in frame {}{more}", frames.join(", ")));
        }
        text
    }

    /// Adds a step. An optional receive has to stand directly before another receive.
    fn push(&mut self, comments: Vec<String>, kind: Kind) {
        if !matches!(kind, Kind::Recv { .. })
            && let Some(Step {
                kind: Kind::Recv { optional, .. },
                ..
            }) = self.steps.last_mut()
        {
            *optional = false;
        }
        self.steps.push(Step { comments, kind });
    }

    fn receive(&mut self, at: usize, clock: Duration) {
        let call = self.call;
        let event = &call.events[at];
        let msg = &event.msg;
        let waited = msg.time.saturating_sub(clock);
        let waited = match self.options.timing {
            Timing::Real => waited,
            Timing::None => Duration::ZERO,
            Timing::Scaled(factor) => {
                Duration::try_from_secs_f64(waited.as_secs_f64() * factor).unwrap_or(waited)
            }
        };
        let timeout = waited.saturating_add(PATIENCE).as_secs().min(1_000_000) * 1000;
        let what = match &msg.start {
            Start::Request { method, .. } => Expected::Request(method.clone()),
            Start::Status { code, .. } => Expected::Response(*code),
        };
        let code = msg.code();
        let request = code.and_then(|_| call.request_of(at));
        let is_first_answer = request.is_some_and(|request| {
            call.events[request].msg.asks("INVITE")
                && !call.events[request + 1..at]
                    .iter()
                    .any(|other| other.msg.answers(&call.events[request].msg))
        });
        let is_recv =
            |what: Expected, optional: bool, rtd: bool, timeout_ms: Option<u64>| Kind::Recv {
                what,
                optional,
                auth: false,
                rrs: false,
                timeout_ms,
                rtd,
                saves: Vec::new(),
            };
        if let Some(request) = request.filter(|_| is_first_answer) {
            for (code, why) in self.not_captured(request) {
                self.push(
                    vec![why.to_owned()],
                    is_recv(Expected::Response(code), true, false, None),
                );
            }
        }
        let is_final = code.is_some_and(|code| code >= 200);
        let rtd = is_final
            && !matches!(code, Some(401 | 407))
            && msg.method == "INVITE"
            && request.is_some()
            && request == self.timed;
        let optional = code.is_some_and(|code| code < 200) && at + 1 < call.events.len();
        let comments = vec![self.describe(at)];
        self.push(comments, is_recv(what, optional, rtd, Some(timeout)));
        self.received.insert(at, self.steps.len() - 1);
        self.last_received = Some(at);
        if code.is_some() && !msg.to_tag.is_empty() {
            self.peer_tag = &msg.to_tag;
        }
    }

    /// Provisional responses to an INVITE that the capture does not have and another peer may send, where nothing depends
    /// on them.
    fn not_captured(&self, request: usize) -> Vec<(u16, &'static str)> {
        let events = &self.call.events;
        let invite = &events[request].msg;
        let has = |code| {
            events[request..]
                .iter()
                .any(|event| event.msg.code() == Some(code) && event.msg.answers(invite))
        };
        let mut codes = vec![(100, "not captured, but most servers send it")];
        // A challenge comes at once.
        if self.timed == Some(request) {
            codes.push((180, "not captured; another peer may ring"));
            codes.push((183, "not captured; another peer may play something"));
        }
        codes.retain(|(code, _)| !has(*code));
        codes
    }

    /// The request that the response time counts from: the first INVITE whose answer is no challenge.
    fn timed(&self) -> Option<usize> {
        let events = &self.call.events;
        let mut timed: Option<usize> = None;
        for (at, event) in events.iter().enumerate() {
            let code = event.msg.code();
            let counts = code.is_some_and(|code| code >= 200 && code != 401 && code != 407)
                && event.msg.method == "INVITE"
                && !self.sends(event);
            if counts && let Some(request) = self.call.request_of(at) {
                timed = Some(timed.map_or(request, |earlier| earlier.min(request)));
            }
        }
        timed
    }

    fn send(&mut self, at: usize) {
        let call = self.call;
        let event = &call.events[at];
        let text = match &event.msg.start {
            Start::Request { method, uri } => headers::request(self, at, method, uri),
            Start::Status { code, reason } => headers::response(self, at, *code, reason),
        };
        let retrans = self.is_repeated(at);
        let start_rtd = self.timed == Some(at);
        let comments = vec![self.describe(at)];
        self.push(
            comments,
            Kind::Send {
                text,
                retrans,
                start_rtd,
            },
        );
        self.sent.insert(at, self.steps.len() - 1);
    }

    /// Whether a message is to be repeated over UDP until it is answered. What is never answered is not, nor what is only
    /// answered after this side has sent something else: sending waits while something is repeated.
    fn is_repeated(&self, at: usize) -> bool {
        let event = &self.call.events[at];
        let behind = &self.call.events[at + 1..];
        let next = behind.iter().find(|next| {
            self.sends(next) || {
                let msg = &next.msg;
                let ends = ["ACK", "CANCEL", "BYE", "PRACK"];
                let stops = !msg.is_request() || ends.contains(&msg.method.as_str());
                let slows =
                    event.msg.method != "INVITE" && msg.code().is_some_and(|code| code < 200);
                stops && !slows
            }
        });
        let answered = next.is_some_and(|next| {
            !self.sends(next)
                && (next.msg.answers(&event.msg)
                    || event.msg.code().is_some() && next.msg.asks("ACK"))
        });
        match event.msg.code() {
            None => event.msg.method != "ACK" && answered,
            Some(code) => event.msg.method == "INVITE" && code >= 200 && answered,
        }
    }

    /// The keyword for a branch that was used before: that of the step so far back.
    pub(crate) fn branch_of(&self, at: usize) -> String {
        match self.sent.get(&at) {
            Some(step) => format!("[branch-{}]", self.steps.len() - step),
            None => "[branch]".to_owned(),
        }
    }

    /// The keyword text for a tag of this side.
    pub(crate) fn own_tag(&mut self, tag: &'a [u8]) -> String {
        let known = self.own_tags.iter().position(|known| *known == tag);
        let index = known.unwrap_or_else(|| {
            self.own_tags.push(tag);
            self.own_tags.len() - 1
        });
        let side = match self.role {
            Role::Uac => "00",
            Role::Uas => "01",
        };
        match index {
            0 => format!("[pid]GossipTag{side}[call_number]"),
            index => format!("[pid]GossipTag{side}[call_number]f{index}"),
        }
    }

    /// The variable that keeps a part of a received message; `None` if it is received nowhere.
    pub(crate) fn saved(&mut self, at: usize, what: Saved) -> Option<String> {
        let step = *self.received.get(&at)?;
        let Kind::Recv {
            saves, optional, ..
        } = &mut self.steps.get_mut(step)?.kind
        else {
            return None;
        };
        // What is needed later has to come.
        *optional = false;
        let variable = format!("{}_{}", what.name(), at + 1);
        if !saves.iter().any(|save| save.what == what) {
            saves.push(Save {
                what,
                variable: variable.clone(),
            });
        }
        Some(variable)
    }

    /// Lets the receive of a challenge store it.
    pub(crate) fn store_challenge(&mut self, at: usize) -> bool {
        self.flag(at, |kind| {
            if let Kind::Recv { auth, .. } = kind {
                *auth = true;
            }
        })
    }

    /// Lets a receive store route set and remote target.
    pub(crate) fn store_routes(&mut self, at: usize) -> bool {
        self.flag(at, |kind| {
            if let Kind::Recv { rrs, .. } = kind {
                *rrs = true;
            }
        })
    }

    fn flag(&mut self, at: usize, set: impl FnOnce(&mut Kind)) -> bool {
        let Some(step) = self.received.get(&at) else {
            return false;
        };
        let Some(step) = self.steps.get_mut(*step) else {
            return false;
        };
        set(&mut step.kind);
        true
    }

    /// Received events before another one, the latest first.
    pub(crate) fn received_before(
        &self,
        at: usize,
    ) -> impl Iterator<Item = (usize, &'a Event)> + use<'a> {
        let call = self.call;
        let from_caller = self.role == Role::Uas;
        (0..at)
            .rev()
            .map(move |at| (at, &call.events[at]))
            .filter(move |(_, event)| event.from_caller == from_caller)
    }

    /// The event before another one that this side sent itself and that satisfies a condition, the latest first.
    pub(crate) fn sent_before(
        &self,
        at: usize,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Option<usize> {
        (0..at)
            .rev()
            .find(|at| self.sends(&self.call.events[*at]) && wanted(&self.call.events[*at]))
    }

    /// Whether a message has Record-Route.
    pub(crate) fn records_route(event: &Event) -> bool {
        event.msg.has(HeaderName::RecordRoute)
    }
}
