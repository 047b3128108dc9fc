// SPDX-License-Identifier: AGPL-3.0-only
//! Command lines and the settings they come to.

use super::scenario::builtin;
use super::*;
use crate::flags::argv;
use std::ffi::OsString;

fn resolve(dialect: Dialect, line: &str) -> Result<HiArgs, Vec<String>> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let parsed = argv::parse(dialect, &args);
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    HiArgs::resolve(parsed.low).map_err(|refusal| refusal.faults)
}

fn sipp(line: &str) -> HiArgs {
    resolve(Dialect::Sipp, line).expect(line)
}

fn gossipper(line: &str) -> HiArgs {
    resolve(Dialect::Gossipper, line).expect(line)
}

#[test]
fn the_defaults_are_those_of_the_dialect() {
    let sipp = sipp("");
    assert_eq!(
        (sipp.rate, sipp.limit, sipp.pause_ms, sipp.recv_timeout_ms),
        (10.0, None, 0, 0)
    );
    assert_eq!(
        (sipp.total_calls(false), sipp.total_calls(true)),
        (None, None)
    );
    assert_eq!(sipp.local_port, LocalPort::FirstFree);
    let ours = gossipper("");
    assert_eq!(
        (ours.rate, ours.limit, ours.pause_ms, ours.recv_timeout_ms),
        (1.0, Some(1), 1000, 5000)
    );
    assert_eq!(
        (ours.total_calls(false), ours.total_calls(true)),
        (Some(1), Some(SERVER_CALLS))
    );
    assert_eq!(ours.local_port, LocalPort::Any);
    assert_eq!(gossipper("-m 0").total_calls(false), None);
}

#[test]
fn what_goes_into_headers_of_a_trunk_is_one_line_with_a_name() {
    let args = sipp("-sip_pai <sip:1@a> -sip_extra_header X-A:1 -sip_extra_header X-B:2");
    assert_eq!(args.trunk.pai.as_deref(), Some(&b"<sip:1@a>"[..]));
    assert_eq!(args.trunk.extra, [b"X-A:1".to_vec(), b"X-B:2".to_vec()]);
    assert_eq!(sipp("").trunk, Trunk::default());
    assert_eq!(
        resolve(Dialect::Sipp, "-sip_extra_header nothing").expect_err("wrong"),
        ["-sip_extra_header: `nothing` is no header; write `Name: value`"]
    );
}

#[test]
fn injection_files_are_told_apart_by_their_base_names() {
    let args = sipp("-infindex dir/b.csv 2 -inf a.csv -inf dir/b.csv -infindex a.csv 0");
    assert_eq!(args.injection_indexes, [(1, 2), (0, 0)]);
    let faults = resolve(
        Dialect::Sipp,
        "-inf a.csv -inf dir/a.csv -infindex c.csv 0 -infindex a.csv x",
    );
    assert_eq!(
        faults.expect_err("wrong"),
        [
            "two injection files are called `a.csv`; scenarios could not tell them apart",
            "-infindex: no -inf names a file `c.csv`",
            "-infindex: `x` is no number of a field",
        ]
    );
    assert!(resolve(Dialect::Sipp, "-inf_write_back").is_err());
}

#[test]
fn compat_changes_the_dialect_from_either_side() {
    let traces = |args: HiArgs| args.traces;
    let (as_sipp, verb) = (gossipper("-compat sipp"), sipp(""));
    // The verb alone has SIPp's defaults and writes gossipper's files.
    assert_ne!(as_sipp.traces, verb.traces);
    assert_eq!(traces(sipp("-compat sipp")), as_sipp.traces);
    assert_eq!(traces(gossipper("")), verb.traces);
    let other_files = HiArgs {
        traces: verb.traces.clone(),
        ..as_sipp
    };
    assert_eq!(other_files, verb);
    assert_eq!(sipp("-compat gossipper"), gossipper(""));
}

#[test]
fn rsa_stands_in_for_the_remote_host_or_beside_it() {
    let alone = sipp("-rsa 127.0.0.1:5070");
    assert_eq!(alone.remote.map(|peer| peer.address.port()), Some(5070));
    assert_eq!(alone.sending_address, None);
    let beside = sipp("127.0.0.1 -rsa 127.0.0.2:5070");
    assert_eq!(
        beside.remote.map(|peer| peer.host),
        Some("127.0.0.1".to_owned())
    );
    assert_eq!(beside.sending_address, "127.0.0.2:5070".parse().ok());
}

