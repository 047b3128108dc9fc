// SPDX-License-Identifier: AGPL-3.0-only
//! Short runs of the binary against itself: exit codes, what is printed, what is written.
//!
//! Nothing reaches beyond the loopback interface, and no port is fixed.

mod place;

use place::{BINARY, Place, Ran, builtin, run};
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

#[test]
fn a_loopback_run_has_a_remote_host() {
    let place = Place::new();
    let scenario = place.run("sipp -sd options").out;
    assert!(scenario.contains("sip:[service]@"), "{scenario}");
    let scenario = scenario.replace("sip:[service]@", "sip:[remote_host]@");
    place.write("asks.xml", scenario);
    let ran = place.run(
        "sipp -sf asks.xml -loopback -loopback_sn options_uas -m 1 -trace_msg -message_file sent",
    );
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent")).expect("the trace");
    assert!(sent.contains("OPTIONS sip:127.0.0.1@127.0.0.1"), "{sent}");
}

#[test]
fn a_loopback_run_ends_well_and_says_so() {
    let ran = run("sipp -sn uac -loopback -m 50 -r 500");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.out.contains("50 created  50 succeeded  0 failed"),
        "{}",
        ran.out
    );
    assert!(ran.out.lines().count() <= 22, "{}", ran.out);
    assert!(
        ran.out
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("calls=50 success=50 failed=0 "))
    );
    assert_eq!(ran.err, "");
}

#[test]
fn a_run_on_several_shards_says_what_one_says() {
    for shards in ["2", "auto"] {
        let line = "sipp -sn uac -loopback -m 200 -r 1000 -seed 3 -shards";
        let ran = run(&format!("{line} {shards}"));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        assert!(
            ran.out.contains("200 created  200 succeeded  0 failed"),
            "{}",
            ran.out
        );
        assert_eq!(ran.err, "");
    }
    for wrong in ["0", "65", "two"] {
        let ran = run(&format!("sipp -sn uac -loopback -m 1 -shards {wrong}"));
        assert_eq!(ran.code, 1, "{}", ran.shown());
        assert!(ran.err.contains("from 1 to 64, or `auto`"), "{}", ran.err);
    }
}

#[test]
fn a_scenario_that_needs_one_shard_says_why() {
    let line = "sipp -sn uac -loopback -m 2 -users 1 -shards";
    let ran = run(&format!("{line} 2"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.err
            .contains("-shards 2: scenario `uac` runs on one shard, since -users opens"),
        "{}",
        ran.err
    );
    // Whoever leaves the number to us is not told what it became.
    assert_eq!(run(&format!("{line} auto")).err, "");
}

#[test]
fn one_call_is_the_default_outside_sipps_dialect() {
    let ran = run("-sn uac -loopback -d 1ms");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("1 created  1 succeeded"), "{}", ran.out);
}

#[test]
fn every_built_in_client_runs_against_its_answerer() {
    for name in ["uac", "regexp", "options"] {
        let ran = run(&format!("sipp -sn {name} -loopback -m 2 -r 100"));
        assert_eq!(ran.code, 0, "{name}: {}", ran.shown());
    }
}

#[test]
fn a_failed_call_is_exit_code_one_and_has_a_reason() {
    // The answerer waits for OPTIONS and ignores the INVITE.
    let ran =
        run("sipp -sn uac -loopback -loopback_sn ooc_dummy -m 1 -r 100 -max_invite_retrans 0");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.out.contains("Failures"), "{}", ran.out);
}

#[test]
fn a_port_in_use_has_its_own_exit_code() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("bound").port();
    let ran = run(&format!("sipp -sn uas -i 127.0.0.1 -p {port}"));
    assert_eq!(ran.code, 254, "{}", ran.shown());
    assert!(
        ran.err.contains(&format!("127.0.0.1:{port}")),
        "{}",
        ran.err
    );
}

#[test]
fn a_timeout_without_a_call_is_97_and_as_an_error_255() {
    assert_eq!(run("sipp -sn uas -i 127.0.0.1 -p 0 -timeout 50ms").code, 97);
    assert_eq!(
        run("sipp -sn uas -i 127.0.0.1 -p 0 -timeout 50ms -timeout_error").code,
        255
    );
    assert_eq!(
        run("sipp -sn uas -i 127.0.0.1 -p 0 -timeout_global 50ms").code,
        0
    );
}

#[test]
fn traces_are_written_where_they_are_asked_for() {
    let place = Place::new();
    let ran =
        place.run("sipp -sn uac -loopback -m 1 -r 100 -trace_msg -message_file m.log -compat sipp");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let log = std::fs::read_to_string(place.path("m.log")).expect("written");
    assert!(log.contains("UDP message sent ["), "{log}");
    assert!(log.contains("INVITE sip:service@127.0.0.1:"), "{log}");
}

