// SPDX-License-Identifier: AGPL-3.0-only
//! The `<action>` block of a step, and every action of SIPp's language.
//!
//! An action with a fault becomes [`ActionKind::Poisoned`] with the variables it names, so that a later phase does
//! not call them unused.

use super::attrs::{Attrs, warn_cdata, warn_children};
use super::pairs;
use crate::ast::{
    Action, ActionKind, Actions, ArithOp, Check, Compare, Exec, HeaderSearch, IntCmd, MediaWord,
    Name, Operand, SearchIn, TextOperand,
};
use crate::diag::codes::{action as code, structure};
use crate::diag::{Diagnostic, Diagnostics, quote, suggest};
use crate::schema;
use crate::source::Spanned;
use crate::xml::Element;
use gossipper_bytecode::media::MediaStream;

/// Most variables an `ereg` can fill: the whole match and nine groups.
const MAX_TARGETS: usize = 10;

/// The `<action>` block of a step.
///
/// COMPAT(sipp): only the first child element is looked at.
pub(super) fn actions(step: &Element, diags: &mut Diagnostics) -> Option<Actions> {
    let is_block = |child: &Element| child.name == "action";
    let (first, rest) = step.children.split_first()?;
    if !is_block(first) {
        for child in &step.children {
            diags.push(ignored(step, child, first));
        }
        return None;
    }
    for child in rest {
        if is_block(child) {
            let error = Diagnostic::error(
                structure::DUPLICATE_ACTION,
                child.name_span,
                "a step has one `<action>` block",
            );
            diags.push(error.with(first.name_span, "this is the first"));
        } else {
            diags.push(ignored(step, child, first));
        }
    }
    warn_cdata(first, diags);
    let list = first
        .children
        .iter()
        .map(|child| action(child, diags))
        .collect();
    Some(Actions {
        span: first.name_span,
        list,
    })
}

fn ignored(step: &Element, child: &Element, first: &Element) -> Diagnostic {
    let name = quote(child.name.as_bytes());
    if child.name == "action" {
        let message = "`<action>` is not the first element of its step and is ignored";
        return Diagnostic::warning(structure::ACTION_NOT_FIRST, child.name_span, message)
            .with(first.name_span, "this one comes first");
    }
    let message = format!(
        "`<{name}>` in `<{}>` is ignored",
        quote(step.name.as_bytes())
    );
    let found = Diagnostic::warning(structure::CHILD_IGNORED, child.name_span, message);
    if schema::action(&child.name).is_some() {
        found.help("actions stand in the `<action>` block of the step")
    } else if schema::element(&child.name).is_some() {
        found.help(format!(
            "is the end tag `</{}>` missing?",
            quote(step.name.as_bytes())
        ))
    } else {
        found
    }
}

fn action(element: &Element, diags: &mut Diagnostics) -> Action {
    let span = element.name_span;
    let Some(spec) = schema::action(&element.name) else {
        let message = format!("unknown action `<{}>`", quote(element.name.as_bytes()));
        let near = suggest::nearest(
            &element.name,
            schema::ACTIONS.iter().map(|known| known.name),
        );
        diags.push(Diagnostic::error(code::UNKNOWN_ACTION, span, message).did_you_mean(near));
        return Action {
            span,
            kind: ActionKind::Poisoned {
                mentions: poison_mentions(element),
            },
        };
    };
    warn_cdata(element, diags);
    warn_children(element, diags);
    let mut attrs = Attrs::new(element, spec, diags);
    let kind = kind(spec.name, &mut attrs);
    let kind = match kind {
        Some(kind) if !attrs.is_poisoned() => kind,
        _ => ActionKind::Poisoned {
            mentions: attrs.into_mentions(),
        },
    };
    Action { span, kind }
}

/// Variables that an unknown action seems to name.
fn poison_mentions(element: &Element) -> Vec<Name> {
    let named = element.attributes.iter().filter(|attribute| {
        matches!(
            attribute.name.as_str(),
            "assign_to" | "variable" | "variable2"
        )
    });
    named
        .flat_map(|attribute| {
            let span = attribute.value.span();
            attribute
                .value
                .bytes()
                .split(|byte| *byte == b',')
                .map(move |name| Name {
                    bytes: name.to_vec(),
                    span,
                })
        })
        .collect()
}

