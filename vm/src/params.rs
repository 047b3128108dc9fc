// SPDX-License-Identifier: AGPL-3.0-only
//! What a run adds to a program: addresses, identities, limits. Linking folds most of it into the templates.

use crate::circuits::CircuitMap;
use crate::files::FileSource;
use crate::inject::InjectionFile;
use crate::input::{FlowId, Micros};
use crate::paths::Paths;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Default behaviours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Behaviors {
    /// Aborted calls send ACK, CANCEL or BYE; unexpected BYE and CANCEL are answered.
    pub bye: bool,
    /// Unexpected messages abort the call.
    pub abort_unexpected: bool,
    /// An unexpected PING is answered.
    pub ping_reply: bool,
    /// The CSeq of an ACK must be that of its INVITE.
    pub cseq: bool,
}

impl Behaviors {
    /// All on: the default.
    pub const ALL: Self = Self {
        bye: true,
        abort_unexpected: true,
        ping_reply: true,
        cseq: true,
    };

    /// All off: `-nd`.
    pub const NONE: Self = Self {
        bye: false,
        abort_unexpected: false,
        ping_reply: false,
        cseq: false,
    };
}

/// How received repetitions are told from new messages (`-rtcheck`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DuplicateCheck {
    /// The whole text is equal.
    Full,
    /// To, From, Call-ID, CSeq, and for responses status and body are equal.
    Loose,
}

/// The parts of `-cid_str`, split once, or those of another kind (`-cid_type`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallIdFormat {
    /// Literal text and fields, in order.
    pub parts: Vec<CallIdPart>,
}

/// A part of a Call-ID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallIdPart {
    /// Text.
    Literal(Vec<u8>),
    /// `%u`: the number of the call.
    Number,
    /// `%p`: the process id.
    Pid,
    /// `%s`: the local IP without brackets.
    LocalIp,
    /// `%r`: a random integer.
    Random,
    /// A random UUID (RFC 9562 §5.4).
    Uuid {
        /// With its dashes.
        dashes: bool,
    },
    /// 32 random hexadecimal digits.
    Hex,
    /// The time at which the call began, in microseconds since 1970.
    Time,
}

impl CallIdFormat {
    /// SIPp's default of `-cid_str`.
    pub const DEFAULT: &'static str = "%u-%p@%s";

    /// Splits a format: `%u %p %s %r`; any other `%c` gives `%`, a trailing `%` is kept.
    #[must_use]
    pub fn parse(format: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut bytes = format.bytes();
        while let Some(byte) = bytes.next() {
            let part = match (byte, byte == b'%') {
                (_, false) => {
                    literal.push(byte);
                    continue;
                }
                (_, true) => match bytes.next() {
                    Some(b'u') => CallIdPart::Number,
                    Some(b'p') => CallIdPart::Pid,
                    Some(b's') => CallIdPart::LocalIp,
                    Some(b'r') => CallIdPart::Random,
                    Some(_) | None => {
                        literal.push(b'%');
                        continue;
                    }
                },
            };
            if !literal.is_empty() {
                parts.push(CallIdPart::Literal(core::mem::take(&mut literal)));
            }
            parts.push(part);
        }
        if !literal.is_empty() {
            parts.push(CallIdPart::Literal(literal));
        }
        Self { parts }
    }

    /// A kind of Call-IDs by its name in `-cid_type`; `None` when there is none of that name. The default, which is
    /// `-cid_str`, is not among them.
    #[must_use]
    pub fn of_type(name: &str) -> Option<Self> {
        use CallIdPart::{Hex, Literal, LocalIp, Number, Pid, Time, Uuid};
        let text = |text: &str| Literal(text.as_bytes().to_vec());
        let parts = match name {
            "uuid" => vec![Uuid { dashes: true }, text("@"), LocalIp],
            "uuid-compact" | "uuidcompact" | "uuid32" => {
                vec![Uuid { dashes: false }, text("@"), LocalIp]
            }
            "random" | "random-hex" => vec![Number, text("-"), Hex, text("@"), LocalIp],
            "timestamp" | "time" => {
                vec![Time, text("-"), Number, text("-"), Pid, text("@"), LocalIp]
            }
            _ => return None,
        };
        Some(Self { parts })
    }

