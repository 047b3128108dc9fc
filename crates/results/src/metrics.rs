// SPDX-License-Identifier: AGPL-3.0-only
//! The form for Prometheus: its text format 0.0.4, and OpenMetrics 1.0 or protocol buffers for those who ask for them.
//!
//! Names and units follow their conventions: seconds and bytes, counters end with `_total`, a label never repeats what
//! the name says. Histograms have the borders of [`BORDERS_MS`](gossipper_control::measures::BORDERS_MS); times from sending and from due are told apart by the
//! label `from`. All is of the main scenario; that of the others is told apart by `gossipper_beside_…`.

use crate::make::{Facts, element, limit_name, reason_name};
use gossipper_control::measures::{Measures, Times};
use gossipper_control::{EngineSnapshot, FailReason, Limit, Snapshot};
use page::{Kind, Labels, Page};
use proto::Families;

mod media;
mod page;
mod proto;
mod shapes;

pub use page::Form;

/// Everything that is known now.
#[must_use]
pub fn exposition(
    facts: &Facts,
    snapshot: &Snapshot,
    measures: Option<&Measures>,
    form: Form,
) -> Vec<u8> {
    let mut page = Page {
        out: String::new(),
        form,
        families: Families::default(),
    };
    let build = [("version", facts.tool_version.as_str())];
    page.head(
        "gossipper_build",
        Kind::Info,
        "",
        "What serves these metrics.",
    );
    page.sample("gossipper_build_info", &build, 1);
    if let Some(engine) = snapshot.main() {
        run(&mut page, facts, snapshot, engine);
        calls(&mut page, engine);
        messages(&mut page, engine);
        steps(&mut page, engine);
        network(&mut page, engine);
        if let Some(counted) = &engine.media {
            media::counts(&mut page, counted);
        }
        others(&mut page, snapshot);
        shapes::commonest(&mut page, snapshot);
    }
    if let Some(measures) = measures {
        times(&mut page, measures);
    }
    match form {
        Form::Text => {}
        Form::OpenMetrics => page.out.push_str("# EOF\n"),
        Form::Protobuf => return page.families.finish(),
    }
    page.out.into_bytes()
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn run(page: &mut Page, facts: &Facts, snapshot: &Snapshot, engine: &EngineSnapshot) {
    let mode = match engine.mode {
        Some(gossipper_control::Mode::Client) => "client",
        Some(gossipper_control::Mode::Server) => "server",
        None => "",
    };
    page.head("gossipper_run", Kind::Info, "", "What runs.");
    let labels = [
        ("scenario", engine.scenario.as_str()),
        ("mode", mode),
        ("transport", &facts.transport),
        ("local", &engine.local),
        ("remote", engine.remote.as_deref().unwrap_or_default()),
    ];
    page.sample("gossipper_run_info", &labels, 1);
    page.gauge(
        "gossipper_run_start_time_seconds",
        "seconds",
        "When the run began, since the epoch.",
        seconds(snapshot.started_at_us),
    );
    page.gauge(
        "gossipper_run_elapsed_seconds",
        "seconds",
        "How long it has been running.",
        seconds(snapshot.elapsed_us),
    );
    page.gauge(
        "gossipper_calls_asked_per_second",
        "",
        "Rate of new calls asked for.",
        engine.rate.target,
    );
    page.gauge(
        "gossipper_run_paused",
        "",
        "Whether the operator has paused it.",
        u8::from(engine.rate.paused),
    );
    let limits = Limit::ALL.map(|limit| (limit_name(limit), seconds(engine.limits.lasted(limit))));
    page.head(
        "gossipper_limited_seconds",
        Kind::Counter,
        "seconds",
        "How long the generator could not do what it was asked to.",
    );
    for (by, lasted) in limits {
        page.sample("gossipper_limited_seconds_total", &[("by", by)], lasted);
    }
}

fn calls(page: &mut Page, engine: &EngineSnapshot) {
    let calls = &engine.calls;
    page.counter(
        "gossipper_calls_created",
        "",
        "Calls that have begun.",
        &[
            (&[("direction", "outgoing")], &calls.outgoing),
            (&[("direction", "incoming")], &calls.incoming),
        ],
    );
    page.count(
        "gossipper_calls_succeeded",
        "Calls that have ended well.",
        calls.succeeded,
    );
    page.head(
        "gossipper_calls_failed",
        Kind::Counter,
        "",
        "Calls that have failed.",
    );
    for reason in FailReason::ALL {
        let failed = engine.failures.iter().filter(|fail| fail.reason == *reason);
        let count: u64 = failed.map(|fail| fail.count).sum();
        let labels = [
            ("class", reason.class()),
            ("reason", &*reason_name(*reason)),
        ];
        page.sample("gossipper_calls_failed_total", &labels, count);
    }
    page.gauge("gossipper_calls_open", "", "Calls open.", calls.current);
    page.gauge(
        "gossipper_calls_open_peak",
        "",
        "Most calls that were open at a time.",
        calls.peak,
    );
    page.gauge(
        "gossipper_calls_open_limit",
        "",
        "Calls that may be open at a time; 0 is any number.",
        calls.open_limit,
    );
    page.count(
        "gossipper_calls_held_back",
        "Calls that were due and not opened because of the limit.",
        calls.held_back,
    );
}

fn messages(page: &mut Page, engine: &EngineSnapshot) {
    let m = &engine.messages;
    for (name, help, count) in [
        (
            "sent",
            "SIP messages sent, repetitions not counted.",
            m.sent,
        ),
        (
            "received",
            "SIP messages that steps have taken, repetitions not counted.",
            m.received,
        ),
        ("retransmitted", "SIP messages sent again.", m.retransmitted),
        (
            "received_again",
            "Repetitions of the peer.",
            m.received_again,
        ),
        ("lost", "SIP messages dropped on purpose.", m.lost),
        (
            "unexpected",
            "SIP messages that did not fit the step.",
            m.unexpected,
        ),
        (
            "out_of_call",
            "SIP messages that belong to no call and open none.",
            m.out_of_call,
        ),
        (
            "dead_call",
            "SIP messages for calls that had ended.",
            m.dead_call,
        ),
        (
            "auto_answered",
            "Requests answered without the scenario.",
            m.auto_answered,
        ),
        ("discarded", "Input that is no SIP message.", m.discarded),
    ] {
        page.count(&format!("gossipper_messages_{name}"), help, count);
    }
    page.count(
        "gossipper_timeouts",
        "Timeouts of receive steps and of repetitions.",
        m.timeouts,
    );
    page.count(
        "gossipper_warnings",
        "Warnings of the machine and of the scenario.",
        m.warnings,
    );
    page.head(
        "gossipper_scenario_counts",
        Kind::Counter,
        "",
        "The scenario's counters.",
    );
    for counter in &engine.counters {
        page.sample(
            "gossipper_scenario_counts_total",
            &[("name", &counter.name)],
            counter.count,
        );
    }
}

fn steps(page: &mut Page, engine: &EngineSnapshot) {
    type Figure = fn(&gossipper_control::StepSnapshot) -> u64;
    let figures: [(&str, &str, Figure); 5] = [
        (
            "messages",
            "Messages sent or received by a step, pauses begun.",
            |step| step.messages,
        ),
        (
            "retransmissions",
            "Repetitions: ours of a send, the peer's of a receive.",
            |step| step.retransmissions,
        ),
        ("timeouts", "Timeouts at a step.", |step| step.timeouts),
        ("unexpected", "Messages that did not fit a step.", |step| {
            step.unexpected
        }),
        ("lost", "Messages dropped on purpose at a step.", |step| {
            step.lost
        }),
    ];
    for (name, help, figure) in figures {
        let name = format!("gossipper_step_{name}");
        page.head(&name, Kind::Counter, "", help);
        let total = format!("{name}_total");
        for (index, step) in engine.steps.iter().enumerate() {
            let kind = element(step.kind);
            let labels = [
                ("step", &*index.to_string()),
                ("kind", kind),
                ("name", &step.name),
            ];
            page.sample(&total, &labels, figure(step));
        }
    }
}

fn network(page: &mut Page, engine: &EngineSnapshot) {
    let n = &engine.transport;
    for (name, help, count) in [
        ("sent", "Datagrams handed to the kernel.", n.sent),
        ("received", "Datagrams read.", n.received),
        (
            "send_errors",
            "Datagrams that the kernel refused.",
            n.send_errors,
        ),
        (
            "receive_errors",
            "Errors of reading, survived.",
            n.recv_errors,
        ),
        (
            "dropped_unread",
            "Datagrams that the kernel dropped because they were not read in time.",
            n.recv_dropped,
        ),
        (
            "dropped_handover",
            "Datagrams dropped because the shard of their call did not keep up.",
            n.handover_dropped,
        ),
        (
            "dropped_unsent",
            "Datagrams dropped because the socket stayed full.",
            n.send_dropped,
        ),
        (
            "icmp_errors",
            "Asynchronous errors survived.",
            n.icmp_errors,
        ),
    ] {
        page.count(&format!("gossipper_network_{name}"), help, count);
    }
    let c = &n.connections;
    for (name, help, count) in [
        ("opened", "Connections made, by either side.", c.opened),
        ("failed", "Connections that were not made.", c.failed),
        (
            "closed_by_peer",
            "Connections ended by the peer, or broken.",
            c.closed_by_peer,
        ),
        (
            "made_anew",
            "Connections made in place of one that had ended.",
            c.made_anew,
        ),
    ] {
        page.count(&format!("gossipper_connections_{name}"), help, count);
    }
    page.counter(
        "gossipper_tls_handshakes",
        "",
        "TLS handshakes, by what became of them.",
        &[
            (&[("result", "full")], &c.tls_full),
            (&[("result", "resumed")], &c.tls_resumed),
            (&[("result", "failed")], &c.tls_failed),
        ],
    );
    for (name, help, bytes) in [
        ("sent", "Bytes handed to the kernel.", n.sent_bytes),
        ("received", "Bytes read.", n.received_bytes),
    ] {
        let name = format!("gossipper_network_{name}_bytes");
        page.counter(&name, "bytes", help, &[(&[], &bytes)]);
    }
}

fn others(page: &mut Page, snapshot: &Snapshot) {
    let logs = &snapshot.logs;
    page.count(
        "gossipper_log_records_written",
        "Records of traces and logs written.",
        logs.written,
    );
    page.count(
        "gossipper_log_records_lost",
        "Records of traces and logs lost.",
        logs.lost,
    );
    let beside: Vec<_> = [
        ("answerer", snapshot.answerer()),
        ("out_of_call", snapshot.out_of_call.as_deref()),
        ("receiver", snapshot.receiver.as_deref()),
    ]
    .into_iter()
    .filter_map(|(role, engine)| Some((role, engine?)))
    .collect();
    if beside.is_empty() {
        return;
    }
    type Figure = fn(&EngineSnapshot) -> u64;
    let figures: [(&str, &str, Figure); 3] = [
        (
            "created",
            "Calls of the scenarios beside the main one.",
            |e| e.calls.created(),
        ),
        ("succeeded", "Of those, calls that have ended well.", |e| {
            e.calls.succeeded
        }),
        ("failed", "Of those, calls that have failed.", |e| {
            e.calls.failed
        }),
    ];
    for (name, help, figure) in figures {
        let name = format!("gossipper_beside_calls_{name}");
        page.head(&name, Kind::Counter, "", help);
        let total = format!("{name}_total");
        for (role, engine) in &beside {
            let labels = [("role", *role), ("scenario", &engine.scenario)];
            page.sample(&total, &labels, figure(engine));
        }
    }
}

fn times(page: &mut Page, measures: &Measures) {
    page.head(
        "gossipper_call_length_seconds",
        Kind::Histogram,
        "seconds",
        "From a call's creation to its end.",
    );
    page.histogram("gossipper_call_length_seconds", &[], &measures.call_length);
    page.head(
        "gossipper_start_lateness_seconds",
        Kind::Histogram,
        "seconds",
        "How much later than scheduled calls began.",
    );
    page.histogram("gossipper_start_lateness_seconds", &[], &measures.lateness);
    page.both(
        "gossipper_invite_seconds",
        "From INVITE to its final answer.",
        &[(&[], &measures.invite)],
    );
    page.both(
        "gossipper_answer_seconds",
        "From a request to its final answer; of a server, from that to the ACK.",
        &[(&[], &measures.answer)],
    );
    let timers: Vec<_> = measures
        .timers
        .iter()
        .map(|timer| ([("timer", timer.name.as_str())], &timer.times))
        .collect();
    let timers: Vec<(&Labels<'_>, &Times)> = timers
        .iter()
        .map(|(labels, times)| (&labels[..], *times))
        .collect();
    page.both(
        "gossipper_rtd_seconds",
        "The scenario's response-time timers.",
        &timers,
    );
    let codes: Vec<_> = measures
        .responses
        .iter()
        .map(|response| response.code.to_string())
        .collect();
    let responses: Vec<_> = measures
        .responses
        .iter()
        .zip(&codes)
        .map(|(response, code)| {
            let labels = [
                ("method", response.method.as_str()),
                ("code", code.as_str()),
            ];
            (labels, &response.times)
        })
        .collect();
    let responses: Vec<(&Labels<'_>, &Times)> = responses
        .iter()
        .map(|(labels, times)| (&labels[..], *times))
        .collect();
    page.both(
        "gossipper_response_seconds",
        "How long responses took, by method and status code.",
        &responses,
    );
}

#[cfg(test)]
mod tests;
