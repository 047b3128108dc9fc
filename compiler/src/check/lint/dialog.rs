// SPDX-License-Identifier: AGPL-3.0-only
//! Messages of one dialog: acknowledgements, tags, sequence numbers, branches.

use super::headers::branch_of;
use super::walk::{Answer, Situation, Walk, dialog_of};
use super::{Sent, Subject, sent};
use crate::ast::{Expect, PauseLength, StepKind};
use crate::diag::codes::lint as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::template::Header;
use std::collections::BTreeSet;

/// A caller repeats its INVITE after this many milliseconds without an answer (RFC 3261 §17.1.1.2).
const T1_MS: f64 = 500.0;

/// Most dialogs that are looked at.
const MOST_DIALOGS: usize = 16;

/// Looks at what messages have to do with each other, dialog by dialog.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let dialogs: BTreeSet<_> = (0..subject.steps.len())
        .map(|step| dialog_of(subject, step))
        .collect();
    for dialog in dialogs.into_iter().take(MOST_DIALOGS) {
        if let Some(walk) = Walk::of(subject, dialog) {
            check_one(subject, &walk, diagnostics);
        }
    }
}

fn check_one(subject: &Subject<'_>, walk: &Walk<'_>, diagnostics: &mut Diagnostics) {
    let own = sent(subject).filter(|(step, _)| walk.holds(subject, *step));
    for (step, sent) in own {
        if sent.parsed.outline.headers.is_empty() {
            continue;
        }
        if let Some(method) = sent.method() {
            let request = Request {
                step,
                sent,
                method,
                walk,
            };
            if sent.send.new_dialog.is_none() {
                request.remote_tag(diagnostics);
                request.number(subject, diagnostics);
            }
            request.acknowledged_number(subject, diagnostics);
            request.acknowledged_branch(subject, diagnostics);
            request.loop_branch(subject, diagnostics);
        } else if let Some(code) = sent.code() {
            local_tag(subject, walk, step, sent, code, diagnostics);
            repeated_response(subject, walk, step, sent, code, diagnostics);
        }
    }
    for step in 0..subject.steps.len() {
        if walk.holds(subject, step) {
            unacknowledged(subject, walk, step, diagnostics);
            silent_pause(subject, walk, step, diagnostics);
        }
    }
}

/// A request that is sent.
struct Request<'a> {
    step: usize,
    sent: Sent<'a>,
    method: &'a [u8],
    walk: &'a Walk<'a>,
}

