// SPDX-License-Identifier: AGPL-3.0-only
//! Receives, timeouts and repetitions.

use super::{Sent, Subject, sent};
use crate::ast::{Action, ActionKind, Check, Expect, Optionality, Recv, Step, StepKind};
use crate::diag::codes::lint as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::ere;
use crate::source::Text;
use crate::template::{Kind, Parsed};
use gossipper_bytecode::Slot;
use regex::bytes::RegexBuilder;

/// The methods of SIP and its extensions.
const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
];

/// Largest size of an expression that is looked at; what matches codes and methods is small.
const SIZE_LIMIT: usize = 64 << 10;

/// Looks at what waits and what repeats.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    endless(subject, diagnostics);
    for (index, step) in subject.steps.iter().enumerate() {
        match &step.kind {
            StepKind::Recv(recv) => {
                provisional(step, recv, diagnostics);
                unanchored(recv, diagnostics);
                shadowed(subject, index, recv, diagnostics);
                timeout_label(step, recv.timeout_ms.is_some(), "timeout", diagnostics);
                if recv.optional != Optionality::Mandatory {
                    checks(step, diagnostics);
                }
            }
            StepKind::Send(send) => {
                timeout_label(step, send.retrans_ms.is_some(), "retrans", diagnostics);
            }
            StepKind::Pause(_)
            | StepKind::Timewait(_)
            | StepKind::Nop
            | StepKind::SendCmd(_)
            | StepKind::RecvCmd(_) => {}
        }
    }
    repetitions(subject, diagnostics);
    routes(subject, diagnostics);
}

/// Receives that wait for ever: one finding for all, since it is the same everywhere.
///
/// Advice, even where other receives have a limit. Of 725 scenarios of others 32 have limits at all, half of them on some
/// steps only, mostly in order to wait for the peer's BYE; in one all receives but one have a limit, and that waits for BYE.
fn endless(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let mut endless = (0..subject.receives.steps().len()).filter_map(|receive| {
        let run = subject.receives.run(receive);
        let step = subject.steps[subject.receives.steps()[receive]];
        let recv = recv_of(step)?;
        let limited = run.clone().any(|other| {
            let other = subject.steps[subject.receives.steps()[other]];
            recv_of(other).is_some_and(|recv| recv.timeout_ms.is_some())
        });
        (recv.optional == Optionality::Mandatory && !limited).then_some(step)
    });
    let Some(first) = endless.next() else {
        return;
    };
    let others = endless.count();
    let found = Diagnostic::advice(
        codes::ENDLESS_WAIT,
        first.span,
        "this `<recv>` waits for ever",
    );
    let found = match others {
        0 => found,
        1 => found.note("so does another one below"),
        others => found.note(format!("so do {others} others below")),
    };
    diagnostics.push(found.help("add `timeout=\"ms\"`, or run with `-recv_timeout ms`"));
}

fn recv_of(step: &Step) -> Option<&Recv> {
    match &step.kind {
        StepKind::Recv(recv) => Some(recv),
        _ => None,
    }
}

/// A provisional response that must come.
fn provisional(step: &Step, recv: &Recv, diagnostics: &mut Diagnostics) {
    let Expect::Response(code) = &recv.expect else {
        return;
    };
    if recv.optional != Optionality::Mandatory || !(100..200).contains(&code.value) {
        return;
    }
    let message = format!("the call fails when no {} comes", code.value);
    let help = "add `optional=\"true\"`, unless its absence is a failure";
    let found = Diagnostic::advice(codes::MANDATORY_PROVISIONAL, code.span, message);
    diagnostics.push(
        found
            .with(step.span, "this `<recv>` is mandatory")
            .note("a peer may answer without provisional responses")
            .help(help),
    );
}

