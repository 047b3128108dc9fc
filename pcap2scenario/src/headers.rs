// SPDX-License-Identifier: AGPL-3.0-only
//! Messages of a side as text with keywords: what belongs to a call or a run is put in anew, the rest is as captured.

use crate::body;
use crate::calls::Event;
use crate::credentials::{Credentials, credentials};
use crate::message::{Header, Msg};
use crate::scenario::Saved;
use crate::side::{Role, Side};
use crate::text::{INDENT, Rules, append, append_plain, line};
use gossipper_sip::{HeaderName, NameAddr, SipUri};

/// Requests whose URI is that of who is called in this run.
const TO_SERVICE: [&str; 5] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"];

/// A message that grows line by line.
struct Text(String);

impl Text {
    fn new(first: &str) -> Self {
        let mut text = Self(String::new());
        text.line(first);
        text
    }

    fn line(&mut self, content: &str) {
        self.0.push_str(INDENT);
        self.0.push_str(&line(content));
        self.0.push('\n');
    }

    fn header(&mut self, name: &str, value: &str) {
        let separator = if value.is_empty() { ":" } else { ": " };
        self.line(&format!("{name}{separator}{value}"));
    }

    fn finish(mut self, body: &str) -> String {
        if !body.is_empty() {
            self.0.push('\n');
            self.0.push_str(body);
        }
        self.0
    }
}

fn templated(bytes: &[u8], rules: &Rules) -> String {
    let mut out = String::new();
    append(&mut out, bytes, rules);
    out
}

fn plain(bytes: &[u8]) -> String {
    let mut out = String::new();
    append_plain(&mut out, bytes);
    out
}

/// A URI whose host is this side, or whoever this side calls.
fn uri_at(uri: &[u8], host: &str, user: Option<&str>, rules: &Rules) -> Option<String> {
    let parts = SipUri::parse(uri)?;
    if !parts.scheme.eq_ignore_ascii_case(b"sip") && !parts.scheme.eq_ignore_ascii_case(b"sips") {
        return None;
    }
    let mut out = plain(parts.scheme);
    out.push(':');
    if let Some(captured) = parts.user {
        match user {
            Some(user) => out.push_str(user),
            None => append(&mut out, captured, rules),
        }
        if let Some(password) = parts.password.filter(|_| user.is_none()) {
            out.push(':');
            append_plain(&mut out, password);
        }
        out.push('@');
    }
    out.push_str(host);
    for param in parts.params.split(|byte| *byte == b';') {
        if param.is_empty() {
            continue;
        }
        out.push(';');
        if param
            .get(..10)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"transport="))
        {
            out.push_str("transport=[transport]");
        } else {
            append(&mut out, param, rules);
        }
    }
    if !parts.headers.is_empty() {
        out.push('?');
        append(&mut out, parts.headers, rules);
    }
    Some(out)
}

/// From or To with another tag, or with none; its parameters but for the tag are kept.
fn with_tag(value: &[u8], tag: &str, rules: &Rules) -> String {
    let address = NameAddr::parse(value);
    let mut out = String::new();
    let is_bracketed = value.contains(&b'<');
    if is_bracketed {
        if !address.display.is_empty() {
            append(&mut out, address.display, rules);
            out.push(' ');
        }
        out.push('<');
        append(&mut out, address.uri, rules);
        out.push('>');
    } else {
        append(&mut out, address.uri, rules);
    }
    for param in address.params.split(|byte| *byte == b';') {
        let param = param.trim_ascii();
        let is_tag = param.len() >= 3
            && param[..3].eq_ignore_ascii_case(b"tag")
            && param[3..]
                .trim_ascii_start()
                .first()
                .is_none_or(|byte| *byte == b'=');
        if !param.is_empty() && !is_tag {
            out.push(';');
            append(&mut out, param, rules);
        }
    }
    out.push_str(tag);
    out
}

/// A Contact of this side: where this run can be reached.
fn contact(value: &[u8], rules: &Rules) -> String {
    if value.trim_ascii() == b"*" {
        return "*".to_owned();
    }
    let mut out = String::new();
    for (index, item) in gossipper_sip::split_header_list(value).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        let address = NameAddr::parse(item);
        let Some(uri) = uri_at(address.uri, "[local_ip]:[local_port]", None, rules) else {
            append(&mut out, item, rules);
            continue;
        };
        if !address.display.is_empty() {
            append(&mut out, address.display, rules);
            out.push(' ');
        }
        out.push('<');
        out.push_str(&uri);
        out.push('>');
        if !address.params.is_empty() {
            out.push(';');
            append(&mut out, address.params, rules);
        }
    }
    out
}

/// The name of a header as it is written; compact forms of what is put in anew become long.
fn name_of(header: &Header) -> String {
    let compact = header.raw.len() == 1 && header.name != HeaderName::Other;
    if compact {
        header.name.as_str().to_owned()
    } else {
        plain(&header.raw)
    }
}

