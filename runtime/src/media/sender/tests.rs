// SPDX-License-Identifier: AGPL-3.0-only
//! What receivers get of a sender: packets, reports, goodbyes, and what is refused before.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use gossipper_media::rtcp::{Compound, RtcpPacket};
use gossipper_media::rtp::Packet;

use super::*;
use crate::pacing::Rate;
use crate::profile::RateProfile;

/// Longer than any test takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Two sockets at a port and the one above.
fn pair(ip: IpAddr) -> (UdpSocket, UdpSocket) {
    for _ in 0..100 {
        let rtp = UdpSocket::bind((ip, 0)).expect("a port");
        let port = rtp.local_addr().expect("an address").port();
        if let Some(above) = port.checked_add(1)
            && let Ok(rtcp) = UdpSocket::bind((ip, above))
        {
            return (rtp, rtcp);
        }
    }
    panic!("no two ports side by side");
}

fn config(remotes: Vec<SocketAddr>, streams: usize) -> SenderConfig {
    SenderConfig {
        remotes,
        local_ip: None,
        // Far from what other tests take.
        ports: (46_000, 60_000),
        streams,
        begins: Begins::AtOnce,
        codec: Codec::Pcma,
        payload_type: 8,
        packet_ms: Some(10),
        channels: 1,
        sound: SenderSound::Tone(None),
        length: Some(Duration::from_millis(200)),
        scale: false,
        buffer_bytes: None,
        threads: 1,
        seed: 7,
    }
}

/// What has come, and has nothing behind it.
fn drain(socket: &UdpSocket) -> Vec<(SocketAddr, Vec<u8>)> {
    socket.set_nonblocking(true).expect("it can be");
    let mut buffer = [0; 2048];
    let mut all = Vec::new();
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        all.push((from, buffer[..len].to_vec()));
    }
    all
}

fn run(config: SenderConfig) -> MediaSnapshot {
    let sender = RtpSender::start(config).expect("it begins");
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a reactor");
    reactor
        .block_on(async { tokio::time::timeout(LIMIT, sender.ended()).await })
        .expect("it ends by itself");
    let snapshot = sender.finish();
    assert_eq!(snapshot.engines[0].phase, Phase::Ended);
    *snapshot.engines[0].media.clone().expect("media")
}

#[test]
#[expect(clippy::print_stderr, reason = "what is skipped is said")]
fn a_stream_has_its_length_its_reports_and_a_goodbye() {
    for ip in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        let Ok(_) = UdpSocket::bind((ip, 0)) else {
            eprintln!("SKIPPED: this machine has no {ip}");
            continue;
        };
        let (rtp, rtcp) = pair(ip);
        let to = rtp.local_addr().expect("an address");
        let media = run(SenderConfig {
            length: Some(Duration::from_millis(600)),
            ..config(vec![to], 1)
        });
        assert_eq!((media.packets_sent, media.unsent), (60 - media.skipped, 0));
        assert_eq!(media.closed.octets_sent, 80 * media.packets_sent);
        let packets = drain(&rtp);
        assert_eq!(packets.len() as u64, media.packets_sent);
        let headers: Vec<_> = packets
            .iter()
            .map(|(_, bytes)| Packet::parse(bytes).expect("RTP").header)
            .collect();
        assert!(headers[0].marker && !headers[1].marker);
        for (one, next) in headers.iter().zip(&headers[1..]) {
            assert_eq!(next.sequence, one.sequence.wrapping_add(1));
            let step = next.timestamp.wrapping_sub(one.timestamp);
            assert!(step > 0 && step.is_multiple_of(80), "{step}");
            assert_eq!((next.ssrc, next.payload_type), (one.ssrc, 8));
        }
        let reports = drain(&rtcp);
        assert_eq!(
            reports.len() as u64,
            media.sender_reports + media.receiver_reports
        );
        let last = reports.last().expect("a report");
        assert_eq!(last.0.port(), packets[0].0.port() + 1);
        let parts: Vec<_> = Compound::parse(&last.1).expect("RTCP").packets().collect();
        assert!(
            matches!(parts[0], RtcpPacket::SenderReport { ssrc, .. } if ssrc == headers[0].ssrc)
        );
        assert!(matches!(parts.last(), Some(RtcpPacket::Goodbye(_))));
    }
}

