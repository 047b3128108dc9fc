// SPDX-License-Identifier: AGPL-3.0-only
//! `-threshold 'rtd.invite.p99 < 250ms'`: what is asked of a run, read, checked against the scenario, and judged.
//!
//! A time without samples holds for nothing: a threshold on it fails. Grammar and metrics: docs/results.md.

use crate::latency::{Latency, Timing};
use crate::make::{ratio, reason_name};
use crate::summary::Summary;
use gossipper_control::FailReason;
use gossipper_control::measures::FAILURE_CLASSES;
use std::fmt::Write as _;

mod read;

/// Samples of a time, or calls that have ended, before a threshold may end a run.
const ENOUGH: u64 = 100;

/// What is asked of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    expression: String,
    metric: Metric,
    comparison: Comparison,
    /// Nanoseconds, a count, or a part of one.
    value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Different,
}

#[derive(Debug, Clone, PartialEq)]
enum Metric {
    Count(Counted),
    Ratio(Part),
    CallsPerSecond,
    Time {
        what: Timed,
        from: From,
        figure: Figure,
    },
}

/// Something counted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Counted {
    Plain(usize),
    Class(usize),
    Reason(FailReason),
    Counter(String),
}

/// Counts of the whole run, by name.
type Plain = (&'static str, fn(&Summary) -> u64);

const PLAIN: [Plain; 17] = [
    ("calls", |s| s.total_calls),
    ("success_calls", |s| s.success_calls),
    ("failed_calls", |s| s.failed_calls),
    ("active_calls", |s| s.active_calls),
    ("peak_calls", |s| s.run.peak_calls),
    ("retransmits", |s| s.retransmits),
    ("timeouts", |s| s.timeouts),
    ("unexpected", |s| s.messages.unexpected),
    ("sent", |s| s.messages.sent),
    ("received", |s| s.messages.received),
    ("warnings", |s| s.messages.warnings),
    ("held_back", |s| s.run.held_back),
    ("dropped_unread", |s| s.network.recv_dropped),
    ("dropped_logs", |s| s.dropped_logs),
    ("rtp_packets_sent", |s| s.media.rtp_packets_sent),
    ("rtp_packets_received", |s| s.media.rtp_packets_received),
    ("rtp_patterns_failed", |s| s.media.patterns.failed),
];

/// Something per something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Failed,
    Success,
    Retransmitted,
}

const PARTS: [(&str, Part); 3] = [
    ("failed_ratio", Part::Failed),
    ("success_ratio", Part::Success),
    ("retransmit_ratio", Part::Retransmitted),
];

/// Which time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Timed {
    Rtd(String),
    CallLength,
    Invite,
    Answer,
    Lateness,
    Step(usize),
    Response { method: String, code: u16 },
}

/// From when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Due,
    Sent,
}

/// Which figure of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Count,
    /// Place in [`FIGURES`].
    Time(usize),
}

type TimeFigure = (&'static [&'static str], fn(&Timing) -> u64);

const FIGURES: [TimeFigure; 13] = [
    (&["p50", "median"], |t| t.p50),
    (&["p75"], |t| t.p75),
    (&["p90"], |t| t.p90),
    (&["p95"], |t| t.p95),
    (&["p98"], |t| t.p98),
    (&["p99"], |t| t.p99),
    (&["p99.5", "p995"], |t| t.p995),
    (&["p99.9", "p999"], |t| t.p999),
    (&["p99.99", "p9999"], |t| t.p9999),
    (&["avg", "average", "mean"], |t| t.average),
    (&["min"], |t| t.min),
    (&["max"], |t| t.max),
    (&["stddev"], |t| t.stddev),
];

/// What was found of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    /// `None` without samples.
    value: Option<f64>,
    /// How much it rests on.
    samples: u64,
}