#[test]
fn a_keyword_reaches_the_wire_and_a_global_must_exist() {
    let place = Place::new();
    let with = builtin("options").replace(
        "Content-Length: 0",
        "X-Tag: [tag_of_run]\n      Content-Length: 0",
    );
    assert!(with.contains("[tag_of_run]"), "{with}");
    place.write("o.xml", with);
    let line = "sipp -sf o.xml -loopback -loopback_sn options_uas -m 1 -r 100 -trace_msg -message_file m.log";
    assert_eq!(place.run(line).code, 1, "the keyword is unknown");
    let ran = place.run(&format!("{line} -key tag_of_run night-7"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let log = std::fs::read_to_string(place.path("m.log")).expect("written");
    assert!(log.contains("X-Tag: night-7\r\n"), "{log}");
    let ran = place.run(&format!("{line} -key tag_of_run x -set nobody 1"));
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.err.contains("`nobody`"), "{}", ran.err);
}

/// Waits until somebody listens on the port, or the child has ended: a closed port refuses a keep-alive at once, an
/// open one says nothing.
fn wait_until_open(port: u16, child: &mut Child) {
    let probe = UdpSocket::bind("127.0.0.1:0").expect("bound");
    probe.connect(("127.0.0.1", port)).expect("connected");
    probe
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("set");
    while child.try_wait().expect("a child").is_none() {
        let sent = probe.send(b"\r\n\r\n");
        let answer = sent.and_then(|_| probe.recv(&mut [0; 16]));
        if answer.is_err_and(|error| error.kind() != ErrorKind::ConnectionRefused) {
            return;
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_server_with_a_summary() {
    let place = Place::new();
    // A port that is free now; should somebody take it meanwhile, another one is tried.
    let ran = (0..5)
        .map(|_| {
            let free = UdpSocket::bind("127.0.0.1:0").expect("bound");
            let port = free.local_addr().expect("bound").port();
            drop(free);
            let line = format!("sipp -sn uas -i 127.0.0.1 -p {port} -timeout 60");
            let mut child = place
                .command(BINARY, &line)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("started");
            // Handlers are in place before the port is taken.
            wait_until_open(port, &mut child);
            let pid = i32::try_from(child.id()).expect("a pid");
            let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
            // It may have ended by itself, if the port was taken.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            Ran::from(child.wait_with_output().expect("ended"))
        })
        .find(|ran| ran.code != 254)
        .expect("one of five ports stays free");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("0 created"), "{}", ran.out);
}

#[test]
fn nothing_is_written_beside_what_was_asked_for() {
    let place = Place::new();
    assert_eq!(
        place
            .run("sipp -sn uac -loopback -m 1 -r 100 -no_cache")
            .code,
        0
    );
    let left: Vec<_> = std::fs::read_dir(place.folder.path() as &Path)
        .expect("listed")
        .map(|file| file.expect("listed").file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_injection_file_feeds_calls_and_takes_what_they_change() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
OPTIONS sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
X-User: [field0] [field1 file=\"more.csv\"]
Content-Length: 0

]]></send><recv response=\"200\"><action>
<lookup assign_to=\"at\" file=\"users.csv\" key=\"[field0]\"/>
<replace file=\"users.csv\" line=\"[$at]\" value=\"[field0];done\"/>
<insert file=\"users.csv\" value=\"new;[call_number]\"/>
</action></recv></scenario>",
    );
    let users = place.write("users.csv", "SEQUENTIAL\n# all\nann;-\nbob;-\n");
    let more = place.write("more.csv", "SEQUENTIAL\nx;y\n");
    let flags = "-sf call.xml -inf users.csv -inf more.csv -infindex users.csv 0 -m 2 -loopback \
                 -loopback_sn options_uas -trace_msg -message_file sent.log -nostdin";
    let ran = place.run(&format!("sipp {flags}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent.log")).expect("a trace");
    assert!(sent.contains("X-User: ann y"), "{sent}");
    assert!(sent.contains("X-User: bob y"), "{sent}");
    let read = |path: &Path| std::fs::read_to_string(path).expect("the file");
    assert_eq!(read(&users), "SEQUENTIAL\n# all\nann;-\nbob;-\n");
    let ran = place.run(&format!("sipp {flags} -inf_write_back"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert_eq!(
        read(&users),
        "SEQUENTIAL\n# all\nann;done\nbob;done\nnew;1\nnew;2\n"
    );
    assert_eq!(read(&more), "SEQUENTIAL\nx;y\n");
}

#[test]
fn injection_files_are_checked_before_anything_is_sent() {
    let place = Place::new();
    place.write("bad.csv", "ann;-\n");
    place.write("user.csv", "USER\nann\n\nbob\n");
    let ran = place.run("sipp -sn uac -loopback -m 1 -inf bad.csv -inf gone.csv -inf user.csv");
    assert_eq!(ran.code, 1);
    for text in [
        "injection file `bad.csv`: the first line must hold SEQUENTIAL, RANDOM or USER",
        "injection file `gone.csv`: cannot read it",
        "injection file `user.csv`: the empty line 3 ends the file",
        "injection file `user.csv`: USER without -users",
    ] {
        assert!(ran.err.contains(text), "{text}: {}", ran.err);
    }
}

#[test]
fn a_scenario_with_fields_is_compiled_with_the_name_of_its_file() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
OPTIONS sip:[field0 file=\"users.csv\"]@[remote_ip] SIP/2.0

]]></send></scenario>",
    );
    let ran = place.run("compile -check -strict call.xml");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("G0214"), "{}", ran.err);
    let ran = place.run("compile -check call.xml -inf dir/users.csv");
    assert_eq!(ran.code, 0, "{}", ran.shown());
}

