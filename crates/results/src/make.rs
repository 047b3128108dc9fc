// SPDX-License-Identifier: AGPL-3.0-only
//! The model of a run, from what the runtime publishes.

use crate::latency::Latency;
use crate::summary::{
    Beside, Counts, Heard, Jitter, Logs, Media, Patterns, Response, Run, SCHEMA, Step, Summary,
};
use gossipper_control::{
    EngineSnapshot, FailReason, Limit, Measures, MediaSnapshot, Mode, Snapshot, StepKind,
};

/// What the runtime does not know of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Who writes.
    pub tool_version: String,
    /// When the run began, as RFC 3339.
    pub started_at: String,
    /// When it ended, or now.
    pub finished_at: String,
    /// What it ran over.
    pub transport: String,
    /// Why it ended: see [`Run::ending`].
    pub ending: String,
}

/// A reason's name in JSON and labels.
pub(crate) fn reason_name(reason: FailReason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(name)) => name,
        _ => reason.csv_name().to_owned(),
    }
}

/// The element of a step, as scenarios write it.
pub(crate) fn element(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Send => "send",
        StepKind::Recv => "recv",
        StepKind::Pause => "pause",
        StepKind::Timewait => "timewait",
        StepKind::Nop => "nop",
        StepKind::SendCmd => "sendCmd",
        StepKind::RecvCmd => "recvCmd",
    }
}

fn reasons(engine: &EngineSnapshot) -> Counts {
    let failures = engine.failures.iter();
    failures
        .map(|failure| (reason_name(failure.reason), failure.count))
        .collect()
}

fn classes(engine: &EngineSnapshot) -> Counts {
    let mut classes = Counts::new();
    for failure in &engine.failures {
        *classes
            .entry(failure.reason.class().to_owned())
            .or_default() += failure.count;
    }
    classes
}

/// How often nops with a text ran. Several may have the same.
fn displays(engine: &EngineSnapshot) -> Counts {
    let mut displays = Counts::new();
    let shown = engine
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::Nop);
    for step in shown.filter(|step| !step.name.is_empty()) {
        *displays.entry(step.name.clone()).or_default() += step.messages;
    }
    displays
}

/// SIPp's columns of counts.
fn sipp(engine: &EngineSnapshot, fatal: bool) -> Counts {
    let (calls, messages) = (&engine.calls, &engine.messages);
    let mut counts: Counts = [
        ("IncomingCall", calls.incoming),
        ("OutgoingCall", calls.outgoing),
        ("TotalCallCreated", calls.created()),
        ("CurrentCall", calls.current),
        ("SuccessfulCall", calls.succeeded),
        ("FailedCall", calls.failed),
        ("OutOfCallMsgs", messages.out_of_call),
        ("DeadCallMsgs", messages.dead_call),
        ("Retransmissions", messages.retransmitted),
        ("AutoAnswered", messages.auto_answered),
        ("Warnings", messages.warnings),
        ("FatalErrors", u64::from(fatal)),
        ("WatchdogMajor", messages.watchdog_major),
        ("WatchdogMinor", messages.watchdog_minor),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into();
    for reason in FailReason::ALL {
        let name = reason.csv_name();
        // Those without a column of their own are in FailedCall alone.
        if name != "FailedCall" {
            let failed = engine.failures.iter().filter(|fail| fail.reason == *reason);
            let failed = failed.map(|fail| fail.count).sum();
            counts.insert(name.to_owned(), failed);
        }
    }
    counts
}

fn beside(engine: &EngineSnapshot) -> Beside {
    Beside {
        scenario: engine.scenario.clone(),
        total_calls: engine.calls.created(),
        success_calls: engine.calls.succeeded,
        failed_calls: engine.calls.failed,
        active_calls: engine.calls.current,
        retransmits: engine.messages.retransmitted,
        failure_reasons: reasons(engine),
    }
}

/// A limit's name in JSON and labels.
pub(crate) fn limit_name(limit: Limit) -> &'static str {
    match limit {
        Limit::Cpu => "cpu",
        Limit::SendBuffer => "send_buffer",
        Limit::RecvBuffer => "recv_buffer",
        Limit::OpenCalls => "open_calls",
    }
}

