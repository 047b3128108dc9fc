// SPDX-License-Identifier: AGPL-3.0-only
//! Which exit code a run has that could not begin, or that has ended.

use gossipper_control::Snapshot;
use gossipper_runtime::{Ending, Error};
use gossipper_vm::LinkError;

use crate::exit::ExitCode;
use crate::stdio;
use crate::words;

/// Says what went wrong with the machine, and which exit code that is.
pub(crate) fn failed(error: &Error, sipps: bool) -> ExitCode {
    match sipps_words(error) {
        Some(words) => stdio::error_as(&words, &error.to_string()),
        None => stdio::error(&error.to_string()),
    }
    match error {
        error if error.is_address_in_use() => ExitCode::Bind,
        // COMPAT(sipp): logs are made, and captures read, as part of reading the command line.
        Error::LogFile { table: false, .. } if sipps => ExitCode::Failed,
        Error::Media { what, .. } if sipps && what.starts_with("play_pcap") => ExitCode::Failed,
        // What the scenario and the flags do not agree on is a wrong command line, nothing of the machine's.
        Error::Link(_) | Error::RtpSender { .. } => ExitCode::Failed,
        _ => ExitCode::Fatal,
    }
}

/// What SIPp says of it.
fn sipps_words(error: &Error) -> Option<String> {
    Some(match error {
        Error::Bind { source, .. } | Error::Listen { source, .. } => {
            let errno = source.raw_os_error()?;
            let text = source.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!("Unable to bind main socket, errno = {errno} ({text})")
        }
        Error::LogFile {
            path, table: false, ..
        } => words::not_created(&path.display().to_string()),
        Error::LogFile {
            path, table: true, ..
        } => {
            format!("Unable to open stat file '{}' !", path.display())
        }
        Error::Link(LinkError::NotGlobal(name)) => {
            format!("Can not set the global variable {name}, because it does not exist.")
        }
        Error::Echo { .. }
        | Error::MediaAddress { .. }
        | Error::Socket { .. }
        | Error::Resolve { .. }
        | Error::NoRoute { .. }
        | Error::Family { .. }
        | Error::TwinListen { .. }
        | Error::TwinConnect { .. }
        | Error::Thread { .. }
        | Error::Media { .. }
        | Error::Tls(_)
        | Error::Link(_)
        | Error::RtpSender { .. } => return None,
    })
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
