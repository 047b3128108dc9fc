// SPDX-License-Identifier: AGPL-3.0-only
//! The flags about what a run leaves for pipelines: reports, gates, thresholds, metrics.

use gossipper_results::{Gates, Threshold};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The flags as they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResultsLow {
    /// `-summary_json`.
    pub(crate) summary_json: Option<PathBuf>,
    /// `-summary_junit`.
    pub(crate) summary_junit: Option<PathBuf>,
    /// `-summary_html`.
    pub(crate) summary_html: Option<PathBuf>,
    /// `-call_records_jsonl`.
    pub(crate) call_records: Option<PathBuf>,
    /// `-health_min_success_ratio`.
    pub(crate) min_success_ratio: Option<f64>,
    /// `-health_max_failed_calls`; below zero is none.
    pub(crate) max_failed_calls: Option<i64>,
    /// `-health_max_timeouts`; below zero is none.
    pub(crate) max_timeouts: Option<i64>,
    /// `-health_max_rtcp_fraction_lost`.
    pub(crate) max_fraction_lost: Option<f64>,
    /// `-health_max_rtcp_jitter_ts`.
    pub(crate) max_jitter_ts: Option<u64>,
    /// `-health_min_rtp_packets_recv`.
    pub(crate) min_rtp_received: Option<u64>,
    /// `-health_min_rtp_packets_recv_per_call`.
    pub(crate) min_rtp_received_per_call: Option<u64>,
    /// `-threshold`, in the order given.
    pub(crate) thresholds: Vec<Threshold>,
    /// `-threshold_abort`.
    pub(crate) threshold_abort: bool,
    /// `-prometheus_addr`.
    pub(crate) metrics: Option<SocketAddr>,
}

/// What a run leaves for pipelines.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Results {
    /// Where the summary goes.
    pub(crate) summary_json: Option<PathBuf>,
    /// Where its form for CI goes.
    pub(crate) summary_junit: Option<PathBuf>,
    /// Where its form for people goes.
    pub(crate) summary_html: Option<PathBuf>,
    /// Where a line per call goes.
    pub(crate) call_records: Option<PathBuf>,
    /// What is asked of the run.
    pub(crate) gates: Gates,
    /// A threshold that is lost ends the run.
    pub(crate) threshold_abort: bool,
    /// Where metrics are served.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Results {
    /// Checks what was given.
    pub(crate) fn resolve(
        low: ResultsLow,
        faults: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Self {
        for (flag, ratio) in [
            ("-health_min_success_ratio", low.min_success_ratio),
            ("-health_max_rtcp_fraction_lost", low.max_fraction_lost),
        ] {
            if ratio.is_some_and(|ratio| ratio > 1.0) {
                faults.push(format!("{flag} is a part of one, 0 to 1"));
            }
        }
        if low.threshold_abort && low.thresholds.is_empty() {
            notes.push("-threshold_abort has no effect without -threshold".to_owned());
        }
        let paths = [
            ("-summary_json", &low.summary_json),
            ("-summary_junit", &low.summary_junit),
            ("-summary_html", &low.summary_html),
            ("-call_records_jsonl", &low.call_records),
        ];
        for (place, (flag, path)) in paths.iter().enumerate() {
            let mut before = paths[..place].iter();
            if path.is_some()
                && let Some((other, _)) = before.find(|(_, other)| other == path)
            {
                faults.push(format!("{other} and {flag} name the same file"));
            }
        }
        let most = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        Self {
            summary_json: low.summary_json,
            summary_junit: low.summary_junit,
            summary_html: low.summary_html,
            call_records: low.call_records,
            gates: Gates {
                min_success_ratio: low.min_success_ratio.filter(|ratio| *ratio > 0.0),
                max_failed_calls: most(low.max_failed_calls),
                max_timeouts: most(low.max_timeouts),
                max_fraction_lost: low.max_fraction_lost.filter(|part| *part > 0.0),
                max_jitter_ts: low.max_jitter_ts.filter(|most| *most > 0),
                min_rtp_received: low.min_rtp_received.filter(|count| *count > 0),
                min_rtp_received_per_call: low.min_rtp_received_per_call.filter(|count| *count > 0),
                thresholds: low.thresholds,
            },
            threshold_abort: low.threshold_abort,
            metrics: low.metrics,
        }
    }

    /// Whether times are to be measured in detail.
    pub(crate) fn measures(&self) -> bool {
        self.summary_json.is_some()
            || self.summary_junit.is_some()
            || self.summary_html.is_some()
            || self.metrics.is_some()
            || self.gates.thresholds.iter().any(Threshold::needs_times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::argv;
    use crate::flags::low::Dialect;
    use std::ffi::OsString;

    fn resolve(args: &[&str]) -> (Results, Vec<String>, Vec<String>) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let parsed = argv::parse(Dialect::Sipp, &args);
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        let results = Results::resolve(parsed.low.results, &mut faults, &mut notes);
        (results, faults, notes)
    }

    #[test]
    fn gates_at_their_defaults_ask_nothing() {
        let (results, faults, notes) = resolve(&[
            "-health_min_success_ratio",
            "0",
            "-health_max_failed_calls",
            "-1",
            "-health_max_timeouts=-1",
        ]);
        assert_eq!((results, faults, notes), Default::default());
        let (results, ..) = resolve(&["-health_max_failed_calls", "0"]);
        assert!(results.gates.active() && !results.measures());
        let (results, ..) = resolve(&["-threshold", "failed_ratio < 1%"]);
        assert!(results.gates.active() && !results.measures());
        let (results, ..) = resolve(&["-threshold", "invite.p99<1s", "-threshold", "calls>1"]);
        assert!(results.gates.thresholds.len() == 2 && results.measures());
    }

    #[test]
    fn what_makes_no_sense_is_refused_or_said() {
        let (_, faults, _) = resolve(&["-health_min_success_ratio", "95"]);
        assert_eq!(
            faults,
            ["-health_min_success_ratio is a part of one, 0 to 1"]
        );
        let (_, faults, _) = resolve(&["-summary_json", "a", "-call_records_jsonl", "a"]);
        assert_eq!(
            faults,
            ["-summary_json and -call_records_jsonl name the same file"]
        );
        let (_, _, notes) = resolve(&["-threshold_abort"]);
        assert_eq!(notes, ["-threshold_abort has no effect without -threshold"]);
    }
}
