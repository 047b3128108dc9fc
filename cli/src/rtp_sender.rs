// SPDX-License-Identifier: AGPL-3.0-only
//! `-rtp_send`: RTP without SIP, from the command line to an exit code.

use crate::drive::{self, Signals};
use crate::exit::ExitCode;
use crate::flags::low::LowArgs;
use crate::flags::sender::Sender;
use crate::report::summary;
use crate::results::Reports;
use crate::stdio;
use gossipper_control::{MediaSnapshot, Snapshot};
use gossipper_runtime::config::SenderConfig;
use gossipper_runtime::media::sender::RtpSender;
use gossipper_runtime::{Ending, RunReport};
use std::time::Duration;
use tokio::time::sleep;

/// Whether the command line asks for it.
pub(crate) fn is_meant(low: &LowArgs) -> bool {
    low.media.sender.send
}

/// Sends what the command line says; `given` has its flags.
pub(crate) fn run(low: LowArgs, given: &[&'static str]) -> ExitCode {
    let sender = match Sender::resolve(low, given) {
        Ok(sender) => sender,
        Err(faults) => {
            for fault in faults {
                stdio::error(&fault);
            }
            return ExitCode::Failed;
        }
    };
    for note in &sender.notes {
        stdio::note(note);
    }
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    match reactor {
        Ok(reactor) => reactor.block_on(drive(sender)),
        Err(error) => {
            stdio::error(&format!("cannot wait for signals: {error}"));
            ExitCode::Fatal
        }
    }
}

async fn drive(sender: Sender) -> ExitCode {
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            stdio::error(&format!("cannot handle signals: {error}"));
            return ExitCode::Fatal;
        }
    };
    let Sender {
        config,
        codec,
        timeout,
        line_period,
        results,
        ..
    } = sender;
    let mut reports = Reports::new(&results, "rtp");
    if let Err(code) = reports.bind().await {
        return code;
    }
    let first = begin_line(&config, &codec);
    let running = match RtpSender::start(config) {
        Ok(running) => running,
        Err(error) => return drive::failed(&error, false),
    };
    stdio::out(&first(running.packet_ms()));
    let view = running.view();
    reports.serve(&view);
    let mut line_due = drive::ticks(line_period);
    let mut timeout = std::pin::pin!(wait(timeout));
    let ending = loop {
        tokio::select! {
            () = running.ended() => break Ending::Completed,
            () = signals.end() => break Ending::Stopped,
            () = &mut timeout => break Ending::TimedOut,
            () = reports.due() => {
                if reports.look(&view) {
                    break Ending::Stopped;
                }
            }
            () = drive::tick(&mut line_due) => {
                stdio::err(&summary::line(&running.snapshot()));
            }
        }
    };
    let snapshot = running.finish();
    let media = media(&snapshot);
    let code = if media.packets_sent == 0 && media.unsent > 0 {
        stdio::error("rtp_sender: no packet could be sent");
        ExitCode::Failed
    } else {
        ExitCode::Good
    };
    let report = RunReport {
        snapshot,
        measures: None,
        ending,
        edited: Vec::new(),
    };
    let (code, health) = reports.finish(&report, code, stdio::stdout_takes_colour());
    stdio::out(&health);
    stdio::out(&end_line(&media));
    code
}

async fn wait(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

fn media(snapshot: &Snapshot) -> MediaSnapshot {
    let media = snapshot.main().and_then(|engine| engine.media.as_deref());
    media.copied().unwrap_or_default()
}

/// What is sent; the length of a packet is known only when it is.
fn begin_line(config: &SenderConfig, codec: &str) -> impl Fn(u64) -> String + use<> {
    let remotes: Vec<String> = config.remotes.iter().map(ToString::to_string).collect();
    let duration = match config.length {
        Some(length) => format!("{}ms", length.as_millis()),
        None => "unlimited".to_owned(),
    };
    let streams = match config.streams {
        1 => String::new(),
        streams => format!(" streams={streams}"),
    };
    let begin = format!(
        "rtp_sender: streaming to {} codec={codec} pt={}",
        remotes.join(","),
        config.payload_type
    );
    let end = format!("duration={duration} channels={}{streams}", config.channels);
    move |ms| format!("{begin} freq={ms}ms {end}\n")
}

/// What became of it.
fn end_line(media: &MediaSnapshot) -> String {
    format!(
        "rtp_sender: done  sent={} octets={} rtcp_sr={} not_sent={} skipped={} rtp_recv={} rtcp_in={}\n",
        media.packets_sent,
        media.closed.octets_sent,
        media.sender_reports,
        media.unsent,
        media.skipped,
        media.packets_received,
        media.reports_received
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_control::ClosedStreams;

    #[test]
    fn the_last_line_says_what_was_sent_and_what_was_not() {
        let media = MediaSnapshot {
            packets_sent: 150,
            unsent: 2,
            skipped: 3,
            sender_reports: 6,
            packets_received: 4,
            reports_received: 5,
            closed: ClosedStreams {
                octets_sent: 24_000,
                ..ClosedStreams::default()
            },
            ..MediaSnapshot::default()
        };
        assert_eq!(
            end_line(&media),
            "rtp_sender: done  sent=150 octets=24000 rtcp_sr=6 not_sent=2 skipped=3 rtp_recv=4 rtcp_in=5\n"
        );
    }
}