/// A pattern that matches more than its author thinks.
fn unanchored(recv: &Recv, diagnostics: &mut Diagnostics) {
    let more = |text: &Text, before: &str, behind: &str, all: &mut dyn Iterator<Item = String>| {
        let free = ere::translate(text.bytes()).ok()?;
        let build = |pattern: &str| {
            let mut builder = RegexBuilder::new(pattern);
            builder.unicode(false).size_limit(SIZE_LIMIT).build().ok()
        };
        let bound = build(&format!("{before}(?:{}){behind}", free.pattern))?;
        let free = build(&free.pattern)?;
        let mut meant = 0;
        let mut more = Vec::new();
        for word in all {
            if bound.is_match(word.as_bytes()) {
                meant += 1;
            } else if free.is_match(word.as_bytes()) {
                more.push(word);
            }
        }
        // Without a match at the start a part is meant.
        (meant > 0 && !more.is_empty()).then_some(more)
    };
    let (text, more) = match &recv.expect {
        Expect::ResponseRegex(text) => {
            let mut all = (100..700).map(|code: u16| code.to_string());
            (text, more(text, "^", "", &mut all))
        }
        Expect::RequestRegex(text) => {
            let mut all = METHODS.iter().map(|method| (*method).to_owned());
            (text, more(text, "^", "$", &mut all))
        }
        Expect::Request(_) | Expect::Response(_) | Expect::Nothing => return,
    };
    let Some(more) = more else {
        return;
    };
    let shown: Vec<_> = more
        .iter()
        .take(3)
        .map(|word| format!("`{word}`"))
        .collect();
    let rest = if more.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    let typed = quote(text.bytes());
    diagnostics.push(
        Diagnostic::warning(
            codes::UNANCHORED,
            text.span(),
            format!("`{typed}` matches {}{rest} too", shown.join(", ")),
        )
        .note("the expression is searched for anywhere in the code or method")
        .help(format!(
            "write `^({typed})`, with `$` behind it for the whole word"
        )),
    );
}

/// A receive behind one of the same run that takes everything it could.
fn shadowed(subject: &Subject<'_>, index: usize, recv: &Recv, diagnostics: &mut Diagnostics) {
    let Some(receive) = subject.receives.index(index) else {
        return;
    };
    let key = |recv: &Recv| match &recv.expect {
        Expect::Request(text) => Some((false, text.bytes().to_vec())),
        Expect::Response(code) => Some((true, code.value.to_string().into_bytes())),
        Expect::RequestRegex(_) | Expect::ResponseRegex(_) | Expect::Nothing => None,
    };
    let Some(own) = key(recv) else {
        return;
    };
    let run = subject.receives.run(receive);
    let inside = |step: usize| {
        let steps = subject.receives.steps();
        step >= steps[run.start] && step <= steps[run.end - 1]
    };
    let earlier = (run.start..receive).find_map(|other| {
        let at = subject.receives.steps()[other];
        let step = subject.steps[at];
        let before = recv_of(step)?;
        let away = !before.advance_state || !subject.graph.after(at).iter().any(|to| inside(*to));
        let same_txn = before.response_txn.as_ref().map(|name| &name.bytes)
            == recv.response_txn.as_ref().map(|name| &name.bytes);
        let always = step.common.condexec.is_none();
        let dialogs = &subject.names.dialogs;
        let dialog = |step: &Step| dialogs.id(step.common.dialog.as_ref());
        let same_dialog = dialog(step) == dialog(subject.steps[index]);
        (away && always && same_txn && same_dialog && key(before).as_ref() == Some(&own))
            .then_some(step)
    });
    // A label lets a call begin to wait behind the earlier one.
    let entered = || {
        let mut labels = subject.names.labels.iter();
        labels.any(|(_, _, step)| inside(step) && step > subject.receives.steps()[run.start])
    };
    if let Some(earlier) = earlier.filter(|_| !entered()) {
        diagnostics.push(
            Diagnostic::warning(
                codes::SHADOWED,
                subject.steps[index].span,
                "this `<recv>` never matches: another one takes its message",
            )
            .with(earlier.span, "this one, which is asked first")
            .help("remove one of them, or tell them apart"),
        );
    }
}

