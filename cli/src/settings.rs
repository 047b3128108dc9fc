// SPDX-License-Identifier: AGPL-3.0-only
//! From the settings of the command line and the programs to what the runtime is told.

use crate::flags::high::{HiArgs, LocalPort, Refusal, Source};
use crate::flags::low::{Behaviors, Dialect, RetransCheck};
use crate::flags::rates::RateUnit;
use crate::flags::shards::{self, Shards};
use crate::included::{self, Files};
use crate::results;
use crate::stdio;
use crate::twin;
use crate::version;
use gossipper_bytecode::media::Media;
use gossipper_bytecode::{LogLevel, Mode, Op, Program, Segment, Slot};
use gossipper_runtime::config::{
    BesideConfig, EngineConfig, LocalConfig, LogConfig, LogFileConfig, LogForm, MediaConfig,
    MediaRules, PacingConfig, RunConfig, SocketConfig, TimeLimits, TransportConfig,
};
use gossipper_runtime::pacing::Rate;
use gossipper_vm::{
    BesideKind, CallIdFormat, DuplicateCheck, FileSource, InjectionFile, Paths, RunParams, confined,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long an optional `recvCmd` waits in Gossipper's dialect, in ms.
const OPTIONAL_COMMAND_MS: u32 = 250;

/// Says that calls describe a port that is none of theirs, as SIPp's rules have it, so that what comes is not heard.
fn unheard(args: &HiArgs, program: &Program) -> Option<String> {
    let prints = |wanted: fn(&Slot) -> bool| {
        (program.segments.iter())
            .any(|segment| matches!(segment, Segment::Slot(slot) if wanted(slot)))
    };
    let streams = (program.media.iter()).any(|entry| matches!(entry.media, Media::RtpStream(_)));
    let unheard = args.media.calls.rules == MediaRules::Sipp
        && args.media.echo.is_none()
        && !args.skips_media
        && streams
        && prints(|slot| matches!(slot, Slot::MediaPort(_)))
        && !prints(|slot| {
            matches!(
                slot,
                Slot::RtpStreamAudioPort(_) | Slot::RtpStreamVideoPort(_)
            )
        });
    unheard.then(|| {
        let (port, whose) = (args.media_port, match args.media_port % 2 {
            0 => "that of one call at most",
            _ => "no call's, since streams have even ports",
        });
        format!(
            "scenario `{}` describes its streams with [media_port], which is {port} for all calls and {whose}: what is \
             sent there is not heard; [rtpstream_audio_port] prints the port of the call",
            program.name
        )
    })
}

/// Checks that the scenarios fit what was asked, and puts a run together.
///
/// # Errors
/// Says which scenario does not fit, and what to do about it.
pub(crate) fn run_config(
    args: &HiArgs,
    program: Program,
    (answerer, beside): (Option<Program>, Option<(BesideKind, Program)>),
    injection: Vec<Arc<InjectionFile>>,
) -> Result<RunConfig, Refusal> {
    let server = program.mode() == Mode::Server;
    let twin = twin::config(args, &program)?;
    // Who is commanded first calls nobody before, and yet sends first.
    let calls = program.needs_destination() || (!server && twin.is_none());
    if server && answerer.is_some() {
        return Err(format!(
            "-loopback needs a client scenario; `{}` waits for calls itself",
            program.name
        )
        .into());
    }
    if calls && args.remote.is_none() && answerer.is_none() {
        let or = if twin.is_none() {
            ", or try it with -loopback"
        } else {
            ""
        };
        return Err(Refusal::of_run(format!(
            "scenario `{}` calls somebody: name the remote host{or}",
            program.name
        ))
        .in_sipps_words("Missing remote host parameter. This scenario requires it"));
    }
    if let Some(answerer) = answerer
        .as_ref()
        .filter(|answerer| answerer.mode() != Mode::Server)
    {
        return Err(format!(
            "-loopback needs a server scenario to answer; `{}` calls somebody itself",
            answerer.name
        )
        .into());
    }
    let beside = beside
        .map(|(kind, beside)| self::beside(args, kind, beside, &program))
        .transpose()
        .map_err(Refusal::of_run)?;
    if !args.injection_has_default && !args.injection.is_empty() {
        let receiver = beside.iter().map(|beside| &*beside.program);
        let mut programs = std::iter::once(&program).chain(receiver);
        let reads = |program: &&Program| program.fields.iter().any(|field| field.file.is_none());
        if let Some(program) = programs.find(reads) {
            return Err(format!(
                "scenario `{}` uses [field] keywords of the file of -inf, and there is none: name it with `file`, \
                 or with -inf",
                program.name
            ).into());
        }
    }
    args.mode.check_side(server)?;
    let main_transport = transport(args, server)?;
    let answerer_transport = transport(args, true)?;
    let (twin_mode, twin) = twin.unzip();
    let includes = included::read_known(&program).map_err(Refusal::of_run)?;
    let answerer_includes = answerer
        .as_ref()
        .map_or(Ok(Vec::new()), included::read_known)?;
    let files = FileSource::new(Files::default());
    let paths = paths(args, &injection)?;
    let params = RunParams {
        paths,
        injection,
        includes,
        files: Some(files.clone()),
        twin: twin_mode,
        unreliable: args.mode.stream.is_none(),
        one_call: args.total_calls(server) == Some(1),
        per_call: args.transport.per_call,
        send_to_destination: args.sending_address.is_some(),
        beside: beside.as_ref().map(|beside| beside.kind),
        // Those that only the receiving scenario has are given to that.
        globals: own_globals(args, |name| {
            beside.as_ref().is_some_and(|beside| {
                beside.kind == BesideKind::Receiver
                    && program.global(name).is_none()
                    && beside.program.global(name).is_some()
            })
        }),
        ..params(args)
    };
    let confined = confined(&program, &params);
    if let Some(Shards::Count(count @ 2..)) = args.shards
        && let Some(why) = confined
    {
        stdio::note(&format!(
            "-shards {count}: scenario `{}` runs on one shard, since {why}",
            program.name
        ));
    }
    if program.switches_echo() && args.media.echo.is_none() && !args.skips_media {
        stdio::note(&format!(
            "scenario `{}` switches the RTP echo, and there is none: -rtp_echo begins it",
            program.name
        ));
    }
    if let Some(note) = unheard(args, &program) {
        stdio::note(&note);
    }
    let period_ms = millis(args.rate_period);
    let per_call = if server {
        1.0
    } else {
        args.rates.unit.per_call(&program)?
    };
    if args.rates.unit == RateUnit::Requests && !server {
        stdio::note(&format!(
            "rates are requests: a call of scenario `{}` is {per_call} of them",
            program.name
        ));
    }
    results::check(&args.results, &program)?;
    let mut logs = LogConfig {
        call_records: args.results.call_records.clone().map(LogFileConfig::new),
        hep: args.hep.as_ref().map(|hep| hep.config(&args.secure)),
        events: args.events.clone(),
        ..args.traces.config(&program.name, std::process::id())
    };
    // COMPAT(sipp): with a built-in scenario, none of which has a `log` action, there is no file of them.
    let is_builtin = matches!(args.scenario, Source::Builtin(_));
    if logs.form == LogForm::Sipp && is_builtin && !logs_lines(&program) {
        logs.actions = None;
    }
    let pacing = PacingConfig {
        rate: Rate::new(args.rate / per_call, period_ms),
        profile: args.rates.curve(per_call, period_ms)?,
        ramp: args.rates.ramp(per_call),
        total: args.total_calls(server),
        // Callers decide how many calls a server has open.
        open_limit: args.limit.filter(|_| !server),
        users: args.users.filter(|_| !server),
    };
    let shards = match args.shards {
        Some(shards) => shards.count(),
        None if confined.is_some() => 1,
        None => {
            let shards = shards::for_rates(&pacing, server, shards::processors());
            if shards > 1 {
                stdio::note(&format!(
                    "{shards} threads run the calls, as this rate is more than one core carries; -shards says otherwise"
                ));
            }
            shards
        }
    };
    Ok(RunConfig {
        pacing,
        answerer: answerer.map(|program| EngineConfig {
            // Beside the client, so that both are of one family; always a port of its own.
            local: LocalConfig {
                ip: args.local_ip,
                ..LocalConfig::default()
            },
            socket: socket(args),
            media: media(args, args.answerer.as_ref()),
            transport: answerer_transport.clone(),
            ..EngineConfig::new(
                Arc::new(program),
                RunParams {
                    includes: answerer_includes,
                    files: Some(files),
                    ..answerer_params(args)
                },
            )
        }),
        main: EngineConfig {
            local: LocalConfig {
                ip: args.local_ip,
                port: match args.local_port {
                    LocalPort::FirstFree => None,
                    LocalPort::Any => Some(0),
                    LocalPort::Fixed(port) => Some(port),
                },
                bind_local: args.bind_local,
            },
            remote: args.remote.as_ref().map(|peer| peer.address),
            sending_address: args.sending_address,
            media_ip: args.media_ip,
            rtp_echo: args.media.echo,
            media: media(args, Some(&args.scenario)),
            socket: socket(args),
            transport: main_transport,
            keep_edits: args.injection_write_back,
            beside: beside.map(Box::new),
            twin,
            shards,
            watches_calls: true,
            ..EngineConfig::new(Arc::new(program), params)
        },
        limits: TimeLimits {
            timeout: args.timeout,
            timeout_is_error: args.timeout_error,
            timeout_global: args.timeout_global,
        },
        watchdog: args.running.watchdog,
        logs,
        measures: args.results.measures(),
    })
}

/// Whether any step has a `log` action.
fn logs_lines(program: &Program) -> bool {
    let is_line = |op: &Op| {
        matches!(
            op,
            Op::Log {
                level: LogLevel::Log,
                ..
            }
        )
    };
    program.ops.iter().any(is_line)
}

/// The values of `-set` but for these names.
fn own_globals(args: &HiArgs, except: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let globals = args.globals.iter().filter(|(name, _)| !except(name));
    globals
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect()
}

/// The scenario of what belongs to no call, beside a main one.
fn beside(
    args: &HiArgs,
    kind: BesideKind,
    program: Program,
    main: &Program,
) -> Result<BesideConfig, String> {
    let name = &program.name;
    let (flags, what) = match kind {
        BesideKind::OutOfCall => ("-oocsf and -oocsn", "an out-of-call scenario"),
        BesideKind::Receiver => ("-rxsf and -rxsn", "a receiving scenario"),
    };
    if main.mode() == Mode::Server {
        return Err(format!(
            "{flags} need a client scenario; where the main one waits for calls itself, nothing is left for `{name}`"
        ));
    }
    if program.mode() != Mode::Server {
        return Err(format!(
            "{flags} need a server scenario; `{name}` calls somebody itself"
        ));
    }
    if program.link_role().is_some() {
        return Err(format!(
            "{what} has no twin, and `{name}` has sendCmd or recvCmd"
        ));
    }
    if kind == BesideKind::Receiver && main.link_role().is_some() {
        return Err(format!(
            "{what} does not go with a main one that has sendCmd or recvCmd, as `{}` has: what belongs to no call may \
             be for that",
            main.name
        ));
    }
    let globals = match kind {
        BesideKind::OutOfCall => Vec::new(),
        BesideKind::Receiver => own_globals(args, |name| {
            main.global(name).is_some() || program.global(name).is_none()
        }),
    };
    Ok(BesideConfig {
        kind,
        globals,
        includes: included::read_known(&program)?,
        program: Arc::new(program),
    })
}

/// A rate period in whole milliseconds, at least one.
fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000))
        .unwrap_or(u64::MAX)
        .max(1)
}

