// SPDX-License-Identifier: AGPL-3.0-only
//! A plan as a SIPp scenario.
//!
//! Only what SIPp 3.6.1 reads is written. The mirror keeps the headers of a request in variables where another message
//! comes before its answer. It ends with a long `timewait`, and is to be run without SIPp's automatic behaviour, so
//! that nothing of its own gets into the conversation: whoever runs it ends it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::plan::{Dialog, Move, Plan, Wanted};
use crate::sipp_cases::Role;

/// What a mirror waits longer than the scenario pauses.
const SLACK_MS: u64 = 100;

/// How long an ended call of a mirror stays, longer than any run.
const LINGER_MS: u64 = 120_000;

/// The headers of a request that are kept, and the name of the variable for each.
const KEPT: &[(&str, &str)] = &[
    ("Via:", "via"),
    ("From:", "from"),
    ("To:", "to"),
    ("CSeq:", "cseq"),
];

const OUR_TAG: &str = "[pid]SIPpTag01[call_number]";

/// Writes the scenario.
#[must_use]
pub fn xml(plan: &Plan) -> String {
    let mut writer = Writer {
        role: plan.role,
        verified: plan.verified,
        out: String::from(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"mirror\">\n",
        ),
        index: 0,
        variables: BTreeSet::new(),
        cseq: 0,
        invite_cseq: 1,
        invite_index: 0,
        heard: false,
    };
    for (at, one) in plan.moves.iter().enumerate() {
        writer.write(one, &plan.moves[at + 1..]);
    }
    let _ = writeln!(writer.out, "<timewait milliseconds=\"{LINGER_MS}\"/>");
    if !writer.variables.is_empty() {
        let names: Vec<&str> = writer.variables.iter().map(String::as_str).collect();
        let _ = writeln!(writer.out, "<Reference variables=\"{}\"/>", names.join(","));
    }
    writer.out.push_str("</scenario>\n");
    writer.out
}

struct Writer {
    role: Role,
    verified: bool,
    out: String,
    /// Index of the next element.
    index: usize,
    variables: BTreeSet<String>,
    /// Number of our last request.
    cseq: u32,
    invite_cseq: u32,
    /// Index of the element of our last INVITE.
    invite_index: usize,
    /// Has anything been received?
    heard: bool,
}

impl Writer {
    fn write(&mut self, one: &Move, rest: &[Move]) {
        match one {
            Move::Wait { milliseconds } => {
                let milliseconds = milliseconds + SLACK_MS;
                let _ = writeln!(self.out, "<pause milliseconds=\"{milliseconds}\"/>");
            }
            Move::ExpectRequest {
                method,
                slot,
                optional,
                kept,
            } => {
                if *optional && !a_mandatory_one_follows(rest) {
                    return;
                }
                self.heard = true;
                let _ = match method {
                    Some(method) => write!(self.out, "<recv request=\"{method}\""),
                    None => write!(self.out, "<recv request=\".*\" regexp_match=\"true\""),
                };
                if *optional {
                    self.out.push_str(" optional=\"true\"");
                }
                if *kept {
                    self.keep(*slot);
                } else {
                    self.out.push_str("/>\n");
                }
            }
            Move::ExpectResponse { code, optional } => {
                if *optional && !a_mandatory_one_follows(rest) {
                    return;
                }
                self.heard = true;
                let _ = write!(self.out, "<recv response=\"{code}\"");
                if *optional {
                    self.out.push_str(" optional=\"true\"");
                }
                if self.verified && matches!(code, 401 | 407) {
                    self.out.push_str(" auth=\"true\"");
                }
                self.out.push_str("/>\n");
            }
            Move::Answer {
                code,
                slot,
                method,
                latest,
                tagged,
                wanted,
            } => {
                self.answer(*code, (!latest).then_some(*slot), method, *tagged, wanted);
            }
            Move::Request {
                method,
                dialog,
                answers_challenge,
                wanted,
            } => {
                self.request(method, *dialog, *answers_challenge, wanted);
            }
        }
        self.index += 1;
    }

