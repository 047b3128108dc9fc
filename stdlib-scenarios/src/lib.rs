// SPDX-License-Identifier: AGPL-3.0-only
//! The built-in scenarios, embedded and listed by their `-sn` name.
//!
//! Each one is an ordinary scenario file of this crate's `scenarios` folder, written here to the message flow that
//! SIPp documents under the same name: same messages, same header order, same literals, so that a peer cannot tell
//! the tools apart. `options`, `options_uas` and `media_uas` are our own, `management`, `invite_media…` and the labs
//! (their descriptions begin with `lab:`) are Gossipper's.
//!
//! Not for compiling: this crate hands out text and knows neither compiler nor VM (its tests do).
//!
//! Invariants: names are unique, and each name is its file's name without `.xml`, since that name also appears in
//! the names of log files.
//!
//! ```
//! use gossipper_stdlib_scenarios::{Role, find};
//!
//! let uac = find("uac").expect("the default scenario");
//! assert_eq!(uac.role, Role::Client);
//! assert!(uac.xml.contains("<scenario"));
//! assert!(find("nonsense").is_none());
//! ```
#![forbid(unsafe_code)]

/// Who opens the calls of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Its first message step sends: calls are opened by pacing.
    Client,
    /// Its first message step receives: calls are opened by messages, or commands of a twin, of an unknown Call-ID.
    Server,
}

/// One embedded scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// The name that `-sn` and `-sd` take.
    pub name: &'static str,
    /// Who opens its calls.
    pub role: Role,
    /// One line for help texts.
    pub description: &'static str,
    /// The scenario file, as `-sd` prints it.
    pub xml: &'static str,
}

macro_rules! builtin {
    ($name:literal, $role:ident, $description:literal) => {
        Builtin {
            name: $name,
            role: Role::$role,
            description: $description,
            xml: include_str!(concat!("../scenarios/", $name, ".xml")),
        }
    };
}

/// The name that stands when neither `-sn` nor `-sf` is given.
pub const DEFAULT: &str = "uac";