/// Reads an action of the schema; `None` when something it needs is missing, which is then reported.
fn kind(name: &str, attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    Some(match name {
        "ereg" => return ereg(attrs),
        "log" => ActionKind::Log(attrs.required_text("message")?),
        "warning" => ActionKind::Warning(attrs.required_text("message")?),
        "error" => ActionKind::Error(attrs.required_text("message")?),
        "assign" => {
            let (to, from) = (attrs.required_variable("assign_to"), operand(attrs));
            ActionKind::Assign {
                to: to?,
                from: from?,
            }
        }
        "assignstr" => {
            let (to, value) = (
                attrs.required_variable("assign_to"),
                attrs.required_text("value"),
            );
            ActionKind::AssignStr {
                to: to?,
                value: value?,
            }
        }
        "gettimeofday" => return time_of_day(attrs),
        "index" => ActionKind::Index {
            to: attrs.required_variable("assign_to")?,
        },
        "jump" => ActionKind::Jump(operand(attrs)?),
        "pauserestore" => ActionKind::PauseRestore(operand(attrs)?),
        "add" => return arithmetic(ArithOp::Add, attrs),
        "subtract" => return arithmetic(ArithOp::Subtract, attrs),
        "multiply" => return arithmetic(ArithOp::Multiply, attrs),
        "divide" => return arithmetic(ArithOp::Divide, attrs),
        "sample" => {
            let to = attrs.required_variable("assign_to");
            let (distribution, seed) = pairs::sample(attrs)?;
            ActionKind::Sample {
                to: to?,
                distribution,
                seed,
            }
        }
        "todouble" => {
            let (to, from) = (
                attrs.required_variable("assign_to"),
                attrs.required_variable("variable"),
            );
            ActionKind::ToDouble {
                to: to?,
                from: from?,
            }
        }
        "test" => return test(attrs),
        "strcmp" => return string_compare(attrs),
        "trim" => ActionKind::Trim {
            variable: attrs.required_variable("assign_to")?,
        },
        "urlencode" => ActionKind::UrlEncode {
            variable: attrs.required_variable("variable")?,
        },
        "urldecode" => ActionKind::UrlDecode {
            variable: attrs.required_variable("variable")?,
        },
        "verifyauth" => {
            let to = attrs.required_variable("assign_to");
            let (username, password) = (
                attrs.required_text("username"),
                attrs.required_text("password"),
            );
            ActionKind::VerifyAuth {
                to: to?,
                username: username?,
                password: password?,
            }
        }
        "lookup" => {
            let to = attrs.required_variable("assign_to");
            let (file, key) = (attrs.required_text("file"), attrs.required_text("key"));
            ActionKind::Lookup {
                to: to?,
                file: file?,
                key: key?,
            }
        }
        "insert" => return pairs::insert(attrs),
        "replace" => return pairs::replace(attrs),
        "setdest" => {
            let (host, port) = (attrs.required_text("host"), attrs.required_text("port"));
            ActionKind::SetDest {
                host: host?,
                port: port?,
                protocol: attrs.required_text("protocol")?,
            }
        }
        "closecon" => ActionKind::CloseCon,
        "exec" => return exec(attrs).map(ActionKind::Exec),
        "rtp_echo" => ActionKind::RtpEcho(operand(attrs)?),
        other => {
            debug_assert!(false, "{other} is in the schema and not here");
            return None;
        }
    })
}

/// `value` or `variable`, exactly one of them.
fn operand(attrs: &mut Attrs<'_>) -> Option<Operand> {
    if one_of(attrs, "value", "variable") {
        attrs.double("value").map(Operand::Literal)
    } else {
        attrs.variable("variable").map(Operand::Variable)
    }
}

/// Checks that exactly one of two attributes is there; whether it is the first.
fn one_of(attrs: &mut Attrs<'_>, first: &str, second: &str) -> bool {
    match (attrs.raw(first), attrs.raw(second)) {
        (Some(a), Some(b)) => {
            let message = format!("both `{first}` and `{second}` are given");
            let error = Diagnostic::error(code::VALUE_OR_VARIABLE, b.name_span, message);
            attrs.error(error.with(a.name_span, "the other one"));
            // The name counts as a mention all the same.
            attrs.variable(second);
            true
        }
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => {
            let message = format!("neither `{first}` nor `{second}` is given");
            attrs.error(Diagnostic::error(
                code::VALUE_OR_VARIABLE,
                attrs.element.name_span,
                message,
            ));
            false
        }
    }
}

