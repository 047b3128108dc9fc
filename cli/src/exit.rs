// SPDX-License-Identifier: AGPL-3.0-only
//! Every exit code of the program, in one place.
//!
//! The codes are SIPp's in both dialects. Only what is *not* a run differs: SIPp ends with 99 after help, version and
//! `-sd`, while everybody else expects 0 (docs/adr/0009-dialects.md).

use crate::flags::low::Dialect;

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExitCode {
    /// The run ended and no call failed; a check found nothing; help was asked for.
    Good,
    /// At least one call failed; or the command line or the scenario is wrong.
    Failed,
    /// A health gate or a threshold was not kept.
    Unhealthy,
    /// `stop_now`, or the timeout of the run came before any call was completed.
    Stopped,
    /// SIPp's code after `-h`, `-v`, `-sd` and an empty command line: no call was processed.
    NoCall,
    /// A pattern did not come back (SIPp's −3).
    RtpCheck,
    /// The address to bind is in use (SIPp's −2).
    Bind,
    /// Any other fault of the machine while running, and `-timeout_error` (SIPp's −1).
    Fatal,
}

impl ExitCode {
    /// The number that the shell sees.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::Unhealthy => 2,
            Self::Stopped => 97,
            Self::NoCall => 99,
            Self::RtpCheck => 253,
            Self::Bind => 254,
            Self::Fatal => 255,
        }
    }

    /// The code of a number that another process of this program has ended with.
    pub(crate) fn of_number(number: i32) -> Option<Self> {
        [
            Self::Good,
            Self::Failed,
            Self::Unhealthy,
            Self::Stopped,
            Self::NoCall,
            Self::RtpCheck,
            Self::Bind,
            Self::Fatal,
        ]
        .into_iter()
        .find(|code| i32::from(code.number()) == number)
    }

    /// The code after printing something instead of running.
    pub(crate) const fn of_print(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sipp => Self::NoCall,
            Dialect::Gossipper => Self::Good,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}
