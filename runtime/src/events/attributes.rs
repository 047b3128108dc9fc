// SPDX-License-Identifier: AGPL-3.0-only
//! The names and values of an event: what every sink says of it, each in its own form.
//!
//! Attributes are given in the order of their names.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use gossipper_bytecode::{Mode, Program, StepId, StepKind};
use gossipper_otlp::{Attributes, Value};
use gossipper_vm::CallEnd;

use super::auth;
use super::record::{Record, What};
use crate::logs::headers;
use crate::transport::resolve::local_ip_towards;

/// Addresses whose text is remembered.
const REMEMBERED: usize = 16;

/// What a sink does with an attribute.
pub(super) trait Put {
    fn put(&mut self, key: &'static str, value: Value<'_>);

    fn text(&mut self, key: &'static str, value: &[u8]) {
        self.put(key, Value::Text(value));
    }

    fn int(&mut self, key: &'static str, value: u64) {
        self.put(key, Value::Int(i64::try_from(value).unwrap_or(i64::MAX)));
    }
}

impl Put for Attributes<'_> {
    fn put(&mut self, key: &'static str, value: Value<'_>) {
        Attributes::put(self, key, value);
    }
}

/// What is known of a step.
#[derive(Debug)]
struct Waiting {
    /// What it waits for.
    expected: String,
    source: &'static str,
    timeout_ms: u32,
}

/// What there is to know of a scenario.
#[derive(Debug)]
pub(crate) struct Scene {
    steps: Vec<Waiting>,
    transport: &'static str,
    pub(super) role: &'static str,
}

impl Scene {
    pub(super) fn new(program: &Program, recv_timeout_ms: u32, transport: &'static str) -> Self {
        let steps = program.steps.iter().enumerate().map(|(index, step)| {
            let recvs = step
                .set
                .forward()
                .filter_map(|id| program.recvs.get(id.index()));
            let names: Vec<String> = recvs.map(|recv| program.display(recv.name)).collect();
            let own = program.recvs.iter().find(|recv| recv.step.index() == index);
            let own_ms = own.and_then(|recv| recv.timeout_ms);
            Waiting {
                expected: match step.kind {
                    StepKind::Recv if !names.is_empty() => names.join(" or "),
                    StepKind::Recv | StepKind::Send => program.display(step.name),
                    StepKind::RecvCmd => "a command".to_owned(),
                    StepKind::Pause | StepKind::Timewait | StepKind::Nop | StepKind::SendCmd => {
                        "nothing".to_owned()
                    }
                },
                source: match step.kind {
                    StepKind::RecvCmd => "cmd.recv",
                    StepKind::Send => "sip.send",
                    StepKind::Recv
                    | StepKind::Pause
                    | StepKind::Timewait
                    | StepKind::Nop
                    | StepKind::SendCmd => "sip.recv",
                },
                timeout_ms: match step.kind {
                    StepKind::Recv => own_ms.unwrap_or(recv_timeout_ms),
                    StepKind::RecvCmd => recv_timeout_ms,
                    StepKind::Send
                    | StepKind::Pause
                    | StepKind::Timewait
                    | StepKind::Nop
                    | StepKind::SendCmd => 0,
                },
            }
        });
        Self {
            steps: steps.collect(),
            transport,
            role: match program.mode() {
                Mode::Client => "client",
                Mode::Server => "server",
            },
        }
    }

    fn expected(&self, step: StepId) -> &[u8] {
        self.steps
            .get(step.index())
            .map_or(&b""[..], |step| step.expected.as_bytes())
    }
}

/// Texts of addresses.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    texts: Vec<(IpAddr, String)>,
    /// Our address towards a peer, for sockets that are bound to none.
    ways: Vec<(IpAddr, IpAddr)>,
}

