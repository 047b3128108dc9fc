// SPDX-License-Identifier: AGPL-3.0-only
//! The scenario flags: SIPp's command line as data.
//!
//! One table ([`defs::GROUPS`]) says everything about a flag: names, category, value, default, documentation and how
//! it changes [`low::LowArgs`]. The parser ([`argv`]), the help text ([`help`]), `docs/flags.md` and the suggestions
//! all read it; a flag that is not in the table does not exist. [`later`] lists the flags of SIPp and of
//! gossipper's own that are known and not built yet, so that they are refused by name. [`high`] turns the plain
//! result into the settings of a run; it alone applies defaults and asks the world (name resolution, in [`host`]).
//!
//! Not here: `gossipper compile` and the other verbs of the root command, which clap reads ([`crate::root`]).

pub(crate) mod argv;
pub(crate) mod defs;
pub(crate) mod events;
pub(crate) mod help;
pub(crate) mod hep;
pub(crate) mod high;
pub(crate) mod host;
pub(crate) mod later;
pub(crate) mod low;
pub(crate) mod media;
pub(crate) mod profiles;
pub(crate) mod rates;
pub(crate) mod results;
pub(crate) mod running;
pub(crate) mod sctp;
pub(crate) mod secure;
pub(crate) mod sender;
pub(crate) mod shards;
pub(crate) mod streams;
pub(crate) mod suggest;
pub(crate) mod traces;
pub(crate) mod twin;
pub(crate) mod value;

use low::LowArgs;
use std::path::PathBuf;
use std::time::Duration;

/// The section of the help in which a flag stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Category {
    /// Which scenario runs, and with which values.
    Scenario,
    /// Addresses, ports, sockets.
    Network,
    /// What flows beside SIP.
    Media,
    /// RTP without SIP.
    Sender,
    /// Connections.
    Streams,
    /// TLS and WebSocket.
    Secure,
    /// Instances that command each other.
    Twin,
    /// How many calls, how fast, how long.
    Load,
    /// Rates that change.
    Rates,
    /// How a call behaves.
    Calls,
    /// Files that are written while it runs.
    Traces,
    /// Messages mirrored to a collector.
    Hep,
    /// What happens, told to people and collectors.
    Events,
    /// What a run leaves for pipelines.
    Results,
    /// Where the program itself spends time and memory.
    Profiles,
    /// How a run is watched and steered.
    Running,
    /// What the terminal shows while it runs.
    Output,
    /// Help, version, compatibility.
    Other,
}

impl Category {
    /// The heading of the section.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Scenario => "Scenario",
            Self::Network => "Addresses and sockets",
            Self::Secure => "TLS and WebSocket",
            Self::Media => "Media",
            Self::Sender => "RTP without SIP",
            Self::Streams => "Connections",
            Self::Twin => "Third party call control (3PCC)",
            Self::Load => "Rate, volume and duration",
            Self::Rates => "Rates that change",
            Self::Calls => "Call behaviour",
            Self::Traces => "Traces and tables",
            Self::Hep => "Mirroring to a collector (HEP)",
            Self::Events => "Events (OTLP)",
            Self::Results => "Reports, gates and thresholds",
            Self::Profiles => "Profiles of the program (pprof)",
            Self::Running => "Control, background and watchdog",
            Self::Output => "Terminal",
            Self::Other => "Other",
        }
    }
}

/// The unit of a time argument that has no suffix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
}

/// What a flag takes, and how the value changes the arguments.
///
/// The type of the value and the type of the setter are one choice, so a flag cannot be declared with a value that
/// its setter does not read.
#[derive(Clone, Copy)]
pub(crate) enum Arg {
    /// No value; `=true` and `=false` are understood.
    Switch(fn(&mut LowArgs, bool)),
    /// An integer in C notation, within a range.
    Int {
        /// Name of the value in help.
        metavar: &'static str,
        /// Smallest and largest accepted value.
        range: (i128, i128),
        /// Stores it.
        set: fn(&mut LowArgs, i128),
    },
    /// A number with a fraction, finite and not negative.
    Double {
        /// Name of the value in help.
        metavar: &'static str,
        /// Stores it.
        set: fn(&mut LowArgs, f64),
    },
    /// A finite number with an optional sign and fraction.
    Number {
        /// Name of the value in help.
        metavar: &'static str,
        /// Stores it.
        set: fn(&mut LowArgs, f64),
    },
    /// A duration with an optional suffix.
    Time {
        /// Name of the value in help.
        metavar: &'static str,
        /// Unit of a bare number.
        unit: Unit,
        /// Stores it.
        set: fn(&mut LowArgs, Duration),
    },
    /// Text; the setter may refuse it.
    Text {
        /// Name of the value in help.
        metavar: &'static str,
        /// Stores it.
        set: fn(&mut LowArgs, String) -> Result<(), String>,
    },
    /// A file name.
    Path {
        /// Name of the value in help.
        metavar: &'static str,
        /// Stores it.
        set: fn(&mut LowArgs, PathBuf),
    },
    /// Two values; the flag may be repeated.
    Pair {
        /// Names of the values in help.
        metavars: (&'static str, &'static str),
        /// They may also be one word with a comma between them, the second a number.
        joined: bool,
        /// Stores them.
        set: fn(&mut LowArgs, String, String) -> Result<(), String>,
    },
}

impl Arg {
    /// How many tokens of the command line follow the flag.
    pub(crate) const fn arity(self) -> usize {
        match self {
            Self::Switch(_) => 0,
            Self::Pair { .. } => 2,
            _ => 1,
        }
    }

    /// The value as the help shows it; empty for a switch.
    pub(crate) fn metavar(self) -> String {
        match self {
            Self::Switch(_) => String::new(),
            Self::Int { metavar, .. }
            | Self::Double { metavar, .. }
            | Self::Number { metavar, .. }
            | Self::Time { metavar, .. }
            | Self::Text { metavar, .. }
            | Self::Path { metavar, .. } => metavar.to_owned(),
            Self::Pair { metavars, .. } => format!("{} {}", metavars.0, metavars.1),
        }
    }
}

/// The default of a flag, in words for the help.
#[derive(Clone, Copy)]
pub(crate) enum Default {
    /// Off, empty, or not worth a word.
    None,
    /// The same in both dialects.
    Same(&'static str),
    /// SIPp's, then gossipper's.
    Differs(&'static str, &'static str),
}

/// One row of the flag table.
pub(crate) struct Flag {
    /// The names without dashes; the first is the one that help and messages use.
    pub(crate) names: &'static [&'static str],
    /// Value and effect.
    pub(crate) arg: Arg,
    /// Default, in words.
    pub(crate) default: Default,
    /// One line for the help.
    pub(crate) short: &'static str,
    /// The rest of the story, for `docs/flags.md`; starts where `short` ends.
    pub(crate) long: &'static str,
}

impl Flag {
    /// The name that help and messages use.
    pub(crate) const fn name(&self) -> &'static str {
        self.names[0]
    }
}

/// The flag of this name (without dashes); names are exact, as SIPp's are.
pub(crate) fn find(name: &str) -> Option<&'static Flag> {
    defs::flags().find(|flag| flag.names.contains(&name))
}
