// SPDX-License-Identifier: AGPL-3.0-only
//! Why a call failed.
//!
//! The one enum from which CSV columns, JSON keys and screens take their names. Its order is the
//! column order of SIPp's statistics file.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $csv:literal $class:literal $text:literal;)*) => {
        /// The reason that a failed call is counted under.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum FailReason {
            $($(#[$doc])* $name,)*
        }

        impl FailReason {
            /// Every reason, in the column order of SIPp's statistics file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Name of SIPp's statistics column without `(P)` or `(C)`; `FailedCall` where SIPp has no detail column.
            #[must_use]
            pub const fn csv_name(self) -> &'static str {
                match self { $(Self::$name => $csv,)* }
            }

            /// The failure class of the summary: `timeout`, `unexpected_sip`, `transport_error`, `parse_error`,
            /// `scenario_error` or `cancelled`.
            #[must_use]
            pub const fn class(self) -> &'static str {
                match self { $(Self::$name => $class,)* }
            }

            /// A few words for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The socket refused the message.
    CannotSendMessage "FailedCannotSendMessage" "transport_error" "message could not be sent";
    /// A request was repeated as often as allowed and never answered (RFC 3261 §17.1, timer B or F).
    MaxUdpRetrans "FailedMaxUDPRetrans" "timeout" "retransmissions exhausted";
    /// The connection could not be opened.
    TcpConnect "FailedTcpConnect" "transport_error" "no connection";
    /// The peer closed the connection.
    TcpClosed "FailedTcpClosed" "transport_error" "connection closed by peer";
    /// A message arrived that the scenario does not expect here.
    UnexpectedMessage "FailedUnexpectedMessage" "unexpected_sip" "unexpected message";
    /// The scenario rejected the call (`stop_call`), or a twin command came out of order.
    CallRejected "FailedCallRejected" "scenario_error" "call rejected by the scenario";
    /// A twin command could not be sent.
    CmdNotSent "FailedCmdNotSent" "transport_error" "twin command not sent";
    /// An `ereg` with `check_it` found no match.
    RegexpDoesntMatch "FailedRegexpDoesntMatch" "scenario_error" "regular expression did not match";
    /// An `ereg` with `check_it_inverse` found a match.
    RegexpShouldntMatch "FailedRegexpShouldntMatch" "scenario_error" "regular expression matched";
    /// An `ereg` with `check_it` looked in a header that is not there.
    RegexpHdrNotFound "FailedRegexpHdrNotFound" "scenario_error" "header to search not found";
    /// No circuit free, or no port for media.
    OutboundCongestion "FailedOutboundCongestion" "scenario_error" "no free circuit or media port";
    /// A `recv` waited longer than its timeout.
    TimeoutOnRecv "FailedTimeoutOnRecv" "timeout" "receive timeout";
    /// A `send` could not be written in time.
    TimeoutOnSend "FailedTimeoutOnSend" "timeout" "send timeout";
    /// A `test` with `check_it` was false.
    TestDoesntMatch "FailedTestDoesntMatch" "scenario_error" "test failed";
    /// A `test` with `check_it_inverse` was true.
    TestShouldntMatch "FailedTestShouldntMatch" "scenario_error" "inverse test failed";
    /// A `strcmp` with `check_it` found a difference.
    StrcmpDoesntMatch "FailedStrcmpDoesntMatch" "scenario_error" "strings differ";
    /// A `strcmp` with `check_it_inverse` found none.
    StrcmpShouldntMatch "FailedStrcmpShouldntMatch" "scenario_error" "strings are equal";
    /// An ACK whose CSeq number is not that of the INVITE (behaviour `cseq`).
    AckCseqMismatch "FailedCall" "unexpected_sip" "CSeq of ACK does not match INVITE";
    /// The run was stopped while the call was open.
    Aborted "FailedCall" "cancelled" "aborted at the end of the run";
    /// The program asked for something the machine cannot do; the log line says what.
    ScenarioFault "FailedCall" "scenario_error" "scenario fault";
    /// An `rtpcheck` was not met in time, or media could not do what the scenario asks; the log line says which.
    Media "FailedCall" "scenario_error" "media check failed";
}

impl FailReason {
    /// Number of reasons, for tables indexed by reason.
    pub const COUNT: usize = Self::ALL.len();

    /// Position in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_the_position_in_all() {
        for (i, reason) in FailReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), i);
        }
    }
}
