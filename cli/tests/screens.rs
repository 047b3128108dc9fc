// SPDX-License-Identifier: AGPL-3.0-only
//! The screens that a run leaves in a file, beside SIPp's.
//!
//! The comparison is skipped, loudly, where there is no `sipp` on `PATH`.

mod place;

use gossipper_testkit::certs::{Authority, Flaw};
use gossipper_testkit::sipp::{Exit, Outcome, Pair, Scenario, Side, Tool};
use place::Place;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The words of the screen that name what messages travel over, in the order of the lines.
fn named(screens: &str) -> Vec<String> {
    let lines: Vec<&str> = screens.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let below = lines.get(at + 1).copied().unwrap_or_default();
        if line.contains("Total-calls  Transport") {
            found.extend(below.split_whitespace().last().map(str::to_owned));
        } else if line.contains("Total-calls  Remote-host") {
            let within = below.rsplit_once('(').map(|(_, rest)| rest);
            found.extend(within.map(|rest| rest.trim_end().trim_end_matches(')').to_owned()));
        } else if let Some((before, _)) = line.split_once(" errors (send/recv/cong)") {
            found.extend(before.split_whitespace().last().map(str::to_owned));
        }
    }
    // SIPp says the errors of its sockets once more for connections.
    found.dedup();
    found
}

fn left_by(side: &str, outcome: &Outcome) -> Vec<String> {
    // SIPp as a server fails the call whose connection is closed before it has looked at the last message.
    assert!(
        matches!(outcome.exit, Exit::Code(_)),
        "{side}: {}\n{}",
        outcome.stdout,
        outcome.stderr
    );
    let screens = std::fs::read_to_string(outcome.folder.path().join("screens"));
    named(&screens.expect("the screens were written"))
}

#[test]
fn the_screens_name_the_transport_as_sipps_do() {
    let Some(sipp) = Tool::sipp() else {
        return;
    };
    let ours = Tool::gossipper(place::BINARY);
    for (mode, word) in [("u1", "UDP"), ("t1", "TCP")] {
        let flags: Vec<String> = format!("-t {mode} -trace_screen -screen_file screens")
            .split(' ')
            .map(str::to_owned)
            .collect();
        let side = |tool, name| Side {
            tool,
            scenario: Scenario::Builtin(name),
            flags: &flags,
        };
        for (client, server) in [(&sipp, &ours), (&ours, &sipp)] {
            let outcome = Pair {
                server: side(server, "uas"),
                client: side(client, "uac"),
                ip: HOST,
                calls: 2,
                rate: 20,
                trace: false,
                limit: Duration::from_secs(30),
            }
            .run()
            .expect("both run");
            for (tool, role, outcome) in [
                (client, "client", &outcome.client),
                (server, "server", &outcome.server),
            ] {
                let side = format!("{} as {role} over {mode}", tool.name);
                assert_eq!(left_by(&side, outcome), [word], "{side}");
            }
        }
    }
}

#[test]
fn the_screens_name_encryption_and_frames() {
    let place = Place::new();
    let ca = Authority::new(place.folder.path(), "ca");
    let identity = ca.identity("server", &["localhost", "127.0.0.1"], Flaw::None);
    for (mode, word) in [("l1", "TLS"), ("w1", "WS"), ("ws1", "WSS")] {
        let mut line = format!(
            "sipp -compat sipp -sn uac -loopback -m 1 -t {mode} -trace_screen -screen_file screens_{mode}"
        );
        if mode != "w1" {
            line.push_str(&format!(
                " -tls_cert {} -tls_key {}",
                identity.certificate.display(),
                identity.key.display()
            ));
        }
        let ran = place.run(&line);
        assert_eq!(ran.code, 0, "{mode}: {}", ran.shown());
        let screens = std::fs::read_to_string(place.path(&format!("screens_{mode}")));
        assert_eq!(named(&screens.expect("written")), [word], "{mode}");
    }
}
