// SPDX-License-Identifier: AGPL-3.0-only
//! From a summary to what a report says.

use super::document::{Block, Card, Cell, Document, Section, Table, Tone, Verdict};
use super::units;
use crate::summary::{Beside, Counts, Summary};

mod charts;
mod compare;
mod steps;
mod times;

/// The report of a run, compared with another where there is one.
pub(super) fn document(run: &Summary, other: Option<&Summary>) -> Document {
    let scenario = match run.run.scenario.trim() {
        "" => "A run",
        name => name,
    };
    let mut sections = vec![thresholds(run)];
    sections.push(other.map(|other| compare::section(run, other)));
    sections.push(Some(over_time(run, other)));
    sections.push(times::section(run));
    sections.push(steps::section(run));
    sections.push(failures(run));
    sections.push(steps::worst(run));
    sections.push(media(run));
    sections.push(beside(run));
    sections.push(counters(run));
    sections.push(Some(generator(run)));
    Document {
        title: scenario.to_owned(),
        facts: facts(run),
        verdict: verdict(run),
        cards: cards(run, other),
        sections: sections.into_iter().flatten().collect(),
        footer: format!("{} · {}", run.tool_version, run.schema_version),
    }
}

fn ending(name: &str) -> String {
    match name {
        "completed" => "all its calls were made",
        "drained" => "asked to end, its calls ended first",
        "stopped" => "stopped",
        "timed_out" | "timeout_error" => "its time was over",
        "timed_out_globally" => "the time for all was over",
        "twin_ended" => "its twin ended",
        "stop_now" => "the scenario stopped it",
        "fatal" => "broken off by a fault",
        "running" => "it still runs",
        other => return units::words(other),
    }
    .to_owned()
}

fn facts(run: &Summary) -> Vec<(String, String)> {
    let what = &run.run;
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push((name.to_owned(), value));
        }
    };
    fact("Started", units::moment(&run.started_at));
    fact("Took", units::time(run.duration));
    fact(
        "Ended",
        if what.ending.is_empty() {
            String::new()
        } else {
            ending(&what.ending)
        },
    );
    let mode = [what.mode.as_str(), what.transport.as_str()];
    let mode: Vec<_> = mode.into_iter().filter(|word| !word.is_empty()).collect();
    fact("Mode", mode.join(", "));
    fact("Local", what.local.clone());
    fact("Remote", what.remote.clone().unwrap_or_default());
    facts
}

fn verdict(run: &Summary) -> Verdict {
    let finished = run.finished_calls();
    let mut verdict = Verdict::default();
    let calls = if run.total_calls == 0 {
        "No calls were started.".to_owned()
    } else if run.failed_calls > 0 {
        format!(
            "{} of {} that ended failed.",
            units::count(run.failed_calls),
            units::calls(finished)
        )
    } else if finished == 0 {
        format!("None of {} has ended.", units::calls(run.total_calls))
    } else {
        format!("All of {} that ended succeeded.", units::calls(finished))
    };
    (verdict.tone, verdict.word) = match (run.health.active, run.health.pass) {
        (true, true) => (Tone::Good, "Passed".to_owned()),
        (true, false) => (Tone::Bad, "Not passed".to_owned()),
        (false, _) if run.total_calls == 0 => (Tone::Plain, "No calls".to_owned()),
        (false, _) if run.failed_calls > 0 => (Tone::Bad, "Calls failed".to_owned()),
        (false, _) => (Tone::Good, "No failures".to_owned()),
    };
    verdict.headline = calls;
    for reason in &run.health.reasons {
        verdict.lines.push((Tone::Bad, reason.clone()));
    }
    // What the headline and the reasons say need not be said again.
    let said = ["Health check:", "Calls: total=", "No calls were started"];
    for finding in &run.findings {
        if !said.iter().any(|said| finding.starts_with(said)) {
            verdict.lines.push((Tone::Plain, finding.clone()));
        }
    }
    if let Some(warning) = &run.run.last_warning {
        let line = format!("The last warning: {warning}");
        verdict.lines.push((Tone::Plain, line));
    }
    verdict
}

