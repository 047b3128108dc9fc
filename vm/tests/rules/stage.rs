// SPDX-License-Identifier: AGPL-3.0-only
//! One engine on a stage: the test says what arrives and when, and asks what was done.
//!
//! The clock stands still between calls of [`Stage::advance`], which fires deadlines in their order.

use gossipper_bytecode::{FailReason, Program};
use gossipper_sip::{Message, StartLine};
use gossipper_testkit::pair;
use gossipper_testkit::tally::Tally;
use gossipper_vm::{
    BesideKind, CallControl, CallEnd, CallKey, Engine, FlowEvent, FlowId, Image, Input, LogKind,
    MediaVerdict, Micros, OutBuf, Output, RunParams, SdpPlace, StatEvent,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// A message that went out.
pub(crate) struct Sent {
    pub(crate) at: Micros,
    pub(crate) to: SocketAddr,
    pub(crate) flow: FlowId,
    pub(crate) text: String,
}

/// The engine under test and everything it has ordered.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    out: OutBuf,
    now: Micros,
    deadlines: BTreeMap<CallKey, (Micros, u32)>,
    /// Calls that asked for a turn and have not got it.
    pub(crate) yielded: Vec<CallKey>,
    pub(crate) sent: Vec<Sent>,
    taken: usize,
    pub(crate) tally: Tally,
    /// That of the scenario beside.
    pub(crate) beside: Tally,
    pub(crate) events: Vec<StatEvent>,
    pub(crate) ends: Vec<CallEnd>,
    /// Lines of `log` and `warning` actions.
    pub(crate) lines: Vec<String>,
    /// Warnings of the machine.
    pub(crate) warnings: Vec<String>,
    pub(crate) commands: Vec<String>,
    /// What the echo of the process was switched to.
    pub(crate) echo: Vec<bool>,
    /// What was asked of media.
    pub(crate) media: Vec<String>,
    /// The call that asked last.
    pub(crate) media_call: Option<CallKey>,
    /// Commands for twins: the name of the peer, if there are several, and the text.
    pub(crate) twin: Vec<(Option<String>, String)>,
    /// The call that sent the last of them and would fail with it.
    pub(crate) twin_call: Option<CallKey>,
    pub(crate) fatal: Option<String>,
    pub(crate) stops: Vec<&'static str>,
    /// The calls that orders were said to be about.
    pub(crate) about: Vec<u64>,
    /// Calls that asked for a path, and where to; answered by [`Self::open_paths`].
    pub(crate) opens: Vec<(CallKey, SocketAddr)>,
    /// Paths that were to be closed.
    pub(crate) closed: Vec<FlowId>,
    /// How long messages may wait that have a time of their own.
    pub(crate) within: Vec<u32>,
    /// Paths with more calls.
    pub(crate) unfinished: Vec<(FlowId, FlowEvent)>,
    /// The last path that was given to a call.
    last_flow: u32,
}

/// A scenario file around some elements.
pub(crate) fn scenario<S: AsRef<str>>(parts: &[S]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>\n<scenario name=\"test\">\n");
    for part in parts {
        xml.push_str(part.as_ref());
        xml.push('\n');
    }
    xml.push_str("</scenario>\n");
    xml
}

/// `<send>` of a request whose headers are those of one dialog.
pub(crate) fn send(method: &str, attributes: &str) -> String {
    send_then(method, attributes, "")
}

/// The same with actions.
pub(crate) fn send_then(method: &str, attributes: &str, actions: &str) -> String {
    let action = block(actions);
    format!(
        "<send {attributes}>{action}<![CDATA[
        {method} sip:bob@[remote_ip] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:alice@[local_ip]>;tag=a[call_number]
        To: <sip:bob@[remote_ip]>[peer_tag_param]
        Call-ID: [call_id]
        CSeq: [cseq] {method}
        Contact: <sip:alice@[local_ip]:[local_port]>
        Content-Length: 0

        ]]></send>"
    )
}

