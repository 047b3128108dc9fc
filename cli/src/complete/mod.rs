// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper completions`: what a shell needs to finish a command line.
//!
//! | Module | Idea |
//! | --- | --- |
//! | this one | the commands with their flags and kinds of values, from the flag table and from clap |
//! | `bash`, `zsh`, `fish` | the same as a script of that shell |
//!
//! clap's own generator is no help: it never sees scenario flags, which have one dash, long names and up to two values.

mod bash;
mod fish;
mod zsh;

use crate::exit::ExitCode;
use crate::flags::{Arg, Flag, defs};
use crate::root::Root;
use crate::stdio;
use clap::{Args, CommandFactory, ValueEnum};
use gossipper_compiler::diag::codes;

/// The arguments of `gossipper completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads the script.
    #[arg(value_enum)]
    shell: Shell,
}

/// Shells with completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Shell {
    /// For ~/.local/share/bash-completion/completions/gossipper.
    Bash,
    /// For a file _gossipper in a folder of $fpath.
    Zsh,
    /// For ~/.config/fish/completions/gossipper.fish.
    Fish,
}

/// Runs `gossipper completions`.
pub(crate) fn run(args: &CompletionsArgs) -> ExitCode {
    let commands = commands();
    stdio::out(&match args.shell {
        Shell::Bash => bash::script(&commands),
        Shell::Zsh => zsh::script(&commands),
        Shell::Fish => fish::script(&commands),
    });
    ExitCode::Good
}

/// The name of the run among the commands; as a word of the command line it may be left out.
const RUN: &str = "sipp";

/// What may stand in a place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Value {
    /// Something that cannot be guessed.
    Any,
    /// The name of a file.
    File,
    /// The name of a host.
    Host,
    /// One of these words.
    Choice(Vec<String>),
}

/// A flag.
#[derive(Debug)]
struct Opt {
    /// Names without dashes.
    names: Vec<String>,
    /// What it does.
    about: String,
    /// Names of the values that follow.
    metavars: Vec<String>,
    /// What the first of them may be.
    value: Value,
}

/// A command with its flags.
#[derive(Debug)]
struct Command {
    name: String,
    about: String,
    options: Vec<Opt>,
    /// What may stand where no flag does.
    rest: Value,
}

impl Command {
    /// A name as it is written: the flags of a run have one dash, others two unless they are letters.
    fn dashed(&self, name: &str) -> String {
        let dashes = if self.name == RUN || name.len() == 1 {
            "-"
        } else {
            "--"
        };
        format!("{dashes}{name}")
    }
}

/// Every command; the run is the first.
fn commands() -> Vec<Command> {
    let root = Root::command();
    let verbs: Vec<String> = root
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    root.get_subcommands()
        .map(|verb| {
            let name = verb.get_name().to_owned();
            let is_run = name == RUN;
            Command {
                about: verb
                    .get_about()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                options: if is_run {
                    defs::flags().map(of_table).collect()
                } else {
                    verb.get_opts().map(of_clap).collect()
                },
                rest: match name.as_str() {
                    RUN => Value::Host,
                    "explain" => Value::Choice(explained()),
                    _ => verb
                        .get_positionals()
                        .next()
                        .map_or(Value::Any, value_of_clap),
                },
                name,
            }
        })
        .chain([Command {
            name: "help".to_owned(),
            about: "Print the help of a command".to_owned(),
            options: Vec::new(),
            rest: Value::Choice(verbs.clone()),
        }])
        .collect()
}

/// What `gossipper explain` knows, apart from single flags, which are many.
fn explained() -> Vec<String> {
    codes::all().map(|entry| entry.code.to_string()).collect()
}

fn of_table(flag: &'static Flag) -> Opt {
    Opt {
        names: flag.names.iter().map(|name| (*name).to_owned()).collect(),
        about: flag.short.trim_end_matches('.').to_owned(),
        metavars: flag
            .arg
            .metavar()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        value: value_of_table(flag),
    }
}

fn value_of_table(flag: &Flag) -> Value {
    let metavar = flag.arg.metavar();
    match (flag.name(), flag.arg) {
        (_, Arg::Path { .. }) => Value::File,
        (_, Arg::Pair { metavars, .. }) if metavars.0 == "FILE" => Value::File,
        ("sn" | "sd" | "loopback_sn", _) => words(builtins()),
        ("t", _) => words(MODES),
        _ if metavar == "BOOL" => words(["true", "false"]),
        _ if metavar.starts_with("HOST") => Value::Host,
        _ if metavar.contains('|') => words(metavar.split('|')),
        _ => Value::Any,
    }
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    Value::Choice(words.into_iter().map(str::to_owned).collect())
}

fn builtins() -> impl Iterator<Item = &'static str> {
    gossipper_stdlib_scenarios::all()
        .iter()
        .map(|builtin| builtin.name)
}

/// The modes of `-t`, without second names.
const MODES: [&str; 11] = [
    "u1", "un", "ui", "t1", "tn", "l1", "ln", "w1", "wn", "ws1", "wsn",
];

fn of_clap(arg: &clap::Arg) -> Opt {
    let short = arg.get_short().map(String::from);
    let long = arg.get_long_and_visible_aliases().unwrap_or_default();
    let takes = arg.get_action().takes_values();
    let metavars: Vec<String> = match arg.get_value_names() {
        Some(names) if takes => names.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    Opt {
        names: short
            .into_iter()
            .chain(long.into_iter().map(str::to_owned))
            .collect(),
        about: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        value: value_of_clap(arg),
        metavars,
    }
}

fn value_of_clap(arg: &clap::Arg) -> Value {
    let possible = arg.get_possible_values();
    if !arg.get_action().takes_values() {
        return Value::Any;
    }
    match arg.get_value_hint() {
        _ if !possible.is_empty() => {
            words(possible.iter().map(clap::builder::PossibleValue::get_name))
        }
        clap::ValueHint::AnyPath | clap::ValueHint::FilePath => Value::File,
        _ => Value::Any,
    }
}

#[cfg(test)]
mod tests;