static ALL: &[Builtin] = &[
    builtin!(
        "uac",
        Client,
        "basic call, client: INVITE, 200, ACK, BYE (default)"
    ),
    builtin!("uas", Server, "basic call, server: answers INVITE and BYE"),
    builtin!(
        "regexp",
        Client,
        "basic call whose 200 is checked and reused with regular expressions"
    ),
    builtin!(
        "branchc",
        Client,
        "REGISTER, then a call that branches on the answer; peer of branchs"
    ),
    builtin!(
        "branchs",
        Server,
        "takes a REGISTER, then accepts or refuses the call; peer of branchc"
    ),
    builtin!(
        "uac_pcap",
        Client,
        "basic call with media from captures: speech, then a digit"
    ),
    builtin!(
        "ooc_default",
        Server,
        "answers any request with 200: for requests outside calls"
    ),
    builtin!(
        "ooc_dummy",
        Server,
        "never answers: leaves requests outside calls to -aa"
    ),
    builtin!(
        "3pcc-C-A",
        Client,
        "third party call control, controller: calls A; its twin is 3pcc-C-B (-3pcc)"
    ),
    builtin!(
        "3pcc-C-B",
        Server,
        "third party call control, controller: calls B as its twin says (-3pcc)"
    ),
    builtin!(
        "3pcc-A",
        Server,
        "third party call control: answers the controller on side A"
    ),
    builtin!(
        "3pcc-B",
        Server,
        "third party call control: answers the controller on side B"
    ),
    builtin!("options", Client, "asks with OPTIONS and expects 200"),
    builtin!("options_uas", Server, "answers OPTIONS with 200 and Allow"),
    builtin!(
        "management",
        Server,
        "answers OPTIONS with 200 and allows nothing else"
    ),
    builtin!(
        "invite_media",
        Client,
        "call that sends a tone of PCMU once it is answered; try it with -loopback_sn media_uas"
    ),
    builtin!(
        "invite_media_early",
        Client,
        "the same from a 183 on, if there is one"
    ),
    builtin!(
        "invite_media_early_180",
        Client,
        "the same from the 180 on, which has to come"
    ),
    builtin!(
        "invite_media_scale",
        Client,
        "half a minute of PCMU for thousands of calls; implies -media_scale"
    ),
    builtin!(
        "invite_media_savpf",
        Client,
        "a call with SRTP as browsers describe it (SAVPF, ICE words), keys in SDP; needs -media_srtp"
    ),
    builtin!(
        "media_uas",
        Server,
        "answers a call and sends a tone of PCMU until its end"
    ),
    builtin!(
        "one_way",
        Client,
        "lab: sends for 5 s what nobody answers (sendonly)"
    ),
    builtin!(
        "recvonly",
        Client,
        "lab: listens for 5 s and sends nothing (recvonly)"
    ),
    builtin!(
        "no_rtp",
        Client,
        "lab: agrees upon a stream that neither side uses (inactive), for 5 s"
    ),
    builtin!(
        "cn_only",
        Client,
        "lab: sends nothing but comfort noise, for 5 s"
    ),
    builtin!(
        "audio_gap",
        Client,
        "lab: 2 s of tone, then a re-INVITE to inactive and 3 s of nothing"
    ),
    builtin!("codec_chg", Client, "lab: 2 s of PCMU, then 3 s of PCMA"),
    builtin!(
        "codec_chg_alaw",
        Client,
        "lab: 2 s of PCMA, then 3 s of PCMU"
    ),
    builtin!("hairpin", Client, "lab: 5 s of tone, to hear it come back"),
    builtin!(
        "media_redirect",
        Client,
        "lab: 2 s of tone, then a re-INVITE that moves the stream to another address of the loopback"
    ),
    builtin!(
        "fas_cadence",
        Client,
        "lab: answers that are none: a ring-back tone of 1 s in 3 s, sent as if by the called side"
    ),
    builtin!(
        "fake_ringing",
        Client,
        "lab: a ring-back tone of 1 s in 3 s after the call is answered"
    ),
    builtin!(
        "fas_speech",
        Client,
        "lab: 10 s of tone without a gap, in place of speech"
    ),
    builtin!(
        "fas_early",
        Client,
        "lab: 0.7 s of tone, 0.8 s of silence, 6.5 s of tone"
    ),
    builtin!(
        "fas_late",
        Client,
        "lab: 10 s of silence, then a ring-back tone of 1 s in 3 s"
    ),
    builtin!(
        "kws",
        Client,
        "lab: 8 s of tone, in place of speech with words to be spotted"
    ),
    builtin!(
        "short_call",
        Client,
        "lab: hangs up 1.5 s after the answer, without a packet"
    ),
    builtin!(
        "fax_t38",
        Client,
        "lab: offers T.38 alone and holds it for 5 s; no fax is sent"
    ),
    builtin!(
        "fax_switch",
        Client,
        "lab: 2 s of tone, then a re-INVITE to T.38; no fax is sent"
    ),
    builtin!(
        "hold_moh",
        Client,
        "lab: 2 s of tone, then hold with music: a re-INVITE to sendonly, and the tone goes on"
    ),
    builtin!(
        "hold_resume",
        Client,
        "lab: 1.5 s of tone, 2 s of hold (inactive), 2 s of tone again"
    ),
    builtin!(
        "port_move",
        Client,
        "lab: 2 s of tone, then a re-INVITE that moves the stream to another port"
    ),
    builtin!(
        "rtp_mute",
        Client,
        "lab: agrees upon a stream in both directions and sends nothing, for 5 s"
    ),
    builtin!(
        "g711_silence",
        Client,
        "lab: 5 s of packets that hold silence"
    ),
    builtin!(
        "cn_then_speech",
        Client,
        "lab: 2 s of comfort noise, then 3 s of tone"
    ),
    builtin!(
        "lab_uac",
        Client,
        "lab: calls, sends a tone, and takes what the called side does; peer of labs that answer"
    ),
    builtin!("one_way_uas", Server, "lab: the answering side of one_way"),
    builtin!(
        "recvonly_uas",
        Server,
        "lab: the answering side of recvonly"
    ),
    builtin!("no_rtp_uas", Server, "lab: the answering side of no_rtp"),
    builtin!("cn_only_uas", Server, "lab: the answering side of cn_only"),
    builtin!(
        "audio_gap_uas",
        Server,
        "lab: the answering side of audio_gap"
    ),
    builtin!(
        "codec_chg_uas",
        Server,
        "lab: the answering side of codec_chg"
    ),
    builtin!(
        "codec_chg_alaw_uas",
        Server,
        "lab: the answering side of codec_chg_alaw"
    ),
    builtin!("hairpin_uas", Server, "lab: the answering side of hairpin"),
    builtin!(
        "media_redirect_uas",
        Server,
        "lab: the answering side of media_redirect"
    ),
    builtin!(
        "fas_cadence_uas",
        Server,
        "lab: the answering side of fas_cadence"
    ),
    builtin!(
        "fake_ringing_uas",
        Server,
        "lab: the answering side of fake_ringing"
    ),
    builtin!(
        "fas_speech_uas",
        Server,
        "lab: the answering side of fas_speech"
    ),
    builtin!(
        "fas_early_uas",
        Server,
        "lab: the answering side of fas_early"
    ),
    builtin!(
        "fas_late_uas",
        Server,
        "lab: the answering side of fas_late"
    ),
    builtin!("kws_uas", Server, "lab: the answering side of kws"),
    builtin!("fax_t38_uas", Server, "lab: the answering side of fax_t38"),
    builtin!(
        "fax_switch_uas",
        Server,
        "lab: the answering side of fax_switch"
    ),
    builtin!(
        "hold_moh_uas",
        Server,
        "lab: the answering side of hold_moh"
    ),
    builtin!(
        "hold_resume_uas",
        Server,
        "lab: the answering side of hold_resume"
    ),
    builtin!(
        "port_move_uas",
        Server,
        "lab: the answering side of port_move"
    ),
    builtin!(
        "rtp_mute_uas",
        Server,
        "lab: the answering side of rtp_mute"
    ),
    builtin!(
        "g711_silence_uas",
        Server,
        "lab: the answering side of g711_silence"
    ),
    builtin!(
        "cn_then_speech_uas",
        Server,
        "lab: the answering side of cn_then_speech"
    ),
    builtin!(
        "short_call_uas",
        Server,
        "lab: answers and hangs up after 1.5 s"
    ),
    builtin!(
        "early_183",
        Server,
        "lab: sends from its 183 on, answers half a second later, and hangs up"
    ),
    builtin!(
        "late_180",
        Server,
        "lab: sends a 180 after its 200, and hangs up"
    ),
    builtin!(
        "lab_uas",
        Server,
        "lab: answers with a tone, and takes re-INVITEs; peer of labs that call"
    ),
];

