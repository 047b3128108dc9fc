// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper compile` and `gossipper explain`.
//!
//! Compiling shows everything that is wrong with each file, and leaves the compiled form where a run finds it: in the
//! cache, or in the `.gsc` file of `-o`. Findings are text on standard error or, with `--format json`, one JSON object
//! per line on standard output. The exit code is 0 when every file compiled, otherwise 1.

use crate::cache::{Cache, Question};
use crate::exit::ExitCode;
use crate::flags::{self, help};
use crate::inject;
use crate::ladder::{self, Charset};
use crate::load::{How, Input};
use crate::pcap2scenario;
use crate::reports;
use crate::stdio;
use clap::{Args, ValueEnum};
use gossipper_bytecode::Program;
use gossipper_compiler::diag::render::{self, Style};
use gossipper_compiler::diag::{Diagnostic, Diagnostics, codes, quote};
use gossipper_compiler::source::SourceFile;
use gossipper_compiler::{Compiled, Missing, parse};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How findings are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people, with the lines they are about.
    Text,
    /// For programs: one JSON object per finding and line.
    Json,
}

/// The arguments of `gossipper compile`.
#[derive(Args, Debug)]
pub(crate) struct CompileArgs {
    /// Scenarios: SIPp XML, or .gsc programs to be checked.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only check; write nothing at all.
    #[arg(long, conflicts_with = "output")]
    check: bool,
    /// Write the program to this file (one FILE only).
    /// With --ladder, write the picture there: SVG if it ends in .svg, else text.
    #[arg(short, long, value_name = "OUT.gsc")]
    output: Option<PathBuf>,
    /// Draw the call flow: who sends what, pauses, labels and branches.
    #[arg(long, conflicts_with_all = ["listing", "format"])]
    ladder: bool,
    /// Draw with ASCII signs, as is done where the locale is not UTF-8.
    #[arg(long, requires = "ladder")]
    ascii: bool,
    /// Print the program's instructions and tables.
    #[arg(long)]
    listing: bool,
    /// How errors and warnings are shown.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Treat every warning as an error.
    #[arg(long)]
    strict: bool,
    /// Say nothing about media, as for a run with -no_media.
    #[arg(long = "no_media")]
    no_media: bool,
    /// Give advice too: what runs and is common, and may still surprise.
    #[arg(long, visible_alias = "pedantic")]
    lint: bool,
    /// Do not keep the program in the cache.
    #[arg(long = "no_cache")]
    no_cache: bool,
    /// Define the keyword NAME, as for a run; may be repeated.
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"], allow_hyphen_values = true, action = clap::ArgAction::Append)]
    key: Vec<String>,
    /// An injection file of the run, of which only the name counts here; may be repeated.
    #[arg(long, value_name = "FILE", action = clap::ArgAction::Append)]
    inf: Vec<PathBuf>,
}

/// The arguments of `gossipper explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The code of an error or warning, such as G0213, or a flag, such as -rsa; without it, all codes are listed.
    #[arg(value_name = "CODE|-FLAG", allow_hyphen_values = true)]
    what: Option<String>,
    /// How codes are shown.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Flags that may be written with one dash too, as they are in a run.
const ONE_DASH: [&str; 12] = [
    "-key",
    "-inf",
    "-strict",
    "-lint",
    "-pedantic",
    "-no_cache",
    "-no_media",
    "-check",
    "-listing",
    "-ladder",
    "-ascii",
    "-format",
];

/// Gives clap's two dashes to the flags that people know with one.
pub(crate) fn normalise(args: &[OsString]) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.to_vec();
    let one_dash: &[&str] = match args.first().and_then(|verb| verb.to_str()) {
        Some("compile") => &ONE_DASH,
        Some("pcap2scenario") => &pcap2scenario::ONE_DASH,
        Some("report-html" | "summary-to-pdf") => &reports::ONE_DASH,
        _ => return args,
    };
    let mut at = 1;
    while at < args.len() {
        let name = args[at].to_str().unwrap_or_default();
        if name == "--" {
            break;
        }
        if one_dash.contains(&name)
            || one_dash
                .iter()
                .any(|flag| name.starts_with(&format!("{flag}=")))
        {
            args[at] = OsString::from(format!("-{name}"));
        }
        // The two values of a key are never flags.
        at += if args[at] == "--key" { 3 } else { 1 };
    }
    args
}

/// A hint when a flag of a run was given to `compile`.
pub(crate) fn run_flag_hint(flag: &str) -> Option<String> {
    let name = flag.trim_start_matches('-');
    let known = flags::find(name).is_some() || flags::later::find(name).is_some();
    known.then(|| format!("-{name} is a flag of a run: gossipper sipp -{name} …"))
}