#[test]
fn users_of_a_scenario_that_waits_for_calls_are_pointed_out() {
    let place = Place::new();
    let note = "-users has no effect: scenario `uas` waits for calls, and begins none";
    // What is wrong besides keeps the run from beginning.
    let ran = place.run("sipp -sn uas -users 3 -loopback");
    assert!(ran.err.contains(note), "{}", ran.shown());
    let ran = place.run("sipp -sn uas -loopback");
    assert!(!ran.err.contains("-users"), "{}", ran.shown());
    let ran = place.run("sipp -sn uac -users 1 -m 1 -loopback -nostdin");
    assert!(!ran.err.contains("-users"), "{}", ran.shown());
}

#[test]
fn files_of_spreadsheets_are_injection_files_of_the_gossipper_dialect_only() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
OPTIONS sip:[field0]@[remote_ip] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]>;tag=1
To: <sip:[field0]@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
X-User: [field0] [field1]
Content-Length: 0

]]></send><recv response=\"200\"/></scenario>",
    );
    place.write("users.csv", "\u{feff}ann,1\r\n\r\nbob,2\r\n");
    let flags = "-sf call.xml -inf users.csv -m 2 -loopback -loopback_sn options_uas -trace_msg \
                 -message_file sent.log -nostdin";
    let ran = place.run(flags);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent.log")).expect("a trace");
    assert!(sent.contains("X-User: ann 1\r\n"), "{sent}");
    assert!(sent.contains("X-User: bob 2\r\n"), "{sent}");
    for sipp in [format!("sipp {flags}"), format!("{flags} -compat sipp")] {
        let ran = place.run(&sipp);
        assert_eq!(ran.code, 1, "{}", ran.shown());
        assert!(ran.err.contains("must hold SEQUENTIAL"), "{}", ran.err);
    }
}

#[test]
fn each_call_includes_the_file_that_its_line_names() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
MESSAGE sip:b@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 MESSAGE
Content-Type: text/plain
Content-Length: [len]

[file name=\"texts/[field0].txt\"]]]></send><recv response=\"200\"/></scenario>",
    );
    place.write(
        "answer.xml",
        "<scenario><recv request=\"MESSAGE\"/><send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=1
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send></scenario>",
    );
    std::fs::create_dir(place.path("texts")).expect("a folder");
    place.write("texts/ann.txt", "Hello, Ann.\r\n");
    place.write("texts/bob.txt", "Good evening, [field0].\r\n");
    place.write("users.csv", "SEQUENTIAL\nann\nbob\n");
    let flags = "sipp -sf call.xml -m 4 -loopback -loopback_sf answer.xml -trace_msg \
                 -message_file sent.log -nostdin";
    let ran = place.run(&format!("{flags} -inf users.csv"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent.log")).expect("a trace");
    for text in [
        "Content-Length:    13\r\n\r\nHello, Ann.\r\n",
        "Content-Length:    25\r\n\r\nGood evening, [field0].\r\n",
    ] {
        // Sent twice by the caller, and received twice by the answerer.
        assert!(sent.matches(text).count() >= 2, "{text}: {sent}");
    }
    // As in SIPp a file that is not there ends the run.
    place.write("users.csv", "SEQUENTIAL\nann\ncy\n");
    let ran = place.run(&format!("{flags} -inf users.csv"));
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(ran.err.contains("[file]: `texts/cy.txt`: "), "{}", ran.err);
}
