// SPDX-License-Identifier: AGPL-3.0-only
//! Reads thresholds.

use super::{Comparison, Counted, FIGURES, Figure, From, Metric, PARTS, PLAIN, Threshold, Timed};
use crate::make::reason_name;
use gossipper_control::FailReason;
use gossipper_control::measures::{FAILURE_CLASSES, class_place};

/// Longer signs before those that they begin with.
const SIGNS: [(&str, Comparison); 7] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Different),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

pub(super) fn threshold(text: &str) -> Result<Threshold, String> {
    let expression = text.trim().to_owned();
    let fault = |why: String| format!("threshold `{expression}`: {why}");
    let Some(at) = expression.find(['<', '>', '=', '!']) else {
        return Err(fault(
            "it needs a metric, one of < <= > >= == !=, and a value, as in `rtd.invite.p99 < 250ms`"
                .to_owned(),
        ));
    };
    let (left, right) = expression.split_at(at);
    let Some((sign, comparison)) = SIGNS.iter().find(|(sign, _)| right.starts_with(sign)) else {
        return Err(fault("there are < <= > >= == and !=".to_owned()));
    };
    let metric = metric(left.trim()).map_err(fault)?;
    let value = right[sign.len()..].trim();
    let value = metric.value(value).map_err(fault)?;
    Ok(Threshold {
        metric,
        comparison: *comparison,
        value,
        expression,
    })
}

fn metric(name: &str) -> Result<Metric, String> {
    let plain = |name: &str| PLAIN.iter().position(|(known, _)| *known == name);
    // What people of other tools write.
    let name = match name {
        "success" => "success_calls",
        "failed" => "failed_calls",
        "cps" => "calls_per_second",
        name => name,
    };
    if let Some(place) = plain(name) {
        return Ok(Metric::Count(Counted::Plain(place)));
    }
    if let Some((_, part)) = PARTS.iter().find(|(known, _)| *known == name) {
        return Ok(Metric::Ratio(*part));
    }
    if name == "calls_per_second" {
        return Ok(Metric::CallsPerSecond);
    }
    match name.split_once('.') {
        Some(("class", class)) => {
            let place = class_place(class).ok_or_else(|| {
                format!(
                    "`{class}` is no class of failures; there are {}",
                    FAILURE_CLASSES.join(", ")
                )
            })?;
            Ok(Metric::Count(Counted::Class(place)))
        }
        Some(("reason", name)) => {
            let reason = FailReason::ALL
                .iter()
                .find(|reason| reason_name(**reason) == name);
            let known = || {
                let names: Vec<_> = FailReason::ALL.iter().map(|r| reason_name(*r)).collect();
                format!(
                    "`{name}` is no reason of failures; there are {}",
                    names.join(", ")
                )
            };
            Ok(Metric::Count(Counted::Reason(*reason.ok_or_else(known)?)))
        }
        Some(("counter", name)) if !name.is_empty() => {
            Ok(Metric::Count(Counted::Counter(name.to_owned())))
        }
        _ => time(name),
    }
}

/// `rtd.invite.p99`, `step.3.sent.max`, `response.INVITE.200.avg`…
fn time(name: &str) -> Result<Metric, String> {
    let Some((rest, figure)) = figure(name) else {
        let is_time = |name: &str| time(&format!("{name}.p50")).is_ok();
        // Whoever has the time right is told the figures alone.
        return Err(match name.rsplit_once('.') {
            Some((what, last)) if is_time(what) => {
                format!("`{last}` is no figure of a time; there are {}", figures())
            }
            _ if is_time(name) => format!("`{name}` needs a figure; there are {}", figures()),
            _ => unknown(name),
        });
    };
    let (rest, from) = if let Some(rest) = rest.strip_suffix(".sent") {
        (rest, From::Sent)
    } else {
        (rest.strip_suffix(".due").unwrap_or(rest), From::Due)
    };
    let what = match rest.split_once('.').unwrap_or((rest, "")) {
        ("call_length", "") => Timed::CallLength,
        ("invite", "") => Timed::Invite,
        ("answer", "") => Timed::Answer,
        ("lateness", "") => Timed::Lateness,
        ("rtd", timer) if !timer.is_empty() => Timed::Rtd(timer.to_owned()),
        ("step", step) => {
            let index = step.parse();
            Timed::Step(
                index.map_err(|_| format!("`{step}` is no number of a step; the first is 0"))?,
            )
        }
        ("response", kind) => {
            let (method, code) = kind.split_once('.').unwrap_or((kind, ""));
            let code = code.parse().ok().filter(|code| (100..700).contains(code));
            let code = code.ok_or_else(|| {
                format!("`{kind}` is no method and code, as in `response.INVITE.200.p99`")
            })?;
            Timed::Response {
                method: method.to_owned(),
                code,
            }
        }
        _ => return Err(unknown(name)),
    };
    Ok(Metric::Time { what, from, figure })
}

/// What is before the figure at the end, and the figure.
fn figure(name: &str) -> Option<(&str, Figure)> {
    let before = |figure: &str| name.strip_suffix(figure)?.strip_suffix('.');
    if let Some(rest) = before("count") {
        return Some((rest, Figure::Count));
    }
    let figures = FIGURES.iter().enumerate();
    figures
        .flat_map(|(place, (names, _))| names.iter().map(move |name| (place, name)))
        .find_map(|(place, figure)| Some((before(figure)?, Figure::Time(place))))
}

fn unknown(name: &str) -> String {
    let counts: Vec<_> = PLAIN.iter().map(|(name, _)| *name).collect();
    let parts: Vec<_> = PARTS.iter().map(|(name, _)| *name).collect();
    format!(
        "`{name}` is no metric; there are {}, {}, calls_per_second, class.CLASS, reason.REASON, counter.NAME, and the \
         times rtd.NAME, call_length, invite, answer, lateness, step.N and response.METHOD.CODE, each with `.sent` or \
         `.due` if need be and one of {}",
        counts.join(", "),
        parts.join(", "),
        figures()
    )
}

fn figures() -> String {
    let figures: Vec<_> = FIGURES.iter().map(|(names, _)| names[0]).collect();
    format!(".{}, .count", figures.join(", ."))
}

impl Metric {
    /// Reads the value that it is compared with.
    fn value(&self, text: &str) -> Result<f64, String> {
        let number = |text: &str| {
            let number = text.trim().parse::<f64>().ok();
            number.filter(|number| number.is_finite() && *number >= 0.0)
        };
        match self {
            Self::Time {
                figure: Figure::Time(_),
                ..
            } => {
                // `ms` before `s`, which it ends with.
                let units = [
                    ("ns", 1.0),
                    ("us", 1e3),
                    ("µs", 1e3),
                    ("ms", 1e6),
                    ("s", 1e9),
                ];
                let mut units = units.iter();
                units
                    .find_map(|(unit, ns)| Some(number(text.strip_suffix(unit)?)? * ns))
                    .ok_or_else(|| {
                        format!("`{text}` is no time with a unit, as 250ms, 1.5s or 800us")
                    })
            }
            Self::Ratio(_) => match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|percent| percent / 100.0),
                None => number(text),
            }
            .filter(|part| *part <= 1.0)
            .ok_or_else(|| format!("`{text}` is no part of the whole, as 0.1% or 0.001")),
            Self::CallsPerSecond => {
                number(text).ok_or_else(|| format!("`{text}` is no number, as 99.5"))
            }
            Self::Count(_) | Self::Time { .. } => text
                .parse::<u64>()
                .map(|count| count as f64)
                .map_err(|_| format!("`{text}` is no count, as 0 or 1000")),
        }
    }
}