impl Request<'_> {
    fn header(&self, name: &str) -> Option<&Header> {
        let header = self.sent.parsed.outline.get(name)?;
        (!header.repeated).then_some(header)
    }

    /// The only INVITE that this may follow.
    fn invite<'s>(&self, subject: &Subject<'s>) -> Option<(usize, Sent<'s>)> {
        let before = self.walk.before(self.step);
        let step = before.first()?.invite?;
        let same = before
            .iter()
            .all(|situation| situation.invite == Some(step));
        same.then(|| Some((step, Sent::of(subject, step)?)))?
    }

    /// To of a request inside a dialog.
    fn remote_tag(&self, diagnostics: &mut Diagnostics) {
        let inside = |situation: &Situation| match self.method {
            b"CANCEL" => false,
            b"ACK" => matches!(situation.answer, Answer::Success | Answer::Failure),
            _ => situation.dialog,
        };
        let Some(to) = self.header("to") else {
            return;
        };
        let tagged = to.holds(b"tag=") || to.holds(b"[peer_tag_param]") || to.is_open();
        if tagged || !self.walk.always(self.step, inside) {
            return;
        }
        // With another Call-ID it is not in that dialog.
        let own = self
            .header("call-id")
            .is_none_or(|id| id.value == b"[call_id]");
        if !own {
            return;
        }
        diagnostics.push(
            Diagnostic::warning(
                codes::REMOTE_TAG,
                to.span,
                "the To of this request has no tag, though the dialog has one",
            )
            .note("a peer answers 481 to a request that belongs to none of its dialogs")
            .help("write `[peer_tag_param]` behind the address"),
        );
    }

    /// CSeq that is not above the last one.
    fn number(&self, subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
        if matches!(self.method, b"ACK" | b"CANCEL") {
            return;
        }
        let (Some(cseq), Some(own)) = (self.header("cseq"), self.header("call-id")) else {
            return;
        };
        let Some(number) = literal_number(cseq) else {
            return;
        };
        let earlier = |situation: &Situation| {
            let step = situation.request?;
            let earlier = Sent::of(subject, step)?;
            let outline = &earlier.parsed.outline;
            let same_dialog = situation.dialog || self.method == b"BYE";
            let related = same_dialog || earlier.method() == Some(self.method);
            let same_call = outline.get("call-id")?.value == own.value;
            let before = literal_number(outline.get("cseq").filter(|cseq| !cseq.repeated)?)?;
            // A step that a loop comes back to is another matter.
            let low = related && same_call && before >= number && step != self.step;
            low.then(|| (step, outline.get("cseq").map(|cseq| cseq.span)))
        };
        if !self
            .walk
            .always(self.step, |situation| earlier(situation).is_some())
        {
            return;
        }
        let found = Diagnostic::warning(
            codes::CSEQ_NOT_RAISED,
            cseq.span,
            "the CSeq number is not above that of the request before",
        );
        let first = self.walk.before(self.step).iter().find_map(earlier);
        let found = match first {
            Some((_, Some(span))) => found.with(span, "the request before"),
            Some((_, None)) | None => found,
        };
        diagnostics.push(found.help("raise the number, or write `[cseq]`, which counts"));
    }

    /// CSeq of an ACK or a CANCEL, which is that of its INVITE.
    fn acknowledged_number(&self, subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
        if !matches!(self.method, b"ACK" | b"CANCEL") {
            return;
        }
        let Some((_, invite)) = self.invite(subject) else {
            return;
        };
        let invite_cseq = invite.parsed.outline.get("cseq");
        let (Some(own), Some(theirs)) = (self.header("cseq"), invite_cseq) else {
            return;
        };
        let (Some(number), Some(wanted)) = (literal_number(own), literal_number(theirs)) else {
            return;
        };
        // With several INVITEs of one number the walk has seen the right one.
        if theirs.repeated || number == wanted {
            return;
        }
        let method = quote(self.method);
        diagnostics.push(
            Diagnostic::warning(
                codes::CSEQ_OF_INVITE,
                own.span,
                format!("the CSeq number of this {method} is not that of its INVITE"),
            )
            .with(theirs.span, "the INVITE")
            .help(format!("write `{wanted} {method}`")),
        );
    }

    /// Branch of an ACK.
    fn acknowledged_branch(&self, subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
        if self.method != b"ACK" {
            return;
        }
        let Some((invite_step, invite)) = self.invite(subject) else {
            return;
        };
        let typed = |header: Option<&Header>, step| {
            header
                .filter(|via| !via.repeated)
                .and_then(|via| resolved(branch_of(via)?, step))
        };
        let via = self.header("via");
        let theirs = invite.parsed.outline.get("via");
        let (Some(own), Some(original), Some(via)) =
            (typed(via, self.step), typed(theirs, invite_step), via)
        else {
            return;
        };
        let after = |answer| {
            self.walk
                .always(self.step, |situation| situation.answer == answer)
        };
        let place = theirs.map_or(via.span, |theirs| theirs.span);
        if own != original && after(Answer::Failure) {
            let found = Diagnostic::warning(
                codes::ACK_BRANCH_NEW,
                via.span,
                "the branch of this ACK is not that of its INVITE",
            )
            .with(place, "the INVITE")
            .note("the ACK of a 300 to 699 belongs to the transaction of the INVITE; with another branch the peer goes on repeating its response");
            let plain = theirs.and_then(branch_of) == Some(&b"[branch]"[..]);
            diagnostics.push(if plain && self.step > invite_step {
                found.help(format!(
                    "write `branch=[branch-{}]`",
                    self.step - invite_step
                ))
            } else {
                found.help("use the branch of the INVITE")
            });
        } else if own == original && after(Answer::Success) {
            diagnostics.push(
                Diagnostic::warning(
                    codes::ACK_BRANCH_SAME,
                    via.span,
                    "the branch of this ACK is that of its INVITE",
                )
                .with(place, "the INVITE")
                .note("the ACK of a 2xx is a transaction of its own")
                .help("write `branch=[branch]`"),
            );
        }
    }

    /// A request that a loop sends again with the same branch.
    fn loop_branch(&self, subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
        if self.method == b"ACK" {
            return;
        }
        let Some(via) = self.header("via") else {
            return;
        };
        // A branch without any keyword is reported for itself.
        let Some(branch) = branch_of(via).filter(|branch| branch.contains(&b'[')) else {
            return;
        };
        let comes_back = || leads_to(subject, self.walk, self.step, self.step);
        if resolved(branch, self.step).is_none() || !comes_back() {
            return;
        }
        diagnostics.push(
            Diagnostic::warning(
                codes::LOOP_BRANCH,
                via.span,
                "a loop sends this request again with the same branch",
            )
            .note("`[branch]` is made of the call and the step; a peer takes the second request for a repetition of the first")
            .help("write `branch=[branch]-[cseq]`"),
        );
    }
}

