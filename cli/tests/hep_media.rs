// SPDX-License-Identifier: AGPL-3.0-only
//! What a collector is told of media, and what summary and records say of the same streams, from the command line.

mod place;

use gossipper_hep::{IpProtocol, PayloadType, decode};
use gossipper_media::rtcp::{Compound, RtcpPacket};
use place::{BINARY, Place, Ran, builtin};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// A call of about a second with a tone and two digits.
fn caller() -> String {
    let text = include_str!("results/media.xml");
    let described = "m=audio [rtpstream_audio_port] RTP/AVP 8\n";
    assert!(text.contains(described));
    let text = text.replace(
        described,
        "m=audio [rtpstream_audio_port] RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n",
    );
    let pause = "<pause milliseconds=\"400\"/>";
    assert!(text.contains(pause));
    text.replace(
        pause,
        "<pause milliseconds=\"200\"/><nop><action><exec send_dtmf=\"5#\"/></action></nop><pause milliseconds=\"900\"/>",
    )
}

/// A packet, taken apart.
#[derive(Debug)]
struct Seen {
    kind: PayloadType,
    call_id: String,
    way: [SocketAddr; 2],
    payload: Vec<u8>,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).expect("JSON")
    }
}

/// A call by our own rules, and what the collector got.
fn mirrored(place: &Place, flags: &str) -> (Ran, Vec<Seen>) {
    let answerer = [
        (
            "m=audio [rtpstream_audio_port] RTP/AVP 0\n",
            "m=audio [rtpstream_audio_port] RTP/AVP 8 101\n",
        ),
        (
            "a=rtpmap:0 PCMU/8000\n",
            "a=rtpmap:8 PCMA/8000\n    a=rtpmap:101 telephone-event/8000\n",
        ),
        ("synthetic,-1,0,PCMU/8000", "synthetic,-1,8,PCMA/8000"),
    ];
    let mut text = builtin("media_uas");
    for (from, to) in answerer {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    place.write("answerer.xml", text);
    let collector = UdpSocket::bind("127.0.0.1:0").expect("it binds");
    let address = collector.local_addr().expect("an address");
    place.write("caller.xml", caller());
    let line = format!(
        "-sf caller.xml -loopback -loopback_sf answerer.xml -m 1 -timeout_global 60 -hep_addr {address} -hep_capture_id 7 {flags}"
    );
    let ran = Ran::from(place.command(BINARY, &line).output().expect("it runs"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(!ran.shown().contains("not mirrored"), "{}", ran.shown());
    // All of it was sent before the program ended.
    let wait = Some(Duration::from_millis(200));
    collector.set_read_timeout(wait).expect("it can wait");
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while let Ok((len, _)) = collector.recv_from(&mut buffer) {
        let packet = decode(&buffer[..len]).expect("a packet of HEP");
        assert_eq!(packet.capture_id, 7);
        assert_eq!(packet.protocol, IpProtocol::UDP);
        seen.push(Seen {
            kind: packet.payload_type,
            call_id: String::from_utf8_lossy(packet.correlation_id.expect("a Call-ID")).into(),
            way: [packet.source, packet.destination],
            payload: packet.payload.to_vec(),
        });
    }
    let calls: BTreeSet<&str> = seen.iter().map(|seen| &*seen.call_id).collect();
    assert_eq!(calls.len(), 1, "SIP and media of one call: {calls:?}");
    (ran, seen)
}

fn of_kind(seen: &[Seen], kind: PayloadType) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.kind == kind).collect()
}

#[test]
fn rtcp_is_mirrored_packet_by_packet_with_the_ports_of_both_sides() {
    let place = Place::new();
    let (ran, seen) = mirrored(
        &place,
        "-hep_raw_rtcp -summary_json summary.json -call_records_jsonl calls.jsonl -health_max_rtcp_jitter_ts 4294967295",
    );
    let (mut senders, mut goodbyes, mut short, mut ways) = (0, 0, 0, BTreeSet::new());
    for packet in of_kind(&seen, PayloadType::RTCP) {
        let compound = Compound::parse(&packet.payload).expect("a whole packet of RTCP");
        ways.insert(packet.way);
        short += usize::from(packet.payload.len() == 28);
        for part in compound.packets() {
            match part {
                RtcpPacket::SenderReport { info, .. } => {
                    assert!(info.packets > 0);
                    senders += 1;
                }
                RtcpPacket::Goodbye(_) => goodbyes += 1,
                _ => {}
            }
        }
    }
    // Each way is seen by who sends and by who receives; both say goodbye.
    assert_eq!(ways.len(), 2, "{ways:?}");
    let way = ways.first().expect("a way");
    assert!(ways.contains(&[way[1], way[0]]), "{ways:?}");
    assert!(way.iter().all(|end| end.port() % 2 == 1), "{ways:?}");
    assert!(senders >= 4, "{senders}");
    assert!(goodbyes >= 2, "{goodbyes}");
    assert_eq!(short, 2, "one of each stream, at its end");
    assert!(of_kind(&seen, PayloadType::RTP_QUALITY).is_empty());

    // The same streams in the summary and in the record of the call.
    let text = std::fs::read_to_string(place.path("summary.json")).expect("written");
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    let media = &summary["media"];
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} {media}"));
    let (most, mean, least) = (
        number(&media["rtcp_max_jitter_ts"]),
        number(&media["rtcp_avg_jitter_ts"]),
        number(&media["rtcp_min_jitter_ts"]),
    );
    assert!(least <= mean && mean <= most, "{media}");
    assert!(number(&media["rtcp_reception_reports"]) >= 1.0);
    assert_eq!(media["media_calls_with_rtp_received"], 1);
    assert_eq!(summary["health"]["pass"], true);
    let line = std::fs::read_to_string(place.path("calls.jsonl")).expect("written");
    let record: Value = serde_json::from_str(&line).expect("one line");
    let of_call = &record["media"];
    assert_eq!(
        of_call["RTPPacketsReceived"],
        media["per_call_min_rtp_packets_received"]
    );
    assert_eq!(of_call["RTCPReportBlocks"], media["rtcp_reception_reports"]);
    assert_eq!(of_call["RTCPMaxJitter"], media["rtcp_max_jitter_ts"]);
    assert_eq!(
        of_call["RTPRecvInterarrivalJitterPeak"],
        media["rtp_recv_interarrival_jitter_peak_ts"]
    );
    assert_eq!(of_call["RTPPacketsSent"], media["rtp_packets_sent"]);
    assert!(number(&of_call["MOS"]) > 1.0, "{}", ran.shown());
}