/// The addresses of `-t ui`.
fn paths(args: &HiArgs, injection: &[Arc<InjectionFile>]) -> Result<Option<Arc<Paths>>, String> {
    let (Some(field), Some(file)) = (args.ip_field, injection.first()) else {
        return Ok(None);
    };
    let paths = Paths::of(file, field).map_err(|error| {
        format!(
            "-t ui: injection file `{}`, field {field}: {error}",
            file.name()
        )
    })?;
    Ok(Some(Arc::new(paths)))
}

/// What messages travel over, for a scenario that waits for calls (`server`) or makes them.
fn transport(args: &HiArgs, server: bool) -> Result<TransportConfig, String> {
    let key_log = std::env::var_os("SSLKEYLOGFILE")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let kind = |stream| args.secure.kind(stream, args.dialect, server, key_log);
    Ok(TransportConfig {
        stream: args.mode.stream.map(kind).transpose()?,
        ..args.transport.clone()
    })
}

/// Media of a scenario, whose files lie beside it.
fn media(args: &HiArgs, source: Option<&Source>) -> MediaConfig {
    let folder = match source {
        Some(Source::File(path)) => path.parent().map(Path::to_path_buf),
        Some(Source::Builtin(_)) | None => None,
    };
    let scales =
        matches!(source, Some(Source::Builtin(builtin)) if builtin.name == "invite_media_scale");
    MediaConfig {
        folder,
        scale: args.media.calls.scale || scales,
        ..args.media.calls.clone()
    }
}

