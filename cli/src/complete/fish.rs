// SPDX-License-Identifier: AGPL-3.0-only
//! Completion for fish.

use super::{Command, Opt, RUN, Value};
use std::fmt::Write as _;

pub(super) fn script(commands: &[Command]) -> String {
    let mut out = String::from("# Completion of gossipper for fish.\n\ncomplete -c gossipper -f\n");
    for command in commands {
        let _ = writeln!(
            out,
            "complete -c gossipper -n __fish_use_subcommand -a {} -d {}",
            command.name,
            quoted(&command.about)
        );
    }
    let others: Vec<&str> = commands
        .iter()
        .map(|command| &command.name[..])
        .filter(|name| *name != RUN)
        .collect();
    for command in commands {
        // The verb of the run may be left out.
        let condition = if command.name == RUN {
            format!("not __fish_seen_subcommand_from {}", others.join(" "))
        } else {
            format!("__fish_seen_subcommand_from {}", command.name)
        };
        out.push('\n');
        let begin = format!("complete -c gossipper -n {}", quoted(&condition));
        for option in &command.options {
            let _ = writeln!(
                out,
                "{begin}{} -d {}",
                spec(command, option),
                quoted(&option.about)
            );
        }
        match &command.rest {
            Value::Any => {}
            // Only after the verb: before it, hosts would hide the verbs.
            Value::Host => {
                let after = quoted(&format!("__fish_seen_subcommand_from {}", command.name));
                let _ = writeln!(
                    out,
                    "complete -c gossipper -n {after} -a '(__fish_print_hostnames)'"
                );
            }
            Value::File => {
                let _ = writeln!(out, "{begin} -F");
            }
            Value::Choice(words) => {
                let _ = writeln!(out, "{begin} -a {}", quoted(&words.join(" ")));
            }
        }
    }
    out
}

/// The names of a flag and what it takes.
fn spec(command: &Command, option: &Opt) -> String {
    let mut spec = String::new();
    for name in &option.names {
        // Letters may not be joined in a run, so they are names like all others there.
        let kind = match (command.name == RUN, name.len()) {
            (true, _) => 'o',
            (false, 1) => 's',
            (false, _) => 'l',
        };
        let _ = write!(spec, " -{kind} {name}");
    }
    if !option.metavars.is_empty() {
        spec.push_str(match &option.value {
            Value::File => " -r -F",
            _ => " -x",
        });
        match &option.value {
            Value::Choice(words) => {
                let _ = write!(spec, " -a {}", quoted(&words.join(" ")));
            }
            Value::Host => spec.push_str(" -a '(__fish_print_hostnames)'"),
            Value::Any | Value::File => {}
        }
    }
    spec
}

/// Text between single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
