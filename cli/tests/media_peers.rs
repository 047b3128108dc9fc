// SPDX-License-Identifier: AGPL-3.0-only
//! Media towards others: SIPp on either side, and tshark looking at what we send. Each test says so when its tool is missing.

mod by_hand;

use by_hand::{GOSSIPPER, Peer, request, start};
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Calls of a test.
const CALLS: u64 = 3;

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has(tool: &str, argument: &str) -> bool {
    let found = Command::new(tool).arg(argument).output().is_ok();
    if !found {
        eprintln!("skipped: no {tool} on this machine");
    }
    found
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    socket.local_addr().expect("bound").port()
}

/// Waits until somebody has the port: the kernel says as long as nobody has. To try to have it would keep it from them.
fn taken(port: u16) {
    let probe = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    probe.connect(("127.0.0.1", port)).expect("an address");
    probe
        .set_read_timeout(Some(Duration::from_millis(50)))
        .expect("a limit");
    let until = Instant::now() + Duration::from_secs(30);
    let refused = || {
        probe.send(b"\r\n\r\n").is_err()
            || probe
                .recv(&mut [0; 16])
                .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    while refused() {
        assert!(Instant::now() < until, "nobody listens");
        std::thread::yield_now();
    }
}

fn finished(child: Child) -> Output {
    child.wait_with_output().expect("it ends")
}

/// The value of a figure in our last line.
fn figure(output: &Output, name: &str) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let found = found.unwrap_or_else(|| panic!("no {name} in {text}"));
    found.parse().expect("a number")
}

fn sdp() -> &'static str {
    "v=0\no=- 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
     m=audio [rtpstream_audio_port] RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n"
}

/// A call that does this when it is answered, and lasts so long.
fn caller(action: &str, ms: u32) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"caller\">\n{}\
         <recv response=\"100\" optional=\"true\"/><recv response=\"180\" optional=\"true\"/>\n\
         <recv response=\"200\"><action>{action}</action></recv>\n{}<pause milliseconds=\"{ms}\"/>\n{}\
         <recv response=\"200\"/></scenario>\n",
        request("INVITE", 1, sdp()),
        request("ACK", 1, ""),
        request("BYE", 2, ""),
    )
}

fn folder(action: &str, ms: u32) -> TempDir {
    let folder = TempDir::with_prefix("gossipper-peers-").expect("a folder");
    std::fs::write(folder.path().join("caller.xml"), caller(action, ms)).expect("written");
    // A second of payload.
    std::fs::write(folder.path().join("sound.raw"), [0x55; 8000]).expect("written");
    folder
}

const PLAY: &str = r#"<exec rtp_stream="sound.raw,-1,8"/>"#;

#[test]
fn sipp_returns_what_we_play() {
    if !has("sipp", "-v") {
        return;
    }
    let folder = folder(PLAY, 500);
    let (sip, media, own) = (free_port(), free_port() & !1, free_port() & !1);
    let server = format!(
        "-sn uas -rtp_echo -mi 127.0.0.1 -mp {media} -i 127.0.0.1 -p {sip} -m {CALLS} -timeout 30 -nostdin"
    );
    let server = start("sipp", folder.path(), &server);
    taken(sip);
    let client = format!(
        "sipp -sf caller.xml 127.0.0.1:{sip} -i 127.0.0.1 -mp {own} -m {CALLS} -r 20 -nostdin -timeout 30"
    );
    let ours = finished(start(GOSSIPPER, folder.path(), &client));
    assert!(ours.status.success(), "{ours:?}");
    assert!(finished(server).status.success());
    let (sent, received) = (figure(&ours, "rtp_sent"), figure(&ours, "rtp_recv"));
    // 500 ms of 20 ms and the first packet at once, but for a machine that comes late.
    assert!((20 * CALLS..=27 * CALLS).contains(&sent), "{sent}");
    // The last ones are on their way when the call ends.
    assert!(
        (sent - 2 * CALLS..=sent).contains(&received),
        "{sent} {received}"
    );
}

#[test]
fn we_hear_and_return_what_sipp_plays() {
    if !has("sipp", "-v") {
        return;
    }
    let folder = folder(PLAY, 500);
    let (sip, media, own) = (free_port(), free_port() & !1, free_port() & !1);
    let server = format!(
        "-sn media_uas -mi 127.0.0.1 -mp {media} -i 127.0.0.1 -p {sip} -m {CALLS} -timeout 30 -nostdin"
    );
    let server = start(GOSSIPPER, folder.path(), &server);
    taken(sip);
    let client = format!(
        "-sf caller.xml 127.0.0.1:{sip} -i 127.0.0.1 -mi 127.0.0.1 -mp {own} -m {CALLS} -r 20 -nostdin -timeout 30"
    );
    let theirs = finished(start("sipp", folder.path(), &client));
    assert!(theirs.status.success(), "{theirs:?}");
    let ours = finished(server);
    assert!(ours.status.success(), "{ours:?}");
    let received = figure(&ours, "rtp_recv");
    assert!((15 * CALLS..=30 * CALLS).contains(&received), "{received}");
    let text = String::from_utf8_lossy(&ours.stdout);
    assert!(text.contains("Heard      3 streams"), "{text}");
    assert!(!text.contains(" lost"), "{text}");
    assert!(figure(&ours, "rtp_sent") > 15 * CALLS);
}