/// Every built-in scenario, in the order in which help lists them.
#[must_use]
pub fn all() -> &'static [Builtin] {
    ALL
}

/// The built-in scenario of this exact name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Builtin> {
    ALL.iter().find(|builtin| builtin.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_default_is_one_of_them() {
        let mut names: Vec<_> = all().iter().map(|b| b.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name is listed twice: {names:?}");
        assert!(find(DEFAULT).is_some());
    }

    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut files = 0;
        for entry in std::fs::read_dir(folder).expect("the scenarios folder") {
            let path = entry.expect("a readable entry").path();
            let stem = path.file_stem().and_then(|s| s.to_str()).expect("a name");
            assert!(find(stem).is_some(), "{} is not listed", path.display());
            files += 1;
        }
        assert_eq!(files, all().len());
    }

    #[test]
    fn released_sipp_could_read_the_text() {
        for builtin in all() {
            // SIPp up to 3.7.7 wants the declaration first and holds at most 65535 bytes.
            assert!(builtin.xml.starts_with("<?xml"), "{}", builtin.name);
            assert!(builtin.xml.len() < 65536, "{}", builtin.name);
            assert!(builtin.xml.is_ascii(), "{}", builtin.name);
        }
    }

    #[test]
    fn the_role_is_that_of_the_first_message_step() {
        for builtin in all() {
            let send = builtin.xml.find("<send").unwrap_or(usize::MAX);
            // A received command opens calls as a message does.
            let recv = builtin.xml.find("<recv").unwrap_or(usize::MAX);
            let role = if send < recv {
                Role::Client
            } else {
                Role::Server
            };
            assert_eq!(builtin.role, role, "{}", builtin.name);
        }
    }
}
