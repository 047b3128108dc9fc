// SPDX-License-Identifier: AGPL-3.0-only
//! The root command: which of the program's faces is meant.
//!
//! `-version` anywhere wins. Then the name of the program (`sipp`), the verb `sipp`, the verbs that clap reads, the
//! verbs that this version does not have, and last the scenario flags. clap never sees scenario flags: it has no
//! single-dash long names, and half of SIPp's flags are such.

use crate::exit::ExitCode;
use crate::flags::low::Dialect;
use crate::{compile, complete, ladder, man, pcap2scenario, reports, sipp, stdio, version};
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The verbs of this version.
pub(crate) const VERBS: [&str; 10] = [
    "sipp",
    "compile",
    "explain",
    "ladder",
    "pcap2scenario",
    "report-html",
    "summary-to-pdf",
    "completions",
    "man",
    "help",
];

/// Verbs that this version does not have yet.
const LATER_VERBS: [&str; 9] = [
    "server", "ui", "worker", "tui", "shell", "cli", "auth", "profile", "replay",
];

/// What `gossipper -h` shows.
#[derive(Parser, Debug)]
#[command(
    name = "gossipper",
    version = version::VERSION,
    about = "A SIP load tool that runs SIPp scenarios as compiled programs.",
    after_help = "Scenario flags may also follow `gossipper` directly, with defaults for single calls.\n\
                  \x20 gossipper sipp -h         every scenario flag\n\
                  \x20 gossipper man             the manual page: gossipper man | man -l -\n\
                  \x20 gossipper compile -h      checking and compiling scenarios\n\
                  \x20 gossipper -version        version and build",
    disable_help_subcommand = false,
    disable_version_flag = true,
    max_term_width = 80
)]
pub(crate) struct Root {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Run a scenario with SIPp's flags, defaults and exit codes.
    #[command(disable_help_flag = true)]
    Sipp {
        /// Scenario flags and the remote host; `gossipper sipp -h` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Check scenarios, and compile them for later runs.
    Compile(compile::CompileArgs),
    /// Say what the code of an error or a warning means, or what a flag does.
    Explain(compile::ExplainArgs),
    /// Turn the calls of a capture into scenarios that replay them.
    Pcap2scenario(pcap2scenario::PcapArgs),
    /// Make a page for people of a run's summary.
    ReportHtml(reports::HtmlArgs),
    /// Make a PDF of a run's summary, or of a page.
    SummaryToPdf(reports::PdfArgs),
    /// Draw the calls of a message trace, gossipper's or SIPp's.
    Ladder(ladder::trace::LadderArgs),
    /// Print a script that lets a shell complete commands and flags.
    Completions(complete::CompletionsArgs),
    /// Print the manual page; `gossipper man | man -l -` shows it.
    Man,
}

/// Runs the program with the arguments it was started with; the first is its name.
pub(crate) fn run(argv: &[OsString]) -> ExitCode {
    let (program, args) = match argv.split_first() {
        Some((program, args)) => (program.as_os_str(), args),
        None => (OsStr::new("gossipper"), argv),
    };
    if args
        .iter()
        .any(|arg| arg == "-version" || arg == "--version")
    {
        stdio::out(&version::block());
        return ExitCode::Good;
    }
    if is_sipp(program) {
        return sipp::run_as_sipp(args);
    }
    let Some(first) = args.first() else {
        stdio::out(&Root::command().render_help().to_string());
        return ExitCode::Good;
    };
    match first.to_str() {
        Some(word) if word.eq_ignore_ascii_case("sipp") => verb_sipp(args),
        Some("-h" | "--help" | "-help") if args.len() == 1 => {
            stdio::out(&Root::command().render_help().to_string());
            ExitCode::Good
        }
        Some(word) if VERBS.contains(&word) => verb(args),
        Some(word) if LATER_VERBS.contains(&word) => {
            stdio::error(&format!(
                "`gossipper {word}` is not part of this version yet"
            ));
            ExitCode::Failed
        }
        _ => sipp::run(Dialect::Gossipper, args),
    }
}

/// Whether the program was started under the name of SIPp, through a link for instance.
fn is_sipp(program: &OsStr) -> bool {
    Path::new(program)
        .file_stem()
        .is_some_and(|name| name == "sipp")
}

/// `gossipper sipp …`: leading repetitions are dropped, verbs of the root command are refused.
fn verb_sipp(args: &[OsString]) -> ExitCode {
    let is_sipp = |arg: &&OsString| {
        arg.to_str()
            .is_some_and(|word| word.eq_ignore_ascii_case("sipp"))
    };
    let leading = args.iter().take_while(is_sipp).count();
    let rest = &args[leading..];
    const ONLY: &str = "gossipper sipp is only for SIPp-style scenario flags";
    if rest
        .iter()
        .any(|arg| arg == "-interactive" || arg == "--interactive")
    {
        stdio::error(&format!(
            "{ONLY}; use `gossipper -interactive` or `gossipper tui` (drop `sipp`)"
        ));
        return ExitCode::Failed;
    }
    if let Some(word) = rest.first().and_then(|arg| arg.to_str()) {
        if word == "help" {
            return sipp::run(Dialect::Sipp, &[OsString::from("-h")]);
        }
        if LATER_VERBS.contains(&word) || VERBS.contains(&word) {
            stdio::error(&format!(
                "{ONLY}; \"{word}\" belongs on the root command: `gossipper {word} …`"
            ));
            return ExitCode::Failed;
        }
    }
    sipp::run(Dialect::Sipp, rest)
}

/// A verb that clap reads.
fn verb(args: &[OsString]) -> ExitCode {
    let normal = std::iter::once(OsString::from("gossipper")).chain(compile::normalise(args));
    match Root::try_parse_from(normal) {
        Ok(Root {
            verb: Verb::Sipp { args },
        }) => sipp::run(Dialect::Sipp, &args),
        Ok(Root {
            verb: Verb::Compile(args),
        }) => compile::run(&args),
        Ok(Root {
            verb: Verb::Explain(args),
        }) => compile::explain(&args),
        Ok(Root {
            verb: Verb::Pcap2scenario(args),
        }) => pcap2scenario::run(&args),
        Ok(Root {
            verb: Verb::ReportHtml(args),
        }) => reports::html(&args),
        Ok(Root {
            verb: Verb::SummaryToPdf(args),
        }) => reports::pdf(&args),
        Ok(Root {
            verb: Verb::Ladder(args),
        }) => ladder::trace::run(&args),
        Ok(Root {
            verb: Verb::Completions(args),
        }) => complete::run(&args),
        Ok(Root { verb: Verb::Man }) => man::run(),
        Err(error) => {
            let text = error.render();
            if error.use_stderr() {
                stdio::err(&text.to_string());
                // clap sees `-sn` as `-s` and more; the words of the user are still there.
                if let Some(hint) = args.iter().filter_map(|arg| arg.to_str()).find_map(|arg| {
                    arg.starts_with('-')
                        .then(|| compile::run_flag_hint(arg))
                        .flatten()
                }) {
                    stdio::note(&hint);
                }
                ExitCode::Failed
            } else {
                stdio::out(&text.to_string());
                ExitCode::Good
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_sipp_is_recognised_wherever_it_lies() {
        assert!(is_sipp(OsStr::new("/usr/local/bin/sipp")));
        assert!(is_sipp(OsStr::new("sipp")));
        assert!(!is_sipp(OsStr::new("./gossipper")));
        assert!(!is_sipp(OsStr::new("/opt/sipp/gossipper")));
    }

    #[test]
    fn clap_accepts_its_own_definition() {
        Root::command().debug_assert();
    }

    #[test]
    fn every_verb_of_clap_is_dispatched() {
        for command in Root::command().get_subcommands() {
            assert!(
                VERBS.contains(&command.get_name()),
                "{}",
                command.get_name()
            );
        }
    }
}