/// Runs `gossipper compile`.
pub(crate) fn run(args: &CompileArgs) -> ExitCode {
    if args.output.is_some() && args.files.len() > 1 {
        stdio::error("-o takes one scenario; there are several");
        return ExitCode::Failed;
    }
    let keys: Vec<(String, String)> = args
        .key
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    if keys.iter().any(|(name, _)| name.is_empty()) {
        stdio::error("flag `-key`: the name must not be empty");
        return ExitCode::Failed;
    }
    let keys = flags::high::last_of_each(keys);
    let injection: Vec<String> = args.inf.iter().map(|path| inject::name(path)).collect();
    let how = How {
        keys: &keys,
        injection: &injection,
        strict: args.strict,
        // A program that is written to a file is for a run, and cannot be completed there; a picture is for people.
        missing: if args.output.is_some() && !args.ladder {
            Missing::Refuse
        } else {
            Missing::Warn
        },
        advise: args.lint,
        style: stdio::stderr_style(),
    };
    // A run shows the warnings that are kept beside a program; it did not ask for advice.
    let cache = if args.check || args.no_cache || args.lint {
        None
    } else {
        Cache::of_user()
    };
    let mut code = ExitCode::Good;
    for file in &args.files {
        if let Err(error) = one(args, how, cache.as_ref(), file) {
            stdio::err(&error);
            code = ExitCode::Failed;
        }
    }
    code
}

/// Compiles one file; an error is rendered, and empty when everything was said already.
fn one(args: &CompileArgs, how: How<'_>, cache: Option<&Cache>, file: &Path) -> Result<(), String> {
    let plain = |error: String| format!("error: {error}\n");
    let input = Input::read_file(file).map_err(plain)?;
    let (program, kept) = if input.is_gsc() {
        (input.program(how).map_err(plain)?, false)
    } else {
        xml(args, how, cache, &input, file)?
    };
    if args.listing {
        stdio::out(&program.listing());
    }
    if args.ladder {
        return draw(args, &input);
    }
    if let Some(output) = &args.output {
        let written = program
            .to_gsc_bytes()
            .map_err(|error| error.to_string())
            .and_then(|bytes| std::fs::write(output, bytes).map_err(|error| error.to_string()));
        written.map_err(|error| plain(format!("cannot write `{}`: {error}", output.display())))?;
    }
    if !args.check && !args.listing && args.format == Format::Text {
        let to = match &args.output {
            Some(output) => format!(", written to {}", output.display()),
            None if kept => ", kept for the next run".to_owned(),
            None => String::new(),
        };
        stdio::out(&format!(
            "{}: {} steps, {} instructions{to}\n",
            input.file,
            program.steps.len(),
            program.ops.len()
        ));
    }
    Ok(())
}

/// Draws the call flow of a scenario that compiles.
fn draw(args: &CompileArgs, input: &Input) -> Result<(), String> {
    let refused = |reason: &str| format!("error: {}: {reason}\n", input.file);
    if input.is_gsc() {
        return Err(refused(
            "a ladder is drawn from the scenario, not from its .gsc file",
        ));
    }
    let source = SourceFile::new(input.file.clone(), &*input.bytes)
        .map_err(|error| refused(&error.to_string()))?;
    // What is wrong with it was said when it was compiled.
    let scenario = parse::parse(&source, &mut Diagnostics::new(false))
        .ok_or_else(|| refused("there is no scenario in it"))?;
    let flow = ladder::scenario::ladder(&scenario, &source);
    let charset = if args.ascii || (args.output.is_none() && !stdio::locale_is_utf8()) {
        Charset::Ascii
    } else {
        Charset::Boxes
    };
    let Some(output) = &args.output else {
        stdio::out(&ladder::text(&flow, charset));
        return Ok(());
    };
    let is_svg = output
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    let drawn = if is_svg {
        ladder::svg(&flow)
    } else {
        ladder::text(&flow, charset)
    };
    std::fs::write(output, drawn)
        .map_err(|error| format!("error: cannot write `{}`: {error}\n", output.display()))
}

