// SPDX-License-Identifier: AGPL-3.0-only
//! Which exit code a run has that could not begin, or that has ended.

use gossipper_control::Snapshot;
use gossipper_runtime::{Ending, Error};

use crate::exit::ExitCode;
use crate::stdio;

/// Says what went wrong with the machine, and which exit code that is.
pub(crate) fn failed(error: &Error) -> ExitCode {
    stdio::error(&error.to_string());
    match error {
        error if error.is_address_in_use() => ExitCode::Bind,
        // What the scenario and the flags do not agree on is a wrong command line, nothing of the machine's.
        Error::Link(_) | Error::RtpSender { .. } => ExitCode::Failed,
        _ => ExitCode::Fatal,
    }
}

/// The exit code of a run that ended. The main scenario counts, as it does in SIPp.
pub(super) fn verdict(ending: &Ending, snapshot: &Snapshot) -> ExitCode {
    let (succeeded, failed) = snapshot.main().map_or((0, 0), |engine| {
        (engine.calls.succeeded, engine.calls.failed)
    });
    let media = snapshot.main().and_then(|engine| engine.media.as_deref());
    let unreturned =
        media.is_some_and(|media| media.patterns.iter().any(|pattern| pattern.failed > 0));
    let by_calls = if unreturned {
        ExitCode::RtpCheck
    } else if failed > 0 {
        ExitCode::Failed
    } else {
        ExitCode::Good
    };
    match ending {
        Ending::Completed
        | Ending::Drained
        | Ending::Stopped
        | Ending::TimedOutGlobally
        | Ending::TwinEnded => by_calls,
        Ending::TimedOut if succeeded + failed == 0 => ExitCode::Stopped,
        Ending::TimedOut => by_calls,
        Ending::StopNow => ExitCode::Stopped,
        Ending::TimeoutError(text) | Ending::Fatal(text) => {
            stdio::error(text);
            ExitCode::Fatal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_exit_code_follows_the_calls_unless_the_run_was_cut_short() {
        let failed = sample::client();
        let mut good = sample::client();
        good.engines[0].calls.failed = 0;
        let mut none = good.clone();
        none.engines[0].calls.succeeded = 0;
        for ending in [
            Ending::Completed,
            Ending::Drained,
            Ending::Stopped,
            Ending::TimedOutGlobally,
            Ending::TwinEnded,
        ] {
            assert_eq!(verdict(&ending, &good), ExitCode::Good, "{ending:?}");
            assert_eq!(verdict(&ending, &failed), ExitCode::Failed, "{ending:?}");
            assert_eq!(verdict(&ending, &none), ExitCode::Good, "{ending:?}");
        }
        assert_eq!(verdict(&Ending::TimedOut, &good), ExitCode::Good);
        assert_eq!(verdict(&Ending::TimedOut, &none), ExitCode::Stopped);
        assert_eq!(verdict(&Ending::StopNow, &good), ExitCode::Stopped);
        assert_eq!(
            verdict(&Ending::TimeoutError(String::new()), &good),
            ExitCode::Fatal
        );
        assert_eq!(
            verdict(&Ending::Fatal(String::new()), &good),
            ExitCode::Fatal
        );
    }
}
