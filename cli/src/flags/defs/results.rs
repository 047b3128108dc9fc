// SPDX-License-Identifier: AGPL-3.0-only
//! What a run leaves for pipelines.

use crate::flags::{Arg, Default, Flag};
use gossipper_results::Threshold;
use std::net::{Ipv4Addr, SocketAddr};

/// `127.0.0.1:9464`, `[::1]:9464` or `:9464`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let any = |port: &str| {
        let port = port.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    };
    let bare = text.strip_prefix(':').filter(|rest| !rest.contains(':'));
    bare.map_or_else(|| text.parse().ok(), any)
        .ok_or_else(|| format!("`{text}` is no address with a port, as 127.0.0.1:9464 or :9464"))
}

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["summary_json"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.results.summary_json = Some(path),
        },
        default: Default::None,
        short: "Write what the run came to as JSON, when it is over.",
        long: "Schema `gossipper_summary_v1`: counts, failures by class and reason, SIPp's counters under SIPp's names, response \
               times from sending and from due with percentiles to 99.99 per timer, step and response, a time series \
               per second, thresholds and findings. The fields are in docs/results.md and docs/summary.schema.json. A file that \
               cannot be written is reported at once, the run goes on, and the exit code is 255.",
    },
    Flag {
        names: &["summary_junit"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.results.summary_junit = Some(path),
        },
        default: Default::None,
        short: "Write what the run came to as JUnit XML, for CI.",
        long: "A test each for the end of the run, its calls, every gate and every threshold; totals are properties. Where there \
               are gates or thresholds, calls that failed are no failure by themselves.",
    },
    Flag {
        names: &["summary_html"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.results.summary_html = Some(path),
        },
        default: Default::None,
        short: "Write what the run came to as a page for people.",
        long: "One file that needs no network: verdict, key figures, charts over time, response times, the scenario as a ladder with \
               counts, failures. `gossipper report-html` makes the same page of a summary that -summary_json wrote, and compares two \
               runs; `gossipper summary-to-pdf` makes a PDF.",
    },
    Flag {
        names: &["prometheus_addr"],
        arg: Arg::Text {
            metavar: "IP:PORT",
            set: |low, text| {
                low.results.metrics = Some(address(&text)?);
                Ok(())
            },
        },
        default: Default::None,
        short: "Serve metrics for Prometheus at http://IP:PORT/metrics while it runs.",
        long: "Prometheus' text format, or OpenMetrics for those who ask for it; `:9464` is all addresses, port 0 one that the \
               system chooses and a note names. Whoever reaches it can read the figures: name 127.0.0.1 on machines that others \
               reach. The metrics are in docs/results.md, a dashboard for Grafana is docs/grafana-dashboard.json.",
    },
    Flag {
        names: &["call_records_jsonl"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.results.call_records = Some(path),
        },
        default: Default::None,
        short: "Write a line of JSON for each call that has ended.",
        long: "Schema `gossipper_call_record_v1`, in the order in which calls end; calls of -loopback's answerer have none. Written \
               beside the run, never waited for: what the disk does not keep up with is counted as lost.",
    },
    Flag {
        names: &["threshold"],
        arg: Arg::Text {
            metavar: "EXPRESSION",
            set: |low, text| {
                low.results.thresholds.push(Threshold::parse(&text)?);
                Ok(())
            },
        },
        default: Default::None,
        short: "What the run must keep: `rtd.invite.p99 < 250ms`; may be repeated.",
        long: "A metric, one of < <= > >= == !=, and a value. Counts (`failed_calls == 0`), ratios (`failed_ratio < 0.1%`), times \
               (`rtd.NAME`, `invite`, `answer`, `call_length`, `lateness`, `step.N`, `response.INVITE.200`, each with `.p50` to \
               `.p99.99`, `.avg`, `.min`, `.max`, `.count`). Times count from when they were due; `.sent` before the figure \
               counts from the sending. All metrics: docs/results.md. One that is not kept makes the exit code 2.",
    },
    Flag {
        names: &["threshold_abort"],
        arg: Arg::Switch(|low, on| low.results.threshold_abort = on),
        default: Default::None,
        short: "End the run as soon as a threshold is lost.",
        long: "Looked at once a second. A count is lost when it is beyond its limit, a ratio or a time when it is with at least \
               100 calls or samples. Open calls are aborted, as with the key Q, and the exit code is 2.",
    },
    Flag {
        names: &["health_min_success_ratio"],
        arg: Arg::Double {
            metavar: "RATIO",
            set: |low, ratio| low.results.min_success_ratio = Some(ratio),
        },
        default: Default::Same("0, no gate"),
        short: "Least part of the finished calls that must succeed, 0 to 1.",
        long: "As soon as there is a gate or a threshold, they alone decide whether the calls were good enough: exit code 0 if all \
               are kept, whatever failed, else 2.",
    },
    Flag {
        names: &["health_max_failed_calls"],
        arg: Arg::Int {
            metavar: "N",
            range: (-1, i64::MAX as i128),
            set: |low, n| low.results.max_failed_calls = i64::try_from(n).ok(),
        },
        default: Default::Same("-1, no gate"),
        short: "Most calls that may fail.",
        long: "",
    },
    Flag {
        names: &["health_max_timeouts"],
        arg: Arg::Int {
            metavar: "N",
            range: (-1, i64::MAX as i128),
            set: |low, n| low.results.max_timeouts = i64::try_from(n).ok(),
        },
        default: Default::Same("-1, no gate"),
        short: "Most timeouts of receive steps and of repetitions.",
        long: "",
    },
    Flag {
        names: &["health_max_rtcp_fraction_lost"],
        arg: Arg::Double {
            metavar: "PART",
            set: |low, part| low.results.max_fraction_lost = Some(part),
        },
        default: Default::Same("0, no gate"),
        short: "Largest part of our RTP that a peer may report lost, 0 to 1.",
        long: "The last report of each stream counts.",
    },
    Flag {
        names: &["health_max_rtcp_jitter_ts"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, u32::MAX as i128),
            set: |low, n| low.results.max_jitter_ts = u64::try_from(n).ok(),
        },
        default: Default::Same("0, no gate"),
        short: "Highest jitter of our RTP that a peer may report, in timestamps of the stream.",
        long: "At 8000 Hz a millisecond is 8. Every report of the streams of calls that have ended counts.",
    },
    Flag {
        names: &["health_min_rtp_packets_recv"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, u64::MAX as i128),
            set: |low, n| low.results.min_rtp_received = u64::try_from(n).ok(),
        },
        default: Default::Same("0, no gate"),
        short: "Least RTP packets that must come in the whole run.",
        long: "",
    },
    Flag {
        names: &["health_min_rtp_packets_recv_per_call"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, u64::MAX as i128),
            set: |low, n| low.results.min_rtp_received_per_call = u64::try_from(n).ok(),
        },
        default: Default::Same("0, no gate"),
        short: "Least RTP packets that must come in each call that gets any.",
        long: "Of calls that have ended. Where no call gets any, the gate is not kept.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_metrics_may_lack_its_host() {
        for (text, is) in [
            (":9464", "0.0.0.0:9464"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]:9464", "[::1]:9464"),
        ] {
            assert_eq!(address(text).map(|a| a.to_string()), Ok(is.to_owned()));
        }
        for text in ["", ":", "9464", "::1", "localhost:9464", ":70000"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