pub(crate) fn ns(us: u64) -> u64 {
    us.saturating_mul(1000)
}

pub(crate) fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

impl Summary {
    /// The summary of what is known now, before gates have judged it. Without measures there are no times.
    #[must_use]
    pub fn of(facts: &Facts, snapshot: &Snapshot, measures: Option<&Measures>) -> Self {
        let nothing = (EngineSnapshot::default(), Measures::default());
        let engine = snapshot.main().unwrap_or(&nothing.0);
        let measures = measures.unwrap_or(&nothing.1);
        let (calls, logs) = (&engine.calls, &snapshot.logs);
        let call_length = Latency::from(&measures.call_length);
        let invite_rtt = Latency::from(&measures.invite);
        Self {
            schema_version: SCHEMA.to_owned(),
            tool_version: facts.tool_version.clone(),
            started_at: facts.started_at.clone(),
            finished_at: facts.finished_at.clone(),
            duration: ns(snapshot.elapsed_us),
            total_calls: calls.created(),
            success_calls: calls.succeeded,
            failed_calls: calls.failed,
            active_calls: calls.current,
            success_ratio: ratio(calls.succeeded, calls.succeeded + calls.failed),
            calls_per_second: engine.rate.mean,
            retransmits: engine.messages.retransmitted,
            timeouts: engine.messages.timeouts,
            average_call_latency: call_length.sent.average,
            average_invite_rtt: invite_rtt.sent.average,
            call_length,
            invite_rtt,
            media: engine.media.as_deref().map(media).unwrap_or_default(),
            rtd: measures
                .timers
                .iter()
                .map(|timer| (timer.name.clone(), Latency::from(&timer.times)))
                .collect(),
            counters: engine
                .counters
                .iter()
                .map(|counter| (counter.name.clone(), counter.count))
                .collect(),
            displays: displays(engine),
            failure_classes: classes(engine),
            dropped_logs: logs.lost,
            run: run(facts, engine),
            failure_reasons: reasons(engine),
            failure_shapes: snapshot.failure_shapes.as_deref().map(Into::into),
            worst_calls: snapshot.slow_calls.as_deref().map(Into::into),
            sipp: sipp(engine, facts.ending == "fatal"),
            messages: engine.messages,
            network: engine.transport,
            limited: Limit::ALL
                .iter()
                .map(|limit| {
                    let lasted = ns(engine.limits.lasted(*limit));
                    (limit_name(*limit).to_owned(), lasted)
                })
                .collect(),
            lateness: Latency::from(&measures.lateness),
            answer: Latency::from(&measures.answer),
            steps: steps(engine, measures),
            responses: measures
                .responses
                .iter()
                .map(|response| Response {
                    method: response.method.clone(),
                    code: response.code,
                    latency: Latency::from(&response.times),
                })
                .collect(),
            series: (&measures.series).into(),
            logs: Logs {
                written: logs.written,
                lost: logs.lost,
                call_records: logs.call_records,
                call_records_lost: logs.call_records_lost,
                error: logs.error.clone(),
            },
            answerer: snapshot.answerer().map(beside),
            out_of_call: snapshot.out_of_call.as_deref().map(beside),
            receiver: snapshot.receiver.as_deref().map(beside),
            ..Self::default()
        }
    }
}