    /// Whether two calls of a run always differ: some part depends on the call.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        let differs =
            |part: &CallIdPart| matches!(part, CallIdPart::Number | CallIdPart::Uuid { .. });
        self.parts.iter().any(differs)
    }
}

/// How calls present themselves to a trunk (`[trunk_*]`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trunk {
    /// `-sip_from`: From up to its tag; `None` takes an address of our own.
    pub from: Option<Vec<u8>>,
    /// `-sip_pai`: value of `P-Asserted-Identity`.
    pub pai: Option<Vec<u8>>,
    /// `-sip_provider`: value of `X-provider`.
    pub provider: Option<Vec<u8>>,
    /// `-sip_extra_header`: further headers.
    pub extra: Vec<Vec<u8>>,
}

/// How commands find their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TwinMode {
    /// There is one twin (`-3pcc`).
    One,
    /// There are peers with names (`-master`, `-slave`): `dest` and `src` count.
    Named,
}

/// What a scenario beside that of a client is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BesideKind {
    /// Requests that belong to no call (`-oocsf`, `-oocsn`).
    OutOfCall,
    /// Calls that come in (`-rxsf`, `-rxsn`): whatever belongs to none of the client's calls.
    Receiver,
}

/// Everything a run says about its calls. Times are microseconds, lengths of pauses and timers milliseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct RunParams {
    /// `[service]` (`-s`).
    pub service: Vec<u8>,
    /// Where a client's requests go: `-rsa`, else the remote host. Servers answer to the source.
    pub destination: Option<SocketAddr>,
    /// `-rsa` was given: servers send there too instead of to the source.
    pub send_to_destination: bool,
    /// `[remote_ip]`, `[remote_port]`; `None` in server mode.
    pub remote: Option<SocketAddr>,
    /// `[remote_host]`, as typed without port.
    pub remote_host: Vec<u8>,
    /// `[local_ip]`.
    pub local_ip: IpAddr,
    /// `[local_port]`.
    pub local_port: u16,
    /// `[server_ip]`: the address the socket is bound to.
    pub server_ip: IpAddr,
    /// `[transport]`.
    pub transport: &'static str,
    /// Whether the transport loses messages (UDP): timers repeat, duplicates are looked for.
    pub unreliable: bool,
    /// There is one call in the whole run, so that its Call-ID may be any text.
    pub one_call: bool,
    /// `[media_ip]`.
    pub media_ip: IpAddr,
    /// `[media_port]`.
    pub media_port: u16,
    /// The port from which on streams get none: `-max_rtp_port`.
    pub media_port_end: u16,
    /// Where the scenario uses media, `[media_port]` and `[auto_media_port]` are the port of the call's audio stream, as in
    /// Gossipper. In SIPp they are numbers of their own.
    pub media_port_of_call: bool,
    /// `[pid]`.
    pub pid: u32,
    /// `[users]`; `None` without `-users`.
    pub users: Option<u32>,
    /// `-tdmmap`: each call needs a circuit of its own.
    pub circuits: Option<CircuitMap>,
    /// Addresses of names that `setdest` may use; see [`crate::link::host_names`].
    pub hosts: Vec<(Vec<u8>, IpAddr)>,
    /// `[sipp_version]`.
    pub version: Vec<u8>,
    /// The path that client calls send on, but with `paths` or `per_call`.
    pub flow: FlowId,
    /// Each call of a client has a path of its own, which it asks for when it first sends (`-t un`, `tn`, `ln`).
    pub per_call: bool,
    /// `-t ui`: the path of a client's call is that of its line.
    pub paths: Option<Arc<Paths>>,
    /// First value of `[cseq]` (`-base_cseq`).
    pub base_cseq: u32,
    /// Call-IDs of generated calls (`-cid_str`).
    pub call_id: CallIdFormat,
    /// Length of pauses without one of their own, in ms (`-d`, `-pause_ms`).
    pub pause_ms: u32,
    /// Default receive timeout in ms, 0 for none (`-recv_timeout`).
    pub recv_timeout_ms: u32,
    /// Least receive timeout where a BYE is waited for that names none, in ms (`-recv_bye_timeout_ms`): somebody talks
    /// meanwhile.
    pub recv_bye_timeout_ms: u32,
    /// How long an optional `recvCmd` waits before the call goes on without its command, in ms; 0 for as long as nothing
    /// else comes, as in SIPp. Gossipper's language has it.
    pub optional_command_ms: u32,
    /// Repetitions are made and looked for (`-nr` turns both off).
    pub retransmit: bool,
    /// Upper bound of the repetition interval of other requests than INVITE, in ms (`-T2`).
    pub t2_ms: u32,
    /// Most repetitions of any message (`-max_retrans`).
    pub max_retrans: u32,
    /// Most repetitions of an INVITE (`-max_invite_retrans`).
    pub max_invite_retrans: u32,
    /// Most repetitions of others (`-max_non_invite_retrans`).
    pub max_non_invite_retrans: u32,
    /// `-rtcheck`.
    pub duplicates: DuplicateCheck,
    /// Default behaviours.
    pub behaviors: Behaviors,
    /// Another scenario takes what belongs to no call (`-oocsf`, `-rxsf`): see [`crate::Engine::with_beside`].
    pub beside: Option<BesideKind>,
    /// `-aa`: INFO, NOTIFY, OPTIONS and UPDATE are answered with 200.
    pub auto_answer: bool,
    /// `-pause_msg_ign`: messages that arrive in a pause are dropped.
    pub ignore_in_pause: bool,
    /// `-callid_slash_ign`: `///` in a Call-ID is nothing special.
    pub ignore_call_id_slashes: bool,
    /// Open calls beyond which messages with an unknown Call-ID open no more: peers must not decide how much memory a
    /// server takes.
    pub max_incoming: usize,
    /// Bytes kept of messages beyond which they open no more either.
    pub max_incoming_bytes: usize,
    /// How long an ended call is remembered, in ms; 0 not at all (`-deadcall_wait`).
    pub dead_call_ms: u32,
    /// Whether orders say which call they are about ([`crate::Output::About`]); for traces that tell calls apart.
    pub names_calls: bool,
    /// Default loss in percent (`-lost`).
    pub lost_percent: f64,
    /// User of `[authentication]` without `username` (`-au`); `None` takes `service`.
    pub auth_username: Option<Vec<u8>>,
    /// Password of `[authentication]` without `password` (`-ap`).
    pub auth_password: Vec<u8>,
    /// URI of `[authentication]` without its `sip:` (`-auth_uri`); `None` takes the peer's address.
    pub auth_uri: Option<Vec<u8>>,
    /// Keywords of `-key`, for texts that are known only while calls run.
    pub keys: Vec<(String, Vec<u8>)>,
    /// `-set`: values of global variables.
    pub globals: Vec<(String, Vec<u8>)>,
    /// Injection files in the order of the command line (`-inf`); their names differ.
    pub injection: Vec<Arc<InjectionFile>>,
    /// Contents of the files that the program includes, in its order.
    pub includes: Vec<Vec<u8>>,
    /// Where files come from whose paths depend on the call.
    pub files: Option<FileSource>,
    /// `[trunk_*]`.
    pub trunk: Trunk,
    /// The twins of a scenario with commands.
    pub twin: Option<TwinMode>,
    /// `-no_media`: media actions are passed over and counted.
    pub skips_media: bool,
    /// First, last and step of `[dynamic_id]`.
    pub dynamic_id: (u32, u32, u32),
    /// Seed of everything random.
    pub seed: u64,
    /// Wall clock at time 0, in microseconds since 1970.
    pub epoch_us: u64,
    /// Offset of local time from UTC in seconds, for `[timestamp]`.
    pub utc_offset_s: i32,
}

