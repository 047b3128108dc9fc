// SPDX-License-Identifier: AGPL-3.0-only
//! What a run is to do, as plain data: validated by whoever builds it, obeyed here.
//!
//! Not for: parsing flags, names of files by convention (see [`crate::logs::default_file_name`] for those).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gossipper_bytecode::Program;
use gossipper_vm::{BesideKind, Micros, RunParams};

pub use crate::echo::EchoConfig;
pub use crate::events::{
    BUFFER_DEFAULT as EVENT_BUFFER_DEFAULT, EventConfig, EventLevel, OtlpConfig, OtlpProtocol,
};
pub use crate::hep::{HepConfig, HepMedia, HepRtcp, HepTransport};
pub use crate::media::config::{MediaConfig, MediaRules, RecordConfig, SrtpPolicy};
pub use crate::media::sender::{Begins, SenderConfig, SenderSound};
use crate::pacing::{Ramp, Rate};
use crate::profile::RateProfile;
use crate::sys::Backend;
use crate::transport::tls::TlsConfig;
use crate::transport::ws::WsConfig;
use crate::twin::TwinConfig;
pub use gossipper_media::Codec;
pub use gossipper_media::replay::LinkType;

/// A whole run.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The main scenario: the one that pacing, limits and exit codes speak of.
    pub main: EngineConfig,
    /// The server scenario of `-loopback`: runs in the same process on an ephemeral port of the loopback interface,
    /// and is where the main scenario sends to.
    pub answerer: Option<EngineConfig>,
    /// The arrival schedule of the main scenario when that is a client.
    pub pacing: PacingConfig,
    /// When the run ends by itself.
    pub limits: TimeLimits,
    /// Who watches whether the main scenario gets round to its work.
    pub watchdog: Option<WatchdogConfig>,
    /// Log files.
    pub logs: LogConfig,
    /// The main scenario's times are measured per step and response, and per second: see
    /// [`crate::Viewer::measures`].
    pub measures: bool,
}

/// One scenario and its socket.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The verified scenario.
    pub program: Arc<Program>,
    /// What the command line says about calls. The runtime fills in what it alone knows: all addresses and the flow,
    /// transport, pid, clock base and UTC offset.
    pub params: RunParams,
    /// Where to bind.
    pub local: LocalConfig,
    /// The remote host, resolved; `None` for a server.
    pub remote: Option<SocketAddr>,
    /// `-rsa`: where messages really go.
    pub sending_address: Option<SocketAddr>,
    /// `-mi`; the local IP otherwise.
    pub media_ip: Option<IpAddr>,
    /// `-rtp_echo`, for the main scenario; `[media_port]` prints the port it gets, of the answerer too.
    pub rtp_echo: Option<EchoConfig>,
    /// Media of its calls, if the scenario uses any.
    pub media: MediaConfig,
    /// The socket itself.
    pub socket: SocketConfig,
    /// What messages travel over. The parameters are made to agree with it.
    pub transport: TransportConfig,
    /// Threads that run its calls, 0 counting as 1. One is enough for a scenario that [`gossipper_vm::confined`] keeps on
    /// one, and for the answerer.
    pub shards: usize,
    /// Bytes that may wait for a shard which does not keep up; what comes then is dropped and counted.
    pub ring_bytes: usize,
    /// Injection files that the scenario changes come back with the report.
    pub keep_edits: bool,
    /// The scenario of what belongs to none of a client's calls.
    pub beside: Option<Box<BesideConfig>>,
    /// The twins of a scenario with commands. Their kind is also in [`RunParams::twin`].
    pub twin: Option<TwinConfig>,
    /// A sample of the calls of the main scenario is watched for how they fail:
    /// [`gossipper_control::Snapshot::failure_shapes`].
    pub watches_calls: bool,
}

impl EngineConfig {
    /// A scenario with everything by default.
    #[must_use]
    pub fn new(program: Arc<Program>, params: RunParams) -> Self {
        Self {
            program,
            params,
            local: LocalConfig::default(),
            remote: None,
            sending_address: None,
            media_ip: None,
            rtp_echo: None,
            media: MediaConfig::default(),
            socket: SocketConfig::default(),
            transport: TransportConfig::default(),
            shards: 1,
            ring_bytes: crate::group::RING_BYTES,
            keep_edits: false,
            beside: None,
            twin: None,
            watches_calls: false,
        }
    }
}

/// A scenario for what belongs to none of a client's calls (`-oocsf`, `-rxsf`). It has the client's socket and
/// parameters; one for requests outside calls is not given what the run has: lines of injection files, circuits, users,
/// globals.
#[derive(Debug, Clone)]
pub struct BesideConfig {
    /// What begins its calls.
    pub kind: BesideKind,
    /// `-set`, of a receiver: those of its variables that the client does not have.
    pub globals: Vec<(String, Vec<u8>)>,
    /// The verified scenario, a server's without commands for twins.
    pub program: Arc<Program>,
    /// The files that its messages include: [`RunParams::includes`].
    pub includes: Vec<Vec<u8>>,
}