fn check(attrs: &mut Attrs<'_>) -> Check {
    if let (Some(must), Some(inverse)) = (attrs.raw("check_it"), attrs.raw("check_it_inverse")) {
        let message = "both `check_it` and `check_it_inverse` are given";
        let error = Diagnostic::error(code::CHECKED_TWICE, inverse.name_span, message);
        attrs.error(error.with(must.name_span, "the other one"));
        return Check::None;
    }
    if attrs.boolean("check_it", false) {
        Check::Must
    } else if attrs.boolean("check_it_inverse", false) {
        Check::MustNot
    } else {
        Check::None
    }
}

/// A target that may be left out where a check makes use of the result.
fn target(attrs: &mut Attrs<'_>) -> Option<Name> {
    if !attrs.has("assign_to") && !attrs.has("check_it") && !attrs.has("check_it_inverse") {
        attrs.missing("`assign_to`, and no `check_it` that would use the result");
    }
    attrs.variable("assign_to")
}

fn ereg(attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    let regexp = attrs.required_text("regexp");
    let assign_to = attrs.required_variables("assign_to");
    if let Some(surplus) = assign_to.as_ref().and_then(|names| names.get(MAX_TARGETS)) {
        let message = format!("more than {MAX_TARGETS} variables for one expression");
        attrs.error(
            Diagnostic::error(code::TOO_MANY_TARGETS, surplus.span, message)
                .note("the first gets the whole match, at most nine more get groups"),
        );
    }
    let check = check(attrs);
    let place = match attrs.choice("search_in") {
        Some(found) => found.value,
        None if attrs.has("search_in") => return None,
        None => "msg",
    };
    if place != "hdr" {
        for name in [
            "header",
            "occurrence",
            "occurence",
            "start_line",
            "case_indep",
        ] {
            attrs.no_effect(name, "unless `search_in` is `hdr`");
        }
    }
    if place != "var" {
        attrs.no_effect("variable", "unless `search_in` is `var`");
    }
    let search_in = match place {
        "hdr" => header_search(attrs).map(SearchIn::Header),
        "body" => Some(SearchIn::Body),
        "var" => attrs.required_variable("variable").map(SearchIn::Variable),
        _ => Some(SearchIn::Message),
    };
    Some(ActionKind::Ereg {
        regexp: regexp?,
        assign_to: assign_to?,
        search_in: search_in?,
        check,
    })
}

fn header_search(attrs: &mut Attrs<'_>) -> Option<HeaderSearch> {
    let header = attrs.required_text("header");
    let start_line = attrs.boolean("start_line", false);
    let case_indep = attrs.boolean("case_indep", false);
    if attrs.has("occurrence") {
        attrs.no_effect("occurence", "beside `occurrence`");
    }
    let occurrence = attrs
        .integer("occurrence")
        .or_else(|| attrs.integer("occurence"));
    Some(HeaderSearch {
        header: header?,
        start_line,
        case_indep,
        occurrence: occurrence.map_or(1, |n| n.value),
    })
}

fn time_of_day(attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    let names = attrs.required_variables("assign_to")?;
    match <[Name; 2]>::try_from(names) {
        Ok([seconds, microseconds]) => Some(ActionKind::GetTimeOfDay {
            seconds,
            microseconds,
        }),
        Err(names) => {
            let span = attrs
                .raw("assign_to")
                .map_or(attrs.element.name_span, |attribute| attribute.value.span());
            let message = format!("`gettimeofday` needs two targets and has {}", names.len());
            let error = Diagnostic::error(code::TWO_TARGETS_NEEDED, span, message);
            attrs.error(
                error.help("name one for the seconds and one for the microseconds: `\"s,us\"`"),
            );
            None
        }
    }
}

fn arithmetic(op: ArithOp, attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    let (to, by) = (attrs.required_variable("assign_to"), operand(attrs));
    if let (ArithOp::Divide, Some(Operand::Literal(divisor))) = (op, &by)
        && divisor.value == 0.0
    {
        attrs.error(Diagnostic::error(
            code::DIVIDE_BY_ZERO,
            divisor.span,
            "division by zero",
        ));
    }
    Some(ActionKind::Arith {
        op,
        to: to?,
        by: by?,
    })
}

