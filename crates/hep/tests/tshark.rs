// SPDX-License-Identifier: AGPL-3.0-only
//! What tshark's dissector of HEP3 reads in our packets.
//!
//! The dissector is a plugin (`hep.lua` of the project hep-wireshark). It is used where it is installed, or named by
//! `GOSSIPPER_HEP_LUA`; without it, or without tshark, this skips, and says so.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the other side of the comparison is a program that reads files, and may be missing"
)]

use gossipper_hep::{IpProtocol, Packet, PayloadType, Timestamp};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

/// A capture of Ethernet frames with IPv4 and UDP to the port of HEP.
fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for hep in packets {
        let mut frame = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        let total = (20 + 8 + hep.len()) as u16;
        frame.extend_from_slice(&total.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for word in [9059u16, 9060, 8 + hep.len() as u16, 0] {
            frame.extend_from_slice(&word.to_be_bytes());
        }
        frame.extend_from_slice(hep);
        let len = frame.len() as u32;
        for word in [1_700_000_000, 0, len, len] {
            out.extend_from_slice(&u32::to_le_bytes(word));
        }
        out.extend_from_slice(&frame);
    }
    out
}

/// Arguments that bring the dissector; `None`, and a line that says why, without one.
fn dissector() -> Option<Vec<String>> {
    if let Ok(file) = std::env::var("GOSSIPPER_HEP_LUA") {
        return Some(vec!["-X".into(), format!("lua_script:{file}")]);
    }
    let Ok(protocols) = Command::new("tshark").args(["-G", "protocols"]).output() else {
        eprintln!("SKIPPED: tshark is not installed");
        return None;
    };
    let known = String::from_utf8_lossy(&protocols.stdout)
        .lines()
        .any(|line| line.split('\t').nth(2) == Some("hep3"));
    if !known {
        eprintln!("SKIPPED: tshark has no dissector of HEP3 (GOSSIPPER_HEP_LUA names one)");
    }
    known.then(Vec::new)
}

fn message(call_id: &str) -> String {
    format!(
        "OPTIONS sip:192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
         From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn tshark_reads_every_chunk_as_it_was_written() {
    let Some(plugin) = dissector() else {
        return;
    };
    let from = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let ends = [
        (IpProtocol::UDP, "192.0.2.1:5060", "192.0.2.2:5061"),
        (IpProtocol::TCP, "198.51.100.7:40000", "203.0.113.9:5060"),
        (IpProtocol::TCP, "[2001:db8::1]:40001", "[2001:db8::2]:5061"),
    ];
    let (mut packets, mut expected) = (Vec::new(), Vec::new());
    for (index, (protocol, source, destination)) in ends.into_iter().enumerate() {
        let call_id = format!("{index}-4711@192.0.2.1");
        let text = message(&call_id);
        let (source, destination) = (from(source), from(destination));
        let packet = Packet {
            capture_id: 2001,
            auth_key: Some(b"secret"),
            correlation_id: Some(call_id.as_bytes()),
            ..Packet::new(
                protocol,
                source,
                destination,
                Timestamp::from_micros(1_769_854_272_000_007 + index as u64),
                PayloadType::SIP,
                text.as_bytes(),
            )
        };
        let mut bytes = Vec::new();
        packet.encode(&mut bytes).expect("it fits");
        // The plugin writes IPv6 addresses in a form of its own.
        let [family, source_ip, destination_ip] = if source.is_ipv4() {
            let (source, destination) = (source.ip().to_string(), destination.ip().to_string());
            ["IPv4".to_owned(), source, destination]
        } else {
            ["IPv6".to_owned(), String::new(), String::new()]
        };
        let columns = [
            bytes.len().to_string(),
            family,
            protocol.to_string(),
            source_ip,
            destination_ip,
            source.port().to_string(),
            destination.port().to_string(),
            "1769854272".into(),
            (7 + index).to_string(),
            "SIP".into(),
            "2001".into(),
            "secret".into(),
            call_id.clone(),
            // What the dissector of SIP reads in the payload.
            call_id,
            "OPTIONS".into(),
        ];
        expected.push(columns.join("|"));
        packets.push(bytes);
    }
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hep.pcap");
    std::fs::write(&file, capture(&packets)).expect("a writable folder");
    let fields = [
        "hep3.length",
        "hep3.protocol_family",
        "hep3.protocol_id",
        "hep3.src_ipv4_address",
        "hep3.dst_ipv4_address",
        "hep3.src_port",
        "hep3.dst_port",
        "hep3.timestamp",
        "hep3.timestamp_us",
        "hep3.protocol_type",
        "hep3.capture_id",
        "hep3.auth_key",
        "hep3.correlation_id",
        "sip.Call-ID",
        "sip.Method",
    ];
    let output = Command::new("tshark")
        .args(plugin)
        .args(["-n", "-Y", "hep3", "-T", "fields", "-E", "separator=|"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(&file)
        .output()
        .expect("tshark runs");
    std::fs::remove_file(&file).expect("the file is ours");
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines, expected, "{complaints}");
}
