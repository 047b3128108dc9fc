// SPDX-License-Identifier: AGPL-3.0-only
//! What a run comes to, on one screen of 80 columns and 24 lines.
//!
//! Lateness of the generator stands beside the rates: figures from a run whose generator was late describe the
//! generator. The last line has gossipper's fixed form for scripts.

use super::media;
use super::progress::limited_by;
use super::{cut, duration, rate, share, time};
use crate::ladder::wrapped;
use gossipper_control::{ConnectionCounts, EngineSnapshot, Limit, Mode, Snapshot, TimeSummary};
use std::fmt::Write as _;

/// Columns of the screen that the summary fits on.
const WIDTH: usize = 80;
/// Lines of it, without the last one and that of the prompt.
const LINES: usize = 22;
/// Columns in front of what a line says.
const LABEL: usize = 11;
/// Rows of the response-time table, and of the failure table.
const ROWS_MAX: usize = 3;

/// The summary; `colour` says whether escape sequences are welcome.
pub(crate) fn text(snapshot: &Snapshot, colour: bool) -> String {
    let mut out = String::new();
    let Some(engine) = snapshot.main() else {
        return out;
    };
    head(&mut out, snapshot, engine);
    calls(&mut out, engine, colour);
    rates(&mut out, engine);
    let limited = limits(&mut out, engine, colour);
    messages(&mut out, engine);
    let connected = connections(&mut out, engine);
    let skipped = engine.messages.media_skipped;
    if skipped > 0 {
        let text = format!("Media      NOT played (-no_media): media actions skipped: {skipped}");
        let _ = writeln!(out, "{}", paint(&text, "33", colour));
    }
    if let Some(echo) = &snapshot.rtp_echo {
        let [audio, video] = echo.streams;
        let dropped = match audio.dropped + video.dropped {
            0 => String::new(),
            dropped => format!("  {dropped} not echoed"),
        };
        let _ = writeln!(
            out,
            "RTP echo   {}  {} audio  {} video{dropped}",
            echo.address, audio.packets, video.packets
        );
    }
    let of_calls = engine
        .media
        .as_deref()
        .map_or(0, |counts| media::lines(&mut out, counts));
    // The screen has no room for all of them at their longest. Who skips media echoes none.
    let media = usize::from(skipped > 0 || snapshot.rtp_echo.is_some()) + of_calls;
    let taken = media + usize::from(limited) + usize::from(connected);
    let rows = ROWS_MAX.saturating_sub(taken);
    times(&mut out, engine, rows);
    failures(&mut out, engine, colour);
    if let Some(answerer) = snapshot.answerer() {
        let calls = &answerer.calls;
        let _ = writeln!(
            out,
            "Answerer   {} {}  {} calls  {} failed  {} open  {} retransmitted",
            cut(&answerer.scenario, 16),
            answerer.local,
            calls.created(),
            calls.failed,
            calls.current,
            answerer.messages.retransmitted
        );
    }
    let beside = [
        (&snapshot.out_of_call, "out of call"),
        (&snapshot.receiver, "receiving"),
    ];
    for (beside, kind) in beside {
        let Some(beside) = beside else {
            continue;
        };
        let calls = &beside.calls;
        let _ = writeln!(
            out,
            "Beside     {} ({kind})  {} calls  {} failed  {} open",
            cut(&beside.scenario, 16),
            calls.created(),
            calls.failed,
            calls.current,
        );
    }
    let logs = &snapshot.logs;
    if logs.lost > 0 || logs.error.is_some() {
        let why = logs.error.as_deref().unwrap_or("the disk did not keep up");
        let all = logs.lost + logs.written;
        let _ = writeln!(
            out,
            "Logs       {} records of {all} lost: {}",
            logs.lost,
            cut(why, 100)
        );
    }
    if let Some(hep) = &snapshot.hep
        && (hep.lost > 0 || hep.error.is_some())
    {
        let why = hep.error.as_deref().unwrap_or_default();
        let all = hep.lost + hep.sent;
        let _ = writeln!(
            out,
            "HEP        {} messages of {all} not mirrored: {}",
            hep.lost,
            cut(why, 100)
        );
    }
    if let Some(events) = &snapshot.events
        && (events.overwritten > 0 || events.lost() > 0 || events.error.is_some())
    {
        let why = match (&events.error, events.overwritten) {
            (Some(why), _) => why,
            (None, _) => "more of them than -log_buffer_size",
        };
        let _ = writeln!(
            out,
            "Events     of {} {} overwritten, {} not taken: {}",
            events.recorded,
            events.overwritten,
            events.lost(),
            cut(why, 100)
        );
    }
    if let Some(warning) = &engine.last_warning {
        let text = format!(
            "{}, the last: {}",
            engine.messages.warnings,
            cut(warning, 200)
        );
        // What is wrong often stands at the end, so it gets a second line where the screen has one.
        let room = LINES.saturating_sub(out.lines().count());
        let lines = match room {
            0 | 1 => vec![text],
            _ => wrapped(&[text], WIDTH - LABEL),
        };
        for (line, label) in lines.iter().zip(["Warnings", ""]) {
            let _ = writeln!(out, "{label:LABEL$}{line}");
        }
    }
    let fitted: Vec<String> = out.lines().map(fit).collect();
    fitted.join("\n") + "\n"
}

