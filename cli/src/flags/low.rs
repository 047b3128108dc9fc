// SPDX-License-Identifier: AGPL-3.0-only
//! What the command line said, as plain data.
//!
//! [`LowArgs`] is filled by the setters of the flag table ([`super::defs`]) and touches nothing: no file, no name
//! resolution, no default. `None` means "not given", because the default depends on the dialect and is applied once,
//! in [`super::high`].

use super::events::EventsLow;
use super::hep::HepLow;
use super::media::MediaLow;
use super::profiles::ProfileFlags;
use super::rates::RatesLow;
use super::results::ResultsLow;
use super::running::RunningLow;
use super::secure::SecureLow;
use super::shards::Shards;
use super::streams::StreamsLow;
use super::traces::LowTraces;
use gossipper_vm::CallIdFormat;
use gossipper_vm::circuits::CircuitMap;
use std::path::PathBuf;
use std::time::Duration;

/// Whose defaults and exit codes apply (docs/adr/0009-dialects.md).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Dialect {
    /// A drop-in for SIPp: `gossipper sipp`, the binary under the name `sipp`, or `-compat sipp`.
    Sipp,
    /// Scenario flags straight after `gossipper`: one call unless told otherwise.
    #[default]
    Gossipper,
}

impl Dialect {
    /// How the program calls itself in help and errors.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Sipp => "gossipper sipp",
            Self::Gossipper => "gossipper",
        }
    }
}

/// A flag that prints something instead of running.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Special {
    /// `-h`, `-help`: the list of flags.
    Help,
    /// `-v`: the version in one line.
    Version,
    /// `-version`: the version with what is known of the build.
    Build,
    /// `-sd NAME`: the XML of a built-in scenario.
    Dump(String),
}

/// `-default_behaviors`: what happens without a word in the scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent switches that SIPp names on its command line"
)]
pub(crate) struct Behaviors {
    /// Aborted calls send ACK, CANCEL or BYE; unexpected BYE and CANCEL are answered.
    pub(crate) bye: bool,
    /// Unexpected messages abort the call.
    pub(crate) abortunexp: bool,
    /// An unexpected PING is answered.
    pub(crate) pingreply: bool,
    /// The CSeq number of an ACK is compared with the INVITE's.
    pub(crate) cseq: bool,
}

impl Behaviors {
    /// Everything on, SIPp's default.
    pub(crate) const ALL: Self = Self {
        bye: true,
        abortunexp: true,
        pingreply: true,
        cseq: true,
    };
    /// Everything off, `-nd`.
    pub(crate) const NONE: Self = Self {
        bye: false,
        abortunexp: false,
        pingreply: false,
        cseq: false,
    };

    /// Reads the list of `-default_behaviors`: tokens from left to right, starting from *none*.
    ///
    /// # Errors
    /// Names the first token that is not a behaviour.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let mut set = Self::NONE;
        for token in list.split(',') {
            let (name, on) = match token.strip_prefix('-') {
                Some(name) => (name, false),
                None => (token.strip_prefix('+').unwrap_or(token), true),
            };
            match name {
                // `-all` and `+none` both mean nothing; `-none` everything.
                "all" => set = if on { Self::ALL } else { Self::NONE },
                "none" => set = if on { Self::NONE } else { Self::ALL },
                "bye" => set.bye = on,
                "abortunexp" => set.abortunexp = on,
                "pingreply" => set.pingreply = on,
                "cseq" => set.cseq = on,
                _ => {
                    return Err(format!(
                        "`{token}` is not a behaviour; there are all, none, bye, abortunexp, pingreply and cseq, \
                         each with an optional + or -"
                    ));
                }
            }
        }
        Ok(set)
    }
}

/// `-rtcheck`: how a retransmission is told from a new message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RetransCheck {
    /// The whole message is compared.
    Full,
    /// Only what identifies the transaction is compared.
    Loose,
}

/// The flags about twins.
#[derive(Clone, Debug, Default)]
pub(crate) struct TwinLow {
    /// `-3pcc`.
    pub(crate) one: Option<String>,
    /// `-master`.
    pub(crate) master: Option<String>,
    /// `-slave`.
    pub(crate) slave: Option<String>,
    /// `-slave_cfg`.
    pub(crate) slave_cfg: Option<PathBuf>,
    /// `-cmd_name`.
    pub(crate) cmd_name: Option<String>,
    /// `-cmd_peers`.
    pub(crate) cmd_peers: Option<PathBuf>,
}

