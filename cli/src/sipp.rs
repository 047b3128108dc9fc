// SPDX-License-Identifier: AGPL-3.0-only
//! A run, from its flags to its exit code.

use crate::background;
use crate::cache::Cache;
use crate::drive;
use crate::exit::ExitCode;
use crate::flags::high::{self, HiArgs, Refusal, Source};
use crate::flags::low::{Dialect, Special};
use crate::flags::{argv, help};
use crate::infindex;
use crate::inject;
use crate::load::{How, Input, Loaded};
use crate::rtp_sender;
use crate::settings;
use crate::{stdio, version, voice, words};
use gossipper_bytecode::{Mode, Program};
use gossipper_compiler::Missing;
use gossipper_runtime::config::LogForm;
use gossipper_vm::BesideKind;
use std::ffi::OsString;

/// Runs what the scenario flags ask for.
pub(crate) fn run(dialect: Dialect, args: &[OsString]) -> ExitCode {
    run_as(dialect, LogForm::Gossipper, args)
}

/// Runs in place of SIPp, whose name the program was started under.
pub(crate) fn run_as_sipp(args: &[OsString]) -> ExitCode {
    run_as(Dialect::Sipp, LogForm::Sipp, args)
}

fn run_as(dialect: Dialect, form: LogForm, args: &[OsString]) -> ExitCode {
    if args.is_empty() {
        stdio::out(&help::short(dialect));
        return ExitCode::of_print(dialect);
    }
    let mut parsed = argv::parse(dialect, args);
    parsed.low.traces.form.get_or_insert(form);
    let dialect = parsed.low.dialect;
    if let Some(special) = parsed.special() {
        return print(dialect, special);
    }
    let as_sipp = parsed.low.traces.form() == LogForm::Sipp;
    if as_sipp {
        voice::begin(&parsed.low);
    }
    for note in &parsed.notes {
        stdio::note(note);
    }
    if !parsed.faults.is_empty() {
        for fault in &parsed.faults {
            words::say_flag(fault);
        }
        stdio::note(&format!("`{} -h` lists the flags", dialect.program()));
        return ExitCode::Failed;
    }
    if infindex::is_meant(&parsed.low) {
        return infindex::write(&parsed.low, inject::form(dialect));
    }
    if rtp_sender::is_meant(&parsed.low) {
        return rtp_sender::run(parsed.low, &parsed.given);
    }
    match HiArgs::resolve(parsed.low) {
        Ok(args) => start(&args),
        Err(refusal) => refused(&refusal, as_sipp),
    }
}

/// Says why nothing is run. In place of SIPp with its code: it asks for hosts when all else is right, as part of the run.
fn refused(refusal: &Refusal, as_sipp: bool) -> ExitCode {
    match (&refusal.sipps_words, &refusal.faults[..]) {
        (Some(words), [first, rest @ ..]) => {
            stdio::error_as(words, first);
            for fault in rest {
                stdio::err(&format!("error: {fault}\n"));
            }
        }
        (_, faults) => faults.iter().for_each(|fault| stdio::error(fault)),
    }
    if as_sipp && refusal.of_run {
        ExitCode::Fatal
    } else {
        ExitCode::Failed
    }
}

/// Help, version, a built-in scenario.
fn print(dialect: Dialect, special: &Special) -> ExitCode {
    match special {
        Special::Help => stdio::out(&help::text(dialect)),
        Special::Version => stdio::out(&version::line()),
        Special::Build => {
            stdio::out(&version::block());
            return ExitCode::Good;
        }
        Special::Dump(name) => match high::builtin(name) {
            Ok(builtin) => stdio::out(builtin.xml),
            Err(fault) => {
                stdio::error_as(&words::no_builtin(name), &fault);
                return ExitCode::Failed;
            }
        },
    }
    ExitCode::of_print(dialect)
}

fn start(args: &HiArgs) -> ExitCode {
    if args.running.background && !background::is_child() {
        return background::start(args.dialect);
    }
    for note in &args.notes {
        stdio::note(note);
    }
    if let Err(error) = drive::survive_file_limit() {
        stdio::error(&format!("cannot handle signals: {error}"));
        return ExitCode::Fatal;
    }
    let cache = if args.cache { Cache::of_user() } else { None };
    let program = program(args, &args.scenario, Role::Main, cache.as_ref());
    // Both are compiled before either is judged, so that all that is wrong shows at once.
    let answerer = args
        .answerer
        .as_ref()
        .map(|source| self::program(args, source, Role::Answerer, cache.as_ref()))
        .transpose();
    let beside = args
        .beside
        .as_ref()
        .map(|(kind, source)| {
            let role = match kind {
                BesideKind::OutOfCall => Role::OutOfCall,
                BesideKind::Receiver => Role::Receiver,
            };
            let program = self::program(args, source, role, cache.as_ref())?;
            Ok::<_, ExitCode>((*kind, program))
        })
        .transpose();
    let injection = inject::load(args).map_err(|faults| {
        for (words, fault) in &faults {
            stdio::error_as(words, fault);
        }
    });
    let (program, answerer, beside, injection) = match (program, answerer, beside, injection) {
        (Ok(program), Ok(answerer), Ok(beside), Ok(injection)) => {
            (program, answerer, beside, injection)
        }
        (Err(code), ..) => return code,
        _ => return ExitCode::Failed,
    };
    if args.users.is_some() && program.mode() == Mode::Server {
        stdio::note(&format!(
            "-users has no effect: scenario `{}` waits for calls, and begins none",
            program.name
        ));
    }
    match settings::run_config(args, program, (answerer, beside), injection) {
        Ok(config) => drive::run(args, config),
        Err(refusal) => refused(&refusal, args.traces.form() == LogForm::Sipp),
    }
}

/// Whose scenario is loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Main,
    /// Knows the keywords of `-key` too, unless it is compiled already; they are mostly meant for the other.
    Answerer,
    /// Takes requests that belong to no call of the main one. Takes no lines of injection files.
    OutOfCall,
    /// Takes calls that come in beside the main one's.
    Receiver,
}

/// Loads a program; what is wrong with it was printed.
fn program(
    args: &HiArgs,
    source: &Source,
    role: Role,
    cache: Option<&Cache>,
) -> Result<Program, ExitCode> {
    let input = Input::read(source).map_err(|fault| {
        stdio::error_as(&words::unreadable(source), &fault);
        ExitCode::Failed
    })?;
    let injection: Vec<String> = args
        .injection
        .iter()
        .map(|path| inject::name(path))
        .collect();
    let how = How {
        keys: if role != Role::Main && input.is_gsc() {
            &[]
        } else {
            &args.keys
        },
        injection: match role {
            Role::Main | Role::Receiver => &injection,
            Role::Answerer | Role::OutOfCall => &[],
        },
        strict: args.strict,
        missing: Missing::Refuse,
        advise: false,
        style: stdio::stderr_style(),
    };
    let Loaded { program, warnings } = input.load(how, cache).map_err(|fault| {
        let said = fault.sipps_words.is_some_and(|words| voice::say(&words));
        stdio::err(&fault.text);
        // COMPAT(sipp): whether somebody calls is asked after the scenario has been read.
        match fault.without_calls && said {
            true => ExitCode::Fatal,
            false => ExitCode::Failed,
        }
    })?;
    stdio::err(&warnings);
    if args.skips_media
        && let Some(used) = program.media_use()
    {
        stdio::note(&format!(
            "-no_media: scenario `{}` uses media (first `{}`) and NONE is played; media actions are skipped and counted",
            program.name, used.what
        ));
    }
    Ok(program)
}
