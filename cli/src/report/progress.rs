// SPDX-License-Identifier: AGPL-3.0-only
//! The one line that a run shows of itself.
//!
//! Rates asked and reached stand beside each other, since a generator that falls behind must not look like a peer
//! that is slow.

use super::{duration, rate, share, time};
use gossipper_control::{EngineSnapshot, Limit, Phase, Snapshot};

/// The line, with as much of it as fits into `width` columns; `None` before there is anything to show.
pub(crate) fn line(snapshot: &Snapshot, width: usize) -> Option<String> {
    let engine = snapshot.main()?;
    let (calls, pace) = (&engine.calls, &engine.rate);
    let state = match engine.phase {
        Phase::Draining => " draining",
        Phase::Aborting => " aborting",
        Phase::Running if pace.paused => " paused",
        Phase::Running | Phase::Ended => "",
    };
    let reached = rate(pace.recent);
    let reached = if calls.incoming > 0 || engine.remote.is_none() {
        format!("{reached}/s in")
    } else if let Some(users) = pace.users {
        format!("{reached}/s by {users} users")
    } else {
        format!("{reached}/s of {}", rate(pace.target))
    };
    let limited = match engine.limits.now {
        Some(limit) => format!(", limited by {}", limited_by(engine, limit)),
        None => String::new(),
    };
    let ended = calls.succeeded + calls.failed;
    let of = match calls.total_limit {
        Some(limit) => format!(" of {limit}"),
        None => String::new(),
    };
    let part = match calls.failed {
        0 => String::new(),
        failed => format!(" ({})", share(failed, ended)),
    };
    // What a narrow terminal has no room for is what comes last.
    let mut parts = vec![
        format!("{}{state}", duration(snapshot.elapsed_us)),
        format!("{reached}{limited}"),
        format!("open {}", calls.current),
        format!("ended {ended}{of}"),
        format!("failed {}{part}", calls.failed),
    ];
    if engine.messages.retransmitted > 0 {
        parts.push(format!("retrans {}", engine.messages.retransmitted));
    }
    let mut responses = engine.response_times.iter();
    if let Some(response) = responses.find(|response| response.actual.count > 0) {
        parts.push(format!("rt {}", time(response.actual.p50_us)));
        parts.push(format!("p99 {}", time(response.actual.p99_us)));
    }
    let mut line = String::new();
    for part in parts {
        let between = if line.is_empty() { "" } else { "  " };
        // Everything in it is ASCII, so a byte is a column.
        if line.len() + between.len() + part.len() > width {
            break;
        }
        line.push_str(between);
        line.push_str(&part);
    }
    Some(line)
}

/// What a limit is called.
pub(super) fn limited_by(engine: &EngineSnapshot, limit: Limit) -> String {
    match limit {
        Limit::Cpu => "the CPU".to_owned(),
        Limit::SendBuffer => "a full send buffer".to_owned(),
        Limit::RecvBuffer => "a full receive buffer".to_owned(),
        Limit::OpenCalls => format!("-l {}", engine.calls.open_limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_keeps_the_rate_from_being_reached_stands_beside_it() {
        let shown = |limit| {
            let mut snapshot = sample::client();
            snapshot.engines[0].limits.now = Some(limit);
            let line = line(&snapshot, 200).expect("an engine");
            let after = line.strip_prefix("2.04s  501/s of 500, limited by ");
            let (what, _) = after
                .and_then(|text| text.split_once("  open 0"))
                .expect("it says so");
            what.to_owned()
        };
        assert_eq!(
            Limit::ALL.map(shown),
            [
                "the CPU",
                "a full send buffer",
                "a full receive buffer",
                "-l 1500"
            ]
        );
    }

    #[test]
    fn a_client_shows_the_rate_asked_and_reached() {
        insta::assert_snapshot!(
            line(&sample::client(), 200).expect("an engine"),
            @"2.04s  501/s of 500  open 0  ended 1000 of 1000  failed 3 (0.3 %)  retrans 12  rt 0.31ms  p99 1.24ms"
        );
    }

    #[test]
    fn a_run_in_which_nothing_goes_wrong_fits_eighty_columns() {
        let mut snapshot = sample::client();
        let engine = &mut snapshot.engines[0];
        snapshot.elapsed_us = 3_725_000_000;
        (engine.calls.failed, engine.calls.succeeded) = (0, 73_456);
        (engine.calls.current, engine.calls.total_limit) = (1234, Some(100_000));
        engine.messages.retransmitted = 0;
        insta::assert_snapshot!(
            line(&snapshot, 80).expect("an engine"),
            @"1h02m05s  501/s of 500  open 1234  ended 73456 of 100000  failed 0  rt 0.31ms"
        );
    }

    #[test]
    fn users_stand_in_place_of_the_rate() {
        let mut snapshot = sample::client();
        snapshot.engines[0].rate.users = Some(20);
        let line = line(&snapshot, 200).expect("an engine");
        assert!(
            line.starts_with("2.04s  501/s by 20 users  open 0"),
            "{line}"
        );
    }

    #[test]
    fn a_narrow_terminal_has_no_room_for_what_comes_last() {
        let shown = |width| line(&sample::client(), width).expect("an engine");
        assert_eq!(shown(40), "2.04s  501/s of 500  open 0");
        for width in 0..120 {
            assert!(shown(width).len() <= width, "{}", shown(width));
        }
    }

    #[test]
    fn there_is_no_line_before_there_is_an_engine() {
        assert_eq!(line(&Snapshot::default(), 80), None);
    }

    #[test]
    fn the_state_is_said_when_it_is_not_the_usual_one() {
        let mut snapshot = sample::client();
        snapshot.engines[0].phase = Phase::Draining;
        assert!(line(&snapshot, 200).is_some_and(|line| line.starts_with("2.04s draining  ")));
        snapshot.engines[0].phase = Phase::Running;
        snapshot.engines[0].rate.paused = true;
        assert!(line(&snapshot, 200).is_some_and(|line| line.starts_with("2.04s paused  ")));
    }
}
