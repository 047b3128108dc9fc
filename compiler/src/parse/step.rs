// SPDX-License-Identifier: AGPL-3.0-only
//! The elements that take an index: `send recv pause timewait nop sendCmd recvCmd`.

use super::action::actions;
use super::attrs::Attrs;
use super::pause::pause;
use super::stats::{StepStats, step_stats};
use crate::ast::{Common, Expect, Optionality, Recv, RecvCmd, Send, SendCmd, Step, StepKind};
use crate::diag::codes::{flow, structure as code};
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::schema;
use crate::source::{OffsetMap, Span, Spanned, Text};
use crate::xml::Element;

/// Status codes a response can have.
const STATUS_CODES: std::ops::RangeInclusive<i64> = 100..=699;

/// Reads a step; its element is in the schema and marked as one.
pub(super) fn step(
    element: &Element,
    spec: &'static schema::Element,
    diags: &mut Diagnostics,
) -> Step {
    let mut attrs = Attrs::new(element, spec, diags);
    let common = common(&mut attrs);
    let kind = match spec.name {
        "send" => StepKind::Send(send(&mut attrs)),
        "recv" => StepKind::Recv(recv(&mut attrs)),
        "pause" => StepKind::Pause(pause(&mut attrs)),
        "timewait" => StepKind::Timewait(pause(&mut attrs)),
        "sendCmd" => {
            attrs.no_effect("lost", "on commands, which are never dropped");
            StepKind::SendCmd(SendCmd {
                dest: attrs.text("dest"),
                text: attrs.required_cdata(),
            })
        }
        "recvCmd" => {
            attrs.no_effect("lost", "on commands, which are never dropped");
            let optional = optional(&mut attrs);
            StepKind::RecvCmd(RecvCmd {
                src: attrs.text("src"),
                optional,
                timeout_ms: attrs.milliseconds("timeout"),
            })
        }
        _ => StepKind::Nop,
    };
    match kind {
        StepKind::Timewait(_) => timewait_ends(&mut attrs),
        StepKind::Nop => {}
        _ => attrs.no_effect("display", "outside `<nop>`"),
    }
    if spec.content != schema::Content::Cdata {
        attrs.no_cdata();
    }
    let actions = actions(element, diags);
    Step {
        span: element.name_span,
        extent: element.extent,
        common,
        kind,
        actions,
    }
}

fn common(attrs: &mut Attrs<'_>) -> Common {
    let StepStats {
        start_rtd,
        rtd,
        repeat_rtd,
        counter,
    } = step_stats(attrs);
    let next = attrs.label("next");
    if next.is_none() {
        // COMPAT(sipp): without `next` these are not even read, so a `test` is no reference to its variable.
        attrs.no_effect("test", "without `next`");
        attrs.no_effect("chance", "without `next`");
    }
    if !attrs.has("condexec") {
        attrs.no_effect("condexec_inverse", "without `condexec`");
    }
    Common {
        start_rtd,
        rtd,
        repeat_rtd,
        counter,
        lost: lost(attrs),
        crlf: attrs.has("crlf"),
        ignoresdp: attrs.boolean("ignoresdp", false),
        hide: attrs.optional_boolean("hide"),
        hiderest: attrs.optional_boolean("hiderest"),
        display: attrs.text("display"),
        condexec: attrs.variable("condexec"),
        condexec_inverse: attrs.boolean("condexec_inverse", false),
        test: if next.is_some() {
            attrs.variable("test")
        } else {
            None
        },
        chance: if next.is_some() { chance(attrs) } else { None },
        next,
        ontimeout: attrs.label("ontimeout"),
        dialog: attrs.name("dialog"),
    }
}

fn chance(attrs: &mut Attrs<'_>) -> Option<Spanned<f64>> {
    let found = attrs.double("chance")?;
    if (0.0..=1.0).contains(&found.value) {
        return Some(found);
    }
    let message = format!("chance {} is not between 0 and 1", found.value);
    let mut error = Diagnostic::error(code::OUT_OF_RANGE, found.span, message);
    if found.value > 1.0 && found.value <= 100.0 {
        error = error.help(format!(
            "for {} % write `{}`",
            found.value,
            found.value / 100.0
        ));
    }
    attrs.error(error);
    None
}