/// T2 (RFC 3261 §17.1.2.2).
pub const T2_DEFAULT_MS: u32 = 4000;

/// SIPp's `-deadcall_wait`.
pub const DEAD_CALL_DEFAULT_MS: u32 = 33_000;

/// SIPp's `-ap`.
pub const AUTH_PASSWORD_DEFAULT: &str = "password";

/// About a gigabyte of calls as they mostly are, and more than one port is asked to hold.
pub const MAX_INCOMING_DEFAULT: usize = 1_000_000;

/// What a million calls keep of messages of ordinary size.
pub const MAX_INCOMING_BYTES_DEFAULT: usize = 1 << 30;

/// SIPp's `-max_retrans`; the limits per method apply as well.
pub const MAX_RETRANS_DEFAULT: u32 = 9;

/// SIPp's `-max_invite_retrans`.
pub const MAX_INVITE_RETRANS_DEFAULT: u32 = 5;

impl Default for RunParams {
    fn default() -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            service: b"service".to_vec(),
            destination: None,
            send_to_destination: false,
            remote: None,
            remote_host: Vec::new(),
            local_ip: local,
            local_port: 5060,
            server_ip: local,
            transport: "UDP",
            unreliable: true,
            one_call: false,
            media_ip: local,
            media_port: 6000,
            media_port_end: u16::MAX,
            media_port_of_call: false,
            pid: 1,
            users: None,
            circuits: None,
            hosts: Vec::new(),
            version: env!("CARGO_PKG_VERSION").as_bytes().to_vec(),
            flow: FlowId(0),
            per_call: false,
            paths: None,
            base_cseq: 1,
            call_id: CallIdFormat::parse(CallIdFormat::DEFAULT),
            pause_ms: 0,
            recv_timeout_ms: 0,
            recv_bye_timeout_ms: 0,
            optional_command_ms: 0,
            retransmit: true,
            t2_ms: T2_DEFAULT_MS,
            max_retrans: MAX_RETRANS_DEFAULT,
            max_invite_retrans: MAX_INVITE_RETRANS_DEFAULT,
            max_non_invite_retrans: MAX_RETRANS_DEFAULT,
            duplicates: DuplicateCheck::Full,
            behaviors: Behaviors::ALL,
            beside: None,
            auto_answer: false,
            ignore_in_pause: false,
            ignore_call_id_slashes: false,
            max_incoming: MAX_INCOMING_DEFAULT,
            max_incoming_bytes: MAX_INCOMING_BYTES_DEFAULT,
            dead_call_ms: DEAD_CALL_DEFAULT_MS,
            names_calls: false,
            lost_percent: 0.0,
            auth_username: None,
            auth_password: AUTH_PASSWORD_DEFAULT.as_bytes().to_vec(),
            auth_uri: None,
            keys: Vec::new(),
            globals: Vec::new(),
            includes: Vec::new(),
            files: None,
            trunk: Trunk::default(),
            twin: None,
            injection: Vec::new(),
            skips_media: false,
            dynamic_id: (10_000, 12_000, 4),
            seed: 0,
            epoch_us: Micros(0).0,
            utc_offset_s: 0,
        }
    }
}

impl RunParams {
    /// The path that a call of a client begins with.
    pub(crate) fn own_flow(&self) -> FlowId {
        if self.per_call {
            FlowId::NONE
        } else {
            self.flow
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_percent_codes_give_a_percent_sign() {
        let format = CallIdFormat::parse("a%u%%%xb%");
        assert_eq!(
            format.parts,
            [
                CallIdPart::Literal(b"a".to_vec()),
                CallIdPart::Number,
                CallIdPart::Literal(b"%%b%".to_vec()),
            ]
        );
        assert!(format.is_unique());
        assert!(!CallIdFormat::parse("%p@%s").is_unique());
    }
}