/// Compiles a scenario; says as well whether the program is in the cache now.
fn xml(
    args: &CompileArgs,
    how: How<'_>,
    cache: Option<&Cache>,
    input: &Input,
    file: &Path,
) -> Result<(Program, bool), String> {
    let mut compiled = input.compile(how);
    // A run looks for the files itself, so its warnings are without these.
    let warnings = render::text(&compiled.source, &compiled.diagnostics, Style::Plain);
    if !args.no_media {
        missing_media(&mut compiled, file);
    }
    match args.format {
        Format::Text => stdio::err(&render::text(
            &compiled.source,
            &compiled.diagnostics,
            how.style,
        )),
        Format::Json => stdio::out(&render::json(&compiled.source, &compiled.diagnostics)),
    }
    let needs = &compiled.needs;
    let Some(program) = compiled
        .program
        .filter(|_| !compiled.diagnostics.has_errors())
    else {
        return Err(String::new());
    };
    match args.format {
        Format::Text if needs.is_empty() => {}
        Format::Text => stdio::out(&format!("{}: needs: {needs}\n", input.file)),
        Format::Json => {
            let media = program.media_use().is_some();
            stdio::out(&render::needs(&input.file, needs, media));
        }
    }
    let keys: Vec<(String, Vec<u8>)> = how
        .keys
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect();
    if let Some(cache) = cache
        && needs.are_met_by(&keys, how.injection)
    {
        let question = Question {
            name: &input.file,
            bytes: &input.bytes,
            keys: how.keys,
            injection: how.injection,
            strict: how.strict,
        };
        let kept = cache.store(&Cache::key(&question), &program, &warnings);
        return Ok((program, kept));
    }
    Ok((program, false))
}

/// Warns about files of media actions that are neither in the folder of the scenario nor in the current one.
fn missing_media(compiled: &mut Compiled, file: &Path) {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    for wanted in &compiled.needs.media_files {
        let path = match wanted.name.strip_prefix('~') {
            Some(rest) => match std::env::var_os("HOME") {
                Some(home) => PathBuf::from(home).join(rest.trim_start_matches('/')),
                None => continue,
            },
            None => PathBuf::from(&wanted.name),
        };
        // Joining an absolute path gives that path.
        if folder.join(&path).is_file() || path.is_file() {
            continue;
        }
        let name = quote(wanted.name.as_bytes());
        compiled.diagnostics.push(
            Diagnostic::warning(
                codes::action::MEDIA_FILE,
                wanted.span,
                format!("the file `{name}` is not there"),
            )
            .note("it was looked for in the folder of the scenario and in the current one"),
        );
    }
}

/// Runs `gossipper explain`.
pub(crate) fn explain(args: &ExplainArgs) -> ExitCode {
    let Some(wanted) = &args.what else {
        for entry in codes::all() {
            stdio::out(&match args.format {
                Format::Text => format!(
                    "{}  {:7}  {}\n",
                    entry.code,
                    entry.severity().word(),
                    entry.title
                ),
                Format::Json => render::json_page(entry),
            });
        }
        return ExitCode::Good;
    };
    if wanted.starts_with('-') {
        return explain_flag(wanted);
    }
    let Some(entry) = codes::find(&wanted.to_ascii_uppercase()) else {
        stdio::error(&format!(
            "there is no code `{wanted}`; `gossipper explain` lists those there are"
        ));
        return ExitCode::Failed;
    };
    stdio::out(&match args.format {
        Format::Text => entry.page(),
        Format::Json => render::json_page(entry),
    });
    ExitCode::Good
}

fn explain_flag(typed: &str) -> ExitCode {
    let name = typed.trim_start_matches('-');
    if let Some(flag) = flags::find(name) {
        stdio::out(&help::page(flag));
        return ExitCode::Good;
    }
    stdio::error(&match flags::later::find(name) {
        Some(missing) => format!("flag `-{name}`{}", missing.refusal()),
        None => format!("there is no flag `-{name}`; `gossipper sipp -h` lists those there are"),
    });
    ExitCode::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(line: &str) -> String {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let args: Vec<String> = normalise(&args)
            .into_iter()
            .map(|arg| arg.into_string().expect("text"))
            .collect();
        args.join(" ")
    }

    #[test]
    fn flags_known_with_one_dash_keep_it() {
        assert_eq!(
            normalised("compile -strict -key -strict -check -format=json a.xml -o b"),
            "compile --strict --key -strict -check --format=json a.xml -o b"
        );
        assert_eq!(normalised("compile -- -strict"), "compile -- -strict");
        assert_eq!(normalised("explain -strict"), "explain -strict");
    }

    #[test]
    fn a_flag_of_a_run_is_recognised() {
        assert!(run_flag_hint("-sn").is_some_and(|hint| hint.contains("gossipper sipp -sn")));
        assert!(run_flag_hint("-inf").is_some());
        assert_eq!(run_flag_hint("--nonsense"), None);
    }
}
