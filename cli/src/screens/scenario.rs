// SPDX-License-Identifier: AGPL-3.0-only
//! The screen of the scenario: how the run does, and a line for each step.

use super::{Frame, Shown};
use gossipper_control::{Mode, StepKind, StepSnapshot};

/// Column of the second figure of a line.
const SECOND: usize = 40;
/// Characters of a step's name.
const NAME: usize = 12;

const RIGHT: &str = "---------->";
const LEFT: &str = "<----------";

fn pair(left: &str, right: &str) -> String {
    format!("  {left:<width$}{right}", width = SECOND)
        .trim_end()
        .to_owned()
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(_, port)| port)
}

/// The lines above the steps.
pub(super) fn head(frame: &Frame<'_>, shown: &Shown<'_>) -> Vec<String> {
    let engine = shown.engine;
    let server = engine.mode == Some(Mode::Server);
    let seconds = frame.now.elapsed_us as f64 / 1e6;
    let port = port(&engine.local);
    let transport = shown.layout.transport;
    let calls = &engine.calls;
    let created = calls.created();
    let mut lines = Vec::new();
    if server {
        lines.push("  Port   Total-time  Total-calls  Transport".to_owned());
        lines.push(format!(
            "  {port:<5}{seconds:>10.2} s  {created:>11}  {transport}"
        ));
    } else {
        let length = shown.layout.duration_ms;
        let rate = match engine.rate.users {
            Some(users) => format!("{users} users ({length} ms)"),
            None => {
                let period = shown.layout.period_ms as f64 / 1e3;
                let rate = engine.rate.target * period;
                format!("{rate:.1}({length} ms)/{period:.3}s")
            }
        };
        let remote = engine.remote.as_deref().unwrap_or("-");
        lines.push("  Call rate (length)   Port   Total-time  Total-calls  Remote-host".to_owned());
        lines.push(format!(
            "  {rate:<18}   {port:<5}{seconds:>10.2} s  {created:>11}  {remote}({transport})"
        ));
    }
    lines.push(String::new());
    let before = shown.before.map_or(0, |before| before.calls.created());
    let period = frame.period_us() as f64 / 1e6;
    let late = if engine.lateness.count > 0 {
        let ms = engine.lateness.p99_us as f64 / 1e3;
        format!("calls begin {ms:.2} ms late (p99)")
    } else {
        String::new()
    };
    lines.push(pair(
        &format!(
            "{} new calls during {period:.3} s period",
            created.saturating_sub(before)
        ),
        &late,
    ));
    let limit = match (server, calls.open_limit) {
        (true, _) | (_, 0) => String::new(),
        (false, limit) => format!(" (limit {limit})"),
    };
    lines.push(pair(
        &format!("{} calls{limit}", calls.current),
        &format!(
            "Peak was {} calls, after {} s",
            calls.peak,
            calls.peak_at_us / 1_000_000
        ),
    ));
    let messages = &engine.messages;
    lines.push(pair(
        &format!("{} dead call msg (discarded)", messages.dead_call),
        &format!("{} out-of-call msg (discarded)", messages.out_of_call),
    ));
    let counts = &engine.transport;
    let unread = counts.recv_dropped + counts.handover_dropped;
    lines.push(pair(
        &format!("{unread} received msg dropped unread"),
        &format!(
            "{}/{}/{} {transport} errors (send/recv/cong)",
            counts.send_errors + counts.send_dropped,
            counts.recv_errors,
            counts.congested
        ),
    ));
    if messages.auto_answered + messages.lost > 0 {
        lines.push(pair(
            &format!("{} requests answered by itself", messages.auto_answered),
            &format!("{} messages lost on purpose", messages.lost),
        ));
    }
    if let Some(media) = &engine.media {
        let before = shown.before.and_then(|engine| engine.media.as_ref());
        let bytes = before.map_or(0, |media| media.bytes_sent);
        let rate = if period > 0.0 {
            media.bytes_sent.saturating_sub(bytes) as f64 / 1e3 / period
        } else {
            0.0
        };
        lines.push(pair(
            &format!("{} Total RTP pckts sent", media.packets_sent),
            &format!("{rate:.3} last period RTP rate (kB/s)"),
        ));
    }
    if let Some(echo) = &frame.now.rtp_echo {
        let before = frame.before.rtp_echo.as_ref();
        for (index, name) in ["1st", "2nd"].into_iter().enumerate() {
            let counts = echo.streams[index];
            let bytes = before.map_or(0, |before| before.streams[index].bytes);
            let rate = if period > 0.0 {
                counts.bytes.saturating_sub(bytes) as f64 / 1e3 / period
            } else {
                0.0
            };
            lines.push(pair(
                &format!("{} Total echo RTP pckts {name} stream", counts.packets),
                &format!("{rate:.3} last period RTP rate (kB/s)"),
            ));
        }
    }
    lines.push(String::new());
    lines
}