/// `<send>` of a response to the last message.
pub(crate) fn reply(code: u16, attributes: &str) -> String {
    format!(
        "<send {attributes}><![CDATA[
        SIP/2.0 {code} Answer
        [last_Via:]
        [last_From:]
        [last_To:];tag=b[call_number]
        [last_Call-ID:]
        [last_CSeq:]
        Contact: <sip:bob@[local_ip]:[local_port]>
        Content-Length: 0

        ]]></send>"
    )
}

/// `<recv>` of a response.
pub(crate) fn response(code: u16, attributes: &str) -> String {
    format!("<recv response=\"{code}\" {attributes}/>")
}

/// `<recv>` of a request.
pub(crate) fn request(method: &str, attributes: &str) -> String {
    format!("<recv request=\"{method}\" {attributes}/>")
}

/// `<nop>` with actions.
pub(crate) fn nop(attributes: &str, actions: &str) -> String {
    format!("<nop {attributes}>{}</nop>", block(actions))
}

/// An element that adds a line `text` to the log when it is executed.
pub(crate) fn log(text: &str) -> String {
    nop("", &format!("<log message=\"{text}\"/>"))
}

fn block(actions: &str) -> String {
    if actions.is_empty() {
        String::new()
    } else {
        format!("<action>{actions}</action>")
    }
}

/// A request of the peer: `call` is its Call-ID.
pub(crate) fn from_peer(method: &str, call: &str, cseq: u32) -> String {
    peer_lines(
        &format!("{method} sip:alice@192.0.2.1 SIP/2.0"),
        method,
        call,
        cseq,
        "",
    )
}

/// The same with more header lines, each ended by CR LF.
pub(crate) fn from_peer_with(method: &str, call: &str, cseq: u32, more: &str) -> String {
    peer_lines(
        &format!("{method} sip:alice@192.0.2.1 SIP/2.0"),
        method,
        call,
        cseq,
        more,
    )
}

fn peer_lines(start: &str, method: &str, call: &str, cseq: u32, more: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK-peer-{method}-{cseq}\r\n\
         From: <sip:bob@192.0.2.2>;tag=peer\r\nTo: <sip:alice@192.0.2.1>\r\nCall-ID: {call}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:bob@192.0.2.2:5060>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// A response of the peer to a request, with more header lines, each ended by CR LF.
pub(crate) fn answer_to(request: &str, code: u16, more: &str) -> String {
    let mut text = format!("SIP/2.0 {code} Answer\r\n");
    for line in request.split("\r\n").take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        match name {
            "To" if !line.contains(";tag=") && code > 100 => {
                text.push_str(&format!("{line};tag=peer\r\n"));
            }
            "Via" | "From" | "To" | "Call-ID" | "CSeq" => text.push_str(&format!("{line}\r\n")),
            _ => {}
        }
    }
    text.push_str("Contact: <sip:bob@192.0.2.2:5060>\r\n");
    text.push_str(more);
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}

/// `METHOD cseq` or `code METHOD cseq`.
pub(crate) fn summary(text: &str) -> String {
    let Ok(msg) = Message::parse(text.as_bytes()) else {
        return format!("not SIP: {text:?}");
    };
    let mut line = match msg.start() {
        StartLine::Request { .. } => String::new(),
        StartLine::Status { code, .. } => format!("{} ", code.0),
    };
    match msg.cseq() {
        Some(cseq) => {
            let method = String::from_utf8_lossy(cseq.method);
            line.push_str(&format!("{method} {}", cseq.number));
        }
        None => line.push_str("without CSeq"),
    }
    line
}

/// Value of a header, for asserting on one line of a message.
pub(crate) fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split("\r\n")
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

impl Stage {
    /// A client scenario with default parameters.
    pub(crate) fn client<S: AsRef<str>>(parts: &[S]) -> Self {
        Self::client_with(parts, |_| {})
    }

    /// A client scenario.
    pub(crate) fn client_with<S: AsRef<str>>(
        parts: &[S],
        adjust: impl FnOnce(&mut RunParams),
    ) -> Self {
        Self::of(
            pair::program("test", &scenario(parts)),
            pair::client_params(),
            adjust,
        )
    }

