// SPDX-License-Identifier: AGPL-3.0-only
//! The notation of the operator's commands: what follows the key `c`, and the byte `c` of a control datagram.
//!
//! Words are separated by blanks. Nothing here knows whether the run can do what is asked for.

use gossipper_control::Trace as TraceKind;
use gossipper_vm::BesideKind;

/// Which scenario the screens show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Display {
    /// The main one.
    #[default]
    Main,
    /// The one of `-loopback`.
    Answerer,
    /// That of calls which belong to no other.
    OutOfCall,
    /// The receiving one of two.
    Receiving,
}

impl Display {
    /// What kind of scenario that is, if it stands beside the main one.
    pub(crate) const fn beside(self) -> Option<BesideKind> {
        match self {
            Self::Main | Self::Answerer => None,
            Self::OutOfCall => Some(BesideKind::OutOfCall),
            Self::Receiving => Some(BesideKind::Receiver),
        }
    }
}

/// What a command asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Command {
    /// `set rate X`.
    Rate(f64),
    /// `set rate-scale X`.
    RateScale(f64),
    /// `set users N`.
    Users(u32),
    /// `set limit N`.
    Limit(u64),
    /// `set display main|ooc|rx`.
    Display(Display),
    /// `set hide true|false`.
    Hide(bool),
    /// `trace KIND on|off`.
    Trace(TraceKind, bool),
    /// `dump tasks`.
    DumpTasks,
    /// `dump variables`.
    DumpVariables,
    /// `reset stats`.
    ClearStats,
}

/// Reads a command.
///
/// # Errors
/// Says what is not understood, on one line.
pub(crate) fn parse(text: &str) -> Result<Command, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["set", what, value] => set(what, value),
        ["set", ..] => Err("a `set` command is `set NAME VALUE`".to_owned()),
        ["trace", what, switch] => Ok(Command::Trace(trace(what)?, on(switch)?)),
        ["trace", ..] => {
            Err("a `trace` command is `trace error|logs|messages|shortmessages on|off`".to_owned())
        }
        ["dump", "tasks"] => Ok(Command::DumpTasks),
        ["dump", "variables"] => Ok(Command::DumpVariables),
        ["dump", ..] => Err("a `dump` command is `dump tasks` or `dump variables`".to_owned()),
        ["reset", "stats"] => Ok(Command::ClearStats),
        ["reset", ..] => Err("a `reset` command is `reset stats`".to_owned()),
        [] => Err("an empty command".to_owned()),
        [word, ..] => Err(format!(
            "unknown command `{}`; there are set, trace, dump and reset",
            shown(word)
        )),
    }
}

fn set(what: &str, value: &str) -> Result<Command, String> {
    let wrong = |is: &str| format!("`set {what}`: `{}` is not {is}", shown(value));
    let number = || match value.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(wrong("a number")),
    };
    match what {
        "rate" => Ok(Command::Rate(number()?.max(0.0))),
        "rate-scale" => Ok(Command::RateScale(number()?)),
        "users" => (value.parse().map(Command::Users)).map_err(|_| wrong("a number of users")),
        "limit" => (value.parse().map(Command::Limit)).map_err(|_| wrong("a number of calls")),
        "display" => Ok(Command::Display(match value {
            "main" => Display::Main,
            "ooc" => Display::OutOfCall,
            "rx" => Display::Receiving,
            "answerer" => Display::Answerer,
            _ => return Err(wrong("main, ooc, rx or answerer")),
        })),
        "hide" => match value {
            "true" => Ok(Command::Hide(true)),
            "false" => Ok(Command::Hide(false)),
            _ => Err(wrong("true or false")),
        },
        _ => Err(format!(
            "`{}` cannot be set; there are rate, rate-scale, users, limit, display and hide",
            shown(what)
        )),
    }
}

fn trace(what: &str) -> Result<TraceKind, String> {
    match what {
        "error" => Ok(TraceKind::Error),
        "logs" => Ok(TraceKind::Logs),
        "messages" => Ok(TraceKind::Messages),
        "shortmessages" => Ok(TraceKind::ShortMessages),
        _ => Err(format!(
            "`{}` is no trace; there are error, logs, messages and shortmessages",
            shown(what)
        )),
    }
}

fn on(switch: &str) -> Result<bool, String> {
    match switch {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("`{}` is neither on nor off", shown(switch))),
    }
}

/// A word from outside, not too long and without what a terminal would obey.
fn shown(word: &str) -> String {
    word.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(40)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_read() {
        for (text, command) in [
            ("set rate 10.5", Command::Rate(10.5)),
            ("set rate -3", Command::Rate(0.0)),
            ("  set   rate-scale 2 ", Command::RateScale(2.0)),
            ("set users 7", Command::Users(7)),
            ("set limit 9", Command::Limit(9)),
            ("set display main", Command::Display(Display::Main)),
            ("set display ooc", Command::Display(Display::OutOfCall)),
            ("set display rx", Command::Display(Display::Receiving)),
            ("set hide false", Command::Hide(false)),
            ("trace error on", Command::Trace(TraceKind::Error, true)),
            ("trace logs off", Command::Trace(TraceKind::Logs, false)),
            (
                "trace messages on",
                Command::Trace(TraceKind::Messages, true),
            ),
            (
                "trace shortmessages on",
                Command::Trace(TraceKind::ShortMessages, true),
            ),
            ("dump tasks", Command::DumpTasks),
            ("dump variables", Command::DumpVariables),
            ("reset stats\r\n", Command::ClearStats),
        ] {
            assert_eq!(parse(text), Ok(command), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said_without_what_terminals_obey() {
        for (text, why) in [
            ("", "empty"),
            ("set", "set NAME VALUE"),
            ("set rate", "set NAME VALUE"),
            ("set rate fast", "`fast` is not a number"),
            ("set rate nan", "not a number"),
            ("set users -1", "not a number of users"),
            ("set limit 1e3", "not a number of calls"),
            ("set foo 3", "`foo` cannot be set"),
            ("set display x", "main, ooc, rx"),
            ("set hide 1", "true or false"),
            ("trace calls on", "`calls` is no trace"),
            ("trace logs maybe", "neither on nor off"),
            ("dump core", "dump tasks"),
            ("reset all", "reset stats"),
            ("jump\x1b[2J", "unknown command `jump?[2J`"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains('\x1b'));
        }
    }
}
