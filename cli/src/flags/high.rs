// SPDX-License-Identifier: AGPL-3.0-only
//! From what was said to what a run needs: defaults of the dialect, checks across flags, names resolved.
//!
//! [`HiArgs::resolve`] is the only place that knows a default, and the only one in `flags` that asks the world (the
//! resolver of the system, once per name as SIPp does). Whether the scenario calls or answers is not
//! known yet; what depends on it is asked for later ([`HiArgs::total_calls`]).

mod scenario;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use scenario::builtin;
pub(crate) use values::last_of_each;

use super::events;
use super::hep::{self, Hep};
use super::host::{Peer, ip, peer};
use super::low::{Behaviors, Dialect, LowArgs, RetransCheck};
use super::media::Media;
use super::profiles::ProfileFlags;
use super::rates::Rates;
use super::results::Results;
use super::running::Running;
use super::secure::SecureLow;
use super::shards::Shards;
use super::streams;
use super::traces::Traces;
use super::twin::{self, Twin};
use super::value::BareTime;
use crate::words;
use gossipper_runtime::config::{EventConfig, LogForm, TransportConfig};
use gossipper_stdlib_scenarios as stdlib;
use gossipper_vm::circuits::CircuitMap;
use gossipper_vm::{BesideKind, CallIdFormat, Trunk};
use scenario::{answerer, beside, source};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use values::{injection, trunk};

/// Calls of a server scenario without `-m`.
const SERVER_CALLS: u64 = 10_000_000;

/// Where a scenario comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// A file of either form; which one its first bytes say.
    File(PathBuf),
    /// One of ours.
    Builtin(&'static stdlib::Builtin),
}

/// Which local port is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LocalPort {
    /// SIPp's: the first free one of 5060 to 5119, else any.
    FirstFree,
    /// Any free one.
    Any,
    /// This one or none.
    Fixed(u16),
}

