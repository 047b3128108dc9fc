// SPDX-License-Identifier: AGPL-3.0-only
//! Messages mirrored to a collector, from the command line.

mod place;

use gossipper_hep::decode;
use place::run;
use std::net::UdpSocket;
use std::time::Duration;

#[test]
fn a_run_mirrors_its_messages_to_the_collector_it_is_told() {
    let collector = UdpSocket::bind("127.0.0.1:0").expect("it binds");
    let wait = Some(Duration::from_millis(200));
    collector.set_read_timeout(wait).expect("it can wait");
    let address = collector.local_addr().expect("an address");
    let ran = run(&format!(
        "-loopback -m 2 -r 100 -d 0 -hep_addr udp:{address} -hep_capture_id 4000000000 -hep_password open"
    ));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(!ran.err.contains("HEP"), "{}", ran.shown());
    let (mut methods, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while let Ok((len, _)) = collector.recv_from(&mut buffer) {
        let packet = decode(&buffer[..len]).expect("a packet of HEP");
        assert_eq!(packet.capture_id, 4_000_000_000);
        assert_eq!(packet.auth_key, Some(&b"open"[..]));
        let text = String::from_utf8_lossy(packet.payload);
        methods.extend(text.split(' ').next().map(str::to_owned));
    }
    methods.sort();
    let count = |method: &str| methods.iter().filter(|found| *found == method).count();
    // Each is sent by one side and received by the other.
    assert_eq!(
        ["INVITE", "ACK", "BYE"].map(count),
        [4, 4, 4],
        "{methods:?}"
    );
    assert!(count("SIP/2.0") >= 8, "{methods:?}");
}

#[test]
fn a_collector_that_is_not_there_is_in_the_summary_and_not_in_the_exit_code() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("it binds");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let ran = run(&format!("-loopback -m 2 -r 100 -d 0 -hep_addr {address}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let shown = ran.shown();
    let line = shown.lines().find(|line| line.starts_with("HEP "));
    let line = line.unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("not mirrored"), "{line}");
    assert!(line.contains(&address.to_string()), "{line}");
}