/// Content-Length of a message that had none, or the captured one replaced.
fn length(text: &mut Text, body: &str) {
    text.header(
        "Content-Length",
        if body.is_empty() { "0" } else { "[len]" },
    );
}

/// What a body is, if the message does not say it: a peer does not look into a body of no kind.
fn content_type(text: &mut Text, msg: &Msg) {
    if msg.body.is_empty() || msg.has(HeaderName::ContentType) {
        return;
    }
    let kind = if msg.has_sdp() {
        "application/sdp"
    } else {
        "application/octet-stream"
    };
    text.header("Content-Type", kind);
}

/// Whether a header is put in anew, once, at the place of its first line.
fn is_first(msg: &Msg, at: usize) -> bool {
    let name = msg.headers[at].name;
    !msg.headers[..at].iter().any(|header| header.name == name)
}

/// A request of a side.
pub(crate) fn request<'a>(side: &mut Side<'a>, at: usize, method: &str, uri: &[u8]) -> String {
    let event: &'a Event = &side.call.events[at];
    let msg = &event.msg;
    let identity = identity(side, at);
    let in_dialog = !msg.to_tag.is_empty();
    let routes = routes(side, at);
    let target = target(side, at, method, uri, routes.is_some());
    let branch = branch(side, at, method);
    let body = body::write(msg, &side.media_rules.clone(), &mut side.ports);
    let credentials = credentials(side, at);
    let rack = rack(side, at);
    let rules = side.rules.clone();
    let mut text = Text::new(&format!("{} {target} SIP/2.0", plain(method.as_bytes())));
    let mut has = [false; 5];
    for (index, header) in msg.headers.iter().enumerate() {
        let first = is_first(msg, index);
        match header.name {
            HeaderName::Via => {
                if first {
                    has[0] = true;
                    via(&mut text, &branch);
                }
            }
            HeaderName::From => {
                if first {
                    has[1] = true;
                    text.header("From", &identity.from);
                }
            }
            HeaderName::To => {
                if first {
                    has[2] = true;
                    text.header("To", &identity.to);
                }
            }
            HeaderName::CallId => {
                if first {
                    has[3] = true;
                    text.header("Call-ID", "[call_id]");
                }
            }
            HeaderName::CSeq => {
                if first {
                    has[4] = true;
                    text.header(
                        "CSeq",
                        &format!("{} {}", msg.cseq, plain(method.as_bytes())),
                    );
                }
            }
            HeaderName::Contact => text.header("Contact", &contact(&header.value, &rules)),
            HeaderName::ContentLength => {}
            HeaderName::Route if in_dialog && routes.is_some() => {
                if first {
                    text.line("[routes]");
                }
            }
            HeaderName::Authorization | HeaderName::ProxyAuthorization => match &credentials {
                Credentials::Computed(keyword) => {
                    let both = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
                    let mut before = msg.headers[..index].iter();
                    if !before.any(|other| both.contains(&other.name)) {
                        text.line(keyword);
                    }
                }
                Credentials::Left => {}
                Credentials::Captured => {
                    text.header(
                        &name_of(header),
                        &templated(&header.value, &Rules::default()),
                    );
                }
            },
            HeaderName::RAck => {
                text.header("RAck", rack.as_deref().unwrap_or(&plain(&header.value)))
            }
            _ => text.header(&name_of(header), &templated(&header.value, &rules)),
        }
    }
    let mut front = Text(String::new());
    if !has[0] {
        via(&mut front, &branch);
    }
    for (has, name, value) in [
        (has[1], "From", identity.from),
        (has[2], "To", identity.to),
        (has[3], "Call-ID", "[call_id]".to_owned()),
        (
            has[4],
            "CSeq",
            format!("{} {}", msg.cseq, plain(method.as_bytes())),
        ),
    ] {
        if !has {
            front.header(name, &value);
        }
    }
    text.0.push_str(&front.0);
    if method == "INVITE" && !msg.has(HeaderName::Contact) {
        // The dialog has no target without it (RFC 3261 §8.1.1.8).
        text.header("Contact", "<sip:[local_ip]:[local_port]>");
    }
    if msg.truncated && !msg.has(HeaderName::MaxForwards) {
        text.header("Max-Forwards", "70");
    }
    content_type(&mut text, msg);
    length(&mut text, &body);
    text.finish(&body)
}

fn via(text: &mut Text, branch: &str) {
    text.header(
        "Via",
        &format!("SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}"),
    );
}

/// From and To of a request.
struct Identity {
    from: String,
    to: String,
}