/// The number in a typed CSeq.
fn literal_number(cseq: &Header) -> Option<u64> {
    let digits = cseq.value.split(u8::is_ascii_whitespace).next()?;
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// A branch with `[branch]` as the number that it holds at this step, if nothing else in it changes within a call.
fn resolved(branch: &[u8], step: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = branch;
    while let Some(open) = memchr::memchr(b'[', rest) {
        out.extend_from_slice(&rest[..open]);
        let close = open + memchr::memchr(b']', &rest[open..])?;
        let keyword = core::str::from_utf8(&rest[open + 1..close]).ok()?;
        match keyword.strip_prefix("branch") {
            Some("") => out.extend_from_slice(format!("<{step}>").as_bytes()),
            Some(offset) => {
                let offset: i64 = offset.parse().ok()?;
                let step = i64::try_from(step).ok()?.checked_add(offset)?;
                out.extend_from_slice(format!("<{step}>").as_bytes());
            }
            None if matches!(
                keyword,
                "call_number" | "pid" | "call_id" | "local_ip" | "local_port"
            ) =>
            {
                out.extend_from_slice(keyword.as_bytes());
            }
            None => return None,
        }
        rest = &rest[close + 1..];
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Whether a call that is done with `from` may come to `to`.
fn leads_to(subject: &Subject<'_>, walk: &Walk<'_>, from: usize, to: usize) -> bool {
    reaches(subject, walk, from, |step| step == to, |_| false)
}

/// Whether a call that is done with `from` may come to a step that is `wanted` (the number of steps is the end)
/// without passing one that `stops`.
fn reaches(
    subject: &Subject<'_>,
    walk: &Walk<'_>,
    from: usize,
    wanted: impl Fn(usize) -> bool,
    stops: impl Fn(usize) -> bool,
) -> bool {
    let count = subject.steps.len();
    let mut seen = vec![false; count];
    let mut todo: Vec<usize> = subject.graph.after(from).to_vec();
    while let Some(step) = todo.pop() {
        if wanted(step) {
            return true;
        }
        if step >= count || core::mem::replace(&mut seen[step], true) || stops(step) {
            continue;
        }
        if walk.before(step).is_empty() && subject.receives.index(step).is_none() {
            continue;
        }
        todo.extend(
            subject
                .graph
                .timeouts(step, subject.steps, subject.receives),
        );
        todo.extend(subject.graph.after(step));
        // Another receive of the run may match instead.
        let next = subject.receives.index(step).filter(|receive| {
            let run = subject.receives.run(*receive);
            receive + 1 < run.end || subject.steps[step].common.condexec.is_some()
        });
        if next.is_some() {
            todo.push(step + 1);
        }
    }
    false
}

/// A final response to an INVITE that no ACK follows.
fn unacknowledged(
    subject: &Subject<'_>,
    walk: &Walk<'_>,
    step: usize,
    diagnostics: &mut Diagnostics,
) {
    let StepKind::Recv(recv) = &subject.steps[step].kind else {
        return;
    };
    let Expect::Response(code) = &recv.expect else {
        return;
    };
    let matched = walk.matched(step);
    let final_to_invite = code.value >= 200
        && !matched.is_empty()
        && matched
            .iter()
            .all(|situation| situation.answers_invite(step, subject, code.value));
    if !final_to_invite {
        return;
    }
    let is_ack =
        |step: usize| Sent::of(subject, step).is_some_and(|sent| sent.method() == Some(b"ACK"));
    let invite = matched.iter().find_map(|situation| situation.invite);
    let invite = invite.and_then(|step| Sent::of(subject, step));
    let end = subject.steps.len();
    let code = code.value;
    let found = if !reaches(subject, walk, step, is_ack, |_| false) {
        Diagnostic::warning(
            codes::NO_ACK,
            subject.steps[step].span,
            format!("no ACK follows this {code} to an INVITE"),
        )
    } else if reaches(subject, walk, step, |step| step == end, is_ack) {
        Diagnostic::advice(
            codes::NO_ACK_ON_A_PATH,
            subject.steps[step].span,
            format!("a path leads from this {code} to the end without an ACK"),
        )
    } else {
        return;
    };
    let found = match invite {
        Some(invite) => found.with(invite.parsed.outline.start, "the INVITE"),
        None => found,
    };
    diagnostics.push(
        found
            .note(
                "the peer repeats its response until the ACK comes, and gives up after 32 seconds",
            )
            .help("send an ACK behind this `<recv>`, or behind the label it goes to"),
    );
}

/// The method of the request that a response answers: that of its typed CSeq, or of the request received last.
fn answers<'a>(subject: &Subject<'a>, sent: Sent<'a>, situation: Situation) -> Option<&'a [u8]> {
    let cseq = sent.parsed.outline.get("cseq")?;
    if cseq.repeated {
        return situation.received_method(subject);
    }
    let mut words = cseq.value.split(u8::is_ascii_whitespace);
    words.next_back().filter(|word| !word.contains(&b'['))
}

/// To of a response to the INVITE that begins a dialog.
fn local_tag(
    subject: &Subject<'_>,
    walk: &Walk<'_>,
    step: usize,
    sent: Sent<'_>,
    code: u16,
    diagnostics: &mut Diagnostics,
) {
    if code <= 100 {
        return;
    }
    let Some(to) = sent.parsed.outline.get("to") else {
        return;
    };
    if to.holds(b"tag=") || to.is_open() || to.holds(b"[peer_tag_param]") {
        return;
    }
    let first = |situation: &Situation| {
        answers(subject, sent, *situation) == Some(b"INVITE")
            && !situation.accepted
            && !situation.dialog
    };
    if !walk.always(step, first) {
        return;
    }
    diagnostics.push(
        Diagnostic::warning(
            codes::LOCAL_TAG,
            to.span,
            format!("the To of this {code} has no tag"),
        )
        .note("the INVITE that begins a dialog has none yet; the side that is called adds it")
        .help("write `[last_To:];tag=[pid]tag[call_number]`, the same in every response to this INVITE"),
    );
}

/// `retrans` on a response that nothing answers.
fn repeated_response(
    subject: &Subject<'_>,
    walk: &Walk<'_>,
    step: usize,
    sent: Sent<'_>,
    code: u16,
    diagnostics: &mut Diagnostics,
) {
    let Some(retrans) = sent.send.retrans_ms else {
        return;
    };
    let invite = |situation: &Situation| answers(subject, sent, *situation) == Some(b"INVITE");
    let other = |situation: &Situation| {
        answers(subject, sent, *situation).is_some_and(|method| method != b"INVITE")
    };
    let why = if code < 200 && walk.always(step, invite) {
        "nothing answers a provisional response"
    } else if walk.always(step, other) {
        "only the final response to an INVITE is answered, by an ACK"
    } else {
        return;
    };
    diagnostics.push(
        Diagnostic::warning(
            codes::REPEATED_WITHOUT_END,
            retrans.span,
            format!("`retrans` repeats this {code} until another message comes"),
        )
        .note(why)
        .help("leave `retrans` out; a request that is repeated gets the response again"),
    );
}

/// A pause while the caller waits for the first answer.
fn silent_pause(
    subject: &Subject<'_>,
    walk: &Walk<'_>,
    step: usize,
    diagnostics: &mut Diagnostics,
) {
    let StepKind::Pause(pause) = &subject.steps[step].kind else {
        return;
    };
    let PauseLength::Milliseconds(length) = &pause.length else {
        return;
    };
    let waiting = |situation: &Situation| {
        situation.received_method(subject) == Some(b"INVITE") && !situation.answered
    };
    if length.value < T1_MS || !walk.always(step, waiting) {
        return;
    }
    diagnostics.push(
        Diagnostic::advice(
            codes::SILENT_PAUSE,
            length.span,
            "the caller hears nothing during this pause and repeats its INVITE",
        )
        .help("send a `100 Trying` or a `180 Ringing` before it"),
    );
}