fn lost(attrs: &mut Attrs<'_>) -> Option<Spanned<f64>> {
    let mut found = attrs.double("lost")?;
    if !(0.0..=100.0).contains(&found.value) {
        let message = format!("lost percentage {} is not between 0 and 100", found.value);
        attrs
            .diags
            .push(Diagnostic::warning(code::OUT_OF_RANGE, found.span, message));
        // What such a number does: below 0 (or NaN) nothing is dropped, above 100 everything.
        found.value = if found.value > 100.0 { 100.0 } else { 0.0 };
    }
    Some(found)
}

fn send(attrs: &mut Attrs<'_>) -> Send {
    Send {
        retrans_ms: attrs.milliseconds("retrans"),
        timeout_ms: attrs.milliseconds("timeout"),
        new_dialog: new_dialog(attrs),
        start_txn: attrs.name("start_txn"),
        ack_txn: attrs.name("ack_txn"),
        response_txn: attrs.name("response_txn"),
        text: attrs.required_cdata(),
    }
}

fn new_dialog(attrs: &mut Attrs<'_>) -> Option<Span> {
    let set = attrs.boolean("new_dialog", false);
    let attribute = attrs.raw("new_dialog").filter(|_| set)?;
    Some(attribute.name_span)
}

fn optional(attrs: &mut Attrs<'_>) -> Optionality {
    match attrs.choice("optional").map(|found| found.value) {
        Some("true") => Optionality::Optional,
        Some("global") => Optionality::Global,
        _ => Optionality::Mandatory,
    }
}

fn recv(attrs: &mut Attrs<'_>) -> Recv {
    let optional_known = attrs.raw("optional").is_none_or(|attribute| {
        schema::OPTIONAL
            .iter()
            .any(|word| word.as_bytes() == attribute.value.bytes())
    });
    let optional = optional(attrs);
    let advance_state = attrs.boolean("advance_state", true);
    if let Some(attribute) = attrs.raw("advance_state")
        && !advance_state
        && optional == Optionality::Mandatory
        && optional_known
    {
        let message = "`advance_state=\"false\"` on a mandatory `<recv>`";
        let error = Diagnostic::error(
            flow::ADVANCE_ON_MANDATORY,
            attribute.name_span.to(attribute.value.span()),
            message,
        );
        attrs.error(error.help("add `optional=\"true\"`"));
    }
    let (expect, shown_response) = expect(attrs);
    Recv {
        expect,
        shown_response,
        accept: attrs.text("accept"),
        response_txn: attrs.name("response_txn"),
        optional,
        advance_state,
        timeout_ms: attrs.milliseconds("timeout"),
        rrs: attrs.boolean("rrs", false),
        auth: attrs.boolean("auth", false),
    }
}

/// COMPAT(sipp): with both attributes `request` decides and `response` is only shown.
fn expect(attrs: &mut Attrs<'_>) -> (Expect, Option<Text>) {
    let pattern = attrs
        .text("regexp_match")
        .is_some_and(|text| text.bytes() == b"true");
    if !pattern
        && attrs
            .raw("regexp_match")
            .is_some_and(|attribute| attribute.value.bytes() != b"false")
    {
        attrs.no_effect("regexp_match", "unless it is exactly `true`");
    }
    let response = attrs.text("response");
    if let Some(request) = attrs.text("request") {
        if response.is_some() {
            attrs.no_effect("response", "beside `request` but to be shown");
        }
        let expect = if pattern {
            Expect::RequestRegex(request)
        } else {
            Expect::Request(request)
        };
        return (expect, response);
    }
    let Some(response) = response else {
        let message = "`<recv>` without `request` or `response` never matches";
        attrs.diags.push(Diagnostic::warning(
            flow::MATCHES_NOTHING,
            attrs.element.name_span,
            message,
        ));
        return (Expect::Nothing, None);
    };
    if pattern {
        return (Expect::ResponseRegex(response), None);
    }
    if let Some(codes) = code_list(&response) {
        return (Expect::ResponseRegex(codes), None);
    }
    let (code, whole) = leading_integer(response.bytes());
    if !whole {
        let message = format!("only `{code}` of `{}` is compared", quote(response.bytes()));
        let warning = Diagnostic::warning(flow::PARTIAL_STATUS_CODE, response.span(), message);
        attrs
            .diags
            .push(warning.help("for a pattern add `regexp_match=\"true\"`"));
    } else if !STATUS_CODES.contains(&code) {
        let message = format!("no response has the status code {code}");
        attrs.diags.push(Diagnostic::warning(
            flow::MATCHES_NOTHING,
            response.span(),
            message,
        ));
    }
    (Expect::Response(Spanned::new(code, response.span())), None)
}