fn identity(side: &mut Side<'_>, at: usize) -> Identity {
    let msg = &side.call.events[at].msg;
    let (from, to) = (
        msg.header(HeaderName::From).unwrap_or(b"<sip:[local_ip]>"),
        msg.header(HeaderName::To).unwrap_or(b"<sip:[remote_ip]>"),
    );
    let rules = side.rules.clone();
    let answered = |side: &Side<'_>| {
        side.received_before(at)
            .find(|(_, event)| !event.msg.is_request() && event.msg.to_tag == msg.to_tag)
            .map(|(at, _)| at)
    };
    let asked = |side: &Side<'_>| {
        side.received_before(at)
            .filter(|(_, event)| event.msg.is_request() && event.msg.from_tag == msg.to_tag)
            .map(|(at, _)| at)
            .last()
    };
    // Agents of RFC 2543 knew no tags; the peer of a run does, and if not, the keyword prints nothing.
    let tagless = ["ACK", "BYE", "PRACK", "UPDATE", "INFO"].contains(&msg.method.as_str())
        && side
            .received_before(at)
            .any(|(_, event)| !event.msg.is_request());
    let to_value = if msg.to_tag.is_empty() {
        let tag = if tagless { "[peer_tag_param]" } else { "" };
        with_tag(to, tag, &rules)
    } else if side.peer_tag == msg.to_tag {
        with_tag(to, "[peer_tag_param]", &rules)
    } else if let Some(answer) = answered(side) {
        match side.saved(answer, Saved::ToTag) {
            Some(variable) => with_tag(to, &format!("[${variable}]"), &rules),
            None => with_tag(to, "[peer_tag_param]", &rules),
        }
    } else if let Some(request) = asked(side) {
        // The peer began this dialog: it is addressed as it called itself, and so is this side.
        return mirrored(side, at, request, from, to);
    } else {
        with_tag(to, &format!(";tag={}", plain(&msg.to_tag)), &rules)
    };
    let tag = side.own_tag(&side.call.events[at].msg.from_tag);
    Identity {
        from: with_tag(from, &format!(";tag={tag}"), &rules),
        to: to_value,
    }
}

fn mirrored(side: &mut Side<'_>, at: usize, request: usize, from: &[u8], to: &[u8]) -> Identity {
    let call = side.call;
    let msg = &call.events[at].msg;
    let begun = &call.events[request].msg;
    let rules = side.rules.clone();
    let tag = side.own_tag(&msg.from_tag);
    let (local, remote) = (
        side.saved(request, Saved::To),
        side.saved(request, Saved::From),
    );
    let (Some(local), Some(remote)) = (local, remote) else {
        return Identity {
            from: with_tag(from, &format!(";tag={tag}"), &rules),
            to: with_tag(to, &format!(";tag={}", plain(&msg.to_tag)), &rules),
        };
    };
    let own = if begun.to_tag.is_empty() {
        format!("[${local}];tag={tag}")
    } else {
        format!("[${local}]")
    };
    Identity {
        from: own,
        to: format!("[${remote}]"),
    }
}

/// The received message whose Record-Route and Contact say where a request goes, if it is to follow them.
fn routes(side: &mut Side<'_>, at: usize) -> Option<usize> {
    let msg = &side.call.events[at].msg;
    if msg.to_tag.is_empty() {
        return None;
    }
    let in_dialog = |event: &Event| {
        let answers = !event.msg.is_request() && event.msg.to_tag == msg.to_tag;
        let asks = event.msg.is_request() && event.msg.from_tag == msg.to_tag;
        (answers || asks) && event.msg.has(HeaderName::Contact)
    };
    // The ACK of a refusal and a CANCEL go the way of their INVITE.
    let refused = side.last_received.is_some_and(|last| {
        let last = &side.call.events[last].msg;
        msg.method == "ACK" && last.code().is_some_and(|code| code >= 300)
    });
    if refused || msg.method == "CANCEL" {
        return None;
    }
    let candidates: Vec<(usize, bool, bool, bool)> = side
        .received_before(at)
        .filter(|(_, event)| in_dialog(event))
        .map(|(at, event)| {
            let is_final = event.msg.code().is_none_or(|code| code >= 200);
            (
                at,
                is_final,
                Side::records_route(event),
                event.msg.is_request(),
            )
        })
        .collect();
    let recorded = candidates.iter().any(|(_, _, recorded, _)| *recorded);
    let is_server =
        candidates.iter().any(|(_, _, _, is_request)| *is_request) && side.role == Role::Uas;
    if !recorded && !is_server {
        return None;
    }
    let best = candidates
        .iter()
        .filter(|(_, _, has, _)| *has || !recorded)
        .max_by_key(|(at, is_final, ..)| (*is_final, core::cmp::Reverse(*at)))?;
    let at = best.0;
    side.store_routes(at).then_some(at)
}