fn socket(args: &HiArgs) -> SocketConfig {
    SocketConfig {
        buffer_bytes: args.buffer_bytes,
        device: args.device.clone(),
        coalesce: args.coalesce_us.map(Duration::from_micros),
        ..SocketConfig::default()
    }
}

/// What the command line says about calls; addresses, clock and process are the runtime's to fill in.
fn params(args: &HiArgs) -> RunParams {
    let base = RunParams::default();
    RunParams {
        service: args.service.clone().into_bytes(),
        auth_username: args.auth_username.clone().map(String::into_bytes),
        auth_password: args
            .auth_password
            .clone()
            .map_or(base.auth_password, String::into_bytes),
        auth_uri: args.auth_uri.clone().map(String::into_bytes),
        trunk: args.trunk.clone(),
        remote_host: args
            .remote
            .as_ref()
            .map_or_else(Vec::new, |peer| peer.host.clone().into_bytes()),
        media_port: args.media_port,
        media_port_end: args.media.end_port,
        media_port_of_call: args.dialect == Dialect::Gossipper,
        skips_media: args.skips_media,
        base_cseq: args.base_cseq,
        call_id: match (&args.call_id_type, &args.call_id_format) {
            (Some(kind), _) => kind.clone(),
            (None, Some(format)) => CallIdFormat::parse(format),
            (None, None) => base.call_id,
        },
        users: args.users,
        circuits: args.circuits,
        pause_ms: args.pause_ms,
        recv_timeout_ms: args.recv_timeout_ms,
        recv_bye_timeout_ms: args.recv_bye_timeout_ms,
        optional_command_ms: match args.dialect {
            Dialect::Sipp => 0,
            Dialect::Gossipper => OPTIONAL_COMMAND_MS,
        },
        retransmit: args.retransmit,
        t2_ms: args.t2_ms.unwrap_or(base.t2_ms),
        max_retrans: args.max_retrans.unwrap_or(base.max_retrans),
        max_invite_retrans: args.max_invite_retrans.unwrap_or(base.max_invite_retrans),
        max_non_invite_retrans: args
            .max_non_invite_retrans
            .unwrap_or(base.max_non_invite_retrans),
        duplicates: match args.retrans_check {
            RetransCheck::Full => DuplicateCheck::Full,
            RetransCheck::Loose => DuplicateCheck::Loose,
        },
        behaviors: behaviors(args.behaviors),
        auto_answer: args.auto_answer,
        ignore_in_pause: args.ignore_while_paused,
        ignore_call_id_slashes: args.call_id_slash_plain,
        dead_call_ms: args.dead_call_ms.unwrap_or(base.dead_call_ms),
        lost_percent: args.lost_percent,
        keys: args
            .keys
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
            .collect(),
        globals: own_globals(args, |_| false),
        dynamic_id: args.dynamic_id,
        seed: args.seed.unwrap_or_else(seed_from_clock),
        version: match args.dialect {
            Dialect::Sipp => version::SIPP_BASELINE,
            Dialect::Gossipper => version::PRODUCT,
        }
        .into(),
        ..base
    }
}

