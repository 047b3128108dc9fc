// SPDX-License-Identifier: AGPL-3.0-only
//! The scripts for shells and the manual page, read by the shells and by roff.
//!
//! What reads them is skipped, loudly, where it is not installed; bash is everywhere.
#![expect(
    clippy::print_stderr,
    reason = "a skipped check has to be seen in the test log"
)]

mod place;

use place::Place;
use std::process::{Command, Output, Stdio};

/// Runs a program, if it is there.
fn output(place: &Place, program: &str, args: &[&str]) -> Option<Output> {
    let output = Command::new(program)
        .args(args)
        .current_dir(place.folder.path())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: no `{program}` ({error})");
            None
        }
    }
}

/// The script of a shell, which the shell finds nothing wrong with.
fn checked(shell: &str, flag: &str) -> Place {
    let place = Place::new();
    let ran = place.run(&format!("completions {shell}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    place.write("script", &ran.out);
    if let Some(output) = output(&place, shell, &[flag, "script"]) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.is_empty(),
            "{shell}: {said}"
        );
    }
    place
}

#[test]
fn zsh_and_fish_read_their_scripts() {
    checked("zsh", "-n");
    checked("fish", "--no-execute");
}

/// What bash offers for the last of the words.
fn offered(place: &Place, words: &[&str]) -> Vec<String> {
    let line = r#"source ./script && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _gossipper && printf '%s\n' "${COMPREPLY[@]}""#;
    let mut args = vec!["--norc", "-c", line, "bash"];
    args.extend(words);
    let output = output(place, "bash", &args).expect("bash");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{words:?}: {said}"
    );
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let place = checked("bash", "-n");
    place.write("a call.xml", "");
    let offered = |line: &[&str]| offered(&place, line);
    assert_eq!(offered(&["gossipper", "comp"]), ["compile", "completions"]);
    assert_eq!(offered(&["gossipper", "completions", "f"]), ["fish"]);
    assert_eq!(offered(&["gossipper", "help", "ma"]), ["man"]);
    assert_eq!(offered(&["gossipper", "sipp", "-tls_ve"]), ["-tls_version"]);
    assert_eq!(
        offered(&["gossipper", "sipp", "--tls_ve"]),
        ["--tls_version"]
    );
    // The verb may be left out; after it there are no verbs.
    assert_eq!(offered(&["gossipper", "-tls_ve"]), ["-tls_version"]);
    assert!(!offered(&["gossipper", "sipp", "c"]).contains(&"compile".to_owned()));
    assert_eq!(offered(&["gossipper", "compile", "--lad"]), ["--ladder"]);
    assert_eq!(offered(&["gossipper", "explain", "G0213"]), ["G0213"]);
    // Values.
    let modes = ["t1", "tn"];
    assert_eq!(offered(&["gossipper", "sipp", "-t", "t"]), modes);
    assert_eq!(offered(&["gossipper", "sipp", "--t", "t"]), modes);
    assert_eq!(offered(&["gossipper", "sipp", "-t", "=", "t"]), modes);
    assert_eq!(offered(&["gossipper", "-sn", "uas"]), ["uas"]);
    assert_eq!(offered(&["gossipper", "-sf", "a"]), ["a call.xml"]);
    assert_eq!(offered(&["gossipper", "compile", "a"]), ["a call.xml"]);
    // The word after a flag with a value is the value, and -key has two.
    assert_eq!(
        offered(&["gossipper", "-s", "-t", "-tls_ve"]),
        ["-tls_version"]
    );
    assert!(offered(&["gossipper", "-key", "-t", "-tls_ve"]).is_empty());
    assert_eq!(
        offered(&["gossipper", "-key", "-t", "x", "-tls_ve"]),
        ["-tls_version"]
    );
    // As a link of that name the program is a run, and has no verbs.
    assert_eq!(offered(&["sipp", "-tls_ve"]), ["-tls_version"]);
    assert!(!offered(&["/bin/sipp", "comp"]).contains(&"compile".to_owned()));
}

#[test]
fn roff_and_mandoc_have_nothing_to_say_about_the_manual_page() {
    let place = Place::new();
    let ran = place.run("man");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    place.write("gossipper.1", &ran.out);
    for (program, args) in [
        ("groff", &["-man", "-ww", "-z", "gossipper.1"][..]),
        ("mandoc", &["-T", "lint", "-W", "error", "gossipper.1"]),
    ] {
        if let Some(output) = output(&place, program, args) {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && said.is_empty(),
                "{program}: {said}"
            );
        }
    }
    let Some(shown) = output(
        &place,
        "groff",
        &["-man", "-Tascii", "-P-cbou", "gossipper.1"],
    ) else {
        return;
    };
    let text = String::from_utf8_lossy(&shown.stdout);
    for heading in ["NAME", "SYNOPSIS", "FLAGS", "EXIT STATUS", "EXAMPLES"] {
        assert!(text.contains(heading), "{heading}");
    }
}
