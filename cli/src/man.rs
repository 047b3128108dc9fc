// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper man`: the manual page, in the `man` macros of roff.
//!
//! Flags come from the flag table, the other commands from clap; what is here are the parts that no table has.

use crate::exit::ExitCode;
use crate::flags::{defs, help};
use crate::root::Root;
use crate::{stdio, version};
use clap::CommandFactory;
use std::fmt::Write as _;

/// Runs `gossipper man`.
pub(crate) fn run() -> ExitCode {
    stdio::out(&page());
    ExitCode::Good
}

/// The page.
pub(crate) fn page() -> String {
    let mut out = format!(
        ".TH GOSSIPPER 1 \"\" \"Gossipper {}\" \"User Commands\"\n",
        version::VERSION
    );
    let root = Root::command();
    let about = root
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    section(&mut out, "NAME");
    let _ = writeln!(
        out,
        "gossipper \\- {}",
        escaped(lower(&about).trim_end_matches('.'))
    );
    section(&mut out, "SYNOPSIS");
    for line in [
        "gossipper [sipp] [FLAGS] [HOST[:PORT]]",
        "gossipper compile [OPTIONS] FILE...",
        "gossipper explain [CODE|-FLAG]",
    ] {
        let _ = writeln!(out, ".PP\n{}", escaped(line));
    }
    section(&mut out, "DESCRIPTION");
    for text in [
        "Runs a SIP scenario, a file in the XML of SIPp or one of the built-in ones. HOST is the peer of a client \
         scenario; a server scenario needs none.",
        "`gossipper sipp`, and the program under the name sipp, have the defaults and exit codes of SIPp. Flags straight \
         after `gossipper` have defaults for single calls.",
        "Flags take one dash or two, as `-flag VALUE` or `-flag=VALUE`; names are exact. The word after a flag with a \
         value always belongs to it. Integers are read as in C: `0x10` is sixteen and so is `020`. Times are a number with \
         `ms`, `s`, `m` or `h`; without a unit, that of the flag.",
    ] {
        let _ = writeln!(out, ".PP\n{}", marked(text));
    }
    section(&mut out, "FLAGS");
    for (category, flags) in &defs::GROUPS {
        let _ = writeln!(out, ".SS {}", macro_text(category.title()));
        for flag in *flags {
            let names: Vec<String> = flag
                .names
                .iter()
                .map(|name| term(&format!("-{name}"), &flag.arg.metavar()))
                .collect();
            let _ = writeln!(
                out,
                ".TP\n{}\n{}",
                names.join(", "),
                marked(&help::body(flag))
            );
        }
    }
    section(&mut out, "OTHER COMMANDS");
    for command in root
        .get_subcommands()
        .filter(|verb| verb.get_name() != "sipp")
    {
        verb(&mut out, command);
    }
    section(&mut out, "SIGNALS");
    table(&mut out, &SIGNALS);
    section(&mut out, "EXIT STATUS");
    table(&mut out, &exit_codes());
    section(&mut out, "ENVIRONMENT");
    table(&mut out, &ENVIRONMENT);
    section(&mut out, "EXAMPLES");
    table(&mut out, &EXAMPLES);
    out
}

const SIGNALS: [(&str, &str); 4] = [
    (
        "SIGINT, SIGTERM",
        "No new calls; the run ends with the last open one. The second aborts the open calls, the third leaves at once.",
    ),
    (
        "SIGUSR1",
        "As the key `q`: no new calls; the second aborts the open ones.",
    ),
    (
        "SIGUSR2",
        "Writes the screens to the file of `-screen_file`.",
    ),
    (
        "SIGTSTP",
        "Gives the terminal back and stops the program until it is continued.",
    ),
];

const ENVIRONMENT: [(&str, &str); 5] = [
    (
        "XDG_CACHE_HOME",
        "Compiled scenarios are kept in the folder gossipper of this one; otherwise of ~/.cache.",
    ),
    (
        "GOSSIPPER_NO_CACHE",
        "With a value other than 0, nothing is kept.",
    ),
    (
        "GOSSIPPER_MEDIA_IOURING",
        "With 1, true or yes, as if -media_iouring were given.",
    ),
    ("NO_COLOR", "With a value, nothing is coloured."),
    (
        "SSLKEYLOGFILE",
        "The secrets of TLS are written to this file, for Wireshark.",
    ),
];

const EXAMPLES: [(&str, &str); 4] = [
    ("gossipper sipp -sn uas", "Answers calls."),
    (
        "gossipper sipp -sn uac 192.0.2.1:5060 -m 10",
        "Places ten calls.",
    ),
    (
        "gossipper sipp -sn uac -loopback -m 10",
        "Tries it without a peer.",
    ),
    ("gossipper compile --check call.xml", "Checks a scenario."),
];

