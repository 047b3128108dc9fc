// SPDX-License-Identifier: AGPL-3.0-only
//! What SIPp refuses to load is refused, and what it takes is taken: `testdata/differential/refused.toml`.
//!
//! Each entry is a few elements, run once by either tool against a port where nobody answers; the exit codes have to be
//! those of the entry. Without a `sipp` on `PATH` only our own binary runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gossipper_testkit::sipp::{Exit, Running, Tool};
use gossipper_testkit::sipp_refusals::{Entry, load};

/// Scenarios that run at a time.
const WORKERS: usize = 4;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The scenario around a body, its requests written out.
fn scenario(body: &str) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>\n<scenario name=\"entry\">\n");
    let mut rest = body;
    while let Some((before, tail)) = rest.split_once('{') {
        let (request, after) = tail.split_once('}').expect("a closing brace");
        xml.push_str(before);
        xml.push_str(&send(request));
        rest = after;
    }
    xml.push_str(rest);
    xml.push_str("\n</scenario>\n");
    xml
}

/// `send`, `send:HEADER`, `send@ATTRIBUTES`, or with a method in place of `send`.
fn send(request: &str) -> String {
    let (name, attributes) = request.split_once('@').unwrap_or((request, ""));
    let (name, header) = name.split_once(':').unwrap_or((name, "X-None: x"));
    let method = if name == "send" { "OPTIONS" } else { name };
    format!(
        "<send {attributes}><![CDATA[
        {method} sip:x@[remote_ip] SIP/2.0
        Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
        From: <sip:a@example.com>;tag=1
        To: <sip:b@example.com>
        Call-ID: [call_id]
        CSeq: [cseq] {method}
        {header}
        ]]></send>"
    )
}

fn run(tool: &Tool, entry: &Entry, peer: SocketAddr) -> (Exit, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("entry.xml");
    std::fs::write(&file, scenario(&entry.body)).expect("a writable folder");
    let mut arguments = vec!["-sf".to_owned(), file.display().to_string()];
    arguments.extend(
        [
            "-i",
            "127.0.0.1",
            "-p",
            "0",
            "-m",
            "1",
            "-nostdin",
            "-r",
            "50",
        ]
        .map(String::from),
    );
    arguments.extend(entry.flags.iter().cloned());
    arguments.push(peer.to_string());
    let outcome = Running::start(tool, arguments)
        .and_then(|run| run.finish(Instant::now() + Duration::from_secs(15), 0))
        .expect("a run");
    let told = format!("{}{}", outcome.stdout, outcome.stderr);
    (outcome.exit, told)
}

#[test]
fn scenarios_that_sipp_refuses_are_refused_and_others_are_not() {
    let sipp = Tool::sipp();
    let ours = Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"));
    let nobody = UdpSocket::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).expect("a socket");
    let peer = nobody.local_addr().expect("an address");
    let (entries, next, failures) = (
        load(&workspace()).expect("refused.toml"),
        AtomicUsize::new(0),
        Mutex::new(Vec::new()),
    );
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let expected = [
                        (Some(&ours), entry.exit),
                        (sipp.as_ref(), entry.sipp.unwrap_or(entry.exit)),
                    ];
                    for (tool, code) in expected {
                        let Some(tool) = tool else { continue };
                        let (exit, told) = run(tool, entry, peer);
                        if exit != Exit::Code(code) {
                            failures.lock().expect("no worker panicked").push(format!(
                                "{} ({}): expected exit code {code}, got {exit}\n{told}",
                                entry.name, tool.name
                            ));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no worker panicked");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