fn cards(run: &Summary, other: Option<&Summary>) -> Vec<Card> {
    let was = |figure: &dyn Fn(&Summary) -> String, aside: String| match other {
        Some(other) => format!("was {}", figure(other)),
        None => aside,
    };
    let bad_if = |bad: bool| if bad { Tone::Bad } else { Tone::Plain };
    let rate = |run: &Summary| format!("{}/s", units::digits(run.calls_per_second));
    let asked = match run.run.users {
        Some(users) => format!("by {} users", units::count(u64::from(users))),
        None if run.run.rate_asked > 0.0 => {
            format!("{}/s asked at the end", units::digits(run.run.rate_asked))
        }
        None => String::new(),
    };
    let created = match run.run.call_limit {
        Some(limit) if limit != run.total_calls => format!("of {}", units::count(limit)),
        _ => String::new(),
    };
    let still = if run.active_calls > 0 {
        format!("{} still open", units::count(run.active_calls))
    } else {
        created
    };
    let limit = if run.run.open_limit > 0 {
        format!("of {} allowed", units::count(run.run.open_limit))
    } else {
        format!("after {}", units::time(run.run.peak_at))
    };
    let p99 = |run: &Summary| {
        let timing = run.answer.due.as_ref().unwrap_or(&run.answer.sent);
        if timing.count == 0 {
            units::NONE.to_owned()
        } else {
            units::time(timing.p99)
        }
    };
    let median = |run: &Summary| {
        let timing = run.answer.due.as_ref().unwrap_or(&run.answer.sent);
        format!("median {}", units::time(timing.p50))
    };
    let answered = run.answer.sent.count > 0;
    let ratio = |run: &Summary| {
        if run.finished_calls() == 0 {
            units::NONE.to_owned()
        } else {
            units::percent(run.success_ratio)
        }
    };
    let total = |run: &Summary| units::count(run.total_calls);
    let failed = |run: &Summary| units::count(run.failed_calls);
    let peak = |run: &Summary| units::count(run.run.peak_calls);
    let again = |run: &Summary| units::count(run.retransmits);
    let timeouts = |run: &Summary| units::count(run.timeouts);
    let card = |name: &str, value: String, aside: String, tone: Tone| Card {
        name: name.to_owned(),
        value,
        aside,
        tone,
        part: None,
    };
    let messages = format!("of {} messages sent", units::count(run.messages.sent));
    vec![
        card("Calls", total(run), was(&total, still), Tone::Plain),
        Card {
            part: (run.finished_calls() > 0).then_some(run.success_ratio),
            ..card(
                "Succeeded",
                ratio(run),
                was(&ratio, units::calls(run.success_calls)),
                Tone::Good,
            )
        },
        card(
            "Failed",
            failed(run),
            was(
                &failed,
                format!("of {} ended", units::count(run.finished_calls())),
            ),
            bad_if(run.failed_calls > 0),
        ),
        card("Call rate", rate(run), was(&rate, asked), Tone::Plain),
        card("Most calls open", peak(run), was(&peak, limit), Tone::Plain),
        card(
            "Answer time, p99",
            p99(run),
            was(
                &p99,
                if answered {
                    median(run)
                } else {
                    "no answers".to_owned()
                },
            ),
            Tone::Plain,
        ),
        card(
            "Sent again",
            again(run),
            was(&again, messages),
            bad_if(run.retransmits > 0),
        ),
        card(
            "Timeouts",
            timeouts(run),
            was(
                &timeouts,
                format!("{} unexpected", units::count(run.messages.unexpected)),
            ),
            bad_if(run.timeouts > 0),
        ),
    ]
}

