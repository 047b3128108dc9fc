// SPDX-License-Identifier: AGPL-3.0-only
//! Final responses to INVITE that were not captured, from what is known about them.

use crate::calls::Call;
use crate::message::{Header, Msg, Start};
use core::net::IpAddr;
use gossipper_sip::HeaderName;

/// The response that takes a call, so far as the request that proves it, the offer, and earlier responses tell.
pub(crate) fn acceptance(call: &Call, at: usize, proof: &Msg, tag: &[u8]) -> Msg {
    let invite = &call.events[at];
    let mut msg = response(&invite.msg, proof, 200, b"OK", tag);
    let is_ack = proof.asks("ACK");
    // Only the ACK names the route from this side: in the order of the way there, which the response has the other way.
    let routes = proof.header_lines(HeaderName::Route).filter(|_| is_ack);
    let mut routes: Vec<&[u8]> = routes.flat_map(gossipper_sip::split_header_list).collect();
    routes.reverse();
    if !routes.is_empty() {
        add(&mut msg, HeaderName::RecordRoute, routes.join(&b", "[..]));
    }
    let contact = match &proof.start {
        Start::Request { uri, .. } if is_ack => uri.clone(),
        _ => format!("sip:{}", invite.msg.destination).into_bytes(),
    };
    let contact = [b"<", &contact[..], b">"].concat();
    add(&mut msg, HeaderName::Contact, contact);
    let early = call.events[at + 1..].iter().find(|event| {
        event.from_caller != invite.from_caller
            && event.msg.answers(&invite.msg)
            && event.msg.body.starts_with(b"v=0")
    });
    let own = invite.msg.destination.ip();
    msg.body = match early {
        // What answered the offer early is said again.
        Some(early) => early.msg.body.clone(),
        None if invite.msg.body.starts_with(b"v=0") => counterpart(&invite.msg.body, own),
        None if is_ack && proof.body.starts_with(b"v=0") => counterpart(&proof.body, own),
        None => Vec::new(),
    };
    if !msg.body.is_empty() {
        add(
            &mut msg,
            HeaderName::ContentType,
            b"application/sdp".to_vec(),
        );
    }
    msg
}

/// The response that refuses a call: cancelled, or challenged if the next INVITE has credentials, or anything else.
pub(crate) fn refusal(invite: &Msg, ack: &Msg, cancelled: bool, next: Option<&Msg>) -> Msg {
    if cancelled {
        return response(invite, ack, 487, b"Request Terminated", &ack.to_tag);
    }
    let kinds = [
        (
            401,
            &b"Unauthorized"[..],
            HeaderName::Authorization,
            HeaderName::WwwAuthenticate,
        ),
        (
            407,
            b"Proxy Authentication Required",
            HeaderName::ProxyAuthorization,
            HeaderName::ProxyAuthenticate,
        ),
    ];
    for (code, reason, given, asked) in kinds {
        let credentials = next.and_then(|next| next.header(given));
        let challenge = credentials
            .filter(|credentials| invite.header(given) != Some(credentials))
            .and_then(challenge);
        if let Some(challenge) = challenge {
            let mut msg = response(invite, ack, code, reason, &ack.to_tag);
            add(&mut msg, asked, challenge);
            return msg;
        }
    }
    response(invite, ack, 480, b"Temporarily Unavailable", &ack.to_tag)
}

fn response(invite: &Msg, proof: &Msg, code: u16, reason: &[u8], tag: &[u8]) -> Msg {
    let mut msg = invite.clone();
    msg.start = Start::Status {
        code,
        reason: reason.to_vec(),
    };
    core::mem::swap(&mut msg.source, &mut msg.destination);
    msg.frame = 0;
    msg.truncated = false;
    msg.time = proof.time;
    msg.to_tag = tag.to_vec();
    msg.body = Vec::new();
    msg.headers.clear();
    msg
}

fn add(msg: &mut Msg, name: HeaderName, value: Vec<u8>) {
    msg.headers.push(Header {
        name,
        raw: name.as_str().as_bytes().to_vec(),
        value,
    });
}

/// The challenge that digest credentials answer.
fn challenge(credentials: &[u8]) -> Option<Vec<u8>> {
    let params = credentials
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case(b"digest "))
        .map(|_| &credentials[7..])?;
    let mut out = b"Digest ".to_vec();
    let mut count = 0;
    for item in gossipper_sip::split_header_list(params) {
        let equals = memchr::memchr(b'=', item)?;
        let name = item[..equals].trim_ascii().to_ascii_lowercase();
        let value = item[equals + 1..].trim_ascii();
        let value = match &name[..] {
            b"realm" | b"nonce" | b"opaque" | b"algorithm" => value.to_vec(),
            // One of several in the challenge, which has quotes.
            b"qop" => [b"\"", unquoted(value), b"\""].concat(),
            _ => continue,
        };
        if count > 0 {
            out.extend_from_slice(b", ");
        }
        count += 1;
        out.extend_from_slice(&name);
        out.push(b'=');
        out.extend_from_slice(&value);
    }
    (count > 0).then_some(out)
}

/// What the other side says to a description: the same streams and payloads, the other way round.
fn counterpart(body: &[u8], own: IpAddr) -> Vec<u8> {
    let kind = if own.is_ipv4() { "IP4" } else { "IP6" };
    let mut out =
        format!("v=0\r\no=- 1 1 IN {kind} {own}\r\ns=-\r\nc=IN {kind} {own}\r\nt=0 0\r\n")
            .into_bytes();
    for line in body.split(|byte| matches!(byte, b'\r' | b'\n')) {
        let kept = [
            &b"m="[..],
            b"a=rtpmap:",
            b"a=fmtp:",
            b"a=ptime:",
            b"a=inactive",
        ];
        let line = match line {
            b"a=sendonly" => b"a=recvonly",
            b"a=recvonly" => b"a=sendonly",
            line if kept.iter().any(|kept| line.starts_with(kept)) => line,
            _ => continue,
        };
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A value without the quotes around it.
fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|inner| inner.strip_suffix(b"\""));
    inner.unwrap_or(value)
}
