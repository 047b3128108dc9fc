// SPDX-License-Identifier: AGPL-3.0-only
//! The binary as a user meets it: help, version, and errors of the command line.

mod place;

use place::{BINARY, Place, Ran, run};

// Help and version.

#[test]
fn help_of_the_root_lists_commands_and_no_scenario_flags() {
    let ran = run("-h");
    insta::assert_snapshot!(ran.shown());
    assert_eq!(run("--help").out, ran.out);
    assert_eq!(run("help").out, ran.out);
    assert_eq!(run("").out, ran.out);
}

#[test]
fn help_of_sipp_shows_every_flag_with_sipps_defaults() {
    insta::assert_snapshot!(run("sipp -h").shown());
}

#[test]
fn help_of_scenario_flags_shows_the_other_defaults() {
    let ran = run("-h -m 1");
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.out);
}

#[test]
fn help_of_compile() {
    insta::assert_snapshot!(run("compile -h").shown());
}

#[test]
fn sipp_without_flags_says_how_to_go_on_and_ends_as_sipp_does() {
    insta::assert_snapshot!(run("sipp").shown());
    assert_eq!(run("SIPP sipp").shown(), run("sipp").shown());
}

#[test]
fn version_wins_over_everything() {
    for line in [
        "-version",
        "sipp -version",
        "sipp -sn nothing --version",
        "compile --version",
    ] {
        let ran = run(line);
        assert_eq!(ran.code, 0, "{line}");
        let first = format!("Gossipper {}\n", env!("CARGO_PKG_VERSION"));
        assert!(ran.out.starts_with(&first), "{line}: {}", ran.out);
    }
}

#[test]
fn v_names_the_sipp_it_stands_in_for() {
    let ran = run("sipp -v");
    assert_eq!(ran.code, 99);
    assert!(ran.out.contains("SIPp v3."), "{}", ran.out);
    assert_eq!(run("-v").code, 0);
}

#[test]
fn sd_prints_a_scenario_that_compiles() {
    let place = Place::new();
    let ran = place.run("sipp -sd uas");
    assert_eq!((ran.code, ran.err.as_str()), (99, ""));
    assert_eq!(place.run("-sd uas").code, 0);
    place.write("uas.xml", &ran.out);
    assert_eq!(
        place.run("compile --check uas.xml").shown(),
        "exit code 0\n"
    );
}

#[cfg(unix)]
#[test]
fn under_the_name_sipp_it_is_sipp() {
    let place = Place::new();
    let link = place.path("sipp");
    std::os::unix::fs::symlink(BINARY, &link).expect("linked");
    let ran = |line: &str| Ran::from(place.command(&link, line).output().expect("the link runs"));
    assert_eq!(ran("-h").shown(), place.run("sipp -h").shown());
    assert_eq!(ran("").code, 99);
    // A host of that name, not a verb; it cannot be resolved, since the name is reserved (RFC 6761).
    let host = ran("-m 1 tui.invalid");
    assert_eq!(host.code, 255);
    assert!(
        host.err.contains("cannot resolve `tui.invalid`"),
        "{}",
        host.err
    );
}

// Errors.

#[test]
fn errors_come_all_at_once_and_name_the_near_flag() {
    insta::assert_snapshot!(
        run("sipp -sff a.xml -trace-msg -turn_server 5 -t x9 -r fast -p 70000 --listing h1 h2 -key one")
            .shown()
    );
}

#[test]
fn verbs_of_the_root_are_refused_after_sipp() {
    insta::assert_snapshot!(run("sipp tui").shown());
    insta::assert_snapshot!(run("sipp -sn uac -interactive").shown());
}

#[test]
fn verbs_of_later_versions_say_so() {
    insta::assert_snapshot!(run("server -config x.json").shown());
}

#[test]
fn a_client_needs_a_peer_and_an_unknown_built_in_lists_the_names() {
    insta::assert_snapshot!(run("sipp -sn uac").shown());
    insta::assert_snapshot!(run("sipp -sn usa").shown());
    insta::assert_snapshot!(run("sipp -sn uas -loopback").shown());
    insta::assert_snapshot!(run("sipp -sf missing.xml -loopback").shown());
}

#[test]
fn a_flag_of_a_run_is_explained_to_who_gives_it_to_compile() {
    let ran = run("compile -sn uac a.xml");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("-sn is a flag of a run"), "{}", ran.err);
}

#[test]
fn explain_knows_the_flags() {
    insta::assert_snapshot!(run("explain -rsa").shown());
    let ran = run("explain -h");
    assert!(
        ran.code == 0 && ran.out.contains("Usage"),
        "{}",
        ran.shown()
    );
    assert!(run("explain -turn_server").err.contains("media"));
}
