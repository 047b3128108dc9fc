// SPDX-License-Identifier: AGPL-3.0-only
//! Health gates and thresholds together: whether a run is what was asked for, and what a person should read first.

use crate::make::ratio;
use crate::summary::{Health, Media, Summary, ThresholdResult};
use crate::threshold::Threshold;

/// Lateness of the generator that is worth a word, in ns.
const LATE: u64 = 10_000_000;

/// Classes of failures that are named.
const TOP: usize = 3;

/// What is asked of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gates {
    /// `-health_min_success_ratio`.
    pub min_success_ratio: Option<f64>,
    /// `-health_max_failed_calls`.
    pub max_failed_calls: Option<u64>,
    /// `-health_max_timeouts`.
    pub max_timeouts: Option<u64>,
    /// `-health_max_rtcp_fraction_lost`.
    pub max_fraction_lost: Option<f64>,
    /// `-health_max_rtcp_jitter_ts`.
    pub max_jitter_ts: Option<u64>,
    /// `-health_min_rtp_packets_recv`.
    pub min_rtp_received: Option<u64>,
    /// `-health_min_rtp_packets_recv_per_call`.
    pub min_rtp_received_per_call: Option<u64>,
    /// `-threshold`.
    pub thresholds: Vec<Threshold>,
}

impl Gates {
    /// Whether anything is asked.
    #[must_use]
    pub fn active(&self) -> bool {
        *self != Self::default()
    }

    /// The first threshold that is lost already, whatever is still to come.
    #[must_use]
    pub fn lost(&self, summary: &Summary) -> Option<&Threshold> {
        self.thresholds
            .iter()
            .find(|threshold| threshold.is_lost(summary))
    }

    /// What of its media is not as it should be.
    fn media(&self, media: &Media) -> Vec<String> {
        let mut reasons = Vec::new();
        let lost = media.rtcp_max_fraction_lost.unwrap_or(0.0);
        if let Some(most) = self.max_fraction_lost
            && lost > most
        {
            reasons.push(format!(
                "rtcp_max_fraction_lost {lost:.4} exceeds maximum {most:.4}"
            ));
        }
        let jitter = media.rtcp_max_jitter_ts.unwrap_or(0);
        if let Some(most) = self.max_jitter_ts
            && jitter > most
        {
            reasons.push(format!(
                "rtcp_max_jitter_ts {jitter} exceeds maximum {most}"
            ));
        }
        let received = media.rtp_packets_received;
        if let Some(least) = self.min_rtp_received
            && received < least
        {
            reasons.push(format!(
                "rtp_packets_received {received} below minimum {least}"
            ));
        }
        if let Some(least) = self.min_rtp_received_per_call {
            match media.per_call_min_rtp_packets_received {
                None => {
                    reasons.push("per-call RTP recv gate: no calls observed inbound RTP".to_owned())
                }
                Some(received) if received < least => reasons.push(format!(
                    "per_call_min_rtp_packets_received {received} below minimum {least}"
                )),
                Some(_) => {}
            }
        }
        reasons
    }

    /// Writes into the summary what it is worth. `aborted_by` is the expression of the threshold that ended the run.
    pub fn judge(&self, summary: &mut Summary, aborted_by: Option<&str>) {
        let mut reasons = Vec::new();
        if let Some(least) = self.min_success_ratio
            && summary.success_ratio < least
        {
            reasons.push(format!(
                "success_ratio {:.4} below minimum {least:.4}",
                summary.success_ratio
            ));
        }
        if let Some(most) = self.max_failed_calls
            && summary.failed_calls > most
        {
            let failed = summary.failed_calls;
            reasons.push(format!("failed_calls {failed} exceeds maximum {most}"));
        }
        if let Some(most) = self.max_timeouts
            && summary.timeouts > most
        {
            let timeouts = summary.timeouts;
            reasons.push(format!("timeouts {timeouts} exceeds maximum {most}"));
        }
        reasons.extend(self.media(&summary.media));
        let judged = self.thresholds.iter().map(|threshold| {
            let (holds, found) = threshold.judge(summary);
            let aborted = aborted_by == Some(threshold.expression());
            ThresholdResult {
                expression: threshold.expression().to_owned(),
                // Whatever the rest of the calls made of it: it was not held.
                pass: holds && !aborted,
                found,
                aborted,
            }
        });
        let judged: Vec<_> = judged.collect();
        for threshold in judged.iter().filter(|threshold| !threshold.pass) {
            let ended = if threshold.aborted {
                ", which ended the run"
            } else {
                ""
            };
            reasons.push(format!(
                "threshold `{}` not held: {}{ended}",
                threshold.expression, threshold.found
            ));
        }
        summary.thresholds = judged;
        summary.health = Health {
            active: self.active(),
            pass: reasons.is_empty(),
            reasons,
        };
        summary.findings = findings(summary);
    }
}