fn test(attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    let left = attrs.required_variable("variable");
    let right = if one_of(attrs, "value", "variable2") {
        attrs.double("value").map(Operand::Literal)
    } else {
        attrs.variable("variable2").map(Operand::Variable)
    };
    if !attrs.has("compare") {
        attrs.missing("`compare`");
    }
    let compare = attrs.choice("compare").map(|found| match found.value {
        "equal" | "eq" => Compare::Equal,
        "not_equal" | "ne" => Compare::NotEqual,
        "greater_than" | "gt" => Compare::GreaterThan,
        "less_than" | "lt" => Compare::LessThan,
        "greater_than_equal" | "ge" | "gte" => Compare::GreaterThanEqual,
        _ => Compare::LessThanEqual,
    });
    let (to, check) = (target(attrs), check(attrs));
    Some(ActionKind::Test {
        left: left?,
        compare: compare?,
        right: right?,
        to,
        check,
    })
}

fn string_compare(attrs: &mut Attrs<'_>) -> Option<ActionKind> {
    let left = attrs.required_variable("variable");
    let right = if one_of(attrs, "value", "variable2") {
        attrs.text("value").map(TextOperand::Literal)
    } else {
        attrs.variable("variable2").map(TextOperand::Variable)
    };
    let (to, check) = (target(attrs), check(attrs));
    Some(ActionKind::StrCmp {
        left: left?,
        right: right?,
        to,
        check,
    })
}

/// The media attributes of `<exec>`, in the order SIPp looks for them.
const MEDIA: [(&str, MediaWord); 9] = [
    ("play_pcap_audio", MediaWord::PlayPcap(MediaStream::Audio)),
    ("play_pcap_image", MediaWord::PlayPcap(MediaStream::Image)),
    ("play_pcap_video", MediaWord::PlayPcap(MediaStream::Video)),
    ("play_dtmf", MediaWord::PlayDtmf),
    ("rtp_stream", MediaWord::RtpStream),
    ("rtp_echo", MediaWord::RtpEcho),
    ("send_dtmf", MediaWord::SendDtmf),
    ("rtp_record", MediaWord::RtpRecord),
    ("rtpcheck", MediaWord::RtpCheck),
];

fn exec(attrs: &mut Attrs<'_>) -> Option<Exec> {
    let mut found = None;
    let names = ["command", "int_cmd"]
        .into_iter()
        .chain(MEDIA.iter().map(|(name, _)| *name));
    for name in names {
        if !attrs.has(name) {
            continue;
        }
        match found {
            None => found = Some(name),
            Some(first) => attrs.no_effect(name, &format!("beside `{first}`")),
        }
    }
    let Some(name) = found else {
        let error = Diagnostic::error(
            code::NOTHING_TO_EXECUTE,
            attrs.element.name_span,
            "`exec` has nothing to execute",
        );
        attrs.error(error.help("give it a `command`, an `int_cmd` or a media attribute"));
        return None;
    };
    if name == "int_cmd" {
        return internal_command(attrs).map(Exec::IntCmd);
    }
    match MEDIA.iter().find(|(known, _)| *known == name) {
        Some((_, word)) => attrs.text(name).map(|text| Exec::Media(*word, text)),
        None => attrs.text(name).map(Exec::Command),
    }
}

/// COMPAT(sipp): any other value acts as `stop_call`.
fn internal_command(attrs: &mut Attrs<'_>) -> Option<Spanned<IntCmd>> {
    let text = attrs.text("int_cmd")?;
    let command = match text.bytes() {
        b"stop_now" => IntCmd::StopNow,
        b"stop_gracefully" => IntCmd::StopGracefully,
        b"stop_call" => IntCmd::StopCall,
        other => {
            let message = format!(
                "unknown internal command `{}` acts as `stop_call`",
                quote(other)
            );
            let near = suggest::nearest(&text.display(), schema::INT_CMD.iter().copied());
            attrs.diags.push(
                Diagnostic::warning(code::UNKNOWN_INT_CMD, text.span(), message).did_you_mean(near),
            );
            IntCmd::StopCall
        }
    };
    Some(Spanned::new(command, text.span()))
}