    /// A server scenario with default parameters.
    pub(crate) fn server<S: AsRef<str>>(parts: &[S]) -> Self {
        Self::server_with(parts, |_| {})
    }

    /// A server scenario.
    pub(crate) fn server_with<S: AsRef<str>>(
        parts: &[S],
        adjust: impl FnOnce(&mut RunParams),
    ) -> Self {
        Self::of(
            pair::program("test", &scenario(parts)),
            pair::server_params(),
            adjust,
        )
    }

    /// Any program.
    pub(crate) fn of(
        program: Arc<Program>,
        mut params: RunParams,
        adjust: impl FnOnce(&mut RunParams),
    ) -> Self {
        adjust(&mut params);
        let image = Image::link(program, params).expect("the program links");
        let mut stage = Self {
            engine: Engine::new(Arc::new(image)),
            out: OutBuf::new(),
            now: Micros(0),
            deadlines: BTreeMap::new(),
            yielded: Vec::new(),
            sent: Vec::new(),
            taken: 0,
            tally: Tally::default(),
            beside: Tally::default(),
            events: Vec::new(),
            ends: Vec::new(),
            lines: Vec::new(),
            warnings: Vec::new(),
            commands: Vec::new(),
            echo: Vec::new(),
            media: Vec::new(),
            media_call: None,
            twin: Vec::new(),
            twin_call: None,
            fatal: None,
            stops: Vec::new(),
            about: Vec::new(),
            opens: Vec::new(),
            closed: Vec::new(),
            within: Vec::new(),
            unfinished: Vec::new(),
            last_flow: 0,
        };
        stage.engine.start(stage.now, &mut stage.out);
        stage.carry_out();
        stage
    }

    /// A client with a scenario beside it for requests that belong to no call.
    pub(crate) fn client_beside<S: AsRef<str>>(
        parts: &[S],
        beside: &[S],
        adjust: impl FnOnce(&mut RunParams),
    ) -> Self {
        let stage = Self::client_with(parts, adjust);
        stage.with_beside(&scenario(beside), BesideKind::OutOfCall)
    }

    /// The same with another scenario beside.
    pub(crate) fn with_beside(self, beside: &str, kind: BesideKind) -> Self {
        let own = self.engine.image();
        let params = own.params().clone();
        let names: Vec<&str> = params.injection.iter().map(|file| file.name()).collect();
        let program = pair::program_with_files("beside", beside, &names);
        let image = Image::link(program, params).expect("the program links");
        let image = match kind {
            BesideKind::OutOfCall => image,
            BesideKind::Receiver => image.with_globals_of(own).expect("few variables"),
        };
        Self {
            engine: self.engine.with_beside(Arc::new(image), kind),
            ..self
        }
    }

    /// Pacing wants a call now.
    pub(crate) fn spawn(&mut self) {
        self.spawn_due(self.now);
    }

    /// A user begins a call.
    pub(crate) fn spawn_as(&mut self, user: u32) {
        let due = self.now;
        self.handle(Input::Spawn { user, due });
    }

    /// Pacing wanted a call at `due`.
    pub(crate) fn spawn_due(&mut self, due: Micros) {
        self.handle(Input::Spawn { user: 0, due });
    }

    /// A datagram of the peer.
    pub(crate) fn deliver(&mut self, text: &str) {
        self.deliver_from("192.0.2.2:5060", text.as_bytes());
    }

    /// A message that comes on a connection.
    pub(crate) fn deliver_on(&mut self, flow: u32, text: &str) {
        let flow = FlowId(flow);
        let src = "192.0.2.2:5060".parse().expect("an address");
        let bytes = text.as_bytes();
        self.handle(Input::Message { flow, src, bytes });
    }

    /// Gives every call that asked for one a path of its own, with ports from 7001 on.
    pub(crate) fn open_paths(&mut self) {
        for (call, _) in core::mem::take(&mut self.opens) {
            self.last_flow += 1;
            let flow = FlowId(self.last_flow);
            let port = 7000 + self.last_flow as u16;
            self.handle(Input::Opened { call, flow, port });
        }
    }