/// A capture of raw IP packets from UDP datagrams, 20 ms apart.
fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend([2, 0, 4, 0]);
    out.extend([0; 8]);
    out.extend(65_535_u32.to_le_bytes());
    out.extend(101_u32.to_le_bytes());
    for (index, payload) in (0_u32..).zip(packets) {
        let udp = 8 + payload.len() as u16;
        let mut frame = vec![0x45, 0];
        frame.extend((20 + udp).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        frame.extend(4000_u16.to_be_bytes());
        frame.extend(5000_u16.to_be_bytes());
        frame.extend(udp.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(payload);
        out.extend((index / 50).to_le_bytes());
        out.extend((index % 50 * 20_000).to_le_bytes());
        out.extend((frame.len() as u32).to_le_bytes());
        out.extend((frame.len() as u32).to_le_bytes());
        out.extend(frame);
    }
    out
}

/// A peer that answers a call by hand, and everything that comes to its media port until the BYE.
fn heard_by_hand(folder: &Path, flags: &str) -> Vec<Vec<u8>> {
    let peer = Peer::new();
    let line = format!(
        "-sf caller.xml 127.0.0.1:{} -i 127.0.0.1 -nostdin -timeout 30 {flags}",
        peer.sip_port()
    );
    let client = start(GOSSIPPER, folder, &line);
    let description = format!(
        "v=0\nc=IN IP4 127.0.0.1\nm=audio {} RTP/AVP 8 105\na=rtpmap:105 telephone-event/8000\n",
        peer.media_port()
    );
    peer.answer(&description, |_| {});
    let ended = finished(client);
    assert!(ended.status.success(), "{ended:?}");
    peer.media.set_nonblocking(true).expect("it can");
    let mut buffer = [0; 65_536];
    let mut packets = Vec::new();
    while let Ok(len) = peer.media.recv(&mut buffer) {
        packets.push(buffer[..len].to_vec());
    }
    packets
}

fn tshark(folder: &Path, packets: &[Vec<u8>], fields: &str) -> String {
    let path = folder.join("heard.pcap");
    std::fs::write(&path, capture(packets)).expect("written");
    let line = format!("-r heard.pcap -d udp.port==5000,rtp -T fields {fields}");
    let shown = finished(start("tshark", folder, &line));
    assert!(shown.status.success(), "{shown:?}");
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

#[test]
fn tshark_reads_our_digits() {
    if !has("tshark", "-v") {
        return;
    }
    let folder = folder(r#"<exec send_dtmf="5#"/>"#, 700);
    let packets = heard_by_hand(folder.path(), "");
    let shown = tshark(
        folder.path(),
        &packets,
        "-o rtpevent.event_payload_type_value:105 -e rtp.p_type -e rtp.marker -e rtpevent.event_id \
         -e rtpevent.end_of_event -e rtpevent.duration -e rtpevent.volume",
    );
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(rows.iter().all(|row| row[0] == "105"), "{shown}");
    for event in ["5", "11"] {
        let of: Vec<_> = rows.iter().filter(|row| row[2] == event).collect();
        let truth = |field: &str| matches!(field, "1" | "True");
        assert!(of.len() >= 6, "{shown}");
        // One marker, at the beginning; three packets that end it, after 100 ms.
        let marked: Vec<_> = of.iter().map(|row| truth(row[1])).collect();
        assert!(marked[0] && !marked[1..].contains(&true), "{shown}");
        let ends: Vec<_> = of.iter().filter(|row| truth(row[3])).collect();
        assert_eq!(ends.len(), 3, "{shown}");
        assert!(
            ends.iter().all(|row| row[4] == "800" && row[5] == "10"),
            "{shown}"
        );
    }
}

#[test]
fn tshark_finds_our_stream_whole_and_even() {
    if !has("tshark", "-v") {
        return;
    }
    let folder = folder(
        r#"<exec rtp_stream="synthetic,-1,8,PCMA/8000,20,400"/>"#,
        600,
    );
    let packets = heard_by_hand(folder.path(), "");
    assert_eq!(packets.len(), 20);
    let shown = tshark(
        folder.path(),
        &packets,
        "-e rtp.version -e rtp.p_type -e rtp.marker -e rtp.seq -e rtp.timestamp -e rtp.ssrc",
    );
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 20, "{shown}");
    let number = |text: &str| text.parse::<u32>().expect("a number");
    for pair in rows.windows(2) {
        assert_eq!((pair[1][0], pair[1][1]), ("2", "8"), "{shown}");
        let step = number(pair[1][3]).wrapping_sub(number(pair[0][3])) & 0xffff;
        let time = number(pair[1][4]).wrapping_sub(number(pair[0][4]));
        assert_eq!((step, time, pair[1][5]), (1, 160, pair[0][5]), "{shown}");
    }
}