/// The command line, flag by flag.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field is one switch of the command line"
)]
pub(crate) struct LowArgs {
    /// Whose defaults apply.
    pub(crate) dialect: Dialect,
    /// Print something and stop.
    pub(crate) special: Option<Special>,

    /// `-sf`.
    pub(crate) scenario_file: Option<PathBuf>,
    /// `-sn`.
    pub(crate) scenario_name: Option<String>,
    /// `-key`, in the order given.
    pub(crate) keys: Vec<(String, String)>,
    /// `-set`, in the order given.
    pub(crate) globals: Vec<(String, String)>,
    /// `-inf`, in the order given.
    pub(crate) injection: Vec<PathBuf>,
    /// `-infindex`, in the order given.
    pub(crate) injection_indexes: Vec<(String, String)>,
    /// `-inf_write_back`.
    pub(crate) injection_write_back: bool,
    /// `-strict`.
    pub(crate) strict: bool,
    /// `-no_cache`.
    pub(crate) no_cache: bool,

    /// The positional `host[:port]`.
    pub(crate) remote: Option<String>,
    /// `-3pcc` and the flags of named peers.
    pub(crate) twin: TwinLow,
    /// The flags about TLS and WebSocket.
    pub(crate) secure: SecureLow,
    /// `-rsa`.
    pub(crate) sending_address: Option<String>,
    /// `-i`.
    pub(crate) local_ip: Option<String>,
    /// `-bind_local`.
    pub(crate) bind_local: bool,
    /// `-p`.
    pub(crate) local_port: Option<u16>,
    /// `-mi`.
    pub(crate) media_ip: Option<String>,
    /// `-mp`.
    pub(crate) media_port: Option<u16>,
    /// The echo of RTP, and the end of the ports.
    pub(crate) media: MediaLow,
    /// `-buff_size`.
    pub(crate) buffer_bytes: Option<usize>,
    /// `-no_media`.
    pub(crate) no_media: bool,
    /// `-recv_coalesce`, in µs.
    pub(crate) coalesce_us: Option<u64>,
    /// `-t` and what belongs to it.
    pub(crate) streams: StreamsLow,
    /// `-bind_to_device`.
    pub(crate) device: Option<String>,
    /// `-ip_field`.
    pub(crate) ip_field: Option<u32>,
    /// `-skip_rlimit`.
    pub(crate) skip_rlimit: bool,
    /// `-loopback`.
    pub(crate) loopback: bool,
    /// `-rxsf`.
    pub(crate) receiver_file: Option<PathBuf>,
    /// `-rxsn`.
    pub(crate) receiver_name: Option<String>,
    /// `-rxinf`.
    pub(crate) receiver_injection: Vec<PathBuf>,
    /// `-oocsf`.
    pub(crate) out_of_call_file: Option<PathBuf>,
    /// `-oocsn`.
    pub(crate) out_of_call_name: Option<String>,
    /// `-loopback_sf`.
    pub(crate) answerer_file: Option<PathBuf>,
    /// `-loopback_sn`.
    pub(crate) answerer_name: Option<String>,

    /// `-r`.
    pub(crate) rate: Option<f64>,
    /// `-rp`.
    pub(crate) rate_period: Option<Duration>,
    /// `-rate_scale`.
    pub(crate) rate_scale: Option<f64>,
    /// The flags about rates that change.
    pub(crate) rates: RatesLow,
    /// `-shards`.
    pub(crate) shards: Option<Shards>,
    /// `-l`.
    pub(crate) limit: Option<u64>,
    /// `-l` stands behind `-users`.
    pub(crate) limit_after_users: bool,
    /// `-users`.
    pub(crate) users: Option<u32>,
    /// `-tdmmap`.
    pub(crate) circuits: Option<CircuitMap>,
    /// `-m`; zero is unlimited.
    pub(crate) calls: Option<u64>,
    /// `-timeout`.
    pub(crate) timeout: Option<Duration>,
    /// `-timeout_global`.
    pub(crate) timeout_global: Option<Duration>,
    /// `-timeout_error`.
    pub(crate) timeout_error: bool,