/// `200,183`: any of these codes, as an expression. Of such a list SIPp compares the first code only
/// (docs/compat.md#lists-of-responses).
fn code_list(response: &Text) -> Option<Text> {
    let mut expression = Vec::new();
    let mut count = 0;
    for code in response.bytes().split(|byte| *byte == b',') {
        let code = code.trim_ascii();
        if !(code.len() == 3 && code.iter().all(u8::is_ascii_digit)) {
            return None;
        }
        if count > 0 {
            expression.push(b'|');
        }
        expression.extend_from_slice(code);
        count += 1;
    }
    let mut map = OffsetMap::default();
    map.push(0, response.span().start as usize);
    (count > 1).then(|| Text::new(expression, response.span(), map))
}

/// C's `atoi`, and whether that was the whole text.
fn leading_integer(text: &[u8]) -> (i64, bool) {
    let trimmed = text.trim_ascii_start();
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, trimmed),
    };
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let value = digits[..length].iter().fold(0i64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    (
        if negative { -value } else { value },
        length > 0 && length == digits.len(),
    )
}

fn timewait_ends(attrs: &mut Attrs<'_>) {
    for name in ["next", "ontimeout"] {
        if let Some(attribute) = attrs.raw(name) {
            let message = format!("`{name}` on `<timewait>`, where the call ends");
            attrs.error(Diagnostic::error(
                flow::TIMEWAIT_BRANCHES,
                attribute.name_span,
                message,
            ));
        }
    }
}

/// Rules about neighbours: `timewait` is last, and an optional step is followed by a mandatory one before anything
/// that is not a `recv`.
pub(super) fn check_order(steps: &[&Step], diags: &mut Diagnostics) {
    let mut optional_before = false;
    for pair in steps.windows(2) {
        let [step, next] = pair else { continue };
        let first_optional = !core::mem::take(&mut optional_before);
        let optional = match &step.kind {
            StepKind::Timewait(_) => {
                let error = Diagnostic::error(
                    flow::AFTER_TIMEWAIT,
                    next.span,
                    "a step follows `<timewait>`",
                );
                diags.push(error.with(step.span, "the call ends here"));
                continue;
            }
            StepKind::Recv(recv) => recv.optional,
            StepKind::RecvCmd(recv) => recv.optional,
            StepKind::Send(_) | StepKind::Pause(_) | StepKind::Nop | StepKind::SendCmd(_) => {
                continue;
            }
        };
        optional_before = optional != Optionality::Mandatory;
        let waits = matches!(next.kind, StepKind::Recv(_) | StepKind::RecvCmd(_));
        if !optional_before || waits {
            continue;
        }
        if first_optional && matches!(step.kind, StepKind::RecvCmd(_)) {
            diags.push(
                Diagnostic::warning(
                    flow::OPTIONAL_COMMAND_ALONE,
                    step.span,
                    "the call goes on without this command when its time is over",
                )
                .with(next.span, "no receive, so nothing else ends the wait")
                .note("without `timeout` it waits 250 ms"),
            );
        } else {
            let error = Diagnostic::error(
                flow::OPTIONAL_BEFORE_STEP,
                step.span,
                "an optional step is not followed by a mandatory one",
            );
            let error = error.with(next.span, "this step comes first");
            diags.push(error.help("make it mandatory, or add a mandatory `<recv>` behind it"));
        }
    }
}