/// Where a socket is bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LocalConfig {
    /// `-i`; otherwise the any-address of the family, and the address towards the remote in messages.
    pub ip: Option<IpAddr>,
    /// `-p`, 0 for one that the system chooses; otherwise the first free of 5060 to 5119, then a system-chosen one.
    pub port: Option<u16>,
    /// `-bind_local`: bind to the detected local IP instead of the any-address.
    pub bind_local: bool,
}

/// Properties of a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketConfig {
    /// Bytes of the kernel's send and receive buffers (`-buff_size`); otherwise
    /// [`crate::transport::BUFFER_DEFAULT_BYTES`], as far as the kernel grants it.
    pub buffer_bytes: Option<usize>,
    /// The interface that sockets are kept on (`-bind_to_device`).
    pub device: Option<String>,
    /// How datagrams are sent and received.
    pub backend: Backend,
    /// While messages are many, the socket is looked at once per this time; zero reads each as it comes. `None` is
    /// [`crate::transport::COALESCE_DEFAULT`].
    pub coalesce: Option<Duration>,
}

/// What messages travel over.
#[derive(Debug, Clone, PartialEq)]
pub struct TransportConfig {
    /// Connections, and of which kind; otherwise UDP.
    pub stream: Option<StreamKind>,
    /// Each call of a client has a connection, or over UDP a socket, of its own (`-t tn`, `un`).
    pub per_call: bool,
    /// Connections and sockets of calls that may be there at once (`-max_socket`). Calls share those there are beyond that.
    pub max_sockets: usize,
    /// Connections that may be made anew (`-max_reconnect`); `None` is any number.
    pub reconnects: Option<u32>,
    /// How long before one is (`-reconnect_sleep`).
    pub reconnect_sleep: Duration,
    /// Calls end with their connection (`-reconnect_close`); otherwise they go on over another.
    pub reconnect_close: bool,
    /// How long a message may wait for a peer that does not read (`-send_timeout`).
    pub send_timeout: Option<Duration>,
    /// Largest message over a stream, in bytes (`-max_message`).
    pub max_message_bytes: usize,
}

impl TransportConfig {
    /// `[transport]`, and the name in traces and on screens.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.stream.as_ref().map_or("UDP", StreamKind::name)
    }
}

/// Kinds of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamKind {
    /// SIP over TCP (RFC 3261 §18).
    Tcp,
    /// SIP over TLS (RFC 3261 §26.2).
    Tls(Box<TlsConfig>),
    /// SIP over WebSocket (RFC 7118).
    Ws(Box<WsConfig>),
    /// SIP over WebSocket over TLS.
    Wss(Box<TlsConfig>, Box<WsConfig>),
}

impl StreamKind {
    /// `[transport]`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Tls(_) => "TLS",
            Self::Ws(_) => "WS",
            Self::Wss(..) => "WSS",
        }
    }
}

/// SIPp's `-max_socket`.
pub const MAX_SOCKETS_DEFAULT: usize = 50_000;

/// SIPp's `-reconnect_sleep`.
pub const RECONNECT_SLEEP_DEFAULT: Duration = Duration::from_secs(1);

/// Largest message over a stream where the command line does not say: as large as a datagram can be.
pub const MAX_MESSAGE_DEFAULT_BYTES: usize = 65_536;

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            stream: None,
            per_call: false,
            max_sockets: MAX_SOCKETS_DEFAULT,
            reconnects: Some(0),
            reconnect_sleep: RECONNECT_SLEEP_DEFAULT,
            reconnect_close: true,
            send_timeout: None,
            max_message_bytes: MAX_MESSAGE_DEFAULT_BYTES,
        }
    }
}

/// When calls begin.
#[derive(Debug, Clone, PartialEq)]
pub struct PacingConfig {
    /// `-r`, `-rp`.
    pub rate: Rate,
    /// `-rate_profile`: in place of the number of calls of `rate`.
    pub profile: Option<Arc<RateProfile>>,
    /// `-rate_increase`.
    pub ramp: Option<Ramp>,
    /// `-m`; for a server too, which then drains after that many calls.
    pub total: Option<u64>,
    /// `-l`; computed from rate and scenario otherwise.
    pub open_limit: Option<u64>,
    /// `-users`: so many calls are open, whatever rate and limit say.
    pub users: Option<u32>,
}

impl Default for PacingConfig {
    fn default() -> Self {
        Self {
            rate: Rate::DEFAULT,
            profile: None,
            ramp: None,
            total: None,
            open_limit: None,
            users: None,
        }
    }
}

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeLimits {
    /// `-timeout`: abort all calls and end.
    pub timeout: Option<Duration>,
    /// `-timeout_error`: reaching `timeout` is an error.
    pub timeout_is_error: bool,
    /// `-timeout_global`: abort all calls and end, which counts as a normal end.
    pub timeout_global: Option<Duration>,
}