fn findings(summary: &Summary) -> Vec<String> {
    let mut findings = Vec::new();
    if summary.health.active {
        findings.push(if summary.health.pass {
            "Health check: PASS".to_owned()
        } else {
            let reasons = summary.health.reasons.join("; ");
            format!("Health check: FAIL — {reasons}")
        });
    }
    if summary.total_calls == 0 {
        findings.push("No calls were started.".to_owned());
    } else {
        findings.push(format!(
            "Calls: total={} finished={} success={} failed={} (success {:.2}% of total).",
            summary.total_calls,
            summary.finished_calls(),
            summary.success_calls,
            summary.failed_calls,
            ratio(summary.success_calls, summary.total_calls) * 100.0
        ));
    }
    if summary.timeouts > 0 {
        findings.push(format!("SIP timeouts: {}", summary.timeouts));
    }
    let mut classes: Vec<_> = summary.failure_classes.iter().collect();
    classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    if !classes.is_empty() {
        let named = classes.iter().take(TOP);
        let named: Vec<_> = named
            .map(|(class, count)| format!("{class}={count}"))
            .collect();
        findings.push(format!("Top failure classes: {}", named.join(", ")));
    }
    if let Some(lost) = summary.media.rtcp_max_fraction_lost {
        let jitter = summary.media.reported.unwrap_or_default().jitter_ms_max;
        findings.push(format!(
            "RTCP QoS: max_fraction_lost={lost:.4} max_jitter_ms={jitter:.2}"
        ));
    }
    if summary.lateness.sent.p99 >= LATE {
        findings.push(format!(
            "The generator was late: p99 {:.1} ms, most {:.1} ms. Times from due have it in them, times from sending do not.",
            summary.lateness.sent.p99 as f64 / 1e6,
            summary.lateness.sent.max as f64 / 1e6
        ));
    }
    for (what, ns) in summary.limited.iter().filter(|(_, ns)| **ns > 0) {
        let why = match what.as_str() {
            "cpu" => "the processor",
            "send_buffer" => "a full send buffer",
            "recv_buffer" => "a full receive buffer",
            "open_calls" => "the limit of open calls",
            other => other,
        };
        findings.push(format!(
            "The generator was limited by {why} for {:.2} s.",
            *ns as f64 / 1e9
        ));
    }
    if summary.dropped_logs > 0 {
        findings.push(format!(
            "Records of logs that are lost: {}",
            summary.dropped_logs
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{Latency, Timing};

    fn summary() -> Summary {
        Summary {
            total_calls: 100,
            success_calls: 90,
            failed_calls: 8,
            active_calls: 2,
            success_ratio: 90.0 / 98.0,
            timeouts: 3,
            failure_classes: [
                ("cancelled", 1),
                ("scenario_error", 2),
                ("timeout", 4),
                ("unexpected_sip", 1),
            ]
            .map(|(class, count)| (class.to_owned(), count))
            .into(),
            lateness: Latency {
                sent: Timing {
                    p99: 12_340_000,
                    max: 99_900_000,
                    ..Timing::default()
                },
                due: None,
            },
            limited: [("cpu".to_owned(), 1_500_000_000)].into(),
            dropped_logs: 7,
            ..Summary::default()
        }
    }

    fn judged(gates: &Gates, aborted_by: Option<&str>) -> Summary {
        let mut summary = summary();
        gates.judge(&mut summary, aborted_by);
        summary
    }

    #[test]
    fn gates_that_hold_pass_and_none_is_no_gate() {
        let none = judged(&Gates::default(), None);
        assert!(!none.health.active && none.health.pass);
        assert!(!none.findings.iter().any(|line| line.contains("Health")));
        let gates = Gates {
            min_success_ratio: Some(0.9),
            max_failed_calls: Some(8),
            max_timeouts: Some(3),
            thresholds: vec![Threshold::parse("failed_ratio < 9%").expect("read")],
            ..Gates::default()
        };
        let all = judged(&gates, None);
        assert!(
            all.health.active && all.health.pass,
            "{:?}",
            all.health.reasons
        );
        assert_eq!(all.findings[0], "Health check: PASS");
    }

    #[test]
    fn what_does_not_hold_is_said_everywhere_in_the_same_words() {
        let gates = Gates {
            min_success_ratio: Some(0.95),
            max_failed_calls: Some(0),
            max_timeouts: Some(2),
            thresholds: vec![
                Threshold::parse("failed_ratio < 1%").expect("read"),
                Threshold::parse("timeouts < 9").expect("read"),
            ],
            ..Gates::default()
        };
        let summary = judged(&gates, Some("timeouts < 9"));
        insta::assert_snapshot!(summary.findings.join("\n"), @r"
        Health check: FAIL — success_ratio 0.9184 below minimum 0.9500; failed_calls 8 exceeds maximum 0; timeouts 3 exceeds maximum 2; threshold `failed_ratio < 1%` not held: 8.1633%; threshold `timeouts < 9` not held: 3, which ended the run
        Calls: total=100 finished=98 success=90 failed=8 (success 90.00% of total).
        SIP timeouts: 3
        Top failure classes: timeout=4, scenario_error=2, cancelled=1
        The generator was late: p99 12.3 ms, most 99.9 ms. Times from due have it in them, times from sending do not.
        The generator was limited by the processor for 1.50 s.
        Records of logs that are lost: 7
        ");
        assert_eq!(summary.health.reasons.len(), 5);
    }

    #[test]
    fn gates_on_media_say_what_came() {
        let gates = Gates {
            max_fraction_lost: Some(0.01),
            max_jitter_ts: Some(80),
            min_rtp_received: Some(100),
            min_rtp_received_per_call: Some(50),
            ..Gates::default()
        };
        let reasons = |media: Media| {
            let mut summary = Summary {
                media,
                ..Summary::default()
            };
            gates.judge(&mut summary, None);
            summary.health.reasons
        };
        assert_eq!(
            reasons(Media::default()),
            [
                "rtp_packets_received 0 below minimum 100",
                "per-call RTP recv gate: no calls observed inbound RTP"
            ]
        );
        let bad = Media {
            rtp_packets_received: 100,
            per_call_min_rtp_packets_received: Some(49),
            rtcp_max_fraction_lost: Some(0.02),
            rtcp_max_jitter_ts: Some(81),
            ..Media::default()
        };
        assert_eq!(
            reasons(bad),
            [
                "rtcp_max_fraction_lost 0.0200 exceeds maximum 0.0100",
                "rtcp_max_jitter_ts 81 exceeds maximum 80",
                "per_call_min_rtp_packets_received 49 below minimum 50"
            ]
        );
        let good = Media {
            per_call_min_rtp_packets_received: Some(50),
            rtcp_max_fraction_lost: Some(0.01),
            rtcp_max_jitter_ts: Some(80),
            ..bad
        };
        assert!(reasons(good).is_empty());
    }

    #[test]
    fn a_run_without_calls_says_so() {
        let mut summary = Summary::default();
        Gates::default().judge(&mut summary, None);
        assert_eq!(summary.findings, ["No calls were started."]);
    }
}
