// SPDX-License-Identifier: AGPL-3.0-only
//! The trace of a simulated run: one line per input, with the orders that followed.
//!
//! Branches and tags are numbered in the order they appear (`B1`, `T1`), so that a trace depends on the rules alone.

use gossipper_sip::{HeaderName, Message, StartLine};
use gossipper_vm::{Input, LogKind, Micros, OutBuf, Output, StatEvent};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Writes a trace.
#[derive(Debug, Default)]
pub struct Trace {
    text: String,
    branches: HashMap<Vec<u8>, usize>,
    tags: HashMap<Vec<u8>, usize>,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds one input of a node and what followed from it.
    pub fn step(&mut self, now: Micros, node: &str, input: &Input<'_>, out: &OutBuf) {
        let input = self.input(input);
        let _ = write!(self.text, "{now} {node} < {input}");
        for output in out.records() {
            if let Some(order) = self.output(output, out) {
                let _ = write!(self.text, "   > {order}");
            }
        }
        self.text.push('\n');
    }

    fn input(&mut self, input: &Input<'_>) -> String {
        match input {
            Input::Spawn { due, .. } => format!("spawn due {due}"),
            Input::Open { number, due } => format!("open {number} due {due}"),
            Input::Message { bytes, .. } => format!("recv {}", self.message(bytes)),
            Input::Timer { .. } => "timer".to_owned(),
            Input::Resume { .. } => "resume".to_owned(),
            Input::Twin { bytes } => format!("command {}", first_line(bytes)),
            Input::TwinFailed { .. } => "command failed".to_owned(),
            Input::Unsent { why, .. } => format!("unsent {why:?}"),
            Input::Opened { flow, .. } => format!("opened {}", flow.0),
            Input::Flow { flow, event } => format!("flow {} {event:?}", flow.0),
            Input::Ports { ports } => format!("ports {ports:?}"),
            Input::Media { verdict, .. } => format!("media {verdict:?}"),
            Input::Control(control) => format!("{control:?}"),
        }
    }

    fn output(&mut self, output: &Output, out: &OutBuf) -> Option<String> {
        Some(match output {
            Output::About { .. } | Output::Beside { .. } | Output::Within { .. } => return None,
            Output::Send { bytes, .. } => format!("send {}", self.message(out.bytes(*bytes))),
            Output::Open { to, .. } => format!("open {to}"),
            Output::Close { flow } => format!("close {}", flow.0),
            Output::Unfinished { flow, event } => format!("unfinished {} {event:?}", flow.0),
            Output::Twin { bytes, .. } => format!("command {}", first_line(out.bytes(*bytes))),
            Output::Arm { at, .. } => format!("arm {at}"),
            Output::Disarm { .. } => "disarm".to_owned(),
            Output::Stat(event) => match event {
                StatEvent::Sent { .. } | StatEvent::Received { .. } => return None,
                other => format!("stat {other:?}"),
            },
            Output::Log { kind, text } => {
                let text = String::from_utf8_lossy(out.bytes(*text));
                let line = text.lines().next().unwrap_or_default().to_owned();
                match kind {
                    LogKind::Action(level) => format!("{level:?} {line:?}"),
                    LogKind::Warning => format!("warn {line:?}"),
                }
            }
            Output::Exec { command } => {
                format!("exec {:?}", String::from_utf8_lossy(out.bytes(*command)))
            }
            Output::SwitchEcho { on } => format!("echo {on}"),
            Output::MediaBegan { ports, .. } => format!("media {ports:?}"),
            Output::Media { action, .. } => format!("media action {}", action.0),
            Output::Sdp { of, .. } => format!("sdp of {of:?}"),
            Output::Yield { .. } => "yield".to_owned(),
            Output::Ended { .. } => return None,
            Output::StopGracefully => "stop gracefully".to_owned(),
            Output::StopNow => "stop now".to_owned(),
            Output::Fatal { text } => {
                format!("fatal {:?}", String::from_utf8_lossy(out.bytes(*text)))
            }
        })
    }

    fn message(&mut self, bytes: &[u8]) -> String {
        let Ok(msg) = Message::parse(bytes) else {
            return format!("{} bytes that are not SIP", bytes.len());
        };
        let mut line = match msg.start() {
            StartLine::Request { method, .. } => String::from_utf8_lossy(method).into_owned(),
            StartLine::Status { code, .. } => code.0.to_string(),
        };
        if let Some(cseq) = msg.cseq() {
            if !msg.is_request() {
                let _ = write!(line, " {}", String::from_utf8_lossy(cseq.method));
            }
            let _ = write!(line, " cseq {}", cseq.number);
        }
        if let Some(branch) = msg.top_via_branch() {
            let n = number(&mut self.branches, branch);
            let _ = write!(line, " branch B{n}");
        }
        if let Some(tag) = msg.to_tag() {
            let n = number(&mut self.tags, tag);
            let _ = write!(line, " to T{n}");
        }
        if msg.has(HeaderName::Route) {
            line.push_str(" route");
        }
        line
    }
}

fn number(known: &mut HashMap<Vec<u8>, usize>, id: &[u8]) -> usize {
    let next = known.len() + 1;
    *known.entry(id.to_vec()).or_insert(next)
}

fn first_line(command: &[u8]) -> String {
    let text = String::from_utf8_lossy(command);
    format!("{:?}", text.lines().next().unwrap_or_default())
}
