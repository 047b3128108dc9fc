// SPDX-License-Identifier: AGPL-3.0-only
//! What becomes of open calls when `-timeout` is over, in ours and in the SIPp that is installed.
//!
//! That is SIPp 3.6.1, which waits for them; we abort them, as SIPp's development does (docs/compat.md). What both do alike is
//! held as well. Skipped, loudly, where there is no `sipp` on `PATH`.

mod place;

use std::net::UdpSocket;

use gossipper_testkit::sipp::Tool;
use place::{BINARY, Place, Ran};

const REQUEST: &str = "<send><![CDATA[
OPTIONS sip:x@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Content-Length: 0

]]></send>";

/// Runs a client with a peer that never answers; how it ended, with the calls that have succeeded and failed.
fn run(program: &str, steps: &str, flags: &str) -> (i32, u64, u64, Ran) {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("loopback binds");
    let place = Place::new();
    place.write(
        "c.xml",
        format!("<?xml version=\"1.0\"?>\n<scenario name=\"c\">{REQUEST}{steps}</scenario>"),
    );
    let line = format!(
        "-sf c.xml -i 127.0.0.1 -nostdin -trace_stat -stf stat.csv -trace_err -error_file errors {flags} {}",
        silent.local_addr().expect("bound")
    );
    let output = place.command(program, &line).output().expect("it runs");
    let mut ran = Ran::from(output);
    ran.err = std::fs::read_to_string(place.path("errors")).unwrap_or_default();
    let table = std::fs::read_to_string(place.path("stat.csv")).expect("a table");
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().expect("names").split(';').collect();
    let last: Vec<&str> = lines.next_back().expect("a row").split(';').collect();
    let figure = |name: &str| {
        let at = names.iter().position(|column| *column == name).expect(name);
        last[at].parse().expect("a number")
    };
    (
        ran.code,
        figure("SuccessfulCall(C)"),
        figure("FailedCall(C)"),
        ran,
    )
}

#[test]
fn a_timeout_aborts_what_is_open_where_the_released_sipp_waits_for_it() {
    let Some(_) = Tool::sipp() else { return };
    let folder = Place::new();
    let ours = folder.path("sipp");
    std::os::unix::fs::symlink(BINARY, &ours).expect("a link");
    let ours = ours.to_str().expect("a path of text");
    let paused = "<pause milliseconds=\"2500\"/>";
    let (code, succeeded, failed, ran) = run("sipp", paused, "-r 50 -l 3 -timeout 1");
    assert_eq!((code, succeeded, failed), (0, 3, 0), "{}", ran.shown());
    let (code, succeeded, failed, ran) = run(ours, paused, "-r 50 -l 3 -timeout 1");
    assert_eq!((code, succeeded, failed), (1, 0, 3), "{}", ran.shown());
    assert_eq!(ran.err.matches("Aborted call with Call-ID '").count(), 3);
    // A call in its closing timewait has done what it had to do.
    let closing = "<timewait milliseconds=\"2500\"/>";
    for program in ["sipp", ours] {
        let (code, succeeded, failed, ran) = run(program, closing, "-r 50 -l 3 -timeout 1");
        assert_eq!((code, succeeded, failed), (0, 3, 0), "{}", ran.shown());
    }
    // So it is with calls that would never end, which the one that is installed would wait for.
    let never = "<recv response=\"200\"/>";
    let (code, succeeded, failed, ran) = run(ours, never, "-r 50 -m 3 -timeout 1");
    assert_eq!((code, succeeded, failed), (1, 0, 3), "{}", ran.shown());
}