    /// Something becomes of a path.
    pub(crate) fn flow(&mut self, flow: u32, event: FlowEvent) {
        let flow = FlowId(flow);
        self.handle(Input::Flow { flow, event });
    }

    /// A command of the twin.
    pub(crate) fn command(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.handle(Input::Twin { bytes });
    }

    /// The texts of the commands that were sent, and forgets them.
    pub(crate) fn take_commands(&mut self) -> Vec<String> {
        let sent = core::mem::take(&mut self.twin);
        sent.into_iter().map(|(_, text)| text).collect()
    }

    /// Bytes from anywhere.
    pub(crate) fn deliver_from(&mut self, src: &str, bytes: &[u8]) {
        let src = src.parse().expect("an address");
        let flow = FlowId(0);
        self.handle(Input::Message { flow, src, bytes });
    }

    /// The peer answers the last request of this method that was sent.
    pub(crate) fn respond(&mut self, code: u16, method: &str) {
        self.respond_with(code, method, "");
    }

    /// The same with more header lines, each ended by CR LF.
    pub(crate) fn respond_with(&mut self, code: u16, method: &str, more: &str) {
        let request = self.last_request(method).to_owned();
        self.deliver(&answer_to(&request, code, more));
    }

    /// The last request of this method that was sent.
    pub(crate) fn last_request(&self, method: &str) -> &str {
        let start = format!("{method} ");
        let found = self.sent.iter().rev().find(|s| s.text.starts_with(&start));
        &found.unwrap_or_else(|| panic!("no {method} was sent")).text
    }

    /// Ports for streams.
    pub(crate) fn give_ports(&mut self, ports: &[u16]) {
        self.handle(Input::Ports { ports });
    }

    /// What became of what the last call has asked of its media.
    pub(crate) fn media_verdict(&mut self, verdict: MediaVerdict) {
        let call = self.media_call.expect("a call has begun");
        self.handle(Input::Media { call, verdict });
    }

    /// An operator's wish.
    pub(crate) fn control(&mut self, control: CallControl) {
        self.handle(Input::Control(control));
    }

    /// Gives every call that asked for it a turn.
    pub(crate) fn resume(&mut self) {
        for call in core::mem::take(&mut self.yielded) {
            self.handle(Input::Resume { call });
        }
    }

    /// Lets time pass and fires what falls due.
    pub(crate) fn advance(&mut self, ms: u64) {
        let until = self.now.plus(Micros::from_ms(ms));
        while let Some((at, call, generation)) = self
            .deadlines
            .iter()
            .map(|(call, (at, generation))| (*at, *call, *generation))
            .min()
            .filter(|(at, ..)| *at <= until)
        {
            self.now = self.now.max(at);
            self.deadlines.remove(&call);
            self.handle(Input::Timer { call, generation });
        }
        self.now = until;
    }

