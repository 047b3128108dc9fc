// SPDX-License-Identifier: AGPL-3.0-only
//! Metrics of RTP and RTCP.

use super::Page;
use gossipper_control::MediaSnapshot;

pub(super) fn counts(page: &mut Page, media: &MediaSnapshot) {
    for (name, help, count) in [
        ("rtp_sent", "RTP packets sent.", media.packets_sent),
        (
            "rtp_received",
            "RTP packets received.",
            media.packets_received,
        ),
        (
            "rtp_unsent",
            "RTP packets that could not be sent, or that the machine came too late for.",
            media.unsent + media.skipped,
        ),
        (
            "rtp_lost",
            "RTP packets that never came, of streams that are closed.",
            media.closed.lost,
        ),
        (
            "rtp_useless",
            "Packets that are no RTP, replayed, or sealed with another key.",
            media.useless,
        ),
        (
            "rtcp_received",
            "RTCP packets received.",
            media.reports_received,
        ),
    ] {
        page.count(&format!("gossipper_{name}"), help, count);
    }
    let closed = &media.closed;
    let mean = |sum: f64, of: u64| sum / of.max(1) as f64;
    for (name, unit, help, value) in [
        (
            "gossipper_rtp_jitter_mean_seconds",
            "seconds",
            "Mean jitter of what came on streams that are closed.",
            mean(closed.jitter_ms_sum, closed.received) / 1e3,
        ),
        (
            "gossipper_rtp_jitter_max_seconds",
            "seconds",
            "Highest jitter of what came on streams that are closed.",
            closed.max_jitter_ms / 1e3,
        ),
        (
            "gossipper_rtp_mos_mean",
            "",
            "Mean score (MOS) of streams that are closed; 0 before there is one.",
            mean(closed.mos_sum, closed.rated),
        ),
        (
            "gossipper_rtp_mos_min",
            "",
            "Lowest score (MOS) of streams that are closed; 0 before there is one.",
            closed.min_mos,
        ),
        (
            "gossipper_rtp_r_factor_mean",
            "",
            "Mean R-factor of streams that are closed; 0 before there is one.",
            mean(closed.r_factor_sum, closed.rated),
        ),
        (
            "gossipper_rtcp_round_trip_mean_seconds",
            "seconds",
            "Mean round trip by the reports of peers, of streams that are closed; 0 before there is one.",
            mean(closed.round_trip_ms_sum, closed.round_trips) / 1e3,
        ),
        (
            "gossipper_rtcp_round_trip_max_seconds",
            "seconds",
            "Longest of them.",
            closed.max_round_trip_ms / 1e3,
        ),
    ] {
        page.gauge(name, unit, help, value);
    }
    page.counter(
        "gossipper_rtcp_sent",
        "",
        "RTCP packets sent, by kind of report.",
        &[
            (&[("report", "sender")], &media.sender_reports),
            (&[("report", "receiver")], &media.receiver_reports),
        ],
    );
    for (name, help, bytes) in [
        ("sent", "Bytes of RTP sent.", media.bytes_sent),
        ("received", "Bytes of RTP received.", media.bytes_received),
    ] {
        let name = format!("gossipper_rtp_{name}_bytes");
        page.counter(&name, "bytes", help, &[(&[], &bytes)]);
    }
}