    /// `-s`.
    pub(crate) service: Option<String>,
    /// `-au`.
    pub(crate) auth_username: Option<String>,
    /// `-ap`.
    pub(crate) auth_password: Option<String>,
    /// `-auth_uri`.
    pub(crate) auth_uri: Option<String>,
    /// `-sip_from`.
    pub(crate) sip_from: Option<String>,
    /// `-sip_pai`.
    pub(crate) sip_pai: Option<String>,
    /// `-sip_provider`.
    pub(crate) sip_provider: Option<String>,
    /// `-sip_extra_header`, in order.
    pub(crate) sip_extra_headers: Vec<String>,
    /// `-d`, `-pause_ms`.
    pub(crate) pause: Option<Duration>,
    /// `-recv_timeout`, `-recv_timeout_ms`.
    pub(crate) recv_timeout: Option<Duration>,
    /// `-recv_bye_timeout_ms`.
    pub(crate) recv_bye_timeout: Option<Duration>,
    /// `-base_cseq`.
    pub(crate) base_cseq: Option<u32>,
    /// `-cid_str`.
    pub(crate) call_id_format: Option<String>,
    /// `-cid_type`, unless it is what `-cid_str` says.
    pub(crate) call_id_type: Option<CallIdFormat>,
    /// `-nr`.
    pub(crate) no_retransmission: bool,
    /// `-max_retrans`.
    pub(crate) max_retrans: Option<u32>,
    /// `-max_invite_retrans`.
    pub(crate) max_invite_retrans: Option<u32>,
    /// `-max_non_invite_retrans`.
    pub(crate) max_non_invite_retrans: Option<u32>,
    /// `-T2`.
    pub(crate) t2: Option<Duration>,
    /// `-rtcheck`.
    pub(crate) retrans_check: Option<RetransCheck>,
    /// `-deadcall_wait`.
    pub(crate) dead_call_wait: Option<Duration>,
    /// `-aa`.
    pub(crate) auto_answer: bool,
    /// `-default_behaviors`, `-nd`.
    pub(crate) behaviors: Option<Behaviors>,
    /// `-pause_msg_ign`.
    pub(crate) ignore_while_paused: bool,
    /// `-callid_slash_ign`.
    pub(crate) call_id_slash_plain: bool,
    /// `-lost`, in percent.
    pub(crate) lost_percent: Option<f64>,
    /// `-dynamicStart`.
    pub(crate) dynamic_start: Option<u32>,
    /// `-dynamicMax`.
    pub(crate) dynamic_max: Option<u32>,
    /// `-dynamicStep`.
    pub(crate) dynamic_step: Option<u32>,
    /// `-seed`.
    pub(crate) seed: Option<u64>,

    /// The flags about what a run leaves for pipelines.
    pub(crate) results: ResultsLow,
    /// The flags about profiles of the program.
    pub(crate) profiles: ProfileFlags,
    /// The flags of traces and tables.
    pub(crate) traces: LowTraces,
    /// The flags about HEP.
    pub(crate) hep: HepLow,
    /// The flags about events.
    pub(crate) events: EventsLow,
    /// `-f`.
    pub(crate) refresh: Option<Duration>,
    /// `-nostdin`.
    pub(crate) no_stdin: bool,
    /// The flags about how a run is watched and steered.
    pub(crate) running: RunningLow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviours_are_read_from_left_to_right_starting_from_none() {
        assert_eq!(Behaviors::parse("all"), Ok(Behaviors::ALL));
        assert_eq!(Behaviors::parse("-bye"), Ok(Behaviors::NONE));
        assert_eq!(
            Behaviors::parse("all,-bye"),
            Ok(Behaviors {
                bye: false,
                ..Behaviors::ALL
            })
        );
        assert_eq!(
            Behaviors::parse("bye,+cseq,none,pingreply"),
            Ok(Behaviors {
                pingreply: true,
                ..Behaviors::NONE
            })
        );
        assert!(Behaviors::parse("all,goodbye").is_err());
        assert!(Behaviors::parse("").is_err());
    }
}