impl Threshold {
    /// Reads one.
    ///
    /// # Errors
    /// Says what is wrong, and what there is in its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        read::threshold(text)
    }

    /// As it was given.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Whether it needs times to be measured.
    #[must_use]
    pub fn needs_times(&self) -> bool {
        matches!(self.metric, Metric::Time { .. })
    }

    /// Checks it against a summary in which the scenario's timers, counters and steps have their names: that of a run which
    /// is about to begin.
    ///
    /// # Errors
    /// Says what the scenario does not have.
    pub fn check<'a>(
        &self,
        timers: impl IntoIterator<Item = &'a str>,
        counters: impl IntoIterator<Item = &'a str>,
        steps: usize,
    ) -> Result<(), String> {
        let missing = |kind: &str, name: &str, known: Vec<&str>| {
            let known = if known.is_empty() {
                format!("it has no {kind}")
            } else {
                format!("it has {}", known.join(", "))
            };
            Err(format!(
                "threshold `{}`: the scenario has no {kind} `{name}`; {known}",
                self.expression
            ))
        };
        match &self.metric {
            Metric::Time {
                what: Timed::Rtd(name),
                ..
            } => {
                let known: Vec<_> = timers.into_iter().collect();
                // The time from INVITE to its answer is there for everybody.
                if name == "invite" || known.contains(&name.as_str()) {
                    return Ok(());
                }
                missing("response-time timer", name, known)
            }
            Metric::Count(Counted::Counter(name)) => {
                let known: Vec<_> = counters.into_iter().collect();
                if known.contains(&name.as_str()) {
                    return Ok(());
                }
                missing("counter", name, known)
            }
            Metric::Time {
                what: Timed::Step(step),
                ..
            } if *step >= steps => Err(format!(
                "threshold `{}`: the scenario has {steps} steps, counted from 0",
                self.expression
            )),
            _ => Ok(()),
        }
    }

    /// Whether it holds, and what was found in words.
    #[must_use]
    pub fn judge(&self, summary: &Summary) -> (bool, String) {
        match self.find(summary).value {
            Some(value) => (self.holds(value), self.words(value)),
            None => (false, "no samples".to_owned()),
        }
    }

    /// Whether it is lost already: a count that only grows is beyond its limit, or a time or a ratio that rests on
    /// enough is.
    #[must_use]
    pub fn is_lost(&self, summary: &Summary) -> bool {
        let found = self.find(summary);
        let Some(value) = found.value.filter(|value| !self.holds(*value)) else {
            return false;
        };
        let grows = match &self.metric {
            Metric::Count(Counted::Plain(place)) => PLAIN[*place].0 != "active_calls",
            Metric::Count(_) => true,
            Metric::Time {
                figure: Figure::Count,
                ..
            } => true,
            // The rate of a run that has just begun says nothing.
            Metric::CallsPerSecond => return false,
            Metric::Ratio(_) | Metric::Time { .. } => return found.samples >= ENOUGH,
        };
        grows
            && match self.comparison {
                Comparison::Less | Comparison::AtMost => true,
                Comparison::Equal => value > self.value,
                Comparison::More | Comparison::AtLeast | Comparison::Different => false,
            }
    }

    fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Less => value < self.value,
            Comparison::AtMost => value <= self.value,
            Comparison::More => value > self.value,
            Comparison::AtLeast => value >= self.value,
            Comparison::Equal => value == self.value,
            Comparison::Different => value != self.value,
        }
    }

    fn find(&self, summary: &Summary) -> Found {
        let found = |value: f64, samples| Found {
            value: Some(value),
            samples,
        };
        let none = Found {
            value: None,
            samples: 0,
        };
        match &self.metric {
            Metric::Count(counted) => {
                let count = counted.count(summary);
                found(count as f64, count)
            }
            Metric::Ratio(part) => {
                let (part, of) = match part {
                    Part::Failed => (summary.failed_calls, summary.finished_calls()),
                    Part::Success => (summary.success_calls, summary.finished_calls()),
                    Part::Retransmitted => (summary.retransmits, summary.messages.sent),
                };
                if of == 0 {
                    return none;
                }
                found(ratio(part, of), of)
            }
            Metric::CallsPerSecond => found(summary.calls_per_second, summary.total_calls),
            Metric::Time { what, from, figure } => {
                let timing = what.latency(summary).map(|latency| match from {
                    From::Sent => &latency.sent,
                    From::Due => latency.due.as_ref().unwrap_or(&latency.sent),
                });
                let count = timing.map_or(0, |timing| timing.count);
                match (figure, timing) {
                    (Figure::Count, _) => found(count as f64, count),
                    (Figure::Time(place), Some(timing)) if count > 0 => {
                        found(FIGURES[*place].1(timing) as f64, count)
                    }
                    (Figure::Time(_), _) => none,
                }
            }
        }
    }

    fn words(&self, value: f64) -> String {
        match self.metric {
            Metric::Count(_)
            | Metric::Time {
                figure: Figure::Count,
                ..
            } => format!("{value:.0}"),
            Metric::Ratio(_) => format!("{:.4}%", value * 100.0),
            Metric::CallsPerSecond => format!("{value:.2}"),
            Metric::Time { .. } => {
                let mut words = String::new();
                // Writing to memory cannot fail.
                let _ = write!(words, "{:.3}ms", value / 1e6);
                words
            }
        }
    }
}

impl Counted {
    fn count(&self, summary: &Summary) -> u64 {
        let of = |counts: &crate::summary::Counts, name: &str| counts.get(name).copied();
        match self {
            Self::Plain(place) => PLAIN[*place].1(summary),
            Self::Class(place) => {
                of(&summary.failure_classes, FAILURE_CLASSES[*place]).unwrap_or(0)
            }
            Self::Reason(reason) => {
                of(&summary.failure_reasons, &reason_name(*reason)).unwrap_or(0)
            }
            Self::Counter(name) => of(&summary.counters, name).unwrap_or(0),
        }
    }
}

impl Timed {
    fn latency<'a>(&self, summary: &'a Summary) -> Option<&'a Latency> {
        match self {
            Self::Rtd(name) => summary
                .rtd
                .get(name)
                .or_else(|| (name == "invite").then_some(&summary.invite_rtt)),
            Self::CallLength => Some(&summary.call_length),
            Self::Invite => Some(&summary.invite_rtt),
            Self::Answer => Some(&summary.answer),
            Self::Lateness => Some(&summary.lateness),
            Self::Step(index) => {
                let mut steps = summary.steps.iter();
                steps.find(|step| step.index == *index)?.latency.as_ref()
            }
            Self::Response { method, code } => {
                let mut responses = summary.responses.iter();
                let found = responses
                    .find(|response| response.method == *method && response.code == *code)?;
                Some(&found.latency)
            }
        }
    }
}

#[cfg(test)]
mod tests;