/// The settings of a run.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line with no relation to the others"
)]
pub(crate) struct HiArgs {
    /// Whose exit codes apply.
    pub(crate) dialect: Dialect,
    /// What runs.
    pub(crate) scenario: Source,
    /// With `-loopback`: what answers.
    pub(crate) answerer: Option<Source>,
    /// What takes that which belongs to no call, and what that is.
    pub(crate) beside: Option<(BesideKind, Source)>,
    /// `[NAME]` keywords, each name once.
    pub(crate) keys: Vec<(String, String)>,
    /// Values of Global variables, each name once.
    pub(crate) globals: Vec<(String, String)>,
    /// `-inf` and `-rxinf`, base names differ.
    pub(crate) injection: Vec<PathBuf>,
    /// The first of them is the one of fields without a name.
    pub(crate) injection_has_default: bool,
    /// `-infindex`: a file of `injection` by its place there, and the field.
    pub(crate) injection_indexes: Vec<(usize, u32)>,
    /// `-inf_write_back`.
    pub(crate) injection_write_back: bool,
    /// Warnings are errors.
    pub(crate) strict: bool,
    /// The compiled form may be kept and used again.
    pub(crate) cache: bool,
    /// The remote host.
    pub(crate) remote: Option<Peer>,
    /// `-3pcc`, or a name among several peers.
    pub(crate) twin: Option<Twin>,
    /// `-rsa`, when there is a remote host beside it.
    pub(crate) sending_address: Option<SocketAddr>,
    /// `-i`.
    pub(crate) local_ip: Option<IpAddr>,
    /// `-bind_local`.
    pub(crate) bind_local: bool,
    /// `-p`.
    pub(crate) local_port: LocalPort,
    /// `-mi`.
    pub(crate) media_ip: Option<IpAddr>,
    /// `-mp`.
    pub(crate) media_port: u16,
    /// The echo of RTP, and the end of the ports.
    pub(crate) media: Media,
    /// `-no_media`.
    pub(crate) skips_media: bool,
    /// `-t ui`: the field of the first injection file that holds addresses.
    pub(crate) ip_field: Option<u32>,
    /// `-recv_coalesce`, in µs.
    pub(crate) coalesce_us: Option<u64>,
    /// `-buff_size`.
    pub(crate) buffer_bytes: Option<usize>,
    /// `-bind_to_device`.
    pub(crate) device: Option<String>,
    /// What messages travel over, but for the kind of streams.
    pub(crate) transport: TransportConfig,
    /// `-t`.
    pub(crate) mode: streams::Mode,
    /// The flags about TLS and WebSocket.
    pub(crate) secure: SecureLow,
    /// `-r`.
    pub(crate) rate: f64,
    /// `-rp`.
    pub(crate) rate_period: Duration,
    /// `-rate_scale`.
    pub(crate) rate_scale: f64,
    /// What changes the rate.
    pub(crate) rates: Rates,
    /// `-shards`: threads that run calls.
    pub(crate) shards: Option<Shards>,
    /// `-l`; `None` follows the rate.
    pub(crate) limit: Option<u64>,
    /// `-users`.
    pub(crate) users: Option<u32>,
    /// `-tdmmap`.
    pub(crate) circuits: Option<CircuitMap>,
    /// `-m`: `None` was not given, zero is unlimited.
    pub(crate) calls: Option<u64>,
    /// `-timeout`.
    pub(crate) timeout: Option<Duration>,
    /// `-timeout_global`.
    pub(crate) timeout_global: Option<Duration>,
    /// `-timeout_error`.
    pub(crate) timeout_error: bool,
    /// `-s`.
    pub(crate) service: String,
    /// `-au`; `None` takes the service.
    pub(crate) auth_username: Option<String>,
    /// `-ap`.
    pub(crate) auth_password: Option<String>,
    /// `-auth_uri`; `None` takes the peer's address.
    pub(crate) auth_uri: Option<String>,
    /// `-sip_from`, `-sip_pai`, `-sip_provider` and `-sip_extra_header`.
    pub(crate) trunk: Trunk,
    /// `-d`.
    pub(crate) pause_ms: u32,
    /// `-recv_timeout`; 0 is none.
    pub(crate) recv_timeout_ms: u32,
    /// `-recv_bye_timeout_ms`.
    pub(crate) recv_bye_timeout_ms: u32,
    /// `-base_cseq`.
    pub(crate) base_cseq: u32,
    /// `-cid_str`.
    pub(crate) call_id_format: Option<String>,
    /// `-cid_type`, unless it is what `-cid_str` says.
    pub(crate) call_id_type: Option<CallIdFormat>,
    /// Repetitions are made and looked for.
    pub(crate) retransmit: bool,
    /// `-max_retrans`.
    pub(crate) max_retrans: Option<u32>,
    /// `-max_invite_retrans`.
    pub(crate) max_invite_retrans: Option<u32>,
    /// `-max_non_invite_retrans`.
    pub(crate) max_non_invite_retrans: Option<u32>,
    /// `-T2`.
    pub(crate) t2_ms: Option<u32>,
    /// `-rtcheck`.
    pub(crate) retrans_check: RetransCheck,
    /// `-deadcall_wait`.
    pub(crate) dead_call_ms: Option<u32>,
    /// `-aa`.
    pub(crate) auto_answer: bool,
    /// `-default_behaviors`.
    pub(crate) behaviors: Behaviors,
    /// `-pause_msg_ign`.
    pub(crate) ignore_while_paused: bool,
    /// `-callid_slash_ign`.
    pub(crate) call_id_slash_plain: bool,
    /// `-lost`.
    pub(crate) lost_percent: f64,
    /// `-dynamicStart`, `-dynamicMax`, `-dynamicStep`.
    pub(crate) dynamic_id: (u32, u32, u32),
    /// `-seed`.
    pub(crate) seed: Option<u64>,
    /// Traces and tables.
    pub(crate) traces: Traces,
    /// `-hep_addr`.
    pub(crate) hep: Option<Hep>,
    /// Who is told of events.
    pub(crate) events: Option<EventConfig>,
    /// What it leaves for pipelines.
    pub(crate) results: Results,
    /// Profiles of the program.
    pub(crate) profiles: ProfileFlags,
    /// `-f`; `None` is never.
    pub(crate) refresh: Option<Duration>,
    /// How it is watched and steered.
    pub(crate) running: Running,
    /// Keys are read from a terminal.
    pub(crate) read_keys: bool,
    /// What is right and yet may surprise.
    pub(crate) notes: Vec<String>,
}

/// Why a command line that can be read cannot be followed.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Everything that is wrong, in words for the user.
    pub(crate) faults: Vec<String>,
    /// SIPp finds that out after it has read the scenario, and ends with another code.
    pub(crate) of_run: bool,
    /// What it says of the first of them.
    pub(crate) sipps_words: Option<String>,
}

impl From<String> for Refusal {
    fn from(fault: String) -> Self {
        Self {
            faults: vec![fault],
            of_run: false,
            sipps_words: None,
        }
    }
}

