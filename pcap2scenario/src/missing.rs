// SPDX-License-Identifier: AGPL-3.0-only
//! What a capture lacks of a call, and a run cannot do without.
//!
//! A request that was not captured is made up from what answers it; the final response to an INVITE from what proves it; and
//! an ACK stands where one is missing: without them neither side of a run would come to rest. Each is said in a note and at
//! its step.

use crate::answer;
use crate::calls::{Call, Event};
use crate::message::{Header, Msg, Start};
use gossipper_sip::HeaderName;

/// Adds what the capture lacks.
pub(crate) fn complete(call: &mut Call) {
    requests(call);
    answers(call);
    acknowledgements(call);
}

/// Requests that something answers.
fn requests(call: &mut Call) {
    let mut at = 0;
    while at < call.events.len() {
        if !call.events[at].msg.is_request() && call.request_of(at).is_none() {
            let mut request = request_for(&call.events[at]);
            // In a dialog that was there before, the request has its tag.
            let tag = &call.events[at].msg.to_tag;
            let known = |event: &Event| event.msg.to_tag == *tag || event.msg.from_tag == *tag;
            if call.events[..at].iter().any(known) {
                request.msg.to_tag.clone_from(tag);
            }
            call.notes.push(format!(
                "the {} that frame {} answers was not captured; a minimal one stands for it",
                request.msg.method, call.events[at].msg.frame
            ));
            call.events.insert(at, request);
            at += 1;
        }
        at += 1;
    }
}

/// Final responses to INVITE: whoever sends ACK, or hangs up, has had one.
fn answers(call: &mut Call) {
    let mut at = 0;
    while at < call.events.len() {
        let event = &call.events[at];
        if event.msg.asks("INVITE")
            && let Some((proof, answer)) = unseen_answer(call, at)
        {
            let (invite, proof_msg) = (&event.msg, &call.events[proof].msg);
            let from = match event.msg.frame {
                0 => "the INVITE".to_owned(),
                frame => format!("the INVITE of frame {frame}"),
            };
            call.notes.push(format!(
                "the final response to {from} was not captured; a {} stands for it, which the {} of frame {} proves",
                answer.title(),
                proof_msg.title(),
                proof_msg.frame
            ));
            let from_caller = !event.from_caller;
            debug_assert!(answer.answers(invite));
            call.events.insert(
                proof,
                Event {
                    from_caller,
                    msg: answer,
                    repeats: Vec::new(),
                    made_up: Some("not captured, but proved by what follows"),
                },
            );
        }
        at += 1;
    }
}

/// The final response to an INVITE that was not captured, and the message before which it came.
fn unseen_answer(call: &Call, at: usize) -> Option<(usize, Msg)> {
    let invite = &call.events[at];
    let behind = || call.events.iter().enumerate().skip(at + 1);
    let is_answered = behind().any(|(_, event)| {
        event.from_caller != invite.from_caller
            && event.msg.code().is_some_and(|code| code >= 200)
            && event.msg.answers(&invite.msg)
    });
    if is_answered {
        return None;
    }
    let next = behind()
        .find(|(_, event)| event.from_caller == invite.from_caller && event.msg.asks("INVITE"));
    let end = next.map_or(call.events.len(), |(at, _)| at);
    let acknowledged = behind().find(|(_, event)| {
        event.from_caller == invite.from_caller
            && event.msg.asks("ACK")
            && event.msg.cseq == invite.msg.cseq
    });
    if let Some((proof, ack)) = acknowledged {
        let answer = if is_refusal(&invite.msg, &ack.msg) {
            let cancelled = behind()
                .take_while(|(at, _)| *at < proof)
                .any(|(_, event)| {
                    event.from_caller == invite.from_caller && event.msg.asks("CANCEL")
                });
            let again = next.map(|(_, event)| &event.msg);
            answer::refusal(&invite.msg, &ack.msg, cancelled, again)
        } else {
            answer::acceptance(call, at, &ack.msg, &ack.msg.to_tag)
        };
        return Some((proof, answer));
    }
    // Only a dialog that stands is ended or put on hold.
    let (proof, event) = behind()
        .take_while(|(at, _)| *at < end)
        .find(|(_, event)| {
            event.msg.asks("BYE") && !event.msg.to_tag.is_empty()
                || event.msg.asks("INVITE") && event.from_caller != invite.from_caller
        })?;
    let tag = if event.from_caller == invite.from_caller {
        &event.msg.to_tag
    } else {
        &event.msg.from_tag
    };
    let answer = answer::acceptance(call, at, &event.msg, tag);
    Some((proof, answer))
}