#[test]
fn many_streams_on_several_threads_have_ports_and_sources_of_their_own_and_take_destinations_in_turn()
 {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let peers = [pair(ip), pair(ip)];
    let remotes = peers
        .each_ref()
        .map(|(rtp, _)| rtp.local_addr().expect("an address"));
    let media = run(SenderConfig {
        threads: 2,
        scale: true,
        channels: 2,
        sound: SenderSound::Noise,
        ..config(remotes.to_vec(), 6)
    });
    assert_eq!(media.packets_sent + media.skipped, 6 * 20);
    assert_eq!(
        (media.sender_reports, media.unsent, media.closed.streams),
        (0, 0, 6)
    );
    let mut sources = BTreeMap::new();
    for (rtp, rtcp) in &peers {
        let mut ports = BTreeMap::new();
        for (from, bytes) in drain(rtp) {
            let packet = Packet::parse(&bytes).expect("RTP");
            assert_eq!(packet.payload.len(), 2 * 80);
            assert!(packet.payload.chunks(2).all(|pair| pair[0] == pair[1]));
            *ports.entry(from.port()).or_insert(0) += 1;
            *sources.entry(packet.header.ssrc).or_insert(0u64) += 1;
        }
        assert_eq!(ports.len(), 3, "{ports:?}");
        assert!(ports.keys().all(|port| port.is_multiple_of(2)));
        assert!(drain(rtcp).is_empty());
    }
    assert_eq!(sources.len(), 6);
    assert_eq!(sources.values().sum::<u64>(), media.packets_sent);
}

#[test]
fn a_stream_without_end_is_stopped_and_hears_what_comes_back() {
    let (rtp, _rtcp) = pair(IpAddr::V4(Ipv4Addr::LOCALHOST));
    rtp.set_read_timeout(Some(LIMIT)).expect("a limit");
    let to = rtp.local_addr().expect("an address");
    let sender = RtpSender::start(SenderConfig {
        length: None,
        ..config(vec![to], 1)
    })
    .expect("it begins");
    let mut buffer = [0; 2048];
    for _ in 0..5 {
        let (len, from) = rtp.recv_from(&mut buffer).expect("a packet");
        rtp.send_to(&buffer[..len], from).expect("sent back");
    }
    let heard = |sender: &RtpSender| {
        let snapshot = sender.snapshot();
        let media = snapshot.engines[0].media.as_ref();
        media.map_or(0, |media| media.packets_received)
    };
    let begun = std::time::Instant::now();
    while heard(&sender) < 5 && begun.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    assert_eq!(sender.sending(), 1);
    let snapshot = sender.finish();
    let media = snapshot.engines[0].media.as_ref().expect("media");
    assert_eq!((media.packets_received, media.closed.received), (5, 1));
}

#[test]
fn what_cannot_be_sent_is_said_before_anything_is() {
    let to: SocketAddr = "127.0.0.1:9".parse().expect("an address");
    let refusal = |config| match RtpSender::start(config) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let base = || config(vec![to], 1);
    let cases = [
        (
            SenderConfig {
                codec: Codec::Ilbc,
                packet_ms: Some(20),
                ..base()
            },
            "iLBC has no packets of 20 ms",
        ),
        (
            SenderConfig {
                channels: 9,
                ..base()
            },
            "9 channels",
        ),
        (
            SenderConfig {
                sound: SenderSound::File("/nowhere/at all".into()),
                ..base()
            },
            "cannot read `/nowhere/at all`",
        ),
        (
            SenderConfig {
                ports: (46_000, 46_001),
                ..base()
            },
            "no ports for 1 streams",
        ),
        (
            SenderConfig {
                local_ip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
                ..base()
            },
            "different families",
        ),
    ];
    for (config, why) in cases {
        let said = refusal(config);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn streams_begin_together_at_a_rate_or_along_a_curve() {
    use crate::profile::Point;
    let at = |begins: &Begins, index| begins.at_us(index, 10, 20_000);
    assert_eq!(at(&Begins::AtOnce, 5), Some(10_000));
    let rate = Begins::Rate(Rate::new(4.0, 1000));
    assert_eq!((at(&rate, 0), at(&rate, 6)), (Some(0), Some(1_500_000)));
    let point = |at_us, per_second| Point { at_us, per_second };
    let curve = RateProfile::new(&[point(0, 2.0), point(1_000_000, 2.0), point(1_000_001, 0.0)]);
    let curve = Begins::Profile(Arc::new(curve.expect("a curve")));
    assert_eq!(at(&curve, 0), Some(500_000));
    // The curve has ended before.
    assert_eq!(at(&curve, 9), None);
}