impl Refusal {
    /// One fault that SIPp finds when the run begins.
    pub(crate) fn of_run(fault: String) -> Self {
        Self {
            of_run: true,
            ..Self::from(fault)
        }
    }

    /// What SIPp says of it.
    pub(crate) fn in_sipps_words(self, words: impl Into<String>) -> Self {
        Self {
            sipps_words: Some(words.into()),
            ..self
        }
    }
}

impl HiArgs {
    /// Applies the defaults and resolves the names.
    ///
    /// # Errors
    /// Everything that is wrong, in words for the user.
    pub(crate) fn resolve(mut low: LowArgs) -> Result<Self, Refusal> {
        let mut faults = Vec::new();
        // About hosts and addresses.
        let mut hosts = Vec::new();
        let mut sipps_words = None;
        let dialect = low.dialect;
        let sipp = dialect == Dialect::Sipp;
        let mut notes = Vec::new();
        let per_address = low.streams.mode.per_address;
        if per_address && low.injection.is_empty() {
            sipps_words = Some("You must use the -inf option when using -t ui.".to_owned());
            faults.push(
                "-t ui needs an injection file with addresses: name one with -inf".to_owned(),
            );
        }
        if low.ip_field.is_some() && !per_address {
            notes.push("-ip_field has no effect without -t ui".to_owned());
        }
        if low.skip_rlimit {
            notes.push(
                "-skip_rlimit has no effect: the limit of open files never stops a run".to_owned(),
            );
        }

        let scale = low.media.scale;
        let mode = low.streams.mode.clone();
        faults.extend(mode.check_form(low.traces.form()).err());
        let stream = mode.stream;
        for flag in low.secure.unused(
            stream.is_some_and(streams::Stream::has_tls)
                || hep::asks_for_tls(&low.hep)
                || events::asks_for_tls(&low.events),
            stream.is_some_and(streams::Stream::has_ws),
        ) {
            let needs = if flag.starts_with("-ws") {
                "WebSocket (-t w1, wn, ws1, wsn)"
            } else {
                "TLS (-t l1, ln, ws1, wsn)"
            };
            notes.push(format!("{flag} has no effect without {needs}"));
        }
        let transport = streams::resolve(low.streams, dialect, &mut notes);
        if low.users.is_some() {
            if low.limit_after_users {
                let words = "Can not set open call limit (-l) when -users is specified.";
                sipps_words = Some(words.to_owned());
                faults.push(
                    "-l does not go with -users: so many calls are open as there are users"
                        .to_owned(),
                );
            }
            let given = [
                (low.rate.is_some(), "-r"),
                (low.rate_period.is_some(), "-rp"),
                (low.limit.is_some() && !low.limit_after_users, "-l"),
            ];
            for (_, flag) in given.iter().filter(|(given, _)| *given) {
                notes.push(format!(
                    "{flag} has no effect: with -users a call begins when another one has ended"
                ));
            }
        }

        if sipp && low.scenario_file.is_some() && low.scenario_name.is_some() {
            faults.push("-sf and -sn exclude each other".to_owned());
        }
        if let Some(name) = low
            .scenario_name
            .as_deref()
            .filter(|name| builtin(name).is_err())
        {
            sipps_words.get_or_insert_with(|| words::no_builtin(name));
        }
        let scenario = source(
            low.scenario_file,
            low.scenario_name.as_deref(),
            stdlib::DEFAULT,
            &mut faults,
        );
        let out_of_call = beside(
            (low.out_of_call_file, low.out_of_call_name.as_deref()),
            ("-oocsf", "-oocsn"),
            "ooc_default",
            &mut faults,
        );
        let receiver = beside(
            (low.receiver_file, low.receiver_name.as_deref()),
            ("-rxsf", "-rxsn"),
            "uas",
            &mut faults,
        );
        if receiver.is_none() && !low.receiver_injection.is_empty() {
            faults.push("-rxinf needs a receiving scenario: name one with -rxsf".to_owned());
        }
        if receiver.is_some() && out_of_call.is_some() {
            notes.push(
                "-oocsf and -oocsn have no effect: the receiving scenario takes all that belongs to no call"
                    .to_owned(),
            );
        }
        let beside = match (receiver, out_of_call) {
            (Some(source), _) => Some((BesideKind::Receiver, source)),
            (None, source) => source.map(|source| (BesideKind::OutOfCall, source)),
        };
        let answerer = answerer(
            low.loopback,
            low.answerer_file,
            low.answerer_name.as_deref(),
            scenario.as_ref(),
            &mut faults,
        );

        let injection_has_default = !low.injection.is_empty();
        for path in low.receiver_injection {
            if !low.injection.contains(&path) {
                low.injection.push(path);
            }
        }
        let injection_indexes = injection(&low.injection, &low.injection_indexes, &mut faults);
        if low.injection_write_back && low.injection.is_empty() {
            faults.push("-inf_write_back needs an injection file: name one with -inf".to_owned());
        }

        let trunk = trunk(
            [low.sip_from, low.sip_pai, low.sip_provider],
            low.sip_extra_headers,
            &mut faults,
        );

        let rate = low.rate.unwrap_or(if sipp { 10.0 } else { 1.0 });
        if !sipp && rate == 0.0 {
            faults.push("rate must be greater than zero".to_owned());
        }
        let rate_period = low.rate_period.unwrap_or(Duration::from_secs(1));
        if rate_period.is_zero() {
            faults.push("rate period must be greater than zero".to_owned());
        }
        if !sipp && low.base_cseq == Some(0) {
            faults.push("-base_cseq must be greater than zero".to_owned());
        }
        if low.lost_percent.is_some_and(|percent| percent > 100.0) {
            faults.push("-lost is a share in percent, 0 to 100".to_owned());
        }
        if low.loopback && (low.remote.is_some() || low.sending_address.is_some()) {
            faults.push(
                "-loopback has its own peer; it takes neither a remote host nor -rsa".to_owned(),
            );
        }

        // COMPAT(sipp): a ramp steps when a row of the statistics is due.
        if sipp
            && low.rates.increase.is_some()
            && let Some(period) = low.traces.period
        {
            low.rates.interval.get_or_insert(BareTime {
                seconds: period,
                millis: period,
            });
        }
        let rates = Rates::resolve(
            low.rates,
            dialect,
            rate_period,
            low.users.is_some(),
            low.traces.period,
            &mut faults,
            &mut notes,
        );
        let own_form = low.traces.form() == LogForm::Gossipper;
        let control_ip = low.running.control_ip.clone();
        let running = Running::resolve(low.running, dialect, own_form, &mut hosts, &mut notes);
        if let Some(host) = control_ip.filter(|_| !hosts.is_empty()) {
            sipps_words.get_or_insert_with(|| words::no_control(&host));
        }
        let twin = twin::resolve(low.twin, &mut faults);
        let local_ip = low
            .local_ip
            .as_deref()
            .and_then(|host| ip(host, "-i", &mut hosts));
        let media_ip = low
            .media_ip
            .as_deref()
            .and_then(|host| ip(host, "-mi", &mut hosts));
        let media_port = low.media_port.unwrap_or(6000);
        let media = Media::resolve(
            low.media,
            dialect,
            media_port,
            low.no_media,
            &mut faults,
            &mut notes,
        );
        // Without a remote host, -rsa is the remote host.
        if let (None, Some(host)) = (local_ip, &low.local_ip) {
            sipps_words.get_or_insert_with(|| words::no_local(host));
        }
        let (remote, sending) = match (low.remote, low.sending_address) {
            (None, sending) => (sending, None),
            given => given,
        };
        let remote = remote.and_then(|text| {
            let found = peer(&text, local_ip, &mut hosts);
            if found.is_none() {
                sipps_words.get_or_insert_with(|| words::no_host(&text));
            }
            found
        });
        let family = local_ip.or_else(|| remote.as_ref().map(|peer| peer.address.ip()));
        let sending_address = sending
            .and_then(|text| peer(&text, family, &mut faults))
            .map(|peer| peer.address);

        let mut ms = |flag: &str, time: Option<Duration>| {
            let millis = time?.as_micros().div_ceil(1000);
            let checked = u32::try_from(millis).ok();
            if checked.is_none() {
                faults.push(format!(
                    "{flag} is longer than {} ms, about 49 days",
                    u32::MAX
                ));
            }
            checked
        };
        let pause_ms = ms("-d", low.pause);
        let recv_timeout_ms = ms("-recv_timeout", low.recv_timeout);
        let recv_bye_timeout_ms = ms("-recv_bye_timeout_ms", low.recv_bye_timeout);
        let t2_ms = ms("-T2", low.t2);
        let dead_call_ms = ms("-deadcall_wait", low.dead_call_wait);

        let traces = low.traces.resolve(&mut notes, &mut faults);
        let hep = hep::resolve(low.hep, scale, &mut faults, &mut notes);
        let env = |name: &str| std::env::var(name).ok();
        let events = events::resolve(low.events, &low.secure, &env, &mut faults, &mut notes);
        let profiles = low.profiles.resolve(&mut faults);
        let results = Results::resolve(low.results, &mut faults, &mut notes);
        let local_port = match low.local_port {
            None if sipp => LocalPort::FirstFree,
            None | Some(0) => LocalPort::Any,
            Some(port) => LocalPort::Fixed(port),
        };
        let Some(scenario) = scenario.filter(|_| faults.is_empty() && hosts.is_empty()) else {
            let of_run = faults.is_empty();
            faults.append(&mut hosts);
            return Err(Refusal {
                faults,
                of_run,
                sipps_words,
            });
        };
        Ok(Self {
            dialect,
            scenario,
            answerer,
            beside,
            keys: last_of_each(low.keys),
            globals: last_of_each(low.globals),
            injection: low.injection,
            injection_has_default,
            injection_indexes,
            injection_write_back: low.injection_write_back,
            strict: low.strict,
            cache: !low.no_cache,
            remote,
            twin,
            sending_address,
            local_ip,
            bind_local: low.bind_local,
            local_port,
            media_ip,
            media_port,
            media,
            skips_media: low.no_media,
            ip_field: per_address.then_some(low.ip_field.unwrap_or(0)),
            coalesce_us: low.coalesce_us,
            buffer_bytes: low.buffer_bytes,
            device: low.device,
            transport,
            mode,
            secure: low.secure,
            rate,
            rate_period,
            rates,
            rate_scale: low.rate_scale.unwrap_or(1.0),
            shards: low.shards,
            limit: low.limit.or(if sipp { None } else { Some(1) }),
            users: low.users,
            circuits: low.circuits,
            calls: low.calls,
            timeout: low.timeout.filter(|time| !time.is_zero()),
            timeout_global: low.timeout_global.filter(|time| !time.is_zero()),
            timeout_error: low.timeout_error,
            auth_username: low.auth_username,
            auth_password: low.auth_password,
            auth_uri: low.auth_uri,
            trunk,
            service: low.service.unwrap_or_else(|| "service".to_owned()),
            pause_ms: pause_ms.unwrap_or(if sipp { 0 } else { 1000 }),
            recv_timeout_ms: recv_timeout_ms.unwrap_or(if sipp { 0 } else { 5000 }),
            recv_bye_timeout_ms: recv_bye_timeout_ms.unwrap_or(if sipp { 0 } else { 90_000 }),
            base_cseq: low.base_cseq.unwrap_or(1),
            call_id_format: low.call_id_format,
            call_id_type: low.call_id_type,
            retransmit: !low.no_retransmission,
            max_retrans: low.max_retrans,
            max_invite_retrans: low.max_invite_retrans,
            max_non_invite_retrans: low.max_non_invite_retrans,
            t2_ms,
            retrans_check: low.retrans_check.unwrap_or(RetransCheck::Full),
            dead_call_ms,
            auto_answer: low.auto_answer,
            behaviors: low.behaviors.unwrap_or(Behaviors::ALL),
            ignore_while_paused: low.ignore_while_paused,
            call_id_slash_plain: low.call_id_slash_plain,
            lost_percent: low.lost_percent.unwrap_or(0.0),
            dynamic_id: (
                low.dynamic_start.unwrap_or(10_000),
                low.dynamic_max.unwrap_or(12_000),
                low.dynamic_step.unwrap_or(4),
            ),
            seed: low.seed,
            traces,
            hep,
            events,
            results,
            profiles,
            refresh: Some(low.refresh.unwrap_or(Duration::from_secs(1)))
                .filter(|time| !time.is_zero()),
            running,
            read_keys: !low.no_stdin,
            notes,
        })
    }

    /// How many calls are started, or answered by a server scenario; `None` is unlimited.
    pub(crate) fn total_calls(&self, server: bool) -> Option<u64> {
        let default = match (self.dialect, server) {
            (Dialect::Sipp, _) => 0,
            (Dialect::Gossipper, false) => 1,
            (Dialect::Gossipper, true) => SERVER_CALLS,
        };
        Some(self.calls.unwrap_or(default)).filter(|calls| *calls > 0)
    }
}