fn exit_codes() -> Vec<(String, &'static str)> {
    [
        (ExitCode::Good, "The run ended and no call failed."),
        (ExitCode::Failed, "A call failed; or the command line or the scenario is wrong."),
        (ExitCode::Stopped, "The run was stopped, or ran into `-timeout`, before any call was completed."),
        (ExitCode::NoCall, "Help, version or a built-in scenario was printed, under `gossipper sipp`; otherwise that is 0."),
        (ExitCode::Bind, "An address to bind is in use."),
        (ExitCode::Fatal, "Any other fault while running, and `-timeout_error`."),
    ]
    .into_iter()
    .map(|(code, what)| (code.number().to_string(), what))
    .collect()
}

/// A command that clap reads.
fn verb(out: &mut String, command: &clap::Command) {
    let mut line = format!("gossipper {}", command.get_name());
    if command.get_opts().next().is_some() {
        line.push_str(" [OPTIONS]");
    }
    for place in command.get_positionals() {
        let name = place
            .get_value_names()
            .and_then(|names| names.first())
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = match place.is_required_set() {
            true => write!(line, " {name}"),
            false => write!(line, " [{name}]"),
        };
    }
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = writeln!(
        out,
        ".SS {}\n{}.",
        macro_text(&line),
        marked(about.trim_end_matches('.'))
    );
    for arg in command.get_arguments() {
        let takes = arg.get_action().takes_values();
        let values: Vec<String> = match arg.get_value_names() {
            Some(names) if takes => names.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let names: Vec<String> = arg
            .get_short()
            .map(|short| format!("-{short}"))
            .into_iter()
            .chain(
                arg.get_long_and_visible_aliases()
                    .unwrap_or_default()
                    .into_iter()
                    .map(|long| format!("--{long}")),
            )
            .map(|name| term(&name, &values.join(" ")))
            .collect();
        let names = if names.is_empty() {
            format!("\\fI{}\\fR", escaped(&values.join(" ")))
        } else {
            names.join(", ")
        };
        let mut about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        about = about.trim_end_matches('.').to_owned() + ".";
        if takes {
            for possible in arg.get_possible_values() {
                let what = possible
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let what = what.trim_end_matches('.');
                let _ = write!(about, " `{}`: {what}.", possible.get_name());
            }
        }
        let _ = writeln!(out, ".TP\n{names}\n{}", marked(&about));
    }
}

fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, ".SH {title}");
}

fn table<T: AsRef<str>>(out: &mut String, rows: &[(T, &str)]) {
    for (term, text) in rows {
        let _ = writeln!(
            out,
            ".TP\n\\fB{}\\fR\n{}",
            escaped(term.as_ref()),
            marked(text)
        );
    }
}

/// A flag with its value.
fn term(name: &str, value: &str) -> String {
    let name = format!("\\fB{}\\fR", escaped(name));
    match value {
        "" => name,
        value => format!("{name} \\fI{}\\fR", escaped(value)),
    }
}

/// Text of which the parts between backticks are bold, as what is typed is.
fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        let part = escaped(part);
        match at % 2 {
            0 => out.push_str(&part),
            _ => {
                let _ = write!(out, "\\fB{part}\\fR");
            }
        }
    }
    out
}

/// Text that roff shows as it is: hyphens can be copied, and a line that begins with a point is no request.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '.' | '\'' if out.is_empty() => {
                out.push_str("\\&");
                out.push(c);
            }
            '\'' => out.push_str("\\(aq"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '\n' => out.push(' '),
            c if c.is_ascii() => out.push(c),
            c => {
                let _ = write!(out, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    out
}

/// The argument of a macro, in which a quote would end it.
fn macro_text(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "\\(dq"))
}

/// Without the capital of a sentence's first word, unless that is a name.
fn lower(text: &str) -> String {
    text.strip_prefix("A ")
        .map_or_else(|| text.to_owned(), |rest| format!("a {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_roff_is_shown_as_it_is() {
        assert_eq!(escaped(".SH a\\b"), "\\&.SH a\\eb");
        assert_eq!(escaped("'x-'"), "\\&'x\\-\\(aq");
        assert_eq!(escaped("\u{2026}"), "\\[u2026]");
        assert_eq!(marked("take `-m 1` calls"), "take \\fB\\-m 1\\fR calls");
        assert_eq!(macro_text("a \"b\""), "\"a \\(dqb\\(dq\"");
    }

    #[test]
    fn every_flag_and_command_is_on_the_page() {
        let page = page();
        for flag in defs::flags() {
            for name in flag.names {
                let term = term(&format!("-{name}"), &flag.arg.metavar());
                assert!(page.contains(&term), "-{name}");
            }
        }
        for command in Root::command().get_subcommands() {
            let name = escaped(command.get_name());
            assert!(page.contains(&format!("gossipper {name}")), "{name}");
        }
        for code in exit_codes() {
            assert!(page.contains(&format!("\\fB{}\\fR", code.0)), "{}", code.0);
        }
    }
}
