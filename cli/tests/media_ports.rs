// SPDX-License-Identifier: AGPL-3.0-only
//! Ports of streams and what descriptions say of them, as a user meets both.

use std::process::{Command, Stdio};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_gossipper");

fn command(folder: &TempDir, line: &str) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(line.split_whitespace())
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

fn run(folder: &TempDir, line: &str) -> (String, String) {
    let output = command(folder, line).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// Two ports above an even one, all four free; the test below keeps what it gets by binding it again and again.
fn free_ports() -> u16 {
    let free = |port: u16| std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok();
    let start = 20_000 + (std::process::id() % 512) as u16 * 64;
    let mut firsts = (start..60_000).step_by(16);
    let found = firsts.find(|first| (*first..first + 12).all(free));
    found.expect("free ports")
}

#[test]
fn a_call_never_hears_itself_where_its_answerer_describes_a_port_of_nobody() {
    let folder = TempDir::with_prefix("gossipper-ports-").expect("a folder");
    let first = free_ports();
    for flags in ["", "sipp "] {
        let line = format!("{flags}-sn invite_media -loopback -m 2 -r 100 -mp {first} -nostdin");
        let (out, _) = run(&folder, &line);
        // The plain `uas` says where to send to, and nobody is there.
        assert!(out.contains(" rtp_recv=0 "), "{line}: {out}");
        assert!(!out.contains(" rtp_sent=0 "), "{line}: {out}");
    }
}

#[test]
fn an_address_of_somebody_else_is_refused_before_the_run() {
    let folder = TempDir::with_prefix("gossipper-ports-").expect("a folder");
    for dialect in ["", "sipp "] {
        // TEST-NET-1 (RFC 5737).
        let line = format!("{dialect}-sn invite_media -loopback -mi 192.0.2.1 -m 1 -nostdin");
        let output = command(&folder, &line).output().expect("the binary runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(255), "{err}");
        assert!(
            err.contains("cannot bind media to 192.0.2.1 (-mi)"),
            "{err}"
        );
        assert!(!err.contains("call 1"), "{err}");
    }
}

#[test]
fn streams_that_cannot_be_heard_are_told_before_the_run() {
    let folder = TempDir::with_prefix("gossipper-ports-").expect("a folder");
    let (xml, _) = run(&folder, "-sd invite_media");
    let xml = xml.replace("rtpstream_audio_port", "media_port");
    std::fs::write(folder.path().join("call.xml"), xml).expect("written");
    let line = "-sf call.xml -loopback -loopback_sn media_uas -m 1 -nostdin";
    let first = free_ports();
    for (port, why) in [
        (first, "that of one call at most"),
        (first + 1, "no call's, since streams have even ports"),
    ] {
        let (_, err) = run(&folder, &format!("sipp {line} -mp {port}"));
        let wanted = format!("[media_port], which is {port} for all calls and {why}");
        assert!(err.contains(&wanted), "{err}");
        // By our own rules it is the port of the call.
        let (out, err) = run(&folder, &format!("{line} -mp {port}"));
        assert_eq!(err, "");
        assert!(out.contains("Heard      1 streams"), "{out}");
    }
}