/// The lines of the steps.
pub(super) fn steps(frame: &Frame<'_>, shown: &Shown<'_>) -> Vec<String> {
    let engine = shown.engine;
    let server = engine.mode == Some(Mode::Server);
    let loses = engine.steps.iter().any(|step| step.lost > 0);
    let mut head = format!("{:36}Messages  Retrans   Timeout   Unexpected-Msg", "");
    if loses {
        head.push_str("  Lost");
    }
    let mut lines = vec![head];
    for (index, step) in engine.steps.iter().enumerate() {
        if step.hidden && frame.view.hide {
            continue;
        }
        let layout = shown.layout.steps.get(index).cloned().unwrap_or_default();
        let name: String = step
            .name
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(NAME)
            .collect();
        let lost = loses.then_some(step.lost);
        let line = match step.kind {
            StepKind::Send | StepKind::SendCmd => {
                let timeouts = (layout.repeats || step.timeouts > 0).then_some(step.timeouts);
                let figures = counted([
                    Some(step.messages),
                    Some(step.retransmissions),
                    timeouts,
                    None,
                    lost,
                ]);
                let name = command_or(step, &name, "CMD");
                arrow(server, RIGHT, LEFT, &name, &layout.timers, &figures)
            }
            StepKind::Recv | StepKind::RecvCmd => {
                let figures = counted([
                    Some(step.messages),
                    Some(step.retransmissions),
                    Some(step.timeouts),
                    Some(step.unexpected),
                    lost,
                ]);
                let name = command_or(step, &name, "CMD");
                arrow(server, LEFT, RIGHT, &name, &layout.timers, &figures)
            }
            StepKind::Pause | StepKind::Timewait => {
                let figures =
                    counted([Some(step.messages), None, None, Some(step.unexpected), None]);
                let what = if step.kind == StepKind::Pause {
                    "Pause"
                } else {
                    "Timewait"
                };
                let length = match &name[..] {
                    "" => format!("{}ms", shown.layout.default_pause_ms),
                    length => length.to_owned(),
                };
                let length = format!("[{length:>9}]");
                arrow(server, &length, &length, what, &layout.timers, &figures)
            }
            StepKind::Nop if name.is_empty() => arrow(server, "[ NOP ]", "[ NOP ]", "", "", ""),
            StepKind::Nop => arrow(server, "", "", &step_text(step), "", ""),
        };
        lines.push(format!("{index:<2}:{line}").trim_end().to_owned());
        if layout.blank_after {
            lines.push(String::new());
        }
    }
    lines
}

/// The name of a command of a twin, which has none of its own.
fn command_or(step: &StepSnapshot, name: &str, command: &str) -> String {
    match step.kind {
        StepKind::SendCmd | StepKind::RecvCmd if name.is_empty() => command.to_owned(),
        _ => name.to_owned(),
    }
}

/// What an author wants to be shown in place of a `nop`.
fn step_text(step: &StepSnapshot) -> String {
    step.name
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(60)
        .collect()
}

/// The name and the arrow of a step, in the order of the side that is shown.
fn arrow(
    server: bool,
    of_client: &str,
    of_server: &str,
    name: &str,
    timers: &str,
    figures: &str,
) -> String {
    let timers: String = timers.chars().take(6).collect();
    if server {
        format!("  {of_server:<11} {name:<12}{timers:<6} {figures}")
    } else {
        format!("{name:>12} {of_client:<11}  {timers:<6} {figures}")
    }
}

/// Figures in columns, or blanks.
fn counted(figures: [Option<u64>; 5]) -> String {
    figures
        .map(|figure| match figure {
            Some(figure) => format!("{figure:<9} "),
            None => " ".repeat(10),
        })
        .concat()
}
