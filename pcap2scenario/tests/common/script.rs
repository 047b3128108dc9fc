// SPDX-License-Identifier: AGPL-3.0-only
//! Captures out of scripts: a line per message, the rest as user agents write it.
//!
//! `> INVITE | sdp 4000 | X-Note: y` is a request of the caller, `< 200 | sdp 5000` a response of the callee to the last request
//! of the other side, `< 200/PRACK` one to the last PRACK. Parts behind `|`:
//!
//! | Part | Meaning |
//! | --- | --- |
//! | `@1500` | time in ms; without it 100 ms after the line before |
//! | `sdp 4000`, `held 4000`, `sdp 4000 8` | a description with this port, on hold, with this payload type |
//! | `tag x` | tag that the callee puts into To |
//! | `no tag` | no tag in To |
//! | `again` | the same bytes as the line with this first part had before |
//! | `Name: value` | a header |
//! | `body TYPE/SUB text` | a body; `\n` in it is CRLF |

use gossipper_capture::{Capture, Carrier, SipMessage};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Who talks, and under which Call-ID.
pub(crate) struct Talk {
    pub(crate) call_id: String,
    pub(crate) caller: SocketAddr,
    pub(crate) callee: SocketAddr,
    pub(crate) carrier: Carrier,
    pub(crate) user: String,
    pub(crate) start: Duration,
}

impl Talk {
    pub(crate) fn new(call_id: &str) -> Self {
        Self {
            call_id: call_id.to_owned(),
            caller: "10.0.0.1:5060".parse().expect("an address"),
            callee: "10.0.0.2:5080".parse().expect("an address"),
            carrier: Carrier::Udp,
            user: "alice".to_owned(),
            start: Duration::from_secs(1_700_000_000),
        }
    }

    /// The messages of a script.
    pub(crate) fn say(&self, script: &[&str]) -> Capture {
        let mut capture = Capture::default();
        self.add(&mut capture, script);
        capture
    }

    /// Adds the messages of a script to a capture.
    pub(crate) fn add(&self, capture: &mut Capture, script: &[&str]) {
        let mut state = State {
            talk: self,
            requests: Vec::new(),
            cseqs: [0, 100],
            tag: None,
            sent: HashMap::new(),
        };
        let mut time = 0;
        for line in script {
            let (arrow, rest) = line.split_once(' ').expect("an arrow and a message");
            let from_caller = arrow == ">";
            let mut parts = rest.split('|').map(str::trim);
            let what = parts.next().expect("a message");
            let parts: Vec<&str> = parts.collect();
            time += 100;
            for part in &parts {
                if let Some(at) = part.strip_prefix('@') {
                    time = at.parse().expect("a time");
                }
            }
            let key = format!("{arrow}{what}");
            let bytes = if parts.contains(&"again") {
                state.sent[&key].clone()
            } else {
                state.message(from_caller, what, &parts)
            };
            state.sent.insert(key, bytes.clone());
            let (source, destination) = if from_caller {
                (self.caller, self.callee)
            } else {
                (self.callee, self.caller)
            };
            capture.frames += 1;
            capture.messages.push(SipMessage {
                frame: capture.frames,
                time: self.start + Duration::from_millis(time),
                source,
                destination,
                carrier: self.carrier,
                bytes,
                truncated: false,
            });
        }
    }
}

struct Request {
    from_caller: bool,
    method: String,
    cseq: u32,
    branch: String,
    to_tag: String,
}

struct State<'a> {
    talk: &'a Talk,
    requests: Vec<Request>,
    cseqs: [u32; 2],
    tag: Option<String>,
    sent: HashMap<String, Vec<u8>>,
}