/// A line no wider than the screen; escape sequences take no room and their lines are short.
fn fit(line: &str) -> String {
    if line.contains('\x1b') {
        line.to_owned()
    } else {
        cut(line, WIDTH)
    }
}

/// The last line, `key=value` separated by blanks.
pub(crate) fn line(snapshot: &Snapshot) -> String {
    let Some(engine) = snapshot.main() else {
        return String::new();
    };
    let mean = |us: f64| format!("{:.3}ms", us / 1e3);
    // Zero without media, because scripts split by position.
    let media = engine.media.as_deref().copied().unwrap_or_default();
    let skipped = match engine.messages.media_skipped {
        0 => String::new(),
        skipped => format!(" media_skipped={skipped}"),
    };
    format!(
        "calls={} success={} failed={} cps={:.2} avg_call={} avg_invite={} retransmits={} timeouts={} \
         rtp_sent={} rtp_recv={} rtcp_sr={} rtcp_rr={} rtcp_in={}{skipped}\n",
        engine.calls.created(),
        engine.calls.succeeded,
        engine.calls.failed,
        engine.rate.mean,
        mean(engine.call_length.mean_us),
        mean(engine.invite.mean_us),
        engine.messages.retransmitted,
        engine.messages.timeouts,
        media.packets_sent,
        media.packets_received,
        media.sender_reports,
        media.receiver_reports,
        media.reports_received,
    )
}

fn head(out: &mut String, snapshot: &Snapshot, engine: &EngineSnapshot) {
    let who = match engine.mode {
        Some(Mode::Client) => "client",
        Some(Mode::Server) => "server",
        None => "",
    };
    let to = match &engine.remote {
        Some(remote) => format!(" -> {remote}"),
        None => String::new(),
    };
    let _ = writeln!(
        out,
        "Scenario   {} ({who})  {}{to}  {}",
        cut(&engine.scenario, 20),
        engine.local,
        duration(snapshot.elapsed_us)
    );
}

fn calls(out: &mut String, engine: &EngineSnapshot, colour: bool) {
    let calls = &engine.calls;
    let limit = match calls.open_limit {
        0 => String::new(),
        limit => format!(" of {limit}"),
    };
    let failed = paint(
        &format!("{} failed", calls.failed),
        "31",
        colour && calls.failed > 0,
    );
    let succeeded = paint(
        &format!("{} succeeded", calls.succeeded),
        "32",
        colour && calls.succeeded > 0,
    );
    let _ = writeln!(
        out,
        "Calls      {} created  {succeeded}  {failed}  {} open  peak {}{limit}",
        calls.created(),
        calls.current,
        calls.peak
    );
}