    fn keep(&mut self, slot: usize) {
        self.out.push_str("><action>\n");
        for (header, name) in KEPT {
            let variable = format!("{name}{slot}");
            let _ = writeln!(
                self.out,
                "<ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}\" start_line=\"true\" assign_to=\"{variable}\"/>"
            );
            self.variables.insert(variable);
        }
        self.out.push_str("</action></recv>\n");
    }

    fn answer(
        &mut self,
        code: u16,
        kept: Option<usize>,
        method: &str,
        tagged: bool,
        wanted: &Wanted,
    ) {
        let mut lines = vec![format!("SIP/2.0 {code} {}", reason(code))];
        let tag = if tagged || code == 100 {
            String::new()
        } else {
            format!(";tag={OUR_TAG}")
        };
        match kept {
            None => lines.extend([
                "[last_Via:]".to_owned(),
                "[last_From:]".to_owned(),
                format!("[last_To:]{tag}"),
                "[last_Call-ID:]".to_owned(),
                "[last_CSeq:]".to_owned(),
            ]),
            Some(slot) => lines.extend([
                format!("Via:[$via{slot}]"),
                format!("From:[$from{slot}]"),
                format!("To:[$to{slot}]{tag}"),
                "[last_Call-ID:]".to_owned(),
                format!("CSeq:[$cseq{slot}]"),
            ]),
        }
        if code > 100 {
            lines.push(self.contact());
        }
        match code {
            401 => lines.push(format!("WWW-Authenticate: {CHALLENGE}")),
            407 => lines.push(format!("Proxy-Authenticate: {CHALLENGE}")),
            200..300 if matches!(method, "REGISTER" | "SUBSCRIBE" | "PUBLISH") => {
                lines.push("Expires: 300".to_owned());
            }
            423 => lines.push("Min-Expires: 600".to_owned()),
            _ => {}
        }
        if method == "PUBLISH" && code == 200 {
            lines.push("SIP-ETag: mirror1".to_owned());
        }
        let sdp = method == "INVITE" && (matches!(code, 183) || (200..300).contains(&code));
        self.send(lines, wanted, sdp);
    }

    fn contact(&self) -> String {
        "Contact: <sip:mirror@[local_ip]:[local_port];transport=[transport]>".to_owned()
    }

    fn request(
        &mut self,
        method: &str,
        dialog: Option<Dialog>,
        challenge: Option<u16>,
        wanted: &Wanted,
    ) {
        let mut branch = "[branch]".to_owned();
        match method {
            "ACK" => {}
            "CANCEL" => {
                let offset = self.index.saturating_sub(self.invite_index);
                if offset > 0 {
                    branch = format!("[branch-{offset}]");
                }
            }
            _ => self.cseq += 1,
        }
        if method == "INVITE" {
            (self.invite_cseq, self.invite_index) = (self.cseq, self.index);
        }
        let cseq = if matches!(method, "ACK" | "CANCEL") {
            self.invite_cseq
        } else {
            self.cseq
        };
        let (from, to) = match dialog {
            Some(dialog) => {
                let tag = if dialog.tagged {
                    String::new()
                } else {
                    format!(";tag={OUR_TAG}")
                };
                (
                    format!("From:[$to{}]{tag}", dialog.slot),
                    format!("To:[$from{}]", dialog.slot),
                )
            }
            None => {
                let to = if method == "REGISTER" {
                    "mirror"
                } else {
                    "[service]"
                };
                (
                    "From: \"Mirror\" <sip:mirror@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]".to_owned(),
                    format!("To: <sip:{to}@[remote_ip]:[remote_port]>[peer_tag_param]"),
                )
            }
        };
        let call_id = if self.role == Role::Server {
            "[last_Call-ID:]"
        } else {
            "Call-ID: [call_id]"
        };
        let mut lines = vec![
            format!("{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0"),
            format!("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}"),
            from,
            to,
            call_id.to_owned(),
            format!("CSeq: {cseq} {method}"),
            self.contact(),
            "Max-Forwards: 70".to_owned(),
        ];
        match challenge {
            // SIPp ends its run at a challenge that it cannot read, and scenarios send such ones.
            Some(_) if self.verified => {
                lines.push("[authentication username=mirror password=mirror]".to_owned());
            }
            Some(407) => lines.push(format!("Proxy-Authorization: {ANSWER}")),
            Some(_) => lines.push(format!("Authorization: {ANSWER}")),
            None => {}
        }
        lines.extend(special_headers(method, self.invite_cseq));
        self.send(lines, wanted, method == "INVITE");
    }