    /// Summaries of what was sent since the last time this was asked.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let new = self.sent[self.taken..].iter();
        let summaries = new.map(|sent| summary(&sent.text)).collect();
        self.taken = self.sent.len();
        summaries
    }

    /// When what was sent since the last time went out, in ms.
    pub(crate) fn take_times(&mut self) -> Vec<u64> {
        let new = self.sent[self.taken..].iter();
        let times = new.map(|sent| sent.at.as_ms()).collect();
        self.taken = self.sent.len();
        times
    }

    /// The last message sent, as text.
    pub(crate) fn last(&self) -> &str {
        &self.sent.last().expect("something was sent").text
    }

    /// How the only call ended; `None` while it is open.
    pub(crate) fn end(&self) -> Option<CallEnd> {
        assert!(self.ends.len() < 2, "several calls ended: {:?}", self.ends);
        self.ends.first().copied()
    }

    /// Asserts that the only call succeeded.
    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert_eq!(self.end(), Some(CallEnd::Success), "{:?}", self.warnings);
    }

    /// Asserts that the only call failed for this reason.
    #[track_caller]
    pub(crate) fn assert_failure(&self, reason: FailReason) {
        assert_eq!(self.end(), Some(CallEnd::Failure(reason)));
    }

    /// Asserts that the only call is open.
    #[track_caller]
    pub(crate) fn assert_open(&self) {
        assert_eq!(self.end(), None, "{:?}", self.warnings);
        assert_eq!(self.open(), 1);
    }

    /// Number of open calls.
    pub(crate) fn open(&self) -> usize {
        self.engine.open_calls()
    }

    /// Whether the init section has not ended.
    pub(crate) fn is_starting(&self) -> bool {
        self.engine.is_starting()
    }

    /// Whether any call has a deadline.
    pub(crate) fn is_armed(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// Time since the start, in ms.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now.as_ms()
    }

    /// The injection files that actions have changed.
    pub(crate) fn edited_files(&self) -> Vec<Vec<u8>> {
        let files = self.engine.edited_files().into_iter();
        files.map(|file| file.expect("writable").bytes).collect()
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.out.clear();
        self.engine.handle(self.now, input, &mut self.out);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let out = core::mem::take(&mut self.out);
        let mut beside = false;
        for output in out.records() {
            let text = |range| String::from_utf8_lossy(out.bytes(range)).into_owned();
            match *output {
                Output::Send {
                    flow, to, bytes, ..
                } => self.sent.push(Sent {
                    at: self.now,
                    to,
                    flow,
                    text: text(bytes),
                }),
                Output::Open { call, to } => self.opens.push((call, to)),
                Output::Close { flow } => self.closed.push(flow),
                Output::Unfinished { flow, event } => self.unfinished.push((flow, event)),
                Output::Twin { call, peer, bytes } => {
                    let program = self.engine.image().program();
                    let name = |peer: gossipper_bytecode::PeerId| {
                        program.display(program.peers[peer.index()])
                    };
                    self.twin.push((peer.map(name), text(bytes)));
                    self.twin_call = call;
                }
                Output::Arm {
                    call,
                    at,
                    generation,
                } => {
                    self.deadlines.insert(call, (at, generation));
                }
                Output::Disarm { call } => {
                    self.deadlines.remove(&call);
                }
                Output::Ended { call, .. } => {
                    self.deadlines.remove(&call);
                    self.yielded.retain(|other| *other != call);
                }
                Output::Yield { call } => self.yielded.push(call),
                Output::Within { ms } => self.within.push(ms),
                Output::Beside { begins } => beside = begins,
                Output::Stat(event) => {
                    if beside {
                        self.beside.add(event);
                    } else {
                        self.tally.add(event);
                    }
                    self.events.push(event);
                    if let StatEvent::Ended { end, .. } = event {
                        self.ends.push(end);
                    }
                }
                Output::Log {
                    kind: LogKind::Action(_),
                    text: range,
                } => self.lines.push(text(range)),
                Output::Log {
                    kind: LogKind::Warning,
                    text: range,
                } => self.warnings.push(text(range)),
                Output::Exec { command } => self.commands.push(text(command)),
                Output::SwitchEcho { on } => self.echo.push(on),
                Output::MediaBegan {
                    call,
                    number,
                    ports,
                    ..
                } => {
                    self.media_call = Some(call);
                    self.media
                        .push(format!("call {number} {} {}", ports[0], ports[1]));
                }
                Output::Media {
                    action,
                    text: range,
                    ..
                } => {
                    let line = format!("action {} {}", action.0, text(range));
                    self.media.push(line.trim_end().to_owned());
                }
                Output::Sdp {
                    of, place, body, ..
                } => {
                    let role = match place {
                        SdpPlace::Request => "offers",
                        SdpPlace::Response | SdpPlace::Acknowledgement => "answers",
                    };
                    self.media.push(format!("{of:?} {role} {}", text(body)));
                }
                Output::About { call } => self.about.push(call),
                Output::StopGracefully => self.stops.push("gracefully"),
                Output::StopNow => self.stops.push("now"),
                Output::Fatal { text: range } => self.fatal = Some(text(range)),
            }
        }
        self.out = out;
        assert_eq!(
            self.tally.created,
            self.tally.ended() + self.open() as u64,
            "created = ended + open"
        );
    }
}
