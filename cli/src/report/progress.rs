// SPDX-License-Identifier: AGPL-3.0-only
//! The one line that a run shows of itself.
//!
//! Rates asked and reached stand beside each other, since a generator that falls behind must not look like a peer
//! that is slow.

use super::{duration, rate, time};
use gossipper_control::{EngineSnapshot, Limit, Phase, Snapshot};
use std::fmt::Write as _;

/// The line, cut to `width` columns; `None` before there is anything to show.
pub(crate) fn line(snapshot: &Snapshot, width: usize) -> Option<String> {
    let engine = snapshot.main()?;
    let mut line = duration(snapshot.elapsed_us);
    // First, so that a narrow terminal does not cut it off.
    line.push_str(match engine.phase {
        Phase::Draining => " draining",
        Phase::Aborting => " aborting",
        Phase::Running if engine.rate.paused => " paused",
        Phase::Running | Phase::Ended => "",
    });
    if engine.calls.incoming > 0 || engine.remote.is_none() {
        let _ = write!(line, "  {}/s in", rate(engine.rate.recent));
    } else if let Some(users) = engine.rate.users {
        let _ = write!(line, "  {}/s by {users} users", rate(engine.rate.recent));
    } else {
        let _ = write!(
            line,
            "  {}/s of {}",
            rate(engine.rate.recent),
            rate(engine.rate.target)
        );
    }
    if let Some(limit) = engine.limits.now {
        let _ = write!(line, ", limited by {}", limited_by(engine, limit));
    }
    let calls = &engine.calls;
    let _ = write!(
        line,
        "  open {}  done {}  failed {}  retrans {}",
        calls.current, calls.succeeded, calls.failed, engine.messages.retransmitted
    );
    if let Some(response) = engine
        .response_times
        .iter()
        .find(|response| response.actual.count > 0)
    {
        let _ = write!(
            line,
            "  rt {} p99 {}",
            time(response.actual.p50_us),
            time(response.actual.p99_us)
        );
    }
    // Everything in it is ASCII, so a byte is a column.
    line.truncate(width);
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
            @"2.04s  501/s of 500  open 0  done 997  failed 3  retrans 12  rt 0.31ms p99 1.24ms"
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
    fn a_narrow_terminal_cuts_the_line() {
        let line = line(&sample::client(), 40).expect("an engine");
        assert_eq!(line.len(), 40);
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