#[test]
fn rtcp_in_the_words_of_homer_counts_more_than_packets() {
    let (_, seen) = mirrored(&Place::new(), "-hep_raw_rtcp -hep_homer_lake_rtcp");
    let reports = of_kind(&seen, PayloadType::RTCP);
    // One of each side, as the call is over before the first period is.
    assert_eq!(reports.len(), 2, "{seen:?}");
    for report in reports {
        let json = report.json();
        assert_eq!(json["type"], 200, "{json}");
        assert!(json["sender_information"]["ntp_timestamp_sec"].is_string());
        let blocks = json["report_blocks"].as_array().expect("a list");
        assert_eq!(json["report_count"], blocks.len());
        assert_eq!(
            (blocks.len(), &blocks[0]["packets_lost"]),
            (1, &0.into()),
            "{json}"
        );
        assert!(blocks[0]["highest_seq_no"].as_u64() > Some(0), "{json}");
    }
}

#[test]
fn short_reports_have_both_directions_their_sums_and_the_digits() {
    let (_, seen) = mirrored(&Place::new(), "-send_media_report");
    assert!(of_kind(&seen, PayloadType::RTCP).is_empty());
    let quality: Vec<Value> = of_kind(&seen, PayloadType::RTP_QUALITY)
        .into_iter()
        .map(Seen::json)
        .collect();
    // Two sides, two directions; when the call ends, and sums.
    for occasion in ["HANGUP", "FINAL"] {
        let of_it: Vec<_> = quality
            .iter()
            .filter(|json| json["TYPE"] == occasion)
            .collect();
        assert_eq!(of_it.len(), 4, "{occasion} {quality:?}");
        for json in of_it {
            assert_eq!(json["STYPE"], "GOSSIPPER");
            assert_eq!(
                (&json["CODEC_PT"], &json["CODEC_NAME"]),
                (&8.into(), &"PCMA".into())
            );
            assert_eq!(
                (&json["CLOCK"], &json["ONE_WAY_RTP"]),
                (&8000.into(), &0.into())
            );
            assert!(json["SSRC"].as_str().expect("text").starts_with("0x"));
            assert!(
                json["MOS"].as_f64() > Some(3.0) || json["DIR"] == 1,
                "{json}"
            );
        }
    }
    let received: Vec<_> = (quality.iter())
        .filter(|json| json["TYPE"] == "HANGUP" && json["DIR"] == 0)
        .collect();
    for json in received {
        assert_eq!(
            (&json["PARTY"], &json["PACKET_LOSS"]),
            (&0.into(), &0.into()),
            "{json}"
        );
        assert_eq!(json["TOTAL_PK"], json["EXPECTED_PK"]);
        assert!(
            json["MAX_DELTA"].as_f64() >= json["DELTA"].as_f64(),
            "{json}"
        );
    }
    let of_rtcp = of_kind(&seen, PayloadType::RTCP_QUALITY);
    assert!(!of_rtcp.is_empty());
    for report in of_rtcp {
        let json = report.json();
        assert_eq!(
            (&json["DIR"], &json["PARTY"]),
            (&1.into(), &1.into()),
            "{json}"
        );
        assert_eq!(json["CUM_PACKET_LOSS"], 0);
    }
    // The digits as they left, and as they came.
    let digits: Vec<Value> = of_kind(&seen, PayloadType::LOG)
        .into_iter()
        .map(Seen::json)
        .collect();
    assert_eq!(digits.len(), 2, "{digits:?}");
    for json in &digits {
        let text = json["DTMF"].as_str().expect("text");
        let groups: Vec<&str> = text.split_terminator(';').collect();
        assert_eq!(groups.len(), 2, "{text}");
        assert!(groups[0].ends_with(",e:5,v:10,d:800,c:1"), "{text}");
        assert!(groups[1].ends_with(",e:11,v:10,d:800,c:2"), "{text}");
        assert_eq!(
            (&json["CODEC_NAME"], &json["CODEC_PT"]),
            (&"telephone-event".into(), &101.into())
        );
    }
    let directions: BTreeSet<_> = digits.iter().map(|json| json["DIR"].as_u64()).collect();
    assert_eq!(directions, [Some(0), Some(1)].into());
}
