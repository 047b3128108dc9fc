// SPDX-License-Identifier: AGPL-3.0-only
//! What people read: the progress line while a run lasts, the summary when it is over.
//!
//! Both are pure functions of one [`gossipper_control::Snapshot`]; a figure that is not in the snapshot is not
//! printed. Nothing here writes, asks the time or knows a terminal.

pub(crate) mod media;
pub(crate) mod progress;
pub(crate) mod shapes;
pub(crate) mod summary;

#[cfg(test)]
mod limited;

/// A time with a unit that suits it: microseconds below 10 ms, so that loopback runs do not read as zero.
fn time(us: u64) -> String {
    let ms = us as f64 / 1e3;
    match us {
        0..10_000 => format!("{ms:.2}ms"),
        10_000..10_000_000 => format!("{ms:.0}ms"),
        _ => format!("{:.1}s", ms / 1e3),
    }
}

/// A part in percent; what is not all is never rounded to all, nor what is not nothing to nothing.
fn share(part: u64, of: u64) -> String {
    let percent = part as f64 * 100.0 / of.max(1) as f64;
    match part {
        0 => "0 %".to_owned(),
        _ if part >= of => "100 %".to_owned(),
        _ if percent < 0.1 => "<0.1 %".to_owned(),
        _ => format!("{:.1} %", percent.min(99.9)),
    }
}

/// Text that came from outside, on one line and not too long.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(width)
        .collect();
    if text.chars().count() > width {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The length of a run.
fn duration(us: u64) -> String {
    let seconds = us / 1_000_000;
    match seconds {
        0..60 => format!("{:.2}s", us as f64 / 1e6),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!(
            "{}h{:02}m{:02}s",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

/// A rate without needless digits.
fn rate(per_second: f64) -> String {
    if per_second >= 100.0 || per_second.fract() == 0.0 {
        format!("{per_second:.0}")
    } else {
        format!("{per_second:.1}")
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! A run to print, with every section of the summary in use.

    use gossipper_control::{
        CallCounts, EngineSnapshot, FailCount, FailReason, MeanTime, MessageCounts, Mode, Phase,
        RateSnapshot, ResponseTime, Snapshot, TimeSummary, TransportCounts,
    };

    fn times(count: u64, p50_us: u64) -> TimeSummary {
        TimeSummary {
            count,
            min_us: p50_us / 2,
            mean_us: p50_us as f64 * 1.1,
            stdev_us: p50_us as f64 / 3.0,
            p50_us,
            p90_us: p50_us * 2,
            p95_us: p50_us * 3,
            p99_us: p50_us * 4,
            p999_us: p50_us * 6,
            max_us: p50_us * 9,
        }
    }

    /// A client run of 1,000 calls of which three failed.
    pub(crate) fn client() -> Snapshot {
        Snapshot {
            elapsed_us: 2_037_400,
            started_at_us: 0,
            engines: vec![EngineSnapshot {
                scenario: "uac".to_owned(),
                mode: Some(Mode::Client),
                local: "127.0.0.1:5061".to_owned(),
                remote: Some("127.0.0.1:5060".to_owned()),
                phase: Phase::Ended,
                rate: RateSnapshot {
                    users: None,
                    target: 500.0,
                    mean: 498.7,
                    recent: 501.2,
                    paused: false,
                },
                calls: CallCounts {
                    outgoing: 1000,
                    incoming: 0,
                    succeeded: 997,
                    failed: 3,
                    current: 0,
                    peak: 14,
                    peak_at_us: 900_000,
                    open_limit: 1500,
                    total_limit: Some(1000),
                    held_back: 0,
                },
                failures: vec![
                    FailCount {
                        reason: FailReason::MaxUdpRetrans,
                        count: 2,
                    },
                    FailCount {
                        reason: FailReason::UnexpectedMessage,
                        count: 1,
                    },
                ],
                messages: MessageCounts {
                    sent: 2997,
                    received: 3991,
                    retransmitted: 12,
                    received_again: 1,
                    timeouts: 2,
                    unexpected: 1,
                    ..MessageCounts::default()
                },
                transport: TransportCounts {
                    sent: 3009,
                    received: 3993,
                    ..TransportCounts::default()
                },
                invite: MeanTime {
                    count: 998,
                    mean_us: 341.0,
                    stdev_us: 120.0,
                },
                response_times: vec![ResponseTime {
                    name: "1".to_owned(),
                    actual: times(998, 310),
                    from_due: times(998, 350),
                    repartition: None,
                }],
                call_length: times(1000, 1_250),
                lateness: times(1000, 40),
                ..EngineSnapshot::default()
            }],
            ..Snapshot::default()
        }
    }

    /// The same with an answerer beside it.
    pub(crate) fn loopback() -> Snapshot {
        let mut snapshot = client();
        snapshot.engines.push(EngineSnapshot {
            scenario: "uas".to_owned(),
            mode: Some(Mode::Server),
            local: "127.0.0.1:5060".to_owned(),
            phase: Phase::Ended,
            calls: CallCounts {
                incoming: 998,
                succeeded: 998,
                peak: 14,
                ..CallCounts::default()
            },
            ..EngineSnapshot::default()
        });
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_figures_or_so() {
        let shown: Vec<String> = [0, 250, 9_999, 12_345, 999_400, 12_345_678]
            .map(time)
            .into();
        assert_eq!(
            shown,
            ["0.00ms", "0.25ms", "10.00ms", "12ms", "999ms", "12.3s"]
        );
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        let shown = [
            (0, 0),
            (0, 9),
            (1, 100_000),
            (1, 3),
            (99_999, 100_000),
            (7, 7),
        ];
        let shown = shown.map(|(part, of)| share(part, of));
        let expected = ["0 %", "0 %", "<0.1 %", "33.3 %", "99.9 %", "100 %"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn long_runs_show_minutes_and_hours() {
        let shown: Vec<String> = [1_234_000, 61_000_000, 7_384_000_000].map(duration).into();
        assert_eq!(shown, ["1.23s", "1m01s", "2h03m04s"]);
    }
}