/// Whether an ACK is that of a refusal: it has the branch of its INVITE (RFC 3261 §17.1.1.3), while that of a 2xx is a
/// transaction of its own. Older agents do not tell.
fn is_refusal(invite: &Msg, ack: &Msg) -> bool {
    invite.branch.starts_with(b"z9hG4bK") && invite.branch == ack.branch
}

/// ACKs of final responses.
fn acknowledgements(call: &mut Call) {
    let mut at = 0;
    while at < call.events.len() {
        let event = &call.events[at];
        let refused_or_taken =
            event.msg.method == "INVITE" && event.msg.code().is_some_and(|code| code >= 200);
        let acknowledged = call.events.iter().skip(at + 1).any(|ack| {
            ack.msg.asks("ACK")
                && ack.from_caller != event.from_caller
                && ack.msg.cseq == event.msg.cseq
                && (ack.msg.to_tag == event.msg.to_tag || ack.msg.to_tag.is_empty())
        });
        if refused_or_taken && !acknowledged {
            let ack = ack_for(event);
            call.notes.push(format!(
                "no ACK for the {} of frame {} was captured; one stands for it",
                event.msg.title(),
                event.msg.frame
            ));
            call.events.insert(at + 1, ack);
        }
        at += 1;
    }
}

fn request_for(answer: &Event) -> Event {
    let to = answer.msg.header(HeaderName::To).unwrap_or_default();
    let uri = gossipper_sip::angle_or_whole(to);
    let end = uri.iter().position(|byte| *byte == b';');
    let uri = uri[..end.unwrap_or(uri.len())].to_vec();
    let mut msg = answer.msg.clone();
    msg.start = Start::Request {
        method: answer.msg.method.clone(),
        uri,
    };
    core::mem::swap(&mut msg.source, &mut msg.destination);
    msg.to_tag.clear();
    made_up(
        msg,
        !answer.from_caller,
        "not captured; made from what answers it",
    )
}

fn ack_for(answer: &Event) -> Event {
    let mut msg = request_for(answer).msg;
    msg.method = "ACK".to_owned();
    if let Start::Request { method, .. } = &mut msg.start {
        *method = "ACK".to_owned();
    }
    msg.to_tag = answer.msg.to_tag.clone();
    if answer.msg.code().is_some_and(|code| code < 300) {
        msg.branch.clear();
    }
    made_up(
        msg,
        !answer.from_caller,
        "not captured; without it the peer would go on repeating",
    )
}

fn made_up(mut msg: Msg, from_caller: bool, why: &'static str) -> Event {
    msg.body.clear();
    msg.frame = 0;
    msg.truncated = false;
    let keep = [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ];
    msg.headers.retain(|header| keep.contains(&header.name));
    let contact = matches!(
        msg.method.as_str(),
        "INVITE" | "SUBSCRIBE" | "REFER" | "UPDATE"
    );
    let is_request = msg.is_request();
    let added = [
        contact.then(|| (HeaderName::Contact, format!("<sip:{}>", msg.source))),
        is_request.then(|| (HeaderName::MaxForwards, "70".to_owned())),
        Some((HeaderName::ContentLength, "0".to_owned())),
    ];
    for (name, value) in added.into_iter().flatten() {
        msg.headers.push(Header {
            name,
            raw: name.as_str().as_bytes().to_vec(),
            value: value.into_bytes(),
        });
    }
    Event {
        from_caller,
        msg,
        repeats: Vec::new(),
        made_up: Some(why),
    }
}