/// The answerer of `-loopback` is a plain peer: what the flags say is said about the client under test.
fn answerer_params(args: &HiArgs) -> RunParams {
    RunParams {
        media_port: args.media_port,
        media_port_end: args.media.end_port,
        media_port_of_call: args.dialect == Dialect::Gossipper,
        skips_media: args.skips_media,
        version: version::PRODUCT.into(),
        seed: args.seed.unwrap_or_else(seed_from_clock),
        ..RunParams::default()
    }
}

fn behaviors(set: Behaviors) -> gossipper_vm::Behaviors {
    gossipper_vm::Behaviors {
        bye: set.bye,
        abort_unexpected: set.abortunexp,
        ping_reply: set.pingreply,
        cseq: set.cseq,
    }
}

/// A seed that two runs seldom share: the time in nanoseconds and the process.
fn seed_from_clock() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    (now.as_nanos() as u64) ^ u64::from(std::process::id()).rotate_left(48)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::argv;
    use crate::flags::low::Dialect;
    use std::ffi::OsString;

    fn params_of(line: &str) -> RunParams {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let parsed = argv::parse(Dialect::Sipp, &args);
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        params(&HiArgs::resolve(parsed.low).expect(line))
    }

    #[test]
    fn a_type_of_call_ids_wins_over_their_format() {
        let x = CallIdFormat::parse("x%u");
        assert_eq!(params_of("127.0.0.1 -cid_str x%u").call_id, x);
        for same in ["default", "format", "legacy"] {
            let line = format!("127.0.0.1 -cid_str x%u -cid_type {same}");
            assert_eq!(params_of(&line).call_id, x);
        }
        let uuid = params_of("127.0.0.1 -cid_str x%u -cid_type uuid").call_id;
        assert_eq!(Some(uuid), CallIdFormat::of_type("uuid"));
        let args = ["-cid_type", "guid", "127.0.0.1"].map(OsString::from);
        assert_eq!(
            argv::parse(Dialect::Sipp, &args)
                .faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [
                "flag `-cid_type`: `guid` is none of default, uuid, uuid-compact, random and timestamp"
            ]
        );
    }

    #[test]
    fn the_version_of_a_message_is_that_of_the_dialect() {
        for (dialect, version) in [("sipp", "3.7.7"), ("gossipper", "Gossipper")] {
            let params = params_of(&format!("127.0.0.1 -compat {dialect}"));
            assert_eq!(params.version, version.as_bytes());
        }
    }

    #[test]
    fn credentials_reach_the_calls_and_are_sipps_where_not_given() {
        let none = params_of("127.0.0.1 -s hotline");
        assert_eq!(none.auth_username, None, "the service stands in");
        assert_eq!(none.auth_password, b"password");
        assert_eq!(none.auth_uri, None);
        let all = params_of("127.0.0.1 -au joe -ap secret -auth_uri example.org");
        assert_eq!(all.auth_username.as_deref(), Some(&b"joe"[..]));
        assert_eq!(all.auth_password, b"secret");
        assert_eq!(all.auth_uri.as_deref(), Some(&b"example.org"[..]));
    }
}