/// `ontimeout` of a step that has no time limit.
fn timeout_label(step: &Step, limited: bool, attribute: &str, diagnostics: &mut Diagnostics) {
    let Some(label) = step.common.ontimeout.as_ref().filter(|_| !limited) else {
        return;
    };
    let message = format!("`ontimeout` without `{attribute}`");
    let found = if attribute == "timeout" {
        Diagnostic::advice(codes::TIMEOUT_NEVER, label.span, message)
            .note("the `<recv>` has no time limit unless the run has `-recv_timeout`")
    } else {
        Diagnostic::warning(codes::TIMEOUT_NEVER, label.span, message).note(
            "a `<send>` times out when its repetitions are used up, and this one is not repeated",
        )
    };
    diagnostics.push(found.help(format!("add `{attribute}=\"ms\"`")));
}

/// Checks of a message that need not come.
fn checks(step: &Step, diagnostics: &mut Diagnostics) {
    let checked = |action: &&Action| match &action.kind {
        ActionKind::Ereg { check, .. }
        | ActionKind::Test { check, .. }
        | ActionKind::StrCmp { check, .. } => *check != Check::None,
        _ => false,
    };
    let actions = step.actions.iter().flat_map(|actions| &actions.list);
    for action in actions.filter(checked) {
        diagnostics.push(
            Diagnostic::advice(
                codes::CHECK_OF_OPTIONAL,
                action.span,
                "nothing is checked when this message does not come",
            )
            .with(step.span, "this step is optional")
            .help("make the step mandatory, or check what it must leave behind later"),
        );
    }
}

/// `retrans` where nothing ends it, and requests that are never repeated.
fn repetitions(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for (step, sent) in sent(subject) {
        let Some(method) = sent.method() else {
            continue;
        };
        match sent.send.retrans_ms {
            Some(retrans) if method == b"ACK" => diagnostics.push(
                Diagnostic::warning(
                    codes::REPEATED_WITHOUT_END,
                    retrans.span,
                    "`retrans` repeats this ACK until another message comes",
                )
                .note("nothing answers an ACK: the next `<send>` waits, and the call may fail")
                .help("leave `retrans` out; a response that is repeated gets the ACK again"),
            ),
            Some(_) => {}
            None if method == b"ACK" => {}
            None => diagnostics.push(
                Diagnostic::advice(
                    codes::NOT_REPEATED,
                    subject.steps[step].span,
                    "over UDP this request is lost when its datagram is",
                )
                .help("add `retrans=\"500\"`"),
            ),
        }
    }
}

/// Route sets that are used and not stored, or stored and not used.
fn routes(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let stores = subject
        .steps
        .iter()
        .copied()
        .find(|step| recv_of(step).is_some_and(|recv| recv.rrs));
    // A dialog of the peer's has its route set without that.
    let given = subject.names.dialogs.several()
        && subject
            .steps
            .iter()
            .any(|step| recv_of(step).is_some_and(|recv| recv.accept.is_some()));
    let used = (0..subject.steps.len()).find_map(|step| {
        let parsed: &Parsed = Sent::of(subject, step)?.parsed;
        let mut keywords = parsed.keywords();
        keywords.find(|keyword| matches!(keyword.kind, Kind::Plain(Slot::Routes | Slot::NextUrl)))
    });
    match (stores, used) {
        (None, Some(keyword)) if !given => diagnostics.push(
            Diagnostic::warning(
                codes::ROUTES_NOT_STORED,
                keyword.span,
                "no `<recv>` of this scenario stores a route set",
            )
            .note("the keyword prints nothing without one")
            .help("write `rrs=\"true\"` into the `<recv>` of the message that has Record-Route and Contact"),
        ),
        (Some(step), None) => diagnostics.push(
            Diagnostic::advice(
                codes::ROUTES_NOT_USED,
                step.span,
                "`rrs` stores a route set that no message uses",
            )
            .help("write `[next_url]` as the request URI and `[routes]` as a line of its own"),
        ),
        (Some(_), Some(_)) | (None, _) => {}
    }
}