fn media(counted: &MediaSnapshot) -> Media {
    let closed = &counted.closed;
    let mean = |sum: f64, of: u64| if of == 0 { 0.0 } else { sum / of as f64 };
    let heard = closed.received > 0;
    let reported = closed.reported > 0;
    let blocks = closed.report_blocks > 0;
    let calls_heard = counted.calls_heard > 0;
    let rated = closed.rated > 0;
    let timed = closed.round_trips > 0;
    let mut patterns = Patterns::default();
    for pattern in &counted.patterns {
        patterns.streams += pattern.streams;
        patterns.failed += pattern.failed;
        patterns.packets += pattern.packets;
        patterns.errors += pattern.errors;
    }
    Media {
        rtp_packets_sent: counted.packets_sent,
        rtp_octets_sent: closed.octets_sent,
        rtp_packets_received: counted.packets_received,
        rtcp_sender_reports: counted.sender_reports,
        rtcp_receiver_reports: counted.receiver_reports,
        rtcp_packets_received: counted.reports_received,
        rtcp_max_fraction_lost: reported.then(|| closed.max_reported_loss_percent / 100.0),
        rtcp_reception_reports: blocks.then_some(closed.report_blocks),
        rtcp_max_jitter_ts: blocks.then_some(closed.max_reported_jitter_ts),
        rtcp_min_jitter_ts: blocks.then_some(closed.min_reported_jitter_ts),
        rtcp_avg_jitter_ts: blocks
            .then(|| mean(closed.reported_jitter_ts_sum as f64, closed.report_blocks)),
        rtp_recv_interarrival_jitter_peak_ts: heard.then_some(closed.max_jitter_ts),
        media_calls_with_rtp_received: calls_heard.then_some(counted.calls_heard),
        rtp_recv_max_cumulative_lost: heard.then_some(closed.max_lost),
        per_call_min_rtp_packets_received: calls_heard.then_some(counted.call_min_received),
        heard: heard.then(|| Heard {
            streams: closed.received,
            lost: closed.lost,
            duplicates: closed.duplicates,
            reordered: closed.reordered,
            jitter_ms_avg: mean(closed.jitter_ms_sum, closed.received),
            jitter_ms_max: closed.max_jitter_ms,
            mos_avg: rated.then(|| mean(closed.mos_sum, closed.rated)),
            mos_min: rated.then_some(closed.min_mos),
            r_factor_avg: rated.then(|| mean(closed.r_factor_sum, closed.rated)),
            r_factor_min: rated.then_some(closed.min_r_factor),
        }),
        reported: reported.then(|| Jitter {
            streams: closed.reported,
            jitter_ms_avg: mean(closed.reported_jitter_ms_sum, closed.reported),
            jitter_ms_min: closed.min_reported_jitter_ms,
            jitter_ms_max: closed.max_reported_jitter_ms,
            round_trip_ms_avg: timed.then(|| mean(closed.round_trip_ms_sum, closed.round_trips)),
            round_trip_ms_max: timed.then_some(closed.max_round_trip_ms),
        }),
        rtp_packets_not_sent: counted.unsent + counted.skipped,
        useless_packets: counted.useless,
        digits_heard: counted.digits_heard,
        recordings_lost: counted.recordings_lost,
        patterns,
    }
}

fn run(facts: &Facts, engine: &EngineSnapshot) -> Run {
    let mode = match engine.mode {
        Some(Mode::Client) => "client",
        Some(Mode::Server) => "server",
        None => "",
    };
    Run {
        scenario: engine.scenario.clone(),
        mode: mode.to_owned(),
        transport: facts.transport.clone(),
        local: engine.local.clone(),
        remote: engine.remote.clone(),
        ending: facts.ending.clone(),
        rate_asked: engine.rate.target,
        users: engine.rate.users,
        open_limit: engine.calls.open_limit,
        call_limit: engine.calls.total_limit,
        peak_calls: engine.calls.peak,
        peak_at: ns(engine.calls.peak_at_us),
        held_back: engine.calls.held_back,
        counted_since: ns(engine.counted_since_us),
        last_warning: engine.last_warning.clone(),
    }
}

fn steps(engine: &EngineSnapshot, measures: &Measures) -> Vec<Step> {
    let latency = |index: usize| {
        let mut steps = measures.steps.iter();
        let step = steps.find(|step| step.step == index)?;
        Some(Latency::from(&step.times))
    };
    let steps = engine.steps.iter().enumerate();
    steps
        .map(|(index, step)| Step {
            index,
            kind: element(step.kind).to_owned(),
            name: step.name.clone(),
            line: step.line,
            messages: step.messages,
            retransmissions: step.retransmissions,
            timeouts: step.timeouts,
            unexpected: step.unexpected,
            lost: step.lost,
            latency: latency(index),
        })
        .collect()
}