#[test]
fn users_take_the_place_of_rate_and_limit() {
    let args = sipp("-users 5 -r 3 127.0.0.1");
    assert_eq!((args.users, args.notes.len()), (Some(5), 1));
    assert!(
        args.notes[0].starts_with("-r has no effect"),
        "{:?}",
        args.notes
    );
    assert_eq!(sipp("-l 2 -users 5 127.0.0.1").notes.len(), 1);
    let faults = resolve(Dialect::Sipp, "-users 5 -l 2 127.0.0.1").expect_err("refused");
    assert!(
        faults[0].contains("-l does not go with -users"),
        "{faults:?}"
    );
    assert!(sipp("127.0.0.1 -l 2 -r 3").notes.is_empty());
}

#[test]
fn families_do_not_mix() {
    let faults = resolve(Dialect::Sipp, "-i ::1 127.0.0.1").expect_err("mixed");
    assert!(faults[0].contains("do not mix"), "{faults:?}");
}

#[test]
fn contradictions_are_refused_together() {
    let faults = resolve(
        Dialect::Sipp,
        "-sf a.xml -sn uac -loopback 127.0.0.1 -rp 0 -recv_timeout 9999h -loopback_sf a -loopback_sn uas",
    )
    .expect_err("contradictory");
    assert_eq!(faults.len(), 5, "{faults:#?}");
}

#[test]
fn an_unknown_built_in_lists_the_names() {
    let faults = resolve(Dialect::Sipp, "-sn branch").expect_err("unknown");
    assert!(faults[0].contains("there are: uac, uas"), "{faults:?}");
    assert!(builtin("webrtc_uac").is_err_and(|fault| fault.contains("needs DTLS and ICE")));
    assert!(builtin("uac2").is_err_and(|fault| fault.contains("did you mean `uac`?")));
}

#[test]
fn requests_outside_calls_have_a_scenario_of_their_own() {
    let name = |line: &str| match sipp(line).beside {
        Some((BesideKind::OutOfCall, Source::Builtin(builtin))) => builtin.name.to_owned(),
        Some((BesideKind::OutOfCall, Source::File(path))) => path.display().to_string(),
        Some((BesideKind::Receiver, _)) => panic!("{line}"),
        None => String::new(),
    };
    assert_eq!(name("127.0.0.1"), "");
    assert_eq!(name("127.0.0.1 -oocsn ooc_default"), "ooc_default");
    assert_eq!(name("127.0.0.1 -oocsf mine.xml"), "mine.xml");
    let both = resolve(Dialect::Sipp, "127.0.0.1 -oocsf a.xml -oocsn ooc_default");
    assert!(both.is_err());
    assert!(resolve(Dialect::Sipp, "127.0.0.1 -oocsn nobody").is_err());
}

#[test]
fn calls_that_come_in_have_a_scenario_of_their_own() {
    for (line, name) in [
        ("127.0.0.1 -rxsn uas", "uas"),
        ("127.0.0.1 -rxrn branchs", "branchs"),
        ("127.0.0.1 -oocsn ooc_default -rxsn uas", "uas"),
    ] {
        let args = sipp(line);
        let noted = args.notes.iter().any(|note| note.contains("-oocsf"));
        assert_eq!(noted, line.contains("oocsn"), "{:?}", args.notes);
        match args.beside {
            Some((BesideKind::Receiver, Source::Builtin(builtin))) => {
                assert_eq!(builtin.name, name)
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    for wrong in ["-rxsf a.xml -rxsn uas", "-rxinf a.csv", "-rxsn nobody"] {
        assert!(
            resolve(Dialect::Sipp, &format!("127.0.0.1 {wrong}")).is_err(),
            "{wrong}"
        );
    }
    let args = sipp("127.0.0.1 -rxsn uas -rxinf a.csv -inf b.csv -rxinf b.csv -infindex a.csv 1");
    assert!(args.injection_has_default);
    assert_eq!(args.injection, ["b.csv", "a.csv"].map(PathBuf::from));
    assert_eq!(args.injection_indexes, [(1, 1)]);
    assert!(!sipp("127.0.0.1 -rxsn uas -rxinf a.csv").injection_has_default);
}

#[test]
fn the_answerer_fits_the_built_in_client() {
    let name = |line: &str| match sipp(line).answerer {
        Some(Source::Builtin(builtin)) => builtin.name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name("-loopback"), "uas");
    assert_eq!(name("-loopback -sn options"), "options_uas");
    assert_eq!(name("-loopback -sn branchc"), "branchs");
    assert_eq!(
        name("-loopback -sf x.xml -loopback_sn ooc_default"),
        "ooc_default"
    );
}

#[test]
fn of_two_values_for_a_keyword_the_last_counts() {
    let args = sipp("-key a 1 -key b 2 -key a 3");
    assert_eq!(
        args.keys,
        [
            ("a".to_owned(), "3".to_owned()),
            ("b".to_owned(), "2".to_owned())
        ]
    );
}

#[test]
fn short_times_never_become_none() {
    assert_eq!(sipp("-recv_timeout 0.2").recv_timeout_ms, 1);
}
