// SPDX-License-Identifier: AGPL-3.0-only
//! Runs of the binary over connections, and with a socket per call.
//!
//! Nothing reaches beyond the loopback interface, and no port is fixed.

mod place;

use place::{BINARY, Place, Ran, run};
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Command;

#[test]
fn loopback_runs_over_every_mode() {
    for mode in ["t1", "tn", "un", "T1"] {
        let ran = run(&format!("sipp -sn uac -loopback -m 30 -r 300 -t {mode}"));
        assert_eq!(ran.code, 0, "{mode}: {}", ran.shown());
        assert!(
            ran.out.contains("30 created  30 succeeded  0 failed"),
            "{mode}: {}",
            ran.out
        );
    }
}

#[test]
fn the_trace_names_the_transport() {
    let place = Place::new();
    let line = "sipp -compat sipp -sn uac -loopback -m 1 -t t1 -trace_msg -message_file sent";
    let ran = place.run(line);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let trace = std::fs::read_to_string(place.path("sent")).expect("the trace");
    assert!(trace.contains("TCP message sent ["), "{trace}");
    assert!(trace.contains("TCP message received ["), "{trace}");
    assert!(trace.contains("Via: SIP/2.0/TCP 127.0.0.1:"), "{trace}");
    assert!(!trace.contains("UDP"), "{trace}");
}

#[test]
fn calls_share_connections_when_descriptors_run_out_and_all_of_them_succeed() {
    let place = Place::new();
    // Both sides are in the process, and keep 64 descriptors for other things.
    let line = format!(
        "ulimit -n 100; exec '{BINARY}' sipp -sn uac -loopback -t tn -m 60 -r 2000 -d 300 -nostdin -trace_err -error_file errors"
    );
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(place.folder.path())
        .env("GOSSIPPER_NO_CACHE", "1")
        .output()
        .expect("a shell");
    let ran = Ran::from(output);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.out.contains("60 created  60 succeeded  0 failed"),
        "{}",
        ran.shown()
    );
    let errors = std::fs::read_to_string(place.path("errors")).expect("the errors");
    assert!(errors.contains("the limit of open files allow"), "{errors}");
}

#[test]
fn a_port_that_is_taken_has_sipps_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let port = taken.local_addr().expect("an address").port();
    let ran = run(&format!("sipp -sn uas -t t1 -i 127.0.0.1 -p {port} -m 1"));
    assert_eq!(ran.code, 254, "{}", ran.shown());
    let what = format!("cannot listen for connections on 127.0.0.1:{port}");
    assert!(ran.err.contains(&what), "{}", ran.err);
}

#[test]
fn a_peer_that_is_not_there_ends_a_run_with_one_connection() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let ran = run(&format!("sipp -sn uac -t t1 {address} -m 3 -r 100"));
    assert_eq!(ran.code, 255, "{}", ran.shown());
    let what = format!("cannot connect to {address}");
    assert!(ran.err.contains(&what), "{}", ran.err);
    assert!(
        ran.out.contains("calls="),
        "the summary is there: {}",
        ran.out
    );
    let ran = run(&format!("sipp -sn uac -t tn {address} -m 3 -r 100"));
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(
        ran.out.contains("3 created  0 succeeded  3 failed"),
        "{}",
        ran.out
    );
}

#[test]
fn the_one_connection_has_the_port_that_was_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let address = listener.local_addr().expect("an address");
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let peer = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().expect("a connection");
        let mut all = Vec::new();
        // Until the run is over.
        let _ = stream.read_to_end(&mut all);
        (from, String::from_utf8_lossy(&all).into_owned())
    });
    let ran = run(&format!(
        "sipp -sn options -t t1 -i 127.0.0.1 -p {port} {address} -m 1 -recv_timeout 100"
    ));
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let (from, sent) = peer.join().expect("the peer");
    assert_eq!(from.port(), port);
    assert!(
        sent.contains(&format!("Via: SIP/2.0/TCP 127.0.0.1:{port};")),
        "{sent}"
    );
}

#[test]
fn connections_of_calls_are_shared_out_among_shards() {
    let ran = run("sipp -sn uac -loopback -m 30 -r 300 -t tn -shards 3");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("30 created  30 succeeded"), "{}", ran.out);
    assert!(!ran.err.contains("one shard"), "{}", ran.err);
}

#[test]
fn one_connection_for_all_calls_keeps_a_run_on_one_shard_and_says_so() {
    let ran = run("sipp -sn uac -loopback -m 5 -r 100 -t t1 -shards 2");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.err
            .contains("runs on one shard, since its calls share one connection"),
        "{}",
        ran.err
    );
}

#[test]
fn several_dialogs_want_one_connection_for_all_calls() {
    let place = Place::new();
    let send = |dialog: u8| {
        format!(
            "<send dialog=\"{dialog}\"><![CDATA[
OPTIONS sip:b@[remote_ip] SIP/2.0
Via: SIP/2.0/[transport] [local_ip];branch=[branch]
From: <sip:a@[local_ip]>;tag={dialog}
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS
Content-Length: 0

]]></send><recv response=\"200\" dialog=\"{dialog}\"/>"
        )
    };
    place.write(
        "two.xml",
        format!("<scenario>{}{}</scenario>", send(1), send(2)),
    );
    let run = |mode: &str| {
        place.run(&format!(
            "sipp -sf two.xml -loopback -loopback_sn options_uas -m 1 -t {mode}"
        ))
    };
    let ran = run("tn");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.err.contains("have several dialogs"), "{}", ran.err);
    assert_eq!(run("t1").code, 0);
}

#[test]
fn the_summary_says_what_became_of_connections() {
    let ran = run("sipp -sn uac -loopback -t tn -m 3 -r 100");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("Connected  3 opened"), "{}", ran.out);
    let ran = run("sipp -sn uac -t tn -m 2 -r 100 127.0.0.1:1");
    assert!(
        ran.out.contains("Connected  0 opened  2 refused or failed"),
        "{}",
        ran.shown()
    );
    // Datagrams have no connections.
    let ran = run("sipp -sn uac -loopback -m 1 -r 100");
    assert!(!ran.out.contains("Connected"), "{}", ran.out);
}
