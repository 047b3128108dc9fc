// SPDX-License-Identifier: AGPL-3.0-only
//! Runs under a limit on the size of files: they go on, lose what does not fit, and say so, beside SIPp.
//!
//! The comparison is skipped, loudly, where there is no `sipp` on `PATH`.

#![cfg(unix)]

mod place;

use gossipper_testkit::sipp::{Tool, free_udp_port};
use place::{BINARY, Place, Ran};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

/// Runs a line of the shell under a limit of so many blocks, of 512 bytes or of 1024.
fn limited(place: &Place, blocks: u32, line: &str) -> Ran {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -f {blocks}; exec {line}")])
        .current_dir(place.folder.path())
        .env("XDG_CACHE_HOME", place.cache())
        .output()
        .expect("a shell");
    Ran::from(output)
}

/// What is in the file that says so; `None` when there is no such file.
fn said(place: &Place) -> Option<String> {
    let mut files = std::fs::read_dir(place.folder.path()).expect("listed");
    let name = files.find_map(|file| {
        let name = file.expect("listed").file_name();
        let name = name.to_string_lossy().into_owned();
        (name.starts_with("uac_") && name.ends_with("_traces_oversized.log")).then_some(name)
    })?;
    Some(std::fs::read_to_string(place.path(&name)).expect("written"))
}

fn size(place: &Place, name: &str) -> u64 {
    std::fs::metadata(place.path(name))
        .expect("the file is there")
        .len()
}

#[test]
fn a_run_survives_the_limit_and_counts_what_is_lost() {
    let place = Place::new();
    let flags = "-sn uac -loopback -m 60 -r 300 -trace_msg -message_file messages -nostdin";
    let ran = limited(&place, 16, &format!("'{BINARY}' sipp -compat sipp {flags}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.err.contains("60 created  60 succeeded  0 failed"),
        "{}",
        ran.shown()
    );
    assert!(
        ran.err.contains("records of") && ran.err.contains("cannot write `messages`"),
        "{}",
        ran.shown()
    );
    assert!(size(&place, "messages") <= 16 * 1024);
    let said = said(&place).expect("it is said");
    assert!(
        said.ends_with("\nMax file size reached - no more logs\n"),
        "{said}"
    );
}

#[test]
fn what_is_written_last_is_looked_at_too() {
    let place = Place::new();
    let flags = "-sn uac -loopback -m 1 -r 1000 -trace_msg -message_file messages -nostdin";
    let ran = limited(&place, 1, &format!("'{BINARY}' sipp -compat sipp {flags}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(said(&place).is_some(), "{}", ran.shown());
}

#[test]
fn our_own_form_has_no_such_file_and_the_cache_no_part_of_one() {
    let place = Place::new();
    // No room for the program in the cache either, which is written before the run begins.
    let flags = "-sn uac -loopback -m 3 -r 300 -nostdin -trace_msg -message_file messages";
    let ran = limited(&place, 1, &format!("'{BINARY}' sipp {flags}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.out.contains("cannot write `messages`"),
        "{}",
        ran.shown()
    );
    assert_eq!(said(&place), None);
    assert!(size(&place, "messages") <= 1024);
    let again = place.run("sipp -sn uac -loopback -m 1 -r 100");
    assert_eq!(again.code, 0, "{}", again.shown());
}

#[test]
fn sipp_says_the_same_in_its_file() {
    if Tool::sipp().is_none() {
        return;
    }
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = free_udp_port(host).expect("a free port");
    let (ours, theirs) = (Place::new(), Place::new());
    let answers = Command::new(BINARY)
        .args([
            "sipp",
            "-sn",
            "uas",
            "-i",
            "127.0.0.1",
            "-nostdin",
            "-m",
            "60",
            "-p",
        ])
        .arg(port.to_string())
        .args(["-timeout", "60"])
        .current_dir(ours.folder.path())
        .stdout(std::process::Stdio::null())
        .spawn();
    let mut answers = answers.expect("started");
    // Its first INVITE is sent again when the other is not there yet.
    let line = format!(
        "sipp -sn uac -i 127.0.0.1 127.0.0.1:{port} -m 60 -r 300 -d 0 -trace_msg -nostdin -timeout 30"
    );
    let ran = limited(&theirs, 16, &line);
    answers.kill().expect("killed");
    answers.wait().expect("it ended");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let flags = "-sn uac -loopback -m 60 -r 300 -trace_msg -nostdin";
    limited(&ours, 16, &format!("'{BINARY}' sipp -compat sipp {flags}"));
    let form = |place| {
        let said: String = said(place).expect("it is said");
        // The time apart.
        said.replace(|c: char| c.is_ascii_digit(), "0")
    };
    assert_eq!(form(&ours), form(&theirs));
}
