// SPDX-License-Identifier: AGPL-3.0-only
//! The `<action>` block of a step: every action of SIPp's language, whether this version compiles it or not.
//!
//! Where an attribute may be left out only beside another, the type says so; what was wrong is
//! [`ActionKind::Poisoned`].

use super::{Distribution, Name};
use crate::source::{Span, Spanned, Text};
use gossipper_bytecode::media::MediaStream;
use gossipper_bytecode::program::EditPlace;

/// An `<action>` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Actions {
    /// The word `action`.
    pub span: Span,
    /// The actions in order.
    pub list: Vec<Action>,
}

/// One action.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The element's name.
    pub span: Span,
    /// What it does.
    pub kind: ActionKind,
}

/// `value` (a double) or `variable`.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A number written in the scenario.
    Literal(Spanned<f64>),
    /// A variable read as a double.
    Variable(Name),
}

/// `value` (a text) or `variable2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextOperand {
    /// Text written in the scenario; keywords in it are not expanded.
    Literal(Text),
    /// A variable read as a string.
    Variable(Name),
}

/// What `check_it` and `check_it_inverse` demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Nothing.
    #[default]
    None,
    /// `check_it="true"`: fail the call unless it holds.
    Must,
    /// `check_it_inverse="true"`: fail the call if it holds.
    MustNot,
}

/// Text an `ereg` searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchIn {
    /// `msg`: the whole message.
    Message,
    /// `hdr`: what follows a text up to the end of its line.
    Header(HeaderSearch),
    /// `body`: what follows the first empty line.
    Body,
    /// `var`: a variable read as a string.
    Variable(Name),
}

/// How `search_in="hdr"` finds its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderSearch {
    /// The text looked for, usually `From:`.
    pub header: Text,
    /// Only at the start of a line.
    pub start_line: bool,
    /// Ignoring case.
    pub case_indep: bool,
    /// Which hit, from 1.
    pub occurrence: i64,
}

/// `compare` of `<test>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `equal`
    Equal,
    /// `not_equal`
    NotEqual,
    /// `greater_than`
    GreaterThan,
    /// `less_than`
    LessThan,
    /// `greater_than_equal`
    GreaterThanEqual,
    /// `less_than_equal`
    LessThanEqual,
}

/// `add subtract multiply divide`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithOp {
    /// `add`
    Add,
    /// `subtract`
    Subtract,
    /// `multiply`
    Multiply,
    /// `divide`; a literal divisor is not 0.
    Divide,
}

/// `int_cmd` of `<exec>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntCmd {
    /// Exit at once.
    StopNow,
    /// Open no more calls.
    StopGracefully,
    /// Drop this call; also any other value.
    StopCall,
}

/// What `<exec>` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exec {
    /// `command`: run by the shell.
    Command(Text),
    /// `int_cmd`
    IntCmd(Spanned<IntCmd>),
    /// A media attribute and its value.
    Media(MediaWord, Text),
}

/// A media attribute of `<exec>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaWord {
    /// `play_pcap_audio`, `play_pcap_image`, `play_pcap_video`
    PlayPcap(MediaStream),
    /// `play_dtmf`
    PlayDtmf,
    /// `send_dtmf`
    SendDtmf,
    /// `rtp_stream`
    RtpStream,
    /// `rtp_echo`
    RtpEcho,
    /// `rtp_record`
    RtpRecord,
    /// `rtpcheck`
    RtpCheck,
}

impl MediaWord {
    /// Whether keywords in the value are expanded.
    pub const fn expands(self) -> bool {
        match self {
            Self::PlayDtmf | Self::SendDtmf | Self::RtpStream | Self::RtpRecord => true,
            Self::PlayPcap(_) | Self::RtpEcho | Self::RtpCheck => false,
        }
    }
}

