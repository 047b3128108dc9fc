// SPDX-License-Identifier: AGPL-3.0-only
//! Media of calls in the summary.

use gossipper_control::MediaSnapshot;
use std::fmt::Write as _;

/// Appends what is to be said; tells how many lines that took.
pub(super) fn lines(out: &mut String, media: &MediaSnapshot) -> usize {
    let before = out.len();
    let closed = &media.closed;
    let mut more = String::new();
    for (count, what) in [
        (closed.lost, "lost"),
        (media.unsent + media.skipped, "not sent"),
        (media.useless, "useless"),
        (media.recordings_lost, "not recorded"),
    ] {
        if count > 0 {
            let _ = write!(more, "  {count} {what}");
        }
    }
    let _ = writeln!(
        out,
        "RTP        {} sent  {} received{more}",
        media.packets_sent, media.packets_received
    );
    if closed.received > 0 {
        let mos = match closed.rated {
            0 => String::new(),
            rated => format!(
                "  MOS {:.2} (lowest {:.2})",
                closed.mos_sum / rated as f64,
                closed.min_mos
            ),
        };
        let _ = writeln!(
            out,
            "Heard      {} streams  jitter {:.2} ms (highest {:.2}){mos}",
            closed.received,
            closed.jitter_ms_sum / closed.received as f64,
            closed.max_jitter_ms
        );
    }
    if closed.reported > 0 {
        let round_trip = match closed.round_trips {
            0 => String::new(),
            timed => format!(
                "  round trip {:.2} ms",
                closed.round_trip_ms_sum / timed as f64
            ),
        };
        let _ = writeln!(
            out,
            "Reported   {} streams  jitter {:.2} ms  lost up to {:.1} %{round_trip}",
            closed.reported,
            closed.reported_jitter_ms_sum / closed.reported as f64,
            closed.max_reported_loss_percent
        );
    }
    for (name, pattern) in ["audio", "video"].into_iter().zip(&media.patterns) {
        if pattern.failed > 0 {
            let _ = writeln!(
                out,
                "RTP check  FAILED: {} of {} {name} patterns, {} of {} packets without their echo",
                pattern.failed, pattern.streams, pattern.errors, pattern.packets
            );
        }
    }
    out[before..].lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_control::{ClosedStreams, PatternCounts};

    #[test]
    fn what_was_heard_and_what_did_not_come_back_is_said() {
        let mut media = MediaSnapshot {
            packets_sent: 100,
            packets_received: 98,
            ..MediaSnapshot::default()
        };
        let text = |media: &MediaSnapshot| {
            let mut out = String::new();
            let lines = lines(&mut out, media);
            assert_eq!(lines, out.lines().count());
            out
        };
        assert_eq!(text(&media), "RTP        100 sent  98 received\n");
        media.closed = ClosedStreams {
            received: 2,
            lost: 2,
            jitter_ms_sum: 3.0,
            max_jitter_ms: 2.5,
            rated: 2,
            mos_sum: 8.0,
            min_mos: 3.75,
            reported: 2,
            reported_jitter_ms_sum: 0.5,
            max_reported_loss_percent: 1.5625,
            round_trips: 1,
            round_trip_ms_sum: 20.5,
            ..ClosedStreams::default()
        };
        media.patterns[0] = PatternCounts {
            streams: 3,
            failed: 1,
            packets: 90,
            errors: 30,
        };
        assert_eq!(
            text(&media),
            "RTP        100 sent  98 received  2 lost\n\
             Heard      2 streams  jitter 1.50 ms (highest 2.50)  MOS 4.00 (lowest 3.75)\n\
             Reported   2 streams  jitter 0.25 ms  lost up to 1.6 %  round trip 20.50 ms\n\
             RTP check  FAILED: 1 of 3 audio patterns, 30 of 90 packets without their echo\n"
        );
    }
}
