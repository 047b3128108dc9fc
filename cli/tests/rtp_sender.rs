// SPDX-License-Identifier: AGPL-3.0-only
//! `-rtp_send`, offers that are answered with keywords, and the picture of a call's media, as a user meets them.

mod place;

use gossipper_capture::Datagram;
use gossipper_capture::write::Writer;
use gossipper_media::rtp::{Header, Packet};
use place::{BINARY, Place, metrics_at};
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A number of the last line.
fn figure(out: &str, name: &str) -> u64 {
    let line = out.lines().last().expect("a line");
    assert!(line.starts_with("rtp_sender: done  sent="), "{out}");
    let word = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    word.and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("{name}: {out}"))
}

#[test]
fn rtp_is_sent_without_sip_and_reported() {
    let place = Place::new();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let to = peer.local_addr().expect("an address");
    let ran = place.run(&format!(
            "-rtp_send -rtp_addr {to} -rtp_codec PCMA -rtp_freq 10 -rtp_dur 300 -mp 42000 -summary_json s.json"
        ),
    );
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let first = format!(
        "rtp_sender: streaming to {to} codec=PCMA/8000 pt=8 freq=10ms duration=300ms channels=1\n"
    );
    assert!(ran.out.starts_with(&first), "{}", ran.out);
    let sent = figure(&ran.out, "sent");
    assert_eq!(sent + figure(&ran.out, "skipped"), 30);
    assert_eq!(figure(&ran.out, "octets"), 80 * sent);
    assert_eq!(figure(&ran.out, "not_sent"), 0);
    peer.set_nonblocking(true).expect("it can be");
    let mut buffer = [0; 2048];
    let mut came = 0;
    while let Ok(len) = peer.recv(&mut buffer) {
        let packet = Packet::parse(&buffer[..len]).expect("RTP");
        assert_eq!((packet.header.payload_type, packet.payload.len()), (8, 80));
        came += 1;
    }
    assert_eq!(came, sent);
    let summary = std::fs::read_to_string(place.path("s.json")).expect("a summary");
    assert!(
        summary.contains(&format!("\"rtp_packets_sent\": {sent}")),
        "{summary}"
    );
}

#[test]
fn streams_of_a_file_go_to_destinations_in_turn_and_a_gate_judges_them() {
    let place = Place::new();
    place.write("sound.raw", [7; 1000]);
    let peers = [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    let [one, other] = peers
        .each_ref()
        .map(|peer| peer.local_addr().expect("an address"));
    let ran = place.run(&format!(
            "-rtp_send -rtp_addr {one},{other} -media_scale -rtp_streams 4 -shards 2 -rtp_file sound.raw -rtp_dur 100 \
             -mp 43000 -r 1000 -threshold calls>0"
        ),
    );
    // Nobody was called, which is what was asked for.
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("Health     FAIL"), "{}", ran.out);
    let sent = figure(&ran.out, "sent");
    assert_eq!(sent + figure(&ran.out, "skipped"), 20);
    let mut came = 0;
    for peer in &peers {
        peer.set_nonblocking(true).expect("it can be");
        let mut buffer = [0; 2048];
        let mut here = 0;
        while let Ok(len) = peer.recv(&mut buffer) {
            let packet = Packet::parse(&buffer[..len]).expect("RTP");
            assert_eq!(packet.payload, [7; 160]);
            here += 1;
        }
        assert!(here > 0);
        came += here;
    }
    assert_eq!(came, sent);
}

#[test]
fn it_is_refused_what_makes_no_sense_without_calls() {
    let place = Place::new();
    for (line, why) in [
        (
            "-rtp_send",
            "-rtp_addr is required for standalone RTP sender",
        ),
        (
            "-rtp_send -rtp_addr 127.0.0.1:4000 -sn uac",
            "-sn is about calls",
        ),
        (
            "-rtp_addr 127.0.0.1:4000 -sn uac -loopback",
            "it needs -rtp_send",
        ),
        (
            "-sn uac -loopback -media_iouring",
            "media_iouring requires media_scale",
        ),
        (
            "-rtp_send -rtp_addr 127.0.0.1:4000 -rtp_codec iLBC -rtp_freq 20",
            "no packets of 20 ms",
        ),
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, 1, "{line}: {}", ran.err);
        assert!(ran.err.contains(why), "{line}: {}", ran.err);
    }
    assert!(place.run("-rtp_send -h").out.contains("-rtp_send"));
    assert!(!place.run("sipp -h").out.contains("-rtp_send"));
}

/// Answers with what was offered and a key of its own, and fails a call that it does not hear.
const ANSWERS: &str = r#"<scenario>
<recv request="INVITE"/>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=b[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
[audio_sdp]
a=rtcp-mux
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:[cryptokeyparams1audio]

]]></send>
<recv request="ACK"/>
<nop><action>
<exec rtp_stream="synthetic,-1,[audio_pt],[audio_codec],20,5000,1,noise"/>
<exec rtpcheck="min_packets=5,timeout_ms=30000,direction=recv"/>
</action></nop>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>"#;