impl Addresses {
    fn text(&mut self, ip: IpAddr) -> &[u8] {
        let place = self.texts.iter().position(|(known, _)| *known == ip);
        let place = place.unwrap_or_else(|| {
            if self.texts.len() == REMEMBERED {
                self.texts.remove(0);
            }
            self.texts.push((ip, ip.to_string()));
            self.texts.len() - 1
        });
        self.texts[place].1.as_bytes()
    }

    /// Our end as the peer sees it.
    fn own(&mut self, local: SocketAddr, remote: SocketAddr) -> IpAddr {
        if !local.ip().is_unspecified() {
            return local.ip();
        }
        let peer = remote.ip();
        if let Some((_, own)) = self.ways.iter().find(|(known, _)| *known == peer) {
            return *own;
        }
        let own = local_ip_towards(remote).unwrap_or_else(|_| local.ip());
        if self.ways.len() == REMEMBERED {
            self.ways.remove(0);
        }
        self.ways.push((peer, own));
        own
    }
}

/// An event with what stands with it.
pub(super) struct Event<'a> {
    pub(super) record: &'a Record,
    pub(super) call_id: &'a [u8],
    pub(super) text: &'a [u8],
}

impl Event<'_> {
    pub(super) const fn kind(&self) -> &'static str {
        match self.record.what {
            What::EngineStarted { .. } => "engine.started",
            What::EngineStopped { .. } => "engine.stopped",
            What::CallStarted { .. } | What::CallStartedSilent => "call.started",
            What::CallEnded { .. } => "call.ended",
            What::Message { sent: true, .. } => "sip.send",
            What::Message { sent: false, .. } => "sip.recv",
            What::Unexpected { .. } => "sip.unexpected",
            What::Auth { .. } => "auth",
            What::TimedOut { .. } => "timeout",
            What::Action { .. } => "action.log",
            What::Error { .. } => "error",
            What::Mailbox => "mailbox.drop",
            What::CseqMismatch { .. } => "cseq.mismatch",
        }
    }

    /// The event in a few words.
    pub(super) fn message(&self) -> &[u8] {
        match self.record.what {
            What::EngineStarted { .. } => b"the run begins",
            What::EngineStopped { .. } => b"the run is over",
            What::CallStarted { .. } | What::CallStartedSilent => b"a call begins",
            What::CallEnded { end, .. } => match end {
                CallEnd::Success => b"a call ends",
                CallEnd::Failure(_) => b"a call fails",
            },
            What::Message { .. } | What::Unexpected { .. } => headers::start_line(self.text),
            What::Auth { .. } => b"credentials",
            What::TimedOut { .. } => b"a time is over",
            What::Action { .. } | What::Error { .. } => self.text,
            What::Mailbox => b"a message is dropped: the shard that owns its call does not keep up",
            What::CseqMismatch { .. } => b"a response to another request than the last",
        }
    }

    /// Gives the attributes away.
    pub(super) fn attributes(&self, scene: &Scene, addresses: &mut Addresses, out: &mut impl Put) {
        match self.record.what {
            What::EngineStarted { total, rate } => {
                let mut text = String::new();
                // Texts take what they are given.
                let _ = write!(text, "{rate}");
                out.text("rate", text.as_bytes());
                out.int("total_calls", total.unwrap_or(0));
            }
            What::EngineStopped { totals, dropped } => {
                out.int("dropped_logs", dropped);
                out.int("failed", totals.failed);
                out.int("successful", totals.successful);
                out.int("total_calls", totals.calls);
            }
            What::CallStarted { local, remote } => {
                self.call(out);
                let own = addresses.own(local, remote);
                out.text("local_ip", addresses.text(own));
                out.int("local_port", local.port().into());
                out.text("remote_ip", addresses.text(remote.ip()));
                out.int("remote_port", remote.port().into());
                out.text("transport", scene.transport.as_bytes());
            }
            What::CallStartedSilent => {
                self.call(out);
                out.text("transport", scene.transport.as_bytes());
            }
            What::CallEnded { end, length } => {
                self.call(out);
                out.int("duration_ms", length.0 / 1000);
                let failed = match end {
                    CallEnd::Success => None,
                    CallEnd::Failure(reason) => Some(reason),
                };
                if let Some(reason) = failed {
                    out.text("error", reason.class().as_bytes());
                    out.text("error.detail", reason.text().as_bytes());
                }
                let result = if failed.is_none() {
                    "success"
                } else {
                    "failure"
                };
                out.text("result", result.as_bytes());
            }
            What::Message {
                sent,
                whole,
                local,
                remote,
            } => {
                self.call(out);
                let own = addresses.own(local, remote);
                let (own, peer) = ((own, local.port()), (remote.ip(), remote.port()));
                let (from, to) = if sent { (own, peer) } else { (peer, own) };
                out.text("dst_ip", addresses.text(to.0));
                out.int("dst_port", to.1.into());
                if whole {
                    out.text("sip.message", self.text);
                }
                self.start_line(out);
                out.text("src_ip", addresses.text(from.0));
                out.int("src_port", from.1.into());
                out.text("transport", scene.transport.as_bytes());
            }
            What::Unexpected { step } => {
                self.call(out);
                out.text("expected", scene.expected(step));
                self.start_line(out);
            }
            What::Auth { status, result } => {
                let get = |name| auth::parameter(self.text, name);
                if let Some(algorithm) = get("algorithm") {
                    out.text("algorithm", algorithm);
                }
                self.call(out);
                out.int("challenge.status", status.into());
                if let Some(qop) = get("qop") {
                    out.text("qop", qop);
                }
                if let Some(realm) = get("realm") {
                    out.text("realm", realm);
                }
                out.text("result", result.name().as_bytes());
                if let Some(username) = get("username") {
                    out.text("username", username);
                }
            }
            What::TimedOut { step } => {
                self.call(out);
                out.int(
                    "command.index",
                    u64::try_from(step.index()).unwrap_or(u64::MAX),
                );
                if let Some(step) = scene.steps.get(step.index()) {
                    out.text("expected", step.expected.as_bytes());
                    out.text("source", step.source.as_bytes());
                    // Of a message that was repeated in vain there is no one time.
                    if step.timeout_ms > 0 {
                        let ms = u64::from(step.timeout_ms);
                        out.int("timeout_ms", ms);
                        out.int("timeout_ns", ms * 1_000_000);
                    }
                }
            }
            What::Action { .. } => self.call(out),
            What::Error { kind } => {
                self.call(out);
                out.text("error.kind", kind.as_bytes());
            }
            What::Mailbox => {}
            What::CseqMismatch {
                code,
                expected,
                cseq_len,
            } => {
                self.call(out);
                let cseq_len = usize::from(cseq_len).min(self.text.len());
                let (cseq, method) = self.text.split_at(cseq_len);
                out.int("expected_cseq", expected.into());
                out.text("in_cseq", cseq);
                out.text("last_request_method", method);
                out.int("recv_response", code.into());
            }
        }
    }

    fn call(&self, out: &mut impl Put) {
        if !self.call_id.is_empty() {
            out.text("call_id", self.call_id);
        }
        if self.record.call != 0 {
            out.int("call_num", self.record.call);
        }
    }

    fn start_line(&self, out: &mut impl Put) {
        let line = headers::start_line(self.text);
        match line.strip_prefix(b"SIP/2.0 ") {
            Some(rest) => {
                let (code, reason) = rest.split_at(rest.len().min(3));
                out.text("sip.reason", reason.trim_ascii_start());
                let code = str::from_utf8(code).ok().and_then(|code| code.parse().ok());
                out.int("sip.status", code.unwrap_or(0));
            }
            None => {
                let method = line.split(|byte| *byte == b' ').next();
                out.text("sip.method", method.unwrap_or_default());
            }
        }
    }
}
