// SPDX-License-Identifier: AGPL-3.0-only
//! One message: headers that are missing, or contradict its first line.

use super::{Sent, Subject, sent};
use crate::diag::codes::lint as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::source::Span;
use crate::template::Header;

/// Headers without which nothing is a message of SIP (RFC 3261 §8.1.1, §8.2.6).
const MANDATORY: [(&str, &str); 5] = [
    ("via", "Via"),
    ("from", "From"),
    ("to", "To"),
    ("call-id", "Call-ID"),
    ("cseq", "CSeq"),
];

/// Looks at every message by itself.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for (_, sent) in sent(subject) {
        let outline = &sent.parsed.outline;
        if outline.headers.is_empty() {
            continue;
        }
        missing(sent, diagnostics);
        call_id(sent, diagnostics);
        body(sent, diagnostics);
        if let Some(method) = sent.method() {
            cseq_method(sent, method, diagnostics);
            from_tag(sent, diagnostics);
            branch(sent, diagnostics);
        }
    }
}

fn missing(sent: Sent<'_>, diagnostics: &mut Diagnostics) {
    let outline = &sent.parsed.outline;
    let missing: Vec<String> = MANDATORY
        .iter()
        .filter(|(name, _)| outline.lacks(name))
        .map(|(_, shown)| format!("`{shown}`"))
        .collect();
    if !missing.is_empty() {
        diagnostics.push(
            Diagnostic::warning(
                codes::MISSING_HEADER,
                outline.start,
                format!("this message has no {}", listed(&missing)),
            )
            .help(match sent.method() {
                Some(_) => "every request has Via, From, To, Call-ID and CSeq",
                None => "repeat those of the request: `[last_Via:]`, `[last_From:]`, and so on",
            }),
        );
    }
    let Some(method) = sent.method() else {
        return;
    };
    if outline.lacks("max-forwards") {
        diagnostics.push(
            Diagnostic::advice(
                codes::MAX_FORWARDS,
                outline.start,
                "this request has no `Max-Forwards`",
            )
            .help("add `Max-Forwards: 70`"),
        );
    }
    if method == b"INVITE" && outline.lacks("contact") {
        diagnostics.push(
            Diagnostic::warning(
                codes::NO_CONTACT,
                outline.start,
                "this INVITE has no `Contact`",
            )
            .note("the peer has no address to send its own requests to, such as a BYE")
            .help("add `Contact: <sip:[local_ip]:[local_port];transport=[transport]>`"),
        );
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn call_id(sent: Sent<'_>, diagnostics: &mut Diagnostics) {
    let Some(header) = sent.parsed.outline.get("call-id") else {
        return;
    };
    if header.repeated || header.holds(b"[call_id]") || header.is_open() {
        return;
    }
    diagnostics.push(
        Diagnostic::warning(
            codes::CALL_ID,
            header.span,
            "this Call-ID is not that of the call",
        )
        .note("answers are given to calls by their Call-ID, so none will reach this one")
        .help("write `[call_id]`, or `[last_Call-ID:]` as the whole line"),
    );
}

fn body(sent: Sent<'_>, diagnostics: &mut Diagnostics) {
    let outline = &sent.parsed.outline;
    let Some(body) = outline.body else {
        return;
    };
    if outline.lacks("content-length") {
        diagnostics.push(
            Diagnostic::warning(
                codes::NO_CONTENT_LENGTH,
                outline.start,
                "this message has a body and no `Content-Length`",
            )
            .with(body, "the body begins here")
            .help("add `Content-Length: [len]`"),
        );
    }
    if outline.lacks("content-type") {
        diagnostics.push(
            Diagnostic::warning(
                codes::NO_CONTENT_TYPE,
                outline.start,
                "this message has a body and no `Content-Type`",
            )
            .with(body, "the body begins here")
            .help("add `Content-Type: application/sdp`, or whatever the body is"),
        );
    }
}

fn cseq_method(sent: Sent<'_>, method: &[u8], diagnostics: &mut Diagnostics) {
    let Some(header) = sent.parsed.outline.get("cseq") else {
        return;
    };
    if header.repeated {
        return;
    }
    // Blanks inside a keyword do not part words here: none of those that print a number has any.
    let mut words = header.value.split(u8::is_ascii_whitespace);
    let last = words.next_back().unwrap_or_default();
    if last.contains(&b'[') || last == method || last.iter().all(u8::is_ascii_digit) {
        return;
    }
    let length = u32::try_from(last.len()).unwrap_or(0);
    let place = Span::new(header.span.end.saturating_sub(length), header.span.end);
    let (typed, wanted) = (quote(last), quote(method));
    diagnostics.push(
        Diagnostic::warning(
            codes::CSEQ_METHOD,
            place,
            format!("CSeq says `{typed}`, but the request is `{wanted}`"),
        )
        .with(sent.parsed.outline.start, "the request")
        .did_you_mean(Some(&wanted)),
    );
}

fn from_tag(sent: Sent<'_>, diagnostics: &mut Diagnostics) {
    let Some(header) = sent.parsed.outline.get("from") else {
        return;
    };
    if header.repeated || header.holds(b"tag=") || header.is_open() {
        return;
    }
    // A request of the side that was called repeats its own tag.
    if header.holds(b"[peer_tag_param]") {
        return;
    }
    diagnostics.push(
        Diagnostic::warning(
            codes::FROM_TAG,
            header.span,
            "the From of this request has no tag",
        )
        .help("add `;tag=[pid]tag[call_number]` behind the address"),
    );
}

/// The text of the `branch` parameter in the Via of a request.
pub(super) fn branch_of(header: &Header) -> Option<&[u8]> {
    let at = memchr::memmem::find(&header.value.to_ascii_lowercase(), b"branch=")?;
    let rest = &header.value[at + b"branch=".len()..];
    let mut depth = 0usize;
    let end = rest.iter().position(|byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(byte, b';' | b',' | b' ' | b'\t')
    });
    Some(&rest[..end.unwrap_or(rest.len())])
}

fn branch(sent: Sent<'_>, diagnostics: &mut Diagnostics) {
    let Some(header) = sent.parsed.outline.get("via") else {
        return;
    };
    if header.repeated {
        return;
    }
    let Some(branch) = branch_of(header) else {
        return;
    };
    if branch.contains(&b'[') {
        return;
    }
    diagnostics.push(
        Diagnostic::warning(
            codes::LITERAL_BRANCH,
            header.span,
            format!("every call sends the same branch `{}`", quote(branch)),
        )
        .note("a peer takes two requests with one branch for one and its repetition")
        .help("write `branch=[branch]`"),
    );
}