/// What an action does.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// `<ereg>`
    Ereg {
        /// The expression.
        regexp: Text,
        /// Whole match, then groups; never empty.
        assign_to: Vec<Name>,
        /// Where to search.
        search_in: SearchIn,
        /// What the result must be.
        check: Check,
    },
    /// `<log message=…/>`
    Log(Text),
    /// `<warning message=…/>`
    Warning(Text),
    /// `<error message=…/>`
    Error(Text),
    /// `<assign>`
    Assign {
        /// Target.
        to: Name,
        /// New value.
        from: Operand,
    },
    /// `<assignstr>`; keywords in the value are expanded.
    AssignStr {
        /// Target.
        to: Name,
        /// New value.
        value: Text,
    },
    /// `<gettimeofday>`
    GetTimeOfDay {
        /// Gets the seconds of the epoch.
        seconds: Name,
        /// Gets the microseconds.
        microseconds: Name,
    },
    /// `<index>`
    Index {
        /// Gets the index of the current step.
        to: Name,
    },
    /// `<jump>`
    Jump(Operand),
    /// `<pauserestore>`
    PauseRestore(Operand),
    /// `<add>`, `<subtract>`, `<multiply>`, `<divide>`
    Arith {
        /// Which.
        op: ArithOp,
        /// Target and left operand.
        to: Name,
        /// Right operand.
        by: Operand,
    },
    /// `<sample>`
    Sample {
        /// Target.
        to: Name,
        /// What to draw from.
        distribution: Spanned<Distribution>,
        /// Begins a stream of its own.
        seed: Option<i64>,
    },
    /// `<todouble>`
    ToDouble {
        /// Target.
        to: Name,
        /// Source.
        from: Name,
    },
    /// `<test>`
    Test {
        /// Left side.
        left: Name,
        /// How to compare.
        compare: Compare,
        /// Right side.
        right: Operand,
        /// Gets the result as bool; absent only with a check.
        to: Option<Name>,
        /// What the result must be.
        check: Check,
    },
    /// `<strcmp>`
    StrCmp {
        /// Left side.
        left: Name,
        /// Right side.
        right: TextOperand,
        /// Gets the result as double; absent only with a check.
        to: Option<Name>,
        /// Whether they must be equal.
        check: Check,
    },
    /// `<trim>`
    Trim {
        /// Variable changed in place.
        variable: Name,
    },
    /// `<urlencode>`
    UrlEncode {
        /// Variable changed in place.
        variable: Name,
    },
    /// `<urldecode>`
    UrlDecode {
        /// Variable changed in place.
        variable: Name,
    },
    /// `<verifyauth>`
    VerifyAuth {
        /// Gets the result as bool.
        to: Name,
        /// User, keywords expanded.
        username: Text,
        /// Password, keywords expanded.
        password: Text,
    },
    /// `<lookup>`
    Lookup {
        /// Gets the line number.
        to: Name,
        /// Injection file, keywords expanded.
        file: Text,
        /// Key, keywords expanded.
        key: Text,
    },
    /// `<insert>`
    Insert {
        /// Injection file, keywords expanded.
        file: Text,
        /// New line, keywords expanded.
        value: Text,
    },
    /// `<replace>`
    Replace {
        /// Injection file, keywords expanded.
        file: Text,
        /// Line number, keywords expanded.
        line: Text,
        /// New line, keywords expanded.
        value: Text,
    },
    /// `<insert>` and `<replace>` of a single field.
    Edit {
        /// Injection file, keywords expanded.
        file: Text,
        /// Line number, keywords expanded.
        line: Text,
        /// Field number.
        field: u32,
        /// What to write, keywords expanded.
        text: Text,
        /// Where in the field.
        place: EditPlace,
    },
    /// `<setdest>`, keywords expanded in all three.
    SetDest {
        /// Host.
        host: Text,
        /// Port.
        port: Text,
        /// Protocol.
        protocol: Text,
    },
    /// `<closecon>`
    CloseCon,
    /// `<exec>`
    Exec(Exec),
    /// `<rtp_echo>`
    RtpEcho(Operand),
    /// It was wrong; the variables it names, so that no one calls them unused.
    Poisoned {
        /// Every variable name that could be read.
        mentions: Vec<Name>,
    },
}