fn thresholds(run: &Summary) -> Option<Section> {
    let rows = run.thresholds.iter().map(|threshold| {
        let (word, tone) = match (threshold.pass, threshold.aborted) {
            (true, _) => ("kept", Tone::Good),
            (false, false) => ("not kept", Tone::Bad),
            (false, true) => ("not kept, ended the run", Tone::Bad),
        };
        vec![
            Cell::from(threshold.expression.as_str()),
            Cell::from(threshold.found.as_str()),
            Cell::toned(word, tone),
        ]
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Section {
        title: "Thresholds",
        note: String::new(),
        blocks: vec![Block::Table(Table {
            columns: vec!["Asked", "Found", ""],
            texts: 3,
            rows,
            ..Table::default()
        })],
    })
}

fn over_time(run: &Summary, other: Option<&Summary>) -> Section {
    let charts = charts::charts(run, other);
    let block = if charts.is_empty() {
        Block::Text("The run was too short for charts over time.".to_owned())
    } else {
        Block::Charts(charts)
    };
    Section {
        title: "Over time",
        note: String::new(),
        blocks: vec![block],
    }
}

/// Counts as a table with bars, the greatest first.
fn counted(caption: &str, column: &'static str, counts: &Counts, of: u64) -> Option<Block> {
    let mut counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows = counts.into_iter().map(|(name, count)| {
        let part = *count as f64 / of.max(1) as f64;
        vec![
            Cell::from(units::words(name)),
            Cell::from(units::count(*count)),
            Cell {
                text: units::percent(part),
                tone: Tone::Bad,
                part: Some(part),
            },
        ]
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| {
        Block::Table(Table {
            caption: caption.to_owned(),
            columns: vec![column, "calls", "of those that failed"],
            texts: 1,
            rows,
            folded: false,
        })
    })
}

fn failures(run: &Summary) -> Option<Section> {
    let failed = run.failed_calls;
    let blocks = [
        counted("", "Class", &run.failure_classes, failed),
        counted("", "Reason", &run.failure_reasons, failed),
    ];
    let mut blocks: Vec<_> = blocks.into_iter().flatten().collect();
    blocks.extend(steps::shapes(run));
    (!blocks.is_empty()).then(|| Section {
        title: "Failed calls",
        note: String::new(),
        blocks,
    })
}

/// Names and figures, without those that are zero.
fn figures(caption: &str, what: [&'static str; 2], rows: Vec<(String, String)>) -> Block {
    let rows = rows.into_iter();
    Block::Table(Table {
        caption: caption.to_owned(),
        columns: what.into(),
        texts: 1,
        rows: rows
            .map(|(name, value)| vec![Cell::from(name), Cell::from(value)])
            .collect(),
        folded: false,
    })
}

fn media(run: &Summary) -> Option<Section> {
    let media = &run.media;
    let mut rows: Vec<(String, String)> = Vec::new();
    let counts = [
        ("RTP packets sent", media.rtp_packets_sent),
        ("RTP payload sent, bytes", media.rtp_octets_sent),
        ("RTP packets received", media.rtp_packets_received),
        (
            "RTP packets not sent, or too late",
            media.rtp_packets_not_sent,
        ),
        ("Packets of no use", media.useless_packets),
        ("RTCP sender reports sent", media.rtcp_sender_reports),
        ("RTCP receiver reports sent", media.rtcp_receiver_reports),
        ("RTCP packets received", media.rtcp_packets_received),
        ("Digits heard", media.digits_heard),
        ("Recordings that lack something", media.recordings_lost),
        ("Streams checked for their pattern", media.patterns.streams),
        ("Of which failed", media.patterns.failed),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    rows.extend(counts.map(|(name, count)| (name.to_owned(), units::count(count))));
    let ms = |value: f64| format!("{}\u{a0}ms", units::digits(value));
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    if let Some(heard) = &media.heard {
        row("Streams received", units::count(heard.streams));
        row("Packets that never came", units::count(heard.lost));
        row("Packets that came twice", units::count(heard.duplicates));
        row("Packets out of order", units::count(heard.reordered));
        row("Jitter received, mean", ms(heard.jitter_ms_avg));
        row("Jitter received, highest", ms(heard.jitter_ms_max));
        if let Some(mos) = heard.mos_avg {
            row("MOS by the E-model, mean", units::digits(mos));
        }
        if let Some(mos) = heard.mos_min {
            row("MOS by the E-model, lowest", units::digits(mos));
        }
        if let Some(r_factor) = heard.r_factor_avg {
            row("R-factor, mean", units::digits(r_factor));
        }
        if let Some(r_factor) = heard.r_factor_min {
            row("R-factor, lowest", units::digits(r_factor));
        }
    }
    if let Some(reported) = &media.reported {
        row(
            "Jitter that peers reported, mean",
            ms(reported.jitter_ms_avg),
        );
        row(
            "Jitter that peers reported, highest",
            ms(reported.jitter_ms_max),
        );
        if let Some(time) = reported.round_trip_ms_avg {
            row("Round trip by their reports, mean", ms(time));
        }
        if let Some(time) = reported.round_trip_ms_max {
            row("Round trip by their reports, longest", ms(time));
        }
    }
    if let Some(part) = media.rtcp_max_fraction_lost {
        row("Largest loss that a peer reported", units::percent(part));
    }
    if let Some(lost) = media.rtp_recv_max_cumulative_lost {
        row("Most packets lost on a stream", units::count(lost));
    }
    if let Some(least) = media.per_call_min_rtp_packets_received {
        row("Fewest packets on a stream", units::count(least));
    }
    (!rows.is_empty()).then(|| Section {
        title: "Media",
        note: String::new(),
        blocks: vec![figures("", ["", ""], rows)],
    })
}

fn beside(run: &Summary) -> Option<Section> {
    let all: [(&str, &Option<Beside>); 3] = [
        ("Answerer", &run.answerer),
        ("Calls that come in", &run.receiver),
        ("Requests of no call", &run.out_of_call),
    ];
    let rows = all.into_iter().filter_map(|(role, beside)| {
        let beside = beside.as_ref()?;
        let tone = if beside.failed_calls > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        };
        Some(vec![
            Cell::from(role),
            Cell::from(beside.scenario.as_str()),
            Cell::from(units::count(beside.total_calls)),
            Cell::from(units::count(beside.success_calls)),
            Cell::toned(units::count(beside.failed_calls), tone),
            Cell::from(units::count(beside.active_calls)),
            Cell::from(units::count(beside.retransmits)),
        ])
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Section {
        title: "Scenarios beside the main one",
        note: String::new(),
        blocks: vec![Block::Table(Table {
            columns: vec![
                "",
                "Scenario",
                "calls",
                "succeeded",
                "failed",
                "open",
                "sent again",
            ],
            texts: 2,
            rows,
            ..Table::default()
        })],
    })
}

fn counters(run: &Summary) -> Option<Section> {
    let rows = run.counters.iter().chain(&run.displays);
    let rows: Vec<_> = rows
        .map(|(name, count)| (name.clone(), units::count(*count)))
        .collect();
    (!rows.is_empty()).then(|| Section {
        title: "Counters of the scenario",
        note: String::new(),
        blocks: vec![figures("", ["", "count"], rows)],
    })
}

/// Whether the generator itself was in the way, and the figures that scripts made for SIPp know.
fn generator(run: &Summary) -> Section {
    let (network, messages) = (&run.network, &run.messages);
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    row("Messages sent", units::count(messages.sent));
    row("Messages received", units::count(messages.received));
    let counts = [
        ("Messages received again", messages.received_again),
        ("Messages lost on purpose", messages.lost),
        ("Messages of no call", messages.out_of_call),
        ("Messages of calls that are over", messages.dead_call),
        ("Messages answered by default", messages.auto_answered),
        ("Messages discarded", messages.discarded),
        ("Warnings", messages.warnings),
        (
            "Calls held back by the limit of open calls",
            run.run.held_back,
        ),
        ("Bytes sent", network.sent_bytes),
        ("Bytes received", network.received_bytes),
        ("Errors on sending", network.send_errors),
        ("Errors on receiving", network.recv_errors),
        ("ICMP errors", network.icmp_errors),
        ("Datagrams lost unread", network.recv_dropped),
        ("Datagrams lost unsent", network.send_dropped),
        ("Datagrams lost between shards", network.handover_dropped),
        ("Records of logs written", run.logs.written),
        ("Records of logs lost", run.dropped_logs),
    ];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        row(name, units::count(count));
    }
    for (what, ns) in run.limited.iter().filter(|(_, ns)| **ns > 0) {
        let what = match what.as_str() {
            "cpu" => "Held up by the processor",
            "send_buffer" => "Held up by a full send buffer",
            "recv_buffer" => "Held up by a full receive buffer",
            "open_calls" => "Held up by the limit of open calls",
            other => {
                row(
                    &format!("Held up by {}", units::words(other)),
                    units::time(*ns),
                );
                continue;
            }
        };
        row(what, units::time(*ns));
    }
    if run.run.counted_since > 0 {
        row("Figures count from", units::time(run.run.counted_since));
    }
    let mut blocks = vec![figures("", ["", "count"], rows)];
    let sipp = run.sipp.iter();
    let sipp: Vec<_> = sipp
        .map(|(name, count)| {
            let tone = if *count == 0 {
                Tone::Faint
            } else {
                Tone::Plain
            };
            vec![
                Cell::from(name.as_str()),
                Cell::toned(units::count(*count), tone),
            ]
        })
        .collect();
    if !sipp.is_empty() {
        blocks.push(Block::Table(Table {
            caption: "SIPp's counters".to_owned(),
            columns: vec!["", "count"],
            texts: 1,
            rows: sipp,
            folded: true,
        }));
    }
    Section {
        title: "Traffic and generator",
        note: String::new(),
        blocks,
    }
}
