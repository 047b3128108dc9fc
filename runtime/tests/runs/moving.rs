// SPDX-License-Identifier: AGPL-3.0-only
//! `setdest` and `closecon` on every transport: where the next message goes, and what becomes of the connection.

use std::net::UdpSocket;

use gossipper_runtime::config::{EngineConfig, StreamKind, TransportConfig};
use gossipper_runtime::{Ending, Run};
use gossipper_testkit::certs::{Authority, Flaw};

use crate::secure::{folder, over, tls};
use crate::streams::{answer, tcp, un};
use crate::support::{GIVE_UP, LOCAL, Server, builtin, compiled, end, engine, finish, run_of};

const CALLS: u64 = 5;

fn ping(cseq: u32) -> String {
    format!(
        "<send><![CDATA[
OPTIONS sip:x@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: {cseq} OPTIONS
Content-Length: 0

]]></send>"
    )
}

/// Two pings, with an action after the first answer.
fn client(action: &str, transport: &TransportConfig, to: &Server) -> EngineConfig {
    let (first, second) = (ping(1), ping(2));
    let xml = format!(
        "<scenario>{first}<recv response=\"200\"><action>{action}</action></recv>{second}<recv response=\"200\"/></scenario>"
    );
    let mut client = engine(compiled("moves", &xml), transport, LOCAL);
    client.remote = Some(to.address);
    client
}

/// Every transport with a path for each call, then the one socket of UDP.
fn transports(folder: &tempfile::TempDir) -> Vec<TransportConfig> {
    let identity = Authority::new(folder.path(), "ca").identity("x", &["x"], Flaw::None);
    let tls = || tls(Some(&identity), None);
    vec![
        tcp(true),
        over(StreamKind::Tls(tls()), true),
        over(StreamKind::Ws(Box::default()), true),
        over(StreamKind::Wss(tls(), Box::default()), true),
        un(),
        TransportConfig::default(),
    ]
}

#[test]
fn setdest_leads_a_call_to_another_server_over_every_transport() {
    let folder = folder();
    for transport in transports(&folder) {
        let answerer = || {
            let main = engine(builtin("options_uas"), &transport, LOCAL);
            Server::of(run_of(main, None, 1.0, None))
        };
        let (first, second) = (answerer(), answerer());
        let action = format!(
            "<setdest host=\"127.0.0.1\" port=\"{}\" protocol=\"[transport]\"/>",
            second.address.port()
        );
        let client = client(&action, &transport, &first);
        let (report, main) = finish(run_of(client, None, 100.0, Some(CALLS)));
        assert_eq!(report.ending, Ending::Completed, "{transport:?}");
        assert_eq!(main.calls.succeeded, CALLS, "{transport:?}: {main:?}");
        for server in [first, second] {
            let calls = server.end().calls;
            assert_eq!((calls.incoming, calls.failed), (CALLS, 0), "{transport:?}");
        }
    }
}

#[test]
fn setdest_on_the_connection_of_all_calls_ends_the_run() {
    let server = Server::start(&tcp(false));
    let action = "<setdest host=\"127.0.0.1\" port=\"9\" protocol=\"tcp\"/>";
    let mut client = client(action, &tcp(false), &server);
    client.program = compiled(
        "moves",
        &format!(
            "<scenario><nop><action>{action}</action></nop>{}</scenario>",
            ping(1)
        ),
    );
    let (report, _) = finish(run_of(client, None, 100.0, Some(1)));
    let Ending::Fatal(text) = &report.ending else {
        panic!("{:?}", report.ending);
    };
    assert!(
        text.contains("the connection over TCP is not the call's own"),
        "{text}"
    );
    let _ = server.end();
}

#[test]
fn closecon_makes_the_next_message_open_another_connection() {
    let folder = folder();
    let answer = "<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>";
    let twice = format!("<recv request=\"OPTIONS\"/>{answer}").repeat(2);
    let twice = compiled("twice", &format!("<scenario>{twice}</scenario>"));
    // A server over UDP goes on answering at the first port of a call.
    let answered = |transport: &TransportConfig| transport.stream.is_some() || !transport.per_call;
    for transport in transports(&folder).into_iter().filter(answered) {
        let mut patient = transport.clone();
        // The server's call goes on when its connection ends.
        patient.reconnect_close = false;
        let main = engine(twice.clone(), &patient, LOCAL);
        let server = Server::of(run_of(main, None, 1.0, None));
        let client = client("<closecon/>", &transport, &server);
        let (report, main) = finish(run_of(client, None, 100.0, Some(CALLS)));
        assert_eq!(report.ending, Ending::Completed, "{transport:?}");
        assert_eq!(main.calls.succeeded, CALLS, "{transport:?}: {main:?}");
        let server = server.end();
        assert_eq!(
            (server.calls.incoming, server.calls.succeeded),
            (CALLS, CALLS)
        );
        assert_eq!(server.messages.unexpected, 0, "{transport:?}");
    }
}

#[test]
fn closecon_makes_the_next_message_come_from_another_socket() {
    let peer = UdpSocket::bind((LOCAL, 0)).expect("loopback binds");
    peer.set_read_timeout(Some(GIVE_UP)).expect("an option");
    let (first, second) = (ping(1), ping(2));
    let xml = format!(
        "<scenario>{first}<recv response=\"200\"><action><closecon/></action></recv>{second}<recv response=\"200\"/></scenario>"
    );
    let mut client = engine(compiled("moves", &xml), &un(), LOCAL);
    client.remote = Some(peer.local_addr().expect("it is bound"));
    let run = Run::start(run_of(client, None, 100.0, Some(1))).expect("it starts");
    let ports = [1, 2].map(|cseq| {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = peer.recv_from(&mut buffer).expect("a request");
            let request = String::from_utf8_lossy(&buffer[..length]);
            // The other one may be repeated.
            if request.contains(&format!("CSeq: {cseq} ")) {
                assert!(
                    request.contains(&format!("127.0.0.1:{};branch", from.port())),
                    "{request}"
                );
                peer.send_to(answer(&request).as_bytes(), from)
                    .expect("sent");
                return from.port();
            }
        }
    });
    let (report, main) = end(run);
    assert_eq!(
        (report.ending, main.calls.succeeded),
        (Ending::Completed, 1)
    );
    assert_ne!(ports[0], ports[1]);
}