fn rates(out: &mut String, engine: &EngineSnapshot) {
    if engine.mode == Some(Mode::Server) {
        let _ = writeln!(out, "Rate       {}/s in", rate(engine.rate.mean));
        return;
    }
    let held = match engine.calls.held_back {
        0 => String::new(),
        held => format!("  {held} held back by -l"),
    };
    let _ = match engine.rate.users {
        Some(users) => writeln!(
            out,
            "Rate       by {users} users  reached {}/s",
            rate(engine.rate.mean)
        ),
        None => writeln!(
            out,
            "Rate       asked {}/s  reached {}/s{held}",
            rate(engine.rate.target),
            rate(engine.rate.mean)
        ),
    };
    let late = &engine.lateness;
    let _ = writeln!(
        out,
        "Lateness   of call starts: p50 {}  p99 {}  max {}",
        time(late.p50_us),
        time(late.p99_us),
        time(late.max_us)
    );
}

/// What kept the generator from doing what it was asked to, the longest first; true when something did.
fn limits(out: &mut String, engine: &EngineSnapshot, colour: bool) -> bool {
    let mut limits: Vec<(u64, Limit)> = Limit::ALL
        .iter()
        .map(|limit| (engine.limits.lasted(*limit), *limit))
        .filter(|(lasted, _)| *lasted > 0)
        .collect();
    if limits.is_empty() {
        return false;
    }
    limits.sort_by_key(|(lasted, _)| std::cmp::Reverse(*lasted));
    let named: Vec<String> = limits
        .iter()
        .map(|(lasted, limit)| {
            let by = limited_by(engine, *limit);
            format!("by {by} for {}", duration(*lasted))
        })
        .collect();
    let text = cut(&format!("Limited    {}", named.join(", ")), WIDTH);
    let _ = writeln!(out, "{}", paint(&text, "33", colour));
    true
}

/// What became of connections, on one line; nothing, and false, where there were none.
fn connections(out: &mut String, engine: &EngineSnapshot) -> bool {
    let c = &engine.transport.connections;
    if *c == ConnectionCounts::default() {
        return false;
    }
    let mut line = format!("Connected  {} opened", c.opened);
    for (count, what) in [
        (c.failed, "refused or failed"),
        (c.closed_by_peer, "closed by the peer"),
        (c.made_anew, "made anew"),
        (c.tls_full, "full TLS handshakes"),
        (c.tls_resumed, "resumed"),
        (c.tls_failed, "failed"),
    ] {
        if count > 0 {
            let _ = write!(line, "  {count} {what}");
        }
    }
    out.push_str(&line);
    out.push('\n');
    true
}

fn messages(out: &mut String, engine: &EngineSnapshot) {
    let m = &engine.messages;
    let _ = writeln!(
        out,
        "Messages   {} sent  {} received  {} retransmitted  {} received again",
        m.sent, m.received, m.retransmitted, m.received_again
    );
    let t = &engine.transport;
    let rare = [
        (m.unexpected, "unexpected"),
        (m.timeouts, "timed out"),
        (m.out_of_call, "out of call"),
        (m.dead_call, "for ended calls"),
        (m.auto_answered, "answered automatically"),
        (m.discarded, "not SIP"),
        (m.lost, "lost on purpose"),
        (t.send_errors + t.send_dropped, "not sent"),
        (t.recv_dropped + t.handover_dropped, "dropped unread"),
        (t.icmp_errors, "ICMP"),
        (t.recv_errors, "read errors"),
    ];
    let mut row = String::new();
    for (count, what) in rare.iter().filter(|(count, _)| *count > 0) {
        let item = format!("  {count} {what}");
        if row.len() + item.len() > WIDTH - 9 {
            let _ = writeln!(out, "         {row}");
            row.clear();
        }
        row.push_str(&item);
    }
    if !row.is_empty() {
        let _ = writeln!(out, "         {row}");
    }
}