#[test]
fn the_built_in_of_browsers_is_encrypted_and_answered_with_keywords() {
    let place = Place::new();
    place.write("answers.xml", ANSWERS);
    let line = "-sn invite_media_savpf -loopback -loopback_sf answers.xml -media_srtp -mp 44000 -nostdin \
                -srtpcheck_debug";
    let ran = place.run(line);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("0 failed"), "{}", ran.out);
    let agreed = std::fs::read_to_string(place.path("srtpctxdebugfile_uas")).expect("a file");
    assert!(
        agreed.contains("audio: sends with AES_CM_128_HMAC_SHA1_80"),
        "{agreed}"
    );
    let taken = std::fs::read_to_string(place.path("debugrsrtpafile_uas")).expect("a file");
    assert!(taken.contains(" 0 with a wrong tag"), "{taken}");
    // With the wrong key nothing would be counted as received.
    let heard = ran.out.lines().find(|line| line.starts_with("RTP  "));
    let heard = heard.unwrap_or_else(|| panic!("{}", ran.out));
    assert!(
        !heard.contains("useless") && !heard.contains(" 0 received"),
        "{heard}"
    );
}

#[test]
fn the_media_of_a_capture_are_drawn() {
    let place = Place::new();
    let mut writer = Writer::new();
    for index in 0..50u16 {
        let header = Header {
            marker: index == 0,
            payload_type: 0,
            sequence: index,
            timestamp: 160 * u32::from(index),
            ssrc: 1,
        };
        let mut payload = Vec::new();
        header.append(&[0xff; 160], &mut payload);
        let datagram = Datagram {
            frame: 0,
            time: Duration::from_millis(20 * u64::from(index)),
            source: "192.0.2.1:4000".parse().expect("an address"),
            destination: "192.0.2.2:5000".parse().expect("an address"),
            payload,
        };
        writer.datagram(&datagram).expect("it fits");
    }
    place.write("media.pcap", writer.into_bytes());
    let line = "ladder --media media.pcap";
    let ran = place.run(&format!("{line} --ascii"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("packets, 0 lost"), "{}", ran.out);
    let ran = place.run(&format!("{line} -o media.svg"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let drawn = std::fs::read_to_string(place.path("media.svg")).expect("a picture");
    assert!(drawn.starts_with("<svg "), "{drawn}");
    let ran = place.run("ladder --media nowhere.pcap");
    assert!(
        ran.code == 1 && ran.err.contains("cannot read `nowhere.pcap`"),
        "{}",
        ran.err
    );
}

#[test]
fn a_sender_without_end_stops_when_it_is_interrupted() {
    let place = Place::new();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    peer.set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a limit");
    let to = peer.local_addr().expect("an address").to_string();
    let mut running = Command::new(BINARY)
        .args(["-rtp_send", "-rtp_addr", &to, "-mp", "45000"])
        .current_dir(place.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut buffer = [0; 2048];
    for _ in 0..3 {
        peer.recv(&mut buffer).expect("a packet");
    }
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let code = running.wait().expect("it ends").code();
    assert_eq!(code, Some(0));
}

/// The value of a metric; `None` until it is there.
fn metric(address: &str, name: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let line = page.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_sender_whose_streams_come_up_by_steps_is_scraped_meanwhile() {
    let place = Place::new();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let to = peer.local_addr().expect("an address");
    let line = format!(
        "-rtp_send -rtp_addr {to} -media_scale -rtp_streams 12 -r 10 -rate_increase 20 -rate_interval 200 -rate_max 40 \
         -mp 43000 -timeout 60 -prometheus_addr 127.0.0.1:0"
    );
    let mut child = place
        .command(BINARY, &line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("it is ours"));
    let (_, address) = metrics_at(&mut said);
    let until = Instant::now() + Duration::from_secs(30);
    while metric(&address, "gossipper_rtp_sent_total").is_none_or(|sent| sent < 200.0) {
        assert!(Instant::now() < until, "nothing is sent");
    }
    let ended = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(ended.is_ok_and(|status| status.success()));
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(figure(&out, "sent") >= 200, "{out}");
    // Of streams that all began at once the sources would be there within a packet; of these they come one by one.
    peer.set_nonblocking(true).expect("it can be");
    let mut buffer = [0; 2048];
    let (mut sources, mut packets_before_third) = (Vec::new(), 0);
    while let Ok(len) = peer.recv(&mut buffer) {
        let ssrc = Packet::parse(&buffer[..len]).expect("RTP").header.ssrc;
        packets_before_third += usize::from(sources.len() < 3);
        if !sources.contains(&ssrc) {
            sources.push(ssrc);
        }
    }
    assert_eq!(sources.len(), 12);
    // 0, 100 and 200 ms: ten of the first and five of the second.
    assert!(packets_before_third >= 10, "{packets_before_third}");
}
