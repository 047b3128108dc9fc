// SPDX-License-Identifier: AGPL-3.0-only
//! The echo of RTP in whole runs: calls are told its port, and what is sent there returns.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use gossipper_control::{ControlCommand, EchoCounts};
use gossipper_runtime::config::{EchoConfig, TransportConfig};
use gossipper_runtime::{Ending, Run};

use crate::support::{LOCAL, compiled, engine, run_of};

/// The built-in server.
fn uas() -> &'static str {
    let builtin = gossipper_stdlib_scenarios::find("uas").expect("a built-in");
    builtin.xml
}

fn server(xml: &str, echo: Option<EchoConfig>) -> Run {
    let mut main = engine(compiled("uas", xml), &TransportConfig::default(), LOCAL);
    main.local.bind_local = true;
    main.rtp_echo = echo;
    Run::start(run_of(main, None, 10.0, None)).expect("it starts")
}

fn invite(call_id: &str) -> String {
    format!(
        "INVITE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n\
         From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:b@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn calls_name_the_port_of_the_echo_and_rtp_sent_there_returns() {
    let run = server(
        uas(),
        Some(EchoConfig {
            first_port: 0,
            ..EchoConfig::default()
        }),
    );
    // The figures of a shard are there once it has looked at its sockets.
    let snapshot = loop {
        let snapshot = run.snapshot();
        if snapshot.main().is_some_and(|main| !main.local.is_empty()) {
            break snapshot;
        }
        assert!(!run.wait_for(Duration::from_millis(5)), "it goes on");
    };
    let sip = &snapshot.main().expect("an engine").local;
    let echo = snapshot.rtp_echo.as_ref().expect("an echo");
    let echo: SocketAddr = echo.address.parse().expect("an address");
    let peer = UdpSocket::bind((LOCAL, 0)).expect("a port");
    peer.set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a limit");
    let mut buffer = [0; 4096];
    peer.send_to(invite("echo@test").as_bytes(), &sip[..])
        .expect("sent");
    let answer = loop {
        let (len, _) = peer.recv_from(&mut buffer).expect("an answer");
        let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
        if text.starts_with("SIP/2.0 200") {
            break text;
        }
    };
    assert!(
        answer.contains(&format!("m=audio {} ", echo.port())),
        "{answer}"
    );
    // PCMU of 20 ms.
    let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4];
    packet.resize(172, 0xff);
    peer.send_to(&packet, echo).expect("sent");
    // Repetitions of the 200 come from another port.
    let returned = loop {
        let (len, from) = peer.recv_from(&mut buffer).expect("an echo");
        if from == echo {
            break &buffer[..len];
        }
    };
    assert_eq!(returned, packet);
    assert!(run.controller().send(ControlCommand::Stop));
    let report = run.finish().expect("a report");
    let [audio, video] = report.snapshot.rtp_echo.expect("an echo").streams;
    let one = EchoCounts {
        packets: 1,
        bytes: 172,
        dropped: 0,
    };
    assert_eq!((audio, video), (one, EchoCounts::default()));
}

#[test]
fn a_run_without_an_echo_has_none() {
    let run = server(uas(), None);
    assert!(run.snapshot().rtp_echo.is_none());
    assert!(run.controller().send(ControlCommand::Drain));
    let report = run.finish().expect("a report");
    assert_eq!(report.ending, Ending::Drained);
}

#[test]
fn a_scenario_switches_the_echo_off() {
    let off = r#"<init><nop><action><rtp_echo value="0"/></action></nop></init></scenario>"#;
    let config = EchoConfig {
        first_port: 0,
        ..EchoConfig::default()
    };
    let run = server(&uas().replace("</scenario>", off), Some(config));
    let echo = run.snapshot().rtp_echo.expect("an echo").address;
    let peer = UdpSocket::bind((LOCAL, 0)).expect("a port");
    // Some may return before the scenario begins.
    loop {
        peer.send_to(b"x", &echo[..]).expect("sent");
        let figures = run.snapshot().rtp_echo.expect("an echo");
        if figures.streams[0].dropped > 0 {
            break;
        }
        assert!(!run.wait_for(Duration::from_millis(5)), "never off");
    }
}