fn times(out: &mut String, engine: &EngineSnapshot, most: usize) {
    let mut rows: Vec<(String, &TimeSummary)> = Vec::new();
    for response in &engine.response_times {
        rows.push((format!("rtd {}", response.name), &response.actual));
        if response.from_due != response.actual {
            rows.push(("  from due time".to_owned(), &response.from_due));
        }
    }
    let dropped = rows.len().saturating_sub(most);
    rows.truncate(most);
    rows.push(("call length".to_owned(), &engine.call_length));
    rows.retain(|(_, times)| times.count > 0);
    if rows.is_empty() {
        return;
    }
    let more = match dropped {
        0 => String::new(),
        dropped => format!(" (+{dropped})"),
    };
    let _ = writeln!(
        out,
        "Times{more:<11}{:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "count", "mean", "p50", "p90", "p99", "max"
    );
    for (name, times) in rows {
        let _ = writeln!(
            out,
            "  {:<13} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            cut(&name, 15),
            times.count,
            time(times.mean_us as u64),
            time(times.p50_us),
            time(times.p90_us),
            time(times.p99_us),
            time(times.max_us)
        );
    }
}

fn failures(out: &mut String, engine: &EngineSnapshot, colour: bool) {
    if engine.failures.is_empty() {
        return;
    }
    let mut sorted = engine.failures.clone();
    sorted.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    let calls = &engine.calls;
    let ended = calls.succeeded + calls.failed;
    let head = format!(
        "Failures   {} of the {ended} calls that have ended",
        share(calls.failed, ended)
    );
    let _ = writeln!(out, "{}", paint(&head, "31", colour));
    let mut row = |count: u64, why: &str| {
        let part = share(count, calls.failed);
        let _ = writeln!(out, "  {count:>8}  {part:>7}  {why}");
    };
    for failure in sorted.iter().take(ROWS_MAX) {
        row(failure.count, failure.reason.text());
    }
    if let Some(rest) = sorted.get(ROWS_MAX..).filter(|rest| !rest.is_empty()) {
        let count = rest.iter().map(|failure| failure.count).sum();
        row(count, &format!("for {} other reasons", rest.len()));
    }
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use gossipper_control::{EchoCounts, EchoSnapshot, FailCount, FailReason, ResponseTime};

    #[test]
    fn a_loopback_run_reads_like_this() {
        let snapshot = sample::loopback();
        insta::assert_snapshot!(text(&snapshot, false));
    }

    #[test]
    fn the_last_line_has_the_keys_scripts_look_for() {
        insta::assert_snapshot!(
            line(&sample::client()),
            @"calls=1000 success=997 failed=3 cps=498.70 avg_call=1.375ms avg_invite=0.341ms retransmits=12 timeouts=2 rtp_sent=0 rtp_recv=0 rtcp_sr=0 rtcp_rr=0 rtcp_in=0"
        );
    }

    /// Everything that can go wrong went wrong, with the longest figures.
    fn worst() -> Snapshot {
        let mut snapshot = sample::loopback();
        let engine = &mut snapshot.engines[0];
        let many = 12_345_678;
        engine.failures = FailReason::ALL
            .iter()
            .map(|reason| FailCount {
                reason: *reason,
                count: many,
            })
            .collect();
        let one = engine.response_times[0].clone();
        engine.response_times = (0..20)
            .map(|n| ResponseTime {
                name: format!("a long name for a timer {n}"),
                ..one.clone()
            })
            .collect();
        let m = &mut engine.messages;
        for field in [
            &mut m.unexpected,
            &mut m.timeouts,
            &mut m.out_of_call,
            &mut m.dead_call,
            &mut m.auto_answered,
            &mut m.discarded,
            &mut m.lost,
            &mut engine.transport.send_errors,
            &mut engine.transport.icmp_errors,
            &mut engine.transport.recv_dropped,
            &mut engine.transport.recv_errors,
            &mut engine.transport.handover_dropped,
        ] {
            *field = 1_234_567;
        }
        for limit in Limit::ALL {
            *engine.limits.lasted_mut(limit) = 7_384_000_000;
        }
        engine.transport.connections = ConnectionCounts {
            opened: many,
            closed_by_peer: many,
            ..ConnectionCounts::default()
        };
        engine.remote = Some("[2001:db8:1234:5678:9abc:def0:1234:5678]:65535".to_owned());
        engine.scenario = "a scenario with a very long name indeed".to_owned();
        engine.last_warning = Some("unexpected\nmessage ".repeat(20));
        snapshot.logs.lost = 7;
        let echoed = EchoCounts {
            packets: many,
            bytes: many,
            dropped: many,
        };
        snapshot.rtp_echo = Some(EchoSnapshot {
            address: "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535".to_owned(),
            streams: [echoed; 2],
        });
        snapshot.logs.error = Some("disk full ".repeat(20));
        snapshot
    }

    #[test]
    fn even_the_worst_run_fits_eighty_by_twenty_four() {
        let shown = text(&worst(), false);
        // The last line for scripts is longer than a screen is wide, and takes two rows of it.
        assert!(
            shown.lines().count() + 2 <= 24,
            "{} lines:\n{shown}",
            shown.lines().count()
        );
        for line in shown.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn media_that_was_passed_over_is_not_overlooked() {
        let mut snapshot = sample::client();
        assert!(!text(&snapshot, false).contains("Media"));
        assert!(!line(&snapshot).contains("media"));
        snapshot.engines[0].messages.media_skipped = 12;
        assert!(
            text(&snapshot, false)
                .contains("\nMedia      NOT played (-no_media): media actions skipped: 12\n")
        );
        assert!(line(&snapshot).ends_with(" media_skipped=12\n"));
    }

    #[test]
    fn what_was_echoed_is_counted() {
        let mut snapshot = sample::client();
        assert!(!text(&snapshot, false).contains("echo"));
        let counts = |packets| EchoCounts {
            packets,
            bytes: packets * 172,
            dropped: 0,
        };
        snapshot.rtp_echo = Some(EchoSnapshot {
            address: "127.0.0.1:6000".to_owned(),
            streams: [counts(250), counts(0)],
        });
        let shown = text(&snapshot, false);
        assert!(
            shown.contains("\nRTP echo   127.0.0.1:6000  250 audio  0 video\n"),
            "{shown}"
        );
    }

    #[test]
    fn what_limited_the_generator_is_said_with_how_long_the_longest_first() {
        let mut snapshot = sample::client();
        assert!(!text(&snapshot, false).contains("Limited"));
        let limits = &mut snapshot.engines[0].limits;
        (limits.open_calls_us, limits.cpu_us) = (200_000, 1_400_000);
        assert!(
            text(&snapshot, false)
                .contains("\nLimited    by the CPU for 1.40s, by -l 1500 for 0.20s\nMessages")
        );
    }

    #[test]
    fn users_stand_in_place_of_the_rate() {
        let mut snapshot = sample::client();
        snapshot.engines[0].rate.users = Some(20);
        let shown = text(&snapshot, false);
        assert!(
            shown.contains("Rate       by 20 users  reached 499/s\n"),
            "{shown}"
        );
    }

    #[test]
    fn colour_is_only_used_when_welcome() {
        let snapshot = sample::client();
        assert!(!text(&snapshot, false).contains('\x1b'));
        assert!(text(&snapshot, true).contains("\x1b[31m3 failed\x1b[0m"));
    }

    #[test]
    fn a_run_that_never_began_prints_nothing() {
        assert_eq!(text(&Snapshot::default(), true), "");
        assert_eq!(line(&Snapshot::default()), "");
    }
}