    fn send(&mut self, mut lines: Vec<String>, wanted: &Wanted, sdp: bool) {
        let mut body: Vec<String> = Vec::new();
        if sdp {
            lines.push("Content-Type: application/sdp".to_owned());
            body.extend(SDP.iter().map(|line| (*line).to_owned()));
        }
        body.extend(wanted.body.iter().cloned());
        // What the scenario looks for goes before what the mirror would say by itself.
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        let names: Vec<String> = wanted.headers.iter().map(|line| name(line)).collect();
        lines.retain(|line| {
            !names
                .iter()
                .any(|other| name(line).eq_ignore_ascii_case(other))
        });
        lines.extend(wanted.headers.iter().cloned());
        if body.is_empty()
            && names
                .iter()
                .any(|name| name.eq_ignore_ascii_case("Content-Type"))
        {
            body.push("mirror".to_owned());
        }
        lines.push(if body.is_empty() {
            "Content-Length: 0".to_owned()
        } else {
            "Content-Length: [len]".to_owned()
        });
        lines.push(String::new());
        lines.extend(body);
        let _ = write!(
            self.out,
            "<send><![CDATA[\n\n{}\n\n]]></send>\n",
            lines.join("\n")
        );
    }
}

/// The rest of the scenario up to the next thing the mirror does itself holds a message that must come.
fn a_mandatory_one_follows(rest: &[Move]) -> bool {
    rest.iter()
        .map_while(|one| match one {
            Move::ExpectRequest { optional, .. } | Move::ExpectResponse { optional, .. } => {
                Some(!optional)
            }
            _ => None,
        })
        .any(|mandatory| mandatory)
}

const CHALLENGE: &str = "Digest realm=\"mirror.example.com\", nonce=\"5f2c8d1e\", algorithm=MD5";

/// An answer for servers that do not look at it closely.
const ANSWER: &str = "Digest username=\"mirror\", realm=\"mirror.example.com\", nonce=\"5f2c8d1e\", \
    uri=\"sip:mirror.example.com\", response=\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\", algorithm=MD5";

const SDP: &[&str] = &[
    "v=0",
    "o=mirror 53655765 2353687637 IN IP[local_ip_type] [local_ip]",
    "s=-",
    "c=IN IP[local_ip_type] [local_ip]",
    "t=0 0",
    "m=audio 40000 RTP/AVP 0 8 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=sendrecv",
];

/// Headers without which a request of this method makes no sense.
fn special_headers(method: &str, invite_cseq: u32) -> Vec<String> {
    let lines: &[&str] = match method {
        "NOTIFY" => &["Event: presence", "Subscription-State: active;expires=300"],
        "SUBSCRIBE" => &["Event: presence", "Expires: 300"],
        "PUBLISH" => &["Event: presence", "Expires: 300"],
        "REGISTER" => &["Expires: 300"],
        "REFER" => &["Refer-To: <sip:other@[remote_ip]:[remote_port]>"],
        "PRACK" => return vec![format!("RAck: 1 {invite_cseq} INVITE")],
        _ => &[],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn reason(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        480 => "Temporarily Unavailable",
        486 => "Busy Here",
        487 => "Request Terminated",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Answer",
    }
}