/// When a shard that does not get round to its work says so, and ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchdogConfig {
    /// `-watchdog_interval`: time between two looks.
    pub interval: Micros,
    /// `-watchdog_reset`: time without a trip after which the counts start anew; zero never.
    pub reset: Micros,
    /// `-watchdog_minor_threshold`: time between two looks that makes a minor trip.
    pub minor_threshold: Micros,
    /// `-watchdog_major_threshold`: the same for a major one.
    pub major_threshold: Micros,
    /// `-watchdog_minor_maxtriggers`: so many minor trips are survived.
    pub minor_max: Option<u64>,
    /// `-watchdog_major_maxtriggers`: so many major trips are survived.
    pub major_max: Option<u64>,
}

impl WatchdogConfig {
    /// SIPp's.
    pub const DEFAULT: Self = Self {
        interval: Micros(400_000),
        reset: Micros(600_000_000),
        minor_threshold: Micros(500_000),
        major_threshold: Micros(3_000_000),
        minor_max: Some(120),
        major_max: Some(10),
    };
}

/// Trace files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// Whose forms they have.
    pub form: LogForm,
    /// `-trace_msg`.
    pub messages: Option<LogFileConfig>,
    /// `-trace_shortmsg`.
    pub short_messages: Option<LogFileConfig>,
    /// `-trace_err`.
    pub errors: Option<LogFileConfig>,
    /// `-trace_logs`.
    pub actions: Option<LogFileConfig>,
    /// `-trace_calldebug`.
    pub call_debug: Option<LogFileConfig>,
    /// `-trace_stat`.
    pub statistics: Option<LogFileConfig>,
    /// `-trace_counts`.
    pub step_counts: Option<LogFileConfig>,
    /// `-trace_rtt`.
    pub response_times: Option<LogFileConfig>,
    /// `-trace_error_codes`.
    pub error_codes: Option<LogFileConfig>,
    /// `-call_records_jsonl`: a line of JSON per call of the main scenario that has ended. Opened with the first.
    pub call_records: Option<LogFileConfig>,
    /// The files of the traces that can be switched on during the run, in the order of [`gossipper_control::Trace`].
    pub switchable: Option<Box<[LogFileConfig; 4]>>,
    /// The time from INVITE to its final answer is measured, for whoever shows [`EngineSnapshot::invite`]. gossipper's own
    /// statistics table has it in any case.
    ///
    /// [`EngineSnapshot::invite`]: gossipper_control::EngineSnapshot::invite
    pub invites: bool,
    /// How tables are written.
    pub tables: TableConfig,
    /// `-ringbuffer_size` and `-ringbuffer_files`, for the files that are not tables.
    pub ring: Option<Ring>,
    /// `-max_log_size`: bytes after which a file that is not a table is left as it is.
    pub max_bytes: Option<u64>,
    /// `-hep_addr`: where messages are mirrored to.
    pub hep: Option<HepConfig>,
    /// Who is told of events.
    pub events: Option<EventConfig>,
}

impl LogConfig {
    /// Whether traces tell calls apart: the machine then has to say which call its orders are about.
    #[must_use]
    pub fn names_calls(&self) -> bool {
        let by_number = [
            &self.messages,
            &self.short_messages,
            &self.errors,
            &self.statistics,
            &self.response_times,
            &self.error_codes,
        ];
        let wanted =
            by_number.into_iter().any(Option::is_some) || self.switchable.is_some() || self.invites;
        self.call_debug.is_some()
            || self.call_records.is_some()
            || (self.form == LogForm::Gossipper && wanted)
    }
}

/// Whose columns and forms trace files have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogForm {
    /// SIPp's.
    #[default]
    Sipp,
    /// gossipper's own.
    Gossipper,
}

/// How tables are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableConfig {
    /// `-fd`: time between two rows; none but the first and the last if it is zero.
    pub period: Duration,
    /// `-stat_delimiter`.
    pub delimiter: String,
    /// `-rfc3339`.
    pub rfc3339: bool,
    /// `-periodic_rtd`: repartitions begin anew with each row.
    pub periodic_rtd: bool,
    /// `-rtt_freq`: response times that are collected before they are written.
    pub rtt_block: u64,
}

impl Default for TableConfig {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(60),
            delimiter: ";".to_owned(),
            rfc3339: false,
            periodic_rtd: false,
            rtt_block: 200,
        }
    }
}

/// Rotation of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Bytes after which a file is put aside.
    pub bytes: u64,
    /// Files put aside that are kept.
    pub files: usize,
}

/// One trace file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFileConfig {
    /// Where it is.
    pub path: PathBuf,
    /// Whether what is there is replaced; otherwise new records follow it (`-X_overwrite`).
    pub overwrite: bool,
    /// What the names of its parts begin with when it is rotated.
    pub part_stem: PathBuf,
}

impl LogFileConfig {
    /// A file that replaces what is there, and whose parts lie beside it.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            part_stem: path.with_extension(""),
            path,
            overwrite: true,
        }
    }
}
