// SPDX-License-Identifier: AGPL-3.0-only
//! How a call behaves: timers, repetitions, default behaviours.

use crate::flags::low::{Behaviors, LowArgs, RetransCheck};
use crate::flags::{Arg, Default, Flag, Unit};
use gossipper_vm::CallIdFormat;
use gossipper_vm::circuits::CircuitMap;

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["s"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.service = Some(text);
                Ok(())
            },
        },
        default: Default::Same("service"),
        short: "Value of [service], the user part of the request URI.",
        long: "",
    },
    Flag {
        names: &["au"],
        arg: Arg::Text {
            metavar: "USER",
            set: |low, text| {
                low.auth_username = Some(text);
                Ok(())
            },
        },
        default: Default::Same("that of -s"),
        short: "User that answers challenges: [authentication] without username=.",
        long: "",
    },
    Flag {
        names: &["ap"],
        arg: Arg::Text {
            metavar: "PASSWORD",
            set: |low, text| {
                low.auth_password = Some(text);
                Ok(())
            },
        },
        default: Default::Same("password"),
        short: "Password that answers challenges: [authentication] without password=.",
        long: "Other users of this machine can read command lines; a password that matters belongs into an \
               injection file.",
    },
    Flag {
        names: &["auth_uri"],
        arg: Arg::Text {
            metavar: "URI",
            set: |low, text| {
                low.auth_uri = Some(text);
                Ok(())
            },
        },
        default: Default::Same("remote IP:port"),
        short: "URI of answers to challenges, without its `sip:`.",
        long: "It goes into the header and into the hash, whatever the URI of the request is; strict servers \
               want the two to be the same.",
    },
    Flag {
        names: &["sip_from"],
        arg: Arg::Text {
            metavar: "FROM",
            set: |low, text| {
                low.sip_from = Some(text);
                Ok(())
            },
        },
        default: Default::Same("gossip <sip:gossip@local IP:port>"),
        short: "Value of [trunk_from]: From up to its tag.",
        long: "",
    },
    Flag {
        names: &["sip_pai"],
        arg: Arg::Text {
            metavar: "ADDRESS",
            set: |low, text| {
                low.sip_pai = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Header P-Asserted-Identity where a scenario says [trunk_pai].",
        long: "",
    },
    Flag {
        names: &["sip_provider"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.sip_provider = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Header X-provider where a scenario says [trunk_provider].",
        long: "",
    },
    Flag {
        names: &["sip_extra_header"],
        arg: Arg::Text {
            metavar: "HEADER",
            set: |low, text| {
                low.sip_extra_headers.push(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Further header, `Name: value`, where a scenario says [trunk_extra]. Repeatable.",
        long: "",
    },
    Flag {
        names: &["d", "pause_ms"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.pause = Some(time),
        },
        default: Default::Differs("0", "1000 ms"),
        short: "Length of a <pause> that names none.",
        long: "",
    },
    Flag {
        names: &["recv_timeout", "recv_timeout_ms"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.recv_timeout = Some(time),
        },
        default: Default::Differs("none", "5000 ms"),
        short: "Longest wait of a <recv> that names no timeout; 0 is none.",
        long: "A call that waits longer fails, or jumps to the label of `ontimeout`.",
    },
    Flag {
        names: &["recv_bye_timeout_ms"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.recv_bye_timeout = Some(time),
        },
        default: Default::Differs("0", "90000 ms"),
        short: "The same for a BYE, if it is longer: somebody talks meanwhile.",
        long: "Counts where -recv_timeout does: for a <recv> that names no timeout, unless -recv_timeout is 0.",
    },
    Flag {
        names: &["base_cseq"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, n| low.base_cseq = u32::try_from(n).ok(),
        },
        default: Default::Same("1"),
        short: "First value of [cseq].",
        long: "",
    },
    Flag {
        names: &["cid_str"],
        arg: Arg::Text {
            metavar: "FORMAT",
            set: |low, text| {
                low.call_id_format = Some(text);
                Ok(())
            },
        },
        default: Default::Same("%u-%p@%s"),
        short: "Form of the Call-IDs.",
        long: "%u is the call number, %p the process id, %s the local address, %r a random number.",
    },
    Flag {
        names: &["cid_type"],
        arg: Arg::Text {
            metavar: "TYPE",
            set: |low, name| {
                low.call_id_type = match name.as_str() {
                    "default" | "format" | "legacy" => None,
                    other => Some(CallIdFormat::of_type(other).ok_or_else(|| {
                        format!(
                            "`{other}` is none of default, uuid, uuid-compact, random and timestamp"
                        )
                    })?),
                };
                Ok(())
            },
        },
        default: Default::Same("default"),
        short: "Kind of the Call-IDs.",
        long: "`default` is what -cid_str says; all others leave that aside and end in @ and the local \
               address: `uuid` is a random UUID of version 4, `uuid-compact` the same without dashes, \
               `random` the call number and 32 random hexadecimal digits, `timestamp` the time in \
               microseconds since 1970, the call number and the process id. With `timestamp` a run has \
               one shard.",
    },
    Flag {
        names: &["tdmmap"],
        arg: Arg::Text {
            metavar: "MAP",
            set: |low, text| {
                low.circuits = Some(CircuitMap::parse(&text).map_err(|fault| fault.to_string())?);
                Ok(())
            },
        },
        default: Default::None,
        short: "Circuits, {a-b}{h}{c-d}{e-f}, one for each call: [tdmmap].",
        long: "A number of each range makes a circuit. It is free again when its call ends; a call that finds none \
               fails.",
    },
    Flag {
        names: &["nr"],
        arg: Arg::Switch(|low, on| low.no_retransmission = on),
        default: Default::None,
        short: "No retransmission over UDP, and no detection of the peer's.",
        long: "",
    },
    Flag {
        names: &["max_retrans"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, n| low.max_retrans = u32::try_from(n).ok(),
        },
        default: Default::Same("9"),
        short: "Most retransmissions of any message.",
        long: "The smaller of this and the limit for its kind applies.",
    },
    Flag {
        names: &["max_invite_retrans"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, n| low.max_invite_retrans = u32::try_from(n).ok(),
        },
        default: Default::Same("5"),
        short: "Most retransmissions of an INVITE.",
        long: "",
    },
    Flag {
        names: &["max_non_invite_retrans"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, n| low.max_non_invite_retrans = u32::try_from(n).ok(),
        },
        default: Default::Same("9"),
        short: "Most retransmissions of anything else.",
        long: "Responses that wait for an ACK count as this.",
    },
    Flag {
        names: &["T2"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.t2 = Some(time),
        },
        default: Default::Same("4000 ms"),
        short: "Longest gap between retransmissions of anything but INVITE.",
        long: "Timer T2 of RFC 3261 §17.1.2.1.",
    },
    Flag {
        names: &["rtcheck"],
        arg: Arg::Text {
            metavar: "full|loose",
            set: retrans_check,
        },
        default: Default::Same("full"),
        short: "How the peer's retransmissions are recognised.",
        long: "`full` compares whole messages, `loose` only what identifies the transaction, for peers \
               that change a repeated message.",
    },
    Flag {
        names: &["deadcall_wait"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.dead_call_wait = Some(time),
        },
        default: Default::Same("33000 ms"),
        short: "How long an ended call is remembered.",
        long: "Late messages for it are counted and start no new call. 0 forgets at once.",
    },
    Flag {
        names: &["aa"],
        arg: Arg::Switch(|low, on| low.auto_answer = on),
        default: Default::None,
        short: "Answer INFO, NOTIFY, OPTIONS and UPDATE by itself with 200.",
        long: "Applies to those the scenario does not expect.",
    },
    Flag {
        names: &["default_behaviors"],
        arg: Arg::Text {
            metavar: "LIST",
            set: |low, list| {
                low.behaviors = Some(Behaviors::parse(&list)?);
                Ok(())
            },
        },
        default: Default::Same("all"),
        short: "What happens without a word in the scenario.",
        long: "A comma-separated list that starts from nothing: all, none, bye (aborted calls send BYE, \
               CANCEL or ACK; unexpected BYE and CANCEL are answered), abortunexp (unexpected messages \
               abort the call), pingreply (PING is answered), cseq (the CSeq of an ACK is checked); \
               each with an optional + or -. `all,-bye` is everything but bye; `-bye` alone is nothing.",
    },
    Flag {
        names: &["nd"],
        arg: Arg::Switch(|low, on| {
            low.behaviors = Some(if on { Behaviors::NONE } else { Behaviors::ALL })
        }),
        default: Default::None,
        short: "No default behaviours.",
        long: "The same as `-default_behaviors none`.",
    },
    Flag {
        names: &["pause_msg_ign"],
        arg: Arg::Switch(|low, on| low.ignore_while_paused = on),
        default: Default::None,
        short: "Ignore messages that arrive while a call is in a <pause>.",
        long: "",
    },
    Flag {
        names: &["callid_slash_ign"],
        arg: Arg::Switch(|low, on| low.call_id_slash_plain = on),
        default: Default::None,
        short: "Do not treat `///` in a Call-ID specially.",
        long: "Otherwise everything up to the first `///` is dropped before a call is looked up.",
    },
    Flag {
        names: &["lost"],
        arg: Arg::Double {
            metavar: "PERCENT",
            set: |low, percent| low.lost_percent = Some(percent),
        },
        default: Default::Same("0"),
        short: "Lose this share of the messages, sent and received, on purpose.",
        long: "Applies to steps without an attribute `lost` of their own.",
    },
    Flag {
        names: &["dynamicStart"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, n| low.dynamic_start = u32::try_from(n).ok(),
        },
        default: Default::Same("10000"),
        short: "First value of [dynamic_id].",
        long: "",
    },
    Flag {
        names: &["dynamicMax"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, n| low.dynamic_max = u32::try_from(n).ok(),
        },
        default: Default::Same("12000"),
        short: "Value of [dynamic_id] after which it starts again.",
        long: "",
    },
    Flag {
        names: &["dynamicStep"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 4_294_967_295),
            set: |low, n| low.dynamic_step = u32::try_from(n).ok(),
        },
        default: Default::Same("4"),
        short: "Step of [dynamic_id].",
        long: "",
    },
    Flag {
        names: &["seed"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, u64::MAX as i128),
            set: |low, n| low.seed = u64::try_from(n).ok(),
        },
        default: Default::Same("from the clock"),
        short: "Seed of everything random in the run.",
        long: "Two runs with one seed draw the same tags, branches, chances and pause lengths for the \
               same call.",
    },
];

/// Reads `-rtcheck`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the table's setters own their values"
)]
fn retrans_check(low: &mut LowArgs, mode: String) -> Result<(), String> {
    low.retrans_check = Some(match mode.as_str() {
        "full" => RetransCheck::Full,
        "loose" => RetransCheck::Loose,
        _ => return Err(format!("`{mode}` is neither full nor loose")),
    });
    Ok(())
}