fn target(side: &Side<'_>, at: usize, method: &str, uri: &[u8], routed: bool) -> String {
    let rules = &side.rules;
    let msg = &side.call.events[at].msg;
    if routed {
        return "[next_url]".to_owned();
    }
    let to_service = TO_SERVICE.contains(&method) || !msg.to_tag.is_empty();
    if side.role == Role::Uac
        && to_service
        && let Some(target) = uri_at(uri, "[remote_ip]:[remote_port]", Some("[service]"), rules)
    {
        return target;
    }
    let target = templated(uri, rules);
    let target = target.replace(' ', "%20");
    if target.is_empty() {
        "sip:[remote_ip]:[remote_port]".to_owned()
    } else {
        target
    }
}

/// An ACK of a refusal and a CANCEL belong to the transaction of their INVITE; everything else begins its own.
fn branch(side: &Side<'_>, at: usize, method: &str) -> String {
    let events = &side.call.events;
    let msg = &events[at].msg;
    let refused = || {
        let answer = side.received_before(at).find(|(_, event)| {
            event.msg.method == "INVITE"
                && event.msg.cseq == msg.cseq
                && event.msg.code().is_some_and(|code| code >= 200)
        });
        answer.is_some_and(|(_, event)| event.msg.code().is_some_and(|code| code >= 300))
    };
    let same = method == "CANCEL" || method == "ACK" && refused();
    let invite = same
        .then(|| {
            side.sent_before(at, |event| {
                event.msg.asks("INVITE") && event.msg.cseq == msg.cseq
            })
        })
        .flatten();
    invite.map_or_else(|| "[branch]".to_owned(), |invite| side.branch_of(invite))
}

/// RAck with the number of this run's reliable response.
fn rack(side: &mut Side<'_>, at: usize) -> Option<String> {
    let msg = &side.call.events[at].msg;
    let value = msg.header(HeaderName::RAck)?;
    let mut words = value
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let number = words.next()?.to_vec();
    let rest: Vec<String> = words.map(plain).collect();
    let answer = side
        .received_before(at)
        .find(|(_, event)| event.msg.header(HeaderName::RSeq) == Some(&number[..]))
        .map(|(at, _)| at)?;
    let variable = side.saved(answer, Saved::RSeq)?;
    Some(format!("[${variable}] {}", rest.join(" ")))
}

/// A response of a side.
pub(crate) fn response<'a>(side: &mut Side<'a>, at: usize, code: u16, reason: &[u8]) -> String {
    let event: &'a Event = &side.call.events[at];
    let msg = &event.msg;
    let request = side.call.request_of(at);
    let is_last = request.is_some() && request == side.last_received;
    let mut repeated = |what: Saved, keyword: &str, name: &str| {
        if is_last {
            return keyword.to_owned();
        }
        let saved = request.and_then(|request| side.saved(request, what));
        match (saved, what) {
            (Some(variable), Saved::Via) => format!("[${variable}]"),
            (Some(variable), _) => format!("{name}: [${variable}]"),
            (None, _) => keyword.to_owned(),
        }
    };
    let via = repeated(Saved::Via, "[last_Via:]", "Via");
    let from = repeated(Saved::From, "[last_From:]", "From");
    let mut to = repeated(Saved::To, "[last_To:]", "To");
    let cseq = repeated(Saved::CSeq, "[last_CSeq:]", "CSeq");
    let asked = request.map(|request| &side.call.events[request].msg);
    // A dialog needs a tag, even if the answerer of the capture knew none.
    let is_tagged = !msg.to_tag.is_empty() || msg.method == "INVITE" && code > 100;
    if is_tagged && asked.is_none_or(|asked| asked.to_tag.is_empty()) {
        to = format!("{to};tag={}", side.own_tag(&msg.to_tag));
    }
    let body = body::write(msg, &side.media_rules.clone(), &mut side.ports);
    let rules = &side.rules;
    let mut text = Text::new(format!("SIP/2.0 {code} {}", plain(reason)).trim_end());
    text.line(&via);
    text.line(&from);
    text.line(&to);
    text.header("Call-ID", "[call_id]");
    text.line(&cseq);
    let copied = is_last && asked.is_some_and(|asked| asked.has(HeaderName::RecordRoute));
    for (index, header) in msg.headers.iter().enumerate() {
        match header.name {
            HeaderName::Via
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::ContentLength => {}
            HeaderName::RecordRoute if copied => {
                if is_first(msg, index) {
                    text.line("[last_Record-Route:]");
                }
            }
            // Bindings and redirections are of others.
            HeaderName::Contact if msg.method != "REGISTER" && !(300..400).contains(&code) => {
                text.header("Contact", &contact(&header.value, rules));
            }
            _ => text.header(&name_of(header), &templated(&header.value, rules)),
        }
    }
    content_type(&mut text, msg);
    length(&mut text, &body);
    text.finish(&body)
}