impl State<'_> {
    fn message(&mut self, from_caller: bool, what: &str, parts: &[&str]) -> Vec<u8> {
        let talk = self.talk;
        let asked = parts.iter().find_map(|part| part.strip_prefix("tag "));
        let (own, peer) = if from_caller {
            (talk.caller, talk.callee)
        } else {
            (talk.callee, talk.caller)
        };
        let is_response = what.as_bytes()[0].is_ascii_digit();
        let (first, request) = if is_response {
            let (code, method) = what.split_once('/').unwrap_or((what, ""));
            let mut requests = self.requests.iter().rev();
            let request = requests
                .find(|request| {
                    request.from_caller != from_caller
                        && request.method != "ACK"
                        && (method.is_empty() || method == request.method)
                })
                .expect("a request to answer");
            let mut to_tag = request.to_tag.clone();
            if to_tag.is_empty() && code != "100" && !parts.contains(&"no tag") {
                to_tag = asked.unwrap_or("callee-1").to_owned();
                self.tag = Some(to_tag.clone());
            }
            let answered = Request {
                to_tag,
                from_caller: request.from_caller,
                method: request.method.clone(),
                cseq: request.cseq,
                branch: request.branch.clone(),
            };
            (format!("SIP/2.0 {code} {}", reason(code)), answered)
        } else {
            let side = usize::from(!from_caller);
            let is_new = what != "ACK" && what != "CANCEL";
            if is_new {
                self.cseqs[side] += 1;
            }
            let invite =
                self.requests.iter().rev().find(|request| {
                    request.from_caller == from_caller && request.method == "INVITE"
                });
            let cseq = match invite {
                Some(invite) if !is_new => invite.cseq,
                _ => self.cseqs[side],
            };
            let branch = match invite {
                Some(invite) if what == "CANCEL" => invite.branch.clone(),
                _ => format!("z9hG4bK-{}-{}", talk.call_id, self.requests.len()),
            };
            let to_tag = match (&self.tag, from_caller) {
                _ if what == "CANCEL" || parts.contains(&"no tag") => String::new(),
                (_, false) => "caller-1".to_owned(),
                (Some(tag), true) => asked.unwrap_or(tag).to_owned(),
                (None, true) => String::new(),
            };
            let request = Request {
                from_caller,
                method: what.to_owned(),
                cseq,
                branch,
                to_tag,
            };
            let again = Request {
                to_tag: request.to_tag.clone(),
                branch: request.branch.clone(),
                method: request.method.clone(),
                ..request
            };
            self.requests.push(again);
            (format!("{what} sip:bob@{peer} SIP/2.0"), request)
        };
        let by_caller = request.from_caller;
        let tagged = |tag: &str| match tag {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        let own_tag = if by_caller {
            "caller-1".to_owned()
        } else {
            self.tag.clone().unwrap_or_else(|| "callee-1".to_owned())
        };
        let (from, to) = if by_caller {
            (
                format!("\"Alice\" <sip:{}@{}>", talk.user, talk.caller.ip()),
                "Bob <sip:bob@example.com>".to_owned(),
            )
        } else {
            (
                "Bob <sip:bob@example.com>".to_owned(),
                format!("\"Alice\" <sip:{}@{}>", talk.user, talk.caller.ip()),
            )
        };
        let via = if by_caller { talk.caller } else { talk.callee };
        let mut text = format!(
            "{first}\r\nVia: SIP/2.0/UDP {via};branch={}\r\nFrom: {from}{}\r\nTo: {to}{}\r\n\
             Call-ID: {}\r\nCSeq: {} {}\r\n",
            request.branch,
            tagged(&own_tag),
            tagged(&request.to_tag),
            talk.call_id,
            request.cseq,
            request.method
        );
        if !is_response {
            text.push_str("Max-Forwards: 70\r\n");
        }
        let given = |name: &str| parts.iter().any(|part| part.starts_with(name));
        let wants_contact = !matches!(request.method.as_str(), "BYE" | "CANCEL" | "ACK")
            && !given("Contact:")
            && (!is_response || what.starts_with('2') || what.starts_with("18"));
        if wants_contact {
            text.push_str(&format!("Contact: <sip:me@{own}>\r\n"));
        }
        let mut body = String::new();
        for part in parts {
            let mut words = part.split(' ');
            match words.next().expect("a word") {
                kind @ ("sdp" | "held") => {
                    let port = words.next().expect("a port");
                    let payload = words.next().unwrap_or("0");
                    let direction = if kind == "held" { "a=sendonly\r\n" } else { "" };
                    text.push_str("Content-Type: application/sdp\r\n");
                    body = format!(
                        "v=0\r\no=me 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
                         m=audio {port} RTP/AVP {payload} 101\r\na=rtpmap:101 telephone-event/8000\r\n{direction}",
                        ip = own.ip()
                    );
                }
                "body" => {
                    let kind = words.next().expect("a type");
                    text.push_str(&format!("Content-Type: {kind}\r\n"));
                    body = words.collect::<Vec<_>>().join(" ").replace("\\n", "\r\n");
                }
                name if name.ends_with(':') => {
                    text.push_str(part);
                    text.push_str("\r\n");
                }
                _ => {}
            }
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        text.into_bytes()
    }
}

fn reason(code: &str) -> &'static str {
    match code {
        "100" => "Trying",
        "180" => "Ringing",
        "200" => "OK",
        "401" => "Unauthorized",
        "486" => "Busy Here",
        "487" => "Request Terminated",
        _ => "Some Reason",
    }
}
